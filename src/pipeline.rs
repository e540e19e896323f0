//! The one loop: next event → engine → pages → `store.commit` → acknowledge.
//!
//! In: [`SampleBatch`]es of all sources through one bounded queue, and the clock. Out: commits; after each, the number
//! of the last committed delivery to every source, and the commit's number to every sink. A source is acknowledged
//! only after the one transaction that holds its samples. If a commit fails, the engine in memory is rebuilt from the
//! store and the same batches are tried again; the full queue holds the sources back meanwhile.

mod epoch;
mod keep;
mod outlet;
mod past;

pub use epoch::StreamPolicy;
pub use outlet::Keys;
pub use past::{Kept, Recording};

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::task::block_in_place;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use keep::Keeper;
use outlet::Outlet;
use past::Past;

use crate::engine::context::ContextTally;
use crate::engine::plant::Plant;
use crate::engine::{CheckpointError, Effects, Engine, Events, Refused, Revision, Stale, kpi, reissue, revise};
use crate::ledger::page::SignedPage;
use crate::model::fact::{Facts, Measure};
use crate::model::id::{AssetId, GatewayId};
use crate::model::record::{ClockState, KpiId, WindowRecord};
use crate::model::sample::SampleBatch;
use crate::model::statement::Statement;
use crate::model::swap::{Swap, SwapOutcome};
use crate::model::time::{Timestamp, Window};
use crate::runtime::backoff::Backoff;
use crate::runtime::clock::Clock;
use crate::runtime::health::{Health, Status};
use crate::store::{Commit, Decision, Reader, Store, StoreError};

/// Batches that wait for the pipeline, at most; a source that finds the queue full waits. Room for what ten thousand polls
/// a second bring while one large commit is under way: some 6 MB of polls of a hundred values.
pub const INBOX_BATCHES: usize = 1_024;

/// Longest wait from a batch's arrival to its commit, I/O time: bounds what a power cut can take from sources that
/// can't deliver again.
const COMMIT_INTERVAL: Duration = Duration::from_millis(250);

/// The input counts as idle after this time without a batch, I/O time; then a commit gains nothing by waiting.
const IDLE: Duration = Duration::from_millis(20);

/// Samples of one commit, at most; more wait for the next, so that a commit's memory and duration are bounded.
const COMMIT_SAMPLES_MAX: usize = 50_000;

/// Commits read at once while the engine is rebuilt: a minute of a large plant is more than fits into memory.
const JOURNAL_COMMITS: usize = 16;

/// Steps of compaction after one commit: so many that it is done sooner than as much is staged again.
const COMPACTION_STEPS: usize = 2;

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
    /// The checkpoint can't be read; the box stops, and the error says what to do.
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

/// What one step made durable.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
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
    /// What became of what assets were told.
    pub context: ContextTally,
    /// What happened to counters.
    pub events: Events,
}

impl Step {
    fn then(mut self, later: Self) -> Self {
        self.events.merge(later.events);
        self.context.merge(later.context);
        let refused = Refused {
            late: self.refused.late + later.refused.late,
            duplicate: self.refused.duplicate + later.refused.duplicate,
            ahead: self.refused.ahead + later.refused.ahead,
            too_late: self.refused.too_late + later.refused.too_late,
        };
        Self {
            seq: self.seq.max(later.seq),
            samples: self.samples + later.samples,
            records: self.records + later.records,
            pages: self.pages + later.pages,
            refused,
            ..self
        }
    }
}

/// What people and systems told, in the order in which the engine hears it, before the samples of the same turn.
#[derive(Debug, Clone, Copy, Default)]
pub struct Told<'a> {
    /// Meters that were swapped.
    pub swaps: &'a [Swap],
    /// Statements.
    pub statements: &'a [Statement],
}

impl Told<'_> {
    fn is_empty(&self) -> bool {
        self.swaps.is_empty() && self.statements.is_empty()
    }

    fn to(self, engine: &mut Engine) {
        self.swaps.iter().for_each(|swap| engine.tell(swap));
        self.statements.iter().for_each(|statement| engine.hear(statement));
    }
}

