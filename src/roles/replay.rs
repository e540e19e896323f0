//! `parkgate replay`: recorded samples, or the journal a box kept, through the same engine; records as JSON lines.

mod print;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context;
use jiff::tz::TimeZone;

use super::load;
use super::told::{Timeline, read_context, read_declarations};
use crate::engine::plant::Plant;
use crate::ledger::key::GatewayKey;
use crate::model::record::ClockState;
use crate::model::sample::{Quality, Sample, read_text};
use crate::model::tag::TagIndex;
use crate::model::time::Timestamp;
use crate::pipeline::{Kept, Pipeline, Recording, Told};
use crate::store::Store;

/// Samples handed to the engine at once: bounds memory beside the recording itself.
const BATCH_SAMPLES: usize = 10_000;

/// Samples that arrive on one UTC day go together: the engine takes none that is weeks older than its batch unless it
/// is recorded so. **Unit**: ms.
const DAY_MS: i64 = 86_400_000;

/// Commits read from a journal at once.
const JOURNAL_COMMITS: usize = 1_000;

/// Rejected lines that are shown one by one; the rest is counted.
const REJECTED_SHOWN: usize = 20;

/// Arguments of `parkgate replay`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Recorded samples: CSV with the header `time,tag,value` and optionally `quality` and `received`. Times are
    /// RFC 3339, or civil times of the site without offset; a sample without `received` arrived when it was measured.
    #[arg(required_unless_present = "journal", conflicts_with = "journal")]
    samples: Option<PathBuf>,
    /// Instead of a recording: the data directory of a stopped box, whose journal is replayed.
    #[arg(long, value_name = "DATA_DIR")]
    journal: Option<PathBuf>,
    /// Declarations of the recording's time: CSV with the columns of `parkgate declare import` and `entered_by`,
    /// `entered_at`, `approved_by`, `approved_at`, `withdrawn_by`, `withdrawn_at`.
    #[arg(long, value_name = "CSV", conflicts_with = "journal")]
    declared: Option<PathBuf>,
    /// Production context of the recording's time: CSV with the columns of `parkgate context import` and optionally
    /// `told_at`, when it was told; without it everything was told as it happened.
    #[arg(long, value_name = "CSV", conflicts_with = "journal")]
    context: Option<PathBuf>,
    /// The configuration.
    #[arg(short, long, default_value = "gateway.toml")]
    config: PathBuf,
}

