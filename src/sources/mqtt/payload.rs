//! From a topic and a payload to a named value and its event time. Pure.
//!
//! In: topic filters and paths of the configuration; topics and payloads as they arrive. Out: the point a message
//! names, and its reading or a typed [`Refusal`]. Nothing here panics on any payload.

use serde_json::Value;

use super::config::PayloadFormat;
use crate::model::number::Number;
use crate::model::sample::Quality;
use crate::model::state::MachineState;
use crate::model::time::Timestamp;
use std::collections::BTreeMap;

/// A topic filter with `{device}` and `{point}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    levels: Vec<Level>,
    device: Option<String>,
    point: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Level {
    Text(String),
    Device,
    Point,
    Any,
    Rest,
}

/// Longest topic filter. **Unit**: bytes. **Source**: MQTT 5, 1.5.4: a string's length is 16 bits.
const FILTER_BYTES_MAX: usize = 65_535;

impl Pattern {
    /// Compiles a filter. `device` and `point` are fixed names for what the filter doesn't give.
    ///
    /// # Errors
    /// What is wrong with it; the caller shows it as a configuration problem.
    pub fn new(filter: &str, device: Option<String>, point: Option<String>) -> Result<Self, String> {
        let refused = |why: &str| Err(format!("topic filter \"{filter}\": {why}"));
        if filter.is_empty() || filter.len() > FILTER_BYTES_MAX || filter.contains('\0') {
            return refused("it is empty, too long or holds a NUL");
        }
        let levels: Vec<Level> = filter.split('/').map(Level::of).collect();
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
        if (devices == 1 && device.is_some()) || (points == 1 && point.is_some()) {
            return refused("what the filter names can't be given again by a key");
        }
        if devices + points == 0 && device.is_none() && point.is_none() {
            return refused("it names neither device nor point");
        }
        Ok(Self { levels, device, point })
    }

    /// Returns the filter a broker understands.
    pub fn filter(&self) -> String {
        let text = |level: &Level| match level {
            Level::Text(text) => text.clone(),
            Level::Device | Level::Point | Level::Any => "+".to_owned(),
            Level::Rest => "#".to_owned(),
        };
        self.levels.iter().map(text).collect::<Vec<_>>().join("/")
    }

    /// Returns the point a topic names, like `press-1.scrap`; `None` where the topic doesn't match.
    pub fn name(&self, topic: &str) -> Option<String> {
        // MQTT 5, 4.7.2: a leading wildcard doesn't match the broker's own topics.
        if topic.starts_with('$') && !matches!(self.levels.first(), Some(Level::Text(_))) {
            return None;
        }
        let (mut device, mut point) = (self.device.as_deref(), self.point.as_deref());
        let mut parts = topic.split('/');
        for level in &self.levels {
            match (level, parts.next()) {
                // "a/#" matches "a" too.
                (Level::Rest, _) => return join(device, point),
                (_, None) => return None,
                (Level::Text(text), Some(part)) if text != part => return None,
                (Level::Device, Some(part)) => device = Some(part),
                (Level::Point, Some(part)) => point = Some(part),
                (Level::Text(_) | Level::Any, Some(_)) => {}
            }
        }
        if parts.next().is_some() { None } else { join(device, point) }
    }

    /// Says whether some topic could name this point.
    pub fn can_name(&self, name: &str) -> bool {
        let gives = |level: &Level, fixed: &Option<String>| fixed.is_some() || self.levels.contains(level);
        let fits = |fixed: &Option<String>, text: &str| fixed.as_deref().is_none_or(|fixed| fixed == text);
        let (has_device, has_point) = (gives(&Level::Device, &self.device), gives(&Level::Point, &self.point));
        match name.split('.').collect::<Vec<_>>()[..] {
            [device, point] => has_device && has_point && fits(&self.device, device) && fits(&self.point, point),
            [only] if has_device != has_point => fits(&self.device, only) && fits(&self.point, only),
            _ => false,
        }
    }
}

