//! What a share lets out: the facts that each shared KPI carries with it, and what follows from them.

use crate::engine::kpi;
use crate::model::fact::Measure;
use crate::model::record::KpiId;
use crate::sinks::platform::config::PlatformSink;

/// What sharing one KPI reveals.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revealed {
    /// The KPI.
    pub kpi: KpiId,
    /// The facts that travel with it.
    pub measures: Vec<Measure>,
    /// The same in words, and what can be computed from them; each once, in the order of the measures.
    pub words: Vec<&'static str>,
}

/// Returns what a sink's share reveals, KPI by KPI. A KPI that isn't in the catalogue reveals nothing.
pub fn reveals(sink: &PlatformSink) -> Vec<Revealed> {
    let policy = sink.share.policy();
    policy
        .kpis
        .into_iter()
        .filter_map(|id| kpi::find(id.as_str()))
        .map(|definition| Revealed {
            kpi: definition.id.clone(),
            measures: definition.reveals().to_vec(),
            words: in_words(definition.reveals()),
        })
        .collect()
}

fn in_words(measures: &[Measure]) -> Vec<&'static str> {
    let mut words: Vec<&'static str> = Vec::new();
    for word in measures.iter().map(|measure| name(*measure)) {
        if !words.contains(&word) {
            words.push(word);
        }
    }
    let has = |measure| measures.contains(&measure);
    let planned = [(Measure::PruPq, Measure::ProducedQuantity), (Measure::PruGq, Measure::GoodQuantity)];
    if planned.into_iter().any(|(product, quantity)| has(product) && has(quantity)) {
        words.push("planned run time per unit");
    }
    words
}

