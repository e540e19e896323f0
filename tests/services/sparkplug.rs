//! The Sparkplug host against an edge node that others wrote (pysparkplug) on Mosquitto: births, aliases, history, deaths
//! by `kill -9`, rebirths, the host's own state; and the same edge node in front of `parkgate run`.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use parkgate::model::id::GatewayId;
use parkgate::model::number::Number;
use parkgate::model::problem::Problems;
use parkgate::model::sample::{Quality, Sample, SampleBatch};
use parkgate::model::state::MachineState;
use parkgate::model::tag::{SourceIndex, TagSpec};
use parkgate::model::time::Timestamp;
use parkgate::runtime::clock::Clock;
use parkgate::runtime::health::Health;
use parkgate::sources::mqtt::config::MqttSource;
use parkgate::sources::mqtt::subscribe::{MqttError, Subscriber, run};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::harness::{Mosquitto, Publisher, eventually, program};
use crate::plant::{EdgeBox, PlantTime, SPEED, closed_figure};

const WAIT: Duration = Duration::from_secs(30);
const STATE: &str = "spBv1.0/STATE/park";
const REBIRTH: &str = "spBv1.0/plant-1/NCMD/edge 1";

/// The edge node `edge 1` of `plant-1` with device `press 1`, as a process.
struct EdgeNode {
    child: Child,
    answers: BufReader<ChildStdout>,
}

impl EdgeNode {
    /// Starts it; it has given its births when this returns.
    fn start(port: u16, session: u32, now: Timestamp, speed: f64) -> Self {
        let real = self::now();
        let mut child = Command::new(program("PARKGATE_TEST_SPARKPLUG_PYTHON", "python3"))
            .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/services/sparkplug_edge.py"))
            .args([port.to_string(), session.to_string(), now.0.to_string(), real.0.to_string(), format!("{speed:.1}")])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("python starts");
        let answers = BufReader::new(child.stdout.take().unwrap());
        let mut edge = Self { child, answers };
        assert_eq!(edge.answer(), "ready", "tests/run installs pysparkplug");
        edge
    }

    fn tell(&mut self, command: &str) -> String {
        writeln!(self.child.stdin.as_mut().unwrap(), "{command}").unwrap();
        self.answer()
    }

    fn does(&mut self, command: &str) {
        assert_eq!(self.tell(command), "ok", "{command}");
    }

    fn rebirths(&mut self) -> u32 {
        self.tell("rebirths").parse().unwrap()
    }

    fn answer(&mut self) -> String {
        let mut answer = String::new();
        self.answers.read_line(&mut answer).unwrap();
        answer.trim_end().to_owned()
    }

