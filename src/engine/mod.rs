//! PURE: samples become facts, facts fill windows, windows close into records.
//!
//! In: [`crate::model::sample::SampleBatch`]es in commit order and the instants of waking. Out: `Effects`.
//! No clock, no I/O: the same journal gives the same bytes. Percentages are never averaged, NO_DATA never becomes
//! downtime, a missing value never becomes 0.

pub mod calendar;
pub mod config;
pub mod kpi;
pub mod plant;
