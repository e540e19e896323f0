//! An electricity bill beside the measurement of the same period, and what can explain that they differ.
//!
//! In: what was billed, and the minute facts of the period and of two days on either side. Out: the difference in all
//! and by band, and explanations, each with the figures it rests on. An explanation is only given where the figures
//! speak for it; what none of them covers stays unexplained, in so many words.
//!
//! What tells the causes apart is what stays the same over the tariff's bands (or over other bills of the same asset):
//! the ratio of billed to measured under a wrong transformer ratio, the difference for each hour under an unmetered
//! constant load, the total where only the hours of the bands differ, and nothing but a shifted period where the
//! reader came on another day.

mod explain;

use crate::model::declared::{Bill, DeclaredUnit};
use crate::model::fact::{Facts, Measure};
use crate::model::time::{MINUTE_MS, Timestamp, Window};

/// Days by which a reading may have been taken early or late.
pub const SHIFT_DAYS_MAX: i64 = 2;

const DAY_MS: i64 = 86_400_000;

/// Periods that are summed: the bill's own and each shifted one, earliest first.
const SHIFTS: usize = 2 * OWN + 1;

/// The bill's own period among them.
const OWN: usize = 2;

/// Energy by band: peak, normal, off-peak. **Unit**: 10⁻⁶ kWh.
pub type Bands = [i128; 3];

/// An amount of electricity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Amount {
    /// **Unit**: 10⁻⁶ kWh.
    pub total: i128,
    /// Its bands, where they are known.
    pub bands: Option<Bands>,
}

impl Amount {
    /// Returns what a bill says. Bands count only where all three are given.
    pub fn billed(quantity_micro: i64, unit: DeclaredUnit, bill: &Bill) -> Self {
        let kwh = if unit == DeclaredUnit::MegawattHour { 1_000 } else { 1 };
        let bands = match (bill.peak_micro_kwh, bill.normal_micro_kwh, bill.off_peak_micro_kwh) {
            (Some(peak), Some(normal), Some(off_peak)) => Some([peak, normal, off_peak].map(i128::from)),
            _ => None,
        };
        Self { total: i128::from(quantity_micro) * kwh, bands }
    }
}

/// What was measured in one period.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Totals {
    import: i128,
    substituted: i128,
    excluded: i128,
    observed_ms: i128,
    /// Minutes of which there are facts at all.
    minutes: i64,
    /// By schedule: energy in each band.
    bands: Vec<Bands>,
    /// By schedule: minutes in each band, measured or not.
    band_minutes: Vec<[i64; 3]>,
}

/// What was measured around a bill's period, minute by minute.
#[derive(Debug, Clone)]
pub struct Measured {
    period: Window,
    shifted: [Totals; SHIFTS],
    /// Ids of the schedules of band hours; the first is the one that the site's figures are made by.
    schedules: Vec<String>,
}

impl Measured {
    /// Makes the sums of a period. `schedules` names the hours of bands that are told apart, the site's own first;
    /// without any, bands are not compared.
    pub fn new(period: Window, schedules: Vec<String>) -> Self {
        let totals = Totals {
            bands: vec![[0; 3]; schedules.len()],
            band_minutes: vec![[0; 3]; schedules.len()],
            ..Totals::default()
        };
        Self { period, shifted: std::array::from_fn(|_| totals.clone()), schedules }
    }

    /// Returns the span whose minutes belong in here: the period and the days around it.
    pub fn span(&self) -> Window {
        let around = SHIFT_DAYS_MAX * DAY_MS;
        Window { start: self.period.start - around, end: self.period.end + around }
    }

    /// Adds the facts of one minute. `band` returns the band of a schedule, by its place, in which the minute lies: 0
    /// peak, 1 normal, 2 off-peak; `None` where its hours are not known for that day.
    pub fn add(&mut self, minute: Timestamp, facts: &Facts, band: impl Fn(usize) -> Option<usize>) {
        // Facts of older programs have no import: without own generation it is the same.
        let import = facts.get(Measure::ElectricityImport).or_else(|| facts.get(Measure::Electricity));
        let Some(import) = import else { return };
        let bands: Vec<Option<usize>> = (0..self.schedules.len()).map(&band).collect();
        for (shift, totals) in (-SHIFT_DAYS_MAX..).zip(&mut self.shifted) {
            if !moved(self.period, shift).contains(minute) {
                continue;
            }
            totals.import += import;
            totals.substituted += facts.amount(Measure::ElectricitySubstituted);
            totals.excluded += facts.amount(Measure::ElectricityExcluded);
            totals.observed_ms += facts.amount(Measure::ElectricityObserved);
            totals.minutes += 1;
            for (schedule, band) in bands.iter().enumerate().filter_map(|(place, band)| Some((place, (*band)?))) {
                if let Some(energy) = totals.bands[schedule].get_mut(band) {
                    *energy += import;
                    totals.band_minutes[schedule][band] += 1;
                }
            }
        }
    }

    fn own(&self) -> &Totals {
        &self.shifted[OWN]
    }

    /// Returns what was measured in the period itself.
    pub fn amount(&self) -> Amount {
        Amount { total: self.own().import, bands: self.own().bands_of(0) }
    }
}

impl Totals {
    /// Returns the bands of a schedule, where the hours of every measured minute are known.
    fn bands_of(&self, schedule: usize) -> Option<Bands> {
        let bands = *self.bands.get(schedule)?;
        let is_whole = self.band_minutes.get(schedule)?.iter().sum::<i64>() == self.minutes;
        (is_whole && self.minutes > 0).then_some(bands)
    }
}

