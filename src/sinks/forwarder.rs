//! What every destination shares: its place in the store, its back-off, its health, its waiting.
//!
//! A destination's loop asks the store for what comes after its cursor, sends it, and moves the cursor by the answer.
//! Nothing is dropped: what isn't accepted is sent again after a pause, or kept as undeliverable with the reason.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sha2::{Digest as _, Sha256};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::http::Failure;
use crate::model::id::Digest;
use crate::runtime::backoff::Backoff;
use crate::runtime::clock::Clock;
use crate::runtime::health::{Health, Status};
use crate::store::{Backlog, Cargo, Cursors, Exchange, Log, Outcome, Reader, StoreError};
use crate::wire::status::BacklogStatus;

/// First pause after a failure; it doubles up to [`PAUSE_MAX`].
const PAUSE_FIRST: Duration = Duration::from_secs(1);
/// Longest pause: how late an outage's end is noticed.
const PAUSE_MAX: Duration = Duration::from_secs(60);

/// The cursors of all sinks, on their one connection.
pub type SharedCursors = Arc<Mutex<Cursors>>;

/// Whether the loop goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flow {
    /// It does.
    Continue,
    /// The role stops.
    Stop,
}

/// A destination's loop: what it does again and again.
pub(super) trait Forward {
    /// Returns its hold on the store and the runtime.
    fn forwarder(&mut self) -> &mut Forwarder;

    /// Sends something of what comes after the cursor, or waits until there is something.
    fn forward_some(&mut self) -> impl Future<Output = Result<Flow, Failure>> + Send;
}

/// Forwards until the role stops, with a pause after each failure.
pub(super) async fn forward(mut sink: impl Forward) {
    while !sink.forwarder().is_stopping() {
        let flow = match sink.forward_some().await {
            Ok(flow) => flow,
            Err(failure) => sink.forwarder().pause(&failure).await,
        };
        if flow == Flow::Stop {
            return;
        }
    }
}

/// One destination's hold on the store and the runtime.
pub(super) struct Forwarder {
    /// The sink's name: the key of its cursor.
    pub(super) name: String,
    /// Its name on the health board.
    pub(super) component: String,
    pub(super) clock: Clock,
    pub(super) health: Health,
    pub(super) backoff: Backoff,
    reader: Reader,
    cursors: SharedCursors,
    wake: watch::Receiver<u64>,
    token: CancellationToken,
    /// What the last look saw of what is still to be sent.
    backlog: Option<Backlog>,
}

impl Forwarder {
    /// `wake` changes after each commit; `token` ends the loop.
    pub(super) fn new(
        name: &str,
        (reader, cursors): (Reader, SharedCursors),
        wake: watch::Receiver<u64>,
        (clock, health): (Clock, Health),
        token: CancellationToken,
    ) -> Self {
        let backoff = Backoff::new(PAUSE_FIRST, PAUSE_MAX);
        Self {
            name: name.to_owned(),
            component: format!("sink.{name}"),
            clock,
            health,
            backoff,
            reader,
            cursors,
            wake,
            token,
            backlog: None,
        }
    }

