//! `GET /api/v1/egress`: what left the box, to whom, when, how it was answered, and what stayed inside. On a box only.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::http::HeaderMap;
use serde::{Deserialize, Serialize};
use utoipa::openapi::RefOr;
use utoipa::{IntoResponses, ToSchema};

use super::declarations::read as read_json;
use super::edge::Edge;
use super::extract::Params;
use super::health::JsonInteger;
use super::problem::{ApiProblem, Outcome};
use super::schema::{self, Refusals, problems};
use super::values::{instant, refuse};
use super::{Api, Backend, store_problem};
use crate::model::id::{Digest, StreamName};
use crate::model::share::SharePolicy;
use crate::model::time::{MINUTE_MS, Timestamp};
use crate::store::{
    AskedShare, EgressFilter, EgressPlace, Exchange, PageLeft, Reader, Stayed, StoreError, Unconfirmed,
};
use crate::wire::problem::Problem;

/// Pages and exchanges of an answer that names no limit.
const LIMIT: usize = 100;
/// Most pages, and most exchanges, of one answer.
pub(crate) const LIMIT_MAX: usize = 500;
/// Span of an answer that names no beginning: so far back from its end.
pub(crate) const SPAN_MS: i64 = 31 * DAY_MS;
/// Longest span: what stayed inside is counted record by record.
const SPAN_MS_MAX: i64 = 366 * DAY_MS;
const DAY_MS: i64 = 1_440 * MINUTE_MS;

/// Which time, and from where a long list goes on.
#[derive(Debug, Clone, Default, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct EgressQuery {
    /// Only to this sink.
    #[param(example = "hepza")]
    sink: Option<String>,
    /// Only from this instant on: of a page when it was cut, of an exchange when sending began, of a record when its
    /// window began. RFC 3339; 31 days before `until` where it is left out.
    #[param(example = "2026-11-01T00:00:00+07:00")]
    since: Option<String>,
    /// Only before this instant; the present where it is left out. At most 366 days after `since`.
    #[param(example = "2026-12-01T00:00:00+07:00")]
    until: Option<String>,
    /// Pages and exchanges of one answer, each at most so many.
    #[param(minimum = 1, maximum = 500)]
    limit: Option<usize>,
    /// Go on after an answer: its `next_page`.
    before_page: Option<u64>,
    /// Go on after an answer: its `next_exchange`.
    before_exchange: Option<u64>,
}

/// What left the box and what stayed inside.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Egress {
    /// First instant that was asked for.
    #[schema(value_type = String, format = DateTime)]
    pub(crate) since: Timestamp,
    /// First instant after it.
    #[schema(value_type = String, format = DateTime)]
    pub(crate) until: Timestamp,
    /// Of each stream the policy page in force, whenever it was cut: what may leave, and the facts that go with it.
    pub(crate) policies: Vec<PageBody>,
    /// Wider shares that the configuration asks for and the factory has not confirmed.
    pub(crate) waiting: Vec<WaitingBody>,
    /// Wider shares that the factory confirmed, whenever it did.
    pub(crate) confirmed: Vec<ConfirmedBody>,
    /// What stayed inside, by stream; null in an answer that goes on after another one.
    #[schema(required = true)]
    pub(crate) withheld: Option<Vec<WithheldBody>>,
    /// Pages, the newest first.
    pub(crate) pages: Vec<PageBody>,
    /// Ask again with it as `before_page` for older pages; null where there are none.
    #[schema(value_type = Option<schema::Integer>, required = true)]
    pub(crate) next_page: Option<JsonInteger>,
    /// Exchanges, the newest first.
    pub(crate) exchanges: Vec<ExchangeBody>,
    /// Ask again with it as `before_exchange` for older exchanges; null where there are none.
    #[schema(value_type = Option<schema::Integer>, required = true)]
    pub(crate) next_exchange: Option<JsonInteger>,
}

