//! `[[meter]]` and boundaries: whether what a meter is made of exists, fits and has an end, what the shares of a whole
//! come to, and which meters explain which asset's figure.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_spanned::Spanned;

use super::assets::Assets;
use super::document::{Document, describe};
use super::spelling;
use super::tags::Tags;
use super::tree::{Tree, index};
use crate::engine::config::AssetConfig;
use crate::engine::config::meter::{Above, BoundaryConfig, Input, MeterConfig, Share};
use crate::engine::medium::Medium;
use crate::engine::meter::{Form, Meter, Reading, Submeters, WHOLE};
use crate::engine::plant::{Asset, Boundary};
use crate::model::id::{AssetId, MeterId};
use crate::model::problem::Problems;
use crate::model::tag::{TagIndex, TagSpec};

/// Every meter that could be read.
#[derive(Debug)]
pub(super) struct Meters {
    pub(super) meters: Vec<MeterConfig>,
    /// Whether every meter could be read, so that what isn't here doesn't exist.
    pub(super) is_complete: bool,
}

impl Meters {
    pub(super) fn find(&self, id: &MeterId) -> Option<&MeterConfig> {
        self.meters.iter().find(|meter| meter.id.get_ref() == id)
    }

    /// Returns the meter of an input that names one; reports one that isn't declared, unless that can't be known.
    pub(super) fn named(&self, input: &Spanned<Input>, problems: &mut Problems) -> Option<&MeterConfig> {
        let Input::Meter(id) = input.get_ref() else { return None };
        let found = self.find(id);
        if found.is_none() && self.is_complete {
            let known: Vec<&str> = self.meters.iter().map(|meter| meter.id.get_ref().as_str()).collect();
            let help = match known.as_slice() {
                [] => "a tag is written source.point; a meter wants its own [[meter]]".to_owned(),
                known => spelling::propose(id.as_str(), known, "\""),
            };
            problems.error(input.span(), format!("there is no meter \"{id}\""), help);
        }
        found
    }

    /// Reports an input that a medium can't be read from.
    pub(super) fn check_input(
        &self,
        medium: Medium,
        what: &str,
        input: &Spanned<Input>,
        tags: &Tags,
        problems: &mut Problems,
    ) {
        match input.get_ref() {
            Input::Tag(tag) => {
                let tag = Spanned::new(input.span(), tag.clone());
                if let Some(spec) = tags.find(&tag, problems).filter(|spec| !medium.fits(spec)) {
                    report_misfit(what, input, spec, medium.units(), problems);
                }
            }
            Input::Meter(_) => {
                if let Some(meter) = self.named(input, problems).filter(|meter| *meter.medium.get_ref() != medium) {
                    let of = meter.medium.get_ref().as_str();
                    let message = format!("{what} takes meter \"{}\", which is one of {of}", input.get_ref());
                    problems.error(input.span(), message, format!("name a meter of {}", medium.as_str()));
                }
            }
        }
    }
}

/// Reports a tag from which no amount of the medium follows.
pub(super) fn report_misfit(
    what: &str,
    input: &Spanned<Input>,
    spec: &TagSpec,
    (amount, rate): (&str, &str),
    problems: &mut Problems,
) {
    let message =
        format!("{what} is a tag of kind {} in {}; no amount follows from it", spec.kind.as_str(), spec.unit.as_str());
    problems.error(input.span(), message, format!("use a counter or interval in {amount}, or a gauge in {rate}"));
}

/// Reads every meter.
pub(super) fn read(document: &Document<'_>, problems: &mut Problems) -> Meters {
    let mut read = Meters { meters: Vec::new(), is_complete: true };
    for entry in document.list("meter", problems) {
        let meter = document.read::<MeterConfig>(&describe("meter", entry), entry, &[], problems);
        read.is_complete &= meter.is_whole && meter.value.is_some();
        read.meters.extend(meter.value);
    }
    read
}

