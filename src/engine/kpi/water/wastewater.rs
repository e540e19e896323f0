//! Wastewater.

use crate::engine::kpi::{Family, KpiContext, KpiDefinition, Outcome, amount, ratio};
use crate::engine::medium::Medium;
use crate::model::fact::{Facts, Measure};
use crate::model::record::KpiId;
use crate::model::time::Grain;

pub(in crate::engine::kpi) static DEFINITION: KpiDefinition = KpiDefinition {
    id: KpiId::of("wastewater"),
    name_en: "Wastewater",
    name_vi: "Nước thải",
    family: Family::Water,
    definition_en: "Wastewater that left through the boundary.",
    definition_vi: "Lượng nước thải ra khỏi ranh giới.",
    formula: "Σ boundary meters",
    unit: "m3",
    measures: &[
        Measure::Wastewater,
        Measure::WastewaterSubstituted,
        Measure::WastewaterExcluded,
        Measure::WastewaterObserved,
        Measure::WastewaterExpected,
    ],
    standard: "difference of cumulative registers; declared boundary meters",
    finest_grain: Grain::Minute,
    method: 1,
    no_value_en: "no wastewater meter is declared, or none was read in the window",
    no_value_vi: "chưa khai báo đồng hồ nước thải, hoặc không đọc được đồng hồ nào trong kỳ",
    compute,
};

fn compute(facts: &Facts, _: &KpiContext) -> Outcome {
    amount(facts, Medium::Wastewater).map(|amount| ratio(amount, 1_000_000)).into()
}

#[cfg(test)]
mod tests {
    use crate::engine::kpi::testing::{day, none};
    use crate::model::fact::Measure;
    use crate::model::record::{Flag, Reason};

    #[test]
    fn growth_over_a_gap_counts_and_an_unread_meter_is_no_zero() {
        let facts = [
            (Measure::Wastewater, 5_500_000),
            (Measure::WastewaterSubstituted, 1_500_000),
            (Measure::WastewaterObserved, 30),
            (Measure::WastewaterExpected, 60),
        ];
        let value = day("wastewater", &facts);
        assert_eq!((value.value, value.coverage), (Some(5.5), Some(0.5)));
        assert_eq!(value.flags, [Flag::Substituted]);
        none(&day("wastewater", &[(Measure::Wastewater, 0), (Measure::WastewaterExpected, 60)]), Reason::NoData);
        none(&day("wastewater", &[]), Reason::NoInput);
    }
}
