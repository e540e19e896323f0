//! Declared inputs: what approved declarations add to months and years, and to a day that holds one whole.
//!
//! In: statements in the order of the journal. Out: facts to merge into a window that closes, and corrections of
//! windows that had closed before. A declaration that nobody approved adds nothing. What it adds is worked out once,
//! at its approval, and taken back exactly where it is withdrawn or replaced.
//!
//! A quantity is spread evenly over its period: a window gets what is due by its end less what is due by its start,
//! each rounded down, so that the windows of a period together have all of it. Finer windows get nothing: nobody knows
//! at which hour a month's diesel was burnt.

pub mod form;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::Revision;
use super::carbon::{self, Emission};
use super::plant::Plant;
use crate::model::declared::{Declared, DeclaredKind, DeclaredUnit, WasteStream};
use crate::model::fact::{Facts, Measure};
use crate::model::id::{AssetId, EmissionId};
use crate::model::statement::{Said, Statement};
use crate::model::time::{Grain, Timestamp, Window};

/// How long after its end a declaration is kept, 18 months: a year closes with everything declared for it, and can
/// still be revised half a year later. Older ones stay in what was published and can't be changed. **Unit**: ms.
pub const KEPT_MS: i64 = 548 * 86_400_000;

/// Longest period, 13 months: a supplier's year is not always a calendar year. **Unit**: ms.
pub const PERIOD_MS_MAX: i64 = 397 * 86_400_000;

/// Windows that closed before they were revised take at most one revision in this time. **Unit**: ms of plant time.
const REVISED_EVERY_MS: i64 = 15 * 60_000;

/// Direct emissions, which sources without a declaration are missing from.
const DIRECT: [Measure; 4] =
    [Measure::StationaryCo2e, Measure::MobileCo2e, Measure::ProcessCo2e, Measure::FugitiveCo2e];

/// What was declared and still matters.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(super) struct Declarations {
    /// By number: entered, not approved.
    waiting: BTreeMap<i64, Declared>,
    /// By number: those that count.
    approved: BTreeMap<i64, Approved>,
    /// What is to be added to windows that had closed, until the next quarter hour.
    due: BTreeMap<(Grain, Window, AssetId), Facts>,
}

/// A declaration that counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Approved {
    declared: Declared,
    /// Its facts by calendar year: a factor is one of a year.
    parts: Vec<(Window, Facts)>,
}

impl Declarations {
    /// Takes what was said of declarations; other statements are left alone. `closed_until` says up to where the
    /// windows of an asset, by its position, have closed.
    pub(super) fn hear(
        &mut self,
        plant: &Plant,
        statement: &Statement,
        now: Timestamp,
        closed_until: impl Fn(usize) -> Option<Timestamp>,
    ) {
        match &statement.said {
            Said::Declared(declared) if declared.period.end >= now - KEPT_MS => {
                self.waiting.insert(statement.id, declared.clone());
            }
            Said::Approved { of } => {
                let Some(declared) = self.waiting.remove(of) else { return };
                if let Some(old) = declared.replaces {
                    self.take_back(plant, old, &closed_until);
                }
                let approved = Approved { parts: parts(plant, &declared), declared };
                self.owe(plant, &approved, false, &closed_until);
                self.approved.insert(*of, approved);
            }
            Said::Withdrawn { of } => self.take_back(plant, *of, &closed_until),
            Said::Declared(_) | Said::Context(_) => {}
        }
    }

    fn take_back(&mut self, plant: &Plant, id: i64, closed_until: &impl Fn(usize) -> Option<Timestamp>) {
        self.waiting.remove(&id);
        if let Some(approved) = self.approved.remove(&id) {
            self.owe(plant, &approved, true, closed_until);
        }
    }

