//! `parkgate egress`: what left the box, to whom, when, how it was answered, and what stayed inside.
//!
//! Read from the box's store, beside a running box or without one. Pages are told by what they say themselves; a page that
//! was sent can be shown byte for byte.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::str::FromStr;

use anyhow::{Context, bail};
use serde::Serialize;

use super::load;
use crate::api::egress::{ConfirmedBody, ExchangeBody, PageBody, WaitingBody, WithheldBody, waiting};
use crate::config::Gateway;
use crate::model::id::{Digest, StreamName};
use crate::model::time::Timestamp;
use crate::runtime::clock::Clock;
use crate::store::{Confirmations, EgressFilter, EgressPlace, Reader, Unconfirmed};

/// Rows read from the store at a time.
const AT_ONCE: usize = 100;

/// Arguments of `parkgate egress`.
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Args {
    #[command(subcommand)]
    command: Option<Command>,
    /// The configuration.
    #[arg(short, long, default_value = "gateway.toml")]
    config: PathBuf,
    /// Only to this sink.
    #[arg(long)]
    sink: Option<String>,
    /// Only from this instant on: of a page when it was cut, of an exchange when sending began, of a record when its
    /// window began. RFC 3339, like 2026-11-20T00:00:00+07:00.
    #[arg(long)]
    since: Option<Timestamp>,
    /// Only before this instant.
    #[arg(long)]
    until: Option<Timestamp>,
    /// Show one page instead, byte for byte as it is signed and sent: stream/epoch/number, like hepza/1/2.
    #[arg(long, value_name = "STREAM/EPOCH/NUMBER", conflicts_with_all = ["sink", "since", "until", "json"])]
    page: Option<PageName>,
    /// One JSON object a line.
    #[arg(long)]
    json: bool,
}

/// What a person does about what leaves.
#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Confirm for the factory a wider share that waits: it leaves from the next page on.
    Confirm(ConfirmArgs),
}

/// Arguments of `parkgate egress confirm`.
#[derive(Debug, clap::Args)]
struct ConfirmArgs {
    /// The configuration.
    #[arg(short, long, default_value = "gateway.toml")]
    config: PathBuf,
    /// The sink whose share it is.
    #[arg(long, value_parser = |text: &str| StreamName::new(text))]
    sink: StreamName,
    /// Who confirms it. The name stays on the box.
    #[arg(long, value_name = "PERSON")]
    by: String,
    /// Only if what waits is still this share: the digest that `parkgate egress` showed.
    #[arg(long, value_name = "DIGEST", value_parser = digest)]
    share: Option<Digest>,
}

fn digest(text: &str) -> Result<Digest, String> {
    Digest::from_hex(text).ok_or_else(|| "a digest has 64 digits 0 to 9 and a to f".to_owned())
}

/// The name of a page.
#[derive(Debug, Clone, PartialEq, Eq)]
struct PageName {
    stream: StreamName,
    epoch: u32,
    seq: u64,
}

impl FromStr for PageName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut parts = text.split('/');
        let (stream, epoch, seq) = (parts.next(), parts.next(), parts.next());
        let read = || {
            let stream = StreamName::new(stream?).ok()?;
            Some(Self { stream, epoch: epoch?.parse().ok()?, seq: seq?.parse().ok()? })
        };
        match (read(), parts.next()) {
            (Some(name), None) => Ok(name),
            _ => Err("a page is named stream/epoch/number, like hepza/1/2".to_owned()),
        }
    }
}

/// One line of the answer.
#[derive(Debug, Serialize)]
#[serde(rename_all = "snake_case")]
enum Told {
    Page(PageBody),
    Exchange(ExchangeBody),
    Withheld(WithheldBody),
    Waiting(WaitingBody),
    Confirmed(ConfirmedTold),
}

/// On the box its people may read who confirmed what.
#[derive(Debug, Serialize)]
struct ConfirmedTold {
    #[serde(flatten)]
    confirmed: ConfirmedBody,
    person: String,
}

/// Tells what left, or shows one page.
///
/// # Errors
/// A store that can't be read; a sink or page that isn't there.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    if let Some(Command::Confirm(args)) = &args.command {
        return confirm(args);
    }
    let Some(gateway) = load::gateway(&args.config)? else { return Ok(load::refused()) };
    let directory = gateway.gateway.data_dir.get_ref();
    let reader = Reader::open(directory).with_context(|| format!("the store in {}", directory.display()))?;
    let mut out = std::io::stdout().lock();
    if let Some(name) = &args.page {
        out.write_all(&page_bytes(&reader, name)?)?;
        return Ok(ExitCode::SUCCESS);
    }
    let filter = EgressFilter { sink: args.sink.clone(), since: args.since, until: args.until };
    if let Some(sink) = &filter.sink {
        check_sink(sink, &gateway, &reader)?;
    }
    tell(&reader, &filter, |told| print(&mut out, &told, args.json))?;
    Ok(ExitCode::SUCCESS)
}

