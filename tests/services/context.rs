//! Production context through Mosquitto: what a manufacturing system tells beside what the machine counts.

use std::path::Path;
use std::time::Duration;

use serde_json::json;

use crate::harness::{Mosquitto, Publisher, eventually};
use crate::plant::{EdgeBox, PlantTime, at, closed_figure};

/// The quarter of an hour that is worked out by hand, in minutes after the origin.
const QUARTER: std::ops::Range<i64> = 15..30;

/// What is published, in minutes after the origin: 60 bolts at 1 s, then 120 nuts at 2 s, of which 9 are scrapped.
fn messages() -> Vec<(f64, &'static str, String)> {
    let product = |minute, id: &str, product: &str| {
        json!({ "id": id, "asset": "press-1", "at": at(minute), "kind": "product", "product": product }).to_string()
    };
    let total =
        |minute, value: u32| (minute, "floor/press-1/total", json!({ "v": value, "ts": at(minute) }).to_string());
    let scrap = json!({ "id": "q-1", "asset": "press-1", "at": at(26.0), "kind": "scrap", "quantity": 9 });
    vec![
        (8.0, "floor/press-1/state", json!({ "v": "run", "ts": at(8.0) }).to_string()),
        total(8.0, 1_000),
        (9.0, "mes/press-1", product(9.0, "mes-1", "bolt")),
        total(15.5, 1_000),
        total(17.0, 1_060),
        total(18.0, 1_060),
        // Late by half a minute, so that it changes what was computed already; the same again says nothing new.
        (18.0, "mes/press-1", product(17.5, "mes-2", "nut")),
        (18.5, "mes/press-1", product(17.5, "mes-2", "nut")),
        total(25.0, 1_180),
        (26.5, "mes/press-1", format!("[{scrap}, {{\"asset\": \"press-1\", \"kind\": \"wish\"}}]")),
        total(31.0, 1_180),
        (32.5, "floor/press-1/state", json!({ "v": "run", "ts": at(32.5) }).to_string()),
    ]
}

#[test]
#[ignore = "needs mosquitto; run by tests/run"]
fn context_by_mqtt_cuts_the_figures_where_it_was_told_once_and_costs_nothing_where_it_cant_be_read() {
    let broker = Mosquitto::start();
    let mut edge = EdgeBox::with(|data, port| configuration(broker.port, data, port));
    let time = PlantTime::start();
    edge.start(time);
    eventually("the subscription", Duration::from_secs(20), || {
        (edge.component("source.floor")["status"] == "ok").then_some(())
    });
    let publisher = Publisher::connect(broker.port, "mes");
    for (minute, topic, payload) in messages() {
        time.wait_until(minute);
        publisher.publish(topic, &payload);
    }
    let figure = |kpi: &str| closed_figure(edge.port, "asset:site-1/press-1", kpi, "15min", QUARTER);
    // 60 × 1 s + 120 × 2 s of 15 min; 9 × 2 s of that was for scrap.
    for (kpi, expected) in [("effectiveness", 300.0 / 900.0), ("quality_ratio", 282.0 / 300.0)] {
        eventually(kpi, Duration::from_secs(30), || {
            let found = figure(kpi);
            let value = found["value"]["value"].as_f64();
            value.is_some_and(|value| (value - expected).abs() < 1e-9).then_some(())
        });
    }
    let engine = edge.component("engine");
    assert_eq!((&engine["counts"]["context_taken"], &engine["counts"]["context_duplicate"]), (&json!(3), &json!(1)));
    let source = edge.component("source.floor");
    assert_eq!(source["counts"]["refused_not_an_event"], 1, "what can't be read is counted: {source}");
    assert_eq!(edge.stop(), Some(0), "{}", edge.log());
}

fn configuration(broker: u16, data: &Path, port: u16) -> String {
    format!(
        r#"
[gateway]
id         = "box-1"
enterprise = "9900000016"
park       = "park-1"
site       = "site-1"
timezone   = "Asia/Ho_Chi_Minh"
data_dir   = "{data}"

[http]
listen = "127.0.0.1:{port}"

[[source]]
type  = "mqtt"
name  = "floor"
url   = "mqtt://127.0.0.1:{broker}"
topic = [
  {{ filter = "floor/{{device}}/{{point}}", format = "json", value = "$.v", time = "$.ts" }},
  {{ filter = "mes/#", format = "context" }},
]
point = [
  {{ name = "press-1.state", states = {{ run = "producing" }}, hold = "2h" }},
  {{ name = "press-1.total", kind = "counter", hold = "15min" }},
]

[[product]]
id        = "bolt"
run_times = [{{ per_unit = "1s" }}]

[[product]]
id        = "nut"
run_times = [{{ per_unit = "2s" }}]

[[asset]]
id    = "site"
level = "site"

[[asset]]
id     = "press-1"
parent = "site"
state  = "floor.press-1.state"
total  = "floor.press-1.total"
takes_context = ["product", "scrap"]

[records]
grains = ["15min"]
"#,
        data = data.display(),
    )
}
