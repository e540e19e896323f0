//! What the poll loop reads: endpoints, the devices behind each, and their points resolved to tags.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::behaviour::{self, Manners};
use super::config::ModbusSource;
use super::decode::Decoding;
use super::plan::{Limits, Planned, Span, plan};
use super::points::{ResolvedPoint, resolve};
use super::transport::{Security, Transport};
use crate::model::id::{SourceName, TagName};
use crate::model::problem::Problems;
use crate::model::tag::{SourceIndex, TagIndex, TagSpec};
use crate::profile::Library;
use crate::profile::identity::Identity;
use crate::profile::library::Profile;
use crate::sources::checks::{Arrival, Checks};

/// One connection and the devices behind it: what one task polls. An endpoint with several connections makes
/// several of these.
#[derive(Debug, Clone)]
pub struct Endpoint {
    /// Where it leads.
    pub transport: Transport,
    /// Whom it trusts, where it is TLS.
    pub security: Security,
    /// Which of the connections to the same place, from 1.
    pub connection: u8,
    /// How many connections to the same place there are.
    pub connections: u8,
    /// Whether the connection stays open between polls.
    pub keep_open: bool,
    /// Position among all connections of the box: polls of different connections begin at different instants.
    pub position: usize,
    /// The devices that share it, in the order of the configuration. A unit's are all on one connection.
    pub devices: Vec<Device>,
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.connections {
            1 => write!(f, "{}", self.transport),
            all => write!(f, "{} (connection {} of {all})", self.transport, self.connection),
        }
    }
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
    /// What it can bear in one request.
    pub limits: Limits,
    /// How it wants to be asked.
    pub manners: Manners,
    /// What it must answer before it is read on a new connection; empty where its profile doesn't say.
    pub identity: Identity,
    /// Its points.
    pub points: Arc<[DevicePoint]>,
    /// What its values should be like.
    pub checks: Checks,
    /// Number of the last hand-over. It outlives a restart of the task.
    deliveries: Arc<AtomicU64>,
}

/// One point of a device.
#[derive(Debug, Clone, PartialEq)]
pub struct DevicePoint {
    /// Its tag.
    pub tag: TagIndex,
    /// The tag's name, for health.
    pub name: TagName,
    /// Where it stands.
    pub span: Span,
    /// How its words become a value; shared by equal points, of which a large box has a hundred thousand.
    pub decoding: Arc<Decoding>,
}

impl Device {
    /// Returns where the points stand, in their order.
    pub fn spans(&self) -> Vec<Span> {
        self.points.iter().map(|point| point.span).collect()
    }

    /// Returns the requests that read all points.
    pub fn plan(&self) -> Vec<Planned> {
        plan(&self.spans(), &self.limits)
    }

