//! Time and output of equipment.
//!
//! One file a KPI, one line here and one in the catalogue.

pub(super) mod availability;
pub(super) mod effectiveness;
pub(super) mod oee;
