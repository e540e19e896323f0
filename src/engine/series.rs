//! One tag's samples in event-time order, booked as amounts and states into UTC minutes.
//!
//! In: samples in any order. Out: per minute the amount, what was substituted or excluded, the time really observed,
//! and the states. Samples wait until the watermark passes them, so arrival order never matters. A counter's growth is
//! spread linearly in 10⁻⁶ units so that its minutes sum to the whole, exactly. What a minute holds depends on the
//! samples around it alone: [`Series::again`] computes it from stored ones.

use std::collections::{BTreeSet, VecDeque};

use serde::{Deserialize, Serialize};

use super::counter::{Booking, Counter, Limits, Note, Share, Step, ToldSwap};
pub(super) use super::minute::{Level, TagMinute};
use super::minute::{Minutes, Piece, each_minute};
use crate::model::number::Number;
use crate::model::sample::{Quality, TagColumns, TagRun, is_ascending};
use crate::model::state::MachineState;
use crate::model::swap::{Swap, SwapOutcome};
use crate::model::tag::{TagKind, TagSpec};
use crate::model::time::{MINUTE_MS, Timestamp, Window};
use crate::model::unit::Dimension;

/// How far back anything is computed: older samples are kept and take part in nothing, and growth over a longer gap
/// is excluded. Bounds the work that one wrong clock can cause. **Unit**: ms.
pub(super) const HORIZON_MS: i64 = 35 * 24 * 60 * MINUTE_MS;

/// Spans of confirmation and told swaps that are remembered of one tag, the newest.
const REMEMBERED_MAX: usize = 64;

/// A sample without its tag: instant, quality, value.
pub(super) type Reading = (Timestamp, Quality, Option<Number>);

/// What became of a sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ingested {
    /// It waits for the watermark.
    Taken,
    /// The same instant was there already, and what it said stands.
    Duplicate,
    /// What came after it is processed: its minutes are to be computed again.
    Late,
}

/// The state of one tag. Grows with the samples inside the lateness bound only.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(super) struct Series {
    /// Samples that the watermark hasn't passed, ascending.
    pub(super) pending: VecDeque<Reading>,
    /// The last processed sample, usable or not.
    pub(super) seen: Option<Reading>,
    /// Instant of the last processed sample that was usable.
    pub(super) usable: Option<Timestamp>,
    /// The last usable sample, except of a counter. **Unit** of the value: 10⁻⁶ of the base unit; a state's code.
    pub(super) last: Option<(Timestamp, i128)>,
    /// Gauge that is no power: the newest sample, where it can't be used, and why.
    pub(super) unusable: Option<(Timestamp, Quality)>,
    /// The last usable state, whether it still holds or not.
    pub(super) known: Option<MachineState>,
    /// A counter's readings.
    pub(super) counter: Counter,
    /// Counter: the newest processed sample was usable, so that its reading can be confirmed.
    pub(super) stands: bool,
    /// Gauge and state: up to where the last value is booked.
    pub(super) booked_until: Timestamp,
    /// Contributions not yet collected.
    pub(super) minutes: Minutes,
    /// What is not yet reported.
    pub(super) events: Events,
    /// Instants, by the clock of the samples, at which the source confirmed what stands; not yet passed.
    pub(super) confirmations: BTreeSet<Timestamp>,
    /// The last one that was booked.
    pub(super) confirmed_until: Option<Timestamp>,
    /// From when to when the source confirmed without a break, ascending.
    pub(super) confirmed: VecDeque<(Timestamp, Timestamp)>,
    /// How long after its instant the newest sample arrived. **Unit**: ms.
    pub(super) lag_ms: i64,
    /// What people said of this counter's swaps, by time.
    pub(super) told: Vec<ToldSwap>,
    /// Those of them that are in the figures, by number.
    pub(super) applied: BTreeSet<i64>,
    /// Whether the parts of its minutes are asked for: the configuration's, not the state's.
    #[serde(skip)]
    pub(super) keeps_pieces: bool,
    /// What a reading came to; kept for its memory only.
    #[serde(skip)]
    pub(super) steps: Vec<Step>,
}

