//! One tag: what its samples come to, minute by minute.

use super::{
    Ingested, MINUTE_MS, MachineState, Number, Quality, Reading, Series, TagKind, TagMinute, TagSpec, Timestamp,
};
use crate::model::id::TagName;
use crate::model::tag::{Meaning, SourceIndex};
use crate::model::unit::Unit;

const HOUR: i64 = 3_600_000;

fn spec(kind: TagKind, unit: Unit, hold_ms: i64) -> TagSpec {
    let name = TagName::new("meter.point").unwrap();
    TagSpec::new(
        name,
        SourceIndex(0),
        Meaning {
            kind,
            unit,
            decoding: String::new(),
            hold_ms,
            lateness_ms: 0,
            states: Default::default(),
            thinning: None,
        },
    )
}

fn counter(hold_ms: i64) -> TagSpec {
    spec(TagKind::Counter { modulus: Some(65_536.0), max_per_second: Some(10.0) }, Unit::KilowattHour, hold_ms)
}

fn sample(at: i64, value: f64) -> Reading {
    (Timestamp(at), Quality::Good, Some(Number::Float(value)))
}

/// Feeds samples and returns the sums over all minutes.
fn total(spec: &TagSpec, samples: &[(i64, f64)]) -> TagMinute {
    let mut series = Series::default();
    for (at, value) in samples {
        series.ingest(spec.kind, sample(*at, *value));
    }
    series.process(spec, Timestamp(i64::MAX / 4), Timestamp(0));
    series.minutes.values().fold(TagMinute::default(), |sum, minute| TagMinute {
        amount: sum.amount + minute.amount,
        substituted: sum.substituted + minute.substituted,
        excluded: sum.excluded + minute.excluded,
        observed_ms: sum.observed_ms + minute.observed_ms,
        ..TagMinute::default()
    })
}

#[test]
fn counter_growth_is_spread_over_minutes_and_conserved() {
    let sum = total(&counter(HOUR), &[(0, 100.0), (7 * MINUTE_MS + 1, 100.000_001)]);
    assert_eq!((sum.amount, sum.substituted, sum.observed_ms), (1, 0, 7 * MINUTE_MS + 1));
}

#[test]
fn growth_over_a_gap_is_substituted_and_the_total_conserved() {
    let sum = total(&counter(2_500), &[(0, 100.0), (10 * MINUTE_MS, 160.0), (10 * MINUTE_MS + 1_000, 161.0)]);
    assert_eq!((sum.amount, sum.substituted), (61_000_000, 60_000_000));
    assert_eq!(sum.observed_ms, 1_000);
}

#[test]
fn rollover_at_the_register_width_is_arithmetic() {
    assert_eq!(total(&counter(HOUR), &[(0, 65_530.0), (60_000, 4.0)]).amount, 10_000_000);
}

#[test]
fn a_reset_breaks_the_segment_and_a_dip_books_no_lifetime() {
    let reset = total(&counter(HOUR), &[(0, 500.0), (60_000, 0.0), (120_000, 3.0)]);
    assert_eq!(reset.amount, 3_000_000);
    let dip = total(&counter(HOUR), &[(0, 500.0), (60_000, 0.0), (120_000, 501.0)]);
    assert_eq!(dip.amount, 1_000_000);
    let long_dip = total(&counter(HOUR), &[(0, 500.0), (60_000, 0.0), (61_000, 0.0), (62_000, 0.0), (120_000, 501.0)]);
    assert_eq!(long_dip.amount, 1_000_000);
    let reset_and_back = total(&counter(HOUR), &[(0, 5.0), (60_000, 0.0), (120_000, 4.0), (180_000, 6.0)]);
    assert_eq!(reset_and_back.amount, 6_000_000);
}

#[test]
fn growth_beyond_the_rated_maximum_is_excluded_and_kept() {
    let sum = total(&counter(HOUR), &[(0, 0.0), (1_000, 11.0), (2_000, 12.0)]);
    assert_eq!((sum.amount, sum.excluded), (1_000_000, 11_000_000));
}

#[test]
fn an_interval_amount_covers_the_period_before_its_instant() {
    let interval = spec(TagKind::Interval { period_ms: 15 * MINUTE_MS }, Unit::KilowattHour, 0);
    let mut series = Series::default();
    series.ingest(interval.kind, sample(15 * MINUTE_MS, 3.17));
    series.process(&interval, Timestamp(HOUR), Timestamp(0));
    let shares: Vec<i128> = series.minutes.values().map(|minute| minute.amount).collect();
    assert_eq!((shares.len(), shares.iter().sum::<i128>()), (15, 3_170_000));
    assert!(shares.iter().all(|share| (211_333..=211_334).contains(share)));
}

#[test]
fn growth_over_more_than_the_horizon_is_excluded_without_walking_through_the_years() {
    let unlimited = spec(TagKind::Counter { modulus: None, max_per_second: None }, Unit::KilowattHour, HOUR);
    let sum = total(&unlimited, &[(0, 100.0), (50 * 365 * 24 * HOUR, 200.0)]);
    assert_eq!((sum.amount, sum.excluded), (0, 100_000_000));
}

