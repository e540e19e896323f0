//! A box and a hub with known contents, and requests to them.

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Request, StatusCode};
use axum::response::Response;
use jiff::tz::TimeZone;
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::Value;
use tempfile::TempDir;
use tower::ServiceExt;

use super::edge::Edge;
use super::{Api, Backend, guarded, router};
use crate::engine::calendar::Calendar;
use crate::engine::kpi::grid::{self, MissingFactor};
use crate::engine::kpi::{self, CATALOGUE, KpiContext};
use crate::engine::plant::{Asset, Plant};
use crate::hub::Hub;
use crate::hub::config::{GatewayConfig, ParkConfig, SiteConfig};
use crate::hub::directory::Directory;
use crate::hub::figures::Knowledge;
use crate::ledger::key::GatewayKey;
use crate::ledger::page::SignedPage;
use crate::ledger::stream::Stream;
use crate::model::fact::{FactRow, Facts, Measure};
use crate::model::id::{AssetId, Digest, GatewayId, SiteId, StreamName};
use crate::model::record::{ClockState, KpiId, Level, Reason, WindowRecord};
use crate::model::share::SharePolicy;
use crate::model::time::{Grain, MINUTE_MS, Timestamp, Window};
use crate::model::unit::ProductUnit;
use crate::reference::Reference;
use crate::runtime::clock::Clock;
use crate::runtime::health::Health;
use crate::store::{Cargo, Commit, Exchange, Outcome, Store, epoch_cursor};

pub(crate) fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// Plant time of every test: 20 minutes into an hour.
pub(crate) fn now() -> Timestamp {
    at("2026-10-05T09:20:00+07:00")
}

/// A box, its store and its health board.
pub(crate) struct TestEdge {
    pub(crate) api: Arc<Api>,
    pub(crate) health: Health,
    pub(crate) store: Store,
}

/// A box that measured from 08:00 to 09:20: 60 kWh and a press that ran, so the hour 08 is closed with its record and
/// the hour 09 is open.
pub(crate) fn edge(token: Option<&str>) -> TestEdge {
    let plant = Arc::new(plant());
    let mut store = Store::open_in_memory(&[], plant.config, "").unwrap();
    let begin = at("2026-10-05T08:00:00+07:00");
    let minutes = (0..80).map(|minute| begin + minute * MINUTE_MS);
    let facts: Vec<FactRow> = minutes.flat_map(|minute| [site_minute(minute), press_minute(minute)]).collect();
    let record = record(&plant, &facts, Window { start: begin, end: begin + 60 * MINUTE_MS });
    store
        .commit(&Commit { now: now(), facts: &facts, records: std::slice::from_ref(&record), ..Commit::default() })
        .unwrap();
    let health = Health::default();
    let edge = Edge {
        gateway: GatewayId::new("tt-0042").unwrap(),
        key_thumbprint: GatewayKey::from_seed([1; 32]).kid(),
        plant,
        reader: store.reader(),
    };
    let token = token.map(SecretString::from);
    let api = Api::new(Backend::Edge(edge), health.clone(), Clock::manual(now()), token);
    TestEdge { api, health, store }
}

fn plant() -> Plant {
    let zone = TimeZone::get("Asia/Ho_Chi_Minh").unwrap();
    Plant {
        assets: vec![asset("site", None, Level::Site), asset("press-1", Some(0), Level::Unit)],
        grains: vec![Grain::Hour, Grain::Day],
        grid_factor: MissingFactor::Latest,
        ..Plant::new(SiteId::new("tt-main").unwrap(), Calendar::round_the_clock(zone), Digest([7; 32]))
    }
}

fn asset(id: &str, parent: Option<usize>, level: Level) -> Asset {
    Asset {
        name: (level == Level::Unit).then(|| "Máy dập <1>".to_owned()),
        ..Asset::new(AssetId::new(id).unwrap(), parent, level)
    }
}

fn row(asset: &str, minute: Timestamp, pairs: &[(Measure, i128)]) -> FactRow {
    FactRow { asset: AssetId::new(asset).unwrap(), minute, facts: pairs.iter().copied().collect() }
}

