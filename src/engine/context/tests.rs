//! What assets are told, in any order, late and contradicting.

use super::history::{EVENTS_MAX, Slot};
use super::{ContextTally, HORIZON_MS, Told};
use crate::engine::plant::{Asset, Plant, Product, RunTime};
use crate::engine::tests::plant as empty;
use crate::model::context::{Context, ContextEvent, ContextKind, Counted};
use crate::model::id::{AssetId, EventId, OrderId, ProductId, ReasonCode};
use crate::model::record::Level;
use crate::model::state::MachineState;
use crate::model::time::{MINUTE_MS, Timestamp, Window};
use crate::model::unit::ProductUnit;

const NOW: Timestamp = Timestamp(1_800_000_000_000);

fn plant() -> Plant {
    let mut press = Asset::new(AssetId::new("press-1").unwrap(), None, Level::Site);
    press.takes = ContextKind::ALL.into_iter().collect();
    press.planned_run_time_per_unit_ns = Some(7);
    let product = |id: &str, ns| Product {
        id: ProductId::new(id).unwrap(),
        unit: ProductUnit::Piece,
        run_times: vec![
            RunTime { valid_from: Timestamp(i64::MIN), asset: None, ns },
            RunTime { valid_from: NOW, asset: None, ns: ns * 10 },
            RunTime { valid_from: NOW, asset: Some(0), ns: ns * 100 },
        ],
        planned_scrap_micro: 0,
    };
    Plant {
        assets: vec![press],
        products: vec![product("a", 1), product("b", 2)],
        stop_reasons: [(ReasonCode::new("no-material").unwrap(), MachineState::Stopped)].into(),
        ..(*empty()).clone()
    }
}

fn event(id: Option<&str>, at: Timestamp, what: Context) -> ContextEvent {
    let id = id.map(|id| EventId::new(id).unwrap());
    ContextEvent { id, asset: AssetId::new("press-1").unwrap(), at, what }
}

fn runs(id: &str) -> Context {
    Context::Product { product: Some(ProductId::new(id).unwrap()) }
}

fn order(id: &str, starts: bool) -> Context {
    let order = OrderId::new(id).unwrap();
    if starts {
        Context::OrderStart { order, planned_micro: Some(9), planned_ms: None }
    } else {
        Context::OrderEnd { order }
    }
}

fn told(plant: &Plant, events: &[ContextEvent]) -> Told {
    let mut told = Told::new(&plant.assets);
    events.iter().for_each(|event| {
        told.hear(plant, event, NOW);
    });
    told
}

fn window(from: i64, to: i64) -> Window {
    Window { start: NOW + from, end: NOW + to }
}

#[test]
fn a_minute_is_cut_where_the_product_changes_and_each_part_has_its_own_run_time() {
    let plant = plant();
    let told = told(&plant, &[event(None, NOW - 5_000, runs("a")), event(None, NOW - 1_456, runs("b"))]);
    let view = told.view(&plant, 0);
    let minute = window(-MINUTE_MS, 0);
    let slices = view.products(minute);
    let found: Vec<_> =
        slices.iter().map(|slice| (slice.window, slice.product.map(|product| product.id.as_str()))).collect();
    assert_eq!(
        found,
        [(window(-MINUTE_MS, -5_000), None), (window(-5_000, -1_456), Some("a")), (window(-1_456, 0), Some("b"))]
    );
    assert_eq!(view.run_time_ns(slices[0].product, slices[0].window.start), Some(7), "no product: the asset's own");
    assert_eq!(view.run_time_ns(slices[2].product, NOW - 1), Some(2), "the one that held then");
    assert_eq!(view.run_time_ns(slices[2].product, NOW), Some(200), "the one for this asset");
}

#[test]
fn what_counts_does_not_depend_on_the_order_in_which_it_was_told() {
    let plant = plant();
    let at = NOW - 1_000;
    let events = [
        event(Some("e-1"), at, runs("a")),
        event(Some("e-1"), at - 500, runs("b")),
        event(None, at, order("wo-1", true)),
        event(None, at + 100, order("wo-1", false)),
        event(Some("e-2"), at, Context::Stop { reason: Some(ReasonCode::new("no-material").unwrap()) }),
        event(Some("e-2"), at, Context::Withdrawn),
        event(None, at, Context::Quantity { of: Counted::Scrap, micro: 5, from: None, reason: None }),
        event(None, at, Context::Quantity { of: Counted::Scrap, micro: 4, from: None, reason: None }),
    ];
    let forwards = told(&plant, &events);
    let mut turned = events.to_vec();
    turned.reverse();
    let backwards = told(&plant, &turned);
    assert_eq!(forwards.by_asset(&plant.assets), backwards.by_asset(&plant.assets));
    let view = backwards.view(&plant, 0);
    let minute = window(-MINUTE_MS, 0);
    assert_eq!(view.products(minute)[1].product.unwrap().id.as_str(), "b", "the larger of the two");
    assert_eq!(view.stops(minute), [], "a withdrawn stop never was");
    assert_eq!(view.counted(Counted::Scrap, minute), 5);
    assert_eq!(view.orders(minute).collect::<Vec<_>>(), [window(-1_000, -900)]);
}

