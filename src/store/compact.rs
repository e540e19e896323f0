//! Compaction: staged row-blocks become chunks of one tag each, and their commits become spans.
//!
//! Each step is one transaction: a crash leaves the journal in staging or in chunks, never in both or neither.

use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};

use super::block::staging_id;
use super::chunk::{self, ChunkRow};
use super::error::StoreError;
use super::journal::{COMPACTED_SAMPLES, COMPACTED_THROUGH, meta, set_meta};
use super::span::{self, Frame};
use super::stored::{self, StoredCommit};
use super::{Store, position};

/// Samples in a full chunk: one hour at one sample a second. Measured: 1.4 bytes a sample at 3,600, 1.7 at 300,
/// 2.8 at 60. A tag's newest chunk is shorter and grows with the next step.
pub(super) const CHUNK_SAMPLES: usize = 3_600;

/// Commits in a full span. The newest one is shorter and grows with the next step.
pub(super) const SPAN_COMMITS: usize = 3_600;

/// Compaction is due when each tag has this many staged samples on average.
const STAGED_SAMPLES_PER_TAG: u64 = 1_800;

/// Staged samples that one step takes on: bounds its memory (some 12 MB) and how long commits wait for it.
const STEP_SAMPLES: u64 = 131_072;

/// Staged commits that one step takes on, with or without samples.
const STEP_COMMITS: u64 = 16_384;

/// What one step of compaction did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Compaction {
    /// Commits moved out of staging.
    pub commits: u64,
    /// Samples moved with them.
    pub samples: u64,
    /// Samples that are still staged.
    pub samples_left: u64,
}

impl Store {
    /// Says whether a step of [`Store::compact`] is worth its while.
    pub fn is_compaction_due(&self) -> bool {
        let per_tag = STAGED_SAMPLES_PER_TAG.saturating_mul(self.tags.len().max(1) as u64);
        self.samples_total - self.samples_compacted >= per_tag.min(STEP_SAMPLES)
            || self.last_seq - self.compacted_through >= STEP_COMMITS
    }

    /// Moves the oldest staged commits into chunks and spans, in a transaction of its own and of bounded size. Call
    /// it between commits while [`Store::is_compaction_due`]; with nothing staged it does nothing.
    ///
    /// # Errors
    /// Nothing has moved; the caller commits on and tries again later.
    pub fn compact(&mut self) -> Result<Compaction, StoreError> {
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let samples_before = meta(&transaction, COMPACTED_SAMPLES)?;
        let first = meta(&transaction, COMPACTED_THROUGH)? + 1;
        let Some((last, samples_after)) = step_end(&transaction, first, samples_before)? else {
            return Ok(Compaction::default());
        };
        let commits = stored::staged(&transaction, first, last, usize::MAX)?;
        write_chunks(&transaction, &commits)?;
        write_spans(&transaction, &commits)?;
        transaction.execute("DELETE FROM commits WHERE seq <= ?1", [position(last)])?;
        transaction.execute("DELETE FROM staging WHERE id < ?1", [staging_id(last + 1)])?;
        set_meta(&transaction, COMPACTED_THROUGH, last)?;
        set_meta(&transaction, COMPACTED_SAMPLES, samples_after)?;
        transaction.commit()?;
        self.samples_compacted = samples_after;
        self.compacted_through = last;
        Ok(Compaction {
            commits: last + 1 - first,
            samples: samples_after - samples_before,
            samples_left: self.samples_total - samples_after,
        })
    }
}

