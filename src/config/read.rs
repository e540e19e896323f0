//! Reads typed values out of a parsed document, with faults that say what was found and what is known.
//!
//! The TOML crate's own deserialiser says the same in prose. Proposals and plain words need the parts, so this one
//! hands them over: [`Fault`] has the span, the key and the kind.

use std::fmt::Display;
use std::ops::Range;

use serde::de::value::{MapAccessDeserializer, StrDeserializer, StringDeserializer};
use serde::de::{DeserializeSeed, Deserializer, Error, Expected, IntoDeserializer, MapAccess, SeqAccess, Unexpected};
use serde_spanned::Spanned;
use serde_spanned::de::{SpannedDeserializer, is_spanned};
use toml::de::{DeString, DeValue};

/// Why a value can't be read, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{kind:?}")]
pub(super) struct Fault {
    /// The value, or the key where the key is at fault, or the table where a key is missing.
    pub(super) span: Option<Range<usize>>,
    /// The innermost key on the way there.
    pub(super) key: Option<String>,
    /// What is wrong.
    pub(super) kind: Kind,
}

/// What is wrong with a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    /// A key that nothing reads.
    UnknownKey {
        /// As written.
        found: String,
        /// What could stand there.
        known: &'static [&'static str],
    },
    /// A key that has to be there.
    MissingKey(&'static str),
    /// A value of another type.
    WrongType {
        /// The value, described.
        found: String,
        /// What is expected, described.
        expected: String,
    },
    /// A word that isn't one of a list.
    UnknownWord {
        /// As written.
        found: String,
        /// What could stand there.
        known: &'static [&'static str],
    },
    /// What a type says of itself.
    Refused(String),
}

impl Fault {
    fn new(kind: Kind) -> Self {
        Self { span: None, key: None, kind }
    }

    fn at(mut self, span: &Range<usize>) -> Self {
        self.span.get_or_insert_with(|| span.clone());
        self
    }

    fn under(mut self, key: &str) -> Self {
        self.key.get_or_insert_with(|| key.to_owned());
        self
    }
}

impl Error for Fault {
    fn custom<T: Display>(message: T) -> Self {
        Self::new(Kind::Refused(message.to_string()))
    }

    fn invalid_type(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::new(Kind::WrongType { found: describe_found(found), expected: describe_expected(&expected.to_string()) })
    }

    fn invalid_value(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::invalid_type(found, expected)
    }

    fn unknown_variant(found: &str, known: &'static [&'static str]) -> Self {
        Self::new(Kind::UnknownWord { found: found.to_owned(), known })
    }

    fn unknown_field(found: &str, known: &'static [&'static str]) -> Self {
        Self::new(Kind::UnknownKey { found: found.to_owned(), known })
    }

    fn missing_field(key: &'static str) -> Self {
        Self::new(Kind::MissingKey(key))
    }
}

fn describe_found(found: Unexpected<'_>) -> String {
    match found {
        Unexpected::Bool(value) => value.to_string(),
        Unexpected::Unsigned(value) => format!("the number {value}"),
        Unexpected::Signed(value) => format!("the number {value}"),
        Unexpected::Float(value) => format!("the number {value}"),
        Unexpected::Str(text) => format!("the text \"{text}\""),
        Unexpected::Map => "a table".to_owned(),
        Unexpected::Seq => "a list".to_owned(),
        other => other.to_string(),
    }
}

/// Turns what serde expects, named after Rust's types, into what a person writes.
fn describe_expected(expected: &str) -> String {
    match expected {
        "u8" => "a whole number from 0 to 255",
        "u16" => "a whole number from 0 to 65535",
        "u32" | "u64" | "usize" => "a whole number from 0",
        "i16" | "i32" | "i64" | "i128" => "a whole number",
        "f32" | "f64" => "a number",
        "a string" | "a borrowed string" | "a character" => "a text in quotes",
        "path string" => "a path in quotes",
        "a boolean" => "true or false",
        "a sequence" => "a list [ … ]",
        "a map" => "a table { … }",
        "socket address" => "an address with its port, like \"127.0.0.1:8080\"",
        other if other.starts_with("struct ") => "a table { … }",
        other => other,
    }
    .to_owned()
}

/// A value of the document, to be read as any type.
#[derive(Clone, Copy)]
pub(super) struct Node<'t, 'i>(pub(super) &'t Spanned<DeValue<'i>>);

impl<'de> IntoDeserializer<'de, Fault> for Node<'_, '_> {
    type Deserializer = Self;
    fn into_deserializer(self) -> Self {
        self
    }
}

impl<'de> Deserializer<'de> for Node<'_, '_> {
    type Error = Fault;

