//! Late data: the closed minutes that it touches are computed again, from stored samples.
//!
//! In: what was marked since the last quarter hour, and a [`History`] to read from. Out: corrected facts of minutes and
//! revisions of closed windows. A minute is computed again as a whole, with every measure, its times and expectations,
//! and the blocks that hold it; so it comes to the very facts that it would have had if everything had come in time.
//! Nothing is computed again that a late sample can't have changed: of a counter the minutes between its neighbours,
//! of a state or a level those until the next sample or the end of its hold.

use std::collections::{BTreeMap, BTreeSet};

use super::assemble::{self, Contributions, Span};
use super::closing::block_of;
use super::kpi;
use super::late::Spans;
use super::series::ordered;
use super::windows::Change;
use super::{Blocks, Effects, Engine, Revision, TagMinute, stage};
use crate::model::fact::{FactRow, Facts};
use crate::model::sample::TagColumns;
use crate::model::tag::{TagIndex, TagKind};
use crate::model::time::{MINUTE_MS, Timestamp, Window};

/// Samples that are read on either side of a span: as many as can decide what a counter's readings within it mean.
const AROUND: usize = 8;

/// Usable readings on either side of a late one whose minutes are computed again: as many as a counter needs to
/// confirm where it stands.
const NEIGHBOURS: usize = 3;

/// Time that is read on either side of a span beside [`AROUND`], so that a counter's pace is known where its minutes
/// are computed. **Unit**: ms.
const PACE_MS: i64 = 15 * MINUTE_MS;

/// Facts of minutes that one call computes, about: more follow in further calls, each with its own commit, so that
/// memory stays bounded.
const ROWS_AT_ONCE: i64 = 100_000;

/// Minutes that one call computes of each asset, at most.
const MINUTES_AT_ONCE: i64 = 1_440;

/// What lies further apart is computed in calls of its own. **Unit**: ms.
const APART_MS: i64 = 60 * MINUTE_MS;

/// What was stored, as far as the present turn: samples of earlier commits and of this one, facts of earlier ones.
pub trait History {
    /// Why it can't be read.
    type Error;

    /// Returns, by position in `tags`, every stored sample of the span and, of each tag, at least `around` usable ones
    /// before it and after it where there are so many; delivered twice or not, in any order, but ascending is quicker.
    ///
    /// # Errors
    /// As the store's.
    fn samples(&self, tags: &[TagIndex], span: Window, around: usize) -> Result<Vec<TagColumns>, Self::Error>;

    /// Returns the stored facts of an asset, by its position, in a span of minutes, ascending.
    ///
    /// # Errors
    /// As the store's.
    fn facts(&self, asset: usize, span: Window) -> Result<Vec<(Timestamp, Facts)>, Self::Error>;
}

/// What one call reads and computes.
#[derive(Debug, Default)]
struct Work {
    /// By asset: closed minutes to be computed again.
    touched: BTreeMap<usize, Spans>,
    /// By place: contributions by minute.
    minutes: BTreeMap<usize, BTreeMap<Timestamp, TagMinute>>,
    /// By asset: facts by minute, stored ones and in place of them what was computed again.
    facts: BTreeMap<usize, BTreeMap<Timestamp, Facts>>,
    /// Corrected facts.
    rows: Vec<(Timestamp, usize, Facts)>,
}

impl Engine {
    /// Says whether [`Engine::recompute`] has something to do before the engine is advanced to `now`: something waits,
    /// and a quarter hour of plant time has begun.
    pub fn is_recompute_due(&self, now: Timestamp) -> bool {
        self.started.is_some() && self.late.is_due(self.now.max(now))
    }

    /// Computes touched minutes again; [`Effects::more`] where that is not all. To be called before the engine is
    /// advanced to `now`, so that a window that closes then closes with its corrections.
    ///
    /// # Errors
    /// Those of the history; the engine is then to be rebuilt.
    pub fn recompute<H: History>(&mut self, now: Timestamp, history: &H) -> Result<Effects, H::Error> {
        let mut effects = Effects { moved: true, ..Effects::default() };
        if let Some(span) = self.next_span() {
            let affected = self.place_late_samples(span, history)?;
            let mut work = Work { touched: self.take_touched(affected), ..Work::default() };
            self.read_minutes(&mut work, history)?;
            for position in (0..self.assets.len()).rev() {
                if let Some(spans) = work.touched.remove(&position) {
                    self.recompute_asset(position, &spans, &mut work, history)?;
                }
            }
            work.rows.sort_by_key(|(minute, position, _)| (*minute, *position));
            let row = |(minute, position, facts): (Timestamp, usize, Facts)| FactRow {
                asset: self.plant.assets[position].id.clone(),
                minute,
                facts,
            };
            effects.corrections = work.rows.into_iter().map(row).collect();
        }
        effects.more = self.next_span().is_some();
        if !effects.more {
            effects.revise = self.take_revisions();
            self.late.serve(self.now.max(now));
        }
        Ok(effects)
    }

