//! From the field to the hub through software we did not write: what pymodbus and Mosquitto carry in, worked out by
//! hand, comes out of the box's API, the hub's API and VictoriaMetrics.

use serde_json::{Value, json};

use crate::harness::{ModbusServer, Mosquitto, Publisher, VictoriaMetrics, eventually, get_json};
use crate::plant::{EdgeBox, Hub, Neighbours, PlantTime, at, closed_figure, figures, verify};

use std::time::Duration;

/// The quarter of an hour that is worked out by hand, in minutes after the origin.
const QUARTER: std::ops::Range<i64> = 15..30;

/// What the press does, by minute after the origin. In the quarter it produces from 15 to 18 and from 21 to 27,
/// is at fault from 18 to 21 and idle from 27 to 30: APT 9 min, ADET 3 min, ADOT 3 min, PBT 15 min.
const STATES: [(f64, &str); 5] = [(8.0, "run"), (18.0, "fault"), (21.0, "run"), (27.0, "idle"), (30.0, "run")];

/// Its counters: 300 parts and 15 scrapped in the quarter, none at its borders.
const COUNTERS: [(f64, u32, u32); 5] =
    [(8.0, 1000, 10), (16.0, 1000, 10), (20.0, 1150, 20), (26.0, 1300, 25), (31.0, 1300, 25)];

/// Every KPI of the quarter by hand: scope, KPI, value.
const BY_HAND: [(&str, &str, f64); 9] = [
    // 9 min of 15 min.
    ("asset:site-1/press-1", "availability", 0.6),
    // 1.5 s x 300 = 7.5 min of 9 min.
    ("asset:site-1/press-1", "effectiveness", 7.5 / 9.0),
    // 285 of 300.
    ("asset:site-1/press-1", "quality_ratio", 0.95),
    // 1.5 s x 285 = 7.125 min of 15 min.
    ("asset:site-1/press-1", "oee", 0.475),
    // 15 messages of 2 kWh.
    ("asset:site-1/line-1", "electricity", 30.0),
    // 30 kWh for the 300 parts that leave the line at the press.
    ("asset:site-1/line-1", "specific_energy", 0.1),
    // 144 kW over a quarter of an hour.
    ("site:site-1", "electricity", 36.0),
    // 36 and 30 kWh at 0.6592 tCO2e/MWh, the factor of 2023.
    ("site:site-1", "scope_2", 0.023_731_2),
    ("asset:site-1/line-1", "scope_2", 0.019_776),
];

#[test]
#[ignore = "needs mosquitto, pymodbus and victoria-metrics; run by tests/run"]
fn figures_of_box_hub_and_history_equal_the_hand_calculation() {
    let mut meter = ModbusServer::start();
    meter.set("holding", 100, &[144]);
    meter.set_u32("input", 200, 70_000);
    let broker = Mosquitto::start();
    let history = VictoriaMetrics::start();
    let hub = Hub::start();
    let mut edge = EdgeBox::new(&Neighbours {
        modbus: Some(meter.port),
        mqtt: broker.port,
        hub: hub.port,
        influx: Some(history.port),
        copies: None,
        grain: "15min",
    });
    let time = PlantTime::start();
    edge.start(time);
    run_the_floor(time, &broker, &mut meter);

    for (scope, kpi, expected) in BY_HAND {
        let figure = closed_figure(edge.port, scope, kpi, "15min", QUARTER);
        near(&figure["value"], expected, &format!("{kpi} of {scope} on the box"));
        assert_eq!(figure["value"]["coverage"], 1.0, "{kpi} of {scope}: {figure}");
    }
    let packed: i64 = figures(edge.port, "asset:site-1/packer", "quality_ratio", "15min", 0..60)
        .iter()
        .filter_map(|figure| figure["facts"]["pq_micro"].as_i64())
        .sum();
    assert_eq!(packed, 500_000_000, "the growth of the polled counter is counted once, whenever it was polled");

    the_hub_has_the_same(&hub, &edge);
    the_hub_knows_how_the_box_is(&hub);
    the_history_has_the_same(&history);
    nothing_was_written(&mut meter);
    assert_eq!(edge.stop(), Some(0), "{}", edge.log());
    let (code, said) = verify(&hub.database());
    assert_eq!(code, Some(0), "{said}");
}

