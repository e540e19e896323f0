//! Late data: whatever order samples come in, the figures end as if all had come in time.

use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::prelude::{ProptestConfig, Strategy, any, prop, proptest};
use proptest::{prop_assert, prop_assert_eq};

use super::{ENERGY, LATENESS_MS, Lab, MORNING, SCRAP, STATE, TOTAL, asset, batch, final_facts, plant, sample, tag};
use crate::engine::meter::Reading;
use crate::engine::plant::{Asset, Boundary, Plant};
use crate::engine::{Effects, History, reissue, revise};
use crate::model::fact::{Facts, Measure};
use crate::model::id::AssetId;
use crate::model::record::{Level, WindowRecord};
use crate::model::sample::{Quality, Sample};
use crate::model::state::MachineState;
use crate::model::tag::{TagIndex, TagKind};
use crate::model::time::{Grain, MINUTE_MS, Timestamp, Window};
use crate::model::unit::Unit;

const PRODUCING: i128 = MachineState::Producing.code();

fn minute(minute: i64) -> Timestamp {
    Timestamp(MORNING + minute * MINUTE_MS)
}

/// The newest revision of each window, as the pipeline keeps it.
#[derive(Default)]
struct Newest(BTreeMap<(AssetId, Grain, Timestamp), WindowRecord>);

impl Newest {
    fn take(&mut self, lab: &Lab, effects: &Effects) {
        let plant = lab.engine.plant();
        let merged = |asset: usize, window: Window| {
            let Ok(rows) = lab.kept.facts(asset, window);
            rows.iter().fold(Facts::default(), |mut merged, (_, facts)| {
                merged.merge_over_time(facts);
                merged
            })
        };
        for record in &effects.records {
            let position = plant.assets.iter().position(|asset| asset.id == record.asset).unwrap();
            let is_this = |stale: &&crate::engine::Stale| {
                (stale.asset, stale.grain, stale.window) == (position, record.grain, record.window)
            };
            let stale = effects.stale.iter().find(is_this);
            let issued =
                stale.map(|stale| reissue(plant, record, 1, &stale.stale, &merged(position, record.window)).unwrap());
            let key = (record.asset.clone(), record.grain, record.window.start);
            assert!(self.0.insert(key, issued.unwrap_or_else(|| record.clone())).is_none(), "published twice");
        }
        for revision in &effects.revise {
            let asset = plant.assets[revision.asset].id.clone();
            let Some(held) = self.0.get_mut(&(asset, revision.grain, revision.window.start)) else { continue };
            *held = revise(plant, held, revision, &merged(revision.asset, revision.window)).unwrap();
        }
    }

    fn facts(&self) -> BTreeMap<(AssetId, Grain, Timestamp), Facts> {
        self.0.iter().map(|(key, record)| (key.clone(), record.facts.clone())).collect()
    }
}

/// Samples of 25 minutes with their arrival: some within the lateness bound, some up to 40 minutes later.
fn arrivals() -> impl Strategy<Value = Vec<(Sample, i64)>> {
    let delay = proptest::prop_oneof![0..LATENESS_MS, 0..40 * MINUTE_MS];
    let one = (0u32..4, 0i64..25 * MINUTE_MS, 0i128..7, delay, 0u8..10);
    prop::collection::vec(one, 1..100).prop_map(|drawn| {
        let mut samples: Vec<_> = drawn
            .into_iter()
            .map(|(tag, at, state, delay, quality)| {
                let tag = TagIndex(tag);
                // Counters grow at their pace, states are any of the seven, a tenth of all is declared bad.
                let value = if tag == STATE { state } else { 1_000_000 + i128::from(at / 100) };
                let quality = if quality == 0 { Quality::DeclaredBad } else { Quality::Good };
                (Sample { quality, ..sample(tag, at, value) }, at + delay)
            })
            .collect();
        samples.sort_by_key(|(sample, _)| (sample.tag, sample.measured_at));
        samples.dedup_by_key(|(sample, _)| (sample.tag, sample.measured_at));
        samples
    })
}

