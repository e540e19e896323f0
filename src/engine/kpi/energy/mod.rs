//! Electricity, gas and steam.
//!
//! One file a KPI, one line here and one in the catalogue.

pub(super) mod electricity;
pub(super) mod peak_demand;
pub(super) mod power_factor;
pub(super) mod specific_energy;