    /// Notes what closed windows gain or lose by a declaration.
    fn owe(
        &mut self,
        plant: &Plant,
        approved: &Approved,
        is_taken_back: bool,
        closed_until: &impl Fn(usize) -> Option<Timestamp>,
    ) {
        let Approved { declared, .. } = approved;
        let source = undeclared_without(plant, declared);
        for asset in reach(plant, declared) {
            let Some(until) = closed_until(asset) else { continue };
            for (grain, window) in windows(plant, declared.period).filter(|(_, window)| window.end <= until) {
                let due = self.due.entry((grain, window, plant.assets[asset].id.clone())).or_default();
                for (measure, amount) in approved.share(window).iter() {
                    due.add(measure, if is_taken_back { -amount } else { amount });
                }
                let alone = source.filter(|(position, source)| {
                    carbon::is_in(&plant.assets, *position, asset)
                        && !counting(&self.approved, plant, asset, grain, window).any(|one| one == source.id)
                });
                if alone.is_some() {
                    due.add(Measure::SourcesUndeclared, if is_taken_back { 1 } else { -1 });
                }
            }
        }
    }

    /// Adds to the facts of a window of an asset what is declared for it, and how many of the `only_declared` sources in
    /// it nothing is declared for. Nobody knows on which day a month's diesel was burnt: a window that is shorter than a
    /// month has that to tell only where its direct emissions have a value without it.
    pub(super) fn add_to(
        &self,
        plant: &Plant,
        only_declared: &[(usize, &Emission)],
        (asset, grain, window): (usize, Grain, Window),
        facts: &mut Facts,
    ) {
        for approved in self.approved.values().filter(|approved| approved.counts_in(plant, asset, grain, window)) {
            approved.share(window).iter().for_each(|(measure, amount)| facts.add(measure, amount));
        }
        let missing = |(position, source): &&(usize, &Emission)| {
            carbon::is_in(&plant.assets, *position, asset)
                && !counting(&self.approved, plant, asset, grain, window).any(|one| one == source.id)
        };
        let missing = only_declared.iter().filter(missing).count();
        let has_direct = || DIRECT.iter().any(|measure| facts.get(*measure).is_some());
        if missing > 0 && (grain >= Grain::Month || has_direct()) {
            facts.set(Measure::SourcesUndeclared, missing as i128);
        }
    }

    /// Returns what closed windows gained or lost, once a quarter hour of plant time; `is_end` says that no other
    /// quarter hour follows. Forgets what can't change any more.
    pub(super) fn revise(&mut self, plant: &Plant, before: Timestamp, now: Timestamp, is_end: bool) -> Vec<Revision> {
        let quarter = |at: Timestamp| at.0.div_euclid(REVISED_EVERY_MS);
        if quarter(before) == quarter(now) && !is_end {
            return Vec::new();
        }
        let oldest = now - KEPT_MS;
        self.waiting.retain(|_, declared| declared.period.end >= oldest);
        self.approved.retain(|_, approved| approved.declared.period.end >= oldest);
        let due = std::mem::take(&mut self.due);
        let revision = |((grain, window, id), correction): ((Grain, Window, AssetId), Facts)| {
            let asset = plant.assets.iter().position(|asset| asset.id == id)?;
            let changes = correction.iter().any(|(_, amount)| amount != 0);
            changes.then(|| Revision { asset, grain, window, correction, stale: BTreeSet::new() })
        };
        due.into_iter().filter_map(revision).collect()
    }
}

impl Approved {
    /// Returns the facts that fall into a window.
    fn share(&self, window: Window) -> Facts {
        let mut facts = Facts::default();
        for (period, whole) in &self.parts {
            for (measure, amount) in whole.iter() {
                let share = share(amount, *period, window);
                // That a source emitted nothing is a figure too.
                if share != 0 || (amount == 0 && DIRECT.contains(&measure)) {
                    facts.add(measure, share);
                }
            }
        }
        facts
    }

    fn counts_in(&self, plant: &Plant, asset: usize, grain: Grain, window: Window) -> bool {
        let period = self.declared.period;
        grain_takes(grain, window, period)
            && period.start < window.end
            && window.start < period.end
            && reach(plant, &self.declared).any(|reached| reached == asset)
    }
}

/// Returns the sources whose declarations count in a window of an asset.
fn counting(
    approved: &BTreeMap<i64, Approved>,
    plant: &Plant,
    asset: usize,
    grain: Grain,
    window: Window,
) -> impl Iterator<Item = EmissionId> {
    let counts = approved.values().filter(move |approved| approved.counts_in(plant, asset, grain, window));
    counts.filter_map(|approved| Some(carbon::source(plant, &approved.declared)?.id.clone()))
}

