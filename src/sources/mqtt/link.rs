//! The one place that knows the MQTT client crate: both protocol versions behind one client and one connection.
//!
//! No call here waits for the request queue: a full queue is an answer, because whoever polls the connection is the
//! only one who empties it.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use rumqttc::v5::mqttbytes::v5::RetainForwardRule;
use rumqttc::{TlsConfiguration, Transport, mqttbytes as v4, v5};
use rustls::ClientConfig;
use secrecy::{ExposeSecret, SecretString};

use super::config::Version;
use super::sparkplug::outgoing::Outgoing;
use crate::model::broker::Address;

/// Largest packet. **Unit**: bytes. A birth certificate of a big Sparkplug node reaches some 100 kB. On MQTT 5 the
/// broker withholds what is larger.
const PACKET_BYTES_MAX: u32 = 1 << 20;
/// Largest packet that is taken on 3.1.1, where a broker can't be told: one that ended the connection would come again
/// with the next, and nothing after it would ever arrive. Above [`PACKET_BYTES_MAX`] it is refused once it is there.
const PACKET_BYTES_MAX_V311: usize = 16 << 20;
/// Real time between signs of life. A dead connection is noticed after at most twice this.
const KEEP_ALIVE: Duration = Duration::from_secs(30);
/// Real seconds a broker keeps the session of a box that is away: 14 days, longer than the longest public holiday.
pub(super) const SESSION_EXPIRY_S: u32 = 14 * 86_400;
/// Publications of ours that may wait for the broker's acknowledgement; a broker that doesn't give it must not stop
/// our own acknowledgements behind them.
const PUBLICATIONS_UNDER_WAY_MAX: u16 = 16;
/// Requests under way beside acknowledgements: subscriptions, pings, the farewell.
const REQUESTS_BESIDE_ACKS: usize = 64;

/// Where and how to connect.
#[derive(Debug)]
pub(super) struct Settings {
    pub address: Address,
    pub version: Version,
    pub client_id: String,
    pub login: Option<(String, Option<SecretString>)>,
    pub tls: Option<Arc<ClientConfig>>,
    pub receive_maximum: u16,
    /// Whether the broker forgets, on each connection, what it held for us.
    pub clean_start: bool,
    /// Real seconds the broker keeps the session after a connection, on MQTT 5; on 3.1.1 it decides itself.
    pub session_expiry_s: u32,
}

/// One subscription: filter and quality of service.
pub(super) type Subscription = (String, u8);

/// What happens on a connection.
#[derive(Debug)]
pub(super) enum Event {
    /// The broker accepted us. Without a session it remembers neither subscriptions nor messages.
    Connected { session_present: bool },
    /// Its answer to a subscription: the granted quality of service by filter, `None` where it refuses.
    Granted(Vec<Option<u8>>),
    /// A message.
    Message(Message),
    /// Nothing the session cares about.
    Other,
}

/// A message as it arrived.
#[derive(Debug)]
pub(super) struct Message {
    pub topic: Bytes,
    pub payload: Bytes,
    pub retained: bool,
    pub again: bool,
    /// Packet id; `None` with quality of service 0.
    pub id: Option<u16>,
}

impl Message {
    /// Returns the topic. A broker lets only UTF-8 through; what isn't is replaced, and then matches nothing.
    pub(super) fn topic(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.topic)
    }
}

/// The connection is lost. What it had received before is still here and belongs to it.
#[derive(Debug)]
pub(super) struct Lost {
    pub reason: String,
    pub received: Vec<Event>,
}

/// Hands requests to the connection.
#[derive(Debug)]
pub(super) enum Client {
    V5(v5::AsyncClient),
    V311(rumqttc::AsyncClient),
}

/// The connection; it connects anew at the first poll after a loss.
pub(super) enum Connection {
    V5(Box<v5::EventLoop>),
    V311(Box<rumqttc::EventLoop>),
}

/// Prepares client and connection; connects nothing yet.
pub(super) fn open(settings: &Settings) -> (Client, Connection) {
    let capacity = usize::from(settings.receive_maximum) + REQUESTS_BESIDE_ACKS;
    match settings.version {
        Version::V5 => {
            let (client, connection) = v5::AsyncClient::new(options_v5(settings), capacity);
            (Client::V5(client), Connection::V5(Box::new(connection)))
        }
        Version::V311 => {
            let (client, connection) = rumqttc::AsyncClient::new(options_v311(settings), capacity);
            (Client::V311(client), Connection::V311(Box::new(connection)))
        }
    }
}

