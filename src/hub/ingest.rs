//! Accepts pages: from bytes that came over the network to a receipt, in one transaction.
//!
//! In: a delivery, the directory, the hub's clock. Out: a receipt, or the reason for which there is none. A page is taken
//! whole or not at all; any authentic page that continues its chain is stored, and its records that can't count are named
//! in the receipt. The same page again gets the receipt it got first. A contradiction of the held chain stops the stream.

use super::directory::{Directory, KnownGateway};
use super::keys;
use super::store::{Added, Chain, Head, HubStore, Ingest, NewPage, StoreError};
use crate::ledger::jws;
use crate::ledger::key::{Jwk, VerifyingKey};
use crate::ledger::page::{self, Page, PageKind, SharedRecord};
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
    let base = key_of(&transaction, known, delivery)?;
    let key = signer_of(&transaction, &base, known, delivery)?;
    let page = authentic(delivery, &key)?;
    transaction.saw(delivery.gateway, &base, &key, now)?;
    let outcome = place(&transaction, known, delivery, &page, &key, now);
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

/// Returns the key that must sign the page. One that names another key and comes too early may come after a key page that
/// isn't held: then the hub asks for what is missing.
fn signer_of(
    store: &Ingest<'_>,
    base: &VerifyingKey,
    known: &KnownGateway,
    delivery: &Delivery<'_>,
) -> Result<VerifyingKey, Refusal> {
    let refused = |detail: String| Refusal::Signature { gateway: delivery.gateway.clone(), detail };
    let kid = jws::kid(delivery.jws).map_err(|fault| refused(fault.to_string()))?;
    let hand_overs = store.hand_overs(delivery.gateway)?;
    let key = keys::of_page(base, known.key.is_some(), &hand_overs, delivery, &kid)
        .map_err(|fault| refused(fault.to_string()))?;
    if key.kid() != kid {
        let chain = Chain { gateway: delivery.gateway.clone(), stream: delivery.stream.clone(), epoch: delivery.epoch };
        let head = store.head(&chain)?;
        if delivery.seq > head.seq + 1 {
            return Err(Refusal::Gap { came: delivery.seq, head });
        }
    }
    Ok(key)
}

