//! Availability.

use crate::engine::kpi::{Family, KpiContext, KpiDefinition, Outcome, busy_time, ratio};
use crate::model::fact::{Facts, Measure};
use crate::model::record::KpiId;
use crate::model::time::Grain;

pub(in crate::engine::kpi) static DEFINITION: KpiDefinition = KpiDefinition {
    id: KpiId::of("availability"),
    name_en: "Availability",
    name_vi: "Mức sẵn sàng",
    family: Family::Production,
    definition_en: "Share of the planned busy time in which the equipment really produced.",
    definition_vi: "Phần thời gian bận theo kế hoạch mà thiết bị thực sự sản xuất.",
    formula: "APT / PBT",
    unit: "1",
    measures: &[Measure::Apt, Measure::Aust, Measure::Adet, Measure::Adot, Measure::PlannedDown, Measure::NoData],
    standard: "ISO 22400-2, availability",
    finest_grain: Grain::FiveMinutes,
    method: 1,
    no_value_en: "no planned busy time was observed",
    no_value_vi: "không quan sát được thời gian bận theo kế hoạch",
    compute,
};

fn compute(facts: &Facts, _: &KpiContext) -> Outcome {
    busy_time(facts).map(|busy| ratio(facts.amount(Measure::Apt), busy)).into()
}

#[cfg(test)]
mod tests {
    use crate::engine::kpi::testing::{day, near, none};
    use crate::model::fact::Measure;
    use crate::model::record::Reason;

    #[test]
    fn e9_a_day_without_production_time_has_availability_0() {
        let value = day("availability", &[(Measure::Adot, 480 * 60_000), (Measure::Apt, 0), (Measure::NoData, 0)]);
        assert_eq!(value.value, Some(0.0));
    }

    #[test]
    fn no_data_is_no_downtime() {
        none(&day("availability", &[(Measure::NoData, 60_000)]), Reason::NoData);
        near(&day("availability", &[(Measure::Apt, 10), (Measure::NoData, 90)]), 1.0);
    }
}
