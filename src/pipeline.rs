//! The one loop: next event → engine → pages → `store.commit` → acknowledge.
//!
//! In: [`SampleBatch`]es of all sources through one bounded queue, and the clock. Out: commits; after each, the number
//! of the last committed delivery to every source, and the commit's number to every sink. A source is acknowledged
//! only after the one transaction that holds its samples. If a commit fails, the engine in memory is rebuilt from the
//! store and the same batches are tried again; the full queue holds the sources back meanwhile.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::task::block_in_place;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_util::sync::CancellationToken;

use crate::engine::plant::Plant;
use crate::engine::{CheckpointError, Effects, Engine, Refused, Revision, kpi, reissue, revise};
use crate::ledger::key::GatewayKey;
use crate::ledger::page::SignedPage;
use crate::ledger::stream::Stream;
use crate::model::fact::Measure;
use crate::model::id::{AssetId, GatewayId, StreamName};
use crate::model::record::{ClockState, KpiId, WindowRecord};
use crate::model::sample::SampleBatch;
use crate::model::share::SharePolicy;
use crate::model::time::{Grain, Timestamp, Window};
use crate::runtime::backoff::Backoff;
use crate::runtime::clock::Clock;
use crate::runtime::health::{Health, Status};
use crate::store::{Commit, Decision, Reader, Store, StoreError};

/// Batches that wait for the pipeline, at most; a source that finds the queue full waits.
pub const INBOX_BATCHES: usize = 256;

/// Longest wait from a batch's arrival to its commit, I/O time: bounds what a power cut can take from sources that
/// can't deliver again.
const COMMIT_INTERVAL: Duration = Duration::from_millis(250);

/// The input counts as idle after this time without a batch, I/O time; then a commit gains nothing by waiting.
const IDLE: Duration = Duration::from_millis(20);

/// Samples of one commit, at most; more wait for the next, so that a commit's memory and duration are bounded.
const COMMIT_SAMPLES_MAX: usize = 50_000;

/// How long a sample may be on its way from its instant to this loop, I/O time: the engine is advanced to this long
/// ago, so that a read under way doesn't come late for a source whose lateness is 0.
const TRANSIT: Duration = Duration::from_millis(500);

/// How often the engine is woken without input. **Unit**: ms of plant time.
const WAKE_MS: i64 = 5_000;

/// A clock set back by more than this is a lost guarantee. **Unit**: ms.
const CLOCK_STEP_MS: i64 = 2_000;

/// Shortest wait between two wakings without input, I/O time: scaled plant time must not spin.
const WAKE_MIN: Duration = Duration::from_millis(50);

/// What stops the loop.
#[derive(Debug, thiserror::Error)]
pub enum PipelineError {
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The checkpoint can't be read, and the journal no longer holds everything before it.
    #[error("the engine can't go on from the store: {0}")]
    Checkpoint(#[from] CheckpointError),
}

impl PipelineError {
    fn decision(&self) -> Decision {
        match self {
            Self::Store(error) => error.decision(),
            Self::Checkpoint(_) => Decision::Stop,
        }
    }
}

/// One destination's stream, as configured.
#[derive(Debug, Clone)]
pub struct StreamPolicy {
    /// Its name: the sink's.
    pub name: StreamName,
    /// The epoch in which it writes.
    pub epoch: u32,
    /// What may leave.
    pub policy: SharePolicy,
}

/// What one step made durable.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Step {
    /// Number of the commit; 0 where there was nothing to commit.
    pub seq: u64,
    /// Samples in it.
    pub samples: usize,
    /// Records in it, revisions included.
    pub records: usize,
    /// Pages in it.
    pub pages: usize,
    /// Samples that took part in nothing.
    pub refused: Refused,
}

impl Step {
    fn then(self, later: Self) -> Self {
        Self {
            seq: self.seq.max(later.seq),
            records: self.records + later.records,
            pages: self.pages + later.pages,
            ..self
        }
    }
}

/// Engine, streams and store, moved together. Synchronous, so that replay uses the very same steps.
#[derive(Debug)]
pub struct Pipeline {
    plant: Arc<Plant>,
    clock_state: ClockState,
    gateway: GatewayId,
    policies: Vec<StreamPolicy>,
    key: GatewayKey,
    store: Store,
    reader: Reader,
    engine: Engine,
    streams: Vec<Stream>,
}

