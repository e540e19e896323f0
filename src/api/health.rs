//! `GET /api/v1/health`: what each component is doing, what it counted, and every guarantee that is lost.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use super::schema::{self, Refusals};
use super::{Api, Backend};
use crate::model::fact::JSON_INTEGER_MAX;
use crate::model::time::Timestamp;
use crate::runtime::health::{Component, Status};

/// The health board.
#[derive(Debug, Serialize, ToSchema)]
pub struct HealthReport {
    /// The worst state of any component: `ok`, `degraded` or `failed`.
    #[schema(value_type = String, example = "ok")]
    pub status: Status,
    /// `edge` or `hub`.
    #[schema(example = "edge")]
    pub role: &'static str,
    /// Version of the program.
    pub version: &'static str,
    /// Plant time of the report.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// Every component by name.
    pub components: BTreeMap<String, ComponentBody>,
}

/// One component.
#[derive(Debug, Serialize, ToSchema)]
pub struct ComponentBody {
    /// How it is: `ok`, `degraded` (recovers by itself, no data is lost) or `failed` (a guarantee is lost or a person
    /// is needed).
    #[schema(value_type = String, example = "ok")]
    pub status: Status,
    /// What is the matter; empty while all is well.
    pub detail: String,
    /// Since when it has been so.
    #[schema(value_type = String, format = DateTime)]
    pub since: Timestamp,
    /// What it counted since the start, by name.
    #[schema(value_type = BTreeMap<String, schema::Integer>)]
    pub counts: BTreeMap<&'static str, JsonInteger>,
    /// What an operator may want to see beside, like the newest messages that could not be read.
    pub notes: Vec<String>,
}

/// An integer, written as a decimal string beyond 2⁵³−1.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(into = "JsonForm")]
pub struct JsonInteger(pub u64);

impl fmt::Display for JsonInteger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

#[derive(Serialize)]
#[serde(untagged)]
enum JsonForm {
    Number(u64),
    Text(String),
}

impl From<JsonInteger> for JsonForm {
    fn from(JsonInteger(value): JsonInteger) -> Self {
        if i128::from(value) <= JSON_INTEGER_MAX { Self::Number(value) } else { Self::Text(value.to_string()) }
    }
}

impl From<Component> for ComponentBody {
    fn from(component: Component) -> Self {
        Self {
            status: component.status,
            detail: component.detail,
            since: component.since,
            counts: component.counts.into_iter().map(|(name, count)| (name, JsonInteger(count))).collect(),
            notes: component.notes,
        }
    }
}

/// Returns the health board. The status is 503 while a component has failed, so that a probe notices.
#[utoipa::path(
    get,
    path = "/api/v1/health",
    tag = "operation",
    responses(
        Refusals,
        (status = 200, body = HealthReport),
        (status = 503, body = HealthReport, description = "A guarantee is lost or a person is needed.")
    )
)]
pub(super) async fn health(State(api): State<Arc<Api>>) -> (StatusCode, Json<HealthReport>) {
    let status = api.health.worst();
    let report = HealthReport {
        status,
        role: match api.backend {
            Backend::Edge(_) => "edge",
            Backend::Hub(_) => "hub",
        },
        version: env!("CARGO_PKG_VERSION"),
        at: api.clock.now(),
        components: api.health.snapshot().into_iter().map(|(name, component)| (name, component.into())).collect(),
    };
    let code = if status == Status::Failed { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK };
    (code, Json(report))
}

#[cfg(test)]
mod tests {
    use super::JsonInteger;

    #[test]
    fn a_count_beyond_2_to_the_53_is_a_string() {
        let json = |value| serde_json::to_string(&JsonInteger(value)).unwrap();
        assert_eq!(json(9_007_199_254_740_991), "9007199254740991");
        assert_eq!(json(9_007_199_254_740_992), "\"9007199254740992\"");
    }
}
