//! A new database from what can be read of a damaged one.
//!
//! The damaged file is only read, then put into quarantine under another name together with its write-ahead log, and
//! never deleted. What was lost is counted by table, in the new database and in a file beside the old one.
//!
//! What is mended so that the box can go on: commits that are missing among the staged ones become empty ones, numbers
//! never run backwards, a stream goes on after the newest page that is known, and without a checkpoint the engine
//! begins anew after the last commit.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, OptionalExtension, params};
use serde::Serialize;

use super::connection::{self, FILE_NAME, Place};
use super::error::StoreError;
use super::journal::{self, COMPACTED_THROUGH, RESTART_AFTER, meta, set_meta};
use super::retain::REMOVED_THROUGH;
use super::salvage::{self, Salvaged};
use super::{Reader, block, position, reframe, span};
use crate::model::time::Timestamp;

/// Tables whose loss may have taken what an authority holds already.
const OF_STREAMS: [&str; 4] = ["pages", "streams", "records", "commits"];

/// Commits that may be missing at the end, at most: what a month brings at ten a second.
const LOST_COMMITS_MAX: u64 = 30_000_000;

/// What was recovered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recovery {
    /// Name of the damaged file, beside the new one.
    pub quarantine: String,
    /// Whether each stream has to begin a new epoch, because pages, records or commits may be gone.
    pub needs_epoch: bool,
    /// By table.
    pub tables: Vec<Salvaged>,
    /// Where the report was written.
    pub report: PathBuf,
}

/// A recovery that a database is the outcome of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recovered {
    /// When.
    pub at: Timestamp,
    /// Name of the damaged file.
    pub quarantine: String,
    /// Whether each stream has to begin a new epoch.
    pub needs_epoch: bool,
    /// By table, in a line each where something is gone.
    pub lines: Vec<String>,
    /// By stream, the epoch that it was in then.
    pub epochs: BTreeMap<String, u32>,
}

#[derive(Serialize)]
struct Line<'a> {
    table: &'a str,
    recovered: u64,
    unsound: u64,
    lost: Option<u64>,
    whole: bool,
}

/// Makes a new database from what can be read of the one in `directory` and puts that one into quarantine. `stamp` is
/// what its name is marked with, `now` when it happened.
///
/// # Errors
/// [`StoreError::InUse`] while a box runs; [`StoreError::Contradiction`] where nothing at all can be read, which leaves
/// everything as it was; those of writing.
pub fn recover(directory: &Path, stamp: &str, now: Timestamp) -> Result<Recovery, StoreError> {
    let _lock = connection::lock_directory(directory)?;
    finish(directory)?;
    let damaged = directory.join(FILE_NAME);
    let building = directory.join("parkgate.db.recovering");
    for name in ["parkgate.db.recovering", "parkgate.db.recovering-wal", "parkgate.db.recovering-shm"] {
        remove(&directory.join(name))?;
    }
    let quarantine = format!("{FILE_NAME}.damaged-{stamp}");
    if directory.join(&quarantine).exists() {
        return Err(StoreError::Contradiction(format!("{quarantine} exists already")));
    }
    let from = open_damaged(&damaged)?;
    let (tables, needs_epoch) = build(&building, &from, now, &quarantine)?;
    drop(from);
    let report = directory.join(format!("{quarantine}.report.json"));
    write_report(&report, &tables)?;
    // From here on a kill is made up for by whoever opens the directory next.
    let ready = directory.join(format!("{READY}{stamp}"));
    fs::rename(&building, &ready).map_err(|source| failed(&ready, source))?;
    finish(directory)?;
    Ok(Recovery { quarantine, needs_epoch, tables, report })
}

/// Name of a whole new database before it takes the damaged one's place; the stamp follows.
const READY: &str = "parkgate.db.recovered-";

/// Puts a new database in its place where a kill kept [`recover`] from it. The write-ahead log goes first: what is left
/// of it beside another database would be taken for its own.
pub(super) fn finish(directory: &Path) -> Result<(), StoreError> {
    let entries = fs::read_dir(directory).map_err(|source| failed(directory, source))?;
    let ready: Option<(PathBuf, String)> = entries.filter_map(Result::ok).find_map(|entry| {
        let name = entry.file_name().into_string().ok()?;
        Some((entry.path(), name.strip_prefix(READY)?.to_owned()))
    });
    let Some((ready, stamp)) = ready else { return Ok(()) };
    for end in ["-wal", "-shm", ""] {
        let (old, new) = (format!("{FILE_NAME}{end}"), format!("{FILE_NAME}.damaged-{stamp}{end}"));
        let new = directory.join(new);
        match fs::rename(directory.join(old), &new) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(failed(&new, error)),
            _ => {}
        }
    }
    let place = directory.join(FILE_NAME);
    fs::rename(&ready, &place).map_err(|source| failed(&place, source))?;
    File::open(directory).and_then(|directory| directory.sync_all()).map_err(|source| failed(directory, source))
}

