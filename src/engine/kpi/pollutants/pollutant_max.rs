//! Largest five-minute mean.

use super::extreme;
use crate::engine::kpi::{Family, KpiContext, KpiDefinition, Outcome};
use crate::model::fact::{Facts, Measure};
use crate::model::record::KpiId;
use crate::model::time::Grain;

pub(in crate::engine::kpi) static DEFINITION: KpiDefinition = KpiDefinition {
    id: KpiId::of("pollutant_max"),
    name_en: "Largest five-minute mean",
    name_vi: "Giá trị 5 phút lớn nhất",
    family: Family::Pollutants,
    definition_en: "Largest of the valid five-minute means: the upper end of a pH.",
    definition_vi: "Giá trị lớn nhất trong các trung bình 5 phút hợp lệ; với pH là đầu cao của dải.",
    formula: "max over valid five-minute means",
    unit: "{unit}",
    measures: &[
        Measure::SlotMeanMax,
        Measure::ValidTime,
        Measure::CalibrationTime,
        Measure::ChannelFaultTime,
        Measure::UncorrectableTime,
        Measure::OxygenHighTime,
        Measure::ChannelExpected,
    ],
    standard: "Circular 10/2021/TT-BTNMT, five-minute values",
    finest_grain: Grain::FiveMinutes,
    method: 1,
    no_value_en: "no five-minute value was valid",
    no_value_vi: "không có giá trị 5 phút nào hợp lệ",
    compute,
};

fn compute(facts: &Facts, _: &KpiContext) -> Outcome {
    extreme(Measure::SlotMeanMax, facts)
}

#[cfg(test)]
mod tests {
    use super::super::testing;
    use crate::engine::kpi::testing::{day, near, none};
    use crate::model::record::Reason;

    #[test]
    fn the_largest_valid_value_decides() {
        near(&day("pollutant_max", &testing::day(0)), 21.5);
        none(&day("pollutant_max", &[]), Reason::NoInput);
    }
}
