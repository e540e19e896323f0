//! The host application: which edge nodes it hears, when it shows its state, whom it asks for births.
//!
//! In: connections, messages, instants of waking. Out: a [`Turn`]. One host belongs to one broker; two brokers have two
//! hosts, each with the state and its timestamp that belong to its broker.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;

use super::edge::Edge;
use super::outgoing::{Outgoing, state_topic};
use super::payload;
use super::point::Point;
use super::topic::{self, EdgeId, Kind, Topic};
use crate::model::sample::Sample;
use crate::model::time::Timestamp;

/// Edge nodes without a declared point whose names are kept for the operator; further ones are counted only.
const UNMAPPED_MAX: usize = 16;
/// Bytes of a payload that can't be read which are kept for the operator.
const REFUSED_BYTES_MAX: usize = 64;
/// Edge nodes that see their primary host come online give their births by themselves; who has not done so after this
/// time is asked. **Unit**: ms of I/O time.
const BIRTHS_EXPECTED_MS: u64 = 5_000;

/// What the factory chose.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(in crate::sources::mqtt) struct Rules {
    /// The id under which it shows its state; `None`: it shows none.
    pub host_id: Option<String>,
    /// Whether it may ask edge nodes for their births.
    pub rebirth: bool,
    /// How long it waits for a missing message. **Unit**: ms of I/O time.
    pub reorder_ms: u64,
}

/// An instant by both clocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::sources::mqtt) struct Now {
    /// Plant time.
    pub plant: Timestamp,
    /// I/O time since an instant of the caller's. **Unit**: ms.
    pub io_ms: u64,
}

/// What came of one call.
#[derive(Debug, Default, PartialEq)]
pub(in crate::sources::mqtt) struct Turn {
    /// The samples.
    pub samples: Vec<Sample>,
    /// What is to be published, in this order.
    pub send: Vec<Outgoing>,
    /// Names under which something is counted.
    pub counted: Vec<&'static str>,
}

impl Turn {
    pub(super) fn count(&mut self, what: &'static str) {
        self.counted.push(what);
    }
}

/// A host at one broker.
#[derive(Debug)]
pub(in crate::sources::mqtt) struct Host {
    rules: Rules,
    edges: BTreeMap<EdgeId, Edge>,
    /// Timestamp of the will that went with the present connection.
    state_at: Timestamp,
    /// Whether the present connection's subscriptions are granted.
    is_listening: bool,
    /// Whether the state was shown on the present connection.
    is_shown: bool,
    unmapped: BTreeSet<String>,
    refused: Option<String>,
}

impl Host {
    /// A host that keeps `points`. Nothing is known of them at `now`.
    pub(in crate::sources::mqtt) fn new(rules: Rules, points: Vec<Point>, now: Timestamp) -> Self {
        let mut edges = BTreeMap::new();
        for point in points {
            let id = EdgeId { group: point.place.group.clone(), node: point.place.node.clone() };
            let fresh = || Edge::new(id.clone(), rules.reorder_ms);
            edges.entry(id.clone()).or_insert_with(fresh).add(point, now);
        }
        let (unmapped, refused) = (BTreeSet::new(), None);
        Self { rules, edges, state_at: now, is_listening: false, is_shown: false, unmapped, refused }
    }

    /// A connection is about to be made: returns the will that goes with it, where the host shows its state.
    pub(in crate::sources::mqtt) fn connecting(&mut self, now: Now) -> Option<Outgoing> {
        self.state_at = now.plant;
        self.is_shown = false;
        self.rules.host_id.as_deref().map(|host| Outgoing::state(host, false, self.state_at))
    }

    /// The broker granted the subscriptions: the host shows that it is there, and expects births.
    pub(in crate::sources::mqtt) fn subscribed(&mut self, now: Now) -> Turn {
        let mut turn = Turn::default();
        self.is_listening = true;
        self.show(&mut turn);
        for edge in self.edges.values_mut().filter(|edge| !edge.is_online() || edge.is_doubtful()) {
            edge.rebirth.want_after(now.io_ms + BIRTHS_EXPECTED_MS);
        }
        turn
    }

    /// The connection is lost.
    pub(in crate::sources::mqtt) fn lost(&mut self, now: Now) -> Turn {
        let mut turn = Turn::default();
        (self.is_listening, self.is_shown) = (false, false);
        for edge in self.edges.values_mut() {
            edge.connection_lost(now, &mut turn);
        }
        turn
    }

    /// The host is stopped on purpose: returns its death, to be published before the farewell.
    pub(in crate::sources::mqtt) fn stopping(&mut self, now: Now) -> Option<Outgoing> {
        let was_shown = std::mem::replace(&mut self.is_shown, false);
        let host = self.rules.host_id.as_deref().filter(|_| was_shown)?;
        Some(Outgoing::state(host, false, now.plant.max(self.state_at)))
    }

    /// Takes a message. A retained one is no news of an edge node: nobody knows what happened since.
    pub(in crate::sources::mqtt) fn message(&mut self, topic: &str, bytes: &Bytes, retained: bool, now: Now) -> Turn {
        let mut turn = Turn::default();
        match topic::parse(topic) {
            None => turn.count("unmatched"),
            Some(Topic::State { host }) => self.state(host, bytes, &mut turn),
            Some(Topic::Edge { kind: Kind::Command, .. }) => turn.count("commands_of_others"),
            Some(Topic::Edge { .. }) if retained => turn.count("retained"),
            Some(Topic::Edge { kind, group, node, device }) => {
                let id = EdgeId { group: group.to_owned(), node: node.to_owned() };
                match payload::decode(bytes.clone()) {
                    Err(why) => {
                        turn.count("refused_not_sparkplug");
                        let start = &bytes[..bytes.len().min(REFUSED_BYTES_MAX)];
                        self.refused = Some(format!(
                            "{}: {why}; it starts with \"{}\"",
                            topic.escape_debug(),
                            start.escape_ascii()
                        ));
                    }
                    Ok(payload) => match self.edges.get_mut(&id) {
                        Some(edge) => edge.take(kind, device, bytes, payload, now, &mut turn),
                        None => {
                            turn.count("unmapped");
                            if self.unmapped.len() < UNMAPPED_MAX {
                                self.unmapped.insert(id.to_string());
                            }
                        }
                    },
                }
            }
        }
        self.ask(now, &mut turn);
        turn
    }

