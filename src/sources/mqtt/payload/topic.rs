//! Topic filters with `{device}` and `{point}`, and the names a topic gives. Pure.

/// Longest topic filter. **Unit**: bytes. **Source**: MQTT 5, 1.5.4: a string's length is 16 bits.
const FILTER_BYTES_MAX: usize = 65_535;

/// First level of a filter whose messages a group of clients shares. **Source**: MQTT 5, 4.8.2.
const SHARE: &str = "$share/";

/// Where one half of a point's name comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// Nobody gives it, unless the filter does.
    Unnamed,
    /// It is always the same.
    Fixed(String),
    /// The payload gives it.
    Payload,
}

/// A topic filter with `{device}` and `{point}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    /// Group that shares the subscription, with the prefix that the broker expects; empty without one.
    share: String,
    levels: Vec<Level>,
    device: Part,
    point: Part,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Level {
    Text(String),
    Device,
    Point,
    Any,
    Rest,
}

/// What a topic says of a point's name; a missing half comes from the payload, or the name has only the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Names<'a> {
    /// The device.
    pub device: Option<&'a str>,
    /// The point.
    pub point: Option<&'a str>,
}

impl Pattern {
    /// Compiles a filter. `device` and `point` say where comes from what the filter doesn't give.
    ///
    /// # Errors
    /// What is wrong with it; the caller shows it as a configuration problem.
    pub fn new(filter: &str, device: Part, point: Part) -> Result<Self, String> {
        let refused = |why: &str| Err(format!("topic filter \"{filter}\": {why}"));
        if filter.is_empty() || filter.len() > FILTER_BYTES_MAX || filter.contains('\0') {
            return refused("it is empty, too long or holds a NUL");
        }
        let (share, topics) = match filter.strip_prefix(SHARE).map(|rest| rest.split_once('/')) {
            None => ("", filter),
            Some(Some((group, topics))) if is_group(group) && !topics.is_empty() => {
                (&filter[..SHARE.len() + group.len() + 1], topics)
            }
            Some(_) => return refused("after $share/ stand a group without +, # or braces, and a filter"),
        };
        let levels: Vec<Level> = topics.split('/').map(Level::of).collect();
        let count = |wanted: &Level| levels.iter().filter(|level| *level == wanted).count();
        let (devices, points) = (count(&Level::Device), count(&Level::Point));
        if levels.iter().any(|level| matches!(level, Level::Text(text) if text.contains(['+', '#', '{', '}']))) {
            return refused("+, #, {device} and {point} each stands for a whole level");
        }
        if levels.iter().rev().skip(1).any(|level| *level == Level::Rest) {
            return refused("# stands at the end only");
        }
        if devices > 1 || points > 1 {
            return refused("{device} and {point} stand once at most");
        }
        if (devices == 1 && device != Part::Unnamed) || (points == 1 && point != Part::Unnamed) {
            return refused("what the filter names can't be given again");
        }
        if devices + points == 0 && device == Part::Unnamed && point == Part::Unnamed {
            return refused("it names neither device nor point");
        }
        Ok(Self { share: share.to_owned(), levels, device, point })
    }

    /// Returns the filter a broker understands, shared where it is.
    pub fn filter(&self) -> String {
        let text = |level: &Level| match level {
            Level::Text(text) => text.clone(),
            Level::Device | Level::Point | Level::Any => "+".to_owned(),
            Level::Rest => "#".to_owned(),
        };
        format!("{}{}", self.share, self.levels.iter().map(text).collect::<Vec<_>>().join("/"))
    }

    /// Says whether other clients share the subscription's messages.
    pub fn is_shared(&self) -> bool {
        !self.share.is_empty()
    }

    /// Returns what a topic names; `None` where it doesn't match.
    pub fn names<'a>(&'a self, topic: &'a str) -> Option<Names<'a>> {
        // MQTT 5, 4.7.2: a leading wildcard doesn't match the broker's own topics.
        if topic.starts_with('$') && !matches!(self.levels.first(), Some(Level::Text(_))) {
            return None;
        }
        let mut names = Names { device: self.device.fixed(), point: self.point.fixed() };
        let mut parts = topic.split('/');
        for level in &self.levels {
            match (level, parts.next()) {
                // "a/#" matches "a" too.
                (Level::Rest, _) => return Some(names),
                (_, None) => return None,
                (Level::Text(text), Some(part)) if text != part => return None,
                (Level::Device, Some(part)) => names.device = Some(part),
                (Level::Point, Some(part)) => names.point = Some(part),
                (Level::Text(_) | Level::Any, Some(_)) => {}
            }
        }
        if parts.next().is_some() { None } else { Some(names) }
    }

    /// Says whether some message could name this point.
    pub fn can_name(&self, name: &str) -> bool {
        // What a payload calls things may hold dots, so every one may be the one between device and point.
        let splits = name.match_indices('.').map(|(dot, _)| (&name[..dot], &name[dot + 1..]));
        let (device, point) = (self.gives(&self.device, &Level::Device), self.gives(&self.point, &Level::Point));
        let both = |(of, what): (&str, &str)| device.allows(of) && point.allows(what);
        splits.into_iter().any(both)
            || (device.may_be_absent() && point.allows(name))
            || (point.may_be_absent() && device.allows(name))
    }

    fn gives<'a>(&'a self, part: &'a Part, level: &Level) -> Given<'a> {
        match part {
            Part::Fixed(text) => Given::Fixed(text),
            Part::Payload => Given::Payload,
            Part::Unnamed if self.levels.contains(level) => Given::Level,
            Part::Unnamed => Given::Nothing,
        }
    }
}

