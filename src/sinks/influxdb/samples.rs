//! Raw values on their way to one server.
//!
//! In: samples in the order of their commits, after a cursor of their own. Out: requests of many lines. What the
//! server accepts moves the cursor past whole commits; what it refuses is halved until the refused value stands alone
//! and is kept as undeliverable. Sending a value twice does no harm: the point replaces itself.

use std::time::Duration;

use bytes::Bytes;

use super::line::{self, Lines, Names};
use super::{Destination, answered};
use crate::model::id::SiteId;
use crate::sinks::forwarder::{Flow, Forward, Forwarder};
use crate::sinks::http::{Answer, Failure};
use crate::store::{Cargo, Log, Outcome, Reader, SampleRun, StoreError};

/// Values of one request, about: some 500 kB. A commit stays whole, so that there may be one commit's more.
const VALUES: u64 = 50_000;

/// How long commits are gathered after the first that isn't sent yet: a request and a cursor for each of many small
/// commits would cost more than their values.
const GATHER: Duration = Duration::from_millis(500);

/// What of one read is still to be sent.
struct Unsent {
    run: SampleRun,
    values: u64,
    /// The rest, last part first.
    parts: Vec<Bytes>,
}

/// Raw values on their way to one server.
pub(super) struct RawValues {
    pub(super) forwarder: Forwarder,
    pub(super) destination: Destination,
    site: SiteId,
    names: Names,
    buffer: Vec<u8>,
    cursor: Option<u64>,
    unsent: Option<Unsent>,
}

impl RawValues {
    pub(super) fn new(forwarder: Forwarder, destination: Destination, site: SiteId) -> Self {
        Self { forwarder, destination, site, names: Names::default(), buffer: Vec::new(), cursor: None, unsent: None }
    }
}

impl Forward for RawValues {
    fn forwarder(&mut self) -> &mut Forwarder {
        &mut self.forwarder
    }

    /// Sends what is left of the last read, or reads what comes after the cursor, or waits for commits.
    async fn forward_some(&mut self) -> Result<Flow, Failure> {
        if self.unsent.is_some() {
            return self.send().await;
        }
        let cursor = match self.cursor {
            Some(cursor) => cursor,
            None => {
                let name = self.forwarder.name.clone();
                *self.cursor.insert(self.forwarder.cursors(move |cursors| cursors.get(&name)).await?)
            }
        };
        let unsent = self.read(cursor).await?;
        self.forwarder.show_backlog(Log::Samples, cursor).await?;
        let is_more = unsent.run.is_more;
        if unsent.run.through > cursor {
            self.unsent = Some(unsent);
            if self.send().await? == Flow::Stop {
                return Ok(Flow::Stop);
            }
        } else {
            self.forwarder.is_well();
        }
        if is_more {
            return Ok(Flow::Continue);
        }
        match self.forwarder.wait_for_commit().await {
            Flow::Continue => Ok(self.forwarder.wait(GATHER).await),
            Flow::Stop => Ok(Flow::Stop),
        }
    }
}

impl RawValues {
    async fn read(&mut self, cursor: u64) -> Result<Unsent, Failure> {
        let mut names = std::mem::take(&mut self.names);
        let (site, buffer) = (self.site.clone(), std::mem::take(&mut self.buffer));
        let (names, unsent) = self
            .forwarder
            .read(move |reader| {
                let (run, lines) = lines_after(reader, &mut names, site, buffer, cursor)?;
                let values = lines.values();
                let text = Bytes::from(lines.finish());
                let parts = if text.is_empty() { Vec::new() } else { vec![text] };
                Ok((names, Unsent { run, values, parts }))
            })
            .await?;
        self.names = names;
        Ok(unsent)
    }

