//! PURE: samples become facts, facts fill windows, windows close into records.
//!
//! In: [`SampleBatch`]es in commit order and the instants of waking. Out: [`Effects`]. No clock, no I/O: the same
//! journal gives the same bytes. Percentages are never averaged, NO_DATA never becomes downtime, a missing value
//! never becomes 0.
//!
//! A minute closes when the watermark (`now` less the largest lateness of a source) has passed its end and no counter
//! can still change it within its hold. What arrives for a closed minute becomes a correction and revises the closed
//! windows that hold it.

mod assemble;
pub mod calendar;
pub mod carbon;
mod checkpoint;
pub mod clock_history;
pub mod config;
pub mod context;
mod counter;
pub mod declared;
pub mod kpi;
pub mod plant;
pub mod pollutant;
mod record;
mod series;
mod stage;
mod windows;

use std::collections::BTreeMap;
use std::sync::Arc;

pub use checkpoint::CheckpointError;
pub use record::{reissue, revise, used};
pub use series::Events;

use assemble::{Contributions, Span, assemble};
use calendar::{Planned, Planner};
use clock_history::ClockHistory;
use context::{ContextTally, Told};
use declared::Declarations;
use plant::Plant;
use series::{HORIZON_MS, Ingested, Series, TagMinute};
use windows::{OpenWindow, Windows};

use crate::model::fact::{FactRow, Facts, Measure};
use crate::model::record::{ClockState, WindowRecord};
use crate::model::sample::SampleBatch;
use crate::model::statement::{Said, Statement};
use crate::model::swap::{Swap, SwapOutcome};
use crate::model::tag::{TagIndex, TagSpec};
use crate::model::time::{Grain, MINUTE_MS, Timestamp, Window};

/// A sample stamped further ahead of `now` than this is kept in the store and takes part in nothing: its clock is
/// wrong, and waiting for the watermark to reach it would hold it for ever. **Unit**: ms.
const AHEAD_MS_MAX: i64 = 10 * MINUTE_MS;

/// Minutes that one call closes, at most: after a long absence the rest follows in further calls, each with its own
/// commit, so that memory stays bounded.
const MINUTES_AT_ONCE: usize = 1_440;

/// What one call of [`Engine::advance`] brought about, in a fixed order.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Effects {
    /// Facts of the minutes that closed, ascending by minute, then in plant order. Empty facts are left out.
    pub facts: Vec<FactRow>,
    /// What is to be added to the facts of minutes that closed before, ascending by minute, then in plant order.
    pub corrections: Vec<FactRow>,
    /// Records of the windows that closed, by end, grain, then in plant order.
    pub records: Vec<WindowRecord>,
    /// Closed windows that a correction touched: their records want the next revision, see [`revise`].
    pub revise: Vec<Revision>,
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
                Some(held) => held.correction.merge_over_time(&revision.correction),
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
        self.refused.late += later.refused.late;
        self.refused.duplicate += later.refused.duplicate;
        self.refused.ahead += later.refused.ahead;
        self.refused.too_old += later.refused.too_old;
        self.events.merge(later.events);
        self.context.merge(later.context);
        self.moved |= later.moved;
        self.more |= later.more;
    }
}

/// Samples that took part in nothing. They are in the store all the same. Whether one is late or a duplicate is known
/// of the tags that are an asset's input, and counted of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub struct Refused {
    /// Not newer than what was processed.
    pub late: u64,
    /// Delivered again.
    pub duplicate: u64,
    /// Stamped too far ahead of `now`.
    pub ahead: u64,
    /// Older than anything that is computed.
    pub too_old: u64,
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
    /// The sum of its corrections; the half-hour peak is not in it and is read anew from the minutes.
    pub correction: Facts,
}

