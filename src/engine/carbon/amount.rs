//! Exact integers: what a quantity makes, rounded once.

/// Digits by which coefficients are finer than what they make: a coefficient of 10¹² is 1.
pub(super) const SCALE: i128 = 1_000_000_000_000;

/// Returns a coefficient as a scaled integer. A coefficient that no fuel has (above 10²⁶) saturates.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    reason = "factors have far fewer digits than f64"
)]
pub(super) fn coefficient(value: f64) -> i128 {
    (value * SCALE as f64).round().clamp(-1e38, 1e38) as i128
}

/// Returns amount × coefficient, rounded once to the nearest integer, ties to even.
pub(super) const fn times(amount: i128, coefficient: i128) -> i128 {
    divide(amount.saturating_mul(coefficient), SCALE)
}

/// Returns a quotient rounded to the nearest integer, ties to even, for a positive divisor.
pub(super) const fn divide(dividend: i128, divisor: i128) -> i128 {
    let (whole, rest) = (dividend.div_euclid(divisor), dividend.rem_euclid(divisor));
    let twice = rest * 2;
    if twice > divisor || (twice == divisor && whole % 2 != 0) { whole + 1 } else { whole }
}

#[cfg(test)]
mod tests {
    use super::{coefficient, divide, times};

    #[test]
    fn a_half_goes_to_the_even_neighbour_on_both_sides_of_zero() {
        for (dividend, quotient) in [(5, 0), (15, 2), (25, 2), (26, 3), (-5, 0), (-15, -2), (-16, -2), (-24, -2)] {
            assert_eq!(divide(dividend, 10), quotient, "{dividend}");
        }
        assert_eq!(times(1_000_000, coefficient(0.000_002_5)), 2);
    }
}
