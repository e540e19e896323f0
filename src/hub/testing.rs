//! A small park and boxes that sign real pages, for the tests of this room.

use std::path::Path;

use serde::Deserialize;
use tempfile::TempDir;

use super::config::{GatewayConfig, ParkConfig, SiteConfig};
use super::directory::Directory;
use super::figures::Knowledge;
use super::ingest::{Accepted, Delivery, Refusal, accept};
use super::store::HubStore;
use crate::engine::calendar::Calendar;
use crate::engine::kpi::grid::MissingFactor;
use crate::engine::kpi::{CATALOGUE, KpiContext, evaluate};
use crate::ledger::key::GatewayKey;
use crate::ledger::page::{Page, PageKind, SharedRecord, SignedPage, VERSION, policy_digest};
use crate::model::fact::{Facts, Measure};
use crate::model::id::{AssetId, Digest, GatewayId, SiteId, StreamName};
use crate::model::record::{ClockState, KpiId, Level, Reason};
use crate::model::share::SharePolicy;
use crate::model::time::{Grain, Timestamp, Window};
use crate::model::unit::ProductUnit;
use crate::reference::Reference;

/// Two parks of one province: `tan-thuan` with `steel` and `garment`, `tan-tao` with `electronics`. Each site has a gateway
/// of its name; that of `electronics` needs a token.
pub(crate) fn directory(token_file: &Path) -> Directory {
    #[derive(Deserialize)]
    struct File {
        park: Vec<ParkConfig>,
        site: Vec<SiteConfig>,
        gateway: Vec<GatewayConfig>,
    }
    std::fs::write(token_file, "s3cret\n").unwrap();
    let text = format!(
        r#"
        park = [
            {{ id = "tan-thuan", name = "Tân Thuận", province = "ho-chi-minh" }},
            {{ id = "tan-tao", name = "Tân Tạo", province = "ho-chi-minh" }},
        ]
        site = [
            {{ id = "steel", park = "tan-thuan", enterprise = "9900000016", name = "Thép" }},
            {{ id = "garment", park = "tan-thuan", enterprise = "9900000016", name = "May" }},
            {{ id = "electronics", park = "tan-tao", enterprise = "9900000016", name = "Điện tử" }},
        ]
        gateway = [
            {{ id = "steel", site = "steel" }},
            {{ id = "garment", site = "garment" }},
            {{ id = "electronics", site = "electronics", token = {{ file = "{}" }} }},
        ]
        "#,
        token_file.display()
    );
    let file: File = toml::from_str(&text).unwrap();
    Directory::build(&file.park, &file.site, &file.gateway).unwrap()
}

pub(crate) fn knowledge(directory: Directory) -> Knowledge {
    Knowledge { directory, calendar: calendar(), reference: Reference::builtin(), missing: MissingFactor::Latest }
}

pub(crate) fn calendar() -> Calendar {
    Calendar::round_the_clock(jiff::tz::TimeZone::get("Asia/Ho_Chi_Minh").unwrap())
}

pub(crate) fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// A store in a directory of its own.
pub(crate) struct TestHub {
    pub(crate) directory: TempDir,
    pub(crate) store: HubStore,
    pub(crate) known: Directory,
    pub(crate) now: Timestamp,
}

impl TestHub {
    pub(crate) fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let store = HubStore::open(directory.path()).unwrap();
        let known = self::directory(&directory.path().join("token"));
        Self { directory, store, known, now: at("2026-10-05T00:00:00Z") }
    }

    /// Delivers a page to the path it names, a second after the one before.
    pub(crate) fn deliver(&mut self, page: &SignedPage) -> Result<Accepted, Refusal> {
        self.deliver_with(page, Some("s3cret"))
    }

    pub(crate) fn deliver_with(&mut self, page: &SignedPage, token: Option<&str>) -> Result<Accepted, Refusal> {
        self.now = self.now + 1000;
        accept(&mut self.store, &self.known, &delivery(page, token), self.now)
    }
}

pub(crate) fn delivery<'a>(page: &'a SignedPage, token: Option<&'a str>) -> Delivery<'a> {
    Delivery {
        gateway: &page.gateway,
        stream: &page.stream,
        epoch: page.epoch,
        seq: page.seq,
        token,
        jws: &page.jws,
        bytes: &page.bytes,
    }
}

