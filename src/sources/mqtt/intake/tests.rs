//! From messages to samples, by the configuration of a source.

use super::{
    Gathered, Intake, MqttSource, Quality, REMEMBERED_TOPIC_BYTES_MAX, SourceIndex, TagIndex, TagSpec, Tally,
    Timestamp, VALUES_PER_MESSAGE_MAX,
};
use crate::model::number::Number;
use crate::model::problem::{Problems, Severity};
use crate::model::sample::Sample;

const FLOOR: &str = r#"
    name = "floor"
    url = "mqtt://127.0.0.1:1883"
    timezone = "Asia/Ho_Chi_Minh"
    topic = [
      { filter = "floor/{device}/{point}", format = "json", value = "$.v", time = "$.ts" },
      { filter = "plain/{device}/{point}", format = "plain", qos = 0 },
      { filter = "plain/+/{point}", device = "all", format = "plain" },
      { filter = "list/{device}", format = "json", each = "$.readings[*]", point = "@.name", value = "@.v", time = "@.ts" },
      { filter = "keys/{device}", format = "json", values = "$.values", time = "$.ts" },
      { filter = "batches", format = "json", each = "$[*]", device = "@.device", values = "@.values", time = "@.ts" },
      { filter = "lines/{device}", format = "csv", columns = ["time", "point", "value"], time_format = "%d/%m/%Y %H:%M:%S" },
      { filter = "wide/{device}", format = "csv", columns = "header", time = "Zeit", delimiter = ";", decimal = "," },
      { filter = "$share/boxes/shared/{device}/{point}", format = "plain" },
    ]
    point = [
      { name = "press-1.total", kind = "counter" },
      { name = "all.total" },
      { name = "press-1.power", unit = "kW", called = "Press 1.P.total" },
      { name = "press-1.oil", unit = "Cel", scale = 0.1, offset = -40.0, sentinel = [65535] },
    ]
"#;

fn intake() -> (Intake, Vec<TagSpec>) {
    let config: MqttSource = toml::from_str(FLOOR).unwrap();
    let mut problems = Problems::default();
    config.check(&mut problems);
    let errors: Vec<_> = problems.0.iter().filter(|problem| problem.severity == Severity::Error).collect();
    assert!(errors.is_empty(), "{errors:?}");
    let mut tags: Vec<TagSpec> = config.tags(SourceIndex(2), &mut Problems::default());
    tags.sort_by(|a, b| a.name.cmp(&b.name));
    (Intake::new(&config, SourceIndex(2), &tags), tags)
}

