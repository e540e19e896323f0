//! What a person says of a meter that was replaced by another one, and what became of it.

use serde::{Deserialize, Serialize};

use super::id::TagName;
use super::number::Number;
use super::time::Timestamp;

/// A meter replaced by another one: where the old one ended and the new one began.
#[derive(Debug, Clone, PartialEq)]
pub struct Swap {
    /// Its number in the store.
    pub id: i64,
    /// The counter that both meters feed.
    pub tag: TagName,
    /// When the old meter stopped and the new one started.
    pub at: Timestamp,
    /// Last reading of the old meter, in the tag's unit.
    pub old_final: Number,
    /// First reading of the new meter, in the tag's unit.
    pub new_initial: Number,
}

/// What became of a told swap.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum SwapOutcome {
    /// The old meter's last growth and the new one's first are in the figures.
    Applied,
    /// The old meter had shown more than its final reading: nothing was changed.
    Contradicted,
    /// The readings around that time have no break where another meter could have taken over: nothing was changed.
    NoBreak,
    /// The running configuration has no counter of that name that an asset counts with.
    NoCounter,
}

impl SwapOutcome {
    /// Every outcome.
    pub const ALL: [Self; 4] = [Self::Applied, Self::Contradicted, Self::NoBreak, Self::NoCounter];

    /// Returns the name used in the database, in JSON and in lists.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Applied => "applied",
            Self::Contradicted => "contradicted",
            Self::NoBreak => "no_break",
            Self::NoCounter => "no_counter",
        }
    }

    /// Returns the outcome of a stored name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|outcome| outcome.as_str() == name)
    }
}
