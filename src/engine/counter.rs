//! One counter's readings, told apart: growth, a dip, a spike, a reset, a rollover, a meter replaced.
//!
//! In: usable readings in event-time order, and what people say of swapped meters. Out: [`Step`]s, what to book where.
//! The figures follow a *line*. A reading that leaves it is only suspected until a later one decides: back on the line
//! it was a dip or a spike and books nothing of its own; further growth beside the line means that the counter was
//! reset or replaced, and the line moves. A whole register is never booked as growth, whatever the order of events.
//!
//! Growth is possible up to the rated maximum over the time since the value last changed, because a register may stand
//! still between its updates. Without a rated maximum it is usual up to [`USUAL`] times the largest rate seen so far;
//! what is unusual has to be confirmed by what follows.

mod told;

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::series::HORIZON_MS;
use crate::model::swap::SwapOutcome;
use crate::model::time::{MINUTE_MS, Timestamp};

/// A fall of at most this share of the value is resolution or a restored backup, not a reset: 1 ÷ 1000.
const STEP_BACK: i128 = 1_000;

/// Without a rated maximum, growth up to this many times the largest rate so far is taken as it comes.
const USUAL: i128 = 10;

/// Without a rated maximum, the share of the value up to which the very first growth is taken as it comes: 1 ÷ 100.
const FIRST_GROWTH: i128 = 100;

/// Readings on another level that confirm it without growing, where there is no rated maximum.
const CONFIRMING: u32 = 3;

/// Breaks and gaps that are remembered, so that a swap can be told after the new meter's first readings.
const SEAMS_MAX: usize = 16;

/// What bounds a counter. **Unit** of amounts: 10⁻⁶ of the base unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Limits {
    pub(super) hold_ms: i64,
    pub(super) modulus: Option<i128>,
    pub(super) max_per_second: Option<i128>,
}

/// How an amount counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Share {
    /// Growth that was watched.
    Counted,
    /// Growth over a gap.
    Substituted,
    /// Growth that can't be.
    Excluded,
}

/// An amount to be spread over `[from, to)`; negative where an earlier one is taken back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Booking {
    pub(super) from: Timestamp,
    pub(super) to: Timestamp,
    pub(super) amount: i128,
    pub(super) share: Share,
}

/// What came of a reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    Book(Booking),
    /// `[from, to)` was watched.
    Watched(Timestamp, Timestamp),
    /// Something that an operator may want to know.
    Noted(Note),
    /// What became of a told swap.
    Swapped(i64, SwapOutcome),
}

/// What happened to a counter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Note {
    /// It fell and came back.
    Dip,
    /// It rose and came back.
    Spike,
    /// It fell and goes on from there.
    Reset,
    /// It passed the width of its register.
    Rollover,
    /// It rose further than it can, and goes on from there.
    Excluded,
}

/// One reading. **Unit** of the value: 10⁻⁶ of the base unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Reading {
    at: Timestamp,
    value: i128,
}

/// What the figures follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Line {
    last: Reading,
    /// When the value last changed.
    changed_at: Timestamp,
    /// Growth that the rated maximum allowed before `changed_at` and that didn't come. **Unit**: 10⁻⁹.
    spare: i128,
}

/// Readings beside the line, all of one value so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Suspect {
    first: Reading,
    last_at: Timestamp,
    readings: u32,
}

/// The line that was left when a suspicion was confirmed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Left {
    last: Reading,
    /// Booked since.
    booked: i128,
}

/// Two neighbouring readings between which the meter may have been replaced, and what was booked for them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Seam {
    from: Reading,
    to: Reading,
    booked: Option<Booking>,
}

/// A swap as the counter knows it. **Unit** of the readings: 10⁻⁶ of the base unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ToldSwap {
    pub(super) id: i64,
    pub(super) at: Timestamp,
    pub(super) old_final: i128,
    pub(super) new_initial: i128,
}

/// The state of one counter, bounded.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(super) struct Counter {
    line: Option<Line>,
    /// Where the tag ended before its decoding was changed.
    predecessor: Option<Reading>,
    /// The largest rate so far. **Unit**: 10⁻⁶ of the base unit in 10⁶ ms.
    peak: Option<i128>,
    suspect: Option<Suspect>,
    left: Option<Left>,
    /// Told, and waiting for the new meter's first reading; ascending.
    swaps: Vec<ToldSwap>,
    seams: VecDeque<Seam>,
}

