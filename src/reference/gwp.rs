//! Global warming potentials over 100 years, by assessment report, and blends of refrigerants by mass.

use std::collections::BTreeMap;

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::dated::{Dated, Origin, Said};
use super::{EntryRow, EntryValue, Grade, ReferenceError};
use crate::model::record::FactorRef;

/// Which assessment report of the IPCC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GwpSet {
    /// The fourth, 2007.
    Ar4,
    /// The fifth, 2013.
    #[default]
    Ar5,
    /// The sixth, 2021.
    Ar6,
}

impl GwpSet {
    /// Returns the name used in data files and configuration.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ar4 => "ar4",
            Self::Ar5 => "ar5",
            Self::Ar6 => "ar6",
        }
    }
}

/// What a blend of gases does, with the entries it was worked out from.
#[derive(Debug, Clone, PartialEq)]
pub struct Potential {
    /// **Unit**: kg CO₂ per kg.
    pub value: f64,
    /// The entries it rests on.
    pub factors: Vec<FactorRef>,
    /// The least sure of them.
    pub grade: Grade,
}

/// A blend: its parts by mass.
#[derive(Debug, Clone, PartialEq)]
struct Blend {
    name: String,
    /// Gas and share. **Unit**: %.
    parts: Vec<(String, f64)>,
    /// Its value is the sum of the shares.
    entry: Dated,
}

/// All potentials.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Potentials {
    gases: BTreeMap<(GwpSet, String), Dated>,
    blends: BTreeMap<String, Blend>,
}

impl Potentials {
    /// Returns the potential of a gas, by its own entry. A gas that a set doesn't tell apart by origin takes the entry
    /// without one: `ch4_fossil` is `ch4` before the sixth report.
    pub fn gas(&self, set: GwpSet, gas: &str) -> Option<&Dated> {
        let plain = gas.strip_suffix("_non_fossil").or_else(|| gas.strip_suffix("_fossil")).unwrap_or(gas);
        self.gases.get(&(set, gas.to_owned())).or_else(|| self.gases.get(&(set, plain.to_owned())))
    }

    /// Returns the potential of a refrigerant: a gas, or a blend by the mass of its parts.
    pub fn refrigerant(&self, set: GwpSet, id: &str) -> Option<Potential> {
        if let Some(gas) = self.gas(set, id) {
            return Some(Potential { value: gas.value, factors: vec![gas.factor.clone()], grade: gas.grade });
        }
        let blend = self.blends.get(id)?;
        let mut mixed = Potential { value: 0.0, factors: vec![blend.entry.factor.clone()], grade: blend.entry.grade };
        for (gas, share) in &blend.parts {
            let part = self.gas(set, gas)?;
            mixed.value += part.value * share / 100.0;
            mixed.factors.push(part.factor.clone());
            mixed.grade = mixed.grade.max(part.grade);
        }
        Some(mixed)
    }

    /// Returns what a refrigerant can be called: gases and blends, ascending, each once.
    pub fn refrigerants(&self) -> Vec<&str> {
        let combustion = ["co2", "ch4", "ch4_fossil", "ch4_non_fossil", "n2o"];
        let mut ids: Vec<&str> = self.gases.keys().map(|(_, gas)| gas.as_str()).collect();
        ids.retain(|id| !combustion.contains(id));
        ids.extend(self.blends.keys().map(String::as_str));
        ids.sort_unstable();
        ids.dedup();
        ids
    }

    /// Returns the trade name of a blend.
    pub fn blend_name(&self, id: &str) -> Option<&str> {
        self.blends.get(id).map(|blend| blend.name.as_str())
    }

    /// Returns every value as people list it.
    pub(super) fn rows(&self) -> impl Iterator<Item = EntryRow> {
        let gases = self.gases.iter().map(|((set, gas), value)| {
            value.row(
                "gwp",
                vec![EntryValue::text("set", set.as_str()), EntryValue::text("gas", gas.as_str())],
                "kg/kg",
            )
        });
        let blends = self.blends.values().map(|blend| {
            let parts: Vec<String> = blend.parts.iter().map(|(gas, share)| format!("{share} % {gas}")).collect();
            let values =
                vec![EntryValue::text("name", blend.name.as_str()), EntryValue::text("parts", parts.join(", "))];
            blend.entry.row("blend", values, "%")
        });
        gases.chain(blends)
    }

