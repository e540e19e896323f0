//! Records and raw values as points to InfluxDB 2, or what takes its write API.
//!
//! In: the record log, and where it is asked for every committed sample, complete and in order. Out: batches of lines. A batch the server refuses is halved until the
//! refused record or value stands alone; that one is kept as undeliverable with the server's words, the rest goes on. Writing
//! a batch twice does no harm: its points replace themselves.

pub mod config;
pub mod encode;
pub mod line;
mod samples;
#[cfg(test)]
mod tests;

use bytes::Bytes;
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use self::config::{Content, InfluxSink};
use self::samples::RawValues;
use super::forwarder::{Flow, Forward, Forwarder, SharedCursors, forward};
use super::http::{self, Answer, ClientError, Failure};
use crate::model::id::{SiteId, StreamName};
use crate::model::record::WindowRecord;
use crate::runtime::clock::Clock;
use crate::runtime::health::Health;
use crate::runtime::secret::SecretError;
use crate::store::{Cargo, Exchange, Log, Outcome, Reader};

/// Records of one batch, at most: some 2,000 lines, below 1 MiB.
const BATCH_RECORDS_MAX: usize = 200;

/// Answers that concern what was sent, and not when: sending less of it may help.
const REFUSED: [u16; 3] = [400, 413, 422];

/// Why the sink can't start.
#[derive(Debug, thiserror::Error)]
pub enum InfluxError {
    /// The token can't be had.
    #[error("sink \"{0}\": {1}")]
    Token(StreamName, SecretError),
    /// There is no client.
    #[error("sink \"{0}\": {1}")]
    Client(StreamName, ClientError),
}

/// Returns the name of the cursor over samples, where the sink sends them. No sink's name holds a dot, so it is nobody
/// else's.
pub fn samples_cursor(config: &InfluxSink) -> Option<String> {
    config.sends(Content::Samples).then(|| format!("{}.samples", config.name.get_ref()))
}

/// Forwards the record log, raw values of `site`, or both, until `token` is cancelled.
///
/// # Errors
/// [`InfluxError`], shown in health too; the role starts the task again later.
#[expect(clippy::too_many_arguments, reason = "what every sink gets, and the site that raw values are labelled with")]
pub async fn run(
    config: InfluxSink,
    site: SiteId,
    reader: Reader,
    cursors: SharedCursors,
    wake: watch::Receiver<u64>,
    clock: Clock,
    health: Health,
    token: CancellationToken,
) -> Result<(), InfluxError> {
    let name = config.name.get_ref().clone();
    let forwarder = |name: &str| {
        let (reader, cursors) = (reader.clone(), cursors.clone());
        Forwarder::new(name, (reader, cursors), wake.clone(), (clock.clone(), health.clone()), token.clone())
    };
    let records = async {
        if config.sends(Content::Records) {
            let forwarder = forwarder(name.as_str());
            let destination = destination(&config).inspect_err(|error| forwarder.fail(&error.to_string()))?;
            forward(Influx { forwarder, destination, batch: BATCH_RECORDS_MAX }).await;
        }
        Ok(())
    };
    let samples = async {
        if let Some(cursor) = samples_cursor(&config) {
            let forwarder = forwarder(&cursor);
            let destination = destination(&config).inspect_err(|error| forwarder.fail(&error.to_string()))?;
            forward(RawValues::new(forwarder, destination, site)).await;
        }
        Ok(())
    };
    tokio::try_join!(records, samples).map(|_| ())
}

/// Where the lines go.
struct Destination {
    client: reqwest::Client,
    url: String,
    /// Host and port, for the exchange log.
    place: String,
    org: String,
    bucket: String,
    token: Option<SecretString>,
    gzip: bool,
}

fn destination(config: &InfluxSink) -> Result<Destination, InfluxError> {
    let name = || config.name.get_ref().clone();
    let token = config.token.as_ref().map(|secret| secret.resolve()).transpose();
    let timeout = config.timeout.as_ref().map(|timeout| *timeout.get_ref());
    Ok(Destination {
        token: token.map_err(|error| InfluxError::Token(name(), error))?,
        client: http::client(timeout, None).map_err(|error| InfluxError::Client(name(), error))?,
        url: format!("{}/api/v2/write", config.url.get_ref().trim_end_matches('/')),
        place: http::host_and_port(config.url.get_ref()),
        org: config.org.get_ref().clone(),
        bucket: config.bucket.get_ref().clone(),
        gzip: config.gzip,
    })
}

