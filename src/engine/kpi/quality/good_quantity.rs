//! Good quantity.

use crate::engine::kpi::{Family, KpiContext, KpiDefinition, Outcome, produced, ratio};
use crate::model::fact::{Facts, Measure};
use crate::model::record::{KpiId, Reason};
use crate::model::time::Grain;

pub(in crate::engine::kpi) static DEFINITION: KpiDefinition = KpiDefinition {
    id: KpiId::of("good_quantity"),
    name_en: "Good quantity",
    name_vi: "Sản lượng đạt",
    family: Family::Quality,
    definition_en: "Parts that were produced and are good, in the product unit.",
    definition_vi: "Số sản phẩm đạt chất lượng, theo đơn vị sản phẩm.",
    formula: "GQ",
    unit: "{unit}",
    measures: &[Measure::GoodQuantity, Measure::ProducedQuantity, Measure::PartsObserved, Measure::PartsExpected],
    standard: "ISO 22400-2, element GQ",
    finest_grain: Grain::Minute,
    method: 1,
    no_value_en: "neither good nor scrap quantity is measured, or nothing was counted in the window",
    no_value_vi: "không đo sản lượng đạt lẫn phế phẩm, hoặc chưa đếm được trong kỳ",
    compute,
};

fn compute(facts: &Facts, _: &KpiContext) -> Outcome {
    quantity(facts).into()
}

fn quantity(facts: &Facts) -> Result<f64, Reason> {
    let good = facts.get(Measure::GoodQuantity).ok_or(Reason::NoInput)?;
    match produced(facts) {
        Ok(_) | Err(Reason::NoProduction) => Ok(ratio(good, 1_000_000)),
        Err(reason) => Err(reason),
    }
}

#[cfg(test)]
mod tests {
    use crate::engine::kpi::testing::{day, near, none};
    use crate::model::fact::Measure;
    use crate::model::record::Reason;

    #[test]
    fn it_is_counted_where_anything_was() {
        let facts = [(Measure::ProducedQuantity, 380_000_000), (Measure::GoodQuantity, 361_000_000)];
        near(&day("good_quantity", &facts), 361.0);
        none(&day("good_quantity", &facts[..1]), Reason::NoInput);
    }
}
