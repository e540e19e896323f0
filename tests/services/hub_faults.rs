//! A hub that is down, slow, refuses, hangs up halfway, was restored from an older backup, or holds another chain.

use std::path::Path;
use std::time::Duration;

use serde_json::json;

use crate::fault_proxy::{FaultProxy, Mode};
use crate::harness::{Mosquitto, Publisher, eventually, http};
use crate::plant::{EdgeBox, Hub, Neighbours, PlantTime, pages, verify};

/// Long enough for a few attempts with back-off in between.
const PATIENCE: Duration = Duration::from_secs(60);

/// A broker, a hub behind a proxy, and a box that reports every minute.
struct Park {
    broker: Mosquitto,
    hub: Hub,
    proxy: FaultProxy,
    edge: EdgeBox,
    time: PlantTime,
}

impl Park {
    fn start() -> Self {
        let broker = Mosquitto::start();
        let hub = Hub::start();
        let proxy = FaultProxy::start(hub.port);
        let mut edge = EdgeBox::new(&Neighbours {
            modbus: None,
            mqtt: broker.port,
            hub: proxy.port,
            influx: None,
            copies: None,
            grain: "minute",
        });
        let time = PlantTime::start();
        edge.start(time);
        Self { broker, hub, proxy, edge, time }
    }

    /// How many pages the box has cut.
    fn cut(&self) -> usize {
        pages(&self.edge.data().join("parkgate.db")).len()
    }

    /// How many pages the hub holds.
    fn held(&self) -> usize {
        pages(&self.hub.database()).len()
    }

    /// Waits until the box has cut so many more pages than now.
    fn wait_for_pages(&self, more: usize) {
        let before = self.cut();
        eventually("more pages", PATIENCE, || (self.cut() >= before + more).then_some(()));
    }

    /// Waits until the hub has caught up with the box and the box's sink says that it is well.
    fn wait_for_delivery(&self, after: &str) {
        let due = self.cut();
        eventually(&format!("the hub to have page {due} after {after}"), PATIENCE, || {
            (self.held() >= due).then_some(())
        });
        eventually(&format!("the sink to be well after {after}"), PATIENCE, || {
            (self.edge.component("sink.park")["status"] == "ok").then_some(())
        });
    }

    /// Waits until the sink has seen a fault.
    fn wait_for_fault(&self, fault: &str) {
        eventually(&format!("the sink to notice {fault}"), PATIENCE, || {
            let sink = self.edge.component("sink.park");
            (sink["status"] != "ok" && sink["detail"].as_str().is_some_and(|detail| !detail.is_empty())).then_some(())
        });
    }

    /// Stops both and compares what they hold.
    fn stop_and_compare(mut self) {
        // The last page may be on its way: stop the box first, let it deliver what it cut on its way out next time.
        assert_eq!(self.edge.stop(), Some(0), "{}", self.edge.log());
        self.hub.stop();
        let (kept, held) = (pages(&self.edge.data().join("parkgate.db")), pages(&self.hub.database()));
        assert_eq!(held[..], kept[..held.len()], "the hub holds the box's pages, in order, each once");
        assert!(kept.len() - held.len() <= 2, "{} pages are cut, the hub holds {}", kept.len(), held.len());
        let (code, said) = verify(&self.hub.database());
        assert_eq!(code, Some(0), "{said}");
    }
}

#[test]
#[ignore = "needs mosquitto; run by tests/run"]
fn whatever_the_hub_does_nothing_is_lost_and_nothing_is_doubled() {
    let park = Park::start();
    park.wait_for_pages(2);
    park.wait_for_delivery("a good start");
    for fault in [
        Mode::Cut,
        Mode::Stall,
        Mode::CloseHalfway,
        Mode::Answer("401 Unauthorized", &[]),
        Mode::Answer("429 Too Many Requests", &["retry-after: 2"]),
        Mode::Answer("503 Service Unavailable", &["retry-after: 1"]),
        Mode::Answer("500 Internal Server Error", &[]),
    ] {
        park.proxy.set(fault.clone());
        park.wait_for_pages(2);
        park.wait_for_fault(&format!("{fault:?}"));
        park.proxy.set(Mode::Pass);
        park.wait_for_delivery(&format!("{fault:?}"));
    }
    park.stop_and_compare();
}

#[test]
#[ignore = "needs mosquitto; run by tests/run"]
fn retry_after_is_respected() {
    let park = Park::start();
    park.wait_for_pages(1);
    park.wait_for_delivery("a good start");
    park.proxy.set(Mode::Answer("503 Service Unavailable", &["retry-after: 4"]));
    park.wait_for_fault("503");
    let attempts = park.proxy.connections();
    // Well within the four seconds after the first refusal, though three minutes close meanwhile.
    std::thread::sleep(Duration::from_millis(2500));
    assert_eq!(park.proxy.connections(), attempts, "the box asks again before it may");
    eventually("the next attempt", PATIENCE, || (park.proxy.connections() > attempts).then_some(()));
}

#[test]
#[ignore = "needs mosquitto; run by tests/run"]
fn a_hub_restored_from_an_older_backup_gets_the_missing_pages_again() {
    let mut park = Park::start();
    park.wait_for_pages(3);
    park.wait_for_delivery("a good start");
    let copy = tempfile::tempdir().unwrap();
    let backup = copy.path().join("hub.db");
    // As an operator makes it, while the hub works.
    let live = rusqlite::Connection::open(park.hub.database()).unwrap();
    live.execute("VACUUM INTO ?1", [backup.to_str().unwrap()]).unwrap();
    drop(live);
    let held = pages(&backup).len();
    park.wait_for_pages(4);
    park.wait_for_delivery("the backup");
    assert!(park.held() >= held + 4);
    park.hub.stop();
    restore(&backup, &park.hub.database());
    assert_eq!(park.held(), held, "the restored hub knows nothing of what came after its backup");
    park.hub.start_again();
    park.wait_for_pages(1);
    park.wait_for_delivery("the restore");
    park.stop_and_compare();
}

