//! Facts by asset and minute.

use rusqlite::{Connection, params};

use super::error::StoreError;
use crate::model::fact::{FactRow, Facts};
use crate::model::id::AssetId;
use crate::model::time::Timestamp;

/// Writes closed minutes; a row that is there already is replaced.
pub(super) fn replace(connection: &Connection, rows: &[FactRow]) -> Result<(), StoreError> {
    if rows.is_empty() {
        return Ok(());
    }
    let mut upsert = prepare_upsert(connection)?;
    for row in rows {
        upsert.execute(params![row.asset.as_str(), row.minute.0, row.facts.to_bytes()])?;
    }
    Ok(())
}

/// Returns an asset's facts by minute within `[from, to)`, ascending.
pub(super) fn read(
    connection: &Connection,
    asset: &AssetId,
    from: Timestamp,
    to: Timestamp,
) -> Result<Vec<(Timestamp, Facts)>, StoreError> {
    let mut select = connection
        .prepare("SELECT minute, facts FROM facts WHERE asset = ?1 AND minute >= ?2 AND minute < ?3 ORDER BY minute")?;
    let mut rows = select.query(params![asset.as_str(), from.0, to.0])?;
    let mut facts = Vec::new();
    while let Some(row) = rows.next()? {
        let minute = Timestamp(row.get(0)?);
        facts
            .push((minute, decode(row.get_ref(1)?.as_blob().map_err(rusqlite::Error::from)?, asset.as_str(), minute)?));
    }
    Ok(facts)
}

/// Returns the newest minute that has facts.
pub(super) fn latest_minute(connection: &Connection, asset: &AssetId) -> Result<Option<Timestamp>, StoreError> {
    let minute: Option<i64> =
        connection.query_row("SELECT max(minute) FROM facts WHERE asset = ?1", [asset.as_str()], |row| row.get(0))?;
    Ok(minute.map(Timestamp))
}

fn prepare_upsert(connection: &Connection) -> Result<rusqlite::Statement<'_>, StoreError> {
    Ok(connection.prepare(
        "INSERT INTO facts (asset, minute, facts) VALUES (?1, ?2, ?3)
         ON CONFLICT (asset, minute) DO UPDATE SET facts = excluded.facts",
    )?)
}

fn decode(bytes: &[u8], asset: &str, minute: Timestamp) -> Result<Facts, StoreError> {
    Facts::from_bytes(bytes).ok_or_else(|| StoreError::Damaged(format!("facts of \"{asset}\" at {minute}")))
}
