//! Closing: minutes whose watermark has passed become facts, and windows that end with them become records.

use std::collections::{BTreeMap, BTreeSet};

use super::assemble::{self, Contributions, Span, assemble};
use super::calendar::Planned;
use super::carbon;
use super::plant::Plant;
use super::record::{self, Closed};
use super::stage::BLOCKS;
use super::windows::OpenWindow;
use super::{Blocks, Effects, Engine, Revision, Series, Stale, TagMinute};
use crate::model::fact::{FactRow, Facts, Measure};
use crate::model::record::WindowRecord;
use crate::model::time::{Grain, MINUTE_MS, Timestamp, Window};

/// Minutes that one call closes, at most: after a long absence the rest follows in further calls, each with its own
/// commit, so that memory stays bounded.
const MINUTES_AT_ONCE: i64 = 1_440;

/// Spans of which nothing was observed, as the assets' facts; windows that open late begin with them.
#[derive(Debug, Clone, Default)]
pub(super) struct Unobserved {
    known: BTreeMap<Window, Vec<Facts>>,
}

/// Spans that are remembered, at most: the windows of one instant.
const SPANS_MAX: usize = 64;

impl Unobserved {
    /// Returns the facts of one asset in a span of which nothing was observed.
    pub(super) fn of(&mut self, plant: &Plant, children: &[Vec<usize>], position: usize, span: Window) -> Facts {
        if span.start >= span.end {
            return Facts::default();
        }
        if self.known.len() >= SPANS_MAX && !self.known.contains_key(&span) {
            self.known.clear();
        }
        let all = self.known.entry(span).or_insert_with(|| {
            let planned: Vec<Planned> = plant.calendars.iter().map(|calendar| calendar.plan(span)).collect();
            assemble(plant, children, Span { window: span, planned: &planned }, Contributions::NONE)
        });
        all.get(position).cloned().unwrap_or_default()
    }
}

/// What closes with one minute, until it is put in order.
#[derive(Debug, Default)]
struct Minute {
    facts: Vec<(usize, Facts)>,
    windows: Vec<Closed>,
}

impl Engine {
    /// Moves plant time to `now` (never back) and closes what is due.
    pub fn advance(&mut self, now: Timestamp) -> Effects {
        let before = self.now;
        self.now = self.now.max(now);
        let mut effects = Effects { events: std::mem::take(&mut self.events), ..Effects::default() };
        self.start(self.now - self.lateness_ms);
        for group in 0..self.groups.len() {
            let watermark = self.now - self.groups[group].lateness_ms;
            effects.moved |= self.process(group, watermark, &mut effects.events);
        }
        let limits = self.limits();
        self.close_minutes(&limits, MINUTES_AT_ONCE, &mut effects);
        self.late.begin(self.now);
        effects.revise_too(self.declared.revise(&self.plant, before, self.now, false));
        effects.refused = std::mem::take(&mut self.refused);
        effects.context = self.told.take_tally();
        effects
    }

    /// Processes every sample to the last one, as nothing follows: the end of a recording. What this changes of closed
    /// minutes is then [due](Engine::is_recompute_due) at once.
    pub fn settle(&mut self) {
        let Some(last) = self.last_sample() else { return };
        self.start(last);
        let mut events = std::mem::take(&mut self.events);
        for group in 0..self.groups.len() {
            self.process(group, last, &mut events);
            for place in self.groups[group].places.clone() {
                let spec = &self.plant.tags[self.inputs[place].as_usize()];
                self.series[place].finish(spec);
                self.series[place].move_events(&mut events);
            }
            self.mark_booked(group);
        }
        self.events = events;
        self.now = self.now.max(last + self.lateness_ms);
        self.late.hurry();
        self.has_ended = true;
    }

