//! Another key takes over: by the next page of each stream, once, whatever dies in between.

use super::{
    ClockState, GatewayId, GatewayKey, Path, Pipeline, Reader, StreamPolicy, batches, epoch_cursor, plant,
    reached_cursor, read_page, store_in, stream,
};
use crate::ledger::chain::{Presented, Trust, verify_chain};
use crate::ledger::jws;
use crate::ledger::page::{PageKind, SignedPage};
use crate::model::record::{KpiId, Level};
use crate::model::share::SharePolicy;
use crate::model::time::Grain;
use crate::pipeline::Keys;

fn old() -> GatewayKey {
    GatewayKey::from_seed([7; 32])
}

fn new() -> GatewayKey {
    GatewayKey::from_seed([8; 32])
}

fn rotating() -> Keys {
    Keys { current: old(), next: Some(new()) }
}

fn open(directory: &Path, epoch: u32, keys: impl Into<Keys>) -> Pipeline {
    let policy = SharePolicy { kpis: vec![KpiId::of("electricity")], level: Level::Site, grain: Grain::QuarterHour };
    let policies = vec![StreamPolicy { name: stream(), epoch, policy }];
    let gateway = GatewayId::new("tt-0042").unwrap();
    Pipeline::open(plant(), ClockState::Simulated, gateway, policies, keys, store_in(directory)).unwrap()
}

fn run(pipeline: &mut Pipeline, from: usize, to: usize) {
    for batch in &batches()[from..to] {
        pipeline.step(std::slice::from_ref(batch), batch.received_at).unwrap();
    }
}

fn pages(reader: &Reader, epoch: u32) -> Vec<SignedPage> {
    reader.pages_after(&stream(), epoch, 0, 1_000).unwrap()
}

/// Returns of each page what it is for and whether the old key signed it.
fn signed(pages: &[SignedPage]) -> Vec<(PageKind, bool)> {
    pages.iter().map(|page| (page.kind, jws::kid(&page.jws).unwrap() == old().kid())).collect()
}

fn findings(pages: &[SignedPage]) -> Vec<String> {
    let presented: Vec<_> =
        pages.iter().map(|page| Presented { place: "", bytes: &page.bytes, jws: &page.jws }).collect();
    let trust = Trust::Keys(vec![old().verifying()]);
    verify_chain(&presented, &trust, &[]).findings.iter().map(ToString::to_string).collect()
}

#[test]
fn the_next_page_of_a_stream_hands_over_once_though_the_box_dies_before_and_after_it() {
    let directory = tempfile::tempdir().unwrap();
    let (third, all) = (batches().len() / 3, batches().len());
    let mut pipeline = open(directory.path(), 1, old());
    run(&mut pipeline, 0, third);
    let before = pages(&pipeline.reader(), 1);
    drop(pipeline);
    // The key was made, and the box dies before it cut anything.
    drop(open(directory.path(), 1, rotating()));
    for position in third..all {
        run(&mut open(directory.path(), 1, rotating()), position, position + 1);
    }
    let reader = open(directory.path(), 1, rotating()).reader();
    let after = pages(&reader, 1);
    assert_eq!(after[..before.len()], before);
    let left = signed(&after[before.len()..]);
    assert_eq!(left[0], (PageKind::Key, true));
    assert!(left.len() > 2 && left[1..].iter().all(|page| *page == (PageKind::Records, false)), "{left:?}");
    assert_eq!(findings(&after), Vec::<String>::new());
    // Once the new key is the only one, nothing changes.
    let mut pipeline = open(directory.path(), 1, new());
    pipeline.step(&[], batches()[all - 1].received_at + 4_000_000).unwrap();
    assert!(
        signed(&pages(&pipeline.reader(), 1)[after.len()..]).iter().all(|page| *page == (PageKind::Records, false))
    );
}

#[test]
fn a_stream_without_a_page_begins_with_the_newest_key() {
    let directory = tempfile::tempdir().unwrap();
    let mut pipeline = open(directory.path(), 1, rotating());
    run(&mut pipeline, 0, 1);
    assert_eq!(signed(&pages(&pipeline.reader(), 1)), [(PageKind::Policy, false)]);
}

#[test]
fn an_epoch_that_goes_on_before_the_key_page_begins_with_the_key_that_its_receiver_knows() {
    let directory = tempfile::tempdir().unwrap();
    let mut pipeline = open(directory.path(), 1, old());
    run(&mut pipeline, 0, 1);
    drop(pipeline);
    let mut pipeline = open(directory.path(), 1, rotating());
    run(&mut pipeline, 1, 2);
    let first = pages(&pipeline.reader(), 1);
    assert_eq!(signed(&first), [(PageKind::Policy, true), (PageKind::Key, true)]);
    drop(pipeline);
    // The receiver holds the policy page, and never took the key page.
    let store = store_in(directory.path());
    let cursors = store.cursors().unwrap();
    cursors.set(&reached_cursor("hepza", 1), 1).unwrap();
    cursors.set(&epoch_cursor("hepza"), 2).unwrap();
    drop((cursors, store));
    let mut pipeline = open(directory.path(), 2, rotating());
    run(&mut pipeline, 2, 3);
    let second = pages(&pipeline.reader(), 2);
    assert_eq!(signed(&second), [(PageKind::Policy, true), (PageKind::Key, true)]);
    assert_eq!(second[0].prev, first[0].hash);
    assert_eq!(findings(&[&first[..1], &second[..]].concat()), Vec::<String>::new());
    assert_eq!(read_page(&second[1].bytes).unwrap().key, Some(new().jwk()));
}
