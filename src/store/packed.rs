//! The body of a row-block, column by column: a few bytes a sample, written and read in one pass without a buffer of
//! rows in between.
//!
//! What the samples of a poll share (consecutive tags, one lag, one mark) is said once. All integers are LEB128
//! varints, signed ones in zigzag form; the order of columns is part of codec 2.

use super::error::StoreError;
use crate::model::number::Number;

/// A column of which every entry follows from the first.
const SAME: u8 = 0;
/// A column with every entry written.
const EACH: u8 = 1;

/// How a value is written. The low three bits of a mark; the quality code is above them.
const NONE: u8 = 0;
const FLOAT: u8 = 1;
const INTEGER: u8 = 2;
/// An integer beyond 64 bits: 16 bytes.
const WIDE: u8 = 3;
/// A float that a 32-bit one holds exactly, as most float registers give: 4 bytes.
const SHORT_FLOAT: u8 = 4;
const KIND_BITS: u32 = 3;

/// One sample as staging holds it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Row {
    /// Lasting id of its tag.
    pub(super) tag: u32,
    /// `received_at` − `measured_at`.
    pub(super) lag_ms: i64,
    /// Code of its quality.
    pub(super) quality: u8,
    /// Its value.
    pub(super) value: Option<Number>,
}

/// Appends the rows to `bytes`, in their order.
pub(super) fn encode(rows: impl ExactSizeIterator<Item = Row> + Clone, bytes: &mut Vec<u8>) {
    write_varint(bytes, rows.len() as u64);
    let Some(first) = rows.clone().next() else { return };
    let rest = rows.clone().skip(1);
    let consecutive = rest.clone().zip(first.tag.wrapping_add(1)..).all(|(row, tag)| row.tag == tag);
    write_column(bytes, consecutive, |bytes| {
        write_varint(bytes, u64::from(first.tag));
        let mut previous = first.tag;
        for row in rest.clone().take_while(|_| !consecutive) {
            write_signed(bytes, i64::from(row.tag) - i64::from(previous));
            previous = row.tag;
        }
    });
    let one_lag = rest.clone().all(|row| row.lag_ms == first.lag_ms);
    write_column(bytes, one_lag, |bytes| {
        write_signed(bytes, first.lag_ms);
        let mut previous = first.lag_ms;
        for row in rest.clone().take_while(|_| !one_lag) {
            write_signed(bytes, row.lag_ms.wrapping_sub(previous));
            previous = row.lag_ms;
        }
    });
    let one_mark = rest.clone().all(|row| mark(row) == mark(first));
    write_column(bytes, one_mark, |bytes| {
        bytes.push(mark(first));
        bytes.extend(rest.clone().take_while(|_| !one_mark).map(mark));
    });
    rows.for_each(|row| write_value(bytes, row.value));
}

/// Writes the length of a column in front of it, so that a reader finds the next one.
fn write_column(bytes: &mut Vec<u8>, is_same: bool, write: impl FnOnce(&mut Vec<u8>)) {
    bytes.push(if is_same { SAME } else { EACH });
    let at = bytes.len();
    bytes.extend_from_slice(&[0; 4]);
    write(bytes);
    let length = u32::try_from(bytes.len() - at - 4).expect("a batch is far below 4 GB");
    bytes[at..at + 4].copy_from_slice(&length.to_le_bytes());
}

fn mark(row: Row) -> u8 {
    let kind = match row.value {
        None => NONE,
        Some(Number::Float(value)) if short(value).is_some() => SHORT_FLOAT,
        Some(Number::Float(_)) => FLOAT,
        Some(Number::Integer(value)) if i64::try_from(value).is_ok() => INTEGER,
        Some(Number::Integer(_)) => WIDE,
    };
    kind | row.quality << KIND_BITS
}

#[expect(clippy::cast_possible_truncation, reason = "kept only where nothing is lost, sign of zero included")]
fn short(value: f64) -> Option<f32> {
    let short = value as f32;
    (f64::from(short).to_bits() == value.to_bits()).then_some(short)
}

fn write_value(bytes: &mut Vec<u8>, value: Option<Number>) {
    match value {
        None => {}
        Some(Number::Float(value)) => match short(value) {
            Some(short) => bytes.extend_from_slice(&short.to_le_bytes()),
            None => bytes.extend_from_slice(&value.to_le_bytes()),
        },
        Some(Number::Integer(value)) => match i64::try_from(value) {
            Ok(value) => write_signed(bytes, value),
            Err(_) => bytes.extend_from_slice(&value.to_le_bytes()),
        },
    }
}

fn write_signed(bytes: &mut Vec<u8>, value: i64) {
    write_varint(bytes, (value.cast_unsigned() << 1) ^ (value >> 63).cast_unsigned());
}

fn write_varint(bytes: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        bytes.push(value.to_le_bytes()[0] | 0x80);
        value >>= 7;
    }
    bytes.push(value.to_le_bytes()[0]);
}

