//! The session at one broker: connect, subscribe, gather, hand over, acknowledge after the commit, connect again.
//!
//! One task polls the connection and does everything else between two polls. It never waits for the client crate's
//! queue, and never cancels a poll. While the pipeline is behind, it stops polling: the broker then holds what it
//! promised to deliver, and the operating system's buffers slow the rest.

use std::future::Future;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::config::{MqttSource, Version};
use super::host::{Heard, Host};
use super::intake::{Gathered, Intake, Tally};
use super::link::{self, Client, Event, Lost, Message, Settings, Subscription};
use super::sparkplug::config as sparkplug;
use super::unacknowledged::{Packet, Unacknowledged};
use crate::model::broker::Address;
use crate::model::id::GatewayId;
use crate::model::sample::SampleBatch;
use crate::model::tag::{SourceIndex, TagSpec};
use crate::model::time::Timestamp;
use crate::runtime::backoff::Backoff;
use crate::runtime::clock::Clock;
use crate::runtime::health::{Health, Reporter, Status};
use crate::runtime::secret::SecretError;
use crate::runtime::tls::{self, Identity, TlsError};
use crate::sources::checks::{Arrival, Checks};
use crate::sources::report_checks;

/// Real time after the last message when the input counts as idle and what was gathered is handed over.
const IDLE: Duration = Duration::from_millis(5);
/// Longest real time a message waits to be handed over.
const GATHER_MAX: Duration = Duration::from_millis(50);
/// Samples at which a batch is handed over at once.
const BATCH_SAMPLES: usize = 2_000;
/// Samples that are kept while the pipeline is behind; then the connection is not polled any more.
const GATHERED_SAMPLES_MAX: usize = 10_000;
/// Real delays between two attempts to connect.
const RECONNECT: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(30));
/// A connection that lasted this long was one: the next attempt comes soon. Two clients with one identifier throw each
/// other out at once, and must not do it as fast as they can.
const LASTED: Duration = Duration::from_secs(10);
/// Real time after which a subscription that the broker refused is asked for again: rights are changed there, not here.
const ASK_AGAIN: Duration = Duration::from_secs(60);
/// Real time between two writings of counts to the health board: thousands of messages must not take its lock each.
const COUNTS_EVERY: Duration = Duration::from_millis(100);
/// Longest real time that a stop waits for commits to acknowledge, and then for the farewell to be sent.
const STOP_MAX: Duration = Duration::from_millis(700);
const FAREWELL_MAX: Duration = Duration::from_millis(200);

/// Why a session can't begin. A broker that is away is no error: the session waits for it.
#[derive(Debug, thiserror::Error)]
pub enum MqttError {
    /// The password can't be had.
    #[error("password of source \"{0}\": {1}")]
    Password(String, SecretError),
    /// A certificate or key can't be used.
    #[error("source \"{0}\": {1}")]
    Tls(String, TlsError),
    /// The address is none.
    #[error("source \"{0}\": {1}")]
    Address(String, String),
}

/// Everything one session needs. Clones share the delivery counter, so that a session that is started again after
/// a panic never reuses a number that is still under way.
#[derive(Debug, Clone)]
pub struct Subscriber {
    index: SourceIndex,
    config: Arc<MqttSource>,
    client_id: String,
    tags: Arc<[TagSpec]>,
    clock: Clock,
    health: Health,
    inbox: mpsc::Sender<SampleBatch>,
    committed: watch::Receiver<u64>,
    deliveries: Arc<AtomicU64>,
    reconnect: (Duration, Duration),
}

impl Subscriber {
    /// Prepares the session of source `index`. `tags` are all tags of the plant, sorted by name; `committed` is the
    /// highest delivery of this source that the pipeline has committed.
    #[expect(clippy::too_many_arguments, reason = "wiring of one source, called once by the role")]
    pub fn new(
        gateway: &GatewayId,
        index: SourceIndex,
        config: MqttSource,
        tags: &[TagSpec],
        clock: Clock,
        health: Health,
        inbox: mpsc::Sender<SampleBatch>,
        committed: watch::Receiver<u64>,
    ) -> Self {
        let client_id = match &config.client_id {
            Some(given) => given.get_ref().clone(),
            None => format!("parkgate-{gateway}-{}", config.name.get_ref()),
        };
        let (config, tags) = (Arc::new(config), Arc::from(tags));
        let (deliveries, reconnect) = (Arc::default(), RECONNECT);
        Self { index, config, client_id, tags, clock, health, inbox, committed, deliveries, reconnect }
    }

