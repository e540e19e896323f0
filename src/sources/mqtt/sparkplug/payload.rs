//! The protobuf payload of Sparkplug B, and the value of a metric by its datatype.
//!
//! In: bytes of any origin. Out: a payload whose metrics are decoded one by one, so that one that can't be read costs its
//! neighbours nothing; and values, exact and sign-repaired. Fields that nobody here reads (metadata, properties, data
//! sets, templates) are passed over. Texts are kept as bytes: one that is no UTF-8 spoils itself alone.
//!
//! **Source**: `sparkplug_b.proto` of the Sparkplug 3.0.0 specification; datatypes: chapter 6.4.16.

use bytes::Bytes;
use prost::Message;

use crate::model::number::Number;

/// Metrics of one message. A metric takes two bytes at least, so that a message of 1 MiB could claim half a million;
/// one with more is refused whole.
const METRICS_MAX: usize = 50_000;

/// A message of an edge node.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Payload {
    /// When it was sent. **Unit**: ms UTC.
    #[prost(uint64, optional, tag = "1")]
    pub timestamp: Option<u64>,
    /// The metrics, each still encoded.
    #[prost(bytes = "bytes", repeated, tag = "2")]
    pub metrics: Vec<Bytes>,
    /// Number over all messages of the edge node, 0 to 255.
    #[prost(uint64, optional, tag = "3")]
    pub seq: Option<u64>,
}

/// One metric.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Metric {
    /// Its name; absent where an alias stands for it.
    #[prost(bytes = "vec", optional, tag = "1")]
    pub name: Option<Vec<u8>>,
    /// Its alias, unique in the edge node.
    #[prost(uint64, optional, tag = "2")]
    pub alias: Option<u64>,
    /// When the value was taken. **Unit**: ms UTC.
    #[prost(uint64, optional, tag = "3")]
    pub timestamp: Option<u64>,
    /// Its datatype, see [`Datatype`].
    #[prost(uint32, optional, tag = "4")]
    pub datatype: Option<u32>,
    /// Whether the value was kept while the edge node was away: it is not the present one.
    #[prost(bool, optional, tag = "5")]
    pub is_historical: Option<bool>,
    /// Whether there is no value.
    #[prost(bool, optional, tag = "7")]
    pub is_null: Option<bool>,
    /// The value. Data sets, templates and extensions are not decoded.
    #[prost(oneof = "Value", tags = "10, 11, 12, 13, 14, 15")]
    pub value: Option<Value>,
}

/// The field in which a value stands.
#[derive(Clone, PartialEq, prost::Oneof)]
pub(super) enum Value {
    /// Integers up to 32 bits, unsigned or in two's complement.
    #[prost(uint32, tag = "10")]
    Int(u32),
    /// Integers up to 64 bits.
    #[prost(uint64, tag = "11")]
    Long(u64),
    /// A 32-bit float.
    #[prost(float, tag = "12")]
    Float(f32),
    /// A 64-bit float.
    #[prost(double, tag = "13")]
    Double(f64),
    /// A boolean.
    #[prost(bool, tag = "14")]
    Boolean(bool),
    /// A text, UTF-8 if it is as it should be.
    #[prost(bytes = "vec", tag = "15")]
    Text(Vec<u8>),
}

/// Reads a payload.
///
/// # Errors
/// What is wrong with the bytes; the caller counts it and keeps the beginning for the operator.
pub(super) fn decode(bytes: Bytes) -> Result<Payload, String> {
    let metrics = count_metrics(&bytes)?;
    if metrics > METRICS_MAX {
        return Err(format!("it holds {metrics} metrics, more than {METRICS_MAX}"));
    }
    Payload::decode(bytes).map_err(|error| error.to_string())
}

/// Counts the metrics without decoding anything, so that no memory is taken for a message that is refused.
fn count_metrics(mut rest: &[u8]) -> Result<usize, String> {
    let truncated = || "it ends inside a field".to_owned();
    let mut metrics = 0;
    while !rest.is_empty() {
        let key = take_varint(&mut rest).ok_or_else(truncated)?;
        let length = match key & 7 {
            0 => {
                take_varint(&mut rest).ok_or_else(truncated)?;
                0
            }
            1 => 8,
            2 => usize::try_from(take_varint(&mut rest).ok_or_else(truncated)?).map_err(|_| truncated())?,
            5 => 4,
            other => return Err(format!("a field has wire type {other}")),
        };
        metrics += usize::from(key == 2 << 3 | 2);
        rest = rest.get(length..).ok_or_else(truncated)?;
    }
    Ok(metrics)
}

