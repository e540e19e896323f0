//! The journal: every commit in order, as restart and replay read it.

use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension};

use super::commit::CHECKPOINT_CODEC;
use super::envelope;
use super::error::StoreError;
use super::retain::REMOVED_THROUGH;
use super::statements::{self, Taken};
use super::stored::{self, StoredBatch, StoredCommit};
use super::tags::TagIds;
use super::{clock, position, swaps};
use crate::ledger::page::Head;
use crate::model::context::ContextEvent;
use crate::model::id::{Digest, StreamName};
use crate::model::record::ClockState;
use crate::model::sample::{Sample, SampleBatch};
use crate::model::statement::Statement;
use crate::model::swap::Swap;
use crate::model::tag::SourceIndex;
use crate::model::time::Timestamp;

/// Name in `meta` of the newest compacted commit's number.
pub(super) const COMPACTED_THROUGH: &str = "compacted_through";
/// Name in `meta` of the number of samples in compacted commits.
pub(super) const COMPACTED_SAMPLES: &str = "compacted_samples";

/// Name in `meta` of the commit after which a recovered database without a checkpoint goes on.
pub(super) const RESTART_AFTER: &str = "restart_after";

/// One commit, as replay sees it: what came in, and the instant the engine was advanced to.
#[derive(Debug, Clone, PartialEq)]
pub struct JournalEntry {
    /// Its number, from 1 without gaps.
    pub seq: u64,
    /// Plant time of the turn.
    pub now: Timestamp,
    /// How far the clock could be trusted then; unknown in what was written before that was kept.
    pub clock: ClockState,
    /// The configuration that ran.
    pub config: Digest,
    /// Told swaps that the engine took before the batches.
    pub swaps: Vec<Swap>,
    /// Statements that the engine heard before the batches, in that order.
    pub statements: Vec<Statement>,
    /// The batches, in the order they were committed; empty where the turn only advanced time.
    pub batches: Vec<SampleBatch>,
    /// Samples of tags that the open configuration doesn't have with the same meaning; 0 under the entry's own one.
    pub unmapped: u64,
    /// Samples that thinning left out.
    pub thinned: u64,
}

/// What a restart needs.
#[derive(Debug, Clone, PartialEq)]
pub struct Resume {
    /// The engine's newest checkpoint; `None` before the first.
    pub checkpoint: Option<Vec<u8>>,
    /// The commit after which the checkpoint stands, or a recovered database without one goes on; 0 before the first.
    pub after: u64,
    /// The newest page of each stream.
    pub heads: BTreeMap<StreamName, Head>,
    /// When the state of the clock changed, ascending.
    pub clock: Vec<(Timestamp, ClockState)>,
}

/// Returns at most `limit` commits from `from_seq` on.
pub(super) fn read(
    connection: &Connection,
    tags: &TagIds,
    from_seq: u64,
    limit: usize,
) -> Result<Vec<JournalEntry>, StoreError> {
    // One snapshot: a compaction in between would move commits from one half of the answer to the other.
    let snapshot = connection.unchecked_transaction()?;
    let compacted_through = meta(&snapshot, COMPACTED_THROUGH)?;
    let from_seq = from_seq.max(meta(&snapshot, REMOVED_THROUGH)? + 1);
    let last = from_seq.saturating_add((limit as u64).saturating_sub(1));
    let mut commits = Vec::new();
    if limit > 0 && from_seq <= compacted_through {
        commits = stored::compacted(&snapshot, from_seq, last.min(compacted_through))?;
    }
    if last > compacted_through {
        commits.extend(stored::staged(&snapshot, from_seq, last, limit - commits.len())?);
    }
    let configurations = configurations(&snapshot)?;
    let mut swaps = swaps::taken(&snapshot, from_seq, last)?;
    let mut statements = statements::taken(&snapshot, from_seq, last)?;
    let clock = clock::between(&snapshot, from_seq, last)?;
    let clock_at = |seq| clock[..clock.partition_point(|(from, _)| *from <= seq)].last().map(|(_, state)| *state);
    let entry = |commit: StoredCommit| {
        let told = swaps.remove(&commit.seq).unwrap_or_default();
        let clock = clock_at(commit.seq).unwrap_or(ClockState::Unknown);
        let taken = statements.remove(&commit.seq).unwrap_or_default();
        Ok(JournalEntry { swaps: told, clock, ..express(commit, taken, tags, &configurations)? })
    };
    commits.into_iter().map(entry).collect()
}

