//! What the budgets are measured with: `cargo bench --bench trip` prints every figure.
//!
//! Decoding of registers, samples into facts, the durable commit, compaction with the bytes a stored sample takes
//! afterwards, and what a box holds while nothing happens.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    missing_docs,
    reason = "a benchmark reports and may stop"
)]

mod engine;

use std::collections::BTreeMap;
use std::hint::black_box;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use criterion::{BatchSize, Criterion, Throughput};
use parkgate::engine::calendar::Calendar;
use parkgate::engine::kpi::grid::MissingFactor;
use parkgate::engine::plant::{Asset, Boundary, Plant};
use parkgate::model::id::{AssetId, Digest, SiteId, TagName};
use parkgate::model::number::Number;
use parkgate::model::record::Level;
use parkgate::model::sample::{Quality, Sample, SampleBatch};
use parkgate::model::tag::{Meaning, SourceIndex, TagIndex, TagKind, TagSpec};
use parkgate::model::time::{Grain, Timestamp};
use parkgate::model::unit::Unit;
use parkgate::profile::register::{RegisterType, WordOrder};
use parkgate::sources::modbus::decode::Decoding;
use parkgate::store::{Commit, Store};

/// 2026-10-05T07:00:00+07:00.
const START: i64 = 1_791_158_400_000;
/// Machines of the plant; each has a state, a part counter, a scrap counter, an energy counter, a power and a voltage.
const MACHINES: u32 = 16;
const POINTS: u32 = 6;

/// A box with one meter that nobody answers for: everything is up and nothing happens.
const IDLE_BOX: &str = r#"
[gateway]
id = "idle"
enterprise = "9900000016"
park = "park"
site = "site"
data_dir = "DATA_DIR"
[http]
listen = "127.0.0.1:0"
[[source]]
type = "modbus"
name = "meter"
url = "tcp://127.0.0.1:1"
unit = 1
profile = "eastron_sdm630"
[[asset]]
id = "site"
boundary = { electricity = ["meter.active_energy_import"] }
"#;

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    decode(&mut criterion);
    engine::benchmarks(&mut criterion);
    commit(&mut criterion);
    compaction(&mut criterion);
    criterion.final_summary();
    if !std::env::args().any(|argument| argument == "--test") {
        engine::reports();
        report_stored_size();
        report_idle_box();
    }
}

fn decode(criterion: &mut Criterion) {
    let words: Vec<u16> = (0..2_000).map(|at| 0x4300 + at).collect();
    let mut group = criterion.benchmark_group("decode");
    group.throughput(Throughput::Elements(1_000));
    for (name, order) in [("float32 ABCD", WordOrder::Abcd), ("float32 CDAB", WordOrder::Cdab)] {
        let decoding = Decoding { scale: 0.1, ..Decoding::plain(RegisterType::Float32, order) };
        group.bench_function(name, |bencher| {
            bencher.iter(|| words.chunks_exact(2).filter(|pair| decoding.words(black_box(pair)).is_ok()).count());
        });
    }
    group.finish();
}

/// One commit of 1,000 samples into a file, synchronous=FULL: the time until a source may acknowledge.
fn commit(criterion: &mut Criterion) {
    let dir = disk();
    let mut store = open(dir.path());
    let samples: Vec<Sample> = Series::new().flat_map(|batch| batch.samples).take(1_000).collect();
    let batches = [SampleBatch {
        source: SourceIndex(0),
        delivery: 1,
        received_at: Timestamp(START),
        samples,
        context: Vec::new(),
    }];
    let commit = Commit { now: Timestamp(START), batches: &batches, ..Commit::default() };
    let mut group = criterion.benchmark_group("store");
    group.throughput(Throughput::Elements(1_000));
    group.bench_function("durable commit of 1,000 samples", |bencher| {
        bencher.iter(|| store.commit(&commit).unwrap());
    });
    group.finish();
}

