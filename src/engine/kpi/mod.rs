//! The KPI catalogue: one file a KPI, a folder a family, one entry in [`CATALOGUE`].
//!
//! A KPI is a function of merged facts, so it is exact at any grain and for any group, on the box and in the hub.
//! What can be added: a file with a [`KpiDefinition`] in its family's folder, and its line in the list.

mod emissions;
mod energy;
pub mod grid;
mod maintenance;
mod media;
mod pollutants;
mod production;
mod quality;
mod shares;
pub mod threshold;
pub mod used;
mod waste;
mod water;

use std::sync::LazyLock;

use jiff::civil::Date;

use super::medium::Medium;
use crate::model::fact::{Facts, Measure};
use crate::model::record::{FactorRef, Flag, KpiId, KpiValue, Reason};
use crate::model::time::Grain;
use crate::reference::Reference;
use crate::reference::toe::Basis;

pub(crate) use media::{amount, cos_phi, drawn, electricity_part, peak, unmetered};
pub use used::UsedFactors;

/// Every KPI, in the order in which records and pages list them.
pub static CATALOGUE: &[&KpiDefinition] = &[
    // Production
    &production::availability::DEFINITION,
    &production::effectiveness::DEFINITION,
    &production::oee::DEFINITION,
    &production::nee::DEFINITION,
    &production::utilization_efficiency::DEFINITION,
    &production::allocation_efficiency::DEFINITION,
    &production::technical_efficiency::DEFINITION,
    &production::setup_ratio::DEFINITION,
    &production::oee_classic::DEFINITION,
    &production::availability_classic::DEFINITION,
    &production::performance_classic::DEFINITION,
    &production::teep::DEFINITION,
    &production::throughput_rate::DEFINITION,
    &production::allocation_ratio::DEFINITION,
    &production::production_process_ratio::DEFINITION,
    &production::equipment_load_ratio::DEFINITION,
    &production::worker_efficiency::DEFINITION,
    &production::plan_attainment::DEFINITION,
    &production::produced_quantity::DEFINITION,
    // Quality
    &quality::quality_ratio::DEFINITION,
    &quality::good_quantity::DEFINITION,
    &quality::scrap_ratio::DEFINITION,
    &quality::rework_ratio::DEFINITION,
    &quality::fall_off_ratio::DEFINITION,
    &quality::actual_to_planned_scrap_ratio::DEFINITION,
    &quality::first_pass_yield::DEFINITION,
    &quality::finished_goods_ratio::DEFINITION,
    &quality::integrated_goods_ratio::DEFINITION,
    &quality::production_loss_ratio::DEFINITION,
    &quality::storage_and_transportation_loss_ratio::DEFINITION,
    &quality::other_loss_ratio::DEFINITION,
    // Maintenance
    &maintenance::mtbf::DEFINITION,
    &maintenance::mttr::DEFINITION,
    &maintenance::mttf::DEFINITION,
    &maintenance::corrective_maintenance_ratio::DEFINITION,
    // Energy
    &energy::electricity::DEFINITION,
    &energy::electricity_import::DEFINITION,
    &energy::electricity_export::DEFINITION,
    &energy::electricity_generation::DEFINITION,
    &energy::renewable_share::DEFINITION,
    &energy::electricity_unmetered::DEFINITION,
    &energy::electricity_peak::DEFINITION,
    &energy::electricity_normal::DEFINITION,
    &energy::electricity_off_peak::DEFINITION,
    &energy::electricity_cost::DEFINITION,
    &energy::specific_energy::DEFINITION,
    &energy::comprehensive_energy::DEFINITION,
    &energy::peak_demand::DEFINITION,
    &energy::peak_demand_15min::DEFINITION,
    &energy::peak_demand_sliding::DEFINITION,
    &energy::load_factor::DEFINITION,
    &energy::power_factor::DEFINITION,
    &energy::reactive_surcharge::DEFINITION,
    &energy::gas::DEFINITION,
    &energy::gas_unmetered::DEFINITION,
    &energy::steam::DEFINITION,
    &energy::steam_unmetered::DEFINITION,
    &energy::enpi_ratio::DEFINITION,
    &energy::energy_saving::DEFINITION,
    // Water
    &water::water_use::DEFINITION,
    &water::water_specific::DEFINITION,
    &water::water_unmetered::DEFINITION,
    &water::wastewater::DEFINITION,
    &water::wastewater_unmetered::DEFINITION,
    &water::water_reuse_ratio::DEFINITION,
    // Waste
    &waste::waste::DEFINITION,
    &waste::waste_specific::DEFINITION,
    &waste::waste_recycling_rate::DEFINITION,
    &waste::hazardous_share::DEFINITION,
    &waste::landfill_share::DEFINITION,
    // Emissions
    &emissions::scope_1::DEFINITION,
    &emissions::scope_1_stationary::DEFINITION,
    &emissions::scope_1_mobile::DEFINITION,
    &emissions::scope_1_process::DEFINITION,
    &emissions::scope_1_fugitive::DEFINITION,
    &emissions::scope_2::DEFINITION,
    &emissions::scope_2_market::DEFINITION,
    &emissions::ghg_total::DEFINITION,
    &emissions::biogenic_co2::DEFINITION,
    &emissions::carbon_intensity::DEFINITION,
    &emissions::energy_toe::DEFINITION,
    &emissions::energy_toe_content::DEFINITION,
    // Pollutants
    &pollutants::pollutant_mean::DEFINITION,
    &pollutants::pollutant_limit_ratio::DEFINITION,
    &pollutants::pollutant_hours_to_check::DEFINITION,
    &pollutants::pollutant_days_to_check::DEFINITION,
    &pollutants::pollutant_max_hour::DEFINITION,
    &pollutants::pollutant_min::DEFINITION,
    &pollutants::pollutant_max::DEFINITION,
    &pollutants::pollutant_load::DEFINITION,
    &pollutants::pollutant_volume::DEFINITION,
    &pollutants::channel_validity::DEFINITION,
];

