//! Throughput rate.

use crate::engine::kpi::{Family, KpiContext, KpiDefinition, Outcome, order_execution, ratio};
use crate::model::fact::{Facts, Measure};
use crate::model::record::{KpiId, Reason};
use crate::model::time::Grain;

pub(in crate::engine::kpi) static DEFINITION: KpiDefinition = KpiDefinition {
    id: KpiId::of("throughput_rate"),
    name_en: "Throughput rate",
    name_vi: "Năng suất thực hiện lệnh",
    family: Family::Production,
    definition_en: "Parts produced while orders ran, for each hour of their execution.",
    definition_vi: "Sản lượng làm ra khi chạy lệnh cho mỗi giờ thực hiện lệnh.",
    formula: "PQ / AOET",
    unit: "{unit}/h",
    measures: &[Measure::OrderQuantity, Measure::OrderExecution, Measure::PartsObserved, Measure::PartsExpected],
    standard: "ISO 22400-2, throughput rate",
    finest_grain: Grain::FiveMinutes,
    method: 1,
    no_value_en: "no order ran, or parts are not counted",
    no_value_vi: "không có lệnh sản xuất nào chạy, hoặc không đếm sản lượng",
    compute,
};

fn compute(facts: &Facts, _: &KpiContext) -> Outcome {
    throughput(facts).into()
}

fn throughput(facts: &Facts) -> Result<f64, Reason> {
    let execution_ms = order_execution(facts)?;
    let quantity = facts.get(Measure::OrderQuantity).ok_or(Reason::NoInput)?;
    Ok(ratio(quantity * 3_600, execution_ms * 1_000))
}

#[cfg(test)]
mod tests {
    use crate::engine::kpi::testing::{MINUTE, day, near, none};
    use crate::model::fact::Measure;
    use crate::model::record::Reason;

    #[test]
    fn e7_it_is_parts_over_order_execution_time() {
        let facts = [(Measure::OrderExecution, 500 * MINUTE), (Measure::OrderQuantity, 380_000_000)];
        near(&day("throughput_rate", &facts), 0.76 * 60.0);
    }

    #[test]
    fn without_an_order_it_is_undefined() {
        none(&day("throughput_rate", &[(Measure::OrderExecution, 0), (Measure::OrderQuantity, 0)]), Reason::NoOrder);
        none(&day("throughput_rate", &[(Measure::OrderExecution, 1)]), Reason::NoInput);
    }
}
