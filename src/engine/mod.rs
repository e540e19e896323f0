//! PURE: samples become facts, facts fill windows, windows close into records.
//!
//! In: [`SampleBatch`]es in commit order and the instants of waking. Out: [`Effects`]. No clock, no I/O: the same
//! journal gives the same bytes. Percentages are never averaged, NO_DATA never becomes downtime, a missing value
//! never becomes 0.
//!
//! Each asset has its own watermark. A minute of it closes when `now` less the largest lateness of its own inputs has
//! passed the minute's end, no counter of it can still change the minute within its hold, and the children it takes
//! from have closed it. An input that is silent beyond its hold is waited for no longer.
//!
//! A minute's facts are a function of the samples around it, so what arrives for a closed minute has it computed again
//! from the stored samples ([`Engine::recompute`]), and revises the closed windows that hold it.

mod assemble;
pub mod baseline;
pub mod bill;
mod blocks;
pub mod calendar;
pub mod carbon;
mod checkpoint;
mod checkpoint_old;
pub mod clock_history;
mod clockwork;
mod closing;
pub mod config;
pub mod context;
mod counter;
pub mod declared;
mod groups;
pub mod kpi;
mod late;
pub mod medium;
pub mod meter;
mod minute;
pub mod plant;
pub mod pollutant;
mod recompute;
mod record;
mod series;
mod stage;
pub mod tariff;
mod windows;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

pub use checkpoint::CheckpointError;
pub use recompute::History;
pub use record::{context_of, reissue, revise};
pub use series::Events;

use blocks::Blocks;
use calendar::Planner;
use clock_history::ClockHistory;
use clockwork::Clockwork;
use closing::Unobserved;
use context::{ContextTally, Told};
use declared::Declarations;
use groups::Group;
use late::Late;
use plant::Plant;
use series::{HORIZON_MS, Ingested, Reading, Series, TagMinute};
use windows::Windows;

use crate::model::fact::{FactRow, Facts};
use crate::model::record::{ClockState, WindowRecord};
use crate::model::sample::{SampleBatch, TagRun};
use crate::model::statement::{Said, Statement};
use crate::model::swap::{Swap, SwapOutcome};
use crate::model::tag::TagIndex;
use crate::model::time::{Grain, MINUTE_MS, Timestamp, Window};

/// A sample stamped further ahead of `now` than this is kept in the store and takes part in nothing: its clock is
/// wrong, and waiting for the watermark to reach it would hold it for ever. **Unit**: ms.
const AHEAD_MS_MAX: i64 = 10 * MINUTE_MS;

/// What one call of [`Engine::advance`] brought about, in a fixed order.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Effects {
    /// Facts of the minutes that closed, ascending by minute, then in plant order. Empty facts are left out.
    pub facts: Vec<FactRow>,
    /// Facts of minutes that had closed before, computed again: each replaces what was stored of its minute.
    pub corrections: Vec<FactRow>,
    /// Records of the windows that closed, by end, grain, then in plant order.
    pub records: Vec<WindowRecord>,
    /// Closed windows that a correction touched: their records want the next revision, see [`revise`].
    pub revise: Vec<Revision>,
    /// Windows among those that closed of which some measures must be merged from the minutes again.
    pub stale: Vec<Stale>,
    /// What was left out since the last call.
    pub refused: Refused,
    /// What happened to counters.
    pub events: Events,
    /// What became of what assets were told.
    pub context: ContextTally,
    /// The watermark passed a sample: the instant of this waking belongs into the journal.
    pub moved: bool,
    /// More minutes are due than one call closes: call [`Engine::advance`] again.
    pub more: bool,
}

impl Effects {
    /// Says whether a minute closed or was corrected: the state has to be made durable together with what came of it.
    pub fn has_closed(&self) -> bool {
        !(self.facts.is_empty() && self.corrections.is_empty() && self.records.is_empty() && self.revise.is_empty())
    }

    /// Adds revisions: a window that is corrected twice takes one revision with both.
    fn revise_too(&mut self, more: Vec<Revision>) {
        for revision in more {
            let place = |held: &&mut Revision| {
                (held.asset, held.grain, held.window) == (revision.asset, revision.grain, revision.window)
            };
            match self.revise.iter_mut().find(place) {
                Some(held) => {
                    held.correction.correct(&revision.correction);
                    held.stale.extend(revision.stale);
                }
                None => self.revise.push(revision),
            }
        }
    }

