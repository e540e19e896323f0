//! A host with four points, and an edge node that says what the test wants.

use bytes::Bytes;
use prost::Message;

use super::super::config::Place;
use super::super::host::{Host, Now, Rules, Turn};
use super::super::payload::{Metric, Payload, Value};
use super::super::point::Point;
use crate::model::id::TagName;
use crate::model::number::Number;
use crate::model::sample::{Quality, Sample};
use crate::model::state::MachineState;
use crate::model::tag::{Meaning, SourceIndex, TagIndex, TagKind, TagSpec};
use crate::model::time::Timestamp;
use crate::model::unit::Unit;

/// Plant time at the start of each test.
pub(super) const START: i64 = 1_790_000_000_000;
/// Hold of every point.
pub(super) const HOLD_MS: i64 = 300_000;
pub(super) const REORDER_MS: u64 = 2_000;

/// The points by tag: a metric of the edge node, two of device `press 1`, one of device `oven`.
pub(super) const UPTIME: u32 = 0;
pub(super) const TOTAL: u32 = 1;
pub(super) const STATE: u32 = 2;
pub(super) const TEMPERATURE: u32 = 3;

/// Datatype codes.
pub(super) const INT32: u32 = 3;
pub(super) const INT64: u32 = 4;
pub(super) const UINT64: u32 = 8;
pub(super) const DOUBLE: u32 = 10;
pub(super) const BOOLEAN: u32 = 11;
pub(super) const STRING: u32 = 12;

pub(super) fn point(tag: u32, device: Option<&str>, metric: &str, kind: TagKind) -> Point {
    let states = [("1", MachineState::Producing), ("run", MachineState::Producing), ("true", MachineState::Idle)];
    let spec = TagSpec::new(
        TagName::new(&format!("line.e.p{tag}")).unwrap(),
        SourceIndex(0),
        Meaning {
            kind,
            unit: Unit::One,
            decoding: String::new(),
            hold_ms: HOLD_MS,
            lateness_ms: 60_000,
            thinning: None,
            states: states.into_iter().map(|(text, state)| (text.to_owned(), state)).collect(),
        },
    );
    let place = Place {
        group: "plant-1".to_owned(),
        node: "edge 1".to_owned(),
        device: device.map(str::to_owned),
        metric: metric.to_owned(),
    };
    Point { tag: TagIndex(tag), spec, sentinel: vec![-9999.0], scale: 1.0, offset: 0.0, place }
}

/// A host, its clocks, and the numbering of the one edge node.
pub(super) struct Rig {
    pub host: Host,
    pub now: Now,
    pub seq: u64,
}

impl Rig {
    /// A connected host that may ask for births.
    pub(super) fn new() -> Self {
        Self::with(Rules { host_id: Some("park".to_owned()), rebirth: true, reorder_ms: REORDER_MS })
    }

    pub(super) fn with(rules: Rules) -> Self {
        let points = vec![
            point(UPTIME, None, "Uptime", TagKind::Gauge),
            point(TOTAL, Some("press 1"), "Counters/Total", TagKind::Counter { modulus: None, max_per_second: None }),
            point(STATE, Some("press 1"), "State", TagKind::State),
            point(TEMPERATURE, Some("oven"), "Temp", TagKind::Gauge),
        ];
        Self::of(rules, points)
    }

    pub(super) fn of(rules: Rules, points: Vec<Point>) -> Self {
        let now = Now { plant: Timestamp(START), io_ms: 0 };
        let mut host = Host::new(rules, points, now.plant);
        host.connecting(now);
        host.subscribed(now);
        Self { host, now, seq: 0 }
    }

    /// A host whose edge node and devices are born.
    pub(super) fn born() -> Self {
        let mut rig = Self::new();
        rig.birth();
        rig
    }

    /// Lets both clocks run.
    pub(super) fn pass(&mut self, ms: u64) -> Turn {
        self.now.io_ms += ms;
        self.now.plant = self.now.plant + ms.cast_signed();
        self.host.wake(self.now)
    }

