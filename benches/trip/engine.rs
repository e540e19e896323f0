//! The engine: samples into facts beside a plain pass over the same samples, a month boundary, a year rolled up, what an
//! open asset holds, and a recording replayed.
//!
//! Times are CPU time of the benchmark's thread, so that another program on the same core counts less.

use std::cell::RefCell;
use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use criterion::{BenchmarkGroup, Criterion, Throughput, measurement::WallTime};
use jiff::civil::time;
use jiff::tz::TimeZone;
use parkgate::engine::calendar::{Calendar, Shift};
use parkgate::engine::kpi::grid::MissingFactor;
use parkgate::engine::plant::{Asset, Boundary, Plant};
use parkgate::engine::{Effects, Engine};
use parkgate::model::fact::Facts;
use parkgate::model::id::{AssetId, Digest, SiteId, TagName};
use parkgate::model::number::Number;
use parkgate::model::record::{ClockState, Level};
use parkgate::model::sample::{Quality, Sample, SampleBatch, TagColumns, TagRun};
use parkgate::model::state::MachineState;
use parkgate::model::tag::{Meaning, SourceIndex, TagIndex, TagKind, TagSpec};
use parkgate::model::time::{Grain, MINUTE_MS, Timestamp, Window};
use parkgate::model::unit::Unit;
use rustix::time::{ClockId, clock_gettime};

/// 2026-10-05T07:00:00+07:00.
const START: i64 = 1_791_158_400_000;
/// 2026-11-01T00:00:00+07:00: an hour, a shift, a day and a month end.
const MONTH_END: i64 = 1_793_466_000_000;
/// Inputs of a machine: state, parts, scrap, an energy counter, the power of a solar inverter.
const POINTS: u32 = 5;
/// Machines of the plant whose samples become facts: 1,000 tags.
const MACHINES: u32 = 200;
/// Seconds of its samples.
const SECONDS: i64 = 180;
/// Machines of the plant whose samples come in columns: 200 tags.
const COLUMN_MACHINES: u32 = 40;
/// Samples of a run.
const RUN_SECONDS: i64 = 600;
/// Assets whose windows close at once.
const ASSETS: u32 = 10_000;

/// Adds the engine's groups.
pub(super) fn benchmarks(criterion: &mut Criterion) {
    facts(criterion);
    columns(criterion);
    month_boundary(criterion);
    year(criterion);
}

/// CPU time of this thread.
fn cpu() -> Duration {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(now.tv_sec.unsigned_abs(), u32::try_from(now.tv_nsec).unwrap_or(0))
}

