//! Facts: mergeable measures of one asset over one span of time.
//!
//! Every measure is an integer, so that any order and grouping of merges gives the same bytes. A ratio is
//! computed from merged facts, never merged itself.

mod merge;
mod rules;

use std::fmt;

use serde::de::{MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use rules::Bits;

use super::id::AssetId;
use super::time::Timestamp;

/// How two facts of one measure become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Merge {
    /// Added.
    Sum,
    /// The larger one.
    Max,
    /// The smaller one.
    Min,
    /// Not at all: the merged figure has no such measure.
    Never,
}

macro_rules! measures {
    ($($(#[$doc:meta])* $name:ident = $key:literal, over_time $time:ident, over_assets $assets:ident;)*) => {
        /// What a fact measures. The position is its stable code in databases; append only.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum Measure { $($(#[$doc])* $name,)* }

        impl Measure {
            /// Every measure, in the order of their codes.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// Returns the name used in JSON, unit last.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $key,)* }
            }

            /// Returns how facts of successive spans merge.
            pub const fn over_time(self) -> Merge {
                match self { $(Self::$name => Merge::$time,)* }
            }

            /// Returns how facts of different assets over the same span merge.
            pub const fn over_assets(self) -> Merge {
                match self { $(Self::$name => Merge::$assets,)* }
            }
        }
    };
}

measures! {
    /// Actual production time. **Unit**: ms. **Source**: ISO 22400-2.
    Apt = "apt_ms", over_time Sum, over_assets Sum;
    /// Actual unit setup time. **Unit**: ms. **Source**: ISO 22400-2.
    Aust = "aust_ms", over_time Sum, over_assets Sum;
    /// Actual unit delay time. **Unit**: ms. **Source**: ISO 22400-2.
    Adet = "adet_ms", over_time Sum, over_assets Sum;
    /// Actual unit down time. **Unit**: ms. **Source**: ISO 22400-2.
    Adot = "adot_ms", over_time Sum, over_assets Sum;
    /// Planned down time: planned operation time outside PBT. **Unit**: ms.
    PlannedDown = "planned_down_ms", over_time Sum, over_assets Sum;
    /// Planned operation time of which no state is known; never downtime. **Unit**: ms.
    NoData = "no_data_ms", over_time Sum, over_assets Sum;
    /// Produced quantity. **Unit**: 10⁻⁶ of the product unit. Unlike product units never merge.
    ProducedQuantity = "pq_micro", over_time Sum, over_assets Sum;
    /// Good quantity. **Unit**: 10⁻⁶ of the product unit.
    GoodQuantity = "gq_micro", over_time Sum, over_assets Sum;
    /// Scrap quantity. **Unit**: 10⁻⁶ of the product unit.
    ScrapQuantity = "sq_micro", over_time Sum, over_assets Sum;
    /// Rework quantity. **Unit**: 10⁻⁶ of the product unit.
    ReworkQuantity = "rq_micro", over_time Sum, over_assets Sum;
    /// Planned run time per unit × produced quantity. **Unit**: ns.
    PruPq = "pru_pq_ns", over_time Sum, over_assets Sum;
    /// Planned run time per unit × good quantity. **Unit**: ns.
    PruGq = "pru_gq_ns", over_time Sum, over_assets Sum;
    /// Time over which parts were really counted. **Unit**: ms.
    PartsObserved = "parts_observed_ms", over_time Sum, over_assets Sum;
    /// Time over which parts should have been counted. **Unit**: ms.
    PartsExpected = "parts_expected_ms", over_time Sum, over_assets Sum;
    /// Net electricity: boundary imports and generation less exports. **Unit**: 10⁻⁶ kWh.
    Electricity = "electricity_micro_kwh", over_time Sum, over_assets Sum;
    /// What was spread over gaps of its meters: of imports, generation and exports together, so that one never hides
    /// another's. It may exceed the net figure. **Unit**: 10⁻⁶ kWh.
    ElectricitySubstituted = "electricity_substituted_micro_kwh", over_time Sum, over_assets Sum;
    /// Growth of its meters that was excluded as impossible, of imports, generation and exports together; not part of
    /// it. **Unit**: 10⁻⁶ kWh.
    ElectricityExcluded = "electricity_excluded_micro_kwh", over_time Sum, over_assets Sum;
    /// Reactive energy. **Unit**: 10⁻⁶ kvarh.
    ReactiveEnergy = "reactive_micro_kvarh", over_time Sum, over_assets Sum;
    /// Time over which every boundary meter was really read. **Unit**: ms.
    ElectricityObserved = "electricity_observed_ms", over_time Sum, over_assets Sum;
    /// Time over which they should have been. **Unit**: ms.
    ElectricityExpected = "electricity_expected_ms", over_time Sum, over_assets Sum;
    /// Largest electricity of a whole half-hour block. **Unit**: 10⁻⁶ kWh. Of several assets the blocks must be
    /// summed before the maximum is taken, so this measure doesn't merge over assets.
    HalfHourPeak = "half_hour_peak_micro_kwh", over_time Max, over_assets Never;
    /// Time over which every reactive meter was really read. **Unit**: ms.
    ReactiveObserved = "reactive_observed_ms", over_time Sum, over_assets Sum;
    /// Time over which they should have been. **Unit**: ms.
    ReactiveExpected = "reactive_expected_ms", over_time Sum, over_assets Sum;
    /// Time from failures to restorations, repair included; part of ADET. **Unit**: ms.
    FaultTime = "fault_ms", over_time Sum, over_assets Sum;
    /// Failure events (FE): how often a machine went into a fault. **Source**: ISO 22400-2.
    Failures = "failures", over_time Sum, over_assets Sum;
    /// Corrective maintenance time: from failure to restoration within planned operation time, technical and logistic
    /// delays included, and repair outside of it. **Unit**: ms. **Source**: ISO 22400-2.
    Cmt = "cmt_ms", over_time Sum, over_assets Sum;
    /// Preventive maintenance time, within planned operation time or outside. **Unit**: ms. **Source**: ISO 22400-2.
    Pmt = "pmt_ms", over_time Sum, over_assets Sum;
    /// All time, planned or not, of assets with a state: what TEEP divides by. **Unit**: ms.
    AllTime = "all_time_ms", over_time Sum, over_assets Sum;
    /// The part of the produced quantity that was spread over a gap. **Unit**: 10⁻⁶ of the product unit.
    PartsSubstituted = "pq_substituted_micro", over_time Sum, over_assets Sum;
    /// Counted parts left out as impossible; not part of PQ. **Unit**: 10⁻⁶ of the product unit.
    PartsExcluded = "pq_excluded_micro", over_time Sum, over_assets Sum;
    /// Planned scrap quantity. **Unit**: 10⁻⁶ of the product unit. **Source**: ISO 22400-2.
    PlannedScrapQuantity = "psq_micro", over_time Sum, over_assets Sum;
    /// Good parts at first inspection. **Unit**: 10⁻⁶ of the product unit. **Source**: ISO 22400-2.
    GoodParts = "gp_micro", over_time Sum, over_assets Sum;
    /// Inspected parts. **Unit**: 10⁻⁶ of the product unit. **Source**: ISO 22400-2.
    InspectedParts = "ip_micro", over_time Sum, over_assets Sum;
    /// Produced quantity of the first operation of the chain. **Unit**: 10⁻⁶ of the product unit.
    FirstOperationQuantity = "pq_first_operation_micro", over_time Sum, over_assets Sum;
    /// Planned order quantity. **Unit**: 10⁻⁶ of the product unit. **Source**: ISO 22400-2.
    PlannedOrderQuantity = "poq_micro", over_time Sum, over_assets Sum;
    /// Equipment production capacity: rated output over planned busy time. **Unit**: 10⁻⁶ of the product unit.
    ProductionCapacity = "epc_micro", over_time Sum, over_assets Sum;
    /// Consumed material. **Unit**: 10⁻⁶ of the product unit. **Source**: ISO 22400-2.
    ConsumedMaterial = "cm_micro", over_time Sum, over_assets Sum;
    /// Integrated good quantity. **Unit**: 10⁻⁶ of the product unit. **Source**: ISO 22400-2.
    IntegratedGoodQuantity = "igq_micro", over_time Sum, over_assets Sum;
    /// Production loss. **Unit**: 10⁻⁶ of the product unit. **Source**: ISO 22400-2.
    ProductionLoss = "pl_micro", over_time Sum, over_assets Sum;
    /// Storage and transportation loss. **Unit**: 10⁻⁶ of the product unit. **Source**: ISO 22400-2.
    StorageLoss = "stl_micro", over_time Sum, over_assets Sum;
    /// Other loss. **Unit**: 10⁻⁶ of the product unit. **Source**: ISO 22400-2.
    OtherLoss = "ol_micro", over_time Sum, over_assets Sum;
    /// Actual order execution time (AOET), summed over orders. **Unit**: ms. **Source**: ISO 22400-2.
    OrderExecution = "aoet_ms", over_time Sum, over_assets Sum;
    /// Busy time (AUBT) while an order ran. **Unit**: ms.
    OrderBusy = "order_aubt_ms", over_time Sum, over_assets Sum;
    /// Production time (APT) while an order ran. **Unit**: ms.
    OrderProduction = "order_apt_ms", over_time Sum, over_assets Sum;
    /// Produced quantity while an order ran. **Unit**: 10⁻⁶ of the product unit.
    OrderQuantity = "order_pq_micro", over_time Sum, over_assets Sum;
    /// Actual personnel work time. **Unit**: ms. **Source**: ISO 22400-2.
    PersonnelWork = "apwt_ms", over_time Sum, over_assets Sum;
    /// Actual personnel attendance time. **Unit**: ms. **Source**: ISO 22400-2.
    PersonnelAttendance = "apat_ms", over_time Sum, over_assets Sum;
    /// Electricity drawn from the grid. **Unit**: 10⁻⁶ kWh.
    ElectricityImport = "electricity_import_micro_kwh", over_time Sum, over_assets Sum;
    /// Electricity given back to the grid. **Unit**: 10⁻⁶ kWh.
    ElectricityExport = "electricity_export_micro_kwh", over_time Sum, over_assets Sum;
    /// Electricity generated behind the boundary. **Unit**: 10⁻⁶ kWh.
    ElectricityGeneration = "electricity_generation_micro_kwh", over_time Sum, over_assets Sum;
    /// The renewable part of what was generated. **Unit**: 10⁻⁶ kWh.
    ElectricityRenewable = "electricity_renewable_micro_kwh", over_time Sum, over_assets Sum;
    /// Electricity that sub-meters explain. **Unit**: 10⁻⁶ kWh.
    ElectricitySubmetered = "electricity_submetered_micro_kwh", over_time Sum, over_assets Sum;
    /// Grid electricity in the tariff's peak band. **Unit**: 10⁻⁶ kWh.
    ElectricityPeakBand = "electricity_peak_band_micro_kwh", over_time Sum, over_assets Sum;
    /// Grid electricity in the tariff's normal band. **Unit**: 10⁻⁶ kWh.
    ElectricityNormalBand = "electricity_normal_band_micro_kwh", over_time Sum, over_assets Sum;
    /// Grid electricity in the tariff's off-peak band. **Unit**: 10⁻⁶ kWh.
    ElectricityOffPeakBand = "electricity_off_peak_band_micro_kwh", over_time Sum, over_assets Sum;
    /// What grid electricity costs by band and price, before VAT. **Unit**: 10⁻⁶ VND.
    ElectricityCost = "electricity_cost_micro_vnd", over_time Sum, over_assets Sum;
    /// Largest electricity of a whole quarter-hour block. **Unit**: 10⁻⁶ kWh.
    QuarterHourPeak = "quarter_hour_peak_micro_kwh", over_time Max, over_assets Never;
    /// Largest electricity of any thirty successive minutes. **Unit**: 10⁻⁶ kWh.
    SlidingPeak = "sliding_half_hour_peak_micro_kwh", over_time Max, over_assets Never;
    /// Electricity that the baseline model expects. **Unit**: 10⁻⁶ kWh.
    BaselineElectricity = "baseline_electricity_micro_kwh", over_time Sum, over_assets Sum;
    /// Gas through the boundary. **Unit**: 10⁻⁶ m³.
    Gas = "gas_micro_m3", over_time Sum, over_assets Sum;
    /// The part of it that was spread over a gap. **Unit**: 10⁻⁶ m³.
    GasSubstituted = "gas_substituted_micro_m3", over_time Sum, over_assets Sum;
    /// Growth that was excluded as impossible; not part of it. **Unit**: 10⁻⁶ m³.
    GasExcluded = "gas_excluded_micro_m3", over_time Sum, over_assets Sum;
    /// Time over which every gas meter of the boundary was really read. **Unit**: ms.
    GasObserved = "gas_observed_ms", over_time Sum, over_assets Sum;
    /// Time over which they should have been. **Unit**: ms.
    GasExpected = "gas_expected_ms", over_time Sum, over_assets Sum;
    /// Gas that sub-meters explain. **Unit**: 10⁻⁶ m³.
    GasSubmetered = "gas_submetered_micro_m3", over_time Sum, over_assets Sum;
    /// Water through the boundary. **Unit**: 10⁻⁶ m³.
    Water = "water_micro_m3", over_time Sum, over_assets Sum;
    /// The part of it that was spread over a gap. **Unit**: 10⁻⁶ m³.
    WaterSubstituted = "water_substituted_micro_m3", over_time Sum, over_assets Sum;
    /// Growth that was excluded as impossible; not part of it. **Unit**: 10⁻⁶ m³.
    WaterExcluded = "water_excluded_micro_m3", over_time Sum, over_assets Sum;
    /// Time over which every water meter of the boundary was really read. **Unit**: ms.
    WaterObserved = "water_observed_ms", over_time Sum, over_assets Sum;
    /// Time over which they should have been. **Unit**: ms.
    WaterExpected = "water_expected_ms", over_time Sum, over_assets Sum;
    /// Water that sub-meters explain. **Unit**: 10⁻⁶ m³.
    WaterSubmetered = "water_submetered_micro_m3", over_time Sum, over_assets Sum;
    /// Steam through the boundary. **Unit**: 10⁻⁶ t.
    Steam = "steam_micro_t", over_time Sum, over_assets Sum;
    /// The part of it that was spread over a gap. **Unit**: 10⁻⁶ t.
    SteamSubstituted = "steam_substituted_micro_t", over_time Sum, over_assets Sum;
    /// Growth that was excluded as impossible; not part of it. **Unit**: 10⁻⁶ t.
    SteamExcluded = "steam_excluded_micro_t", over_time Sum, over_assets Sum;
    /// Time over which every steam meter of the boundary was really read. **Unit**: ms.
    SteamObserved = "steam_observed_ms", over_time Sum, over_assets Sum;
    /// Time over which they should have been. **Unit**: ms.
    SteamExpected = "steam_expected_ms", over_time Sum, over_assets Sum;
    /// Steam that sub-meters explain. **Unit**: 10⁻⁶ t.
    SteamSubmetered = "steam_submetered_micro_t", over_time Sum, over_assets Sum;
    /// Wastewater through the boundary. **Unit**: 10⁻⁶ m³.
    Wastewater = "wastewater_micro_m3", over_time Sum, over_assets Sum;
    /// The part of it that was spread over a gap. **Unit**: 10⁻⁶ m³.
    WastewaterSubstituted = "wastewater_substituted_micro_m3", over_time Sum, over_assets Sum;
    /// Growth that was excluded as impossible; not part of it. **Unit**: 10⁻⁶ m³.
    WastewaterExcluded = "wastewater_excluded_micro_m3", over_time Sum, over_assets Sum;
    /// Time over which every wastewater meter of the boundary was really read. **Unit**: ms.
    WastewaterObserved = "wastewater_observed_ms", over_time Sum, over_assets Sum;
    /// Time over which they should have been. **Unit**: ms.
    WastewaterExpected = "wastewater_expected_ms", over_time Sum, over_assets Sum;
    /// Wastewater that sub-meters explain. **Unit**: 10⁻⁶ m³.
    WastewaterSubmetered = "wastewater_submetered_micro_m3", over_time Sum, over_assets Sum;
    /// Wastewater that was used again. **Unit**: 10⁻⁶ m³.
    WastewaterReused = "wastewater_reused_micro_m3", over_time Sum, over_assets Sum;
    /// Energy of burnt fuels by net calorific value. **Unit**: kJ.
    FuelEnergy = "fuel_energy_kj", over_time Sum, over_assets Sum;
    /// The part of it that was spread over a gap. **Unit**: kJ.
    FuelEnergySubstituted = "fuel_energy_substituted_kj", over_time Sum, over_assets Sum;
    /// Growth that was excluded as impossible; not part of it. **Unit**: kJ.
    FuelEnergyExcluded = "fuel_energy_excluded_kj", over_time Sum, over_assets Sum;
    /// The part of it that was declared, not measured. **Unit**: kJ.
    FuelEnergyDeclared = "fuel_energy_declared_kj", over_time Sum, over_assets Sum;
    /// Time over which the meters of emission sources were really read, summed over them. **Unit**: ms.
    FuelObserved = "fuel_observed_ms", over_time Sum, over_assets Sum;
    /// Time over which they should have been. **Unit**: ms.
    FuelExpected = "fuel_expected_ms", over_time Sum, over_assets Sum;
    /// Burnt fuels in tonnes of oil equivalent. **Unit**: 10⁻⁹ TOE: a minute of a small boiler burns 10⁻⁴ TOE.
    FuelToe = "fuel_nano_toe", over_time Sum, over_assets Sum;
    /// Fossil CO₂ of burnt fuels. **Unit**: µg.
    Co2Fossil = "co2_fossil_ug", over_time Sum, over_assets Sum;
    /// CH₄ of burnt fossil fuels. **Unit**: µg.
    Ch4Fossil = "ch4_fossil_ug", over_time Sum, over_assets Sum;
    /// CH₄ of burnt biomass. **Unit**: µg.
    Ch4Biogenic = "ch4_biogenic_ug", over_time Sum, over_assets Sum;
    /// N₂O of burnt fuels. **Unit**: µg.
    N2o = "n2o_ug", over_time Sum, over_assets Sum;
    /// Biogenic CO₂: a memo outside the scopes. **Unit**: µg.
    Co2Biogenic = "co2_biogenic_ug", over_time Sum, over_assets Sum;
    /// Scope 1, stationary combustion. **Unit**: µg CO₂e.
    StationaryCo2e = "scope_1_stationary_ug_co2e", over_time Sum, over_assets Sum;
    /// Scope 1, mobile combustion. **Unit**: µg CO₂e.
    MobileCo2e = "scope_1_mobile_ug_co2e", over_time Sum, over_assets Sum;
    /// Scope 1, processes. **Unit**: µg CO₂e.
    ProcessCo2e = "scope_1_process_ug_co2e", over_time Sum, over_assets Sum;
    /// Scope 1, fugitive: refrigerants topped up. **Unit**: µg CO₂e.
    FugitiveCo2e = "scope_1_fugitive_ug_co2e", over_time Sum, over_assets Sum;
    /// Scope 2 of purchased steam and heat. **Unit**: µg CO₂e.
    SteamCo2e = "scope_2_steam_ug_co2e", over_time Sum, over_assets Sum;
    /// Grid electricity covered by contracts, for the market-based method. **Unit**: 10⁻⁶ kWh.
    ElectricityContracted = "electricity_contracted_micro_kwh", over_time Sum, over_assets Sum;
    /// Emissions of that contracted electricity. **Unit**: µg CO₂e.
    ContractedCo2e = "electricity_contracted_ug_co2e", over_time Sum, over_assets Sum;
    /// A channel's value over the time in which it was valid: value × time. **Unit**: 10⁻⁶ of the channel's unit × ms.
    ValueTime = "value_time_micro_ms", over_time Sum, over_assets Never;
    /// Time in which the channel measured and was valid. **Unit**: ms.
    ValidTime = "valid_ms", over_time Sum, over_assets Never;
    /// Time in which the channel was being calibrated. **Unit**: ms.
    CalibrationTime = "calibration_ms", over_time Sum, over_assets Never;
    /// Time in which the channel or its analyser had a fault, or answered without a value. **Unit**: ms.
    ChannelFaultTime = "channel_fault_ms", over_time Sum, over_assets Never;
    /// Time in which the channel measured and could not be corrected: a signal was missing, or it can't be. **Unit**: ms.
    UncorrectableTime = "uncorrectable_ms", over_time Sum, over_assets Never;
    /// Valid time in which oxygen was so high that air probably leaked in. **Unit**: ms.
    OxygenHighTime = "oxygen_high_ms", over_time Sum, over_assets Never;
    /// Time over which the channel should have measured. **Unit**: ms.
    ChannelExpected = "channel_expected_ms", over_time Sum, over_assets Never;
    /// Valid five-minute values.
    SlotsValid = "slots_valid", over_time Sum, over_assets Never;
    /// Sum of valid five-minute means. **Unit**: 10⁻⁶ of the channel's unit.
    SlotMeanSum = "slot_mean_sum_micro", over_time Sum, over_assets Never;
    /// Smallest valid five-minute mean. **Unit**: 10⁻⁶ of the channel's unit.
    SlotMeanMin = "slot_mean_min_micro", over_time Min, over_assets Never;
    /// Largest valid five-minute mean. **Unit**: 10⁻⁶ of the channel's unit.
    SlotMeanMax = "slot_mean_max_micro", over_time Max, over_assets Never;
    /// Valid hours.
    HoursValid = "hours_valid", over_time Sum, over_assets Never;
    /// Sum of valid hourly means. **Unit**: 10⁻⁶ of the channel's unit.
    HourMeanSum = "hour_mean_sum_micro", over_time Sum, over_assets Never;
    /// Largest valid hourly mean. **Unit**: 10⁻⁶ of the channel's unit.
    HourMeanMax = "hour_mean_max_micro", over_time Max, over_assets Never;
    /// Valid hours that a limit held in.
    HoursCompared = "hours_compared", over_time Sum, over_assets Never;
    /// Sum of the upper limits of those hours, where they have one. **Unit**: 10⁻⁶ of the channel's unit.
    HourLimitSum = "hour_limit_sum_micro", over_time Sum, over_assets Never;
    /// Valid hours whose mean lies outside the limit: values to check.
    HoursToCheck = "hours_to_check", over_time Sum, over_assets Never;
    /// Valid days.
    DaysValid = "days_valid", over_time Sum, over_assets Never;
    /// Valid days that a limit held in.
    DaysCompared = "days_compared", over_time Sum, over_assets Never;
    /// Valid days whose mean lies outside the limit: values to check.
    DaysToCheck = "days_to_check", over_time Sum, over_assets Never;
    /// Mass of the pollutant that left; unlike pollutants never merge. **Unit**: µg.
    PollutantLoad = "pollutant_load_ug", over_time Sum, over_assets Never;
    /// Flow that carried it while the concentration was valid. **Unit**: 10⁻⁶ m³, of a stack dry at 25 °C and 101.325 kPa.
    PollutantVolume = "pollutant_volume_micro_m3", over_time Sum, over_assets Never;
    /// Time over which both concentration and flow were valid. **Unit**: ms.
    LoadTime = "pollutant_load_ms", over_time Sum, over_assets Never;
    /// Waste that left the site. **Unit**: g (10⁻⁶ t).
    Waste = "waste_g", over_time Sum, over_assets Sum;
    /// The part of it that was recycled or used again. **Unit**: g.
    WasteRecycled = "waste_recycled_g", over_time Sum, over_assets Sum;
    /// The hazardous part of it. **Unit**: g.
    WasteHazardous = "waste_hazardous_g", over_time Sum, over_assets Sum;
    /// The part of it that went to landfill. **Unit**: g.
    WasteLandfilled = "waste_landfilled_g", over_time Sum, over_assets Sum;
    /// Minor stops: the part of ADET that the machine reports as stopped and for which nobody told a reason. **Unit**: ms.
    MinorStops = "minor_stops_ms", over_time Sum, over_assets Sum;
    /// Time in which a product of another unit than the asset's ran: its quantities are in no sum, so that over such
    /// a window a quantity has no value. **Unit**: ms.
    UnlikeParts = "unlike_parts_ms", over_time Sum, over_assets Sum;
    /// Time in which parts came of which no planned run time is known. **Unit**: ms.
    UnplannedParts = "unplanned_parts_ms", over_time Sum, over_assets Sum;
    /// Time over which a source of emissions had a quantity and no factor for it. **Unit**: ms.
    FactorMissing = "factor_missing_ms", over_time Sum, over_assets Sum;
    /// Time over which every sub-meter of electricity was really read. **Unit**: ms.
    ElectricitySubmeteredObserved = "electricity_submetered_observed_ms", over_time Sum, over_assets Sum;
    /// Time over which every sub-meter of gas was really read. **Unit**: ms.
    GasSubmeteredObserved = "gas_submetered_observed_ms", over_time Sum, over_assets Sum;
    /// Time over which every sub-meter of water was really read. **Unit**: ms.
    WaterSubmeteredObserved = "water_submetered_observed_ms", over_time Sum, over_assets Sum;
    /// Time over which every sub-meter of steam was really read. **Unit**: ms.
    SteamSubmeteredObserved = "steam_submetered_observed_ms", over_time Sum, over_assets Sum;
    /// Time over which every sub-meter of wastewater was really read. **Unit**: ms.
    WastewaterSubmeteredObserved = "wastewater_submetered_observed_ms", over_time Sum, over_assets Sum;
    /// Energy of the steam by its declared enthalpy. **Unit**: kJ.
    SteamEnergy = "steam_energy_kj", over_time Sum, over_assets Sum;
    /// Grid electricity of minutes for which no price is published. **Unit**: 10⁻⁶ kWh.
    ElectricityUnpriced = "electricity_unpriced_micro_kwh", over_time Sum, over_assets Sum;
    /// Electricity of the minutes for which the baseline model expects some. **Unit**: 10⁻⁶ kWh.
    ElectricityWithBaseline = "electricity_with_baseline_micro_kwh", over_time Sum, over_assets Sum;
    /// The part of the contracted electricity that people say and no meter counts. **Unit**: 10⁻⁶ kWh.
    ElectricityContractedDeclared = "electricity_contracted_declared_micro_kwh", over_time Sum, over_assets Sum;
    /// Sources of scope 1 that nothing measures and of which nothing is declared and approved for the window.
    SourcesUndeclared = "undeclared_sources", over_time Sum, over_assets Sum;
}

impl Measure {
    /// Says whether the measure is counted in the asset's product unit. Unlike product units never merge.
    pub const fn is_quantity(self) -> bool {
        matches!(
            self,
            Self::ProducedQuantity
                | Self::GoodQuantity
                | Self::ScrapQuantity
                | Self::ReworkQuantity
                | Self::PartsSubstituted
                | Self::PartsExcluded
                | Self::PlannedScrapQuantity
                | Self::GoodParts
                | Self::InspectedParts
                | Self::FirstOperationQuantity
                | Self::PlannedOrderQuantity
                | Self::ProductionCapacity
                | Self::ConsumedMaterial
                | Self::IntegratedGoodQuantity
                | Self::ProductionLoss
                | Self::StorageLoss
                | Self::OtherLoss
                | Self::OrderQuantity
        )
    }
}

/// Number of measures.
pub const MEASURES: usize = Measure::ALL.len();

/// Integers above this magnitude are strings in signed and API JSON. **Source**: RFC 8785 (I-JSON numbers).
pub const JSON_INTEGER_MAX: i128 = (1 << 53) - 1;

/// Words of 64 bits that say which measures are present.
const WORDS: usize = 4;

const _: () = assert!(MEASURES <= WORDS * 64, "more measures than bits");

/// The measures of one asset over one span. An absent measure is not 0: nothing was there to measure it.
///
/// An asset has a few of all measures, so only those are kept, in the order of their codes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Facts {
    /// By code: whether the measure is present.
    present: [u64; WORDS],
    /// The present measures, by code.
    values: Vec<i128>,
}

