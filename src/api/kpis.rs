//! `GET /api/v1/kpis`: the catalogue.

use axum::Json;
use serde::Serialize;
use utoipa::ToSchema;

use super::schema::Refusals;
use crate::engine::kpi::{CATALOGUE, KpiDefinition};
use crate::model::record::KpiId;

/// Every KPI that can be asked for.
#[derive(Debug, Serialize, ToSchema)]
pub struct Kpis {
    /// In the order in which records and pages list them.
    pub kpis: Vec<Kpi>,
}

/// What a KPI is.
#[derive(Debug, Serialize, ToSchema)]
pub struct Kpi {
    /// Its name in configuration, JSON and URLs.
    #[schema(value_type = String, example = "oee")]
    pub id: KpiId,
    /// English name.
    pub name_en: &'static str,
    /// Vietnamese name.
    pub name_vi: &'static str,
    /// What lists put it under.
    #[schema(example = "production")]
    pub family: &'static str,
    /// What it says, in English.
    pub definition_en: &'static str,
    /// What it says, in Vietnamese.
    pub definition_vi: &'static str,
    /// The formula, in the element names of its standard.
    pub formula: &'static str,
    /// Unit of the value (UCUM); `1` is a ratio.
    #[schema(example = "kW.h")]
    pub unit: &'static str,
    /// Standard and clause, or rule.
    pub standard: &'static str,
    /// Finer windows have no value.
    #[schema(example = "15min")]
    pub finest_grain: &'static str,
    /// Version of the formula; part of every figure.
    pub method: u16,
    /// When there is no value, in English.
    pub no_value_en: &'static str,
    /// When there is no value, in Vietnamese.
    pub no_value_vi: &'static str,
    /// The facts it rests on: what sharing it reveals.
    pub measures: Vec<&'static str>,
}

impl From<&KpiDefinition> for Kpi {
    fn from(definition: &KpiDefinition) -> Self {
        Self {
            id: definition.id.clone(),
            name_en: definition.name_en,
            name_vi: definition.name_vi,
            family: definition.family.as_str(),
            definition_en: definition.definition_en,
            definition_vi: definition.definition_vi,
            formula: definition.formula,
            unit: definition.unit,
            standard: definition.standard,
            finest_grain: definition.finest_grain.as_str(),
            method: definition.method,
            no_value_en: definition.no_value_en,
            no_value_vi: definition.no_value_vi,
            measures: definition.reveals().iter().map(|measure| measure.as_str()).collect(),
        }
    }
}

/// Returns the KPI catalogue: names, formula, unit, standard, finest grain and the facts each KPI rests on.
#[utoipa::path(get, path = "/api/v1/kpis", tag = "kpi", responses((status = 200, body = Kpis), Refusals))]
pub(super) async fn kpis() -> Json<Kpis> {
    Json(Kpis { kpis: CATALOGUE.iter().map(|definition| Kpi::from(*definition)).collect() })
}
