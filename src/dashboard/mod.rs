//! The built-in pages: rendered by the server, in Vietnamese and English, readable without a script.
//!
//! In: what the API answers from. Out: an overview of the box or the hub, and for each figure the page that says where
//! it comes from. Templates, style and script are in `dashboards/` and part of the binary: nothing is fetched from
//! elsewhere. Nothing here computes a figure; a page shows what the API answers, rounded for reading, and "—" with the
//! reason in words where there is none.
//!
//! What can be added: a file with its page, and its line in [`router`].

mod assets;
mod cell;
mod channels;
mod components;
mod declarations;
mod edge;
mod egress;
mod format;
mod hub;
mod language;
mod source;
#[cfg(test)]
mod tests;
mod thresholds;
mod told;
mod words;

use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::extract::{Query, State};
use axum::response::Html;
use axum::routing::get;
use serde::Deserialize;

use crate::api::{self, Api, ApiProblem, Backend, Outcome};
use crate::wire::problem::Problem;
use language::{Language, Texts};

/// Returns everything that is served: API, documentation and pages behind the guard.
pub fn application(api: &Arc<Api>) -> Router {
    api::guarded(api::router(api).merge(router(api)), api)
}

/// Returns the routes of the pages, without the guard.
pub fn router(api: &Arc<Api>) -> Router {
    Router::new()
        .route("/", get(overview))
        .route("/live", get(live))
        .route("/source", get(source::page))
        .route("/declarations", get(declarations::page))
        .route("/declarations/{id}", get(declarations::bill))
        .route("/egress", get(egress::page))
        .route("/thresholds", get(thresholds::page))
        .with_state(Arc::clone(api))
        .merge(assets::router())
}

/// What an overview is asked for. Unknown values mean the default: a link that was cut short still shows something.
#[derive(Debug, Clone, Default, Deserialize)]
struct View {
    /// Language, `vi` or `en`.
    lang: Option<String>,
    /// On the hub: which window.
    period: Option<String>,
}

impl View {
    fn language(&self) -> Language {
        Language::from_parameter(self.lang.as_deref())
    }
}

/// The frame of every page.
#[derive(Template)]
#[template(path = "base.html")]
struct Page<'a> {
    language: Language,
    other: Language,
    /// Address of the page in the other language.
    other_href: String,
    t: &'static Texts,
    title: &'a str,
    /// Where the script gets the main part anew; empty for a page that stands still.
    live: String,
    /// The main part, already HTML.
    main: &'a str,
    version: &'static str,
    /// Plant time at which the page was made; the main part may be fresher.
    loaded: String,
}

async fn overview(State(api): State<Arc<Api>>, Query(view): Query<View>) -> Outcome<Html<String>> {
    let language = view.language();
    let query = |language: Language| {
        let period = view.period.as_deref().and_then(hub::Period::from_parameter);
        let period = period.map(|period| format!("&period={}", period.code())).unwrap_or_default();
        format!("lang={}{period}", language.code())
    };
    let live = format!("/live?{}", query(language));
    let other_href = format!("/?{}", query(language.other()));
    let main = overview_main(&api, view).await?;
    page(&api, language, other_href, language.texts().overview, live, &main)
}

/// Returns the main part alone: what the script puts in place of the shown one.
async fn live(State(api): State<Arc<Api>>, Query(view): Query<View>) -> Outcome<Html<String>> {
    overview_main(&api, view).await.map(Html)
}

async fn overview_main(api: &Arc<Api>, view: View) -> Outcome<String> {
    api.read(move |api| match &api.backend {
        Backend::Edge(edge) => render(&edge::Overview::of(api, edge, view.language())?),
        Backend::Hub(hub) => {
            let period = view.period.as_deref().and_then(hub::Period::from_parameter).unwrap_or_default();
            render(&hub::Overview::of(api, hub, period, view.language())?)
        }
    })
    .await
}

fn page(
    api: &Api,
    language: Language,
    other_href: String,
    title: &str,
    live: String,
    main: &str,
) -> Outcome<Html<String>> {
    let (t, version) = (language.texts(), env!("CARGO_PKG_VERSION"));
    let loaded = format::instant(api.clock.now(), api.calendar().zone(), language);
    render(&Page { language, other: language.other(), other_href, t, title, live, main, version, loaded }).map(Html)
}

fn render(template: &impl Template) -> Outcome<String> {
    template.render().map_err(|error| {
        tracing::error!("a page can't be rendered: {error}");
        ApiProblem::from(Problem::internal("the page can't be rendered; the log says more"))
    })
}
