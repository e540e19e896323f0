//! Largest hourly mean.

use super::extreme;
use crate::engine::kpi::{Family, KpiContext, KpiDefinition, Outcome};
use crate::model::fact::{Facts, Measure};
use crate::model::record::KpiId;
use crate::model::time::Grain;

pub(in crate::engine::kpi) static DEFINITION: KpiDefinition = KpiDefinition {
    id: KpiId::of("pollutant_max_hour"),
    name_en: "Largest hourly mean",
    name_vi: "Giá trị trung bình giờ lớn nhất",
    family: Family::Pollutants,
    definition_en: "Largest of the valid hourly means.",
    definition_vi: "Giá trị lớn nhất trong các trung bình giờ hợp lệ.",
    formula: "max over valid hours of the hourly mean",
    unit: "{unit}",
    measures: &[
        Measure::HourMeanMax,
        Measure::ValidTime,
        Measure::CalibrationTime,
        Measure::ChannelFaultTime,
        Measure::UncorrectableTime,
        Measure::OxygenHighTime,
        Measure::ChannelExpected,
    ],
    standard: "hourly means of 9 or more of 12 valid five-minute values",
    finest_grain: Grain::Hour,
    method: 1,
    no_value_en: "no hour was valid",
    no_value_vi: "không có giờ nào hợp lệ",
    compute,
};

fn compute(facts: &Facts, _: &KpiContext) -> Outcome {
    extreme(Measure::HourMeanMax, facts)
}

#[cfg(test)]
mod tests {
    use super::super::testing;
    use crate::engine::kpi::testing::{day, near, none};
    use crate::model::record::Reason;

    #[test]
    fn the_largest_valid_hour_decides() {
        near(&day("pollutant_max_hour", &testing::day(0)), 20.0);
        none(&day("pollutant_max_hour", &[]), Reason::NoInput);
    }
}