/// Checks every meter by itself and all of them together.
pub(super) fn check(read: &Meters, assets: &Assets, tags: &Tags, problems: &mut Problems) {
    let mut seen: BTreeSet<&str> = assets.assets.iter().map(|asset| asset.id.get_ref().as_str()).collect();
    for meter in &read.meters {
        let id = meter.id.get_ref();
        if !seen.insert(id.as_str()) {
            let message = format!("another meter or an asset is called \"{id}\" too");
            problems.error(meter.id.span(), message, "give each its own id: a parent is named by it");
        }
        check_form(meter, read.is_complete, problems);
        let what = format!("meter \"{id}\"");
        for input in inputs(meter) {
            read.check_input(*meter.medium.get_ref(), &what, input, tags, problems);
        }
        check_signs(meter, problems);
        check_parent(meter, read, assets, problems);
        warn_of_idle(meter, read, assets, problems);
    }
    check_shares(&read.meters, problems);
    check_circles(read, problems);
    warn_of_two_parents(&read.meters, problems);
}

fn inputs(meter: &MeterConfig) -> impl Iterator<Item = &Spanned<Input>> {
    meter.plus.iter().chain(&meter.minus).chain(&meter.of)
}

fn check_form(meter: &MeterConfig, is_complete: bool, problems: &mut Problems) {
    let id = meter.id.get_ref();
    let is_sum = !meter.plus.is_empty() || !meter.minus.is_empty();
    let help =
        "write plus = [\"source.point\"], with minus = […] for a difference, or of = \"meter\" with share = 0.35";
    match (is_sum, &meter.of, &meter.share) {
        (true, None, None) if meter.plus.is_empty() => problems.error(
            meter.minus[0].span(),
            format!("meter \"{id}\" only takes away: its amount would be negative"),
            "name in plus what it is taken from",
        ),
        (true, None, None) | (false, Some(_), Some(_)) => {}
        (false, None, None) => {
            problems.error(meter.id.span(), format!("meter \"{id}\" is made of nothing"), help);
        }
        (true, _, _) => problems.error(meter.id.span(), format!("meter \"{id}\" is both a sum and a share"), help),
        // A share that couldn't be read is reported already.
        (false, Some(_), None) if !is_complete => {}
        (false, Some(of), None) => {
            let message = format!("meter \"{id}\" is of \"{}\" and has no share", of.get_ref());
            problems.error(of.span(), message, "write share = 0.35, or share = \"rest\"");
        }
        (false, None, Some(share)) => {
            problems.error(share.span(), format!("meter \"{id}\" has a share of nothing"), "write of = \"meter\"");
        }
    }
}

fn check_signs(meter: &MeterConfig, problems: &mut Problems) {
    let mut seen = BTreeSet::new();
    for input in meter.plus.iter().chain(&meter.minus) {
        if !seen.insert(input.get_ref()) {
            let message = format!("meter \"{}\" takes \"{}\" twice", meter.id.get_ref(), input.get_ref());
            problems.error(input.span(), message, "keep one of the two");
        }
    }
}

fn check_parent(meter: &MeterConfig, read: &Meters, assets: &Assets, problems: &mut Problems) {
    let Some(parent) = &meter.parent else { return };
    let (id, medium) = (meter.id.get_ref(), *meter.medium.get_ref());
    if let Some(asset) = assets.assets.iter().find(|asset| asset.id.get_ref() == parent.get_ref()) {
        let has = asset.boundary.as_ref().is_some_and(|boundary| has(boundary, medium));
        if !has {
            problems.warning(
                parent.span(),
                format!(
                    "meter \"{id}\" stands below asset \"{}\", which has no {} of its own to explain",
                    parent.get_ref(),
                    medium.as_str()
                ),
                format!("give the asset a boundary: boundary = {{ {} = […] }}", medium.as_str()),
            );
        }
        return;
    }
    let Some(above) = read.meters.iter().find(|meter| is_named(meter, parent.get_ref())) else {
        if assets.is_complete && read.is_complete {
            let meters = read.meters.iter().map(|meter| meter.id.get_ref().as_str());
            let known: Vec<&str> = assets
                .assets
                .iter()
                .map(|asset| asset.id.get_ref().as_str())
                .chain(meters)
                .filter(|known| *known != id.as_str())
                .collect();
            let message = format!("parent \"{}\" of meter \"{id}\" is neither an asset nor a meter", parent.get_ref());
            problems.error(parent.span(), message, spelling::propose(parent.get_ref().as_str(), &known, "\""));
        }
        return;
    };
    if *above.medium.get_ref() != medium {
        let message = format!(
            "meter \"{id}\" of {} stands below meter \"{}\" of {}",
            medium.as_str(),
            parent.get_ref(),
            above.medium.get_ref().as_str()
        );
        problems.error(parent.span(), message, "name a meter of the same medium, or an asset");
    } else if !assets.assets.iter().any(|asset| takes(asset, above.id.get_ref())) {
        problems.warning(
            parent.span(),
            format!(
                "meter \"{id}\" explains meter \"{}\", which is no asset's boundary: its remainder shows nowhere",
                parent.get_ref()
            ),
            format!("make an asset of it: boundary = {{ {} = [\"{}\"] }}", medium.as_str(), parent.get_ref()),
        );
    }
}

