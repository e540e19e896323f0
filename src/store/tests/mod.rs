//! Promises of the store.

mod backlog;
mod backup;
mod faults;
mod journal;
mod power;
mod properties;
mod recovery;
mod retention;
mod schema;
mod statements;

use super::{Commit, Store};
use crate::ledger::key::GatewayKey;
use crate::ledger::page::{Head, SignedPage};
use crate::ledger::stream::Stream;
use crate::model::fact::{FactRow, Facts, Measure};
use crate::model::id::{AssetId, Digest, GatewayId, SiteId, StreamName, TagName};
use crate::model::number::Number;
use crate::model::record::{ClockState, KpiId, KpiValue, Level, WindowRecord};
use crate::model::sample::{Quality, Sample, SampleBatch};
use crate::model::share::SharePolicy;
use crate::model::tag::{Meaning, SourceIndex, TagIndex, TagKind, TagSpec};
use crate::model::time::{Grain, MINUTE_MS, Timestamp, Window};
use crate::model::unit::{ProductUnit, Unit};

const CONFIG: Digest = Digest([1; 32]);

/// Puts a database as schema 1 kept it into a directory: written under the plant of the engine's tests.
pub(crate) fn schema_1_in(dir: &std::path::Path) {
    let connection = rusqlite::Connection::open(dir.join(super::FILE_NAME)).unwrap();
    connection.execute_batch(include_str!("schema_1.sql")).unwrap();
    connection.execute_batch("PRAGMA application_id = 1347110740; PRAGMA user_version = 1").unwrap();
}

/// Puts a database as schema 2 kept it into a directory: as that of schema 1, with a told swap.
pub(crate) fn schema_2_in(dir: &std::path::Path) {
    let connection = rusqlite::Connection::open(dir.join(super::FILE_NAME)).unwrap();
    connection.execute_batch(include_str!("schema_2.sql")).unwrap();
    connection.execute_batch("PRAGMA application_id = 1347110740; PRAGMA user_version = 2").unwrap();
}

/// Puts a database as schema 3 kept it into a directory: as that of schema 2, with statements that wait.
pub(crate) fn schema_3_in(dir: &std::path::Path) {
    let connection = rusqlite::Connection::open(dir.join(super::FILE_NAME)).unwrap();
    connection.execute_batch(include_str!("schema_3.sql")).unwrap();
    connection.execute_batch("PRAGMA application_id = 1347110740; PRAGMA user_version = 3").unwrap();
}

/// Lets a store's commits fail at once while somebody else holds the database.
pub(crate) fn make_impatient(store: &Store) {
    store.connection.busy_timeout(std::time::Duration::ZERO).unwrap();
}

/// Holds a database so that nobody else can write it, as a disk that refuses would, until what is returned is dropped.
pub(crate) fn hold(dir: &std::path::Path) -> rusqlite::Connection {
    let connection = rusqlite::Connection::open(dir.join(super::FILE_NAME)).unwrap();
    connection.execute_batch("BEGIN IMMEDIATE").unwrap();
    connection
}

fn tag(name: &str, unit: Unit) -> TagSpec {
    TagSpec::new(
        TagName::new(name).unwrap(),
        SourceIndex(0),
        Meaning {
            kind: TagKind::Gauge,
            unit,
            decoding: String::new(),
            hold_ms: 2_500,
            lateness_ms: 0,
            states: std::collections::BTreeMap::new(),
            thinning: None,
        },
    )
}

fn tags() -> Vec<TagSpec> {
    ["meter.energy", "meter.power", "press.state"].map(|name| tag(name, Unit::Kilowatt)).to_vec()
}

fn in_memory() -> Store {
    Store::open_in_memory(&tags(), CONFIG, "[gateway]").unwrap()
}

fn sample(tag: u32, measured_at: i64, value: f64) -> Sample {
    Sample {
        tag: TagIndex(tag),
        measured_at: Timestamp(measured_at),
        value: Number::finite(value),
        quality: Quality::Good,
    }
}

fn batch(delivery: u64, received_at: i64, samples: Vec<Sample>) -> SampleBatch {
    SampleBatch { source: SourceIndex(0), delivery, received_at: Timestamp(received_at), samples, context: Vec::new() }
}

fn asset(name: &str) -> AssetId {
    AssetId::new(name).unwrap()
}

fn fact_row(name: &str, minute: i64, electricity: i128) -> FactRow {
    let facts: Facts = [(Measure::Electricity, electricity)].into_iter().collect();
    FactRow { asset: asset(name), minute: Timestamp(minute * MINUTE_MS), facts }
}

fn record(name: &str, hour: i64, revision: u32) -> WindowRecord {
    let start = Timestamp(hour * 60 * MINUTE_MS);
    WindowRecord {
        site: SiteId::new("tt-main").unwrap(),
        asset: asset(name),
        level: Level::Site,
        grain: Grain::Hour,
        window: Window { start, end: start + 60 * MINUTE_MS },
        revision,
        facts: [(Measure::Electricity, 1 << 60), (Measure::Apt, i128::from(hour))].into_iter().collect(),
        product_unit: ProductUnit::Piece,
        kpis: vec![KpiValue {
            kpi: KpiId::of("electricity"),
            method: 1,
            // A value whose shortest text needs all 17 digits.
            value: Some(0.1 + 0.2 + f64::from(revision)),
            reason: None,
            coverage: Some(1.0 / 3.0),
            shares: None,
            flags: vec![],
            factors: vec![],
        }],
        config: CONFIG,
        clock: ClockState::Simulated,
        calendar: None,
        inputs_digest: Digest([u8::try_from(revision).unwrap(); 32]),
    }
}

fn stream_name() -> StreamName {
    StreamName::new("hepza").unwrap()
}

/// Cuts the pages that follow `head`.
fn pages(head: Option<Head>, epoch: u32, records: &[WindowRecord]) -> Vec<SignedPage> {
    let policy = SharePolicy { kpis: vec![KpiId::of("electricity")], level: Level::Site, grain: Grain::Hour };
    let gateway = GatewayId::new("tt-0042").unwrap();
    Stream::open(gateway, stream_name(), epoch, policy, head, |_| &[Measure::Electricity]).cut(
        Timestamp(5),
        CONFIG,
        records,
        &GatewayKey::from_seed([7; 32]),
    )
}

/// A commit of one batch with one sample of tag 0.
fn commit_one(store: &mut Store, at: i64) -> u64 {
    let batches = [batch(1, at + 2, vec![sample(0, at, 0.5)])];
    store.commit(&Commit { now: Timestamp(at + 3), batches: &batches, ..Commit::default() }).unwrap()
}
