//! The sink against a platform that keeps to the protocol, and misbehaves on command.

mod withheld;

use std::collections::VecDeque;
use std::io::Read;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::Response;
use axum::routing::put;
use jiff::civil::date;
use jiff::tz::TimeZone;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::status::Speaker;
use super::{Platform, access};
use crate::ledger::fixture;
use crate::ledger::page::hash;
use crate::ledger::stream::Stream;
use crate::ledger::verify::verify_page;
use crate::model::id::{Digest, GatewayId, StreamName};
use crate::model::time::Timestamp;
use crate::runtime::backoff::Backoff;
use crate::runtime::clock::Clock;
use crate::runtime::health::{Health, Status};
use crate::sinks::forwarder::Forwarder;
use crate::store::{Cargo, Commit, Outcome, Store};
use crate::wire::problem::Problem;
use crate::wire::receipt::{Receipt, Rejected};
use crate::wire::status::GatewayStatus;

/// How the platform answers one request.
#[derive(Debug, Clone, Copy)]
enum Mood {
    /// With this status, and perhaps a `Retry-After` in seconds.
    Status(u16, Option<u64>),
    /// It takes the page and closes before the receipt is out.
    ClosesHalfway,
    /// Never.
    Silent,
    /// Like a captive portal.
    Welcome,
    /// With a receipt for something else.
    WrongReceipt,
}

#[derive(Default)]
struct Hub {
    moods: VecDeque<Mood>,
    /// Hashes of the pages held, 1 first.
    held: Vec<Digest>,
    /// Numbers as they came in.
    attempts: Vec<u64>,
    /// Numbers answered with 201.
    first_times: Vec<u64>,
    /// A page that is refused as malformed.
    poison: Option<u64>,
    /// A page one of whose records can't be used.
    unusable: Option<u64>,
    /// Whether each attempt came compressed.
    compressed: Vec<bool>,
    /// Whether compressed bodies are refused.
    reads_plain_only: bool,
    /// Each status with how many pages were held when it came.
    statuses: Vec<(usize, Bytes)>,
    /// What a status is answered with; 204 where not said.
    status_answer: Option<u16>,
}

#[derive(Clone, Default)]
struct Fake(Arc<(Mutex<Hub>, watch::Sender<u64>)>);

impl Fake {
    fn with<T>(&self, act: impl FnOnce(&mut Hub) -> T) -> T {
        act(&mut self.0.0.lock().unwrap())
    }

    async fn until(&self, what: &str, holds: impl Fn(&Hub) -> bool) {
        let mut changed = self.0.1.subscribe();
        let wait = changed.wait_for(|_| self.with(|hub| holds(hub)));
        timeout(Duration::from_secs(20), wait).await.unwrap_or_else(|_| panic!("never: {what}")).unwrap();
    }

    async fn serve(&self, listener: TcpListener) {
        let path = "/base/api/v1/gateways/{gateway}/streams/{stream}/{epoch}/pages/{seq}";
        let router = Router::new().route(path, put(accept)).route("/base/api/v1/gateways/tt-0042/status", put(hear));
        let router = router.with_state(self.clone());
        axum::serve(listener, router).await.unwrap();
    }
}

