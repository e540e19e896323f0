//! The engine's state as bytes, so that a restart needs only the journal after it.
//!
//! Tags and assets are kept by name: a checkpoint outlives a change of configuration. A tag whose kind, unit or
//! decoding changed starts afresh, and so does one that becomes an input; a counter that changed still knows where it
//! ended, for a meter that was swapped meanwhile. Every format that was ever written is read.
//!
//! What was told and declared is a field of [`State`] each.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::blocks::Blocks;
use super::declared::Declarations;
use super::late::Late;
use super::plant::Plant;
use super::series::Series;
use super::windows::Windows;
use super::{AssetState, Engine, Refused, checkpoint_old};
use crate::model::fact::Facts;
use crate::model::id::{AssetId, Digest};
use crate::model::record::ClockState;
use crate::model::tag::{TagKind, TagSpec};
use crate::model::time::Timestamp;

/// Version of the format; the first byte. What any version wrote is frozen by a test: other bytes, another version.
const VERSION: u8 = 3;

/// A checkpoint that can't be read. The box doesn't start: what it published rests on this state, and from the journal
/// alone it would publish the same windows again.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CheckpointError {
    /// Written by a newer program.
    #[error(
        "the engine checkpoint has version {0}, this program reads versions 1 to {VERSION}: start the program that wrote it, \
         or a newer one"
    )]
    Version(u8),
    /// Damaged.
    #[error(
        "the engine checkpoint is damaged ({0}): restore a backup of the data directory; `parkgate replay --journal` still \
         computes the figures of this one"
    )]
    Damaged(String),
}

/// One asset's state.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct StoredAsset {
    pub(super) id: String,
    pub(super) closed_until: Timestamp,
    pub(super) windows: Windows,
    pub(super) blocks: Blocks,
    pub(super) waiting: BTreeMap<Timestamp, Facts>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct State {
    /// Of the configuration that ran.
    pub(super) config: Digest,
    pub(super) now: Timestamp,
    pub(super) started: Option<Timestamp>,
    pub(super) exact_from: Timestamp,
    pub(super) refused: Refused,
    pub(super) series: BTreeMap<String, Series>,
    pub(super) assets: Vec<StoredAsset>,
    pub(super) late: Late,
    pub(super) declared: Declarations,
    pub(super) told: BTreeMap<AssetId, super::context::History>,
}

impl State {
    /// Reads any format this program ever wrote.
    fn read(bytes: &[u8]) -> Result<Self, CheckpointError> {
        let (version, body) = bytes.split_first().ok_or_else(|| CheckpointError::Damaged("it is empty".to_owned()))?;
        let damaged = |error: postcard::Error| CheckpointError::Damaged(error.to_string());
        match *version {
            VERSION => postcard::from_bytes(body).map_err(damaged),
            1 | 2 => checkpoint_old::read(*version, body).map_err(damaged),
            other => Err(CheckpointError::Version(other)),
        }
    }
}

/// A tag's identity in a checkpoint: name, kind, unit and decoding.
fn key(tag: &TagSpec) -> String {
    format!("{}|{:?}|{}|{}", tag.name, tag.kind, tag.unit.as_str(), tag.decoding)
}

impl Engine {
    /// Returns the state as versioned bytes.
    pub fn checkpoint(&self) -> Vec<u8> {
        let specs = self.inputs.iter().map(|input| &self.plant.tags[input.as_usize()]);
        let asset = |(position, state): (usize, &AssetState)| StoredAsset {
            id: self.plant.assets[position].id.as_str().to_owned(),
            closed_until: self.groups[self.group_of[position]].closed_until,
            windows: state.windows.clone(),
            blocks: state.blocks.clone(),
            waiting: state.waiting.clone(),
        };
        let state = State {
            config: self.plant.config,
            now: self.now,
            started: self.started,
            exact_from: self.exact_from,
            refused: self.refused,
            series: self.series.iter().zip(specs).map(|(series, spec)| (key(spec), series.clone())).collect(),
            assets: self.assets.iter().enumerate().map(asset).collect(),
            late: self.late.clone(),
            declared: self.declared.clone(),
            told: self.told.by_asset(&self.plant.assets),
        };
        let mut bytes = vec![VERSION];
        bytes.extend(postcard::to_stdvec(&state).expect("names and integers always encode"));
        bytes
    }

    /// Makes an engine that goes on where the checkpoint was taken.
    ///
    /// # Errors
    /// [`CheckpointError`]; the caller stops.
    pub fn restore(plant: Arc<Plant>, clock: ClockState, bytes: &[u8]) -> Result<Self, CheckpointError> {
        let mut state = State::read(bytes)?;
        let mut engine = Self::new(plant, clock);
        for (series, input) in engine.series.iter_mut().zip(&engine.inputs) {
            let spec = &engine.plant.tags[input.as_usize()];
            *series = state.series.remove(&key(spec)).or_else(|| predecessor(&state, spec)).unwrap_or_default();
        }
        engine.mark_pieces();
        engine.now = state.now;
        engine.started = state.started;
        engine.refused = state.refused;
        engine.late = state.late;
        engine.declared = state.declared;
        engine.told.adopt(&engine.plant.assets, state.told);
        engine.exact_from = state.exact_from;
        if engine.started.is_some() {
            engine.adopt(state.assets, state.config);
        }
        Ok(engine)
    }

    /// Puts the assets' state in the order of the plant. One that the checkpoint doesn't have begins where its group,
    /// or the plant, is closed; of the time before it knows that it was not observed.
    fn adopt(&mut self, stored: Vec<StoredAsset>, config: Digest) {
        let closed = stored.iter().map(|asset| asset.closed_until);
        let (least, most) = (closed.clone().min(), closed.max());
        let mut known: BTreeMap<String, StoredAsset> =
            stored.into_iter().map(|asset| (asset.id.clone(), asset)).collect();
        for group in &mut self.groups {
            let ids = group.assets.iter().map(|asset| self.plant.assets[*asset].id.as_str());
            let of_members = ids.filter_map(|id| known.get(id).map(|asset| asset.closed_until)).max();
            group.closed_until = of_members.or(least).unwrap_or(Timestamp(i64::MIN));
        }
        let grains = &self.plant.grains;
        for (asset, state) in self.plant.assets.iter().zip(&mut self.assets) {
            let Some(StoredAsset { mut windows, blocks, waiting, .. }) = known.remove(asset.id.as_str()) else {
                continue;
            };
            windows.open.retain(|open| grains.contains(&open.grain));
            *state = AssetState { windows, blocks, waiting };
        }
        if config != self.plant.config {
            // Stored samples and facts of that time had other meanings.
            self.exact_from = self.exact_from.max(most.unwrap_or(self.exact_from));
        }
    }
}

/// Returns what a counter starts with of which the bounds or the decoding changed. With other bounds it goes on. With
/// another decoding it starts afresh, but knows where it ended, so that a told swap of its meter can bridge the change.
fn predecessor(state: &State, spec: &TagSpec) -> Option<Series> {
    if !matches!(spec.kind, TagKind::Counter { .. }) {
        return None;
    }
    let name = format!("{}|Counter", spec.name);
    let unit = format!("|{}|", spec.unit.as_str());
    let meaning = format!("{unit}{}", spec.decoding);
    let older = || state.series.range(name.clone()..).take_while(|(key, _)| key.starts_with(&name));
    if let Some((_, series)) = older().find(|(key, _)| key.ends_with(&meaning)) {
        return Some(series.clone());
    }
    older().find(|(key, _)| key.contains(&unit)).map(|(_, series)| series.clone().successor())
}
