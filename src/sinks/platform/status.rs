//! When the box tells its authority how it is, and what.
//!
//! A status goes ahead of pages that wait: at the first exchange after a start or a failure, when the state of a component
//! changes, and every quarter of an hour. So the authority learns that a meter is silent or a disk full before it has
//! taken the history of an outage, and that a box is silent although its next page is due tomorrow.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::ledger::jws;
use crate::ledger::key::GatewayKey;
use crate::model::id::GatewayId;
use crate::model::time::Timestamp;
use crate::runtime::health::{Component, Status};
use crate::wire::status::{BacklogStatus, ComponentKind, FORM, GatewayStatus, KindStatus};

/// How long a status holds. **Unit**: s, plant time.
const HOLDS_S: u32 = 900;
/// How long one stands at least before the next, unless the line was interrupted. **Unit**: ms, plant time.
const STANDS_MS: i64 = 60_000;
/// How often the board is looked at; I/O time. A look copies it.
const LOOK: Duration = Duration::from_secs(10);

/// Who speaks.
#[derive(Debug, Clone)]
pub struct Speaker {
    /// The gateway.
    pub gateway: GatewayId,
    /// What it signs with.
    pub key: Arc<GatewayKey>,
}

/// A status that is to be sent.
pub(super) struct Signed {
    pub(super) bytes: Vec<u8>,
    pub(super) jws: String,
    said: Said,
}

/// What was last acknowledged.
type Said = (Timestamp, Vec<KindStatus>);

/// What is said, and when it was said last.
pub(super) struct Voice {
    speaker: Speaker,
    /// The component of the sink itself, which is not well just because the line was cut.
    own: String,
    last: Option<Said>,
    looked: Option<Instant>,
}

impl Voice {
    pub(super) fn new(speaker: Speaker, own: &str) -> Self {
        Self { speaker, own: own.to_owned(), last: None, looked: None }
    }

    /// Where it goes.
    pub(super) fn path(&self) -> String {
        format!("/api/v1/gateways/{}/status", self.speaker.gateway)
    }

    /// The line was interrupted: the next exchange is a status.
    pub(super) fn interrupted(&mut self) {
        (self.last, self.looked) = (None, None);
    }

    /// Says whether it is time to look at the board.
    pub(super) fn looks(&mut self) -> bool {
        let looks = self.looked.is_none_or(|looked| looked.elapsed() >= LOOK);
        if looks {
            self.looked = Some(Instant::now());
        }
        looks
    }

    /// Returns what is to be said of the board as of `now`; `None` while what was said holds.
    pub(super) fn due(
        &self,
        board: &BTreeMap<String, Component>,
        backlog: BacklogStatus,
        now: Timestamp,
    ) -> Option<Signed> {
        let components = by_kind(board, &self.own);
        if let Some((at, said)) = &self.last {
            let age_ms = now.ms_since(*at);
            let has_changed = states(said) != states(&components);
            let is_due = age_ms < 0 || age_ms >= i64::from(HOLDS_S) * 1_000 || (has_changed && age_ms >= STANDS_MS);
            if !is_due {
                return None;
            }
        }
        let status = GatewayStatus {
            form: FORM,
            gateway: self.speaker.gateway.clone(),
            at: now,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            next_within_s: HOLDS_S,
            components: components.clone(),
            backlog,
        };
        let bytes = serde_json::to_vec(&status).expect("a status holds strings and integers only");
        let jws = jws::sign(&bytes, &self.speaker.key);
        Some(Signed { bytes, jws, said: (now, components) })
    }

    /// A status was acknowledged, or can't be.
    pub(super) fn said(&mut self, signed: &Signed) {
        self.last = Some(signed.said.clone());
    }
}

/// Returns what of the components counts as a change.
fn states(components: &[KindStatus]) -> Vec<(ComponentKind, u32, u32)> {
    components.iter().map(|kind| (kind.kind, kind.degraded, kind.failed)).collect()
}

