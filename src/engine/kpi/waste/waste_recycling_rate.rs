//! Share of waste that was recycled or used again.

use super::share;
use crate::engine::kpi::{Family, KpiContext, KpiDefinition, Outcome};
use crate::model::fact::{Facts, Measure};
use crate::model::record::KpiId;
use crate::model::time::Grain;

pub(in crate::engine::kpi) static DEFINITION: KpiDefinition = KpiDefinition {
    id: KpiId::of("waste_recycling_rate"),
    name_en: "Waste recycling rate",
    name_vi: "Tỷ lệ tái chế chất thải",
    family: Family::Water,
    definition_en: "Share of the waste that was recycled or used again.",
    definition_vi: "Tỷ lệ chất thải được tái chế hoặc tái sử dụng.",
    formula: "recycled waste / waste",
    unit: "1",
    measures: &[Measure::Waste, Measure::WasteRecycled],
    standard: "UNIDO/World Bank/GIZ framework for eco-industrial parks, reuse of solid waste",
    finest_grain: Grain::Day,
    method: 1,
    no_value_en: "no waste is declared and approved for the period",
    no_value_vi: "chưa khai báo và phê duyệt chất thải nào cho kỳ này",
    compute,
};

fn compute(facts: &Facts, _: &KpiContext) -> Outcome {
    share(facts, Measure::WasteRecycled).into()
}

#[cfg(test)]
mod tests {
    use crate::engine::kpi::testing::{day, near, none};
    use crate::model::fact::Measure;
    use crate::model::record::Reason;

    #[test]
    fn it_is_a_part_of_all_waste() {
        near(&day("waste_recycling_rate", &[(Measure::Waste, 8_000_000), (Measure::WasteRecycled, 2_000_000)]), 0.25);
        assert_eq!(
            day("waste_recycling_rate", &[(Measure::Waste, 8_000_000), (Measure::WasteRecycled, 0)]).value,
            Some(0.0)
        );
        none(&day("waste_recycling_rate", &[(Measure::Waste, 0), (Measure::WasteRecycled, 0)]), Reason::NotDeclared);
    }
}
