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
    } else {
        // People are no machine's state: a line that reports its own has those who attend its machines.
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

#[cfg(test)]
mod tests {
    use super::super::{Contributions, Span, one};
    use super::{Facts, Measure, Window};
    use crate::engine::calendar::Planned;
    use crate::engine::plant::Plant;
    use crate::engine::tests::plant;
    use crate::model::tag::TagIndex;
    use crate::model::time::{MINUTE_MS, Timestamp};

    #[test]
    fn a_line_that_reports_a_state_has_the_people_at_its_machines() {
        let mut plant = Plant::clone(&plant());
        plant.assets[0].state = Some(TagIndex(0));
        let mut all = vec![Facts::default(); plant.assets.len()];
        all[1].set(Measure::PersonnelAttendance, 120_000);
        all[1].set(Measure::PersonnelWork, 90_000);
        let planned = vec![Planned::default(); plant.calendars.len()];
        let window = Window { start: Timestamp(0), end: Timestamp(MINUTE_MS) };
        let facts = one(&plant, 0, &[1], Span { window, planned: &planned }, Contributions::NONE, &all);
        assert_eq!(facts.get(Measure::PersonnelAttendance), Some(120_000));
        assert_eq!(facts.get(Measure::PersonnelWork), Some(90_000));
    }
}
