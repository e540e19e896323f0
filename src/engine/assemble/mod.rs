//! From what tags contribute to a span to the facts of every asset.
//!
//! An asset's own input replaces its children's sum and never adds to it. Times and PRU-weighted quantities sum over
//! children; energy and parts do so only where the asset says it, and parts of a line count at its declared exit.
//! One file a family of measures, each with one function from a [`Scope`] to the facts it adds.

mod baseline;
mod channel;
pub(super) mod energy;
mod fuel;
mod media;
mod parts;
mod times;
mod told;

use super::calendar::Planned;
use super::context::{Slice, Told, View};
use super::medium::Medium;
use super::meter::{Form, Reading, WHOLE};
use super::plant::{Asset, Plant, Product};
use super::series::TagMinute;
use crate::model::context::Counted;
use crate::model::fact::{Facts, Measure};
use crate::model::state::MachineState;
use crate::model::tag::TagIndex;
use crate::model::time::{Timestamp, Window};

/// What tags contribute to a span, by tag.
#[derive(Debug, Clone, Copy)]
pub(super) struct Contributions<'a> {
    /// By tag position: its place in `minutes`, or beyond its end where no asset has the tag as an input.
    pub(super) places: &'a [u32],
    /// By place.
    pub(super) minutes: &'a [Option<TagMinute>],
    /// What assets were told, and the plant's words for it; `None` where nothing counts.
    pub(super) told: Option<(&'a Told, &'a Plant)>,
}

impl Contributions<'static> {
    /// No tag contributes, and nothing was told.
    pub(super) const NONE: Self = Self { places: &[], minutes: &[], told: None };
}

/// A span whose facts are made: what was expected of it counts, whether observed or not.
#[derive(Debug, Clone, Copy)]
pub(super) struct Span<'a> {
    /// The span.
    pub(super) window: Window,
    /// What each calendar of the plant plans in it.
    pub(super) planned: &'a [Planned],
}

/// What meters came to in a span. **Unit** of the amounts: 10⁻⁶ of the base unit of their tags.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Amount {
    /// Substituted part included.
    amount: i128,
    /// The part that was spread over gaps, of everything added and taken away together.
    substituted: i128,
    /// What was left out as impossible, of everything added and taken away together.
    excluded: i128,
    /// Time over which every one of them was observed, bounded by the least observed.
    observed_ms: i64,
}

impl Amount {
    /// Adds another meter's amount with a sign; what is no measurement adds up whatever the sign.
    fn join(self, sign: i128, other: Self) -> Self {
        Self {
            amount: self.amount + sign * other.amount,
            substituted: self.substituted + other.substituted,
            excluded: self.excluded + other.excluded,
            observed_ms: self.observed_ms.min(other.observed_ms),
        }
    }

    /// Returns the part `[from, to)` of a whole in millionths; parts that follow one another sum to the whole.
    fn part(self, from: u32, to: u32) -> Self {
        let until = |amount: i128, at: u32| super::baseline::divide(amount * i128::from(at), i128::from(WHOLE));
        let part = |amount| until(amount, to) - until(amount, from);
        Self {
            amount: part(self.amount),
            substituted: part(self.substituted),
            excluded: part(self.excluded),
            observed_ms: self.observed_ms,
        }
    }

    /// Returns it in the units of a medium's measures.
    fn in_units(self, medium: Medium) -> Self {
        let units = |amount| super::baseline::divide(amount, medium.tag_units());
        Self {
            amount: units(self.amount),
            substituted: units(self.substituted),
            excluded: units(self.excluded),
            observed_ms: self.observed_ms,
        }
    }
}

/// What the facts of one asset are made from.
#[derive(Debug, Clone, Copy)]
struct Scope<'a> {
    plant: &'a Plant,
    /// Position of the asset.
    position: usize,
    asset: &'a Asset,
    span: Span<'a>,
    tags: Contributions<'a>,
    /// Positions of its children.
    children: &'a [usize],
    /// Facts by position; those of everything below it are done.
    all: &'a [Facts],
}

