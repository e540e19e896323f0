//! `/source`: where one figure comes from, in words.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Query, State};
use axum::response::Html;
use serde::Deserialize;

use super::cell::{Cell, Tile};
use super::format;
use super::language::{Language, Texts};
use super::words;
use crate::api::{Api, ApiProblem, Backend, Origin, Outcome};
use crate::engine::kpi;
use crate::model::record::{FactorRef, KpiId, Shares};
use crate::model::time::{Grain, Timestamp};
use crate::wire::figure::{self, Figure, Scope};
use crate::wire::problem::Problem;

/// Which figure.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Asked {
    scope: String,
    kpi: String,
    grain: String,
    /// An instant in its window.
    at: String,
    lang: Option<String>,
}

#[derive(Template)]
#[template(path = "source.html")]
struct Source {
    t: &'static Texts,
    kpi: &'static str,
    back: String,
    cell: Cell,
    definition: &'static str,
    shares: Option<String>,
    about: String,
    window: String,
    formula: &'static str,
    method: u16,
    standard: &'static str,
    revision: String,
    reporting: u32,
    expected: u32,
    reported: Option<String>,
    notes: Vec<&'static str>,
    facts: Vec<Tile>,
    factors: Vec<FactorRef>,
    origins_title: &'static str,
    origins: Vec<String>,
    json: String,
}

/// Returns the page of one figure.
pub(super) async fn page(State(api): State<Arc<Api>>, Query(asked): Query<Asked>) -> Outcome<Html<String>> {
    let language = Language::from_parameter(asked.lang.as_deref());
    let query = query(&asked)?;
    let figure = api.figures(query.clone(), api.clock.now()).await?.into_iter().next();
    let figure = figure.ok_or_else(|| {
        let detail = format!("{} has no {} window at {}", query.scope, query.grain, query.from);
        ApiProblem::from(Problem::not_found(detail))
    })?;
    let origins = api.origins(query.scope.clone(), query.grain, figure.window).await?;
    let source = source(&api, &query, &figure, origins, language)?;
    let other_href = Cell::of(&figure, &query.scope, query.grain, language.other()).href;
    super::page(&api, language, other_href, language.texts().source_title, String::new(), &super::render(&source)?)
}

fn query(asked: &Asked) -> Outcome<figure::Query> {
    let refused = |name: &str, error: String| ApiProblem::from(Problem::bad_request(format!("{name}: {error}")));
    let scope: Scope =
        asked.scope.parse().map_err(|error: figure::InvalidScope| refused("scope", error.to_string()))?;
    let grain: Grain = asked.grain.parse().map_err(|error| refused("grain", error))?;
    let at: Timestamp = asked.at.parse().map_err(|error| refused("at", format!("{error}")))?;
    let definition =
        kpi::find(&asked.kpi).ok_or_else(|| refused("kpi", format!("\"{}\" is not in the catalogue", asked.kpi)))?;
    Ok(figure::Query { scope, kpis: vec![definition.id.clone()], grain, from: at, to: at + 1 })
}

fn source(
    api: &Api,
    query: &figure::Query,
    figure: &Figure,
    origins: Vec<Origin>,
    language: Language,
) -> Outcome<Source> {
    let id: &KpiId = &figure.value.kpi;
    let definition = kpi::find(id.as_str())
        .ok_or_else(|| ApiProblem::from(Problem::not_found(format!("{id} is not in the catalogue"))))?;
    let t = language.texts();
    let fact = |(measure, amount): (crate::model::fact::Measure, i128)| Tile::new(measure.as_str(), amount, language);
    let reported = figure.reported.as_ref().and_then(|reported| reported.value).map(|value| {
        let (value, unit) = format::value(id.as_str(), definition.unit, value, figure.product_unit, language);
        format!("{value} {unit}")
    });
    Ok(Source {
        t,
        kpi: language.kpi(definition),
        back: format!("/?lang={}", language.code()),
        cell: Cell::of(figure, &query.scope, query.grain, language),
        definition: language.definition(definition),
        shares: figure.value.shares.map(|shares| in_words(shares, language)),
        about: query.scope.to_string(),
        window: format::window(figure.window, api.calendar().zone(), language),
        formula: definition.formula,
        method: figure.value.method,
        standard: definition.standard,
        revision: figure.revision.map_or_else(|| t.no_revision.to_owned(), |revision| revision.to_string()),
        reporting: figure.sites_reporting,
        expected: figure.sites_expected,
        reported,
        notes: figure.value.flags.iter().map(|flag| words::flag(*flag, language)).collect(),
        facts: figure.facts.iter().map(fact).collect(),
        factors: figure.value.factors.clone(),
        origins_title: match api.backend {
            Backend::Edge(_) => t.measured_by,
            Backend::Hub(_) => t.delivered_by,
        },
        origins: origins.iter().map(|origin| words_of(origin, language)).collect(),
        json: format!(
            "/api/v1/values?scope={}&kpi={id}&grain={}&from={}&to={}&origins=true",
            query.scope, query.grain, figure.window.start, figure.window.end
        ),
    })
}

/// Returns what the amounts in a figure are; a share of nothing goes without saying.
fn in_words(shares: Shares, language: Language) -> String {
    let t = language.texts();
    let named = [
        (t.measured_share, shares.measured),
        (t.substituted_share, shares.substituted),
        (t.declared_share, shares.declared),
        (t.excluded_share, shares.excluded),
    ];
    let some = named.into_iter().filter(|(_, share)| *share > 0.0);
    some.map(|(name, share)| format!("{name} {}", format::share(share))).collect::<Vec<_>>().join(", ")
}

/// Returns what a figure rests on as one line.
fn words_of(origin: &Origin, language: Language) -> String {
    let t = language.texts();
    match origin {
        Origin::Tag(of) => of.tag.to_string(),
        Origin::Pages(of) => format!(
            "{} · {} {} · {} {}–{} · {} {}",
            of.gateway,
            of.stream,
            of.epoch,
            t.page_numbers,
            of.first_page.0,
            of.last_page.0,
            format::integer(of.records.0, language),
            t.carried
        ),
    }
}
