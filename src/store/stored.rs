//! Commits in terms of the store: tags and configurations by lasting id, from staging or from chunks.

use std::collections::BTreeMap;

use rusqlite::{Connection, Row, params};

use super::block::{self, staging_id};
use super::error::StoreError;
use super::span::{BatchFrame, Frame};
use super::{chunk, position, span};
use crate::model::number::Number;
use crate::model::sample::Quality;
use crate::model::time::Timestamp;

/// One commit.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct StoredCommit {
    pub(super) seq: u64,
    pub(super) now: Timestamp,
    pub(super) config: i64,
    pub(super) batches: Vec<StoredBatch>,
}

/// One batch of it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct StoredBatch {
    pub(super) source: u16,
    pub(super) delivery: u64,
    pub(super) received_at: Timestamp,
    pub(super) samples: Vec<StoredSample>,
    /// Samples beside these that thinning left out.
    pub(super) left_out: u32,
}

/// One sample of it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct StoredSample {
    pub(super) tag: u32,
    pub(super) measured_at: Timestamp,
    pub(super) value: Option<Number>,
    pub(super) quality: Quality,
}

/// Returns the staged commits of `first..=last`, ascending, at most `limit`.
pub(super) fn staged(
    connection: &Connection,
    first: u64,
    last: u64,
    limit: usize,
) -> Result<Vec<StoredCommit>, StoreError> {
    let mut statement =
        connection.prepare("SELECT seq, now, config FROM commits WHERE seq BETWEEN ?1 AND ?2 ORDER BY seq LIMIT ?3")?;
    let rows = statement.query_map(params![position(first), position(last), position(limit as u64)], |row| {
        Ok(StoredCommit {
            seq: row.get::<_, i64>(0)?.unsigned_abs(),
            now: Timestamp(row.get(1)?),
            config: row.get(2)?,
            batches: Vec::new(),
        })
    })?;
    let mut commits: Vec<StoredCommit> = rows.collect::<Result<_, _>>()?;
    if let (Some(first), Some(last)) = (commits.first(), commits.last()) {
        let (first, last) = (first.seq, last.seq);
        let mut statement = connection.prepare(
            "SELECT id, source, delivery, received_at, block FROM staging WHERE id >= ?1 AND id < ?2 ORDER BY id",
        )?;
        let mut rows = statement.query([staging_id(first), staging_id(last + 1)])?;
        while let Some(row) = rows.next()? {
            let (seq, batch) = staged_batch(row)?;
            commit_of(&mut commits, first, seq)?.batches.push(batch);
        }
    }
    Ok(commits)
}

/// Calls `take` with the frames of the staged commits of `first..=last`, ascending.
pub(super) fn staged_frames(
    connection: &Connection,
    first: u64,
    last: u64,
    mut take: impl FnMut(Frame) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let mut statement =
        connection.prepare("SELECT seq, now, config FROM commits WHERE seq BETWEEN ?1 AND ?2 ORDER BY seq")?;
    let mut commits = statement.query([position(first), position(last)])?;
    let mut statement = connection
        .prepare("SELECT source, delivery, received_at, samples FROM staging WHERE id >= ?1 AND id < ?2 ORDER BY id")?;
    while let Some(commit) = commits.next()? {
        let seq = commit.get::<_, i64>(0)?.unsigned_abs();
        let batches = statement.query_map([staging_id(seq), staging_id(seq + 1)], |row| {
            Ok(BatchFrame {
                source: row.get(0)?,
                delivery: row.get::<_, i64>(1)?.cast_unsigned(),
                received_at: row.get(2)?,
                samples: row.get(3)?,
            })
        })?;
        let batches = batches.collect::<Result<_, _>>()?;
        take(Frame { now: commit.get(1)?, config: commit.get(2)?, batches })?;
    }
    Ok(())
}

fn staged_batch(row: &Row<'_>) -> Result<(u64, StoredBatch), StoreError> {
    let seq = row.get::<_, i64>(0)?.unsigned_abs() >> 16;
    let received_at = Timestamp(row.get(3)?);
    let batch = StoredBatch {
        source: row.get(1)?,
        delivery: row.get::<_, i64>(2)?.cast_unsigned(),
        received_at,
        samples: block::decode(row.get_ref(4)?.as_blob().map_err(rusqlite::Error::from)?, received_at)?,
        left_out: 0,
    };
    Ok((seq, batch))
}

