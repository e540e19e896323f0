//! Row-blocks: the samples of one batch as they came, cheap to write. What staging holds.
//!
//! Codec 2 is written. Codec 1, whole rows one after the other, is what earlier versions wrote and is still read.

use rusqlite::{Connection, params};
use serde::{Deserialize, Serialize};

use super::commit::BATCHES_MAX;
use super::error::StoreError;
use super::packed::{self, Row};
use super::stored::StoredSample;
use super::tags::TagIds;
use super::{envelope, position};
use crate::model::number::Number;
use crate::model::sample::{Quality, SampleBatch};
use crate::model::time::Timestamp;

/// What is written.
const CODEC: u8 = 2;
/// What was written before, row by row.
const CODEC_ROWS: u8 = 1;

/// One sample under codec 1. Encoded as it stands: the order of fields is part of schema 1.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct BlockRow {
    tag: u32,
    /// `received_at` − `measured_at`, small and therefore short.
    lag_ms: i64,
    quality: u8,
    value: Option<Number>,
}

/// Returns the quality of a stored code.
pub(super) fn quality(code: u8) -> Result<Quality, StoreError> {
    Quality::from_code(code).ok_or_else(|| StoreError::Damaged(format!("no quality has code {code}")))
}

/// Writes one row for each batch.
pub(super) fn stage(
    connection: &Connection,
    tags: &TagIds,
    seq: u64,
    batches: &[SampleBatch],
) -> Result<(), StoreError> {
    if batches.is_empty() {
        return Ok(());
    }
    if batches.len() > BATCHES_MAX {
        return Err(StoreError::Contradiction(format!("{} batches in one commit, limit {BATCHES_MAX}", batches.len())));
    }
    let mut insert = connection.prepare(
        "INSERT INTO staging (id, source, delivery, received_at, samples, block) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?;
    let mut block = Vec::new();
    for (place, batch) in (0..).zip(batches) {
        encode(tags, batch, &mut block)?;
        insert.execute(params![
            staging_id(seq) + place,
            batch.source.0,
            batch.delivery.cast_signed(),
            batch.received_at.0,
            position(batch.samples.len() as u64),
            block.as_slice(),
        ])?;
    }
    Ok(())
}

/// Returns the id of a commit's first row in staging.
pub(super) fn staging_id(seq: u64) -> i64 {
    position(seq).saturating_mul(1 << 16)
}

fn encode(tags: &TagIds, batch: &SampleBatch, block: &mut Vec<u8>) -> Result<(), StoreError> {
    let ids = tags.ids();
    if let Some(stranger) = batch.samples.iter().find(|sample| sample.tag.as_usize() >= ids.len()) {
        return Err(StoreError::Contradiction(format!("no tag has position {}", stranger.tag.0)));
    }
    let rows = batch.samples.iter().map(|sample| Row {
        tag: ids[sample.tag.as_usize()],
        lag_ms: batch.received_at.0.wrapping_sub(sample.measured_at.0),
        quality: sample.quality.code(),
        value: sample.value,
    });
    envelope::seal_with(CODEC, block, |block| packed::encode(rows, block));
    Ok(())
}

/// Returns the samples of a block that arrived at `received_at`, in arrival order.
pub(super) fn decode(bytes: &[u8], received_at: Timestamp) -> Result<Vec<StoredSample>, StoreError> {
    let mut samples = Vec::new();
    visit(bytes, received_at, |sample| samples.push(sample))?;
    Ok(samples)
}

/// Calls `take` with each sample of a block that arrived at `received_at`, in arrival order.
pub(super) fn visit(
    bytes: &[u8],
    received_at: Timestamp,
    mut take: impl FnMut(StoredSample),
) -> Result<(), StoreError> {
    let mut take = |row: Row| {
        take(StoredSample {
            tag: row.tag,
            measured_at: Timestamp(received_at.0.wrapping_sub(row.lag_ms)),
            value: row.value,
            quality: quality(row.quality)?,
        });
        Ok(())
    };
    if bytes.first() != Some(&CODEC_ROWS) {
        return packed::decode(envelope::open(CODEC, bytes, "row-block")?, take);
    }
    let body = envelope::open(CODEC_ROWS, bytes, "row-block")?;
    let rows: Vec<BlockRow> =
        postcard::from_bytes(body).map_err(|error| StoreError::Damaged(format!("row-block: {error}")))?;
    rows.into_iter().try_for_each(|BlockRow { tag, lag_ms, quality, value }| take(Row { tag, lag_ms, quality, value }))
}

#[cfg(test)]
mod tests {
    use super::{BlockRow, CODEC, CODEC_ROWS, Row, decode, envelope, packed};
    use crate::model::number::Number;
    use crate::model::time::Timestamp;

    #[test]
    fn the_bytes_of_a_block_that_earlier_versions_wrote_are_read() {
        let rows = [
            BlockRow { tag: 300, lag_ms: 2, quality: 0, value: Some(Number::Float(1.5)) },
            BlockRow { tag: 1, lag_ms: -1, quality: 3, value: None },
            BlockRow { tag: 1, lag_ms: 0, quality: 1, value: Some(Number::Integer(-(1 << 54))) },
        ];
        let bytes = envelope::seal(CODEC_ROWS, &postcard::to_stdvec(&rows.to_vec()).unwrap());
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, "0103ac0204000100000000000000f83f010103000100010101ffffffffffffff3f9d3a5afc");
        let back = decode(&bytes, Timestamp(10)).unwrap();
        assert_eq!(back.iter().map(|row| row.measured_at.0).collect::<Vec<_>>(), [8, 11, 10]);
        assert_eq!(back.iter().map(|row| row.value).collect::<Vec<_>>(), rows.map(|row| row.value));
    }

    #[test]
    fn the_bytes_of_a_block_never_change() {
        let row = Row { tag: 300, lag_ms: 2, quality: 0, value: Some(Number::Float(1.5)) };
        let rows = [
            row,
            Row { tag: 301, value: Some(Number::Float(0.1)), ..row },
            Row { tag: 2, lag_ms: -1, quality: 3, value: None },
            Row { tag: 2, lag_ms: 0, quality: 1, value: Some(Number::Integer(-(1 << 54))) },
            Row { value: Some(Number::Integer(1 << 70)), ..row },
        ];
        let mut bytes = Vec::new();
        envelope::seal_with(CODEC, &mut bytes, |bytes| packed::encode(rows.into_iter(), bytes));
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(
            hex,
            "02050108000000ac0202d50400d4040105000000040005020401050000000401180a030000c03f9a9999999999b93fffffffffffffff\
             3f00000000000000004000000000000000bba9a793"
        );
        let back = decode(&bytes, Timestamp(10)).unwrap();
        assert_eq!(back.iter().map(|row| row.measured_at.0).collect::<Vec<_>>(), [8, 8, 11, 10, 8]);
        assert_eq!(back.iter().map(|row| row.value).collect::<Vec<_>>(), rows.map(|row| row.value));
    }
}
