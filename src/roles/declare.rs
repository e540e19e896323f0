//! `parkgate declare`: what nobody measures and somebody answers for, such as fuel bills, refrigerants and waste.
//!
//! What is said is written into the box's store, beside a running box or without one; a running box takes it within
//! seconds. It counts once a second person has approved it.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, bail};
use serde::Serialize;

use super::load;
use super::told::read_form;
use crate::api::{ComparisonBody, compare_bill};
use crate::config::Gateway;
use crate::engine::declared::form::Form;
use crate::model::declared::decimal;
use crate::model::id::AssetId;
use crate::model::time::Timestamp;
use crate::runtime::clock::Clock;
use crate::store::{Declaration, Reader, Statements, Unsaid};

/// Arguments of `parkgate declare`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Enter a declaration. It counts once a second person has approved it.
    Add(Added),
    /// Enter the declarations of a file: CSV with the fields of `add` as columns.
    Import(Imported),
    /// Approve a declaration that another person entered.
    Approve(Settled),
    /// Take a declaration back, approved or not.
    Withdraw(Settled),
    /// List what was declared, and where it stands.
    List(Listed),
    /// Compare an electricity bill with the measurement, and name what can explain the difference.
    Compare(Compared),
}

#[derive(Debug, clap::Args)]
struct Added {
    /// What is declared, field by field, like: kind=fuel fuel=diesel period=2026-10 quantity=1200 unit=L
    /// document=HD-0012. Kinds: fuel (fuel, combustion), refrigerant (gas), process (input, factor), steam (factor),
    /// contract (kg_per_kwh, instrument), waste (stream), electricity_bill (peak_kwh, normal_kwh, off_peak_kwh,
    /// reactive_kvarh, amount_vnd). All have asset (the site where it isn't given), period (2026-10, 2026, 2026-10-05,
    /// 2026-09-26/2026-10-25), quantity, unit, document, and replaces (a declaration's number) where it corrects one.
    #[arg(required = true, value_name = "FIELD=VALUE")]
    fields: Vec<String>,
    /// The configuration.
    #[arg(short, long, default_value = "gateway.toml")]
    config: PathBuf,
    /// Who enters it. The name stays on the box.
    #[arg(long)]
    person: String,
}

#[derive(Debug, clap::Args)]
struct Imported {
    /// The file.
    file: PathBuf,
    /// The configuration.
    #[arg(short, long, default_value = "gateway.toml")]
    config: PathBuf,
    /// Who enters them. The name stays on the box.
    #[arg(long)]
    person: String,
}

#[derive(Debug, clap::Args)]
struct Settled {
    /// Number of the declaration.
    id: i64,
    /// The configuration.
    #[arg(short, long, default_value = "gateway.toml")]
    config: PathBuf,
    /// Who says so. The name stays on the box.
    #[arg(long)]
    person: String,
}

#[derive(Debug, clap::Args)]
struct Listed {
    /// The configuration.
    #[arg(short, long, default_value = "gateway.toml")]
    config: PathBuf,
    /// One JSON object a line.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
struct Compared {
    /// Number of the bill's declaration.
    id: i64,
    /// The configuration.
    #[arg(short, long, default_value = "gateway.toml")]
    config: PathBuf,
    /// As one JSON object.
    #[arg(long)]
    json: bool,
}

/// Enters, approves, withdraws, lists or compares declarations.
///
/// # Errors
/// What stopped it; nothing was written then.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let now = Clock::system().now();
    match &args.what {
        What::Add(added) => add(added, now),
        What::Import(imported) => import(imported, now),
        What::Approve(settled) => settle(settled, now, true),
        What::Withdraw(settled) => settle(settled, now, false),
        What::List(listed) => list(listed),
        What::Compare(compared) => compare(compared),
    }
}

fn add(added: &Added, now: Timestamp) -> anyhow::Result<ExitCode> {
    let Some(gateway) = load::gateway(&added.config)? else { return Ok(load::refused()) };
    let declared = form(&added.fields)?.read(&gateway.plant(), now)?;
    let id = open(&gateway)?.declare(&declared, &added.person, now)?;
    writeln!(
        std::io::stdout().lock(),
        "declaration {id} is written down; it counts once a second person runs: parkgate declare approve {id} --person NAME"
    )?;
    Ok(ExitCode::SUCCESS)
}

/// Reads `field=value` arguments.
fn form(fields: &[String]) -> anyhow::Result<Form> {
    let mut object = serde_json::Map::new();
    for field in fields {
        let Some((name, value)) = field.split_once('=') else { bail!("\"{field}\" is not FIELD=VALUE") };
        if object.insert(name.trim().to_owned(), value.trim().into()).is_some() {
            bail!("{name} is given twice");
        }
    }
    serde_json::from_value(object.into()).context("the fields of a declaration")
}