/// Replays and prints records sorted by window start, grain, asset, KPI and revision.
///
/// # Errors
/// What stopped it. Lines that can't be read don't stop it: they are reported, and the exit code is 1.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let Some(gateway) = load::gateway(&args.config)? else { return Ok(load::refused()) };
    let plant = Arc::new(gateway.plant());
    let store = Store::open_in_memory(&plant.tags, plant.config, &gateway.text)?;
    let reader = store.reader();
    // No stream is open, so nothing is signed with it.
    let key = GatewayKey::from_seed([0; 32]);
    let id = gateway.gateway.id.get_ref().clone();
    let mut pipeline = Pipeline::open(Arc::clone(&plant), ClockState::Unknown, id, Vec::new(), key, store)?;
    let mut timeline = Timeline::default();
    let unsaid = match &args.declared {
        Some(path) => read_declarations(path, &plant, &mut reader.statements()?, &mut timeline)?,
        None => 0,
    };
    let untold = match &args.context {
        Some(path) => read_context(path, &plant, &mut timeline)?,
        None => 0,
    };
    let rejected = match (&args.journal, &args.samples) {
        (Some(directory), _) => replay_journal(directory, &plant, &gateway.text, &mut pipeline)?,
        (None, Some(samples)) => replay_recording(samples, &plant, &mut pipeline, timeline)?,
        (None, None) => anyhow::bail!("name a recording or --journal"),
    };
    print::print_records(&reader, &plant.reference)?;
    Ok(if rejected + unsaid + untold == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn replay_journal(directory: &Path, plant: &Plant, text: &str, pipeline: &mut Pipeline) -> anyhow::Result<u64> {
    let journal = Store::open(directory, &plant.tags, plant.config, text)
        .with_context(|| format!("the journal in {}", directory.display()))?;
    let mut from_seq = 1;
    let mut unmapped = 0;
    loop {
        let entries = journal.journal(from_seq, JOURNAL_COMMITS)?;
        let (Some(first), Some(last)) = (entries.first(), entries.last()) else { break };
        if from_seq == 1 && first.seq > 1 {
            writeln!(std::io::stderr(), "{}", beginning(first.seq, first.now))?;
        }
        from_seq = last.seq + 1;
        for entry in &entries {
            unmapped += entry.unmapped;
            pipeline.set_clock_state(entry.clock);
            let told = Told { swaps: &entry.swaps, statements: &entry.statements };
            pipeline.replay(told, &entry.batches, entry.now, Kept::Elsewhere(&journal, entry.seq))?;
        }
    }
    for (tag, left_out) in journal.thinned()? {
        writeln!(
            std::io::stderr(),
            "{tag} was thinned: {left_out} samples of its history are left out, so figures that rest on it may differ from \
             those the box kept"
        )?;
    }
    if unmapped > 0 {
        writeln!(std::io::stderr(), "{unmapped} samples belong to tags that this configuration doesn't have")?;
    }
    Ok(unmapped)
}

/// Says what a journal of which the beginning was removed can't give.
fn beginning(first: u64, now: Timestamp) -> String {
    format!(
        "the journal begins with commit {first} of {now}: {} before it were removed to keep within age and cap of [store]. Records from \
         before are missing here, and those of windows that were open then differ from those the box kept",
        first - 1
    )
}

fn replay_recording(
    path: &Path,
    plant: &Plant,
    pipeline: &mut Pipeline,
    mut timeline: Timeline,
) -> anyhow::Result<u64> {
    let (mut samples, rejected) = read_recording(path, plant)?;
    // A recording may hold one tag after the other; the engine takes samples as they arrived.
    samples.sort_by_key(|recorded| (recorded.received_at, recorded.sample.measured_at));
    let mut arrived = Recording::default();
    let mut now = Timestamp::default();
    let together = |a: &Recorded, b: &Recorded| {
        let same_day = a.received_at.0.div_euclid(DAY_MS) == b.received_at.0.div_euclid(DAY_MS);
        // What came late came alone, after everything before it had been taken.
        same_day && !a.is_late() && !b.is_late() || a.received_at == b.received_at && a.is_late() == b.is_late()
    };
    // What was told before the recording begins is heard as it begins: time must not run before it.
    let before = samples.first().map_or_else(Vec::new, |first| timeline.take_until(first.received_at));
    let mut told = Told { swaps: &[], statements: &before };
    for mut chunk in samples.chunk_by(together).flat_map(|day| day.chunks(BATCH_SAMPLES)) {
        let end = chunk.last().map_or(now, |recorded| recorded.received_at);
        while let Some(at) = timeline.next_until(end) {
            let (earlier, later) = chunk.split_at(chunk.partition_point(|recorded| recorded.received_at < at));
            let columns = columns(earlier);
            // Before it is replayed: what is computed again in this turn reads what came with it.
            arrived.merge(&columns);
            pipeline.replay_columns(told, &columns, at, Kept::Recorded(&arrived, at))?;
            told = Told::default();
            let said = timeline.take_until(at);
            pipeline.replay(Told { swaps: &[], statements: &said }, &[], at, Kept::Recorded(&arrived, at))?;
            (now, chunk) = (at, later);
        }
        now = now.max(end);
        let columns = columns(chunk);
        arrived.merge(&columns);
        pipeline.replay_columns(told, &columns, end, Kept::Recorded(&arrived, end))?;
        told = Told::default();
    }
    while let Some(at) = timeline.next() {
        now = now.max(at);
        let said = timeline.take_until(at);
        pipeline.replay(Told { swaps: &[], statements: &said }, &[], now, Kept::Recorded(&arrived, now))?;
    }
    pipeline.finish(now, Kept::Recorded(&arrived, now))?;
    Ok(rejected)
}

/// Returns samples tag by tag.
fn columns(samples: &[Recorded]) -> Recording {
    samples.iter().map(|recorded| recorded.sample).collect()
}

/// One line of a recording.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    time: String,
    tag: String,
    value: String,
    #[serde(default)]
    quality: Option<String>,
    #[serde(default)]
    received: Option<String>,
}

