//! Power factor.

use crate::engine::kpi::{Family, KpiContext, KpiDefinition, Outcome, cos_phi};
use crate::model::fact::{Facts, Measure};
use crate::model::record::KpiId;
use crate::model::time::Grain;

pub(in crate::engine::kpi) static DEFINITION: KpiDefinition = KpiDefinition {
    id: KpiId::of("power_factor"),
    name_en: "Power factor",
    name_vi: "Hệ số công suất",
    family: Family::Energy,
    definition_en: "Power factor over the window as billed: from active and reactive energy drawn from the grid.",
    definition_vi: "Hệ số công suất trong kỳ, tính như trên hóa đơn: từ điện năng tác dụng và phản kháng nhận từ lưới.",
    formula: "A_p / √(A_p² + A_q²) from kWh and kvarh",
    unit: "1",
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
    standard: "Circular 15/2014/TT-BCT, cosφ of the billing period",
    finest_grain: Grain::QuarterHour,
    method: 2,
    no_value_en: "reactive energy is not measured, or no energy was used",
    no_value_vi: "không đo điện năng phản kháng, hoặc không dùng điện",
    compute,
};

fn compute(facts: &Facts, _: &KpiContext) -> Outcome {
    cos_phi(facts).into()
}

#[cfg(test)]
mod tests {
    use crate::engine::kpi::testing::{day, near, none};
    use crate::model::fact::Measure;
    use crate::model::record::Reason;

    #[test]
    fn unread_reactive_energy_is_no_power_factor_of_1() {
        let facts = [
            (Measure::Electricity, 900_000_000),
            (Measure::ElectricityObserved, 1),
            (Measure::ReactiveEnergy, 0),
            (Measure::ReactiveObserved, 0),
            (Measure::ReactiveExpected, 60_000),
        ];
        none(&day("power_factor", &facts), Reason::NoData);
    }

    #[test]
    fn p3_900_kwh_and_600_kvarh() {
        let facts = [
            (Measure::Electricity, 900_000_000),
            (Measure::ReactiveEnergy, 600_000_000),
            (Measure::ElectricityObserved, 1),
        ];
        near(&day("power_factor", &facts), 0.832_050);
    }
}
