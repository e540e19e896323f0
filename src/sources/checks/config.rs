//! The keys that say what a point's values should be like, what of them is kept, and where a device says its state.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_spanned::Spanned;

use super::Rules;
use crate::model::id::SourceName;
use crate::model::problem::Problems;
use crate::model::tag::{TagKind, TagSpec, Thinning};
use crate::model::time::Period;

/// Longest time between two kept samples where only `deadband` is given.
const HEARTBEAT: Period = Period::from_ms(10 * 60_000);

/// What a point's values should be like, and what of them is kept. Values and steps are in the tag's unit.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CheckKeys {
    /// Smallest value of the range; a smaller one is marked `out_of_range`.
    #[serde(default)]
    pub min: Option<Spanned<f64>>,
    /// Largest value of the range; a larger one is marked `out_of_range`.
    #[serde(default)]
    pub max: Option<Spanned<f64>>,
    /// Largest change from one value to the next; a larger one is marked `too_fast`.
    #[serde(default)]
    pub max_step: Option<Spanned<f64>>,
    /// Largest change per second; a faster one is marked `too_fast`.
    #[serde(default)]
    pub max_rate: Option<Spanned<f64>>,
    /// How long the value may stand still; then it is marked `flat_line`.
    #[serde(default)]
    pub flat_line: Option<Spanned<Period>>,
    /// Changes up to this are left out of the history after the figures are made; 0 where only `heartbeat` is given.
    #[serde(default)]
    pub deadband: Option<Spanned<f64>>,
    /// A sample is kept at least this often; 10 min where only `deadband` is given.
    #[serde(default)]
    pub heartbeat: Option<Spanned<Period>>,
}

/// Where a device says what state it is in.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeviceStateKeys {
    /// The point that holds the status: its whole name, or its last part for every device that has one.
    pub point: Spanned<String>,
    /// Status (a whole number as text, or a machine state's name for a point of kind `state`) → what the device does:
    /// `measuring`, `calibrating` or `fault`.
    pub states: BTreeMap<String, Spanned<String>>,
    /// The points it is about, by whole name or last part; every other point of the device where none are given.
    #[serde(default)]
    pub applies_to: Option<Vec<Spanned<String>>>,
}

/// What a device does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeviceMode {
    /// Its values count.
    Measuring,
    /// Its values are of a reference, not of the plant.
    Calibrating,
    /// Its values mean nothing.
    Fault,
}

impl DeviceMode {
    /// Returns the mode of a name.
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "measuring" => Some(Self::Measuring),
            "calibrating" => Some(Self::Calibrating),
            "fault" => Some(Self::Fault),
            _ => None,
        }
    }
}

impl CheckKeys {
    /// Returns these keys, and where one isn't given the other's.
    fn or(self, other: &Self) -> Self {
        Self {
            min: self.min.or_else(|| other.min.clone()),
            max: self.max.or_else(|| other.max.clone()),
            max_step: self.max_step.or_else(|| other.max_step.clone()),
            max_rate: self.max_rate.or_else(|| other.max_rate.clone()),
            flat_line: self.flat_line.or_else(|| other.flat_line.clone()),
            deadband: self.deadband.or_else(|| other.deadband.clone()),
            heartbeat: self.heartbeat.or_else(|| other.heartbeat.clone()),
        }
    }

    /// Returns what is checked.
    pub fn rules(&self) -> Rules {
        let value = |key: &Option<Spanned<f64>>| key.as_ref().map(|key| *key.get_ref());
        Rules {
            min: value(&self.min),
            max: value(&self.max),
            max_step: value(&self.max_step),
            max_rate: value(&self.max_rate),
            flat_line_ms: self.flat_line.as_ref().map(|key| key.get_ref().as_ms()),
        }
    }

    /// Returns what of the history is kept; `None` where all of it is.
    pub fn thinning(&self) -> Option<Thinning> {
        if self.deadband.is_none() && self.heartbeat.is_none() {
            return None;
        }
        let heartbeat = self.heartbeat.as_ref().map_or(HEARTBEAT, |key| *key.get_ref());
        let deadband = self.deadband.as_ref().map_or(0.0, |key| *key.get_ref());
        Some(Thinning { deadband, heartbeat_ms: heartbeat.as_ms() })
    }

