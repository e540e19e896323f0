//! Configuration debt: what a device refuses for good, kept apart so that the rest is read as before.
//!
//! In: refusals. Out: the limits the plan must keep to, the requests that ask whether a refusal still stands, and
//! the words that name it to the integrator. What is in debt costs no request but its probe, and nothing here
//! forgets a refusal before the device has answered.

use std::fmt::Write as _;
use std::time::Duration;

use tokio::time::Instant;

use crate::model::time::Timestamp;
use crate::profile::register::Table;
use crate::runtime::backoff::Backoff;
use crate::sources::modbus::device::DevicePoint;
use crate::sources::modbus::link::exception_name;
use crate::sources::modbus::plan::{Limits, Request, Stretch};

/// First and longest wait before a refused request is asked again: a device that was still starting costs its
/// points a minute, one that will never answer costs its neighbours a request an hour.
const PROBE: (Duration, Duration) = (Duration::from_secs(60), Duration::from_secs(3600));
/// Debts that are named one by one; more are counted.
const NAMED_MAX: usize = 5;

/// An instant in both times, and how fast plant time runs.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moment {
    /// Of time-outs and back-off.
    pub(super) io: Instant,
    /// Of the plant.
    pub(super) plant: Timestamp,
    /// Plant time that passes in a second. **Unit**: ms.
    pub(super) plant_ms_per_second: i64,
}

impl Moment {
    fn plant_after(&self, delay: Duration) -> Timestamp {
        let ms = i64::try_from(delay.as_millis()).unwrap_or(i64::MAX);
        self.plant + ms.saturating_mul(self.plant_ms_per_second) / 1000
    }
}

/// What is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Matter {
    /// Points that can't be read apart from each other: indexes into the device's.
    Points(Vec<usize>),
    /// A whole table: the device doesn't know the function.
    Table(Table),
    /// Registers that nobody wants but that were read along, or the border between two that don't go together.
    Apart(Stretch),
    /// Requests larger than this, of bits or of registers.
    Size {
        /// Whether it concerns tables of bits.
        of_bits: bool,
        /// Largest count that answered.
        max: u16,
    },
}

/// One refusal that stands.
#[derive(Debug, Clone)]
struct Debt {
    matter: Matter,
    /// The request that was refused: it is what is asked again.
    probe: Request,
    code: u8,
    since: Timestamp,
    backoff: Backoff,
    next: Instant,
    next_shown: Timestamp,
}

impl Debt {
    fn postpone(&mut self, now: &Moment) {
        let delay = self.backoff.delay(fastrand::f64());
        self.next = now.io + delay;
        self.next_shown = now.plant_after(delay);
    }
}

/// Every refusal of one device that stands.
#[derive(Debug, Clone, Default)]
pub(super) struct Debts(Vec<Debt>);

impl Debts {
    /// Books a refusal; one that is booked already stays as it is.
    pub(super) fn add(&mut self, matter: Matter, probe: Request, code: u8, now: &Moment) {
        if self.0.iter().any(|debt| debt.matter == matter) {
            return;
        }
        let mut debt = Debt {
            matter,
            probe,
            code,
            since: now.plant,
            backoff: Backoff::new(PROBE.0, PROBE.1),
            next: now.io,
            next_shown: now.plant,
        };
        debt.postpone(now);
        self.0.push(debt);
    }

    /// Returns the refusal whose time has come, the one that waits longest first, with the request to ask.
    /// `at_once` disregards the wait: for a device of which nothing else is left to ask.
    pub(super) fn due(&self, now: Instant, at_once: bool) -> Option<(usize, Request)> {
        let (index, debt) = self.0.iter().enumerate().min_by_key(|(_, debt)| debt.next)?;
        (at_once || debt.next <= now).then_some((index, debt.probe))
    }

    /// Forgets a refusal: the device has answered.
    pub(super) fn settle(&mut self, index: usize) {
        self.0.remove(index);
    }

    /// Forgets all: the device answers again after it had refused everything.
    pub(super) fn settle_all(&mut self) {
        self.0.clear();
    }

    /// The refusal stands, or couldn't be asked: it waits longer.
    pub(super) fn postpone(&mut self, index: usize, now: &Moment) {
        if let Some(debt) = self.0.get_mut(index) {
            debt.postpone(now);
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns which of `points` may be asked.
    pub(super) fn askable(&self, points: &[DevicePoint]) -> Vec<usize> {
        (0..points.len()).filter(|&index| !self.0.iter().any(|debt| debt.withholds(index, points))).collect()
    }

    /// Returns how many of `points` are not asked.
    pub(super) fn quarantined(&self, points: &[DevicePoint]) -> usize {
        points.len() - self.askable(points).len()
    }

    /// Returns the configured limits, narrowed by what was refused.
    pub(super) fn narrow(&self, limits: &Limits, points: &[DevicePoint]) -> Limits {
        let mut narrowed = limits.clone();
        for debt in &self.0 {
            match &debt.matter {
                Matter::Table(_) => {}
                Matter::Apart(stretch) => narrowed.avoided.push(*stretch),
                Matter::Size { of_bits: true, max } => {
                    narrowed.merged_bits_max = narrowed.merged_bits_max.min(*max);
                }
                Matter::Size { of_bits: false, max } => {
                    narrowed.merged_words_max = narrowed.merged_words_max.min(*max);
                }
                Matter::Points(refused) => narrowed.avoided.extend(refused.iter().map(|&index| {
                    let span = points[index].span;
                    let start = u32::from(span.address);
                    Stretch { table: span.table, start, end: start + u32::from(span.length) }
                })),
            }
        }
        narrowed
    }

    /// Says whether some points are not read.
    pub(super) fn costs_points(&self) -> bool {
        self.0.iter().any(|debt| matches!(debt.matter, Matter::Points(_) | Matter::Table(_)))
    }

    /// Names what is refused, why, since when, and when it is asked again; empty where nothing is.
    pub(super) fn describe(&self, points: &[DevicePoint]) -> String {
        let mut text = String::new();
        for debt in self.0.iter().take(NAMED_MAX) {
            let separator = if text.is_empty() { "" } else { "; " };
            let (code, name) = (debt.code, exception_name(debt.code));
            let what = debt.what(points);
            let (since, next) = (debt.since, debt.next_shown);
            // Writing to a String can't fail.
            let _ = write!(text, "{separator}{what}: exception {code} ({name}) since {since}, asked again {next}");
        }
        if self.0.len() > NAMED_MAX {
            let _ = write!(text, "; and {} more", self.0.len() - NAMED_MAX);
        }
        text
    }
}

impl Debt {
    fn withholds(&self, index: usize, points: &[DevicePoint]) -> bool {
        match &self.matter {
            Matter::Points(refused) => refused.contains(&index),
            Matter::Table(table) => points[index].span.table == *table,
            Matter::Apart(_) | Matter::Size { .. } => false,
        }
    }

    fn what(&self, points: &[DevicePoint]) -> String {
        match &self.matter {
            Matter::Points(refused) => {
                let names: Vec<&str> = refused.iter().map(|&index| points[index].name.as_str()).collect();
                format!("{} is not read, {}", names.join(", "), self.probe)
            }
            Matter::Table(table) => {
                let count = points.iter().filter(|point| point.span.table == *table).count();
                format!("the {table} table with {count} points is not read, {}", self.probe)
            }
            Matter::Apart(stretch) => format!("nothing is read across {stretch}, {}", self.probe),
            Matter::Size { of_bits, max } => {
                let kind = if *of_bits { "bits" } else { "registers" };
                format!("at most {max} {kind} are read at once, {} was refused", self.probe)
            }
        }
    }
}
