//! `[[channel]]`: whether a channel can be brought to the conditions of its limits, and the asset it becomes.

use std::collections::{BTreeMap, BTreeSet};

use serde_spanned::Spanned;

use super::assets::Assets;
use super::document::{Document, text_of};
use super::limit;
use super::tags::Tags;
use crate::engine::config::AssetConfig;
use crate::engine::config::channel::{ChannelConfig, GasBasis};
use crate::engine::plant::Asset;
use crate::engine::pollutant::{Basis, Channel};
use crate::model::id::{AssetId, TagName};
use crate::model::pollutant::Parameter;
use crate::model::problem::Problems;
use crate::model::record::Level;
use crate::model::tag::{TagIndex, TagKind, TagSpec};
use crate::model::unit::{Dimension, ProductUnit, Unit};
use crate::reference::Reference;

/// Every channel that could be read.
#[derive(Debug)]
pub(super) struct Channels {
    pub(super) channels: Vec<ChannelConfig>,
}

/// Reads every channel.
pub(super) fn read(document: &Document<'_>, problems: &mut Problems) -> Channels {
    let mut channels = Vec::new();
    for entry in document.list("channel", problems) {
        let what = text_of(entry, "id").map_or_else(|| "[[channel]]".to_owned(), |id| format!("channel \"{id}\""));
        channels.extend(document.read::<ChannelConfig>(&what, entry, &[], problems).value);
    }
    Channels { channels }
}

/// Checks every channel by itself and all of them together.
pub(super) fn check(read: &Channels, assets: &Assets, tags: &Tags, reference: &Reference, problems: &mut Problems) {
    check_product_units(&assets.assets, problems);
    let mut ids: BTreeSet<&AssetId> = assets.assets.iter().map(|asset| asset.id.get_ref()).collect();
    let mut values: BTreeMap<&TagName, &AssetId> = BTreeMap::new();
    for channel in &read.channels {
        let id = channel.id.get_ref();
        if !ids.insert(id) {
            let message = format!("channel \"{id}\" has the id of an asset or of another channel");
            problems.error(channel.id.span(), message, "give each its own id");
        }
        if let Some(other) = values.insert(channel.value.get_ref(), id) {
            let message = format!("channels \"{other}\" and \"{id}\" have the same value");
            problems.warning(channel.value.span(), message, "give each the tag of its own parameter");
        }
        check_parent(channel, assets, problems);
        check_signals(channel, tags, problems);
        limit::check(channel, reference, problems);
    }
}

fn check_parent(channel: &ChannelConfig, assets: &Assets, problems: &mut Problems) {
    let Some(parent) = channel.parent.as_ref().filter(|_| assets.is_complete) else { return };
    if assets.assets.iter().all(|asset| asset.id.get_ref() != parent.get_ref()) {
        super::tree::report_unknown(&assets.assets, parent, "parent", ("channel", channel.id.get_ref()), problems);
    }
}

/// How the unit of a value becomes the unit of its channel; `None` where it can't.
fn basis(parameter: Parameter, unit: Unit) -> Option<Basis> {
    match (parameter.unit(), unit) {
        (ProductUnit::MilligramPerNormalCubicMetre, Unit::MilligramPerCubicMetre) => Some(Basis::Actual),
        (ProductUnit::MilligramPerNormalCubicMetre, Unit::PartsPerMillion) => {
            parameter.molar_mass_mg().map(|_| Basis::Volume)
        }
        (ProductUnit::Acidity, Unit::One) | (ProductUnit::CubicMetrePerHour, Unit::NormalCubicMetrePerHour) => {
            Some(Basis::Normal)
        }
        (expected, unit) => (expected.as_str() == unit.as_str()).then_some(Basis::Normal),
    }
}

/// Returns the units that a parameter is understood in, for messages.
fn understood(parameter: Parameter) -> String {
    let units = Unit::ALL.into_iter().filter(|unit| basis(parameter, *unit).is_some());
    units.map(Unit::as_str).collect::<Vec<_>>().join(", ")
}

/// What a channel needs of the signals beside its value.
struct Needs {
    /// Why temperature and pressure are needed.
    conditions: Option<&'static str>,
    /// Why moisture is needed.
    moisture: Option<&'static str>,
}

