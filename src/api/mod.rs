//! The KPI API, shared by box and hub: one file a resource.
//!
//! In: HTTP requests. Out: figures with where they come from, the catalogue, scopes, gateways, health, the API's own
//! description; on the hub also receipts for pages. Every error is an RFC 9457 problem. Nothing here computes a KPI of
//! its own or changes anything but through [`Hub::accept`] and
//! what a box is told; a value that isn't there is null with a reason.
//!
//! What can be added: a file with its handler, and its line in [`router`].

mod bills;
mod channels;
pub mod config;
mod context;
mod declarations;
pub mod edge;
pub(crate) mod egress;
mod extract;
mod gateways;
mod guard;
pub(crate) mod health;
pub mod kpis;
mod metrics;
mod openapi;
mod origins;
mod pages;
mod problem;
pub mod reference;
mod schema;
mod scopes;
pub mod serve;
mod status;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
pub mod thresholds;
mod values;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::error_handling::HandleErrorLayer;
use axum::extract::DefaultBodyLimit;
use axum::http::StatusCode;
use axum::middleware::{from_fn_with_state, map_response};
use axum::routing::get;
use secrecy::SecretString;
use tokio::sync::Semaphore;
use tower::ServiceBuilder;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::limit::RequestBodyLimitLayer;
use tower_http::set_header::SetResponseHeaderLayer;
use tower_http::timeout::TimeoutLayer;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(crate) use bills::compare as compare_bill;
pub(crate) use declarations::ComparisonBody;
pub use gateways::{GatewayBody, StreamBody};
pub use health::{ComponentBody, HealthReport};
pub use kpis::{Kpi, Kpis};
pub use origins::Origin;
pub use problem::{ApiProblem, Outcome};
pub use scopes::{ScopeBody, ScopeKind};
pub use status::{KindBody, StatusBody};
pub use values::{FigureBody, SPAN_MS_MAX, Status, Values, WINDOWS_MAX};

use crate::engine::calendar::Calendar;
use crate::hub::Hub;
use crate::hub::figures::QueryError;
use crate::model::time::Timestamp;
use crate::runtime::clock::Clock;
use crate::runtime::health::Health;
use crate::wire::figure::{Figure, Query};
use crate::wire::problem::Problem;
use edge::Edge;

/// Largest body that is taken. A page is cut well below it. **Unit**: bytes.
pub const BODY_BYTES_MAX: usize = 4 << 20;
/// Requests under way at a time; more are answered 503 at once, so that a box keeps its memory.
const REQUESTS_MAX: usize = 64;
/// Reads of the store at a time; more wait. A read outlives a request that ran out of time, so this bounds the work.
const READS_MAX: usize = 8;
/// How long a request may take.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(20);

/// What the API answers from.
#[derive(Debug)]
pub enum Backend {
    /// A box's own store.
    Edge(Edge),
    /// The authority's hub.
    Hub(Hub),
}

/// Everything a request needs.
#[derive(Debug)]
pub struct Api {
    /// What is answered from.
    pub backend: Backend,
    /// The health board.
    pub health: Health,
    /// Plant time.
    pub clock: Clock,
    /// What a reader must send; `None` where only this machine is served.
    pub token: Option<SecretString>,
    reads: Arc<Semaphore>,
}

impl Api {
    /// Makes what requests are answered from.
    pub fn new(backend: Backend, health: Health, clock: Clock, token: Option<SecretString>) -> Arc<Self> {
        Arc::new(Self { backend, health, clock, token, reads: Arc::new(Semaphore::new(READS_MAX)) })
    }

    /// Returns the calendar in which windows are cut.
    pub fn calendar(&self) -> &Calendar {
        match &self.backend {
            Backend::Edge(edge) => edge.plant.site_calendar(),
            Backend::Hub(hub) => &hub.knowledge().calendar,
        }
    }

    /// Returns the figures of a query: by window, then KPI in the order asked for. `now` is plant time.
    ///
    /// # Errors
    /// 404 for a scope that isn't known here, 503 where the store can't be read.
    pub async fn figures(self: &Arc<Self>, query: Query, now: Timestamp) -> Outcome<Vec<Figure>> {
        self.read(move |api| match &api.backend {
            Backend::Edge(edge) => edge.figures(&query, now),
            Backend::Hub(hub) => hub.figures(&query).map_err(|error| query_problem(&error)),
        })
        .await
    }

