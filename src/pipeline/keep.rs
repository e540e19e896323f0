//! Retention beside the loop: old data goes a few bounded steps at a time, and the health board shows how full the
//! store is and what was removed.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::time::Instant;

use super::Pipeline;
use crate::model::id::StreamName;
use crate::model::record::ClockState;
use crate::model::time::{MINUTE_MS, Timestamp};
use crate::runtime::clock::Clock;
use crate::runtime::health::{Health, Status};
use crate::store::{Reader, Removal, StoreError, Why};

/// Steps of retention after one commit: more than as much is stored meanwhile.
const STEPS: usize = 4;

/// How often the store is looked at while nothing is to be removed, I/O time.
const EVERY: Duration = Duration::from_secs(1);

/// How often the health board is brought up to date, I/O time.
const SHOWN_EVERY: Duration = Duration::from_secs(5);

/// Newest removals that the board lists.
const NOTES: usize = 8;

/// The cap counts as reached for this long after something was removed because of it. **Unit**: ms.
const REACHED_MS: i64 = 24 * 60 * MINUTE_MS;

/// Name on the health board.
const COMPONENT: &str = "store.room";

/// Name on the health board of what became of a damaged store.
const RECOVERY: &str = "store.recovery";

impl Pipeline {
    /// Removes what is too old or beyond the cap, a few bounded steps a call; says whether there may be more.
    ///
    /// # Errors
    /// [`StoreError`]: the step that failed removed nothing, and the next call tries again.
    pub fn retain(&mut self, now: Timestamp) -> Result<bool, StoreError> {
        let is_clock_trusted = self.clock_state != ClockState::Unsynchronised;
        for step in 0..STEPS {
            if !self.store.retain(now, is_clock_trusted)? {
                return Ok(step > 0).inspect(|removed| {
                    if *removed {
                        self.forget()
                    }
                });
            }
        }
        self.forget();
        Ok(true)
    }

    fn forget(&mut self) {
        if let Ok(kept_from) = self.store.kept_from() {
            self.engine.forget_before(kept_from);
        }
    }
}

/// Shows that the store was made from what could be read of a damaged one, and what is still to be done about it.
pub(super) fn show_recovery(pipeline: &Pipeline, clock: &Clock, health: &Health) {
    let recoveries = match pipeline.reader.recoveries() {
        Ok(recoveries) => recoveries,
        Err(error) => return tracing::warn!("whether the store was recovered can't be read: {error}"),
    };
    let Some(newest) = recoveries.first() else { return };
    let quarantine = &newest.quarantine;
    // What a stream has cut since then decides: a page of a later epoch says that an operator opened one.
    let waiting = pipeline.policies.iter().filter(|policy| {
        let recovered = newest.epochs.get(policy.name.as_str());
        recovered.is_some_and(|epoch| policy.epoch <= *epoch)
    });
    let waiting: Vec<&str> = waiting.map(|policy| policy.name.as_str()).collect();
    let (status, detail) = match newest.needs_epoch && !waiting.is_empty() {
        true => (
            Status::Failed,
            format!(
                "made from {quarantine}, pages may be gone: raise `epoch` by one in sink {} and start again",
                waiting.join(", ")
            ),
        ),
        false => (Status::Ok, format!("made from {quarantine}, which may be deleted once it is no longer needed")),
    };
    health.set(RECOVERY, status, detail, clock.now());
    health.reporter(RECOVERY, clock.now()).note(newest.lines.clone());
}

/// Name on the health board of a stream whose wider share waits, before the stream's.
const SHARE: &str = "share";

/// When retention ran and was shown.
#[derive(Debug, Default)]
pub(super) struct Keeper {
    next: Option<Instant>,
    shown: Option<Instant>,
    alarmed: u64,
    /// Streams of which a wider share waited when last looked at.
    waiting: BTreeSet<StreamName>,
}

impl Keeper {
    /// Runs retention where it is due and shows where the store stands.
    pub(super) fn keep(&mut self, pipeline: &mut Pipeline, clock: &Clock, health: &Health) {
        let started = Instant::now();
        if self.next.is_some_and(|next| started < next) {
            return;
        }
        let now = pipeline.engine.now();
        // Before the first turn nothing says what time it is.
        if now.0 <= 0 {
            return;
        }
        match pipeline.retain(now) {
            Ok(true) => self.next = None,
            Ok(false) => self.next = Some(started + EVERY),
            Err(error) => {
                self.next = Some(started + EVERY);
                tracing::warn!("nothing old is removed for now: {error}");
            }
        }
        if self.shown.is_none_or(|shown| started >= shown + SHOWN_EVERY) {
            self.shown = Some(started);
            let Some(cap) = pipeline.store.cap_bytes() else { return };
            match Room::of(&pipeline.reader, cap, now) {
                Ok(room) => self.show(&room, clock.now(), health),
                Err(error) => tracing::warn!("how full the store is can't be read: {error}"),
            }
        }
    }

