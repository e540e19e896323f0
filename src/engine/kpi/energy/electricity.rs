//! Electricity use.

use crate::engine::kpi::{Family, KpiContext, KpiDefinition, Outcome, electricity_micro_kwh, ratio};
use crate::model::fact::{Facts, Measure};
use crate::model::record::KpiId;
use crate::model::time::Grain;

pub(in crate::engine::kpi) static DEFINITION: KpiDefinition = KpiDefinition {
    id: KpiId::of("electricity"),
    name_en: "Electricity use",
    name_vi: "Điện năng tiêu thụ",
    family: Family::Energy,
    definition_en: "Electricity that the site or asset used: drawn from the grid, plus generated, less given back.",
    definition_vi: "Điện năng đã dùng: mua từ lưới, cộng tự phát, trừ phát trả lưới.",
    formula: "Σ boundary imports + generation − exports",
    unit: "kW.h",
    measures: &[
        Measure::Electricity,
        Measure::ElectricitySubstituted,
        Measure::ElectricityExcluded,
        Measure::ElectricityObserved,
        Measure::ElectricityExpected,
    ],
    standard: "difference of cumulative registers; declared boundary meters",
    finest_grain: Grain::Minute,
    method: 1,
    no_value_en: "no boundary meter is declared, or none was read in the window",
    no_value_vi: "chưa khai báo công tơ ranh giới, hoặc không đọc được công tơ nào trong kỳ",
    compute,
};

fn compute(facts: &Facts, _: &KpiContext) -> Outcome {
    electricity_micro_kwh(facts).map(|energy| ratio(energy, 1_000_000)).into()
}

#[cfg(test)]
mod tests {
    use crate::engine::kpi::testing::{day, none};
    use crate::model::fact::Measure;
    use crate::model::record::{Flag, Reason};

    #[test]
    fn an_unread_meter_is_no_zero() {
        let facts = [(Measure::Electricity, 0), (Measure::ElectricityExpected, 60_000)];
        none(&day("electricity", &facts), Reason::NoData);
    }

    #[test]
    fn growth_over_a_gap_counts_and_is_flagged() {
        let facts = [
            (Measure::Electricity, 5_500_000),
            (Measure::ElectricitySubstituted, 1_500_000),
            (Measure::ElectricityObserved, 30),
            (Measure::ElectricityExpected, 60),
        ];
        let value = day("electricity", &facts);
        assert_eq!((value.value, value.coverage), (Some(5.5), Some(0.5)));
        assert_eq!(value.flags, [Flag::Substituted]);
    }
}
