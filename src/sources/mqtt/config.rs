//! `[[source]] type = "mqtt"`: a broker, the topics to read there, and the points they carry.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use jiff::tz::TimeZone;
use serde::Deserialize;
use toml::Spanned;

pub mod point;
pub mod topic;

use point::{Kind, PointSpec};
use topic::Topic;

use super::sparkplug::config::{self as sparkplug, SparkplugConfig};

use crate::model::broker::Address;
use crate::model::id::{SourceName, TagName};
use crate::model::problem::Problems;
use crate::model::tag::{Meaning, SourceIndex, TagKind, TagSpec};
use crate::model::time::Period;
use crate::runtime::secret::Secret;
use crate::sources::checks::config::{self as checks, CheckKeys, DeviceStateKeys};

/// How late a message may arrive unless declared: brokers and radio links buffer.
const LATENESS: Period = Period::from_ms(60_000);
/// How long a value holds unless declared: devices publish on change, so silence is normal for a while.
const HOLD: Period = Period::from_ms(5 * 60_000);
/// Unacknowledged messages the broker may have under way to us, on MQTT 5.
const RECEIVE_MAXIMUM: u16 = 1000;

/// One broker and what is read from it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MqttSource {
    /// `"mqtt"`; read by whoever chose this type.
    #[serde(default, rename = "type")]
    pub source_type: Option<String>,
    /// First segment of its tags.
    pub name: Spanned<SourceName>,
    /// `mqtt://host[:1883]` or `mqtts://host[:8883]`.
    pub url: Spanned<String>,
    /// `5` or `311`.
    #[serde(default)]
    pub version: Option<Spanned<i64>>,
    /// Client identifier of the persistent session; default `parkgate-<gateway>-<source>`. Two clients with one
    /// identifier throw each other out.
    #[serde(default)]
    pub client_id: Option<Spanned<String>>,
    /// User name at the broker.
    #[serde(default)]
    pub username: Option<Spanned<String>>,
    /// Password at the broker.
    #[serde(default)]
    pub password: Option<Secret>,
    /// PEM file of the authority that signed the broker's certificate; default: the public authorities.
    #[serde(default)]
    pub ca_file: Option<Spanned<PathBuf>>,
    /// PEM file of the certificate that the box shows to the broker, with those between it and its authority.
    #[serde(default)]
    pub cert_file: Option<Spanned<PathBuf>>,
    /// PEM file of that certificate's private key.
    #[serde(default)]
    pub key_file: Option<Spanned<PathBuf>>,
    /// Time zone of event times that are written without an offset, like `Asia/Ho_Chi_Minh`.
    #[serde(default)]
    pub timezone: Option<Spanned<String>>,
    /// What to subscribe to.
    pub topic: Vec<Spanned<Topic>>,
    /// The points that are kept.
    #[serde(default)]
    pub point: Vec<Spanned<PointSpec>>,
    /// How late a message may arrive; default 60 s.
    #[serde(default)]
    pub lateness: Option<Spanned<Period>>,
    /// Messages that may be under way unacknowledged, on MQTT 5; default 1000.
    #[serde(default)]
    pub receive_maximum: Option<Spanned<i64>>,
    /// What the values of points should be like, by point; for points of a profile, or many at once.
    #[serde(default)]
    pub checks: BTreeMap<String, CheckKeys>,
    /// Where a device says whether it is measuring, calibrating or at fault.
    #[serde(default)]
    pub device_state: Option<DeviceStateKeys>,
    /// What the Sparkplug host may do, where the topics are Sparkplug's.
    #[serde(default)]
    pub sparkplug: Option<Spanned<SparkplugConfig>>,
}

/// Version of the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Version {
    /// MQTT 5.
    #[default]
    V5,
    /// MQTT 3.1.1.
    V311,
}

