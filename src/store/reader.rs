//! What API, pages and sinks read, beside the connection that commits.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use rusqlite::Connection;

use super::backlog::{self, Backlog, Log};
use super::connection::Place;
use super::cursors::{self, Undeliverable};
use super::error::StoreError;
use super::latest::{Latest, LatestSample};
use super::samples::{self, CommittedSample, SampleRun};
use super::statements::{self, Declaration, Statements};
use super::{facts, journal, pages, records};
use crate::ledger::page::{Head, SignedPage};
use crate::model::context::ContextEvent;
use crate::model::fact::Facts;
use crate::model::id::{AssetId, Digest, StreamName};
use crate::model::record::WindowRecord;
use crate::model::time::{Grain, Timestamp};

/// Connections of one reader and its clones, at most; each may hold 1 MB of cache. Whoever comes when all are busy
/// waits for one.
const CONNECTIONS_MAX: usize = 4;

/// Reads committed data. Cheap to clone; clones share a few connections. Every method blocks.
#[derive(Debug, Clone)]
pub struct Reader {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    place: Place,
    pool: Mutex<Pool>,
    freed: Condvar,
    latest: Mutex<Latest>,
}

#[derive(Debug, Default)]
struct Pool {
    idle: Vec<Connection>,
    open: usize,
}

/// How much the store holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Samples ever committed.
    pub samples: u64,
    /// Records in the log.
    pub records: u64,
    /// Pages of all streams.
    pub pages: u64,
}

impl Reader {
    /// Opens a reader of an existing database.
    ///
    /// # Errors
    /// [`StoreError::Io`] where there is none.
    pub fn open(dir: &Path) -> Result<Self, StoreError> {
        let reader = Self::at(Place::Directory(dir.to_owned()));
        reader.counts()?;
        Ok(reader)
    }

    pub(super) fn at(place: Place) -> Self {
        let shared = Shared { place, pool: Mutex::default(), freed: Condvar::new(), latest: Mutex::default() };
        Self { shared: Arc::new(shared) }
    }

    /// Opens the place where statements are written down, on a connection of its own.
    ///
    /// # Errors
    /// Those of opening a connection.
    pub fn statements(&self) -> Result<Statements, StoreError> {
        Statements::at(&self.shared.place)
    }

    /// Returns up to `limit` events of production context whose number is above `after`, ascending; of one asset or of
    /// all.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] where a row can't be read.
    pub fn contexts(
        &self,
        after: i64,
        asset: Option<&AssetId>,
        limit: usize,
    ) -> Result<Vec<(i64, ContextEvent)>, StoreError> {
        self.with(|connection| statements::contexts(connection, after, asset, limit))
    }

    /// Returns every declaration, by number.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] where a row can't be read.
    pub fn declarations(&self) -> Result<Vec<Declaration>, StoreError> {
        self.with(|connection| statements::declarations(connection, None))
    }

    /// Returns one declaration; `None` where there is none of that number.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] where it can't be read.
    pub fn declaration(&self, id: i64) -> Result<Option<Declaration>, StoreError> {
        self.with(|connection| Ok(statements::declarations(connection, Some(id))?.pop()))
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
        self.with(|connection| facts::read(connection, asset, from, to))
    }

    /// Returns the newest minute of an asset that has facts.
    ///
    /// # Errors
    /// Those of a read.
    pub fn latest_minute(&self, asset: &AssetId) -> Result<Option<Timestamp>, StoreError> {
        self.with(|connection| facts::latest_minute(connection, asset))
    }

    /// Returns at most `limit` records with a log number above `log_seq`, ascending: what an unsigned sink sends.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] where a row can't be read.
    pub fn records_after(&self, log_seq: u64, limit: usize) -> Result<Vec<(u64, WindowRecord)>, StoreError> {
        self.with(|connection| records::after(connection, log_seq, limit))
    }

    /// Returns the newest revision of the window that starts at `start`.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] where a row can't be read.
    pub fn record(&self, asset: &AssetId, grain: Grain, start: Timestamp) -> Result<Option<WindowRecord>, StoreError> {
        self.with(|connection| records::newest(connection, asset, grain, start))
    }

