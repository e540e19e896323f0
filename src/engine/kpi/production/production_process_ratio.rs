//! Production process ratio.

use crate::engine::kpi::{Family, KpiContext, KpiDefinition, Outcome, has_states, order_execution, ratio};
use crate::model::fact::{Facts, Measure};
use crate::model::record::{KpiId, Reason};
use crate::model::time::Grain;

pub(in crate::engine::kpi) static DEFINITION: KpiDefinition = KpiDefinition {
    id: KpiId::of("production_process_ratio"),
    name_en: "Production process ratio",
    name_vi: "Tỷ lệ thời gian sản xuất của lệnh",
    family: Family::Production,
    definition_en: "Production time of orders, beside the time the orders took. Above 1 where several machines work on one order at once.",
    definition_vi: "Thời gian sản xuất của lệnh so với thời gian thực hiện lệnh. Lớn hơn 1 khi nhiều máy cùng làm một lệnh.",
    formula: "ΣAPT / AOET",
    unit: "1",
    measures: &[Measure::OrderProduction, Measure::OrderExecution, Measure::NoData],
    standard: "ISO 22400-2, production process ratio",
    finest_grain: Grain::FiveMinutes,
    method: 1,
    no_value_en: "no order ran, or the state of no machine is known",
    no_value_vi: "không có lệnh sản xuất nào chạy, hoặc không biết trạng thái máy",
    compute,
};

fn compute(facts: &Facts, _: &KpiContext) -> Outcome {
    share(facts).into()
}

fn share(facts: &Facts) -> Result<f64, Reason> {
    let execution_ms = order_execution(facts)?;
    if !has_states(facts) {
        return Err(Reason::NoInput);
    }
    Ok(ratio(facts.amount(Measure::OrderProduction), execution_ms))
}

#[cfg(test)]
mod tests {
    use crate::engine::kpi::testing::{MINUTE, day, near, none};
    use crate::model::fact::Measure;
    use crate::model::record::Reason;

    #[test]
    fn e7_it_is_time_of_orders_over_their_execution_time() {
        let facts =
            [(Measure::OrderExecution, 500 * MINUTE), (Measure::OrderProduction, 320 * MINUTE), (Measure::NoData, 0)];
        near(&day("production_process_ratio", &facts), 0.64);
    }

    #[test]
    fn it_is_undefined_without_an_order_and_none_without_a_state() {
        none(&day("production_process_ratio", &[(Measure::OrderExecution, 0), (Measure::NoData, 0)]), Reason::NoOrder);
        none(&day("production_process_ratio", &[(Measure::OrderExecution, 1)]), Reason::NoInput);
    }
}
