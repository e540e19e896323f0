//! Composes the configuration of a process from the components' own types, and reports every problem at once.
//!
//! **In**: the text of one TOML file. **Out**: [`Gateway`] or [`Hub`], or none, and [`Problems`] that know their place
//! in the file and what to write instead. A file with an error gives no configuration: nothing starts with half of
//! one. No secret passes through here: it is named by reference, and resolved by who needs it. Nothing here reads a
//! file.

mod assets;
mod baselines;
mod calendar;
mod channel;
mod component;
mod context;
mod document;
mod emission;
mod gateway;
mod hub;
mod limit;
mod meters;
mod profiles;
mod read;
mod reference;
mod render;
mod secrets;
mod share;
mod sinks;
mod sources;
mod spelling;
mod tags;
mod tariff;
mod tree;

#[cfg(test)]
mod tests;

pub use gateway::{
    Gateway, GatewaySection, load_gateway, load_gateway_from, load_gateway_with, profile_files, reference_files,
};
pub use hub::{Hub, load_hub};
pub use reference::Texts as ReferenceTexts;
pub use render::{Place, place, render, render_json};
pub use share::{Revealed, reveals};

use crate::model::problem::Problems;

/// Puts problems into the order of the file, each once, without the secrets that may stand in it.
fn finish(text: &str, mut problems: Problems) -> Problems {
    secrets::hide(text, &mut problems);
    problems.0.sort_by_key(|problem| problem.span.as_ref().map_or((0, 0), |span| (span.start, span.end)));
    problems.0.dedup();
    problems
}
