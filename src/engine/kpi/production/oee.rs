//! Overall equipment effectiveness (OEE).

use crate::engine::kpi::{Family, KpiContext, KpiDefinition, Outcome, busy_time, ratio};
use crate::model::fact::{Facts, Measure};
use crate::model::record::KpiId;
use crate::model::time::Grain;

use super::{generous, planned_good_ns};

pub(in crate::engine::kpi) static DEFINITION: KpiDefinition = KpiDefinition {
    id: KpiId::of("oee"),
    name_en: "Overall equipment effectiveness (OEE)",
    name_vi: "Hiệu suất thiết bị tổng thể (OEE)",
    family: Family::Production,
    definition_en: "Planned time for the good quantity, beside the planned busy time: what the equipment gave of what it could.",
    definition_vi: "Thời gian kế hoạch cho sản lượng đạt so với thời gian bận theo kế hoạch: mức thiết bị đạt được so với khả năng.",
    formula: "Σ(PRU × GQ) / ΣPBT = availability × effectiveness × quality ratio",
    unit: "1",
    measures: &[
        Measure::Apt,
        Measure::Aust,
        Measure::Adet,
        Measure::Adot,
        Measure::PlannedDown,
        Measure::NoData,
        Measure::ProducedQuantity,
        Measure::GoodQuantity,
        Measure::PartsObserved,
        Measure::PartsExpected,
        Measure::PruPq,
        Measure::PruGq,
    ],
    standard: "ISO 22400-2, OEE index",
    finest_grain: Grain::QuarterHour,
    method: 1,
    no_value_en: "nothing was produced, no busy time was observed, or no planned run time per unit is declared",
    no_value_vi: "không có sản lượng, không quan sát được thời gian bận, hoặc chưa khai báo thời gian kế hoạch cho một sản phẩm",
    compute,
};

fn compute(facts: &Facts, _: &KpiContext) -> Outcome {
    let value = busy_time(facts).and_then(|busy| Ok(ratio(planned_good_ns(facts)?, busy * 1_000_000)));
    Outcome { flags: generous(facts), ..Outcome::from(value) }
}

#[cfg(test)]
mod tests {
    use crate::engine::kpi::testing::{day, none};
    use crate::model::fact::Measure;
    use crate::model::record::Reason;

    #[test]
    fn e9_without_production_it_is_undefined() {
        let facts = [
            (Measure::Adot, 480 * 60_000),
            (Measure::NoData, 0),
            (Measure::PruPq, 0),
            (Measure::PruGq, 0),
            (Measure::PartsObserved, 1),
            (Measure::PartsExpected, 1),
        ];
        none(&day("oee", &facts), Reason::NoProduction);
    }
}