/// A sample with the instant at which it arrived.
struct Recorded {
    sample: Sample,
    received_at: Timestamp,
}

impl Recorded {
    fn is_late(&self) -> bool {
        self.received_at != self.sample.measured_at
    }
}

/// Returns the samples and the number of lines that can't be read; these are reported on standard error.
fn read_recording(path: &Path, plant: &Plant) -> anyhow::Result<(Vec<Recorded>, u64)> {
    let mut reader = csv::ReaderBuilder::new()
        .trim(csv::Trim::All)
        .from_path(path)
        .with_context(|| format!("recording {}", path.display()))?;
    let mut samples = Vec::new();
    let mut rejected = 0;
    for line in reader.deserialize::<Line>() {
        let place = |error: &csv::Error| error.position().map_or(0, csv::Position::line);
        let outcome = match line {
            Ok(line) => sample(&line, plant),
            // A header without the columns makes every line unreadable.
            Err(error) if samples.is_empty() && rejected == 0 && place(&error) <= 2 => {
                return Err(error).with_context(|| format!("recording {}", path.display()));
            }
            Err(error) => Err(error.to_string()),
        };
        match outcome {
            Ok(sample) => samples.push(sample),
            Err(reason) => {
                rejected += 1;
                if rejected <= REJECTED_SHOWN as u64 {
                    writeln!(std::io::stderr(), "{}: line left out: {reason}", path.display())?;
                }
            }
        }
    }
    if rejected > 0 {
        writeln!(std::io::stderr(), "{}: {rejected} lines left out", path.display())?;
    }
    Ok((samples, rejected))
}

fn sample(line: &Line, plant: &Plant) -> Result<Recorded, String> {
    let position = plant
        .tags
        .binary_search_by(|tag| tag.name.as_str().cmp(&line.tag))
        .map_err(|_| format!("tag \"{}\" is not in the configuration", line.tag))?;
    let measured_at = instant(&line.time, plant.site_calendar().zone())?;
    let received_at = match line.received.as_deref().filter(|text| !text.is_empty()) {
        None => measured_at,
        Some(text) => instant(text, plant.site_calendar().zone())?.max(measured_at),
    };
    let (value, read) = read_text(&plant.tags[position], &line.value);
    let declared = match line.quality.as_deref().filter(|name| !name.is_empty()) {
        None => Quality::Good,
        Some(name) => Quality::from_name(name).ok_or_else(|| format!("\"{name}\" is not a quality"))?,
    };
    let tag = TagIndex(u32::try_from(position).map_err(|error| error.to_string())?);
    let sample = Sample { tag, measured_at, value, quality: declared.worse(read) };
    Ok(Recorded { sample, received_at })
}

/// Reads RFC 3339, or a civil time of the site.
fn instant(text: &str, zone: &TimeZone) -> Result<Timestamp, String> {
    if let Ok(instant) = text.parse() {
        return Ok(instant);
    }
    let civil = text.parse::<jiff::civil::DateTime>().map_err(|_| format!("\"{text}\" is not an instant"))?;
    let instant = zone.to_timestamp(civil).map_err(|error| format!("\"{text}\": {error}"))?;
    Ok(Timestamp(instant.as_millisecond()))
}
