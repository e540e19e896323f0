//! `[store]`: how much of the disk a box may use, and how long it keeps what.

use serde::{Deserialize, Deserializer};
use toml::Spanned;

use super::retain::Retention;
use crate::model::problem::Problems;

/// What the cap may not be below: samples on their way into chunks alone take some hundred MB.
const CAP_BYTES_MIN: u64 = 1 << 30;

/// Days of raw samples that Circular 10/2021/TT-BTNMT asks for.
const RAW_DAYS_ASKED: u32 = 60;

/// Below this, late data would find no samples to compute from.
const RAW_DAYS_MIN: u32 = 2;

/// A month may be corrected for 35 days, from the facts of all its minutes.
const FACTS_DAYS_MIN: u32 = 70;

/// The most that any kind is kept. **Unit**: days.
const DAYS_MAX: u32 = 36_500;

/// A size, written as a number and `MB`, `MiB`, `GB`, `GiB`, `TB` or `TiB`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ByteSize(pub u64);

const UNITS: [(&str, u64); 6] = [
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("TiB", 1 << 40),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("TB", 1_000_000_000_000),
];

impl<'de> Deserialize<'de> for ByteSize {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let size = UNITS.iter().find_map(|(unit, factor)| {
            let number = text.strip_suffix(unit)?.trim_end().parse::<u64>().ok()?;
            number.checked_mul(*factor)
        });
        let message = || {
            let said = format!("\"{text}\" is no size: write a whole number and a unit, like \"20GiB\"");
            serde::de::Error::custom(said)
        };
        size.map(Self).ok_or_else(message)
    }
}

/// `[store]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StoreConfig {
    /// What the database may hold.
    #[serde(default = "cap")]
    pub cap: Spanned<ByteSize>,
    /// Days that raw samples are kept.
    #[serde(default = "raw_days")]
    pub raw_days: Spanned<u32>,
    /// Days that the facts of minutes are kept.
    #[serde(default = "long_days")]
    pub facts_days: Spanned<u32>,
    /// Days that the log of exchanges is kept; of exchanges that carried samples only as long as those.
    #[serde(default = "long_days")]
    pub exchanges_days: Spanned<u32>,
}

fn cap() -> Spanned<ByteSize> {
    Spanned::new(0..0, ByteSize(20 << 30))
}

fn raw_days() -> Spanned<u32> {
    Spanned::new(0..0, RAW_DAYS_ASKED)
}

fn long_days() -> Spanned<u32> {
    // A year and a month: what a yearly report compares with.
    Spanned::new(0..0, 400)
}

impl Default for StoreConfig {
    fn default() -> Self {
        Self { cap: cap(), raw_days: raw_days(), facts_days: long_days(), exchanges_days: long_days() }
    }
}

impl StoreConfig {
    /// Refuses a cap and days that nothing could run with, and warns of less raw data than the circular asks for.
    pub fn check(&self, problems: &mut Problems) {
        if self.cap.get_ref().0 < CAP_BYTES_MIN {
            let message = "cap is below 1 GiB, which samples on their way into chunks may take alone";
            problems.error(self.cap.span(), message, "write at least \"1GiB\"");
        }
        let days = [
            ("raw_days", &self.raw_days, RAW_DAYS_MIN),
            ("facts_days", &self.facts_days, FACTS_DAYS_MIN),
            ("exchanges_days", &self.exchanges_days, 1),
        ];
        for (name, days, least) in days {
            if !(least..=DAYS_MAX).contains(days.get_ref()) {
                let message = format!("{name} is {}, which is not within {least} to {DAYS_MAX}", days.get_ref());
                problems.error(days.span(), message, format!("write a number of days from {least} on"));
            }
        }
        if (RAW_DAYS_MIN..RAW_DAYS_ASKED).contains(self.raw_days.get_ref()) {
            let message = format!("raw samples are kept for {} days", self.raw_days.get_ref());
            problems.warning(self.raw_days.span(), message, "Circular 10/2021/TT-BTNMT asks for 60 days of raw data");
        }
    }

    /// Returns what the store does by it. `record_sinks` are the cursors over the record log.
    pub fn retention(&self, record_sinks: Vec<String>) -> Retention {
        Retention {
            cap_bytes: self.cap.get_ref().0,
            raw_days: *self.raw_days.get_ref(),
            facts_days: *self.facts_days.get_ref(),
            exchanges_days: *self.exchanges_days.get_ref(),
            record_sinks,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Problems, StoreConfig};

    fn problems(text: &str) -> Vec<String> {
        let config: StoreConfig = toml::from_str(text).unwrap();
        let mut problems = Problems::default();
        config.check(&mut problems);
        problems.0.into_iter().map(|problem| problem.message).collect()
    }

    #[test]
    fn the_default_keeps_sixty_days_of_samples_within_twenty_gibibytes() {
        let config: StoreConfig = toml::from_str("").unwrap();
        assert_eq!((config.cap.get_ref().0, *config.raw_days.get_ref()), (20 << 30, 60));
        assert!(problems("").is_empty());
    }

    #[test]
    fn sizes_have_units_and_anything_else_is_refused() {
        for (text, bytes) in [("2GiB", 2 << 30), ("3 GB", 3_000_000_000), ("1TB", 1_000_000_000_000)] {
            let config: StoreConfig = toml::from_str(&format!("cap = \"{text}\"")).unwrap();
            assert_eq!(config.cap.get_ref().0, bytes);
        }
        for text in ["", "20", "GiB", "-1GiB", "1.5GiB", "99999999999TB", "20gib"] {
            let error = toml::from_str::<StoreConfig>(&format!("cap = \"{text}\"")).unwrap_err().to_string();
            assert!(error.contains("is no size"), "{error}");
        }
    }

    #[test]
    fn too_small_a_cap_too_few_days_and_less_than_the_circular_asks_for_are_said() {
        assert!(problems("cap = \"900MiB\"")[0].contains("below 1 GiB"));
        assert!(problems("raw_days = 1")[0].contains("raw_days is 1"));
        assert!(problems("facts_days = 69")[0].contains("not within 70"));
        assert!(problems("raw_days = 30")[0].contains("kept for 30 days"));
    }
}
