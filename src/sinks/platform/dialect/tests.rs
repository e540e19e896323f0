//! The sink against a gateway that takes JSON: strict about form and keys, and misbehaving on command.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use axum::routing::post;
use jiff::tz::TimeZone;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::ledger::fixture;
use crate::ledger::page::hash;
use crate::model::id::Digest;
use crate::model::time::Timestamp;
use crate::runtime::backoff::Backoff;
use crate::runtime::clock::Clock;
use crate::runtime::health::{Health, Status};
use crate::sinks::forwarder::Forwarder;
use crate::sinks::platform::{Platform, access};
use crate::store::{Commit, Outcome, Store};

#[derive(Debug, Clone, Copy)]
enum Mood {
    Status(u16),
    /// It takes the items and closes before the answer is out.
    ClosesHalfway,
    /// It takes the items and never answers.
    Silent,
}

#[derive(Default)]
struct Gateway {
    moods: VecDeque<Mood>,
    /// Items by key, each with how often it was taken.
    held: BTreeMap<String, (Value, usize)>,
    /// Keys of the requests that were taken.
    requests: Vec<String>,
    attempts: usize,
    /// An item with this in its key field is refused, and so is every request that holds it.
    poison: Option<String>,
    /// Most items of a request; more are too large.
    most: Option<usize>,
}

#[derive(Clone, Default)]
struct Fake(Arc<(Mutex<Gateway>, watch::Sender<u64>)>);

impl Fake {
    fn with<T>(&self, act: impl FnOnce(&mut Gateway) -> T) -> T {
        act(&mut self.0.0.lock().unwrap())
    }

    async fn serve(&self, listener: TcpListener) {
        let router = Router::new().route("/lgsp/v1/values", post(take)).with_state(self.clone());
        axum::serve(listener, router).await.unwrap();
    }
}

fn answer(status: u16, body: &'static str) -> Response {
    Response::builder().status(status).body(Body::from(body)).unwrap()
}

async fn take(State(fake): State<Fake>, headers: HeaderMap, body: Bytes) -> Response {
    let header = |name| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    assert_eq!((header("content-type"), header("x-unit")), ("application/json", "tt"));
    assert_eq!(header("content-encoding"), "");
    let body: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(body.as_object().unwrap().len(), 2);
    assert_eq!(body["id"], header("idempotency-key"));
    let (answer, is_silent) = fake.with(|gateway| {
        gateway.attempts += 1;
        let mood = gateway.moods.pop_front();
        if let Some(Mood::Status(status)) = mood {
            return (answer(status, "on command"), false);
        }
        if header("authorization") != "Bearer s3cret" {
            return (answer(401, "who?"), false);
        }
        let taken = gateway.take(header("idempotency-key"), body["rows"].as_array().unwrap());
        match mood {
            Some(Mood::ClosesHalfway) => {
                let chunks = [Ok("{\"ok\":"), Err(std::io::Error::other("gone"))];
                let body = Body::from_stream(futures_util::stream::iter(chunks));
                (Response::builder().body(body).unwrap(), false)
            }
            mood => (taken, matches!(mood, Some(Mood::Silent))),
        }
    });
    fake.0.1.send_modify(|count| *count += 1);
    if is_silent {
        std::future::pending::<()>().await;
    }
    answer
}

impl Gateway {
    /// All of a request or nothing of it; a known key again is a conflict that changes nothing.
    fn take(&mut self, key: &str, rows: &[Value]) -> Response {
        if self.requests.iter().any(|known| known == key) {
            return answer(409, "known");
        }
        if self.most.is_some_and(|most| rows.len() > most) {
            return answer(413, "too much");
        }
        if rows.iter().any(|row| self.poison.as_deref() == row["at"].as_str()) {
            return answer(422, "no such day");
        }
        self.requests.push(key.to_owned());
        for row in rows {
            let held = self.held.entry(row["id"].as_str().unwrap().to_owned()).or_insert((row.clone(), 0));
            held.1 += 1;
        }
        answer(201, "")
    }
}

struct Site {
    directory: tempfile::TempDir,
    store: Store,
    health: Health,
    wake: watch::Sender<u64>,
}

