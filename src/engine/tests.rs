//! The engine as a whole: hand calculations, and the properties the hub relies on.

mod checkpoints;
mod columns;
mod confirmations;
mod late;

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::tz::TimeZone;
use proptest::prelude::{Strategy, any, prop, proptest};
use proptest::{prop_assert, prop_assert_eq};

use super::calendar::Calendar;
use super::kpi::grid::MissingFactor;
use super::plant::{Asset, Boundary, Plant};
use super::{Effects, Engine, History, revise};
use crate::model::fact::{Facts, Measure};
use crate::model::id::{AssetId, Digest, SiteId, TagName};
use crate::model::number::Number;
use crate::model::record::{ClockState, Level, Reason, WindowRecord};
use crate::model::sample::{Quality, Sample, SampleBatch, TagColumns};
use crate::model::state::MachineState;
use crate::model::tag::{Meaning, SourceIndex, TagIndex, TagKind, TagSpec};
use crate::model::time::{Grain, MINUTE_MS, Timestamp, Window};
use crate::model::unit::Unit;

const STATE: TagIndex = TagIndex(0);
const TOTAL: TagIndex = TagIndex(1);
const SCRAP: TagIndex = TagIndex(2);
const ENERGY: TagIndex = TagIndex(3);
const LATENESS_MS: i64 = 60_000;
/// 2026-10-05T07:00:00+07:00, a Monday.
pub(crate) const MORNING: i64 = 1_791_158_400_000;

fn tag(name: &str, kind: TagKind, unit: Unit, hold_ms: i64) -> TagSpec {
    let name = TagName::new(name).unwrap();
    TagSpec::new(
        name,
        SourceIndex(0),
        Meaning {
            kind,
            unit,
            decoding: String::new(),
            hold_ms,
            lateness_ms: LATENESS_MS,
            states: BTreeMap::new(),
            thinning: None,
        },
    )
}

fn asset(id: &str, parent: Option<usize>, level: Level) -> Asset {
    Asset::new(AssetId::new(id).unwrap(), parent, level)
}

/// A site with a meter, a line, and a press with state, parts and scrap at the line's exit; no calendar.
pub(crate) fn plant() -> Arc<Plant> {
    let counter = TagKind::Counter { modulus: None, max_per_second: None };
    let press = Asset {
        state: Some(STATE),
        total: Some(TOTAL),
        scrap: Some(SCRAP),
        planned_run_time_per_unit_ns: Some(1_200_000_000),
        ..asset("press-1", Some(1), Level::Unit)
    };
    let site = Asset {
        boundary: Boundary { electricity: vec![ENERGY.into()], ..Boundary::default() },
        exit: Some(1),
        ..asset("site", None, Level::Site)
    };
    let calendar = Calendar::round_the_clock(TimeZone::get("Asia/Ho_Chi_Minh").unwrap());
    Arc::new(Plant {
        tags: vec![
            tag("press-1.state", TagKind::State, Unit::One, 5 * MINUTE_MS),
            tag("press-1.total", counter, Unit::One, 5 * MINUTE_MS),
            tag("press-1.scrap", counter, Unit::One, 5 * MINUTE_MS),
            tag("site.energy", counter, Unit::KilowattHour, 5 * MINUTE_MS),
        ],
        assets: vec![site, Asset { exit: Some(2), ..asset("line-1", Some(0), Level::Line) }, press],
        grains: vec![Grain::QuarterHour, Grain::Hour, Grain::Day],
        grid_factor: MissingFactor::Latest,
        ..Plant::new(SiteId::new("tt-main").unwrap(), calendar, Digest::ZERO)
    })
}

fn sample(tag: TagIndex, at: i64, value: i128) -> Sample {
    Sample { tag, measured_at: Timestamp(MORNING + at), value: Some(Number::Integer(value)), quality: Quality::Good }
}

pub(crate) fn batch(received_at: i64, samples: Vec<Sample>) -> SampleBatch {
    SampleBatch {
        source: SourceIndex(0),
        delivery: 1,
        received_at: Timestamp(MORNING + received_at),
        samples,
        context: Vec::new(),
    }
}

/// An hour of the press: 40 min producing, 10 min setup, 10 min fault; 1,800 parts of which 90 scrap; 120 kWh.
pub(crate) fn hour() -> Vec<Sample> {
    let mut samples = Vec::new();
    for minute in 0..=60 {
        let at = minute * MINUTE_MS;
        let state = match minute {
            0..40 => MachineState::Producing,
            40..50 => MachineState::Setup,
            _ => MachineState::Fault,
        };
        samples.push(sample(STATE, at, state.code()));
        samples.push(sample(TOTAL, at, i128::from(minute.min(40) * 45)));
        samples.push(sample(SCRAP, at, i128::from(minute.min(40) * 9 / 4)));
        samples.push(sample(ENERGY, at, i128::from(1000 + minute * 2)));
    }
    samples
}

