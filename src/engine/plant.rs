//! The plant as the engine knows it: tags, assets, calendar and the rules of one configuration.

use std::collections::{BTreeMap, BTreeSet};

use super::baseline::Baseline;
use super::calendar::Calendar;
use super::carbon::{Contract, Emission};
use super::kpi::grid::MissingFactor;
use super::medium::Medium;
use super::meter::{Reading, Submeters};
use super::pollutant::Channel;
use super::tariff::Tariff;
use crate::model::context::ContextKind;
use crate::model::id::{AssetId, Digest, ProductId, ReasonCode, SiteId};
use crate::model::record::Level;
use crate::model::state::MachineState;
use crate::model::tag::{TagIndex, TagSpec};
use crate::model::time::{Grain, Timestamp};
use crate::model::unit::ProductUnit;
use crate::reference::Reference;
use crate::reference::gwp::GwpSet;

/// Everything the engine needs to know; never changes while an engine lives.
#[derive(Debug, Clone)]
pub struct Plant {
    /// The factory.
    pub site: SiteId,
    /// Every tag, sorted by name; [`TagIndex`] is the position.
    pub tags: Vec<TagSpec>,
    /// Every asset, each after its parent, so the site comes first.
    pub assets: Vec<Asset>,
    /// Shifts, breaks, days off and holidays; the first is the site's. All have the site's time zone.
    pub calendars: Vec<Calendar>,
    /// What its assets make, in the order of their ids.
    pub products: Vec<Product>,
    /// Why its machines may stop, and what such a stop counts as.
    pub stop_reasons: BTreeMap<ReasonCode, MachineState>,
    /// Factors and other dated data.
    pub reference: Reference,
    /// The grains of which records are made, ascending, at least one.
    pub grains: Vec<Grain>,
    /// What happens when a year has no published grid factor.
    pub grid_factor: MissingFactor,
    /// The set of warming potentials from a reporting year on, ascending by year; none: the default set.
    pub gwp: Vec<(i16, GwpSet)>,
    /// The tariff by which electricity from the grid is split and priced; `None` where none is declared.
    pub tariff: Option<Tariff>,
    /// Digest of the configuration text.
    pub config: Digest,
}

impl Plant {
    /// Makes a plant without tags and assets, with the rules that hold unless a configuration says otherwise.
    pub fn new(site: SiteId, calendar: Calendar, config: Digest) -> Self {
        Self {
            site,
            tags: Vec::new(),
            assets: Vec::new(),
            calendars: vec![calendar],
            products: Vec::new(),
            stop_reasons: BTreeMap::new(),
            reference: Reference::builtin(),
            grains: Vec::new(),
            grid_factor: MissingFactor::default(),
            gwp: Vec::new(),
            tariff: None,
            config,
        }
    }

    /// Replaces the calendars: at least one, the site's first.
    #[must_use]
    pub fn with_calendars(self, calendars: Vec<Calendar>) -> Self {
        if calendars.is_empty() { self } else { Self { calendars, ..self } }
    }

    /// Returns the site's calendar: the one whose hours, days, months and years every asset has.
    pub fn site_calendar(&self) -> &Calendar {
        &self.calendars[0]
    }

    /// Returns the calendar of an asset, by its position: its shifts and breaks.
    pub fn calendar_of(&self, asset: usize) -> &Calendar {
        let calendar = self.assets.get(asset).map_or(0, |asset| asset.calendar);
        self.calendars.get(calendar).unwrap_or_else(|| self.site_calendar())
    }

    /// Returns a product by its id.
    pub fn product(&self, id: &ProductId) -> Option<&Product> {
        self.products.iter().find(|product| product.id == *id)
    }

