//! Share of waste that is hazardous.

use super::share;
use crate::engine::kpi::{Family, KpiContext, KpiDefinition, Outcome};
use crate::model::fact::{Facts, Measure};
use crate::model::record::KpiId;
use crate::model::time::Grain;

pub(in crate::engine::kpi) static DEFINITION: KpiDefinition = KpiDefinition {
    id: KpiId::of("hazardous_share"),
    name_en: "Share of hazardous waste",
    name_vi: "Tỷ lệ chất thải nguy hại",
    family: Family::Water,
    definition_en: "Share of the waste that is hazardous.",
    definition_vi: "Tỷ lệ chất thải nguy hại trong tổng lượng chất thải.",
    formula: "hazardous waste / waste",
    unit: "1",
    measures: &[Measure::Waste, Measure::WasteHazardous],
    standard: "GRI 306-3 (2020)",
    finest_grain: Grain::Day,
    method: 1,
    no_value_en: "no waste is declared and approved for the period",
    no_value_vi: "chưa khai báo và phê duyệt chất thải nào cho kỳ này",
    compute,
};

fn compute(facts: &Facts, _: &KpiContext) -> Outcome {
    share(facts, Measure::WasteHazardous).into()
}

#[cfg(test)]
mod tests {
    use crate::engine::kpi::testing::{day, near, none};
    use crate::model::fact::Measure;
    use crate::model::record::Reason;

    #[test]
    fn it_is_a_part_of_all_waste() {
        near(&day("hazardous_share", &[(Measure::Waste, 8_000_000), (Measure::WasteHazardous, 2_000_000)]), 0.25);
        assert_eq!(
            day("hazardous_share", &[(Measure::Waste, 8_000_000), (Measure::WasteHazardous, 0)]).value,
            Some(0.0)
        );
        none(&day("hazardous_share", &[(Measure::Waste, 0), (Measure::WasteHazardous, 0)]), Reason::NotDeclared);
    }
}
