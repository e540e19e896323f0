//! Cost of electricity.

use crate::engine::kpi::{Family, KpiContext, KpiDefinition, Outcome, electricity_part, ratio};
use crate::model::fact::{Facts, Measure};
use crate::model::record::{KpiId, Reason};
use crate::model::time::Grain;

pub(in crate::engine::kpi) static DEFINITION: KpiDefinition = KpiDefinition {
    id: KpiId::of("electricity_cost"),
    name_en: "Cost of electricity",
    name_vi: "Tiền điện theo khung giờ",
    family: Family::Energy,
    definition_en: "What electricity from the grid costs by the hours and prices that hold on the day, before VAT. What is given back earns nothing here, and reactive energy and capacity charges are not in it.",
    definition_vi: "Tiền điện mua từ lưới theo khung giờ và đơn giá áp dụng vào ngày đó, chưa gồm thuế GTGT; chưa trừ điện phát trả lưới, chưa gồm tiền công suất phản kháng và giá công suất.",
    formula: "Σ imports × price of the band",
    unit: "VND",
    measures: &[
        Measure::ElectricityCost,
        Measure::ElectricityUnpriced,
        Measure::ElectricityImport,
        Measure::ElectricitySubstituted,
        Measure::ElectricityExcluded,
        Measure::ElectricityObserved,
        Measure::ElectricityExpected,
    ],
    standard: "time-of-use tariff of the reference data, before VAT",
    finest_grain: Grain::Minute,
    method: 1,
    no_value_en: "no tariff is declared, no price is published for a part of the window, or no boundary meter was read",
    no_value_vi: "chưa khai báo biểu giá, một phần của kỳ chưa có đơn giá công bố, hoặc không đọc được công tơ ranh giới",
    compute,
};

fn compute(facts: &Facts, _: &KpiContext) -> Outcome {
    cost(facts).into()
}

fn cost(facts: &Facts) -> Result<f64, Reason> {
    electricity_part(facts, Measure::ElectricityImport)?;
    // A sum in which some energy has no price would be a cost of less than was used.
    if facts
        .get(Measure::ElectricityUnpriced)
        .is_some_and(|unpriced| unpriced != 0 || facts.get(Measure::ElectricityCost).is_none())
    {
        return Err(Reason::NoPublishedFactor);
    }
    Ok(ratio(facts.get(Measure::ElectricityCost).ok_or(Reason::NoInput)?, 1_000_000))
}

#[cfg(test)]
mod tests {
    use crate::engine::kpi::testing::{day, near, none};
    use crate::model::fact::Measure;
    use crate::model::record::Reason;

    #[test]
    fn energy_without_a_price_makes_it_unknown_and_not_cheap() {
        let mut facts = vec![
            (Measure::ElectricityImport, 10_000_000),
            (Measure::ElectricityObserved, 1),
            (Measure::ElectricityCost, 18_330_000_000),
        ];
        near(&day("electricity_cost", &facts), 18_330.0);
        facts.push((Measure::ElectricityUnpriced, 1));
        none(&day("electricity_cost", &facts), Reason::NoPublishedFactor);
        none(&day("electricity_cost", &facts[..2]), Reason::NoInput);
    }
}
