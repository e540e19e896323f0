//! A source that reports changes only and confirms what stands: no sample is invented, and nothing holds for longer than
//! somebody could say so.

use proptest::prelude::{any, prop, proptest};
use proptest::prop_assert_eq;

use super::{ENERGY, Lab, MORNING, STATE, TOTAL, batch, final_facts, plant, sample};
use crate::engine::{Effects, Engine};
use crate::model::fact::Measure;
use crate::model::record::ClockState;
use crate::model::sample::{Quality, Sample, SampleBatch};
use crate::model::state::MachineState;
use crate::model::time::{MINUTE_MS, Timestamp};

const PRODUCING: i128 = MachineState::Producing.code();

fn confirmation(minute: i64) -> SampleBatch {
    batch(minute * MINUTE_MS, Vec::new())
}

/// Takes each batch at its arrival and wakes the engine every half minute until the end, and once more after the next
/// quarter hour.
fn live(mut batches: Vec<SampleBatch>, until_minute: i64) -> (Engine, Effects) {
    batches.sort_by_key(|batch| batch.received_at);
    let mut lab = Lab::new(plant());
    let (mut all, mut batches) = (Effects::default(), batches.into_iter().peekable());
    for half in 0..=until_minute * 2 {
        let now = Timestamp(MORNING + half * MINUTE_MS / 2);
        while let Some(batch) = batches.next_if(|batch| batch.received_at <= now) {
            lab.ingest(&batch);
        }
        all.merge(lab.advance(now));
    }
    let engine = lab.engine.clone();
    all.merge(lab.advance(Timestamp(MORNING + (until_minute / 15 + 1) * 15 * MINUTE_MS)));
    (engine, all)
}

/// What a measure came to by the end.
fn total(effects: &Effects, asset: &str, measure: Measure) -> i128 {
    let rows = final_facts(effects).into_iter().filter(|((of, _), _)| of.as_str() == asset);
    rows.map(|(_, facts)| facts.amount(measure)).sum()
}

const MINUTE: i128 = MINUTE_MS as i128;

#[test]
fn a_state_stands_as_long_as_it_is_confirmed_and_its_hold_longer() {
    let batches = [batch(0, vec![sample(STATE, 0, PRODUCING)])].into_iter().chain((1..=40).map(confirmation)).collect();
    let (_, effects) = live(batches, 60);
    // The process was killed after minute 40: nobody heard anything until its hold of 5 min was over.
    assert_eq!(total(&effects, "press-1", Measure::Apt), 45 * MINUTE);
}

#[test]
fn a_confirmation_that_comes_after_the_hold_bridges_nothing() {
    let away = (1..=10).chain(30..=59).map(confirmation);
    let (_, effects) = live([batch(0, vec![sample(STATE, 0, PRODUCING)])].into_iter().chain(away).collect(), 61);
    assert_eq!(total(&effects, "press-1", Measure::Apt), 15 * MINUTE);
}

#[test]
fn a_death_ends_what_stands_at_once_whatever_is_confirmed_later() {
    let death = Sample { value: None, quality: Quality::Stale, ..sample(STATE, 20 * MINUTE_MS, 0) };
    let batches = [batch(0, vec![sample(STATE, 0, PRODUCING)]), batch(20 * MINUTE_MS, vec![death])];
    let (_, effects) = live(batches.into_iter().chain((1..=40).map(confirmation)).collect(), 45);
    assert_eq!(total(&effects, "press-1", Measure::Apt), 20 * MINUTE);
}

