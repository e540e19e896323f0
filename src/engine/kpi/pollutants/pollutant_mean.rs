//! Mean concentration.

use super::{outcome, valid_means};
use crate::engine::kpi::{Family, KpiContext, KpiDefinition, Outcome, ratio};
use crate::model::fact::{Facts, Measure};
use crate::model::record::KpiId;
use crate::model::time::Grain;

pub(in crate::engine::kpi) static DEFINITION: KpiDefinition = KpiDefinition {
    id: KpiId::of("pollutant_mean"),
    name_en: "Mean concentration",
    name_vi: "Nồng độ trung bình",
    family: Family::Pollutants,
    definition_en: "Mean of the valid hourly means, below an hour of the valid five-minute means; calibration and faults are in none of them.",
    definition_vi: "Trung bình các giá trị trung bình giờ hợp lệ (kỳ ngắn hơn một giờ: các giá trị 5 phút hợp lệ); không gồm thời gian hiệu chuẩn và lỗi thiết bị.",
    formula: "Σ valid hourly means / valid hours",
    unit: "{unit}",
    measures: &[
        Measure::SlotMeanSum,
        Measure::SlotsValid,
        Measure::HourMeanSum,
        Measure::HoursValid,
        Measure::ValidTime,
        Measure::CalibrationTime,
        Measure::ChannelFaultTime,
        Measure::UncorrectableTime,
        Measure::OxygenHighTime,
        Measure::ChannelExpected,
    ],
    standard: "Decree 08/2022/ND-CP, articles 97 and 98: daily means of automatic monitoring",
    finest_grain: Grain::FiveMinutes,
    method: 1,
    no_value_en: "fewer than three quarters of the window's hours, or below an hour of its five-minute values, were valid",
    no_value_vi: "dưới ba phần tư số giờ của kỳ hợp lệ (với kỳ ngắn hơn một giờ: số giá trị 5 phút)",
    compute,
};

fn compute(facts: &Facts, _: &KpiContext) -> Outcome {
    let value = valid_means(facts).map(|(sum, count)| ratio(sum, count * 1_000_000));
    outcome(value, facts)
}

#[cfg(test)]
mod tests {
    use super::super::testing;
    use crate::engine::kpi::testing::{day, near, none};
    use crate::model::fact::Measure;
    use crate::model::record::{Flag, Reason};

    #[test]
    fn a_day_is_the_mean_of_its_valid_hours_and_needs_18_of_them() {
        near(&day("pollutant_mean", &testing::day(0)), (12.0 * 23.0 + 20.0) / 24.0);
        near(&day("pollutant_mean", &testing::day(6)), (12.0 * 17.0 + 20.0) / 18.0);
        none(&day("pollutant_mean", &testing::day(7)), Reason::TooFewValid);
        assert_eq!(day("pollutant_mean", &testing::day(6)).coverage, Some(0.75));
    }

    #[test]
    fn below_an_hour_it_is_the_mean_of_five_minute_means() {
        let facts = [(Measure::ChannelExpected, 900_000), (Measure::SlotsValid, 3), (Measure::SlotMeanSum, 6_000_000)];
        near(&day("pollutant_mean", &facts), 2.0);
    }

    #[test]
    fn what_was_not_corrected_and_what_was_not_measured_have_their_own_reasons() {
        let hour = |measure| [(Measure::ChannelExpected, 3_600_000), (measure, 1_200_000)];
        none(&day("pollutant_mean", &hour(Measure::UncorrectableTime)), Reason::NotCorrectable);
        none(&day("pollutant_mean", &hour(Measure::CalibrationTime)), Reason::TooFewValid);
        none(&day("pollutant_mean", &[(Measure::ChannelExpected, 3_600_000)]), Reason::NoData);
        none(&day("pollutant_mean", &[]), Reason::NoInput);
    }

    #[test]
    fn oxygen_above_18_percent_is_said_beside_the_value() {
        let mut facts = testing::day(0);
        facts.push((Measure::OxygenHighTime, 1));
        assert_eq!(day("pollutant_mean", &facts).flags, [Flag::OxygenHigh]);
    }
}