/// What a KPI is.
#[derive(Debug)]
pub struct KpiDefinition {
    /// Its name in configuration, JSON and URLs.
    pub id: KpiId,
    /// English name.
    pub name_en: &'static str,
    /// Vietnamese name.
    pub name_vi: &'static str,
    /// What pages and lists put it under.
    pub family: Family,
    /// What it says, in an English sentence.
    pub definition_en: &'static str,
    /// What it says, in a Vietnamese sentence.
    pub definition_vi: &'static str,
    /// The formula, in the element names of its standard.
    pub formula: &'static str,
    /// Unit of the value (UCUM); `1` is a ratio.
    pub unit: &'static str,
    /// The facts it rests on. What tells how they were measured is implied: see [`KpiDefinition::reveals`].
    pub measures: &'static [Measure],
    /// Standard and clause, or rule.
    pub standard: &'static str,
    /// Finer windows have no value.
    pub finest_grain: Grain,
    /// Version of the formula; part of every record.
    pub method: u16,
    /// When there is no value, in English.
    pub no_value_en: &'static str,
    /// When there is no value, in Vietnamese.
    pub no_value_vi: &'static str,
    /// The formula.
    pub compute: fn(&Facts, &KpiContext) -> Outcome,
}

impl KpiDefinition {
    /// Returns the facts it rests on and those that say how they were measured, each once: what sharing it reveals.
    ///
    /// # Panics
    /// On a definition that isn't in [`CATALOGUE`].
    pub fn reveals(&self) -> &'static [Measure] {
        &self.entry().told.revealed
    }

    /// Returns what is found of it once.
    fn entry(&self) -> &'static Entry {
        let position = CATALOGUE.iter().position(|definition| std::ptr::eq(*definition, self));
        &ENTRIES[position.expect("a definition is an entry of the catalogue")]
    }
}

/// What every window asks of a definition, found once.
struct Entry {
    definition: &'static KpiDefinition,
    told: shares::Told,
    /// It is about quantities, and doesn't weigh them by planned run times.
    counts: bool,
    /// It weighs quantities by planned run times.
    is_weighed: bool,
    /// It sets planned run times of products beside times of equipment, as OEE does.
    weighs_products: bool,
    /// It rests on machine states.
    has_states: bool,
}

/// An entry for each definition, in the catalogue's order.
static ENTRIES: LazyLock<Vec<Entry>> = LazyLock::new(|| {
    let entry = |definition: &&'static KpiDefinition| {
        let uses = |measure: &Measure| definition.measures.contains(measure);
        let is_weighed = uses(&Measure::PruPq);
        Entry {
            definition,
            told: shares::Told::of(definition.measures),
            counts: !is_weighed && definition.measures.iter().any(|measure| measure.is_quantity()),
            is_weighed,
            weighs_products: uses(&Measure::NoData) && [Measure::PruPq, Measure::PruGq].iter().any(uses),
            has_states: uses(&Measure::NoData),
        }
    };
    CATALOGUE.iter().map(entry).collect()
});

