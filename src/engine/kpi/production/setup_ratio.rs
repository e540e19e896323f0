//! Setup ratio.

use crate::engine::kpi::{Family, KpiContext, KpiDefinition, Outcome};
use crate::model::fact::{Facts, Measure};
use crate::model::record::KpiId;
use crate::model::time::Grain;

use super::share_of;

pub(in crate::engine::kpi) static DEFINITION: KpiDefinition = KpiDefinition {
    id: KpiId::of("setup_ratio"),
    name_en: "Setup ratio",
    name_vi: "Tỷ lệ chuẩn bị máy",
    family: Family::Production,
    definition_en: "Share of setup in the time in which the equipment was set up or produced. Lower is better.",
    definition_vi: "Phần thời gian chuẩn bị trong tổng thời gian chuẩn bị và sản xuất. Càng thấp càng tốt.",
    formula: "AUST / AUPT, AUPT = APT + AUST",
    unit: "1",
    measures: &[Measure::Apt, Measure::Aust, Measure::Adet, Measure::Adot, Measure::PlannedDown, Measure::NoData],
    standard: "ISO 22400-2, setup ratio",
    finest_grain: Grain::FiveMinutes,
    method: 1,
    no_value_en: "the equipment neither produced nor was set up, or no state was observed",
    no_value_vi: "thiết bị không sản xuất cũng không được chuẩn bị, hoặc không quan sát được trạng thái",
    compute,
};

fn compute(facts: &Facts, _: &KpiContext) -> Outcome {
    share_of(facts, Measure::Aust, facts.amount(Measure::Apt) + facts.amount(Measure::Aust)).into()
}

#[cfg(test)]
mod tests {
    use crate::engine::kpi::testing::{day, e7, near, none};
    use crate::model::fact::Measure;
    use crate::model::record::Reason;

    #[test]
    fn e7_setup_took_little_of_the_processing_time() {
        near(&day("setup_ratio", &e7()), 0.085_714_3);
    }

    #[test]
    fn e9_without_production_and_setup_there_is_none() {
        let facts = [(Measure::Adet, 480 * 60_000), (Measure::NoData, 0)];
        none(&day("setup_ratio", &facts), Reason::NoOperatingTime);
    }
}
