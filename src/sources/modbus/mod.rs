//! IN over Modbus: registers of meters and PLCs become samples.
//!
//! `config` says what to read, `transport` (pure) where, `plan` (pure) merges it into few requests, `link` (the only folder that touches the
//! Modbus crate) carries one request at a time, `decode` (pure) turns words into values, `poll` keeps the periods.
//! A request here can express a read and nothing else; a failed read never becomes a value.

pub mod address;
pub mod behaviour;
pub mod config;
pub mod decode;
pub mod device;
pub mod diagnosis;
pub mod fingerprint;
pub mod link;
mod outcome;
pub mod plan;
pub mod plausible;
mod points;
pub mod poll;
mod reach;
pub mod sunspec;
pub mod taglist;
pub mod transport;

pub use device::{Endpoint, endpoints};
pub use poll::run;

#[cfg(test)]
mod tests;