    /// The edge node gives all its births, with session 7.
    pub(super) fn birth(&mut self) -> Vec<Sample> {
        self.seq = 0;
        let mut samples = self.say("NBIRTH/edge 1", &node_birth(7)).samples;
        samples.extend(self.say("DBIRTH/edge 1/press 1", &press_birth()).samples);
        samples.extend(self.say("DBIRTH/edge 1/oven", &[metric("Temp", 3, DOUBLE, Value::Double(20.0))]).samples);
        samples
    }

    /// The next message in order, sent now.
    pub(super) fn say(&mut self, topic: &str, metrics: &[Metric]) -> Turn {
        let seq = self.seq;
        self.seq = (self.seq + 1) % 256;
        self.say_as(topic, metrics, Some(seq))
    }

    /// A message with a number of its own.
    pub(super) fn say_as(&mut self, topic: &str, metrics: &[Metric], seq: Option<u64>) -> Turn {
        self.deliver(topic, &encode(metrics, Some(self.now.plant.0.unsigned_abs()), seq))
    }

    /// Bytes as they are.
    pub(super) fn deliver(&mut self, topic: &str, bytes: &Bytes) -> Turn {
        self.host.message(&format!("spBv1.0/plant-1/{topic}"), bytes, false, self.now)
    }

    /// The will of session `number` of the edge node: no seq.
    pub(super) fn death(&mut self, number: u64) -> Turn {
        self.say_as("NDEATH/edge 1", &[session(number)], None)
    }
}

pub(super) fn encode(metrics: &[Metric], timestamp: Option<u64>, seq: Option<u64>) -> Bytes {
    let metrics = metrics.iter().map(|metric| Bytes::from(metric.encode_to_vec())).collect();
    Bytes::from(Payload { timestamp, metrics, seq }.encode_to_vec())
}

pub(super) fn metric(name: &str, alias: u64, datatype: u32, value: Value) -> Metric {
    Metric {
        name: Some(name.as_bytes().to_vec()),
        alias: Some(alias),
        datatype: Some(datatype),
        value: Some(value),
        ..Metric::default()
    }
}

/// As data name it: by alias alone, without datatype.
pub(super) fn aliased(alias: u64, value: Value) -> Metric {
    Metric { alias: Some(alias), value: Some(value), ..Metric::default() }
}

/// By name alone, without datatype.
pub(super) fn named(name: &str, value: Value) -> Metric {
    Metric { name: Some(name.as_bytes().to_vec()), value: Some(value), ..Metric::default() }
}

pub(super) fn session(number: u64) -> Metric {
    Metric { alias: None, ..metric("bdSeq", 0, INT64, Value::Long(number)) }
}

pub(super) fn node_birth(number: u64) -> Vec<Metric> {
    vec![
        session(number),
        metric("Node Control/Rebirth", 100, BOOLEAN, Value::Boolean(false)),
        metric("Uptime", 0, UINT64, Value::Long(1)),
    ]
}

pub(super) fn press_birth() -> Vec<Metric> {
    vec![
        metric("Counters/Total", 1, UINT64, Value::Long(500)),
        metric("State", 2, STRING, Value::Text(b"run".to_vec())),
    ]
}

/// Tags and values of samples, in order.
pub(super) fn values(samples: &[Sample]) -> Vec<(u32, Option<f64>)> {
    samples.iter().map(|sample| (sample.tag.0, sample.value.map(Number::as_f64))).collect()
}

/// Tags that went stale, and when, ascending by tag.
pub(super) fn stale(samples: &[Sample]) -> Vec<(u32, i64)> {
    let marks = samples.iter().filter(|sample| sample.quality == Quality::Stale);
    let mut marks: Vec<(u32, i64)> = marks.map(|sample| (sample.tag.0, sample.measured_at.0)).collect();
    marks.sort_unstable();
    marks
}

/// Topics of what is to be published.
pub(super) fn topics(turn: &Turn) -> Vec<&str> {
    turn.send.iter().map(|message| message.topic()).collect()
}
