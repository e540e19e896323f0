//! IN: each source turns what a device says into [`crate::model::sample::SampleBatch`]es for the pipeline's inbox.
//!
//! - `checks`: marks values that can't be right, for all sources
//! - `modbus`: polls Modbus TCP devices with function codes 1 to 4
//! - `mqtt`: subscribes to a plant's broker, 3.1.1 or 5
//!
//! A source is one folder: `config`, the pure part (`plan` and `decode`, or `payload`) and the shell that does I/O. It
//! acknowledges upstream only what the pipeline reports as committed, never sees a sink, and never writes to a plant.

pub mod checks;
pub mod modbus;
pub mod mqtt;

use crate::model::id::SourceName;
use crate::model::time::Timestamp;
use crate::runtime::health::{Health, Status};
use checks::Checks;

/// Brings what a source's checks marked onto the health board, as component `checks.<source>`.
fn report_checks(checks: &mut Checks, source: &SourceName, health: &Health, now: Timestamp) {
    let Some(standing) = checks.standing() else { return };
    let reporter = health.reporter(&format!("checks.{source}"), now);
    reporter.add(&standing.counts);
    let status = if standing.detail.is_empty() { Status::Ok } else { Status::Degraded };
    if reporter.set(status, &*standing.detail, now) && status == Status::Degraded {
        tracing::warn!(source = %source, "source {source}: values to check: {}", standing.detail);
    }
}
