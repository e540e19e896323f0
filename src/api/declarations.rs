//! `/api/v1/declarations`: what nobody measures and people answer for. On a box only.
//!
//! Names go in and never come out: who entered and who approved stays in the box's store, where `parkgate declare list`
//! shows it to whoever may read that.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, HeaderValue};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use utoipa::openapi::RefOr;
use utoipa::{IntoResponses, ToSchema};

use super::edge::Edge;
use super::extract::Segments;
use super::problem::{ApiProblem, Outcome};
use super::schema::{self, Refusals, problems};
use super::{Api, Backend, bills};
use crate::engine::bill::{Cause, Certainty, Comparison, Explanation};
use crate::engine::declared::form::Form;
use crate::model::declared::decimal;
use crate::model::id::AssetId;
use crate::model::time::Timestamp;
use crate::store::{Declaration, Unsaid};
use crate::wire::problem::Problem;

/// Which declaration.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Path)]
pub(super) struct DeclarationPath {
    /// Its number.
    #[param(minimum = 1)]
    id: i64,
}

/// What is entered.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Entered {
    /// Who enters it. The name stays on the box.
    person: String,
    /// What is declared.
    #[schema(value_type = schema::DeclarationForm)]
    declaration: Form,
}

/// Who approves or withdraws.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Settled {
    /// Who says so. The name stays on the box.
    person: String,
}

/// Every declaration.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Declarations {
    /// By number.
    declarations: Vec<DeclarationBody>,
}

/// One declaration, without the names of who entered and approved it.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct DeclarationBody {
    /// Its number.
    id: i64,
    /// `waiting`, `approved`, `replaced` or `withdrawn`; only an approved one counts.
    standing: &'static str,
    /// Of which asset.
    #[schema(value_type = String)]
    asset: AssetId,
    /// What is declared.
    kind: &'static str,
    /// What this kind has beside the fields of every declaration.
    details: BTreeMap<&'static str, String>,
    /// First instant of its period.
    #[schema(value_type = String, format = DateTime)]
    start: Timestamp,
    /// First instant after it.
    #[schema(value_type = String, format = DateTime)]
    end: Timestamp,
    /// A decimal number.
    quantity: String,
    /// What it is counted in.
    unit: &'static str,
    /// The paper it rests on.
    document: String,
    /// The declaration in whose place it stands once approved.
    #[schema(required = true)]
    replaces: Option<i64>,
    /// The approved declaration in its place.
    #[schema(required = true)]
    replaced_by: Option<i64>,
    /// When it was entered.
    #[schema(value_type = String, format = DateTime)]
    entered_at: Timestamp,
    /// When a second person approved it.
    #[schema(value_type = Option<String>, format = DateTime, required = true)]
    approved_at: Option<Timestamp>,
    /// When it was taken back.
    #[schema(value_type = Option<String>, format = DateTime, required = true)]
    withdrawn_at: Option<Timestamp>,
}

impl From<Declaration> for DeclarationBody {
    fn from(declaration: Declaration) -> Self {
        let standing = declaration.standing().as_str();
        let Declaration { id, declared, entered, approved, withdrawn, replaced_by } = declaration;
        let details = declared.kind.details().into_iter().map(|(field, value)| (field, value.into_owned())).collect();
        Self {
            id,
            standing,
            kind: declared.kind.as_str(),
            details,
            asset: declared.asset,
            start: declared.period.start,
            end: declared.period.end,
            quantity: decimal(declared.quantity_micro),
            unit: declared.unit.as_str(),
            document: declared.document,
            replaces: declared.replaces,
            replaced_by,
            entered_at: entered.at,
            approved_at: approved.map(|word| word.at),
            withdrawn_at: withdrawn.map(|word| word.at),
        }
    }
}

