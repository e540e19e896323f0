//! Row-blocks: the samples of one batch as they came, cheap to write. What staging holds.

use rusqlite::{Connection, params};
use serde::{Deserialize, Serialize};

use super::commit::BATCHES_MAX;
use super::error::StoreError;
use super::stored::StoredSample;
use super::tags::TagIds;
use super::{envelope, position};
use crate::model::number::Number;
use crate::model::sample::{Quality, SampleBatch};
use crate::model::time::Timestamp;

const CODEC: u8 = 1;

/// One sample. Encoded as it stands: the order of fields is part of schema 1.
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
    for (place, batch) in (0..).zip(batches) {
        insert.execute(params![
            staging_id(seq) + place,
            batch.source.0,
            batch.delivery.cast_signed(),
            batch.received_at.0,
            position(batch.samples.len() as u64),
            encode(tags, batch)?,
        ])?;
    }
    Ok(())
}

/// Returns the id of a commit's first row in staging.
pub(super) fn staging_id(seq: u64) -> i64 {
    position(seq).saturating_mul(1 << 16)
}

fn encode(tags: &TagIds, batch: &SampleBatch) -> Result<Vec<u8>, StoreError> {
    let rows: Vec<BlockRow> = batch
        .samples
        .iter()
        .map(|sample| {
            Ok(BlockRow {
                tag: tags.id(sample)?,
                lag_ms: batch.received_at.0.wrapping_sub(sample.measured_at.0),
                quality: sample.quality.code(),
                value: sample.value,
            })
        })
        .collect::<Result<_, StoreError>>()?;
    Ok(envelope::seal(CODEC, &postcard::to_stdvec(&rows).expect("numbers always encode")))
}

/// Returns the samples of a block that arrived at `received_at`, in arrival order.
pub(super) fn decode(bytes: &[u8], received_at: Timestamp) -> Result<Vec<StoredSample>, StoreError> {
    let body = envelope::open(CODEC, bytes, "row-block")?;
    let rows: Vec<BlockRow> =
        postcard::from_bytes(body).map_err(|error| StoreError::Damaged(format!("row-block: {error}")))?;
    rows.into_iter()
        .map(|row| {
            Ok(StoredSample {
                tag: row.tag,
                measured_at: Timestamp(received_at.0.wrapping_sub(row.lag_ms)),
                value: row.value,
                quality: quality(row.quality)?,
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{BlockRow, CODEC, decode, envelope};
    use crate::model::number::Number;
    use crate::model::time::Timestamp;

    #[test]
    fn the_bytes_of_a_block_are_those_of_schema_1() {
        let rows = [
            BlockRow { tag: 300, lag_ms: 2, quality: 0, value: Some(Number::Float(1.5)) },
            BlockRow { tag: 1, lag_ms: -1, quality: 3, value: None },
            BlockRow { tag: 1, lag_ms: 0, quality: 1, value: Some(Number::Integer(-(1 << 54))) },
        ];
        let bytes = envelope::seal(CODEC, &postcard::to_stdvec(&rows.to_vec()).unwrap());
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, "0103ac0204000100000000000000f83f010103000100010101ffffffffffffff3f9d3a5afc");
        let back = decode(&bytes, Timestamp(10)).unwrap();
        assert_eq!(back.iter().map(|row| row.measured_at.0).collect::<Vec<_>>(), [8, 11, 10]);
        assert_eq!(back.iter().map(|row| row.value).collect::<Vec<_>>(), rows.map(|row| row.value));
    }
}
