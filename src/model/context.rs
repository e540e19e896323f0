//! Production context: what people and systems tell of an asset that no meter shows, such as which product runs, which
//! order, why a machine stands, and what was counted by hand.
//!
//! An event names its own instant, so that one that comes late counts where it belongs. It has ids and codes and
//! numbers, never a name of a person and never free text: nothing of it can carry either into a record.

pub mod document;

use serde::{Deserialize, Serialize};

use super::fact::Measure;
use super::id::{AssetId, EventId, OrderId, ProductId, ReasonCode};
use super::time::Timestamp;

/// One thing told of one asset.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ContextEvent {
    /// What its sender calls it: the same id again for the same asset is the same event. Without one, events of an
    /// asset that tell the same kind of thing of the same instant are the same event.
    pub id: Option<EventId>,
    /// Of which asset.
    pub asset: AssetId,
    /// When it was so, by the plant's own clock.
    pub at: Timestamp,
    /// What is told.
    pub what: Context,
}

/// What can be told. Variants and fields are only ever appended: databases and checkpoints keep the position.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Context {
    /// From the instant on the asset makes this product, or none.
    Product {
        /// Which; `None` ends the one before.
        product: Option<ProductId>,
    },
    /// The asset starts, or goes on, to work on an order. Several may run at once.
    OrderStart {
        /// Which.
        order: OrderId,
        /// Planned order quantity. **Unit**: 10⁻⁶ of the product unit.
        planned_micro: Option<i64>,
        /// Planned order execution time (POET): over it the planned quantity is spread evenly. **Unit**: ms.
        planned_ms: Option<i64>,
    },
    /// The asset no longer works on an order.
    OrderEnd {
        /// Which.
        order: OrderId,
    },
    /// A plan for the time from the instant to `until`, spread evenly over it.
    Plan {
        /// End of the plan, exclusive.
        until: Timestamp,
        /// Planned quantity. **Unit**: 10⁻⁶ of the product unit.
        quantity_micro: Option<i64>,
        /// Planned scrap quantity (PSQ). **Unit**: 10⁻⁶ of the product unit.
        scrap_micro: Option<i64>,
    },
    /// From the instant on the machine stands for this reason, or for none that is told.
    Stop {
        /// Code of the plant's list of stop reasons; `None` ends the stop.
        reason: Option<ReasonCode>,
    },
    /// A quantity that was counted by hand or by a system.
    Quantity {
        /// Of what.
        of: Counted,
        /// How much. **Unit**: 10⁻⁶ of the product unit.
        micro: i64,
        /// Where given the quantity came evenly from then to the event's instant; else at that instant.
        from: Option<Timestamp>,
        /// Why the parts were bad, where that is what is counted.
        reason: Option<ReasonCode>,
    },
    /// From the instant on so many people are there and at work. Numbers, never names.
    Personnel {
        /// People who attend.
        present: u32,
        /// Those of them who work on the asset.
        working: u32,
    },
    /// The event of that id never was, whichever comes first. It can be told again under another id.
    Withdrawn,
}

/// What an asset may declare that it is told: [`Context`] by what it is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ContextKind {
    /// Which product runs.
    Product,
    /// Orders.
    Order,
    /// Planned quantities.
    Plan,
    /// Stops and their reasons.
    Stop,
    /// Numbers of people.
    Personnel,
    /// Produced quantities.
    Produced,
    /// Good quantities.
    Good,
    /// Scrap.
    Scrap,
    /// Rework.
    Rework,
    /// Inspected and first-pass quantities.
    Inspection,
    /// Consumed material and its losses.
    Material,
}

impl ContextKind {
    /// Every kind.
    pub const ALL: [Self; 11] = [
        Self::Product,
        Self::Order,
        Self::Plan,
        Self::Stop,
        Self::Personnel,
        Self::Produced,
        Self::Good,
        Self::Scrap,
        Self::Rework,
        Self::Inspection,
        Self::Material,
    ];

