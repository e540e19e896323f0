//! The embedded store: one SQLite file, `parkgate.db`, in the data directory.
//!
//! In: a [`Commit`], everything one turn of the pipeline decided. Out: what restart, sinks, API and pages read.
//! A commit is one transaction: after a crash either all of it is there or nothing. A turn that only carries samples
//! writes one row-block for each batch and no more; [`Store::compact`] later moves the blocks into compressed chunks
//! of one tag each, without changing what [`Store::journal`] returns but for tags whose history is thinned by choice.
//!
//! What never happens here: a published record or page is rewritten; a page's bytes are serialised again; a clock is
//! read (`now` is the caller's); a failed commit leaves a part of itself.
//!
//! Who uses which door: the pipeline owns the one [`Store`], API and pages clone a [`Reader`], each sink keeps its
//! place through [`Cursors`]. All methods block; asynchronous callers use `spawn_blocking`. The tables are in
//! `schema/`, in words in `docs/store.md`.

mod backlog;
mod backup;
mod block;
mod chunk;
mod clock;
mod columns;
mod commit;
mod compact;
pub mod config;
mod connection;
mod cursors;
mod egress;
mod envelope;
mod error;
mod exchanges;
mod facts;
mod history;
mod journal;
mod latest;
mod packed;
mod pages;
mod reader;
mod records;
mod recover;
mod reframe;
mod retain;
mod salvage;
mod samples;
mod shares;
mod span;
mod statements;
mod stored;
mod stretch;
mod swaps;
mod tags;
#[cfg(test)]
pub(crate) mod tests;
mod thin;

use std::fs::File;
use std::path::Path;

use rusqlite::{Connection, OptionalExtension};

pub use backlog::{Backlog, Log};
pub use backup::{Backup, backup};
pub use commit::Commit;
pub use compact::Compaction;
pub use connection::{BUSY_TIMEOUT, FILE_NAME};
pub use cursors::{Cursors, Undeliverable, epoch_cursor, reached_cursor};
pub use egress::{EgressFilter, PageLeft, Place as EgressPlace, Stayed};
pub use error::{Decision, StoreError};
pub use exchanges::{Cargo, Exchange, Outcome};
pub use journal::{JournalEntry, Resume};
pub use latest::LatestSample;
pub use reader::{Counts, Reader};
pub use recover::{Recovered, Recovery, recover};
pub use retain::{Removal, Retention, Why};
pub use salvage::Salvaged;
pub use samples::{CommittedSample, SampleRun};
pub use shares::{AskedShare, Confirmations, Unconfirmed};
pub use statements::{Declaration, Standing, Statements, Told, Unsaid, Word};
pub use swaps::{SwapRow, Swaps};

use crate::model::fact::Facts;
use crate::model::id::{AssetId, Digest};
use crate::model::record::ClockState;
use crate::model::statement::Statement;
use crate::model::swap::Swap;
use crate::model::tag::TagSpec;
use crate::model::time::{Grain, Timestamp, Window};
use connection::Place;
use stretch::Stretch;
use tags::TagIds;

/// The one connection that commits. Not shared: whoever holds it is the pipeline.
#[derive(Debug)]
pub struct Store {
    place: Place,
    connection: Connection,
    tags: TagIds,
    /// Of the newest commit; 0 before the first.
    last_seq: u64,
    /// Of the newest commit; `None` before the first.
    clock_state: Option<ClockState>,
    /// Of all commits.
    samples_total: u64,
    /// Of the newest compacted commit; 0 before the first.
    compacted_through: u64,
    /// Of all compacted commits.
    samples_compacted: u64,
    /// Commits that are on their way into chunks.
    stretch: Option<Stretch>,
    /// Cursors of sinks that read samples.
    holding_sinks: Vec<String>,
    /// Staged samples up to which they hold compaction up.
    held_samples_max: u64,
    retaining: retain::Retaining,
    _lock: Option<File>,
}

impl Store {
    /// Opens the database in `dir`, creates it where there is none, and brings its schema up to date. `tags` and
    /// `config_text` are what runs; both are kept, so that old figures can be explained.
    ///
    /// # Errors
    /// [`StoreError::InUse`] where another process has it open, [`StoreError::Newer`] where a newer program wrote it,
    /// [`StoreError::Foreign`] where it isn't ours; all mean stop.
    pub fn open(dir: &Path, tags: &[TagSpec], config: Digest, config_text: &str) -> Result<Self, StoreError> {
        let lock = connection::lock_directory(dir)?;
        recover::finish(dir)?;
        Self::open_at(Place::Directory(dir.to_owned()), Some(lock), tags, config, config_text)
    }

    /// Opens an empty database in memory: for replay and tests. It ends with its last connection.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`] where there is no memory for it.
    pub fn open_in_memory(tags: &[TagSpec], config: Digest, config_text: &str) -> Result<Self, StoreError> {
        Self::open_at(Place::memory(), None, tags, config, config_text)
    }

