//! Energy baselines: what an asset's electricity should have been, by a model of a period that it is compared with.
//!
//! A model is E = b₀ + Σ bᵢ·xᵢ (ISO 50006). Each minute expects its share of b₀ and what its drivers ask for, so the
//! expected energy is an additive measure and E/Ê is exact at any grain. A minute whose electricity or drivers nobody
//! knows expects nothing: both sides of the comparison are about the same minutes.

mod beta;
pub mod fit;

use super::calendar::Calendar;
use crate::model::tag::TagIndex;
use crate::model::time::{Grain, MINUTE_MS, Timestamp};

pub use beta::{f_tail, regularised_incomplete_beta};

/// Milliseconds in an hour.
const HOUR_MS: i128 = 3_600_000;

/// One `[[baseline]]` of an asset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Baseline {
    /// The first instant for which it counts, until the next one does.
    pub valid_from: Timestamp,
    /// b₀. **Unit**: 10⁻⁶ kWh for each `per`.
    pub constant: i128,
    /// The time b₀ is for: a day or a month of the site.
    pub per: Grain,
    /// b of the produced quantity. **Unit**: 10⁻⁶ kWh for each unit.
    pub produced: Option<i128>,
    /// The other drivers.
    pub drivers: Vec<Driver>,
}

/// A driver that a tag measures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Driver {
    /// The tag.
    pub tag: TagIndex,
    /// Its coefficient. **Unit**: 10⁻⁶ kWh for each unit of the driver.
    pub coefficient: i128,
    /// What of the tag drives the energy.
    pub kind: DriverKind,
}

/// What of a tag drives the energy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DriverKind {
    /// Its amount, in the base unit of the tag.
    Amount,
    /// Degree days below a temperature: heating. **Unit**: 10⁻⁶ °C.
    Below(i128),
    /// Degree days above a temperature: cooling. **Unit**: 10⁻⁶ °C.
    Above(i128),
}

impl Driver {
    /// Returns what the driver makes the model expect from what its tag came to in a minute: of a temperature, the
    /// integral over the time it was observed. Rounded once: a minute's degree days alone would lose up to a few
    /// thousandths, each minute to the same side. **Unit**: 10⁻⁶ of the tag's base unit (°C·h of a temperature) in;
    /// 10⁻⁶ kWh out.
    pub fn energy(&self, amount: i128, observed_ms: i64) -> i128 {
        let against = |base: i128| divide(base * i128::from(observed_ms), HOUR_MS);
        match self.kind {
            DriverKind::Amount => divide(amount * self.coefficient, 1_000_000),
            DriverKind::Below(base) => divide((against(base) - amount).max(0) * self.coefficient, 24_000_000),
            DriverKind::Above(base) => divide((amount - against(base)).max(0) * self.coefficient, 24_000_000),
        }
    }
}

impl Baseline {
    /// Returns a minute's share of b₀. The shares of a day or month sum to b₀ exactly. **Unit**: 10⁻⁶ kWh.
    pub fn share(&self, calendar: &Calendar, minute: Timestamp) -> i128 {
        let Some(whole) = calendar.window_of(self.per, minute) else { return 0 };
        let length = i128::from(whole.length_ms());
        let until = |at: Timestamp| (self.constant * i128::from(at.ms_since(whole.start))).div_euclid(length);
        until(minute + MINUTE_MS) - until(minute)
    }

    /// Returns what a produced quantity makes the model expect. **Unit**: 10⁻⁶ of the product unit; 10⁻⁶ kWh out.
    pub fn of_produced(&self, quantity: i128) -> i128 {
        self.produced.map_or(0, |coefficient| divide(quantity * coefficient, 1_000_000))
    }
}

/// Divides and rounds to nearest, ties to even: rounded once a minute, so that errors don't add up to one side.
pub(in crate::engine) fn divide(numerator: i128, denominator: i128) -> i128 {
    let (quotient, rest) = (numerator.div_euclid(denominator), numerator.rem_euclid(denominator));
    match (rest * 2).cmp(&denominator) {
        std::cmp::Ordering::Less => quotient,
        std::cmp::Ordering::Greater => quotient + 1,
        std::cmp::Ordering::Equal => quotient + quotient.rem_euclid(2),
    }
}

#[cfg(test)]
mod tests {
    use super::{Baseline, Driver, DriverKind, divide};
    use crate::engine::calendar::Calendar;
    use crate::model::tag::TagIndex;
    use crate::model::time::{Grain, MINUTE_MS, Timestamp};

    #[test]
    fn halves_round_to_even_on_both_sides_of_zero() {
        for (numerator, denominator, rounded) in
            [(5, 2, 2), (7, 2, 4), (-5, 2, -2), (-7, 2, -4), (5, 3, 2), (4, 3, 1), (-5, 3, -2), (6, 3, 2)]
        {
            assert_eq!(divide(numerator, denominator), rounded, "{numerator}/{denominator}");
        }
    }

    #[test]
    fn the_shares_of_a_month_sum_to_its_constant() {
        let calendar = Calendar::round_the_clock(jiff::tz::TimeZone::get("Asia/Ho_Chi_Minh").unwrap());
        let baseline = Baseline {
            valid_from: Timestamp(0),
            constant: 12_000_000_001,
            per: Grain::Month,
            produced: None,
            drivers: Vec::new(),
        };
        let start: Timestamp = "2026-02-01T00:00:00+07:00".parse().unwrap();
        let minutes = (0..28 * 24 * 60).map(|minute| baseline.share(&calendar, start + minute * MINUTE_MS));
        assert_eq!(minutes.sum::<i128>(), 12_000_000_001);
    }

    #[test]
    fn a_day_five_degrees_above_the_base_is_five_cooling_degree_days_and_no_heating_ones() {
        let driver = |kind| Driver { tag: TagIndex(0), coefficient: 2_000_000, kind };
        let hours = 24 * 29_000_000;
        assert_eq!(driver(DriverKind::Above(24_000_000)).energy(hours, 86_400_000), 10_000_000);
        assert_eq!(driver(DriverKind::Below(24_000_000)).energy(hours, 86_400_000), 0);
        assert_eq!(driver(DriverKind::Below(30_000_000)).energy(hours, 86_400_000), 2_000_000);
    }

    #[test]
    fn minutes_of_degree_days_come_to_those_of_the_day() {
        // 5 °C above the base is 1/288 of a degree day a minute, which six digits can't hold.
        let driver = Driver { tag: TagIndex(0), coefficient: 100_000_000, kind: DriverKind::Above(24_000_000) };
        let minutes = (0..1_440).map(|minute| {
            let until = |minute: i128| minute * 29_000_000 / 60;
            driver.energy(until(minute + 1) - until(minute), MINUTE_MS)
        });
        let day: i128 = minutes.sum();
        assert!((day - 500_000_000).abs() <= 3_000, "{day} is not 500 kWh to 0.003");
    }
}
