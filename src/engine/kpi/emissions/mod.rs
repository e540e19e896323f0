//! Greenhouse gases.
//!
//! One file a KPI, one line here and one in the catalogue.

pub(super) mod carbon_intensity;
pub(super) mod scope_2;
