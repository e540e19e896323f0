//! `[[asset]]`: whether what an asset refers to exists, fits, and counts nothing twice.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use serde_spanned::Spanned;

use super::document::{Document, text_of};
use super::meters::{Meters, report_misfit};
use super::tags::Tags;
use super::tree::{Tree, report_unknown};
use crate::engine::config::meter::{BoundaryConfig, Input};
use crate::engine::config::{AssetConfig, Summed};
use crate::engine::medium::{Medium, fits};
use crate::model::context::ContextKind;
use crate::model::id::{AssetId, TagName};
use crate::model::problem::Problems;
use crate::model::record::Level;
use crate::model::tag::{TagKind, TagSpec};
use crate::model::unit::Dimension;

/// Every asset that could be read.
#[derive(Debug)]
pub(super) struct Assets {
    pub(super) assets: Vec<AssetConfig>,
    /// Whether every asset could be read, so that what isn't here doesn't exist.
    pub(super) is_complete: bool,
}

/// Reads every asset.
pub(super) fn read(document: &Document<'_>, problems: &mut Problems) -> Assets {
    let mut read = Assets { assets: Vec::new(), is_complete: true };
    for entry in document.list("asset", problems) {
        let what = text_of(entry, "id").map_or_else(|| "[[asset]]".to_owned(), |id| format!("asset \"{id}\""));
        let asset = document.read::<AssetConfig>(&what, entry, &[], problems);
        read.is_complete &= asset.is_whole && asset.value.is_some();
        read.assets.extend(asset.value);
    }
    read
}

/// Checks every asset by itself and all of them together.
pub(super) fn check(read: &Assets, meters: &Meters, tags: &Tags, problems: &mut Problems) {
    let assets = &read.assets;
    let is_unique = check_ids(assets, problems);
    let mut uses = Uses::default();
    for asset in assets {
        check_inputs(asset, tags, &mut uses, problems);
        check_ratings(asset, problems);
        check_meters(asset, meters, tags, &mut uses, problems);
    }
    uses.warn_of_double_counting(problems);
    if assets.is_empty() && read.is_complete {
        problems.error(
            0..0,
            "there is no asset, so there is nothing to compute a KPI of",
            "add [[asset]] with id = \"site\"",
        );
    }
    // A parent, an exit or the site may be among the assets that couldn't be read.
    if read.is_complete
        && is_unique
        && let Some(tree) = Tree::grow(assets, problems)
    {
        check_places(assets, &tree, problems);
    }
}

fn check_ids(assets: &[AssetConfig], problems: &mut Problems) -> bool {
    let mut seen = BTreeSet::new();
    for asset in assets {
        if !seen.insert(asset.id.get_ref()) {
            problems.error(
                asset.id.span(),
                format!("asset \"{}\" is declared twice", asset.id.get_ref()),
                "give each its own id",
            );
        }
    }
    seen.len() == assets.len()
}

