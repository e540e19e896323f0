//! `[[source]] type = "mqtt"`: a broker, the topics to read there, and the points they carry.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use serde::Deserialize;
use toml::Spanned;

use super::payload::{Path, Pattern};
use crate::model::id::{SourceName, TagName};
use crate::model::problem::Problems;
use crate::model::state::MachineState;
use crate::model::tag::{SourceIndex, TagKind, TagSpec};
use crate::model::time::Period;
use crate::model::unit::Unit;
use crate::runtime::secret::Secret;

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

/// One subscription and how its payloads are read.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Topic {
    /// Topic filter; `{device}` and `{point}` stand for one level each, `+` and `#` as usual.
    pub filter: Spanned<String>,
    /// The device, where the filter has no `{device}`.
    #[serde(default)]
    pub device: Option<Spanned<String>>,
    /// The point, where the filter has no `{point}`.
    #[serde(default)]
    pub point: Option<Spanned<String>>,
    /// `json` or `plain`.
    pub format: Spanned<String>,
    /// Where the value stands in JSON, like `$.v`; default `$`, the whole document.
    #[serde(default)]
    pub value: Option<Spanned<String>>,
    /// Where the event time stands in JSON: RFC 3339 with an offset, or a number of s, ms, µs or ns since 1970.
    /// Without it the event time is the arrival.
    #[serde(default)]
    pub time: Option<Spanned<String>>,
    /// `0` or `1`; default 1.
    #[serde(default)]
    pub qos: Option<Spanned<i64>>,
}

/// What a payload is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PayloadFormat {
    /// A JSON document.
    Json,
    /// A number or a state name as text.
    Plain,
}

/// One point that is kept.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PointSpec {
    /// `device.point`, or the one of the two that the topics give.
    pub name: Spanned<String>,
    /// `gauge`, `counter`, `interval` or `state`; default `state` where `states` is given, else `gauge`.
    #[serde(default)]
    pub kind: Option<Spanned<String>>,
    /// Unit of the value; default `1`.
    #[serde(default)]
    pub unit: Option<Spanned<String>>,
    /// Text or number (as text) of a payload → state.
    #[serde(default)]
    pub states: BTreeMap<String, Spanned<String>>,
    /// How long a value holds before NO_DATA begins; default 5 min.
    #[serde(default)]
    pub hold: Option<Spanned<Period>>,
    /// Length of the interval whose amount a value is; for kind `interval`.
    #[serde(default)]
    pub period: Option<Spanned<Period>>,
    /// Largest growth per second the device can show, in the tag's unit; for kind `counter`.
    #[serde(default)]
    pub max_per_second: Option<Spanned<f64>>,
    /// Values that mean "no value".
    #[serde(default)]
    pub sentinel: Vec<f64>,
}

/// How a point's values turn into amounts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A level, held until the next value.
    Gauge,
    /// A total that grows.
    Counter,
    /// The amount of the interval that ends at the event time.
    Interval,
    /// A machine state.
    State,
}

impl PointSpec {
    /// Returns the declared kind, or the natural one where none is declared or its name is unknown.
    pub fn kind(&self) -> Kind {
        let declared = self.kind.as_ref().and_then(|kind| Kind::from_name(kind.get_ref()));
        declared.unwrap_or(if self.states.is_empty() { Kind::Gauge } else { Kind::State })
    }

    /// Returns the states that are named rightly.
    pub fn states(&self) -> BTreeMap<String, MachineState> {
        let known = |(raw, name): (&String, &Spanned<String>)| {
            MachineState::from_name(name.get_ref()).map(|state| (raw.clone(), state))
        };
        self.states.iter().filter_map(known).collect()
    }

    /// Returns the declared unit, or 1 where none is declared or its name is unknown.
    fn unit(&self) -> Unit {
        self.unit.as_ref().and_then(|unit| unit_of(unit.get_ref())).unwrap_or(Unit::One)
    }

