//! Samples, their quality, and the batch a source hands to the pipeline.

use serde::{Deserialize, Serialize};

use super::context::ContextEvent;
use super::number::Number;
use super::state::MachineState;
use super::tag::{SourceIndex, TagIndex, TagKind, TagSpec};
use super::time::Timestamp;

/// How far a value can be relied on, with the reason where it can't.
///
/// Variants are only ever appended, in the order of [`Quality::ALL`], because databases keep the position. Which of two
/// is better is another question: [`Quality::rank`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
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
    /// Outside the range that the configuration gives the point; used and marked.
    OutOfRange,
    /// Unchanged for longer than the configuration lets the point stand still; used and marked.
    FlatLine,
    /// Changed faster than the configuration lets the point change; used and marked.
    TooFast,
    /// The source said that the value is no longer current, as by a Sparkplug death.
    Stale,
}

impl Quality {
    /// Every quality, in the order of the stored codes. Append only.
    pub const ALL: [Self; 12] = [
        Self::Good,
        Self::Uncertain,
        Self::DeclaredBad,
        Self::Sentinel,
        Self::NotANumber,
        Self::UnknownState,
        Self::Calibrating,
        Self::DeviceFault,
        Self::OutOfRange,
        Self::FlatLine,
        Self::TooFast,
        Self::Stale,
    ];

    /// Says whether a value of this quality enters a figure.
    pub const fn is_usable(self) -> bool {
        matches!(self, Self::Good | Self::Uncertain | Self::OutOfRange | Self::FlatLine | Self::TooFast)
    }

    /// Returns the place among all qualities from the best, 0, to the worst. Usable ones come before the others; what
    /// the device says of itself outweighs what was read of the value.
    pub const fn rank(self) -> u8 {
        match self {
            Self::Good => 0,
            Self::FlatLine => 1,
            Self::TooFast => 2,
            Self::OutOfRange => 3,
            Self::Uncertain => 4,
            Self::Stale => 5,
            Self::DeclaredBad => 6,
            Self::Sentinel => 7,
            Self::NotANumber => 8,
            Self::UnknownState => 9,
            Self::Calibrating => 10,
            Self::DeviceFault => 11,
        }
    }

    /// Returns the worse of two.
    #[must_use]
    pub const fn worse(self, other: Self) -> Self {
        if other.rank() > self.rank() { other } else { self }
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
            Self::OutOfRange => "out_of_range",
            Self::FlatLine => "flat_line",
            Self::TooFast => "too_fast",
            Self::Stale => "stale",
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
    /// The samples, in arrival order. None at all is a confirmation: the source hears everything that concerns its tags,
    /// and what it last reported of each still stands at `received_at`.
    pub samples: Vec<Sample>,
    /// What the source told of production, in arrival order. A batch that has any confirms nothing.
    pub context: Vec<ContextEvent>,
}

/// Reads a value of `tag` written as text: a number, or for a state tag what its `states` table names, else a state's
/// own name. No value comes with the reason; whole numbers stay exact.
pub fn read_text(tag: &TagSpec, text: &str) -> (Option<Number>, Quality) {
    let text = text.trim();
    if tag.kind == TagKind::State {
        let state = tag.states.get(text).copied().or_else(|| MachineState::from_name(text));
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::{MachineState, Number, Quality, SourceIndex, TagKind, TagSpec, read_text};
    use crate::model::id::TagName;
    use crate::model::tag::Meaning;
    use crate::model::unit::Unit;

    fn spec(kind: TagKind) -> TagSpec {
        TagSpec::new(
            TagName::new("press-1.point").unwrap(),
            SourceIndex(0),
            Meaning {
                kind,
                unit: Unit::One,
                decoding: String::new(),
                hold_ms: 1,
                lateness_ms: 0,
                states: BTreeMap::from([("1".to_owned(), MachineState::Producing)]),
                thinning: None,
            },
        )
    }

    #[test]
    fn stored_codes_stay_and_every_usable_quality_ranks_before_the_others() {
        let names = Quality::ALL.map(Quality::as_str);
        assert_eq!(
            names,
            [
                "good",
                "uncertain",
                "bad",
                "sentinel",
                "not_a_number",
                "unknown_state",
                "calibrating",
                "device_fault",
                "out_of_range",
                "flat_line",
                "too_fast",
                "stale"
            ]
        );
        for (code, quality) in (0..).zip(Quality::ALL) {
            assert_eq!((quality.code(), Quality::from_code(code)), (code, Some(quality)));
            assert_eq!(Quality::from_name(quality.as_str()), Some(quality));
        }
        let mut ranked = Quality::ALL;
        ranked.sort_by_key(|quality| quality.rank());
        assert!(ranked.windows(2).all(|pair| pair[0].rank() < pair[1].rank()));
        let usable = ranked.map(Quality::is_usable);
        assert!(usable.windows(2).all(|pair| pair[0] >= pair[1]), "{ranked:?}");
        assert_eq!(Quality::Uncertain.worse(Quality::OutOfRange), Quality::Uncertain);
    }

    #[test]
    fn text_becomes_an_exact_number_or_no_value_with_the_reason() {
        for (text, expected) in [
            ("9007199254740993", (Some(Number::Integer(9_007_199_254_740_993)), Quality::Good)),
            (" 1.5", (Some(Number::Float(1.5)), Quality::Good)),
            ("NaN", (None, Quality::NotANumber)),
            ("", (None, Quality::NotANumber)),
        ] {
            assert_eq!(read_text(&spec(TagKind::Gauge), text), expected, "{text}");
        }
    }

    #[test]
    fn a_state_is_read_by_its_table_then_by_its_name() {
        let producing = (Some(Number::Integer(MachineState::Producing.code())), Quality::Good);
        assert_eq!(read_text(&spec(TagKind::State), "1"), producing);
        assert_eq!(read_text(&spec(TagKind::State), "producing"), producing);
        assert_eq!(read_text(&spec(TagKind::State), "9"), (None, Quality::UnknownState));
    }
}
