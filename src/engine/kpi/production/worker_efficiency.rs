//! Worker efficiency.

use crate::engine::kpi::{Family, KpiContext, KpiDefinition, Outcome, ratio};
use crate::model::fact::{Facts, Measure};
use crate::model::record::{KpiId, Reason};
use crate::model::time::Grain;

pub(in crate::engine::kpi) static DEFINITION: KpiDefinition = KpiDefinition {
    id: KpiId::of("worker_efficiency"),
    name_en: "Worker efficiency",
    name_vi: "Hiệu suất làm việc của nhân công",
    family: Family::Production,
    definition_en: "Working time of people beside the time they attended. Numbers of people are told, never names.",
    definition_vi: "Thời gian làm việc của nhân công so với thời gian có mặt. Chỉ ghi nhận số người, không ghi tên.",
    formula: "APWT / APAT",
    unit: "1",
    measures: &[Measure::PersonnelWork, Measure::PersonnelAttendance],
    standard: "ISO 22400-2, worker efficiency",
    finest_grain: Grain::FiveMinutes,
    method: 1,
    no_value_en: "nobody attended, or attendance is not told",
    no_value_vi: "không có người có mặt, hoặc không ghi nhận thời gian có mặt",
    compute,
};

fn compute(facts: &Facts, _: &KpiContext) -> Outcome {
    efficiency(facts).into()
}

fn efficiency(facts: &Facts) -> Result<f64, Reason> {
    match facts.get(Measure::PersonnelAttendance).ok_or(Reason::NoInput)? {
        0 => Err(Reason::NoPersonnel),
        attendance => Ok(ratio(facts.amount(Measure::PersonnelWork), attendance)),
    }
}

#[cfg(test)]
mod tests {
    use crate::engine::kpi::testing::{day, near, none};
    use crate::model::fact::Measure;
    use crate::model::record::Reason;

    #[test]
    fn it_is_work_over_attendance_and_undefined_where_nobody_attended() {
        let facts = |present| [(Measure::PersonnelWork, 360), (Measure::PersonnelAttendance, present)];
        near(&day("worker_efficiency", &facts(480)), 0.75);
        none(&day("worker_efficiency", &facts(0)), Reason::NoPersonnel);
    }
}
