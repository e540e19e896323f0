//! The nouns every room shares: ids, time, numbers, samples, facts, records, share policy.
//!
//! Data and arithmetic only. Nothing here reads a clock, opens a file or knows a protocol, and this
//! room imports no other. A type belongs here when two rooms hand it to each other.

pub mod broker;
pub mod context;
pub mod declared;
pub mod enterprise;
pub mod fact;
pub mod id;
pub mod number;
pub mod pollutant;
pub mod problem;
pub mod record;
pub mod sample;
pub mod share;
pub mod slot;
pub mod state;
pub mod statement;
pub mod swap;
pub mod tag;
pub mod time;
pub mod unit;
