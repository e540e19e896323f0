//! One dated value: what every kind of entry has in common.

use std::collections::BTreeMap;

use jiff::civil::Date;

use super::{EntryRow, EntryValue, Grade, ReferenceError};
use crate::model::id::Digest;
use crate::model::record::FactorRef;

/// A value with where it comes from.
#[derive(Debug, Clone, PartialEq)]
pub struct Dated {
    /// **Unit**: that of its kind.
    pub value: f64,
    /// What a figure names when it rests on it; the year is that of `valid_from`.
    pub factor: FactorRef,
    /// Where it was read.
    pub source: String,
    /// The first day on which it counts.
    pub valid_from: Date,
    /// When it was published; `None` where that isn't known.
    pub published: Option<Date>,
    /// How surely it is known.
    pub grade: Grade,
}

impl Dated {
    /// Returns it as people list it: what it is looked up by, then its value.
    pub(super) fn row(&self, kind: &'static str, mut values: Vec<EntryValue>, unit: &str) -> EntryRow {
        values.push(EntryValue::number("value", self.value, unit));
        EntryRow {
            kind,
            id: self.factor.id.clone(),
            values,
            source: self.source.clone(),
            valid_from: Some(self.valid_from),
            published: self.published,
            grade: self.grade,
            version: self.factor.version,
        }
    }
}

/// Values of one key by the day from which they count; a later one takes the place of the one before.
pub(super) type History = BTreeMap<Date, Dated>;

/// Returns the value that counts on a day.
pub(super) fn on(history: &History, day: Date) -> Option<&Dated> {
    history.range(..=day).next_back().map(|(_, value)| value)
}

/// What an entry has beside its key and value.
pub(super) struct Said {
    pub(super) id: String,
    pub(super) unit: String,
    pub(super) source: String,
    pub(super) valid_from: Date,
    pub(super) published: Option<Date>,
    pub(super) grade: Grade,
}

/// The file that is being read.
#[derive(Clone, Copy)]
pub(super) struct Origin<'a> {
    pub(super) file: &'a str,
    pub(super) version: Digest,
}

impl Origin<'_> {
    /// Returns an entry whose unit is the one that is understood and whose value is positive.
    ///
    /// # Errors
    /// [`ReferenceError::Factor`].
    pub(super) fn dated(&self, said: Said, value: f64, expected: &'static str) -> Result<Dated, ReferenceError> {
        let Said { id, unit, source, valid_from, published, grade } = said;
        if unit != expected || !value.is_finite() || value <= 0.0 {
            return Err(ReferenceError::Factor { file: self.file.to_owned(), id, value, unit, expected });
        }
        let factor = FactorRef { id, version: self.version, year: valid_from.year() };
        Ok(Dated { value, factor, source, valid_from, published, grade })
    }

    /// Adds a value to the history of its key.
    ///
    /// # Errors
    /// [`ReferenceError::Entry`] where the key has one from that day already.
    pub(super) fn insert(&self, history: &mut History, value: Dated) -> Result<(), ReferenceError> {
        if let Some(other) = history.get(&value.valid_from) {
            let message = format!("is for the same key and day as \"{}\"", other.factor.id);
            return Err(self.refuse(&value.factor.id, message));
        }
        history.insert(value.valid_from, value);
        Ok(())
    }

    pub(super) fn refuse(&self, id: &str, message: String) -> ReferenceError {
        ReferenceError::Entry { file: self.file.to_owned(), id: id.to_owned(), message }
    }
}
