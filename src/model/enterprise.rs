//! The enterprise registration number that identifies an enterprise towards government platforms.

use serde::{Deserialize, Deserializer, Serialize};

/// A registration number whose check digit holds.
///
/// **Shape**: 10 digits, or 10 digits, `-` and 3 digits for a dependent unit.
/// **Source**: Decision 20/2020/QD-TTg (the number as identifier); check digit `10 − (Σ dᵢ·wᵢ mod 11)`,
/// weights 31, 29, 23, 19, 17, 13, 7, 5, 3.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct EnterpriseNumber(String);

/// Why a text is no registration number.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidEnterpriseNumber {
    /// Wrong number of digits or another character.
    #[error("\"{0}\" is not an enterprise registration number: expected 10 digits, or 10 digits, \"-\" and 3 digits")]
    Form(String),
    /// The tenth digit does not fit the nine before it.
    #[error("the check digit of enterprise registration number \"{value}\" is {found}, expected {expected}")]
    CheckDigit {
        /// The number as given.
        value: String,
        /// Its tenth digit.
        found: u32,
        /// The digit that would fit; 10 means that no number with these nine digits exists.
        expected: u32,
    },
}

const WEIGHTS: [u32; 9] = [31, 29, 23, 19, 17, 13, 7, 5, 3];

impl EnterpriseNumber {
    /// Checks form and check digit.
    ///
    /// # Errors
    /// [`InvalidEnterpriseNumber`] says which of the two is wrong.
    pub fn new(text: &str) -> Result<Self, InvalidEnterpriseNumber> {
        let form = || InvalidEnterpriseNumber::Form(text.to_owned());
        let (number, unit) = text.split_once('-').map_or((text, None), |(number, unit)| (number, Some(unit)));
        let digits = |part: &str, length: usize| part.len() == length && part.bytes().all(|b| b.is_ascii_digit());
        if !digits(number, 10) || unit.is_some_and(|unit| !digits(unit, 3)) {
            return Err(form());
        }
        let mut values = number.chars().filter_map(|c| c.to_digit(10));
        let sum: u32 = WEIGHTS.iter().zip(values.by_ref()).map(|(weight, digit)| weight * digit).sum();
        let found = values.next().ok_or_else(form)?;
        let expected = 10 - sum % 11;
        if found == expected {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidEnterpriseNumber::CheckDigit { value: text.to_owned(), found, expected })
        }
    }

    /// Returns the number as given.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for EnterpriseNumber {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for EnterpriseNumber {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::new(&text).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::EnterpriseNumber;

    #[test]
    fn i1_two_real_numbers_hold_and_a_changed_digit_does_not() {
        for (number, holds) in [
            ("0104297034", true),
            ("0100109106", true),
            ("0104297035", false),
            ("0104297034-001", true),
            ("9900000016", true),
            ("010429703", false),
            ("0104297034-01", false),
        ] {
            assert_eq!(EnterpriseNumber::new(number).is_ok(), holds, "{number}");
        }
    }
}
