//! What a tag is: the meaning of one measured point, fixed by the configuration.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::id::TagName;
use super::number::Number;
use super::sample::Quality;
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

/// One tag of the configuration.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TagSpec {
    /// Its full name.
    pub name: TagName,
    /// The source that delivers it.
    pub source: SourceIndex,
    /// How its values turn into amounts.
    pub kind: TagKind,
    /// The unit of its values, after scale and ratio.
    pub unit: Unit,
    /// How long a value holds before NO_DATA begins. **Unit**: milliseconds.
    pub hold_ms: i64,
    /// How late its samples may arrive. **Unit**: milliseconds.
    pub lateness_ms: i64,
    /// Raw text or number (as text) of a state tag → state; empty for other kinds.
    pub states: BTreeMap<String, MachineState>,
}

impl TagSpec {
    /// Reads a value written as text: a number, or for a state tag what its `states` table names, else a state's own
    /// name. No value comes with the reason; whole numbers stay exact.
    pub fn read_text(&self, text: &str) -> (Option<Number>, Quality) {
        let text = text.trim();
        if self.kind == TagKind::State {
            let state = self.states.get(text).copied().or_else(|| MachineState::from_name(text));
            return match state {
                Some(state) => (Some(Number::Integer(state.code())), Quality::Good),
                None => (None, Quality::UnknownState),
            };
        }
        let number = match text.parse::<i128>() {
            Ok(integer) => Some(Number::Integer(integer)),
            Err(_) => text.parse().ok().and_then(Number::finite),
        };
        let quality = if number.is_some() { Quality::Good } else { Quality::NotANumber };
        (number, quality)
    }
}

#[cfg(test)]
mod tests {
    use super::{BTreeMap, MachineState, Number, Quality, SourceIndex, TagKind, TagName, TagSpec, Unit};

    fn spec(kind: TagKind) -> TagSpec {
        TagSpec {
            name: TagName::new("press-1.point").unwrap(),
            source: SourceIndex(0),
            kind,
            unit: Unit::One,
            hold_ms: 1,
            lateness_ms: 0,
            states: BTreeMap::from([("1".to_owned(), MachineState::Producing)]),
        }
    }

    #[test]
    fn text_becomes_an_exact_number_or_no_value_with_the_reason() {
        for (text, expected) in [
            ("9007199254740993", (Some(Number::Integer(9_007_199_254_740_993)), Quality::Good)),
            (" 1.5", (Some(Number::Float(1.5)), Quality::Good)),
            ("NaN", (None, Quality::NotANumber)),
            ("", (None, Quality::NotANumber)),
        ] {
            assert_eq!(spec(TagKind::Gauge).read_text(text), expected, "{text}");
        }
    }

    #[test]
    fn a_state_is_read_by_its_table_then_by_its_name() {
        let producing = (Some(Number::Integer(MachineState::Producing.code())), Quality::Good);
        assert_eq!(spec(TagKind::State).read_text("1"), producing);
        assert_eq!(spec(TagKind::State).read_text("producing"), producing);
        assert_eq!(spec(TagKind::State).read_text("9"), (None, Quality::UnknownState));
    }
}
