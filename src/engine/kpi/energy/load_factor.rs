//! Load factor.

use crate::engine::kpi::{Family, KpiContext, KpiDefinition, Outcome, electricity_micro_kwh, peak, ratio};
use crate::model::fact::{Facts, Measure};
use crate::model::record::{KpiId, Reason};
use crate::model::time::Grain;

pub(in crate::engine::kpi) static DEFINITION: KpiDefinition = KpiDefinition {
    id: KpiId::of("load_factor"),
    name_en: "Load factor",
    name_vi: "Hệ số phụ tải",
    family: Family::Energy,
    definition_en: "Mean power that the grid delivered over the window, compared with the largest half-hour block.",
    definition_vi: "Công suất trung bình lấy từ lưới trong kỳ so với khoảng 30 phút lớn nhất.",
    formula: "E / (Pmax × hours)",
    unit: "1",
    measures: &[
        Measure::HalfHourPeak,
        Measure::Electricity,
        Measure::ElectricityImport,
        Measure::ElectricitySubstituted,
        Measure::ElectricityExcluded,
        Measure::ElectricityObserved,
        Measure::ElectricityExpected,
    ],
    standard: "mean over maximum demand, 30-minute blocks",
    finest_grain: Grain::Hour,
    method: 2,
    no_value_en: "no whole half-hour block was measured, nothing was used, or the blocks of several assets are not known",
    no_value_vi: "không có khoảng 30 phút nào được đo trọn vẹn, không dùng điện, hoặc không biết các khoảng của từng đơn vị",
    compute,
};

fn compute(facts: &Facts, _: &KpiContext) -> Outcome {
    load_factor(facts).into()
}

/// P_max is twice the energy of the half hour, the hours are those of the window that should have been measured.
fn load_factor(facts: &Facts) -> Result<f64, Reason> {
    const HOUR_MS: i128 = 3_600_000;
    let peak = peak(facts, Measure::HalfHourPeak)?;
    let net = electricity_micro_kwh(facts)?;
    let energy = facts.get(Measure::ElectricityImport).unwrap_or(net);
    match (peak, facts.amount(Measure::ElectricityExpected)) {
        (0, _) => Err(Reason::NoEnergy),
        (_, 0) => Err(Reason::NoData),
        (peak, expected_ms) => Ok(ratio(energy * HOUR_MS, 2 * peak * expected_ms)),
    }
}

#[cfg(test)]
mod tests {
    use crate::engine::kpi::testing::{day, near, none};
    use crate::model::fact::Measure;
    use crate::model::record::Reason;

    #[test]
    fn it_is_mean_power_over_maximum_demand() {
        let facts = [
            (Measure::Electricity, 12_000_000_000),
            (Measure::ElectricityObserved, 86_400_000),
            (Measure::ElectricityExpected, 86_400_000),
            (Measure::HalfHourPeak, 500_000_000),
        ];
        near(&day("load_factor", &facts), 0.5);
        none(&day("load_factor", &facts[..3]), Reason::NotMergeable);
    }
}
