//! `/api/v1/context`: production context of a box's assets, told and listed.
//!
//! What is told is written down at once and enters the figures within seconds: also what is late, as the next revision.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};
use utoipa::openapi::RefOr;
use utoipa::{IntoResponses, ToSchema};

use super::extract::Params;
use super::problem::{ApiProblem, Outcome};
use super::schema::{self, problems};
use super::{Api, Backend, store_problem};
use crate::engine::context::judge;
use crate::model::context::ContextEvent;
use crate::model::context::document::ContextDocument;
use crate::model::id::AssetId;
use crate::model::time::Timestamp;
use crate::store::Told;
use crate::wire::problem::Problem;

/// Events of one answer.
const EVENTS_MAX: usize = 1_000;

/// What was written down.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ToldBody {
    /// Number of the statement.
    statement: i64,
}

/// Which events.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct ListParams {
    /// Only events after this number.
    #[serde(default)]
    after: i64,
    /// Only events of this asset.
    #[param(value_type = Option<String>)]
    asset: Option<AssetId>,
}

/// An event as it was told.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct EventBody {
    /// Number of its statement: ascending in the order in which events were told.
    statement: i64,
    /// The event.
    #[schema(value_type = schema::ContextEvent)]
    event: ContextDocument,
}

/// Events in the order in which they were told.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Events {
    events: Vec<EventBody>,
    /// There are more: ask again with `after` the last number.
    more: bool,
}

/// The errors of telling.
pub(super) struct TellRefusals;

impl IntoResponses for TellRefusals {
    fn responses() -> BTreeMap<String, RefOr<utoipa::openapi::response::Response>> {
        problems(&[
            ("400", "The body is no such document, or not sent as application/json."),
            ("401", "No valid token."),
            ("403", "Without a token only this machine may tell."),
            ("409", "Another event was told under this id."),
            ("413", "The body is larger than is taken."),
            ("422", "The configuration has no such asset, product or reason, or the asset doesn't take this kind."),
            ("413", "The body is larger than the server takes."),
            ("500", "The box failed."),
            ("503", "The store can't be written at the moment; come back after Retry-After."),
        ])
    }
}

/// Tells one event of production context. Told again under the same id it counts once.
#[utoipa::path(
    post,
    path = "/api/v1/context",
    tag = "context",
    request_body(content = schema::ContextEvent, content_type = "application/json"),
    responses(
        (status = 201, description = "Written down.", body = ToldBody),
        (status = 200, description = "It was told before.", body = ToldBody),
        TellRefusals,
    )
)]
pub(super) async fn tell(
    State(api): State<Arc<Api>>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Outcome<(StatusCode, Json<ToldBody>)> {
    // A page of another site can make a browser send a text, but not a document of this kind.
    let is_json = headers.get(CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"application/json"));
    if !is_json {
        return Err(Problem::bad_request("send the event as application/json").into());
    }
    let document: ContextDocument =
        serde_json::from_slice(&body?).map_err(|error| Problem::bad_request(error.to_string()))?;
    let instant = |text: &str| text.parse::<Timestamp>().map_err(|error| error.to_string());
    let event = document.read(&instant).map_err(Problem::bad_request)?;
    let now = api.clock.now();
    let (status, statement) = api.read(move |api| write(api, &event, now)).await?;
    Ok((status, Json(ToldBody { statement })))
}

fn write(api: &Api, event: &ContextEvent, now: Timestamp) -> Outcome<(StatusCode, i64)> {
    let Backend::Edge(edge) = &api.backend else { return Err(Problem::not_found("a hub isn't told").into()) };
    judge(&edge.plant, event).map_err(|refusal| ApiProblem::from(Problem::unprocessable(refusal.to_string())))?;
    let told = edge.reader.statements().and_then(|mut statements| statements.tell(event, None, now));
    match told.map_err(|error| store_problem(&error))? {
        Told::New(id) => Ok((StatusCode::CREATED, id)),
        Told::Before(id) => Ok((StatusCode::OK, id)),
        Told::Otherwise(id) => {
            let detail = format!(
                "statement {id} has the same id and says something else: withdraw it, and tell this with another id"
            );
            Err(Problem::conflict(detail).into())
        }
    }
}

/// Returns what was told of production, in the order in which it was.
#[utoipa::path(get, path = "/api/v1/context", tag = "context", params(ListParams), responses((status = 200, body = Events), schema::Refusals))]
pub(super) async fn list(State(api): State<Arc<Api>>, Params(params): Params<ListParams>) -> Outcome<Json<Events>> {
    let read = move |api: &Api| {
        let Backend::Edge(edge) = &api.backend else { return Err(Problem::not_found("a hub isn't told").into()) };
        let found = edge.reader.contexts(params.after, params.asset.as_ref(), EVENTS_MAX + 1);
        found.map_err(|error| store_problem(&error))
    };
    let mut found = api.read(read).await?;
    let more = found.len() > EVENTS_MAX;
    found.truncate(EVENTS_MAX);
    let event = |(statement, event): &(i64, ContextEvent)| EventBody { statement: *statement, event: event.into() };
    Ok(Json(Events { events: found.iter().map(event).collect(), more }))
}