async fn accept(
    State(fake): State<Fake>,
    Path((gateway, stream, epoch, seq)): Path<(String, String, u32, u64)>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let header = |name| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let is_compressed = header("content-encoding") == "gzip";
    let body = if is_compressed { unpacked(&body) } else { body };
    let page = verify_page(&body, header("x-jws-signature"), &fixture::key().verifying()).unwrap();
    assert_eq!((page.gateway.as_str(), page.stream.as_str(), page.epoch, page.seq), (&*gateway, &*stream, epoch, seq));
    assert_eq!(header("content-type"), "application/json");
    let (answer, silent) = fake.with(|hub| {
        hub.attempts.push(seq);
        hub.compressed.push(is_compressed);
        if is_compressed && hub.reads_plain_only {
            return (json(415, &Problem::unsupported_encoding("plain, please")), false);
        }
        let mood = hub.moods.pop_front();
        let answer = match mood {
            Some(Mood::Status(status, after)) => {
                let builder = Response::builder().status(status);
                let builder = after.into_iter().fold(builder, |builder, after| builder.header("retry-after", after));
                builder.body(Body::from("on command")).unwrap()
            }
            Some(Mood::ClosesHalfway) => {
                hub.hold(seq, page.prev, &body);
                let chunks = [Ok("{\"gateway\":"), Err(std::io::Error::other("gone"))];
                Response::builder().body(Body::from_stream(futures_util::stream::iter(chunks))).unwrap()
            }
            Some(Mood::Welcome) => Response::builder().body(Body::from("<html>welcome</html>")).unwrap(),
            Some(Mood::WrongReceipt) => json(200, &receipt(seq + 1, Digest::ZERO)),
            Some(Mood::Silent) => json(200, &()),
            None if header("authorization") != "Bearer s3cret" => json(401, &Problem::unauthorized("")),
            None => hub.hold(seq, page.prev, &body),
        };
        (answer, matches!(mood, Some(Mood::Silent)))
    });
    fake.0.1.send_modify(|count| *count += 1);
    if silent {
        std::future::pending::<()>().await;
    }
    answer
}

async fn hear(State(fake): State<Fake>, headers: HeaderMap, body: Bytes) -> Response {
    let jws = headers.get("x-jws-signature").and_then(|value| value.to_str().ok()).unwrap_or_default();
    crate::ledger::jws::verify(&body, jws, &fixture::key().verifying()).unwrap();
    let status = fake.with(|hub| {
        hub.statuses.push((hub.held.len(), body));
        hub.status_answer.unwrap_or(204)
    });
    fake.0.1.send_modify(|count| *count += 1);
    Response::builder().status(status).body(Body::empty()).unwrap()
}

fn unpacked(body: &[u8]) -> Bytes {
    let mut plain = Vec::new();
    flate2::read::GzDecoder::new(body).read_to_end(&mut plain).unwrap();
    plain.into()
}

impl Hub {
    /// The protocol.
    fn hold(&mut self, seq: u64, prev: Digest, bytes: &[u8]) -> Response {
        let through = self.held.len() as u64;
        let head = self.held.last().copied().unwrap_or(Digest::ZERO);
        let index = usize::try_from(seq - 1).unwrap();
        if self.poison == Some(seq) {
            return json(422, &Problem::malformed("no page for us"));
        }
        match self.held.get(index) {
            Some(held) if *held == hash(bytes) => json(200, &receipt(seq, *held)),
            Some(_) => json(409, &Problem::fork("another page is held", through, head)),
            None if seq > through + 1 => json(409, &Problem::gap("", through, head)),
            None if prev != head => json(409, &Problem::fork("it continues another page", through, head)),
            None => {
                self.held.push(hash(bytes));
                self.first_times.push(seq);
                let rejected = Rejected { index: 0, reason: "unknown site".to_owned() };
                let rejected = if self.unusable == Some(seq) { vec![rejected] } else { vec![] };
                json(201, &Receipt { rejected, ..receipt(seq, hash(bytes)) })
            }
        }
    }
}

fn receipt(seq: u64, hash: Digest) -> Receipt {
    Receipt {
        gateway: GatewayId::new("tt-0042").unwrap(),
        stream: StreamName::new("hepza").unwrap(),
        epoch: 1,
        seq,
        hash,
        accepted_through: seq,
        head_hash: hash,
        rejected: vec![],
        received_at: Timestamp(0),
    }
}

fn json(status: u16, body: &impl serde::Serialize) -> Response {
    Response::builder().status(status).body(Body::from(serde_json::to_vec(body).unwrap())).unwrap()
}

struct Site {
    directory: tempfile::TempDir,
    store: Store,
    stream: Stream,
    days: i64,
    health: Health,
    wake: watch::Sender<u64>,
    token: CancellationToken,
    clock: Clock,
    /// Keys of the sink beside the usual ones.
    keys: &'static str,
    /// Whether the box tells how it is.
    tells: bool,
}

