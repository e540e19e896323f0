//! Public holidays by date, with the days off that stand for holidays on a weekly day of rest.

use std::collections::BTreeMap;

use jiff::civil::Date;
use serde::Deserialize;

use super::{EntryRow, EntryValue, Grade, ReferenceError};
use crate::model::id::Digest;

/// What a date off is called and why it is one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holiday {
    /// Vietnamese name.
    pub name_vi: String,
    /// English name.
    pub name_en: String,
    /// The holiday this day stands for, where it isn't one itself.
    pub observed_for: Option<Date>,
    /// Where it was read.
    pub source: String,
    /// How surely it is known.
    pub grade: Grade,
    /// Digest of the file it was read from.
    pub version: Digest,
}

/// Returns a set's days as people list them, ascending; the id of one is the set and the date.
pub(super) fn rows(set: &str, days: &BTreeMap<Date, Holiday>) -> Vec<EntryRow> {
    let row = |(date, day): (&Date, &Holiday)| {
        let mut values = vec![EntryValue::text("name_en", &day.name_en), EntryValue::text("name_vi", &day.name_vi)];
        values.extend(day.observed_for.map(|holiday| EntryValue::text("observed_for", holiday.to_string())));
        EntryRow {
            kind: "holiday",
            id: format!("{set}_{date}"),
            values,
            source: day.source.clone(),
            valid_from: Some(*date),
            published: None,
            grade: day.grade,
            version: day.version,
        }
    };
    days.iter().map(row).collect()
}

/// `[[holiday]]` of a data file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Entry {
    name_vi: String,
    name_en: String,
    dates: Vec<Date>,
    /// Day off → the holiday it stands for, which must be one of `dates`.
    #[serde(default)]
    observed: BTreeMap<Date, Date>,
    source: String,
    grade: Grade,
}

/// Adds every date of an entry.
pub(super) fn insert(
    days: &mut BTreeMap<Date, Holiday>,
    entry: Entry,
    file: &str,
    version: Digest,
) -> Result<(), ReferenceError> {
    let refuse = |date: Date, message: String| ReferenceError::Holiday { file: file.to_owned(), date, message };
    if let Some((day, holiday)) = entry.observed.iter().find(|(_, holiday)| !entry.dates.contains(holiday)) {
        return Err(refuse(*day, format!("stands for {holiday}, which is none of the dates of \"{}\"", entry.name_en)));
    }
    let own = entry.dates.iter().map(|date| (*date, None));
    for (date, observed_for) in own.chain(entry.observed.iter().map(|(day, holiday)| (*day, Some(*holiday)))) {
        let holiday = Holiday {
            name_vi: entry.name_vi.clone(),
            name_en: entry.name_en.clone(),
            observed_for,
            source: entry.source.clone(),
            grade: entry.grade,
            version,
        };
        if let Some(other) = days.insert(date, holiday) {
            return Err(refuse(date, format!("is \"{}\" already", other.name_en)));
        }
    }
    Ok(())
}
