//! Water use.

use crate::engine::kpi::{Family, KpiContext, KpiDefinition, Outcome, amount, ratio};
use crate::engine::medium::Medium;
use crate::model::fact::{Facts, Measure};
use crate::model::record::KpiId;
use crate::model::time::Grain;

pub(in crate::engine::kpi) static DEFINITION: KpiDefinition = KpiDefinition {
    id: KpiId::of("water"),
    name_en: "Water use",
    name_vi: "Nước tiêu thụ",
    family: Family::Water,
    definition_en: "Water that came in through the boundary.",
    definition_vi: "Lượng nước nhận qua ranh giới.",
    formula: "Σ boundary meters",
    unit: "m3",
    measures: &[
        Measure::Water,
        Measure::WaterSubstituted,
        Measure::WaterExcluded,
        Measure::WaterObserved,
        Measure::WaterExpected,
    ],
    standard: "difference of cumulative registers; declared boundary meters",
    finest_grain: Grain::Minute,
    method: 1,
    no_value_en: "no water meter is declared, or none was read in the window",
    no_value_vi: "chưa khai báo đồng hồ nước, hoặc không đọc được đồng hồ nào trong kỳ",
    compute,
};

fn compute(facts: &Facts, _: &KpiContext) -> Outcome {
    amount(facts, Medium::Water).map(|amount| ratio(amount, 1_000_000)).into()
}

#[cfg(test)]
mod tests {
    use crate::engine::kpi::testing::{day, none};
    use crate::model::fact::Measure;
    use crate::model::record::{Flag, Reason};

    #[test]
    fn growth_over_a_gap_counts_and_an_unread_meter_is_no_zero() {
        let facts = [
            (Measure::Water, 5_500_000),
            (Measure::WaterSubstituted, 1_500_000),
            (Measure::WaterObserved, 30),
            (Measure::WaterExpected, 60),
        ];
        let value = day("water", &facts);
        assert_eq!((value.value, value.coverage), (Some(5.5), Some(0.5)));
        assert_eq!(value.flags, [Flag::Substituted]);
        none(&day("water", &[(Measure::Water, 0), (Measure::WaterExpected, 60)]), Reason::NoData);
        none(&day("water", &[]), Reason::NoInput);
    }
}