    /// Returns the same with other delays between two attempts to connect: a test has no time for real ones.
    #[cfg(test)]
    pub(super) fn reconnecting(self, first: Duration, max: Duration) -> Self {
        Self { reconnect: (first, max), ..self }
    }

    fn settings(&self) -> Result<Settings, MqttError> {
        let config = &self.config;
        let name = || config.name.get_ref().to_string();
        let address = Address::parse(config.url.get_ref()).map_err(|error| MqttError::Address(name(), error))?;
        let password = config.password.as_ref().map(|secret| secret.resolve()).transpose();
        let password = password.map_err(|error| MqttError::Password(name(), error))?;
        let tls = address.tls.then(|| self.tls().map(Arc::new)).transpose();
        Ok(Settings {
            address,
            version: config.version(),
            client_id: self.client_id.clone(),
            login: config.username.as_ref().map(|user| (user.get_ref().clone(), password)),
            tls: tls.map_err(|error| MqttError::Tls(name(), error))?,
            receive_maximum: config.receive_maximum(),
            // A Sparkplug host begins anew on each connection, tck-id-message-flow-phid-sparkplug-clean-session-*.
            clean_start: sparkplug::is_sparkplug(config),
            session_expiry_s: if sparkplug::is_sparkplug(config) { 0 } else { link::SESSION_EXPIRY_S },
        })
    }

    fn tls(&self) -> Result<rustls::ClientConfig, TlsError> {
        let path = |file: &Option<toml::Spanned<PathBuf>>| file.as_ref().map(|file| file.get_ref().clone());
        let (cert_file, key_file) = (path(&self.config.cert_file), path(&self.config.key_file));
        let identity = match (&cert_file, &key_file) {
            (Some(cert_file), Some(key_file)) => Some(Identity { cert_file, key_file }),
            _ => None,
        };
        tls::client(path(&self.config.ca_file).as_deref(), identity)
    }
}

/// Runs the session until `token` is cancelled or the pipeline is gone.
///
/// # Errors
/// [`MqttError`] where it can't begin.
pub async fn run(subscriber: Subscriber, token: CancellationToken) -> Result<(), MqttError> {
    let settings = subscriber.settings()?;
    let (client, mut connection) = link::open(&settings);
    let mut backoff = Backoff::new(subscriber.reconnect.0, subscriber.reconnect.1);
    let mut session = Session::new(subscriber, client);
    let mut delay = Duration::ZERO;
    session.report();
    loop {
        if !session.connected {
            let wait = std::pin::pin!(tokio::time::sleep(std::mem::take(&mut delay)));
            if session.serve_until(wait, &token).await.is_none() {
                break;
            }
            // The will carries the instant of the connection it goes with.
            if let Some(will) = session.host.as_mut().and_then(Host::connecting) {
                connection.set_will(&will);
            }
        }
        let polled = {
            let poll = connection.poll();
            tokio::pin!(poll);
            session.serve_until(poll, &token).await
        };
        match polled {
            None => break,
            Some(Ok(event)) => {
                session.on_event(event);
                while session.has_room()
                    && let Some(event) = connection.buffered()
                {
                    session.on_event(event);
                }
            }
            Some(Err(lost)) => {
                if session.connected && session.connected_since.elapsed() >= LASTED {
                    backoff.reset();
                }
                delay = backoff.delay(fastrand::f64());
                session.on_lost(lost, delay);
                // A file that can't be read while it is being renewed: the one before serves as long as it is valid.
                if settings.tls.is_some()
                    && let Ok(renewed) = session.of.tls()
                {
                    connection.set_tls(Arc::new(renewed));
                }
            }
        }
    }
    if session.say_farewell() {
        let farewell = async { while connection.poll().await.is_ok() {} };
        // The broker notices a missing farewell by the closed connection.
        let _ = tokio::time::timeout(FAREWELL_MAX, farewell).await;
    }
    session.publish_counts();
    Ok(())
}

