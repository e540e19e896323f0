//! Steam use.

use crate::engine::kpi::{Family, KpiContext, KpiDefinition, Outcome, amount, ratio};
use crate::engine::medium::Medium;
use crate::model::fact::{Facts, Measure};
use crate::model::record::KpiId;
use crate::model::time::Grain;

pub(in crate::engine::kpi) static DEFINITION: KpiDefinition = KpiDefinition {
    id: KpiId::of("steam"),
    name_en: "Steam use",
    name_vi: "Hơi tiêu thụ",
    family: Family::Energy,
    definition_en: "Steam that came in through the boundary.",
    definition_vi: "Lượng hơi nhận qua ranh giới.",
    formula: "Σ boundary meters",
    unit: "t",
    measures: &[
        Measure::Steam,
        Measure::SteamSubstituted,
        Measure::SteamExcluded,
        Measure::SteamObserved,
        Measure::SteamExpected,
    ],
    standard: "difference of cumulative registers; declared boundary meters",
    finest_grain: Grain::Minute,
    method: 1,
    no_value_en: "no steam meter is declared, or none was read in the window",
    no_value_vi: "chưa khai báo đồng hồ hơi, hoặc không đọc được đồng hồ nào trong kỳ",
    compute,
};

fn compute(facts: &Facts, _: &KpiContext) -> Outcome {
    amount(facts, Medium::Steam).map(|amount| ratio(amount, 1_000_000)).into()
}

#[cfg(test)]
mod tests {
    use crate::engine::kpi::testing::{day, none};
    use crate::model::fact::Measure;
    use crate::model::record::{Flag, Reason};

    #[test]
    fn growth_over_a_gap_counts_and_an_unread_meter_is_no_zero() {
        let facts = [
            (Measure::Steam, 5_500_000),
            (Measure::SteamSubstituted, 1_500_000),
            (Measure::SteamObserved, 30),
            (Measure::SteamExpected, 60),
        ];
        let value = day("steam", &facts);
        assert_eq!((value.value, value.coverage), (Some(5.5), Some(0.5)));
        assert_eq!(value.flags, [Flag::Substituted]);
        none(&day("steam", &[(Measure::Steam, 0), (Measure::SteamExpected, 60)]), Reason::NoData);
        none(&day("steam", &[]), Reason::NoInput);
    }
}
