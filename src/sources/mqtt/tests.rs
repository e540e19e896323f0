//! The session against the embedded broker, through a link that a test can cut.

mod broker;
mod faults;

use std::net::SocketAddr;
use std::time::Duration;

use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::{AsyncClient, MqttOptions};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::config::MqttSource;
use super::subscribe::{MqttError, Subscriber, run};
use crate::model::id::GatewayId;
use crate::model::number::Number;
use crate::model::problem::Problems;
use crate::model::sample::{Quality, Sample, SampleBatch};
use crate::model::tag::{SourceIndex, TagIndex};
use crate::model::time::Timestamp;
use crate::runtime::clock::Clock;
use crate::runtime::health::{Health, Status};
use crate::simulator::broker::{Broker, free_address};

/// Longest real wait for anything; reached only when a test fails.
const WAIT: Duration = Duration::from_secs(10);

/// A link between source and broker that can be cut and repaired.
struct Cable {
    address: SocketAddr,
    broker: watch::Sender<Option<SocketAddr>>,
}

impl Cable {
    #[expect(clippy::disallowed_methods, reason = "a test's own traffic")]
    async fn to(broker: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (sender, receiver) = watch::channel(Some(broker));
        tokio::spawn(async move {
            while let Ok((mut near, _)) = listener.accept().await {
                let mut cut = receiver.clone();
                tokio::spawn(async move {
                    let target = *cut.borrow_and_update();
                    let Some(target) = target else { return };
                    let Ok(mut far) = TcpStream::connect(target).await else { return };
                    tokio::select! {
                        _ = tokio::io::copy_bidirectional(&mut near, &mut far) => {}
                        _ = cut.changed() => {}
                    }
                });
            }
        });
        Self { address, broker: sender }
    }

    fn cut(&self) -> SocketAddr {
        self.broker.send_replace(None).unwrap()
    }

    fn repair(&self, broker: SocketAddr) {
        self.broker.send_replace(Some(broker));
    }
}

/// A running source and what it is wired to.
struct Bench {
    inbox: mpsc::Receiver<SampleBatch>,
    committed: watch::Sender<u64>,
    health: Health,
    token: CancellationToken,
    running: JoinHandle<Result<(), MqttError>>,
}

impl Bench {
    fn start(broker: SocketAddr, version: u16) -> Self {
        Self::with(broker, &format!("version = {version}"), 64)
    }

    /// Starts it with further keys, and room for so many batches in front of the pipeline.
    #[expect(clippy::disallowed_methods, reason = "the source under test")]
    fn with(broker: SocketAddr, keys: &str, batches: usize) -> Self {
        let text = format!(
            r#"
            name = "floor"
            url = "mqtt://{broker}"
            {keys}
            topic = [{{ filter = "floor/{{device}}/{{point}}", format = "json", value = "$.v", time = "$.ts" }}]
            point = [{{ name = "press-1.total", kind = "counter" }}]
            "#
        );
        let config: MqttSource = toml::from_str(&text).unwrap();
        let tags = config.tags(SourceIndex(0), &mut Problems::default());
        let (sender, inbox) = mpsc::channel(batches);
        let (committed, progress) = watch::channel(0);
        let (health, token) = (Health::default(), CancellationToken::new());
        let subscriber = Subscriber::new(
            &GatewayId::new(&format!("gw-{}", broker.port())).unwrap(),
            SourceIndex(0),
            config,
            &tags,
            Clock::manual(Timestamp(0)),
            health.clone(),
            sender,
            progress,
        )
        .reconnecting(Duration::from_millis(50), Duration::from_millis(200));
        let running = tokio::spawn(run(subscriber, token.clone()));
        Self { inbox, committed, health, token, running }
    }

    /// Receives batches until `count` samples are there; returns the samples and the last delivery number.
    async fn receive(&mut self, count: usize) -> (Vec<Sample>, u64) {
        let mut samples = Vec::new();
        let mut delivery = 0;
        while samples.len() < count {
            let batch = tokio::time::timeout(WAIT, self.inbox.recv()).await.expect("samples in time").unwrap();
            samples.extend(batch.samples);
            delivery = batch.delivery;
        }
        (samples, delivery)
    }

    fn counted(&self, what: &str) -> u64 {
        let board = self.health.snapshot();
        board.get("source.floor").and_then(|component| component.counts.get(what)).copied().unwrap_or(0)
    }

    fn status(&self) -> Status {
        self.health.snapshot()["source.floor"].status
    }

    /// Waits until the board shows it: the board has no event of its own.
    async fn until(&self, what: &str, holds: impl Fn(&Self) -> bool) {
        let looking = async {
            while !holds(self) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        if tokio::time::timeout(WAIT, looking).await.is_err() {
            panic!("{what} did not come: {:?}", self.health.snapshot());
        }
    }

    async fn stop(self) {
        self.token.cancel();
        tokio::time::timeout(WAIT, self.running).await.expect("stops in time").unwrap().unwrap();
    }
}

/// A device that publishes with quality of service 1.
struct Device(AsyncClient);

impl Device {
    #[expect(clippy::disallowed_methods, reason = "a test's own traffic")]
    fn at(broker: SocketAddr) -> Self {
        let options = MqttOptions::new("device", "127.0.0.1", broker.port());
        let (client, mut connection) = AsyncClient::new(options, 64);
        tokio::spawn(async move { while connection.poll().await.is_ok() {} });
        Self(client)
    }

    async fn publish(&self, topic: &str, payload: String) {
        self.0.publish(topic, QoS::AtLeastOnce, false, payload).await.unwrap();
    }

