//! Electricity through the meters of an asset's boundary: what it used, where it came from, and what the grid's part of
//! it costs.

use super::{Amount, Scope, media};
use crate::engine::baseline::divide;
use crate::engine::kpi::drawn;
use crate::engine::medium::Medium;
use crate::engine::meter::Reading;
use crate::engine::stage::SLIDING_MINUTES;
use crate::model::fact::{Facts, Measure};
use crate::model::time::Grain;
use crate::reference::tariff::Band;

/// What is summed from children beside the measures that every medium has.
pub(super) const BESIDE: [Measure; 12] = [
    Measure::ElectricityImport,
    Measure::ElectricityExport,
    Measure::ElectricityGeneration,
    Measure::ElectricityRenewable,
    Measure::ReactiveEnergy,
    Measure::ReactiveObserved,
    Measure::ReactiveExpected,
    Measure::ElectricityPeakBand,
    Measure::ElectricityNormalBand,
    Measure::ElectricityOffPeakBand,
    Measure::ElectricityCost,
    Measure::ElectricityUnpriced,
];

/// Adds electricity: of the asset's own boundary meters, or its children's where it says so.
pub(super) fn add(scope: &Scope<'_>, facts: &mut Facts) {
    if !scope.asset.boundary.has_electricity() {
        media::sum_children(scope, Medium::Electricity, facts);
        return media::submetered(scope, Medium::Electricity, facts);
    }
    net(scope, facts);
    reactive(scope, facts);
    media::submetered(scope, Medium::Electricity, facts);
    price(scope, facts);
}

/// Net electricity = import + generation − export. What was substituted or left out adds up over all of them, an
/// export's too: it is about how much of the figures is no measurement, and one never hides another.
fn net(scope: &Scope<'_>, facts: &mut Facts) {
    let boundary = &scope.asset.boundary;
    let [import, fuelled, renewable, export] =
        [&boundary.electricity, &boundary.generation, &boundary.renewable, &boundary.export]
            .map(|meters| scope.total(meters));
    facts.set(Measure::Electricity, import.amount + fuelled.amount + renewable.amount - export.amount);
    facts.set(Measure::ElectricityImport, import.amount);
    let has = |lists: &[&Vec<Reading>]| lists.iter().any(|list| !list.is_empty());
    if has(&[&boundary.generation, &boundary.renewable]) {
        facts.set(Measure::ElectricityGeneration, fuelled.amount + renewable.amount);
        facts.set(Measure::ElectricityRenewable, renewable.amount);
    }
    if has(&[&boundary.export]) {
        facts.set(Measure::ElectricityExport, export.amount);
    }
    let all = [import, fuelled, renewable, export];
    facts.set(Measure::ElectricitySubstituted, all.iter().map(|total| total.substituted).sum());
    facts.set(Measure::ElectricityExcluded, all.iter().map(|total| total.excluded).sum());
    let lists = [&boundary.electricity, &boundary.generation, &boundary.renewable, &boundary.export];
    let read = lists.iter().zip(&all).filter(|(list, _)| !list.is_empty()).map(|(_, total)| total.observed_ms);
    facts.set(Measure::ElectricityExpected, i128::from(scope.window().length_ms()));
    facts.set(Measure::ElectricityObserved, i128::from(read.min().unwrap_or(0)));
}

fn reactive(scope: &Scope<'_>, facts: &mut Facts) {
    let meters = &scope.asset.boundary.reactive;
    if meters.is_empty() {
        return;
    }
    let Amount { amount, observed_ms, .. } = scope.total(meters);
    facts.set(Measure::ReactiveEnergy, amount);
    facts.set(Measure::ReactiveExpected, i128::from(scope.window().length_ms()));
    facts.set(Measure::ReactiveObserved, i128::from(observed_ms));
}

/// Puts what the grid delivered into the band of its minute and prices it. What is given back earns nothing here.
fn price(scope: &Scope<'_>, facts: &mut Facts) {
    let Some(rate) = scope.plant.tariff.as_ref().and_then(|tariff| tariff.at(scope.window().start)) else { return };
    let energy = facts.amount(Measure::ElectricityImport);
    for (band, measure) in [
        (Band::Peak, Measure::ElectricityPeakBand),
        (Band::Normal, Measure::ElectricityNormalBand),
        (Band::OffPeak, Measure::ElectricityOffPeakBand),
    ] {
        facts.set(measure, if band == rate.band { energy } else { 0 });
    }
    match rate.price {
        Some(price) => facts.set(Measure::ElectricityCost, divide(energy * i128::from(price), 1_000_000)),
        None => facts.set(Measure::ElectricityUnpriced, energy),
    }
}

/// Returns the peak measures that the end of a block sets: what the grid delivered in the whole block.
pub(in crate::engine) fn stage(block: Grain, merged: &Facts) -> Facts {
    let measure = match block {
        Grain::QuarterHour => Measure::QuarterHourPeak,
        Grain::HalfHour => Measure::HalfHourPeak,
        _ => return Facts::default(),
    };
    drawn(merged).map(|energy| (measure, energy)).into_iter().collect()
}

/// Returns what the grid delivered in the half hour that ends with a minute; nothing while its minutes aren't all known.
pub(in crate::engine) fn slide(previous: &[i128], minute: &Facts) -> Facts {
    let energy = drawn(minute).filter(|_| previous.len() == SLIDING_MINUTES);
    energy.map(|energy| (Measure::SlidingPeak, previous.iter().sum::<i128>() + energy)).into_iter().collect()
}
