//! Rolls facts up: windows into coarser windows of one site, sites into parks and provinces.
//!
//! In: rows of facts as the boxes shared them. Out: one KPI over any group and window, computed from merged facts by the
//! function the boxes use. Any order and grouping of merges gives the same facts and the same KPI. A missing window lowers
//! coverage and never becomes 0; what can't be merged has no value and says so. No percentage is ever averaged.

use std::collections::BTreeMap;

use crate::engine::calendar::Calendar;
use crate::engine::kpi::{GridChoice, KpiContext, KpiDefinition, evaluate};
use crate::model::fact::{Facts, Measure};
use crate::model::id::AssetId;
use crate::model::record::{Flag, KpiValue, Reason};
use crate::model::time::{Grain, MINUTE_MS, Timestamp, Window};
use crate::model::unit::ProductUnit;

/// The measures that are counted in the product unit.
const QUANTITIES: [Measure; 4] =
    [Measure::ProducedQuantity, Measure::GoodQuantity, Measure::ScrapQuantity, Measure::ReworkQuantity];

/// Length of the block of a peak demand. **Unit**: ms.
const BLOCK_MS: i64 = 30 * MINUTE_MS;

/// The newest revision of one asset's facts over one window, as its box shared them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// The asset.
    pub asset: AssetId,
    /// How long the window is.
    pub grain: Grain,
    /// The window.
    pub window: Window,
    /// Its revision.
    pub revision: u32,
    /// What quantities are counted in.
    pub product_unit: ProductUnit,
    /// The shared measures.
    pub facts: Facts,
    /// JSON of the KPI values the box reported.
    pub kpis: String,
    /// The box had no calendar.
    pub calendar_assumed: bool,
}

/// What quantities of a group are counted in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Units {
    /// There are no quantities.
    #[default]
    None,
    /// All in one unit.
    One(ProductUnit),
    /// In unlike units: quantities don't merge.
    Unlike,
}

impl Units {
    fn join(self, other: Self) -> Self {
        match (self, other) {
            (Self::None, units) | (units, Self::None) => units,
            (Self::One(a), Self::One(b)) if a == b => self,
            _ => Self::Unlike,
        }
    }
}

/// The electricity of one half hour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Block {
    /// **Unit**: 10⁻⁶ kWh.
    energy: i128,
    /// Time in it of which the electricity is known, summed over sites. **Unit**: ms.
    known_ms: i128,
}

/// Merged facts of any number of sites over one window. The default is the group of no site.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Group {
    facts: Facts,
    units: Units,
    sites: u32,
    /// Time for which there are facts, summed over sites. **Unit**: ms.
    present_ms: i128,
    blocks: BTreeMap<Timestamp, Block>,
    calendar_assumed: bool,
}

impl Group {
    /// Merges the rows of one site that tile `window`: see [`tiling`]. `None` where there is no row.
    pub fn of_site(rows: &[Row], window: Window, calendar: &Calendar) -> Option<Self> {
        let tiles = tiling(rows, window, Grain::Year);
        let mut group = Self { sites: 1, ..Self::default() };
        for row in &tiles {
            group.facts.merge_over_time(&row.facts);
            group.present_ms += i128::from(row.window.length_ms());
            group.calendar_assumed |= row.calendar_assumed;
            if QUANTITIES.iter().any(|measure| row.facts.get(*measure).is_some()) {
                group.units = group.units.join(Units::One(row.product_unit));
            }
        }
        group.blocks = blocks(&tiling(rows, window, Grain::HalfHour), window, calendar);
        (!tiles.is_empty()).then_some(group)
    }

    /// Merges the facts of other sites over the same window. Associative and commutative.
    pub fn join(&mut self, other: &Self) {
        if self.sites == 0 {
            self.clone_from(other);
            return;
        }
        if other.sites == 0 {
            return;
        }
        self.facts.merge_over_assets(&other.facts);
        self.units = self.units.join(other.units);
        self.sites += other.sites;
        self.present_ms += other.present_ms;
        self.calendar_assumed |= other.calendar_assumed;
        for (start, block) in &other.blocks {
            let sum = self.blocks.entry(*start).or_default();
            sum.energy += block.energy;
            sum.known_ms += block.known_ms;
        }
    }