impl Site {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(directory.path(), &[], Digest::ZERO, "").unwrap();
        std::fs::write(directory.path().join("token"), "s3cret\n").unwrap();
        Self {
            directory,
            store,
            stream: fixture::stream(),
            days: 0,
            health: Health::default(),
            wake: watch::Sender::new(0),
            token: CancellationToken::new(),
            clock: Clock::manual(Timestamp(5)),
            keys: "",
            tells: false,
        }
    }

    /// Closes as many days as pages are wanted; the first page is the policy's.
    fn cut(&mut self, pages: usize) {
        for _ in 0..pages {
            let records = if self.stream.head().is_none() { vec![] } else { vec![fixture::record(self.days, 1)] };
            self.days += 1;
            let pages = self.stream.cut(fixture::DAY, Digest([0x11; 32]), &records, &fixture::key());
            assert_eq!(pages.len(), 1);
            let commit = Commit { now: Timestamp(0), records: &records, pages: &pages, ..Commit::default() };
            let seq = self.store.commit(&commit).unwrap();
            self.wake.send_replace(seq);
        }
    }

    fn sink(&self, address: SocketAddr) -> Platform {
        self.sink_of_epoch(address, 1)
    }

    fn sink_of_epoch(&self, address: SocketAddr, epoch: u32) -> Platform {
        let text = format!(
            "name = \"hepza\"\nurl = \"http://{address}/base/\"\ntimeout = \"300ms\"\nepoch = {epoch}\n\
             token = {{ file = \"{}\" }}\nshare = {{ kpis = [\"electricity\"] }}\n{}",
            self.directory.path().join("token").display(),
            self.keys
        );
        let cursors = Arc::new(Mutex::new(self.store.cursors().unwrap()));
        let mut forwarder = Forwarder::new(
            "hepza",
            (self.store.reader(), cursors),
            self.wake.subscribe(),
            (self.clock.clone(), self.health.clone()),
            self.token.clone(),
        );
        forwarder.backoff = Backoff::new(Duration::from_millis(1), Duration::from_millis(4));
        let config = toml::from_str(&text).unwrap();
        let mut platform = Platform::new(&config, access(&config).unwrap(), (TimeZone::UTC, self.speaker()), forwarder);
        platform.budget_look = Duration::from_millis(5);
        platform.refused_rest = Duration::from_millis(20);
        platform
    }

    fn speaker(&self) -> Option<Speaker> {
        let gateway = GatewayId::new("tt-0042").unwrap();
        self.tells.then(|| Speaker { gateway, key: Arc::new(fixture::key()) })
    }

    fn status(&self) -> (Status, String) {
        let board = self.health.snapshot();
        board.get("sink.hepza").map_or((Status::Ok, String::new()), |c| (c.status, c.detail.clone()))
    }

    /// Position on the health board, which is written with the rest of an acceptance after the cursor is booked.
    fn delivered(&self) -> u64 {
        let board = self.health.snapshot();
        board.get("sink.hepza").and_then(|c| c.counts.get("delivered_through").copied()).unwrap_or(0)
    }

    fn cursor(&self) -> u64 {
        self.store.reader().cursor("hepza").unwrap()
    }

    /// The board and the cursor have no event to wait for.
    async fn until(&self, what: &str, holds: impl Fn(&Self) -> bool) {
        let wait = async {
            while !holds(self) {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        timeout(Duration::from_secs(20), wait).await.unwrap_or_else(|_| panic!("never: {what}: {:?}", self.status()));
    }
}

/// Runs `body` beside the platform and the sink.
async fn beside(fake: &Fake, site: &mut Site, body: impl AsyncFnOnce(&mut Site)) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let sink = site.sink(listener.local_addr().unwrap());
    tokio::select! {
        () = fake.serve(listener) => unreachable!(),
        () = sink.forward() => panic!("the sink ended"),
        () = body(site) => {}
    }
}

fn assert_each_once(fake: &Fake, pages: u64) {
    fake.with(|hub| {
        assert_eq!(hub.held.len() as u64, pages);
        assert_eq!(hub.first_times, (1..=pages).collect::<Vec<_>>());
    });
}