    /// Returns the next span in which something is to be computed again: of closed minutes only.
    fn next_span(&self) -> Option<Window> {
        let until = self.groups.iter().map(|group| group.closed_until).max()?;
        let of_tags = self.late.samples.values();
        let marked = of_tags.flat_map(Spans::iter).filter(|span| span.start < until);
        let of_assets = self.late.minutes.iter().filter_map(|(asset, spans)| {
            let position = self.plant.assets.iter().position(|known| known.id.as_str() == asset)?;
            let closed = self.groups[self.group_of[position]].closed_until;
            Some(spans.iter().filter(move |span| span.start < closed))
        });
        let mut spans: Vec<Window> = marked.chain(of_assets.flatten()).collect();
        spans.sort_unstable();
        let assets = i64::try_from(self.late.samples.len() + self.late.minutes.len()).unwrap_or(i64::MAX).max(1);
        let length = (ROWS_AT_ONCE / assets).clamp(15, MINUTES_AT_ONCE) * MINUTE_MS;
        let first = *spans.first()?;
        let end = spans
            .iter()
            .fold(first.end, |end, span| if span.start.ms_since(end) <= APART_MS { end.max(span.end) } else { end });
        Some(Window { start: first.start, end: end.min(first.start + length).min(until) })
    }

    /// Reads the neighbours of late samples and marks the minutes that they change. Returns the span that holds them
    /// and what was asked for.
    fn place_late_samples<H: History>(&mut self, span: Window, history: &H) -> Result<Window, H::Error> {
        let mut late: Vec<(usize, Spans)> = Vec::new();
        for place in 0..self.inputs.len() {
            let name = self.plant.tags[self.inputs[place].as_usize()].name.as_str();
            let Some(spans) = self.late.samples.get_mut(name) else { continue };
            let due = spans.take(span);
            if spans.is_empty() {
                self.late.samples.remove(name);
            }
            if !due.is_empty() {
                late.push((place, due));
            }
        }
        // Tags that are an input no more have nothing to be computed again.
        let (inputs, plant) = (&self.inputs, &self.plant);
        let is_input = |name: &str| inputs.iter().any(|input| plant.tags[input.as_usize()].name.as_str() == name);
        self.late.samples.retain(|name, _| is_input(name));
        let tags: Vec<TagIndex> = late.iter().map(|(place, _)| self.inputs[*place]).collect();
        let mut whole = span;
        if tags.is_empty() {
            return Ok(whole);
        }
        let read = Window { start: span.start - PACE_MS, end: span.end + PACE_MS };
        for ((place, due), samples) in late.into_iter().zip(history.samples(&tags, read, AROUND)?) {
            let readings = self.known(place, samples);
            for window in due.iter() {
                if let Some(affected) = self.affected(place, &readings, window) {
                    let most = MINUTES_AT_ONCE * MINUTE_MS;
                    whole.start = whole.start.min(affected.start.minute().max(span.start - most));
                    whole.end = whole.end.max((affected.end + (MINUTE_MS - 1)).minute().min(span.start + most));
                    self.mark_takers(place, affected);
                }
                if let Some(entered) = self.entered(place, &readings, window) {
                    whole.end = whole.end.max(entered.end.min(span.start + MINUTES_AT_ONCE * MINUTE_MS));
                    self.mark_takers(place, entered);
                }
            }
            self.catch_up(place, &readings, &due, span);
        }
        Ok(whole)
    }

    /// Returns the samples that the engine has processed, ascending, each instant once.
    fn known(&self, place: usize, samples: TagColumns) -> TagColumns {
        ordered(samples, self.watermark(place))
    }

    /// Returns up to where the samples of an input are processed.
    fn watermark(&self, place: usize) -> Timestamp {
        self.now - self.groups[self.group_of_place[place]].lateness_ms
    }