fn take_varint(rest: &mut &[u8]) -> Option<u64> {
    let mut value = 0_u64;
    for position in 0..10 {
        let (byte, after) = rest.split_first()?;
        *rest = after;
        value |= u64::from(byte & 0x7f) << (7 * position);
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

impl Metric {
    /// Reads one metric of a payload; `None` where its bytes are none.
    pub(super) fn read(bytes: &Bytes) -> Option<Self> {
        Self::decode(bytes.clone()).ok()
    }

    /// Returns its name where it has one.
    pub(super) fn own_name(&self) -> Option<&str> {
        self.name.as_deref().and_then(|name| std::str::from_utf8(name).ok()).filter(|name| !name.is_empty())
    }

    /// Returns the datatype it names; code 0 names none.
    pub(super) fn type_code(&self) -> Option<u32> {
        self.datatype.filter(|code| *code != 0)
    }
}

/// What a datatype's values are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Datatype {
    /// Two's complement of so many bits.
    Signed(u32),
    /// So many bits.
    Unsigned(u32),
    Float,
    Boolean,
    Text,
}

impl Datatype {
    /// Returns what a code stands for; `None` for bytes, files, data sets, templates, arrays and unknown codes.
    fn of(code: u32) -> Option<Self> {
        Some(match code {
            1 => Self::Signed(8),
            2 => Self::Signed(16),
            3 => Self::Signed(32),
            4 => Self::Signed(64),
            5 => Self::Unsigned(8),
            6 => Self::Unsigned(16),
            7 => Self::Unsigned(32),
            8 => Self::Unsigned(64),
            9 | 10 => Self::Float,
            11 => Self::Boolean,
            // String, Text, UUID.
            12 | 14 | 15 => Self::Text,
            // DateTime: ms since 1970.
            13 => Self::Unsigned(64),
            _ => return None,
        })
    }
}

/// The value of a metric.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Scalar {
    /// A number, exact.
    Number(Number),
    /// A boolean.
    Flag(bool),
    /// A text.
    Text(String),
    /// There is none: null, or no value at all.
    Null,
    /// NaN, infinity, a number outside its datatype, a field that is not the datatype's, a text that is no UTF-8.
    Unreadable,
}

/// Returns a metric's value as one of datatype `code`; `None` where such a value is nothing that a point can hold.
pub(super) fn value_of(metric: &Metric, code: u32) -> Option<Scalar> {
    let datatype = Datatype::of(code)?;
    if metric.is_null == Some(true) {
        return Some(Scalar::Null);
    }
    let Some(value) = &metric.value else { return Some(Scalar::Null) };
    let read = match (datatype, value) {
        (Datatype::Signed(bits), Value::Int(raw)) => signed(u64::from(*raw), 32, bits),
        (Datatype::Signed(bits), Value::Long(raw)) => signed(*raw, 64, bits),
        (Datatype::Unsigned(bits), Value::Int(raw)) => unsigned(u64::from(*raw), bits),
        (Datatype::Unsigned(bits), Value::Long(raw)) => unsigned(*raw, bits),
        (Datatype::Float, Value::Float(value)) => Number::finite(f64::from(*value)),
        (Datatype::Float, Value::Double(value)) => Number::finite(*value),
        (Datatype::Boolean, Value::Boolean(flag)) => return Some(Scalar::Flag(*flag)),
        (Datatype::Text, Value::Text(bytes)) => {
            let text = std::str::from_utf8(bytes).map(str::to_owned);
            return Some(text.map_or(Scalar::Unreadable, Scalar::Text));
        }
        _ => None,
    };
    Some(read.map_or(Scalar::Unreadable, Scalar::Number))
}

/// Repairs the sign of an integer of `bits` bits that travels in an unsigned field of `field` bits. Encoders extend the
/// sign to their own width, to the field's, or not at all; anything else is outside the datatype.
fn signed(raw: u64, field: u32, bits: u32) -> Option<Number> {
    let extended = |width: u32| i128::from((raw << (64 - width)).cast_signed() >> (64 - width));
    let fits = |value: &i128| (-(1_i128 << (bits - 1))..1_i128 << (bits - 1)).contains(value);
    let widths = [bits, 32, field].into_iter().filter(|width| *width <= field.max(bits));
    let found = widths.filter(|width| *width == 64 || raw >> width == 0).map(extended).find(fits);
    found.map(Number::Integer)
}

