//! Total effective equipment performance (TEEP).

use crate::engine::kpi::{Family, KpiContext, KpiDefinition, Outcome, ratio};
use crate::model::fact::{Facts, Measure};
use crate::model::record::{KpiId, Reason};
use crate::model::time::Grain;

use super::{generous, planned_good_ns};

pub(in crate::engine::kpi) static DEFINITION: KpiDefinition = KpiDefinition {
    id: KpiId::of("teep"),
    name_en: "Total effective equipment performance (TEEP)",
    name_vi: "Hiệu suất thiết bị toàn phần (TEEP)",
    family: Family::Production,
    definition_en: "Planned time for the good quantity, beside all time of the calendar day and not only the planned part.",
    definition_vi: "Thời gian kế hoạch cho sản lượng đạt so với toàn bộ thời gian theo lịch, không chỉ phần có kế hoạch.",
    formula: "Σ(PRU × GQ) / (all time − NO_DATA) = OEE × PBT / (all time − NO_DATA)",
    unit: "1",
    measures: &[
        Measure::Apt,
        Measure::Aust,
        Measure::Adet,
        Measure::Adot,
        Measure::PlannedDown,
        Measure::NoData,
        Measure::AllTime,
        Measure::ProducedQuantity,
        Measure::GoodQuantity,
        Measure::PartsObserved,
        Measure::PartsExpected,
        Measure::PruPq,
        Measure::PruGq,
    ],
    standard: "Total productive maintenance (Nakajima), TEEP",
    finest_grain: Grain::Day,
    method: 1,
    no_value_en: "nothing was produced, nothing was observed, or no planned run time per unit is declared",
    no_value_vi: "không có sản lượng, không quan sát được gì, hoặc chưa khai báo thời gian kế hoạch cho một sản phẩm",
    compute,
};

fn compute(facts: &Facts, _: &KpiContext) -> Outcome {
    Outcome { flags: generous(facts), ..Outcome::from(teep(facts)) }
}

fn teep(facts: &Facts) -> Result<f64, Reason> {
    let all = facts.get(Measure::AllTime).ok_or(Reason::NoInput)?;
    let good_ns = planned_good_ns(facts)?;
    match all - facts.amount(Measure::NoData) {
        known if known <= 0 => Err(Reason::NoData),
        known => Ok(ratio(good_ns, known * 1_000_000)),
    }
}

#[cfg(test)]
mod tests {
    use crate::engine::kpi::testing::{day, e7, near, none};
    use crate::model::fact::Measure;
    use crate::model::record::Reason;

    #[test]
    fn e7_in_a_whole_day_the_time_without_a_plan_counts_too() {
        let mut facts = e7();
        facts.push((Measure::AllTime, 1440 * 60_000));
        near(&day("teep", &facts), 0.687_619 * 420.0 / 1440.0);
    }

    #[test]
    fn time_without_data_is_no_loss() {
        let mut facts = e7();
        facts.push((Measure::AllTime, 1440 * 60_000));
        facts.push((Measure::NoData, 60 * 60_000));
        near(&day("teep", &facts), 0.687_619 * 420.0 / 1380.0);
    }

    #[test]
    fn e9_without_production_it_is_undefined() {
        let facts = [(Measure::AllTime, 5), (Measure::PruPq, 0), (Measure::PruGq, 0), (Measure::PartsObserved, 1)];
        none(&day("teep", &facts), Reason::NoProduction);
    }
}
