//! Energy in tonnes of oil equivalent, electricity by its own energy.

use super::oil_equivalent;
use crate::engine::kpi::{Family, KpiContext, KpiDefinition, Outcome};
use crate::model::fact::{Facts, Measure};
use crate::model::record::KpiId;
use crate::model::time::Grain;

pub(in crate::engine::kpi) static DEFINITION: KpiDefinition = KpiDefinition {
    id: KpiId::of("energy_toe_content"),
    name_en: "Energy in TOE, electricity by its own energy",
    name_vi: "Năng lượng quy đổi TOE (điện theo nhiệt lượng)",
    family: Family::Emissions,
    definition_en: "Electricity drawn from the grid and burnt fuels in tonnes of oil equivalent; a kilowatt-hour counts as 3.6 MJ. The figure to compare with energy_toe where a threshold is near.",
    definition_vi: "Điện lấy từ lưới và nhiên liệu đã đốt, quy ra tấn dầu tương đương; mỗi kWh tính 3,6 MJ. Dùng để so với energy_toe khi gần ngưỡng.",
    formula: "kWh drawn × 3.6 MJ / 41.868 GJ + Σ fuel × TOE per unit",
    unit: "{TOE}",
    measures: &[
        Measure::Electricity,
        Measure::ElectricityImport,
        Measure::ElectricitySubstituted,
        Measure::ElectricityExcluded,
        Measure::ElectricityObserved,
        Measure::ElectricityExpected,
        Measure::FuelToe,
        Measure::FuelEnergy,
        Measure::FuelEnergySubstituted,
        Measure::FuelEnergyExcluded,
        Measure::FuelEnergyDeclared,
        Measure::FuelObserved,
        Measure::FuelExpected,
        Measure::FactorMissing,
    ],
    standard: "1 TOE = 41.868 GJ",
    finest_grain: Grain::FiveMinutes,
    method: 1,
    no_value_en: "neither electricity nor fuel is an input, or nothing was measured or declared",
    no_value_vi: "không có đầu vào điện hay nhiên liệu, hoặc không có số liệu đo hay khai báo",
    compute,
};

fn compute(facts: &Facts, context: &KpiContext) -> Outcome {
    oil_equivalent(facts, context.toe_content.as_ref())
}

#[cfg(test)]
mod tests {
    use crate::engine::kpi::testing::{day, near};
    use crate::model::fact::Measure;

    #[test]
    fn a_kilowatt_hour_is_3_6_megajoules() {
        let facts = [(Measure::Electricity, 11_630_000_000), (Measure::ElectricityObserved, 1)];
        near(&day("energy_toe_content", &facts), 1.0);
    }
}