#[tokio::test]
async fn pages_arrive_in_order_and_later_commits_wake_the_sink() {
    let (fake, mut site) = (Fake::default(), Site::new());
    site.cut(40);
    beside(&fake, &mut site, async |site| {
        fake.until("40 pages", |hub| hub.held.len() == 40).await;
        site.cut(1);
        fake.until("one more", |hub| hub.held.len() == 41).await;
        site.until("the cursor", |site| site.delivered() == 41).await;
    })
    .await;
    assert_each_once(&fake, 41);
    assert_eq!(fake.with(|hub| hub.attempts.len()), 41);
    let counts = &site.health.snapshot()["sink.hepza"].counts;
    assert_eq!((counts["delivered_pages"], counts["delivered_through"]), (41, 41));
}

#[tokio::test]
async fn a_platform_that_is_down_gets_everything_once_it_is_up() {
    let (fake, mut site) = (Fake::default(), Site::new());
    site.cut(3);
    let address = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let sink = site.sink(address);
    let body = async {
        site.until("degraded", |site| site.status().0 == Status::Degraded).await;
        assert!(site.status().1.starts_with("receiver can't be reached: "), "{:?}", site.status());
        let listener = TcpListener::bind(address).await.unwrap();
        tokio::select! {
            () = fake.serve(listener) => unreachable!(),
            () = site.until("the cursor", |site| site.delivered() == 3) => {}
        }
    };
    tokio::select! { () = sink.forward() => panic!("the sink ended"), () = body => {} }
    assert_each_once(&fake, 3);
    assert_eq!(site.status(), (Status::Ok, String::new()));
}

#[tokio::test]
async fn bad_answers_delay_lose_nothing_and_double_nothing() {
    let cases = [
        (Mood::Status(401, None), "receiver refuses the token (401): on command"),
        (Mood::Status(403, None), "receiver refuses this gateway (403): on command"),
        (Mood::Status(503, None), "receiver is not available (503): on command"),
        (Mood::Status(500, None), "receiver answers unexpectedly (500): on command"),
        (
            Mood::Status(302, None),
            "receiver redirects, which is not followed; configure the address it names (302): on command",
        ),
        (Mood::Status(409, None), "receiver answers unexpectedly (409): on command"),
        (Mood::Welcome, "receiver answers 200 without a receipt"),
        (Mood::WrongReceipt, "receiver answers page 2 with another page's receipt"),
        (Mood::Silent, "receiver didn't answer in time"),
        (Mood::ClosesHalfway, "connection to the receiver failed: "),
    ];
    for (mood, words) in cases {
        let (fake, mut site) = (Fake::default(), Site::new());
        site.cut(1);
        beside(&fake, &mut site, async |site| {
            site.until("the first page", |site| site.delivered() == 1).await;
            // Twice, so that the second attempt proves the first one's reason was shown.
            fake.with(|hub| hub.moods.extend([mood, mood]));
            site.cut(2);
            fake.until("the second attempt", |hub| hub.attempts.len() >= 3).await;
            let (status, reason) = site.status();
            assert!(status == Status::Degraded && reason.starts_with(words), "{mood:?}: {reason}");
            site.until("the cursor", |site| site.delivered() == 3).await;
        })
        .await;
        assert_each_once(&fake, 3);
        assert_eq!(site.status(), (Status::Ok, String::new()), "{mood:?}");
    }
}

#[tokio::test]
async fn a_platform_that_asks_for_time_gets_it() {
    let (fake, mut site) = (Fake::default(), Site::new());
    fake.with(|hub| hub.moods.push_back(Mood::Status(429, Some(1))));
    site.cut(1);
    let begun = tokio::time::Instant::now();
    beside(&fake, &mut site, async |_| fake.until("the page", |hub| hub.held.len() == 1).await).await;
    assert!(begun.elapsed() >= Duration::from_secs(1));
}

