//! How much of a log a destination has still to take.

use rusqlite::{Connection, OptionalExtension, params};

use super::error::StoreError;
use super::{journal, pages, position, records, span};
use crate::model::id::StreamName;
use crate::model::time::Timestamp;

/// What a destination takes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Log {
    /// Committed samples; a position is a commit.
    Samples,
    /// The record log.
    Records,
    /// The pages of one epoch of a stream.
    Pages(StreamName, u32),
}

/// What comes after a position of a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Backlog {
    /// The position.
    pub after: u64,
    /// The newest position of the log.
    pub through: u64,
    /// Of what lies between, as stored; an upper bound while retention has removed some of it. 0 of samples: what is
    /// staged of them says nothing of what a destination gets.
    pub bytes: u64,
    /// When the oldest of it was written, plant time; `None` where there is nothing, or it was written before such
    /// instants were kept.
    pub oldest: Option<Timestamp>,
}

impl Backlog {
    /// Returns how many positions it has.
    pub fn len(&self) -> u64 {
        self.through.saturating_sub(self.after)
    }

    /// Says whether everything was taken.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Returns what comes after a position. `before` is what the last look saw: only what has changed since is summed, so
/// that a backlog of a month is no work at each look.
pub(super) fn after(
    connection: &Connection,
    log: &Log,
    after: u64,
    before: Option<Backlog>,
) -> Result<Backlog, StoreError> {
    let through = newest(connection, log)?;
    if through <= after {
        return Ok(Backlog { after, through, bytes: 0, oldest: None });
    }
    let known = before.filter(|before| !before.is_empty() && before.through <= through && before.through > after);
    let bytes = match known {
        None => bytes(connection, log, after, through)?,
        Some(known) => {
            let with_new = known.bytes + bytes(connection, log, known.through, through)?;
            if after >= known.after {
                with_new.saturating_sub(bytes(connection, log, known.after, after)?)
            } else {
                with_new + bytes(connection, log, after, known.after)?
            }
        }
    };
    Ok(Backlog { after, through, bytes, oldest: oldest(connection, log, after)? })
}

fn newest(connection: &Connection, log: &Log) -> Result<u64, StoreError> {
    match log {
        Log::Samples => Ok(journal::newest(connection)?.0),
        Log::Records => records::count(connection),
        Log::Pages(stream, epoch) => {
            Ok(pages::head(connection, stream)?.filter(|head| head.epoch == *epoch).map_or(0, |head| head.seq))
        }
    }
}

/// Returns the stored size of what lies within `after < position <= through`.
fn bytes(connection: &Connection, log: &Log, after: u64, through: u64) -> Result<u64, StoreError> {
    if through <= after {
        return Ok(0);
    }
    // `octet_length` reads no value: it stands in the row's header.
    let bytes: Option<i64> = match log {
        Log::Samples => None,
        Log::Records => connection.query_row(
            "SELECT sum(octet_length(body)) FROM records WHERE log_seq > ?1 AND log_seq <= ?2",
            [position(after), position(through)],
            |row| row.get(0),
        )?,
        Log::Pages(stream, epoch) => connection.query_row(
            "SELECT sum(octet_length(bytes)) FROM pages WHERE stream = ?3 AND epoch = ?4 AND seq > ?1 AND seq <= ?2",
            params![position(after), position(through), stream.as_str(), epoch],
            |row| row.get(0),
        )?,
    };
    Ok(bytes.unwrap_or(0).unsigned_abs())
}

fn oldest(connection: &Connection, log: &Log, after: u64) -> Result<Option<Timestamp>, StoreError> {
    let at: Option<Option<i64>> = match log {
        Log::Samples => return oldest_commit(connection, after),
        Log::Records => connection.query_row(
            "SELECT committed_at FROM records WHERE log_seq > ?1 ORDER BY log_seq LIMIT 1",
            [position(after)],
            |row| row.get(0),
        ),
        Log::Pages(stream, epoch) => connection.query_row(
            "SELECT created_at FROM pages WHERE stream = ?2 AND epoch = ?3 AND seq > ?1 ORDER BY seq LIMIT 1",
            params![position(after), stream.as_str(), epoch],
            |row| row.get(0),
        ),
    }
    .optional()?;
    Ok(at.flatten().map(Timestamp))
}

/// Returns when the commit after a position was made, staged or compacted.
fn oldest_commit(connection: &Connection, after: u64) -> Result<Option<Timestamp>, StoreError> {
    let next = position(after + 1);
    let staged: Option<i64> =
        connection.query_row("SELECT now FROM commits WHERE seq = ?1", [next], |row| row.get(0)).optional()?;
    if let Some(staged) = staged {
        return Ok(Some(Timestamp(staged)));
    }
    let compacted: Option<(i64, Vec<u8>)> = connection
        .query_row(
            "SELECT first_seq, frame FROM spans WHERE last_seq >= ?1 ORDER BY first_seq LIMIT 1",
            [next],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .optional()?;
    let Some((first, frame)) = compacted else { return Ok(None) };
    let place = usize::try_from(next - first).unwrap_or(0);
    Ok(span::decode(&frame)?.get(place).map(|frame| Timestamp(frame.now)))
}
