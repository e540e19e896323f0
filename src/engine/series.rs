//! One tag's samples in event-time order, booked as amounts and states into UTC minutes.
//!
//! In: samples in any order. Out: per minute the amount, what was substituted or excluded, the time really observed,
//! and the states. Samples wait until the watermark passes them, so arrival order never matters. Amounts are spread
//! linearly in 10⁻⁶ units with the remainder carried along the segment: the minutes sum to the whole, exactly.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::counter::{Booking, Counter, Limits, Note, Share, Step, ToldSwap};
use crate::model::number::Number;
use crate::model::sample::{Quality, Sample};
use crate::model::state::MachineState;
use crate::model::swap::{Swap, SwapOutcome};
use crate::model::tag::{TagKind, TagSpec};
use crate::model::time::{MINUTE_MS, Timestamp};
use crate::model::unit::Dimension;

/// How far back anything is computed: older samples are kept and take part in nothing, and growth over a longer gap
/// is excluded. Bounds the work that one wrong clock can cause. **Unit**: ms.
pub(super) const HORIZON_MS: i64 = 35 * 24 * 60 * MINUTE_MS;

/// Milliseconds in an hour: a power in 10⁻⁶ kW over this time is as much in 10⁻⁶ kWh.
const HOUR_MS: i128 = 3_600_000;

/// What one tag contributes to one minute.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(super) struct TagMinute {
    /// Amount, substituted part included. **Unit**: 10⁻⁶ of the base unit.
    pub(super) amount: i128,
    /// The part that was spread over a gap. **Unit**: 10⁻⁶ of the base unit.
    pub(super) substituted: i128,
    /// Growth left out as impossible. **Unit**: 10⁻⁶ of the base unit.
    pub(super) excluded: i128,
    /// Time really observed. **Unit**: ms.
    pub(super) observed_ms: i64,
    /// States with their spans, ascending, without overlap.
    pub(super) states: Vec<(Timestamp, Timestamp, MachineState)>,
    /// The parts of the amount by the time in which they came, ascending. Only of tags whose amounts are asked for
    /// parts of a minute.
    #[serde(skip)]
    pub(super) pieces: Vec<Piece>,
}

/// An amount that came evenly within a part of a minute.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Piece {
    pub(super) from: Timestamp,
    /// Not after the minute's end.
    pub(super) to: Timestamp,
    /// Substituted part included. **Unit**: 10⁻⁶ of the base unit.
    pub(super) amount: i128,
    /// The part that was spread over a gap. **Unit**: 10⁻⁶ of the base unit.
    pub(super) substituted: i128,
}

impl TagMinute {
    fn book(&mut self, piece: Piece) {
        self.amount += piece.amount;
        self.substituted += piece.substituted;
        // A spike that is taken back leaves its piece and another one that takes it back, which is as much.
        self.pieces.push(piece);
    }

    /// Returns the amount that came in `[from, to)`: linear within each piece, rounded down at each cut, so that the
    /// parts of a minute that is cut anywhere sum to the whole. **Unit**: 10⁻⁶ of the base unit.
    pub(super) fn amount_between(&self, from: Timestamp, to: Timestamp) -> i128 {
        self.pieces.iter().map(|piece| piece.share(piece.amount, from, to)).sum()
    }
}

impl Piece {
    /// Returns the part of an amount of the piece that came in `[from, to)`. An amount of an instant is that instant's.
    fn share(&self, amount: i128, from: Timestamp, to: Timestamp) -> i128 {
        let length = i128::from(self.to.ms_since(self.from));
        if length <= 0 {
            return if (from..to).contains(&self.from) { amount } else { 0 };
        }
        let until =
            |at: Timestamp| (amount * i128::from(at.clamp(self.from, self.to).ms_since(self.from))).div_euclid(length);
        until(to.max(from)) - until(from)
    }
}

/// What became of a sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ingested {
    /// It waits for the watermark.
    Taken,
    /// The same instant was there already.
    Duplicate,
    /// It is not newer than what was processed.
    Late,
}