fn deliver(mut arrivals: Vec<(Sample, i64)>, restart_each: usize) -> (Effects, Newest) {
    arrivals.sort_by_key(|(_, at)| *at);
    let (mut lab, mut all, mut newest) = (Lab::new(plant()), Effects::default(), Newest::default());
    lab.advance(minute(0));
    let mut step = |lab: &mut Lab, effects: Effects| {
        newest.take(lab, &effects);
        all.merge(effects);
    };
    for (count, (sample, at)) in arrivals.into_iter().enumerate() {
        lab.ingest(&batch(at, vec![sample]));
        let effects = lab.advance(Timestamp(MORNING + at));
        step(&mut lab, effects);
        if restart_each > 0 && count % restart_each == 0 {
            lab.restart();
        }
    }
    for at in [66, 76, 91] {
        let effects = lab.advance(minute(at));
        step(&mut lab, effects);
    }
    let effects = lab.finish();
    step(&mut lab, effects);
    (all, newest)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn any_arrival_order_ends_with_the_facts_and_the_newest_revisions_of_arrival_in_time(
        arrivals in arrivals(), restart_each in 0_usize..6
    ) {
        let in_time = arrivals.iter().map(|(sample, _)| (*sample, sample.measured_at.0 - MORNING)).collect();
        let (expected, expected_newest) = deliver(in_time, 0);
        let (found, newest) = deliver(arrivals, restart_each);
        let (expected, found) = (final_facts(&expected), final_facts(&found));
        let unlike: Vec<_> = expected.iter().filter(|(key, facts)| found.get(key) != Some(facts)).take(3)
            .map(|(key, facts)| (key, found.get(key), facts)).collect();
        prop_assert!(unlike.is_empty(), "{unlike:?}");
        let (expected, found) = (expected_newest.facts(), newest.facts());
        let unlike: Vec<_> = expected.iter().filter(|(key, facts)| found.get(key) != Some(facts)).take(2)
            .map(|(key, facts)| (key, found.get(key), facts)).collect();
        prop_assert!(unlike.is_empty(), "{unlike:?}");
    }

    #[test]
    fn what_comes_again_however_late_changes_nothing(arrivals in arrivals(), again in any::<prop::sample::Index>()) {
        let in_time: Vec<_> = arrivals.iter().map(|(sample, _)| (*sample, sample.measured_at.0 - MORNING)).collect();
        let mut twice = in_time.clone();
        twice.push((in_time[again.index(in_time.len())].0, 50 * MINUTE_MS));
        let (once, newest) = deliver(in_time, 0);
        let (both, newest_of_both) = deliver(twice, 0);
        prop_assert_eq!(final_facts(&once), final_facts(&both));
        prop_assert_eq!(newest.facts(), newest_of_both.facts());
    }
}

#[test]
fn a_growth_that_a_late_reading_leaves_open_is_decided_as_if_it_had_come_in_time() {
    // The very first growth is larger than a first growth is believed, so what follows decides.
    let first = (sample(TOTAL, 0, 1_000_000), 0);
    let second = sample(TOTAL, 20 * MINUTE_MS, 1_012_427);
    let in_time = deliver(vec![first, (second, 20 * MINUTE_MS)], 0);
    let late = deliver(vec![(first.0, 21 * MINUTE_MS + 1), (second, 21 * MINUTE_MS)], 0);
    assert_eq!(final_facts(&late.0), final_facts(&in_time.0));
    assert_eq!(late.1.facts(), in_time.1.facts());
    let parts: i128 = final_facts(&late.0).values().map(|facts| facts.amount(Measure::ProducedQuantity)).sum();
    assert!(parts > 0, "the growth counts");
}

#[test]
fn however_many_samples_come_late_a_window_is_revised_once_in_a_quarter_of_an_hour() {
    let mut lab = Lab::new(plant());
    lab.ingest(&batch(0, vec![sample(STATE, 0, PRODUCING)]));
    lab.advance(minute(0));
    lab.advance(minute(62));
    let mut revisions = Vec::new();
    for at in 62..110 {
        // One late sample a minute, all of the first hour; from minute 90 on the same ones again.
        lab.ingest(&batch(at * MINUTE_MS, vec![sample(STATE, (at - 60) * 2 % 60 * MINUTE_MS + 7_000, PRODUCING)]));
        let effects = lab.advance(minute(at));
        let hours = effects.revise.iter().filter(|revision| revision.grain == Grain::Hour && revision.asset == 2);
        revisions.extend(hours.map(|_| at));
    }
    assert_eq!(revisions, [75, 90], "at the first waking of each quarter hour in which something had come");
}

