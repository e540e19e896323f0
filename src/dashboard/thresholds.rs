//! `/thresholds`: how far the year has come towards the thresholds of the greenhouse-gas inventory.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Query, State};
use axum::response::Html;
use serde::Deserialize;

use super::format;
use super::language::{Language, Texts};
use super::words;
use crate::api::thresholds::{Thresholds, Watch, WatchStatus, of_figures, query, running_year, window_of};
use crate::api::{Api, ApiProblem, Backend, Outcome};
use crate::engine::kpi;
use crate::wire::figure::{InvalidScope, Scope};
use crate::wire::problem::Problem;

/// Which watch.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Asked {
    /// On a box the site where it is left out.
    scope: Option<String>,
    /// The running year where it is left out.
    year: Option<i16>,
    lang: Option<String>,
}

#[derive(Template)]
#[template(path = "thresholds.html")]
struct Page {
    t: &'static Texts,
    about: String,
    year: i16,
    rows: Vec<Row>,
    depends_on_basis: bool,
    notes: Vec<String>,
    back: String,
    json: String,
}

/// One threshold and basis.
struct Row {
    name: &'static str,
    threshold: String,
    to_date: String,
    projection: String,
    measured: String,
    status: &'static str,
    class: &'static str,
}

/// Returns the page of one scope.
pub(super) async fn page(State(api): State<Arc<Api>>, Query(asked): Query<Asked>) -> Outcome<Html<String>> {
    let language = Language::from_parameter(asked.lang.as_deref());
    let refused = |message: String| ApiProblem::from(Problem::bad_request(message));
    let scope: Scope = match (&asked.scope, &api.backend) {
        (Some(text), _) => text.parse().map_err(|error: InvalidScope| refused(format!("scope: {error}")))?,
        (None, Backend::Edge(edge)) => Scope::Site(edge.plant.site.clone()),
        (None, Backend::Hub(_)) => return Err(refused("scope: say which site, like scope=site:tt-main".to_owned())),
    };
    let now = api.clock.now();
    let year = asked.year.unwrap_or_else(|| running_year(api.calendar(), now));
    let window = window_of(api.calendar(), year).filter(|window| window.start <= now);
    let window = window.ok_or_else(|| refused(format!("year: {year} has not begun")))?;
    let figures = api.figures(query(scope.clone(), window, now), now).await?;
    let watched = of_figures(scope.clone(), year, window, now, &figures, api.reference());
    let href = |language: Language| format!("/thresholds?scope={scope}&year={year}&lang={}", language.code());
    let title = language.texts().thresholds;
    let main = super::render(&Page::new(&watched, &api, language))?;
    super::page(&api, language, href(language.other()), title, String::new(), &main)
}

impl Page {
    fn new(watched: &Thresholds, api: &Api, language: Language) -> Self {
        let mut notes: Vec<String> = Vec::new();
        for watch in &watched.watches {
            notes.extend(watch.flags.iter().map(|flag| words::flag(*flag, language).to_owned()));
            notes.extend(watch.missing.iter().map(|month| {
                let window = format::window(month.window, api.calendar().zone(), language);
                format!("{window}: {}", words::reason(month.reason, language))
            }));
        }
        let mut seen = std::collections::BTreeSet::new();
        notes.retain(|note| seen.insert(note.clone()));
        Self {
            t: language.texts(),
            about: watched.scope.to_string(),
            year: watched.year,
            rows: watched.watches.iter().map(|watch| Row::new(watch, language)).collect(),
            depends_on_basis: watched.depends_on_basis,
            back: format!("/?lang={}", language.code()),
            notes,
            json: format!("/api/v1/thresholds?scope={}&year={}", watched.scope, watched.year),
        }
    }
}

impl Row {
    fn new(watch: &Watch, language: Language) -> Self {
        let t = language.texts();
        let unit = watch.threshold.unit.replace("CO2", "CO₂");
        let amount = |value: f64| format!("{} {unit}", format::significant(value, language));
        let why = || watch.reason.map_or("—", |reason| words::reason(reason, language)).to_owned();
        let (status, class) = match watch.status {
            WatchStatus::Reached => (t.threshold_reached, "warn"),
            WatchStatus::Projected => (t.threshold_projected, "warn"),
            WatchStatus::Below => (t.threshold_below, "good"),
            WatchStatus::Unknown => (t.threshold_unknown, "quiet"),
        };
        Self {
            name: kpi::find(watch.kpi.as_str()).map_or("", |definition| language.kpi(definition)),
            threshold: amount(watch.threshold.value),
            to_date: watch.to_date.map_or_else(why, amount),
            projection: watch.projection.map_or_else(|| "—".to_owned(), amount),
            measured: format!("{} %", format::decimal(watch.measured_share * 100.0, 1, language)),
            status,
            class,
        }
    }
}
