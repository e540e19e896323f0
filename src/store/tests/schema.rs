//! The released schema, and which databases are refused.

use sha2::{Digest as _, Sha256};

use super::super::connection::MIGRATIONS;
use super::super::{Decision, Store, StoreError};
use super::{CONFIG, commit_one, schema_1_in, schema_2_in, schema_3_in, stream_name, tags};
use crate::model::id::Digest;

#[test]
fn the_text_of_a_released_schema_never_changes() {
    // The last one isn't released yet.
    let digests: Vec<String> =
        MIGRATIONS[..3].iter().map(|sql| Digest(Sha256::digest(sql.as_bytes()).into()).to_string()).collect();
    assert_eq!(
        digests,
        [
            "aa29d86c11e3a7686550831eb945605231240dfe278f994535d56b68dfa7b8c2",
            "7035a66e6182dabe323506fe2dbb5d0d924350e134c19f4a3349b3d878e2bb46",
            "3f6d04a7484d1aa3b1167864e68f9fd00e534365ce53c1ea06dafdf84b142269"
        ]
    );
}

#[test]
fn a_database_of_schema_1_is_brought_up_to_date_and_keeps_everything() {
    let dir = tempfile::tempdir().unwrap();
    schema_1_in(dir.path());
    let plant = crate::engine::tests::plant();
    let store = Store::open(dir.path(), &plant.tags, plant.config, "test").unwrap();
    let version: u32 = store.connection.query_row("PRAGMA user_version", [], |row| row.get(0)).unwrap();
    assert_eq!(version as usize, MIGRATIONS.len());
    let journal = store.journal(1, usize::MAX).unwrap();
    let samples: usize = journal.iter().flat_map(|entry| &entry.batches).map(|batch| batch.samples.len()).sum();
    assert_eq!((journal.len(), samples, store.last_seq()), (10, 80, 10));
    assert!(journal.iter().all(|entry| entry.unmapped == 0));
    assert_eq!(store.reader().counts().unwrap().records, 3);
    assert!(store.resume().unwrap().checkpoint.is_some());
    let stated = store.reader().stated_share(&stream_name()).unwrap();
    assert!(stated.is_some_and(|share| !share.policy.kpis.is_empty()), "its pages say what they are for");
}

#[test]
fn a_database_of_schema_2_is_brought_up_to_date_and_keeps_everything() {
    let dir = tempfile::tempdir().unwrap();
    schema_2_in(dir.path());
    let plant = crate::engine::tests::plant();
    let store = Store::open(dir.path(), &plant.tags, plant.config, "test").unwrap();
    let journal = store.journal(1, usize::MAX).unwrap();
    let samples: usize = journal.iter().flat_map(|entry| &entry.batches).map(|batch| batch.samples.len()).sum();
    assert_eq!((journal.len(), samples, store.last_seq()), (10, 80, 10));
    assert_eq!(journal[0].swaps.len(), 1);
    assert!(journal.iter().all(|entry| entry.unmapped == 0 && entry.statements.is_empty()));
    assert!(store.waiting_statements().unwrap().is_empty());
    assert!(store.resume().unwrap().checkpoint.is_some());
}

#[test]
fn a_database_of_schema_3_is_brought_up_to_date_and_keeps_everything() {
    let dir = tempfile::tempdir().unwrap();
    schema_3_in(dir.path());
    let plant = crate::engine::tests::plant();
    let store = Store::open(dir.path(), &plant.tags, plant.config, "test").unwrap();
    let journal = store.journal(1, usize::MAX).unwrap();
    let samples: usize = journal.iter().flat_map(|entry| &entry.batches).map(|batch| batch.samples.len()).sum();
    assert_eq!((journal.len(), samples, store.last_seq()), (10, 80, 10));
    assert_eq!(journal[0].swaps.len(), 1);
    assert_eq!(store.waiting_statements().unwrap().len(), 2);
    let declarations = store.statements().unwrap().declarations().unwrap();
    assert_eq!(declarations[0].standing(), super::super::Standing::Approved);
    assert!(store.resume().unwrap().checkpoint.is_some());
    let reader = store.reader();
    assert!(reader.removals(9).unwrap().is_empty() && reader.exchanges(None, 0, 9).unwrap().is_empty());
}

#[test]
fn a_new_database_has_the_newest_schema_and_durable_settings() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path(), &tags(), CONFIG, "").unwrap();
    let pragma = |name: &str| -> rusqlite::types::Value {
        store.connection.query_row(&format!("PRAGMA {name}"), [], |row| row.get(0)).unwrap()
    };
    assert_eq!(pragma("user_version"), i64::try_from(MIGRATIONS.len()).unwrap().into());
    assert_eq!(pragma("journal_mode"), "wal".to_owned().into());
    assert_eq!(pragma("synchronous"), 2.into(), "FULL");
    assert_eq!(pragma("foreign_keys"), 1.into());
    assert_eq!(pragma("wal_autocheckpoint"), 1_000.into());
}

#[test]
fn a_newer_schema_is_refused_and_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path(), &tags(), CONFIG, "").unwrap();
    store.connection.execute_batch("PRAGMA user_version = 99").unwrap();
    drop(store);
    let error = Store::open(dir.path(), &tags(), CONFIG, "").unwrap_err();
    assert!(matches!(error, StoreError::Newer { found: 99, known: 4 }), "{error}");
    assert_eq!(error.decision(), Decision::Stop);
    assert!(error.to_string().contains("run the newer program again"));
}

#[test]
fn a_database_of_another_program_is_refused_and_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(super::super::FILE_NAME);
    rusqlite::Connection::open(&path).unwrap().execute_batch("CREATE TABLE theirs (x)").unwrap();
    let before = std::fs::read(&path).unwrap();
    assert!(matches!(Store::open(dir.path(), &tags(), CONFIG, ""), Err(StoreError::Foreign(0))));
    assert_eq!(std::fs::read(&path).unwrap(), before);
}

#[test]
fn a_second_writer_is_refused_until_the_first_is_gone() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path(), &tags(), CONFIG, "").unwrap();
    assert!(matches!(Store::open(dir.path(), &tags(), CONFIG, ""), Err(StoreError::InUse(_))));
    drop(store);
    assert_eq!(commit_one(&mut Store::open(dir.path(), &tags(), CONFIG, "").unwrap(), 0), 1);
}

#[test]
fn every_configuration_that_ran_is_kept() {
    let dir = tempfile::tempdir().unwrap();
    drop(Store::open(dir.path(), &tags(), CONFIG, "first").unwrap());
    let store = Store::open(dir.path(), &tags(), Digest([2; 32]), "second").unwrap();
    assert_eq!(store.configuration(CONFIG).unwrap().as_deref(), Some("first"));
    assert_eq!(store.configuration(Digest([2; 32])).unwrap().as_deref(), Some("second"));
    assert_eq!(store.configuration(Digest([3; 32])).unwrap(), None);
}
