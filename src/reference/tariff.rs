//! Electricity tariffs: the hours of their bands, the prices by voltage, and the power factor that bills ask for.

use std::str::FromStr;

use jiff::civil::Date;
use serde::Deserialize;

use super::{EntryRow, EntryValue, Grade, ReferenceError};
use crate::model::id::Digest;
use crate::model::record::FactorRef;

/// The one unit a price is written in.
const PRICE_UNIT: &str = "VND/kWh";

/// Minutes of a day.
const DAY: u16 = 1440;

/// The band of a tariff.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Band {
    /// Dear hours.
    Peak,
    /// The hours in no other band.
    Normal,
    /// Cheap hours.
    OffPeak,
}

/// A span of a day, in minutes since midnight; one that ends before it begins goes on after midnight.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Hours {
    /// First minute in it.
    pub from: u16,
    /// First minute after it; may be 1440.
    pub to: u16,
}

impl Hours {
    /// Says whether a minute of the day is in it.
    pub const fn contains(self, minute: u16) -> bool {
        if self.from < self.to {
            self.from <= minute && minute < self.to
        } else {
            self.from <= minute || minute < self.to
        }
    }

    /// Says whether two have a minute in common.
    fn overlaps(self, other: Self) -> bool {
        self.contains(other.from) || other.contains(self.from)
    }
}

impl FromStr for Hours {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let minutes = |text: &str| {
            let (hour, minute) = text.split_once(':')?;
            let is_two_digits = |part: &str| part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_digit());
            let (hour, minute) = (is_two_digits(hour).then_some(hour)?, is_two_digits(minute).then_some(minute)?);
            let (hour, minute): (u16, u16) = (hour.parse().ok()?, minute.parse().ok()?);
            Some(hour * 60 + minute).filter(|at| minute < 60 && *at <= DAY)
        };
        let hours = text.split_once('-').and_then(|(from, to)| Some((minutes(from)?, minutes(to)?)));
        hours
            .filter(|(from, to)| from != to && *from < DAY)
            .map(|(from, to)| Self { from, to })
            .ok_or_else(|| format!("\"{text}\" is no span of a day: expected HH:MM-HH:MM, like 22:00-04:00"))
    }
}

impl std::fmt::Display for Hours {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:02}:{:02}-{:02}:{:02}", self.from / 60, self.from % 60, self.to / 60, self.to % 60)
    }
}

impl<'de> Deserialize<'de> for Hours {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// Peak and off-peak hours of a kind of day.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DayBands {
    /// Peak hours.
    pub peak: Vec<Hours>,
    /// Off-peak hours.
    pub off_peak: Vec<Hours>,
}

impl DayBands {
    /// Returns the band of a minute of the day.
    pub fn band(&self, minute: u16) -> Band {
        let is_in = |hours: &[Hours]| hours.iter().any(|hours| hours.contains(minute));
        if is_in(&self.peak) {
            Band::Peak
        } else if is_in(&self.off_peak) {
            Band::OffPeak
        } else {
            Band::Normal
        }
    }
}

/// What every dated entry of a tariff has.
#[derive(Debug, Clone, PartialEq)]
pub struct Dated {
    /// The first day on which it counts.
    pub valid_from: Date,
    /// What a figure names when it rests on it.
    pub factor: FactorRef,
    /// Where it was read.
    pub source: String,
    /// When it was published; `None` where that couldn't be confirmed.
    pub published: Option<Date>,
    /// How surely it is known.
    pub grade: Grade,
}

/// The hours of the bands, from a day on.
#[derive(Debug, Clone, PartialEq)]
pub struct TariffSchedule {
    /// Since when, and where from.
    pub dated: Dated,
    /// Bills are made by it.
    pub applies_to_billing: bool,
    /// Monday to Saturday.
    pub workday: DayBands,
    /// Sunday.
    pub sunday: DayBands,
}