/// Returns the source that a declaration speaks for, where nothing measures it, and the position of its asset.
fn undeclared_without<'a>(plant: &'a Plant, declared: &Declared) -> Option<(usize, &'a Emission)> {
    let source = carbon::source(plant, declared)?;
    carbon::only_declared(plant).into_iter().find(|(_, one)| one.id == source.id)
}

/// Says whether a window of this grain takes a part of what is declared for a period.
fn grain_takes(grain: Grain, window: Window, period: Window) -> bool {
    match grain {
        Grain::Month | Grain::Year => true,
        Grain::Day => window.start <= period.start && period.end <= window.end,
        _ => false,
    }
}

/// Returns the windows of which records are made that take a part of a period.
fn windows(plant: &Plant, period: Window) -> impl Iterator<Item = (Grain, Window)> {
    let coarse = plant.grains.iter().copied().filter(|grain| *grain >= Grain::Day);
    coarse.flat_map(move |grain| {
        let windows = plant.site_calendar().windows(grain, period.start, period.end);
        windows
            .into_iter()
            .map(move |window| (grain, window))
            .filter(move |(grain, window)| grain_takes(*grain, *window, period))
    })
}

/// Returns the assets whose figures a declaration enters, by position: its own and everything that one stands in.
fn reach(plant: &Plant, declared: &Declared) -> impl Iterator<Item = usize> {
    let own = plant.assets.iter().position(|asset| asset.id == declared.asset);
    std::iter::successors(own, |asset| plant.assets[*asset].parent)
}

/// Returns what of `amount`, spread evenly over `period`, falls into `window`.
fn share(amount: i128, period: Window, window: Window) -> i128 {
    let length = i128::from(period.length_ms()).max(1);
    let due_by = |instant: Timestamp| {
        let passed = i128::from(instant.clamp(period.start, period.end).ms_since(period.start));
        // A whole part and a rest, so that no product is larger than it must be.
        amount.div_euclid(length) * passed + (amount.rem_euclid(length) * passed).div_euclid(length)
    };
    due_by(window.end) - due_by(window.start)
}

/// Returns the facts of a declaration by calendar year.
fn parts(plant: &Plant, declared: &Declared) -> Vec<(Window, Facts)> {
    let period = declared.period;
    let years = plant.site_calendar().windows(Grain::Year, period.start, period.end);
    let part = |year: Window| {
        let within = Window { start: year.start.max(period.start), end: year.end.min(period.end) };
        let quantity = share(i128::from(declared.quantity_micro), period, within);
        let quantity_micro = i64::try_from(quantity).unwrap_or(declared.quantity_micro);
        let of_year = Declared { period: within, quantity_micro, ..declared.clone() };
        (within, facts(plant, &of_year))
    };
    years.into_iter().map(part).collect()
}

/// Returns the facts of a whole declaration within one year.
fn facts(plant: &Plant, declared: &Declared) -> Facts {
    let quantity = i128::from(declared.quantity_micro);
    match &declared.kind {
        DeclaredKind::Waste { stream } => waste(*stream, grams(quantity, declared.unit)),
        DeclaredKind::ElectricityBill(_) => Facts::default(),
        DeclaredKind::Fuel { .. }
        | DeclaredKind::Refrigerant { .. }
        | DeclaredKind::Process { .. }
        | DeclaredKind::Steam { .. }
        | DeclaredKind::Contract { .. } => carbon::emitted(plant, declared),
    }
}

/// Every stream is in the facts, so that a share of none is 0 where waste was declared at all.
fn waste(stream: WasteStream, grams: i128) -> Facts {
    let of = |this: WasteStream| if this == stream { grams } else { 0 };
    [
        (Measure::Waste, grams),
        (Measure::WasteRecycled, of(WasteStream::Recycled)),
        (Measure::WasteHazardous, of(WasteStream::Hazardous)),
        (Measure::WasteLandfilled, of(WasteStream::Landfilled)),
    ]
    .into_iter()
    .collect()
}

/// Returns a mass in grams; less than one is left out.
const fn grams(quantity_micro: i128, unit: DeclaredUnit) -> i128 {
    match unit {
        DeclaredUnit::Tonne => quantity_micro,
        _ => quantity_micro.div_euclid(1_000),
    }
}

#[cfg(test)]
mod tests;