/// Measures `run` on what `prepare` makes, and returns the median time of one run.
fn bench<T, R>(
    group: &mut BenchmarkGroup<'_, WallTime>,
    name: &str,
    mut prepare: impl FnMut() -> T,
    mut run: impl FnMut(&mut T) -> R,
) -> Duration {
    let times = RefCell::new(Vec::new());
    group.bench_function(name, |bencher| {
        bencher.iter_custom(|runs| {
            (0..runs)
                .map(|_| {
                    let mut prepared = prepare();
                    let start = cpu();
                    black_box(run(&mut prepared));
                    let taken = cpu() - start;
                    times.borrow_mut().push(taken);
                    taken
                })
                .sum()
        });
    });
    let mut times = times.into_inner();
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

/// Three minutes of 1,000 tags at a sample a second, every tag an input; facts closed each minute.
fn facts(criterion: &mut Criterion) {
    let plant = plant(MACHINES);
    let batches: Vec<SampleBatch> =
        (1..=SECONDS).map(|second| poll(MACHINES, START + second * 1_000, second)).collect();
    let samples: usize = batches.iter().map(|batch| batch.samples.len()).sum();
    let mut group = criterion.benchmark_group("engine");
    group.sample_size(20).measurement_time(Duration::from_secs(4)).throughput(Throughput::Elements(samples as u64));
    let plain = bench(&mut group, "plain pass, row by row", Plain::default, |plain| {
        batches.iter().flat_map(|batch| &batch.samples).for_each(|sample| plain.take(sample));
        plain.sums.iter().sum::<f64>()
    });
    let rows = bench(
        &mut group,
        "samples into facts, row by row",
        || Engine::new(Arc::clone(&plant), ClockState::Simulated),
        |engine| {
            let mut facts = 0;
            for batch in &batches {
                engine.ingest(batch);
                facts += engine.advance(batch.received_at).facts.len();
            }
            assert!(facts >= 2 * plant.assets.len(), "{facts} rows");
        },
    );
    group.finish();
    report("samples into facts, row by row", samples, rows, plain);
}

/// An hour of 200 tags at a sample a second, handed over in runs of ten minutes, as a recording is replayed.
fn columns(criterion: &mut Criterion) {
    let plant = plant(COLUMN_MACHINES);
    let runs: Vec<(Timestamp, Vec<TagColumns>)> = (0..6).map(|part| runs(START + part * RUN_SECONDS * 1_000)).collect();
    let samples = usize::try_from(6 * RUN_SECONDS).unwrap() * (COLUMN_MACHINES * POINTS) as usize;

    let mut group = criterion.benchmark_group("engine");
    group.sample_size(20).measurement_time(Duration::from_secs(4)).throughput(Throughput::Elements(samples as u64));
    let plain = bench(&mut group, "plain pass, in columns", Plain::default, |plain| {
        runs.iter().flat_map(|(_, columns)| tagged(columns)).for_each(|run| plain.take_run(run));
        plain.sums.iter().sum::<f64>()
    });
    let taken = bench(
        &mut group,
        "samples into facts, in columns",
        || Engine::new(Arc::clone(&plant), ClockState::Simulated),
        |engine| {
            let mut facts = 0;
            for (until, columns) in &runs {
                tagged(columns).for_each(|run| engine.ingest_run(run, *until));
                facts += engine.advance(*until).facts.len();
            }
            assert!(facts >= 59 * plant.assets.len(), "{facts} rows");
        },
    );
    group.finish();
    report("samples into facts, in columns", samples, taken, plain);
}

/// The columns of the tags, in the order of the tags.
fn tagged(columns: &[TagColumns]) -> impl Iterator<Item = TagRun<'_>> {
    (0..).map(TagIndex).zip(columns).map(|(tag, columns)| columns.run(tag))
}

/// Ten minutes of every tag, and when they end.
fn runs(from: i64) -> (Timestamp, Vec<TagColumns>) {
    let column = |tag: u32| {
        let reading = |second: i64| {
            let at = Timestamp(from + second * 1_000 + i64::from(tag / POINTS) / 4);
            (at, Quality::Good, Some(value(tag / POINTS, tag % POINTS, (from - START) / 1_000 + second)))
        };
        (0..RUN_SECONDS).map(reading).collect()
    };
    (Timestamp(from + RUN_SECONDS * 1_000), (0..COLUMN_MACHINES * POINTS).map(column).collect())
}

fn report(what: &str, samples: usize, taken: Duration, plain: Duration) {
    let million = |taken: Duration| per_second(samples, taken) / 1e6;
    println!(
        "{what}: {:.1} million/s; a plain pass {:.1} million/s; ratio {:.1}",
        million(taken),
        million(plain),
        taken.as_secs_f64() / plain.as_secs_f64(),
    );
}

#[expect(clippy::cast_precision_loss, reason = "a figure with one decimal")]
fn per_second(samples: usize, taken: Duration) -> f64 {
    samples as f64 / taken.as_secs_f64()
}

/// The least that anything does with a sample: what its tag last said, times how long it stood.
#[derive(Default)]
struct Plain {
    last: Vec<(i64, f64)>,
    sums: Vec<f64>,
}

impl Plain {
    #[expect(clippy::cast_precision_loss, reason = "milliseconds between two samples")]
    fn take(&mut self, sample: &Sample) {
        let tag = sample.tag.as_usize();
        if tag >= self.last.len() {
            self.last.resize(tag + 1, (sample.measured_at.0, 0.0));
            self.sums.resize(tag + 1, 0.0);
        }
        let (at, value) = self.last[tag];
        self.sums[tag] += value * (sample.measured_at.0 - at) as f64;
        if let Some(value) = sample.value.filter(|_| sample.quality.is_usable()) {
            self.last[tag] = (sample.measured_at.0, value.as_f64());
        }
    }
}

