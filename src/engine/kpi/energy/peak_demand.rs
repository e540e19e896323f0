//! Peak demand.

use crate::engine::kpi::{Family, KpiContext, KpiDefinition, Outcome, peak, ratio};
use crate::model::fact::{Facts, Measure};
use crate::model::record::KpiId;
use crate::model::time::Grain;

pub(in crate::engine::kpi) static DEFINITION: KpiDefinition = KpiDefinition {
    id: KpiId::of("peak_demand"),
    name_en: "Peak demand",
    name_vi: "Công suất cực đại",
    family: Family::Energy,
    definition_en: "Largest mean power that the grid delivered in a half-hour block; of a box that tells only net electricity, of that.",
    definition_vi: "Công suất trung bình lớn nhất lấy từ lưới trong các khoảng 30 phút; nếu chỉ biết điện năng ròng thì theo điện năng ròng.",
    formula: "max over 30-min blocks of E(block) × 2",
    unit: "kW",
    measures: &[
        Measure::HalfHourPeak,
        Measure::Electricity,
        Measure::ElectricityImport,
        Measure::ElectricitySubstituted,
        Measure::ElectricityExcluded,
        Measure::ElectricityObserved,
        Measure::ElectricityExpected,
    ],
    standard: "30-minute block demand, as billed",
    finest_grain: Grain::HalfHour,
    method: 2,
    no_value_en: "no whole half-hour block was measured, or the blocks of several assets are not known",
    no_value_vi: "không có khoảng 30 phút nào được đo trọn vẹn, hoặc không biết các khoảng của từng đơn vị",
    compute,
};

fn compute(facts: &Facts, _: &KpiContext) -> Outcome {
    peak(facts, Measure::HalfHourPeak).map(|energy| ratio(energy * 2, 1_000_000)).into()
}

#[cfg(test)]
mod tests {
    use crate::engine::kpi::testing::{day, near, none};
    use crate::model::fact::Measure;
    use crate::model::record::Reason;

    #[test]
    fn p1_the_largest_half_hour_block_decides() {
        let facts = [
            (Measure::HalfHourPeak, 500_000_000),
            (Measure::Electricity, 900_000_000),
            (Measure::ElectricityObserved, 1),
        ];
        near(&day("peak_demand", &facts), 1000.0);
    }

    #[test]
    fn without_the_blocks_of_each_asset_there_is_no_peak_of_a_group() {
        none(&day("peak_demand", &[(Measure::Electricity, 5)]), Reason::NotMergeable);
    }
}
