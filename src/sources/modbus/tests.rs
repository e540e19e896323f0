//! The promises of the poll loop and the link, against a device that misbehaves on command.

mod fake;
mod lines;
mod manners;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use fake::{Asked, Fake, Proxy, Reply};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::config::ModbusSource;
use super::device::{Endpoint, endpoints};
use super::link::{Link, LinkError};
use super::plan::{Answer, Request};
use super::transport::{Security, Transport};
use crate::model::number::Number;
use crate::model::problem::Problems;
use crate::model::sample::{Quality, SampleBatch};
use crate::model::tag::{SourceIndex, TagSpec};
use crate::model::time::Timestamp;
use crate::profile::Library;
use crate::profile::register::Table;
use crate::runtime::clock::Clock;
use crate::runtime::health::{Health, Status};

/// Real time within which anything here happens; only a failing test waits that long.
const LIMIT: Duration = Duration::from_secs(20);

#[derive(Debug, serde::Deserialize)]
struct File {
    source: Vec<ModbusSource>,
}

/// A running poll loop and what comes out of it.
struct Bench {
    tags: Vec<TagSpec>,
    clock: Clock,
    health: Health,
    batches: mpsc::Receiver<SampleBatch>,
    token: CancellationToken,
    running: tokio::task::JoinHandle<()>,
}

/// Reads `[[source]]` tables in which ADDRESS stands for the device's.
fn prepare(text: &str, address: SocketAddr) -> (Vec<TagSpec>, Vec<Endpoint>) {
    let text = text.replace("ADDRESS", &address.to_string());
    let file: File = toml::from_str(&text).unwrap();
    let mut problems = Problems::default();
    let sources: Vec<_> = (0..).map(SourceIndex).zip(file.source).collect();
    let profiles = Library::builtin();
    let mut tags = Vec::new();
    for (index, source) in &sources {
        source.check(&mut problems);
        tags.extend(source.tags(*index, &profiles, &mut problems));
    }
    assert_eq!(problems, Problems::default());
    tags.sort_by(|a: &TagSpec, b| a.name.cmp(&b.name));
    let endpoints = endpoints(&sources, &profiles, &tags);
    (tags, endpoints)
}

/// Returns the devices of `[[source]]` tables.
pub(super) fn devices(text: &str) -> Vec<super::device::Device> {
    let (_, endpoints) = prepare(text, SocketAddr::from(([127, 0, 0, 1], 0)));
    endpoints.into_iter().flat_map(|endpoint| endpoint.devices).collect()
}

impl Bench {
    fn start(text: &str, address: SocketAddr, clock: Clock, inbox: usize) -> Self {
        let (tags, mut endpoints) = prepare(text, address);
        assert_eq!(endpoints.len(), 1, "sources of one host and port share a task");
        let (sender, batches) = mpsc::channel(inbox);
        let (health, token) = (Health::default(), CancellationToken::new());
        let endpoint = endpoints.remove(0);
        let running = tokio::spawn(super::run(endpoint, clock.clone(), health.clone(), sender, token.clone()));
        Self { tags, clock, health, batches, token, running }
    }

    async fn batch(&mut self) -> SampleBatch {
        tokio::time::timeout(LIMIT, self.batches.recv()).await.expect("a batch in time").expect("a running loop")
    }

    /// Waits for the next batch of a source.
    async fn batch_of(&mut self, source: u16) -> BTreeMap<String, (Option<Number>, Quality)> {
        loop {
            let batch = self.batch().await;
            if batch.source == SourceIndex(source) {
                return self.named(&batch);
            }
        }
    }

    fn named(&self, batch: &SampleBatch) -> BTreeMap<String, (Option<Number>, Quality)> {
        let name = |tag: usize| self.tags[tag].name.to_string();
        batch.samples.iter().map(|s| (name(s.tag.as_usize()), (s.value, s.quality))).collect()
    }

    fn count(&self, component: &str, what: &str) -> u64 {
        self.health.snapshot().get(component).and_then(|entry| entry.counts.get(what).copied()).unwrap_or(0)
    }

