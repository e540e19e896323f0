//! `parkgate demo`: a whole park on this machine, in one process, with no network and no service.
//!
//! The ordinary roles wired together over ordinary configuration files: three boxes and the hub run as they would
//! anywhere, and speak to simulated devices and to an embedded broker over loopback. Only plant time is scaled, and
//! the roles don't know. Nothing is computed for show.

mod files;
mod live;

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use futures_util::future::{join_all, select_all};
use serde_spanned::Spanned;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use self::files::{Addresses, DataDir, Epoch};
use self::live::Live;
use super::{hub, run as edge};
use crate::config::{self, Gateway, Hub};
use crate::model::problem::Problems;
use crate::runtime::clock::Clock;
use crate::runtime::log;
use crate::runtime::tasks::{Policy, Stage, Tasks};
use crate::simulator::broker::Broker;
use crate::simulator::factories;
use crate::simulator::modbus::{self, Devices};
use crate::simulator::mqtt::{self, Device};

/// Plant time between two reports of a device. **Unit**: ms.
const REPORT_EVERY_MS: i64 = 10_000;
/// Real time that each stage of a stop has. Boxes stop side by side in four stages, then the hub, then the plant:
/// together below 5 s even when everybody is late.
const STAGE_DEADLINE: Duration = Duration::from_millis(750);

/// Arguments of `parkgate demo`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// How many seconds of plant time pass in one second.
    #[arg(long, default_value_t = 60.0, value_parser = parse_speed)]
    speed: f64,
    /// Port of the hub's pages on 127.0.0.1; 8080 or a free one where not given.
    #[arg(long)]
    port: Option<u16>,
    /// Where stores and keys are kept; a temporary directory where not given.
    #[arg(long)]
    data_dir: Option<PathBuf>,
    /// Stop by itself after this many seconds.
    #[arg(long = "for", value_name = "SECONDS")]
    stop_after_s: Option<u64>,
}

fn parse_speed(text: &str) -> Result<f64, String> {
    let speed = text.parse::<f64>().ok().filter(|speed| (1.0..=600.0).contains(speed));
    speed.ok_or_else(|| format!("\"{text}\" is not a speed from 1 to 600"))
}

/// Runs the demo until SIGINT, SIGTERM or its own end.
///
/// # Errors
/// What kept it from starting.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    // The terminal belongs to the live line; what needs a person still shows.
    log::start_with(false, "error,rumqttd=off");
    super::block_on(demo(args))
}

