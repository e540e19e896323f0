//! Good parts, scrap and rework.
//!
//! One file a KPI, one line here and one in the catalogue.

pub(super) mod quality_ratio;
