//! Signed pages to an authority's platform, by the hub protocol.
//!
//! In: the pages of one stream, in order. Out: `PUT`s, and a cursor that follows what the platform says it holds,
//! backwards too. A page is never skipped: one the platform refuses stops the stream where it is, visibly, and a fork
//! stops it for good.

pub mod config;
pub mod encode;
#[cfg(test)]
mod tests;

use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use self::config::PlatformSink;
use self::encode::{SIGNATURE_HEADER, Verdict, path, verdict};
use super::forwarder::{Flow, Forwarder, SharedCursors};
use super::http::{self, ClientError, Failure};
use crate::ledger::page::SignedPage;
use crate::model::id::{Digest, StreamName};
use crate::runtime::clock::Clock;
use crate::runtime::health::Health;
use crate::runtime::secret::SecretError;
use crate::store::Reader;
use crate::wire::receipt::Rejected;

/// Pages read from the store at once: at most 8 MiB in memory.
const PAGES_READ_MAX: usize = 32;
/// How long a refused page rests. Only the platform's operator can change its mind.
const REFUSED_REST: Duration = Duration::from_secs(600);

/// Why the sink can't start.
#[derive(Debug, thiserror::Error)]
pub enum PlatformError {
    /// The token can't be had.
    #[error("sink \"{0}\": {1}")]
    Token(StreamName, SecretError),
    /// There is no client.
    #[error("sink \"{0}\": {1}")]
    Client(StreamName, ClientError),
}

/// Forwards the stream until `token` is cancelled.
///
/// # Errors
/// [`PlatformError`], shown in health too; the role starts the task again later.
pub async fn run(
    config: PlatformSink,
    reader: Reader,
    cursors: SharedCursors,
    wake: watch::Receiver<u64>,
    clock: Clock,
    health: Health,
    token: CancellationToken,
) -> Result<(), PlatformError> {
    let name = config.name.get_ref().clone();
    let forwarder = Forwarder::new(name.as_str(), (reader, cursors), wake, (clock, health), token);
    match client(&config) {
        Ok(client) => {
            Platform::new(&config, client, forwarder).forward().await;
            Ok(())
        }
        Err(error) => {
            forwarder.fail(&error.to_string());
            Err(error)
        }
    }
}

/// Returns the client and the token it shows.
fn client(config: &PlatformSink) -> Result<(reqwest::Client, Option<SecretString>), PlatformError> {
    let name = || config.name.get_ref().clone();
    let token = config.token.as_ref().map(|secret| secret.resolve()).transpose();
    let token = token.map_err(|error| PlatformError::Token(name(), error))?;
    let timeout = config.timeout.as_ref().map(|timeout| *timeout.get_ref());
    let client = http::client(timeout, config.ca_file.as_deref());
    Ok((client.map_err(|error| PlatformError::Client(name(), error))?, token))
}

/// One stream on its way to one platform.
struct Platform {
    forwarder: Forwarder,
    stream: StreamName,
    epoch: u32,
    client: reqwest::Client,
    url: String,
    token: Option<SecretString>,
    refused_rest: Duration,
}

impl Platform {
    fn new(
        config: &PlatformSink,
        (client, token): (reqwest::Client, Option<SecretString>),
        forwarder: Forwarder,
    ) -> Self {
        let url = config.url.get_ref().trim_end_matches('/').to_owned();
        let stream = config.name.get_ref().clone();
        Self { forwarder, epoch: config.epoch(), stream, client, url, token, refused_rest: REFUSED_REST }
    }

    async fn forward(mut self) {
        let mut cursor = loop {
            match self.start().await {
                Ok(cursor) => break cursor,
                Err(failure) => {
                    if self.forwarder.pause(&failure).await == Flow::Stop {
                        return;
                    }
                }
            }
        };
        // Only a position never reached before counts as progress, so a platform that keeps going back is not
        // chased at full speed.
        let mut furthest = cursor;
        while !self.forwarder.is_stopping() {
            let flow = match self.forward_some(&mut cursor, &mut furthest).await {
                Ok(flow) => flow,
                Err(failure) => self.forwarder.pause(&failure).await,
            };
            if flow == Flow::Stop {
                return;
            }
        }
    }

    /// Returns where this epoch's cursor stands. The first start in an epoch begins at its first page.
    async fn start(&self) -> Result<u64, Failure> {
        let (name, epoch) = (self.forwarder.name.clone(), u64::from(self.epoch));
        self.forwarder
            .cursors(move |cursors| {
                let epoch_name = format!("{name}.epoch");
                if cursors.get(&epoch_name)? != epoch {
                    cursors.set(&name, 0)?;
                    cursors.set(&epoch_name, epoch)?;
                }
                cursors.get(&name)
            })
            .await
    }