    /// Does what is due.
    pub(in crate::sources::mqtt) fn wake(&mut self, now: Now) -> Turn {
        let mut turn = Turn::default();
        for edge in self.edges.values_mut() {
            edge.wake(now, &mut turn);
        }
        self.ask(now, &mut turn);
        turn
    }

    /// Returns when [`Host::wake`] has something to do, by I/O time.
    pub(in crate::sources::mqtt) fn due_ms(&self) -> Option<u64> {
        let may_ask = self.may_ask();
        let asks = self.edges.values().filter(|_| may_ask).filter_map(|edge| edge.rebirth.due_ms());
        self.edges.values().filter_map(Edge::due_ms).chain(asks).min()
    }

    /// Returns when [`Host::wake`] has something to do, by plant time.
    pub(in crate::sources::mqtt) fn due_at(&self) -> Option<Timestamp> {
        self.edges.values().filter_map(Edge::expires_at).min()
    }

    /// Returns what an operator should look at; empty where there is nothing.
    pub(in crate::sources::mqtt) fn notes(&self) -> String {
        let named = |wanted: fn(&Edge) -> bool| {
            let names = self.edges.values().filter(|edge| wanted(edge)).map(|edge| edge.id.to_string());
            names.take(UNMAPPED_MAX).collect::<Vec<_>>().join(", ")
        };
        let unmapped = self.unmapped.iter().cloned().collect::<Vec<_>>().join(", ");
        let after = if self.rules.rebirth { "" } else { "; asking for births is switched off (sparkplug.rebirth)" };
        let notes = [
            ("edge nodes that are not online: ", named(|edge| !edge.is_online()), ""),
            ("edge nodes of which messages were missed: ", named(|edge| edge.is_online() && edge.is_doubtful()), after),
            ("edge nodes that declare more than is kept: ", named(Edge::is_beyond_limit), ""),
            ("edge nodes without a declared point: ", unmapped, ""),
            ("last payload that could not be read: ", self.refused.clone().unwrap_or_default(), ""),
        ];
        let told = notes.iter().filter(|(_, what, _)| !what.is_empty());
        told.map(|(before, what, after)| format!("{before}{what}{after}")).collect::<Vec<_>>().join("; ")
    }

    /// Returns how many edge nodes with declared points are online.
    pub(in crate::sources::mqtt) fn online(&self) -> u64 {
        self.edges.values().filter(|edge| edge.is_online()).count() as u64
    }

    /// Says whether every edge node with a declared point is online and nothing of it was missed.
    pub(in crate::sources::mqtt) fn is_whole(&self) -> bool {
        self.edges.values().all(|edge| edge.is_online() && !edge.is_doubtful())
    }

    /// Returns the topic of its own state, which it subscribes to; `None` where it shows none.
    pub(in crate::sources::mqtt) fn own_state_topic(&self) -> Option<String> {
        self.rules.host_id.as_deref().map(state_topic)
    }

    /// Says whether everything that is said of its edge nodes is heard.
    pub(in crate::sources::mqtt) fn is_listening(&self) -> bool {
        self.is_listening
    }

    fn may_ask(&self) -> bool {
        self.rules.rebirth && self.is_listening
    }

    fn show(&mut self, turn: &mut Turn) {
        if let Some(host) = self.rules.host_id.as_deref() {
            turn.send.push(Outgoing::state(host, true, self.state_at));
            self.is_shown = true;
        }
    }

    /// A state was delivered. Where somebody, or the will of an earlier connection, says that this host is away, it is
    /// put right.
    fn state(&mut self, host: &str, bytes: &Bytes, turn: &mut Turn) {
        if self.rules.host_id.as_deref() != Some(host) {
            return;
        }
        let said: serde_json::Value = serde_json::from_slice(bytes).unwrap_or_default();
        match said.get("online").and_then(serde_json::Value::as_bool) {
            Some(false) if self.is_shown => {
                turn.count("state_put_right");
                self.show(turn);
            }
            // Before it is shown the subscription is not granted yet; then it is shown anyway.
            Some(false) => {}
            Some(true) => {
                if said.get("timestamp").and_then(serde_json::Value::as_i64) != Some(self.state_at.0.max(0)) {
                    // Retained of an earlier connection, or another host bears this id.
                    turn.count("state_of_another");
                }
            }
            None => turn.count("state_unreadable"),
        }
    }

    /// Asks the edge nodes whose births are wanted, where that is switched on.
    fn ask(&mut self, now: Now, turn: &mut Turn) {
        if !self.may_ask() {
            return;
        }
        for edge in self.edges.values_mut() {
            if edge.rebirth.due_ms().is_some_and(|due| due <= now.io_ms) {
                edge.rebirth.asked(now.io_ms);
                turn.count("rebirths_requested");
                turn.send.push(Outgoing::rebirth(&edge.id, now.plant));
            }
        }
    }
}
