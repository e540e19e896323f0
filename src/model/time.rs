//! Instants, durations and windows.
//!
//! Every instant is a whole number of milliseconds since 1970-01-01T00:00:00Z. Civil time (days, shifts,
//! time zones) belongs to `engine::calendar`.

use std::fmt;
use std::ops::{Add, Sub};
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Milliseconds in one minute, the grain of facts.
pub const MINUTE_MS: i64 = 60_000;

/// An instant. **Unit**: milliseconds UTC. In JSON: RFC 3339 with milliseconds and `Z`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// Returns the start of the UTC minute that holds this instant.
    pub const fn minute(self) -> Self {
        Self(self.0 - self.0.rem_euclid(MINUTE_MS))
    }

    /// Returns the difference `self − earlier` in milliseconds; negative when `earlier` is later. Saturates.
    pub const fn ms_since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }
}

impl Add<i64> for Timestamp {
    type Output = Self;
    fn add(self, ms: i64) -> Self {
        Self(self.0.saturating_add(ms))
    }
}

impl Sub<i64> for Timestamp {
    type Output = Self;
    fn sub(self, ms: i64) -> Self {
        Self(self.0.saturating_sub(ms))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_millisecond(self.0) {
            Ok(instant) => write!(f, "{instant:.3}"),
            Err(_) => write!(f, "{} ms", self.0),
        }
    }
}

/// A text that is no RFC 3339 instant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is not an instant: expected RFC 3339 with an offset, like 2026-10-05T07:00:00+07:00")]
pub struct InvalidTimestamp(pub String);

impl FromStr for Timestamp {
    type Err = InvalidTimestamp;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse::<jiff::Timestamp>()
            .map(|instant| Self(instant.as_millisecond()))
            .map_err(|_| InvalidTimestamp(text.to_owned()))
    }
}

/// Human-readable serialisers write RFC 3339, binary ones the integer.
impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() { serializer.collect_str(self) } else { serializer.serialize_i64(self.0) }
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
        } else {
            i64::deserialize(deserializer).map(Self)
        }
    }
}

/// A length of time as configuration writes it: `500ms`, `1.2s`, `15min`, `1h`, `1d`.
///
/// **Unit**: nanoseconds inside. Never negative.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Period(i64);

impl Period {
    /// Returns a period of whole milliseconds.
    pub const fn from_ms(ms: i64) -> Self {
        Self(ms.saturating_mul(1_000_000))
    }

    /// Returns the length in whole milliseconds, rounded down.
    pub const fn as_ms(self) -> i64 {
        self.0 / 1_000_000
    }

    /// Returns the length in nanoseconds.
    pub const fn as_ns(self) -> i64 {
        self.0
    }
}

impl FromStr for Period {
    type Err = String;
    #[expect(clippy::cast_possible_truncation, reason = "bounded before the cast")]
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let refused = || {
            format!("\"{text}\" is not a length of time: expected a number with ms, s, min, h or d, like 500ms or 1.2s")
        };
        let number_end = text.find(|c: char| !c.is_ascii_digit() && c != '.').ok_or_else(refused)?;
        let (number, unit) = text.split_at(number_end);
        let ns = match unit.trim() {
            "ms" => 1e6,
            "s" => 1e9,
            "min" => 60e9,
            "h" => 3600e9,
            "d" => 86_400e9,
            _ => return Err(refused()),
        };
        let total = number.parse::<f64>().map_err(|_| refused())? * ns;
        // 290 years of nanoseconds fit i64; a century is more than any period here needs.
        if total.is_finite() && total <= 3.2e18 { Ok(Self(total.round() as i64)) } else { Err(refused()) }
    }
}

impl<'de> Deserialize<'de> for Period {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// A half-open span of time `[start, end)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Window {
    /// First instant inside.
    pub start: Timestamp,
    /// First instant after.
    pub end: Timestamp,
}

impl Window {
    /// Returns the length in milliseconds.
    pub const fn length_ms(self) -> i64 {
        self.end.ms_since(self.start)
    }

    /// Says whether `instant` lies inside; `end` does not.
    pub fn contains(self, instant: Timestamp) -> bool {
        self.start <= instant && instant < self.end
    }
}

/// How long a window is. Order: finest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Grain {
    /// One UTC minute: the grain of facts.
    #[serde(rename = "minute")]
    Minute,
    /// Five minutes from the full hour.
    #[serde(rename = "5min")]
    FiveMinutes,
    /// A quarter of an hour.
    #[serde(rename = "15min")]
    QuarterHour,
    /// Half an hour: the block of a peak demand.
    #[serde(rename = "30min")]
    HalfHour,
    /// A clock hour of the site's time zone.
    #[serde(rename = "hour")]
    Hour,
    /// A shift of the calendar, across midnight where it says so.
    #[serde(rename = "shift")]
    Shift,
    /// A civil day of the site's time zone.
    #[serde(rename = "day")]
    Day,
    /// A civil month.
    #[serde(rename = "month")]
    Month,
    /// A civil year.
    #[serde(rename = "year")]
    Year,
}

impl Grain {
    /// Every grain, finest first.
    pub const ALL: [Self; 9] = [
        Self::Minute,
        Self::FiveMinutes,
        Self::QuarterHour,
        Self::HalfHour,
        Self::Hour,
        Self::Shift,
        Self::Day,
        Self::Month,
        Self::Year,
    ];

    /// Returns the name used in configuration, JSON and URLs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Minute => "minute",
            Self::FiveMinutes => "5min",
            Self::QuarterHour => "15min",
            Self::HalfHour => "30min",
            Self::Hour => "hour",
            Self::Shift => "shift",
            Self::Day => "day",
            Self::Month => "month",
            Self::Year => "year",
        }
    }

    /// Returns the stable code stored in databases: the position in [`Grain::ALL`].
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// Returns the grain of a stored code.
    pub fn from_code(code: u8) -> Option<Self> {
        Self::ALL.get(usize::from(code)).copied()
    }
}

impl fmt::Display for Grain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Grain {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|grain| grain.as_str() == text).ok_or_else(|| {
            format!("\"{text}\" is not a grain: expected minute, 5min, 15min, 30min, hour, shift, day, month or year")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{Grain, Period, Timestamp};

    #[test]
    fn periods_are_written_with_their_unit() {
        for (text, ns) in
            [("500ms", 500_000_000), ("1.2s", 1_200_000_000), ("15min", 900_000_000_000), ("1h", 3_600_000_000_000)]
        {
            assert_eq!(text.parse::<Period>().map(Period::as_ns), Ok(ns), "{text}");
        }
        for bad in ["5", "s", "-1s", "1 week", ""] {
            assert!(bad.parse::<Period>().is_err(), "{bad}");
        }
    }

    #[test]
    fn json_carries_milliseconds_and_utc() {
        let instant: Timestamp = "2026-10-05T07:00:00.5+07:00".parse().unwrap();
        assert_eq!(instant.to_string(), "2026-10-05T00:00:00.500Z");
        assert_eq!(serde_json::to_string(&instant).unwrap(), "\"2026-10-05T00:00:00.500Z\"");
    }

    #[test]
    fn the_minute_of_an_instant_before_1970_starts_before_it() {
        assert_eq!(Timestamp(-1).minute(), Timestamp(-60_000));
    }

    #[test]
    fn grain_codes_follow_the_list() {
        for (position, grain) in Grain::ALL.into_iter().enumerate() {
            assert_eq!(usize::from(grain.code()), position);
            assert_eq!(grain.as_str().parse(), Ok(grain));
        }
    }
}