#[tokio::test]
async fn a_platform_restored_from_an_older_backup_gets_the_lost_pages_again() {
    let (fake, mut site) = (Fake::default(), Site::new());
    site.cut(5);
    beside(&fake, &mut site, async |site| {
        site.until("5 pages", |site| site.delivered() == 5).await;
        fake.with(|hub| {
            hub.held.truncate(2);
            hub.first_times.truncate(2);
        });
        site.cut(1);
        site.until("6 pages", |site| site.delivered() == 6).await;
    })
    .await;
    assert_each_once(&fake, 6);
    assert_eq!(fake.with(|hub| hub.attempts.clone()), [1, 2, 3, 4, 5, 6, 3, 4, 5, 6]);
}

#[tokio::test]
async fn a_killed_sink_sends_the_unbooked_page_again_and_the_platform_holds_it_once() {
    let (fake, mut site) = (Fake::default(), Site::new());
    site.cut(3);
    beside(&fake, &mut site, async |_| fake.until("two pages", |hub| hub.held.len() >= 2).await).await;
    beside(&fake, &mut site, async |site| site.until("the cursor", |site| site.delivered() == 3).await).await;
    assert_each_once(&fake, 3);
}

#[tokio::test]
async fn a_fork_stops_the_stream_and_shows() {
    let (fake, mut site) = (Fake::default(), Site::new());
    fake.with(|hub| hub.held = vec![fixture::ledger()[0].hash, Digest([7; 32])]);
    site.cut(3);
    beside(&fake, &mut site, async |site| {
        site.until("red", |site| site.status().0 == Status::Failed).await;
        let attempts = fake.with(|hub| hub.attempts.len());
        site.cut(1);
        // Nothing happens, which no event announces.
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert_eq!(fake.with(|hub| hub.attempts.len()), attempts);
    })
    .await;
    let words = "stream stopped, the chains of epoch 1 fork: ";
    assert!(site.status().1.starts_with(words), "{:?}", site.status());
}

#[tokio::test]
async fn a_gap_whose_head_is_not_ours_is_a_fork() {
    let (fake, mut site) = (Fake::default(), Site::new());
    site.cut(4);
    beside(&fake, &mut site, async |site| {
        site.until("4 pages", |site| site.delivered() == 4).await;
        fake.with(|hub| hub.held = vec![fixture::ledger()[0].hash, Digest([7; 32])]);
        site.cut(1);
        site.until("red", |site| site.status().0 == Status::Failed).await;
    })
    .await;
    assert!(site.status().1.contains("receiver holds page 2 with hash 0707"), "{:?}", site.status());
    assert_eq!(site.cursor(), 4, "the cursor follows only a chain that is ours");
}

#[tokio::test]
async fn a_refused_page_is_kept_with_its_reason_and_never_skipped() {
    let (fake, mut site) = (Fake::default(), Site::new());
    fake.with(|hub| hub.poison = Some(2));
    site.cut(3);
    beside(&fake, &mut site, async |site| {
        fake.until("a second look", |hub| hub.attempts.len() >= 3).await;
        assert_eq!(site.status().0, Status::Failed);
        assert_eq!((site.cursor(), fake.with(|hub| hub.held.len())), (1, 1));
        fake.with(|hub| hub.poison = None);
        site.until("the cursor", |site| site.delivered() == 3).await;
    })
    .await;
    let kept = site.store.reader().undeliverable("hepza", 10).unwrap();
    assert_eq!((kept.len(), kept[0].position, kept[0].what.as_str()), (1, 2, "page 2 of epoch 1"));
    assert_eq!(kept[0].reason, "receiver refuses what was sent (422): no page for us");
    assert_eq!(site.status(), (Status::Ok, String::new()));
}

#[tokio::test]
async fn a_record_the_platform_cannot_use_is_kept_and_the_page_goes_on() {
    let (fake, mut site) = (Fake::default(), Site::new());
    fake.with(|hub| hub.unusable = Some(2));
    site.cut(3);
    beside(&fake, &mut site, async |site| site.until("the cursor", |site| site.delivered() == 3).await).await;
    let kept = site.store.reader().undeliverable("hepza", 10).unwrap();
    assert_eq!((kept[0].what.as_str(), kept[0].reason.as_str()), ("page 2 of epoch 1, record 0", "unknown site"));
}

