//! Energy saved against the baseline.

use super::enpi_ratio::baseline;
use crate::engine::kpi::{Family, KpiContext, KpiDefinition, Outcome, ratio};
use crate::model::fact::{Facts, Measure};
use crate::model::record::KpiId;
use crate::model::time::Grain;

pub(in crate::engine::kpi) static DEFINITION: KpiDefinition = KpiDefinition {
    id: KpiId::of("energy_saving"),
    name_en: "Energy saved against the baseline",
    name_vi: "Điện năng tiết kiệm so với đường cơ sở",
    family: Family::Energy,
    definition_en: "What the baseline model expects for the same minutes, less the electricity used. Below 0 more was used; summed up over time it is the CUSUM with its sign turned.",
    definition_vi: "Mức mô hình đường cơ sở dự kiến trừ điện năng đã dùng trong cùng các phút; âm là dùng nhiều hơn. Cộng dồn theo thời gian chính là CUSUM đổi dấu.",
    formula: "Ê − E",
    unit: "kW.h",
    measures: &[
        Measure::ElectricityWithBaseline,
        Measure::BaselineElectricity,
        Measure::ElectricitySubstituted,
        Measure::ElectricityExcluded,
        Measure::ElectricityObserved,
        Measure::ElectricityExpected,
    ],
    standard: "ISO 50006, normalised saving",
    finest_grain: Grain::QuarterHour,
    method: 1,
    no_value_en: "no baseline is declared for the time, or electricity or a driver was not measured",
    no_value_vi: "chưa khai báo đường cơ sở cho kỳ, hoặc không đo điện hay biến tác động",
    compute,
};

fn compute(facts: &Facts, _: &KpiContext) -> Outcome {
    baseline(facts).map(|(used, expected)| ratio(expected - used, 1_000_000)).into()
}

#[cfg(test)]
mod tests {
    use crate::engine::kpi::testing::{day, near};
    use crate::model::fact::Measure;

    #[test]
    fn p6_what_was_not_used() {
        let facts =
            [(Measure::ElectricityWithBaseline, 44_500_000_000), (Measure::BaselineElectricity, 47_000_000_000)];
        near(&day("energy_saving", &facts), 2_500.0);
    }
}