/// Checks signature and form, and that the page is the one its path names.
fn authentic(delivery: &Delivery<'_>, key: &VerifyingKey) -> Result<Page, Refusal> {
    let forbidden = |detail: String| Refusal::Signature { gateway: delivery.gateway.clone(), detail };
    let page = verify_page(delivery.bytes, delivery.jws, key).map_err(|fault| match fault {
        PageFault::Signature(fault) => forbidden(fault.to_string()),
        PageFault::Malformed(_) => Refusal::Malformed(fault.to_string()),
    })?;
    match &page.key {
        Some(next) if page.kind == PageKind::Key => {
            VerifyingKey::from_jwk(next).map_err(|fault| Refusal::Malformed(fault.to_string()))?;
        }
        Some(named) if named.x != key.jwk().x => {
            return Err(forbidden("it names another key than the one it is signed with".to_owned()));
        }
        _ => {}
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
    signer: &VerifyingKey,
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
    if let Some(next) = page.key.as_ref().filter(|_| page.kind == PageKind::Key) {
        store.add_hand_over(&chain, page.seq, &signer.jwk().x, &next.x)?;
    }
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

fn fork(store: &Ingest<'_>, chain: &Chain, head: Head, detail: String, now: Timestamp) -> Result<Refusal, StoreError> {
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
    let (shortest, longest) = grain_minutes(record.grain);
    let length = record.window.end.0.checked_sub(record.window.start.0).unwrap_or(-1);
    let fits = (shortest * MINUTE_MS..=longest * MINUTE_MS).contains(&length);
    (!fits).then(|| format!("a window of {length} ms is no {}", record.grain))
}

/// Returns the shortest and the longest window of a grain, in minutes; a change of civil time moves either by an hour.
pub(super) const fn grain_minutes(grain: Grain) -> (i64, i64) {
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

#[cfg(test)]
mod tests {
    use proptest::prelude::{Strategy, prop_assert_eq, proptest};

    use super::{Accepted, Receipt, Refusal};
    use crate::engine::kpi::find;
    use crate::hub::read::Reader;
    use crate::hub::store::{FILE, HubStore};
    use crate::hub::testing::{TestBox, TestHub, delivery, record};
    use crate::ledger::page::{PageKind, SignedPage};
    use crate::ledger::stream::{MeasuresOf, Stream};
    use crate::ledger::verify::verify_page;
    use crate::model::fact::Measure;
    use crate::model::id::{Digest, GatewayId, SiteId, StreamName};
    use crate::model::record::WindowRecord;
    use crate::model::time::Grain;

    /// A hub that holds page 1 and 2 of `steel`, whose box is returned.
    fn started() -> (TestHub, TestBox, Vec<SignedPage>) {
        let (mut hub, mut steel) = (TestHub::new(), TestBox::new("steel", 1));
        let records = vec![steel.energy(0, 5)];
        let pages = vec![steel.policy_page(), steel.page(records)];
        for page in &pages {
            assert!(hub.deliver(page).unwrap().first);
        }
        (hub, steel, pages)
    }

    fn receipt(accepted: &Accepted) -> Receipt {
        serde_json::from_slice(&accepted.receipt).unwrap()
    }

    /// Returns status, kind, accepted_through and head hash of a refusal.
    fn answer(refusal: Result<Accepted, Refusal>) -> (u16, String, Option<u64>, Option<Digest>) {
        let problem = refusal.expect_err("it must be refused").problem();
        let kind = problem.kind.trim_start_matches("urn:parkgate:problem:").to_owned();
        (problem.status, kind, problem.accepted_through, problem.head_hash)
    }

    fn counts(hub: &TestHub) -> (u64, u64, u64) {
        let counts = Reader::new(hub.store.path()).ask(|store| store.counts()).unwrap();
        (counts.pages, counts.facts, counts.rejected)
    }

    #[test]
    fn the_first_time_gives_a_receipt_and_the_same_page_again_gives_the_same_bytes() {
        let (mut hub, mut steel, pages) = started();
        let page = steel.page(vec![steel.energy(5, 5)]);
        let first = hub.deliver(&page).unwrap();
        let receipt = receipt(&first);
        assert_eq!(
            (receipt.seq, receipt.hash, receipt.accepted_through, receipt.head_hash),
            (3, page.hash, 3, page.hash)
        );
        assert!(first.first && receipt.rejected.is_empty());
        hub.deliver(&steel.page(vec![steel.energy(10, 5)])).unwrap();
        let again = hub.deliver(&page).unwrap();
        assert_eq!((again.first, &again.receipt), (false, &first.receipt));
        assert!(!hub.deliver(&pages[0]).unwrap().first);
        assert_eq!(counts(&hub), (4, 3, 0));
    }

    #[test]
    fn a_page_that_comes_too_early_is_a_gap_and_says_what_is_held() {
        let (mut hub, mut steel, pages) = started();
        let (third, fourth) = (steel.page(vec![steel.energy(5, 5)]), steel.page(vec![steel.energy(10, 5)]));
        assert_eq!(answer(hub.deliver(&fourth)), (409, "gap".to_owned(), Some(2), Some(pages[1].hash)));
        assert!(hub.deliver(&third).unwrap().first && hub.deliver(&fourth).unwrap().first);
    }

    #[test]
    fn another_hash_under_a_held_number_is_a_fork_and_the_stream_stays_stopped() {
        let (mut hub, steel, pages) = started();
        let mut twin = TestBox { seq: 1, prev: pages[0].hash, ..steel.clone() };
        let other = twin.page(vec![twin.energy(0, 6)]);
        assert_eq!(answer(hub.deliver(&other)), (409, "fork".to_owned(), Some(2), Some(pages[1].hash)));
        let next = steel.clone().page(vec![steel.energy(5, 5)]);
        assert_eq!(answer(hub.deliver(&next)).1, "fork", "the right next page is refused too");
        assert!(!hub.deliver(&pages[1]).unwrap().first, "what is held stays held");
        hub.store = HubStore::open(hub.directory.path()).unwrap();
        assert_eq!(answer(hub.deliver(&next)).1, "fork", "and after a restart");
    }

    #[test]
    fn a_next_page_that_continues_another_one_is_a_fork() {
        let (mut hub, steel, pages) = started();
        let mut twin = TestBox { prev: Digest([1; 32]), ..steel };
        let next = twin.page(vec![twin.energy(5, 5)]);
        assert_eq!(answer(hub.deliver(&next)), (409, "fork".to_owned(), Some(2), Some(pages[1].hash)));
        assert_eq!(counts(&hub), (2, 1, 0));
    }

    #[test]
    fn a_new_epoch_continues_a_held_page_and_lets_a_forked_stream_go_on() {
        let (mut hub, steel, pages) = started();
        let mut lost = TestBox { epoch: 2, seq: 0, prev: Digest([1; 32]), ..steel.clone() };
        assert_eq!(answer(hub.deliver(&lost.policy_page())).1, "fork", "it continues a page that nobody holds");
        let mut resolved = TestBox { epoch: 3, seq: 0, prev: pages[1].hash, ..steel };
        assert!(hub.deliver(&resolved.policy_page()).unwrap().first);
        assert!(hub.deliver(&resolved.page(vec![resolved.energy(5, 5)])).unwrap().first);
    }

    #[test]
    fn the_key_of_the_first_page_is_pinned_and_another_one_is_refused_later() {
        let (mut hub, steel, _) = started();
        let mut thief = TestBox { seed: 2, ..steel.clone() };
        let forged = thief.page(vec![thief.energy(5, 99)]);
        assert_eq!(answer(hub.deliver(&forged)).0, 403);
        let mut epoch = TestBox { seed: 2, epoch: 2, seq: 0, prev: Digest::ZERO, ..steel.clone() };
        assert_eq!(answer(hub.deliver(&epoch.policy_page())).0, 403);
        let mut own = steel;
        assert!(hub.deliver(&own.page(vec![own.energy(5, 5)])).unwrap().first, "a stranger can't stop the stream");
    }

    #[test]
    fn a_declared_key_is_held_to_from_the_first_page_on() {
        let (mut hub, mut steel) = (TestHub::new(), TestBox::new("steel", 1));
        let declared = TestBox::new("steel", 3).key().verifying();
        hub.known.gateways.get_mut(&GatewayId::new("steel").unwrap()).unwrap().key = Some(declared);
        assert_eq!(answer(hub.deliver(&steel.policy_page())).0, 403);
        assert!(hub.deliver(&TestBox::new("steel", 3).policy_page()).unwrap().first);
    }

    #[test]
    fn a_changed_byte_or_signature_is_refused() {
        let (mut hub, mut steel, _) = started();
        let page = steel.page(vec![steel.energy(5, 5)]);
        let text = String::from_utf8(page.bytes.clone()).unwrap().replace("5000000", "4000000");
        let edited = SignedPage { bytes: text.into_bytes(), ..page.clone() };
        assert_eq!(answer(hub.deliver(&edited)).0, 403);
        let unsigned = SignedPage { jws: "no signature".to_owned(), ..page };
        assert_eq!(answer(hub.deliver(&unsigned)).0, 403);
        assert_eq!(counts(&hub), (2, 1, 0));
    }

    #[test]
    fn what_is_signed_but_no_page_or_another_one_than_its_path_names_is_malformed() {
        let (mut hub, mut steel, _) = started();
        let page = steel.page(vec![steel.energy(5, 5)]);
        let elsewhere = SignedPage { stream: StreamName::new("other").unwrap(), ..page.clone() };
        assert_eq!(answer(hub.deliver(&elsewhere)).0, 422);
        let mut spaced = page.bytes.clone();
        spaced.push(b' ');
        let jws = crate::ledger::jws::sign(&spaced, &steel.key());
        assert_eq!(answer(hub.deliver(&SignedPage { bytes: spaced, jws, ..page })).0, 422, "not canonical");
        let text = b"{}".to_vec();
        let jws = crate::ledger::jws::sign(&text, &steel.key());
        let third = steel.page(vec![steel.energy(5, 5)]);
        assert_eq!(answer(hub.deliver(&SignedPage { bytes: text, jws, ..third })).0, 422);
    }

    #[test]
    fn unknown_gateways_and_wrong_tokens_are_told_apart() {
        let mut hub = TestHub::new();
        let stranger = TestBox::new("nobody", 1).policy_page();
        assert_eq!(answer(hub.deliver(&stranger)).0, 403);
        let page = TestBox::new("electronics", 1).policy_page();
        for token in [None, Some(""), Some("s3cre"), Some("s3cret ")] {
            assert_eq!(answer(hub.deliver_with(&page, token)).0, 401, "{token:?}");
        }
        assert!(hub.deliver_with(&page, Some("s3cret")).unwrap().first);
    }

    #[test]
    fn a_record_of_another_site_is_rejected_by_index_and_the_page_is_stored() {
        let (mut hub, mut steel, _) = started();
        let foreign = record(&SiteId::new("garment").unwrap(), Grain::FiveMinutes, 5, 1, &[(Measure::Apt, 1)]);
        let mut crooked = steel.energy(10, 5);
        crooked.window.end = crooked.window.end + 1;
        let page = steel.page(vec![steel.energy(5, 5), foreign, crooked]);
        let accepted = hub.deliver(&page).unwrap();
        let rejected = receipt(&accepted).rejected;
        assert_eq!(rejected.iter().map(|record| record.index).collect::<Vec<_>>(), [1, 2]);
        assert_eq!(rejected[0].reason, "site garment is not the gateway's site steel");
        assert_eq!(rejected[1].reason, "a window of 300001 ms is no 5min");
        assert_eq!(counts(&hub), (3, 2, 2));
        assert_eq!(hub.deliver(&page).unwrap().receipt, accepted.receipt);
    }

    #[test]
    fn a_published_revision_is_never_rewritten() {
        let (mut hub, mut steel, _) = started();
        let page = steel.page(vec![steel.energy(0, 5), steel.energy(0, 6), steel.record(0, 2, &[])]);
        let rejected = receipt(&hub.deliver(&page).unwrap()).rejected;
        assert_eq!(rejected.len(), 1, "the same facts again are no contradiction: {rejected:?}");
        assert_eq!(
            (rejected[0].index, rejected[0].reason.as_str()),
            (
                1,
                "revision 1 of site 5min at 2026-10-04T17:00:00.000Z is held with other facts, from page steel/authority/1/2"
            )
        );
        assert_eq!(counts(&hub).1, 2);
    }

    #[test]
    fn a_restart_keeps_everything_and_every_page_still_verifies() {
        let (mut hub, mut steel, mut pages) = started();
        let before = hub.deliver(&pages[1]).unwrap();
        hub.store = HubStore::open(hub.directory.path()).unwrap();
        assert_eq!(hub.deliver(&pages[1]).unwrap(), before);
        pages.push(steel.page(vec![steel.energy(5, 5)]));
        assert!(hub.deliver(&pages[2]).unwrap().first);
        for page in &pages {
            let read =
                |store: &crate::hub::read::Snapshot<'_>| store.page(&page.gateway, &page.stream, page.epoch, page.seq);
            let (bytes, jws) = Reader::new(hub.store.path()).ask(read).unwrap().unwrap();
            assert_eq!(bytes, page.bytes);
            verify_page(&bytes, &jws, &steel.key().verifying()).unwrap();
        }
    }

    #[test]
    fn a_hub_restored_from_a_backup_asks_for_what_it_lost() {
        let (mut hub, mut steel, mut pages) = started();
        let backup = tempfile::tempdir().unwrap();
        let copy = format!("VACUUM INTO '{}'", backup.path().join(FILE).display());
        rusqlite::Connection::open(hub.store.path()).unwrap().execute_batch(&copy).unwrap();
        for minute in [5, 10, 15] {
            let record = steel.energy(minute, 5);
            pages.push(steel.page(vec![record]));
            hub.deliver(pages.last().unwrap()).unwrap();
        }
        hub.store = HubStore::open(backup.path()).unwrap();
        let next = steel.page(vec![steel.energy(20, 5)]);
        assert_eq!(answer(hub.deliver(&next)), (409, "gap".to_owned(), Some(2), Some(pages[1].hash)));
        assert!(pages[2..].iter().chain([&next]).all(|page| hub.deliver(page).unwrap().first));
        assert_eq!(counts(&hub), (6, 5, 0));
    }

    #[test]
    fn a_hub_that_lost_everything_asks_for_the_first_page() {
        let (mut hub, mut steel) = (TestHub::new(), TestBox::new("steel", 1));
        let pages = [steel.policy_page(), steel.page(vec![steel.energy(0, 5)])];
        assert_eq!(answer(hub.deliver(&pages[1])), (409, "gap".to_owned(), Some(0), Some(Digest::ZERO)));
        assert!(hub.deliver(&pages[0]).unwrap().first && hub.deliver(&pages[1]).unwrap().first);
    }

    #[test]
    fn a_policy_page_with_another_key_than_its_signer_is_refused() {
        let (mut hub, mut steel, _) = started();
        let other = TestBox::new("steel", 2).key().jwk();
        let page = crate::ledger::page::Page {
            policy: Some(steel.policy()),
            key: Some(other),
            ..steel.draft(PageKind::Policy)
        };
        let signed = steel.sign(&page);
        assert_eq!(answer(hub.deliver(&signed)).0, 403);
    }

    #[test]
    fn a_delivery_that_was_cut_off_before_the_commit_leaves_no_trace() {
        let (mut hub, mut steel, _) = started();
        let page = steel.page(vec![steel.energy(5, 5)]);
        let known = hub.known.gateways[&page.gateway].clone();
        {
            let transaction = hub.store.begin().unwrap();
            let content = super::authentic(&delivery(&page, None), &steel.key().verifying()).unwrap();
            super::place(&transaction, &known, &delivery(&page, None), &content, &steel.key().verifying(), hub.now)
                .unwrap();
        }
        assert_eq!(counts(&hub), (2, 1, 0));
        assert!(hub.deliver(&page).unwrap().first);
    }

    #[test]
    fn what_a_boxs_stream_cuts_is_accepted_as_it_is() {
        let (mut hub, steel) = (TestHub::new(), TestBox::new("steel", 1));
        let measures_of: MeasuresOf = |kpi| find(kpi.as_str()).map_or(&[], |definition| definition.reveals());
        let (gateway, name) = (GatewayId::new("steel").unwrap(), StreamName::new("authority").unwrap());
        let mut stream = Stream::open(gateway, name, 1, steel.policy(), None, measures_of);
        let record = |minute: i64| {
            let shared = steel.energy(minute, 5);
            WindowRecord {
                site: shared.site,
                asset: shared.asset,
                level: shared.level,
                grain: shared.grain,
                window: shared.window,
                revision: shared.revision,
                facts: shared.facts,
                product_unit: shared.product_unit,
                kpis: shared.kpis,
                config: shared.config,
                clock: shared.clock,
                calendar: None,
                inputs_digest: shared.inputs_digest,
            }
        };
        let records: Vec<WindowRecord> = (0..1200).map(|five| record(five * 5)).collect();
        let pages = stream.cut(hub.now, Digest([7; 32]), &records, &steel.key());
        assert!(pages.len() > 3, "a policy page and pages of 500 records at most");
        assert!(pages.iter().all(|page| receipt(&hub.deliver(page).unwrap()).rejected.is_empty()));
        assert_eq!(counts(&hub), (pages.len() as u64, 1200, 0));
    }

    proptest! {
        #![proptest_config(proptest::prelude::ProptestConfig::with_cases(24))]
        #[test]
        fn whatever_is_repeated_or_reordered_each_page_is_held_once(
            order in proptest::collection::vec(0_usize..8, 0..40).prop_map(|mut order| { order.extend(0..8); order })
        ) {
            let (mut hub, mut steel) = (TestHub::new(), TestBox::new("steel", 1));
            let mut pages = vec![steel.policy_page()];
            for minute in 0..7 {
                let record = steel.energy(minute * 5, 5);
                pages.push(steel.page(vec![record]));
            }
            let mut held = 0;
            let mut receipts = vec![None; 8];
            for position in order {
                match hub.deliver(&pages[position]) {
                    Ok(accepted) => {
                        prop_assert_eq!(accepted.first, position == held);
                        held += usize::from(accepted.first);
                        let receipt = receipts[position].get_or_insert_with(|| accepted.receipt.clone());
                        prop_assert_eq!(&*receipt, &accepted.receipt);
                    }
                    Err(refusal) => {
                        prop_assert_eq!(answer(Err(refusal)).2, Some(held as u64));
                        assert!(position > held);
                    }
                }
            }
            prop_assert_eq!(held, 8);
            prop_assert_eq!(counts(&hub), (8, 7, 0));
        }
    }
}
