//! Limits of pollutants by regulation and class, and the coefficients that they are multiplied by.

use jiff::civil::Date;
use serde::Deserialize;

use super::{EntryRow, EntryValue, Grade, ReferenceError};
use crate::model::id::Digest;
use crate::model::pollutant::Parameter;
use crate::model::record::FactorRef;
use crate::model::unit::ProductUnit;

/// One limit of one class.
#[derive(Debug, Clone, PartialEq)]
pub struct Limit {
    /// What a figure names when it is compared with it.
    pub factor: FactorRef,
    /// The regulation, like `qcvn_40_2011`.
    pub regulation: String,
    /// Its class, like `A`.
    pub column: String,
    /// What is limited.
    pub parameter: Parameter,
    /// The smallest allowed mean, in the parameter's unit.
    pub min: Option<f64>,
    /// The largest allowed mean before coefficients, in the parameter's unit.
    pub max: Option<f64>,
    /// Names of the coefficients that `max` is multiplied by.
    pub coefficients: Vec<String>,
    /// The boilers it is for.
    pub boiler_t_per_h: Option<Capacity>,
    /// The oxygen it is for. **Unit**: percent of volume.
    pub reference_oxygen: Option<f64>,
    /// The first day on which it counts.
    pub valid_from: Date,
    /// The last one.
    pub valid_until: Option<Date>,
    /// The day on which another regulation took its place for new sites.
    pub replaced: Option<Date>,
    /// Where it was read.
    pub source: String,
    /// How surely it is known.
    pub grade: Grade,
}

/// Steam capacities of boilers. **Unit**: t/h.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Capacity {
    /// The smallest one.
    pub from: Option<f64>,
    /// Smaller than this.
    pub below: Option<f64>,
}

impl Capacity {
    /// Says whether a boiler is one of them.
    pub fn holds(self, t_per_h: f64) -> bool {
        self.from.is_none_or(|from| t_per_h >= from) && self.below.is_none_or(|below| t_per_h < below)
    }
}

/// A coefficient that limits are multiplied by, in steps.
#[derive(Debug, Clone, PartialEq)]
pub struct LimitCoefficient {
    /// What a figure names when its limit holds it.
    pub factor: FactorRef,
    /// The regulation it belongs to.
    pub regulation: String,
    /// Its name, like `kf`.
    pub name: String,
    /// The quantity that chooses the step, as a configuration calls it, like `discharge_m3_per_day`.
    pub by: String,
    /// The steps, ascending; each counts up to and including its end, the last one without an end.
    pub steps: Vec<Step>,
    /// Where it was read.
    pub source: String,
    /// How surely it is known.
    pub grade: Grade,
}

/// One step of a coefficient.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// Its end, included; `None`: no end.
    pub up_to: Option<f64>,
    /// The coefficient.
    pub value: f64,
}

impl LimitCoefficient {
    /// Returns the coefficient of a quantity; `None` beyond the last step.
    pub fn at(&self, quantity: f64) -> Option<f64> {
        self.steps.iter().find(|step| step.up_to.is_none_or(|end| quantity <= end)).map(|step| step.value)
    }
}

/// `[[limit]]` of a data file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LimitEntry {
    id: String,
    regulation: String,
    column: String,
    parameter: Parameter,
    min: Option<f64>,
    max: Option<f64>,
    unit: ProductUnit,
    #[serde(default)]
    coefficients: Vec<String>,
    boiler_t_per_h: Option<Capacity>,
    reference_oxygen: Option<f64>,
    valid_from: Date,
    valid_until: Option<Date>,
    replaced: Option<Date>,
    source: String,
    grade: Grade,
}

/// `[[limit_coefficient]]` of a data file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CoefficientEntry {
    id: String,
    regulation: String,
    name: String,
    by: String,
    steps: Vec<Step>,
    source: String,
    grade: Grade,
}

/// Every limit and coefficient.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Limits {
    limits: Vec<Limit>,
    coefficients: Vec<LimitCoefficient>,
}

impl Limits {
    /// Returns every limit, in the order of the files.
    pub fn all(&self) -> &[Limit] {
        &self.limits
    }