    /// Returns what the machines whose times an asset's figures rest on have in common: its own, or those in it that
    /// have a state. `None` where there is none.
    pub fn machines(&self, asset: usize) -> Option<Machines> {
        let own = self.assets.get(asset)?;
        if own.state.is_some() {
            let is_calendar_assumed = self.calendar_of(asset).is_assumed();
            return Some(Machines { is_calendar_assumed, make_unlike_things: false });
        }
        let mut found: Option<Machines> = None;
        let mut unit = None;
        // Each stands after its parent; a machine's own state replaces those in it.
        let mut is_inside = vec![false; self.assets.len()];
        is_inside[asset] = true;
        for (position, below) in self.assets.iter().enumerate().skip(asset + 1) {
            let stands_in = below.parent.is_some_and(|parent| is_inside[parent]);
            is_inside[position] = stands_in && below.state.is_none();
            if !stands_in || below.state.is_none() {
                continue;
            }
            let machines = found.get_or_insert_with(Machines::default);
            machines.is_calendar_assumed |= self.calendar_of(position).is_assumed();
            if below.makes_products() {
                machines.make_unlike_things |=
                    unit.replace(below.product_unit).is_some_and(|unit| unit != below.product_unit);
            }
        }
        found
    }

    /// Returns [`Plant::machines`] of every asset, in plant order, in one pass.
    pub(super) fn all_machines(&self) -> Vec<Option<Machines>> {
        let mut all = vec![None; self.assets.len()];
        // What stands in each asset, and a unit that its machines count in. Each stands after its parent.
        let mut inside: Vec<Option<(Machines, Option<ProductUnit>)>> = vec![None; self.assets.len()];
        for (position, asset) in self.assets.iter().enumerate().rev() {
            let own = asset.state.is_some().then(|| Machines {
                is_calendar_assumed: self.calendar_of(position).is_assumed(),
                make_unlike_things: false,
            });
            let own = own.map(|machine| (machine, asset.makes_products().then_some(asset.product_unit)));
            let found = own.or(inside[position]);
            all[position] = found.map(|(machines, _)| machines);
            if let (Some(parent), Some((machines, unit))) = (asset.parent, found) {
                let (held, held_unit) = inside[parent].get_or_insert_with(Default::default);
                let are_unlike = held_unit.zip(unit).is_some_and(|(held, unit)| held != unit);
                held.is_calendar_assumed |= machines.is_calendar_assumed;
                held.make_unlike_things |= machines.make_unlike_things || are_unlike;
                *held_unit = held_unit.or(unit);
            }
        }
        all
    }

    /// Returns every tag that is an input of an asset, ascending, each once.
    pub fn inputs(&self) -> Vec<TagIndex> {
        let mut inputs: Vec<TagIndex> = self.assets.iter().flat_map(Asset::inputs).collect();
        inputs.retain(|input| input.as_usize() < self.tags.len());
        inputs.sort_unstable();
        inputs.dedup();
        inputs
    }
}

/// What machines whose times are summed have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Machines {
    /// No calendar plans one of them: all its time is taken as planned.
    pub is_calendar_assumed: bool,
    /// Their products are counted in unlike units, so their planned run times don't weigh against each other.
    pub make_unlike_things: bool,
}

/// One asset and its inputs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asset {
    /// Its id.
    pub id: AssetId,
    /// Position of its parent in [`Plant::assets`]; smaller than its own. `None` for the site.
    pub parent: Option<usize>,
    /// Its place in the hierarchy.
    pub level: Level,
    /// What people call it.
    pub name: Option<String>,
    /// Position of its calendar in [`Plant::calendars`].
    pub calendar: usize,
    /// Machine state.
    pub state: Option<TagIndex>,
    /// Produced quantity.
    pub total: Option<TagIndex>,
    /// Good quantity.
    pub good: Option<TagIndex>,
    /// Scrap quantity.
    pub scrap: Option<TagIndex>,
    /// Rework quantity.
    pub rework: Option<TagIndex>,
    /// Planned run time per unit. **Unit**: ns.
    pub planned_run_time_per_unit_ns: Option<i64>,
    /// What quantities are counted in.
    pub product_unit: ProductUnit,
    /// What it is told of its production. A quantity that it counts by a tag is never told too.
    pub takes: BTreeSet<ContextKind>,
    /// Counts what enters the first operation of its chain.
    pub first_operation: Option<TagIndex>,
    /// Rated output. **Unit**: 10⁻⁶ of the product unit per hour.
    pub capacity_micro_per_hour: Option<i64>,
    /// Position of the child at which this asset's parts count.
    pub exit: Option<usize>,
    /// Declared boundary meters.
    pub boundary: Boundary,
    /// What its electricity is compared with, each from a date on, ascending.
    pub baselines: Vec<Baseline>,
    /// Sources of greenhouse gases at it. Each counts here and in everything the asset stands in.
    pub emissions: Vec<Emission>,
    /// Contracts that cover electricity it draws from the grid.
    pub contracts: Vec<Contract>,
    /// It is a channel: one parameter of a stack or an outfall.
    pub channel: Option<Box<Channel>>,
    /// Which measures are summed from children by explicit choice.
    pub sum_children: SumChildren,
}

