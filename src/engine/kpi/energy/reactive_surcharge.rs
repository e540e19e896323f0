//! Reactive energy surcharge.

use crate::engine::kpi::{Family, KpiContext, KpiDefinition, Outcome, cos_phi};
use crate::model::fact::{Facts, Measure};
use crate::model::record::{KpiId, Reason};
use crate::model::time::Grain;

pub(in crate::engine::kpi) static DEFINITION: KpiDefinition = KpiDefinition {
    id: KpiId::of("reactive_surcharge"),
    name_en: "Reactive energy surcharge",
    name_vi: "Hệ số tăng thêm tiền công suất phản kháng",
    family: Family::Energy,
    definition_en: "By how much the bill of active energy rises because the power factor is below the one asked for; 0 where it is not.",
    definition_vi: "Phần trăm tiền điện tác dụng phải trả thêm khi hệ số công suất thấp hơn mức quy định; bằng 0 khi đạt.",
    formula: "k = (target / cosφ − 1) × 100 where cosφ < target, else 0",
    unit: "%",
    measures: &[
        Measure::Electricity,
        Measure::ElectricityImport,
        Measure::ElectricitySubstituted,
        Measure::ElectricityExcluded,
        Measure::ElectricityObserved,
        Measure::ElectricityExpected,
        Measure::ReactiveEnergy,
        Measure::ReactiveObserved,
        Measure::ReactiveExpected,
    ],
    standard: "Circular 15/2014/TT-BCT, k of the billing period",
    finest_grain: Grain::Month,
    method: 1,
    no_value_en: "reactive energy is not measured, no energy was used, or no target is published for the time",
    no_value_vi: "không đo điện năng phản kháng, không dùng điện, hoặc chưa công bố mức quy định cho kỳ",
    compute,
};

fn compute(facts: &Facts, context: &KpiContext) -> Outcome {
    let Some(target) = &context.power_factor_target else {
        return Outcome::from(cos_phi(facts).and(Err(Reason::NoPublishedFactor)));
    };
    let value = cos_phi(facts).and_then(|cos_phi| match cos_phi {
        cos_phi if cos_phi >= target.value => Ok(0.0),
        cos_phi if cos_phi > 0.0 => Ok((target.value / cos_phi - 1.0) * 100.0),
        _ => Err(Reason::NoEnergy),
    });
    Outcome { factors: value.is_ok().then(|| target.factor.clone()).into_iter().collect(), ..Outcome::from(value) }
}

#[cfg(test)]
mod tests {
    use crate::engine::kpi::testing::{month, none};
    use crate::model::fact::Measure;
    use crate::model::record::{KpiValue, Reason};

    /// Energies whose power factor is the cosine given.
    #[expect(clippy::cast_possible_truncation, reason = "made up within range")]
    fn of(cos_phi: f64) -> KpiValue {
        let reactive = (1.0 - cos_phi * cos_phi).sqrt() / cos_phi;
        let facts = [
            (Measure::Electricity, 1_000_000_000_000),
            (Measure::ElectricityImport, 1_000_000_000_000),
            (Measure::ElectricityObserved, 1),
            (Measure::ReactiveEnergy, (reactive * 1e12).round() as i128),
        ];
        month("reactive_surcharge", &facts)
    }

    #[test]
    fn p3_the_surcharge_of_four_power_factors() {
        for (cos_phi, k) in [(0.89, 1.12), (0.85, 5.88), (0.80, 12.50), (0.75, 20.00), (0.95, 0.0)] {
            let value = of(cos_phi);
            assert!((value.value.unwrap() - k).abs() < 0.005, "{cos_phi}: {value:?}");
            assert_eq!(value.factors[0].id, "vn_cos_phi_2014");
        }
    }

    #[test]
    fn without_reactive_energy_there_is_none() {
        none(
            &month("reactive_surcharge", &[(Measure::Electricity, 5), (Measure::ElectricityObserved, 1)]),
            Reason::NoInput,
        );
    }
}