impl Plain {
    #[expect(clippy::cast_precision_loss, reason = "milliseconds between two samples")]
    fn take_run(&mut self, run: TagRun<'_>) {
        let Some(first) = run.measured_at.first() else { return };
        let tag = run.tag.as_usize();
        if tag >= self.last.len() {
            self.last.resize(tag + 1, (first.0, 0.0));
            self.sums.resize(tag + 1, 0.0);
        }
        let ((mut last_at, mut last), mut sum) = (self.last[tag], 0.0);
        for (at, quality, value) in run.readings() {
            sum += last * (at.0 - last_at) as f64;
            if let Some(value) = value.filter(|_| quality.is_usable()) {
                (last_at, last) = (at.0, value.as_f64());
            }
        }
        self.last[tag] = (last_at, last);
        self.sums[tag] += sum;
    }
}

/// Hour, shift, day and month of 10,000 assets end with one minute.
fn month_boundary(criterion: &mut Criterion) {
    let machines = ASSETS - ASSETS / 101 - 1;
    let plant = plant(machines);
    let mut before = Engine::new(Arc::clone(&plant), ClockState::Simulated);
    for minute in (1..=5).rev() {
        before.ingest(&poll(machines, MONTH_END - minute * MINUTE_MS, 100 - minute));
        before.advance(Timestamp(MONTH_END - minute * MINUTE_MS));
    }
    // The counters' growth to the end of the month is known once they are read after it.
    before.ingest(&poll(machines, MONTH_END, 100));
    before.ingest(&poll(machines, MONTH_END + MINUTE_MS, 101));
    let mut group = criterion.benchmark_group("engine");
    group.sample_size(10);
    let taken = bench(
        &mut group,
        "a month boundary of 10,000 assets",
        || before.clone(),
        |engine| {
            let effects = engine.advance(Timestamp(MONTH_END + MINUTE_MS));
            assert_eq!(effects.records.len(), 4 * plant.assets.len(), "hour, shift, day and month of each");
            effects
        },
    );
    group.finish();
    println!(
        "a month boundary: {} assets, hour, shift, day and month closed in {:.0} ms",
        plant.assets.len(),
        taken.as_secs_f64() * 1e3
    );
}

/// The minutes of a year merged into the months of it: of a machine, and of a meter.
fn year(criterion: &mut Criterion) {
    let plant = plant(1);
    let mut engine = Engine::new(Arc::clone(&plant), ClockState::Simulated);
    let mut made = Effects::default();
    for minute in 0..32 {
        engine.ingest(&poll(1, START + minute * MINUTE_MS, minute));
        made.merge(engine.advance(Timestamp(START + minute * MINUTE_MS)));
    }
    let months =
        plant.site_calendar().windows(Grain::Month, Timestamp(1_767_200_400_000), Timestamp(1_798_736_400_000));
    let mut group = criterion.benchmark_group("engine");
    group.sample_size(10);
    for asset in ["site", "machine-0000"] {
        let rows: Vec<&Facts> =
            made.facts.iter().filter(|row| row.asset.as_str() == asset).map(|row| &row.facts).collect();
        let minutes: Vec<Facts> = (0..525_600).map(|minute| rows[minute % rows.len()].clone()).collect();
        let measures = rows[0].iter().count();
        // The least that anything does with them: every value is read once, and added to one sum.
        let plain = bench(
            &mut group,
            &format!("plain pass, a year of minutes of {asset}"),
            || (),
            |()| minutes.iter().flat_map(Facts::iter).fold(0_i128, |sum, (_, value)| sum.wrapping_add(value)),
        );
        let taken = bench(&mut group, &format!("a year of minutes of {asset}"), || (), |()| roll_up(&minutes, &months));
        println!(
            "a year of minutes of {asset}, {measures} measures each, in {} months: {:.1} ms; a plain pass {:.1} ms; ratio \
             {:.2}",
            months.len(),
            taken.as_secs_f64() * 1e3,
            plain.as_secs_f64() * 1e3,
            taken.as_secs_f64() / plain.as_secs_f64(),
        );
    }
    group.finish();
}

/// Prints what an open asset holds, whether that stays so over a month, and how fast a recording is replayed.
pub(super) fn reports() {
    report_memory();
    report_month();
    report_replay();
}

