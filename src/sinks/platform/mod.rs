//! Signed pages to an authority's platform, by the hub protocol.
//!
//! In: the pages of one stream, in order. Out: `PUT`s, and a cursor that follows what the platform says it holds,
//! backwards too. A page is never skipped: one the platform refuses stops the stream where it is, visibly, and a fork
//! stops it for good. To a platform of another dialect the same pages go as JSON of a template (`dialect`).

pub mod config;
mod dialect;
pub mod encode;
pub mod status;
pub mod template;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use self::config::PlatformSink;
use self::dialect::Rest;
use self::encode::{SIGNATURE_HEADER, Verdict, path, verdict};
use self::status::{Speaker, Voice};
use self::template::TemplateConfig;
use super::access::{Access, AccessError};
use super::budget::{BudgetConfig, Pace, Spent};
use super::forwarder::{Flow, Forwarder, SharedCursors};
use super::http::{self, Failure};
use crate::ledger::page::SignedPage;
use crate::model::id::{Digest, StreamName};
use crate::model::time::Timestamp;
use crate::runtime::clock::Clock;
use crate::runtime::health::Health;
use crate::store::{Cargo, Exchange, Log, Outcome, Reader, epoch_cursor, reached_cursor};
use crate::wire::receipt::Rejected;

/// Pages read from the store at once: at most 8 MiB in memory.
const PAGES_READ_MAX: usize = 32;
/// How long until a used-up budget is looked at again: its day may have ended, or the clock been set.
const BUDGET_LOOK: Duration = Duration::from_secs(30);
/// How long without a commit until it is seen whether a status is due.
const IDLE_LOOK: Duration = Duration::from_secs(30);
/// How long a refused page rests. Only the platform's operator can change its mind.
const REFUSED_REST: Duration = Duration::from_secs(600);

/// Why the sink can't start: a secret can't be had, or a certificate can't serve.
#[derive(Debug, thiserror::Error)]
#[error("sink \"{0}\": {1}")]
pub struct PlatformError(StreamName, String);

/// Forwards the stream until `token` is cancelled.
///
/// # Errors
/// [`PlatformError`], shown in health too; the role starts the task again later.
#[expect(clippy::too_many_arguments, reason = "what every sink gets, and what only this one needs")]
pub async fn run(
    config: PlatformSink,
    zone: TimeZone,
    speaker: Speaker,
    reader: Reader,
    cursors: SharedCursors,
    wake: watch::Receiver<u64>,
    clock: Clock,
    health: Health,
    token: CancellationToken,
) -> Result<(), PlatformError> {
    let name = config.name.get_ref().clone();
    let forwarder = Forwarder::new(name.as_str(), (reader, cursors), wake, (clock, health), token);
    match access(&config) {
        Ok(access) => {
            // Another dialect has no place for it.
            let speaker = (config.status && config.template.is_none()).then_some(speaker);
            Platform::new(&config, access, (zone, speaker), forwarder).forward().await;
            Ok(())
        }
        Err(error) => {
            forwarder.fail(&error.to_string());
            Err(error)
        }
    }
}

fn access(config: &PlatformSink) -> Result<Access, PlatformError> {
    Access::new(&config.means())
        .map_err(|error: AccessError| PlatformError(config.name.get_ref().clone(), error.to_string()))
}

/// One stream on its way to one platform.
struct Platform {
    forwarder: Forwarder,
    stream: StreamName,
    epoch: u32,
    access: Access,
    url: String,
    /// Host and port of it, as exchanges are listed.
    destination: String,
    /// Until the platform says that it can't read it.
    gzip: bool,
    budget: Option<BudgetConfig>,
    /// In which the days of the budget begin.
    zone: TimeZone,
    pace: Pace,
    /// Of a platform that doesn't speak the hub protocol.
    template: Option<Arc<TemplateConfig>>,
    /// What is left of the page that is being sent by the template.
    rest: Rest,
    /// Says how the box is, where the platform hears it.
    voice: Option<Voice>,
    refused_rest: Duration,
    budget_look: Duration,
}

