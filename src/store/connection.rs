//! How connections are opened: settings, migrations, and the lock that keeps a second writer out.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use super::error::StoreError;

/// Name of the database in the data directory.
pub const FILE_NAME: &str = "parkgate.db";

/// How long a connection waits for another one's write lock. A commit or a compaction step takes milliseconds;
/// whoever waits longer gets [`StoreError::Busy`] and tries again.
pub const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// Marks the file as ours: "PKGT".
const APPLICATION_ID: u32 = 0x504b_4754;

/// The WAL is moved into the database when it has grown to this many pages of 4 kB: 4 MB.
const WAL_PAGES: u32 = 1_000;

/// A WAL that a long reader let grow is cut back to this. **Unit**: bytes.
const WAL_BYTES_MAX: u32 = 16 << 20;

/// Schemas in order: position + 1 is the `user_version` after it. Append only.
pub(super) const MIGRATIONS: &[&str] = &[
    include_str!("schema/001.sql"),
    include_str!("schema/002.sql"),
    include_str!("schema/003.sql"),
    include_str!("schema/004.sql"),
];

/// Where the database is.
#[derive(Debug, Clone)]
pub(super) enum Place {
    /// In a data directory.
    Directory(PathBuf),
    /// A file under another name: what is being recovered.
    File(PathBuf),
    /// In the memory of this process, under a name that its connections share.
    Memory(String),
}

impl Place {
    /// Returns a memory database that no other call returns.
    pub(super) fn memory() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Self::Memory(format!("file:/parkgate-{}?vfs=memdb", NEXT.fetch_add(1, Ordering::Relaxed)))
    }

    fn target(&self) -> PathBuf {
        match self {
            Self::Directory(directory) => directory.join(FILE_NAME),
            Self::File(path) => path.clone(),
            Self::Memory(uri) => PathBuf::from(uri),
        }
    }

    /// Opens the connection that commits; creates the database and brings its schema up to date.
    pub(super) fn open_writer(&self) -> Result<Connection, StoreError> {
        let mut connection = self.open(OpenFlags::SQLITE_OPEN_CREATE)?;
        check_owner(&connection)?;
        // FULL: the WAL reaches the disk before a commit returns. With NORMAL a power cut could take back commits
        // that were already acknowledged to an MQTT broker. One fsync a commit; commits are grouped by the caller.
        connection.execute_batch(&format!(
            "PRAGMA journal_mode = WAL;
             PRAGMA synchronous = FULL;
             PRAGMA wal_autocheckpoint = {WAL_PAGES};
             PRAGMA journal_size_limit = {WAL_BYTES_MAX};
             PRAGMA cache_size = -4096;"
        ))?;
        migrate(&mut connection)?;
        Ok(connection)
    }

    /// Opens a connection that writes cursors beside the committing one.
    pub(super) fn open_second_writer(&self) -> Result<Connection, StoreError> {
        let connection = self.open(OpenFlags::empty())?;
        connection.execute_batch("PRAGMA synchronous = FULL; PRAGMA cache_size = -256;")?;
        Ok(connection)
    }

    /// Opens a connection that can't write. It isn't opened read-only, because the first reader of a WAL database
    /// has to create its index file.
    pub(super) fn open_reader(&self) -> Result<Connection, StoreError> {
        let connection = self.open(OpenFlags::empty())?;
        connection.execute_batch("PRAGMA query_only = ON; PRAGMA cache_size = -1024;")?;
        Ok(connection)
    }

    fn open(&self, more: OpenFlags) -> Result<Connection, StoreError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_URI | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(self.target(), flags | more)?;
        connection.busy_timeout(BUSY_TIMEOUT)?;
        connection.execute_batch(
            "PRAGMA foreign_keys = ON;
             PRAGMA trusted_schema = OFF;
             PRAGMA temp_store = MEMORY;",
        )?;
        Ok(connection)
    }
}

/// Takes the lock of a data directory; the operating system gives it back when the process ends, however it ends.
pub(super) fn lock_directory(directory: &Path) -> Result<File, StoreError> {
    let path = directory.join("parkgate.lock");
    let shown = path.display().to_string();
    let file = File::create(&path).map_err(|source| StoreError::File { path: shown.clone(), source })?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StoreError::InUse(shown)),
        Err(TryLockError::Error(source)) => Err(StoreError::File { path: shown, source }),
    }
}

/// Refuses a database of another program before anything is changed in it.
fn check_owner(connection: &Connection) -> Result<(), StoreError> {
    let owner: u32 = connection.query_row("PRAGMA application_id", [], |row| row.get::<_, i32>(0))?.cast_unsigned();
    let tables: u32 = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    if owner == APPLICATION_ID || (owner == 0 && tables == 0) { Ok(()) } else { Err(StoreError::Foreign(owner)) }
}

/// Applies the missing migrations, each in a transaction of its own.
fn migrate(connection: &mut Connection) -> Result<(), StoreError> {
    let found: u32 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    let known = u32::try_from(MIGRATIONS.len()).unwrap_or(u32::MAX);
    if found > known {
        return Err(StoreError::Newer { found, known });
    }
    for (version, sql) in (1..).zip(MIGRATIONS).skip(found as usize) {
        let transaction = connection.transaction()?;
        transaction.execute_batch(sql)?;
        transaction
            .execute_batch(&format!("PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {version};"))?;
        transaction.commit()?;
    }
    Ok(())
}
