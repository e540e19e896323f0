//! PURE: which samples of a tag's history are kept once the figures are made.
//!
//! In: rows in journal order. Out: the same rows, some marked as left out. Kept are the first and the last, every
//! change beyond the deadband and of quality, one for each heartbeat, whatever came out of order, and of a counter the
//! first and the last of each minute, so that its minutes stay what they were.

use super::chunk::ChunkRow;
use crate::model::number::Number;
use crate::model::tag::{TagKind, Thinning};

/// Marks rows after the first `known` ones as left out.
pub(super) fn thin(rows: &mut [ChunkRow], known: usize, kind: TagKind, thinning: Thinning) {
    let mut kept: Option<ChunkRow> = rows[..known].iter().rev().find(|row| !row.is_left_out).copied();
    let mut before: Option<usize> = known.checked_sub(1);
    let last = rows.len().wrapping_sub(1);
    for at in known..rows.len() {
        let row = rows[at];
        let previous = before.map(|before| rows[before]);
        let starts_minute = matches!(kind, TagKind::Counter { .. })
            && previous.is_some_and(|previous| previous.measured_at.minute() != row.measured_at.minute());
        if let Some(before) = before.filter(|before| starts_minute && *before >= known) {
            rows[before].is_left_out = false;
        }
        let is_kept = at == last || starts_minute || kept.is_none_or(|kept| is_news(&kept, previous, &row, thinning));
        rows[at].is_left_out = !is_kept;
        if is_kept {
            kept = Some(row);
        }
        before = Some(at);
    }
    for row in rows.iter_mut().filter(|row| row.is_left_out) {
        row.value = None;
    }
}

/// Says whether a row tells more than the last kept one and its predecessor do.
fn is_news(kept: &ChunkRow, previous: Option<ChunkRow>, row: &ChunkRow, thinning: Thinning) -> bool {
    let is_out_of_order = previous.is_some_and(|previous| row.measured_at <= previous.measured_at);
    is_out_of_order
        || row.quality != kept.quality
        || previous.is_some_and(|previous| !previous.is_left_out && previous.quality != row.quality)
        || row.measured_at.ms_since(kept.measured_at) >= thinning.heartbeat_ms
        || is_change(kept.value, row.value, thinning.deadband)
}

fn is_change(kept: Option<Number>, value: Option<Number>, deadband: f64) -> bool {
    match (kept, value) {
        (Some(kept), Some(value)) if deadband > 0.0 => (value.as_f64() - kept.as_f64()).abs() > deadband,
        (kept, value) => kept != value,
    }
}

#[cfg(test)]
mod tests {
    use super::{ChunkRow, Number, TagKind, Thinning, thin};
    use crate::model::sample::Quality;
    use crate::model::time::Timestamp;

    const GAUGE: TagKind = TagKind::Gauge;
    const COUNTER: TagKind = TagKind::Counter { modulus: None, max_per_second: None };
    const KEEP: Thinning = Thinning { deadband: 1.0, heartbeat_ms: 10_000 };

    fn row(second: i64, value: f64) -> ChunkRow {
        ChunkRow {
            measured_at: Timestamp(second * 1_000),
            value: Number::finite(value),
            quality: Quality::Good,
            seq: second.unsigned_abs(),
            before: 0,
            place: 0,
            is_left_out: false,
        }
    }

    /// Returns the seconds that are kept.
    fn kept(mut rows: Vec<ChunkRow>, known: usize, kind: TagKind, thinning: Thinning) -> Vec<i64> {
        let before = rows.clone();
        thin(&mut rows, known, kind, thinning);
        for (row, before) in rows.iter().zip(before) {
            assert_eq!((row.seq, row.measured_at), (before.seq, before.measured_at), "its place stays");
            assert_eq!(row.value, if row.is_left_out { None } else { before.value });
        }
        rows.iter().filter(|row| !row.is_left_out).map(|row| row.measured_at.0 / 1_000).collect()
    }

    fn rows(values: &[f64]) -> Vec<ChunkRow> {
        (0..).zip(values).map(|(second, value)| row(second, *value)).collect()
    }

    #[test]
    fn changes_beyond_the_deadband_heartbeats_and_both_ends_are_kept() {
        assert_eq!(kept(rows(&[5.0, 5.5, 6.0, 6.1, 6.5, 5.5, 5.4]), 0, GAUGE, KEEP), [0, 3, 6]);
        assert_eq!(kept(rows(&[5.0; 25]), 0, GAUGE, KEEP), [0, 10, 20, 24]);
        let on_change = Thinning { deadband: 0.0, ..KEEP };
        assert_eq!(kept(rows(&[5.0, 5.0, 5.1, 5.1, 5.1]), 0, GAUGE, on_change), [0, 2, 4]);
        assert_eq!(kept(vec![], 0, GAUGE, KEEP), [0; 0]);
    }

    #[test]
    fn slow_drift_is_kept_once_it_has_left_the_deadband() {
        let drift: Vec<f64> = (0..10).map(|second| f64::from(second) * 0.4).collect();
        assert_eq!(kept(rows(&drift), 0, GAUGE, KEEP), [0, 3, 6, 9]);
    }

    #[test]
    fn every_change_of_quality_and_whatever_comes_out_of_order_is_kept() {
        let mut marked = rows(&[5.0; 8]);
        marked[2].quality = Quality::OutOfRange;
        marked[4] = ChunkRow { quality: Quality::Sentinel, value: None, ..marked[4] };
        assert_eq!(kept(marked, 0, GAUGE, KEEP), [0, 2, 3, 4, 5, 7]);
        let mut late = rows(&[5.0; 6]);
        late[3].measured_at = Timestamp(500);
        assert_eq!(kept(late, 0, GAUGE, KEEP), [0, 0, 5]);
    }

    #[test]
    fn a_counter_keeps_both_ends_of_each_minute() {
        let growing: Vec<ChunkRow> = (50..190).map(|second| row(second, 0.0)).collect();
        let keep = Thinning { deadband: 1e9, heartbeat_ms: 3_600_000 };
        assert_eq!(kept(growing, 0, COUNTER, keep), [50, 59, 60, 119, 120, 179, 180, 189]);
    }

    #[test]
    fn what_is_history_already_stays_and_is_what_changes_are_held_against() {
        let mut history = rows(&[5.0, 0.0, 5.2]);
        history[1] = ChunkRow { is_left_out: true, value: None, ..history[1] };
        history.extend([row(3, 5.9), row(4, 6.3), row(5, 6.4), row(6, 6.4)]);
        assert_eq!(kept(history, 3, GAUGE, KEEP), [0, 2, 4, 6]);
    }
}
