//! What may leave: a wider share waits for the factory's word whatever dies in between, and a withdrawal doesn't.

use super::{
    ClockState, Digest, GatewayId, GatewayKey, Grain, KpiId, Level, MORNING, Path, Pipeline, Reader, SharePolicy,
    Store, StreamPolicy, Timestamp, batches, hold, make_impatient, plant, read_page, store_in, stream,
};
use crate::ledger::chain::{Presented, Trust, verify_chain};
use crate::ledger::page::{Page, PageKind};
use crate::store::AskedShare;

fn policy(kpis: &[&'static str], level: Level) -> SharePolicy {
    SharePolicy { kpis: kpis.iter().copied().map(KpiId::of).collect(), level, grain: Grain::QuarterHour }
}

fn narrow() -> SharePolicy {
    policy(&["electricity"], Level::Site)
}

fn wide() -> SharePolicy {
    policy(&["availability", "electricity"], Level::Unit)
}

fn open(store: Store, policy: SharePolicy) -> Pipeline {
    let policies = vec![StreamPolicy { name: stream(), epoch: 1, policy }];
    let (gateway, key) = (GatewayId::new("tt-0042").unwrap(), GatewayKey::from_seed([7; 32]));
    Pipeline::open(plant(), ClockState::Simulated, gateway, policies, key, store).unwrap()
}

fn open_in(directory: &Path, policy: SharePolicy) -> Pipeline {
    open(store_in(directory), policy)
}

fn pages(reader: &Reader) -> Vec<Page> {
    let pages = reader.pages_after(&stream(), 1, 0, 1_000).unwrap();
    let presented: Vec<_> =
        pages.iter().map(|page| Presented { place: "", bytes: &page.bytes, jws: &page.jws }).collect();
    assert_eq!(verify_chain(&presented, &Trust::FirstPage, &[]).findings, []);
    pages.iter().map(|page| read_page(&page.bytes).unwrap()).collect()
}

fn policies(pages: &[Page]) -> Vec<SharePolicy> {
    pages.iter().filter_map(|page| page.policy.clone()).collect()
}

/// Whether a page holds something that the narrow share keeps inside.
fn is_beyond_narrow(page: &Page) -> bool {
    let kept = ["apt_ms", "aust_ms", "adet_ms", "adot_ms", "no_data_ms"];
    page.records.iter().any(|record| {
        record.level != Level::Site
            || record.kpis.iter().any(|value| value.kpi.as_str() != "electricity")
            || record.facts.iter().any(|(measure, _)| kept.contains(&measure.as_str()))
    })
}

/// Takes some of the hour's batches, or closes it where they are all taken.
fn run(pipeline: &mut Pipeline, from: usize, to: usize) {
    for batch in &batches()[from..to] {
        pipeline.step(std::slice::from_ref(batch), batch.received_at).unwrap();
    }
    if to == batches().len() {
        pipeline.step(&[], Timestamp(MORNING + 4_200_000)).unwrap();
    }
}

fn waiting(reader: &Reader) -> Vec<AskedShare> {
    reader.asked_shares().unwrap().into_iter().filter(AskedShare::is_waiting).collect()
}

#[test]
fn nothing_of_a_wider_share_leaves_before_it_is_confirmed_though_the_box_dies_at_every_turn() {
    let directory = tempfile::tempdir().unwrap();
    let (third, all) = (batches().len() / 3, batches().len());
    let mut pipeline = open_in(directory.path(), narrow());
    run(&mut pipeline, 0, third);
    drop(pipeline);
    // The configuration asks for more; the box dies after each commit.
    for position in third..2 * third {
        let mut pipeline = open_in(directory.path(), wide());
        run(&mut pipeline, position, position + 1);
        let (_, beyond) = &pipeline.waiting_shares()[0];
        assert!(beyond.to_string().starts_with("KPI availability; level unit instead of site; facts "), "{beyond}");
    }
    let pipeline = open_in(directory.path(), wide());
    let before = pages(&pipeline.reader());
    assert_eq!(policies(&before), [narrow()]);
    assert!(before.len() > 2 && !before.iter().any(is_beyond_narrow), "{} pages", before.len());
    assert_eq!(waiting(&pipeline.reader()).len(), 1, "it is asked for once");
    // The box dies between the factory's word and the page.
    let mut confirmations = pipeline.reader().confirmations().unwrap();
    confirmations.confirm(&stream(), None, "Lê An", Timestamp(MORNING)).unwrap();
    drop((confirmations, pipeline));
    let mut pipeline = open_in(directory.path(), wide());
    assert_eq!(pages(&pipeline.reader()).len(), before.len());
    run(&mut pipeline, 2 * third, all);
    drop(pipeline);
    let pipeline = open_in(directory.path(), wide());
    let after = pages(&pipeline.reader());
    assert_eq!(policies(&after), [narrow(), wide()]);
    let (kept, left) = after.split_at(before.len());
    assert_eq!(kept, before);
    assert_eq!(left[0].kind, PageKind::Policy, "the next page is the policy page");
    assert!(left.iter().any(is_beyond_narrow));
    let asked = pipeline.reader().asked_shares().unwrap();
    assert_eq!((asked.len(), asked[0].confirmed.as_ref().unwrap().person.as_str()), (1, "Lê An"));
    assert!(asked[0].taken_by.is_some());
}

#[test]
fn a_commit_that_fails_leaves_the_confirmation_for_the_next_one() {
    let directory = tempfile::tempdir().unwrap();
    let mut pipeline = open_in(directory.path(), narrow());
    run(&mut pipeline, 0, 1);
    drop(pipeline);
    let store = store_in(directory.path());
    make_impatient(&store);
    let mut pipeline = open(store, wide());
    run(&mut pipeline, 1, 2);
    pipeline.reader().confirmations().unwrap().confirm(&stream(), None, "An", Timestamp(MORNING)).unwrap();
    let held = hold(directory.path());
    let batch = &batches()[2];
    assert!(pipeline.step(std::slice::from_ref(batch), batch.received_at).is_err());
    assert_eq!(policies(&pages(&pipeline.reader())), [narrow()]);
    drop(held);
    pipeline.rebuild().unwrap();
    pipeline.step(std::slice::from_ref(batch), batch.received_at).unwrap();
    assert_eq!(policies(&pages(&pipeline.reader())), [narrow(), wide()]);
}

#[test]
fn a_withdrawal_needs_nobody_and_holds_from_the_next_page_on() {
    let directory = tempfile::tempdir().unwrap();
    let half = batches().len() / 2;
    let mut pipeline = open_in(directory.path(), wide());
    run(&mut pipeline, 0, half);
    let before = pages(&pipeline.reader()).len();
    drop(pipeline);
    let mut pipeline = open_in(directory.path(), narrow());
    run(&mut pipeline, half, batches().len());
    let pages = pages(&pipeline.reader());
    assert!(pages[..before].iter().any(is_beyond_narrow));
    assert_eq!(pages[before].policy, Some(narrow()));
    assert!(pages.len() > before + 1 && !pages[before..].iter().any(is_beyond_narrow));
    assert_eq!(waiting(&pipeline.reader()), []);
    assert_eq!(pipeline.waiting_shares(), []);
}

#[test]
fn what_is_narrower_in_a_mixed_change_is_withdrawn_at_once_and_the_rest_waits() {
    let directory = tempfile::tempdir().unwrap();
    let half = batches().len() / 2;
    let mut pipeline = open_in(directory.path(), policy(&["electricity"], Level::Unit));
    run(&mut pipeline, 0, half);
    drop(pipeline);
    let asked = policy(&["availability", "electricity"], Level::Site);
    let mut pipeline = open_in(directory.path(), asked.clone());
    run(&mut pipeline, half, half + 1);
    let common = policy(&["electricity"], Level::Site);
    assert_eq!(policies(&pages(&pipeline.reader())), [policy(&["electricity"], Level::Unit), common.clone()]);
    // Asked for no longer, it waits no longer, and what was withdrawn would have to be confirmed again.
    drop(pipeline);
    let mut pipeline = open_in(directory.path(), common);
    run(&mut pipeline, half + 1, half + 2);
    assert_eq!((waiting(&pipeline.reader()), pipeline.waiting_shares()), (vec![], vec![]));
    drop(pipeline);
    let pipeline = open_in(directory.path(), policy(&["electricity"], Level::Unit));
    assert_eq!(pipeline.waiting_shares()[0].1.to_string(), "level unit instead of site");
}

#[test]
fn a_new_epoch_opens_with_what_was_agreed_and_a_new_stream_with_what_is_configured() {
    let plant = plant();
    let directory = tempfile::tempdir().unwrap();
    let mut pipeline = open_in(directory.path(), narrow());
    run(&mut pipeline, 0, 2);
    drop(pipeline);
    let policies = ["hepza", "province"].map(|name| StreamPolicy {
        name: crate::model::id::StreamName::new(name).unwrap(),
        epoch: 2,
        policy: wide(),
    });
    let (gateway, key) = (GatewayId::new("tt-0042").unwrap(), GatewayKey::from_seed([7; 32]));
    let store = Store::open(directory.path(), &plant.tags, Digest::ZERO, "test").unwrap();
    let mut pipeline = Pipeline::open(plant, ClockState::Simulated, gateway, policies.to_vec(), key, store).unwrap();
    run(&mut pipeline, 2, 3);
    let first = |name| {
        let name = crate::model::id::StreamName::new(name).unwrap();
        read_page(&pipeline.reader().page(&name, 2, 1).unwrap().unwrap().bytes).unwrap().policy
    };
    assert_eq!((first("hepza"), first("province")), (Some(narrow()), Some(wide())));
}
