//! Wastewater reuse ratio.

use crate::engine::kpi::{Family, KpiContext, KpiDefinition, Outcome, amount, ratio};
use crate::engine::medium::Medium;
use crate::model::fact::{Facts, Measure};
use crate::model::record::{KpiId, Reason};
use crate::model::time::Grain;

pub(in crate::engine::kpi) static DEFINITION: KpiDefinition = KpiDefinition {
    id: KpiId::of("water_reuse_ratio"),
    name_en: "Wastewater reuse ratio",
    name_vi: "Tỷ lệ tái sử dụng nước thải",
    family: Family::Water,
    definition_en: "Wastewater that was used again, in all wastewater: what left and what was used again.",
    definition_vi: "Lượng nước thải được tái sử dụng trong tổng lượng nước thải: phần thải ra và phần tái sử dụng.",
    formula: "V_reused / (V_wastewater + V_reused)",
    unit: "1",
    measures: &[
        Measure::WastewaterReused,
        Measure::Wastewater,
        Measure::WastewaterSubstituted,
        Measure::WastewaterExcluded,
        Measure::WastewaterObserved,
        Measure::WastewaterExpected,
    ],
    standard: "Decree 35/2022/ND-CP, eco-industrial parks, wastewater reused",
    finest_grain: Grain::Hour,
    method: 1,
    no_value_en: "reused wastewater is not measured, or there was no wastewater",
    no_value_vi: "không đo nước thải tái sử dụng, hoặc không có nước thải",
    compute,
};

fn compute(facts: &Facts, _: &KpiContext) -> Outcome {
    reuse(facts).into()
}

/// Wastewater is metered where it leaves the boundary, so what is used again inside is not in it.
fn reuse(facts: &Facts) -> Result<f64, Reason> {
    let reused = facts.get(Measure::WastewaterReused).ok_or(Reason::NoInput)?;
    match amount(facts, Medium::Wastewater)? + reused {
        0 => Err(Reason::NoWastewater),
        all => Ok(ratio(reused, all)),
    }
}

#[cfg(test)]
mod tests {
    use crate::engine::kpi::testing::{day, near, none};
    use crate::model::fact::Measure;
    use crate::model::record::Reason;

    #[test]
    fn what_is_used_again_never_left() {
        let facts = [
            (Measure::Wastewater, 60_000_000),
            (Measure::WastewaterObserved, 1),
            (Measure::WastewaterReused, 20_000_000),
        ];
        near(&day("water_reuse_ratio", &facts), 0.25);
        none(&day("water_reuse_ratio", &facts[..2]), Reason::NoInput);
    }
}