    pub(super) fn insert_gas(&mut self, entry: GasEntry, origin: Origin<'_>) -> Result<(), ReferenceError> {
        let GasEntry { id, set, gas, value, unit, source, valid_from, published, grade } = entry;
        let dated = origin.dated(Said { id, unit, source, valid_from, published, grade }, value, "kg/kg")?;
        if let Some(other) = self.gases.get(&(set, gas.clone())) {
            let message = format!("is for the same gas and set as \"{}\"", other.factor.id);
            return Err(origin.refuse(&dated.factor.id, message));
        }
        self.gases.insert((set, gas), dated);
        Ok(())
    }

    pub(super) fn insert_blend(&mut self, entry: BlendEntry, origin: Origin<'_>) -> Result<(), ReferenceError> {
        let BlendEntry { id, name, unit, value, source, valid_from, published, grade } = entry;
        let sum: f64 = value.values().sum();
        // The parts are percentages; one that is missing or mistyped makes another sum.
        let said = Said { id: id.clone(), unit, source, valid_from, published, grade };
        let dated = origin.dated(said, if (sum - 100.0).abs() < 1e-6 { sum } else { f64::NAN }, "%")?;
        if let Some(gas) = value.keys().find(|gas| !self.gases.keys().any(|(_, known)| known == *gas)) {
            return Err(origin.refuse(&id, format!("has \"{gas}\" in it, which is no [[gwp]] before it")));
        }
        let blend = Blend { name, parts: value.into_iter().collect(), entry: dated };
        if self.blends.insert(id.clone(), blend).is_some() {
            return Err(origin.refuse(&id, "is there already".to_owned()));
        }
        Ok(())
    }
}

/// `[[gwp]]` of a data file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct GasEntry {
    id: String,
    set: GwpSet,
    gas: String,
    value: f64,
    unit: String,
    source: String,
    valid_from: Date,
    published: Option<Date>,
    grade: Grade,
}

/// `[[blend]]` of a data file: parts by mass.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct BlendEntry {
    id: String,
    name: String,
    unit: String,
    value: BTreeMap<String, f64>,
    source: String,
    valid_from: Date,
    published: Option<Date>,
    grade: Grade,
}

#[cfg(test)]
mod tests {
    use super::GwpSet;
    use crate::reference::{Grade, Reference};

    #[test]
    fn g7_a_blend_is_worked_out_by_mass_from_the_set_it_is_asked_for() {
        let reference = Reference::builtin();
        for (set, per_10_kg) in [(GwpSet::Ar4, 20.875), (GwpSet::Ar5, 19.235), (GwpSet::Ar6, 22.555)] {
            let potential = reference.potentials().refrigerant(set, "r_410a").unwrap();
            assert!((potential.value * 10.0 / 1000.0 - per_10_kg).abs() < 1e-9, "{set:?}: {}", potential.value);
            assert_eq!(potential.factors.len(), 3);
        }
        let ar5 = |id| reference.potentials().refrigerant(GwpSet::Ar5, id).unwrap().value;
        assert!((ar5("r_404a") - 3942.8).abs() < 1e-9 && (ar5("r_407c") - 1624.21).abs() < 0.02);
        assert_eq!(ar5("hfc_134a"), 1300.0, "the value of the fourth report is 1430");
    }

    #[test]
    fn methane_is_told_apart_by_origin_in_the_sixth_report_only() {
        let reference = Reference::builtin();
        let gwp = |set, gas| reference.potentials().gas(set, gas).map(|gas| gas.value);
        assert_eq!(gwp(GwpSet::Ar6, "ch4_fossil"), Some(29.8));
        assert_eq!(gwp(GwpSet::Ar6, "ch4_non_fossil"), Some(27.0));
        assert_eq!(gwp(GwpSet::Ar5, "ch4_fossil"), Some(28.0));
        assert_eq!(gwp(GwpSet::Ar4, "ch4_non_fossil"), Some(25.0));
        assert_eq!(reference.potentials().gas(GwpSet::Ar6, "sf6").unwrap().grade, Grade::Unconfirmed);
        assert_eq!(gwp(GwpSet::Ar5, "r_1234yf"), None);
    }
}
