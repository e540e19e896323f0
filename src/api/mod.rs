//! The KPI API, shared by box and hub: one file a resource.

pub mod config;
