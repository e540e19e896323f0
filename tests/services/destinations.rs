//! Destinations of a box that fail at random: a hub, an InfluxDB and a broker, each behind a proxy that spoils its connections.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;

use crate::fault_proxy::{FaultProxy, Mode};
use crate::harness::{Mosquitto, eventually};
use crate::line_fake::LineFake;

/// How an HTTP destination fails: it isn't there, never answers, acts and doesn't say so, or answers what it likes.
const HTTP_FAULTS: [Mode; 7] = [
    Mode::Cut,
    Mode::Stall,
    Mode::CloseHalfway,
    Mode::CloseHalfway,
    Mode::Answer("500 Internal Server Error", &[]),
    Mode::Answer("503 Service Unavailable", &["retry-after: 1"]),
    Mode::Answer("429 Too Many Requests", &["retry-after: 1"]),
];
/// How a broker fails; 20 bytes suffice for the answer to CONNECT and for a few acknowledgements.
const MQTT_FAULTS: [Mode; 4] = [Mode::Cut, Mode::Stall, Mode::CloseHalfway, Mode::CloseHalfway];

/// Longest time until a failure has met an exchange: some windows must close meanwhile.
const FAILING: Duration = Duration::from_secs(60);

/// The destinations.
pub(crate) struct Destinations {
    /// In front of the hub.
    pub(crate) hub: FaultProxy,
    /// In front of the InfluxDB.
    pub(crate) influx: FaultProxy,
    /// In front of the broker.
    pub(crate) broker: FaultProxy,
    lines: LineFake,
    /// What the broker handed to a subscriber whose session it keeps, in order.
    received: Arc<Mutex<Vec<String>>>,
    _broker: Mosquitto,
}

impl Destinations {
    /// Starts them; the hub runs already at `hub`.
    pub(crate) fn start(hub: u16) -> Self {
        let (lines, broker) = (LineFake::start(), Mosquitto::start());
        let received = collect(broker.port);
        Self {
            hub: FaultProxy::start(hub),
            influx: FaultProxy::start(lines.port),
            broker: FaultProxy::start(broker.port),
            lines,
            received,
            _broker: broker,
        }
    }

    /// Lets one after the other fail for a while, until `stop`; then all are well. Returns how often.
    pub(crate) fn fail_at_random(&self, mut random: fastrand::Rng, stop: &AtomicBool) -> usize {
        let mut failures = 0;
        while !stop.load(Ordering::SeqCst) {
            let (proxy, faults) = match random.u8(0..3) {
                0 => (&self.hub, &HTTP_FAULTS[..]),
                1 => (&self.influx, &HTTP_FAULTS[..]),
                _ => (&self.broker, &MQTT_FAULTS[..]),
            };
            proxy.set(faults[random.usize(0..faults.len())].clone());
            std::thread::sleep(Duration::from_millis(random.u64(100..1500)));
            proxy.set(Mode::Pass);
            std::thread::sleep(Duration::from_millis(random.u64(0..400)));
            failures += 1;
        }
        failures
    }

    /// Lets each of them fail until `is_logged` says that the box has written a failed exchange with it down; then all are well.
    ///
    /// Whether one of the random failures meets an exchange is chance.
    pub(crate) fn fail_until(&self, is_logged: impl Fn(&str) -> bool) {
        self.hub.set(Mode::Stall);
        self.influx.set(Mode::Stall);
        // A connection passes on 20 bytes of answers, so more records must wait than it can acknowledge.
        self.broker.set(Mode::Cut);
        for sink in ["park", "history"] {
            eventually(&format!("a failure of {sink} in the log"), FAILING, || is_logged(sink).then_some(()));
        }
        self.broker.set(Mode::CloseHalfway);
        eventually("a failure of copies in the log", FAILING, || is_logged("copies").then_some(()));
        for proxy in [&self.hub, &self.influx, &self.broker] {
            proxy.set(Mode::Pass);
        }
    }

    /// Waits until the InfluxDB and the broker's subscriber hold every record that `log` returns.
    pub(crate) fn wait_for(&self, log: impl Fn() -> Vec<Value>) {
        eventually("the destinations to have every record", Duration::from_secs(90), || {
            self.has_all(&log()).then_some(())
        });
    }

