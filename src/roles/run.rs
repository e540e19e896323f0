//! `parkgate run`: an edge box. Wires sources, pipeline, sinks, API and pages from one configuration.

use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::Context;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::{files as sample, key, load};
use crate::api::edge::Edge;
use crate::api::{Api, Backend};
use crate::config::Gateway;
use crate::model::id::StreamName;
use crate::model::record::ClockState;
use crate::model::tag::TagSpec;
use crate::model::time::Timestamp;
use crate::pipeline::{self, Ends, INBOX_BATCHES, Pipeline, StreamPolicy};
use crate::runtime::clock::Clock;
use crate::runtime::health::Health;
use crate::runtime::log;
use crate::runtime::secret::Secret;
use crate::runtime::synchronisation::{self, Witnesses};
use crate::runtime::tasks::{Policy, Stage, Tasks};
use crate::sinks::forwarder::SharedCursors;
use crate::sinks::influxdb::config::Content;
use crate::sinks::platform::status::Speaker;
use crate::sinks::{files, influxdb, mqtt as mqtt_sink, platform};
use crate::sources::{modbus, mqtt};
use crate::store::{Reader, Store};

/// Time that each stage of the shutdown has.
const STAGE_DEADLINE: Duration = Duration::from_secs(1);

/// Arguments of `parkgate run`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The configuration.
    #[arg(short, long, default_value = "gateway.toml")]
    config: PathBuf,
    /// Log as JSON lines.
    #[arg(long)]
    json: bool,
    /// Rehearse: plant time runs so many times as fast, and every record says that it is simulated.
    #[arg(long, requires = "from", value_parser = speed)]
    speed: Option<f64>,
    /// Rehearse: plant time at the start.
    #[arg(long, requires = "speed")]
    from: Option<Timestamp>,
}

/// Plant time runs at most so many times as fast as real time; beyond it polls can't follow.
const SPEED_MAX: f64 = 1000.0;

fn speed(text: &str) -> Result<f64, String> {
    let speed = text.parse::<f64>().ok().filter(|speed| *speed >= 1.0 && *speed <= SPEED_MAX);
    speed.ok_or_else(|| format!("\"{text}\" is not a speed: expected a number from 1 to {SPEED_MAX}"))
}

/// Runs an edge box until SIGINT or SIGTERM.
///
/// # Errors
/// What kept it from starting, or stopped it.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let Some(gateway) = load::gateway(&args.config)? else { return Ok(load::refused()) };
    log::start(args.json);
    let id = gateway.gateway.id.get_ref().clone();
    let clock = match (args.from, args.speed) {
        (Some(from), Some(speed)) => Clock::scaled(from, speed),
        _ => Clock::system(),
    };
    super::block_on_one(async {
        let running = start(gateway, clock).await?;
        writeln!(std::io::stdout(), "parkgate box {id} at http://{}", running.address())?;
        let failed = super::until_stopped(&running.stopped()).await;
        let late = running.shutdown(STAGE_DEADLINE).await;
        Ok(if failed || !late.is_empty() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
    })
}

/// An edge box at work.
#[derive(Debug)]
pub struct RunningGateway {
    tasks: Tasks,
    address: SocketAddr,
    health: Health,
    reader: Reader,
}

impl RunningGateway {
    /// Returns where pages and API are.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns its health board.
    pub fn health(&self) -> &Health {
        &self.health
    }

    /// Returns a reader of its store.
    pub fn reader(&self) -> &Reader {
        &self.reader
    }

    /// Returns the token that is cancelled when the box can't go on.
    pub fn stopped(&self) -> CancellationToken {
        self.tasks.stopped()
    }

    /// Stops in stages; returns the names of the late.
    pub async fn shutdown(self, deadline: Duration) -> Vec<String> {
        self.tasks.shutdown(deadline).await
    }
}

