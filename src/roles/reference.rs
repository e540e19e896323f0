//! `parkgate reference`: lists, shows and compares dated reference data: factors, limits, tariffs, holidays.
//!
//! Data files never change once they are released: another text is another version, which records name by its SHA-256.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use serde_json::{Value, json};

use super::load;
use super::reach::{misused, print_json};
use crate::reference::{EntryRow, FILES, Reference};

/// Arguments of `parkgate reference`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// List every entry with its values, from when it counts, and how surely it is known
    List {
        /// Only entries of this kind, like `grid_factor` or `holiday`
        #[arg(long)]
        kind: Option<String>,
        #[command(flatten)]
        shown: Shown,
    },
    /// Show an entry with its source and version
    Show {
        /// Its id, like `vn_grid_2023`
        id: String,
        #[command(flatten)]
        shown: Shown,
    },
    /// Compare two versions of a data file: what came, went and changed
    Diff {
        /// The older file, or `builtin` for the data that comes with this program
        old: PathBuf,
        /// The newer file, or `builtin`
        new: PathBuf,
        /// One JSON object a line
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, clap::Args)]
struct Shown {
    /// One JSON object a line
    #[arg(long)]
    json: bool,
    /// Include the data files of this configuration's own
    #[arg(short, long, value_name = "GATEWAY.TOML")]
    config: Option<PathBuf>,
}

/// Runs the role. Exit code 2 for an id or a kind that there isn't.
///
/// # Errors
/// A file can't be read or is no reference data; standard output can't be written.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    match &args.action {
        Action::List { kind, shown } => {
            let Some(reference) = known(shown)? else { return Ok(load::refused()) };
            let entries = reference.entries();
            let of_kind = |entry: &&EntryRow| kind.as_deref().is_none_or(|kind| entry.kind == kind);
            let listed: Vec<&EntryRow> = entries.iter().filter(of_kind).collect();
            if let (true, Some(kind)) = (listed.is_empty(), kind) {
                return misused(&format!("there is no kind \"{kind}\": {}", kinds(&entries).join(", ")));
            }
            list(&listed, shown.json)?;
        }
        Action::Show { id, shown } => {
            let Some(reference) = known(shown)? else { return Ok(load::refused()) };
            let entries = reference.entries();
            let found: Vec<&EntryRow> = entries.iter().filter(|entry| entry.id == *id).collect();
            if found.is_empty() {
                return misused(&format!("there is no entry \"{id}\"; `parkgate reference list` names all"));
            }
            for entry in found {
                if shown.json { print_json(&row(entry))? } else { show(entry)? }
            }
        }
        Action::Diff { old, new, json } => diff(&read(old)?, &read(new)?, *json)?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Returns the data that comes with the program, and that of the configuration where one is named; `None` where the
/// configuration is refused.
fn known(shown: &Shown) -> anyhow::Result<Option<Reference>> {
    match &shown.config {
        None => Ok(Some(Reference::builtin())),
        Some(path) => Ok(load::gateway(path)?.map(|gateway| gateway.reference)),
    }
}

/// Reads one data file, or all that come with the program.
fn read(path: &Path) -> anyhow::Result<Reference> {
    if path == Path::new("builtin") {
        return Ok(Reference::builtin());
    }
    let name = path.display().to_string();
    let text = std::fs::read_to_string(path).with_context(|| format!("can't read {name}"))?;
    // A released file that is older than this program's stands alone.
    Ok(Reference::parse(&[(&name, &text)])?)
}

fn kinds(entries: &[EntryRow]) -> Vec<&'static str> {
    let mut kinds: Vec<&'static str> = entries.iter().map(|entry| entry.kind).collect();
    kinds.dedup();
    kinds
}

fn row(entry: &EntryRow) -> Value {
    let values: BTreeMap<&str, Value> =
        entry.values.iter().map(|value| (value.name, json!({"value": value.value, "unit": value.unit}))).collect();
    json!({
        "kind": entry.kind, "id": entry.id, "values": values, "source": entry.source, "valid_from": entry.valid_from,
        "published": entry.published, "grade": entry.grade, "version": entry.version, "file": file(entry),
    })
}

