//! `GET /api/v1/gateways`: who delivers, up to which page, and whether it is connected.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use super::health::JsonInteger;
use super::problem::Outcome;
use super::schema::{self, Refusals};
use super::status::StatusBody;
use super::{Api, Backend};
use crate::hub::status::GatewayState;
use crate::model::id::{Digest, GatewayId, SiteId, StreamName};
use crate::model::time::Timestamp;

/// The gateways.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Gateways {
    /// Ascending by id; a box knows itself alone.
    gateways: Vec<GatewayBody>,
}

/// One gateway.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct GatewayBody {
    /// Its id.
    #[schema(value_type = String, example = "tt-0042")]
    pub gateway: GatewayId,
    /// The site it stands in.
    #[schema(value_type = String, example = "tt-main")]
    pub site: SiteId,
    /// Whether it was heard of lately: a status while it holds and ten minutes more; where it sends none, a page within
    /// two of its shared windows and ten minutes. A box says true of itself.
    pub connected: bool,
    /// When its first page came; null before, and on the box.
    #[schema(value_type = Option<String>, format = DateTime, required = true)]
    pub first_seen: Option<Timestamp>,
    /// When its last page or status came; null before, and on the box.
    #[schema(value_type = Option<String>, format = DateTime, required = true)]
    pub last_seen: Option<Timestamp>,
    /// RFC 7638 thumbprint of the key its pages are signed with; null until its first page.
    #[schema(required = true)]
    pub key_thumbprint: Option<String>,
    /// What it last said of itself; null where it never did, and on the box, which has `/api/v1/health`.
    #[schema(required = true)]
    pub status: Option<StatusBody>,
    /// Its streams, ascending by name; of each the last epoch.
    pub streams: Vec<StreamBody>,
}

/// One stream of a gateway.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct StreamBody {
    /// Its name.
    #[schema(value_type = String, example = "hepza")]
    pub stream: StreamName,
    /// Its last epoch.
    pub epoch: u32,
    /// On the hub the last page held without a gap, on the box the last one cut.
    #[schema(value_type = schema::Integer)]
    pub last_page: JsonInteger,
    /// SHA-256 of that page.
    #[schema(value_type = String)]
    pub head_hash: Digest,
    /// On the box the last page the destination holds; null on the hub.
    #[schema(value_type = Option<schema::Integer>, required = true)]
    pub delivered: Option<JsonInteger>,
    /// What contradicted the chain, so that the stream has stopped; null while it is whole.
    #[schema(required = true)]
    pub forked: Option<String>,
}

impl From<GatewayState> for GatewayBody {
    fn from(state: GatewayState) -> Self {
        let stream = |stream: crate::hub::status::StreamState| StreamBody {
            stream: stream.stream,
            epoch: stream.epoch,
            last_page: JsonInteger(stream.accepted_through),
            head_hash: stream.head_hash,
            delivered: None,
            forked: stream.forked,
        };
        Self {
            gateway: state.gateway,
            site: state.site,
            connected: state.connected,
            first_seen: state.first_seen,
            last_seen: state.last_seen,
            key_thumbprint: state.key_thumbprint,
            status: state.status.map(StatusBody::from),
            streams: state.streams.into_iter().map(stream).collect(),
        }
    }
}

/// Returns the gateways: on the hub every one of the directory, on a box itself.
#[utoipa::path(get, path = "/api/v1/gateways", tag = "directory", responses((status = 200, body = Gateways), Refusals))]
pub(super) async fn gateways(State(api): State<Arc<Api>>) -> Outcome<Json<Gateways>> {
    Ok(Json(Gateways { gateways: api.gateways().await? }))
}

impl Api {
    /// Returns every gateway, ascending by id.
    ///
    /// # Errors
    /// 503 where the store can't be read.
    pub async fn gateways(self: &Arc<Self>) -> Outcome<Vec<GatewayBody>> {
        self.read(|api| match &api.backend {
            Backend::Edge(edge) => Ok(vec![edge.gateway()?]),
            Backend::Hub(hub) => {
                let states = hub.gateways().map_err(|error| super::store_problem(&error))?;
                Ok(states.into_iter().map(GatewayBody::from).collect())
            }
        })
        .await
    }
}
