//! A copy of the whole database, taken while the box runs.
//!
//! In: the data directory of a running or a stopped box. Out: one file that holds everything up to one commit and nothing of
//! the next, checked before it gets its name. The box commits on meanwhile.

use std::fs::File;
use std::path::Path;

use rusqlite::Connection;

use super::connection::{FILE_NAME, Place};
use super::error::StoreError;
use super::journal;
use super::reader::{Counts, Reader};

/// Name of the copy until it is whole and checked.
const UNFINISHED: &str = "parkgate.db.unfinished";

/// What a copy holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backup {
    /// The newest commit in it; 0 before the first.
    pub through: u64,
    /// How much it holds.
    pub counts: Counts,
    /// Size of the file. **Unit**: bytes.
    pub bytes: u64,
}

/// Copies the database of the data directory `from` into the directory `to`, under its own name.
///
/// # Errors
/// [`StoreError::Io`] where there is no database; [`StoreError::Contradiction`] where `to` holds one already, which is never
/// replaced; those of writing. No half copy is left under the database's name.
pub fn backup(from: &Path, to: &Path) -> Result<Backup, StoreError> {
    let (unfinished, finished) = (to.join(UNFINISHED), to.join(FILE_NAME));
    if finished.exists() {
        let message = format!("{} exists; a backup never replaces another", finished.display());
        return Err(StoreError::Contradiction(message));
    }
    let failed = |path: &Path| {
        let path = path.display().to_string();
        move |source| StoreError::File { path, source }
    };
    if unfinished.exists() {
        std::fs::remove_file(&unfinished).map_err(failed(&unfinished))?;
    }
    let source = Place::Directory(from.to_owned()).open_second_writer()?;
    // One read transaction: the copy is the database as of one commit, however long the copying takes.
    source.execute("VACUUM INTO ?1", [unfinished.to_string_lossy()])?;
    check(&unfinished)?;
    let file = File::open(&unfinished).map_err(failed(&unfinished))?;
    file.sync_all().map_err(failed(&unfinished))?;
    std::fs::rename(&unfinished, &finished).map_err(failed(&finished))?;
    File::open(to).and_then(|directory| directory.sync_all()).map_err(failed(to))?;
    let bytes = file.metadata().map_err(failed(&finished))?.len();
    let counts = Reader::open(to)?.counts()?;
    let (through, _) = journal::newest(&Place::Directory(to.to_owned()).open_reader()?)?;
    Ok(Backup { through, counts, bytes })
}

/// Has SQLite walk through the copy.
fn check(path: &Path) -> Result<(), StoreError> {
    let copy = Connection::open(path)?;
    let said: String = copy.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    if said == "ok" { Ok(()) } else { Err(StoreError::Damaged(format!("the copy {}: {said}", path.display()))) }
}