/// What one session knows between two polls.
struct Session {
    of: Subscriber,
    board: Reporter,
    client: Client,
    intake: Intake,
    checks: Checks,
    /// Reads the messages instead of `intake` where they are Sparkplug's.
    host: Option<Host>,
    subscriptions: Vec<Subscription>,
    unacknowledged: Unacknowledged,
    gathered: Gathered,
    gathering_since: Instant,
    last_message: Instant,
    connected: bool,
    connected_since: Instant,
    /// Why the connection was lost the last time, and when the next attempt comes.
    lost: String,
    /// Attempts to connect since the last connection.
    attempts: u32,
    /// Filters the broker refuses, or grants without acknowledgement.
    refused: Vec<String>,
    /// Whether the broker granted everything since this session began.
    is_subscribed: bool,
    /// When they are asked for again.
    ask_again_at: Option<Instant>,
    /// What was counted since the health board was written the last time, and when that may be done again.
    tally: Tally,
    counts_due: Instant,
    /// Whether something came that the operator should see.
    is_report_due: bool,
    stop_at: Option<Instant>,
}

impl Session {
    fn new(of: Subscriber, client: Client) -> Self {
        let now = Instant::now();
        let host = Host::new(&of.config, of.index, &of.tags, &of.clock);
        let own_state = host.as_ref().and_then(Host::own_state);
        Self {
            board: of.health.reporter(&format!("source.{}", of.config.name.get_ref()), of.clock.now()),
            intake: Intake::new(&of.config, of.index, &of.tags),
            checks: Checks::new(
                of.config.name.get_ref(),
                of.index,
                &of.config.declared(),
                of.config.device_state.as_ref(),
                &of.tags,
                Arrival::Published,
            ),
            subscriptions: Intake::subscriptions(&of.config).into_iter().chain(own_state).collect(),
            host,
            of,
            client,
            unacknowledged: Unacknowledged::default(),
            gathered: Gathered::default(),
            gathering_since: now,
            last_message: now,
            connected: false,
            connected_since: now,
            lost: "not connected yet".to_owned(),
            attempts: 0,
            refused: Vec::new(),
            is_subscribed: false,
            ask_again_at: None,
            tally: Tally::default(),
            counts_due: now,
            is_report_due: false,
            stop_at: None,
        }
    }

    /// Acknowledges, gathers and hands over until `poll` is done. `None`: the session ends.
    async fn serve_until<P>(&mut self, mut poll: Pin<&mut P>, token: &CancellationToken) -> Option<P::Output>
    where
        P: Future,
    {
        let inbox = self.of.inbox.clone();
        let mut committed = self.of.committed.clone();
        loop {
            self.acknowledge(*committed.borrow_and_update());
            let stopping = self.stop_at.is_some();
            if stopping && self.gathered.is_empty() && self.unacknowledged.len() == 0 {
                return None;
            }
            if let Some(host) = self.host.as_mut().filter(|_| self.connected) {
                host.say(&self.client);
            }
            let wake = self.host.as_ref().filter(|_| !stopping).and_then(Host::due);
            let confirmation = self.confirmation_due().filter(|_| !stopping);
            let confirms = confirmation.is_some_and(|due| due <= Instant::now());
            let due = self.due();
            let is_due = !self.gathered.is_empty() && due <= Instant::now();
            tokio::select! {
                biased;
                () = token.cancelled(), if !stopping => self.stop_at = Some(Instant::now() + STOP_MAX),
                () = sleep_until(self.stop_at.unwrap_or(due)), if stopping => return None,
                changed = committed.changed() => if changed.is_err() { return None },
                permit = inbox.reserve(), if is_due => match permit {
                    Ok(permit) => permit.send(self.batch()),
                    Err(_) => return None,
                },
                permit = inbox.reserve(), if confirms => match permit {
                    Ok(permit) => permit.send(self.confirmation()),
                    Err(_) => return None,
                },
                () = sleep_until(due), if !self.gathered.is_empty() && !is_due => {}
                () = sleep_until(confirmation.unwrap_or(due)), if confirmation.is_some() && !confirms => {}
                () = sleep_until(wake.unwrap_or(due)), if wake.is_some() => {
                    let heard = self.host.as_mut().map(Host::wake);
                    self.on_heard(heard.unwrap_or_default());
                }
                () = sleep_until(self.counts_due), if !self.tally.is_empty() => self.publish_counts(),
                () = sleep_until(self.ask_again_at.unwrap_or(due)), if self.ask_again_at.is_some() => self.subscribe(),
                polled = &mut poll, if self.has_room() => return Some(polled),
            }
        }
    }

    /// Says whether another message may be taken.
    fn has_room(&self) -> bool {
        self.gathered.len() < GATHERED_SAMPLES_MAX
    }