fn moved(period: Window, days: i64) -> Window {
    Window { start: period.start + days * DAY_MS, end: period.end + days * DAY_MS }
}

/// What another bill of the same asset said, and what was measured then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Other {
    /// **Unit**: 10⁻⁶ kWh.
    pub billed: i128,
    /// **Unit**: 10⁻⁶ kWh.
    pub measured: i128,
    /// Length of its period.
    pub hours: i64,
}

/// How bill and measurement stand to each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// They agree within what meters can tell.
    Agrees,
    /// One explanation covers the difference.
    Explained,
    /// Explanations cover a part of it, or only may.
    Partly,
    /// Nothing in the figures explains it.
    Unexplained,
    /// Nothing was measured in the period.
    NotMeasured,
}

impl Verdict {
    /// Returns the name used in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Agrees => "agrees",
            Self::Explained => "explained",
            Self::Partly => "partly",
            Self::Unexplained => "unexplained",
            Self::NotMeasured => "not_measured",
        }
    }
}

/// What can make a bill differ from the measurement, with the figures that speak for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cause {
    /// The measurement has gaps, or growth was left out as impossible.
    Gap {
        /// Time without a reading.
        missing_minutes: i64,
        /// Energy that was spread over gaps; it is in the measurement. **Unit**: 10⁻⁶ kWh.
        substituted: i128,
        /// Energy that was left out. **Unit**: 10⁻⁶ kWh.
        excluded: i128,
    },
    /// The ratio of current transformers is set to another value than the billing meter has.
    CtRatio {
        /// Billed is to measured as this…
        numerator: u32,
        /// …to this.
        denominator: u32,
    },
    /// A feeder is billed that no meter of the boundary sees: its power is the same in every band, or its share.
    UnmeteredFeeder {
        /// Its mean power. **Unit**: 10⁻⁶ kW.
        mean_micro_kw: i128,
        /// The power is constant; else its share of the consumption is.
        is_constant: bool,
    },
    /// The reader came on another day than the bill says.
    ReadingDate {
        /// By so many days later; negative where earlier.
        days: i64,
    },
    /// The bill's bands follow other hours than the configured ones.
    TariffHours {
        /// The schedule by which its bands agree.
        schedule: String,
    },
}

impl Cause {
    /// Returns the name used in JSON.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Gap { .. } => "gap",
            Self::CtRatio { .. } => "ct_ratio",
            Self::UnmeteredFeeder { .. } => "unmetered_feeder",
            Self::ReadingDate { .. } => "reading_date",
            Self::TariffHours { .. } => "tariff_hours",
        }
    }
}

/// How far the figures speak for a cause. Order: surest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Certainty {
    /// Bands or other bills bear it out.
    Likely,
    /// The total fits, and nothing more is known.
    Possible,
}

/// One explanation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    /// The cause.
    pub cause: Cause,
    /// How sure.
    pub certainty: Certainty,
    /// How much of the difference it covers; of [`Cause::TariffHours`] what lies in another band.
    /// **Unit**: 10⁻⁶ kWh.
    pub covers: i128,
}

/// A bill beside the measurement.
#[derive(Debug, Clone, PartialEq)]
pub struct Comparison {
    /// The bill's period.
    pub period: Window,
    /// What was billed.
    pub billed: Amount,
    /// What was measured.
    pub measured: Amount,
    /// Billed less measured. **Unit**: 10⁻⁶ kWh.
    pub difference: i128,
    /// The same by band, where both are known.
    pub band_differences: Option<Bands>,
    /// Share of the period that was really measured, 0 to 1.
    pub coverage: f64,
    /// How they stand to each other.
    pub verdict: Verdict,
    /// What can explain the difference, the surest first.
    pub explanations: Vec<Explanation>,
    /// What the first explanation leaves of the difference. **Unit**: 10⁻⁶ kWh.
    pub unexplained: i128,
}

impl Comparison {
    /// Returns the difference as a share of what was billed; `None` where nothing was.
    pub fn share(&self) -> Option<f64> {
        (self.billed.total != 0).then(|| super::kpi::ratio(self.difference, self.billed.total))
    }
}

/// Compares a bill with the measurement; `others` are other bills of the same asset.
pub fn compare(billed: Amount, measured: &Measured, others: &[Other]) -> Comparison {
    let own = measured.amount();
    let by_band = |(billed, measured): (Bands, Bands)| std::array::from_fn(|band| billed[band] - measured[band]);
    let difference = billed.total - own.total;
    let length_ms = i128::from(measured.period.length_ms()).max(1);
    let mut comparison = Comparison {
        period: measured.period,
        billed,
        measured: own,
        difference,
        band_differences: billed.bands.zip(own.bands).map(by_band),
        coverage: super::kpi::ratio(measured.own().observed_ms.min(length_ms), length_ms),
        verdict: Verdict::NotMeasured,
        explanations: Vec::new(),
        unexplained: difference,
    };
    if measured.own().observed_ms > 0 || own.total != 0 {
        explain::explain(&mut comparison, measured, others);
    }
    comparison
}

/// Returns the minutes of a period.
const fn minutes(period: Window) -> i64 {
    period.length_ms() / MINUTE_MS
}

#[cfg(test)]
mod tests;