    /// Returns the number of the next hand-over, from 1.
    pub fn next_delivery(&self) -> u64 {
        self.deliveries.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Returns the requests it takes in a millisecond of plant time.
    #[expect(clippy::cast_precision_loss, reason = "a comparison of small numbers")]
    fn load(&self) -> f64 {
        self.plan().len() as f64 / self.every_ms as f64
    }
}

/// Decodings among which an equal one is looked for: those of one device type, and of a few beside it.
const DECODINGS_LOOKED_AT: usize = 64;

/// Groups sources by transport, in the order of their first source, and spreads the units of each over its
/// connections. `tags` is the plant's list, sorted by name: a sample's [`TagIndex`] is a position in it.
///
/// Points whose tag isn't in `tags`, and sources without a valid URL, are left out: the configuration check has
/// named and refused them.
pub fn endpoints(sources: &[(SourceIndex, ModbusSource)], profiles: &Library, tags: &[TagSpec]) -> Vec<Endpoint> {
    let mut places: Vec<Place> = Vec::new();
    let mut known: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    let mut decodings = Vec::new();
    for (index, source) in sources {
        let Some(transport) = source.transport() else { continue };
        let security = source.security();
        let same_name = known.entry(transport.to_string()).or_default();
        let is_same = |place: &Place| place.transport == transport && place.security == security;
        let place = match same_name.iter().find(|&&position| is_same(&places[position])) {
            Some(&position) => &mut places[position],
            None => {
                same_name.push(places.len());
                places.push(Place { transport, security, connections: None, keep_open: None, devices: Vec::new() });
                places.last_mut().expect("pushed above")
            }
        };
        place.connections = place.connections.or(behaviour::connections(source));
        place.keep_open = place.keep_open.or(source.keep_open.as_ref().map(|keep_open| *keep_open.get_ref()));
        place.devices.push(device(*index, source, profiles, tags, &mut decodings));
    }
    let mut endpoints: Vec<Endpoint> = places.into_iter().flat_map(Place::spread).collect();
    (0..).zip(&mut endpoints).for_each(|(position, endpoint)| endpoint.position = position);
    endpoints
}

/// Everything that one transport leads to.
struct Place {
    transport: Transport,
    security: Security,
    connections: Option<u8>,
    keep_open: Option<bool>,
    devices: Vec<Device>,
}

impl Place {
    /// Spreads the devices over the connections: each unit, the busiest first, to the connection with least to do.
    fn spread(self) -> Vec<Endpoint> {
        let mut units: BTreeMap<u8, f64> = BTreeMap::new();
        for device in &self.devices {
            *units.entry(device.unit).or_default() += device.load();
        }
        let wanted = if self.transport.is_serial() { 1 } else { self.connections.unwrap_or(1).max(1) };
        let connections = usize::from(wanted).min(units.len());
        let mut loads = vec![0.0_f64; connections];
        let mut order: Vec<(u8, f64)> = units.into_iter().collect();
        order.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        let mut home = BTreeMap::new();
        for (unit, load) in order {
            let least = (0..connections).min_by(|&a, &b| loads[a].total_cmp(&loads[b])).unwrap_or(0);
            loads[least] += load;
            home.insert(unit, least);
        }
        let all = u8::try_from(connections).unwrap_or(u8::MAX);
        let mut endpoints: Vec<Endpoint> = (1..=all)
            .map(|connection| Endpoint {
                transport: self.transport.clone(),
                security: self.security.clone(),
                connection,
                connections: all,
                // Opening a serial line takes seconds of listening, and there is no slot to free.
                keep_open: self.keep_open.unwrap_or(true) || self.transport.is_serial(),
                position: 0,
                devices: Vec::new(),
            })
            .collect();
        for device in self.devices {
            endpoints[home[&device.unit]].devices.push(device);
        }
        endpoints
    }
}

fn device(
    index: SourceIndex,
    source: &ModbusSource,
    profiles: &Library,
    tags: &[TagSpec],
    decodings: &mut Vec<Arc<Decoding>>,
) -> Device {
    let points = resolve(source, profiles, &mut Problems::default());
    let profile = source.profile.as_ref().and_then(|name| profiles.get(name.get_ref()));
    Device {
        source: index,
        name: source.name.get_ref().clone(),
        unit: source.unit_id(),
        every_ms: source.every_ms(),
        timeout: Duration::from_millis(source.timeout_ms()),
        limits: behaviour::limits(source, profiles),
        manners: behaviour::manners(source, profiles),
        identity: profile.map(|profile| identity(source, profile)).unwrap_or_default(),
        points: points.into_iter().filter_map(|point| with_tag(point, tags, decodings)).collect(),
        checks: Checks::new(
            source.name.get_ref(),
            index,
            &source.declared(),
            source.device_state.as_ref(),
            tags,
            Arrival::Polled,
        ),
        deliveries: Arc::default(),
    }
}

/// Returns what a device of the profile answers, at the addresses on the wire.
fn identity(source: &ModbusSource, profile: &Profile) -> Identity {
    let model_address = profile.sunspec_model.and(source.model_address.as_ref());
    let base = model_address.and_then(|address| u16::try_from(*address.get_ref()).ok()).unwrap_or(0);
    let mut identity = profile.identity.clone();
    for register in &mut identity.registers {
        register.address = register.address.saturating_add(base);
    }
    identity
}

fn with_tag(point: ResolvedPoint, tags: &[TagSpec], decodings: &mut Vec<Arc<Decoding>>) -> Option<DevicePoint> {
    let position = tags.binary_search_by(|tag| tag.name.cmp(&point.name)).ok()?;
    let tag = TagIndex(u32::try_from(position).ok()?);
    let name = tags[position].name.clone();
    let decoding = match decodings.iter().rev().take(DECODINGS_LOOKED_AT).find(|known| ***known == point.decoding) {
        Some(known) => Arc::clone(known),
        None => {
            decodings.push(Arc::new(point.decoding));
            decodings.last().map(Arc::clone)?
        }
    };
    Some(DevicePoint { tag, name, span: point.span, decoding })
}
