//! What assets are told of their production: products, orders, plans, stops, people, and quantities counted by hand.
//!
//! In: [`ContextEvent`]s in any order. Out: what held in a span of time. Nothing depends on the order in which events
//! came: of two that contradict each other always the same one counts. What is told of a closed minute has it computed
//! again. Kept for the horizon of everything that is computed, and of what lasts until something else is told also the
//! last word before it.

mod history;
mod view;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub(super) use history::History;
use history::Taken;
pub(super) use view::{Slice, View};

use super::plant::{Asset, Plant};
use super::series::HORIZON_MS;
use super::{AHEAD_MS_MAX, Engine};
use crate::model::context::{Context, ContextEvent};
use crate::model::id::AssetId;
use crate::model::time::{Timestamp, Window};

/// How long a number of people stands without another word. Nobody works longer, so a forgotten end costs no more.
/// **Unit**: ms.
pub const PERSONNEL_MS_MAX: i64 = 24 * 3_600_000;

/// Longest order, plan and stop, and longest time over which a quantity is spread: what is told of a minute is then
/// never older than what is kept. **Unit**: ms.
pub const LASTING_MS_MAX: i64 = HORIZON_MS;

/// Events that came of assets, by what became of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ContextTally {
    /// They count.
    pub taken: u64,
    /// Told again.
    pub duplicate: u64,
    /// Told otherwise than before, under the same id or of the same instant: one of the two counts.
    pub contradicted: u64,
    /// Stamped further ahead of the clock than a sample may be; a plan further than it could last.
    pub ahead: u64,
    /// Older than anything that is computed.
    pub too_late: u64,
    /// Of an asset, a product or a reason that the configuration doesn't have, of a kind that the asset doesn't take,
    /// or longer than anything may last.
    pub refused: u64,
    /// The asset is told more than is kept.
    pub full: u64,
}

impl ContextTally {
    /// Returns each count by its name on the health board.
    pub const fn counts(&self) -> [(&'static str, u64); 7] {
        [
            ("context_taken", self.taken),
            ("context_duplicate", self.duplicate),
            ("context_contradicted", self.contradicted),
            ("context_ahead_of_the_clock", self.ahead),
            ("context_too_late", self.too_late),
            ("context_refused", self.refused),
            ("context_over_limit", self.full),
        ]
    }

    /// Adds what came after.
    pub fn merge(&mut self, later: Self) {
        self.taken += later.taken;
        self.duplicate += later.duplicate;
        self.contradicted += later.contradicted;
        self.ahead += later.ahead;
        self.too_late += later.too_late;
        self.refused += later.refused;
        self.full += later.full;
    }
}

/// Why an event can't count, in words for whoever told it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// No such asset.
    #[error("asset \"{0}\" is not in the configuration")]
    Asset(String),
    /// The asset isn't told that.
    #[error("asset \"{asset}\" doesn't take \"{kind}\": add it to its takes_context")]
    Kind {
        /// Which asset.
        asset: String,
        /// What it would have to take.
        kind: &'static str,
    },
    /// No such product.
    #[error("product \"{0}\" is not in the configuration: add a [[product]]")]
    Product(String),
    /// No such reason.
    #[error("stop reason \"{0}\" is not in the configuration: add a [[stop_reason]]")]
    Reason(String),
    /// It would last longer than anything is kept.
    #[error("it lasts longer than {} days", LASTING_MS_MAX / 86_400_000)]
    Lasting,
}

/// Says whether a plant can take an event, whenever it was; returns the asset's position.
///
/// # Errors
/// [`Refusal`]: the event would count for nothing.
pub fn judge(plant: &Plant, event: &ContextEvent) -> Result<usize, Refusal> {
    let found = plant.assets.iter().position(|asset| asset.id == event.asset);
    let position = found.ok_or_else(|| Refusal::Asset(event.asset.to_string()))?;
    let asset = &plant.assets[position];
    if let Some(kind) = event.what.kind().filter(|kind| !asset.takes.contains(kind)) {
        return Err(Refusal::Kind { asset: asset.id.to_string(), kind: kind.as_str() });
    }
    match &event.what {
        Context::Product { product: Some(product) } if plant.product(product).is_none() => {
            Err(Refusal::Product(product.to_string()))
        }
        Context::Stop { reason: Some(reason) } if !plant.stop_reasons.contains_key(reason) => {
            Err(Refusal::Reason(reason.to_string()))
        }
        what if lasting_ms(event.at, what) > LASTING_MS_MAX => Err(Refusal::Lasting),
        _ => Ok(position),
    }
}