/// What KPIs are grouped by where people read them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Family {
    /// Time and output of equipment.
    Production,
    /// Good parts, scrap and rework.
    Quality,
    /// Failures and repair.
    Maintenance,
    /// Electricity, gas and steam.
    Energy,
    /// Water, wastewater and waste.
    Water,
    /// Greenhouse gases.
    Emissions,
    /// Stacks and outfalls.
    Pollutants,
}

impl Family {
    /// Returns the name used in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Production => "production",
            Self::Quality => "quality",
            Self::Maintenance => "maintenance",
            Self::Energy => "energy",
            Self::Water => "water",
            Self::Emissions => "emissions",
            Self::Pollutants => "pollutants",
        }
    }

    /// Returns its English name.
    pub const fn name_en(self) -> &'static str {
        match self {
            Self::Production => "Production",
            Self::Quality => "Quality",
            Self::Maintenance => "Maintenance",
            Self::Energy => "Energy",
            Self::Water => "Water and waste",
            Self::Emissions => "Greenhouse gases",
            Self::Pollutants => "Pollutants",
        }
    }

    /// Returns its Vietnamese name.
    pub const fn name_vi(self) -> &'static str {
        match self {
            Self::Production => "Sản xuất",
            Self::Quality => "Chất lượng",
            Self::Maintenance => "Bảo trì",
            Self::Energy => "Năng lượng",
            Self::Water => "Nước và chất thải",
            Self::Emissions => "Khí nhà kính",
            Self::Pollutants => "Chất ô nhiễm",
        }
    }
}

/// What a formula needs beside facts.
#[derive(Debug, Clone, PartialEq)]
pub struct KpiContext {
    /// The grid emission factor for the window's year, or why there is none.
    pub grid: Result<GridChoice, Reason>,
    /// No calendar is declared.
    pub calendar_assumed: bool,
    /// What the facts already rest on: reference entries by which the box made them from quantities.
    pub used: UsedFactors,
    /// What electricity emits that no contract has claimed, where a mix was published for the year.
    pub residual_mix: Option<GridChoice>,
    /// TOE per kWh by the fuel that a power plant burns.
    pub toe_primary: Option<Rate>,
    /// TOE per kWh by the energy itself.
    pub toe_content: Option<Rate>,
    /// The power factor below which reactive energy is charged.
    pub power_factor_target: Option<Rate>,
    /// The media whose figure is the sum of what the assets below have.
    pub summed: Vec<Medium>,
    /// The facts are of assets that make unlike things.
    pub unlike_members: bool,
}

/// A factor of the reference data.
#[derive(Debug, Clone, PartialEq)]
pub struct Rate {
    /// **Unit**: that of its kind.
    pub value: f64,
    /// Which entry.
    pub factor: FactorRef,
}

impl KpiContext {
    /// Makes the context of a window; what isn't said here is as for a figure that no configuration speaks of.
    pub const fn new(grid: Result<GridChoice, Reason>, calendar_assumed: bool) -> Self {
        let used = UsedFactors::new();
        Self {
            grid,
            calendar_assumed,
            used,
            residual_mix: None,
            toe_primary: None,
            toe_content: None,
            power_factor_target: None,
            summed: Vec::new(),
            unlike_members: false,
        }
    }

    /// Adds the other factors of a reporting year: those that count on its first day.
    #[must_use]
    pub fn with_reference(mut self, reference: &Reference, year: i16) -> Self {
        let mix = reference.residual_mix(year);
        self.residual_mix =
            mix.map(|mix| GridChoice { tco2e_per_mwh: mix.tco2e_per_mwh, factor: mix.factor, provisional: false });
        let rate = |basis| {
            let entry = reference.toe().electricity(basis, Date::new(year, 1, 1).ok()?)?;
            Some(Rate { value: entry.value, factor: entry.factor.clone() })
        };
        self.toe_primary = rate(Basis::PrimaryEnergy);
        self.toe_content = rate(Basis::EnergyContent);
        let target = Date::new(year, 1, 1).ok().and_then(|day| reference.tariffs().power_factor_target(day));
        self.power_factor_target =
            target.map(|target| Rate { value: target.value, factor: target.dated.factor.clone() });
        self
    }

