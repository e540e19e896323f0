//! Emissions: of the asset's own sources, and of everything that stands in it.
//!
//! A source is declared once and counts at its asset and above, so sums add nothing twice: what an asset has of its own
//! comes on top of what its children have.

use super::Scope;
use crate::engine::carbon::{self, Emission, Quantity};
use crate::model::fact::{Facts, Measure};
use crate::model::time::Window;

/// Adds fuels, gases, CO₂e by category, steam and contracted electricity. Steam is read from what the boundary added.
pub(super) fn add(scope: &Scope<'_>, facts: &mut Facts) {
    scope.sum_children(&carbon::MEASURES, facts);
    let window = scope.window();
    for emission in &scope.asset.emissions {
        match (emission.quantity, emission.measured) {
            (Some(tag), Some(measured)) => {
                let minute = scope.contribution(tag);
                let quantity = minute.map_or_else(Quantity::default, |minute| Quantity {
                    amount: minute.amount,
                    substituted: minute.substituted,
                    excluded: minute.excluded,
                });
                carbon::add(emission, window, measured, quantity, facts);
                facts.add(Measure::FuelExpected, i128::from(window.length_ms()));
                facts.add(Measure::FuelObserved, i128::from(scope.observed_ms(&[tag])));
            }
            _ => boundary_steam(emission, window, facts),
        }
    }
    for contract in &scope.asset.contracts {
        let metered = contract.quantity.map(|tag| scope.amount(tag));
        contract.add(window, metered, facts);
    }
}

/// A steam source without a meter of its own takes what came through the boundary of its asset.
fn boundary_steam(emission: &Emission, window: Window, facts: &mut Facts) {
    if emission.category == carbon::emission::Category::Steam
        && let Some(steam) = facts.get(Measure::Steam)
    {
        carbon::add_steam(emission, window, steam, facts);
    }
}
