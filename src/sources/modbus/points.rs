//! From what a source's configuration says to points that can be read: profile registers and `point` tables alike.
//!
//! In: one [`ModbusSource`] and the profiles. Out: [`ResolvedPoint`]s, and a problem for every value that can't be
//! meant. A point with a problem is left out, so that whoever goes on in spite of it never reads a wrong register.

mod reading;

use std::collections::{BTreeMap, BTreeSet};

use serde_spanned::Spanned;

use self::reading::Reading;
use super::config::{ModbusSource, Place};
use super::decode::{Decoding, Layout};
use super::plan::Span;
use crate::model::id::TagName;
use crate::model::problem::Problems;
use crate::model::state::MachineState;
use crate::model::tag::{Meaning, SourceIndex, TagKind, TagSpec};
use crate::model::unit::{Dimension, Unit};
use crate::profile::Library;
use crate::profile::library::{Confidence, Profile, ProfileKind, Register};
use crate::profile::register::{RegisterType, Table};

/// One point that can be read.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct ResolvedPoint {
    /// Its tag.
    pub(super) name: TagName,
    /// Where it stands.
    pub(super) span: Span,
    /// How its words become a value.
    pub(super) decoding: Decoding,
    /// How its values turn into amounts.
    pub(super) kind: TagKind,
    /// Unit of its values.
    pub(super) unit: Unit,
    /// How long a value holds.
    pub(super) hold_ms: i64,
}

impl ResolvedPoint {
    /// Returns everything that decides what a stored value of the tag means.
    fn meaning(&self) -> String {
        let Decoding { register_type, order, bit, scale, offset, .. } = &self.decoding;
        let (table, kind, order) = (self.span.table.as_str(), register_type.as_str(), order.as_str());
        let layout = self.layout();
        format!("{table} {} {kind} {order} bit {bit} x {scale} + {offset}{layout}", self.span.address)
    }

    /// Returns what else of the words counts, behind a comma; nothing where they are the value.
    fn layout(&self) -> String {
        let at = |position: &u16| u32::from(self.span.address) + u32::from(*position);
        match &self.decoding.layout {
            Layout::Whole => String::new(),
            Layout::Bits(field) => format!(", bits {field}"),
            Layout::Factored { value, factor } => format!(", value at {}, scale factor at {}", at(value), at(factor)),
            Layout::Text { characters: Some(characters), .. } => format!(", {characters} characters"),
            Layout::Text { characters: None, .. } => format!(", {} registers", self.span.length),
        }
    }

    /// Returns where it stands and how it is read, for a person.
    pub(super) fn place(self) -> Place {
        let Decoding { register_type, order, bit, scale, offset, .. } = &self.decoding;
        let is_register = !self.span.table.is_bits();
        let mut form = register_type.to_string();
        if is_register && *register_type == RegisterType::Bit {
            form += &format!(" {bit}");
        } else if is_register && register_type.orders().len() > 1 {
            form += &format!(" {order}");
        }
        if scale.to_bits() != 1f64.to_bits() {
            form += &format!(", x {scale}");
        }
        if *offset != 0.0 {
            form += &format!(", + {offset}");
        }
        form += &self.layout();
        Place { tag: self.name, span: self.span, form }
    }

    /// Returns the tag as the plant knows it. A poll is never late: its lateness is 0.
    pub(super) fn tag(&self, source: SourceIndex) -> TagSpec {
        TagSpec::new(
            self.name.clone(),
            source,
            Meaning {
                kind: self.kind,
                unit: self.unit,
                decoding: self.meaning(),
                hold_ms: self.hold_ms,
                lateness_ms: 0,
                states: self.states(),
                thinning: None,
            },
        )
    }

    fn states(&self) -> BTreeMap<String, MachineState> {
        match &self.decoding.layout {
            Layout::Text { states, .. } => states.clone(),
            _ => self.decoding.states.iter().map(|(raw, state)| (raw.to_string(), *state)).collect(),
        }
    }
}

