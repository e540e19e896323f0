//! Classic OEE.

use crate::engine::kpi::{Family, KpiContext, KpiDefinition, Outcome, busy_time, ratio};
use crate::model::fact::{Facts, Measure};
use crate::model::record::KpiId;
use crate::model::time::Grain;

use super::{generous, planned_good_ns};

pub(in crate::engine::kpi) static DEFINITION: KpiDefinition = KpiDefinition {
    id: KpiId::of("oee_classic"),
    name_en: "Classic OEE (Nakajima)",
    name_vi: "OEE cổ điển (Nakajima)",
    family: Family::Production,
    definition_en: "Availability × performance × quality as shop floors count them: changeovers reduce availability, minor stops performance. The product is that of the ISO index; its factors differ.",
    definition_vi: "Mức sẵn sàng × hiệu năng × chất lượng theo cách tính tại xưởng: đổi mã hàng giảm mức sẵn sàng, dừng ngắn giảm hiệu năng. Tích bằng chỉ số ISO; các thừa số khác nhau.",
    formula: "Σ(PRU × GQ) / ΣPBT = availability_classic × performance_classic × quality ratio",
    unit: "1",
    measures: &[
        Measure::Apt,
        Measure::Aust,
        Measure::Adet,
        Measure::Adot,
        Measure::PlannedDown,
        Measure::NoData,
        Measure::ProducedQuantity,
        Measure::GoodQuantity,
        Measure::PartsObserved,
        Measure::PartsExpected,
        Measure::PruPq,
        Measure::PruGq,
    ],
    standard: "Total productive maintenance (Nakajima), OEE",
    finest_grain: Grain::QuarterHour,
    method: 1,
    no_value_en: "nothing was produced, no busy time was observed, or no planned run time per unit is declared",
    no_value_vi: "không có sản lượng, không quan sát được thời gian bận, hoặc chưa khai báo thời gian kế hoạch cho một sản phẩm",
    compute,
};

fn compute(facts: &Facts, _: &KpiContext) -> Outcome {
    let outcome = busy_time(facts).and_then(|busy| Ok(ratio(planned_good_ns(facts)?, busy * 1_000_000)));
    Outcome { flags: generous(facts), ..Outcome::from(outcome) }
}

#[cfg(test)]
mod tests {
    use crate::engine::kpi::testing::{day, e7, near, none};
    use crate::model::fact::Measure;
    use crate::model::record::Reason;

    #[test]
    fn e7_its_factors_differ_from_the_iso_index_and_its_product_does_not() {
        let mut facts = e7();
        facts.push((Measure::MinorStops, 10 * 60_000));
        let of = |kpi: &str| day(kpi, &facts).value.unwrap();
        let product = of("availability_classic") * of("performance_classic") * of("quality_ratio");
        near(&day("oee_classic", &facts), product);
        near(&day("oee", &facts), product);
    }

    #[test]
    fn without_parts_there_is_none() {
        none(&day("oee_classic", &[(Measure::Apt, 5), (Measure::NoData, 0)]), Reason::NoInput);
    }
}
