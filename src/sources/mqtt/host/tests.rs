//! What the host says on the wire, at a broker that notes every packet: the rules of the connection, each under its id.

use std::time::Duration;

use bytes::BytesMut;
use rumqttc::mqttbytes::v4;
use rumqttc::v5::mqttbytes::v5;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::model::id::GatewayId;
use crate::model::problem::Problems;
use crate::model::sample::SampleBatch;
use crate::model::tag::{SourceIndex, TagSpec};
use crate::model::time::Timestamp;
use crate::runtime::clock::Clock;
use crate::runtime::health::Health;
use crate::sources::mqtt::config::MqttSource;
use crate::sources::mqtt::subscribe::{MqttError, Subscriber, run};

const NOW: Timestamp = Timestamp(1_790_000_000_000);
const WAIT: Duration = Duration::from_secs(20);
const STATE: &str = "spBv1.0/STATE/park";

/// A publication, or a will.
#[derive(Debug, Clone, PartialEq)]
struct Said {
    topic: String,
    payload: Vec<u8>,
    qos: u8,
    is_retained: bool,
}

/// A packet of the host.
#[derive(Debug, Clone, PartialEq)]
enum Packet {
    Connect { is_clean: bool, session_expiry_s: Option<u32>, will: Option<Said> },
    Subscribe(Vec<String>),
    Publish(Said),
    Disconnect,
    Other,
}

/// A broker for one host that answers what must be answered.
struct Broker {
    stream: TcpStream,
    buffer: BytesMut,
    version: u16,
}

impl Broker {
    /// Waits for the next connection and its CONNECT.
    async fn accept(listener: &TcpListener, version: u16) -> (Self, Packet) {
        let (stream, _) = tokio::time::timeout(WAIT, listener.accept()).await.unwrap().unwrap();
        let mut broker = Self { stream, buffer: BytesMut::new(), version };
        let connect = broker.next().await.unwrap();
        let answer: &[u8] = if version == 5 { &[0x20, 3, 0, 0, 0] } else { &[0x20, 2, 0, 0] };
        broker.stream.write_all(answer).await.unwrap();
        (broker, connect)
    }

    /// Accepts, grants the subscriptions and returns the packets up to the first publication.
    async fn welcome(listener: &TcpListener, version: u16) -> (Self, Vec<Packet>) {
        let (mut broker, connect) = Self::accept(listener, version).await;
        let mut packets = vec![connect];
        while !matches!(packets.last(), Some(Packet::Publish(_))) {
            packets.push(broker.next().await.unwrap());
        }
        (broker, packets)
    }

    /// The next packet, answered; `None` at the end of the connection.
    async fn next(&mut self) -> Option<Packet> {
        loop {
            // The crate's reader for MQTT 5 doesn't know its own shortest form of this one.
            if self.buffer.first() == Some(&0xe0) {
                return Some(Packet::Disconnect);
            }
            let read = if self.version == 5 { self.read_v5() } else { self.read_v311() };
            if let Some((packet, answer)) = read {
                self.stream.write_all(&answer).await.unwrap();
                return Some(packet);
            }
            let received = tokio::time::timeout(WAIT, self.stream.read_buf(&mut self.buffer)).await;
            if received.expect("the host says something in time").unwrap_or(0) == 0 {
                return None;
            }
        }
    }