    /// Returns the number of sites in it.
    pub const fn sites(&self) -> u32 {
        self.sites
    }

    /// Returns the time for which there are facts, summed over sites. **Unit**: ms.
    pub const fn present_ms(&self) -> i128 {
        self.present_ms
    }

    /// Returns the merged facts: without quantities where unlike units met, and with the peak of the summed half hours.
    pub fn facts(&self) -> Facts {
        let mut facts = self.facts.clone();
        if self.units == Units::Unlike {
            QUANTITIES.iter().for_each(|measure| facts.remove(*measure));
        }
        if facts.get(Measure::HalfHourPeak).is_none()
            && let Some(peak) = self.whole_blocks().max()
        {
            facts.set(Measure::HalfHourPeak, peak);
        }
        facts
    }

    /// Returns what quantities are counted in; `None` where there are none, or unlike units met.
    pub const fn product_unit(&self) -> Option<ProductUnit> {
        match self.units {
            Units::One(unit) => Some(unit),
            Units::None | Units::Unlike => None,
        }
    }

    /// Returns the energies of the half hours that every site reported from end to end. A half hour that one site lacks
    /// is no half hour of the group.
    fn whole_blocks(&self) -> impl Iterator<Item = i128> + '_ {
        let whole = i128::from(BLOCK_MS) * i128::from(self.sites);
        self.blocks.values().filter(move |block| block.known_ms == whole).map(|block| block.energy)
    }

    /// Returns the time over which the group's peak is known, per site; `None` where it was not made of blocks.
    fn peak_known_ms(&self) -> Option<i128> {
        let made_of_blocks = self.facts.get(Measure::HalfHourPeak).is_none();
        made_of_blocks.then(|| self.whole_blocks().map(|_| i128::from(BLOCK_MS)).sum())
    }
}

/// Chooses, of one site's or asset's rows ascending by start, those that lie in `window` without overlap and are no coarser
/// than `coarsest`. Coarser rows win: a box's own figure of a day rests on more than the hours it shared. A shift is used
/// only for itself.
pub fn tiling(rows: &[Row], window: Window, coarsest: Grain) -> Vec<&Row> {
    let first = rows.partition_point(|row| row.window.start < window.start);
    let mut inside: Vec<&Row> = rows[first..]
        .iter()
        .take_while(|row| row.window.start < window.end)
        .filter(|row| row.window.end <= window.end && row.grain <= coarsest)
        .filter(|row| row.grain != Grain::Shift || row.window == window)
        .collect();
    inside.sort_by_key(|row| (std::cmp::Reverse(row.grain), row.window.start));
    let mut chosen: BTreeMap<Timestamp, &Row> = BTreeMap::new();
    for row in inside {
        let before = chosen.range(..row.window.end).next_back();
        if before.is_none_or(|(_, taken)| taken.window.end <= row.window.start) {
            chosen.insert(row.window.start, row);
        }
    }
    chosen.into_values().collect()
}

/// Returns the half hours inside `window` that rows of half an hour or finer tell of.
fn blocks(rows: &[&Row], window: Window, calendar: &Calendar) -> BTreeMap<Timestamp, Block> {
    let mut blocks: BTreeMap<Timestamp, Block> = BTreeMap::new();
    for row in rows {
        let (Some(energy), Some(half_hour)) =
            (row.facts.get(Measure::Electricity), calendar.window_of(Grain::HalfHour, row.window.start))
        else {
            continue;
        };
        if half_hour.start < window.start || half_hour.end > window.end || half_hour.end < row.window.end {
            continue;
        }
        let block = blocks.entry(half_hour.start).or_default();
        block.energy += energy;
        if is_known(row) {
            block.known_ms += i128::from(row.window.length_ms());
        }
    }
    blocks
}

