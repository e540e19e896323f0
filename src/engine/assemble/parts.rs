//! Quantities: produced, good, scrap and rework, and what they were planned to take.

use super::{Scope, Span};
use crate::model::fact::{Facts, Measure};
use crate::model::tag::TagIndex;

const PARTS: [Measure; 6] = [
    Measure::ProducedQuantity,
    Measure::GoodQuantity,
    Measure::ScrapQuantity,
    Measure::ReworkQuantity,
    Measure::PartsObserved,
    Measure::PartsExpected,
];

/// Adds quantities: the asset's own, those of its exit, or its children's where it says so.
pub(super) fn add(scope: &Scope<'_>, facts: &mut Facts) {
    let asset = scope.asset;
    let inputs: Vec<TagIndex> = [asset.total, asset.good, asset.scrap, asset.rework].into_iter().flatten().collect();
    if inputs.is_empty() {
        match asset.exit {
            Some(exit) => scope.sum(&[exit], &PARTS, facts),
            None if asset.sum_children.parts => scope.sum_children(&PARTS, facts),
            None => {}
        }
    } else {
        own_quantities(scope, facts);
        if let Span::Whole { window, .. } = scope.span {
            facts.set(Measure::PartsExpected, i128::from(window.length_ms()));
            facts.set(Measure::PartsObserved, i128::from(scope.observed_ms(&inputs)));
        }
    }
    planned_run_times(scope, facts);
}

/// PRU·PQ and PRU·GQ belong to the time they are divided by: an asset with a state of its own, or without children,
/// takes its own planned run time; any other sums its children's, as it sums their times.
fn planned_run_times(scope: &Scope<'_>, facts: &mut Facts) {
    let asset = scope.asset;
    if asset.state.is_none() && !scope.children.is_empty() {
        return sum_planned_run_times(scope, facts);
    }
    let Some(ns) = asset.planned_run_time_per_unit_ns.map(i128::from) else { return };
    for (quantity, planned) in [(Measure::ProducedQuantity, Measure::PruPq), (Measure::GoodQuantity, Measure::PruGq)] {
        if let Some(quantity) = facts.get(quantity) {
            facts.set(planned, quantity * ns / 1_000_000);
        }
    }
}

/// PQ = GQ + SQ + RQ. Whatever of it is measured determines the rest; a quality is claimed only where good or scrap
/// quantity is measured.
fn own_quantities(scope: &Scope<'_>, facts: &mut Facts) {
    let asset = scope.asset;
    let measured = |tag: Option<TagIndex>| tag.map(|tag| scope.amount(tag));
    let (total, good, scrap, rework) =
        (measured(asset.total), measured(asset.good), measured(asset.scrap), measured(asset.rework));
    let rejected = scrap.unwrap_or(0) + rework.unwrap_or(0);
    let produced = total.or(good.map(|good| good + rejected));
    if let Some(produced) = produced {
        facts.set(Measure::ProducedQuantity, produced);
        if good.is_some() || scrap.is_some() {
            facts.set(Measure::GoodQuantity, good.unwrap_or(produced - rejected));
        }
    }
    let missing = || produced.zip(good).map(|(produced, good)| produced - good - rework.unwrap_or(0));
    if let Some(scrap) = scrap.or_else(missing) {
        facts.set(Measure::ScrapQuantity, scrap);
    }
    if let Some(rework) = rework {
        facts.set(Measure::ReworkQuantity, rework);
    }
}

/// Sums PRU·PQ and PRU·GQ where every child whose time counts has them; else their ratio to that time would be wrong.
fn sum_planned_run_times(scope: &Scope<'_>, facts: &mut Facts) {
    for measure in [Measure::PruPq, Measure::PruGq] {
        let is_known = |child: &Facts| child.get(Measure::NoData).is_none() || child.get(measure).is_some();
        if scope.children.iter().all(|child| is_known(&scope.all[*child])) {
            scope.sum_children(&[measure], facts);
        }
    }
}