/// The prices of one voltage, from a day on.
#[derive(Debug, Clone, PartialEq)]
pub struct TariffPrice {
    /// Since when, and where from.
    pub dated: Dated,
    /// The voltage at which a site is supplied, like `22-110kV`.
    pub voltage: String,
    /// **Unit**: 10⁻⁶ VND for each kWh.
    pub off_peak: i64,
    /// **Unit**: 10⁻⁶ VND for each kWh.
    pub normal: i64,
    /// **Unit**: 10⁻⁶ VND for each kWh.
    pub peak: i64,
}

/// The power factor below which reactive energy is charged, from a day on.
#[derive(Debug, Clone, PartialEq)]
pub struct PowerFactorTarget {
    /// Since when, and where from.
    pub dated: Dated,
    /// cosφ.
    pub value: f64,
}

/// Everything of tariffs, each list ascending by date.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Tariffs {
    /// The hours of the bands.
    pub schedules: Vec<TariffSchedule>,
    /// The prices.
    pub prices: Vec<TariffPrice>,
    /// The power factors asked for.
    pub power_factor_targets: Vec<PowerFactorTarget>,
}

/// `[[tariff_schedule]]` of a data file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ScheduleEntry {
    id: String,
    valid_from: Date,
    published: Option<Date>,
    applies_to_billing: bool,
    peak: Vec<Hours>,
    off_peak: Vec<Hours>,
    sunday_peak: Vec<Hours>,
    sunday_off_peak: Vec<Hours>,
    source: String,
    grade: Grade,
}

/// `[[tariff_price]]` of a data file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PriceEntry {
    id: String,
    valid_from: Date,
    published: Option<Date>,
    voltage: String,
    off_peak: f64,
    normal: f64,
    peak: f64,
    unit: String,
    source: String,
    grade: Grade,
}

/// `[[power_factor_target]]` of a data file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TargetEntry {
    id: String,
    valid_from: Date,
    published: Option<Date>,
    value: f64,
    unit: String,
    source: String,
    grade: Grade,
}

fn dated(
    id: String,
    valid_from: Date,
    published: Option<Date>,
    source: String,
    grade: Grade,
    version: Digest,
) -> Dated {
    Dated { valid_from, factor: FactorRef { id, version, year: valid_from.year() }, source, published, grade }
}

impl Tariffs {
    /// Adds a schedule.
    pub(super) fn add_schedule(
        &mut self,
        entry: ScheduleEntry,
        file: &str,
        version: Digest,
    ) -> Result<(), ReferenceError> {
        let ScheduleEntry { id, valid_from, published, applies_to_billing, source, grade, .. } = entry;
        let workday = DayBands { peak: entry.peak, off_peak: entry.off_peak };
        let sunday = DayBands { peak: entry.sunday_peak, off_peak: entry.sunday_off_peak };
        for day in [&workday, &sunday] {
            let hours: Vec<Hours> = day.peak.iter().chain(&day.off_peak).copied().collect();
            let clash = hours.iter().enumerate().find_map(|(place, one)| {
                hours[..place].iter().find(|other| other.overlaps(*one)).map(|other| (*one, *other))
            });
            if let Some((one, other)) = clash {
                let message = format!("has hours in two bands: {one} and {other}");
                return Err(ReferenceError::Entry { file: file.to_owned(), id, message });
            }
        }
        let dated = dated(id, valid_from, published, source, grade, version);
        let schedule = TariffSchedule { dated, applies_to_billing, workday, sunday };
        let same = |other: &TariffSchedule| {
            other.dated.valid_from == valid_from && other.applies_to_billing == applies_to_billing
        };
        insert(&mut self.schedules, schedule, |entry| &entry.dated, same, file)
    }