/// Twenty minutes of the plant from staging into chunks.
fn compaction(criterion: &mut Criterion) {
    let minutes: Vec<SampleBatch> = Series::new().take(1_200).collect();
    let samples: usize = minutes.iter().map(|batch| batch.samples.len()).sum();
    let mut group = criterion.benchmark_group("store");
    group.sample_size(10).throughput(Throughput::Elements(samples as u64));
    group.bench_function("compaction of 20 minutes", |bencher| {
        bencher.iter_batched(
            || {
                let dir = disk();
                let mut store = open(dir.path());
                commit_each(&mut store, minutes.iter().cloned());
                (dir, store)
            },
            |(dir, mut store)| {
                while store.compact().unwrap().samples_left > 0 {}
                (dir, store)
            },
            BatchSize::PerIteration,
        );
    });
    group.finish();
}

/// Prints what a sample takes in the file after four hours of the plant, one commit a second.
fn report_stored_size() {
    let dir = disk();
    let mut store = open(dir.path());
    let empty = used_bytes(dir.path());
    for _ in 0..4 {
        let done = store.last_seq();
        commit_each(&mut store, Series::new().skip(usize::try_from(done).unwrap()).take(3_600));
        while store.compact().unwrap().samples_left > 0 {}
    }
    let samples = store.reader().counts().unwrap().samples;
    let file = used_bytes(dir.path()) - empty;
    let (chunks, spans) = (blob_bytes(dir.path(), "columns", "chunks"), blob_bytes(dir.path(), "frame", "spans"));
    println!(
        "stored sample after compaction: {:.2} bytes in the file ({:.2} in columns, {:.2} in spans), {samples} samples",
        per(file, samples),
        per(chunks, samples),
        per(spans, samples),
    );
}

/// Starts `parkgate run` and reports how soon it serves and what it holds five seconds later.
fn report_idle_box() {
    let dir = disk();
    let config = dir.path().join("gateway.toml");
    let data_dir = dir.path().join("data");
    std::fs::write(&config, IDLE_BOX.replace("DATA_DIR", data_dir.to_str().unwrap())).unwrap();
    let started = Instant::now();
    let mut idle = Command::new(env!("CARGO_BIN_EXE_parkgate"))
        .args(["run", "-c"])
        .arg(&config)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(idle.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let ready = started.elapsed();
    assert!(line.starts_with("parkgate box"), "the idle box failed: {line}");
    std::thread::sleep(Duration::from_secs(5));
    let resident = resident_kb(idle.id());
    idle.kill().unwrap();
    idle.wait().unwrap();
    println!("idle `parkgate run`: serves {} ms after its start, {resident} kB resident", ready.as_millis());
}

fn commit_each(store: &mut Store, batches: impl Iterator<Item = SampleBatch>) {
    for batch in batches {
        let now = batch.received_at + 1;
        store.commit(&Commit { now, batches: &[batch], ..Commit::default() }).unwrap();
    }
}

/// A directory on the disk that the build is on: `/tmp` may be memory.
fn disk() -> tempfile::TempDir {
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap()
}

fn open(dir: &Path) -> Store {
    Store::open(dir, &plant().tags, Digest::ZERO, "").unwrap()
}

fn query(dir: &Path, sql: &str) -> i64 {
    let connection = rusqlite::Connection::open(dir.join(parkgate::store::FILE_NAME)).unwrap();
    connection.query_row(sql, [], |row| row.get(0)).unwrap()
}

fn used_bytes(dir: &Path) -> i64 {
    query(dir, "PRAGMA page_size") * (query(dir, "PRAGMA page_count") - query(dir, "PRAGMA freelist_count"))
}

fn blob_bytes(dir: &Path, column: &str, table: &str) -> i64 {
    query(dir, &format!("SELECT sum(length({column})) FROM {table}"))
}

#[expect(clippy::cast_precision_loss, reason = "a figure with two decimals")]
fn per(bytes: i64, samples: u64) -> f64 {
    bytes as f64 / samples as f64
}

fn resident_kb(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|text| text.trim().trim_end_matches(" kB").parse().ok()).unwrap_or(0)
}

/// The plant's samples, one batch a second: every tag read once, values like those of real devices.
struct Series {
    second: i64,
    random: fastrand::Rng,
    energy_kwh: f64,
    parts: i128,
    volts: f64,
}

impl Series {
    fn new() -> Self {
        Self { second: 0, random: fastrand::Rng::with_seed(7), energy_kwh: 126_238.29, parts: 0, volts: 229.0 }
    }

