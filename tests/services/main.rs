//! Tests against software we did not write: Mosquitto, VictoriaMetrics, pymodbus, pysparkplug, joserfc, OpenSSH, vsftpd and
//! Chromium.
//!
//! They are `#[ignore]`d, so that `cargo test` passes on any machine; `tests/run` installs what they need and includes
//! them. Each test starts its own services on free loopback ports, with its own files, and stops them again.

#![allow(
    clippy::unwrap_used,
    clippy::float_cmp,
    clippy::disallowed_methods,
    clippy::cast_possible_truncation,
    dead_code,
    reason = "a test fails loudly, compares exact figures, and starts what it watches; not every test uses the whole harness"
)]

mod browser;
mod commissioning;
mod context;
mod crash;
mod destinations;
mod fault_proxy;
mod field_to_hub;
mod files_crash;
mod files_sink;
mod harness;
mod harness_works;
mod hub_faults;
mod influx;
mod jws;
mod line_fake;
mod modbus;
mod mqtt;
mod mqtt_sink;
mod plant;
mod share;
mod sparkplug;
mod tls;