/// The one tag each asset input takes, by key.
fn inputs(asset: &AssetConfig) -> [(&'static str, Option<&Spanned<TagName>>); 4] {
    [
        ("total", asset.total.as_ref()),
        ("good", asset.good.as_ref()),
        ("scrap", asset.scrap.as_ref()),
        ("rework", asset.rework.as_ref()),
    ]
}

fn check_inputs<'a>(asset: &'a AssetConfig, tags: &Tags, uses: &mut Uses<'a>, problems: &mut Problems) {
    let id = asset.id.get_ref();
    if let Some(state) = &asset.state
        && let Some(spec) = tags.find(state, problems)
        && spec.kind != TagKind::State
    {
        let message = format!("`state` of asset \"{id}\" is a tag of kind {}, expected state", spec.kind.as_str());
        problems.error(state.span(), message, "give the point a table of states, like states = { 1 = \"producing\" }");
    }
    // What enters a chain is another operation's output and may well be counted there too.
    let first = asset.first_operation.as_ref();
    for (key, tag) in inputs(asset).into_iter().chain([("first_operation", first)]) {
        let Some(tag) = tag else { continue };
        if key != "first_operation" {
            uses.note(tag.get_ref().as_str(), tag.span(), id, key);
        }
        if let Some(spec) = tags.find(tag, problems)
            && !(counts(spec) && matches!(spec.unit.dimension(), Dimension::Count | Dimension::Volume))
        {
            problems.error(
                tag.span(),
                format!(
                    "`{key}` of asset \"{id}\" is a tag of kind {} in {}; parts can't be counted by it",
                    spec.kind.as_str(),
                    spec.unit.as_str()
                ),
                "give the point kind = \"counter\" or \"interval\" and unit = \"1\"",
            );
        }
    }
    if let Some(time) = &asset.planned_run_time_per_unit {
        let has_parts = counts_parts(asset) || asset.exit.is_some() || !asset.sum_children.is_empty();
        if time.get_ref().as_ns() == 0 {
            problems.error(
                time.span(),
                format!("planned_run_time_per_unit of asset \"{id}\" is 0"),
                "write the time one unit takes, like \"1.2s\"",
            );
        } else if !has_parts {
            problems.warning(
                time.span(),
                format!("asset \"{id}\" has a planned run time per unit and counts no parts"),
                "name the tag that counts them: total = …",
            );
        }
    }
}

/// Says whether an asset counts parts itself, by a tag or as it is told.
fn counts_parts(asset: &AssetConfig) -> bool {
    let told = [ContextKind::Produced, ContextKind::Good, ContextKind::Scrap, ContextKind::Rework];
    inputs(asset).iter().any(|(_, tag)| tag.is_some())
        || asset.takes_context.iter().any(|kind| told.contains(kind.get_ref()))
}

/// Checks what stands beside an asset's own count: what enters its chain, and what it is rated for.
fn check_ratings(asset: &AssetConfig, problems: &mut Problems) {
    let id = asset.id.get_ref();
    if let Some(rate) = &asset.capacity_per_hour {
        if !(*rate.get_ref() > 0.0 && *rate.get_ref() <= 1e9) {
            let message = format!("capacity_per_hour of asset \"{id}\" is {}, expected up to 10^9", rate.get_ref());
            problems.error(rate.span(), message, "write the rated output, like 1200");
        } else if asset.state.is_none() || !counts_parts(asset) {
            let message =
                format!("asset \"{id}\" has a capacity_per_hour and no `state` and parts of its own to hold it to");
            problems.error(rate.span(), message, "give it to the machine that has both");
        }
    }
    if let Some(first) = asset.first_operation.as_ref().filter(|_| !counts_parts(asset)) {
        let message = format!("asset \"{id}\" has a first_operation and counts no parts of its own beside it");
        problems.error(first.span(), message, "name the tag that counts its scrap: scrap = …");
    }
}

fn check_meters<'a>(
    asset: &'a AssetConfig,
    meters: &Meters,
    tags: &Tags,
    uses: &mut Uses<'a>,
    problems: &mut Problems,
) {
    let Some(boundary) = &asset.boundary else { return };
    let id = asset.id.get_ref();
    for (key, list) in boundary.lists() {
        let what = format!("`{key}` of asset \"{id}\"");
        for input in list {
            uses.note(input.get_ref().as_str(), input.span(), id, key);
            match medium_of(key) {
                Some(medium) => meters.check_input(medium, &what, input, tags, problems),
                None => check_reactive(&what, input, tags, problems),
            }
        }
        warn_of_two_of_one_meter(id, key, list, tags, problems);
    }
    let comes_in = [&boundary.electricity, &boundary.generation, &boundary.renewable];
    if let Some(export) = boundary.export.first().filter(|_| comes_in.iter().all(|list| list.is_empty())) {
        problems.warning(
            export.span(),
            format!("asset \"{id}\" has a meter for export and none for what comes in, so it has no electricity"),
            "name the meters of the grid or of generation",
        );
    }
    if let Some(enthalpy) = &boundary.steam_enthalpy {
        check_enthalpy(id, boundary, enthalpy, problems);
    }
}

