//! Rolls facts up: windows into coarser windows of one site, sites into parks and provinces.
//!
//! In: rows of facts as the boxes shared them. Out: one KPI over any group and window, computed from merged facts by the
//! function the boxes use. Any order and grouping of merges gives the same facts and the same KPI. A missing window lowers
//! coverage and never becomes 0; what can't be merged has no value and says so. No percentage is ever averaged.

use std::collections::{BTreeMap, BTreeSet};

use crate::engine::calendar::Calendar;
use crate::engine::kpi::used::HOLD_FACTORS;
use crate::engine::kpi::{self, KpiContext, KpiDefinition, evaluate};
use crate::model::fact::{Facts, Measure};
use crate::model::id::AssetId;
use crate::model::record::{FactorRef, Flag, KpiId, KpiValue, Reason};
use crate::model::time::{Grain, MINUTE_MS, Timestamp, Window};
use crate::model::unit::ProductUnit;

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

/// What the sites of a group make.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
enum Sectors {
    /// Nobody says.
    #[default]
    Unknown,
    /// All that say it, the same.
    One(String),
    /// Unlike things.
    Unlike,
}

impl Sectors {
    fn join(&mut self, other: &Self) {
        match (&*self, other) {
            (_, Self::Unknown) | (Self::Unlike, _) => {}
            (Self::Unknown, _) => self.clone_from(other),
            (one, other) if one == other => {}
            _ => *self = Self::Unlike,
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
    sectors: Sectors,
    sites: u32,
    /// Time for which there are facts, summed over sites. **Unit**: ms.
    present_ms: i128,
    blocks: BTreeMap<Timestamp, Block>,
    calendar_assumed: bool,
    /// A site counts parts of which no planned run time is known.
    lacks_run_times: bool,
    /// By KPI: the reference entries that its boxes named, where facts hold a factor already.
    named: BTreeMap<KpiId, BTreeSet<FactorRef>>,
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
            group.note_factors(row);
            if row.facts.iter().any(|(measure, _)| measure.is_quantity()) {
                group.units = group.units.join(Units::One(row.product_unit));
            }
        }
        let (parts, run_times) = (group.facts.get(Measure::ProducedQuantity), group.facts.get(Measure::PruPq));
        group.lacks_run_times = parts.is_some() && run_times.is_none();
        group.blocks = blocks(&tiling(rows, window, Grain::HalfHour), window, calendar);
        (!tiles.is_empty()).then_some(group)
    }

    /// Notes which entries a box named, where the facts of its row hold a factor that can't be seen in them.
    fn note_factors(&mut self, row: &Row) {
        if !HOLD_FACTORS.iter().any(|measure| row.facts.get(*measure).is_some()) {
            return;
        }
        let kpis: Vec<KpiValue> = serde_json::from_str(&row.kpis).unwrap_or_default();
        for value in kpis.into_iter().filter(|value| !value.factors.is_empty()) {
            self.named.entry(value.kpi).or_default().extend(value.factors);
        }
    }

    /// Says what its site makes.
    #[must_use]
    pub fn in_sector(mut self, sector: Option<&str>) -> Self {
        self.sectors = sector.map_or(Sectors::Unknown, |sector| Sectors::One(sector.to_owned()));
        self
    }

