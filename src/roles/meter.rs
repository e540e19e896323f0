//! `parkgate meter`: what a person knows of a meter and no register says: that it was replaced by another one.
//!
//! What is said is written into the box's store, beside a running box or without one. A running box takes it within
//! seconds; another one at its next start. Both count the same.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, bail};
use serde::Serialize;

use super::load;
use crate::config::Gateway;
use crate::model::id::TagName;
use crate::model::number::Number;
use crate::model::swap::{Swap, SwapOutcome};
use crate::model::tag::TagKind;
use crate::model::time::Timestamp;
use crate::runtime::clock::Clock;
use crate::store::{SwapRow, Swaps};

/// How far behind the present a swap may lie: older figures are not revised. **Unit**: ms.
const OLDEST_MS: i64 = 35 * 86_400_000;

/// Arguments of `parkgate meter`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Tell that a meter was replaced by another one.
    Swap(Told),
    /// List what was told, and what became of it.
    List(Listed),
}

#[derive(Debug, clap::Args)]
struct Told {
    /// The configuration.
    #[arg(short, long, default_value = "gateway.toml")]
    config: PathBuf,
    /// The counter that both meters feed, like meter-main.active_energy_import.
    #[arg(long, value_parser = tag)]
    tag: TagName,
    /// When the old meter stopped and the new one started: RFC 3339, like 2026-11-20T10:15:00+07:00.
    #[arg(long)]
    at: Timestamp,
    /// Last reading of the old meter, in the tag's unit.
    #[arg(long, value_parser = reading, allow_negative_numbers = true)]
    old_final: Number,
    /// First reading of the new meter, in the tag's unit.
    #[arg(long, value_parser = reading, allow_negative_numbers = true)]
    new_initial: Number,
    /// Serial number of the new meter.
    #[arg(long)]
    serial: Option<String>,
    /// Current transformer ratio of the new meter. It is kept with the swap; what counts is `ct_ratio` in the
    /// configuration.
    #[arg(long, value_parser = ratio)]
    ct_ratio: Option<f64>,
    /// Why the meter was replaced.
    #[arg(long)]
    reason: String,
    /// Who says so.
    #[arg(long)]
    person: String,
}

#[derive(Debug, clap::Args)]
struct Listed {
    /// The configuration.
    #[arg(short, long, default_value = "gateway.toml")]
    config: PathBuf,
    /// Only of this tag.
    #[arg(long, value_parser = tag)]
    tag: Option<TagName>,
    /// One JSON object a line.
    #[arg(long)]
    json: bool,
}

/// Tells a swap, or lists what was told.
///
/// # Errors
/// What stopped it; nothing was written then.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    match &args.what {
        What::Swap(told) => swap(told, Clock::system().now()),
        What::List(listed) => list(listed),
    }
}

