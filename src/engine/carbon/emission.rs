//! An emission source: what emits, measured by what, and by which factors from which day on.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::Deserialize;

use super::choice::{self, Chosen, Own};
use super::factors::{self, Coefficients};
use crate::engine::kpi::grid::MissingFactor;
use crate::model::fact::Measure;
use crate::model::id::EmissionId;
use crate::model::record::FactorRef;
use crate::model::tag::TagIndex;
use crate::model::time::Timestamp;
use crate::reference::Reference;
use crate::reference::fuel::{Gas, List, Sector};
use crate::reference::gwp::GwpSet;

/// What kind of emission a source makes. **Source**: GHG Protocol; Circular 38/2023/TT-BCT, Article 16.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Category {
    /// Scope 1: fuel burnt in boilers, furnaces, generators.
    Stationary,
    /// Scope 1: fuel burnt in vehicles.
    Mobile,
    /// Scope 1: what a process emits by itself.
    Process,
    /// Scope 1: refrigerants and other gases that leaked and were topped up.
    Fugitive,
    /// Scope 2: purchased steam and heat.
    Steam,
}

impl Category {
    /// Returns the name used in configuration.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Stationary => "stationary",
            Self::Mobile => "mobile",
            Self::Process => "process",
            Self::Fugitive => "fugitive",
            Self::Steam => "steam",
        }
    }

    /// Returns the measure of its CO₂e.
    pub const fn co2e(self) -> Measure {
        match self {
            Self::Stationary => Measure::StationaryCo2e,
            Self::Mobile => Measure::MobileCo2e,
            Self::Process => Measure::ProcessCo2e,
            Self::Fugitive => Measure::FugitiveCo2e,
            Self::Steam => Measure::SteamCo2e,
        }
    }
}

/// What a quantity is counted in, by its base unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Measured {
    /// kg.
    Mass,
    /// m³.
    Volume,
    /// kWh by net calorific value.
    Energy,
}

impl Measured {
    /// Every kind of quantity, in the order of `Period`'s coefficients.
    pub const ALL: [Self; 3] = [Self::Mass, Self::Volume, Self::Energy];
}

/// What a configuration says of a source, typed.
#[derive(Debug, Clone, PartialEq)]
pub struct Said {
    /// Its id.
    pub id: EmissionId,
    /// What kind of emission it makes.
    pub category: Category,
    /// What measures it.
    pub quantity: Option<(TagIndex, Measured)>,
    /// The fuel; of steam the one that the supplier burns.
    pub fuel: Option<String>,
    /// The column of the lists of factors.
    pub sector: Sector,
    /// Only this list.
    pub list: Option<List>,
    /// **Unit**: kg/m³.
    pub density: Option<Own>,
    /// Net calorific value. **Unit**: GJ/t.
    pub calorific: Option<Own>,
    /// Net calorific value of a gas by volume. **Unit**: MJ/m³.
    pub calorific_volume: Option<Own>,
    /// Approved factors of the facility by gas. **Unit**: kg/TJ.
    pub approved: Vec<(Gas, Own)>,
    /// Declared factors of processes and steam by what they count. **Unit**: kg CO₂e per base unit.
    pub rates: Vec<(Measured, Own)>,
    /// Gas or blend of a fugitive source.
    pub refrigerant: Option<String>,
    /// Steam by computation.
    pub steam: Option<Raised>,
    /// What counts where a declared factor has ended.
    pub missing: MissingFactor,
}

/// How purchased steam is raised: its factor is enthalpy ÷ efficiency × the fuel's. **Source**: Circular 38/2023/TT-BCT,
/// Appendix II, section 2.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Raised {
    /// **Unit**: kJ/kg, the same as MJ/t.
    pub enthalpy: f64,
    /// 0 to 1.
    pub efficiency: f64,
}

/// One `[[emission]]`: a source of greenhouse gases at an asset. It counts there and in everything the asset stands in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Emission {
    /// Its id; declared inputs name it.
    pub id: EmissionId,
    /// What kind of emission it makes.
    pub category: Category,
    /// The fuel it burns.
    pub fuel: Option<String>,
    /// The gas that leaks.
    pub refrigerant: Option<String>,
    /// What measures it. `None`: it is declared only, or steam through the asset's boundary.
    pub quantity: Option<TagIndex>,
    /// What that counts.
    pub measured: Option<Measured>,
    /// Its factors, ascending by the instant from which they count. Before the first it has none.
    pub(super) periods: Vec<Period>,
}

