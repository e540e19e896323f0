//! One edge node as the host knows it: born or not, its metrics, its numbering, its points.
//!
//! In: its messages. Out: samples, counts, and whether its births are wanted. Nothing is taken from it before its birth
//! or after its death.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use bytes::Bytes;

use super::births::{Births, Unknown};
use super::host::{Now, Turn};
use super::payload::{self, Metric, Payload, Scalar, Value};
use super::point::{Known, Origin, Point};
use super::rebirth::Rebirth;
use super::sequence::{Arrival, Sequence};
use super::topic::{EdgeId, Kind};
use crate::model::number::Number;
use crate::model::time::Timestamp;

/// Name of the metric that numbers the sessions of an edge node.
const BIRTH_DEATH_SEQUENCE: &str = "bdSeq";

/// How sure it is that the births which the host knows are those the edge node goes by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trust {
    /// Nothing was missed since the birth.
    Sure,
    /// The connection was lost; the next number tells whether the session is still the same.
    AfterLoss,
    /// Something was missed: what is named by alias is doubtful.
    Doubtful,
}

/// A message that may wait for one before it.
#[derive(Debug)]
struct Incoming {
    kind: Kind,
    device: Option<String>,
    payload: Payload,
}

/// One edge node.
#[derive(Debug)]
pub(super) struct Edge {
    /// Which.
    pub id: EdgeId,
    /// Its points, by position.
    points: Vec<Known>,
    /// Positions of its points by device and name of the metric.
    by_metric: BTreeMap<(Option<String>, String), usize>,
    /// `None` before its birth and after its death.
    births: Option<Births>,
    /// Number of its session, see [`BIRTH_DEATH_SEQUENCE`].
    session: Option<u64>,
    sequence: Sequence<Incoming>,
    trust: Trust,
    /// When it is asked for its births.
    pub rebirth: Rebirth,
    reorder_ms: u64,
}

impl Edge {
    /// An edge node of which nothing is known.
    pub(super) fn new(id: EdgeId, reorder_ms: u64) -> Self {
        Self {
            id,
            points: Vec::new(),
            by_metric: BTreeMap::new(),
            births: None,
            session: None,
            sequence: Sequence::default(),
            trust: Trust::Sure,
            rebirth: Rebirth::default(),
            reorder_ms,
        }
    }

    /// Adds a point of it, of which nothing is known at `now`.
    pub(super) fn add(&mut self, point: Point, now: Timestamp) {
        let mut known = Known::new(point);
        known.doubt(now);
        let key = (known.point.place.device.clone(), known.point.place.metric.clone());
        self.by_metric.insert(key, self.points.len());
        self.points.push(known);
    }

    /// Says whether it is born and not dead.
    pub(super) fn is_online(&self) -> bool {
        self.births.is_some()
    }

    /// Says whether something of it was missed since its birth.
    pub(super) fn is_doubtful(&self) -> bool {
        self.trust != Trust::Sure
    }

    /// Says whether its births declare more than is kept.
    pub(super) fn is_beyond_limit(&self) -> bool {
        self.births.as_ref().is_some_and(Births::is_beyond_limit)
    }

    /// Takes a message.
    pub(super) fn take(
        &mut self,
        kind: Kind,
        device: Option<&str>,
        bytes: &Bytes,
        payload: Payload,
        now: Now,
        turn: &mut Turn,
    ) {
        self.rebirth.heard();
        let message = Incoming { kind, device: device.map(str::to_owned), payload };
        match (kind, device) {
            (Kind::Birth, None) => self.node_birth(message, now, turn),
            (Kind::Death, None) => self.node_death(&message.payload, now, turn),
            _ => self.take_numbered(message, bytes, now, turn),
        }
        self.give_up_if_due(now, turn);
    }

    /// Does what is due. Returns nothing: samples and counts go into `turn`.
    pub(super) fn wake(&mut self, now: Now, turn: &mut Turn) {
        self.give_up_if_due(now, turn);
        for known in &mut self.points {
            if let Some(at) = known.expires_at().filter(|at| *at <= now.plant) {
                turn.count("expired");
                turn.samples.extend(known.expire(at));
            }
        }
    }

