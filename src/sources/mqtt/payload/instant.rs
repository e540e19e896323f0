//! The event time of a payload in every form that devices write it. Pure.

use jiff::civil::DateTime;
use jiff::fmt::strtime;
use jiff::tz::TimeZone;

use super::Scalar;
use crate::model::time::Timestamp;

/// How a topic's event times are written.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TimeForm {
    /// What is written.
    pub written: Written,
    /// The time zone of texts without an offset; without one they are no instants.
    pub zone: Option<TimeZone>,
}

/// What stands where the event time stands.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Written {
    /// RFC 3339, or a number since 1970 whose size tells its unit.
    #[default]
    Any,
    /// A number since 1970, with this many of its units in one second.
    Units(u32),
    /// A text in this `strftime` form.
    Pattern(String),
}

impl Written {
    /// Reads `s`, `ms`, `us`, `ns` or a pattern with `%`.
    ///
    /// # Errors
    /// What is wrong with it; the caller shows it as a configuration problem.
    pub fn parse(text: &str) -> Result<Self, String> {
        match text {
            "s" => Ok(Self::Units(1)),
            "ms" => Ok(Self::Units(1_000)),
            "us" => Ok(Self::Units(1_000_000)),
            "ns" => Ok(Self::Units(1_000_000_000)),
            pattern if pattern.contains('%') => Ok(Self::Pattern(pattern.to_owned())),
            _ => Err(format!("\"{text}\" is not a form of time")),
        }
    }
}

impl TimeForm {
    /// Returns the instant; `None` where there is none. A local time that a clock change repeats is the first one.
    pub(super) fn read(&self, scalar: &Scalar<'_>) -> Option<Timestamp> {
        match (&self.written, scalar) {
            (Written::Pattern(pattern), Scalar::Text(text)) => self.by_pattern(pattern, text.trim()),
            (Written::Pattern(_), _) => None,
            (_, Scalar::Text(text)) => {
                let text = text.trim();
                match text.parse::<i128>() {
                    Ok(number) => self.of_integer(number),
                    Err(_) => match text.parse::<f64>() {
                        Ok(number) => self.of_float(number),
                        Err(_) => self.by_text(text),
                    },
                }
            }
            (_, Scalar::Integer(number)) => self.of_integer(*number),
            (_, Scalar::Float(number)) => self.of_float(*number),
            (_, Scalar::Null | Scalar::Bool(_) | Scalar::Compound) => None,
        }
    }

    fn by_text(&self, text: &str) -> Option<Timestamp> {
        if self.written != Written::Any {
            return None;
        }
        text.parse().ok().or_else(|| self.in_zone(text.parse().ok()?))
    }

    fn by_pattern(&self, pattern: &str, text: &str) -> Option<Timestamp> {
        let broken = strtime::parse(pattern, text).ok()?;
        match broken.to_timestamp() {
            Ok(instant) => Some(Timestamp(instant.as_millisecond())),
            Err(_) => self.in_zone(broken.to_datetime().ok()?),
        }
    }

    fn in_zone(&self, civil: DateTime) -> Option<Timestamp> {
        let instant = self.zone.as_ref()?.to_timestamp(civil).ok()?;
        Some(Timestamp(instant.as_millisecond()))
    }

    fn of_integer(&self, number: i128) -> Option<Timestamp> {
        let per_second = self.units_of(number.unsigned_abs())?;
        let ms = (number * 1_000 + per_second / 2).div_euclid(per_second);
        i64::try_from(ms).ok().map(Timestamp)
    }

    #[expect(clippy::cast_possible_truncation, reason = "bounded before the casts")]
    #[expect(clippy::cast_sign_loss, reason = "an absolute value")]
    #[expect(clippy::cast_precision_loss, reason = "a power of ten up to 10⁹")]
    fn of_float(&self, number: f64) -> Option<Timestamp> {
        if !number.is_finite() || number.abs() >= 1e20 {
            return None;
        }
        let ms = number * 1e3 / self.units_of(number.abs() as u128)? as f64;
        (ms.abs() < 1e15).then(|| Timestamp(ms.round() as i64))
    }

