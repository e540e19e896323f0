//! `[[source]] type = "modbus"`: what it may say, and every problem in it.

use std::collections::BTreeMap;
use std::str::FromStr;

use serde::{Deserialize, Deserializer};
use serde_spanned::Spanned;

use crate::model::id::SourceName;
use crate::model::problem::Problems;
use crate::model::tag::{SourceIndex, TagSpec};
use crate::model::time::Period;
use crate::profile::Library;
use crate::profile::register::Sentinel;

/// A text with a form of its own, read without stopping at the first fault: what was written is kept, so that
/// every problem of a file can be shown at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written<T>(pub Result<T, String>);

impl<'de, T: FromStr<Err = String>> Deserialize<'de> for Written<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|text| Self(text.parse()))
    }
}

/// One Modbus device.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModbusSource {
    /// `"modbus"`; read by whoever chose this type.
    #[serde(default, rename = "type")]
    pub source_type: Option<String>,
    /// First segment of its tags.
    pub name: Spanned<SourceName>,
    /// `tcp://host:port`; port 502 where none is given. Sources with one host and port share a connection.
    pub url: Spanned<String>,
    /// Unit identifier, 0 to 255; 1 where none is given.
    #[serde(default)]
    pub unit: Option<Spanned<i64>>,
    /// A device profile's name.
    #[serde(default)]
    pub profile: Option<Spanned<String>>,
    /// Current transformer ratio: multiplies current, power and energy.
    #[serde(default)]
    pub ct_ratio: Option<Spanned<f64>>,
    /// Voltage transformer ratio: multiplies voltage, power and energy.
    #[serde(default)]
    pub pt_ratio: Option<Spanned<f64>>,
    /// Poll period of plant time; 1 s where none is given.
    #[serde(default)]
    pub every: Option<Spanned<Period>>,
    /// Longest wait for an answer or a connection, real time; 1 s where none is given.
    #[serde(default)]
    pub timeout: Option<Spanned<Period>>,
    /// Points beside or instead of the profile's.
    #[serde(default)]
    pub point: Vec<Spanned<Point>>,
    /// Most unwanted registers read along to save a request; the profile's limit, else 0.
    #[serde(default)]
    pub max_gap: Option<Spanned<i64>>,
    /// Most registers in one request; the profile's limit, else 125.
    #[serde(default)]
    pub max_words: Option<Spanned<i64>>,
}

/// One point of a device.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Point {
    /// Last segment of its tag.
    pub name: Spanned<String>,
    /// Where it stands.
    pub address: Spanned<Address>,
    /// Which table; part of an address like "40101".
    #[serde(default)]
    pub table: Option<Spanned<String>>,
    /// How its words are read; `bit` in a bit table.
    #[serde(default, rename = "type")]
    pub register_type: Option<Spanned<String>>,
    /// In which order its words arrive; ABCD where none is given.
    #[serde(default)]
    pub order: Option<Spanned<String>>,
    /// value = (raw × scale + offset) × transformer ratio.
    #[serde(default)]
    pub scale: Option<Spanned<f64>>,
    /// See `scale`.
    #[serde(default)]
    pub offset: Option<Spanned<f64>>,
    /// Which bit of a register, 0 the least significant.
    #[serde(default)]
    pub bit: Option<Spanned<i64>>,
    /// Marks for "no value".
    #[serde(default)]
    pub sentinel: Vec<Spanned<Sentinel>>,
    /// gauge, counter, interval or state; gauge where none is given, state where `states` is.
    #[serde(default)]
    pub kind: Option<Spanned<String>>,
    /// Unit of the value; "1" where none is given.
    #[serde(default)]
    pub unit: Option<Spanned<String>>,
    /// Raw number of a state → what the machine does.
    #[serde(default)]
    pub states: BTreeMap<String, Spanned<String>>,
    /// How long a value holds; 2.5 × `every` where none is given.
    #[serde(default)]
    pub hold: Option<Spanned<Period>>,
    /// Largest growth per second of a counter, in its unit.
    #[serde(default)]
    pub max_per_second: Option<Spanned<f64>>,
    /// Value at which a counter starts again at 0, in its unit; by its width where none is given.
    #[serde(default)]
    pub modulus: Option<Spanned<f64>>,
    /// Length of an `interval`.
    #[serde(default)]
    pub period: Option<Spanned<Period>>,
}

/// An address as written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// A wire address from 0.
    Number(i64),
    /// "40101" or "0x64".
    Text(String),
}

impl ModbusSource {
    /// Names every problem of the source itself; [`ModbusSource::tags`] names those of its points.
    pub fn check(&self, _problems: &mut Problems) {}

    /// Returns the tags of the profile and of `point`; names every problem in them.
    pub fn tags(&self, _source: SourceIndex, _profiles: &Library, _problems: &mut Problems) -> Vec<TagSpec> {
        Vec::new()
    }
}

impl<'de> Deserialize<'de> for Address {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl serde::de::Visitor<'_> for Visitor {
            type Value = Address;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an address: \"40101\", \"0x64\" or a number from 0")
            }
            fn visit_i64<E>(self, value: i64) -> Result<Address, E> {
                Ok(Address::Number(value))
            }
            fn visit_str<E>(self, text: &str) -> Result<Address, E> {
                Ok(Address::Text(text.to_owned()))
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}
