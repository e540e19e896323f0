//! The sink against a server that reads every line strictly, and answers badly on command.

use std::collections::{BTreeMap, VecDeque};
use std::io::Read;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use axum::routing::post;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::samples::RawValues;
use super::{BATCH_RECORDS_MAX, Destination, Influx, destination, forward};
use crate::ledger::fixture;
use crate::model::id::{AssetId, Digest, SiteId, TagName};
use crate::model::number::Number;
use crate::model::record::{Flag, KpiId, KpiValue, Reason, WindowRecord};
use crate::model::sample::{Quality, Sample, SampleBatch};
use crate::model::tag::{Meaning, SourceIndex, TagIndex, TagKind, TagSpec};
use crate::model::time::Timestamp;
use crate::model::unit::Unit;
use crate::runtime::backoff::Backoff;
use crate::runtime::clock::Clock;
use crate::runtime::health::{Health, Status};
use crate::sinks::forwarder::Forwarder;
use crate::store::{Commit, Store};

/// One day's record with one value and one reason.
pub(super) fn record(revision: u32) -> WindowRecord {
    let electricity = KpiValue {
        kpi: KpiId::of("electricity"),
        method: 1,
        value: Some(126_238.29),
        reason: None,
        coverage: Some(0.5),
        shares: None,
        flags: vec![Flag::Substituted, Flag::WindowOpen],
        factors: vec![],
    };
    let oee = KpiValue {
        kpi: KpiId::of("oee"),
        method: 2,
        value: None,
        reason: Some(Reason::NoBusyTime),
        coverage: None,
        shares: None,
        flags: vec![],
        factors: vec![],
    };
    WindowRecord { kpis: vec![electricity, oee], ..fixture::record(0, revision) }
}

fn of_asset(asset: &str) -> WindowRecord {
    WindowRecord { asset: AssetId::new(asset).unwrap(), ..record(1) }
}

/// How the server answers one request.
#[derive(Debug, Clone, Copy)]
enum Mood {
    Status(u16, Option<u64>),
    ClosesHalfway,
}

#[derive(Default)]
struct Server {
    moods: VecDeque<Mood>,
    /// Refuses every batch that has a point with this text in it.
    poison: Option<&'static str>,
    requests: u64,
    /// Each point once, by series and time.
    points: BTreeMap<String, String>,
}

#[derive(Clone, Default)]
struct Fake(Arc<(Mutex<Server>, watch::Sender<u64>)>);

impl Fake {
    fn with<T>(&self, act: impl FnOnce(&mut Server) -> T) -> T {
        act(&mut self.0.0.lock().unwrap())
    }

    async fn until(&self, what: &str, holds: impl Fn(&Server) -> bool) {
        let mut changed = self.0.1.subscribe();
        let wait = changed.wait_for(|_| self.with(|server| holds(server)));
        timeout(Duration::from_secs(20), wait).await.unwrap_or_else(|_| panic!("never: {what}")).unwrap();
    }

    async fn serve(&self, listener: TcpListener) {
        let router = Router::new().route("/api/v2/write", post(write)).with_state(self.clone());
        axum::serve(listener, router).await.unwrap();
    }
}

