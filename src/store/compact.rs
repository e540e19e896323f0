//! Compaction: staged row-blocks become chunks of one tag each, and their commits become spans.
//!
//! Each step is one transaction: a crash leaves the journal in staging or in chunks, never in both or neither. What
//! is too much for one step goes into chunks in several, and out of staging in the last: see `stretch`.

use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};

use super::block::staging_id;
use super::chunk::{self, ChunkRow, Encoder};
use super::cursors::position_of;
use super::error::StoreError;
use super::journal::{COMPACTED_SAMPLES, COMPACTED_THROUGH, set_meta};
use super::span::{self, Frame};
use super::stored::{self, StoredCommit};
use super::stretch::Stretch;
use super::tags::TagIds;
use super::{Store, journal, position};

/// Samples in a full chunk: one hour at one sample a second. Measured: 1.4 bytes a sample at 3,600, 1.7 at 300,
/// 2.8 at 60. A tag's newest chunk is shorter and grows with the next step.
pub(super) const CHUNK_SAMPLES: usize = 3_600;

/// Commits in a full span. The newest one is shorter and grows with the next step.
pub(super) const SPAN_COMMITS: usize = 3_600;

/// Batches in a full span, about: bounds the memory of writing and reading one to some MB.
const SPAN_BATCHES: usize = 1 << 16;

/// Compaction is due when each tag has this many staged samples on average: a chunk of fewer costs more time and room for
/// each sample.
const STAGED_SAMPLES_PER_TAG: u64 = 1_800;

/// It is due with so many staged samples in any case: some 150 MB, and 250,000 batches of a hundred. From 18,000 tags on
/// chunks are shorter.
const STAGED_SAMPLES_MAX: u64 = 1 << 25;

/// While a sink hasn't had them, this many samples stay staged: they are read there far faster than in chunks.
pub(super) const HELD_SAMPLES_MAX: u64 = 1 << 26;

/// Staged samples that one step takes on: bounds its memory (some 12 MB) and how long commits wait for it.
const STEP_SAMPLES: u64 = 131_072;