    /// Returns the spans whose minutes the late samples within `window` change.
    fn affected(&self, place: usize, readings: &TagColumns, window: Window) -> Option<Window> {
        let spec = &self.plant.tags[self.inputs[place].as_usize()];
        let (instants, qualities) = (readings.measured_at(), readings.qualities());
        let from = instants.partition_point(|at| *at < window.start);
        let to = instants.partition_point(|at| *at < window.end);
        let late = &instants[from..to];
        let (first, last) = (late.first()?, late.last()?);
        let next = instants.get(to).copied();
        let before = from.checked_sub(1).map_or(*first, |before| instants[before]);
        match spec.kind {
            TagKind::Gauge | TagKind::State => {
                let held = if self.series[place].is_confirmed() { self.now } else { *last + spec.hold_ms };
                let held = held.max(before + spec.hold_ms);
                Some(Window { start: *first, end: next.map_or(held, |next| next.min(held)) })
            }
            TagKind::Interval { period_ms } => {
                let end = next.filter(|next| *next - period_ms < *last).unwrap_or(*last);
                Some(Window { start: *first - period_ms, end })
            }
            TagKind::Counter { .. } => {
                let usable = |place: &usize| qualities[*place].is_usable();
                let earlier = (0..from).rev().filter(usable).take(NEIGHBOURS).last();
                let later = (to..instants.len()).filter(usable).take(NEIGHBOURS).last();
                let start = earlier.map_or(*first, |place| instants[place]);
                let end = later.map_or(self.now, |place| instants[place]);
                Some(Window { start, end: end.max(*last + 1) })
            }
        }
    }

    /// Returns the minute of the next usable state after late ones, however far: whether it begins a failure depends on
    /// the state before it.
    fn entered(&self, place: usize, readings: &TagColumns, window: Window) -> Option<Window> {
        let is_state = self.plant.tags[self.inputs[place].as_usize()].kind == TagKind::State;
        let next = readings.readings().find(|(at, quality, _)| *at >= window.end && quality.is_usable());
        next.filter(|_| is_state).map(|(at, ..)| Window { start: at.minute(), end: at.minute() + MINUTE_MS })
    }

    fn mark_takers(&mut self, place: usize, span: Window) {
        let Self { plant, groups, group_of_place, inputs, late, .. } = self;
        for asset in groups[group_of_place[place]].assets.iter().map(|asset| &plant.assets[*asset]) {
            if asset.inputs().any(|tag| tag == inputs[place]) {
                late.mark_minutes(asset.id.as_str(), span);
            }
        }
    }

    /// A late reading that few usable ones have followed, or none, is part of where the counter stands, of what it has yet
    /// to decide, or the state that is known.
    fn catch_up(&mut self, place: usize, readings: &TagColumns, due: &Spans, span: Window) {
        let spec = &self.plant.tags[self.inputs[place].as_usize()];
        let is_late = |at: Timestamp| due.iter().any(|window| window.contains(at));
        let instants = readings.measured_at().iter().zip(readings.qualities());
        let usable = instants.rev().filter(|(_, quality)| quality.is_usable());
        let following = match spec.kind {
            TagKind::Counter { .. } => NEIGHBOURS,
            TagKind::State => 1,
            TagKind::Gauge | TagKind::Interval { .. } => return,
        };
        if usable.take(following).any(|(at, _)| is_late(*at)) {
            // What was confirmed since holds of it too.
            let until_now = Window { start: span.start, end: self.now };
            let again = self.series[place].again(spec, readings, until_now, self.watermark(place), self.has_ended);
            self.series[place].adopt(again);
        }
    }

    /// Takes what is marked within a span and closed, and adds what takes from it.
    fn take_touched(&mut self, span: Window) -> BTreeMap<usize, Spans> {
        let mut touched = BTreeMap::new();
        let from = self.exact_from;
        for position in 0..self.assets.len() {
            let id = self.plant.assets[position].id.as_str();
            let Some(spans) = self.late.minutes.get_mut(id) else { continue };
            let closed_until = self.groups[self.group_of[position]].closed_until;
            let due = spans.take(Window { start: span.start, end: span.end.min(closed_until) });
            // Earlier ones can't be computed again.
            spans.take(Window { start: Timestamp(i64::MIN), end: from });
            if spans.is_empty() {
                self.late.minutes.remove(id);
            }
            let mut kept = Spans::default();
            due.iter().for_each(|due| kept.add(Window { start: due.start.max(from), end: due.end }));
            if !kept.is_empty() {
                touched.insert(position, kept);
            }
        }
        let (plant, mut gone) = (&self.plant, std::mem::take(&mut self.late.minutes));
        gone.retain(|asset, _| plant.assets.iter().any(|known| known.id.as_str() == asset));
        self.late.minutes = gone;
        touched
    }

