//! `GET /api/v1/values`: figures of one scope by KPI, grain and time.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Api;
use super::extract::Params;
use super::origins::Origin;
use super::problem::{ApiProblem, Outcome};
use super::schema::{self, Refusals};
use crate::engine::calendar::Calendar;
use crate::engine::kpi::{self, CATALOGUE};
use crate::model::record::{Flag, KpiId};
use crate::model::time::{Grain, MINUTE_MS, Timestamp};
use crate::wire::figure::{Figure, Query, Scope};
use crate::wire::problem::Problem;

/// Most windows of one answer. Beyond it the client asks for a shorter span.
pub const WINDOWS_MAX: usize = 1_000;

/// Longest span of one request: a window of a year may have to be merged from its minutes. **Unit**: ms.
pub const SPAN_MS_MAX: i64 = 3_700 * 1_440 * MINUTE_MS;

/// What is asked for.
#[derive(Debug, Clone, Default, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ValuesQuery {
    /// About what: `site:<id>`, `asset:<site>/<asset>`, `park:<id>` or `province:<id>`; see `/api/v1/scopes`.
    #[param(example = "site:tt-main")]
    scope: String,
    /// One KPI or several, separated by commas; without it every KPI of the catalogue.
    #[param(example = "oee,electricity")]
    kpi: Option<String>,
    /// `minute`, `5min`, `15min`, `30min`, `hour`, `shift`, `day`, `month` or `year`.
    #[param(example = "hour")]
    grain: String,
    /// First instant asked for, RFC 3339; without it the window that holds the last instant before `to`.
    #[param(example = "2026-10-05T00:00:00+07:00")]
    from: Option<String>,
    /// First instant not asked for, RFC 3339; without it the present.
    #[param(example = "2026-10-06T00:00:00+07:00")]
    to: Option<String>,
    /// Whether each figure says what it rests on: on the hub the signed pages, on the box the tags.
    #[serde(default)]
    #[param(default = false)]
    origins: bool,
}

/// The figures asked for.
#[derive(Debug, Serialize, ToSchema)]
pub struct Values {
    /// About what.
    #[schema(value_type = String, example = "site:tt-main")]
    pub scope: Scope,
    /// How long the windows are.
    #[schema(value_type = String, example = "hour")]
    pub grain: Grain,
    /// The server's plant time when it answered.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// One for each window that overlaps the span asked for and each KPI: by window, then in the order asked for.
    pub figures: Vec<FigureBody>,
}

/// One KPI of one scope in one window.
#[derive(Debug, Serialize, ToSchema)]
pub struct FigureBody {
    /// Unit of the value (UCUM); `1` is a ratio.
    #[schema(example = "kW.h")]
    pub unit: &'static str,
    /// Whether the value is final until late or corrected data makes a further revision: the window is closed and no
    /// factor of another year is in it.
    #[schema(example = "closed")]
    pub status: Status,
    /// The figure itself.
    #[serde(flatten)]
    #[schema(value_type = schema::Figure, inline)]
    pub figure: Figure,
    /// What it rests on, where that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Vec<Origin>, required = false)]
    pub origins: Option<Arc<[Origin]>>,
}

/// Whether a figure will still change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// The window is closed.
    Closed,
    /// The window is open, or the value rests on a factor of another year.
    Provisional,
}

impl FigureBody {
    fn new(figure: Figure, origins: Option<Arc<[Origin]>>) -> Self {
        let is_final = figure.closed && !figure.value.flags.contains(&Flag::Provisional);
        Self {
            unit: kpi::find(figure.value.kpi.as_str()).map_or("", |definition| definition.unit),
            status: if is_final { Status::Closed } else { Status::Provisional },
            figure,
            origins,
        }
    }
}