    /// Adds prices.
    pub(super) fn add_price(&mut self, entry: PriceEntry, file: &str, version: Digest) -> Result<(), ReferenceError> {
        let PriceEntry { id, valid_from, published, voltage, off_peak, normal, peak, unit, source, grade } = entry;
        for value in [off_peak, normal, peak] {
            if unit != PRICE_UNIT || !value.is_finite() || value <= 0.0 || value > 1e9 {
                return Err(ReferenceError::Factor { file: file.to_owned(), id, value, unit, expected: PRICE_UNIT });
            }
        }
        let dated = dated(id, valid_from, published, source, grade, version);
        let [off_peak, normal, peak] = [off_peak, normal, peak].map(micro);
        let price = TariffPrice { dated, voltage: voltage.clone(), off_peak, normal, peak };
        let same = |other: &TariffPrice| other.dated.valid_from == valid_from && other.voltage == voltage;
        insert(&mut self.prices, price, |entry| &entry.dated, same, file)
    }

    /// Adds a power factor asked for.
    pub(super) fn add_target(&mut self, entry: TargetEntry, file: &str, version: Digest) -> Result<(), ReferenceError> {
        let TargetEntry { id, valid_from, published, value, unit, source, grade } = entry;
        if unit != "1" || !value.is_finite() || value <= 0.0 || value > 1.0 {
            return Err(ReferenceError::Factor { file: file.to_owned(), id, value, unit, expected: "1" });
        }
        let target = PowerFactorTarget { dated: dated(id, valid_from, published, source, grade, version), value };
        let same = |other: &PowerFactorTarget| other.dated.valid_from == valid_from;
        insert(&mut self.power_factor_targets, target, |entry| &entry.dated, same, file)
    }

    /// Returns the power factor that bills ask for on a day.
    pub fn power_factor_target(&self, day: Date) -> Option<&PowerFactorTarget> {
        self.power_factor_targets.iter().rev().find(|target| target.dated.valid_from <= day)
    }

    /// Returns the voltages that have prices, in the order of the file.
    pub fn voltages(&self) -> Vec<&str> {
        let mut voltages: Vec<&str> = Vec::new();
        for price in &self.prices {
            if !voltages.contains(&price.voltage.as_str()) {
                voltages.push(&price.voltage);
            }
        }
        voltages
    }

    /// Returns every entry as people list it.
    pub(super) fn rows(&self) -> Vec<EntryRow> {
        let schedules = self.schedules.iter().map(|schedule| {
            let list = |hours: &[Hours]| hours.iter().map(Hours::to_string).collect::<Vec<_>>().join(", ");
            let values = vec![
                EntryValue::text("peak", list(&schedule.workday.peak)),
                EntryValue::text("off_peak", list(&schedule.workday.off_peak)),
                EntryValue::text("sunday_peak", list(&schedule.sunday.peak)),
                EntryValue::text("sunday_off_peak", list(&schedule.sunday.off_peak)),
                EntryValue::text("applies_to_billing", schedule.applies_to_billing.to_string()),
            ];
            row("tariff_schedule", &schedule.dated, values)
        });
        let prices = self.prices.iter().map(|price| {
            let number = |name, micro| EntryValue::number(name, vnd(micro), PRICE_UNIT);
            let values = vec![
                EntryValue::text("voltage", &price.voltage),
                number("off_peak", price.off_peak),
                number("normal", price.normal),
                number("peak", price.peak),
            ];
            row("tariff_price", &price.dated, values)
        });
        let targets = self.power_factor_targets.iter().map(|target| {
            row("power_factor_target", &target.dated, vec![EntryValue::number("value", target.value, "1")])
        });
        schedules.chain(prices).chain(targets).collect()
    }
}

fn row(kind: &'static str, dated: &Dated, values: Vec<EntryValue>) -> EntryRow {
    EntryRow {
        kind,
        id: dated.factor.id.clone(),
        values,
        source: dated.source.clone(),
        valid_from: Some(dated.valid_from),
        published: dated.published,
        grade: dated.grade,
        version: dated.factor.version,
    }
}

/// Inserts an entry by its date; refuses a second one for the same day.
fn insert<T>(
    list: &mut Vec<T>,
    entry: T,
    dated: impl Fn(&T) -> &Dated,
    is_same: impl Fn(&T) -> bool,
    file: &str,
) -> Result<(), ReferenceError> {
    if let Some(other) = list.iter().find(|other| is_same(other)) {
        let message = format!("counts from {} as \"{}\" does", dated(&entry).valid_from, dated(other).factor.id);
        return Err(ReferenceError::Entry { file: file.to_owned(), id: dated(&entry).factor.id.clone(), message });
    }
    let place = list.partition_point(|other| dated(other).valid_from <= dated(&entry).valid_from);
    list.insert(place, entry);
    Ok(())
}

