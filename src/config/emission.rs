//! `[[emission]]`, `[[contract]]` and `[factors]`: whether what they name exists and fits, and what the engine gets.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde_spanned::Spanned;

use super::document::{Document, text_of};
use super::spelling;
use super::tags::Tags;
use crate::engine::carbon::choice::Own;
use crate::engine::carbon::emission::{Category, Measured, Raised, Said};
use crate::engine::carbon::{Contract, Emission};
use crate::engine::config::emission::{ContractConfig, EmissionConfig, FactorConfig, SourcedConfig};
use crate::engine::config::{AssetConfig, FactorsConfig};
use crate::engine::plant::Asset;
use crate::model::id::{AssetId, Digest, TagName};
use crate::model::problem::Problems;
use crate::model::record::FactorRef;
use crate::model::tag::{TagIndex, TagKind, TagSpec};
use crate::model::time::{Timestamp, Window};
use crate::model::unit::Dimension;
use crate::reference::Reference;
use crate::reference::fuel::{Gas, Sector};
use crate::reference::gwp::GwpSet;

/// Since when a site's density or calorific value counts that says no day: before any measurement.
const ALWAYS: Date = Date::constant(2000, 1, 1);

/// Every source and contract that could be read.
#[derive(Debug, Default)]
pub(super) struct Emissions {
    pub(super) sources: Vec<EmissionConfig>,
    pub(super) contracts: Vec<ContractConfig>,
}

/// Reads every source and contract.
pub(super) fn read(document: &Document<'_>, problems: &mut Problems) -> Emissions {
    let mut read = Emissions::default();
    for entry in document.list("emission", problems) {
        let what = text_of(entry, "id").map_or_else(|| "[[emission]]".to_owned(), |id| format!("emission \"{id}\""));
        read.sources.extend(document.read::<EmissionConfig>(&what, entry, &[], problems).value);
    }
    for entry in document.list("contract", problems) {
        let what = text_of(entry, "id").map_or_else(|| "[[contract]]".to_owned(), |id| format!("contract \"{id}\""));
        read.contracts.extend(document.read::<ContractConfig>(&what, entry, &[], problems).value);
    }
    read
}

/// Checks every source and contract by itself and all of them together.
pub(super) fn check(
    read: &Emissions,
    assets: &[AssetConfig],
    tags: &Tags,
    reference: &Reference,
    problems: &mut Problems,
) {
    let mut ids = BTreeSet::new();
    let mut meters: BTreeMap<&TagName, &str> = BTreeMap::new();
    for source in &read.sources {
        let id = source.id.get_ref().as_str();
        if !ids.insert(id) {
            problems.error(source.id.span(), format!("emission \"{id}\" is declared twice"), "give each its own id");
        }
        check_asset(source.asset.as_ref(), assets, problems);
        Check { source, id, reference, tags }.all(problems);
        if let Some(tag) = &source.quantity
            && let Some(other) = meters.insert(tag.get_ref(), id)
        {
            let message = format!("tag \"{}\" feeds emission \"{other}\" and emission \"{id}\"", tag.get_ref());
            problems.warning(tag.span(), message, "what one meter counts is burnt once; split it or remove one");
        }
    }
    let mut contracts = BTreeSet::new();
    for contract in &read.contracts {
        let id = contract.id.get_ref().as_str();
        if !contracts.insert(id) {
            problems.error(contract.id.span(), format!("contract \"{id}\" is declared twice"), "give each its own id");
        }
        check_asset(contract.asset.as_ref(), assets, problems);
        check_contract(contract, tags, problems);
    }
}

fn check_asset(asset: Option<&Spanned<AssetId>>, assets: &[AssetConfig], problems: &mut Problems) {
    let Some(asset) = asset else { return };
    if !assets.iter().any(|known| known.id.get_ref() == asset.get_ref()) {
        let known: Vec<&str> = assets.iter().map(|known| known.id.get_ref().as_str()).collect();
        let help = spelling::propose(asset.get_ref().as_str(), &known, "\"");
        problems.error(asset.span(), format!("there is no asset \"{}\"", asset.get_ref()), help);
    }
}