    /// Appends what came after.
    pub fn merge(&mut self, later: Self) {
        self.facts.extend(later.facts);
        self.corrections.extend(later.corrections);
        self.records.extend(later.records);
        self.revise_too(later.revise);
        self.stale.extend(later.stale);
        self.refused.late += later.refused.late;
        self.refused.duplicate += later.refused.duplicate;
        self.refused.ahead += later.refused.ahead;
        self.refused.too_late += later.refused.too_late;
        self.events.merge(later.events);
        self.context.merge(later.context);
        self.moved |= later.moved;
        self.more |= later.more;
    }
}

/// Samples that don't go straight into the figures. They are in the store all the same. Whether one is late or a
/// duplicate is known of the tags that are an asset's input, and counted of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub struct Refused {
    /// What came after it was processed already: its minutes are computed again at the next quarter hour.
    pub late: u64,
    /// Delivered again.
    pub duplicate: u64,
    /// Stamped too far ahead of `now`.
    pub ahead: u64,
    /// Older than what is still computed: 35 days, or the change to the present configuration.
    pub too_late: u64,
}

/// A closed window whose facts were corrected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revision {
    /// Position of the asset in the plant.
    pub asset: usize,
    /// The window's grain.
    pub grain: Grain,
    /// The window.
    pub window: Window,
    /// What is to be added to its sums.
    pub correction: Facts,
    /// Measures, by code, that no difference tells: they are merged from the window's minutes again.
    pub stale: BTreeSet<u8>,
}

/// A window that closed after a correction, with measures that are to be merged from its minutes again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stale {
    /// Position of the asset in the plant.
    pub asset: usize,
    /// The window's grain.
    pub grain: Grain,
    /// The window.
    pub window: Window,
    /// The measures, by code.
    pub stale: BTreeSet<u8>,
}

/// The place of a tag that no asset has as an input: beyond every list.
const NO_INPUT: u32 = u32::MAX;

/// What is kept of one asset while its windows are open.
#[derive(Debug, Clone, PartialEq, Default)]
struct AssetState {
    windows: Windows,
    blocks: Blocks,
    /// Facts of closed minutes that a parent has yet to take, by minute.
    waiting: BTreeMap<Timestamp, Facts>,
}

/// The engine of one plant.
#[derive(Debug, Clone)]
pub struct Engine {
    plant: Arc<Plant>,
    children: Vec<Vec<usize>>,
    clock: ClockHistory,
    lateness_ms: i64,
    /// The tags that are an input of an asset, ascending; most tags of a large plant are none.
    inputs: Vec<TagIndex>,
    /// By tag position: its place among the inputs, [`NO_INPUT`] where it is none.
    places: Vec<u32>,
    /// By place.
    series: Vec<Series>,
    /// First and last instant of the other tags' samples: they too say where a recording begins and ends.
    others: Option<(Timestamp, Timestamp)>,
    /// Each after those it waits for.
    groups: Vec<Group>,
    /// By asset: its group.
    group_of: Vec<usize>,
    /// By place: the group of the assets that have it as an input.
    group_of_place: Vec<usize>,
    /// By asset.
    assets: Vec<AssetState>,
    planner: Planner,
    clockwork: Clockwork,
    unobserved: Unobserved,
    /// The first minute that was closed; `None` before the first advance.
    started: Option<Timestamp>,
    /// From where on closed minutes can be computed again: before it another configuration ran.
    exact_from: Timestamp,
    late: Late,
    /// Nothing follows: what readings left open is decided.
    has_ended: bool,
    now: Timestamp,
    refused: Refused,
    events: Events,
    declared: Declarations,
    /// What assets were told of their production.
    told: Told,
}

