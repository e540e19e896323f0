//! MQTT, 3.1.1 and 5: from messages at a broker to samples.
//!
//! `config` says which topics and points; `payload` (pure) turns a topic and a payload into a reading, `intake`
//! (pure) a message into samples; `unacknowledged` (pure) remembers which message may be acknowledged when; `link`
//! is the one place that knows the client crate; `subscribe` runs the session.
//!
//! `sparkplug` (pure) is a Sparkplug host application, `host` gives it to the session.
//!
//! A message is acknowledged only after its samples are committed. Nothing is published but what a Sparkplug host says
//! of itself, and a rebirth request where the factory switched that on.

pub mod config;
mod host;
mod intake;
mod link;
pub mod payload;
mod sparkplug;
pub mod subscribe;
#[cfg(test)]
mod tests;
mod unacknowledged;
