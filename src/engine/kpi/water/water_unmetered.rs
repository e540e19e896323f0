//! Water, unmetered remainder.

use crate::engine::kpi::{Family, KpiContext, KpiDefinition, Outcome, unmetered};
use crate::engine::medium::Medium;
use crate::model::fact::{Facts, Measure};
use crate::model::record::KpiId;
use crate::model::time::Grain;

pub(in crate::engine::kpi) static DEFINITION: KpiDefinition = KpiDefinition {
    id: KpiId::of("water_unmetered"),
    name_en: "Water, unmetered remainder",
    name_vi: "Phần nước chưa đo nhánh",
    family: Family::Water,
    definition_en: "What the boundary meters of water count and no meter below them explains. Below 0 the meters contradict each other; it is told as it is.",
    definition_vi: "Lượng nước qua công tơ ranh giới mà các công tơ nhánh không giải thích được; giá trị âm nghĩa là các công tơ mâu thuẫn nhau và vẫn được công bố.",
    formula: "own − Σ sub-meters",
    unit: "m3",
    measures: &[
        Measure::Water,
        Measure::WaterSubstituted,
        Measure::WaterExcluded,
        Measure::WaterObserved,
        Measure::WaterExpected,
        Measure::WaterSubmetered,
        Measure::WaterSubmeteredObserved,
    ],
    standard: "measured balance of the boundary",
    finest_grain: Grain::QuarterHour,
    method: 1,
    no_value_en: "nothing below the boundary is metered, or a meter was not read in the window",
    no_value_vi: "không có công tơ nhánh nào, hoặc không đọc được công tơ trong kỳ",
    compute,
};

fn compute(facts: &Facts, _: &KpiContext) -> Outcome {
    unmetered(facts, Medium::Water)
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
                "water_unmetered",
                &[
                    (Measure::Water, 10_000_000),
                    (Measure::WaterObserved, 60),
                    (Measure::WaterExpected, 60),
                    (Measure::WaterSubmetered, submetered),
                    (Measure::WaterSubmeteredObserved, 45),
                ],
            )
        };
        near(&of(8_000_000), 2.0);
        assert_eq!((of(8_000_000).coverage, of(8_000_000).flags), (Some(0.75), vec![]));
        near(&of(12_000_000), -2.0);
        assert_eq!(of(12_000_000).flags, [Flag::NegativeRemainder]);
        none(&day("water_unmetered", &[(Measure::Water, 1), (Measure::WaterObserved, 1)]), Reason::NoInput);
    }
}