impl Site {
    /// A site whose stream holds a policy page and this many days in one more page.
    fn new(days: i64) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut store = Store::open(directory.path(), &[], Digest::ZERO, "").unwrap();
        std::fs::write(directory.path().join("token"), "s3cret").unwrap();
        let records: Vec<_> = (0..days).map(|day| fixture::record(day, 1)).collect();
        let pages = fixture::stream().cut(fixture::DAY, Digest([0x11; 32]), &records, &fixture::key());
        assert_eq!(pages.len(), 2);
        store.commit(&Commit { records: &records, pages: &pages, ..Commit::default() }).unwrap();
        Self { directory, store, health: Health::default(), wake: watch::Sender::new(1) }
    }

    fn sink(&self, address: SocketAddr) -> Platform {
        let text = format!(
            "name = \"hepza\"\nurl = \"http://{address}/lgsp\"\ntimeout = \"300ms\"\n\
             token = {{ file = \"{}\" }}\nshare = {{ kpis = [\"electricity\", \"carbon_intensity\"] }}\n\
             [template]\npath = \"/v1/values\"\nheaders = {{ X-Unit = \"tt\" }}\nbatch = 8\n\
             body = {{ id = \"{{key}}\", rows = \"{{items}}\" }}\n\
             item = {{ id = \"{{key}}\", kpi = \"{{kpi}}\", at = \"{{start}}\", value = \"{{value}}\" }}",
            self.directory.path().join("token").display()
        );
        let cursors = Arc::new(Mutex::new(self.store.cursors().unwrap()));
        let mut forwarder = Forwarder::new(
            "hepza",
            (self.store.reader(), cursors),
            self.wake.subscribe(),
            (Clock::manual(Timestamp(5)), self.health.clone()),
            CancellationToken::new(),
        );
        forwarder.backoff = Backoff::new(Duration::from_millis(1), Duration::from_millis(4));
        let config = toml::from_str(&text).unwrap();
        Platform::new(&config, access(&config).unwrap(), (TimeZone::UTC, None), forwarder)
    }

    /// Runs the sink until its cursor is at the second page.
    async fn deliver(&self, fake: &Fake) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let sink = self.sink(listener.local_addr().unwrap());
        let done = async {
            while self.store.reader().cursor("hepza").unwrap() < 2 {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        let all = async {
            tokio::select! {
                () = fake.serve(listener) => unreachable!(),
                () = sink.forward() => panic!("the sink ended"),
                () = done => {}
            }
        };
        timeout(Duration::from_secs(20), all).await.unwrap_or_else(|_| panic!("never: {:?}", self.health.snapshot()));
    }

    fn outcomes(&self) -> Vec<(Outcome, String)> {
        let exchanges = self.store.reader().exchanges(Some("hepza"), 0, 1_000).unwrap();
        exchanges.into_iter().map(|(_, exchange)| (exchange.outcome, exchange.answer)).collect()
    }
}

#[tokio::test]
async fn whatever_the_gateway_does_each_figure_is_held_once_and_every_request_is_written_down() {
    let (fake, site) = (Fake::default(), Site::new(10));
    fake.with(|gateway| {
        gateway.moods.extend([
            Mood::Status(503),
            Mood::Status(429),
            Mood::Status(401),
            Mood::ClosesHalfway,
            Mood::Status(500),
            Mood::Silent,
        ]);
    });
    site.deliver(&fake).await;
    fake.with(|gateway| {
        assert_eq!(gateway.held.len(), 20, "ten days of two shared KPIs");
        assert!(gateway.held.values().all(|(_, times)| *times == 1), "a key again changes nothing");
        assert_eq!(gateway.requests.len(), 3, "8, 8 and 4 items");
        assert_eq!(site.outcomes().len(), gateway.attempts);
    });
    let acknowledged = site.outcomes().iter().filter(|(outcome, _)| *outcome == Outcome::Acknowledged).count();
    assert_eq!(acknowledged, 3);
    assert!(site.outcomes().iter().any(|(outcome, words)| *outcome == Outcome::Acknowledged && words == "409: known"));
}

#[tokio::test]
async fn a_refused_request_is_halved_down_to_the_refused_figure_and_the_rest_goes_on() {
    let (fake, site) = (Fake::default(), Site::new(10));
    let third_day = serde_json::to_value(fixture::DAY + 2 * fixture::DAY_MS).unwrap();
    fake.with(|gateway| gateway.poison = third_day.as_str().map(str::to_owned));
    site.deliver(&fake).await;
    fake.with(|gateway| {
        assert_eq!(gateway.held.len(), 18);
        assert!(gateway.held.values().all(|(_, times)| *times == 1));
    });
    let kept = site.store.reader().undeliverable("hepza", 10).unwrap();
    let kept: Vec<_> = kept.iter().map(|kept| (kept.position, kept.what.as_str(), kept.reason.as_str())).collect();
    let at = fixture::DAY + 2 * fixture::DAY_MS;
    let what = |kpi| format!("{kpi} of tt-main/site, day at {at}, revision 1");
    let reason = "receiver refuses what was sent (422): no such day";
    assert_eq!(kept, [(2, what("carbon_intensity").as_str(), reason), (2, what("electricity").as_str(), reason)]);
}

#[tokio::test]
async fn a_gateway_that_takes_little_at_once_gets_little_and_a_restart_sends_no_figure_again() {
    let (fake, site) = (Fake::default(), Site::new(10));
    fake.with(|gateway| gateway.most = Some(3));
    site.deliver(&fake).await;
    fake.with(|gateway| assert_eq!((gateway.held.len(), gateway.requests.len()), (20, 10)));
    let attempts = fake.with(|gateway| gateway.attempts);
    site.deliver(&fake).await;
    assert_eq!(fake.with(|gateway| gateway.attempts), attempts);
    let board = site.health.snapshot();
    assert_eq!(board.get("sink.hepza").map(|component| component.status), Some(Status::Ok));
}

#[tokio::test]
async fn what_is_written_down_names_the_bytes_that_went() {
    let (fake, site) = (Fake::default(), Site::new(1));
    site.deliver(&fake).await;
    let (_, exchange) = site.store.reader().exchanges(Some("hepza"), 0, 10).unwrap().remove(0);
    let key = fake.with(|gateway| gateway.requests[0].clone());
    let rows: Vec<Value> = ["electricity", "carbon_intensity"]
        .into_iter()
        .map(|kpi| fake.with(|gateway| gateway.held.values().find(|(row, _)| row["kpi"] == kpi).unwrap().0.clone()))
        .collect();
    let body = serde_json::json!({ "id": key, "rows": rows }).to_string();
    assert_eq!((exchange.hash, exchange.bytes), (hash(body.as_bytes()), body.len() as u64));
    assert_eq!((exchange.first, exchange.last, exchange.epoch), (2, 2, Some(1)));
}