impl Pipeline {
    /// Goes on where the store ends: checkpoint, then the journal after it.
    ///
    /// # Errors
    /// [`PipelineError`]; nothing can run without the store.
    pub fn open(
        plant: Arc<Plant>,
        clock_state: ClockState,
        gateway: GatewayId,
        policies: Vec<StreamPolicy>,
        key: GatewayKey,
        store: Store,
    ) -> Result<Self, PipelineError> {
        let mut pipeline = Self {
            engine: Engine::new(Arc::clone(&plant), clock_state),
            streams: Vec::new(),
            reader: store.reader(),
            plant,
            clock_state,
            gateway,
            policies,
            key,
            store,
        };
        pipeline.rebuild()?;
        Ok(pipeline)
    }

    /// Takes what the sources delivered, advances plant time to `now` and commits what came of it.
    ///
    /// # Errors
    /// [`PipelineError`]: the store is unchanged and the pipeline must be [rebuilt](Pipeline::rebuild) before the same
    /// batches are tried again.
    pub fn step(&mut self, batches: &[SampleBatch], now: Timestamp) -> Result<Step, PipelineError> {
        for batch in batches {
            self.engine.ingest(batch);
        }
        self.advance(batches, now)
    }

    /// Advances the engine and commits, as often as more minutes are due than one commit closes.
    fn advance(&mut self, batches: &[SampleBatch], now: Timestamp) -> Result<Step, PipelineError> {
        let effects = self.engine.advance(now);
        let mut more = effects.more;
        let mut step = self.commit(batches, now, effects)?;
        while more {
            let effects = self.engine.advance(now);
            more = effects.more;
            step = step.then(self.commit(&[], now, effects)?);
        }
        Ok(step)
    }

    /// As [`Pipeline::step`], without keeping the samples: they are kept where they come from.
    ///
    /// # Errors
    /// As [`Pipeline::step`].
    pub fn replay(&mut self, batches: &[SampleBatch], now: Timestamp) -> Result<Step, PipelineError> {
        for batch in batches {
            self.engine.ingest(batch);
        }
        self.advance(&[], now)
    }

    /// Closes every window as it stands: the end of a recording.
    ///
    /// # Errors
    /// As [`Pipeline::step`].
    pub fn finish(&mut self, now: Timestamp) -> Result<Step, PipelineError> {
        let effects = self.engine.finish();
        self.commit(&[], now, effects)
    }

    /// Rebuilds engine and streams from the store, after a failed commit or at the start.
    ///
    /// # Errors
    /// [`PipelineError`] where the store can't be read.
    pub fn rebuild(&mut self) -> Result<(), PipelineError> {
        let resume = self.store.resume()?;
        let plant = Arc::clone(&self.plant);
        self.engine = match &resume.checkpoint {
            Some(bytes) => Engine::restore(plant, self.clock_state, bytes)?,
            None => Engine::new(plant, self.clock_state),
        };
        let open = |policy: &StreamPolicy| {
            let head = resume.heads.get(&policy.name).copied();
            Stream::open(
                self.gateway.clone(),
                policy.name.clone(),
                policy.epoch,
                policy.policy.clone(),
                head,
                measures_of,
            )
        };
        self.streams = self.policies.iter().map(open).collect();
        let mut effects = Effects::default();
        for entry in &resume.journal {
            entry.batches.iter().for_each(|batch| self.engine.ingest(batch));
            effects.merge(self.engine.advance(entry.now));
        }
        // Under the configuration that wrote the journal nothing closes here: a closing commits a checkpoint. Under a
        // changed one it may, and then it is new; the checkpoint that goes with it stands after the whole journal.
        if let Some(last) = resume.journal.last().filter(|_| effects.has_closed()) {
            self.commit(&[], last.now, effects)?;
        }
        Ok(())
    }

    /// Returns a reader of the store.
    pub fn reader(&self) -> Reader {
        self.reader.clone()
    }

