//! Rework ratio.

use crate::engine::kpi::{Family, KpiContext, KpiDefinition, Outcome, produced, ratio};
use crate::model::fact::{Facts, Measure};
use crate::model::record::{KpiId, Reason};
use crate::model::time::Grain;

pub(in crate::engine::kpi) static DEFINITION: KpiDefinition = KpiDefinition {
    id: KpiId::of("rework_ratio"),
    name_en: "Rework ratio",
    name_vi: "Tỷ lệ làm lại",
    family: Family::Quality,
    definition_en: "Share of the produced quantity that has to be reworked, counted once where it was found.",
    definition_vi: "Phần sản phẩm phải làm lại trong tổng sản lượng, tính một lần khi phát hiện.",
    formula: "RQ / PQ",
    unit: "1",
    measures: &[Measure::ReworkQuantity, Measure::ProducedQuantity, Measure::PartsObserved, Measure::PartsExpected],
    standard: "ISO 22400-2, rework ratio",
    finest_grain: Grain::FiveMinutes,
    method: 1,
    no_value_en: "nothing was produced, or rework is not measured",
    no_value_vi: "không có sản lượng, hoặc không đo sản phẩm làm lại",
    compute,
};

fn compute(facts: &Facts, _: &KpiContext) -> Outcome {
    rework(facts).into()
}

fn rework(facts: &Facts) -> Result<f64, Reason> {
    let produced = produced(facts)?;
    Ok(ratio(facts.get(Measure::ReworkQuantity).ok_or(Reason::NoInput)?, produced))
}

#[cfg(test)]
mod tests {
    use crate::engine::kpi::testing::{day, e7, near, none};
    use crate::model::fact::Measure;
    use crate::model::record::Reason;

    #[test]
    fn e7_it_is_rework_over_produced_quantity() {
        near(&day("rework_ratio", &e7()), 7.0 / 380.0);
        none(&day("rework_ratio", &[(Measure::ProducedQuantity, 1)]), Reason::NoInput);
        let facts = [(Measure::ProducedQuantity, 0), (Measure::ReworkQuantity, 0), (Measure::PartsObserved, 1)];
        none(&day("rework_ratio", &facts), Reason::NoProduction);
    }
}
