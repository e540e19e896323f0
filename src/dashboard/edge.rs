//! The overview of a box: what is connected, what moves, the site's KPIs, machines, destinations, health.

use std::collections::BTreeMap;

use askama::Template;
use jiff::tz::TimeZone;

use super::cell::{Cell, Tile};
use super::channels::{self, ChannelRow};
use super::components::{Row, Summary};
use super::format;
use super::language::{Language, Texts};
use super::words;
use crate::api::edge::Edge;
use crate::api::{Api, Outcome, ScopeKind, store_problem};
use crate::engine::kpi::{self, CATALOGUE};
use crate::model::id::{StreamName, TagName};
use crate::model::number::Number;
use crate::model::record::{KpiId, Level};
use crate::model::state::MachineState;
use crate::model::tag::TagIndex;
use crate::model::time::{Grain, Timestamp, Window};
use crate::runtime::health::Component;
use crate::store::{LatestSample, StoreError};
use crate::wire::figure::{Figure, Query, Scope};

/// KPIs shown of each asset below the site.
const ASSET_KPIS: [&str; 3] = ["availability", "oee", "electricity"];

/// Assets shown; a box of more points to the API.
const ASSETS_MAX: usize = 100;

#[derive(Template)]
#[template(path = "edge.html")]
pub(super) struct Overview {
    t: &'static Texts,
    lang: &'static str,
    name: String,
    thresholds: String,
    site: String,
    gateway: String,
    now: String,
    health: Summary,
    tiles: Vec<Tile>,
    hour: String,
    day: String,
    families: Vec<FamilyRows>,
    asset_kpis: Vec<&'static str>,
    assets: Vec<AssetRow>,
    channel_kpis: Vec<(&'static str, &'static str)>,
    channels: Vec<ChannelRow>,
    sources: Vec<Row>,
    sinks: Vec<Row>,
    others: Vec<Row>,
}

/// The KPIs of a family that the site has.
struct FamilyRows {
    name: &'static str,
    rows: Vec<KpiRow>,
}

struct KpiRow {
    name: &'static str,
    /// The running hour, then the running day.
    cells: Vec<Cell>,
}

struct AssetRow {
    name: String,
    kind: &'static str,
    state: Option<State>,
    cells: Vec<Cell>,
}

/// What a machine does.
struct State {
    words: &'static str,
    class: &'static str,
    age: String,
}

/// What every part of the page needs.
struct View<'a> {
    edge: &'a Edge,
    now: Timestamp,
    language: Language,
}

impl Overview {
    /// Reads the page from the box's store.
    ///
    /// # Errors
    /// 503 where the store can't be read.
    pub(super) fn of(api: &Api, edge: &Edge, language: Language) -> Outcome<Self> {
        let view = View { edge, now: api.clock.now(), language };
        let zone = edge.plant.site_calendar().zone();
        let site = Scope::Site(edge.plant.site.clone());
        let all: Vec<KpiId> = CATALOGUE.iter().map(|definition| definition.id.clone()).collect();
        // Before anything was measured nobody can say which KPIs the site has.
        let has_facts = view.has_facts().map_err(|error| store_problem(&error))?;
        let all = if has_facts { all } else { Vec::new() };
        let (hour, hours) = view.running(&site, Grain::Hour, &all)?;
        let (day, days) = view.running(&site, Grain::Day, &all)?;
        let [sources, sinks, others] = view.components(api, zone).map_err(|error| store_problem(&error))?;
        Ok(Self {
            t: language.texts(),
            lang: language.code(),
            name: edge.plant.assets.first().and_then(|site| site.name.clone()).unwrap_or(edge.plant.site.to_string()),
            thresholds: format!("/thresholds?lang={}", language.code()),
            site: edge.plant.site.to_string(),
            gateway: edge.gateway.to_string(),
            now: format::instant(view.now, zone, language),
            health: Summary::of(&api.health, language),
            tiles: view.tiles().map_err(|error| store_problem(&error))?,
            hour: hour.map(|window| format::window(window, zone, language)).unwrap_or_default(),
            day: day.map(|window| format::window(window, zone, language)).unwrap_or_default(),
            families: families(hours.into_iter().zip(days), language),
            asset_kpis: ASSET_KPIS.iter().filter_map(|id| kpi::find(id)).map(|kpi| language.kpi(kpi)).collect(),
            assets: view.assets()?,
            channel_kpis: view.channel_kpis(),
            channels: view.channels(zone)?,
            sources,
            sinks,
            others,
        })
    }
}

