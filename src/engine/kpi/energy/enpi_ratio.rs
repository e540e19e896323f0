//! Energy performance against the baseline.

use crate::engine::kpi::{Family, KpiContext, KpiDefinition, Outcome, ratio};
use crate::model::fact::{Facts, Measure};
use crate::model::record::{KpiId, Reason};
use crate::model::time::Grain;

pub(in crate::engine::kpi) static DEFINITION: KpiDefinition = KpiDefinition {
    id: KpiId::of("enpi_ratio"),
    name_en: "Energy performance against the baseline",
    name_vi: "Chỉ số hiệu quả năng lượng so với đường cơ sở",
    family: Family::Energy,
    definition_en: "Electricity used, compared with what the baseline model expects for the same minutes. Below 1 energy was saved.",
    definition_vi: "Điện năng đã dùng so với mức mô hình đường cơ sở dự kiến cho cùng các phút; nhỏ hơn 1 là có tiết kiệm.",
    formula: "E / Ê, Ê = b₀ + Σ bᵢ·xᵢ",
    unit: "1",
    measures: &[
        Measure::ElectricityWithBaseline,
        Measure::BaselineElectricity,
        Measure::ElectricitySubstituted,
        Measure::ElectricityExcluded,
        Measure::ElectricityObserved,
        Measure::ElectricityExpected,
    ],
    standard: "ISO 50006, EnPI ratio of a regression model",
    finest_grain: Grain::QuarterHour,
    method: 1,
    no_value_en: "no baseline is declared for the time, or electricity or a driver was not measured",
    no_value_vi: "chưa khai báo đường cơ sở cho kỳ, hoặc không đo điện hay biến tác động",
    compute,
};

fn compute(facts: &Facts, _: &KpiContext) -> Outcome {
    enpi(facts).into()
}

fn enpi(facts: &Facts) -> Result<f64, Reason> {
    let (used, expected) = baseline(facts)?;
    if expected > 0 { Ok(ratio(used, expected)) } else { Err(Reason::NoEnergy) }
}

/// Returns the electricity of the minutes that the model speaks of, and what it expects of them. **Unit**: 10⁻⁶ kWh.
pub(in crate::engine::kpi) fn baseline(facts: &Facts) -> Result<(i128, i128), Reason> {
    let expected = facts.get(Measure::BaselineElectricity).ok_or(Reason::NoInput)?;
    Ok((facts.get(Measure::ElectricityWithBaseline).ok_or(Reason::NoInput)?, expected))
}

#[cfg(test)]
mod tests {
    use crate::engine::kpi::testing::{day, near, none};
    use crate::model::fact::Measure;
    use crate::model::record::Reason;

    #[test]
    fn p6_the_ratio_to_what_the_model_expects() {
        let facts =
            [(Measure::ElectricityWithBaseline, 44_500_000_000), (Measure::BaselineElectricity, 47_000_000_000)];
        near(&day("enpi_ratio", &facts), 0.946_809);
        none(&day("enpi_ratio", &[(Measure::Electricity, 44_500_000_000)]), Reason::NoInput);
    }
}
