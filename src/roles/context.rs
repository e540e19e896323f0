//! `parkgate context`: production context from a file, and what a box was told.
//!
//! What is told is written into the box's store, beside a running box or without one; a running box takes it within
//! seconds. Events that came by MQTT or the API are in the same list.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;

use super::load;
use super::told::context_lines;
use crate::config::Gateway;
use crate::model::context::document::ContextDocument;
use crate::runtime::clock::Clock;
use crate::store::{Statements, Told};

/// Events read from the store at once.
const PAGE: usize = 1_000;

/// Arguments of `parkgate context`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Tell the events of a file. Told again, events with an id count once.
    Import(Imported),
    /// List what was told, as a file that `import` takes.
    List(Listed),
}

#[derive(Debug, clap::Args)]
struct Imported {
    /// CSV with the columns asset, at, kind and, by kind, id, product, order, quantity, scrap, from, until, reason,
    /// present, working. Times are RFC 3339, or civil times of the site without offset.
    file: PathBuf,
    /// The configuration.
    #[arg(short, long, default_value = "gateway.toml")]
    config: PathBuf,
    /// Who tells it. The name stays on the box.
    #[arg(long)]
    person: Option<String>,
}

#[derive(Debug, clap::Args)]
struct Listed {
    /// The configuration.
    #[arg(short, long, default_value = "gateway.toml")]
    config: PathBuf,
}

/// Runs the command.
///
/// # Errors
/// What stopped it. Lines that can't be told don't: they are reported, and the exit code is 1.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let config = match &args.what {
        What::Import(told) => &told.config,
        What::List(listed) => &listed.config,
    };
    let Some(gateway) = load::gateway(config)? else { return Ok(load::refused()) };
    let statements = open(&gateway)?;
    match &args.what {
        What::Import(told) => import(&gateway, statements, &told.file, told.person.as_deref()),
        What::List(_) => list(&statements),
    }
}

fn open(gateway: &Gateway) -> anyhow::Result<Statements> {
    let directory = gateway.gateway.data_dir.get_ref();
    let place = || format!("the store in {}: it is made when the box first runs", directory.display());
    Statements::open(directory).with_context(place)
}

fn import(
    gateway: &Gateway,
    mut statements: Statements,
    file: &Path,
    person: Option<&str>,
) -> anyhow::Result<ExitCode> {
    let (mut told, mut before, mut left_out) = (0_u64, 0_u64, 0_u64);
    let now = Clock::system().now();
    let mut err = std::io::stderr();
    for (line, event) in context_lines(file, &gateway.plant(), &[])? {
        let reason = match event {
            Ok((event, _)) => match statements.tell(&event, person, now)? {
                Told::New(_) => {
                    told += 1;
                    continue;
                }
                Told::Before(_) => {
                    before += 1;
                    continue;
                }
                Told::Otherwise(id) => format!("statement {id} has the same id and says something else"),
            },
            Err(reason) => reason,
        };
        left_out += 1;
        writeln!(err, "{}:{line}: left out: {reason}", file.display())?;
    }
    writeln!(std::io::stdout(), "{told} told, {before} told before, {left_out} left out")?;
    Ok(if left_out == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn list(statements: &Statements) -> anyhow::Result<ExitCode> {
    let mut out = csv::Writer::from_writer(std::io::stdout().lock());
    out.write_record(COLUMNS)?;
    let mut after = 0;
    loop {
        let page = statements.contexts(after, PAGE)?;
        let Some((last, _)) = page.last() else { break };
        after = *last;
        for (_, event) in &page {
            let document = serde_json::to_value(ContextDocument::from(event))?;
            let cell = |column: &&str| match &document[*column] {
                serde_json::Value::Null => String::new(),
                serde_json::Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            out.write_record(COLUMNS.iter().map(cell))?;
        }
    }
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}

/// The columns of a file of events.
const COLUMNS: [&str; 13] = [
    "id", "asset", "at", "kind", "product", "order", "quantity", "scrap", "from", "until", "reason", "present",
    "working",
];

#[cfg(test)]
mod tests {
    use super::{COLUMNS, ContextDocument};

    #[test]
    fn every_key_of_an_event_is_a_column() {
        let event: serde_json::Map<String, serde_json::Value> =
            COLUMNS.iter().map(|column| ((*column).to_owned(), "1".into())).collect();
        assert!(serde_json::from_value::<ContextDocument>(event.into()).is_ok(), "no column but those");
    }
}
