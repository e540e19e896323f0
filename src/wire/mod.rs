//! Formats between processes: what the hub answers a gateway, what an error looks like, what a figure is.
//!
//! Pure data. Each form is frozen by a literal test in its file, because the other end may run another version.

pub mod figure;
pub mod problem;
pub mod receipt;
