//! Answers figures of sites, assets, parks and provinces at any grain no finer than the shared one.
//!
//! In: a query and one state of the store. Out: one figure for each window and KPI asked for, computed on read from the
//! newest revisions. Windows that have not begun have no figure.

use std::collections::BTreeSet;

use super::config::MissingGridFactor;
use super::directory::Directory;
use super::read::{Snapshot, StreamRow, Subject};
use super::rollup::{Group, Row, Span, roll, tiling};
use super::store::StoreError;
use crate::engine::calendar::Calendar;
use crate::engine::kpi::{CATALOGUE, GridChoice, KpiDefinition, find};
use crate::model::id::SiteId;
use crate::model::record::{KpiValue, Reason};
use crate::model::share::SharePolicy;
use crate::model::time::{Grain, Timestamp, Window};
use crate::reference::Reference;
use crate::wire::figure::{Figure, Query, Scope};

/// Most windows one query may ask for: a week of minutes.
pub const WINDOWS_MAX: usize = 10_080;

/// A query that has no answer.
#[derive(Debug, thiserror::Error)]
pub enum QueryError {
    /// The directory has no such scope, or nothing was ever reported of the asset.
    #[error("{0} is not known here")]
    UnknownScope(Scope),
    /// The catalogue has no such KPI.
    #[error("KPI \"{0}\" is not in the catalogue")]
    UnknownKpi(String),
    /// It would be too much.
    #[error("{asked} windows asked for, {WINDOWS_MAX} at most: ask for a coarser grain or a shorter time")]
    TooMany {
        /// How many windows it covers, at least.
        asked: usize,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What the hub knows beside what it stores.
#[derive(Debug)]
pub struct Knowledge {
    /// Parks, sites and gateways.
    pub directory: Directory,
    /// Civil windows in the hub's time zone.
    pub calendar: Calendar,
    /// The hub's own factors.
    pub reference: Reference,
    /// What becomes of a year without a factor.
    pub missing: MissingGridFactor,
}

/// Answers a query as of `now`; ascending by window, in each window the KPIs in the order asked for.
///
/// # Errors
/// [`QueryError`].
pub fn figures(
    store: &Snapshot<'_>,
    known: &Knowledge,
    query: &Query,
    now: Timestamp,
) -> Result<Vec<Figure>, QueryError> {
    let definitions = definitions(query)?;
    let sites = sites_of(store, &known.directory, &query.scope)?;
    let policies = policies_of(&store.streams()?, &known.directory, &sites);
    let to = query.to.min(now + 1);
    let mut scope = Vec::new();
    for site in &sites {
        // A window may begin before `from` and still overlap it, by a year at most.
        let from = first_start(&known.calendar, query);
        scope.push(store.rows(site, subject(&query.scope), query.grain, from, to)?);
    }
    let windows = windows(&known.calendar, &scope, query, to)?;
    let shared_until = shared_until(&known.calendar, &policies, now);
    let asked = Asked { known, query, policies: &policies, expected: count(sites.len()) };
    Ok(windows
        .into_iter()
        .flat_map(|window| {
            let elapsed_ms = shared_until.min(window.end).ms_since(window.start).max(0);
            let span = Span { grain: query.grain, window, elapsed_ms, open: now < window.end };
            asked.window(&scope, &definitions, &span)
        })
        .collect())
}

/// One question, for all its windows.
struct Asked<'a> {
    known: &'a Knowledge,
    query: &'a Query,
    policies: &'a [SharePolicy],
    expected: u32,
}

impl Asked<'_> {
    fn window(&self, scope: &[Vec<Row>], definitions: &[&'static KpiDefinition], span: &Span) -> Vec<Figure> {
        let groups: Vec<Group> =
            scope.iter().filter_map(|rows| Group::of_site(rows, span.window, &self.known.calendar)).collect();
        let present: i128 = groups.iter().map(Group::present_ms).sum();
        let closed = present == i128::from(span.window.length_ms()) * i128::from(self.expected);
        let grid = grid_choice(self.known, span.window);
        let only = self.only_row(scope, span.window);
        definitions.iter().map(|definition| self.figure(definition, &groups, span, &grid, closed, only)).collect()
    }

    fn figure(
        &self,
        definition: &KpiDefinition,
        groups: &[Group],
        span: &Span,
        grid: &Result<GridChoice, Reason>,
        closed: bool,
        only: Option<&Row>,
    ) -> Figure {
        let mut rolled = roll(definition, groups, self.expected, span, grid);
        if let Some(reason) = rolled.value.reason.filter(|_| rolled.sites_reporting == 0) {
            rolled.value.reason = Some(self.why_nothing(definition, reason));
        }
        Figure {
            window: span.window,
            value: rolled.value,
            revision: only.map(|row| row.revision),
            closed,
            facts: rolled.facts,
            product_unit: rolled.product_unit,
            sites_reporting: rolled.sites_reporting,
            sites_expected: self.expected,
            reported: only.and_then(|row| reported(row, definition)),
        }
    }

    /// Says why no site contributes: because none shares the KPI, or none so finely, or for `reason`.
    fn why_nothing(&self, definition: &KpiDefinition, reason: Reason) -> Reason {
        let shares = |policy: &SharePolicy| policy.kpis.contains(&definition.id) && policy.grain <= self.query.grain;
        match reason {
            Reason::NoData | Reason::NoInput if !self.policies.is_empty() && !self.policies.iter().any(shares) => {
                Reason::NotShared
            }
            _ => reason,
        }
    }

    /// Returns the one record a figure rests on, where that is so.
    fn only_row<'r>(&self, scope: &'r [Vec<Row>], window: Window) -> Option<&'r Row> {
        let [rows] = scope else { return None };
        match tiling(rows, window, Grain::Year)[..] {
            [row] if row.window == window && row.grain == self.query.grain => Some(row),
            _ => None,
        }
    }
}

