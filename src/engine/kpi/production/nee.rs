//! Net equipment effectiveness (NEE).

use crate::engine::kpi::{Family, KpiContext, KpiDefinition, Outcome, busy_time, ratio};
use crate::model::fact::{Facts, Measure};
use crate::model::record::{KpiId, Reason};
use crate::model::time::Grain;

use super::{generous, planned_good_ns};

pub(in crate::engine::kpi) static DEFINITION: KpiDefinition = KpiDefinition {
    id: KpiId::of("nee"),
    name_en: "Net equipment effectiveness (NEE)",
    name_vi: "Hiệu suất thiết bị thuần (NEE)",
    family: Family::Production,
    definition_en: "As OEE, with setup counted as use of the equipment and not as a loss.",
    definition_vi: "Như OEE, nhưng thời gian chuẩn bị được tính là sử dụng thiết bị, không phải tổn thất.",
    formula: "AUPT / PBT × effectiveness × quality ratio, AUPT = APT + AUST",
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
    standard: "ISO 22400-2, NEE index",
    finest_grain: Grain::QuarterHour,
    method: 1,
    no_value_en: "nothing was produced, no busy time was observed, or no planned run time per unit is declared",
    no_value_vi: "không có sản lượng, không quan sát được thời gian bận, hoặc chưa khai báo thời gian kế hoạch cho một sản phẩm",
    compute,
};

fn compute(facts: &Facts, _: &KpiContext) -> Outcome {
    Outcome { flags: generous(facts), ..Outcome::from(nee(facts)) }
}

/// AUPT/PBT × effectiveness × quality ratio = (APT + AUST) / PBT × PRU·GQ / APT.
fn nee(facts: &Facts) -> Result<f64, Reason> {
    let busy = busy_time(facts)?;
    let good_ns = planned_good_ns(facts)?;
    let processing = facts.amount(Measure::Apt) + facts.amount(Measure::Aust);
    match facts.amount(Measure::Apt) {
        0 if facts.amount(Measure::NoData) > 0 => Err(Reason::NoData),
        0 => Err(Reason::NoProductionTime),
        production => Ok(ratio(processing, busy) * ratio(good_ns, production * 1_000_000)),
    }
}

#[cfg(test)]
mod tests {
    use crate::engine::kpi::testing::{day, e7, near, none};
    use crate::model::fact::Measure;
    use crate::model::record::Reason;

    #[test]
    fn e7_setup_is_no_loss() {
        near(&day("nee", &e7()), 0.752_083);
    }

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
        none(&day("nee", &facts), Reason::NoProduction);
    }
}
