//! Accepts pages: from bytes that came over the network to a receipt, in one transaction.
//!
//! In: a delivery, the directory, the hub's clock. Out: a receipt, or the reason for which there is none. A page is taken
//! whole or not at all; any authentic page that continues its chain is stored, and its records that can't count are named
//! in the receipt. The same page again gets the receipt it got first. A contradiction of the held chain stops the stream.

use super::directory::{Directory, KnownGateway};
use super::store::{Added, Chain, Head, HubStore, Ingest, NewPage, StoreError};
use crate::ledger::key::{Jwk, VerifyingKey};
use crate::ledger::page::{self, Page, SharedRecord};
use crate::ledger::verify::{PageFault, read_page, verify_page};
use crate::model::id::{Digest, GatewayId, SiteId, StreamName};
use crate::model::time::{Grain, MINUTE_MS, Timestamp};
use crate::wire::problem::Problem;
use crate::wire::receipt::{Receipt, Rejected};

/// Largest page number: what every JSON reader keeps exactly.
const SEQ_MAX: u64 = (1 << 53) - 1;

/// A page as it came.
#[derive(Debug, Clone, Copy)]
pub struct Delivery<'a> {
    /// Gateway of the path.
    pub gateway: &'a GatewayId,
    /// Stream of the path.
    pub stream: &'a StreamName,
    /// Epoch of the path.
    pub epoch: u32,
    /// Page number of the path.
    pub seq: u64,
    /// The bearer token, where one was sent.
    pub token: Option<&'a str>,
    /// The detached signature.
    pub jws: &'a str,
    /// The body.
    pub bytes: &'a [u8],
}

/// A page the hub holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    /// JSON of the [`Receipt`], byte for byte the same whenever the page comes.
    pub receipt: Vec<u8>,
    /// It came for the first time: 201, else 200.
    pub first: bool,
    /// How many of its records can't count; 0 of a repeated page.
    pub rejected: usize,
}

/// Why a page was not accepted. Each variant is another decision of the sender.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// The token is missing or wrong. 401.
    #[error("gateway {0} sent no token, or a wrong one")]
    Token(GatewayId),
    /// The directory doesn't list the gateway. 403.
    #[error("gateway {0} is not in the directory of this hub")]
    UnknownGateway(GatewayId),
    /// The page isn't signed by the gateway's key. 403.
    #[error("page of gateway {gateway}: {detail}")]
    Signature {
        /// The gateway of the path.
        gateway: GatewayId,
        /// What is wrong.
        detail: String,
    },
    /// It is no page, or another one than the path says. 422.
    #[error("{0}")]
    Malformed(String),
    /// It contradicts the held chain; the stream stops. 409.
    #[error("{detail}")]
    Fork {
        /// What contradicts what.
        detail: String,
        /// What the hub holds.
        head: Head,
    },
    /// Pages before it are missing. 409.
    #[error("page {came} came, page {} is next", .head.seq + 1)]
    Gap {
        /// The page that came.
        came: u64,
        /// What the hub holds.
        head: Head,
    },
    /// The store failed; nothing was accepted. 503.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Refusal {
    /// Returns the answer to the sender. What went wrong inside the hub is not told outside.
    pub fn problem(&self) -> Problem {
        let detail = self.to_string();
        match self {
            Self::Token(_) => Problem::unauthorized(detail),
            Self::UnknownGateway(_) | Self::Signature { .. } => Problem::forbidden(detail),
            Self::Malformed(_) => Problem::malformed(detail),
            Self::Fork { head, .. } => Problem::fork(detail, head.seq, head.hash),
            Self::Gap { head, .. } => Problem::gap(detail, head.seq, head.hash),
            Self::Store(_) => Problem::busy("the hub can't store pages at the moment"),
        }
    }
}