impl Line {
    const fn at(last: Reading) -> Self {
        Self { changed_at: last.at, spare: 0, last }
    }
}

impl Counter {
    /// Returns the state as the first format of checkpoints held it: the last reading, and the one before a fall.
    pub(super) fn of(last: Option<(Timestamp, i128)>, before_fall: Option<(Timestamp, i128)>) -> Self {
        let reading = |(at, value)| Reading { at, value };
        let (last, before) = (last.map(reading), before_fall.map(reading));
        Self {
            line: before.or(last).map(Line::at),
            suspect: before.and(last).map(|low| Suspect { first: low, last_at: low.at, readings: 1 }),
            ..Self::default()
        }
    }

    /// Returns the state for the same tag under another decoding: it starts afresh, and only a told swap bridges.
    pub(super) fn successor(self) -> Self {
        let predecessor = self.line.map(|line| line.last).or(self.predecessor);
        Self { predecessor, swaps: self.swaps, seams: VecDeque::new(), ..Self::default() }
    }

    /// Returns up to where nothing that is still to come within the hold can change the growth, nor what was watched.
    pub(super) fn resolved_until(&self, limits: &Limits, watermark: Timestamp) -> Timestamp {
        let followed = self.line.map(|line| line.last.at);
        let awaited = [followed, self.read_until()].into_iter().flatten().filter(|at| watermark < *at + limits.hold_ms);
        awaited.min().unwrap_or(Timestamp(i64::MAX))
    }

    /// Returns a counter that has read nothing, but knows how fast this one can be.
    pub(super) fn primed(&self) -> Self {
        Self { peak: self.peak, ..Self::default() }
    }

    /// Goes on from where another one of the same readings stands. What was told and waits, waits on.
    pub(super) fn adopt(&mut self, other: Self) {
        let (peak, swaps) = (self.peak.max(other.peak), std::mem::take(&mut self.swaps));
        *self = Self { peak, swaps, ..other };
    }

    /// Returns the instant of the newest reading.
    fn read_until(&self) -> Option<Timestamp> {
        self.suspect.map(|suspect| suspect.last_at).or(self.line.map(|line| line.last.at))
    }

    /// Returns the newest reading, believed or only suspected.
    pub(super) fn standing(&self) -> Option<(Timestamp, i128)> {
        let suspected = self.suspect.map(|suspect| (suspect.last_at, suspect.first.value));
        suspected.or(self.line.map(|line| (line.last.at, line.last.value)))
    }

    /// Takes the next reading.
    pub(super) fn read(&mut self, limits: &Limits, at: Timestamp, value: i128, steps: &mut Vec<Step>) {
        let reading = Reading { at, value };
        if let Some(before) = self.read_until().filter(|before| at.ms_since(*before) <= limits.hold_ms) {
            steps.push(Step::Watched(before, at));
        }
        self.take_over(limits, reading, steps);
        let Some(line) = self.line else {
            if let Some(from) = self.predecessor.take() {
                self.remember(Seam { from, to: reading, booked: None });
            }
            self.line = Some(Line::at(reading));
            return;
        };
        if at.ms_since(line.last.at) > HORIZON_MS {
            return self.skip_the_past(line, reading, steps);
        }
        match self.suspect.take() {
            None => self.follow(limits, line, reading, steps),
            Some(suspect) if suspect.first.value > line.last.value => {
                self.resolve_rise(limits, line, suspect, reading, steps);
            }
            Some(suspect) => self.resolve_fall(limits, line, suspect, reading, steps),
        }
    }

    /// Takes the next reading where it plainly goes on from the one before: nothing is suspected, left or told, there
    /// is no gap, and the growth is expected. Returns since when it grew and by how much; `None` where it is for
    /// [`Counter::read`] to decide. What comes of it is the same.
    #[inline]
    pub(super) fn follow_plainly(&mut self, limits: &Limits, at: Timestamp, value: i128) -> Option<(Timestamp, i128)> {
        let line = self.line.filter(|_| self.suspect.is_none() && self.left.is_none() && self.swaps.is_empty())?;
        let growth = value - line.last.value;
        let is_next = at > line.last.at && at.ms_since(line.last.at) <= limits.hold_ms.min(HORIZON_MS);
        if !is_next || growth < 0 || !self.is_expected(limits, &line, growth, at) {
            return None;
        }
        let last = Reading { at, value };
        self.line = Some(if growth == 0 { Line { last, ..line } } else { self.changed(limits, line, last, growth) });
        Some((line.last.at, growth))
    }

