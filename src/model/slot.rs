//! Five-minute values: the smallest ones that are kept valid or not, and that an authority gets.

use super::fact::{Facts, Measure};
use super::pollutant::DeviceStatus;
use super::time::MINUTE_MS;

/// **Unit**: ms. **Source**: Circular 10/2021/TT-BTNMT, one value each five minutes.
pub const SLOT_MS: i64 = 5 * MINUTE_MS;

/// The mean of one cycle, and whether the devices measured in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slot {
    /// The mean over the valid time. **Unit**: 10⁻⁶ of the channel's. `None` where no time was valid.
    pub mean_micro: Option<i128>,
    /// The worst status that was present; a fault where nothing was.
    pub status: DeviceStatus,
    /// Three quarters of the cycle were valid and nothing worse than measuring was present: the mean enters an hour.
    pub is_valid: bool,
}

/// Returns the value of a cycle from its merged facts.
pub fn slot(facts: &Facts) -> Slot {
    let mean_micro = mean(facts.amount(Measure::ValueTime), facts.amount(Measure::ValidTime));
    let present = [
        (Measure::ValidTime, DeviceStatus::Measuring),
        (Measure::UncorrectableTime, DeviceStatus::Measuring),
        (Measure::CalibrationTime, DeviceStatus::Calibrating),
        (Measure::ChannelFaultTime, DeviceStatus::Fault),
    ];
    let present = present.into_iter().filter(|(time, _)| facts.amount(*time) > 0).map(|(_, status)| status);
    let status = DeviceStatus::of_cycle(present);
    let is_long_enough = facts.amount(Measure::ValidTime) * 4 >= i128::from(SLOT_MS) * 3;
    Slot { mean_micro, status, is_valid: is_long_enough && status == DeviceStatus::Measuring }
}

/// Returns `sum ÷ count` as the nearest integer, ties to the even one; `None` where there is nothing to divide by.
pub fn mean(sum: i128, count: i128) -> Option<i128> {
    if count <= 0 {
        return None;
    }
    let (quotient, rest) = (sum.div_euclid(count), sum.rem_euclid(count));
    let is_up = rest * 2 > count || (rest * 2 == count && quotient % 2 != 0);
    Some(quotient + i128::from(is_up))
}

#[cfg(test)]
mod tests {
    use super::{DeviceStatus, Measure, mean, slot};

    #[test]
    fn a_cycle_is_valid_with_three_quarters_of_its_time_and_only_while_measuring() {
        let of = |valid: i128, calibration: i128, fault: i128| {
            let times = [
                (Measure::ValueTime, valid * 8),
                (Measure::ValidTime, valid),
                (Measure::CalibrationTime, calibration),
                (Measure::ChannelFaultTime, fault),
            ];
            let slot = slot(&times.into_iter().collect());
            (slot.mean_micro, slot.status, slot.is_valid)
        };
        assert_eq!(of(225_000, 0, 0), (Some(8), DeviceStatus::Measuring, true));
        assert_eq!(of(224_999, 0, 0), (Some(8), DeviceStatus::Measuring, false));
        assert_eq!(of(290_000, 10_000, 0), (Some(8), DeviceStatus::Calibrating, false));
        assert_eq!(of(280_000, 10_000, 10_000), (Some(8), DeviceStatus::Fault, false));
        assert_eq!(of(0, 0, 0), (None, DeviceStatus::Fault, false));
    }

    #[test]
    fn means_are_rounded_to_the_nearest_and_ties_to_even() {
        let means = [(5, 2), (7, 2), (-5, 2), (8, 3), (1, 0)].map(|(sum, count)| mean(sum, count));
        assert_eq!(means, [Some(2), Some(4), Some(-2), Some(3), None]);
    }
}
