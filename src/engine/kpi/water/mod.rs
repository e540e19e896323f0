//! Water, wastewater and waste.
//!
//! One file a KPI, one line here and one in the catalogue.

pub(super) mod wastewater;
pub(super) mod wastewater_unmetered;
pub(super) mod water_reuse_ratio;
pub(super) mod water_specific;
pub(super) mod water_unmetered;
pub(super) mod water_use;
