//! Committed samples in the order of their commits: what a sink of raw values reads.
//!
//! Straight from the row-blocks while they are staged, without a row kept in between; from chunks after that.

use rusqlite::{Connection, OptionalExtension};

use super::block::{self, staging_id};
use super::error::StoreError;
use super::journal::{COMPACTED_SAMPLES, COMPACTED_THROUGH, meta};
use super::position;
use super::retain::REMOVED_THROUGH;
use super::stored::{self, StoredSample};
use crate::model::number::Number;
use crate::model::sample::Quality;
use crate::model::time::Timestamp;

/// Compacted commits that one call looks at, at most: bounds its memory.
const COMPACTED_COMMITS_AT_ONCE: u64 = 256;

/// One sample, with the lasting number of its tag.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CommittedSample {
    /// Lasting number of its tag: see [`super::Reader::tag_names_after`].
    pub tag: u32,
    /// Event time.
    pub measured_at: Timestamp,
    /// The value, in the tag's unit.
    pub value: Option<Number>,
    /// How far it can be relied on.
    pub quality: Quality,
}

impl From<StoredSample> for CommittedSample {
    fn from(StoredSample { tag, measured_at, value, quality }: StoredSample) -> Self {
        Self { tag, measured_at, value, quality }
    }
}

/// What was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SampleRun {
    /// Number of the last commit that was read; what was asked for where there is nothing after it.
    pub through: u64,
    /// How many samples there were.
    pub samples: u64,
    /// Whether there were commits after the last that was read.
    pub is_more: bool,
}

/// Calls `take` with the samples of whole commits after `commit_seq`, in the order of their arrival, until `limit`
/// samples or one commit.
pub(super) fn after(
    connection: &Connection,
    commit_seq: u64,
    limit: u64,
    mut take: impl FnMut(CommittedSample),
) -> Result<SampleRun, StoreError> {
    // One snapshot: a compaction in between would move what is about to be read.
    let snapshot = connection.unchecked_transaction()?;
    let compacted_through = meta(&snapshot, COMPACTED_THROUGH)?;
    // What was removed is nobody's any more; whoever hasn't had it finds it among what wasn't delivered.
    let commit_seq = commit_seq.max(meta(&snapshot, REMOVED_THROUGH)?);
    if commit_seq < compacted_through {
        return compacted(&snapshot, commit_seq, compacted_through, limit, take);
    }
    let Some((through, is_more)) = staged_end(&snapshot, commit_seq, limit)? else {
        return Ok(SampleRun { through: commit_seq, ..SampleRun::default() });
    };
    let mut samples = 0;
    let mut statement =
        snapshot.prepare("SELECT received_at, samples, block FROM staging WHERE id >= ?1 AND id < ?2 ORDER BY id")?;
    let mut rows = statement.query([staging_id(commit_seq + 1), staging_id(through + 1)])?;
    while let Some(row) = rows.next()? {
        samples += row.get::<_, i64>(1)?.unsigned_abs();
        let block = row.get_ref(2)?.as_blob().map_err(rusqlite::Error::from)?;
        block::visit(block, Timestamp(row.get(0)?), |sample| take(sample.into()))?;
    }
    Ok(SampleRun { through, samples, is_more })
}

/// Returns the last staged commit up to which there are at most `limit` samples after `commit_seq`, and the next one
/// in any case, and whether there are more; `None` where there is none.
fn staged_end(connection: &Connection, commit_seq: u64, limit: u64) -> Result<Option<(u64, bool)>, StoreError> {
    let before = samples_through(connection, commit_seq)?;
    let mut statement = connection.prepare("SELECT seq, samples_total FROM commits WHERE seq > ?1 ORDER BY seq")?;
    let mut rows = statement.query([position(commit_seq)])?;
    let mut end = None;
    while let Some(row) = rows.next()? {
        let samples = row.get::<_, i64>(1)?.unsigned_abs().saturating_sub(before);
        if let Some(end) = end.filter(|_| samples > limit) {
            return Ok(Some((end, true)));
        }
        end = Some(row.get::<_, i64>(0)?.unsigned_abs());
    }
    Ok(end.map(|end| (end, false)))
}

/// Returns how many samples there are up to a commit that is staged, or up to the staged ones.
fn samples_through(connection: &Connection, commit_seq: u64) -> Result<u64, StoreError> {
    let mut statement = connection.prepare("SELECT samples_total FROM commits WHERE seq = ?1")?;
    let staged: Option<i64> = statement.query_row([position(commit_seq)], |row| row.get(0)).optional()?;
    staged.map_or_else(|| meta(connection, COMPACTED_SAMPLES), |samples| Ok(samples.unsigned_abs()))
}

fn compacted(
    connection: &Connection,
    commit_seq: u64,
    compacted_through: u64,
    limit: u64,
    mut take: impl FnMut(CommittedSample),
) -> Result<SampleRun, StoreError> {
    let last = compacted_through.min(commit_seq + COMPACTED_COMMITS_AT_ONCE.min(limit.max(1)));
    let mut run = SampleRun { through: commit_seq, samples: 0, is_more: true };
    for commit in stored::compacted(connection, commit_seq + 1, last)? {
        let samples = commit.batches.iter().map(|batch| batch.samples.len() as u64).sum::<u64>();
        if run.samples > 0 && run.samples + samples > limit {
            break;
        }
        commit.batches.iter().flat_map(|batch| &batch.samples).for_each(|sample| take((*sample).into()));
        run = SampleRun { through: commit.seq, samples: run.samples + samples, is_more: true };
    }
    Ok(run)
}

/// Calls `take` with lasting number and name of each tag beyond number `after`, ascending.
pub(super) fn tag_names_after(
    connection: &Connection,
    after: u32,
    mut take: impl FnMut(u32, &str),
) -> Result<(), StoreError> {
    let mut statement = connection.prepare("SELECT id, name FROM tags WHERE id > ?1 ORDER BY id")?;
    let mut rows = statement.query([after])?;
    while let Some(row) = rows.next()? {
        take(row.get(0)?, row.get_ref(1)?.as_str().map_err(rusqlite::Error::from)?);
    }
    Ok(())
}