    /// Moves staged samples into chunks while that is due, one bounded step a call.
    ///
    /// # Errors
    /// [`StoreError`]: nothing has moved, and the next call tries again.
    pub fn compact(&mut self) -> Result<(), StoreError> {
        if self.store.is_compaction_due() {
            self.store.compact()?;
        }
        Ok(())
    }

    fn commit(&mut self, batches: &[SampleBatch], now: Timestamp, effects: Effects) -> Result<Step, PipelineError> {
        let mut records = Vec::with_capacity(effects.records.len());
        for closed in &effects.records {
            records.push(self.issued(closed, &effects)?);
        }
        for revision in &effects.revise {
            records.extend(self.revised(revision, &effects)?);
        }
        let pages = self.cut_pages(now, &records);
        if batches.is_empty() && pages.is_empty() && !effects.moved && !effects.has_closed() {
            return Ok(Step { refused: effects.refused, ..Step::default() });
        }
        let checkpoint = effects.has_closed().then(|| self.engine.checkpoint());
        let seq = self.store.commit(&Commit {
            now,
            batches,
            facts: &effects.facts,
            corrections: &effects.corrections,
            records: &records,
            pages: &pages,
            checkpoint: checkpoint.as_deref(),
        })?;
        let samples = batches.iter().map(|batch| batch.samples.len()).sum();
        Ok(Step { seq, samples, records: records.len(), pages: pages.len(), refused: effects.refused })
    }

    fn cut_pages(&mut self, now: Timestamp, records: &[WindowRecord]) -> Vec<SignedPage> {
        let (config, key) = (self.plant.config, &self.key);
        self.streams.iter_mut().flat_map(|stream| stream.cut(now, config, records, key)).collect()
    }

    /// Returns the record to publish of a window that closes: as it is, unless the window was published before (its
    /// shift was changed) or half-hour blocks in it were corrected while it was open.
    fn issued(&self, closed: &WindowRecord, effects: &Effects) -> Result<WindowRecord, PipelineError> {
        let published = self.store.revised(&closed.asset, closed.grain, closed.window)?;
        let has_corrected_blocks =
            closed.grain >= Grain::HalfHour && closed.facts.amount(Measure::ElectricitySubstituted) != 0;
        if published.is_none() && !has_corrected_blocks {
            return Ok(closed.clone());
        }
        let peak = match has_corrected_blocks {
            true => self.peak(&closed.asset, closed.window, effects)?,
            false => None,
        };
        let revision = published.map_or(1, |published| published + 1);
        Ok(reissue(&self.plant, closed, revision, peak).unwrap_or_else(|| closed.clone()))
    }

    /// Returns the largest half-hour block of a window: of stored minutes, corrected, and of those that close now.
    fn peak(&self, asset: &AssetId, window: Window, effects: &Effects) -> Result<Option<i128>, PipelineError> {
        let mut peaks: BTreeMap<Timestamp, i128> = BTreeMap::new();
        let stored = self.store.facts(asset, window.start, window.end)?;
        let closing = effects.facts.iter().filter(|row| row.asset == *asset && window.contains(row.minute));
        for (minute, facts) in
            stored.iter().map(|(at, facts)| (*at, facts)).chain(closing.map(|row| (row.minute, &row.facts)))
        {
            if let Some(peak) = facts.get(Measure::HalfHourPeak) {
                peaks.insert(minute, peak);
            }
        }
        for row in effects.corrections.iter().filter(|row| row.asset == *asset) {
            if let Some(peak) = peaks.get_mut(&row.minute) {
                *peak += row.facts.amount(Measure::HalfHourPeak);
            }
        }
        Ok(peaks.into_values().max())
    }

    /// Returns the next revision of a closed window's record; `None` where it had none.
    fn revised(&self, revision: &Revision, effects: &Effects) -> Result<Option<WindowRecord>, PipelineError> {
        let Some(asset) = self.plant.assets.get(revision.asset) else { return Ok(None) };
        let Some(previous) = self.reader.record(&asset.id, revision.grain, revision.window.start)? else {
            return Ok(None);
        };
        let mut peak = previous.facts.get(Measure::HalfHourPeak);
        if revision.correction.amount(Measure::Electricity) != 0 {
            peak = self.peak(&asset.id, revision.window, effects)?.or(peak);
        }
        Ok(revise(&self.plant, &previous, revision, peak))
    }
}

