//! Peak demand, sliding half hour.

use crate::engine::kpi::{Family, KpiContext, KpiDefinition, Outcome, peak, ratio};
use crate::model::fact::{Facts, Measure};
use crate::model::record::KpiId;
use crate::model::time::Grain;

pub(in crate::engine::kpi) static DEFINITION: KpiDefinition = KpiDefinition {
    id: KpiId::of("peak_demand_sliding"),
    name_en: "Peak demand, sliding half hour",
    name_vi: "Công suất cực đại, khoảng trượt 30 phút",
    family: Family::Energy,
    definition_en: "Largest mean power that the grid delivered in any thirty successive minutes; of a box that tells only net electricity, of that.",
    definition_vi: "Công suất trung bình lớn nhất lấy từ lưới trong 30 phút liên tiếp bất kỳ; nếu chỉ biết điện năng ròng thì theo điện năng ròng.",
    formula: "max over minutes of E(30 min until then) × 2",
    unit: "kW",
    measures: &[
        Measure::SlidingPeak,
        Measure::Electricity,
        Measure::ElectricityImport,
        Measure::ElectricitySubstituted,
        Measure::ElectricityExcluded,
        Measure::ElectricityObserved,
        Measure::ElectricityExpected,
    ],
    standard: "sliding 30-minute demand, moved on by the minute",
    finest_grain: Grain::HalfHour,
    method: 2,
    no_value_en: "no whole block was measured, or the blocks of several assets are not known",
    no_value_vi: "không có khoảng nào được đo trọn vẹn, hoặc không biết các khoảng của từng đơn vị",
    compute,
};

fn compute(facts: &Facts, _: &KpiContext) -> Outcome {
    peak(facts, Measure::SlidingPeak).map(|energy| ratio(energy * 2, 1_000_000)).into()
}

#[cfg(test)]
mod tests {
    use crate::engine::kpi::testing::{day, near, none};
    use crate::model::fact::Measure;
    use crate::model::record::Reason;

    #[test]
    fn p1_the_largest_half_hour_wherever_it_begins_decides() {
        let facts = [
            (Measure::SlidingPeak, 500_000_000),
            (Measure::Electricity, 900_000_000),
            (Measure::ElectricityObserved, 1),
        ];
        near(&day("peak_demand_sliding", &facts), 1000.0);
        none(&day("peak_demand_sliding", &facts[1..]), Reason::NotMergeable);
    }
}
