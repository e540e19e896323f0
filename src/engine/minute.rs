//! What one tag contributes to one minute: amounts, the time observed, states.

use serde::{Deserialize, Serialize};

use crate::model::sample::Quality;
use crate::model::state::MachineState;
use crate::model::time::{MINUTE_MS, Timestamp};

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
    /// Of a power: what it came to, before it is rounded into the amount. **Unit**: 10⁻⁶ kW·ms.
    pub(super) energy: i128,
    /// States with their spans, ascending, without overlap.
    pub(super) states: Vec<(Timestamp, Timestamp, MachineState)>,
    /// Of a gauge that is no electric power: what it said, ascending, without overlap.
    pub(super) levels: Vec<Level>,
    /// The last state that was known when the minute's first usable sample came, however long ago it was reported:
    /// `None` where no state was reported in the minute, or none was ever known.
    pub(super) entered_with: Option<MachineState>,
    /// The parts of the amount by the time in which they came, ascending. Only of tags whose amounts are asked for
    /// parts of a minute.
    pub(super) pieces: Vec<Piece>,
}

/// What a gauge that is no electric power said over a part of a minute.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Level {
    pub(super) from: Timestamp,
    /// Not after the minute's end.
    pub(super) to: Timestamp,
    /// The value, in 10⁻⁶ of the base unit, or why there is none to use.
    pub(super) said: Result<i128, Quality>,
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
    /// Returns the amount that came in `[from, to)`: linear within each piece, rounded down at each cut, so that the
    /// parts of a minute that is cut anywhere sum to the whole. **Unit**: 10⁻⁶ of the base unit.
    pub(super) fn amount_between(&self, from: Timestamp, to: Timestamp) -> i128 {
        self.pieces.iter().map(|piece| piece.share(piece.amount, from, to)).sum()
    }

    /// Adds an amount, and its piece where pieces are kept.
    #[inline]
    pub(super) fn book(&mut self, piece: Piece, keeps_pieces: bool) {
        self.amount += piece.amount;
        self.substituted += piece.substituted;
        if keeps_pieces {
            self.pieces.push(piece);
        }
    }

    /// Adds a state over a part of the minute. One that goes on is one span, however often it is said.
    #[inline]
    pub(super) fn hold(&mut self, from: Timestamp, to: Timestamp, state: MachineState) {
        match self.states.last_mut() {
            Some((_, until, last)) if *until == from && *last == state => *until = to,
            _ => self.states.push((from, to, state)),
        }
    }

    /// Rounds the integrated power, once for the minute: to the nearest, ties to the even one. What a minute comes to
    /// depends on its own samples alone, so it can be computed again without the minutes before it.
    pub(super) fn round(&mut self) {
        self.amount += round_half_even(std::mem::take(&mut self.energy), HOUR_MS);
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

/// Returns `amount ÷ divisor` as the nearest integer, of two equally near the even one.
fn round_half_even(amount: i128, divisor: i128) -> i128 {
    if amount == 0 {
        return 0;
    }
    let (quotient, rest) = (amount.div_euclid(divisor), amount.rem_euclid(divisor));
    let is_up = rest * 2 > divisor || (rest * 2 == divisor && quotient % 2 != 0);
    quotient + i128::from(is_up)
}

/// The contributions of one tag that are not collected yet, ascending. A sample nearly always falls into the newest
/// minute or the one before.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(super) struct Minutes(std::collections::VecDeque<(Timestamp, TagMinute)>);

impl Minutes {
    /// Returns the contribution to a minute, an empty one where there was none.
    pub(super) fn at(&mut self, minute: Timestamp) -> &mut TagMinute {
        let place = match self.0.back() {
            Some((newest, _)) if *newest == minute => self.0.len() - 1,
            Some((newest, _)) if *newest > minute => match self.0.binary_search_by_key(&minute, |(at, _)| *at) {
                Ok(place) => place,
                Err(place) => {
                    self.0.insert(place, (minute, TagMinute::default()));
                    place
                }
            },
            _ => {
                self.0.push_back((minute, TagMinute::default()));
                self.0.len() - 1
            }
        };
        &mut self.0[place].1
    }

    /// Returns the contribution to the newest minute, where a span lies in it as a whole.
    #[inline]
    pub(super) fn newest_with(&mut self, from: Timestamp, to: Timestamp) -> Option<&mut TagMinute> {
        let (minute, newest) = self.0.back_mut()?;
        (*minute <= from && from < to && to <= *minute + MINUTE_MS).then_some(newest)
    }

    /// Returns and removes the contribution to a minute.
    pub(super) fn take(&mut self, minute: Timestamp) -> Option<TagMinute> {
        let (oldest, _) = self.0.front()?;
        let (_, mut contribution) = if *oldest == minute {
            self.0.pop_front()?
        } else {
            self.0.remove(self.0.binary_search_by_key(&minute, |(at, _)| *at).ok()?)?
        };
        contribution.round();
        Some(contribution)
    }

    /// Removes what lies before an instant and returns the minutes it lay in, ascending.
    pub(super) fn cut_before(&mut self, until: Timestamp) -> Vec<Timestamp> {
        let count = self.0.partition_point(|(minute, _)| *minute < until);
        self.0.drain(..count).map(|(minute, _)| minute).collect()
    }

    /// Returns them all, ascending.
    #[cfg(test)]
    pub(super) fn values(&self) -> impl Iterator<Item = &TagMinute> {
        self.0.iter().map(|(_, contribution)| contribution)
    }
}

impl FromIterator<(Timestamp, TagMinute)> for Minutes {
    fn from_iter<I: IntoIterator<Item = (Timestamp, TagMinute)>>(minutes: I) -> Self {
        let mut list = Self::default();
        minutes.into_iter().for_each(|(minute, contribution)| *list.at(minute) = contribution);
        list
    }
}

/// Calls `book(minute, start, end)` for each UTC minute that `[from, to)` touches, ascending.
pub(super) fn each_minute(from: Timestamp, to: Timestamp, mut book: impl FnMut(Timestamp, Timestamp, Timestamp)) {
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
    use super::{Piece, TagMinute, Timestamp, round_half_even};

    #[test]
    fn an_integrated_power_is_rounded_once_to_the_nearest_and_ties_to_even() {
        for (amount, expected) in [(0, 0), (4, 0), (5, 0), (6, 1), (15, 2), (25, 2), (-5, 0), (-6, -1), (-15, -2)] {
            assert_eq!(round_half_even(amount, 10), expected, "{amount}");
        }
    }

    #[test]
    fn the_parts_of_a_minute_that_is_cut_anywhere_sum_to_the_whole() {
        let piece = |from, to, amount| Piece { from: Timestamp(from), to: Timestamp(to), amount, substituted: 0 };
        let pieces = vec![piece(0, 7, 10), piece(7, 7, 5), piece(7, 60, 100), piece(10, 20, -3)];
        let minute = TagMinute { pieces, ..TagMinute::default() };
        for first in 0..60 {
            for second in first..60 {
                let cuts = [0, first, second, 60].map(Timestamp);
                let sum: i128 = cuts.windows(2).map(|cut| minute.amount_between(cut[0], cut[1])).sum();
                assert_eq!(sum, 112, "{first} {second}");
            }
        }
        assert_eq!(minute.amount_between(Timestamp(0), Timestamp(7)), 10);
    }
}