#[tokio::test]
async fn a_new_epoch_begins_at_its_first_page() {
    let mut site = Site::new();
    site.cut(2);
    let address = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    site.store.cursors().unwrap().set("hepza", 2).unwrap();
    site.store.cursors().unwrap().set("hepza.epoch", 1).unwrap();
    assert_eq!(site.sink(address).start().await, Ok(2));
    assert_eq!(site.sink_of_epoch(address, 2).start().await, Ok(0));
    assert_eq!(site.cursor(), 0);
}

#[tokio::test]
async fn the_sink_ends_when_the_role_stops() {
    let (fake, mut site) = (Fake::default(), Site::new());
    fake.with(|hub| hub.moods.push_back(Mood::Status(503, Some(600))));
    site.cut(1);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let sink = site.sink(listener.local_addr().unwrap());
    let stop = async {
        fake.until("a long pause", |hub| hub.attempts.len() == 1).await;
        site.token.cancel();
        std::future::pending::<()>().await;
    };
    let ended = async {
        tokio::select! { () = fake.serve(listener) => unreachable!(), () = stop => unreachable!(), () = sink.forward() => {} }
    };
    timeout(Duration::from_secs(5), ended).await.unwrap();
}

#[tokio::test]
async fn every_attempt_is_written_down_with_what_was_sent_and_answered() {
    let (fake, mut site) = (Fake::default(), Site::new());
    fake.with(|hub| hub.moods.push_back(Mood::Status(503, None)));
    site.cut(2);
    beside(&fake, &mut site, async |site| site.until("the cursor", |site| site.delivered() == 2).await).await;
    let exchanges = site.store.reader().exchanges(Some("hepza"), 0, 10).unwrap();
    let exchanges: Vec<_> = exchanges.into_iter().map(|(_, exchange)| exchange).collect();
    let listed: Vec<_> =
        exchanges.iter().map(|exchange| (exchange.first, exchange.outcome, exchange.answer.as_str())).collect();
    assert_eq!(
        listed,
        [(1, Outcome::Failed, "503: on command"), (1, Outcome::Acknowledged, "201"), (2, Outcome::Acknowledged, "201")]
    );
    let pages = site.store.reader().pages_after(&StreamName::new("hepza").unwrap(), 1, 0, 10).unwrap();
    for exchange in &exchanges {
        let page = &pages[usize::try_from(exchange.first - 1).unwrap()];
        assert_eq!((exchange.hash, exchange.bytes), (page.hash, page.bytes.len() as u64));
        assert_eq!((exchange.last, exchange.epoch, exchange.at), (exchange.first, Some(1), Timestamp(5)));
        assert!(exchange.destination.starts_with("127.0.0.1:"), "{}", exchange.destination);
    }
}

#[tokio::test]
async fn pages_go_compressed_and_as_they_are_to_a_platform_that_reads_nothing_else() {
    let (fake, mut site) = (Fake::default(), Site::new());
    site.cut(1);
    beside(&fake, &mut site, async |site| {
        site.until("a page", |site| site.delivered() == 1).await;
        fake.with(|hub| hub.reads_plain_only = true);
        site.cut(2);
        site.until("the cursor", |site| site.delivered() == 3).await;
    })
    .await;
    assert_each_once(&fake, 3);
    assert_eq!(fake.with(|hub| hub.compressed.clone()), [true, true, false, false]);
    assert_eq!(site.status(), (Status::Ok, String::new()));
    assert!(site.store.reader().undeliverable("hepza", 10).unwrap().is_empty(), "a coding is no reason to give up");
}