/// What happened to counters: how often, and what became of told swaps.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Events {
    /// Counters that fell and came back.
    pub dips: u64,
    /// Counters that rose and came back.
    pub spikes: u64,
    /// Counters that fell and went on from there.
    pub resets: u64,
    /// Counters that passed the width of their register.
    pub rollovers: u64,
    /// Rises beyond what is possible, left out of the figures.
    pub excluded: u64,
    /// Told swaps by their number in the store, and what became of them.
    pub swaps: Vec<(i64, SwapOutcome)>,
}

impl Events {
    fn note(&mut self, note: Note) {
        match note {
            Note::Dip => self.dips += 1,
            Note::Spike => self.spikes += 1,
            Note::Reset => self.resets += 1,
            Note::Rollover => self.rollovers += 1,
            Note::Excluded => self.excluded += 1,
        }
    }

    /// Adds what came after.
    pub fn merge(&mut self, later: Self) {
        self.dips += later.dips;
        self.spikes += later.spikes;
        self.resets += later.resets;
        self.rollovers += later.rollovers;
        self.excluded += later.excluded;
        self.swaps.extend(later.swaps);
    }
}

impl Series {
    /// Takes a sample. Of two with the same instant the better quality wins, then the larger value, so that the
    /// order of arrival doesn't matter.
    pub(super) fn ingest(&mut self, kind: TagKind, (at, quality, value): Reading) -> Ingested {
        if self.pending.back().is_none_or(|(last, ..)| at > *last) && !self.has_passed(kind, at) {
            self.pending.push_back((at, quality, value));
            return Ingested::Taken;
        }
        if let Some((_, seen_quality, seen_value)) = self.seen.filter(|(seen, ..)| *seen == at) {
            let is_news = wins((quality, value), (seen_quality, seen_value));
            return if is_news { Ingested::Late } else { Ingested::Duplicate };
        }
        if self.has_passed(kind, at) {
            return Ingested::Late;
        }
        match self.pending.binary_search_by_key(&at, |(held, ..)| *held) {
            Err(place) => {
                self.pending.insert(place, (at, quality, value));
                Ingested::Taken
            }
            Ok(place) => {
                let held = &mut self.pending[place];
                if wins((quality, value), (held.1, held.2)) {
                    *held = (at, quality, value);
                }
                Ingested::Duplicate
            }
        }
    }

    /// Takes samples that follow everything that is here, ascending, each instant once; says no where they don't.
    pub(super) fn append(&mut self, kind: TagKind, run: &TagRun<'_>) -> bool {
        let Some(first) = run.measured_at.first() else { return true };
        let is_next = self.pending.back().is_none_or(|(last, ..)| *first > *last) && !self.has_passed(kind, *first);
        let is_plain = is_next && is_ascending(run.measured_at);
        if is_plain {
            self.pending.extend(run.readings());
        }
        is_plain
    }

    /// Says whether an instant lies before what is processed. A counter that was confirmed was read then.
    fn has_passed(&self, kind: TagKind, at: Timestamp) -> bool {
        let confirmed = self.confirmed_until.filter(|_| matches!(kind, TagKind::Counter { .. }));
        self.seen.is_some_and(|(seen, ..)| at <= seen) || confirmed.is_some_and(|until| at <= until)
    }

    /// Notes how long a sample was on its way, or by how much the clock behind it is slow.
    pub(super) fn note_lag(&mut self, measured_at: Timestamp, received_at: Timestamp) {
        if self.latest().is_none_or(|latest| measured_at >= latest) {
            self.lag_ms = received_at.ms_since(measured_at).max(0);
        }
    }

    /// The source hears everything and heard nothing else up to `received_at`: what it last reported stands. By the clock
    /// of the samples that is as much earlier as they are late, so that it never overtakes one that is under way.
    pub(super) fn confirm(&mut self, received_at: Timestamp) {
        let at = received_at - self.lag_ms;
        if self.latest().is_some_and(|latest| at > latest) {
            self.confirmations.insert(at);
        }
    }

