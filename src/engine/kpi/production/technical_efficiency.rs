//! Technical efficiency.

use crate::engine::kpi::{Family, KpiContext, KpiDefinition, Outcome};
use crate::model::fact::{Facts, Measure};
use crate::model::record::KpiId;
use crate::model::time::Grain;

use super::share_of;

pub(in crate::engine::kpi) static DEFINITION: KpiDefinition = KpiDefinition {
    id: KpiId::of("technical_efficiency"),
    name_en: "Technical efficiency",
    name_vi: "Hiệu suất kỹ thuật",
    family: Family::Production,
    definition_en: "Production time beside production time and delays: what malfunctions and stops leave of it.",
    definition_vi: "Thời gian sản xuất so với thời gian sản xuất cộng thời gian trễ: phần còn lại sau sự cố và dừng máy.",
    formula: "APT / (APT + ADET)",
    unit: "1",
    measures: &[Measure::Apt, Measure::Aust, Measure::Adet, Measure::Adot, Measure::PlannedDown, Measure::NoData],
    standard: "ISO 22400-2, technical efficiency",
    finest_grain: Grain::FiveMinutes,
    method: 1,
    no_value_en: "the equipment neither produced nor was delayed, or no state was observed",
    no_value_vi: "thiết bị không sản xuất cũng không bị trễ, hoặc không quan sát được trạng thái",
    compute,
};

fn compute(facts: &Facts, _: &KpiContext) -> Outcome {
    share_of(facts, Measure::Apt, facts.amount(Measure::Apt) + facts.amount(Measure::Adet)).into()
}

#[cfg(test)]
mod tests {
    use crate::engine::kpi::testing::{day, e7, near, none};
    use crate::model::fact::Measure;
    use crate::model::record::Reason;

    #[test]
    fn e7_delays_took_little_beside_production() {
        near(&day("technical_efficiency", &e7()), 0.927_536);
    }

    #[test]
    fn e9_without_production_and_delay_there_is_none() {
        let facts = [(Measure::Adot, 480 * 60_000), (Measure::NoData, 0)];
        none(&day("technical_efficiency", &facts), Reason::NoOperatingTime);
    }
}
