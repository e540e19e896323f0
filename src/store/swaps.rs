//! Swapped meters: what people said, which commit took it, and what became of it.

use std::collections::BTreeMap;
use std::path::Path;

use rusqlite::{Connection, ErrorCode, OptionalExtension, Row, params};

use super::connection::Place;
use super::error::StoreError;
use super::position;
use crate::model::id::TagName;
use crate::model::number::Number;
use crate::model::swap::{Swap, SwapOutcome};
use crate::model::time::Timestamp;

/// A swap with everything that was said of it.
#[derive(Debug, Clone, PartialEq)]
pub struct SwapRow {
    /// What the engine takes.
    pub swap: Swap,
    /// Serial number of the new meter.
    pub serial: Option<String>,
    /// Transformer ratio of the new meter, as told; the configuration is what counts.
    pub ratio: Option<f64>,
    /// Why.
    pub reason: String,
    /// Who said so.
    pub person: String,
    /// When it was said.
    pub told_at: Timestamp,
    /// The commit that took it; `None` while it waits.
    pub taken_by: Option<u64>,
    /// What became of it; `None` until that is known.
    pub outcome: Option<SwapOutcome>,
}

/// The place where people write swaps, beside a running box or without one.
#[derive(Debug)]
pub struct Swaps {
    connection: Connection,
}

impl Swaps {
    /// Opens the database in `dir`.
    ///
    /// # Errors
    /// [`StoreError::Io`] where there is none, [`StoreError::Older`] where this program has not opened it yet.
    pub fn open(dir: &Path) -> Result<Self, StoreError> {
        let connection = Place::Directory(dir.to_owned()).open_second_writer()?;
        let found: u32 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
        if found < 2 { Err(StoreError::Older { found, needed: 2 }) } else { Ok(Self { connection }) }
    }

    /// Writes down what was said; the number in [`Swap::id`] is ignored, and the one that counts is returned. Commit
    /// and outcome come from the box.
    ///
    /// # Errors
    /// [`StoreError::Contradiction`] where a swap of that tag and instant is written down already.
    pub fn tell(&mut self, row: &SwapRow) -> Result<i64, StoreError> {
        let SwapRow { swap, serial, ratio, reason, person, told_at, .. } = row;
        let told = self.connection.query_row(
            "INSERT INTO swaps (tag, at, old_final, new_initial, serial, ratio, reason, person, told_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) RETURNING id",
            params![
                swap.tag.as_str(),
                swap.at.0,
                text(swap.old_final),
                text(swap.new_initial),
                serial,
                ratio,
                reason,
                person,
                told_at.0
            ],
            |row| row.get(0),
        );
        match told {
            Err(rusqlite::Error::SqliteFailure(error, _)) if error.code == ErrorCode::ConstraintViolation => {
                let message = format!("a swap of \"{}\" at {} is written down already", swap.tag, swap.at);
                Err(StoreError::Contradiction(message))
            }
            told => Ok(told?),
        }
    }

    /// Returns every swap, of one tag where it is named, by instant.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] where a row can't be read.
    pub fn list(&self, tag: Option<&TagName>) -> Result<Vec<SwapRow>, StoreError> {
        let mut statement = self.connection.prepare(
            "SELECT id, tag, at, old_final, new_initial, serial, ratio, reason, person, told_at, taken_by, outcome
             FROM swaps WHERE ?1 IS NULL OR tag = ?1 ORDER BY at, id",
        )?;
        let mut rows = statement.query([tag.map(TagName::as_str)])?;
        let mut swaps = Vec::new();
        while let Some(row) = rows.next()? {
            swaps.push(whole(row)?);
        }
        Ok(swaps)
    }
}

/// Returns the swaps that no commit has taken, in the order they were told.
pub(super) fn waiting(connection: &Connection) -> Result<Vec<Swap>, StoreError> {
    let mut statement = connection
        .prepare("SELECT id, tag, at, old_final, new_initial FROM swaps WHERE taken_by IS NULL ORDER BY id")?;
    let mut rows = statement.query([])?;
    let mut swaps = Vec::new();
    while let Some(row) = rows.next()? {
        swaps.push(read(row)?);
    }
    Ok(swaps)
}

/// Returns the swaps that the commits of `first..=last` took, by commit, in the order they were told.
pub(super) fn taken(connection: &Connection, first: u64, last: u64) -> Result<BTreeMap<u64, Vec<Swap>>, StoreError> {
    let mut statement = connection.prepare(
        "SELECT id, tag, at, old_final, new_initial, taken_by FROM swaps WHERE taken_by BETWEEN ?1 AND ?2 ORDER BY id",
    )?;
    let mut rows = statement.query([position(first), position(last)])?;
    let mut swaps: BTreeMap<u64, Vec<Swap>> = BTreeMap::new();
    while let Some(row) = rows.next()? {
        swaps.entry(row.get::<_, i64>(5)?.unsigned_abs()).or_default().push(read(row)?);
    }
    Ok(swaps)
}

/// Notes which commit took which swaps, and what became of some.
pub(super) fn note(
    connection: &Connection,
    seq: u64,
    taken: &[Swap],
    outcomes: &[(i64, SwapOutcome)],
) -> Result<(), StoreError> {
    for swap in taken {
        connection.execute("UPDATE swaps SET taken_by = ?2 WHERE id = ?1", params![swap.id, position(seq)])?;
    }
    for (id, outcome) in outcomes {
        connection.execute("UPDATE swaps SET outcome = ?2 WHERE id = ?1", params![id, outcome.as_str()])?;
    }
    Ok(())
}

fn read(row: &Row<'_>) -> Result<Swap, StoreError> {
    let reading = |column: usize| -> Result<Number, StoreError> {
        let text: String = row.get(column)?;
        number(&text).ok_or_else(|| StoreError::Damaged(format!("a swap's reading \"{text}\"")))
    };
    let tag: String = row.get(1)?;
    Ok(Swap {
        id: row.get(0)?,
        tag: TagName::new(&tag).map_err(|error| StoreError::Damaged(error.to_string()))?,
        at: Timestamp(row.get(2)?),
        old_final: reading(3)?,
        new_initial: reading(4)?,
    })
}

fn whole(row: &Row<'_>) -> Result<SwapRow, StoreError> {
    let outcome: Option<String> = row.get(11)?;
    let known = |name: String| {
        SwapOutcome::from_name(&name).ok_or_else(|| StoreError::Damaged(format!("a swap's outcome \"{name}\"")))
    };
    Ok(SwapRow {
        swap: read(row)?,
        serial: row.get(5)?,
        ratio: row.get(6)?,
        reason: row.get(7)?,
        person: row.get(8)?,
        told_at: Timestamp(row.get(9)?),
        taken_by: row.get::<_, Option<i64>>(10).optional()?.flatten().map(i64::unsigned_abs),
        outcome: outcome.map(known).transpose()?,
    })
}

fn text(number: Number) -> String {
    match number {
        Number::Integer(value) => value.to_string(),
        Number::Float(value) => value.to_string(),
    }
}

fn number(text: &str) -> Option<Number> {
    match text.parse::<i128>() {
        Ok(value) => Some(Number::Integer(value)),
        Err(_) => text.parse().ok().and_then(Number::finite),
    }
}