    /// Takes what a person says of a swapped meter.
    pub(super) fn tell(&mut self, spec: &TagSpec, swap: &Swap) {
        let micro = |reading| scaled(spec, reading);
        let told = match (spec.kind, micro(swap.old_final), micro(swap.new_initial)) {
            (TagKind::Counter { .. }, Some(old_final), Some(new_initial)) => {
                ToldSwap { id: swap.id, at: swap.at, old_final, new_initial }
            }
            _ => return self.events.swaps.push((swap.id, SwapOutcome::NoCounter)),
        };
        if self.told.len() == REMEMBERED_MAX {
            let oldest = self.told.remove(0);
            self.applied.remove(&oldest.id);
        }
        self.told.push(told);
        self.told.sort_by_key(|swap| (swap.at, swap.id));
        let mut steps = Vec::new();
        self.counter.tell(&limits(spec), told, &mut steps);
        self.take(&mut steps);
    }

    /// Decides what a counter left open, as nothing follows.
    pub(super) fn finish(&mut self, spec: &TagSpec) {
        let mut steps = Vec::new();
        self.counter.finish(&limits(spec), &mut steps);
        self.take(&mut steps);
    }

    /// Returns what a tag of the same name under another decoding starts with.
    pub(super) fn successor(self) -> Self {
        Self { counter: self.counter.successor(), ..Self::default() }
    }

    /// Moves what is to be reported to `events`.
    pub(super) fn move_events(&mut self, events: &mut Events) {
        if self.events != Events::default() {
            events.merge(std::mem::take(&mut self.events));
        }
    }

    /// Returns where the earliest waiting sample's contribution starts.
    pub(super) fn earliest(&self, spec: &TagSpec) -> Option<Timestamp> {
        let (first, ..) = self.pending.front()?;
        Some(match spec.kind {
            TagKind::Interval { period_ms } => *first - period_ms,
            _ => *first,
        })
    }

    /// Returns the instant of the newest sample, processed or waiting.
    pub(super) fn latest(&self) -> Option<Timestamp> {
        self.pending.back().or(self.seen.as_ref()).map(|(at, ..)| *at)
    }

    /// Books every waiting sample up to and including `watermark`. Nothing of a gauge or state is booked before
    /// `closed_until`: those minutes are closed as they were. Says whether there was any.
    pub(super) fn process(&mut self, spec: &TagSpec, watermark: Timestamp, closed_until: Timestamp) -> bool {
        let mut moved = false;
        if self.pending.front().is_some_and(|(at, ..)| *at <= watermark) {
            // Taken out for the while: nothing that is booked adds to what waits.
            let mut pending = std::mem::take(&mut self.pending);
            let due = pending.partition_point(|(at, ..)| *at <= watermark);
            self.process_readings(spec, pending.drain(..due), closed_until);
            self.pending = pending;
            moved = true;
        }
        moved |= !self.confirmations.is_empty() && self.book_confirmations(spec, watermark + 1, closed_until);
        moved
    }

    /// Books readings, ascending, each instant once.
    fn process_readings(&mut self, spec: &TagSpec, readings: impl Iterator<Item = Reading>, closed_until: Timestamp) {
        let limits = limits(spec);
        let mut newest = None;
        for reading in readings {
            self.process_one(spec, &limits, reading, closed_until);
            newest = Some(reading);
        }
        self.seen = newest.or(self.seen);
    }