/// What is known of one half of a name before a message is there.
enum Given<'a> {
    Fixed(&'a str),
    Level,
    Payload,
    Nothing,
}

impl Given<'_> {
    fn allows(&self, text: &str) -> bool {
        match self {
            Self::Fixed(fixed) => *fixed == text,
            Self::Level => !text.contains('/'),
            Self::Payload => true,
            Self::Nothing => false,
        }
    }

    /// A payload may leave out what it can give.
    const fn may_be_absent(&self) -> bool {
        matches!(self, Self::Nothing | Self::Payload)
    }
}

fn is_group(group: &str) -> bool {
    !group.is_empty() && !group.contains(['+', '#', '{', '}'])
}

impl Part {
    fn fixed(&self) -> Option<&str> {
        match self {
            Self::Fixed(text) => Some(text),
            Self::Unnamed | Self::Payload => None,
        }
    }
}

impl Level {
    fn of(text: &str) -> Self {
        match text {
            "{device}" => Self::Device,
            "{point}" => Self::Point,
            "+" => Self::Any,
            "#" => Self::Rest,
            _ => Self::Text(text.to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::{prop_assert_eq, proptest};

    use super::{Names, Part, Pattern};

    fn pattern(filter: &str) -> Pattern {
        Pattern::new(filter, Part::Unnamed, Part::Unnamed).unwrap()
    }

    fn fixed(text: &str) -> Part {
        Part::Fixed(text.to_owned())
    }

    fn name(pattern: &Pattern, topic: &str) -> Option<String> {
        let Names { device, point } = pattern.names(topic)?;
        Some([device, point].into_iter().flatten().collect::<Vec<_>>().join("."))
    }

    #[test]
    fn a_topic_names_its_device_and_point() {
        for (filter, topic, expected) in [
            ("floor/{device}/{point}", "floor/press-1/scrap", Some("press-1.scrap")),
            ("floor/{device}/{point}", "floor/press-1", None),
            ("floor/{device}/{point}", "floor/press-1/scrap/raw", None),
            ("floor/{device}/{point}", "Floor/press-1/scrap", None),
            ("{point}/of/{device}", "scrap/of/press-1", Some("press-1.scrap")),
            ("+/{device}/x/{point}/#", "a/d/x/p", Some("d.p")),
            ("+/{device}/x/{point}/#", "a/d/x/p/q/r", Some("d.p")),
            ("{device}/{point}", "$SYS/uptime", None),
            ("{device}/{point}", "/p", Some(".p")),
            ("meters/{point}", "meters/kwh", Some("kwh")),
            ("meters/{device}", "meters/m1", Some("m1")),
        ] {
            assert_eq!(name(&pattern(filter), topic).as_deref(), expected, "{filter} {topic}");
        }
    }

    #[test]
    fn what_a_filter_does_not_give_may_be_fixed_or_come_from_the_payload() {
        let count = Pattern::new("cell/+/{device}", Part::Unnamed, fixed("count")).unwrap();
        assert_eq!(name(&count, "cell/7/press-1").as_deref(), Some("press-1.count"));
        assert_eq!(count.filter(), "cell/+/+");
        assert!(count.can_name("press-1.count") && !count.can_name("press-1.scrap") && !count.can_name("count"));
        let whole = Pattern::new("press/1/good", fixed("press-1"), fixed("good")).unwrap();
        assert_eq!(
            (name(&whole, "press/1/good").as_deref(), whole.filter().as_str()),
            (Some("press-1.good"), "press/1/good")
        );
        let list = Pattern::new("lists/{device}", Part::Unnamed, Part::Payload).unwrap();
        assert_eq!(list.names("lists/a").unwrap(), Names { device: Some("a"), point: None });
        assert!(list.can_name("a.b") && list.can_name("a.Total kWh.1"));
        let any = Pattern::new("lists", Part::Payload, Part::Payload).unwrap();
        assert!(any.can_name("a") && any.can_name("a.b"));
    }

    #[test]
    fn a_shared_subscription_names_what_its_filter_names() {
        let shared = pattern("$share/boxes/floor/{device}/{point}");
        assert_eq!(shared.filter(), "$share/boxes/floor/+/+");
        assert!(shared.is_shared());
        assert_eq!(name(&shared, "floor/press-1/scrap").as_deref(), Some("press-1.scrap"));
        assert_eq!(name(&pattern("$share/boxes/{device}"), "press-1").as_deref(), Some("press-1"));
        for bad in ["$share/boxes", "$share/boxes/", "$share//{device}", "$share/+/{device}", "$share/{device}/a"] {
            assert!(Pattern::new(bad, Part::Unnamed, fixed("p")).is_err(), "{bad}");
        }
    }

    #[test]
    fn filters_that_no_broker_takes_are_refused() {
        for bad in
            ["", "a/b", "a/#/{device}", "a{device}", "a+/{device}", "{device}/{device}", "{device}/a#", "{x}/{device}"]
        {
            assert!(Pattern::new(bad, Part::Unnamed, Part::Unnamed).is_err(), "{bad}");
        }
        assert!(Pattern::new("{device}", fixed("again"), Part::Unnamed).is_err());
        assert!(Pattern::new("{device}", Part::Payload, Part::Unnamed).is_err());
    }

    proptest! {
        #[test]
        fn a_topic_built_from_a_filter_names_what_was_put_in(device in "[a-z0-9-]{1,8}", point in "[a-z_]{1,8}") {
            let name = name(&pattern("a/{device}/+/{point}/#"), &format!("a/{device}/any/{point}/x/y"));
            prop_assert_eq!(name, Some(format!("{device}.{point}")));
        }
    }
}
