//! Electricity, unmetered remainder.

use crate::engine::kpi::{Family, KpiContext, KpiDefinition, Outcome, unmetered};
use crate::engine::medium::Medium;
use crate::model::fact::{Facts, Measure};
use crate::model::record::KpiId;
use crate::model::time::Grain;

pub(in crate::engine::kpi) static DEFINITION: KpiDefinition = KpiDefinition {
    id: KpiId::of("electricity_unmetered"),
    name_en: "Electricity, unmetered remainder",
    name_vi: "Phần điện năng chưa đo nhánh",
    family: Family::Energy,
    definition_en: "What the boundary meters of electricity count and no meter below them explains. Below 0 the meters contradict each other; it is told as it is.",
    definition_vi: "Lượng điện năng qua công tơ ranh giới mà các công tơ nhánh không giải thích được; giá trị âm nghĩa là các công tơ mâu thuẫn nhau và vẫn được công bố.",
    formula: "own − Σ sub-meters",
    unit: "kW.h",
    measures: &[
        Measure::Electricity,
        Measure::ElectricitySubstituted,
        Measure::ElectricityExcluded,
        Measure::ElectricityObserved,
        Measure::ElectricityExpected,
        Measure::ElectricitySubmetered,
        Measure::ElectricitySubmeteredObserved,
    ],
    standard: "ISO 50001, measured energy balance",
    finest_grain: Grain::QuarterHour,
    method: 1,
    no_value_en: "nothing below the boundary is metered, or a meter was not read in the window",
    no_value_vi: "không có công tơ nhánh nào, hoặc không đọc được công tơ trong kỳ",
    compute,
};

fn compute(facts: &Facts, _: &KpiContext) -> Outcome {
    unmetered(facts, Medium::Electricity)
}

#[cfg(test)]
mod tests {
    use crate::engine::kpi::testing::{day, near, none};
    use crate::model::fact::Measure;
    use crate::model::record::{Flag, Reason};

    #[test]
    fn below_zero_it_is_flagged_and_never_clamped() {
        let of = |submetered| {
            day(
                "electricity_unmetered",
                &[
                    (Measure::Electricity, 10_000_000),
                    (Measure::ElectricityObserved, 60),
                    (Measure::ElectricityExpected, 60),
                    (Measure::ElectricitySubmetered, submetered),
                    (Measure::ElectricitySubmeteredObserved, 45),
                ],
            )
        };
        near(&of(8_000_000), 2.0);
        assert_eq!((of(8_000_000).coverage, of(8_000_000).flags), (Some(0.75), vec![]));
        near(&of(12_000_000), -2.0);
        assert_eq!(of(12_000_000).flags, [Flag::NegativeRemainder]);
        none(
            &day("electricity_unmetered", &[(Measure::Electricity, 1), (Measure::ElectricityObserved, 1)]),
            Reason::NoInput,
        );
    }
}
