//! Finished goods ratio.

use super::share_of_material;
use crate::engine::kpi::{Family, KpiContext, KpiDefinition, Outcome};
use crate::model::fact::{Facts, Measure};
use crate::model::record::KpiId;
use crate::model::time::Grain;

pub(in crate::engine::kpi) static DEFINITION: KpiDefinition = KpiDefinition {
    id: KpiId::of("finished_goods_ratio"),
    name_en: "Finished goods ratio",
    name_vi: "Tỷ lệ thành phẩm trên vật tư",
    family: Family::Quality,
    definition_en: "Good quantity beside the material consumed.",
    definition_vi: "Sản lượng đạt so với vật tư tiêu hao.",
    formula: "GQ / CM",
    unit: "1",
    measures: &[Measure::GoodQuantity, Measure::ConsumedMaterial, Measure::PartsObserved, Measure::PartsExpected],
    standard: "ISO 22400-2, finished goods ratio",
    finest_grain: Grain::Hour,
    method: 1,
    no_value_en: "no material was consumed, or good quantity is not measured",
    no_value_vi: "chưa có vật tư tiêu hao, hoặc không đo sản lượng đạt",
    compute,
};

fn compute(facts: &Facts, _: &KpiContext) -> Outcome {
    share_of_material(facts, Measure::GoodQuantity).into()
}

#[cfg(test)]
mod tests {
    use crate::engine::kpi::testing::{day, near, none};
    use crate::model::fact::Measure;
    use crate::model::record::Reason;

    #[test]
    fn it_is_a_share_of_consumed_material() {
        let facts = |consumed| [(Measure::GoodQuantity, 90), (Measure::ConsumedMaterial, consumed)];
        near(&day("finished_goods_ratio", &facts(100)), 0.9);
        none(&day("finished_goods_ratio", &facts(0)), Reason::NoMaterial);
    }
}