impl MqttSource {
    /// Returns the protocol version.
    pub fn version(&self) -> Version {
        match self.version.as_ref().map(Spanned::get_ref) {
            Some(311) => Version::V311,
            _ => Version::V5,
        }
    }

    /// Returns the number of unacknowledged messages that may be under way.
    pub fn receive_maximum(&self) -> u16 {
        let declared = self.receive_maximum.as_ref().and_then(|maximum| u16::try_from(*maximum.get_ref()).ok());
        declared.filter(|maximum| *maximum > 0).unwrap_or(RECEIVE_MAXIMUM)
    }

    /// Says what this source alone can say against itself.
    pub fn check(&self, problems: &mut Problems) {
        if let Err(message) = Address::parse(self.url.get_ref()) {
            problems.error(self.url.span(), message, "write mqtt://host:1883 or mqtts://host:8883");
        }
        if let Some(version) = self.version.as_ref().filter(|version| ![5, 311].contains(version.get_ref())) {
            let message = format!("MQTT version {} is not supported", version.get_ref());
            problems.error(version.span(), message, "write 5 or 311");
        }
        if let Some(maximum) = self.receive_maximum.as_ref().filter(|it| !(1..=65_535).contains(it.get_ref())) {
            let message = format!("receive_maximum {} lies outside 1 to 65535", maximum.get_ref());
            problems.error(maximum.span(), message, "remove it: 1000 by default");
        }
        if let (None, Some(username)) = (&self.password, &self.username) {
            problems.warning(
                username.span(),
                format!("source \"{}\" has a user name without a password", self.name.get_ref()),
                "write password = { env = \"NAME\" } if the broker asks for one",
            );
        }
        if self.topic.is_empty() {
            problems.error(
                self.name.span(),
                "an mqtt source without a topic reads nothing",
                "add a topic with a filter",
            );
        }
        self.check_connection(problems);
        for topic in self.topic.iter().map(Spanned::get_ref) {
            topic.check(problems);
            self.check_shared(topic, problems);
        }
        sparkplug::check(self, problems);
        let (mut seen, mut called) = (BTreeSet::new(), BTreeSet::new());
        for point in &self.point {
            self.check_point(point.get_ref(), problems);
            let name = &point.get_ref().name;
            let called_as = point.get_ref().called();
            if !seen.insert(name.get_ref()) {
                let message = format!("point \"{}\" is declared twice", name.get_ref());
                problems.error(name.span(), message, "keep one of the two");
            } else if !called.insert(called_as) {
                let message = format!("two points are called \"{called_as}\"");
                problems.error(name.span(), message, "a message feeds one of them: give each its own called");
            }
        }
    }

    fn check_connection(&self, problems: &mut Problems) {
        let tls = Address::parse(self.url.get_ref()).is_ok_and(|address| address.tls);
        let files = [("ca_file", &self.ca_file), ("cert_file", &self.cert_file), ("key_file", &self.key_file)];
        for (key, file) in files {
            if let Some(file) = file.as_ref().filter(|_| !tls) {
                let message = format!("{key} means nothing without TLS");
                problems.error(file.span(), message, "write url = \"mqtts://…\", or remove it");
            }
        }
        let (one, missing) = match (&self.cert_file, &self.key_file) {
            (Some(cert), None) => (Some(cert.span()), "key_file"),
            (None, Some(key)) => (Some(key.span()), "cert_file"),
            _ => (None, ""),
        };
        if one.is_some() {
            problems.error(one, format!("a client certificate needs {missing} too"), format!("add {missing}"));
        }
        if let Some(zone) = self.timezone.as_ref().filter(|_| self.zone().is_none()) {
            let message = format!("\"{}\" is not a time zone", zone.get_ref());
            problems.error(zone.span(), message, "write a name like Asia/Ho_Chi_Minh");
        }
    }