impl Facts {
    /// Returns the place of a measure among the values: where it is, or where it would be inserted.
    const fn place(&self, measure: Measure) -> Result<usize, usize> {
        let (word, bit) = (measure as usize / 64, 1_u64 << (measure as usize % 64));
        let mut before = (self.present[word] & (bit - 1)).count_ones() as usize;
        let mut earlier = 0;
        while earlier < word {
            before += self.present[earlier].count_ones() as usize;
            earlier += 1;
        }
        if self.present[word] & bit == 0 { Err(before) } else { Ok(before) }
    }

    /// Returns a measure, `None` where it is absent.
    pub fn get(&self, measure: Measure) -> Option<i128> {
        self.place(measure).ok().map(|place| self.values[place])
    }

    /// Returns a measure, 0 where it is absent: for sums in which absence adds nothing.
    pub fn amount(&self, measure: Measure) -> i128 {
        self.get(measure).unwrap_or(0)
    }

    /// Returns the value of a measure, 0 from now on where it was absent.
    fn slot(&mut self, measure: Measure) -> &mut i128 {
        let place = match self.place(measure) {
            Ok(place) => place,
            Err(place) => {
                self.present[measure as usize / 64] |= 1 << (measure as usize % 64);
                self.values.insert(place, 0);
                place
            }
        };
        &mut self.values[place]
    }