/// A source's factors from an instant on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Period {
    pub(super) from: Timestamp,
    /// By [`Measured`]: what a quantity makes, `None` where that can't be worked out.
    pub(super) by: [Option<Coefficients>; 3],
    /// The entries that it rests on, by the measure they made.
    pub(super) entries: Vec<(Measure, FactorRef)>,
    /// One of them had ended and was taken by explicit choice.
    pub(super) provisional: bool,
}

impl Emission {
    /// Works out the factors of a source for every day on which one of them changes. `gwp` is ascending by year.
    pub fn resolve(said: &Said, reference: &Reference, zone: &TimeZone, gwp: &[(i16, GwpSet)]) -> Self {
        let mut days = said.changes(reference);
        days.extend(gwp.iter().filter_map(|(year, _)| Date::new(*year, 1, 1).ok()));
        days.sort_unstable();
        days.dedup();
        let period = |day: Date| {
            let midnight = zone.to_timestamp(day.to_datetime(jiff::civil::Time::midnight())).ok()?;
            Some(factors::period(said, reference, gwp_of(gwp, day.year()), day, Timestamp(midnight.as_millisecond())))
        };
        Self {
            id: said.id.clone(),
            category: said.category,
            fuel: said.fuel.clone(),
            refrigerant: said.refrigerant.clone(),
            quantity: said.quantity.map(|(tag, _)| tag),
            measured: said.quantity.map(|(_, measured)| measured),
            periods: days.into_iter().filter_map(period).collect(),
        }
    }

    /// Returns the factors at an instant.
    pub(super) fn at(&self, instant: Timestamp) -> Option<&Period> {
        let after = self.periods.partition_point(|period| period.from <= instant);
        self.periods.get(after.checked_sub(1)?)
    }
}

/// Returns the set of a year: the one that was declared last for it or a year before.
pub fn gwp_of(declared: &[(i16, GwpSet)], year: i16) -> GwpSet {
    let last = declared.iter().rev().find(|(from, _)| *from <= year);
    last.or_else(|| declared.first()).map_or(GwpSet::default(), |(_, set)| *set)
}

impl Said {
    /// Returns the days on which one of its factors may change.
    fn changes(&self, reference: &Reference) -> Vec<Date> {
        let own = self.approved.iter().map(|(_, own)| own).chain(self.rates.iter().map(|(_, own)| own));
        let own = own.chain(&self.density).chain(&self.calorific).chain(&self.calorific_volume);
        let ends = |own: &Own| own.valid_to.and_then(|last| last.tomorrow().ok());
        let mut days: Vec<Date> = own.flat_map(|own| [Some(own.valid_from), ends(own)]).flatten().collect();
        if let Some(fuel) = &self.fuel {
            days.extend(reference.fuels().changes(fuel));
            days.extend(reference.toe().changes());
        }
        if self.refrigerant.is_some() {
            // Potentials are a choice of the reporting year, not of the day a report appeared.
            days.push(Date::constant(2000, 1, 1));
        }
        days
    }

    /// Returns the factor of a gas on a day. **Unit**: kg/TJ.
    pub fn fuel_factor(&self, reference: &Reference, gas: Gas, day: Date) -> Option<Chosen> {
        let fuel = self.fuel.as_deref()?;
        choice::fuel_factor(reference.fuels(), &self.approved, fuel, (self.sector, gas, self.list), day)
    }

    /// Returns the net calorific value on a day. **Unit**: GJ/t.
    pub fn calorific_value(&self, reference: &Reference, day: Date) -> Option<Chosen> {
        let own = self.calorific.as_ref().and_then(|own| choice::own([own].into_iter(), day, MissingFactor::Null));
        own.or_else(|| {
            let dated = reference.fuels().calorific_value(self.fuel.as_deref()?, day)?;
            let factor = dated.factor.clone();
            Some(Chosen { value: dated.value, factor, grade: Some(dated.grade), provisional: false })
        })
    }

    /// Returns the declared factor of a process or of steam on a day. **Unit**: kg CO₂e per base unit.
    pub fn rate(&self, measured: Measured, day: Date) -> Option<Chosen> {
        let rates = self.rates.iter().filter(|(of, _)| *of == measured).map(|(_, own)| own);
        choice::own(rates, day, self.missing)
    }
}
