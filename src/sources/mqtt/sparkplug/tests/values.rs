//! Values: every datatype, history, states, intervals.

use super::super::host::Rules;
use super::super::payload::{Metric, Value};
use super::kit::{
    BOOLEAN, DOUBLE, Rig, START, STATE, STRING, UINT64, UPTIME, aliased, metric, named, point, session, values,
};
use crate::model::number::Number;
use crate::model::sample::Quality;
use crate::model::state::MachineState;
use crate::model::tag::TagKind;

fn at(timestamp: i64, metric: Metric) -> Metric {
    Metric { timestamp: Some(timestamp.unsigned_abs()), ..metric }
}

fn history(timestamp: i64, value: u64) -> Metric {
    Metric { is_historical: Some(true), ..at(timestamp, aliased(0, Value::Long(value))) }
}

#[test]
fn a_historical_value_is_kept_at_its_own_time_and_never_becomes_the_present_one() {
    let mut rig = Rig::born();
    let turn = rig.say("NDATA/edge 1", &[history(START - 60_000, 5), history(START - 30_000, 6)]);
    assert_eq!(values(&turn.samples), [(UPTIME, Some(5.0)), (UPTIME, Some(6.0))]);
    assert!(turn.samples.iter().all(|sample| sample.measured_at.0 < START));
    for not_older in [START, START + 5_000] {
        let turn = rig.say("NDATA/edge 1", &[history(not_older, 7)]);
        assert_eq!((turn.samples.len(), turn.counted), (0, vec!["history_not_older_than_the_present"]));
    }
    // It is no sign of life of the point either.
    rig.host.lost(rig.now);
    rig.host.subscribed(rig.now);
    rig.say("NDATA/edge 1", &[history(START - 10_000, 8)]);
    assert!(rig.pass(300_000).samples.iter().any(|sample| sample.tag.0 == UPTIME && sample.quality == Quality::Stale));
}

#[test]
fn an_unsigned_64_bit_value_keeps_its_last_digit() {
    let mut rig = Rig::born();
    let turn = rig.say("NDATA/edge 1", &[aliased(0, Value::Long(u64::MAX))]);
    assert_eq!(turn.samples[0].value, Some(Number::Integer(18_446_744_073_709_551_615)));
}

#[test]
fn nan_has_no_value_and_a_sentinel_has_none_either() {
    let mut rig = Rig::born();
    for (value, quality) in [(f64::NAN, Quality::NotANumber), (-9999.0, Quality::Sentinel)] {
        let turn = rig.say("DDATA/edge 1/oven", &[aliased(3, Value::Double(value))]);
        assert_eq!((turn.samples[0].value, turn.samples[0].quality), (None, quality));
    }
}

#[test]
fn states_are_read_from_texts_numbers_and_truth() {
    for (datatype, value, expected) in [
        (STRING, Value::Text(b"run".to_vec()), Some(MachineState::Producing)),
        (STRING, Value::Text(b"fault".to_vec()), Some(MachineState::Fault)),
        (STRING, Value::Text(b"dancing".to_vec()), None),
        (UINT64, Value::Long(1), Some(MachineState::Producing)),
        (DOUBLE, Value::Double(1.0), Some(MachineState::Producing)),
        (BOOLEAN, Value::Boolean(true), Some(MachineState::Idle)),
        (BOOLEAN, Value::Boolean(false), None),
    ] {
        let mut rig = Rig::of(Rules::default(), vec![point(STATE, None, "State", TagKind::State)]);
        let turn = rig.say("NBIRTH/edge 1", &[session(1), metric("State", 1, datatype, value.clone())]);
        let quality = if expected.is_some() { Quality::Good } else { Quality::UnknownState };
        let expected = expected.map(|state| Number::Integer(state.code()));
        assert_eq!((turn.samples[0].value, turn.samples[0].quality), (expected, quality), "{value:?}");
    }
}

#[test]
fn booleans_and_numbers_in_texts_are_numbers_of_a_gauge() {
    for (datatype, value, expected) in
        [(BOOLEAN, Value::Boolean(true), 1.0), (STRING, Value::Text(b" 21.5 ".to_vec()), 21.5)]
    {
        let mut rig = Rig::of(Rules::default(), vec![point(UPTIME, None, "Uptime", TagKind::Gauge)]);
        let turn = rig.say("NBIRTH/edge 1", &[session(1), metric("Uptime", 1, datatype, value)]);
        assert_eq!(values(&turn.samples), [(UPTIME, Some(expected))]);
    }
}