#[test]
fn a_running_interval_total_is_not_counted_again_and_jitter_observes_no_time_twice() {
    let interval = spec(TagKind::Interval { period_ms: 15 * MINUTE_MS }, Unit::KilowattHour, 0);
    let quarter = 15 * MINUTE_MS;
    let minute = |minutes: i64| minutes * MINUTE_MS;
    let rolling = total(&interval, &[15, 20, 25, 30].map(|at| (minute(at), 3.0)));
    assert_eq!((rolling.amount, rolling.excluded), (6_000_000, 6_000_000));
    let jitter = total(&interval, &[(quarter + 500, 3.0), (2 * quarter - 200, 3.0)]);
    assert_eq!((jitter.amount, jitter.observed_ms), (6_000_000, 2 * quarter - 700));
}

#[test]
fn power_is_integrated_and_holds_no_longer_than_declared() {
    let power = spec(TagKind::Gauge, Unit::Watt, 2_500);
    let mut series = Series::default();
    series.ingest(power.kind, sample(0, 3_600_000.0));
    series.process(&power, Timestamp(MINUTE_MS), Timestamp(0));
    let minute = series.close(&power, Timestamp(0)).unwrap();
    assert_eq!((minute.amount, minute.observed_ms), (2_500_000, 2_500));
    assert_eq!(series.close(&power, Timestamp(MINUTE_MS)), None);
}

#[test]
fn the_energy_of_a_power_is_rounded_once_a_minute_however_many_samples_it_has() {
    let power = spec(TagKind::Gauge, Unit::Kilowatt, 2_500);
    let mut series = Series::default();
    for second in 0..3_600 {
        series.ingest(power.kind, sample(second * 1_000, 10.000_001));
    }
    series.process(&power, Timestamp(HOUR), Timestamp(0));
    let closed: Vec<i128> =
        (0..60).filter_map(|minute| series.close(&power, Timestamp(minute * MINUTE_MS))).map(|m| m.amount).collect();
    // 166,666.68 a minute: each rounds to the same, whatever was before it.
    assert_eq!(closed, [166_667; 60]);
}

#[test]
fn a_state_holds_until_the_next_one_or_its_hold() {
    let state = spec(TagKind::State, Unit::One, 30_000);
    let mut series = Series::default();
    for (at, code) in [(0, MachineState::Producing), (20_000, MachineState::Fault)] {
        let value = Some(Number::Integer(code.code()));
        series.ingest(state.kind, (Timestamp(at), Quality::Good, value));
    }
    series.process(&state, Timestamp(MINUTE_MS), Timestamp(0));
    let minute = series.close(&state, Timestamp(0)).unwrap();
    let spans = vec![
        (Timestamp(0), Timestamp(20_000), MachineState::Producing),
        (Timestamp(20_000), Timestamp(50_000), MachineState::Fault),
    ];
    assert_eq!((minute.states, minute.observed_ms), (spans, 50_000));
}

#[test]
fn a_sample_from_before_a_confirmation_counts_from_its_instant_on_and_no_time_is_booked_twice() {
    let run = |level: &TagSpec, values: [Number; 2]| {
        let mut series = Series::default();
        let at = |at, value| (Timestamp(at), Quality::Good, Some(value));
        series.ingest(level.kind, at(0, values[0]));
        series.confirm(Timestamp(50_000));
        series.process(level, Timestamp(50_000), Timestamp(0));
        assert_eq!(series.ingest(level.kind, at(20_000, values[1])), Ingested::Taken);
        series.process(level, Timestamp(50_000), Timestamp(0));
        [0, 1].map(|minute| series.close(level, Timestamp(minute * MINUTE_MS)).unwrap_or_default())
    };
    let power = run(&spec(TagKind::Gauge, Unit::Kilowatt, 60_000), [3_600.0, 7_200.0].map(Number::Float));
    let sums = power.map(|minute| (minute.amount, minute.observed_ms));
    assert_eq!(sums, [(20_000_000 + 80_000_000, 60_000), (100_000_000, 50_000)]);
    let codes = [MachineState::Producing, MachineState::Fault].map(|state| Number::Integer(state.code()));
    let [first, _] = run(&spec(TagKind::State, Unit::One, 60_000), codes);
    let spans = vec![
        (Timestamp(0), Timestamp(20_000), MachineState::Producing),
        (Timestamp(20_000), Timestamp(60_000), MachineState::Fault),
    ];
    assert_eq!((first.states, first.observed_ms), (spans, 60_000));
}

#[test]
fn a_minute_waits_for_a_counter_until_its_hold_has_passed() {
    let counter = counter(2_500);
    let mut series = Series::default();
    series.ingest(counter.kind, sample(59_000, 1.0));
    series.process(&counter, Timestamp(60_000), Timestamp(0));
    assert_eq!(series.resolved_until(&counter, Timestamp(60_000)), Timestamp(59_000));
    assert!(series.resolved_until(&counter, Timestamp(61_500)) > Timestamp(60_000));
    series.ingest(counter.kind, sample(60_000, 2.0));
    series.process(&counter, Timestamp(60_000), Timestamp(0));
    assert_eq!(series.resolved_until(&counter, Timestamp(60_000)), Timestamp(60_000));
}

#[test]
fn of_two_samples_of_one_instant_the_better_then_the_larger_wins_in_any_order() {
    let bad = (Timestamp(0), Quality::DeclaredBad, Some(Number::Float(9.0)));
    for order in [[sample(0, 1.0), sample(0, 2.0), bad], [bad, sample(0, 2.0), sample(0, 1.0)]] {
        let mut series = Series::default();
        let outcomes = order.map(|sample| series.ingest(TagKind::Gauge, sample));
        assert_eq!(outcomes, [Ingested::Taken, Ingested::Duplicate, Ingested::Duplicate]);
        assert_eq!(series.pending, [sample(0, 2.0)]);
    }
}
