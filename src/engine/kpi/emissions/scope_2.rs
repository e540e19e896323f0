//! Scope 2 emissions, location-based.

use crate::engine::kpi::{Family, KpiContext, KpiDefinition, Outcome, scope_2_tco2e};
use crate::model::fact::{Facts, Measure};
use crate::model::record::{Flag, KpiId};
use crate::model::time::Grain;

pub(in crate::engine::kpi) static DEFINITION: KpiDefinition = KpiDefinition {
    id: KpiId::of("scope_2"),
    name_en: "Scope 2 emissions, location-based",
    name_vi: "Phát thải gián tiếp (phạm vi 2, theo vị trí)",
    family: Family::Emissions,
    definition_en: "Greenhouse gases of the electricity from the grid, by the grid's factor of the year.",
    definition_vi: "Khí nhà kính từ điện lưới, theo hệ số phát thải lưới điện của năm.",
    formula: "kWh / 1000 × grid factor of the year",
    unit: "t",
    measures: &[
        Measure::Electricity,
        Measure::ElectricitySubstituted,
        Measure::ElectricityExcluded,
        Measure::ElectricityObserved,
        Measure::ElectricityExpected,
    ],
    standard: "GHG Protocol Scope 2 Guidance, location-based; Circular 38/2023/TT-BCT, Appendix II",
    finest_grain: Grain::FiveMinutes,
    method: 1,
    no_value_en: "electricity was not measured, or no grid factor was published for the year",
    no_value_vi: "không đo điện, hoặc năm đó chưa công bố hệ số phát thải lưới điện",
    compute,
};

fn compute(facts: &Facts, context: &KpiContext) -> Outcome {
    match scope_2_tco2e(facts, context) {
        Ok((value, grid)) => Outcome {
            value: Ok(value),
            flags: if grid.provisional { vec![Flag::Provisional] } else { Vec::new() },
            factors: vec![grid.factor],
        },
        Err(reason) => Outcome::from(Err(reason)),
    }
}

#[cfg(test)]
mod tests {
    use crate::engine::kpi::testing::{day, near};
    use crate::model::fact::Measure;

    #[test]
    fn g8_1_000_mwh_in_2023() {
        let value = day("scope_2", &[(Measure::Electricity, 1_000_000_000_000), (Measure::ElectricityObserved, 1)]);
        near(&value, 659.2);
        assert_eq!(value.factors[0].id, "vn_grid_2023");
    }
}