#[test]
fn structures_files_arrays_and_unknown_datatypes_cost_their_neighbours_nothing() {
    for datatype in [16, 17, 18, 19, 20, 21, 22, 33, 34, 77] {
        let mut rig = Rig::born();
        rig.seq = 0;
        let odd = metric("Recipe", 8, datatype, Value::Text(vec![0xff, 0]));
        let turn = rig.say("NBIRTH/edge 1", &[session(7), odd, metric("Uptime", 0, UINT64, Value::Long(4))]);
        assert_eq!(values(&turn.samples), [(UPTIME, Some(4.0))], "{datatype}");
        let turn = rig.say("NDATA/edge 1", &[aliased(8, Value::Int(1)), aliased(0, Value::Long(5))]);
        assert_eq!((values(&turn.samples), turn.send.len()), (vec![(UPTIME, Some(5.0))], 0), "{datatype}");
    }
}

#[test]
fn a_point_on_a_structure_gets_nothing_and_says_why() {
    let mut rig = Rig::new();
    let turn = rig.say("NBIRTH/edge 1", &[session(7), metric("Uptime", 0, 19, Value::Int(1))]);
    assert_eq!((turn.samples.len(), turn.counted.contains(&"metrics_of_no_scalar_type")), (0, true));
}

#[test]
fn an_interval_that_a_birth_says_again_is_not_counted_again() {
    let quarter = point(UPTIME, None, "kWh", TagKind::Interval { period_ms: 900_000 });
    let mut rig = Rig::of(Rules::default(), vec![quarter]);
    let births = [session(7), at(START - 5_000, metric("kWh", 0, DOUBLE, Value::Double(2.0)))];
    let first = rig.say("NBIRTH/edge 1", &births).samples;
    rig.pass(60_000);
    rig.seq = 0;
    assert_eq!(rig.say("NBIRTH/edge 1", &births).samples, first, "the same amount at the same instant");
    rig.seq = 0;
    let untimed = [session(7), metric("kWh", 0, DOUBLE, Value::Double(2.0))];
    let turn = rig.say("NBIRTH/edge 1", &untimed);
    assert_eq!((turn.samples.len(), turn.counted.contains(&"interval_in_birth_without_time")), (0, true));
}

#[test]
fn one_metric_whose_bytes_are_wrong_costs_its_neighbours_nothing() {
    let mut rig = Rig::born();
    let good = prost::Message::encode_to_vec(&named("Uptime", Value::Long(2)));
    let mut bytes = vec![0x18, u8::try_from(rig.seq).unwrap(), 0x12, 3, 0x0a, 0x7f, 0x41, 0x12, good.len() as u8];
    bytes.extend(good);
    let turn = rig.deliver("NDATA/edge 1", &bytes.into());
    assert_eq!((values(&turn.samples), turn.counted), (vec![(UPTIME, Some(2.0))], vec!["metrics_malformed"]));
}

#[test]
fn an_amount_that_comes_after_a_death_stays_in_its_own_interval() {
    let quarter = point(UPTIME, None, "kWh", TagKind::Interval { period_ms: 900_000 });
    let mut rig = Rig::of(Rules::default(), vec![quarter]);
    let amount = |at_ms| at(at_ms, metric("kWh", 0, DOUBLE, Value::Double(2.0)));
    rig.say("NBIRTH/edge 1", &[session(7), amount(START - 900_000)]);
    rig.pass(5_000);
    rig.death(7);
    rig.seq = 0;
    rig.say("NBIRTH/edge 1", &[session(8), amount(START - 900_000)]);
    assert_eq!(rig.say("NDATA/edge 1", &[amount(START)]).samples[0].measured_at.0, START);
}

#[test]
fn a_metric_that_a_birth_declares_twice_is_counted_and_stays_as_it_was_declared_first() {
    let mut rig = Rig::born();
    rig.seq = 0;
    let twice = [metric("Uptime", 0, UINT64, Value::Long(1)), metric("Uptime", 5, DOUBLE, Value::Double(1.0))];
    assert!(
        rig.say("NBIRTH/edge 1", &[&[session(7)], &twice[..]].concat()).counted.contains(&"metrics_twice_in_birth")
    );
    let turn = rig.say("NDATA/edge 1", &[aliased(0, Value::Long(2)), aliased(5, Value::Long(3))]);
    assert_eq!((values(&turn.samples), turn.counted.contains(&"unknown_alias")), (vec![(UPTIME, Some(2.0))], true));
}