/// The place of a tag that no asset has as an input: beyond every list.
const NO_INPUT: u32 = u32::MAX;

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
    windows: Windows,
    planner: Planner,
    /// Every minute before it is closed; `None` before the first advance.
    closed_until: Option<Timestamp>,
    now: Timestamp,
    refused: Refused,
    events: Events,
    /// By asset: spans whose minutes are to be computed again.
    touched: BTreeMap<usize, Vec<Window>>,
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
        Self {
            children: assemble::children(&plant.assets),
            lateness_ms: plant.tags.iter().map(|tag| tag.lateness_ms).max().unwrap_or(0),
            series: vec![Series::default(); inputs.len()],
            others: None,
            inputs,
            places,
            windows: Windows::default(),
            planner: Planner::default(),
            closed_until: None,
            now: Timestamp(i64::MIN),
            refused: Refused::default(),
            events: Events::default(),
            touched: BTreeMap::new(),
            declared: Declarations::default(),
            told: Told::new(&plant.assets),
            clock: ClockHistory::always(clock),
            plant,
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

    /// Returns up to where every minute is closed; `None` before the first advance.
    pub fn closed_until(&self) -> Option<Timestamp> {
        self.closed_until
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
            if sample.measured_at > ahead {
                self.refused.ahead += 1;
                continue;
            }
            if sample.measured_at < oldest {
                self.refused.too_old += 1;
                continue;
            }
            let Some(series) = self.series.get_mut(*place as usize) else {
                let (first, last) = self.others.unwrap_or((sample.measured_at, sample.measured_at));
                self.others = Some((first.min(sample.measured_at), last.max(sample.measured_at)));
                continue;
            };
            series.note_lag(sample.measured_at, batch.received_at);
            match series.ingest(sample) {
                Ingested::Taken => {}
                Ingested::Duplicate => self.refused.duplicate += 1,
                Ingested::Late => self.refused.late += 1,
            }
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
        let closed_until = self.closed_until;
        self.declared.hear(&self.plant, statement, self.now, |_| closed_until);
    }

    /// Marks the minutes of an asset, by its position, to be computed again: what is known of them has changed. Minutes
    /// that are still open take it as they close; closed ones are corrected at the next quarter hour.
    pub fn touch(&mut self, asset: usize, span: Window) {
        if asset < self.plant.assets.len() && span.start < span.end {
            self.touched.entry(asset).or_default().push(span);
        }
    }

    /// Moves plant time to `now` (never back) and closes what is due.
    pub fn advance(&mut self, now: Timestamp) -> Effects {
        let before = self.now;
        self.now = self.now.max(now);
        let mut effects = self.close(self.now - self.lateness_ms, false);
        effects.revise_too(self.declared.revise(&self.plant, before, self.now, false));
        effects
    }

    /// Closes everything that the samples so far can close, and every open window as it stands: the end of a
    /// recording. What is missing of such a window counts as not observed.
    pub fn finish(&mut self) -> Effects {
        let last = self.series.iter().filter_map(Series::latest).chain(self.others.map(|(_, last)| last));
        let last = last.chain(self.told.latest()).max();
        let Some(last) = last else { return Effects::default() };
        let mut effects = self.close(last, true);
        while effects.more {
            effects.more = false;
            effects.merge(self.close(last, true));
        }
        let mut until = self.closed_until.unwrap_or(last);
        while until < last {
            self.close_minute(until, &mut effects);
            until = until + MINUTE_MS;
        }
        self.closed_until = Some(until);
        for mut open in std::mem::take(&mut self.windows.open) {
            let missing = self.unobserved(Window { start: until, end: open.window.end });
            open.facts.iter_mut().zip(&missing).for_each(|(facts, missing)| facts.merge_over_time(missing));
            effects.records.extend(self.close_window(open));
        }
        effects.revise_too(self.declared.revise(&self.plant, self.now, self.now, true));
        effects
    }

    /// Makes the records of a window whose minutes are all in it.
    fn close_window(&self, mut closed: OpenWindow) -> Vec<WindowRecord> {
        for (asset, facts) in closed.facts.iter_mut().enumerate() {
            self.declared.add_to(&self.plant, asset, closed.grain, closed.window, facts);
        }
        record::close(&self.plant, self.clock.worst(closed.window), closed)
    }

    /// Returns the facts of a span of which nothing was observed.
    fn unobserved(&self, span: Window) -> Vec<Facts> {
        let planned: Vec<Planned> = self.plant.calendars.iter().map(|calendar| calendar.plan(span)).collect();
        let whole = Span::Whole { window: span, planned: &planned };
        assemble(&self.plant.assets, &self.children, whole, Contributions::NONE)
    }

    fn close(&mut self, watermark: Timestamp, is_end: bool) -> Effects {
        let mut effects = Effects { events: std::mem::take(&mut self.events), ..Effects::default() };
        let mut until = self.start(watermark);
        for (series, input) in self.series.iter_mut().zip(&self.inputs) {
            let spec = &self.plant.tags[input.as_usize()];
            effects.moved |= series.process(spec, watermark, until);
            if is_end {
                series.finish(spec);
            }
            effects.events.merge(series.take_events());
        }
        // Before anything closes, so that a window that closes now closes with its corrections.
        self.correct(until, &mut effects);
        let mut closed = 0;
        while until + MINUTE_MS <= watermark && self.is_resolved(until + MINUTE_MS, watermark) {
            if closed == MINUTES_AT_ONCE {
                effects.more = true;
                break;
            }
            self.close_minute(until, &mut effects);
            until = until + MINUTE_MS;
            closed += 1;
        }
        self.closed_until = Some(until);
        effects.refused = std::mem::take(&mut self.refused);
        effects.context = self.told.take_tally();
        effects
    }

    /// Returns up to where minutes are closed; at the first call opens the windows.
    fn start(&mut self, watermark: Timestamp) -> Timestamp {
        if let Some(until) = self.closed_until {
            return until;
        }
        let of_inputs = self.each_input().filter_map(|(series, spec)| series.earliest(spec));
        let earliest = of_inputs.chain(self.others.map(|(first, _)| first)).min();
        let start = earliest.map_or(watermark, |earliest| earliest.min(watermark)).minute();
        let assets = self.plant.assets.len();
        self.windows = Windows::start(
            &self.plant.grains,
            self.plant.site_calendar(),
            start,
            |before| self.unobserved(before),
            assets,
        );
        start
    }

    fn is_resolved(&self, end: Timestamp, watermark: Timestamp) -> bool {
        self.each_input().all(|(series, spec)| series.is_resolved(spec, end, watermark))
    }

    fn each_input(&self) -> impl Iterator<Item = (&Series, &TagSpec)> {
        self.series.iter().zip(self.inputs.iter().map(|input| &self.plant.tags[input.as_usize()]))
    }

    fn close_minute(&mut self, start: Timestamp, effects: &mut Effects) {
        let minute = Window { start, end: start + MINUTE_MS };
        let close = |(series, input): (&mut Series, &TagIndex)| series.close(&self.plant.tags[input.as_usize()], start);
        let minutes: Vec<Option<TagMinute>> = self.series.iter_mut().zip(&self.inputs).map(close).collect();
        let tags = Contributions { places: &self.places, minutes: &minutes, told: Some((&self.told, &self.plant)) };
        let calendar = self.plant.site_calendar();
        let planned = self.planner.plan(&self.plant.calendars, minute);
        let whole = Span::Whole { window: minute, planned: &planned };
        let mut facts = assemble(&self.plant.assets, &self.children, whole, tags);
        let is_block_end = calendar.window_ending_at(Grain::HalfHour, minute.end).is_some();
        self.windows.close_half_hour(&self.plant, &mut facts, is_block_end, minute.end);
        let mut windows = std::mem::take(&mut self.windows);
        let closed = windows.add(&self.plant.grains, calendar, minute, &facts, |before| self.unobserved(before));
        self.windows = windows;
        for closed in closed {
            effects.records.extend(self.close_window(closed));
        }
        let rows = self.plant.assets.iter().zip(facts).filter(|(_, facts)| !facts.is_empty());
        effects.facts.extend(rows.map(|(asset, facts)| FactRow { asset: asset.id.clone(), minute: start, facts }));
    }

    /// Collects what was booked into closed minutes, adds it to open windows, and names the closed ones it touches.
    fn correct(&mut self, closed_until: Timestamp, effects: &mut Effects) {
        let mut minutes: BTreeMap<Timestamp, Vec<(usize, TagMinute)>> = BTreeMap::new();
        for (place, series) in self.series.iter_mut().enumerate() {
            for (minute, contribution) in series.corrections(closed_until) {
                minutes.entry(minute).or_default().push((place, contribution));
            }
        }
        if minutes.is_empty() {
            return;
        }
        let mut revisions: BTreeMap<(Grain, Window, usize), Facts> = BTreeMap::new();
        let mut corrected = vec![None; self.series.len()];
        for (minute, contributions) in minutes {
            corrected.fill(None);
            contributions.into_iter().for_each(|(place, contribution)| corrected[place] = Some(contribution));
            let tags = Contributions { places: &self.places, minutes: &corrected, told: None };
            let facts = assemble(&self.plant.assets, &self.children, Span::Correction, tags);
            for (asset, correction) in facts.into_iter().enumerate() {
                self.correct_asset(minute, asset, correction, closed_until, &mut revisions, effects);
            }
        }
        effects.revise.extend(revisions.into_iter().map(|((grain, window, asset), correction)| Revision {
            asset,
            grain,
            window,
            correction,
        }));
    }

    fn correct_asset(
        &mut self,
        minute: Timestamp,
        asset: usize,
        correction: Facts,
        closed_until: Timestamp,
        revisions: &mut BTreeMap<(Grain, Window, usize), Facts>,
        effects: &mut Effects,
    ) {
        if correction.iter().all(|(_, amount)| amount == 0) {
            return;
        }
        self.correct_peak(minute, asset, &correction, closed_until, effects);
        self.windows.correct(minute, asset, &correction);
        let calendar = self.plant.site_calendar();
        let id = self.plant.assets[asset].id.clone();
        for grain in &self.plant.grains {
            if let Some(window) = calendar.window_of(*grain, minute).filter(|window| window.end <= closed_until) {
                revisions.entry((*grain, window, asset)).or_default().merge_over_time(&correction);
            }
        }
        effects.corrections.push(FactRow { asset: id, minute, facts: correction });
    }

    /// A corrected half-hour block has another electricity: added to the running block, or to the peak that stands
    /// in the last minute of the closed one.
    fn correct_peak(
        &mut self,
        minute: Timestamp,
        asset: usize,
        correction: &Facts,
        closed_until: Timestamp,
        effects: &mut Effects,
    ) {
        let energy = correction.amount(Measure::Electricity);
        let Some(block) = self.plant.site_calendar().window_of(Grain::HalfHour, minute).filter(|_| energy != 0) else {
            return;
        };
        if block.end > closed_until {
            self.windows.half_hour[asset] += energy;
            return;
        }
        let facts = [(Measure::HalfHourPeak, energy)].into_iter().collect();
        let id = self.plant.assets[asset].id.clone();
        effects.corrections.push(FactRow { asset: id, minute: block.end - MINUTE_MS, facts });
    }
}

#[cfg(test)]
pub(crate) mod tests;
