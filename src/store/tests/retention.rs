//! What goes when it is too old or beyond the cap, in which order, and how that is told.

use super::super::compact::SPAN_COMMITS;
use super::super::{Commit, Retention, Store, Why};
use super::{asset, batch, fact_row, in_memory, pages, record, sample, stream_name};
use crate::model::id::Digest;
use crate::model::time::{MINUTE_MS, Timestamp};
use crate::store::{Cargo, Exchange, Outcome};

const DAY_MS: i64 = 24 * 60 * MINUTE_MS;

fn policy() -> Retention {
    Retention {
        cap_bytes: u64::MAX / 200,
        raw_days: 60,
        facts_days: 70,
        exchanges_days: 400,
        record_sinks: vec!["floor".to_owned()],
    }
}

/// Commits of one sample each, one a minute from `from` on, the last with a checkpoint; all compacted.
fn measure(store: &mut Store, from: i64, commits: usize) {
    for at in (0..).take(commits).map(|minute| from + minute * MINUTE_MS) {
        let value = f64::from(u32::try_from(at / MINUTE_MS % 977).unwrap()) + 0.25;
        let batches = [batch(1, at + 2, vec![sample(0, at, value)])];
        store.commit(&Commit { now: Timestamp(at + 3), batches: &batches, ..Commit::default() }).unwrap();
    }
    store.commit(&Commit { now: Timestamp(from), checkpoint: Some(b"state"), ..Commit::default() }).unwrap();
    while store.compact().unwrap().commits > 0 {}
}

fn retain_all(store: &mut Store, now: i64) -> usize {
    (0..).take_while(|_| store.retain(Timestamp(now), true).unwrap()).count()
}

#[test]
fn samples_older_than_they_are_kept_go_in_whole_spans_and_everything_younger_stays_readable() {
    let mut store = in_memory();
    measure(&mut store, DAY_MS, 3 * SPAN_COMMITS);
    let before = store.journal(1, usize::MAX).unwrap();
    assert_eq!(retain_all(&mut store, 400 * DAY_MS), 0, "without a policy everything stays");
    store.retain_by(policy());
    // The second span ends 7,200 minutes after the first day.
    let now = DAY_MS + 7_300 * MINUTE_MS + 60 * DAY_MS;
    assert!(!store.retain(Timestamp(now), false).unwrap(), "a clock that isn't trusted calls nothing old");
    assert!(retain_all(&mut store, now) > 0);
    let journal = store.journal(1, usize::MAX).unwrap();
    assert_eq!(journal, before[2 * SPAN_COMMITS..], "two spans are gone, nothing else");
    let removals = store.reader().removals(9).unwrap();
    assert_eq!(removals.len(), 1, "{removals:?}");
    assert_eq!((removals[0].what.as_str(), removals[0].why), ("samples", Why::Age));
    // Chunks hold as many samples as spans hold commits here.
    assert_eq!(removals[0].rows, 2 * SPAN_COMMITS as u64);
    assert_eq!(removals[0].from, Timestamp(DAY_MS));
    assert_eq!(store.reader().removed("samples").unwrap(), removals[0].rows);
    assert_eq!(store.kept_from().unwrap(), before[2 * SPAN_COMMITS - 1].now);
    assert_eq!(retain_all(&mut store, now + DAY_MS), 0, "the newest span stays");
}

#[test]
fn age_waits_for_a_sink_and_the_cap_lists_what_it_will_never_get() {
    let mut store = in_memory();
    store.hold_samples_for(vec!["raw.samples".to_owned()]);
    let cursors = store.cursors().unwrap();
    cursors.set("raw.samples", u64::MAX >> 1).unwrap();
    measure(&mut store, DAY_MS, 2 * SPAN_COMMITS);
    cursors.set("raw.samples", 1_000).unwrap();
    store.retain_by(policy());
    assert_eq!(retain_all(&mut store, 400 * DAY_MS), 0, "the sink hasn't had them");
    let cap_bytes = store.reader().used_bytes().unwrap() / 2;
    store.retain_by(Retention { cap_bytes, ..policy() });
    assert!(retain_all(&mut store, 400 * DAY_MS) > 0);
    let lost = store.reader().undeliverable("raw.samples", 9).unwrap();
    assert_eq!(lost.len(), 1, "{lost:?}");
    assert_eq!(lost[0].what, "6200 samples of commits 1001 to 7200");
    assert!(lost[0].reason.starts_with("removed before it was sent: the store had reached its cap"), "{lost:?}");
    // Reading goes on behind it.
    let run = store.reader().samples_after(1_000, 10_000, |_| panic!("they are gone")).unwrap();
    assert!(run.through > 7_200, "{run:?}");
}