    /// Reads from the store, off the runtime's threads.
    pub(super) async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Reader) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, Failure> {
        let reader = self.reader.clone();
        outcome(tokio::task::spawn_blocking(move || read(&reader)).await)
    }

    /// Reads or writes the cursors, off the runtime's threads.
    pub(super) async fn cursors<T: Send + 'static>(
        &self,
        act: impl FnOnce(&mut Cursors) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, Failure> {
        let cursors = Arc::clone(&self.cursors);
        // A connection stays usable whatever a panicking holder did: each call is one statement.
        outcome(
            tokio::task::spawn_blocking(move || act(&mut cursors.lock().unwrap_or_else(PoisonError::into_inner))).await,
        )
    }

    /// Keeps what the destination refused for good, and counts it.
    pub(super) async fn keep_undeliverable(&self, position: u64, what: String, reason: String) -> Result<(), Failure> {
        let (sink, now) = (self.name.clone(), self.clock.now());
        tracing::warn!(sink = self.name, "{}: {what} is undeliverable: {reason}", self.component);
        self.cursors(move |cursors| cursors.undeliverable(&sink, position, &what, &reason, now)).await?;
        self.health.count(&self.component, "undeliverable", 1);
        Ok(())
    }

    /// Begins the line of the exchange log for what is about to be sent. Until an answer is filled in, it failed.
    pub(super) fn sending(
        &self,
        destination: &str,
        cargo: Cargo,
        (first, last): (u64, u64),
        content: &[u8],
    ) -> Exchange {
        Exchange {
            sink: self.name.clone(),
            at: self.clock.now(),
            destination: destination.to_owned(),
            cargo,
            first,
            last,
            name: None,
            epoch: None,
            bytes: content.len() as u64,
            hash: Digest(Sha256::digest(content).into()),
            outcome: Outcome::Failed,
            answer: String::new(),
        }
    }

    /// Writes down an exchange, and moves the cursor with it where it was acknowledged.
    pub(super) async fn exchanged(&self, exchange: Exchange, moved_to: Option<u64>) -> Result<(), Failure> {
        self.cursors(move |cursors| cursors.exchanged(&exchange, moved_to)).await
    }

    /// Shows how much of a log comes after the cursor, and for how long the oldest of it has waited.
    pub(super) async fn show_backlog(&mut self, log: Log, cursor: u64) -> Result<(), Failure> {
        let what = match &log {
            Log::Samples => "backlog_commits",
            Log::Records => "backlog_records",
            Log::Pages(..) => "backlog_pages",
        };
        let (has_bytes, before) = (log != Log::Samples, self.backlog);
        let backlog = self.read(move |reader| reader.backlog(&log, cursor, before)).await?;
        self.backlog = Some(backlog);
        self.health.gauge(&self.component, what, backlog.len());
        if has_bytes {
            self.health.gauge(&self.component, "backlog_bytes", backlog.bytes);
        }
        self.health.gauge(&self.component, "backlog_seconds", self.backlog_status().seconds);
        Ok(())
    }

    /// Returns what the last look saw of what is still to be sent, as an authority is told.
    pub(super) fn backlog_status(&self) -> BacklogStatus {
        let backlog = self.backlog.unwrap_or_default();
        let waited_ms = backlog.oldest.map_or(0, |oldest| self.clock.now().ms_since(oldest).max(0));
        BacklogStatus { pages: backlog.len(), bytes: backlog.bytes, seconds: waited_ms.unsigned_abs() / 1_000 }
    }

    /// Says that the last exchange went well.
    pub(super) fn is_well(&self) {
        if self.health.set(&self.component, Status::Ok, "", self.clock.now()) {
            tracing::info!(sink = self.name, "{} delivers again", self.component);
        }
    }

    /// Waits for the next commit. What was committed since the last look ends the wait at once.
    pub(super) async fn wait_for_commit(&mut self) -> Flow {
        tokio::select! {
            () = self.token.cancelled() => Flow::Stop,
            changed = self.wake.changed() => match changed {
                Ok(()) => Flow::Continue,
                // The pipeline has ended; the role ends this task in its turn.
                Err(_) => self.wait_for_stop().await,
            },
        }
    }

    /// Shows a failure and waits: the back-off's next delay, or longer where the receiver asks for it.
    pub(super) async fn pause(&mut self, failure: &Failure) -> Flow {
        let delay = self.backoff.delay(fastrand::f64()).max(failure.after.unwrap_or_default());
        let status = if failure.needs_person { Status::Failed } else { Status::Degraded };
        let changed = self.health.set(&self.component, status, &failure.reason, self.clock.now());
        self.health.count(&self.component, "failed_attempts", 1);
        if changed {
            tracing::warn!(sink = self.name, "{}: {}; retrying in {delay:.1?}", self.component, failure.reason);
        }
        self.wait(delay).await
    }

    /// Shows that something waits which nobody has to mend.
    pub(super) fn degrade(&self, reason: &str) {
        if self.health.set(&self.component, Status::Degraded, reason, self.clock.now()) {
            tracing::warn!(sink = self.name, "{}: {reason}", self.component);
        }
    }

    /// Shows that a person is needed.
    pub(super) fn fail(&self, reason: &str) {
        if self.health.set(&self.component, Status::Failed, reason, self.clock.now()) {
            tracing::error!(sink = self.name, "{}: {reason}", self.component);
        }
    }

    /// Waits a real span of time.
    pub(super) async fn wait(&self, delay: Duration) -> Flow {
        tokio::select! {
            () = self.token.cancelled() => Flow::Stop,
            () = tokio::time::sleep(delay) => Flow::Continue,
        }
    }

    /// Waits until the role stops.
    pub(super) async fn wait_for_stop(&self) -> Flow {
        self.token.cancelled().await;
        Flow::Stop
    }

    /// Says whether the role stops; a send in between is not begun.
    pub(super) fn is_stopping(&self) -> bool {
        self.token.is_cancelled()
    }

    /// Returns what ends the loop, for who holds more than the forwarder while it waits.
    pub(super) fn token(&self) -> CancellationToken {
        self.token.clone()
    }

    /// Runs an exchange unless the role stops meanwhile. A half-sent page is sent again after the restart.
    pub(super) async fn until_stop<T>(&self, exchange: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            () = self.token.cancelled() => None,
            done = exchange => Some(done),
        }
    }
}

fn outcome<T>(joined: Result<Result<T, StoreError>, tokio::task::JoinError>) -> Result<T, Failure> {
    match joined {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(Failure::new(format!("store: {error}"))),
        Err(panic) => Err(Failure::new(format!("store: {panic}"))),
    }
}
