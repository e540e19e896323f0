//! A long run of staged commits on its way into chunks, a few tags at a time.
//!
//! Where a box has very many tags, so much is staged before each has enough samples for a chunk that it doesn't fit
//! into memory at once. The commits stay staged, and are read from there, until the chunks of all tags are written.
//! What a crash leaves of chunks before that is removed when the store is opened again: see [`discard`].

use std::collections::BTreeMap;
use std::ops::Range;

use rusqlite::{Connection, params};

use super::block::{self, staging_id};
use super::chunk::ChunkRow;
use super::error::StoreError;
use super::position;
use crate::model::time::Timestamp;

/// Where one batch is staged. A stretch may have hundreds of thousands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    source: u16,
    /// Its commit, counted from the stretch's first.
    commit: u32,
    /// Its place within the commit.
    place: u16,
    /// Samples of its commit before its own.
    before: u32,
}

/// What one step takes on: all batches of some sources, or of one large source every so-many-th tag.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Step {
    places: Range<usize>,
    part: u32,
    parts: u32,
}

/// The commits and what has become of them.
#[derive(Debug)]
pub(super) struct Stretch {
    /// Its newest commit.
    pub(super) last: u64,
    /// Samples of all commits up to the newest.
    pub(super) samples_after: u64,
    first: u64,
    /// By source, then in journal order.
    places: Vec<Place>,
    /// Still to be done, the next one last.
    steps: Vec<Step>,
}

impl Stretch {
    /// Looks at what is staged of the commits, in steps of about `step_samples`.
    pub(super) fn open(
        connection: &Connection,
        (first, last): (u64, u64),
        samples_after: u64,
        step_samples: u64,
    ) -> Result<Self, StoreError> {
        let mut statement =
            connection.prepare("SELECT id, source, samples FROM staging WHERE id >= ?1 AND id < ?2 ORDER BY id")?;
        let mut rows = statement.query([staging_id(first), staging_id(last + 1)])?;
        let (mut places, mut samples_of) = (Vec::new(), BTreeMap::new());
        let mut before = 0;
        while let Some(row) = rows.next()? {
            let (id, source, samples): (i64, u16, u32) = (row.get(0)?, row.get(1)?, row.get(2)?);
            let damaged = |_| StoreError::Damaged(format!("staged batch {id} is in no commit of its stretch"));
            let commit = u32::try_from((id - staging_id(first)) >> 16).map_err(damaged)?;
            let place = u16::try_from(id & 0xffff).map_err(damaged)?;
            before = if place == 0 { 0 } else { before };
            places.push(Place { source, commit, place, before });
            *samples_of.entry(source).or_default() += u64::from(samples);
            before += samples;
        }
        places.sort_unstable();
        places.shrink_to_fit();
        let mut steps = steps(&places, &samples_of, step_samples);
        steps.reverse();
        Ok(Self { first, last, samples_after, places, steps })
    }

    /// Says whether the chunks of all tags are written.
    pub(super) fn is_done(&self) -> bool {
        self.steps.is_empty()
    }

    /// Returns the samples of the next tags, each tag's in journal order; `None` after the last.
    pub(super) fn next(&self, connection: &Connection) -> Result<Option<BTreeMap<u32, Vec<ChunkRow>>>, StoreError> {
        let Some(step) = self.steps.last() else { return Ok(None) };
        let mut by_tag: BTreeMap<u32, Vec<ChunkRow>> = BTreeMap::new();
        let mut statement = connection.prepare("SELECT received_at, block FROM staging WHERE id = ?1")?;
        for place in &self.places[step.places.clone()] {
            let (seq, before, mut at) = (self.first + u64::from(place.commit), place.before, 0);
            let mut rows = statement.query([staging_id(seq) + i64::from(place.place)])?;
            let gone = || StoreError::Damaged(format!("a staged batch of commit {seq} is gone"));
            let row = rows.next()?.ok_or_else(gone)?;
            let bytes = row.get_ref(1)?.as_blob().map_err(rusqlite::Error::from)?;
            block::visit(bytes, Timestamp(row.get(0)?), |sample| {
                if sample.tag % step.parts == step.part {
                    by_tag.entry(sample.tag).or_default().push(ChunkRow {
                        measured_at: sample.measured_at,
                        value: sample.value,
                        quality: sample.quality,
                        seq,
                        before,
                        place: at,
                        is_left_out: false,
                    });
                }
                at += 1;
            })?;
        }
        Ok(Some(by_tag))
    }

    /// The chunks of [`Stretch::next`] are committed.
    pub(super) fn advance(&mut self) {
        self.steps.pop();
    }
}

fn steps(places: &[Place], samples_of: &BTreeMap<u16, u64>, step_samples: u64) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let (mut start, mut gathered) = (0, 0);
    for source in places.chunk_by(|one, next| one.source == next.source) {
        let samples = source.first().and_then(|place| samples_of.get(&place.source)).copied().unwrap_or(0);
        let end = start + source.len();
        if gathered > 0 && gathered + samples <= step_samples {
            gathered += samples;
            steps.last_mut().expect("some samples are gathered").places.end = end;
        } else {
            // A source of its own may be too large for one step; its batches are then read once for each part.
            let parts = u32::try_from(samples.div_ceil(step_samples).max(1)).unwrap_or(u32::MAX);
            steps.extend((0..parts).map(|part| Step { places: start..end, part, parts }));
            gathered = if parts == 1 { samples } else { 0 };
        }
        start = end;
    }
    steps
}

/// Removes the chunks of commits that are still staged: of a stretch that a crash ended.
pub(super) fn discard(connection: &Connection, compacted_through: u64) -> Result<(), StoreError> {
    let through = position(compacted_through);
    connection.execute("DELETE FROM chunks WHERE last_seq > ?1 AND first_seq > ?1", params![through])?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{Place, Step, steps};

    #[test]
    fn small_sources_share_a_step_and_a_large_one_takes_several() {
        let place = |source: u16, commit: u32| Place { source, commit, place: 0, before: 0 };
        let places = [place(0, 1), place(0, 9), place(1, 2), place(2, 3), place(2, 5), place(3, 4)];
        let samples = [(0, 6), (1, 4), (2, 24), (3, 1)].into();
        let step = |places, part, parts| Step { places, part, parts };
        let expected = [step(0..3, 0, 1), step(3..5, 0, 3), step(3..5, 1, 3), step(3..5, 2, 3), step(5..6, 0, 1)];
        assert_eq!(steps(&places, &samples, 10), expected);
        assert_eq!(steps(&[], &samples, 10), []);
    }
}