fn unsigned(raw: u64, bits: u32) -> Option<Number> {
    (bits == 64 || raw >> bits == 0).then_some(Number::Integer(i128::from(raw)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, proptest};
    use proptest::{collection, prop_assert_eq};

    use super::{Bytes, Message, Metric, Number, Payload, Scalar, Value, decode, value_of};

    fn read(code: u32, value: Value) -> Option<Scalar> {
        value_of(&Metric { value: Some(value), ..Metric::default() }, code)
    }

    const fn integer(value: i128) -> Option<Scalar> {
        Some(Scalar::Number(Number::Integer(value)))
    }

    #[test]
    fn integers_are_exact_and_their_sign_is_repaired_in_every_encoding() {
        for (code, value, expected) in [
            (1, Value::Int(0xfb), integer(-5)),
            (1, Value::Int(0xffff_fffb), integer(-5)),
            (1, Value::Long(0xffff_ffff_ffff_fffb), integer(-5)),
            (1, Value::Long(0xffff_fffb), integer(-5)),
            (1, Value::Int(127), integer(127)),
            (1, Value::Int(300), Some(Scalar::Unreadable)),
            (2, Value::Int(0x8000), integer(-32_768)),
            (2, Value::Int(0xffff_8000), integer(-32_768)),
            (3, Value::Int(0xffff_ffff), integer(-1)),
            (3, Value::Long(0xffff_ffff), integer(-1)),
            (3, Value::Long(1 << 40), Some(Scalar::Unreadable)),
            (4, Value::Long(u64::MAX), integer(-1)),
            (4, Value::Long(1 << 63), integer(i128::from(i64::MIN))),
            (4, Value::Int(7), integer(7)),
            (5, Value::Int(255), integer(255)),
            (5, Value::Int(256), Some(Scalar::Unreadable)),
            (6, Value::Int(65_535), integer(65_535)),
            (7, Value::Int(u32::MAX), integer(4_294_967_295)),
            (7, Value::Long(4_294_967_295), integer(4_294_967_295)),
            (8, Value::Long(u64::MAX), integer(18_446_744_073_709_551_615)),
            (13, Value::Long(1_790_000_000_000), integer(1_790_000_000_000)),
        ] {
            assert_eq!(read(code, value.clone()), expected, "{code} {value:?}");
        }
    }

    #[test]
    fn floats_booleans_and_texts_are_what_they_say_and_nothing_else() {
        let number = |value: f64| Some(Scalar::Number(Number::Float(value)));
        for (code, value, expected) in [
            (9, Value::Float(1.5), number(1.5)),
            (10, Value::Double(-2.25), number(-2.25)),
            (10, Value::Float(0.5), number(0.5)),
            (9, Value::Float(f32::NAN), Some(Scalar::Unreadable)),
            (10, Value::Double(f64::INFINITY), Some(Scalar::Unreadable)),
            (11, Value::Boolean(true), Some(Scalar::Flag(true))),
            (11, Value::Int(1), Some(Scalar::Unreadable)),
            (9, Value::Int(1), Some(Scalar::Unreadable)),
            (12, Value::Text(b"run".to_vec()), Some(Scalar::Text("run".to_owned()))),
            (14, Value::Text("Đang chạy".into()), Some(Scalar::Text("Đang chạy".to_owned()))),
            (15, Value::Text(vec![0xff]), Some(Scalar::Unreadable)),
        ] {
            assert_eq!(read(code, value.clone()), expected, "{code} {value:?}");
        }
    }

    #[test]
    fn nothing_is_read_from_structures_arrays_and_unknown_datatypes() {
        for code in [0, 16, 17, 18, 19, 20, 21, 22, 27, 34, 35, 999, u32::MAX] {
            assert_eq!(read(code, Value::Int(1)), None, "{code}");
        }
    }

    #[test]
    fn null_and_a_missing_value_are_no_zero() {
        let null = Metric { is_null: Some(true), value: Some(Value::Int(0)), ..Metric::default() };
        assert_eq!(value_of(&null, 3), Some(Scalar::Null));
        assert_eq!(value_of(&Metric::default(), 3), Some(Scalar::Null));
    }

    #[test]
    fn a_message_of_empty_metrics_takes_no_memory_before_it_is_refused() {
        let refused = decode(Bytes::from([0x12, 0].repeat(500_000))).unwrap_err();
        assert!(refused.contains("500000 metrics"), "{refused}");
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_decoder_panic(bytes in collection::vec(any::<u8>(), 0..200)) {
            if let Ok(payload) = decode(Bytes::from(bytes)) {
                for metric in payload.metrics.iter().filter_map(Metric::read) {
                    (0..40).for_each(|code| _ = value_of(&metric, code));
                }
            }
        }

        #[test]
        fn every_signed_integer_survives_every_width_it_may_travel_in(value in any::<i32>(), code in 1_u32..=4) {
            let value = match code {
                1 => i64::from(value as i8),
                2 => i64::from(value as i16),
                _ => i64::from(value),
            };
            let expected = integer(i128::from(value));
            prop_assert_eq!(read(code, Value::Long(value.cast_unsigned())), expected.clone());
            if code < 4 {
                prop_assert_eq!(read(code, Value::Int((value as i32).cast_unsigned())), expected);
            }
        }

        #[test]
        fn a_valid_payload_is_read_as_it_was_written(timestamp in any::<u64>(), seq in 0_u64..256, raw in any::<u64>()) {
            let metric = Metric { alias: Some(raw), value: Some(Value::Long(raw)), ..Metric::default() };
            let payload = Payload {
                timestamp: Some(timestamp),
                seq: Some(seq),
                metrics: vec![Bytes::from(metric.encode_to_vec())],
            };
            let read = decode(Bytes::from(payload.encode_to_vec())).unwrap();
            prop_assert_eq!(&read, &payload);
            prop_assert_eq!(Metric::read(&read.metrics[0]), Some(metric));
        }
    }
}
