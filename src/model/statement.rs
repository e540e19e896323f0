//! Statements: what people and systems say, as the journal keeps it.

use serde::{Deserialize, Serialize};

use super::context::ContextEvent;
use super::declared::Declared;

/// Something that was said, with its number in the store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Statement {
    /// Its number in the store: ascending in the order in which statements are heard.
    pub id: i64,
    /// What was said.
    pub said: Said,
}

/// What can be said. Who said it stays in the store: no figure depends on a name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Said {
    /// What was told of an asset's production: it counts from its own instant on.
    Context(ContextEvent),
    /// A quantity was declared. It counts from its approval on.
    Declared(Declared),
    /// A second person approved a declaration.
    Approved {
        /// Number of the statement that declared it.
        of: i64,
    },
    /// A declaration was taken back, approved or not.
    Withdrawn {
        /// Number of the statement that declared it.
        of: i64,
    },
}

impl Said {
    /// Returns the name of the kind, as databases keep it.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Context(_) => "context",
            Self::Declared(_) => "declared",
            Self::Approved { .. } => "approved",
            Self::Withdrawn { .. } => "withdrawn",
        }
    }
}