    /// Sets a measure.
    pub fn set(&mut self, measure: Measure, value: i128) {
        *self.slot(measure) = value;
    }

    /// Removes a measure.
    pub fn remove(&mut self, measure: Measure) {
        if let Ok(place) = self.place(measure) {
            self.present[measure as usize / 64] &= !(1 << (measure as usize % 64));
            self.values.remove(place);
        }
    }

    /// Adds to a measure; an absent one starts at 0. Saturates at the limits of i128, which no plant reaches.
    pub fn add(&mut self, measure: Measure, amount: i128) {
        let slot = self.slot(measure);
        *slot = slot.saturating_add(amount);
    }

    /// Says whether no measure is present.
    pub const fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// Returns how many measures are present.
    pub const fn len(&self) -> usize {
        self.values.len()
    }

    /// Makes facts without any measure, with room for so many.
    pub fn with_room(measures: usize) -> Self {
        Self { present: [0; WORDS], values: Vec::with_capacity(measures) }
    }

    /// Returns the present measures in the order of their codes.
    pub fn iter(&self) -> impl Iterator<Item = (Measure, i128)> + '_ {
        let words = (0..).step_by(64).zip(self.present);
        let codes = words.flat_map(|(first, word)| Bits(word).map(move |bit| first + bit.trailing_zeros() as usize));
        codes.zip(&self.values).filter_map(|(code, value)| Some((*Measure::ALL.get(code)?, *value)))
    }

    /// Returns only the measures in `kept`: what a share policy lets out.
    pub fn only(&self, kept: &[Measure]) -> Self {
        let mut facts = Self::default();
        self.iter()
            .filter(|(measure, _)| kept.contains(measure))
            .for_each(|(measure, value)| facts.set(measure, value));
        facts
    }

    /// Returns the compact form for the store: pairs of code and value, postcard-encoded.
    pub fn to_bytes(&self) -> Vec<u8> {
        let pairs: Vec<(u8, i128)> = self.iter().map(|(measure, value)| (measure as u8, value)).collect();
        postcard::to_stdvec(&pairs).expect("a vector of integers always encodes")
    }

    /// Reads the compact form; `None` where it is damaged or names an unknown measure.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let pairs: Vec<(u8, i128)> = postcard::from_bytes(bytes).ok()?;
        let mut facts = Self::default();
        for (code, value) in pairs {
            facts.set(*Measure::ALL.get(usize::from(code))?, value);
        }
        Some(facts)
    }
}

