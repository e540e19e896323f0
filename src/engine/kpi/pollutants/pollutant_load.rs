//! Pollutant load.

use crate::engine::kpi::{Family, KpiContext, KpiDefinition, Outcome, ratio};
use crate::model::fact::{Facts, Measure};
use crate::model::record::{KpiId, Reason};
use crate::model::time::Grain;

pub(in crate::engine::kpi) static DEFINITION: KpiDefinition = KpiDefinition {
    id: KpiId::of("pollutant_load"),
    name_en: "Pollutant load",
    name_vi: "Tải lượng chất ô nhiễm",
    family: Family::Pollutants,
    definition_en: "Mass that left while concentration and flow were valid; coverage says in which part of the window they were.",
    definition_vi: "Khối lượng thải ra khi cả nồng độ và lưu lượng đều hợp lệ; mức đầy đủ dữ liệu cho biết phần thời gian đó.",
    formula: "Σ concentration × flow × time",
    unit: "kg",
    measures: &[Measure::PollutantLoad, Measure::LoadTime, Measure::ChannelExpected],
    standard: "Decree 153/2024/ND-CP and Decree 346/2025/ND-CP: fees by mass",
    finest_grain: Grain::FiveMinutes,
    method: 1,
    no_value_en: "concentration and flow were never valid at the same time",
    no_value_vi: "nồng độ và lưu lượng chưa bao giờ cùng hợp lệ",
    compute,
};

fn compute(facts: &Facts, _: &KpiContext) -> Outcome {
    let value = match (facts.get(Measure::PollutantLoad), facts.amount(Measure::LoadTime)) {
        (None, _) => Err(Reason::NoInput),
        (Some(_), 0) => Err(Reason::NoData),
        (Some(load), _) => Ok(ratio(load, 1_000_000_000)),
    };
    value.into()
}

#[cfg(test)]
mod tests {
    use crate::engine::kpi::testing::{day, near, none};
    use crate::model::fact::Measure;
    use crate::model::record::Reason;

    #[test]
    fn a_load_is_not_filled_up_and_says_how_much_of_the_time_it_covers() {
        let facts = [
            (Measure::PollutantLoad, 114_700_000_000),
            (Measure::LoadTime, 43_200_000),
            (Measure::ChannelExpected, 86_400_000),
        ];
        let value = day("pollutant_load", &facts);
        near(&value, 114.7);
        assert_eq!(value.coverage, Some(0.5));
        none(&day("pollutant_load", &[(Measure::PollutantLoad, 0), (Measure::ChannelExpected, 1)]), Reason::NoData);
    }
}