/// Returns the medium of a boundary's list; `None` for reactive energy.
fn medium_of(key: &str) -> Option<Medium> {
    match key {
        "electricity" | "generation" | "renewable" | "export" => Some(Medium::Electricity),
        "wastewater_reused" => Some(Medium::Wastewater),
        key => Medium::ALL.into_iter().find(|medium| medium.as_str() == key),
    }
}

fn check_reactive(what: &str, input: &Spanned<Input>, tags: &Tags, problems: &mut Problems) {
    let Input::Tag(tag) = input.get_ref() else {
        let message = format!("{what} takes meter \"{}\"; no meter is one of reactive energy", input.get_ref());
        return problems.error(input.span(), message, "name a tag in kvarh or kvar");
    };
    let dimensions = (Dimension::ReactiveEnergy, Dimension::ReactivePower);
    let spec = tags.find(&Spanned::new(input.span(), tag.clone()), problems);
    if let Some(spec) = spec.filter(|spec| !fits(dimensions, spec)) {
        report_misfit(what, input, spec, ("kvarh", "kvar"), problems);
    }
}

/// Steam at its most useful has 2 800 kJ/kg: much less or more is another unit.
fn check_enthalpy(id: &AssetId, boundary: &BoundaryConfig, enthalpy: &Spanned<u32>, problems: &mut Problems) {
    let value = *enthalpy.get_ref();
    if !(500..=4_000).contains(&value) {
        let message = format!("steam_enthalpy of asset \"{id}\" is {value} kJ/kg, expected 500 to 4000");
        problems.error(enthalpy.span(), message, "write kJ for each kg, less that of the condensate, like 2570");
    } else if boundary.steam.is_empty() {
        let message = format!("asset \"{id}\" has a steam_enthalpy and no steam");
        problems.warning(enthalpy.span(), message, "name the meters of the steam: steam = […]");
    }
}

/// A meter's energy and its power, or two of its registers, in one list would count the same energy twice.
fn warn_of_two_of_one_meter(id: &AssetId, key: &str, list: &[Spanned<Input>], tags: &Tags, problems: &mut Problems) {
    let mut energies = BTreeMap::new();
    for input in list {
        let Input::Tag(tag) = input.get_ref() else { continue };
        let tag = Spanned::new(input.span(), tag.clone());
        let Some(spec) = tags.find(&tag, &mut Problems::default()) else { continue };
        let device = spec.name.as_str().rsplit_once('.').map_or("", |(device, _)| device).to_owned();
        let is_power = spec.kind == TagKind::Gauge;
        if energies.insert(device.clone(), is_power).is_some_and(|was_power| was_power != is_power) {
            problems.warning(
                tag.span(),
                format!("`{key}` of asset \"{id}\" takes the total and the rate of \"{device}\": both count, so its amount counts twice"),
                "keep the counter",
            );
        }
    }
}

fn counts(spec: &TagSpec) -> bool {
    matches!(spec.kind, TagKind::Counter { .. } | TagKind::Interval { .. })
}

/// Where each counted tag is used.
#[derive(Default)]
struct Uses<'a>(BTreeMap<&'a str, Vec<Use<'a>>>);

/// A place in the file, the asset, and the key under which it takes the tag.
type Use<'a> = (Range<usize>, &'a AssetId, &'static str);

impl<'a> Uses<'a> {
    fn note(&mut self, input: &'a str, span: Range<usize>, asset: &'a AssetId, key: &'static str) {
        self.0.entry(input).or_default().push((span, asset, key));
    }

    fn warn_of_double_counting(&self, problems: &mut Problems) {
        for (input, uses) in &self.0 {
            let noun = if input.contains('.') { "tag" } else { "meter" };
            let Some(((_, first, first_key), others)) = uses.split_first() else { continue };
            for (span, asset, key) in others {
                if asset == first {
                    problems.error(
                        span.clone(),
                        format!(
                            "{noun} \"{input}\" is `{first_key}` and `{key}` of asset \"{asset}\": it would count twice"
                        ),
                        "keep one of the two",
                    );
                } else {
                    problems.warning(
                        span.clone(),
                        format!("{noun} \"{input}\" feeds two assets, `{first_key}` of \"{first}\" and `{key}` of \"{asset}\": sums over both count it twice"),
                        "let it feed the asset it measures, and no other",
                    );
                }
            }
        }
    }
}

