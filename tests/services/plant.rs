//! A small factory and its park for black-box tests: configuration files, the box and the hub as processes, plant time.
//!
//! Plant time starts at [`ORIGIN`] and runs [`SPEED`] times as fast as real time, so that quarters of an hour close
//! within seconds. What the tests publish carries plant time; what the box polls is stamped by the box's own clock.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use parkgate::model::time::Timestamp;
use serde_json::Value;
use tempfile::TempDir;

use crate::harness::{Process, eventually, free_port, get_json, parkgate, try_http};

/// Plant time at the start of a test: midnight of a Monday in a year with an official grid factor, in
/// Asia/Ho_Chi_Minh.
pub(crate) const ORIGIN: &str = "2023-05-08T00:00:00+07:00";
/// Plant seconds in a real one.
pub(crate) const SPEED: f64 = 120.0;

/// Plant time as the test knows it.
#[derive(Clone, Copy)]
pub(crate) struct PlantTime {
    started: Instant,
}

impl PlantTime {
    /// Starts at [`ORIGIN`].
    pub(crate) fn start() -> Self {
        Self { started: Instant::now() }
    }

    /// The present instant.
    pub(crate) fn now(self) -> Timestamp {
        origin() + (self.started.elapsed().as_secs_f64() * 1000.0 * SPEED) as i64
    }

    /// Waits until the plant's clock shows `minutes` after the origin.
    pub(crate) fn wait_until(self, minutes: f64) {
        let due = Duration::from_secs_f64(minutes * 60.0 / SPEED);
        std::thread::sleep(due.saturating_sub(self.started.elapsed()));
    }
}

/// [`ORIGIN`] as an instant.
pub(crate) fn origin() -> Timestamp {
    ORIGIN.parse().unwrap()
}

/// An instant so many minutes after the origin.
pub(crate) fn at(minutes: f64) -> Timestamp {
    origin() + (minutes * 60_000.0) as i64
}

/// Where the box's neighbours are.
pub(crate) struct Neighbours {
    /// The Modbus server, if there is one.
    pub(crate) modbus: Option<u16>,
    /// The broker.
    pub(crate) mqtt: u16,
    /// The hub, or a proxy in front of it.
    pub(crate) hub: u16,
    /// InfluxDB or what takes its write API, if there is one.
    pub(crate) influx: Option<u16>,
    /// The broker that gets the records, if there is one.
    pub(crate) copies: Option<u16>,
    /// The one grain that is shared.
    pub(crate) grain: &'static str,
}

/// An edge box: its files and, while it runs, its process.
pub(crate) struct EdgeBox {
    /// Its files: `gateway.toml` and the data directory `data`.
    pub(crate) directory: TempDir,
    /// Where API and pages are.
    pub(crate) port: u16,
    process: Option<Process>,
}

impl EdgeBox {
    /// Writes the configuration; the box doesn't run yet.
    pub(crate) fn new(neighbours: &Neighbours) -> Self {
        Self::with(|data, port| configuration(neighbours, data, port))
    }

    /// Writes a configuration for a data directory and a port; the box doesn't run yet.
    pub(crate) fn with(configuration: impl FnOnce(&Path, u16) -> String) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let port = free_port();
        let place = directory.path().join("data");
        std::fs::write(directory.path().join("gateway.toml"), configuration(&place, port)).unwrap();
        Self { directory, port, process: None }
    }

    /// Starts it with the plant's time and waits until it answers.
    pub(crate) fn start(&mut self, time: PlantTime) {
        self.launch(time);
        self.wait_until_ready();
    }

    /// Starts it and doesn't wait.
    pub(crate) fn launch(&mut self, time: PlantTime) {
        let mut command = parkgate();
        command.args(["run", "-c", "gateway.toml", "--speed", &SPEED.to_string(), "--from", &time.now().to_string()]);
        self.process = Some(Process::start("box", &mut command, self.directory.path()));
    }

    /// Waits until it answers.
    pub(crate) fn wait_until_ready(&mut self) {
        let accepts = self.process.as_mut().expect("the box runs").accepts(self.port);
        assert!(accepts, "the box does not start:\n{}", self.log());
    }

    /// Kills it the hard way.
    pub(crate) fn kill(&mut self) {
        self.process.take().expect("the box runs").kill();
    }

    /// Stops it as Ctrl-C does; returns its exit code.
    pub(crate) fn stop(&mut self) -> Option<i32> {
        self.process.take().expect("the box runs").interrupt().0
    }

    /// Where it keeps its store.
    pub(crate) fn data(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    /// Its health board, whether it is well or not.
    pub(crate) fn health(&self) -> Value {
        let (_, body) = try_http("GET", &format!("http://127.0.0.1:{}/api/v1/health", self.port), None)
            .unwrap_or_else(|| panic!("the box does not answer:\n{}", self.log()));
        serde_json::from_str(&body).unwrap()
    }

    /// One component of the health board.
    pub(crate) fn component(&self, name: &str) -> Value {
        self.health()["components"][name].clone()
    }

    /// What it logged.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.directory.path().join("box.log")).unwrap_or_default()
    }
}