/// Returns the compacted commits of `first..=last`, ascending.
pub(super) fn compacted(connection: &Connection, first: u64, last: u64) -> Result<Vec<StoredCommit>, StoreError> {
    let mut commits = Vec::new();
    let mut lengths = Vec::new();
    let mut statement = connection.prepare(
        "SELECT first_seq, frame FROM spans WHERE first_seq <= ?2
         AND first_seq >= (SELECT max(first_seq) FROM spans WHERE first_seq <= ?1) ORDER BY first_seq",
    )?;
    let mut rows = statement.query([position(first), position(last)])?;
    while let Some(row) = rows.next()? {
        let start = row.get::<_, i64>(0)?.unsigned_abs();
        let frames = span::decode(row.get_ref(1)?.as_blob().map_err(rusqlite::Error::from)?)?;
        for (seq, frame) in (start..).zip(frames).filter(|(seq, _)| (first..=last).contains(seq)) {
            lengths.push(frame.batches.iter().map(|batch| batch.samples as usize).collect::<Vec<_>>());
            commits.push(frame.into_commit(seq));
        }
    }
    let samples = compacted_samples(connection, first, last)?;
    for (commit, lengths) in commits.iter_mut().zip(lengths) {
        fill(commit, &lengths, samples.get(&commit.seq).map_or(&[], Vec::as_slice))?;
    }
    Ok(commits)
}

/// A sample's place in its commit, and the sample unless thinning left it out.
type Placed = (u32, Option<StoredSample>);

/// Returns the samples of each commit in arrival order.
fn compacted_samples(connection: &Connection, first: u64, last: u64) -> Result<BTreeMap<u64, Vec<Placed>>, StoreError> {
    let mut samples: BTreeMap<u64, Vec<Placed>> = BTreeMap::new();
    let mut statement =
        connection.prepare("SELECT tag, columns FROM chunks WHERE last_seq >= ?1 AND first_seq <= ?2")?;
    let mut rows = statement.query([position(first), position(last)])?;
    while let Some(row) = rows.next()? {
        let tag = row.get(0)?;
        for row in chunk::decode(row.get_ref(1)?.as_blob().map_err(rusqlite::Error::from)?)? {
            if (first..=last).contains(&row.seq) {
                let sample = StoredSample { tag, measured_at: row.measured_at, value: row.value, quality: row.quality };
                let placed = (row.position(), (!row.is_left_out).then_some(sample));
                samples.entry(row.seq).or_default().push(placed);
            }
        }
    }
    for samples in samples.values_mut() {
        samples.sort_by_key(|(position, _)| *position);
    }
    Ok(samples)
}

/// Gives each batch of a commit its samples back.
fn fill(commit: &mut StoredCommit, lengths: &[usize], samples: &[Placed]) -> Result<(), StoreError> {
    if lengths.iter().sum::<usize>() != samples.len() || !(0..).zip(samples).all(|(place, (at, _))| place == *at) {
        let (found, due) = (samples.len(), lengths.iter().sum::<usize>());
        return Err(StoreError::Damaged(format!("commit {}: {found} samples of {due} are there", commit.seq)));
    }
    let mut rest = samples;
    for (batch, length) in commit.batches.iter_mut().zip(lengths) {
        let (own, others) = rest.split_at(*length);
        batch.samples = own.iter().filter_map(|(_, sample)| *sample).collect();
        batch.left_out = u32::try_from(own.len() - batch.samples.len()).unwrap_or(u32::MAX);
        rest = others;
    }
    Ok(())
}

fn commit_of(commits: &mut [StoredCommit], first: u64, seq: u64) -> Result<&mut StoredCommit, StoreError> {
    usize::try_from(seq - first)
        .ok()
        .and_then(|place| commits.get_mut(place))
        .filter(|commit| commit.seq == seq)
        .ok_or_else(|| StoreError::Damaged(format!("staged samples of commit {seq}, which isn't there")))
}
