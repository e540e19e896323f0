//! From a payload to named values and their event times. Pure.
//!
//! In: what the configuration says of a topic's payloads, and payloads as they arrive. Out: [`Entry`]s, each one value
//! with what the payload says of its name and time, or a typed [`Refusal`]; and what a point makes of a value. An
//! entry that can't be read costs no other one of the same message. Nothing here panics on any payload.

use std::borrow::Cow;
use std::collections::BTreeMap;

use crate::model::number::Number;
use crate::model::sample::Quality;
use crate::model::state::MachineState;
use crate::model::time::Timestamp;
use crate::model::unit::{Dimension, Unit};

pub(super) mod events;
pub mod instant;
pub mod json;
pub mod lines;
pub mod path;
#[cfg(test)]
mod tests;
pub mod topic;

use instant::TimeForm;
use json::Json;
use lines::{Column, Lines};

/// How payloads of one subscription are read.
#[derive(Debug, Clone, PartialEq)]
pub struct Format {
    /// Where the values stand.
    pub shape: Shape,
    /// How event times are written.
    pub time: TimeForm,
    /// What separates a number's fraction where it is written as text.
    pub decimal: char,
}

/// Where the values of a payload stand.
#[derive(Debug, Clone, PartialEq)]
pub enum Shape {
    /// The payload is the value.
    Plain,
    /// At places of a JSON document.
    Json(Box<Json>),
    /// In CSV lines.
    Lines(Lines),
}

/// One value of a payload.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry<'a> {
    /// The device's name, where the payload gives it.
    pub device: Option<Cow<'a, str>>,
    /// The point's name, where the payload gives it.
    pub point: Option<Cow<'a, str>>,
    /// The value; never a list or an object.
    pub scalar: Scalar<'a>,
    /// Event time; `None` where the payload carries none.
    pub measured_at: Option<Timestamp>,
}

/// A value as a payload writes it.
#[derive(Debug, Clone, PartialEq)]
pub enum Scalar<'a> {
    /// The source says that there is none.
    Null,
    /// A truth.
    Bool(bool),
    /// A whole number, exact.
    Integer(i128),
    /// Another number.
    Float(f64),
    /// A text.
    Text(Cow<'a, str>),
    /// A list or an object, which is no value.
    Compound,
}

/// Why a payload, or a part of it, is no reading. It is acknowledged and counted: sent again it would be as unreadable.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The payload is no JSON.
    #[error("the payload is no JSON: {0}")]
    NotJson(String),
    /// A plain payload is no text.
    #[error("the payload is no UTF-8 text")]
    NotText,
    /// It is larger than a box takes.
    #[error("the payload has {0} bytes, at most {PAYLOAD_BYTES_MAX} are read")]
    TooLarge(usize),
    /// Nothing stands at a place.
    #[error("nothing stands at {0}")]
    Missing(String),
    /// An object or a list stands where one value is due.
    #[error("an object or a list stands at {0}, expected one value")]
    NotScalar(String),
    /// No object stands where one is due.
    #[error("no object stands at {0}, expected points and their values")]
    NotAnObject(String),
    /// What stands where a name is due is none.
    #[error("no name stands at {0}")]
    NoName(String),
    /// What stands where the time is due is no instant.
    #[error("\"{0}\" is no instant in the form of this topic")]
    NotAnInstant(String),
    /// It is no event of production context.
    #[error("no event of production context: {0}")]
    NotAnEvent(String),
}

impl Refusal {
    /// Returns the name it is counted under.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::NotJson(_) => "refused_not_json",
            Self::NotText => "refused_not_text",
            Self::TooLarge(_) => "refused_too_large",
            Self::Missing(_) => "refused_missing",
            Self::NotScalar(_) => "refused_not_scalar",
            Self::NotAnObject(_) => "refused_not_an_object",
            Self::NoName(_) => "refused_no_name",
            Self::NotAnInstant(_) => "refused_not_an_instant",
            Self::NotAnEvent(_) => "refused_not_an_event",
        }
    }
}

