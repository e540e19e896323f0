//! The loop as a whole: crashes, corrections, swaps, and what leaves.

mod keys;
mod shares;

use std::collections::BTreeSet;
use std::path::Path;

use jiff::civil::Time;

use super::{
    Arc, Clock, ClockState, Duration, Ends, Health, Kept, KpiId, Measure, Pipeline, Plant, Reader, SampleBatch, Status,
    Step, Store, StreamPolicy, Swap, SwapOutcome, Timestamp, Told, WindowRecord, mpsc, run, watch,
};
use crate::engine::calendar::{Calendar, Shift};
use crate::engine::context::ContextTally;
use crate::engine::tests::{MORNING, batch, hour, plant};
use crate::ledger::key::GatewayKey;
use crate::ledger::page::{SharedRecord, SignedPage};
use crate::ledger::verify::{read_page, verify_page};
use crate::model::fact::Facts;
use crate::model::id::{AssetId, Digest, GatewayId, StreamName};
use crate::model::number::Number;
use crate::model::record::{Level, Reason};
use crate::model::sample::{Quality, Sample};
use crate::model::share::SharePolicy;
use crate::model::tag::TagIndex;
use crate::model::time::{Grain, Window};
use crate::store::tests::{hold, make_impatient, schema_1_in, schema_2_in};
use crate::store::{SwapRow, Swaps, epoch_cursor, reached_cursor};
use tokio_util::sync::CancellationToken;

fn stream() -> StreamName {
    StreamName::new("hepza").unwrap()
}

fn open(store: Store) -> Pipeline {
    open_in_epoch(1, store)
}

fn open_in_epoch(epoch: u32, store: Store) -> Pipeline {
    let kpis = vec![KpiId::of("electricity"), KpiId::of("oee")];
    let policy = SharePolicy { kpis, level: Level::Site, grain: Grain::QuarterHour };
    let policies = vec![StreamPolicy { name: stream(), epoch, policy }];
    let gateway = GatewayId::new("tt-0042").unwrap();
    let key = GatewayKey::from_seed([7; 32]);
    Pipeline::open(plant(), ClockState::Simulated, gateway, policies, key, store).unwrap()
}

fn store_in(directory: &Path) -> Store {
    let plant = plant();
    Store::open(directory, &plant.tags, plant.config, "test").unwrap()
}

fn batches() -> Vec<SampleBatch> {
    let of = |(number, samples): (usize, &[Sample])| {
        let at = samples.last().unwrap().measured_at.0 - MORNING;
        SampleBatch { delivery: number as u64 + 1, ..batch(at, samples.to_vec()) }
    };
    hour().chunks(8).enumerate().map(of).collect()
}

fn records(reader: &Reader) -> Vec<WindowRecord> {
    reader.records_after(0, 10_000).unwrap().into_iter().map(|(_, record)| record).collect()
}

/// Runs the hour and 10 minutes more; `between` is called after each step.
fn run_hour(pipeline: Pipeline, mut between: impl FnMut(usize, Pipeline) -> Pipeline) -> Pipeline {
    let mut pipeline = pipeline;
    for (position, batch) in batches().iter().enumerate() {
        pipeline.step(std::slice::from_ref(batch), batch.received_at).unwrap();
        pipeline = between(position, pipeline);
    }
    pipeline.step(&[], Timestamp(MORNING + 4_200_000)).unwrap();
    pipeline
}

#[test]
fn a_box_that_dies_after_any_commit_ends_with_the_records_of_one_that_never_did() {
    let plant = plant();
    let whole = run_hour(open(Store::open_in_memory(&plant.tags, plant.config, "").unwrap()), |_, same| same);
    let directory = tempfile::tempdir().unwrap();
    let cut = run_hour(open(store_in(directory.path())), |position, pipeline| {
        if position % 3 != 1 {
            return pipeline;
        }
        drop(pipeline);
        open(store_in(directory.path()))
    });
    let expected = records(&whole.reader());
    assert!(expected.len() > 12, "{}", expected.len());
    assert_eq!(records(&cut.reader()), expected);
}

