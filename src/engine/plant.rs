//! The plant as the engine knows it: tags, assets, calendar and the rules of one configuration.

use std::collections::{BTreeMap, BTreeSet};

use super::calendar::Calendar;
use super::carbon::{Contract, Emission};
use super::kpi::grid::MissingFactor;
use super::pollutant::Channel;
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

    /// Returns every tag that is an input of an asset, ascending, each once.
    pub fn inputs(&self) -> Vec<TagIndex> {
        let mut inputs: Vec<TagIndex> = self.assets.iter().flat_map(Asset::inputs).collect();
        inputs.retain(|input| input.as_usize() < self.tags.len());
        inputs.sort_unstable();
        inputs.dedup();
        inputs
    }
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
            emissions: Vec::new(),
            contracts: Vec::new(),
            channel: None,
            sum_children: SumChildren::default(),
        }
    }

    /// Returns every tag that is an input of it; one that is an input twice comes twice.
    pub fn inputs(&self) -> impl Iterator<Item = TagIndex> {
        let Boundary { electricity, generation, export, reactive } = &self.boundary;
        let meters = [electricity, generation, export, reactive].into_iter().flatten().copied();
        let fuels = self.emissions.iter().filter_map(|emission| emission.quantity);
        let own = [self.state, self.total, self.good, self.scrap, self.rework, self.first_operation];
        let own = own.into_iter().flatten();
        let fuels = fuels.chain(self.contracts.iter().filter_map(|contract| contract.quantity));
        own.chain(meters).chain(fuels).chain(self.channel.iter().flat_map(|channel| channel.inputs()))
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

/// The boundary meters of an asset: net electricity = electricity + generation − export.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Boundary {
    /// Imports.
    pub electricity: Vec<TagIndex>,
    /// Own generation behind the boundary.
    pub generation: Vec<TagIndex>,
    /// Exports.
    pub export: Vec<TagIndex>,
    /// Reactive energy.
    pub reactive: Vec<TagIndex>,
}

impl Boundary {
    /// Says whether net electricity can be computed.
    pub fn has_electricity(&self) -> bool {
        !self.electricity.is_empty() || !self.generation.is_empty()
    }
}

/// Which measures an asset without an input of its own sums from its children. Machines don't sum by default.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SumChildren {
    /// Net and reactive electricity.
    pub electricity: bool,
    /// Quantities; only of like product units.
    pub parts: bool,
}
