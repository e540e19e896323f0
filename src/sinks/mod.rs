//! OUT.

pub mod influxdb;
pub mod platform;
