//! One declared point: which metric it keeps, and what was last heard of it.
//!
//! In: values of its metric. Out: samples. A birth says what stands at its own instant, whenever the value was taken, so its
//! value comes after whatever was known before; a historical value never comes after it.

use super::config::Place;
use super::payload::Scalar;
use crate::model::number::Number;
use crate::model::sample::{Quality, Sample, read_text};
use crate::model::tag::{TagIndex, TagKind, TagSpec};
use crate::model::time::Timestamp;

/// How far ahead of the host's clock a mark or birth may lie to hold data back behind it: beyond, that clock is wrong, and
/// the figures leave out what is stamped so. **Unit**: ms.
const AHEAD_MS_MAX: i64 = 600_000;

/// A point and where its metric stands in an edge node.
#[derive(Debug, Clone)]
pub(in crate::sources::mqtt) struct Point {
    /// Its tag.
    pub tag: TagIndex,
    /// What the tag is.
    pub spec: TagSpec,
    /// Numbers that mean "no value".
    pub sentinel: Vec<f64>,
    /// Value = number × scale + offset.
    pub scale: f64,
    /// See `scale`.
    pub offset: f64,
    /// Where its metric stands.
    pub place: Place,
}

/// What a value is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    /// A birth, sent at this instant.
    Birth(Timestamp),
    /// A data message, heard at this instant of the host's clock.
    Data(Timestamp),
    /// A data message that reports the past.
    History,
}

/// What is known of a point.
#[derive(Debug)]
pub(super) struct Known {
    /// The point.
    pub point: Point,
    /// Event time of the newest present value, or of the mark that there is none.
    last_at: Option<Timestamp>,
    /// Event time of the last mark, or of a birth that was put after what was known: data that are said later come later.
    floor: Option<Timestamp>,
    /// Since when it may have changed unheard, by the host's clock.
    doubt_since: Option<Timestamp>,
    is_stale: bool,
}

impl Known {
    pub(super) fn new(point: Point) -> Self {
        Self { point, last_at: None, floor: None, doubt_since: None, is_stale: false }
    }

    /// Takes a value. `own_at` is the metric's own instant, `at` that or else its message's.
    ///
    /// # Errors
    /// What it is counted under where it gives no sample.
    pub(super) fn take(
        &mut self,
        value: &Scalar,
        own_at: Option<Timestamp>,
        at: Timestamp,
        origin: Origin,
        is_doubtful: bool,
    ) -> Result<Sample, &'static str> {
        let measured_at = match origin {
            Origin::History => match self.last_at {
                Some(last) if at >= last => return Err("history_not_older_than_the_present"),
                _ => at,
            },
            Origin::Data(heard_at) => self.after_floor(at, heard_at),
            // An amount belongs to its own interval; said again at another instant it would count twice.
            Origin::Birth(_) if matches!(self.point.spec.kind, TagKind::Interval { .. }) => {
                own_at.ok_or("interval_in_birth_without_time")?
            }
            Origin::Birth(sent_at) => {
                let stands_at = at.max(sent_at);
                let lifted = self.last_at.filter(|last| stands_at <= *last).map(|last| last + 1);
                self.floor = lifted;
                lifted.unwrap_or(stands_at)
            }
        };
        if origin != Origin::History {
            self.last_at = self.last_at.max(Some(measured_at));
            self.doubt_since = None;
            self.is_stale = false;
        }
        let (value, mut quality) = self.judge(value);
        if is_doubtful && quality == Quality::Good {
            quality = Quality::Uncertain;
        }
        Ok(Sample { tag: self.point.tag, measured_at, value, quality })
    }

    /// Returns when a value stands that was said after the last mark or birth: after it, even where the edge node's clock
    /// is behind. An amount stays in its own interval.
    fn after_floor(&mut self, at: Timestamp, heard_at: Timestamp) -> Timestamp {
        let is_interval = matches!(self.point.spec.kind, TagKind::Interval { .. });
        let Some(floor) = self.floor.filter(|floor| at <= *floor && !is_interval) else { return at };
        let next = (floor <= heard_at + AHEAD_MS_MAX).then_some(floor + 1);
        self.floor = next;
        next.unwrap_or(at)
    }

    /// Marks that nothing is known of it from `at` on; `None` where that was said already.
    pub(super) fn expire(&mut self, at: Timestamp) -> Option<Sample> {
        if std::mem::replace(&mut self.is_stale, true) {
            return None;
        }
        // Where the edge node's clock is ahead, the mark still comes after the value that it ends.
        let measured_at = self.last_at.map_or(at, |last| at.max(last + 1));
        self.last_at = Some(measured_at);
        self.floor = Some(measured_at);
        Some(Sample { tag: self.point.tag, measured_at, value: None, quality: STALE })
    }

    /// From `now` on it may have changed unheard. It expires with its hold unless a value comes.
    pub(super) fn doubt(&mut self, now: Timestamp) {
        self.doubt_since.get_or_insert(now);
    }

    /// Returns when it expires.
    pub(super) fn expires_at(&self) -> Option<Timestamp> {
        self.doubt_since.filter(|_| !self.is_stale).map(|doubt| doubt + self.point.spec.hold_ms)
    }

    /// Returns the value in the terms of the tag, or why there is none.
    fn judge(&self, value: &Scalar) -> (Option<Number>, Quality) {
        let spec = &self.point.spec;
        let is_state = spec.kind == TagKind::State;
        match value {
            Scalar::Null => (None, Quality::DeclaredBad),
            Scalar::Unreadable => (None, Quality::NotANumber),
            Scalar::Text(text) => self.in_unit(read_text(spec, text)),
            Scalar::Flag(flag) if is_state => read_text(spec, if *flag { "true" } else { "false" }),
            Scalar::Flag(flag) => self.in_unit((Some(Number::Integer(i128::from(*flag))), Quality::Good)),
            Scalar::Number(number) if is_state => read_text(spec, &text_of(*number)),
            Scalar::Number(number) => self.in_unit((Some(*number), Quality::Good)),
        }
    }

    fn in_unit(&self, read: (Option<Number>, Quality)) -> (Option<Number>, Quality) {
        let is_sentinel = |number: Number| self.point.sentinel.contains(&number.as_f64());
        if self.point.spec.kind != TagKind::State && read.0.is_some_and(is_sentinel) {
            return (None, Quality::Sentinel);
        }
        let is_scaled = self.point.scale.total_cmp(&1.0).is_ne() || self.point.offset.total_cmp(&0.0).is_ne();
        match read.0.filter(|_| is_scaled && self.point.spec.kind != TagKind::State) {
            None => read,
            Some(number) => match Number::finite(number.as_f64() * self.point.scale + self.point.offset) {
                Some(scaled) => (Some(scaled), read.1),
                None => (None, Quality::NotANumber),
            },
        }
    }
}

/// Quality of the mark that a value is not current any more.
pub(super) const STALE: Quality = Quality::Stale;

/// Returns the text a states table is asked with: 1.0 asks as 1.
fn text_of(number: Number) -> String {
    match number {
        Number::Integer(integer) => integer.to_string(),
        Number::Float(float) => float.to_string(),
    }
}
