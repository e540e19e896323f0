//! Integrated goods ratio.

use super::share_of_material;
use crate::engine::kpi::{Family, KpiContext, KpiDefinition, Outcome};
use crate::model::fact::{Facts, Measure};
use crate::model::record::KpiId;
use crate::model::time::Grain;

pub(in crate::engine::kpi) static DEFINITION: KpiDefinition = KpiDefinition {
    id: KpiId::of("integrated_goods_ratio"),
    name_en: "Integrated goods ratio",
    name_vi: "Tỷ lệ thành phẩm tổng hợp trên vật tư",
    family: Family::Quality,
    definition_en: "Integrated good quantity beside the material consumed.",
    definition_vi: "Sản lượng đạt tổng hợp so với vật tư tiêu hao.",
    formula: "IGQ / CM",
    unit: "1",
    measures: &[Measure::IntegratedGoodQuantity, Measure::ConsumedMaterial],
    standard: "ISO 22400-2, integrated goods ratio",
    finest_grain: Grain::Hour,
    method: 1,
    no_value_en: "no material was consumed, or material is not told",
    no_value_vi: "chưa có vật tư tiêu hao, hoặc không ghi nhận vật tư",
    compute,
};

fn compute(facts: &Facts, _: &KpiContext) -> Outcome {
    share_of_material(facts, Measure::IntegratedGoodQuantity).into()
}

#[cfg(test)]
mod tests {
    use crate::engine::kpi::testing::{day, near, none};
    use crate::model::fact::Measure;
    use crate::model::record::Reason;

    #[test]
    fn it_is_a_share_of_consumed_material() {
        let facts = |consumed| [(Measure::IntegratedGoodQuantity, 90), (Measure::ConsumedMaterial, consumed)];
        near(&day("integrated_goods_ratio", &facts(100)), 0.9);
        none(&day("integrated_goods_ratio", &facts(0)), Reason::NoMaterial);
    }
}
