//! The MQTT source against Mosquitto: persistent sessions, redelivery, restarts; MQTT 5 and 3.1.1.

use std::time::Duration;

use parkgate::model::id::GatewayId;
use parkgate::model::number::Number;
use parkgate::model::problem::Problems;
use parkgate::model::sample::SampleBatch;
use parkgate::model::tag::SourceIndex;
use parkgate::runtime::clock::Clock;
use parkgate::runtime::health::{Health, Status};
use parkgate::sources::mqtt::config::MqttSource;
use parkgate::sources::mqtt::subscribe::{MqttError, Subscriber, run};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::fault_proxy::{FaultProxy, Mode};
use crate::harness::{Mosquitto, Publisher, eventually};

const WAIT: Duration = Duration::from_secs(30);

/// A running source. Its messages carry no event time, so that a message taken twice would show as two samples.
struct Source {
    inbox: mpsc::Receiver<SampleBatch>,
    committed: watch::Sender<u64>,
    health: Health,
    token: CancellationToken,
    running: JoinHandle<Result<(), MqttError>>,
}

impl Source {
    fn start(port: u16, version: u16) -> Self {
        Self::reading(port, version, "parkgate-test", "floor/{device}/{point}")
    }

    /// Starts one with an identifier and a filter of its own.
    fn reading(port: u16, version: u16, client_id: &str, filter: &str) -> Self {
        let config: MqttSource = toml::from_str(&format!(
            r#"
            name = "floor"
            url = "mqtt://127.0.0.1:{port}"
            version = {version}
            client_id = "{client_id}"
            topic = [{{ filter = "{filter}", format = "plain" }}]
            point = [{{ name = "press-1.total", kind = "counter" }}]
            "#
        ))
        .unwrap();
        let tags = config.tags(SourceIndex(0), &mut Problems::default());
        let (sender, inbox) = mpsc::channel(64);
        let (committed, progress) = watch::channel(0);
        let (health, token) = (Health::default(), CancellationToken::new());
        let gateway = GatewayId::new("tt-0001").unwrap();
        let clock = Clock::system();
        let subscriber =
            Subscriber::new(&gateway, SourceIndex(0), config, &tags, clock, health.clone(), sender, progress);
        let running = tokio::spawn(run(subscriber, token.clone()));
        let source = Self { inbox, committed, health, token, running };
        source.until("the subscription", |source| source.counted("granted") >= 1);
        source
    }

    /// Receives batches until `count` samples are there; returns their values and the last delivery.
    async fn receive(&mut self, count: usize) -> (Vec<i128>, u64) {
        let mut values = Vec::new();
        let mut delivery = 0;
        while values.len() < count {
            let batch = tokio::time::timeout(WAIT, self.inbox.recv()).await.expect("samples in time").unwrap();
            values.extend(batch.samples.iter().map(|sample| match sample.value {
                Some(Number::Integer(value)) => value,
                other => panic!("{other:?}"),
            }));
            delivery = batch.delivery;
        }
        (values, delivery)
    }

    async fn receive_and_commit(&mut self, count: usize) -> Vec<i128> {
        let mut values = Vec::new();
        while values.len() < count {
            let (some, delivery) = self.receive(1).await;
            values.extend(some);
            self.committed.send_replace(delivery);
        }
        values
    }

    fn counted(&self, what: &str) -> u64 {
        let board = self.health.snapshot();
        board.get("source.floor").and_then(|component| component.counts.get(what)).copied().unwrap_or(0)
    }

    fn status(&self) -> Status {
        self.health.snapshot()["source.floor"].status
    }

    fn until(&self, what: &str, holds: impl Fn(&Self) -> bool) {
        eventually(what, WAIT, || holds(self).then_some(()));
    }

    async fn stop(self) {
        self.token.cancel();
        tokio::time::timeout(WAIT, self.running).await.expect("stops in time").unwrap().unwrap();
    }
}

fn totals(range: std::ops::Range<u32>) -> Vec<(String, String)> {
    range.map(|total| ("floor/press-1/total".to_owned(), total.to_string())).collect()
}