#[test]
fn under_the_cap_samples_go_first_then_facts_then_records_and_pages_never() {
    let mut store = in_memory();
    let facts: Vec<_> = (0..2_000).map(|minute| fact_row("site", minute, 7)).collect();
    let records: Vec<_> = (0..1_500).map(|hour| record("site", hour, 1)).collect();
    let signed = pages(None, 1, &records);
    let commit = Commit { facts: &facts, records: &records, pages: &signed, ..Commit::default() };
    store.commit(&commit).unwrap();
    let exchange = |at| Exchange {
        sink: "hepza".to_owned(),
        at: Timestamp(at),
        destination: "hub:443".to_owned(),
        cargo: Cargo::Pages,
        first: 1,
        last: 1,
        name: None,
        epoch: Some(1),
        bytes: 9,
        hash: Digest::ZERO,
        outcome: Outcome::Acknowledged,
        answer: "201".to_owned(),
    };
    let mut cursors = store.cursors().unwrap();
    for at in 0..50 {
        cursors.exchanged(&exchange(at * DAY_MS), None).unwrap();
    }
    cursors.set("floor", 1_400).unwrap();
    measure(&mut store, DAY_MS, 2 * SPAN_COMMITS);
    store.retain_by(Retention {
        cap_bytes: 1,
        facts_days: 30_000,
        exchanges_days: 30_000,
        raw_days: 30_000,
        ..policy()
    });
    let now = 1_000 * DAY_MS;
    let mut order: Vec<String> = Vec::new();
    while store.retain(Timestamp(now), true).unwrap() {
        for removal in store.reader().removals(9).unwrap() {
            assert_eq!(removal.why, Why::Cap);
            if !order.contains(&removal.what) {
                order.push(removal.what);
            }
        }
    }
    assert_eq!(order[0], "samples");
    assert_eq!(order[3], "records", "{order:?}");
    let reader = store.reader();
    assert_eq!(reader.removed("facts").unwrap(), 2_000);
    assert_eq!(reader.removed("exchanges").unwrap(), 49, "the newest one keeps its number");
    assert_eq!(reader.removed("records").unwrap(), 1_499, "the newest one keeps its number");
    assert_eq!(reader.pages_after(&stream_name(), 1, 0, usize::MAX).unwrap(), signed);
    let lost = reader.undeliverable("floor", 9).unwrap();
    assert_eq!(lost[0].what, "99 records 1401 to 1499");
    assert_eq!(lost.len(), 1);
    // The log numbers go on.
    store.commit(&Commit { records: &[record("site", 9_000, 1)], ..Commit::default() }).unwrap();
    assert_eq!(store.reader().records_after(1_500, 9).unwrap()[0].0, 1_501);
}

#[test]
fn what_a_month_may_still_be_corrected_from_stays_even_beyond_the_cap() {
    let mut store = in_memory();
    let (old, young) = (fact_row("site", 0, 7), fact_row("site", 100 * 1_440, 7));
    store
        .commit(&Commit { facts: &[old, young], records: &[record("site", 100 * 24, 1)], ..Commit::default() })
        .unwrap();
    store.retain_by(Retention { cap_bytes: 1, ..policy() });
    assert!(retain_all(&mut store, 120 * DAY_MS) > 0);
    let left = store.facts(&asset("site"), Timestamp(0), Timestamp(i64::MAX)).unwrap();
    assert_eq!(left.len(), 1, "twenty days old");
    assert_eq!(store.reader().counts().unwrap().records, 1);
}

#[test]
fn room_that_was_freed_is_used_again() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = Store::open(dir.path(), &super::tags(), super::CONFIG, "").unwrap();
    let state = vec![7; 4 << 10];
    store.commit(&Commit { checkpoint: Some(&state), ..Commit::default() }).unwrap();
    let facts = |day: i64| -> Vec<_> { (0..1_440).map(|minute| fact_row("site", day * 1_440 + minute, 7)).collect() };
    store.retain_by(policy());
    let mut sizes = Vec::new();
    for day in 0..220 {
        store.commit(&Commit { facts: &facts(day), ..Commit::default() }).unwrap();
        retain_all(&mut store, (day + 1) * DAY_MS);
        sizes.push(store.reader().bytes().unwrap());
    }
    assert!(sizes[219] < sizes[90] + sizes[90] / 10, "{} bytes after 91 days, {} after 220", sizes[90], sizes[219]);
}
