//! Marks by table, and device states by example.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::config::{CheckKeys, DeviceStateKeys, declare};
use super::{Arrival, Checks};
use crate::model::id::{SourceName, TagName};
use crate::model::number::Number;
use crate::model::problem::Problems;
use crate::model::sample::{Quality, Sample};
use crate::model::tag::{Meaning, SourceIndex, TagIndex, TagKind, TagSpec};
use crate::model::time::Timestamp;
use crate::model::unit::Unit;

#[derive(Deserialize)]
struct Source {
    #[serde(default)]
    checks: BTreeMap<String, CheckKeys>,
    #[serde(default)]
    device_state: Option<DeviceStateKeys>,
}

fn tags(points: &[&str]) -> Vec<TagSpec> {
    let tag = |point: &&str| {
        TagSpec::new(
            TagName::new(&format!("analyser.{point}")).unwrap(),
            SourceIndex(0),
            Meaning {
                kind: TagKind::Gauge,
                unit: Unit::One,
                decoding: String::new(),
                hold_ms: 2_500,
                lateness_ms: 0,
                states: BTreeMap::new(),
                thinning: None,
            },
        )
    };
    points.iter().map(tag).collect()
}

fn name() -> SourceName {
    SourceName::new("analyser").unwrap()
}

fn spanned() -> serde_spanned::Spanned<SourceName> {
    serde_spanned::Spanned::new(0..8, name())
}

fn checks(text: &str, points: &[&str], arrival: Arrival) -> Checks {
    let source: Source = toml::from_str(text).unwrap();
    let mut tags = tags(points);
    let mut problems = Problems::default();
    declare(&spanned(), &source.checks, &source.checks, source.device_state.as_ref(), &mut tags, &mut problems);
    assert!(problems.0.is_empty(), "{problems:?}");
    Checks::new(&name(), SourceIndex(0), &source.checks, source.device_state.as_ref(), &tags, arrival)
}

fn sample(tag: u32, second: i64, value: f64) -> Sample {
    let value = Number::finite(value);
    Sample { tag: TagIndex(tag), measured_at: Timestamp(second * 1_000), value, quality: Quality::Good }
}

fn judged(checks: &mut Checks, mut samples: Vec<Sample>) -> Vec<Quality> {
    let before = samples.clone();
    checks.judge(&mut samples);
    for (sample, before) in samples.iter().zip(before) {
        assert_eq!((sample.value, sample.measured_at, sample.tag), (before.value, before.measured_at, before.tag));
    }
    samples.into_iter().map(|sample| sample.quality).collect()
}

#[test]
fn a_value_outside_its_range_that_jumps_or_stands_still_is_marked_and_stays_usable() {
    use Quality::{FlatLine, Good, OutOfRange, TooFast};
    for (rules, values, expected) in [
        ("min = 0.0, max = 10.0", vec![0.0, 10.0, -0.1, 10.1, 5.0], vec![Good, Good, OutOfRange, OutOfRange, Good]),
        ("max_step = 2.0", vec![1.0, 3.0, 5.5, 3.5, 3.5], vec![Good, Good, TooFast, Good, Good]),
        ("max_rate = 1.0", vec![1.0, 2.0, 3.5], vec![Good, Good, TooFast]),
        ("flat_line = \"3s\"", vec![1.0, 1.0, 1.0, 1.0, 1.0, 2.0], vec![Good, Good, Good, FlatLine, FlatLine, Good]),
        ("max = 2.0, max_step = 1.0, flat_line = \"1s\"", vec![1.0, 3.0, 3.0], vec![Good, OutOfRange, OutOfRange]),
    ] {
        let mut checks = checks(&format!("checks = {{ so2 = {{ {rules} }} }}"), &["so2"], Arrival::Polled);
        let samples = (0..).zip(values).map(|(second, value)| sample(0, second, value)).collect();
        let found = judged(&mut checks, samples);
        assert_eq!(found, expected, "{rules}");
        assert!(found.into_iter().all(Quality::is_usable));
    }
}

#[test]
fn a_late_sample_is_held_against_the_range_alone_and_a_bad_one_against_nothing() {
    let rules = "checks = { so2 = { max = 5.0, max_step = 1.0, flat_line = \"2s\" } }";
    let mut checks = checks(rules, &["so2"], Arrival::Published);
    let bad = Sample { quality: Quality::Sentinel, value: None, ..sample(0, 11, 0.0) };
    let samples = vec![sample(0, 10, 1.0), sample(0, 3, 4.0), sample(0, 2, 9.0), bad, sample(0, 12, 1.0)];
    let expected = [Quality::Good, Quality::Good, Quality::OutOfRange, Quality::Sentinel, Quality::FlatLine];
    assert_eq!(judged(&mut checks, samples), expected);
}

const STATE: &str = r#"
    device_state = { point = "status", states = { "0" = "measuring", "1" = "calibrating", "2" = "fault" } }
    checks = { so2 = { max = 5.0 } }
