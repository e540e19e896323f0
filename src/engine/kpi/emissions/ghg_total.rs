//! Scope 1 and 2 together.

use super::{Total, total};
use crate::engine::kpi::{Family, KpiContext, KpiDefinition, Outcome};
use crate::model::fact::{Facts, Measure};
use crate::model::record::KpiId;
use crate::model::time::Grain;

pub(in crate::engine::kpi) static DEFINITION: KpiDefinition = KpiDefinition {
    id: KpiId::of("ghg_total"),
    name_en: "Greenhouse gases, scope 1 and 2",
    name_vi: "Tổng phát thải khí nhà kính (phạm vi 1 và 2)",
    family: Family::Emissions,
    definition_en: "Direct emissions and those of electricity and steam, location-based.",
    definition_vi: "Phát thải trực tiếp và phát thải từ điện, hơi (theo vị trí).",
    formula: "scope 1 + scope 2",
    unit: "t",
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
    ],
    standard: "GHG Protocol Corporate Standard; Decree 06/2022/NĐ-CP, Article 6",
    finest_grain: Grain::FiveMinutes,
    method: 1,
    no_value_en: "electricity was not measured, no grid factor was published for the year, or a factor of a fuel or of steam is missing",
    no_value_vi: "không đo điện, năm đó chưa công bố hệ số phát thải lưới điện, hoặc thiếu hệ số phát thải của nhiên liệu hoặc hơi",
    compute,
};

fn compute(facts: &Facts, context: &KpiContext) -> Outcome {
    match total(facts, context) {
        Ok(Total { tonnes, flags, factors }) => Outcome { value: Ok(tonnes), flags, factors },
        Err(reason) => Outcome::from(Err(reason)),
    }
}

#[cfg(test)]
mod tests {
    use crate::engine::kpi::testing::{day, near, none};
    use crate::model::fact::Measure;
    use crate::model::record::{Flag, Reason};

    #[test]
    fn it_says_where_no_direct_emissions_are_declared() {
        let mut facts = vec![(Measure::Electricity, 1_000_000_000_000), (Measure::ElectricityObserved, 1)];
        let value = day("ghg_total", &facts);
        near(&value, 659.2);
        assert_eq!(value.flags, [Flag::Scope1NotDeclared]);
        facts.push((Measure::StationaryCo2e, 31_967_490_000_000));
        let value = day("ghg_total", &facts);
        near(&value, 691.167_49);
        assert!(value.flags.is_empty());
        facts.push((Measure::FactorMissing, 1));
        none(&day("ghg_total", &facts), Reason::NoPublishedFactor);
        none(&day("ghg_total", &facts[2..3]), Reason::NoInput);
    }
}