/// Engine, streams and store, moved together. Synchronous, so that replay uses the very same steps.
#[derive(Debug)]
pub struct Pipeline {
    plant: Arc<Plant>,
    clock_state: ClockState,
    gateway: GatewayId,
    policies: Vec<StreamPolicy>,
    keys: Keys,
    store: Store,
    reader: Reader,
    engine: Engine,
    outlets: Vec<Outlet>,
    /// Whether what waits for the factory's word is written down.
    has_asked: bool,
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
        keys: impl Into<Keys>,
        store: Store,
    ) -> Result<Self, PipelineError> {
        let mut pipeline = Self {
            engine: Engine::new(Arc::clone(&plant), clock_state),
            outlets: Vec::new(),
            has_asked: false,
            reader: store.reader(),
            plant,
            clock_state,
            gateway,
            policies,
            keys: keys.into(),
            store,
        };
        pipeline.rebuild()?;
        Ok(pipeline)
    }

    /// Says how far the clock can be trusted from the next step on.
    pub fn set_clock_state(&mut self, state: ClockState) {
        self.clock_state = state;
    }

    /// Takes what the sources delivered, advances plant time to `now` and commits what came of it.
    ///
    /// # Errors
    /// [`PipelineError`]: the store is unchanged and the pipeline must be [rebuilt](Pipeline::rebuild) before the same
    /// batches are tried again.
    pub fn step(&mut self, batches: &[SampleBatch], now: Timestamp) -> Result<Step, PipelineError> {
        self.hear_the_factory(now)?;
        let (swaps, statements) = (self.store.waiting_swaps()?, self.store.waiting_statements()?);
        let told = Told { swaps: &swaps, statements: &statements };
        told.to(&mut self.engine);
        for batch in batches {
            self.engine.ingest(batch);
        }
        match self.store.clock_state() {
            Some(_) => self.engine.observe_clock(now, self.clock_state),
            // The first commit stores the state that the clock has then.
            None => self.engine.set_clock_history([(now, self.clock_state)].into_iter().collect()),
        }
        self.advance(told, batches, now, None)
    }

    /// Advances the engine and commits, as often as more minutes are due than one commit computes. The samples of
    /// earlier turns are kept here unless `elsewhere` says where.
    fn advance(
        &mut self,
        mut told: Told<'_>,
        mut batches: &[SampleBatch],
        now: Timestamp,
        elsewhere: Option<Kept<'_>>,
    ) -> Result<Step, PipelineError> {
        let mut step = Step::default();
        loop {
            let kept = elsewhere.unwrap_or(Kept::Here(self.store.last_seq()));
            let effects = self.turn(now, kept, batches)?;
            let more = effects.more;
            step = step.then(self.commit(told, batches, now, effects)?);
            if !more {
                return Ok(step);
            }
            (told, batches) = (Told::default(), &[]);
        }
    }

    /// Computes late data again where that is due, and advances the engine once all of it is computed.
    fn turn(&mut self, now: Timestamp, kept: Kept<'_>, batches: &[SampleBatch]) -> Result<Effects, PipelineError> {
        let mut effects = Effects::default();
        if self.engine.is_recompute_due(now) {
            let past = Past { kept, own: &self.store, plant: &self.plant, batches };
            effects = self.engine.recompute(now, &past)?;
            if effects.more {
                return Ok(effects);
            }
        }
        effects.merge(self.engine.advance(now));
        Ok(effects)
    }

    /// As [`Pipeline::step`], without keeping what was told and the samples: they are `kept` where they come from.
    ///
    /// # Errors
    /// As [`Pipeline::step`].
    pub fn replay(
        &mut self,
        told: Told<'_>,
        batches: &[SampleBatch],
        now: Timestamp,
        kept: Kept<'_>,
    ) -> Result<Step, PipelineError> {
        told.to(&mut self.engine);
        for batch in batches {
            self.engine.ingest(batch);
        }
        self.advance_replayed(now, kept)
    }

    /// As [`Pipeline::replay`], of samples that arrived by `now` and are there tag by tag.
    ///
    /// # Errors
    /// As [`Pipeline::step`].
    pub fn replay_columns(
        &mut self,
        told: Told<'_>,
        arrived: &Recording,
        now: Timestamp,
        kept: Kept<'_>,
    ) -> Result<Step, PipelineError> {
        told.to(&mut self.engine);
        for run in arrived.runs() {
            self.engine.ingest_run(run, now);
        }
        self.advance_replayed(now, kept)
    }

    fn advance_replayed(&mut self, now: Timestamp, kept: Kept<'_>) -> Result<Step, PipelineError> {
        // Whether or not it is committed here: where it comes from, it was.
        self.engine.observe_clock(now, self.clock_state);
        self.advance(Told::default(), &[], now, Some(kept))
    }

    /// Closes every window as it stands: the end of a recording.
    ///
    /// # Errors
    /// As [`Pipeline::step`].
    pub fn finish(&mut self, now: Timestamp, kept: Kept<'_>) -> Result<Step, PipelineError> {
        self.engine.settle();
        let mut step = Step::default();
        while self.engine.is_recompute_due(now) {
            let past = Past { kept, own: &self.store, plant: &self.plant, batches: &[] };
            let effects = self.engine.recompute(now, &past)?;
            step = step.then(self.commit(Told::default(), &[], now, effects)?);
        }
        let effects = self.engine.finish();
        Ok(step.then(self.commit(Told::default(), &[], now, effects)?))
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
        self.engine.set_clock_history(resume.clock.into_iter().collect());
        self.engine.forget_before(self.store.kept_from()?);
        (self.outlets, self.has_asked) = (Vec::new(), false);
        for policy in &self.policies {
            let head = resume.heads.get(&policy.name).copied();
            self.outlets.push(Outlet::open(&self.reader, self.gateway.clone(), policy, head, &self.keys)?);
        }
        let mut effects = Effects::default();
        let (mut through, mut last) = (resume.after, None);
        loop {
            let journal = self.store.journal(through + 1, JOURNAL_COMMITS)?;
            for entry in &journal {
                Told { swaps: &entry.swaps, statements: &entry.statements }.to(&mut self.engine);
                entry.batches.iter().for_each(|batch| self.engine.ingest(batch));
                effects.merge(self.turn(entry.now, Kept::Here(entry.seq), &[])?);
                (through, last) = (entry.seq, Some(entry.now));
            }
            if journal.is_empty() {
                break;
            }
        }
        // Under the configuration that wrote the journal nothing closes here: a closing commits a checkpoint. Under a
        // changed one it may, and then it is new; the checkpoint that goes with it stands after the whole journal.
        if let Some(last) = last.filter(|_| effects.has_closed()) {
            self.commit(Told::default(), &[], last, effects)?;
        }
        Ok(())
    }

    /// Returns a reader of the store.
    pub fn reader(&self) -> Reader {
        self.reader.clone()
    }

    /// Moves staged samples into chunks while that is due, a few bounded steps a call.
    ///
    /// # Errors
    /// [`StoreError`]: nothing has moved, and the next call tries again.
    pub fn compact(&mut self) -> Result<(), StoreError> {
        for _ in 0..COMPACTION_STEPS {
            if self.store.is_compaction_due() {
                self.store.compact()?;
            }
        }
        Ok(())
    }

    fn commit(
        &mut self,
        told: Told<'_>,
        batches: &[SampleBatch],
        now: Timestamp,
        effects: Effects,
    ) -> Result<Step, PipelineError> {
        let mut records = Vec::with_capacity(effects.records.len());
        for closed in &effects.records {
            records.push(self.issued(closed, &effects)?);
        }
        for revision in &effects.revise {
            records.extend(self.revised(revision, &effects)?);
        }
        let pages = self.cut_pages(now, &records);
        let has_clock_changed = self.store.clock_state().is_some_and(|stored| stored != self.clock_state);
        let has_input = has_clock_changed || !(batches.is_empty() && told.is_empty());
        if !has_input && pages.is_empty() && !effects.moved && !effects.has_closed() {
            return Ok(Step {
                refused: effects.refused,
                events: effects.events,
                context: effects.context,
                ..Step::default()
            });
        }
        let checkpoint = effects.has_closed().then(|| self.engine.checkpoint());
        let shares: Vec<i64> = self.outlets.iter_mut().filter_map(Outlet::taken).collect();
        let seq = self.store.commit(&Commit {
            now,
            clock: self.clock_state,
            swaps: told.swaps,
            statements: told.statements,
            swap_outcomes: &effects.events.swaps,
            batches,
            facts: &effects.facts,
            corrections: &effects.corrections,
            records: &records,
            pages: &pages,
            shares: &shares,
            checkpoint: checkpoint.as_deref(),
        })?;
        let samples = batches.iter().map(|batch| batch.samples.len()).sum();
        Ok(Step {
            seq,
            samples,
            records: records.len(),
            pages: pages.len(),
            refused: effects.refused,
            context: effects.context,
            events: effects.events,
        })
    }

    fn cut_pages(&mut self, now: Timestamp, records: &[WindowRecord]) -> Vec<SignedPage> {
        let (config, keys) = (self.plant.config, &self.keys);
        self.outlets.iter_mut().flat_map(|outlet| outlet.cut(now, config, records, keys)).collect()
    }

    /// Returns the record to publish of a window that closes: as it is, unless the window was published before (its
    /// shift was changed) or minutes of it were corrected while it was open.
    fn issued(&self, closed: &WindowRecord, effects: &Effects) -> Result<WindowRecord, PipelineError> {
        let published = self.store.revised(&closed.asset, closed.grain, closed.window)?;
        let is_this = |stale: &&Stale| {
            let of = self.plant.assets.get(stale.asset).map(|asset| &asset.id);
            (of, stale.grain, stale.window) == (Some(&closed.asset), closed.grain, closed.window)
        };
        let stale = effects.stale.iter().find(is_this);
        if published.is_none() && stale.is_none() {
            return Ok(closed.clone());
        }
        let (merged, codes) = match stale {
            Some(stale) => (self.merged(&closed.asset, closed.window, &stale.stale, effects)?, stale.stale.clone()),
            None => (Facts::default(), BTreeSet::new()),
        };
        let revision = published.map_or(1, |published| published + 1);
        Ok(reissue(&self.plant, closed, revision, &codes, &merged).unwrap_or_else(|| closed.clone()))
    }

    /// Returns some measures of a window merged from its minutes: those stored, and what closes or is corrected now.
    fn merged(
        &self,
        asset: &AssetId,
        window: Window,
        codes: &BTreeSet<u8>,
        effects: &Effects,
    ) -> Result<Facts, PipelineError> {
        let measures: Vec<Measure> =
            codes.iter().filter_map(|code| Measure::ALL.get(usize::from(*code)).copied()).collect();
        let mut minutes: BTreeMap<Timestamp, Facts> =
            self.store.facts(asset, window.start, window.end)?.into_iter().collect();
        for row in effects.facts.iter().chain(&effects.corrections) {
            if row.asset == *asset && window.contains(row.minute) {
                minutes.insert(row.minute, row.facts.clone());
            }
        }
        let mut merged = Facts::default();
        minutes.values().for_each(|facts| merged.merge_over_time(&facts.only(&measures)));
        Ok(merged)
    }

    /// Returns the next revision of a closed window's record; `None` where it had none.
    fn revised(&self, revision: &Revision, effects: &Effects) -> Result<Option<WindowRecord>, PipelineError> {
        let Some(asset) = self.plant.assets.get(revision.asset) else { return Ok(None) };
        let Some(previous) = self.reader.record(&asset.id, revision.grain, revision.window.start)? else {
            // What was deleted for room isn't made anew.
            let is_gone = self.store.has_removed_records(revision.window)?;
            return Ok(self.engine.belated(revision).filter(|_| !is_gone));
        };
        let merged = match revision.stale.is_empty() {
            true => Facts::default(),
            false => self.merged(&asset.id, revision.window, &revision.stale, effects)?,
        };
        Ok(revise(&self.plant, &previous, revision, &merged))
    }
}