impl<'a> Scope<'a> {
    /// Returns what a tag contributes, `None` where nothing.
    fn contribution(&self, tag: TagIndex) -> Option<&'a TagMinute> {
        let place = *self.tags.places.get(tag.as_usize())?;
        self.tags.minutes.get(place as usize)?.as_ref()
    }

    /// Returns the amount a tag contributes. **Unit**: 10⁻⁶ of its base unit.
    fn amount(&self, tag: TagIndex) -> i128 {
        self.contribution(tag).map_or(0, |minute| minute.amount)
    }

    /// Returns the time over which every one of the tags was observed, bounded by the least observed. **Unit**: ms.
    fn observed_ms(&self, inputs: &[TagIndex]) -> i64 {
        inputs.iter().map(|tag| self.contribution(*tag).map_or(0, |minute| minute.observed_ms)).min().unwrap_or(0)
    }

    /// Returns the span.
    const fn window(&self) -> Window {
        self.span.window
    }

    /// Returns the scope of another asset of the same span. Sums over its children aren't for it.
    fn at(&self, position: usize) -> Self {
        Self { asset: &self.plant.assets[position], position, children: &[], ..*self }
    }

    fn positions_of_children(&self) -> impl Iterator<Item = usize> + use<'a> {
        let position = self.position;
        self.plant
            .assets
            .iter()
            .enumerate()
            .filter(move |(_, asset)| asset.parent == Some(position))
            .map(|(child, _)| child)
    }

    /// Returns what the asset was told, `None` where it is told nothing.
    fn view(&self) -> Option<View<'a>> {
        let (told, plant) = self.tags.told.filter(|_| self.asset.takes_context())?;
        Some(told.view(plant, self.position))
    }

    /// Returns the stops that were told of the asset in a span, each as the state that its reason stands for.
    fn stops(&self, window: Window) -> Vec<(Timestamp, Timestamp, MachineState)> {
        self.view().map_or_else(Vec::new, |view| view.stops(window))
    }

    /// Cuts a span where the asset's product changes; one part where no product is told.
    fn slices(&self, window: Window) -> Vec<Slice<'a>> {
        self.view().map_or_else(|| vec![Slice { window, product: None }], |view| view.products(window))
    }

    /// Returns the planned run time per unit of what runs on the asset at an instant. **Unit**: ns.
    fn run_time_ns(&self, product: Option<&Product>, at: Timestamp) -> Option<i64> {
        self.view().map_or(self.asset.planned_run_time_per_unit_ns, |view| view.run_time_ns(product, at))
    }

    /// Says whether any product is planned to have scrap.
    fn plans_scrap(&self) -> bool {
        self.tags.told.is_some_and(|(_, plant)| plant.products.iter().any(|product| product.planned_scrap_micro > 0))
    }

    /// Returns the amount a tag contributes to a part of the span, `None` all of it. **Unit**: 10⁻⁶ of its base unit.
    fn amount_in(&self, tag: TagIndex, part: Option<Window>) -> i128 {
        match part {
            None => self.amount(tag),
            Some(part) => self.contribution(tag).map_or(0, |minute| minute.amount_between(part.start, part.end)),
        }
    }

    /// Returns the quantity that was told for a part of the span, `None` all of it. **Unit**: 10⁻⁶ of the product unit.
    fn counted(&self, of: Counted, part: Option<Window>) -> i128 {
        let part = part.unwrap_or_else(|| self.window());
        self.view().map_or(0, |view| view.counted(of, part))
    }

    /// Adds what the exit has of some measures, or the children where the asset sums parts.
    fn inherit_parts(&self, measures: &[Measure], facts: &mut Facts) {
        match self.asset.exit {
            Some(exit) => self.sum(&[exit], measures, facts),
            None if self.asset.sum_children.parts => self.sum_children(measures, facts),
            None => {}
        }
    }

    /// Returns what a meter came to.
    fn reading(&self, reading: &Reading) -> Amount {
        let meter = match reading {
            Reading::Tag(tag) => {
                return self.contribution(*tag).map_or(Amount::default(), |minute| Amount {
                    amount: minute.amount,
                    substituted: minute.substituted,
                    excluded: minute.excluded,
                    observed_ms: minute.observed_ms,
                });
            }
            Reading::Meter(meter) => meter,
        };
        match &meter.form {
            Form::Share { of, from, to } => self.reading(of).part(*from, *to),
            Form::Sum { plus, minus } => {
                let signed = plus.iter().map(|of| (1, of)).chain(minus.iter().map(|of| (-1, of)));
                self.join(signed)
            }
        }
    }

    /// Returns the sum of meters; of none of them nothing, observed for no time.
    fn total(&self, readings: &[Reading]) -> Amount {
        self.join(readings.iter().map(|reading| (1, reading)))
    }

    fn join<'r>(&self, signed: impl Iterator<Item = (i128, &'r Reading)>) -> Amount {
        let start = Amount { observed_ms: i64::MAX, ..Amount::default() };
        let sum = signed.fold(start, |sum, (sign, reading)| sum.join(sign, self.reading(reading)));
        Amount { observed_ms: if sum.observed_ms == i64::MAX { 0 } else { sum.observed_ms }, ..sum }
    }

    /// Adds what the children have of some measures.
    fn sum_children(&self, measures: &[Measure], facts: &mut Facts) {
        self.sum(self.children, measures, facts);
    }

    /// Adds what some assets have of some measures.
    fn sum(&self, assets: &[usize], measures: &[Measure], facts: &mut Facts) {
        for measure in measures {
            for value in assets.iter().filter_map(|asset| self.all[*asset].get(*measure)) {
                facts.add(*measure, value);
            }
        }
    }
}

/// Returns the positions of each asset's children, in plant order.
pub(super) fn children(assets: &[Asset]) -> Vec<Vec<usize>> {
    let mut children = vec![Vec::new(); assets.len()];
    for (position, asset) in assets.iter().enumerate() {
        if let Some(parent) = asset.parent {
            children[parent].push(position);
        }
    }
    children
}

/// Returns the facts of every asset, in plant order. `children` is what [`children`] returns of the assets, `tags`
/// holds the contributions.
pub(super) fn assemble(plant: &Plant, children: &[Vec<usize>], span: Span<'_>, tags: Contributions<'_>) -> Vec<Facts> {
    let mut all = vec![Facts::default(); plant.assets.len()];
    // Children come after their parent, so backwards each finds its children done.
    for position in (0..plant.assets.len()).rev() {
        all[position] = one(plant, position, &children[position], span, tags, &all);
    }
    all
}

/// Returns the facts of one asset, by its position; `all` holds those of everything below it.
pub(super) fn one(
    plant: &Plant,
    position: usize,
    children: &[usize],
    span: Span<'_>,
    tags: Contributions<'_>,
    all: &[Facts],
) -> Facts {
    let scope = Scope { plant, position, asset: &plant.assets[position], span, tags, children, all };
    let mut facts = Facts::default();
    times::add(&scope, &mut facts);
    parts::add(&scope, &mut facts);
    told::add(&scope, &mut facts);
    energy::add(&scope, &mut facts);
    media::add(&scope, &mut facts);
    // Reads the steam that the boundary added.
    fuel::add(&scope, &mut facts);
    baseline::add(&scope, &mut facts);
    channel::add(&scope, &mut facts);
    facts
}