fn confirm(args: &ConfirmArgs) -> anyhow::Result<ExitCode> {
    let Some(gateway) = load::gateway(&args.config)? else { return Ok(load::refused()) };
    let directory = gateway.gateway.data_dir.get_ref();
    let context = || format!("the store in {}", directory.display());
    let reader = Reader::open(directory).with_context(context)?;
    let filter = EgressFilter { sink: Some(args.sink.to_string()), ..EgressFilter::default() };
    let waiting = waiting(&reader, &filter)?;
    let seen = args.share.or(waiting.last().map(|waiting| waiting.share));
    let mut confirmations = Confirmations::open(directory).with_context(context)?;
    match confirmations.confirm(&args.sink, seen, &args.by, Clock::system().now()) {
        Ok(_) => {}
        Err(error @ Unconfirmed::Nothing(_)) => bail!(
            "{error}: a box asks when it runs with the wider share in its configuration, and `parkgate egress` lists what waits"
        ),
        Err(error) => return Err(error.into()),
    }
    let mut out = std::io::stdout().lock();
    for waiting in &waiting {
        print_waiting(&mut out, waiting)?;
    }
    writeln!(out, "confirmed by {}: leaves from the next page of {} on", args.by.trim(), args.sink)?;
    Ok(ExitCode::SUCCESS)
}

fn page_bytes(reader: &Reader, PageName { stream, epoch, seq }: &PageName) -> anyhow::Result<Vec<u8>> {
    match reader.page(stream, *epoch, *seq)? {
        Some(page) => Ok(page.bytes),
        None => bail!("the store holds no page {stream}/{epoch}/{seq}; `parkgate egress` lists those it holds"),
    }
}

/// A sink that was removed from the configuration is still known by its pages.
fn check_sink(sink: &str, gateway: &Gateway, reader: &Reader) -> anyhow::Result<()> {
    let mut names = reader.sinks_left()?;
    names.extend(gateway.platforms.iter().map(|sink| sink.name.get_ref().to_string()));
    names.extend(gateway.influx.iter().map(|sink| sink.name.get_ref().to_string()));
    names.extend(gateway.brokers.iter().map(|sink| sink.name.get_ref().to_string()));
    names.extend(gateway.files.iter().map(|sink| sink.name.get_ref().to_string()));
    names.sort();
    names.dedup();
    if names.iter().all(|name| name != sink) {
        bail!("there is no sink \"{sink}\": the configuration and the store know {}", names.join(", "));
    }
    Ok(())
}

/// Tells what waits and what was confirmed, every page, then what stayed inside, then every exchange.
fn tell(
    reader: &Reader,
    filter: &EgressFilter,
    mut take: impl FnMut(Told) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    for waiting in waiting(reader, filter)? {
        take(Told::Waiting(waiting))?;
    }
    for row in reader.asked_shares()?.into_iter().filter(|row| filter.is_of(row.stream.as_str())) {
        let person = row.confirmed.as_ref().map(|word| word.person.clone());
        if let Some((confirmed, person)) = ConfirmedBody::of(row).zip(person) {
            take(Told::Confirmed(ConfirmedTold { confirmed, person }))?;
        }
    }
    let mut after = 0;
    loop {
        let pages = reader.pages_left(filter, EgressPlace::After(after), AT_ONCE)?;
        let Some(last) = pages.last() else { break };
        after = last.row;
        pages.into_iter().try_for_each(|page| take(Told::Page(page.into())))?;
    }
    reader.withheld(filter)?.into_iter().try_for_each(|stayed| take(Told::Withheld(stayed.into())))?;
    let mut after = 0;
    loop {
        let exchanges = reader.exchanges_left(filter, EgressPlace::After(after), AT_ONCE)?;
        let Some((last, _)) = exchanges.last() else { return Ok(()) };
        after = *last;
        exchanges.into_iter().try_for_each(|(_, exchange)| take(Told::Exchange(exchange.into())))?;
    }
}