/// A bill beside the measurement of its period.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ComparisonBody {
    /// `agrees`, `explained`, `partly`, `unexplained` or `not_measured`.
    verdict: &'static str,
    /// **Unit**: kWh.
    billed_kwh: String,
    /// **Unit**: kWh.
    measured_kwh: String,
    /// Billed less measured. **Unit**: kWh.
    difference_kwh: String,
    /// The difference as a share of what was billed; null where nothing was.
    #[schema(required = true)]
    difference_share: Option<f64>,
    /// By band, where both are known.
    #[schema(required = true)]
    bands: Option<Vec<BandBody>>,
    /// Share of the period that was really measured, 0 to 1.
    coverage: f64,
    /// What can explain the difference, the surest first.
    explanations: Vec<ExplanationBody>,
    /// What the first explanation leaves of the difference. **Unit**: kWh.
    unexplained_kwh: String,
}

/// One tariff band of a comparison.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct BandBody {
    /// `peak`, `normal` or `off_peak`.
    band: &'static str,
    /// **Unit**: kWh.
    billed_kwh: String,
    /// **Unit**: kWh.
    measured_kwh: String,
    /// Billed less measured. **Unit**: kWh.
    difference_kwh: String,
}

/// One explanation.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ExplanationBody {
    /// `gap`, `ct_ratio`, `unmetered_feeder`, `reading_date` or `tariff_hours`.
    cause: &'static str,
    /// `likely`: bands or other bills bear it out; `possible`: the total fits, and nothing more is known.
    certainty: &'static str,
    /// How much of the difference it covers; of `tariff_hours` what lies in another band. **Unit**: kWh.
    covers_kwh: String,
    /// The figures that speak for it.
    evidence: BTreeMap<&'static str, String>,
}

/// The errors of entering, approving and withdrawing.
pub(super) struct DeclarationRefusals;

impl IntoResponses for DeclarationRefusals {
    fn responses() -> BTreeMap<String, RefOr<utoipa::openapi::response::Response>> {
        let mut responses = Refusals::responses();
        responses.extend(problems(&[
            (
                "403",
                "The same person entered it; or the request names a host that isn't this machine, without a token.",
            ),
            ("409", "The same is declared already; or it was approved, replaced or withdrawn before."),
            ("400", "The body is no declaration; every problem is named."),
        ]));
        responses
    }
}

/// Returns every declaration, by number.
#[utoipa::path(get, path = "/api/v1/declarations", tag = "declarations", responses((status = 200, body = Declarations), Refusals))]
pub(super) async fn declarations(State(api): State<Arc<Api>>) -> Outcome<Json<Declarations>> {
    let declarations = api.declarations().await?.into_iter().map(DeclarationBody::from).collect();
    Ok(Json(Declarations { declarations }))
}

/// Enters a declaration. It counts once a second person has approved it.
#[utoipa::path(
    post,
    path = "/api/v1/declarations",
    tag = "declarations",
    request_body = Entered,
    responses((status = 201, body = DeclarationBody), DeclarationRefusals)
)]
pub(super) async fn enter(
    State(api): State<Arc<Api>>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Outcome<(StatusCode, Json<DeclarationBody>)> {
    let Entered { person, declaration } = read(&headers, &body?)?;
    let entered = api.read(move |api| {
        let (edge, now) = (edge(api)?, api.clock.now());
        let declared = declaration.read(&edge.plant, now).map_err(|problems| unreadable(problems.to_string()))?;
        let mut statements = edge.reader.statements().map_err(|error| super::store_problem(&error))?;
        let id = statements.declare(&declared, &person, now).map_err(refused)?;
        found(edge, id)
    });
    Ok((StatusCode::CREATED, Json(entered.await?.into())))
}

/// Approves a declaration that another person entered: from now on it counts.
#[utoipa::path(
    post,
    path = "/api/v1/declarations/{id}/approve",
    tag = "declarations",
    params(DeclarationPath),
    request_body = Settled,
    responses((status = 200, body = DeclarationBody), DeclarationRefusals)
)]
pub(super) async fn approve(
    State(api): State<Arc<Api>>,
    Segments(path): Segments<DeclarationPath>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Outcome<Json<DeclarationBody>> {
    settle(&api, path.id, &headers, &body?, true).await
}

/// Takes a declaration back, approved or not.
#[utoipa::path(
    post,
    path = "/api/v1/declarations/{id}/withdraw",
    tag = "declarations",
    params(DeclarationPath),
    request_body = Settled,
    responses((status = 200, body = DeclarationBody), DeclarationRefusals)
)]
pub(super) async fn withdraw(
    State(api): State<Arc<Api>>,
    Segments(path): Segments<DeclarationPath>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Outcome<Json<DeclarationBody>> {
    settle(&api, path.id, &headers, &body?, false).await
}

async fn settle(
    api: &Arc<Api>,
    id: i64,
    headers: &HeaderMap,
    body: &Bytes,
    is_approval: bool,
) -> Outcome<Json<DeclarationBody>> {
    let Settled { person } = read(headers, body)?;
    let settled = api.read(move |api| {
        let (edge, now) = (edge(api)?, api.clock.now());
        let mut statements = edge.reader.statements().map_err(|error| super::store_problem(&error))?;
        let said =
            if is_approval { statements.approve(id, &person, now) } else { statements.withdraw(id, &person, now) };
        said.map_err(refused)?;
        found(edge, id)
    });
    Ok(Json(settled.await?.into()))
}

/// Compares a declared electricity bill with the measurement of its period.
#[utoipa::path(
    get,
    path = "/api/v1/declarations/{id}/comparison",
    tag = "declarations",
    params(DeclarationPath),
    responses((status = 200, body = ComparisonBody), Refusals)
)]
pub(super) async fn comparison(
    State(api): State<Arc<Api>>,
    Segments(path): Segments<DeclarationPath>,
) -> Outcome<Json<ComparisonBody>> {
    Ok(Json(ComparisonBody::from(&api.comparison(path.id).await?)))
}

