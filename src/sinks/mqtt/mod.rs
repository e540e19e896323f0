//! Records as JSON to a broker of the factory or the park.
//!
//! In: the record log, complete and in order. Out: one publication a record, quality of service 1. The cursor moves when
//! the broker has acknowledged every publication of a batch; whatever ends a connection before, the batch is read from the
//! store and sent again. A record that comes twice is the same record: site, asset, grain, window and revision name it. Each
//! batch is a line of the exchange log, with the hash over its payloads one after the other.

pub mod config;
mod link;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use self::config::MqttSink;
use self::link::{Client, Connection, Event, Refusal, Settings};
use super::forwarder::{Flow, Forwarder, SharedCursors};
use super::http::Failure;
use crate::model::broker::Address;
use crate::model::id::{GatewayId, StreamName};
use crate::model::record::WindowRecord;
use crate::runtime::clock::Clock;
use crate::runtime::health::Health;
use crate::runtime::secret::SecretError;
use crate::runtime::tls::{self, Identity, TlsError};
use crate::store::{Cargo, Exchange, Log, Outcome, Reader};

/// Records of one batch, at most: so many publications are under way.
const BATCH_RECORDS_MAX: u16 = 100;

/// Longest wait for the broker's answer to a connection or a batch unless configured, real time.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Longest real time that a goodbye to the broker takes.
const FAREWELL_MAX: Duration = Duration::from_millis(500);

/// Events that wait for the forwarder, at most: two for each publication of a batch, and some.
const EVENTS_MAX: usize = 2 * BATCH_RECORDS_MAX as usize + 16;

/// Why the sink can't start.
#[derive(Debug, thiserror::Error)]
pub enum MqttError {
    /// The password can't be had.
    #[error("password of sink \"{0}\": {1}")]
    Password(StreamName, SecretError),
    /// A certificate or key can't be used.
    #[error("sink \"{0}\": {1}")]
    Tls(StreamName, TlsError),
    /// The address is none.
    #[error("sink \"{0}\": {1}")]
    Address(StreamName, String),
}

/// Forwards the record log until `token` is cancelled.
///
/// # Errors
/// [`MqttError`], shown in health too; the role starts the task again later.
#[expect(clippy::too_many_arguments, reason = "what every sink gets, and the box that the session is named after")]
pub async fn run(
    config: MqttSink,
    gateway: GatewayId,
    reader: Reader,
    cursors: SharedCursors,
    wake: watch::Receiver<u64>,
    clock: Clock,
    health: Health,
    token: CancellationToken,
) -> Result<(), MqttError> {
    let forwarder = Forwarder::new(config.name.get_ref().as_str(), (reader, cursors), wake, (clock, health), token);
    let mut publisher = Publisher { forwarder, config, batch: usize::from(BATCH_RECORDS_MAX), sent: None };
    while !publisher.forwarder.is_stopping() {
        // Certificates and secrets are read anew for each connection: they are renewed.
        let settings = settings(&publisher.config, &gateway);
        let settings = settings.inspect_err(|error| publisher.forwarder.fail(&error.to_string()))?;
        let failure = match publisher.session(&settings).await {
            Ok(Flow::Stop) => break,
            Ok(Flow::Continue) => continue,
            Err(failure) => failure,
        };
        publisher.write_down(Outcome::Failed, &failure.reason, None).await.unwrap_or_else(|error| {
            publisher.forwarder.fail(&error.reason);
        });
        if publisher.forwarder.pause(&failure).await == Flow::Stop {
            break;
        }
    }
    Ok(())
}

fn settings(config: &MqttSink, gateway: &GatewayId) -> Result<Settings, MqttError> {
    let name = || config.name.get_ref().clone();
    let address = Address::parse(config.url.get_ref()).map_err(|error| MqttError::Address(name(), error))?;
    let password = config.password.as_ref().map(|secret| secret.resolve()).transpose();
    let password = password.map_err(|error| MqttError::Password(name(), error))?;
    let tls = address.tls.then(|| trust(config).map(Arc::new)).transpose();
    let own_id = config.client_id.as_ref().map(|id| id.get_ref().clone());
    Ok(Settings {
        address,
        is_v311: config.is_v311(),
        client_id: own_id.unwrap_or_else(|| format!("parkgate-{gateway}-to-{}", config.name.get_ref())),
        login: config.username.as_ref().map(|user| (user.get_ref().clone(), password)),
        tls: tls.map_err(|error| MqttError::Tls(name(), error))?,
        in_flight_max: BATCH_RECORDS_MAX,
    })
}