fn join(device: Option<&str>, point: Option<&str>) -> Option<String> {
    match (device, point) {
        (Some(device), Some(point)) => Some(format!("{device}.{point}")),
        (one, other) => one.or(other).map(str::to_owned),
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

/// A place in a JSON document, like `$.a.b[0]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Path {
    text: String,
    steps: Vec<Step>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    Key(String),
    Index(usize),
}

impl Path {
    /// Reads `$`, then any number of `.key` and `[index]`. A key holds anything but dots and brackets.
    ///
    /// # Errors
    /// What is wrong with it; the caller shows it as a configuration problem.
    pub fn parse(text: &str) -> Result<Self, String> {
        let refused = || format!("\"{text}\" is not a path: expected $ followed by .key or [index]");
        let mut rest = text.strip_prefix('$').ok_or_else(refused)?;
        let mut steps = Vec::new();
        while !rest.is_empty() {
            if let Some(after) = rest.strip_prefix('.') {
                let end = after.find(['.', '[', ']']).unwrap_or(after.len());
                if end == 0 {
                    return Err(refused());
                }
                steps.push(Step::Key(after[..end].to_owned()));
                rest = &after[end..];
            } else {
                let (index, after) =
                    rest.strip_prefix('[').and_then(|after| after.split_once(']')).ok_or_else(refused)?;
                steps.push(Step::Index(index.parse().map_err(|_| refused())?));
                rest = after;
            }
        }
        Ok(Self { text: text.to_owned(), steps })
    }

    fn find<'a>(&self, document: &'a Value) -> Option<&'a Value> {
        self.steps.iter().try_fold(document, |value, step| match step {
            Step::Key(key) => value.get(key),
            Step::Index(index) => value.get(index),
        })
    }
}

/// How payloads of one subscription are read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Format {
    /// JSON or plain text.
    pub payload: PayloadFormat,
    /// Where the value stands in JSON.
    pub value: Path,
    /// Where the event time stands in JSON.
    pub time: Option<Path>,
}

/// What a point expects of a value.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Expectation {
    /// Text or number (as text) → state; empty for a number.
    pub states: BTreeMap<String, MachineState>,
    /// Numbers that mean "no value".
    pub sentinel: Vec<f64>,
}

/// One value and its event time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Reading {
    /// The value; `None` exactly where `quality` says why.
    pub value: Option<Number>,
    /// How far it can be relied on.
    pub quality: Quality,
    /// Event time; `None` where the payload carries none.
    pub measured_at: Option<Timestamp>,
}

/// Why a payload is no reading. It is acknowledged and counted: sent again it would be as unreadable.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The payload is no JSON.
    #[error("the payload is no JSON: {0}")]
    NotJson(String),
    /// A plain payload is no text.
    #[error("the payload is no UTF-8 text")]
    NotText,
    /// Nothing stands at a path.
    #[error("nothing stands at {0}")]
    Missing(String),
    /// An object or a list stands where one value is due.
    #[error("an object or a list stands at {0}, expected one value")]
    NotScalar(String),
    /// What stands at the time path is no instant.
    #[error("{0} is no instant: expected RFC 3339 with an offset, or s, ms, µs or ns since 1970")]
    NotAnInstant(String),
}

impl Refusal {
    /// Returns the name it is counted under.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::NotJson(_) => "refused_not_json",
            Self::NotText => "refused_not_text",
            Self::Missing(_) => "refused_missing",
            Self::NotScalar(_) => "refused_not_scalar",
            Self::NotAnInstant(_) => "refused_not_an_instant",
        }
    }
}

/// Reads one payload.
///
/// # Errors
/// [`Refusal`] where it holds no value or no instant; a value that is merely bad is a [`Quality`].
pub fn read(payload: &[u8], format: &Format, expected: &Expectation) -> Result<Reading, Refusal> {
    let (value, measured_at) = match format.payload {
        PayloadFormat::Plain => {
            let text = std::str::from_utf8(payload).map_err(|_| Refusal::NotText)?;
            (Value::String(text.trim().to_owned()), None)
        }
        PayloadFormat::Json => {
            let document: Value =
                serde_json::from_slice(payload).map_err(|error| Refusal::NotJson(error.to_string()))?;
            let at = format.time.as_ref().map(|path| instant_at(&document, path)).transpose()?;
            let value = format.value.find(&document).ok_or_else(|| Refusal::Missing(format.value.text.clone()))?;
            (value.clone(), at)
        }
    };
    let (value, quality) = judge(&value, expected).ok_or_else(|| Refusal::NotScalar(format.value.text.clone()))?;
    Ok(Reading { value, quality, measured_at })
}

