//! The formats in which checkpoints were written before, turned into the present one.
//!
//! Versions 1 and 2 held one open window of each grain with the facts of every asset, one instant up to which the whole
//! plant was closed, and of blocks the running half hour's electricity.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::Refused;
use super::blocks::Blocks;
use super::checkpoint::{State, StoredAsset};
use super::counter::Counter;
use super::declared::Declarations;
use super::late::Late;
use super::minute::{Minutes, TagMinute};
use super::series::{Events, Series};
use super::windows::{OpenWindow, Windows};
use crate::model::fact::{Facts, Measure};
use crate::model::id::{AssetId, Digest};
use crate::model::number::Number;
use crate::model::sample::Quality;
use crate::model::state::MachineState;
use crate::model::time::{Grain, Timestamp, Window};

/// Reads versions 1 and 2.
pub(super) fn read(version: u8, body: &[u8]) -> Result<State, postcard::Error> {
    Ok(match version {
        1 => postcard::from_bytes::<OldState<SeriesV1>>(body)?.into(),
        _ => postcard::from_bytes::<OldState<SeriesV2>>(body)?.into(),
    })
}

#[derive(Deserialize)]
struct OldState<S> {
    closed_until: Option<Timestamp>,
    now: Timestamp,
    refused: Refused,
    series: BTreeMap<String, S>,
    assets: Vec<AssetId>,
    windows: OldWindows,
}

#[derive(Deserialize)]
struct OldWindows {
    open: Vec<OldWindow>,
    half_hour: Vec<i128>,
}

#[derive(Deserialize)]
struct OldWindow {
    grain: Grain,
    window: Window,
    facts: Vec<Facts>,
}

#[derive(Serialize, Deserialize)]
struct OldMinute {
    amount: i128,
    substituted: i128,
    excluded: i128,
    observed_ms: i64,
    states: Vec<(Timestamp, Timestamp, MachineState)>,
}

#[derive(Deserialize)]
struct SeriesV1 {
    pending: BTreeMap<Timestamp, (Quality, Option<Number>)>,
    seen: Option<Timestamp>,
    last: Option<(Timestamp, i128)>,
    before_fall: Option<(Timestamp, i128)>,
    booked_until: Timestamp,
    carry: i128,
    minutes: BTreeMap<Timestamp, OldMinute>,
}

#[derive(Deserialize)]
struct SeriesV2 {
    pending: BTreeMap<Timestamp, (Quality, Option<Number>)>,
    seen: Option<Timestamp>,
    last: Option<(Timestamp, i128)>,
    counter: Counter,
    stands: bool,
    booked_until: Timestamp,
    carry: i128,
    minutes: BTreeMap<Timestamp, OldMinute>,
    events: Events,
    confirmations: BTreeSet<Timestamp>,
    confirmed_until: Option<Timestamp>,
    lag_ms: i64,
}

impl From<SeriesV1> for SeriesV2 {
    fn from(old: SeriesV1) -> Self {
        let SeriesV1 { pending, seen, last, before_fall, booked_until, carry, minutes } = old;
        let counter = Counter::of(last, before_fall);
        let stands = last.is_some_and(|(at, _)| seen == Some(at));
        let (events, confirmations) = (Events::default(), BTreeSet::new());
        let (confirmed_until, lag_ms) = (None, 0);
        Self {
            pending,
            seen,
            last,
            counter,
            stands,
            booked_until,
            carry,
            minutes,
            events,
            confirmations,
            confirmed_until,
            lag_ms,
        }
    }
}

impl From<SeriesV2> for Series {
    fn from(old: SeriesV2) -> Self {
        // The amount that the last minute's rounding left belongs to the minute that is being integrated.
        let mut carry = old.carry;
        let minute = |(minute, held): (Timestamp, OldMinute)| {
            let OldMinute { amount, substituted, excluded, observed_ms, states } = held;
            let energy = std::mem::take(&mut carry);
            let rest = TagMinute { states, energy, ..TagMinute::default() };
            (minute, TagMinute { amount, substituted, excluded, observed_ms, ..rest })
        };
        let minutes: Minutes = old.minutes.into_iter().map(minute).collect();
        let usable = old.counter.standing().map(|(at, _)| at).or(old.last.map(|(at, _)| at));
        Self {
            pending: old.pending.into_iter().map(|(at, (quality, value))| (at, quality, value)).collect(),
            // What the last processed sample said wasn't kept; nothing that comes again for its instant is better.
            seen: old.seen.map(|at| (at, Quality::Good, Some(Number::Float(f64::MAX)))),
            usable,
            last: old.last,
            // Of anything but a state it is never asked for.
            known: old.last.and_then(|(_, code)| MachineState::from_code(code)),
            counter: old.counter,
            stands: old.stands,
            booked_until: old.booked_until,
            minutes,
            events: old.events,
            confirmations: old.confirmations,
            confirmed_until: old.confirmed_until,
            lag_ms: old.lag_ms,
            ..Self::default()
        }
    }
}

impl<S> From<OldState<S>> for State
where
    SeriesV2: From<S>,
{
    fn from(old: OldState<S>) -> Self {
        let OldState { closed_until, now, refused, series, assets, mut windows } = old;
        let asset = |(position, id): (usize, AssetId)| StoredAsset {
            id: id.as_str().to_owned(),
            closed_until: closed_until.unwrap_or(Timestamp(i64::MIN)),
            windows: Windows { open: windows.open.iter_mut().filter_map(|window| window.of(position)).collect() },
            blocks: Blocks::of_half_hour(windows.half_hour.get(position).copied().unwrap_or(0)),
            waiting: BTreeMap::new(),
        };
        let assets: Vec<StoredAsset> = assets.into_iter().enumerate().map(asset).collect();
        let series = series.into_iter().map(|(key, series)| (key, SeriesV2::from(series).into())).collect();
        Self {
            // Another one than any: what was stored before isn't computed again.
            config: Digest::ZERO,
            now,
            started: closed_until,
            exact_from: closed_until.unwrap_or(Timestamp(i64::MIN)),
            refused,
            series,
            assets,
            late: Late::default(),
            declared: Declarations::default(),
            told: BTreeMap::new(),
        }
    }
}

impl OldWindow {
    /// Takes out what one asset has of it.
    fn of(&mut self, position: usize) -> Option<OpenWindow> {
        let mut facts = std::mem::take(self.facts.get_mut(position)?);
        // What came from the grid wasn't told apart: with nothing generated or given back, it is all of it. A window that
        // began then must not count the grid's share of its later minutes alone.
        if let Some(energy) = facts.get(Measure::Electricity) {
            facts.set(Measure::ElectricityImport, energy);
        }
        Some(OpenWindow { grain: self.grain, window: self.window, facts, stale: BTreeSet::new() })
    }
}