fn trust(config: &MqttSink) -> Result<rustls::ClientConfig, TlsError> {
    let path = |file: &Option<toml::Spanned<PathBuf>>| file.as_ref().map(|file| file.get_ref().clone());
    let (cert_file, key_file) = (path(&config.cert_file), path(&config.key_file));
    let identity = match (&cert_file, &key_file) {
        (Some(cert_file), Some(key_file)) => Some(Identity { cert_file, key_file }),
        _ => None,
    };
    tls::client(path(&config.ca_file).as_deref(), identity)
}

/// The log on its way to one broker.
struct Publisher {
    forwarder: Forwarder,
    config: MqttSink,
    /// Records of the next batch: one after a refusal, so that the refused one is found; doubled by an acceptance.
    batch: usize,
    /// What is sent and not answered yet.
    sent: Option<Exchange>,
}

impl Publisher {
    /// Connects and delivers until the connection is lost or the role stops.
    async fn session(&mut self, settings: &Settings) -> Result<Flow, Failure> {
        let (client, mut connection) = link::open(settings);
        let (outbox, mut events) = mpsc::channel(EVENTS_MAX);
        // One future polls the connection and is never cancelled but with it; the other reads what it says.
        let flow = tokio::select! {
            lost = carry(&mut connection, outbox) => Err(lost),
            delivered = self.deliver(&client, &mut events) => delivered,
        };
        if matches!(flow, Ok(Flow::Stop)) && client.disconnect() {
            let farewell = async { while connection.poll().await.is_ok() {} };
            // A broker that doesn't end the connection in this time sees it end.
            timeout(FAREWELL_MAX, farewell).await.ok();
        }
        flow
    }

    async fn deliver(&mut self, client: &Client, events: &mut mpsc::Receiver<Event>) -> Result<Flow, Failure> {
        let connected = wait_for(events, |event| (event == Event::Connected).then_some(()));
        let limit = self.timeout();
        let Some(connected) = self.forwarder.until_stop(timeout(limit, connected)).await else { return Ok(Flow::Stop) };
        connected.map_err(|_| Failure::new(format!("no answer to the connection in {limit:.0?}")))??;
        while self.deliver_batch(client, events).await? == Flow::Continue {}
        Ok(Flow::Stop)
    }

    /// Publishes the batch after the cursor and waits for its acknowledgements, or waits for a commit.
    async fn deliver_batch(&mut self, client: &Client, events: &mut mpsc::Receiver<Event>) -> Result<Flow, Failure> {
        let (name, batch) = (self.forwarder.name.clone(), self.batch);
        let cursor = self.forwarder.cursors(move |cursors| cursors.get(&name)).await?;
        let records = self.forwarder.read(move |reader| reader.records_after(cursor, batch)).await?;
        self.forwarder.show_backlog(Log::Records, cursor).await?;
        let Some((last, _)) = records.last() else {
            self.forwarder.is_well();
            return Ok(self.forwarder.wait_for_commit().await);
        };
        let last = *last;
        let payloads = records.iter().map(|(_, record)| serde_json::to_vec(record));
        let payloads: Vec<Vec<u8>> =
            payloads.collect::<Result<_, _>>().map_err(|error| Failure::new(error.to_string()))?;
        self.sent =
            Some(self.forwarder.sending(&self.place(), Cargo::Records, (records[0].0, last), &payloads.concat()));
        for ((_, record), payload) in records.iter().zip(payloads) {
            if !client.publish(&self.config.topic_of(record), self.config.retain, payload) {
                return Err(Failure::new("the connection takes no more publications"));
            }
        }
        let limit = self.timeout();
        let answers = timeout(limit, answers(events, records.len()));
        let Some(answers) = self.forwarder.until_stop(answers).await else { return Ok(Flow::Stop) };
        let late = || format!("{} records are not acknowledged after {limit:.0?}", records.len());
        match answers.map_err(|_| Failure::new(late()))?? {
            Ok(()) => {
                self.write_down(Outcome::Acknowledged, "acknowledged", Some(last)).await?;
                self.moved_on(last, records.len());
            }
            Err(refusal) => {
                self.write_down(Outcome::Refused, &refusal.reason, None).await?;
                self.refused(&records, &refusal).await?;
            }
        }
        Ok(Flow::Continue)
    }

