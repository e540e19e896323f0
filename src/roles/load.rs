//! Reads a configuration file and shows every problem in it at once.

use std::io::{IsTerminal, Write};
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context;

use crate::config::{self, Gateway, Hub};
use crate::model::problem::Problems;

/// Exit code where the configuration is refused.
pub(super) fn refused() -> ExitCode {
    ExitCode::from(2)
}

/// Returns the configuration of an edge box; `None` where it is refused. Every problem has been shown.
pub(super) fn gateway(path: &Path) -> anyhow::Result<Option<Gateway>> {
    load(path, config::load_gateway)
}

/// Returns the configuration of a hub; `None` where it is refused. Every problem has been shown.
pub(super) fn hub(path: &Path) -> anyhow::Result<Option<Hub>> {
    load(path, config::load_hub)
}

fn load<T>(path: &Path, parse: impl Fn(&str, &str) -> (Option<T>, Problems)) -> anyhow::Result<Option<T>> {
    let name = path.display().to_string();
    let text = std::fs::read_to_string(path).with_context(|| format!("configuration {name}"))?;
    let (config, problems) = parse(&name, &text);
    if !problems.0.is_empty() {
        let mut error = std::io::stderr();
        let color = error.is_terminal();
        error.write_all(config::render(&problems, &name, &text, color).as_bytes())?;
    }
    Ok(config.filter(|_| !problems.has_errors()))
}