/// Returns the facts a KPI rests on; a name that the catalogue doesn't have rests on none.
pub fn measures_of(kpi: &KpiId) -> &'static [Measure] {
    kpi::find(kpi.as_str()).map_or(&[], |definition| definition.measures)
}

/// The two directions of the loop's neighbours.
#[derive(Debug)]
pub struct Ends {
    /// What the sources deliver.
    pub inbox: mpsc::Receiver<SampleBatch>,
    /// By source position: the highest delivery that is committed.
    pub committed: Vec<watch::Sender<u64>>,
    /// The newest commit, for the sinks.
    pub wake: watch::Sender<u64>,
}

/// Runs the loop until `token` is cancelled and the sources have gone, or the store can't go on.
///
/// # Errors
/// [`PipelineError`] where trying again can't help; a human is needed.
pub async fn run(
    mut pipeline: Pipeline,
    mut ends: Ends,
    clock: &Clock,
    health: &Health,
    token: &CancellationToken,
) -> Result<(), PipelineError> {
    let mut backoff = Backoff::new(Duration::from_millis(500), Duration::from_secs(30));
    for component in ["engine", "pipeline", "store"] {
        health.set(component, Status::Ok, "", clock.now());
    }
    loop {
        let batches = gather(&mut ends.inbox, clock, token).await;
        loop {
            let now = clock.now() - clock.plant_ms(TRANSIT);
            watch_clock(pipeline.engine.now(), clock.now(), health);
            match block_in_place(|| pipeline.step(&batches, now)) {
                Ok(step) => {
                    backoff.reset();
                    report(step, &batches, &ends, clock, health);
                    break;
                }
                Err(error) if error.decision() == Decision::Stop => {
                    health.set("store", Status::Failed, error.to_string(), now);
                    return Err(error);
                }
                Err(error) => {
                    if health.set("store", Status::Failed, error.to_string(), now) {
                        tracing::error!("nothing can be committed, sources are held back: {error}");
                    }
                    if token.is_cancelled() {
                        return Err(error);
                    }
                    tokio::time::sleep(backoff.delay(fastrand::f64())).await;
                    block_in_place(|| pipeline.rebuild())?;
                }
            }
        }
        if let Err(error) = block_in_place(|| pipeline.compact()) {
            tracing::warn!("compaction is put off: {error}");
        }
        if token.is_cancelled() && ends.inbox.is_empty() {
            return Ok(());
        }
    }
}

/// Waits for the first batch or the next waking, then gathers until the input goes idle, the commit interval has
/// passed, or a commit is full.
async fn gather(inbox: &mut mpsc::Receiver<SampleBatch>, clock: &Clock, token: &CancellationToken) -> Vec<SampleBatch> {
    let mut batches = Vec::new();
    let tick = Instant::now() + WAKE_MIN;
    let wake = async {
        clock.sleep_until(clock.now() + WAKE_MS).await;
        tokio::time::sleep_until(tick).await;
    };
    tokio::select! {
        biased;
        first = inbox.recv() => match first {
            Some(first) => batches.push(first),
            // The sources have gone; the loop ends with its token.
            None => token.cancelled().await,
        },
        () = token.cancelled() => {}
        () = wake => {}
    }
    let deadline = Instant::now() + COMMIT_INTERVAL;
    let mut samples: usize = batches.iter().map(|batch| batch.samples.len()).sum();
    while !batches.is_empty() && samples < COMMIT_SAMPLES_MAX {
        match timeout_at(deadline, timeout(IDLE, inbox.recv())).await {
            Ok(Ok(Some(batch))) => {
                samples += batch.samples.len();
                batches.push(batch);
            }
            _ => break,
        }
    }
    batches
}

/// Shows a clock that was set back: until it has caught up, nothing new can be placed in time.
fn watch_clock(advanced_to: Timestamp, now: Timestamp, health: &Health) {
    let behind_ms = advanced_to.ms_since(now);
    let changed = if behind_ms > CLOCK_STEP_MS {
        let detail = format!("the clock stands {} s before what it has shown already", behind_ms / 1000);
        health.set("clock", Status::Failed, detail, now)
    } else {
        health.set("clock", Status::Ok, "", now)
    };
    if changed && behind_ms > CLOCK_STEP_MS {
        tracing::error!("the clock was set back by {} s: samples in between are kept but not used", behind_ms / 1000);
    }
}

