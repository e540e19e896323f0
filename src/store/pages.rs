//! Signed pages, byte for byte, and the end of each stream.

use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension, Params, Row, params};

use super::egress::{self, EgressFilter, Place};
use super::error::StoreError;
use super::position;
use crate::ledger::page::{Head, PageKind, SignedPage};
use crate::model::id::{Digest, GatewayId, StreamName};
use crate::model::time::Timestamp;

const COLUMNS: &str = "gateway, stream, epoch, seq, prev, hash, policy, bytes, jws, kind";

/// Appends pages, each of which must continue its stream.
pub(super) fn append(connection: &Connection, now: Timestamp, pages: &[SignedPage]) -> Result<(), StoreError> {
    for page in pages {
        let head = head(connection, &page.stream)?;
        if !continues(page, head) {
            return Err(StoreError::Contradiction(format!(
                "page {}/{} of stream \"{}\" doesn't continue it: its head is {}",
                page.epoch,
                page.seq,
                page.stream,
                head.map_or("empty".to_owned(), |head| format!("{}/{} {}", head.epoch, head.seq, head.hash)),
            )));
        }
        insert(connection, now, page)?;
    }
    Ok(())
}

/// Says whether a page follows `head`: the next number over the head's hash, or number 1 of a later epoch.
fn continues(page: &SignedPage, head: Option<Head>) -> bool {
    match head {
        Some(head) if page.epoch == head.epoch => page.seq == head.seq + 1 && page.prev == head.hash,
        Some(head) => page.epoch > head.epoch && page.seq == 1,
        None => page.seq == 1,
    }
}

fn insert(connection: &Connection, now: Timestamp, page: &SignedPage) -> Result<(), StoreError> {
    connection.execute(
        &format!("INSERT INTO pages ({COLUMNS}, created_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)"),
        params![
            page.gateway.as_str(),
            page.stream.as_str(),
            page.epoch,
            position(page.seq),
            page.prev.0,
            page.hash.0,
            page.policy.0,
            page.bytes,
            page.jws,
            kind_code(page.kind),
            now.0,
        ],
    )?;
    connection.execute(
        "INSERT INTO streams (stream, epoch, seq, hash, policy, pages) VALUES (?1, ?2, ?3, ?4, ?5, 1)
         ON CONFLICT (stream) DO UPDATE SET epoch = excluded.epoch, seq = excluded.seq, hash = excluded.hash,
             policy = excluded.policy, pages = pages + 1",
        params![page.stream.as_str(), page.epoch, position(page.seq), page.hash.0, page.policy.0],
    )?;
    Ok(())
}

/// Returns the pages of one epoch with a number above `seq`, ascending.
pub(super) fn after(
    connection: &Connection,
    stream: &StreamName,
    epoch: u32,
    seq: u64,
    limit: usize,
) -> Result<Vec<SignedPage>, StoreError> {
    select(
        connection,
        "stream = ?1 AND epoch = ?2 AND seq > ?3 ORDER BY seq LIMIT ?4",
        params![stream.as_str(), epoch, position(seq), position(limit as u64)],
    )
}

/// Returns one page.
pub(super) fn one(
    connection: &Connection,
    stream: &StreamName,
    epoch: u32,
    seq: u64,
) -> Result<Option<SignedPage>, StoreError> {
    let found =
        select(connection, "stream = ?1 AND epoch = ?2 AND seq = ?3", params![stream.as_str(), epoch, position(seq)])?;
    Ok(found.into_iter().next())
}

/// Returns pages of all streams by the order in which they were cut, with their rows.
pub(super) fn listed(
    connection: &Connection,
    filter: &EgressFilter,
    from: Place,
    limit: usize,
) -> Result<Vec<(u64, SignedPage)>, StoreError> {
    let (beyond, order) = from.sql();
    let conditions = egress::conditions("stream", "created_at");
    let sql = format!("SELECT {COLUMNS}, id FROM pages WHERE {beyond} AND {conditions} ORDER BY {order} LIMIT ?5");
    egress::listed(connection, &sql, filter, from, limit, |row| {
        Ok((row.get::<_, i64>(10)?.unsigned_abs(), page_of(row)?))
    })
}

