//! `/egress`: what left the box in the last 31 days, how it was answered, what stayed inside, and what may leave.

use std::collections::BTreeMap;
use std::sync::Arc;

use askama::Template;
use axum::extract::{Query, State};
use axum::response::Html;
use jiff::tz::TimeZone;

use super::View;
use super::cell::Tile;
use super::edge::kind;
use super::format;
use super::language::{Language, Texts};
use super::words;
use crate::api::egress::{Egress, ExchangeBody, PageBody, WaitingBody, Wanted, WithheldBody};
use crate::api::health::JsonInteger;
use crate::api::{Api, Outcome};
use crate::engine::kpi;
use crate::model::time::Window;

/// Pages and exchanges shown, the newest first; a box of more points to API and command.
const SHOWN_MAX: usize = 50;

#[derive(Template)]
#[template(path = "egress.html")]
struct Page {
    t: &'static Texts,
    back: String,
    window: String,
    waiting: Vec<Waiting>,
    policies: Vec<Policy>,
    stayed: Vec<Stayed>,
    pages: Vec<PageRow>,
    has_more_pages: bool,
    exchanges: Vec<ExchangeRow>,
    has_more_exchanges: bool,
}

/// A wider share that waits for the factory's word.
struct Waiting {
    sink: String,
    share: String,
    at: String,
    /// What would newly leave.
    kpis: Vec<&'static str>,
    level: Option<&'static str>,
    grain: Option<&'static str>,
    facts: Vec<String>,
}

/// What may leave to one destination.
struct Policy {
    sink: String,
    level: &'static str,
    grain: &'static str,
    /// The page that says so.
    place: String,
    at: String,
    kpis: Vec<Revealing>,
}

/// A KPI and the facts that go out with it.
struct Revealing {
    name: &'static str,
    id: String,
    facts: Vec<String>,
}

/// What one stream didn't carry.
struct Stayed {
    sink: String,
    released: String,
    /// Whole records, KPI values, facts.
    lists: [Vec<Tile>; 3],
}

struct PageRow {
    place: String,
    at: String,
    what: String,
    bytes: String,
    state: &'static str,
    class: &'static str,
}

struct ExchangeRow {
    at: String,
    sink: String,
    destination: String,
    what: String,
    bytes: String,
    state: &'static str,
    class: &'static str,
    answer: String,
}

/// Returns the page.
pub(super) async fn page(State(api): State<Arc<Api>>, Query(view): Query<View>) -> Outcome<Html<String>> {
    let language = view.language();
    let egress = api.egress(Wanted::newest(api.clock.now() + 1, SHOWN_MAX)).await?;
    let main = super::render(&Page::of(egress, api.calendar().zone(), language))?;
    let other_href = format!("/egress?lang={}", language.other().code());
    super::page(&api, language, other_href, language.texts().egress, String::new(), &main)
}

impl Page {
    fn of(egress: Egress, zone: &TimeZone, language: Language) -> Self {
        Self {
            t: language.texts(),
            back: format!("/?lang={}", language.code()),
            window: format::window(Window { start: egress.since, end: egress.until }, zone, language),
            waiting: egress.waiting.into_iter().map(|one| Waiting::of(one, zone, language)).collect(),
            policies: egress.policies.iter().filter_map(|page| Policy::of(page, zone, language)).collect(),
            stayed: egress.withheld.iter().flatten().map(|withheld| Stayed::of(withheld, language)).collect(),
            pages: egress.pages.iter().map(|page| PageRow::of(page, zone, language)).collect(),
            has_more_pages: egress.next_page.is_some(),
            exchanges: egress.exchanges.into_iter().map(|one| ExchangeRow::of(one, zone, language)).collect(),
            has_more_exchanges: egress.next_exchange.is_some(),
        }
    }
}

