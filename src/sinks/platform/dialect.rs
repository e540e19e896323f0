//! Figures to a platform of another dialect: the same stream, sent as a template says.
//!
//! In: the stream's pages, so that nothing goes out that the share policy withholds. Out: requests of several items. One
//! that the platform refuses is halved until the refused item stands alone; that one is kept as undeliverable with the
//! platform's words, the rest goes on. The cursor moves when a page is through; after a crash within a page its items
//! are sent again, under the same keys.

#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::ops::Range;

use super::template::{Item, Method, TemplateConfig};
use super::{Flow, Platform};
use crate::ledger::page::{SignedPage, hash};
use crate::ledger::verify::read_page;
use crate::model::time::Timestamp;
use crate::sinks::http::{Answer, Failure};
use crate::store::{Exchange, Outcome};

/// Header that carries a request's key where none is configured.
const KEY_HEADER: &str = "Idempotency-Key";

/// What is left to send of a page.
#[derive(Debug, Default)]
pub(super) struct Rest {
    /// The page; 0 for none.
    seq: u64,
    items: Vec<Item>,
    /// Parts of the items, in their order.
    parts: VecDeque<Range<usize>>,
}

impl Rest {
    fn of(page: &SignedPage, template: &TemplateConfig) -> Result<Self, Failure> {
        let records =
            read_page(&page.bytes).map_err(|fault| Failure::new(format!("page {}: {fault}", page.seq)))?.records;
        let items = template.items(&records);
        let batch = template.batch();
        let parts = (0..items.len()).step_by(batch).map(|from| from..(from + batch).min(items.len())).collect();
        Ok(Self { seq: page.seq, items, parts })
    }
}

/// What an answer means. 409 to a key that the platform knows says that it holds the items.
enum Verdict {
    Held,
    Refused(String),
    Failed(Failure),
}

fn verdict(answer: Result<Answer, Failure>) -> Verdict {
    match answer {
        Ok(answer) => match answer.status {
            200..=299 | 409 => Verdict::Held,
            400 | 413 | 422 => Verdict::Refused(answer.failure().reason),
            _ => Verdict::Failed(answer.failure()),
        },
        Err(failure) => Verdict::Failed(failure),
    }
}

impl Platform {
    /// Sends the items of the next page after the cursor.
    pub(super) async fn forward_items(
        &mut self,
        template: &TemplateConfig,
        page: &SignedPage,
        cursor: &mut u64,
    ) -> Result<Flow, Failure> {
        if self.rest.seq != page.seq {
            self.rest = Rest::of(page, template)?;
        }
        while let Some(part) = self.rest.parts.front().cloned() {
            if let Some(flow) = self.hold_back().await? {
                return Ok(flow);
            }
            let (body, key) = template.body(&self.rest.items[part.clone()]);
            let mut exchange = self.items_exchange(page, &body);
            let token = self.forwarder.token();
            let answer = tokio::select! {
                () = token.cancelled() => None,
                answer = self.send_items(template, body, &key) => Some(answer),
            };
            let Some(answer) = answer else {
                exchange.answer = "the box stopped before there was an answer".to_owned();
                self.forwarder.exchanged(exchange, None).await?;
                return Ok(Flow::Stop);
            };
            self.spend().await?;
            exchange.answer = answer.as_ref().map_or_else(|failure| failure.reason.clone(), Answer::stated);
            match verdict(answer) {
                Verdict::Held => {
                    exchange.outcome = Outcome::Acknowledged;
                    let moved_to = (self.rest.parts.len() == 1).then_some(page.seq);
                    self.exchanged(exchange, moved_to, cursor).await?;
                    self.rest.parts.pop_front();
                    self.forwarder.backoff.reset();
                    self.forwarder.health.count(&self.forwarder.component, "delivered_items", part.len() as u64);
                    self.forwarder.is_well();
                }
                Verdict::Refused(reason) => {
                    exchange.outcome = Outcome::Refused;
                    self.forwarder.exchanged(exchange, None).await?;
                    self.set_apart(page, part, reason).await?;
                }
                Verdict::Failed(failure) => {
                    self.forwarder.exchanged(exchange, None).await?;
                    return Err(failure);
                }
            }
        }
        if *cursor < page.seq {
            // A page without records, or one whose last item was refused.
            let name = self.forwarder.name.clone();
            let seq = page.seq;
            self.forwarder.cursors(move |cursors| cursors.set(&name, seq)).await?;
            *cursor = seq;
            self.forwarder.health.gauge(&self.forwarder.component, "delivered_through", seq);
        }
        Ok(Flow::Continue)
    }

    /// Halves what was refused, or keeps the one item that it is.
    async fn set_apart(&mut self, page: &SignedPage, part: Range<usize>, reason: String) -> Result<(), Failure> {
        if part.len() == 1 {
            let what = self.rest.items[part.start].what.clone();
            self.forwarder.keep_undeliverable(page.seq, what, reason).await?;
            self.rest.parts.pop_front();
            return Ok(());
        }
        let middle = part.start + part.len() / 2;
        self.rest.parts.pop_front();
        self.rest.parts.push_front(middle..part.end);
        self.rest.parts.push_front(part.start..middle);
        Ok(())
    }

    async fn send_items(&mut self, template: &TemplateConfig, body: Vec<u8>, key: &str) -> Result<Answer, Failure> {
        let url = format!("{}{}", self.url, template.path.get_ref());
        let client = &self.access.client;
        let mut request = match template.method {
            Method::Post => client.post(url),
            Method::Put => client.put(url),
        };
        for (name, value) in &template.headers {
            request = request.header(name, value.get_ref());
        }
        let key_header = template.key_header.as_ref().map_or(KEY_HEADER, |header| header.get_ref());
        let request = request.header(reqwest::header::CONTENT_TYPE, "application/json").header(key_header, key);
        self.access.send(request.body(body)).await
    }

    fn items_exchange(&self, page: &SignedPage, body: &[u8]) -> Exchange {
        let at: Timestamp = self.forwarder.clock.now();
        Exchange { bytes: body.len() as u64, hash: hash(body), ..self.exchange(page, at, Outcome::Failed, "") }
    }
}
