//! Equipment load ratio.

use crate::engine::kpi::{Family, KpiContext, KpiDefinition, Outcome, ratio};
use crate::model::fact::{Facts, Measure};
use crate::model::record::{KpiId, Reason};
use crate::model::time::Grain;

pub(in crate::engine::kpi) static DEFINITION: KpiDefinition = KpiDefinition {
    id: KpiId::of("equipment_load_ratio"),
    name_en: "Equipment load ratio",
    name_vi: "Tỷ lệ phụ tải thiết bị",
    family: Family::Production,
    definition_en: "Produced quantity beside what the equipment is rated to produce in its planned busy time.",
    definition_vi: "Sản lượng so với năng lực định mức của thiết bị trong thời gian làm việc theo kế hoạch.",
    formula: "PQ / EPC",
    unit: "1",
    measures: &[Measure::ProducedQuantity, Measure::ProductionCapacity, Measure::PartsObserved, Measure::PartsExpected],
    standard: "ISO 22400-2, equipment load ratio",
    finest_grain: Grain::FiveMinutes,
    method: 1,
    no_value_en: "no rated output is declared, or no planned busy time was observed",
    no_value_vi: "chưa khai báo năng lực định mức, hoặc chưa ghi nhận thời gian làm việc theo kế hoạch",
    compute,
};

fn compute(facts: &Facts, _: &KpiContext) -> Outcome {
    load(facts).into()
}

fn load(facts: &Facts) -> Result<f64, Reason> {
    let capacity = facts.get(Measure::ProductionCapacity).ok_or(Reason::NoInput)?;
    let quantity = facts.get(Measure::ProducedQuantity).ok_or(Reason::NoInput)?;
    if capacity == 0 { Err(Reason::NoBusyTime) } else { Ok(ratio(quantity, capacity)) }
}

#[cfg(test)]
mod tests {
    use crate::engine::kpi::testing::{day, near, none};
    use crate::model::fact::Measure;
    use crate::model::record::Reason;

    #[test]
    fn it_is_output_over_rated_output_and_undefined_without_busy_time() {
        let facts = |capacity| [(Measure::ProducedQuantity, 380_000_000), (Measure::ProductionCapacity, capacity)];
        near(&day("equipment_load_ratio", &facts(475_000_000)), 0.8);
        none(&day("equipment_load_ratio", &facts(0)), Reason::NoBusyTime);
    }
}
