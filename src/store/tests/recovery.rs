//! A damaged database goes into quarantine whole, and what can be read of it goes on in a new one.

use std::fs;
use std::path::Path;

use super::super::salvage::Salvaged;
use super::super::{Commit, FILE_NAME, Store, StoreError, recover};
use super::{CONFIG, batch, commit_one, fact_row, pages, record, sample, stream_name, tags};
use crate::model::time::{MINUTE_MS, Timestamp};

const PAGE: usize = 4_096;
const STAMP: &str = "20261125T070000Z";

/// A database with something of every kind, half of it compacted, in one file.
fn filled(dir: &Path) -> Vec<u8> {
    let mut store = Store::open(dir, &tags(), CONFIG, "[gateway]").unwrap();
    for hour in 0..60 {
        let records = [record("site", hour, 1)];
        let head = store.reader().heads().unwrap().get(&stream_name()).copied();
        let cut = pages(head, 1, &records);
        let at = hour * 60 * MINUTE_MS;
        let rows: Vec<_> = (0..60).map(|minute| fact_row("site", hour * 60 + minute, 5)).collect();
        let samples = (0..90).map(|tag| sample(tag % 3, at + i64::from(tag), f64::from(tag) * 1.7 + 0.1)).collect();
        let commit = Commit {
            now: Timestamp(at + 3),
            batches: &[batch(1, at + 2, samples), batch(2, at + 2, vec![sample(1, at + 1, 0.3)])],
            facts: &rows,
            records: &records,
            pages: &cut,
            checkpoint: Some(b"state"),
            ..Commit::default()
        };
        store.commit(&commit).unwrap();
        if hour == 30 {
            while store.compact().unwrap().commits > 0 {}
        }
    }
    store.cursors().unwrap().set("floor", 60).unwrap();
    store.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
    drop(store);
    fs::read(dir.join(FILE_NAME)).unwrap()
}

fn of<'t>(tables: &'t [Salvaged], name: &str) -> &'t Salvaged {
    tables.iter().find(|table| table.table == name).unwrap()
}

#[test]
fn an_undamaged_database_is_recovered_as_it_was() {
    let dir = tempfile::tempdir().unwrap();
    let bytes = filled(dir.path());
    let everything = |dir: &Path| {
        let store = Store::open(dir, &tags(), CONFIG, "[gateway]").unwrap();
        let reader = store.reader();
        let pages = reader.pages_after(&stream_name(), 1, 0, usize::MAX).unwrap();
        let journal = store.journal(1, usize::MAX).unwrap();
        format!(
            "{:?} {journal:?} {:?} {pages:?}",
            store.resume().unwrap(),
            reader.records_after(0, usize::MAX).unwrap()
        )
    };
    let before = everything(dir.path());
    let recovery = recover(dir.path(), STAMP, Timestamp(9)).unwrap();
    assert!(!recovery.needs_epoch && recovery.tables.iter().all(|table| table.lost == Some(0)), "{recovery:?}");
    assert_eq!(everything(dir.path()), before);
    assert_eq!(fs::read(dir.path().join(&recovery.quarantine)).unwrap().len(), bytes.len());
}

