//! Scope 1: stationary combustion.

use super::tonnes;
use crate::engine::kpi::{Family, KpiContext, KpiDefinition, Outcome};
use crate::model::fact::{Facts, Measure};
use crate::model::record::KpiId;
use crate::model::time::Grain;

pub(in crate::engine::kpi) static DEFINITION: KpiDefinition = KpiDefinition {
    id: KpiId::of("scope_1_stationary"),
    name_en: "Scope 1, stationary combustion",
    name_vi: "Phát thải từ đốt nhiên liệu cố định",
    family: Family::Emissions,
    definition_en: "Greenhouse gases of fuel burnt in boilers, furnaces and generators.",
    definition_vi: "Khí nhà kính từ nhiên liệu đốt trong nồi hơi, lò và máy phát điện.",
    formula: "fuel energy [TJ] × EF [kg/TJ] × GWP / 1000, summed over gases",
    unit: "t",
    measures: &[
        Measure::StationaryCo2e,
        Measure::FuelEnergy,
        Measure::FuelEnergySubstituted,
        Measure::FuelEnergyExcluded,
        Measure::FuelEnergyDeclared,
        Measure::FuelObserved,
        Measure::FuelExpected,
        Measure::FactorMissing,
    ],
    standard: "Circular 38/2023/TT-BCT, Appendix II, section 2; IPCC 2006, volume 2, chapter 2",
    finest_grain: Grain::FiveMinutes,
    method: 1,
    no_value_en: "no source of this kind is declared, nothing was measured or declared, or a factor is missing for the day",
    no_value_vi: "chưa khai báo nguồn phát thải loại này, không có số liệu đo hoặc khai báo, hoặc thiếu hệ số phát thải cho ngày đó",
    compute,
};

fn compute(facts: &Facts, _context: &KpiContext) -> Outcome {
    Outcome::from(tonnes(facts, &[Measure::StationaryCo2e]))
}

#[cfg(test)]
mod tests {
    use crate::engine::kpi::testing::{day, near, none};
    use crate::model::fact::Measure;
    use crate::model::record::Reason;

    #[test]
    fn it_is_its_own_category_and_no_other() {
        let facts = [(Measure::StationaryCo2e, 1_250_000_000_000), (Measure::MobileCo2e, 7)];
        near(&day("scope_1_stationary", &facts), 1.25);
        none(&day("scope_1_stationary", &facts[1..]), Reason::NoInput);
    }
}