    async fn totals(&self, totals: std::ops::Range<i64>) {
        for total in totals {
            let payload = format!(r#"{{"v":{total},"ts":{}}}"#, 1_790_000_000_000_i64 + total);
            self.publish("floor/press-1/total", payload).await;
        }
    }
}

fn values(samples: &[Sample]) -> Vec<i128> {
    let value = |sample: &Sample| match sample.value {
        Some(Number::Integer(value)) => value,
        other => panic!("{other:?}"),
    };
    samples.iter().map(value).collect()
}

#[tokio::test]
async fn messages_become_samples_and_are_acknowledged_after_the_commit() {
    let broker = Broker::start().await.unwrap();
    for (version, address) in [(5, broker.v5), (311, broker.v311)] {
        let mut bench = Bench::start(address, version);
        bench.until("the subscription", |bench| bench.counted("granted") == 1).await;
        // The retained log of the broker replays nothing to a fresh subscription.
        let device = Device::at(broker.v5);
        device.totals(0..50).await;
        let (samples, delivery) = bench.receive(50).await;
        assert_eq!(values(&samples), (0..50).collect::<Vec<i128>>());
        assert_eq!(
            (samples[7].tag, samples[7].measured_at, samples[7].quality),
            (TagIndex(0), Timestamp(1_790_000_000_007), Quality::Good)
        );
        assert_eq!(bench.counted("acknowledged"), 0);
        bench.committed.send_replace(delivery);
        bench.until("acknowledgement", |bench| bench.counted("acknowledged") == 50).await;
        bench.stop().await;
    }
}

#[tokio::test]
async fn what_was_not_committed_comes_again_after_a_lost_connection() {
    let broker = Broker::start().await.unwrap();
    let cable = Cable::to(broker.v5).await;
    let mut bench = Bench::start(cable.address, 5);
    bench.until("the subscription", |bench| bench.counted("granted") == 1).await;
    let device = Device::at(broker.v5);
    device.totals(0..10).await;
    let (_, delivery) = bench.receive(10).await;

    cable.cut();
    bench.until("the loss", |bench| bench.status() == Status::Degraded).await;
    assert_eq!(bench.counted("stale_acknowledgements"), 10);
    // This commit allows no acknowledgement: the packet ids belong to the connection that is gone.
    bench.committed.send_replace(delivery);
    device.totals(10..15).await;
    cable.repair(broker.v5);

    // The embedded broker sends again under fresh packet ids, so the messages are taken again; the engine drops
    // them by their identity (tag, event time). A broker that keeps the ids is tested with Mosquitto.
    let (samples, delivery) = bench.receive(15).await;
    assert_eq!(values(&samples), (0..15).collect::<Vec<i128>>());
    assert_eq!(bench.counted("acknowledged"), 0);
    bench.committed.send_replace(delivery);
    bench.until("acknowledgement", |bench| bench.counted("acknowledged") == 15).await;

    // Acknowledged is gone: the farewell follows the acknowledgements, and the next session gets only what is fresh.
    bench.stop().await;
    device.totals(15..17).await;
    let mut bench = Bench::start(cable.address, 5);
    let (samples, _) = bench.receive(2).await;
    assert_eq!(values(&samples), [15, 16]);
    bench.stop().await;
}

#[tokio::test]
async fn an_unreadable_payload_is_acknowledged_counted_and_shown() {
    let broker = Broker::start().await.unwrap();
    let mut bench = Bench::start(broker.v5, 5);
    bench.until("the subscription", |bench| bench.counted("granted") == 1).await;
    let device = Device::at(broker.v5);
    device.publish("floor/press-1/total", "\u{1}not json".to_owned()).await;
    device.publish("floor/press-9/total", "{}".to_owned()).await;
    bench.until("acknowledgement", |bench| bench.counted("acknowledged") == 2).await;
    device.totals(1..2).await;
    let (samples, delivery) = bench.receive(1).await;
    assert_eq!((values(&samples), delivery), (vec![1], 1));
    assert_eq!((bench.counted("refused_not_json"), bench.counted("unmapped")), (1, 1));
    let detail = bench.health.snapshot()["source.floor"].detail.clone();
    assert!(detail.contains(r"\x01not json") && detail.contains("press-9.total"), "{detail}");
    bench.stop().await;
}

#[tokio::test]
async fn a_broker_that_forgot_everything_is_subscribed_anew() {
    let first = Broker::start().await.unwrap();
    let cable = Cable::to(first.v5).await;
    let mut bench = Bench::start(cable.address, 5);
    bench.until("the subscription", |bench| bench.counted("granted") == 1).await;
    let second = Broker::start().await.unwrap();
    cable.cut();
    bench.until("the loss", |bench| bench.status() == Status::Degraded).await;
    cable.repair(second.v5);
    bench.until("the subscription", |bench| bench.counted("granted") == 2).await;
    Device::at(second.v5).totals(3..5).await;
    let (samples, _) = bench.receive(2).await;
    assert_eq!(values(&samples), [3, 4]);
    bench.stop().await;
}

#[tokio::test]
async fn a_stop_waits_for_the_commit_of_what_was_handed_over() {
    let broker = Broker::start().await.unwrap();
    let mut bench = Bench::start(broker.v5, 5);
    bench.until("the subscription", |bench| bench.counted("granted") == 1).await;
    Device::at(broker.v5).totals(0..3).await;
    let (_, delivery) = bench.receive(3).await;
    bench.token.cancel();
    bench.committed.send_replace(delivery);
    bench.until("acknowledgement", |bench| bench.counted("acknowledged") == 3).await;
    bench.stop().await;
}

#[tokio::test]
async fn a_broker_that_is_away_is_no_error() {
    let bench = Bench::start(free_address().unwrap(), 311);
    bench.until("the report", |bench| bench.health.snapshot().contains_key("source.floor")).await;
    assert_eq!(bench.status(), Status::Degraded);
    bench.stop().await;
}
