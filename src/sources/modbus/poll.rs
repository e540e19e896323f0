//! The poll loop of one endpoint.

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::device::Endpoint;
use crate::model::sample::SampleBatch;
use crate::runtime::clock::Clock;
use crate::runtime::health::Health;

/// Polls the devices of one endpoint until `token` is cancelled.
pub async fn run(
    _endpoint: Endpoint,
    _clock: Clock,
    _health: Health,
    _inbox: mpsc::Sender<SampleBatch>,
    token: CancellationToken,
) {
    token.cancelled().await;
}
