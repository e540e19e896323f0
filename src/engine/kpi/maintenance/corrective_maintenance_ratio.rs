//! Corrective maintenance ratio.

use crate::engine::kpi::{Family, KpiContext, KpiDefinition, Outcome, ratio};
use crate::model::fact::{Facts, Measure};
use crate::model::record::{KpiId, Reason};
use crate::model::time::Grain;

use super::is_unobserved;

pub(in crate::engine::kpi) static DEFINITION: KpiDefinition = KpiDefinition {
    id: KpiId::of("corrective_maintenance_ratio"),
    name_en: "Corrective maintenance ratio",
    name_vi: "Tỷ lệ bảo trì sửa chữa",
    family: Family::Maintenance,
    definition_en: "Share of corrective maintenance in all maintenance time. Lower is better.",
    definition_vi: "Phần bảo trì sửa chữa trong tổng thời gian bảo trì. Càng thấp càng tốt.",
    formula: "CMT / (CMT + PMT)",
    unit: "1",
    measures: &[
        Measure::Apt,
        Measure::Aust,
        Measure::Adet,
        Measure::Adot,
        Measure::PlannedDown,
        Measure::NoData,
        Measure::Cmt,
        Measure::Pmt,
    ],
    standard: "ISO 22400-2, corrective maintenance ratio",
    finest_grain: Grain::Day,
    method: 1,
    no_value_en: "no maintenance was observed",
    no_value_vi: "không ghi nhận bảo trì",
    compute,
};

fn compute(facts: &Facts, _: &KpiContext) -> Outcome {
    corrective_ratio(facts).into()
}

fn corrective_ratio(facts: &Facts) -> Result<f64, Reason> {
    let corrective = facts.get(Measure::Cmt).ok_or(Reason::NoInput)?;
    let preventive = facts.get(Measure::Pmt).ok_or(Reason::NoInput)?;
    match corrective + preventive {
        0 if is_unobserved(facts) => Err(Reason::NoData),
        0 => Err(Reason::NoMaintenance),
        maintenance => Ok(ratio(corrective, maintenance)),
    }
}

#[cfg(test)]
mod tests {
    use crate::engine::kpi::testing::{day, near, none};
    use crate::model::fact::Measure;
    use crate::model::record::Reason;

    const HOUR: i128 = 3_600_000;

    #[test]
    fn m1_24_hours_of_repair_and_16_of_planned_maintenance() {
        let facts = [(Measure::Cmt, 24 * HOUR), (Measure::Pmt, 16 * HOUR), (Measure::NoData, 0)];
        near(&day("corrective_maintenance_ratio", &facts), 0.6);
    }

    #[test]
    fn without_maintenance_there_is_none() {
        let facts = [(Measure::Apt, HOUR), (Measure::Cmt, 0), (Measure::Pmt, 0), (Measure::NoData, 0)];
        none(&day("corrective_maintenance_ratio", &facts), Reason::NoMaintenance);
        let unknown = [(Measure::Cmt, 0), (Measure::Pmt, 0), (Measure::NoData, HOUR)];
        none(&day("corrective_maintenance_ratio", &unknown), Reason::NoData);
        none(&day("corrective_maintenance_ratio", &[(Measure::NoData, 0)]), Reason::NoInput);
    }
}
