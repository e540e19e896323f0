//! Mean time to restoration (MTTR).

use crate::engine::kpi::{Family, KpiContext, KpiDefinition, Outcome};
use crate::model::fact::{Facts, Measure};
use crate::model::record::KpiId;
use crate::model::time::Grain;

use super::per_failure;

pub(in crate::engine::kpi) static DEFINITION: KpiDefinition = KpiDefinition {
    id: KpiId::of("mttr"),
    name_en: "Mean time to restoration (MTTR)",
    name_vi: "Thời gian khôi phục trung bình (MTTR)",
    family: Family::Maintenance,
    definition_en: "Time from failure to restoration within planned operation time, waiting and repair included, per failure.",
    definition_vi: "Thời gian từ lúc hỏng đến khi khôi phục trong thời gian vận hành theo kế hoạch, gồm cả chờ và sửa, tính trên mỗi lần hỏng.",
    formula: "time in failure / FE",
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
    standard: "ISO 22400-2, mean time to restoration; divided by FE, as is usual, where some copies print FE + 1",
    finest_grain: Grain::Day,
    method: 1,
    no_value_en: "no failure occurred, or no state was observed",
    no_value_vi: "không có hỏng hóc, hoặc không quan sát được trạng thái",
    compute,
};

fn compute(facts: &Facts, _: &KpiContext) -> Outcome {
    per_failure(facts, facts.amount(Measure::FaultTime)).into()
}

#[cfg(test)]
mod tests {
    use crate::engine::kpi::testing::{day, near, none};
    use crate::model::fact::Measure;
    use crate::model::record::Reason;

    const HOUR: i128 = 3_600_000;

    #[test]
    fn m1_24_hours_of_repair_over_3_failures() {
        let facts = [
            (Measure::Apt, 696 * HOUR),
            (Measure::Adet, 24 * HOUR),
            (Measure::FaultTime, 24 * HOUR),
            (Measure::Failures, 3),
            (Measure::NoData, 0),
        ];
        near(&day("mttr", &facts), 8.0);
    }

    #[test]
    fn without_a_failure_there_is_none() {
        let facts = [(Measure::Apt, HOUR), (Measure::Failures, 0), (Measure::NoData, 0)];
        none(&day("mttr", &facts), Reason::NoFailure);
        none(&day("mttr", &[(Measure::Failures, 0), (Measure::NoData, HOUR)]), Reason::NoData);
        none(&day("mttr", &[(Measure::Apt, HOUR), (Measure::NoData, 0)]), Reason::NoInput);
    }
}