fn swap(told: &Told, now: Timestamp) -> anyhow::Result<ExitCode> {
    let Some(gateway) = load::gateway(&told.config)? else { return Ok(load::refused()) };
    check(told, &gateway, now)?;
    let swap =
        Swap { id: 0, tag: told.tag.clone(), at: told.at, old_final: told.old_final, new_initial: told.new_initial };
    let row = SwapRow {
        swap,
        serial: told.serial.clone(),
        ratio: told.ct_ratio,
        reason: told.reason.trim().to_owned(),
        person: told.person.trim().to_owned(),
        told_at: now,
        taken_by: None,
        outcome: None,
    };
    let id = open(&gateway)?.tell(&row)?;
    let mut out = std::io::stdout().lock();
    writeln!(
        out,
        "swap {id} of {} at {} is written down; the box takes it within seconds, or when it starts",
        told.tag, told.at
    )?;
    if let Some(ratio) = told.ct_ratio {
        writeln!(out, "set ct_ratio = {ratio} in the configuration too if it isn't there yet, and restart the box")?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Refuses what can't be meant before it is written down.
fn check(told: &Told, gateway: &Gateway, now: Timestamp) -> anyhow::Result<()> {
    let plant = gateway.plant();
    let Some(tag) = plant.tags.iter().find(|tag| tag.name == told.tag) else {
        bail!("tag \"{}\" is not in the configuration", told.tag);
    };
    if !matches!(tag.kind, TagKind::Counter { .. }) {
        bail!("tag \"{}\" is a {}, and only a counter has readings to bridge", told.tag, tag.kind.as_str());
    }
    if told.at > now {
        bail!("--at {} lies in the future", told.at);
    }
    if told.at < now - OLDEST_MS {
        bail!("--at {} lies more than 35 days back, and figures that old are not revised", told.at);
    }
    for (key, text) in [("--reason", &told.reason), ("--person", &told.person)] {
        if text.trim().is_empty() {
            bail!("{key} is empty");
        }
    }
    Ok(())
}

fn open(gateway: &Gateway) -> anyhow::Result<Swaps> {
    let directory = gateway.gateway.data_dir.get_ref();
    Swaps::open(directory).with_context(|| format!("the store in {}", directory.display()))
}

/// One swap, as `--json` prints it.
#[derive(Serialize)]
struct Printed<'r> {
    id: i64,
    tag: &'r TagName,
    at: Timestamp,
    old_final: f64,
    new_initial: f64,
    serial: Option<&'r str>,
    ct_ratio: Option<f64>,
    reason: &'r str,
    person: &'r str,
    told_at: Timestamp,
    /// `waiting`, `taken`, or what became of it.
    state: &'static str,
}

fn list(listed: &Listed) -> anyhow::Result<ExitCode> {
    let Some(gateway) = load::gateway(&listed.config)? else { return Ok(load::refused()) };
    let rows = open(&gateway)?.list(listed.tag.as_ref())?;
    let mut out = std::io::stdout().lock();
    for row in &rows {
        let shown = printed(row);
        if listed.json {
            serde_json::to_writer(&mut out, &shown)?;
            writeln!(out)?;
        } else {
            let serial = shown.serial.map(|serial| format!(", serial {serial}")).unwrap_or_default();
            writeln!(
                out,
                "{} {} {}: {} -> {}{serial}; {} ({}, {}): {}",
                shown.id,
                shown.at,
                shown.tag,
                shown.old_final,
                shown.new_initial,
                shown.reason,
                shown.person,
                shown.told_at,
                shown.state
            )?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn printed(row: &SwapRow) -> Printed<'_> {
    let state = match (row.outcome, row.taken_by) {
        (Some(outcome), _) => SwapOutcome::as_str(outcome),
        (None, Some(_)) => "taken",
        (None, None) => "waiting",
    };
    Printed {
        id: row.swap.id,
        tag: &row.swap.tag,
        at: row.swap.at,
        old_final: row.swap.old_final.as_f64(),
        new_initial: row.swap.new_initial.as_f64(),
        serial: row.serial.as_deref(),
        ct_ratio: row.ratio,
        reason: &row.reason,
        person: &row.person,
        told_at: row.told_at,
        state,
    }
}

/// Reads a meter's reading; whole numbers stay exact.
fn reading(text: &str) -> Result<Number, String> {
    let number = match text.parse::<i128>() {
        Ok(whole) => Some(Number::Integer(whole)),
        Err(_) => text.parse().ok().and_then(Number::finite),
    };
    number.ok_or_else(|| format!("\"{text}\" is not a reading: write a number like 12345.6"))
}

fn tag(text: &str) -> Result<TagName, String> {
    TagName::new(text).map_err(|error| error.to_string())
}

fn ratio(text: &str) -> Result<f64, String> {
    let ratio = text.parse().ok().filter(|ratio: &f64| ratio.is_finite() && *ratio > 0.0);
    ratio.ok_or_else(|| format!("\"{text}\" is not a ratio above 0"))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::{Args, ExitCode, Swaps, Timestamp, What, list, swap};
    use crate::store::Store;

    const NOW: Timestamp = Timestamp(1_795_000_000_000);

    const CONFIG: &str = r#"
        [gateway]
        id = "tt-0042"
        enterprise = "9900000016"
        park = "tan-thuan"
        site = "tt-main"
        timezone = "Asia/Ho_Chi_Minh"
        data_dir = "DATA"

        [[source]]
        type = "modbus"
        name = "meter-main"
        url = "tcp://127.0.0.1:502"
        point = [
          { name = "energy", address = 0, table = "input", type = "uint32", kind = "counter", unit = "kWh" },
          { name = "power", address = 2, table = "input", type = "uint32", unit = "kW" },
        ]

        [[asset]]
        id = "site"
        boundary = { electricity = ["meter-main.energy"] }
    "#;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        args: Args,
    }

    /// Runs a command line as `parkgate meter` gets it.
    fn run(line: &[&str]) -> anyhow::Result<ExitCode> {
        match Line::try_parse_from([&["meter"], line].concat())?.args.what {
            What::Swap(told) => swap(&told, NOW),
            What::List(listed) => list(&listed),
        }
    }

    #[test]
    fn a_swap_is_written_down_once_and_listed_and_what_cant_be_meant_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let config = dir.path().join("gateway.toml");
        let text = CONFIG.replace("DATA", dir.path().to_str().unwrap());
        std::fs::write(&config, &text).unwrap();
        let config = config.to_str().unwrap();
        let told = |tag: &str, at: &str| {
            let line = ["swap", "--config", config, "--tag", tag, "--at", at, "--old-final", "12345.6"];
            run(&[&line[..], &["--new-initial", "0.3", "--reason", "calibration", "--person", "shift leader"]].concat())
        };
        let at = "2026-11-18T10:15:00+07:00";
        assert!(told("meter-main.energy", at).is_err(), "no store yet");
        drop(Store::open(dir.path(), &[], crate::model::id::Digest::ZERO, "").unwrap());
        told("meter-main.energy", at).unwrap();
        for (tag, at, expected) in [
            ("meter-main.energy", at, "written down already"),
            ("meter-main.power", at, "only a counter"),
            ("meter-main.gone", at, "not in the configuration"),
            ("meter-main.energy", "2026-12-30T10:15:00+07:00", "in the future"),
            ("meter-main.energy", "2026-01-01T10:15:00+07:00", "35 days"),
        ] {
            let error = told(tag, at).unwrap_err();
            assert!(format!("{error:#}").contains(expected), "{error:#}");
        }
        run(&["list", "--config", config, "--json"]).unwrap();
        let rows = Swaps::open(dir.path()).unwrap().list(None).unwrap();
        assert_eq!((rows.len(), rows[0].swap.old_final.as_f64(), rows[0].taken_by), (1, 12_345.6, None));
    }
}