/// The state of one tag. Grows with the samples inside the lateness bound only.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(super) struct Series {
    /// Samples that the watermark hasn't passed.
    pending: BTreeMap<Timestamp, (Quality, Option<Number>)>,
    /// Instant of the last processed sample, usable or not.
    seen: Option<Timestamp>,
    /// The last usable sample, except of a counter. **Unit** of the value: 10⁻⁶ of the base unit; a state's code.
    last: Option<(Timestamp, i128)>,
    /// A counter's readings.
    counter: Counter,
    /// Counter: the newest processed sample was usable, so that its reading can be confirmed.
    stands: bool,
    /// Gauge and state: up to where the last value is booked.
    booked_until: Timestamp,
    /// Gauge of a power: the part of an integrated amount that is below the resolution, carried along so that
    /// rounding never adds up. **Unit**: 10⁻⁶ kW·ms.
    carry: i128,
    /// Contributions not yet collected.
    minutes: BTreeMap<Timestamp, TagMinute>,
    /// What is not yet reported.
    events: Events,
    /// Instants, by the clock of the samples, at which the source confirmed what stands; not yet passed.
    confirmations: BTreeSet<Timestamp>,
    /// The last one that was booked.
    confirmed_until: Option<Timestamp>,
    /// How long after its instant the newest sample arrived. **Unit**: ms.
    lag_ms: i64,
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

/// A series as the first format of checkpoints held it.
#[derive(Debug, Deserialize)]
pub(super) struct SeriesV1 {
    pending: BTreeMap<Timestamp, (Quality, Option<Number>)>,
    seen: Option<Timestamp>,
    last: Option<(Timestamp, i128)>,
    before_fall: Option<(Timestamp, i128)>,
    booked_until: Timestamp,
    carry: i128,
    minutes: BTreeMap<Timestamp, TagMinute>,
}

impl From<SeriesV1> for Series {
    fn from(old: SeriesV1) -> Self {
        let SeriesV1 { pending, seen, last, before_fall, booked_until, carry, minutes } = old;
        let counter = Counter::of(last, before_fall);
        let stands = last.is_some_and(|(at, _)| seen == Some(at));
        Self { pending, seen, last, counter, stands, booked_until, carry, minutes, ..Self::default() }
    }
}

impl Series {
    /// Takes a sample. Of two with the same instant the better quality wins, then the larger value, so that the
    /// order of arrival doesn't matter.
    pub(super) fn ingest(&mut self, sample: &Sample) -> Ingested {
        if self.seen.is_some_and(|seen| sample.measured_at <= seen) {
            return if self.seen == Some(sample.measured_at) { Ingested::Duplicate } else { Ingested::Late };
        }
        let fresh = (sample.quality, sample.value);
        match self.pending.get_mut(&sample.measured_at) {
            None => {
                self.pending.insert(sample.measured_at, fresh);
                Ingested::Taken
            }
            Some(held) => {
                if wins(fresh, *held) {
                    *held = fresh;
                }
                Ingested::Duplicate
            }
        }
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
        let mut steps = Vec::new();
        self.counter.tell(&limits(spec), told, &mut steps);
        self.take(steps);
    }

    /// Decides what a counter left open, as nothing follows.
    pub(super) fn finish(&mut self, spec: &TagSpec) {
        let mut steps = Vec::new();
        self.counter.finish(&limits(spec), &mut steps);
        self.take(steps);
    }

    /// Returns what a tag of the same name under another decoding starts with.
    pub(super) fn successor(self) -> Self {
        Self { counter: self.counter.successor(), ..Self::default() }
    }

    /// Returns and removes what is to be reported.
    pub(super) fn take_events(&mut self) -> Events {
        std::mem::take(&mut self.events)
    }