    /// Adds the reference entries that the facts already rest on. A KPI names those of its own measures.
    #[must_use]
    pub fn with_factors(mut self, used: UsedFactors) -> Self {
        self.used = used;
        self
    }

    /// Adds the media that are summed from the assets below: their KPIs say so.
    #[must_use]
    pub fn with_summed(mut self, media: Vec<Medium>) -> Self {
        self.summed = media;
        self
    }

    /// Says whether the facts are of assets that make unlike things: what weighs their products against each other by
    /// planned run times then has no value.
    #[must_use]
    pub const fn with_unlike_members(mut self, are_unlike: bool) -> Self {
        self.unlike_members = are_unlike;
        self
    }
}

/// The grid emission factor chosen for a window.
#[derive(Debug, Clone, PartialEq)]
pub struct GridChoice {
    /// **Unit**: tCO2e/MWh.
    pub tco2e_per_mwh: f64,
    /// Which entry.
    pub factor: FactorRef,
    /// It is the latest of an earlier year, taken by explicit choice.
    pub provisional: bool,
}

/// What a formula returns.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// The value or why there is none.
    pub value: Result<f64, Reason>,
    /// What a reader must know.
    pub flags: Vec<Flag>,
    /// The reference entries used.
    pub factors: Vec<FactorRef>,
}

impl From<Result<f64, Reason>> for Outcome {
    fn from(value: Result<f64, Reason>) -> Self {
        Self { value, flags: Vec::new(), factors: Vec::new() }
    }
}

/// Returns the definition of a KPI.
pub fn find(id: &str) -> Option<&'static KpiDefinition> {
    CATALOGUE.iter().copied().find(|definition| definition.id.as_str() == id)
}

/// Computes one KPI's value from merged facts, or says why quantities don't give one: counts of unlike products have no
/// sum, and parts of which no planned run time is known have no weight. Weighed quantities of one machine's unlike products
/// do sum; those of assets that make unlike things mean nothing beside the time of all of them.
pub fn outcome(definition: &KpiDefinition, facts: &Facts, context: &KpiContext) -> Outcome {
    definition.entry().outcome(facts, context)
}

/// Computes one KPI from merged facts. The same facts give the same value on the box and in the hub.
pub fn evaluate(definition: &KpiDefinition, facts: &Facts, grain: Grain, context: &KpiContext) -> KpiValue {
    let entry = definition.entry();
    entry.value(entry.at_grain(facts, grain, context), facts, context)
}

/// Computes every KPI that an asset with these facts can have in a window of this length, in the catalogue's order: of
/// one without its input, or below its finest grain, there is nothing to be said.
pub fn evaluate_all(facts: &Facts, grain: Grain, context: &KpiContext) -> Vec<KpiValue> {
    let mut values = Vec::with_capacity(ENTRIES.len() / 2);
    for entry in ENTRIES.iter() {
        let outcome = entry.at_grain(facts, grain, context);
        if !matches!(outcome.value, Err(Reason::NoInput | Reason::BelowFinestGrain)) {
            values.push(entry.value(outcome, facts, context));
        }
    }
    values.shrink_to_fit();
    values
}

impl Entry {
    fn at_grain(&self, facts: &Facts, grain: Grain, context: &KpiContext) -> Outcome {
        if grain < self.definition.finest_grain {
            return Outcome::from(Err(Reason::BelowFinestGrain));
        }
        self.outcome(facts, context)
    }

    fn outcome(&self, facts: &Facts, context: &KpiContext) -> Outcome {
        let computed = (self.definition.compute)(facts, context);
        let has_unlike_members = context.unlike_members && self.weighs_products;
        let missing = if self.is_weighed && facts.amount(Measure::UnplannedParts) != 0 {
            Reason::NoPlannedRunTime
        } else if has_unlike_members || (self.counts && facts.amount(Measure::UnlikeParts) != 0) {
            Reason::NotMergeable
        } else {
            return computed;
        };
        match computed.value {
            // A KPI that the asset can't have stays one.
            Err(Reason::NoInput) => computed,
            _ => Err(missing).into(),
        }
    }