/// Checks the sets of warming potentials: a set holds for whole reporting years.
pub(super) fn check_factors(factors: Option<&FactorsConfig>, problems: &mut Problems) {
    let mut before: Option<Date> = None;
    for change in factors.into_iter().flat_map(|factors| &factors.gwp_changes) {
        let day = *change.valid_from.get_ref();
        if (day.month(), day.day()) != (1, 1) {
            problems.error(
                change.valid_from.span(),
                format!("the set of warming potentials changes on {day}, within a reporting year"),
                format!("a set holds for a whole year: write {:04}-01-01", day.year() + 1),
            );
        }
        if before.is_some_and(|before| before >= day) {
            problems.error(
                change.valid_from.span(),
                format!("{day} doesn't come after the change before it"),
                "put the changes in order",
            );
        }
        before = Some(day);
    }
}

fn check_contract(contract: &ContractConfig, tags: &Tags, problems: &mut Problems) {
    let id = contract.id.get_ref();
    if contract.valid_to.get_ref() < &contract.valid_from {
        problems.error(
            contract.valid_to.span(),
            format!("contract \"{id}\" ends before it begins"),
            "mend valid_from or valid_to",
        );
    }
    let factor = *contract.factor_t_per_mwh.get_ref();
    if !factor.is_finite() || !(0.0..10.0).contains(&factor) {
        let message = format!("contract \"{id}\" emits {factor} tCO2e/MWh");
        problems.error(contract.factor_t_per_mwh.span(), message, "write tonnes per MWh: 0 for renewable electricity");
    }
    match (&contract.quantity, &contract.volume_mwh) {
        (Some(tag), None) => {
            if let Some(spec) = tags.find(tag, problems)
                && measured(spec) != Some(Measured::Energy)
            {
                let message = format!("`quantity` of contract \"{id}\" is a tag in {}, no energy", spec.unit.as_str());
                problems.error(tag.span(), message, "name a meter of electricity, like one in kWh");
            }
        }
        (None, Some(volume)) => {
            if !volume.get_ref().is_finite() || *volume.get_ref() <= 0.0 {
                problems.error(
                    volume.span(),
                    format!("contract \"{id}\" covers {} MWh", volume.get_ref()),
                    "write how much it covers",
                );
            }
        }
        _ => problems.error(
            contract.id.span(),
            format!(
                "contract \"{id}\" has {} of quantity and volume_mwh",
                if contract.quantity.is_some() { "both" } else { "none" }
            ),
            "name the meter of what it covers, or the volume of its whole validity",
        ),
    }
}

/// Returns what a tag counts; `None` for one that counts no fuel.
fn measured(spec: &TagSpec) -> Option<Measured> {
    let counts = matches!(spec.kind, TagKind::Counter { .. } | TagKind::Interval { .. });
    match spec.unit.dimension() {
        Dimension::Mass if counts => Some(Measured::Mass),
        Dimension::Volume if counts => Some(Measured::Volume),
        Dimension::ActiveEnergy if counts => Some(Measured::Energy),
        // A power is integrated.
        Dimension::ActivePower if spec.kind == TagKind::Gauge => Some(Measured::Energy),
        _ => None,
    }
}

/// The checks of one source.
struct Check<'a> {
    source: &'a EmissionConfig,
    id: &'a str,
    reference: &'a Reference,
    tags: &'a Tags,
}

