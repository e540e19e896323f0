//! Closing groups: which assets close their minutes together, and who waits for whom.
//!
//! Assets that share a tag close together, since the tag's minute is handed out once. A parent waits for the children
//! whose facts it takes; nobody waits for a parent, and nobody for an asset that nothing depends on. A group's
//! watermark is `now` less the largest lateness of its own inputs.

use std::collections::{BTreeMap, BTreeSet};

use super::plant::{Asset, Boundary, Plant, SumChildren};
use crate::model::tag::TagIndex;
use crate::model::time::Timestamp;

/// How late what an asset is told may come before its minutes close. **Unit**: ms.
const CONTEXT_LATENESS_MS: i64 = 60_000;

/// One closing group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Group {
    /// Positions of its assets, ascending.
    pub(super) assets: Vec<usize>,
    /// Places of its tags among the inputs, ascending.
    pub(super) places: Vec<usize>,
    /// Groups that close a minute before it does; their numbers are smaller than its own.
    pub(super) awaited: Vec<usize>,
    /// The largest lateness of its inputs. **Unit**: ms.
    pub(super) lateness_ms: i64,
    /// Every minute of it before this instant is closed.
    pub(super) closed_until: Timestamp,
}

/// Returns the groups of a plant, each after those it waits for. `places` is the place of each tag among the inputs.
pub(super) fn of(plant: &Plant, children: &[Vec<usize>], inputs: &[TagIndex], places: &[u32]) -> Vec<Group> {
    let place_of = |tag: TagIndex| places.get(tag.as_usize()).copied().filter(|place| (*place as usize) < inputs.len());
    let inputs_of = |asset: &Asset| -> BTreeSet<usize> {
        asset.inputs().filter_map(place_of).map(|place| place as usize).collect()
    };
    let assets = plant.assets.len();
    let mut union = Union((0..assets).collect());
    let mut owner: BTreeMap<usize, usize> = BTreeMap::new();
    for (position, asset) in plant.assets.iter().enumerate() {
        for place in inputs_of(asset) {
            let first = *owner.entry(place).or_insert(position);
            union.join(first, position);
        }
    }
    for (position, _) in plant.assets.iter().enumerate().filter(|(_, asset)| asset.takes_context()) {
        // What it is told of its machines' work is cut by their samples.
        let mut machines = children[position].clone();
        while let Some(child) = machines.pop() {
            union.join(position, child);
            machines.extend(&children[child]);
        }
    }
    let below = below(plant, children);
    let awaits = |parent: usize, child: usize| takes_from(&plant.assets[parent], child, below[child]);
    absorb_children(&mut union, children, awaits);
    let mut members: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for position in 0..assets {
        members.entry(union.root(position)).or_default().push(position);
    }
    // Those of several assets wait for nobody. Of the others, children come after their parent in the plant.
    let (mut several, mut single): (Vec<_>, Vec<_>) = members.into_values().partition(|assets| assets.len() > 1);
    single.sort_unstable_by(|a, b| b.cmp(a));
    several.append(&mut single);
    let mut group_of = vec![0; assets];
    for (number, assets) in several.iter().enumerate() {
        assets.iter().for_each(|asset| group_of[*asset] = number);
    }
    let group = |(number, assets): (usize, Vec<usize>)| {
        let of_children = assets.iter().flat_map(|parent| {
            children[*parent].iter().filter(move |child| awaits(*parent, **child)).map(|child| group_of[*child])
        });
        let awaited: BTreeSet<usize> = of_children.filter(|other| *other != number).collect();
        let own: BTreeSet<usize> = assets.iter().flat_map(|asset| inputs_of(&plant.assets[*asset])).collect();
        let lateness = |place: &usize| plant.tags[inputs[*place].as_usize()].lateness_ms;
        let takes_context = assets.iter().any(|asset| plant.assets[*asset].takes_context());
        let of_context = takes_context.then_some(CONTEXT_LATENESS_MS);
        Group {
            lateness_ms: own.iter().map(lateness).chain(of_context).max().unwrap_or(0),
            places: own.into_iter().collect(),
            awaited: awaited.into_iter().collect(),
            closed_until: Timestamp(i64::MIN),
            assets,
        }
    };
    several.into_iter().enumerate().map(group).collect()
}

/// Says whether the facts of a child enter those of its parent.
fn takes_from(parent: &Asset, position: usize, child: Below) -> bool {
    let sums_times = parent.state.is_none() && child.has_times;
    let is_summed = parent.sum_children != SumChildren::default();
    sums_times || is_summed || child.is_metered || parent.exit == Some(position)
}

/// What an asset, or anything below it, has.
#[derive(Debug, Clone, Copy)]
struct Below {
    /// A state of its own.
    has_times: bool,
    /// Meters, fuels or emissions, of which a parent may take something whatever it measures itself.
    is_metered: bool,
}

/// Returns what each asset and anything below it has.
fn below(plant: &Plant, children: &[Vec<usize>]) -> Vec<Below> {
    let own = |asset: &Asset| Below {
        has_times: asset.state.is_some(),
        is_metered: asset.boundary != Boundary::default() || !asset.emissions.is_empty() || !asset.contracts.is_empty(),
    };
    let mut all: Vec<Below> = plant.assets.iter().map(own).collect();
    for position in (0..all.len()).rev() {
        for child in &children[position] {
            all[position].has_times |= all[*child].has_times;
            all[position].is_metered |= all[*child].is_metered;
        }
    }
    all
}

/// A group of several assets takes in whatever any of them waits for: only so can no two groups wait for each other.
fn absorb_children(union: &mut Union, children: &[Vec<usize>], awaits: impl Fn(usize, usize) -> bool) {
    let mut size: BTreeMap<usize, usize> = BTreeMap::new();
    for position in 0..children.len() {
        *size.entry(union.root(position)).or_default() += 1;
    }
    let mut grew = true;
    while grew {
        grew = false;
        for (parent, children) in children.iter().enumerate() {
            for child in children.iter().filter(|child| awaits(parent, **child)) {
                let (a, b) = (union.root(parent), union.root(*child));
                if a != b && size[&a] > 1 {
                    let sum = size[&a] + size[&b];
                    union.join(a, b);
                    size.insert(union.root(a), sum);
                    grew = true;
                }
            }
        }
    }
}

/// Sets that are joined.
struct Union(Vec<usize>);

impl Union {
    fn root(&mut self, mut of: usize) -> usize {
        while self.0[of] != of {
            self.0[of] = self.0[self.0[of]];
            of = self.0[of];
        }
        of
    }

    fn join(&mut self, a: usize, b: usize) {
        let (a, b) = (self.root(a), self.root(b));
        self.0[a.max(b)] = a.min(b);
    }
}