/// A box that makes pages.
#[derive(Clone)]
pub(crate) struct TestBox {
    pub(crate) site: SiteId,
    pub(crate) seed: u8,
    pub(crate) grain: Grain,
    pub(crate) epoch: u32,
    pub(crate) seq: u64,
    pub(crate) prev: Digest,
}

impl TestBox {
    pub(crate) fn new(site: &str, seed: u8) -> Self {
        Self { site: SiteId::new(site).unwrap(), seed, grain: Grain::FiveMinutes, epoch: 1, seq: 0, prev: Digest::ZERO }
    }

    pub(crate) fn key(&self) -> GatewayKey {
        GatewayKey::from_seed([self.seed; 32])
    }

    pub(crate) fn policy(&self) -> SharePolicy {
        let kpis = CATALOGUE.iter().map(|definition| definition.id.clone()).collect();
        SharePolicy { kpis, level: Level::Site, grain: self.grain }
    }

    pub(crate) fn policy_page(&mut self) -> SignedPage {
        let page = Page { policy: Some(self.policy()), key: Some(self.key().jwk()), ..self.draft(PageKind::Policy) };
        self.sign(&page)
    }

    pub(crate) fn page(&mut self, records: Vec<SharedRecord>) -> SignedPage {
        let page = Page { records, ..self.draft(PageKind::Records) };
        self.sign(&page)
    }

    pub(crate) fn draft(&self, kind: PageKind) -> Page {
        Page {
            v: VERSION,
            kind,
            gateway: GatewayId::new(self.site.as_str()).unwrap(),
            stream: StreamName::new("authority").unwrap(),
            epoch: self.epoch,
            seq: self.seq + 1,
            prev: self.prev,
            created_at: at("2026-10-05T00:00:00Z"),
            config: Digest([7; 32]),
            policy_digest: policy_digest(&self.policy()),
            policy: None,
            reveals: std::collections::BTreeMap::new(),
            key: None,
            records: Vec::new(),
        }
    }

    pub(crate) fn sign(&mut self, page: &Page) -> SignedPage {
        let signed = page.sign(&self.key());
        self.seq = signed.seq;
        self.prev = signed.hash;
        signed
    }

    /// One record of the site, its window starting `minute` minutes into 5 October 2026, Hồ Chí Minh time.
    pub(crate) fn record(&self, minute: i64, revision: u32, pairs: &[(Measure, i128)]) -> SharedRecord {
        record(&self.site, self.grain, minute, revision, pairs)
    }

    /// As [`Self::record`], with `kwh` that were measured from end to end.
    pub(crate) fn energy(&self, minute: i64, kwh: i128) -> SharedRecord {
        let length = i128::from(length_ms(self.grain));
        self.record(
            minute,
            1,
            &[
                (Measure::Electricity, kwh * 1_000_000),
                (Measure::ElectricityObserved, length),
                (Measure::ElectricityExpected, length),
            ],
        )
    }
}

pub(crate) fn record(
    site: &SiteId,
    grain: Grain,
    minute: i64,
    revision: u32,
    pairs: &[(Measure, i128)],
) -> SharedRecord {
    let start = at("2026-10-05T00:00:00+07:00") + minute * 60_000;
    let facts: Facts = pairs.iter().copied().collect();
    let context = KpiContext::new(Err(Reason::NoPublishedFactor), false);
    SharedRecord {
        site: site.clone(),
        asset: AssetId::new("site").unwrap(),
        level: Level::Site,
        grain,
        window: Window { start, end: start + length_ms(grain) },
        revision,
        product_unit: ProductUnit::Piece,
        kpis: CATALOGUE.iter().map(|definition| evaluate(definition, &facts, grain, &context)).collect(),
        facts,
        config: Digest([7; 32]),
        clock: ClockState::Simulated,
        calendar: None,
        production_day: None,
        inputs_digest: Digest([9; 32]),
    }
}

fn length_ms(grain: Grain) -> i64 {
    calendar().window_of(grain, at("2026-10-05T00:00:00+07:00")).unwrap().length_ms()
}

pub(crate) fn kpi(name: &'static str) -> KpiId {
    KpiId::of(name)
}
