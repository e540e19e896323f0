//! What a configuration says of calendars: when production is planned.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer};
use serde_spanned::Spanned;

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
