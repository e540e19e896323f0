//! Share policies: what may leave the factory, and how fine.

use serde::{Deserialize, Serialize};

use super::record::{KpiId, Level};
use super::time::Grain;

/// What one destination may see. Nothing else leaves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SharePolicy {
    /// The KPIs, ascending; each carries its facts at the shared level.
    pub kpis: Vec<KpiId>,
    /// The finest level of the hierarchy; wider ones go out too.
    pub level: Level,
    /// The one grain that goes out; the hub derives coarser ones by merging facts.
    pub grain: Grain,
}
