//! The sink's reading of answers, and the sink against a broker in this process.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use rumqttc::{AsyncClient, Event as BrokerEvent, MqttOptions, Packet, QoS};
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::link::{Event, Refusal};
use super::{answers, run};
use crate::ledger::fixture;
use crate::model::id::{AssetId, Digest, GatewayId};
use crate::model::record::WindowRecord;
use crate::runtime::clock::Clock;
use crate::runtime::health::{Health, Status};
use crate::simulator::broker::Broker;
use crate::store::{Commit, Store};

const WAIT: Duration = Duration::from_secs(20);

fn refusal(is_final: bool) -> Refusal {
    Refusal { reason: "PayloadFormatInvalid".to_owned(), is_final }
}

async fn answers_to(events: Vec<Event>, count: usize) -> Result<(), Refusal> {
    let (sender, mut receiver) = mpsc::channel(64);
    for event in events {
        sender.send(event).await.unwrap();
    }
    answers(&mut receiver, count).await.unwrap_or_else(|failure| panic!("{}", failure.reason))
}

#[tokio::test]
async fn a_batch_is_done_when_every_publication_is_answered_in_any_order() {
    let events = vec![
        Event::Sent(7),
        Event::Sent(8),
        Event::Answered(8, Ok(())),
        Event::Answered(99, Ok(())),
        Event::Sent(9),
        Event::Answered(9, Ok(())),
        Event::Answered(7, Ok(())),
    ];
    assert_eq!(answers_to(events, 3).await, Ok(()));
}

#[tokio::test]
async fn of_several_refusals_the_first_publication_counts() {
    let events = vec![
        Event::Sent(1),
        Event::Sent(2),
        Event::Answered(2, Err(refusal(true))),
        Event::Answered(1, Err(refusal(false))),
    ];
    assert_eq!(answers_to(events, 2).await, Err(refusal(false)));
}

#[tokio::test]
async fn a_connection_that_ends_leaves_the_batch_unanswered() {
    let (sender, mut receiver) = mpsc::channel(4);
    sender.send(Event::Sent(1)).await.unwrap();
    drop(sender);
    assert!(answers(&mut receiver, 1).await.is_err());
}

/// Looks again whenever other tasks had their turn.
async fn until<T>(what: &str, look: impl Fn() -> Option<T>) -> T {
    let found = async {
        loop {
            match look() {
                Some(found) => return found,
                None => tokio::task::yield_now().await,
            }
        }
    };
    timeout(WAIT, found).await.unwrap_or_else(|_| panic!("never: {what}"))
}

fn records(count: usize) -> Vec<WindowRecord> {
    let asset = |number: usize| AssetId::new(&format!("press-{number:03}")).unwrap();
    (0..count).map(|number| WindowRecord { asset: asset(number), ..fixture::record(0, 1) }).collect()
}

/// Subscribes to every record, and returns once the broker has granted it.
async fn subscriber(port: u16, version: u16) -> mpsc::Receiver<(String, WindowRecord)> {
    let mut options = MqttOptions::new(format!("reader-{version}"), "127.0.0.1", port);
    options.set_max_packet_size(1 << 20, 1 << 20);
    let (client, mut connection) = AsyncClient::new(options, 10);
    client.subscribe("parkgate/#", QoS::AtLeastOnce).await.unwrap();
    let (sender, receiver) = mpsc::channel(1000);
    let (granted, is_granted) = tokio::sync::oneshot::channel();
    tokio::spawn(async move {
        // The client lives as long as its connection.
        let _client = client;
        let mut granted = Some(granted);
        while let Ok(event) = connection.poll().await {
            match event {
                BrokerEvent::Incoming(Packet::SubAck(_)) => _ = granted.take().map(|granted| granted.send(())),
                BrokerEvent::Incoming(Packet::Publish(publish)) => {
                    let record = serde_json::from_slice(&publish.payload).unwrap();
                    if sender.send((publish.topic, record)).await.is_err() {
                        return;
                    }
                }
                _ => {}
            }
        }
    });
    timeout(WAIT, is_granted).await.unwrap().unwrap();
    receiver
}

#[tokio::test(flavor = "multi_thread")]
async fn every_record_reaches_a_subscriber_in_order_and_the_cursor_follows() {
    let broker = Broker::start().await.unwrap();
    for (version, port) in [(5, broker.v5.port()), (311, broker.v311.port())] {
        let mut heard = subscriber(broker.v311.port(), version).await;
        let mut store = Store::open_in_memory(&[], Digest::ZERO, "").unwrap();
        let log = records(230);
        store.commit(&Commit { records: &log[..200], ..Commit::default() }).unwrap();
        let text = format!("name = \"floor\"\nurl = \"mqtt://127.0.0.1:{port}\"\nversion = {version}");
        let (wake, token, health) = (watch::Sender::new(0), CancellationToken::new(), Health::default());
        let cursors = Arc::new(Mutex::new(store.cursors().unwrap()));
        let sink = tokio::spawn(run(
            toml::from_str(&text).unwrap(),
            GatewayId::new("tt-0042").unwrap(),
            store.reader(),
            cursors,
            wake.subscribe(),
            Clock::system(),
            health.clone(),
            token.clone(),
        ));
        let mut next = async |expected: &WindowRecord| {
            let (topic, record) = timeout(WAIT, heard.recv()).await.expect("a record in time").unwrap();
            assert_eq!(topic, format!("parkgate/{}/{}/{}", record.site, record.asset, record.grain));
            assert_eq!(&record, expected);
        };
        for record in &log[..200] {
            next(record).await;
        }
        // The sink waits for commits by now, or will find this one at its next look.
        store.commit(&Commit { records: &log[200..], ..Commit::default() }).unwrap();
        wake.send_replace(2);
        for record in &log[200..] {
            next(record).await;
        }
        until("the cursor behind the last record", || (store.reader().cursor("floor").unwrap() == 230).then_some(()))
            .await;
        assert_eq!(health.snapshot()["sink.floor"].status, Status::Ok);
        token.cancel();
        timeout(WAIT, sink).await.unwrap().unwrap().unwrap();
    }
}

#[tokio::test]
async fn a_broker_that_is_not_there_is_a_degraded_sink_that_waits() {
    let store = Store::open_in_memory(&[], Digest::ZERO, "").unwrap();
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let text = format!("name = \"floor\"\nurl = \"mqtt://127.0.0.1:{closed}\"");
    let (wake, token, health) = (watch::Sender::new(0), CancellationToken::new(), Health::default());
    let sink = tokio::spawn(run(
        toml::from_str(&text).unwrap(),
        GatewayId::new("tt-0042").unwrap(),
        store.reader(),
        Arc::new(Mutex::new(store.cursors().unwrap())),
        wake.subscribe(),
        Clock::system(),
        health.clone(),
        token.clone(),
    ));
    let detail = until("a degraded sink", || {
        let board = health.snapshot();
        board.get("sink.floor").filter(|sink| sink.status == Status::Degraded).map(|sink| sink.detail.clone())
    })
    .await;
    assert!(detail.starts_with("connection to the broker: "), "{detail}");
    token.cancel();
    timeout(WAIT, sink).await.unwrap().unwrap().unwrap();
}
