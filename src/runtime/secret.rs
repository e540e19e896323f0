//! Secrets by reference: an environment variable or a file, never the configuration itself.

use std::path::PathBuf;

use secrecy::SecretString;
use serde::Deserialize;

/// Where a secret is found: `{ env = "NAME" }` or `{ file = "path" }`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Secret {
    /// Name of an environment variable.
    Env(String),
    /// Path of a file; a trailing line break is not part of the secret.
    File(PathBuf),
}

/// A secret that can't be had. Names the place, never the content.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The variable is unset or no UTF-8.
    #[error("environment variable {0} holds no secret: it is unset or not UTF-8")]
    Env(String),
    /// The file can't be read.
    #[error("secret file {0} can't be read: {1}")]
    File(PathBuf, std::io::Error),
    /// There is nothing in it.
    #[error("{0} holds an empty secret")]
    Empty(String),
}

impl Secret {
    /// Reads the secret.
    ///
    /// # Errors
    /// [`SecretError`]; the role refuses to start.
    pub fn resolve(&self) -> Result<SecretString, SecretError> {
        let (place, text) = match self {
            Self::Env(name) => (name.clone(), std::env::var(name).map_err(|_| SecretError::Env(name.clone()))?),
            Self::File(path) => (
                path.display().to_string(),
                std::fs::read_to_string(path).map_err(|error| SecretError::File(path.clone(), error))?,
            ),
        };
        let text = text.trim_end_matches(['\r', '\n']);
        if text.is_empty() { Err(SecretError::Empty(place)) } else { Ok(SecretString::from(text.to_owned())) }
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::Secret;

    #[test]
    fn a_file_secret_loses_its_line_break_and_an_empty_one_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("token");
        std::fs::write(&path, "s3cret\n").unwrap();
        assert_eq!(Secret::File(path.clone()).resolve().unwrap().expose_secret(), "s3cret");
        std::fs::write(&path, "\n").unwrap();
        assert!(Secret::File(path).resolve().is_err());
    }
}