impl Check<'_> {
    fn all(&self, problems: &mut Problems) {
        let source = self.source;
        let Some(category) = category(source) else {
            let message = format!("emission \"{}\" says neither what it burns nor what leaks", self.id);
            return problems.error(
                source.id.span(),
                message,
                "add fuel, refrigerant, or category = \"process\" or \"steam\"",
            );
        };
        self.keys(category, problems);
        self.fuel(category, problems);
        for factor in &source.factor {
            self.factor(category, factor, problems);
        }
        for sourced in source.density.iter().chain(&source.calorific_value) {
            if !(sourced.get_ref().value.is_finite() && sourced.get_ref().value > 0.0) {
                let message = format!("emission \"{}\" has a value of {}", self.id, sourced.get_ref().value);
                problems.error(sourced.span(), message, "write a positive number");
            }
        }
        self.units(problems);
        self.quantity(category, problems);
    }

    /// Reports keys that are missing for a category.
    fn keys(&self, category: Category, problems: &mut Problems) {
        let source = self.source;
        let missing = match category {
            Category::Stationary | Category::Mobile if source.fuel.is_none() => "fuel",
            Category::Fugitive if source.refrigerant.is_none() => "refrigerant",
            Category::Process if source.factor.is_empty() => "factor",
            Category::Steam if source.factor.is_empty() && (source.steam.is_none() || source.fuel.is_none()) => {
                "factor, or steam and the supplier's fuel"
            }
            _ => return self.refrigerant(problems),
        };
        let message = format!("emission \"{}\" is {} and lacks {missing}", self.id, category.as_str());
        problems.error(source.id.span(), message, format!("add {missing}"));
    }

    fn refrigerant(&self, problems: &mut Problems) {
        let Some(refrigerant) = &self.source.refrigerant else { return };
        let known = self.reference.potentials().refrigerants();
        if !known.contains(&refrigerant.get_ref().as_str()) {
            let help = spelling::propose(refrigerant.get_ref(), &known, "\"");
            problems.error(refrigerant.span(), format!("refrigerant \"{}\" is unknown", refrigerant.get_ref()), help);
        }
    }

    /// Reports an unknown fuel, and one that its column has no factors of.
    fn fuel(&self, category: Category, problems: &mut Problems) {
        let Some(fuel) = &self.source.fuel else { return };
        let (fuels, name) = (self.reference.fuels(), fuel.get_ref());
        if fuels.fuel(name).is_none() {
            let known: Vec<&str> = fuels.ids().collect();
            let help = spelling::propose(name, &known, "\"");
            return problems.error(fuel.span(), format!("fuel \"{name}\" is unknown"), help);
        }
        let sector = sector(self.source, category);
        let approved = Gas::ALL.iter().all(|gas| self.source.factor.iter().any(|own| own.get_ref().gas == Some(*gas)));
        if !fuels.has(name, sector) && !approved {
            problems.error(
                fuel.span(),
                format!("the {} column has no factors of {name}", sector.as_str()),
                "write another sector, or an approved factor of each gas: co2, ch4, n2o",
            );
        }
        if let Some(steam) = &self.source.steam {
            let said = steam.get_ref();
            if !(said.enthalpy_kj_per_kg > 0.0 && said.efficiency > 0.0 && said.efficiency <= 1.0) {
                problems.error(
                    steam.span(),
                    format!(
                        "emission \"{}\": steam of {} kJ/kg at an efficiency of {}",
                        self.id, said.enthalpy_kj_per_kg, said.efficiency
                    ),
                    "write the enthalpy in kJ/kg, like 2748, and the efficiency as a share, like 0.85",
                );
            }
        }
    }

    fn factor(&self, category: Category, factor: &Spanned<FactorConfig>, problems: &mut Problems) {
        let said = factor.get_ref();
        let burns = matches!(category, Category::Stationary | Category::Mobile);
        if !(said.value.is_finite() && said.value >= 0.0) {
            problems.error(
                factor.span(),
                format!("emission \"{}\" has a factor of {}", self.id, said.value),
                "write a number from 0 up",
            );
        }
        if said.valid_to.is_some_and(|last| last < said.valid_from) {
            problems.error(
                factor.span(),
                format!("a factor of emission \"{}\" ends before it begins", self.id),
                "mend valid_from or valid_to",
            );
        }
        if burns && said.gas.is_none() {
            problems.error(
                factor.span(),
                format!("a factor of emission \"{}\" names no gas", self.id),
                "add gas = \"co2\", \"ch4\" or \"n2o\"",
            );
        }
        if burns && said.approval.is_none() {
            problems.error(
                factor.span(),
                format!("a factor of emission \"{}\" has no approval", self.id),
                "a factor of the facility's own goes before the lists only where the authority has approved it: name its letter",
            );
        }
        if !burns && said.gas.is_some() {
            problems.error(
                factor.span(),
                format!("a factor of emission \"{}\" names a gas", self.id),
                "remove gas: such a factor is in CO2e",
            );
        }
        let unit = said.unit.get_ref().as_str();
        let known: Vec<&str> = if burns { vec!["kg/TJ"] } else { RATES.iter().map(|(name, ..)| *name).collect() };
        if !known.contains(&unit) {
            let help = spelling::propose(unit, &known, "\"");
            problems.error(said.unit.span(), format!("\"{unit}\" is no unit of a factor here"), help);
        }
    }

    fn units(&self, problems: &mut Problems) {
        for (sourced, known) in [(&self.source.density, DENSITIES), (&self.source.calorific_value, CALORIFIC)] {
            let Some(sourced) = sourced else { continue };
            let unit = &sourced.get_ref().unit;
            let known: Vec<&str> = known.iter().map(|(name, ..)| *name).collect();
            if !known.contains(&unit.get_ref().as_str()) {
                let help = spelling::propose(unit.get_ref(), &known, "\"");
                problems.error(unit.span(), format!("\"{}\" is no unit of this value", unit.get_ref()), help);
            }
        }
    }

    /// Reports a meter that counts nothing that emits, and a quantity that no energy can be worked out of.
    fn quantity(&self, category: Category, problems: &mut Problems) {
        let source = self.source;
        let Some(tag) = &source.quantity else { return };
        if category == Category::Steam {
            let message = format!("emission \"{}\" is steam and names a meter", self.id);
            return problems.error(
                tag.span(),
                message,
                "steam is what comes through the boundary of its asset: name the meter there",
            );
        }
        let Some(spec) = self.tags.find(tag, problems) else { return };
        let Some(measured) = measured(spec) else {
            let (kind, unit) = (spec.kind.as_str(), spec.unit.as_str());
            let message = format!(
                "`quantity` of emission \"{}\" is a tag of kind {kind} in {unit}; no quantity comes of it",
                self.id
            );
            return problems.error(tag.span(), message, "name a counter or an interval in m3, L, kg, t, kWh, MJ or GJ");
        };
        let said = said(source, None, Digest::ZERO, &FactorsConfig::default());
        let day = said.as_ref().and_then(|said| said.calorific_value(self.reference, Date::constant(2026, 1, 1)));
        let by_volume = said.as_ref().is_some_and(|said| said.calorific_volume.is_some());
        let burns = matches!(category, Category::Stationary | Category::Mobile);
        if burns && measured == Measured::Volume && !by_volume && source.density.is_none() {
            problems.error(
                tag.span(),
                format!("emission \"{}\" is measured by volume and has no density", self.id),
                "add density = { value = 0.84, unit = \"kg/L\", source = \"…\" }, or a calorific value per m3",
            );
        }
        if burns && measured != Measured::Energy && day.is_none() && !by_volume {
            let message = format!("emission \"{}\" burns a fuel whose calorific value no list has", self.id);
            problems.error(
                tag.span(),
                message,
                "add calorific_value = { value = 10, unit = \"GJ/t\", source = \"…\" }",
            );
        }
        let has_rate = source.factor.iter().any(|own| rate(own.get_ref()).is_some_and(|(of, _)| of == measured));
        if category == Category::Process && !has_rate {
            let message = format!("no factor of emission \"{}\" counts what its meter counts", self.id);
            problems.error(
                tag.span(),
                message,
                "write the factor per unit of the meter's kind: mass, volume or energy",
            );
        }
        if category == Category::Fugitive && measured != Measured::Mass {
            problems.error(tag.span(), format!("emission \"{}\" leaks by mass", self.id), "name a counter in kg");
        }
    }
}