    /// Computes what the inputs of every touched asset, and of those that take from it, contribute.
    fn read_minutes<H: History>(&self, work: &mut Work, history: &H) -> Result<(), H::Error> {
        let first = work.touched.values().filter_map(Spans::first).min();
        let last = work.touched.values().filter_map(Spans::last).max();
        let (Some(first), Some(last)) = (first, last) else { return Ok(()) };
        let mut places = BTreeSet::new();
        for position in work.touched.keys() {
            let mut next = Some(*position);
            while let Some(position) = next {
                places.extend(self.places_of(position));
                next = self.plant.assets[position].parent.filter(|parent| self.takes(*parent, position));
            }
        }
        let places: Vec<usize> = places.into_iter().collect();
        let tags: Vec<TagIndex> = places.iter().map(|place| self.inputs[*place]).collect();
        let hull = Window { start: first.minute(), end: last };
        let read = Window { start: hull.start - PACE_MS, end: hull.end + PACE_MS };
        for (place, samples) in places.into_iter().zip(history.samples(&tags, read, AROUND)?) {
            let spec = &self.plant.tags[self.inputs[place].as_usize()];
            let readings = self.known(place, samples);
            let mut again = self.series[place].again(spec, &readings, hull, self.watermark(place), self.has_ended);
            let of_minute = |at: i64| hull.start + at * MINUTE_MS;
            let minutes = (0..hull.length_ms() / MINUTE_MS).map(of_minute);
            let contributions = minutes.filter_map(|minute| Some((minute, again.close(spec, minute)?))).collect();
            work.minutes.insert(place, contributions);
        }
        Ok(())
    }

    /// Returns the places of what an asset's facts are made from: its own inputs, and where it is told of work that its
    /// machines do, theirs.
    fn places_of(&self, position: usize) -> Vec<usize> {
        let asset = &self.plant.assets[position];
        if asset.takes_context() && !self.children[position].is_empty() {
            return self.groups[self.group_of[position]].places.clone();
        }
        let places = asset.inputs().map(|tag| self.places[tag.as_usize()] as usize);
        places.filter(|place| *place < self.inputs.len()).collect()
    }

    /// Says whether a parent takes facts of a child.
    fn takes(&self, parent: usize, child: usize) -> bool {
        let (parent, child) = (self.group_of[parent], self.group_of[child]);
        parent == child || self.groups[parent].awaited.contains(&child)
    }

    fn recompute_asset<H: History>(
        &mut self,
        position: usize,
        spans: &Spans,
        work: &mut Work,
        history: &H,
    ) -> Result<(), H::Error> {
        let closed_until = self.groups[self.group_of[position]].closed_until;
        if let Some(parent) =
            self.plant.assets[position].parent.filter(|parent| self.plant.assets[*parent].takes_context())
            && self.takes(parent, position)
        {
            // What it was told of its machines' work is cut by their samples, not by their facts.
            spans.iter().for_each(|span| work.touched.entry(parent).or_default().add(span));
        }
        let mut around = Spans::default();
        let longest = stage::longest(&self.plant.assets[position]);
        let slide = if longest.is_some() { stage::SLIDING_MINUTES as i64 * MINUTE_MS } else { 0 };
        for span in spans.iter() {
            let start = block_of(&self.plant, longest, span.start).start;
            let end = block_of(&self.plant, longest, span.end - 1 + slide).end;
            around.add(Window { start, end: end.min(closed_until) });
        }
        let children = self.children[position].clone();
        for child in children.iter().filter(|child| self.takes(position, **child)) {
            for span in spans.iter() {
                read_facts(*child, span, work, history)?;
            }
        }
        for span in around.iter() {
            read_facts(position, Window { start: span.start - slide, end: span.end }, work, history)?;
            self.recompute_span(position, spans, span, slide, work);
        }
        Ok(())
    }

    /// Computes the minutes of a span again: `touched` ones from their inputs, the others' blocks.
    fn recompute_span(&mut self, position: usize, touched: &Spans, span: Window, slide: i64, work: &mut Work) {
        let mut blocks = Blocks::default();
        let stored = work.facts.remove(&position).unwrap_or_default();
        for back in (1..=slide / MINUTE_MS).rev() {
            let minute = span.start - back * MINUTE_MS;
            if self.started.is_none_or(|started| minute >= started) || stored.contains_key(&minute) {
                blocks.remember(stored.get(&minute).and_then(kpi::drawn));
            }
        }
        let touched: BTreeSet<Timestamp> = touched.minutes().collect();
        let mut fresh: Vec<(Timestamp, Facts, Facts)> = Vec::new();
        let mut minute = span.start;
        while minute < span.end {
            let old = stored.get(&minute).cloned().unwrap_or_else(|| self.before_start(position, minute));
            let base = if touched.contains(&minute) {
                self.assemble_again(position, minute, work)
            } else {
                let mut base = old.clone();
                stage::staged().for_each(|measure| base.remove(measure));
                base
            };
            let mut facts = base;
            blocks.take(&self.plant, position, &mut self.clockwork, minute, &mut facts);
            if facts != old {
                fresh.push((minute, old, facts));
            }
            minute = minute + MINUTE_MS;
        }
        if span.end == self.groups[self.group_of[position]].closed_until && slide > 0 {
            self.assets[position].blocks = blocks;
        }
        work.facts.insert(position, stored);
        for (minute, old, facts) in fresh {
            self.correct(position, minute, &old, facts, work);
        }
    }

