//! The journal across compaction, restart and a change of configuration; cursors; live samples.

use super::super::compact::{CHUNK_SAMPLES, SPAN_COMMITS};
use super::super::{Commit, Cursors, Reader, Store};
use super::{CONFIG, batch, commit_one, in_memory, pages, record, sample, stream_name, tag, tags};
use crate::ledger::page::SignedPage;
use crate::model::id::Digest;
use crate::model::number::Number;
use crate::model::sample::{Sample, SampleBatch};
use crate::model::tag::{SourceIndex, TagIndex, Thinning};
use crate::model::time::Timestamp;
use crate::model::unit::Unit;

#[test]
fn a_turn_that_only_carries_samples_writes_only_staging() {
    let mut store = in_memory();
    commit_one(&mut store, 0);
    let rows = |table: &str| -> u32 {
        store.connection.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)).unwrap()
    };
    assert_eq!(["commits", "staging"].map(rows), [1, 1]);
    for table in ["meta", "spans", "chunks", "facts", "records", "pages", "streams", "checkpoint"] {
        assert_eq!(rows(table), 0, "{table}");
    }
}

#[test]
fn compaction_fills_chunks_and_spans_and_keeps_the_journal() {
    let mut store = in_memory();
    let commits = i64::try_from(SPAN_COMMITS).unwrap() + 500;
    for at in 0..commits {
        let slow = (at % 60 == 0).then(|| sample(2, at * 1_000 - 7, 1.0));
        let samples = [Some(sample(1, at * 1_000, 0.1)), slow, Some(sample(0, at * 1_000 + 1, 0.2))];
        let batches =
            [batch(1, at * 1_000 + 9, samples.into_iter().flatten().collect()), batch(2, at * 1_000 + 9, vec![])];
        store.commit(&Commit { now: Timestamp(at * 1_000 + 10), batches: &batches, ..Commit::default() }).unwrap();
        if at % 777 == 0 {
            store.compact().unwrap();
        }
    }
    let before = store.journal(1, usize::MAX).unwrap();
    while store.compact().unwrap().commits > 0 {}
    assert_eq!(store.journal(1, usize::MAX).unwrap(), before);
    assert_eq!(before.len(), usize::try_from(commits).unwrap());
    for (from, limit) in [(1, 1), (3_500, 200), (4_099, 50), (4_200, 5), (9, 0)] {
        let end = (from - 1 + limit).min(before.len());
        let slice = before.get(from - 1..end).unwrap_or_default();
        assert_eq!(store.journal(from as u64, limit).unwrap(), slice, "{limit} from {from}");
    }

    let mut statement = store.connection.prepare("SELECT tag, samples FROM chunks ORDER BY tag, last_seq").unwrap();
    let chunks: Vec<(u32, u32)> =
        statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap().collect::<Result<_, _>>().unwrap();
    let full = u32::try_from(CHUNK_SAMPLES).unwrap();
    assert_eq!(chunks, [(1, full), (1, 500), (2, full), (2, 500), (3, 69)]);
}

#[test]
fn samples_of_commits_come_in_the_order_of_the_journal_staged_or_compacted() {
    let mut store = in_memory();
    for at in 0..40 {
        let samples = (0..at % 4).map(|tag| sample(tag % 3, i64::from(at) * 1_000 - i64::from(tag % 2), 0.5)).collect();
        let batches = [batch(1, i64::from(at) * 1_000, samples)];
        store.commit(&Commit { now: Timestamp(i64::from(at)), batches: &batches, ..Commit::default() }).unwrap();
    }
    let journal = store.journal(1, usize::MAX).unwrap();
    let due: Vec<_> = journal.iter().flat_map(|entry| &entry.batches).flat_map(|batch| batch.samples.clone()).collect();
    for _ in 0..2 {
        let reader = store.reader();
        let (mut through, mut found) = (0, Vec::new());
        loop {
            let before = found.len();
            let run = reader.samples_after(through, 7, |sample| found.push(sample)).unwrap();
            assert_eq!((run.samples as usize, run.samples <= 7), (found.len() - before, true));
            if run.through == through {
                break;
            }
            through = run.through;
        }
        assert_eq!(through, 40);
        // The first configuration's tags are numbered from 1 in their order.
        let told = found.iter().map(|sample| (sample.tag - 1, sample.measured_at, sample.value, sample.quality));
        let expected = due.iter().map(|sample| (sample.tag.0, sample.measured_at, sample.value, sample.quality));
        assert_eq!(told.collect::<Vec<_>>(), expected.collect::<Vec<_>>());
        while store.compact().unwrap().commits > 0 {}
    }
    let mut names = Vec::new();
    store.reader().tag_names_after(1, |id, name| names.push((id, name.to_owned()))).unwrap();
    assert_eq!(names, [(2, "meter.power".to_owned()), (3, "press.state".to_owned())]);
}

