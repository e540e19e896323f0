//! MQTT, 3.1.1 and 5: from messages at a broker to samples.
//!
//! `config` says which topics and points; `payload` (pure) turns a topic and a payload into a reading, `intake`
//! (pure) a message into samples; `unacknowledged` (pure) remembers which message may be acknowledged when; `link`
//! is the one place that knows the client crate; `subscribe` runs the session.
//!
//! A message is acknowledged only after its samples are committed. Nothing is ever published.

pub mod config;
mod intake;
mod link;
pub mod payload;
pub mod subscribe;
#[cfg(test)]
mod tests;
mod unacknowledged;