    fn open_at(
        place: Place,
        lock: Option<File>,
        tags: &[TagSpec],
        config: Digest,
        config_text: &str,
    ) -> Result<Self, StoreError> {
        let mut connection = place.open_writer()?;
        let transaction = connection.transaction()?;
        let config = tags::remember_configuration(&transaction, config, config_text)?;
        let tags = TagIds::remember(&transaction, config, tags)?;
        transaction.commit()?;
        let samples_compacted = journal::meta(&connection, journal::COMPACTED_SAMPLES)?;
        let (last_seq, samples_total) = journal::newest(&connection)?;
        let clock_state = clock::newest(&connection)?;
        let compacted_through = journal::meta(&connection, journal::COMPACTED_THROUGH)?;
        stretch::discard(&connection, compacted_through)?;
        Ok(Self {
            place,
            connection,
            tags,
            last_seq,
            clock_state,
            samples_total,
            compacted_through,
            samples_compacted,
            stretch: None,
            holding_sinks: Vec::new(),
            held_samples_max: compact::HELD_SAMPLES_MAX,
            retaining: retain::Retaining::default(),
            _lock: lock,
        })
    }

    /// Returns the sequence number of the newest commit, 0 before the first.
    pub const fn last_seq(&self) -> u64 {
        self.last_seq
    }

    /// Returns the clock's state as it was committed last; `None` before the first commit.
    pub const fn clock_state(&self) -> Option<ClockState> {
        self.clock_state
    }

    /// Returns what a restart needs beside the [journal](Store::journal) after it: the newest checkpoint, and the end
    /// of each stream.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] where stored bytes aren't what was written; the caller stops.
    pub fn resume(&self) -> Result<Resume, StoreError> {
        let (checkpoint, after) = journal::checkpoint(&self.connection)?.unzip();
        let after = match after {
            Some(after) => after,
            None => journal::meta(&self.connection, journal::RESTART_AFTER)?,
        };
        Ok(Resume {
            checkpoint,
            after,
            heads: pages::heads(&self.connection)?,
            clock: clock::history(&self.connection)?,
        })
    }

    /// Returns at most `limit` commits from `from_seq` on, ascending, each batch exactly as it was committed.
    /// Compaction doesn't change the answer, but for what it left out of thinned tags: see [`JournalEntry::thinned`].
    ///
    /// Tags are those of the open configuration. Samples of a tag that it doesn't have, or gives another meaning,
    /// can't be expressed and are counted in [`JournalEntry::unmapped`].
    ///
    /// # Errors
    /// [`StoreError::Damaged`] where stored bytes aren't what was written.
    pub fn journal(&self, from_seq: u64, limit: usize) -> Result<Vec<JournalEntry>, StoreError> {
        journal::read(&self.connection, &self.tags, from_seq, limit)
    }

    /// Returns the tags of which compaction left samples out, by name, with how many.
    ///
    /// # Errors
    /// Those of a read.
    pub fn thinned(&self) -> Result<Vec<(String, u64)>, StoreError> {
        let mut statement = self.connection.prepare(
            "SELECT name, sum(dropped) FROM chunks JOIN tags ON tags.id = chunks.tag
             WHERE dropped > 0 GROUP BY name ORDER BY name",
        )?;
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get::<_, i64>(1)?.unsigned_abs())))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Returns the told swaps that no commit has taken, in the order they were told. Cheap to call for each commit.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] where a row can't be read.
    pub fn waiting_swaps(&self) -> Result<Vec<Swap>, StoreError> {
        swaps::waiting(&self.connection)
    }

    /// Returns the statements that no commit has taken, in the order they were written down. Cheap to call for each
    /// commit.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] where a row can't be read.
    pub fn waiting_statements(&self) -> Result<Vec<Statement>, StoreError> {
        statements::waiting(&self.connection)
    }

    /// Returns the highest revision of a window's record, `None` where it never closed.
    ///
    /// # Errors
    /// Those of a read.
    pub fn revised(&self, asset: &AssetId, grain: Grain, window: Window) -> Result<Option<u32>, StoreError> {
        records::last_revision(&self.connection, asset, grain, window.start)
    }

    /// Says whether records of a window's time may have been deleted for room.
    ///
    /// # Errors
    /// Those of a read.
    pub fn has_removed_records(&self, window: Window) -> Result<bool, StoreError> {
        let later = "SELECT EXISTS (SELECT 1 FROM removals WHERE what = 'records' AND to_at >= ?1)";
        Ok(self.connection.query_row(later, [window.end.0], |row| row.get(0))?)
    }

    /// Returns an asset's facts by minute within `[from, to)`, ascending.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] where a row can't be read.
    pub fn facts(
        &self,
        asset: &AssetId,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<(Timestamp, Facts)>, StoreError> {
        facts::read(&self.connection, asset, from, to)
    }

    /// Returns the text of a configuration that once ran.
    ///
    /// # Errors
    /// Those of a read.
    pub fn configuration(&self, digest: Digest) -> Result<Option<String>, StoreError> {
        let text = self
            .connection
            .query_row("SELECT text FROM configurations WHERE digest = ?1", [digest.0], |row| row.get(0))
            .optional()?;
        Ok(text)
    }

    /// Returns a reader of the same database.
    pub fn reader(&self) -> Reader {
        Reader::at(self.place.clone())
    }

    /// Returns the statements of the same database.
    ///
    /// # Errors
    /// Those of opening a connection.
    pub fn statements(&self) -> Result<Statements, StoreError> {
        Statements::at(&self.place)
    }

    /// Returns the cursors of the same database.
    ///
    /// # Errors
    /// Those of opening a connection.
    pub fn cursors(&self) -> Result<Cursors, StoreError> {
        Cursors::at(&self.place)
    }
}

/// Returns the form in which SQLite keeps a position. It has no unsigned 64-bit integers; a position beyond 2⁶³−1
/// is after everything either way.
fn position(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}
