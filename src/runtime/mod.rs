//! What every role stands on.
//!
//! - `clock`: plant time, the one place that reads the wall clock
//! - `tasks`: supervised tasks with a staged shutdown, the one place that spawns
//! - `health`: the board on which every component says how it is and what it counted
//! - `synchronisation`: whether the box's clock is kept synchronised
//! - `tls`: whom a connection trusts
//! - `backoff`, `secret`, `log`
//!
//! No room's knowledge enters here: nothing in it knows what a KPI, a page or a register is.

pub mod backoff;
pub mod clock;
pub mod health;
pub mod log;
pub mod secret;
pub mod synchronisation;
pub mod tasks;
pub mod tls;
