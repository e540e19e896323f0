//! Text files of monitoring stations for the receiving department, one for each station every five minutes.
//!
//! In: the facts of closed minutes, as the API's five-minute values are made of them. Out: files in a directory or on a
//! server, in the order of their cycles. A station's cursor is the number of its last cycle, and moves with the line in the exchange log.
//! A file is named after its cycle, so one that is written twice, because the box stopped between file and cursor, replaces
//! itself. Nothing is sent until the factory says that the department accepted a sample file.
//!
//! What late readings change after a file was written is not sent again: a department's file is never changed in silence.
//! The hour's next revision in the record log shows the change.

pub mod config;
pub mod directory;
pub mod encode;
mod ftps;
pub mod server;
mod sftp;
#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use sha2::Digest as _;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use self::config::FilesSink;
use self::encode::{File, Form, Station};
use self::ftps::Ftps;
use self::server::{Address, Protocol};
use self::sftp::Sftp;
use super::forwarder::{Flow, Forward, Forwarder, SharedCursors, forward};
use super::http::Failure;
use crate::model::fact::Facts;
use crate::model::id::Digest;
use crate::model::slot::{Slot, slot};
use crate::model::time::{MINUTE_MS, Timestamp, Window};
use crate::runtime::clock::Clock;
use crate::runtime::health::{Health, Status};
use crate::store::{Cargo, Cursors, Exchange, Outcome, Reader, StoreError};

/// How an exchange names a directory of this machine.
const HERE: &str = "this machine";
/// Longest wait for a server to take a farewell.
const FAREWELL: Duration = Duration::from_secs(2);

/// Writes files of `stations` until `token` is cancelled.
#[expect(clippy::too_many_arguments, reason = "what every sink gets, and the stations")]
pub async fn run(
    config: FilesSink,
    stations: Vec<Station>,
    reader: Reader,
    cursors: SharedCursors,
    wake: watch::Receiver<u64>,
    clock: Clock,
    health: Health,
    token: CancellationToken,
) {
    let name = config.name.get_ref();
    if config.accepted.is_none() {
        let detail = "waits for acceptance: make a sample with `parkgate files`, have the department accept it, and write \
                      when and by which document as accepted = \"…\"";
        health.set(&format!("sink.{name}"), Status::Degraded, detail, clock.now());
        return token.cancelled().await;
    }
    let form = Arc::new(config.form());
    let run = |station: Station| {
        // No sink's name holds a dot, so the cursor is nobody else's.
        let cursor = format!("{name}.{}", station.name);
        let (reader, cursors) = (reader.clone(), Arc::clone(&cursors));
        let shared = (clock.clone(), health.clone());
        let forwarder = Forwarder::new(&cursor, (reader, cursors), wake.clone(), shared, token.clone());
        let (destination, place) = Destination::of(&config);
        forward(Writer { forwarder, destination, place, form: Arc::clone(&form), station: Arc::new(station) })
    };
    futures_util::future::join_all(stations.into_iter().map(run)).await;
}

/// Returns a station's values of one cycle, in the order of its channels; `None` while a minute of it may still close.
///
/// # Errors
/// Those of a read.
pub fn slots(reader: &Reader, station: &Station, cycle: Window) -> Result<Option<Vec<Slot>>, StoreError> {
    let mut slots = Vec::with_capacity(station.channels.len());
    for channel in &station.channels {
        // Every closed minute of a channel has facts, if only that it was expected.
        if reader.latest_minute(&channel.asset)?.is_none_or(|latest| latest < cycle.end - MINUTE_MS) {
            return Ok(None);
        }
        let mut facts = Facts::default();
        let minutes = reader.facts(&channel.asset, cycle.start, cycle.end)?;
        minutes.iter().for_each(|(_, minute)| facts.merge_over_time(minute));
        slots.push(slot(&facts));
    }
    Ok(Some(slots))
}

/// Returns the newest cycle of a station of which every minute is closed; `None` where there is none.
///
/// # Errors
/// Those of a read.
pub fn newest_cycle(reader: &Reader, station: &Station) -> Result<Option<Window>, StoreError> {
    let mut oldest: Option<Timestamp> = None;
    for channel in &station.channels {
        let Some(latest) = reader.latest_minute(&channel.asset)? else { return Ok(None) };
        oldest = Some(oldest.map_or(latest, |other| other.min(latest)));
    }
    let number = oldest.map(|minute| encode::number_at(minute + MINUTE_MS).saturating_sub(1));
    Ok(number.filter(|number| *number > 0).map(encode::cycle))
}

/// Where one station's files go.
enum Destination {
    Directory(PathBuf),
    Sftp(Box<Sftp>, Duration),
    Ftps(Box<Ftps>, Duration),
    /// Nowhere: loading has refused the configuration.
    None,
}

impl Destination {
    /// Returns where files go, and what exchanges call it.
    fn of(config: &FilesSink) -> (Self, String) {
        let server = config.server.as_ref().and_then(|it| Some((it.clone(), Address::parse(it.url.get_ref()).ok()?)));
        match (&config.directory, server) {
            (Some(directory), _) => (Self::Directory(directory.get_ref().clone()), HERE.to_owned()),
            (None, Some((server, address))) => {
                let (limit, place) = (server.timeout(), address.place());
                let destination = match address.protocol {
                    Protocol::Sftp => Self::Sftp(Box::new(Sftp::new(server, address)), limit),
                    Protocol::Ftps => Self::Ftps(Box::new(Ftps::new(server, address)), limit),
                };
                (destination, place)
            }
            (None, None) => (Self::None, HERE.to_owned()),
        }
    }

