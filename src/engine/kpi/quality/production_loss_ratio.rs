//! Production loss ratio.

use super::share_of_material;
use crate::engine::kpi::{Family, KpiContext, KpiDefinition, Outcome};
use crate::model::fact::{Facts, Measure};
use crate::model::record::KpiId;
use crate::model::time::Grain;

pub(in crate::engine::kpi) static DEFINITION: KpiDefinition = KpiDefinition {
    id: KpiId::of("production_loss_ratio"),
    name_en: "Production loss ratio",
    name_vi: "Tỷ lệ tổn thất trong sản xuất",
    family: Family::Quality,
    definition_en: "Material lost in production (input less output) beside the material consumed.",
    definition_vi: "Vật tư mất trong sản xuất (đầu vào trừ đầu ra) so với vật tư tiêu hao.",
    formula: "PL / CM",
    unit: "1",
    measures: &[Measure::ProductionLoss, Measure::ConsumedMaterial],
    standard: "ISO 22400-2, production loss ratio",
    finest_grain: Grain::Hour,
    method: 1,
    no_value_en: "no material was consumed, or material is not told",
    no_value_vi: "chưa có vật tư tiêu hao, hoặc không ghi nhận vật tư",
    compute,
};

fn compute(facts: &Facts, _: &KpiContext) -> Outcome {
    share_of_material(facts, Measure::ProductionLoss).into()
}

#[cfg(test)]
mod tests {
    use crate::engine::kpi::testing::{day, near, none};
    use crate::model::fact::Measure;
    use crate::model::record::Reason;

    #[test]
    fn it_is_a_share_of_consumed_material() {
        let facts = |consumed| [(Measure::ProductionLoss, 90), (Measure::ConsumedMaterial, consumed)];
        near(&day("production_loss_ratio", &facts(100)), 0.9);
        none(&day("production_loss_ratio", &facts(0)), Reason::NoMaterial);
    }
}
