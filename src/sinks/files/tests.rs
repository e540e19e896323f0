//! The sink against a directory: what is in it at the end, whatever happened in between.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::encode::{Channel, Station, cycle, number_at};
use super::{config::FilesSink, newest_cycle, run, slots};
use crate::model::fact::{FactRow, Facts, Measure};
use crate::model::id::{AssetId, Digest};
use crate::model::pollutant::Parameter;
use crate::model::time::{MINUTE_MS, Timestamp};
use crate::runtime::clock::Clock;
use crate::runtime::health::{Health, Status};
use crate::store::{Commit, Outcome, Store};

const WAIT: Duration = Duration::from_secs(20);

/// 12:00 in Viet Nam on the first day of 2026.
fn noon() -> Timestamp {
    "2026-01-01T12:00:00+07:00".parse().unwrap()
}

fn asset(name: &str) -> AssetId {
    AssetId::new(name).unwrap()
}

/// One minute of a channel whose value was measured in all of it.
fn minute(name: &str, at: Timestamp, value: i128) -> FactRow {
    let ms = i128::from(MINUTE_MS);
    let facts: Facts =
        [(Measure::ChannelExpected, ms), (Measure::ValidTime, ms), (Measure::ValueTime, value * 1_000_000 * ms)]
            .into_iter()
            .collect();
    FactRow { asset: asset(name), minute: at, facts }
}

/// A box whose sink writes below a directory; the clock stands a day after noon.
struct Plant {
    store: Store,
    wake: watch::Sender<u64>,
    health: Health,
    root: tempfile::TempDir,
}

impl Plant {
    fn new() -> Self {
        let store = Store::open_in_memory(&[], Digest::ZERO, "").unwrap();
        let (wake, health) = (watch::Sender::new(0), Health::default());
        let plant = Self { store, wake, health, root: tempfile::tempdir().unwrap() };
        // The sink has worked until noon.
        plant.store.cursors().unwrap().set("donre.NUO001", number_at(noon()) - 1).unwrap();
        plant
    }

    fn close(&mut self, rows: &[FactRow]) {
        self.store.commit(&Commit { facts: rows, ..Commit::default() }).unwrap();
        self.wake.send_modify(|count| *count += 1);
    }

    /// Closes every minute of so many cycles after noon; the n-th has the value n.
    fn close_cycles(&mut self, cycles: i64) {
        let minutes = (0..cycles * 5).flat_map(|number| {
            let at = noon() + number * MINUTE_MS;
            let value = i128::from(number / 5 + 1);
            ["cod", "tss"].map(|name| minute(name, at, value))
        });
        self.close(&minutes.collect::<Vec<_>>());
    }

    fn start(&self, directory: &Path, accepted: bool) -> (JoinHandle<()>, CancellationToken) {
        let accepted = if accepted { "accepted = \"letter 12, 2026-01-01\"\n" } else { "" };
        let text = format!(
            "name = \"donre\"\ndirectory = {directory:?}\nprovince = \"HN\"\nfacility = \"ABCD\"\n{accepted}\
             station = [{{ name = \"NUO001\", channels = [{{ id = \"cod\" }}, {{ id = \"tss\" }}] }}]"
        );
        let config: FilesSink = toml::from_str(&text).unwrap();
        let stations = config.stations(|id| Parameter::from_name(id.as_str()));
        let (token, clock) = (CancellationToken::new(), Clock::scaled(noon() + 24 * 60 * MINUTE_MS, 1.0));
        let cursors = Arc::new(Mutex::new(self.store.cursors().unwrap()));
        let health = self.health.clone();
        let sink =
            run(config, stations, self.store.reader(), cursors, self.wake.subscribe(), clock, health, token.clone());
        (tokio::spawn(sink), token)
    }

    async fn until_cursor(&self, cycles: u64) {
        let (reader, through) = (self.store.reader(), number_at(noon()) - 1 + cycles);
        until("the cursor", || (reader.cursor("donre.NUO001").unwrap() == through).then_some(())).await;
    }
}

/// Looks again whenever other tasks had their turn.
async fn until<T>(what: &str, look: impl Fn() -> Option<T>) -> T {
    let found = async {
        loop {
            match look() {
                Some(found) => return found,
                None => tokio::task::yield_now().await,
            }
        }
    };
    timeout(WAIT, found).await.unwrap_or_else(|_| panic!("never: {what}"))
}

/// Returns every file below a directory, by path.
fn tree(root: &Path) -> BTreeMap<String, String> {
    let (mut files, mut open) = (BTreeMap::new(), vec![root.to_owned()]);
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else {
                let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
                files.insert(name, std::fs::read_to_string(&path).unwrap());
            }
        }
    }
    files
}