    /// Host and port of the broker, for the exchange log.
    fn place(&self) -> String {
        Address::parse(self.config.url.get_ref())
            .map_or_else(|_| String::new(), |at| format!("{}:{}", at.host, at.port))
    }

    /// Writes down how the batch that was sent has ended, and moves the cursor with it; nothing where none was sent.
    async fn write_down(&mut self, outcome: Outcome, answer: &str, moved_to: Option<u64>) -> Result<(), Failure> {
        match self.sent.take() {
            Some(sent) => {
                self.forwarder.exchanged(Exchange { outcome, answer: answer.to_owned(), ..sent }, moved_to).await
            }
            None => Ok(()),
        }
    }

    /// Moves the cursor past a record that the broker will never take.
    async fn skip_to(&mut self, to: u64) -> Result<(), Failure> {
        let name = self.forwarder.name.clone();
        self.forwarder.cursors(move |cursors| cursors.set(&name, to)).await?;
        self.moved_on(to, 0);
        Ok(())
    }

    fn moved_on(&mut self, to: u64, delivered: usize) {
        self.batch = (self.batch * 2).min(usize::from(BATCH_RECORDS_MAX));
        self.forwarder.health.count(&self.forwarder.component, "delivered_records", delivered as u64);
        self.forwarder.health.gauge(&self.forwarder.component, "delivered_through", to);
        self.forwarder.backoff.reset();
        self.forwarder.is_well();
    }

    /// Sends one by one, or keeps the one record the broker won't ever take and goes on after it.
    async fn refused(&mut self, records: &[(u64, WindowRecord)], refusal: &Refusal) -> Result<(), Failure> {
        let Refusal { reason, is_final } = refusal;
        match records {
            [(log_seq, record)] if *is_final => {
                let what = format!("{} {} {} rev {}", record.asset, record.grain, record.window.start, record.revision);
                self.forwarder.keep_undeliverable(*log_seq, what, format!("the broker says {reason}")).await?;
                self.skip_to(*log_seq).await
            }
            _ if *is_final => {
                self.batch = 1;
                Ok(())
            }
            _ => Err(Failure::new(format!("the broker refuses publications: {reason}"))),
        }
    }

    fn timeout(&self) -> Duration {
        let configured = self.config.timeout.as_ref().map(|timeout| timeout.get_ref().as_ms().unsigned_abs());
        configured.map_or(TIMEOUT, Duration::from_millis)
    }
}

/// Polls the connection until it is lost, and hands on what it says.
async fn carry(connection: &mut Connection, outbox: mpsc::Sender<Event>) -> Failure {
    loop {
        match connection.poll().await {
            Ok(Event::Other) => {}
            // The receiver lives as long as this future.
            Ok(event) => drop(outbox.send(event).await),
            Err(reason) => return Failure::new(format!("connection to the broker: {reason}")),
        }
    }
}

/// Waits for the event that `wanted` takes.
async fn wait_for<T>(
    events: &mut mpsc::Receiver<Event>,
    mut wanted: impl FnMut(Event) -> Option<T>,
) -> Result<T, Failure> {
    loop {
        let event = events.recv().await.ok_or_else(|| Failure::new("the connection ended"))?;
        if let Some(found) = wanted(event) {
            return Ok(found);
        }
    }
}

/// Waits until `count` publications are answered. Returns the refusal of the first one, in the order they were sent, that was
/// refused.
async fn answers(events: &mut mpsc::Receiver<Event>, count: usize) -> Result<Result<(), Refusal>, Failure> {
    let mut sent: BTreeMap<u16, usize> = BTreeMap::new();
    let mut refused: BTreeMap<usize, Refusal> = BTreeMap::new();
    let (mut next, mut answered) = (0, 0);
    wait_for(events, |event| {
        match event {
            Event::Sent(id) => {
                sent.insert(id, next);
                next += 1;
            }
            Event::Answered(id, answer) => {
                if let Some(position) = sent.remove(&id) {
                    answered += 1;
                    answer.err().and_then(|refusal| refused.insert(position, refusal));
                }
            }
            Event::Connected | Event::Other => {}
        }
        (answered == count).then_some(())
    })
    .await?;
    Ok(refused.pop_first().map_or(Ok(()), |(_, refusal)| Err(refusal)))
}