    fn check_shared(&self, topic: &Topic, problems: &mut Problems) {
        if topic.pattern().is_ok_and(|pattern| pattern.is_shared()) {
            problems.warning(
                topic.filter.span(),
                format!(
                    "source \"{}\" shares a subscription: each message goes to one client of the group, so a point may \
                     come in part or out of order, and retained messages don't come",
                    self.name.get_ref()
                ),
                "share only where every client of the group leads to the same figures, and give messages an event time",
            );
        }
    }

    /// Returns the time zone of event times without an offset.
    pub fn zone(&self) -> Option<TimeZone> {
        TimeZone::get(self.timezone.as_ref()?.get_ref()).ok()
    }

    fn check_point(&self, point: &PointSpec, problems: &mut Problems) {
        point.check_words(problems);
        let (name, called) = (point.name.get_ref(), point.called());
        let feeding: Vec<&Topic> =
            self.topic.iter().map(Spanned::get_ref).filter(|topic| topic.feeds(called)).collect();
        let is_tag = name.split('.').count() <= 2;
        let here = || point.name.span();
        if (feeding.is_empty() && !sparkplug::is_sparkplug(self)) || !is_tag {
            problems.error(
                here(),
                format!("no topic of source \"{}\" can carry point \"{called}\"", self.name.get_ref()),
                "name it after the {device} and {point} of a filter, like press-1.scrap, or say what it is called there",
            );
        }
        let untimed = feeding.iter().any(|topic| !topic.is_timed());
        match point.kind() {
            Kind::Interval if point.period.as_ref().is_none_or(|period| period.get_ref().as_ms() <= 0) => {
                problems.error(here(), format!("interval point \"{name}\" has no period"), "add period = \"15min\"");
            }
            Kind::Interval if untimed => problems.error(
                here(),
                format!("interval point \"{name}\" has no event time, so a message sent twice would count twice"),
                "add time = \"$.ts\" to its topic",
            ),
            Kind::Counter if untimed => problems.warning(
                here(),
                format!("counter \"{name}\" has no event time, so a message sent again may look like a reset"),
                "add time = \"$.ts\" to its topic if the device sends one",
            ),
            Kind::State if point.states.is_empty() => problems.error(
                here(),
                format!("state point \"{name}\" has no states"),
                "add states = { run = \"producing\", stop = \"idle\" }",
            ),
            _ => {}
        }
        for (given, wanted, key) in [
            (point.period.as_ref().map(Spanned::span), Kind::Interval, "period"),
            (point.max_per_second.as_ref().map(Spanned::span), Kind::Counter, "max_per_second"),
        ] {
            if given.is_some() && point.kind() != wanted {
                problems.error(given, format!("{key} means nothing for point \"{name}\""), format!("remove {key}"));
            }
        }
    }

    /// Returns the tags of the declared points, in their order here. A point whose name is no tag is a problem
    /// and left out.
    pub fn tags(&self, source: SourceIndex, problems: &mut Problems) -> Vec<TagSpec> {
        let points = self.point.iter().map(Spanned::get_ref);
        let mut tags: Vec<TagSpec> = points.filter_map(|point| self.tag(source, point, problems)).collect();
        checks::declare(&self.name, &self.checks, &self.declared(), self.device_state.as_ref(), &mut tags, problems);
        tags
    }

    /// Returns what is said of the values of each point, with the point itself or in `checks`.
    pub fn declared(&self) -> BTreeMap<String, CheckKeys> {
        let points = self.point.iter().map(Spanned::get_ref);
        checks::merge(&self.checks, points.map(|point| (point.name.get_ref().clone(), point.check_keys())))
    }