    /// `kill -9`: the broker speaks for it.
    fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for EdgeNode {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Hears everything at a broker: topic, text of the payload, whether it was retained.
struct Ear {
    heard: mpsc::Receiver<(String, String, bool)>,
    _client: rumqttc::Client,
}

impl Ear {
    fn at(port: u16, filter: &str) -> Self {
        let mut options = rumqttc::MqttOptions::new(format!("ear-{}", fastrand::u32(..)), "127.0.0.1", port);
        options.set_max_packet_size(1 << 20, 1 << 20);
        let (client, mut connection) = rumqttc::Client::new(options, 16);
        client.subscribe(filter, rumqttc::QoS::AtLeastOnce).unwrap();
        let (sender, heard) = mpsc::sync_channel(100_000);
        std::thread::spawn(move || {
            for event in connection.iter() {
                let Ok(event) = event else { return };
                if let rumqttc::Event::Incoming(rumqttc::Packet::Publish(publish)) = event {
                    let text = String::from_utf8_lossy(&publish.payload).into_owned();
                    if sender.send((publish.topic, text, publish.retain)).is_err() {
                        return;
                    }
                }
            }
        });
        Self { heard, _client: client }
    }

    /// The next message.
    fn next(&self) -> (String, String, bool) {
        self.heard.recv_timeout(WAIT).expect("a message in time")
    }

    /// Topics of everything heard so far.
    fn topics(&self) -> Vec<String> {
        self.heard.try_iter().map(|(topic, ..)| topic).collect()
    }
}

/// What the broker keeps as the host's state.
fn kept_state(port: u16) -> serde_json::Value {
    let (topic, text, retained) = Ear::at(port, STATE).next();
    assert_eq!((topic.as_str(), retained), (STATE, true));
    serde_json::from_str(&text).unwrap()
}

/// A running source.
struct Source {
    inbox: tokio::sync::mpsc::Receiver<SampleBatch>,
    committed: watch::Sender<u64>,
    health: Health,
    tags: Vec<TagSpec>,
    token: CancellationToken,
    running: JoinHandle<Result<(), MqttError>>,
}

impl Source {
    fn start(port: u16, version: u16) -> Self {
        let config: MqttSource = toml::from_str(&format!(
            r#"
            name = "line"
            url = "mqtt://127.0.0.1:{port}"
            version = {version}
            topic = [{{ filter = "spBv1.0/plant-1/#", format = "sparkplug_b" }}]
            point = [
              {{ name = "press.state", edge_node = "edge 1", device = "press 1", metric = "State", states = {{ run = "producing" }} }},
              {{ name = "press.temperature", edge_node = "edge 1", device = "press 1", metric = "Temperature", unit = "Cel" }},
              {{ name = "press.total", edge_node = "edge 1", device = "press 1", metric = "Counters/Total", kind = "counter" }},
            ]
            sparkplug = {{ host_id = "park", rebirth = true, reorder = "300ms" }}
            "#
        ))
        .unwrap();
        let mut problems = Problems::default();
        config.check(&mut problems);
        let tags = config.tags(SourceIndex(0), &mut problems);
        assert_eq!(problems, Problems::default());
        let (sender, inbox) = tokio::sync::mpsc::channel(64);
        let (committed, progress) = watch::channel(0);
        let (health, token) = (Health::default(), CancellationToken::new());
        let gateway = GatewayId::new("tt-0001").unwrap();
        let subscriber =
            Subscriber::new(&gateway, SourceIndex(0), config, &tags, Clock::system(), health.clone(), sender, progress);
        let running = tokio::spawn(run(subscriber, token.clone()));
        let source = Self { inbox, committed, health, tags, token, running };
        eventually("the subscriptions", WAIT, || (source.counted("granted") >= 2).then_some(()));
        source
    }

    fn counted(&self, what: &str) -> u64 {
        let board = self.health.snapshot();
        board.get("source.line").and_then(|component| component.counts.get(what)).copied().unwrap_or(0)
    }

    /// Receives until there are `count` samples.
    async fn receive(&mut self, count: usize) -> Vec<Sample> {
        let mut samples = Vec::new();
        while samples.len() < count {
            let batch = tokio::time::timeout(WAIT, self.inbox.recv()).await.expect("samples in time").unwrap();
            samples.extend(batch.samples);
            self.committed.send_replace(batch.delivery);
        }
        assert_eq!(samples.len(), count, "{samples:?}");
        samples
    }

    /// Last part of the tags' names, values and qualities, by name.
    fn told(&self, samples: &[Sample]) -> Vec<(String, Option<Number>, Quality)> {
        let name = |sample: &Sample| {
            self.tags[sample.tag.as_usize()].name.as_str().rsplit('.').next().unwrap_or_default().to_owned()
        };
        let mut told: Vec<_> = samples.iter().map(|sample| (name(sample), sample.value, sample.quality)).collect();
        told.sort_by(|a, b| a.0.cmp(&b.0));
        told
    }

    async fn stop(self) {
        self.token.cancel();
        tokio::time::timeout(WAIT, self.running).await.expect("stops in time").unwrap().unwrap();
    }
}

fn now() -> Timestamp {
    Clock::system().now()
}

fn told(name: &str, value: i128) -> (String, Option<Number>, Quality) {
    (name.to_owned(), Some(Number::Integer(value)), Quality::Good)
}

fn births(total: i128) -> Vec<(String, Option<Number>, Quality)> {
    vec![told("state", MachineState::Producing.code()), told("temperature", -5), told("total", total)]
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs mosquitto and pysparkplug; run by tests/run"]
async fn births_aliases_history_null_and_deaths_of_a_foreign_edge_node_are_understood() {
    for version in [5, 311] {
        let broker = Mosquitto::start();
        let mut source = Source::start(broker.port, version);
        let mut edge = EdgeNode::start(broker.port, 0, now(), 1.0);
        let samples = source.receive(3).await;
        assert_eq!(source.told(&samples), births(1000), "version {version}");

        edge.does("data,Counters/Total,18446744073709551615");
        let samples = source.receive(1).await;
        assert_eq!(source.told(&samples), [told("total", i128::from(u64::MAX))]);
        edge.does("data,Temperature,-32768");
        let samples = source.receive(1).await;
        assert_eq!(source.told(&samples), [told("temperature", -32_768)]);
        let present = samples[0].measured_at;
        edge.does("history,Temperature,7,60000");
        let samples = source.receive(1).await;
        assert!(samples[0].measured_at < present && samples[0].value == Some(Number::Integer(7)), "{samples:?}");
        edge.does("null,Temperature");
        let samples = source.receive(1).await;
        assert_eq!((samples[0].value, samples[0].quality), (None, Quality::DeclaredBad));

        edge.does("ddeath");
        let samples = source.receive(3).await;
        assert!(samples.iter().all(|sample| sample.quality == Quality::Stale && sample.value.is_none()), "{samples:?}");
        edge.does("birth");
        let samples = source.receive(3).await;
        assert_eq!(source.counted("edge_nodes_online"), 1);
        assert!(samples.iter().all(|sample| sample.quality == Quality::Good), "{samples:?}");

        // Nobody says goodbye: the broker does it for the edge node.
        let before = now();
        edge.kill();
        let samples = source.receive(3).await;
        assert!(samples.iter().all(|sample| sample.quality == Quality::Stale && sample.measured_at >= before));
        eventually("the edge node to be gone", WAIT, || (source.counted("edge_nodes_online") == 0).then_some(()));

        let mut edge = EdgeNode::start(broker.port, 1, now(), 1.0);
        let samples = source.receive(3).await;
        assert_eq!(source.told(&samples), births(1000), "version {version}");
        edge.does("leave");
        assert!(source.receive(3).await.iter().all(|sample| sample.quality == Quality::Stale));
        source.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs mosquitto and pysparkplug; run by tests/run"]
async fn a_lost_message_brings_one_rebirth_request_that_the_edge_node_understands() {
    let broker = Mosquitto::start();
    let ear = Ear::at(broker.port, "#");
    let mut source = Source::start(broker.port, 5);
    let mut edge = EdgeNode::start(broker.port, 0, now(), 1.0);
    source.receive(3).await;
    edge.does("skip");
    edge.does("data,Counters/Total,1001");
    // The value behind the gap after the reorder time, then all of the births.
    let samples = source.receive(4).await;
    let told = source.told(&samples);
    assert!(told.contains(&("total".to_owned(), Some(Number::Integer(1001)), Quality::Uncertain)), "{told:?}");
    assert!(births(1001).iter().all(|birth| told.contains(birth)), "{told:?}");
    assert_eq!(edge.rebirths(), 1);
    edge.does("data,Counters/Total,1002");
    let samples = source.receive(1).await;
    assert_eq!(source.told(&samples), [self::told("total", 1002)]);
    source.stop().await;
    // All that the host ever published: its state, coming and going, and one request.
    let spoken: Vec<String> = ear
        .topics()
        .into_iter()
        .filter(|topic| !["BIRTH/", "DATA/", "DEATH/"].iter().any(|kind| topic.contains(kind)))
        .collect();
    assert_eq!(spoken, [STATE, REBIRTH, STATE]);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs mosquitto and pysparkplug; run by tests/run"]
async fn a_host_that_comes_after_its_edge_node_asks_for_the_births_it_missed() {
    let broker = Mosquitto::start();
    let ear = Ear::at(broker.port, "spBv1.0/plant-1/DBIRTH/#");
    let mut edge = EdgeNode::start(broker.port, 0, now(), 1.0);
    ear.next();
    let mut source = Source::start(broker.port, 5);
    let samples = source.receive(3).await;
    assert_eq!((source.told(&samples), edge.rebirths()), (births(1000), 1));
    source.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs mosquitto; run by tests/run"]
async fn whoever_says_that_the_host_is_away_is_put_right() {
    let broker = Mosquitto::start();
    let source = Source::start(broker.port, 5);
    eventually("the state", WAIT, || kept_state(broker.port)["online"].as_bool().filter(|online| *online));
    let timestamp = kept_state(broker.port)["timestamp"].clone();
    Publisher::connect(broker.port, "liar").publish(STATE, r#"{"online":false,"timestamp":1}"#);
    eventually("the correction", WAIT, || (source.counted("state_put_right") == 1).then_some(()));
    eventually("the state", WAIT, || kept_state(broker.port)["online"].as_bool().filter(|online| *online));
    assert_eq!(kept_state(broker.port)["timestamp"], timestamp);
    source.stop().await;
    assert_eq!(kept_state(broker.port)["online"], false);
}

/// A box with one press behind the edge node.
fn configuration(broker: u16, data: &Path, port: u16) -> String {
    format!(
        r#"
[gateway]
id         = "box-1"
enterprise = "9900000016"
park       = "park-1"
site       = "site-1"
timezone   = "Asia/Ho_Chi_Minh"
data_dir   = "{data}"

[http]
listen = "127.0.0.1:{port}"

[[source]]
type  = "mqtt"
name  = "line"
url   = "mqtt://127.0.0.1:{broker}"
topic = [{{ filter = "spBv1.0/plant-1/#", format = "sparkplug_b" }}]
point = [
  {{ name = "press-1.state", edge_node = "edge 1", device = "press 1", metric = "State", states = {{ run = "producing", fault = "fault", idle = "idle" }} }},
  {{ name = "press-1.total", edge_node = "edge 1", device = "press 1", metric = "Counters/Total", kind = "counter", max_per_second = 10.0 }},
]
sparkplug = {{ host_id = "park", rebirth = true, reorder = "200ms" }}

[[asset]]
id     = "press-1"
level  = "site"
state  = "line.press-1.state"
total  = "line.press-1.total"
planned_run_time_per_unit = "1.5s"

[records]
grains = ["15min"]
"#,
        data = data.display()
    )
}

/// What the press says, by minute after the origin; in between it says nothing, and what it said stands.
const REPORTS: [(f64, &str); 6] = [
    (31.0, "data,State,run"),
    (33.0, "data,State,fault"),
    (36.0, "data,State,run"),
    (37.0, "data,Counters/Total,1150"),
    (41.0, "data,Counters/Total,1300"),
    (42.0, "data,State,idle"),
];

#[test]
#[ignore = "needs mosquitto and pysparkplug; run by tests/run"]
fn figures_of_a_box_rest_on_what_a_foreign_edge_node_reports_by_exception() {
    let broker = Mosquitto::start();
    let time = PlantTime::start();
    let mut edge = EdgeNode::start(broker.port, 0, time.now(), SPEED);
    let mut edge_box = EdgeBox::with(|data, port| configuration(broker.port, data, port));
    edge_box.start(time);
    // It came after the births and asks for them.
    let online = || edge_box.component("source.line")["counts"]["edge_nodes_online"].as_u64();
    eventually("the births", WAIT, || online().filter(|online| *online == 1));
    assert_eq!(kept_state(broker.port)["online"], true);
    assert_eq!(edge.rebirths(), 1);
    for (minute, report) in REPORTS {
        time.wait_until(minute);
        edge.does(report);
    }
    // The box's clock starts some minutes late, and a death carries its time.
    time.wait_until(52.0);
    edge.kill();
    // Producing from 30 to 33 and from 36 to 42, at fault from 33 to 36, idle from 42 to 45: APT 9 min of 15 min.
    let scope = "asset:site-1/press-1";
    let availability = closed_figure(edge_box.port, scope, "availability", "15min", 30..45);
    near(&availability, 0.6);
    assert_eq!(availability["value"]["coverage"], 1.0, "{availability}");
    // 300 parts of 1.5 s in 9 min.
    near(&closed_figure(edge_box.port, scope, "effectiveness", "15min", 30..45), 450.0 / 540.0);
    // After the death nothing is known, and nothing is held.
    let after = closed_figure(edge_box.port, scope, "availability", "15min", 45..60);
    let no_data = after["facts"]["no_data_ms"].as_i64().unwrap();
    assert!(no_data > 7 * 60_000, "{after}");

    // Killed the hard way, the broker says that the host is gone; stopped in the ordinary way, it says so itself.
    edge_box.kill();
    eventually("the will", WAIT, || (kept_state(broker.port)["online"] == false).then_some(()));
    edge_box.start(time);
    eventually("the state", WAIT, || (kept_state(broker.port)["online"] == true).then_some(()));
    let started = Instant::now();
    assert_eq!(edge_box.stop(), Some(0), "{}", edge_box.log());
    assert_eq!(kept_state(broker.port)["online"], false, "after {:?}", started.elapsed());
}

fn near(figure: &serde_json::Value, expected: f64) {
    let found = figure["value"]["value"].as_f64().unwrap_or_else(|| panic!("no value: {figure}"));
    // The reports carry the instants at which they were really sent, a few plant seconds after the minute.
    assert!((found - expected).abs() < 0.02, "{found} is not {expected}: {figure}");
}