/// Says whether anything is known of a row's electricity. A part of it that was not read lowers the coverage; where nothing
/// was read or spread, its 0 is no measurement.
fn is_known(row: &Row) -> bool {
    [Measure::Electricity, Measure::ElectricityObserved, Measure::ElectricitySubstituted]
        .iter()
        .any(|measure| row.facts.amount(*measure) != 0)
}

/// The window that is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// Its grain.
    pub grain: Grain,
    /// Where it lies.
    pub window: Window,
    /// How much of it is over, so that facts may be expected. **Unit**: ms.
    pub elapsed_ms: i64,
    /// It is not over.
    pub open: bool,
}

/// One KPI of a group.
#[derive(Debug, Clone, PartialEq)]
pub struct Rolled {
    /// Its value.
    pub value: KpiValue,
    /// The facts it was computed from: the KPI's own measures.
    pub facts: Facts,
    /// What quantities are counted in.
    pub product_unit: Option<ProductUnit>,
    /// Sites in it.
    pub sites_reporting: u32,
}

/// Computes one KPI over the sites that have its inputs, of `expected` sites in all. A site without the inputs is left out
/// whole, so that its energy never stands above another's parts; `sites_reporting` and the coverage say so.
pub fn roll(
    definition: &KpiDefinition,
    sites: &[Group],
    expected: u32,
    span: &Span,
    grid: &Result<GridChoice, Reason>,
) -> Rolled {
    let mut group = Group::default();
    sites.iter().filter(|site| has_inputs(definition, site, grid)).for_each(|site| group.join(site));
    let facts = group.facts();
    let context = KpiContext { grid: grid.clone(), calendar_assumed: group.calendar_assumed };
    let mut value = evaluate(definition, &facts, span.grain, &context);
    let rests_on_quantities = QUANTITIES.iter().any(|measure| definition.measures.contains(measure));
    if group.units == Units::Unlike && rests_on_quantities && value.reason == Some(Reason::NoInput) {
        value.reason = Some(Reason::NotMergeable);
    }
    if group.sites == 0 && value.reason != Some(Reason::BelowFinestGrain) {
        value.reason = Some(if sites.is_empty() { Reason::NoData } else { Reason::NoInput });
    }
    value.coverage = coverage(definition, &value, &group, expected, span);
    if span.open {
        value.flags.push(Flag::WindowOpen);
        value.flags.sort_unstable();
    }
    Rolled {
        facts: facts.only(definition.measures),
        product_unit: group.product_unit(),
        sites_reporting: group.sites,
        value,
    }
}

/// Says whether a site's facts hold what a KPI is made of.
fn has_inputs(definition: &KpiDefinition, site: &Group, grid: &Result<GridChoice, Reason>) -> bool {
    let context = KpiContext { grid: grid.clone(), calendar_assumed: false };
    let outcome = (definition.compute)(&site.facts(), &context).value;
    !matches!(outcome, Err(Reason::NoInput | Reason::NoPlannedRunTime))
}

/// Returns the coverage of the merged facts, lowered by what should be there and isn't.
fn coverage(
    definition: &KpiDefinition,
    value: &KpiValue,
    group: &Group,
    expected: u32,
    span: &Span,
) -> Option<f64> {
    let elapsed = i128::from(span.elapsed_ms);
    if elapsed <= 0 {
        return value.coverage;
    }
    if group.sites == 0 {
        return Some(0.0);
    }
    let peak_known = group.peak_known_ms().filter(|_| definition.measures.contains(&Measure::HalfHourPeak));
    let (present, due) = match peak_known {
        Some(known) => (known, elapsed),
        None => (group.present_ms, elapsed * i128::from(expected)),
    };
    // What came before it was due counts as there, so that no coverage exceeds 1.
    value.coverage.map(|share| if present >= due { share } else { share * part(present, due) })
}

#[expect(clippy::cast_precision_loss, reason = "times of a group are far below 2^53 ms, and a ratio is what is asked for")]
fn part(numerator: i128, denominator: i128) -> f64 {
    numerator as f64 / denominator as f64
}