fn failed(path: &Path, source: std::io::Error) -> StoreError {
    StoreError::File { path: path.display().to_string(), source }
}

fn remove(path: &Path) -> Result<(), StoreError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(failed(path, error)),
        _ => Ok(()),
    }
}

/// Opens the damaged database so that nothing of it changes: no checkpoint, not even when it is closed.
fn open_damaged(path: &Path) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    connection.execute_batch(
        "PRAGMA wal_autocheckpoint = 0; PRAGMA query_only = ON; PRAGMA cell_size_check = ON; PRAGMA trusted_schema = OFF;",
    )?;
    Ok(connection)
}

fn build(
    path: &Path,
    from: &Connection,
    now: Timestamp,
    quarantine: &str,
) -> Result<(Vec<Salvaged>, bool), StoreError> {
    let mut to = Place::File(path.to_owned()).open_writer()?;
    to.execute_batch("PRAGMA foreign_keys = OFF; PRAGMA journal_mode = DELETE;")?;
    let transaction = to.transaction()?;
    let tables = salvage::copy(from, &transaction)?;
    if tables.iter().all(|table| table.recovered == 0) {
        let message = "nothing of the damaged database can be read: restore a backup; everything was left as it was";
        return Err(StoreError::Contradiction(message.to_owned()));
    }
    let has_lost = |names: &[&str]| {
        let lost = |table: &&Salvaged| !table.is_whole || table.unsound > 0;
        tables.iter().filter(lost).any(|table| names.contains(&table.table.as_str()))
    };
    let needs_epoch = has_lost(&OF_STREAMS);
    mend(&transaction, has_lost(&["chunks", "spans", "meta"]))?;
    transaction.execute(
        "INSERT INTO recoveries (at, quarantine, needs_epoch, report, epochs)
         SELECT ?1, ?2, ?3, ?4, coalesce((SELECT json_group_object(stream, epoch) FROM streams), '{}')",
        params![now.0, quarantine, needs_epoch, report_of(&tables)],
    )?;
    transaction.commit()?;
    let wrong: Option<String> = to.query_row("PRAGMA foreign_key_check", [], |row| row.get(0)).optional()?;
    if let Some(table) = wrong {
        return Err(StoreError::Damaged(format!("what was recovered of {table} refers to what is gone")));
    }
    drop(to);
    File::open(path).and_then(|file| file.sync_all()).map_err(|source| failed(path, source))?;
    Ok((tables, needs_epoch))
}

fn report_of(tables: &[Salvaged]) -> String {
    let line = |table: &'_ Salvaged| {
        let Salvaged { table, recovered, unsound, lost, is_whole } = table.clone();
        serde_json::json!(Line { table: &table, recovered, unsound, lost, whole: is_whole })
    };
    serde_json::Value::Array(tables.iter().map(line).collect()).to_string()
}

fn write_report(path: &Path, tables: &[Salvaged]) -> Result<(), StoreError> {
    fs::write(path, report_of(tables)).map_err(|source| failed(path, source))
}