fn by_kind(board: &BTreeMap<String, Component>, own: &str) -> Vec<KindStatus> {
    let mut kinds: BTreeMap<ComponentKind, KindStatus> = BTreeMap::new();
    for (name, component) in board.iter().filter(|(name, _)| *name != own) {
        let kind = ComponentKind::of(name);
        let none = KindStatus { kind, ok: 0, degraded: 0, failed: 0, troubled_since: None };
        let counted = kinds.entry(kind).or_insert(none);
        match component.status {
            Status::Ok => counted.ok += 1,
            Status::Degraded => counted.degraded += 1,
            Status::Failed => counted.failed += 1,
        }
        if component.status != Status::Ok {
            let earlier = counted.troubled_since.is_none_or(|since| component.since < since);
            counted.troubled_since = if earlier { Some(component.since) } else { counted.troubled_since };
        }
    }
    kinds.into_values().collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::{
        BacklogStatus, ComponentKind, GatewayId, GatewayKey, GatewayStatus, KindStatus, Speaker, Status, Timestamp,
        Voice, jws,
    };
    use crate::runtime::health::Health;

    const MINUTE_MS: i64 = 60_000;

    fn voice() -> Voice {
        let key = Arc::new(GatewayKey::from_seed([7; 32]));
        Voice::new(Speaker { gateway: GatewayId::new("tt-0042").unwrap(), key }, "sink.hepza")
    }

    /// Whether something is due after so many minutes; what is due is said.
    fn speaks(voice: &mut Voice, health: &Health, minute: i64) -> bool {
        let due = voice.due(&health.snapshot(), BacklogStatus::default(), Timestamp(minute * MINUTE_MS));
        due.map(|signed| voice.said(&signed)).is_some()
    }

    #[test]
    fn components_are_counted_by_kind_without_a_name_and_the_sink_itself_is_left_out() {
        let health = Health::default();
        health.set("source.meter-main", Status::Failed, "no answer", Timestamp(5_000));
        health.set("source.press-1", Status::Degraded, "late", Timestamp(4_000));
        health.set("source.floor", Status::Ok, "", Timestamp(1_000));
        health.set("store.room", Status::Ok, "", Timestamp(1_000));
        health.set("sink.hepza", Status::Degraded, "can't be reached", Timestamp(2_000));
        let backlog = BacklogStatus { pages: 3, bytes: 700, seconds: 90 };
        let signed = voice().due(&health.snapshot(), backlog, Timestamp(9_000)).unwrap();
        let key = GatewayKey::from_seed([7; 32]).verifying();
        jws::verify(&signed.bytes, &signed.jws, &key).unwrap();
        let text = String::from_utf8(signed.bytes).unwrap();
        for name in ["meter-main", "press-1", "floor", "hepza", "answer", "late"] {
            assert!(!text.contains(name), "{text}");
        }
        let status: GatewayStatus = serde_json::from_str(&text).unwrap();
        let kind = |kind, ok, degraded, failed, since: Option<i64>| KindStatus {
            kind,
            ok,
            degraded,
            failed,
            troubled_since: since.map(Timestamp),
        };
        let expected = [kind(ComponentKind::Source, 1, 1, 1, Some(4_000)), kind(ComponentKind::Store, 1, 0, 0, None)];
        assert_eq!(status.components, expected);
        assert_eq!((status.at, status.backlog), (Timestamp(9_000), backlog));
    }

    #[test]
    fn it_speaks_at_first_after_an_interruption_at_a_change_and_every_quarter_of_an_hour() {
        let (mut voice, health) = (voice(), Health::default());
        health.set("source.meter", Status::Ok, "", Timestamp(0));
        assert!(speaks(&mut voice, &health, 0));
        assert!(!speaks(&mut voice, &health, 14), "what was said holds");
        assert!(speaks(&mut voice, &health, 15));
        health.set("source.meter", Status::Failed, "no answer", Timestamp(16 * MINUTE_MS));
        assert!(speaks(&mut voice, &health, 16));
        health.set("source.meter", Status::Ok, "", Timestamp(16 * MINUTE_MS));
        let at_once = Timestamp(16 * MINUTE_MS + 59_999);
        let due = voice.due(&health.snapshot(), BacklogStatus::default(), at_once);
        assert!(due.is_none(), "a component that comes and goes doesn't fill the line");
        assert!(speaks(&mut voice, &health, 17));
        voice.interrupted();
        assert!(speaks(&mut voice, &health, 17));
        assert!(speaks(&mut voice, &health, 5), "the clock was set back");
    }

    #[test]
    fn the_board_is_looked_at_now_and_then_and_at_once_after_an_interruption() {
        let mut voice = voice();
        assert!(voice.looks());
        assert!(!voice.looks());
        voice.interrupted();
        assert!(voice.looks());
    }
}