/// What one message gives: samples as `tag=value@ms`, and counts.
fn read(intake: &mut Intake, topic: &str, payload: &str) -> (Vec<Sample>, Vec<(&'static str, u64)>) {
    let (mut gathered, mut tally) = (Gathered::default(), Tally::default());
    intake.read(topic, payload.as_bytes(), false, Timestamp(7), &mut gathered, &mut tally);
    (gathered.samples, tally.take().into_iter().collect())
}

/// Samples as `tag=value@ms`.
fn shown(payloads: &[(&str, &str)]) -> Vec<String> {
    let (mut intake, tags) = intake();
    let mut shown = Vec::new();
    for (topic, payload) in payloads {
        let (samples, counted) = read(&mut intake, topic, payload);
        shown.extend(samples.iter().map(|sample| {
            let name = tags[sample.tag.as_usize()].name.as_str().trim_start_matches("floor.");
            match sample.value {
                Some(Number::Integer(value)) => format!("{name}={value}@{}", sample.measured_at.0),
                Some(Number::Float(value)) => format!("{name}={value:?}@{}", sample.measured_at.0),
                None => format!("{name}={}@{}", sample.quality.as_str(), sample.measured_at.0),
            }
        }));
        shown.extend(counted.iter().map(|(what, amount)| format!("{what}:{amount}")));
    }
    shown
}

#[test]
fn event_time_comes_from_the_payload_and_else_from_arrival() {
    assert_eq!(
        shown(&[("floor/press-1/total", r#"{"v":5,"ts":1790000000}"#), ("shared/press-1/total", "5")]),
        ["press-1.total=5@1790000000000", "press-1.total=5@7"]
    );
}

#[test]
fn every_matching_topic_gives_its_sample_each_time() {
    let (mut intake, _) = intake();
    for _ in 0..2 {
        let (samples, _) = read(&mut intake, "plain/press-1/total", "5");
        assert_eq!(samples.iter().map(|sample| sample.tag).collect::<Vec<_>>(), [TagIndex(3), TagIndex(0)]);
        assert!(samples.iter().all(|sample| sample.value == Some(Number::Integer(5))));
    }
}

#[test]
fn a_list_of_points_gives_each_its_sample_and_what_cannot_be_read_costs_nobody_else() {
    let list = r#"{"readings":[
        {"name":"total","v":5,"ts":"2026-09-21T21:13:20"},
        {"name":"total","v":[6],"ts":1790000001},
        {"name":"total","v":6,"ts":"soon"},
        {"v":6,"ts":1790000001},
        {"name":"speed","v":6,"ts":1790000001},
        {"name":"oil","v":65535,"ts":1790000001},
        {"name":"oil","v":"600","ts":1790000002}
    ]}"#;
    assert_eq!(
        shown(&[("list/press-1", list)]),
        [
            "press-1.total=5@1790000000000",
            "press-1.oil=sentinel@1790000001000",
            "press-1.oil=20.0@1790000002000",
            "refused_missing:1",
            "refused_not_an_instant:1",
            "refused_not_scalar:1",
            "unmapped:1"
        ]
    );
    assert_eq!(shown(&[("list/press-1", r#"{"readings":[]}"#)]), [""; 0]);
    assert_eq!(shown(&[("list/press-1", "{}")]), ["refused_missing:1"]);
}

#[test]
fn an_object_of_values_gives_each_key_its_sample() {
    let payload = r#"{"values":{"total":5,"oil":600,"x":{}},"ts":1790000000}"#;
    assert_eq!(
        shown(&[("keys/press-1", payload), ("keys/press-1", r#"{"values":[1],"ts":1}"#)]),
        [
            "press-1.oil=20.0@1790000000000",
            "press-1.total=5@1790000000000",
            "refused_not_scalar:1",
            "refused_not_an_object:1"
        ]
    );
}

#[test]
fn a_list_of_timed_values_names_device_and_point_in_the_payload() {
    let payload = r#"[
        {"device":"press-1","ts":1790000000000,"values":{"total":1}},
        {"device":"press-1","ts":1790000001000,"values":{"total":2}},
        {"device":"Press 1","ts":1790000001000,"values":{"P.total":"2500 W"}},
        {"device":null,"ts":1790000001000,"values":{"total":2}}
    ]"#;
    assert_eq!(
        shown(&[("batches", payload)]),
        [
            "press-1.total=1@1790000000000",
            "press-1.total=2@1790000001000",
            "press-1.power=2.5@1790000001000",
            "refused_no_name:1"
        ]
    );
}

#[test]
fn csv_lines_are_read_by_position_and_by_header() {
    let lines = "21/09/2026 21:13:20,total,5\n\"21/09/2026 21:13:21\",oil,\n21.9.2026,total,7\nx\n\n";
    assert_eq!(
        shown(&[("lines/press-1", lines)]),
        ["press-1.total=5@1790000000000", "press-1.oil=bad@1790000001000", "refused_not_an_instant:2"]
    );
    let wide = "\u{feff}Zeit;total;oil;note\r\n1790000000;5;602,5;a\r\n1790000001;6;1.200;b\r\n";
    assert_eq!(
        shown(&[("wide/press-1", wide), ("wide/press-1", "total\n5\n")]),
        [
            "press-1.total=5@1790000000000",
            "press-1.oil=20.25@1790000000000",
            "press-1.total=6@1790000001000",
            "press-1.oil=not_a_number@1790000001000",
            "unmapped:2",
            "refused_missing:1"
        ]
    );
}

#[test]
fn what_gives_no_sample_is_counted_and_named() {
    let (mut intake, _) = intake();
    assert_eq!(read(&mut intake, "floor/press-9/total", "{\"v\":1,\"ts\":1}").1, [("unmapped", 1)]);
    assert_eq!(read(&mut intake, "floor/press-1/total", "\0{").1, [("refused_not_json", 1)]);
    assert_eq!(read(&mut intake, "other", "1").1, [("unmatched", 1)]);
    let summary = intake.summary();
    assert!(summary.contains("press-9.total") && summary.contains(r"\x00{"), "{summary}");
    assert!(intake.refused()[0].contains("floor/press-1/total: the payload is no JSON"), "{:?}", intake.refused());
}

#[test]
fn a_retained_value_without_its_own_time_is_doubtful() {
    let (mut intake, _) = intake();
    let (mut gathered, mut tally) = (Gathered::default(), Tally::default());
    intake.read("shared/press-1/total", b"5", true, Timestamp(7), &mut gathered, &mut tally);
    intake.read("floor/press-1/total", br#"{"v":5,"ts":1790000000}"#, true, Timestamp(7), &mut gathered, &mut tally);
    assert_eq!(
        gathered.samples.iter().map(|sample| sample.quality).collect::<Vec<_>>(),
        [Quality::Uncertain, Quality::Good]
    );
}

#[test]
fn what_is_kept_for_the_operator_is_bounded() {
    let (mut intake, _) = intake();
    let long = "x".repeat(10_000);
    for device in 0..1000 {
        read(&mut intake, &format!("floor/{device}/{long}"), r#"{"v":1,"ts":1}"#);
        read(&mut intake, &format!("list/{device}{long}"), &long);
    }
    assert!(intake.summary().len() < 4_000, "{}", intake.summary().len());
    assert_eq!(intake.refused().len(), 16);
    assert!(intake.refused().iter().all(|note| note.len() < 512));
    assert!(intake.refused()[0].contains("list/999x"), "the newest is the first");
}

#[test]
fn values_of_one_message_are_limited_and_the_rest_is_counted() {
    let (mut intake, _) = intake();
    let list = format!("{{\"readings\":[{}0]}}", "0,".repeat(VALUES_PER_MESSAGE_MAX + 4));
    let (samples, counted) = read(&mut intake, "list/press-1", &list);
    assert_eq!((samples.len(), counted[0]), (0, ("over_limit", 5)));
    let too_large = " ".repeat((1 << 20) + 1);
    assert_eq!(read(&mut intake, "floor/press-1/total", &too_large).1, [("refused_too_large", 1)]);
}

#[test]
fn a_filter_of_two_topics_is_subscribed_once() {
    let config: MqttSource = toml::from_str(FLOOR).unwrap();
    let subscriptions = Intake::subscriptions(&config);
    assert!(subscriptions.contains(&("plain/+/+".to_owned(), 1)));
    assert!(subscriptions.contains(&("$share/boxes/shared/+/+".to_owned(), 1)));
    assert_eq!(subscriptions.len(), 8);
}

#[test]
fn a_topic_of_great_length_is_read_but_not_remembered() {
    let (mut intake, _) = intake();
    let short = "plain/x/total";
    let long = format!("plain/{}/total", "x".repeat(REMEMBERED_TOPIC_BYTES_MAX));
    for topic in [short, &long] {
        assert_eq!(read(&mut intake, topic, "1").0.len(), 1, "by the filter that reads any device as all");
    }
    let remembered: Vec<&str> = intake.remembered.iter().flatten().map(|known| known.topic.as_str()).collect();
    assert_eq!(remembered, [short]);
}