/// Units of declared factors: what they count, and kg CO₂e per base unit (kg, m³, kWh).
const RATES: &[(&str, Measured, f64)] = &[
    ("kgCO2e/kg", Measured::Mass, 1.0),
    ("kgCO2e/t", Measured::Mass, 1e-3),
    ("tCO2e/t", Measured::Mass, 1.0),
    ("kgCO2e/m3", Measured::Volume, 1.0),
    ("kgCO2e/kWh", Measured::Energy, 1.0),
    ("tCO2e/MWh", Measured::Energy, 1.0),
    ("kgCO2e/GJ", Measured::Energy, 0.0036),
];

/// Units of a density: kg/m³ per unit.
const DENSITIES: &[(&str, f64)] = &[("kg/m3", 1.0), ("kg/L", 1_000.0)];

/// Units of a calorific value: GJ/t or MJ/m³ per unit.
const CALORIFIC: &[(&str, f64)] = &[("GJ/t", 1.0), ("MJ/kg", 1.0), ("kJ/kg", 1e-3), ("MJ/m3", 1.0), ("GJ/m3", 1_000.0)];

fn factor_of(units: &[(&str, f64)], unit: &str) -> Option<f64> {
    units.iter().find(|(name, _)| *name == unit).map(|(_, factor)| *factor)
}

/// Returns what a declared factor counts, and its value in kg CO₂e per base unit.
fn rate(factor: &FactorConfig) -> Option<(Measured, f64)> {
    let (_, measured, scale) = RATES.iter().find(|(name, ..)| name == factor.unit.get_ref())?;
    Some((*measured, factor.value * scale))
}

fn category(source: &EmissionConfig) -> Option<Category> {
    let by_fuel = source.fuel.as_ref().map(|_| Category::Stationary);
    source.category.or(by_fuel).or(source.refrigerant.as_ref().map(|_| Category::Fugitive))
}