/// The facts of one asset over one UTC minute.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FactRow {
    /// Whose.
    pub asset: AssetId,
    /// Start of the minute.
    pub minute: Timestamp,
    /// What was measured; in a correction: what is to be added.
    pub facts: Facts,
}

impl FromIterator<(Measure, i128)> for Facts {
    fn from_iter<I: IntoIterator<Item = (Measure, i128)>>(pairs: I) -> Self {
        let mut facts = Self::default();
        pairs.into_iter().for_each(|(measure, value)| facts.set(measure, value));
        facts
    }
}

/// In JSON a map from name to integer, or to a decimal string where the integer exceeds 2⁵³−1; in binary form
/// the pairs of the compact form.
impl Serialize for Facts {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if !serializer.is_human_readable() {
            return self
                .iter()
                .map(|(measure, value)| (measure as u8, value))
                .collect::<Vec<_>>()
                .serialize(serializer);
        }
        let mut map = serializer.serialize_map(Some(self.iter().count()))?;
        for (measure, value) in self.iter() {
            match i64::try_from(value).ok().filter(|_| value.abs() <= JSON_INTEGER_MAX) {
                Some(small) => map.serialize_entry(measure.as_str(), &small)?,
                None => map.serialize_entry(measure.as_str(), &value.to_string())?,
            }
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for Facts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            return deserializer.deserialize_map(FactsVisitor);
        }
        let pairs = Vec::<(u8, i128)>::deserialize(deserializer)?;
        pairs
            .into_iter()
            .map(|(code, value)| Measure::ALL.get(usize::from(code)).map(|measure| (*measure, value)))
            .collect::<Option<Self>>()
            .ok_or_else(|| serde::de::Error::custom("unknown measure code"))
    }
}