    /// Returns when what was gathered is to be handed over.
    fn due(&self) -> Instant {
        let window_is_full = self.unacknowledged.len() >= usize::from(self.of.config.receive_maximum());
        if window_is_full || self.gathered.len() >= BATCH_SAMPLES || self.stop_at.is_some() || !self.connected {
            self.gathering_since
        } else {
            (self.last_message + IDLE).min(self.gathering_since + GATHER_MAX)
        }
    }

    /// Returns the number of the delivery that is being gathered.
    fn delivery(&self) -> u64 {
        self.of.deliveries.load(Ordering::Relaxed) + 1
    }

    fn batch(&mut self) -> SampleBatch {
        let delivery = self.of.deliveries.fetch_add(1, Ordering::Relaxed) + 1;
        let Gathered { mut samples, context } = std::mem::take(&mut self.gathered);
        self.checks.judge(&mut samples);
        report_checks(&mut self.checks, self.of.config.name.get_ref(), &self.of.health, self.of.clock.now());
        self.tally.add("samples", samples.len() as u64);
        SampleBatch { source: self.of.index, delivery, received_at: self.of.clock.now(), samples, context }
    }

    /// Returns when what was last reported is to be confirmed. Not while samples are gathered: their messages wait for
    /// the next delivery's number.
    fn confirmation_due(&self) -> Option<Instant> {
        self.host.as_ref().filter(|_| self.gathered.is_empty()).and_then(Host::confirmation_due)
    }

    fn confirmation(&mut self) -> SampleBatch {
        if let Some(host) = &mut self.host {
            host.confirmed();
        }
        self.batch()
    }

    /// Says goodbye; a host says first that it goes. Returns whether the connection still has to be polled.
    fn say_farewell(&mut self) -> bool {
        if let Some(host) = self.host.as_mut().filter(|_| self.connected) {
            host.stop(&self.client);
        }
        self.connected && self.client.disconnect()
    }

    fn acknowledge(&mut self, committed: u64) {
        while let Some(id) = self.unacknowledged.due(committed).filter(|_| self.connected) {
            if !self.client.acknowledge(id) {
                // The queue is full; the next poll makes room and comes back here.
                break;
            }
            self.unacknowledged.acknowledged();
            self.tally.add("acknowledged", 1);
        }
    }

    fn on_event(&mut self, event: Event) {
        match event {
            Event::Connected { session_present } => self.on_connected(session_present),
            Event::Granted(granted) => self.on_granted(&granted),
            // What arrives while stopping stays unacknowledged, so the broker sends it again.
            Event::Message(_) if self.stop_at.is_some() => {}
            Event::Message(message) => self.on_message(&message),
            Event::Other => {}
        }
    }

    fn on_connected(&mut self, session_present: bool) {
        if !session_present {
            self.unacknowledged.session_lost();
        }
        (self.connected, self.connected_since, self.attempts) = (true, Instant::now(), 0);
        self.tally.add("connections", 1);
        self.tally.add("sessions_lost", u64::from(!session_present));
        // On 3.1.1 every subscription brings every retained message again, so a session that holds ours is left alone.
        // One of an earlier configuration may hold others: the first connection always asks.
        if self.of.config.version() == Version::V5 || !session_present || !self.is_subscribed {
            self.subscribe();
        }
        self.report();
    }

    /// Asks for every subscription.
    fn subscribe(&mut self) {
        self.ask_again_at = None;
        if !self.client.subscribe(&self.subscriptions) {
            self.refused = vec!["the request queue took no subscription".to_owned()];
            self.ask_again_at = Some(Instant::now() + ASK_AGAIN);
        }
    }

    fn on_granted(&mut self, granted: &[Option<u8>]) {
        let judge = |((filter, asked), granted): (&Subscription, &Option<u8>)| match granted {
            None => Some(format!("the broker refuses the subscription to {filter}")),
            Some(qos) if qos < asked => {
                Some(format!("the broker delivers {filter} with quality of service {qos} only"))
            }
            Some(_) => None,
        };
        self.refused = self.subscriptions.iter().zip(granted).filter_map(judge).collect();
        self.is_subscribed = self.refused.is_empty();
        self.ask_again_at = (!self.refused.is_empty()).then(|| Instant::now() + ASK_AGAIN);
        self.tally.add("granted", (granted.len() - self.refused.len().min(granted.len())) as u64);
        // A host that doesn't hear everything must not say that it is there.
        if granted.iter().all(Option::is_some) {
            let heard = self.host.as_mut().map(Host::subscribed);
            self.on_heard(heard.unwrap_or_default());
        }
        self.report();
    }

