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

/// Samples of one tag, column by column: what chunks of the store and recordings give. The columns are equally long;
/// what one has beyond the shortest counts as not there.
#[derive(Debug, Clone, Copy)]
pub struct TagRun<'a> {
    /// Which tag.
    pub tag: TagIndex,
    /// Event times.
    pub measured_at: &'a [Timestamp],
    /// The values, scaled to the tag's unit.
    pub values: &'a [Option<Number>],
    /// How far each can be relied on.
    pub qualities: &'a [Quality],
}

impl TagRun<'_> {
    /// Returns instant, quality and value of each, in their order.
    pub fn readings(&self) -> impl Iterator<Item = (Timestamp, Quality, Option<Number>)> {
        let values = self.qualities.iter().zip(self.values);
        self.measured_at.iter().zip(values).map(|(at, (quality, value))| (*at, *quality, *value))
    }
}

/// The columns of one tag, owned; always equally long.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TagColumns {
    measured_at: Vec<Timestamp>,
    values: Vec<Option<Number>>,
    qualities: Vec<Quality>,
}

impl TagColumns {
    /// Returns the columns as samples of a tag.
    pub fn run(&self, tag: TagIndex) -> TagRun<'_> {
        TagRun { tag, measured_at: &self.measured_at, values: &self.values, qualities: &self.qualities }
    }

    /// Returns event times.
    pub fn measured_at(&self) -> &[Timestamp] {
        &self.measured_at
    }

    /// Returns how far each value can be relied on.
    pub fn qualities(&self) -> &[Quality] {
        &self.qualities
    }

    /// Returns instant, quality and value of each, in their order.
    pub fn readings(&self) -> impl Iterator<Item = (Timestamp, Quality, Option<Number>)> {
        let values = self.qualities.iter().zip(&self.values);
        self.measured_at.iter().zip(values).map(|(at, (quality, value))| (*at, *quality, *value))
    }

    /// Says whether each instant comes once, ascending.
    pub fn is_ascending(&self) -> bool {
        is_ascending(&self.measured_at)
    }

    /// Appends one.
    pub fn push(&mut self, at: Timestamp, quality: Quality, value: Option<Number>) {
        self.measured_at.push(at);
        self.values.push(value);
        self.qualities.push(quality);
    }

    /// Puts one after every other of its instant or before. Cheap where it is the newest.
    pub fn insert(&mut self, at: Timestamp, quality: Quality, value: Option<Number>) {
        let place = match self.measured_at.last() {
            Some(last) if *last > at => self.measured_at.partition_point(|earlier| *earlier <= at),
            _ => self.measured_at.len(),
        };
        self.measured_at.insert(place, at);
        self.values.insert(place, value);
        self.qualities.insert(place, quality);
    }

    /// Puts them in the order of time; those of one instant stay in theirs.
    pub fn sort(&mut self) {
        if self.measured_at.is_sorted() {
            return;
        }
        let mut readings: Vec<(Timestamp, Quality, Option<Number>)> = self.readings().collect();
        readings.sort_by_key(|(at, ..)| *at);
        *self = readings.into_iter().collect();
    }

    /// Leaves the first ones.
    pub fn truncate(&mut self, length: usize) {
        self.measured_at.truncate(length);
        self.values.truncate(length);
        self.qualities.truncate(length);
    }

    /// Returns a copy of some places of it; those beyond its end aren't there.
    #[must_use]
    pub fn part(&self, from: usize, to: usize) -> Self {
        let to = to.min(self.measured_at.len());
        let places = from.min(to)..to;
        Self {
            measured_at: self.measured_at[places.clone()].to_vec(),
            values: self.values[places.clone()].to_vec(),
            qualities: self.qualities[places].to_vec(),
        }
    }
}

impl Extend<(Timestamp, Quality, Option<Number>)> for TagColumns {
    fn extend<I: IntoIterator<Item = (Timestamp, Quality, Option<Number>)>>(&mut self, readings: I) {
        readings.into_iter().for_each(|(at, quality, value)| self.push(at, quality, value));
    }
}

impl FromIterator<(Timestamp, Quality, Option<Number>)> for TagColumns {
    fn from_iter<I: IntoIterator<Item = (Timestamp, Quality, Option<Number>)>>(readings: I) -> Self {
        let mut columns = Self::default();
        columns.extend(readings);
        columns
    }
}

/// Says whether each instant comes once, ascending.
pub fn is_ascending(instants: &[Timestamp]) -> bool {
    instants.windows(2).all(|pair| pair[0] < pair[1])
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