fn transport(settings: &Settings) -> Transport {
    match &settings.tls {
        Some(config) => Transport::tls_with_config(TlsConfiguration::Rustls(Arc::clone(config))),
        None => Transport::tcp(),
    }
}

fn options_v5(settings: &Settings) -> v5::MqttOptions {
    let Address { host, port, .. } = &settings.address;
    let mut options = v5::MqttOptions::new(&settings.client_id, host, *port);
    options
        .set_keep_alive(KEEP_ALIVE)
        .set_clean_start(settings.clean_start)
        .set_session_expiry_interval(Some(settings.session_expiry_s))
        .set_receive_maximum(Some(settings.receive_maximum))
        .set_max_packet_size(Some(PACKET_BYTES_MAX))
        .set_manual_acks(true)
        .set_outgoing_inflight_upper_limit(PUBLICATIONS_UNDER_WAY_MAX)
        .set_transport(transport(settings));
    if let Some((user, password)) = &settings.login {
        options.set_credentials(user, password.as_ref().map_or("", |secret| secret.expose_secret()));
    }
    options
}

fn will_v5(will: &Outgoing) -> v5::mqttbytes::v5::LastWill {
    v5::mqttbytes::v5::LastWill::new(will.topic(), will.payload().clone(), v5_qos(will.qos()), will.is_retained(), None)
}

fn will_v311(will: &Outgoing) -> rumqttc::LastWill {
    rumqttc::LastWill::new(will.topic(), will.payload().clone(), v311_qos(will.qos()), will.is_retained())
}

fn options_v311(settings: &Settings) -> rumqttc::MqttOptions {
    let Address { host, port, .. } = &settings.address;
    let mut options = rumqttc::MqttOptions::new(&settings.client_id, host, *port);
    let outgoing_max = usize::try_from(PACKET_BYTES_MAX).unwrap_or(usize::MAX);
    options
        .set_keep_alive(KEEP_ALIVE)
        .set_clean_session(settings.clean_start)
        .set_max_packet_size(PACKET_BYTES_MAX_V311, outgoing_max)
        .set_manual_acks(true)
        .set_inflight(PUBLICATIONS_UNDER_WAY_MAX)
        .set_transport(transport(settings));
    if let Some((user, password)) = &settings.login {
        options.set_credentials(user, password.as_ref().map_or("", |secret| secret.expose_secret()));
    }
    options
}

impl Client {
    /// Asks for the subscriptions. Returns whether the queue took the request.
    pub(super) fn subscribe(&self, subscriptions: &[Subscription]) -> bool {
        match self {
            Self::V5(client) => {
                let filters = subscriptions.iter().map(|(filter, qos)| {
                    let mut filter = v5::mqttbytes::v5::Filter::new(filter, v5_qos(*qos));
                    // What a session keeps needs no second delivery; what it doesn't keep would be missing.
                    filter.retain_forward_rule = match qos {
                        0 => RetainForwardRule::OnEverySubscribe,
                        _ => RetainForwardRule::OnNewSubscribe,
                    };
                    filter
                });
                client.try_subscribe_many(filters).is_ok()
            }
            Self::V311(client) => {
                let filters = subscriptions
                    .iter()
                    .map(|(filter, qos)| rumqttc::SubscribeFilter { path: filter.clone(), qos: v311_qos(*qos) });
                client.try_subscribe_many(filters).is_ok()
            }
        }
    }

    /// Acknowledges a message. Returns whether the queue took the request.
    pub(super) fn acknowledge(&self, id: u16) -> bool {
        match self {
            Self::V5(client) => {
                let mut publish = v5::mqttbytes::v5::Publish::new("", v5_qos(1), Bytes::new(), None);
                publish.pkid = id;
                client.try_ack(&publish).is_ok()
            }
            Self::V311(client) => {
                let mut publish = rumqttc::Publish::from_bytes("", v4::QoS::AtLeastOnce, Bytes::new());
                publish.pkid = id;
                client.try_ack(&publish).is_ok()
            }
        }
    }

    /// Publishes what a host says of itself, or asks an edge node; there is nothing else that could be passed here.
    /// Returns whether the queue took the request.
    pub(super) fn say(&self, message: &Outgoing) -> bool {
        let (topic, payload, is_retained) = (message.topic(), message.payload(), message.is_retained());
        match self {
            Self::V5(client) => client.try_publish(topic, v5_qos(message.qos()), is_retained, payload.clone()).is_ok(),
            Self::V311(client) => {
                // The 3.1.1 client takes bytes it owns.
                client.try_publish(topic, v311_qos(message.qos()), is_retained, payload.to_vec()).is_ok()
            }
        }
    }