/// Returns value and quality; `None` for an object or a list.
fn judge(value: &Value, expected: &Expectation) -> Option<(Option<Number>, Quality)> {
    let judged = match value {
        Value::Null => (None, Quality::DeclaredBad),
        Value::Object(_) | Value::Array(_) => return None,
        scalar if !expected.states.is_empty() => match expected.states.get(&state_text(scalar)) {
            Some(state) => (Some(Number::Integer(state.code())), Quality::Good),
            None => (None, Quality::UnknownState),
        },
        scalar => match number_of(scalar) {
            Some(number) if expected.sentinel.contains(&number.as_f64()) => (None, Quality::Sentinel),
            Some(number) => (Some(number), Quality::Good),
            None => (None, Quality::NotANumber),
        },
    };
    Some(judged)
}

/// Returns the text a states table is asked with: 1.0 asks as 1.
fn state_text(scalar: &Value) -> String {
    match scalar {
        Value::String(text) => text.trim().to_owned(),
        // The float form of an integer prints with ".0".
        other => other.to_string().trim_end_matches(".0").to_owned(),
    }
}

/// Returns the number of a scalar: integers exactly, booleans as 0 and 1, texts that hold a number.
fn number_of(scalar: &Value) -> Option<Number> {
    match scalar {
        Value::Bool(flag) => Some(Number::Integer(i128::from(*flag))),
        Value::Number(number) => {
            number.as_i128().map(Number::Integer).or_else(|| number.as_f64().and_then(Number::finite))
        }
        Value::String(text) => {
            let text = text.trim();
            match text.parse::<i128>() {
                Ok(integer) => Some(Number::Integer(integer)),
                Err(_) => text.parse::<f64>().ok().and_then(Number::finite),
            }
        }
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

fn instant_at(document: &Value, path: &Path) -> Result<Timestamp, Refusal> {
    let value = path.find(document).ok_or_else(|| Refusal::Missing(path.text.clone()))?;
    let instant = match value {
        Value::String(text) => match text.parse::<f64>() {
            Ok(number) => instant_of(number),
            Err(_) => text.parse().ok(),
        },
        Value::Number(number) => number.as_f64().and_then(instant_of),
        _ => None,
    };
    instant.ok_or_else(|| Refusal::NotAnInstant(value.to_string()))
}

/// Returns the instant of a number since 1970 whose unit its size tells: 10¹¹ s lie in the year 5138, 10¹¹ ms in
/// 1973, so s, ms, µs and ns don't overlap for any instant from 1973 to 5138.
#[expect(clippy::cast_possible_truncation, reason = "bounded before the cast")]
fn instant_of(number: f64) -> Option<Timestamp> {
    let ms = match number.abs() {
        size if size < 1e11 => number * 1e3,
        size if size < 1e14 => number,
        size if size < 1e17 => number / 1e3,
        size if size < 1e20 => number / 1e6,
        _ => return None,
    };
    Some(Timestamp(ms.round() as i64))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{Just, any, prop_oneof, proptest};
    use proptest::{collection, prop_assert, prop_assert_eq};

    use super::{
        BTreeMap, Expectation, Format, MachineState, Number, Path, Pattern, PayloadFormat, Quality, Reading, Refusal,
        Timestamp, read,
    };

    fn pattern(filter: &str) -> Pattern {
        Pattern::new(filter, None, None).unwrap()
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
            assert_eq!(pattern(filter).name(topic).as_deref(), expected, "{filter} {topic}");
        }
    }

    #[test]
    fn what_a_filter_does_not_give_may_be_fixed() {
        let fixed = Pattern::new("cell/+/{device}", None, Some("count".to_owned())).unwrap();
        assert_eq!(fixed.name("cell/7/press-1").as_deref(), Some("press-1.count"));
        assert_eq!(fixed.filter(), "cell/+/+");
        assert!(fixed.can_name("press-1.count") && !fixed.can_name("press-1.scrap") && !fixed.can_name("count"));
        let whole = Pattern::new("press/1/good", Some("press-1".to_owned()), Some("good".to_owned())).unwrap();
        assert_eq!(
            (whole.name("press/1/good").as_deref(), whole.filter().as_str()),
            (Some("press-1.good"), "press/1/good")
        );
    }

    #[test]
    fn filters_that_no_broker_takes_are_refused() {
        for bad in [
            "",
            "a/b",
            "a/#/{device}",
            "a{device}",
            "a+/{device}",
            "{device}/{device}",
            "{device}/a#",
            "{thing}/{device}",
        ] {
            assert!(Pattern::new(bad, None, None).is_err(), "{bad}");
        }
        assert!(Pattern::new("{device}", Some("again".to_owned()), None).is_err());
    }

    fn json(value: &str, time: Option<&str>) -> Format {
        Format {
            payload: PayloadFormat::Json,
            value: Path::parse(value).unwrap(),
            time: time.map(|time| Path::parse(time).unwrap()),
        }
    }

    fn plain() -> Format {
        Format { payload: PayloadFormat::Plain, value: Path::parse("$").unwrap(), time: None }
    }

    fn states() -> Expectation {
        let states = BTreeMap::from([
            ("run".to_owned(), MachineState::Producing),
            ("1".to_owned(), MachineState::Producing),
            ("0".to_owned(), MachineState::Idle),
            ("true".to_owned(), MachineState::Setup),
        ]);
        Expectation { states, sentinel: Vec::new() }
    }

    fn good(value: Number) -> Result<Reading, Refusal> {
        Ok(Reading { value: Some(value), quality: Quality::Good, measured_at: None })
    }

    fn bad(quality: Quality) -> Result<Reading, Refusal> {
        Ok(Reading { value: None, quality, measured_at: None })
    }

    #[test]
    fn values_stand_at_paths() {
        for (document, path, expected) in [
            (r#"{"v":7}"#, "$.v", good(Number::Integer(7))),
            (r#"{"a":{"b":[1.5,2]}}"#, "$.a.b[0]", good(Number::Float(1.5))),
            ("[[3]]", "$[0][0]", good(Number::Integer(3))),
            ("18446744073709551615", "$", good(Number::Integer(18_446_744_073_709_551_615))),
            (r#"{"v":" 12.50 "}"#, "$.v", good(Number::Float(12.5))),
            (r#"{"v":true}"#, "$.v", good(Number::Integer(1))),
            (r#"{"v":null}"#, "$.v", bad(Quality::DeclaredBad)),
            (r#"{"v":"n/a"}"#, "$.v", bad(Quality::NotANumber)),
            (r#"{"v":"NaN"}"#, "$.v", bad(Quality::NotANumber)),
            (r#"{"v":{}}"#, "$.v", Err(Refusal::NotScalar("$.v".to_owned()))),
            (r#"{"w":1}"#, "$.v", Err(Refusal::Missing("$.v".to_owned()))),
            (r#"{"v":[1]}"#, "$.v[1]", Err(Refusal::Missing("$.v[1]".to_owned()))),
        ] {
            assert_eq!(read(document.as_bytes(), &json(path, None), &Expectation::default()), expected, "{document}");
        }
        assert!(matches!(read(b"{\"v\":", &json("$.v", None), &states()), Err(Refusal::NotJson(_))));
    }

    #[test]
    fn plain_payloads_are_numbers_or_states() {
        for (payload, expected, reading) in [
            (&b"42"[..], Expectation::default(), good(Number::Integer(42))),
            (b" 4.5e2\r\n", Expectation::default(), good(Number::Float(450.0))),
            (b"", Expectation::default(), bad(Quality::NotANumber)),
            (b"inf", Expectation::default(), bad(Quality::NotANumber)),
            (b"run", states(), good(Number::Integer(MachineState::Producing.code()))),
            (b"walk", states(), bad(Quality::UnknownState)),
            (b"\xff\xfe", states(), Err(Refusal::NotText)),
        ] {
            assert_eq!(read(payload, &plain(), &expected), reading, "{payload:?}");
        }
    }

    #[test]
    fn states_are_named_by_text_number_or_truth() {
        for (value, state) in [
            ("\"run\"", MachineState::Producing),
            ("1", MachineState::Producing),
            ("1.0", MachineState::Producing),
            ("0", MachineState::Idle),
            ("true", MachineState::Setup),
        ] {
            assert_eq!(
                read(value.as_bytes(), &json("$", None), &states()),
                good(Number::Integer(state.code())),
                "{value}"
            );
        }
    }

    #[test]
    fn a_sentinel_is_no_value() {
        let expected = Expectation { states: BTreeMap::new(), sentinel: vec![-999.0] };
        assert_eq!(read(b"-999", &plain(), &expected), bad(Quality::Sentinel));
        assert_eq!(read(b"-998", &plain(), &expected), good(Number::Integer(-998)));
    }

    #[test]
    fn event_times_come_in_every_usual_form() {
        let expected = Some(Timestamp(1_790_000_000_250));
        for time in [
            "\"2026-09-21T14:13:20.25Z\"",
            "\"2026-09-21T21:13:20.250+07:00\"",
            "1790000000.25",
            "1790000000250",
            "\"1790000000250\"",
            "1790000000250000",
            "1790000000250000000",
        ] {
            let document = format!(r#"{{"v":1,"ts":{time}}}"#);
            let reading = read(document.as_bytes(), &json("$.v", Some("$.ts")), &Expectation::default()).unwrap();
            assert_eq!(reading.measured_at, expected, "{time}");
        }
        for time in ["\"2026-09-21T14:13:20\"", "\"yesterday\"", "null", "[]", "1e300"] {
            let document = format!(r#"{{"v":1,"ts":{time}}}"#);
            let refusal = read(document.as_bytes(), &json("$.v", Some("$.ts")), &Expectation::default()).unwrap_err();
            assert!(matches!(refusal, Refusal::NotAnInstant(_)), "{time}: {refusal}");
        }
    }

    #[test]
    fn paths_have_one_small_form() {
        for bad in ["", "v", "$v", "$.", "$..a", "$[x]", "$[1", "$.a]", "$[-1]"] {
            assert!(Path::parse(bad).is_err(), "{bad}");
        }
        for fine in ["$", "$.a", "$[0]", "$.a b[10].c-d"] {
            assert!(Path::parse(fine).is_ok(), "{fine}");
        }
    }

    proptest! {
        #[test]
        fn no_payload_panics_and_every_value_has_a_reason_or_a_number(
            payload in prop_oneof![
                collection::vec(any::<u8>(), 0..64),
                "\\{\"v\":[-0-9.eE\"a-z\\[\\]{},:]{0,20}\\}".prop_map_bytes(),
                Just(b"{\"v\":1e999}".to_vec()),
            ],
            numeric: bool,
        ) {
            let expected = if numeric { Expectation::default() } else { states() };
            for format in [json("$.v", Some("$.v")), json("$", None), plain()] {
                if let Ok(reading) = read(&payload, &format, &expected) {
                    prop_assert_eq!(reading.value.is_some(), reading.quality.is_usable());
                    prop_assert!(reading.value.is_none_or(|value| value.as_f64().is_finite()));
                }
            }
        }

        #[test]
        fn a_topic_built_from_a_filter_names_what_was_put_in(device in "[a-z0-9-]{1,8}", point in "[a-z_]{1,8}") {
            let name = pattern("a/{device}/+/{point}/#").name(&format!("a/{device}/any/{point}/x/y"));
            prop_assert_eq!(name, Some(format!("{device}.{point}")));
        }
    }

    /// Text strategies as payload bytes.
    trait PropMapBytes {
        fn prop_map_bytes(self) -> proptest::strategy::BoxedStrategy<Vec<u8>>;
    }

    impl PropMapBytes for &'static str {
        fn prop_map_bytes(self) -> proptest::strategy::BoxedStrategy<Vec<u8>> {
            use proptest::strategy::Strategy;
            self.prop_map(String::into_bytes).boxed()
        }
    }
}
