//! The tree of assets: who stands in whom, which one is the site, and the levels that follow from it.

use std::collections::BTreeMap;

use serde_spanned::Spanned;

use super::meters::{Built, explain};
use super::spelling;
use crate::engine::config::meter::MeterConfig;
use crate::engine::config::{AssetConfig, Summed};
use crate::engine::plant::{Asset, SumChildren};
use crate::model::id::{AssetId, TagName};
use crate::model::problem::Problems;
use crate::model::record::Level;
use crate::model::tag::{TagIndex, TagSpec};

/// The tree over a list of assets; positions are those of the list.
#[derive(Debug)]
pub(super) struct Tree {
    /// `None` for the site.
    parents: Vec<Option<usize>>,
    levels: Vec<Level>,
    /// Every asset after its parent, brothers in the order of the list.
    order: Vec<usize>,
}

impl Tree {
    /// Finds parents, site and levels; reports unknown parents, circles, and more or less than one site.
    pub(super) fn grow(assets: &[AssetConfig], problems: &mut Problems) -> Option<Self> {
        let positions: BTreeMap<&AssetId, usize> =
            assets.iter().enumerate().rev().map(|(position, asset)| (asset.id.get_ref(), position)).collect();
        let named = find_parents(assets, &positions, problems);
        let is_circular = report_circles(assets, named.as_deref()?, problems);
        let site = find_site(assets, problems)?;
        if is_circular {
            return None;
        }
        let mut parents = named?;
        for (position, parent) in parents.iter_mut().enumerate().filter(|(position, _)| *position != site) {
            *parent = parent.or_else(|| (position != site).then_some(site));
        }
        let order = order(&parents, site);
        let levels = levels(assets, &parents, &order, site);
        let tree = Self { parents, levels, order };
        tree.check_levels(assets, problems);
        Some(tree)
    }

    /// Returns the levels of the assets.
    pub(super) fn levels(&self) -> &[Level] {
        &self.levels
    }

    /// Says whether `below` stands somewhere in `above`.
    pub(super) fn is_inside(&self, below: usize, above: usize) -> bool {
        std::iter::successors(self.parents[below], |parent| self.parents[*parent]).any(|parent| parent == above)
    }

    /// Returns what an asset stands in; `None` of the site.
    pub(super) fn parent(&self, position: usize) -> Option<usize> {
        self.parents[position]
    }

    /// Says whether an asset has others in it.
    pub(super) fn has_children(&self, position: usize) -> bool {
        self.parents.contains(&Some(position))
    }

    fn check_levels(&self, assets: &[AssetConfig], problems: &mut Problems) {
        for (position, asset) in assets.iter().enumerate() {
            let (Some(parent), Some(level)) = (self.parents[position], &asset.level) else { continue };
            if self.levels[position] < self.levels[parent] {
                problems.error(
                    level.span(),
                    format!(
                        "asset \"{}\" is {} and stands in \"{}\", which is only {}",
                        asset.id.get_ref(),
                        with_article(self.levels[position]),
                        assets[parent].id.get_ref(),
                        with_article(self.levels[parent])
                    ),
                    "levels get narrower downwards: site, area, line, unit",
                );
            }
        }
    }

    /// Returns the assets as the engine knows them: each after its parent, the site first.
    pub(super) fn plant_assets(&self, assets: &[AssetConfig], meters: &[MeterConfig], tags: &[TagSpec]) -> Vec<Asset> {
        let meters = Built::new(meters, tags);
        let mut places = vec![0; assets.len()];
        self.order.iter().enumerate().for_each(|(place, position)| places[*position] = place);
        let place_of = |id: &Spanned<AssetId>| {
            assets.iter().position(|asset| asset.id.get_ref() == id.get_ref()).map(|position| places[position])
        };
        let engine = |position: &usize| {
            let config = &assets[*position];
            let tag = |name: &Option<Spanned<TagName>>| name.as_ref().and_then(|name| index(tags, name.get_ref()));
            let id = config.id.get_ref().clone();
            let parent = self.parents[*position].map(|parent| places[parent]);
            Asset {
                name: config.name.clone(),
                state: tag(&config.state),
                total: tag(&config.total),
                good: tag(&config.good),
                scrap: tag(&config.scrap),
                rework: tag(&config.rework),
                planned_run_time_per_unit_ns: config
                    .planned_run_time_per_unit
                    .as_ref()
                    .map(|time| time.get_ref().as_ns()),
                product_unit: config.product_unit,
                takes: config.takes_context.iter().map(|kind| *kind.get_ref()).collect(),
                first_operation: tag(&config.first_operation),
                capacity_micro_per_hour: config.capacity_per_hour.as_ref().map(|rate| micro(*rate.get_ref())),
                exit: config.exit.as_ref().and_then(place_of),
                boundary: config.boundary.as_ref().map(|config| meters.boundary(config)).unwrap_or_default(),
                sum_children: SumChildren {
                    media: config.sum_children.iter().filter_map(|summed| summed.get_ref().medium()).collect(),
                    parts: config.sum_children.iter().any(|summed| *summed.get_ref() == Summed::Parts),
                },
                ..Asset::new(id, parent, self.levels[*position])
            }
        };
        let mut plant: Vec<Asset> = self.order.iter().map(engine).collect();
        explain(&mut plant, &meters);
        plant
    }
}

#[expect(clippy::cast_possible_truncation, reason = "checked to be at most 10^9")]
fn micro(rate: f64) -> i64 {
    (rate * 1e6).round() as i64
}