async fn write(
    State(fake): State<Fake>,
    Query(query): Query<BTreeMap<String, String>>,
    headers: HeaderMap,
    body: axum::body::Bytes,
) -> Response {
    let mut text = String::new();
    match headers.get("content-encoding").map(|value| value.to_str().unwrap()) {
        Some("gzip") => _ = flate2::read::GzDecoder::new(&body[..]).read_to_string(&mut text).unwrap(),
        _ => text.push_str(std::str::from_utf8(&body).unwrap()),
    }
    let body = text;
    let answer = fake.with(|server| {
        server.requests += 1;
        let target = ["org", "bucket", "precision"].map(|key| query.get(key).map(String::as_str));
        assert_eq!(target, [Some("plant"), Some("kpis of the site"), Some("ms")]);
        match server.moods.pop_front() {
            Some(Mood::Status(status, after)) => {
                let builder = Response::builder().status(status);
                let builder = after.into_iter().fold(builder, |builder, after| builder.header("retry-after", after));
                builder.body(Body::from(r#"{"code":"x","message":"on command"}"#)).unwrap()
            }
            Some(Mood::ClosesHalfway) => {
                keep(server, &body);
                let chunks = [Ok("half"), Err(std::io::Error::other("gone"))];
                Response::builder().body(Body::from_stream(futures_util::stream::iter(chunks))).unwrap()
            }
            None if headers.get("authorization").is_none_or(|value| value != "Token s3cret") => plain(401),
            None if body.lines().any(|line| point(line).is_none()) => plain(400),
            None if server.poison.is_some_and(|poison| body.contains(poison)) => plain(422),
            None => {
                keep(server, &body);
                plain(204)
            }
        }
    });
    fake.0.1.send_modify(|count| *count += 1);
    answer
}

fn plain(status: u16) -> Response {
    Response::builder().status(StatusCode::from_u16(status).unwrap()).body(Body::empty()).unwrap()
}

fn keep(server: &mut Server, body: &str) {
    server.points.extend(body.lines().filter_map(point));
}

/// Splits a line into its series with time, and its fields; `None` for what InfluxDB would refuse.
fn point(line: &str) -> Option<(String, String)> {
    // No tag of ours holds a space, and a string field's spaces lie between the first and the last of the line.
    let (series, rest) = line.split_once(' ')?;
    let (fields, time) = rest.rsplit_once(' ')?;
    time.parse::<i64>().ok()?;
    let tags: Vec<&str> = series.split(',').collect();
    let well = matches!(tags[0], "kpi" | "sample")
        && tags[1..].iter().all(|tag| tag.split_once('=').is_some_and(|(_, v)| !v.is_empty()));
    let number = |text: &str| text.parse::<f64>().is_ok_and(f64::is_finite);
    let is_value = |text: &str| {
        number(text)
            || text.strip_suffix('i').is_some_and(|text| text.parse::<i64>().is_ok())
            || (text.len() >= 2 && text.starts_with('"') && text.ends_with('"'))
    };
    let fields_are_well = fields.split(',').all(|field| field.split_once('=').is_some_and(|(_, v)| is_value(v)));
    (well && fields_are_well).then(|| (format!("{series} {time}"), fields.to_owned()))
}

fn tags() -> Vec<TagSpec> {
    ["floor.press-1.total", "meter.energy", "meter.power", "meter.voltage"]
        .map(|name| {
            TagSpec::new(
                TagName::new(name).unwrap(),
                SourceIndex(0),
                Meaning {
                    kind: TagKind::Gauge,
                    unit: Unit::One,
                    decoding: String::new(),
                    hold_ms: 2_500,
                    lateness_ms: 0,
                    thinning: None,
                    states: BTreeMap::new(),
                },
            )
        })
        .to_vec()
}

struct Site {
    _directory: tempfile::TempDir,
    store: Store,
    health: Health,
    wake: watch::Sender<u64>,
    token: CancellationToken,
}

impl Site {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(directory.path(), &tags(), Digest::ZERO, "").unwrap();
        std::fs::write(directory.path().join("token"), "s3cret\n").unwrap();
        Self {
            _directory: directory,
            store,
            health: Health::default(),
            wake: watch::Sender::new(0),
            token: CancellationToken::new(),
        }
    }

    fn commit(&mut self, records: &[WindowRecord]) {
        let seq = self.store.commit(&Commit { now: Timestamp(0), records, ..Commit::default() }).unwrap();
        self.wake.send_replace(seq);
    }

    /// Commits one value of each tag, measured at `at`.
    fn commit_samples(&mut self, at: i64) {
        let sample = |tag: u32| Sample {
            tag: TagIndex(tag),
            measured_at: Timestamp(at),
            value: Some(Number::Integer(i128::from(tag))),
            quality: Quality::Good,
        };
        let samples = (0..4).map(sample).collect();
        let batches = [SampleBatch {
            source: SourceIndex(0),
            delivery: 1,
            received_at: Timestamp(at),
            samples,
            context: Vec::new(),
        }];
        let seq = self.store.commit(&Commit { now: Timestamp(at), batches: &batches, ..Commit::default() }).unwrap();
        self.wake.send_replace(seq);
    }

    fn parts(&self, name: &str, url: &str, more: &str) -> (Forwarder, Destination) {
        let file = self._directory.path().join("token");
        let text = format!(
            "name = \"influx\"\nurl = \"{url}\"\norg = \"plant\"\nbucket = \"kpis of the site\"\ntimeout = \"5s\"\n\
             token = {{ file = \"{}\" }}\n{more}",
            file.display()
        );
        let cursors = Arc::new(Mutex::new(self.store.cursors().unwrap()));
        let mut forwarder = Forwarder::new(
            name,
            (self.store.reader(), cursors),
            self.wake.subscribe(),
            (Clock::manual(Timestamp(5)), self.health.clone()),
            self.token.clone(),
        );
        forwarder.backoff = Backoff::new(Duration::from_millis(1), Duration::from_millis(4));
        (forwarder, destination(&toml::from_str(&text).unwrap()).unwrap())
    }

    fn sink(&self, url: &str) -> Influx {
        let (forwarder, destination) = self.parts("influx", url, "");
        Influx { forwarder, destination, batch: BATCH_RECORDS_MAX }
    }

    fn raw_values(&self, url: &str) -> RawValues {
        let (forwarder, destination) = self.parts("influx.samples", url, "gzip = true");
        RawValues::new(forwarder, destination, SiteId::new("tt-main").unwrap())
    }

    /// Position on the health board, which is written with the rest of an acceptance after the cursor is booked.
    fn delivered(&self) -> u64 {
        ["sink.influx", "sink.influx.samples"].map(|sink| self.counted(sink, "delivered_through")).into_iter().sum()
    }

    fn counted(&self, component: &str, what: &str) -> u64 {
        self.health.snapshot().get(component).and_then(|c| c.counts.get(what).copied()).unwrap_or(0)
    }

    fn cursor(&self) -> u64 {
        self.store.reader().cursor("influx").unwrap()
    }

    /// The cursor has no event to wait for.
    async fn until_cursor(&self, position: u64) {
        let wait = async {
            while self.delivered() != position {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        timeout(Duration::from_secs(20), wait)
            .await
            .unwrap_or_else(|_| panic!("at {}: {:?}", self.cursor(), self.status()));
    }

    fn status(&self) -> (Status, String) {
        let board = self.health.snapshot();
        board.get("sink.influx").map_or((Status::Ok, String::new()), |c| (c.status, c.detail.clone()))
    }
}

/// Runs `body` beside the server and the sink.
async fn beside(fake: &Fake, site: &mut Site, body: impl AsyncFnOnce(&mut Site)) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let sink = site.sink(&format!("http://{}", listener.local_addr().unwrap()));
    tokio::select! {
        () = fake.serve(listener) => unreachable!(),
        () = forward(sink) => panic!("the sink ended"),
        () = body(site) => {}
    }
}

/// As [`beside`], with the sink of raw values.
async fn beside_raw_values(fake: &Fake, site: &mut Site, body: impl AsyncFnOnce(&mut Site)) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let sink = site.raw_values(&format!("http://{}", listener.local_addr().unwrap()));
    tokio::select! {
        () = fake.serve(listener) => unreachable!(),
        () = forward(sink) => panic!("the sink ended"),
        () = body(site) => {}
    }
}

#[tokio::test]
async fn every_record_arrives_and_later_commits_wake_the_sink() {
    let (fake, mut site) = (Fake::default(), Site::new());
    site.commit(&[of_asset("press-1"), of_asset("press-2")]);
    beside(&fake, &mut site, async |site| {
        fake.until("4 points", |server| server.points.len() == 4).await;
        site.commit(&[of_asset("press-3")]);
        site.until_cursor(3).await;
    })
    .await;
    assert_eq!(fake.with(|server| (server.requests, server.points.len())), (2, 6));
}

#[tokio::test]
async fn bad_answers_delay_and_lose_nothing() {
    let (fake, mut site) = (Fake::default(), Site::new());
    let moods = [Mood::Status(401, None), Mood::Status(503, None), Mood::ClosesHalfway, Mood::Status(500, None)];
    fake.with(|server| server.moods.extend(moods));
    site.commit(&[of_asset("press-1")]);
    beside(&fake, &mut site, async |site| {
        fake.until("the second attempt", |server| server.requests >= 2).await;
        assert_eq!(site.status().0, Status::Degraded);
        site.commit(&[of_asset("press-2")]);
        site.until_cursor(2).await;
    })
    .await;
    assert_eq!(fake.with(|server| (server.points.len(), server.moods.len())), (4, 0));
    assert_eq!(site.status(), (Status::Ok, String::new()));
    assert_eq!(site.store.reader().undeliverable_counts().unwrap(), BTreeMap::new());
}

#[tokio::test]
async fn a_server_that_asks_for_time_gets_it() {
    let (fake, mut site) = (Fake::default(), Site::new());
    fake.with(|server| server.moods.push_back(Mood::Status(429, Some(1))));
    site.commit(&[of_asset("press-1")]);
    let begun = tokio::time::Instant::now();
    beside(&fake, &mut site, async |_| fake.until("the points", |server| server.points.len() == 2).await).await;
    assert!(begun.elapsed() >= Duration::from_secs(1));
}

#[tokio::test]
async fn a_refused_record_stands_alone_in_the_end_and_is_kept_with_its_reason() {
    let (fake, mut site) = (Fake::default(), Site::new());
    fake.with(|server| server.poison = Some("asset=press-07,"));
    let records: Vec<_> = (0..20).map(|number| of_asset(&format!("press-{number:02}"))).collect();
    site.commit(&records);
    beside(&fake, &mut site, async |site| {
        site.until_cursor(20).await;
        site.commit(&[of_asset("line-1")]);
        site.until_cursor(21).await;
    })
    .await;
    assert_eq!(fake.with(|server| server.points.len()), 40);
    let refused = site.store.reader().undeliverable("influx", 10).unwrap();
    assert_eq!(refused.len(), 1);
    assert_eq!(
        (refused[0].position, refused[0].what.as_str(), refused[0].reason.as_str()),
        (8, "tt-main/press-07 day 2026-10-04T17:00:00.000Z revision 1", "receiver refuses what was sent (422)")
    );
    assert_eq!(site.health.snapshot()["sink.influx"].counts["undeliverable"], 1);
}

#[tokio::test]
async fn a_revision_replaces_its_point() {
    let (fake, mut site) = (Fake::default(), Site::new());
    site.commit(&[record(1), record(2)]);
    beside(&fake, &mut site, async |_| fake.until("two series", |server| server.points.len() == 2).await).await;
    assert!(fake.with(|server| server.points.values().all(|fields| fields.contains("revision=2i"))));
}

#[tokio::test]
async fn the_sink_ends_when_the_role_stops() {
    let site = Site::new();
    let sink = site.sink("http://127.0.0.1:9");
    site.token.cancel();
    timeout(Duration::from_secs(5), forward(sink)).await.unwrap();
}

#[tokio::test]
async fn every_raw_value_arrives_once_with_the_values_of_its_device_and_instant() {
    let (fake, mut site) = (Fake::default(), Site::new());
    site.commit_samples(1_000);
    site.commit(&[record(1)]);
    beside_raw_values(&fake, &mut site, async |site| {
        site.until_cursor(2).await;
        site.commit_samples(2_000);
        site.until_cursor(3).await;
    })
    .await;
    let points = fake.with(|server| server.points.clone());
    let due = [1_000, 2_000].map(|at| {
        let meter = format!("sample,site=tt-main,source=meter {at}");
        let press = format!("sample,device=press-1,site=tt-main,source=floor {at}");
        [(press, "total=0".to_owned()), (meter, "energy=1,power=2,voltage=3".to_owned())]
    });
    assert_eq!(points, due.into_iter().flatten().collect::<BTreeMap<_, _>>());
    assert_eq!(fake.with(|server| server.requests), 2, "one for all that is there");
    assert_eq!(site.counted("sink.influx.samples", "delivered_values"), 8);
}

#[tokio::test]
async fn raw_values_outlast_bad_answers_and_a_restart_goes_on_after_what_was_accepted() {
    let (fake, mut site) = (Fake::default(), Site::new());
    fake.with(|server| server.moods.extend([Mood::Status(503, None), Mood::ClosesHalfway, Mood::Status(429, Some(1))]));
    site.commit_samples(1_000);
    beside_raw_values(&fake, &mut site, async |site| site.until_cursor(1).await).await;
    assert_eq!(fake.with(|server| (server.points.len(), server.requests)), (2, 4));
    site.commit_samples(2_000);
    beside_raw_values(&fake, &mut site, async |site| site.until_cursor(2).await).await;
    assert_eq!(fake.with(|server| (server.points.len(), server.requests)), (4, 5));
    assert_eq!(site.health.snapshot()["sink.influx.samples"].status, Status::Ok);
}

#[tokio::test]
async fn a_refused_value_stands_alone_in_the_end_and_the_others_of_its_line_arrive() {
    let (fake, mut site) = (Fake::default(), Site::new());
    fake.with(|server| server.poison = Some("power=2"));
    site.commit_samples(1_000);
    beside_raw_values(&fake, &mut site, async |site| site.until_cursor(1).await).await;
    let lines = fake.with(|server| server.points.clone());
    assert_eq!(lines.len(), 2);
    let refused = site.store.reader().undeliverable("influx.samples", 10).unwrap();
    let told: Vec<_> = refused.iter().map(|refused| (refused.position, refused.what.as_str())).collect();
    assert_eq!(told, [(1, "sample,site=tt-main,source=meter power=2 1000")]);
    assert_eq!(site.counted("sink.influx.samples", "delivered_values"), 3);
}

#[tokio::test]
async fn the_sink_of_raw_values_ends_when_the_role_stops() {
    let site = Site::new();
    let sink = site.raw_values("http://127.0.0.1:9");
    site.token.cancel();
    timeout(Duration::from_secs(5), forward(sink)).await.unwrap();
}
