//! The overview of the hub: parks and their sites, what each reports, and which boxes are connected.

use askama::Template;
use jiff::tz::TimeZone;

use super::cell::{Cell, Tile};
use super::components::{Row, Summary};
use super::format;
use super::language::{Language, Texts};
use crate::api::{Api, Outcome, query_problem, store_problem};
use crate::engine::calendar::Calendar;
use crate::engine::kpi;
use crate::hub::Hub;
use crate::hub::status::{GatewayState, ParkState, SiteState, StreamState};
use crate::model::record::KpiId;
use crate::model::time::{Grain, Timestamp, Window};
use crate::wire::figure::{Figure, Query, Scope};
use crate::wire::status::{ComponentKind, KindStatus};

/// KPIs shown of each park and site.
const KPIS: [&str; 5] = ["oee", "electricity", "specific_energy", "scope_2", "carbon_intensity"];

/// Sites shown on one page; a hub of more points to the API. Each costs one question to the store.
const SITES_MAX: usize = 200;

/// Which window is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Period {
    #[default]
    Today,
    Yesterday,
    ThisHour,
    LastHour,
    ThisMonth,
}

impl Period {
    const ALL: [Self; 5] = [Self::Today, Self::Yesterday, Self::ThisHour, Self::LastHour, Self::ThisMonth];

    /// Returns the period of a parameter.
    pub(super) fn from_parameter(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|period| period.code() == text)
    }

    /// Returns the name used in links.
    pub(super) const fn code(self) -> &'static str {
        match self {
            Self::Today => "today",
            Self::Yesterday => "yesterday",
            Self::ThisHour => "hour",
            Self::LastHour => "last_hour",
            Self::ThisMonth => "month",
        }
    }

    const fn name(self, t: &Texts) -> &'static str {
        match self {
            Self::Today => t.today,
            Self::Yesterday => t.yesterday,
            Self::ThisHour => t.this_hour,
            Self::LastHour => t.last_hour,
            Self::ThisMonth => t.this_month,
        }
    }

    const fn grain(self) -> Grain {
        match self {
            Self::Today | Self::Yesterday => Grain::Day,
            Self::ThisHour | Self::LastHour => Grain::Hour,
            Self::ThisMonth => Grain::Month,
        }
    }

    /// Returns the window as of `now`; every grain shown has one at any instant.
    fn window(self, calendar: &Calendar, now: Timestamp) -> Option<Window> {
        let running = calendar.window_of(self.grain(), now)?;
        match self {
            Self::Today | Self::ThisHour | Self::ThisMonth => Some(running),
            Self::Yesterday | Self::LastHour => calendar.window_ending_at(self.grain(), running.start),
        }
    }
}

#[derive(Template)]
#[template(path = "hub.html")]
pub(super) struct Overview {
    t: &'static Texts,
    name: String,
    now: String,
    health: Summary,
    tiles: Vec<Tile>,
    periods: Vec<PeriodLink>,
    window: String,
    kpis: Vec<&'static str>,
    parks: Vec<ParkRows>,
    /// Not every site is shown.
    cut: bool,
    gateways: Vec<GatewayRow>,
    others: Vec<Row>,
}

struct PeriodLink {
    name: &'static str,
    href: String,
    current: bool,
}

struct ParkRows {
    id: String,
    name: String,
    province: String,
    reporting: u32,
    expected: u32,
    cells: Vec<Cell>,
    sites: Vec<SiteRow>,
}

struct SiteRow {
    name: String,
    thresholds: String,
    connection: &'static str,
    class: &'static str,
    seen: String,
    cells: Vec<Cell>,
}

struct GatewayRow {
    gateway: String,
    site: String,
    connection: &'static str,
    class: &'static str,
    seen: String,
    key: String,
    troubles: Vec<Trouble>,
    streams: Vec<StreamRow>,
}

/// Components of one kind that a gateway says aren't well.
struct Trouble {
    class: &'static str,
    text: String,
}

struct StreamRow {
    name: String,
    page: String,
    fork: Option<String>,
}

/// What every part of the page needs.
struct View<'a> {
    hub: &'a Hub,
    window: Window,
    grain: Grain,
    now: Timestamp,
    language: Language,
}

impl Overview {
    /// Reads the page from the hub's store.
    ///
    /// # Errors
    /// 503 where the store can't be read.
    pub(super) fn of(api: &Api, hub: &Hub, period: Period, language: Language) -> Outcome<Self> {
        let (now, calendar, t) = (api.clock.now(), &hub.knowledge().calendar, language.texts());
        let window = period.window(calendar, now).unwrap_or(Window { start: now, end: now + 1 });
        let view = View { hub, window, grain: period.grain(), now, language };
        let sites = hub.sites().map_err(|error| store_problem(&error))?;
        let gateways = hub.gateways().map_err(|error| store_problem(&error))?;
        let shown = sites.get(..SITES_MAX).unwrap_or(&sites);
        let parks = hub.parks().iter().map(|park| view.park(park, shown, &gateways)).collect::<Outcome<_>>()?;
        let link = |of: Period| PeriodLink {
            name: of.name(t),
            href: format!("/?lang={}&period={}", language.code(), of.code()),
            current: of == period,
        };
        Ok(Self {
            t,
            name: hub.name().to_owned(),
            now: format::instant(now, calendar.zone(), language),
            health: Summary::of(&api.health, language),
            tiles: view.tiles(&sites, &gateways)?,
            periods: Period::ALL.into_iter().map(link).collect(),
            window: format::window(window, calendar.zone(), language),
            kpis: KPIS.iter().filter_map(|id| kpi::find(id)).map(|kpi| language.kpi(kpi)).collect(),
            parks,
            cut: sites.len() > shown.len(),
            gateways: gateways.iter().map(|gateway| view.gateway(gateway)).collect(),
            others: components(api, calendar.zone(), language),
        })
    }
}

