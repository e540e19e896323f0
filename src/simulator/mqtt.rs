//! Simulated MQTT devices: a publisher with quality of service 1 that reports at a period of plant time.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::{AsyncClient, MqttOptions};
use tokio_util::sync::CancellationToken;

use crate::model::time::Timestamp;
use crate::runtime::clock::Clock;

/// Messages that may wait for the broker. A real device waits as well when it is full.
const QUEUE: usize = 256;
/// Real time between two attempts to connect.
const RECONNECT: Duration = Duration::from_millis(500);

/// One message of a device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Where it is published.
    pub topic: String,
    /// What it says.
    pub payload: String,
}

/// Computes what a device reports.
pub type Device = Arc<Mutex<dyn FnMut(Timestamp) -> Vec<Message> + Send>>;

/// Publishes what `device` reports every `every_ms` of plant time until `token` is cancelled.
pub async fn publish(
    broker: SocketAddr,
    client_id: &str,
    every_ms: i64,
    device: Device,
    clock: Clock,
    token: CancellationToken,
) {
    let mut options = MqttOptions::new(client_id, broker.ip().to_string(), broker.port());
    // A device of its own keeps its session, so that what waits survives a lost connection.
    options.set_clean_start(false).set_session_expiry_interval(Some(3600)).set_outgoing_inflight_upper_limit(50);
    let (client, mut connection) = AsyncClient::new(options, QUEUE);
    let speaking = async {
        loop {
            if connection.poll().await.is_err() {
                tokio::time::sleep(RECONNECT).await;
            }
        }
    };
    let reporting = async {
        let mut next = clock.now();
        loop {
            let now = clock.now();
            let messages = device.lock().unwrap_or_else(PoisonError::into_inner)(now);
            for message in messages {
                // Fails only when the connection is dropped, and that is below.
                let _ = client.publish(message.topic, QoS::AtLeastOnce, false, message.payload).await;
            }
            // A report that took longer than the period is followed by one report, not by all that were missed.
            next = (next + every_ms).max(clock.now());
            clock.sleep_until(next).await;
        }
    };
    tokio::select! {
        () = token.cancelled() => {}
        () = speaking => {}
        () = reporting => {}
    }
}
