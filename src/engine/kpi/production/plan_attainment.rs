//! Plan attainment.

use crate::engine::kpi::{Family, KpiContext, KpiDefinition, Outcome, ratio};
use crate::model::fact::{Facts, Measure};
use crate::model::record::{KpiId, Reason};
use crate::model::time::Grain;

pub(in crate::engine::kpi) static DEFINITION: KpiDefinition = KpiDefinition {
    id: KpiId::of("plan_attainment"),
    name_en: "Plan attainment",
    name_vi: "Mức hoàn thành kế hoạch sản lượng",
    family: Family::Production,
    definition_en: "Produced quantity beside the quantity that orders or plans foresaw for the same time.",
    definition_vi: "Sản lượng làm ra so với sản lượng theo lệnh hoặc kế hoạch trong cùng kỳ.",
    formula: "PQ / POQ",
    unit: "1",
    measures: &[
        Measure::ProducedQuantity,
        Measure::PlannedOrderQuantity,
        Measure::PartsObserved,
        Measure::PartsExpected,
    ],
    standard: "Elements PQ and POQ of ISO 22400-2; the ratio is our own",
    finest_grain: Grain::Hour,
    method: 1,
    no_value_en: "nothing was planned for the window, or parts are not counted",
    no_value_vi: "chưa có kế hoạch cho kỳ này, hoặc không đếm sản lượng",
    compute,
};

fn compute(facts: &Facts, _: &KpiContext) -> Outcome {
    attainment(facts).into()
}

fn attainment(facts: &Facts) -> Result<f64, Reason> {
    let planned = facts.get(Measure::PlannedOrderQuantity).ok_or(Reason::NoInput)?;
    let quantity = facts.get(Measure::ProducedQuantity).ok_or(Reason::NoInput)?;
    if planned == 0 { Err(Reason::NoPlan) } else { Ok(ratio(quantity, planned)) }
}

#[cfg(test)]
mod tests {
    use crate::engine::kpi::testing::{day, near, none};
    use crate::model::fact::Measure;
    use crate::model::record::Reason;

    #[test]
    fn it_is_output_over_plan_and_undefined_without_a_plan() {
        let facts = |planned| [(Measure::ProducedQuantity, 380_000_000), (Measure::PlannedOrderQuantity, planned)];
        near(&day("plan_attainment", &facts(400_000_000)), 0.95);
        none(&day("plan_attainment", &facts(0)), Reason::NoPlan);
    }
}