/// Returns the last policy page of a stream, with its row; `None` where there is none.
pub(super) fn policy_page(
    connection: &Connection,
    stream: &StreamName,
) -> Result<Option<(u64, SignedPage)>, StoreError> {
    // `kind > 0` is what the index is over.
    let sql = format!(
        "SELECT {COLUMNS}, id FROM pages WHERE stream = ?1 AND kind > 0 AND kind = ?2
         ORDER BY id DESC LIMIT 1"
    );
    let mut statement = connection.prepare(&sql)?;
    let mut rows = statement.query(params![stream.as_str(), kind_code(PageKind::Policy)])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    Ok(Some((row.get::<_, i64>(10)?.unsigned_abs(), page_of(row)?)))
}

/// Returns the newest page of each stream.
pub(super) fn heads(connection: &Connection) -> Result<BTreeMap<StreamName, Head>, StoreError> {
    let mut statement = connection.prepare("SELECT epoch, seq, hash, policy, stream FROM streams")?;
    let mut rows = statement.query([])?;
    let mut heads = BTreeMap::new();
    while let Some(row) = rows.next()? {
        heads.insert(identifier(row, 4, StreamName::new)?, head_of(row)?);
    }
    Ok(heads)
}

/// Returns how many pages all streams have.
pub(super) fn count(connection: &Connection) -> Result<u64, StoreError> {
    let pages: Option<i64> = connection.query_row("SELECT sum(pages) FROM streams", [], |row| row.get(0))?;
    Ok(pages.unwrap_or(0).unsigned_abs())
}

/// Returns the newest page of a stream.
pub(super) fn head(connection: &Connection, stream: &StreamName) -> Result<Option<Head>, StoreError> {
    let head = connection
        .query_row("SELECT epoch, seq, hash, policy FROM streams WHERE stream = ?1", [stream.as_str()], head_of)
        .optional()?;
    Ok(head)
}

fn head_of(row: &Row<'_>) -> rusqlite::Result<Head> {
    Ok(Head {
        epoch: row.get(0)?,
        seq: row.get::<_, i64>(1)?.unsigned_abs(),
        hash: Digest(row.get(2)?),
        policy: Digest(row.get(3)?),
    })
}

fn select(connection: &Connection, condition: &str, parameters: impl Params) -> Result<Vec<SignedPage>, StoreError> {
    let mut statement = connection.prepare(&format!("SELECT {COLUMNS} FROM pages WHERE {condition}"))?;
    let mut rows = statement.query(parameters)?;
    let mut pages = Vec::new();
    while let Some(row) = rows.next()? {
        pages.push(page_of(row)?);
    }
    Ok(pages)
}

/// Returns the last key page of a stream; `None` where its key was never changed.
pub(super) fn key_page(connection: &Connection, stream: &StreamName) -> Result<Option<SignedPage>, StoreError> {
    let found = select(
        connection,
        "stream = ?1 AND kind > 0 AND kind = ?2 ORDER BY id DESC LIMIT 1",
        params![stream.as_str(), kind_code(PageKind::Key)],
    )?;
    Ok(found.into_iter().next())
}

/// The number under which the kind of a page is kept.
const fn kind_code(kind: PageKind) -> i64 {
    match kind {
        PageKind::Records => 0,
        PageKind::Policy => 1,
        PageKind::Key => 2,
    }
}

fn kind_of(code: i64) -> Option<PageKind> {
    [PageKind::Records, PageKind::Policy, PageKind::Key].into_iter().find(|kind| kind_code(*kind) == code)
}

fn page_of(row: &Row<'_>) -> Result<SignedPage, StoreError> {
    let kind: i64 = row.get(9)?;
    Ok(SignedPage {
        kind: kind_of(kind).ok_or_else(|| StoreError::Damaged(format!("a page's kind {kind}")))?,
        gateway: identifier(row, 0, GatewayId::new)?,
        stream: identifier(row, 1, StreamName::new)?,
        epoch: row.get(2)?,
        seq: row.get::<_, i64>(3)?.unsigned_abs(),
        prev: Digest(row.get(4)?),
        hash: Digest(row.get(5)?),
        policy: Digest(row.get(6)?),
        bytes: row.get(7)?,
        jws: row.get(8)?,
    })
}

fn identifier<T, E: std::fmt::Display>(
    row: &Row<'_>,
    column: usize,
    parse: impl Fn(&str) -> Result<T, E>,
) -> Result<T, StoreError> {
    let text = row.get_ref(column)?.as_str().map_err(rusqlite::Error::from)?;
    parse(text).map_err(|error| StoreError::Damaged(error.to_string()))
}
