//! `[[product]]` and `[[stop_reason]]`: whether they fit each other and the assets, and what the engine gets of them.

use std::collections::BTreeSet;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde_spanned::Spanned;

use super::document::{Document, text_of};
use super::spelling;
use crate::engine::config::AssetConfig;
use crate::engine::config::context::{ProductConfig, RunTimeConfig, StopReasonConfig};
use crate::engine::plant::{Asset, Product, RunTime};
use crate::model::context::ContextKind;
use crate::model::problem::Problems;
use crate::model::time::Timestamp;

/// What assets can be told of.
#[derive(Debug, Default)]
pub(super) struct ContextLists {
    pub(super) products: Vec<ProductConfig>,
    pub(super) reasons: Vec<StopReasonConfig>,
    /// Whether all could be read, so that what isn't here doesn't exist.
    is_complete: bool,
}

/// Reads products and reasons.
pub(super) fn read(document: &Document<'_>, problems: &mut Problems) -> ContextLists {
    let mut lists = ContextLists { is_complete: true, ..ContextLists::default() };
    for entry in document.list("product", problems) {
        let what = text_of(entry, "id").map_or_else(|| "[[product]]".to_owned(), |id| format!("product \"{id}\""));
        let product = document.read::<ProductConfig>(&what, entry, &[], problems);
        lists.is_complete &= product.value.is_some();
        lists.products.extend(product.value);
    }
    for entry in document.list("stop_reason", problems) {
        let named = |code| format!("stop reason \"{code}\"");
        let what = text_of(entry, "code").map_or_else(|| "[[stop_reason]]".to_owned(), named);
        let reason = document.read::<StopReasonConfig>(&what, entry, &[], problems);
        lists.is_complete &= reason.value.is_some();
        lists.reasons.extend(reason.value);
    }
    lists
}

/// Checks products and reasons by themselves, and that assets which are told of them have some.
pub(super) fn check(lists: &ContextLists, assets: &[AssetConfig], problems: &mut Problems) {
    let mut ids = BTreeSet::new();
    for product in &lists.products {
        if !ids.insert(product.id.get_ref()) {
            problems.error(
                product.id.span(),
                format!("product \"{}\" is declared twice", product.id.get_ref()),
                "give each its own id",
            );
        }
        check_product(product, assets, problems);
    }
    let mut codes = BTreeSet::new();
    for reason in &lists.reasons {
        if !codes.insert(reason.code.get_ref()) {
            let message = format!("stop reason \"{}\" is declared twice", reason.code.get_ref());
            problems.error(reason.code.span(), message, "give each its own code");
        }
    }
    for asset in assets {
        for kind in &asset.takes_context {
            check_kind(asset, kind, lists, problems);
        }
    }
    report_unused(lists, assets, problems);
}

fn check_product(product: &ProductConfig, assets: &[AssetConfig], problems: &mut Problems) {
    let id = product.id.get_ref();
    if let Some(share) = &product.planned_scrap_ratio
        && !(0.0..=1.0).contains(share.get_ref())
    {
        let message = format!("planned_scrap_ratio of product \"{id}\" is {}, expected 0 to 1", share.get_ref());
        problems.error(share.span(), message, "write a share, like 0.02");
    }
    let mut seen = BTreeSet::new();
    for entry in &product.run_times {
        let time = entry.get_ref();
        let asset = time.asset.as_ref().map(Spanned::get_ref);
        if let Some(wanted) = &time.asset
            && !assets.iter().any(|asset| asset.id.get_ref() == wanted.get_ref())
        {
            let known: Vec<&str> = assets.iter().map(|asset| asset.id.get_ref().as_str()).collect();
            let message = format!("asset \"{}\" of product \"{id}\" is not declared", wanted.get_ref());
            problems.error(wanted.span(), message, spelling::propose(wanted.get_ref().as_str(), &known, "\""));
        }
        if time.per_unit.get_ref().as_ns() == 0 {
            let message = format!("a run time of product \"{id}\" is 0");
            problems.error(time.per_unit.span(), message, "write the time one unit takes, like \"1.2s\"");
        }
        if let Some(day) = &time.valid_from
            && day.get_ref().parse::<Date>().is_err()
        {
            let message = format!("valid_from \"{}\" of product \"{id}\" is no day", day.get_ref());
            problems.error(day.span(), message, "write it like \"2026-10-01\"");
        }
        if !seen.insert((asset, time.valid_from.as_ref().map(Spanned::get_ref))) {
            let message = format!("product \"{id}\" has two run times for the same asset from the same day");
            problems.error(entry.span(), message, "keep one of the two");
        }
    }
}

/// The tag that counts what could be told as well.
fn counter(asset: &AssetConfig, kind: ContextKind) -> Option<&'static str> {
    let (key, tag) = match kind {
        ContextKind::Produced => ("total", &asset.total),
        ContextKind::Good => ("good", &asset.good),
        ContextKind::Scrap => ("scrap", &asset.scrap),
        ContextKind::Rework => ("rework", &asset.rework),
        _ => return None,
    };
    tag.is_some().then_some(key)
}