/// Returns how long what is told lasts by itself. **Unit**: ms.
fn lasting_ms(at: Timestamp, what: &Context) -> i64 {
    match what {
        Context::Plan { until, .. } => until.ms_since(at),
        Context::Quantity { from: Some(from), .. } => at.ms_since(*from),
        Context::OrderStart { planned_ms: Some(ms), .. } => *ms,
        _ => 0,
    }
}

/// What every asset was told, by position.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Told {
    histories: Vec<History>,
    tally: ContextTally,
}

impl Told {
    /// Makes the state of a plant that was told nothing.
    pub(super) fn new(assets: &[Asset]) -> Self {
        Self { histories: vec![History::default(); assets.len()], tally: ContextTally::default() }
    }

    /// Takes an event; returns the asset and the span in which its facts may be others than they were.
    fn hear(&mut self, plant: &Plant, event: &ContextEvent, now: Timestamp) -> Option<(usize, Window)> {
        let Ok(asset) = judge(plant, event) else {
            self.tally.refused += 1;
            return None;
        };
        // A plan is told before its time; anything else from the future is a wrong clock.
        let ahead_ms = if matches!(event.what, Context::Plan { .. }) { LASTING_MS_MAX } else { AHEAD_MS_MAX };
        if event.at > now + ahead_ms {
            self.tally.ahead += 1;
            return None;
        }
        let oldest = now - HORIZON_MS;
        // What lasts until something else is told also counts after the horizon's beginning.
        if event.at < oldest && !matches!(event.what, Context::Plan { until, .. } if until > oldest) {
            self.tally.too_late += 1;
            return None;
        }
        let history = &mut self.histories[asset];
        history.forget(oldest);
        match history.take(event, now) {
            Taken::Counts(span) => {
                self.tally.taken += 1;
                return Some((asset, span));
            }
            Taken::Instead(span) => {
                self.tally.contradicted += 1;
                return Some((asset, span));
            }
            Taken::Beaten => self.tally.contradicted += 1,
            Taken::Again => self.tally.duplicate += 1,
            Taken::Full => self.tally.full += 1,
        }
        None
    }

    /// Returns what one asset was told.
    pub(super) fn view<'a>(&'a self, plant: &'a Plant, asset: usize) -> View<'a> {
        View::new(&self.histories[asset], plant, asset)
    }

    /// Returns and resets what became of events.
    pub(super) fn take_tally(&mut self) -> ContextTally {
        std::mem::take(&mut self.tally)
    }

    /// Returns the newest instant of which something was told.
    pub(super) fn latest(&self) -> Option<Timestamp> {
        self.histories.iter().filter_map(History::latest).max()
    }

    /// Returns what is kept, by asset, as a checkpoint holds it.
    pub(super) fn by_asset(&self, assets: &[Asset]) -> BTreeMap<AssetId, History> {
        let told = assets.iter().zip(&self.histories).filter(|(_, history)| !history.is_empty());
        told.map(|(asset, history)| (asset.id.clone(), history.clone())).collect()
    }

    /// Takes back what a checkpoint held; what was told of an asset that is gone goes with it.
    pub(super) fn adopt(&mut self, assets: &[Asset], mut held: BTreeMap<AssetId, History>) {
        for (asset, history) in assets.iter().zip(&mut self.histories) {
            if let Some(held) = held.remove(&asset.id) {
                *history = held.restored();
            }
        }
    }
}

impl Engine {
    /// Takes one thing told of an asset. Minutes that are closed are computed again.
    pub(super) fn hear_context(&mut self, event: &ContextEvent, now: Timestamp) {
        if let Some((asset, span)) = self.told.hear(&self.plant, event, now) {
            self.touch(asset, span);
        }
    }
}

#[cfg(test)]
mod tests;
