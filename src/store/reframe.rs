//! Compacted commits of which chunks or frames are gone: what is left of their samples stays in the journal.
//!
//! The journal wants every sample of a commit in its place. Where some are gone the others close up, within their
//! batches where the frames are known, else as one batch of their commit.

use std::collections::BTreeMap;

use rusqlite::{Connection, params};

use super::chunk::{self, Encoder};
use super::compact::SPAN_COMMITS;
use super::error::StoreError;
use super::journal::{COMPACTED_THROUGH, meta};
use super::retain::REMOVED_THROUGH;
use super::span::{self, BatchFrame, Frame};
use super::{position, stored};

/// Makes every compacted commit readable.
pub(super) fn reframe(connection: &Connection) -> Result<(), StoreError> {
    let mut next = meta(connection, REMOVED_THROUGH)? + 1;
    let through = meta(connection, COMPACTED_THROUGH)?;
    let mut statement = connection.prepare("SELECT first_seq, last_seq, frame FROM spans ORDER BY first_seq")?;
    let rows = statement.query_map([], |row| {
        Ok((row.get::<_, i64>(0)?.unsigned_abs(), row.get::<_, i64>(1)?.unsigned_abs(), row.get::<_, Vec<u8>>(2)?))
    })?;
    let spans: Vec<(u64, u64, Vec<u8>)> = rows.collect::<Result<_, _>>()?;
    let mut before = Frame { now: 0, config: 1, batches: Vec::new() };
    for (first, last, frame) in spans {
        let frames = span::decode(&frame)?;
        if let Some(frame) = frames.first().filter(|_| before.now == 0) {
            before = Frame { batches: Vec::new(), ..frame.clone() };
        }
        fill(connection, next, first, &before)?;
        next = last + 1;
        if let Some(frame) = frames.last() {
            before = Frame { batches: Vec::new(), ..frame.clone() };
        }
        let is_long_enough = frames.len() as u64 == last + 1 - first;
        if is_long_enough && stored::compacted(connection, first, last).is_err() {
            close_up(connection, first, frames)?;
        }
    }
    fill(connection, next, through + 1, &before)
}

/// Makes spans for commits within `[next, end)` whose frames are gone.
fn fill(connection: &Connection, mut next: u64, end: u64, before: &Frame) -> Result<(), StoreError> {
    while next < end {
        let commits = usize::try_from(end - next).unwrap_or(usize::MAX).min(SPAN_COMMITS);
        close_up(connection, next, vec![before.clone(); commits])?;
        next += commits as u64;
    }
    Ok(())
}

/// Gives the samples that are left of consecutive commits places without gaps, and writes the span that says so.
fn close_up(connection: &Connection, first: u64, mut frames: Vec<Frame>) -> Result<(), StoreError> {
    let last = first + frames.len() as u64 - 1;
    let list = "SELECT id, columns FROM chunks WHERE last_seq >= ?1 AND first_seq <= ?2";
    let mut left: BTreeMap<u64, Vec<u32>> = BTreeMap::new();
    let mut statement = connection.prepare(list)?;
    let mut rows = statement.query([position(first), position(last)])?;
    let mut chunks: Vec<i64> = Vec::new();
    while let Some(row) = rows.next()? {
        chunks.push(row.get(0)?);
        for row in chunk::decode(row.get_ref(1)?.as_blob().map_err(rusqlite::Error::from)?)? {
            if (first..=last).contains(&row.seq) {
                left.entry(row.seq).or_default().push(row.position());
            }
        }
    }
    left.values_mut().for_each(|places| places.sort_unstable());
    for (seq, frame) in (first..).zip(&mut frames) {
        let places = left.get(&seq).map_or(&[][..], Vec::as_slice);
        if frame.batches.is_empty() && !places.is_empty() {
            frame.batches.push(BatchFrame { source: 0, delivery: 0, received_at: frame.now, samples: u32::MAX });
        }
        let mut start = 0_u64;
        for batch in &mut frame.batches {
            let end = start + u64::from(batch.samples);
            let within = places.iter().filter(|place| (start..end).contains(&u64::from(**place))).count();
            batch.samples = u32::try_from(within).unwrap_or(u32::MAX);
            start = end;
        }
    }
    let mut encoder = Encoder::default();
    for id in chunks {
        let columns: Vec<u8> =
            connection.query_row("SELECT columns FROM chunks WHERE id = ?1", [id], |row| row.get(0))?;
        let mut rows = chunk::decode(&columns)?;
        for row in rows.iter_mut().filter(|row| (first..=last).contains(&row.seq)) {
            let places = left.get(&row.seq).map_or(&[][..], Vec::as_slice);
            let place = places.partition_point(|place| *place < row.position());
            let place = u32::try_from(place).unwrap_or(u32::MAX);
            let frame = usize::try_from(row.seq - first).ok().and_then(|at| frames.get(at));
            let mut before = 0;
            for batch in frame.map_or(&[][..], |frame| &frame.batches) {
                if place < before + batch.samples {
                    break;
                }
                before += batch.samples;
            }
            (row.before, row.place) = (before, place - before);
        }
        connection.execute("UPDATE chunks SET columns = ?2 WHERE id = ?1", params![id, encoder.encode(&rows)])?;
    }
    connection.execute(
        "INSERT OR REPLACE INTO spans (first_seq, last_seq, frame) VALUES (?1, ?2, ?3)",
        params![position(first), position(last), span::encode(&frames)],
    )?;
    Ok(())
}