#[test]
fn a_counter_whose_source_died_is_not_watched_and_its_growth_until_the_rebirth_is_substituted() {
    let death = Sample { value: None, quality: Quality::Stale, ..sample(ENERGY, 20 * MINUTE_MS, 0) };
    let reports = [
        batch(0, vec![sample(ENERGY, 0, 10_000)]),
        batch(20 * MINUTE_MS, vec![death]),
        batch(50 * MINUTE_MS, vec![sample(ENERGY, 50 * MINUTE_MS, 10_060)]),
    ];
    let (_, effects) = live(reports.into_iter().chain((1..=55).map(confirmation)).collect(), 60);
    let site = |measure| total(&effects, "site", measure);
    assert_eq!((site(Measure::Electricity), site(Measure::ElectricitySubstituted)), (60_000_000, 60_000_000));
    // Minute 19 was the last one that was confirmed before the death, and minute 50 the first after it.
    assert_eq!(site(Measure::ElectricityObserved), (19 + 5) * MINUTE);
}

#[test]
fn a_counter_that_stands_still_is_watched_and_delays_no_minute() {
    let first = batch(0, vec![sample(TOTAL, 0, 500), sample(ENERGY, 0, 9)]);
    let (engine, effects) = live([first].into_iter().chain((1..=40).map(confirmation)).collect(), 40);
    assert!(engine.closed_until() >= Some(Timestamp(MORNING + 37 * MINUTE_MS)), "{:?}", engine.closed_until());
    let grown = batch(41 * MINUTE_MS, vec![sample(TOTAL, 41 * MINUTE_MS, 504)]);
    let first = batch(0, vec![sample(TOTAL, 0, 500)]);
    let (_, grown) = live([first, grown].into_iter().chain((1..=40).map(confirmation)).collect(), 50);
    assert_eq!(
        (total(&effects, "press-1", Measure::ProducedQuantity), total(&grown, "press-1", Measure::ProducedQuantity)),
        (0, 4_000_000)
    );
    // It grew after it was last confirmed to stand still.
    let minutes =
        grown.facts.iter().filter(|row| row.facts.amount(Measure::ProducedQuantity) != 0).map(|row| row.minute);
    assert!(minutes.clone().all(|minute| minute >= Timestamp(MORNING + 40 * MINUTE_MS)) && minutes.count() > 0);
}

#[test]
fn an_edge_whose_clock_is_behind_loses_nothing_to_confirmations() {
    let behind = 3 * MINUTE_MS;
    let reports = (0..=30).map(|minute| {
        let at = minute * MINUTE_MS - behind;
        let mut report = batch(minute * MINUTE_MS, vec![sample(TOTAL, at, i128::from(minute))]);
        report.received_at = report.received_at + 1;
        report
    });
    let confirmed = reports.chain((0..120).map(|quarter| batch(quarter * MINUTE_MS / 4, Vec::new()))).collect();
    let (_, effects) = live(confirmed, 40);
    let corrected = total(&effects, "press-1", Measure::ProducedQuantity);
    assert_eq!((corrected, effects.refused.late), (30_000_000, 0));
}

proptest! {
    #[test]
    fn a_restart_between_confirmations_changes_nothing(
        minutes in prop::collection::vec((0_i64..30, any::<bool>(), 0_i128..3), 1..40), cut in 0_usize..40
    ) {
        let mut batches: Vec<SampleBatch> = minutes
            .iter()
            .map(|(minute, confirms, code)| {
                let at = minute * MINUTE_MS;
                batch(at, if *confirms { Vec::new() } else { vec![sample(STATE, at, *code), sample(TOTAL, at, at.into())] })
            })
            .collect();
        batches.sort_by_key(|batch| batch.received_at);
        let mut whole = Engine::new(plant(), ClockState::Simulated);
        let mut parts = Engine::new(plant(), ClockState::Simulated);
        for (position, batch) in batches.iter().enumerate() {
            if position == cut {
                parts = Engine::restore(plant(), ClockState::Simulated, &parts.checkpoint()).unwrap();
            }
            for engine in [&mut whole, &mut parts] {
                engine.ingest(batch);
            }
            prop_assert_eq!(whole.advance(batch.received_at), parts.advance(batch.received_at));
        }
        prop_assert_eq!(whole.finish(), parts.finish());
    }
}