    /// Says whether the InfluxDB and the broker's subscriber hold the last record of a log.
    pub(crate) fn has_all(&self, log: &[Value]) -> bool {
        let Some(last) = log.last() else { return false };
        let (key, revision) = (key(last, &last["kpis"][0]), format!("{}i", last["revision"]));
        let has_point = self.lines.points().get(&key).is_some_and(|fields| fields["revision"] == revision);
        let received = self.received.lock().unwrap();
        has_point && received.iter().rev().any(|text| serde_json::from_str::<Value>(text).unwrap() == *last)
    }

    /// Compares what the InfluxDB and the broker's subscriber hold with the box's log.
    pub(crate) fn compare(&self, log: &[Value]) {
        self.compare_points(log);
        self.compare_messages(log);
    }

    /// Each KPI of each window once, as last revised, and nothing else.
    fn compare_points(&self, log: &[Value]) {
        assert_eq!(self.lines.refused(), Vec::<String>::new(), "no line is malformed");
        let mut expected: BTreeMap<String, [Option<String>; 2]> = BTreeMap::new();
        let mut values: BTreeMap<String, f64> = BTreeMap::new();
        for record in log {
            for kpi in record["kpis"].as_array().unwrap() {
                let reason = format!("\"{}\"", kpi["reason"].as_str().unwrap_or_default());
                expected.insert(key(record, kpi), [Some(format!("{}i", record["revision"])), Some(reason)]);
                if let Some(value) = kpi["value"].as_f64() {
                    values.insert(key(record, kpi), value);
                }
            }
        }
        let points = self.lines.points();
        let held: BTreeMap<String, [Option<String>; 2]> = points
            .iter()
            .map(|(key, fields)| (key.clone(), [fields.get("revision").cloned(), fields.get("reason").cloned()]))
            .collect();
        assert_eq!(held, expected, "the InfluxDB holds each KPI of each window once, as last revised");
        let held: BTreeMap<String, f64> = points
            .iter()
            .filter_map(|(key, fields)| Some((key.clone(), fields.get("value")?.parse().unwrap())))
            .collect();
        assert_eq!(held, values, "values are those of the log, digit for digit");
        assert!(self.lines.writes() >= points.len());
    }

    /// Each record once in effect: repetitions are the same bytes, and the order of first arrivals is the log's.
    fn compare_messages(&self, log: &[Value]) {
        let received = self.received.lock().unwrap();
        let mut seen = BTreeSet::new();
        let first: Vec<Value> = received
            .iter()
            .filter(|text| seen.insert(text.as_str()))
            .map(|text| serde_json::from_str(text).unwrap())
            .collect();
        assert_eq!(first.len(), log.len(), "the subscriber holds each record of the log once");
        for (position, (message, record)) in first.iter().zip(log).enumerate() {
            assert_eq!(message, record, "message {position} is record {position} of the log");
        }
    }
}

/// The point of a KPI: series and time.
fn key(record: &Value, kpi: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let start: parkgate::model::time::Timestamp = text(&record["window"]["start"]).parse().unwrap();
    format!(
        "kpi,asset={},grain={},kpi={},site={} {}",
        text(&record["asset"]),
        text(&record["grain"]),
        text(&kpi["kpi"]),
        text(&record["site"]),
        start.0
    )
}

/// Subscribes with a session that the broker keeps, and collects every payload in the order of its arrival.
fn collect(port: u16) -> Arc<Mutex<Vec<String>>> {
    let received = Arc::new(Mutex::new(Vec::new()));
    let mut options = rumqttc::MqttOptions::new("collector", "127.0.0.1", port);
    options.set_max_packet_size(1 << 21, 1 << 21).set_clean_session(false);
    let (client, mut connection) = rumqttc::Client::new(options, 10);
    client.subscribe("parkgate/#", rumqttc::QoS::AtLeastOnce).unwrap();
    let (ready, subscribed) = std::sync::mpsc::channel();
    let collected = Arc::clone(&received);
    std::thread::spawn(move || {
        let _client = client;
        for event in connection.iter() {
            match event {
                Ok(rumqttc::Event::Incoming(rumqttc::Packet::Publish(publish))) => {
                    collected.lock().unwrap().push(String::from_utf8(publish.payload.to_vec()).unwrap());
                }
                Ok(rumqttc::Event::Incoming(rumqttc::Packet::SubAck(_))) => ready.send(()).unwrap(),
                Ok(_) => {}
                Err(_) => return,
            }
        }
    });
    subscribed.recv_timeout(Duration::from_secs(30)).expect("the broker takes the subscription");
    received
}
