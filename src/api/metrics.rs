//! `GET /metrics`: the health board in Prometheus' text format.
//!
//! Labels are component names and states, both bounded by the configuration. What is the matter in words stands on the
//! health board alone: free text as a label would make a new series of each wording.
//!
//! **Source**: Prometheus, exposition formats, text format version 0.0.4.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};

use super::Api;
use crate::model::time::Timestamp;
use crate::runtime::health::{Component, Status};

/// The type that a scraper is told.
const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Every state by name.
const STATES: [(Status, &str); 3] = [(Status::Ok, "ok"), (Status::Degraded, "degraded"), (Status::Failed, "failed")];

/// Returns the health board as metrics.
pub(super) async fn metrics(State(api): State<Arc<Api>>) -> Response {
    ([(CONTENT_TYPE, TEXT)], text(&api.health.snapshot(), api.clock.now())).into_response()
}

/// Writes the board at `now`, plant time: metric by metric, each with its components in the order of their names.
fn text(board: &BTreeMap<String, Component>, now: Timestamp) -> String {
    let mut text = String::new();
    head(&mut text, "parkgate_component_status", "gauge", "1 for the state a component is in, 0 for the others.");
    for (name, component) in board {
        for (state, word) in STATES {
            let labels = format!("component=\"{}\",status=\"{word}\"", escaped(name));
            line(&mut text, "parkgate_component_status", &labels, u64::from(component.status == state));
        }
    }
    let since = "parkgate_component_status_age_seconds";
    head(&mut text, since, "gauge", "Plant time since a component is in its state.");
    // What has only counted so far has said nothing of its state.
    for (name, component) in board.iter().filter(|(_, component)| component.since != Timestamp::default()) {
        let age = now.ms_since(component.since).max(0) / 1000;
        line(&mut text, since, &label(name), age.unsigned_abs());
    }
    for ((metric, is_gauge), values) in by_name(board) {
        let (kind, what) = if is_gauge { ("gauge", "at present") } else { ("counter", "since the start") };
        head(&mut text, &metric, kind, &format!("What components report under this name {what}; see docs/metrics.md."));
        for (name, value) in values {
            line(&mut text, &metric, &label(name), value);
        }
    }
    text
}

/// A metric's name and whether it is a gauge.
type Metric = (String, bool);

/// Returns what components report, by metric.
fn by_name(board: &BTreeMap<String, Component>) -> BTreeMap<Metric, Vec<(&str, u64)>> {
    let mut metrics: BTreeMap<Metric, Vec<(&str, u64)>> = BTreeMap::new();
    for (component, entry) in board {
        for (what, value) in &entry.counts {
            let is_gauge = entry.gauges.contains(what);
            let clean: String = what.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
            let metric = if is_gauge { format!("parkgate_{clean}") } else { format!("parkgate_{clean}_total") };
            metrics.entry((metric, is_gauge)).or_default().push((component, *value));
        }
    }
    metrics
}

fn head(text: &mut String, metric: &str, kind: &str, help: &str) {
    writeln!(text, "# HELP {metric} {help}\n# TYPE {metric} {kind}").expect("writing to memory can't fail");
}

fn line(text: &mut String, metric: &str, labels: &str, value: u64) {
    writeln!(text, "{metric}{{{labels}}} {value}").expect("writing to memory can't fail");
}

fn label(component: &str) -> String {
    format!("component=\"{}\"", escaped(component))
}

/// Escapes a label's value as the format wants it.
fn escaped(value: &str) -> String {
    value.replace('\\', r"\\").replace('"', "\\\"").replace('\n', r"\n")
}

#[cfg(test)]
mod tests {
    use super::{Timestamp, text};
    use crate::runtime::health::{Health, Status};

    #[test]
    fn the_board_is_written_metric_by_metric_with_its_type() {
        let health = Health::default();
        health.set("sink.hepza", Status::Degraded, "receiver \"x\" can't be reached", Timestamp(4_000));
        health.count("sink.hepza", "delivered_pages", 7);
        health.gauge("sink.hepza", "backlog_pages", 3);
        health.count("source.a\\b", "delivered_pages", 1);
        assert_eq!(
            text(&health.snapshot(), Timestamp(64_500)),
            r#"# HELP parkgate_component_status 1 for the state a component is in, 0 for the others.
# TYPE parkgate_component_status gauge
parkgate_component_status{component="sink.hepza",status="ok"} 0
parkgate_component_status{component="sink.hepza",status="degraded"} 1
parkgate_component_status{component="sink.hepza",status="failed"} 0
parkgate_component_status{component="source.a\\b",status="ok"} 1
parkgate_component_status{component="source.a\\b",status="degraded"} 0
parkgate_component_status{component="source.a\\b",status="failed"} 0
# HELP parkgate_component_status_age_seconds Plant time since a component is in its state.
# TYPE parkgate_component_status_age_seconds gauge
parkgate_component_status_age_seconds{component="sink.hepza"} 60
# HELP parkgate_backlog_pages What components report under this name at present; see docs/metrics.md.
# TYPE parkgate_backlog_pages gauge
parkgate_backlog_pages{component="sink.hepza"} 3
# HELP parkgate_delivered_pages_total What components report under this name since the start; see docs/metrics.md.
# TYPE parkgate_delivered_pages_total counter
parkgate_delivered_pages_total{component="sink.hepza"} 7
parkgate_delivered_pages_total{component="source.a\\b"} 1
"#
        );
    }
}