    fn read_v311(&mut self) -> Option<(Packet, Vec<u8>)> {
        Some(match v4::Packet::read(&mut self.buffer, 1 << 20).ok()? {
            v4::Packet::Connect(connect) => {
                let will = connect.last_will.map(|will| Said {
                    topic: will.topic,
                    payload: will.message.to_vec(),
                    qos: will.qos as u8,
                    is_retained: will.retain,
                });
                (Packet::Connect { is_clean: connect.clean_session, session_expiry_s: None, will }, Vec::new())
            }
            v4::Packet::Subscribe(subscribe) => {
                let codes = vec![1; subscribe.filters.len()];
                let filters = subscribe.filters.into_iter().map(|filter| filter.path).collect();
                (Packet::Subscribe(filters), suback(subscribe.pkid, &[], &codes))
            }
            v4::Packet::Publish(publish) => {
                let said = Said {
                    topic: publish.topic,
                    payload: publish.payload.to_vec(),
                    qos: publish.qos as u8,
                    is_retained: publish.retain,
                };
                (Packet::Publish(said), puback(publish.pkid))
            }
            v4::Packet::Disconnect => (Packet::Disconnect, Vec::new()),
            _ => (Packet::Other, Vec::new()),
        })
    }

    fn read_v5(&mut self) -> Option<(Packet, Vec<u8>)> {
        Some(match v5::Packet::read(&mut self.buffer, Some(1 << 20)).ok()? {
            v5::Packet::Connect(connect, will, _) => {
                let will = will.map(|will| Said {
                    topic: String::from_utf8(will.topic.to_vec()).unwrap(),
                    payload: will.message.to_vec(),
                    qos: will.qos as u8,
                    is_retained: will.retain,
                });
                let session_expiry_s = connect.properties.and_then(|properties| properties.session_expiry_interval);
                (Packet::Connect { is_clean: connect.clean_start, session_expiry_s, will }, Vec::new())
            }
            v5::Packet::Subscribe(subscribe) => {
                let codes = vec![1; subscribe.filters.len()];
                let filters = subscribe.filters.into_iter().map(|filter| filter.path).collect();
                (Packet::Subscribe(filters), suback(subscribe.pkid, &[0], &codes))
            }
            v5::Packet::Publish(publish) => {
                let said = Said {
                    topic: String::from_utf8(publish.topic.to_vec()).unwrap(),
                    payload: publish.payload.to_vec(),
                    qos: publish.qos as u8,
                    is_retained: publish.retain,
                };
                (Packet::Publish(said), puback(publish.pkid))
            }
            v5::Packet::Disconnect(_) => (Packet::Disconnect, Vec::new()),
            _ => (Packet::Other, Vec::new()),
        })
    }

    /// Delivers a message with quality of service 0.
    async fn deliver(&mut self, topic: &str, payload: &[u8]) {
        let properties: &[u8] = if self.version == 5 { &[0] } else { &[] };
        let length = u8::try_from(2 + topic.len() + properties.len() + payload.len()).unwrap();
        assert!(length < 128, "one byte of length");
        let mut bytes = vec![0x30, length, 0, topic.len() as u8];
        bytes.extend_from_slice(topic.as_bytes());
        bytes.extend_from_slice(properties);
        bytes.extend_from_slice(payload);
        self.stream.write_all(&bytes).await.unwrap();
    }
}

fn suback(id: u16, properties: &[u8], codes: &[u8]) -> Vec<u8> {
    let length = u8::try_from(2 + properties.len() + codes.len()).unwrap();
    [&[0x90, length], &id.to_be_bytes()[..], properties, codes].concat()
}

fn puback(id: u16) -> Vec<u8> {
    if id == 0 { Vec::new() } else { [&[0x40, 2], &id.to_be_bytes()[..]].concat() }
}

/// A running source.
struct Source {
    inbox: mpsc::Receiver<SampleBatch>,
    _committed: watch::Sender<u64>,
    health: Health,
    token: CancellationToken,
    running: JoinHandle<Result<(), MqttError>>,
}