impl Asset {
    /// Makes an asset without any input.
    pub fn new(id: AssetId, parent: Option<usize>, level: Level) -> Self {
        Self {
            id,
            parent,
            level,
            name: None,
            calendar: 0,
            state: None,
            total: None,
            good: None,
            scrap: None,
            rework: None,
            planned_run_time_per_unit_ns: None,
            product_unit: ProductUnit::default(),
            takes: BTreeSet::new(),
            first_operation: None,
            capacity_micro_per_hour: None,
            exit: None,
            boundary: Boundary::default(),
            baselines: Vec::new(),
            emissions: Vec::new(),
            contracts: Vec::new(),
            channel: None,
            sum_children: SumChildren::default(),
        }
    }

    /// Returns every tag that is an input of it; one that is an input twice comes twice.
    pub fn inputs(&self) -> impl Iterator<Item = TagIndex> {
        let meters = self.boundary.readings().flat_map(Reading::tags);
        let fuels = self.emissions.iter().filter_map(|emission| emission.quantity);
        let own = [self.state, self.total, self.good, self.scrap, self.rework, self.first_operation];
        let own = own.into_iter().flatten();
        let fuels = fuels.chain(self.contracts.iter().filter_map(|contract| contract.quantity));
        let drivers = self.baselines.iter().flat_map(|baseline| &baseline.drivers).map(|driver| driver.tag);
        own.chain(meters).chain(fuels).chain(drivers).chain(self.channel.iter().flat_map(|channel| channel.inputs()))
    }

    /// Says whether parts of it are counted or told.
    fn makes_products(&self) -> bool {
        [self.total, self.good, self.scrap, self.rework].iter().any(Option::is_some) || self.takes_context()
    }

    /// Says whether anything is told of it, so that its minutes wait for what is on its way.
    pub fn takes_context(&self) -> bool {
        !self.takes.is_empty()
    }
}

/// A product, in the plant's words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Product {
    /// Its id.
    pub id: ProductId,
    /// What it is counted in.
    pub unit: ProductUnit,
    /// Planned run times per unit, ascending by the time from which each holds.
    pub run_times: Vec<RunTime>,
    /// Planned scrap for each unit produced. **Unit**: 10⁻⁶.
    pub planned_scrap_micro: i64,
}

/// Planned run time per unit (PRU) of a product. **Source**: ISO 22400-2.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RunTime {
    /// From when on.
    pub valid_from: Timestamp,
    /// On which asset, by position; `None` on any that has none of its own.
    pub asset: Option<usize>,
    /// **Unit**: ns.
    pub ns: i64,
}

impl Product {
    /// Returns the planned run time per unit on an asset at an instant: of those for this asset, else of those for any,
    /// the one that has held for the shortest time. **Unit**: ns.
    pub fn run_time_ns(&self, asset: usize, at: Timestamp) -> Option<i64> {
        let valid = |of: Option<usize>| {
            self.run_times.iter().rev().find(|time| time.asset == of && time.valid_from <= at).map(|time| time.ns)
        };
        valid(Some(asset)).or_else(|| valid(None))
    }
}

/// The boundary meters of an asset: net electricity = electricity + generation + renewable − export.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Boundary {
    /// Electricity from the grid, or from what the asset stands in.
    pub electricity: Vec<Reading>,
    /// Own generation behind the boundary, except of renewable energy.
    pub generation: Vec<Reading>,
    /// Own generation of renewable energy behind the boundary.
    pub renewable: Vec<Reading>,
    /// Electricity given back.
    pub export: Vec<Reading>,
    /// Reactive energy.
    pub reactive: Vec<Reading>,
    /// Fuel gas.
    pub gas: Vec<Reading>,
    /// Water that comes in.
    pub water: Vec<Reading>,
    /// Steam that comes in.
    pub steam: Vec<Reading>,
    /// Wastewater that leaves.
    pub wastewater: Vec<Reading>,
    /// Wastewater that is used again.
    pub wastewater_reused: Vec<Reading>,
    /// Energy of the steam, less that of the condensate it comes back as. **Unit**: kJ/kg.
    pub steam_enthalpy_kj_per_kg: Option<u32>,
    /// What explains the figure of each medium from below; a medium without any isn't in it.
    pub submeters: Vec<(Medium, Submeters)>,
}

