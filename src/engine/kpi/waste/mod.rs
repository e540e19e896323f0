//! Waste: declared, never measured. Of what isn't declared nothing is known.

pub(super) mod hazardous_share;
pub(super) mod landfill_share;
#[expect(clippy::module_inception, reason = "the KPI is called waste, like its family")]
pub(super) mod waste;
pub(super) mod waste_recycling_rate;
pub(super) mod waste_specific;

use super::ratio;
use crate::model::fact::{Facts, Measure};
use crate::model::record::Reason;

/// Returns the declared waste in grams, or why there is none. What was taken back leaves 0, and that is no figure.
fn declared(facts: &Facts) -> Result<i128, Reason> {
    match facts.get(Measure::Waste) {
        None => Err(Reason::NoInput),
        Some(0) => Err(Reason::NotDeclared),
        Some(grams) => Ok(grams),
    }
}

/// Returns a part of the waste as a share of all of it.
fn share(facts: &Facts, part: Measure) -> Result<f64, Reason> {
    Ok(ratio(facts.amount(part), declared(facts)?))
}