    /// Returns when something of it is due by I/O time: the end of a wait for a missing message.
    pub(super) fn due_ms(&self) -> Option<u64> {
        self.sequence.due_ms(self.reorder_ms)
    }

    /// Returns when the first of its points expires, by plant time.
    pub(super) fn expires_at(&self) -> Option<Timestamp> {
        self.points.iter().filter_map(Known::expires_at).min()
    }

    /// The connection to the broker is lost: what happens to it meanwhile is not heard.
    pub(super) fn connection_lost(&mut self, now: Now, turn: &mut Turn) {
        self.take_held(now, turn);
        self.doubt(now.plant);
        self.trust = Trust::AfterLoss;
    }

    fn doubt(&mut self, now: Timestamp) {
        self.points.iter_mut().for_each(|known| known.doubt(now));
    }

    fn has_points(&self, device: Option<&str>) -> bool {
        self.points.iter().any(|known| known.point.place.device.as_deref() == device)
    }

    fn want_rebirth(&mut self, turn: &mut Turn) {
        if self.rebirth.want() {
            turn.count("rebirth_wanted");
        }
    }

    fn take_numbered(&mut self, message: Incoming, bytes: &Bytes, now: Now, turn: &mut Turn) {
        if self.births.is_none() {
            turn.count("before_birth");
            self.want_rebirth(turn);
            return;
        }
        let Some(seq) = message.payload.seq.and_then(|seq| u8::try_from(seq).ok()) else {
            turn.count("without_sequence_number");
            self.apply(message, now, turn);
            return;
        };
        if self.trust == Trust::AfterLoss && !self.is_same_session(seq) {
            // Other births may have given the aliases anew.
            turn.count("session_lost");
            self.births = None;
            self.sequence = Sequence::default();
            self.want_rebirth(turn);
            return;
        }
        match self.sequence.accept(seq, digest(bytes), bytes.len(), message, now.io_ms) {
            Arrival::Next(message) => {
                self.apply(message, now, turn);
                self.take_next_held(now, turn);
            }
            Arrival::Held => turn.count("out_of_order"),
            Arrival::Late(message) => {
                turn.count("late_in_sequence");
                self.apply(message, now, turn);
            }
            Arrival::Again => turn.count("sent_again"),
            Arrival::Taken => turn.count("two_under_one_number"),
        }
    }

    /// After a lost connection: the numbering goes on where it stood, so nothing was missed, or by chance as many
    /// messages as make a full round; therefore the aliases stay doubtful until the next birth.
    fn is_same_session(&mut self, seq: u8) -> bool {
        self.trust = Trust::Doubtful;
        self.sequence.is_next(seq)
    }

    fn take_next_held(&mut self, now: Now, turn: &mut Turn) {
        while let Some(message) = self.sequence.next_held() {
            self.apply(message, now, turn);
        }
    }

    fn give_up_if_due(&mut self, now: Now, turn: &mut Turn) {
        if self.due_ms().is_some_and(|due| due <= now.io_ms) {
            self.take_held(now, turn);
            self.want_rebirth(turn);
        }
    }

    /// Takes what is held in spite of what is missing before it.
    fn take_held(&mut self, now: Now, turn: &mut Turn) {
        let held = self.sequence.give_up();
        if held.is_empty() {
            return;
        }
        turn.count("gaps");
        self.trust = Trust::Doubtful;
        self.doubt(now.plant);
        for message in held {
            self.apply(message, now, turn);
        }
    }

    fn apply(&mut self, message: Incoming, now: Now, turn: &mut Turn) {
        match (message.kind, message.device.as_deref()) {
            (Kind::Birth, Some(device)) => self.declare(Some(device), &message.payload, now, turn),
            (Kind::Death, Some(device)) => {
                let at = instant(message.payload.timestamp).unwrap_or(now.plant);
                if let Some(births) = &mut self.births {
                    births.end(Some(device));
                }
                turn.count("device_deaths");
                self.expire(at, turn, |of| of == Some(device));
            }
            (_, device) => self.data(device, &message.payload, now, turn),
        }
    }