/// What a directory holds after so many cycles.
fn expected(cycles: i64) -> BTreeMap<String, String> {
    let file = |number: i64| {
        let at = format!("20260101{:02}{:02}00", 12 + (number * 5) / 60, (number * 5) % 60);
        let line = |symbol: &str| format!("{symbol}\t{number}.00\tmg/L\t{at}\t00\r\n");
        (format!("NUO001/2026/01/01/HN_ABCD_NUO001_{at}.txt"), line("COD") + &line("TSS"))
    };
    (1..=cycles).map(file).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn after_an_outage_every_file_is_written_once_and_in_order() {
    let mut plant = Plant::new();
    // A file stands where the directory should be.
    let directory = plant.root.path().join("spool");
    std::fs::write(&directory, "").unwrap();
    plant.close_cycles(20);
    let (sink, token) = plant.start(&directory, true);
    let health = plant.health.clone();
    let status = || health.snapshot().get("sink.donre.NUO001").map(|sink| (sink.status, sink.detail.clone()));
    let detail = until("a degraded sink", || status().filter(|(status, _)| *status == Status::Degraded)).await.1;
    assert!(detail.contains("spool can't be written"), "{detail}");
    std::fs::remove_file(&directory).unwrap();
    plant.until_cursor(20).await;
    assert_eq!(tree(&directory), expected(20));
    until("a sink that is well", || status().filter(|(status, _)| *status == Status::Ok)).await;
    token.cancel();
    timeout(WAIT, sink).await.unwrap().unwrap();
    let exchanges = plant.store.reader().exchanges(Some("donre.NUO001"), 0, 100).unwrap();
    let ended = |outcome| exchanges.iter().filter(move |(_, it)| it.outcome == outcome).map(|(_, it)| it);
    let names: Vec<String> = ended(Outcome::Acknowledged).filter_map(|it| it.name.clone()).collect();
    assert_eq!(names, expected(20).into_keys().collect::<Vec<_>>());
    assert!(ended(Outcome::Failed).count() >= 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_box_that_stopped_between_file_and_cursor_writes_the_same_file_again() {
    let mut plant = Plant::new();
    let directory = plant.root.path().join("spool");
    plant.close_cycles(3);
    for _ in 0..2 {
        plant.store.cursors().unwrap().set("donre.NUO001", number_at(noon()) - 1).unwrap();
        let (sink, token) = plant.start(&directory, true);
        plant.until_cursor(3).await;
        token.cancel();
        timeout(WAIT, sink).await.unwrap().unwrap();
        assert_eq!(tree(&directory), expected(3));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_written_before_the_department_accepted_a_sample() {
    let mut plant = Plant::new();
    let directory = plant.root.path().join("spool");
    plant.close_cycles(3);
    let (sink, token) = plant.start(&directory, false);
    let health = plant.health.clone();
    let shown = until("a sink on the board", || health.snapshot().get("sink.donre").cloned()).await;
    assert_eq!(shown.status, Status::Degraded);
    assert!(shown.detail.starts_with("waits for acceptance"), "{}", shown.detail);
    token.cancel();
    timeout(WAIT, sink).await.unwrap().unwrap();
    assert!(!directory.exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_file_is_of_the_first_whole_cycle() {
    let plant = Plant::new();
    plant.store.cursors().unwrap().set("donre.NUO001", 0).unwrap();
    let (sink, token) = plant.start(&plant.root.path().join("spool"), true);
    let reader = plant.store.reader();
    let cursor = until("a cursor", || Some(reader.cursor("donre.NUO001").unwrap()).filter(|cursor| *cursor > 0)).await;
    assert_eq!(cursor, number_at(noon() + 24 * 60 * MINUTE_MS));
    token.cancel();
    timeout(WAIT, sink).await.unwrap().unwrap();
}

#[test]
fn a_cycle_is_over_when_every_channel_closed_its_last_minute_and_silence_is_a_fault() {
    let mut plant = Plant::new();
    let channel = |name: &str| Channel { asset: asset(name), symbol: String::new(), unit: String::new() };
    let station = Station { name: "NUO001".to_owned(), channels: vec![channel("cod"), channel("tss")] };
    let reader = plant.store.reader();
    let noon_cycle = cycle(number_at(noon()));
    plant.close(&[minute("cod", noon() + 4 * MINUTE_MS, 8)]);
    assert_eq!(slots(&reader, &station, noon_cycle).unwrap(), None);
    assert_eq!(newest_cycle(&reader, &station).unwrap(), None);
    plant.close(&[minute("tss", noon() + 3 * MINUTE_MS, 8)]);
    assert_eq!(slots(&reader, &station, noon_cycle).unwrap(), None);
    assert_eq!(newest_cycle(&reader, &station).unwrap(), Some(cycle(number_at(noon()) - 1)));
    let facts: Facts = [(Measure::ChannelExpected, i128::from(MINUTE_MS))].into_iter().collect();
    plant.close(&[FactRow { asset: asset("tss"), minute: noon() + 9 * MINUTE_MS, facts }]);
    let found = slots(&reader, &station, noon_cycle).unwrap().unwrap();
    assert_eq!(found[0].mean_micro, Some(8_000_000));
    assert_eq!(found[1].mean_micro, Some(8_000_000));
    assert_eq!(newest_cycle(&reader, &station).unwrap(), Some(noon_cycle));
    let next = slots(&reader, &Station { channels: vec![channel("tss")], ..station }, cycle(number_at(noon()) + 1));
    let silent = next.unwrap().unwrap()[0];
    assert_eq!((silent.mean_micro, silent.status.code()), (None, "02"));
}