/// Receives what a payload holds, in its order.
pub(super) type Take<'t> = &'t mut dyn FnMut(Result<Entry<'_>, Refusal>);

/// Largest payload. **Unit**: bytes. A larger one is refused: reading it would take a box's memory.
pub const PAYLOAD_BYTES_MAX: usize = 1 << 20;

impl Format {
    /// Says whether the payload may say what its values are of.
    pub(super) fn names_points(&self) -> bool {
        match &self.shape {
            Shape::Plain => false,
            Shape::Json(json) => json.device.is_some() || json.point.is_some() || json.values.is_some(),
            Shape::Lines(lines) => lines.columns.as_ref().is_none_or(|columns| columns.iter().any(Column::is_name)),
        }
    }

    /// Reads a payload and hands over every value, or why there is none.
    pub(super) fn read(&self, payload: &[u8], take: Take<'_>) {
        if payload.len() > PAYLOAD_BYTES_MAX {
            return take(Err(Refusal::TooLarge(payload.len())));
        }
        match &self.shape {
            Shape::Plain => take(match std::str::from_utf8(payload) {
                Ok(text) => {
                    let scalar = Scalar::Text(Cow::Borrowed(text.trim()));
                    Ok(Entry { device: None, point: None, scalar, measured_at: None })
                }
                Err(_) => Err(Refusal::NotText),
            }),
            Shape::Json(json) => json.read(payload, &self.time, take),
            Shape::Lines(lines) => lines.read(payload, &self.time, take),
        }
    }
}

/// What a point expects of a value.
#[derive(Debug, Clone, PartialEq)]
pub struct Expectation {
    /// Text or number (as text) → state; empty for a number.
    pub states: BTreeMap<String, MachineState>,
    /// Numbers that mean "no value", as the device sends them.
    pub sentinel: Vec<f64>,
    /// The point's unit: a text like `12.5 Wh` becomes a number of it.
    pub unit: Unit,
    /// Value = number × scale + offset.
    pub scale: f64,
    /// See `scale`.
    pub offset: f64,
}

impl Default for Expectation {
    fn default() -> Self {
        Self { states: BTreeMap::new(), sentinel: Vec::new(), unit: Unit::One, scale: 1.0, offset: 0.0 }
    }
}

impl Expectation {
    /// Returns value and quality. `decimal` separates the fraction of a number that is written as text.
    pub(super) fn judge(&self, scalar: &Scalar<'_>, decimal: char) -> (Option<Number>, Quality) {
        if matches!(scalar, Scalar::Null) {
            return (None, Quality::DeclaredBad);
        }
        if !self.states.is_empty() {
            return match self.states.get(scalar.to_text().as_ref()) {
                Some(state) => (Some(Number::Integer(state.code())), Quality::Good),
                None => (None, Quality::UnknownState),
            };
        }
        match scalar.number(decimal, self.unit) {
            Some(number) if self.sentinel.contains(&number.as_f64()) => (None, Quality::Sentinel),
            Some(number) => match self.scaled(number) {
                Some(number) => (Some(number), Quality::Good),
                None => (None, Quality::NotANumber),
            },
            None => (None, Quality::NotANumber),
        }
    }

    /// An integer stays exact where nothing is to be done.
    #[expect(clippy::float_cmp, reason = "1 and 0 are exact and mean that nothing is to be done")]
    fn scaled(&self, number: Number) -> Option<Number> {
        if self.scale == 1.0 && self.offset == 0.0 {
            return Some(number);
        }
        Number::finite(number.as_f64() * self.scale + self.offset)
    }
}

impl Scalar<'_> {
    /// Returns the text a states table is asked with, and errors show: 1.0 is 1.
    fn to_text(&self) -> Cow<'_, str> {
        match self {
            Self::Text(text) => Cow::Borrowed(text.trim()),
            Self::Integer(number) => Cow::Owned(number.to_string()),
            Self::Float(number) => Cow::Owned(number.to_string()),
            Self::Bool(true) => Cow::Borrowed("true"),
            Self::Bool(false) => Cow::Borrowed("false"),
            Self::Null => Cow::Borrowed("null"),
            Self::Compound => Cow::Borrowed("a list or an object"),
        }
    }

    /// Returns the number: integers exactly, truths as 0 and 1, texts that hold a number, with or without a unit.
    fn number(&self, decimal: char, unit: Unit) -> Option<Number> {
        match self {
            Self::Bool(flag) => Some(Number::Integer(i128::from(*flag))),
            Self::Integer(number) => Some(Number::Integer(*number)),
            Self::Float(number) => Number::finite(*number),
            Self::Text(text) if decimal == '.' => number_of_text(text.trim(), unit),
            // A thousands separator would change the value, so what is none of ours stays no number.
            Self::Text(text) if text.contains('.') => None,
            Self::Text(text) => number_of_text(&text.trim().replace(decimal, "."), unit),
            Self::Null | Self::Compound => None,
        }
    }
}

fn number_of_text(text: &str, unit: Unit) -> Option<Number> {
    if let Some(number) = bare_number(text) {
        return Some(number);
    }
    let end = text.find(|c: char| !c.is_ascii_digit() && !['+', '-', '.', 'e', 'E'].contains(&c))?;
    let (number, written) = (bare_number(&text[..end])?, text[end..].trim());
    let written = match written {
        "°C" | "℃" => Unit::Celsius,
        "m³" => Unit::CubicMetre,
        name => Unit::ALL.into_iter().find(|unit| *unit != Unit::One && unit.as_str() == name)?,
    };
    if written == unit {
        return Some(number);
    }
    let converts = written.dimension() == unit.dimension() && unit.dimension() != Dimension::Other;
    if converts { Number::finite(number.as_f64() * written.base_factor() / unit.base_factor()) } else { None }
}

fn bare_number(text: &str) -> Option<Number> {
    match text.parse::<i128>() {
        Ok(integer) => Some(Number::Integer(integer)),
        Err(_) => text.parse::<f64>().ok().and_then(Number::finite),
    }
}
