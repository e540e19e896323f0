//! Planned operation time and the breaks in it, clipped to a span.

use super::Calendar;
use crate::model::time::{MINUTE_MS, Timestamp, Window};

/// What a calendar plans in a span. Every list is ascending and without overlap.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Planned {
    /// Planned operation time (POT), breaks included.
    pub operation: Vec<Window>,
    /// The parts of it in which a break lets the machine stand still: planned down.
    pub down: Vec<Window>,
    /// The parts of it in which people have an unpaid break.
    pub unpaid: Vec<Window>,
}

impl Planned {
    /// Returns the parts that lie in a span.
    pub fn within(&self, span: Window) -> Self {
        Self { operation: clip(&self.operation, span), down: clip(&self.down, span), unpaid: clip(&self.unpaid, span) }
    }
}

fn clip(windows: &[Window], span: Window) -> Vec<Window> {
    let first = windows.partition_point(|window| window.end <= span.start);
    let inside = windows[first..].iter().take_while(|window| window.start < span.end);
    inside.map(|window| Window { start: window.start.max(span.start), end: window.end.min(span.end) }).collect()
}

/// Adds a window to an ascending list; one that touches or overlaps the last prolongs it.
pub(super) fn push(list: &mut Vec<Window>, window: Window) {
    match list.last_mut() {
        Some(last) if window.start <= last.end => last.end = last.end.max(window.end),
        _ => list.push(window),
    }
}

/// How much is looked up at once: a minute after a minute asks the civil calendar once a day. **Unit**: ms.
const STRETCH_MS: i64 = 24 * 60 * MINUTE_MS;

/// Remembers what the calendars of a plant plan around the minute that was asked for last.
#[derive(Debug, Clone, Default)]
pub(crate) struct Planner {
    /// What `stretches` cover; the same for every calendar.
    covered: Option<Window>,
    /// By calendar of the plant.
    stretches: Vec<Planned>,
}

impl Planner {
    /// Returns what each calendar plans in a span, in plant order.
    pub(crate) fn plan(&mut self, calendars: &[Calendar], span: Window) -> Vec<Planned> {
        let is_covered = |covered: Window| covered.start <= span.start && span.end <= covered.end;
        if !self.covered.is_some_and(is_covered) || self.stretches.len() != calendars.len() {
            let start = span.start - span.start.0.rem_euclid(STRETCH_MS);
            let covered = Window { start, end: Timestamp::max(start + STRETCH_MS, span.end) };
            self.stretches = calendars.iter().map(|calendar| calendar.plan(covered)).collect();
            self.covered = Some(covered);
        }
        self.stretches.iter().map(|stretch| stretch.within(span)).collect()
    }
}
