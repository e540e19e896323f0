//! Biogenic CO₂, a memo outside the scopes.

use super::tonnes;
use crate::engine::kpi::{Family, KpiContext, KpiDefinition, Outcome};
use crate::model::fact::{Facts, Measure};
use crate::model::record::KpiId;
use crate::model::time::Grain;

pub(in crate::engine::kpi) static DEFINITION: KpiDefinition = KpiDefinition {
    id: KpiId::of("biogenic_co2"),
    name_en: "Biogenic CO2",
    name_vi: "CO2 sinh học",
    family: Family::Emissions,
    definition_en: "CO2 of burnt biomass, reported beside the scopes. Its CH4 and N2O are in scope 1.",
    definition_vi: "CO2 từ đốt sinh khối, báo cáo ngoài các phạm vi. CH4 và N2O của nó nằm trong phạm vi 1.",
    formula: "fuel energy [TJ] × EF CO2 [kg/TJ] / 1000",
    unit: "t",
    measures: &[
        Measure::Co2Biogenic,
        Measure::FuelEnergy,
        Measure::FuelEnergySubstituted,
        Measure::FuelEnergyExcluded,
        Measure::FuelEnergyDeclared,
        Measure::FuelObserved,
        Measure::FuelExpected,
        Measure::FactorMissing,
    ],
    standard: "GHG Protocol Corporate Standard, chapter 9; IPCC 2006, volume 2, chapter 1",
    finest_grain: Grain::FiveMinutes,
    method: 1,
    no_value_en: "no biomass is burnt, nothing was measured or declared, or a factor is missing for the day",
    no_value_vi: "không đốt sinh khối, không có số liệu đo hoặc khai báo, hoặc thiếu hệ số phát thải cho ngày đó",
    compute,
};

fn compute(facts: &Facts, _context: &KpiContext) -> Outcome {
    Outcome::from(tonnes(facts, &[Measure::Co2Biogenic]))
}

#[cfg(test)]
mod tests {
    use crate::engine::kpi::testing::{day, near};
    use crate::model::fact::Measure;

    #[test]
    fn it_is_a_memo_and_in_no_scope() {
        let facts = [(Measure::Co2Biogenic, 87_360_000_000_000), (Measure::StationaryCo2e, 1_482_000_000_000)];
        near(&day("biogenic_co2", &facts), 87.36);
        near(&day("scope_1", &facts), 1.482);
    }
}
