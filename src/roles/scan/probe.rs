//! Asks one endpoint which units are there and what they are.

use std::time::Duration;

use super::super::reach::{Bus, SunSpec};
use super::target::{Target, addressable};
use crate::profile::Library;
use crate::profile::register::Table;
use crate::sources::modbus::fingerprint::{self, Candidate, Known};
use crate::sources::modbus::link::{Identity, LinkError};
use crate::sources::modbus::plan::Request;
use crate::sources::modbus::transport::{Security, Transport};

/// More units than these are a search: then an absent one is asked fewer questions.
const FEW_UNITS: usize = 8;
/// Reads in a row without an answer after which a unit is left in peace.
const SILENT_MAX: u32 = 3;

/// How to ask.
pub(super) struct Settings {
    pub(super) units: Vec<u8>,
    pub(super) limit: Duration,
    pub(super) pause: Duration,
    pub(super) security: Security,
    pub(super) profiles: Library,
}

/// What one endpoint turned out to be.
pub(super) struct Report {
    /// How it was reached, or the way that was tried last.
    pub(super) transport: Transport,
    pub(super) is_named: bool,
    pub(super) units: Vec<UnitReport>,
    /// Units that were asked.
    pub(super) asked: usize,
    /// Why the search ended early, or why there was none.
    pub(super) stopped: Option<LinkError>,
}

/// What one unit turned out to be.
pub(super) struct UnitReport {
    pub(super) unit: u8,
    pub(super) identity: Option<Identity>,
    pub(super) sunspec: Option<SunSpec>,
    pub(super) candidates: Vec<Candidate>,
}

/// Whether somebody answers to a unit.
enum Presence {
    Present(Option<Identity>),
    Absent,
    /// There is no use in asking on.
    Stopped(LinkError),
}

/// Looks at one endpoint: each way in turn until one answers. `progress` is told each unit before it is asked.
pub(super) async fn endpoint(target: Target, settings: &Settings, progress: &dyn Fn(&Transport, u8)) -> Report {
    let mut last = None;
    for transport in target.ways {
        let report = way(transport, target.is_named, settings, progress).await;
        // Another master talks at these settings: they are right, and nothing more may be sent.
        let is_over = !report.units.is_empty() || matches!(report.stopped, Some(LinkError::Foreign(_)));
        last = Some(report);
        if is_over {
            break;
        }
    }
    last.expect("a target has at least one way")
}

async fn way(transport: Transport, is_named: bool, settings: &Settings, progress: &dyn Fn(&Transport, u8)) -> Report {
    let asked = addressable(&settings.units, &transport);
    let mut bus = Bus::new(transport.clone(), settings.security.clone(), settings.limit, settings.pause);
    let mut report = Report { transport, is_named, units: Vec::new(), asked: 0, stopped: None };
    if let Err(error) = bus.open().await {
        report.stopped = Some(error);
        return report;
    }
    for unit in &asked {
        progress(&report.transport, *unit);
        match presence(&mut bus, *unit, asked.len() <= FEW_UNITS).await {
            Presence::Present(identity) => {
                report.units.push(describe(&mut bus, *unit, identity, &settings.profiles).await);
            }
            Presence::Absent => {}
            Presence::Stopped(error) => {
                report.stopped = Some(error);
                return report;
            }
        }
        report.asked += 1;
    }
    report
}

/// Asks a unit for its identification, and where it keeps silent for a register: an exception is an answer too.
async fn presence(bus: &mut Bus, unit: u8, is_thorough: bool) -> Presence {
    if let Some(presence) = answered(bus.identify(unit).await.map(Some)) {
        return presence;
    }
    let tables: &[Table] = if is_thorough { &[Table::Holding, Table::Input] } else { &[Table::Holding] };
    for table in tables {
        let Some(request) = Request::new(*table, 0, 1) else { continue };
        if let Some(presence) = answered(bus.read(unit, request).await.map(|_| None)) {
            return presence;
        }
    }
    Presence::Absent
}

/// Says what an answer means for the unit; `None` for silence, which means nothing yet.
fn answered(outcome: Result<Option<Identity>, LinkError>) -> Option<Presence> {
    match outcome {
        Ok(identity) => Some(Presence::Present(identity)),
        // A gateway says that nobody is behind it.
        Err(LinkError::Exception(10 | 11)) => Some(Presence::Absent),
        Err(LinkError::Exception(_)) => Some(Presence::Present(None)),
        Err(LinkError::Timeout(_) | LinkError::Lost(_)) => None,
        Err(error) => Some(Presence::Stopped(error)),
    }
}

async fn describe(bus: &mut Bus, unit: u8, identity: Option<Identity>, profiles: &Library) -> UnitReport {
    let sunspec = bus.sunspec(unit).await;
    let names = identity.as_ref().map(|identity| (identity.vendor.clone(), identity.product.clone()));
    let models = sunspec.as_ref().map(|found| found.models.clone()).unwrap_or_default();
    let mut known = Known { names, models, ..Known::default() };
    fill(bus, unit, fingerprint::identity_reads(profiles), &mut known).await;
    let is_matched = fingerprint::candidates(profiles, &known).iter().any(Candidate::is_match);
    if !is_matched && known.models.is_empty() {
        let reads = fingerprint::value_reads(profiles, &known);
        fill(bus, unit, reads, &mut known).await;
    }
    let candidates = fingerprint::candidates(profiles, &known);
    UnitReport { unit, identity, sunspec, candidates }
}

/// Reads registers that tell profiles apart. A unit that answers nothing several times in a row is left in peace.
async fn fill(bus: &mut Bus, unit: u8, reads: Vec<Request>, known: &mut Known) {
    let mut silent = 0;
    for request in reads {
        if silent >= SILENT_MAX || request.table().is_bits() {
            continue;
        }
        let words = bus.words(unit, request).await;
        silent = if matches!(words, Ok(_) | Err(LinkError::Exception(_))) { 0 } else { silent + 1 };
        known.seen.insert(request, words.ok());
    }
}
