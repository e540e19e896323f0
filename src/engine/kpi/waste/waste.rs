//! Waste that left the site.

use super::declared;
use crate::engine::kpi::{Family, KpiContext, KpiDefinition, Outcome, ratio};
use crate::model::fact::{Facts, Measure};
use crate::model::record::KpiId;
use crate::model::time::Grain;

pub(in crate::engine::kpi) static DEFINITION: KpiDefinition = KpiDefinition {
    id: KpiId::of("waste"),
    name_en: "Waste",
    name_vi: "Lượng chất thải",
    family: Family::Water,
    definition_en: "Waste that left the site, as declared and approved by two persons.",
    definition_vi: "Khối lượng chất thải đưa ra khỏi cơ sở, theo khai báo đã được người thứ hai phê duyệt.",
    formula: "sum of declared waste",
    unit: "t",
    measures: &[Measure::Waste],
    standard: "GRI 306-3 (2020)",
    finest_grain: Grain::Day,
    method: 1,
    no_value_en: "no waste is declared and approved for the period",
    no_value_vi: "chưa khai báo và phê duyệt chất thải nào cho kỳ này",
    compute,
};

fn compute(facts: &Facts, _: &KpiContext) -> Outcome {
    declared(facts).map(|waste| ratio(waste, 1_000_000)).into()
}

#[cfg(test)]
mod tests {
    use crate::engine::kpi::testing::{day, near, none};
    use crate::model::fact::Measure;
    use crate::model::record::Reason;

    #[test]
    fn it_is_what_was_declared_and_none_is_no_zero() {
        near(&day("waste", &[(Measure::Waste, 12_500_000)]), 12.5);
        none(&day("waste", &[(Measure::Waste, 0)]), Reason::NotDeclared);
        none(&day("waste", &[]), Reason::NoInput);
    }
}
