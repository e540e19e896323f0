//! Staged measures: what only whole blocks of minutes give, such as a peak demand or a valid hour.
//!
//! In: the merged facts of a block's minutes. Out: measures that are set in the block's last minute, so that they
//! merge into windows as every other measure does. Blocks of 5, 15 and 30 minutes, hour and day are asked finest
//! first, and what a finer one gave is in the facts of the coarser one: valid five-minute values make an hour, valid
//! hours a day. A corrected minute has its blocks merged and derived again.

use super::assemble::energy;
use super::medium::Medium;
use super::plant::{Asset, Plant};
use super::pollutant;
use crate::model::fact::{Facts, Measure};
use crate::model::time::{Grain, Timestamp};

/// The blocks, finest first; each is made of whole blocks of the one before.
pub(super) const BLOCKS: [Grain; 5] =
    [Grain::FiveMinutes, Grain::QuarterHour, Grain::HalfHour, Grain::Hour, Grain::Day];

/// Minutes before the present one of which [`slide`] gets the electricity: with it they are half an hour.
pub(super) const SLIDING_MINUTES: usize = 29;

/// Staged measures of electricity.
const OF_ELECTRICITY: [Measure; 3] = [Measure::QuarterHourPeak, Measure::HalfHourPeak, Measure::SlidingPeak];

/// Returns every measure that [`derive`] or [`slide`] gives: they are taken out of a minute before its blocks are derived
/// again, so one that is missing here would be counted twice.
pub(super) fn staged() -> impl Iterator<Item = Measure> {
    OF_ELECTRICITY.into_iter().chain(pollutant::STAGED)
}

/// Returns the longest block of which [`derive`] gives this asset anything: coarser ones aren't kept for it.
pub(super) fn longest(asset: &Asset) -> Option<Grain> {
    let has_electricity = asset.boundary.has_electricity() || asset.sum_children.has(Medium::Electricity);
    asset.channel.as_ref().map(|_| Grain::Day).or(has_electricity.then_some(Grain::HalfHour))
}

/// Returns the measures that a block's end sets in its last minute, from the merged facts of the block's minutes.
/// `end` is the block's.
pub(super) fn derive(block: Grain, end: Timestamp, merged: &Facts, asset: &Asset, plant: &Plant) -> Facts {
    match &asset.channel {
        Some(channel) => pollutant::stage(block, end, merged, channel, plant),
        None => energy::stage(block, merged),
    }
}

/// Returns the measures that each minute gets from the minutes before it: `previous` is what the grid
/// delivered in them, oldest first, fewer than [`SLIDING_MINUTES`] where fewer are known. **Unit**: 10⁻⁶ kWh.
pub(super) fn slide(previous: &[i128], minute: &Facts, _asset: &Asset, _plant: &Plant) -> Facts {
    energy::slide(previous, minute)
}
