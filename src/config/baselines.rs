//! `[[baseline]]`: whether what it compares and what drives it exists and fits, and the baselines the engine gets.

use std::collections::BTreeSet;

use jiff::tz::TimeZone;
use serde_spanned::Spanned;

use super::assets::Assets;
use super::component::Component;
use super::spelling;
use super::tags::Tags;
use super::tree::index;
use crate::engine::baseline::fit::DRIVERS_MAX;
use crate::engine::baseline::{Baseline, Driver, DriverKind};
use crate::engine::config::AssetConfig;
use crate::engine::config::baseline::{BaselineConfig, DriverConfig};
use crate::engine::config::meter::BoundaryConfig;
use crate::engine::plant::Asset;
use crate::model::id::AssetId;
use crate::model::number::Number;
use crate::model::problem::Problems;
use crate::model::tag::{TagKind, TagSpec};
use crate::model::time::{Grain, Timestamp};
use crate::model::unit::Unit;

/// Largest coefficient. **Unit**: kWh for each unit; beyond it a unit is wrong.
const COEFFICIENT_MAX: f64 = 1e9;

/// Checks every baseline by itself and all of them together.
pub(super) fn check(read: &[Component<BaselineConfig>], assets: &Assets, tags: &Tags, problems: &mut Problems) {
    let mut seen = BTreeSet::new();
    for baseline in read.iter().filter_map(|read| read.value.as_ref()) {
        let id = baseline.asset.get_ref();
        match assets.assets.iter().find(|asset| asset.id.get_ref() == id) {
            Some(asset) => check_asset(asset, baseline, problems),
            None if assets.is_complete => {
                let known: Vec<&str> = assets.assets.iter().map(|asset| asset.id.get_ref().as_str()).collect();
                let message = format!("asset \"{id}\" of a baseline is not declared");
                problems.error(baseline.asset.span(), message, spelling::propose(id.as_str(), &known, "\""));
            }
            None => {}
        }
        if !seen.insert((id, *baseline.valid_from.get_ref())) {
            let message = format!("asset \"{id}\" has two baselines from {}", baseline.valid_from.get_ref());
            problems.error(baseline.valid_from.span(), message, "keep one of the two");
        }
        if !matches!(baseline.per.get_ref(), Grain::Day | Grain::Month) {
            let message = format!("the constant of a baseline is for each \"{}\"", baseline.per.get_ref());
            problems.error(baseline.per.span(), message, "write per = \"day\" or per = \"month\"");
        }
        check_numbers(baseline, problems);
        let drivers = baseline.driver.len() + usize::from(baseline.produced.is_some());
        if drivers > DRIVERS_MAX {
            let message = format!("the baseline of \"{id}\" has {drivers} drivers, at most {DRIVERS_MAX} are taken");
            problems.error(baseline.asset.span(), message, "leave out those that matter least");
        }
        baseline.driver.iter().for_each(|driver| check_driver(driver, tags, problems));
    }
}

fn check_asset(asset: &AssetConfig, baseline: &BaselineConfig, problems: &mut Problems) {
    let id = asset.id.get_ref();
    let has = |boundary: &BoundaryConfig| {
        [&boundary.electricity, &boundary.generation, &boundary.renewable].iter().any(|list| !list.is_empty())
    };
    if !asset.boundary.as_ref().is_some_and(has) && asset.sum_children.is_empty() {
        let message = format!("asset \"{id}\" has a baseline and no electricity to compare with it");
        problems.error(baseline.asset.span(), message, "give it a boundary: boundary = { electricity = […] }");
    }
    let parts = [&asset.total, &asset.good, &asset.scrap, &asset.rework];
    let counts = parts.iter().any(|tag| tag.is_some()) || asset.exit.is_some() || !asset.sum_children.is_empty();
    if let Some(produced) = baseline.produced.as_ref().filter(|_| !counts) {
        let message = format!("the baseline of \"{id}\" is driven by its parts, and it counts none");
        problems.error(produced.span(), message, "name the tag that counts them: total = …");
    }
}