/// Returns the last commit of a step and the number of samples up to it; `None` with nothing staged.
fn step_end(connection: &Connection, first: u64, samples_before: u64) -> Result<Option<(u64, u64)>, StoreError> {
    let end: Option<(i64, i64)> = connection
        .query_row(
            "SELECT seq, samples_total FROM commits WHERE seq = ?1 OR (seq < ?2 AND samples_total <= ?3)
             ORDER BY seq DESC LIMIT 1",
            [position(first), position(first + STEP_COMMITS), position(samples_before + STEP_SAMPLES)],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .optional()?;
    Ok(end.map(|(seq, samples)| (seq.unsigned_abs(), samples.unsigned_abs())))
}

fn write_chunks(connection: &Connection, commits: &[StoredCommit]) -> Result<(), StoreError> {
    let mut by_tag: BTreeMap<u32, Vec<ChunkRow>> = BTreeMap::new();
    for commit in commits {
        let samples = commit.batches.iter().flat_map(|batch| &batch.samples);
        for (place, sample) in (0..).zip(samples) {
            by_tag.entry(sample.tag).or_default().push(ChunkRow {
                measured_at: sample.measured_at,
                value: sample.value,
                quality: sample.quality,
                seq: commit.seq,
                position: place,
            });
        }
    }
    for (tag, added) in by_tag {
        let mut rows = take_short_chunk(connection, tag)?;
        rows.extend(added);
        for rows in rows.chunks(CHUNK_SAMPLES) {
            insert_chunk(connection, tag, rows)?;
        }
    }
    Ok(())
}

/// Removes a tag's newest chunk and returns its rows, where it isn't full.
fn take_short_chunk(connection: &Connection, tag: u32) -> Result<Vec<ChunkRow>, StoreError> {
    let newest: Option<(i64, usize)> = connection
        .query_row(
            "SELECT id, samples FROM chunks WHERE tag = ?1 ORDER BY last_seq DESC, id DESC LIMIT 1",
            [tag],
            |row| Ok((row.get(0)?, row.get::<_, u32>(1)? as usize)),
        )
        .optional()?;
    let Some((id, _)) = newest.filter(|(_, samples)| *samples < CHUNK_SAMPLES) else {
        return Ok(Vec::new());
    };
    let columns: Vec<u8> =
        connection.query_row("DELETE FROM chunks WHERE id = ?1 RETURNING columns", [id], |row| row.get(0))?;
    chunk::decode(&columns)
}

fn insert_chunk(connection: &Connection, tag: u32, rows: &[ChunkRow]) -> Result<(), StoreError> {
    let (Some(first), Some(last)) = (rows.first(), rows.last()) else {
        return Ok(());
    };
    connection.execute(
        "INSERT INTO chunks (tag, first_seq, last_seq, first_at, last_at, samples, columns)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        params![
            tag,
            position(first.seq),
            position(last.seq),
            rows.iter().map(|row| row.measured_at.0).min(),
            rows.iter().map(|row| row.measured_at.0).max(),
            position(rows.len() as u64),
            chunk::encode(rows),
        ],
    )?;
    Ok(())
}

fn write_spans(connection: &Connection, commits: &[StoredCommit]) -> Result<(), StoreError> {
    let Some(mut first_seq) = commits.first().map(|commit| commit.seq) else {
        return Ok(());
    };
    let mut frames = Vec::new();
    if let Some((start, short)) = take_short_span(connection)? {
        first_seq = start;
        frames = short;
    }
    frames.extend(commits.iter().map(Frame::of));
    for frames in frames.chunks(SPAN_COMMITS) {
        let next_seq = first_seq + frames.len() as u64;
        connection.execute(
            "INSERT INTO spans (first_seq, last_seq, frame) VALUES (?1, ?2, ?3)",
            params![position(first_seq), position(next_seq - 1), span::encode(frames)],
        )?;
        first_seq = next_seq;
    }
    Ok(())
}

/// Removes the newest span and returns its first commit and its frames, where it isn't full.
fn take_short_span(connection: &Connection) -> Result<Option<(u64, Vec<Frame>)>, StoreError> {
    let short: Option<(i64, Vec<u8>)> = connection
        .query_row(
            "SELECT first_seq, frame FROM spans WHERE first_seq = (SELECT max(first_seq) FROM spans)
             AND last_seq - first_seq + 1 < ?1",
            [position(SPAN_COMMITS as u64)],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .optional()?;
    let Some((first_seq, frame)) = short else {
        return Ok(None);
    };
    connection.execute("DELETE FROM spans WHERE first_seq = ?1", [first_seq])?;
    Ok(Some((first_seq.unsigned_abs(), span::decode(&frame)?)))
}
