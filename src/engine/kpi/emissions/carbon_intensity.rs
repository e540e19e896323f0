//! Carbon intensity.

use super::{Total, total};
use crate::engine::kpi::{Family, KpiContext, KpiDefinition, Outcome};
use crate::engine::kpi::{produced, ratio};
use crate::model::fact::{Facts, Measure};
use crate::model::record::KpiId;
use crate::model::time::Grain;

pub(in crate::engine::kpi) static DEFINITION: KpiDefinition = KpiDefinition {
    id: KpiId::of("carbon_intensity"),
    name_en: "Carbon intensity",
    name_vi: "Cường độ phát thải",
    family: Family::Emissions,
    definition_en: "Greenhouse gases of scope 1 and 2 for each unit produced.",
    definition_vi: "Khí nhà kính (phạm vi 1 và 2) cho mỗi đơn vị sản phẩm.",
    formula: "(scope 1 + scope 2) / PQ",
    unit: "kg/{unit}",
    measures: &[
        Measure::Electricity,
        Measure::ElectricityImport,
        Measure::ElectricitySubstituted,
        Measure::ElectricityExcluded,
        Measure::ElectricityObserved,
        Measure::ElectricityExpected,
        Measure::StationaryCo2e,
        Measure::MobileCo2e,
        Measure::ProcessCo2e,
        Measure::FugitiveCo2e,
        Measure::SteamCo2e,
        Measure::FuelEnergy,
        Measure::FuelEnergySubstituted,
        Measure::FuelEnergyExcluded,
        Measure::FuelEnergyDeclared,
        Measure::FuelObserved,
        Measure::FuelExpected,
        Measure::FactorMissing,
        Measure::SourcesUndeclared,
        Measure::ProducedQuantity,
        Measure::PartsObserved,
        Measure::PartsExpected,
    ],
    standard: "GHG Protocol, intensity ratio",
    finest_grain: Grain::FiveMinutes,
    method: 2,
    no_value_en: "nothing was produced, electricity was not measured, no grid factor was published for the year, or a factor of a fuel or of steam is missing",
    no_value_vi: "không có sản lượng, không đo điện, năm đó chưa công bố hệ số phát thải lưới điện, hoặc thiếu hệ số phát thải của nhiên liệu hoặc hơi",
    compute,
};

fn compute(facts: &Facts, context: &KpiContext) -> Outcome {
    match total(facts, context).and_then(|total| Ok((total, produced(facts)?))) {
        Ok((Total { tonnes, flags, factors }, quantity_micro)) => {
            Outcome { value: Ok(tonnes * 1000.0 / ratio(quantity_micro, 1_000_000)), flags, factors }
        }
        Err(reason) => Outcome::from(Err(reason)),
    }
}

#[cfg(test)]
mod tests {
    use crate::engine::kpi::testing::{day, near};
    use crate::model::fact::Measure;
    use crate::model::record::Flag;

    #[test]
    fn it_is_kilograms_over_produced_quantity_and_says_that_scope_1_is_missing() {
        let mut facts = vec![
            (Measure::Electricity, 1_000_000_000),
            (Measure::ElectricityObserved, 1),
            (Measure::ProducedQuantity, 100_000_000),
            (Measure::PartsObserved, 1),
        ];
        let value = day("carbon_intensity", &facts);
        near(&value, 6.592);
        assert_eq!(value.flags, [Flag::Scope1NotDeclared]);
        facts.push((Measure::StationaryCo2e, 100_000_000_000));
        let value = day("carbon_intensity", &facts);
        near(&value, 7.592);
        assert!(value.flags.is_empty());
    }
}