fn check_places(assets: &[AssetConfig], tree: &Tree, problems: &mut Problems) {
    for (position, asset) in assets.iter().enumerate() {
        let id = asset.id.get_ref();
        if let Some(exit) = &asset.exit {
            check_exit(assets, tree, position, exit, problems);
        }
        if let Some(summed) = asset.sum_children.first().filter(|_| !tree.has_children(position)) {
            problems.error(
                summed.span(),
                format!("asset \"{id}\" sums its children and has none"),
                "remove sum_children, or let other assets name it as their parent",
            );
        }
        check_summed_units(assets, tree, position, problems);
        if tree.levels()[position] != Level::Site
            && let Some(first) =
                asset.boundary.iter().flat_map(|meters| meters.generation.iter().chain(&meters.renewable)).next()
        {
            problems.warning(
                first.span(),
                format!("generation is metered at asset \"{id}\", below the site"),
                "name it at the site too if it isn't behind one of the site's own meters",
            );
        }
    }
}

/// Parts of children that count in another unit would be a sum of unlike things.
fn check_summed_units(assets: &[AssetConfig], tree: &Tree, position: usize, problems: &mut Problems) {
    let asset = &assets[position];
    let Some(parts) = asset.sum_children.iter().find(|summed| *summed.get_ref() == Summed::Parts) else { return };
    let unlike = (0..assets.len()).find(|child| {
        let counts = counts_parts(&assets[*child]) || assets[*child].exit.is_some();
        tree.parent(*child) == Some(position) && counts && assets[*child].product_unit != asset.product_unit
    });
    if let Some(child) = unlike {
        problems.error(
            parts.span(),
            format!(
                "asset \"{}\" counts in {} and would sum the parts of \"{}\", which counts in {}",
                asset.id.get_ref(),
                asset.product_unit.as_str(),
                assets[child].id.get_ref(),
                assets[child].product_unit.as_str()
            ),
            "sum assets of one product_unit only",
        );
    }
}

fn check_exit(assets: &[AssetConfig], tree: &Tree, position: usize, exit: &Spanned<AssetId>, problems: &mut Problems) {
    let id = assets[position].id.get_ref();
    let Some(found) = assets.iter().position(|asset| asset.id.get_ref() == exit.get_ref()) else {
        return report_unknown(assets, exit, "exit", ("asset", id), problems);
    };
    if !tree.is_inside(found, position) {
        problems.error(
            exit.span(),
            format!("exit \"{}\" doesn't stand in asset \"{id}\"", exit.get_ref()),
            format!("name an asset whose parent is \"{id}\", the last one its parts go through"),
        );
    } else if !counts_parts(&assets[found]) && assets[found].exit.is_none() {
        problems.error(
            exit.span(),
            format!("exit \"{}\" of asset \"{id}\" counts no parts", exit.get_ref()),
            format!("give \"{}\" a total", exit.get_ref()),
        );
    } else if assets[found].product_unit != assets[position].product_unit {
        problems.error(
            exit.span(),
            format!(
                "asset \"{id}\" counts in {} and its exit \"{}\" in {}",
                assets[position].product_unit.as_str(),
                exit.get_ref(),
                assets[found].product_unit.as_str()
            ),
            "give both the same product_unit: unlike units are never one quantity",
        );
    } else if inputs(&assets[position]).iter().any(|(_, tag)| tag.is_some()) {
        problems.error(
            exit.span(),
            format!("asset \"{id}\" counts parts itself and by its exit \"{}\"", exit.get_ref()),
            "keep one of the two: an exit, or tags of its own",
        );
    }
}
