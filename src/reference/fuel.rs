//! Fuels: the energy in them, and the gases they make when they burn, by list, sector column and gas.

use std::collections::BTreeMap;

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::dated::{Dated, History, Origin as FileOrigin, Said, on};
use super::{EntryRow, EntryValue, Grade, ReferenceError};

/// Where a fuel's carbon comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// Its CO₂ is in scope 1.
    Fossil,
    /// Its CO₂ is a memo outside the scopes; its CH₄ and N₂O are in scope 1.
    Biogenic,
}

/// A gas that burning makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Gas {
    /// Carbon dioxide.
    Co2,
    /// Methane.
    Ch4,
    /// Nitrous oxide.
    N2o,
}

impl Gas {
    /// Every gas.
    pub const ALL: [Self; 3] = [Self::Co2, Self::Ch4, Self::N2o];

    /// Returns the name used in data files and configuration.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Co2 => "co2",
            Self::Ch4 => "ch4",
            Self::N2o => "n2o",
        }
    }
}

/// The column of a list of factors. CH₄ of coal and of wood differs by ten between columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sector {
    /// Power plants and refineries. **Source**: IPCC 2006, volume 2, table 2.2.
    EnergyIndustries,
    /// Manufacturing industries and construction. **Source**: table 2.3.
    Manufacturing,
    /// Commercial and institutional. **Source**: table 2.4.
    Commercial,
    /// Road vehicles. **Source**: tables 3.2.1 and 3.2.2.
    Road,
}

impl Sector {
    /// Returns the name used in data files and configuration.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::EnergyIndustries => "energy_industries",
            Self::Manufacturing => "manufacturing",
            Self::Commercial => "commercial",
            Self::Road => "road",
        }
    }
}

/// A list of factors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum List {
    /// Viet Nam's national list, Decision 2626/QĐ-BTNMT.
    #[serde(rename = "vn_2626")]
    Vn2626,
    /// The default factors of the 2006 IPCC Guidelines.
    #[serde(rename = "ipcc_2006")]
    Ipcc2006,
}

impl List {
    /// Every list, the one that goes first before the other. **Source**: Circular 38/2023/TT-BCT, Article 18.
    pub const BY_PRIORITY: [Self; 2] = [Self::Vn2626, Self::Ipcc2006];

    /// Returns the name used in data files and configuration.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Vn2626 => "vn_2626",
            Self::Ipcc2006 => "ipcc_2006",
        }
    }
}

/// A fuel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fuel {
    /// Name in Vietnamese.
    pub name_vi: String,
    /// Name in English.
    pub name_en: String,
    /// Where its carbon comes from.
    pub origin: Origin,
}

/// What a factor is looked up by, beside the day.
type Key = (String, Sector, Gas, List);

/// All fuels with their factors.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Fuels {
    fuels: BTreeMap<String, Fuel>,
    calorific: BTreeMap<(String, List), History>,
    factors: BTreeMap<Key, History>,
}

impl Fuels {
    /// Returns a fuel.
    pub fn fuel(&self, id: &str) -> Option<&Fuel> {
        self.fuels.get(id)
    }