    /// Adds to an outcome what its facts say of how they were measured.
    fn value(&self, outcome: Outcome, facts: &Facts, context: &KpiContext) -> KpiValue {
        let Self { definition, told, .. } = self;
        let mut flags = outcome.flags;
        if told.is_substituted(facts) {
            flags.push(Flag::Substituted);
        }
        if told.is_excluded(facts) {
            flags.push(Flag::Excluded);
        }
        if told.is_declared(facts) {
            flags.push(Flag::Declared);
        }
        if self.has_states && context.calendar_assumed {
            flags.push(Flag::CalendarAssumed);
        }
        if context.summed.iter().any(|medium| definition.measures.contains(&medium.measures().amount)) {
            flags.push(Flag::Summed);
        }
        let mut factors = outcome.factors;
        if outcome.value.is_ok() {
            let present = definition.measures.iter().filter(|measure| facts.get(**measure).is_some());
            if context.used.collect(present, &mut factors) {
                flags.push(Flag::Provisional);
            }
        }
        flags.sort_unstable();
        flags.dedup();
        // A ratio of finite integers is finite once its denominator is not 0; the check keeps a NaN from ever travelling.
        let value = outcome.value.and_then(|value| if value.is_finite() { Ok(value) } else { Err(Reason::NoData) });
        KpiValue {
            kpi: definition.id.clone(),
            method: definition.method,
            value: value.ok(),
            reason: value.err(),
            coverage: told.coverage(facts),
            shares: told.shares(facts),
            flags,
            factors,
        }
    }
}

/// Returns the observed planned busy time PBT = APT + AUST + ADET + ADOT. **Unit**: ms. NO_DATA is not in it.
pub(crate) fn planned_busy_ms(facts: &Facts) -> i128 {
    [Measure::Apt, Measure::Aust, Measure::Adet, Measure::Adot].into_iter().map(|m| facts.amount(m)).sum()
}

/// Returns whether a machine state is among the inputs.
pub(crate) fn has_states(facts: &Facts) -> bool {
    facts.get(Measure::NoData).is_some()
}

/// Returns PBT, or why there is none.
pub(crate) fn busy_time(facts: &Facts) -> Result<i128, Reason> {
    match planned_busy_ms(facts) {
        _ if !has_states(facts) => Err(Reason::NoInput),
        0 if facts.amount(Measure::NoData) > 0 => Err(Reason::NoData),
        0 => Err(Reason::NoBusyTime),
        busy => Ok(busy),
    }
}

/// Returns the produced quantity, or why there is none.
pub(crate) fn produced(facts: &Facts) -> Result<i128, Reason> {
    match facts.get(Measure::ProducedQuantity) {
        None => Err(Reason::NoInput),
        Some(0) if facts.amount(Measure::PartsObserved) == 0 => Err(Reason::NoData),
        Some(0) => Err(Reason::NoProduction),
        Some(quantity) => Ok(quantity),
    }
}

/// Returns the order execution time AOET, or why there is none. **Unit**: ms.
pub(crate) fn order_execution(facts: &Facts) -> Result<i128, Reason> {
    match facts.get(Measure::OrderExecution).ok_or(Reason::NoInput)? {
        0 => Err(Reason::NoOrder),
        execution_ms => Ok(execution_ms),
    }
}

/// Returns net electricity in 10⁻⁶ kWh, or why there is none. Nothing measured is no zero.
pub(crate) fn electricity_micro_kwh(facts: &Facts) -> Result<i128, Reason> {
    match facts.get(Measure::Electricity) {
        None => Err(Reason::NoInput),
        Some(0)
            if facts.amount(Measure::ElectricityObserved) == 0
                && facts.amount(Measure::ElectricitySubstituted) == 0 =>
        {
            Err(Reason::NoData)
        }
        Some(energy) => Ok(energy),
    }
}

#[expect(clippy::cast_precision_loss, reason = "the final ratio is the one place where f64 appears")]
pub(crate) fn ratio(numerator: i128, denominator: i128) -> f64 {
    numerator as f64 / denominator as f64
}

#[cfg(test)]
pub(crate) mod testing {
    use super::{GridChoice, KpiContext, KpiValue, Reason, evaluate, find};
    use crate::model::fact::{Facts, Measure};
    use crate::model::id::Digest;
    use crate::model::record::FactorRef;
    use crate::model::time::Grain;
    use crate::reference::Reference;

    /// Evaluates one KPI over a day with the grid factor 0.6592 of 2023.
    pub(crate) fn day(kpi: &str, pairs: &[(Measure, i128)]) -> KpiValue {
        let facts: Facts = pairs.iter().copied().collect();
        evaluate(find(kpi).unwrap(), &facts, Grain::Day, &context())
    }