/// The hub: its files and, while it runs, its process.
pub(crate) struct Hub {
    /// Its files: `hub.toml` and the data directory `data`.
    pub(crate) directory: TempDir,
    /// Where it serves.
    pub(crate) port: u16,
    process: Option<Process>,
}

impl Hub {
    /// Starts a hub that knows the factory.
    pub(crate) fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let port = free_port();
        let place = directory.path().join("data");
        std::fs::write(directory.path().join("hub.toml"), hub_configuration(&place, port)).unwrap();
        let mut hub = Self { directory, port, process: None };
        hub.start_again();
        hub
    }

    /// Starts it again on the same port with the data it has, and waits until it answers.
    pub(crate) fn start_again(&mut self) {
        self.launch();
        self.wait_until_ready();
    }

    /// Starts it again and doesn't wait.
    pub(crate) fn launch(&mut self) {
        let mut command = parkgate();
        command.args(["hub", "-c", "hub.toml"]);
        self.process = Some(Process::start("hub", &mut command, self.directory.path()));
    }

    /// Waits until it answers.
    pub(crate) fn wait_until_ready(&mut self) {
        let accepts = self.process.as_mut().expect("the hub runs").accepts(self.port);
        assert!(accepts, "the hub does not start:\n{}", self.log());
    }

    /// Kills it the hard way.
    pub(crate) fn kill(&mut self) {
        self.process.take().expect("the hub runs").kill();
    }

    /// Stops it as Ctrl-C does, so that its database is one file.
    pub(crate) fn stop(&mut self) {
        self.process.take().expect("the hub runs").interrupt();
    }

    /// Its database.
    pub(crate) fn database(&self) -> PathBuf {
        self.directory.path().join("data/hub.db")
    }

    /// What it logged.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.directory.path().join("hub.log")).unwrap_or_default()
    }
}

/// The figures of one scope and KPI at `port`, for the windows of `grain` within the minutes after the origin.
pub(crate) fn figures(port: u16, scope: &str, kpi: &str, grain: &str, minutes: std::ops::Range<i64>) -> Vec<Value> {
    let (from, to) = (at(minutes.start as f64), at(minutes.end as f64));
    let url =
        format!("http://127.0.0.1:{port}/api/v1/values?scope={scope}&kpi={kpi}&grain={grain}&from={from}&to={to}");
    get_json(&url)["figures"].as_array().unwrap().clone()
}

/// The one figure of a window, once that window is closed.
pub(crate) fn closed_figure(port: u16, scope: &str, kpi: &str, grain: &str, minutes: std::ops::Range<i64>) -> Value {
    eventually(&format!("{kpi} of {scope} to be closed"), Duration::from_secs(30), || {
        let found = figures(port, scope, kpi, grain, minutes.clone());
        assert!(found.len() <= 1, "{found:?}");
        found.into_iter().find(|figure| figure["closed"] == true)
    })
}

/// A page as a store holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StoredPage {
    /// Number within stream and epoch.
    pub(crate) seq: i64,
    /// The bytes that were signed.
    pub(crate) bytes: Vec<u8>,
    /// The detached signature.
    pub(crate) jws: String,
}

