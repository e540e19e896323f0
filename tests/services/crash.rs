//! `kill -9` of box and hub at random moments of a run with traffic, while every destination fails at random: nothing is lost
//! and nothing counts twice, anywhere.
//!
//! `PARKGATE_TEST_KILLS` says how often each of the two is killed, `PARKGATE_TEST_SEED` repeats the moments of a run.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::{Value, json};

use crate::destinations::Destinations;
use crate::harness::{ModbusServer, Mosquitto, Publisher, eventually, parkgate};
use crate::plant::{EdgeBox, Hub, Neighbours, PlantTime, at, pages, verify};

/// How often each of the two is killed where nothing else is asked for.
const KILLS_EACH: u64 = 10;
/// The first minute that carries an amount.
const FIRST_MINUTE: u32 = 10;

#[test]
#[ignore = "needs mosquitto and pymodbus; run by tests/run"]
fn whatever_is_killed_or_fails_every_destination_holds_each_record_once_and_every_amount_counts_once() {
    let seed = asked("PARKGATE_TEST_SEED").unwrap_or(fastrand::u64(..));
    let kills = asked("PARKGATE_TEST_KILLS").unwrap_or(KILLS_EACH) as usize;
    eprintln!("repeat these moments with PARKGATE_TEST_SEED={seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let mut meter = ModbusServer::start();
    meter.set("holding", 100, &[144]);
    meter.set_u32("input", 200, 1_000_000);
    let broker = Mosquitto::start();
    let mut hub = Hub::start();
    let destinations = Destinations::start(hub.port);
    let mut edge = EdgeBox::new(&Neighbours {
        modbus: Some(meter.port),
        mqtt: broker.port,
        hub: destinations.hub.port,
        influx: Some(destinations.influx.port),
        copies: Some(destinations.broker.port),
        grain: "5min",
    });
    let time = PlantTime::start();
    edge.start(time);
    // From here on the broker keeps the session, and the counter's first value is known.
    for source in ["source.floor", "source.meter"] {
        eventually(source, Duration::from_secs(20), || (edge.component(source)["status"] == "ok").then_some(()));
    }
    time.wait_until(f64::from(FIRST_MINUTE) - 1.0);

    let floor = Floor { time, stop: AtomicBool::new(false) };
    let (sent, failures) = std::thread::scope(|scope| {
        let publishing = scope.spawn(|| floor.publish(&broker, &mut meter));
        let faults = random.fork();
        let failing = scope.spawn(|| destinations.fail_at_random(faults, &floor.stop));
        let mut order = ["box", "hub"].repeat(kills);
        random.shuffle(&mut order);
        for killed in order {
            std::thread::sleep(Duration::from_millis(random.u64(100..1200)));
            let dead = Duration::from_millis(random.u64(0..600));
            if killed == "box" {
                edge.kill();
                std::thread::sleep(dead);
                // Not every start is waited for, so that some are killed while they start.
                if random.bool() { edge.start(time) } else { edge.launch(time) }
            } else {
                hub.kill();
                std::thread::sleep(dead);
                if random.bool() { hub.start_again() } else { hub.launch() }
            }
        }
        floor.stop.store(true, Ordering::SeqCst);
        (publishing.join().unwrap(), failing.join().unwrap())
    });
    eprintln!("{} kills, {failures} failures of destinations", 2 * kills);
    assert!(failures > kills, "destinations failed");

    edge.wait_until_ready();
    hub.wait_until_ready();
    let database = edge.data().join("parkgate.db");
    destinations.fail_until(|sink| count(&database, &failures_of(sink)) > 0);
    let last_window = settle(&mut edge, &mut hub, time, sent.last_minute);
    stop_delivered(&mut edge, &hub, time, &destinations);
    hub.stop();
    let kept = pages(&edge.data().join("parkgate.db"));
    assert_eq!(pages(&hub.database()), kept, "the hub holds each of the box's pages once, byte for byte");
    assert!(kept.len() > 8 && sent.parts > 0 && sent.packed > 0, "there was traffic: {} pages", kept.len());
    assert!(kept.iter().map(|page| page.seq).eq(1..=kept.len() as i64), "no number is left out or used twice");
    for database in [hub.database(), edge.data().join("parkgate.db")] {
        let (code, said) = verify(&database);
        assert_eq!(code, Some(0), "{said}");
    }

    let records = records(&edge.data().join("parkgate.db"));
    assert_eq!(replayed(edge.directory.path()), printed(&records), "records equal the replay of the journal");
    destinations.compare(&records);
    check_exchanges(&edge.data().join("parkgate.db"), records.len(), kept.len());
    check_amounts(&records, &sent);
    check_coverage(&records, last_window);
}

/// Waits until everything that was sent lies in closed windows of every asset, what came late is in their revisions, and
/// the hub has every page of them; returns the start of the last window, in minutes after the origin.
fn settle(edge: &mut EdgeBox, hub: &mut Hub, time: PlantTime, last_minute: u32) -> u32 {
    let last_window = last_minute / 5 * 5;
    let database = edge.data().join("parkgate.db");
    let due = at(f64::from(last_window)).0;
    // Each asset closes by its own watermark.
    let open = format!(
        "SELECT count(*) FROM (SELECT asset FROM records WHERE grain = 1 GROUP BY asset HAVING max(start) < {due})"
    );
    eventually("the last window of every asset to be closed", Duration::from_secs(60), || {
        (count(&database, &open) == 0).then_some(())
    });
    // What was sent before a kill may come after it, and late data is revised at the next quarter of an hour.
    time.wait_until(f64::from(last_window + 5 + 2 + 16));
    eventually("the hub to have every page", Duration::from_secs(90), || {
        let cut = count(&database, "SELECT max(seq) FROM pages");
        (count(&hub.database(), "SELECT coalesce(max(head_seq), 0) FROM stream") >= cut).then_some(())
    });
    last_window
}

/// Stops the box when each destination holds all of its log. A window that closes between the look and the stop goes out after
/// the next start.
fn stop_delivered(edge: &mut EdgeBox, hub: &Hub, time: PlantTime, destinations: &Destinations) {
    let database = edge.data().join("parkgate.db");
    for _ in 0..10 {
        destinations.wait_for(|| records(&database));
        assert_eq!(edge.stop(), Some(0), "{}", edge.log());
        if destinations.has_all(&records(&database)) && pages(&hub.database()).len() == pages(&database).len() {
            return;
        }
        edge.start(time);
    }
    panic!("the box always stops before its last window is delivered");
}

/// The statement that counts a sink's failed exchanges.
fn failures_of(sink: &str) -> String {
    format!("SELECT count(*) FROM exchanges WHERE sink = '{sink}' AND outcome = 3")
}

/// A number that the environment may hold.
fn asked(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name}={text} is no number")))
}

