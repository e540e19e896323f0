//! From what tags contribute to a span to the facts of every asset.
//!
//! An asset's own input replaces its children's sum and never adds to it. Times and PRU-weighted quantities sum over
//! children; energy and parts do so only where the asset says it, and parts of a line count at its declared exit.

use super::plant::Asset;
use super::series::TagMinute;
use crate::model::fact::{Facts, Measure};
use crate::model::tag::TagIndex;
use crate::model::time::Window;

/// The time elements that NO_DATA completes to planned operation time.
const STATE_MEASURES: [Measure; 5] = [Measure::Apt, Measure::Aust, Measure::Adet, Measure::Adot, Measure::PlannedDown];
const TIMES: [Measure; 6] =
    [Measure::Apt, Measure::Aust, Measure::Adet, Measure::Adot, Measure::PlannedDown, Measure::NoData];
const PARTS: [Measure; 6] = [
    Measure::ProducedQuantity,
    Measure::GoodQuantity,
    Measure::ScrapQuantity,
    Measure::ReworkQuantity,
    Measure::PartsObserved,
    Measure::PartsExpected,
];
const ELECTRICITY: [Measure; 8] = [
    Measure::Electricity,
    Measure::ElectricitySubstituted,
    Measure::ElectricityExcluded,
    Measure::ReactiveEnergy,
    Measure::ElectricityObserved,
    Measure::ElectricityExpected,
    Measure::ReactiveObserved,
    Measure::ReactiveExpected,
];

/// What tags contribute to a span, by tag.
#[derive(Debug, Clone, Copy)]
pub(super) struct Contributions<'a> {
    /// By tag position: its place in `minutes`, or beyond its end where no asset has the tag as an input.
    pub(super) places: &'a [u32],
    /// By place.
    pub(super) minutes: &'a [Option<TagMinute>],
}

impl Contributions<'static> {
    /// No tag contributes.
    pub(super) const NONE: Self = Self { places: &[], minutes: &[] };
}

/// What a span is made of.
#[derive(Debug, Clone, Copy)]
pub(super) enum Span<'a> {
    /// A whole span: what was expected of it counts, whether observed or not.
    Whole {
        /// Planned operation time in it, ascending, without overlap.
        planned: &'a [Window],
        /// **Unit**: ms.
        length_ms: i64,
    },
    /// Amounts to be added to a closed minute; its times and expectations stand.
    Correction,
}

/// Returns the positions of each asset's children, in plant order.
pub(super) fn children(assets: &[Asset]) -> Vec<Vec<usize>> {
    let mut children = vec![Vec::new(); assets.len()];
    for (position, asset) in assets.iter().enumerate() {
        if let Some(parent) = asset.parent {
            children[parent].push(position);
        }
    }
    children
}

/// Returns the facts of every asset, in plant order. `children` is what [`children`] returns of the assets, `tags`
/// holds the contributions.
pub(super) fn assemble(
    assets: &[Asset],
    children: &[Vec<usize>],
    span: Span<'_>,
    tags: Contributions<'_>,
) -> Vec<Facts> {
    let mut all = vec![Facts::default(); assets.len()];
    // Children come after their parent, so backwards each finds its children done.
    for (position, asset) in assets.iter().enumerate().rev() {
        let mut facts = Facts::default();
        times(asset, span, tags, &children[position], &all, &mut facts);
        parts(asset, span, tags, &children[position], &all, &mut facts);
        electricity(asset, span, tags, &children[position], &all, &mut facts);
        all[position] = facts;
    }
    all
}

fn contribution(tags: Contributions<'_>, tag: TagIndex) -> Option<&TagMinute> {
    let place = *tags.places.get(tag.as_usize())?;
    tags.minutes.get(place as usize)?.as_ref()
}

fn amount(tags: Contributions<'_>, tag: TagIndex) -> i128 {
    contribution(tags, tag).map_or(0, |minute| minute.amount)
}

fn sum_children(measures: &[Measure], children: &[usize], all: &[Facts], facts: &mut Facts) {
    for measure in measures {
        for value in children.iter().filter_map(|child| all[*child].get(*measure)) {
            facts.add(*measure, value);
        }
    }
}

