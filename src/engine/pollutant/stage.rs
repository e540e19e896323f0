//! The stages: five-minute values make an hour, hours make a day, and only valid ones do.
//!
//! | stage | valid with | its mean |
//! |---|---|---|
//! | five minutes | three quarters of the time, and no calibration or fault in it | of the valid time |
//! | hour | 9 of 12 valid five-minute values | of those |
//! | day | 18 valid hours of 24 | of those |
//!
//! The other reading of the rule, three quarters of the day's 288 five-minute values, would let a day pass of which
//! hours at a time are missing and make up for it with hours that are complete; by hours it doesn't.

use super::channel::{Channel, day_before};
use crate::engine::plant::Plant;
use crate::model::fact::{Facts, Measure};
use crate::model::slot::{mean, slot};
use crate::model::time::{Grain, Timestamp};

/// Valid five-minute values that make an hour valid: 75 % of 12.
const HOUR_SLOTS: i128 = 9;

/// Valid hours that make a day valid: 75 % of 24.
const DAY_HOURS: i128 = 18;

/// Every measure that [`stage`] gives.
pub(in crate::engine) const STAGED: [Measure; 13] = [
    Measure::SlotsValid,
    Measure::SlotMeanSum,
    Measure::SlotMeanMin,
    Measure::SlotMeanMax,
    Measure::HoursValid,
    Measure::HourMeanSum,
    Measure::HourMeanMax,
    Measure::HoursCompared,
    Measure::HourLimitSum,
    Measure::HoursToCheck,
    Measure::DaysValid,
    Measure::DaysCompared,
    Measure::DaysToCheck,
];

/// Returns what the end of a block gives a channel, from the block's merged facts.
pub(in crate::engine) fn stage(
    block: Grain,
    end: Timestamp,
    merged: &Facts,
    channel: &Channel,
    plant: &Plant,
) -> Facts {
    let mut staged = Facts::default();
    match block {
        Grain::FiveMinutes => slot_stage(merged, &mut staged),
        Grain::Hour => {
            let slots = merged.amount(Measure::SlotsValid);
            let valid = (slots >= HOUR_SLOTS).then(|| mean(merged.amount(Measure::SlotMeanSum), slots)).flatten();
            hour_stage(valid, end, channel, plant, &mut staged);
        }
        Grain::Day => {
            let hours = merged.amount(Measure::HoursValid);
            let valid = (hours >= DAY_HOURS).then(|| mean(merged.amount(Measure::HourMeanSum), hours)).flatten();
            day_stage(valid, end, channel, plant, &mut staged);
        }
        _ => {}
    }
    staged
}

fn slot_stage(merged: &Facts, staged: &mut Facts) {
    let slot = slot(merged);
    let valid = slot.mean_micro.filter(|_| slot.is_valid);
    staged.set(Measure::SlotsValid, i128::from(valid.is_some()));
    staged.set(Measure::SlotMeanSum, valid.unwrap_or(0));
    if let Some(mean) = valid {
        staged.set(Measure::SlotMeanMin, mean);
        staged.set(Measure::SlotMeanMax, mean);
    }
}

fn hour_stage(valid: Option<i128>, end: Timestamp, channel: &Channel, plant: &Plant, staged: &mut Facts) {
    staged.set(Measure::HoursValid, i128::from(valid.is_some()));
    staged.set(Measure::HourMeanSum, valid.unwrap_or(0));
    if let Some(mean) = valid {
        staged.set(Measure::HourMeanMax, mean);
    }
    let limit = day_before(end, plant.site_calendar().zone()).and_then(|day| channel.limit_on(day));
    let Some(limit) = limit else { return };
    staged.set(Measure::HoursCompared, i128::from(valid.is_some()));
    staged.set(Measure::HoursToCheck, i128::from(valid.is_some_and(|mean| limit.is_outside(mean))));
    if let Some(max) = limit.max_micro.filter(|_| limit.min_micro.is_none()) {
        staged.set(Measure::HourLimitSum, valid.map_or(0, |_| max));
    }
}

fn day_stage(valid: Option<i128>, end: Timestamp, channel: &Channel, plant: &Plant, staged: &mut Facts) {
    staged.set(Measure::DaysValid, i128::from(valid.is_some()));
    let limit = day_before(end, plant.site_calendar().zone()).and_then(|day| channel.limit_on(day));
    let Some(limit) = limit else { return };
    staged.set(Measure::DaysCompared, i128::from(valid.is_some()));
    staged.set(Measure::DaysToCheck, i128::from(valid.is_some_and(|mean| limit.is_outside(mean))));
}