    #[inline]
    fn process_one(&mut self, spec: &TagSpec, limits: &Limits, (at, quality, value): Reading, closed_until: Timestamp) {
        if !self.confirmations.is_empty() {
            self.book_confirmations(spec, at, closed_until);
        }
        let micro = value.filter(|_| quality.is_usable()).and_then(|number| scaled(spec, number));
        match spec.kind {
            TagKind::Gauge | TagKind::State => {
                self.process_level(spec, at, micro, closed_until);
                self.unusable = micro.is_none().then_some((at, quality));
            }
            TagKind::Counter { .. } => {
                self.stands = micro.is_some();
                if let Some(value) = micro {
                    self.process_counter(limits, at, value);
                }
            }
            TagKind::Interval { period_ms } => {
                if let Some(amount) = micro {
                    self.process_interval(period_ms, at, amount);
                }
            }
        }
        if micro.is_some() {
            self.usable = Some(at);
        }
    }

    /// Books what was confirmed before an instant: the last value stands at each confirmation as if it had been said
    /// again, unless its hold had passed by then. A level is not booked here but when its minutes close or another
    /// value comes: one that comes late, from before a confirmation, still counts from its instant on. A counter stands
    /// at the minute's start before it, so that the same is computed again without every single confirmation. Says
    /// whether there was any.
    fn book_confirmations(&mut self, spec: &TagSpec, before: Timestamp, closed_until: Timestamp) -> bool {
        let mut moved = false;
        while let Some(at) = self.confirmations.first().copied().filter(|at| *at < before) {
            self.confirmations.pop_first();
            moved = true;
            self.remember_confirmation(spec, at);
            match spec.kind {
                TagKind::Gauge | TagKind::State => {
                    if let Some((last_at, value)) = self.last.filter(|(last_at, _)| is_held(spec, *last_at, at)) {
                        self.booked_until = self.booked_until.max(closed_until);
                        self.last = Some((at.max(last_at), value));
                        self.confirmed_until = Some(at);
                    }
                }
                TagKind::Counter { .. } => {
                    let minute = at.minute();
                    let standing = self.counter.standing().filter(|_| self.stands);
                    if let Some((_, value)) = standing.filter(|(last_at, _)| is_held(spec, *last_at, minute)) {
                        self.process_counter(&limits(spec), minute, value);
                        self.confirmed_until = Some(minute);
                    }
                }
                TagKind::Interval { .. } => {}
            }
        }
        moved
    }

    fn remember_confirmation(&mut self, spec: &TagSpec, at: Timestamp) {
        match self.confirmed.back_mut() {
            Some((_, until)) if at.ms_since(*until) <= spec.hold_ms => *until = at.max(*until),
            _ => {
                if self.confirmed.len() == REMEMBERED_MAX {
                    self.confirmed.pop_front();
                }
                self.confirmed.push_back((at, at));
            }
        }
    }

    /// Returns up to where every contribution is known: nothing that is still to come within the tag's hold can change
    /// it. The end of time where nothing is awaited.
    pub(super) fn resolved_until(&self, spec: &TagSpec, watermark: Timestamp) -> Timestamp {
        match spec.kind {
            TagKind::Gauge | TagKind::State => Timestamp(i64::MAX),
            TagKind::Counter { .. } => self.counter.resolved_until(&limits(spec), watermark),
            TagKind::Interval { period_ms } => {
                let awaited = self.seen.filter(|(seen, ..)| watermark < *seen + period_ms + spec.hold_ms);
                awaited.map_or(Timestamp(i64::MAX), |(seen, ..)| seen)
            }
        }
    }

    /// Closes the minutes before `end`: books a held level up to there and returns the minute's contribution.
    pub(super) fn close(&mut self, spec: &TagSpec, minute: Timestamp) -> Option<TagMinute> {
        if matches!(spec.kind, TagKind::Gauge | TagKind::State) {
            self.book_level(spec, minute + MINUTE_MS);
        }
        self.minutes.take(minute)
    }

    /// Removes what was booked into minutes before `closed_until` and returns those minutes, ascending: they are to be
    /// computed again.
    pub(super) fn booked_before(&mut self, closed_until: Timestamp) -> Vec<Timestamp> {
        self.minutes.cut_before(closed_until)
    }