#[test]
fn told_again_it_counts_once_and_what_cannot_count_is_counted_as_that() {
    let plant = plant();
    let mut told = Told::new(&plant.assets);
    let mut hear = |event: &ContextEvent| told.hear(&plant, event, NOW).map(|(_, span)| span);
    let scrap =
        |at| event(Some("e-1"), at, Context::Quantity { of: Counted::Scrap, micro: 5, from: None, reason: None });
    assert_eq!(hear(&scrap(NOW - 10)), Some(window(-10, -9)));
    assert_eq!(hear(&scrap(NOW - 10)), None);
    assert_eq!(hear(&event(None, NOW + 11 * MINUTE_MS, runs("a"))), None);
    assert_eq!(hear(&event(None, NOW - HORIZON_MS - 1, runs("a"))), None);
    assert_eq!(hear(&event(None, NOW, runs("unknown"))), None);
    let plan = |at: Timestamp| Context::Plan { until: at + MINUTE_MS, quantity_micro: Some(1), scrap_micro: None };
    assert!(hear(&event(None, NOW + 86_400_000, plan(NOW + 86_400_000))).is_some(), "a plan is told before its time");
    let tally = told.take_tally();
    assert_eq!(
        tally,
        ContextTally { taken: 2, duplicate: 1, ahead: 1, too_late: 1, refused: 1, ..ContextTally::default() }
    );
}

#[test]
fn contradicting_orders_say_nothing_new() {
    let plant = plant();
    let events = [
        event(None, NOW - 900, order("wo-1", false)),
        event(None, NOW - 800, order("wo-1", true)),
        event(None, NOW - 700, order("wo-1", true)),
        event(None, NOW - 600, order("wo-2", true)),
        event(None, NOW - 500, order("wo-1", false)),
        event(None, NOW - 400, order("wo-1", false)),
        event(None, NOW - 300, order("wo-1", true)),
    ];
    let told = told(&plant, &events);
    let view = told.view(&plant, 0);
    let spans: Vec<Window> = view.orders(window(-MINUTE_MS, 0)).collect();
    assert_eq!(spans, [window(-800, -500), window(-600, 0), window(-300, 0)]);
    assert_eq!(view.planned_quantity(window(-MINUTE_MS, 0)), 18, "an order that goes on is planned once");
}

#[test]
fn parts_of_a_spread_amount_sum_to_the_whole() {
    let plant = plant();
    let spread = Context::Quantity { of: Counted::Consumed, micro: 1_000_001, from: Some(NOW - 100_000), reason: None };
    let told = told(&plant, &[event(None, NOW - 7, spread)]);
    let view = told.view(&plant, 0);
    let cuts = [-100_000, -60_000, -59_999, -33_333, -8, -7, 0];
    let sum: i128 = cuts.windows(2).map(|cut| view.counted(Counted::Consumed, window(cut[0], cut[1]))).sum();
    assert_eq!(sum, 1_000_001);
    assert_eq!(view.counted(Counted::Consumed, window(-7, 0)), 0);
}

#[test]
fn people_count_until_the_next_word_and_at_most_a_day() {
    let plant = plant();
    let day = 86_400_000;
    let told = told(&plant, &[event(None, NOW - 2 * day, Context::Personnel { present: 5, working: 4 })]);
    let view = told.view(&plant, 0);
    assert_eq!(view.personnel_ms(window(-2 * day, -2 * day + 1_000)), (5_000, 4_000));
    assert_eq!(view.personnel_ms(window(-day - 500, 0)), (2_500, 2_000));
}

#[test]
fn what_stands_is_remembered_beyond_the_horizon_and_the_rest_is_forgotten() {
    let plant = plant();
    let mut told = Told::new(&plant.assets);
    let long_ago = NOW - HORIZON_MS + MINUTE_MS;
    told.hear(&plant, &event(None, long_ago - 10, runs("a")), NOW);
    told.hear(&plant, &event(None, long_ago, runs("b")), NOW);
    let later = NOW + 2 * HORIZON_MS;
    told.hear(&plant, &event(None, later, Context::Stop { reason: None }), later);
    let held = told.by_asset(&plant.assets);
    let history = held.values().next().unwrap().clone().restored();
    assert_eq!(history.events_in(Slot::Product, Timestamp(i64::MIN), later).count(), 1);
    assert_eq!(
        told.view(&plant, 0).products(Window { start: later - 1, end: later })[0].product.unwrap().id.as_str(),
        "b"
    );
}

#[test]
fn one_asset_is_told_so_much_and_the_rest_is_counted() {
    let plant = plant();
    let mut told = Told::new(&plant.assets);
    for place in 0..=i64::try_from(EVENTS_MAX).unwrap() {
        let what = Context::Quantity { of: Counted::Scrap, micro: 1, from: None, reason: None };
        told.hear(&plant, &event(None, NOW - place, what), NOW);
    }
    assert_eq!(told.take_tally().full, 1);
}
