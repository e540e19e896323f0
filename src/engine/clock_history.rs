//! How far the clock could be trusted while a window was measured.

use crate::model::record::ClockState;
use crate::model::time::{Timestamp, Window};

/// Changes that are remembered, the newest. A clock that changes every half minute keeps three days of it.
const CHANGES_MAX: usize = 10_000;

/// When the clock's state changed, ascending.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ClockHistory(Vec<(Timestamp, ClockState)>);

impl ClockHistory {
    /// Makes the history of a clock that was always in one state.
    pub fn always(state: ClockState) -> Self {
        Self(vec![(Timestamp(i64::MIN), state)])
    }

    /// Returns the present state; `None` before the first.
    pub fn present(&self) -> Option<ClockState> {
        self.0.last().map(|(_, state)| *state)
    }

    /// Notes the state at an instant. One before what is known, because the clock was set back, counts from there.
    pub fn observe(&mut self, at: Timestamp, state: ClockState) {
        if self.present() == Some(state) {
            return;
        }
        let at = self.0.last().map_or(at, |(last, _)| at.max(*last));
        self.0.push((at, state));
        if self.0.len() > CHANGES_MAX {
            self.0.remove(0);
        }
    }

    /// Returns the least trustworthy state within a window. Before the first known one nothing was measured.
    pub fn worst(&self, window: Window) -> ClockState {
        let first = self.0.partition_point(|(at, _)| *at <= window.start).saturating_sub(1);
        let within = self.0[first.min(self.0.len())..].iter().enumerate();
        within
            .take_while(|(place, (at, _))| *place == 0 || *at < window.end)
            .map(|(_, (_, state))| *state)
            .reduce(ClockState::worse)
            .unwrap_or(ClockState::Unknown)
    }
}

impl FromIterator<(Timestamp, ClockState)> for ClockHistory {
    fn from_iter<T: IntoIterator<Item = (Timestamp, ClockState)>>(changes: T) -> Self {
        let mut history = Self::default();
        changes.into_iter().for_each(|(at, state)| history.observe(at, state));
        history
    }
}

#[cfg(test)]
mod tests {
    use super::{ClockHistory, ClockState, Timestamp, Window};
    use ClockState::{Synchronised, Unknown, Unsynchronised};

    fn worst(changes: &[(i64, ClockState)], start: i64, end: i64) -> ClockState {
        let history: ClockHistory = changes.iter().map(|(at, state)| (Timestamp(*at), *state)).collect();
        history.worst(Window { start: Timestamp(start), end: Timestamp(end) })
    }

    #[test]
    fn a_window_has_the_worst_state_of_its_time() {
        let changes = [(10, Synchronised), (20, Unsynchronised), (30, Synchronised), (40, Unknown)];
        for (start, end, expected) in [
            (0, 20, Synchronised),
            (0, 5, Synchronised),
            (10, 21, Unsynchronised),
            (25, 26, Unsynchronised),
            (30, 40, Synchronised),
            (30, 41, Unknown),
            (20, 60, Unsynchronised),
            (50, 60, Unknown),
        ] {
            assert_eq!(worst(&changes, start, end), expected, "{start} to {end}");
        }
        assert_eq!(worst(&[], 0, 1), Unknown);
    }

    #[test]
    fn a_clock_that_was_set_back_changes_the_future_only() {
        assert_eq!(worst(&[(10, Synchronised), (5, Unsynchronised)], 5, 10), Synchronised);
        assert_eq!(worst(&[(10, Synchronised), (5, Unsynchronised)], 5, 11), Unsynchronised);
    }
}
