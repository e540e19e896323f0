//! From the factors of a day to coefficients: what one unit of a quantity makes.

use jiff::civil::Date;

use super::amount::{SCALE, coefficient, divide, times};
use super::choice::Chosen;
use super::emission::{Category, Measured, Period, Said};
use crate::model::fact::{Facts, Measure};
use crate::model::record::FactorRef;
use crate::model::time::Timestamp;
use crate::reference::Reference;
use crate::reference::fuel::{Gas, Origin};
use crate::reference::gwp::GwpSet;
use crate::reference::toe::Per;

/// What 10⁻⁶ of a base unit makes. Coefficients are in 10⁻¹² of what they make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Coefficients {
    /// A fuel.
    Burnt(Burnt),
    /// Anything that has one factor. **Unit**: µg CO₂e.
    Emitted(i128),
}

/// What burning makes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Burnt {
    /// **Unit**: kJ.
    energy: i128,
    /// **Unit**: 10⁻⁹ TOE.
    toe: i128,
    /// `None` where a gas has no factor.
    gases: Option<Gases>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Gases {
    origin: Origin,
    /// **Unit**: µg.
    co2: i128,
    ch4: i128,
    n2o: i128,
    /// Potentials. **Unit**: 10⁻³.
    gwp_ch4: i128,
    gwp_n2o: i128,
}

/// kWh to GJ.
const GJ_PER_KWH: f64 = 0.0036;

/// A quantity of a span, split as its meter says. **Unit**: 10⁻⁶ of the base unit.
#[derive(Debug, Clone, Copy, Default)]
pub(in crate::engine) struct Quantity {
    pub(in crate::engine) amount: i128,
    pub(in crate::engine) substituted: i128,
    pub(in crate::engine) excluded: i128,
}

impl Coefficients {
    /// Adds what a quantity makes. Returns whether a factor of it is missing.
    pub(super) fn add(&self, category: Category, quantity: Quantity, facts: &mut Facts) -> bool {
        match self {
            Self::Burnt(burnt) => burnt.add(category, quantity, facts),
            Self::Emitted(co2e) => {
                facts.add(category.co2e(), times(quantity.amount, *co2e));
                false
            }
        }
    }
}

impl Burnt {
    fn add(&self, category: Category, quantity: Quantity, facts: &mut Facts) -> bool {
        facts.add(Measure::FuelEnergy, times(quantity.amount, self.energy));
        facts.add(Measure::FuelEnergySubstituted, times(quantity.substituted, self.energy));
        facts.add(Measure::FuelEnergyExcluded, times(quantity.excluded, self.energy));
        facts.add(Measure::FuelToe, times(quantity.amount, self.toe));
        let Some(gases) = &self.gases else { return true };
        let [co2, ch4, n2o] = [gases.co2, gases.ch4, gases.n2o].map(|gas| times(quantity.amount, gas));
        let warming = divide(ch4 * gases.gwp_ch4 + n2o * gases.gwp_n2o, 1_000);
        facts.add(Measure::N2o, n2o);
        match gases.origin {
            Origin::Fossil => {
                facts.add(Measure::Co2Fossil, co2);
                facts.add(Measure::Ch4Fossil, ch4);
                facts.add(category.co2e(), co2 + warming);
            }
            Origin::Biogenic => {
                facts.add(Measure::Co2Biogenic, co2);
                facts.add(Measure::Ch4Biogenic, ch4);
                facts.add(category.co2e(), warming);
            }
        }
        false
    }
}

/// The factors of one source on one day, and the entries they come from.
struct Day<'a> {
    said: &'a Said,
    reference: &'a Reference,
    gwp: GwpSet,
    day: Date,
    entries: Vec<(Measure, FactorRef)>,
    provisional: bool,
}

