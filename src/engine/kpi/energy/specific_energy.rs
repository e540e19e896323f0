//! Specific energy consumption.

use crate::engine::kpi::{Family, KpiContext, KpiDefinition, Outcome, electricity_micro_kwh, produced, ratio};
use crate::model::fact::{Facts, Measure};
use crate::model::record::{KpiId, Reason};
use crate::model::time::Grain;

pub(in crate::engine::kpi) static DEFINITION: KpiDefinition = KpiDefinition {
    id: KpiId::of("specific_energy"),
    name_en: "Specific energy consumption",
    name_vi: "Suất tiêu hao năng lượng",
    family: Family::Energy,
    definition_en: "Electricity for each unit produced.",
    definition_vi: "Điện năng cho mỗi đơn vị sản phẩm.",
    formula: "E / PQ",
    unit: "kW.h/{unit}",
    measures: &[
        Measure::Electricity,
        Measure::ElectricitySubstituted,
        Measure::ElectricityExcluded,
        Measure::ElectricityObserved,
        Measure::ElectricityExpected,
        Measure::ProducedQuantity,
        Measure::PartsObserved,
        Measure::PartsExpected,
    ],
    standard: "ISO 50006, ratio EnPI; ISO 22400-2, comprehensive energy consumption",
    finest_grain: Grain::FiveMinutes,
    method: 1,
    no_value_en: "nothing was produced, or electricity was not measured",
    no_value_vi: "không có sản lượng, hoặc không đo điện",
    compute,
};

fn compute(facts: &Facts, _: &KpiContext) -> Outcome {
    specific_energy(facts).into()
}

fn specific_energy(facts: &Facts) -> Result<f64, Reason> {
    Ok(ratio(electricity_micro_kwh(facts)?, produced(facts)?))
}

#[cfg(test)]
mod tests {
    use crate::engine::kpi::testing::{day, near};
    use crate::model::fact::Measure;

    #[test]
    fn it_is_energy_over_produced_quantity() {
        let facts = [
            (Measure::Electricity, 900_000_000),
            (Measure::ElectricityObserved, 1),
            (Measure::ProducedQuantity, 300_000_000),
            (Measure::PartsObserved, 1),
        ];
        near(&day("specific_energy", &facts), 3.0);
    }
}
