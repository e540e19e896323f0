//! The open windows of one asset: minute facts accumulate until a window's end has passed.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::clockwork::Clockwork;
use super::plant::Plant;
use crate::model::fact::{Facts, Measure, Merge};
use crate::model::time::{Grain, MINUTE_MS, Timestamp, Window};

/// One open window of one asset.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct OpenWindow {
    pub(super) grain: Grain,
    pub(super) window: Window,
    /// The facts of its minutes so far.
    pub(super) facts: Facts,
    /// Measures, by code, that a correction may have made smaller: they are merged from the minutes again when the
    /// window closes.
    pub(super) stale: BTreeSet<u8>,
}

/// The open windows of one asset, finest grain first.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(super) struct Windows {
    pub(super) open: Vec<OpenWindow>,
}

impl Windows {
    /// Merges a minute's facts into every open window and returns the windows that end with it, finest first. A window
    /// that opens after its start begins with what `before` says of the time before: not observed.
    pub(super) fn add(
        &mut self,
        plant: &Plant,
        position: usize,
        clockwork: &mut Clockwork,
        minute: Timestamp,
        facts: &Facts,
        mut before: impl FnMut(Window) -> Facts,
    ) -> Vec<OpenWindow> {
        for grain in &plant.grains {
            self.open_at(plant, position, clockwork, *grain, minute, &mut before);
        }
        let mut closed = Vec::new();
        let end = minute + MINUTE_MS;
        self.open.retain_mut(|open| {
            open.facts.merge_over_time(facts);
            let is_over = open.window.end <= end;
            if is_over {
                let over = OpenWindow { facts: std::mem::take(&mut open.facts), ..open.clone() };
                closed.push(over);
            }
            !is_over
        });
        closed
    }

    /// Opens the window of a grain that holds a minute, where it isn't open.
    pub(super) fn open_at(
        &mut self,
        plant: &Plant,
        position: usize,
        clockwork: &mut Clockwork,
        grain: Grain,
        minute: Timestamp,
        mut before: impl FnMut(Window) -> Facts,
    ) {
        let held = self.open.iter().find(|open| open.grain == grain);
        if held.is_some_and(|open| open.window.contains(minute)) && grain != Grain::Shift {
            return;
        }
        let calendar = if grain == Grain::Shift { plant.assets[position].calendar } else { 0 };
        let window = clockwork.window_of(plant, calendar, grain, minute);
        if held.map(|open| open.window) == window {
            return;
        }
        // A shift that the calendar moved goes on as the one it is now.
        self.open.retain(|open| open.grain != grain);
        let Some(window) = window else { return };
        let facts =
            if window.start < minute { before(Window { start: window.start, end: minute }) } else { Facts::default() };
        self.open.push(OpenWindow { grain, window, facts, stale: BTreeSet::new() });
        self.open.sort_by_key(|open| open.grain);
    }

    /// Adds a correction of a closed minute to the open windows that hold it.
    pub(super) fn correct(&mut self, minute: Timestamp, change: &Change) {
        for open in self.open.iter_mut().filter(|open| open.window.contains(minute)) {
            open.facts.correct(&change.difference);
            open.stale.extend(&change.stale);
        }
    }
}

/// How the facts of a closed minute, or of many, changed.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(super) struct Change {
    /// What is to be added to the sums.
    pub(super) difference: Facts,
    /// Measures, by code, that can't be told from a difference: maxima, minima, and those that appeared or went.
    pub(super) stale: BTreeSet<u8>,
}

impl Change {
    /// Returns the change from one state of a minute's facts to another; `None` where they are equal.
    pub(super) fn between(old: &Facts, new: &Facts) -> Option<Self> {
        if old == new {
            return None;
        }
        let mut change = Self::default();
        let mut note = |measure: Measure, old: Option<i128>, new: Option<i128>| {
            if old == new {
                return;
            }
            let is_sum = measure.over_time() == Merge::Sum;
            if is_sum {
                change.difference.add(measure, new.unwrap_or(0) - old.unwrap_or(0));
            }
            if !is_sum || old.is_none() || new.is_none() {
                change.stale.insert(measure as u8);
            }
        };
        for (measure, value) in old.iter() {
            note(measure, Some(value), new.get(measure));
        }
        for (measure, value) in new.iter().filter(|(measure, _)| old.get(*measure).is_none()) {
            note(measure, None, Some(value));
        }
        Some(change)
    }

    /// Adds another change of the same window.
    pub(super) fn merge(&mut self, other: &Self) {
        self.difference.correct(&other.difference);
        self.stale.extend(&other.stale);
    }
}