#[test]
fn very_many_tags_are_compacted_a_few_at_a_time_and_a_crash_in_between_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let tags: Vec<_> = (0..100).map(|tag_| tag(&format!("meter.p{tag_:03}"), Unit::Kilowatt)).collect();
    let mut store = Store::open(dir.path(), &tags, CONFIG, "").unwrap();
    for at in 0..310 {
        // Four sources, each with a quarter of the tags and six samples of each; the last comes first every other time.
        let of = |source: u32| {
            let instants = (0..6).map(|sixth| at * 6_000 + sixth * 1_000);
            let samples = instants.flat_map(|instant| {
                (source * 25..(source + 1) * 25).map(move |tag| sample(tag, instant, f64::from(tag)))
            });
            SampleBatch { source: SourceIndex(source as u16), ..batch(1, at * 6_000 + 2, samples.collect()) }
        };
        let order = if at % 2 == 0 { [3, 0, 1, 2] } else { [0, 1, 2, 3] };
        let batches = order.map(of);
        store.commit(&Commit { now: Timestamp(at * 6_000), batches: &batches, ..Commit::default() }).unwrap();
    }
    assert!(store.is_compaction_due());
    let before = store.journal(1, usize::MAX).unwrap();
    for _ in 0..2 {
        assert_eq!(store.compact().unwrap().commits, 0);
        assert_eq!(store.journal(1, usize::MAX).unwrap(), before);
    }
    drop(store);
    let mut store = Store::open(dir.path(), &tags, CONFIG, "").unwrap();
    store.hold_samples_for(vec!["history.samples".to_owned()]);
    assert_eq!(store.compact().unwrap(), Default::default(), "a sink hasn't had them");
    store.cursors().unwrap().set("history.samples", 305).unwrap();
    while store.is_compaction_due() {
        store.compact().unwrap();
    }
    assert_eq!(store.compacted_through, 300);
    assert_eq!(store.journal(1, usize::MAX).unwrap(), before);
    let chunks: (u32, u32) = store
        .connection
        .query_row("SELECT count(*), min(samples) FROM chunks", [], |row| Ok((row.get(0)?, row.get(1)?)))
        .unwrap();
    assert_eq!(chunks, (100, 1_800));
}

#[test]
fn compaction_is_due_by_samples_or_by_commits_and_stops_being_due() {
    let mut store = in_memory();
    let samples: Vec<_> = (0..1_800 * 3).map(|at| sample(0, at, 0.5)).collect();
    assert!(!store.is_compaction_due());
    store.commit(&Commit { batches: &[batch(1, 0, samples)], ..Commit::default() }).unwrap();
    assert!(store.is_compaction_due());
    assert_eq!(store.compact().unwrap().samples, 5_400);
    assert!(!store.is_compaction_due());
    assert_eq!(store.compact().unwrap().commits, 0);
    assert_eq!(store.reader().counts().unwrap().samples, 5_400);
}

#[test]
fn a_copy_taken_while_the_store_is_open_holds_every_commit() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = Store::open(dir.path(), &tags(), CONFIG, "").unwrap();
    for at in 0..100 {
        commit_one(&mut store, at);
        if at == 60 {
            store.compact().unwrap();
        }
    }
    // The files as a power cut would leave them: nothing was closed.
    let copy = tempfile::tempdir().unwrap();
    for name in ["parkgate.db", "parkgate.db-wal"] {
        std::fs::copy(dir.path().join(name), copy.path().join(name)).unwrap();
    }
    let mut after = Store::open(copy.path(), &tags(), CONFIG, "").unwrap();
    assert_eq!(after.journal(1, usize::MAX).unwrap(), store.journal(1, usize::MAX).unwrap());
    assert_eq!(commit_one(&mut after, 100), 101);
}