fn print(out: &mut impl Write, told: &Told, json: bool) -> anyhow::Result<()> {
    if json {
        serde_json::to_writer(&mut *out, told)?;
        writeln!(out)?;
        return Ok(());
    }
    match told {
        Told::Page(page) => print_page(out, page),
        Told::Exchange(exchange) => {
            let name = exchange.name.as_deref().map(|name| format!(" {name}")).unwrap_or_default();
            let epoch = exchange.epoch.map(|epoch| format!("{epoch}/")).unwrap_or_default();
            writeln!(
                out,
                "{} to {} at {}: {}{name} {epoch}{} to {epoch}{}, {} bytes, {}: {}",
                exchange.sink,
                exchange.destination,
                exchange.at,
                exchange.what,
                exchange.first,
                exchange.last,
                exchange.bytes,
                exchange.outcome,
                exchange.answer
            )?;
            Ok(())
        }
        Told::Withheld(withheld) => print_withheld(out, withheld),
        Told::Waiting(waiting) => print_waiting(out, waiting),
        Told::Confirmed(ConfirmedTold { confirmed, person }) => {
            let ConfirmedBody { sink, share, asked_at, confirmed_at, .. } = confirmed;
            let state = match (confirmed.is_stated, confirmed.is_withdrawn) {
                (true, _) => "its policy page was cut",
                (false, true) => "taken back before its policy page was cut",
                (false, false) => "its policy page is cut next",
            };
            writeln!(
                out,
                "{sink}: share {share}, asked for since {asked_at}, confirmed by {person} at {confirmed_at}; {state}"
            )?;
            Ok(())
        }
    }
}

fn print_page(out: &mut impl Write, page: &PageBody) -> anyhow::Result<()> {
    let PageBody { sink, epoch, seq, created_at, records, bytes, .. } = page;
    let state = if page.acknowledged { "acknowledged" } else { "not acknowledged" };
    let Some(policy) = &page.policy else {
        writeln!(out, "{sink}/{epoch}/{seq} of {created_at}: {records} records, {bytes} bytes, {state}")?;
        return Ok(());
    };
    let (level, grain) = (policy.level.as_str(), policy.grain);
    writeln!(
        out,
        "{sink}/{epoch}/{seq} of {created_at}: policy, level {level}, grain {grain}, {bytes} bytes, {state}"
    )?;
    for (kpi, facts) in &page.reveals {
        writeln!(out, "  {kpi} reveals {}", facts.join(", "))?;
    }
    Ok(())
}

fn print_waiting(out: &mut impl Write, waiting: &WaitingBody) -> anyhow::Result<()> {
    let WaitingBody { sink, share, asked_at, newly, .. } = waiting;
    writeln!(out, "{sink}: share {share}, asked for since {asked_at}, waits for confirmation; would newly leave:")?;
    for kpi in &newly.kpis {
        writeln!(out, "  KPI {kpi}")?;
    }
    if let Some(level) = newly.level {
        writeln!(out, "  records down to level {level}")?;
    }
    if let Some(grain) = newly.grain {
        writeln!(out, "  grain {grain}")?;
    }
    for fact in &newly.facts {
        writeln!(out, "  fact {fact}")?;
    }
    Ok(())
}

