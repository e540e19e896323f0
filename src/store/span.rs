//! Spans: the frame of consecutive compacted commits, without their samples.

use serde::{Deserialize, Serialize};

use super::columns::{pack, unpack};
use super::envelope;
use super::error::StoreError;
use super::stored::{StoredBatch, StoredCommit};
use crate::model::time::Timestamp;

const CODEC: u8 = 1;

/// One commit's frame.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Frame {
    pub(super) now: i64,
    pub(super) config: i64,
    pub(super) batches: Vec<BatchFrame>,
}

/// One batch's frame.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct BatchFrame {
    pub(super) source: u16,
    pub(super) delivery: u64,
    pub(super) received_at: i64,
    pub(super) samples: u32,
}

impl Frame {
    /// Returns the commit whose samples are yet to be filled in.
    pub(super) fn into_commit(self, seq: u64) -> StoredCommit {
        let batches = self.batches.into_iter().map(|batch| StoredBatch {
            source: batch.source,
            delivery: batch.delivery,
            received_at: Timestamp(batch.received_at),
            samples: Vec::new(),
            left_out: 0,
        });
        StoredCommit { seq, now: Timestamp(self.now), config: self.config, batches: batches.collect() }
    }
}

/// The columns, each packed. The order of fields is part of schema 1.
#[derive(Serialize, Deserialize)]
struct Columns {
    commits: u32,
    batches: u32,
    now: Vec<u8>,
    config: Vec<u8>,
    batches_of_commit: Vec<u8>,
    source: Vec<u8>,
    delivery: Vec<u8>,
    received_at: Vec<u8>,
    samples: Vec<u8>,
}

/// Encodes the frames of consecutive commits.
pub(super) fn encode(frames: &[Frame]) -> Vec<u8> {
    let batches: Vec<&BatchFrame> = frames.iter().flat_map(|frame| &frame.batches).collect();
    let length = |count: usize| u32::try_from(count).expect("a span is bounded by one compaction step");
    let columns = Columns {
        commits: length(frames.len()),
        batches: length(batches.len()),
        now: pack(&frames.iter().map(|frame| frame.now).collect::<Vec<_>>()),
        config: pack(&frames.iter().map(|frame| frame.config).collect::<Vec<_>>()),
        batches_of_commit: pack(&frames.iter().map(|frame| length(frame.batches.len())).collect::<Vec<_>>()),
        source: pack(&batches.iter().map(|batch| batch.source).collect::<Vec<_>>()),
        delivery: pack(&batches.iter().map(|batch| batch.delivery).collect::<Vec<_>>()),
        received_at: pack(&batches.iter().map(|batch| batch.received_at).collect::<Vec<_>>()),
        samples: pack(&batches.iter().map(|batch| batch.samples).collect::<Vec<_>>()),
    };
    envelope::seal(CODEC, &postcard::to_stdvec(&columns).expect("byte vectors always encode"))
}

/// Returns the frames of a span.
pub(super) fn decode(bytes: &[u8]) -> Result<Vec<Frame>, StoreError> {
    let body = envelope::open(CODEC, bytes, "span")?;
    let columns: Columns = postcard::from_bytes(body).map_err(|error| StoreError::Damaged(format!("span: {error}")))?;
    let (commits, batches) = (columns.commits as usize, columns.batches as usize);
    let now: Vec<i64> = unpack(&columns.now, commits, "now")?;
    let config: Vec<i64> = unpack(&columns.config, commits, "config")?;
    let batches_of_commit: Vec<u32> = unpack(&columns.batches_of_commit, commits, "batches_of_commit")?;
    let source: Vec<u16> = unpack(&columns.source, batches, "source")?;
    let delivery: Vec<u64> = unpack(&columns.delivery, batches, "delivery")?;
    let received_at: Vec<i64> = unpack(&columns.received_at, batches, "received_at")?;
    let samples: Vec<u32> = unpack(&columns.samples, batches, "samples")?;
    let mut all = (0..batches).map(|at| BatchFrame {
        source: source[at],
        delivery: delivery[at],
        received_at: received_at[at],
        samples: samples[at],
    });
    let frames = (0..commits)
        .map(|at| Frame {
            now: now[at],
            config: config[at],
            batches: all.by_ref().take(batches_of_commit[at] as usize).collect(),
        })
        .collect();
    Ok(frames)
}

#[cfg(test)]
mod tests {
    use super::{BatchFrame, Frame, decode, encode};

    #[test]
    fn commits_without_batches_keep_their_place() {
        let batch = BatchFrame { source: 3, delivery: u64::MAX, received_at: -5, samples: 0 };
        let frames = [
            Frame { now: 1, config: 1, batches: vec![] },
            Frame { now: 0, config: 1, batches: vec![batch, BatchFrame { delivery: 1, samples: 9, ..batch }] },
            Frame { now: i64::MAX, config: 2, batches: vec![] },
        ];
        assert_eq!(decode(&encode(&frames)).unwrap(), frames);
    }
}
