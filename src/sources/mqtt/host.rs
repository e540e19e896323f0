//! The Sparkplug host at its session: gives the pure state machine its two clocks, and its messages to the connection.
//!
//! In: what happens on the connection. Out: samples and counts. A confirmation is due as long as the host hears everything
//! that is said: then what an edge node last reported still stands, although it says nothing.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

use super::config::MqttSource;
use super::link::{Client, Message};
use super::sparkplug::config as sparkplug;
use super::sparkplug::host::{self as machine, Now, Turn};
use super::sparkplug::outgoing::Outgoing;
use super::sparkplug::point::Point;
use crate::model::id::TagName;
use crate::model::sample::Sample;
use crate::model::tag::{SourceIndex, TagIndex, TagSpec};
use crate::runtime::clock::Clock;

/// Longest plant time between two confirmations. **Unit**: ms. A third of the shortest hold where that is less, so
/// that one that is late costs nothing.
const CONFIRM_MS_MAX: i64 = 30_000;

/// What came of one call.
#[derive(Debug, Default)]
pub(super) struct Heard {
    pub samples: Vec<Sample>,
    /// Names under which something is counted.
    pub counted: Vec<&'static str>,
}

/// The host of one session.
#[derive(Debug)]
pub(super) struct Host {
    machine: machine::Host,
    clock: Clock,
    started: Instant,
    /// What the connection's queue has not taken yet. Emptied between two polls, and forgotten with the connection.
    outbox: VecDeque<Outgoing>,
    confirm_every: Duration,
    confirmed_at: Instant,
}

impl Host {
    /// Prepares the host of a Sparkplug source; `None` for another one. `tags` are all tags of the plant, sorted by name.
    pub(super) fn new(config: &MqttSource, source: SourceIndex, tags: &[TagSpec], clock: &Clock) -> Option<Self> {
        if !sparkplug::is_sparkplug(config) {
            return None;
        }
        let points = points(config, source, tags);
        let confirm_ms = points.iter().map(|point| point.spec.hold_ms / 3).min().unwrap_or(CONFIRM_MS_MAX);
        let rules = config.sparkplug.as_ref().map(|given| given.get_ref().rules());
        let rules = rules.unwrap_or_else(|| sparkplug::SparkplugConfig::default().rules());
        let now = Instant::now();
        Some(Self {
            machine: machine::Host::new(rules, points, clock.now()),
            confirm_every: clock.real(confirm_ms.clamp(1, CONFIRM_MS_MAX)),
            clock: clock.clone(),
            started: now,
            outbox: VecDeque::new(),
            confirmed_at: now,
        })
    }

    fn now(&self) -> Now {
        let io_ms = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        Now { plant: self.clock.now(), io_ms }
    }

    fn heard(&mut self, turn: Turn) -> Heard {
        self.outbox.extend(turn.send);
        Heard { samples: turn.samples, counted: turn.counted }
    }

    /// Returns the will for the connection that is about to be made.
    pub(super) fn connecting(&mut self) -> Option<Outgoing> {
        let now = self.now();
        self.outbox.clear();
        self.machine.connecting(now)
    }

    /// The broker granted the subscriptions.
    pub(super) fn subscribed(&mut self) -> Heard {
        let turn = self.machine.subscribed(self.now());
        self.heard(turn)
    }

    /// A message arrived.
    pub(super) fn message(&mut self, message: &Message) -> Heard {
        let turn = self.machine.message(&message.topic(), &message.payload, message.retained, self.now());
        self.heard(turn)
    }

    /// The connection is lost.
    pub(super) fn lost(&mut self) -> Heard {
        self.outbox.clear();
        let turn = self.machine.lost(self.now());
        self.heard(turn)
    }

    /// Does what is due.
    pub(super) fn wake(&mut self) -> Heard {
        let turn = self.machine.wake(self.now());
        self.heard(turn)
    }

    /// Returns when [`Host::wake`] has something to do; `None` where only an event brings that about.
    pub(super) fn due(&self) -> Option<Instant> {
        let by_io = self.machine.due_ms().map(|due_ms| self.started + Duration::from_millis(due_ms));
        let by_plant =
            self.machine.due_at().map(|due| Instant::now() + self.clock.real(due.ms_since(self.clock.now())));
        by_io.into_iter().chain(by_plant).min()
    }

    /// Returns when the next confirmation is due; `None` while the host doesn't hear everything.
    pub(super) fn confirmation_due(&self) -> Option<Instant> {
        self.machine.is_listening().then(|| self.confirmed_at + self.confirm_every)
    }

    /// A confirmation is handed over.
    pub(super) fn confirmed(&mut self) {
        self.confirmed_at = Instant::now();
    }

    /// Hands over what is to be published, as far as the queue takes it.
    pub(super) fn say(&mut self, client: &Client) {
        while let Some(message) = self.outbox.front() {
            if !client.say(message) {
                break;
            }
            self.outbox.pop_front();
        }
    }

    /// The session ends on purpose: says so.
    pub(super) fn stop(&mut self, client: &Client) {
        if let Some(death) = self.machine.stopping(self.now()) {
            self.outbox.push_back(death);
        }
        self.say(client);
    }

    /// Returns what an operator should look at; empty where there is nothing.
    pub(super) fn notes(&self) -> String {
        self.machine.notes()
    }

    /// Says whether every edge node with a declared point is online and nothing of it was missed.
    pub(super) fn is_whole(&self) -> bool {
        self.machine.is_whole()
    }

    /// Returns how many edge nodes with declared points are online.
    pub(super) fn online(&self) -> u64 {
        self.machine.online()
    }

    /// Returns the subscription to its own state.
    pub(super) fn own_state(&self) -> Option<(String, u8)> {
        self.machine.own_state_topic().map(|topic| (topic, 1))
    }
}

/// Returns the declared points that are tags of the plant, with the place of their metrics.
fn points(config: &MqttSource, source: SourceIndex, tags: &[TagSpec]) -> Vec<Point> {
    let points = config.point.iter().filter_map(|point| {
        let point = point.get_ref();
        let name = TagName::new(&format!("{}.{}", config.name.get_ref(), point.name.get_ref())).ok()?;
        let position = tags.binary_search_by(|tag| tag.name.cmp(&name)).ok()?;
        let spec = tags[position].clone();
        let tag = TagIndex(u32::try_from(position).ok().filter(|_| spec.source == source)?);
        let place = sparkplug::place(config, point)?;
        let (scale, offset) = (point.scale(), point.offset());
        Some(Point { tag, spec, sentinel: point.sentinel.clone(), scale, offset, place })
    });
    points.collect()
}

#[cfg(test)]
mod tests;