    /// Decides what is still suspected, as nothing follows: growth that nobody took back is growth, unless it is
    /// beyond the rated maximum.
    pub(super) fn finish(&mut self, limits: &Limits, steps: &mut Vec<Step>) {
        let (Some(line), Some(suspect)) = (self.line, self.suspect.take()) else { return };
        if suspect.first.value > line.last.value {
            self.rise(limits, line, suspect, limits.max_per_second.is_none(), steps);
        }
    }

    /// Nobody knows how it grew, and figures that old are not revised: it stays out, and is seen to.
    fn skip_the_past(&mut self, line: Line, reading: Reading, steps: &mut Vec<Step>) {
        let growth = reading.value - line.last.value;
        if growth > 0 {
            let from = reading.at - MINUTE_MS;
            steps.push(Step::Book(Booking { from, to: reading.at, amount: growth, share: Share::Excluded }));
            steps.push(Step::Noted(Note::Excluded));
        }
        (self.line, self.suspect, self.left) = (Some(Line::at(reading)), None, None);
    }

    /// The next reading while nothing is suspected.
    fn follow(&mut self, limits: &Limits, line: Line, reading: Reading, steps: &mut Vec<Step>) {
        let growth = reading.value - line.last.value;
        if growth >= 0 && self.is_expected(limits, &line, growth, reading.at) {
            {
                self.book(limits, line, reading, growth, steps);
                return;
            }
        }
        if is_step_back(line.last.value, reading.value) {
            {
                self.book(limits, line, Reading { value: line.last.value, ..reading }, 0, steps);
                return;
            }
        }
        if let Some(growth) = rolled(limits, line.last.value, reading.value)
            && self.is_expected(limits, &line, growth, reading.at)
        {
            steps.push(Step::Noted(Note::Rollover));
            self.left = Some(Left { last: line.last, booked: 0 });
            {
                self.book(limits, line, reading, growth, steps);
                return;
            }
        }
        if self.returns(limits, line, reading, steps) {
            return;
        }
        self.suspect = Some(Suspect { first: reading, last_at: reading.at, readings: 1 });
    }

    /// Goes on from the line that was left, where the reading continues that one.
    fn returns(&mut self, limits: &Limits, line: Line, reading: Reading, steps: &mut Vec<Step>) -> bool {
        let Some(left) = self.left.filter(|left| reading.at.ms_since(left.last.at) <= HORIZON_MS) else { return false };
        let growth = reading.value - left.last.value;
        // Up to a line above, or down to one below: between the two it continues neither.
        let continues = left.last.value > line.last.value || reading.value < line.last.value;
        if growth < 0 || !continues || !self.is_possible(limits, &Line::at(left.last), growth, reading.at) {
            return false;
        }
        self.left = None;
        let rest = (growth - left.booked).max(0);
        self.book(limits, line, reading, rest, steps);
        self.line = Some(Line::at(reading));
        steps.push(Step::Noted(if left.last.value > line.last.value { Note::Dip } else { Note::Spike }));
        true
    }

    /// The reading after one that had fallen.
    fn resolve_fall(&mut self, limits: &Limits, line: Line, suspect: Suspect, reading: Reading, steps: &mut Vec<Step>) {
        let back = reading.value - line.last.value;
        if is_step_back(line.last.value, reading.value)
            || (back >= 0 && self.is_possible(limits, &line, back, reading.at))
        {
            let level = Reading { value: reading.value.max(line.last.value), ..reading };
            self.book(limits, line, level, back.max(0), steps);
            steps.push(Step::Noted(Note::Dip));
            return;
        }
        let growth = reading.value - suspect.first.value;
        let low = Line::at(suspect.first);
        if growth == 0 {
            self.suspect = Some(Suspect { last_at: reading.at, readings: suspect.readings + 1, ..suspect });
        } else if growth > 0 && self.is_possible(limits, &low, growth, reading.at) {
            let line = self.settle_low(limits, line, suspect, steps);
            self.follow(limits, line, reading, steps);
        } else {
            self.suspect = Some(Suspect { first: reading, last_at: reading.at, readings: 1 });
        }
    }

