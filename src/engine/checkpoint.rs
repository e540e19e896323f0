//! The engine's state as bytes, so that a restart needs only the journal after it.
//!
//! Tags and assets are kept by name: a checkpoint outlives a change of configuration. A tag whose kind, unit or
//! decoding changed starts afresh, and so does one that becomes an input; a counter that changed still knows where it
//! ended, for a meter that was swapped meanwhile. Every format that was ever written is read.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::plant::Plant;
use super::series::{Series, SeriesV1};
use super::windows::{OpenWindow, Windows};
use super::{Engine, Refused};
use crate::model::id::AssetId;
use crate::model::record::ClockState;
use crate::model::tag::{TagKind, TagSpec};
use crate::model::time::{Timestamp, Window};

/// Version of the format; the first byte. What any version wrote is frozen by a test: other bytes, another version.
const VERSION: u8 = 2;

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

#[derive(Serialize, Deserialize)]
struct State<S> {
    closed_until: Option<Timestamp>,
    now: Timestamp,
    refused: Refused,
    series: BTreeMap<String, S>,
    assets: Vec<AssetId>,
    windows: Windows,
}

impl State<Series> {
    /// Reads any format this program ever wrote.
    fn read(bytes: &[u8]) -> Result<Self, CheckpointError> {
        let (version, body) = bytes.split_first().ok_or_else(|| CheckpointError::Damaged("it is empty".to_owned()))?;
        let damaged = |error: postcard::Error| CheckpointError::Damaged(error.to_string());
        match *version {
            VERSION => postcard::from_bytes(body).map_err(damaged),
            1 => postcard::from_bytes::<State<SeriesV1>>(body).map(Self::from).map_err(damaged),
            other => Err(CheckpointError::Version(other)),
        }
    }
}

impl From<State<SeriesV1>> for State<Series> {
    fn from(old: State<SeriesV1>) -> Self {
        let State { closed_until, now, refused, series, assets, windows } = old;
        let series = series.into_iter().map(|(key, series)| (key, series.into())).collect();
        Self { closed_until, now, refused, series, assets, windows }
    }
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
            series: self.each_input().map(|(series, spec)| (key(spec), series.clone())).collect(),
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
    /// [`CheckpointError`]; the caller stops.
    pub fn restore(plant: Arc<Plant>, clock: ClockState, bytes: &[u8]) -> Result<Self, CheckpointError> {
        let mut state = State::read(bytes)?;
        let mut engine = Self::new(plant, clock);
        for (series, input) in engine.series.iter_mut().zip(&engine.inputs) {
            let spec = &engine.plant.tags[input.as_usize()];
            *series = state.series.remove(&key(spec)).or_else(|| predecessor(&state, spec)).unwrap_or_default();
        }
        engine.windows = adopt(&engine, &state.assets, state.windows, state.closed_until);
        engine.closed_until = state.closed_until;
        engine.now = state.now;
        engine.refused = state.refused;
        Ok(engine)
    }
}

/// Returns what a counter starts with of which the bounds or the decoding changed. With other bounds it goes on. With
/// another decoding it starts afresh, but knows where it ended, so that a told swap of its meter can bridge the change.
fn predecessor(state: &State<Series>, spec: &TagSpec) -> Option<Series> {
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