    /// Names what is written here that means nothing.
    fn check_words(&self, problems: &mut Problems) {
        if let Some(kind) = self.kind.as_ref().filter(|kind| Kind::from_name(kind.get_ref()).is_none()) {
            let message = format!("\"{}\" is not a kind of point", kind.get_ref());
            problems.error(kind.span(), message, "write gauge, counter, interval or state");
        }
        if let Some(unit) = self.unit.as_ref().filter(|unit| unit_of(unit.get_ref()).is_none()) {
            let known = Unit::ALL.map(Unit::as_str).join(", ");
            problems.error(
                unit.span(),
                format!("\"{}\" is not a unit", unit.get_ref()),
                format!("write one of {known}"),
            );
        }
        for name in self.states.values().filter(|name| MachineState::from_name(name.get_ref()).is_none()) {
            let known = MachineState::ALL.map(MachineState::as_str).join(", ");
            let message = format!("\"{}\" is not a machine state", name.get_ref());
            problems.error(name.span(), message, format!("write one of {known}"));
        }
    }
}

fn unit_of(name: &str) -> Option<Unit> {
    Unit::ALL.into_iter().find(|unit| unit.as_str() == name)
}

impl Kind {
    fn from_name(name: &str) -> Option<Self> {
        match name {
            "gauge" => Some(Self::Gauge),
            "counter" => Some(Self::Counter),
            "interval" => Some(Self::Interval),
            "state" => Some(Self::State),
            _ => None,
        }
    }
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
        self.topic.iter().for_each(|topic| topic.get_ref().check(problems));
        let mut seen = BTreeSet::new();
        for point in &self.point {
            self.check_point(point.get_ref(), problems);
            let name = &point.get_ref().name;
            if !seen.insert(name.get_ref()) {
                let message = format!("point \"{}\" is declared twice", name.get_ref());
                problems.error(name.span(), message, "keep one of the two");
            }
        }
    }

    fn check_point(&self, point: &PointSpec, problems: &mut Problems) {
        point.check_words(problems);
        let name = point.name.get_ref();
        let feeding: Vec<&Topic> = self.topic.iter().map(Spanned::get_ref).filter(|topic| topic.feeds(name)).collect();
        let here = || point.name.span();
        if feeding.is_empty() {
            problems.error(
                here(),
                format!("no topic of source \"{}\" can carry point \"{name}\"", self.name.get_ref()),
                "name it after the {device} and {point} of a filter, like press-1.scrap",
            );
        }
        let untimed = feeding.iter().any(|topic| topic.time.is_none());
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
        self.point.iter().filter_map(|point| self.tag(source, point.get_ref(), problems)).collect()
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
        Some(TagSpec {
            name,
            source,
            kind,
            unit: point.unit(),
            decoding: self.meaning(point.name.get_ref()),
            hold_ms: point.hold.as_ref().map_or(HOLD, |hold| *hold.get_ref()).as_ms(),
            lateness_ms: self.lateness.as_ref().map_or(LATENESS, |lateness| *lateness.get_ref()).as_ms(),
            states: point.states(),
        })
    }

    /// Returns where a point's value stands in the payloads that name it.
    fn meaning(&self, point: &str) -> String {
        let topics = self.topic.iter().map(Spanned::get_ref).filter(|topic| topic.feeds(point));
        let values = topics.map(|topic| {
            let value = topic.value.as_ref().map_or("$", |value| value.get_ref().as_str());
            format!("{} {value}", topic.format.get_ref())
        });
        values.collect::<Vec<_>>().join(", ")
    }
}

impl Topic {
    /// Returns the quality of service to ask for.
    pub fn qos(&self) -> i64 {
        self.qos.as_ref().map_or(1, |qos| *qos.get_ref())
    }

    /// Returns what a payload is; `None` where the name is unknown.
    pub fn payload_format(&self) -> Option<PayloadFormat> {
        match self.format.get_ref().as_str() {
            "json" => Some(PayloadFormat::Json),
            "plain" => Some(PayloadFormat::Plain),
            _ => None,
        }
    }

