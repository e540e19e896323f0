//! Conversion to tonnes of oil equivalent (TOE).

use std::collections::BTreeMap;

use jiff::civil::Date;
use serde::Deserialize;

use super::dated::{Dated, History, Origin, Said, on};
use super::{EntryRow, EntryValue, Grade, ReferenceError};

/// What a conversion counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Basis {
    /// Tonnes or litres of a fuel, by the ministry's table.
    Quantity,
    /// The energy itself: 41.868 GJ are 1 TOE.
    EnergyContent,
    /// The fuel that a power plant burns for it.
    PrimaryEnergy,
}

impl Basis {
    /// Returns the name used in data files.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Quantity => "quantity",
            Self::EnergyContent => "energy_content",
            Self::PrimaryEnergy => "primary_energy",
        }
    }
}

/// What a conversion is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Per {
    /// GJ by net calorific value.
    Gigajoule,
    /// kWh of electricity.
    KilowattHour,
    /// Tonnes of a fuel.
    Tonne,
    /// m³ of a fuel.
    CubicMetre,
}

/// All conversions.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ToeFactors {
    of: BTreeMap<(String, Basis, Per), History>,
}

impl ToeFactors {
    /// Returns the conversion of a fuel's quantity, by the ministry's table. **Unit**: TOE per tonne or per m³.
    pub fn fuel(&self, fuel: &str, per: Per, day: Date) -> Option<&Dated> {
        self.find(fuel, Basis::Quantity, per, day)
    }

    /// Returns the conversion of energy by net calorific value. **Unit**: TOE/GJ.
    pub fn energy(&self, day: Date) -> Option<&Dated> {
        self.find("energy", Basis::EnergyContent, Per::Gigajoule, day)
    }

    /// Returns the conversion of electricity. **Unit**: TOE/kWh.
    pub fn electricity(&self, basis: Basis, day: Date) -> Option<&Dated> {
        self.find("electricity", basis, Per::KilowattHour, day)
    }

    /// Says whether an entry converts electricity.
    pub(super) fn is_of_electricity(&self, id: &str) -> bool {
        let of = self.of.iter().filter(|((_, _, per), _)| *per == Per::KilowattHour);
        of.flat_map(|(_, history)| history.values()).any(|entry| entry.factor.id == id)
    }

    /// Returns the days from which a conversion is another one, with repeats.
    pub fn changes(&self) -> impl Iterator<Item = Date> {
        self.of.values().flat_map(|history| history.keys().copied())
    }

    /// Returns every conversion as people list it.
    pub(super) fn rows(&self) -> impl Iterator<Item = EntryRow> {
        self.of.iter().flat_map(|((of, basis, per), history)| {
            let unit = match per {
                Per::Gigajoule => "TOE/GJ",
                Per::KilowattHour => "TOE/kWh",
                Per::Tonne => "TOE/t",
                Per::CubicMetre => "TOE/m3",
            };
            let keys = move || vec![EntryValue::text("of", of.as_str()), EntryValue::text("basis", basis.as_str())];
            history.values().map(move |value| value.row("toe", keys(), unit))
        })
    }

    fn find(&self, of: &str, basis: Basis, per: Per, day: Date) -> Option<&Dated> {
        on(self.of.get(&(of.to_owned(), basis, per))?, day)
    }

    pub(super) fn insert(&mut self, entry: Entry, origin: Origin<'_>) -> Result<(), ReferenceError> {
        let Entry { id, of, basis, value, unit, source, valid_from, published, grade } = entry;
        let (per, expected) = match unit.as_str() {
            "TOE/GJ" => (Per::Gigajoule, "TOE/GJ"),
            "TOE/kWh" => (Per::KilowattHour, "TOE/kWh"),
            "TOE/t" => (Per::Tonne, "TOE/t"),
            "TOE/m3" => (Per::CubicMetre, "TOE/m3"),
            // 1000 L are 1 m³.
            _ => (Per::CubicMetre, "TOE/1000 L"),
        };
        let dated = origin.dated(Said { id, unit, source, valid_from, published, grade }, value, expected)?;
        origin.insert(self.of.entry((of, basis, per)).or_default(), dated)
    }
}

/// `[[toe]]` of a data file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Entry {
    id: String,
    of: String,
    basis: Basis,
    value: f64,
    unit: String,
    source: String,
    valid_from: Date,
    published: Option<Date>,
    grade: Grade,
}

#[cfg(test)]
mod tests {
    use super::{Basis, Per};
    use crate::reference::Reference;

    #[test]
    fn the_two_bases_of_electricity_differ_by_1_794() {
        let (reference, day) = (Reference::builtin(), "2026-01-01".parse().unwrap());
        let toe = |basis| reference.toe().electricity(basis, day).unwrap().value;
        assert!((toe(Basis::PrimaryEnergy) / toe(Basis::EnergyContent) - 1.7945).abs() < 1e-3);
        assert!((toe(Basis::EnergyContent) * 41.868 / 0.0036 - 1.0).abs() < 1e-12);
        assert!((reference.toe().energy(day).unwrap().value * 41.868 - 1.0).abs() < 1e-12);
        assert_eq!(reference.toe().fuel("diesel", Per::Tonne, day).unwrap().value, 1.02);
        assert_eq!(reference.toe().fuel("diesel", Per::CubicMetre, day).unwrap().value, 0.88);
        assert_eq!(reference.toe().fuel("wood", Per::Tonne, day), None);
    }
}