    /// Puts a file where it belongs: whole under its name, or not there.
    async fn put(&mut self, file: File) -> Result<(), Failure> {
        let (put, limit) = match self {
            Self::Directory(root) => {
                let root = root.clone();
                let written = tokio::task::spawn_blocking(move || directory::put(&root, &file)).await;
                return match written {
                    Ok(written) => written.map_err(|error| Failure::new(error.to_string())),
                    Err(panic) => Err(Failure::new(panic.to_string())),
                };
            }
            Self::Sftp(sftp, limit) => (tokio::time::timeout(*limit, sftp.put(&file)).await, *limit),
            Self::Ftps(ftps, limit) => (tokio::time::timeout(*limit, ftps.put(&file)).await, *limit),
            Self::None => return Err(Failure::for_a_person("neither directory nor server is configured")),
        };
        let put = put.unwrap_or_else(|_| Err(Failure::new(format!("{} not written within {limit:?}", file.path()))));
        if put.is_err() {
            match self {
                Self::Sftp(sftp, _) => sftp.abandon(),
                Self::Ftps(ftps, _) => ftps.abandon(),
                Self::Directory(_) | Self::None => {}
            }
        }
        put
    }

    /// Ends the connection: until the next file comes, the server would.
    async fn rest(&mut self) {
        let _ = match self {
            Self::Sftp(sftp, _) => tokio::time::timeout(FAREWELL, sftp.close()).await,
            Self::Ftps(ftps, _) => tokio::time::timeout(FAREWELL, ftps.close()).await,
            Self::Directory(_) | Self::None => Ok(()),
        };
    }
}

/// One station's files on their way.
struct Writer {
    forwarder: Forwarder,
    destination: Destination,
    /// Where that is, as exchanges are listed.
    place: String,
    form: Arc<Form>,
    station: Arc<Station>,
}

impl Forward for Writer {
    fn forwarder(&mut self) -> &mut Forwarder {
        &mut self.forwarder
    }

    /// Writes the file after the cursor, or waits for a commit.
    async fn forward_some(&mut self) -> Result<Flow, Failure> {
        let number = self.cursor().await? + 1;
        let cycle = encode::cycle(number);
        self.show_backlog(number, cycle);
        // Before its end nothing needs to be read to know that it isn't over.
        let slots = if self.forwarder.clock.now() < cycle.end {
            None
        } else {
            let station = Arc::clone(&self.station);
            self.forwarder.read(move |reader| slots(reader, &station, cycle)).await?
        };
        let Some(slots) = slots else {
            self.forwarder.is_well();
            self.destination.rest().await;
            return Ok(self.forwarder.wait_for_commit().await);
        };
        self.deliver(number, encode::file(&self.form, &self.station, cycle, &slots)).await
    }
}

impl Writer {
    /// Shows how many cycles are over without their file, and for how long the oldest of them.
    fn show_backlog(&self, number: u64, cycle: Window) {
        let (health, now) = (&self.forwarder.health, self.forwarder.clock.now());
        let waited_ms = now.ms_since(cycle.end).max(0).unsigned_abs();
        health.gauge(&self.forwarder.component, "backlog_files", encode::number_at(now).saturating_sub(number));
        health.gauge(&self.forwarder.component, "backlog_seconds", waited_ms / 1_000);
    }

    /// Returns the number of the last cycle that needs no file. The first file is that of the first whole cycle.
    async fn cursor(&self) -> Result<u64, Failure> {
        let (name, current) = (self.forwarder.name.clone(), encode::number_at(self.forwarder.clock.now()));
        let cursor = move |cursors: &mut Cursors| match cursors.get(&name)? {
            0 => cursors.set(&name, current).map(|()| current),
            cursor => Ok(cursor),
        };
        self.forwarder.cursors(cursor).await
    }

    async fn deliver(&mut self, number: u64, file: File) -> Result<Flow, Failure> {
        let mut exchange = Exchange {
            sink: self.forwarder.name.clone(),
            at: self.forwarder.clock.now(),
            destination: self.place.clone(),
            cargo: Cargo::File,
            first: number,
            last: number,
            name: Some(file.path()),
            epoch: None,
            bytes: file.text.len() as u64,
            hash: Digest(sha2::Sha256::digest(&file.text).into()),
            outcome: Outcome::Acknowledged,
            answer: "written".to_owned(),
        };
        // A server may keep a file waiting for long, and the box must be able to stop.
        let Some(put) = self.forwarder.until_stop(self.destination.put(file)).await else { return Ok(Flow::Stop) };
        if let Err(failure) = put {
            (exchange.outcome, exchange.answer) = (Outcome::Failed, failure.reason.clone());
            self.forwarder.exchanged(exchange, None).await?;
            return Err(failure);
        }
        self.forwarder.exchanged(exchange, Some(number)).await?;
        self.forwarder.health.count(&self.forwarder.component, "delivered_files", 1);
        self.forwarder.health.gauge(&self.forwarder.component, "delivered_through", number);
        self.forwarder.backoff.reset();
        self.forwarder.is_well();
        Ok(Flow::Continue)
    }
}
