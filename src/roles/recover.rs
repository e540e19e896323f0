//! `parkgate recover`: what can be read of a damaged store, in a new one.
//!
//! A person runs it, because a backup may be the better choice: what is damaged is told when the box stops. The damaged
//! files stay beside the new one under another name, and nothing deletes them.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use serde::Serialize;

use super::load;
use crate::runtime::clock::Clock;
use crate::store::{self, Salvaged};

/// Arguments of `parkgate recover`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The configuration.
    #[arg(short, long, default_value = "gateway.toml")]
    config: PathBuf,
    /// One JSON object a line.
    #[arg(long)]
    json: bool,
}

/// One table, as `--json` prints it.
#[derive(Debug, Serialize)]
struct Line<'t> {
    table: &'t str,
    recovered: u64,
    unsound: u64,
    lost: Option<u64>,
}

/// Recovers the store of a box that doesn't run.
///
/// # Errors
/// What stopped it; the damaged database is then as it was.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let Some(gateway) = load::gateway(&args.config)? else { return Ok(load::refused()) };
    let data_dir = gateway.gateway.data_dir.get_ref();
    let now = Clock::system().now();
    let stamp: String = now.to_string().chars().filter(char::is_ascii_alphanumeric).collect();
    let recovery = store::recover(data_dir, &stamp, now)
        .with_context(|| format!("the store in {} can't be recovered", data_dir.display()))?;
    let mut out = std::io::stdout().lock();
    for Salvaged { table, recovered, unsound, lost, .. } in &recovery.tables {
        let (recovered, unsound, lost) = (*recovered, *unsound, *lost);
        if args.json {
            writeln!(out, "{}", serde_json::to_string(&Line { table, recovered, unsound, lost })?)?;
        } else if lost != Some(0) {
            let lost = lost.map_or("an unknown number".to_owned(), |lost| lost.to_string());
            writeln!(out, "{table}: {recovered} rows recovered, {lost} gone")?;
        }
    }
    if !args.json {
        writeln!(out, "the damaged database is kept as {}, see {}", recovery.quarantine, recovery.report.display())?;
        if recovery.needs_epoch {
            writeln!(out, "pages may be gone: raise `epoch` by one in each platform sink before the box starts")?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use super::{Args, run};
    use crate::model::id::Digest;
    use crate::store::{Commit, FILE_NAME, Store};

    #[test]
    fn a_damaged_store_is_kept_beside_the_recovered_one() {
        let directory = tempfile::tempdir().unwrap();
        let (dir, data) = (directory.path(), directory.path().join("data"));
        let text = format!(
            "[gateway]\nid = \"tt-0042\"\nenterprise = \"9900000016\"\npark = \"tan-thuan\"\nsite = \"tt-main\"\n\
             data_dir = \"{}\"\n[[asset]]\nid = \"site\"\n",
            data.display()
        );
        std::fs::write(dir.join("gateway.toml"), &text).unwrap();
        let args = Args { config: dir.join("gateway.toml"), json: false };
        assert!(run(&args).is_err(), "there is nothing to recover");
        std::fs::create_dir_all(&data).unwrap();
        let mut store = Store::open(&data, &[], Digest::ZERO, &text).unwrap();
        for _ in 0..3 {
            store.commit(&Commit::default()).unwrap();
        }
        drop(store);
        run(&args).unwrap();
        let names = std::fs::read_dir(&data).unwrap().filter_map(|entry| entry.unwrap().file_name().into_string().ok());
        let kept: Vec<String> = names.filter(|name| name.starts_with(&format!("{FILE_NAME}.damaged-"))).collect();
        assert!(kept.iter().any(|name| name.ends_with(".report.json")) && kept.len() >= 2, "{kept:?}");
        assert_eq!(Store::open(&data, &[], Digest::ZERO, &text).unwrap().last_seq(), 3);
    }
}