fn count(database: &Path, statement: &str) -> i64 {
    let connection = rusqlite::Connection::open(database).unwrap();
    connection.busy_timeout(Duration::from_secs(5)).unwrap();
    connection.query_row(statement, [], |row| row.get(0)).unwrap()
}

/// What the floor does until it is told to stop.
struct Floor {
    time: PlantTime,
    stop: AtomicBool,
}

/// What was sent: the sums that must come out.
struct Sent {
    last_minute: u32,
    energy_micro_kwh: i64,
    parts: i64,
    scrap: i64,
    packed: i64,
}

impl Floor {
    /// Publishes once a plant minute: that minute's energy, and the press's counters; moves the polled counter too.
    fn publish(&self, broker: &Mosquitto, meter: &mut ModbusServer) -> Sent {
        let publisher = Publisher::connect(broker.port, "floor");
        let send = |point: &str, minute: u32, value: Value| {
            let payload = json!({ "v": value, "ts": at(f64::from(minute)) });
            publisher.publish(&format!("floor/{point}"), &payload.to_string());
        };
        let mut sent = Sent { last_minute: FIRST_MINUTE, energy_micro_kwh: 0, parts: 0, scrap: 0, packed: 0 };
        send("press-1/state", FIRST_MINUTE, json!("run"));
        for minute in FIRST_MINUTE.. {
            self.time.wait_until(f64::from(minute));
            let quarter_kwh = i64::from(minute % 7 + 1);
            sent.energy_micro_kwh += quarter_kwh * 250_000;
            // A state is believed for two hours.
            if minute % 60 == 0 {
                send("press-1/state", minute, json!("run"));
            }
            send("line-1/kwh", minute, json!(quarter_kwh as f64 / 4.0));
            if minute > FIRST_MINUTE {
                sent.parts += i64::from(minute % 5) * 3;
                sent.scrap += i64::from(minute % 2);
                sent.packed += i64::from(minute % 3) * 11;
            }
            send("press-1/total", minute, json!(5000 + sent.parts));
            send("press-1/scrap", minute, json!(70 + sent.scrap));
            meter.set_u32("input", 200, 1_000_000 + sent.packed as u32);
            sent.last_minute = minute;
            if self.stop.load(Ordering::SeqCst) {
                return sent;
            }
        }
        unreachable!("minutes don't end")
    }
}

/// The record log of a box, in the order in which it was written.
fn records(database: &Path) -> Vec<Value> {
    let connection = rusqlite::Connection::open(database).unwrap();
    let mut statement = connection.prepare("SELECT body FROM records ORDER BY log_seq").unwrap();
    let rows = statement.query_map([], |row| row.get::<_, String>(0)).unwrap();
    rows.map(|body| serde_json::from_str(&body.unwrap()).unwrap()).collect()
}

/// What one KPI of one window rests on and says; `BTreeMap` order is that of window, grain, asset, KPI and revision.
type Printed = BTreeMap<(String, String, String, String, u64), Value>;

