//! From what a source's configuration says to points that can be read: profile registers and `point` tables alike.
//!
//! In: one [`ModbusSource`] and the profiles. Out: [`ResolvedPoint`]s, and a problem for every value that can't be
//! meant. A point with a problem is left out, so that whoever goes on in spite of it never reads a wrong register.

mod reading;

use std::collections::BTreeSet;

use serde_spanned::Spanned;

use self::reading::Reading;
use super::config::ModbusSource;
use super::decode::Decoding;
use super::plan::Span;
use crate::model::id::TagName;
use crate::model::problem::Problems;
use crate::model::tag::{SourceIndex, TagKind, TagSpec};
use crate::model::unit::{Dimension, Unit};
use crate::profile::Library;
use crate::profile::library::{Confidence, Profile, ProfileKind, Register};

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
        format!("{table} {} {kind} {order} bit {bit} x {scale} + {offset}", self.span.address)
    }

    /// Returns the tag as the plant knows it. A poll is never late: its lateness is 0.
    pub(super) fn tag(&self, source: SourceIndex) -> TagSpec {
        TagSpec {
            name: self.name.clone(),
            source,
            kind: self.kind,
            unit: self.unit,
            decoding: self.meaning(),
            hold_ms: self.hold_ms,
            lateness_ms: 0,
            states: self.decoding.states.iter().map(|(raw, state)| (raw.to_string(), *state)).collect(),
        }
    }
}

/// Resolves every point of a source, the profile's first; names every problem.
pub(super) fn resolve(source: &ModbusSource, profiles: &Library, problems: &mut Problems) -> Vec<ResolvedPoint> {
    let mut points = profile(source, profiles, problems).map_or_else(Vec::new, |profile| {
        profile.registers.iter().filter_map(|register| from_profile(source, register)).collect()
    });
    let mut names: BTreeSet<TagName> = points.iter().map(|point: &ResolvedPoint| point.name.clone()).collect();
    for point in &source.point {
        let Some(resolved) = (Reading { source, point: point.get_ref(), at: point.span(), problems }).resolve() else {
            continue;
        };
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
        let known = profiles.iter().map(|profile| profile.name.as_str()).collect::<Vec<_>>().join(", ");
        let message = format!("profile \"{}\" is not known", name.get_ref());
        problems.error(name.span(), message, format!("write one of {known}, or list the registers as point"));
        return None;
    };
    if profile.confidence == Confidence::SourcesConflict {
        let message = format!("sources disagree about {}: {}", profile.name, profile.conflicts.join("; "));
        problems.warning(name.span(), message, "compare each value with the device's display before relying on it");
    }
    Some(profile)
}

/// Returns the transformer ratio that a value of `unit` is measured behind: currents behind the current transformer,
/// voltages behind the voltage transformer, power and energy behind both.
fn ratio(source: &ModbusSource, unit: Unit) -> f64 {
    let value = |ratio: &Option<Spanned<f64>>| ratio.as_ref().map_or(1.0, |ratio| *ratio.get_ref());
    let (current, voltage) = (value(&source.ct_ratio), value(&source.pt_ratio));
    match (unit, unit.dimension()) {
        (Unit::Ampere, _) => current,
        (Unit::Volt, _) => voltage,
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

fn from_profile(source: &ModbusSource, register: &Register) -> Option<ResolvedPoint> {
    let ratio = ratio(source, register.unit);
    let scale = register.scale * ratio;
    let kind = match register.kind {
        ProfileKind::Gauge => TagKind::Gauge,
        ProfileKind::Counter => TagKind::Counter {
            modulus: register.register_type.modulus().map(|modulus| modulus * scale),
            max_per_second: register.max_per_second.map(|max| max * ratio),
        },
    };
    Some(ResolvedPoint {
        name: TagName::new(&format!("{}.{}", source.name.get_ref(), register.point)).ok()?,
        span: Span { table: register.table, address: register.address, length: register.register_type.words() },
        decoding: Decoding {
            scale,
            sentinels: register.sentinels.clone(),
            ..Decoding::plain(register.register_type, register.order)
        },
        kind,
        unit: register.unit,
        hold_ms: hold_default_ms(source.every_ms()),
    })
}

#[cfg(test)]
mod tests;
