//! What a tag is: the meaning of one measured point, fixed by the configuration.

use std::collections::BTreeMap;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::id::TagName;
use super::state::MachineState;
use super::unit::Unit;

/// Position of a source in the configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SourceIndex(pub u16);

/// Position of a tag in the configuration's list of tags, which is sorted by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TagIndex(pub u32);

impl TagIndex {
    /// Returns the position as an index into a slice.
    pub const fn as_usize(self) -> usize {
        self.0 as usize
    }
}

/// How a tag's values turn into amounts.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub enum TagKind {
    /// A level at an instant, held until the next sample; a power is integrated.
    Gauge,
    /// A total that grows; differences are amounts.
    Counter {
        /// Value at which it starts again at 0, in the tag's unit; `None` where the width is unknown.
        modulus: Option<f64>,
        /// Largest growth per second that the device can show, in the tag's unit; more is excluded and kept.
        max_per_second: Option<f64>,
    },
    /// The amount over `(measured_at − period, measured_at]`.
    Interval {
        /// **Unit**: milliseconds.
        period_ms: i64,
    },
    /// A machine state.
    State,
}

impl TagKind {
    /// Returns the name used in configuration and JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Gauge => "gauge",
            Self::Counter { .. } => "counter",
            Self::Interval { .. } => "interval",
            Self::State => "state",
        }
    }
}

/// What of a tag's history is kept once the figures are made. The figures themselves rest on every sample.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Thinning {
    /// Changes up to this are left out, in the tag's unit; 0 keeps every change.
    pub deadband: f64,
    /// A sample is kept at least this often. **Unit**: milliseconds.
    pub heartbeat_ms: i64,
}

/// One tag of the configuration. What its values mean can be read as if it were its own.
///
/// A large box has a hundred thousand tags of some hundred meanings, so equal meanings are shared.
#[derive(Debug, Clone, PartialEq)]
pub struct TagSpec {
    /// Its full name.
    pub name: TagName,
    /// The source that delivers it.
    pub source: SourceIndex,
    /// What its values mean.
    pub meaning: Arc<Meaning>,
}

impl TagSpec {
    /// Returns a tag with a meaning of its own.
    pub fn new(name: TagName, source: SourceIndex, meaning: Meaning) -> Self {
        Self { name, source, meaning: Arc::new(meaning) }
    }
}

impl Deref for TagSpec {
    type Target = Meaning;

    fn deref(&self) -> &Meaning {
        &self.meaning
    }
}

impl DerefMut for TagSpec {
    /// Gives the tag a meaning of its own, where others share it.
    fn deref_mut(&mut self) -> &mut Meaning {
        Arc::make_mut(&mut self.meaning)
    }
}

/// What the values of a tag mean.
#[derive(Debug, Clone, PartialEq)]
pub struct Meaning {
    /// How its values turn into amounts.
    pub kind: TagKind,
    /// The unit of its values, after scale and ratio.
    pub unit: Unit,
    /// How raw values become values of this tag: place, type, order, scale. Only ever compared: another one makes a new
    /// version of the tag, and its counter starts afresh, so that a corrected ratio books no jump.
    pub decoding: String,
    /// How long a value holds before NO_DATA begins. **Unit**: milliseconds.
    pub hold_ms: i64,
    /// How late its samples may arrive. **Unit**: milliseconds.
    pub lateness_ms: i64,
    /// Raw text or number (as text) of a state tag → state; empty for other kinds.
    pub states: BTreeMap<String, MachineState>,
    /// What of its history is kept; `None`: all of it.
    pub thinning: Option<Thinning>,
}
