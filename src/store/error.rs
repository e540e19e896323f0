//! What can go wrong in the store, and what the caller does about it.

use rusqlite::ErrorCode;

/// What the caller does after a [`StoreError`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// The store is unchanged; try the same commit again later. Sources aren't acknowledged meanwhile, and health
    /// shows the reason.
    Retry,
    /// Trying again can't help. Stop and say so: a human is needed.
    Stop,
}

/// A failure of the store. Whatever failed left it unchanged.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The disk, or the configured size, is used up.
    #[error("parkgate.db: no room left on its disk: {0}")]
    Full(#[source] rusqlite::Error),
    /// The file system or the file can't be written, as after a failing card was remounted read-only.
    #[error("parkgate.db: can't be written, the file or its file system is read-only: {0}")]
    ReadOnly(#[source] rusqlite::Error),
    /// Another connection held the write lock longer than [`super::BUSY_TIMEOUT`].
    #[error("parkgate.db: locked by another connection for more than 5 s: {0}")]
    Busy(#[source] rusqlite::Error),
    /// The operating system failed to read or write.
    #[error("parkgate.db: input or output failed: {0}")]
    Io(#[source] rusqlite::Error),
    /// A file beside the database can't be used.
    #[error("{path}: {source}")]
    File {
        /// Which file.
        path: String,
        /// The operating system's words.
        source: std::io::Error,
    },
    /// SQLite says that the file is damaged.
    #[error("parkgate.db: damaged: {0}")]
    Corrupt(#[source] rusqlite::Error),
    /// A stored value isn't what was written.
    #[error("parkgate.db: damaged: {0}")]
    Damaged(String),
    /// Written by a newer program.
    #[error("parkgate.db: has schema {found}, this program knows up to {known}: run the newer program again")]
    Newer {
        /// `user_version` of the file.
        found: u32,
        /// The newest schema of this program.
        known: u32,
    },
    /// Written by an older program, and not brought up to date yet.
    #[error("parkgate.db: has schema {found}, this needs {needed}: start `parkgate run` of this version once")]
    Older {
        /// `user_version` of the file.
        found: u32,
        /// The schema that is needed.
        needed: u32,
    },
    /// A database, but not one of ours.
    #[error("parkgate.db: belongs to another program (application id {0:#010x})")]
    Foreign(u32),
    /// Another process writes this data directory.
    #[error("{0}: another process is using this data directory")]
    InUse(String),
    /// What was handed over contradicts what is stored, as a record revision that exists or a page that doesn't
    /// continue its stream: a defect of the caller.
    #[error("parkgate.db: {0}")]
    Contradiction(String),
    /// Anything else that SQLite reports.
    #[error("parkgate.db: {0}")]
    Sqlite(#[source] rusqlite::Error),
}

impl StoreError {
    /// Returns what the caller does.
    pub const fn decision(&self) -> Decision {
        match self {
            Self::Full(_) | Self::ReadOnly(_) | Self::Busy(_) | Self::Io(_) => Decision::Retry,
            Self::File { .. }
            | Self::Corrupt(_)
            | Self::Damaged(_)
            | Self::Newer { .. }
            | Self::Older { .. }
            | Self::Foreign(_)
            | Self::InUse(_)
            | Self::Contradiction(_)
            | Self::Sqlite(_) => Decision::Stop,
        }
    }
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => Self::Full(error),
            Some(ErrorCode::ReadOnly) => Self::ReadOnly(error),
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Busy(error),
            Some(ErrorCode::SystemIoFailure | ErrorCode::CannotOpen) => Self::Io(error),
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Self::Corrupt(error),
            Some(ErrorCode::ConstraintViolation) => Self::Contradiction(error.to_string()),
            _ => Self::Sqlite(error),
        }
    }
}