/// Warns of a meter that nothing comes of.
fn warn_of_idle(meter: &MeterConfig, read: &Meters, assets: &Assets, problems: &mut Problems) {
    let id = meter.id.get_ref();
    let names = |input: &Spanned<Input>| input.get_ref().as_str() == id.as_str();
    let is_taken = assets.assets.iter().any(|asset| takes(asset, id));
    if meter.parent.is_none() && !is_taken && !read.meters.iter().flat_map(inputs).any(names) {
        problems.warning(
            meter.id.span(),
            format!("nothing comes of meter \"{id}\""),
            "let it stand below an asset: parent = \"site\"; or name it in a boundary or another meter",
        );
    }
}

fn is_named(meter: &MeterConfig, parent: &Above) -> bool {
    meter.id.get_ref().as_str() == parent.as_str()
}

/// Says whether an asset takes a meter as a boundary input.
fn takes(asset: &AssetConfig, id: &MeterId) -> bool {
    let lists = asset.boundary.iter().flat_map(BoundaryConfig::lists);
    lists.flat_map(|(_, list)| list).any(|input| input.get_ref().as_str() == id.as_str())
}

/// Says whether a boundary has a figure of a medium.
fn has(boundary: &BoundaryConfig, medium: Medium) -> bool {
    let keys: &[&str] = match medium {
        Medium::Electricity => &["electricity", "generation", "renewable"],
        other => &[other.as_str()],
    };
    boundary.lists().iter().any(|(key, list)| keys.contains(key) && !list.is_empty())
}

/// Reports shares of one whole that are more than it, and what nobody has of it.
fn check_shares(meters: &[MeterConfig], problems: &mut Problems) {
    for (of, shares) in wholes(meters) {
        let told: u64 = shares.iter().filter_map(|(_, share)| millionths(*share.get_ref())).map(u64::from).sum();
        let rests: Vec<_> = shares.iter().filter(|(_, share)| *share.get_ref() == Share::Rest).collect();
        let Some((_, last)) = shares.last() else { continue };
        if told > u64::from(WHOLE) {
            let message = format!("the shares of \"{of}\" come to more than the whole");
            problems.error(last.span(), message, "let them sum to 1 at most");
        } else if let [_, (_, second), ..] = rests.as_slice() {
            let message = format!("two meters have the rest of \"{of}\"");
            problems.error(second.span(), message, "give one of them a number");
        } else if told == u64::from(WHOLE) && !rests.is_empty() {
            let message = format!("the shares of \"{of}\" come to the whole: no rest is left");
            problems.error(rests[0].1.span(), message, "remove the meter that has the rest, or lower a share");
        } else if told < u64::from(WHOLE) && rests.is_empty() {
            let message = format!("part of \"{of}\" is nobody's share");
            problems.warning(last.span(), message, "let one more meter have share = \"rest\"");
        }
    }
}

/// Returns the meters that share a whole, by the whole, in the order of the file.
fn wholes(meters: &[MeterConfig]) -> BTreeMap<&Input, Vec<(&MeterConfig, &Spanned<Share>)>> {
    let mut wholes: BTreeMap<&Input, Vec<_>> = BTreeMap::new();
    for meter in meters {
        if let (Some(of), Some(share)) = (&meter.of, &meter.share) {
            wholes.entry(of.get_ref()).or_default().push((meter, share));
        }
    }
    wholes
}

const fn millionths(share: Share) -> Option<u32> {
    match share {
        Share::Millionths(share) => Some(share),
        Share::Rest => None,
    }
}