fn sector(source: &EmissionConfig, category: Category) -> Sector {
    source.sector.unwrap_or(if category == Category::Mobile { Sector::Road } else { Sector::Manufacturing })
}

/// Returns what a source says, typed. Values of the site's own are named without the equipment's name, since a figure that
/// leaves the factory names them too.
fn said(
    source: &EmissionConfig,
    quantity: Option<(TagIndex, Measured)>,
    config: Digest,
    factors: &FactorsConfig,
) -> Option<Said> {
    let category = category(source)?;
    let fuel = source.fuel.as_ref().map(|fuel| fuel.get_ref().clone());
    let what = fuel.clone().unwrap_or_else(|| category.as_str().to_owned());
    let named = |id: String, from: Date| FactorRef { id, version: config, year: from.year() };
    let site = |name: &str, value: f64| Own {
        value,
        valid_from: ALWAYS,
        valid_to: None,
        factor: named(format!("site_{what}_{name}"), ALWAYS),
    };
    let scaled = |sourced: &Option<Spanned<SourcedConfig>>, units: &[(&str, f64)], of: &dyn Fn(&str) -> bool| {
        let sourced = sourced.as_ref()?.get_ref();
        let unit = sourced.unit.get_ref().as_str();
        factor_of(units, unit).filter(|_| of(unit)).map(|scale| sourced.value * scale)
    };
    let own = |factor: &FactorConfig, value: f64, name: &str| Own {
        value,
        valid_from: factor.valid_from,
        valid_to: factor.valid_to,
        factor: named(format!("site_{what}_{name}_{}", factor.valid_from), factor.valid_from),
    };
    let all = || source.factor.iter().map(Spanned::get_ref);
    let rates = all().filter_map(|factor| rate(factor).map(|(of, value)| (of, own(factor, value, "co2e"))));
    let approved = all().filter_map(|factor| factor.gas.map(|gas| (gas, own(factor, factor.value, gas.as_str()))));
    let per_volume = |unit: &str| unit.ends_with("/m3");
    Some(Said {
        id: source.id.get_ref().clone(),
        category,
        quantity,
        sector: sector(source, category),
        list: source.list,
        density: scaled(&source.density, DENSITIES, &|_| true).map(|value| site("density", value)),
        calorific: scaled(&source.calorific_value, CALORIFIC, &|unit| !per_volume(unit))
            .map(|value| site("ncv", value)),
        calorific_volume: scaled(&source.calorific_value, CALORIFIC, &per_volume).map(|value| site("ncv", value)),
        approved: approved.collect(),
        rates: rates.collect(),
        refrigerant: source.refrigerant.as_ref().map(|gas| gas.get_ref().clone()),
        steam: source.steam.as_ref().map(|steam| Raised {
            enthalpy: steam.get_ref().enthalpy_kj_per_kg,
            efficiency: steam.get_ref().efficiency,
        }),
        missing: factors.emission_factor.missing,
        fuel,
    })
}

/// What sources and contracts are built from.
pub(super) struct Build<'a> {
    pub(super) tags: &'a [TagSpec],
    pub(super) reference: &'a Reference,
    pub(super) zone: &'a TimeZone,
    pub(super) factors: &'a FactorsConfig,
    pub(super) config: Digest,
}