#[expect(clippy::cast_possible_truncation, reason = "at most 10⁹ before the factor of 10⁶")]
fn micro(price: f64) -> i64 {
    (price * 1e6).round() as i64
}

#[expect(clippy::cast_precision_loss, reason = "for people to read")]
fn vnd(micro: i64) -> f64 {
    micro as f64 / 1e6
}

#[cfg(test)]
mod tests {
    use super::{Band, Hours};
    use crate::reference::Reference;

    #[test]
    fn a_span_of_a_day_is_half_open_and_may_cross_midnight() {
        let night: Hours = "22:00-04:00".parse().unwrap();
        for (minute, is_in) in [(1320, true), (1439, true), (0, true), (239, true), (240, false), (1319, false)] {
            assert_eq!(night.contains(minute), is_in, "{minute}");
        }
        for bad in ["22-4", "24:00-04:00", "9:30-11:30", "09:30-09:30", "09:60-10:00", "09:00", "00:00-24:01"] {
            assert!(bad.parse::<Hours>().is_err(), "{bad}");
        }
    }

    #[test]
    fn the_hours_of_2026_replace_those_of_2014_and_sunday_has_no_peak() {
        let reference = Reference::builtin();
        let [old, new] = reference.tariffs().schedules.as_slice() else { panic!("two schedules") };
        for (minute, before, after) in [
            (9 * 60 + 30, Band::Peak, Band::Normal),
            (11 * 60 + 30, Band::Normal, Band::Normal),
            (17 * 60 + 29, Band::Peak, Band::Normal),
            (17 * 60 + 30, Band::Peak, Band::Peak),
            (20 * 60, Band::Normal, Band::Peak),
            (22 * 60, Band::OffPeak, Band::Peak),
            (22 * 60 + 30, Band::OffPeak, Band::Normal),
            (3 * 60, Band::OffPeak, Band::OffPeak),
            (4 * 60, Band::Normal, Band::OffPeak),
            (6 * 60, Band::Normal, Band::Normal),
        ] {
            assert_eq!((old.workday.band(minute), new.workday.band(minute)), (before, after), "{minute}");
            assert!(old.sunday.band(minute) != Band::Peak && new.sunday.band(minute) != Band::Peak, "{minute}");
        }
    }

    #[test]
    fn bad_tariffs_are_refused_with_their_id() {
        let schedule = |peak: &str| {
            format!(
                "[[tariff_schedule]]\nid = \"a\"\nvalid_from = \"2030-01-01\"\napplies_to_billing = true\npeak = [\"{peak}\"]\noff_peak = [\"22:00-04:00\"]\nsunday_peak = []\nsunday_off_peak = []\nsource = \"s\"\ngrade = \"official\"\n"
            )
        };
        let twice = schedule("09:00-10:00") + &schedule("09:00-10:00").replace("\"a\"", "\"b\"");
        let price = "[[tariff_price]]\nid = \"p\"\nvalid_from = \"2030-01-01\"\nvoltage = \"x\"\noff_peak = 1\nnormal = 2\npeak = 3\nunit = \"USD/kWh\"\nsource = \"s\"\ngrade = \"official\"\n";
        for (text, words) in [
            (schedule("03:00-05:00"), "\"a\" has hours in two bands: 22:00-04:00 and 03:00-05:00"),
            (twice, "\"b\" counts from 2030-01-01 as \"a\" does"),
            (price.to_owned(), "USD/kWh, expected a positive number of VND/kWh"),
        ] {
            let message = Reference::parse(&[("f.toml", &text)]).unwrap_err().to_string();
            assert!(message.contains(words), "{message}");
        }
    }
}