    /// Closes everything up to the last sample, and every open window as it stands: the end of a recording. What is
    /// missing of such a window counts as not observed.
    pub fn finish(&mut self) -> Effects {
        let Some(last) = self.last_sample() else { return Effects::default() };
        self.settle();
        let mut effects = Effects { events: std::mem::take(&mut self.events), ..Effects::default() };
        let until = (last + (MINUTE_MS - 1)).minute();
        let limits: Vec<Timestamp> = self.groups.iter().map(|group| group.closed_until.max(until)).collect();
        self.close_minutes(&limits, i64::MAX / MINUTE_MS, &mut effects);
        let mut closed = Vec::new();
        for position in 0..self.assets.len() {
            let from = self.groups[self.group_of[position]].closed_until;
            for mut open in std::mem::take(&mut self.assets[position].windows.open) {
                let missing = Window { start: from.max(open.window.start), end: open.window.end };
                let missing = self.unobserved.of(&self.plant, &self.children, position, missing);
                open.facts.merge_over_time(&missing);
                closed.push(Closed { position, open });
            }
        }
        self.record(closed, &mut effects);
        effects.revise_too(self.declared.revise(&self.plant, self.now, self.now, true));
        effects.refused = std::mem::take(&mut self.refused);
        effects.context = self.told.take_tally();
        effects
    }

    fn last_sample(&self) -> Option<Timestamp> {
        let of_others = self.others.map(|(_, last)| last);
        self.series.iter().filter_map(Series::latest).chain(of_others).chain(self.told.latest()).max()
    }

    /// At the first call says where the first minute is, and opens the windows that hold it.
    fn start(&mut self, watermark: Timestamp) {
        if self.started.is_some() {
            return;
        }
        let specs = self.inputs.iter().map(|input| &self.plant.tags[input.as_usize()]);
        let of_inputs = self.series.iter().zip(specs).filter_map(|(series, spec)| series.earliest(spec));
        let earliest = of_inputs.chain(self.others.map(|(first, _)| first)).min();
        let start = earliest.map_or(watermark, |earliest| earliest.min(watermark)).minute();
        self.started = Some(start);
        self.groups.iter_mut().for_each(|group| group.closed_until = start);
        for position in 0..self.assets.len() {
            self.assets[position].blocks = self.first_blocks(position, start);
            let Self { plant, children, assets, unobserved, clockwork, .. } = self;
            for grain in &plant.grains {
                let before = |span| unobserved.of(plant, children, position, span);
                assets[position].windows.open_at(plant, position, clockwork, *grain, start, before);
            }
        }
    }

    /// Returns the blocks of an asset as its first minute finds them: what came before was not observed.
    pub(super) fn first_blocks(&mut self, position: usize, start: Timestamp) -> Blocks {
        let Self { plant, children, unobserved, clockwork, .. } = self;
        let mut until = start;
        Blocks::begin(position, plant, |grain| {
            let block = clockwork.window_of(plant, 0, grain, start);
            let from = block.map_or(start, |block| block.start);
            let before = unobserved.of(plant, children, position, Window { start: from, end: until });
            until = until.min(from);
            before
        })
    }

    /// Books the samples of a group up to its watermark. Says whether there was any.
    fn process(&mut self, group: usize, watermark: Timestamp, events: &mut super::Events) -> bool {
        let mut moved = false;
        let closed_until = self.groups[group].closed_until;
        for place in &self.groups[group].places {
            let spec = &self.plant.tags[self.inputs[*place].as_usize()];
            let series = &mut self.series[*place];
            if series.process(spec, watermark, closed_until) {
                moved = true;
            }
            series.move_events(events);
        }
        if moved {
            self.mark_booked(group);
        }
        moved
    }

