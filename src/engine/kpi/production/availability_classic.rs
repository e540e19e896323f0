//! Availability of the classic OEE.

use crate::engine::kpi::{Family, KpiContext, KpiDefinition, Outcome, busy_time, ratio};
use crate::model::fact::{Facts, Measure};
use crate::model::record::KpiId;
use crate::model::time::Grain;

use super::run_ms;

pub(in crate::engine::kpi) static DEFINITION: KpiDefinition = KpiDefinition {
    id: KpiId::of("availability_classic"),
    name_en: "Availability (classic OEE)",
    name_vi: "Mức sẵn sàng (OEE cổ điển)",
    family: Family::Production,
    definition_en: "Run time beside planned production time. Changeovers, failures and longer stops are its losses; minor stops are losses of performance.",
    definition_vi: "Thời gian chạy so với thời gian sản xuất theo kế hoạch. Đổi mã hàng, hỏng hóc và dừng dài là tổn thất của nó; dừng ngắn là tổn thất hiệu năng.",
    formula: "(APT + minor stops) / PBT",
    unit: "1",
    measures: &[
        Measure::Apt,
        Measure::Aust,
        Measure::Adet,
        Measure::Adot,
        Measure::PlannedDown,
        Measure::NoData,
        Measure::MinorStops,
    ],
    standard: "Total productive maintenance (Nakajima), availability",
    finest_grain: Grain::FiveMinutes,
    method: 1,
    no_value_en: "no planned busy time was observed",
    no_value_vi: "không quan sát được thời gian bận theo kế hoạch",
    compute,
};

fn compute(facts: &Facts, _: &KpiContext) -> Outcome {
    busy_time(facts).map(|busy| ratio(run_ms(facts), busy)).into()
}

#[cfg(test)]
mod tests {
    use crate::engine::kpi::testing::{day, e7, near, none};
    use crate::model::fact::Measure;
    use crate::model::record::Reason;

    #[test]
    fn e1_stops_are_a_loss() {
        let facts = [(Measure::Apt, 373 * 60_000), (Measure::Adet, 47 * 60_000), (Measure::NoData, 0)];
        near(&day("availability_classic", &facts), 0.888_095);
    }

    #[test]
    fn changeovers_are_a_loss_of_availability_and_minor_stops_are_none() {
        let mut facts = e7();
        facts.push((Measure::MinorStops, 10 * 60_000));
        near(&day("availability_classic", &facts), 330.0 / 420.0);
        none(&day("availability_classic", &[(Measure::NoData, 60_000)]), Reason::NoData);
    }
}
