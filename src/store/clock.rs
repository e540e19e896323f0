//! When the state of the box's clock changed: one row a change, named by the commit that brought it.

use rusqlite::{Connection, OptionalExtension, params};

use super::error::StoreError;
use super::position;
use crate::model::record::ClockState;
use crate::model::time::Timestamp;

/// Changes that are read, the newest: an open window is younger.
const CHANGES_MAX: u32 = 10_000;

/// Writes down that the clock has this state from commit `seq` on, whose plant time is `at`.
pub(super) fn note(connection: &Connection, seq: u64, at: Timestamp, state: ClockState) -> Result<(), StoreError> {
    connection.execute(
        "INSERT INTO clock_states (from_seq, at, state) VALUES (?1, ?2, ?3)",
        params![position(seq), at.0, state.code()],
    )?;
    Ok(())
}

/// Returns the newest state; `None` before the first.
pub(super) fn newest(connection: &Connection) -> Result<Option<ClockState>, StoreError> {
    let code: Option<u8> = connection
        .query_row("SELECT state FROM clock_states ORDER BY from_seq DESC LIMIT 1", [], |row| row.get(0))
        .optional()?;
    code.map(state_of).transpose()
}

/// Returns the newest changes, ascending.
pub(super) fn history(connection: &Connection) -> Result<Vec<(Timestamp, ClockState)>, StoreError> {
    let mut statement = connection.prepare("SELECT at, state FROM clock_states ORDER BY from_seq DESC LIMIT ?1")?;
    let rows = statement.query_map([CHANGES_MAX], |row| Ok((Timestamp(row.get(0)?), row.get(1)?)))?;
    let mut changes = rows
        .map(|row| row.map_err(StoreError::from).and_then(|(at, code)| Ok((at, state_of(code)?))))
        .collect::<Result<Vec<_>, _>>()?;
    changes.reverse();
    Ok(changes)
}

/// Returns the state of the clock at commit `first` and its changes up to commit `last`, ascending by the commit that
/// brought it.
pub(super) fn between(connection: &Connection, first: u64, last: u64) -> Result<Vec<(u64, ClockState)>, StoreError> {
    let mut statement = connection.prepare(
        "SELECT from_seq, state FROM clock_states WHERE from_seq <= ?2
         AND from_seq >= coalesce((SELECT max(from_seq) FROM clock_states WHERE from_seq <= ?1), 0) ORDER BY from_seq",
    )?;
    let rows = statement.query_map(params![position(first), position(last)], |row| {
        Ok((row.get::<_, i64>(0)?.unsigned_abs(), row.get(1)?))
    })?;
    rows.map(|row| row.map_err(StoreError::from).and_then(|(seq, code)| Ok((seq, state_of(code)?)))).collect()
}

fn state_of(code: u8) -> Result<ClockState, StoreError> {
    ClockState::from_code(code).ok_or_else(|| StoreError::Damaged(format!("clock state {code}, which isn't one")))
}