/// Returns the position of a tag.
pub(super) fn index(tags: &[TagSpec], name: &TagName) -> Option<TagIndex> {
    let position = tags.binary_search_by(|spec| spec.name.cmp(name)).ok()?;
    u32::try_from(position).ok().map(TagIndex)
}

/// Returns the declared parent of each asset; `None` altogether where one isn't declared.
fn find_parents(
    assets: &[AssetConfig],
    positions: &BTreeMap<&AssetId, usize>,
    problems: &mut Problems,
) -> Option<Vec<Option<usize>>> {
    let mut is_complete = true;
    let mut parents = Vec::with_capacity(assets.len());
    for asset in assets {
        let found = asset.parent.as_ref().and_then(|parent| positions.get(parent.get_ref()).copied());
        if let Some(parent) = asset.parent.as_ref().filter(|_| found.is_none()) {
            report_unknown(assets, parent, "parent", ("asset", asset.id.get_ref()), problems);
            is_complete = false;
        }
        parents.push(found);
    }
    is_complete.then_some(parents)
}

/// Reports an id that no asset has.
pub(super) fn report_unknown(
    assets: &[AssetConfig],
    wanted: &Spanned<AssetId>,
    role: &str,
    (kind, owner): (&str, &AssetId),
    problems: &mut Problems,
) {
    let known: Vec<&str> =
        assets.iter().map(|asset| asset.id.get_ref().as_str()).filter(|id| *id != owner.as_str()).collect();
    problems.error(
        wanted.span(),
        format!("{role} \"{}\" of {kind} \"{owner}\" is not declared", wanted.get_ref()),
        spelling::propose(wanted.get_ref().as_str(), &known, "\""),
    );
}

/// Reports each circle once, at the parent of its first asset.
fn report_circles(assets: &[AssetConfig], parents: &[Option<usize>], problems: &mut Problems) -> bool {
    let mut is_circular = false;
    for start in 0..assets.len() {
        let mut path = vec![start];
        while let Some(next) = parents[path[path.len() - 1]] {
            if next == start {
                is_circular = true;
                // The smallest position speaks for the circle.
                if path.iter().all(|position| *position >= start) {
                    let names: Vec<&str> =
                        path.iter().chain([&start]).map(|at| assets[*at].id.get_ref().as_str()).collect();
                    let span = assets[start].parent.as_ref().map(Spanned::span);
                    let message = format!("assets stand in each other in a circle: {}", names.join(" in "));
                    problems.error(span, message, "let one of them stand in the site: remove its parent");
                }
                break;
            }
            if path.contains(&next) {
                break;
            }
            path.push(next);
        }
    }
    is_circular
}

/// Returns the one asset that is the site: the one that says so, or the only one without a parent, or the one called
/// `site`.
fn find_site(assets: &[AssetConfig], problems: &mut Problems) -> Option<usize> {
    let declared: Vec<usize> = (0..assets.len())
        .filter(|position| assets[*position].level.as_ref().is_some_and(|level| *level.get_ref() == Level::Site))
        .collect();
    if let [first, others @ ..] = declared.as_slice() {
        for other in others {
            problems.error(
                assets[*other].level.as_ref().map(Spanned::span),
                format!(
                    "assets \"{}\" and \"{}\" are both the site",
                    assets[*first].id.get_ref(),
                    assets[*other].id.get_ref()
                ),
                "a box serves one site: write level = \"area\", or give the other factory its own box",
            );
        }
        if let Some(parent) = &assets[*first].parent {
            let message =
                format!("asset \"{}\" is the site and stands in \"{}\"", assets[*first].id.get_ref(), parent.get_ref());
            problems.error(parent.span(), message, "remove its parent, or its level");
            return None;
        }
        return others.is_empty().then_some(*first);
    }
    let roots: Vec<usize> = (0..assets.len())
        .filter(|position| assets[*position].parent.is_none() && assets[*position].level.is_none())
        .collect();
    let only = if let [only] = roots.as_slice() { Some(*only) } else { None };
    let found = only.or_else(|| roots.into_iter().find(|position| assets[*position].id.get_ref().as_str() == "site"));
    if found.is_none() && !assets.is_empty() {
        problems.error(
            assets[0].id.span(),
            "no asset is the site, the one that all others stand in",
            "add [[asset]] with id = \"site\" and level = \"site\"",
        );
    }
    found
}

fn order(parents: &[Option<usize>], site: usize) -> Vec<usize> {
    let mut order = vec![site];
    let mut at = 0;
    while let Some(above) = order.get(at).copied() {
        order.extend((0..parents.len()).filter(|position| parents[*position] == Some(above)));
        at += 1;
    }
    order
}

/// Fills in the levels that aren't declared: what has nothing in it is a unit, what has only units a line, above that
/// areas. Never wider than the parent.
fn levels(assets: &[AssetConfig], parents: &[Option<usize>], order: &[usize], site: usize) -> Vec<Level> {
    let mut heights = vec![0_usize; assets.len()];
    for position in order.iter().rev() {
        if let Some(parent) = parents[*position] {
            heights[parent] = heights[parent].max(heights[*position] + 1);
        }
    }
    let mut levels = vec![Level::Site; assets.len()];
    for position in order.iter().copied().filter(|position| *position != site) {
        let natural = match heights[position] {
            0 => Level::Unit,
            1 => Level::Line,
            _ => Level::Area,
        };
        let above = parents[position].map_or(Level::Site, |parent| levels[parent]);
        levels[position] = assets[position].level.as_ref().map_or_else(|| natural.max(above), |level| *level.get_ref());
    }
    levels
}

fn with_article(level: Level) -> String {
    let article = if level == Level::Area { "an" } else { "a" };
    format!("{article} {}", level.as_str())
}