fn print_withheld(out: &mut impl Write, withheld: &WithheldBody) -> anyhow::Result<()> {
    let WithheldBody { sink, released_records, .. } = withheld;
    writeln!(out, "{sink}: {released_records} records left, of the rest stayed inside:")?;
    for (level, grains) in &withheld.records {
        for (grain, count) in grains {
            writeln!(out, "  {count} whole records of level {level}, grain {grain}")?;
        }
    }
    for (kpi, count) in &withheld.kpis {
        writeln!(out, "  {count} values of {kpi}")?;
    }
    for (fact, count) in &withheld.facts {
        writeln!(out, "  {count} facts {fact}")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{EgressFilter, PageName, page_bytes, print, tell};
    use crate::ledger::fixture::{DAY, DAY_MS, ledger, record};
    use crate::ledger::verify::read_page;
    use crate::model::id::Digest;
    use crate::model::record::Level;
    use crate::store::{Cargo, Commit, Exchange, Outcome, Store};

    fn exchange(last: u64, outcome: Outcome, answer: &str) -> Exchange {
        Exchange {
            sink: "hepza".to_owned(),
            at: DAY + 2 * DAY_MS,
            destination: "hub.example.gov.vn:443".to_owned(),
            cargo: Cargo::Pages,
            first: 1,
            last,
            name: None,
            epoch: Some(1),
            bytes: 1_234,
            hash: Digest([3; 32]),
            outcome,
            answer: answer.to_owned(),
        }
    }

    /// Three pages of which two were acknowledged at the second attempt, and a line's record that no policy let out.
    fn store() -> Store {
        let mut store = Store::open_in_memory(&[], Digest::ZERO, "").unwrap();
        let mut line = record(0, 1);
        line.level = Level::Line;
        line.asset = crate::model::id::AssetId::new("line-1").unwrap();
        let (records, pages) = ([record(0, 1), record(1, 1), record(2, 1), line], ledger());
        let now = DAY + 2 * DAY_MS;
        store.commit(&Commit { now, records: &records, pages: &pages[..2], ..Commit::default() }).unwrap();
        store.commit(&Commit { now: now + DAY_MS, pages: &pages[2..], ..Commit::default() }).unwrap();
        let mut cursors = store.cursors().unwrap();
        cursors.set("hepza.epoch", 1).unwrap();
        cursors.exchanged(&exchange(1, Outcome::Failed, "receiver is not available (503)"), None).unwrap();
        cursors.exchanged(&exchange(2, Outcome::Acknowledged, "201"), Some(2)).unwrap();
        store
    }

    fn told(store: &Store, filter: &EgressFilter, json: bool) -> String {
        let mut text = Vec::new();
        tell(&store.reader(), filter, |told| print(&mut text, &told, json)).unwrap();
        String::from_utf8(text).unwrap()
    }

    #[test]
    fn what_left_and_what_stayed_inside_is_told_in_sentences() {
        let sizes: Vec<usize> = ledger().iter().map(|page| page.bytes.len()).collect();
        let expected = format!(
            "hepza/1/1 of 2026-10-06T17:00:00.000Z: policy, level site, grain day, {} bytes, acknowledged\n  \
             carbon_intensity reveals pq_micro, electricity_micro_kwh\n  \
             electricity reveals electricity_micro_kwh, electricity_substituted_micro_kwh\n\
             hepza/1/2 of 2026-10-06T17:00:00.000Z: 2 records, {} bytes, acknowledged\n\
             hepza/1/3 of 2026-10-07T17:00:00.000Z: 1 records, {} bytes, not acknowledged\n\
             hepza: 3 records left, of the rest stayed inside:\n  \
             1 whole records of level line, grain day\n  \
             1 values of carbon_intensity\n  \
             1 values of electricity\n  \
             4 values of oee\n  \
             4 facts apt_ms\n  \
             1 facts electricity_micro_kwh\n  \
             1 facts electricity_substituted_micro_kwh\n  \
             1 facts pq_micro\n\
             hepza to hub.example.gov.vn:443 at 2026-10-06T17:00:00.000Z: pages 1/1 to 1/1, 1234 bytes, failed: \
             receiver is not available (503)\n\
             hepza to hub.example.gov.vn:443 at 2026-10-06T17:00:00.000Z: pages 1/1 to 1/2, 1234 bytes, acknowledged: \
             201\n",
            sizes[0], sizes[1], sizes[2]
        );
        assert_eq!(told(&store(), &EgressFilter::default(), false), expected);
    }

    #[test]
    fn json_says_the_same_one_object_a_line_and_filters_leave_out_the_rest() {
        let store = store();
        let lines = |filter: &EgressFilter| -> Vec<serde_json::Value> {
            told(&store, filter, true).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
        };
        let all = lines(&EgressFilter::default());
        assert_eq!(all.len(), 6);
        assert_eq!(all[0]["page"]["policy"]["grain"], "day");
        assert_eq!(all[2]["page"]["acknowledged"], false);
        assert_eq!(all[3]["withheld"]["kpis"]["oee"], 4);
        assert_eq!(all[4]["exchange"]["outcome"], "failed");
        let late = lines(&EgressFilter { since: Some(DAY + 3 * DAY_MS), ..EgressFilter::default() });
        assert_eq!(late.len(), 2, "page 3 and nothing withheld: {late:?}");
        assert_eq!((&late[0]["page"]["seq"], &late[1]["withheld"]["released_records"]), (&3.into(), &0.into()));
        let early = lines(&EgressFilter { until: Some(DAY + DAY_MS), ..EgressFilter::default() });
        assert_eq!((early.len(), &early[0]["withheld"]["released_records"]), (1, &1.into()));
        assert_eq!(lines(&EgressFilter { sink: Some("hep".to_owned()), ..EgressFilter::default() }).len(), 0);
        assert_eq!(lines(&EgressFilter { sink: Some("hepza".to_owned()), ..EgressFilter::default() }), all);
    }

    #[test]
    fn a_page_is_shown_byte_for_byte() {
        let store = store();
        let reader = store.reader();
        let name: PageName = "hepza/1/2".parse().unwrap();
        let bytes = page_bytes(&reader, &name).unwrap();
        assert_eq!(bytes, ledger()[1].bytes);
        assert_eq!(read_page(&bytes).unwrap().records.len(), 2);
        let missing = page_bytes(&reader, &"hepza/1/9".parse().unwrap()).unwrap_err().to_string();
        assert_eq!(missing, "the store holds no page hepza/1/9; `parkgate egress` lists those it holds");
        for bad in ["hepza", "hepza/1", "hepza/1/x", "hepza/1/2/3", "HEP ZA/1/2"] {
            assert!(bad.parse::<PageName>().is_err(), "{bad}");
        }
    }
}
