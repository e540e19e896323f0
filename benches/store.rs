//! What durability costs: `cargo bench --bench store` prints every figure.
//!
//! Durable ingest in commits of a quarter second, the latency of a commit, the bytes a sample takes after compaction
//! with the wear of getting there, and whether an outage of a month fits under the cap.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    clippy::cast_precision_loss,
    missing_docs,
    reason = "a benchmark reports and may stop"
)]

use std::time::{Duration, Instant};

use parkgate::model::id::{Digest, TagName};
use parkgate::model::number::Number;
use parkgate::model::sample::{Quality, Sample, SampleBatch};
use parkgate::model::tag::{Meaning, SourceIndex, TagIndex, TagKind, TagSpec};
use parkgate::model::time::Timestamp;
use parkgate::model::unit::Unit;
use parkgate::store::{Commit, Store};

/// 2026-10-05T07:00:00+07:00.
const START: i64 = 1_791_158_400_000;
/// Tags of the plant, each once a second.
const TAGS: u32 = 1_000;
/// Tags of one device, polled together.
const DEVICE_TAGS: u32 = 50;
/// Commits a second.
const COMMITS: u32 = 4;
/// Seconds of the plant that are stored.
const SECONDS: i64 = 3_600;
/// The cap that `[store]` has by default.
const CAP_BYTES: u64 = 20 << 30;
const DAY_SECONDS: u64 = 86_400;

fn main() {
    // `cargo test --benches` only wants to see that it starts.
    let is_test = std::env::args().any(|argument| argument == "--test");
    ingest(if is_test { Duration::ZERO } else { Duration::from_secs(10) });
    plant(if is_test { 10 } else { SECONDS });
}

/// As many samples as go, a quarter of a million a commit, compaction aside and then with it.
fn ingest(time: Duration) {
    for compacts in [false, true] {
        let dir = disk();
        let mut store = Store::open(dir.path(), &tags(), Digest::ZERO, "").unwrap();
        let mut series = Series::new();
        let seconds: Vec<Vec<SampleBatch>> = (0..250).map(|_| series.second()).collect();
        let batches: Vec<SampleBatch> = seconds.into_iter().flatten().collect();
        let samples: u64 = batches.iter().map(|batch| batch.samples.len() as u64).sum();
        let (started, mut stored) = (Instant::now(), 0);
        while stored == 0 || started.elapsed() < time {
            store.commit(&Commit { now: Timestamp(START), batches: &batches, ..Commit::default() }).unwrap();
            stored += samples;
            while compacts && store.is_compaction_due() {
                store.compact().unwrap();
            }
        }
        let rate = stored as f64 / started.elapsed().as_secs_f64();
        let how = if compacts { "with compaction" } else { "to staging" };
        println!("durable ingest {how}: {rate:.0} samples/s in commits of {samples}");
    }
}

/// A plant of a thousand tags, as `run` commits it: four commits a second, compaction in between.
fn plant(seconds: i64) {
    let dir = disk();
    let mut store = Store::open(dir.path(), &tags(), Digest::ZERO, "").unwrap();
    let empty = store.reader().used_bytes().unwrap();
    let written = written_bytes();
    let mut series = Series::new();
    let (mut latencies, mut steps) = (Vec::new(), Vec::new());
    for _ in 0..seconds {
        let batches = series.second();
        let quarter = batches.len().div_ceil(COMMITS as usize);
        for batches in batches.chunks(quarter) {
            let now = batches.iter().map(|batch| batch.received_at).max().unwrap();
            let started = Instant::now();
            store.commit(&Commit { now, batches, ..Commit::default() }).unwrap();
            latencies.push(started.elapsed());
            if store.is_compaction_due() {
                let started = Instant::now();
                store.compact().unwrap();
                steps.push(started.elapsed());
            }
        }
    }
    report("commit of 250 samples", &mut latencies);
    report("step of compaction", &mut steps);
    let samples = store.reader().counts().unwrap().samples;
    let wear = written_bytes() - written;
    while store.compact().unwrap().samples_left > 0 {}
    let bytes = store.reader().used_bytes().unwrap() - empty;
    let a_sample = bytes as f64 / samples as f64;
    println!("stored sample after compaction: {a_sample:.2} bytes in the file, {samples} samples");
    let seconds = seconds.unsigned_abs();
    println!(
        "wear: {:.1} bytes written a sample, {:.2} GB a day at {TAGS} tags a second",
        wear as f64 / samples as f64,
        wear as f64 / seconds as f64 * DAY_SECONDS as f64 / 1e9
    );
    let month = a_sample * (30 * DAY_SECONDS * u64::from(TAGS)) as f64;
    let share = month / CAP_BYTES as f64 * 100.0;
    println!("30 days at {TAGS} tags a second: {:.2} GB, {share:.0} % of the default cap", month / 1e9);
}

