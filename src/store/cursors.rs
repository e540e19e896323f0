//! How far each sink has come, and what its destination refused.

use std::collections::BTreeMap;
use std::path::Path;

use jiff::civil::Date;
use rusqlite::{Connection, OptionalExtension, params};

use super::connection::Place;
use super::error::StoreError;
use super::position;
use crate::model::time::Timestamp;

/// The sinks' places, on a connection of their own beside the committing one. Writes wait for a running commit up
/// to [`super::BUSY_TIMEOUT`].
#[derive(Debug)]
pub struct Cursors {
    pub(super) connection: Connection,
}

/// What a destination refused for good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Undeliverable {
    /// The log number or page number that was sent.
    pub position: u64,
    /// What was refused, as a record's or a page's name.
    pub what: String,
    /// The destination's words.
    pub reason: String,
    /// When it was first refused.
    pub at: Timestamp,
}

impl Cursors {
    /// Opens the cursors of an existing database.
    ///
    /// # Errors
    /// [`StoreError::Io`] where there is none: the [`super::Store`] is opened first.
    pub fn open(dir: &Path) -> Result<Self, StoreError> {
        Self::at(&Place::Directory(dir.to_owned()))
    }

    pub(super) fn at(place: &Place) -> Result<Self, StoreError> {
        Ok(Self { connection: place.open_second_writer()? })
    }

    /// Returns a sink's position, 0 before the first.
    ///
    /// # Errors
    /// Those of a read.
    pub fn get(&self, sink: &str) -> Result<u64, StoreError> {
        position_of(&self.connection, sink)
    }

    /// Sets a sink's position, backwards too.
    ///
    /// # Errors
    /// [`StoreError::decision`] says whether to try again; sending again from the old position does no harm.
    pub fn set(&self, sink: &str, to: u64) -> Result<(), StoreError> {
        set(&self.connection, sink, to)
    }

    /// Adds to what a sink's exchanges cost on a day.
    ///
    /// # Errors
    /// [`StoreError::decision`] says whether to try again.
    pub fn spend(&self, sink: &str, day: Date, bytes: u64) -> Result<(), StoreError> {
        self.connection.execute(
            "INSERT INTO spent (sink, day, bytes) VALUES (?1, ?2, ?3)
             ON CONFLICT (sink, day) DO UPDATE SET bytes = bytes + excluded.bytes",
            params![sink, day.to_string(), position(bytes)],
        )?;
        Ok(())
    }

    /// Returns what a sink's exchanges cost on the days from `first` to `last`, both included. **Unit**: bytes.
    ///
    /// # Errors
    /// Those of a read.
    pub fn spent(&self, sink: &str, first: Date, last: Date) -> Result<u64, StoreError> {
        let bytes: i64 = self.connection.query_row(
            "SELECT coalesce(sum(bytes), 0) FROM spent WHERE sink = ?1 AND day BETWEEN ?2 AND ?3",
            params![sink, first.to_string(), last.to_string()],
            |row| row.get(0),
        )?;
        Ok(bytes.unsigned_abs())
    }

    /// Keeps what a destination refused. The same thing at the same position is kept once, with its first reason.
    ///
    /// # Errors
    /// [`StoreError::decision`] says whether to try again.
    pub fn undeliverable(
        &self,
        sink: &str,
        at_position: u64,
        what: &str,
        reason: &str,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.connection.execute(
            "INSERT INTO undeliverable (sink, position, what, reason, at) VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT DO NOTHING",
            params![sink, position(at_position), what, reason, now.0],
        )?;
        Ok(())
    }
}

/// Returns the name of the cursor that says to which epoch a stream's cursor belongs. No sink's name holds a dot.
pub fn epoch_cursor(stream: &str) -> String {
    format!("{stream}.epoch")
}

/// Returns the name of the cursor that says how far an ended epoch of a stream was acknowledged.
pub fn reached_cursor(stream: &str, epoch: u64) -> String {
    format!("{stream}.reached-{epoch}")
}

/// Sets a sink's position.
pub(super) fn set(connection: &Connection, sink: &str, to: u64) -> Result<(), StoreError> {
    connection.execute(
        "INSERT INTO cursors (sink, position) VALUES (?1, ?2)
         ON CONFLICT (sink) DO UPDATE SET position = excluded.position",
        params![sink, position(to)],
    )?;
    Ok(())
}

/// Returns a sink's position, 0 before the first.
pub(super) fn position_of(connection: &Connection, sink: &str) -> Result<u64, StoreError> {
    let position: Option<i64> =
        connection.query_row("SELECT position FROM cursors WHERE sink = ?1", [sink], |row| row.get(0)).optional()?;
    Ok(position.unwrap_or(0).unsigned_abs())
}

/// Returns what a sink's destination refused, oldest position first.
pub(super) fn refused(connection: &Connection, sink: &str, limit: usize) -> Result<Vec<Undeliverable>, StoreError> {
    let mut statement = connection.prepare(
        "SELECT position, what, reason, at FROM undeliverable WHERE sink = ?1 ORDER BY position, what LIMIT ?2",
    )?;
    let rows = statement.query_map(params![sink, position(limit as u64)], |row| {
        Ok(Undeliverable {
            position: row.get::<_, i64>(0)?.unsigned_abs(),
            what: row.get(1)?,
            reason: row.get(2)?,
            at: Timestamp(row.get(3)?),
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Returns how many things each sink's destination refused.
pub(super) fn refused_counts(connection: &Connection) -> Result<BTreeMap<String, u64>, StoreError> {
    let mut statement = connection.prepare("SELECT sink, count(*) FROM undeliverable GROUP BY sink")?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get::<_, i64>(1)?.unsigned_abs())))?;
    Ok(rows.collect::<Result<_, _>>()?)
}