fn definitions(query: &Query) -> Result<Vec<&'static KpiDefinition>, QueryError> {
    if query.kpis.is_empty() {
        return Ok(CATALOGUE.to_vec());
    }
    let definition = |kpi: &crate::model::record::KpiId| {
        find(kpi.as_str()).ok_or_else(|| QueryError::UnknownKpi(kpi.as_str().to_owned()))
    };
    query.kpis.iter().map(definition).collect()
}

/// Returns the sites a scope is made of, ascending.
fn sites_of(store: &Snapshot<'_>, directory: &Directory, scope: &Scope) -> Result<Vec<SiteId>, QueryError> {
    let (known, sites) = match scope {
        Scope::Site(site) => (directory.sites.contains_key(site), vec![site.clone()]),
        Scope::Asset(site, asset) => {
            (directory.sites.contains_key(site) && store.knows_asset(site, asset)?, vec![site.clone()])
        }
        Scope::Park(park) => (directory.parks.contains_key(park), directory.sites_of_park(park)),
        Scope::Province(province) => {
            let known = directory.parks.values().any(|park| park.province == *province);
            (known, directory.sites_of_province(province))
        }
    };
    if known { Ok(sites) } else { Err(QueryError::UnknownScope(scope.clone())) }
}

const fn subject(scope: &Scope) -> Subject<'_> {
    match scope {
        Scope::Asset(_, asset) => Subject::Asset(asset),
        Scope::Site(_) | Scope::Park(_) | Scope::Province(_) => Subject::Site,
    }
}

/// Returns the share policies in force at the sites: the last of each stream's last epoch.
fn policies_of(streams: &[StreamRow], directory: &Directory, sites: &[SiteId]) -> Vec<SharePolicy> {
    let of_site = |stream: &&StreamRow| {
        directory.gateways.get(&stream.gateway).is_some_and(|gateway| sites.contains(&gateway.site))
    };
    streams.iter().filter(of_site).filter_map(|stream| stream.policy.clone()).collect()
}

/// Returns the instant until which facts may be expected: the last boundary of the finest shared grain.
fn shared_until(calendar: &Calendar, policies: &[SharePolicy], now: Timestamp) -> Timestamp {
    let finest = policies.iter().map(|policy| policy.grain).min();
    finest.and_then(|grain| calendar.window_of(grain, now)).map_or(now, |window| window.start)
}

fn first_start(calendar: &Calendar, query: &Query) -> Timestamp {
    match query.grain {
        // A shift that began before `from` still overlaps it; none is longer than a day.
        Grain::Shift => query.from - 25 * 60 * crate::model::time::MINUTE_MS,
        grain => calendar.window_of(grain, query.from).map_or(query.from, |window| window.start),
    }
}

/// Returns the windows of a query that have begun, ascending. Shifts are the factories' own, as they reported them.
fn windows(
    calendar: &Calendar,
    scope: &[Vec<Row>],
    query: &Query,
    to: Timestamp,
) -> Result<Vec<Window>, QueryError> {
    let windows = if query.grain == Grain::Shift {
        let overlaps = |window: &Window| window.end > query.from && window.start < to;
        let shifts: BTreeSet<Window> =
            scope.iter().flatten().filter(|row| row.grain == Grain::Shift).map(|row| row.window).collect();
        shifts.into_iter().filter(overlaps).collect()
    } else {
        let shortest = calendar.window_of(query.grain, query.from).map_or(1, |window| window.length_ms()).max(1);
        let asked = usize::try_from(to.ms_since(query.from).max(0) / shortest).unwrap_or(usize::MAX);
        // Months and years differ in length, so count before the windows are made only to bound the work.
        if asked > WINDOWS_MAX {
            return Err(QueryError::TooMany { asked });
        }
        calendar.windows(query.grain, query.from, to)
    };
    if windows.len() > WINDOWS_MAX { Err(QueryError::TooMany { asked: windows.len() }) } else { Ok(windows) }
}

/// Returns the grid factor of a window's year, from the hub's own reference data.
fn grid_choice(known: &Knowledge, window: Window) -> Result<GridChoice, Reason> {
    let year = known.calendar.year_of(window);
    let published = known.reference.grid_factor(year).map(|factor| (factor, false));
    let latest = || match known.missing {
        MissingGridFactor::Null => None,
        MissingGridFactor::Latest => known.reference.latest_grid_factor(year).map(|factor| (factor, true)),
    };
    let (factor, provisional) = published.or_else(latest).ok_or(Reason::NoPublishedFactor)?;
    Ok(GridChoice { tco2e_per_mwh: factor.tco2e_per_mwh, factor: factor.factor, provisional })
}

/// Returns what the box itself reported.
fn reported(row: &Row, definition: &KpiDefinition) -> Option<KpiValue> {
    let kpis: Vec<KpiValue> = serde_json::from_str(&row.kpis).ok()?;
    kpis.into_iter().find(|value| value.kpi == definition.id)
}

fn count(sites: usize) -> u32 {
    u32::try_from(sites).unwrap_or(u32::MAX)
}
