//! Power cuts: whatever of the last writes reached the disk, every acknowledged commit is there and no half one.
//!
//! A commit under way when the power goes has reached the disk as any mixture of old and new sectors of the write-ahead
//! log, and of the database while a checkpoint moves pages into it. Here the files are taken as they stand after each
//! commit, and put together again in such mixtures. What is relied on: a flush that was reported is done, and a sector
//! of 512 bytes is whole or anything.

use std::fs;
use std::path::Path;

use super::super::{Commit, FILE_NAME, JournalEntry, Store};
use super::{CONFIG, batch, fact_row, pages, record, sample, stream_name, tags};
use crate::model::time::{MINUTE_MS, Timestamp};

const SECTOR: usize = 512;
const WAL: &str = "parkgate.db-wal";

/// The files after a commit was acknowledged, and what must be found in them.
struct Acknowledged {
    database: Vec<u8>,
    wal: Vec<u8>,
    journal: Vec<JournalEntry>,
    seen: String,
}

fn seen(store: &Store) -> String {
    let reader = store.reader();
    format!(
        "{:?} {:?} {:?} {:?}",
        store.resume().unwrap(),
        store.facts(&super::asset("site"), Timestamp(i64::MIN), Timestamp(i64::MAX)).unwrap(),
        reader.records_after(0, usize::MAX).unwrap(),
        reader.pages_after(&stream_name(), 1, 0, usize::MAX).unwrap(),
    )
}

fn acknowledged(dir: &Path, store: &Store) -> Acknowledged {
    Acknowledged {
        database: fs::read(dir.join(FILE_NAME)).unwrap(),
        wal: fs::read(dir.join(WAL)).unwrap(),
        journal: store.journal(1, usize::MAX).unwrap(),
        seen: seen(store),
    }
}

/// A commit with something of every kind.
fn commit(store: &mut Store, hour: i64) {
    let records = [record("site", hour, 1)];
    let head = store.reader().heads().unwrap().get(&stream_name()).copied();
    let cut = pages(head, 1, &records);
    let at = hour * 60 * MINUTE_MS;
    let batches = [batch(1, at + 2, (0..40).map(|tag| sample(tag % 3, at, 0.5)).collect())];
    let state = vec![u8::try_from(hour).unwrap(); 900];
    store
        .commit(&Commit {
            now: Timestamp(at + 3),
            batches: &batches,
            facts: &[fact_row("site", hour * 60, 5)],
            records: &records,
            pages: &cut,
            checkpoint: Some(&state),
            ..Commit::default()
        })
        .unwrap();
}

/// What may be found of a file that was being written when the power went.
fn mixtures(before: &[u8], after: &[u8]) -> Vec<Vec<u8>> {
    let mut old = before.to_vec();
    old.resize(after.len().max(before.len()), 0);
    let mut new = after.to_vec();
    new.resize(old.len(), 0);
    let is_changed = |at: &usize| {
        old[at * SECTOR..][..SECTOR.min(old.len() - at * SECTOR)]
            != new[at * SECTOR..][..SECTOR.min(new.len() - at * SECTOR)]
    };
    let changed: Vec<usize> = (0..old.len().div_ceil(SECTOR)).filter(is_changed).collect();
    let mut all = vec![before.to_vec()];
    let Some(end) = changed.last().map(|last| ((last + 1) * SECTOR).min(old.len())) else { return all };
    // Overwriting a part of a sector leaves the rest of it as it was: what SQLite relies on too.
    let begin = old.iter().zip(&new).position(|(old, new)| old != new).unwrap_or(0);
    for sector in &changed {
        let (start, stop) = (sector * SECTOR, ((sector + 1) * SECTOR).min(old.len()));
        // In order up to here; behind it what was there, or anything.
        let prefix = [&new[..start], &old[start..]].concat();
        let mut garbage = prefix.clone();
        garbage[start.max(begin)..end].fill(0xa5);
        // All but this sector, and out of order: this one and what follows.
        let mut torn = new.clone();
        torn[start..stop].copy_from_slice(&old[start..stop]);
        let late = [&old[..start], &new[start..]].concat();
        all.extend([prefix, garbage, torn, late]);
        // The file has not grown yet, and ends within a sector.
        all.extend((start + 7 >= before.len()).then(|| new[..start + 7].to_vec()));
    }
    all
}

/// Opens the files elsewhere and returns how many commits are there, each of them whole.
fn commits_in(database: &[u8], wal: &[u8], known: &[&Acknowledged]) -> u64 {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join(FILE_NAME), database).unwrap();
    fs::write(dir.path().join(WAL), wal).unwrap();
    let store = Store::open(dir.path(), &tags(), CONFIG, "").unwrap();
    let last = store.last_seq();
    let state = known.iter().find(|state| state.journal.len() as u64 == last);
    let state = state.unwrap_or_else(|| panic!("{last} commits were never acknowledged"));
    assert_eq!(store.journal(1, usize::MAX).unwrap(), state.journal);
    assert_eq!(seen(&store), state.seen);
    last
}

#[test]
fn a_power_cut_during_a_commit_leaves_the_acknowledged_ones_and_no_half_one() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = Store::open(dir.path(), &tags(), CONFIG, "").unwrap();
    let mut before: Option<Acknowledged> = None;
    let (mut tried, mut unacknowledged) = (0, 0);
    for hour in 0..4 {
        if hour == 2 {
            // From here on the log is written over from its beginning: behind its end stand frames of before.
            store.connection.query_row("PRAGMA wal_checkpoint(RESTART)", [], |_| Ok(())).unwrap();
            before = None;
        }
        commit(&mut store, hour);
        let after = acknowledged(dir.path(), &store);
        if let Some(before) = &before {
            assert_eq!(before.database, after.database, "no checkpoint in between");
            for wal in mixtures(&before.wal, &after.wal) {
                let last = commits_in(&before.database, &wal, &[before, &after]);
                unacknowledged += u64::from(last > before.journal.len() as u64);
                tried += 1;
            }
            assert_eq!(commits_in(&after.database, &after.wal, &[&after]), after.journal.len() as u64);
        }
        before = Some(after);
    }
    assert!(tried > 200, "{tried} mixtures");
    assert!(unacknowledged < tried / 10, "{unacknowledged} of {tried} held the commit under way");
}

#[test]
fn a_power_cut_during_a_checkpoint_loses_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = Store::open(dir.path(), &tags(), CONFIG, "").unwrap();
    (0..6).for_each(|hour| commit(&mut store, hour));
    let before = acknowledged(dir.path(), &store);
    store.connection.query_row("PRAGMA wal_checkpoint(FULL)", [], |_| Ok(())).unwrap();
    let after = fs::read(dir.path().join(FILE_NAME)).unwrap();
    let mut tried = 0;
    for database in mixtures(&before.database, &after).into_iter().step_by(7) {
        assert_eq!(commits_in(&database, &before.wal, &[&before]), 6);
        tried += 1;
    }
    assert!(tried > 30, "{tried} mixtures");
}
