//! Hours to check.

use super::to_check;
use crate::engine::kpi::{Family, KpiContext, KpiDefinition, Outcome};
use crate::model::fact::{Facts, Measure};
use crate::model::record::KpiId;
use crate::model::time::Grain;

pub(in crate::engine::kpi) static DEFINITION: KpiDefinition = KpiDefinition {
    id: KpiId::of("pollutant_hours_to_check"),
    name_en: "Hours to check",
    name_vi: "Số giờ cần kiểm tra",
    family: Family::Pollutants,
    definition_en: "Valid hours whose mean lies outside the limit that held in them: values to check.",
    definition_vi: "Số giờ hợp lệ có trung bình nằm ngoài giới hạn áp dụng: giá trị cần kiểm tra.",
    formula: "count of valid hours with a mean outside the limit",
    unit: "h",
    measures: &[
        Measure::HoursValid,
        Measure::HoursCompared,
        Measure::HoursToCheck,
        Measure::ValidTime,
        Measure::CalibrationTime,
        Measure::ChannelFaultTime,
        Measure::UncorrectableTime,
        Measure::OxygenHighTime,
        Measure::ChannelExpected,
    ],
    standard: "operational; the legal comparison is by day",
    finest_grain: Grain::Hour,
    method: 1,
    no_value_en: "no hour was valid, or no limit held",
    no_value_vi: "không có giờ hợp lệ, hoặc chưa có giới hạn",
    compute,
};

fn compute(facts: &Facts, _: &KpiContext) -> Outcome {
    to_check(Measure::HoursValid, Measure::HoursCompared, Measure::HoursToCheck, facts)
}

#[cfg(test)]
mod tests {
    use super::super::testing;
    use crate::engine::kpi::testing::{day, near, none};
    use crate::model::fact::Measure;
    use crate::model::record::Reason;

    #[test]
    fn hours_outside_the_limit_are_counted_and_none_is_a_zero_only_where_one_was_compared() {
        near(&day("pollutant_hours_to_check", &testing::day(0)), 1.0);
        let hours = |valid, compared: Option<i128>| {
            let compared = compared.map(|hours| (Measure::HoursCompared, hours));
            let valid = [(Measure::ChannelExpected, 86_400_000), (Measure::HoursValid, valid)];
            day("pollutant_hours_to_check", &valid.into_iter().chain(compared).collect::<Vec<_>>())
        };
        near(&hours(3, Some(3)), 0.0);
        none(&hours(3, None), Reason::NoLimit);
        none(&hours(0, Some(0)), Reason::NoData);
    }
}
