//! The electricity tariff of a site: which band a minute is in, and what a kilowatt-hour costs in it.
//!
//! Hours and prices are dated reference data; a minute takes those of its own day. Viet Nam's clock is UTC+7 without
//! daylight saving, so a minute's day and hour are plain arithmetic.

use std::collections::BTreeSet;

use jiff::civil::Date;

use crate::model::fact::Measure;
use crate::model::record::FactorRef;
use crate::model::time::{MINUTE_MS, Timestamp, Window};
use crate::reference::tariff::{Band, TariffPrice, TariffSchedule, Tariffs};

use super::kpi::UsedFactors;

/// Minutes that the tariff's clock is ahead of UTC. **Source**: Asia/Ho_Chi_Minh since 1975.
const OFFSET_MINUTES: i64 = 7 * 60;

/// Minutes of a day.
const DAY_MINUTES: i64 = 24 * 60;

/// The facts that prices are in.
const PRICED: [Measure; 1] = [Measure::ElectricityCost];

/// The facts that the hours of bands are in.
const BANDED: [Measure; 4] = [
    Measure::ElectricityPeakBand,
    Measure::ElectricityNormalBand,
    Measure::ElectricityOffPeakBand,
    Measure::ElectricityCost,
];

/// A site's tariff.
#[derive(Debug, Clone, PartialEq)]
pub struct Tariff {
    /// With the first local day on which it counts, ascending.
    schedules: Vec<(i64, TariffSchedule)>,
    /// With the first local day on which they count, ascending; of the site's voltage alone.
    prices: Vec<(i64, TariffPrice)>,
    /// Local days that count as Sundays beside the Sundays.
    sundays: BTreeSet<i64>,
}

/// What holds in a minute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// The band.
    pub band: Band,
    /// Its price; `None` where none is published. **Unit**: 10⁻⁶ VND for each kWh.
    pub price: Option<i64>,
}

impl Tariff {
    /// Makes the tariff of a site: the hours that bills are made by, or those of the schedule named, at every time; the
    /// prices of a voltage; days that count as Sundays.
    pub fn new(
        tariffs: &Tariffs,
        voltage: &str,
        schedule: Option<&str>,
        sundays: impl IntoIterator<Item = Date>,
    ) -> Self {
        let schedules = tariffs.schedules.iter();
        let schedules = match schedule {
            Some(id) => schedules
                .filter(|schedule| schedule.dated.factor.id == id)
                .map(|named| (i64::MIN, named.clone()))
                .collect(),
            None => schedules
                .filter(|schedule| schedule.applies_to_billing)
                .map(|schedule| (day_of(schedule.dated.valid_from), schedule.clone()))
                .collect(),
        };
        let prices = tariffs.prices.iter().filter(|price| price.voltage == voltage);
        Self {
            schedules,
            prices: prices.map(|price| (day_of(price.dated.valid_from), price.clone())).collect(),
            sundays: sundays.into_iter().map(day_of).collect(),
        }
    }

    /// Returns what holds in a minute; `None` where no schedule does.
    pub fn at(&self, minute: Timestamp) -> Option<Rate> {
        let local = minute.0.div_euclid(MINUTE_MS) + OFFSET_MINUTES;
        let (day, of_day) = (local.div_euclid(DAY_MINUTES), local.rem_euclid(DAY_MINUTES));
        let schedule = on(&self.schedules, day)?;
        // 1970-01-01 was a Thursday.
        let is_sunday = (day + 4).rem_euclid(7) == 0 || self.sundays.contains(&day);
        let bands = if is_sunday { &schedule.sunday } else { &schedule.workday };
        let band = bands.band(u16::try_from(of_day).ok()?);
        let price = on(&self.prices, day).map(|price| match band {
            Band::Peak => price.peak,
            Band::Normal => price.normal,
            Band::OffPeak => price.off_peak,
        });
        Some(Rate { band, price })
    }

    /// Notes the entries on which band energies and costs of a window rest.
    pub fn note_factors(&self, window: Window, used: &mut UsedFactors) {
        let (first, last) = (local_day(window.start), local_day(window.end - 1));
        for entry in within(&self.schedules, first, last).map(|schedule| &schedule.dated.factor) {
            BANDED.into_iter().for_each(|measure| used.note(measure, FactorRef::clone(entry)));
        }
        for entry in within(&self.prices, first, last).map(|price| &price.dated.factor) {
            PRICED.into_iter().for_each(|measure| used.note(measure, FactorRef::clone(entry)));
        }
    }
}