    /// Says goodbye; the broker keeps the session. Returns whether the queue took the request.
    pub(super) fn disconnect(&self) -> bool {
        match self {
            Self::V5(client) => client.try_disconnect().is_ok(),
            Self::V311(client) => client.try_disconnect().is_ok(),
        }
    }
}

const fn v5_qos(qos: u8) -> v5::mqttbytes::QoS {
    if qos == 0 { v5::mqttbytes::QoS::AtMostOnce } else { v5::mqttbytes::QoS::AtLeastOnce }
}

const fn v311_qos(qos: u8) -> v4::QoS {
    if qos == 0 { v4::QoS::AtMostOnce } else { v4::QoS::AtLeastOnce }
}

impl Connection {
    /// Changes the will that goes with the next connection.
    pub(super) fn set_will(&mut self, will: &Outgoing) {
        match self {
            Self::V5(connection) => {
                connection.options.set_last_will(will_v5(will));
            }
            Self::V311(connection) => {
                connection.mqtt_options.set_last_will(will_v311(will));
            }
        }
    }

    /// Returns an event that the last poll read with others.
    pub(super) fn buffered(&mut self) -> Option<Event> {
        match self {
            Self::V5(connection) => connection.state.events.pop_front().map(event_v5),
            Self::V311(connection) => connection.state.events.pop_front().map(event_v311),
        }
    }

    /// Takes whom to trust, and as whom to appear, from the next connection on: certificates are renewed.
    pub(super) fn set_tls(&mut self, config: Arc<ClientConfig>) {
        let transport = Transport::tls_with_config(TlsConfiguration::Rustls(config));
        match self {
            Self::V5(connection) => {
                connection.options.set_transport(transport);
            }
            Self::V311(connection) => {
                connection.mqtt_options.set_transport(transport);
            }
        }
    }

    /// Waits for the next event.
    ///
    /// Not to be cancelled: a half-written packet would be lost.
    ///
    /// # Errors
    /// [`Lost`]; the next poll connects anew at once, so the caller waits first.
    pub(super) async fn poll(&mut self) -> Result<Event, Lost> {
        match self {
            Self::V5(connection) => match connection.poll().await {
                Ok(event) => Ok(event_v5(event)),
                // What is still buffered would come out after the next connection's first event, and be taken
                // for its own.
                Err(error) => {
                    let received = connection.state.events.drain(..).map(event_v5).collect();
                    Err(Lost { reason: error.to_string(), received })
                }
            },
            Self::V311(connection) => match connection.poll().await {
                Ok(event) => Ok(event_v311(event)),
                Err(error) => {
                    let buffered: VecDeque<rumqttc::Event> = std::mem::take(&mut connection.state.events);
                    let received = buffered.into_iter().map(event_v311).collect();
                    Err(Lost { reason: error.to_string(), received })
                }
            },
        }
    }
}

fn event_v5(event: v5::Event) -> Event {
    use v5::mqttbytes::v5::{Packet, SubscribeReasonCode};
    match event {
        v5::Event::Incoming(Packet::ConnAck(ack)) => Event::Connected { session_present: ack.session_present },
        v5::Event::Incoming(Packet::SubAck(ack)) => {
            let granted = |code: &SubscribeReasonCode| match code {
                SubscribeReasonCode::Success(qos) => Some(*qos as u8),
                _ => None,
            };
            Event::Granted(ack.return_codes.iter().map(granted).collect())
        }
        v5::Event::Incoming(Packet::Publish(publish)) => Event::Message(Message {
            topic: publish.topic,
            payload: publish.payload,
            retained: publish.retain,
            again: publish.dup,
            id: (publish.qos != v5_qos(0)).then_some(publish.pkid),
        }),
        _ => Event::Other,
    }
}

fn event_v311(event: rumqttc::Event) -> Event {
    use rumqttc::{Packet, SubscribeReasonCode};
    match event {
        rumqttc::Event::Incoming(Packet::ConnAck(ack)) => Event::Connected { session_present: ack.session_present },
        rumqttc::Event::Incoming(Packet::SubAck(ack)) => {
            let granted = |code: &SubscribeReasonCode| match code {
                SubscribeReasonCode::Success(qos) => Some(*qos as u8),
                SubscribeReasonCode::Failure => None,
            };
            Event::Granted(ack.return_codes.iter().map(granted).collect())
        }
        rumqttc::Event::Incoming(Packet::Publish(publish)) => Event::Message(Message {
            topic: publish.topic.into(),
            payload: publish.payload,
            retained: publish.retain,
            again: publish.dup,
            id: (publish.qos != v4::QoS::AtMostOnce).then_some(publish.pkid),
        }),
        _ => Event::Other,
    }
}
