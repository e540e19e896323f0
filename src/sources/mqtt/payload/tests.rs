//! Values and their judgement, payload by payload.

use proptest::prelude::{Just, any, prop_oneof};
use proptest::strategy::Strategy;
use proptest::{collection, prop_assert, prop_assert_eq, proptest};

use super::instant::TimeForm;
use super::json::Json;
use super::lines::{Column, Lines};
use super::path::Path;
use super::{BTreeMap, Expectation, Format, MachineState, Number, Quality, Refusal, Scalar, Shape, Timestamp, Unit};

fn path(text: &str) -> Path {
    Path::parse(text).unwrap()
}

fn format(shape: Shape) -> Format {
    Format { shape, time: TimeForm::default(), decimal: '.' }
}

fn json(value: &str, time: Option<&str>) -> Format {
    let (value, time) = (path(value), time.map(path));
    format(Shape::Json(Box::new(Json { each: None, values: None, value, time, device: None, point: None })))
}

fn plain() -> Format {
    format(Shape::Plain)
}

/// One value as a point sees it.
type Read = Result<(Option<Number>, Quality, Option<Timestamp>), Refusal>;

fn read_all(payload: &[u8], format: &Format, expected: &Expectation) -> Vec<Read> {
    let mut all = Vec::new();
    format.read(payload, &mut |read| {
        all.push(read.map(|entry| {
            let (value, quality) = expected.judge(&entry.scalar, format.decimal);
            (value, quality, entry.measured_at)
        }));
    });
    all
}

fn read(payload: &[u8], format: &Format, expected: &Expectation) -> Read {
    let mut all = read_all(payload, format, expected);
    assert_eq!(all.len(), 1);
    all.remove(0)
}

fn states() -> Expectation {
    let states = BTreeMap::from([
        ("run".to_owned(), MachineState::Producing),
        ("1".to_owned(), MachineState::Producing),
        ("0".to_owned(), MachineState::Idle),
        ("true".to_owned(), MachineState::Setup),
    ]);
    Expectation { states, ..Expectation::default() }
}

fn good(value: Number) -> Read {
    Ok((Some(value), Quality::Good, None))
}

fn bad(quality: Quality) -> Read {
    Ok((None, quality, None))
}

