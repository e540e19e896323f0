//! Flow of the pollutant.

use crate::engine::kpi::{Family, KpiContext, KpiDefinition, Outcome, ratio};
use crate::model::fact::{Facts, Measure};
use crate::model::record::{KpiId, Reason};
use crate::model::time::Grain;

pub(in crate::engine::kpi) static DEFINITION: KpiDefinition = KpiDefinition {
    id: KpiId::of("pollutant_volume"),
    name_en: "Flow of the pollutant",
    name_vi: "Lưu lượng mang chất ô nhiễm",
    family: Family::Pollutants,
    definition_en: "Volume that carried the pollutant while concentration and flow were valid; of a stack dry at 25 °C and 101.325 kPa.",
    definition_vi: "Thể tích mang chất ô nhiễm khi cả nồng độ và lưu lượng đều hợp lệ; khí thải tính ở điều kiện khô, 25 °C và 101,325 kPa.",
    formula: "Σ flow × time",
    unit: "m3",
    measures: &[Measure::PollutantVolume, Measure::LoadTime, Measure::ChannelExpected],
    standard: "what a load divides by",
    finest_grain: Grain::FiveMinutes,
    method: 1,
    no_value_en: "concentration and flow were never valid at the same time",
    no_value_vi: "nồng độ và lưu lượng chưa bao giờ cùng hợp lệ",
    compute,
};

fn compute(facts: &Facts, _: &KpiContext) -> Outcome {
    let value = match (facts.get(Measure::PollutantVolume), facts.amount(Measure::LoadTime)) {
        (None, _) => Err(Reason::NoInput),
        (Some(_), 0) => Err(Reason::NoData),
        (Some(volume), _) => Ok(ratio(volume, 1_000_000)),
    };
    value.into()
}

#[cfg(test)]
mod tests {
    use crate::engine::kpi::testing::{day, near, none};
    use crate::model::fact::Measure;
    use crate::model::record::Reason;

    #[test]
    fn the_volume_is_what_flowed_while_the_concentration_was_valid() {
        let facts = [(Measure::PollutantVolume, 1_850_000_000), (Measure::LoadTime, 1), (Measure::ChannelExpected, 1)];
        near(&day("pollutant_volume", &facts), 1_850.0);
        none(&day("pollutant_volume", &[]), Reason::NoInput);
    }
}