fn check_signals(channel: &ChannelConfig, tags: &Tags, problems: &mut Problems) {
    let (id, parameter) = (channel.id.get_ref(), *channel.parameter.get_ref());
    let value = gauge(&channel.value, "value", id, tags, problems);
    let basis_of = |spec: &TagSpec| basis(parameter, spec.unit);
    if let Some(spec) = value.filter(|spec| basis_of(spec).is_none()) {
        let message = format!(
            "`value` of channel \"{id}\" is in {}, from which {} can't be converted",
            spec.unit.as_str(),
            parameter.as_str()
        );
        problems.error(
            channel.value.span(),
            message,
            format!("give the tag one of these units: {}", understood(parameter)),
        );
    }
    let auxiliary = [
        ("status", &channel.status, Unit::One),
        ("oxygen", &channel.oxygen, Unit::Percent),
        ("temperature", &channel.temperature, Unit::Celsius),
        ("pressure", &channel.pressure, Unit::Kilopascal),
        ("moisture", &channel.moisture, Unit::Percent),
    ];
    for (key, tag, unit) in auxiliary {
        let Some(tag) = tag else { continue };
        let Some(spec) = gauge(tag, key, id, tags, problems) else { continue };
        if spec.unit != unit {
            let message =
                format!("`{key}` of channel \"{id}\" is in {}, expected {}", spec.unit.as_str(), unit.as_str());
            problems.error(
                tag.span(),
                message,
                format!("give the tag unit = \"{}\", and scale where it needs it", unit.as_str()),
            );
        }
    }
    let flow = channel.flow.as_ref().and_then(|tag| check_flow(channel, tag, tags, problems));
    check_oxygen(channel, problems);
    check_needs(channel, &needs(channel, value, flow), problems);
}

fn needs(channel: &ChannelConfig, value: Option<&TagSpec>, flow: Option<&TagSpec>) -> Needs {
    let parameter = *channel.parameter.get_ref();
    let is_gas = parameter.unit() == ProductUnit::MilligramPerNormalCubicMetre;
    let is_actual = value.is_some_and(|spec| basis(parameter, spec.unit) == Some(Basis::Actual));
    let is_flow_actual = is_gas && flow.is_some_and(is_actual_flow);
    let is_wet = channel.basis.as_ref().is_some_and(|basis| *basis.get_ref() == GasBasis::Wet);
    Needs {
        conditions: match (is_actual, is_flow_actual) {
            (true, _) => Some("its value is in mg/m3"),
            (false, true) => Some("its flow is in m3/h"),
            _ => None,
        },
        moisture: match (is_wet, is_flow_actual) {
            (true, _) => Some("it measures in wet gas"),
            (false, true) => Some("its flow is in m3/h"),
            _ => None,
        },
    }
}

fn check_needs(channel: &ChannelConfig, needs: &Needs, problems: &mut Problems) {
    let id = channel.id.get_ref();
    let signals = [
        ("temperature", &channel.temperature, needs.conditions),
        ("pressure", &channel.pressure, needs.conditions),
        ("moisture", &channel.moisture, needs.moisture),
    ];
    for (key, tag, need) in signals {
        match (tag, need) {
            (None, Some(why)) => problems.error(
                channel.id.span(),
                format!("channel \"{id}\" has no `{key}`, and {why}, so nothing of it can be brought to 25 °C, 101.325 kPa and dry gas"),
                format!("add {key} = …, a gauge of the same station"),
            ),
            (Some(tag), None) => problems.warning(
                tag.span(),
                format!("`{key}` of channel \"{id}\" corrects nothing: value and flow are at 25 °C, 101.325 kPa and dry"),
                format!("remove {key}, or say basis = \"wet\" and the units of what is measured in the stack"),
            ),
            _ => {}
        }
    }
}

fn check_oxygen(channel: &ChannelConfig, problems: &mut Problems) {
    let id = channel.id.get_ref();
    match (&channel.oxygen, &channel.reference_oxygen) {
        (None, Some(reference)) => problems.error(
            reference.span(),
            format!("channel \"{id}\" has a reference oxygen and no tag of oxygen"),
            "add oxygen = …, a gauge in % of the same station",
        ),
        (Some(tag), None) => problems.warning(
            tag.span(),
            format!("channel \"{id}\" has oxygen and no reference oxygen, so nothing is corrected by it"),
            "add reference_oxygen = 7, or what the limit is for, or remove oxygen",
        ),
        _ => {}
    }
    if let Some(reference) = channel.reference_oxygen.as_ref().filter(|of| !(0.0..20.9).contains(of.get_ref())) {
        let message = format!("reference_oxygen of channel \"{id}\" is {}", reference.get_ref());
        problems.error(reference.span(), message, "write a percentage from 0 to below 20.9, like 7");
    }
    let is_gas = channel.parameter.get_ref().unit() == ProductUnit::MilligramPerNormalCubicMetre;
    let gas_only = [channel.reference_oxygen.as_ref().map(Spanned::span), channel.basis.as_ref().map(Spanned::span)];
    if let Some(span) = gas_only.into_iter().flatten().next().filter(|_| !is_gas) {
        let message = format!(
            "channel \"{id}\" measures {}, which is corrected by nothing",
            channel.parameter.get_ref().as_str()
        );
        problems.error(span, message, "keep basis and reference_oxygen for concentrations in stack gas");
    }
}

