//! `parkgate check`: names every problem of a configuration at once, and says what was understood.

use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use jiff::civil::Date;
use serde_json::json;

use super::load;
use crate::config::{self, Gateway, Hub};
use crate::engine::plant::{Asset, Plant};
use crate::engine::pollutant::Channel;
use crate::model::problem::{Problems, Severity};
use crate::runtime::clock::Clock;
use crate::sinks::platform::config::PlatformSink;
use crate::sources::modbus::config::Place;

/// Exit code of a configuration with an error.
const REFUSED: u8 = 2;

/// Arguments of `parkgate check`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The file to check [default: gateway.toml, with --hub hub.toml].
    #[arg(short, long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// It is the configuration of a hub.
    #[arg(long)]
    hub: bool,
    /// Show where each point of a Modbus source stands on the wire, and how it is read.
    #[arg(long, conflicts_with_all = ["hub", "json"])]
    points: bool,
    /// Print JSON lines: file, line, column, severity, message, help.
    #[arg(long)]
    json: bool,
}

/// Checks a configuration. Problems go to standard error, or as JSON lines to standard output; the summary goes to
/// standard output. Exit code 0 where there is no error, 2 where there is one.
///
/// # Errors
/// The file can't be read, or the output can't be written.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let default = if args.hub { "hub.toml" } else { "gateway.toml" };
    let path = args.config.clone().unwrap_or_else(|| PathBuf::from(default));
    let name = path.display().to_string();
    let text = std::fs::read_to_string(&path).with_context(|| format!("can't read configuration {name}"))?;
    let (summary, shares, problems) = if args.hub {
        let (hub, problems) = config::load_hub(&name, &text);
        (hub.map(|hub| hub_summary(&hub)), Vec::new(), problems)
    } else {
        let (gateway, problems) =
            config::load_gateway_from(&name, &text, load::profiles(&path, &text), &load::references(&path, &text));
        let shares = gateway.as_ref().map(|gateway| gateway.platforms.clone()).unwrap_or_default();
        let summary = gateway.map(|gateway| {
            let mut lines = gateway_summary(&gateway);
            lines.extend(args.points.then(|| point_lines(&gateway)).into_iter().flatten());
            lines
        });
        (summary, shares, problems)
    };
    let mut out = std::io::stdout().lock();
    if args.json {
        write!(out, "{}", config::render_json(&problems, &name, &text))?;
        for sink in &shares {
            write!(out, "{}", share_json(sink, &name))?;
        }
    } else {
        let color = std::io::stderr().is_terminal();
        write!(std::io::stderr().lock(), "{}", config::render(&problems, &name, &text, color))?;
        for line in summary.into_iter().flatten().chain(shares.iter().flat_map(share_lines)) {
            writeln!(out, "{line}")?;
        }
        writeln!(out, "{name}: {}", verdict(&problems))?;
    }
    Ok(if problems.has_errors() { ExitCode::from(REFUSED) } else { ExitCode::SUCCESS })
}

fn verdict(problems: &Problems) -> String {
    let count = |severity| problems.0.iter().filter(|problem| problem.severity == severity).count();
    match (count(Severity::Error), count(Severity::Warning)) {
        (0, 0) => "accepted".to_owned(),
        (0, warnings) => format!("accepted, with {}", plural(warnings, "warning")),
        (errors, 0) => format!("refused: {}", plural(errors, "error")),
        (errors, warnings) => format!("refused: {} and {}", plural(errors, "error"), plural(warnings, "warning")),
    }
}

fn gateway_summary(gateway: &Gateway) -> Vec<String> {
    let section = &gateway.gateway;
    let mut lines = vec![format!(
        "gateway {} of site {} in park {}, enterprise {}, time zone {}",
        section.id.get_ref(),
        section.site.get_ref(),
        section.park.get_ref(),
        section.enterprise.get_ref(),
        section.timezone.get_ref()
    )];
    let modbus =
        gateway.modbus.iter().map(|(index, source)| (index, source.name.get_ref(), "modbus", source.url.get_ref()));
    let mqtt = gateway.mqtt.iter().map(|(index, source)| (index, source.name.get_ref(), "mqtt", source.url.get_ref()));
    let mut sources: Vec<_> = modbus.chain(mqtt).collect();
    sources.sort();
    for (index, name, kind, url) in sources {
        let tags = gateway.tags.iter().filter(|tag| tag.source == *index).count();
        lines.push(format!("source {name}: {kind} {url}, {}", plural(tags, "tag")));
    }
    let plant = gateway.plant();
    lines.push(format!("{}, {} of them used by assets", plural(gateway.tags.len(), "tag"), plant.inputs().len()));
    for asset in &plant.assets {
        if let Some(channel) = &asset.channel {
            lines.push(channel_line(asset, channel, today(&plant)));
            continue;
        }
        let name = asset.name.as_ref().map(|name| format!(" \"{name}\"")).unwrap_or_default();
        lines.push(format!("asset {}{name}: {}", asset.id, asset.level.as_str()));
    }
    lines.extend(gateway.calendar_lines());
    let grains: Vec<&str> = plant.grains.iter().map(|grain| grain.as_str()).collect();
    lines.push(format!("records of each {}", grains.join(", ")));
    lines.extend(gateway.emission_lines());
    lines.extend(
        gateway.influx.iter().map(|sink| format!("sink {}: influxdb2 {}", sink.name.get_ref(), sink.url.get_ref())),
    );
    lines.extend(
        gateway.brokers.iter().map(|sink| format!("sink {}: mqtt {}", sink.name.get_ref(), sink.url.get_ref())),
    );
    for sink in &gateway.files {
        let (name, to) = (sink.name.get_ref(), sink.goes_to());
        let accepted = match &sink.accepted {
            Some(accepted) => format!("accepted by {}", accepted.get_ref()),
            None => "off until the department accepts a sample".to_owned(),
        };
        lines.push(format!("sink {name}: files to {to}, {accepted}"));
    }
    lines.push(format!("API and pages on http://{}", gateway.http.listen.get_ref()));
    lines
}

