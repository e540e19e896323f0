//! `parkgate kpi`: the KPI catalogue as a list, one entry, or the page `docs/kpis.md`.
//!
//! It prints what the API publishes under `/api/v1/kpis`: the same entries in the same order.

use std::fmt::Write as _;
use std::io::Write;
use std::process::ExitCode;

use anyhow::Context;

use super::reach::{misused, print_json};
use crate::api::kpis::Kpi;
use crate::engine::kpi::{CATALOGUE, Family, KpiDefinition, find};

/// Arguments of `parkgate kpi`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// List every KPI, family by family
    List(Shown),
    /// Show what a KPI is: definition, formula, unit, standard, when it has no value, which facts it rests on
    Show {
        /// Its id, like `oee`
        id: String,
        #[command(flatten)]
        shown: Shown,
    },
    /// Print the catalogue as the page docs/kpis.md
    Docs,
}

#[derive(Debug, clap::Args)]
struct Shown {
    /// One JSON object a line, in both languages
    #[arg(long)]
    json: bool,
    /// Language of names and definitions
    #[arg(long, value_enum, default_value_t = Lang::En)]
    lang: Lang,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Lang {
    /// Vietnamese
    Vi,
    /// English
    En,
}

impl Lang {
    const fn pick(self, vi: &'static str, en: &'static str) -> &'static str {
        match self {
            Self::Vi => vi,
            Self::En => en,
        }
    }
}

/// Runs the role. Exit code 2 for an id that isn't in the catalogue.
///
/// # Errors
/// Standard output can't be written.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    match &args.action {
        Action::List(shown) if shown.json => CATALOGUE.iter().try_for_each(|definition| json(definition))?,
        Action::List(shown) => print(&list(shown.lang))?,
        Action::Show { id, shown } => {
            let Some(definition) = find(id) else {
                let ids: Vec<&str> = CATALOGUE.iter().map(|definition| definition.id.as_str()).collect();
                return misused(&format!("\"{id}\" is not in the catalogue: {}", ids.join(", ")));
            };
            if shown.json { json(definition)? } else { print(&entry(definition, shown.lang))? }
        }
        Action::Docs => print(&page())?,
    }
    Ok(ExitCode::SUCCESS)
}

fn json(definition: &KpiDefinition) -> anyhow::Result<()> {
    print_json(&serde_json::to_value(Kpi::from(definition))?)
}

fn print(text: &str) -> anyhow::Result<()> {
    write!(std::io::stdout(), "{text}").context("standard output")
}

/// Returns the families that have a KPI, each with its KPIs, in the order of the catalogue.
fn families() -> Vec<(Family, Vec<&'static KpiDefinition>)> {
    let mut families: Vec<(Family, Vec<&'static KpiDefinition>)> = Vec::new();
    for definition in CATALOGUE {
        match families.iter_mut().find(|(family, _)| *family == definition.family) {
            Some((_, members)) => members.push(definition),
            None => families.push((definition.family, vec![definition])),
        }
    }
    families
}

// Writing to a string can't fail, here and below.

fn list(lang: Lang) -> String {
    let width = CATALOGUE.iter().map(|definition| definition.id.as_str().len()).max().unwrap_or(0);
    let units = CATALOGUE.iter().map(|definition| definition.unit.len()).max().unwrap_or(0);
    let mut text = String::new();
    for (family, members) in families() {
        let _ = writeln!(text, "{}", lang.pick(family.name_vi(), family.name_en()));
        for kpi in members {
            let name = lang.pick(kpi.name_vi, kpi.name_en);
            let _ = writeln!(text, "  {:width$}  {:units$}  {name}", kpi.id.as_str(), kpi.unit);
        }
    }
    text
}

fn entry(kpi: &KpiDefinition, lang: Lang) -> String {
    let mut text = String::new();
    let family = lang.pick(kpi.family.name_vi(), kpi.family.name_en());
    let _ = writeln!(text, "{} ({family})", kpi.id);
    for (what, value) in [
        (lang.pick("tên", "name"), lang.pick(kpi.name_vi, kpi.name_en)),
        (lang.pick("định nghĩa", "definition"), lang.pick(kpi.definition_vi, kpi.definition_en)),
        (lang.pick("công thức", "formula"), kpi.formula),
        (lang.pick("đơn vị", "unit"), kpi.unit),
        (lang.pick("tiêu chuẩn", "standard"), kpi.standard),
        (lang.pick("kỳ ngắn nhất", "finest grain"), kpi.finest_grain.as_str()),
        (lang.pick("không có giá trị khi", "no value when"), lang.pick(kpi.no_value_vi, kpi.no_value_en)),
    ] {
        let _ = writeln!(text, "  {what}: {value}");
    }
    let _ = writeln!(text, "  {}: {}", lang.pick("phiên bản công thức", "method"), kpi.method);
    let measures: Vec<&str> = kpi.reveals().iter().map(|measure| measure.as_str()).collect();
    let _ = writeln!(text, "  {}: {}", lang.pick("dữ kiện", "facts"), measures.join(", "));
    text
}

/// Returns `docs/kpis.md`.
fn page() -> String {
    let mut text = format!(
        "# KPI catalogue\n\n\
         <!-- Made by `parkgate kpi docs`; a test keeps it current. Change the definitions in src/engine/kpi instead. -->\n\n\
         {} KPIs. A KPI is computed from merged facts, so it is exact at any grain and for any group of machines; what it rests\n\
         on is also what sharing it reveals. Units are UCUM; `1` is a ratio. The API publishes the same under `/api/v1/kpis`,\n\
         `parkgate kpi list` and `parkgate kpi show ID` on the command line.\n",
        CATALOGUE.len()
    );
    for (family, members) in families() {
        let _ = writeln!(text, "\n## {} · {}\n", family.name_en(), family.name_vi());
        let _ = writeln!(text, "| id | name | tên | unit | finest grain |\n|---|---|---|---|---|");
        for kpi in &members {
            let (id, unit, grain) = (&kpi.id, kpi.unit, kpi.finest_grain);
            let _ = writeln!(text, "| [`{id}`](#{id}) | {} | {} | {unit} | {grain} |", kpi.name_en, kpi.name_vi);
        }
        members.iter().for_each(|kpi| section(&mut text, kpi));
    }
    text
}

fn section(text: &mut String, kpi: &KpiDefinition) {
    let measures: Vec<String> = kpi.reveals().iter().map(|measure| format!("`{}`", measure.as_str())).collect();
    let _ = writeln!(text, "\n### {}\n", kpi.id);
    let _ = writeln!(text, "**{}.** {}\n", kpi.name_en, kpi.definition_en);
    let _ = writeln!(text, "**{}.** {}\n", kpi.name_vi, kpi.definition_vi);
    let _ = writeln!(text, "- Formula: `{}` in {}, method {}", kpi.formula, kpi.unit, kpi.method);
    let _ = writeln!(text, "- Standard: {}", kpi.standard);
    let _ = writeln!(text, "- No value: {}", kpi.no_value_en);
    let _ = writeln!(text, "- Không có giá trị: {}", kpi.no_value_vi);
    let _ = writeln!(text, "- Facts: {}", measures.join(", "));
}