    fn node_birth(&mut self, message: Incoming, now: Now, turn: &mut Turn) {
        turn.count("births");
        let payload = message.payload;
        let session = session_of(&payload);
        if session.is_none() {
            turn.count("birth_without_bdseq");
        }
        if self.is_online() && self.session != session {
            // It came again without a death, or two clients bear one id.
            turn.count("birth_over_a_living_session");
        }
        let seq = payload.seq.and_then(|seq| u8::try_from(seq).ok());
        if seq != Some(0) {
            turn.count("birth_not_numbered_0");
        }
        for _ in 0..self.sequence.restart(seq.unwrap_or(0)) {
            turn.count("held_before_birth");
        }
        self.session = session;
        self.trust = Trust::Sure;
        self.rebirth.satisfied();
        self.births = Some(Births::default());
        // What the births to come don't declare expires.
        self.doubt(now.plant);
        self.declare(None, &payload, now, turn);
    }

    /// Takes the metrics of a birth; points of the same device that it doesn't declare have no value any more.
    fn declare(&mut self, device: Option<&str>, payload: &Payload, now: Now, turn: &mut Turn) {
        if device.is_some() {
            turn.count("device_births");
        }
        let has_points = self.has_points(device);
        let Some(births) = &mut self.births else { return };
        if !births.begin(device, has_points) {
            turn.count("devices_beyond_limit");
            return;
        }
        let sent_at = instant(payload.timestamp).unwrap_or(now.plant);
        for metric in &payload.metrics {
            let Some(metric) = Metric::read(metric) else {
                turn.count("metrics_malformed");
                continue;
            };
            let Some(name) = metric.own_name() else {
                turn.count("metrics_nameless_in_birth");
                continue;
            };
            let key = (device.map(str::to_owned), name.to_owned());
            let point = self.by_metric.get(&key).copied();
            if let Some(counted) = births.declare(device, &metric, name, point) {
                turn.count(counted);
            }
            if let Some(known) = point.and_then(|point| self.points.get_mut(point)) {
                take_value(known, &metric, metric.type_code(), Origin::Birth(sent_at), sent_at, false, turn);
            }
        }
        let undeclared = self.points.iter_mut().filter(|known| {
            known.point.place.device.as_deref() == device && !births.declares(device, &known.point.place.metric)
        });
        for known in undeclared {
            turn.count("points_missing_in_birth");
            turn.samples.extend(known.expire(sent_at));
        }
    }

    fn data(&mut self, device: Option<&str>, payload: &Payload, now: Now, turn: &mut Turn) {
        let births = self.births.as_ref();
        if !births.is_some_and(|births| births.has(device)) {
            if births.is_some_and(Births::is_device_beyond_limit) && !self.has_points(device) {
                // Another birth would not be kept either.
                turn.count("data_of_devices_beyond_limit");
                return;
            }
            turn.count("before_birth");
            self.want_rebirth(turn);
            return;
        }
        let sent_at = instant(payload.timestamp).unwrap_or(now.plant);
        for metric in &payload.metrics {
            let Some(metric) = Metric::read(metric) else {
                turn.count("metrics_malformed");
                continue;
            };
            let found = self.births.as_ref().map(|births| births.find(device, &metric));
            match found {
                Some(Ok(declared)) => {
                    let Some(known) = declared.point.and_then(|point| self.points.get_mut(point)) else { continue };
                    if let (Some(born), Some(said)) = (declared.datatype, metric.type_code())
                        && born != said
                    {
                        turn.count("datatype_unlike_birth");
                        continue;
                    }
                    let is_history = metric.is_historical == Some(true);
                    let origin = if is_history { Origin::History } else { Origin::Data(now.plant) };
                    let is_doubtful = self.trust != Trust::Sure && metric.own_name().is_none();
                    let datatype = declared.datatype.or_else(|| metric.type_code());
                    take_value(known, &metric, datatype, origin, sent_at, is_doubtful, turn);
                }
                Some(Err(unknown)) => self.unknown(unknown, turn),
                None => {}
            }
        }
    }