#[test]
#[ignore = "needs mosquitto; run by tests/run"]
fn a_box_restored_from_an_older_copy_forks_and_its_stream_stops_and_shows() {
    let mut park = Park::start();
    park.wait_for_pages(2);
    park.wait_for_delivery("a good start");
    assert_eq!(park.edge.stop(), Some(0));
    let copy = tempfile::tempdir().unwrap();
    copy_files(&park.edge.data(), copy.path());
    park.edge.start(park.time);
    park.wait_for_pages(3);
    park.wait_for_delivery("the copy");
    assert_eq!(park.edge.stop(), Some(0));
    let held = pages(&park.hub.database());

    std::fs::remove_dir_all(park.edge.data()).unwrap();
    copy_files(copy.path(), &park.edge.data());
    park.edge.start(park.time);
    eventually("the fork to show", PATIENCE, || {
        let sink = park.edge.component("sink.park");
        let detail = sink["detail"].as_str().unwrap_or_default();
        (sink["status"] == "failed" && detail.contains("fork")).then_some(())
    });
    let (status, _) = http("GET", &format!("http://127.0.0.1:{}/api/v1/health", park.edge.port), None);
    assert_eq!(status, 503, "a probe notices the fork");
    let attempts = park.proxy.connections();
    park.wait_for_pages(2);
    assert_eq!(park.proxy.connections(), attempts, "nothing is sent on a stream that forked");
    assert_eq!(pages(&park.hub.database()), held, "what the hub holds is what came first");
    // The box goes on measuring: the stream is stopped, not the factory.
    let stored = || {
        let connection = rusqlite::Connection::open(park.edge.data().join("parkgate.db")).unwrap();
        connection
            .query_row("SELECT coalesce(max(samples_total), 0) FROM commits", [], |row| row.get::<_, i64>(0))
            .unwrap()
    };
    let before = stored();
    let publisher = Publisher::connect(park.broker.port, "floor");
    publisher.publish("floor/line-1/kwh", &json!({ "v": 1.0, "ts": park.time.now().minute() }).to_string());
    eventually("a sample to be stored", PATIENCE, || (stored() > before).then_some(()));
    settle_by_a_new_epoch(park, held.len());
}

/// The operator raises the epoch: the stream goes on after the last common page, and what the hub never took comes with it.
fn settle_by_a_new_epoch(mut park: Park, held: usize) {
    assert_eq!(park.edge.stop(), Some(0));
    let config = park.edge.directory.path().join("gateway.toml");
    let text = std::fs::read_to_string(&config).unwrap();
    let raised = text.replacen("timeout = \"1s\"\nshare", "timeout = \"1s\"\nepoch = 2\nshare", 1);
    assert_ne!(raised, text);
    std::fs::write(&config, raised).unwrap();
    park.edge.start(park.time);
    eventually("the hub to take the new epoch", PATIENCE, || (park.held() >= held + 3).then_some(()));
    eventually("the sink to be well", PATIENCE, || (park.edge.component("sink.park")["status"] == "ok").then_some(()));
    assert_eq!(park.edge.stop(), Some(0), "{}", park.edge.log());
    park.hub.stop();
    for database in [park.hub.database(), park.edge.data().join("parkgate.db")] {
        let (code, said) = verify(&database);
        assert_eq!(code, Some(0), "{said}");
    }
    let read = |database: &Path| -> Vec<serde_json::Value> {
        pages(database).iter().map(|page| serde_json::from_slice(&page.bytes).unwrap()).collect()
    };
    let (own, taken) = (read(&park.edge.data().join("parkgate.db")), read(&park.hub.database()));
    let first = own.iter().find(|page| page["epoch"] == 2 && page["seq"] == 1).unwrap();
    let common = taken.iter().filter(|page| page["epoch"] == 1 && own.contains(page)).count();
    let last_common = &own[common - 1];
    assert_eq!(
        (&last_common["epoch"], &last_common["seq"]),
        (&json!(1), &json!(common)),
        "the chains share their start"
    );
    assert_eq!(own[common]["prev"], first["prev"], "both continue the last common page");
    let names = |page: &serde_json::Value| -> Vec<String> {
        let records = page["records"].as_array().unwrap().iter();
        records.map(|record| format!("{} {} {}", record["asset"], record["window"], record["revision"])).collect()
    };
    let again: Vec<String> = own.iter().filter(|page| page["epoch"] == 2).flat_map(names).collect();
    let never_taken: Vec<String> = own[common..].iter().filter(|page| page["epoch"] == 1).flat_map(names).collect();
    assert!(!never_taken.is_empty());
    for name in never_taken {
        assert_eq!(again.iter().filter(|other| **other == name).count(), 1, "{name} comes once in the new epoch");
    }
}

/// Puts a database in the place of another, without what may be left of the other's log.
fn restore(from: &Path, to: &Path) {
    for suffix in ["-wal", "-shm"] {
        let mut name = to.as_os_str().to_owned();
        name.push(suffix);
        let _ = std::fs::remove_file(name);
    }
    std::fs::copy(from, to).unwrap();
}

fn copy_files(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}
