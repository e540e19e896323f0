//! Days to check.

use super::to_check;
use crate::engine::kpi::{Family, KpiContext, KpiDefinition, Outcome};
use crate::model::fact::{Facts, Measure};
use crate::model::record::KpiId;
use crate::model::time::Grain;

pub(in crate::engine::kpi) static DEFINITION: KpiDefinition = KpiDefinition {
    id: KpiId::of("pollutant_days_to_check"),
    name_en: "Days to check",
    name_vi: "Số ngày cần kiểm tra",
    family: Family::Pollutants,
    definition_en: "Valid days whose mean lies outside the limit that held on them: values to check.",
    definition_vi: "Số ngày hợp lệ có trung bình nằm ngoài giới hạn áp dụng: giá trị cần kiểm tra.",
    formula: "count of valid days with a mean outside the limit",
    unit: "d",
    measures: &[
        Measure::DaysValid,
        Measure::DaysCompared,
        Measure::DaysToCheck,
        Measure::ValidTime,
        Measure::CalibrationTime,
        Measure::ChannelFaultTime,
        Measure::UncorrectableTime,
        Measure::OxygenHighTime,
        Measure::ChannelExpected,
    ],
    standard: "Decree 08/2022/ND-CP, articles 97 and 98: the daily mean is compared",
    finest_grain: Grain::Day,
    method: 1,
    no_value_en: "no day was valid, or no limit held",
    no_value_vi: "không có ngày hợp lệ, hoặc chưa có giới hạn",
    compute,
};

fn compute(facts: &Facts, _: &KpiContext) -> Outcome {
    to_check(Measure::DaysValid, Measure::DaysCompared, Measure::DaysToCheck, facts)
}

#[cfg(test)]
mod tests {
    use super::super::testing;
    use crate::engine::kpi::testing::{day, near, none};
    use crate::model::record::Reason;

    #[test]
    fn a_day_of_fewer_than_18_valid_hours_is_compared_with_nothing() {
        near(&day("pollutant_days_to_check", &testing::day(6)), 0.0);
        none(&day("pollutant_days_to_check", &testing::day(7)), Reason::TooFewValid);
    }
}