async fn demo(args: &Args) -> anyhow::Result<ExitCode> {
    let started = Instant::now();
    let data_dir = DataDir::open(args.data_dir.as_deref())?;
    let epoch = data_dir.epoch(Clock::system().now(), args.speed)?;
    let clock = Clock::scaled(epoch.now, args.speed);
    let park = Park::start(args.port, &data_dir, &epoch, &clock).await?;
    park.announce(&data_dir, args.speed, started.elapsed())?;
    let live = Live::new();
    let until = args.stop_after_s.map(|seconds| started + Duration::from_secs(seconds));
    // Nothing cancels it: whoever can't go on is waited for below, and this waits for signals.
    let never = CancellationToken::new();
    let failed = tokio::select! {
        failed = super::until_stopped(&never) => failed,
        () = park.stopped() => true,
        () = at(until) => false,
        error = show(&live, &park, &data_dir, &epoch, &clock) => return Err(error),
    };
    let stopping = Instant::now();
    live.end(&park.counted(), &clock)?;
    writeln!(std::io::stdout(), "stopping …")?;
    let late = park.shutdown().await;
    data_dir.keep_epoch(&epoch, clock.now())?;
    let took = stopping.elapsed();
    let kept = data_dir.close()?;
    writeln!(std::io::stdout(), "stopped in {:.1} s; {kept}", took.as_secs_f64())?;
    for name in &late {
        writeln!(std::io::stderr(), "parkgate: {name} did not stop in time")?;
    }
    Ok(if failed || !late.is_empty() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

async fn at(instant: Option<Instant>) {
    match instant {
        Some(instant) => tokio::time::sleep_until(instant).await,
        None => std::future::pending().await,
    }
}

/// Shows what happens until it can't, and notes how far plant time has come.
async fn show(live: &Live, park: &Park, data_dir: &DataDir, epoch: &Epoch, clock: &Clock) -> anyhow::Error {
    loop {
        tokio::time::sleep(live.every()).await;
        let shown = live.show(&park.counted(), clock).context("the terminal");
        if let Err(error) = shown.and_then(|()| data_dir.keep_epoch(epoch, clock.now())) {
            return error;
        }
    }
}

/// What runs in this process.
struct Park {
    hub: hub::RunningHub,
    boxes: Vec<(String, edge::RunningGateway)>,
    /// Broker, simulated devices.
    plant: Tasks,
    addresses: Addresses,
}

impl Park {
    async fn start(port: Option<u16>, data_dir: &DataDir, epoch: &Epoch, clock: &Clock) -> anyhow::Result<Self> {
        let addresses = Addresses::find(port)?;
        let hub_config = load(files::HUB, &addresses, config::load_hub)?;
        let gateways: Vec<Gateway> = files::GATEWAYS
            .iter()
            .map(|file| load(*file, &addresses, config::load_gateway))
            .collect::<anyhow::Result<_>>()?;
        let mut plant = Tasks::default();
        start_plant(&addresses, epoch, clock, &mut plant).await?;
        let hub = hub::start(placed_hub(hub_config, data_dir), clock.clone()).await?;
        let mut boxes = Vec::new();
        for gateway in gateways {
            let name = gateway.gateway.site.get_ref().to_string();
            let running = edge::start(placed_gateway(gateway, data_dir), clock.clone());
            boxes.push((name.clone(), running.await.with_context(|| format!("the box of {name}"))?));
        }
        Ok(Self { hub, boxes, plant, addresses })
    }

    /// Waits until a part can't go on.
    async fn stopped(&self) {
        let boxes = self.boxes.iter().map(|(_, running)| running.stopped());
        let tokens: Vec<CancellationToken> = boxes.chain([self.plant.stopped(), self.hub.stopped()]).collect();
        let parts = tokens.iter().map(|token| Box::pin(token.cancelled()));
        select_all(parts).await;
    }

    fn announce(&self, data_dir: &DataDir, speed: f64, took: Duration) -> std::io::Result<()> {
        let mut out = std::io::stdout();
        writeln!(out, "parkgate demo: three fictitious factories in two parks, ready in {:.1} s", took.as_secs_f64())?;
        writeln!(out)?;
        writeln!(out, "  hub of the park authority   http://{}", self.hub.address())?;
        for (site, running) in &self.boxes {
            writeln!(out, "  box of {site:<20} http://{}", running.address())?;
        }
        writeln!(out, "  simulated Modbus devices    {}", self.addresses.list(&files::MODBUS))?;
        writeln!(out, "  embedded MQTT broker        {}", self.addresses.list(&files::MQTT))?;
        writeln!(out, "  stores and keys             {}", data_dir.path().display())?;
        writeln!(out)?;
        writeln!(
            out,
            "Open http://{} — one minute here is {speed} minutes of the plant. Ctrl-C stops.",
            self.hub.address()
        )?;
        writeln!(out)
    }

    fn counted(&self) -> live::Counted {
        let mut counted = live::Counted::default();
        for (_, running) in &self.boxes {
            counted.add(&running.health().snapshot());
        }
        counted
    }

    /// Stops boxes, hub and plant, in this order; returns the names of the late.
    async fn shutdown(self) -> Vec<String> {
        let boxes = self.boxes.into_iter().map(|(site, running)| async move {
            let late = running.shutdown(STAGE_DEADLINE).await;
            late.into_iter().map(|name| format!("{name} of {site}")).collect::<Vec<_>>()
        });
        let mut late: Vec<String> = join_all(boxes).await.into_iter().flatten().collect();
        late.extend(self.hub.shutdown(STAGE_DEADLINE).await.into_iter().map(|name| format!("{name} of the hub")));
        late.extend(self.plant.shutdown(STAGE_DEADLINE).await);
        late
    }
}

/// Reads an embedded file at the addresses that are free here.
fn load<T>(
    (name, text): (&str, &str),
    addresses: &Addresses,
    parse: impl Fn(&str, &str) -> (Option<T>, Problems),
) -> anyhow::Result<T> {
    let text = addresses.put_into(text);
    let (config, problems) = parse(name, &text);
    config.with_context(|| format!("{name} is refused:\n{}", config::render(&problems, name, &text, false)))
}

fn placed_hub(mut config: Hub, data_dir: &DataDir) -> Hub {
    config.hub.data_dir = Spanned::new(0..0, data_dir.path().join("hub"));
    config
}

fn placed_gateway(mut config: Gateway, data_dir: &DataDir) -> Gateway {
    let directory = data_dir.path().join(config.gateway.site.get_ref().as_str());
    config.gateway.data_dir = Spanned::new(0..0, directory);
    config
}

async fn start_plant(addresses: &Addresses, epoch: &Epoch, clock: &Clock, plant: &mut Tasks) -> anyhow::Result<()> {
    let [steel_port, electronics_port] = files::MODBUS;
    let [v5, v311] = files::MQTT;
    let broker = Broker::start_at(addresses.of(v311), addresses.of(v5)).await.context("the embedded broker")?;
    serve_modbus("steel works", addresses.of(steel_port), factories::steel(clock, epoch.began)?, plant);
    let (registers, inspection) = factories::electronics(clock, epoch.began);
    serve_modbus("electronics line", addresses.of(electronics_port), registers, plant);
    for (name, device) in factories::garment(epoch.began).into_iter().chain(inspection) {
        publish_mqtt(name, broker, device, clock, plant);
    }
    Ok(())
}

fn serve_modbus(name: &str, address: std::net::SocketAddr, devices: Devices, plant: &mut Tasks) {
    plant.supervise(&format!("devices of the {name}"), Stage::Sources, Policy::Restart, move |token| {
        let devices = devices.clone();
        async move { Ok(modbus::serve(address, devices, token).await?) }
    });
}

fn publish_mqtt(name: &'static str, broker: Broker, device: Device, clock: &Clock, plant: &mut Tasks) {
    let clock = clock.clone();
    plant.supervise(&format!("device {name}"), Stage::Sources, Policy::Restart, move |token| {
        let (device, clock) = (device.clone(), clock.clone());
        async move {
            mqtt::publish(broker.v5, name, REPORT_EVERY_MS, device, clock, token).await;
            Ok(())
        }
    });
}

#[cfg(test)]
mod tests {
    use super::{Addresses, config, files, load, parse_speed};
    use crate::model::problem::Problem;

    #[test]
    fn the_files_of_the_demo_are_right() {
        for (name, text) in files::GATEWAYS {
            let (gateway, problems) = config::load_gateway(name, text);
            let expected = |problem: &Problem| problem.message.contains("has no value at grain 5min");
            assert!(problems.0.iter().all(expected), "{}", config::render(&problems, name, text, false));
            gateway.unwrap().plant();
        }
        let (name, text) = files::HUB;
        let (hub, problems) = config::load_hub(name, text);
        assert!(problems.0.is_empty(), "{}", config::render(&problems, name, text, false));
        let hub = hub.unwrap();
        assert_eq!((hub.parks.len(), hub.sites.len(), hub.gateways.len()), (2, 3, 3));
    }

    #[test]
    fn boxes_share_with_the_hub_wherever_it_listens() {
        let addresses = Addresses::find(None).unwrap();
        let hub = load(files::HUB, &addresses, config::load_hub).unwrap();
        for file in files::GATEWAYS {
            let gateway = load(file, &addresses, config::load_gateway).unwrap();
            let url = gateway.platforms[0].url.get_ref();
            assert_eq!(*url, format!("http://{}", hub.http.listen.get_ref()));
        }
    }

    #[test]
    fn speeds_are_bounded() {
        assert!(parse_speed("60").is_ok());
        for bad in ["0", "-1", "601", "NaN", "fast"] {
            assert!(parse_speed(bad).is_err(), "{bad}");
        }
    }
}
