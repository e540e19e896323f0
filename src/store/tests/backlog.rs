//! What is still to be taken from a log.

use super::super::backlog::{Backlog, Log};
use super::super::{Commit, Store};
use super::{commit_one, in_memory, pages, record, stream_name};
use crate::model::time::Timestamp;

fn write(store: &mut Store, now: i64, hours: std::ops::Range<i64>) {
    let records: Vec<_> = hours.map(|hour| record("press-1", hour, 1)).collect();
    let head = store.reader().heads().unwrap().remove(&stream_name());
    let pages = pages(head, 1, &records);
    let commit = Commit { now: Timestamp(now), records: &records, pages: &pages, ..Commit::default() };
    store.commit(&commit).unwrap();
}

#[test]
fn a_backlog_kept_up_from_look_to_look_equals_one_that_is_counted_afresh() {
    let mut store = in_memory();
    let reader = store.reader();
    for log in [Log::Records, Log::Pages(stream_name(), 1)] {
        let mut before = None;
        // Records that are written, then the position of the next look: forward, far back, past the end, on again.
        for (at, (hours, after)) in
            [(0..3, 0), (3..3, 2), (3..9, 2), (9..12, 1), (12..12, 99), (12..13, 11), (13..13, 13)]
                .into_iter()
                .enumerate()
        {
            if log == Log::Records {
                write(&mut store, 1_000 + i64::try_from(at).unwrap(), hours);
            }
            let fresh = reader.backlog(&log, after, None).unwrap();
            let kept_up = reader.backlog(&log, after, before).unwrap();
            assert_eq!(kept_up, fresh, "{log:?} after {after}");
            before = Some(kept_up);
        }
    }
}

#[test]
fn a_backlog_says_how_much_waits_and_since_when() {
    let mut store = in_memory();
    write(&mut store, 1_000, 0..2);
    write(&mut store, 2_000, 2..3);
    let reader = store.reader();
    let records = reader.backlog(&Log::Records, 2, None).unwrap();
    let size = serde_json::to_string(&record("press-1", 2, 1)).unwrap().len() as u64;
    let expected = Backlog { after: 2, through: 3, bytes: size, oldest: Some(Timestamp(2_000)) };
    assert_eq!((records, records.len()), (expected, 1));
    let all = reader.pages_after(&stream_name(), 1, 0, 9).unwrap();
    let pages = reader.backlog(&Log::Pages(stream_name(), 1), 0, None).unwrap();
    let size = all.iter().map(|page| page.bytes.len() as u64).sum();
    assert_eq!((pages.len(), pages.bytes, pages.oldest), (all.len() as u64, size, Some(Timestamp(1_000))));
    let of_a_later_epoch = reader.backlog(&Log::Pages(stream_name(), 2), 0, None).unwrap();
    assert!(of_a_later_epoch.is_empty());
    assert_eq!(of_a_later_epoch.oldest, None);
}

#[test]
fn samples_wait_since_their_commit_staged_or_compacted() {
    let mut store = in_memory();
    for at in [1_000, 2_000, 3_000] {
        commit_one(&mut store, at);
    }
    let waits = |store: &Store| {
        let backlog = store.reader().backlog(&Log::Samples, 1, None).unwrap();
        (backlog.len(), backlog.oldest)
    };
    assert_eq!(waits(&store), (2, Some(Timestamp(2_003))));
    while store.compact().unwrap().commits > 0 {}
    commit_one(&mut store, 4_000);
    assert_eq!(waits(&store), (3, Some(Timestamp(2_003))));
}
