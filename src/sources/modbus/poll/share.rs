//! What one unit may cost the others of its connection.
//!
//! In: time that was spent on units that didn't answer. Out: whether such a unit may be asked yet, and how often a
//! connection may be opened again. Arithmetic on instants; nothing here waits.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::time::Instant;

use crate::runtime::backoff::Backoff;
use crate::sources::modbus::link::LinkError;

/// Share of a connection's time that may be spent in waiting for units that don't answer, while others do.
pub(super) const SILENT_SHARE: f64 = 0.1;
/// Waiting that is allowed at once, before the share counts: enough to notice that a few units are silent.
const ALLOWANCE_MAX: Duration = Duration::from_secs(3);

/// The account of the time that was spent in waiting in vain. It fills with [`SILENT_SHARE`] of the time that passes.
#[derive(Debug, Clone)]
pub(super) struct Allowance {
    /// What may still be spent. **Unit**: s; below 0 after a wait longer than what was left.
    left: f64,
    at: Instant,
}

impl Allowance {
    pub(super) const fn new(now: Instant) -> Self {
        Self { left: ALLOWANCE_MAX.as_secs_f64(), at: now }
    }

    fn fill(&mut self, now: Instant) {
        let passed = now.saturating_duration_since(self.at).as_secs_f64();
        self.left = (self.left + passed * SILENT_SHARE).min(ALLOWANCE_MAX.as_secs_f64());
        self.at = now;
    }

    /// Books a wait in vain.
    pub(super) fn spend(&mut self, waited: Duration, now: Instant) {
        self.fill(now);
        self.left -= waited.as_secs_f64();
    }

    /// Says whether a unit that was silent may be asked.
    pub(super) fn allows(&mut self, now: Instant) -> bool {
        self.fill(now);
        self.left > 0.0
    }
}

/// First and longest wait before a lost connection is tried again: short enough that a restarted switch costs
/// seconds, long enough that a box with a dead endpoint isn't busy with it.
const RECONNECT: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(15));
/// Units that lose the connection one after the other, without an answer between, before it is the connection's
/// fault and not theirs.
const LOST_UNITS: usize = 3;
/// Connections within [`KICKED_WINDOW`] that were closed after another number of answers than the one before. A
/// device that closes when it is idle, or after each answer, does so regularly; a second client that takes a
/// device's only connection doesn't.
const KICKED_MAX: u32 = 5;
const KICKED_WINDOW: Duration = Duration::from_secs(60);
/// First and longest wait after that: whoever else wants the connection gets time to use it.
const POLITE: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(60));

/// How often the connection is opened.
#[derive(Debug, Clone)]
pub(super) struct Reconnects {
    backoff: Backoff,
    polite: Backoff,
    /// No new connection before this instant, and why.
    hold: Option<(Instant, LinkError)>,
    /// Units that lost the connection since the last answer.
    lost: BTreeSet<u8>,
    /// Answers on the present connection and on the one before it.
    answers: [u64; 2],
    /// Answers on the connection that the device closed last.
    closed_after: Option<u64>,
    kicked_since: Option<Instant>,
    kicked: u32,
}

impl Default for Reconnects {
    fn default() -> Self {
        Self {
            backoff: Backoff::new(RECONNECT.0, RECONNECT.1),
            polite: Backoff::new(POLITE.0, POLITE.1),
            hold: None,
            lost: BTreeSet::new(),
            answers: [0; 2],
            closed_after: None,
            kicked_since: None,
            kicked: 0,
        }
    }
}

impl Reconnects {
    /// Returns why no connection may be opened yet.
    pub(super) fn refuse(&mut self, now: Instant) -> Option<&LinkError> {
        if self.hold.as_ref().is_some_and(|(until, _)| *until <= now) {
            self.hold = None;
        }
        self.hold.as_ref().map(|(_, error)| error)
    }

    /// Opens none for a while.
    pub(super) fn hold(&mut self, error: LinkError, now: Instant, random: f64) {
        self.hold = Some((now + self.backoff.delay(random), error));
    }

    /// Something was answered.
    pub(super) fn heard(&mut self) {
        self.backoff.reset();
        self.lost.clear();
        self.answers[0] += 1;
    }

    /// A unit lost the connection; `units` share it.
    pub(super) fn lost(&mut self, unit: u8, units: usize, error: LinkError, now: Instant, random: f64) {
        self.lost.insert(unit);
        if self.lost.len() >= LOST_UNITS.min(units) {
            self.hold(error, now, random);
        }
    }

    /// A connection is there.
    pub(super) const fn opened(&mut self) {
        self.answers = [0, self.answers[0]];
    }

    /// A connection that had worked was closed by the other side, and the next one works. Returns whether it is left
    /// alone for a while, because somebody else seems to want it.
    pub(super) fn was_closed(&mut self, now: Instant, random: f64) -> bool {
        let is_regular = self.closed_after.replace(self.answers[1]).is_none_or(|before| before == self.answers[1]);
        if is_regular {
            return false;
        }
        if self.kicked_since.is_none_or(|since| now.saturating_duration_since(since) > KICKED_WINDOW) {
            (self.kicked_since, self.kicked) = (Some(now), 0);
        }
        self.kicked += 1;
        if self.kicked < KICKED_MAX {
            return false;
        }
        self.kicked_since = None;
        let reason = "the connection is closed again and again: another client may want the device's only one; \
             write keep_open = false, or a longer period";
        self.hold = Some((now + self.polite.delay(random), LinkError::Connect(reason.to_owned())));
        true
    }
}