#[test]
fn a_record_says_how_far_the_clock_could_be_trusted_whenever_the_box_died() {
    let plant = plant();
    let state =
        |position| if (10..12).contains(&position) { ClockState::Unsynchronised } else { ClockState::Synchronised };
    let clocked = |position, mut pipeline: Pipeline| {
        pipeline.set_clock_state(state(position));
        pipeline
    };
    let whole = clocked(0, open(Store::open_in_memory(&plant.tags, plant.config, "").unwrap()));
    let whole = run_hour(whole, clocked);
    let directory = tempfile::tempdir().unwrap();
    let cut = run_hour(clocked(0, open(store_in(directory.path()))), |position, pipeline| {
        drop(pipeline);
        clocked(position, open(store_in(directory.path())))
    });
    let expected = records(&whole.reader());
    let count = |state| expected.iter().filter(|record| record.clock == state).count();
    let (trusted, doubted) = (count(ClockState::Synchronised), count(ClockState::Unsynchronised));
    assert!(trusted > 0 && doubted > 0 && trusted + doubted == expected.len(), "{trusted} and {doubted}");
    assert_eq!(records(&cut.reader()), expected);
}

/// The plant with a shift from 07:00 to `to`, of which records are made.
fn plant_with_shift(to: i8) -> Arc<Plant> {
    let mut plant = (*plant()).clone();
    let (from, to) = (Time::constant(7, 0, 0, 0), Time::constant(to, 0, 0, 0));
    let shift = Shift::new("ca-1", from, to);
    plant.calendars[0] = Calendar::new(plant.calendars[0].zone().clone(), vec![shift], [], []);
    plant.grains = vec![Grain::QuarterHour, Grain::Shift];
    Arc::new(plant)
}

#[test]
fn a_shift_that_is_prolonged_after_it_was_published_becomes_its_next_revision() {
    let directory = tempfile::tempdir().unwrap();
    let open = |plant: Arc<Plant>| {
        let gateway = GatewayId::new("tt-0042").unwrap();
        let key = GatewayKey::from_seed([7; 32]);
        let store = store_in(directory.path());
        Pipeline::open(plant, ClockState::Simulated, gateway, Vec::new(), key, store).unwrap()
    };
    let mut short = open(plant_with_shift(8));
    short
        .step(
            &[SampleBatch { received_at: Timestamp(MORNING + 3_600_000), ..batch(0, hour()) }],
            Timestamp(MORNING + 3_720_000),
        )
        .unwrap();
    drop(short);
    let mut long = open(plant_with_shift(9));
    long.step(&[], Timestamp(MORNING + 3 * 3_600_000)).unwrap();
    let shifts: Vec<_> = records(&long.reader())
        .into_iter()
        .filter(|record| record.grain == Grain::Shift && record.asset.as_str() == "press-1")
        .map(|record| (record.window.length_ms() / 3_600_000, record.revision))
        .collect();
    assert_eq!(shifts, [(1, 1), (2, 2)]);
}

#[test]
fn a_half_hour_corrected_while_its_day_is_open_shows_in_the_peak_of_the_day() {
    let plant = plant();
    let mut pipeline = open(Store::open_in_memory(&plant.tags, plant.config, "").unwrap());
    let energy = |minute: i64, kwh: i128| Sample {
        tag: TagIndex(3),
        measured_at: Timestamp(MORNING + minute * 60_000),
        value: Some(Number::Integer(kwh)),
        quality: Quality::Good,
    };
    let mut step = |minute: i64, samples| {
        let at = Timestamp(MORNING + minute * 60_000);
        pipeline.step(&[SampleBatch { received_at: at, ..batch(0, samples) }], at + 60_000).unwrap();
    };
    step(1, vec![energy(0, 1000), energy(1, 1001)]);
    step(100, vec![]);
    step(121, vec![energy(121, 1241)]);
    step(24 * 60, vec![]);
    let day =
        pipeline.reader().record(&plant.assets[0].id, Grain::Day, Timestamp(MORNING - 7 * 3_600_000)).unwrap().unwrap();
    let peak = day.kpis.iter().find(|value| value.kpi.as_str() == "peak_demand").and_then(|value| value.value);
    assert_eq!(peak.map(f64::round), Some(120.0));
}

/// Replays the journal of a box in an empty one.
fn replayed(kept: &Pipeline) -> Pipeline {
    let mut again = open(Store::open_in_memory(&plant().tags, plant().config, "").unwrap());
    for entry in kept.store.journal(1, 10_000).unwrap() {
        again.set_clock_state(entry.clock);
        let told = Told { swaps: &entry.swaps, statements: &entry.statements };
        again.replay(told, &entry.batches, entry.now, Kept::Elsewhere(&kept.store, entry.seq)).unwrap();
    }
    again
}

