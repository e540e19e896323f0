//! Share of waste that went to landfill.

use super::share;
use crate::engine::kpi::{Family, KpiContext, KpiDefinition, Outcome};
use crate::model::fact::{Facts, Measure};
use crate::model::record::KpiId;
use crate::model::time::Grain;

pub(in crate::engine::kpi) static DEFINITION: KpiDefinition = KpiDefinition {
    id: KpiId::of("landfill_share"),
    name_en: "Share of waste to landfill",
    name_vi: "Tỷ lệ chất thải chôn lấp",
    family: Family::Water,
    definition_en: "Share of the waste that went to landfill.",
    definition_vi: "Tỷ lệ chất thải đưa đi chôn lấp.",
    formula: "landfilled waste / waste",
    unit: "1",
    measures: &[Measure::Waste, Measure::WasteLandfilled],
    standard: "UNIDO/World Bank/GIZ framework for eco-industrial parks, waste to landfill",
    finest_grain: Grain::Day,
    method: 1,
    no_value_en: "no waste is declared and approved for the period",
    no_value_vi: "chưa khai báo và phê duyệt chất thải nào cho kỳ này",
    compute,
};

fn compute(facts: &Facts, _: &KpiContext) -> Outcome {
    share(facts, Measure::WasteLandfilled).into()
}

#[cfg(test)]
mod tests {
    use crate::engine::kpi::testing::{day, near, none};
    use crate::model::fact::Measure;
    use crate::model::record::Reason;

    #[test]
    fn it_is_a_part_of_all_waste() {
        near(&day("landfill_share", &[(Measure::Waste, 8_000_000), (Measure::WasteLandfilled, 2_000_000)]), 0.25);
        assert_eq!(
            day("landfill_share", &[(Measure::Waste, 8_000_000), (Measure::WasteLandfilled, 0)]).value,
            Some(0.0)
        );
        none(&day("landfill_share", &[(Measure::Waste, 0), (Measure::WasteLandfilled, 0)]), Reason::NotDeclared);
    }
}
