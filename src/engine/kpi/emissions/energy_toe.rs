//! Energy in tonnes of oil equivalent, electricity by primary energy.

use super::oil_equivalent;
use crate::engine::kpi::{Family, KpiContext, KpiDefinition, Outcome};
use crate::model::fact::{Facts, Measure};
use crate::model::record::KpiId;
use crate::model::time::Grain;

pub(in crate::engine::kpi) static DEFINITION: KpiDefinition = KpiDefinition {
    id: KpiId::of("energy_toe"),
    name_en: "Energy in TOE, electricity by primary energy",
    name_vi: "Năng lượng quy đổi TOE (điện theo năng lượng sơ cấp)",
    family: Family::Emissions,
    definition_en: "Electricity drawn from the grid and burnt fuels in tonnes of oil equivalent; a kilowatt-hour counts the fuel that a power plant burns for it, as the ministry's table does.",
    definition_vi: "Điện lấy từ lưới và nhiên liệu đã đốt, quy ra tấn dầu tương đương; mỗi kWh tính theo nhiên liệu nhà máy điện đã đốt, như bảng quy đổi của Bộ Công Thương.",
    formula: "kWh drawn × 0.0001543 + Σ fuel × TOE per unit",
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
    standard: "Decree 06/2022/NĐ-CP, Article 6; letter 3505/BCT-KHCN of 19 April 2011",
    finest_grain: Grain::FiveMinutes,
    method: 1,
    no_value_en: "neither electricity nor fuel is an input, or nothing was measured or declared",
    no_value_vi: "không có đầu vào điện hay nhiên liệu, hoặc không có số liệu đo hay khai báo",
    compute,
};

fn compute(facts: &Facts, context: &KpiContext) -> Outcome {
    oil_equivalent(facts, context.toe_primary.as_ref())
}

#[cfg(test)]
mod tests {
    use crate::engine::kpi::testing::{day, near, none};
    use crate::model::fact::Measure;
    use crate::model::record::Reason;

    #[test]
    fn t1_names_the_basis_on_which_the_decision_depends() {
        for (kwh, primary, content) in [(5_000_000, 771.5, 429.922_614), (7_000_000, 1_080.1, 601.891_659)] {
            let facts = [(Measure::Electricity, kwh * 1_000_000), (Measure::ElectricityObserved, 1)];
            let value = day("energy_toe", &facts);
            near(&value, primary);
            assert_eq!(value.factors[0].id, "toe_electricity_primary_energy");
            let value = day("energy_toe_content", &facts);
            near(&value, content);
            assert_eq!(value.factors[0].id, "toe_electricity_energy_content");
        }
    }

    #[test]
    fn fuels_come_on_top_and_count_alone_where_no_electricity_is_an_input() {
        let facts = [
            (Measure::FuelToe, 10_200_000_000),
            (Measure::ElectricityImport, 1_000_000_000),
            (Measure::Electricity, 2_000_000_000),
            (Measure::ElectricityObserved, 1),
        ];
        near(&day("energy_toe", &facts), 10.2 + 0.1543);
        near(&day("energy_toe", &facts[..1]), 10.2);
        none(&day("energy_toe", &[(Measure::Apt, 1)]), Reason::NoInput);
        none(&day("energy_toe", &[(Measure::Electricity, 0)]), Reason::NoData);
    }
}