/// Accepts one page. `now` is the hub's clock.
///
/// # Errors
/// [`Refusal`]. Only [`Refusal::Fork`] changes anything: it stops the stream.
pub fn accept(
    store: &mut HubStore,
    directory: &Directory,
    delivery: &Delivery<'_>,
    now: Timestamp,
) -> Result<Accepted, Refusal> {
    let known =
        directory.gateways.get(delivery.gateway).ok_or_else(|| Refusal::UnknownGateway(delivery.gateway.clone()))?;
    if !known.admits(delivery.token) {
        return Err(Refusal::Token(delivery.gateway.clone()));
    }
    let transaction = store.begin()?;
    let key = key_of(&transaction, known, delivery)?;
    let page = authentic(delivery, &key)?;
    transaction.saw(delivery.gateway, &key, now)?;
    let outcome = place(&transaction, known, delivery, &page, now);
    match outcome {
        // What was noted of the gateway, or of a fork, stays although the page doesn't.
        Ok(_) | Err(Refusal::Fork { .. } | Refusal::Gap { .. }) => transaction.commit()?,
        Err(_) => {}
    }
    outcome
}

/// Returns the key the page must be signed with: declared, pinned, or that of the gateway's very first page.
fn key_of(store: &Ingest<'_>, known: &KnownGateway, delivery: &Delivery<'_>) -> Result<VerifyingKey, Refusal> {
    if let Some(declared) = &known.key {
        return Ok(declared.clone());
    }
    let jwk = match store.pinned_key(delivery.gateway)? {
        Some(pinned) => Jwk::from_x(&pinned),
        // Only the first page says what to verify with; a hub that lost its memory asks for it.
        None if delivery.epoch != 1 || delivery.seq != 1 => {
            return Err(Refusal::Gap { came: delivery.seq, head: Head::NONE });
        }
        None => read_page(delivery.bytes)
            .map_err(|fault| Refusal::Malformed(fault.to_string()))?
            .key
            .ok_or_else(|| Refusal::Malformed("page 1 of an epoch holds the key that signs it".to_owned()))?,
    };
    VerifyingKey::from_jwk(&jwk)
        .map_err(|error| Refusal::Signature { gateway: delivery.gateway.clone(), detail: error.to_string() })
}

/// Checks signature and form, and that the page is the one its path names.
fn authentic(delivery: &Delivery<'_>, key: &VerifyingKey) -> Result<Page, Refusal> {
    let forbidden = |detail: String| Refusal::Signature { gateway: delivery.gateway.clone(), detail };
    let page = verify_page(delivery.bytes, delivery.jws, key).map_err(|fault| match fault {
        PageFault::Signature(fault) => forbidden(fault.to_string()),
        PageFault::Malformed(_) => Refusal::Malformed(fault.to_string()),
    })?;
    if page.key.as_ref().is_some_and(|named| named.x != key.jwk().x) {
        return Err(forbidden("it names another key than the one it is signed with".to_owned()));
    }
    let path = (delivery.gateway, delivery.stream, delivery.epoch, delivery.seq);
    if (&page.gateway, &page.stream, page.epoch, page.seq) != path {
        return Err(Refusal::Malformed(format!(
            "path names page {}/{}/{}/{}, body is page {}/{}/{}/{}",
            path.0, path.1, path.2, path.3, page.gateway, page.stream, page.epoch, page.seq
        )));
    }
    if page.seq > SEQ_MAX {
        return Err(Refusal::Malformed(format!("page number {} exceeds {SEQ_MAX}", page.seq)));
    }
    Ok(page)
}

/// Puts an authentic page in its place in the chain.
fn place(
    store: &Ingest<'_>,
    known: &KnownGateway,
    delivery: &Delivery<'_>,
    page: &Page,
    now: Timestamp,
) -> Result<Accepted, Refusal> {
    let chain = Chain { gateway: page.gateway.clone(), stream: page.stream.clone(), epoch: page.epoch };
    let hash = page::hash(delivery.bytes);
    let head = store.head(&chain)?;
    if let Some((held, receipt)) = store.page(&chain, page.seq)? {
        if held == hash {
            return Ok(Accepted { receipt, first: false, rejected: 0 });
        }
        let detail = format!("page {} came with hash {hash}, it is held with hash {held}", page.seq);
        return Err(fork(store, &chain, head, detail, now)?);
    }
    if let Some(detail) = head.fork.clone() {
        return Err(Refusal::Fork { detail: format!("the stream has stopped: {detail}"), head });
    }
    if page.seq > head.seq + 1 {
        return Err(Refusal::Gap { came: page.seq, head });
    }
    if let Some(detail) = contradiction(store, &chain, &head, page)? {
        return Err(fork(store, &chain, head, detail, now)?);
    }
    let rejected = add_records(store, known, &chain, page)?;
    let receipt = Receipt {
        gateway: chain.gateway.clone(),
        stream: chain.stream.clone(),
        epoch: chain.epoch,
        seq: page.seq,
        hash,
        accepted_through: page.seq,
        head_hash: hash,
        rejected,
        received_at: now,
    };
    let bytes = serde_json::to_vec(&receipt).expect("a receipt holds strings and integers only");
    store.add_page(&NewPage {
        chain: &chain,
        page,
        hash,
        jws: delivery.jws,
        bytes: delivery.bytes,
        receipt: &bytes,
        received_at: now,
    })?;
    Ok(Accepted { receipt: bytes, first: true, rejected: receipt.rejected.len() })
}

