//! Mean operating time between failures (MTBF).

use crate::engine::kpi::{Family, KpiContext, KpiDefinition, Outcome};
use crate::model::fact::{Facts, Measure};
use crate::model::record::KpiId;
use crate::model::time::Grain;

use super::per_failure;

pub(in crate::engine::kpi) static DEFINITION: KpiDefinition = KpiDefinition {
    id: KpiId::of("mtbf"),
    name_en: "Mean operating time between failures (MTBF)",
    name_vi: "Thời gian hoạt động trung bình giữa hai lần hỏng (MTBF)",
    family: Family::Maintenance,
    definition_en: "Time in which the equipment produced or was set up, per failure. Delays are not in it.",
    definition_vi: "Thời gian thiết bị sản xuất hoặc được chuẩn bị, tính trên mỗi lần hỏng. Không gồm thời gian trễ.",
    formula: "(APT + AUST) / FE",
    unit: "h",
    measures: &[
        Measure::Apt,
        Measure::Aust,
        Measure::Adet,
        Measure::Adot,
        Measure::PlannedDown,
        Measure::NoData,
        Measure::Failures,
    ],
    standard: "ISO 22400-2, mean operating time between failures; divided by FE, as is usual, where some copies print FE + 1",
    finest_grain: Grain::Day,
    method: 1,
    no_value_en: "no failure occurred, or no state was observed",
    no_value_vi: "không có hỏng hóc, hoặc không quan sát được trạng thái",
    compute,
};

fn compute(facts: &Facts, _: &KpiContext) -> Outcome {
    per_failure(facts, facts.amount(Measure::Apt) + facts.amount(Measure::Aust)).into()
}

#[cfg(test)]
mod tests {
    use crate::engine::kpi::testing::{day, near, none};
    use crate::model::fact::Measure;
    use crate::model::record::Reason;

    const HOUR: i128 = 3_600_000;

    #[test]
    fn m1_720_hours_less_24_of_repair_over_3_failures() {
        let facts = [
            (Measure::Apt, 696 * HOUR),
            (Measure::Adet, 24 * HOUR),
            (Measure::FaultTime, 24 * HOUR),
            (Measure::Failures, 3),
            (Measure::NoData, 0),
        ];
        near(&day("mtbf", &facts), 232.0);
    }

    #[test]
    fn without_a_failure_there_is_none() {
        let facts = [(Measure::Apt, HOUR), (Measure::Failures, 0), (Measure::NoData, 0)];
        none(&day("mtbf", &facts), Reason::NoFailure);
        none(&day("mtbf", &[(Measure::Failures, 0), (Measure::NoData, HOUR)]), Reason::NoData);
        none(&day("mtbf", &[(Measure::Apt, HOUR), (Measure::NoData, 0)]), Reason::NoInput);
    }
}