/// Returns the KPIs of one scope for every window of the grain that overlaps the span asked for.
///
/// A missing value is null with a reason, never 0. An open window is answered with what has been measured so far,
/// and says so. At most 1,000 windows an answer.
#[utoipa::path(
    get,
    path = "/api/v1/values",
    tag = "kpi",
    params(ValuesQuery),
    responses((status = 200, body = Values), Refusals)
)]
pub(super) async fn values(State(api): State<Arc<Api>>, Params(asked): Params<ValuesQuery>) -> Outcome<Json<Values>> {
    let at = api.clock.now();
    let query = query(&asked, at)?;
    check_size(&query, api.calendar())?;
    let (scope, grain) = (query.scope.clone(), query.grain);
    let mut figures: Vec<FigureBody> = Vec::new();
    for figure in api.figures(query, at).await? {
        let origins = match figures.last() {
            _ if !asked.origins => None,
            // Figures of one window rest on the same pages.
            Some(last) if last.figure.window == figure.window => last.origins.clone(),
            _ => Some(api.origins(scope.clone(), grain, figure.window).await?.into()),
        };
        figures.push(FigureBody::new(figure, origins));
    }
    Ok(Json(Values { scope, grain, at, figures }))
}

/// Reads the parameters. `now` is the server's plant time.
fn query(asked: &ValuesQuery, now: Timestamp) -> Outcome<Query> {
    let scope = asked.scope.parse::<Scope>().map_err(|error| refuse(format!("scope: {error}")))?;
    let grain = asked.grain.parse::<Grain>().map_err(|error| refuse(format!("grain: {error}")))?;
    let to = asked.to.as_deref().map_or(Ok(now), |text| instant("to", text))?;
    let from = asked.from.as_deref().map_or(Ok(to - 1), |text| instant("from", text))?;
    if from >= to {
        return Err(refuse(format!("from {from} is not before to {to}")));
    }
    Ok(Query { scope, kpis: kpis(asked.kpi.as_deref())?, grain, from, to })
}

fn kpis(list: Option<&str>) -> Outcome<Vec<KpiId>> {
    let Some(list) = list else {
        return Ok(CATALOGUE.iter().map(|definition| definition.id.clone()).collect());
    };
    list.split(',')
        .map(|name| {
            kpi::find(name.trim()).map(|definition| definition.id.clone()).ok_or_else(|| {
                let known: Vec<&str> = CATALOGUE.iter().map(|definition| definition.id.as_str()).collect();
                refuse(format!("kpi: \"{name}\" is not in the catalogue: {}", known.join(", ")))
            })
        })
        .collect()
}

pub(super) fn instant(name: &str, text: &str) -> Outcome<Timestamp> {
    // A `+` of an offset that wasn't percent-encoded arrives as a space.
    let sign = text.len().checked_sub("+07:00".len()).filter(|at| text.as_bytes()[*at] == b' ');
    let repaired = sign.map(|at| format!("{}+{}", &text[..at], &text[at + 1..]));
    repaired.as_deref().unwrap_or(text).parse().map_err(|error| refuse(format!("{name}: {error}")))
}

/// Refuses a request whose answer would be too large, before anything is read.
fn check_size(query: &Query, calendar: &Calendar) -> Outcome<()> {
    let too_many = |windows: String| {
        refuse(format!(
            "{windows} {} windows are asked for, an answer holds at most {WINDOWS_MAX}: ask for a shorter span or a coarser grain",
            query.grain
        ))
    };
    let span_ms = query.to.0.saturating_sub(query.from.0);
    let shortest_ms = match query.grain {
        Grain::Minute => MINUTE_MS,
        Grain::FiveMinutes => 5 * MINUTE_MS,
        Grain::QuarterHour => 15 * MINUTE_MS,
        Grain::HalfHour => 30 * MINUTE_MS,
        Grain::Hour => 60 * MINUTE_MS,
        // How many there are is counted below.
        Grain::Shift | Grain::Day | Grain::Month | Grain::Year => 0,
    };
    if span_ms > SPAN_MS_MAX {
        return Err(refuse(format!(
            "{} days are asked for, at most {} are answered",
            span_ms / (1_440 * MINUTE_MS),
            SPAN_MS_MAX / (1_440 * MINUTE_MS)
        )));
    }
    if shortest_ms > 0 && span_ms / shortest_ms > 1_000 {
        return Err(too_many(format!("about {}", span_ms / shortest_ms)));
    }
    match calendar.windows(query.grain, query.from, query.to).len() {
        count if count > WINDOWS_MAX => Err(too_many(count.to_string())),
        _ => Ok(()),
    }
}

pub(super) fn refuse(detail: String) -> ApiProblem {
    Problem::bad_request(detail).into()
}
