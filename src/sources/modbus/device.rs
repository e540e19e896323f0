//! What the poll loop reads: endpoints, the devices behind each, and their points resolved to tags.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::config::ModbusSource;
use super::decode::Decoding;
use super::plan::{Limits, Planned, Span, WORDS_MAX, plan};
use super::points::{ResolvedPoint, resolve};
use super::transport::{Security, Transport};
use crate::model::id::SourceName;
use crate::model::problem::Problems;
use crate::model::tag::{SourceIndex, TagIndex, TagSpec};
use crate::profile::Library;

/// One transport and the devices behind it: what one task polls.
#[derive(Debug, Clone)]
pub struct Endpoint {
    /// The one connection.
    pub transport: Transport,
    /// Whom it trusts, where it is TLS.
    pub security: Security,
    /// The devices that share it, in the order of the configuration.
    pub devices: Vec<Device>,
}

/// One unit, ready to be polled.
#[derive(Debug, Clone)]
pub struct Device {
    /// Its source.
    pub source: SourceIndex,
    /// Its name, for health and logs.
    pub name: SourceName,
    /// Unit identifier.
    pub unit: u8,
    /// Poll period. **Unit**: milliseconds of plant time.
    pub every_ms: i64,
    /// Longest wait for an answer, real time.
    pub timeout: Duration,
    /// What it can bear.
    pub limits: Limits,
    /// Its points.
    pub points: Vec<DevicePoint>,
    /// Number of the last hand-over. It outlives a restart of the task.
    deliveries: Arc<AtomicU64>,
}

/// One point of a device.
#[derive(Debug, Clone, PartialEq)]
pub struct DevicePoint {
    /// Its tag.
    pub tag: TagIndex,
    /// Where it stands.
    pub span: Span,
    /// How its words become a value.
    pub decoding: Decoding,
}

impl Device {
    /// Returns where the points stand, in their order.
    pub fn spans(&self) -> Vec<Span> {
        self.points.iter().map(|point| point.span).collect()
    }

    /// Returns the requests that read all points.
    pub fn plan(&self) -> Vec<Planned> {
        plan(&self.spans(), self.limits)
    }

    /// Returns the number of the next hand-over, from 1.
    pub fn next_delivery(&self) -> u64 {
        self.deliveries.fetch_add(1, Ordering::Relaxed) + 1
    }
}

/// Groups sources by transport, in the order of their first source. `tags` is the plant's list, sorted by name: a
/// sample's [`TagIndex`] is a position in it.
///
/// Points whose tag isn't in `tags`, and sources without a valid URL, are left out: the configuration check has
/// named and refused them.
pub fn endpoints(sources: &[(SourceIndex, ModbusSource)], profiles: &Library, tags: &[TagSpec]) -> Vec<Endpoint> {
    let mut endpoints: Vec<Endpoint> = Vec::new();
    for (index, source) in sources {
        let Some(transport) = source.transport() else { continue };
        let security = source.security();
        let device = device(*index, source, profiles, tags);
        match endpoints.iter_mut().find(|endpoint| endpoint.transport == transport && endpoint.security == security) {
            Some(endpoint) => endpoint.devices.push(device),
            None => endpoints.push(Endpoint { transport, security, devices: vec![device] }),
        }
    }
    endpoints
}

fn device(index: SourceIndex, source: &ModbusSource, profiles: &Library, tags: &[TagSpec]) -> Device {
    let points = resolve(source, profiles, &mut Problems::default());
    Device {
        source: index,
        name: source.name.get_ref().clone(),
        unit: source.unit_id(),
        every_ms: source.every_ms(),
        timeout: Duration::from_millis(source.timeout_ms()),
        limits: limits(source, profiles),
        points: points.into_iter().filter_map(|point| with_tag(point, tags)).collect(),
        deliveries: Arc::default(),
    }
}

fn with_tag(point: ResolvedPoint, tags: &[TagSpec]) -> Option<DevicePoint> {
    let position = tags.binary_search_by(|tag| tag.name.cmp(&point.name)).ok()?;
    let tag = TagIndex(u32::try_from(position).ok()?);
    Some(DevicePoint { tag, span: point.span, decoding: point.decoding })
}

/// Returns the source's own limits, else the profile's, else those of the protocol.
fn limits(source: &ModbusSource, profiles: &Library) -> Limits {
    let profile = source.profile.as_ref().and_then(|name| profiles.get(name.get_ref())).map(|profile| &profile.limits);
    let own = |limit: &Option<serde_spanned::Spanned<i64>>| {
        limit.as_ref().and_then(|limit| u16::try_from(*limit.get_ref()).ok())
    };
    Limits {
        words_max: own(&source.max_words).or(profile.map(|limits| limits.max_words)).unwrap_or(WORDS_MAX),
        gap_max: own(&source.max_gap).or(profile.map(|limits| limits.max_gap)).unwrap_or(0),
    }
}

#[cfg(test)]
mod tests {
    use super::Decoding;
    use crate::profile::Library;

    #[test]
    fn the_worked_words_of_every_profile_decode_to_their_values() {
        for profile in Library::builtin().iter() {
            for example in &profile.examples {
                let register = profile.registers.iter().find(|register| register.point == example.point).unwrap();
                let decoding = Decoding {
                    scale: register.scale,
                    sentinels: register.sentinels.clone(),
                    ..Decoding::plain(register.register_type, register.order)
                };
                let found = decoding.words(&example.words).map(|value| value.as_f64());
                let place = format!("{} {} {:04X?}: {found:?}", profile.name, example.point, example.words);
                match example.value {
                    Some(value) => assert!((found.unwrap() - value).abs() <= value.abs() * 1e-7, "{place}"),
                    None => assert!(found.is_err(), "{place}"),
                }
            }
        }
    }
}