fn report(step: Step, batches: &[SampleBatch], ends: &Ends, clock: &Clock, health: &Health) {
    for batch in batches {
        if let Some(committed) = ends.committed.get(usize::from(batch.source.0)) {
            committed.send_if_modified(|through| {
                let is_newer = batch.delivery > *through;
                *through = batch.delivery.max(*through);
                is_newer
            });
        }
    }
    if step.seq > 0 {
        ends.wake.send_replace(step.seq);
    }
    health.set("store", Status::Ok, "", clock.now());
    health.count("pipeline", "samples", step.samples as u64);
    health.count("pipeline", "records", step.records as u64);
    health.count("pipeline", "pages", step.pages as u64);
    health.count("pipeline", "commits", u64::from(step.seq > 0));
    health.count("engine", "late_samples", step.refused.late);
    health.count("engine", "duplicate_samples", step.refused.duplicate);
    health.count("engine", "samples_ahead_of_the_clock", step.refused.ahead);
    health.count("engine", "samples_too_old", step.refused.too_old);
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use jiff::civil::Time;

    use super::{
        Arc, Clock, ClockState, Ends, GatewayKey, Health, KpiId, Pipeline, Plant, Reader, SampleBatch, SharePolicy,
        Store, StreamPolicy, Timestamp, WindowRecord, mpsc, run, watch,
    };
    use crate::engine::calendar::{Calendar, Shift};
    use crate::engine::tests::{MORNING, batch, hour, plant};
    use crate::ledger::verify::verify_page;
    use crate::model::id::{GatewayId, StreamName};
    use crate::model::number::Number;
    use crate::model::record::Level;
    use crate::model::sample::{Quality, Sample};
    use crate::model::tag::TagIndex;
    use crate::model::time::Grain;
    use tokio_util::sync::CancellationToken;

    fn stream() -> StreamName {
        StreamName::new("hepza").unwrap()
    }

    fn open(store: Store) -> Pipeline {
        let kpis = vec![KpiId::of("electricity"), KpiId::of("oee")];
        let policy = SharePolicy { kpis, level: Level::Site, grain: Grain::QuarterHour };
        let policies = vec![StreamPolicy { name: stream(), epoch: 1, policy }];
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

    /// The plant with a shift from 07:00 to `to`, of which records are made.
    fn plant_with_shift(to: i8) -> Arc<Plant> {
        let mut plant = (*plant()).clone();
        let (from, to) = (Time::constant(7, 0, 0, 0), Time::constant(to, 0, 0, 0));
        let shift = Shift { name: "ca-1".to_owned(), from, to };
        plant.calendar = Calendar::new(plant.calendar.zone().clone(), vec![shift], [], []);
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
        let day = pipeline
            .reader()
            .record(&plant.assets[0].id, Grain::Day, Timestamp(MORNING - 7 * 3_600_000))
            .unwrap()
            .unwrap();
        let peak = day.kpis.iter().find(|value| value.kpi.as_str() == "peak_demand").and_then(|value| value.value);
        assert_eq!(peak.map(f64::round), Some(120.0));
    }

    #[test]
    fn replaying_the_journal_gives_the_records_that_the_box_kept() {
        let plant = plant();
        let kept = run_hour(open(Store::open_in_memory(&plant.tags, plant.config, "").unwrap()), |_, same| same);
        let mut again = open(Store::open_in_memory(&plant.tags, plant.config, "").unwrap());
        for entry in kept.store.journal(1, 10_000).unwrap() {
            again.replay(&entry.batches, entry.now).unwrap();
        }
        assert_eq!(records(&again.reader()), records(&kept.reader()));
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
            assert!(
                read.records.iter().all(|record| record.level == Level::Site && record.grain == Grain::QuarterHour)
            );
            let text = String::from_utf8(page.bytes.clone()).unwrap();
            assert!(!text.contains("press-1") && !text.contains("peak") && !text.contains("specific_energy"));
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
}
