//! `parkgate hub`: the authority's side. Wires the store, the API and the pages to one listener.

use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use tokio_util::sync::CancellationToken;

use super::load;
use crate::api::{Api, Backend};
use crate::config;
use crate::engine::calendar::Calendar;
use crate::hub::Hub;
use crate::hub::directory::Directory;
use crate::hub::figures::Knowledge;
use crate::reference::Reference;
use crate::runtime::clock::Clock;
use crate::runtime::health::Health;
use crate::runtime::log;
use crate::runtime::tasks::Tasks;

/// How long answers under way may take once the hub is asked to stop.
const SHUTDOWN: Duration = Duration::from_secs(5);

/// Arguments of `parkgate hub`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The configuration.
    #[arg(short, long, default_value = "hub.toml")]
    config: PathBuf,
    /// Log as JSON lines.
    #[arg(long)]
    json: bool,
}

/// Runs the role until it is asked to stop.
///
/// # Errors
/// What stopped it. A refused configuration is shown and ends with exit code 2.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let Some(hub) = load::hub(&args.config)? else { return Ok(load::refused()) };
    log::start(args.json);
    super::block_on(async {
        let running = start(hub, Clock::system()).await?;
        writeln!(std::io::stdout(), "parkgate hub at http://{}", running.address())?;
        let stopped_by_itself = super::until_stopped(&running.stopped()).await;
        let late = running.shutdown(SHUTDOWN).await;
        Ok(if stopped_by_itself || !late.is_empty() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
    })
}

/// A hub that serves.
#[derive(Debug)]
pub struct RunningHub {
    address: SocketAddr,
    hub: Hub,
    tasks: Tasks,
}

/// Starts a hub: opens its store, binds its address, serves.
///
/// # Errors
/// A secret that can't be had, a store that can't be opened, an address that can't be bound.
pub async fn start(config: config::Hub, clock: Clock) -> anyhow::Result<RunningHub> {
    let token = config.http.token.as_ref().map(|token| token.resolve()).transpose()?;
    let health = Health::default();
    let hub = {
        let (clock, health, config) = (clock.clone(), health.clone(), config.clone());
        tokio::task::spawn_blocking(move || open(&config, clock, health)).await??
    };
    let api = Api::new(Backend::Hub(hub.clone()), health, clock, token);
    let mut tasks = Tasks::default();
    let address = super::start_http(&api, *config.http.listen.get_ref(), &mut tasks).await?;
    tracing::info!(%address, "hub \"{}\" serves at http://{address}", hub.name());
    Ok(RunningHub { address, hub, tasks })
}

fn open(config: &config::Hub, clock: Clock, health: Health) -> anyhow::Result<Hub> {
    let section = &config.hub;
    let zone = jiff::tz::TimeZone::get(section.timezone.get_ref())?;
    let known = Knowledge {
        directory: Directory::build(&config.parks, &config.sites, &config.gateways)?,
        calendar: Calendar::round_the_clock(zone),
        reference: Reference::builtin(),
        missing: section.grid_factor.missing,
    };
    let data_dir = section.data_dir.get_ref();
    Hub::open(section.name.get_ref(), data_dir, known, clock, health)
        .with_context(|| format!("the hub's store in {} can't be opened", data_dir.display()))
}

impl RunningHub {
    /// Returns the address it serves at.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns the hub, for questions from inside the process.
    pub const fn hub(&self) -> &Hub {
        &self.hub
    }

    /// Returns its health board.
    pub fn health(&self) -> &Health {
        self.hub.health()
    }

    /// Returns the token that is cancelled when the hub can't go on.
    pub fn stopped(&self) -> CancellationToken {
        self.tasks.stopped()
    }

