//! The MQTT sink against Mosquitto: restarts that lose everything, cut connections, answers that never come.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use parkgate::model::fact::Facts;
use parkgate::model::id::{AssetId, Digest, GatewayId, SiteId};
use parkgate::model::record::{ClockState, Level, WindowRecord};
use parkgate::model::time::{Grain, Timestamp, Window};
use parkgate::model::unit::ProductUnit;
use parkgate::runtime::clock::Clock;
use parkgate::runtime::health::Health;
use parkgate::sinks::mqtt::{MqttError, run};
use parkgate::store::{Commit, Store};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::fault_proxy::{FaultProxy, Mode};
use crate::harness::{Mosquitto, eventually};

const WAIT: Duration = Duration::from_secs(60);

fn record(number: u32) -> WindowRecord {
    WindowRecord {
        asset: AssetId::new(&format!("press-{number:04}")).unwrap(),
        site: SiteId::new("tt-main").unwrap(),
        level: Level::Unit,
        grain: Grain::Hour,
        window: Window { start: Timestamp(0), end: Timestamp(3_600_000) },
        revision: 1,
        facts: Facts::default(),
        product_unit: ProductUnit::Piece,
        kpis: Vec::new(),
        config: Digest::ZERO,
        clock: ClockState::Synchronised,
        calendar: None,
        inputs_digest: Digest::ZERO,
    }
}

/// A store and the sink that forwards its log.
struct Sink {
    store: Store,
    wake: watch::Sender<u64>,
    token: CancellationToken,
    running: JoinHandle<Result<(), MqttError>>,
}

impl Sink {
    fn start(port: u16, version: u16) -> Self {
        let text = format!(
            "name = \"floor\"\nurl = \"mqtt://127.0.0.1:{port}\"\nversion = {version}\nretain = true\ntimeout = \"1s\""
        );
        let store = Store::open_in_memory(&[], Digest::ZERO, "").unwrap();
        let (wake, token) = (watch::Sender::new(0), CancellationToken::new());
        let running = tokio::spawn(run(
            toml::from_str(&text).unwrap(),
            GatewayId::new("tt-0042").unwrap(),
            store.reader(),
            Arc::new(Mutex::new(store.cursors().unwrap())),
            wake.subscribe(),
            Clock::system(),
            Health::default(),
            token.clone(),
        ));
        Self { store, wake, token, running }
    }

    fn commit(&mut self, records: std::ops::Range<u32>) {
        let records: Vec<WindowRecord> = records.map(record).collect();
        let seq = self.store.commit(&Commit { records: &records, ..Commit::default() }).unwrap();
        self.wake.send_replace(seq);
    }

    fn delivered(&self) -> u64 {
        self.store.reader().cursor("floor").unwrap()
    }

    fn until_delivered(&self, count: u64) {
        eventually("every record acknowledged", WAIT, || (self.delivered() == count).then_some(()));
    }

    async fn stop(self) {
        self.token.cancel();
        tokio::time::timeout(WAIT, self.running).await.expect("stops in time").unwrap().unwrap();
    }
}

/// Reads what the broker keeps: the newest record of each topic, until `count` are there.
fn kept(port: u16, count: usize) -> BTreeSet<String> {
    // The reader's client has a runtime of its own.
    std::thread::spawn(move || read_kept(port, count)).join().unwrap()
}

fn read_kept(port: u16, count: usize) -> BTreeSet<String> {
    let mut options = rumqttc::MqttOptions::new("reader", "127.0.0.1", port);
    options.set_max_packet_size(1 << 20, 1 << 20);
    let (client, mut connection) = rumqttc::Client::new(options, 10);
    client.subscribe("parkgate/#", rumqttc::QoS::AtLeastOnce).unwrap();
    let mut found = BTreeMap::new();
    for event in connection.iter() {
        if let rumqttc::Event::Incoming(rumqttc::Packet::Publish(publish)) = event.unwrap() {
            let record: WindowRecord = serde_json::from_slice(&publish.payload).unwrap();
            found.insert(publish.topic, record.asset.to_string());
        }
        if found.len() == count {
            break;
        }
    }
    found.into_values().collect()
}

fn assets(range: std::ops::Range<u32>) -> BTreeSet<String> {
    range.map(|number| record(number).asset.to_string()).collect()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs mosquitto; run by tests/run"]
async fn what_a_broker_acknowledged_is_delivered_and_the_rest_comes_after_its_restart() {
    for version in [5, 311] {
        let mut broker = Mosquitto::start();
        let mut sink = Sink::start(broker.port, version);
        sink.commit(0..150);
        sink.until_delivered(150);
        broker.stop();
        sink.commit(150..400);
        broker.start_again();
        sink.until_delivered(400);
        assert_eq!(kept(broker.port, 400), assets(0..400), "version {version}");
        sink.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs mosquitto; run by tests/run"]
async fn an_answer_that_never_comes_moves_no_cursor_and_loses_no_record() {
    for version in [5, 311] {
        let broker = Mosquitto::start();
        let proxy = FaultProxy::start(broker.port);
        let mut sink = Sink::start(proxy.port, version);
        sink.commit(0..10);
        sink.until_delivered(10);
        for (round, mode) in [Mode::Stall, Mode::CloseHalfway, Mode::Cut].into_iter().enumerate() {
            let before = sink.delivered();
            let from = u32::try_from(before).unwrap();
            proxy.set(mode.clone());
            let connections = proxy.connections();
            sink.commit(from..from + 120);
            eventually("an attempt while it fails", WAIT, || (proxy.connections() > connections).then_some(()));
            assert_eq!(sink.delivered(), before, "round {round}: {mode:?}");
            proxy.set(Mode::Pass);
            sink.until_delivered(before + 120);
        }
        assert_eq!(kept(broker.port, 370), assets(0..370), "version {version}");
        sink.stop().await;
    }
}
