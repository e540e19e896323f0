//! Utilization efficiency.

use crate::engine::kpi::{Family, KpiContext, KpiDefinition, Outcome};
use crate::model::fact::{Facts, Measure};
use crate::model::record::KpiId;
use crate::model::time::Grain;

use super::{share_of, unit_busy_ms};

pub(in crate::engine::kpi) static DEFINITION: KpiDefinition = KpiDefinition {
    id: KpiId::of("utilization_efficiency"),
    name_en: "Utilization efficiency",
    name_vi: "Hiệu suất sử dụng",
    family: Family::Production,
    definition_en: "Share of the time in which the equipment was busy with orders that it really produced.",
    definition_vi: "Phần thời gian thiết bị bận với đơn hàng mà thiết bị thực sự sản xuất.",
    formula: "APT / AUBT, AUBT = APT + AUST + ADET",
    unit: "1",
    measures: &[Measure::Apt, Measure::Aust, Measure::Adet, Measure::Adot, Measure::PlannedDown, Measure::NoData],
    standard: "ISO 22400-2, utilization efficiency",
    finest_grain: Grain::FiveMinutes,
    method: 1,
    no_value_en: "the equipment ran no order, or no state was observed",
    no_value_vi: "thiết bị không chạy đơn hàng nào, hoặc không quan sát được trạng thái",
    compute,
};

fn compute(facts: &Facts, _: &KpiContext) -> Outcome {
    share_of(facts, Measure::Apt, unit_busy_ms(facts)).into()
}

#[cfg(test)]
mod tests {
    use crate::engine::kpi::testing::{day, e7, near, none};
    use crate::model::fact::Measure;
    use crate::model::record::Reason;

    #[test]
    fn e7_of_the_time_in_which_orders_ran_most_was_production() {
        near(&day("utilization_efficiency", &e7()), 0.853_333);
    }

    #[test]
    fn e9_a_machine_that_ran_no_order_has_none() {
        let facts = [(Measure::Adot, 480 * 60_000), (Measure::NoData, 0)];
        none(&day("utilization_efficiency", &facts), Reason::NoOperatingTime);
        none(&day("utilization_efficiency", &[(Measure::NoData, 60_000)]), Reason::NoData);
        none(&day("utilization_efficiency", &[]), Reason::NoInput);
    }
}