/// The same where many steps follow each other.
const STRETCH_STEP_SAMPLES: u64 = 1 << 15;

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
        let tags = self.tags.len().max(1) as u64;
        let due = (STAGED_SAMPLES_PER_TAG * tags).min(STAGED_SAMPLES_MAX);
        self.stretch.is_some()
            || self.samples_total - self.samples_compacted >= due
            || self.last_seq - self.compacted_through >= STEP_COMMITS
    }

    /// Names the cursors of sinks that read samples: what they haven't had stays staged within a limit and below the cap,
    /// and is thinned in no case.
    pub fn hold_samples_for(&mut self, sinks: Vec<String>) {
        self.holding_sinks = sinks;
    }

    /// Moves the oldest staged commits into chunks and spans, in a transaction of its own and of bounded size. Call
    /// it between commits while [`Store::is_compaction_due`]; with nothing staged it does nothing.
    ///
    /// # Errors
    /// Nothing has moved; the caller commits on and tries again later.
    pub fn compact(&mut self) -> Result<Compaction, StoreError> {
        let samples_left = self.samples_total - self.samples_compacted;
        match self.stretch.take_if(|stretch| stretch.is_done()) {
            Some(stretch) => return self.close(stretch.last, stretch.samples_after, &[]),
            None if self.stretch.is_some() => self.fill_chunks()?,
            None => {
                let first = self.compacted_through + 1;
                let Some((last, samples_after)) = self.due_end()? else { return Ok(Compaction::default()) };
                if samples_after - self.samples_compacted <= STEP_SAMPLES {
                    let commits = stored::staged(&self.connection, first, last, usize::MAX)?;
                    return self.close(last, samples_after, &commits);
                }
                let stretch = Stretch::open(&self.connection, (first, last), samples_after, STRETCH_STEP_SAMPLES)?;
                self.stretch = Some(stretch);
            }
        }
        Ok(Compaction { samples_left, ..Compaction::default() })
    }

    /// Returns the last commit of what is to be compacted next, and the number of samples up to it.
    fn due_end(&self) -> Result<Option<(u64, u64)>, StoreError> {
        let mut through = self.last_seq;
        let is_held = !self.retaining.is_relieving;
        if is_held && self.samples_total - self.samples_compacted < self.held_samples_max {
            for sink in &self.holding_sinks {
                through = through.min(position_of(&self.connection, sink)?);
            }
        }
        if self.tags.is_any_thinned() {
            // What the engine would read again after a restart stays whole.
            through = through.min(journal::checkpoint_seq(&self.connection)?);
        }
        let tags = self.tags.len().max(1) as u64;
        let samples = (STAGED_SAMPLES_PER_TAG * tags).clamp(STEP_SAMPLES, STAGED_SAMPLES_MAX);
        step_end(&self.connection, self.compacted_through + 1, self.samples_compacted + samples, through)
    }

    /// Says whether every sink that reads samples has had those of the commits up to `last`. Others go into chunks
    /// whole and stay so.
    fn is_thinnable(&self, last: u64) -> Result<bool, StoreError> {
        for sink in &self.holding_sinks {
            if position_of(&self.connection, sink)? < last {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Writes the chunks of the next tags of a stretch.
    fn fill_chunks(&mut self) -> Result<(), StoreError> {
        let last = self.stretch.as_ref().map_or(0, |stretch| stretch.last);
        let thins = self.is_thinnable(last)?;
        let Some(stretch) = &mut self.stretch else { return Ok(()) };
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut encoder = Encoder::default();
        for (tag, mut rows) in stretch.next(&transaction)?.unwrap_or_default() {
            if thins {
                self.tags.thin(tag, &mut rows, 0);
            }
            for rows in rows.chunks(CHUNK_SAMPLES) {
                insert_chunk(&transaction, &mut encoder, tag, rows)?;
            }
        }
        transaction.commit()?;
        stretch.advance();
        Ok(())
    }

    /// Moves the commits up to `last` out of staging; `commits` are those whose chunks are still to be written.
    fn close(&mut self, last: u64, samples_after: u64, commits: &[StoredCommit]) -> Result<Compaction, StoreError> {
        let first = self.compacted_through + 1;
        let thinning = self.is_thinnable(last)?.then_some(&self.tags);
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        write_chunks(&transaction, thinning, commits)?;
        write_spans(&transaction, first, last)?;
        transaction.execute("DELETE FROM commits WHERE seq <= ?1", [position(last)])?;
        transaction.execute("DELETE FROM staging WHERE id < ?1", [staging_id(last + 1)])?;
        set_meta(&transaction, COMPACTED_THROUGH, last)?;
        set_meta(&transaction, COMPACTED_SAMPLES, samples_after)?;
        transaction.commit()?;
        let samples = samples_after - self.samples_compacted;
        (self.samples_compacted, self.compacted_through) = (samples_after, last);
        Ok(Compaction { commits: last + 1 - first, samples, samples_left: self.samples_total - samples_after })
    }
}

/// Returns the last commit within `first..=through` up to which there are at most `samples_through` samples, the first
/// in any case, and the number of samples up to it; `None` with nothing staged.
fn step_end(
    connection: &Connection,
    first: u64,
    samples_through: u64,
    through: u64,
) -> Result<Option<(u64, u64)>, StoreError> {
    let end: Option<(i64, i64)> = connection
        .query_row(
            "SELECT seq, samples_total FROM commits
             WHERE (seq = ?1 OR (seq < ?2 AND samples_total <= ?3)) AND seq <= ?4
             AND config = (SELECT config FROM commits WHERE seq = ?1)
             ORDER BY seq DESC LIMIT 1",
            [position(first), position(first + STEP_COMMITS), position(samples_through), position(through)],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .optional()?;
    Ok(end.map(|(seq, samples)| (seq.unsigned_abs(), samples.unsigned_abs())))
}

/// Writes the samples of commits into chunks, thinned as the tags say where they are given.
fn write_chunks(
    connection: &Connection,
    thinning: Option<&TagIds>,
    commits: &[StoredCommit],
) -> Result<(), StoreError> {
    let mut by_tag: BTreeMap<u32, Vec<ChunkRow>> = BTreeMap::new();
    for commit in commits {
        let mut before = 0;
        for batch in &commit.batches {
            for (place, sample) in (0..).zip(&batch.samples) {
                by_tag.entry(sample.tag).or_default().push(ChunkRow {
                    measured_at: sample.measured_at,
                    value: sample.value,
                    quality: sample.quality,
                    seq: commit.seq,
                    before,
                    place,
                    is_left_out: false,
                });
            }
            before += u32::try_from(batch.samples.len()).expect("a commit is bounded");
        }
    }
    let mut encoder = Encoder::default();
    for (tag, added) in by_tag {
        let mut rows = take_short_chunk(connection, tag)?;
        let known = rows.len();
        rows.extend(added);
        if let Some(tags) = thinning {
            tags.thin(tag, &mut rows, known);
        }
        for rows in rows.chunks(CHUNK_SAMPLES) {
            insert_chunk(connection, &mut encoder, tag, rows)?;
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

fn insert_chunk(connection: &Connection, encoder: &mut Encoder, tag: u32, rows: &[ChunkRow]) -> Result<(), StoreError> {
    let (Some(first), Some(last)) = (rows.first(), rows.last()) else {
        return Ok(());
    };
    connection.execute(
        "INSERT INTO chunks (tag, first_seq, last_seq, first_at, last_at, samples, dropped, columns)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        params![
            tag,
            position(first.seq),
            position(last.seq),
            rows.iter().map(|row| row.measured_at.0).min(),
            rows.iter().map(|row| row.measured_at.0).max(),
            position(rows.len() as u64),
            position(rows.iter().filter(|row| row.is_left_out).count() as u64),
            encoder.encode(rows),
        ],
    )?;
    Ok(())
}

/// Writes the frames of staged commits.
fn write_spans(connection: &Connection, first: u64, last: u64) -> Result<(), StoreError> {
    let (mut first_seq, mut frames) = take_short_span(connection)?.unwrap_or((first, Vec::new()));
    let mut batches: usize = frames.iter().map(|frame| frame.batches.len()).sum();
    stored::staged_frames(connection, first, last, |frame| {
        if frames.len() == SPAN_COMMITS || batches >= SPAN_BATCHES {
            first_seq = insert_span(connection, first_seq, &frames)?;
            (batches, frames) = (0, Vec::new());
        }
        batches += frame.batches.len();
        frames.push(frame);
        Ok(())
    })?;
    if !frames.is_empty() {
        insert_span(connection, first_seq, &frames)?;
    }
    Ok(())
}

/// Returns the number of the commit after the span.
fn insert_span(connection: &Connection, first_seq: u64, frames: &[Frame]) -> Result<u64, StoreError> {
    let next_seq = first_seq + frames.len() as u64;
    connection.execute(
        "INSERT INTO spans (first_seq, last_seq, frame) VALUES (?1, ?2, ?3)",
        params![position(first_seq), position(next_seq - 1), span::encode(frames)],
    )?;
    Ok(next_seq)
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
    let frames = span::decode(&frame)?;
    if frames.iter().map(|frame| frame.batches.len()).sum::<usize>() >= SPAN_BATCHES {
        return Ok(None);
    }
    connection.execute("DELETE FROM spans WHERE first_seq = ?1", [first_seq])?;
    Ok(Some((first_seq.unsigned_abs(), frames)))
}
