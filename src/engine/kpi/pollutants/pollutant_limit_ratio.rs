//! Mean concentration to limit.

use super::{outcome, valid_means};
use crate::engine::kpi::{Family, KpiContext, KpiDefinition, Outcome, ratio};
use crate::model::fact::{Facts, Measure};
use crate::model::record::{KpiId, Reason};
use crate::model::time::Grain;

pub(in crate::engine::kpi) static DEFINITION: KpiDefinition = KpiDefinition {
    id: KpiId::of("pollutant_limit_ratio"),
    name_en: "Mean concentration to limit",
    name_vi: "Tỷ lệ nồng độ so với giới hạn",
    family: Family::Pollutants,
    definition_en: "Mean of the valid hours over the mean limit that held in them: above 1 is a value to check.",
    definition_vi: "Trung bình các giờ hợp lệ chia cho giới hạn áp dụng trong các giờ đó; trên 1 là giá trị cần kiểm tra.",
    formula: "Σ valid hourly means / Σ limits of those hours",
    unit: "1",
    measures: &[
        Measure::HourMeanSum,
        Measure::HoursValid,
        Measure::HoursCompared,
        Measure::HourLimitSum,
        Measure::ValidTime,
        Measure::CalibrationTime,
        Measure::ChannelFaultTime,
        Measure::UncorrectableTime,
        Measure::OxygenHighTime,
        Measure::ChannelExpected,
    ],
    standard: "the permit or connection agreement; without one the class of the national technical regulation",
    finest_grain: Grain::Hour,
    method: 1,
    no_value_en: "fewer than three quarters of the window's hours, or below an hour of its five-minute values, were valid, no limit held in some of them, or the limit is a band",
    no_value_vi: "dưới ba phần tư số giờ của kỳ hợp lệ (với kỳ ngắn hơn một giờ: số giá trị 5 phút), có giờ chưa có giới hạn, hoặc giới hạn là một dải",
    compute,
};

fn compute(facts: &Facts, _: &KpiContext) -> Outcome {
    if facts.get(Measure::HoursCompared).is_some() && facts.get(Measure::HourLimitSum).is_none() {
        return Outcome::from(Err(Reason::NoInput));
    }
    let value = valid_means(facts).and_then(|(sum, hours)| match facts.amount(Measure::HourLimitSum) {
        limits if limits > 0 && facts.amount(Measure::HoursCompared) == hours => Ok(ratio(sum, limits)),
        _ => Err(Reason::NoLimit),
    });
    outcome(value, facts)
}

#[cfg(test)]
mod tests {
    use super::super::testing;
    use crate::engine::kpi::testing::{day, near, none};
    use crate::model::fact::Measure;
    use crate::model::record::Reason;

    #[test]
    fn it_is_the_mean_over_the_limit_that_held() {
        near(&day("pollutant_limit_ratio", &testing::day(0)), (12.0 * 23.0 + 20.0) / (24.0 * 15.0));
    }

    #[test]
    fn an_hour_without_a_limit_and_a_band_have_no_ratio() {
        let without = |gone: &[Measure], extra: &[(Measure, i128)]| {
            let kept = testing::day(0).into_iter().filter(|(measure, _)| !gone.contains(measure));
            kept.chain(extra.iter().copied()).collect::<Vec<_>>()
        };
        let partly = without(&[Measure::HoursCompared], &[(Measure::HoursCompared, 20)]);
        none(&day("pollutant_limit_ratio", &partly), Reason::NoLimit);
        let never = without(&[Measure::HoursCompared, Measure::HourLimitSum], &[]);
        none(&day("pollutant_limit_ratio", &never), Reason::NoLimit);
        none(&day("pollutant_limit_ratio", &without(&[Measure::HourLimitSum], &[])), Reason::NoInput);
    }
}
