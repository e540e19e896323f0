//! Signed pages to an authority's platform, by the hub protocol.

pub mod config;
