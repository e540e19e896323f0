//! Fall-off ratio.

use crate::engine::kpi::{Family, KpiContext, KpiDefinition, Outcome, ratio};
use crate::model::fact::{Facts, Measure};
use crate::model::record::{KpiId, Reason};
use crate::model::time::Grain;

pub(in crate::engine::kpi) static DEFINITION: KpiDefinition = KpiDefinition {
    id: KpiId::of("fall_off_ratio"),
    name_en: "Fall-off ratio",
    name_vi: "Tỷ lệ hao hụt qua các công đoạn",
    family: Family::Quality,
    definition_en: "Scrap beside the quantity that entered the first operation of the chain.",
    definition_vi: "Phế phẩm so với số lượng đưa vào công đoạn đầu của dây chuyền.",
    formula: "SQ / PQ of the first operation",
    unit: "1",
    measures: &[
        Measure::ScrapQuantity,
        Measure::FirstOperationQuantity,
        Measure::PartsObserved,
        Measure::PartsExpected,
    ],
    standard: "ISO 22400-2, fall off ratio",
    finest_grain: Grain::FiveMinutes,
    method: 1,
    no_value_en: "nothing entered the first operation, or it or scrap is not measured",
    no_value_vi: "công đoạn đầu không có sản lượng, hoặc không đo công đoạn đầu hay phế phẩm",
    compute,
};

fn compute(facts: &Facts, _: &KpiContext) -> Outcome {
    fall_off(facts).into()
}

fn fall_off(facts: &Facts) -> Result<f64, Reason> {
    let scrap = facts.get(Measure::ScrapQuantity).ok_or(Reason::NoInput)?;
    match facts.get(Measure::FirstOperationQuantity).ok_or(Reason::NoInput)? {
        0 if facts.amount(Measure::PartsObserved) == 0 => Err(Reason::NoData),
        0 => Err(Reason::NoProduction),
        first => Ok(ratio(scrap, first)),
    }
}

#[cfg(test)]
mod tests {
    use crate::engine::kpi::testing::{day, near, none};
    use crate::model::fact::Measure;
    use crate::model::record::Reason;

    #[test]
    fn it_is_scrap_over_what_entered_the_chain() {
        let facts = |first| {
            [(Measure::ScrapQuantity, 12), (Measure::FirstOperationQuantity, first), (Measure::PartsObserved, 1)]
        };
        near(&day("fall_off_ratio", &facts(400)), 0.03);
        none(&day("fall_off_ratio", &facts(0)), Reason::NoProduction);
    }
}