#[derive(Deserialize)]
#[serde(untagged)]
enum JsonInteger {
    Number(i64),
    Text(String),
}

struct FactsVisitor;

impl<'de> Visitor<'de> for FactsVisitor {
    type Value = Facts;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map from measure to integer")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Facts, A::Error> {
        use serde::de::Error;
        let mut facts = Facts::default();
        while let Some((name, value)) = map.next_entry::<String, JsonInteger>()? {
            let measure = Measure::ALL
                .iter()
                .find(|measure| measure.as_str() == name)
                .ok_or_else(|| A::Error::custom(format!("unknown measure \"{name}\"")))?;
            let value = match value {
                JsonInteger::Number(value) => i128::from(value),
                JsonInteger::Text(text) => text
                    .parse()
                    .map_err(|_| A::Error::custom(format!("measure \"{name}\": \"{text}\" is no integer")))?,
            };
            facts.set(*measure, value);
        }
        Ok(facts)
    }
}

#[cfg(test)]
mod tests {
    use super::{Facts, Measure};

    fn facts(pairs: &[(Measure, i128)]) -> Facts {
        pairs.iter().copied().collect()
    }

    #[test]
    fn an_absent_measure_is_not_zero() {
        let mut merged = facts(&[(Measure::Apt, 5)]);
        merged.merge_over_time(&facts(&[(Measure::Adet, 2)]));
        assert_eq!(merged.get(Measure::Apt), Some(5));
        assert_eq!(merged.get(Measure::Electricity), None);
    }

