//! Quantities: produced, good, scrap and rework, and what they were planned to take.
//!
//! A quantity is counted by a tag or told, never both. Where the asset is told which product runs, its minute is cut at
//! the very instant of a change, and each part is taken with the planned run time of its product. Quantities of a
//! product that is counted in another unit than the asset's are in no sum; the time it ran is kept beside them, so
//! that over such a window a quantity has no value. Planned run times of unlike products are times and do sum.

use super::Scope;
use crate::engine::context::Slice;
use crate::engine::plant::Asset;
use crate::model::context::{ContextKind, Counted};
use crate::model::fact::{Facts, Measure};
use crate::model::tag::TagIndex;
use crate::model::time::Window;

const PARTS: [Measure; 11] = [
    Measure::ProducedQuantity,
    Measure::GoodQuantity,
    Measure::ScrapQuantity,
    Measure::ReworkQuantity,
    Measure::PartsObserved,
    Measure::PartsExpected,
    Measure::PartsSubstituted,
    Measure::PartsExcluded,
    Measure::UnlikeParts,
    Measure::ProductionCapacity,
    Measure::FirstOperationQuantity,
];

/// Weighed quantities, and the time of which the weight isn't known.
const RUN_TIMES: [Measure; 3] = [Measure::PruPq, Measure::PruGq, Measure::UnplannedParts];

/// Milliseconds in an hour: what a rated output is given for.
const HOUR_MS: i128 = 3_600_000;

/// Adds quantities: the asset's own, those of its exit, or its children's where it says so.
pub(super) fn add(scope: &Scope<'_>, facts: &mut Facts) {
    if has_own(scope.asset) {
        own_quantities(scope, facts);
        capacity(scope.asset, facts);
    } else {
        scope.inherit_parts(&PARTS, facts);
    }
    planned_run_times(scope, facts);
}

/// Returns what an asset produced between two instants: by its own inputs, at its exit, or by its children where it
/// sums them. `None` where it doesn't count. **Unit**: 10⁻⁶ of its product unit.
pub(super) fn produced_between(scope: &Scope<'_>, window: Window) -> Option<i128> {
    let asset = scope.asset;
    if has_own(asset) {
        let slices = scope.slices(window);
        let like = slices.iter().filter(|slice| !is_unlike(asset, slice));
        return like
            .map(|slice| quantities(scope, Some(slice.window)).produced)
            .try_fold(0, |sum, part| Some(sum + part?));
    }
    let of = |position: usize| produced_between(&scope.at(position), window);
    match asset.exit {
        Some(exit) => of(exit),
        None if asset.sum_children.parts => {
            scope.positions_of_children().filter_map(of).reduce(|sum: i128, quantity| sum + quantity)
        }
        None => None,
    }
}

/// Returns the scrap that is planned for what each product produced within a span.
/// **Unit**: 10⁻⁶ of the product unit.
pub(super) fn scrap_by_product(scope: &Scope<'_>, window: Window) -> i128 {
    let slices = scope.slices(window);
    let is_cut = slices.len() > 1;
    let of = |slice: &Slice<'_>| {
        let share = i128::from(slice.product.filter(|_| !is_unlike(scope.asset, slice))?.planned_scrap_micro);
        let produced = quantities(scope, is_cut.then_some(slice.window)).produced?;
        Some((produced * share + 500_000).div_euclid(1_000_000))
    };
    slices.iter().filter_map(of).sum()
}

/// What is counted by a tag or told.
const ROLES: [Counted; 4] = [Counted::Produced, Counted::Good, Counted::Scrap, Counted::Rework];

const fn tag_of(asset: &Asset, role: Counted) -> Option<TagIndex> {
    match role {
        Counted::Produced => asset.total,
        Counted::Good => asset.good,
        Counted::Scrap => asset.scrap,
        Counted::Rework => asset.rework,
        _ => None,
    }
}

fn has_own(asset: &Asset) -> bool {
    ROLES.into_iter().any(|role| tag_of(asset, role).is_some() || asset.takes.contains(&role.kind()))
}

