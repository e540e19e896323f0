//! What fails leaves nothing behind and says what kind of failure it is.

use super::super::connection::Place;
use super::super::{Commit, Cursors, Decision, FILE_NAME, Reader, Store, StoreError};
use super::{CONFIG, batch, commit_one, fact_row, in_memory, pages, record, sample, stream_name, tags};
use crate::model::time::Timestamp;

/// Everything a reader could see.
fn everything(store: &Store) -> String {
    let reader = store.reader();
    format!(
        "{:?} {:?} {:?} {:?} {:?} {:?}",
        store.resume().unwrap(),
        store.journal(1, usize::MAX).unwrap(),
        store.facts(&super::asset("site"), Timestamp(i64::MIN), Timestamp(i64::MAX)).unwrap(),
        reader.records_after(0, usize::MAX).unwrap(),
        reader.pages_after(&stream_name(), 1, 0, usize::MAX).unwrap(),
        reader.counts().unwrap(),
    )
}

#[test]
fn a_commit_that_fails_at_its_last_part_leaves_nothing_of_it() {
    let mut store = in_memory();
    let records = [record("site", 0, 1)];
    let first = pages(None, 1, &records);
    store
        .commit(&Commit { facts: &[fact_row("site", 0, 5)], records: &records, pages: &first, ..Commit::default() })
        .unwrap();
    let before = everything(&store);

    let batches = [batch(1, 2, vec![sample(0, 1, 0.5)])];
    let good = Commit {
        now: Timestamp(9),
        batches: &batches,
        facts: &[fact_row("site", 1, 7)],
        corrections: &[fact_row("site", 0, 1)],
        records: &[record("site", 0, 2)],
        checkpoint: Some(b"state"),
        ..Commit::default()
    };
    let gap = &pages(first.last().map(|page| page.head()), 1, &[record("site", 0, 2), record("site", 1, 1)]);
    let skipped = [gap[0].clone(), gap[0].clone()];
    for bad in [
        Commit { pages: &skipped, ..good },
        Commit { pages: &first, ..good },
        Commit { records: &records, ..good },
        Commit { records: &[record("site", 5, 1), record("site", 5, 1)], ..good },
        Commit { batches: &[batch(1, 2, vec![sample(99, 1, 0.5)])], ..good },
    ] {
        let error = store.commit(&bad).unwrap_err();
        assert!(matches!(error, StoreError::Contradiction(_)), "{error}");
        assert_eq!(error.decision(), Decision::Stop);
        assert_eq!(everything(&store), before);
    }
    assert_eq!(store.commit(&good).unwrap(), 2);
}

#[test]
fn a_full_disk_changes_nothing_and_the_same_commit_succeeds_once_there_is_room() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = Store::open(dir.path(), &tags(), CONFIG, "").unwrap();
    commit_one(&mut store, 0);
    let before = everything(&store);
    let limit = |store: &Store, pages: u32| {
        store.connection.execute_batch(&format!("PRAGMA max_page_count = {pages}")).unwrap();
    };
    limit(&store, 1); // SQLite raises it to the present size
    let samples: Vec<_> = (0..5_000).map(|at| sample(0, at, 0.1)).collect();
    let batches = [batch(1, 5_000, samples)];
    let commit = Commit { batches: &batches, facts: &[fact_row("site", 0, 1)], ..Commit::default() };
    let error = store.commit(&commit).unwrap_err();
    assert!(matches!(error, StoreError::Full(_)), "{error}");
    assert_eq!(error.decision(), Decision::Retry);
    assert!(error.to_string().contains("no room left on its disk"), "{error}");
    assert_eq!(everything(&store), before);

    limit(&store, 1_000_000);
    assert_eq!(store.commit(&commit).unwrap(), 2);
    assert_eq!(store.journal(2, 9).unwrap()[0].batches, batches);
}

#[test]
fn a_compaction_without_room_changes_nothing() {
    let mut store = in_memory();
    for at in 0..50 {
        commit_one(&mut store, at);
    }
    let before = everything(&store);
    store
        .connection
        .execute_batch("CREATE TRIGGER no_room BEFORE DELETE ON staging BEGIN SELECT raise(ABORT, 'no'); END")
        .unwrap();
    assert!(store.compact().is_err());
    assert_eq!(everything(&store), before);
    store.connection.execute_batch("DROP TRIGGER no_room").unwrap();
    assert_eq!(store.compact().unwrap().commits, 50);
    assert_eq!(everything(&store), before);
}

#[test]
fn read_only_locked_and_damaged_are_told_apart() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = Store::open(dir.path(), &tags(), CONFIG, "").unwrap();
    commit_one(&mut store, 0);
    let commit = Commit::default();

    store.connection.execute_batch("PRAGMA query_only = ON").unwrap();
    let error = store.commit(&commit).unwrap_err();
    assert!(matches!(error, StoreError::ReadOnly(_)) && error.decision() == Decision::Retry, "{error}");
    store.connection.execute_batch("PRAGMA query_only = OFF").unwrap();

    let other = Place::Directory(dir.path().to_owned()).open_second_writer().unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    store.connection.busy_timeout(std::time::Duration::ZERO).unwrap();
    let error = store.commit(&commit).unwrap_err();
    assert!(matches!(error, StoreError::Busy(_)) && error.decision() == Decision::Retry, "{error}");
    drop(other);
    store.commit(&commit).unwrap();

    store.connection.execute_batch("UPDATE staging SET block = zeroblob(9)").unwrap();
    let error = store.journal(1, 9).unwrap_err();
    assert!(matches!(&error, StoreError::Damaged(what) if what.contains("row-block")), "{error}");
    assert_eq!(error.decision(), Decision::Stop);
    drop(store);

    std::fs::write(dir.path().join(FILE_NAME), [b'x'; 8192]).unwrap();
    let error = Store::open(dir.path(), &tags(), CONFIG, "").unwrap_err();
    assert!(matches!(error, StoreError::Corrupt(_)) && error.decision() == Decision::Stop, "{error}");
}

#[test]
fn readers_and_cursors_need_a_database_and_dont_make_one() {
    let dir = tempfile::tempdir().unwrap();
    assert!(matches!(Reader::open(dir.path()), Err(StoreError::Io(_))));
    assert!(matches!(Cursors::open(dir.path()), Err(StoreError::Io(_))));
    assert!(!dir.path().join(FILE_NAME).exists());
}

#[test]
fn the_wal_stays_bounded_under_traffic() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = Store::open(dir.path(), &tags(), CONFIG, "").unwrap();
    let state = vec![7; 256 << 10];
    for _ in 0..80 {
        store.commit(&Commit { checkpoint: Some(&state), ..Commit::default() }).unwrap();
    }
    let wal = std::fs::metadata(dir.path().join("parkgate.db-wal")).unwrap().len();
    assert!(wal < 8 << 20, "{wal} bytes in the WAL after writing 20 MB");
}
