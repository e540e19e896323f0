//! Words to values: type, order, bits, sentinel, scale, scale factor and states.
//!
//! In: the registers (or the bit) of one point, as they arrived in one answer. Out: a number in the tag's unit, or the
//! reason why there is none. A mark for "no value", NaN and a digit that is none never become a number, and no value
//! is scaled by a factor that wasn't read with it.

mod raw;

use std::collections::BTreeMap;
use std::fmt;

use self::raw::{assemble, interpret, is_sentinel, scale, scale_by_power, select};

use crate::model::number::Number;
use crate::model::sample::Quality;
use crate::model::state::MachineState;
use crate::profile::register::{BitField, RegisterType, Sentinel, WordOrder, text_of};

/// How the words of one point become its value: value = raw × `scale` + `offset`.
#[derive(Debug, Clone, PartialEq)]
pub struct Decoding {
    /// How the words are read.
    pub register_type: RegisterType,
    /// In which order they arrive.
    pub order: WordOrder,
    /// Which bit of the register a `bit` is, 0 the least significant.
    pub bit: u8,
    /// Factor, transformer ratio included.
    pub scale: f64,
    /// Added after scaling, transformer ratio included. **Unit**: the value's.
    pub offset: f64,
    /// Marks for "no value".
    pub sentinels: Vec<Sentinel>,
    /// Raw number → state, for a state tag; else empty.
    pub states: BTreeMap<i128, MachineState>,
    /// Where the value lies within the words that are read for it.
    pub layout: Layout,
}

/// Where a value lies within the words that are read for it.
#[derive(Debug, Clone, PartialEq)]
pub enum Layout {
    /// They are the value.
    Whole,
    /// It is some of their bits, read as a number without sign.
    Bits(BitField),
    /// It stands at one place, and the exponent of ten that scales it, an int16, at another. Both come in one answer.
    Factored {
        /// Position of its first word.
        value: u16,
        /// Position of the exponent.
        factor: u16,
    },
    /// They are a text that names a state.
    Text {
        /// How many characters belong to it; all of them where `None`.
        characters: Option<u16>,
        /// Text → state.
        states: BTreeMap<String, MachineState>,
    },
}

impl Decoding {
    /// Reads `register_type` in `order` as it stands: no scale, no sentinels, no states.
    pub const fn plain(register_type: RegisterType, order: WordOrder) -> Self {
        Self {
            register_type,
            order,
            bit: 0,
            scale: 1.0,
            offset: 0.0,
            sentinels: Vec::new(),
            states: BTreeMap::new(),
            layout: Layout::Whole,
        }
    }
}

/// Why words hold no value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum NoValue {
    /// The device answered its mark for "no value"; the bits of that mark.
    Sentinel(u64),
    /// NaN or infinity, on the wire or after scaling.
    NotFinite,
    /// A digit that is none of its base, or digits of both signs; the bits.
    NotDecimal(u64),
    /// A number that the tag's `states` don't name.
    UnknownState(Raw),
    /// A text that the tag's `states` don't name.
    UnknownText,
    /// Characters beyond printable ASCII, or none at all.
    NotText,
    /// A text, which is no number unless `states` say what it stands for.
    IsText,
    /// The device answers 0x8000 for the scale factor: the point is not implemented.
    NoScaleFactor,
    /// An exponent outside −10 to 10.
    ScaleFactor(i16),
    /// Fewer words than the type needs; how many there are.
    TooFewWords(usize),
}

impl NoValue {
    /// Returns the quality of a sample without value.
    pub const fn quality(self) -> Quality {
        match self {
            Self::Sentinel(_) | Self::NoScaleFactor => Quality::Sentinel,
            Self::NotFinite | Self::NotDecimal(_) | Self::TooFewWords(_) => Quality::NotANumber,
            Self::NotText | Self::IsText | Self::ScaleFactor(_) => Quality::NotANumber,
            Self::UnknownState(_) | Self::UnknownText => Quality::UnknownState,
        }
    }
}