    #[test]
    fn the_half_hour_peak_is_a_maximum_over_time_and_nothing_over_assets() {
        let mut over_time = facts(&[(Measure::HalfHourPeak, 5)]);
        over_time.merge_over_time(&facts(&[(Measure::HalfHourPeak, 7)]));
        assert_eq!(over_time.get(Measure::HalfHourPeak), Some(7));
        over_time.merge_over_assets(&facts(&[(Measure::HalfHourPeak, 1)]));
        assert_eq!(over_time.get(Measure::HalfHourPeak), None);
    }

    #[test]
    fn a_correction_adds_to_a_maximum_as_well() {
        let mut stored = facts(&[(Measure::HalfHourPeak, 50), (Measure::Electricity, 5)]);
        stored.correct(&facts(&[(Measure::HalfHourPeak, 8)]));
        assert_eq!(stored, facts(&[(Measure::HalfHourPeak, 58), (Measure::Electricity, 5)]));
    }

    #[test]
    fn integers_beyond_2_to_the_53_are_strings_in_json_and_come_back() {
        let big = facts(&[(Measure::Apt, 9_007_199_254_740_991), (Measure::PruPq, 9_007_199_254_740_992)]);
        let json = serde_json::to_string(&big).unwrap();
        assert_eq!(json, r#"{"apt_ms":9007199254740991,"pru_pq_ns":"9007199254740992"}"#);
        assert_eq!(serde_json::from_str::<Facts>(&json).unwrap(), big);
        assert_eq!(Facts::from_bytes(&big.to_bytes()), Some(big));
    }
}
