//! Waste for each unit produced.

use super::declared;
use crate::engine::kpi::{Family, KpiContext, KpiDefinition, Outcome, produced, ratio};
use crate::model::fact::{Facts, Measure};
use crate::model::record::KpiId;
use crate::model::time::Grain;

pub(in crate::engine::kpi) static DEFINITION: KpiDefinition = KpiDefinition {
    id: KpiId::of("waste_specific"),
    name_en: "Specific waste",
    name_vi: "Suất phát sinh chất thải",
    family: Family::Water,
    definition_en: "Waste for each unit produced.",
    definition_vi: "Khối lượng chất thải cho mỗi đơn vị sản phẩm.",
    formula: "waste / PQ",
    unit: "kg/{unit}",
    measures: &[Measure::Waste, Measure::ProducedQuantity],
    standard: "UNIDO/World Bank/GIZ framework for eco-industrial parks, waste intensity",
    finest_grain: Grain::Day,
    method: 1,
    no_value_en: "nothing was produced, or no waste is declared and approved for the period",
    no_value_vi: "không có sản lượng, hoặc chưa khai báo và phê duyệt chất thải nào cho kỳ này",
    compute,
};

fn compute(facts: &Facts, _: &KpiContext) -> Outcome {
    let specific = || Ok(ratio(declared(facts)? * 1_000, produced(facts)?));
    specific().into()
}

#[cfg(test)]
mod tests {
    use crate::engine::kpi::testing::{day, near, none};
    use crate::model::fact::Measure;
    use crate::model::record::Reason;

    #[test]
    fn it_is_kilograms_for_each_unit() {
        let parts = [(Measure::ProducedQuantity, 5_000_000_000), (Measure::PartsObserved, 1)];
        near(&day("waste_specific", &[&parts[..], &[(Measure::Waste, 2_000_000)]].concat()), 0.4);
        let idle = [(Measure::ProducedQuantity, 0), (Measure::PartsObserved, 1), (Measure::Waste, 2_000_000)];
        none(&day("waste_specific", &idle), Reason::NoProduction);
    }
}
