//! Records through the InfluxDB 2 write API into VictoriaMetrics, and the same figures back by its query API.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use parkgate::model::id::{AssetId, Digest, SiteId};
use parkgate::model::record::{ClockState, KpiId, KpiValue, Level, Reason, WindowRecord};
use parkgate::model::time::{Grain, Timestamp, Window};
use parkgate::model::unit::ProductUnit;
use parkgate::runtime::clock::Clock;
use parkgate::runtime::health::Health;
use parkgate::sinks::influxdb;
use parkgate::store::{Commit, Store};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::harness::{VictoriaMetrics, eventually, get_json, http};

const HOUR_MS: i64 = 3_600_000;
/// Hours of one asset: more than one batch carries.
const HOURS: i64 = 450;

fn record(start: i64, hour: i64) -> WindowRecord {
    let value = |kpi, value, reason| KpiValue {
        kpi: KpiId::of(kpi),
        method: 1,
        value,
        reason,
        coverage: Some(0.75),
        shares: None,
        flags: vec![],
        factors: vec![],
    };
    let begin = Timestamp(start + hour * HOUR_MS);
    WindowRecord {
        site: SiteId::new("tt-main").unwrap(),
        asset: AssetId::new("press-1").unwrap(),
        level: Level::Unit,
        grain: Grain::Hour,
        window: Window { start: begin, end: begin + HOUR_MS },
        revision: 1,
        facts: std::iter::empty().collect(),
        product_unit: ProductUnit::Piece,
        kpis: vec![value("electricity", Some(energy(hour)), None), value("oee", None, Some(Reason::NoProduction))],
        config: Digest::ZERO,
        clock: ClockState::Simulated,
        calendar: None,
        inputs_digest: Digest::ZERO,
    }
}

/// A figure with a long tail of digits, different each hour.
fn energy(hour: i64) -> f64 {
    126_238.29 / (hour + 3) as f64
}

/// The last whole hour that lies [`HOURS`] back: VictoriaMetrics drops what is older than its retention.
fn first_hour() -> i64 {
    let now = Clock::system().now().0;
    now - now.rem_euclid(HOUR_MS) - HOURS * HOUR_MS
}

#[test]
#[ignore = "needs victoria-metrics; run by tests/run"]
fn victoria_metrics_returns_the_figures_that_were_written() {
    let server = VictoriaMetrics::start();
    let url = format!("http://127.0.0.1:{}", server.port);
    let directory = tempfile::tempdir().unwrap();
    let mut store = Store::open(directory.path(), &[], Digest::ZERO, "").unwrap();
    let start = first_hour();
    let records: Vec<_> = (0..HOURS).map(|hour| record(start, hour)).collect();
    store.commit(&Commit { now: Timestamp(0), records: &records, ..Commit::default() }).unwrap();
    forward(&store, &url, records.len() as u64);

    // What was ingested becomes visible to queries once it is flushed.
    http("GET", &format!("{url}/internal/force_flush"), None);
    let query = format!(
        "{url}/api/v1/query_range?query=kpi_value%7Bkpi%3D%22electricity%22%7D&start={}&end={}&step=3600",
        start / 1000,
        start / 1000 + (HOURS - 1) * 3600
    );
    let series = eventually("every hour by query", Duration::from_secs(30), || {
        let result = get_json(&query)["data"]["result"].clone();
        (result[0]["values"].as_array().is_some_and(|values| values.len() as i64 == HOURS)).then_some(result)
    });
    assert_eq!(series.as_array().map(Vec::len), Some(1), "one series");
    assert_eq!(
        series[0]["metric"],
        serde_json::json!({
            "__name__": "kpi_value", "site": "tt-main", "asset": "press-1", "grain": "hour", "kpi": "electricity"
        })
    );
    for hour in 0..HOURS {
        let point = &series[0]["values"][usize::try_from(hour).unwrap()];
        assert_eq!(point[0].as_i64(), Some(start / 1000 + hour * 3600));
        let figure: f64 = point[1].as_str().unwrap().parse().unwrap();
        assert!((figure - energy(hour)).abs() <= energy(hour) * 1e-12, "hour {hour}: {figure}, not {}", energy(hour));
    }
    // A KPI without a value has no value there either.
    let empty = get_json(&format!("{url}/api/v1/series?match[]=kpi_value%7Bkpi%3D%22oee%22%7D&start={}", start / 1000));
    assert_eq!(empty["data"], serde_json::json!([]));
}

/// Runs the sink until its cursor stands at the last record.
fn forward(store: &Store, url: &str, last: u64) {
    let text = format!("name = \"influx\"\nurl = \"{url}\"\norg = \"plant\"\nbucket = \"kpis\"");
    let cursors = Arc::new(Mutex::new(store.cursors().unwrap()));
    let (wake, token) = (watch::Sender::new(0), CancellationToken::new());
    let sink = influxdb::run(
        toml::from_str(&text).unwrap(),
        SiteId::new("tt-main").unwrap(),
        store.reader(),
        cursors,
        wake.subscribe(),
        Clock::system(),
        Health::default(),
        token.clone(),
    );
    let reader = store.reader();
    let arrived = async {
        while reader.cursor("influx").unwrap() != last {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        token.cancel();
    };
    let both = async { tokio::join!(sink, arrived) };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (ended, ()) = runtime.block_on(async {
        tokio::time::timeout(Duration::from_secs(60), both).await.expect("the sink delivers within a minute")
    });
    ended.unwrap();
}
