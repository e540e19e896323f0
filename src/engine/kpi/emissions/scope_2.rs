//! Scope 2 emissions, location-based.

use super::{Located, location_based};
use crate::engine::kpi::{Family, KpiContext, KpiDefinition, Outcome};
use crate::model::fact::{Facts, Measure};
use crate::model::record::{Flag, KpiId};
use crate::model::time::Grain;

pub(in crate::engine::kpi) static DEFINITION: KpiDefinition = KpiDefinition {
    id: KpiId::of("scope_2"),
    name_en: "Scope 2 emissions, location-based",
    name_vi: "Phát thải gián tiếp (phạm vi 2, theo vị trí)",
    family: Family::Emissions,
    definition_en: "Greenhouse gases of the electricity drawn from the grid, by the grid's factor of the year, and of purchased steam.",
    definition_vi: "Khí nhà kính từ điện lấy từ lưới, theo hệ số phát thải lưới điện của năm, và từ hơi mua ngoài.",
    formula: "kWh drawn / 1000 × grid factor of the year + steam × factor of steam",
    unit: "t",
    measures: &[
        Measure::Electricity,
        Measure::ElectricityImport,
        Measure::ElectricitySubstituted,
        Measure::ElectricityExcluded,
        Measure::ElectricityObserved,
        Measure::ElectricityExpected,
        Measure::SteamCo2e,
        Measure::FactorMissing,
    ],
    standard: "GHG Protocol Scope 2 Guidance, location-based; Circular 38/2023/TT-BCT, Appendix II",
    finest_grain: Grain::FiveMinutes,
    method: 2,
    no_value_en: "electricity was not measured, no grid factor was published for the year, or a factor of steam is missing",
    no_value_vi: "không đo điện, năm đó chưa công bố hệ số phát thải lưới điện, hoặc thiếu hệ số phát thải của hơi",
    compute,
};

fn compute(facts: &Facts, context: &KpiContext) -> Outcome {
    match location_based(facts, context) {
        Ok(Located { tonnes, grid }) => Outcome {
            value: Ok(tonnes),
            flags: if grid.provisional { vec![Flag::Provisional] } else { Vec::new() },
            factors: vec![grid.factor],
        },
        Err(reason) => Outcome::from(Err(reason)),
    }
}

#[cfg(test)]
mod tests {
    use crate::engine::kpi::testing::{day, near, none};
    use crate::model::fact::Measure;
    use crate::model::record::Reason;

    #[test]
    fn g8_1_000_mwh_in_2023() {
        let value = day("scope_2", &[(Measure::Electricity, 1_000_000_000_000), (Measure::ElectricityObserved, 1)]);
        near(&value, 659.2);
        assert_eq!(value.factors[0].id, "vn_grid_2023");
    }

    #[test]
    fn what_is_generated_behind_the_boundary_emits_nothing_here_and_steam_adds_to_it() {
        let mut facts = vec![
            (Measure::Electricity, 1_500_000_000_000),
            (Measure::ElectricityImport, 1_000_000_000_000),
            (Measure::ElectricityObserved, 1),
        ];
        near(&day("scope_2", &facts), 659.2);
        facts.push((Measure::SteamCo2e, 800_000_000_000));
        near(&day("scope_2", &facts), 660.0);
        facts.push((Measure::FactorMissing, 60_000));
        none(&day("scope_2", &facts), Reason::NoPublishedFactor);
    }
}
