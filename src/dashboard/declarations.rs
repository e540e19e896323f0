//! `/declarations`: what was declared on this box and where it stands, and each electricity bill beside the measurement.
//!
//! No names: who entered and who approved stays in the box's store.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Path, Query, State};
use axum::response::Html;
use jiff::tz::TimeZone;

use super::View;
use super::format;
use super::language::{Language, Texts};
use super::told;
use crate::api::{Api, Outcome};
use crate::engine::bill::{Certainty, Comparison, Explanation, Verdict};
use crate::model::declared::DeclaredKind;
use crate::store::{Declaration, Standing};

/// Declarations shown, the newest first; a box of more points to the API.
const SHOWN_MAX: usize = 200;

#[derive(Template)]
#[template(path = "declarations.html")]
struct List {
    t: &'static Texts,
    back: String,
    rows: Vec<Row>,
    has_more: bool,
}

struct Row {
    id: i64,
    kind: &'static str,
    details: String,
    asset: String,
    period: String,
    quantity: String,
    unit: &'static str,
    document: String,
    standing: &'static str,
    class: &'static str,
    /// Address of the comparison, where it is a bill.
    bill: Option<String>,
}

#[derive(Template)]
#[template(path = "bill.html")]
struct BillPage {
    t: &'static Texts,
    back: String,
    verdict: &'static str,
    class: &'static str,
    window: String,
    rows: Vec<Band>,
    share: Option<String>,
    coverage: String,
    explanations: Vec<Explained>,
    unexplained: String,
    json: String,
}

struct Band {
    name: &'static str,
    billed: String,
    measured: String,
    difference: String,
}

struct Explained {
    cause: String,
    certainty: &'static str,
    covers: String,
}

/// Returns the page of all declarations.
pub(super) async fn page(State(api): State<Arc<Api>>, Query(view): Query<View>) -> Outcome<Html<String>> {
    let language = view.language();
    let declarations = api.declarations().await?;
    let zone = api.calendar().zone();
    let rows: Vec<Row> = declarations.iter().rev().take(SHOWN_MAX).map(|one| row(one, zone, language)).collect();
    let has_more = declarations.len() > rows.len();
    let list = List { t: language.texts(), back: format!("/?lang={}", language.code()), rows, has_more };
    let other_href = format!("/declarations?lang={}", language.other().code());
    super::page(&api, language, other_href, language.texts().declarations, String::new(), &super::render(&list)?)
}

/// Returns the page of one bill beside the measurement.
pub(super) async fn bill(
    State(api): State<Arc<Api>>,
    Path(id): Path<i64>,
    Query(view): Query<View>,
) -> Outcome<Html<String>> {
    let language = view.language();
    let comparison = api.comparison(id).await?;
    let main = super::render(&bill_page(id, &comparison, api.calendar().zone(), language))?;
    let other_href = format!("/declarations/{id}?lang={}", language.other().code());
    super::page(&api, language, other_href, language.texts().bill_title, String::new(), &main)
}

fn row(declaration: &Declaration, zone: &TimeZone, language: Language) -> Row {
    let declared = &declaration.declared;
    let is_bill = matches!(declared.kind, DeclaredKind::ElectricityBill(_));
    let details: Vec<String> =
        declared.kind.details().into_iter().map(|(field, value)| format!("{field} = {value}")).collect();
    let standing = declaration.standing();
    Row {
        id: declaration.id,
        kind: told::kind(&declared.kind, language),
        details: if is_bill { String::new() } else { details.join(", ") },
        asset: declared.asset.to_string(),
        period: format::window(declared.period, zone, language),
        quantity: number(i128::from(declared.quantity_micro), language),
        unit: declared.unit.as_str(),
        document: declared.document.clone(),
        standing: told::standing(standing, language),
        class: match standing {
            Standing::Approved => "good",
            Standing::Waiting => "warn",
            Standing::Replaced | Standing::Withdrawn => "quiet",
        },
        bill: is_bill.then(|| format!("/declarations/{}?lang={}", declaration.id, language.code())),
    }
}

fn bill_page(id: i64, comparison: &Comparison, zone: &TimeZone, language: Language) -> BillPage {
    let t = language.texts();
    let band = |name, billed, measured, difference| Band {
        name,
        billed: number(billed, language),
        measured: number(measured, language),
        difference: number(difference, language),
    };
    let mut rows = vec![band(t.bill_total, comparison.billed.total, comparison.measured.total, comparison.difference)];
    if let (Some(billed), Some(measured), Some(differences)) =
        (comparison.billed.bands, comparison.measured.bands, comparison.band_differences)
    {
        for (place, name) in [t.peak_band, t.normal_band, t.off_peak_band].into_iter().enumerate() {
            rows.push(band(name, billed[place], measured[place], differences[place]));
        }
    }
    BillPage {
        t,
        back: format!("/declarations?lang={}", language.code()),
        verdict: told::verdict(comparison.verdict, language),
        class: match comparison.verdict {
            Verdict::Agrees | Verdict::Explained => "good",
            Verdict::Partly => "warn",
            Verdict::Unexplained | Verdict::NotMeasured => "bad",
        },
        window: format::window(comparison.period, zone, language),
        rows,
        share: comparison.share().map(|share| percent(share, language)),
        coverage: percent(comparison.coverage, language),
        explanations: comparison.explanations.iter().map(|one| explained(one, language)).collect(),
        unexplained: number(comparison.unexplained, language),
        json: format!("/api/v1/declarations/{id}/comparison"),
    }
}

fn explained(explanation: &Explanation, language: Language) -> Explained {
    let t = language.texts();
    Explained {
        cause: told::cause(&explanation.cause, language, |micro| number(micro, language)),
        certainty: match explanation.certainty {
            Certainty::Likely => t.likely,
            Certainty::Possible => t.possible,
        },
        covers: number(explanation.covers, language),
    }
}

/// Returns an amount of 10⁻⁶ as people read it in the language, with at most two decimals.
fn number(micro: i128, language: Language) -> String {
    let hundredths = (micro.abs() + 5_000) / 10_000;
    let sign = if micro < 0 && hundredths > 0 { "−" } else { "" };
    let whole = format::integer(hundredths / 100, language);
    match hundredths % 100 {
        0 => format!("{sign}{whole}"),
        rest => {
            let decimals = format!("{rest:02}");
            format!("{sign}{whole}{}{}", language.pick(",", "."), decimals.trim_end_matches('0'))
        }
    }
}

fn percent(share: f64, language: Language) -> String {
    let text = format!("{:.1} %", share * 100.0);
    if language == Language::Vi { text.replace('.', ",") } else { text }
}