#[test]
fn a_late_sample_changes_only_the_minutes_until_the_next_one() {
    let mut lab = Lab::new(plant());
    for at in 0..40 {
        lab.ingest(&batch(
            at * MINUTE_MS,
            vec![sample(STATE, at * MINUTE_MS, PRODUCING), sample(TOTAL, at * MINUTE_MS, at.into())],
        ));
        lab.advance(minute(at));
    }
    lab.ingest(&batch(40 * MINUTE_MS, vec![sample(STATE, 10 * MINUTE_MS + 20_000, MachineState::Fault.code())]));
    let late = lab.advance(minute(40));
    assert_eq!((late.refused.late, late.corrections.len()), (1, 0));
    let corrected = lab.advance(minute(45));
    let rows: Vec<_> = corrected.corrections.iter().map(|row| (row.asset.as_str(), row.minute)).collect();
    assert_eq!(rows, [("site", minute(10)), ("line-1", minute(10)), ("press-1", minute(10))]);
    let press = &corrected.corrections[2].facts;
    assert_eq!((press.amount(Measure::Apt), press.amount(Measure::FaultTime)), (20_000, 40_000));
}

#[test]
fn samples_of_more_than_35_days_ago_are_too_late_and_counted() {
    let mut lab = Lab::new(plant());
    lab.advance(minute(0));
    lab.advance(minute(60));
    let old = 36 * 24 * 60 * MINUTE_MS;
    lab.ingest(&batch(60 * MINUTE_MS, vec![sample(STATE, -old, PRODUCING), sample(STATE, 5 * MINUTE_MS, PRODUCING)]));
    let effects = lab.advance(minute(61));
    assert_eq!((effects.refused.too_late, effects.refused.late), (1, 0));
    assert!(lab.advance(minute(75)).corrections.iter().all(|row| row.minute >= minute(5)));
}

#[test]
fn what_was_measured_under_another_configuration_is_not_computed_again() {
    let mut lab = Lab::new(plant());
    for at in [0, 20] {
        lab.ingest(&batch(at * MINUTE_MS, vec![sample(STATE, at * MINUTE_MS, PRODUCING)]));
        lab.advance(minute(at));
    }
    let changed = Plant { config: crate::model::id::Digest([7; 32]), ..(*plant()).clone() };
    let checkpoint = lab.engine.checkpoint();
    lab.engine =
        crate::engine::Engine::restore(Arc::new(changed), crate::model::record::ClockState::Simulated, &checkpoint)
            .unwrap();
    lab.ingest(&batch(21 * MINUTE_MS, vec![sample(STATE, 8 * MINUTE_MS, PRODUCING)]));
    let effects = lab.advance(minute(31));
    assert_eq!((effects.refused.too_late, effects.corrections.len()), (1, 0));
}

#[test]
fn a_clock_that_steps_closes_what_it_passed_and_a_step_back_computes_it_again() {
    let mut lab = Lab::new(plant());
    lab.ingest(&batch(0, vec![sample(STATE, 0, PRODUCING)]));
    lab.advance(minute(0));
    // Forward by two hours: nothing was heard of them.
    let forward = lab.advance(minute(120));
    let hour = super::find(&forward.records, "press-1", Grain::Hour);
    assert_eq!(hour.facts.amount(Measure::NoData), i128::from(55 * MINUTE_MS));
    // Back again: what is measured meanwhile belongs to minutes that are closed.
    for at in 10..20 {
        lab.ingest(&batch(at * MINUTE_MS, vec![sample(STATE, at * MINUTE_MS, PRODUCING)]));
        let effects = lab.advance(minute(at));
        assert!(effects.facts.is_empty() && effects.corrections.is_empty());
    }
    let revised = lab.advance(minute(135));
    let hour = revised.revise.iter().find(|revision| revision.grain == Grain::Hour && revision.asset == 2).unwrap();
    assert_eq!(hour.correction.amount(Measure::Apt), i128::from(14 * MINUTE_MS));
}