#[test]
fn replaying_the_journal_gives_the_records_that_the_box_kept() {
    let plant = plant();
    let kept = run_hour(open(Store::open_in_memory(&plant.tags, plant.config, "").unwrap()), |_, same| same);
    assert_eq!(records(&replayed(&kept).reader()), records(&kept.reader()));
}

#[test]
fn replaying_the_journal_gives_each_record_the_clock_that_the_box_had() {
    let plant = plant();
    let mut kept = open(Store::open_in_memory(&plant.tags, plant.config, "").unwrap());
    kept.set_clock_state(ClockState::Unsynchronised);
    // Nothing comes of the first commit but what is in the journal.
    let first = Sample { measured_at: Timestamp(MORNING), ..hour()[0] };
    kept.step(&[batch(0, vec![first])], Timestamp(MORNING)).unwrap();
    kept.set_clock_state(ClockState::Synchronised);
    let kept = run_hour(kept, |position, mut pipeline| {
        let is_lost = (20..22).contains(&position);
        pipeline.set_clock_state(if is_lost { ClockState::Unsynchronised } else { ClockState::Synchronised });
        pipeline
    });
    let clocks = |pipeline: &Pipeline| -> Vec<ClockState> {
        records(&pipeline.reader()).iter().map(|record| record.clock).collect()
    };
    let states: BTreeSet<_> = clocks(&kept).into_iter().map(ClockState::code).collect();
    assert_eq!((states.len(), clocks(&kept)[0]), (2, ClockState::Unsynchronised), "{:?}", clocks(&kept));
    assert_eq!(records(&replayed(&kept).reader()), records(&kept.reader()));
}

#[test]
fn what_leaves_is_a_signed_chain_that_holds_only_what_is_shared() {
    let plant = plant();
    let pipeline = run_hour(open(Store::open_in_memory(&plant.tags, plant.config, "").unwrap()), |_, same| same);
    let pages = pipeline.reader().pages_after(&stream(), 1, 0, 1_000).unwrap();
    let key = GatewayKey::from_seed([7; 32]).verifying();
    assert!(pages.len() >= 4);
    for pair in pages.windows(2) {
        assert_eq!((pair[1].seq, pair[1].prev), (pair[0].seq + 1, pair[0].hash));
    }
    for page in &pages {
        let read = verify_page(&page.bytes, &page.jws, &key).unwrap();
        assert!(read.records.iter().all(|record| record.level == Level::Site && record.grain == Grain::QuarterHour));
        let text = String::from_utf8(page.bytes.clone()).unwrap();
        assert!(!text.contains("press-1") && !text.contains("peak") && !text.contains("specific_energy"));
    }
}

/// The pages of an epoch and the records in them.
fn pages_of(reader: &Reader, epoch: u32) -> (Vec<SignedPage>, Vec<SharedRecord>) {
    let pages = reader.pages_after(&stream(), epoch, 0, 1_000).unwrap();
    let records = pages.iter().flat_map(records_in).collect();
    (pages, records)
}

fn records_in(page: &SignedPage) -> Vec<SharedRecord> {
    read_page(&page.bytes).unwrap().records
}

