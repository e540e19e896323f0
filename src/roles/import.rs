//! `parkgate import`: a tag list of another program becomes a `[[source]]`.
//!
//! Every row is either a point of the section or named with its line and the reason why not. Nothing is sent anywhere.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use serde_json::json;

use super::reach::{misused, print_json, quoted};
use super::section;
use crate::profile::register::WordOrder;
use crate::sources::modbus::taglist::{self, Defaults, Format, TagList};

/// Arguments of `parkgate import`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The list: CSV with the columns name, address, table, type, order, scale, offset, unit, kind…, or as Kepware's
    /// server exports the tags of a device
    tags: PathBuf,
    /// Name of the source
    #[arg(long, default_value = "imported")]
    name: String,
    /// Where the device is: tcp://host:port, tls://…, rtu+tcp://… or rtu:///dev/…
    #[arg(long, default_value = "tcp://192.168.10.31:502")]
    url: String,
    /// Unit identifier, 0 to 255
    #[arg(long, default_value_t = 1)]
    unit: u8,
    /// Order of values of several registers in a Kepware list. Its driver reads the low word first (CDAB) unless the
    /// device's "First Word Low" is off (then ABCD); the export doesn't say which
    #[arg(long, default_value = "CDAB")]
    order: WordOrder,
    /// Add the section to this configuration in place of printing it, if it is still accepted then
    #[arg(long, value_name = "FILE")]
    append: Option<PathBuf>,
    /// One JSON object a line and row, in place of the section
    #[arg(long, conflicts_with = "append")]
    json: bool,
}

/// Runs the role. Exit code 0 where every row was taken, 1 where one wasn't.
///
/// # Errors
/// The list can't be read, or is none; the configuration would not be accepted with the section.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let name = args.tags.display();
    let bytes = std::fs::read(&args.tags).with_context(|| format!("can't read {name}"))?;
    let list = match taglist::read(&bytes, &Defaults { kepware_order: args.order }) {
        Ok(list) => list,
        Err(error) => return misused(&format!("{name}: {error}")),
    };
    if args.json {
        rows(&list).iter().try_for_each(print_json)?;
    } else {
        let text = section_of(args, &list);
        match &args.append {
            Some(path) => section::append(path, &text)?,
            None => write!(std::io::stdout(), "{text}").context("standard output")?,
        }
    }
    report(args, &list)?;
    Ok(if list.refused.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn rows(list: &TagList) -> Vec<serde_json::Value> {
    let taken = list.taken.iter().map(|taken| {
        let row = json!({"line": taken.line, "name": taken.name, "point": taken.toml(), "notes": taken.notes, "reason": null});
        (taken.line, row)
    });
    let refused = list.refused.iter().map(|refused| {
        let row = json!({
            "line": refused.line, "name": refused.name, "point": null, "notes": [], "reason": refused.reason,
        });
        (refused.line, row)
    });
    let mut rows: Vec<_> = taken.chain(refused).collect();
    rows.sort_by_key(|(line, _)| *line);
    rows.into_iter().map(|(_, row)| row).collect()
}

/// Writes the section; a row's notes stand behind its point.
fn section_of(args: &Args, list: &TagList) -> String {
    let mut lines = vec![
        "[[source]]".to_owned(),
        "type = \"modbus\"".to_owned(),
        format!("name = {}", quoted(&args.name)),
        format!("url = {}", quoted(&args.url)),
        format!("unit = {}", args.unit),
    ];
    if let Some(every) = list.every_ms {
        lines.push(format!("every = \"{every}ms\""));
    }
    lines.push("point = [".to_owned());
    for taken in &list.taken {
        let notes = taken.notes.join("; ");
        let notes = if notes.is_empty() { String::new() } else { format!("  # line {}: {notes}", taken.line) };
        // A note may repeat what the list holds; it must not end the comment.
        lines.push(format!("  {},{}", taken.toml(), notes.replace(char::is_control, " ")));
    }
    lines.push("]".to_owned());
    lines.join("\n") + "\n"
}

fn report(args: &Args, list: &TagList) -> anyhow::Result<()> {
    let mut out = std::io::stderr().lock();
    for refused in &list.refused {
        let name = args.tags.display();
        writeln!(out, "{name}:{}: \"{}\" was not taken: {}", refused.line, refused.name, refused.reason)?;
    }
    let rows = list.taken.len() + list.refused.len();
    writeln!(out, "{} of {rows} rows taken", list.taken.len())?;
    if list.format == Format::Kepware {
        let order = args.order;
        writeln!(out, "values of several registers are taken as {order}: compare one with the device, or say --order")?;
    }
    Ok(())
}