/// A site with a meter that is never late, and a machine whose parts come over MQTT and which nothing depends on.
fn mixed(exit: Option<usize>) -> Arc<Plant> {
    let counter = TagKind::Counter { modulus: None, max_per_second: None };
    let mut meter = tag("site.energy", counter, Unit::KilowattHour, 5 * MINUTE_MS);
    meter.lateness_ms = 0;
    let boundary = Boundary { electricity: vec![Reading::Tag(TagIndex(1))], ..Boundary::default() };
    let cutter = Asset { total: Some(TagIndex(0)), ..asset("cutter", Some(0), Level::Unit) };
    Arc::new(Plant {
        tags: vec![tag("cutter.total", counter, Unit::One, 5 * MINUTE_MS), meter],
        assets: vec![Asset { boundary, exit, ..asset("site", None, Level::Site) }, cutter],
        ..(*plant()).clone()
    })
}

#[test]
fn an_asset_waits_for_its_own_inputs_and_the_children_it_takes_from_and_for_nobody_else() {
    for (exit, site_closed) in [(None, 20), (Some(1), 19)] {
        let mut lab = Lab::new(mixed(exit));
        lab.ingest(&batch(0, vec![sample(TagIndex(0), 0, 5), sample(TagIndex(1), 0, 5)]));
        for at in 0..=20 {
            let of = |tag| sample(TagIndex(tag), at * MINUTE_MS, i128::from(at) + 5);
            lab.ingest(&batch(at * MINUTE_MS, vec![of(0), of(1)]));
            lab.advance(minute(at));
        }
        let closed = [0, 1].map(|asset| lab.engine.asset_closed_until(asset).unwrap());
        assert_eq!(closed, [minute(site_closed), minute(19)], "exit: {exit:?}");
    }
}

#[test]
fn an_input_that_falls_silent_holds_a_window_open_for_its_hold_and_no_longer() {
    let mut lab = Lab::new(mixed(Some(1)));
    lab.advance(minute(0));
    lab.ingest(&batch(0, vec![sample(TagIndex(0), 0, 5), sample(TagIndex(1), 0, 5)]));
    for at in 0..=70 {
        lab.ingest(&batch(at * MINUTE_MS, vec![sample(TagIndex(1), at * MINUTE_MS, i128::from(at) + 5)]));
        lab.advance(minute(at));
        let closed = lab.engine.asset_closed_until(1).unwrap();
        // The counter's next reading may come for five minutes, and its message may be a minute late.
        let expected = if at < 6 { 0.min(at - 1) } else { at - 1 };
        assert_eq!(closed, minute(expected), "minute {at}");
    }
    let all = lab.finish();
    let hours = all.records.iter().filter(|record| record.grain == Grain::Hour);
    assert!(hours.count() > 0 && lab.engine.closed_until() >= Some(minute(69)));
}

#[test]
fn a_counter_that_went_on_through_a_late_gap_books_it_where_it_was() {
    let mut lab = Lab::new(plant());
    let energy = |minute: i64| sample(ENERGY, minute * MINUTE_MS, 1_000 + 2 * i128::from(minute));
    let held_back: Vec<i64> = (10..25).collect();
    for at in (0..40).filter(|at| !held_back.contains(at)) {
        lab.ingest(&batch(at * MINUTE_MS, vec![energy(at), sample(SCRAP, at * MINUTE_MS, 0)]));
        lab.advance(minute(at));
    }
    lab.ingest(&batch(40 * MINUTE_MS, held_back.iter().map(|at| energy(*at)).collect()));
    lab.advance(minute(40));
    lab.advance(minute(45));
    let Ok(rows) = lab.kept.facts(0, Window { start: minute(0), end: minute(38) });
    for (at, facts) in rows {
        let figures = (facts.amount(Measure::Electricity), facts.amount(Measure::ElectricitySubstituted));
        assert_eq!(figures, (2_000_000, 0), "{at}");
    }
}