#[test]
fn a_restart_gets_the_checkpoint_its_commit_and_the_heads() {
    let mut store = in_memory();
    let shared = pages(None, 1, &[record("site", 0, 1)]);
    commit_one(&mut store, 0);
    store.commit(&Commit { pages: &shared, checkpoint: Some(b"old"), ..Commit::default() }).unwrap();
    store.commit(&Commit { checkpoint: Some(b"state"), ..Commit::default() }).unwrap();
    commit_one(&mut store, 1_000);
    store.commit(&Commit { now: Timestamp(2_000), ..Commit::default() }).unwrap();
    for _ in 0..2 {
        let resume = store.resume().unwrap();
        assert_eq!(resume.checkpoint.as_deref(), Some(b"state".as_slice()));
        assert_eq!(resume.after, 3);
        assert_eq!(resume.heads[&stream_name()], shared.last().unwrap().head());
        store.compact().unwrap();
    }
}

#[test]
fn a_page_continues_its_stream_or_opens_a_later_epoch() {
    let mut store = in_memory();
    let mut commit = |pages: &[SignedPage]| store.commit(&Commit { pages, ..Commit::default() });
    let first = pages(None, 1, &[record("site", 0, 1)]);
    commit(&first).unwrap();
    let head = first.last().map(SignedPage::head);
    let next = pages(head, 1, &[record("site", 1, 1)]);
    let other = pages(head, 1, &[record("site", 2, 1)]);
    commit(&next).unwrap();
    assert!(commit(&other).is_err(), "the same number over other bytes");
    let opened = pages(head, 2, &[record("site", 1, 1)]);
    commit(&opened).unwrap();
    assert!(commit(&next).is_err(), "an epoch that is over");

    let reader = store.reader();
    assert_eq!(reader.pages_after(&stream_name(), 1, 0, 9).unwrap(), [first.clone(), next].concat());
    assert_eq!(reader.pages_after(&stream_name(), 2, 1, 9).unwrap(), opened[1..]);
    assert_eq!(reader.page(&stream_name(), 1, 2).unwrap().as_ref(), first.get(1));
    assert_eq!(reader.counts().unwrap().pages, 5);
}

#[test]
fn a_tag_with_another_unit_is_another_tag_and_others_keep_their_samples() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = Store::open(dir.path(), &tags(), CONFIG, "").unwrap();
    let samples = vec![sample(0, 1, 0.5), sample(1, 1, 0.6), sample(2, 1, 0.7)];
    store.commit(&Commit { batches: &[batch(4, 2, samples)], ..Commit::default() }).unwrap();
    drop(store);

    let mut moved = tag("meter.power", Unit::Kilowatt);
    (moved.source, moved.hold_ms) = (SourceIndex(3), 9);
    let changed = [tag("aaa.first", Unit::One), tag("meter.energy", Unit::Megawatt), moved];
    let mut store = Store::open(dir.path(), &changed, Digest([2; 32]), "").unwrap();
    for _ in 0..2 {
        let entry = store.journal(1, 1).unwrap().remove(0);
        let kept = SampleBatch { source: SourceIndex(3), ..batch(4, 2, vec![sample(2, 1, 0.6)]) };
        assert_eq!((entry.config, entry.batches, entry.unmapped), (CONFIG, vec![kept], 2));
        store.compact().unwrap();
    }
    drop(store);
    let entry = Store::open(dir.path(), &tags(), CONFIG, "").unwrap().journal(1, 1).unwrap().remove(0);
    assert_eq!((entry.batches[0].samples.len(), entry.unmapped), (3, 0), "nothing was lost");
}