impl Boundary {
    /// Says whether the asset has a meter of its own for a medium.
    pub fn has(&self, medium: Medium) -> bool {
        match medium {
            Medium::Electricity => self.has_electricity(),
            _ => !self.of(medium).is_empty(),
        }
    }

    /// Says whether net electricity can be computed.
    pub fn has_electricity(&self) -> bool {
        !self.electricity.is_empty() || !self.generation.is_empty() || !self.renewable.is_empty()
    }

    /// Returns the meters through which a medium comes in; of wastewater those through which it leaves.
    pub fn of(&self, medium: Medium) -> &[Reading] {
        match medium {
            Medium::Electricity => &self.electricity,
            Medium::Gas => &self.gas,
            Medium::Water => &self.water,
            Medium::Steam => &self.steam,
            Medium::Wastewater => &self.wastewater,
        }
    }

    /// Returns what explains a medium from below.
    pub fn explained_by(&self, medium: Medium) -> Option<&Submeters> {
        self.submeters.iter().find(|(of, _)| *of == medium).map(|(_, submeters)| submeters)
    }

    /// Returns everything that is read at it and below it.
    pub fn readings(&self) -> impl Iterator<Item = &Reading> {
        let electricity = [&self.electricity, &self.generation, &self.renewable, &self.export, &self.reactive];
        let media = [&self.gas, &self.water, &self.steam, &self.wastewater, &self.wastewater_reused];
        let below = self.submeters.iter().flat_map(|(_, submeters)| &submeters.meters);
        electricity.into_iter().chain(media).flatten().chain(below)
    }
}

/// Which measures an asset without an input of its own sums from its children. Machines don't sum by default.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SumChildren {
    /// Media; of electricity the reactive energy too.
    pub media: Vec<Medium>,
    /// Quantities; only of like product units.
    pub parts: bool,
}

impl SumChildren {
    /// Says whether a medium is summed.
    pub fn has(&self, medium: Medium) -> bool {
        self.media.contains(&medium)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, prop, prop_assert_eq, proptest};

    use super::{Asset, Plant};
    use crate::engine::calendar::{Calendar, Shift};
    use crate::model::id::{AssetId, Digest, SiteId};
    use crate::model::record::Level;
    use crate::model::tag::TagIndex;
    use crate::model::unit::ProductUnit;

    proptest! {
        #[test]
        fn one_pass_over_all_assets_finds_the_machines_that_asking_for_each_finds(
            drawn in prop::collection::vec((any::<prop::sample::Index>(), any::<[bool; 4]>()), 1..30)
        ) {
            let midnight = jiff::civil::Time::midnight();
            let zone = jiff::tz::TimeZone::UTC;
            let calendars = vec![
                Calendar::round_the_clock(zone.clone()),
                Calendar::new(zone, vec![Shift::new("all day", midnight, midnight)], [], []),
            ];
            let mut plant = Plant::new(SiteId::new("site").unwrap(), calendars[0].clone(), Digest::ZERO)
                .with_calendars(calendars);
            for (position, (parent, [has_state, counts, is_planned, weighs])) in drawn.into_iter().enumerate() {
                let parent = (position > 0).then(|| parent.index(position));
                plant.assets.push(Asset {
                    state: has_state.then_some(TagIndex(0)),
                    total: counts.then_some(TagIndex(1)),
                    calendar: usize::from(is_planned),
                    product_unit: if weighs { ProductUnit::Kilogram } else { ProductUnit::Piece },
                    ..Asset::new(AssetId::new(&format!("asset-{position}")).unwrap(), parent, Level::Unit)
                });
            }
            let each: Vec<_> = (0..plant.assets.len()).map(|asset| plant.machines(asset)).collect();
            prop_assert_eq!(plant.all_machines(), each);
        }
    }
}
