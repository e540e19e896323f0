//! Formats between processes: what the hub answers a gateway, what an error looks like, what a figure is.
//!
//! In: what a room has to say. Out: its JSON. Each form is frozen by a literal test in its file, because the other end
//! may run another version. Nothing here is computed, sent or stored.

pub mod figure;
pub mod problem;
pub mod receipt;
pub mod status;