/// One page that was cut to leave.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PageBody {
    /// The sink, whose name its stream has.
    #[schema(value_type = String, example = "hepza")]
    pub(crate) sink: StreamName,
    /// The stream's epoch.
    pub(crate) epoch: u32,
    /// Its number.
    #[schema(value_type = schema::Integer)]
    pub(crate) seq: JsonInteger,
    /// When it was cut.
    #[schema(value_type = String, format = DateTime)]
    pub(crate) created_at: Timestamp,
    /// `policy`, `records` or `key`.
    pub(crate) kind: &'static str,
    /// How many records it holds.
    pub(crate) records: usize,
    /// Its size.
    pub(crate) bytes: usize,
    /// SHA-256 of its bytes.
    #[schema(value_type = String)]
    pub(crate) hash: Digest,
    /// Whether the destination said that it holds the page.
    pub(crate) acknowledged: bool,
    /// Of a policy page: what may leave.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = schema::SharePolicy, required = false)]
    pub(crate) policy: Option<SharePolicy>,
    /// Of a policy page: the facts that go out with each KPI.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    #[schema(required = false)]
    pub(crate) reveals: BTreeMap<String, Vec<String>>,
}

/// A wider share that waits: until it is confirmed, the stream lets out what both it and the agreed one let out.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct WaitingBody {
    /// The sink, whose name the stream has.
    #[schema(value_type = String, example = "hepza")]
    pub(crate) sink: StreamName,
    /// Digest of the share: a confirmation names it.
    #[schema(value_type = String)]
    pub(crate) share: Digest,
    /// Since when the configuration asks for it.
    #[schema(value_type = String, format = DateTime)]
    pub(crate) asked_at: Timestamp,
    /// What it lets out.
    #[schema(value_type = schema::SharePolicy)]
    pub(crate) policy: SharePolicy,
    /// What would newly leave.
    pub(crate) newly: NewlyBody,
}

/// What a wider share lets out that the agreed one keeps.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct NewlyBody {
    /// KPIs.
    pub(crate) kpis: Vec<String>,
    /// The finer level, where it is one.
    #[schema(required = true, example = "line")]
    pub(crate) level: Option<&'static str>,
    /// The other grain, where it tells more.
    #[schema(required = true, example = "hour")]
    pub(crate) grain: Option<&'static str>,
    /// Facts.
    pub(crate) facts: Vec<String>,
}

/// A wider share that was confirmed. Who did stays in the box's store.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ConfirmedBody {
    /// The sink, whose name the stream has.
    #[schema(value_type = String, example = "hepza")]
    pub(crate) sink: StreamName,
    /// Digest of the share.
    #[schema(value_type = String)]
    pub(crate) share: Digest,
    /// What it lets out.
    #[schema(value_type = schema::SharePolicy)]
    pub(crate) policy: SharePolicy,
    /// Since when the configuration asked for it.
    #[schema(value_type = String, format = DateTime)]
    pub(crate) asked_at: Timestamp,
    /// When it was confirmed.
    #[schema(value_type = String, format = DateTime)]
    pub(crate) confirmed_at: Timestamp,
    /// Whether its policy page was cut.
    pub(crate) is_stated: bool,
    /// Whether the configuration took it back before that.
    pub(crate) is_withdrawn: bool,
}

/// The factory's word.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Confirmation {
    /// The sink.
    #[schema(value_type = String, example = "hepza")]
    sink: StreamName,
    /// Digest of what waits, as it was shown.
    #[schema(value_type = String)]
    share: Digest,
    /// Who confirms it for the factory. The name stays on the box.
    person: String,
}

/// The errors of confirming.
pub(super) struct ConfirmRefusals;

impl IntoResponses for ConfirmRefusals {
    fn responses() -> BTreeMap<String, RefOr<utoipa::openapi::response::Response>> {
        let mut responses = Refusals::responses();
        responses.extend(problems(&[
            ("400", "The body is no confirmation, or names nobody."),
            ("404", "Nothing waits there."),
            ("409", "Something else waits than what was seen."),
        ]));
        responses
    }
}