fn report(what: &str, latencies: &mut [Duration]) {
    latencies.sort_unstable();
    let at = |percent: usize| latencies.get((latencies.len() * percent / 100).min(latencies.len().saturating_sub(1)));
    if let (Some(half), Some(most), Some(worst)) = (at(50), at(99), latencies.last()) {
        println!("{what}: p50 {half:.2?}, p99 {most:.2?}, longest {worst:.2?}, {} of them", latencies.len());
    }
}

/// What this process has had written to disks; 0 where the system doesn't say.
fn written_bytes() -> u64 {
    let io = std::fs::read_to_string("/proc/self/io").unwrap_or_default();
    let line = io.lines().find_map(|line| line.strip_prefix("write_bytes: "));
    line.and_then(|bytes| bytes.trim().parse().ok()).unwrap_or(0)
}

/// A directory on the disk that the build is on: `/tmp` may be memory.
fn disk() -> tempfile::TempDir {
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap()
}

fn tags() -> Vec<TagSpec> {
    let tag = |at: u32| {
        let name = TagName::new(&format!("device-{}.point-{}", at / DEVICE_TAGS, at % DEVICE_TAGS)).unwrap();
        let meaning = Meaning {
            kind: TagKind::Gauge,
            unit: Unit::Kilowatt,
            decoding: String::new(),
            hold_ms: 2_500,
            lateness_ms: 0,
            states: std::collections::BTreeMap::new(),
            thinning: None,
        };
        TagSpec::new(name, SourceIndex(0), meaning)
    };
    (0..TAGS).map(tag).collect()
}

/// Values like those of real devices, each device read within some milliseconds of its second.
struct Series {
    second: i64,
    delivery: u64,
    random: fastrand::Rng,
    values: Vec<f64>,
}

impl Series {
    fn new() -> Self {
        let mut random = fastrand::Rng::with_seed(7);
        let values = (0..TAGS).map(|_| random.f64() * 1_000.0).collect();
        Self { second: 0, delivery: 0, random, values }
    }

    /// A tenth states and counts, a fifth energy registers with two decimals, the rest levels that wander and are
    /// read with the resolution of a meter.
    fn value(&mut self, tag: u32) -> Number {
        let noise = self.random.f64() - 0.5;
        let value = &mut self.values[tag as usize];
        let shown = match tag % 10 {
            0 => return Number::Integer(i128::from(self.second / 300 % 3)),
            1 | 2 => {
                *value += 0.02 + noise / 100.0;
                (*value * 100.0).round() / 100.0
            }
            3..=5 => {
                *value += noise / 4.0;
                (*value * 10.0).round() / 10.0
            }
            _ => {
                *value += noise / 20.0;
                (*value * 100.0).round() / 100.0
            }
        };
        Number::finite(shown).unwrap()
    }

    fn second(&mut self) -> Vec<SampleBatch> {
        let polled = START + self.second * 1_000;
        let mut batches = Vec::new();
        for device in 0..TAGS / DEVICE_TAGS {
            let answer = self.random.i64(3..12);
            let measured_at = Timestamp(polled + i64::from(device) * 10 + answer / 2);
            let samples = (0..DEVICE_TAGS)
                .map(|point| {
                    let tag = device * DEVICE_TAGS + point;
                    Sample { tag: TagIndex(tag), measured_at, value: Some(self.value(tag)), quality: Quality::Good }
                })
                .collect();
            self.delivery += 1;
            batches.push(SampleBatch {
                source: SourceIndex(0),
                delivery: self.delivery,
                received_at: measured_at + answer / 2,
                samples,
                context: Vec::new(),
            });
        }
        self.second += 1;
        batches
    }
}