/// Starts an edge box.
///
/// # Errors
/// What kept it from starting: the data directory, the key, the store, a secret, the address.
pub async fn start(gateway: Gateway, clock: Clock) -> anyhow::Result<RunningGateway> {
    let data_dir = gateway.gateway.data_dir.get_ref();
    std::fs::create_dir_all(data_dir).with_context(|| format!("data directory {}", data_dir.display()))?;
    let plant = Arc::new(gateway.plant());
    let mut store = Store::open(data_dir, &plant.tags, plant.config, &gateway.text)?;
    store.hold_samples_for(gateway.influx.iter().filter_map(influxdb::samples_cursor).collect());
    store.retain_by(gateway.store.retention(record_cursors(&gateway)));
    let cursors: SharedCursors = Arc::new(Mutex::new(store.cursors()?));
    let reader = store.reader();
    let streams: Vec<StreamName> = gateway.platforms.iter().map(|sink| sink.name.get_ref().clone()).collect();
    let keys = key::open_all(data_dir, &reader, &streams)?;
    // While another key takes over, every receiver knows this one.
    let speaker = Speaker { gateway: gateway.gateway.id.get_ref().clone(), key: Arc::new(keys.current.clone()) };
    let edge = Edge {
        gateway: gateway.gateway.id.get_ref().clone(),
        key_thumbprint: keys.newest().kid(),
        plant: Arc::clone(&plant),
        reader: reader.clone(),
    };
    let mut tasks = Tasks::default();
    watch_clock(&clock, &mut tasks).await;
    let policies = gateway.platforms.iter().map(|sink| StreamPolicy {
        name: sink.name.get_ref().clone(),
        epoch: sink.epoch(),
        policy: sink.share.policy(),
    });
    let pipeline =
        Pipeline::open(Arc::clone(&plant), clock.state(), edge.gateway.clone(), policies.collect(), keys, store)?;
    let health = Health::default();
    let (wake, woken) = watch::channel(0);
    start_sources_and_pipeline(&gateway, pipeline, &plant.tags, wake, &clock, &health, &mut tasks);
    start_sinks(&gateway, speaker, (&reader, &cursors, &woken), &clock, &health, &mut tasks);
    let token = gateway.http.token.as_ref().map(Secret::resolve).transpose()?;
    let api = Api::new(Backend::Edge(edge), health.clone(), clock, token);
    let address = super::start_http(&api, *gateway.http.listen.get_ref(), &mut tasks).await?;
    Ok(RunningGateway { tasks, address, health, reader })
}

/// Returns the names of the cursors over the record log.
fn record_cursors(gateway: &Gateway) -> Vec<String> {
    let influx = gateway.influx.iter().filter(|sink| sink.sends(Content::Records)).map(|sink| sink.name.get_ref());
    influx.chain(gateway.brokers.iter().map(|sink| sink.name.get_ref())).map(ToString::to_string).collect()
}

/// Learns whether the clock is synchronised before anything is measured by it, and keeps that true.
async fn watch_clock(clock: &Clock, tasks: &mut Tasks) {
    if clock.state() == ClockState::Simulated {
        return;
    }
    let witnesses = Witnesses::default();
    clock.set_state(witnesses.ask(clock.now()).await);
    let clock = clock.clone();
    tasks.supervise("clock", Stage::Sources, Policy::Restart, move |token| {
        let (clock, witnesses) = (clock.clone(), witnesses.clone());
        async move {
            synchronisation::watch(clock, witnesses, token).await;
            Ok(())
        }
    });
}

fn start_sources_and_pipeline(
    gateway: &Gateway,
    pipeline: Pipeline,
    tags: &[TagSpec],
    wake: watch::Sender<u64>,
    clock: &Clock,
    health: &Health,
    tasks: &mut Tasks,
) {
    let (outbox, inbox) = mpsc::channel(INBOX_BATCHES);
    let sources = gateway.modbus.len() + gateway.mqtt.len();
    let committed: Vec<watch::Sender<u64>> = (0..sources).map(|_| watch::Sender::new(0)).collect();
    for endpoint in modbus::device::endpoints(&gateway.modbus, &gateway.profiles, tags) {
        let (clock, health, outbox) = (clock.clone(), health.clone(), outbox.clone());
        let name = format!("modbus {endpoint}");
        tasks.supervise(&name, Stage::Sources, Policy::Restart, move |token| {
            let (endpoint, clock, health, outbox) = (endpoint.clone(), clock.clone(), health.clone(), outbox.clone());
            async move {
                modbus::poll::run(endpoint, clock, health, outbox, token).await;
                Ok(())
            }
        });
    }
    for (index, source) in &gateway.mqtt {
        let subscriber = mqtt::subscribe::Subscriber::new(
            gateway.gateway.id.get_ref(),
            *index,
            source.clone(),
            tags,
            clock.clone(),
            health.clone(),
            outbox.clone(),
            committed[usize::from(index.0)].subscribe(),
        );
        tasks.supervise(&format!("mqtt {}", source.name.get_ref()), Stage::Sources, Policy::Restart, move |token| {
            let subscriber = subscriber.clone();
            async move { Ok(mqtt::subscribe::run(subscriber, token).await?) }
        });
    }
    let (clock, health) = (clock.clone(), health.clone());
    let mut parts = Some((pipeline, Ends { inbox, committed, wake }));
    tasks.supervise("pipeline", Stage::Pipeline, Policy::Stop, move |token| {
        let (parts, clock, health) = (parts.take(), clock.clone(), health.clone());
        async move {
            let (pipeline, ends) = parts.context("the pipeline is never started twice")?;
            Ok(pipeline::run(pipeline, ends, &clock, &health, &token).await?)
        }
    });
}