    /// Sends part after part, then books the commits they came from.
    async fn send(&mut self) -> Result<Flow, Failure> {
        let mut is_booked = false;
        while let Some((part, through, is_last)) = self.next_part() {
            let positions = (self.cursor.map_or(1, |cursor| cursor + 1), through);
            let exchange = self.forwarder.sending(&self.destination.place, Cargo::Samples, positions, &part);
            let Some(answer) = self.forwarder.until_stop(self.destination.write(part.clone())).await else {
                return Ok(Flow::Stop);
            };
            let exchange = answered(exchange, &answer);
            let outcome = exchange.outcome;
            is_booked = is_last && outcome == Outcome::Acknowledged;
            self.forwarder.exchanged(exchange, is_booked.then_some(through)).await?;
            let answer = answer?;
            match outcome {
                Outcome::Acknowledged => self.replace_last([]),
                Outcome::Refused => self.refused(&part, &answer).await?,
                Outcome::Failed => return Err(answer.failure()),
            }
            // The largest buffer is written again; while a clone is alive this copies nothing and frees nothing.
            if let Ok(part) = part.try_into_mut()
                && part.capacity() > self.buffer.capacity()
            {
                self.buffer = part.into();
            }
        }
        self.move_on(is_booked).await?;
        Ok(Flow::Continue)
    }

    /// Returns what is sent next, the commit that the whole read ends with, and whether it is the last part of it.
    fn next_part(&self) -> Option<(Bytes, u64, bool)> {
        let unsent = self.unsent.as_ref()?;
        Some((unsent.parts.last()?.clone(), unsent.run.through, unsent.parts.len() == 1))
    }

    fn replace_last<const N: usize>(&mut self, parts: [Bytes; N]) {
        if let Some(unsent) = &mut self.unsent {
            unsent.parts.pop();
            unsent.parts.extend(parts);
        }
    }

    /// Halves a part, or keeps the one value the server won't take.
    async fn refused(&mut self, part: &Bytes, answer: &Answer) -> Result<(), Failure> {
        if let Some((first, second)) = line::halve(part) {
            self.replace_last([second.into(), first.into()]);
            return Ok(());
        }
        let position = self.unsent.as_ref().map_or(0, |unsent| unsent.run.through);
        self.forwarder.keep_undeliverable(position, line::name(part), answer.failure().reason).await?;
        if let Some(unsent) = &mut self.unsent {
            unsent.values -= 1;
        }
        self.replace_last([]);
        Ok(())
    }

    async fn move_on(&mut self, is_booked: bool) -> Result<(), Failure> {
        let Some(Unsent { run: SampleRun { through, .. }, values, .. }) = self.unsent else { return Ok(()) };
        if !is_booked {
            let name = self.forwarder.name.clone();
            self.forwarder.cursors(move |cursors| cursors.set(&name, through)).await?;
        }
        (self.cursor, self.unsent) = (Some(through), None);
        self.forwarder.health.count(&self.forwarder.component, "delivered_values", values);
        self.forwarder.health.gauge(&self.forwarder.component, "delivered_through", through);
        self.forwarder.backoff.reset();
        self.forwarder.is_well();
        Ok(())
    }
}

/// Writes the lines after `cursor`. Names of tags that are new are read in between, and then all is written again.
fn lines_after(
    reader: &Reader,
    names: &mut Names,
    site: SiteId,
    buffer: Vec<u8>,
    cursor: u64,
) -> Result<(SampleRun, Lines), StoreError> {
    let mut lines = Lines::new(site.clone(), buffer);
    let mut are_named = true;
    let run = reader.samples_after(cursor, VALUES, |sample| are_named &= lines.add(names, &sample))?;
    if are_named {
        return Ok((run, lines));
    }
    reader.tag_names_after(names.last(), |id, name| names.add(id, name))?;
    let mut lines = Lines::new(site, Vec::new());
    let mut unnamed = None;
    let run = reader.samples_after(cursor, VALUES, |sample| {
        if !lines.add(names, &sample) {
            unnamed = Some(sample.tag);
        }
    })?;
    match unnamed {
        None => Ok((run, lines)),
        Some(tag) => Err(StoreError::Damaged(format!("samples of tag {tag}, which has no name"))),
    }
}
