//! Gas, water, steam and wastewater through an asset's boundary, and what explains each medium from below.

use super::{Amount, Scope};
use crate::engine::baseline::divide;
use crate::engine::medium::Medium;
use crate::engine::meter::Reading;
use crate::model::fact::{Facts, Measure};

/// The media whose figure is a plain sum of meters. Electricity has a direction, see `energy`.
const PLAIN: [Medium; 4] = [Medium::Gas, Medium::Water, Medium::Steam, Medium::Wastewater];

/// Adds the plain media: of the asset's own boundary meters, or its children's where it says so.
pub(super) fn add(scope: &Scope<'_>, facts: &mut Facts) {
    for medium in PLAIN {
        let meters = scope.asset.boundary.of(medium);
        if meters.is_empty() {
            sum_children(scope, medium, facts);
        } else {
            own(scope, medium, meters, facts);
        }
        submetered(scope, medium, facts);
    }
    let reused = &scope.asset.boundary.wastewater_reused;
    if !reused.is_empty() {
        facts.set(Measure::WastewaterReused, scope.total(reused).amount);
    }
    if let Some(enthalpy) = scope.asset.boundary.steam_enthalpy_kj_per_kg
        && let Some(steam) = facts.get(Measure::Steam)
    {
        // 10⁻⁶ t are grams.
        facts.set(Measure::SteamEnergy, divide(steam * i128::from(enthalpy), 1_000));
    }
}

fn own(scope: &Scope<'_>, medium: Medium, meters: &[Reading], facts: &mut Facts) {
    let measures = medium.measures();
    let Amount { amount, substituted, excluded, observed_ms } = scope.total(meters).in_units(medium);
    facts.set(measures.amount, amount);
    facts.set(measures.substituted, substituted);
    facts.set(measures.excluded, excluded);
    facts.set(measures.expected, i128::from(scope.window().length_ms()));
    facts.set(measures.observed, i128::from(observed_ms));
}

/// Adds what the children have of a medium, where the asset asks for it. What they have of it beside the amount comes
/// along: an own meter never adds to it, and a sum has no remainder to explain.
pub(super) fn sum_children(scope: &Scope<'_>, medium: Medium, facts: &mut Facts) {
    if !scope.asset.sum_children.has(medium) {
        return;
    }
    let measures = medium.measures();
    let common = [measures.amount, measures.substituted, measures.excluded, measures.observed, measures.expected];
    scope.sum_children(&common, facts);
    let more: &[Measure] = match medium {
        Medium::Electricity => &super::energy::BESIDE,
        Medium::Steam => &[Measure::SteamEnergy],
        Medium::Wastewater => &[Measure::WastewaterReused],
        Medium::Gas | Medium::Water => &[],
    };
    scope.sum_children(more, facts);
}

/// Adds what sub-meters and the assets below explain of a medium's figure, and for how long all of them were read. An
/// asset without a figure of its own hands on what is explained below it.
pub(super) fn submetered(scope: &Scope<'_>, medium: Medium, facts: &mut Facts) {
    let Some(below) = scope.asset.boundary.explained_by(medium) else { return };
    if scope.asset.sum_children.has(medium) && !scope.asset.boundary.has(medium) {
        return;
    }
    let measures = medium.measures();
    let mut explained = scope.total(&below.meters).in_units(medium);
    if below.meters.is_empty() {
        explained.observed_ms = i64::MAX;
    }
    let mut observed = i128::from(explained.observed_ms);
    for asset in below.assets.iter().filter_map(|asset| scope.all.get(*asset)) {
        let (amount, read) = if asset.get(measures.amount).is_some() {
            (measures.amount, measures.observed)
        } else {
            (measures.submetered, measures.submetered_observed)
        };
        explained.amount += asset.amount(amount);
        observed = observed.min(asset.amount(read));
    }
    facts.set(measures.submetered, explained.amount);
    facts.set(measures.submetered_observed, observed.min(i128::from(scope.window().length_ms())));
}
