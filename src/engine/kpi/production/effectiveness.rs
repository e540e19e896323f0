//! Effectiveness.

use crate::engine::kpi::{Family, KpiContext, KpiDefinition, Outcome, has_states, ratio};
use crate::model::fact::{Facts, Measure};
use crate::model::record::{Flag, KpiId, Reason};
use crate::model::time::Grain;

pub(in crate::engine::kpi) static DEFINITION: KpiDefinition = KpiDefinition {
    id: KpiId::of("effectiveness"),
    name_en: "Effectiveness",
    name_vi: "Hiệu năng",
    family: Family::Production,
    definition_en: "Planned time for what was produced, beside the time it really took.",
    definition_vi: "Thời gian kế hoạch cho sản lượng đã làm so với thời gian sản xuất thực tế.",
    formula: "PRU × PQ / APT",
    unit: "1",
    measures: &[
        Measure::Apt,
        Measure::Aust,
        Measure::Adet,
        Measure::Adot,
        Measure::PlannedDown,
        Measure::NoData,
        Measure::PruPq,
        Measure::ProducedQuantity,
        Measure::PartsObserved,
        Measure::PartsExpected,
    ],
    standard: "ISO 22400-2, effectiveness; may exceed 1 where PRU is too generous",
    finest_grain: Grain::FiveMinutes,
    method: 1,
    no_value_en: "no planned run time per unit is declared, or the actual production time is 0",
    no_value_vi: "chưa khai báo thời gian kế hoạch cho một sản phẩm, hoặc thời gian sản xuất thực tế bằng 0",
    compute,
};

fn compute(facts: &Facts, _: &KpiContext) -> Outcome {
    let value = effectiveness(facts);
    let flags = if value.is_ok_and(|value| value > 1.0) { vec![Flag::EffectivenessAbove100] } else { Vec::new() };
    Outcome { flags, ..Outcome::from(value) }
}

fn effectiveness(facts: &Facts) -> Result<f64, Reason> {
    if !has_states(facts) || facts.get(Measure::ProducedQuantity).or(facts.get(Measure::PruPq)).is_none() {
        return Err(Reason::NoInput);
    }
    let planned_ns = facts.get(Measure::PruPq).ok_or(Reason::NoPlannedRunTime)?;
    match facts.amount(Measure::Apt) {
        0 if facts.amount(Measure::NoData) > 0 => Err(Reason::NoData),
        0 => Err(Reason::NoProductionTime),
        apt => Ok(ratio(planned_ns, apt * 1_000_000)),
    }
}

#[cfg(test)]
mod tests {
    use crate::engine::kpi::testing::{day, near};
    use crate::model::fact::Measure;
    use crate::model::record::Flag;

    #[test]
    fn above_100_percent_is_published_with_a_flag_and_not_clamped() {
        let facts = [
            (Measure::Apt, 100),
            (Measure::NoData, 0),
            (Measure::ProducedQuantity, 1_000_000),
            (Measure::PruPq, 107_000_000),
            (Measure::PartsObserved, 1),
            (Measure::PartsExpected, 1),
        ];
        let value = day("effectiveness", &facts);
        near(&value, 1.07);
        assert_eq!(value.flags, [Flag::EffectivenessAbove100]);
    }
}
