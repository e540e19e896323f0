//! Samples, their quality, and the batch a source hands to the pipeline.

use serde::{Deserialize, Serialize};

use super::number::Number;
use super::tag::{SourceIndex, TagIndex};
use super::time::Timestamp;

/// How far a value can be relied on, with the reason where it can't. Order: best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Quality {
    /// Measured as configured.
    Good,
    /// The source said that it doubts the value; it is used and marked.
    Uncertain,
    /// The source, or a person, declared the value bad.
    DeclaredBad,
    /// The device answered its own mark for "no value".
    Sentinel,
    /// NaN, infinity, or a text where a number is due.
    NotANumber,
    /// A state code that the configuration doesn't name.
    UnknownState,
    /// The device is being calibrated.
    Calibrating,
    /// The device reports a fault of its own.
    DeviceFault,
}

impl Quality {
    /// Every quality, best first.
    pub const ALL: [Self; 8] = [
        Self::Good,
        Self::Uncertain,
        Self::DeclaredBad,
        Self::Sentinel,
        Self::NotANumber,
        Self::UnknownState,
        Self::Calibrating,
        Self::DeviceFault,
    ];

    /// Says whether a value of this quality enters a figure.
    pub const fn is_usable(self) -> bool {
        matches!(self, Self::Good | Self::Uncertain)
    }

    /// Returns the name used in CSV and JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Uncertain => "uncertain",
            Self::DeclaredBad => "bad",
            Self::Sentinel => "sentinel",
            Self::NotANumber => "not_a_number",
            Self::UnknownState => "unknown_state",
            Self::Calibrating => "calibrating",
            Self::DeviceFault => "device_fault",
        }
    }

    /// Returns the stable code stored in databases: the position in [`Quality::ALL`].
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// Returns the quality of a stored code.
    pub fn from_code(code: u8) -> Option<Self> {
        Self::ALL.get(usize::from(code)).copied()
    }

    /// Returns the quality of a name from a CSV column.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|quality| quality.as_str() == name)
    }
}

/// One value of one tag. Its identity is (tag, `measured_at`).
///
/// A state tag carries [`super::state::MachineState::code`] as an integer. `value` is `None` exactly where
/// there is none to keep; the reason is the quality.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    /// Which tag.
    pub tag: TagIndex,
    /// Event time: the device's own where it gives one, else the middle of the read.
    pub measured_at: Timestamp,
    /// The value, scaled to the tag's unit.
    pub value: Option<Number>,
    /// How far it can be relied on.
    pub quality: Quality,
}

/// What one source hands to the pipeline at once: the first of the three hand-overs.
#[derive(Debug, Clone, PartialEq)]
pub struct SampleBatch {
    /// Who sends it.
    pub source: SourceIndex,
    /// Number of this hand-over within the source's process lifetime, ascending from 1. After the commit the
    /// pipeline reports the highest committed number back, and only then may the source acknowledge upstream.
    pub delivery: u64,
    /// Arrival at the box, plant time.
    pub received_at: Timestamp,
    /// The samples, in arrival order.
    pub samples: Vec<Sample>,
}
