//! The newest sample of each tag, for live display.

use std::collections::BTreeMap;

use rusqlite::Connection;

use super::chunk;
use super::error::StoreError;
use super::journal::{COMPACTED_THROUGH, meta, newest};
use super::position;
use super::stored::{self, StoredSample};
use crate::model::id::TagName;
use crate::model::number::Number;
use crate::model::sample::Quality;
use crate::model::time::Timestamp;

/// Commits read at once while catching up: bounds the memory of the first call.
const COMMITS_AT_ONCE: usize = 1_024;

/// The newest sample of one tag.
#[derive(Debug, Clone, PartialEq)]
pub struct LatestSample {
    /// Which tag.
    pub tag: TagName,
    /// Event time.
    pub measured_at: Timestamp,
    /// The value, in the tag's unit.
    pub value: Option<Number>,
    /// How far it can be relied on.
    pub quality: Quality,
}

/// What was found up to one commit, so that the next call reads only what came after it.
#[derive(Debug, Default)]
pub(super) struct Latest {
    through: u64,
    by_tag: BTreeMap<u32, StoredSample>,
}

impl Latest {
    /// Reads what was committed since the last call.
    pub(super) fn catch_up(&mut self, connection: &Connection) -> Result<(), StoreError> {
        let snapshot = connection.unchecked_transaction()?;
        let compacted_through = meta(&snapshot, COMPACTED_THROUGH)?;
        let (last, _) = newest(&snapshot)?;
        if self.through == 0 && compacted_through > 0 {
            self.read_chunks(
                &snapshot,
                "SELECT tag, columns FROM chunks AS c
                 WHERE last_seq = (SELECT max(last_seq) FROM chunks WHERE tag = c.tag) AND last_seq > ?1",
            )?;
        } else if self.through < compacted_through {
            self.read_chunks(&snapshot, "SELECT tag, columns FROM chunks WHERE last_seq > ?1")?;
        }
        self.through = self.through.max(compacted_through);
        while self.through < last {
            let commits = stored::staged(&snapshot, self.through + 1, last, COMMITS_AT_ONCE)?;
            for commit in &commits {
                commit.batches.iter().flat_map(|batch| &batch.samples).for_each(|sample| self.see(*sample));
            }
            self.through = commits.last().map_or(last, |commit| commit.seq);
        }
        Ok(())
    }

    fn read_chunks(&mut self, connection: &Connection, sql: &str) -> Result<(), StoreError> {
        let mut statement = connection.prepare(sql)?;
        let mut rows = statement.query([position(self.through)])?;
        while let Some(row) = rows.next()? {
            let tag = row.get(0)?;
            let columns = chunk::decode(row.get_ref(1)?.as_blob().map_err(rusqlite::Error::from)?)?;
            let through = self.through;
            for row in columns.into_iter().filter(|row| row.seq > through && !row.is_left_out) {
                let (measured_at, value, quality) = (row.measured_at, row.value, row.quality);
                self.see(StoredSample { tag, measured_at, value, quality });
            }
        }
        Ok(())
    }

    /// A late sample doesn't displace a newer one; of two of the same instant the later arrival is shown.
    fn see(&mut self, sample: StoredSample) {
        let newest = self.by_tag.entry(sample.tag).or_insert(sample);
        if newest.measured_at <= sample.measured_at {
            *newest = sample;
        }
    }

    /// Returns one sample for each tag name, ascending: the newest of all meanings the tag has had.
    pub(super) fn named(&self, connection: &Connection) -> Result<Vec<LatestSample>, StoreError> {
        let mut statement = connection.prepare("SELECT name, id FROM tags")?;
        let mut rows = statement.query([])?;
        let mut by_name: BTreeMap<String, StoredSample> = BTreeMap::new();
        while let Some(row) = rows.next()? {
            if let Some(sample) = self.by_tag.get(&row.get(1)?) {
                let newest = by_name.entry(row.get(0)?).or_insert(*sample);
                if newest.measured_at < sample.measured_at {
                    *newest = *sample;
                }
            }
        }
        by_name
            .into_iter()
            .map(|(name, StoredSample { measured_at, value, quality, .. })| {
                let tag = TagName::new(&name).map_err(|error| StoreError::Damaged(error.to_string()))?;
                Ok(LatestSample { tag, measured_at, value, quality })
            })
            .collect()
    }
}
