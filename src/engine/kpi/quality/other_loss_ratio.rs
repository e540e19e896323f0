//! Other loss ratio.

use super::share_of_material;
use crate::engine::kpi::{Family, KpiContext, KpiDefinition, Outcome};
use crate::model::fact::{Facts, Measure};
use crate::model::record::KpiId;
use crate::model::time::Grain;

pub(in crate::engine::kpi) static DEFINITION: KpiDefinition = KpiDefinition {
    id: KpiId::of("other_loss_ratio"),
    name_en: "Other loss ratio",
    name_vi: "Tỷ lệ tổn thất khác",
    family: Family::Quality,
    definition_en: "Material lost otherwise beside the material consumed.",
    definition_vi: "Vật tư mất do nguyên nhân khác so với vật tư tiêu hao.",
    formula: "OL / CM",
    unit: "1",
    measures: &[Measure::OtherLoss, Measure::ConsumedMaterial],
    standard: "ISO 22400-2, other loss ratio",
    finest_grain: Grain::Hour,
    method: 1,
    no_value_en: "no material was consumed, or material is not told",
    no_value_vi: "chưa có vật tư tiêu hao, hoặc không ghi nhận vật tư",
    compute,
};

fn compute(facts: &Facts, _: &KpiContext) -> Outcome {
    share_of_material(facts, Measure::OtherLoss).into()
}

#[cfg(test)]
mod tests {
    use crate::engine::kpi::testing::{day, near, none};
    use crate::model::fact::Measure;
    use crate::model::record::Reason;

    #[test]
    fn it_is_a_share_of_consumed_material() {
        let facts = |consumed| [(Measure::OtherLoss, 90), (Measure::ConsumedMaterial, consumed)];
        near(&day("other_loss_ratio", &facts(100)), 0.9);
        none(&day("other_loss_ratio", &facts(0)), Reason::NoMaterial);
    }
}