/// One kWh a minute, measured from end to end.
fn site_minute(minute: Timestamp) -> FactRow {
    let ms = i128::from(MINUTE_MS);
    let energy = [(Measure::Electricity, 1_000_000), (Measure::ElectricitySubstituted, 0)];
    let seen = [(Measure::ElectricityObserved, ms), (Measure::ElectricityExpected, ms)];
    row("site", minute, &[energy, seen].concat())
}

/// 45 s of production and 15 s of down time a minute.
fn press_minute(minute: Timestamp) -> FactRow {
    row("press-1", minute, &[(Measure::Apt, 45_000), (Measure::Adot, 15_000), (Measure::NoData, 0)])
}

fn record(plant: &Plant, rows: &[FactRow], window: Window) -> WindowRecord {
    let mut facts = Facts::default();
    let site = rows.iter().filter(|row| row.asset.as_str() == "site" && window.contains(row.minute));
    site.for_each(|row| facts.merge_over_time(&row.facts));
    let grid = grid::choose(&plant.reference, 2026, plant.grid_factor);
    let context = KpiContext::new(grid, true);
    let kpis = CATALOGUE.iter().map(|definition| kpi::evaluate(definition, &facts, Grain::Hour, &context));
    WindowRecord {
        site: plant.site.clone(),
        asset: AssetId::new("site").unwrap(),
        level: Level::Site,
        grain: Grain::Hour,
        window,
        revision: 2,
        product_unit: ProductUnit::Piece,
        kpis: kpis.filter(|value| value.reason != Some(Reason::NoInput)).collect(),
        config: plant.config,
        clock: ClockState::Simulated,
        calendar: None,
        inputs_digest: Digest([9; 32]),
        facts,
    }
}

/// A hub of one park with one site, one more site that is silent, and the pages its gateway would send.
pub(crate) struct TestHub {
    pub(crate) api: Arc<Api>,
    pub(crate) pages: Vec<SignedPage>,
    _directory: TempDir,
}

pub(crate) fn hub() -> TestHub {
    let directory = tempfile::tempdir().unwrap();
    let clock = Clock::manual(now());
    let health = Health::default();
    let hub = Hub::open("Ban quản lý", directory.path(), knowledge(), clock.clone(), health.clone()).unwrap();
    let api = Api::new(Backend::Hub(hub), health, clock, None);
    TestHub { api, pages: pages(), _directory: directory }
}

fn knowledge() -> Knowledge {
    #[derive(Deserialize)]
    struct File {
        park: Vec<ParkConfig>,
        site: Vec<SiteConfig>,
        gateway: Vec<GatewayConfig>,
    }
    let text = r#"
        park = [{ id = "tan-thuan", name = "KCX Tân Thuận", province = "ho-chi-minh" }]
        site = [
            { id = "tt-main", park = "tan-thuan", enterprise = "9900000016", name = "Thép <Sài Gòn>" },
            { id = "silent", park = "tan-thuan", enterprise = "9900000016", name = "May Bình Chánh" },
        ]
        gateway = [{ id = "tt-0042", site = "tt-main" }, { id = "tt-0043", site = "silent" }]
    "#;
    let file: File = toml::from_str(text).unwrap();
    Knowledge {
        directory: Directory::build(&file.park, &file.site, &file.gateway).unwrap(),
        calendar: Calendar::round_the_clock(TimeZone::get("Asia/Ho_Chi_Minh").unwrap()),
        reference: Reference::builtin(),
        missing: MissingFactor::Latest,
    }
}

/// The policy page and one page with the hour from 08:00 to 09:00.
fn pages() -> Vec<SignedPage> {
    let plant = plant();
    let start = at("2026-10-05T08:00:00+07:00");
    let rows: Vec<FactRow> = (0..60).map(|minute| site_minute(start + minute * MINUTE_MS)).collect();
    let record = record(&plant, &rows, Window { start, end: start + 60 * MINUTE_MS });
    let mut kpis: Vec<KpiId> = CATALOGUE.iter().map(|definition| definition.id.clone()).collect();
    kpis.sort();
    let policy = SharePolicy { kpis, level: Level::Site, grain: Grain::Hour };
    let (gateway, stream) = (GatewayId::new("tt-0042").unwrap(), StreamName::new("hepza").unwrap());
    let mut stream = Stream::open(gateway, stream, 1, policy, None, |id| {
        kpi::find(id.as_str()).map_or(&[], |definition| definition.reveals())
    });
    stream.cut(now(), plant.config, &[record], &GatewayKey::from_seed([1; 32]))
}