    /// Returns the names of the regulations that have limits, each once, in the order of the files.
    pub fn regulations(&self) -> Vec<&str> {
        let mut names: Vec<&str> = Vec::new();
        for limit in &self.limits {
            if !names.contains(&limit.regulation.as_str()) {
                names.push(&limit.regulation);
            }
        }
        names
    }

    /// Returns the limits of a parameter in a class: more than one where the boiler decides.
    pub fn of_class(&self, regulation: &str, column: &str, parameter: Parameter) -> Vec<&Limit> {
        let is_asked =
            |limit: &&Limit| limit.regulation == regulation && limit.column == column && limit.parameter == parameter;
        self.limits.iter().filter(is_asked).collect()
    }

    /// Returns the coefficients of a name: more than one where it goes by one of several quantities.
    pub fn coefficients(&self, regulation: &str, name: &str) -> Vec<&LimitCoefficient> {
        let is_asked = |of: &&LimitCoefficient| of.regulation == regulation && of.name == name;
        self.coefficients.iter().filter(is_asked).collect()
    }

    /// Adds a limit.
    pub(super) fn insert(&mut self, entry: LimitEntry, file: &str, version: Digest) -> Result<(), ReferenceError> {
        let refused =
            |id: &str, message: String| ReferenceError::Limit { file: file.to_owned(), id: id.to_owned(), message };
        let LimitEntry { id, min, max, unit, parameter, valid_from, .. } = &entry;
        if *unit != parameter.unit() {
            let message = format!("the unit is {}, expected {}", unit.as_str(), parameter.unit().as_str());
            return Err(refused(id, message));
        }
        if min.or(*max).is_none() || min.zip(*max).is_some_and(|(min, max)| min >= max) {
            return Err(refused(id, "expected max, or min below it".to_owned()));
        }
        if self.limits.iter().any(|known| known.factor.id == *id) {
            return Err(refused(id, "there are two entries of this id".to_owned()));
        }
        let factor = FactorRef { id: id.clone(), version, year: valid_from.year() };
        self.limits.push(Limit {
            factor,
            regulation: entry.regulation,
            column: entry.column,
            parameter: entry.parameter,
            min: entry.min,
            max: entry.max,
            coefficients: entry.coefficients,
            boiler_t_per_h: entry.boiler_t_per_h,
            reference_oxygen: entry.reference_oxygen,
            valid_from: entry.valid_from,
            valid_until: entry.valid_until,
            replaced: entry.replaced,
            source: entry.source,
            grade: entry.grade,
        });
        Ok(())
    }

    /// Adds a coefficient. It has the year of the regulation's limits, which stand before it in the file.
    pub(super) fn insert_coefficient(
        &mut self,
        entry: CoefficientEntry,
        file: &str,
        version: Digest,
    ) -> Result<(), ReferenceError> {
        let CoefficientEntry { id, regulation, name, by, steps, source, grade } = entry;
        let year = self.limits.iter().find(|limit| limit.regulation == regulation).map(|limit| limit.factor.year);
        let ends: Vec<f64> = steps.iter().map(|step| step.up_to.unwrap_or(f64::INFINITY)).collect();
        let Some(year) = year.filter(|_| !steps.is_empty() && ends.is_sorted_by(|a, b| a < b)) else {
            let message = "expected limits of its regulation in the same file, and ascending steps".to_owned();
            return Err(ReferenceError::Limit { file: file.to_owned(), id, message });
        };
        let factor = FactorRef { id, version, year };
        self.coefficients.push(LimitCoefficient { factor, regulation, name, by, steps, source, grade });
        Ok(())
    }

    /// Returns every entry as people list it.
    pub(super) fn rows(&self) -> impl Iterator<Item = EntryRow> {
        self.limits.iter().map(Limit::row).chain(self.coefficients.iter().map(LimitCoefficient::row))
    }
}

impl Limit {
    fn row(&self) -> EntryRow {
        let unit = self.parameter.unit().as_str();
        let number = |name, value: Option<f64>, unit: &str| value.map(|value| EntryValue::number(name, value, unit));
        let texts = [
            EntryValue::text("regulation", self.regulation.as_str()),
            EntryValue::text("column", self.column.as_str()),
            EntryValue::text("parameter", self.parameter.as_str()),
        ];
        let numbers = [
            number("min", self.min, unit),
            number("max", self.max, unit),
            number("reference_oxygen", self.reference_oxygen, "%"),
        ];
        EntryRow {
            kind: "limit",
            id: self.factor.id.clone(),
            values: numbers.into_iter().flatten().chain(texts).collect(),
            source: self.source.clone(),
            valid_from: Some(self.valid_from),
            published: None,
            grade: self.grade,
            version: self.factor.version,
        }
    }
}