#[test]
fn values_stand_at_paths() {
    for (document, path, expected) in [
        (r#"{"v":7}"#, "$.v", good(Number::Integer(7))),
        (r#"{"a":{"b":[1.5,2]}}"#, "$.a.b[0]", good(Number::Float(1.5))),
        (r#"{"x":{"v":1},"a":[{"v":2},{"v":3}],"v":4}"#, "$.a[1].v", good(Number::Integer(3))),
        (r#"{"v":1,"v":2}"#, "$.v", good(Number::Integer(2))),
        (r#"{"\u0076":3}"#, "$.v", good(Number::Integer(3))),
        ("[[3]]", "$[0][0]", good(Number::Integer(3))),
        ("18446744073709551615", "$", good(Number::Integer(18_446_744_073_709_551_615))),
        ("-9223372036854775808", "$", good(Number::Integer(-9_223_372_036_854_775_808))),
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
    for broken in ["{\"v\":", "{\"v\":1}}", "", "{\"v\":1} x", "{\"a\":[1,{\"b\":}],\"v\":1}"] {
        let refused = read(broken.as_bytes(), &json("$.v", None), &states());
        assert!(matches!(refused, Err(Refusal::NotJson(_))), "{broken}");
    }
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
fn a_text_with_a_unit_becomes_a_number_of_the_points_own_unit() {
    for (text, unit, expected) in [
        ("12.5 kWh", Unit::KilowattHour, good(Number::Float(12.5))),
        ("12500Wh", Unit::KilowattHour, good(Number::Float(12.5))),
        ("3 m3", Unit::CubicMetre, good(Number::Integer(3))),
        ("3 m³", Unit::CubicMetre, good(Number::Integer(3))),
        ("-21.5 °C", Unit::Celsius, good(Number::Float(-21.5))),
        ("5 kW", Unit::KilowattHour, bad(Quality::NotANumber)),
        ("230 V", Unit::Ampere, bad(Quality::NotANumber)),
        ("12 5", Unit::One, bad(Quality::NotANumber)),
        ("12 1", Unit::One, bad(Quality::NotANumber)),
        ("kWh", Unit::KilowattHour, bad(Quality::NotANumber)),
    ] {
        let expectation = Expectation { unit, ..Expectation::default() };
        assert_eq!(read(text.as_bytes(), &plain(), &expectation), expected, "{text}");
    }
}

#[test]
fn a_decimal_comma_is_read_where_it_is_declared_and_a_separator_of_thousands_never() {
    let comma = Format { decimal: ',', ..plain() };
    for (text, expected) in [
        ("12,5", good(Number::Float(12.5))),
        ("12", good(Number::Integer(12))),
        ("1.234,5", bad(Quality::NotANumber)),
        ("1,234,5", bad(Quality::NotANumber)),
    ] {
        assert_eq!(read(text.as_bytes(), &comma, &Expectation::default()), expected, "{text}");
    }
    assert_eq!(read(b"12,5", &plain(), &Expectation::default()), bad(Quality::NotANumber));
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
        let expected = good(Number::Integer(state.code()));
        assert_eq!(read(value.as_bytes(), &json("$", None), &states()), expected, "{value}");
    }
}

#[test]
fn a_sentinel_is_no_value_and_is_compared_before_the_scale() {
    let expected = Expectation { sentinel: vec![-999.0], scale: 0.1, offset: 1.0, ..Expectation::default() };
    assert_eq!(read(b"-999", &plain(), &expected), bad(Quality::Sentinel));
    assert_eq!(read(b"20", &plain(), &expected), good(Number::Float(3.0)));
    let huge = Expectation { scale: 1e300, ..Expectation::default() };
    assert_eq!(read(b"1e300", &plain(), &huge), bad(Quality::NotANumber));
}

#[test]
fn value_and_event_time_are_found_in_one_walk() {
    for (document, at) in [
        (r#"{"ts":"2026-09-21T14:13:20.25Z","v":1}"#, Some(1_790_000_000_250)),
        (r#"{"v":1,"meta":{"a":[1,2,{"ts":0}]},"ts":1790000000.25}"#, Some(1_790_000_000_250)),
        (r#"{"v":1,"ts":"soon"}"#, None),
        (r#"{"v":1,"ts":null}"#, None),
        (r#"{"v":1,"ts":[]}"#, None),
    ] {
        let read = read(document.as_bytes(), &json("$.v", Some("$.ts")), &Expectation::default());
        match at {
            Some(at) => assert_eq!(read.unwrap().2, Some(Timestamp(at)), "{document}"),
            None => assert!(matches!(read, Err(Refusal::NotAnInstant(_))), "{document}"),
        }
    }
    // Both may be the same place, or one inside the other.
    let same = read(b"1790000000", &json("$", Some("$")), &Expectation::default());
    assert_eq!(same, Ok((Some(Number::Integer(1_790_000_000)), Quality::Good, Some(Timestamp(1_790_000_000_000)))));
    let inside = read(br#"{"v":{"t":5}}"#, &json("$.v", Some("$.v.t")), &Expectation::default());
    assert_eq!(inside, Err(Refusal::NotScalar("$.v".to_owned())));
}

#[test]
fn depth_and_size_of_a_document_are_bounded() {
    let deep = "[".repeat(100_000);
    let many = Json { each: Some(path("$[*]")), values: None, value: path("@"), time: None, device: None, point: None };
    for format in [json("$.v", None), format(Shape::Json(Box::new(many)))] {
        assert!(matches!(read(deep.as_bytes(), &format, &states()), Err(Refusal::NotJson(_))));
        let large = vec![b'1'; super::PAYLOAD_BYTES_MAX + 1];
        assert!(matches!(read(&large, &format, &states()), Err(Refusal::TooLarge(_))));
    }
}

/// What the search along paths must find: the same as in the whole document.
fn in_whole_document(document: &serde_json::Value, at: &Path) -> Option<String> {
    at.find(document).map(|value| match value {
        serde_json::Value::Array(_) | serde_json::Value::Object(_) => "compound".to_owned(),
        other => other.to_string(),
    })
}

fn documents() -> impl Strategy<Value = serde_json::Value> {
    use serde_json::Value;
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (-1e9..1e9).prop_map(Value::from),
        "[a-c]{0,3}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 4, |inner| {
        prop_oneof![
            collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            collection::btree_map("[a-c]", inner, 0..4)
                .prop_map(|map| Value::from(map.into_iter().collect::<serde_json::Map<_, _>>())),
        ]
    })
}

proptest! {
    #[test]
    fn a_walk_along_paths_finds_what_the_whole_document_holds(
        document in documents(),
        at in prop_oneof![Just("$"), Just("$.a"), Just("$.a.b"), Just("$.b[0]"), Just("$[1].a"), Just("$.a[0].b.c")],
    ) {
        let at = path(at);
        let text = document.to_string();
        let (value, time) = (at.clone(), None);
        let one = Json { each: None, values: None, value, time, device: None, point: None };
        let mut found = None;
        one.read(text.as_bytes(), &TimeForm::default(), &mut |read| found = Some(match read {
            Ok(entry) => Some(match entry.scalar {
                Scalar::Null => "null".to_owned(),
                Scalar::Bool(flag) => flag.to_string(),
                Scalar::Integer(number) => number.to_string(),
                Scalar::Float(number) => serde_json::Value::from(number).to_string(),
                Scalar::Text(text) => serde_json::Value::from(text).to_string(),
                Scalar::Compound => unreachable!("refused"),
            }),
            Err(Refusal::NotScalar(_)) => Some("compound".to_owned()),
            Err(_) => None,
        }));
        prop_assert_eq!(found, Some(in_whole_document(&document, &at)), "{}", text);
    }

    #[test]
    fn no_payload_panics_and_every_value_has_a_reason_or_a_number(
        payload in prop_oneof![
            collection::vec(any::<u8>(), 0..64),
            "\\{\"v\":[-0-9.eE\"a-z\\[\\]{},:]{0,20}\\}".prop_map(String::into_bytes),
            "([0-9.,;\"a-z\n]{0,9}\n){0,4}".prop_map(String::into_bytes),
            Just(b"{\"v\":1e999}".to_vec()),
        ],
        numeric: bool,
    ) {
        let expected = if numeric { Expectation::default() } else { states() };
        let each = Json { each: Some(path("$[*]")), values: Some(path("@.a")), value: path("@"), time: Some(path("$")),
            device: Some(path("@.b")), point: None };
        let laid_out = Lines { columns: Some(vec![Column::Time, Column::Value]), time: "time".to_owned(), delimiter: b',',
            is_time_due: false };
        let header = Lines { columns: None, ..laid_out.clone() };
        let shapes = [Shape::Json(Box::new(each)), Shape::Lines(laid_out), Shape::Lines(header), Shape::Plain];
        let formats = shapes.into_iter().map(format).chain([json("$.v", Some("$.v")), json("$", None)]);
        for format in formats {
            for (value, quality, _) in read_all(&payload, &format, &expected).into_iter().flatten() {
                prop_assert_eq!(value.is_some(), quality.is_usable());
                prop_assert!(value.is_none_or(|value| value.as_f64().is_finite()));
            }
        }
    }
}
