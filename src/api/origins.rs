//! Where a figure comes from: on the hub the signed pages, on the box the tags.

use std::sync::Arc;

use serde::Serialize;
use utoipa::ToSchema;

use super::health::JsonInteger;
use super::problem::Outcome;
use super::schema;
use super::{Api, Backend, query_problem};
use crate::hub::read::Carrier;
use crate::model::id::{GatewayId, StreamName, TagName};
use crate::model::time::{Grain, Window};
use crate::wire::figure::Scope;

/// What a figure rests on.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(untagged)]
pub enum Origin {
    /// On the hub: pages of one stream.
    Pages(Pages),
    /// On the box: a measured point of the asset. Names of tags never leave the factory.
    Tag(Tag),
}

/// Pages of one stream.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Pages {
    /// Who signed them.
    #[schema(value_type = String, example = "tt-0042")]
    pub gateway: GatewayId,
    /// On which stream.
    #[schema(value_type = String, example = "hepza")]
    pub stream: StreamName,
    /// In which epoch.
    pub epoch: u32,
    /// The first of them.
    #[schema(value_type = schema::Integer)]
    pub first_page: JsonInteger,
    /// The last of them.
    #[schema(value_type = schema::Integer)]
    pub last_page: JsonInteger,
    /// How many records of the window they carried, every revision counted.
    #[schema(value_type = schema::Integer)]
    pub records: JsonInteger,
}

/// A measured point.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Tag {
    /// The box.
    #[schema(value_type = String, example = "tt-0042")]
    pub gateway: GatewayId,
    /// Its name.
    #[schema(value_type = String, example = "meter-main.active_energy_import")]
    pub tag: TagName,
}

impl From<Carrier> for Pages {
    fn from(carrier: Carrier) -> Self {
        Self {
            gateway: carrier.gateway,
            stream: carrier.stream,
            epoch: carrier.epoch,
            first_page: JsonInteger(carrier.first_page),
            last_page: JsonInteger(carrier.last_page),
            records: JsonInteger(carrier.records),
        }
    }
}

impl Api {
    /// Returns what the figures of a scope in a window rest on.
    ///
    /// # Errors
    /// 404 for a scope that isn't known here, 503 where the store can't be read.
    pub async fn origins(self: &Arc<Self>, scope: Scope, grain: Grain, window: Window) -> Outcome<Vec<Origin>> {
        self.read(move |api| match &api.backend {
            Backend::Edge(edge) => edge.origins(&scope),
            Backend::Hub(hub) => {
                let carriers = hub.carriers(&scope, grain, window).map_err(|error| query_problem(&error))?;
                Ok(carriers.into_iter().map(|carrier| Origin::Pages(carrier.into())).collect())
            }
        })
        .await
    }
}
