//! Samples by their instants: what the engine reads again where something came late.
//!
//! Only what was committed up to a given commit counts, so that a replay of the journal reads what the box read.

use std::collections::BTreeMap;

use rusqlite::{Connection, params};

use super::block::{self, staging_id};
use super::chunk;
use super::error::StoreError;
use super::tags::TagIds;
use super::{Store, position};
use crate::model::sample::{Sample, TagColumns};
use crate::model::tag::TagIndex;
use crate::model::time::{MINUTE_MS, Timestamp, Window};

/// How far ahead of its arrival a sample may be stamped and still be found by it. **Unit**: ms.
const AHEAD_MS: i64 = 15 * MINUTE_MS;

/// How far back samples before a span are looked for among the staged ones. **Unit**: ms.
const BACK_MS: i64 = 36 * 24 * 60 * MINUTE_MS;

/// The samples of one tag: those of the span, and the nearest on either side.
#[derive(Debug, Default)]
struct Found {
    before: BTreeMap<Timestamp, Vec<Sample>>,
    within: TagColumns,
    after: BTreeMap<Timestamp, Vec<Sample>>,
    usable_before: usize,
    usable_after: usize,
}

impl Found {
    fn take(&mut self, sample: Sample, span: Window, around: usize) {
        let at = sample.measured_at;
        let usable = usize::from(sample.quality.is_usable());
        if at < span.start {
            self.before.entry(at).or_default().push(sample);
            self.usable_before += usable;
            while self.usable_before > around
                && let Some((_, dropped)) = self.before.pop_first()
            {
                self.usable_before -= dropped.iter().filter(|sample| sample.quality.is_usable()).count();
            }
        } else if at < span.end {
            self.within.push(at, sample.quality, sample.value);
        } else {
            self.after.entry(at).or_default().push(sample);
            self.usable_after += usable;
            while self.usable_after > around
                && let Some((_, dropped)) = self.after.pop_last()
            {
                self.usable_after -= dropped.iter().filter(|sample| sample.quality.is_usable()).count();
            }
        }
    }
}

impl Store {
    /// Returns, by position in `tags`, the samples of the span as they were committed up to `through`, and the nearest
    /// ones on either side: of each tag so many that `around` of them are usable, where there are so many. In no order;
    /// what was delivered twice comes twice. A tag whose samples came in the order of time has them ascending.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] where stored bytes aren't what was written.
    pub fn samples_around(
        &self,
        tags: &[TagIndex],
        span: Window,
        around: usize,
        through: u64,
    ) -> Result<Vec<TagColumns>, StoreError> {
        let mut found: Vec<Found> = tags.iter().map(|_| Found::default()).collect();
        // Room for one more on either side: duplicates of an instant are told apart by the reader.
        let keep = around * 2;
        for (tag, found) in tags.iter().zip(&mut found) {
            if let Some(id) = self.tags.ids().get(tag.as_usize()) {
                compacted(&self.connection, *tag, *id, span, keep, through, found)?;
            }
        }
        staged(&self.connection, &self.tags, tags, span, keep, through, &mut found)?;
        let reading = |sample: Sample| (sample.measured_at, sample.quality, sample.value);
        let all = |found: Found| {
            let mut all: TagColumns = found.before.into_values().flatten().map(reading).collect();
            all.extend(found.within.readings());
            all.extend(found.after.into_values().flatten().map(reading));
            all
        };
        Ok(found.into_iter().map(all).collect())
    }
}

/// Reads the chunks of one tag that hold what is asked for.
fn compacted(
    connection: &Connection,
    tag: TagIndex,
    id: u32,
    span: Window,
    around: usize,
    through: u64,
    found: &mut Found,
) -> Result<(), StoreError> {
    let mut list = connection
        .prepare("SELECT id, first_at, last_at FROM chunks WHERE tag = ?1 AND first_seq <= ?2 ORDER BY last_at")?;
    let chunks: Vec<(i64, i64, i64)> = list
        .query_map(params![id, position(through)], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
        .collect::<Result<_, _>>()?;
    let mut read = connection.prepare("SELECT columns FROM chunks WHERE id = ?1")?;
    let mut take = |chunk: i64, found: &mut Found| -> Result<(), StoreError> {
        let columns: Vec<u8> = read.query_row([chunk], |row| row.get(0))?;
        for row in chunk::decode(&columns)?.into_iter().filter(|row| !row.is_left_out && row.seq <= through) {
            let (measured_at, value, quality) = (row.measured_at, row.value, row.quality);
            found.take(Sample { tag, measured_at, value, quality }, span, around);
        }
        Ok(())
    };
    let is_before = |(_, _, last): &&(i64, i64, i64)| *last < span.start.0;
    let is_after = |(_, first, _): &&(i64, i64, i64)| *first >= span.end.0;
    for (chunk, ..) in chunks.iter().filter(|chunk| !is_before(chunk) && !is_after(chunk)) {
        take(*chunk, found)?;
    }
    for (chunk, ..) in chunks.iter().rev().filter(is_before) {
        if found.usable_before >= around {
            break;
        }
        take(*chunk, found)?;
    }
    for (chunk, ..) in chunks.iter().filter(is_after) {
        if found.usable_after >= around {
            break;
        }
        take(*chunk, found)?;
    }
    Ok(())
}

/// Reads the staged blocks that can hold what is asked for: all that arrived since the span began, and older ones from
/// the newest on until every tag has enough before it.
fn staged(
    connection: &Connection,
    ids: &TagIds,
    tags: &[TagIndex],
    span: Window,
    around: usize,
    through: u64,
    found: &mut [Found],
) -> Result<(), StoreError> {
    let places: BTreeMap<TagIndex, usize> = tags.iter().copied().zip(0..).collect();
    let visit = |received_at: i64, block: &[u8], found: &mut [Found]| {
        block::visit(block, Timestamp(received_at), |sample| {
            let tag = ids.index(sample.tag).map(|(tag, _)| tag);
            if let Some((tag, place)) = tag.and_then(|tag| Some((tag, *places.get(&tag)?))) {
                let (measured_at, value, quality) = (sample.measured_at, sample.value, sample.quality);
                found[place].take(Sample { tag, measured_at, value, quality }, span, around);
            }
        })
    };
    let since = span.start.0 - AHEAD_MS;
    let mut newer = connection.prepare(
        "SELECT received_at, block FROM staging WHERE id < ?1 AND received_at >= ?2 AND samples > 0 ORDER BY id",
    )?;
    let mut rows = newer.query([staging_id(through + 1), since])?;
    while let Some(row) = rows.next()? {
        visit(row.get(0)?, row.get_ref(1)?.as_blob().map_err(rusqlite::Error::from)?, found)?;
    }
    let mut older = connection.prepare(
        "SELECT received_at, block FROM staging
         WHERE id < ?1 AND received_at < ?2 AND received_at >= ?3 AND samples > 0 ORDER BY id DESC",
    )?;
    let mut rows = older.query([staging_id(through + 1), since, span.start.0 - BACK_MS])?;
    while found.iter().any(|found| found.usable_before < around)
        && let Some(row) = rows.next()?
    {
        visit(row.get(0)?, row.get_ref(1)?.as_blob().map_err(rusqlite::Error::from)?, found)?;
    }
    Ok(())
}