    fn tag(&self, source: SourceIndex, point: &PointSpec, problems: &mut Problems) -> Option<TagSpec> {
        let name = match TagName::new(&format!("{}.{}", self.name.get_ref(), point.name.get_ref())) {
            Ok(name) => name,
            Err(invalid) => {
                problems.error(point.name.span(), invalid.to_string(), "write device.point");
                return None;
            }
        };
        let kind = match point.kind() {
            Kind::Gauge => TagKind::Gauge,
            Kind::Counter => TagKind::Counter {
                modulus: None,
                max_per_second: point.max_per_second.as_ref().map(|limit| *limit.get_ref()),
            },
            Kind::Interval => {
                TagKind::Interval { period_ms: point.period.as_ref().map_or(0, |period| period.get_ref().as_ms()) }
            }
            Kind::State => TagKind::State,
        };
        Some(TagSpec::new(
            name,
            source,
            Meaning {
                kind,
                unit: point.unit(),
                decoding: self.meaning(point),
                hold_ms: point.hold.as_ref().map_or(HOLD, |hold| *hold.get_ref()).as_ms(),
                lateness_ms: self.lateness.as_ref().map_or(LATENESS, |lateness| *lateness.get_ref()).as_ms(),
                states: point.states(),
                thinning: None,
            },
        ))
    }

