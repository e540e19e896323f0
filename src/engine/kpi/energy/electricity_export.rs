//! Electricity given back.

use crate::engine::kpi::{Family, KpiContext, KpiDefinition, Outcome, electricity_part, ratio};
use crate::model::fact::{Facts, Measure};
use crate::model::record::KpiId;
use crate::model::time::Grain;

pub(in crate::engine::kpi) static DEFINITION: KpiDefinition = KpiDefinition {
    id: KpiId::of("electricity_export"),
    name_en: "Electricity given back",
    name_vi: "Điện năng phát trả lưới",
    family: Family::Energy,
    definition_en: "Electricity that went out through the grid meters.",
    definition_vi: "Điện năng phát lên lưới qua các công tơ ranh giới.",
    formula: "Σ boundary exports",
    unit: "kW.h",
    measures: &[
        Measure::ElectricityExport,
        Measure::ElectricitySubstituted,
        Measure::ElectricityExcluded,
        Measure::ElectricityObserved,
        Measure::ElectricityExpected,
    ],
    standard: "difference of cumulative registers; declared boundary meters",
    finest_grain: Grain::Minute,
    method: 1,
    no_value_en: "no export meter is declared, or none was read in the window",
    no_value_vi: "chưa khai báo công tơ chiều phát, hoặc không đọc được công tơ nào trong kỳ",
    compute,
};

fn compute(facts: &Facts, _: &KpiContext) -> Outcome {
    electricity_part(facts, Measure::ElectricityExport).map(|energy| ratio(energy, 1_000_000)).into()
}

#[cfg(test)]
mod tests {
    use crate::engine::kpi::testing::{day, near, none};
    use crate::model::fact::Measure;
    use crate::model::record::Reason;

    #[test]
    fn it_is_told_where_it_is_metered_and_an_unread_meter_is_no_zero() {
        near(
            &day("electricity_export", &[(Measure::ElectricityExport, 5_500_000), (Measure::ElectricityObserved, 1)]),
            5.5,
        );
        near(&day("electricity_export", &[(Measure::ElectricityExport, 0), (Measure::ElectricityObserved, 1)]), 0.0);
        none(
            &day("electricity_export", &[(Measure::ElectricityExport, 0), (Measure::ElectricityExpected, 60_000)]),
            Reason::NoData,
        );
        none(&day("electricity_export", &[(Measure::Electricity, 5_500_000)]), Reason::NoInput);
    }
}
