//! What only context tells: orders, plans, inspection, material and people.

use super::{Scope, parts, times};
use crate::model::context::{ContextKind, Counted};
use crate::model::fact::{Facts, Measure};
use crate::model::time::Window;

const ORDERS: [Measure; 4] =
    [Measure::OrderExecution, Measure::OrderBusy, Measure::OrderProduction, Measure::OrderQuantity];
const INSPECTION: [Counted; 2] = [Counted::Inspected, Counted::FirstPass];
const MATERIAL: [Counted; 5] =
    [Counted::Consumed, Counted::IntegratedGood, Counted::ProductionLoss, Counted::StorageLoss, Counted::OtherLoss];

/// Adds what the asset is told, else what follows from its exit or its children.
pub(super) fn add(scope: &Scope<'_>, facts: &mut Facts) {
    let window = scope.window();
    let takes = |kind| scope.asset.takes.contains(&kind);
    if takes(ContextKind::Order) {
        orders(scope, window, facts);
    } else {
        scope.inherit_parts(&ORDERS, facts);
    }
    plans(scope, window, facts);
    if takes(ContextKind::Inspection) {
        INSPECTION.iter().for_each(|of| facts.set(of.measure(), scope.counted(*of, None)));
    } else {
        scope.inherit_parts(&INSPECTION.map(Counted::measure), facts);
    }
    if takes(ContextKind::Material) {
        MATERIAL.iter().for_each(|of| facts.set(of.measure(), scope.counted(*of, None)));
    } else if scope.asset.sum_children.parts {
        scope.sum_children(&MATERIAL.map(Counted::measure), facts);
    }
    if takes(ContextKind::Personnel) {
        let (present, working) = scope.view().map_or((0, 0), |view| view.personnel_ms(window));
        facts.set(Measure::PersonnelAttendance, present);
        facts.set(Measure::PersonnelWork, working);
    } else if scope.asset.state.is_none() {
        scope.sum_children(&[Measure::PersonnelAttendance, Measure::PersonnelWork], facts);
    }
}

/// Adds each order's execution time with the busy time, the production time and the parts of that very time. Of orders
/// that run at once each has its own: the ratio to their sum stays one of an order.
fn orders(scope: &Scope<'_>, window: Window, facts: &mut Facts) {
    for measure in [Measure::OrderExecution, Measure::OrderBusy, Measure::OrderProduction] {
        facts.set(measure, 0);
    }
    if parts::produced_between(scope, window).is_some() {
        facts.set(Measure::OrderQuantity, 0);
    }
    for part in scope.view().into_iter().flat_map(|view| view.orders(window)) {
        facts.add(Measure::OrderExecution, i128::from(part.length_ms()));
        let (busy_ms, production_ms) = times::busy_between(scope, part);
        facts.add(Measure::OrderBusy, i128::from(busy_ms));
        facts.add(Measure::OrderProduction, i128::from(production_ms));
        if let Some(produced) = parts::produced_between(scope, part) {
            facts.add(Measure::OrderQuantity, produced);
        }
    }
}

/// Adds planned quantities: what orders and plans say, and of scrap, where no plan says it, each product's share.
fn plans(scope: &Scope<'_>, window: Window, facts: &mut Facts) {
    let takes = |kind| scope.asset.takes.contains(&kind);
    let view = scope.view();
    if takes(ContextKind::Plan) || takes(ContextKind::Order) {
        facts.set(Measure::PlannedOrderQuantity, view.map_or(0, |view| view.planned_quantity(window)));
    } else {
        scope.inherit_parts(&[Measure::PlannedOrderQuantity], facts);
    }
    let by_product = takes(ContextKind::Product) && scope.plans_scrap();
    if takes(ContextKind::Plan) || by_product {
        let told = view.and_then(|view| view.planned_scrap(window));
        let expected = || if by_product { parts::scrap_by_product(scope, window) } else { 0 };
        facts.set(Measure::PlannedScrapQuantity, told.unwrap_or_else(expected));
    } else {
        scope.inherit_parts(&[Measure::PlannedScrapQuantity], facts);
    }
}
