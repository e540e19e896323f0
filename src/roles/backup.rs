//! `parkgate backup`: a copy of an edge box's store and key, taken while it runs.
//!
//! What a restored box needs is in one directory: the database as of one commit, and the key that its pages are signed
//! with. The configuration is a file of its own; its text is in the database too.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};
use serde::Serialize;

use super::{key, load};
use crate::store::{self, Backup};

/// Arguments of `parkgate backup`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The configuration.
    #[arg(short, long, default_value = "gateway.toml")]
    config: PathBuf,
    /// The directory to make, or an empty one; its owner alone can read it.
    #[arg(long)]
    to: PathBuf,
    /// One JSON object a line.
    #[arg(long)]
    json: bool,
}

/// What was copied, as `--json` prints it.
#[derive(Debug, Serialize)]
struct Report {
    to: PathBuf,
    commits_through: u64,
    samples: u64,
    records: u64,
    pages: u64,
    bytes: u64,
    key: bool,
}

/// Copies store and key.
///
/// # Errors
/// What stopped it; nothing is replaced, and no half copy stands under a name that would be taken for a whole one.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let Some(gateway) = load::gateway(&args.config)? else { return Ok(load::refused()) };
    let data_dir = gateway.gateway.data_dir.get_ref();
    make_directory(&args.to)?;
    let Backup { through, counts, bytes } = store::backup(data_dir, &args.to)
        .with_context(|| format!("{} can't be backed up to {}", data_dir.display(), args.to.display()))?;
    let report = Report {
        to: args.to.clone(),
        commits_through: through,
        samples: counts.samples,
        records: counts.records,
        pages: counts.pages,
        bytes,
        key: copy_key(data_dir, &args.to)?,
    };
    let mut out = std::io::stdout().lock();
    if args.json {
        writeln!(out, "{}", serde_json::to_string(&report)?)?;
        return Ok(ExitCode::SUCCESS);
    }
    let Report { samples, records, pages, .. } = report;
    let key = if report.key { " and the key" } else { ", and no key: none was made yet" };
    let to = args.to.display();
    writeln!(out, "{to} holds {samples} samples, {records} records and {pages} pages through commit {through}{key}")?;
    Ok(ExitCode::SUCCESS)
}

fn make_directory(to: &Path) -> anyhow::Result<()> {
    if to.is_dir() {
        let mut entries = fs::read_dir(to).with_context(|| format!("{} can't be read", to.display()))?;
        if entries.next().is_some() {
            bail!("{} is not empty: name a directory of its own for each backup", to.display());
        }
        return Ok(());
    }
    let made = fs::DirBuilder::new().mode(0o700).create(to);
    made.with_context(|| format!("{} can't be made", to.display()))
}

/// Copies the key, and the one that takes over where there is one, for their owner's eyes alone. Says whether there was one.
fn copy_key(from: &Path, to: &Path) -> anyhow::Result<bool> {
    let mut copied = false;
    for name in [key::FILE_NAME, key::NEXT_FILE_NAME] {
        let (source, target) = (from.join(name), to.join(name));
        if !source.exists() {
            continue;
        }
        let pem = fs::read(&source).with_context(|| format!("gateway key {} can't be read", source.display()))?;
        let written = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&target).and_then(|mut file| {
            file.write_all(&pem)?;
            file.sync_all()
        });
        written.with_context(|| format!("gateway key {} can't be written", target.display()))?;
        copied = true;
    }
    Ok(copied)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::path::Path;

    use super::{Args, run};
    use crate::model::id::Digest;
    use crate::roles::key;
    use crate::store::{Commit, Store};

    fn args(dir: &Path, to: &str) -> Args {
        Args { config: dir.join("gateway.toml"), to: dir.join(to), json: false }
    }

    #[test]
    fn a_backup_holds_the_store_and_the_key_for_its_owner_alone_and_replaces_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let (dir, data) = (directory.path(), directory.path().join("data"));
        let text = format!(
            "[gateway]\nid = \"tt-0042\"\nenterprise = \"9900000016\"\npark = \"tan-thuan\"\nsite = \"tt-main\"\n\
             data_dir = \"{}\"\n[[asset]]\nid = \"site\"\n",
            data.display()
        );
        std::fs::write(dir.join("gateway.toml"), &text).unwrap();
        assert!(run(&args(dir, "before")).is_err(), "there is nothing to back up");
        let signing = key::open(&data, false).unwrap();
        let mut store = Store::open(&data, &[], Digest::ZERO, &text).unwrap();
        store.commit(&Commit::default()).unwrap();
        run(&args(dir, "copy")).unwrap();
        let copy = dir.join("copy");
        assert_eq!(key::open(&copy, true).unwrap().kid(), signing.kid());
        for (path, mode) in [(copy.clone(), 0o700), (copy.join(key::FILE_NAME), 0o600)] {
            assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, mode, "{}", path.display());
        }
        assert_eq!(Store::open(&copy, &[], Digest::ZERO, &text).unwrap().last_seq(), 1);
        let refused = run(&args(dir, "copy")).unwrap_err().to_string();
        assert!(refused.contains("is not empty"), "{refused}");
    }
}