impl Waiting {
    fn of(waiting: WaitingBody, zone: &TimeZone, language: Language) -> Self {
        let newly = waiting.newly;
        let level = newly.level.map(|_| words::kind(kind(waiting.policy.level), language));
        Self {
            sink: waiting.sink.to_string(),
            share: waiting.share.to_string(),
            at: format::instant(waiting.asked_at, zone, language),
            kpis: newly.kpis.iter().filter_map(|id| kpi::find(id)).map(|kpi| language.kpi(kpi)).collect(),
            level,
            grain: newly.grain,
            facts: newly.facts,
        }
    }
}

impl Policy {
    fn of(page: &PageBody, zone: &TimeZone, language: Language) -> Option<Self> {
        let policy = page.policy.as_ref()?;
        let revealing = |(id, facts): (&String, &Vec<String>)| Revealing {
            name: kpi::find(id).map_or("", |definition| language.kpi(definition)),
            id: id.clone(),
            facts: facts.clone(),
        };
        Some(Self {
            sink: page.sink.to_string(),
            level: words::kind(kind(policy.level), language),
            grain: policy.grain.as_str(),
            place: place(page),
            at: format::instant(page.created_at, zone, language),
            kpis: page.reveals.iter().map(revealing).collect(),
        })
    }
}

impl Stayed {
    fn of(withheld: &WithheldBody, language: Language) -> Self {
        let tile = |name: &str, count: &JsonInteger| Tile::new(name, count.0, language);
        let whole = withheld.records.iter().flat_map(|(level, grains)| {
            grains.iter().map(move |(grain, count)| tile(&format!("{level} · {grain}"), count))
        });
        let named =
            |counts: &BTreeMap<String, JsonInteger>| counts.iter().map(|(name, count)| tile(name, count)).collect();
        Self {
            sink: withheld.sink.to_string(),
            released: format::integer(withheld.released_records.0, language),
            lists: [
                whole.collect(),
                named(&withheld.kpis),
                withheld.facts.iter().map(|(name, count)| tile(name, count)).collect(),
            ],
        }
    }
}

impl PageRow {
    fn of(page: &PageBody, zone: &TimeZone, language: Language) -> Self {
        let t = language.texts();
        let (state, class) =
            if page.acknowledged { (t.egress_acknowledged, "good") } else { (t.egress_not_acknowledged, "warn") };
        Self {
            place: place(page),
            at: format::instant(page.created_at, zone, language),
            what: match page.kind {
                "records" => format!("{} {}", format::integer(page.records, language), t.records),
                "key" => t.egress_key_page.to_owned(),
                _ => t.egress_policy_page.to_owned(),
            },
            bytes: format::integer(page.bytes, language),
            state,
            class,
        }
    }
}

impl ExchangeRow {
    fn of(exchange: ExchangeBody, zone: &TimeZone, language: Language) -> Self {
        let t = language.texts();
        let (state, class) = match exchange.outcome {
            "acknowledged" => (t.egress_acknowledged, "good"),
            "refused" => (t.egress_refused, "bad"),
            _ => (t.egress_failed, "warn"),
        };
        let what = match exchange.what {
            "pages" => t.pages,
            "records" => t.records,
            "samples" => t.samples,
            "status" => t.status,
            other => other,
        };
        let epoch = exchange.epoch.map(|epoch| format!("{epoch}/")).unwrap_or_default();
        let name = exchange.name.map(|name| format!(" {name}")).unwrap_or_default();
        Self {
            at: format::instant(exchange.at, zone, language),
            sink: exchange.sink,
            destination: exchange.destination,
            what: match exchange.first.0 == exchange.last.0 {
                _ if exchange.what == "status" => what.to_owned(),
                true => format!("{what}{name} {epoch}{}", exchange.first),
                false => format!("{what}{name} {epoch}{}–{epoch}{}", exchange.first, exchange.last),
            },
            bytes: format::integer(exchange.bytes.0, language),
            state,
            class,
            answer: exchange.answer,
        }
    }
}

fn place(page: &PageBody) -> String {
    format!("{}/{}/{}", page.sink, page.epoch, page.seq)
}