fn check_kind(asset: &AssetConfig, kind: &Spanned<ContextKind>, lists: &ContextLists, problems: &mut Problems) {
    let (id, told) = (asset.id.get_ref(), *kind.get_ref());
    let quantities = [ContextKind::Produced, ContextKind::Good, ContextKind::Scrap, ContextKind::Rework];
    let takes = |wanted: &ContextKind| asset.takes_context.iter().any(|kind| kind.get_ref() == wanted);
    let has_parts = quantities.iter().any(|kind| takes(kind) || counter(asset, *kind).is_some());
    if asset.takes_context.iter().filter(|other| *other.get_ref() == told).count() > 1 {
        problems.error(kind.span(), format!("asset \"{id}\" takes \"{}\" twice", told.as_str()), "keep one of the two");
    } else if let Some(key) = counter(asset, told) {
        let message =
            format!("asset \"{id}\" counts by `{key}` and is told \"{}\": it would count twice", told.as_str());
        problems.error(kind.span(), message, "keep one of the two");
    } else if quantities.contains(&told) && asset.exit.is_some() {
        let message = format!("asset \"{id}\" is told \"{}\" and counts parts at its exit", told.as_str());
        problems.error(kind.span(), message, "let the exit be told, or remove the exit");
    } else if told == ContextKind::Product && !has_parts {
        let message = format!("asset \"{id}\" is told its product and counts no parts of it");
        problems.error(kind.span(), message, "name the tag that counts them: total = …");
    } else if told == ContextKind::Stop && asset.state.is_none() {
        let message = format!("asset \"{id}\" is told stops and has no `state` whose time they could be");
        problems.error(kind.span(), message, "let the machine that has the state be told");
    } else if told == ContextKind::Product && lists.products.is_empty() && lists.is_complete {
        problems.error(kind.span(), format!("asset \"{id}\" is told its product and there is none"), "add [[product]]");
    } else if told == ContextKind::Stop && lists.reasons.is_empty() && lists.is_complete {
        problems.error(
            kind.span(),
            format!("asset \"{id}\" is told stops and there is no reason"),
            "add [[stop_reason]]",
        );
    }
}

fn report_unused(lists: &ContextLists, assets: &[AssetConfig], problems: &mut Problems) {
    let takes = |kind| assets.iter().flat_map(|asset| &asset.takes_context).any(|taken| *taken.get_ref() == kind);
    if let Some(product) = lists.products.first().filter(|_| !takes(ContextKind::Product)) {
        let message = "there are products and no asset is told which one it makes";
        problems.warning(product.id.span(), message, "add takes_context = [\"product\"] to the assets that make them");
    }
    if let Some(reason) = lists.reasons.first().filter(|_| !takes(ContextKind::Stop)) {
        let message = "there are reasons to stop and no asset is told of stops";
        problems.warning(reason.code.span(), message, "add takes_context = [\"stop\"] to the machines that stop");
    }
}

/// Returns the products as the engine knows them, by id.
pub(super) fn products(configs: &[ProductConfig], assets: &[Asset], zone: &TimeZone) -> Vec<Product> {
    let mut products: Vec<Product> = configs.iter().map(|config| product(config, assets, zone)).collect();
    products.sort_by(|a, b| a.id.cmp(&b.id));
    products
}

#[expect(clippy::cast_possible_truncation, reason = "checked to be a share, at most 10⁶ of 10⁻⁶")]
fn product(config: &ProductConfig, assets: &[Asset], zone: &TimeZone) -> Product {
    let run_time = |time: &RunTimeConfig| RunTime {
        valid_from: time
            .valid_from
            .as_ref()
            .and_then(|day| start_of(day.get_ref(), zone))
            .unwrap_or(Timestamp(i64::MIN)),
        asset: time.asset.as_ref().and_then(|id| assets.iter().position(|asset| asset.id == *id.get_ref())),
        ns: time.per_unit.get_ref().as_ns(),
    };
    let mut run_times: Vec<RunTime> = config.run_times.iter().map(|time| run_time(time.get_ref())).collect();
    run_times.sort_by_key(|time| time.valid_from);
    Product {
        id: config.id.get_ref().clone(),
        unit: config.product_unit,
        run_times,
        planned_scrap_micro: config
            .planned_scrap_ratio
            .as_ref()
            .map_or(0, |share| (share.get_ref() * 1e6).round() as i64),
    }
}

/// Returns the first instant of a day of the site.
fn start_of(day: &str, zone: &TimeZone) -> Option<Timestamp> {
    let start = zone.to_timestamp(day.parse::<Date>().ok()?.to_datetime(jiff::civil::Time::midnight())).ok()?;
    Some(Timestamp(start.as_millisecond()))
}
