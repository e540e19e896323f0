//! Chunks: compacted samples of one tag, column by column.
//!
//! Floating-point and integer values are columns of their own, so that an integer stays exact beyond 2⁵³; which
//! column a sample's value is in stands beside its quality, run by run.

use serde::{Deserialize, Serialize};

use super::block::quality;
use super::columns::{pack, unpack};
use super::envelope;
use super::error::StoreError;
use crate::model::number::Number;
use crate::model::sample::Quality;
use crate::model::time::Timestamp;

const CODEC: u8 = 1;

/// One sample with its place in the journal.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct ChunkRow {
    pub(super) measured_at: Timestamp,
    pub(super) value: Option<Number>,
    pub(super) quality: Quality,
    /// Its commit.
    pub(super) seq: u64,
    /// Its place among all samples of the commit.
    pub(super) position: u32,
}

/// The columns, each packed. The order of fields is part of schema 1.
#[derive(Default, Serialize, Deserialize)]
struct Columns {
    samples: u32,
    /// Runs of equal marks: how long, and kind of value + 4 × quality code.
    marks: Vec<(u32, u8)>,
    measured_at: Vec<u8>,
    seq: Vec<u8>,
    position: Vec<u8>,
    floats: Vec<u8>,
    integers: Vec<u8>,
    /// Integers beyond 64 bits: rare enough to stay uncompressed.
    wide: Vec<i128>,
}

/// Which column a value is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Column {
    None,
    Floats,
    Integers,
    Wide,
}

impl Column {
    fn of(value: Option<Number>) -> Self {
        match value {
            None => Self::None,
            Some(Number::Float(_)) => Self::Floats,
            Some(Number::Integer(value)) if i64::try_from(value).is_ok() => Self::Integers,
            Some(Number::Integer(_)) => Self::Wide,
        }
    }

    fn from_mark(mark: u8) -> Self {
        match mark & 3 {
            0 => Self::None,
            1 => Self::Floats,
            2 => Self::Integers,
            _ => Self::Wide,
        }
    }
}

/// Encodes rows in journal order.
pub(super) fn encode(rows: &[ChunkRow]) -> Vec<u8> {
    let values = || rows.iter().filter_map(|row| row.value);
    let integers = || values().filter_map(|value| if let Number::Integer(value) = value { Some(value) } else { None });
    let floats = values().filter_map(|value| if let Number::Float(value) = value { Some(value) } else { None });
    let columns = Columns {
        samples: u32::try_from(rows.len()).expect("a chunk is bounded"),
        marks: marks(rows),
        measured_at: pack(&rows.iter().map(|row| row.measured_at.0).collect::<Vec<_>>()),
        seq: pack(&rows.iter().map(|row| row.seq).collect::<Vec<_>>()),
        position: pack(&rows.iter().map(|row| row.position).collect::<Vec<_>>()),
        floats: pack(&floats.collect::<Vec<_>>()),
        integers: pack(&integers().filter_map(|value| i64::try_from(value).ok()).collect::<Vec<_>>()),
        wide: integers().filter(|value| i64::try_from(*value).is_err()).collect(),
    };
    envelope::seal(CODEC, &postcard::to_stdvec(&columns).expect("integers and byte vectors always encode"))
}

fn marks(rows: &[ChunkRow]) -> Vec<(u32, u8)> {
    let mut marks: Vec<(u32, u8)> = Vec::new();
    for row in rows {
        let mark = Column::of(row.value) as u8 + 4 * row.quality.code();
        match marks.last_mut() {
            Some((run, last)) if *last == mark => *run += 1,
            _ => marks.push((1, mark)),
        }
    }
    marks
}

/// Returns the rows of a chunk, in journal order.
pub(super) fn decode(bytes: &[u8]) -> Result<Vec<ChunkRow>, StoreError> {
    let body = envelope::open(CODEC, bytes, "chunk")?;
    let columns: Columns =
        postcard::from_bytes(body).map_err(|error| StoreError::Damaged(format!("chunk: {error}")))?;
    let length = columns.samples as usize;
    let marks: Vec<u8> =
        columns.marks.iter().flat_map(|(run, mark)| std::iter::repeat_n(*mark, *run as usize)).collect();
    if marks.len() != length {
        return Err(StoreError::Damaged(format!("chunk: {} marks for {length} samples", marks.len())));
    }
    let measured_at: Vec<i64> = unpack(&columns.measured_at, length, "measured_at")?;
    let seq: Vec<u64> = unpack(&columns.seq, length, "seq")?;
    let position: Vec<u32> = unpack(&columns.position, length, "position")?;
    let mut values = Values::open(&columns, &marks)?;
    let mut rows = Vec::with_capacity(length);
    for (at, mark) in marks.into_iter().enumerate() {
        rows.push(ChunkRow {
            measured_at: Timestamp(measured_at[at]),
            value: values.next(mark),
            quality: quality(mark >> 2)?,
            seq: seq[at],
            position: position[at],
        });
    }
    Ok(rows)
}

/// The value columns, read from the front.
struct Values {
    floats: std::vec::IntoIter<f64>,
    integers: std::vec::IntoIter<i64>,
    wide: std::vec::IntoIter<i128>,
}

impl Values {
    fn open(columns: &Columns, marks: &[u8]) -> Result<Self, StoreError> {
        let count = |column: Column| marks.iter().filter(|mark| Column::from_mark(**mark) == column).count();
        if columns.wide.len() != count(Column::Wide) {
            return Err(StoreError::Damaged(format!("column wide: {} numbers", columns.wide.len())));
        }
        Ok(Self {
            floats: unpack(&columns.floats, count(Column::Floats), "floats")?.into_iter(),
            integers: unpack(&columns.integers, count(Column::Integers), "integers")?.into_iter(),
            wide: columns.wide.clone().into_iter(),
        })
    }

    fn next(&mut self, mark: u8) -> Option<Number> {
        match Column::from_mark(mark) {
            Column::None => None,
            Column::Floats => self.floats.next().map(Number::Float),
            Column::Integers => self.integers.next().map(|value| Number::Integer(i128::from(value))),
            Column::Wide => self.wide.next().map(Number::Integer),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{ChunkRow, decode, encode};
    use crate::model::number::Number;
    use crate::model::sample::Quality;
    use crate::model::time::Timestamp;

    #[test]
    fn every_kind_of_value_comes_back_exactly() {
        let values = [
            Some(Number::Float(-0.0)),
            Some(Number::Float(f64::MIN_POSITIVE / 2.0)),
            None,
            Some(Number::Integer(9_007_199_254_740_993)),
            Some(Number::Integer(i128::from(u64::MAX))),
            Some(Number::Integer(i128::MIN)),
            Some(Number::Float(0.1)),
        ];
        let rows: Vec<ChunkRow> = (0..)
            .zip(values)
            .map(|(place, value)| ChunkRow {
                measured_at: Timestamp(1_000 - i64::from(place)),
                value,
                quality: Quality::ALL[place as usize % Quality::ALL.len()],
                seq: 7,
                position: place,
            })
            .collect();
        let back = decode(&encode(&rows)).unwrap();
        assert_eq!(back, rows);
        assert!(matches!(back[0].value, Some(Number::Float(zero)) if zero.is_sign_negative()));
    }

    #[test]
    fn an_empty_chunk_is_one() {
        assert_eq!(decode(&encode(&[])).unwrap(), []);
    }
}