    /// The counter goes on from where it fell to: its register was full, or it was reset.
    fn settle_low(&mut self, limits: &Limits, line: Line, suspect: Suspect, steps: &mut Vec<Step>) -> Line {
        let growth = rolled(limits, line.last.value, suspect.first.value)
            .filter(|growth| self.is_possible(limits, &line, *growth, suspect.first.at));
        self.left = Some(Left { last: line.last, booked: 0 });
        match growth {
            Some(growth) => {
                steps.push(Step::Noted(Note::Rollover));
                self.book(limits, line, suspect.first, growth, steps);
            }
            None => {
                steps.push(Step::Noted(Note::Reset));
                self.remember(Seam { from: line.last, to: suspect.first, booked: None });
            }
        }
        let line = self.settle(suspect);
        // A register that was full without a gap is no break: the newest one is older.
        if self.seams.back().is_some_and(|seam| seam.to == suspect.first) {
            self.explain(limits, steps);
        }
        line
    }

    /// Makes the suspected level the line.
    fn settle(&mut self, suspect: Suspect) -> Line {
        let last = Reading { at: suspect.last_at, ..suspect.first };
        let line = Line { last, ..Line::at(suspect.first) };
        self.line = Some(line);
        line
    }

    /// The reading after one that had risen further than expected.
    fn resolve_rise(&mut self, limits: &Limits, line: Line, suspect: Suspect, reading: Reading, steps: &mut Vec<Step>) {
        let growth = reading.value - suspect.first.value;
        if growth >= 0 && self.is_possible(limits, &Line::at(suspect.first), growth, reading.at) {
            let readings = suspect.readings + 1;
            let suspect = Suspect { readings, ..suspect };
            match self.is_growth(limits, line, suspect, reading, growth) {
                None => {
                    self.suspect = Some(Suspect { last_at: reading.at, ..suspect });
                }
                Some(is_growth) => {
                    let line = self.rise(limits, line, suspect, is_growth, steps);
                    self.follow(limits, line, reading, steps);
                }
            }
            return;
        }
        let back = reading.value - line.last.value;
        if is_step_back(line.last.value, reading.value)
            || (back >= 0 && self.is_possible(limits, &line, back, reading.at))
        {
            let amount = suspect.first.value - line.last.value;
            let (from, to) = (line.last.at, suspect.first.at);
            steps.push(Step::Book(Booking { from, to, amount, share: Share::Excluded }));
            steps.push(Step::Noted(Note::Spike));
            let level = Reading { value: reading.value.max(line.last.value), ..reading };
            {
                self.book(limits, line, level, back.max(0), steps);
                return;
            }
        }
        self.suspect = Some(Suspect { first: reading, last_at: reading.at, readings: 1 });
    }

    /// Says whether a rise that stays is growth; `None` while that is open.
    ///
    /// With a rated maximum it isn't. Without one it is, except from 0 at the very start: there a whole register, of
    /// which the first reading was a dip, looks like growth until the counter moves at its own pace.
    fn is_growth(&self, limits: &Limits, line: Line, suspect: Suspect, reading: Reading, growth: i128) -> Option<bool> {
        if limits.max_per_second.is_some() {
            return Some(false);
        }
        if self.peak.is_some() || line.last.value != 0 {
            return (growth > 0 || suspect.readings > CONFIRMING).then_some(true);
        }
        if growth == 0 {
            return None;
        }
        let rise = suspect.first.value;
        let (rise_ms, growth_ms) = (suspect.first.at.ms_since(line.last.at), reading.at.ms_since(suspect.first.at));
        let is_pace = rise * i128::from(growth_ms) <= 100 * growth * i128::from(rise_ms);
        Some(is_pace || rise <= 1_000 * growth)
    }

    /// Moves the line up to where it was suspected.
    fn rise(&mut self, limits: &Limits, line: Line, suspect: Suspect, is_growth: bool, steps: &mut Vec<Step>) -> Line {
        let amount = suspect.first.value - line.last.value;
        let mut booking = Booking { from: line.last.at, to: suspect.first.at, amount, share: Share::Excluded };
        if is_growth {
            booking.share = self.book(limits, line, suspect.first, amount, steps);
        } else {
            steps.extend([Step::Book(booking), Step::Noted(Note::Excluded)]);
            self.left = Some(Left { last: line.last, booked: 0 });
        }
        let line = self.settle(suspect);
        self.seams.retain(|seam| seam.to != suspect.first);
        self.remember(Seam {
            from: Reading { at: booking.from, value: suspect.first.value - amount },
            to: suspect.first,
            booked: Some(booking),
        });
        self.explain(limits, steps);
        line
    }

