//! `GET /api/v1/thresholds`: how far a year has come towards the thresholds of the greenhouse-gas inventory.
//!
//! In: the months of a year. Out: sum and projection beside each threshold. TOE stand there twice, since the decision may
//! depend on how a kilowatt-hour is counted. A projection is marked as one and says by which method it was made.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::extract::Params;
use super::problem::Outcome;
use super::schema::{self, Refusals};
use super::{Api, Backend};
use crate::engine::calendar::Calendar;
use crate::engine::kpi::find;
use crate::engine::kpi::threshold::{METHOD, Progress, progress};
use crate::model::record::{FactorRef, Flag, KpiId, KpiValue, Reason};
use crate::model::time::{Grain, Timestamp, Window};
use crate::reference::threshold::ThresholdOf;
use crate::reference::toe::Basis;
use crate::reference::{Dated, Reference};
use crate::wire::figure::{Figure, Query, Scope};
use crate::wire::problem::Problem;

/// What is watched: the KPI, its threshold, and on which basis electricity is counted.
const WATCHED: [(&str, ThresholdOf, Option<Basis>); 3] = [
    ("ghg_total", ThresholdOf::Ghg, None),
    ("energy_toe", ThresholdOf::Toe, Some(Basis::PrimaryEnergy)),
    ("energy_toe_content", ThresholdOf::Toe, Some(Basis::EnergyContent)),
];

/// Parameters of `GET /api/v1/thresholds`.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct ThresholdsQuery {
    /// `site:<id>`, `asset:<site>/<asset>`, `park:<id>` or `province:<id>`.
    #[param(example = "site:tt-main")]
    scope: String,
    /// Calendar year; the running one where it is left out.
    #[param(example = 2026)]
    year: Option<i16>,
}

/// The watch on every threshold.
#[derive(Debug, Serialize, ToSchema)]
pub struct Thresholds {
    /// What was asked for.
    #[schema(value_type = String, example = "site:tt-main")]
    pub scope: Scope,
    /// The calendar year.
    pub year: i16,
    /// Where it lies.
    #[schema(value_type = schema::Window)]
    pub window: Window,
    /// The server's plant time.
    #[schema(value_type = String, example = "2026-11-25T03:00:00.000Z")]
    pub at: Timestamp,
    /// How projections are made: to date × length of the year ÷ measured time. They assume that time without data, past
    /// and to come, is like the time that was measured.
    #[schema(example = "linear_by_measured_time")]
    pub method: &'static str,
    /// One for each threshold and basis.
    pub watches: Vec<Watch>,
    /// Whether the answer for TOE depends on how electricity is counted.
    pub depends_on_basis: bool,
}

/// One threshold and how far the year has come.
#[derive(Debug, Serialize, ToSchema)]
pub struct Watch {
    /// The KPI whose months are added up.
    #[schema(value_type = String, example = "ghg_total")]
    pub kpi: KpiId,
    /// How electricity is counted: `primary_energy` or `energy_content`; null where that doesn't matter.
    #[schema(example = "primary_energy")]
    pub basis: Option<&'static str>,
    /// The threshold.
    pub threshold: Threshold,
    /// Sum of the year's months.
    pub to_date: Option<f64>,
    /// Why there is none.
    #[schema(value_type = Option<schema::Reason>)]
    pub reason: Option<Reason>,
    /// What the year would come to; null where less than 28 days were measured.
    pub projection: Option<f64>,
    /// Share of the year that was measured, 0 to 1.
    pub measured_share: f64,
    /// What it comes to.
    pub status: WatchStatus,
    /// Months that have begun and have no value.
    pub missing: Vec<MissingMonth>,
    /// What a reader must know.
    #[schema(value_type = Vec<schema::Flag>)]
    pub flags: Vec<Flag>,
    /// The reference entries that the months rest on.
    #[schema(value_type = Vec<schema::FactorRef>)]
    pub factors: Vec<FactorRef>,
}

