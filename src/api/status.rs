//! `PUT /api/v1/gateways/{gateway}/status`: what gateways say of themselves. Hub only.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};
use utoipa::openapi::RefOr;
use utoipa::{IntoResponses, ToSchema};

use super::extract::Segments;
use super::guard::bearer;
use super::health::JsonInteger;
use super::pages::signature;
use super::problem::Outcome;
use super::schema::{self, problems};
use super::{Api, Backend};
use crate::hub::heard::{StatusRow, Word};
use crate::model::id::GatewayId;
use crate::model::time::Timestamp;
use crate::wire::problem::Problem;
use crate::wire::status::{ComponentKind, KindStatus};

/// Whose status.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Path)]
pub(super) struct StatusPath {
    /// The gateway that signed it.
    #[param(value_type = String, example = "tt-0042")]
    gateway: GatewayId,
}

/// What a gateway says of itself.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct StatusBody {
    /// When it said so.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// When that came, by the hub's clock; on a box as `at`.
    #[schema(value_type = String, format = DateTime)]
    pub received_at: Timestamp,
    /// Version of its program.
    pub version: String,
    /// Its components by kind.
    pub components: Vec<KindBody>,
    /// Pages it has cut and not delivered yet.
    #[schema(value_type = schema::Integer)]
    pub backlog_pages: JsonInteger,
    /// How long the oldest of them has waited. Unit: s.
    #[schema(value_type = schema::Integer)]
    pub backlog_seconds: JsonInteger,
}

/// How the components of one kind are.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct KindBody {
    /// `source`, `sink`, `store`, `clock` or `gateway`.
    #[schema(value_type = String, example = "source")]
    pub kind: ComponentKind,
    /// How many do what they promise.
    pub ok: u32,
    /// How many don't at the moment and recover by themselves.
    pub degraded: u32,
    /// How many lost a guarantee or need a person.
    pub failed: u32,
    /// Since when the first of those that aren't well is so; null while all are well.
    #[schema(value_type = Option<String>, format = DateTime, required = true)]
    pub troubled_since: Option<Timestamp>,
}

impl From<KindStatus> for KindBody {
    fn from(KindStatus { kind, ok, degraded, failed, troubled_since }: KindStatus) -> Self {
        Self { kind, ok, degraded, failed, troubled_since }
    }
}

impl From<StatusRow> for StatusBody {
    fn from(StatusRow { status, received_at }: StatusRow) -> Self {
        Self {
            at: status.at,
            received_at,
            version: status.version,
            components: status.components.into_iter().map(KindBody::from).collect(),
            backlog_pages: JsonInteger(status.backlog.pages),
            backlog_seconds: JsonInteger(status.backlog.seconds),
        }
    }
}

/// The errors of a status.
pub(super) struct StatusRefusals;

impl IntoResponses for StatusRefusals {
    fn responses() -> BTreeMap<String, RefOr<utoipa::openapi::response::Response>> {
        problems(&[
            ("400", "The path or the signature header can't be understood."),
            ("401", "The gateway must send its token, and sent none or another one."),
            ("403", "The gateway isn't known, or the status isn't signed by its key."),
            ("413", "The status is larger than the hub takes."),
            ("422", "It is no status, or another gateway's than the path says."),
            ("500", "The hub failed."),
            ("503", "The hub can't store anything at the moment; come back after Retry-After."),
        ])
    }
}

/// Takes what a gateway says of itself. An older one than the hub holds changes nothing.
#[utoipa::path(
    put,
    path = "/api/v1/gateways/{gateway}/status",
    tag = "pages",
    params(StatusPath, ("x-jws-signature" = String, Header, description = "Detached JWS (RFC 7515, appendix F) over the body.")),
    request_body(content = schema::GatewayStatus, content_type = "application/json"),
    responses((status = 204, description = "It is held, or a later one is."), StatusRefusals)
)]
pub(super) async fn put_status(
    State(api): State<Arc<Api>>,
    Segments(path): Segments<StatusPath>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Outcome<StatusCode> {
    let body = body?;
    let (jws, token) = (signature(&headers)?, bearer(&headers).map(str::to_owned));
    api.read(move |api| {
        let Backend::Hub(hub) = &api.backend else {
            return Err(Problem::not_found("only a hub hears gateways").into());
        };
        let word = Word { gateway: &path.gateway, token: token.as_deref(), jws: &jws, bytes: &body };
        hub.hear(&word).map_err(|refusal| refusal.problem().into())
    })
    .await?;
    Ok(StatusCode::NO_CONTENT)
}