/// Works out the coefficients of a source from a day on.
pub(super) fn period(said: &Said, reference: &Reference, gwp: GwpSet, day: Date, from: Timestamp) -> Period {
    let mut work = Day { said, reference, gwp, day, entries: Vec::new(), provisional: false };
    let by = match said.category {
        Category::Stationary | Category::Mobile => work.burnt(),
        Category::Process => Measured::ALL.map(|measured| work.rate(measured)),
        Category::Fugitive => [work.leaked(), None, None],
        Category::Steam => [work.steam(), None, work.rate(Measured::Energy)],
    };
    let mut entries = work.entries;
    if said.category == Category::Steam {
        // The supplier's fuel is burnt elsewhere: its gases are no measure of this site.
        entries.retain(|(measure, _)| *measure == Category::Steam.co2e());
    }
    entries.sort();
    entries.dedup();
    Period { from, by, entries, provisional: work.provisional }
}

impl Day<'_> {
    fn note(&mut self, measures: &[Measure], chosen: &Chosen) {
        self.entries.extend(measures.iter().map(|measure| (*measure, chosen.factor.clone())));
        self.provisional |= chosen.provisional;
    }

    /// Returns the coefficients of a fuel by mass, volume and energy.
    fn burnt(&mut self) -> [Option<Coefficients>; 3] {
        let gases = self.gases();
        let calorific = self.said.calorific_value(self.reference, self.day);
        let density = self.said.density.as_ref().filter(|own| own.valid_from <= self.day).cloned();
        // MJ per kg, per m³ and per kWh.
        let per_kg = calorific.as_ref().map(|chosen| chosen.value);
        let of_volume = self.said.calorific_volume.as_ref().filter(|own| own.valid_from <= self.day);
        let by_density = || per_kg.zip(density.as_ref()).map(|(per_kg, density)| per_kg * density.value);
        let per_m3 = of_volume.map(|own| own.value).or_else(by_density);
        let energy = [per_kg, per_m3, Some(GJ_PER_KWH * 1_000.0)];
        if let Some(chosen) = &calorific {
            self.note(&[self.said.category.co2e()], chosen);
        }
        for own in density.iter().chain(of_volume) {
            self.entries.push((self.said.category.co2e(), own.factor.clone()));
        }
        let mut by = [const { None }; 3];
        for (place, measured) in Measured::ALL.into_iter().enumerate() {
            let Some(mj) = energy[place] else { continue };
            let toe = self.toe(measured, mj);
            // MJ/base unit is J per 10⁻⁶ base unit, and 1 kg/TJ is 1 µg/kJ.
            let energy = coefficient(mj * 1e-3);
            let gases = gases.clone().map(|gases| gases.of_energy(mj));
            by[place] = Some(Coefficients::Burnt(Burnt { energy, toe, gases }));
        }
        by
    }

    /// Returns the factors of the gases. **Unit**: kg/TJ.
    fn gases(&mut self) -> Option<PerEnergy> {
        let said = self.said;
        let fuel = self.reference.fuels().fuel(said.fuel.as_deref()?)?;
        let [co2, ch4, n2o] = Gas::ALL.map(|gas| said.fuel_factor(self.reference, gas, self.day));
        let (co2, ch4, n2o) = (co2?, ch4?, n2o?);
        let (own_co2, own_ch4, methane) = match fuel.origin {
            Origin::Fossil => (Measure::Co2Fossil, Measure::Ch4Fossil, "ch4_fossil"),
            Origin::Biogenic => (Measure::Co2Biogenic, Measure::Ch4Biogenic, "ch4_non_fossil"),
        };
        let co2e = said.category.co2e();
        let gwp_ch4 = self.reference.potentials().gas(self.gwp, methane)?.clone();
        let gwp_n2o = self.reference.potentials().gas(self.gwp, "n2o")?.clone();
        match fuel.origin {
            Origin::Fossil => self.note(&[own_co2, co2e], &co2),
            Origin::Biogenic => self.note(&[own_co2], &co2),
        }
        self.note(&[own_ch4, co2e], &ch4);
        self.note(&[Measure::N2o, co2e], &n2o);
        self.entries.extend([(co2e, gwp_ch4.factor), (co2e, gwp_n2o.factor)]);
        let per_tj = [co2.value, ch4.value, n2o.value];
        Some(PerEnergy { origin: fuel.origin, per_tj, gwp: [gwp_ch4.value, gwp_n2o.value] })
    }

    /// Returns 10⁻⁹ TOE per 10⁻⁶ base unit: by the ministry's table of quantities, else by the energy.
    fn toe(&mut self, measured: Measured, mj: f64) -> i128 {
        let (fuel, toe) = (self.said.fuel.as_deref().unwrap_or_default(), self.reference.toe());
        let table = match measured {
            // Per tonne to per kg.
            Measured::Mass => toe.fuel(fuel, Per::Tonne, self.day).map(|found| (found, found.value * 1e-3)),
            Measured::Volume => toe.fuel(fuel, Per::CubicMetre, self.day).map(|found| (found, found.value)),
            Measured::Energy => None,
        };
        let by_energy = || toe.energy(self.day).map(|found| (found, found.value * mj * 1e-3));
        let Some((found, value)) = table.or_else(by_energy) else { return 0 };
        self.entries.push((Measure::FuelToe, found.factor.clone()));
        coefficient(value * 1e3)
    }

    /// Returns the coefficient of a declared factor. kg per base unit is 10³ µg per 10⁻⁶ base unit.
    fn rate(&mut self, measured: Measured) -> Option<Coefficients> {
        let chosen = self.said.rate(measured, self.day)?;
        self.note(&[self.said.category.co2e()], &chosen);
        Some(Coefficients::Emitted(coefficient(chosen.value * 1e3)))
    }

    fn leaked(&mut self) -> Option<Coefficients> {
        let potential = self.reference.potentials().refrigerant(self.gwp, self.said.refrigerant.as_deref()?)?;
        self.entries.extend(potential.factors.into_iter().map(|factor| (Measure::FugitiveCo2e, factor)));
        Some(Coefficients::Emitted(coefficient(potential.value * 1e3)))
    }

    /// Returns the coefficient of steam by mass: the declared factor, else how it is raised.
    fn steam(&mut self) -> Option<Coefficients> {
        if let Some(declared) = self.rate(Measured::Mass) {
            return Some(declared);
        }
        let raised = self.said.steam?;
        let gases = self.gases()?;
        // kJ/kg × kg/TJ is 10⁻⁹ kg/kg.
        let kg_per_kg = raised.enthalpy / raised.efficiency * gases.co2e_per_tj() * 1e-9;
        Some(Coefficients::Emitted(coefficient(kg_per_kg * 1e3)))
    }
}

/// Factors of a fuel's gases by energy.
#[derive(Clone)]
struct PerEnergy {
    origin: Origin,
    /// CO₂, CH₄, N₂O. **Unit**: kg/TJ, the same as µg/kJ.
    per_tj: [f64; 3],
    /// CH₄, N₂O.
    gwp: [f64; 2],
}

impl PerEnergy {
    /// Returns coefficients for a quantity of so many MJ per base unit.
    fn of_energy(&self, mj: f64) -> Gases {
        let [co2, ch4, n2o] = self.per_tj.map(|per_tj| coefficient(per_tj * mj * 1e-3));
        let [gwp_ch4, gwp_n2o] = self.gwp.map(|gwp| divide(coefficient(gwp), SCALE / 1_000));
        Gases { origin: self.origin, co2, ch4, n2o, gwp_ch4, gwp_n2o }
    }

    fn co2e_per_tj(&self) -> f64 {
        let [co2, ch4, n2o] = self.per_tj;
        let fossil = if self.origin == Origin::Fossil { co2 } else { 0.0 };
        fossil + ch4 * self.gwp[0] + n2o * self.gwp[1]
    }
}