/// Makes what was recovered into something a box can go on from.
fn mend(connection: &Connection, is_history_damaged: bool) -> Result<(), StoreError> {
    let newest = |sql: &str| -> Result<u64, StoreError> {
        let newest: Option<i64> = connection.query_row(sql, [], |row| row.get(0))?;
        Ok(newest.unwrap_or(0).max(0).unsigned_abs())
    };
    // Spans and what is staged must not overlap, and every number that was given stays given.
    let spans = newest("SELECT max(last_seq) FROM spans")?;
    let compacted = meta(connection, COMPACTED_THROUGH)?.max(spans).max(meta(connection, REMOVED_THROUGH)?);
    set_meta(connection, COMPACTED_THROUGH, compacted)?;
    connection.execute("DELETE FROM commits WHERE seq <= ?1", [position(compacted)])?;
    connection.execute("DELETE FROM staging WHERE id < ?1", [block::staging_id(compacted + 1)])?;
    let last = [
        compacted,
        newest("SELECT max(seq) FROM commits")?,
        newest("SELECT max(id) / 65536 FROM staging")?,
        newest("SELECT max(commit_seq) FROM checkpoint")?,
    ];
    let last = last.into_iter().max().unwrap_or(compacted);
    let named = [
        newest("SELECT max(from_seq) FROM clock_states")?,
        newest("SELECT max(taken_by) FROM statements")?,
        newest("SELECT max(taken_by) FROM swaps")?,
        newest("SELECT max(taken_by) FROM shares")?,
        newest("SELECT max(position) FROM cursors WHERE sink LIKE '%.samples'")?,
    ];
    // A number that is far beyond the others isn't one that was given.
    let named = named.into_iter().filter(|named| *named <= last + LOST_COMMITS_MAX);
    let last = named.fold(last, u64::max);
    if is_history_damaged {
        reframe::reframe(connection)?;
    }
    fill_commits(connection, compacted, last)?;
    renumber_batches(connection)?;
    name_what_is_gone(connection)?;
    // A cursor over the record log doesn't wait for numbers that will be given again.
    connection.execute(
        "UPDATE cursors SET position = (SELECT coalesce(max(log_seq), 0) FROM records)
         WHERE sink NOT LIKE '%.%' AND sink NOT IN (SELECT stream FROM pages UNION SELECT stream FROM streams)
         AND position > (SELECT coalesce(max(log_seq), 0) FROM records)",
        [],
    )?;
    // What was damaged may have the schema of before pages said what they are for.
    connection.execute(
        "UPDATE pages SET kind = 1 WHERE kind = 0 AND instr(bytes, CAST('\"kind\":\"policy\"' AS BLOB)) > 0",
        [],
    )?;
    // A stream goes on after the newest page that is known: by its own row, or by what is left of the pages.
    connection.execute(
        "INSERT INTO streams (stream, epoch, seq, hash, policy, pages)
         SELECT stream, epoch, seq, hash, policy, (SELECT count(*) FROM pages WHERE stream = p.stream) FROM pages AS p
         WHERE (epoch, seq) = (SELECT epoch, seq FROM pages WHERE stream = p.stream ORDER BY epoch DESC, seq DESC LIMIT 1)
         ON CONFLICT (stream) DO UPDATE SET epoch = excluded.epoch, seq = excluded.seq, hash = excluded.hash,
             policy = excluded.policy
         WHERE (excluded.epoch, excluded.seq) > (streams.epoch, streams.seq)",
        [],
    )?;
    if journal::checkpoint_seq(connection)? == 0 {
        set_meta(connection, RESTART_AFTER, last)?;
    }
    Ok(())
}

/// Puts an empty commit in the place of each that is missing among the staged ones.
fn fill_commits(connection: &Connection, compacted: u64, last: u64) -> Result<(), StoreError> {
    let config: Option<i64> =
        connection.query_row("SELECT max(id) FROM configurations", [], |row| row.get(0)).optional()?.flatten();
    // One row goes before the first: whatever is missing at the beginning has the time of the newest span.
    let newest_span: Option<Vec<u8>> = connection
        .query_row("SELECT frame FROM spans ORDER BY first_seq DESC LIMIT 1", [], |row| row.get(0))
        .optional()?;
    let frames = newest_span.map(|frame| span::decode(&frame)).transpose()?.unwrap_or_default();
    let mut now = frames.last().map_or(0, |frame| frame.now);
    let mut samples = meta(connection, journal::COMPACTED_SAMPLES)?;
    let mut config = frames.last().map(|frame| frame.config).or(config).unwrap_or(1);
    let mut known = connection.prepare("SELECT now, config, samples_total FROM commits WHERE seq = ?1")?;
    let mut insert =
        connection.prepare("INSERT INTO commits (seq, now, config, samples_total) VALUES (?1, ?2, ?3, ?4)")?;
    for seq in compacted + 1..=last {
        let row: Option<(i64, i64, i64)> =
            known.query_row([position(seq)], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).optional()?;
        match row {
            Some((at, of, total)) => (now, config, samples) = (at, of, samples.max(total.max(0).unsigned_abs())),
            None => {
                insert.execute(params![position(seq), now, config, position(samples)])?;
            }
        }
    }
    Ok(())
}