/// Returns a measure in words. Those that only say how well another was measured go by one name.
const fn name(measure: Measure) -> &'static str {
    match measure {
        Measure::Apt => "production time",
        Measure::Aust => "setup time",
        Measure::Adet => "delay time",
        Measure::Adot => "down time",
        Measure::PlannedDown => "planned down time",
        Measure::NoData | Measure::PartsObserved | Measure::PartsExpected => "coverage",
        Measure::ElectricityObserved | Measure::ElectricityExpected => "coverage",
        Measure::ReactiveObserved | Measure::ReactiveExpected => "coverage",
        Measure::ProducedQuantity => "produced quantity",
        Measure::GoodQuantity => "good quantity",
        Measure::ScrapQuantity => "scrap quantity",
        Measure::ReworkQuantity => "rework quantity",
        Measure::PruPq => "planned run time of the produced quantity",
        Measure::PruGq => "planned run time of the good quantity",
        Measure::Electricity => "electricity",
        Measure::ElectricitySubstituted => "estimated part of the electricity",
        Measure::ElectricityExcluded => "excluded part of the electricity",
        Measure::ReactiveEnergy => "reactive energy",
        Measure::HalfHourPeak => "half-hour peak",
        Measure::GasObserved | Measure::GasExpected => "coverage",
        Measure::WaterObserved | Measure::WaterExpected => "coverage",
        Measure::SteamObserved | Measure::SteamExpected => "coverage",
        Measure::WastewaterObserved | Measure::WastewaterExpected => "coverage",
        Measure::FuelObserved | Measure::FuelExpected => "coverage",
        Measure::ValidTime | Measure::CalibrationTime => "coverage",
        Measure::ChannelFaultTime | Measure::ChannelExpected => "coverage",
        Measure::UncorrectableTime | Measure::OxygenHighTime | Measure::LoadTime => "coverage",
        Measure::ElectricitySubmeteredObserved | Measure::GasSubmeteredObserved => "coverage",
        Measure::WaterSubmeteredObserved | Measure::SteamSubmeteredObserved => "coverage",
        Measure::WastewaterSubmeteredObserved => "coverage",
        Measure::SteamEnergy => "energy of the steam",
        Measure::ElectricityUnpriced => "electricity without a price",
        Measure::ElectricityWithBaseline => "electricity compared with a baseline",
        Measure::FaultTime => "fault time",
        Measure::Failures => "failures",
        Measure::Cmt => "corrective maintenance time",
        Measure::Pmt => "preventive maintenance time",
        Measure::AllTime => "all time",
        Measure::MinorStops => "minor stops",
        Measure::UnlikeParts => "time with products of another unit",
        Measure::UnplannedParts => "time with products without planned run time",
        Measure::PartsSubstituted => "estimated part of the produced quantity",
        Measure::PartsExcluded => "excluded part of the produced quantity",
        Measure::PlannedScrapQuantity => "planned scrap quantity",
        Measure::GoodParts => "good parts at first inspection",
        Measure::InspectedParts => "inspected parts",
        Measure::FirstOperationQuantity => "produced quantity of the first operation",
        Measure::PlannedOrderQuantity => "planned order quantity",
        Measure::ProductionCapacity => "production capacity",
        Measure::ConsumedMaterial => "consumed material",
        Measure::IntegratedGoodQuantity => "integrated good quantity",
        Measure::ProductionLoss => "production loss",
        Measure::StorageLoss => "storage and transportation loss",
        Measure::OtherLoss => "other loss",
        Measure::OrderExecution => "order execution time",
        Measure::OrderBusy => "busy time of orders",
        Measure::OrderProduction => "production time of orders",
        Measure::OrderQuantity => "produced quantity of orders",
        Measure::PersonnelWork => "personnel work time",
        Measure::PersonnelAttendance => "personnel attendance time",
        Measure::ElectricityImport => "electricity from the grid",
        Measure::ElectricityExport => "electricity given back",
        Measure::ElectricityGeneration => "generated electricity",
        Measure::ElectricityRenewable => "renewable electricity",
        Measure::ElectricitySubmetered => "sub-metered electricity",
        Measure::ElectricityPeakBand => "electricity in peak hours",
        Measure::ElectricityNormalBand => "electricity in normal hours",
        Measure::ElectricityOffPeakBand => "electricity in off-peak hours",
        Measure::ElectricityCost => "cost of electricity",
        Measure::QuarterHourPeak => "quarter-hour peak",
        Measure::SlidingPeak => "sliding half-hour peak",
        Measure::BaselineElectricity => "electricity expected by the baseline",
        Measure::Gas => "gas",
        Measure::GasSubstituted => "estimated part of the gas",
        Measure::GasExcluded => "excluded part of the gas",
        Measure::GasSubmetered => "sub-metered gas",
        Measure::Water => "water",
        Measure::WaterSubstituted => "estimated part of the water",
        Measure::WaterExcluded => "excluded part of the water",
        Measure::WaterSubmetered => "sub-metered water",
        Measure::Steam => "steam",
        Measure::SteamSubstituted => "estimated part of the steam",
        Measure::SteamExcluded => "excluded part of the steam",
        Measure::SteamSubmetered => "sub-metered steam",
        Measure::Wastewater => "wastewater",
        Measure::WastewaterSubstituted => "estimated part of the wastewater",
        Measure::WastewaterExcluded => "excluded part of the wastewater",
        Measure::WastewaterSubmetered => "sub-metered wastewater",
        Measure::WastewaterReused => "reused wastewater",
        Measure::FuelEnergy => "fuel energy",
        Measure::FuelEnergySubstituted => "estimated part of the fuel energy",
        Measure::FuelEnergyExcluded => "excluded part of the fuel energy",
        Measure::FuelEnergyDeclared => "declared part of the fuel energy",
        Measure::FuelToe => "fuels in TOE",
        Measure::Co2Fossil => "fossil CO2",
        Measure::Ch4Fossil => "fossil CH4",
        Measure::Ch4Biogenic => "biogenic CH4",
        Measure::N2o => "N2O",
        Measure::Co2Biogenic => "biogenic CO2",
        Measure::StationaryCo2e => "scope 1 stationary",
        Measure::MobileCo2e => "scope 1 mobile",
        Measure::ProcessCo2e => "scope 1 process",
        Measure::FugitiveCo2e => "scope 1 fugitive",
        Measure::SteamCo2e => "scope 2 steam",
        Measure::ElectricityContracted => "electricity contracted",
        Measure::ContractedCo2e | Measure::ElectricityContractedDeclared => "electricity contracted",
        Measure::SourcesUndeclared => "count of sources without a declaration",
        Measure::ValueTime | Measure::SlotMeanSum | Measure::HourMeanSum => "concentration",
        Measure::SlotMeanMin => "smallest five-minute mean",
        Measure::SlotMeanMax => "largest five-minute mean",
        Measure::HourMeanMax => "largest hourly mean",
        Measure::SlotsValid | Measure::HoursValid | Measure::DaysValid => "count of valid means",
        Measure::HoursCompared | Measure::DaysCompared => "count of valid means",
        Measure::HourLimitSum => "limit",
        Measure::HoursToCheck | Measure::DaysToCheck => "values to check",
        Measure::PollutantLoad => "pollutant load",
        Measure::PollutantVolume => "flow of a stack or outfall",
        Measure::Waste => "waste",
        Measure::WasteRecycled => "waste recycled",
        Measure::WasteHazardous => "waste hazardous",
        Measure::WasteLandfilled => "waste landfilled",
        Measure::FactorMissing => "time without an emission factor",
    }
}

#[cfg(test)]
mod tests {
    use super::in_words;
    use crate::engine::kpi;

    #[test]
    fn carbon_intensity_reveals_produced_quantity() {
        assert!(in_words(kpi::find("carbon_intensity").unwrap().reveals()).contains(&"produced quantity"));
        assert!(!in_words(kpi::find("scope_2").unwrap().reveals()).contains(&"produced quantity"));
    }

    #[test]
    fn a_quantity_and_its_planned_time_reveal_the_time_per_unit() {
        for kpi in kpi::CATALOGUE {
            let words = in_words(kpi.reveals());
            let both =
                words.contains(&"produced quantity") && words.contains(&"planned run time of the produced quantity");
            assert!(!both || words.contains(&"planned run time per unit"), "{}", kpi.id);
        }
    }
}
