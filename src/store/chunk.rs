//! Chunks: compacted samples of one tag, column by column.
//!
//! Floating-point and integer values are columns of their own, so that an integer stays exact beyond 2⁵³; which
//! column a sample's value is in stands beside its quality, run by run.
//!
//! Tags of one device are read at the same instants and committed together, so that most of their columns are the
//! same: [`Encoder`] compresses those once. Codec 2 is written; codec 1 had the place in the commit as one column, and
//! is still read.

use serde::{Deserialize, Serialize};

use super::block::quality;
use super::columns::{pack, unpack};
use super::envelope;
use super::error::StoreError;
use crate::model::number::Number;
use crate::model::sample::Quality;
use crate::model::time::Timestamp;

/// What is written.
const CODEC: u8 = 2;
/// What was written before, with the place in the commit in one column.
const CODEC_POSITION: u8 = 1;
/// Stands for the quality of a row that was left out; no quality has this code.
const LEFT_OUT: u8 = 63;

/// One sample with its place in the journal.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct ChunkRow {
    pub(super) measured_at: Timestamp,
    pub(super) value: Option<Number>,
    pub(super) quality: Quality,
    /// Its commit.
    pub(super) seq: u64,
    /// How many samples of the commit are in batches before its own.
    pub(super) before: u32,
    /// Its place in its batch.
    pub(super) place: u32,
    /// Thinning left it out: only its place is kept, so that a gap is still told from damage.
    pub(super) is_left_out: bool,
}

impl ChunkRow {
    /// Returns its place among all samples of the commit.
    pub(super) const fn position(&self) -> u32 {
        self.before.wrapping_add(self.place)
    }
}

/// The columns, each packed. The order of fields is part of the codec; codec 1 ends each row's place with `before`.
#[derive(Default, Serialize, Deserialize)]
struct Columns {
    samples: u32,
    /// Runs of equal marks: how long, and kind of value + 4 × quality code.
    marks: Vec<(u32, u8)>,
    measured_at: Vec<u8>,
    seq: Vec<u8>,
    before: Vec<u8>,
    /// Runs of equal places in the batch: how long, and which. Codec 2 only.
    #[serde(skip)]
    places: Vec<(u32, u32)>,
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

/// What tags share that are encoded one after the other.
#[derive(Default)]
pub(super) struct Encoder {
    /// Instant, commit and place of the batch, of the rows that were encoded last.
    shared: Vec<(Timestamp, u64, u32)>,
    measured_at: Vec<u8>,
    seq: Vec<u8>,
    before: Vec<u8>,
}

impl Encoder {
    /// Encodes rows in journal order.
    pub(super) fn encode(&mut self, rows: &[ChunkRow]) -> Vec<u8> {
        self.share(rows);
        let values = || rows.iter().filter_map(|row| row.value);
        let integers =
            || values().filter_map(|value| if let Number::Integer(value) = value { Some(value) } else { None });
        let floats = values().filter_map(|value| if let Number::Float(value) = value { Some(value) } else { None });
        let places = runs(rows.iter().map(|row| row.place));
        let columns = Columns {
            samples: u32::try_from(rows.len()).expect("a chunk is bounded"),
            marks: runs(rows.iter().map(mark)),
            measured_at: self.measured_at.clone(),
            seq: self.seq.clone(),
            before: self.before.clone(),
            places: Vec::new(),
            floats: pack(&floats.collect::<Vec<_>>()),
            integers: pack(&integers().filter_map(|value| i64::try_from(value).ok()).collect::<Vec<_>>()),
            wide: integers().filter(|value| i64::try_from(*value).is_err()).collect(),
        };
        let body = postcard::to_stdvec(&(columns, places)).expect("integers and byte vectors always encode");
        envelope::seal(CODEC, &body)
    }