#[test]
fn a_new_epoch_continues_the_last_acknowledged_page_and_brings_each_later_record_once() {
    // Before the sink has begun the epoch, after it has, and where nothing was ever acknowledged.
    for (acknowledged, has_begun) in [(2, false), (2, true), (0, false), (0, true)] {
        let directory = tempfile::tempdir().unwrap();
        drop(run_hour(open(store_in(directory.path())), |_, same| same));
        let store = store_in(directory.path());
        let cursors = store.cursors().unwrap();
        let (first, _) = pages_of(&store.reader(), 1);
        assert!(first.len() > 3, "{} pages", first.len());
        cursors.set("hepza", acknowledged).unwrap();
        cursors.set(&epoch_cursor("hepza"), 1).unwrap();
        if has_begun {
            cursors.set(&reached_cursor("hepza", 1), acknowledged).unwrap();
            cursors.set("hepza", 0).unwrap();
            cursors.set(&epoch_cursor("hepza"), 2).unwrap();
        }
        drop(cursors);
        let mut pipeline = open_in_epoch(2, store);
        pipeline.step(&[], Timestamp(MORNING + 4_260_000)).unwrap();
        let (second, again) = pages_of(&pipeline.reader(), 2);
        let (taken, later) = first.split_at(acknowledged as usize);
        let common = taken.last().map_or(Digest::ZERO, |page| page.hash);
        assert_eq!((second[0].seq, second[0].prev), (1, common));
        let never_taken: Vec<SharedRecord> = later.iter().flat_map(records_in).collect();
        assert_eq!(again, never_taken, "acknowledged {acknowledged}, begun {has_begun}");
        // A restart finds the epoch opened and brings nothing again.
        drop(pipeline);
        let mut pipeline = open_in_epoch(2, store_in(directory.path()));
        pipeline.step(&[], Timestamp(MORNING + 4_320_000)).unwrap();
        assert_eq!(pages_of(&pipeline.reader(), 2).0, second);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_hears_of_its_delivery_only_after_the_commit() {
    let plant = plant();
    let pipeline = open(Store::open_in_memory(&plant.tags, plant.config, "").unwrap());
    let reader = pipeline.reader();
    let (outbox, inbox) = mpsc::channel(8);
    let (committed, mut heard) = watch::channel(0);
    let (wake, woken) = watch::channel(0);
    let (clock, token) = (Clock::manual(Timestamp(MORNING)), CancellationToken::new());
    let running = tokio::spawn({
        let (clock, token) = (clock.clone(), token.clone());
        let ends = Ends { inbox, committed: vec![committed], wake };
        async move { run(pipeline, ends, &clock, &Health::default(), &token).await }
    });
    for batch in batches().into_iter().take(3) {
        outbox.send(batch).await.unwrap();
    }
    heard.wait_for(|through| *through == 3).await.unwrap();
    assert_eq!(reader.counts().unwrap().samples, 24);
    drop(outbox);
    token.cancel();
    running.await.unwrap().unwrap();
    assert!(*woken.borrow() > 0);
}

#[test]
fn a_box_brought_up_from_schema_1_goes_on_as_if_it_had_never_stopped() {
    let plant = plant();
    let whole = run_hour(open(Store::open_in_memory(&plant.tags, plant.config, "").unwrap()), |_, same| same);
    let directory = tempfile::tempdir().unwrap();
    schema_1_in(directory.path());
    let mut old = open(store_in(directory.path()));
    for batch in batches().iter().skip(10) {
        old.step(std::slice::from_ref(batch), batch.received_at).unwrap();
    }
    old.step(&[], Timestamp(MORNING + 4_200_000)).unwrap();
    assert_eq!(known_then(&old.reader()), known_then(&whole.reader()));
}

/// A record as an older program knew it: identity, measures and KPIs.
type KnownThen = ((AssetId, Grain, Window, u32), Facts, Vec<(KpiId, Option<f64>, Option<Reason>)>);

/// Returns the records with what the first release knew of them. The catalogue grows: what the old program had published
/// holds its own KPIs only.
fn known_then(reader: &Reader) -> Vec<KnownThen> {
    let known = |record: &WindowRecord| -> Vec<_> {
        let kpis = record.kpis.iter().filter(|value| KPIS_OF_SCHEMA_1.contains(&value.kpi.as_str()));
        let mut kpis: Vec<_> = kpis.map(|value| (value.kpi.clone(), value.value, value.reason)).collect();
        kpis.sort_by(|a, b| a.0.cmp(&b.0));
        kpis
    };
    let of = |record: WindowRecord| {
        let identity = (record.asset.clone(), record.grain, record.window, record.revision);
        (identity, record.facts.only(&Measure::ALL[..MEASURES_OF_SCHEMA_1]), known(&record))
    };
    records(reader).into_iter().map(of).collect()
}

#[test]
fn a_box_brought_up_from_schema_2_goes_on_as_if_it_had_never_stopped() {
    let never_stopped = tempfile::tempdir().unwrap();
    let whole = open(store_in(never_stopped.path()));
    tell_swap(never_stopped.path());
    let whole = run_hour(whole, |_, same| same);
    let directory = tempfile::tempdir().unwrap();
    schema_2_in(directory.path());
    let mut old = open(store_in(directory.path()));
    for batch in batches().iter().skip(10) {
        old.step(std::slice::from_ref(batch), batch.received_at).unwrap();
    }
    old.step(&[], Timestamp(MORNING + 4_200_000)).unwrap();
    assert_eq!(known_then(&old.reader()), known_then(&whole.reader()));
    let outcome = |dir: &Path| Swaps::open(dir).unwrap().list(None).unwrap()[0].outcome;
    assert_eq!(outcome(directory.path()), outcome(never_stopped.path()));
}

/// The KPIs that a box of schema 1 published.
const KPIS_OF_SCHEMA_1: [&str; 10] = [
    "availability",
    "effectiveness",
    "quality_ratio",
    "oee",
    "electricity",
    "specific_energy",
    "peak_demand",
    "power_factor",
    "scope_2",
    "carbon_intensity",
];

/// The measures that its facts had: the first ones.
const MEASURES_OF_SCHEMA_1: usize = 23;

/// Readings of the site's meter, each minute but the 30th: 2 kWh a minute, and from minute 31 another meter's.
fn swapped_meter() -> Vec<SampleBatch> {
    let value = |minute: i128| if minute < 30 { 1_000 + 2 * minute } else { 5 + 2 * (minute - 31) };
    let sample = |minute: i64| Sample {
        tag: TagIndex(3),
        measured_at: Timestamp(MORNING + minute * 60_000),
        value: Some(Number::Integer(value(i128::from(minute)))),
        quality: Quality::Good,
    };
    let minutes = (0..=60).filter(|minute| *minute != 30);
    minutes.map(|minute| batch(minute * 60_000, vec![sample(minute)])).collect()
}

/// Tells that the meter was swapped at minute 30: the old one ended at 1060, the new one began at 3.
fn tell_swap(dir: &Path) {
    let swap = Swap {
        id: 0,
        tag: plant().tags[3].name.clone(),
        at: Timestamp(MORNING + 30 * 60_000),
        old_final: Number::Integer(1_060),
        new_initial: Number::Integer(3),
    };
    let (reason, person) = ("calibration".to_owned(), "shift leader".to_owned());
    let told_at = Timestamp(MORNING);
    let row = SwapRow { swap, serial: None, ratio: None, reason, person, told_at, taken_by: None, outcome: None };
    Swaps::open(dir).unwrap().tell(&row).unwrap();
}

#[test]
fn a_told_swap_loses_nothing_and_invents_nothing_whenever_it_is_told() {
    for (told_at_minute, revision) in [(0, 1), (29, 1), (31, 1), (32, 1), (45, 1), (70, 2)] {
        let directory = tempfile::tempdir().unwrap();
        let dir = directory.path();
        let mut pipeline = open(store_in(dir));
        let mut last = MORNING;
        let quiet = (61..80).map(|minute| batch(minute * 60_000, vec![]));
        for batch in swapped_meter().into_iter().chain(quiet) {
            let now = batch.received_at;
            if (last..now.0).contains(&(MORNING + told_at_minute * 60_000)) {
                tell_swap(dir);
                // A box that dies right after it has taken a swap doesn't take it again.
                pipeline.step(&[], Timestamp(last)).unwrap();
                drop(pipeline);
                pipeline = open(store_in(dir));
            }
            last = now.0;
            pipeline.step(&[batch], now).unwrap();
        }
        let hour = pipeline.reader().record(&plant().assets[0].id, Grain::Hour, Timestamp(MORNING)).unwrap().unwrap();
        assert_eq!(hour.facts.get(Measure::Electricity), Some(120_000_000), "told at minute {told_at_minute}");
        assert!(hour.revision >= revision, "told at minute {told_at_minute}: revision {}", hour.revision);
        let told = Swaps::open(dir).unwrap().list(None).unwrap();
        assert_eq!(told[0].outcome, Some(SwapOutcome::Applied));
        assert!(told[0].taken_by.is_some());
        assert_eq!(
            records(&replayed(&pipeline).reader()),
            records(&pipeline.reader()),
            "told at minute {told_at_minute}"
        );
    }
}

#[test]
fn without_a_told_swap_only_what_both_meters_showed_is_counted() {
    let plant = plant();
    let mut pipeline = open(Store::open_in_memory(&plant.tags, plant.config, "").unwrap());
    for batch in swapped_meter() {
        let now = batch.received_at;
        pipeline.step(&[batch], now).unwrap();
    }
    pipeline.step(&[], Timestamp(MORNING + 4_800_000)).unwrap();
    let hour = pipeline.reader().record(&plant.assets[0].id, Grain::Hour, Timestamp(MORNING)).unwrap().unwrap();
    assert_eq!(hour.facts.get(Measure::Electricity), Some(116_000_000));
}

/// The hour of the press with the state, the parts and the energy of ten minutes coming 40 minutes late.
fn late_batches() -> Vec<SampleBatch> {
    let is_late = |sample: &Sample| (10..20).contains(&((sample.measured_at.0 - MORNING) / 60_000));
    let (late, in_time): (Vec<Sample>, Vec<Sample>) = hour().into_iter().partition(is_late);
    let mut batches: Vec<SampleBatch> = in_time
        .chunks(4)
        .map(|samples| batch(samples.last().unwrap().measured_at.0 - MORNING, samples.to_vec()))
        .collect();
    batches.extend(
        late.chunks(8).map(|samples| batch(samples[0].measured_at.0 - MORNING + 40 * 60_000, samples.to_vec())),
    );
    batches.sort_by_key(|batch| batch.received_at);
    batches
}

fn run_late(mut pipeline: Pipeline, mut between: impl FnMut(usize, Pipeline) -> Pipeline) -> Pipeline {
    pipeline.step(&[], Timestamp(MORNING)).unwrap();
    for (position, batch) in late_batches().iter().enumerate() {
        pipeline.step(std::slice::from_ref(batch), batch.received_at).unwrap();
        pipeline = between(position, pipeline);
    }
    for minute in [61, 66, 76, 91] {
        pipeline.step(&[], Timestamp(MORNING + minute * 60_000)).unwrap();
        pipeline = between(usize::try_from(minute).unwrap(), pipeline);
    }
    pipeline
}

#[test]
fn late_data_revises_the_same_wherever_the_box_died_between_and_when_its_journal_is_replayed() {
    let plant = plant();
    let in_memory = || open(Store::open_in_memory(&plant.tags, plant.config, "").unwrap());
    let whole = run_late(in_memory(), |_, same| same);
    let expected = records(&whole.reader());
    assert!(expected.iter().any(|record| record.revision > 1), "nothing was revised");
    let directory = tempfile::tempdir().unwrap();
    let cut = run_late(open(store_in(directory.path())), |_, pipeline| {
        drop(pipeline);
        open(store_in(directory.path()))
    });
    assert_eq!(records(&cut.reader()), expected);
    assert_eq!(records(&replayed(&cut).reader()), expected);
    // In the end it is as if everything had come in time.
    let mut in_time = in_memory();
    in_time.step(&[], Timestamp(MORNING)).unwrap();
    let in_time = run_hour(in_time, |_, same| same);
    for asset in &plant.assets {
        let facts = |pipeline: &Pipeline| {
            pipeline.reader().facts(&asset.id, Timestamp(MORNING), Timestamp(MORNING + 3_600_000)).unwrap()
        };
        assert_eq!(facts(&cut), facts(&in_time), "{}", asset.id);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn while_nothing_can_be_written_no_source_is_acknowledged_and_the_box_goes_on_by_itself() {
    let directory = tempfile::tempdir().unwrap();
    let store = store_in(directory.path());
    make_impatient(&store);
    let pipeline = open(store);
    let reader = pipeline.reader();
    let (outbox, inbox) = mpsc::channel(8);
    let (committed, mut heard) = watch::channel(0);
    let (wake, _woken) = watch::channel(0);
    let (clock, token, health) = (Clock::manual(Timestamp(MORNING)), CancellationToken::new(), Health::default());
    let held = hold(directory.path());
    let running = tokio::spawn({
        let (clock, token, health) = (clock.clone(), token.clone(), health.clone());
        let ends = Ends { inbox, committed: vec![committed], wake };
        async move { run(pipeline, ends, &clock, &health, &token).await }
    });
    outbox.send(batches().remove(0)).await.unwrap();
    let store_is = |health: &Health| health.snapshot().get("store").map(|store| store.status);
    let until_failed = async {
        while store_is(&health) != Some(Status::Failed) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), until_failed).await.unwrap();
    assert_eq!(*heard.borrow_and_update(), 0, "nothing is acknowledged");
    assert_eq!(reader.counts().unwrap().samples, 0);
    drop(held);
    tokio::time::timeout(Duration::from_secs(60), heard.changed()).await.unwrap().unwrap();
    assert_eq!(*heard.borrow(), 1);
    assert_eq!(reader.counts().unwrap().samples, batches()[0].samples.len() as u64, "once");
    token.cancel();
    running.await.unwrap().unwrap();
    assert_eq!(store_is(&health), Some(Status::Ok));
}

#[test]
fn what_became_of_told_context_is_summed_over_the_commits_of_a_turn() {
    let tally = |taken| ContextTally { taken, duplicate: 2 * taken, ..ContextTally::default() };
    let step = |taken| Step { context: tally(taken), ..Step::default() };
    assert_eq!(Step::default().then(step(3)).then(step(4)).context, tally(7));
}