/// Turns lasting ids into positions of the open configuration.
fn express(
    commit: StoredCommit,
    mut taken: Taken,
    tags: &TagIds,
    configurations: &BTreeMap<i64, Digest>,
) -> Result<JournalEntry, StoreError> {
    let config = *configurations
        .get(&commit.config)
        .ok_or_else(|| StoreError::Damaged(format!("commit {}: its configuration isn't there", commit.seq)))?;
    let own = commit.config == tags.config();
    let mut unmapped = 0;
    let thinned = commit.batches.iter().map(|batch| u64::from(batch.left_out)).sum();
    let batches = commit
        .batches
        .into_iter()
        .enumerate()
        .filter_map(|(place, batch)| {
            let samples_due = batch.samples.len();
            let expressed = express_batch(batch, taken.brought.remove(&place).unwrap_or_default(), tags, own);
            let samples = expressed.as_ref().map_or(0, |batch| batch.samples.len());
            unmapped += (samples_due - samples) as u64;
            expressed
        })
        .collect();
    let (seq, now, clock) = (commit.seq, commit.now, ClockState::Unknown);
    Ok(JournalEntry {
        seq,
        now,
        clock,
        config,
        swaps: Vec::new(),
        statements: taken.waited,
        batches,
        unmapped,
        thinned,
    })
}

/// Positions of sources change with the configuration too: a batch of another one goes to whoever delivers its tags
/// in the open one, and to nobody where that has none of them. Context names its asset and needs no deliverer.
fn express_batch(batch: StoredBatch, context: Vec<ContextEvent>, tags: &TagIds, own: bool) -> Option<SampleBatch> {
    let mut source = own.then_some(SourceIndex(batch.source));
    let mut samples = Vec::with_capacity(batch.samples.len());
    for sample in batch.samples {
        if let Some((tag, deliverer)) = tags.index(sample.tag) {
            source.get_or_insert(deliverer);
            let (measured_at, value, quality) = (sample.measured_at, sample.value, sample.quality);
            samples.push(Sample { tag, measured_at, value, quality });
        }
    }
    let (delivery, received_at) = (batch.delivery, batch.received_at);
    let source = source.or_else(|| (!context.is_empty()).then_some(SourceIndex(batch.source)));
    source.map(|source| SampleBatch { source, delivery, received_at, samples, context })
}

fn configurations(connection: &Connection) -> Result<BTreeMap<i64, Digest>, StoreError> {
    let mut statement = connection.prepare("SELECT id, digest FROM configurations")?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, Digest(row.get(1)?))))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Returns the newest checkpoint and the commit it stands after.
pub(super) fn checkpoint(connection: &Connection) -> Result<Option<(Vec<u8>, u64)>, StoreError> {
    let found: Option<(Vec<u8>, i64)> = connection
        .query_row("SELECT state, commit_seq FROM checkpoint", [], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    found
        .map(|(state, seq)| Ok((envelope::open(CHECKPOINT_CODEC, &state, "checkpoint")?.to_vec(), seq.unsigned_abs())))
        .transpose()
}

/// Returns the commit that the newest checkpoint stands after, 0 before the first.
pub(super) fn checkpoint_seq(connection: &Connection) -> Result<u64, StoreError> {
    let seq: Option<i64> =
        connection.query_row("SELECT commit_seq FROM checkpoint", [], |row| row.get(0)).optional()?;
    Ok(seq.unwrap_or(0).unsigned_abs())
}

/// Returns a counter, 0 where it isn't set.
pub(super) fn meta(connection: &Connection, name: &str) -> Result<u64, StoreError> {
    let value: Option<i64> =
        connection.query_row("SELECT value FROM meta WHERE name = ?1", [name], |row| row.get(0)).optional()?;
    Ok(value.unwrap_or(0).unsigned_abs())
}

/// Sets a counter.
pub(super) fn set_meta(connection: &Connection, name: &str, value: u64) -> Result<(), StoreError> {
    connection.execute(
        "INSERT INTO meta (name, value) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        rusqlite::params![name, position(value)],
    )?;
    Ok(())
}

/// Returns the newest commit's number and how many samples there are up to it.
pub(super) fn newest(connection: &Connection) -> Result<(u64, u64), StoreError> {
    let staged: Option<(i64, i64)> = connection
        .query_row("SELECT seq, samples_total FROM commits ORDER BY seq DESC LIMIT 1", [], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .optional()?;
    match staged {
        Some((seq, samples)) => Ok((seq.unsigned_abs(), samples.unsigned_abs())),
        None => Ok((meta(connection, COMPACTED_THROUGH)?, meta(connection, COMPACTED_SAMPLES)?)),
    }
}
