//! Declarations: what counts, where, and what is taken back.

use proptest::prelude::*;

use super::{Declarations, Declared, Grain, KEPT_MS, Measure, Plant, Said, Statement, Timestamp, Window, share};
use crate::engine::Revision;
use crate::engine::tests::plant;
use crate::model::declared::{DeclaredKind, DeclaredUnit, WasteStream};
use crate::model::fact::Facts;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn waste(period: Window, tonnes: i64, replaces: Option<i64>) -> Declared {
    Declared {
        kind: DeclaredKind::Waste { stream: WasteStream::Hazardous },
        asset: plant().assets[0].id.clone(),
        period,
        quantity_micro: tonnes * 1_000_000,
        unit: DeclaredUnit::Tonne,
        document: String::new(),
        replaces,
    }
}

fn months() -> Plant {
    let plant = plant();
    Plant { grains: vec![Grain::Day, Grain::Month, Grain::Year], ..Plant::clone(&plant) }
}

fn say(declarations: &mut Declarations, plant: &Plant, closed: Timestamp, id: i64, said: Said) {
    declarations.hear(plant, &Statement { id, said }, closed, |_| Some(closed));
}

fn due(declarations: &mut Declarations, plant: &Plant, now: Timestamp) -> Vec<Revision> {
    declarations.revise(plant, now, now, true)
}

fn grams(revisions: &[Revision], grain: Grain) -> Vec<i128> {
    revisions
        .iter()
        .filter(|one| one.grain == grain && one.asset == 0)
        .map(|one| one.correction.amount(Measure::Waste))
        .collect()
}

/// 20 September to 19 October: 11 days in one month, 19 in the next.
fn period() -> Window {
    Window { start: at("2026-09-20T00:00:00+07:00"), end: at("2026-10-20T00:00:00+07:00") }
}

#[test]
fn nothing_counts_before_a_second_person_has_approved_it() {
    let (plant, mut declarations) = (months(), Declarations::default());
    let now = at("2026-11-02T00:00:00+07:00");
    say(&mut declarations, &plant, now, 1, Said::Declared(waste(period(), 30, None)));
    assert!(due(&mut declarations, &plant, now).is_empty());
    say(&mut declarations, &plant, now, 2, Said::Approved { of: 1 });
    let revisions = due(&mut declarations, &plant, now);
    assert_eq!(grams(&revisions, Grain::Month), [11_000_000, 19_000_000]);
    assert!(grams(&revisions, Grain::Day).is_empty() && grams(&revisions, Grain::Year).is_empty());
    assert!(due(&mut declarations, &plant, now).is_empty(), "once");
    say(&mut declarations, &plant, now, 3, Said::Approved { of: 1 });
    say(&mut declarations, &plant, now, 4, Said::Approved { of: 99 });
    assert!(due(&mut declarations, &plant, now).is_empty(), "approved twice, or never declared");
}

#[test]
fn what_is_withdrawn_or_replaced_is_taken_back_exactly() {
    let (plant, mut declarations) = (months(), Declarations::default());
    let now = at("2026-11-02T00:00:00+07:00");
    say(&mut declarations, &plant, now, 1, Said::Declared(waste(period(), 7, None)));
    say(&mut declarations, &plant, now, 2, Said::Approved { of: 1 });
    let first = due(&mut declarations, &plant, now);
    say(&mut declarations, &plant, now, 3, Said::Declared(waste(period(), 8, Some(1))));
    assert!(due(&mut declarations, &plant, now).is_empty(), "not before it is approved");
    say(&mut declarations, &plant, now, 4, Said::Approved { of: 3 });
    let second = due(&mut declarations, &plant, now);
    say(&mut declarations, &plant, now, 5, Said::Withdrawn { of: 3 });
    let third = due(&mut declarations, &plant, now);
    for place in 0..2 {
        let sum: i128 = [&first, &second, &third].iter().map(|all| grams(all, Grain::Month)[place]).sum();
        assert_eq!(sum, 0);
    }
    say(&mut declarations, &plant, now, 6, Said::Declared(waste(period(), 9, None)));
    say(&mut declarations, &plant, now, 7, Said::Approved { of: 6 });
    say(&mut declarations, &plant, now, 8, Said::Withdrawn { of: 6 });
    assert!(due(&mut declarations, &plant, now).is_empty(), "nothing came of it");
}

#[test]
fn a_window_that_is_open_takes_it_as_it_closes_and_not_twice() {
    let (plant, mut declarations) = (months(), Declarations::default());
    let closed = at("2026-10-05T00:00:00+07:00");
    say(&mut declarations, &plant, closed, 1, Said::Declared(waste(period(), 30, None)));
    say(&mut declarations, &plant, closed, 2, Said::Approved { of: 1 });
    assert_eq!(grams(&due(&mut declarations, &plant, closed), Grain::Month), [11_000_000], "September had closed");
    let october = plant.site_calendar().window_of(Grain::Month, closed).unwrap();
    let year = plant.site_calendar().window_of(Grain::Year, closed).unwrap();
    let of = |grain: Grain, window: Window| {
        let mut facts = Facts::default();
        declarations.add_to(&plant, &[], (0, grain, window), &mut facts);
        facts.get(Measure::WasteHazardous)
    };
    assert_eq!((of(Grain::Month, october), of(Grain::Year, year)), (Some(19_000_000), Some(30_000_000)));
    assert_eq!(of(Grain::Hour, Window { start: closed, end: closed + 3_600_000 }), None);
    let day = plant.site_calendar().window_of(Grain::Day, closed).unwrap();
    assert_eq!(of(Grain::Day, day), None, "the period is longer than a day");
}

#[test]
fn a_declaration_is_kept_for_18_months_and_survives_a_checkpoint() {
    let (plant, mut declarations) = (months(), Declarations::default());
    let now = at("2026-11-02T00:00:00+07:00");
    say(&mut declarations, &plant, now, 1, Said::Declared(waste(period(), 30, None)));
    say(&mut declarations, &plant, now, 2, Said::Approved { of: 1 });
    let bytes = postcard::to_stdvec(&declarations).unwrap();
    assert_eq!(postcard::from_bytes::<Declarations>(&bytes).unwrap(), declarations);
    due(&mut declarations, &plant, period().end + KEPT_MS);
    assert!(!declarations.approved.is_empty());
    due(&mut declarations, &plant, period().end + KEPT_MS + 1);
    assert!(declarations.approved.is_empty());
    say(&mut declarations, &plant, period().end + KEPT_MS + 1, 3, Said::Declared(waste(period(), 30, None)));
    assert!(declarations.waiting.is_empty());
}

proptest! {
    #[test]
    fn the_windows_of_a_period_together_have_all_of_it_however_it_is_cut(
        amount in 0..1_000_000_000_000_000_000_i128,
        start in 0..1_000_000_000_i64,
        length in 1..40_000_000_000_i64,
        mut cuts in proptest::collection::vec(0..40_000_000_000_i64, 0..14),
    ) {
        let period = Window { start: Timestamp(start), end: Timestamp(start + length) };
        cuts.extend([0, 40_000_000_001]);
        cuts.sort_unstable();
        let at = |cut: i64| Timestamp(start - 5 + cut);
        let parts: Vec<i128> = cuts.windows(2).map(|cut| share(amount, period, Window { start: at(cut[0]), end: at(cut[1]) })).collect();
        prop_assert!(parts.iter().all(|part| (0..=amount).contains(part)));
        prop_assert_eq!(parts.iter().sum::<i128>(), amount);
    }
}
