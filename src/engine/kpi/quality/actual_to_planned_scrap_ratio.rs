//! Actual to planned scrap ratio.

use crate::engine::kpi::{Family, KpiContext, KpiDefinition, Outcome, ratio};
use crate::model::fact::{Facts, Measure};
use crate::model::record::{KpiId, Reason};
use crate::model::time::Grain;

pub(in crate::engine::kpi) static DEFINITION: KpiDefinition = KpiDefinition {
    id: KpiId::of("actual_to_planned_scrap_ratio"),
    name_en: "Actual to planned scrap ratio",
    name_vi: "Tỷ lệ phế phẩm thực tế so với kế hoạch",
    family: Family::Quality,
    definition_en: "Scrap beside the scrap that was planned for; above 1 the plan was missed.",
    definition_vi: "Phế phẩm thực tế so với phế phẩm dự kiến; lớn hơn 1 là vượt kế hoạch.",
    formula: "SQ / PSQ",
    unit: "1",
    measures: &[Measure::ScrapQuantity, Measure::PlannedScrapQuantity, Measure::PartsObserved, Measure::PartsExpected],
    standard: "ISO 22400-2, actual to planned scrap ratio",
    finest_grain: Grain::Hour,
    method: 1,
    no_value_en: "no scrap was planned for the window, or scrap is not measured",
    no_value_vi: "chưa có kế hoạch phế phẩm cho kỳ này, hoặc không đo phế phẩm",
    compute,
};

fn compute(facts: &Facts, _: &KpiContext) -> Outcome {
    scrap(facts).into()
}

fn scrap(facts: &Facts) -> Result<f64, Reason> {
    let planned = facts.get(Measure::PlannedScrapQuantity).ok_or(Reason::NoInput)?;
    let scrap = facts.get(Measure::ScrapQuantity).ok_or(Reason::NoInput)?;
    if planned == 0 { Err(Reason::NoPlan) } else { Ok(ratio(scrap, planned)) }
}

#[cfg(test)]
mod tests {
    use crate::engine::kpi::testing::{day, near, none};
    use crate::model::fact::Measure;
    use crate::model::record::Reason;

    #[test]
    fn above_1_the_plan_was_missed_and_without_a_plan_it_is_undefined() {
        let facts = |planned| [(Measure::ScrapQuantity, 12), (Measure::PlannedScrapQuantity, planned)];
        near(&day("actual_to_planned_scrap_ratio", &facts(8)), 1.5);
        none(&day("actual_to_planned_scrap_ratio", &facts(0)), Reason::NoPlan);
    }
}
