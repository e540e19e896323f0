//! Which key must sign a page: the one the gateway is held to, or the one to which a key page handed over.
//!
//! In: the key that is declared or pinned, the key pages that were taken. Out: one key. A key that handed over in a stream
//! is not believed there again, but for what it signed before; a declared key that no key page names is another box's, and
//! is believed where its epoch begins.

use super::ingest::Delivery;
use crate::ledger::key::{InvalidKey, Jwk, VerifyingKey};
use crate::model::id::StreamName;

/// A key page that was taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HandOver {
    /// The stream it stands in.
    pub stream: StreamName,
    /// The epoch.
    pub epoch: u32,
    /// Its number.
    pub seq: u64,
    /// The key it was signed with: `x` of its JWK.
    pub old_key: String,
    /// The key that signs every later page of the stream.
    pub new_key: String,
}

/// Returns the key that must sign a page; `kid` is the one it names. `hand_overs` are those of the gateway, ascending by
/// stream, epoch and number; `base` is the key it is held to, and `is_declared` says by whom.
///
/// # Errors
/// [`InvalidKey`] where a stored key is none.
pub(super) fn of_page(
    base: &VerifyingKey,
    is_declared: bool,
    hand_overs: &[HandOver],
    delivery: &Delivery<'_>,
    kid: &str,
) -> Result<VerifyingKey, InvalidKey> {
    let key = |x: &str| VerifyingKey::from_jwk(&Jwk::from_x(x));
    let own: Vec<&HandOver> = hand_overs.iter().filter(|one| one.stream == *delivery.stream).collect();
    let (before, after): (Vec<&HandOver>, Vec<&HandOver>) =
        own.iter().copied().filter(|one| one.epoch == delivery.epoch).partition(|one| one.seq < delivery.seq);
    match (before.last(), after.first()) {
        (Some(last), _) => return key(&last.new_key),
        (None, Some(first)) => return key(&first.old_key),
        (None, None) => {}
    }
    let x = base.jwk().x;
    if is_declared && !hand_overs.iter().any(|one| one.old_key == x || one.new_key == x) {
        return Ok(base.clone());
    }
    if let Some(last) = own.iter().rev().find(|one| one.epoch < delivery.epoch) {
        return key(&last.new_key);
    }
    // A stream without a key page: the key may have been changed before it began, as another stream of the box tells.
    Ok(announced(hand_overs, kid)?.unwrap_or_else(|| base.clone()))
}