/// One line a point of a Modbus source: its tag, the wire addresses that are read for it, and how it is read.
fn point_lines(gateway: &Gateway) -> Vec<String> {
    let places = gateway.modbus.iter().flat_map(|(_, source)| source.places(&gateway.profiles));
    let line = |place: Place| {
        let last = u32::from(place.span.address) + u32::from(place.span.length) - 1;
        let range = if place.span.length == 1 { String::new() } else { format!(" to {last}") };
        format!("point {}: {} {}{range}, {}", place.tag, place.span.table, place.span.address, place.form)
    };
    places.map(line).collect()
}

/// Returns the date at the site: which limit holds depends on it.
fn today(plant: &Plant) -> Date {
    let now = jiff::Timestamp::from_millisecond(Clock::system().now().0).unwrap_or_default();
    plant.site_calendar().zone().to_datetime(now).date()
}

/// One line a channel: what it measures, and the limit that holds today.
fn channel_line(asset: &Asset, channel: &Channel, today: Date) -> String {
    let unit = asset.product_unit.as_str();
    let limit = channel.limit_on(today).map_or_else(
        || format!("no limit holds on {today}"),
        |limit| {
            let bound = |name, micro: Option<i128>| micro.map(|micro| format!("{name} {} {unit}", Micro(micro)));
            let bounds = [bound("min", limit.min_micro), bound("max", limit.max_micro)];
            let bounds: Vec<String> = bounds.into_iter().flatten().collect();
            let (source, document) = (limit.source.as_str(), &limit.document);
            format!("on {today} {} by {source} {document}", bounds.join(", "))
        },
    );
    format!("channel {}: {} in {unit}, {limit}", asset.id, channel.parameter.as_str())
}

/// A number of 10⁻⁶ as decimals, without zeros behind.
struct Micro(i128);

impl std::fmt::Display for Micro {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (sign, size) = (if self.0 < 0 { "-" } else { "" }, self.0.unsigned_abs());
        let text = format!("{sign}{}.{:06}", size / 1_000_000, size % 1_000_000);
        f.write_str(text.trim_end_matches('0').trim_end_matches('.'))
    }
}

fn hub_summary(hub: &Hub) -> Vec<String> {
    let mut lines = vec![format!("hub {}, time zone {}", hub.hub.name.get_ref(), hub.hub.timezone.get_ref())];
    for park in &hub.parks {
        let sites = hub.sites.iter().filter(|site| site.park.get_ref() == park.id.get_ref()).count();
        lines.push(format!(
            "park {} \"{}\" in {}: {}",
            park.id.get_ref(),
            park.name,
            park.province.get_ref(),
            plural(sites, "site")
        ));
    }
    for gateway in &hub.gateways {
        let key = if gateway.key.is_some() { "declared key" } else { "key pinned on first use" };
        let token = if gateway.token.is_some() { "with a token" } else { "without a token" };
        lines.push(format!("gateway {} of site {}: {key}, {token}", gateway.id.get_ref(), gateway.site.get_ref()));
    }
    lines.push(format!("API and pages on http://{}", hub.http.listen.get_ref()));
    lines
}

fn share_lines(sink: &PlatformSink) -> Vec<String> {
    let policy = sink.share.policy();
    let mut lines = vec![format!(
        "sink {}: platform {}; shares at {} level by {}, nothing else leaves:",
        sink.name.get_ref(),
        sink.url.get_ref(),
        policy.level.as_str(),
        policy.grain
    )];
    for revealed in config::reveals(sink) {
        lines.push(format!("  {} reveals {}", revealed.kpi, revealed.words.join(", ")));
    }
    lines
}

/// What a share reveals, as JSON lines beside the problems; severity `info`.
fn share_json(sink: &PlatformSink, file: &str) -> String {
    let lines = config::reveals(sink).into_iter().map(|revealed| {
        let measures: Vec<&str> = revealed.measures.iter().map(|measure| measure.as_str()).collect();
        let message = format!(
            "sink \"{}\" shares {}, which reveals {}",
            sink.name.get_ref(),
            revealed.kpi,
            revealed.words.join(", ")
        );
        json!({
            "file": file, "line": null, "column": null, "severity": "info", "message": message, "help": "",
            "sink": sink.name.get_ref(), "kpi": revealed.kpi, "measures": measures,
        })
        .to_string()
    });
    lines.map(|line| line + "\n").collect()
}

fn plural(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}
