//! `GET /api/v1/scopes`: what figures can be asked for.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use super::problem::Outcome;
use super::schema::Refusals;
use super::{Api, Backend};
use crate::hub::Hub;
use crate::model::id::{ParkId, ProvinceId};
use crate::wire::figure::Scope;

/// What figures can be asked for.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Scopes {
    /// Each after its parent.
    scopes: Vec<ScopeBody>,
}

/// One scope.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ScopeBody {
    /// As `/api/v1/values` takes it.
    #[schema(value_type = String, example = "asset:tt-main/press-1")]
    pub scope: Scope,
    /// What it is.
    pub kind: ScopeKind,
    /// What people call it; null where it has no name but its id.
    #[schema(required = true)]
    pub name: Option<String>,
    /// The scope it is part of; null for the widest.
    #[schema(value_type = Option<String>, required = true)]
    pub parent: Option<Scope>,
    /// What quantities are counted in; null where it isn't known or several meet.
    #[schema(required = true, example = "piece")]
    pub product_unit: Option<&'static str>,
}

/// What a scope is. The levels below a site are those of ISA-95.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ScopeKind {
    /// All parks of a province.
    Province,
    /// All factories of a park.
    Park,
    /// One factory.
    Site,
    /// An area of it.
    Area,
    /// A production line.
    Line,
    /// A machine.
    Unit,
    /// An asset of which the hub knows no level.
    Asset,
}

/// Returns the scopes that figures can be asked for: on a box its site and assets, on the hub provinces, parks, sites
/// and the assets that sites report.
#[utoipa::path(get, path = "/api/v1/scopes", tag = "directory", responses((status = 200, body = Scopes), Refusals))]
pub(super) async fn scopes(State(api): State<Arc<Api>>) -> Outcome<Json<Scopes>> {
    Ok(Json(Scopes { scopes: api.scopes().await? }))
}

impl Api {
    /// Returns every scope that can be asked for, each after its parent.
    ///
    /// # Errors
    /// 503 where the store can't be read.
    pub async fn scopes(self: &Arc<Self>) -> Outcome<Vec<ScopeBody>> {
        self.read(|api| match &api.backend {
            Backend::Edge(edge) => Ok(edge.scopes()),
            Backend::Hub(hub) => of_hub(hub),
        })
        .await
    }
}

fn of_hub(hub: &Hub) -> Outcome<Vec<ScopeBody>> {
    let sites = hub.sites().map_err(|error| super::store_problem(&error))?;
    let parks = hub.parks();
    let mut scopes = Vec::new();
    let mut provinces: Vec<&ProvinceId> = parks.iter().map(|park| &park.province).collect();
    provinces.sort();
    provinces.dedup();
    for province in provinces {
        scopes.push(body(Scope::Province(province.clone()), ScopeKind::Province, None, None));
        for park in parks.iter().filter(|park| park.province == *province) {
            let parent = Some(Scope::Province(province.clone()));
            scopes.push(body(Scope::Park(park.park.clone()), ScopeKind::Park, Some(park.name.clone()), parent));
            sites_of(&park.park, &sites, &mut scopes);
        }
    }
    Ok(scopes)
}

fn sites_of(park: &ParkId, sites: &[crate::hub::status::SiteState], scopes: &mut Vec<ScopeBody>) {
    for site in sites.iter().filter(|site| site.park == *park) {
        let scope = Scope::Site(site.site.clone());
        let parent = Some(Scope::Park(park.clone()));
        scopes.push(body(scope.clone(), ScopeKind::Site, Some(site.name.clone()), parent));
        for asset in &site.assets {
            let asset = Scope::Asset(site.site.clone(), asset.clone());
            scopes.push(body(asset, ScopeKind::Asset, None, Some(scope.clone())));
        }
    }
}

fn body(scope: Scope, kind: ScopeKind, name: Option<String>, parent: Option<Scope>) -> ScopeBody {
    ScopeBody { scope, kind, name, parent, product_unit: None }
}