impl Build<'_> {
    /// Returns the sets of warming potentials, ascending by year.
    pub(super) fn gwp(&self) -> Vec<(i16, GwpSet)> {
        let changes = self.factors.gwp_changes.iter().map(|change| (change.valid_from.get_ref().year(), change.set));
        std::iter::once((ALWAYS.year(), self.factors.gwp)).chain(changes).collect()
    }

    /// Returns what a source says, with the tag that measures it.
    pub(super) fn said(&self, source: &EmissionConfig) -> Option<Said> {
        let quantity = source.quantity.as_ref().and_then(|tag| {
            let (index, spec) = self.tag(tag.get_ref())?;
            Some((index, measured(spec)?))
        });
        said(source, quantity, self.config, self.factors)
    }

    fn tag(&self, name: &TagName) -> Option<(TagIndex, &TagSpec)> {
        let position = self.tags.binary_search_by(|spec| spec.name.cmp(name)).ok()?;
        Some((TagIndex(u32::try_from(position).ok()?), &self.tags[position]))
    }

    /// Gives each asset its sources and contracts; those that name none stand at the site, the first asset.
    pub(super) fn place(&self, read: (&[EmissionConfig], &[ContractConfig]), assets: &mut [Asset]) {
        let place = |assets: &[Asset], id: &Option<Spanned<AssetId>>| match id {
            Some(id) => assets.iter().position(|asset| asset.id == *id.get_ref()),
            None => Some(0),
        };
        let gwp = self.gwp();
        for source in read.0 {
            let (Some(said), Some(position)) = (self.said(source), place(assets, &source.asset)) else { continue };
            assets[position].emissions.push(Emission::resolve(&said, self.reference, self.zone, &gwp));
        }
        for contract in read.1 {
            let (Some(built), Some(position)) = (self.contract(contract), place(assets, &contract.asset)) else {
                continue;
            };
            assets[position].contracts.push(built);
        }
    }

    #[expect(clippy::cast_possible_truncation, reason = "a volume in MWh, checked to be finite and positive")]
    fn contract(&self, contract: &ContractConfig) -> Option<Contract> {
        let midnight = |day: Date| {
            let civil = day.to_datetime(jiff::civil::Time::midnight());
            self.zone.to_timestamp(civil).ok().map(|instant| Timestamp(instant.as_millisecond()))
        };
        let end = contract.valid_to.get_ref().tomorrow().ok()?;
        let validity = Window { start: midnight(contract.valid_from)?, end: midnight(end)? };
        let tag = contract.quantity.as_ref().and_then(|tag| self.tag(tag.get_ref())).map(|(index, _)| index);
        let volume = contract.volume_mwh.as_ref().map_or(0.0, |volume| *volume.get_ref() * 1e9).round() as i128;
        Some(Contract::new(tag, volume, validity, *contract.factor_t_per_mwh.get_ref()))
    }
}

/// Returns what was understood of each source: its column, and which factor was chosen with its grade, as of the newest
/// entries.
pub(super) fn summary(build: &Build<'_>, sources: &[EmissionConfig], assets: &[Asset]) -> Vec<String> {
    let newest = Date::constant(9999, 1, 1);
    let line = |source: &EmissionConfig| {
        let said = build.said(source)?;
        let id = &said.id;
        let stands_at = assets.iter().find(|asset| asset.emissions.iter().any(|own| own.id == *id));
        let mut parts = vec![said.category.as_str().to_owned()];
        if let Some(fuel) = &said.fuel {
            parts.push(format!("{fuel}, {} column", said.sector.as_str()));
            for gas in Gas::ALL {
                let chosen = said.fuel_factor(build.reference, gas, newest);
                parts.push(chosen.map_or_else(
                    || format!("no factor of {}", gas.as_str()),
                    |chosen| {
                        format!(
                            "{} {} kg/TJ from {} ({})",
                            gas.as_str(),
                            chosen.value,
                            chosen.factor.id,
                            grade(chosen.grade)
                        )
                    },
                ));
            }
            let ncv = said.calorific_value(build.reference, newest);
            parts.extend(ncv.map(|ncv| format!("{} GJ/t from {} ({})", ncv.value, ncv.factor.id, grade(ncv.grade))));
        }
        if let Some(refrigerant) = &said.refrigerant {
            let set = build.gwp().last().map_or(GwpSet::default(), |(_, set)| *set);
            let potential = build.reference.potentials().refrigerant(set, refrigerant);
            parts.extend(potential.map(|found| {
                format!("{refrigerant}: {} kg CO2e/kg by {} ({})", found.value, set.as_str(), grade(Some(found.grade)))
            }));
        }
        for measured in Measured::ALL {
            let rate = said.rate(measured, newest);
            parts.extend(rate.map(|rate| format!("{} kg CO2e per unit from {}", rate.value, rate.factor.id)));
        }
        if said.quantity.is_none() && said.category != Category::Steam {
            parts.push("declared only".to_owned());
        }
        Some(format!("emission {id} at {}: {}", stands_at.map_or("?", |asset| asset.id.as_str()), parts.join("; ")))
    };
    let mut lines: Vec<String> = sources.iter().filter_map(line).collect();
    if !lines.is_empty() {
        let sets: Vec<String> = build.gwp().iter().map(|(year, set)| format!("{} from {year}", set.as_str())).collect();
        lines.push(format!("warming potentials: {}", sets.join(", ")));
    }
    lines
}

fn grade(grade: Option<crate::reference::Grade>) -> &'static str {
    grade.map_or("the facility's own", |grade| grade.as_str())
}
