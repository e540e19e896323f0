//! The pages in a real browser: Chromium shows what the server made, and its script keeps the figures moving.

use std::process::{Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

use crate::harness::{ModbusServer, Process, chromium, eventually, parkgate, try_http};

/// Opens a page, lets its script run, and returns the document as it then is, and what the browser had to complain about.
/// The browser's clock runs ahead as fast as answers come, so ten minutes of refreshing take seconds.
fn open(url: &str) -> (String, String) {
    let profile = tempfile::tempdir().unwrap();
    let output = Command::new(chromium())
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"])
        .args(["--disable-component-update", "--disable-sync", "--enable-logging=stderr"])
        .arg(format!("--user-data-dir={}", profile.path().display()))
        .args(["--virtual-time-budget=600000", "--dump-dom", url])
        .stdin(Stdio::null())
        .output()
        .expect("chromium starts: tests/run installs it");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{}", text(&output.stderr));
    let complaints =
        text(&output.stderr).lines().filter(|line| line.contains("CONSOLE")).collect::<Vec<_>>().join("\n");
    (text(&output.stdout), complaints)
}

/// Returns what stands between two texts.
fn between<'a>(text: &'a str, before: &str, after: &str) -> &'a str {
    let (_, rest) = text.split_once(before).unwrap_or_else(|| panic!("no {before} in {text}"));
    rest.split_once(after).unwrap_or_else(|| panic!("no {after} after {before}")).0
}

/// A box that reads a power meter and a machine ten times a second.
struct TestBox {
    url: String,
    _process: Process,
    _meter: ModbusServer,
    _directory: TempDir,
}

impl TestBox {
    fn start() -> Self {
        let mut meter = ModbusServer::start();
        meter.set("holding", 0, &[60, 1]);
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("gateway.toml");
        let (process, port) = Process::serve("parkgate", directory.path(), |port| {
            std::fs::write(&file, configuration(directory.path(), meter.port, port)).unwrap();
            let mut command = parkgate();
            command.arg("run").arg("-c").arg(&file);
            command
        });
        let url = format!("http://127.0.0.1:{port}");
        Self { url, _process: process, _meter: meter, _directory: directory }
    }
}

fn configuration(directory: &std::path::Path, meter: u16, port: u16) -> String {
    format!(
        r#"
[gateway]
id = "tt-0042"
enterprise = "9900000016"
park = "tan-thuan"
site = "tt-main"
timezone = "Asia/Ho_Chi_Minh"
data_dir = "{}"

[http]
listen = "127.0.0.1:{port}"

[[source]]
type = "modbus"
name = "press-1"
url = "tcp://127.0.0.1:{meter}"
unit = 1
every = "100ms"
point = [
  {{ name = "power", address = "40001", type = "uint16", unit = "kW" }},
  {{ name = "state", address = "40002", type = "uint16", states = {{ 0 = "idle", 1 = "producing" }} }},
]

# Nobody listens there: what can't be delivered is told too.
[[sink]]
type = "platform"
name = "hepza"
url = "http://127.0.0.1:1"
share = {{ kpis = ["electricity"], level = "site", grain = "hour" }}

[[asset]]
id = "site"
level = "site"
name = "Nhà máy Thử"
state = "press-1.state"
boundary = {{ electricity = ["press-1.power"] }}

[[asset]]
id = "press-1"
parent = "site"
level = "unit"
name = "Máy dập 1"
state = "press-1.state"
"#,
        directory.join("data").display()
    )
}

#[test]
#[ignore = "needs chromium and pymodbus; run by tests/run"]
fn a_browser_shows_the_box_and_its_script_keeps_the_figures_moving() {
    let server = TestBox::start();
    let live = format!("{}/live", server.url);
    eventually("samples on the page", Duration::from_secs(30), || {
        try_http("GET", &live, None).filter(|(_, page)| page.contains("đang sản xuất"))
    });
    let (document, complaints) = open(&format!("{}/", server.url));
    assert_eq!(complaints, "");
    assert!(document.contains("<h1>Nhà máy Thử</h1>") && document.contains("Máy dập 1"), "{document}");
    assert!(document.contains("id=\"stale\" class=\"banner bad\" role=\"status\" hidden"), "{document}");
    // Day and time in the order of a clock, so that they compare.
    let loaded = between(&document, "<time id=\"loaded\">", "</time>");
    let shown = between(&document, "Giờ nhà máy <time>", "</time>");
    assert!(
        loaded < shown || loaded.starts_with("23:59") || loaded.starts_with("00:00"),
        "loaded {loaded}, shown {shown}"
    );
}

#[test]
#[ignore = "needs chromium and pymodbus; run by tests/run"]
fn a_browser_shows_the_documentation_without_a_network() {
    let server = TestBox::start();
    let (document, _) = open(&format!("{}/docs/", server.url));
    assert!(document.contains("/api/v1/values") && document.contains("Returns the KPIs of one scope"), "{document}");
}

#[test]
#[ignore = "needs chromium and pymodbus; run by tests/run"]
fn a_browser_shows_what_left_the_box_and_how_it_was_answered() {
    let server = TestBox::start();
    let egress = format!("{}/egress?lang=en", server.url);
    eventually("an attempt on the page", Duration::from_secs(30), || {
        try_http("GET", &egress, None).filter(|(_, page)| page.contains("127.0.0.1:1"))
    });
    let (document, complaints) = open(&egress);
    assert_eq!(complaints, "");
    for words in
        ["<h1>What left the factory</h1>", "electricity_substituted_micro_kwh", "hepza/1/1", "not acknowledged"]
    {
        assert!(document.contains(words), "{words}: {document}");
    }
}
