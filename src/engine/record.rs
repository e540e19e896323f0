//! From the facts of a closed window to its records, and from corrections to the next revision.

use std::collections::BTreeSet;

use sha2::{Digest as _, Sha256};

use super::Revision;
use super::carbon;
use super::clock_history::ClockHistory;
use super::kpi::{self, KpiContext, UsedFactors, grid};
use super::plant::{Asset, Machines, Plant};
use super::pollutant;
use super::windows::OpenWindow;
use crate::model::fact::{Facts, Measure, Merge};
use crate::model::id::Digest;
use crate::model::record::{CalendarRef, ClockState, WindowRecord};
use crate::model::time::{Grain, Window};

/// A window of one asset that closes.
#[derive(Debug)]
pub(super) struct Closed {
    pub(super) position: usize,
    pub(super) open: OpenWindow,
}

/// Returns the first records of windows that close, in their order; those without any fact have none.
pub(super) fn close(plant: &Plant, clock: &ClockHistory, closed: Vec<Closed>) -> Vec<WindowRecord> {
    let mut records = Vec::with_capacity(closed.len());
    let mut common: Option<Common> = None;
    let machines = if closed.is_empty() { Vec::new() } else { plant.all_machines() };
    for Closed { position, open: OpenWindow { grain, window, facts, .. } } in closed {
        if facts.is_empty() {
            continue;
        }
        let common = match &mut common {
            Some(common) if (common.grain, common.window) == (grain, window) => common,
            other => other.insert(Common::of(plant, clock, grain, window)),
        };
        let context = of_asset(common.context.clone(), plant, position, machines[position], window, &facts);
        let asset = &plant.assets[position];
        let calendar = common.calendar_of(plant, asset);
        let clock = common.clock;
        records.push(record(plant, asset, Frame { grain, window, revision: 1, clock, calendar }, facts, &context));
    }
    records
}

/// What the records of one window have in common, whatever the asset.
struct Common {
    grain: Grain,
    window: Window,
    context: KpiContext,
    clock: ClockState,
    /// By calendar; `None` before an asset asked for it.
    calendars: Vec<Option<CalendarRef>>,
}

impl Common {
    fn of(plant: &Plant, clock: &ClockHistory, grain: Grain, window: Window) -> Self {
        let calendars = vec![None; plant.calendars.len()];
        Self { grain, window, context: context(plant, window), clock: clock.worst(window), calendars }
    }

    fn calendar_of(&mut self, plant: &Plant, asset: &Asset) -> CalendarRef {
        match self.calendars.get_mut(asset.calendar) {
            Some(known) => known.get_or_insert_with(|| calendar_of(plant, asset, self.grain, self.window)).clone(),
            None => calendar_of(plant, asset, self.grain, self.window),
        }
    }
}

/// Returns the next revision of `previous`: its facts plus the correction, the stale ones as they were `merged` from
/// the window's minutes. `None` where `previous` is about another window.
pub fn revise(plant: &Plant, previous: &WindowRecord, revision: &Revision, merged: &Facts) -> Option<WindowRecord> {
    let asset = plant.assets.get(revision.asset)?;
    if asset.id != previous.asset || previous.grain != revision.grain || previous.window != revision.window {
        return None;
    }
    let mut facts = previous.facts.clone();
    facts.correct(&revision.correction);
    refresh(&mut facts, &revision.stale, merged);
    let context = context_of(plant, revision.asset, revision.window, &facts);
    let next = previous.revision + 1;
    let (grain, window, clock) = (revision.grain, revision.window, previous.clock);
    let calendar = calendar_of(plant, asset, grain, window);
    Some(record(plant, asset, Frame { grain, window, revision: next, clock, calendar }, facts, &context))
}

/// Returns the same window's record as another revision, stale measures as they were `merged` from its minutes: a
/// window that closes again after the calendar changed, or that was corrected while it was open.
pub fn reissue(
    plant: &Plant,
    closed: &WindowRecord,
    revision: u32,
    stale: &BTreeSet<u8>,
    merged: &Facts,
) -> Option<WindowRecord> {
    let position = plant.assets.iter().position(|asset| asset.id == closed.asset)?;
    let asset = plant.assets.get(position)?;
    let mut facts = closed.facts.clone();
    refresh(&mut facts, stale, merged);
    let context = context_of(plant, position, closed.window, &facts);
    let (grain, window, clock) = (closed.grain, closed.window, closed.clock);
    let calendar = calendar_of(plant, asset, grain, window);
    Some(record(plant, asset, Frame { grain, window, revision, clock, calendar }, facts, &context))
}

