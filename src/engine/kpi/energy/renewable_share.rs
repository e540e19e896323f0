//! Renewable share of electricity.

use crate::engine::kpi::{Family, KpiContext, KpiDefinition, Outcome, electricity_part, ratio};
use crate::model::fact::{Facts, Measure};
use crate::model::record::{KpiId, Reason};
use crate::model::time::Grain;

pub(in crate::engine::kpi) static DEFINITION: KpiDefinition = KpiDefinition {
    id: KpiId::of("renewable_share"),
    name_en: "Renewable share of electricity",
    name_vi: "Tỷ lệ điện năng tái tạo",
    family: Family::Energy,
    definition_en: "Own renewable generation in all electricity that came in: from the grid and generated.",
    definition_vi: "Phần điện tái tạo tự phát trong tổng điện năng nhận vào: mua từ lưới và tự phát.",
    formula: "E_renewable / (E_import + E_generation)",
    unit: "1",
    measures: &[
        Measure::ElectricityRenewable,
        Measure::ElectricityGeneration,
        Measure::ElectricityImport,
        Measure::ElectricitySubstituted,
        Measure::ElectricityExcluded,
        Measure::ElectricityObserved,
        Measure::ElectricityExpected,
    ],
    standard: "UNIDO/World Bank/GIZ framework for eco-industrial parks, renewable share",
    finest_grain: Grain::QuarterHour,
    method: 1,
    no_value_en: "no generation is metered, or no electricity came in",
    no_value_vi: "không đo nguồn tự phát, hoặc không có điện năng nhận vào",
    compute,
};

fn compute(facts: &Facts, _: &KpiContext) -> Outcome {
    share(facts).into()
}

fn share(facts: &Facts) -> Result<f64, Reason> {
    let renewable = electricity_part(facts, Measure::ElectricityRenewable)?;
    match facts.amount(Measure::ElectricityImport) + facts.amount(Measure::ElectricityGeneration) {
        0 => Err(Reason::NoEnergy),
        all => Ok(ratio(renewable, all)),
    }
}

#[cfg(test)]
mod tests {
    use crate::engine::kpi::testing::{day, near, none};
    use crate::model::fact::Measure;
    use crate::model::record::Reason;

    #[test]
    fn a_generator_set_is_generation_and_not_renewable() {
        let facts = [
            (Measure::ElectricityImport, 700_000_000),
            (Measure::ElectricityGeneration, 300_000_000),
            (Measure::ElectricityRenewable, 200_000_000),
            (Measure::ElectricityObserved, 1),
        ];
        near(&day("renewable_share", &facts), 0.2);
        none(&day("renewable_share", &facts[..1]), Reason::NoInput);
    }
}