#[test]
fn whichever_page_is_damaged_the_rest_is_recovered_and_the_box_goes_on() {
    let source = tempfile::tempdir().unwrap();
    let whole = filled(source.path());
    let (mut refused, mut losses) = (0, 0);
    for page in 0..whole.len() / PAGE {
        let dir = tempfile::tempdir().unwrap();
        let mut damaged = whole.clone();
        damaged[page * PAGE..][..PAGE].fill(0x5a);
        fs::write(dir.path().join(FILE_NAME), &damaged).unwrap();
        let recovery = match recover(dir.path(), STAMP, Timestamp(9)) {
            Ok(recovery) => recovery,
            Err(error) => {
                assert!(page == 0 || matches!(error, StoreError::Contradiction(_) | StoreError::Corrupt(_)), "{error}");
                assert_eq!(fs::read(dir.path().join(FILE_NAME)).unwrap(), damaged, "left as it was");
                refused += 1;
                continue;
            }
        };
        assert_eq!(fs::read(dir.path().join(&recovery.quarantine)).unwrap(), damaged, "page {page}: never changed");
        let untouched = recovery.tables.iter().filter(|table| table.is_whole && table.unsound == 0).count();
        assert!(untouched + 1 >= recovery.tables.len(), "page {page} is of one table: {recovery:?}");
        losses += usize::from(untouched < recovery.tables.len());
        let mut store = Store::open(dir.path(), &tags(), CONFIG, "[gateway]")
            .unwrap_or_else(|error| panic!("page {page}: {error}, {recovery:?}"));
        let journal = store.journal(1, usize::MAX).unwrap_or_else(|error| panic!("page {page}: {error}, {recovery:?}"));
        assert_eq!(journal.len(), 60, "page {page}: every commit has its place");
        assert!(store.last_seq() >= 60);
        store.resume().unwrap();
        commit_one(&mut store, 1_000 * MINUTE_MS);
        while store.compact().unwrap().commits > 0 {}
        assert_eq!(store.journal(1, usize::MAX).unwrap().len(), 61, "page {page}");
        let told = store.reader().recoveries().unwrap();
        assert_eq!((told.len(), told[0].needs_epoch), (1, recovery.needs_epoch));
    }
    assert!(refused <= 8, "{refused} pages are needed to find anything at all");
    assert!(losses > 10, "{losses} pages held rows");
}

#[test]
fn flipped_bytes_that_sqlite_doesnt_see_are_found_by_our_checksums_and_counted() {
    let dir = tempfile::tempdir().unwrap();
    drop(filled(dir.path()));
    let connection = rusqlite::Connection::open(dir.path().join(FILE_NAME)).unwrap();
    connection.execute_batch("UPDATE chunks SET columns = zeroblob(99) WHERE id = 2").unwrap();
    connection.execute_batch("UPDATE pages SET bytes = X'7b7d' WHERE seq = 9").unwrap();
    drop(connection);
    let recovery = recover(dir.path(), STAMP, Timestamp(9)).unwrap();
    for (table, lost) in [("chunks", 1), ("pages", 1), ("records", 0)] {
        assert_eq!(of(&recovery.tables, table).lost, Some(lost), "{table}");
    }
    assert!(recovery.needs_epoch, "a page is gone");
    let report = fs::read_to_string(&recovery.report).unwrap();
    assert!(report.contains("\"table\":\"chunks\""), "{report}");
    let store = Store::open(dir.path(), &tags(), CONFIG, "[gateway]").unwrap();
    let told = store.reader().recoveries().unwrap();
    assert!(told[0].lines.iter().any(|line| line.starts_with("pages: 60 rows recovered, 1 rows gone")), "{told:?}");
    let heads = store.reader().heads().unwrap();
    assert_eq!(heads[&stream_name()].seq, 61, "the stream goes on after its newest page");
}

#[test]
fn a_recovery_that_was_killed_halfway_is_finished_by_whoever_opens_the_directory_next() {
    let dir = tempfile::tempdir().unwrap();
    drop(filled(dir.path()));
    let recovery = recover(dir.path(), STAMP, Timestamp(9)).unwrap();
    // As it stood before the names were changed, with a log that belongs to the damaged file.
    let (place, quarantine) = (dir.path().join(FILE_NAME), dir.path().join(&recovery.quarantine));
    fs::rename(&place, dir.path().join(format!("parkgate.db.recovered-{STAMP}"))).unwrap();
    fs::rename(&quarantine, &place).unwrap();
    fs::write(dir.path().join("parkgate.db-wal"), "what belongs to the damaged one").unwrap();
    let store = Store::open(dir.path(), &tags(), CONFIG, "[gateway]").unwrap();
    assert_eq!((store.last_seq(), store.reader().recoveries().unwrap().len()), (60, 1));
    assert!(quarantine.exists());
    let log = fs::read_to_string(dir.path().join(format!("{}-wal", recovery.quarantine))).unwrap();
    assert_eq!(log, "what belongs to the damaged one");
}

#[test]
fn a_running_box_is_not_recovered_under_its_feet() {
    let dir = tempfile::tempdir().unwrap();
    let _store = Store::open(dir.path(), &tags(), CONFIG, "").unwrap();
    assert!(matches!(recover(dir.path(), STAMP, Timestamp(9)), Err(StoreError::InUse(_))));
}