    /// Marks closed minutes into which a counter or an interval booked.
    fn mark_booked(&mut self, group: usize) {
        let Self { plant, groups, series, late, inputs, .. } = self;
        let group = &groups[group];
        for place in &group.places {
            let minutes = series[*place].booked_before(group.closed_until);
            if minutes.is_empty() {
                continue;
            }
            let takers = group.assets.iter().map(|asset| &plant.assets[*asset]);
            for asset in takers.filter(|asset| asset.inputs().any(|tag| tag == inputs[*place])) {
                for minute in &minutes {
                    late.mark_minutes(asset.id.as_str(), Window { start: *minute, end: *minute + MINUTE_MS });
                }
            }
        }
    }

    /// Returns up to where each group can close.
    fn limits(&self) -> Vec<Timestamp> {
        let mut limits: Vec<Timestamp> = Vec::with_capacity(self.groups.len());
        for group in &self.groups {
            let watermark = self.now - group.lateness_ms;
            let mut limit = watermark.minute();
            if limit > group.closed_until {
                for place in &group.places {
                    let spec = &self.plant.tags[self.inputs[*place].as_usize()];
                    limit = limit.min(self.series[*place].resolved_until(spec, watermark).minute());
                }
                limit = group.awaited.iter().map(|awaited| limits[*awaited]).fold(limit, Timestamp::min);
            }
            limits.push(limit.max(group.closed_until));
        }
        limits
    }

    /// Closes the minutes of each group before its limit, minute by minute, at most so many minutes.
    fn close_minutes(&mut self, limits: &[Timestamp], minutes_max: i64, effects: &mut Effects) {
        let due: Vec<usize> = (0..self.groups.len()).filter(|at| self.groups[*at].closed_until < limits[*at]).collect();
        let first = due.iter().map(|group| self.groups[*group].closed_until).min();
        let last = due.iter().map(|group| limits[*group]).max();
        let (Some(first), Some(last)) = (first, last) else { return };
        let until = last.min(Timestamp(first.0.saturating_add(minutes_max.saturating_mul(MINUTE_MS))));
        effects.more |= until < last;
        let mut scratch = Scratch {
            contributions: vec![None; self.inputs.len()],
            facts: vec![Facts::default(); self.plant.assets.len()],
        };
        let mut minute = first;
        while minute < until {
            let span = Window { start: minute, end: minute + MINUTE_MS };
            let planned = self.planner.plan(&self.plant.calendars, span);
            let mut closing = Minute::default();
            for group in &due {
                if self.groups[*group].closed_until == minute && minute < limits[*group] {
                    self.close_group(*group, span, &planned, &mut scratch, &mut closing);
                }
            }
            self.put_in_order(minute, closing, effects);
            minute = minute + MINUTE_MS;
        }
    }

    fn close_group(
        &mut self,
        group: usize,
        span: Window,
        planned: &[Planned],
        scratch: &mut Scratch,
        closing: &mut Minute,
    ) {
        let minute = span.start;
        for place in &self.groups[group].places {
            let spec = &self.plant.tags[self.inputs[*place].as_usize()];
            scratch.contributions[*place] = self.series[*place].close(spec, minute);
        }
        let positions = std::mem::take(&mut self.groups[group].assets);
        for position in positions.iter().rev() {
            for child in &self.children[*position] {
                if self.group_of[*child] != group
                    && let Some(facts) = self.assets[*child].waiting.remove(&minute)
                {
                    scratch.facts[*child] = facts;
                }
            }
            let told = Some((&self.told, &*self.plant));
            let tags = Contributions { places: &self.places, minutes: &scratch.contributions, told };
            let whole = Span { window: span, planned };
            let children = &self.children[*position];
            let facts = assemble::one(&self.plant, *position, children, whole, tags, &scratch.facts);
            let of_others = children.iter().filter(|child| self.group_of[**child] != group);
            of_others.for_each(|child| scratch.facts[*child] = Facts::default());
            scratch.facts[*position] = facts;
        }
        for position in &positions {
            let facts = std::mem::take(&mut scratch.facts[*position]);
            self.close_asset(*position, minute, facts, closing);
        }
        self.groups[group].places.iter().for_each(|place| scratch.contributions[*place] = None);
        self.groups[group].assets = positions;
        self.groups[group].closed_until = span.end;
    }