/// Says how the next page fails to continue the chain; `None` where it does.
fn contradiction(store: &Ingest<'_>, chain: &Chain, head: &Head, page: &Page) -> Result<Option<String>, StoreError> {
    if page.seq > 1 {
        let detail =
            format!("page {} continues {}, page {} is held with hash {}", page.seq, page.prev, head.seq, head.hash);
        return Ok((page.prev != head.hash).then_some(detail));
    }
    // The first page of an epoch names the last common page of the epoch before; the very first has nothing before it.
    let continues = page.prev == Digest::ZERO || store.holds_in_earlier_epoch(chain, page.prev)?;
    let detail = format!("page 1 of epoch {} continues {}, which is not held", chain.epoch, page.prev);
    Ok((!continues).then_some(detail))
}

fn fork(
    store: &Ingest<'_>,
    chain: &Chain,
    head: Head,
    detail: String,
    now: Timestamp,
) -> Result<Refusal, StoreError> {
    store.mark_forked(chain, &detail, now)?;
    Ok(Refusal::Fork { detail, head })
}

/// Stores the records that count; returns those that don't.
fn add_records(
    store: &Ingest<'_>,
    known: &KnownGateway,
    chain: &Chain,
    page: &Page,
) -> Result<Vec<Rejected>, StoreError> {
    let mut rejected = Vec::new();
    for (index, record) in (0_u32..).zip(&page.records) {
        let reason = match unfit(record, &known.site) {
            Some(reason) => Some(reason),
            None => match store.add_record(chain, page.seq, record)? {
                Added::Fresh | Added::Same => None,
                Added::Other { page } => Some(format!(
                    "revision {} of {} {} at {} is held with other facts, from page {page}",
                    record.revision, record.asset, record.grain, record.window.start
                )),
            },
        };
        if let Some(reason) = reason {
            store.add_rejected(chain, page.seq, index, &reason)?;
            rejected.push(Rejected { index, reason });
        }
    }
    Ok(rejected)
}

/// Says why a record can't count, whatever the hub holds.
fn unfit(record: &SharedRecord, site: &SiteId) -> Option<String> {
    if record.site != *site {
        return Some(format!("site {} is not the gateway's site {site}", record.site));
    }
    if record.revision == 0 {
        return Some("revisions are numbered from 1".to_owned());
    }
    let (shortest, longest) = minutes(record.grain);
    let length = record.window.end.0.checked_sub(record.window.start.0).unwrap_or(-1);
    let fits = (shortest * MINUTE_MS..=longest * MINUTE_MS).contains(&length);
    (!fits).then(|| format!("a window of {length} ms is no {}", record.grain))
}

/// Returns the shortest and the longest window of a grain, in minutes; a change of civil time moves either by an hour.
const fn minutes(grain: Grain) -> (i64, i64) {
    match grain {
        Grain::Minute => (1, 1),
        Grain::FiveMinutes => (5, 5),
        Grain::QuarterHour => (15, 15),
        Grain::HalfHour => (30, 30),
        Grain::Hour => (60, 60),
        Grain::Shift => (1, 25 * 60),
        Grain::Day => (23 * 60, 25 * 60),
        Grain::Month => ((28 * 24 - 1) * 60, (31 * 24 + 1) * 60),
        Grain::Year => (365 * 24 * 60, 366 * 24 * 60),
    }
}