"#;

#[test]
fn a_polled_device_gives_its_state_to_the_samples_of_the_same_poll() {
    let mut checks = checks(STATE, &["so2", "status", "temperature"], Arrival::Polled);
    for (status, expected) in [
        (Some(0.0), Quality::Good),
        (Some(1.0), Quality::Calibrating),
        (Some(2.0), Quality::DeviceFault),
        (Some(7.0), Quality::Uncertain),
        (None, Quality::Uncertain),
    ] {
        let status = status.map(|status| sample(1, 2, status));
        let samples: Vec<Sample> = [sample(0, 1, 1.0), sample(2, 1, 20.0)].into_iter().chain(status).collect();
        let found = judged(&mut checks, samples);
        assert_eq!(found[..2], [expected, expected], "{status:?}");
        assert!(found[2..].iter().all(|quality| *quality == Quality::Good), "the status itself is as it was read");
    }
}

#[test]
fn a_device_that_publishes_gives_its_state_at_event_time() {
    let text = r#"device_state = { point = "status", states = { "0" = "measuring", "1" = "calibrating" }, applies_to = ["so2"] }"#;
    let mut checks = checks(text, &["a.no", "a.so2", "a.status", "b.so2", "b.status"], Arrival::Published);
    let samples = vec![sample(2, 10, 0.0), sample(2, 20, 1.0), sample(2, 30, 0.0), sample(4, 10, 0.0)];
    judged(&mut checks, samples);
    let so2: Vec<Sample> = [9, 15, 20, 29, 30].into_iter().map(|second| sample(1, second, 1.0)).collect();
    let expected = [Quality::Uncertain, Quality::Good, Quality::Calibrating, Quality::Calibrating, Quality::Good];
    assert_eq!(judged(&mut checks, so2), expected);
    assert_eq!(judged(&mut checks, vec![sample(0, 25, 1.0), sample(3, 25, 1.0)]), [Quality::Good, Quality::Good]);
}

#[test]
fn health_hears_how_many_were_marked_and_which_tags_are() {
    let mut checks = checks(STATE, &["so2", "status"], Arrival::Polled);
    assert_eq!(checks.standing(), None);
    judged(&mut checks, vec![sample(1, 1, 0.0), sample(0, 1, 9.0), sample(0, 2, 9.5)]);
    let standing = checks.standing().unwrap();
    assert_eq!(standing.counts, [("out_of_range", 2)]);
    assert_eq!(standing.detail, "analyser.so2 out_of_range (2 so far)");
    assert_eq!(checks.standing(), None);
    judged(&mut checks, vec![sample(1, 3, 0.0), sample(0, 3, 1.0)]);
    assert_eq!(checks.standing().map(|standing| standing.detail), Some(String::new()));
}

#[test]
fn keys_that_cant_be_meant_are_named() {
    for (text, expected) in [
        ("checks = { so2 = { min = 5.0, max = 5.0 } }", "is not below max"),
        ("checks = { so2 = { max_step = 0.0 } }", "max_step 0 of"),
        ("checks = { so2 = { deadband = -1.0 } }", "deadband -1 of"),
        ("checks = { so2 = { heartbeat = \"0s\" } }", "no length of time"),
        ("checks = { run = { min = 0.0 } }", "min means nothing for state"),
        ("checks = { gone = { min = 0.0 } }", "has no point \"gone\""),
        ("device_state = { point = \"gone\", states = { \"0\" = \"measuring\" } }", "there is no point \"gone\""),
        ("device_state = { point = \"so2\", states = { \"0\" = \"on\" } }", "\"on\" is not a device state"),
        ("device_state = { point = \"so2\", states = { \"0\" = \"fault\" }, applies_to = [\"x\"] }", "no point \"x\""),
    ] {
        let source: Source = toml::from_str(text).unwrap();
        let mut tags = tags(&["run", "so2"]);
        tags[0].kind = TagKind::State;
        let mut problems = Problems::default();
        declare(&spanned(), &source.checks, &source.checks, source.device_state.as_ref(), &mut tags, &mut problems);
        let found = format!("{problems:?}");
        assert!(found.replace('\\', "").contains(expected), "{text}: {found}");
    }
}

#[test]
fn what_is_kept_follows_from_deadband_or_heartbeat() {
    for (text, expected) in [
        ("checks = { so2 = { max = 1.0 } }", None),
        ("checks = { so2 = { deadband = 0.5 } }", Some((0.5, 600_000))),
        ("checks = { so2 = { heartbeat = \"1min\" } }", Some((0.0, 60_000))),
    ] {
        let source: Source = toml::from_str(text).unwrap();
        let mut tags = tags(&["so2"]);
        declare(&spanned(), &source.checks, &source.checks, None, &mut tags, &mut Problems::default());
        assert_eq!(tags[0].thinning.map(|kept| (kept.deadband, kept.heartbeat_ms)), expected, "{text}");
    }
}