    fn on_message(&mut self, message: &Message) {
        self.tally.add("messages", 1);
        let packet = message.id.map(|id| Packet { id, content: content_of(message), again: message.again });
        if packet.is_some_and(|packet| self.unacknowledged.recognise(packet)) {
            self.tally.add("sent_again", 1);
            return;
        }
        let before = self.gathered.len();
        if let Some(host) = &mut self.host {
            let heard = host.message(message);
            self.on_heard(heard);
        } else {
            let now = self.of.clock.now();
            let (gathered, tally) = (&mut self.gathered, &mut self.tally);
            self.is_report_due |=
                self.intake.read(&message.topic(), &message.payload, message.retained, now, gathered, tally);
            self.gathered_after(before);
        }
        if let Some(packet) = packet {
            // Order of acknowledgement is order of arrival, so a message without samples waits for those before.
            let delivery = if self.gathered.is_empty() { self.delivery() - 1 } else { self.delivery() };
            self.unacknowledged.take(packet, delivery);
        }
    }

    /// Gathers what the host heard, and counts the rest.
    fn on_heard(&mut self, heard: Heard) {
        let before = self.gathered.len();
        self.gathered.samples.extend(heard.samples);
        self.gathered_after(before);
        self.is_report_due |= !heard.counted.is_empty();
        heard.counted.into_iter().for_each(|what| self.tally.add(what, 1));
    }

    /// Notes when the first and the last of what is gathered came; `before` were gathered already.
    fn gathered_after(&mut self, before: usize) {
        if self.gathered.len() > before {
            self.last_message = Instant::now();
            if before == 0 {
                self.gathering_since = self.last_message;
            }
        }
    }

    fn on_lost(&mut self, lost: Lost, next_after: Duration) {
        // What had been received belongs to the connection that is gone.
        lost.received.into_iter().for_each(|event| {
            if let Event::Message(message) = event
                && self.stop_at.is_none()
            {
                self.on_message(&message);
            }
        });
        self.tally.add(if self.connected { "connections_lost" } else { "failed_attempts" }, 1);
        self.connected = false;
        self.ask_again_at = None;
        self.attempts = self.attempts.saturating_add(1);
        self.lost = format!("{}; attempt {} follows in {next_after:.1?}", lost.reason, self.attempts);
        let heard = self.host.as_mut().map(Host::lost);
        self.on_heard(heard.unwrap_or_default());
        let stale = self.unacknowledged.connection_lost();
        self.tally.add("stale_acknowledgements", stale as u64);
        self.report();
    }

    /// Brings the counts of the health board up to date.
    fn publish_counts(&mut self) {
        self.counts_due = Instant::now() + COUNTS_EVERY;
        let counted: Vec<_> = self.tally.take().into_iter().collect();
        self.board.add(&counted);
        self.board.gauges(&[("unacknowledged", self.unacknowledged.len() as u64)]);
        if std::mem::take(&mut self.is_report_due) {
            if self.host.is_none() {
                self.board.note(self.intake.refused());
            }
            self.report();
        }
    }

    /// Brings the health board up to date; logs where the status changed.
    fn report(&mut self) {
        self.publish_counts();
        let (name, url) = (self.of.config.name.get_ref(), self.of.config.url.get_ref());
        let (status, detail) = if !self.connected {
            (Status::Degraded, format!("no connection to {url}, trying again: {}", self.lost))
        } else if !self.refused.is_empty() {
            (Status::Failed, self.refused.join("; "))
        } else if let Some(host) = &self.host {
            self.board.gauges(&[("edge_nodes_online", host.online())]);
            (if host.is_whole() { Status::Ok } else { Status::Degraded }, host.notes())
        } else {
            (Status::Ok, self.intake.summary())
        };
        let now: Timestamp = self.of.clock.now();
        if self.board.set(status, &*detail, now) {
            match status {
                Status::Ok => tracing::info!(source = %name, "mqtt source {name} reads {url}"),
                Status::Degraded => tracing::warn!(source = %name, "mqtt source {name}: {detail}"),
                Status::Failed => tracing::error!(source = %name, "mqtt source {name}: {detail}"),
            }
        }
    }
}

fn content_of(message: &Message) -> u64 {
    let mut hasher = DefaultHasher::new();
    (&message.topic, &message.payload).hash(&mut hasher);
    hasher.finish()
}
