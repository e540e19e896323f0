//! What declared quantities emit: fuel bills, refrigerant top-ups, process inputs, steam and contracted electricity.
//!
//! A declaration takes the factors, density and calorific value of the source that it fits: the one of its own asset
//! first. Without one it is refused, since nobody would have said in which column of the lists to look.

use super::amount::{coefficient, times};
use super::emission::{Category, Emission, Measured};
use super::factors::Quantity;
use super::{add, add_steam};
use crate::engine::plant::Plant;
use crate::model::declared::{Combustion, Declared, DeclaredKind, DeclaredUnit};
use crate::model::fact::{Facts, Measure};

/// Returns what a declaration within one year emits, by the factors of the day on which its period begins.
pub(in crate::engine) fn emitted(plant: &Plant, declared: &Declared) -> Facts {
    let mut facts = Facts::default();
    let quantity = i128::from(declared.quantity_micro);
    if let DeclaredKind::Contract { factor_micro, .. } = declared.kind {
        let (kwh, _) = base(declared.unit, quantity);
        facts.set(Measure::ElectricityContracted, kwh);
        facts.set(Measure::ElectricityContractedDeclared, kwh);
        // 10⁻⁶ kg/kWh is 10⁻³ µg per 10⁻⁶ kWh.
        facts.set(Measure::ContractedCo2e, times(kwh, i128::from(factor_micro) * 1_000_000_000));
        return facts;
    }
    let Some(emission) = source(plant, declared) else {
        facts.add(Measure::FactorMissing, i128::from(declared.period.length_ms()));
        return facts;
    };
    let (amount, measured) = base(declared.unit, quantity);
    match emission.category {
        Category::Steam if measured == Measured::Mass => {
            // 10⁻⁶ kg to 10⁻⁶ t.
            add_steam(emission, declared.period, super::divide(amount, 1_000), &mut facts);
        }
        _ => add(emission, declared.period, measured, Quantity { amount, ..Quantity::default() }, &mut facts),
    }
    if let Some(energy) = facts.get(Measure::FuelEnergy) {
        facts.set(Measure::FuelEnergyDeclared, energy);
    }
    facts
}

/// Returns why a declaration could add nothing, so that it is refused when it is entered; `None` where it can.
pub fn refusal(plant: &Plant, declared: &Declared) -> Option<String> {
    let known = |ids: Vec<&str>| if ids.is_empty() { "none".to_owned() } else { ids.join(", ") };
    let sources = |category: Category| {
        known(all(plant).filter(|one| one.category == category).map(|one| one.id.as_str()).collect())
    };
    let (kind, told) = match &declared.kind {
        DeclaredKind::Fuel { fuel, combustion } => (category(*combustion), format!("fuel = \"{fuel}\"")),
        DeclaredKind::Refrigerant { gas } => (Category::Fugitive, format!("refrigerant = \"{gas}\"")),
        DeclaredKind::Process { factor, .. } => (Category::Process, format!("id = \"{factor}\"")),
        DeclaredKind::Steam { factor } => (Category::Steam, format!("id = \"{factor}\"")),
        _ => return None,
    };
    if source(plant, declared).is_none() {
        let category = kind.as_str();
        let known = sources(kind);
        return Some(format!(
            "no [[emission]] has category = \"{category}\" and {told}; sources of this category: {known}"
        ));
    }
    let lacks = emitted(plant, declared).amount(Measure::FactorMissing) > 0;
    lacks.then(|| {
        let unit = declared.unit.as_str();
        format!(
            "{unit} can't be counted: its [[emission]] has no factor, density or calorific value for it on that day"
        )
    })
}

/// Returns the source whose factors a declaration takes.
pub(in crate::engine) fn source<'a>(plant: &'a Plant, declared: &Declared) -> Option<&'a Emission> {
    let at = |asset: &crate::engine::plant::Asset| asset.id == declared.asset;
    let fits = |source: &&Emission| match &declared.kind {
        DeclaredKind::Fuel { fuel, combustion } => {
            source.category == category(*combustion) && source.fuel.as_ref() == Some(fuel)
        }
        DeclaredKind::Refrigerant { gas } => source.refrigerant.as_ref() == Some(gas),
        DeclaredKind::Process { factor, .. } => source.category == Category::Process && source.id.as_str() == factor,
        DeclaredKind::Steam { factor } => source.category == Category::Steam && source.id.as_str() == factor,
        _ => false,
    };
    let own = plant.assets.iter().filter(|asset| at(asset)).flat_map(|asset| &asset.emissions).find(fits);
    own.or_else(|| all(plant).find(fits))
}

fn all(plant: &Plant) -> impl Iterator<Item = &Emission> {
    plant.assets.iter().flat_map(|asset| &asset.emissions)
}

const fn category(combustion: Combustion) -> Category {
    match combustion {
        Combustion::Stationary => Category::Stationary,
        Combustion::Mobile => Category::Mobile,
    }
}

/// Returns a quantity in 10⁻⁶ of its base unit: kg, m³ or kWh.
fn base(unit: DeclaredUnit, micro: i128) -> (i128, Measured) {
    match unit {
        DeclaredUnit::Kilogram => (micro, Measured::Mass),
        DeclaredUnit::Tonne => (micro * 1_000, Measured::Mass),
        DeclaredUnit::Litre => (super::divide(micro, 1_000), Measured::Volume),
        DeclaredUnit::CubicMetre => (micro, Measured::Volume),
        DeclaredUnit::KilowattHour => (micro, Measured::Energy),
        DeclaredUnit::MegawattHour => (micro * 1_000, Measured::Energy),
        DeclaredUnit::Megajoule => (times(micro, coefficient(1.0 / 3.6)), Measured::Energy),
        DeclaredUnit::Gigajoule => (times(micro, coefficient(1_000.0 / 3.6)), Measured::Energy),
    }
}