    fn close_asset(&mut self, position: usize, minute: Timestamp, mut facts: Facts, closing: &mut Minute) {
        let Self { plant, children, assets, unobserved, clockwork, groups, group_of, .. } = self;
        let state = &mut assets[position];
        if let Some(parent) = plant.assets[position].parent.map(|parent| group_of[parent])
            && groups[parent].awaited.contains(&group_of[position])
        {
            state.waiting.insert(minute, facts.clone());
        }
        state.blocks.take(plant, position, clockwork, minute, &mut facts);
        let before = |span| unobserved.of(plant, children, position, span);
        let closed = state.windows.add(plant, position, clockwork, minute, &facts, before);
        closing.windows.extend(closed.into_iter().map(|open| Closed { position, open }));
        if !facts.is_empty() {
            closing.facts.push((position, facts));
        }
    }

    fn put_in_order(&mut self, minute: Timestamp, mut closing: Minute, effects: &mut Effects) {
        closing.facts.sort_by_key(|(position, _)| *position);
        let row = |(position, facts): (usize, Facts)| FactRow {
            asset: self.plant.assets[position].id.clone(),
            minute,
            facts,
        };
        effects.facts.extend(closing.facts.into_iter().map(row));
        self.record(closing.windows, effects);
    }

    /// Makes the records of windows that closed, by grain, then window, then in plant order.
    fn record(&self, mut closed: Vec<Closed>, effects: &mut Effects) {
        if closed.is_empty() {
            return;
        }
        closed.sort_by_key(|closed| (closed.open.grain, closed.open.window, closed.position));
        let only_declared = carbon::only_declared(&self.plant);
        for Closed { position, open } in &mut closed {
            let place = (*position, open.grain, open.window);
            self.declared.add_to(&self.plant, &only_declared, place, &mut open.facts);
        }
        for closed in closed.iter().filter(|closed| !closed.open.stale.is_empty()) {
            effects.stale.push(Stale {
                asset: closed.position,
                grain: closed.open.grain,
                window: closed.open.window,
                stale: closed.open.stale.clone(),
            });
        }
        effects.records.extend(record::close(&self.plant, &self.clock, closed));
    }
}

impl Engine {
    /// Returns the first record of a window that closed with nothing to tell, once a declaration for it is approved;
    /// `None` where the revision takes something away.
    pub fn belated(&self, revision: &Revision) -> Option<WindowRecord> {
        let Revision { asset: position, grain, window, .. } = *revision;
        let mut facts = revision.correction.clone();
        facts.remove(Measure::SourcesUndeclared);
        if facts.is_empty() || !revision.stale.is_empty() || facts.iter().any(|(_, amount)| amount < 0) {
            return None;
        }
        facts = Facts::default();
        let place = (position, grain, window);
        self.declared.add_to(&self.plant, &carbon::only_declared(&self.plant), place, &mut facts);
        let open = OpenWindow { grain, window, facts, stale: BTreeSet::new() };
        record::close(&self.plant, &self.clock, vec![Closed { position, open }]).pop()
    }
}

/// Room for what one minute needs, used again for the next.
struct Scratch {
    /// By place.
    contributions: Vec<Option<TagMinute>>,
    /// By asset; empty but for those that are being closed.
    facts: Vec<Facts>,
}

/// Returns the end of the block of a grain that holds an instant, or the instant itself.
pub(super) fn block_of(plant: &Plant, grain: Option<Grain>, at: Timestamp) -> Window {
    let block = grain.filter(|grain| BLOCKS.contains(grain));
    let window = block.and_then(|grain| plant.site_calendar().window_of(grain, at));
    window.unwrap_or(Window { start: at.minute(), end: at.minute() + MINUTE_MS })
}
