//! Carbon intensity.

use crate::engine::kpi::{Family, KpiContext, KpiDefinition, Outcome, produced, ratio, scope_2_tco2e};
use crate::model::fact::{Facts, Measure};
use crate::model::record::{Flag, KpiId};
use crate::model::time::Grain;

pub(in crate::engine::kpi) static DEFINITION: KpiDefinition = KpiDefinition {
    id: KpiId::of("carbon_intensity"),
    name_en: "Carbon intensity",
    name_vi: "Cường độ phát thải",
    family: Family::Emissions,
    definition_en: "Greenhouse gases for each unit produced.",
    definition_vi: "Khí nhà kính cho mỗi đơn vị sản phẩm.",
    formula: "(scope 1 + scope 2) / PQ",
    unit: "kg/{unit}",
    measures: &[
        Measure::Electricity,
        Measure::ElectricitySubstituted,
        Measure::ElectricityExcluded,
        Measure::ElectricityObserved,
        Measure::ElectricityExpected,
        Measure::ProducedQuantity,
        Measure::PartsObserved,
        Measure::PartsExpected,
    ],
    standard: "GHG Protocol, intensity ratio",
    finest_grain: Grain::FiveMinutes,
    method: 1,
    no_value_en: "nothing was produced, electricity was not measured, or no grid factor was published for the year",
    no_value_vi: "không có sản lượng, không đo điện, hoặc năm đó chưa công bố hệ số phát thải lưới điện",
    compute,
};

fn compute(facts: &Facts, context: &KpiContext) -> Outcome {
    let computed = scope_2_tco2e(facts, context).and_then(|(emissions, grid)| Ok((emissions, grid, produced(facts)?)));
    match computed {
        Ok((emissions_t, grid, quantity_micro)) => Outcome {
            value: Ok(emissions_t * 1000.0 / ratio(quantity_micro, 1_000_000)),
            flags: [Flag::Scope1NotDeclared].into_iter().chain(grid.provisional.then_some(Flag::Provisional)).collect(),
            factors: vec![grid.factor],
        },
        Err(reason) => Outcome::from(Err(reason)),
    }
}

#[cfg(test)]
mod tests {
    use crate::engine::kpi::testing::{day, near};
    use crate::model::fact::Measure;
    use crate::model::record::Flag;

    #[test]
    fn it_is_kilograms_over_produced_quantity_and_says_that_scope_1_is_missing() {
        let facts = [
            (Measure::Electricity, 1_000_000_000),
            (Measure::ElectricityObserved, 1),
            (Measure::ProducedQuantity, 100_000_000),
            (Measure::PartsObserved, 1),
        ];
        let value = day("carbon_intensity", &facts);
        near(&value, 6.592);
        assert_eq!(value.flags, [Flag::Scope1NotDeclared]);
    }
}
