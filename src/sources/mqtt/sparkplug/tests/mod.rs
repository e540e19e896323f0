//! The rules of the specification, each under its id, against the pure host; those of the connection are in `mqtt/host`.

mod bad_bytes;
mod edge_rules;
mod host_rules;
mod kit;
mod values;