/// Reports each circle of meters once: of what they are made of, and of what they stand below.
fn check_circles(read: &Meters, problems: &mut Problems) {
    let made_of = |meter: &MeterConfig| -> Vec<String> {
        inputs(meter).map(|input| input.get_ref().as_str().to_owned()).collect()
    };
    let below = |meter: &MeterConfig| meter.parent.iter().map(|parent| parent.get_ref().as_str().to_owned()).collect();
    for (meter, path) in circles(&read.meters, &made_of) {
        let message = format!("meters are made of each other in a circle: {}", path.join(" of "));
        problems.error(meter.id.span(), message, "let one of them be made of tags alone");
    }
    for (meter, path) in circles(&read.meters, &below) {
        let message = format!("meters stand below each other in a circle: {}", path.join(" below "));
        problems.error(meter.parent.as_ref().map(Spanned::span), message, "let one of them stand below an asset");
    }
}

/// Returns each circle with the first of its meters, and their ids from it to it.
fn circles<'m>(
    meters: &'m [MeterConfig],
    next: &dyn Fn(&MeterConfig) -> Vec<String>,
) -> Vec<(&'m MeterConfig, Vec<String>)> {
    let mut found: Vec<(&MeterConfig, Vec<String>)> = Vec::new();
    let mut done: BTreeSet<String> = BTreeSet::new();
    for meter in meters {
        let mut path = Vec::new();
        walk(meter.id.get_ref().as_str(), meters, next, &mut path, &mut done, &mut |circle| {
            let first = meters.iter().find(|meter| circle.iter().any(|id| meter.id.get_ref().as_str() == id));
            found.extend(first.map(|first| (first, circle)));
        });
    }
    found
}

fn walk(
    id: &str,
    meters: &[MeterConfig],
    next: &dyn Fn(&MeterConfig) -> Vec<String>,
    path: &mut Vec<String>,
    done: &mut BTreeSet<String>,
    report: &mut dyn FnMut(Vec<String>),
) {
    if let Some(start) = path.iter().position(|step| step == id) {
        return report(path[start..].iter().cloned().chain([id.to_owned()]).collect());
    }
    let Some(meter) = meters.iter().find(|meter| meter.id.get_ref().as_str() == id) else { return };
    if done.contains(id) {
        return;
    }
    path.push(id.to_owned());
    for step in next(meter) {
        walk(&step, meters, next, path, done, report);
    }
    path.pop();
    done.insert(id.to_owned());
}

/// A tag that is added by two meters, each below something, would be explained away twice.
fn warn_of_two_parents(meters: &[MeterConfig], problems: &mut Problems) {
    let mut owners: BTreeMap<&Input, &MeterConfig> = BTreeMap::new();
    for meter in meters.iter().filter(|meter| meter.parent.is_some()) {
        for input in &meter.plus {
            if let Some(other) = owners.insert(input.get_ref(), meter) {
                let message = format!(
                    "\"{}\" stands below two parents, by meter \"{}\" and by meter \"{}\": it is explained twice",
                    input.get_ref(),
                    other.id.get_ref(),
                    meter.id.get_ref()
                );
                problems.warning(input.span(), message, "let one meter take it, or give each a share of it");
            }
        }
    }
}

/// The meters as the engine reads them.
#[derive(Debug)]
pub(super) struct Built<'a> {
    meters: BTreeMap<&'a MeterId, Arc<Meter>>,
    configs: &'a [MeterConfig],
    tags: &'a [TagSpec],
}

impl<'a> Built<'a> {
    /// Builds every meter. What loading has refused is left out.
    pub(super) fn new(configs: &'a [MeterConfig], tags: &'a [TagSpec]) -> Self {
        let mut built = Self { meters: BTreeMap::new(), configs, tags };
        // A meter made of others comes after them; circles never come, and loading has refused them.
        for _ in configs {
            for config in configs {
                if !built.meters.contains_key(config.id.get_ref())
                    && let Some(form) = built.form(config)
                {
                    let id = config.id.get_ref();
                    built.meters.insert(id, Arc::new(Meter { id: id.clone(), form }));
                }
            }
        }
        built
    }

    fn form(&self, config: &MeterConfig) -> Option<Form> {
        let readings = |inputs: &[Spanned<Input>]| -> Option<Vec<Reading>> {
            inputs.iter().map(|input| self.reading(input.get_ref())).collect()
        };
        let Some(of) = &config.of else {
            return Some(Form::Sum { plus: readings(&config.plus)?, minus: readings(&config.minus)? });
        };
        let (from, to) = self.cut(of.get_ref(), config.id.get_ref())?;
        Some(Form::Share { of: self.reading(of.get_ref())?, from, to })
    }

