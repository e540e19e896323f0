//! Answers figures of sites, assets, parks and provinces at any grain no finer than the shared one.
//!
//! In: a query and one state of the store. Out: one figure for each window and KPI asked for, computed on read from the
//! newest revisions. Windows that have not begun have no figure.

use std::collections::BTreeSet;

use super::directory::Directory;
use super::ingest::grain_minutes;
use super::read::{Carrier, Snapshot, StreamRow, Subject};
use super::rollup::{Group, Row, Span, roll, tiling};
use super::store::StoreError;
use crate::engine::calendar::Calendar;
use crate::engine::kpi::grid::{self, MissingFactor};
use crate::engine::kpi::{CATALOGUE, KpiContext, KpiDefinition, find};
use crate::model::id::SiteId;
use crate::model::record::{FactorRef, KpiId, KpiValue, Reason};
use crate::model::share::SharePolicy;
use crate::model::time::{Grain, MINUTE_MS, Timestamp, Window};
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
    pub missing: MissingFactor,
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
    let windows = windows(store, &known.calendar, &sites, query, to)?;
    let mut scope = Vec::with_capacity(sites.len());
    // Site by site, so that the rows of one site at a time are in memory.
    for site in &sites {
        scope.push(site_windows(store, known, site, query, &windows)?);
    }
    let shared_until = shared_until(&known.calendar, &policies, now);
    let asked = Asked { known, query, policies: &policies, expected: count(sites.len()) };
    Ok((0..)
        .zip(windows)
        .flat_map(|(position, window)| {
            let elapsed_ms = shared_until.min(window.end).ms_since(window.start).max(0);
            let span = Span { grain: query.grain, window, elapsed_ms, open: now < window.end };
            let sites: Vec<&SiteWindow> = scope.iter().filter_map(|site| site[position].as_ref()).collect();
            asked.window(&sites, &definitions, &span)
        })
        .collect())
}

/// What one site has for one window.
struct SiteWindow {
    group: Group,
    /// The one record it rests on, where that is so.
    only: Option<Row>,
}

/// Returns, for each of `windows`, what a site has for it.
fn site_windows(
    store: &Snapshot<'_>,
    known: &Knowledge,
    site: &SiteId,
    query: &Query,
    windows: &[Window],
) -> Result<Vec<Option<SiteWindow>>, StoreError> {
    let (Some(first), Some(last)) = (windows.first(), windows.last()) else { return Ok(Vec::new()) };
    let rows = store.rows(site, subject(&query.scope), query.grain, first.start, last.end)?;
    let of_window = |window: &Window| {
        let sector = known.directory.sites.get(site).and_then(|site| site.sector.as_deref());
        let group = Group::of_site(&rows, *window, &known.calendar)?.in_sector(sector);
        let only = match tiling(&rows, *window, Grain::Year)[..] {
            [row] if row.window == *window && row.grain == query.grain => Some(row.clone()),
            _ => None,
        };
        Some(SiteWindow { group, only })
    };
    Ok(windows.iter().map(of_window).collect())
}

/// One question, for all its windows.
struct Asked<'a> {
    known: &'a Knowledge,
    query: &'a Query,
    policies: &'a [SharePolicy],
    expected: u32,
}

impl Asked<'_> {
    fn window(&self, sites: &[&SiteWindow], definitions: &[&'static KpiDefinition], span: &Span) -> Vec<Figure> {
        let groups: Vec<Group> = sites.iter().map(|site| site.group.clone()).collect();
        let present: i128 = groups.iter().map(Group::present_ms).sum();
        let closed = self.expected > 0 && present == i128::from(span.window.length_ms()) * i128::from(self.expected);
        let year = self.known.calendar.year_of(span.window);
        let grid = grid::choose(&self.known.reference, year, self.known.missing);
        let context = KpiContext::new(grid, false).with_reference(&self.known.reference, year);
        let only = match sites {
            [site] if self.expected == 1 => site.only.as_ref(),
            _ => None,
        };
        definitions.iter().map(|definition| self.figure(definition, &groups, span, &context, closed, only)).collect()
    }

    fn figure(
        &self,
        definition: &KpiDefinition,
        groups: &[Group],
        span: &Span,
        context: &KpiContext,
        closed: bool,
        only: Option<&Row>,
    ) -> Figure {
        let mut rolled = roll(definition, groups, self.expected, span, context);
        if rolled.value.value.is_some() {
            // What the hub chooses for the year itself is in the value already.
            let own = |entry: &FactorRef| self.known.reference.is_chosen_by_year(&entry.id);
            rolled.value.factors.extend(std::mem::take(&mut rolled.named).into_iter().filter(|entry| !own(entry)));
            rolled.value.factors.sort();
            rolled.value.factors.dedup();
        }
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
}

fn definitions(query: &Query) -> Result<Vec<&'static KpiDefinition>, QueryError> {
    if query.kpis.is_empty() {
        return Ok(CATALOGUE.to_vec());
    }
    let definition = |kpi: &KpiId| find(kpi.as_str()).ok_or_else(|| QueryError::UnknownKpi(kpi.as_str().to_owned()));
    query.kpis.iter().map(definition).collect()
}

