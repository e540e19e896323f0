//! The record log: complete, monotonic, never rewritten.

use rusqlite::{Connection, OptionalExtension, Params, Row, params};

use super::error::StoreError;
use super::position;
use crate::model::id::{AssetId, Digest};
use crate::model::record::WindowRecord;
use crate::model::time::{Grain, Timestamp};

/// Appends records; their log numbers continue without a gap.
pub(super) fn append(connection: &Connection, now: Timestamp, records: &[WindowRecord]) -> Result<(), StoreError> {
    if records.is_empty() {
        return Ok(());
    }
    let mut insert = connection.prepare(
        "INSERT INTO records (site, asset, grain, start, \"end\", revision, inputs_digest, body, committed_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
    )?;
    for record in records {
        let body = serde_json::to_string(record)
            .map_err(|error| StoreError::Contradiction(format!("{} can't be written: {error}", name(record))))?;
        let inserted = insert.execute(params![
            record.site.as_str(),
            record.asset.as_str(),
            record.grain.code(),
            record.window.start.0,
            record.window.end.0,
            record.revision,
            record.inputs_digest.0,
            body,
            now.0,
        ]);
        match inserted.map_err(StoreError::from) {
            Err(StoreError::Contradiction(_)) => {
                return Err(StoreError::Contradiction(format!("{} is already published", name(record))));
            }
            other => other?,
        };
    }
    Ok(())
}

/// Returns records with a log number above `log_seq`, ascending.
pub(super) fn after(
    connection: &Connection,
    log_seq: u64,
    limit: usize,
) -> Result<Vec<(u64, WindowRecord)>, StoreError> {
    select(
        connection,
        "SELECT log_seq, body FROM records WHERE log_seq > ?1 ORDER BY log_seq LIMIT ?2",
        params![position(log_seq), position(limit as u64)],
    )
}

/// Returns records whose window began within `[span.0, span.1)`, with a log number above `log_seq`, ascending.
pub(super) fn begun(
    connection: &Connection,
    span: (i64, i64),
    log_seq: u64,
    limit: usize,
) -> Result<Vec<(u64, WindowRecord)>, StoreError> {
    select(
        connection,
        "SELECT log_seq, body FROM records WHERE log_seq > ?1 AND start >= ?2 AND start < ?3 ORDER BY log_seq LIMIT ?4",
        params![position(log_seq), span.0, span.1, position(limit as u64)],
    )
}

/// Returns the newest revision of one window's record.
pub(super) fn newest(
    connection: &Connection,
    asset: &AssetId,
    grain: Grain,
    start: Timestamp,
) -> Result<Option<WindowRecord>, StoreError> {
    let found = select(
        connection,
        "SELECT log_seq, body FROM records WHERE asset = ?1 AND grain = ?2 AND start = ?3
         ORDER BY revision DESC LIMIT 1",
        params![asset.as_str(), grain.code(), start.0],
    )?;
    Ok(found.into_iter().next().map(|(_, record)| record))
}

/// Returns every revision of the windows that start within `[from, to)`, by start, then revision.
pub(super) fn revisions(
    connection: &Connection,
    asset: &AssetId,
    grain: Grain,
    from: Timestamp,
    to: Timestamp,
) -> Result<Vec<WindowRecord>, StoreError> {
    let found = select(
        connection,
        "SELECT log_seq, body FROM records WHERE asset = ?1 AND grain = ?2 AND start >= ?3 AND start < ?4
         ORDER BY start, revision",
        params![asset.as_str(), grain.code(), from.0, to.0],
    )?;
    Ok(found.into_iter().map(|(_, record)| record).collect())
}

/// Returns the records that rest on the inputs of this digest.
pub(super) fn by_inputs(connection: &Connection, digest: Digest) -> Result<Vec<WindowRecord>, StoreError> {
    let found =
        select(connection, "SELECT log_seq, body FROM records WHERE inputs_digest = ?1 ORDER BY log_seq", [digest.0])?;
    Ok(found.into_iter().map(|(_, record)| record).collect())
}

/// Returns the highest revision of one window's record.
pub(super) fn last_revision(
    connection: &Connection,
    asset: &AssetId,
    grain: Grain,
    start: Timestamp,
) -> Result<Option<u32>, StoreError> {
    let revision = connection
        .query_row(
            "SELECT max(revision) FROM records WHERE asset = ?1 AND grain = ?2 AND start = ?3",
            params![asset.as_str(), grain.code(), start.0],
            |row| row.get(0),
        )
        .optional()?;
    Ok(revision.flatten())
}

/// Returns the highest log number, which is also how many records there are.
pub(super) fn count(connection: &Connection) -> Result<u64, StoreError> {
    let highest: Option<i64> = connection.query_row("SELECT max(log_seq) FROM records", [], |row| row.get(0))?;
    Ok(highest.unwrap_or(0).unsigned_abs())
}

fn select(connection: &Connection, sql: &str, parameters: impl Params) -> Result<Vec<(u64, WindowRecord)>, StoreError> {
    let mut statement = connection.prepare(sql)?;
    let mut rows = statement.query(parameters)?;
    let mut records = Vec::new();
    while let Some(row) = rows.next()? {
        records.push(decode(row)?);
    }
    Ok(records)
}

fn decode(row: &Row<'_>) -> Result<(u64, WindowRecord), StoreError> {
    let log_seq = row.get::<_, i64>(0)?.unsigned_abs();
    let body = row.get_ref(1)?.as_str().map_err(rusqlite::Error::from)?;
    serde_json::from_str(body)
        .map(|record| (log_seq, record))
        .map_err(|error| StoreError::Damaged(format!("record {log_seq}: {error}")))
}

fn name(record: &WindowRecord) -> String {
    format!(
        "record of \"{}/{}\", {} from {}, revision {}",
        record.site, record.asset, record.grain, record.window.start, record.revision
    )
}