/// An engine with what a store would keep for it.
pub(crate) struct Lab {
    pub(crate) engine: Engine,
    pub(crate) kept: Kept,
}

/// Samples and facts in memory.
#[derive(Debug, Clone, Default)]
pub(crate) struct Kept {
    samples: Vec<Sample>,
    facts: BTreeMap<(usize, Timestamp), Facts>,
}

impl History for Kept {
    type Error = std::convert::Infallible;

    fn samples(&self, tags: &[TagIndex], _: Window, _: usize) -> Result<Vec<TagColumns>, Self::Error> {
        let reading = |sample: &Sample| (sample.measured_at, sample.quality, sample.value);
        let of = |tag: &TagIndex| self.samples.iter().filter(|sample| sample.tag == *tag).map(reading).collect();
        Ok(tags.iter().map(of).collect())
    }

    fn facts(&self, asset: usize, span: Window) -> Result<Vec<(Timestamp, Facts)>, Self::Error> {
        let rows = self.facts.range((asset, span.start)..(asset, span.end));
        Ok(rows.map(|((_, minute), facts)| (*minute, facts.clone())).collect())
    }
}

impl Lab {
    pub(crate) fn new(plant: Arc<Plant>) -> Self {
        Self { engine: Engine::new(plant, ClockState::Simulated), kept: Kept::default() }
    }

    pub(crate) fn ingest(&mut self, batch: &SampleBatch) {
        self.kept.samples.extend(&batch.samples);
        self.engine.ingest(batch);
    }

    pub(crate) fn advance(&mut self, now: Timestamp) -> Effects {
        let mut all = Effects::default();
        while self.engine.is_recompute_due(now) {
            let Ok(effects) = self.engine.recompute(now, &self.kept);
            self.keep(&mut all, effects);
        }
        let effects = self.engine.advance(now);
        self.keep(&mut all, effects);
        all
    }

    pub(crate) fn finish(&mut self) -> Effects {
        self.engine.settle();
        let mut all = Effects::default();
        while self.engine.is_recompute_due(self.engine.now()) {
            let Ok(effects) = self.engine.recompute(self.engine.now(), &self.kept);
            self.keep(&mut all, effects);
        }
        let effects = self.engine.finish();
        self.keep(&mut all, effects);
        all
    }

    pub(crate) fn restart(&mut self) {
        let plant = Arc::clone(self.engine.plant());
        self.engine = Engine::restore(plant, ClockState::Simulated, &self.engine.checkpoint()).unwrap();
    }

    fn keep(&mut self, all: &mut Effects, effects: Effects) {
        for row in effects.facts.iter().chain(&effects.corrections) {
            let asset = self.engine.plant().assets.iter().position(|asset| asset.id == row.asset).unwrap();
            self.kept.facts.insert((asset, row.minute), row.facts.clone());
        }
        all.merge(effects);
    }
}

fn run(batches: &[SampleBatch], wakes: &[i64]) -> Effects {
    let mut lab = Lab::new(plant());
    let mut all = Effects::default();
    for (batch, wake) in batches.iter().zip(wakes) {
        lab.ingest(batch);
        all.merge(lab.advance(Timestamp(MORNING + wake)));
    }
    all.merge(lab.finish());
    all
}

fn find<'a>(records: &'a [WindowRecord], asset: &str, grain: Grain) -> &'a WindowRecord {
    let holds = |record: &&WindowRecord| record.window.contains(Timestamp(MORNING + MINUTE_MS));
    records.iter().filter(holds).find(|record| record.asset.as_str() == asset && record.grain == grain).unwrap()
}

fn kpi(record: &WindowRecord, id: &str) -> f64 {
    record.kpis.iter().find(|value| value.kpi.as_str() == id).and_then(|value| value.value).unwrap()
}