    /// Returns the context of a window of 2023.
    pub(crate) fn context() -> KpiContext {
        let factor = FactorRef { id: "vn_grid_2023".to_owned(), version: Digest::ZERO, year: 2023 };
        let grid = Ok(GridChoice { tco2e_per_mwh: 0.6592, factor, provisional: false });
        KpiContext::new(grid, false).with_reference(&Reference::builtin(), 2023)
    }

    /// Evaluates one KPI over a month with the power factor that bills of the time ask for.
    pub(crate) fn month(kpi: &str, pairs: &[(Measure, i128)]) -> KpiValue {
        let facts: Facts = pairs.iter().copied().collect();
        let context = KpiContext::new(Err(Reason::NoPublishedFactor), false);
        let context = context.with_reference(&Reference::builtin(), 2026);
        evaluate(find(kpi).unwrap(), &facts, Grain::Month, &context)
    }

    /// Asserts a value to 1e-6 relative.
    pub(crate) fn near(value: &KpiValue, expected: f64) {
        let found = value.value.unwrap_or(f64::NAN);
        assert!(
            (found - expected).abs() <= 1e-6 * expected.abs().max(1e-12),
            "{}: {found} is not {expected}",
            value.kpi
        );
    }

    /// Asserts that there is no value, and why.
    pub(crate) fn none(value: &KpiValue, reason: Reason) {
        assert_eq!((value.value, value.reason), (None, Some(reason)), "{}", value.kpi);
    }

    pub(crate) const MINUTE: i128 = 60_000;

    /// The ISO set E7: PBT 420 min = APT 320 + AUST 30 + ADET 25 + ADOT 45; PRU 0.8 min; PQ 380 = GQ 361 + SQ 12 + RQ 7.
    pub(crate) fn e7() -> Vec<(Measure, i128)> {
        vec![
            (Measure::Apt, 320 * MINUTE),
            (Measure::Aust, 30 * MINUTE),
            (Measure::Adet, 25 * MINUTE),
            (Measure::Adot, 45 * MINUTE),
            (Measure::PlannedDown, 0),
            (Measure::NoData, 0),
            (Measure::ProducedQuantity, 380_000_000),
            (Measure::GoodQuantity, 361_000_000),
            (Measure::ScrapQuantity, 12_000_000),
            (Measure::ReworkQuantity, 7_000_000),
            (Measure::PruPq, 380_000_000 * 48_000),
            (Measure::PruGq, 361_000_000 * 48_000),
            (Measure::PartsObserved, 480 * MINUTE),
            (Measure::PartsExpected, 480 * MINUTE),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::testing::{day, e7, near};
    use super::{CATALOGUE, Measure};

    #[test]
    fn every_kpi_is_found_by_its_id_and_names_what_it_rests_on() {
        for definition in CATALOGUE {
            assert!(std::ptr::eq(*definition, super::find(definition.id.as_str()).unwrap()));
            assert!(!definition.measures.is_empty() && !definition.name_vi.is_empty(), "{}", definition.id);
        }
    }

    #[test]
    fn e7_oee_is_the_product_of_its_three_factors() {
        for (kpi, expected) in
            [("availability", 0.761_905), ("effectiveness", 0.95), ("quality_ratio", 0.95), ("oee", 0.687_619)]
        {
            near(&day(kpi, &e7()), expected);
        }
    }

    #[test]
    fn e1_and_e2_give_the_exact_value_where_rounded_chains_do_not() {
        for (apt, pbt, pru_ms, pq, gq, oee) in
            [(373, 420, 1000, 19_271, 18_848, 0.747_937), (420, 480, 60_000, 400, 380, 0.791_667)]
        {
            let facts = [
                (Measure::Apt, apt * 60_000),
                (Measure::Adot, (pbt - apt) * 60_000),
                (Measure::NoData, 0),
                (Measure::ProducedQuantity, pq * 1_000_000),
                (Measure::GoodQuantity, gq * 1_000_000),
                (Measure::PruPq, pq * pru_ms * 1_000_000),
                (Measure::PruGq, gq * pru_ms * 1_000_000),
                (Measure::PartsObserved, 1),
                (Measure::PartsExpected, 1),
            ];
            near(&day("oee", &facts), oee);
        }
    }

    #[test]
    fn coverage_is_the_smallest_of_the_inputs_and_no_data_lowers_it() {
        let mut facts = e7();
        facts.push((Measure::NoData, 60 * 60_000));
        near(&day("availability", &facts), 320.0 / 420.0);
        assert_eq!(day("availability", &facts).coverage, Some(420.0 / 480.0));
    }
}