/// A threshold of the reference data.
#[derive(Debug, Serialize, ToSchema)]
pub struct Threshold {
    /// Its id.
    #[schema(example = "vn_ghg_inventory")]
    pub id: String,
    /// Its value: a figure at or above it has reached it.
    pub value: f64,
    /// Unit of the value.
    #[schema(example = "tCO2e")]
    pub unit: &'static str,
    /// Where it was read.
    pub source: String,
    /// How surely it is known.
    #[schema(example = "official")]
    pub grade: &'static str,
}

/// What the year comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum WatchStatus {
    /// The year has reached it.
    Reached,
    /// The projection reaches it.
    Projected,
    /// Neither has.
    Below,
    /// There is no figure, or too little for a projection.
    Unknown,
}

/// A month without a value.
#[derive(Debug, Serialize, ToSchema)]
pub struct MissingMonth {
    /// Where it lies.
    #[schema(value_type = schema::Window)]
    pub window: Window,
    /// Why it has none.
    #[schema(value_type = schema::Reason)]
    pub reason: Reason,
}

/// Returns how far a year has come towards each threshold, with a projection that says how it was made.
#[utoipa::path(
    get,
    path = "/api/v1/thresholds",
    tag = "kpi",
    params(ThresholdsQuery),
    responses((status = 200, body = Thresholds), Refusals)
)]
pub(super) async fn thresholds(
    State(api): State<Arc<Api>>,
    Params(asked): Params<ThresholdsQuery>,
) -> Outcome<Json<Thresholds>> {
    let at = api.clock.now();
    let refuse = |message: String| Problem::bad_request(message);
    let scope = asked.scope.parse::<Scope>().map_err(|error| refuse(format!("scope: {error}")))?;
    let year = asked.year.unwrap_or_else(|| running_year(api.calendar(), at));
    let window =
        window_of(api.calendar(), year).ok_or_else(|| refuse(format!("year: {year} is no year of a calendar")))?;
    if window.start > at {
        return Err(refuse(format!("year: {year} has not begun")).into());
    }
    let figures = api.figures(query(scope.clone(), window, at), at).await?;
    Ok(Json(of_figures(scope, year, window, at, &figures, api.reference())))
}

/// Returns the year that is running.
pub fn running_year(calendar: &Calendar, now: Timestamp) -> i16 {
    calendar.year_of(Window { start: now, end: now + 1 })
}

/// Returns the window of a calendar year.
pub fn window_of(calendar: &Calendar, year: i16) -> Option<Window> {
    let noon = Date::new(year, 7, 1).ok()?.at(12, 0, 0, 0);
    let instant = calendar.zone().to_timestamp(noon).ok()?;
    calendar.window_of(Grain::Year, Timestamp(instant.as_millisecond()))
}

/// Returns what to ask for: the months of a year that have begun.
pub fn query(scope: Scope, year: Window, now: Timestamp) -> Query {
    let kpis = WATCHED.iter().map(|(kpi, ..)| KpiId::of(kpi)).collect();
    Query { scope, kpis, grain: Grain::Month, from: year.start, to: year.end.min(now + 1) }
}

/// Adds up the months.
pub fn of_figures(
    scope: Scope,
    year: i16,
    window: Window,
    at: Timestamp,
    figures: &[Figure],
    reference: &Reference,
) -> Thresholds {
    let day = Date::new(year, 1, 1).unwrap_or(Date::MIN);
    let watch = |(kpi, of, basis): &(&'static str, ThresholdOf, Option<Basis>)| {
        let months: Vec<(Window, KpiValue)> = figures
            .iter()
            .filter(|figure| figure.value.kpi.as_str() == *kpi)
            .map(|figure| (figure.window, figure.value.clone()))
            .collect();
        let threshold = reference.thresholds().on(*of, day)?;
        Some(Watch::new(kpi, *of, *basis, threshold, progress(&months, window, at), window))
    };
    let watches: Vec<Watch> = WATCHED.iter().filter_map(watch).collect();
    let reaches = |watch: &Watch| matches!(watch.status, WatchStatus::Reached | WatchStatus::Projected);
    let toe: Vec<bool> = watches.iter().filter(|watch| watch.basis.is_some()).map(reaches).collect();
    let depends_on_basis = toe.windows(2).any(|pair| pair[0] != pair[1]);
    Thresholds { scope, year, window, at, method: METHOD, watches, depends_on_basis }
}

