//! An MQTT broker inside this process, on loopback, for the demo and for tests.
//!
//! The broker crate can't be stopped and has its own threads and runtimes, so it lives until the process ends; it
//! is spoken to over TCP as any other. Never part of an edge box.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use rumqttd::{Config, ConnectionSettings, RouterConfig, ServerSettings};

/// Connections the broker takes; it ends by panic beyond, so this lies far above what a demo opens.
const CONNECTIONS_MAX: usize = 256;
/// Largest message, as large as a source takes. **Unit**: bytes.
const PAYLOAD_BYTES_MAX: usize = 1 << 20;
/// Messages are kept for late readers in segments of this size. **Unit**: bytes.
const SEGMENT_BYTES: usize = 1 << 20;
/// Number of segments kept per topic filter; with the size above at most 4 MiB each.
const SEGMENTS: usize = 4;
/// Longest real time until the broker listens.
const START_MAX: Duration = Duration::from_secs(5);
/// Real time between two looks whether it does.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// A broker that runs.
#[derive(Debug, Clone, Copy)]
pub struct Broker {
    /// Where MQTT 3.1.1 is spoken.
    pub v311: SocketAddr,
    /// Where MQTT 5 is spoken.
    pub v5: SocketAddr,
}

impl Broker {
    /// Starts a broker on two ports of loopback and waits until it listens.
    ///
    /// # Errors
    /// No free port, no thread, or a broker that doesn't listen in time.
    pub async fn start() -> std::io::Result<Self> {
        Self::start_at(free_address()?, free_address()?).await
    }

    /// Starts a broker at the given addresses and waits until it listens.
    ///
    /// # Errors
    /// As [`Broker::start`].
    pub async fn start_at(v311: SocketAddr, v5: SocketAddr) -> std::io::Result<Self> {
        let config = Config {
            router: RouterConfig {
                max_connections: CONNECTIONS_MAX,
                max_outgoing_packet_count: 200,
                max_segment_size: SEGMENT_BYTES,
                max_segment_count: SEGMENTS,
                ..RouterConfig::default()
            },
            v4: Some([("v311".to_owned(), server("v311", v311))].into()),
            v5: Some([("v5".to_owned(), server("v5", v5))].into()),
            ..Config::default()
        };
        std::thread::Builder::new().name("broker".to_owned()).spawn(move || {
            if let Err(error) = rumqttd::Broker::new(config).start() {
                tracing::error!("the embedded broker ended: {error}");
            }
        })?;
        for address in [v311, v5] {
            listens(address).await?;
        }
        Ok(Self { v311, v5 })
    }
}

fn server(name: &str, listen: SocketAddr) -> ServerSettings {
    ServerSettings {
        name: name.to_owned(),
        listen,
        tls: None,
        next_connection_delay_ms: 1,
        connections: ConnectionSettings {
            connection_timeout_ms: 5_000,
            max_payload_size: PAYLOAD_BYTES_MAX,
            max_inflight_count: 100,
            auth: None,
            external_auth: None,
            dynamic_filters: true,
        },
    }
}

async fn listens(address: SocketAddr) -> std::io::Result<()> {
    let connecting = async {
        while tokio::net::TcpStream::connect(address).await.is_err() {
            tokio::time::sleep(LOOK_EVERY).await;
        }
    };
    tokio::time::timeout(START_MAX, connecting)
        .await
        .map_err(|_| std::io::Error::other(format!("the embedded broker doesn't listen at {address}")))
}

/// Returns a loopback address that was free a moment ago.
///
/// # Errors
/// There is none.
pub fn free_address() -> std::io::Result<SocketAddr> {
    std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()
}
