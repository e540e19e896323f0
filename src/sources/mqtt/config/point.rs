//! `point = [{ … }]` of an MQTT source: what is kept.

use std::collections::BTreeMap;

use serde::Deserialize;
use toml::Spanned;

use crate::model::problem::Problems;
use crate::model::state::MachineState;
use crate::model::time::Period;
use crate::model::unit::Unit;
use crate::sources::checks::config::CheckKeys;

/// One point that is kept.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PointSpec {
    /// `device.point`, or the one of the two that the topics give.
    pub name: Spanned<String>,
    /// What topics and payloads call it, where that isn't `name`: like `Press 1.Total kWh`.
    #[serde(default)]
    pub called: Option<Spanned<String>>,
    /// Sparkplug: group of the edge node; default: the one that the filters name.
    #[serde(default)]
    pub group: Option<Spanned<String>>,
    /// Sparkplug: the edge node; default: the first part of the name.
    #[serde(default)]
    pub edge_node: Option<Spanned<String>>,
    /// Sparkplug: the device; without it the metric is the edge node's own.
    #[serde(default)]
    pub device: Option<Spanned<String>>,
    /// Sparkplug: name of the metric; default: the last part of the name.
    #[serde(default)]
    pub metric: Option<Spanned<String>>,
    /// `gauge`, `counter`, `interval` or `state`; default `state` where `states` is given, else `gauge`.
    #[serde(default)]
    pub kind: Option<Spanned<String>>,
    /// Unit of the value; default `1`.
    #[serde(default)]
    pub unit: Option<Spanned<String>>,
    /// Text or number (as text) of a payload → state.
    #[serde(default)]
    pub states: BTreeMap<String, Spanned<String>>,
    /// How long a value holds before NO_DATA begins; default 5 min.
    #[serde(default)]
    pub hold: Option<Spanned<Period>>,
    /// Length of the interval whose amount a value is; for kind `interval`.
    #[serde(default)]
    pub period: Option<Spanned<Period>>,
    /// Largest growth per second the device can show, in the tag's unit; for kind `counter`.
    #[serde(default)]
    pub max_per_second: Option<Spanned<f64>>,
    /// Values that mean "no value", as the device sends them.
    #[serde(default)]
    pub sentinel: Vec<f64>,
    /// Value = number × scale + offset; default 1.
    #[serde(default)]
    pub scale: Option<Spanned<f64>>,
    /// See `scale`; default 0.
    #[serde(default)]
    pub offset: Option<Spanned<f64>>,
    /// Smallest value that can be right; a smaller one is marked.
    #[serde(default)]
    pub min: Option<Spanned<f64>>,
    /// Largest value that can be right; a larger one is marked.
    #[serde(default)]
    pub max: Option<Spanned<f64>>,
    /// Largest change from one value to the next; a larger one is marked.
    #[serde(default)]
    pub max_step: Option<Spanned<f64>>,
    /// Largest change per second; a faster one is marked.
    #[serde(default)]
    pub max_rate: Option<Spanned<f64>>,
    /// How long the value may stand still; then it is marked.
    #[serde(default)]
    pub flat_line: Option<Spanned<Period>>,
    /// Changes up to this are left out of the history once the figures are made.
    #[serde(default)]
    pub deadband: Option<Spanned<f64>>,
    /// How often a sample is kept at least, where changes are left out.
    #[serde(default)]
    pub heartbeat: Option<Spanned<Period>>,
}

/// How a point's values turn into amounts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A level, held until the next value.
    Gauge,
    /// A total that grows.
    Counter,
    /// The amount of the interval that ends at the event time.
    Interval,
    /// A machine state.
    State,
}

impl PointSpec {
    /// Returns what it says of its values.
    pub(super) fn check_keys(&self) -> CheckKeys {
        CheckKeys {
            min: self.min.clone(),
            max: self.max.clone(),
            max_step: self.max_step.clone(),
            max_rate: self.max_rate.clone(),
            flat_line: self.flat_line.clone(),
            deadband: self.deadband.clone(),
            heartbeat: self.heartbeat.clone(),
        }
    }

    /// Returns the declared kind, or the natural one where none is declared or its name is unknown.
    pub fn kind(&self) -> Kind {
        let declared = self.kind.as_ref().and_then(|kind| Kind::from_name(kind.get_ref()));
        declared.unwrap_or(if self.states.is_empty() { Kind::Gauge } else { Kind::State })
    }

    /// Returns the states that are named rightly.
    pub fn states(&self) -> BTreeMap<String, MachineState> {
        let known = |(raw, name): (&String, &Spanned<String>)| {
            MachineState::from_name(name.get_ref()).map(|state| (raw.clone(), state))
        };
        self.states.iter().filter_map(known).collect()
    }

    /// Returns what topics and payloads call it: `device.point`, or the one of the two that they give.
    pub fn called(&self) -> &str {
        self.called.as_ref().unwrap_or(&self.name).get_ref()
    }

    /// Returns the factor of its numbers.
    pub fn scale(&self) -> f64 {
        self.scale.as_ref().map_or(1.0, |scale| *scale.get_ref())
    }

    /// Returns what is added to its numbers after the factor.
    pub fn offset(&self) -> f64 {
        self.offset.as_ref().map_or(0.0, |offset| *offset.get_ref())
    }

    /// Returns the declared unit, or 1 where none is declared or its name is unknown.
    pub(in crate::sources::mqtt) fn unit(&self) -> Unit {
        self.unit.as_ref().and_then(|unit| unit_of(unit.get_ref())).unwrap_or(Unit::One)
    }

    /// Names what is written here that means nothing.
    pub(super) fn check_words(&self, problems: &mut Problems) {
        if let Some(kind) = self.kind.as_ref().filter(|kind| Kind::from_name(kind.get_ref()).is_none()) {
            let message = format!("\"{}\" is not a kind of point", kind.get_ref());
            problems.error(kind.span(), message, "write gauge, counter, interval or state");
        }
        for (key, factor, bad) in [("scale", &self.scale, 0.0), ("offset", &self.offset, f64::NAN)] {
            let Some(factor) = factor else { continue };
            if !factor.get_ref().is_finite() || factor.get_ref().total_cmp(&bad).is_eq() {
                let message = format!("{key} {} makes no number of a value", factor.get_ref());
                problems.error(factor.span(), message, format!("write {key} = 0.1, or remove it"));
            } else if self.kind() == Kind::State {
                let message = format!("{key} means nothing for a state");
                problems.error(factor.span(), message, format!("remove {key}"));
            }
        }
        if let Some(unit) = self.unit.as_ref().filter(|unit| unit_of(unit.get_ref()).is_none()) {
            let known = Unit::ALL.map(Unit::as_str).join(", ");
            problems.error(
                unit.span(),
                format!("\"{}\" is not a unit", unit.get_ref()),
                format!("write one of {known}"),
            );
        }
        for name in self.states.values().filter(|name| MachineState::from_name(name.get_ref()).is_none()) {
            let known = MachineState::ALL.map(MachineState::as_str).join(", ");
            let message = format!("\"{}\" is not a machine state", name.get_ref());
            problems.error(name.span(), message, format!("write one of {known}"));
        }
    }
}

fn unit_of(name: &str) -> Option<Unit> {
    Unit::ALL.into_iter().find(|unit| unit.as_str() == name)
}

impl Kind {
    fn from_name(name: &str) -> Option<Self> {
        match name {
            "gauge" => Some(Self::Gauge),
            "counter" => Some(Self::Counter),
            "interval" => Some(Self::Interval),
            "state" => Some(Self::State),
            _ => None,
        }
    }
}
