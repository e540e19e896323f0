//! Smallest five-minute mean.

use super::extreme;
use crate::engine::kpi::{Family, KpiContext, KpiDefinition, Outcome};
use crate::model::fact::{Facts, Measure};
use crate::model::record::KpiId;
use crate::model::time::Grain;

pub(in crate::engine::kpi) static DEFINITION: KpiDefinition = KpiDefinition {
    id: KpiId::of("pollutant_min"),
    name_en: "Smallest five-minute mean",
    name_vi: "Giá trị 5 phút nhỏ nhất",
    family: Family::Pollutants,
    definition_en: "Smallest of the valid five-minute means: the lower end of a pH.",
    definition_vi: "Giá trị nhỏ nhất trong các trung bình 5 phút hợp lệ; với pH là đầu thấp của dải.",
    formula: "min over valid five-minute means",
    unit: "{unit}",
    measures: &[
        Measure::SlotMeanMin,
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
    extreme(Measure::SlotMeanMin, facts)
}

#[cfg(test)]
mod tests {
    use super::super::testing;
    use crate::engine::kpi::testing::{day, near, none};
    use crate::model::record::Reason;

    #[test]
    fn the_smallest_valid_value_decides() {
        near(&day("pollutant_min", &testing::day(0)), 12.0);
        none(&day("pollutant_min", &[]), Reason::NoInput);
    }
}
