//! Scope 1: processes.

use super::tonnes;
use crate::engine::kpi::{Family, KpiContext, KpiDefinition, Outcome};
use crate::model::fact::{Facts, Measure};
use crate::model::record::KpiId;
use crate::model::time::Grain;

pub(in crate::engine::kpi) static DEFINITION: KpiDefinition = KpiDefinition {
    id: KpiId::of("scope_1_process"),
    name_en: "Scope 1, processes",
    name_vi: "Phát thải từ quá trình công nghiệp",
    family: Family::Emissions,
    definition_en: "Greenhouse gases that a process makes by itself, by the declared factor of its input.",
    definition_vi: "Khí nhà kính sinh ra trong quá trình công nghiệp, theo hệ số khai báo của nguyên liệu.",
    formula: "input × declared factor",
    unit: "t",
    measures: &[
        Measure::ProcessCo2e,
        Measure::FuelEnergy,
        Measure::FuelEnergySubstituted,
        Measure::FuelEnergyExcluded,
        Measure::FuelEnergyDeclared,
        Measure::FuelObserved,
        Measure::FuelExpected,
        Measure::FactorMissing,
    ],
    standard: "GHG Protocol Corporate Standard, scope 1, process emissions; Circular 38/2023/TT-BCT, Article 16",
    finest_grain: Grain::FiveMinutes,
    method: 1,
    no_value_en: "no source of this kind is declared, nothing was measured or declared, or a factor is missing for the day",
    no_value_vi: "chưa khai báo nguồn phát thải loại này, không có số liệu đo hoặc khai báo, hoặc thiếu hệ số phát thải cho ngày đó",
    compute,
};

fn compute(facts: &Facts, _context: &KpiContext) -> Outcome {
    Outcome::from(tonnes(facts, &[Measure::ProcessCo2e]))
}

#[cfg(test)]
mod tests {
    use crate::engine::kpi::testing::{day, near, none};
    use crate::model::fact::Measure;
    use crate::model::record::Reason;

    #[test]
    fn it_is_its_own_category_and_no_other() {
        let facts = [(Measure::ProcessCo2e, 1_250_000_000_000), (Measure::FugitiveCo2e, 7)];
        near(&day("scope_1_process", &facts), 1.25);
        none(&day("scope_1_process", &facts[1..]), Reason::NoInput);
    }
}
