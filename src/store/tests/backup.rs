//! A backup is the database as of one commit, whatever goes on beside it.

use std::sync::atomic::{AtomicBool, Ordering};

use super::{CONFIG, commit_one, pages, record, stream_name, tags};
use crate::store::{Commit, FILE_NAME, Store, StoreError, backup};

fn store_in(dir: &std::path::Path) -> Store {
    Store::open(dir, &tags(), CONFIG, "[gateway]").unwrap()
}

/// Commits with samples, records and pages, of which some are compacted.
fn fill(store: &mut Store, hours: std::ops::Range<i64>) {
    for hour in hours {
        let records = [record("site", hour, 1)];
        let head = store.reader().heads().unwrap().get(&stream_name()).copied();
        let pages = pages(head, 1, &records);
        store.commit(&Commit { records: &records, pages: &pages, ..Commit::default() }).unwrap();
        commit_one(store, hour * 3_600_000);
    }
}

#[test]
fn a_backup_restored_elsewhere_goes_on_as_the_original_would() {
    let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut original = store_in(here.path());
    fill(&mut original, 0..20);
    let copied = backup(here.path(), there.path()).unwrap();
    assert_eq!((copied.through, copied.counts), (original.last_seq(), original.reader().counts().unwrap()));
    let mut restored = store_in(there.path());
    assert_eq!(restored.journal(1, 1_000).unwrap(), original.journal(1, 1_000).unwrap());
    for store in [&mut original, &mut restored] {
        fill(store, 20..22);
    }
    let log = |store: &Store| store.reader().records_after(0, 1_000).unwrap();
    assert_eq!(log(&restored), log(&original));
    assert_eq!(restored.reader().heads().unwrap(), original.reader().heads().unwrap());
}

#[test]
fn a_backup_taken_while_the_box_commits_ends_with_a_whole_commit() {
    let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut original = store_in(here.path());
    fill(&mut original, 0..200);
    let is_copied = AtomicBool::new(false);
    let copied = std::thread::scope(|scope| {
        let copying = scope.spawn(|| {
            let copied = backup(here.path(), there.path());
            is_copied.store(true, Ordering::SeqCst);
            copied
        });
        let mut hour = 200;
        while !is_copied.load(Ordering::SeqCst) {
            fill(&mut original, hour..hour + 1);
            hour += 1;
        }
        copying.join().unwrap().unwrap()
    });
    assert!(copied.through <= original.last_seq());
    let restored = store_in(there.path());
    let until = |store: &Store| -> Vec<_> {
        store.journal(1, 100_000).unwrap().into_iter().filter(|entry| entry.seq <= copied.through).collect()
    };
    assert_eq!(until(&restored), until(&original));
    // Every record came in a commit of its own, with its page.
    let counts = restored.reader().counts().unwrap();
    assert_eq!(counts.records + 1, counts.pages, "one page a record, after the page of the policy");
}

#[test]
fn a_backup_replaces_no_other_and_a_half_one_of_before_is_no_obstacle() {
    let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    assert!(matches!(backup(here.path(), there.path()), Err(StoreError::Io(_))), "there is no database");
    fill(&mut store_in(here.path()), 0..2);
    std::fs::write(there.path().join("parkgate.db.unfinished"), "half").unwrap();
    backup(here.path(), there.path()).unwrap();
    let first = std::fs::read(there.path().join(FILE_NAME)).unwrap();
    fill(&mut store_in(here.path()), 2..3);
    assert!(matches!(backup(here.path(), there.path()), Err(StoreError::Contradiction(_))));
    assert_eq!(std::fs::read(there.path().join(FILE_NAME)).unwrap(), first);
    let names: Vec<_> = std::fs::read_dir(there.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, [FILE_NAME]);
}