    /// Returns where the earliest waiting sample's contribution starts.
    pub(super) fn earliest(&self, spec: &TagSpec) -> Option<Timestamp> {
        let (first, _) = self.pending.first_key_value()?;
        Some(match spec.kind {
            TagKind::Interval { period_ms } => *first - period_ms,
            _ => *first,
        })
    }

    /// Returns the instant of the newest sample, processed or waiting.
    pub(super) fn latest(&self) -> Option<Timestamp> {
        self.pending.last_key_value().map(|(at, _)| *at).max(self.seen)
    }

    /// Books every waiting sample up to and including `watermark`. Nothing of a gauge or state is booked before
    /// `closed_until`: those minutes are closed as they were. Says whether there was any.
    pub(super) fn process(&mut self, spec: &TagSpec, watermark: Timestamp, closed_until: Timestamp) -> bool {
        let mut moved = false;
        while let Some(entry) = self.pending.first_entry().filter(|entry| *entry.key() <= watermark) {
            let (at, (quality, value)) = entry.remove_entry();
            moved = true;
            self.book_confirmations(spec, at, closed_until);
            let micro = value.filter(|_| quality.is_usable()).and_then(|number| scaled(spec, number));
            match spec.kind {
                TagKind::Gauge | TagKind::State => self.process_level(spec, at, micro, closed_until),
                TagKind::Counter { .. } => {
                    self.stands = micro.is_some();
                    if let Some(value) = micro {
                        // Later than it should have come: until then the value before it was confirmed and booked.
                        let at = self.confirmed_until.map_or(at, |until| at.max(until + 1));
                        self.process_counter(&limits(spec), at, value);
                    }
                }
                TagKind::Interval { period_ms } => {
                    if let Some(amount) = micro {
                        self.process_interval(period_ms, at, amount);
                    }
                }
            }
            self.seen = Some(at);
        }
        moved |= self.book_confirmations(spec, watermark + 1, closed_until);
        moved
    }

    /// Books what was confirmed before an instant: the last value stands at each confirmation as if it had been said
    /// again, unless its hold had passed by then. A level is not booked here but when its minutes close or another
    /// value comes: one that comes late, from before a confirmation, still counts from its instant on. Says whether
    /// there was any.
    fn book_confirmations(&mut self, spec: &TagSpec, before: Timestamp, closed_until: Timestamp) -> bool {
        let mut moved = false;
        while let Some(at) = self.confirmations.first().copied().filter(|at| *at < before) {
            self.confirmations.pop_first();
            moved = true;
            match spec.kind {
                TagKind::Gauge | TagKind::State => {
                    if let Some((last_at, value)) = self.last.filter(|(last_at, _)| is_held(spec, *last_at, at)) {
                        self.booked_until = self.booked_until.max(closed_until);
                        self.last = Some((at.max(last_at), value));
                        self.confirmed_until = Some(at);
                    }
                }
                TagKind::Counter { .. } => {
                    let standing = self.counter.standing().filter(|_| self.stands);
                    if let Some((_, value)) = standing.filter(|(last_at, _)| is_held(spec, *last_at, at)) {
                        self.process_counter(&limits(spec), at, value);
                        self.confirmed_until = Some(at);
                    }
                }
                TagKind::Interval { .. } => {}
            }
        }
        moved
    }

    /// Says whether every contribution to the minutes before `end` is known: nothing that is still to come within
    /// the tag's hold can change them.
    pub(super) fn is_resolved(&self, spec: &TagSpec, end: Timestamp, watermark: Timestamp) -> bool {
        match spec.kind {
            TagKind::Gauge | TagKind::State => true,
            TagKind::Counter { .. } => self.counter.is_resolved(&limits(spec), end, watermark),
            TagKind::Interval { period_ms } => {
                self.seen.is_none_or(|seen| seen >= end || watermark >= seen + period_ms + spec.hold_ms)
            }
        }
    }

    /// Closes the minutes before `end`: books a held level up to there and returns the minute's contribution.
    pub(super) fn close(&mut self, spec: &TagSpec, minute: Timestamp) -> Option<TagMinute> {
        if matches!(spec.kind, TagKind::Gauge | TagKind::State) {
            self.book_level(spec, minute + MINUTE_MS);
        }
        self.minutes.remove(&minute)
    }

