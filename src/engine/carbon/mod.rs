//! Greenhouse gases: from quantities of fuel, refrigerant, process input and steam to masses of gas and CO₂e.
//!
//! In: the amounts of a minute or of a declaration, and the dated factors of its day. Out: facts. A quantity without a
//! factor makes no gas and is counted as such; biogenic CO₂ stays outside the scopes.
//!
//! Every product is one integer multiplication, rounded once, so minutes merge into years in any order and grouping.

mod amount;
pub mod choice;
pub mod contract;
mod declared;
pub mod emission;
mod factors;
#[cfg(test)]
mod tests;

use super::kpi::UsedFactors;
use super::plant::{Asset, Plant};
use crate::model::fact::{Facts, Measure};
use crate::model::time::Window;

use amount::divide;
pub use contract::Contract;
pub use declared::refusal;
pub(in crate::engine) use declared::{emitted, source};
use emission::Category;
pub use emission::Emission;
pub(in crate::engine) use factors::Quantity;

/// The measures of emissions: an asset has those of its own sources and of everything in it.
pub(super) const MEASURES: [Measure; 21] = [
    Measure::FuelEnergy,
    Measure::FuelEnergySubstituted,
    Measure::FuelEnergyExcluded,
    Measure::FuelObserved,
    Measure::FuelExpected,
    Measure::FuelToe,
    Measure::Co2Fossil,
    Measure::Ch4Fossil,
    Measure::Ch4Biogenic,
    Measure::N2o,
    Measure::Co2Biogenic,
    Measure::StationaryCo2e,
    Measure::MobileCo2e,
    Measure::ProcessCo2e,
    Measure::FugitiveCo2e,
    Measure::SteamCo2e,
    Measure::ElectricityContracted,
    Measure::ContractedCo2e,
    Measure::FuelEnergyDeclared,
    Measure::FactorMissing,
    Measure::ElectricityContractedDeclared,
];

/// Returns the sources of scope 1 that nothing measures, with the position of their asset.
pub(super) fn only_declared(plant: &Plant) -> Vec<(usize, &Emission)> {
    let all = plant.assets.iter().enumerate();
    all.flat_map(|(position, asset)| asset.emissions.iter().map(move |source| (position, source)))
        .filter(|(_, source)| source.quantity.is_none() && source.category != Category::Steam)
        .collect()
}

/// Adds what a quantity of a source makes within a window; where a factor is missing, the window's length is noted.
pub(super) fn add(emission: &Emission, window: Window, by: emission::Measured, quantity: Quantity, facts: &mut Facts) {
    let place = by as usize;
    // Present even without a factor: the figure says why it has no value.
    facts.add(emission.category.co2e(), 0);
    let coefficients = emission.at(window.start).and_then(|period| period.by.get(place)?.as_ref());
    let lacks = match coefficients {
        Some(coefficients) => coefficients.add(emission.category, quantity, facts),
        None => true,
    };
    if lacks && quantity.amount != 0 {
        facts.add(Measure::FactorMissing, i128::from(window.length_ms()));
    }
}

/// Adds what purchased steam makes within a window. **Unit** of `steam`: 10⁻⁶ t.
pub(super) fn add_steam(emission: &Emission, window: Window, steam: i128, facts: &mut Facts) {
    debug_assert!(emission.category == Category::Steam, "only steam is steam");
    let quantity = Quantity { amount: steam * 1_000, ..Quantity::default() };
    add(emission, window, emission::Measured::Mass, quantity, facts);
}

/// Notes the reference entries on which the emissions of an asset and of everything in it rest within a window.
pub(super) fn note_factors(plant: &Plant, asset: usize, window: Window, facts: &Facts, used: &mut UsedFactors) {
    // Most assets of a large plant emit nothing by themselves, and looking for those that do takes time.
    if !MEASURES.iter().any(|measure| facts.get(*measure).is_some()) {
        return;
    }
    let emits = |position: &usize| !plant.assets[*position].emissions.is_empty();
    for position in (0..plant.assets.len()).filter(emits).filter(|position| is_in(&plant.assets, *position, asset)) {
        for emission in &plant.assets[position].emissions {
            emission.note(window, used);
        }
    }
}

/// Says whether an asset is another one or stands in it.
pub(super) fn is_in(assets: &[Asset], below: usize, above: usize) -> bool {
    std::iter::successors(Some(below), |position| assets[*position].parent).any(|position| position == above)
}

impl Emission {
    /// Notes the entries of the periods that overlap a window.
    fn note(&self, window: Window, used: &mut UsedFactors) {
        let until = self.periods.partition_point(|period| period.from < window.end);
        let from = self.periods.partition_point(|period| period.from <= window.start).saturating_sub(1);
        for period in &self.periods[from.min(until)..until] {
            for (measure, entry) in &period.entries {
                used.note(*measure, entry.clone());
                if period.provisional {
                    used.note_provisional(*measure);
                }
            }
        }
    }
}