fn times(asset: &Asset, span: Span<'_>, tags: Contributions<'_>, children: &[usize], all: &[Facts], facts: &mut Facts) {
    let Some(tag) = asset.state else { return sum_children(&TIMES, children, all, facts) };
    let Span::Whole { planned, .. } = span else { return };
    STATE_MEASURES.into_iter().for_each(|measure| facts.set(measure, 0));
    let mut known_ms = 0;
    for (start, end, state) in contribution(tags, tag).into_iter().flat_map(|minute| &minute.states) {
        for window in planned {
            let ms = (*end).min(window.end).ms_since((*start).max(window.start)).max(0);
            known_ms += ms;
            facts.add(state.measure(), i128::from(ms));
        }
    }
    let planned_ms: i64 = planned.iter().map(|window| window.length_ms()).sum();
    facts.set(Measure::NoData, i128::from(planned_ms - known_ms));
}

fn parts(asset: &Asset, span: Span<'_>, tags: Contributions<'_>, children: &[usize], all: &[Facts], facts: &mut Facts) {
    let inputs: Vec<TagIndex> = [asset.total, asset.good, asset.scrap, asset.rework].into_iter().flatten().collect();
    if inputs.is_empty() {
        match asset.exit {
            Some(exit) => sum_children(&PARTS, &[exit], all, facts),
            None if asset.sum_children.parts => sum_children(&PARTS, children, all, facts),
            None => {}
        }
    } else {
        own_quantities(asset, tags, facts);
        if let Span::Whole { length_ms, .. } = span {
            facts.set(Measure::PartsExpected, i128::from(length_ms));
            facts.set(Measure::PartsObserved, i128::from(observed_ms(&inputs, tags)));
        }
    }
    planned_run_times(asset, children, all, facts);
}

/// PRU·PQ and PRU·GQ belong to the time they are divided by: an asset with a state of its own, or without children,
/// takes its own planned run time; any other sums its children's, as it sums their times.
fn planned_run_times(asset: &Asset, children: &[usize], all: &[Facts], facts: &mut Facts) {
    if asset.state.is_none() && !children.is_empty() {
        return sum_planned_run_times(children, all, facts);
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
fn own_quantities(asset: &Asset, tags: Contributions<'_>, facts: &mut Facts) {
    let measured = |tag: Option<TagIndex>| tag.map(|tag| amount(tags, tag));
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
fn sum_planned_run_times(children: &[usize], all: &[Facts], facts: &mut Facts) {
    for measure in [Measure::PruPq, Measure::PruGq] {
        let complete = children
            .iter()
            .all(|child| all[*child].get(Measure::NoData).is_none() || all[*child].get(measure).is_some());
        if complete {
            sum_children(&[measure], children, all, facts);
        }
    }
}

fn electricity(
    asset: &Asset,
    span: Span<'_>,
    tags: Contributions<'_>,
    children: &[usize],
    all: &[Facts],
    facts: &mut Facts,
) {
    let boundary = &asset.boundary;
    if !boundary.has_electricity() {
        if asset.sum_children.electricity {
            sum_children(&ELECTRICITY, children, all, facts);
        }
        return;
    }
    let signed = boundary
        .electricity
        .iter()
        .chain(&boundary.generation)
        .map(|tag| (1, *tag))
        .chain(boundary.export.iter().map(|tag| (-1, *tag)));
    facts.set(Measure::Electricity, 0);
    facts.set(Measure::ElectricitySubstituted, 0);
    facts.set(Measure::ElectricityExcluded, 0);
    for (sign, minute) in signed.clone().filter_map(|(sign, tag)| Some((sign, contribution(tags, tag)?))) {
        facts.add(Measure::Electricity, sign * minute.amount);
        facts.add(Measure::ElectricitySubstituted, sign * minute.substituted);
        facts.add(Measure::ElectricityExcluded, sign * minute.excluded);
    }
    if !boundary.reactive.is_empty() {
        facts.set(Measure::ReactiveEnergy, boundary.reactive.iter().map(|tag| amount(tags, *tag)).sum());
    }
    if let Span::Whole { length_ms, .. } = span {
        let meters: Vec<TagIndex> = signed.map(|(_, tag)| tag).collect();
        facts.set(Measure::ElectricityExpected, i128::from(length_ms));
        facts.set(Measure::ElectricityObserved, i128::from(observed_ms(&meters, tags)));
        if !boundary.reactive.is_empty() {
            facts.set(Measure::ReactiveExpected, i128::from(length_ms));
            facts.set(Measure::ReactiveObserved, i128::from(observed_ms(&boundary.reactive, tags)));
        }
    }
}

/// Returns the time over which every one of the tags was observed, bounded by the least observed. **Unit**: ms.
fn observed_ms(inputs: &[TagIndex], tags: Contributions<'_>) -> i64 {
    inputs.iter().map(|tag| contribution(tags, *tag).map_or(0, |minute| minute.observed_ms)).min().unwrap_or(0)
}