    /// Shows which streams wait for the factory's word, and what would newly leave.
    pub(super) fn show_shares(&mut self, pipeline: &Pipeline, clock: &Clock, health: &Health) {
        let shares = pipeline.waiting_shares();
        let now = clock.now();
        for (stream, beyond) in &shares {
            let detail = format!(
                "waits for confirmation, until then the share stays as it was agreed; would newly leave: {beyond}; \
                 see `parkgate egress confirm`"
            );
            if health.set(&format!("{SHARE}.{stream}"), Status::Degraded, detail.clone(), now) {
                tracing::warn!(stream = %stream, "the share of stream {stream} {detail}");
            }
        }
        let waiting: BTreeSet<StreamName> = shares.into_iter().map(|(stream, _)| stream).collect();
        for stream in self.waiting.difference(&waiting) {
            health.set(&format!("{SHARE}.{stream}"), Status::Ok, "", now);
            tracing::info!(stream = %stream, "the wider share of stream {stream} is confirmed");
        }
        self.waiting = waiting;
    }

    fn show(&mut self, room: &Room, now: Timestamp, health: &Health) {
        let (status, detail) = room.state();
        let reporter = health.reporter(COMPONENT, now);
        reporter.set(status, detail.clone(), now);
        reporter.gauges(&[
            ("bytes_used", room.used),
            ("bytes_cap", room.cap),
            ("percent_used", room.percent()),
            ("alarm_percent", room.alarm()),
            ("samples_removed", room.removed[0]),
            ("facts_removed", room.removed[1]),
            ("exchanges_removed", room.removed[2]),
            ("records_removed", room.removed[3]),
        ]);
        reporter.note(room.newest.iter().map(line).collect());
        if room.alarm() > self.alarmed {
            tracing::warn!("{detail}");
        }
        self.alarmed = room.alarm();
    }
}

/// How full the store is, and what was removed.
struct Room {
    used: u64,
    cap: u64,
    /// Samples, facts, exchanges, records.
    removed: [u64; 4],
    newest: Vec<Removal>,
    /// Something was removed because of the cap lately.
    is_reached: bool,
}

impl Room {
    fn of(reader: &Reader, cap: u64, now: Timestamp) -> Result<Self, StoreError> {
        let newest = reader.removals(NOTES)?;
        let is_recent = |removal: &Removal| removal.why == Why::Cap && now.ms_since(removal.at).abs() < REACHED_MS;
        Ok(Self {
            used: reader.used_bytes()?,
            cap,
            removed: [
                reader.removed("samples")?,
                reader.removed("facts")?,
                reader.removed("exchanges")?,
                reader.removed("records")?,
            ],
            is_reached: newest.iter().any(is_recent),
            newest,
        })
    }

    fn percent(&self) -> u64 {
        self.used.saturating_mul(100) / self.cap.max(1)
    }

    /// The highest of 50, 80 and 100 that is reached; 0 below.
    fn alarm(&self) -> u64 {
        match self.percent() {
            _ if self.is_reached => 100,
            100.. => 100,
            80.. => 80,
            50.. => 50,
            _ => 0,
        }
    }

    fn state(&self) -> (Status, String) {
        let (used, cap) = (self.used, self.cap);
        match self.alarm() {
            100 => (
                Status::Failed,
                format!(
                    "the cap of {cap} bytes is reached: oldest samples go first, then facts, records last; raise [store] cap"
                ),
            ),
            80 => (
                Status::Degraded,
                format!("{used} of {cap} bytes are used, more than 80 %; at 100 % the oldest samples go"),
            ),
            50 => (Status::Ok, format!("{used} of {cap} bytes are used, more than half")),
            _ => (Status::Ok, String::new()),
        }
    }
}

fn line(removal: &Removal) -> String {
    let Removal { what, why, from, to, rows, bytes, at } = removal;
    let why = match why {
        Why::Age => "older than they are kept",
        Why::Cap => "the cap was reached",
    };
    format!("until {at}: {rows} {what} from {from} to {to} removed, {bytes} bytes: {why}")
}

#[cfg(test)]
mod tests {
    use super::{Room, Status};

    #[test]
    fn the_board_alarms_at_half_at_four_fifths_and_when_the_cap_is_reached() {
        let at = |used, is_reached| {
            let room = Room { used, cap: 1_000, removed: [0; 4], newest: Vec::new(), is_reached };
            (room.alarm(), room.state().0)
        };
        assert_eq!(at(499, false), (0, Status::Ok));
        assert_eq!(at(500, false), (50, Status::Ok));
        assert_eq!(at(800, false), (80, Status::Degraded));
        assert_eq!(at(1_000, false), (100, Status::Failed));
        assert_eq!(at(980, true), (100, Status::Failed), "while it is removing, the cap stays reached");
    }
}