/// Sends everything at its time, up to the minute in which the quarter has closed.
fn run_the_floor(time: PlantTime, broker: &Mosquitto, meter: &mut ModbusServer) {
    let mut messages: Vec<(f64, String, Value)> = Vec::new();
    for (minute, state) in STATES {
        messages.push((minute, "floor/press-1/state".to_owned(), json!({ "v": state, "ts": at(minute) })));
    }
    for (minute, total, scrap) in COUNTERS {
        messages.push((minute, "floor/press-1/total".to_owned(), json!({ "v": total, "ts": at(minute) })));
        messages.push((minute, "floor/press-1/scrap".to_owned(), json!({ "v": scrap, "ts": at(minute) })));
    }
    // The amount of the minute that ends at its time.
    for minute in 8..=32_u32 {
        let minute = f64::from(minute);
        messages.push((minute, "floor/line-1/kwh".to_owned(), json!({ "v": 2.0, "ts": at(minute) })));
    }
    messages.sort_by(|a, b| a.0.total_cmp(&b.0));
    let publisher = Publisher::connect(broker.port, "floor");
    let mut packed = 0;
    for (minute, topic, payload) in messages {
        time.wait_until(minute);
        publisher.publish(&topic, &payload.to_string());
        if minute > 15.0 && packed < 500 {
            packed += 50;
            meter.set_u32("input", 200, 70_000 + packed);
        }
    }
}

fn the_hub_knows_how_the_box_is(hub: &Hub) {
    let status = eventually("what the box says of itself", Duration::from_secs(30), || {
        let gateways = get_json(&format!("http://127.0.0.1:{}/api/v1/gateways", hub.port));
        let status = gateways["gateways"][0]["status"].clone();
        (!status.is_null()).then_some(status)
    });
    let sources = status["components"].as_array().unwrap().iter().find(|kind| kind["kind"] == "source");
    assert_eq!(sources.unwrap()["ok"], 2, "{status}");
}

fn the_hub_has_the_same(hub: &Hub, edge: &EdgeBox) {
    let shared = ["oee", "availability", "quality_ratio", "electricity", "scope_2"];
    for (scope, kpi, expected) in BY_HAND.into_iter().filter(|(_, kpi, _)| shared.contains(kpi)) {
        let figure = closed_figure(hub.port, scope, kpi, "15min", QUARTER);
        near(&figure["value"], expected, &format!("{kpi} of {scope} in the hub"));
        assert_eq!(figure["facts"], of_shared(&closed_figure(edge.port, scope, kpi, "15min", QUARTER), &figure));
    }
    // The park has one factory, so its energy is the factory's.
    let park = closed_figure(hub.port, "park:park-1", "electricity", "15min", QUARTER);
    near(&park["value"], 36.0, "electricity of the park");
    assert_eq!((&park["sites_reporting"], &park["sites_expected"]), (&json!(1), &json!(1)));
    let effectiveness = figures(hub.port, "asset:site-1/press-1", "effectiveness", "15min", QUARTER);
    assert!(
        effectiveness.is_empty()
            || effectiveness[0]["value"]["reason"].is_string()
            || effectiveness[0]["value"]["value"].is_number(),
        "{effectiveness:?}"
    );
}

/// The box's facts, as far as they are shared.
fn of_shared(edge: &Value, hub: &Value) -> Value {
    let shared = hub["facts"].as_object().unwrap();
    edge["facts"]
        .as_object()
        .unwrap()
        .iter()
        .filter(|(name, _)| shared.contains_key(*name))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect::<serde_json::Map<_, _>>()
        .into()
}

fn the_history_has_the_same(history: &VictoriaMetrics) {
    for (scope, kpi, expected) in BY_HAND {
        let asset = scope.rsplit(['/', ':']).next().unwrap().replace("site-1", "site");
        let start = at(QUARTER.start as f64).0;
        eventually(&format!("{kpi} of {asset} in the history"), Duration::from_secs(20), || {
            let series = history.export(&format!("kpi_value{{asset=\"{asset}\",kpi=\"{kpi}\"}}"));
            series.iter().find_map(|series| {
                let position =
                    series["timestamps"].as_array()?.iter().position(|instant| instant.as_i64() == Some(start))?;
                let value = series["values"][position].as_f64()?;
                ((value - expected).abs() < 1e-9).then_some(())
            })
        });
    }
}

fn nothing_was_written(meter: &mut ModbusServer) {
    let codes: std::collections::BTreeSet<u8> = meter.requests().iter().map(|(code, ..)| *code).collect();
    assert_eq!(codes, [3, 4].into(), "function codes that reached the device");
}

fn near(value: &Value, expected: f64, what: &str) {
    let found = value["value"].as_f64().unwrap_or_else(|| panic!("{what} has no value: {value}"));
    assert!((found - expected).abs() <= 1e-9 * expected.abs().max(1.0), "{what} is {found}, by hand {expected}");
}
