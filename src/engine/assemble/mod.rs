//! From what tags contribute to a span to the facts of every asset.
//!
//! An asset's own input replaces its children's sum and never adds to it. Times and PRU-weighted quantities sum over
//! children; energy and parts do so only where the asset says it, and parts of a line count at its declared exit.
//! One file a family of measures, each with one function from a [`Scope`] to the facts it adds.

mod energy;
mod parts;
mod times;

use super::calendar::Planned;
use super::plant::Asset;
use super::series::TagMinute;
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
}

impl Contributions<'static> {
    /// No tag contributes.
    pub(super) const NONE: Self = Self { places: &[], minutes: &[] };
}

/// What a span is made of.
#[derive(Debug, Clone, Copy)]
pub(super) enum Span<'a> {
    /// A whole span: what was expected of it counts, whether observed or not.
    Whole {
        /// The span.
        window: Window,
        /// What each calendar of the plant plans in it.
        planned: &'a [Planned],
    },
    /// Amounts to be added to a closed minute; its times and expectations stand.
    Correction,
}

/// What the facts of one asset are made from.
#[derive(Debug, Clone, Copy)]
struct Scope<'a> {
    asset: &'a Asset,
    span: Span<'a>,
    tags: Contributions<'a>,
    /// Positions of its children.
    children: &'a [usize],
    /// Facts by position; those of its children are done.
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

    /// Returns the stops that were told of the asset in a minute, each as the state that its reason stands for.
    #[expect(clippy::unused_self, reason = "what is told of assets comes with their context")]
    fn stops(&self, _minute: Window) -> &'a [(Timestamp, Timestamp, MachineState)] {
        &[]
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
pub(super) fn assemble(
    assets: &[Asset],
    children: &[Vec<usize>],
    span: Span<'_>,
    tags: Contributions<'_>,
) -> Vec<Facts> {
    let mut all = vec![Facts::default(); assets.len()];
    // Children come after their parent, so backwards each finds its children done.
    for position in (0..assets.len()).rev() {
        all[position] = one(assets, position, &children[position], span, tags, &all);
    }
    all
}

/// Returns the facts of one asset, by its position; `all` holds those of its children by theirs.
pub(super) fn one(
    assets: &[Asset],
    position: usize,
    children: &[usize],
    span: Span<'_>,
    tags: Contributions<'_>,
    all: &[Facts],
) -> Facts {
    let scope = Scope { asset: &assets[position], span, tags, children, all };
    let mut facts = Facts::default();
    times::add(&scope, &mut facts);
    parts::add(&scope, &mut facts);
    energy::add(&scope, &mut facts);
    facts
}
