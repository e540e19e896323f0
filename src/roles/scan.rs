//! `parkgate scan`: which hosts and units are there, and what they are.
//!
//! It asks a person before its first frame, sends few requests a second, and reads only. What it names a match, the
//! device said itself; what merely looks right, it calls plausible.

mod probe;
mod target;

use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use futures_util::StreamExt;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;

use self::probe::{Report, Settings, UnitReport};
use self::target::Target;
use super::load;
use super::reach::{Certificates, ask, block_on, is_attended, misused, print_json};
use crate::model::time::Period;

/// Endpoints that are looked at at the same time: a network of 254 hosts is through in seconds, and no switch notices.
const ENDPOINTS_AT_ONCE: usize = 32;

/// Arguments of `parkgate scan`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// What to look at: a URL (tcp://, tls://, rtu+tcp://, rtu:///dev/…?baud=9600), a host, host:port, or a network
    /// like 192.168.10.0/24
    #[arg(required = true)]
    targets: Vec<String>,
    /// Units to ask: numbers and ranges, like 1-247
    #[arg(long, default_value = "1,247,255,0")]
    units: String,
    /// Port of targets that name none
    #[arg(long, default_value_t = 502)]
    port: u16,
    /// Requests per second to one endpoint, at most
    #[arg(long, default_value_t = 5.0)]
    rate: f64,
    /// Try the usual speeds and parities of a serial line, one after the other
    #[arg(long)]
    try_lines: bool,
    /// Longest wait for a connection and for an answer
    #[arg(long, default_value = "500ms")]
    timeout: Period,
    /// A configuration whose own profiles are looked for too
    #[arg(short, long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Don't ask before the first frame
    #[arg(long)]
    yes: bool,
    /// One JSON object a line and unit
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    certificates: Certificates,
}

