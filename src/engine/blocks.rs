//! The running blocks of one asset: whole 5, 15 and 30 minutes, hours and days, and the half hour before each minute.
//!
//! A minute is merged into the finest block only; a block that ends is merged into the next one. So the same facts
//! come of a block whether its minutes close one after the other or are read again.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::clockwork::Clockwork;
use super::kpi;
use super::plant::Plant;
use super::stage::{self, BLOCKS, SLIDING_MINUTES};
use crate::model::fact::{Facts, Measure};
use crate::model::time::{Grain, MINUTE_MS, Timestamp};

/// What an asset's running blocks hold.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(super) struct Blocks {
    /// Merged facts of what each running block has beside the blocks within it, finest first.
    running: Vec<Facts>,
    /// What the grid delivered in the minutes before, oldest first. **Unit**: 10⁻⁶ kWh.
    previous: VecDeque<i128>,
}

impl Blocks {
    /// Begins blocks of which nothing is known but the facts of the time before, by block: not observed.
    pub(super) fn begin(position: usize, plant: &Plant, mut before: impl FnMut(Grain) -> Facts) -> Self {
        // What a coarser block has not seen it learns from the finer ones as they end, but for the time before those.
        Self { running: kept(position, plant).map(&mut before).collect(), previous: VecDeque::new() }
    }

    /// Makes blocks of which the running half hour's electricity is known. **Unit**: 10⁻⁶ kWh.
    pub(super) fn of_half_hour(energy: i128) -> Self {
        let both = [Measure::Electricity, Measure::ElectricityImport];
        let half_hour = both.map(|measure| (measure, energy)).into_iter().filter(|(_, energy)| *energy != 0).collect();
        Self { running: vec![Facts::default(), Facts::default(), half_hour], previous: VecDeque::new() }
    }

    /// Gives the minutes before the first one: what the grid delivered in them, oldest first.
    pub(super) fn remember(&mut self, drawn: Option<i128>) {
        let Some(energy) = drawn else { return self.previous.clear() };
        if self.previous.len() == SLIDING_MINUTES {
            self.previous.pop_front();
        }
        self.previous.push_back(energy);
    }

    /// Takes a minute's facts and adds to them what it completes.
    pub(super) fn take(
        &mut self,
        plant: &Plant,
        position: usize,
        clockwork: &mut Clockwork,
        minute: Timestamp,
        facts: &mut Facts,
    ) {
        let asset = &plant.assets[position];
        let drawn = kpi::drawn(facts);
        if drawn.is_some() {
            facts.merge_over_time(&stage::slide(self.previous.make_contiguous(), facts, asset, plant));
        }
        self.remember(drawn);
        let end = minute + MINUTE_MS;
        let mut finished: Option<Facts> = None;
        for (place, grain) in kept(position, plant).enumerate() {
            if self.running.len() <= place {
                self.running.push(Facts::default());
            }
            // The finest block merges minutes, each coarser one the finished block within it.
            let part = if place == 0 { Some(&*facts) } else { finished.as_ref() };
            let Some(part) = part else { break };
            self.running[place].merge_over_time(part);
            let is_end = clockwork.window_of(plant, 0, grain, minute).is_some_and(|block| block.end == end);
            if !is_end {
                break;
            }
            let mut merged = std::mem::take(&mut self.running[place]);
            let derived = stage::derive(grain, end, &merged, asset, plant);
            merged.merge_over_time(&derived);
            facts.merge_over_time(&derived);
            finished = Some(merged);
        }
    }
}

/// Returns the blocks that are kept for an asset, finest first.
fn kept(position: usize, plant: &Plant) -> impl Iterator<Item = Grain> {
    let longest = plant.assets.get(position).and_then(stage::longest);
    BLOCKS.into_iter().filter(move |block| longest.is_some_and(|longest| *block <= longest))
}
