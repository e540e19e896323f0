//! From the box to the hub while what may leave changes: a wider share waits for the factory's word, another key takes over,
//! and a withdrawal holds at once.

use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use crate::harness::{ModbusServer, eventually, get_json, parkgate};
use crate::plant::{EdgeBox, Hub, PlantTime, StoredPage, pages, verify};

const NARROW: &str = r#"kpis = ["electricity"], level = "site""#;
const WIDE: &str = r#"kpis = ["availability", "electricity"], level = "unit""#;

fn configuration(data: &Path, port: u16, meter: u16, hub: u16, share: &str) -> String {
    format!(
        r#"
[gateway]
id         = "box-1"
enterprise = "9900000016"
park       = "park-1"
site       = "site-1"
timezone   = "Asia/Ho_Chi_Minh"
data_dir   = "{}"

[http]
listen = "127.0.0.1:{port}"

[[source]]
type  = "modbus"
name  = "meter"
url   = "tcp://127.0.0.1:{meter}"
unit  = 1
every = "30s"
point = [
  {{ name = "power", address = "40001", type = "uint16", unit = "kW" }},
  {{ name = "state", address = "40002", type = "uint16", states = {{ 0 = "idle", 1 = "producing" }} }},
]

[[asset]]
id       = "site"
level    = "site"
boundary = {{ electricity = ["meter.power"] }}

[[asset]]
id     = "press-1"
parent = "site"
level  = "unit"
state  = "meter.state"

[[sink]]
type    = "platform"
name    = "park"
url     = "http://127.0.0.1:{hub}"
timeout = "1s"
share   = {{ {share}, grain = "5min" }}
"#,
        data.display()
    )
}

/// What the hub's pages hold.
fn held(hub: &Hub) -> Vec<Value> {
    pages(&hub.database()).iter().map(|page: &StoredPage| serde_json::from_slice(&page.bytes).unwrap()).collect()
}

/// Waits until the hub holds so many pages of records more, and returns all of its pages.
fn after_records(hub: &Hub, more: usize) -> Vec<Value> {
    let records = |pages: &[Value]| pages.iter().filter(|page| page["kind"] == "records").count();
    let before = records(&held(hub));
    eventually("pages at the hub", Duration::from_secs(60), || {
        Some(held(hub)).filter(|pages| records(pages) >= before + more)
    })
}

/// Whether a page holds an asset, a KPI or a fact that only the wide share lets out.
fn is_beyond_narrow(page: &Value) -> bool {
    let text = page["records"].to_string();
    ["press-1", "availability", "apt_ms", "adot_ms"].iter().any(|word| text.contains(word))
}

fn says(edge: &EdgeBox, arguments: &[&str]) -> String {
    let output = parkgate().args(arguments).current_dir(edge.directory.path()).output().unwrap();
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success(), "{arguments:?}: {said}");
    said
}

#[test]
#[ignore = "needs pymodbus; run by tests/run"]
fn nothing_of_a_wider_share_reaches_the_hub_before_the_factory_confirmed_it() {
    let mut meter = ModbusServer::start();
    meter.set("holding", 0, &[60, 1]);
    let mut hub = Hub::start();
    let (meter_port, hub_port) = (meter.port, hub.port);
    let mut edge = EdgeBox::with(|data, port| configuration(data, port, meter_port, hub_port, NARROW));
    let (time, data, port) = (PlantTime::start(), edge.data(), edge.port);
    let share = |edge: &mut EdgeBox, share: &str| {
        assert_eq!(edge.stop(), Some(0), "{}", edge.log());
        let text = configuration(&data, port, meter_port, hub_port, share);
        std::fs::write(edge.directory.path().join("gateway.toml"), text).unwrap();
        edge.start(time);
    };
    edge.start(time);
    after_records(&hub, 2);

    // More is asked for, and another key takes over.
    let key = says(&edge, &["key", "rotate"]);
    assert!(key.contains("takes over by the next page of each stream"), "{key}");
    share(&mut edge, WIDE);
    let detail = eventually("the share to wait", Duration::from_secs(30), || {
        let component = edge.component("share.park");
        component["detail"].as_str().filter(|_| component["status"] == "degraded").map(str::to_owned)
    });
    assert!(detail.contains("would newly leave: KPI availability; level unit instead of site; facts "), "{detail}");
    let before = after_records(&hub, 2);
    assert!(!before.iter().any(is_beyond_narrow), "{before:?}");
    let kinds: Vec<&str> =
        before.iter().filter_map(|page| page["kind"].as_str()).filter(|kind| *kind != "records").collect();
    assert_eq!(kinds, ["policy", "key"]);
    let waiting = get_json(&format!("http://127.0.0.1:{port}/api/v1/egress"))["waiting"][0].clone();
    assert_eq!(waiting["newly"]["kpis"][0], "availability");

    // The factory confirms it beside the running box.
    let said = says(&edge, &["egress", "confirm", "--sink", "park", "--by", "Lê An"]);
    assert!(said.contains("KPI availability") && said.contains("confirmed by Lê An"), "{said}");
    let after = after_records(&hub, 3);
    let (policies, first_wide): (Vec<usize>, Option<usize>) = (
        (0..after.len()).filter(|index| after[*index]["kind"] == "policy").collect(),
        after.iter().position(is_beyond_narrow),
    );
    assert_eq!(policies.len(), 2);
    assert!(first_wide.is_some_and(|first| first > policies[1]), "{first_wide:?} after {policies:?}");
    let told = says(&edge, &["egress"]);
    assert!(told.contains("confirmed by Lê An") && told.contains("its policy page was cut"), "{told}");
    let api = get_json(&format!("http://127.0.0.1:{port}/api/v1/egress")).to_string();
    assert!(!api.contains("Lê An"), "names stay on the box");

    // What is withdrawn stays inside from the next page on, and nobody is asked.
    share(&mut edge, NARROW);
    let last = after_records(&hub, 2);
    let withdrawn =
        (0..last.len()).filter(|index| last[*index]["kind"] == "policy").nth(2).expect("a third policy page");
    assert!(!last[withdrawn..].iter().any(is_beyond_narrow));
    assert_eq!(edge.component("share.park"), Value::Null);
    // The new key took the place of the old one, of which the public part stays.
    assert!(!data.join("gateway.key.next").exists());
    assert_eq!(edge.stop(), Some(0), "{}", edge.log());
    hub.stop();
    for database in [hub.database(), data.join("parkgate.db")] {
        let (code, said) = verify(&database);
        assert_eq!(code, Some(0), "{said}");
    }
}