/// One exchange of a sink with its destination.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ExchangeBody {
    /// The sink.
    pub(crate) sink: String,
    /// When sending began.
    #[schema(value_type = String, format = DateTime)]
    pub(crate) at: Timestamp,
    /// Host and port.
    #[schema(example = "hub.example.gov.vn:443")]
    pub(crate) destination: String,
    /// `pages`, `records`, `samples`, `file` or `status`.
    pub(crate) what: &'static str,
    /// Of a file: its name.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    pub(crate) name: Option<String>,
    /// Of pages: their epoch.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    pub(crate) epoch: Option<u32>,
    /// First position that was sent.
    #[schema(value_type = schema::Integer)]
    pub(crate) first: JsonInteger,
    /// Last position that was sent.
    #[schema(value_type = schema::Integer)]
    pub(crate) last: JsonInteger,
    /// Size of the content before compression.
    #[schema(value_type = schema::Integer)]
    pub(crate) bytes: JsonInteger,
    /// SHA-256 of the content before compression.
    #[schema(value_type = String)]
    pub(crate) hash: Digest,
    /// `acknowledged`, `refused` or `failed`.
    pub(crate) outcome: &'static str,
    /// The destination's words, or what became of the connection.
    pub(crate) answer: String,
}

/// What a stream's pages don't hold of the records whose windows began in the time asked for.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct WithheldBody {
    /// The sink, whose name the stream has.
    #[schema(value_type = String, example = "hepza")]
    pub(crate) sink: StreamName,
    /// Records of which a page holds something.
    #[schema(value_type = schema::Integer)]
    pub(crate) released_records: JsonInteger,
    /// Records of which no page holds anything, by level, then grain.
    #[schema(value_type = BTreeMap<String, BTreeMap<String, schema::Integer>>)]
    pub(crate) records: BTreeMap<&'static str, BTreeMap<&'static str, JsonInteger>>,
    /// KPI values that no page holds, by KPI.
    #[schema(value_type = BTreeMap<String, schema::Integer>)]
    pub(crate) kpis: BTreeMap<String, JsonInteger>,
    /// Facts that no page holds, by measure.
    #[schema(value_type = BTreeMap<String, schema::Integer>)]
    pub(crate) facts: BTreeMap<&'static str, JsonInteger>,
}

/// Returns what left this box, to whom, when, how it was answered, and what stayed inside.
#[utoipa::path(
    get,
    path = "/api/v1/egress",
    tag = "egress",
    params(EgressQuery),
    responses((status = 200, body = Egress), Refusals)
)]
pub(super) async fn egress(State(api): State<Arc<Api>>, Params(asked): Params<EgressQuery>) -> Outcome<Json<Egress>> {
    let read = |name: &str, text: &Option<String>| text.as_deref().map(|text| instant(name, text)).transpose();
    let until = read("until", &asked.until)?.unwrap_or_else(|| api.clock.now() + 1);
    let since = read("since", &asked.since)?.unwrap_or(until - SPAN_MS);
    if since >= until {
        return Err(refuse(format!("since {since} is not before until {until}")));
    }
    if until.ms_since(since) > SPAN_MS_MAX {
        return Err(refuse("more than 366 days are asked for: ask for a shorter span".to_owned()));
    }
    let limit = asked.limit.unwrap_or(LIMIT);
    if !(1..=LIMIT_MAX).contains(&limit) {
        return Err(refuse(format!("limit {limit} is not within 1 to {LIMIT_MAX}")));
    }
    let goes_on = asked.before_page.is_some() || asked.before_exchange.is_some();
    let wanted = Wanted {
        filter: EgressFilter { sink: asked.sink, since: Some(since), until: Some(until) },
        limit,
        before_page: asked.before_page.unwrap_or(if goes_on { 0 } else { u64::MAX }),
        before_exchange: asked.before_exchange.unwrap_or(if goes_on { 0 } else { u64::MAX }),
        counts_withheld: !goes_on,
    };
    Ok(Json(api.egress(wanted).await?))
}

