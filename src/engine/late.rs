//! What is to be computed again: late samples and touched minutes, until the next quarter hour.
//!
//! In: marks, as samples come late, counters book into closed minutes, or somebody calls
//! [`super::Engine::touch`]. Out: they are due at each quarter hour of plant time, all at once, so that a window is
//! revised at most once in a quarter of an hour however many samples come late.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::windows::Change;
use crate::model::time::{Grain, MINUTE_MS, Timestamp, Window};

/// How often late data become revisions. **Unit**: ms.
const COALESCED_MS: i64 = 15 * MINUTE_MS;

/// Disjoint spans, ascending, none touching the next.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(super) struct Spans(Vec<Window>);

impl Spans {
    /// Adds a span.
    pub(super) fn add(&mut self, span: Window) {
        if span.start >= span.end {
            return;
        }
        let from = self.0.partition_point(|held| held.end < span.start);
        let to = self.0.partition_point(|held| held.start <= span.end);
        let joined = self.0[from..to]
            .iter()
            .fold(span, |joined, held| Window { start: joined.start.min(held.start), end: joined.end.max(held.end) });
        self.0.splice(from..to, [joined]);
    }

    /// Removes and returns what lies within a span.
    pub(super) fn take(&mut self, span: Window) -> Self {
        let (mut taken, mut left) = (Self::default(), Self::default());
        for held in std::mem::take(&mut self.0) {
            taken.add(Window { start: held.start.max(span.start), end: held.end.min(span.end) });
            left.add(Window { start: held.start, end: held.end.min(span.start) });
            left.add(Window { start: held.start.max(span.end), end: held.end });
        }
        *self = left;
        taken
    }

    /// Returns them, ascending.
    pub(super) fn iter(&self) -> impl Iterator<Item = Window> + '_ {
        self.0.iter().copied()
    }

    /// Returns the start of the first.
    pub(super) fn first(&self) -> Option<Timestamp> {
        self.0.first().map(|span| span.start)
    }

    /// Returns the end of the last.
    pub(super) fn last(&self) -> Option<Timestamp> {
        self.0.last().map(|span| span.end)
    }

    /// Says whether there is none.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the minutes in them, ascending.
    pub(super) fn minutes(&self) -> impl Iterator<Item = Timestamp> + '_ {
        self.0.iter().flat_map(|span| {
            let minutes = (span.end.ms_since(span.start.minute()) + MINUTE_MS - 1) / MINUTE_MS;
            (0..minutes).map(move |minute| span.start.minute() + minute * MINUTE_MS)
        })
    }

    /// Adds whole minutes that hold a span.
    pub(super) fn add_minutes(&mut self, span: Window) {
        let end = (span.end + (MINUTE_MS - 1)).minute();
        self.add(Window { start: span.start.minute(), end });
    }
}

/// Everything that is to be computed again.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(super) struct Late {
    /// By name of a tag: minutes that hold late samples.
    pub(super) samples: BTreeMap<String, Spans>,
    /// By asset: minutes whose facts are to be computed again.
    pub(super) minutes: BTreeMap<String, Spans>,
    /// Changes of closed windows that wait until everything due is computed, by asset.
    pub(super) revising: BTreeMap<(Grain, Window, String), Change>,
    /// Something waited when the engine was advanced last.
    pub(super) waits: bool,
    /// The quarter hour, counted from 1970, in which what waits came, or in which the last was served.
    pub(super) quarter: i64,
}

impl Late {
    /// Says whether something has waited since before the present quarter hour.
    pub(super) fn is_due(&self, now: Timestamp) -> bool {
        self.waits && now.0.div_euclid(COALESCED_MS) > self.quarter
    }

    /// Begins to wait where something came since the engine was advanced last.
    pub(super) fn begin(&mut self, now: Timestamp) {
        if !self.waits && !self.is_empty() {
            self.waits = true;
            self.quarter = self.quarter.max(now.0.div_euclid(COALESCED_MS));
        }
    }

    /// Has everything due at once: nothing follows.
    pub(super) fn hurry(&mut self) {
        self.waits = !self.is_empty();
        self.quarter = i64::MIN;
    }

    /// Says whether nothing waits.
    pub(super) fn is_empty(&self) -> bool {
        self.samples.is_empty() && self.minutes.is_empty() && self.revising.is_empty()
    }

    /// Notes that what was due by `now` is served.
    pub(super) fn serve(&mut self, now: Timestamp) {
        self.quarter = self.quarter.max(now.0.div_euclid(COALESCED_MS));
        self.waits = !self.is_empty();
    }

    /// Marks a minute of a tag that holds a late sample.
    pub(super) fn mark_sample(&mut self, tag: &str, at: Timestamp) {
        let spans = match self.samples.get_mut(tag) {
            Some(spans) => spans,
            None => self.samples.entry(tag.to_owned()).or_default(),
        };
        spans.add(Window { start: at.minute(), end: at.minute() + MINUTE_MS });
    }

    /// Marks minutes of an asset.
    pub(super) fn mark_minutes(&mut self, asset: &str, span: Window) {
        let spans = match self.minutes.get_mut(asset) {
            Some(spans) => spans,
            None => self.minutes.entry(asset.to_owned()).or_default(),
        };
        spans.add_minutes(span);
    }
}

#[cfg(test)]
mod tests {
    use super::{Spans, Timestamp, Window};

    fn span(start: i64, end: i64) -> Window {
        Window { start: Timestamp(start), end: Timestamp(end) }
    }

    #[test]
    fn spans_that_touch_become_one_and_are_cut_where_they_are_taken() {
        let mut spans = Spans::default();
        for (start, end) in [(10, 20), (40, 50), (20, 30), (5, 8), (45, 60), (7, 7)] {
            spans.add(span(start, end));
        }
        assert_eq!(spans.iter().collect::<Vec<_>>(), [span(5, 8), span(10, 30), span(40, 60)]);
        let taken = spans.take(span(7, 45));
        assert_eq!(taken.iter().collect::<Vec<_>>(), [span(7, 8), span(10, 30), span(40, 45)]);
        assert_eq!(spans.iter().collect::<Vec<_>>(), [span(5, 7), span(45, 60)]);
        assert_eq!((spans.first(), spans.last()), (Some(Timestamp(5)), Some(Timestamp(60))));
    }
}