    fn value(&mut self, point: u32) -> Number {
        let noise = self.random.f64() - 0.5;
        match point {
            // A state that lasts for minutes.
            0 => Number::Integer(i128::from(self.second / 300 % 3)),
            1 => {
                self.parts += i128::from(u8::from(self.second % 5 == 0));
                Number::Integer(self.parts)
            }
            2 => Number::Integer(self.parts / 20),
            // An energy register with two decimals.
            3 => {
                self.energy_kwh += 0.02 + noise / 100.0;
                Number::Float((self.energy_kwh * 100.0).round() / 100.0)
            }
            // A noisy float32 power.
            4 => Number::Float(f64::from(f32_of(74.0 + 6.0 * noise))),
            // A voltage with one decimal.
            _ => {
                self.volts = (self.volts + noise / 2.0).clamp(220.0, 240.0);
                Number::Float((self.volts * 10.0).round() / 10.0)
            }
        }
    }
}

#[expect(clippy::cast_possible_truncation, reason = "what a device with 32-bit floats would answer")]
fn f32_of(value: f64) -> f32 {
    value as f32
}

impl Iterator for Series {
    type Item = SampleBatch;

    fn next(&mut self) -> Option<SampleBatch> {
        // A poll starts within 8 ms of its second; a device answers after 3 to 12 ms.
        let polled = START + self.second * 1_000 + self.random.i64(0..8);
        let mut received_at = polled;
        let mut samples = Vec::new();
        for machine in 0..MACHINES {
            let answer = self.random.i64(3..12);
            let measured_at = Timestamp(received_at + answer / 2);
            received_at += answer;
            for point in 0..POINTS {
                let (tag, value) = (TagIndex(machine * POINTS + point), Some(self.value(point)));
                samples.push(Sample { tag, measured_at, value, quality: Quality::Good });
            }
        }
        self.second += 1;
        let delivery = self.second.unsigned_abs();
        Some(SampleBatch {
            source: SourceIndex(0),
            delivery,
            received_at: Timestamp(received_at),
            samples,
            context: Vec::new(),
        })
    }
}

fn plant() -> Arc<Plant> {
    let meters = (0..MACHINES).map(|machine| TagIndex(machine * POINTS + 3).into()).collect();
    let site = Asset {
        boundary: Boundary { electricity: meters, ..Boundary::default() },
        ..asset("site".to_owned(), None, Level::Site)
    };
    let machines = (0..MACHINES).map(|machine| {
        let tag = |point| Some(TagIndex(machine * POINTS + point));
        Asset {
            state: tag(0),
            total: tag(1),
            scrap: tag(2),
            planned_run_time_per_unit_ns: Some(4_000_000_000),
            ..asset(format!("machine-{machine:02}"), Some(0), Level::Unit)
        }
    });
    let calendar = Calendar::round_the_clock(jiff::tz::TimeZone::UTC);
    Arc::new(Plant {
        tags: (0..MACHINES).flat_map(tags_of).collect(),
        assets: std::iter::once(site).chain(machines).collect(),
        grains: vec![Grain::QuarterHour, Grain::Hour, Grain::Day],
        grid_factor: MissingFactor::Latest,
        ..Plant::new(SiteId::new("bench").unwrap(), calendar, Digest::ZERO)
    })
}

fn tags_of(machine: u32) -> [TagSpec; 6] {
    let counter = TagKind::Counter { modulus: None, max_per_second: None };
    [
        ("a-state", TagKind::State, Unit::One),
        ("b-total", counter, Unit::One),
        ("c-scrap", counter, Unit::One),
        ("d-energy", counter, Unit::KilowattHour),
        ("e-power", TagKind::Gauge, Unit::Kilowatt),
        ("f-voltage", TagKind::Gauge, Unit::Volt),
    ]
    .map(|(point, kind, unit)| {
        TagSpec::new(
            TagName::new(&format!("machine-{machine:02}.{point}")).unwrap(),
            SourceIndex(0),
            Meaning {
                kind,
                unit,
                decoding: String::new(),
                hold_ms: 2_500,
                lateness_ms: 0,
                states: BTreeMap::new(),
                thinning: None,
            },
        )
    })
}

fn asset(id: String, parent: Option<usize>, level: Level) -> Asset {
    Asset::new(AssetId::new(&id).unwrap(), parent, level)
}
