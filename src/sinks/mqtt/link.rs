//! The one place of the sinks that knows the MQTT client crate: both protocol versions behind one client and one
//! connection that only publishes, with quality of service 1.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use rumqttc::v5::mqttbytes::v5::PubAckReason;
use rumqttc::{TlsConfiguration, Transport, v5};
use rustls::ClientConfig;
use secrecy::{ExposeSecret, SecretString};

use crate::model::broker::Address;

/// Largest packet that is sent or taken. **Unit**: bytes. A record of many KPIs has some 50 kB.
const PACKET_BYTES_MAX: u32 = 1 << 20;
/// Real time between signs of life. A dead connection is noticed after at most twice this.
const KEEP_ALIVE: Duration = Duration::from_secs(30);
/// Requests beside publications: pings, the farewell.
const REQUESTS_BESIDE: usize = 16;

/// Where and how to connect.
#[derive(Debug)]
pub(super) struct Settings {
    pub(super) address: Address,
    pub(super) is_v311: bool,
    pub(super) client_id: String,
    pub(super) login: Option<(String, Option<SecretString>)>,
    pub(super) tls: Option<Arc<ClientConfig>>,
    /// Publications under way unacknowledged, at most.
    pub(super) in_flight_max: u16,
}

/// What happens on a connection.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Event {
    /// The broker accepted us.
    Connected,
    /// The next publication, in the order they were asked for, went out under this number.
    Sent(u16),
    /// The broker's answer to a publication.
    Answered(u16, Result<(), Refusal>),
    /// Nothing of interest.
    Other,
}

/// A publication the broker doesn't take, which only MQTT 5 can say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    /// Its reason code in words.
    pub(super) reason: String,
    /// The message is at fault, so that it will never be taken; else a person or time may help.
    pub(super) is_final: bool,
}

/// Asks for publications.
pub(super) enum Client {
    V5(v5::AsyncClient),
    V311(rumqttc::AsyncClient),
}

/// Carries them out.
pub(super) enum Connection {
    V5(Box<v5::EventLoop>),
    V311(Box<rumqttc::EventLoop>),
}

/// Makes a client and its connection; nothing is sent before the first poll. A session is not kept: what was not
/// acknowledged is read from the store again.
pub(super) fn open(settings: &Settings) -> (Client, Connection) {
    let capacity = usize::from(settings.in_flight_max) + REQUESTS_BESIDE;
    if settings.is_v311 {
        let (client, connection) = rumqttc::AsyncClient::new(options_v311(settings), capacity);
        (Client::V311(client), Connection::V311(Box::new(connection)))
    } else {
        let (client, connection) = v5::AsyncClient::new(options_v5(settings), capacity);
        (Client::V5(client), Connection::V5(Box::new(connection)))
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
        .set_clean_start(true)
        .set_max_packet_size(Some(PACKET_BYTES_MAX))
        .set_outgoing_inflight_upper_limit(settings.in_flight_max)
        .set_transport(transport(settings));
    if let Some((user, password)) = &settings.login {
        options.set_credentials(user, password.as_ref().map_or("", |secret| secret.expose_secret()));
    }
    options
}

fn options_v311(settings: &Settings) -> rumqttc::MqttOptions {
    let Address { host, port, .. } = &settings.address;
    let mut options = rumqttc::MqttOptions::new(&settings.client_id, host, *port);
    let packet_max = usize::try_from(PACKET_BYTES_MAX).unwrap_or(usize::MAX);
    options
        .set_keep_alive(KEEP_ALIVE)
        .set_clean_session(true)
        .set_max_packet_size(packet_max, packet_max)
        .set_inflight(settings.in_flight_max)
        .set_transport(transport(settings));
    if let Some((user, password)) = &settings.login {
        options.set_credentials(user, password.as_ref().map_or("", |secret| secret.expose_secret()));
    }
    options
}

impl Client {
    /// Asks for a publication. Returns whether the queue took the request.
    pub(super) fn publish(&self, topic: &str, retain: bool, payload: Vec<u8>) -> bool {
        match self {
            Self::V5(client) => {
                client.try_publish(topic, v5::mqttbytes::QoS::AtLeastOnce, retain, Bytes::from(payload)).is_ok()
            }
            Self::V311(client) => client.try_publish(topic, rumqttc::QoS::AtLeastOnce, retain, payload).is_ok(),
        }
    }

    /// Says goodbye. Returns whether the queue took the request.
    pub(super) fn disconnect(&self) -> bool {
        match self {
            Self::V5(client) => client.try_disconnect().is_ok(),
            Self::V311(client) => client.try_disconnect().is_ok(),
        }
    }
}

impl Connection {
    /// Waits for the next event. Not to be cancelled but with the connection.
    ///
    /// # Errors
    /// Why the connection is lost.
    pub(super) async fn poll(&mut self) -> Result<Event, String> {
        match self {
            Self::V5(connection) => connection.poll().await.map(event_v5).map_err(|error| error.to_string()),
            Self::V311(connection) => connection.poll().await.map(event_v311).map_err(|error| error.to_string()),
        }
    }
}

fn event_v5(event: v5::Event) -> Event {
    use v5::mqttbytes::v5::Packet;
    match event {
        v5::Event::Incoming(Packet::ConnAck(_)) => Event::Connected,
        v5::Event::Incoming(Packet::PubAck(ack)) => Event::Answered(ack.pkid, answer(ack.reason)),
        v5::Event::Outgoing(rumqttc::Outgoing::Publish(id)) => Event::Sent(id),
        _ => Event::Other,
    }
}

fn event_v311(event: rumqttc::Event) -> Event {
    match event {
        rumqttc::Event::Incoming(rumqttc::Packet::ConnAck(_)) => Event::Connected,
        rumqttc::Event::Incoming(rumqttc::Packet::PubAck(ack)) => Event::Answered(ack.pkid, Ok(())),
        rumqttc::Event::Outgoing(rumqttc::Outgoing::Publish(id)) => Event::Sent(id),
        _ => Event::Other,
    }
}

/// **Source**: MQTT 5.0, 3.4.2.1.
fn answer(reason: PubAckReason) -> Result<(), Refusal> {
    match reason {
        PubAckReason::Success | PubAckReason::NoMatchingSubscribers => Ok(()),
        PubAckReason::TopicNameInvalid | PubAckReason::PayloadFormatInvalid => {
            Err(Refusal { reason: format!("{reason:?}"), is_final: true })
        }
        _ => Err(Refusal { reason: format!("{reason:?}"), is_final: false }),
    }
}
