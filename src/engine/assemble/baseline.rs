//! What an asset's baseline model expects of a span.

use super::Scope;
use crate::engine::baseline::Baseline;
use crate::model::fact::{Facts, Measure};

/// Adds the expected electricity, and the electricity it is compared with: of a minute whose electricity and drivers are
/// known.
pub(super) fn add(scope: &Scope<'_>, facts: &mut Facts) {
    let minute = scope.window().start;
    let baselines = &scope.asset.baselines;
    let Some(baseline) = baselines.iter().rev().find(|baseline| baseline.valid_from <= minute) else { return };
    let electricity = facts.amount(Measure::Electricity);
    let is_known = electricity != 0 || facts.amount(Measure::ElectricityObserved) > 0;
    let (Some(driven), true) = (driven(scope, baseline, facts), is_known) else { return };
    let constant = baseline.share(scope.plant.site_calendar(), minute);
    facts.set(Measure::BaselineElectricity, constant + driven);
    facts.set(Measure::ElectricityWithBaseline, electricity);
}

/// Returns what the drivers ask for; `None` where one of them isn't known.
fn driven(scope: &Scope<'_>, baseline: &Baseline, facts: &Facts) -> Option<i128> {
    let mut energy = 0;
    if baseline.produced.is_some() {
        let produced = facts.get(Measure::ProducedQuantity)?;
        let is_known = produced != 0 || facts.amount(Measure::PartsObserved) > 0;
        energy += is_known.then(|| baseline.of_produced(produced))?;
    }
    for driver in &baseline.drivers {
        let minute = scope.contribution(driver.tag)?;
        let is_known = minute.amount != 0 || minute.observed_ms > 0;
        energy += is_known.then(|| driver.energy(minute.amount, minute.observed_ms))?;
    }
    Some(energy)
}