    /// A metric that no birth explains is dropped, never guessed.
    fn unknown(&mut self, unknown: Unknown, turn: &mut Turn) {
        turn.count(match unknown {
            Unknown::Alias => "unknown_alias",
            Unknown::Name => "unknown_name",
            Unknown::AliasOfTwo => "metrics_by_alias_of_two",
            Unknown::Nameless => "metrics_nameless",
            Unknown::BeyondLimit => "metrics_beyond_limit",
        });
        if matches!(unknown, Unknown::Alias | Unknown::Name | Unknown::AliasOfTwo) {
            self.want_rebirth(turn);
        }
    }

    fn node_death(&mut self, payload: &Payload, now: Now, turn: &mut Turn) {
        let session = session_of(payload);
        if let (Some(ours), Some(theirs)) = (self.session.filter(|_| self.is_online()), session)
            && ours != theirs
        {
            // A session that ended before ours began says nothing of ours; a later one began after ours and so ended it.
            if is_before(theirs, ours) {
                turn.count("deaths_of_an_older_session");
                return;
            }
            turn.count("deaths_of_a_newer_session");
        }
        turn.count("deaths");
        self.take_held(now, turn);
        self.births = None;
        self.session = None;
        self.trust = Trust::Sure;
        self.rebirth.satisfied();
        self.expire(now.plant, turn, |_| true);
    }

    fn expire(&mut self, at: Timestamp, turn: &mut Turn, concerns: impl Fn(Option<&str>) -> bool) {
        let concerned = self.points.iter_mut().filter(|known| concerns(known.point.place.device.as_deref()));
        turn.samples.extend(concerned.filter_map(|known| known.expire(at)));
    }
}

fn take_value(
    known: &mut Known,
    metric: &Metric,
    datatype: Option<u32>,
    origin: Origin,
    sent_at: Timestamp,
    is_doubtful: bool,
    turn: &mut Turn,
) {
    let Some(datatype) = datatype else {
        turn.count("metrics_without_datatype");
        return;
    };
    let Some(value) = payload::value_of(metric, datatype) else {
        turn.count("metrics_of_no_scalar_type");
        return;
    };
    if metric.timestamp.is_some() && instant(metric.timestamp).is_none() {
        turn.count("metrics_with_impossible_time");
        return;
    }
    let own_at = instant(metric.timestamp);
    match known.take(&value, own_at, own_at.unwrap_or(sent_at), origin, is_doubtful) {
        Ok(sample) => turn.samples.push(sample),
        Err(counted) => turn.count(counted),
    }
}

/// Returns an instant of the protocol; `None` beyond what an instant can be here.
fn instant(ms: Option<u64>) -> Option<Timestamp> {
    ms.and_then(|ms| i64::try_from(ms).ok()).map(Timestamp)
}

/// Returns the number of the session that a birth or death belongs to.
fn session_of(payload: &Payload) -> Option<u64> {
    let metrics = payload.metrics.iter().filter_map(Metric::read);
    let numbers = metrics.filter(|metric| metric.own_name() == Some(BIRTH_DEATH_SEQUENCE)).map(|metric| {
        let code = match metric.value {
            Some(Value::Int(_) | Value::Long(_)) => metric.type_code().unwrap_or(8),
            _ => return None,
        };
        match payload::value_of(&metric, code) {
            Some(Scalar::Number(Number::Integer(number))) => u64::try_from(number).ok(),
            _ => None,
        }
    });
    numbers.flatten().next()
}

/// Says whether a session came before another: numbers go up, by the specification from 0 to 255 and round.
fn is_before(session: u64, other: u64) -> bool {
    match (u8::try_from(session), u8::try_from(other)) {
        (Ok(session), Ok(other)) => other.wrapping_sub(session) < 128,
        _ => session < other,
    }
}

fn digest(bytes: &Bytes) -> u64 {
    let mut hasher = DefaultHasher::new();
    bytes.hash(&mut hasher);
    hasher.finish()
}