/// Resident memory of 10,000 assets with all windows open, ten minutes into them.
fn report_memory() {
    let machines = ASSETS - ASSETS / 101 - 1;
    let plant = plant(machines);
    let batches: Vec<SampleBatch> =
        (0..10).map(|minute| poll(machines, START + minute * MINUTE_MS, minute * 60)).collect();
    let before = resident_kb();
    let mut engine = Engine::new(Arc::clone(&plant), ClockState::Simulated);
    for batch in &batches {
        engine.ingest(batch);
        engine.advance(batch.received_at);
    }
    let held = resident_kb().saturating_sub(before);
    let (assets, state) = (plant.assets.len(), engine.checkpoint().len());
    println!(
        "memory: {assets} assets with {} inputs and 4 open windows each hold {held} kB, {:.1} kB an asset; their state as \
         bytes {:.1} kB an asset",
        plant.tags.len() / assets,
        per(held, assets),
        per(state as u64, assets) / 1024.0,
    );
}

/// A month of 100 machines, a sample of every input each two minutes.
fn report_month() {
    const MONTH_MACHINES: u32 = 100;
    let mut engine = Engine::new(plant(MONTH_MACHINES), ClockState::Simulated);
    let mut held = Vec::new();
    for day in 0..30 {
        for step in day * 720..(day + 1) * 720 {
            let batch = poll(MONTH_MACHINES, START + step * 2 * MINUTE_MS, step * 2);
            engine.ingest(&batch);
            black_box(engine.advance(batch.received_at));
        }
        held.push((resident_kb(), engine.checkpoint().len()));
    }
    let of_day = |day: usize| held.get(day - 1).copied().unwrap_or_default();
    for day in [2, 16, 30] {
        let (kb, state) = of_day(day);
        println!("memory after day {day} of a month: the process {kb} kB, the engine's state as bytes {state}");
    }
}

/// A recording of 1,000 tags at a sample a minute, a day at once: of as many days as `REPLAY_DAYS` says, 365 for a year.
fn report_replay() {
    let days: i64 = std::env::var("REPLAY_DAYS").ok().and_then(|days| days.parse().ok()).unwrap_or(7);
    let plant = plant(MACHINES);
    let mut engine = Engine::new(Arc::clone(&plant), ClockState::Simulated);
    let (mut taken, mut samples, mut facts, mut records) = (Duration::ZERO, 0, 0, 0);
    for day in 0..days {
        let column = |tag: u32| {
            let reading = |minute: i64| {
                let at = START + (day * 1_440 + minute) * MINUTE_MS + i64::from(tag / POINTS);
                (Timestamp(at), Quality::Good, Some(value(tag / POINTS, tag % POINTS, day * 1_440 + minute)))
            };
            (0..1_440).map(reading).collect()
        };
        let columns: Vec<TagColumns> = (0..MACHINES * POINTS).map(column).collect();
        let until = Timestamp(START + (day + 1) * 1_440 * MINUTE_MS);
        let start = cpu();
        tagged(&columns).for_each(|run| engine.ingest_run(run, until));
        let mut effects = engine.advance(until);
        while std::mem::take(&mut effects.more) {
            effects.merge(engine.advance(until));
        }
        taken += cpu() - start;
        samples += columns.len() * 1_440;
        (facts, records) = (facts + effects.facts.len(), records + effects.records.len());
    }
    println!(
        "replay: {days} days of {} tags at a sample a minute, {:.2} million samples/s: {samples} samples became {facts} \
         minutes of facts and {records} records in {:.1} s",
        plant.tags.len(),
        per_second(samples, taken) / 1e6,
        taken.as_secs_f64(),
    );
}

/// Resident memory of this process.
fn resident_kb() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages: u64 = statm.split(' ').nth(1).and_then(|pages| pages.parse().ok()).unwrap_or(0);
    pages * 4
}

#[expect(clippy::cast_precision_loss, reason = "a figure with one decimal")]
fn per(kb: u64, assets: usize) -> f64 {
    kb as f64 / assets as f64
}

fn roll_up(minutes: &[Facts], months: &[Window]) -> Vec<Facts> {
    let mut rest = minutes;
    let mut merged = Vec::with_capacity(months.len());
    for month in months {
        let length = usize::try_from(month.length_ms() / MINUTE_MS).unwrap_or(0);
        let (of_month, later) = rest.split_at(length.min(rest.len()));
        let mut facts = Facts::default();
        of_month.iter().for_each(|minute| facts.merge_over_time(minute));
        merged.push(facts);
        rest = later;
    }
    merged
}