#[test]
fn an_hour_of_a_press_gives_the_figures_calculated_by_hand() {
    let effects = run(&[batch(3_600_000, hour())], &[3_600_000]);
    let press = find(&effects.records, "press-1", Grain::Hour);
    for (id, expected) in [
        ("availability", 40.0 / 60.0),
        ("effectiveness", 1800.0 * 1.2 / 2400.0),
        ("quality_ratio", 1710.0 / 1800.0),
        ("oee", 1710.0 * 1.2 / 3600.0),
    ] {
        assert!((kpi(press, id) - expected).abs() < 1e-12, "{id}: {}", kpi(press, id));
    }
    let site = find(&effects.records, "site", Grain::Hour);
    assert_eq!(kpi(site, "electricity"), 120.0);
    assert!((kpi(site, "specific_energy") - 120.0 / 1800.0).abs() < 1e-12);
    assert_eq!(kpi(site, "peak_demand"), 120.0);
    assert_eq!(kpi(site, "oee"), kpi(press, "oee"));
}

#[test]
fn an_asset_with_a_state_of_its_own_never_divides_its_machines_work_by_its_own_time() {
    let mut own = (*plant()).clone();
    own.assets[1].state = Some(STATE);
    let run = |plant: Plant| {
        let mut engine = Engine::new(Arc::new(plant), ClockState::Simulated);
        engine.ingest(&batch(3_600_000, hour()));
        let mut records = engine.advance(Timestamp(MORNING + 3_600_000)).records;
        records.extend(engine.finish().records);
        let line = find(&records, "line-1", Grain::Hour);
        line.kpis.iter().find(|value| value.kpi.as_str() == "oee").cloned().unwrap()
    };
    assert_eq!(run(own.clone()).reason, Some(Reason::NoPlannedRunTime));
    own.assets[1].planned_run_time_per_unit_ns = Some(1_200_000_000);
    assert_eq!(run(own).value, Some(1710.0 * 1.2 / 3600.0));
}

#[test]
fn a_window_joined_late_knows_what_it_has_not_seen() {
    let effects = run(&[batch(3_600_000, hour())], &[3_600_000]);
    let day = find(&effects.records, "press-1", Grain::Day);
    assert_eq!(day.facts.amount(Measure::NoData), 23 * 3_600_000);
    let availability = day.kpis.iter().find(|value| value.kpi.as_str() == "availability").unwrap();
    assert_eq!((availability.value, availability.coverage), (Some(40.0 / 60.0), Some(1.0 / 24.0)));
}

#[test]
fn silence_becomes_no_data_and_never_downtime() {
    let silent =
        run(&[batch(0, vec![sample(STATE, 0, MachineState::Producing.code())]), batch(0, vec![])], &[0, 7_200_000]);
    let hour = find(&silent.records, "press-1", Grain::Hour);
    assert_eq!(hour.facts.amount(Measure::Apt), i128::from(5 * MINUTE_MS));
    assert_eq!(hour.facts.amount(Measure::NoData), i128::from(55 * MINUTE_MS));
    assert_eq!(hour.facts.amount(Measure::Adot), 0);
}

#[test]
fn growth_over_a_gap_corrects_closed_minutes_and_revises_their_window_at_the_next_quarter_hour() {
    let mut lab = Lab::new(plant());
    let minute = |minute: i64| Timestamp(MORNING + minute * MINUTE_MS);
    lab.ingest(&batch(60_000, vec![sample(ENERGY, 0, 1000), sample(ENERGY, MINUTE_MS, 1001)]));
    lab.advance(minute(1));
    let closed = lab.advance(minute(70));
    let hour = find(&closed.records, "site", Grain::Hour).clone();
    assert_eq!(kpi(&hour, "electricity"), 1.0);
    lab.ingest(&batch(90 * MINUTE_MS, vec![sample(ENERGY, 90 * MINUTE_MS, 1090)]));
    let before = lab.advance(minute(92));
    assert!(before.corrections.is_empty() && before.revise.is_empty());
    let after = lab.advance(minute(105));
    let revision = after.revise.iter().find(|revision| revision.grain == Grain::Hour && revision.asset == 0).unwrap();
    assert_eq!(revision.correction.amount(Measure::Electricity), 59_000_000);
    assert_eq!(revision.correction.amount(Measure::ElectricitySubstituted), 59_000_000);
    let mut merged = Facts::default();
    let Ok(minutes) = lab.kept.facts(0, hour.window);
    minutes.iter().for_each(|(_, facts)| merged.merge_over_time(facts));
    let revised = revise(&plant(), &hour, revision, &merged).unwrap();
    assert_eq!((revised.revision, kpi(&revised, "electricity"), kpi(&revised, "peak_demand")), (2, 60.0, 60.0));
    assert_ne!(revised.inputs_digest, hour.inputs_digest);
    assert_eq!(kpi(find(&lab.finish().records, "site", Grain::Day), "electricity"), 90.0);
}

