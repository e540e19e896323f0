//! `[[sink]]`: chooses the component by `type`, and checks what is shared against what there is.

use std::collections::BTreeSet;

use super::assets::Assets;
use super::channel::Channels;
use super::document::{Document, describe};
use super::sources::{check_names, take_type};
use super::spelling;
use super::tree::Tree;
use crate::engine::kpi;
use crate::model::problem::Problems;
use crate::model::record::Level;
use crate::model::time::Grain;
use crate::sinks::files::config::FilesSink;
use crate::sinks::influxdb::config::InfluxSink;
use crate::sinks::mqtt::config::MqttSink;
use crate::sinks::platform::config::PlatformSink;

/// The types of sinks. A new one is a word here and an arm in [`read`].
const TYPES: &[&str] = &["platform", "influxdb2", "mqtt", "files"];

/// Every sink that could be read.
#[derive(Debug, Default)]
pub(super) struct Sinks {
    pub(super) platforms: Vec<PlatformSink>,
    pub(super) influx: Vec<InfluxSink>,
    pub(super) brokers: Vec<MqttSink>,
    pub(super) files: Vec<FilesSink>,
}

/// Reads every sink and checks it by itself.
pub(super) fn read(document: &Document<'_>, problems: &mut Problems) -> Sinks {
    let mut sinks = Sinks::default();
    let entries = document.list("sink", problems);
    for entry in &entries {
        let what = describe("sink", entry);
        match take_type(&what, entry, TYPES, problems) {
            Some((kind, rest)) if kind == "platform" => {
                sinks.platforms.extend(document.read(&what, &rest, &["type"], problems).value);
            }
            Some((kind, rest)) if kind == "mqtt" => {
                sinks.brokers.extend(document.read(&what, &rest, &["type"], problems).value);
            }
            Some((kind, rest)) if kind == "files" => {
                sinks.files.extend(document.read(&what, &rest, &["type"], problems).value);
            }
            Some((_, rest)) => sinks.influx.extend(document.read(&what, &rest, &["type"], problems).value),
            None => {}
        }
    }
    check_names(&entries, problems);
    if !document.is_damaged() {
        sinks.platforms.iter().for_each(|sink| sink.check(problems));
        sinks.influx.iter().for_each(|sink| sink.check(problems));
        sinks.brokers.iter().for_each(|sink| sink.check(problems));
        sinks.files.iter().for_each(|sink| sink.check(problems));
    }
    sinks
}

/// Checks every share against the KPI catalogue, the calendar and the assets.
pub(super) fn check(sinks: &Sinks, assets: &Assets, has_shifts: Option<bool>, problems: &mut Problems) {
    let levels = assets.is_complete.then(|| Tree::grow(&assets.assets, &mut Problems::default())).flatten();
    for sink in &sinks.platforms {
        check_kpis(sink, problems);
        check_template(sink, problems);
        warn_of_plain_http(sink, problems);
        if let Some(grain) = &sink.share.grain
            && *grain.get_ref() == Grain::Shift
            && has_shifts == Some(false)
        {
            problems.error(
                grain.span(),
                format!("sink \"{}\" shares shifts, and no shift is declared", sink.name.get_ref()),
                "add shifts to [calendar], or share another grain",
            );
        }
        let level = sink.share.policy().level;
        if let Some(tree) = &levels
            && level != Level::Site
            && !tree.levels().contains(&level)
        {
            problems.warning(
                sink.share.kpis.span(),
                format!(
                    "sink \"{}\" shares down to {} level, and no asset has that level",
                    sink.name.get_ref(),
                    level.as_str()
                ),
                "share site level, or declare the assets",
            );
        }
    }
}

/// Refuses a station whose channel isn't declared.
pub(super) fn check_stations(sinks: &Sinks, channels: &Channels, problems: &mut Problems) {
    let known: Vec<&str> = channels.channels.iter().map(|channel| channel.id.get_ref().as_str()).collect();
    for sink in &sinks.files {
        for channel in sink.station.iter().flat_map(|station| &station.channels) {
            let id = channel.id.get_ref().as_str();
            if !known.contains(&id) {
                let message =
                    format!("sink \"{}\" names the channel \"{id}\", which is not declared", sink.name.get_ref());
                problems.error(channel.id.span(), message, spelling::propose(id, &known, "\""));
            }
        }
    }
}

/// Over http everyone on the way reads the figures and the token.
fn warn_of_plain_http(sink: &PlatformSink, problems: &mut Problems) {
    let Some(rest) = sink.url.get_ref().strip_prefix("http://") else { return };
    let host = rest.split('/').next().unwrap_or_default();
    let is_here = ["127.", "localhost", "[::1]"].iter().any(|here| host.starts_with(here));
    if !is_here {
        let what = if sink.token.is_some() { "the figures and the token" } else { "the figures" };
        problems.warning(
            sink.url.span(),
            format!("sink \"{}\" sends over http: everyone on the way reads {what}", sink.name.get_ref()),
            "write https://",
        );
    }
}

fn check_template(sink: &PlatformSink, problems: &mut Problems) {
    for (name, at, known) in sink.template.iter().flat_map(|template| template.unknown_fields()) {
        let message = format!("sink \"{}\": a template has no field {{{name}}} here", sink.name.get_ref());
        problems.error(at, message, spelling::propose(name, known, "\""));
    }
}

fn check_kpis(sink: &PlatformSink, problems: &mut Problems) {
    let grain = sink.share.policy().grain;
    let known: Vec<&str> = kpi::CATALOGUE.iter().map(|definition| definition.id.as_str()).collect();
    let mut seen = BTreeSet::new();
    for shared in sink.share.kpis.get_ref() {
        let id = shared.get_ref().as_str();
        match kpi::find(id) {
            None => problems.error(
                shared.span(),
                format!("sink \"{}\" shares the KPI \"{id}\", which is not in the catalogue", sink.name.get_ref()),
                spelling::propose(id, &known, "\""),
            ),
            Some(definition) if grain < definition.finest_grain => problems.warning(
                shared.span(),
                format!("\"{id}\" has no value at grain {grain}: its finest is {}", definition.finest_grain),
                "its facts travel all the same, and coarser figures are computed from them",
            ),
            Some(_) if !seen.insert(id) => {
                problems.warning(shared.span(), format!("the KPI \"{id}\" is named twice"), "keep one of the two");
            }
            Some(_) => {}
        }
    }
}
