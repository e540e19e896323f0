//! Allocation efficiency.

use crate::engine::kpi::{Family, KpiContext, KpiDefinition, Outcome, busy_time, ratio};
use crate::model::fact::{Facts, Measure};
use crate::model::record::KpiId;
use crate::model::time::Grain;

use super::unit_busy_ms;

pub(in crate::engine::kpi) static DEFINITION: KpiDefinition = KpiDefinition {
    id: KpiId::of("allocation_efficiency"),
    name_en: "Allocation efficiency",
    name_vi: "Hiệu suất phân bổ",
    family: Family::Production,
    definition_en: "Share of the planned busy time in which the equipment was busy with orders.",
    definition_vi: "Phần thời gian bận theo kế hoạch mà thiết bị thực sự bận với đơn hàng.",
    formula: "AUBT / PBT, AUBT = APT + AUST + ADET",
    unit: "1",
    measures: &[Measure::Apt, Measure::Aust, Measure::Adet, Measure::Adot, Measure::PlannedDown, Measure::NoData],
    standard: "ISO 22400-2, allocation efficiency",
    finest_grain: Grain::FiveMinutes,
    method: 1,
    no_value_en: "no planned busy time was observed",
    no_value_vi: "không quan sát được thời gian bận theo kế hoạch",
    compute,
};

fn compute(facts: &Facts, _: &KpiContext) -> Outcome {
    busy_time(facts).map(|busy| ratio(unit_busy_ms(facts), busy)).into()
}

#[cfg(test)]
mod tests {
    use crate::engine::kpi::testing::{day, e7, near, none};
    use crate::model::fact::Measure;
    use crate::model::record::Reason;

    #[test]
    fn e7_of_the_planned_busy_time_orders_took_most() {
        near(&day("allocation_efficiency", &e7()), 0.892_857);
    }

    #[test]
    fn e9_a_machine_that_ran_no_order_is_at_0_and_one_of_which_nothing_is_known_has_none() {
        let idle = day("allocation_efficiency", &[(Measure::Adot, 480 * 60_000), (Measure::NoData, 0)]);
        assert_eq!(idle.value, Some(0.0));
        none(&day("allocation_efficiency", &[(Measure::NoData, 60_000)]), Reason::NoData);
    }
}