    /// Returns a series that has seen these samples only, up to `watermark`, so that the minutes of `span` are as if
    /// all had come in time. `samples` start before the span and go on after it as far as what they decide; ascending,
    /// each instant once. What was confirmed and told meanwhile holds. `has_ended` says that nothing follows.
    pub(super) fn again(
        &self,
        spec: &TagSpec,
        samples: &TagColumns,
        span: Window,
        watermark: Timestamp,
        has_ended: bool,
    ) -> Self {
        let mut again = Self { keeps_pieces: self.keeps_pieces, counter: self.counter.primed(), ..Self::default() };
        if let Some(first) = samples.measured_at().first() {
            let mut steps = Vec::new();
            let is_applied = |swap: &&ToldSwap| swap.at > *first && self.applied.contains(&swap.id);
            for swap in self.told.iter().filter(is_applied) {
                again.counter.tell(&limits(spec), *swap, &mut steps);
            }
            again.confirmations = self.confirmed_between(spec, *first, span.end.min(watermark));
        }
        let due = samples.readings().take_while(|(at, ..)| *at <= watermark);
        again.process_readings(spec, due, span.start);
        if !again.confirmations.is_empty() {
            again.book_confirmations(spec, watermark + 1, span.start);
        }
        if has_ended {
            again.finish(spec);
        }
        again
    }

    /// Returns instants of confirmation as dense as they need to be.
    fn confirmed_between(&self, spec: &TagSpec, from: Timestamp, to: Timestamp) -> BTreeSet<Timestamp> {
        let is_counter = matches!(spec.kind, TagKind::Counter { .. });
        let step = if is_counter { MINUTE_MS } else { spec.hold_ms.max(1) };
        let mut instants = BTreeSet::new();
        for (start, end) in &self.confirmed {
            let (start, end) = ((*start).max(from), (*end).min(to));
            let mut at = if is_counter { start.minute() } else { start };
            while at <= end {
                instants.insert(at);
                at = at + step;
            }
            if start <= end {
                instants.insert(end);
            }
        }
        instants
    }

    /// Says whether the source ever confirmed what stands.
    pub(super) fn is_confirmed(&self) -> bool {
        !self.confirmed.is_empty()
    }

    /// Goes on from what a series computed [`again`](Series::again) came to, where this one lacks late readings that
    /// nothing usable has followed.
    pub(super) fn adopt(&mut self, again: Self) {
        self.counter.adopt(again.counter);
        self.stands = again.stands;
        self.known = again.known;
        self.usable = again.usable.max(self.usable);
    }

    #[inline]
    fn process_level(&mut self, spec: &TagSpec, at: Timestamp, value: Option<i128>, closed_until: Timestamp) {
        self.book_level(spec, at);
        let state = value.filter(|_| spec.kind == TagKind::State).and_then(MachineState::from_code);
        if let Some(known) = state.and_then(|state| self.known.replace(state)).filter(|_| at >= closed_until) {
            self.minutes.at(at.minute()).entered_with.get_or_insert(known);
        }
        // What was confirmed after the instant of a sample that came late is that sample's value.
        let confirmed = self.confirmed_until.filter(|confirmed| is_held(spec, at, *confirmed));
        self.last = value.map(|value| (confirmed.unwrap_or(at), value));
        self.booked_until = self.booked_until.max(at).max(closed_until);
    }

    /// Books the held level from where it is booked to `until`, at most as long as it holds.
    #[inline]
    fn book_level(&mut self, spec: &TagSpec, until: Timestamp) {
        let Some((at, value)) = self.last else { return self.book_unusable(spec, until) };
        let (from, to) = (self.booked_until, until.min(at + spec.hold_ms));
        if from >= to {
            return;
        }
        self.booked_until = to;
        if spec.kind == TagKind::State {
            let state = MachineState::from_code(value);
            self.in_minutes(from, to, |minute, from, to| {
                minute.observed_ms += to.ms_since(from);
                if let Some(state) = state {
                    minute.hold(from, to, state);
                }
            });
            return;
        }
        let is_integrated = spec.unit.is_integrated();
        self.in_minutes(from, to, |minute, from, to| {
            let ms = to.ms_since(from);
            minute.observed_ms += ms;
            if is_integrated {
                minute.energy += value * i128::from(ms);
            }
        });
        self.book_said(spec, from, to, Ok(value));
    }