/// Confirms for the factory a wider share that waits. Its policy page is the stream's next page.
#[utoipa::path(
    post,
    path = "/api/v1/egress/confirm",
    tag = "egress",
    request_body = Confirmation,
    responses((status = 200, body = ConfirmedBody), ConfirmRefusals)
)]
pub(super) async fn confirm(
    State(api): State<Arc<Api>>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Outcome<Json<ConfirmedBody>> {
    let Confirmation { sink, share, person } = read_json(&headers, &body?)?;
    let confirmed = api.read(move |api| {
        let (edge, now) = (edge(api)?, api.clock.now());
        let mut confirmations = edge.reader.confirmations().map_err(|error| store_problem(&error))?;
        let confirmed = confirmations.confirm(&sink, Some(share), &person, now).map_err(unconfirmed)?;
        ConfirmedBody::of(confirmed).ok_or_else(|| Problem::internal("what was confirmed can't be shown").into())
    });
    Ok(Json(confirmed.await?))
}

fn unconfirmed(refusal: Unconfirmed) -> ApiProblem {
    let detail = refusal.to_string();
    match refusal {
        Unconfirmed::Nothing(_) => Problem::not_found(detail).into(),
        Unconfirmed::Other { .. } => Problem::conflict(detail).into(),
        Unconfirmed::Nobody => Problem::bad_request(detail).into(),
        Unconfirmed::Store(error) => store_problem(&error),
    }
}

/// What one answer holds.
#[derive(Debug, Clone)]
pub(crate) struct Wanted {
    /// Which sink and time.
    pub(crate) filter: EgressFilter,
    /// Pages and exchanges, each at most so many.
    pub(crate) limit: usize,
    /// Pages before this row.
    pub(crate) before_page: u64,
    /// Exchanges before this row.
    pub(crate) before_exchange: u64,
    /// Whether to say what stayed inside.
    pub(crate) counts_withheld: bool,
}

impl Wanted {
    /// Returns the newest of the time before `until`, and what stayed inside then.
    pub(crate) fn newest(until: Timestamp, limit: usize) -> Self {
        Self {
            filter: EgressFilter { sink: None, since: Some(until - SPAN_MS), until: Some(until) },
            limit,
            before_page: u64::MAX,
            before_exchange: u64::MAX,
            counts_withheld: true,
        }
    }
}

impl Api {
    /// Returns what left the box and what stayed inside.
    ///
    /// # Errors
    /// 404 on a hub and for a sink that nobody knows, 503 where the store can't be read.
    pub(crate) async fn egress(self: &Arc<Self>, wanted: Wanted) -> Outcome<Egress> {
        self.read(move |api| of_box(edge(api)?, &wanted)).await
    }
}

fn edge(api: &Api) -> Outcome<&Edge> {
    match &api.backend {
        Backend::Edge(edge) => Ok(edge),
        Backend::Hub(_) => Err(Problem::not_found("what left a factory is told by its box, not by a hub").into()),
    }
}

fn of_box(edge: &Edge, wanted: &Wanted) -> Outcome<Egress> {
    let (reader, filter) = (&edge.reader, &wanted.filter);
    if let Some(sink) = &filter.sink {
        let known = reader.sinks_left().map_err(|error| store_problem(&error))?;
        if !known.contains(sink) {
            let detail = format!("nothing was sent to a sink \"{sink}\"; known are {}", known.join(", "));
            return Err(Problem::not_found(detail).into());
        }
    }
    // One more than is shown says whether there are more.
    let more = wanted.limit + 1;
    let read = || {
        let pages = reader.pages_left(filter, EgressPlace::Before(wanted.before_page), more)?;
        let exchanges = reader.exchanges_left(filter, EgressPlace::Before(wanted.before_exchange), more)?;
        let withheld = if wanted.counts_withheld { Some(reader.withheld(filter)?) } else { None };
        Ok((
            pages,
            exchanges,
            withheld,
            reader.policies_left(filter)?,
            waiting(reader, filter)?,
            confirmed(reader, filter)?,
        ))
    };
    let (mut pages, mut exchanges, withheld, policies, waiting, confirmed) =
        read().map_err(|error: StoreError| store_problem(&error))?;
    let has_more = (pages.len() > wanted.limit, exchanges.len() > wanted.limit);
    pages.truncate(wanted.limit);
    exchanges.truncate(wanted.limit);
    let withheld = withheld.map(|streams| streams.into_iter().map(WithheldBody::from).collect());
    let instant = |at: Option<Timestamp>| at.unwrap_or(Timestamp(0));
    Ok(Egress {
        since: instant(filter.since),
        until: instant(filter.until),
        policies: policies.into_iter().map(PageBody::from).collect(),
        waiting,
        confirmed,
        withheld,
        next_page: pages.last().filter(|_| has_more.0).map(|page| JsonInteger(page.row)),
        pages: pages.into_iter().map(PageBody::from).collect(),
        next_exchange: exchanges.last().filter(|_| has_more.1).map(|(row, _)| JsonInteger(*row)),
        exchanges: exchanges.into_iter().map(|(_, exchange)| ExchangeBody::from(exchange)).collect(),
    })
}

/// Returns what waits for the factory's word, with what would newly leave.
pub(crate) fn waiting(reader: &Reader, filter: &EgressFilter) -> Result<Vec<WaitingBody>, StoreError> {
    let asked = reader.asked_shares()?.into_iter().filter(|row| row.is_waiting() && filter.is_of(row.stream.as_str()));
    asked
        .map(|row| {
            let stated = reader.stated_share(&row.stream)?;
            let newly = row.share.beyond(&stated.unwrap_or_else(|| row.share.kept_whole()));
            Ok(WaitingBody {
                share: row.share.digest(),
                asked_at: row.asked_at,
                newly: NewlyBody {
                    kpis: newly.kpis.iter().map(ToString::to_string).collect(),
                    level: newly.level.map(|(_, level)| level.as_str()),
                    grain: newly.grain.map(|(_, grain)| grain.as_str()),
                    facts: newly.facts,
                },
                policy: row.share.policy,
                sink: row.stream,
            })
        })
        .collect()
}

/// Returns what was confirmed.
pub(crate) fn confirmed(reader: &Reader, filter: &EgressFilter) -> Result<Vec<ConfirmedBody>, StoreError> {
    let asked = reader.asked_shares()?.into_iter().filter(|row| filter.is_of(row.stream.as_str()));
    Ok(asked.filter_map(ConfirmedBody::of).collect())
}

impl ConfirmedBody {
    /// Returns a share as it was confirmed; `None` of one that wasn't.
    pub(crate) fn of(row: AskedShare) -> Option<Self> {
        let confirmed_at = row.confirmed?.at;
        Some(Self {
            sink: row.stream,
            share: row.share.digest(),
            policy: row.share.policy,
            asked_at: row.asked_at,
            confirmed_at,
            is_stated: row.taken_by.is_some(),
            is_withdrawn: row.withdrawn_at.is_some(),
        })
    }
}

impl From<PageLeft> for PageBody {
    fn from(page: PageLeft) -> Self {
        Self {
            sink: page.sink,
            epoch: page.epoch,
            seq: JsonInteger(page.seq),
            created_at: page.created_at,
            kind: page.kind,
            records: page.records,
            bytes: page.bytes,
            hash: page.hash,
            acknowledged: page.acknowledged,
            policy: page.policy,
            reveals: page.reveals,
        }
    }
}

impl From<Exchange> for ExchangeBody {
    fn from(exchange: Exchange) -> Self {
        Self {
            sink: exchange.sink,
            at: exchange.at,
            destination: exchange.destination,
            what: exchange.cargo.as_str(),
            name: exchange.name,
            epoch: exchange.epoch,
            first: JsonInteger(exchange.first),
            last: JsonInteger(exchange.last),
            bytes: JsonInteger(exchange.bytes),
            hash: exchange.hash,
            outcome: exchange.outcome.as_str(),
            answer: exchange.answer,
        }
    }
}

impl From<Stayed> for WithheldBody {
    fn from(Stayed { sink, withheld }: Stayed) -> Self {
        let counts = |(level, grains): (&'static str, BTreeMap<&'static str, u64>)| {
            (level, grains.into_iter().map(|(grain, count)| (grain, JsonInteger(count))).collect())
        };
        Self {
            sink,
            released_records: JsonInteger(withheld.released_records),
            records: withheld.records.into_iter().map(counts).collect(),
            kpis: withheld.kpis.into_iter().map(|(kpi, count)| (kpi, JsonInteger(count))).collect(),
            facts: withheld.facts.into_iter().map(|(fact, count)| (fact, JsonInteger(count))).collect(),
        }
    }
}