    /// Returns where a meter's share of a whole begins and ends: one after another in the order of the file, the rest
    /// at the end.
    fn cut(&self, of: &Input, id: &MeterId) -> Option<(u32, u32)> {
        let shares = wholes(self.configs).remove(of)?;
        let mut from = 0;
        for (meter, share) in shares.iter().filter(|(_, share)| *share.get_ref() != Share::Rest) {
            let to = from + millionths(*share.get_ref())?;
            if meter.id.get_ref() == id {
                return Some((from, to));
            }
            from = to;
        }
        Some((from, WHOLE))
    }

    fn reading(&self, input: &Input) -> Option<Reading> {
        match input {
            Input::Tag(tag) => index(self.tags, tag).map(Reading::Tag),
            Input::Meter(id) => self.meters.get(id).cloned().map(Reading::Meter),
        }
    }

    /// Returns a boundary as the engine reads it. What explains it is for [`explain`] to say.
    pub(super) fn boundary(&self, config: &BoundaryConfig) -> Boundary {
        let [electricity, generation, renewable, export, reactive, gas, water, steam, wastewater, wastewater_reused] =
            config.lists().map(|(_, list)| list.iter().filter_map(|input| self.reading(input.get_ref())).collect());
        Boundary {
            electricity,
            generation,
            renewable,
            export,
            reactive,
            gas,
            water,
            steam,
            steam_enthalpy_kj_per_kg: config.steam_enthalpy.as_ref().map(|enthalpy| *enthalpy.get_ref()),
            wastewater,
            wastewater_reused,
            submeters: Vec::new(),
        }
    }
}

/// Gives each asset what explains its figure: meters that stand directly below it, and its children that have a figure
/// or hand on what is explained below them. A meter that is the boundary of an asset below counts once, as the asset;
/// a child whose meters all stand below a counted meter is in that one.
pub(super) fn explain(assets: &mut [Asset], built: &Built<'_>) {
    // Children come after their parent, so backwards each finds its children done.
    for position in (0..assets.len()).rev() {
        for medium in Medium::ALL {
            let submeters = below(assets, position, medium, built);
            if !submeters.is_empty() {
                assets[position].boundary.submeters.push((medium, submeters));
            }
        }
    }
}

fn below(assets: &[Asset], position: usize, medium: Medium, built: &Built<'_>) -> Submeters {
    let asset = &assets[position];
    let own: Vec<&MeterId> = flows(asset, medium).filter_map(Reading::meter).collect();
    let lower: Vec<usize> = (position + 1..assets.len()).filter(|at| is_inside(assets, *at, position)).collect();
    let taken: BTreeSet<&MeterId> =
        lower.iter().flat_map(|at| flows(&assets[*at], medium)).filter_map(Reading::meter).collect();
    let is_direct = |config: &&MeterConfig| {
        let parent = config.parent.as_ref().map(|parent| parent.get_ref().as_str());
        *config.medium.get_ref() == medium
            && parent.is_some_and(|parent| parent == asset.id.as_str() || own.iter().any(|id| id.as_str() == parent))
            && !taken.contains(config.id.get_ref())
    };
    let direct: Vec<&MeterId> = built.configs.iter().filter(is_direct).map(|config| config.id.get_ref()).collect();
    let is_counted = |at: &usize| {
        let mut meters = flows(&assets[*at], medium).map(Reading::meter).peekable();
        meters.peek().is_some() && meters.all(|id| id.is_some_and(|id| stands_below(id, &direct, built.configs)))
    };
    let has_figure = |at: &usize| {
        let boundary = &assets[*at].boundary;
        boundary.has(medium) || boundary.explained_by(medium).is_some() || assets[*at].sum_children.has(medium)
    };
    let children = lower.iter().copied().filter(|at| assets[*at].parent == Some(position));
    Submeters {
        meters: direct.iter().filter_map(|id| built.meters.get(*id).cloned().map(Reading::Meter)).collect(),
        assets: children.filter(|at| has_figure(at) && !is_counted(at)).collect(),
    }
}

