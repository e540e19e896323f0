//! Records as points to InfluxDB 2, or what takes its write API.

pub mod config;
