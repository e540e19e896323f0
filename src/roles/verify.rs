//! `parkgate verify`: checks signatures, chain, gaps and policy of pages offline.
//!
//! In: page files, directories of them, JSON-lines exports, the databases of box and hub; keys and receipts to hold them against. Out: one sentence
//! for each thing that is wrong and one line for each chain; exit code 0 where nothing is, 1 otherwise.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

use crate::hub;
use crate::ledger::chain::{Audit, ChainSummary, KnownHead, Presented, Trust, verify_chain};
use crate::ledger::key::{Jwk, VerifyingKey};
use crate::store;
use crate::wire::receipt::Receipt;

/// Arguments of `parkgate verify`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Page files (`<stream>-<epoch>-<seq>.json` with its `.jws` beside it), directories of them, `.jsonl` exports of
    /// lines like `{"page": "base64 of the bytes", "jws": "…"}`, a box's `parkgate.db` or a hub's `hub.db`.
    #[arg(required = true)]
    paths: Vec<PathBuf>,
    /// A public key to believe: a JWK, or a file that holds one. Several may be given. Without one, the key that the
    /// first page of each epoch states is believed; compare its id with what the factory published.
    #[arg(long)]
    key: Vec<String>,
    /// A hub's receipt (JSON file): the page it accepted through must be there, so a cut-off end shows.
    #[arg(long)]
    receipt: Vec<PathBuf>,
    /// One JSON object a line.
    #[arg(long)]
    json: bool,
}

