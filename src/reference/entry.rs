//! A reference entry of any kind, as people list, show and compare it.

use jiff::civil::Date;
use serde::Serialize;

use super::Grade;
use crate::model::id::Digest;

/// One entry of a data file. Each kind of entry turns into rows of this one shape.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct EntryRow {
    /// What it is about, as its table in the data file is named: `grid_factor`, `holiday`.
    pub kind: &'static str,
    /// Its id, unique within its file; records name it.
    pub id: String,
    /// What it says. Most entries have one value; a fuel has several.
    pub values: Vec<EntryValue>,
    /// Where it was read.
    pub source: String,
    /// The first day on which it counts; `None` where it isn't dated.
    pub valid_from: Option<Date>,
    /// When it was published; `None` where that couldn't be confirmed.
    pub published: Option<Date>,
    /// How surely it is known.
    pub grade: Grade,
    /// Digest of its file: the immutable version.
    pub version: Digest,
}

/// One value of an entry.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct EntryValue {
    /// What it is, like `value`, `ncv` or `co2`.
    pub name: &'static str,
    /// Number or text.
    pub value: Figure,
    /// Unit; empty for a text.
    pub unit: String,
}

/// A number or a text.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Figure {
    /// A number, in the unit beside it.
    Number(f64),
    /// A text, like a name or a band of hours.
    Text(String),
}

impl EntryValue {
    /// Makes a number with its unit.
    pub fn number(name: &'static str, value: f64, unit: impl Into<String>) -> Self {
        Self { name, value: Figure::Number(value), unit: unit.into() }
    }

    /// Makes a text.
    pub fn text(name: &'static str, value: impl Into<String>) -> Self {
        Self { name, value: Figure::Text(value.into()), unit: String::new() }
    }
}

impl std::fmt::Display for EntryValue {
    /// Shows the value with its unit, without its name.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.value {
            Figure::Number(number) if self.unit.is_empty() => write!(f, "{number}"),
            Figure::Number(number) => write!(f, "{number} {}", self.unit),
            Figure::Text(text) => f.write_str(text),
        }
    }
}