impl Engine {
    /// Makes an engine that has seen nothing.
    pub fn new(plant: Arc<Plant>, clock: ClockState) -> Self {
        let inputs = plant.inputs();
        let mut places = vec![NO_INPUT; plant.tags.len()];
        for (place, input) in (0..).zip(&inputs) {
            if let Some(at) = places.get_mut(input.as_usize()) {
                *at = place;
            }
        }
        let children = assemble::children(&plant.assets);
        let groups = groups::of(&plant, &children, &inputs, &places);
        let mut group_of = vec![0; plant.assets.len()];
        for (number, group) in groups.iter().enumerate() {
            group.assets.iter().for_each(|asset| group_of[*asset] = number);
        }
        let mut group_of_place = vec![0; inputs.len()];
        for (number, group) in groups.iter().enumerate() {
            group.places.iter().for_each(|place| group_of_place[*place] = number);
        }
        let mut engine = Self {
            group_of_place,
            lateness_ms: plant.tags.iter().map(|tag| tag.lateness_ms).max().unwrap_or(0),
            series: vec![Series::default(); inputs.len()],
            others: None,
            inputs,
            places,
            children,
            groups,
            group_of,
            assets: vec![AssetState::default(); plant.assets.len()],
            planner: Planner::default(),
            clockwork: Clockwork::default(),
            unobserved: Unobserved::default(),
            started: None,
            exact_from: Timestamp(i64::MIN),
            late: Late::default(),
            has_ended: false,
            now: Timestamp(i64::MIN),
            refused: Refused::default(),
            events: Events::default(),
            declared: Declarations::default(),
            told: Told::new(&plant.assets),
            clock: ClockHistory::always(clock),
            plant,
        };
        engine.mark_pieces();
        engine
    }

    /// Quantities may be asked for parts of a minute: a change of product cuts it.
    fn mark_pieces(&mut self) {
        for asset in &self.plant.assets {
            for tag in [asset.total, asset.good, asset.scrap, asset.rework].into_iter().flatten() {
                let place = self.places.get(tag.as_usize()).copied().unwrap_or(NO_INPUT);
                if let Some(series) = self.series.get_mut(place as usize) {
                    series.keeps_pieces = true;
                }
            }
        }
    }

    /// Replaces what is known of the clock: a restart goes on with what was stored.
    pub fn set_clock_history(&mut self, history: ClockHistory) {
        self.clock = history;
    }

    /// Notes the clock's state at an instant of plant time.
    pub fn observe_clock(&mut self, at: Timestamp, state: ClockState) {
        self.clock.observe(at, state);
    }

    /// Returns the plant.
    pub fn plant(&self) -> &Arc<Plant> {
        &self.plant
    }

    /// Returns plant time as far as it was advanced.
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// Returns up to where every minute of every asset is closed; `None` before the first advance.
    pub fn closed_until(&self) -> Option<Timestamp> {
        self.started.and_then(|_| self.groups.iter().map(|group| group.closed_until).min())
    }

    /// Returns up to where every minute of one asset, by its position, is closed; `None` before the first advance.
    pub fn asset_closed_until(&self, asset: usize) -> Option<Timestamp> {
        let group = self.group_of.get(asset).and_then(|group| self.groups.get(*group));
        self.started.and(group).map(|group| group.closed_until)
    }

    /// Says that stored samples from before `kept_from` may be gone: what touches earlier minutes is too late from now on.
    pub fn forget_before(&mut self, kept_from: Timestamp) {
        self.exact_from = self.exact_from.max(kept_from);
    }

    /// Takes the samples of a batch. Nothing is computed before [`Engine::advance`].
    pub fn ingest(&mut self, batch: &SampleBatch) {
        let now = self.now.max(batch.received_at);
        let (oldest, ahead) = (now - HORIZON_MS, now + AHEAD_MS_MAX);
        if batch.samples.is_empty() && batch.context.is_empty() {
            let tags = &self.plant.tags;
            let inputs = self.series.iter_mut().zip(&self.inputs);
            let of_source = inputs.filter(|(_, input)| tags[input.as_usize()].source == batch.source);
            of_source.for_each(|(series, _)| series.confirm(batch.received_at));
        }
        batch.context.iter().for_each(|event| self.hear_context(event, now));
        for sample in &batch.samples {
            let Some(place) = self.places.get(sample.tag.as_usize()) else { continue };
            let reading = (sample.measured_at, sample.quality, sample.value);
            self.ingest_within(*place as usize, reading, (oldest, ahead), batch.received_at);
        }
    }