impl Api {
    /// Returns every declaration, by number.
    ///
    /// # Errors
    /// 404 on a hub, 503 where the store can't be read.
    pub async fn declarations(self: &Arc<Self>) -> Outcome<Vec<Declaration>> {
        self.read(|api| edge(api)?.reader.declarations().map_err(|error| super::store_problem(&error))).await
    }

    /// Compares a declared electricity bill with the measurement.
    ///
    /// # Errors
    /// 404 where there is no such bill, 503 where the store can't be read.
    pub async fn comparison(self: &Arc<Self>, id: i64) -> Outcome<Comparison> {
        self.read(move |api| {
            let edge = edge(api)?;
            let compared =
                bills::compare(&edge.plant, &edge.reader, id).map_err(|error| super::store_problem(&error))?;
            compared.ok_or_else(|| Problem::not_found(format!("there is no electricity bill {id}")).into())
        })
        .await
    }
}

impl From<&Comparison> for ComparisonBody {
    fn from(comparison: &Comparison) -> Self {
        let Comparison { billed, measured, band_differences, .. } = comparison;
        let bands = billed.bands.zip(measured.bands).zip(*band_differences).map(|((billed, measured), differences)| {
            let band = |(place, band): (usize, &'static str)| BandBody {
                band,
                billed_kwh: kwh(billed[place]),
                measured_kwh: kwh(measured[place]),
                difference_kwh: kwh(differences[place]),
            };
            ["peak", "normal", "off_peak"].into_iter().enumerate().map(band).collect()
        });
        Self {
            verdict: comparison.verdict.as_str(),
            billed_kwh: kwh(billed.total),
            measured_kwh: kwh(measured.total),
            difference_kwh: kwh(comparison.difference),
            difference_share: comparison.share(),
            bands,
            coverage: comparison.coverage,
            explanations: comparison.explanations.iter().map(ExplanationBody::from).collect(),
            unexplained_kwh: kwh(comparison.unexplained),
        }
    }
}