#[test]
fn a_restart_from_any_checkpoint_goes_on_as_if_nothing_had_happened() {
    let samples = hour();
    let mut whole = Engine::new(plant(), ClockState::Simulated);
    let mut cut = Engine::new(plant(), ClockState::Simulated);
    for (step, chunk) in samples.chunks(7).enumerate() {
        let at = chunk.last().unwrap().measured_at;
        let batch = SampleBatch { received_at: at, ..batch(0, chunk.to_vec()) };
        whole.ingest(&batch);
        cut.ingest(&batch);
        assert_eq!(whole.advance(at), cut.advance(at), "step {step}");
        cut = Engine::restore(plant(), ClockState::Simulated, &cut.checkpoint()).unwrap();
    }
    assert_eq!(whole.finish(), cut.finish());
}

#[test]
fn a_window_that_a_changed_configuration_opens_late_knows_what_it_has_not_seen() {
    let mut engine = Engine::new(plant(), ClockState::Simulated);
    engine.ingest(&batch(0, vec![sample(STATE, 0, MachineState::Producing.code())]));
    engine.advance(Timestamp(MORNING + 20 * MINUTE_MS));
    let mut changed = (*plant()).clone();
    changed.grains.push(Grain::Month);
    changed.assets.push(Asset { state: Some(STATE), ..asset("press-2", Some(1), Level::Unit) });
    let mut engine = Engine::restore(Arc::new(changed), ClockState::Simulated, &engine.checkpoint()).unwrap();
    let mut records = engine.advance(Timestamp(MORNING + 30 * MINUTE_MS)).records;
    records.extend(engine.finish().records);
    let month = find(&records, "press-1", Grain::Month);
    let whole: i128 = month.facts.iter().filter(|(measure, _)| (*measure as u8) < 6).map(|(_, ms)| ms).sum();
    assert_eq!(whole, 31 * 24 * 3_600_000);
    let day = find(&records, "press-2", Grain::Day);
    assert!(day.facts.amount(Measure::NoData) > 23 * 3_600_000 && day.facts.amount(Measure::Apt) == 0);
}

#[test]
fn samples_of_a_clock_that_was_never_set_take_part_in_nothing_and_are_counted() {
    let mut engine = Engine::new(plant(), ClockState::Simulated);
    let unset = Sample { measured_at: Timestamp(0), ..sample(ENERGY, 0, 900) };
    engine.ingest(&batch(60_000, vec![unset, sample(ENERGY, 0, 1000), sample(ENERGY, 60_000, 1002)]));
    let effects = engine.advance(Timestamp(MORNING + 120_000));
    assert_eq!((effects.refused.too_late, effects.corrections.len()), (1, 0));
    assert!(effects.facts.iter().all(|row| row.minute >= Timestamp(MORNING)));
}

#[test]
fn a_long_absence_is_closed_a_day_at_a_time() {
    let mut engine = Engine::new(plant(), ClockState::Simulated);
    engine.advance(Timestamp(MORNING));
    let now = Timestamp(MORNING + 3 * 86_400_000);
    let closed = |effects: &Effects| effects.facts.iter().filter(|row| row.asset.as_str() == "site").count();
    let days: Vec<(usize, bool)> = (0..4).map(|_| engine.advance(now)).map(|day| (closed(&day), day.more)).collect();
    assert_eq!(days, [(1_440, true), (1_440, true), (1_440, false), (0, false)]);
}

#[test]
fn a_corrected_transformer_ratio_books_no_jump() {
    let mut engine = Engine::new(plant(), ClockState::Simulated);
    engine.ingest(&batch(60_000, vec![sample(ENERGY, 0, 1000), sample(ENERGY, 60_000, 1001)]));
    engine.advance(Timestamp(MORNING + 120_000));
    let mut corrected = (*plant()).clone();
    corrected.tags[ENERGY.as_usize()].decoding = "x 80".to_owned();
    let checkpoint = engine.checkpoint();
    let mut engine = Engine::restore(Arc::new(corrected), ClockState::Simulated, &checkpoint).unwrap();
    engine.ingest(&batch(180_000, vec![sample(ENERGY, 120_000, 2002), sample(ENERGY, 180_000, 2004)]));
    let effects = engine.finish();
    let energy: i128 = effects.facts.iter().map(|row| row.facts.amount(Measure::Electricity)).sum();
    assert_eq!(energy, 2_000_000);
}