    /// Books growth to the next reading on the line, as substituted where there is a gap between.
    fn book(&mut self, limits: &Limits, line: Line, reading: Reading, growth: i128, steps: &mut Vec<Step>) -> Share {
        let is_gap = reading.at.ms_since(line.last.at) > limits.hold_ms;
        let share = if is_gap { Share::Substituted } else { Share::Counted };
        let booking = Booking { from: line.last.at, to: reading.at, amount: growth, share };
        if growth > 0 {
            steps.push(Step::Book(booking));
        }
        if is_gap {
            self.remember(Seam { from: line.last, to: reading, booked: (growth > 0).then_some(booking) });
        }
        if let Some(left) = &mut self.left {
            left.booked += growth;
        }
        self.left = self.left.filter(|left| left.last.value <= line.last.value || left.last.value > reading.value);
        let unchanged = Line { last: reading, ..line };
        self.line = Some(if growth == 0 { unchanged } else { self.changed(limits, line, reading, growth) });
        share
    }

    /// Returns the line after growth, and learns its rate.
    #[inline]
    fn changed(&mut self, limits: &Limits, line: Line, reading: Reading, growth: i128) -> Line {
        let elapsed_ms = i128::from(reading.at.ms_since(line.changed_at).max(1));
        let grown = product(growth, 1_000_000);
        // Nearly always it grew no faster than before: then the rate is nobody's business, and need not be divided out.
        if self.peak.is_none_or(|peak| grown >= product(peak.saturating_add(1), elapsed_ms)) {
            let rate = grown / elapsed_ms;
            self.peak = Some(self.peak.map_or(rate, |peak| peak.max(rate.min(product(peak, USUAL)))).max(1));
        }
        let allowed = limits.max_per_second.unwrap_or(0) * elapsed_ms;
        let spare = (line.spare + allowed - growth * 1_000).clamp(0, allowed);
        Line { last: reading, changed_at: reading.at, spare }
    }

    /// Says whether growth needs no confirmation. While nothing is known of the counter's rate, that is up to
    /// 1 ÷ [`FIRST_GROWTH`] of its value.
    #[inline]
    fn is_expected(&self, limits: &Limits, line: &Line, growth: i128, at: Timestamp) -> bool {
        match (limits.max_per_second, self.peak) {
            (None, None) => growth * FIRST_GROWTH <= line.last.value,
            _ => self.is_possible(limits, line, growth, at),
        }
    }

    /// Says whether the counter can have grown so much since its value last changed. While nothing is known of its
    /// rate, it can.
    #[inline]
    fn is_possible(&self, limits: &Limits, line: &Line, growth: i128, at: Timestamp) -> bool {
        let elapsed_ms = i128::from(at.ms_since(line.changed_at));
        match (limits.max_per_second, self.peak) {
            (Some(limit), _) => growth * 1_000 <= limit * elapsed_ms + line.spare,
            (None, Some(peak)) => product(growth, 1_000_000) <= product(product(peak, USUAL), elapsed_ms),
            (None, None) => true,
        }
    }

    fn remember(&mut self, seam: Seam) {
        if self.seams.len() == SEAMS_MAX {
            self.seams.pop_front();
        }
        self.seams.push_back(seam);
    }
}

/// Returns a product, at the limits of i128 where it is beyond them. Most factors have 64 bits, and then it takes one
/// multiplication.
#[inline]
fn product(a: i128, b: i128) -> i128 {
    match (i64::try_from(a), i64::try_from(b)) {
        (Ok(a), Ok(b)) => i128::from(a) * i128::from(b),
        _ => a.saturating_mul(b),
    }
}

/// Says whether `value` lies below `last` by less than a reset would.
fn is_step_back(last: i128, value: i128) -> bool {
    value < last && (last - value) * STEP_BACK <= last.abs()
}

/// Returns the growth if the register was full between two readings: from its last tenth to its first.
fn rolled(limits: &Limits, last: i128, value: i128) -> Option<i128> {
    let modulus = limits.modulus.filter(|modulus| last * 10 > modulus * 9 && value * 10 < *modulus)?;
    Some(value + modulus - last).filter(|growth| *growth > 0)
}

#[cfg(test)]
mod tests;