    /// Returns the name used in configuration and messages.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Product => "product",
            Self::Order => "order",
            Self::Plan => "plan",
            Self::Stop => "stop",
            Self::Personnel => "personnel",
            Self::Produced => "produced",
            Self::Good => "good",
            Self::Scrap => "scrap",
            Self::Rework => "rework",
            Self::Inspection => "inspection",
            Self::Material => "material",
        }
    }
}

impl Context {
    /// Returns what an asset has to take for this to count; `None` where any asset that takes anything does.
    pub const fn kind(&self) -> Option<ContextKind> {
        Some(match self {
            Self::Product { .. } => ContextKind::Product,
            Self::OrderStart { .. } | Self::OrderEnd { .. } => ContextKind::Order,
            Self::Plan { .. } => ContextKind::Plan,
            Self::Stop { .. } => ContextKind::Stop,
            Self::Quantity { of, .. } => of.kind(),
            Self::Personnel { .. } => ContextKind::Personnel,
            Self::Withdrawn => return None,
        })
    }
}

/// What a told quantity counts. **Source**: elements of ISO 22400-2.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Counted {
    /// Produced (PQ).
    Produced,
    /// Good (GQ).
    Good,
    /// Scrap (SQ).
    Scrap,
    /// To be reworked (RQ).
    Rework,
    /// Inspected for the first time (IP).
    Inspected,
    /// Good at the first inspection (GP).
    FirstPass,
    /// Consumed material (CM).
    Consumed,
    /// Integrated good quantity (IGQ).
    IntegratedGood,
    /// Lost in production (PL).
    ProductionLoss,
    /// Lost in storage and transport (STL).
    StorageLoss,
    /// Lost otherwise (OL).
    OtherLoss,
}

impl Counted {
    /// Everything that can be counted.
    pub const ALL: [Self; 11] = [
        Self::Produced,
        Self::Good,
        Self::Scrap,
        Self::Rework,
        Self::Inspected,
        Self::FirstPass,
        Self::Consumed,
        Self::IntegratedGood,
        Self::ProductionLoss,
        Self::StorageLoss,
        Self::OtherLoss,
    ];

    /// Returns the name used in JSON and CSV.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Produced => "produced",
            Self::Good => "good",
            Self::Scrap => "scrap",
            Self::Rework => "rework",
            Self::Inspected => "inspected",
            Self::FirstPass => "first_pass",
            Self::Consumed => "consumed",
            Self::IntegratedGood => "integrated_good",
            Self::ProductionLoss => "production_loss",
            Self::StorageLoss => "storage_loss",
            Self::OtherLoss => "other_loss",
        }
    }

    /// Returns what an asset has to take for such a quantity to count.
    pub const fn kind(self) -> ContextKind {
        match self {
            Self::Produced => ContextKind::Produced,
            Self::Good => ContextKind::Good,
            Self::Scrap => ContextKind::Scrap,
            Self::Rework => ContextKind::Rework,
            Self::Inspected | Self::FirstPass => ContextKind::Inspection,
            Self::Consumed | Self::IntegratedGood | Self::ProductionLoss | Self::StorageLoss | Self::OtherLoss => {
                ContextKind::Material
            }
        }
    }

    /// Returns the measure it adds to.
    pub const fn measure(self) -> Measure {
        match self {
            Self::Produced => Measure::ProducedQuantity,
            Self::Good => Measure::GoodQuantity,
            Self::Scrap => Measure::ScrapQuantity,
            Self::Rework => Measure::ReworkQuantity,
            Self::Inspected => Measure::InspectedParts,
            Self::FirstPass => Measure::GoodParts,
            Self::Consumed => Measure::ConsumedMaterial,
            Self::IntegratedGood => Measure::IntegratedGoodQuantity,
            Self::ProductionLoss => Measure::ProductionLoss,
            Self::StorageLoss => Measure::StorageLoss,
            Self::OtherLoss => Measure::OtherLoss,
        }
    }

    /// Returns what a name counts.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|counted| counted.as_str() == name)
    }
}
