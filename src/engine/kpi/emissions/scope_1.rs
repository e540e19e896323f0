//! Scope 1 emissions.

use super::scope_1;
use crate::engine::kpi::{Family, KpiContext, KpiDefinition, Outcome};
use crate::model::fact::{Facts, Measure};
use crate::model::record::KpiId;
use crate::model::time::Grain;

pub(in crate::engine::kpi) static DEFINITION: KpiDefinition = KpiDefinition {
    id: KpiId::of("scope_1"),
    name_en: "Scope 1 emissions",
    name_vi: "Phát thải trực tiếp (phạm vi 1)",
    family: Family::Emissions,
    definition_en: "Greenhouse gases of the site's own sources: stationary and mobile combustion, processes, leaks. Biogenic CO2 is not in it.",
    definition_vi: "Khí nhà kính từ các nguồn của cơ sở: đốt nhiên liệu cố định và di động, quá trình công nghiệp, rò rỉ. Không gồm CO2 sinh học.",
    formula: "stationary + mobile + process + fugitive",
    unit: "t",
    measures: &[
        Measure::StationaryCo2e,
        Measure::MobileCo2e,
        Measure::ProcessCo2e,
        Measure::FugitiveCo2e,
        Measure::FuelEnergy,
        Measure::FuelEnergySubstituted,
        Measure::FuelEnergyExcluded,
        Measure::FuelEnergyDeclared,
        Measure::FuelObserved,
        Measure::FuelExpected,
        Measure::FactorMissing,
        Measure::SourcesUndeclared,
    ],
    standard: "GHG Protocol Corporate Standard, scope 1; Circular 38/2023/TT-BCT, Article 16",
    finest_grain: Grain::FiveMinutes,
    method: 1,
    no_value_en: "no source of this kind is declared, nothing was measured or declared, or a factor is missing for the day",
    no_value_vi: "chưa khai báo nguồn phát thải loại này, không có số liệu đo hoặc khai báo, hoặc thiếu hệ số phát thải cho ngày đó",
    compute,
};

fn compute(facts: &Facts, _context: &KpiContext) -> Outcome {
    let (value, missing) = scope_1(facts);
    Outcome { flags: missing.into_iter().collect(), ..Outcome::from(value) }
}

#[cfg(test)]
mod tests {
    use crate::engine::kpi::testing::{day, near, none};
    use crate::model::fact::Measure;
    use crate::model::record::{Flag, Reason};

    const T: i128 = 1_000_000_000_000;

    #[test]
    fn it_is_the_sum_of_the_categories_that_are_declared() {
        let facts = [(Measure::StationaryCo2e, 3 * T), (Measure::FugitiveCo2e, T / 2), (Measure::Co2Biogenic, 9 * T)];
        near(&day("scope_1", &facts), 3.5);
        none(&day("scope_1", &[(Measure::Electricity, 1)]), Reason::NoInput);
    }

    #[test]
    fn a_source_without_a_declaration_is_told_and_never_a_silent_zero() {
        none(&day("scope_1", &[(Measure::SourcesUndeclared, 1)]), Reason::NotDeclared);
        let value = day("scope_1", &[(Measure::StationaryCo2e, 3 * T), (Measure::SourcesUndeclared, 2)]);
        near(&value, 3.0);
        assert_eq!(value.flags, [Flag::SourceNotDeclared]);
        let value = day("scope_1", &[(Measure::StationaryCo2e, 3 * T), (Measure::SourcesUndeclared, 0)]);
        assert!(value.flags.is_empty());
    }

    #[test]
    fn a_quantity_without_a_factor_is_no_zero() {
        let facts = [(Measure::StationaryCo2e, 3 * T), (Measure::FactorMissing, 60_000)];
        none(&day("scope_1", &facts), Reason::NoPublishedFactor);
    }

    #[test]
    fn what_no_meter_saw_is_no_zero_and_what_was_declared_is_a_figure() {
        let mut facts = vec![
            (Measure::StationaryCo2e, 0),
            (Measure::FuelEnergySubstituted, 0),
            (Measure::FuelObserved, 0),
            (Measure::FuelExpected, 60_000),
        ];
        none(&day("scope_1", &facts), Reason::NoData);
        facts.push((Measure::FuelEnergyDeclared, 1));
        near(&day("scope_1", &facts), 0.0);
        assert_eq!(day("scope_1", &facts).coverage, Some(0.0));
    }
}