    /// Packs what the rows share with those before, unless it is the same.
    fn share(&mut self, rows: &[ChunkRow]) {
        let shared = rows.iter().map(|row| (row.measured_at, row.seq, row.before));
        if shared.clone().eq(self.shared.iter().copied()) {
            return;
        }
        self.shared = shared.collect();
        self.measured_at = pack(&rows.iter().map(|row| row.measured_at.0).collect::<Vec<_>>());
        self.seq = pack(&rows.iter().map(|row| row.seq).collect::<Vec<_>>());
        self.before = pack(&rows.iter().map(|row| row.before).collect::<Vec<_>>());
    }
}

/// Returns the kind of a row's value + 4 × its quality.
fn mark(row: &ChunkRow) -> u8 {
    if row.is_left_out { 4 * LEFT_OUT } else { Column::of(row.value) as u8 + 4 * row.quality.code() }
}

/// Returns runs of equal numbers: how long, and which.
fn runs<T: PartialEq>(numbers: impl Iterator<Item = T>) -> Vec<(u32, T)> {
    let mut runs: Vec<(u32, T)> = Vec::new();
    for number in numbers {
        match runs.last_mut() {
            Some((run, last)) if *last == number => *run += 1,
            _ => runs.push((1, number)),
        }
    }
    runs
}

/// Returns the rows of a chunk, in journal order.
pub(super) fn decode(bytes: &[u8]) -> Result<Vec<ChunkRow>, StoreError> {
    let damaged = |error: postcard::Error| StoreError::Damaged(format!("chunk: {error}"));
    let columns: Columns = if bytes.first() == Some(&CODEC_POSITION) {
        let body = envelope::open(CODEC_POSITION, bytes, "chunk")?;
        let columns: Columns = postcard::from_bytes(body).map_err(damaged)?;
        Columns { places: vec![(columns.samples, 0)], ..columns }
    } else {
        let (columns, places): (Columns, _) =
            postcard::from_bytes(envelope::open(CODEC, bytes, "chunk")?).map_err(damaged)?;
        Columns { places, ..columns }
    };
    let length = columns.samples as usize;
    let marks: Vec<u8> = spread(&columns.marks, length, "marks")?;
    let places: Vec<u32> = spread(&columns.places, length, "places")?;
    let measured_at: Vec<i64> = unpack(&columns.measured_at, length, "measured_at")?;
    let seq: Vec<u64> = unpack(&columns.seq, length, "seq")?;
    let before: Vec<u32> = unpack(&columns.before, length, "before")?;
    let mut values = Values::open(&columns, &marks)?;
    let mut rows = Vec::with_capacity(length);
    for (at, mark) in marks.into_iter().enumerate() {
        let is_left_out = mark >> 2 == LEFT_OUT;
        rows.push(ChunkRow {
            measured_at: Timestamp(measured_at[at]),
            value: values.next(mark),
            quality: if is_left_out { Quality::Good } else { quality(mark >> 2)? },
            seq: seq[at],
            before: before[at],
            place: places[at],
            is_left_out,
        });
    }
    Ok(rows)
}

/// Writes runs out. Their lengths are checked first: a wrong one must not take memory.
fn spread<T: Copy>(runs: &[(u32, T)], length: usize, what: &str) -> Result<Vec<T>, StoreError> {
    let found: u64 = runs.iter().map(|(run, _)| u64::from(*run)).sum();
    if found != length as u64 {
        return Err(StoreError::Damaged(format!("chunk: {found} {what} for {length} samples")));
    }
    Ok(runs.iter().flat_map(|(run, entry)| std::iter::repeat_n(*entry, *run as usize)).collect())
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
    use super::{CODEC_POSITION, ChunkRow, Columns, Encoder, decode, envelope, pack};
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
                before: 100,
                place,
                is_left_out: value.is_none() && place == 2,
            })
            .collect();
        let back = decode(&Encoder::default().encode(&rows)).unwrap();
        // Of a row that was left out only the place is kept.
        let mut rows = rows;
        rows[2].quality = Quality::Good;
        assert_eq!(back, rows);
        assert!(matches!(back[0].value, Some(Number::Float(zero)) if zero.is_sign_negative()));
    }

    #[test]
    fn an_empty_chunk_is_one() {
        assert_eq!(decode(&Encoder::default().encode(&[])).unwrap(), []);
    }

    #[test]
    fn what_tags_share_is_not_taken_from_one_that_was_read_at_other_instants() {
        let row = |at: i64, place: u32| ChunkRow {
            measured_at: Timestamp(at),
            value: Some(Number::Integer(i128::from(at))),
            quality: Quality::Good,
            seq: at.unsigned_abs(),
            before: 7,
            place,
            is_left_out: false,
        };
        let mut encoder = Encoder::default();
        let tags =
            [vec![row(1, 0), row(2, 0)], vec![row(1, 1), row(2, 1)], vec![row(1, 2), row(3, 2)], vec![row(1, 3)]];
        for rows in tags {
            assert_eq!(decode(&encoder.encode(&rows)).unwrap(), rows);
        }
    }

    #[test]
    fn a_chunk_that_earlier_versions_wrote_is_read() {
        let columns = Columns {
            samples: 2,
            marks: vec![(2, 1)],
            measured_at: pack(&[5_i64, 6]),
            seq: pack(&[1_u64, 2]),
            before: pack(&[3_u32, 4]),
            floats: pack(&[0.5, 0.25]),
            ..Columns::default()
        };
        let rows = decode(&envelope::seal(CODEC_POSITION, &postcard::to_stdvec(&columns).unwrap())).unwrap();
        assert_eq!(rows.iter().map(|row| (row.seq, row.position())).collect::<Vec<_>>(), [(1, 3), (2, 4)]);
    }
}
