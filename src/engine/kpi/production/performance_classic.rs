//! Performance of the classic OEE.

use crate::engine::kpi::{Family, KpiContext, KpiDefinition, Outcome, has_states, ratio};
use crate::model::fact::{Facts, Measure};
use crate::model::record::{Flag, KpiId, Reason};
use crate::model::time::Grain;

use super::run_ms;

pub(in crate::engine::kpi) static DEFINITION: KpiDefinition = KpiDefinition {
    id: KpiId::of("performance_classic"),
    name_en: "Performance (classic OEE)",
    name_vi: "Hiệu năng (OEE cổ điển)",
    family: Family::Production,
    definition_en: "Ideal time for what was produced, beside the run time: what slow cycles and minor stops leave of it.",
    definition_vi: "Thời gian lý tưởng cho sản lượng đã làm so với thời gian chạy: phần còn lại sau chạy chậm và dừng ngắn.",
    formula: "PRU × PQ / (APT + minor stops)",
    unit: "1",
    measures: &[
        Measure::Apt,
        Measure::Aust,
        Measure::Adet,
        Measure::Adot,
        Measure::PlannedDown,
        Measure::NoData,
        Measure::MinorStops,
        Measure::PruPq,
        Measure::ProducedQuantity,
        Measure::PartsObserved,
        Measure::PartsExpected,
    ],
    standard: "Total productive maintenance (Nakajima), performance; may exceed 1 where the ideal cycle is too generous",
    finest_grain: Grain::FiveMinutes,
    method: 1,
    no_value_en: "no planned run time per unit is declared, or the run time is 0",
    no_value_vi: "chưa khai báo thời gian kế hoạch cho một sản phẩm, hoặc thời gian chạy bằng 0",
    compute,
};

fn compute(facts: &Facts, _: &KpiContext) -> Outcome {
    let value = performance(facts);
    let flags = if value.is_ok_and(|value| value > 1.0) { vec![Flag::EffectivenessAbove100] } else { Vec::new() };
    Outcome { flags, ..Outcome::from(value) }
}

fn performance(facts: &Facts) -> Result<f64, Reason> {
    if !has_states(facts) || facts.get(Measure::ProducedQuantity).or(facts.get(Measure::PruPq)).is_none() {
        return Err(Reason::NoInput);
    }
    let planned_ns = facts.get(Measure::PruPq).ok_or(Reason::NoPlannedRunTime)?;
    match run_ms(facts) {
        0 if facts.amount(Measure::NoData) > 0 => Err(Reason::NoData),
        0 => Err(Reason::NoProductionTime),
        run => Ok(ratio(planned_ns, run * 1_000_000)),
    }
}

#[cfg(test)]
mod tests {
    use crate::engine::kpi::testing::{day, e7, near, none};
    use crate::model::fact::Measure;
    use crate::model::record::Reason;

    #[test]
    fn e1_parts_took_longer_than_the_ideal_cycle() {
        let facts = [
            (Measure::Apt, 373 * 60_000),
            (Measure::NoData, 0),
            (Measure::ProducedQuantity, 19_271_000_000),
            (Measure::PruPq, 19_271 * 1_000_000_000),
        ];
        near(&day("performance_classic", &facts), 0.861_081);
    }

    #[test]
    fn minor_stops_lower_it() {
        let mut facts = e7();
        facts.push((Measure::MinorStops, 10 * 60_000));
        near(&day("performance_classic", &facts), 0.8 * 380.0 / 330.0);
        none(&day("performance_classic", &[(Measure::NoData, 0)]), Reason::NoInput);
    }
}