    /// Waits until a poll has led to a status; returns its detail.
    async fn until(&self, component: &str, status: Status) -> String {
        let seen = async {
            loop {
                if let Some(entry) = self.health.snapshot().get(component)
                    && entry.status == status
                    && entry.counts.contains_key("polls")
                {
                    return entry.detail.clone();
                }
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        tokio::time::timeout(LIMIT, seen).await.unwrap_or_else(|_| panic!("{:?}", self.health.snapshot()))
    }

    async fn stop(self) {
        self.token.cancel();
        tokio::time::timeout(LIMIT, self.running).await.expect("stops in time").unwrap();
    }
}

#[test]
fn sources_of_one_host_and_port_share_an_endpoint() {
    let meter = |name: &str, url: &str| {
        format!("[[source]]\nname = \"{name}\"\nurl = \"{url}\"\nprofile = \"eastron_sdm630\"\n")
    };
    let text = meter("a", "tcp://Plc.local") + &meter("b", "tcp://[::1]:1502") + &meter("c", "tcp://plc.local:502/");
    let (tags, endpoints) = prepare(&text, SocketAddr::from(([127, 0, 0, 1], 0)));
    let shape: Vec<(String, Vec<&str>)> = endpoints
        .iter()
        .map(|e| (e.transport.to_string(), e.devices.iter().map(|d| d.name.as_str()).collect()))
        .collect();
    assert_eq!(shape, [("plc.local:502".to_owned(), vec!["a", "c"]), ("[::1]:1502".to_owned(), vec!["b"])]);
    let device = &endpoints[0].devices[1];
    assert_eq!(device.limits.words_max, 50, "the profile's own limit");
    assert!(device.points.iter().all(|point| tags[point.tag.as_usize()].source == SourceIndex(2)));
    assert_eq!((device.next_delivery(), device.clone().next_delivery()), (1, 2), "numbers outlive a restart");
}

fn fast() -> Clock {
    Clock::scaled(Timestamp(0), 60.0)
}

const fn good(value: Number) -> (Option<Number>, Quality) {
    (Some(value), Quality::Good)
}

/// Registers that hold their own address, bits that are set at odd addresses.
fn echo(asked: Asked) -> Reply {
    let addresses = asked.address..asked.address + asked.count;
    match asked.function {
        1 | 2 => Reply::Bits(addresses.map(|address| address % 2 == 1).collect()),
        _ => Reply::Words(addresses.collect()),
    }
}

const ALL_TABLES: &str = r#"
[[source]]
type = "modbus"
name = "press-1"
url = "tcp://ADDRESS"
unit = 7
point = [
  { name = "total", address = "40103", type = "uint32", order = "CDAB", kind = "counter" },
  { name = "speed", address = "30002", type = "uint16", scale = 0.1 },
  { name = "door", address = "10004" },
  { name = "lamp", address = "00003" },
  { name = "state", address = "40101", type = "uint16", states = { 100 = "producing" } },
  { name = "gone", address = "0x65", table = "holding", type = "uint16", sentinel = ["0x65"] },
]
"#;

#[tokio::test]
async fn every_table_is_read_into_the_values_of_its_tags() {
    let device = Fake::start(echo).await;
    let mut bench = Bench::start(ALL_TABLES, device.address, fast(), 16);
    let first = bench.batch().await;
    let expected = BTreeMap::from([
        ("press-1.total".to_owned(), good(Number::Integer(103 * 65_536 + 102))),
        ("press-1.speed".to_owned(), good(Number::Float(0.1))),
        ("press-1.door".to_owned(), good(Number::Integer(1))),
        ("press-1.lamp".to_owned(), good(Number::Integer(0))),
        ("press-1.state".to_owned(), good(Number::Integer(0))),
        ("press-1.gone".to_owned(), (None, Quality::Sentinel)),
    ]);
    assert_eq!(bench.named(&first), expected);
    let second = bench.batch().await;
    assert_eq!((first.delivery, second.delivery), (1, 2));
    assert!(first.samples.iter().all(|sample| sample.measured_at <= first.received_at));
    assert!(second.samples[0].measured_at > first.samples[0].measured_at);
    assert_eq!(bench.until("source.press-1", Status::Ok).await, "");
    // Four tables, one request each: 100 to 103 of holding are merged.
    let round: Vec<(u8, u16, u16)> = device.asked()[..4].iter().map(|a| (a.function, a.address, a.count)).collect();
    assert_eq!(round, [(1, 2, 1), (2, 3, 1), (3, 100, 4), (4, 1, 1)]);
    assert!(device.asked().iter().all(|asked| asked.unit == 7));
    bench.stop().await;
}

#[tokio::test]
async fn a_calibrating_device_and_a_value_out_of_range_mark_the_samples_of_their_poll() {
    let device = Fake::start(echo).await;
    let text = r#"
[[source]]
name = "analyser"
url = "tcp://ADDRESS"
device_state = { point = "status", states = { "10" = "calibrating" }, applies_to = ["so2"] }
checks = { flow = { max = 11.5 } }
point = [
  { name = "status", address = 10, table = "holding", type = "uint16" },
  { name = "so2", address = 11, table = "holding", type = "uint16", max = 1000 },
  { name = "flow", address = 12, table = "holding", type = "uint16" },
]
"#;
    let mut bench = Bench::start(text, device.address, fast(), 16);
    let read = bench.batch_of(0).await;
    let expected = BTreeMap::from([
        ("analyser.status".to_owned(), good(Number::Integer(10))),
        ("analyser.so2".to_owned(), (Some(Number::Integer(11)), Quality::Calibrating)),
        ("analyser.flow".to_owned(), (Some(Number::Integer(12)), Quality::OutOfRange)),
    ]);
    assert_eq!(read, expected);
    let board = bench.health.snapshot();
    assert!(board["checks.analyser"].detail.contains("analyser.flow out_of_range"), "{board:?}");
    assert!(bench.count("checks.analyser", "calibrating") > 0);
    bench.stop().await;
}

#[tokio::test]
async fn a_hole_in_the_addresses_costs_only_the_point_that_stands_in_it() {
    let hole = 102;
    let device = Fake::start(move |asked| {
        let end = asked.address + asked.count;
        if asked.function == 3 && (asked.address..end).contains(&hole) { Reply::Exception(2) } else { echo(asked) }
    })
    .await;
    let text = r#"
[[source]]
name = "plc"
url = "tcp://ADDRESS"
point = [
  { name = "a", address = 100, table = "holding", type = "uint16" },
  { name = "b", address = 101, table = "holding", type = "uint16" },
  { name = "c", address = 102, table = "holding", type = "uint16" },
  { name = "d", address = 103, table = "holding", type = "uint16" },
  { name = "e", address = 5, table = "input", type = "uint16" },
]
"#;
    let mut bench = Bench::start(text, device.address, fast(), 16);
    let first = bench.batch_of(0).await;
    assert_eq!(first.keys().collect::<Vec<_>>(), ["plc.a", "plc.b", "plc.d", "plc.e"], "found within the poll");
    let detail = bench.until("source.plc", Status::Failed).await;
    let expected = "the device refuses (1 of 5 points): plc.c is not read, holding 102 to 102: exception 2 (illegal data \
                    address) since 1970-01-01T00:00:";
    assert!(detail.contains(expected) && detail.contains(", asked again 1970-01-01T"), "{detail}");
    assert_eq!(bench.count("source.plc", "quarantined_points"), 1);
    let (asked, refused) = (device.asked().len(), bench.count("source.plc", "exception_2"));
    assert_eq!(refused, 3, "the block, a half, the point");
    while device.asked().len() < asked + 30 {
        bench.batch().await;
    }
    assert_eq!(bench.count("source.plc", "exceptions"), refused, "what is set apart costs no request a poll");
    let round: Vec<(u16, u16)> = device.asked()[asked..].iter().map(|a| (a.address, a.count)).take(3).collect();
    assert!([(100, 2), (103, 1), (5, 1)].iter().all(|request| round.contains(request)), "{round:?}");
    assert_eq!(bench.count("source.plc", "connects"), 1, "an exception keeps the connection");
    bench.stop().await;
}

const TWO_UNITS: &str = r#"
[[source]]
name = "dead"
url = "tcp://ADDRESS"
unit = 1
timeout = "50ms"
point = [
  { name = "a", address = 0, table = "holding", type = "uint16" },
  { name = "b", address = 50, table = "holding", type = "uint16" },
  { name = "c", address = 90, table = "holding", type = "uint16" },
]
[[source]]
name = "alive"
url = "tcp://ADDRESS"
unit = 2
timeout = "5s"
point = [{ name = "a", address = 0, table = "holding", type = "uint16" }]
"#;

#[tokio::test]
async fn a_device_that_never_answers_has_no_sample_and_costs_its_neighbour_none() {
    let device = Fake::start(|asked| if asked.unit == 1 { Reply::Silence } else { echo(asked) }).await;
    let mut bench = Bench::start(TWO_UNITS, device.address, fast(), 64);
    let mut alive = 0;
    while alive < 30 {
        let batch = bench.batch().await;
        assert_eq!(batch.source, SourceIndex(1), "the silent device has no sample, not even a zero");
        alive += 1;
    }
    let detail = bench.until("source.dead", Status::Degraded).await;
    assert!(detail.contains("no answer within 50ms"), "{detail}");
    // 30 polls of the neighbour take half a second, in which the dead device would be due 30 times.
    assert!(bench.count("source.dead", "timeouts") <= 20, "{:?}", bench.health.snapshot());
    assert_eq!(bench.count("source.dead", "samples"), 0);
    assert_eq!(bench.until("source.alive", Status::Ok).await, "");
    bench.stop().await;
}

#[tokio::test]
async fn a_silent_device_is_asked_again_and_recovers() {
    let silent_unit = Arc::new(AtomicU16::new(1));
    let seen = Arc::clone(&silent_unit);
    let is_silent = move |asked: Asked| u16::from(asked.unit) == seen.load(Ordering::SeqCst);
    let device = Fake::start(move |asked| if is_silent(asked) { Reply::Silence } else { echo(asked) }).await;
    let mut bench = Bench::start(TWO_UNITS, device.address, fast(), 64);
    bench.until("source.dead", Status::Degraded).await;
    silent_unit.store(0, Ordering::SeqCst);
    assert_eq!(bench.batch_of(0).await.len(), 3);
    bench.until("source.dead", Status::Ok).await;
    bench.stop().await;
}

const ONE: &str = r#"
[[source]]
name = "meter"
url = "tcp://ADDRESS"
timeout = "5s"
point = [{ name = "a", address = 3, table = "holding", type = "uint16" }]
"#;

#[tokio::test]
async fn polling_goes_on_after_the_device_was_restarted() {
    let device = Fake::start(echo).await;
    let address = device.address;
    let mut bench = Bench::start(ONE, address, fast(), 256);
    bench.batch().await;
    device.stop().await;
    let detail = bench.until("source.meter", Status::Degraded).await;
    assert!(!detail.is_empty());
    while bench.batches.try_recv().is_ok() {}
    let _again = Fake::start_at(address, |_| Reply::Words(vec![77])).await;
    assert_eq!(bench.batch_of(0).await["meter.a"], good(Number::Integer(77)));
    bench.until("source.meter", Status::Ok).await;
    bench.stop().await;
}

#[tokio::test]
async fn a_device_that_closes_after_each_answer_is_read_without_a_gap() {
    let device = Fake::start(|asked| Reply::WordsAndClose(vec![asked.address])).await;
    let mut bench = Bench::start(ONE, device.address, fast(), 256);
    for _ in 0..5 {
        bench.batch().await;
    }
    assert_eq!(bench.until("source.meter", Status::Ok).await, "");
    bench.stop().await;
}

#[tokio::test]
async fn an_endpoint_that_closes_instead_of_answering_is_not_hammered() {
    let device = Fake::start(|_| Reply::Close).await;
    let bench = Bench::start(ONE, device.address, fast(), 256);
    let detail = bench.until("source.meter", Status::Degraded).await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(device.asked().len() <= 2, "{:?} {detail}", device.asked());
    bench.stop().await;
}

#[tokio::test]
async fn an_answer_to_another_request_is_no_value() {
    let device = Fake::start(|asked| Reply::WordsOfAnother(vec![asked.address])).await;
    let mut bench = Bench::start(ONE, device.address, fast(), 256);
    while bench.count("source.meter", "connections_lost") == 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert!(bench.batches.try_recv().is_err());
    bench.stop().await;
}

#[tokio::test]
async fn a_late_poll_is_skipped_and_counted_and_never_queued() {
    let device = Fake::start(echo).await;
    let clock = Clock::manual(Timestamp(1_000_000));
    let mut bench = Bench::start(ONE, device.address, clock, 16);
    assert_eq!(bench.batch().await.samples[0].measured_at, Timestamp(1_000_000));
    // Nine whole periods pass at once.
    bench.clock.set(Timestamp(1_009_500));
    assert_eq!(bench.batch().await.samples[0].measured_at, Timestamp(1_009_500));
    assert_eq!(bench.count("source.meter", "skipped"), 8);
    assert_eq!(bench.count("source.meter", "polls"), 2);
    bench.clock.set(Timestamp(1_010_000));
    assert_eq!(bench.batch().await.samples[0].measured_at, Timestamp(1_010_000), "the rhythm is kept");
    bench.stop().await;
}

#[tokio::test]
async fn a_full_inbox_skips_polls_and_the_loop_still_stops_at_once() {
    let device = Fake::start(echo).await;
    let mut bench = Bench::start(ONE, device.address, fast(), 1);
    while device.asked().len() < 2 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(device.asked().len(), 2, "one batch waits in the inbox, one before it");
    bench.batch().await;
    bench.batch().await;
    bench.batch().await;
    assert!(bench.count("source.meter", "skipped") > 5);
    bench.stop().await;
}

#[tokio::test]
async fn the_loop_stops_at_once_while_it_waits_for_an_answer() {
    let device = Fake::start(|_| Reply::Silence).await;
    let text = ONE.replace("5s", "60s");
    let bench = Bench::start(&text, device.address, fast(), 1);
    while device.asked().is_empty() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    bench.stop().await;
}

#[tokio::test]
async fn only_reading_function_codes_ever_reach_the_wire() {
    let device = Fake::start(|asked| match asked.address {
        // A bit of everything that could lead a client astray.
        0..2 => echo(asked),
        2..4 => Reply::Exception(1 + asked.function),
        4..6 => Reply::Silence,
        _ => Reply::Close,
    })
    .await;
    let proxy = Proxy::start(device.address).await;
    let mut text = String::new();
    for (unit, table) in (1..).zip(Table::ALL) {
        let points: Vec<String> = (0..8)
            .map(|at| {
                let kind = if table.is_bits() { "bit" } else { "uint16" };
                format!("{{ name = \"p{at}\", address = {at}, table = \"{table}\", type = \"{kind}\" }}")
            })
            .collect();
        let head = format!("name = \"{table}\"\nurl = \"tcp://ADDRESS\"\nunit = {unit}\ntimeout = \"20ms\"");
        text += &format!("[[source]]\n{head}\nmax_gap = 0\npoint = [{}]\n", points.join(", "));
    }
    let mut bench = Bench::start(&text, proxy.address, fast(), 256);
    let mut seen = std::collections::BTreeSet::new();
    while seen.len() < 4 {
        let batch = bench.batch().await;
        seen.insert(batch.source);
    }
    bench.stop().await;
    let mut link = Link::new(transport(proxy.address), Security::default());
    for table in Table::ALL {
        link.connect(LIMIT).await.unwrap();
        link.read(1, Request::new(*table, 0, 1).unwrap(), LIMIT).await.unwrap();
    }
    let codes = proxy.function_codes();
    assert!(codes.iter().all(|code| (1..=4).contains(code)), "{codes:?}");
    assert!((1..=4).all(|code| codes.contains(&code)), "{codes:?}");
}

fn transport(address: SocketAddr) -> Transport {
    Transport::Tcp { host: address.ip().to_string(), port: address.port() }
}

#[tokio::test]
async fn a_late_answer_is_never_taken_for_the_next_one() {
    let device = Fake::start(|asked| if asked.address == 0 { Reply::Silence } else { echo(asked) }).await;
    let mut link = Link::new(transport(device.address), Security::default());
    link.connect(LIMIT).await.unwrap();
    let limit = Duration::from_millis(30);
    let silent = Request::new(Table::Holding, 0, 1).unwrap();
    assert_eq!(link.read(1, silent, limit).await, Err(LinkError::Timeout(limit)));
    assert!(!link.is_connected());
    link.connect(LIMIT).await.unwrap();
    let next = Request::new(Table::Holding, 9, 1).unwrap();
    assert_eq!(link.read(1, next, LIMIT).await, Ok(Answer::Words(vec![9])));
}

#[tokio::test]
async fn an_answer_of_another_length_is_refused() {
    let device = Fake::start(|_| Reply::Words(vec![1, 2, 3])).await;
    let mut link = Link::new(transport(device.address), Security::default());
    link.connect(LIMIT).await.unwrap();
    let outcome = link.read(1, Request::new(Table::Holding, 0, 2).unwrap(), LIMIT).await;
    assert!(matches!(outcome, Err(LinkError::Lost(_))), "{outcome:?}");
    assert!(!link.is_connected());
}