impl Source {
    fn start(listener: &TcpListener, version: u16, sparkplug: &str) -> Self {
        let config: MqttSource = toml::from_str(&format!(
            r#"
            name = "line"
            url = "mqtt://{}"
            version = {version}
            topic = [{{ filter = "spBv1.0/plant-1/#", format = "sparkplug_b" }}]
            point = [{{ name = "e.total", metric = "Counters/Total", kind = "counter", hold = "1s" }}]
            sparkplug = {{ {sparkplug} }}
            "#,
            listener.local_addr().unwrap()
        ))
        .unwrap();
        let mut problems = Problems::default();
        config.check(&mut problems);
        let tags: Vec<TagSpec> = config.tags(SourceIndex(0), &mut problems);
        assert_eq!(problems, Problems::default());
        let (sender, inbox) = mpsc::channel(64);
        let (committed, progress) = watch::channel(0);
        let (health, token) = (Health::default(), CancellationToken::new());
        let gateway = GatewayId::new("tt-0001").unwrap();
        let clock = Clock::manual(NOW);
        let subscriber =
            Subscriber::new(&gateway, SourceIndex(0), config, &tags, clock, health.clone(), sender, progress);
        let running = tokio::spawn(run(subscriber, token.clone()));
        Self { inbox, _committed: committed, health, token, running }
    }

    async fn stop(self) {
        self.token.cancel();
        tokio::time::timeout(WAIT, self.running).await.expect("stops in time").unwrap().unwrap();
    }
}

async fn listener() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").await.unwrap()
}

fn state(is_online: bool) -> Said {
    let payload = format!("{{\"online\":{is_online},\"timestamp\":{}}}", NOW.0).into_bytes();
    Said { topic: STATE.to_owned(), payload, qos: 1, is_retained: true }
}

/// The packets of a host from its connection to its state, on both versions of the protocol.
async fn beginnings() -> Vec<(u16, Vec<Packet>)> {
    let mut beginnings = Vec::new();
    for version in [311, 5] {
        let listener = listener().await;
        let source = Source::start(&listener, version, "host_id = \"park\"");
        let (broker, packets) = Broker::welcome(&listener, version).await;
        beginnings.push((version, packets));
        drop(broker);
        source.stop().await;
    }
    beginnings
}

async fn wills() -> Vec<Said> {
    let connect = |packets: &[Packet]| match &packets[0] {
        Packet::Connect { will, .. } => will.clone(),
        other => panic!("{other:?}"),
    };
    beginnings().await.iter().map(|(_, packets)| connect(packets).expect("a will")).collect()
}

async fn first_publications() -> Vec<Said> {
    let publication = |packets: &[Packet]| match packets.last() {
        Some(Packet::Publish(said)) => said.clone(),
        other => panic!("{other:?}"),
    };
    beginnings().await.iter().map(|(_, packets)| publication(packets)).collect()
}

#[tokio::test]
async fn tck_id_operational_behavior_host_application_connect_will_goes_with_each_connection() {
    let listener = listener().await;
    let source = Source::start(&listener, 5, "host_id = \"park\"");
    for _ in 0..2 {
        let (broker, packets) = Broker::welcome(&listener, 5).await;
        assert!(
            matches!(&packets[0], Packet::Connect { will: Some(will), .. } if *will == state(false)),
            "{packets:?}"
        );
        drop(broker);
    }
    source.stop().await;
}

#[tokio::test]
async fn tck_id_operational_behavior_host_application_connect_will_topic_is_the_hosts_own() {
    assert!(wills().await.iter().all(|will| will.topic == STATE));
}

#[tokio::test]
async fn tck_id_operational_behavior_host_application_connect_will_payload_says_offline_at_the_time_of_the_connection()
{
    assert!(wills().await.iter().all(|will| will.payload == state(false).payload));
}

#[tokio::test]
async fn tck_id_operational_behavior_host_application_connect_will_qos_is_1() {
    assert!(wills().await.iter().all(|will| will.qos == 1));
}

#[tokio::test]
async fn tck_id_operational_behavior_host_application_connect_will_retained_is_true() {
    assert!(wills().await.iter().all(|will| will.is_retained));
}

#[tokio::test]
async fn tck_id_operational_behavior_host_application_connect_birth_is_the_first_publication() {
    assert_eq!(first_publications().await, [state(true), state(true)]);
}