    /// Runs a blocking read of the store off the asynchronous threads.
    ///
    /// # Errors
    /// Those of `read`; 500 where it panicked.
    pub async fn read<T: Send + 'static>(
        self: &Arc<Self>,
        read: impl FnOnce(&Self) -> Outcome<T> + Send + 'static,
    ) -> Outcome<T> {
        let permit = Arc::clone(&self.reads).acquire_owned().await;
        let api = Arc::clone(self);
        let task = tokio::task::spawn_blocking(move || {
            let outcome = read(&api);
            drop(permit);
            outcome
        });
        match task.await {
            Ok(outcome) => outcome,
            Err(error) => {
                tracing::error!("a read of the store failed: {error}");
                Err(Problem::internal("the read failed; the log says more").into())
            }
        }
    }
}

/// Returns the answer to a query that the hub can't answer.
pub(crate) fn query_problem(error: &QueryError) -> ApiProblem {
    match error {
        QueryError::UnknownScope(_) => Problem::not_found(error.to_string()).into(),
        QueryError::UnknownKpi(_) | QueryError::TooMany { .. } => Problem::bad_request(error.to_string()).into(),
        QueryError::Store(error) => store_problem(error),
    }
}

/// Returns the answer while a store can't be read. What is wrong with it is in the log, not told outside.
pub(crate) fn store_problem(error: &dyn std::error::Error) -> ApiProblem {
    tracing::error!("the store can't be read: {error}");
    Problem::busy("the store can't be read at the moment").into()
}

/// Returns the routes under `/api/v1`, `/metrics` and `/docs`, without the guard.
pub fn router(api: &Arc<Api>) -> Router {
    let mut routes = OpenApiRouter::with_openapi(openapi::document())
        .routes(routes!(kpis::kpis))
        .routes(routes!(reference::reference))
        .routes(routes!(values::values))
        .routes(routes!(thresholds::thresholds))
        .routes(routes!(scopes::scopes))
        .routes(routes!(gateways::gateways))
        .routes(routes!(health::health));
    routes = match api.backend {
        Backend::Hub(_) => routes.routes(routes!(pages::put_page)).routes(routes!(status::put_status)),
        Backend::Edge(_) => routes
            .routes(routes!(context::list, context::tell))
            .routes(routes!(declarations::declarations, declarations::enter))
            .routes(routes!(declarations::approve))
            .routes(routes!(declarations::withdraw))
            .routes(routes!(declarations::comparison))
            .routes(routes!(channels::slots))
            .routes(routes!(egress::egress))
            .routes(routes!(egress::confirm)),
    };
    let (router, document) = routes.split_for_parts();
    // Not in the document: its format is Prometheus' own.
    let router = router.route("/metrics", get(metrics::metrics));
    router.with_state(Arc::clone(api)).merge(openapi::pages(document))
}

/// Puts the guard around routes: who may read, limits, security headers, and a problem for every error.
pub fn guarded(routes: Router, api: &Arc<Api>) -> Router {
    let limits = ServiceBuilder::new()
        .layer(HandleErrorLayer::new(problem::overloaded))
        .load_shed()
        .concurrency_limit(REQUESTS_MAX)
        .layer(TimeoutLayer::with_status_code(StatusCode::SERVICE_UNAVAILABLE, REQUEST_TIMEOUT));
    // From the inside out: a refused request costs no permit, and whatever a layer answers becomes a problem.
    let mut guarded = routes
        .layer(DefaultBodyLimit::disable())
        .layer(RequestBodyLimitLayer::new(BODY_BYTES_MAX))
        .layer(limits)
        .layer(from_fn_with_state(Arc::clone(api), guard::admit))
        .layer(CatchPanicLayer::custom(problem::panicked))
        .layer(map_response(problem::as_problem));
    for (name, value) in guard::HEADERS {
        guarded = guarded.layer(SetResponseHeaderLayer::overriding(name, value));
    }
    guarded
}