#[test]
fn a_checkpoint_of_another_version_or_a_damaged_one_is_refused() {
    let bytes = Engine::new(plant(), ClockState::Simulated).checkpoint();
    let restore = |bytes: &[u8]| Engine::restore(plant(), ClockState::Simulated, bytes).map(|_| ());
    assert!(restore(&bytes).is_ok());
    assert!(restore(&[&[9], &bytes[1..]].concat()).is_err());
    assert!(restore(&bytes[..bytes.len() / 2]).is_err());
    assert!(restore(&[]).is_err());
}

/// Samples of 20 minutes with their arrival, each at most the lateness bound after its instant.
fn arrivals() -> impl Strategy<Value = Vec<(Sample, i64)>> {
    let one = (0u32..4, 0i64..20 * MINUTE_MS, 0i128..7, 0i64..LATENESS_MS);
    prop::collection::vec(one, 1..120).prop_map(|drawn| {
        let mut samples: Vec<_> = drawn
            .into_iter()
            .map(|(tag, at, step, delay)| {
                let tag = TagIndex(tag);
                // Counters grow with time, states are any of the seven.
                let value = if tag == STATE { step } else { i128::from(at / 100) + step };
                (sample(tag, at, value), at + delay)
            })
            .collect();
        // One value per instant: conflicts have their own test.
        samples.sort_by_key(|(sample, _)| (sample.tag, sample.measured_at));
        samples.dedup_by_key(|(sample, _)| (sample.tag, sample.measured_at));
        samples
    })
}

fn deliver(mut arrivals: Vec<(Sample, i64)>, order: impl Fn(&(Sample, i64)) -> i64) -> Effects {
    arrivals.sort_by_key(|arrival| order(arrival));
    // The box is there before the first sample, whichever that is.
    let batches: Vec<_> = [batch(0, vec![])]
        .into_iter()
        .chain(arrivals.iter().map(|arrival| batch(order(arrival), vec![arrival.0])))
        .collect();
    let wakes: Vec<i64> = [0].into_iter().chain(arrivals.iter().map(order)).collect();
    run(&batches, &wakes)
}

proptest! {
    #[test]
    fn any_arrival_order_within_the_lateness_bound_gives_identical_final_facts(arrivals in arrivals()) {
        let by_arrival = deliver(arrivals.clone(), |(_, arrival)| *arrival);
        let by_event = deliver(arrivals, |(sample, _)| sample.measured_at.0 - MORNING);
        prop_assert_eq!(by_arrival.refused.late, 0);
        let (found, expected) = (final_facts(&by_arrival), final_facts(&by_event));
        let unlike: Vec<_> = expected.iter().filter(|(key, facts)| found.get(key) != Some(facts)).map(|(key, facts)| (key, found.get(key), facts)).collect();
        prop_assert!(unlike.is_empty(), "{unlike:?}");
        prop_assert_eq!(by_arrival.records.last(), by_event.records.last());
    }

    #[test]
    fn every_planned_millisecond_is_in_exactly_one_time_element(arrivals in arrivals()) {
        let effects = deliver(arrivals, |(_, arrival)| *arrival);
        let press = effects.facts.iter().filter(|row| row.asset.as_str() == "press-1");
        for row in press {
            let measures = [Measure::Apt, Measure::Aust, Measure::Adet, Measure::Adot, Measure::PlannedDown, Measure::NoData];
            let values = measures.map(|measure| row.facts.get(measure).unwrap());
            prop_assert!(values.iter().all(|value| *value >= 0));
            prop_assert_eq!(values.iter().sum::<i128>(), i128::from(MINUTE_MS));
        }
    }

    #[test]
    fn merging_minutes_in_any_grouping_gives_the_facts_of_the_whole(arrivals in arrivals(), cut in any::<prop::sample::Index>()) {
        let effects = deliver(arrivals, |(_, arrival)| *arrival);
        let rows: Vec<&Facts> =
            effects.facts.iter().filter(|row| row.asset.as_str() == "site").map(|row| &row.facts).collect();
        let merge = |rows: &[&Facts]| {
            rows.iter().fold(Facts::default(), |mut sum, facts| { sum.merge_over_time(facts); sum })
        };
        let (left, right) = rows.split_at(cut.index(rows.len() + 1));
        let mut backwards = merge(right);
        backwards.merge_over_time(&merge(left));
        prop_assert_eq!(backwards.to_bytes(), merge(&rows).to_bytes());
    }
}

/// The facts of each asset and minute as they were computed last.
fn final_facts(effects: &Effects) -> BTreeMap<(AssetId, Timestamp), Facts> {
    let rows = effects.facts.iter().chain(&effects.corrections);
    rows.map(|row| ((row.asset.clone(), row.minute), row.facts.clone())).collect()
}