impl LimitCoefficient {
    fn row(&self) -> EntryRow {
        let steps = self.steps.iter().map(|step| match step.up_to {
            Some(end) => format!("{} up to {end}", step.value),
            None => format!("else {}", step.value),
        });
        let texts = [
            EntryValue::text("name", self.name.as_str()),
            EntryValue::text("by", self.by.as_str()),
            EntryValue::text("steps", steps.collect::<Vec<_>>().join(", ")),
        ];
        EntryRow {
            kind: "limit_coefficient",
            id: self.factor.id.clone(),
            values: texts.into(),
            source: self.source.clone(),
            valid_from: None,
            published: None,
            grade: self.grade,
            version: self.factor.version,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Reference;
    use crate::model::pollutant::Parameter;

    #[test]
    fn a_class_has_one_limit_of_a_parameter_unless_the_boiler_decides() {
        let reference = Reference::builtin();
        let limits = reference.limits();
        let cod = limits.of_class("qcvn_40_2011", "A", Parameter::Cod);
        assert_eq!(cod.iter().map(|limit| limit.max).collect::<Vec<_>>(), [Some(75.0)]);
        let dust = limits.of_class("qcvn_19_2024_boiler", "B", Parameter::Dust);
        let of = |t_per_h| dust.iter().filter(move |limit| limit.boiler_t_per_h.is_some_and(|of| of.holds(t_per_h)));
        for (t_per_h, expected) in [(19.9, 50.0), (20.0, 40.0)] {
            assert_eq!(of(t_per_h).map(|limit| limit.max).collect::<Vec<_>>(), [Some(expected)], "{t_per_h}");
        }
        for limit in limits.all() {
            let of_class = limits.of_class(&limit.regulation, &limit.column, limit.parameter);
            assert!(
                of_class.len() == 1 || of_class.iter().all(|of| of.boiler_t_per_h.is_some()),
                "{}",
                limit.factor.id
            );
            for name in &limit.coefficients {
                assert!(!limits.coefficients(&limit.regulation, name).is_empty(), "{}: {name}", limit.factor.id);
            }
        }
        assert!(limits.of_class("qcvn_40_2025", "A", Parameter::Cod).is_empty(), "its values could not be read");
    }

    #[test]
    fn a_step_counts_up_to_and_including_its_end() {
        let reference = Reference::builtin();
        let kf = reference.limits().coefficients("qcvn_40_2011", "kf")[0];
        for (flow, expected) in [(50.0, 1.2), (50.1, 1.1), (500.0, 1.1), (5000.0, 1.0), (5000.1, 0.9)] {
            assert_eq!(kf.at(flow), Some(expected), "{flow}");
        }
        let kv = reference.limits().coefficients("qcvn_19_2009", "kv")[0];
        assert_eq!((kv.at(2.0), kv.at(6.0)), (Some(0.8), None));
        assert_eq!(reference.limits().coefficients("qcvn_40_2011", "kq").len(), 2, "by river or by lake");
    }

    #[test]
    fn a_limit_that_cannot_be_one_says_why() {
        let entry = |value: &str, unit: &str| {
            format!(
                "[[limit]]\nid = \"x\"\nregulation = \"r\"\ncolumn = \"A\"\nparameter = \"cod\"\n{value}unit = \"{unit}\"\n\
                 valid_from = \"2020-01-01\"\nsource = \"s\"\ngrade = \"official\"\n"
            )
        };
        for (text, expected) in [
            (entry("max = 1\n", "mg/Nm3"), "the unit is mg/Nm3, expected mg/L"),
            (entry("", "mg/L"), "expected max, or min below it"),
            (entry("max = 1\nmin = 2\n", "mg/L"), "expected max, or min below it"),
            (entry("max = 1\n", "mg/L").repeat(2), "two entries of this id"),
        ] {
            let message = Reference::parse(&[("f.toml", &text)]).unwrap_err().to_string();
            assert!(message.contains(expected) && message.contains("f.toml"), "{message}");
        }
    }
}