    /// Returns where a point's value stands in the payloads that name it, and what is made of it.
    fn meaning(&self, point: &PointSpec) -> String {
        let topics = self.topic.iter().map(Spanned::get_ref).filter(|topic| topic.feeds(point.called()));
        let text = match sparkplug::place(self, point).filter(|_| sparkplug::is_sparkplug(self)) {
            Some(place) => format!("sparkplug_b {place}"),
            None => topics.map(Topic::meaning).collect::<Vec<_>>().join(", "),
        };
        let (scale, offset) = (point.scale(), point.offset());
        let called = point.called.as_ref().map_or(String::new(), |called| format!(" called {}", called.get_ref()));
        match point.scale.is_some() || point.offset.is_some() {
            true => format!("{text}{called} x {scale} + {offset}"),
            false => format!("{text}{called}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{MqttSource, Problems, SourceIndex, TagKind, Version};

    const FLOOR: &str = r#"
        name = "floor"
        url = "mqtt://127.0.0.1:1883"
        topic = [{ filter = "floor/{device}/{point}", format = "json", value = "$.v", time = "$.ts" }]
        point = [
          { name = "press-1.scrap", kind = "counter" },
          { name = "press-1.state", states = { run = "producing" } },
        ]
    "#;

    fn problems_of(text: &str) -> Vec<String> {
        let source: MqttSource = toml::from_str(text).unwrap();
        let mut problems = Problems::default();
        source.check(&mut problems);
        source.tags(SourceIndex(0), &mut problems);
        problems.0.into_iter().map(|problem| problem.message).collect()
    }

    #[test]
    fn points_become_tags_of_their_source() {
        let source: MqttSource = toml::from_str(FLOOR).unwrap();
        let mut problems = Problems::default();
        source.check(&mut problems);
        let tags = source.tags(SourceIndex(3), &mut problems);
        assert_eq!(problems, Problems::default());
        assert_eq!(tags[0].name.as_str(), "floor.press-1.scrap");
        assert_eq!(tags[0].kind, TagKind::Counter { modulus: None, max_per_second: None });
        assert_eq!((tags[1].kind, tags[1].lateness_ms, tags[1].hold_ms), (TagKind::State, 60_000, 300_000));
    }

    #[test]
    fn every_mistake_is_named() {
        for (from, to, expected) in [
            ("mqtt://127.0.0.1:1883", "http://127.0.0.1", "it starts with neither mqtt:// nor mqtts://"),
            ("press-1.scrap", "press-1.a.scrap", "no topic of source \"floor\" can carry point \"press-1.a.scrap\""),
            ("$.v", "$..v", "is not a path"),
            ("{device}/{point}", "{device}/x-{point}", "stands for a whole level"),
            ("kind = \"counter\"", "kind = \"interval\"", "interval point \"press-1.scrap\" has no period"),
            ("kind = \"counter\"", "kind = \"gauge\", max_per_second = 2.0", "max_per_second means nothing"),
            (", states = { run = \"producing\" }", ", kind = \"state\"", "has no states"),
            ("press-1.scrap", "press-1.state", "declared twice"),
            ("time = \"$.ts\"", "qos = 2", "quality of service 2"),
            ("\"json\"", "\"xml\"", "\"xml\" is not a payload format"),
            ("kind = \"counter\"", "kind = \"count\"", "\"count\" is not a kind"),
            ("kind = \"counter\"", "unit = \"kwh\"", "\"kwh\" is not a unit"),
            ("run = \"producing\"", "run = \"running\"", "\"running\" is not a machine state"),
            ("name = \"floor\"", "name = \"floor\"\nversion = 4", "MQTT version 4"),
            ("name = \"floor\"", "name = \"floor\"\nreceive_maximum = 0", "receive_maximum 0"),
            (
                "\"json\", value = \"$.v\", time = \"$.ts\"",
                "\"plain\", value = \"$.v\"",
                "value means nothing in a plain payload",
            ),
            ("value = \"$.v\"", "value = \"@.v\"", "there is no each"),
            ("value = \"$.v\"", "value = \"$.v[*]\"", "leads to several places"),
            ("value = \"$.v\"", "each = \"$.v\"", "doesn't lead to the elements of a list"),
            ("value = \"$.v\"", "point = \"$.p\"", "can't be given again"),
            ("value = \"$.v\"", "columns = [\"value\"]", "columns means nothing in a json payload"),
            ("\"json\", value = \"$.v\"", "\"csv\"", "a csv payload needs columns"),
            ("\"json\", value = \"$.v\"", "\"csv\", columns = \"heading\"", "\"heading\" is no list of columns"),
            ("\"json\", value = \"$.v\"", "\"csv\", columns = [\"$.ts\"]", "none of the columns holds a value"),
            ("\"json\", value = \"$.v\"", "\"csv\", columns = [\"value\", \"x\"]", "column \"x\" holds no value"),
            ("time = \"$.ts\"", "time = \"$.ts\", time_format = \"minutes\"", "\"minutes\" is not a form of time"),
            ("time = \"$.ts\"", "time_format = \"ms\"", "time_format means nothing"),
            ("name = \"floor\"", "name = \"floor\"\ntimezone = \"Saigon\"", "\"Saigon\" is not a time zone"),
            ("name = \"floor\"", "name = \"floor\"\nca_file = \"ca.pem\"", "ca_file means nothing without TLS"),
            ("mqtt://127.0.0.1:1883\"", "mqtts://x\"\ncert_file = \"a.pem\"", "needs key_file too"),
            ("floor/{device}", "$share/a/floor/{device}", "shares a subscription"),
            ("kind = \"counter\"", "scale = 0.0", "scale 0 makes no number"),
            ("run = \"producing\" }", "run = \"producing\" }, scale = 0.1", "scale means nothing for a state"),
            ("kind = \"counter\"", "called = \"press-1.state\"", "two points are called \"press-1.state\""),
        ] {
            let text = FLOOR.replace(from, to);
            assert_ne!(text, FLOOR, "{from}");
            let found = problems_of(&text);
            assert!(found.iter().any(|message| message.contains(expected)), "{expected}: {found:?}");
        }
    }

    #[test]
    fn an_increment_without_event_time_is_refused() {
        let text = FLOOR
            .replace("kind = \"counter\"", "kind = \"interval\", period = \"15min\"")
            .replace(", time = \"$.ts\"", "");
        assert!(problems_of(&text)[0].contains("would count twice"));
    }

    #[test]
    fn unknown_keys_are_refused() {
        assert!(toml::from_str::<MqttSource>(&format!("topics = []\n{FLOOR}")).is_err());
        let older: MqttSource = toml::from_str(&format!("type = \"mqtt\"\nversion = 311\n{FLOOR}")).unwrap();
        assert_eq!(older.version(), Version::V311);
    }
}