impl Platform {
    fn new(
        config: &PlatformSink,
        access: Access,
        (zone, speaker): (TimeZone, Option<Speaker>),
        forwarder: Forwarder,
    ) -> Self {
        let voice = speaker.map(|speaker| Voice::new(speaker, &forwarder.component));
        let url = config.url.get_ref().trim_end_matches('/').to_owned();
        Self {
            forwarder,
            stream: config.name.get_ref().clone(),
            epoch: config.epoch(),
            access,
            destination: http::host_and_port(&url),
            url,
            gzip: config.gzip,
            budget: config.data_budget.as_ref().map(|budget| budget.get_ref().clone()),
            zone,
            pace: Pace::new(config.pages_per_minute.as_ref().map(|pace| *pace.get_ref())),
            template: config.template.clone().map(Arc::new),
            rest: Rest::default(),
            voice,
            refused_rest: REFUSED_REST,
            budget_look: BUDGET_LOOK,
        }
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
                Err(failure) => {
                    self.voice.iter_mut().for_each(Voice::interrupted);
                    self.forwarder.pause(&failure).await
                }
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
                let epoch_name = epoch_cursor(&name);
                let before = cursors.get(&epoch_name)?;
                if before != epoch {
                    // How far the epoch before came is what the new one goes on from.
                    cursors.set(&reached_cursor(&name, before), cursors.get(&name)?)?;
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
        self.forwarder.show_backlog(Log::Pages(self.stream.clone(), epoch), *cursor).await?;
        if self.announce(*cursor).await? == Flow::Stop {
            return Ok(Flow::Stop);
        }
        if pages.is_empty() {
            // With nothing to send, a failure that is still shown would never be taken back.
            self.forwarder.is_well();
            let committed = tokio::time::timeout(IDLE_LOOK, self.forwarder.wait_for_commit()).await;
            return Ok(committed.unwrap_or(Flow::Continue));
        }
        if let Some(template) = self.template.clone() {
            for page in &pages {
                if self.forward_items(&template, page, cursor).await? == Flow::Stop {
                    return Ok(Flow::Stop);
                }
                if *cursor < page.seq {
                    break;
                }
            }
            return Ok(Flow::Continue);
        }
        for page in &pages {
            if let Some(flow) = self.hold_back().await? {
                return Ok(flow);
            }
            let at = self.forwarder.clock.now();
            let token = self.forwarder.token();
            let answer = tokio::select! {
                () = token.cancelled() => None,
                answer = self.put(page) => Some(answer),
            };
            let Some(answer) = answer else {
                let exchange = self.exchange(page, at, Outcome::Failed, "the box stopped before there was an answer");
                self.forwarder.exchanged(exchange, None).await?;
                return Ok(Flow::Stop);
            };
            self.spend().await?;
            if let Some(flow) = self.follow(page, at, answer, cursor, furthest).await? {
                return Ok(flow);
            }
        }
        Ok(Flow::Continue)
    }

    /// Says how the box is, where that is due: before the pages that wait. A platform that doesn't take it gets its pages
    /// all the same.
    async fn announce(&mut self, cursor: u64) -> Result<Flow, Failure> {
        // A hub checks it with the key that the first page brings.
        let is_known = cursor > 0 || self.epoch > 1;
        let Some(voice) = &mut self.voice else { return Ok(Flow::Continue) };
        if !is_known || !voice.looks() {
            return Ok(Flow::Continue);
        }
        let (board, at) = (self.forwarder.health.snapshot(), self.forwarder.clock.now());
        let Some(signed) = voice.due(&board, self.forwarder.backlog_status(), at) else {
            return Ok(Flow::Continue);
        };
        let request = self.access.client.put(format!("{}{}", self.url, voice.path()));
        let request = request
            .header(reqwest::header::CONTENT_TYPE, "application/json")
            .header(SIGNATURE_HEADER, &signed.jws)
            .body(signed.bytes.clone());
        if self.is_budget_used_up().await? {
            return Ok(Flow::Continue);
        }
        let exchange = self.forwarder.sending(&self.destination, Cargo::Status, (0, 0), &signed.bytes);
        let Some(answer) = self.forwarder.until_stop(self.access.send(request)).await else {
            return Ok(Flow::Stop);
        };
        self.spend().await?;
        let outcome = match answer.as_ref().map(|answer| answer.status) {
            Ok(200..=299) => Outcome::Acknowledged,
            Err(_) | Ok(429 | 503) => Outcome::Failed,
            Ok(_) => Outcome::Refused,
        };
        let words = answer.as_ref().map_or_else(|failure| failure.reason.clone(), http::Answer::stated);
        self.forwarder.exchanged(Exchange { outcome, answer: words.clone(), ..exchange }, None).await?;
        let answer = answer?;
        match (outcome, answer.status) {
            (Outcome::Failed, _) => return Err(answer.failure()),
            (Outcome::Refused, 404 | 405 | 501) => {
                tracing::info!(sink = self.forwarder.name, "the platform takes no status: {words}");
                self.voice = None;
            }
            (Outcome::Refused, _) => {
                tracing::warn!(sink = self.forwarder.name, "the platform refuses this gateway's status: {words}");
                self.forwarder.health.count(&self.forwarder.component, "refused_statuses", 1);
                self.voice.iter_mut().for_each(|voice| voice.said(&signed));
            }
            (Outcome::Acknowledged, _) => self.voice.iter_mut().for_each(|voice| voice.said(&signed)),
        }
        Ok(Flow::Continue)
    }

    async fn is_budget_used_up(&self) -> Result<bool, Failure> {
        let Some(budget) = &self.budget else { return Ok(false) };
        let today = self.today();
        Ok(budget.used_up(self.spent(today).await?, today).is_some())
    }

    /// Waits for the pace, or shows a used-up budget and waits for its end. `None` where a page may go.
    async fn hold_back(&mut self) -> Result<Option<Flow>, Failure> {
        if let Some(budget) = &self.budget {
            let today = self.today();
            let spent = self.spent(today).await?;
            let health = &self.forwarder.health;
            health.gauge(&self.forwarder.component, "spent_today_bytes", spent.on_day);
            health.gauge(&self.forwarder.component, "spent_this_month_bytes", spent.in_month);
            if let Some((limit, next)) = budget.used_up(spent, today) {
                let reason = format!("data budget of {limit} is used up; pages wait for {next}");
                self.forwarder.degrade(&reason);
                return Ok(Some(self.forwarder.wait(self.budget_look).await));
            }
        }
        let turn = self.pace.take_turn(Instant::now());
        let flow = if turn.is_zero() { Flow::Continue } else { self.forwarder.wait(turn).await };
        Ok((flow == Flow::Stop).then_some(flow))
    }

    /// Returns the civil day of the site.
    fn today(&self) -> Date {
        let now =
            jiff::Timestamp::from_millisecond(self.forwarder.clock.now().0).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
        self.zone.to_datetime(now).date()
    }

    async fn spent(&self, today: Date) -> Result<Spent, Failure> {
        let name = self.forwarder.name.clone();
        self.forwarder
            .cursors(move |cursors| {
                let on_day = cursors.spent(&name, today, today)?;
                Ok(Spent { on_day, in_month: cursors.spent(&name, today.first_of_month(), today)? })
            })
            .await
    }

    /// Books what the last exchange cost, where there is a budget.
    async fn spend(&mut self) -> Result<(), Failure> {
        let bytes = self.access.take_spent();
        if self.budget.is_none() || bytes == 0 {
            return Ok(());
        }
        let (name, today) = (self.forwarder.name.clone(), self.today());
        self.forwarder.cursors(move |cursors| cursors.spend(&name, today, bytes)).await
    }

    /// Does what an answer asks for, and writes the exchange down. `None` where the next page is next.
    async fn follow(
        &mut self,
        page: &SignedPage,
        at: Timestamp,
        answer: Result<http::Answer, Failure>,
        cursor: &mut u64,
        furthest: &mut u64,
    ) -> Result<Option<Flow>, Failure> {
        let words = answer.as_ref().map_or_else(|failure| failure.reason.clone(), http::Answer::stated);
        let verdict = answer.map_or_else(Verdict::Failed, |answer| verdict(page, self.gzip, &answer));
        let exchange = |outcome| self.exchange(page, at, outcome, &words);
        match verdict {
            Verdict::Accepted { through, head, rejected } => {
                if let Some(fork) = self.contradiction(page, through, head).await? {
                    self.forwarder.exchanged(exchange(Outcome::Refused), None).await?;
                    return Ok(Some(self.stop(&fork).await));
                }
                let exchange = exchange(Outcome::Acknowledged);
                self.accept(page, through, rejected, exchange, cursor).await?;
                if *cursor > *furthest {
                    *furthest = *cursor;
                    self.forwarder.backoff.reset();
                }
                Ok((*cursor != page.seq).then_some(Flow::Continue))
            }
            Verdict::Behind { through, head } => {
                let fork = self.contradiction(page, through, head).await?;
                let moved_to = fork.is_none().then_some(through);
                self.exchanged(exchange(Outcome::Refused), moved_to, cursor).await?;
                if let Some(fork) = fork {
                    return Ok(Some(self.stop(&fork).await));
                }
                let reason = format!("receiver went back to page {through}; sending again from there");
                Err(Failure::new(reason))
            }
            Verdict::Fork(words) => {
                self.forwarder.exchanged(exchange(Outcome::Refused), None).await?;
                Ok(Some(self.stop(&words).await))
            }
            Verdict::Refused(reason) => {
                self.forwarder.exchanged(exchange(Outcome::Refused), None).await?;
                let what = format!("page {} of epoch {}", page.seq, page.epoch);
                self.forwarder.fail(&format!("{what} is undeliverable: {reason}"));
                self.forwarder.keep_undeliverable(page.seq, what, reason).await?;
                Ok(Some(self.forwarder.wait(self.refused_rest).await))
            }
            Verdict::Plain => {
                self.forwarder.exchanged(exchange(Outcome::Failed), None).await?;
                self.gzip = false;
                Ok(Some(Flow::Continue))
            }
            Verdict::Failed(failure) => {
                self.forwarder.exchanged(exchange(Outcome::Failed), None).await?;
                Err(failure)
            }
        }
    }

    /// Returns what is written down of a page that was sent.
    fn exchange(&self, page: &SignedPage, at: Timestamp, outcome: Outcome, answer: &str) -> Exchange {
        Exchange {
            sink: self.forwarder.name.clone(),
            at,
            destination: self.destination.clone(),
            cargo: Cargo::Pages,
            first: page.seq,
            last: page.seq,
            name: None,
            epoch: Some(page.epoch),
            bytes: page.bytes.len() as u64,
            hash: page.hash,
            outcome,
            answer: answer.to_owned(),
        }
    }

    async fn put(&mut self, page: &SignedPage) -> Result<http::Answer, Failure> {
        let path = path(&page.gateway, &page.stream, page.epoch, page.seq);
        let request = self
            .access
            .client
            .put(format!("{}{path}", self.url))
            .header(reqwest::header::CONTENT_TYPE, "application/json")
            .header(SIGNATURE_HEADER, &page.jws);
        let request = if self.gzip {
            request.header(reqwest::header::CONTENT_ENCODING, "gzip").body(http::gzip(&page.bytes))
        } else {
            request.body(page.bytes.clone())
        };
        self.access.send(request).await
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
        exchange: Exchange,
        cursor: &mut u64,
    ) -> Result<(), Failure> {
        for Rejected { index, reason } in rejected {
            let what = format!("page {} of epoch {}, record {index}", page.seq, page.epoch);
            self.forwarder.keep_undeliverable(page.seq, what, reason).await?;
        }
        self.exchanged(exchange, Some(through), cursor).await?;
        self.forwarder.health.count(&self.forwarder.component, "delivered_pages", 1);
        self.forwarder.is_well();
        Ok(())
    }

    /// Writes an exchange down and moves the cursor with it.
    async fn exchanged(&self, exchange: Exchange, moved_to: Option<u64>, cursor: &mut u64) -> Result<(), Failure> {
        self.forwarder.exchanged(exchange, moved_to).await?;
        if let Some(through) = moved_to {
            *cursor = through;
            self.forwarder.health.gauge(&self.forwarder.component, "delivered_through", through);
        }
        Ok(())
    }

    /// A fork: a person must open a new epoch, so nothing is sent until the next start.
    async fn stop(&self, words: &str) -> Flow {
        let epoch = self.epoch;
        self.forwarder.fail(&format!("stream stopped, the chains of epoch {epoch} fork: {words}"));
        self.forwarder.wait_for_stop().await
    }
}