fn numbers(range: std::ops::Range<i128>) -> Vec<i128> {
    range.collect()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs mosquitto; run by tests/run"]
async fn what_is_sent_again_is_acknowledged_after_the_commit_and_counted_once() {
    for version in [5, 311] {
        let broker = Mosquitto::start();
        let proxy = FaultProxy::start(broker.port);
        let mut source = Source::start(proxy.port, version);
        let publisher = Publisher::connect(broker.port, "press");
        publisher.publish_all(&totals(0..10));
        let (values, delivery) = source.receive(10).await;
        assert_eq!(values, numbers(0..10));

        // Lost before the commit: the broker sends all ten again, under their packet ids.
        proxy.set(Mode::Cut);
        source.until("the loss", |source| source.status() == Status::Degraded);
        proxy.set(Mode::Pass);
        source.until("ten messages again", |source| source.counted("sent_again") == 10);
        assert_eq!(source.counted("acknowledged"), 0);
        source.committed.send_replace(delivery);
        source.until("acknowledgement", |source| source.counted("acknowledged") == 10);

        // Cut once more, perhaps before the broker has read the acknowledgements: only what is fresh gives samples.
        proxy.set(Mode::Cut);
        source.until("the loss", |source| source.status() == Status::Degraded);
        publisher.publish_all(&totals(10..12));
        proxy.set(Mode::Pass);
        assert_eq!(source.receive_and_commit(2).await, [10, 11], "version {version}");
        source.stop().await;

        // The broker holds nothing back for a process that remembers nothing.
        let mut source = Source::start(broker.port, version);
        publisher.publish_all(&totals(12..13));
        assert_eq!(source.receive_and_commit(1).await, [12], "version {version}");
        source.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs mosquitto; run by tests/run"]
async fn messages_sent_while_the_box_was_away_arrive() {
    for version in [5, 311] {
        let mut broker = Mosquitto::start();
        let mut source = Source::start(broker.port, version);
        let publisher = Publisher::connect(broker.port, "press");
        publisher.publish_all(&totals(0..3));
        assert_eq!(source.receive_and_commit(3).await, numbers(0..3));
        source.stop().await;

        publisher.publish_all(&totals(3..40));
        let mut source = Source::start(broker.port, version);
        assert_eq!(source.receive_and_commit(37).await, numbers(3..40), "version {version}");

        // Away again, and meanwhile the broker restarts: the session and its messages are on its disk.
        source.until("acknowledgement", |source| source.counted("unacknowledged") == 0);
        source.stop().await;
        publisher.publish_all(&totals(40..50));
        broker.restart();
        let mut source = Source::start(broker.port, version);
        assert_eq!(source.receive_and_commit(10).await, numbers(40..50), "version {version}");
        source.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs mosquitto; run by tests/run"]
async fn a_running_source_survives_restarts_of_the_broker() {
    for version in [5, 311] {
        let mut broker = Mosquitto::start();
        let mut source = Source::start(broker.port, version);
        for round in 0..3_u32 {
            let publisher = Publisher::connect(broker.port, "press");
            publisher.publish_all(&totals(round * 10..round * 10 + 10));
            let from = i128::from(round) * 10;
            assert_eq!(source.receive_and_commit(10).await, numbers(from..from + 10), "version {version}");
            source.until("acknowledgement", |source| source.counted("unacknowledged") == 0);
            drop(publisher);
            broker.restart();
            let connections = u64::from(round) + 2;
            source.until("the connection", |source| source.counted("connections") == connections);
        }
        source.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs mosquitto; run by tests/run"]
async fn thousands_of_messages_pass_the_window_in_order_and_once() {
    for version in [5, 311] {
        let broker = Mosquitto::start();
        let mut source = Source::start(broker.port, version);
        let publisher = Publisher::connect(broker.port, "press");
        publisher.publish_all(&totals(0..5_000));
        assert_eq!(source.receive_and_commit(5_000).await, numbers(0..5_000), "version {version}");
        source.until("acknowledgement", |source| source.counted("acknowledged") == 5_000);
        source.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs mosquitto; run by tests/run"]
async fn ten_thousand_retained_messages_come_once_also_when_the_broker_restarts() {
    for version in [5, 311] {
        let mut broker = Mosquitto::start();
        let publisher = Publisher::connect(broker.port, "floor");
        let others = (0..9_999).map(|other| (format!("floor/other-{other}/total"), "1".to_owned()));
        publisher.retain_all(&others.chain(totals(7..8)).collect::<Vec<_>>());
        drop(publisher);
        let mut source = Source::start(broker.port, version);
        assert_eq!(source.receive_and_commit(1).await, [7], "version {version}");
        source.until("acknowledgement", |source| source.counted("acknowledged") == 10_000);
        assert_eq!(source.counted("unmapped"), 9_999);

        broker.restart();
        source.until("the connection", |source| source.counted("connections") == 2);
        Publisher::connect(broker.port, "press").publish_all(&totals(8..18));
        assert_eq!(source.receive_and_commit(10).await, numbers(8..18), "version {version}");
        // The broker may have stopped before it read the last acknowledgements; nothing else comes again.
        let again = || source.counted("sent_again");
        source.until("acknowledgement", |source| source.counted("acknowledged") == 10_010 + again());
        assert_eq!(source.counted("messages"), 10_010 + again(), "version {version}");
        source.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs mosquitto; run by tests/run"]
async fn a_message_of_900_kib_arrives_and_one_beyond_the_limit_stalls_nothing() {
    for version in [5, 311] {
        let broker = Mosquitto::start();
        let mut source = Source::start(broker.port, version);
        let publisher = Publisher::connect(broker.port, "press");
        let message =
            |kib: usize, value: u32| ("floor/press-1/total".to_owned(), format!("{}{value}", " ".repeat(kib * 1024)));
        publisher.publish_all(&[message(900, 1), message(1_500, 2), message(0, 3)]);
        assert_eq!(source.receive_and_commit(2).await, [1, 3], "version {version}");
        // On MQTT 5 the broker withholds what we said we don't take.
        source.until("the counts", |source| source.counted("acknowledged") == if version == 5 { 2 } else { 3 });
        assert_eq!(source.counted("refused_too_large"), u64::from(version == 311));
        source.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs mosquitto; run by tests/run"]
async fn clients_that_share_a_subscription_take_each_message_once() {
    for version in [5, 311] {
        let broker = Mosquitto::start();
        let filter = "$share/boxes/floor/{device}/{point}";
        let mut sources = ["one", "other"].map(|client| Source::reading(broker.port, version, client, filter));
        Publisher::connect(broker.port, "press").publish_all(&totals(0..200));
        let [one, other] = &mut sources;
        let (mut taken, mut shares) = (Vec::new(), [0, 0]);
        while taken.len() < 200 {
            let (share, (values, delivery), source) = tokio::select! {
                received = one.receive(1) => (0, received, &*one),
                received = other.receive(1) => (1, received, &*other),
            };
            source.committed.send_replace(delivery);
            shares[share] += values.len();
            taken.extend(values);
        }
        taken.sort_unstable();
        assert_eq!(taken, numbers(0..200), "version {version}");
        assert!(shares[0] > 0 && shares[1] > 0, "{shares:?}");
        for source in sources {
            source.stop().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs mosquitto; run by tests/run"]
async fn a_broker_that_is_away_costs_another_one_nothing() {
    let (mut first, second) = (Mosquitto::start(), Mosquitto::start());
    let (away, mut source) = (Source::start(first.port, 5), Source::start(second.port, 5));
    first.stop();
    away.until("the loss", |source| source.status() == Status::Degraded);
    Publisher::connect(second.port, "press").publish_all(&totals(0..100));
    assert_eq!(source.receive_and_commit(100).await, numbers(0..100));
    assert_eq!(source.status(), Status::Ok);
    let detail = away.health.snapshot()["source.floor"].detail.clone();
    assert!(detail.contains("attempt ") && detail.contains(" follows in "), "{detail}");
    away.stop().await;
    source.stop().await;
}