/// Resolves every point of a source, the profile's first; names every problem.
pub(super) fn resolve(source: &ModbusSource, profiles: &Library, problems: &mut Problems) -> Vec<ResolvedPoint> {
    let profile = profile(source, profiles, problems);
    let base = model_address(source, profile, problems);
    let listed = profile.zip(base);
    let mut points = listed.map_or_else(Vec::new, |(profile, base)| {
        profile.registers.iter().filter_map(|register| from_profile(source, profile, register, base)).collect()
    });
    let mut names: BTreeSet<TagName> = points.iter().map(|point: &ResolvedPoint| point.name.clone()).collect();
    for point in &source.point {
        let reading = Reading { source, profile: listed, point: point.get_ref(), at: point.span(), problems };
        let Some(resolved) = reading.resolve() else { continue };
        if names.insert(resolved.name.clone()) {
            points.push(resolved);
        } else {
            let message = format!("point \"{}\" stands twice", resolved.name);
            let at = point.get_ref().name.span();
            problems.error(at, message, "give each point of a source a name of its own; the profile's names are taken");
        }
    }
    points
}

/// Finds the profile by name and passes on what its sources disagree about.
fn profile<'a>(source: &ModbusSource, profiles: &'a Library, problems: &mut Problems) -> Option<&'a Profile> {
    let name = source.profile.as_ref()?;
    let Some(profile) = profiles.get(name.get_ref()) else {
        if let Some(reason) = profiles.refusal(name.get_ref()) {
            let message = format!("profile {} can't be used: {}", name.get_ref(), reason.trim_end());
            problems.error(
                name.span(),
                message,
                "its path counts from the configuration file's folder; see docs/profiles.md",
            );
        } else {
            let known = profiles.iter().map(|profile| profile.name.as_str()).collect::<Vec<_>>().join(", ");
            let message = format!("profile \"{}\" is not known", name.get_ref());
            let help = format!(
                "write one of {known}, the path of a file of your own like \"./meter.toml\", or list the registers as point"
            );
            problems.error(name.span(), message, help);
        }
        return None;
    };
    if profile.confidence == Confidence::SourcesConflict {
        let message = format!("sources disagree about {}: {}", profile.name, profile.conflicts.join("; "));
        problems.warning(name.span(), message, "compare each value with the device's display before relying on it");
    }
    for caution in &profile.cautions {
        let message = format!("the map of {} is not sure of everything: check {caution}", profile.name);
        problems.warning(name.span(), message, "compare with the device's display and its settings");
    }
    Some(profile)
}

/// Returns what the profile's addresses count from: 0, or where the source says that the SunSpec model stands. `None`
/// where that can't be known.
fn model_address(source: &ModbusSource, profile: Option<&Profile>, problems: &mut Problems) -> Option<u16> {
    let model = profile.and_then(|profile| Some((profile, profile.sunspec_model?)));
    let (Some((profile, model)), Some(written)) = (model, &source.model_address) else {
        if let Some(written) = &source.model_address {
            let help = "leave it out, or write profile = \"sunspec_103\", for instance";
            problems.error(written.span(), "model_address has a meaning only for the profile of a SunSpec model", help);
        }
        let Some((profile, model)) = model else { return Some(0) };
        let at = source.profile.as_ref().map(Spanned::span);
        let message = format!("profile \"{}\" counts from where its SunSpec model stands on the device", profile.name);
        let help = format!("add model_address = the wire address of its id register, which holds {model}");
        problems.error(at, message, help);
        return None;
    };
    let ends = profile.registers.iter().map(|register| span(register, 0)).map(|span| span.address + span.length);
    let room = 65_535 - ends.max().unwrap_or_default();
    let found = u16::try_from(*written.get_ref()).ok().filter(|address| *address <= room);
    if found.is_none() {
        let message = format!("model_address {} leaves no room for model {model}", written.get_ref());
        problems.error(written.span(), message, "write the wire address of the register that holds the model's id");
    }
    found
}