impl Watch {
    fn new(
        kpi: &'static str,
        of: ThresholdOf,
        basis: Option<Basis>,
        threshold: &Dated,
        progress: Progress,
        year: Window,
    ) -> Self {
        let status = match (progress.to_date, progress.projection) {
            (Ok(sum), _) if sum >= threshold.value => WatchStatus::Reached,
            (_, Some(projection)) if projection >= threshold.value => WatchStatus::Projected,
            (_, Some(_)) => WatchStatus::Below,
            (_, None) => WatchStatus::Unknown,
        };
        let missing = progress.missing.into_iter().map(|(window, reason)| MissingMonth { window, reason });
        Self {
            kpi: find(kpi).map_or(KpiId::of(kpi), |definition| definition.id.clone()),
            basis: basis.map(Basis::as_str),
            threshold: Threshold {
                id: threshold.factor.id.clone(),
                value: threshold.value,
                unit: of.unit(),
                source: threshold.source.clone(),
                grade: threshold.grade.as_str(),
            },
            to_date: progress.to_date.ok(),
            reason: progress.to_date.err(),
            projection: progress.projection,
            measured_share: share(progress.measured_ms, year.length_ms()),
            status,
            missing: missing.collect(),
            flags: progress.flags,
            factors: progress.factors,
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "times of a year are far below 2^53 ms")]
fn share(part_ms: i64, whole_ms: i64) -> f64 {
    part_ms as f64 / whole_ms as f64
}

impl Api {
    /// Returns the reference data that answers rest on.
    pub fn reference(&self) -> &Reference {
        match &self.backend {
            Backend::Edge(edge) => &edge.plant.reference,
            Backend::Hub(hub) => &hub.knowledge().reference,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{KpiId, KpiValue, Reference, Scope, Thresholds, Timestamp, WatchStatus, Window, of_figures, window_of};
    use crate::engine::calendar::Calendar;
    use crate::model::fact::Facts;
    use crate::wire::figure::Figure;

    fn figure(kpi: &'static str, value: f64, window: Window) -> Figure {
        Figure {
            window,
            value: KpiValue {
                kpi: KpiId::of(kpi),
                method: 1,
                value: Some(value),
                reason: None,
                coverage: Some(1.0),
                shares: None,
                flags: Vec::new(),
                factors: Vec::new(),
            },
            revision: None,
            closed: true,
            facts: Facts::default(),
            product_unit: None,
            sites_reporting: 1,
            sites_expected: 1,
            reported: None,
        }
    }

    fn watch(kwh: f64) -> Thresholds {
        let calendar = Calendar::round_the_clock(jiff::tz::TimeZone::get("Asia/Ho_Chi_Minh").unwrap());
        let year = window_of(&calendar, 2026).unwrap();
        let now: Timestamp = year.end;
        let figures = [
            figure("ghg_total", kwh * 0.000_659_2, year),
            figure("energy_toe", kwh * 0.000_154_3, year),
            figure("energy_toe_content", kwh * 3.6 / 41_868.0, year),
        ];
        let scope = "site:tt-main".parse::<Scope>().unwrap();
        of_figures(scope, 2026, year, now, &figures, &Reference::builtin())
    }

    #[test]
    fn t1_the_decision_on_1_000_toe_depends_on_the_basis_and_both_are_given() {
        let five = watch(5_000_000.0);
        assert!(!five.depends_on_basis);
        let seven = watch(7_000_000.0);
        let statuses: Vec<_> = seven.watches.iter().map(|watch| (watch.basis, watch.status)).collect();
        assert_eq!(
            statuses,
            [
                (None, WatchStatus::Reached),
                (Some("primary_energy"), WatchStatus::Reached),
                (Some("energy_content"), WatchStatus::Below)
            ]
        );
        assert!(seven.depends_on_basis);
        assert_eq!(seven.watches[1].threshold.value, 1000.0);
    }
}
