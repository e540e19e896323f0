//! Thresholds above which a facility must inventory its greenhouse gases.

use std::collections::BTreeMap;

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::dated::{Dated, History, Origin, Said, on};
use super::{EntryRow, EntryValue, Grade, ReferenceError};

/// What a threshold is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ThresholdOf {
    /// Scope 1 and scope 2. **Unit**: tCO₂e a calendar year.
    Ghg,
    /// Energy. **Unit**: TOE a calendar year.
    Toe,
}

impl ThresholdOf {
    /// Returns the name used in data files and JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ghg => "ghg",
            Self::Toe => "toe",
        }
    }

    /// Returns the unit of its value.
    pub const fn unit(self) -> &'static str {
        match self {
            Self::Ghg => "tCO2e",
            Self::Toe => "TOE",
        }
    }
}

/// All thresholds.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Thresholds {
    of: BTreeMap<ThresholdOf, History>,
}

impl Thresholds {
    /// Returns the threshold that counts on a day.
    pub fn on(&self, of: ThresholdOf, day: Date) -> Option<&Dated> {
        on(self.of.get(&of)?, day)
    }

    /// Returns every threshold as people list it.
    pub(super) fn rows(&self) -> impl Iterator<Item = EntryRow> {
        self.of.iter().flat_map(|(of, history)| {
            let keys = move || vec![EntryValue::text("of", of.as_str())];
            history.values().map(move |value| value.row("threshold", keys(), of.unit()))
        })
    }

    pub(super) fn insert(&mut self, entry: Entry, origin: Origin<'_>) -> Result<(), ReferenceError> {
        let Entry { id, of, value, unit, source, valid_from, published, grade } = entry;
        let dated = origin.dated(Said { id, unit, source, valid_from, published, grade }, value, of.unit())?;
        origin.insert(self.of.entry(of).or_default(), dated)
    }
}

/// `[[threshold]]` of a data file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Entry {
    id: String,
    of: ThresholdOf,
    value: f64,
    unit: String,
    source: String,
    valid_from: Date,
    published: Option<Date>,
    grade: Grade,
}

#[cfg(test)]
mod tests {
    use super::ThresholdOf;
    use crate::reference::Reference;

    #[test]
    fn the_decree_of_2022_has_both() {
        let reference = Reference::builtin();
        let on = |of, day: &str| reference.thresholds().on(of, day.parse().unwrap()).map(|entry| entry.value);
        assert_eq!(on(ThresholdOf::Ghg, "2026-01-01"), Some(3000.0));
        assert_eq!(on(ThresholdOf::Toe, "2026-01-01"), Some(1000.0));
        assert_eq!(on(ThresholdOf::Ghg, "2021-12-31"), None);
    }
}