/// Returns the transformer ratio that a value of `unit` is measured behind: currents behind the current transformer,
/// voltages behind the voltage transformer, power and energy behind both.
fn ratio(source: &ModbusSource, unit: Unit) -> f64 {
    let value = |ratio: &Option<Spanned<f64>>| ratio.as_ref().map_or(1.0, |ratio| *ratio.get_ref());
    let (current, voltage) = (value(&source.ct_ratio), value(&source.pt_ratio));
    match (unit, unit.dimension()) {
        (Unit::Ampere, _) => current,
        (Unit::Volt, _) => voltage,
        (Unit::VoltAmpere, _) => current * voltage,
        (
            _,
            Dimension::ActiveEnergy | Dimension::ReactiveEnergy | Dimension::ActivePower | Dimension::ReactivePower,
        ) => current * voltage,
        _ => 1.0,
    }
}

/// Returns 2.5 poll periods: one missed poll is no gap, two are.
const fn hold_default_ms(every_ms: i64) -> i64 {
    every_ms * 5 / 2
}

fn from_profile(source: &ModbusSource, profile: &Profile, register: &Register, base: u16) -> Option<ResolvedPoint> {
    let ratio = ratio(source, register.unit);
    let scale = register.scale * ratio;
    let layout = match (register.scale_factor, register.bits) {
        (Some(factor), _) => factored(register.address, factor),
        (None, Some(field)) => Layout::Bits(field),
        (None, None) => Layout::Whole,
    };
    let states = register.states.iter().filter_map(|(raw, state)| Some((parse_integer(raw)?, *state)));
    Some(ResolvedPoint {
        name: TagName::new(&format!("{}.{}", source.name.get_ref(), register.point)).ok()?,
        span: span(register, base),
        kind: kind(profile, register, scale, ratio),
        decoding: Decoding {
            scale,
            offset: register.offset * ratio,
            sentinels: register.sentinels.clone(),
            states: states.collect(),
            layout,
            ..Decoding::plain(register.register_type, register.order)
        },
        unit: register.unit,
        hold_ms: hold_default_ms(source.every_ms()),
    })
}

fn kind(profile: &Profile, register: &Register, scale: f64, ratio: f64) -> TagKind {
    let is_energy = matches!(register.unit.dimension(), Dimension::ActiveEnergy | Dimension::ReactiveEnergy);
    let rated =
        profile.rated.filter(|_| is_energy).map(|rated| rated.energy_per_second() / register.unit.base_factor());
    match register.kind {
        ProfileKind::Gauge => TagKind::Gauge,
        ProfileKind::Counter => TagKind::Counter {
            // Where a factor scales it too, the width of its type says nothing about its value.
            modulus: register.modulus.map(|modulus| modulus * ratio).or_else(|| {
                let by_width = register.register_type.modulus().filter(|_| register.scale_factor.is_none());
                by_width.map(|modulus| modulus * scale.abs())
            }),
            max_per_second: register.max_per_second.or(rated).map(|max| max * ratio),
        },
        ProfileKind::State => TagKind::State,
    }
}

/// Returns the registers that are read for a point of a profile whose addresses count from `base`.
fn span(register: &Register, base: u16) -> Span {
    cover(register.table, base, (register.address, register.register_type.words()), register.scale_factor)
}

/// Returns what is read for a value of some registers, and for its factor where it has one.
fn cover(table: Table, base: u16, (address, length): (u16, u16), factor: Option<u16>) -> Span {
    let first = factor.map_or(address, |factor| factor.min(address));
    let value = (address - first).saturating_add(length);
    // Longer than any request where it saturates: refused before it is read.
    let with_factor = factor.map_or(value, |factor| value.max((factor - first).saturating_add(1)));
    Span { table, address: base.saturating_add(first), length: with_factor }
}

/// Returns the layout of a value at `address` with its factor at another, both read from the lower one on.
fn factored(address: u16, factor: u16) -> Layout {
    let first = address.min(factor);
    Layout::Factored { value: address - first, factor: factor - first }
}

/// Parses a decimal or 0x-hexadecimal integer.
fn parse_integer(text: &str) -> Option<i128> {
    match text.strip_prefix("0x") {
        Some(hex) => i128::from_str_radix(hex, 16).ok(),
        None => text.parse().ok(),
    }
}

#[cfg(test)]
mod tests;
