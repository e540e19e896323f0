//! What a configuration says of calendars: when production is planned.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer};
use serde_spanned::Spanned;

/// `[calendar]`: when production is planned, and the site's holidays.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CalendarConfig {
    /// The shifts of a working day. None: planned round the clock, and there are no shift windows.
    #[serde(default)]
    pub shifts: Vec<Spanned<ShiftConfig>>,
    /// Days of the week on which no shift starts.
    #[serde(default)]
    pub days_off: Vec<Spanned<Weekday>>,
    /// Teams that take turns.
    pub rotation: Option<Spanned<RotationConfig>>,
    /// Patterns that replace this one from a date on.
    #[serde(default)]
    pub change: Vec<Spanned<ChangeConfig>>,
    /// Dates that are worked though they are a day off or a holiday.
    #[serde(default)]
    pub working_days: Vec<Spanned<WorkingDayConfig>>,
    /// Name of a set of holidays in the reference data, like `vn`; no shift starts on one.
    pub holidays: Option<Spanned<String>>,
    /// Days off of this site beyond the set.
    #[serde(default)]
    pub add_holidays: Vec<Spanned<HolidayConfig>>,
    /// Days of the set that this site works.
    #[serde(default)]
    pub remove_holidays: Vec<Spanned<HolidayConfig>>,
}

/// One `[[work_calendar]]`: when production is planned at the assets that name it. The site's holidays are its own too.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WorkCalendarConfig {
    /// Its name; `site` is the site's own.
    pub name: Spanned<String>,
    /// The shifts of a working day, at least one.
    #[serde(default)]
    pub shifts: Vec<Spanned<ShiftConfig>>,
    /// Days of the week on which no shift starts.
    #[serde(default)]
    pub days_off: Vec<Spanned<Weekday>>,
    /// Teams that take turns.
    pub rotation: Option<Spanned<RotationConfig>>,
    /// Patterns that replace this one from a date on.
    #[serde(default)]
    pub change: Vec<Spanned<ChangeConfig>>,
    /// Dates that are worked though they are a day off or a holiday.
    #[serde(default)]
    pub working_days: Vec<Spanned<WorkingDayConfig>>,
    /// Shifts start on the site's holidays as on other days.
    #[serde(default)]
    pub works_on_holidays: bool,
}

/// What `[calendar]` and `[[work_calendar]]` have in common.
#[derive(Debug, Clone, Copy)]
pub struct Work<'a> {
    /// What messages and records call it.
    pub name: &'a str,
    /// Its pattern until the first change.
    pub pattern: PatternParts<'a>,
    /// In the order of the file.
    pub change: &'a [Spanned<ChangeConfig>],
    /// In the order of the file.
    pub working_days: &'a [Spanned<WorkingDayConfig>],
}

/// The parts of a pattern.
#[derive(Debug, Clone, Copy)]
pub struct PatternParts<'a> {
    /// The shifts of a working day.
    pub shifts: &'a [Spanned<ShiftConfig>],
    /// Days of the week on which no shift starts.
    pub days_off: &'a [Spanned<Weekday>],
    /// Teams that take turns.
    pub rotation: Option<&'a Spanned<RotationConfig>>,
}

impl CalendarConfig {
    /// Returns when work is planned, under the name of the site's calendar.
    pub fn work(&self) -> Work<'_> {
        let Self { shifts, days_off, rotation, change, working_days, .. } = self;
        let pattern = PatternParts { shifts, days_off, rotation: rotation.as_ref() };
        Work { name: crate::engine::calendar::SITE_CALENDAR, pattern, change, working_days }
    }
}

impl WorkCalendarConfig {
    /// Returns when work is planned.
    pub fn work(&self) -> Work<'_> {
        let Self { name, shifts, days_off, rotation, change, working_days, .. } = self;
        let pattern = PatternParts { shifts, days_off, rotation: rotation.as_ref() };
        Work { name: name.get_ref(), pattern, change, working_days }
    }
}

impl ChangeConfig {
    /// Returns the pattern that holds from its date on.
    pub fn pattern(&self) -> PatternParts<'_> {
        PatternParts { shifts: &self.shifts, days_off: &self.days_off, rotation: self.rotation.as_ref() }
    }
}

/// One shift. It belongs to the day on which it starts.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShiftConfig {
    /// Name, unique in the pattern.
    pub name: Spanned<String>,
    /// Its start.
    pub from: Spanned<TimeOfDay>,
    /// Its end; not after `from` means on the next day.
    pub to: Spanned<TimeOfDay>,
    /// The days of the week on which it starts; none named means every one.
    #[serde(default)]
    pub days: Vec<Spanned<Weekday>>,
    /// Breaks in it.
    #[serde(default)]
    pub breaks: Vec<Spanned<BreakConfig>>,
}

/// A break in a shift: two questions, since in a continuous shift it counts as working time and the machine may run on.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BreakConfig {
    /// Its start.
    pub from: Spanned<TimeOfDay>,
    /// Its end.
    pub to: Spanned<TimeOfDay>,
    /// It counts as working time. **Source**: Labour Code 2019, article 109, for continuous shifts of 6 hours and more.
    pub paid: bool,
    /// The machine is planned to stand still.
    pub machine_planned_down: bool,
}

/// Teams that take turns in a cycle of days.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RotationConfig {
    /// A date on which the cycle begins.
    pub from: Spanned<Day>,
    /// By team: the shift it works on each day of the cycle, or `off`.
    pub teams: BTreeMap<String, Spanned<Vec<Spanned<String>>>>,
}

/// What a team of a rotation does on a day without a shift.
pub const OFF: &str = "off";

/// A pattern that replaces the one before it from a date on.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChangeConfig {
    /// The first production day on which it holds.
    pub valid_from: Spanned<Day>,
    /// The shifts of a working day, at least one.
    #[serde(default)]
    pub shifts: Vec<Spanned<ShiftConfig>>,
    /// Days of the week on which no shift starts.
    #[serde(default)]
    pub days_off: Vec<Spanned<Weekday>>,
    /// Teams that take turns.
    pub rotation: Option<Spanned<RotationConfig>>,
}

/// A date that is worked whatever day it is.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WorkingDayConfig {
    /// The production day.
    pub date: Spanned<Day>,
    /// The shifts that are worked; none named means all.
    #[serde(default)]
    pub shifts: Vec<Spanned<String>>,
    /// Who decided it, and where it is written.
    pub source: Spanned<String>,
}

/// A holiday that a site adds or removes.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HolidayConfig {
    /// The date.
    pub date: Spanned<Day>,
    /// Who decided it, and where it is written.
    pub source: Spanned<String>,
}

/// A civil date, written `"2026-10-11"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Day(pub jiff::civil::Date);

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<'de> Deserialize<'de> for Day {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let is_date = text.len() == 10;
        text.parse().ok().filter(|_| is_date).map(Self).ok_or_else(|| {
            serde::de::Error::custom(format!("\"{text}\" is not a date: expected YYYY-MM-DD, like 2026-10-11"))
        })
    }
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