    /// Stops serving; answers under way may take `deadline`. Returns the tasks that were late.
    pub async fn shutdown(self, deadline: Duration) -> Vec<String> {
        self.tasks.shutdown(deadline).await
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{Clock, Duration, RunningHub, config, start};
    use crate::hub::testing::{TestBox, at};
    use crate::ledger::page::SignedPage;
    use crate::runtime::health::Status;
    use crate::wire::receipt::Receipt;

    fn configuration(data_dir: &Path) -> config::Hub {
        let text = format!(
            r#"
            [hub]
            data_dir = "{}"
            name = "HEPZA"
            timezone = "Asia/Ho_Chi_Minh"
            [http]
            listen = "127.0.0.1:0"
            [[park]]
            id = "tan-thuan"
            name = "Tân Thuận"
            province = "ho-chi-minh"
            [[site]]
            id = "steel"
            park = "tan-thuan"
            enterprise = "9900000016"
            name = "Thép"
            [[gateway]]
            id = "steel"
            site = "steel"
            "#,
            data_dir.display()
        );
        let (hub, problems) = config::load_hub("hub.toml", &text);
        assert_eq!(problems.0, []);
        hub.unwrap()
    }

    async fn started(data_dir: &Path) -> RunningHub {
        start(configuration(data_dir), Clock::manual(at("2026-10-05T01:00:00+07:00"))).await.unwrap()
    }

    fn client() -> reqwest::Client {
        let _ = rustls::crypto::ring::default_provider().install_default();
        reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(10)).build().unwrap()
    }

    async fn put(hub: &RunningHub, page: &SignedPage) -> (u16, Vec<u8>) {
        let (gateway, stream) = (&page.gateway, &page.stream);
        let path = format!("/api/v1/gateways/{gateway}/streams/{stream}/{}/pages/{}", page.epoch, page.seq);
        let request = client().put(format!("http://{}{path}", hub.address()));
        let request = request.header("content-type", "application/json").header("x-jws-signature", &page.jws);
        let answer = request.body(page.bytes.clone()).send().await.unwrap();
        (answer.status().as_u16(), answer.bytes().await.unwrap().to_vec())
    }

    async fn get(hub: &RunningHub, path: &str) -> serde_json::Value {
        let answer = client().get(format!("http://{}{path}", hub.address())).send().await.unwrap();
        serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap()
    }

    #[tokio::test]
    async fn a_page_over_the_wire_becomes_a_figure_and_a_restart_gives_the_same_receipt() {
        let directory = tempfile::tempdir().unwrap();
        let mut steel = TestBox::new("steel", 1);
        let pages = [steel.policy_page(), steel.page((0..6).map(|five| steel.energy(five * 5, 10)).collect())];
        let hub = started(directory.path()).await;
        let mut receipts = Vec::new();
        for page in &pages {
            let (status, receipt) = put(&hub, page).await;
            assert_eq!(status, 201);
            receipts.push(receipt);
        }
        let last: Receipt = serde_json::from_slice(&receipts[1]).unwrap();
        assert_eq!((last.accepted_through, last.head_hash), (2, pages[1].hash));
        let question = "/api/v1/values?scope=park:tan-thuan&kpi=electricity&grain=30min\
                        &from=2026-10-04T17:00:00Z&to=2026-10-04T17:30:00Z";
        let first = get(&hub, question).await;
        assert!(first.to_string().contains("60.0"), "{first}");
        assert!(hub.shutdown(Duration::from_secs(5)).await.is_empty());
        let hub = started(directory.path()).await;
        for (page, receipt) in pages.iter().zip(&receipts) {
            assert_eq!(put(&hub, page).await, (200, receipt.clone()));
        }
        assert_eq!(get(&hub, question).await, first);
        assert!(hub.shutdown(Duration::from_secs(5)).await.is_empty());
    }

    #[tokio::test]
    async fn a_fork_over_the_wire_is_a_409_and_a_failed_hub() {
        let directory = tempfile::tempdir().unwrap();
        let hub = started(directory.path()).await;
        let mut steel = TestBox::new("steel", 1);
        put(&hub, &steel.policy_page()).await;
        let mut twin = steel.clone();
        put(&hub, &steel.page(vec![steel.energy(0, 5)])).await;
        let (status, body) = put(&hub, &twin.page(vec![twin.energy(0, 6)])).await;
        let problem: crate::wire::problem::Problem = serde_json::from_slice(&body).unwrap();
        assert_eq!((status, &*problem.kind, problem.accepted_through), (409, crate::wire::problem::FORK, Some(2)));
        assert_eq!(hub.health().worst(), Status::Failed);
        assert!(hub.shutdown(Duration::from_secs(5)).await.is_empty());
    }
}