/// Runs the role: exit code 0 where nothing is wrong, 1 where something is.
///
/// # Errors
/// A path, key or receipt that can't be read.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let trust = trust(&args.key)?;
    let heads = args.receipt.iter().map(|path| known_head(path)).collect::<anyhow::Result<Vec<_>>>()?;
    let mut held = Held { pages: Vec::new(), heads };
    for path in &args.paths {
        collect(path, &mut held)?;
    }
    let Held { pages, heads } = held;
    if pages.is_empty() {
        bail!(
            "no page found in {}",
            args.paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ")
        );
    }
    let presented: Vec<_> =
        pages.iter().map(|page| Presented { place: &page.place, bytes: &page.bytes, jws: &page.jws }).collect();
    let audit = verify_chain(&presented, &trust, &heads);
    let mut out = std::io::stdout().lock();
    if args.json {
        print_json(&mut out, &audit)?
    } else {
        print_text(&mut out, &audit, &trust)?
    }
    Ok(if audit.findings.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Pages read from a box's store at a time.
const PAGES_AT_ONCE: usize = 100;

/// A page as it was found.
#[derive(Debug, PartialEq, Eq)]
struct Found {
    place: String,
    bytes: Vec<u8>,
    jws: String,
}

/// What the paths hold.
#[derive(Debug, Default)]
struct Held {
    pages: Vec<Found>,
    /// The ends of streams that databases and receipts name.
    heads: Vec<KnownHead>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    page: String,
    jws: String,
}

fn trust(keys: &[String]) -> anyhow::Result<Trust> {
    if keys.is_empty() {
        return Ok(Trust::FirstPage);
    }
    let read = |text: &String| -> anyhow::Result<VerifyingKey> {
        let json = if text.trim_start().starts_with('{') {
            text.clone()
        } else {
            fs::read_to_string(text).with_context(|| format!("key file {text} can't be read"))?
        };
        let jwk: Jwk = serde_json::from_str(&json).with_context(|| format!("\"{text}\" holds no JWK"))?;
        VerifyingKey::from_jwk(&jwk).with_context(|| format!("\"{text}\" can't verify pages"))
    };
    keys.iter().map(read).collect::<anyhow::Result<_>>().map(Trust::Keys)
}

fn known_head(path: &Path) -> anyhow::Result<KnownHead> {
    let name = path.display();
    let text = fs::read_to_string(path).with_context(|| format!("receipt {name} can't be read"))?;
    let receipt: Receipt = serde_json::from_str(&text).with_context(|| format!("{name} is not a receipt"))?;
    Ok(KnownHead {
        gateway: receipt.gateway,
        stream: receipt.stream,
        epoch: receipt.epoch,
        seq: receipt.accepted_through,
        hash: receipt.head_hash,
    })
}

/// Adds the pages of a path: of a directory in the order of the numbers in the file names, of a file line by line.
fn collect(path: &Path, held: &mut Held) -> anyhow::Result<()> {
    let context = || format!("{} can't be read", path.display());
    if fs::metadata(path).with_context(context)?.is_dir() {
        let mut entries = fs::read_dir(path)
            .with_context(context)?
            .map(|entry| entry.map(|entry| entry.path()))
            .collect::<Result<Vec<_>, _>>()
            .with_context(context)?;
        entries.sort_by_cached_key(|path| order(path));
        let is_wanted = |path: &&PathBuf| path.is_dir() || is_extension(path, "json") || is_extension(path, "jsonl");
        return entries.iter().filter(is_wanted).try_for_each(|entry| collect(entry, held));
    }
    if is_extension(path, "jsonl") {
        return collect_lines(path, &mut held.pages);
    }
    match path.file_name().and_then(|name| name.to_str()) {
        Some(store::FILE_NAME) => return collect_box(path, held),
        Some(hub::store::FILE) => return collect_hub(path, held),
        _ => {}
    }
    // A page without its signature is a finding, not a reason to stop.
    let jws = fs::read_to_string(path.with_extension("jws")).unwrap_or_default();
    let bytes = fs::read(path).with_context(context)?;
    held.pages.push(Found { place: path.display().to_string(), bytes, jws: jws.trim_end().to_owned() });
    Ok(())
}

/// The pages a box keeps, and where each stream ends. Each epoch is read whole, so that one which is gone from the database
/// shows as a gap.
fn collect_box(path: &Path, held: &mut Held) -> anyhow::Result<()> {
    let context = || format!("{} can't be read", path.display());
    let reader = store::Reader::open(path.parent().unwrap_or(Path::new("."))).with_context(context)?;
    for (stream, head) in reader.heads().with_context(context)? {
        let mut gateway = None;
        for epoch in 1..=head.epoch {
            let mut after = 0;
            loop {
                let read = reader.pages_after(&stream, epoch, after, PAGES_AT_ONCE).with_context(context)?;
                let Some(last) = read.last() else { break };
                after = last.seq;
                gateway = Some(last.gateway.clone());
                held.pages.extend(read.into_iter().map(|page| Found {
                    place: format!("{}, page {}/{stream}/{epoch}/{}", path.display(), page.gateway, page.seq),
                    bytes: page.bytes,
                    jws: page.jws,
                }));
            }
        }
        if let Some(gateway) = gateway {
            let (epoch, seq, hash) = (head.epoch, head.seq, head.hash);
            held.heads.push(KnownHead { gateway, stream, epoch, seq, hash });
        }
    }
    Ok(())
}

/// The pages a hub keeps, of all gateways, and where each chain ends.
fn collect_hub(path: &Path, held: &mut Held) -> anyhow::Result<()> {
    let read = hub::read::Reader::new(path).ask(|hub| {
        let (mut pages, mut heads) = (Vec::new(), Vec::new());
        for chain in hub.streams()? {
            let (gateway, stream, epoch) = (&chain.gateway, &chain.stream, chain.epoch);
            for seq in 1..=chain.head_seq {
                if let Some((bytes, jws)) = hub.page(gateway, stream, epoch, seq)? {
                    let place = format!("{}, page {gateway}/{stream}/{epoch}/{seq}", path.display());
                    pages.push(Found { place, bytes, jws });
                }
            }
            if chain.head_seq > 0 {
                let (seq, hash) = (chain.head_seq, chain.head_hash);
                heads.push(KnownHead { gateway: chain.gateway, stream: chain.stream, epoch, seq, hash });
            }
        }
        Ok((pages, heads))
    });
    let (pages, heads) = read.with_context(|| format!("{} can't be read", path.display()))?;
    held.pages.extend(pages);
    held.heads.extend(heads);
    Ok(())
}

fn collect_lines(path: &Path, pages: &mut Vec<Found>) -> anyhow::Result<()> {
    let text = fs::read_to_string(path).with_context(|| format!("{} can't be read", path.display()))?;
    for (index, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let place = format!("{}, line {}", path.display(), index + 1);
        let line: Line = serde_json::from_str(line).with_context(|| format!("{place}: expected page and jws"))?;
        let bytes = STANDARD.decode(&line.page).with_context(|| format!("{place}: page is not base64"))?;
        pages.push(Found { place, bytes, jws: line.jws });
    }
    Ok(())
}

/// Sorts `hepza-1-10.json` after `hepza-1-9.json`; a name of another form by its text.
fn order(path: &Path) -> (String, u64, u64) {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let mut parts = stem.rsplitn(3, '-');
    let (seq, epoch, stream) = (parts.next(), parts.next(), parts.next());
    match (stream, epoch.and_then(|text| text.parse().ok()), seq.and_then(|text| text.parse().ok())) {
        (Some(stream), Some(epoch), Some(seq)) => (stream.to_owned(), epoch, seq),
        _ => (stem, 0, 0),
    }
}

fn is_extension(path: &Path, extension: &str) -> bool {
    path.extension().is_some_and(|found| found == extension)
}

fn print_json(out: &mut impl Write, audit: &Audit) -> anyhow::Result<()> {
    for finding in &audit.findings {
        writeln!(out, "{}", serde_json::json!({ "finding": finding }))?;
    }
    for chain in &audit.chains {
        writeln!(out, "{}", serde_json::json!({ "chain": chain }))?;
    }
    Ok(())
}

fn print_text(out: &mut impl Write, audit: &Audit, trust: &Trust) -> anyhow::Result<()> {
    for finding in &audit.findings {
        writeln!(out, "{finding}")?;
    }
    for ChainSummary { gateway, stream, epoch, pages, records, last_seq, last_hash, kid } in &audit.chains {
        writeln!(
            out,
            "{gateway}/{stream}, epoch {epoch}: {pages} authentic pages up to {last_seq}, {records} records, \
             key {kid}, last hash {last_hash}"
        )?;
    }
    match (audit.findings.len(), trust) {
        (0, Trust::Keys(_)) => writeln!(out, "nothing is wrong")?,
        (0, Trust::FirstPage) => {
            writeln!(out, "nothing is wrong, if these key ids are the ones the factories published")?;
        }
        (1, _) => writeln!(out, "1 thing is wrong")?,
        (number, _) => writeln!(out, "{number} things are wrong")?,
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{Audit, Found, Held, Path, Presented, Trust, collect, fs, order, print_json, print_text, verify_chain};
    use crate::ledger::fixture::{DAY, ledger};
    use crate::model::id::Digest;
    use crate::store::{Commit, Store};

    const FIXTURE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/ledger/fixture");

    fn audit(pages: &[Found]) -> Audit {
        let presented: Vec<_> =
            pages.iter().map(|page| Presented { place: &page.place, bytes: &page.bytes, jws: &page.jws }).collect();
        verify_chain(&presented, &Trust::FirstPage, &[])
    }

    fn collected(path: &Path) -> Vec<Found> {
        let mut held = Held::default();
        collect(path, &mut held).unwrap();
        held.pages
    }

    /// A box's directory with the ledger's pages, and what is then done to its database.
    fn findings_of_a_box(edit: &str) -> Vec<String> {
        let directory = tempfile::tempdir().unwrap();
        let mut store = Store::open(directory.path(), &[], Digest::ZERO, "").unwrap();
        store.commit(&Commit { now: DAY, pages: &ledger(), ..Commit::default() }).unwrap();
        drop(store);
        let path = directory.path().join(crate::store::FILE_NAME);
        rusqlite::Connection::open(&path).unwrap().execute_batch(edit).unwrap();
        let mut held = Held::default();
        collect(&path, &mut held).unwrap();
        let presented: Vec<_> = held
            .pages
            .iter()
            .map(|page| Presented { place: &page.place, bytes: &page.bytes, jws: &page.jws })
            .collect();
        let audit = verify_chain(&presented, &Trust::FirstPage, &held.heads);
        let shown = path.display().to_string();
        audit.findings.iter().map(|finding| finding.to_string().replace(&shown, "parkgate.db")).collect()
    }

    #[test]
    fn what_is_wrong_in_a_database_names_gateway_stream_epoch_and_page_and_says_what_to_do() {
        assert_eq!(findings_of_a_box(""), Vec::<String>::new());
        let edited =
            "UPDATE pages SET bytes = CAST(replace(CAST(bytes AS TEXT), '\"day\"', '\"dax\"') AS BLOB) WHERE seq = 2";
        let edited = findings_of_a_box(edited);
        assert!(edited[0].starts_with("parkgate.db, page tt-0042/hepza/1/2: not a page: "), "{edited:?}");
        assert!(
            edited[0]
                .ends_with("; get the page again, byte for byte, from the box (`parkgate egress --page`) or the hub")
        );
        assert!(edited[1].starts_with("tt-0042/hepza, epoch 1: page 2 is missing; get what is missing"), "{edited:?}");
        let cut_off = findings_of_a_box("DELETE FROM pages WHERE seq = 3");
        assert_eq!(
            cut_off,
            [
                "tt-0042/hepza, epoch 1: page 3 is missing; get what is missing from the box or the hub and check all of it again"
            ],
            "also at the end, which the stream's own row knows"
        );
        let swapped = findings_of_a_box("UPDATE pages SET jws = (SELECT jws FROM pages WHERE seq = 1) WHERE seq = 2");
        assert!(
            swapped[0].starts_with(
                "parkgate.db, page tt-0042/hepza/1/2: signature does not match the page's bytes; don't rely"
            ),
            "{swapped:?}"
        );
    }

    #[test]
    fn a_directory_is_read_in_the_order_of_its_numbers() {
        let mut names = ["hepza-1-10.json", "hepza-2-1.json", "hepza-1-9.json", "hepza-1-2.json"];
        names.sort_by_key(|name| order(Path::new(name)));
        assert_eq!(names, ["hepza-1-2.json", "hepza-1-9.json", "hepza-1-10.json", "hepza-2-1.json"]);
    }

    #[test]
    fn an_exported_directory_verifies_and_is_summed_up() {
        let audit = audit(&collected(Path::new(FIXTURE)));
        let mut text = Vec::new();
        print_text(&mut text, &audit, &Trust::FirstPage).unwrap();
        assert_eq!(
            String::from_utf8(text).unwrap(),
            "tt-0042/hepza, epoch 1: 2 authentic pages up to 2, 2 records, key \
             kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k, last hash \
             c49174bae19d23d2aaca967e5e2b789638a7e2a44e37abaddd51491873200fae\n\
             nothing is wrong, if these key ids are the ones the factories published\n"
        );
    }

    #[test]
    fn a_json_lines_export_names_the_line_that_is_wrong() {
        use base64::Engine as _;
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("pages.jsonl");
        let lines: Vec<String> = collected(Path::new(FIXTURE))
            .iter()
            .map(|page| serde_json::json!({ "page": super::STANDARD.encode(&page.bytes), "jws": page.jws }).to_string())
            .collect();
        fs::write(&path, format!("{}\n{}\n{}\n", lines[0], lines[1], lines[1])).unwrap();
        let mut text = Vec::new();
        print_json(&mut text, &Audit { chains: vec![], ..audit(&collected(&path)) }).unwrap();
        let place = format!("{}, line", path.display());
        assert_eq!(
            String::from_utf8(text).unwrap(),
            format!(
                "{{\"finding\":{{\"advice\":\"nothing is lost: leave one of the two away\",\"fault\":\"duplicate\",\"place\":\"{place} 3\",\"sentence\":\"page 2 is a repetition of {place} 2\"}}}}\n"
            )
        );
    }

    #[test]
    fn a_page_without_its_signature_is_a_finding() {
        let directory = tempfile::tempdir().unwrap();
        fs::copy(format!("{FIXTURE}/hepza-1-1.json"), directory.path().join("hepza-1-1.json")).unwrap();
        let audit = audit(&collected(directory.path()));
        assert_eq!(audit.findings[0].sentence, "signature is not a detached JWS of the form header..signature");
    }
}
