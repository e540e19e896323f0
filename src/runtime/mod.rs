//! What every role stands on: the clock, supervised tasks with a staged shutdown, back-off, health, logging.

pub mod backoff;
pub mod clock;
pub mod health;
pub mod log;
pub mod secret;
pub mod tasks;