    /// Takes samples of one tag, column by column, as they arrived. What comes of them is what comes of a batch that has
    /// them in the same order: the batch's other tags play no part in it.
    pub fn ingest_run(&mut self, run: TagRun<'_>, received_at: Timestamp) {
        let now = self.now.max(received_at);
        let (oldest, ahead) = (now - HORIZON_MS, now + AHEAD_MS_MAX);
        let Some(place) = self.places.get(run.tag.as_usize()).map(|place| *place as usize) else { return };
        let (Some(first), Some(last)) = (run.measured_at.first(), run.measured_at.last()) else { return };
        let spec = self.inputs.get(place).map(|input| &self.plant.tags[input.as_usize()]);
        let series = self.series.get_mut(place);
        if let Some((spec, series)) = spec.zip(series)
            && *first >= oldest
            && *last <= ahead
            && series.append(spec.kind, &run)
        {
            series.lag_ms = received_at.ms_since(*last).max(0);
            for at in run.measured_at {
                if !self.is_closed_at(place, *at) {
                    break;
                }
                self.mark_taken(place, *at);
            }
            return;
        }
        for reading in run.readings() {
            self.ingest_within(place, reading, (oldest, ahead), received_at);
        }
    }

    /// Takes a sample that is not too old and not too far ahead.
    fn ingest_within(
        &mut self,
        place: usize,
        reading: Reading,
        (oldest, ahead): (Timestamp, Timestamp),
        received_at: Timestamp,
    ) {
        let at = reading.0;
        if at > ahead {
            self.refused.ahead += 1;
        } else if at < oldest {
            self.refused.too_late += 1;
        } else if place >= self.series.len() {
            let (first, last) = self.others.unwrap_or((at, at));
            self.others = Some((first.min(at), last.max(at)));
        } else {
            self.ingest_one(place, reading, received_at);
        }
    }

    fn ingest_one(&mut self, place: usize, reading: Reading, received_at: Timestamp) {
        let spec = &self.plant.tags[self.inputs[place].as_usize()];
        let series = &mut self.series[place];
        series.note_lag(reading.0, received_at);
        match series.ingest(spec.kind, reading) {
            Ingested::Taken => {
                if self.is_closed_at(place, reading.0) {
                    self.mark_taken(place, reading.0);
                }
            }
            Ingested::Duplicate => self.refused.duplicate += 1,
            Ingested::Late if reading.0 < self.exact_from => {
                self.refused.too_late += 1;
            }
            Ingested::Late => {
                self.refused.late += 1;
                self.late.mark_sample(spec.name.as_str(), reading.0);
            }
        }
    }

    /// Says whether the minute of an instant is closed for the assets that have an input.
    fn is_closed_at(&self, place: usize, at: Timestamp) -> bool {
        self.started.is_some() && at < self.groups[self.group_of_place[place]].closed_until
    }

    /// Marks a sample that was taken though its minute is closed. What it changes of such minutes the series finds as it
    /// books; but for a level.
    fn mark_taken(&mut self, place: usize, at: Timestamp) {
        if at < self.exact_from {
            self.refused.too_late += 1;
        } else {
            let name = &self.plant.tags[self.inputs[place].as_usize()].name;
            self.late.mark_sample(name.as_str(), at);
        }
    }

    /// Takes what a person says of a swapped meter; what becomes of it is in [`Events::swaps`], of the next
    /// [`Engine::advance`] or of a later one.
    pub fn tell(&mut self, swap: &Swap) {
        let tags = &self.plant.tags;
        match self.series.iter_mut().zip(&self.inputs).find(|(_, input)| tags[input.as_usize()].name == swap.tag) {
            Some((series, input)) => series.tell(&tags[input.as_usize()], swap),
            None => self.events.swaps.push((swap.id, SwapOutcome::NoCounter)),
        }
    }

    /// Takes what was said. What it changes of closed windows is in [`Effects::revise`] of a later
    /// [`Engine::advance`].
    pub fn hear(&mut self, statement: &Statement) {
        if let Said::Context(event) = &statement.said {
            // Before the first waking the event's own instant is all that is known of time.
            let now = if self.now == Timestamp(i64::MIN) { event.at } else { self.now };
            return self.hear_context(event, now);
        }
        let (started, groups, group_of) = (self.started, &self.groups, &self.group_of);
        let closed_until = |asset: usize| started.and(group_of.get(asset)).map(|group| groups[*group].closed_until);
        self.declared.hear(&self.plant, statement, self.now, closed_until);
    }

    /// Marks the minutes of an asset, by its position, to be computed again: what is known of them has changed. Minutes
    /// that are still open take it as they close; closed ones are corrected at the next quarter hour.
    pub fn touch(&mut self, asset: usize, span: Window) {
        if let Some(asset) = self.plant.assets.get(asset) {
            self.late.mark_minutes(asset.id.as_str(), span);
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
