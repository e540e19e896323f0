//! Peak demand, quarter hours.

use crate::engine::kpi::{Family, KpiContext, KpiDefinition, Outcome, peak, ratio};
use crate::model::fact::{Facts, Measure};
use crate::model::record::KpiId;
use crate::model::time::Grain;

pub(in crate::engine::kpi) static DEFINITION: KpiDefinition = KpiDefinition {
    id: KpiId::of("peak_demand_15min"),
    name_en: "Peak demand, quarter hours",
    name_vi: "Công suất cực đại, khoảng 15 phút",
    family: Family::Energy,
    definition_en: "Largest mean power that the grid delivered in a quarter-hour block; of a box that tells only net electricity, of that.",
    definition_vi: "Công suất trung bình lớn nhất lấy từ lưới trong các khoảng 15 phút; nếu chỉ biết điện năng ròng thì theo điện năng ròng.",
    formula: "max over 15-min blocks of E(block) × 4",
    unit: "kW",
    measures: &[
        Measure::QuarterHourPeak,
        Measure::Electricity,
        Measure::ElectricityImport,
        Measure::ElectricitySubstituted,
        Measure::ElectricityExcluded,
        Measure::ElectricityObserved,
        Measure::ElectricityExpected,
    ],
    standard: "15-minute block demand",
    finest_grain: Grain::QuarterHour,
    method: 2,
    no_value_en: "no whole block was measured, or the blocks of several assets are not known",
    no_value_vi: "không có khoảng nào được đo trọn vẹn, hoặc không biết các khoảng của từng đơn vị",
    compute,
};

fn compute(facts: &Facts, _: &KpiContext) -> Outcome {
    peak(facts, Measure::QuarterHourPeak).map(|energy| ratio(energy * 4, 1_000_000)).into()
}

#[cfg(test)]
mod tests {
    use crate::engine::kpi::testing::{day, near, none};
    use crate::model::fact::Measure;
    use crate::model::record::Reason;

    #[test]
    fn p1_the_largest_quarter_hour_decides() {
        let facts = [
            (Measure::QuarterHourPeak, 260_000_000),
            (Measure::Electricity, 900_000_000),
            (Measure::ElectricityObserved, 1),
        ];
        near(&day("peak_demand_15min", &facts), 1040.0);
        none(&day("peak_demand_15min", &facts[1..]), Reason::NotMergeable);
    }
}