/// Runs the role. Exit code 0 where a unit was found, 1 where none was, 2 where nobody agreed.
///
/// # Errors
/// The output can't be written.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let targets = match target::targets(&args.targets, args.port, args.try_lines, args.yes) {
        Ok(targets) => targets,
        Err(reason) => return misused(&reason),
    };
    let units = match target::units(&args.units) {
        Ok(units) => units,
        Err(reason) => return misused(&reason),
    };
    if !(0.1..=1000.0).contains(&args.rate) {
        return misused("--rate must lie between 0.1 and 1000 requests a second");
    }
    let Some(profiles) = load::known_profiles(args.config.as_deref(), None)? else { return Ok(load::refused()) };
    let settings = Settings {
        units,
        limit: Duration::from_millis(u64::try_from(args.timeout.as_ms()).unwrap_or(500).max(1)),
        pause: Duration::from_secs_f64(1.0 / args.rate),
        security: args.certificates.security(),
        profiles,
    };
    if !args.yes {
        if !is_attended() {
            return misused("standard input is no terminal, so nobody can agree: say --yes to scan without asking");
        }
        if !is_agreed(&targets, &settings, args.rate)? {
            return misused("nothing was sent");
        }
    }
    let found = block_on(scan(args, targets, &settings))?;
    Ok(if found > 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Says what is about to happen, and asks.
fn is_agreed(targets: &[Target], settings: &Settings, rate: f64) -> anyhow::Result<bool> {
    let ways: usize = targets.iter().map(|target| target.ways.len()).sum();
    writeln!(
        std::io::stderr(),
        "{} endpoints ({ways} ways to reach them), {} units each, at most {rate} requests a second to one endpoint.\n\
         Devices are read and never written. A line that another master talks on is left alone, but a request can\n\
         still disturb a device that serves one connection only.",
        targets.len(),
        settings.units.len(),
    )
    .context("standard error")?;
    let answer = ask("Go on? [y/N]")?;
    Ok(answer.is_some_and(|answer| matches!(answer.to_lowercase().as_str(), "y" | "yes")))
}

async fn scan(args: &Args, targets: Vec<Target>, settings: &Settings) -> anyhow::Result<usize> {
    let steps: usize = targets.iter().map(|target| target.ways.len() * settings.units.len()).sum();
    let bar = progress_bar(steps, args.json);
    let progress = |transport: &crate::sources::modbus::transport::Transport, unit: u8| {
        bar.inc(1);
        bar.set_message(format!("{transport} unit {unit}"));
    };
    let mut reports = futures_util::stream::iter(targets)
        .map(|target| probe::endpoint(target, settings, &progress))
        .buffer_unordered(ENDPOINTS_AT_ONCE);
    let (mut found, mut silent) = (0, 0);
    while let Some(report) = reports.next().await {
        found += report.units.len();
        silent += usize::from(!report.is_named && report.units.is_empty());
        bar.suspend(|| print(&report, args.json))?;
    }
    bar.finish_and_clear();
    if !args.json {
        let silent = if silent > 0 { format!("; {silent} hosts of a network with none") } else { String::new() };
        writeln!(std::io::stdout(), "{found} units found{silent}").context("standard output")?;
    }
    Ok(found)
}

fn progress_bar(steps: usize, json: bool) -> ProgressBar {
    if json || !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(u64::try_from(steps).unwrap_or(u64::MAX));
    let style = ProgressStyle::with_template("{bar:30} {pos}/{len} {elapsed} {msg}");
    // Identifying one unit takes many requests at a gentle rate: the time that passes shows that it works.
    bar.enable_steady_tick(Duration::from_millis(250));
    bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

fn print(report: &Report, json: bool) -> anyhow::Result<()> {
    if json {
        return objects(report).iter().try_for_each(print_json);
    }
    lines(report).iter().try_for_each(|line| writeln!(std::io::stdout(), "{line}")).context("standard output")
}

/// Returns what a person reads: nothing for a network's host that isn't there.
fn lines(report: &Report) -> Vec<String> {
    let place = &report.transport.url();
    let mut lines: Vec<String> = report.units.iter().flat_map(|unit| unit_lines(place, unit)).collect();
    if report.is_named
        && let Some(error) = &report.stopped
    {
        lines.push(format!("{place}: {error}"));
    } else if report.is_named && report.units.is_empty() {
        lines.push(format!("{place}: nobody answers to any of {} units", report.asked));
    }
    if report.asked > 2 && report.units.len() == report.asked {
        lines.push(format!(
            "{place}: all {} units that were asked answer: probably one device that ignores the unit identifier",
            report.asked
        ));
    }
    lines
}

fn unit_lines(place: &str, unit: &UnitReport) -> Vec<String> {
    let mut lines = vec![format!("{place} unit {}", unit.unit)];
    if let Some(identity) = &unit.identity {
        lines.push(format!("  says it is: {} {} {}", identity.vendor, identity.product, identity.revision));
    }
    if let Some(sunspec) = &unit.sunspec {
        if let Some(common) = &sunspec.common {
            lines.push(format!(
                "  SunSpec: {} {}, version {}, serial number {}",
                common.manufacturer, common.model, common.version, common.serial
            ));
        }
        for model in &sunspec.models {
            lines.push(format!("  SunSpec model {} at {}: {}", model.id, model.address, model.name()));
        }
        if let Some(odd) = &sunspec.odd {
            lines.push(format!("  SunSpec list: {odd}"));
        }
    }
    lines.extend(unit.candidates.iter().map(|candidate| format!("  {candidate}")));
    if unit.candidates.is_empty() {
        lines.push("  fits no profile: read its registers with `parkgate read`".to_owned());
    }
    lines
}

fn objects(report: &Report) -> Vec<serde_json::Value> {
    let url = report.transport.url();
    let mut objects: Vec<serde_json::Value> = report.units.iter().map(|unit| object(&url, unit)).collect();
    if report.is_named && (report.units.is_empty() || report.stopped.is_some()) {
        let reason = report.stopped.as_ref().map_or_else(|| "nobody answers".to_owned(), ToString::to_string);
        objects.push(json!({"url": url, "unit": null, "reason": reason}));
    }
    objects
}

fn object(url: &str, unit: &UnitReport) -> serde_json::Value {
    let candidates: Vec<_> = unit
        .candidates
        .iter()
        .map(|candidate| {
            json!({
                "profile": candidate.profile, "match": candidate.is_match(), "evidence": candidate.to_string(),
                "model_address": candidate.model_address,
            })
        })
        .collect();
    let sunspec = unit.sunspec.as_ref().map(|found| {
        let models: Vec<_> = found
            .models
            .iter()
            .map(
                |model| json!({"id": model.id, "name": model.name(), "address": model.address, "length": model.length}),
            )
            .collect();
        let common = found.common.as_ref();
        json!({
            "base": found.base, "models": models, "manufacturer": common.map(|c| &c.manufacturer),
            "model": common.map(|c| &c.model), "version": common.map(|c| &c.version),
            "serial": common.map(|c| &c.serial),
        })
    });
    let identity = unit.identity.as_ref();
    json!({
        "url": url, "unit": unit.unit, "vendor": identity.map(|i| &i.vendor), "product": identity.map(|i| &i.product),
        "revision": identity.map(|i| &i.revision), "sunspec": sunspec, "candidates": candidates, "reason": null,
    })
}
