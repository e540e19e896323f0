//! First pass yield.

use crate::engine::kpi::{Family, KpiContext, KpiDefinition, Outcome, ratio};
use crate::model::fact::{Facts, Measure};
use crate::model::record::{KpiId, Reason};
use crate::model::time::Grain;

pub(in crate::engine::kpi) static DEFINITION: KpiDefinition = KpiDefinition {
    id: KpiId::of("first_pass_yield"),
    name_en: "First pass yield",
    name_vi: "Tỷ lệ đạt ngay lần đầu",
    family: Family::Quality,
    definition_en: "Share of inspected parts that are good at the first inspection.",
    definition_vi: "Phần sản phẩm đạt ngay lần kiểm tra đầu trong số đã kiểm tra.",
    formula: "GP / IP",
    unit: "1",
    measures: &[Measure::GoodParts, Measure::InspectedParts],
    standard: "ISO 22400-2, first pass yield",
    finest_grain: Grain::FiveMinutes,
    method: 1,
    no_value_en: "nothing was inspected, or inspection is not told",
    no_value_vi: "chưa kiểm tra sản phẩm nào, hoặc không ghi nhận kết quả kiểm tra",
    compute,
};

fn compute(facts: &Facts, _: &KpiContext) -> Outcome {
    yielded(facts).into()
}

fn yielded(facts: &Facts) -> Result<f64, Reason> {
    match facts.get(Measure::InspectedParts).ok_or(Reason::NoInput)? {
        0 => Err(Reason::NoInspection),
        inspected => Ok(ratio(facts.amount(Measure::GoodParts), inspected)),
    }
}

#[cfg(test)]
mod tests {
    use crate::engine::kpi::testing::{day, near, none};
    use crate::model::fact::Measure;
    use crate::model::record::Reason;

    #[test]
    fn it_is_good_parts_over_inspected_ones() {
        let facts = |inspected| [(Measure::GoodParts, 190), (Measure::InspectedParts, inspected)];
        near(&day("first_pass_yield", &facts(200)), 0.95);
        none(&day("first_pass_yield", &facts(0)), Reason::NoInspection);
    }
}