/// Returns the facts a KPI rests on; a name that the catalogue doesn't have rests on none.
pub fn measures_of(kpi: &KpiId) -> &'static [Measure] {
    kpi::find(kpi.as_str()).map_or(&[], |definition| definition.reveals())
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
    let mut keeper = Keeper::default();
    keep::show_recovery(&pipeline, clock, health);
    for component in ["engine", "pipeline", "store"] {
        health.set(component, Status::Ok, "", clock.now());
    }
    loop {
        let batches = gather(&mut ends.inbox, clock, token).await;
        loop {
            let now = clock.now() - clock.plant_ms(TRANSIT);
            watch_clock(pipeline.engine.now(), clock, health);
            pipeline.set_clock_state(clock.state());
            match block_in_place(|| pipeline.step(&batches, now)) {
                Ok(step) => {
                    backoff.reset();
                    report(&step, &batches, &ends, clock, health);
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
        block_in_place(|| keeper.keep(&mut pipeline, clock, health));
        keeper.show_shares(&pipeline, clock, health);
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
        sleep_until(tick).await;
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
    let mut pause = IDLE;
    while !batches.is_empty() && samples < COMMIT_SAMPLES_MAX && Instant::now() < deadline {
        // One waking for all that arrives meanwhile: a waking for each would cost as much as the batch itself.
        sleep_until(deadline.min(Instant::now() + pause)).await;
        let before = batches.len();
        while samples < COMMIT_SAMPLES_MAX
            && let Ok(batch) = inbox.try_recv()
        {
            samples += batch.samples.len();
            batches.push(batch);
        }
        pause = match batches.len() - before {
            0 => break,
            arrived if arrived >= INBOX_BATCHES / 4 => IDLE / 10,
            _ => IDLE,
        };
    }
    batches
}

/// Shows how far the clock can be trusted. One that was set back is the worst: until it has caught up, nothing new can
/// be placed in time.
fn watch_clock(advanced_to: Timestamp, clock: &Clock, health: &Health) {
    let now = clock.now();
    let behind_ms = advanced_to.ms_since(now);
    let changed = if behind_ms > CLOCK_STEP_MS {
        let detail = format!("the clock stands {} s before what it has shown already", behind_ms / 1000);
        health.set("clock", Status::Failed, detail, now)
    } else {
        let (status, detail) = match clock.state() {
            ClockState::Synchronised | ClockState::Simulated => (Status::Ok, ""),
            ClockState::Unknown => (Status::Ok, "nobody on this box says whether its clock is synchronised"),
            ClockState::Unsynchronised => (Status::Degraded, "the clock of this box is not synchronised"),
        };
        health.set("clock", status, detail, now)
    };
    if changed && behind_ms > CLOCK_STEP_MS {
        tracing::error!("the clock was set back by {} s: samples in between are kept but not used", behind_ms / 1000);
    }
}

fn report(step: &Step, batches: &[SampleBatch], ends: &Ends, clock: &Clock, health: &Health) {
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
    health.count("engine", "samples_too_late", step.refused.too_late);
    for (name, count) in step.context.counts() {
        health.count("engine", name, count);
    }
    report_counters(&step.events, clock, health);
}

/// Shows what happened to counters, and told swaps that could not be applied until the next one that could.
fn report_counters(events: &Events, clock: &Clock, health: &Health) {
    for (what, amount) in [
        ("counter_dips", events.dips),
        ("counter_spikes", events.spikes),
        ("counter_resets", events.resets),
        ("counter_rollovers", events.rollovers),
        ("counter_rises_excluded", events.excluded),
    ] {
        if amount > 0 {
            health.count("engine", what, amount);
        }
    }
    for (id, outcome) in &events.swaps {
        if *outcome == SwapOutcome::Applied {
            tracing::info!("meter swap {id} is in the figures");
            health.set("meter_swaps", Status::Ok, "", clock.now());
            continue;
        }
        let detail = format!("swap {id} changed nothing: {}; see `parkgate meter list`", outcome.as_str());
        tracing::error!("meter {detail}");
        health.set("meter_swaps", Status::Degraded, detail, clock.now());
    }
}

#[cfg(test)]
mod tests;
