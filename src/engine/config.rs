//! What a configuration says of assets, the calendar, records and factors.
//!
//! **In**: the tables `[[asset]]`, `[calendar]`, `[records]` and `[factors]`. **Out**: typed values that know their
//! place in the file. Whether a named tag, parent or holiday set exists is for `config` to say: it sees them all.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer};
use serde_spanned::Spanned;

use super::kpi::grid::MissingFactor;
use crate::model::id::{AssetId, TagName};
use crate::model::record::Level;
use crate::model::time::{Grain, Period};
use crate::model::unit::ProductUnit;

/// One `[[asset]]`: what KPIs are about, and which tags measure it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AssetConfig {
    /// Flat and immutable; the key of its figures together with the site.
    pub id: Spanned<AssetId>,
    /// The asset it stands in; without one it stands in the site.
    pub parent: Option<Spanned<AssetId>>,
    /// Place in the hierarchy; without it the place in the tree decides.
    pub level: Option<Spanned<Level>>,
    /// Name shown to people; without it the id.
    pub name: Option<String>,
    /// State tag of the machine.
    pub state: Option<Spanned<TagName>>,
    /// Counter of produced parts, good or not.
    pub total: Option<Spanned<TagName>>,
    /// Counter of good parts.
    pub good: Option<Spanned<TagName>>,
    /// Counter of scrapped parts.
    pub scrap: Option<Spanned<TagName>>,
    /// Counter of reworked parts.
    pub rework: Option<Spanned<TagName>>,
    /// Planned run time per unit (PRU). **Source**: ISO 22400-2.
    pub planned_run_time_per_unit: Option<Spanned<Period>>,
    /// What its parts are counted in.
    #[serde(default)]
    pub product_unit: ProductUnit,
    /// The machine below it at which its parts are counted.
    pub exit: Option<Spanned<AssetId>>,
    /// The meters through which its energy comes in and goes out.
    pub boundary: Option<BoundaryConfig>,
    /// What it sums from its children where it has no input of its own. Off unless named here.
    #[serde(default)]
    pub sum_children: Vec<Spanned<Summed>>,
}

/// The boundary meters of an asset: its own consumption is electricity + generation − export.
///
/// Each tag may be a counter, an interval amount or a power.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BoundaryConfig {
    /// Active energy or power drawn from the grid.
    #[serde(default)]
    pub electricity: Vec<Spanned<TagName>>,
    /// Active energy or power generated inside: solar, generator sets.
    #[serde(default)]
    pub generation: Vec<Spanned<TagName>>,
    /// Active energy or power given back to the grid.
    #[serde(default)]
    pub export: Vec<Spanned<TagName>>,
    /// Reactive energy or power drawn from the grid.
    #[serde(default)]
    pub reactive: Vec<Spanned<TagName>>,
}

/// What an asset may sum from its children.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Summed {
    /// Electricity and reactive energy.
    Electricity,
    /// Produced, good, scrapped and reworked parts.
    Parts,
}

/// `[calendar]`: when production is planned.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CalendarConfig {
    /// The shifts of a working day. None: planned round the clock, and there are no shift windows.
    #[serde(default)]
    pub shifts: Vec<Spanned<ShiftConfig>>,
    /// Days of the week on which no shift starts.
    #[serde(default)]
    pub days_off: Vec<Spanned<Weekday>>,
    /// Name of a set of holidays in the reference data, like `vn`; no shift starts on one.
    pub holidays: Option<Spanned<String>>,
}

/// One shift. It belongs to the day on which it starts.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShiftConfig {
    /// Name, unique in the calendar.
    pub name: Spanned<String>,
    /// Its start.
    pub from: Spanned<TimeOfDay>,
    /// Its end; not after `from` means on the next day.
    pub to: Spanned<TimeOfDay>,
}

/// A wall-clock time of the site, a whole minute. Written `HH:MM`; `24:00` is the end of the day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct TimeOfDay(u16);

impl TimeOfDay {
    /// Returns the minutes since midnight, 0 to 1440.
    pub const fn minutes(self) -> u16 {
        self.0
    }

    /// Returns the wall-clock time; the end of the day is midnight.
    pub fn time(self) -> jiff::civil::Time {
        let minutes = i64::from(self.0 % 1440);
        jiff::civil::Time::midnight().wrapping_add(jiff::Span::new().minutes(minutes))
    }
}

impl FromStr for TimeOfDay {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_two_digits = |part: &str| part.len() == 2 && part.bytes().all(|b| b.is_ascii_digit());
        let two_digits = |part: &str| part.parse::<u16>().ok().filter(|_| is_two_digits(part));
        text.split_once(':')
            .and_then(|(hours, minutes)| Some((two_digits(hours)?, two_digits(minutes)?)))
            .filter(|(hours, minutes)| *minutes < 60 && hours * 60 + minutes <= 1440)
            .map(|(hours, minutes)| Self(hours * 60 + minutes))
            .ok_or_else(|| format!("\"{text}\" is not a time of day: expected HH:MM from 00:00 to 24:00, like 06:00"))
    }
}

impl fmt::Display for TimeOfDay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}:{:02}", self.0 / 60, self.0 % 60)
    }
}

impl<'de> Deserialize<'de> for TimeOfDay {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// A day of the week, in English and lower-case: `sunday`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case", remote = "jiff::civil::Weekday")]
enum WeekdayName {
    Monday,
    Tuesday,
    Wednesday,
    Thursday,
    Friday,
    Saturday,
    Sunday,
}

/// A day of the week, in English and lower-case: `sunday`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Weekday(#[serde(with = "WeekdayName")] pub jiff::civil::Weekday);

/// `[records]`: the windows that are closed and logged.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecordsConfig {
    /// Without it hour, shift, day and month. The grain of each share is added.
    pub grains: Option<Vec<Spanned<Grain>>>,
}

/// `[factors]`: which factor counts where the year's own isn't published.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FactorsConfig {
    /// The grid's emission factor.
    #[serde(default)]
    pub grid_factor: FactorChoice,
}

/// How one factor is chosen.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FactorChoice {
    /// What counts where no factor is published for the year.
    #[serde(default)]
    pub missing: MissingFactor,
}

#[cfg(test)]
mod tests {
    use super::TimeOfDay;

    #[test]
    fn a_time_of_day_is_a_whole_minute_from_0000_to_2400() {
        for (text, minutes) in [("00:00", 0), ("06:00", 360), ("23:59", 1439), ("24:00", 1440)] {
            assert_eq!(text.parse::<TimeOfDay>().map(TimeOfDay::minutes), Ok(minutes), "{text}");
        }
        for bad in ["24:01", "6:00", "06:60", "06.00", "", "+6:00", "0600"] {
            assert!(bad.parse::<TimeOfDay>().is_err(), "{bad}");
        }
    }
}
