//! Electricity in off-peak hours.

use crate::engine::kpi::{Family, KpiContext, KpiDefinition, Outcome, electricity_part, ratio};
use crate::model::fact::{Facts, Measure};
use crate::model::record::KpiId;
use crate::model::time::Grain;

pub(in crate::engine::kpi) static DEFINITION: KpiDefinition = KpiDefinition {
    id: KpiId::of("electricity_off_peak"),
    name_en: "Electricity in off-peak hours",
    name_vi: "Điện năng giờ thấp điểm",
    family: Family::Energy,
    definition_en: "Electricity from the grid in the off-peak hours of the tariff that holds on the day.",
    definition_vi: "Điện năng mua từ lưới trong giờ thấp điểm theo biểu giá áp dụng vào ngày đó.",
    formula: "Σ imports of the minutes in the band",
    unit: "kW.h",
    measures: &[
        Measure::ElectricityOffPeakBand,
        Measure::ElectricityImport,
        Measure::ElectricitySubstituted,
        Measure::ElectricityExcluded,
        Measure::ElectricityObserved,
        Measure::ElectricityExpected,
    ],
    standard: "difference of cumulative registers; declared boundary meters",
    finest_grain: Grain::Minute,
    method: 1,
    no_value_en: "no tariff is declared, no hours are published for the day, or no boundary meter was read",
    no_value_vi: "chưa khai báo biểu giá, chưa công bố khung giờ cho ngày đó, hoặc không đọc được công tơ ranh giới",
    compute,
};

fn compute(facts: &Facts, _: &KpiContext) -> Outcome {
    electricity_part(facts, Measure::ElectricityOffPeakBand).map(|energy| ratio(energy, 1_000_000)).into()
}

#[cfg(test)]
mod tests {
    use crate::engine::kpi::testing::{day, near, none};
    use crate::model::fact::Measure;
    use crate::model::record::Reason;

    #[test]
    fn it_is_told_where_it_is_metered_and_an_unread_meter_is_no_zero() {
        near(
            &day(
                "electricity_off_peak",
                &[(Measure::ElectricityOffPeakBand, 5_500_000), (Measure::ElectricityObserved, 1)],
            ),
            5.5,
        );
        near(
            &day("electricity_off_peak", &[(Measure::ElectricityOffPeakBand, 0), (Measure::ElectricityObserved, 1)]),
            0.0,
        );
        none(
            &day(
                "electricity_off_peak",
                &[(Measure::ElectricityOffPeakBand, 0), (Measure::ElectricityExpected, 60_000)],
            ),
            Reason::NoData,
        );
        none(&day("electricity_off_peak", &[(Measure::Electricity, 5_500_000)]), Reason::NoInput);
    }
}