    /// Says whether its sites make unlike things, by their sectors or by what their products are counted in: what weighs
    /// products by their planned run times means nothing over such a group.
    fn has_unlike_members(&self) -> bool {
        self.units == Units::Unlike || self.sectors == Sectors::Unlike
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
        self.sectors.join(&other.sectors);
        self.sites += other.sites;
        self.present_ms += other.present_ms;
        self.calendar_assumed |= other.calendar_assumed;
        self.lacks_run_times |= other.lacks_run_times;
        for (kpi, factors) in &other.named {
            self.named.entry(kpi.clone()).or_default().extend(factors.iter().cloned());
        }
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

    /// Returns the merged facts: without quantities where unlike units met, without planned run times where they would weigh
    /// only some sites' parts, and with the peak of the summed half hours.
    pub fn facts(&self) -> Facts {
        let mut facts = self.facts.clone();
        if self.units == Units::Unlike {
            quantities().for_each(|measure| facts.remove(measure));
        }
        if self.lacks_run_times {
            [Measure::PruPq, Measure::PruGq].iter().for_each(|measure| facts.remove(*measure));
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
            (kpi::drawn(&row.facts), calendar.window_of(Grain::HalfHour, row.window.start))
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
    /// The reference entries that the boxes named for it, where their facts hold a factor already.
    pub named: BTreeSet<FactorRef>,
}

/// Computes one KPI over the sites that have its inputs, of `expected` sites in all. A site without the inputs is left out
/// whole, so that its energy never stands above another's parts; `sites_reporting` and the coverage say so.
pub fn roll(definition: &KpiDefinition, sites: &[Group], expected: u32, span: &Span, context: &KpiContext) -> Rolled {
    let mut group = Group::default();
    sites.iter().filter(|site| has_inputs(definition, site, context)).for_each(|site| group.join(site));
    let facts = group.facts();
    let context = KpiContext { calendar_assumed: group.calendar_assumed, ..context.clone() }
        .with_unlike_members(group.has_unlike_members());
    let mut value = evaluate(definition, &facts, span.grain, &context);
    let rests_on_quantities = definition.measures.iter().any(|measure| measure.is_quantity());
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
        facts: facts.only(definition.reveals()),
        product_unit: group.product_unit(),
        sites_reporting: group.sites,
        named: group.named.remove(&definition.id).unwrap_or_default(),
        value,
    }
}

/// Returns the measures that are counted in the product unit.
fn quantities() -> impl Iterator<Item = Measure> {
    Measure::ALL.iter().copied().filter(|measure| measure.is_quantity())
}

/// Says whether a site's facts hold what a KPI is made of.
fn has_inputs(definition: &KpiDefinition, site: &Group, context: &KpiContext) -> bool {
    let outcome = kpi::outcome(definition, &site.facts(), context).value;
    !matches!(outcome, Err(Reason::NoInput | Reason::NoPlannedRunTime))
}

/// Returns the coverage of the merged facts, lowered by what should be there and isn't.
fn coverage(definition: &KpiDefinition, value: &KpiValue, group: &Group, expected: u32, span: &Span) -> Option<f64> {
    let elapsed = i128::from(span.elapsed_ms);
    if elapsed <= 0 {
        return value.coverage;
    }
    if group.sites == 0 {
        return Some(0.0);
    }
    let peak_known = group.peak_known_ms().filter(|_| definition.measures.contains(&Measure::HalfHourPeak));
    let (present, due) = match peak_known {
        Some(known) => (known * i128::from(group.sites), elapsed * i128::from(expected)),
        None => (group.present_ms, elapsed * i128::from(expected)),
    };
    // What came before it was due counts as there, so that no coverage exceeds 1.
    value.coverage.map(|share| if present >= due { share } else { share * part(present, due) })
}

#[expect(
    clippy::cast_precision_loss,
    reason = "times of a group are far below 2^53 ms, and a ratio is what is asked for"
)]
fn part(numerator: i128, denominator: i128) -> f64 {
    numerator as f64 / denominator as f64
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{Just, Strategy, any, prop_assert_eq, proptest};

    use super::{AssetId, Facts, Grain, Group, Measure, ProductUnit, Reason, Rolled, Row, Span, Window, roll, tiling};
    use crate::engine::kpi::{CATALOGUE, GridChoice, KpiContext, find};
    use crate::hub::testing::{at, calendar};
    use crate::model::id::Digest;
    use crate::model::record::{FactorRef, Flag};
    use crate::model::time::MINUTE_MS;

    const MIDNIGHT: &str = "2026-10-05T00:00:00+07:00";
    const KWH: i128 = 1_000_000;

    fn window(grain: Grain, minute: i64) -> Window {
        calendar().window_of(grain, at(MIDNIGHT) + minute * MINUTE_MS).unwrap()
    }

    fn row(grain: Grain, minute: i64, pairs: &[(Measure, i128)]) -> Row {
        Row {
            asset: AssetId::new("site").unwrap(),
            grain,
            window: window(grain, minute),
            revision: 1,
            product_unit: ProductUnit::Piece,
            facts: pairs.iter().copied().collect(),
            kpis: "[]".to_owned(),
            calendar_assumed: false,
        }
    }

    /// Energy measured from end to end.
    fn energy(grain: Grain, minute: i64, kwh: i128) -> Row {
        let length = i128::from(window(grain, minute).length_ms());
        let pairs = [
            (Measure::Electricity, kwh * KWH),
            (Measure::ElectricityObserved, length),
            (Measure::ElectricityExpected, length),
        ];
        row(grain, minute, &pairs)
    }

    fn site(rows: &[Row], grain: Grain) -> Group {
        Group::of_site(rows, window(grain, 0), &calendar()).unwrap_or_default()
    }

    fn span(grain: Grain) -> Span {
        let window = window(grain, 0);
        Span { grain, window, elapsed_ms: window.length_ms(), open: false }
    }

    fn rolled(kpi: &str, sites: &[Group], expected: u32, grain: Grain) -> Rolled {
        let factor = FactorRef { id: "f".to_owned(), version: Digest::ZERO, year: 2026 };
        let grid = Ok(GridChoice { tco2e_per_mwh: 0.5, factor, provisional: false });
        roll(find(kpi).unwrap(), sites, expected, &span(grain), &KpiContext::new(grid, false))
    }

    #[test]
    fn a_missing_window_lowers_the_coverage_and_is_no_zero() {
        let rows: Vec<Row> = (0..6).map(|half_hour| energy(Grain::HalfHour, half_hour * 30, 10)).collect();
        let whole = rolled("electricity", &[site(&rows[..2], Grain::Hour)], 1, Grain::Hour);
        assert_eq!((whole.value.value, whole.value.coverage), (Some(20.0), Some(1.0)));
        let half = rolled("electricity", &[site(&rows[1..2], Grain::Hour)], 1, Grain::Hour);
        assert_eq!((half.value.value, half.value.coverage), (Some(10.0), Some(0.5)));
        let none = rolled("electricity", &[], 1, Grain::Hour);
        assert_eq!((none.value.value, none.value.reason, none.value.coverage), (None, Some(Reason::NoData), Some(0.0)));
    }

    #[test]
    fn a_site_that_is_silent_lowers_the_parks_coverage_and_its_count() {
        let steel = site(&[energy(Grain::Hour, 0, 30)], Grain::Hour);
        let park = rolled("electricity", &[steel], 3, Grain::Hour);
        assert_eq!((park.value.value, park.sites_reporting), (Some(30.0), 1));
        assert_eq!(park.value.coverage, Some(1.0 / 3.0));
    }

    #[test]
    fn an_open_window_is_measured_by_what_is_over() {
        let rows = [energy(Grain::FiveMinutes, 0, 1), energy(Grain::FiveMinutes, 5, 1)];
        let span = Span { elapsed_ms: 10 * MINUTE_MS, open: true, ..span(Grain::Hour) };
        let figure = roll(
            find("electricity").unwrap(),
            &[site(&rows, Grain::Hour)],
            1,
            &span,
            &KpiContext::new(Err(Reason::NoInput), false),
        );
        assert_eq!((figure.value.coverage, figure.value.flags.as_slice()), (Some(1.0), [Flag::WindowOpen].as_slice()));
    }

    #[test]
    fn unlike_product_units_drop_quantities_and_keep_times_and_energy() {
        let pairs = [
            (Measure::ProducedQuantity, 4 * KWH),
            (Measure::GoodQuantity, 4 * KWH),
            (Measure::PartsObserved, 1),
            (Measure::PartsExpected, 1),
            (Measure::Electricity, 2 * KWH),
            (Measure::ElectricityObserved, 1),
            (Measure::ElectricityExpected, 1),
            (Measure::Apt, 30),
            (Measure::Adot, 10),
            (Measure::NoData, 0),
            (Measure::PruPq, 20_000_000),
            (Measure::PruGq, 20_000_000),
        ];
        let pieces = row(Grain::Hour, 0, &pairs);
        let tonnes = Row { product_unit: ProductUnit::Tonne, ..pieces.clone() };
        let own = site(std::slice::from_ref(&pieces), Grain::Hour);
        let like = [own.clone(), own];
        assert_eq!(rolled("specific_energy", &like, 2, Grain::Hour).value.value, Some(0.5));
        let unlike = [site(&[pieces], Grain::Hour), site(&[tonnes], Grain::Hour)];
        for kpi in ["specific_energy", "carbon_intensity"] {
            let figure = rolled(kpi, &unlike, 2, Grain::Hour);
            assert_eq!((figure.value.value, figure.value.reason), (None, Some(Reason::NotMergeable)), "{kpi}");
            assert_eq!((figure.product_unit, figure.facts.get(Measure::ProducedQuantity)), (None, None), "{kpi}");
        }
        assert_eq!(rolled("electricity", &unlike, 2, Grain::Hour).value.value, Some(4.0));
        assert_eq!(rolled("availability", &unlike, 2, Grain::Hour).value.value, Some(0.75));
        for kpi in ["oee", "nee", "effectiveness", "oee_classic", "performance_classic", "quality_ratio"] {
            let figure = rolled(kpi, &unlike, 2, Grain::Hour);
            assert_eq!((figure.value.value, figure.value.reason), (None, Some(Reason::NotMergeable)), "{kpi}");
        }
    }

    #[test]
    fn no_effectiveness_is_rolled_up_over_unlike_sectors() {
        let pairs = [
            (Measure::ProducedQuantity, 4 * KWH),
            (Measure::GoodQuantity, 4 * KWH),
            (Measure::PartsObserved, 1),
            (Measure::PartsExpected, 1),
            (Measure::Apt, 30),
            (Measure::Adot, 10),
            (Measure::NoData, 0),
            (Measure::PruPq, 20_000_000),
            (Measure::PruGq, 20_000_000),
        ];
        let of = |sector| site(&[row(Grain::Hour, 0, &pairs)], Grain::Hour).in_sector(sector);
        let oee = |sites: &[Group]| {
            let value = rolled("oee", sites, u32::try_from(sites.len()).unwrap(), Grain::Hour).value;
            (value.value, value.reason)
        };
        let (garment, steel, silent) = (of(Some("garment")), of(Some("steel")), of(None));
        assert_eq!(oee(&[garment.clone(), garment.clone(), silent.clone()]), (Some(0.5), None));
        assert_eq!(oee(std::slice::from_ref(&steel)), (Some(0.5), None));
        for group in [[&garment, &silent, &steel], [&steel, &garment, &silent], [&silent, &steel, &garment]] {
            assert_eq!(oee(&group.map(Group::clone)), (None, Some(Reason::NotMergeable)));
        }
        let availability = rolled("availability", &[garment, steel], 2, Grain::Hour).value;
        assert_eq!(availability.value, Some(0.75), "times of unlike machines sum");
    }

    #[test]
    fn parts_are_weighted_by_run_times_only_where_every_site_knows_them() {
        let parts = |good: i128| {
            vec![
                (Measure::ProducedQuantity, 10 * KWH),
                (Measure::GoodQuantity, good * KWH),
                (Measure::PartsObserved, 1),
                (Measure::PartsExpected, 1),
            ]
        };
        let weighted = [parts(10), vec![(Measure::PruPq, 90), (Measure::PruGq, 90)]].concat();
        let (known, unknown) = (row(Grain::Hour, 0, &weighted), row(Grain::Hour, 0, &parts(5)));
        let tonnes = Row { product_unit: ProductUnit::Tonne, ..unknown.clone() };
        let quality = |other: Row| {
            let sites = [site(std::slice::from_ref(&known), Grain::Hour), site(&[other], Grain::Hour)];
            rolled("quality_ratio", &sites, 2, Grain::Hour).value
        };
        assert_eq!(quality(unknown).value, Some(0.75));
        assert_eq!(quality(tonnes).reason, Some(Reason::NotMergeable));
    }

    #[test]
    fn a_site_without_the_inputs_is_left_out_whole() {
        let mut maker = energy(Grain::Hour, 0, 10);
        maker.facts.set(Measure::ProducedQuantity, 5 * KWH);
        maker.facts.set(Measure::PartsObserved, 1);
        maker.facts.set(Measure::PartsExpected, 1);
        let warehouse = energy(Grain::Hour, 0, 1000);
        let sites = [site(&[maker], Grain::Hour), site(&[warehouse], Grain::Hour)];
        let figure = rolled("specific_energy", &sites, 2, Grain::Hour);
        assert_eq!((figure.value.value, figure.sites_reporting), (Some(2.0), 1));
        assert_eq!(rolled("electricity", &sites, 2, Grain::Hour).value.value, Some(1010.0));
    }

    #[test]
    fn a_parks_peak_is_the_largest_sum_of_half_hours_and_not_the_sum_of_peaks() {
        let steel = [energy(Grain::HalfHour, 0, 100), energy(Grain::HalfHour, 30, 10)];
        let garment: Vec<Row> =
            (0..12).map(|five| energy(Grain::FiveMinutes, five * 5, if five < 6 { 1 } else { 10 })).collect();
        let sites = [site(&steel, Grain::Hour), site(&garment, Grain::Hour)];
        // 100 + 6 in the first half hour, 10 + 60 in the second; an energy in half an hour is half its power.
        assert_eq!(rolled("peak_demand", &sites, 2, Grain::Hour).value.value, Some(212.0));
    }

    #[test]
    fn a_half_hour_that_one_site_lacks_is_no_half_hour_of_the_park() {
        let steel = [energy(Grain::HalfHour, 0, 100), energy(Grain::HalfHour, 30, 10)];
        let garment = [energy(Grain::HalfHour, 30, 10)];
        let sites = [site(&steel, Grain::Hour), site(&garment, Grain::Hour)];
        let peak = rolled("peak_demand", &sites, 2, Grain::Hour).value;
        assert_eq!((peak.value, peak.coverage), (Some(40.0), Some(0.5)));
        let coarse = [site(&steel, Grain::Hour), site(&[energy(Grain::Hour, 0, 10)], Grain::Hour)];
        let peak = rolled("peak_demand", &coarse, 2, Grain::Hour).value;
        assert_eq!((peak.value, peak.reason), (None, Some(Reason::NotMergeable)));
    }

    #[test]
    fn a_sites_own_peak_is_kept_and_the_largest_of_successive_windows_wins() {
        let with_peak = |minute, kwh: i128| {
            let mut row = energy(Grain::Hour, minute, 2 * kwh);
            row.facts.set(Measure::HalfHourPeak, kwh * KWH);
            row
        };
        let rows = [with_peak(0, 30), with_peak(60, 50), with_peak(120, 40)];
        let day = Group::of_site(&rows, window(Grain::Day, 0), &calendar()).unwrap();
        assert_eq!(rolled("peak_demand", &[day], 1, Grain::Day).value.value, Some(100.0));
    }

    #[test]
    fn a_window_is_tiled_once_however_it_was_shared() {
        let shift = Row { grain: Grain::Shift, ..energy(Grain::Hour, 0, 1) };
        let mut rows = vec![energy(Grain::Day, 0, 1000), shift];
        rows.extend((0..24).map(|hour| energy(Grain::Hour, hour * 60, 1)));
        rows.sort_by_key(|row| row.window.start);
        let chosen = tiling(&rows, window(Grain::Day, 0), Grain::Year);
        assert_eq!(chosen.len(), 1);
        let hours: Vec<Row> = rows.iter().filter(|row| row.grain == Grain::Hour).skip(1).cloned().collect();
        let mut mixed: Vec<Row> = hours.into_iter().chain([energy(Grain::FiveMinutes, 10, 1)]).collect();
        mixed.sort_by_key(|row| row.window.start);
        assert_eq!(tiling(&mixed, window(Grain::Day, 0), Grain::Year).len(), 24);
    }

    fn any_facts() -> impl Strategy<Value = Facts> {
        proptest::collection::vec((proptest::sample::select(Measure::ALL), 0_i128..1_000_000_000_000), 0..21)
            .prop_map(|pairs| pairs.into_iter().collect::<Facts>())
    }

    fn any_site() -> impl Strategy<Value = Group> {
        let unit = proptest::sample::select(vec![ProductUnit::Piece, ProductUnit::Tonne]);
        let row_of =
            |half_hour: i64| {
                (any_facts(), unit.clone(), any::<bool>()).prop_map(move |(facts, product_unit, calendar_assumed)| {
                    Row { facts, product_unit, calendar_assumed, ..row(Grain::HalfHour, half_hour * 30, &[]) }
                })
            };
        let rows: Vec<_> = (0..4).map(|half_hour| proptest::option::of(row_of(half_hour))).collect();
        rows.prop_map(|rows| {
            let rows: Vec<Row> = rows.into_iter().flatten().collect();
            let two_hours = Window { start: window(Grain::Hour, 0).start, end: window(Grain::Hour, 60).end };
            Group::of_site(&rows, two_hours, &calendar()).unwrap_or_default()
        })
    }

    fn joined(groups: &[Group]) -> Group {
        let mut group = Group::default();
        groups.iter().for_each(|other| group.join(other));
        group
    }

    proptest! {
        #[test]
        fn merging_in_any_order_and_grouping_gives_the_same_facts_and_kpis(
            (sites, shuffled) in proptest::collection::vec(any_site(), 1..6)
                .prop_flat_map(|sites| (Just(sites.clone()), Just(sites).prop_shuffle())),
            cut in 0_usize..6,
        ) {
            let direct = joined(&sites);
            let cut = cut.min(shuffled.len());
            let parks = [joined(&shuffled[..cut]), joined(&shuffled[cut..])];
            let province = joined(&parks);
            prop_assert_eq!(&province, &direct);
            prop_assert_eq!(province.facts(), direct.facts());
            for definition in CATALOGUE {
                let one = rolled(definition.id.as_str(), &sites, 6, Grain::Hour);
                let other = rolled(definition.id.as_str(), &shuffled, 6, Grain::Hour);
                prop_assert_eq!(one, other);
            }
        }

        #[test]
        fn successive_windows_merge_alike_however_they_are_shared(amounts in proptest::collection::vec(0_i128..1_000_000, 12)) {
            let fives: Vec<Row> =
                (0_i64..).zip(&amounts).map(|(five, kwh)| energy(Grain::FiveMinutes, five * 5, *kwh)).collect();
            let halves: Vec<Row> = (0_i64..).zip(amounts.chunks(6))
                .map(|(half, kwh)| energy(Grain::HalfHour, half * 30, kwh.iter().sum())).collect();
            let (fine, coarse) = (site(&fives, Grain::Hour), site(&halves, Grain::Hour));
            prop_assert_eq!(fine.facts(), coarse.facts());
        }
    }
}