/// Calls `take` with each row, in order.
///
/// # Errors
/// [`StoreError::Damaged`] where the bytes aren't what [`encode`] wrote; rows before the fault have been taken.
pub(super) fn decode(body: &[u8], mut take: impl FnMut(Row) -> Result<(), StoreError>) -> Result<(), StoreError> {
    let mut bytes = Bytes(body);
    let rows = bytes.varint()?;
    if rows == 0 {
        return Ok(());
    }
    let (tags_differ, mut tags) = bytes.column()?;
    let (lags_differ, mut lags) = bytes.column()?;
    let (marks_differ, mut marks) = bytes.column()?;
    let mut row = Row { tag: tags.tag()?, lag_ms: lags.signed()?, quality: 0, value: None };
    let mut mark = marks.byte()?;
    for place in 0..rows {
        if place > 0 {
            row.tag = if tags_differ { tags.next_tag(row.tag)? } else { row.tag.wrapping_add(1) };
            if lags_differ {
                row.lag_ms = row.lag_ms.wrapping_add(lags.signed()?);
            }
            if marks_differ {
                mark = marks.byte()?;
            }
        }
        row.quality = mark >> KIND_BITS;
        row.value = bytes.value(mark & ((1 << KIND_BITS) - 1))?;
        take(row)?;
    }
    if bytes.0.is_empty() { Ok(()) } else { Err(damaged("bytes after the last value")) }
}

fn damaged(what: &str) -> StoreError {
    StoreError::Damaged(format!("row-block: {what}"))
}

/// What is still to be read.
struct Bytes<'b>(&'b [u8]);

impl<'b> Bytes<'b> {
    fn take(&mut self, count: usize) -> Result<&'b [u8], StoreError> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or_else(|| damaged("it ends too early"))?;
        self.0 = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], StoreError> {
        let (taken, rest) = self.0.split_first_chunk::<N>().ok_or_else(|| damaged("it ends too early"))?;
        self.0 = rest;
        Ok(*taken)
    }

    fn byte(&mut self) -> Result<u8, StoreError> {
        let [byte] = self.array()?;
        Ok(byte)
    }

    fn varint(&mut self) -> Result<u64, StoreError> {
        let mut value = 0;
        for shift in (0..u64::BITS).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(damaged("an integer of more than 64 bits"))
    }

    fn signed(&mut self) -> Result<i64, StoreError> {
        let value = self.varint()?;
        Ok((value >> 1).cast_signed() ^ -(value & 1).cast_signed())
    }

    fn tag(&mut self) -> Result<u32, StoreError> {
        u32::try_from(self.varint()?).map_err(|_| damaged("a tag beyond 32 bits"))
    }

    fn next_tag(&mut self, previous: u32) -> Result<u32, StoreError> {
        let tag = i64::from(previous).checked_add(self.signed()?).and_then(|tag| u32::try_from(tag).ok());
        tag.ok_or_else(|| damaged("a tag beyond 32 bits"))
    }

    /// Returns whether each entry is written, and the entries.
    fn column(&mut self) -> Result<(bool, Self), StoreError> {
        let form = self.byte()?;
        let length = u32::from_le_bytes(self.array()?) as usize;
        let entries = Self(self.take(length)?);
        match form {
            SAME => Ok((false, entries)),
            EACH => Ok((true, entries)),
            _ => Err(damaged("a column of unknown form")),
        }
    }

    fn value(&mut self, kind: u8) -> Result<Option<Number>, StoreError> {
        Ok(match kind {
            NONE => None,
            FLOAT => Some(Number::Float(f64::from_le_bytes(self.array()?))),
            SHORT_FLOAT => Some(Number::Float(f64::from(f32::from_le_bytes(self.array()?)))),
            INTEGER => Some(Number::Integer(i128::from(self.signed()?))),
            WIDE => Some(Number::Integer(i128::from_le_bytes(self.array()?))),
            _ => return Err(damaged("a value of unknown kind")),
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Number, Row, decode, encode};

    fn round_trip(rows: &[Row]) -> (usize, Vec<Row>) {
        let mut bytes = Vec::new();
        encode(rows.iter().copied(), &mut bytes);
        let mut back = Vec::new();
        decode(&bytes, |row| {
            back.push(row);
            Ok(())
        })
        .unwrap();
        (bytes.len(), back)
    }

    fn value() -> impl Strategy<Value = Option<Number>> {
        prop_oneof![
            Just(None),
            any::<i128>().prop_map(|value| Some(Number::Integer(value))),
            any::<i64>().prop_map(|value| Some(Number::Integer(i128::from(value)))),
            any::<u16>().prop_map(|value| Some(Number::Integer(i128::from(value)))),
            any::<f32>().prop_map(|value| Number::finite(f64::from(value))),
            any::<f64>().prop_map(Number::finite),
        ]
    }

    proptest! {
        #[test]
        fn rows_come_back_bit_by_bit(
            rows in prop::collection::vec((any::<u32>(), any::<i64>(), 0..32_u8, value()), 0..40)
        ) {
            let rows: Vec<Row> =
                rows.into_iter().map(|(tag, lag_ms, quality, value)| Row { tag, lag_ms, quality, value }).collect();
            let (_, back) = round_trip(&rows);
            prop_assert_eq!(format!("{back:?}"), format!("{rows:?}"));
        }

        #[test]
        fn damaged_bytes_are_an_error_and_never_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
            let _ = decode(&bytes, |_| Ok(()));
        }
    }

    #[test]
    fn a_poll_of_consecutive_tags_takes_little_more_than_its_values() {
        let value = |tag: u32| Some(Number::Integer(i128::from(tag % 60)));
        let rows: Vec<Row> = (500..599).map(|tag| Row { tag, lag_ms: 3, quality: 0, value: value(tag) }).collect();
        let (length, back) = round_trip(&rows);
        assert_eq!(back, rows);
        assert_eq!(length, 99 + 20);
    }
}