    fn assemble_again(&mut self, position: usize, minute: Timestamp, work: &Work) -> Facts {
        let span = Window { start: minute, end: minute + MINUTE_MS };
        let planned = self.planner.plan(&self.plant.calendars, span);
        let mut contributions: Vec<Option<TagMinute>> = vec![None; self.inputs.len()];
        for place in self.places_of(position) {
            contributions[place] = work.minutes.get(&place).and_then(|minutes| minutes.get(&minute)).cloned();
        }
        let mut all = vec![Facts::default(); self.assets.len()];
        for child in &self.children[position].clone() {
            if !self.takes(position, *child) {
                continue;
            }
            let facts = work.facts.get(child).and_then(|facts| facts.get(&minute)).cloned();
            all[*child] = facts.unwrap_or_else(|| self.before_start(*child, minute));
        }
        let told = Some((&self.told, &*self.plant));
        let tags = Contributions { places: &self.places, minutes: &contributions, told };
        let whole = Span { window: span, planned: &planned };
        assemble::one(&self.plant, position, &self.children[position], whole, tags, &all)
    }

    /// Returns what windows and blocks took for a minute before the first one: that nothing was observed.
    fn before_start(&mut self, position: usize, minute: Timestamp) -> Facts {
        if self.started.is_none_or(|started| minute >= started) {
            return Facts::default();
        }
        let span = Window { start: minute, end: minute + MINUTE_MS };
        self.unobserved.of(&self.plant, &self.children, position, span)
    }

    /// Puts corrected facts where the minute's facts went.
    fn correct(&mut self, position: usize, minute: Timestamp, old: &Facts, facts: Facts, work: &mut Work) {
        let Some(change) = Change::between(old, &facts) else { return };
        let id = self.plant.assets[position].id.as_str();
        let closed_until = self.groups[self.group_of[position]].closed_until;
        let state = &mut self.assets[position];
        state.windows.correct(minute, &change);
        if let Some(waiting) = state.waiting.get_mut(&minute) {
            *waiting = facts.clone();
        }
        for grain in &self.plant.grains {
            let calendar =
                if *grain == crate::model::time::Grain::Shift { self.plant.assets[position].calendar } else { 0 };
            let window = self.clockwork.window_of(&self.plant, calendar, *grain, minute);
            if let Some(window) = window.filter(|window| window.end <= closed_until) {
                self.late.revising.entry((*grain, window, id.to_owned())).or_default().merge(&change);
            }
        }
        if let Some(parent) = self.plant.assets[position].parent.filter(|parent| self.takes(*parent, position)) {
            let closed = self.groups[self.group_of[parent]].closed_until;
            if minute < closed {
                work.touched.entry(parent).or_default().add(Window { start: minute, end: minute + MINUTE_MS });
            }
        }
        work.facts.entry(position).or_default().insert(minute, facts.clone());
        work.rows.push((minute, position, facts));
    }

    fn take_revisions(&mut self) -> Vec<Revision> {
        let revising = std::mem::take(&mut self.late.revising);
        let position = |id: &str| self.plant.assets.iter().position(|asset| asset.id.as_str() == id);
        let mut revisions: Vec<Revision> = revising
            .into_iter()
            .filter_map(|((grain, window, id), Change { difference, stale })| {
                Some(Revision { asset: position(&id)?, grain, window, correction: difference, stale })
            })
            .collect();
        revisions.sort_by_key(|revision| (revision.window.end, revision.grain, revision.asset));
        revisions
    }
}

/// Reads facts that aren't known yet.
fn read_facts<H: History>(asset: usize, span: Window, work: &mut Work, history: &H) -> Result<(), H::Error> {
    let known = work.facts.entry(asset).or_default();
    for (minute, facts) in history.facts(asset, span)? {
        known.entry(minute).or_insert(facts);
    }
    Ok(())
}
