//! Reads a configuration file and shows every problem in it at once.

use std::io::{IsTerminal, Write};
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context;

use crate::config::{self, Gateway, Hub};
use crate::model::problem::Problems;
use crate::profile::Library;

/// Exit code where the configuration is refused.
pub(super) fn refused() -> ExitCode {
    ExitCode::from(2)
}

/// Returns the configuration of an edge box; `None` where it is refused. Every problem has been shown.
pub(super) fn gateway(path: &Path) -> anyhow::Result<Option<Gateway>> {
    load(path, |name, text| config::load_gateway_from(name, text, profiles(path, text), &references(path, text)))
}

/// Returns the device profiles that a command knows: those of a configuration, else those that come with the program,
/// and the file that `named` is, whose path counts from the configuration's folder, else from the current one. `None`
/// where the configuration is refused. Every problem has been shown.
pub(super) fn known_profiles(config: Option<&Path>, named: Option<&str>) -> anyhow::Result<Option<Library>> {
    let mut library = match config {
        Some(path) => match gateway(path)? {
            Some(gateway) => gateway.profiles,
            None => return Ok(None),
        },
        None => Library::builtin(),
    };
    if let Some(name) = named.filter(|name| name.ends_with(".toml") && library.get(name).is_none()) {
        let folder = config.and_then(Path::parent).unwrap_or_else(|| Path::new(""));
        let read = std::fs::read_to_string(folder.join(name)).map_err(|error| error.to_string());
        library.add_file(name, read);
    }
    Ok(Some(library))
}

/// Returns the configuration of a hub; `None` where it is refused. Every problem has been shown.
pub(super) fn hub(path: &Path) -> anyhow::Result<Option<Hub>> {
    load(path, config::load_hub)
}

/// Returns the profiles that a configuration at `path` may name: those that come with the program, and the files of the
/// user's own that it names, whose paths count from its folder.
pub(super) fn profiles(path: &Path, text: &str) -> Library {
    let folder = path.parent().unwrap_or_else(|| Path::new(""));
    let mut library = Library::builtin();
    for file in config::profile_files(text) {
        let read = std::fs::read_to_string(folder.join(&file)).map_err(|error| error.to_string());
        library.add_file(&file, read);
    }
    library
}

/// Returns the texts of the reference files that a configuration at `path` names; their paths count from its folder.
pub(super) fn references(path: &Path, text: &str) -> config::ReferenceTexts {
    let folder = path.parent().unwrap_or_else(|| Path::new(""));
    let read = |file: String| {
        let text = std::fs::read_to_string(folder.join(&file)).map_err(|error| error.to_string());
        (file, text)
    };
    config::reference_files(text).into_iter().map(read).collect()
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

#[cfg(test)]
mod tests {
    use super::{Path, profiles};

    #[test]
    fn the_path_of_a_profile_counts_from_the_folder_of_the_configuration() {
        let folder = tempfile::tempdir().unwrap();
        let builtin = std::fs::read_to_string("config/profiles/abb_b23.toml").unwrap();
        std::fs::write(folder.path().join("mine.toml"), builtin).unwrap();
        let text = "[[source]]\nprofile = \"mine.toml\"\n[[source]]\nprofile = \"gone.toml\"\n";
        let library = profiles(&folder.path().join("gateway.toml"), text);
        assert_eq!(library.get("mine.toml").unwrap().vendor, "ABB");
        assert!(library.refusal("gone.toml").is_some_and(|reason| reason.contains("No such file")));
        assert!(profiles(Path::new("gateway.toml"), "").get("abb_b23").is_some());
    }
}