/// Reports a flow that carries nothing, or that is none.
fn check_flow<'t>(
    channel: &ChannelConfig,
    tag: &Spanned<TagName>,
    tags: &'t Tags,
    problems: &mut Problems,
) -> Option<&'t TagSpec> {
    let (id, parameter) = (channel.id.get_ref(), *channel.parameter.get_ref());
    if !parameter.is_carried() {
        let message = format!("channel \"{id}\" measures {}, which has no load", parameter.as_str());
        problems.error(tag.span(), message, "remove flow");
    }
    let spec = tags.find(tag, problems)?;
    if !(is_flow(spec) || is_volume(spec)) {
        let message = format!(
            "`flow` of channel \"{id}\" is a tag of kind {} in {}; no flow follows from it",
            spec.kind.as_str(),
            spec.unit.as_str()
        );
        problems.error(tag.span(), message, "use a gauge in m3/h or Nm3/h, or a counter or interval in m3");
        return None;
    }
    Some(spec)
}

fn is_flow(spec: &TagSpec) -> bool {
    spec.kind == TagKind::Gauge && matches!(spec.unit, Unit::CubicMetrePerHour | Unit::NormalCubicMetrePerHour)
}

fn is_volume(spec: &TagSpec) -> bool {
    spec.unit.dimension() == Dimension::Volume
        && matches!(spec.kind, TagKind::Counter { .. } | TagKind::Interval { .. })
}

/// Says whether a flow is measured at the conditions of the gas.
fn is_actual_flow(spec: &TagSpec) -> bool {
    spec.unit != Unit::NormalCubicMetrePerHour
}

fn gauge<'t>(
    tag: &Spanned<TagName>,
    key: &str,
    id: &AssetId,
    tags: &'t Tags,
    problems: &mut Problems,
) -> Option<&'t TagSpec> {
    let spec = tags.find(tag, problems)?;
    if spec.kind != TagKind::Gauge {
        let message = format!("`{key}` of channel \"{id}\" is a tag of kind {}, expected gauge", spec.kind.as_str());
        problems.error(tag.span(), message, "give the point kind = \"gauge\"");
        return None;
    }
    Some(spec)
}

/// Appends the assets that channels are: below their stations, after everything else.
pub(super) fn append(channels: &[ChannelConfig], tags: &[TagSpec], reference: &Reference, assets: &mut Vec<Asset>) {
    for config in channels {
        let parent = config.parent.as_ref().map(Spanned::get_ref);
        let parent = parent.and_then(|id| assets.iter().position(|asset| asset.id == *id)).unwrap_or(0);
        let Some((channel, unit)) = build(config, tags, reference) else { continue };
        assets.push(Asset {
            name: config.name.clone(),
            calendar: assets.get(parent).map_or(0, |asset| asset.calendar),
            product_unit: unit,
            channel: Some(Box::new(channel)),
            ..Asset::new(config.id.get_ref().clone(), Some(parent), Level::Unit)
        });
    }
}

#[expect(clippy::cast_possible_truncation, reason = "a percentage below 21 in millionths")]
fn build(config: &ChannelConfig, tags: &[TagSpec], reference: &Reference) -> Option<(Channel, ProductUnit)> {
    let index = |name: &Spanned<TagName>| super::tree::index(tags, name.get_ref());
    let tag = |name: &Option<Spanned<TagName>>| name.as_ref().and_then(index);
    let spec = |tag: TagIndex| tags.get(tag.as_usize());
    let parameter = *config.parameter.get_ref();
    let value = index(&config.value)?;
    let value_unit = spec(value)?.unit;
    let flow = tag(&config.flow);
    let is_gas = parameter.unit() == ProductUnit::MilligramPerNormalCubicMetre;
    let unit = match value_unit {
        Unit::NormalCubicMetrePerHour => ProductUnit::NormalCubicMetrePerHour,
        _ => parameter.unit(),
    };
    let channel = Channel {
        parameter,
        value,
        basis: basis(parameter, value_unit)?,
        is_wet: config.basis.as_ref().is_some_and(|basis| *basis.get_ref() == GasBasis::Wet),
        status: tag(&config.status),
        oxygen: tag(&config.oxygen),
        reference_oxygen_micro: config.reference_oxygen.as_ref().map(|of| (of.get_ref() * 1e6).round() as i64),
        temperature: tag(&config.temperature),
        pressure: tag(&config.pressure),
        moisture: tag(&config.moisture),
        flow,
        flow_is_actual: is_gas && flow.and_then(spec).is_some_and(is_actual_flow),
        limits: limit::build(config, reference),
    };
    Some((channel, unit))
}

/// Refuses the units of channels where parts are counted.
fn check_product_units(assets: &[AssetConfig], problems: &mut Problems) {
    for asset in assets.iter().filter(|asset| !asset.product_unit.counts_parts()) {
        let (id, unit) = (asset.id.get_ref(), asset.product_unit.as_str());
        let message = format!("product_unit of asset \"{id}\" is {unit}, which is the unit of a channel");
        problems.error(
            asset.id.span(),
            message,
            "write a unit that parts are counted in: piece, kg, t, m, m2, m3 or L",
        );
    }
}