    fn deserialize_any<V: serde::de::Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.0.get_ref() {
            DeValue::String(text) => visitor.visit_str(text),
            DeValue::Integer(number) => {
                let too_large = || Fault::custom(format!("the number {number} is too large"));
                match i64::from_str_radix(number.as_str(), number.radix()) {
                    Ok(value) => visitor.visit_i64(value),
                    Err(_) => i128::from_str_radix(number.as_str(), number.radix())
                        .map_err(|_| too_large())
                        .and_then(|value| visitor.visit_i128(value)),
                }
            }
            DeValue::Float(number) => match number.as_str().parse() {
                Ok(value) => visitor.visit_f64(value),
                Err(_) => Err(Fault::custom(format!("{} is not a number", number.as_str()))),
            },
            DeValue::Boolean(value) => visitor.visit_bool(*value),
            DeValue::Datetime(value) => visitor.visit_string(value.to_string()),
            DeValue::Array(items) => visitor.visit_seq(Items(items.iter())),
            DeValue::Table(entries) => visitor.visit_map(Entries { rest: entries.iter(), value: None }),
        }
        .map_err(|fault| fault.at(&self.0.span()))
    }

    fn deserialize_option<V: serde::de::Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_some(self).map_err(|fault| fault.at(&self.0.span()))
    }

    fn deserialize_newtype_struct<V: serde::de::Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Fault> {
        visitor.visit_newtype_struct(self).map_err(|fault| fault.at(&self.0.span()))
    }

    fn deserialize_struct<V: serde::de::Visitor<'de>>(
        self,
        name: &'static str,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        if is_spanned(name) {
            let span = self.0.span();
            return visitor.visit_map(SpannedDeserializer::new(self, span.clone())).map_err(|fault| fault.at(&span));
        }
        self.deserialize_any(visitor)
    }

    fn deserialize_enum<V: serde::de::Visitor<'de>>(
        self,
        _name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        let expected = || format!("one of {}", variants.join(", "));
        match self.0.get_ref() {
            DeValue::String(text) => visitor.visit_enum(StrDeserializer::<Fault>::new(text)),
            DeValue::Table(entries) if entries.len() == 1 => {
                visitor.visit_enum(MapAccessDeserializer::new(Entries { rest: entries.iter(), value: None }))
            }
            DeValue::Table(entries) => Err(Fault::new(Kind::WrongType {
                found: format!("a table with {} keys", entries.len()),
                expected: format!("a table with exactly one of the keys {}", variants.join(", ")),
            })),
            _ => Err(self.deserialize_any(Refuse(expected())).map_or_else(|fault| fault, |never| match never {})),
        }
        .map_err(|fault| fault.at(&self.0.span()))
    }

    serde::forward_to_deserialize_any! {
        bool u8 u16 u32 u64 u128 i8 i16 i32 i64 i128 f32 f64 char str string seq
        bytes byte_buf map unit ignored_any unit_struct tuple_struct tuple identifier
    }
}

/// Refuses any value as serde does, so that what was found is described in one place.
struct Refuse(String);

impl serde::de::Visitor<'_> for Refuse {
    type Value = std::convert::Infallible;
    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

struct Items<'t, 'i>(std::slice::Iter<'t, Spanned<DeValue<'i>>>);

impl<'de> SeqAccess<'de> for Items<'_, '_> {
    type Error = Fault;
    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Fault> {
        self.0.next().map(|item| seed.deserialize(Node(item))).transpose()
    }
}

type Entry<'t, 'i> = (&'t Spanned<DeString<'i>>, &'t Spanned<DeValue<'i>>);

struct Entries<'t, 'i, I: Iterator<Item = Entry<'t, 'i>>>
where
    'i: 't,
{
    rest: I,
    value: Option<Entry<'t, 'i>>,
}

impl<'de, 't, 'i, I: Iterator<Item = Entry<'t, 'i>>> MapAccess<'de> for Entries<'t, 'i, I> {
    type Error = Fault;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Fault> {
        let Some((key, value)) = self.rest.next() else { return Ok(None) };
        self.value = Some((key, value));
        seed.deserialize(Key(key)).map(Some).map_err(|fault| fault.at(&key.span()))
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Fault> {
        let (key, value) = self.value.take().expect("serde asks for a value after its key");
        seed.deserialize(Node(value)).map_err(|fault| fault.under(key.get_ref()).at(&value.span()))
    }
}

/// A key, to be read as text, as one word of a list, or with its place.
struct Key<'t, 'i>(&'t Spanned<DeString<'i>>);

impl<'de> Deserializer<'de> for Key<'_, '_> {
    type Error = Fault;

    fn deserialize_any<V: serde::de::Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_str(self.0.get_ref())
    }

    fn deserialize_struct<V: serde::de::Visitor<'de>>(
        self,
        name: &'static str,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        if is_spanned(name) {
            let text: StringDeserializer<Fault> = self.0.get_ref().to_string().into_deserializer();
            return visitor.visit_map(SpannedDeserializer::new(KeyText(text), self.0.span()));
        }
        self.deserialize_any(visitor)
    }

    fn deserialize_enum<V: serde::de::Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        visitor.visit_enum(StrDeserializer::<Fault>::new(self.0.get_ref()))
    }

    fn deserialize_newtype_struct<V: serde::de::Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Fault> {
        visitor.visit_newtype_struct(self)
    }

    serde::forward_to_deserialize_any! {
        bool u8 u16 u32 u64 u128 i8 i16 i32 i64 i128 f32 f64 char str string seq option
        bytes byte_buf map unit ignored_any unit_struct tuple_struct tuple identifier
    }
}

struct KeyText(StringDeserializer<Fault>);

impl<'de> IntoDeserializer<'de, Fault> for KeyText {
    type Deserializer = StringDeserializer<Fault>;
    fn into_deserializer(self) -> Self::Deserializer {
        self.0
    }
}