/// What `parkgate replay` prints of the journal that a box kept.
fn replayed(directory: &Path) -> Printed {
    let output =
        parkgate().current_dir(directory).args(["replay", "--journal", "data", "-c", "gateway.toml"]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let lines = String::from_utf8(output.stdout).unwrap();
    let mut printed = Printed::new();
    for line in lines.lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        let text = |name: &str| line[name].as_str().unwrap().to_owned();
        let key = (text("start"), text("grain"), text("asset"), text("kpi"), line["revision"].as_u64().unwrap());
        let said = json!([
            line["end"],
            line["value"],
            line["reason"],
            line["coverage"],
            line["flags"],
            of_record(&line["factors"]),
            line["facts"],
            line["inputs_digest"]
        ]);
        assert!(printed.insert(key, said).is_none(), "{line} is printed twice");
    }
    printed
}

/// Factors as a record names them: a replay adds where each was read, and how surely.
fn of_record(factors: &Value) -> Value {
    let mut factors = factors.clone();
    for factor in factors.as_array_mut().unwrap() {
        factor.as_object_mut().unwrap().retain(|key, _| !["source", "grade"].contains(&key.as_str()));
    }
    factors
}

/// The same of the box's own records.
fn printed(records: &[Value]) -> Printed {
    let mut printed = Printed::new();
    for record in records {
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        for kpi in record["kpis"].as_array().unwrap() {
            let key = (
                text(&record["window"]["start"]),
                text(&record["grain"]),
                text(&record["asset"]),
                text(&kpi["kpi"]),
                record["revision"].as_u64().unwrap(),
            );
            let said = json!([
                record["window"]["end"],
                kpi["value"],
                kpi["reason"],
                kpi["coverage"],
                kpi["flags"],
                kpi["factors"],
                record["facts"],
                record["inputs_digest"]
            ]);
            assert!(printed.insert(key, said).is_none(), "{record} is logged twice");
        }
    }
    printed
}

/// The facts of an asset's 5-minute windows as last revised.
fn last_facts<'r>(records: &'r [Value], asset: &str) -> BTreeMap<&'r str, &'r Value> {
    let of_asset = records.iter().filter(|record| record["asset"] == asset && record["grain"] == "5min");
    // Later revisions follow earlier ones in the log.
    of_asset.map(|record| (record["window"]["start"].as_str().unwrap(), &record["facts"])).collect()
}

fn total(records: &[Value], asset: &str, measure: &str) -> i64 {
    last_facts(records, asset).values().filter_map(|facts| facts[measure].as_i64()).sum()
}

/// The exchange log names each record and each page as acknowledged: a cursor never moves but with the line that says so.
fn check_exchanges(database: &Path, records: usize, pages: usize) {
    let connection = rusqlite::Connection::open(database).unwrap();
    for (sink, cargo, all) in
        [("history", "records", records), ("copies", "records", records), ("park", "pages", pages)]
    {
        let mut statement = connection
            .prepare("SELECT first, last FROM exchanges WHERE sink = ?1 AND what = ?2 AND outcome = 1 ORDER BY id")
            .unwrap();
        let exchanges = statement.query_map([sink, cargo], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
        let acknowledged: BTreeSet<i64> =
            exchanges.map(Result::unwrap).flat_map(|(first, last): (i64, i64)| first..=last).collect();
        assert!(acknowledged.iter().copied().eq(1..=all as i64), "{sink}: {} of {all} {cargo}", acknowledged.len());
        assert!(count(database, &failures_of(sink)) > 0, "{sink} failed, and the log says so");
    }
}

fn check_amounts(records: &[Value], sent: &Sent) {
    assert_eq!(total(records, "line-1", "electricity_micro_kwh"), sent.energy_micro_kwh, "energy over MQTT");
    assert_eq!(total(records, "press-1", "pq_micro"), sent.parts * 1_000_000, "parts over MQTT");
    assert_eq!(total(records, "press-1", "sq_micro"), sent.scrap * 1_000_000, "scrap over MQTT");
    assert_eq!(total(records, "packer", "pq_micro"), sent.packed * 1_000_000, "parts by polling");
}

/// Polls that were missed lower the coverage; the constant power is booked for the time that was observed, and the
/// time that nobody looked at becomes neither a zero nor downtime.
fn check_coverage(records: &[Value], last_window: u32) {
    let observed = total(records, "site", "electricity_observed_ms");
    let expected = total(records, "site", "electricity_expected_ms");
    assert!(observed < expected, "the box was dead for a while: {observed} of {expected} ms observed");
    let energy = total(records, "site", "electricity_micro_kwh");
    // 144 kW are 40 micro-kWh in each millisecond, so that nothing is rounded.
    assert_eq!(energy, observed * 40, "what was booked for {observed} ms of 144 kW");
    let windows = i64::from((last_window - FIRST_MINUTE) / 5 + 1);
    let producing = total(records, "press-1", "apt_ms");
    assert!(producing >= (windows - 1) * 300_000, "{producing} ms produced in {windows} windows of 5 min");
    for never in ["adet_ms", "adot_ms", "aust_ms", "planned_down_ms"] {
        assert_eq!(total(records, "press-1", never), 0, "{never}: a dead box is no standing machine");
    }
}
