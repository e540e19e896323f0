//! The Sparkplug side of `[[source]] type = "mqtt"`: the host, and which metric a point keeps.

use std::collections::BTreeSet;

use serde::Deserialize;
use toml::Spanned;

use super::host::Rules;
use super::topic::{self, NAMESPACE};
use crate::model::problem::Problems;
use crate::model::time::Period;
use crate::sources::mqtt::config::MqttSource;
use crate::sources::mqtt::config::point::PointSpec;
use crate::sources::mqtt::config::topic::Topic;

/// How long it waits for a missing message, unless declared. **Unit**: ms.
const REORDER_MS: u64 = 2_000;
/// Longest wait that can be declared. **Unit**: ms.
const REORDER_MS_MAX: i64 = 60_000;

/// `sparkplug = { … }` of a source: what the host may do there.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SparkplugConfig {
    /// Id under which the host shows its state; one topic level, unique at the broker.
    #[serde(default)]
    pub host_id: Option<Spanned<String>>,
    /// Whether it shows its state, so that edge nodes can have it as their primary host; default: where it has an id.
    #[serde(default)]
    pub primary: Option<Spanned<bool>>,
    /// Whether it may ask edge nodes for their births; default: no.
    #[serde(default)]
    pub rebirth: bool,
    /// How long it waits for a missing message; default 2 s. With 0 s a gap is taken as one at once.
    #[serde(default)]
    pub reorder: Option<Spanned<Period>>,
}

impl SparkplugConfig {
    /// Returns the rules of the host.
    pub(in crate::sources::mqtt) fn rules(&self) -> Rules {
        let is_primary = self.primary.as_ref().is_none_or(|primary| *primary.get_ref());
        let reorder =
            self.reorder.as_ref().map(|reorder| reorder.get_ref().as_ms().clamp(0, REORDER_MS_MAX).unsigned_abs());
        Rules {
            host_id: self.host_id.as_ref().filter(|_| is_primary).map(|id| id.get_ref().clone()),
            rebirth: self.rebirth,
            reorder_ms: reorder.unwrap_or(REORDER_MS),
        }
    }

    fn check(&self, problems: &mut Problems) {
        if let Some(id) = self.host_id.as_ref().filter(|id| !topic::is_legal_id(id.get_ref())) {
            let message =
                format!("\"{}\" can't be a Sparkplug host id: it is one level of a topic", id.get_ref().escape_debug());
            problems.error(id.span(), message, "write 1 to 1024 bytes without /, +, # and control characters");
        }
        if let Some(primary) = self.primary.as_ref().filter(|primary| *primary.get_ref() && self.host_id.is_none()) {
            problems.error(primary.span(), "a primary host shows its state under an id, and has none", "add host_id");
        }
        if let Some(reorder) = self.reorder.as_ref().filter(|reorder| reorder.get_ref().as_ms() > REORDER_MS_MAX) {
            problems.error(reorder.span(), "reorder is longer than 1 min", "remove it: 2 s by default");
        }
    }
}

/// Which metric a point keeps.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::sources::mqtt) struct Place {
    /// Group of the edge node.
    pub group: String,
    /// The edge node.
    pub node: String,
    /// The device; `None` for a metric of the edge node itself.
    pub device: Option<String>,
    /// Name of the metric.
    pub metric: String,
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { group, node, device, metric } = self;
        write!(f, "{group}/{node}")?;
        if let Some(device) = device {
            write!(f, "/{device}")?;
        }
        write!(f, " \"{metric}\"")
    }
}

/// Says whether a source is a Sparkplug host: it has such a topic.
pub(in crate::sources::mqtt) fn is_sparkplug(source: &MqttSource) -> bool {
    source.topic.iter().any(|topic| topic.get_ref().is_sparkplug())
}

/// Returns where a point's metric stands: by its keys, else edge node and metric by the two parts of its name and the
/// group by the filters, where all name the same one. `None` where something is left open.
pub(in crate::sources::mqtt) fn place(source: &MqttSource, point: &PointSpec) -> Option<Place> {
    let text = |key: &Option<Spanned<String>>| key.as_ref().map(|key| key.get_ref().clone());
    let mut parts = point.name.get_ref().splitn(2, '.');
    let (first, last) = (parts.next().map(str::to_owned), parts.next().map(str::to_owned));
    Some(Place {
        group: text(&point.group).or_else(|| group_of(source))?,
        node: text(&point.edge_node).or(first)?,
        device: text(&point.device),
        metric: text(&point.metric).or(last)?,
    })
}

/// Returns the one group that every filter names.
fn group_of(source: &MqttSource) -> Option<String> {
    let groups: BTreeSet<&str> =
        source.topic.iter().map(|topic| topic.get_ref().filter.get_ref().split('/').nth(1).unwrap_or("#")).collect();
    let mut groups = groups.into_iter();
    let only = groups.next().filter(|group| topic::is_legal_id(group))?;
    groups.next().is_none().then(|| only.to_owned())
}

