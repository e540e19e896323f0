//! Comprehensive energy consumption.

use crate::engine::kpi::{Family, KpiContext, KpiDefinition, Outcome, electricity_micro_kwh, produced};
use crate::model::fact::{Facts, Measure};
use crate::model::record::{KpiId, Reason};
use crate::model::time::Grain;

pub(in crate::engine::kpi) static DEFINITION: KpiDefinition = KpiDefinition {
    id: KpiId::of("comprehensive_energy"),
    name_en: "Comprehensive energy consumption",
    name_vi: "Tiêu hao năng lượng tổng hợp",
    family: Family::Energy,
    definition_en: "All energy for each unit produced: electricity, burnt fuels by net calorific value, and steam. Electricity that a generator set made of fuel is in the fuel.",
    definition_vi: "Tổng năng lượng cho mỗi đơn vị sản phẩm: điện, nhiên liệu theo nhiệt trị thấp và hơi; điện do máy phát chạy nhiên liệu đã nằm trong nhiên liệu.",
    formula: "e = E / PQ, E = electricity × 3.6 + Σ fuels + steam",
    unit: "MJ/{unit}",
    measures: &[
        Measure::Electricity,
        Measure::ElectricitySubstituted,
        Measure::ElectricityExcluded,
        Measure::ElectricityObserved,
        Measure::ElectricityExpected,
        Measure::ElectricityGeneration,
        Measure::ElectricityRenewable,
        Measure::FuelEnergy,
        Measure::FuelEnergySubstituted,
        Measure::FuelEnergyExcluded,
        Measure::FuelEnergyDeclared,
        Measure::FuelObserved,
        Measure::FuelExpected,
        Measure::Steam,
        Measure::SteamEnergy,
        Measure::SteamSubstituted,
        Measure::SteamExcluded,
        Measure::SteamObserved,
        Measure::SteamExpected,
        Measure::ProducedQuantity,
        Measure::PartsObserved,
        Measure::PartsExpected,
    ],
    standard: "ISO 22400-2, comprehensive energy consumption",
    finest_grain: Grain::FiveMinutes,
    method: 1,
    no_value_en: "nothing was produced, no energy was measured, or steam comes in whose enthalpy is not declared",
    no_value_vi: "không có sản lượng, không đo năng lượng nào, hoặc có hơi nhận vào mà chưa khai báo entanpi",
    compute,
};

fn compute(facts: &Facts, _: &KpiContext) -> Outcome {
    comprehensive(facts).into()
}

#[expect(clippy::cast_precision_loss, reason = "the final ratio is the one place where f64 appears")]
fn comprehensive(facts: &Facts) -> Result<f64, Reason> {
    let produced = produced(facts)?;
    // 10⁻⁶ kWh are 3.6 J; kilojoules of fuel and steam are a thousand joules.
    let joules = 36 * electricity(facts)? / 10 + 1_000 * (fuel(facts)? + steam(facts)?);
    Ok(joules as f64 / produced as f64)
}

/// Net electricity without that made of fuels, whose energy is counted as fuel. **Unit**: 10⁻⁶ kWh.
fn electricity(facts: &Facts) -> Result<i128, Reason> {
    let has_other = facts.get(Measure::FuelEnergy).is_some() || facts.get(Measure::SteamEnergy).is_some();
    let net = match electricity_micro_kwh(facts) {
        Err(Reason::NoInput) if has_other => 0,
        net => net?,
    };
    let fuelled = facts.amount(Measure::ElectricityGeneration) - facts.amount(Measure::ElectricityRenewable);
    Ok(if facts.get(Measure::FuelEnergy).is_some() { net - fuelled } else { net })
}

/// **Unit**: kJ.
fn fuel(facts: &Facts) -> Result<i128, Reason> {
    match facts.get(Measure::FuelEnergy) {
        Some(0) if facts.get(Measure::FuelObserved) == Some(0) && facts.amount(Measure::FuelEnergyDeclared) == 0 => {
            Err(Reason::NoData)
        }
        energy => Ok(energy.unwrap_or(0)),
    }
}

/// **Unit**: kJ.
fn steam(facts: &Facts) -> Result<i128, Reason> {
    match (facts.get(Measure::Steam), facts.get(Measure::SteamEnergy)) {
        (Some(_), None) => Err(Reason::NoInput),
        (_, energy) => Ok(energy.unwrap_or(0)),
    }
}

#[cfg(test)]
mod tests {
    use crate::engine::kpi::testing::{day, near, none};
    use crate::model::fact::Measure;
    use crate::model::record::Reason;

    const ELECTRIC: [(Measure, i128); 4] = [
        (Measure::Electricity, 900_000_000),
        (Measure::ElectricityObserved, 1),
        (Measure::ProducedQuantity, 300_000_000),
        (Measure::PartsObserved, 1),
    ];

    #[test]
    fn electricity_fuels_and_steam_add_up_in_megajoules() {
        near(&day("comprehensive_energy", &ELECTRIC), 10.8);
        let mut facts = ELECTRIC.to_vec();
        facts.extend([(Measure::FuelEnergy, 360_000), (Measure::FuelObserved, 1)]);
        near(&day("comprehensive_energy", &facts), 12.0);
        facts.extend([(Measure::Steam, 1_000_000), (Measure::SteamEnergy, 2_400_000)]);
        near(&day("comprehensive_energy", &facts), 20.0);
    }

    #[test]
    fn electricity_made_of_a_counted_fuel_counts_once() {
        let mut facts = ELECTRIC.to_vec();
        facts.extend([(Measure::ElectricityGeneration, 100_000_000), (Measure::ElectricityRenewable, 0)]);
        near(&day("comprehensive_energy", &facts), 10.8);
        facts.extend([(Measure::FuelEnergy, 1_200_000), (Measure::FuelObserved, 1)]);
        near(&day("comprehensive_energy", &facts), (800.0 * 3.6 + 1_200.0) / 300.0);
    }

    #[test]
    fn steam_without_an_enthalpy_is_no_steam_for_nothing() {
        let mut facts = ELECTRIC.to_vec();
        facts.push((Measure::Steam, 1_000_000));
        none(&day("comprehensive_energy", &facts), Reason::NoInput);
    }
}