    /// Names every key that can't be meant for this tag.
    fn check(&self, tag: &TagSpec, problems: &mut Problems) {
        let kind = tag.kind;
        let number = kind != TagKind::State;
        let level = matches!(kind, TagKind::Gauge);
        let total = matches!(kind, TagKind::Counter { .. });
        let positive = |value: f64| value.is_finite() && value > 0.0;
        for (key, given, fits, is_valid) in [
            ("min", &self.min, number, f64::is_finite as fn(f64) -> bool),
            ("max", &self.max, number, f64::is_finite),
            ("max_step", &self.max_step, level, positive),
            ("max_rate", &self.max_rate, level, positive),
            ("deadband", &self.deadband, level || total, |value| value.is_finite() && value >= 0.0),
        ] {
            let Some(given) = given else { continue };
            if !fits {
                let message = format!("{key} means nothing for {} \"{}\"", kind.as_str(), tag.name);
                problems.error(given.span(), message, format!("remove {key}"));
            } else if !is_valid(*given.get_ref()) {
                let message = format!("{key} {} of \"{}\" can't be meant", given.get_ref(), tag.name);
                problems.error(given.span(), message, format!("write a number in {}", tag.unit.as_str()));
            }
        }
        for (key, given, fits) in [
            ("flat_line", &self.flat_line, level || total),
            ("heartbeat", &self.heartbeat, level || total || kind == TagKind::State),
        ] {
            let Some(given) = given else { continue };
            if !fits {
                let message = format!("{key} means nothing for {} \"{}\"", kind.as_str(), tag.name);
                problems.error(given.span(), message, format!("remove {key}"));
            } else if given.get_ref().as_ms() <= 0 {
                let message = format!("{key} of \"{}\" is no length of time", tag.name);
                problems.error(given.span(), message, format!("write {key} = \"30min\""));
            }
        }
        if let (Some(min), Some(max)) = (&self.min, &self.max)
            && min.get_ref() >= max.get_ref()
        {
            let message = format!("min {} of \"{}\" is not below max {}", min.get_ref(), tag.name, max.get_ref());
            problems.error(min.span(), message, "write the smallest and the largest value that can be right");
        }
    }
}

impl DeviceStateKeys {
    /// Says whether a point, named without its source, holds the status.
    pub(super) fn names_status(&self, point: &str) -> bool {
        is_named(point, self.point.get_ref())
    }

    /// Says whether the state of `device` is about a point, named without its source.
    pub(super) fn concerns(&self, point: &str, device: Option<&str>) -> bool {
        let is_same_device = device.is_none() || point.split_once('.').map(|(device, _)| device) == device;
        let is_listed = |listed: &Vec<Spanned<String>>| listed.iter().any(|listed| is_named(point, listed.get_ref()));
        is_same_device && self.applies_to.as_ref().is_none_or(is_listed)
    }

    /// Returns the states that are named rightly.
    pub(super) fn modes(&self) -> BTreeMap<String, DeviceMode> {
        let known = |(raw, name): (&String, &Spanned<String>)| {
            DeviceMode::from_name(name.get_ref()).map(|mode| (raw.clone(), mode))
        };
        self.states.iter().filter_map(known).collect()
    }

    fn check(&self, prefix: &str, tags: &[TagSpec], problems: &mut Problems) {
        let points = || tags.iter().filter_map(|tag| tag.name.as_str().strip_prefix(prefix));
        if !points().any(|point| self.names_status(point)) {
            let message = format!("device_state: there is no point \"{}\"", self.point.get_ref());
            problems.error(self.point.span(), message, "name the point that holds the device's status");
        }
        for listed in self.applies_to.iter().flatten() {
            if !points().any(|point| is_named(point, listed.get_ref())) {
                let message = format!("device_state: there is no point \"{}\"", listed.get_ref());
                problems.error(listed.span(), message, "name points of this source, or leave applies_to out for all");
            }
        }
        for name in self.states.values().filter(|name| DeviceMode::from_name(name.get_ref()).is_none()) {
            let message = format!("\"{}\" is not a device state", name.get_ref());
            problems.error(name.span(), message, "write measuring, calibrating or fault");
        }
        if self.modes().is_empty() {
            let help = "add states = { \"0\" = \"measuring\", \"1\" = \"calibrating\", \"2\" = \"fault\" }";
            problems.error(self.point.span(), "device_state names no state", help);
        }
    }
}

/// Returns what is said of the values of each point: with the point itself, and else in the source's own `checks`.
pub fn merge(
    listed: &BTreeMap<String, CheckKeys>,
    points: impl Iterator<Item = (String, CheckKeys)>,
) -> BTreeMap<String, CheckKeys> {
    let mut declared = listed.clone();
    declared.extend(points.map(|(name, keys)| {
        let keys = listed.get(&name).map_or(keys.clone(), |listed| keys.or(listed));
        (name, keys)
    }));
    declared
}

/// Checks what a source declares of its points, in its own `checks` or with the points themselves, against its tags,
/// and tells the tags what of their history is kept.
pub fn declare(
    source: &Spanned<SourceName>,
    checks: &BTreeMap<String, CheckKeys>,
    declared: &BTreeMap<String, CheckKeys>,
    device_state: Option<&DeviceStateKeys>,
    tags: &mut [TagSpec],
    problems: &mut Problems,
) {
    let prefix = format!("{}.", source.get_ref());
    let is_point = |name: &str| tags.iter().any(|tag| tag.name.as_str().strip_prefix(&prefix) == Some(name));
    for name in checks.keys().filter(|name| !is_point(name)) {
        let message = format!("checks: source \"{}\" has no point \"{name}\"", source.get_ref());
        problems.error(source.span(), message, "name points of this source, those of its profile included");
    }
    for tag in &mut *tags {
        let keys = tag.name.as_str().strip_prefix(&prefix).and_then(|point| declared.get(point));
        if let Some(keys) = keys {
            keys.check(tag, problems);
            tag.thinning = keys.thinning();
        }
    }
    if let Some(keys) = device_state {
        keys.check(&prefix, tags, problems);
    }
}

/// Says whether `name` is a point's whole name or its last part.
fn is_named(point: &str, name: &str) -> bool {
    point == name || point.rsplit_once('.').is_some_and(|(_, last)| last == name)
}
