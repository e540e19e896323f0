//! PURE: a Sparkplug B 3.0 host application, from births, data and deaths to samples.
//!
//! In: topics and payloads as they arrive, connections and their loss, and instants of waking. Out: samples, what is
//! to be published, and what could not be used, by kind. A value is never guessed: an alias or a name that no birth
//! gave is dropped and a rebirth asked for. All that a host publishes is its own STATE and, where the factory
//! switched it on, a rebirth request; [`Outgoing`](outgoing::Outgoing) can't say anything else. Everything kept is bounded.
//!
//! **Source**: Eclipse Sparkplug 3.0.0. The rules a host keeps have an id each; `tests` names a test after each.

mod births;
pub(super) mod config;
mod edge;
pub(super) mod host;
pub(super) mod outgoing;
mod payload;
pub(super) mod point;
mod rebirth;
mod sequence;
#[cfg(test)]
mod tests;
mod topic;
