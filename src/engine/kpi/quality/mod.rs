//! Good parts, scrap and rework, inspection, and what becomes of material.
//!
//! One file a KPI, one line here and one in the catalogue.

pub(super) mod actual_to_planned_scrap_ratio;
pub(super) mod fall_off_ratio;
pub(super) mod finished_goods_ratio;
pub(super) mod first_pass_yield;
pub(super) mod good_quantity;
pub(super) mod integrated_goods_ratio;
pub(super) mod other_loss_ratio;
pub(super) mod production_loss_ratio;
pub(super) mod quality_ratio;
pub(super) mod rework_ratio;
pub(super) mod scrap_ratio;
pub(super) mod storage_and_transportation_loss_ratio;

use super::ratio;
use crate::model::fact::{Facts, Measure};
use crate::model::record::Reason;

/// Returns what became of material, or what was made of it, beside the material consumed (CM).
fn share_of_material(facts: &Facts, part: Measure) -> Result<f64, Reason> {
    let consumed = facts.get(Measure::ConsumedMaterial).ok_or(Reason::NoInput)?;
    let part = facts.get(part).ok_or(Reason::NoInput)?;
    if consumed == 0 { Err(Reason::NoMaterial) } else { Ok(ratio(part, consumed)) }
}

#[cfg(test)]
mod tests {
    use crate::engine::kpi::testing::day;
    use crate::model::fact::Measure;

    #[test]
    fn integrated_goods_and_all_losses_are_the_material_consumed() {
        let facts = [
            (Measure::ConsumedMaterial, 1_000),
            (Measure::IntegratedGoodQuantity, 915),
            (Measure::ProductionLoss, 50),
            (Measure::StorageLoss, 30),
            (Measure::OtherLoss, 5),
        ];
        let kpis = [
            "integrated_goods_ratio",
            "production_loss_ratio",
            "storage_and_transportation_loss_ratio",
            "other_loss_ratio",
        ];
        let sum: f64 = kpis.iter().map(|kpi| day(kpi, &facts).value.unwrap()).sum();
        assert!((sum - 1.0).abs() < 1e-12, "{sum}");
    }
}