impl TestEdge {
    /// Commits the policy page and the page of the hour, of which the first was acknowledged at the second attempt.
    pub(crate) fn with_pages(mut self) -> Self {
        let pages = pages();
        self.store.commit(&Commit { now: now(), pages: &pages, ..Commit::default() }).unwrap();
        let mut cursors = self.store.cursors().unwrap();
        cursors.set(&epoch_cursor("hepza"), 1).unwrap();
        let exchange = |outcome, answer: &str| Exchange {
            sink: "hepza".to_owned(),
            at: now(),
            destination: "hub.example.gov.vn:443".to_owned(),
            cargo: Cargo::Pages,
            first: 1,
            last: 1,
            name: None,
            epoch: Some(1),
            bytes: pages[0].bytes.len() as u64,
            hash: pages[0].hash,
            outcome,
            answer: answer.to_owned(),
        };
        cursors.exchanged(&exchange(Outcome::Failed, "receiver is <busy> (503)"), None).unwrap();
        cursors.exchanged(&exchange(Outcome::Acknowledged, "201"), Some(1)).unwrap();
        self
    }
}

impl TestHub {
    /// Delivers every page.
    pub(crate) async fn delivered(self) -> Self {
        for page in &self.pages {
            let answer = put(&self.api, page, &page.jws).await;
            assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.text());
        }
        self
    }
}

/// An answer, read to its end.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) async fn of(response: Response) -> Self {
        let (parts, body) = response.into_parts();
        let body = to_bytes(body, 16 << 20).await.unwrap().to_vec();
        Self { status: parts.status, headers: parts.headers, body }
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

pub(crate) async fn send(routes: Router, request: Request<Body>) -> Answer {
    Answer::of(routes.oneshot(request).await.unwrap()).await
}

/// Asks the guarded API.
pub(crate) async fn ask(api: &Arc<Api>, method: &str, uri: &str) -> Answer {
    let request = Request::builder().method(method).uri(uri).body(Body::empty()).unwrap();
    send(guarded(router(api), api), request).await
}

pub(crate) async fn get(api: &Arc<Api>, uri: &str) -> Answer {
    ask(api, "GET", uri).await
}

/// Sends a JSON body.
pub(crate) async fn post(api: &Arc<Api>, uri: &str, body: &str) -> Answer {
    let request =
        Request::post(uri).header("content-type", "application/json").body(Body::from(body.to_owned())).unwrap();
    send(guarded(router(api), api), request).await
}

pub(crate) async fn put(api: &Arc<Api>, page: &SignedPage, jws: &str) -> Answer {
    let uri = format!("/api/v1/gateways/{}/streams/{}/{}/pages/{}", page.gateway, page.stream, page.epoch, page.seq);
    let request = Request::builder()
        .method("PUT")
        .uri(uri)
        .header("x-jws-signature", jws)
        .body(Body::from(page.bytes.clone()))
        .unwrap();
    send(guarded(router(api), api), request).await
}

/// Sends a status that the box's key signs.
pub(crate) async fn tell(api: &Arc<Api>, uri: &str, body: Vec<u8>) -> Answer {
    let request =
        Request::put(uri).header("x-jws-signature", crate::ledger::jws::sign(&body, &GatewayKey::from_seed([1; 32])));
    send(guarded(router(api), api), request.body(Body::from(body)).unwrap()).await
}

/// Sends a page's body in another coding.
pub(crate) async fn put_coded(api: &Arc<Api>, page: &SignedPage, coding: &str, body: Vec<u8>) -> Answer {
    let uri = format!("/api/v1/gateways/{}/streams/{}/{}/pages/{}", page.gateway, page.stream, page.epoch, page.seq);
    let request = Request::put(uri).header("x-jws-signature", &page.jws).header("content-encoding", coding);
    send(guarded(router(api), api), request.body(Body::from(body)).unwrap()).await
}