/// The pages of a box's database `parkgate.db` or a hub's `hub.db`, in the order of their numbers; equal numbers would show twice.
pub(crate) fn pages(database: &Path) -> Vec<StoredPage> {
    let table = if database.ends_with("hub.db") { "page" } else { "pages" };
    let connection = rusqlite::Connection::open(database).unwrap();
    let mut statement =
        connection.prepare(&format!("SELECT seq, bytes, jws FROM {table} ORDER BY epoch, seq, rowid")).unwrap();
    let rows = statement
        .query_map([], |row| Ok(StoredPage { seq: row.get(0)?, bytes: row.get(1)?, jws: row.get(2)? }))
        .unwrap();
    rows.map(Result::unwrap).collect()
}

/// What `parkgate verify` says of a database, with its exit code.
pub(crate) fn verify(database: &Path) -> (Option<i32>, String) {
    let output = parkgate().arg("verify").arg(database).output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8_lossy(&said).into_owned())
}

fn configuration(neighbours: &Neighbours, data: &Path, port: u16) -> String {
    let Neighbours { modbus, mqtt, hub, influx, copies, grain } = neighbours;
    let mut text = format!(
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
url   = "mqtt://127.0.0.1:{mqtt}"
topic = [{{ filter = "floor/{{device}}/{{point}}", format = "json", value = "$.v", time = "$.ts" }}]
point = [
  {{ name = "press-1.state", states = {{ run = "producing", fault = "fault", idle = "idle" }}, hold = "2h" }},
  {{ name = "press-1.total", kind = "counter", hold = "10min" }},
  {{ name = "press-1.scrap", kind = "counter", hold = "10min" }},
  {{ name = "line-1.kwh", kind = "interval", period = "1min", unit = "kWh" }},
]

[[asset]]
id       = "site"
level    = "site"
boundary = {{ electricity = ["{boundary}"] }}

[[asset]]
id       = "line-1"
level    = "line"
exit     = "press-1"
boundary = {{ electricity = ["floor.line-1.kwh"] }}

[[asset]]
id     = "press-1"
parent = "line-1"
state  = "floor.press-1.state"
total  = "floor.press-1.total"
scrap  = "floor.press-1.scrap"
planned_run_time_per_unit = "1.5s"

[records]
grains = ["15min"]

[[sink]]
type  = "platform"
name  = "park"
url   = "http://127.0.0.1:{hub}"
timeout = "1s"
share = {{ kpis = ["oee", "availability", "quality_ratio", "electricity", "scope_2"], level = "unit", grain = "{grain}" }}
"#,
        data = data.display(),
        boundary = if modbus.is_some() { "meter.power" } else { "floor.line-1.kwh" },
    );
    if let Some(modbus) = modbus {
        text.push_str(&format!(
            r#"
[[source]]
type  = "modbus"
name  = "meter"
url   = "tcp://127.0.0.1:{modbus}"
unit  = 1
every = "30s"
point = [
  {{ name = "power", address = 100, table = "holding", type = "uint16", unit = "kW" }},
  {{ name = "parts", address = 200, table = "input", type = "uint32", kind = "counter" }},
]

[[asset]]
id    = "packer"
level = "unit"
total = "meter.parts"
"#
        ));
    }
    if let Some(influx) = influx {
        text.push_str(&format!(
            r#"
[[sink]]
type   = "influxdb2"
name   = "history"
url    = "http://127.0.0.1:{influx}"
org    = "factory"
bucket = "kpi"
timeout = "1s"
"#
        ));
    }
    if let Some(copies) = copies {
        text.push_str(&format!(
            r#"
[[sink]]
type    = "mqtt"
name    = "copies"
url     = "mqtt://127.0.0.1:{copies}"
timeout = "1s"
"#
        ));
    }
    text
}

fn hub_configuration(data: &Path, port: u16) -> String {
    format!(
        r#"
[hub]
data_dir = "{data}"
name     = "Ban quản lý khu công nghiệp"
timezone = "Asia/Ho_Chi_Minh"

[http]
listen = "127.0.0.1:{port}"

[[park]]
id       = "park-1"
name     = "Khu công nghiệp 1"
province = "ho-chi-minh"

[[site]]
id         = "site-1"
park       = "park-1"
enterprise = "9900000016"
name       = "Nhà máy 1"

[[gateway]]
id   = "box-1"
site = "site-1"
"#,
        data = data.display(),
    )
}