/// Returns the pages that carried what the figures of a scope in a window rest on.
///
/// # Errors
/// [`QueryError`].
pub fn carriers(
    store: &Snapshot<'_>,
    directory: &Directory,
    scope: &Scope,
    grain: Grain,
    window: Window,
) -> Result<Vec<Carrier>, QueryError> {
    let mut carriers = Vec::new();
    for site in sites_of(store, directory, scope)? {
        carriers.extend(store.carriers(&site, subject(scope), grain, window.start, window.end)?);
    }
    Ok(carriers)
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

/// Returns the windows of a query that have begun, ascending. Shifts are the factories' own, as they reported them.
fn windows(
    store: &Snapshot<'_>,
    calendar: &Calendar,
    sites: &[SiteId],
    query: &Query,
    to: Timestamp,
) -> Result<Vec<Window>, QueryError> {
    if query.grain == Grain::Shift {
        let mut shifts = BTreeSet::new();
        for site in sites {
            // A shift that began before `from` may still overlap it.
            let reported = store.shifts(site, subject(&query.scope), query.from - SHIFT_MS_MAX, to)?;
            shifts.extend(reported.into_iter().filter(|window| window.end > query.from));
        }
        return at_most(shifts.len()).map(|()| shifts.into_iter().collect());
    }
    // Counted by the shortest window, so that a century of minutes is refused before it is cut.
    let asked = to.0.saturating_sub(query.from.0).max(0) / shortest_ms(query.grain);
    at_most(usize::try_from(asked).unwrap_or(usize::MAX))?;
    Ok(calendar.windows(query.grain, query.from, to))
}

fn at_most(asked: usize) -> Result<(), QueryError> {
    if asked > WINDOWS_MAX { Err(QueryError::TooMany { asked }) } else { Ok(()) }
}

/// Longest shift `ingest` takes. **Unit**: ms.
const SHIFT_MS_MAX: i64 = 25 * 60 * MINUTE_MS;

/// Returns the length of the shortest window of a grain.
const fn shortest_ms(grain: Grain) -> i64 {
    let (shortest, _) = grain_minutes(grain);
    shortest * MINUTE_MS
}

/// Returns what the box itself reported.
fn reported(row: &Row, definition: &KpiDefinition) -> Option<KpiValue> {
    let kpis: Vec<KpiValue> = serde_json::from_str(&row.kpis).ok()?;
    kpis.into_iter().find(|value| value.kpi == definition.id)
}

fn count(sites: usize) -> u32 {
    u32::try_from(sites).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::{Figure, Grain, Query, QueryError, Reason, Scope, Timestamp, figures};
    use crate::hub::figures::Knowledge;
    use crate::hub::read::Reader;
    use crate::hub::testing::{TestBox, TestHub, at, directory, knowledge, kpi};
    use crate::model::fact::Measure;
    use crate::model::id::{AssetId, Digest};
    use crate::model::record::{FactorRef, Flag, Level};

    const NOON: &str = "2026-10-05T12:00:00+07:00";

    struct Asked {
        hub: TestHub,
        known: Knowledge,
    }

    impl Asked {
        fn new() -> Self {
            let hub = TestHub::new();
            let known = knowledge(directory(&hub.directory.path().join("token")));
            Self { hub, known }
        }

        fn query(&self, query: &Query, now: &str) -> Result<Vec<Figure>, QueryError> {
            Reader::new(self.hub.store.path()).ask(|store| Ok(figures(store, &self.known, query, at(now)))).unwrap()
        }

        fn ask(&self, scope: &str, name: &'static str, grain: Grain, now: &str) -> Vec<Figure> {
            self.query(&query(scope, name, grain), now).unwrap()
        }
    }

    fn query(scope: &str, name: &'static str, grain: Grain) -> Query {
        Query {
            scope: scope.parse().unwrap(),
            kpis: vec![kpi(name)],
            grain,
            from: at("2026-10-05T00:00:00+07:00"),
            to: at("2026-10-06T00:00:00+07:00"),
        }
    }

    /// `steel` used 60 kWh in the first half hour, `garment` 6, `electronics` 12; each shares five minutes.
    fn three_sites() -> Asked {
        let mut asked = Asked::new();
        for (site, seed, kwh) in [("steel", 1, 10), ("garment", 2, 1), ("electronics", 3, 2)] {
            let mut gateway = TestBox::new(site, seed);
            asked.hub.deliver(&gateway.policy_page()).unwrap();
            let records = (0..6).map(|five| gateway.energy(five * 5, kwh)).collect();
            asked.hub.deliver(&gateway.page(records)).unwrap();
        }
        asked
    }

    #[test]
    fn energy_of_site_park_and_province_is_the_sum_of_what_was_shared() {
        let asked = three_sites();
        for (scope, kwh, sites) in [
            ("site:steel", 60.0, 1),
            ("park:tan-thuan", 66.0, 2),
            ("park:tan-tao", 12.0, 1),
            ("province:ho-chi-minh", 78.0, 3),
        ] {
            let figures = asked.ask(scope, "electricity", Grain::HalfHour, "2026-10-05T00:31:00+07:00");
            assert_eq!(figures.len(), 2, "{scope}: windows that have begun");
            let (first, open) = (&figures[0], &figures[1]);
            assert_eq!(
                (first.value.value, first.value.coverage, first.closed),
                (Some(kwh), Some(1.0), true),
                "{scope}"
            );
            assert_eq!((first.sites_reporting, first.sites_expected), (sites, sites), "{scope}");
            assert_eq!((open.value.value, open.value.reason, open.closed), (None, Some(Reason::NoData), false));
            assert_eq!(open.value.flags, [Flag::WindowOpen]);
        }
    }

    #[test]
    fn a_parks_peak_and_emissions_come_from_the_same_facts() {
        let asked = three_sites();
        let peak = &asked.ask("park:tan-thuan", "peak_demand", Grain::Day, NOON)[0];
        assert_eq!(peak.value.value, Some(132.0));
        let emission = &asked.ask("park:tan-thuan", "scope_2", Grain::Day, NOON)[0].value;
        let factor = asked.known.reference.latest_grid_factor(2026).unwrap();
        assert_eq!(emission.value, Some(66.0 / 1000.0 * factor.tco2e_per_mwh));
        assert_eq!(emission.factors, [factor.factor]);
        assert_eq!(emission.flags, [Flag::Provisional, Flag::WindowOpen]);
    }

    #[test]
    fn the_boxs_own_figure_stands_beside_the_hubs_where_one_record_carries_it() {
        let asked = three_sites();
        let figure = &asked.ask("site:steel", "scope_2", Grain::FiveMinutes, NOON)[0];
        assert_eq!((figure.revision, figure.sites_reporting), (Some(1), 1));
        assert!(figure.value.value.is_some(), "the hub has a factor");
        let reported = figure.reported.as_ref().unwrap();
        assert_eq!((reported.value, reported.reason), (None, Some(Reason::NoPublishedFactor)), "the box had none");
        let merged = &asked.ask("site:steel", "scope_2", Grain::HalfHour, NOON)[0];
        assert_eq!((merged.revision, &merged.reported), (None, &None));
    }

    #[test]
    fn emissions_that_facts_hold_name_the_entries_of_the_box_beside_the_hubs_own() {
        let mut asked = Asked::new();
        let mut steel = TestBox::new("steel", 1);
        asked.hub.deliver(&steel.policy_page()).unwrap();
        let mut record = steel.energy(0, 10);
        record.facts.set(Measure::StationaryCo2e, 2_000_000_000_000);
        let named = FactorRef { id: "site_natural_gas_co2".to_owned(), version: Digest([3; 32]), year: 2026 };
        let of_another_year = FactorRef { id: "vn_grid_2022".to_owned(), version: Digest([4; 32]), year: 2022 };
        let total = record.kpis.iter_mut().find(|value| value.kpi.as_str() == "ghg_total").unwrap();
        (total.value, total.reason) = (Some(2.1), None);
        total.factors = vec![named.clone(), of_another_year];
        asked.hub.deliver(&steel.page(vec![record])).unwrap();
        let figure = &asked.ask("site:steel", "ghg_total", Grain::FiveMinutes, NOON)[0];
        let factor = asked.known.reference.latest_grid_factor(2026).unwrap();
        let own = 2.0 + 10.0 / 1000.0 * factor.tco2e_per_mwh;
        assert!(figure.value.value.is_some_and(|value| (value - own).abs() < 1e-12), "{:?}", figure.value);
        assert_eq!(
            figure.value.factors,
            [named, factor.factor],
            "the grid factor of the box isn't in the hub's figure"
        );
        assert_eq!(figure.reported.as_ref().unwrap().value, Some(2.1), "the first figure is kept");
    }

    #[test]
    fn the_newest_revision_counts_and_counts_once() {
        let mut asked = Asked::new();
        let mut steel = TestBox::new("steel", 1);
        asked.hub.deliver(&steel.policy_page()).unwrap();
        let revised = |revision, kwh: i128| {
            let mut record = TestBox::new("steel", 1).energy(0, kwh);
            record.revision = revision;
            record
        };
        asked.hub.deliver(&steel.page(vec![revised(1, 5), steel.energy(5, 1), revised(10, 8)])).unwrap();
        asked.hub.deliver(&steel.page(vec![revised(2, 6)])).unwrap();
        let figures = asked.ask("site:steel", "electricity", Grain::FiveMinutes, NOON);
        assert_eq!((figures[0].value.value, figures[0].revision), (Some(8.0), Some(10)));
        assert_eq!(asked.ask("site:steel", "electricity", Grain::Hour, NOON)[0].value.value, Some(9.0));
    }

    #[test]
    fn what_is_not_shared_is_said_so_and_what_is_missing_too() {
        let asked = three_sites();
        let finer = &asked.ask("site:steel", "electricity", Grain::Minute, "2026-10-05T00:01:00+07:00")[0];
        assert_eq!((finer.value.value, finer.value.reason), (None, Some(Reason::NotShared)));
        let oee = &asked.ask("site:steel", "oee", Grain::HalfHour, NOON)[0];
        assert_eq!((oee.value.reason, oee.sites_reporting, oee.sites_expected), (Some(Reason::NoInput), 0, 1));
        let empty = &Asked::new().ask("park:tan-thuan", "electricity", Grain::Day, NOON)[0];
        assert_eq!((empty.value.reason, empty.sites_reporting, empty.sites_expected), (Some(Reason::NoData), 0, 2));
    }

    #[test]
    fn shifts_are_the_factorys_own() {
        let mut asked = Asked::new();
        let mut steel = TestBox { grain: Grain::Shift, ..TestBox::new("steel", 1) };
        asked.hub.deliver(&steel.policy_page()).unwrap();
        let mut shift = TestBox::new("steel", 1).energy(0, 40);
        shift.grain = Grain::Shift;
        shift.window =
            crate::model::time::Window { start: at("2026-10-04T22:00:00+07:00"), end: at("2026-10-05T06:00:00+07:00") };
        asked.hub.deliver(&steel.page(vec![shift])).unwrap();
        let figures = asked.ask("site:steel", "electricity", Grain::Shift, NOON);
        assert_eq!((figures.len(), figures[0].value.value, figures[0].closed), (1, Some(40.0), true));
        let day = &asked.ask("site:steel", "electricity", Grain::Day, NOON)[0];
        assert_eq!(day.value.value, None, "a day is never rebuilt from shifts");
    }

    #[test]
    fn an_asset_is_asked_for_by_its_own_rows() {
        let mut asked = three_sites();
        let mut garment = TestBox::new("garment", 2);
        garment.policy_page();
        let six = (0..6).map(|five| garment.energy(five * 5, 1)).collect();
        garment.page(six);
        let mut line = garment.energy(0, 3);
        (line.asset, line.level) = (AssetId::new("line-1").unwrap(), Level::Line);
        asked.hub.deliver(&garment.page(vec![line])).unwrap();
        let figure = &asked.ask("asset:garment/line-1", "electricity", Grain::FiveMinutes, NOON)[0];
        assert_eq!(figure.value.value, Some(3.0));
        assert_eq!(figure.facts.get(Measure::Electricity), Some(3_000_000));
        assert_eq!(asked.ask("site:garment", "electricity", Grain::FiveMinutes, NOON)[0].value.value, Some(1.0));
    }

    #[test]
    fn questions_without_an_answer_are_refused() {
        let asked = Asked::new();
        for scope in ["site:nobody", "park:nowhere", "province:hanoi", "asset:steel/never-reported"] {
            let refused = asked.query(&query(scope, "electricity", Grain::Day), NOON);
            assert!(matches!(refused, Err(QueryError::UnknownScope(_))), "{scope}");
        }
        let unknown = asked.query(&query("site:steel", "happiness", Grain::Day), NOON);
        assert!(matches!(unknown, Err(QueryError::UnknownKpi(_))));
        let long = Query { from: Timestamp(0), ..query("site:steel", "electricity", Grain::Minute) };
        assert!(matches!(asked.query(&long, NOON), Err(QueryError::TooMany { .. })));
        assert!(matches!("site:steel".parse(), Ok(Scope::Site(_))));
    }
}