/// Names what is wrong with the Sparkplug side of a source.
pub(in crate::sources::mqtt) fn check(source: &MqttSource, problems: &mut Problems) {
    let sparkplug = is_sparkplug(source);
    if let Some(config) = &source.sparkplug {
        config.get_ref().check(problems);
        if !sparkplug {
            let message = format!("source \"{}\" is a Sparkplug host without a Sparkplug topic", source.name.get_ref());
            problems.error(config.span(), message, "add a topic with format = \"sparkplug_b\", or remove sparkplug");
        }
    }
    if !sparkplug {
        check_needless(source, problems);
        return;
    }
    for topic in source.topic.iter().map(Spanned::get_ref) {
        check_topic(topic, problems);
    }
    let mut places = BTreeSet::new();
    for point in source.point.iter().map(Spanned::get_ref) {
        check_point(source, point, &mut places, problems);
    }
}

/// Keys that say where a metric stands mean nothing for other payloads.
fn check_needless(source: &MqttSource, problems: &mut Problems) {
    for point in source.point.iter().map(Spanned::get_ref) {
        let keys = [
            ("group", &point.group),
            ("edge_node", &point.edge_node),
            ("device", &point.device),
            ("metric", &point.metric),
        ];
        for (key, given) in keys.into_iter().filter_map(|(key, given)| Some((key, given.as_ref()?))) {
            let message =
                format!("{key} of point \"{}\" means nothing without a Sparkplug topic", point.name.get_ref());
            problems.error(given.span(), message, format!("remove {key}"));
        }
    }
}

fn check_topic(topic: &Topic, problems: &mut Problems) {
    let filter = topic.filter.get_ref();
    if !topic.is_sparkplug() {
        problems.error(
            topic.format.span(),
            format!("\"{filter}\" stands beside Sparkplug topics, whose session the broker must not keep"),
            "move it to a source of its own at the same broker",
        );
        return;
    }
    if !filter.starts_with(&format!("{NAMESPACE}/")) {
        let message = format!("\"{filter}\" takes no Sparkplug topic");
        problems.error(topic.filter.span(), message, format!("write a filter that begins with {NAMESPACE}/"));
    }
    let span = |key: &Option<Spanned<String>>| key.as_ref().map(Spanned::span);
    for (key, given) in [
        ("device", span(&topic.device)),
        ("point", span(&topic.point)),
        ("each", span(&topic.each)),
        ("values", span(&topic.values)),
        ("value", span(&topic.value)),
        ("time", span(&topic.time)),
        ("time_format", span(&topic.time_format)),
        ("columns", topic.columns.as_ref().map(Spanned::span)),
        ("delimiter", topic.delimiter.as_ref().map(Spanned::span)),
        ("decimal", topic.decimal.as_ref().map(Spanned::span)),
    ] {
        if given.is_some() {
            problems.error(given, format!("{key} means nothing for a Sparkplug topic"), format!("remove {key}"));
        }
    }
}

fn check_point(source: &MqttSource, point: &PointSpec, places: &mut BTreeSet<Place>, problems: &mut Problems) {
    let name = point.name.get_ref();
    if let Some(called) = &point.called {
        let message = format!("called means nothing for point \"{name}\" of a Sparkplug source");
        problems.error(called.span(), message, "say metric, and edge_node, device and group where they differ");
    }
    let Some(place) = place(source, point) else {
        let message = format!("nothing says where the metric of point \"{name}\" stands");
        problems.error(point.name.span(), message, "add group, edge_node, device (where it is one's) and metric");
        return;
    };
    for (key, id) in
        [("group", Some(&place.group)), ("edge_node", Some(&place.node)), ("device", place.device.as_ref())]
    {
        if let Some(id) = id.filter(|id| !topic::is_legal_id(id)) {
            let message = format!("{key} \"{}\" of point \"{name}\" can't be a level of a topic", id.escape_debug());
            problems.error(point.name.span(), message, format!("write {key} as the edge node spells it"));
        }
    }
    let takes =
        |topic: &str| source.topic.iter().any(|filter| topic::matches(filter.get_ref().filter.get_ref(), topic));
    let heard = topic::heard_of(&place.group, &place.node, place.device.as_deref());
    if let Some(missing) = heard.iter().find(|topic| !takes(topic)) {
        let message =
            format!("no topic of source \"{}\" takes {missing}, which point \"{name}\" needs", source.name.get_ref());
        problems.error(
            point.name.span(),
            message,
            format!("widen a filter, for example to {NAMESPACE}/{}/#", place.group),
        );
    }
    if !places.insert(place.clone()) {
        let message = format!("metric {place} is kept by two points");
        problems.error(point.name.span(), message, "keep one of the two");
    }
}