/// Every input of the machines, read once: values like those of real devices.
fn poll(machines: u32, at: i64, step: i64) -> SampleBatch {
    let mut samples = Vec::with_capacity((machines * POINTS) as usize);
    for machine in 0..machines {
        // A device answers a little after the one before.
        let measured_at = Timestamp(at - i64::from(machines - machine) / 4);
        for point in 0..POINTS {
            let value = Some(value(machine, point, step));
            samples.push(Sample {
                tag: TagIndex(machine * POINTS + point),
                measured_at,
                value,
                quality: Quality::Good,
            });
        }
    }
    SampleBatch { source: SourceIndex(0), delivery: 1, received_at: Timestamp(at), samples, context: Vec::new() }
}

#[expect(clippy::cast_precision_loss, reason = "small integers")]
fn value(machine: u32, point: u32, step: i64) -> Number {
    let of_machine = i64::from(machine);
    match point {
        // A state that lasts for minutes.
        0 => Number::Integer(if (step + of_machine) / 150 % 3 == 0 {
            MachineState::Setup.code()
        } else {
            MachineState::Producing.code()
        }),
        1 => Number::Integer(i128::from(10_000 + (step + of_machine) / 5)),
        2 => Number::Integer(i128::from(100 + (step + of_machine) / 60)),
        // An energy register with two decimals.
        3 => Number::Float((12_623_829 + of_machine + step * 2 + step % 3) as f64 / 100.0),
        // A noisy power.
        _ => Number::Float(74.0 + ((step * 7_919 + of_machine * 104_729) % 1_000) as f64 / 160.0),
    }
}

/// A site in which lines of a hundred machines stand, three shifts a day.
fn plant(machines: u32) -> Arc<Plant> {
    let mut assets = vec![Asset {
        boundary: Boundary { electricity: vec![TagIndex(3).into()], ..Boundary::default() },
        ..asset("site".to_owned(), None, Level::Site)
    }];
    let mut line = 0;
    for machine in 0..machines {
        if machine % 100 == 0 {
            line = assets.len();
            assets.push(asset(format!("line-{:03}", machine / 100), Some(0), Level::Line));
        }
        let tag = |point| TagIndex(machine * POINTS + point);
        let boundary =
            Boundary { electricity: vec![tag(3).into()], renewable: vec![tag(4).into()], ..Boundary::default() };
        assets.push(Asset {
            state: Some(tag(0)),
            total: Some(tag(1)),
            scrap: Some(tag(2)),
            planned_run_time_per_unit_ns: Some(4_000_000_000),
            boundary,
            ..asset(format!("machine-{machine:04}"), Some(line), Level::Unit)
        });
    }
    let shift = |name, from, to| Shift::new(name, time(from, 0, 0, 0), time(to, 0, 0, 0));
    let shifts = vec![shift("night", 0, 8), shift("morning", 8, 16), shift("evening", 16, 0)];
    let zone = TimeZone::get("Asia/Ho_Chi_Minh").unwrap();
    let calendar = Calendar::new(zone, shifts, [], []);
    Arc::new(Plant {
        tags: (0..machines).flat_map(tags_of).collect(),
        assets,
        grains: vec![Grain::Hour, Grain::Shift, Grain::Day, Grain::Month],
        grid_factor: MissingFactor::Latest,
        ..Plant::new(SiteId::new("bench").unwrap(), calendar, Digest::ZERO)
    })
}

fn tags_of(machine: u32) -> [TagSpec; POINTS as usize] {
    let counter = TagKind::Counter { modulus: None, max_per_second: None };
    [
        ("a-state", TagKind::State, Unit::One),
        ("b-total", counter, Unit::One),
        ("c-scrap", counter, Unit::One),
        ("d-energy", counter, Unit::KilowattHour),
        ("e-power", TagKind::Gauge, Unit::Kilowatt),
    ]
    .map(|(point, kind, unit)| {
        let meaning = Meaning {
            kind,
            unit,
            decoding: String::new(),
            hold_ms: 150_000,
            lateness_ms: 0,
            states: std::collections::BTreeMap::new(),
            thinning: None,
        };
        TagSpec::new(TagName::new(&format!("machine-{machine:04}.{point}")).unwrap(), SourceIndex(0), meaning)
    })
}

fn asset(id: String, parent: Option<usize>, level: Level) -> Asset {
    Asset::new(AssetId::new(&id).unwrap(), parent, level)
}