    /// Books that a gauge can't be used, as long as it is held to say so. Only a channel asks why.
    fn book_unusable(&mut self, spec: &TagSpec, until: Timestamp) {
        let Some((at, quality)) = self.unusable else { return };
        let (from, to) = (self.booked_until, until.min(at + spec.hold_ms));
        if from < to && spec.kind == TagKind::Gauge {
            self.booked_until = to;
            self.book_said(spec, from, to, Err(quality));
        }
    }

    fn book_said(&mut self, spec: &TagSpec, from: Timestamp, to: Timestamp, said: Result<i128, Quality>) {
        // A power is no signal of a channel, and comes often.
        if !matches!(spec.unit.dimension(), Dimension::ActivePower | Dimension::ReactivePower) {
            self.in_minutes(from, to, |minute, from, to| minute.levels.push(Level { from, to, said }));
        }
    }

    /// An amount that overlaps the last counted one by more than a tenth of its period is a running total sent more
    /// often than its period: counting it would count the same energy again.
    fn process_interval(&mut self, period_ms: i64, at: Timestamp, amount: i128) {
        let from = at - period_ms;
        let known_until = self.last.map_or(from, |(before, _)| before.max(from));
        if known_until.ms_since(from) * 10 > period_ms {
            self.spread(amount, from, at, |minute, piece| minute.excluded += piece.amount);
            return;
        }
        self.last = Some((at, amount));
        let keeps_pieces = self.keeps_pieces;
        self.spread(amount, from, at, |minute, piece| minute.book(piece, keeps_pieces));
        self.observe(known_until, at);
    }

    #[inline]
    fn process_counter(&mut self, limits: &Limits, at: Timestamp, value: i128) {
        if let Some((from, growth)) = self.counter.follow_plainly(limits, at, value) {
            return self.book_growth(from, at, growth);
        }
        let mut steps = std::mem::take(&mut self.steps);
        self.counter.read(limits, at, value, &mut steps);
        self.take(&mut steps);
        self.steps = steps;
    }

    /// Books growth that was watched.
    #[inline]
    fn book_growth(&mut self, from: Timestamp, to: Timestamp, growth: i128) {
        let keeps_pieces = self.keeps_pieces;
        if let Some(minute) = self.minutes.newest_with(from, to) {
            minute.observed_ms += to.ms_since(from);
            if growth != 0 {
                minute.book(Piece { from, to, amount: growth, substituted: 0 }, keeps_pieces);
            }
            return;
        }
        self.observe(from, to);
        self.spread(growth, from, to, |minute, piece| minute.book(piece, keeps_pieces));
    }

    /// Books what a counter's readings came to.
    fn take(&mut self, steps: &mut Vec<Step>) {
        let keeps_pieces = self.keeps_pieces;
        for step in steps.drain(..) {
            match step {
                Step::Book(Booking { from, to, amount, share }) => {
                    self.spread(amount, from, to, |minute, piece| match share {
                        Share::Counted => minute.book(piece, keeps_pieces),
                        Share::Substituted => minute.book(Piece { substituted: piece.amount, ..piece }, keeps_pieces),
                        Share::Excluded => minute.excluded += piece.amount,
                    });
                }
                Step::Watched(from, to) => self.observe(from, to),
                Step::Noted(note) => self.events.note(note),
                Step::Swapped(id, outcome) => {
                    if outcome == SwapOutcome::Applied {
                        self.applied.insert(id);
                    }
                    self.events.swaps.push((id, outcome));
                }
            }
        }
    }