    /// Returns how many units of the number make one second. Its size tells: 10¹¹ s lie in the year 5138, 10¹¹ ms in
    /// 1973, so s, ms, µs and ns don't overlap for any instant from 1973 to 5138.
    fn units_of(&self, size: u128) -> Option<i128> {
        const BOUNDS: [(u128, i128); 4] = [
            (100_000_000_000, 1),
            (100_000_000_000_000, 1_000),
            (100_000_000_000_000_000, 1_000_000),
            (100_000_000_000_000_000_000, 1_000_000_000),
        ];
        match self.written {
            Written::Units(per_second) => (size < BOUNDS[3].0).then_some(i128::from(per_second)),
            Written::Any => BOUNDS.into_iter().find(|(bound, _)| size < *bound).map(|(_, per_second)| per_second),
            Written::Pattern(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use proptest::prelude::any;
    use proptest::{prop_assert, proptest};

    use super::{Scalar, TimeForm, TimeZone, Timestamp, Written};

    fn text(text: &str) -> Scalar<'_> {
        Scalar::Text(Cow::Borrowed(text))
    }

    fn form(written: &str, zone: Option<&str>) -> TimeForm {
        let written = if written.is_empty() { Written::Any } else { Written::parse(written).unwrap() };
        TimeForm { written, zone: zone.map(|zone| TimeZone::get(zone).unwrap()) }
    }

    #[test]
    fn event_times_come_in_every_usual_form() {
        let expected = Some(Timestamp(1_790_000_000_250));
        let saigon = Some("Asia/Ho_Chi_Minh");
        for (written, zone, scalar) in [
            ("", None, text("2026-09-21T14:13:20.25Z")),
            ("", None, text("2026-09-21T21:13:20.250+07:00")),
            ("", None, text("2026-09-21 21:13:20.250+07:00")),
            ("", saigon, text("2026-09-21T21:13:20.250")),
            ("", saigon, text("2026-09-21 21:13:20.25")),
            ("", saigon, text("2026-09-21T14:13:20.25Z")),
            ("", None, Scalar::Float(1_790_000_000.25)),
            ("", None, Scalar::Integer(1_790_000_000_250)),
            ("", None, text("1790000000250")),
            ("", None, text(" 1790000000.25 ")),
            ("", None, Scalar::Integer(1_790_000_000_250_000)),
            ("", None, Scalar::Integer(1_790_000_000_250_000_000)),
            ("ms", None, Scalar::Integer(1_790_000_000_250)),
            ("us", None, text("1790000000250000")),
            ("ns", None, Scalar::Integer(1_790_000_000_250_000_000)),
            ("s", None, Scalar::Float(1_790_000_000.25)),
            ("%d/%m/%Y %H:%M:%S%.f", saigon, text("21/09/2026 21:13:20.250")),
            ("%Y%m%dT%H%M%S%.f%z", None, text("20260921T211320.25+0700")),
        ] {
            assert_eq!(form(written, zone).read(&scalar), expected, "{written} {scalar:?}");
        }
    }

    #[test]
    fn what_is_no_instant_is_none_and_never_a_guess() {
        for (written, zone, scalar) in [
            ("", None, text("2026-09-21T14:13:20")),
            ("", None, text("yesterday")),
            ("", None, Scalar::Null),
            ("", None, Scalar::Compound),
            ("", None, Scalar::Float(1e300)),
            ("", None, Scalar::Float(f64::NAN)),
            ("ms", None, text("2026-09-21T14:13:20Z")),
            ("%d/%m/%Y %H:%M", None, text("21/09/2026 21:13")),
            ("%d/%m/%Y %H:%M", Some("Asia/Ho_Chi_Minh"), text("09/21/2026 21:13")),
            ("%d/%m/%Y %H:%M", Some("Asia/Ho_Chi_Minh"), Scalar::Integer(5)),
        ] {
            assert_eq!(form(written, zone).read(&scalar), None, "{written} {scalar:?}");
        }
        for bad in ["", "sec", "min", "RFC 3339"] {
            assert!(Written::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_declared_unit_reads_instants_whose_size_would_tell_another() {
        assert_eq!(form("ms", None).read(&Scalar::Integer(5_000)), Some(Timestamp(5_000)));
        assert_eq!(form("ns", None).read(&Scalar::Integer(-1_500_000)), Some(Timestamp(-1)));
    }

    proptest! {
        #[test]
        fn no_number_panics(number in any::<i64>(), float in any::<f64>(), extra in any::<i128>()) {
            for written in ["", "s", "ms", "us", "ns"] {
                let form = form(written, None);
                for scalar in [Scalar::Integer(i128::from(number)), Scalar::Float(float), Scalar::Integer(extra)] {
                    let instant = form.read(&scalar);
                    prop_assert!(written == "ms" || written == "s" || instant.is_none_or(|at| at.0.abs() < 1 << 60));
                }
            }
        }
    }
}
