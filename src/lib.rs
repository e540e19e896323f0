//! parkgate: from a register to a signed KPI record at the park authority.
//!
//! This page is the map.
#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::float_cmp,
        clippy::cast_possible_truncation,
        clippy::disallowed_methods,
        reason = "a test fails loudly, compares exact figures and starts what it watches"
    )
)]

pub mod api;
pub mod config;
pub mod dashboard;
pub mod engine;
pub mod hub;
pub mod ledger;
pub mod model;
pub mod pipeline;
pub mod profile;
pub mod reference;
pub mod roles;
pub mod runtime;
pub mod simulator;
pub mod sinks;
pub mod sources;
pub mod store;
pub mod wire;