impl fmt::Display for NoValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sentinel(bits) => write!(f, "the device answers its mark for no value, {bits:#x}"),
            Self::NotFinite => f.write_str("not a finite number"),
            Self::NotDecimal(bits) => write!(f, "{bits:#x} holds a digit out of range"),
            Self::UnknownState(Raw::Integer(raw)) => write!(f, "no state is configured for {raw}"),
            Self::UnknownState(Raw::Float(raw)) => write!(f, "no state is configured for {raw}"),
            Self::UnknownText => f.write_str("no state is configured for the text"),
            Self::NotText => f.write_str("no text of printable characters"),
            Self::IsText => f.write_str("a text is no number: states say what it stands for"),
            Self::NoScaleFactor => f.write_str("the device answers 0x8000 for its scale factor: not implemented"),
            Self::ScaleFactor(exponent) => write!(f, "scale factor {exponent} is outside -10 to 10"),
            Self::TooFewWords(count) => write!(f, "{count} words are too few for the type"),
        }
    }
}

/// A value as the device holds it, before scale and offset.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Raw {
    /// Of an integer, decimal or bit type.
    Integer(i128),
    /// Of a floating-point type; may be NaN or infinite.
    Float(f64),
}

impl Decoding {
    /// Decodes the registers of one point, lowest address first.
    ///
    /// # Errors
    /// [`NoValue`] with the reason; the sample is kept without a value.
    pub fn words(&self, words: &[u16]) -> Result<Number, NoValue> {
        match &self.layout {
            Layout::Whole => self.value(self.raw(words)?),
            Layout::Bits(field) => {
                let Raw::Integer(whole) = self.raw(words)? else { return Err(NoValue::NotFinite) };
                self.value(Raw::Integer(field.of(whole)))
            }
            Layout::Factored { value, factor } => self.factored(words, usize::from(*value), usize::from(*factor)),
            Layout::Text { characters, states } => {
                let text = decode_text(words, self.order, *characters)?;
                states.get(&text).map(|state| Number::Integer(state.code())).ok_or(NoValue::UnknownText)
            }
        }
    }

    /// Returns the number the device holds.
    fn raw(&self, words: &[u16]) -> Result<Raw, NoValue> {
        let needed = usize::from(self.register_type.words());
        let words = words.get(..needed).ok_or(NoValue::TooFewWords(words.len()))?;
        let bits = select(assemble(words, self.order), self.register_type);
        let raw = interpret(bits, self.register_type, self.bit);
        if self.sentinels.iter().any(|sentinel| is_sentinel(*sentinel, bits, raw, self.register_type)) {
            return Err(NoValue::Sentinel(bits));
        }
        raw.ok_or(if self.register_type == RegisterType::Text { NoValue::IsText } else { NoValue::NotDecimal(bits) })
    }

    fn factored(&self, words: &[u16], value: usize, factor: usize) -> Result<Number, NoValue> {
        let too_few = NoValue::TooFewWords(words.len());
        let raw = self.raw(words.get(value..).ok_or(too_few)?)?;
        let exponent = words.get(factor).map(std::slice::from_ref).ok_or(too_few)?;
        let exponent = match Self::plain(RegisterType::Int16, self.order).raw(exponent)? {
            Raw::Integer(exponent) => i16::try_from(exponent).unwrap_or(i16::MIN),
            Raw::Float(_) => i16::MIN,
        };
        if exponent == i16::MIN {
            return Err(NoValue::NoScaleFactor);
        }
        let factor = scale_by_power(self.scale, exponent).ok_or(NoValue::ScaleFactor(exponent))?;
        scale(raw, factor, self.offset).ok_or(NoValue::NotFinite)
    }

    /// Decodes one bit of a bit table.
    ///
    /// # Errors
    /// [`NoValue::UnknownState`] where states are configured and none is for it.
    pub fn bit(&self, bit: bool) -> Result<Number, NoValue> {
        self.value(Raw::Integer(i128::from(bit)))
    }

    fn value(&self, raw: Raw) -> Result<Number, NoValue> {
        if self.states.is_empty() {
            return scale(raw, self.scale, self.offset).ok_or(NoValue::NotFinite);
        }
        let state = match raw {
            Raw::Integer(raw) => self.states.get(&raw),
            Raw::Float(_) => None,
        };
        state.map(|state| Number::Integer(state.code())).ok_or(NoValue::UnknownState(raw))
    }
}

/// Decodes registers as a text: two characters each, up to the first NUL, without the spaces around it.
///
/// # Errors
/// [`NoValue::NotText`] where a character is not printable ASCII, or none is left.
pub fn decode_text(words: &[u16], order: WordOrder, characters: Option<u16>) -> Result<String, NoValue> {
    let characters = characters.map_or(usize::MAX, usize::from);
    text_of(words, order.bytes_swapped(), characters).ok_or(NoValue::NotText)
}

#[cfg(test)]
mod tests;
