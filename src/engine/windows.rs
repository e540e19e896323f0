//! Open windows: minute facts accumulate until a window's end has passed.

use serde::{Deserialize, Serialize};

use super::calendar::Calendar;
use super::plant::Plant;
use super::stage;
use crate::model::fact::{Facts, Measure};
use crate::model::time::{Grain, Timestamp, Window};

/// The open window of one grain, with the facts of every asset so far.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct OpenWindow {
    pub(super) grain: Grain,
    pub(super) window: Window,
    /// In plant order.
    pub(super) facts: Vec<Facts>,
}

/// The open windows of a plant, finest grain first, and the running half-hour block of each asset.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(super) struct Windows {
    pub(super) open: Vec<OpenWindow>,
    /// Electricity of the running half-hour block, in plant order. **Unit**: 10⁻⁶ kWh.
    pub(super) half_hour: Vec<i128>,
}

impl Windows {
    /// Opens the windows of `grains` that hold `at`. `before` returns the facts of a span before it, so that a window
    /// that the box joins late knows what it has not seen.
    pub(super) fn start(
        grains: &[Grain],
        calendar: &Calendar,
        at: Timestamp,
        mut before: impl FnMut(Window) -> Vec<Facts>,
        assets: usize,
    ) -> Self {
        let mut windows = Self { open: Vec::new(), half_hour: vec![0; assets] };
        for grain in grains {
            if let Some(window) = calendar.window_of(*grain, at) {
                let facts = before(Window { start: window.start, end: at });
                windows.open.push(OpenWindow { grain: *grain, window, facts });
            }
        }
        windows
    }

    /// Completes the half-hour block: at its last minute the measures of the block become that minute's.
    pub(super) fn close_half_hour(
        &mut self,
        plant: &Plant,
        minutes: &mut [Facts],
        is_last_minute: bool,
        end: Timestamp,
    ) {
        for ((block, facts), asset) in self.half_hour.iter_mut().zip(minutes).zip(&plant.assets) {
            let Some(energy) = facts.get(Measure::Electricity) else { continue };
            *block += energy;
            if is_last_minute {
                let merged = [(Measure::Electricity, std::mem::take(block))].into_iter().collect();
                facts.merge_over_time(&stage::derive(Grain::HalfHour, end, &merged, asset, plant));
            }
        }
    }

    /// Merges the facts of one minute into every open window and returns the windows that end with it, finest first.
    /// A window that opens after its start, because the configuration changed, begins with what `before` says of the
    /// time before: not observed.
    pub(super) fn add(
        &mut self,
        grains: &[Grain],
        calendar: &Calendar,
        minute: Window,
        facts: &[Facts],
        before: impl Fn(Window) -> Vec<Facts>,
    ) -> Vec<OpenWindow> {
        let mut closed = Vec::new();
        for grain in grains {
            let Some(window) = calendar.window_of(*grain, minute.start) else { continue };
            self.open.retain(|open| open.grain != *grain || open.window == window);
            let position = match self.open.iter().position(|open| open.grain == *grain) {
                Some(position) => position,
                None => {
                    let facts = if window.start < minute.start {
                        before(Window { start: window.start, end: minute.start })
                    } else {
                        vec![Facts::default(); facts.len()]
                    };
                    self.open.push(OpenWindow { grain: *grain, window, facts });
                    self.open.len() - 1
                }
            };
            let open = &mut self.open[position];
            open.facts.iter_mut().zip(facts).for_each(|(sum, minute)| sum.merge_over_time(minute));
            if open.window.end <= minute.end {
                closed.push(self.open.remove(position));
            }
        }
        closed
    }

    /// Adds a correction of one asset's closed minute to the open windows that hold it.
    pub(super) fn correct(&mut self, minute: Timestamp, asset: usize, correction: &Facts) {
        for open in self.open.iter_mut().filter(|open| open.window.contains(minute)) {
            if let Some(facts) = open.facts.get_mut(asset) {
                facts.merge_over_time(correction);
            }
        }
    }
}