impl View<'_> {
    /// Says whether any minute of the site was ever closed.
    fn has_facts(&self) -> Result<bool, StoreError> {
        let Some(site) = self.edge.plant.assets.first() else { return Ok(false) };
        Ok(self.edge.reader.latest_minute(&site.id)?.is_some())
    }

    /// Returns the running window of a grain and its figures.
    fn running(&self, scope: &Scope, grain: Grain, kpis: &[KpiId]) -> Outcome<(Option<Window>, Vec<Cell>)> {
        let (from, to) = (self.now, self.now + 1);
        let figures = self.edge.figures(&Query { scope: scope.clone(), kpis: kpis.to_vec(), grain, from, to }, to)?;
        let cell = |figure: &Figure| Cell::of(figure, scope, grain, self.language);
        Ok((figures.first().map(|figure| figure.window), figures.iter().map(cell).collect()))
    }

    fn tiles(&self) -> Result<Vec<Tile>, StoreError> {
        let (counts, t) = (self.edge.reader.counts()?, self.language.texts());
        let tile = |name, value| Tile::new(name, value, self.language);
        Ok(vec![tile(t.samples, counts.samples), tile(t.records, counts.records), tile(t.pages, counts.pages)])
    }

    fn assets(&self) -> Outcome<Vec<AssetRow>> {
        let latest = self.edge.reader.latest_samples().map_err(|error| store_problem(&error))?;
        let latest: BTreeMap<TagName, LatestSample> =
            latest.into_iter().map(|sample| (sample.tag.clone(), sample)).collect();
        let kpis: Vec<KpiId> = ASSET_KPIS.into_iter().map(KpiId::of).collect();
        let below_site =
            self.edge.plant.assets.iter().filter(|asset| asset.level != Level::Site && asset.channel.is_none());
        below_site
            .take(ASSETS_MAX)
            .map(|asset| {
                Ok(AssetRow {
                    name: asset.name.clone().unwrap_or_else(|| asset.id.to_string()),
                    kind: words::kind(kind(asset.level), self.language),
                    state: asset.state.and_then(|tag| self.state(tag, &latest)),
                    cells: self.running(&self.edge.scope(asset), Grain::Hour, &kpis)?.1,
                })
            })
            .collect()
    }

    /// Returns the heads of the columns of channels: KPI and window.
    fn channel_kpis(&self) -> Vec<(&'static str, &'static str)> {
        let t = self.language.texts();
        let head = |(id, grain): &(&str, Grain)| {
            let window = if *grain == Grain::Hour { t.running_hour } else { t.today };
            Some((self.language.kpi(kpi::find(id)?), window))
        };
        channels::SHOWN.iter().filter_map(head).collect()
    }

    fn channels(&self, zone: &TimeZone) -> Outcome<Vec<ChannelRow>> {
        let now = jiff::Timestamp::from_millisecond(self.now.0).ok();
        let today = now.map(|now| zone.to_datetime(now).date());
        let with_channel =
            self.edge.plant.assets.iter().filter_map(|asset| Some((asset, asset.channel.as_deref()?))).take(ASSETS_MAX);
        with_channel
            .map(|(asset, channel)| {
                let scope = self.edge.scope(asset);
                let mut cells = Vec::new();
                for grain in [Grain::Hour, Grain::Day] {
                    cells.extend(self.running(&scope, grain, &channels::kpis_of(grain))?.1);
                }
                Ok(ChannelRow::of(asset, channel, today, cells, self.language))
            })
            .collect()
    }

    /// Returns what a machine does, by its state tag; `None` where the plant has no such tag.
    fn state(&self, tag: TagIndex, latest: &BTreeMap<TagName, LatestSample>) -> Option<State> {
        let tag = self.edge.plant.tags.get(tag.as_usize())?;
        let sample = latest.get(&tag.name);
        let fresh = sample.filter(|sample| self.now.ms_since(sample.measured_at) <= tag.hold_ms);
        let state = fresh.filter(|sample| sample.quality.is_usable()).and_then(|sample| match sample.value {
            Some(Number::Integer(code)) => MachineState::from_code(code),
            _ => None,
        });
        let age = sample.map(|sample| self.ago(sample.measured_at)).unwrap_or_default();
        Some(match state {
            Some(state) => State { words: words::state(state, self.language), class: words::state_class(state), age },
            None => {
                let words =
                    fresh.map_or(self.language.texts().no_data, |sample| words::quality(sample.quality, self.language));
                State { words, class: "warn", age }
            }
        })
    }

    /// Returns the health board as sources, destinations and the rest.
    fn components(&self, api: &Api, zone: &TimeZone) -> Result<[Vec<Row>; 3], StoreError> {
        let [mut sources, mut sinks, mut others] = [const { Vec::new() }; 3];
        let undeliverable = self.edge.reader.undeliverable_counts()?;
        for (name, component) in api.health.snapshot() {
            if let Some(source) = name.strip_prefix("source.") {
                sources.push(Row::of(source, &component, zone, self.language));
            } else if let Some(sink) = name.strip_prefix("sink.") {
                // The backlog is read from the store: it also holds before the first attempt.
                let mut shown = component.clone();
                shown.counts.retain(|name, count| match *name {
                    "backlog_bytes" | "backlog_seconds" => *count > 0,
                    name => !name.starts_with("backlog_") && !matches!(name, "delivered_through" | "undeliverable"),
                });
                let mut row = Row::of(sink, &shown, zone, self.language);
                row.counts.insert(0, self.backlog(sink, &component)?);
                if let Some(count) = undeliverable.get(sink) {
                    row.counts.insert(1, Tile::new(self.language.texts().undeliverable, count, self.language));
                }
                sinks.push(row);
            } else {
                others.push(Row::of(&name, &component, zone, self.language));
            }
        }
        Ok([sources, sinks, others])
    }

    /// Returns what a destination has still to get: what it says itself of raw values and files, else pages of its stream, or
    /// records of the log.
    fn backlog(&self, sink: &str, component: &Component) -> Result<Tile, StoreError> {
        let (reader, t) = (&self.edge.reader, self.language.texts());
        let sent_all = || Tile { name: t.everything_sent.to_owned(), value: String::new() };
        for name in ["backlog_commits", "backlog_files"] {
            if let Some(left) = component.counts.get(name) {
                let what = words::count(name, self.language);
                return Ok(if *left == 0 { sent_all() } else { Tile::new(what, *left, self.language) });
            }
        }
        let (heads, sent) = (reader.heads()?, reader.cursor(sink)?);
        let head = StreamName::new(sink).ok().and_then(|stream| heads.get(&stream).copied());
        let (last, what) = match head {
            Some(head) => (head.seq, t.backlog_pages),
            None => (reader.counts()?.records, t.backlog_records),
        };
        Ok(match last.saturating_sub(sent) {
            0 => sent_all(),
            left => Tile::new(what, left, self.language),
        })
    }

    fn ago(&self, at: Timestamp) -> String {
        let age = format::age(self.now.ms_since(at), self.language);
        format!("{age} {}", self.language.texts().ago)
    }
}

/// Groups figures of two windows by family, in the order of the catalogue. A KPI that neither window can have is left
/// out: the catalogue is long, and a factory has a part of it.
fn families(figures: impl Iterator<Item = (Cell, Cell)>, language: Language) -> Vec<FamilyRows> {
    let mut families: Vec<FamilyRows> = Vec::new();
    for (definition, (hour, day)) in CATALOGUE.iter().zip(figures).filter(|(_, (hour, day))| hour.exists || day.exists)
    {
        let (name, row) = (language.family(definition.family), KpiRow { name: hour.name, cells: vec![hour, day] });
        match families.iter_mut().find(|family| family.name == name) {
            Some(family) => family.rows.push(row),
            None => families.push(FamilyRows { name, rows: vec![row] }),
        }
    }
    families
}

/// Returns the kind of scope that assets of a level are.
pub(super) const fn kind(level: Level) -> ScopeKind {
    match level {
        Level::Site => ScopeKind::Site,
        Level::Area => ScopeKind::Area,
        Level::Line => ScopeKind::Line,
        Level::Unit => ScopeKind::Unit,
    }
}
