//! Quality ratio.

use crate::engine::kpi::{Family, KpiContext, KpiDefinition, Outcome, produced, ratio};
use crate::model::fact::{Facts, Measure};
use crate::model::record::{KpiId, Reason};
use crate::model::time::Grain;

pub(in crate::engine::kpi) static DEFINITION: KpiDefinition = KpiDefinition {
    id: KpiId::of("quality_ratio"),
    name_en: "Quality ratio",
    name_vi: "Tỷ lệ đạt chất lượng",
    family: Family::Quality,
    definition_en: "Share of the produced quantity that is good.",
    definition_vi: "Phần sản lượng đạt chất lượng trong tổng sản lượng.",
    formula: "GQ / PQ; over several products Σ(PRU × GQ) / Σ(PRU × PQ)",
    unit: "1",
    measures: &[
        Measure::ProducedQuantity,
        Measure::GoodQuantity,
        Measure::PartsObserved,
        Measure::PartsExpected,
        Measure::PruPq,
        Measure::PruGq,
    ],
    standard: "ISO 22400-2, quality ratio",
    finest_grain: Grain::FiveMinutes,
    method: 1,
    no_value_en: "nothing was produced, or neither good nor scrap quantity is measured",
    no_value_vi: "không có sản lượng, hoặc không đo sản lượng đạt lẫn phế phẩm",
    compute,
};

fn compute(facts: &Facts, context: &KpiContext) -> Outcome {
    quality(facts, context).into()
}

/// Time-weighted where planned run times are known, so that products of unlike size keep OEE = A × E × Q. Those of unlike
/// things don't weigh against each other; what counts is then what leaves the group.
fn quality(facts: &Facts, context: &KpiContext) -> Result<f64, Reason> {
    match (facts.get(Measure::PruPq), facts.get(Measure::PruGq)) {
        (Some(produced), Some(good)) if produced != 0 && !context.unlike_members => return Ok(ratio(good, produced)),
        _ => {}
    }
    let produced = produced(facts)?;
    // Only where nothing weighs them: see `outcome`.
    if facts.amount(Measure::UnlikeParts) != 0 {
        return Err(Reason::NotMergeable);
    }
    let good = facts.get(Measure::GoodQuantity).ok_or(Reason::NoInput)?;
    Ok(ratio(good, produced))
}

#[cfg(test)]
mod tests {
    use crate::engine::kpi::testing::{day, near, none};
    use crate::model::fact::Measure;
    use crate::model::record::Reason;

    #[test]
    fn e9_without_production_it_is_undefined() {
        let facts = [(Measure::ProducedQuantity, 0), (Measure::GoodQuantity, 0), (Measure::PartsObserved, 1)];
        none(&day("quality_ratio", &facts), Reason::NoProduction);
    }

    #[test]
    fn without_planned_run_times_it_counts_parts() {
        let facts = [(Measure::ProducedQuantity, 400), (Measure::GoodQuantity, 380), (Measure::PartsObserved, 1)];
        near(&day("quality_ratio", &facts), 0.95);
    }
}
