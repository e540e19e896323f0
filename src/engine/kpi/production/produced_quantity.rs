//! Produced quantity.

use crate::engine::kpi::{Family, KpiContext, KpiDefinition, Outcome, produced, ratio};
use crate::model::fact::{Facts, Measure};
use crate::model::record::{KpiId, Reason};
use crate::model::time::Grain;

pub(in crate::engine::kpi) static DEFINITION: KpiDefinition = KpiDefinition {
    id: KpiId::of("produced_quantity"),
    name_en: "Produced quantity",
    name_vi: "Sản lượng",
    family: Family::Production,
    definition_en: "Parts that were produced, good or not, in the product unit.",
    definition_vi: "Tổng số sản phẩm làm ra, kể cả không đạt, theo đơn vị sản phẩm.",
    formula: "PQ",
    unit: "{unit}",
    measures: &[Measure::ProducedQuantity, Measure::PartsObserved, Measure::PartsExpected],
    standard: "ISO 22400-2, element PQ",
    finest_grain: Grain::Minute,
    method: 1,
    no_value_en: "parts are not counted, or were not counted in the window",
    no_value_vi: "không đếm sản lượng, hoặc chưa đếm được trong kỳ",
    compute,
};

fn compute(facts: &Facts, _: &KpiContext) -> Outcome {
    quantity(facts).into()
}

fn quantity(facts: &Facts) -> Result<f64, Reason> {
    match produced(facts) {
        // Nothing was produced, and that is known.
        Err(Reason::NoProduction) => Ok(0.0),
        quantity => Ok(ratio(quantity?, 1_000_000)),
    }
}

#[cfg(test)]
mod tests {
    use crate::engine::kpi::testing::{day, near, none};
    use crate::model::fact::Measure;
    use crate::model::record::Reason;

    #[test]
    fn nothing_produced_is_0_and_nothing_counted_is_none() {
        let facts = |quantity, observed| [(Measure::ProducedQuantity, quantity), (Measure::PartsObserved, observed)];
        near(&day("produced_quantity", &facts(380_000_000, 1)), 380.0);
        assert_eq!(day("produced_quantity", &facts(0, 1)).value, Some(0.0));
        none(&day("produced_quantity", &facts(0, 0)), Reason::NoData);
    }
}