    /// Spreads `amount` linearly over `[from, to)`. The shares sum to it exactly.
    fn spread(&mut self, amount: i128, from: Timestamp, to: Timestamp, mut book: impl FnMut(&mut TagMinute, Piece)) {
        if amount == 0 {
            return;
        }
        let minute = from.minute();
        if to <= from {
            return book(self.minutes.at(to.minute()), Piece { from: to, to, amount, substituted: 0 });
        }
        if to <= minute + MINUTE_MS {
            return book(self.minutes.at(minute), Piece { from, to, amount, substituted: 0 });
        }
        // What is taken back must mirror what was booked, rounding included.
        let (sign, size, length) = (amount.signum(), amount.abs(), i128::from(to.ms_since(from)));
        let until = |t: Timestamp| sign * (size * i128::from(t.ms_since(from))).div_euclid(length);
        each_minute(from, to, |minute, start, end| {
            let piece = Piece { from: start, to: end, amount: until(end) - until(start), substituted: 0 };
            book(self.minutes.at(minute), piece);
        });
    }

    fn observe(&mut self, from: Timestamp, to: Timestamp) {
        self.in_minutes(from, to, |minute, from, to| minute.observed_ms += to.ms_since(from));
    }

    /// Calls `book` with each minute that `[from, to)` touches, and the part in it, ascending.
    #[inline]
    fn in_minutes(
        &mut self,
        from: Timestamp,
        to: Timestamp,
        mut book: impl FnMut(&mut TagMinute, Timestamp, Timestamp),
    ) {
        match self.minutes.newest_with(from, to) {
            Some(minute) => book(minute, from, to),
            None => each_minute(from, to, |minute, from, to| book(self.minutes.at(minute), from, to)),
        }
    }
}

/// Returns the samples of one tag up to an instant, ascending, each instant once: of two the better quality, then the
/// larger value.
pub(super) fn ordered(mut samples: TagColumns, until: Timestamp) -> TagColumns {
    if samples.is_ascending() {
        let known = samples.measured_at().partition_point(|at| *at <= until);
        samples.truncate(known);
        return samples;
    }
    let mut readings: Vec<Reading> = samples.readings().filter(|(at, ..)| *at <= until).collect();
    readings.sort_by_key(|(at, ..)| *at);
    readings.dedup_by(|next, held| {
        let is_same = next.0 == held.0;
        if is_same && wins((next.1, next.2), (held.1, held.2)) {
            *held = *next;
        }
        is_same
    });
    readings.into_iter().collect()
}

/// Returns what bounds a counter; nothing but the hold for other kinds.
fn limits(spec: &TagSpec) -> Limits {
    let (modulus, max_per_second) = match spec.kind {
        TagKind::Counter { modulus, max_per_second } => (modulus, max_per_second),
        _ => (None, None),
    };
    let bound = |limit: Option<f64>| limit.and_then(|limit| scaled(spec, Number::Float(limit)));
    Limits { hold_ms: spec.hold_ms, modulus: bound(modulus), max_per_second: bound(max_per_second) }
}

/// Returns the value in 10⁻⁶ of the base unit; a state's code unscaled.
#[inline]
fn scaled(spec: &TagSpec, number: Number) -> Option<i128> {
    match (spec.kind, number) {
        (TagKind::State, Number::Integer(code)) => Some(code),
        (TagKind::State, Number::Float(_)) => None,
        _ => number.to_micro(spec.unit.base_factor()),
    }
}

/// Says whether a value of `last_at` still holds at a later instant.
fn is_held(spec: &TagSpec, last_at: Timestamp, at: Timestamp) -> bool {
    at > last_at && at.ms_since(last_at) <= spec.hold_ms
}

/// Decides between two samples of one instant: the better quality, then the larger value.
fn wins(fresh: (Quality, Option<Number>), held: (Quality, Option<Number>)) -> bool {
    let value = |sample: (Quality, Option<Number>)| sample.1.map_or(f64::NEG_INFINITY, Number::as_f64);
    fresh.0.rank().cmp(&held.0.rank()).then_with(|| value(held).total_cmp(&value(fresh))).is_lt()
}

#[cfg(test)]
mod tests;