#[tokio::test]
async fn tck_id_operational_behavior_host_application_connect_birth_qos_is_1() {
    assert!(first_publications().await.iter().all(|birth| birth.qos == 1));
}

#[tokio::test]
async fn tck_id_operational_behavior_host_application_connect_birth_retained_is_true() {
    assert!(first_publications().await.iter().all(|birth| birth.is_retained));
}

#[tokio::test]
async fn tck_id_host_topic_phid_birth_payload_timestamp_is_that_of_the_will() {
    let timestamp =
        |said: &Said| serde_json::from_slice::<serde_json::Value>(&said.payload).unwrap()["timestamp"].clone();
    let (wills, births) = (wills().await, first_publications().await);
    for (will, birth) in wills.iter().zip(&births) {
        assert_eq!(timestamp(will), timestamp(birth));
    }
}

#[tokio::test]
async fn tck_id_message_flow_phid_sparkplug_subscription_comes_before_the_state() {
    for (version, packets) in beginnings().await {
        let wanted = vec!["spBv1.0/plant-1/#".to_owned(), STATE.to_owned()];
        assert_eq!(packets[1..], [Packet::Subscribe(wanted), Packet::Publish(state(true))], "{version}");
    }
}

#[tokio::test]
async fn tck_id_payloads_state_subscribe_takes_in_the_hosts_own() {
    for (version, packets) in beginnings().await {
        assert!(matches!(&packets[1], Packet::Subscribe(filters) if filters.contains(&STATE.to_owned())), "{version}");
    }
}

#[tokio::test]
async fn tck_id_payloads_state_birth_waits_until_every_subscription_is_granted() {
    let listener = listener().await;
    let source = Source::start(&listener, 311, "host_id = \"park\"");
    let (mut broker, _) = Broker::accept(&listener, 311).await;
    // Refused: a host that doesn't hear the plant doesn't say that it is there.
    let subscribe = loop {
        match v4::Packet::read(&mut broker.buffer, 1 << 20) {
            Ok(v4::Packet::Subscribe(subscribe)) => break subscribe,
            _ => _ = broker.stream.read_buf(&mut broker.buffer).await.unwrap(),
        }
    };
    broker.stream.write_all(&suback(subscribe.pkid, &[], &[0x80, 1])).await.unwrap();
    broker.deliver(STATE, &state(false).payload).await;
    while !source.health.snapshot()["source.line"].counts.contains_key("messages") {
        tokio::task::yield_now().await;
    }
    source.token.cancel();
    assert_eq!(broker.next().await, Some(Packet::Disconnect), "nothing was published");
    source.stop().await;
}

#[tokio::test]
async fn tck_id_principles_birth_certificates_order_the_birth_precedes_every_other_publication() {
    let listener = listener().await;
    let source = Source::start(&listener, 5, "host_id = \"park\", rebirth = true");
    let (mut broker, packets) = Broker::welcome(&listener, 5).await;
    assert_eq!(packets.iter().filter(|packet| matches!(packet, Packet::Publish(_))).count(), 1);
    broker.deliver("spBv1.0/plant-1/NDATA/e", &[0x18, 4]).await;
    match broker.next().await.unwrap() {
        Packet::Publish(said) => {
            assert_eq!((said.topic.as_str(), said.qos, said.is_retained), ("spBv1.0/plant-1/NCMD/e", 0, false));
        }
        other => panic!("{other:?}"),
    }
    source.stop().await;
}

#[tokio::test]
async fn tck_id_conformance_primary_host_shows_birth_and_death() {
    let listener = listener().await;
    let source = Source::start(&listener, 5, "host_id = \"park\", primary = true");
    let (mut broker, packets) = Broker::welcome(&listener, 5).await;
    assert_eq!(packets.last(), Some(&Packet::Publish(state(true))));
    source.token.cancel();
    assert_eq!(broker.next().await, Some(Packet::Publish(state(false))));
    source.stop().await;
}

