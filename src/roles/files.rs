//! `parkgate files`: writes a sample of each file that a box would send, for the department to accept.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, bail};

use super::load;
use crate::config::Gateway;
use crate::model::id::AssetId;
use crate::model::pollutant::Parameter;
use crate::sinks::files::{self, config::FilesSink, encode};
use crate::store::Reader;

/// Arguments of `parkgate files`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The configuration.
    #[arg(short, long, default_value = "gateway.toml")]
    config: PathBuf,
    /// The directory that gets the samples; never the sink's own.
    #[arg(long)]
    to: PathBuf,
    /// One sink; every one of type "files" where not given.
    #[arg(long)]
    sink: Option<String>,
    /// One JSON object a line.
    #[arg(long)]
    json: bool,
}

/// Writes the file of each station's newest whole cycle, of what the box really measured.
///
/// # Errors
/// What stopped it: no such sink, no store, no whole cycle yet, a directory that can't be written.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let Some(gateway) = load::gateway(&args.config)? else { return Ok(load::refused()) };
    let named = |sink: &&FilesSink| args.sink.as_ref().is_none_or(|name| sink.name.get_ref().as_str() == name);
    let sinks: Vec<&FilesSink> = gateway.files.iter().filter(named).collect();
    if sinks.is_empty() {
        bail!("{} has no such sink of type \"files\"", args.config.display());
    }
    let data_dir = gateway.gateway.data_dir.get_ref();
    let reader = Reader::open(data_dir).with_context(|| format!("the store in {}", data_dir.display()))?;
    let mut out = std::io::stdout().lock();
    for sink in sinks {
        if sink.directory.as_ref().is_some_and(|directory| directory.get_ref() == &args.to) {
            bail!(
                "{} is the directory of sink \"{}\": a sample there would be taken for a file",
                args.to.display(),
                sink.name.get_ref()
            );
        }
        for station in sink.stations(|id| parameter_of(&gateway, id)) {
            let whole = files::newest_cycle(&reader, &station)?;
            let slots = whole.map(|cycle| files::slots(&reader, &station, cycle)).transpose()?.flatten();
            let (Some(cycle), Some(slots)) = (whole, slots) else {
                bail!("station \"{}\" has no whole five minutes yet: let the box run until then", station.name);
            };
            let file = encode::file(&sink.form(), &station, cycle, &slots);
            files::directory::put(&args.to, &file)?;
            let path = args.to.join(file.path());
            if args.json {
                let line = serde_json::json!({ "sink": sink.name.get_ref(), "station": station.name, "path": path });
                writeln!(out, "{line}")?;
            } else {
                writeln!(out, "{}", path.display())?;
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Returns what a channel measures.
pub(super) fn parameter_of(gateway: &Gateway, id: &AssetId) -> Option<Parameter> {
    let channel = gateway.channels.iter().find(|channel| channel.id.get_ref() == id);
    channel.map(|channel| *channel.parameter.get_ref())
}