impl View<'_> {
    fn tiles(&self, sites: &[SiteState], gateways: &[GatewayState]) -> Outcome<Vec<Tile>> {
        let counts = self.hub.reader().ask(|store| store.counts()).map_err(|error| store_problem(&error))?;
        let t = self.language.texts();
        let connected = gateways.iter().filter(|gateway| gateway.connected).count();
        Ok(vec![
            Tile::new(t.site, sites.len(), self.language),
            Tile { name: format!("{} {}", t.gateway, t.connected), value: format!("{connected} / {}", gateways.len()) },
            Tile::new(t.pages_held, counts.pages, self.language),
            Tile::new(t.fact_rows, counts.facts, self.language),
        ])
    }

    fn park(&self, park: &ParkState, sites: &[SiteState], gateways: &[GatewayState]) -> Outcome<ParkRows> {
        let scope = Scope::Park(park.park.clone());
        let figures = self.figures(&scope)?;
        let own = sites.iter().filter(|site| site.park == park.park);
        Ok(ParkRows {
            id: park.park.to_string(),
            name: park.name.clone(),
            province: park.province.to_string(),
            // A site reports as soon as any of the figures holds facts of it.
            reporting: figures.iter().map(|figure| figure.sites_reporting).max().unwrap_or(0),
            expected: figures.iter().map(|figure| figure.sites_expected).max().unwrap_or(0),
            cells: self.cells(&scope, &figures),
            sites: own.map(|site| self.site(site, gateways)).collect::<Outcome<_>>()?,
        })
    }

    fn site(&self, site: &SiteState, gateways: &[GatewayState]) -> Outcome<SiteRow> {
        let scope = Scope::Site(site.site.clone());
        let own = gateways.iter().filter(|gateway| gateway.site == site.site);
        let latest = own.max_by_key(|gateway| (gateway.connected, gateway.last_seen));
        let (connection, class, seen) = self.connection(latest);
        Ok(SiteRow {
            name: site.name.clone(),
            thresholds: format!("/thresholds?scope={scope}&lang={}", self.language.code()),
            connection,
            class,
            seen,
            cells: self.cells(&scope, &self.figures(&scope)?),
        })
    }

    fn gateway(&self, gateway: &GatewayState) -> GatewayRow {
        let (connection, class, seen) = self.connection(Some(gateway));
        let stream = |stream: &StreamState| StreamRow {
            name: stream.stream.to_string(),
            page: format::integer(stream.accepted_through, self.language),
            fork: stream.forked.clone(),
        };
        GatewayRow {
            gateway: gateway.gateway.to_string(),
            site: gateway.site.to_string(),
            connection,
            class,
            seen,
            key: gateway.key_thumbprint.clone().unwrap_or_else(|| "—".to_owned()),
            troubles: self.troubles(gateway),
            streams: gateway.streams.iter().map(stream).collect(),
        }
    }

    /// Returns what a gateway says isn't well, the worst of each kind.
    fn troubles(&self, gateway: &GatewayState) -> Vec<Trouble> {
        let t = self.language.texts();
        let kinds = gateway.status.iter().flat_map(|row| &row.status.components);
        let trouble = |kind: &KindStatus| {
            let name = match kind.kind {
                ComponentKind::Source => t.kind_source,
                ComponentKind::Sink => t.kind_sink,
                ComponentKind::Store => t.kind_store,
                ComponentKind::Clock => t.kind_clock,
                ComponentKind::Gateway => t.kind_gateway,
            };
            let (count, class, state) = match (kind.failed, kind.degraded) {
                (0, 0) => return None,
                (0, degraded) => (degraded, "warn", t.recovering),
                (failed, _) => (failed, "bad", t.needs_a_person),
            };
            let of = kind.ok + kind.degraded + kind.failed;
            Some(Trouble { class, text: format!("{name}: {count}/{of} {state}") })
        };
        kinds.filter_map(trouble).collect()
    }

    /// Returns whether a gateway is connected, in words, with the class of that, and when it was last heard of.
    fn connection(&self, gateway: Option<&GatewayState>) -> (&'static str, &'static str, String) {
        let t = self.language.texts();
        let Some(last) = gateway.and_then(|gateway| gateway.last_seen) else {
            return (t.never_connected, "quiet", String::new());
        };
        let age = format::age(self.now.ms_since(last), self.language);
        let seen = format!("{} {age} {}", t.last_seen, t.ago);
        match gateway.is_some_and(|gateway| gateway.connected) {
            true => (t.connected, "good", seen),
            false => (t.not_connected, "bad", seen),
        }
    }

    fn figures(&self, scope: &Scope) -> Outcome<Vec<Figure>> {
        let query = Query {
            scope: scope.clone(),
            kpis: KPIS.into_iter().map(KpiId::of).collect(),
            grain: self.grain,
            from: self.window.start,
            to: self.window.start + 1,
        };
        self.hub.figures(&query).map_err(|error| query_problem(&error))
    }

    fn cells(&self, scope: &Scope, figures: &[Figure]) -> Vec<Cell> {
        figures.iter().map(|figure| Cell::of(figure, scope, self.grain, self.language)).collect()
    }
}

fn components(api: &Api, zone: &TimeZone, language: Language) -> Vec<Row> {
    api.health.snapshot().iter().map(|(name, component)| Row::of(name, component, zone, language)).collect()
}