/// Puts stale measures right. A sum is right already, but for whether it is there at all.
fn refresh(facts: &mut Facts, stale: &BTreeSet<u8>, merged: &Facts) {
    for measure in stale.iter().filter_map(|code| Measure::ALL.get(usize::from(*code)).copied()) {
        match (measure.over_time(), merged.get(measure)) {
            (Merge::Sum, Some(_)) => {}
            (Merge::Sum, None) if facts.amount(measure) == 0 => facts.remove(measure),
            (Merge::Sum, None) => {}
            (_, Some(value)) => facts.set(measure, value),
            (_, None) => facts.remove(measure),
        }
    }
}

/// Returns the reference entries that an asset's facts of a window already rest on.
fn used(plant: &Plant, asset: usize, window: Window, facts: &Facts) -> UsedFactors {
    let mut used = UsedFactors::new();
    carbon::note_factors(plant, asset, window, facts, &mut used);
    pollutant::note_factors(plant, asset, window, &mut used);
    if let Some(tariff) = &plant.tariff {
        tariff.note_factors(window, &mut used);
    }
    used
}

/// Returns what KPIs of an asset's window need beside facts.
pub fn context_of(plant: &Plant, asset: usize, window: Window, facts: &Facts) -> KpiContext {
    of_asset(context(plant, window), plant, asset, plant.machines(asset), window, facts)
}

/// Returns what KPIs of this window need beside facts, whatever the asset.
fn context(plant: &Plant, window: Window) -> KpiContext {
    let year = plant.site_calendar().year_of(window);
    let grid = grid::choose(&plant.reference, year, plant.grid_factor);
    KpiContext::new(grid, plant.site_calendar().is_assumed()).with_reference(&plant.reference, year)
}

/// Adds to the context of a window what is the asset's own: the factors in its facts, the media it sums, whether a
/// calendar plans its machines, and whether they make unlike things.
fn of_asset(
    context: KpiContext,
    plant: &Plant,
    asset: usize,
    machines: Option<Machines>,
    window: Window,
    facts: &Facts,
) -> KpiContext {
    let summed = plant.assets.get(asset).map(|asset| {
        let media = asset.sum_children.media.iter().copied();
        media.filter(|medium| !asset.boundary.has(*medium)).collect()
    });
    let context = match machines {
        Some(Machines { is_calendar_assumed, .. }) => KpiContext { calendar_assumed: is_calendar_assumed, ..context },
        None => context,
    };
    context
        .with_unlike_members(machines.is_some_and(|machines| machines.make_unlike_things))
        .with_factors(used(plant, asset, window, facts))
        .with_summed(summed.unwrap_or_default())
}

/// A record's place in time.
struct Frame {
    grain: Grain,
    window: Window,
    revision: u32,
    clock: ClockState,
    calendar: CalendarRef,
}

fn record(plant: &Plant, asset: &Asset, frame: Frame, facts: Facts, context: &KpiContext) -> WindowRecord {
    let Frame { grain, window, revision, clock, calendar } = frame;
    WindowRecord {
        site: plant.site.clone(),
        asset: asset.id.clone(),
        level: asset.level,
        grain,
        window,
        revision,
        product_unit: asset.product_unit,
        kpis: kpi::evaluate_all(&facts, grain, context),
        config: plant.config,
        clock,
        calendar: Some(calendar),
        inputs_digest: inputs_digest(plant, asset, grain, window, revision, &facts),
        facts,
    }
}

/// Names the calendar by which the asset's window was planned.
fn calendar_of(plant: &Plant, asset: &Asset, grain: Grain, window: Window) -> CalendarRef {
    let calendar = plant.calendars.get(asset.calendar).unwrap_or_else(|| plant.site_calendar());
    let of_shift = grain == Grain::Shift;
    CalendarRef {
        name: calendar.name().to_owned(),
        version: calendar.version(),
        production_day: of_shift.then(|| calendar.production_day(window)),
        shift: of_shift.then(|| calendar.shift_name(window.start).map(str::to_owned)).flatten(),
    }
}

/// Returns the SHA-256 over configuration, identity, facts and the names of the asset's own tags: the key under which
/// the box finds the lineage of a published figure.
fn inputs_digest(plant: &Plant, asset: &Asset, grain: Grain, window: Window, revision: u32, facts: &Facts) -> Digest {
    let mut tags: Vec<&str> =
        asset.inputs().filter_map(|tag| plant.tags.get(tag.as_usize()).map(|spec| spec.name.as_str())).collect();
    tags.sort_unstable();
    let lineage = (&plant.site, &asset.id, grain.code(), window, revision, plant.config.0, facts, tags);
    let bytes = postcard::to_stdvec(&lineage).expect("ids and integers always encode");
    Digest(Sha256::digest(bytes).into())
}
