//! Statements: two persons, one journal, and nothing said twice or lost.

use super::super::{Commit, Standing, Statements, Store, StoreError, Unsaid};
use super::{CONFIG, asset, batch, in_memory, sample, schema_1_in, tags};
use crate::model::context::{Context, ContextEvent};
use crate::model::declared::{Declared, DeclaredKind, DeclaredUnit, WasteStream};
use crate::model::sample::SampleBatch;
use crate::model::statement::Said;
use crate::model::time::{Timestamp, Window};

fn waste(document: &str) -> Declared {
    Declared {
        kind: DeclaredKind::Waste { stream: WasteStream::Recycled },
        asset: asset("site"),
        period: Window { start: Timestamp(0), end: Timestamp(86_400_000) },
        quantity_micro: 1_000_000,
        unit: DeclaredUnit::Tonne,
        document: document.to_owned(),
        replaces: None,
    }
}

fn standing(statements: &Statements, id: i64) -> Standing {
    statements.declaration(id).unwrap().unwrap().standing()
}

#[test]
fn a_declaration_is_approved_by_another_person_whatever_the_name_looks_like() {
    let store = in_memory();
    let mut statements = store.statements().unwrap();
    let id = statements.declare(&waste("B-1"), "Lê Thị An", Timestamp(1)).unwrap();
    assert_eq!(standing(&statements, id), Standing::Waiting);
    for same in ["Lê Thị An", " lê  thị an ", "LÊ THỊ AN", "lêthịan", "Lê-Thị-An", "Le\u{302} Thi\u{323} An"]
    {
        assert!(matches!(statements.approve(id, same, Timestamp(2)), Err(Unsaid::SamePerson(_))), "{same}");
    }
    assert!(matches!(statements.approve(id, "  ", Timestamp(2)), Err(Unsaid::Nobody)));
    assert!(matches!(statements.approve(99, "Binh", Timestamp(2)), Err(Unsaid::Unknown(99))));
    statements.approve(id, "Binh", Timestamp(3)).unwrap();
    assert_eq!(standing(&statements, id), Standing::Approved);
    assert!(matches!(statements.approve(id, "Chi", Timestamp(4)), Err(Unsaid::Settled { .. })));
    let declaration = statements.declaration(id).unwrap().unwrap();
    assert_eq!(declaration.entered.person, "Lê Thị An");
    assert_eq!(declaration.approved.map(|word| (word.person, word.at)), Some(("Binh".to_owned(), Timestamp(3))));
}

#[test]
fn declarations_within_18_months_are_limited_and_older_ones_make_room() {
    let store = in_memory();
    let mut statements = store.statements().unwrap();
    let first = statements.declare(&waste("B-0"), "An", Timestamp(0)).unwrap();
    let more = "WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 9999)
        INSERT INTO statements (kind, said, person, told_at) SELECT 'declared', said, person, n FROM statements, numbers
        WHERE statements.id = ?1";
    statements.connection.execute(more, [first]).unwrap();
    let refused = statements.declare(&waste("B-1"), "An", Timestamp(10_000)).unwrap_err();
    assert!(matches!(refused, Unsaid::Full(10_000)), "{refused}");
    assert!(
        matches!(statements.declare(&waste("B-0"), "An", Timestamp(10_000)), Err(Unsaid::Same(_))),
        "known is known"
    );
    let later = Timestamp(548 * 86_400_000);
    statements.declare(&waste("B-1"), "An", later).unwrap();
    assert!(matches!(statements.declare(&waste("B-2"), "An", later), Err(Unsaid::Full(_))), "one had grown old");
}

#[test]
fn the_same_is_declared_once_until_it_is_withdrawn_or_replaced() {
    let store = in_memory();
    let mut statements = store.statements().unwrap();
    let first = statements.declare(&waste("B-1"), "An", Timestamp(1)).unwrap();
    assert!(matches!(statements.declare(&waste("B-1"), "Binh", Timestamp(2)), Err(Unsaid::Same(id)) if id == first));
    statements.withdraw(first, "An", Timestamp(3)).unwrap();
    assert!(matches!(statements.approve(first, "Binh", Timestamp(4)), Err(Unsaid::Settled { .. })));
    let second = statements.declare(&waste("B-1"), "An", Timestamp(5)).unwrap();
    statements.approve(second, "Binh", Timestamp(6)).unwrap();

    let better = Declared { quantity_micro: 2_000_000, replaces: Some(second), ..waste("B-1") };
    let third = statements.declare(&better, "An", Timestamp(7)).unwrap();
    assert_eq!(standing(&statements, second), Standing::Approved, "until the other one is approved");
    statements.approve(third, "Binh", Timestamp(8)).unwrap();
    assert_eq!(standing(&statements, second), Standing::Replaced);
    assert!(matches!(statements.withdraw(second, "An", Timestamp(9)), Err(Unsaid::Settled { .. })));
    let again = Declared { replaces: Some(second), ..waste("B-2") };
    assert!(matches!(statements.declare(&again, "An", Timestamp(9)), Err(Unsaid::Settled { .. })));
    assert_eq!(statements.declarations().unwrap().len(), 3);
}

#[test]
fn a_statement_waits_until_a_commit_takes_it_and_the_journal_gives_it_back_in_order() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = Store::open(dir.path(), &tags(), CONFIG, "").unwrap();
    let mut beside = Statements::open(dir.path()).unwrap();
    let id = beside.declare(&waste("B-1"), "An", Timestamp(1)).unwrap();
    beside.approve(id, "Binh", Timestamp(2)).unwrap();
    let waiting = store.waiting_statements().unwrap();
    assert_eq!(waiting.iter().map(|one| one.said.as_str()).collect::<Vec<_>>(), ["declared", "approved"]);
    // What is said while the commit is under way waits for the next.
    beside.withdraw(id, "An", Timestamp(3)).unwrap();

    let event = |at: i64| ContextEvent {
        id: None,
        asset: asset("site"),
        at: Timestamp(at),
        what: Context::Stop { reason: None },
    };
    let batches = [
        batch(1, 10, vec![sample(0, 9, 0.5)]),
        SampleBatch { context: vec![event(7), event(8)], ..batch(2, 10, vec![]) },
    ];
    store.commit(&Commit { statements: &waiting, batches: &batches, ..Commit::default() }).unwrap();
    let left = store.waiting_statements().unwrap();
    assert_eq!(left.iter().map(|one| one.said.clone()).collect::<Vec<_>>(), [Said::Withdrawn { of: id }]);
    store.commit(&Commit { statements: &left, ..Commit::default() }).unwrap();

    let journal = store.journal(1, usize::MAX).unwrap();
    assert_eq!((&journal[0].statements, &journal[1].statements), (&waiting, &left));
    assert_eq!(journal[0].batches, batches);
    assert!(store.waiting_statements().unwrap().is_empty());
    store.compact().unwrap();
    assert_eq!(store.journal(1, usize::MAX).unwrap(), journal, "compaction changes nothing");
}

#[test]
fn a_store_of_an_older_program_is_told_to_be_started_once() {
    let dir = tempfile::tempdir().unwrap();
    schema_1_in(dir.path());
    assert!(matches!(Statements::open(dir.path()), Err(StoreError::Older { found: 1, needed: 3 })));
}