/// Returns what holds on a day: the latest that is not after it.
fn on<T>(list: &[(i64, T)], day: i64) -> Option<&T> {
    list.iter().rev().find(|(from, _)| *from <= day).map(|(_, entry)| entry)
}

/// Returns everything that holds on a day of `[first, last]`.
fn within<T>(list: &[(i64, T)], first: i64, last: i64) -> impl Iterator<Item = &T> {
    let begin = list.partition_point(|(from, _)| *from <= first).saturating_sub(1);
    list[begin..].iter().filter(move |(from, _)| *from <= last).map(|(_, entry)| entry)
}

/// Returns the local day of an instant: days since 1970-01-01.
const fn local_day(at: Timestamp) -> i64 {
    (at.0.div_euclid(MINUTE_MS) + OFFSET_MINUTES).div_euclid(DAY_MINUTES)
}

/// Returns a date as days since 1970-01-01.
fn day_of(date: Date) -> i64 {
    date.duration_since(Date::constant(1970, 1, 1)).as_secs() / (24 * 60 * 60)
}

#[cfg(test)]
mod tests {
    use super::{Band, Tariff};
    use crate::engine::kpi::UsedFactors;
    use crate::model::fact::Measure;
    use crate::model::time::{Timestamp, Window};
    use crate::reference::Reference;

    fn tariff(schedule: Option<&str>, sundays: &[&str]) -> Tariff {
        let reference = Reference::builtin();
        Tariff::new(reference.tariffs(), "22-110kV", schedule, sundays.iter().map(|date| date.parse().unwrap()))
    }

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn a_minute_takes_the_hours_and_the_price_of_its_own_day() {
        let tariff = tariff(None, &[]);
        for (minute, band, price) in [
            ("2025-05-09T09:30:00+07:00", Band::Peak, None),
            ("2025-05-10T09:30:00+07:00", Band::Peak, Some(3_398_000_000)),
            ("2026-04-21T21:59:00+07:00", Band::Normal, Some(1_833_000_000)),
            ("2026-04-21T22:00:00+07:00", Band::OffPeak, Some(1_190_000_000)),
            ("2026-04-22T22:00:00+07:00", Band::Peak, Some(3_398_000_000)),
            ("2026-04-22T22:30:00+07:00", Band::Normal, Some(1_833_000_000)),
        ] {
            let rate = tariff.at(at(minute)).unwrap();
            assert_eq!((rate.band, rate.price), (band, price), "{minute}");
        }
        assert_eq!(tariff.at(at("2010-01-01T00:00:00+07:00")), None);
    }

    #[test]
    fn a_sunday_has_no_peak_and_a_holiday_has_one_unless_the_site_says_otherwise() {
        // A Sunday, and the National Day on a Wednesday.
        let (sunday, holiday) = (at("2026-09-06T18:00:00+07:00"), at("2026-09-02T18:00:00+07:00"));
        let band = |tariff: &Tariff, minute| tariff.at(minute).unwrap().band;
        let plain = tariff(None, &[]);
        assert_eq!((band(&plain, sunday), band(&plain, holiday)), (Band::Normal, Band::Peak));
        assert_eq!(band(&tariff(None, &["2026-09-02"]), holiday), Band::Normal);
    }

    #[test]
    fn a_named_schedule_holds_at_every_time() {
        let old = tariff(Some("vn_tou_2014"), &[]);
        assert_eq!(old.at(at("2026-09-02T10:00:00+07:00")).unwrap().band, Band::Peak);
    }

    #[test]
    fn a_window_names_every_entry_that_holds_in_it() {
        let used = |from: &str, to: &str| {
            let mut used = UsedFactors::new();
            tariff(None, &[]).note_factors(Window { start: at(from), end: at(to) }, &mut used);
            let mut factors = Vec::new();
            used.collect([&Measure::ElectricityCost], &mut factors);
            factors.into_iter().map(|factor| factor.id).collect::<Vec<_>>()
        };
        let price = "vn_price_2025_22_110kv";
        let april = used("2026-04-01T00:00:00+07:00", "2026-05-01T00:00:00+07:00");
        assert_eq!(april, [price, "vn_tou_2014", "vn_tou_2026"]);
        let day = used("2026-04-22T00:00:00+07:00", "2026-04-23T00:00:00+07:00");
        assert_eq!(day, [price, "vn_tou_2026"]);
        let before = used("2026-04-21T00:00:00+07:00", "2026-04-22T00:00:00+07:00");
        assert_eq!(before, [price, "vn_tou_2014"]);
    }
}
