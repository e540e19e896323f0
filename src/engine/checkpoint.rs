//! The engine's state as bytes, so that a restart needs only the journal after it.
//!
//! Tags and assets are kept by name: a checkpoint outlives a change of configuration. A tag whose kind, unit or
//! decoding changed starts afresh.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::plant::Plant;
use super::series::Series;
use super::windows::{OpenWindow, Windows};
use super::{Engine, Refused};
use crate::model::id::AssetId;
use crate::model::record::ClockState;
use crate::model::tag::TagSpec;
use crate::model::time::{Timestamp, Window};

/// Version of the format; the first byte.
const VERSION: u8 = 1;

/// A checkpoint that can't be read. The caller rebuilds the engine from the whole journal.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CheckpointError {
    /// Written by another format version.
    #[error("the engine checkpoint has version {0}, this program reads version {VERSION}")]
    Version(u8),
    /// Damaged.
    #[error("the engine checkpoint is damaged: {0}")]
    Damaged(String),
}

#[derive(Serialize, Deserialize)]
struct State {
    closed_until: Option<Timestamp>,
    now: Timestamp,
    refused: Refused,
    series: BTreeMap<String, Series>,
    assets: Vec<AssetId>,
    windows: Windows,
}

/// A tag's identity in a checkpoint: name, kind, unit and decoding.
fn key(tag: &TagSpec) -> String {
    format!("{}|{:?}|{}|{}", tag.name, tag.kind, tag.unit.as_str(), tag.decoding)
}

impl Engine {
    /// Returns the state as versioned bytes.
    pub fn checkpoint(&self) -> Vec<u8> {
        let state = State {
            closed_until: self.closed_until,
            now: self.now,
            refused: self.refused,
            series: self.plant.tags.iter().map(key).zip(self.series.iter().cloned()).collect(),
            assets: self.plant.assets.iter().map(|asset| asset.id.clone()).collect(),
            windows: self.windows.clone(),
        };
        let mut bytes = vec![VERSION];
        bytes.extend(postcard::to_stdvec(&state).expect("names and integers always encode"));
        bytes
    }

    /// Makes an engine that goes on where the checkpoint was taken.
    ///
    /// # Errors
    /// [`CheckpointError`]; the caller starts from the whole journal instead.
    pub fn restore(plant: Arc<Plant>, clock: ClockState, bytes: &[u8]) -> Result<Self, CheckpointError> {
        let (version, body) = bytes.split_first().ok_or_else(|| CheckpointError::Damaged("it is empty".to_owned()))?;
        if *version != VERSION {
            return Err(CheckpointError::Version(*version));
        }
        let mut state: State =
            postcard::from_bytes(body).map_err(|error| CheckpointError::Damaged(error.to_string()))?;
        let mut engine = Self::new(plant, clock);
        for (series, spec) in engine.series.iter_mut().zip(&engine.plant.tags) {
            *series = state.series.remove(&key(spec)).unwrap_or_default();
        }
        engine.windows = adopt(&engine, &state.assets, state.windows, state.closed_until);
        engine.closed_until = state.closed_until;
        engine.now = state.now;
        engine.refused = state.refused;
        Ok(engine)
    }
}

/// Brings the windows into the order of the plant's assets and drops grains that it no longer has. An asset that is
/// new has not been observed so far.
fn adopt(engine: &Engine, assets: &[AssetId], windows: Windows, closed_until: Option<Timestamp>) -> Windows {
    let plant = &engine.plant;
    let position = |id: &AssetId| assets.iter().position(|held| held == id);
    let order: Vec<Option<usize>> = plant.assets.iter().map(|asset| position(&asset.id)).collect();
    let adopt_window = |open: OpenWindow| {
        let so_far = Window { start: open.window.start, end: closed_until.unwrap_or(open.window.start) };
        let unobserved = engine.unobserved(so_far);
        let held = order.iter().map(|from| from.and_then(|from| open.facts.get(from).cloned()));
        OpenWindow { facts: held.zip(unobserved).map(|(held, fresh)| held.unwrap_or(fresh)).collect(), ..open }
    };
    Windows {
        open: windows.open.into_iter().filter(|open| plant.grains.contains(&open.grain)).map(adopt_window).collect(),
        half_hour: order
            .iter()
            .map(|from| from.and_then(|from| windows.half_hour.get(from).copied()).unwrap_or(0))
            .collect(),
    }
}
