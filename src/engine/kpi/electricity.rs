//! Electricity use.

use super::{KpiContext, KpiDefinition, Outcome, electricity_micro_kwh, ratio};
use crate::model::fact::{Facts, Measure};
use crate::model::record::KpiId;
use crate::model::time::Grain;

pub(super) static DEFINITION: KpiDefinition = KpiDefinition {
    id: KpiId::of("electricity"),
    name_en: "Electricity use",
    name_vi: "Điện năng tiêu thụ",
    formula: "Σ boundary imports + generation − exports",
    unit: "kW.h",
    measures: &[
        Measure::Electricity,
        Measure::ElectricitySubstituted,
        Measure::ElectricityExcluded,
        Measure::ElectricityObserved,
        Measure::ElectricityExpected,
    ],
    standard: "difference of cumulative registers; declared boundary meters",
    finest_grain: Grain::Minute,
    method: 1,
    no_value: "no boundary meter is declared, or none was read in the window",
    compute,
};

fn compute(facts: &Facts, _: &KpiContext) -> Outcome {
    electricity_micro_kwh(facts).map(|energy| ratio(energy, 1_000_000)).into()
}

#[cfg(test)]
mod tests {
    use crate::engine::kpi::testing::{day, none};
    use crate::model::fact::Measure;
    use crate::model::record::{Flag, Reason};

    #[test]
    fn an_unread_meter_is_no_zero() {
        let facts = [(Measure::Electricity, 0), (Measure::ElectricityExpected, 60_000)];
        none(&day("electricity", &facts), Reason::NoData);
    }

    #[test]
    fn growth_over_a_gap_counts_and_is_flagged() {
        let facts = [
            (Measure::Electricity, 5_500_000),
            (Measure::ElectricitySubstituted, 1_500_000),
            (Measure::ElectricityObserved, 30),
            (Measure::ElectricityExpected, 60),
        ];
        let value = day("electricity", &facts);
        assert_eq!((value.value, value.coverage), (Some(5.5), Some(0.5)));
        assert_eq!(value.flags, [Flag::Substituted]);
    }
}