fn check_numbers(baseline: &BaselineConfig, problems: &mut Problems) {
    let coefficients = baseline.driver.iter().map(|driver| &driver.coefficient).chain(&baseline.produced);
    for number in coefficients.chain([&baseline.constant]) {
        let value = *number.get_ref();
        if !value.is_finite() || value.abs() > COEFFICIENT_MAX * 1e3 {
            problems.error(number.span(), format!("{value} is no coefficient"), "write kWh for each unit, like 3.5");
        }
    }
}

fn check_driver(driver: &DriverConfig, tags: &Tags, problems: &mut Problems) {
    let Some(spec) = tags.find(&driver.tag, problems) else { return };
    let name = driver.tag.get_ref();
    let degree_days = driver.below.as_ref().or(driver.above.as_ref());
    if let (Some(_), Some(above)) = (&driver.below, &driver.above) {
        let message = format!("driver \"{name}\" counts degree days below one temperature and above another");
        problems.error(above.span(), message, "make two drivers of it");
    }
    let is_temperature = spec.unit == Unit::Celsius && spec.kind == TagKind::Gauge;
    let counts = matches!(spec.kind, TagKind::Counter { .. } | TagKind::Interval { .. });
    match degree_days {
        Some(_) if !is_temperature => problems.error(
            driver.tag.span(),
            format!(
                "driver \"{name}\" is a tag of kind {} in {}; it has no degree days",
                spec.kind.as_str(),
                spec.unit.as_str()
            ),
            "name a gauge in Cel",
        ),
        Some(base) if !base.get_ref().is_finite() || base.get_ref().abs() > 100.0 => {
            problems.error(
                base.span(),
                format!("{} °C is no base of degree days", base.get_ref()),
                "write it in °C, like 24",
            );
        }
        None if !counts && (!spec.unit.is_integrated() || is_temperature) => problems.error(
            driver.tag.span(),
            format!(
                "driver \"{name}\" is a tag of kind {} in {}; no amount follows from it",
                spec.kind.as_str(),
                spec.unit.as_str()
            ),
            "use a counter, an interval or a rate; of a temperature say below or above which its degree days count",
        ),
        _ => {}
    }
}

/// Gives each asset its baselines, ascending by date.
pub(super) fn give(assets: &mut [Asset], baselines: &[BaselineConfig], tags: &[TagSpec], zone: &TimeZone) {
    let of = |id: &AssetId| baselines.iter().filter(|config| config.asset.get_ref() == id).collect::<Vec<_>>();
    for asset in assets {
        asset.baselines = of(&asset.id).into_iter().filter_map(|config| build(config, tags, zone)).collect();
        asset.baselines.sort_by_key(|baseline| baseline.valid_from);
    }
}

fn build(config: &BaselineConfig, tags: &[TagSpec], zone: &TimeZone) -> Option<Baseline> {
    let midnight = config.valid_from.get_ref().to_zoned_datetime(zone.clone()).ok()?;
    let micro = |number: &Spanned<f64>| Number::Float(*number.get_ref()).to_micro(1.0);
    let driver = |driver: &DriverConfig| {
        let kind = match (&driver.below, &driver.above) {
            (Some(base), _) => DriverKind::Below(micro(base)?),
            (None, Some(base)) => DriverKind::Above(micro(base)?),
            (None, None) => DriverKind::Amount,
        };
        Some(Driver { tag: index(tags, driver.tag.get_ref())?, coefficient: micro(&driver.coefficient)?, kind })
    };
    Some(Baseline {
        valid_from: Timestamp(midnight.timestamp().as_millisecond()),
        constant: micro(&config.constant)?,
        per: *config.per.get_ref(),
        produced: config.produced.as_ref().and_then(micro),
        drivers: config.driver.iter().map(driver).collect::<Option<Vec<_>>>()?,
    })
}