fn import(imported: &Imported, now: Timestamp) -> anyhow::Result<ExitCode> {
    let Some(gateway) = load::gateway(&imported.config)? else { return Ok(load::refused()) };
    let plant = gateway.plant();
    let mut statements = open(&gateway)?;
    let place = || format!("declarations {}", imported.file.display());
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_path(&imported.file).with_context(place)?;
    let headers = reader.headers().with_context(place)?.clone();
    let (mut entered, mut known, mut rejected) = (0_u64, 0_u64, 0_u64);
    for (line, record) in (1..).zip(reader.records()) {
        let read = record.map_err(|error| error.to_string()).and_then(|record| read_form(&headers, &record, &[]));
        let declared = read.and_then(|form| form.read(&plant, now).map_err(|problems| problems.to_string()));
        let outcome = match declared {
            Ok(declared) => statements.declare(&declared, &imported.person, now),
            Err(reason) => {
                rejected += 1;
                writeln!(std::io::stderr(), "{}: declaration {line} left out: {reason}", imported.file.display())?;
                continue;
            }
        };
        match outcome {
            Ok(_) => entered += 1,
            // The same file again enters nothing twice.
            Err(Unsaid::Same(_)) => known += 1,
            Err(Unsaid::Store(error)) => return Err(error).with_context(|| format!("declaration {line}")),
            Err(refused) => {
                rejected += 1;
                writeln!(std::io::stderr(), "{}: declaration {line} left out: {refused}", imported.file.display())?;
            }
        }
    }
    writeln!(
        std::io::stdout().lock(),
        "{entered} declarations entered, {known} were there already, {rejected} left out; a second person has to approve them"
    )?;
    Ok(if rejected == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn settle(settled: &Settled, now: Timestamp, is_approval: bool) -> anyhow::Result<ExitCode> {
    let Some(gateway) = load::gateway(&settled.config)? else { return Ok(load::refused()) };
    let (id, person) = (settled.id, &settled.person);
    let mut statements = open(&gateway)?;
    let done = if is_approval {
        statements.approve(id, person, now)?;
        "approved: it counts"
    } else {
        statements.withdraw(id, person, now)?;
        "withdrawn: it no longer counts"
    };
    writeln!(
        std::io::stdout().lock(),
        "declaration {id} is {done} as soon as the box takes it, within seconds or when it starts; closed windows are revised"
    )?;
    Ok(ExitCode::SUCCESS)
}

fn open(gateway: &Gateway) -> anyhow::Result<Statements> {
    let directory = gateway.gateway.data_dir.get_ref();
    Statements::open(directory).with_context(|| format!("the store in {}", directory.display()))
}

/// One declaration, as `--json` prints it.
#[derive(Serialize)]
struct Printed<'d> {
    id: i64,
    standing: &'static str,
    asset: &'d AssetId,
    start: Timestamp,
    end: Timestamp,
    #[serde(flatten)]
    kind: Shown<'d>,
    quantity: String,
    unit: &'static str,
    document: &'d str,
    replaces: Option<i64>,
    replaced_by: Option<i64>,
    entered_by: &'d str,
    entered_at: Timestamp,
    approved_by: Option<&'d str>,
    approved_at: Option<Timestamp>,
    withdrawn_by: Option<&'d str>,
    withdrawn_at: Option<Timestamp>,
}

#[derive(Serialize)]
struct Shown<'d> {
    kind: &'static str,
    #[serde(flatten)]
    details: BTreeMap<&'static str, Cow<'d, str>>,
}

fn list(listed: &Listed) -> anyhow::Result<ExitCode> {
    let Some(gateway) = load::gateway(&listed.config)? else { return Ok(load::refused()) };
    let declarations = open(&gateway)?.declarations()?;
    let mut out = std::io::stdout().lock();
    for declaration in &declarations {
        if listed.json {
            serde_json::to_writer(&mut out, &printed(declaration))?;
            writeln!(out)?;
        } else {
            writeln!(out, "{}", line(declaration))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn printed(declaration: &Declaration) -> Printed<'_> {
    let Declaration { id, declared, entered, approved, withdrawn, replaced_by } = declaration;
    Printed {
        id: *id,
        standing: declaration.standing().as_str(),
        asset: &declared.asset,
        start: declared.period.start,
        end: declared.period.end,
        kind: Shown { kind: declared.kind.as_str(), details: declared.kind.details().into_iter().collect() },
        quantity: decimal(declared.quantity_micro),
        unit: declared.unit.as_str(),
        document: &declared.document,
        replaces: declared.replaces,
        replaced_by: *replaced_by,
        entered_by: &entered.person,
        entered_at: entered.at,
        approved_by: approved.as_ref().map(|word| word.person.as_str()),
        approved_at: approved.as_ref().map(|word| word.at),
        withdrawn_by: withdrawn.as_ref().map(|word| word.person.as_str()),
        withdrawn_at: withdrawn.as_ref().map(|word| word.at),
    }
}

fn line(declaration: &Declaration) -> String {
    let Declaration { id, declared, entered, approved, .. } = declaration;
    let details: Vec<String> =
        declared.kind.details().into_iter().map(|(field, value)| format!("{field}={value}")).collect();
    let approved = approved.as_ref().map(|word| format!(", approved by {}", word.person)).unwrap_or_default();
    format!(
        "{id} {} {}: {} {} of {} {} for {} to {}; {} (entered by {}{approved})",
        declaration.standing().as_str(),
        declared.asset,
        decimal(declared.quantity_micro),
        declared.unit.as_str(),
        declared.kind.as_str(),
        details.join(" "),
        declared.period.start,
        declared.period.end,
        declared.document,
        entered.person
    )
}

fn compare(compared: &Compared) -> anyhow::Result<ExitCode> {
    let Some(gateway) = load::gateway(&compared.config)? else { return Ok(load::refused()) };
    let directory = gateway.gateway.data_dir.get_ref();
    let reader = Reader::open(directory).with_context(|| format!("the store in {}", directory.display()))?;
    let Some(comparison) = compare_bill(&gateway.plant(), &reader, compared.id)? else {
        bail!("declaration {} is no electricity bill, or isn't there", compared.id);
    };
    let body = ComparisonBody::from(&comparison);
    let mut out = std::io::stdout().lock();
    if compared.json {
        serde_json::to_writer(&mut out, &body)?;
        writeln!(out)?;
    } else {
        write!(out, "{body}")?;
    }
    Ok(ExitCode::SUCCESS)
}
