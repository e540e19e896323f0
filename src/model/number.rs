//! Measured numbers and the scaled integers that facts are made of.

use serde::{Deserialize, Serialize};

/// 10⁻⁶ parts of one base unit: the resolution of every quantity in a fact.
pub const MICRO: f64 = 1e6;

/// As many parts of 10⁻⁶ are one.
pub const MICRO_INTEGER: i128 = 1_000_000;

/// A measured value. Integers stay exact beyond 2⁵³, so a 64-bit counter keeps its last digit.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub enum Number {
    /// A finite floating-point value. A source never builds one from NaN or infinity; see [`Number::finite`].
    Float(f64),
    /// An exact integer, wide enough for every unsigned 64-bit register.
    Integer(i128),
}

impl Number {
    /// Returns the value unless it is NaN or infinite.
    pub fn finite(value: f64) -> Option<Self> {
        value.is_finite().then_some(Self::Float(value))
    }

    /// Returns the nearest floating-point value.
    #[expect(clippy::cast_precision_loss, reason = "the caller asks for the nearest value")]
    pub fn as_f64(self) -> f64 {
        match self {
            Self::Float(value) => value,
            Self::Integer(value) => value as f64,
        }
    }

    /// Returns the value times `factor` in 10⁻⁶ units, rounded half away from zero; `None` beyond ±10³⁰.
    ///
    /// An integer with factor 1 is converted exactly.
    #[inline]
    #[expect(clippy::cast_possible_truncation, clippy::float_cmp, reason = "bounded before the cast; 1.0 is exact")]
    pub fn to_micro(self, factor: f64) -> Option<i128> {
        match self {
            Self::Integer(value) if factor == 1.0 => match i64::try_from(value) {
                Ok(value) => Some(i128::from(value) * 1_000_000),
                Err(_) => value.checked_mul(1_000_000),
            },
            _ => {
                let scaled = self.as_f64() * factor * MICRO;
                if scaled.abs() < NARROW {
                    return Some(i128::from(round_narrow(scaled)));
                }
                (scaled.abs() < 1e30).then(|| scaled.round() as i128)
            }
        }
    }
}

/// Below this magnitude a number is rounded as a 64-bit integer, which takes a fraction of the time.
const NARROW: f64 = 9e18;

/// Returns a number below [`NARROW`] rounded half away from zero, as [`f64::round`] does.
#[inline]
#[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "it fits; from 2⁵² on it is whole")]
fn round_narrow(value: f64) -> i64 {
    let whole = value as i64;
    let rest = value - whole as f64;
    whole + i64::from(rest >= 0.5) - i64::from(rest <= -0.5)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, prop_assert, proptest};

    use super::{NARROW, Number, round_narrow};

    proptest! {
        #[test]
        fn the_short_way_rounds_as_the_long_one(value in any::<f64>(), whole in -1_000_000_i32..1_000_000, part in 0..8_u8) {
            let half = f64::from(whole) + f64::from(part) / 4.0 - 1.0;
            let near = [half, f64::from_bits(half.to_bits() + 1), f64::from_bits(half.to_bits().wrapping_sub(1))];
            for value in near.into_iter().chain([value, value.sqrt(), value.cbrt()]) {
                if value.abs() < NARROW {
                    prop_assert!((round_narrow(value) as f64 - value.round()).abs() <= 0.0, "{}", value);
                }
            }
        }
    }

    #[test]
    fn nan_and_infinity_are_no_numbers() {
        assert_eq!(Number::finite(f64::NAN), None);
        assert_eq!(Number::finite(f64::INFINITY), None);
    }

    #[test]
    fn a_counter_beyond_2_to_the_53_keeps_its_last_digit() {
        assert_eq!(Number::Integer(9_007_199_254_740_993).to_micro(1.0), Some(9_007_199_254_740_993_000_000));
    }

    #[test]
    fn micro_units_round_half_away_from_zero() {
        assert_eq!(Number::Float(3.17).to_micro(1.0), Some(3_170_000));
        assert_eq!(Number::Float(-0.000_000_5).to_micro(1.0), Some(-1));
    }
}