fn is_unlike(asset: &Asset, slice: &Slice<'_>) -> bool {
    slice.product.is_some_and(|product| product.unit != asset.product_unit)
}

/// Quantities of one asset; `None` for what it doesn't count. **Unit**: 10⁻⁶ of the product unit.
#[derive(Debug, Clone, Copy, Default)]
struct Quantities {
    produced: Option<i128>,
    good: Option<i128>,
    scrap: Option<i128>,
    rework: Option<i128>,
}

impl Quantities {
    fn zip(self, other: Self, join: impl Fn(i128, i128) -> i128) -> Self {
        let both = |a: Option<i128>, b: Option<i128>| match (a, b) {
            (None, None) => None,
            (a, b) => Some(join(a.unwrap_or(0), b.unwrap_or(0))),
        };
        Self {
            produced: both(self.produced, other.produced),
            good: both(self.good, other.good),
            scrap: both(self.scrap, other.scrap),
            rework: both(self.rework, other.rework),
        }
    }
}

/// PQ = GQ + SQ + RQ. Whatever of it is measured determines the rest; a quality is claimed only where good or scrap
/// quantity is measured. `part` is a part of the scope's span, `None` all of it.
fn quantities(scope: &Scope<'_>, part: Option<Window>) -> Quantities {
    let measured = |role: Counted| match tag_of(scope.asset, role) {
        Some(tag) => Some(scope.amount_in(tag, part)),
        None => scope.asset.takes.contains(&role.kind()).then(|| scope.counted(role, part)),
    };
    let [total, good, scrap, rework] = ROLES.map(measured);
    let rejected = scrap.unwrap_or(0) + rework.unwrap_or(0);
    let produced = total.or(good.map(|good| good + rejected));
    let has_quality = good.is_some() || scrap.is_some();
    let missing = || produced.zip(good).map(|(produced, good)| produced - good - rework.unwrap_or(0));
    Quantities {
        produced,
        good: produced.filter(|_| has_quality).map(|produced| good.unwrap_or(produced - rejected)),
        scrap: scrap.or_else(missing),
        rework,
    }
}

fn own_quantities(scope: &Scope<'_>, facts: &mut Facts) {
    let asset = scope.asset;
    let slices = scope.slices(scope.window());
    let mut sum = Quantities::default();
    let mut unlike_ms = 0;
    if let [_, _, ..] = slices.as_slice() {
        for slice in &slices {
            let part = quantities(scope, Some(slice.window));
            let counts = !is_unlike(asset, slice);
            unlike_ms += if counts { 0 } else { slice.window.length_ms() };
            sum = sum.zip(part, |sum, part| if counts { sum + part } else { sum });
        }
    } else {
        let counts = !slices.first().is_some_and(|slice| is_unlike(asset, slice));
        unlike_ms = if counts { 0 } else { slices[0].window.length_ms() };
        sum = sum.zip(quantities(scope, None), |_, all| if counts { all } else { 0 });
    }
    let measures = [
        (Measure::ProducedQuantity, sum.produced),
        (Measure::GoodQuantity, sum.good),
        (Measure::ScrapQuantity, sum.scrap),
        (Measure::ReworkQuantity, sum.rework),
        (Measure::FirstOperationQuantity, asset.first_operation.map(|tag| scope.amount(tag))),
    ];
    for (measure, quantity) in measures {
        if let Some(quantity) = quantity {
            facts.set(measure, quantity);
        }
    }
    if asset.takes.contains(&ContextKind::Product) {
        facts.set(Measure::UnlikeParts, i128::from(unlike_ms));
    }
    observation(scope, facts);
}

