//! What a configuration says of products and of reasons to stop.

use serde::Deserialize;
use serde_spanned::Spanned;

use crate::model::id::{AssetId, ProductId, ReasonCode};
use crate::model::state::MachineState;
use crate::model::time::Period;
use crate::model::unit::ProductUnit;

/// One `[[product]]`: what assets that take `product` as context can be told to make.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProductConfig {
    /// Its id, as context names it.
    pub id: Spanned<ProductId>,
    /// What it is counted in. On an asset that counts in another unit its quantities enter no sum.
    #[serde(default)]
    pub product_unit: ProductUnit,
    /// Planned run times per unit (PRU), each from a day on. **Source**: ISO 22400-2.
    #[serde(default)]
    pub run_times: Vec<Spanned<RunTimeConfig>>,
    /// Planned scrap for each unit produced, 0 to 1. **Source**: ISO 22400-2, PSQ.
    pub planned_scrap_ratio: Option<Spanned<f64>>,
}

/// One planned run time per unit.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunTimeConfig {
    /// The time one unit takes.
    pub per_unit: Spanned<Period>,
    /// On which asset; without one on any that has none of its own.
    pub asset: Option<Spanned<AssetId>>,
    /// First day on which it holds, `YYYY-MM-DD` of the site; without one from the beginning.
    pub valid_from: Option<Spanned<String>>,
}

/// One `[[stop_reason]]`: a code that a stop can be told with.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StopReasonConfig {
    /// The code, as context names it.
    pub code: Spanned<ReasonCode>,
    /// What such a stop counts as.
    pub counts_as: StopCategory,
}

/// What a told stop counts as, in the time model of ISO 22400-2.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StopCategory {
    /// Planned down time: outside planned busy time.
    PlannedDown,
    /// Delay (ADET): an order runs, the machine doesn't.
    Delay,
    /// Down (ADOT): available, and no order runs.
    Down,
    /// Setup (AUST).
    Setup,
}

impl StopCategory {
    /// Returns the state that such a stop stands for.
    pub const fn state(self) -> MachineState {
        match self {
            Self::PlannedDown => MachineState::PlannedDown,
            Self::Delay => MachineState::Stopped,
            Self::Down => MachineState::Down,
            Self::Setup => MachineState::Setup,
        }
    }
}