impl std::fmt::Display for ComparisonBody {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let share = self.difference_share.map(|share| format!(", {:.2} %", share * 100.0)).unwrap_or_default();
        let (billed, measured, difference) = (&self.billed_kwh, &self.measured_kwh, &self.difference_kwh);
        writeln!(
            f,
            "{}: billed {billed} kWh, measured {measured} kWh, difference {difference} kWh{share}",
            self.verdict
        )?;
        writeln!(f, "measured over {:.1} % of the period", self.coverage * 100.0)?;
        for band in self.bands.iter().flatten() {
            let BandBody { band, billed_kwh, measured_kwh, difference_kwh } = band;
            writeln!(f, "  {band}: billed {billed_kwh}, measured {measured_kwh}, difference {difference_kwh}")?;
        }
        for explanation in &self.explanations {
            let evidence: Vec<String> =
                explanation.evidence.iter().map(|(name, value)| format!("{name} {value}")).collect();
            let ExplanationBody { cause, certainty, covers_kwh, .. } = explanation;
            writeln!(f, "  {certainty}: {cause} covers {covers_kwh} kWh ({})", evidence.join(", "))?;
        }
        writeln!(f, "not explained: {} kWh", self.unexplained_kwh)
    }
}

impl From<&Explanation> for ExplanationBody {
    fn from(explanation: &Explanation) -> Self {
        let evidence = match &explanation.cause {
            Cause::Gap { missing_minutes, substituted, excluded } => vec![
                ("missing_minutes", missing_minutes.to_string()),
                ("substituted_kwh", kwh(*substituted)),
                ("excluded_kwh", kwh(*excluded)),
            ],
            Cause::CtRatio { numerator, denominator } => {
                vec![("billed_to_measured", format!("{numerator}/{denominator}"))]
            }
            Cause::UnmeteredFeeder { mean_micro_kw, is_constant } => {
                let same = if *is_constant { "power" } else { "share" };
                vec![("mean_kw", kwh(*mean_micro_kw)), ("constant", same.to_owned())]
            }
            Cause::ReadingDate { days } => vec![("days", days.to_string())],
            Cause::TariffHours { schedule } => vec![("schedule", schedule.clone())],
        };
        Self {
            cause: explanation.cause.as_str(),
            certainty: match explanation.certainty {
                Certainty::Likely => "likely",
                Certainty::Possible => "possible",
            },
            covers_kwh: kwh(explanation.covers),
            evidence: evidence.into_iter().collect(),
        }
    }
}

/// Returns an energy in kWh; what no plant uses is cut off at the largest number.
fn kwh(micro: i128) -> String {
    decimal(i64::try_from(micro).unwrap_or(if micro < 0 { i64::MIN } else { i64::MAX }))
}

fn edge(api: &Api) -> Outcome<&Edge> {
    match &api.backend {
        Backend::Edge(edge) => Ok(edge),
        Backend::Hub(_) => Err(Problem::not_found("declarations are made on a factory's box, not on a hub").into()),
    }
}

fn found(edge: &Edge, id: i64) -> Outcome<Declaration> {
    let declaration = edge.reader.declaration(id).map_err(|error| super::store_problem(&error))?;
    declaration.ok_or_else(|| Problem::not_found(format!("there is no declaration {id}")).into())
}

/// Reads a body. It must say that it is JSON: a form on a page of another server can't.
pub(super) fn read<T: DeserializeOwned>(headers: &HeaderMap, body: &Bytes) -> Outcome<T> {
    let media_type = headers.get(CONTENT_TYPE).map(HeaderValue::to_str).and_then(Result::ok).unwrap_or_default();
    let is_json = media_type.split(';').next().is_some_and(|name| name.trim().eq_ignore_ascii_case("application/json"));
    if !is_json {
        return Err(unreadable(format!("the body is \"{media_type}\", and must be application/json")));
    }
    serde_json::from_slice(body).map_err(|error| unreadable(error.to_string()))
}

fn unreadable(detail: String) -> ApiProblem {
    Problem::bad_request(detail).into()
}

fn refused(refusal: Unsaid) -> ApiProblem {
    let detail = refusal.to_string();
    match refusal {
        Unsaid::Unknown(_) => Problem::not_found(detail).into(),
        Unsaid::SamePerson(_) => Problem::forbidden(detail).into(),
        Unsaid::Same(_) | Unsaid::Settled { .. } | Unsaid::Full(_) => Problem::already_said(detail).into(),
        Unsaid::Nobody => unreadable(detail),
        Unsaid::Store(error) => super::store_problem(&error),
    }
}
