//! Channels of stacks and outfalls: means, values to check, loads.
//!
//! One file a KPI, one line here and one in the catalogue. A channel is one parameter, so none of them merges over
//! assets.

pub(super) mod channel_validity;
pub(super) mod pollutant_days_to_check;
pub(super) mod pollutant_hours_to_check;
pub(super) mod pollutant_limit_ratio;
pub(super) mod pollutant_load;
pub(super) mod pollutant_max;
pub(super) mod pollutant_max_hour;
pub(super) mod pollutant_mean;
pub(super) mod pollutant_min;
pub(super) mod pollutant_volume;

use super::{Outcome, ratio};
use crate::model::fact::{Facts, Measure};
use crate::model::record::{Flag, Reason};
use crate::model::slot::SLOT_MS;

/// **Unit**: ms.
const HOUR_MS: i128 = 3_600_000;

/// Says why a window has no valid value.
fn why_none(facts: &Facts) -> Reason {
    let of = |measure| facts.amount(measure);
    let uncorrectable = of(Measure::UncorrectableTime);
    if facts.get(Measure::ChannelExpected).is_none() {
        Reason::NoInput
    } else if uncorrectable * 4 > of(Measure::ChannelExpected) {
        // By itself enough to make the window invalid.
        Reason::NotCorrectable
    } else if of(Measure::ValidTime) + uncorrectable + of(Measure::CalibrationTime) + of(Measure::ChannelFaultTime) == 0
    {
        Reason::NoData
    } else {
        Reason::TooFewValid
    }
}

/// Returns the sum and the count of the valid means that a window's mean is made of: of hours from an hour on, else of
/// five minutes.
///
/// # Errors
/// Fewer than three quarters of what the window holds are valid.
fn valid_means(facts: &Facts) -> Result<(i128, i128), Reason> {
    let expected_ms = facts.amount(Measure::ChannelExpected);
    let (sum, count, of_ms) = if expected_ms >= HOUR_MS {
        (Measure::HourMeanSum, Measure::HoursValid, HOUR_MS)
    } else {
        (Measure::SlotMeanSum, Measure::SlotsValid, i128::from(SLOT_MS))
    };
    let (sum, count) = (facts.amount(sum), facts.amount(count));
    if count > 0 && count * of_ms * 4 >= expected_ms * 3 { Ok((sum, count)) } else { Err(why_none(facts)) }
}

/// Returns an amount in the channel's unit, and that air may leak in where it may.
fn outcome(value: Result<f64, Reason>, facts: &Facts) -> Outcome {
    let is_high = value.is_ok() && facts.amount(Measure::OxygenHighTime) > 0;
    Outcome { flags: is_high.then_some(Flag::OxygenHigh).into_iter().collect(), ..value.into() }
}

/// Returns one of the means that a window keeps, the smallest or a largest one.
fn extreme(measure: Measure, facts: &Facts) -> Outcome {
    let value = facts.get(measure).map(|mean| ratio(mean, 1_000_000)).ok_or_else(|| why_none(facts));
    outcome(value, facts)
}

/// Returns how many valid hours or days lie outside the limit.
fn to_check(valid: Measure, compared: Measure, outside: Measure, facts: &Facts) -> Outcome {
    let value = match (facts.get(valid), facts.get(compared)) {
        (Some(_), None) => Err(Reason::NoLimit),
        (Some(_), Some(compared)) if compared > 0 => Ok(ratio(facts.amount(outside), 1)),
        _ => Err(why_none(facts)),
    };
    value.into()
}

#[cfg(test)]
mod testing {
    use crate::model::fact::Measure;

    /// A day of 24 valid hours of 12 mg, one of 20 mg, limit 15 mg; `lost` hours are missing of it.
    pub(super) fn day(lost: i128) -> Vec<(Measure, i128)> {
        let hours = 24 - lost;
        vec![
            (Measure::ChannelExpected, 24 * 3_600_000),
            (Measure::ValidTime, hours * 3_600_000),
            (Measure::SlotsValid, hours * 12),
            (Measure::SlotMeanSum, (12 * (hours - 1) + 20) * 12_000_000),
            (Measure::SlotMeanMin, 12_000_000),
            (Measure::SlotMeanMax, 21_500_000),
            (Measure::HoursValid, hours),
            (Measure::HourMeanSum, (12 * (hours - 1) + 20) * 1_000_000),
            (Measure::HourMeanMax, 20_000_000),
            (Measure::HoursCompared, hours),
            (Measure::HourLimitSum, hours * 15_000_000),
            (Measure::HoursToCheck, 1),
            (Measure::DaysValid, i128::from(hours >= 18)),
            (Measure::DaysCompared, i128::from(hours >= 18)),
            (Measure::DaysToCheck, 0),
        ]
    }
}