#[test]
fn live_samples_are_the_newest_by_event_time_across_compaction() {
    let mut store = in_memory();
    let reader = store.reader();
    let commit = |store: &mut Store, samples| {
        store.commit(&Commit { batches: &[batch(1, 0, samples)], ..Commit::default() }).unwrap();
    };
    let shown = |reader: &Reader| -> Vec<(String, i64, Option<Number>)> {
        reader
            .latest_samples()
            .unwrap()
            .into_iter()
            .map(|latest| (latest.tag.to_string(), latest.measured_at.0, latest.value))
            .collect()
    };
    assert_eq!(shown(&reader), []);
    commit(&mut store, vec![sample(0, 10, 0.1), sample(1, 5, 0.5)]);
    commit(&mut store, vec![sample(0, 8, 0.2)]);
    let expected =
        [("meter.energy".to_owned(), 10, Number::finite(0.1)), ("meter.power".to_owned(), 5, Number::finite(0.5))];
    assert_eq!(shown(&reader), expected);
    store.compact().unwrap();
    assert_eq!(shown(&reader), expected);
    assert_eq!(shown(&store.reader()), expected, "a reader that starts after the compaction");
    commit(&mut store, vec![sample(1, 6, 0.6)]);
    store.compact().unwrap();
    commit(&mut store, vec![sample(0, 11, 0.7)]);
    let expected =
        [("meter.energy".to_owned(), 11, Number::finite(0.7)), ("meter.power".to_owned(), 6, Number::finite(0.6))];
    assert_eq!(shown(&reader), expected);
    assert_eq!(shown(&store.reader()), expected);
}

#[test]
fn a_cursor_moves_both_ways_and_a_refusal_is_kept_once() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path(), &tags(), CONFIG, "").unwrap();
    let cursors = Cursors::open(dir.path()).unwrap();
    assert_eq!(cursors.get("hepza").unwrap(), 0);
    for position in [7, 3, u64::from(u32::MAX) + 1] {
        cursors.set("hepza", position).unwrap();
        assert_eq!(cursors.get("hepza").unwrap(), position);
    }
    for reason in ["bad tag", "again"] {
        cursors.undeliverable("influx", 4, "record 4", reason, Timestamp(1)).unwrap();
    }
    let reader = store.reader();
    assert_eq!(reader.cursor("hepza").unwrap(), u64::from(u32::MAX) + 1);
    let refused = reader.undeliverable("influx", 9).unwrap();
    assert_eq!((refused.len(), refused[0].reason.as_str()), (1, "bad tag"));
    assert_eq!(reader.undeliverable_counts().unwrap().into_iter().collect::<Vec<_>>(), [("influx".to_owned(), 1)]);
}

#[test]
fn more_readers_than_connections_wait_for_each_other() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = Store::open(dir.path(), &tags(), CONFIG, "").unwrap();
    let reader = Reader::open(dir.path()).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..16 {
            let reader = reader.clone();
            scope.spawn(move || {
                for _ in 0..50 {
                    reader.latest_samples().unwrap();
                    reader.counts().unwrap();
                }
            });
        }
        for at in 0..50 {
            commit_one(&mut store, at);
        }
    });
    assert_eq!(reader.counts().unwrap().samples, 50);
}

#[test]
fn the_lineage_of_a_shared_record_is_found_by_its_digest() {
    let mut store = in_memory();
    let records = [record("site", 0, 1), record("site", 0, 2), record("line-1", 0, 1)];
    store.commit(&Commit { records: &records, ..Commit::default() }).unwrap();
    let reader = store.reader();
    assert_eq!(reader.records_of_inputs(Digest([2; 32])).unwrap(), records[1..2]);
    let window = records[0].window;
    assert_eq!(store.revised(&records[0].asset, records[0].grain, window).unwrap(), Some(2));
    assert_eq!(store.revised(&super::asset("press-1"), records[0].grain, window).unwrap(), None);
    assert_eq!(reader.record(&records[0].asset, records[0].grain, window.start).unwrap().as_ref(), records.get(1));
    assert_eq!(reader.records(&records[0].asset, records[0].grain, window.start, window.end).unwrap(), records[1..2]);
    let numbered = reader.records_after(1, 1).unwrap();
    assert_eq!(numbered, [(2, records[1].clone())]);
}