    /// Returns the compiled filter.
    ///
    /// # Errors
    /// What is wrong with the filter, for the configuration check.
    pub fn pattern(&self) -> Result<Pattern, String> {
        let text = |part: &Option<Spanned<String>>| part.as_ref().map(|part| part.get_ref().clone());
        Pattern::new(self.filter.get_ref(), text(&self.device), text(&self.point))
    }

    /// Says whether a message here could carry a point of this name.
    fn feeds(&self, name: &str) -> bool {
        self.pattern().is_ok_and(|pattern| pattern.can_name(name))
    }

    fn check(&self, problems: &mut Problems) {
        if let Err(message) = self.pattern() {
            problems.error(self.filter.span(), message, "write a filter like floor/{device}/{point}");
        }
        if self.payload_format().is_none() {
            let message = format!("\"{}\" is not a payload format", self.format.get_ref());
            problems.error(self.format.span(), message, "write json or plain");
        }
        if ![0, 1].contains(&self.qos()) {
            problems.error(
                self.qos.as_ref().map(Spanned::span),
                format!("quality of service {} is not supported", self.qos()),
                "write 0 or 1: with 1 a message is acknowledged after it is stored",
            );
        }
        for (key, path) in [("value", &self.value), ("time", &self.time)] {
            let Some(path) = path else { continue };
            if self.payload_format() == Some(PayloadFormat::Plain) {
                let message = format!("a plain payload has no {key} path");
                problems.error(path.span(), message, format!("remove {key}, or write format = \"json\""));
            } else if let Err(message) = Path::parse(path.get_ref()) {
                problems.error(path.span(), message, "write a path like $.a.b[0]");
            }
        }
    }
}

/// Where a broker listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// Name or address; IPv6 in brackets.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// Whether the connection is TLS.
    pub tls: bool,
}

impl Address {
    /// Reads `mqtt://host[:port]` or `mqtts://host[:port]`.
    ///
    /// # Errors
    /// What is wrong with the text, for the configuration check.
    pub fn parse(url: &str) -> Result<Self, String> {
        let refused = |why: &str| format!("\"{url}\" is not the address of a broker: {why}");
        let (rest, tls, default) = if let Some(rest) = url.strip_prefix("mqtt://") {
            (rest, false, 1883)
        } else if let Some(rest) = url.strip_prefix("mqtts://") {
            (rest, true, 8883)
        } else {
            return Err(refused("it starts with neither mqtt:// nor mqtts://"));
        };
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        if rest.contains(['/', '?', '@']) {
            return Err(refused("it holds more than host and port; user and password have keys of their own"));
        }
        // The colons of an IPv6 address stand inside brackets.
        let split = rest.rfind(':').filter(|colon| rest.rfind(']').is_none_or(|bracket| bracket < *colon));
        let (host, port) = match split {
            Some(colon) => {
                let port = rest[colon + 1..].parse().map_err(|_| refused("its port is no number from 1 to 65535"))?;
                (&rest[..colon], port)
            }
            None => (rest, default),
        };
        if host.is_empty() || port == 0 {
            return Err(refused("host or port is missing"));
        }
        Ok(Self { host: host.to_owned(), port, tls })
    }
}

#[cfg(test)]
mod tests {
    use super::{Address, MqttSource, Problems, SourceIndex, TagKind, Version};

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
                "a plain payload has no value",
            ),
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

    #[test]
    fn broker_addresses_have_default_ports_and_nothing_but_host_and_port() {
        let address = |host: &str, port, tls| Ok(Address { host: host.to_owned(), port, tls });
        assert_eq!(Address::parse("mqtt://broker"), address("broker", 1883, false));
        assert_eq!(Address::parse("mqtts://10.0.0.5/"), address("10.0.0.5", 8883, true));
        assert_eq!(Address::parse("mqtt://[::1]:1884"), address("[::1]", 1884, false));
        for bad in ["broker", "mqtt://", "mqtt://a:b", "mqtt://user@host", "mqtt://host/topic", "mqtt://host:0"] {
            assert!(Address::parse(bad).is_err(), "{bad}");
        }
    }
}