fn start_sinks(
    gateway: &Gateway,
    speaker: Speaker,
    (reader, cursors, woken): (&Reader, &SharedCursors, &watch::Receiver<u64>),
    clock: &Clock,
    health: &Health,
    tasks: &mut Tasks,
) {
    for sink in &gateway.platforms {
        let (sink, zone, speaker) = (sink.clone(), gateway.gateway.zone(), speaker.clone());
        let (reader, cursors, woken) = (reader.clone(), Arc::clone(cursors), woken.clone());
        let (clock, health) = (clock.clone(), health.clone());
        tasks.supervise(&format!("sink {}", sink.name.get_ref()), Stage::Forwarders, Policy::Restart, move |token| {
            let (reader, cursors, woken) = (reader.clone(), Arc::clone(&cursors), woken.clone());
            let (sink, zone, speaker) = (sink.clone(), zone.clone(), speaker.clone());
            let run = platform::run(sink, zone, speaker, reader, cursors, woken, clock.clone(), health.clone(), token);
            async move { Ok(run.await?) }
        });
    }
    for sink in &gateway.influx {
        let (sink, site) = (sink.clone(), gateway.gateway.site.get_ref().clone());
        let (reader, cursors, woken) = (reader.clone(), Arc::clone(cursors), woken.clone());
        let (clock, health) = (clock.clone(), health.clone());
        tasks.supervise(&format!("sink {}", sink.name.get_ref()), Stage::Forwarders, Policy::Restart, move |token| {
            let (reader, cursors, woken) = (reader.clone(), Arc::clone(&cursors), woken.clone());
            let (sink, site) = (sink.clone(), site.clone());
            let run = influxdb::run(sink, site, reader, cursors, woken, clock.clone(), health.clone(), token);
            async move { Ok(run.await?) }
        });
    }
    for sink in &gateway.brokers {
        let (sink, gateway) = (sink.clone(), gateway.gateway.id.get_ref().clone());
        let (reader, cursors, woken) = (reader.clone(), Arc::clone(cursors), woken.clone());
        let (clock, health) = (clock.clone(), health.clone());
        tasks.supervise(&format!("sink {}", sink.name.get_ref()), Stage::Forwarders, Policy::Restart, move |token| {
            let (reader, cursors, woken) = (reader.clone(), Arc::clone(&cursors), woken.clone());
            let (sink, gateway) = (sink.clone(), gateway.clone());
            let run = mqtt_sink::run(sink, gateway, reader, cursors, woken, clock.clone(), health.clone(), token);
            async move { Ok(run.await?) }
        });
    }
    for sink in &gateway.files {
        let (sink, stations) = (sink.clone(), sink.stations(|id| sample::parameter_of(gateway, id)));
        let (reader, cursors, woken) = (reader.clone(), Arc::clone(cursors), woken.clone());
        let (clock, health) = (clock.clone(), health.clone());
        tasks.supervise(&format!("sink {}", sink.name.get_ref()), Stage::Forwarders, Policy::Restart, move |token| {
            let (reader, cursors, woken) = (reader.clone(), Arc::clone(&cursors), woken.clone());
            let (sink, stations) = (sink.clone(), stations.clone());
            let run = files::run(sink, stations, reader, cursors, woken, clock.clone(), health.clone(), token);
            async move {
                run.await;
                Ok(())
            }
        });
    }
}