    /// Returns and removes what was booked into minutes before `closed_until`, ascending: corrections.
    pub(super) fn corrections(&mut self, closed_until: Timestamp) -> BTreeMap<Timestamp, TagMinute> {
        let open = self.minutes.split_off(&closed_until);
        std::mem::replace(&mut self.minutes, open)
    }

    fn process_level(&mut self, spec: &TagSpec, at: Timestamp, value: Option<i128>, closed_until: Timestamp) {
        self.book_level(spec, at);
        // What was confirmed after the instant of a sample that came late is that sample's value.
        let confirmed = self.confirmed_until.filter(|confirmed| is_held(spec, at, *confirmed));
        self.last = value.map(|value| (confirmed.unwrap_or(at), value));
        self.booked_until = self.booked_until.max(at).max(closed_until);
    }

    /// Books the held level from where it is booked to `until`, at most as long as it holds.
    fn book_level(&mut self, spec: &TagSpec, until: Timestamp) {
        let Some((at, value)) = self.last else { return };
        let (from, to) = (self.booked_until, until.min(at + spec.hold_ms));
        if from >= to {
            return;
        }
        self.booked_until = to;
        self.observe(from, to);
        if spec.kind == TagKind::State {
            if let Some(state) = MachineState::from_code(value) {
                each_minute(from, to, |minute, start, end| self.minute(minute).states.push((start, end, state)));
            }
        } else if matches!(spec.unit.dimension(), Dimension::ActivePower | Dimension::ReactivePower) {
            let mut carry = self.carry;
            each_minute(from, to, |minute, start, end| {
                let energy = carry + value * i128::from(end.ms_since(start));
                carry = energy.rem_euclid(HOUR_MS);
                self.minute(minute).amount += energy.div_euclid(HOUR_MS);
            });
            self.carry = carry;
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
        self.spread(amount, from, at, TagMinute::book);
        self.observe(known_until, at);
    }

    fn process_counter(&mut self, limits: &Limits, at: Timestamp, value: i128) {
        let mut steps = Vec::new();
        self.counter.read(limits, at, value, &mut steps);
        self.take(steps);
    }

    /// Books what a counter's readings came to.
    fn take(&mut self, steps: Vec<Step>) {
        for step in steps {
            match step {
                Step::Book(Booking { from, to, amount, share }) => {
                    self.spread(amount, from, to, |minute, piece| match share {
                        Share::Counted => minute.book(piece),
                        Share::Substituted => minute.book(Piece { substituted: piece.amount, ..piece }),
                        Share::Excluded => minute.excluded += piece.amount,
                    });
                }
                Step::Watched(from, to) => self.observe(from, to),
                Step::Noted(note) => self.events.note(note),
                Step::Swapped(id, outcome) => self.events.swaps.push((id, outcome)),
            }
        }
    }

    /// Spreads `amount` linearly over `[from, to)`. The shares sum to it exactly.
    fn spread(&mut self, amount: i128, from: Timestamp, to: Timestamp, mut book: impl FnMut(&mut TagMinute, Piece)) {
        let length = i128::from(to.ms_since(from));
        if amount == 0 {
            return;
        }
        if length <= 0 {
            return book(self.minute(to.minute()), Piece { from: to, to, amount, substituted: 0 });
        }
        // What is taken back must mirror what was booked, rounding included.
        let (sign, size) = (amount.signum(), amount.abs());
        let until = |t: Timestamp| sign * (size * i128::from(t.ms_since(from))).div_euclid(length);
        each_minute(from, to, |minute, start, end| {
            let piece = Piece { from: start, to: end, amount: until(end) - until(start), substituted: 0 };
            book(self.minute(minute), piece);
        });
    }

    fn observe(&mut self, from: Timestamp, to: Timestamp) {
        each_minute(from, to, |minute, start, end| self.minute(minute).observed_ms += end.ms_since(start));
    }

    fn minute(&mut self, minute: Timestamp) -> &mut TagMinute {
        self.minutes.entry(minute).or_default()
    }
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

/// Calls `book(minute, start, end)` for each UTC minute that `[from, to)` touches, ascending.
fn each_minute(from: Timestamp, to: Timestamp, mut book: impl FnMut(Timestamp, Timestamp, Timestamp)) {
    let mut start = from;
    while start < to {
        let minute = start.minute();
        let end = to.min(minute + MINUTE_MS);
        book(minute, start, end);
        start = end;
    }
}

#[cfg(test)]
mod tests {
    use super::{
        Ingested, MINUTE_MS, MachineState, Number, Quality, Sample, Series, TagKind, TagMinute, TagSpec, Timestamp,
    };
    use crate::model::id::TagName;
    use crate::model::tag::{Meaning, SourceIndex, TagIndex};
    use crate::model::unit::Unit;

    const HOUR: i64 = 3_600_000;

    fn spec(kind: TagKind, unit: Unit, hold_ms: i64) -> TagSpec {
        let name = TagName::new("meter.point").unwrap();
        TagSpec::new(
            name,
            SourceIndex(0),
            Meaning {
                kind,
                unit,
                decoding: String::new(),
                hold_ms,
                lateness_ms: 0,
                states: Default::default(),
                thinning: None,
            },
        )
    }

    fn counter(hold_ms: i64) -> TagSpec {
        spec(TagKind::Counter { modulus: Some(65_536.0), max_per_second: Some(10.0) }, Unit::KilowattHour, hold_ms)
    }

    fn sample(at: i64, value: f64) -> Sample {
        Sample {
            tag: TagIndex(0),
            measured_at: Timestamp(at),
            value: Some(Number::Float(value)),
            quality: Quality::Good,
        }
    }

    /// Feeds samples and returns the sums over all minutes.
    fn total(spec: &TagSpec, samples: &[(i64, f64)]) -> TagMinute {
        let mut series = Series::default();
        for (at, value) in samples {
            series.ingest(&sample(*at, *value));
        }
        series.process(spec, Timestamp(i64::MAX / 4), Timestamp(0));
        series.minutes.values().fold(TagMinute::default(), |sum, minute| TagMinute {
            amount: sum.amount + minute.amount,
            substituted: sum.substituted + minute.substituted,
            excluded: sum.excluded + minute.excluded,
            observed_ms: sum.observed_ms + minute.observed_ms,
            ..TagMinute::default()
        })
    }

    #[test]
    fn counter_growth_is_spread_over_minutes_and_conserved() {
        let sum = total(&counter(HOUR), &[(0, 100.0), (7 * MINUTE_MS + 1, 100.000_001)]);
        assert_eq!((sum.amount, sum.substituted, sum.observed_ms), (1, 0, 7 * MINUTE_MS + 1));
    }

    #[test]
    fn growth_over_a_gap_is_substituted_and_the_total_conserved() {
        let sum = total(&counter(2_500), &[(0, 100.0), (10 * MINUTE_MS, 160.0), (10 * MINUTE_MS + 1_000, 161.0)]);
        assert_eq!((sum.amount, sum.substituted), (61_000_000, 60_000_000));
        assert_eq!(sum.observed_ms, 1_000);
    }

    #[test]
    fn rollover_at_the_register_width_is_arithmetic() {
        assert_eq!(total(&counter(HOUR), &[(0, 65_530.0), (60_000, 4.0)]).amount, 10_000_000);
    }

    #[test]
    fn a_reset_breaks_the_segment_and_a_dip_books_no_lifetime() {
        let reset = total(&counter(HOUR), &[(0, 500.0), (60_000, 0.0), (120_000, 3.0)]);
        assert_eq!(reset.amount, 3_000_000);
        let dip = total(&counter(HOUR), &[(0, 500.0), (60_000, 0.0), (120_000, 501.0)]);
        assert_eq!(dip.amount, 1_000_000);
        let long_dip =
            total(&counter(HOUR), &[(0, 500.0), (60_000, 0.0), (61_000, 0.0), (62_000, 0.0), (120_000, 501.0)]);
        assert_eq!(long_dip.amount, 1_000_000);
        let reset_and_back = total(&counter(HOUR), &[(0, 5.0), (60_000, 0.0), (120_000, 4.0), (180_000, 6.0)]);
        assert_eq!(reset_and_back.amount, 6_000_000);
    }

    #[test]
    fn growth_beyond_the_rated_maximum_is_excluded_and_kept() {
        let sum = total(&counter(HOUR), &[(0, 0.0), (1_000, 11.0), (2_000, 12.0)]);
        assert_eq!((sum.amount, sum.excluded), (1_000_000, 11_000_000));
    }

    #[test]
    fn an_interval_amount_covers_the_period_before_its_instant() {
        let interval = spec(TagKind::Interval { period_ms: 15 * MINUTE_MS }, Unit::KilowattHour, 0);
        let mut series = Series::default();
        series.ingest(&sample(15 * MINUTE_MS, 3.17));
        series.process(&interval, Timestamp(HOUR), Timestamp(0));
        let shares: Vec<i128> = series.minutes.values().map(|minute| minute.amount).collect();
        assert_eq!((shares.len(), shares.iter().sum::<i128>()), (15, 3_170_000));
        assert!(shares.iter().all(|share| (211_333..=211_334).contains(share)));
    }

    #[test]
    fn growth_over_more_than_the_horizon_is_excluded_without_walking_through_the_years() {
        let unlimited = spec(TagKind::Counter { modulus: None, max_per_second: None }, Unit::KilowattHour, HOUR);
        let sum = total(&unlimited, &[(0, 100.0), (50 * 365 * 24 * HOUR, 200.0)]);
        assert_eq!((sum.amount, sum.excluded), (0, 100_000_000));
    }

    #[test]
    fn a_running_interval_total_is_not_counted_again_and_jitter_observes_no_time_twice() {
        let interval = spec(TagKind::Interval { period_ms: 15 * MINUTE_MS }, Unit::KilowattHour, 0);
        let quarter = 15 * MINUTE_MS;
        let minute = |minutes: i64| minutes * MINUTE_MS;
        let rolling = total(&interval, &[15, 20, 25, 30].map(|at| (minute(at), 3.0)));
        assert_eq!((rolling.amount, rolling.excluded), (6_000_000, 6_000_000));
        let jitter = total(&interval, &[(quarter + 500, 3.0), (2 * quarter - 200, 3.0)]);
        assert_eq!((jitter.amount, jitter.observed_ms), (6_000_000, 2 * quarter - 700));
    }

    #[test]
    fn power_is_integrated_and_holds_no_longer_than_declared() {
        let power = spec(TagKind::Gauge, Unit::Watt, 2_500);
        let mut series = Series::default();
        series.ingest(&sample(0, 3_600_000.0));
        series.process(&power, Timestamp(MINUTE_MS), Timestamp(0));
        let minute = series.close(&power, Timestamp(0)).unwrap();
        assert_eq!((minute.amount, minute.observed_ms), (2_500_000, 2_500));
        assert_eq!(series.close(&power, Timestamp(MINUTE_MS)), None);
    }

    #[test]
    fn integrating_a_power_sample_by_sample_adds_up_no_rounding() {
        let power = spec(TagKind::Gauge, Unit::Kilowatt, 2_500);
        let mut series = Series::default();
        for second in 0..3_600 {
            series.ingest(&sample(second * 1_000, 10.000_001));
        }
        series.process(&power, Timestamp(HOUR), Timestamp(0));
        let closed = (0..60).filter_map(|minute| series.close(&power, Timestamp(minute * MINUTE_MS)));
        assert_eq!(closed.map(|minute| minute.amount).sum::<i128>(), 10_000_001);
    }

    #[test]
    fn a_state_holds_until_the_next_one_or_its_hold() {
        let state = spec(TagKind::State, Unit::One, 30_000);
        let mut series = Series::default();
        for (at, code) in [(0, MachineState::Producing), (20_000, MachineState::Fault)] {
            let value = Some(Number::Integer(code.code()));
            series.ingest(&Sample { tag: TagIndex(0), measured_at: Timestamp(at), value, quality: Quality::Good });
        }
        series.process(&state, Timestamp(MINUTE_MS), Timestamp(0));
        let minute = series.close(&state, Timestamp(0)).unwrap();
        let spans = vec![
            (Timestamp(0), Timestamp(20_000), MachineState::Producing),
            (Timestamp(20_000), Timestamp(50_000), MachineState::Fault),
        ];
        assert_eq!((minute.states, minute.observed_ms), (spans, 50_000));
    }

    #[test]
    fn a_sample_from_before_a_confirmation_counts_from_its_instant_on_and_no_time_is_booked_twice() {
        let run = |level: &TagSpec, values: [Number; 2]| {
            let mut series = Series::default();
            let at = |at, value| Sample { value: Some(value), ..sample(at, 0.0) };
            series.ingest(&at(0, values[0]));
            series.confirm(Timestamp(50_000));
            series.process(level, Timestamp(50_000), Timestamp(0));
            assert_eq!(series.ingest(&at(20_000, values[1])), Ingested::Taken);
            series.process(level, Timestamp(50_000), Timestamp(0));
            [0, 1].map(|minute| series.close(level, Timestamp(minute * MINUTE_MS)).unwrap_or_default())
        };
        let power = run(&spec(TagKind::Gauge, Unit::Kilowatt, 60_000), [3_600.0, 7_200.0].map(Number::Float));
        let sums = power.map(|minute| (minute.amount, minute.observed_ms));
        assert_eq!(sums, [(20_000_000 + 80_000_000, 60_000), (100_000_000, 50_000)]);
        let codes = [MachineState::Producing, MachineState::Fault].map(|state| Number::Integer(state.code()));
        let [first, _] = run(&spec(TagKind::State, Unit::One, 60_000), codes);
        let spans = vec![
            (Timestamp(0), Timestamp(20_000), MachineState::Producing),
            (Timestamp(20_000), Timestamp(60_000), MachineState::Fault),
        ];
        assert_eq!((first.states, first.observed_ms), (spans, 60_000));
    }

    #[test]
    fn a_minute_waits_for_a_counter_until_its_hold_has_passed() {
        let counter = counter(2_500);
        let mut series = Series::default();
        series.ingest(&sample(59_000, 1.0));
        series.process(&counter, Timestamp(60_000), Timestamp(0));
        assert!(!series.is_resolved(&counter, Timestamp(60_000), Timestamp(60_000)));
        assert!(series.is_resolved(&counter, Timestamp(60_000), Timestamp(61_500)));
        series.ingest(&sample(60_000, 2.0));
        series.process(&counter, Timestamp(60_000), Timestamp(0));
        assert!(series.is_resolved(&counter, Timestamp(60_000), Timestamp(60_000)));
    }

    #[test]
    fn of_two_samples_of_one_instant_the_better_then_the_larger_wins_in_any_order() {
        let bad = Sample { quality: Quality::DeclaredBad, ..sample(0, 9.0) };
        for order in [[sample(0, 1.0), sample(0, 2.0), bad], [bad, sample(0, 2.0), sample(0, 1.0)]] {
            let mut series = Series::default();
            let outcomes = order.map(|sample| series.ingest(&sample));
            assert_eq!(outcomes, [Ingested::Taken, Ingested::Duplicate, Ingested::Duplicate]);
            assert_eq!(series.pending[&Timestamp(0)], (Quality::Good, Some(Number::Float(2.0))));
        }
    }
}