#[tokio::test]
async fn pages_wait_for_the_next_day_when_a_budget_is_used_up_over_a_restart_too() {
    let (fake, mut site) = (Fake::default(), Site::new());
    site.keys = "data_budget = { mb_per_day = 1 }";
    let day = date(1970, 1, 1);
    site.store.cursors().unwrap().spend("hepza", day, 999_999).unwrap();
    site.cut(2);
    for _ in 0..2 {
        // A board of its own: what it says is of this run.
        site.health = Health::default();
        beside(&fake, &mut site, async |site| {
            site.until("the budget's end", |site| site.status().0 == Status::Degraded).await;
        })
        .await;
        assert_eq!(site.status().1, "data budget of 1 MB for the day is used up; pages wait for 1970-01-02");
        assert_eq!(fake.with(|hub| hub.attempts.clone()), [1], "one byte was left, so one page went");
    }
    let spent = site.store.cursors().unwrap().spent("hepza", day, day).unwrap();
    assert!(spent > 999_999 + 500, "{spent}");
    site.clock.set(Timestamp(24 * 3_600_000));
    beside(&fake, &mut site, async |site| site.until("the next day", |site| site.delivered() == 2).await).await;
    assert_eq!(site.status(), (Status::Ok, String::new()));
    assert_each_once(&fake, 2);
}

#[tokio::test]
async fn an_outage_is_caught_up_with_at_the_pace_that_is_configured() {
    let (fake, mut site) = (Fake::default(), Site::new());
    site.keys = "pages_per_minute = 600";
    site.cut(4);
    let begun = tokio::time::Instant::now();
    beside(&fake, &mut site, async |site| site.until("the cursor", |site| site.delivered() == 4).await).await;
    assert!(begun.elapsed() >= Duration::from_millis(300), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn how_the_box_is_goes_ahead_of_the_pages_that_wait_after_an_outage() {
    let (fake, mut site) = (Fake::default(), Site { tells: true, ..Site::new() });
    site.health.set("source.meter-main", Status::Failed, "no answer", Timestamp(5));
    site.cut(2);
    beside(&fake, &mut site, async |site| {
        site.until("the cursor", |site| site.delivered() == 2).await;
        // A key that nobody knows yet can't be believed, so the first page comes first.
        fake.until("a status", |hub| hub.statuses.len() == 1 && hub.statuses[0].0 >= 1).await;
        fake.with(|hub| hub.moods.extend([Mood::Status(503, None)]));
        site.cut(5);
        site.until("the cursor", |site| site.delivered() == 7).await;
        site.cut(1);
        site.until("the cursor", |site| site.delivered() == 8).await;
    })
    .await;
    fake.with(|hub| {
        assert_eq!(hub.statuses.len(), 2, "one at first, one after the interruption");
        let (held, bytes) = &hub.statuses[1];
        assert_eq!(*held, 2, "ahead of the pages that waited");
        let status: GatewayStatus = serde_json::from_slice(bytes).unwrap();
        assert_eq!(status.components[0].failed, 1);
        assert!((1..=5).contains(&status.backlog.pages) && status.backlog.bytes > 0, "{status:?}");
        assert!(!String::from_utf8_lossy(bytes).contains("meter-main"));
    });
    assert_each_once(&fake, 8);
    let exchanges = site.store.reader().exchanges(Some("hepza"), 0, 99).unwrap();
    let statuses = exchanges.iter().filter(|(_, exchange)| exchange.cargo == Cargo::Status);
    assert!(statuses.map(|(_, exchange)| exchange.outcome).eq([Outcome::Acknowledged; 2]), "what left is written down");
}

#[tokio::test]
async fn a_platform_that_takes_no_status_gets_its_pages_all_the_same() {
    for answer in [404, 403, 500] {
        let (fake, mut site) = (Fake::default(), Site { tells: true, ..Site::new() });
        fake.with(|hub| hub.status_answer = Some(answer));
        site.cut(4);
        beside(&fake, &mut site, async |site| {
            site.until("the cursor", |site| site.delivered() == 4).await;
            site.cut(1);
            site.until("the cursor", |site| site.delivered() == 5).await;
        })
        .await;
        assert_each_once(&fake, 5);
        assert_eq!(fake.with(|hub| hub.statuses.len()), 1, "{answer}");
        assert_eq!(site.status(), (Status::Ok, String::new()), "{answer}");
        let refused = site.health.snapshot()["sink.hepza"].counts.get("refused_statuses").copied();
        assert_eq!(refused, (answer != 404).then_some(1), "{answer}");
    }
}