/// Returns the key of this id to which one of the key pages hands over; `None` where there is none.
///
/// # Errors
/// [`InvalidKey`] where a stored key is none.
pub(super) fn announced(hand_overs: &[HandOver], kid: &str) -> Result<Option<VerifyingKey>, InvalidKey> {
    for one in hand_overs {
        let announced = VerifyingKey::from_jwk(&Jwk::from_x(&one.new_key))?;
        if announced.kid() == kid {
            return Ok(Some(announced));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::VerifyingKey;
    use crate::hub::ingest::Refusal;
    use crate::hub::read::Reader;
    use crate::hub::status::gateways;
    use crate::hub::store::HubStore;
    use crate::hub::testing::{TestBox, TestHub};
    use crate::ledger::page::{Page, PageKind, SignedPage};
    use crate::model::id::{Digest, GatewayId, StreamName};

    const OLD: u8 = 1;
    const NEW: u8 = 2;

    /// Returns the page by which the key of seed `to` takes over; from then on the box signs with it.
    fn key_page(steel: &mut TestBox, to: u8) -> SignedPage {
        let next = TestBox { seed: to, ..steel.clone() }.key().jwk();
        let page = Page { key: Some(next), ..steel.draft(PageKind::Key) };
        let signed = steel.sign(&page);
        steel.seed = to;
        signed
    }

    fn records(steel: &mut TestBox, minute: i64) -> SignedPage {
        let energy = steel.energy(minute, 5);
        steel.page(vec![energy])
    }

    /// Policy page, records, key page, records of the other key; and the box.
    fn handed_over() -> (Vec<SignedPage>, TestBox) {
        let mut steel = TestBox::new("steel", OLD);
        let mut pages = vec![steel.policy_page(), records(&mut steel, 0)];
        pages.push(key_page(&mut steel, NEW));
        pages.push(records(&mut steel, 5));
        (pages, steel)
    }

    fn holding(pages: &[SignedPage]) -> TestHub {
        let mut hub = TestHub::new();
        for page in pages {
            assert!(hub.deliver(page).unwrap().first, "page {}", page.seq);
        }
        hub
    }

    fn shown_key(hub: &TestHub) -> Option<String> {
        let (known, now) = (&hub.known, hub.now);
        let states = Reader::new(hub.store.path()).ask(|store| gateways(store, known, now)).unwrap();
        states.into_iter().find(|state| state.gateway.as_str() == "steel").unwrap().key_thumbprint
    }

    fn declare(hub: &mut TestHub, key: VerifyingKey) {
        hub.known.gateways.get_mut(&GatewayId::new("steel").unwrap()).unwrap().key = Some(key);
    }

    fn is_refused(hub: &mut TestHub, page: &SignedPage) -> bool {
        matches!(hub.deliver(page), Err(Refusal::Signature { .. }))
    }

    #[test]
    fn a_stream_goes_on_with_the_key_that_took_over_and_no_other_and_says_so() {
        let (pages, steel) = handed_over();
        let mut hub = holding(&pages);
        for seed in [OLD, 3] {
            let mut other = TestBox { seed, ..steel.clone() };
            assert!(is_refused(&mut hub, &records(&mut other, 10)), "{seed}");
        }
        hub.store = HubStore::open(hub.directory.path()).unwrap();
        assert!(hub.deliver(&records(&mut steel.clone(), 10)).unwrap().first, "and after a restart");
        assert_eq!(shown_key(&hub), Some(steel.key().kid()));
    }

    #[test]
    fn a_page_of_an_unannounced_key_is_refused_and_the_key_page_of_a_stranger_announces_none() {
        let (pages, _) = handed_over();
        let mut hub = holding(&pages[..2]);
        let mut thief = TestBox { seq: 2, prev: pages[1].hash, ..TestBox::new("steel", 3) };
        assert!(is_refused(&mut hub, &records(&mut thief.clone(), 5)));
        assert!(is_refused(&mut hub, &key_page(&mut thief, 3)));
        assert!(hub.deliver(&pages[2]).unwrap().first && hub.deliver(&pages[3]).unwrap().first);
    }

    #[test]
    fn a_key_page_that_names_no_key_of_this_kind_is_no_page() {
        let (pages, mut steel) = handed_over();
        let mut hub = holding(&pages);
        for x in ["", "AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"] {
            let jwk = crate::ledger::key::Jwk::from_x(x);
            let page = Page { key: Some(jwk), ..steel.draft(PageKind::Key) }.sign(&steel.key());
            assert!(matches!(hub.deliver(&page), Err(Refusal::Malformed(_))), "{x}");
        }
        assert!(hub.deliver(&records(&mut steel, 10)).unwrap().first);
    }

    #[test]
    fn pages_of_before_and_after_get_their_receipts_again() {
        let (pages, _) = handed_over();
        let mut hub = holding(&pages);
        for page in &pages {
            assert!(!hub.deliver(page).unwrap().first, "page {}", page.seq);
        }
    }

    #[test]
    fn a_hub_that_lost_the_key_page_asks_for_it_again() {
        let (pages, _) = handed_over();
        let mut hub = holding(&pages[..2]);
        match hub.deliver(&pages[3]) {
            Err(Refusal::Gap { head, .. }) => assert_eq!((head.seq, head.hash), (2, pages[1].hash)),
            other => panic!("{other:?}"),
        }
        assert!(hub.deliver(&pages[2]).unwrap().first && hub.deliver(&pages[3]).unwrap().first);
    }

    #[test]
    fn a_declared_key_hands_over_as_a_pinned_one_does_and_may_be_declared_anew_afterwards() {
        let (pages, mut steel) = handed_over();
        let mut hub = TestHub::new();
        declare(&mut hub, TestBox::new("steel", OLD).key().verifying());
        for page in &pages {
            assert!(hub.deliver(page).unwrap().first);
        }
        assert_eq!(shown_key(&hub), Some(steel.key().kid()));
        declare(&mut hub, steel.key().verifying());
        assert!(!hub.deliver(&pages[0]).unwrap().first, "what the old key signed is still its own");
        assert!(hub.deliver(&records(&mut steel, 10)).unwrap().first);
    }

    #[test]
    fn another_stream_keeps_its_key_until_its_own_key_page_and_a_later_one_begins_with_the_new_key() {
        let (pages, _) = handed_over();
        let mut hub = holding(&pages);
        let name = |page: Page, name: &str| Page { stream: StreamName::new(name).unwrap(), ..page };
        for (stream, seed) in [("behind", OLD), ("later", NEW)] {
            let mut other = TestBox::new("steel", seed);
            let policy = Page {
                policy: Some(other.policy()),
                key: Some(other.key().jwk()),
                ..name(other.draft(PageKind::Policy), stream)
            };
            let page = other.sign(&policy);
            assert!(hub.deliver(&page).unwrap().first, "{stream}");
        }
    }

    #[test]
    fn an_epoch_begins_with_the_key_that_took_over_and_a_replaced_box_with_the_declared_one() {
        let (pages, steel) = handed_over();
        let mut hub = holding(&pages);
        let epoch = |seed, prev| TestBox { seed, epoch: 2, seq: 0, prev, ..steel.clone() };
        assert!(is_refused(&mut hub, &epoch(OLD, pages[3].hash).policy_page()), "it handed over");
        assert!(hub.deliver(&epoch(NEW, pages[3].hash).policy_page()).unwrap().first);
        let mut replaced = TestBox { epoch: 3, ..epoch(5, Digest::ZERO) };
        assert!(is_refused(&mut hub, &replaced.clone().policy_page()));
        declare(&mut hub, replaced.key().verifying());
        assert!(hub.deliver(&replaced.policy_page()).unwrap().first);
        let next = key_page(&mut replaced, 6);
        assert!(hub.deliver(&next).unwrap().first);
        assert!(hub.deliver(&records(&mut replaced, 10)).unwrap().first, "and it can hand over too");
    }
}