    /// Returns the ids of all fuels, ascending.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.fuels.keys().map(String::as_str)
    }

    /// Returns the net calorific value of a fuel that counts on a day, by the first list that has one. **Unit**: GJ/t.
    pub fn calorific_value(&self, fuel: &str, day: Date) -> Option<&Dated> {
        List::BY_PRIORITY.iter().find_map(|list| on(self.calorific.get(&(fuel.to_owned(), *list))?, day))
    }

    /// Returns the factor of a list that counts on a day. **Unit**: kg of the gas per TJ.
    pub fn factor(&self, fuel: &str, sector: Sector, gas: Gas, list: List, day: Date) -> Option<&Dated> {
        on(self.factors.get(&(fuel.to_owned(), sector, gas, list))?, day)
    }

    /// Returns the days from which a fuel's calorific value or one of its factors is another, ascending, with repeats.
    pub fn changes(&self, fuel: &str) -> impl Iterator<Item = Date> {
        let calorific = self.calorific.iter().filter(move |((of, _), _)| of == fuel).map(|(_, history)| history);
        let factors = self.factors.iter().filter(move |((of, ..), _)| of == fuel).map(|(_, history)| history);
        calorific.chain(factors).flat_map(|history| history.keys().copied())
    }

    /// Says whether a list has factors of a fuel for a sector.
    pub fn has(&self, fuel: &str, sector: Sector) -> bool {
        self.factors.keys().any(|(of, column, ..)| of == fuel && *column == sector)
    }

    /// Returns every value as people list it.
    pub(super) fn rows(&self) -> impl Iterator<Item = EntryRow> {
        let calorific = self.calorific.iter().flat_map(|((fuel, list), history)| {
            let keys = move || vec![EntryValue::text("fuel", fuel.as_str()), EntryValue::text("list", list.as_str())];
            history.values().map(move |value| value.row("calorific_value", keys(), "GJ/t"))
        });
        let factors = self.factors.iter().flat_map(|((fuel, sector, gas, list), history)| {
            let names = ["fuel", "sector", "gas", "list"];
            let keys = [fuel.as_str(), sector.as_str(), gas.as_str(), list.as_str()];
            let keys = move || names.into_iter().zip(keys).map(|(name, key)| EntryValue::text(name, key)).collect();
            history.values().map(move |value| value.row("fuel_factor", keys(), "kg/TJ"))
        });
        calorific.chain(factors)
    }

    pub(super) fn insert_fuel(&mut self, entry: FuelEntry, origin: FileOrigin<'_>) -> Result<(), ReferenceError> {
        let FuelEntry { id, name_en, name_vi, origin: carbon } = entry;
        if self.fuels.contains_key(&id) {
            return Err(origin.refuse(&id, "is there already".to_owned()));
        }
        self.fuels.insert(id, Fuel { name_vi, name_en, origin: carbon });
        Ok(())
    }

    pub(super) fn insert_calorific(&mut self, entry: Calorific, origin: FileOrigin<'_>) -> Result<(), ReferenceError> {
        let Calorific { id, fuel, list, value, unit, source, valid_from, published, grade } = entry;
        let dated = origin.dated(Said { id, unit, source, valid_from, published, grade }, value, "GJ/t")?;
        self.known(&fuel, &dated, origin)?;
        origin.insert(self.calorific.entry((fuel, list)).or_default(), dated)
    }

    pub(super) fn insert_factor(&mut self, entry: Factor, origin: FileOrigin<'_>) -> Result<(), ReferenceError> {
        let Factor { id, fuel, sector, gas, list, value, unit, source, valid_from, published, grade } = entry;
        let dated = origin.dated(Said { id, unit, source, valid_from, published, grade }, value, "kg/TJ")?;
        self.known(&fuel, &dated, origin)?;
        origin.insert(self.factors.entry((fuel, sector, gas, list)).or_default(), dated)
    }

    fn known(&self, fuel: &str, dated: &Dated, origin: FileOrigin<'_>) -> Result<(), ReferenceError> {
        let unknown =
            || origin.refuse(&dated.factor.id, format!("is about \"{fuel}\", which is no [[fuel]] before it"));
        self.fuels.contains_key(fuel).then_some(()).ok_or_else(unknown)
    }
}

/// `[[fuel]]` of a data file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FuelEntry {
    id: String,
    name_en: String,
    name_vi: String,
    origin: Origin,
}

/// `[[calorific_value]]` of a data file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Calorific {
    id: String,
    fuel: String,
    list: List,
    value: f64,
    unit: String,
    source: String,
    valid_from: Date,
    published: Option<Date>,
    grade: Grade,
}

/// `[[fuel_factor]]` of a data file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Factor {
    id: String,
    fuel: String,
    sector: Sector,
    gas: Gas,
    list: List,
    value: f64,
    unit: String,
    source: String,
    valid_from: Date,
    published: Option<Date>,
    grade: Grade,
}

#[cfg(test)]
mod tests {
    use super::{Gas, List, Sector};
    use crate::reference::Reference;

    fn factor(fuel: &str, sector: Sector, gas: Gas, list: List) -> Option<f64> {
        let day = "2026-01-01".parse().unwrap();
        Reference::builtin().fuels().factor(fuel, sector, gas, list, day).map(|factor| factor.value)
    }

    #[test]
    fn methane_of_coal_and_wood_differs_by_ten_between_columns() {
        let ch4 = |fuel, sector| factor(fuel, sector, Gas::Ch4, List::Ipcc2006);
        assert_eq!(ch4("anthracite", Sector::Manufacturing), Some(10.0));
        assert_eq!(ch4("anthracite", Sector::EnergyIndustries), Some(1.0));
        assert_eq!(ch4("wood", Sector::Manufacturing), Some(30.0));
        assert_eq!(ch4("wood", Sector::Commercial), Some(300.0));
        assert_eq!(ch4("wood", Sector::Road), None);
    }

    #[test]
    fn every_fuel_has_all_three_gases_in_every_stationary_column() {
        let reference = Reference::builtin();
        for fuel in reference.fuels().ids() {
            for sector in [Sector::EnergyIndustries, Sector::Manufacturing, Sector::Commercial] {
                for gas in Gas::ALL {
                    assert!(factor(fuel, sector, gas, List::Ipcc2006).is_some(), "{fuel} {sector:?} {gas:?}");
                }
            }
        }
    }

    #[test]
    fn an_entry_counts_from_its_day_on() {
        let reference = Reference::builtin();
        let on = |day: &str| {
            let day = day.parse().unwrap();
            reference.fuels().factor("diesel", Sector::Road, Gas::N2o, List::Vn2626, day).map(|factor| factor.value)
        };
        assert_eq!((on("2022-10-09"), on("2022-10-10"), on("2030-01-01")), (None, Some(3.9), Some(3.9)));
        let day = "2026-01-01".parse().unwrap();
        assert_eq!(reference.fuels().calorific_value("diesel", day).map(|value| value.value), Some(43.0));
        assert_eq!(reference.fuels().calorific_value("industrial_waste", day), None);
    }
}
