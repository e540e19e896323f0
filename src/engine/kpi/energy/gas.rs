//! Gas use.

use crate::engine::kpi::{Family, KpiContext, KpiDefinition, Outcome, amount, ratio};
use crate::engine::medium::Medium;
use crate::model::fact::{Facts, Measure};
use crate::model::record::KpiId;
use crate::model::time::Grain;

pub(in crate::engine::kpi) static DEFINITION: KpiDefinition = KpiDefinition {
    id: KpiId::of("gas"),
    name_en: "Gas use",
    name_vi: "Khí đốt tiêu thụ",
    family: Family::Energy,
    definition_en: "Fuel gas that came in through the boundary, as metered.",
    definition_vi: "Lượng khí đốt nhận qua ranh giới, theo công tơ.",
    formula: "Σ boundary meters",
    unit: "m3",
    measures: &[
        Measure::Gas,
        Measure::GasSubstituted,
        Measure::GasExcluded,
        Measure::GasObserved,
        Measure::GasExpected,
    ],
    standard: "difference of cumulative registers; declared boundary meters",
    finest_grain: Grain::Minute,
    method: 1,
    no_value_en: "no gas meter is declared, or none was read in the window",
    no_value_vi: "chưa khai báo công tơ khí, hoặc không đọc được công tơ nào trong kỳ",
    compute,
};

fn compute(facts: &Facts, _: &KpiContext) -> Outcome {
    amount(facts, Medium::Gas).map(|amount| ratio(amount, 1_000_000)).into()
}

#[cfg(test)]
mod tests {
    use crate::engine::kpi::testing::{day, none};
    use crate::model::fact::Measure;
    use crate::model::record::{Flag, Reason};

    #[test]
    fn growth_over_a_gap_counts_and_an_unread_meter_is_no_zero() {
        let facts = [
            (Measure::Gas, 5_500_000),
            (Measure::GasSubstituted, 1_500_000),
            (Measure::GasObserved, 30),
            (Measure::GasExpected, 60),
        ];
        let value = day("gas", &facts);
        assert_eq!((value.value, value.coverage), (Some(5.5), Some(0.5)));
        assert_eq!(value.flags, [Flag::Substituted]);
        none(&day("gas", &[(Measure::Gas, 0), (Measure::GasExpected, 60)]), Reason::NoData);
        none(&day("gas", &[]), Reason::NoInput);
    }
}