/// Says whether an asset stands somewhere in another.
fn is_inside(assets: &[Asset], at: usize, above: usize) -> bool {
    std::iter::successors(assets[at].parent, |parent| assets[*parent].parent).any(|parent| parent == above)
}

/// Returns everything that an asset's figure of a medium is made of.
fn flows(asset: &Asset, medium: Medium) -> impl Iterator<Item = &Reading> {
    let boundary = &asset.boundary;
    let electric: &[&Vec<Reading>] = match medium {
        Medium::Electricity => &[&boundary.generation, &boundary.renewable, &boundary.export],
        _ => &[],
    };
    boundary.of(medium).iter().chain(electric.iter().copied().flatten().collect::<Vec<_>>())
}

/// A tag, and from where to where a part of it counts.
type Cut = (TagIndex, u64, u64);

/// Returns what an asset's figure rests on, or what is explained below it where it has none.
fn cuts_of(assets: &[Asset], at: usize, medium: Medium) -> Vec<Cut> {
    let boundary = &assets[at].boundary;
    if boundary.has(medium) {
        return flows(&assets[at], medium).flat_map(Reading::cuts).collect();
    }
    let Some(below) = boundary.explained_by(medium) else { return Vec::new() };
    let of_assets = below.assets.iter().flat_map(|at| cuts_of(assets, *at, medium));
    below.meters.iter().flat_map(Reading::cuts).chain(of_assets).collect()
}

/// Says whether a meter stands below one of some meters.
fn stands_below(id: &MeterId, above: &[&MeterId], configs: &[MeterConfig]) -> bool {
    let parent_of = |id: &str| {
        let config = configs.iter().find(|config| config.id.get_ref().as_str() == id)?;
        config.parent.as_ref().map(|parent| parent.get_ref().as_str())
    };
    // No chain of parents is longer than the list: circles are refused.
    std::iter::successors(parent_of(id.as_str()), |id| parent_of(id))
        .take(configs.len())
        .any(|id| above.iter().any(|above| above.as_str() == id))
}

/// Warns where two of what explains an asset's figure rest on the same tag.
pub(super) fn warn_of_overlaps(assets: &Assets, meters: &Meters, tags: &[TagSpec], problems: &mut Problems) {
    let Some(tree) = Tree::grow(&assets.assets, &mut Problems::default()) else { return };
    let plant = tree.plant_assets(&assets.assets, &meters.meters, tags);
    for asset in &plant {
        for (medium, below) in &asset.boundary.submeters {
            let of_meters = below.meters.iter().map(|meter| (name_of(meter), meter.cuts()));
            let of_assets =
                below.assets.iter().map(|at| (format!("asset \"{}\"", plant[*at].id), cuts_of(&plant, *at, *medium)));
            warn_of_overlap(asset, *medium, of_meters.chain(of_assets), assets, tags, problems);
        }
    }
}

fn name_of(meter: &Reading) -> String {
    meter.meter().map_or_else(String::new, |id| format!("meter \"{id}\""))
}

fn warn_of_overlap(
    asset: &Asset,
    medium: Medium,
    below: impl Iterator<Item = (String, Vec<Cut>)>,
    assets: &Assets,
    tags: &[TagSpec],
    problems: &mut Problems,
) {
    let mut counted: Vec<(Cut, String)> = Vec::new();
    for (name, cuts) in below {
        let mut told = BTreeSet::new();
        for (tag, from, to) in &cuts {
            let clash = counted.iter().find(|((other, start, end), _)| other == tag && from < end && start < to);
            let (Some((_, other)), Some(spec)) = (clash, tags.get(tag.as_usize())) else { continue };
            if !told.insert(*tag) {
                continue;
            }
            let message = format!(
                "{} of asset \"{}\" is explained twice by tag \"{}\": by {other} and by {name}",
                medium.as_str(),
                asset.id,
                spec.name
            );
            let span = span_of(&asset.id, assets);
            problems.warning(span, message, "remove the parent of one of the two, or let it stand below the other");
        }
        counted.extend(cuts.into_iter().map(|cut| (cut, name.clone())));
    }
}

fn span_of(id: &AssetId, assets: &Assets) -> Option<std::ops::Range<usize>> {
    assets.assets.iter().find(|asset| asset.id.get_ref() == id).map(|asset| asset.id.span())
}
