//! Mean time to failure (MTTF).

use crate::engine::kpi::{Family, KpiContext, KpiDefinition, Outcome, planned_busy_ms};
use crate::model::fact::{Facts, Measure};
use crate::model::record::KpiId;
use crate::model::time::Grain;

use super::per_failure;

pub(in crate::engine::kpi) static DEFINITION: KpiDefinition = KpiDefinition {
    id: KpiId::of("mttf"),
    name_en: "Mean time to failure (MTTF)",
    name_vi: "Thời gian trung bình đến khi hỏng (MTTF)",
    family: Family::Maintenance,
    definition_en: "Time in which the equipment was able to run, idle and short stops included, per failure.",
    definition_vi: "Thời gian thiết bị có khả năng chạy, gồm cả chờ việc và dừng ngắn, tính trên mỗi lần hỏng.",
    formula: "(PBT − time in failure) / FE",
    unit: "h",
    measures: &[
        Measure::Apt,
        Measure::Aust,
        Measure::Adet,
        Measure::Adot,
        Measure::PlannedDown,
        Measure::NoData,
        Measure::FaultTime,
        Measure::Failures,
    ],
    standard: "ISO 22400-2, mean time to failure; divided by FE, as is usual, where some copies print FE + 1",
    finest_grain: Grain::Day,
    method: 1,
    no_value_en: "no failure occurred, or no state was observed",
    no_value_vi: "không có hỏng hóc, hoặc không quan sát được trạng thái",
    compute,
};

fn compute(facts: &Facts, _: &KpiContext) -> Outcome {
    per_failure(facts, planned_busy_ms(facts) - facts.amount(Measure::FaultTime)).into()
}

#[cfg(test)]
mod tests {
    use crate::engine::kpi::testing::{day, near, none};
    use crate::model::fact::Measure;
    use crate::model::record::Reason;

    const HOUR: i128 = 3_600_000;

    #[test]
    fn m1_up_time_over_3_failures() {
        let facts = [
            (Measure::Apt, 696 * HOUR),
            (Measure::Adet, 24 * HOUR),
            (Measure::FaultTime, 24 * HOUR),
            (Measure::Failures, 3),
            (Measure::NoData, 0),
        ];
        near(&day("mttf", &facts), 232.0);
    }

    #[test]
    fn without_a_failure_there_is_none() {
        let facts = [(Measure::Apt, HOUR), (Measure::Failures, 0), (Measure::NoData, 0)];
        none(&day("mttf", &facts), Reason::NoFailure);
        none(&day("mttf", &[(Measure::Failures, 0), (Measure::NoData, HOUR)]), Reason::NoData);
        none(&day("mttf", &[(Measure::Apt, HOUR), (Measure::NoData, 0)]), Reason::NoInput);
    }
}
