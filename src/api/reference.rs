//! `GET /api/v1/reference`: the dated reference data that figures rest on.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use super::schema::Refusals;
use super::{Api, Backend};
use crate::model::id::Digest;
use crate::reference::{EntryRow, EntryValue, Figure};

/// Every entry of every kind.
#[derive(Debug, Serialize, ToSchema)]
pub struct References {
    /// Kind by kind.
    pub entries: Vec<ReferenceEntry>,
}

/// A reference entry; the factors of a figure name it by `id` and `version`.
#[derive(Debug, Serialize, ToSchema)]
pub struct ReferenceEntry {
    /// What it is about.
    #[schema(example = "grid_factor")]
    pub kind: &'static str,
    /// Its id.
    #[schema(example = "vn_grid_2023")]
    pub id: String,
    /// What it says.
    pub values: Vec<ReferenceValue>,
    /// Where it was read.
    pub source: String,
    /// The first day on which it counts; null where it isn't dated.
    #[schema(required = true, example = "2023-01-01")]
    pub valid_from: Option<String>,
    /// When it was published; null where that couldn't be confirmed.
    #[schema(required = true, example = "2024-12-31")]
    pub published: Option<String>,
    /// How surely it is known: `official`, `secondary` or `unconfirmed`.
    #[schema(example = "official")]
    pub grade: &'static str,
    /// SHA-256 of its file: the immutable version.
    #[schema(value_type = String)]
    pub version: Digest,
}

/// One value of an entry.
#[derive(Debug, Serialize, ToSchema)]
pub struct ReferenceValue {
    /// What it is.
    #[schema(example = "value")]
    pub name: &'static str,
    /// The number; null where it is a text.
    #[schema(required = true)]
    pub number: Option<f64>,
    /// The text; null where it is a number.
    #[schema(required = true)]
    pub text: Option<String>,
    /// Unit of the number; empty for a text.
    #[schema(example = "tCO2e/MWh")]
    pub unit: String,
}

impl From<EntryRow> for ReferenceEntry {
    fn from(entry: EntryRow) -> Self {
        Self {
            kind: entry.kind,
            id: entry.id,
            values: entry.values.into_iter().map(ReferenceValue::from).collect(),
            source: entry.source,
            valid_from: entry.valid_from.map(|date| date.to_string()),
            published: entry.published.map(|date| date.to_string()),
            grade: entry.grade.as_str(),
            version: entry.version,
        }
    }
}

impl From<EntryValue> for ReferenceValue {
    fn from(value: EntryValue) -> Self {
        let (number, text) = match value.value {
            Figure::Number(number) => (Some(number), None),
            Figure::Text(text) => (None, Some(text)),
        };
        Self { name: value.name, number, text, unit: value.unit }
    }
}

/// Returns the reference data in force: factors, limits, tariffs, holidays, each with its source and version.
#[utoipa::path(get, path = "/api/v1/reference", tag = "kpi", responses((status = 200, body = References), Refusals))]
pub(super) async fn reference(State(api): State<Arc<Api>>) -> Json<References> {
    let reference = match &api.backend {
        Backend::Edge(edge) => &edge.plant.reference,
        Backend::Hub(hub) => &hub.knowledge().reference,
    };
    Json(References { entries: reference.entries().into_iter().map(ReferenceEntry::from).collect() })
}