impl Destination {
    async fn write(&self, lines: Bytes) -> Result<Answer, Failure> {
        let mut request = self
            .client
            .post(&self.url)
            .query(&[("org", self.org.as_str()), ("bucket", &self.bucket), ("precision", "ms")])
            .header(reqwest::header::CONTENT_TYPE, "text/plain; charset=utf-8");
        request = if self.gzip {
            request.header(reqwest::header::CONTENT_ENCODING, "gzip").body(http::gzip(&lines))
        } else {
            request.body(lines)
        };
        if let Some(token) = &self.token {
            // The token never stands in an error: reqwest marks it sensitive only where it is told so.
            let mut value = reqwest::header::HeaderValue::from_str(&format!("Token {}", token.expose_secret()))
                .map_err(|_| Failure::new("the token holds a character no header can carry"))?;
            value.set_sensitive(true);
            request = request.header(reqwest::header::AUTHORIZATION, value);
        }
        http::send(request).await
    }
}

/// Fills in how an exchange ended.
fn answered(exchange: Exchange, answer: &Result<Answer, Failure>) -> Exchange {
    let (outcome, answer) = match answer {
        Ok(answer) if answer.status == 204 => (Outcome::Acknowledged, "204".to_owned()),
        Ok(answer) if REFUSED.contains(&answer.status) => (Outcome::Refused, answer.failure().reason),
        Ok(answer) => (Outcome::Failed, answer.failure().reason),
        Err(failure) => (Outcome::Failed, failure.reason.clone()),
    };
    Exchange { outcome, answer, ..exchange }
}

/// The log on its way to one server.
struct Influx {
    forwarder: Forwarder,
    destination: Destination,
    /// Records of the next batch: halved by a refusal, doubled by an acceptance.
    batch: usize,
}

impl Forward for Influx {
    fn forwarder(&mut self) -> &mut Forwarder {
        &mut self.forwarder
    }

    /// Sends the batch after the cursor, or waits for a commit.
    async fn forward_some(&mut self) -> Result<Flow, Failure> {
        let (name, batch) = (self.forwarder.name.clone(), self.batch);
        let cursor = self.forwarder.cursors(move |cursors| cursors.get(&name)).await?;
        let records = self.forwarder.read(move |reader| reader.records_after(cursor, batch)).await?;
        self.forwarder.show_backlog(Log::Records, cursor).await?;
        let Some((last, _)) = records.last() else {
            self.forwarder.is_well();
            return Ok(self.forwarder.wait_for_commit().await);
        };
        let last = *last;
        let lines: Vec<u8> = records.iter().flat_map(|(_, record)| encode::lines(record)).collect();
        if lines.is_empty() {
            // Records without KPIs leave nothing to write.
            self.skip_to(last).await?;
            return Ok(Flow::Continue);
        }
        let positions = (records[0].0, last);
        let exchange = self.forwarder.sending(&self.destination.place, Cargo::Records, positions, &lines);
        let Some(answer) = self.forwarder.until_stop(self.destination.write(lines.into())).await else {
            return Ok(Flow::Stop);
        };
        let exchange = answered(exchange, &answer);
        let moved_to = (exchange.outcome == Outcome::Acknowledged).then_some(last);
        let outcome = exchange.outcome;
        self.forwarder.exchanged(exchange, moved_to).await?;
        let answer = answer?;
        match outcome {
            Outcome::Acknowledged => self.moved_on(last, records.len()),
            Outcome::Refused => self.refused(&records, &answer).await?,
            Outcome::Failed => return Err(answer.failure()),
        }
        Ok(Flow::Continue)
    }
}

impl Influx {
    /// Moves the cursor past what was never sent or will never be taken.
    async fn skip_to(&mut self, to: u64) -> Result<(), Failure> {
        let name = self.forwarder.name.clone();
        self.forwarder.cursors(move |cursors| cursors.set(&name, to)).await?;
        self.moved_on(to, 0);
        Ok(())
    }

    fn moved_on(&mut self, to: u64, delivered: usize) {
        self.batch = (self.batch * 2).min(BATCH_RECORDS_MAX);
        self.forwarder.health.count(&self.forwarder.component, "delivered_records", delivered as u64);
        self.forwarder.health.gauge(&self.forwarder.component, "delivered_through", to);
        self.forwarder.backoff.reset();
        self.forwarder.is_well();
    }

    /// Halves the batch, or keeps the one record the server won't take and goes on after it.
    async fn refused(&mut self, records: &[(u64, WindowRecord)], answer: &Answer) -> Result<(), Failure> {
        let [(log_seq, record)] = records else {
            self.batch = records.len() / 2;
            return Ok(());
        };
        let reason = answer.failure().reason;
        self.forwarder.keep_undeliverable(*log_seq, encode::name(record), reason).await?;
        self.skip_to(*log_seq).await
    }
}