    /// Sends the pages after the cursor, or waits for one.
    async fn forward_some(&mut self, cursor: &mut u64, furthest: &mut u64) -> Result<Flow, Failure> {
        let (stream, epoch, after) = (self.stream.clone(), self.epoch, *cursor);
        let pages =
            self.forwarder.read(move |reader| reader.pages_after(&stream, epoch, after, PAGES_READ_MAX)).await?;
        self.show_backlog(*cursor).await?;
        if pages.is_empty() {
            // With nothing to send, a failure that is still shown would never be taken back.
            self.forwarder.is_well();
            return Ok(self.forwarder.wait_for_commit().await);
        }
        for page in &pages {
            let Some(answer) = self.forwarder.until_stop(self.put(page)).await else { return Ok(Flow::Stop) };
            let verdict = answer.map_or_else(Verdict::Failed, |answer| verdict(page, &answer));
            match verdict {
                Verdict::Accepted { through, head, rejected } => {
                    if let Some(fork) = self.contradiction(page, through, head).await? {
                        return Ok(self.stop(&fork).await);
                    }
                    self.accept(page, through, rejected, cursor).await?;
                    if *cursor > *furthest {
                        *furthest = *cursor;
                        self.forwarder.backoff.reset();
                    }
                    if *cursor != page.seq {
                        return Ok(Flow::Continue);
                    }
                }
                Verdict::Behind { through, head } => {
                    if let Some(fork) = self.contradiction(page, through, head).await? {
                        return Ok(self.stop(&fork).await);
                    }
                    self.set_cursor(through, cursor).await?;
                    let reason = format!("receiver went back to page {through}; sending again from there");
                    return Err(Failure::new(reason));
                }
                Verdict::Fork(words) => return Ok(self.stop(&words).await),
                Verdict::Refused(reason) => {
                    let what = format!("page {} of epoch {}", page.seq, page.epoch);
                    self.forwarder.fail(&format!("{what} is undeliverable: {reason}"));
                    self.forwarder.keep_undeliverable(page.seq, what, reason).await?;
                    return Ok(self.forwarder.wait(self.refused_rest).await);
                }
                Verdict::Failed(failure) => return Err(failure),
            }
        }
        Ok(Flow::Continue)
    }

    async fn put(&self, page: &SignedPage) -> Result<http::Answer, Failure> {
        let path = path(&page.gateway, &page.stream, page.epoch, page.seq);
        let mut request = self
            .client
            .put(format!("{}{path}", self.url))
            .header(reqwest::header::CONTENT_TYPE, "application/json")
            .header(SIGNATURE_HEADER, &page.jws)
            .body(page.bytes.clone());
        if let Some(token) = &self.token {
            request = request.bearer_auth(token.expose_secret());
        }
        http::send(request).await
    }

    /// Says how what the platform claims to hold contradicts this box's own pages; `None` where it doesn't.
    async fn contradiction(&self, sent: &SignedPage, through: u64, head: Digest) -> Result<Option<String>, Failure> {
        let own = if through == 0 {
            Some(Digest::ZERO)
        } else if through == sent.seq {
            Some(sent.hash)
        } else {
            let (stream, epoch) = (self.stream.clone(), self.epoch);
            self.forwarder.read(move |reader| reader.page(&stream, epoch, through)).await?.map(|page| page.hash)
        };
        Ok(match own {
            Some(own) if own == head => None,
            Some(own) => Some(format!("receiver holds page {through} with hash {head}, this box with {own}")),
            None => Some(format!(
                "receiver holds page {through}, which this box doesn't: its data directory is older than what it sent"
            )),
        })
    }

    async fn accept(
        &self,
        page: &SignedPage,
        through: u64,
        rejected: Vec<Rejected>,
        cursor: &mut u64,
    ) -> Result<(), Failure> {
        for Rejected { index, reason } in rejected {
            let what = format!("page {} of epoch {}, record {index}", page.seq, page.epoch);
            self.forwarder.keep_undeliverable(page.seq, what, reason).await?;
        }
        self.set_cursor(through, cursor).await?;
        self.forwarder.health.count(&self.forwarder.component, "delivered_pages", 1);
        self.forwarder.is_well();
        Ok(())
    }

    async fn set_cursor(&self, through: u64, cursor: &mut u64) -> Result<(), Failure> {
        let name = self.forwarder.name.clone();
        self.forwarder.cursors(move |cursors| cursors.set(&name, through)).await?;
        *cursor = through;
        self.forwarder.health.gauge(&self.forwarder.component, "delivered_through", through);
        Ok(())
    }

    async fn show_backlog(&self, cursor: u64) -> Result<(), Failure> {
        let heads = self.forwarder.read(|reader| reader.heads()).await?;
        let last = heads.get(&self.stream).filter(|head| head.epoch == self.epoch).map_or(0, |head| head.seq);
        self.forwarder.health.gauge(&self.forwarder.component, "backlog_pages", last.saturating_sub(cursor));
        Ok(())
    }

    /// A fork: a person must open a new epoch, so nothing is sent until the next start.
    async fn stop(&self, words: &str) -> Flow {
        let epoch = self.epoch;
        self.forwarder.fail(&format!("stream stopped, the chains of epoch {epoch} fork: {words}"));
        self.forwarder.wait_for_stop().await
    }
}