/// Adds how well the counters were observed, and what of their growth was spread over a gap or left out.
fn observation(scope: &Scope<'_>, facts: &mut Facts) {
    let asset = scope.asset;
    let counters: Vec<TagIndex> = ROLES.into_iter().filter_map(|role| tag_of(asset, role)).collect();
    let counting = if asset.total.is_some() { &counters[..1] } else { &counters[..] };
    let sum = |part: fn(&super::TagMinute) -> i128| -> i128 {
        counting.iter().filter_map(|tag| scope.contribution(*tag)).map(part).sum()
    };
    if !counting.is_empty() {
        facts.set(Measure::PartsSubstituted, sum(|minute| minute.substituted));
        facts.set(Measure::PartsExcluded, sum(|minute| minute.excluded));
    }
    let inputs: Vec<TagIndex> = counters.iter().copied().chain(asset.first_operation).collect();
    if !inputs.is_empty() {
        facts.set(Measure::PartsExpected, i128::from(scope.window().length_ms()));
        facts.set(Measure::PartsObserved, i128::from(scope.observed_ms(&inputs)));
    }
}

/// Adds rated output over observed planned busy time (EPC), so that it stands beside the parts of the same time.
fn capacity(asset: &Asset, facts: &mut Facts) {
    let Some(per_hour) = asset.capacity_micro_per_hour.filter(|_| asset.state.is_some()) else { return };
    let busy_ms: i128 =
        [Measure::Apt, Measure::Aust, Measure::Adet, Measure::Adot].map(|time| facts.amount(time)).iter().sum();
    facts.set(Measure::ProductionCapacity, (i128::from(per_hour) * busy_ms + HOUR_MS / 2).div_euclid(HOUR_MS));
}

/// PRU·PQ and PRU·GQ belong to the time they are divided by: an asset with a state of its own, or without children,
/// takes its own planned run time; any other sums its children's, as it sums their times.
fn planned_run_times(scope: &Scope<'_>, facts: &mut Facts) {
    let asset = scope.asset;
    if asset.state.is_none() && !scope.children.is_empty() {
        return sum_planned_run_times(scope, facts);
    }
    if asset.takes.contains(&ContextKind::Product) {
        return run_times_by_product(scope, facts);
    }
    let Some(ns) = asset.planned_run_time_per_unit_ns.map(i128::from) else { return };
    for (quantity, planned) in [(Measure::ProducedQuantity, Measure::PruPq), (Measure::GoodQuantity, Measure::PruGq)] {
        if let Some(quantity) = facts.get(quantity) {
            facts.set(planned, quantity * ns / 1_000_000);
        }
    }
}

/// Takes each part of the minute with the planned run time of the product that ran in it.
fn run_times_by_product(scope: &Scope<'_>, facts: &mut Facts) {
    let window = scope.window();
    let slices = scope.slices(window);
    let is_cut = slices.len() > 1;
    let mut weighed = Quantities::default();
    let mut unplanned_ms = 0;
    for slice in &slices {
        let part = quantities(scope, is_cut.then_some(slice.window));
        let ns = scope.run_time_ns(slice.product, slice.window.start);
        let is_unplanned = ns.is_none() && part.produced.is_some_and(|produced| produced != 0);
        unplanned_ms += if is_unplanned { slice.window.length_ms() } else { 0 };
        let ns = i128::from(ns.unwrap_or(0));
        weighed = weighed.zip(part, |sum, quantity| sum + quantity * ns / 1_000_000);
    }
    for (measure, weighed) in [(Measure::PruPq, weighed.produced), (Measure::PruGq, weighed.good)] {
        if let Some(weighed) = weighed {
            facts.set(measure, weighed);
        }
    }
    facts.set(Measure::UnplannedParts, i128::from(unplanned_ms));
}

/// Sums PRU·PQ and PRU·GQ where every child whose time counts has them; else their ratio to that time would be wrong.
fn sum_planned_run_times(scope: &Scope<'_>, facts: &mut Facts) {
    for measure in RUN_TIMES {
        let is_known = |child: &Facts| {
            measure == Measure::UnplannedParts || child.get(Measure::NoData).is_none() || child.get(measure).is_some()
        };
        if scope.children.iter().all(|child| is_known(&scope.all[*child])) {
            scope.sum_children(&[measure], facts);
        }
    }
}
