//! Emission factors of the electricity grid, by the calendar year they are published for.

use std::collections::BTreeMap;

use jiff::civil::Date;
use serde::Deserialize;

use super::{EntryRow, EntryValue, Grade, ReferenceError};
use crate::model::id::Digest;
use crate::model::record::FactorRef;

/// The one unit a factor is written in.
const UNIT: &str = "tCO2e/MWh";

/// One year's emission factor of the grid.
#[derive(Debug, Clone, PartialEq)]
pub struct GridFactor {
    /// **Unit**: tonnes of CO₂ equivalent per megawatt-hour.
    pub tco2e_per_mwh: f64,
    /// What a figure names when it rests on this factor.
    pub factor: FactorRef,
    /// Where it was read.
    pub source: String,
    /// When it was published; `None` where that couldn't be confirmed.
    pub published: Option<Date>,
    /// How surely it is known.
    pub grade: Grade,
}

impl GridFactor {
    /// Returns it as people list it. It counts from the first day of its year.
    pub(super) fn row(&self) -> EntryRow {
        EntryRow {
            kind: "grid_factor",
            id: self.factor.id.clone(),
            values: vec![EntryValue::number("value", self.tco2e_per_mwh, UNIT)],
            source: self.source.clone(),
            valid_from: Date::new(self.factor.year, 1, 1).ok(),
            published: self.published,
            grade: self.grade,
            version: self.factor.version,
        }
    }
}

/// `[[grid_factor]]` of a data file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Entry {
    id: String,
    year: i16,
    value: f64,
    unit: String,
    source: String,
    published: Option<Date>,
    grade: Grade,
}

/// Adds an entry under its year.
pub(super) fn insert(
    factors: &mut BTreeMap<i16, GridFactor>,
    entry: Entry,
    file: &str,
    version: Digest,
) -> Result<(), ReferenceError> {
    let Entry { id, year, value, unit, source, published, grade } = entry;
    let file = file.to_owned();
    if unit != UNIT || !value.is_finite() || value <= 0.0 {
        return Err(ReferenceError::Factor { file, id, value, unit, expected: UNIT });
    }
    if let Some(other) = factors.get(&year) {
        return Err(ReferenceError::Year { file, id, other: other.factor.id.clone(), year });
    }
    let factor = FactorRef { id, version, year };
    factors.insert(year, GridFactor { tco2e_per_mwh: value, factor, source, published, grade });
    Ok(())
}
