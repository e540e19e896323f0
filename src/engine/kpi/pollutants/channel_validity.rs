//! Share of valid values.

use super::why_none;
use crate::engine::kpi::{Family, KpiContext, KpiDefinition, Outcome, ratio};
use crate::model::fact::{Facts, Measure};
use crate::model::record::KpiId;
use crate::model::slot::SLOT_MS;
use crate::model::time::Grain;

pub(in crate::engine::kpi) static DEFINITION: KpiDefinition = KpiDefinition {
    id: KpiId::of("channel_validity"),
    name_en: "Share of valid values",
    name_vi: "Tỷ lệ giá trị hợp lệ",
    family: Family::Pollutants,
    definition_en: "Valid five-minute values over all that the window should hold.",
    definition_vi: "Số giá trị 5 phút hợp lệ trên tổng số giá trị phải có trong kỳ.",
    formula: "valid five-minute values × 5 min / window",
    unit: "1",
    measures: &[
        Measure::SlotsValid,
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
    no_value_en: "the asset is no channel",
    no_value_vi: "đối tượng không phải là kênh quan trắc",
    compute,
};

fn compute(facts: &Facts, _: &KpiContext) -> Outcome {
    let expected = facts.amount(Measure::ChannelExpected);
    let value = match facts.get(Measure::SlotsValid) {
        _ if expected == 0 => Err(why_none(facts)),
        slots => Ok(ratio(slots.unwrap_or(0) * i128::from(SLOT_MS), expected)),
    };
    value.into()
}

#[cfg(test)]
mod tests {
    use super::super::testing;
    use crate::engine::kpi::testing::{day, near, none};
    use crate::model::record::Reason;

    #[test]
    fn it_is_the_share_of_valid_five_minute_values() {
        near(&day("channel_validity", &testing::day(6)), 0.75);
        none(&day("channel_validity", &[]), Reason::NoInput);
    }
}