/// Closes the gaps that lost batches left within their commits.
fn renumber_batches(connection: &Connection) -> Result<(), StoreError> {
    let mut statement = connection.prepare("SELECT id FROM staging ORDER BY id")?;
    let ids: Vec<i64> = statement.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
    let (mut commit, mut place) = (-1, 0);
    for id in ids {
        if id >> 16 != commit {
            (commit, place) = (id >> 16, 0);
        }
        let due = (commit << 16) + place;
        if due != id {
            connection.execute("UPDATE staging SET id = ?2 WHERE id = ?1", [id, due])?;
        }
        place += 1;
    }
    Ok(())
}

/// Gives configurations and tags that are gone a row that says so, because others refer to them.
fn name_what_is_gone(connection: &Connection) -> Result<(), StoreError> {
    let mut configurations: Vec<i64> = Vec::new();
    let mut statement = connection.prepare("SELECT DISTINCT config FROM commits")?;
    configurations.extend(statement.query_map([], |row| row.get(0))?.collect::<Result<Vec<i64>, _>>()?);
    let mut statement = connection.prepare("SELECT frame FROM spans")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let frames = span::decode(row.get_ref(0)?.as_blob().map_err(rusqlite::Error::from)?)?;
        configurations.extend(frames.iter().map(|frame| frame.config));
        configurations.sort_unstable();
        configurations.dedup();
    }
    for id in configurations {
        let mut digest = [0xff; 32];
        digest[24..].copy_from_slice(&id.to_be_bytes());
        connection.execute(
            "INSERT INTO configurations (id, digest, text) SELECT ?1, ?2, '' WHERE NOT EXISTS
             (SELECT 1 FROM configurations WHERE id = ?1)",
            params![id, digest],
        )?;
    }
    let mut tags: BTreeSet<u32> = BTreeSet::new();
    let mut statement = connection.prepare("SELECT DISTINCT tag FROM chunks")?;
    tags.extend(statement.query_map([], |row| row.get::<_, u32>(0))?.collect::<Result<Vec<u32>, _>>()?);
    let mut statement = connection.prepare("SELECT block FROM staging")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let block = row.get_ref(0)?.as_blob().map_err(rusqlite::Error::from)?;
        block::visit(block, Timestamp(0), |sample| {
            tags.insert(sample.tag);
        })?;
    }
    for tag in tags {
        connection.execute(
            "INSERT INTO tags (id, name, version, spec) SELECT ?1, 'lost.' || ?1, 1, '{}'
             WHERE NOT EXISTS (SELECT 1 FROM tags WHERE id = ?1)",
            [tag],
        )?;
    }
    for column in ["of", "replaces"] {
        connection.execute(
            &format!("UPDATE statements SET {column} = NULL WHERE {column} NOT IN (SELECT id FROM statements)"),
            [],
        )?;
    }
    Ok(())
}

impl Reader {
    /// Returns the recoveries that this database is the outcome of, the newest first.
    ///
    /// # Errors
    /// Those of a read.
    pub fn recoveries(&self) -> Result<Vec<Recovered>, StoreError> {
        self.with(|connection| {
            let mut statement = connection
                .prepare("SELECT at, quarantine, needs_epoch, report, epochs FROM recoveries ORDER BY at DESC")?;
            let mut rows = statement.query([])?;
            let mut recoveries = Vec::new();
            while let Some(row) = rows.next()? {
                let (report, epochs): (String, String) = (row.get(3)?, row.get(4)?);
                recoveries.push(Recovered {
                    at: Timestamp(row.get(0)?),
                    quarantine: row.get(1)?,
                    needs_epoch: row.get(2)?,
                    lines: lines(&report),
                    epochs: serde_json::from_str(&epochs).unwrap_or_default(),
                });
            }
            Ok(recoveries)
        })
    }
}

fn lines(report: &str) -> Vec<String> {
    let tables: Vec<serde_json::Value> = serde_json::from_str(report).unwrap_or_default();
    let line = |table: &serde_json::Value| {
        let number = |name: &str| table[name].as_u64();
        let is_touched = table["whole"] != true || number("unsound") != Some(0);
        let lost = number("lost").map_or("an unknown number of".to_owned(), |lost| lost.to_string());
        let name = table["table"].as_str().unwrap_or_default();
        let recovered = number("recovered").unwrap_or_default();
        is_touched.then(|| format!("{name}: {recovered} rows recovered, {lost} rows gone"))
    };
    tables.iter().filter_map(line).collect()
}
