//! Scrap ratio.

use crate::engine::kpi::{Family, KpiContext, KpiDefinition, Outcome, produced, ratio};
use crate::model::fact::{Facts, Measure};
use crate::model::record::{Flag, KpiId, Reason};
use crate::model::time::Grain;

pub(in crate::engine::kpi) static DEFINITION: KpiDefinition = KpiDefinition {
    id: KpiId::of("scrap_ratio"),
    name_en: "Scrap ratio",
    name_vi: "Tỷ lệ phế phẩm",
    family: Family::Quality,
    definition_en: "Share of the produced quantity that is scrap.",
    definition_vi: "Phần phế phẩm trong tổng sản lượng.",
    formula: "SQ / PQ",
    unit: "1",
    measures: &[
        Measure::ScrapQuantity,
        Measure::ProducedQuantity,
        Measure::GoodQuantity,
        Measure::ReworkQuantity,
        Measure::PartsObserved,
        Measure::PartsExpected,
    ],
    standard: "ISO 22400-2, scrap ratio",
    finest_grain: Grain::FiveMinutes,
    method: 1,
    no_value_en: "nothing was produced, or neither scrap nor good quantity is measured",
    no_value_vi: "không có sản lượng, hoặc không đo phế phẩm lẫn sản lượng đạt",
    compute,
};

fn compute(facts: &Facts, _: &KpiContext) -> Outcome {
    let flags = if do_quantities_disagree(facts) { vec![Flag::QuantitiesDisagree] } else { Vec::new() };
    Outcome { flags, ..Outcome::from(scrap(facts)) }
}

fn scrap(facts: &Facts) -> Result<f64, Reason> {
    let produced = produced(facts)?;
    Ok(ratio(facts.get(Measure::ScrapQuantity).ok_or(Reason::NoInput)?, produced))
}

/// Says whether what is counted apart contradicts itself: PQ is not GQ + SQ + RQ, by more than one unit and more than a
/// hundredth, since counters are read one after the other. What follows from the others never does.
fn do_quantities_disagree(facts: &Facts) -> bool {
    let [Some(produced), Some(good), Some(scrap)] =
        [Measure::ProducedQuantity, Measure::GoodQuantity, Measure::ScrapQuantity].map(|measure| facts.get(measure))
    else {
        return false;
    };
    let difference = (produced - good - scrap - facts.amount(Measure::ReworkQuantity)).abs();
    difference > 1_000_000 && difference * 100 > produced.abs()
}

#[cfg(test)]
mod tests {
    use crate::engine::kpi::testing::{day, e7, near, none};
    use crate::model::fact::Measure;
    use crate::model::record::{Flag, Reason};

    #[test]
    fn e7_it_is_scrap_over_produced_quantity() {
        let value = day("scrap_ratio", &e7());
        near(&value, 12.0 / 380.0);
        assert_eq!(value.flags, []);
    }

    #[test]
    fn counters_that_contradict_each_other_are_flagged() {
        let mut facts = e7();
        facts.push((Measure::ScrapQuantity, 20_000_000));
        assert_eq!(day("scrap_ratio", &facts).flags, [Flag::QuantitiesDisagree]);
    }

    #[test]
    fn without_production_it_is_undefined() {
        let facts = [(Measure::ProducedQuantity, 0), (Measure::ScrapQuantity, 0), (Measure::PartsObserved, 1)];
        none(&day("scrap_ratio", &facts), Reason::NoProduction);
    }
}
