//! Specific water consumption.

use crate::engine::kpi::{Family, KpiContext, KpiDefinition, Outcome, amount, produced, ratio};
use crate::engine::medium::Medium;
use crate::model::fact::{Facts, Measure};
use crate::model::record::{KpiId, Reason};
use crate::model::time::Grain;

pub(in crate::engine::kpi) static DEFINITION: KpiDefinition = KpiDefinition {
    id: KpiId::of("water_specific"),
    name_en: "Specific water consumption",
    name_vi: "Suất tiêu hao nước",
    family: Family::Water,
    definition_en: "Water for each unit produced.",
    definition_vi: "Lượng nước cho mỗi đơn vị sản phẩm.",
    formula: "V / PQ",
    unit: "m3/{unit}",
    measures: &[
        Measure::Water,
        Measure::WaterSubstituted,
        Measure::WaterExcluded,
        Measure::WaterObserved,
        Measure::WaterExpected,
        Measure::ProducedQuantity,
        Measure::PartsObserved,
        Measure::PartsExpected,
    ],
    standard: "UNIDO/World Bank/GIZ framework for eco-industrial parks, water intensity",
    finest_grain: Grain::FiveMinutes,
    method: 1,
    no_value_en: "nothing was produced, or water was not measured",
    no_value_vi: "không có sản lượng, hoặc không đo nước",
    compute,
};

fn compute(facts: &Facts, _: &KpiContext) -> Outcome {
    specific(facts).into()
}

fn specific(facts: &Facts) -> Result<f64, Reason> {
    Ok(ratio(amount(facts, Medium::Water)?, produced(facts)?))
}

#[cfg(test)]
mod tests {
    use crate::engine::kpi::testing::{day, near};
    use crate::model::fact::Measure;

    #[test]
    fn it_is_water_over_produced_quantity() {
        let facts = [
            (Measure::Water, 45_000_000),
            (Measure::WaterObserved, 1),
            (Measure::ProducedQuantity, 300_000_000),
            (Measure::PartsObserved, 1),
        ];
        near(&day("water_specific", &facts), 0.15);
    }
}