#[test]
fn a_sink_that_lags_beyond_what_is_held_for_it_gets_every_sample_and_thinning_goes_on_behind_it() {
    let mut store = Store::open_in_memory(&thinned_tags(), CONFIG, "").unwrap();
    store.hold_samples_for(vec!["history.samples".to_owned()]);
    store.held_samples_max = 100;
    let commit = |store: &mut Store, seconds: std::ops::Range<i64>| {
        for at in seconds.map(|second| second * 1_000) {
            let (batches, checkpoint) = ([batch(1, at, vec![sample(0, at, 5.0)])], Some(&b"state"[..]));
            store.commit(&Commit { now: Timestamp(at), batches: &batches, checkpoint, ..Commit::default() }).unwrap();
        }
    };
    let read_on = |store: &Store| {
        let (mut through, mut samples) = (50, 0);
        while let Some(run) =
            Some(store.reader().samples_after(through, 1_000, |_| ()).unwrap()).filter(|run| run.through > through)
        {
            (through, samples) = (run.through, samples + run.samples);
        }
        samples
    };
    commit(&mut store, 0..300);
    store.cursors().unwrap().set("history.samples", 50).unwrap();
    while store.compact().unwrap().commits > 0 {}
    assert_eq!((store.compacted_through, read_on(&store), store.thinned().unwrap()), (300, 250, vec![]));
    store.cursors().unwrap().set("history.samples", 350).unwrap();
    commit(&mut store, 300..350);
    while store.compact().unwrap().commits > 0 {}
    // The first and the last of the step, and a heartbeat.
    let left_out = store.thinned().unwrap();
    assert!((1..50).contains(&left_out[0].1), "{left_out:?}");
    assert_eq!(read_on(&store) + left_out[0].1, 300);
}

/// The test tags, of which the first two keep changes beyond 1 and a sample each minute.
fn thinned_tags() -> Vec<crate::model::tag::TagSpec> {
    let mut tags = tags();
    tags[..2].iter_mut().for_each(|tag| tag.thinning = Some(Thinning { deadband: 1.0, heartbeat_ms: 60_000 }));
    tags
}

#[test]
fn history_is_thinned_only_behind_the_checkpoint_and_says_how_much_is_left_out() {
    let dir = tempfile::tempdir().unwrap();
    let open = || Store::open(dir.path(), &thinned_tags(), CONFIG, "").unwrap();
    let mut store = open();
    let mut committed = Vec::new();
    for second in 0..300_i64 {
        let at = second * 1_000;
        let samples = vec![sample(0, at, 5.0), sample(2, at, 0.5), sample(1, at, if second == 70 { 9.0 } else { 5.0 })];
        let batches = [batch(second.unsigned_abs() + 1, at, samples)];
        let checkpoint = (second == 100 || second == 250).then_some(&b"state"[..]);
        store.commit(&Commit { now: Timestamp(at), batches: &batches, checkpoint, ..Commit::default() }).unwrap();
        if second == 50 {
            assert_eq!(store.compact().unwrap().commits, 0, "no checkpoint: a restart would need everything");
        }
        if second == 150 || second == 299 {
            store.compact().unwrap();
            drop(store);
            store = open();
        }
        committed.push(batches);
    }
    let journal = store.journal(1, usize::MAX).unwrap();
    let of =
        |tag: u32, samples: &[Sample]| samples.iter().filter(|s| s.tag == TagIndex(tag)).copied().collect::<Vec<_>>();
    for (entry, batches) in journal.iter().zip(&committed) {
        let (kept, came) = (&entry.batches[0].samples, &batches[0].samples);
        assert_eq!(of(2, kept), of(2, came), "a tag that isn't thinned keeps everything");
        assert_eq!(kept.len() as u64 + entry.thinned, came.len() as u64);
        assert!(kept.iter().all(|sample| came.contains(sample)), "what is kept is as it came");
        let is_behind = entry.seq <= 251;
        assert!(is_behind || entry.thinned == 0, "commit {} is ahead of the checkpoint", entry.seq);
    }
    let seconds = |tag: u32| -> Vec<i64> {
        let samples = journal[..251].iter().flat_map(|entry| of(tag, &entry.batches[0].samples));
        samples.map(|sample| sample.measured_at.0 / 1_000).collect()
    };
    assert_eq!(seconds(0), [0, 60, 100, 160, 220, 250]);
    assert_eq!(seconds(1), [0, 60, 70, 71, 100, 160, 220, 250]);
    let left_out = vec![("meter.energy".to_owned(), 251 - 6), ("meter.power".to_owned(), 251 - 8)];
    assert_eq!(store.thinned().unwrap(), left_out);
    assert_eq!(journal.iter().map(|entry| entry.thinned).sum::<u64>(), 245 + 243);
    let after = store.resume().unwrap().after;
    assert_eq!(store.journal(after + 1, usize::MAX).unwrap().iter().map(|entry| entry.thinned).sum::<u64>(), 0);
    let latest = store.reader().latest_samples().unwrap();
    assert!(latest.iter().all(|sample| sample.measured_at == Timestamp(299_000)), "{latest:?}");
}