#[tokio::test]
async fn tck_id_message_flow_phid_sparkplug_clean_session_311_is_true() {
    let beginnings = beginnings().await;
    let (version, packets) = &beginnings[0];
    assert!(*version == 311 && matches!(packets[0], Packet::Connect { is_clean: true, .. }), "{packets:?}");
}

#[tokio::test]
async fn tck_id_message_flow_phid_sparkplug_clean_session_50_is_true_and_expires_at_once() {
    let beginnings = beginnings().await;
    let (version, packets) = &beginnings[1];
    let Packet::Connect { is_clean, session_expiry_s, .. } = packets[0] else { panic!("{packets:?}") };
    // An absent interval is 0.
    assert_eq!((*version, is_clean, session_expiry_s.unwrap_or(0)), (5, true, 0));
}

#[tokio::test]
async fn tck_id_operational_behavior_host_application_termination_says_offline_before_the_farewell() {
    for version in [311, 5] {
        let listener = listener().await;
        let source = Source::start(&listener, version, "host_id = \"park\"");
        let (mut broker, _) = Broker::welcome(&listener, version).await;
        source.token.cancel();
        assert_eq!(broker.next().await, Some(Packet::Publish(state(false))), "{version}");
        source.stop().await;
    }
}

#[tokio::test]
async fn tck_id_operational_behavior_host_application_disconnect_intentional_ends_with_disconnect() {
    for version in [311, 5] {
        let listener = listener().await;
        let source = Source::start(&listener, version, "host_id = \"park\"");
        let (mut broker, _) = Broker::welcome(&listener, version).await;
        source.token.cancel();
        let mut packets = Vec::new();
        while packets.last() != Some(&Packet::Disconnect) {
            packets.push(broker.next().await.expect("a farewell"));
        }
        assert_eq!(packets, [Packet::Publish(state(false)), Packet::Disconnect], "{version}");
        source.stop().await;
    }
}

#[tokio::test]
async fn without_an_id_it_has_no_will_says_nothing_and_listens() {
    let listener = listener().await;
    let mut source = Source::start(&listener, 5, "");
    let (mut broker, connect) = Broker::accept(&listener, 5).await;
    assert!(matches!(connect, Packet::Connect { will: None, is_clean: true, .. }), "{connect:?}");
    assert_eq!(broker.next().await, Some(Packet::Subscribe(vec!["spBv1.0/plant-1/#".to_owned()])));
    let metric = [&[0x0a, 14], b"Counters/Total".as_slice(), &[0x20, 8, 0x58, 42]].concat();
    let birth = [&[0x08, 1, 0x12, metric.len() as u8], metric.as_slice(), &[0x18, 0]].concat();
    broker.deliver("spBv1.0/plant-1/NBIRTH/e", &birth).await;
    let batch = loop {
        let batch = tokio::time::timeout(WAIT, source.inbox.recv()).await.unwrap().unwrap();
        if !batch.samples.is_empty() {
            break batch;
        }
    };
    assert_eq!((batch.samples[0].measured_at, batch.samples.len()), (Timestamp(1), 1));
    source.token.cancel();
    assert_eq!(broker.next().await, Some(Packet::Disconnect));
    source.stop().await;
}

#[tokio::test]
async fn while_it_hears_everything_it_confirms_what_stands_by_batches_without_samples() {
    let listener = listener().await;
    let mut source = Source::start(&listener, 5, "host_id = \"park\"");
    let (broker, _) = Broker::welcome(&listener, 5).await;
    for delivery in 1..=3 {
        let batch = tokio::time::timeout(WAIT, source.inbox.recv()).await.unwrap().unwrap();
        assert_eq!((batch.delivery, batch.samples.len(), batch.received_at), (delivery, 0, NOW));
    }
    drop(broker);
    source.stop().await;
}