/// Returns the name of the file an entry comes from, where it came with the program.
fn file(entry: &EntryRow) -> Option<&'static str> {
    use sha2::Digest as _;
    let is_its = |text: &str| sha2::Sha256::digest(text).as_slice() == entry.version.0;
    FILES.iter().find(|(_, text)| is_its(text)).map(|(name, _)| *name)
}

fn list(entries: &[&EntryRow], as_json: bool) -> anyhow::Result<()> {
    if as_json {
        return entries.iter().try_for_each(|entry| print_json(&row(entry)));
    }
    let mut out = std::io::stdout().lock();
    let width = entries.iter().map(|entry| entry.id.len()).max().unwrap_or(0);
    let mut kind = "";
    for entry in entries {
        if entry.kind != kind {
            kind = entry.kind;
            writeln!(out, "{kind}")?;
        }
        let from = entry.valid_from.map_or_else(|| "-".to_owned(), |date| date.to_string());
        writeln!(out, "  {:width$}  {from:10}  {:11}  {}", entry.id, entry.grade.as_str(), values(entry))?;
    }
    Ok(())
}

/// Returns the values in one line; the name of a lone value goes without saying.
fn values(entry: &EntryRow) -> String {
    let named = |value: &crate::reference::EntryValue| match value.name {
        "value" => value.to_string(),
        name => format!("{name} {value}"),
    };
    entry.values.iter().map(named).collect::<Vec<_>>().join(", ")
}

fn show(entry: &EntryRow) -> anyhow::Result<()> {
    let date = |date: Option<jiff::civil::Date>| date.map_or_else(|| "not known".to_owned(), |date| date.to_string());
    let mut out = std::io::stdout().lock();
    writeln!(out, "{} ({})", entry.id, entry.kind)?;
    for value in &entry.values {
        writeln!(out, "  {}: {value}", value.name)?;
    }
    writeln!(out, "  valid from: {}", date(entry.valid_from))?;
    writeln!(out, "  published: {}", date(entry.published))?;
    writeln!(out, "  grade: {}", entry.grade.as_str())?;
    writeln!(out, "  source: {}", entry.source)?;
    writeln!(out, "  version: {}{}", entry.version, file(entry).map(|name| format!(" ({name})")).unwrap_or_default())?;
    Ok(())
}

fn diff(old: &Reference, new: &Reference, as_json: bool) -> anyhow::Result<()> {
    let by_id = |reference: &Reference| -> BTreeMap<(&'static str, String), EntryRow> {
        reference.entries().into_iter().map(|entry| ((entry.kind, entry.id.clone()), entry)).collect()
    };
    let (old, new) = (by_id(old), by_id(new));
    // Another file is another version of every entry in it; what counts is what an entry says.
    let says = |entry: &EntryRow| EntryRow { version: crate::model::id::Digest::ZERO, ..entry.clone() };
    let ids: std::collections::BTreeSet<_> = old.keys().chain(new.keys()).collect();
    let mut out = std::io::stdout().lock();
    for (key, before, after) in ids.into_iter().map(|key| (key, old.get(key), new.get(key))) {
        let change = match (before, after) {
            (None, _) => "added",
            (_, None) => "removed",
            (Some(before), Some(after)) if says(before) == says(after) => continue,
            _ => "changed",
        };
        if as_json {
            let line =
                json!({"change": change, "kind": key.0, "id": key.1, "old": before.map(row), "new": after.map(row)});
            writeln!(out, "{line}")?;
            continue;
        }
        writeln!(out, "{change} {} {}", key.0, key.1)?;
        for (mark, entry) in [("-", before), ("+", after)] {
            let Some(entry) = entry else { continue };
            let dates = [("valid from", entry.valid_from), ("published", entry.published)];
            let dates: String =
                dates.iter().filter_map(|(name, date)| date.map(|date| format!("; {name} {date}"))).collect();
            writeln!(out, "  {mark} {}{dates}; {}; {}", values(entry), entry.grade.as_str(), entry.source)?;
        }
    }
    Ok(())
}
