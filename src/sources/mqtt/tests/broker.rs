//! A broker that misbehaves on command: MQTT 5 over loopback, one session, and every fault a real one has shown.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};

use bytes::{Bytes, BytesMut};
use rumqttc::v5::mqttbytes::v5::{ConnAck, ConnectReturnCode, Packet, PingResp, Publish, SubAck, SubscribeReasonCode};
use rumqttc::v5::mqttbytes::{Error, QoS};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

/// A broker with one session, whoever connects.
#[derive(Clone)]
pub(super) struct FaultyBroker {
    pub(super) address: SocketAddr,
    state: Arc<Mutex<State>>,
    changed: Arc<Notify>,
}

/// What it holds, what it has seen, and what it does wrong.
#[derive(Default)]
pub(super) struct State {
    queued: VecDeque<Publish>,
    /// By order of sending, because packet ids start anew.
    under_way: BTreeMap<u64, Publish>,
    sent: u64,
    has_session: bool,
    next_id: u16,
    receive_maximum: usize,
    /// Payloads in the order of their acknowledgement.
    pub(super) acknowledged: Vec<Bytes>,
    pub(super) connections: usize,
    pub(super) under_way_max: usize,
    /// Acknowledgements that get lost on the way.
    pub(super) drop_acknowledgements: usize,
    /// Connections that end right after they began.
    pub(super) storm: usize,
    /// Messages after which the connection ends.
    pub(super) cut_after: Option<usize>,
    pub(super) forget_session: bool,
    pub(super) refuse_subscriptions: bool,
    cut: bool,
}

impl FaultyBroker {
    #[expect(clippy::disallowed_methods, reason = "a test's own traffic")]
    pub(super) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let broker = Self { address, state: Arc::default(), changed: Arc::default() };
        let serving = broker.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                serving.serve(stream).await;
            }
        });
        broker
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// Queues a message for the session.
    pub(super) fn publish(&self, topic: &str, payload: impl Into<Bytes>, qos: QoS, retained: bool) {
        let mut publish = Publish::new(topic, qos, payload, None);
        publish.retain = retained;
        self.state().queued.push_back(publish);
        self.changed.notify_one();
    }

    /// Ends the present connection.
    pub(super) fn cut(&self) {
        self.state().cut = true;
        self.changed.notify_one();
    }

    /// Serves one connection until it ends; how it ends is nobody's concern here.
    async fn serve(&self, mut stream: TcpStream) {
        let mut incoming = BytesMut::new();
        let mut may_send = false;
        self.state().cut = false;
        loop {
            let mut outgoing = BytesMut::new();
            loop {
                match Packet::read(&mut incoming, None) {
                    Ok(packet) => {
                        let Some(more) = self.on_packet(packet, &mut outgoing) else {
                            let _ = stream.write_all(&outgoing).await;
                            return;
                        };
                        may_send |= more;
                    }
                    Err(Error::InsufficientBytes(_)) => break,
                    Err(error) => panic!("the client sends what is no packet: {error}"),
                }
            }
            let mut ends = false;
            if may_send {
                ends = self.send(&mut outgoing);
            }
            if stream.write_all(&outgoing).await.is_err() || ends || self.state().cut {
                return;
            }
            if may_send && self.has_more() {
                continue;
            }
            tokio::select! {
                read = stream.read_buf(&mut incoming) => if !matches!(read, Ok(1..)) { return },
                () = self.changed.notified() => {}
            }
        }
    }

    /// Answers a packet. Returns whether messages may flow; `None` ends the connection.
    fn on_packet(&self, packet: Packet, outgoing: &mut BytesMut) -> Option<bool> {
        let state = &mut *self.state();
        match packet {
            Packet::Connect(connect, ..) => {
                let maximum = connect.properties.and_then(|properties| properties.receive_maximum);
                state.receive_maximum = usize::from(maximum.unwrap_or(u16::MAX));
                if std::mem::take(&mut state.forget_session) {
                    state.under_way.clear();
                    (state.has_session, state.next_id) = (false, 0);
                }
                let session_present = std::mem::replace(&mut state.has_session, true);
                let ack = ConnAck { session_present, code: ConnectReturnCode::Success, properties: None };
                Packet::ConnAck(ack).write(outgoing, None).unwrap();
                state.connections += 1;
                if state.storm > 0 {
                    state.storm -= 1;
                    return None;
                }
                for publish in state.under_way.values() {
                    Packet::Publish(Publish { dup: true, ..publish.clone() }).write(outgoing, None).unwrap();
                }
                Some(session_present)
            }
            Packet::Subscribe(subscribe) => {
                let code = match state.refuse_subscriptions {
                    true => SubscribeReasonCode::NotAuthorized,
                    false => SubscribeReasonCode::Success(QoS::AtLeastOnce),
                };
                let return_codes = vec![code; subscribe.filters.len()];
                let ack = SubAck { pkid: subscribe.pkid, return_codes, properties: None };
                Packet::SubAck(ack).write(outgoing, None).unwrap();
                Some(!state.refuse_subscriptions)
            }
            Packet::PubAck(ack) => {
                if state.drop_acknowledgements > 0 {
                    state.drop_acknowledgements -= 1;
                    return Some(false);
                }
                let found = state.under_way.iter().find(|(_, publish)| publish.pkid == ack.pkid).map(|(at, _)| *at);
                let at = found.expect("only what is under way is acknowledged");
                let publish = state.under_way.remove(&at).unwrap();
                state.acknowledged.push(publish.payload);
                Some(false)
            }
            Packet::PingReq(_) => {
                Packet::PingResp(PingResp).write(outgoing, None).unwrap();
                Some(false)
            }
            Packet::Disconnect(_) => None,
            other => panic!("the client sends {other:?}"),
        }
    }

    /// Sends what the window allows, a few at a time; returns whether the connection is to end.
    fn send(&self, outgoing: &mut BytesMut) -> bool {
        let state = &mut *self.state();
        for _ in 0..100 {
            let is_open =
                |publish: &Publish| publish.qos == QoS::AtMostOnce || state.under_way.len() < state.receive_maximum;
            if !state.queued.front().is_some_and(is_open) {
                return false;
            }
            let mut publish = state.queued.pop_front().unwrap();
            if publish.qos != QoS::AtMostOnce {
                while state.next_id == 0 || state.under_way.values().any(|other| other.pkid == state.next_id) {
                    state.next_id = state.next_id.wrapping_add(1);
                }
                publish.pkid = state.next_id;
                state.next_id = state.next_id.wrapping_add(1);
                state.under_way.insert(state.sent, publish.clone());
                state.under_way_max = state.under_way_max.max(state.under_way.len());
            }
            state.sent += 1;
            Packet::Publish(publish).write(outgoing, None).unwrap();
            if let Some(left) = &mut state.cut_after {
                *left -= 1;
                if *left == 0 {
                    state.cut_after = None;
                    return true;
                }
            }
        }
        false
    }

    fn has_more(&self) -> bool {
        let state = self.state();
        let is_free =
            |publish: &Publish| publish.qos == QoS::AtMostOnce || state.under_way.len() < state.receive_maximum;
        state.queued.front().is_some_and(is_free)
    }

    /// How many messages it has sent.
    pub(super) fn sent(&self) -> u64 {
        self.state().sent
    }
}