    /// Returns the newest revision of each window that starts within `[from, to)`, by start.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] where a row can't be read.
    pub fn records(
        &self,
        asset: &AssetId,
        grain: Grain,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<WindowRecord>, StoreError> {
        let by_start: BTreeMap<Timestamp, WindowRecord> = self
            .record_revisions(asset, grain, from, to)?
            .into_iter()
            .map(|record| (record.window.start, record))
            .collect();
        Ok(by_start.into_values().collect())
    }

    /// Returns every revision of the windows that start within `[from, to)`, by start, then revision.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] where a row can't be read.
    pub fn record_revisions(
        &self,
        asset: &AssetId,
        grain: Grain,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<WindowRecord>, StoreError> {
        self.with(|connection| records::revisions(connection, asset, grain, from, to))
    }

    /// Returns the records whose lineage has this digest: the way back from a shared record.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] where a row can't be read.
    pub fn records_of_inputs(&self, inputs_digest: Digest) -> Result<Vec<WindowRecord>, StoreError> {
        self.with(|connection| records::by_inputs(connection, inputs_digest))
    }

    /// Returns at most `limit` pages of one epoch with a number above `seq`, ascending.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] where a row can't be read.
    pub fn pages_after(
        &self,
        stream: &StreamName,
        epoch: u32,
        seq: u64,
        limit: usize,
    ) -> Result<Vec<SignedPage>, StoreError> {
        self.with(|connection| pages::after(connection, stream, epoch, seq, limit))
    }

    /// Returns one page.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] where a row can't be read.
    pub fn page(&self, stream: &StreamName, epoch: u32, seq: u64) -> Result<Option<SignedPage>, StoreError> {
        self.with(|connection| pages::one(connection, stream, epoch, seq))
    }

    /// Returns the newest page of each stream.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] where a row can't be read.
    pub fn heads(&self) -> Result<BTreeMap<StreamName, Head>, StoreError> {
        self.with(pages::heads)
    }

    /// Returns the newest sample of each tag that ever had one, by name. Cheap to call every second: each call reads
    /// what was committed since the one before.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] where stored bytes aren't what was written.
    pub fn latest_samples(&self) -> Result<Vec<LatestSample>, StoreError> {
        let mut latest = lock(&self.shared.latest);
        self.with(|connection| {
            latest.catch_up(connection)?;
            latest.named(connection)
        })
    }

    /// Calls `take` with the samples of whole commits after `commit_seq`, in the order of their arrival, until they
    /// are more than `limit`; one commit in any case. Cheap per sample: nothing is kept in between.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] where stored bytes aren't what was written; samples before the fault have been taken.
    pub fn samples_after(
        &self,
        commit_seq: u64,
        limit: u64,
        take: impl FnMut(CommittedSample),
    ) -> Result<SampleRun, StoreError> {
        self.with(|connection| samples::after(connection, commit_seq, limit, take))
    }

    /// Calls `take` with lasting number and name of each tag beyond number `after`, ascending: of every tag that ever
    /// was, in every meaning it had.
    ///
    /// # Errors
    /// Those of a read.
    pub fn tag_names_after(&self, after: u32, take: impl FnMut(u32, &str)) -> Result<(), StoreError> {
        self.with(|connection| samples::tag_names_after(connection, after, take))
    }

    /// Returns a sink's position, 0 before the first.
    ///
    /// # Errors
    /// Those of a read.
    pub fn cursor(&self, sink: &str) -> Result<u64, StoreError> {
        self.with(|connection| cursors::position_of(connection, sink))
    }

    /// Returns at most `limit` things a sink's destination refused, oldest position first.
    ///
    /// # Errors
    /// Those of a read.
    pub fn undeliverable(&self, sink: &str, limit: usize) -> Result<Vec<Undeliverable>, StoreError> {
        self.with(|connection| cursors::refused(connection, sink, limit))
    }

    /// Returns how many things each sink's destination refused; sinks without any are absent.
    ///
    /// # Errors
    /// Those of a read.
    pub fn undeliverable_counts(&self) -> Result<BTreeMap<String, u64>, StoreError> {
        self.with(cursors::refused_counts)
    }

    /// Returns what a destination at position `after` has still to take. `before` is what the last look saw, if any: only
    /// what has changed since is summed.
    ///
    /// # Errors
    /// Those of a read.
    pub fn backlog(&self, log: &Log, after: u64, before: Option<Backlog>) -> Result<Backlog, StoreError> {
        self.with(|connection| backlog::after(connection, log, after, before))
    }

    /// Returns how much there is; cheap, nothing is counted one by one.
    ///
    /// # Errors
    /// Those of a read.
    pub fn counts(&self) -> Result<Counts, StoreError> {
        self.with(|connection| {
            let (_, samples) = journal::newest(connection)?;
            Ok(Counts { samples, records: records::count(connection)?, pages: pages::count(connection)? })
        })
    }

    /// Returns the size of the database without its WAL. **Unit**: bytes.
    ///
    /// # Errors
    /// Those of a read.
    pub fn bytes(&self) -> Result<u64, StoreError> {
        self.with(|connection| {
            let bytes: i64 = connection.query_row(
                "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()",
                [],
                |row| row.get(0),
            )?;
            Ok(bytes.unsigned_abs())
        })
    }

    pub(super) fn place(&self) -> &Place {
        &self.shared.place
    }

    pub(super) fn with<T>(&self, read: impl FnOnce(&Connection) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let lease = self.shared.lease()?;
        read(lease.connection())
    }
}

impl Shared {
    fn lease(&self) -> Result<Lease<'_>, StoreError> {
        let mut pool = lock(&self.pool);
        while pool.idle.is_empty() && pool.open >= CONNECTIONS_MAX {
            pool = self.freed.wait(pool).unwrap_or_else(PoisonError::into_inner);
        }
        if let Some(connection) = pool.idle.pop() {
            return Ok(Lease { shared: self, connection: Some(connection) });
        }
        pool.open += 1;
        drop(pool);
        let mut lease = Lease { shared: self, connection: None };
        lease.connection = Some(self.place.open_reader()?);
        Ok(lease)
    }
}

/// One connection in use; it goes back to the pool when dropped, and makes room where it failed to open.
struct Lease<'p> {
    shared: &'p Shared,
    connection: Option<Connection>,
}

impl Lease<'_> {
    fn connection(&self) -> &Connection {
        self.connection.as_ref().expect("a lease is handed out with its connection")
    }
}

impl Drop for Lease<'_> {
    fn drop(&mut self) {
        let mut pool = lock(&self.shared.pool);
        match self.connection.take() {
            Some(connection) => pool.idle.push(connection),
            None => pool.open -= 1,
        }
        drop(pool);
        self.shared.freed.notify_one();
    }
}

/// A panic while reading leaves nothing half-written behind.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
