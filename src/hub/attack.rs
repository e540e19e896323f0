//! A small ledger on its way to the hub under attack: nothing that was touched is taken, and it stops nothing either.
//!
//! Exhaustive: every bit and every length of every page and signature, at the moment when that page is next.

use super::ingest::Refusal;
use super::read::Reader;
use super::testing::TestHub;
use crate::ledger::fixture::ledger;
use crate::ledger::page::SignedPage;
use crate::model::id::{GatewayId, SiteId};

/// A hub that knows the box of the ledger and holds its first pages.
fn hub(held: usize) -> TestHub {
    let mut hub = TestHub::new();
    let mut known = hub.known.gateways[&GatewayId::new("steel").unwrap()].clone();
    known.site = SiteId::new("tt-main").unwrap();
    hub.known.gateways.insert(ledger()[0].gateway.clone(), known);
    for page in &ledger()[..held] {
        assert!(hub.deliver(page).unwrap().first);
    }
    hub
}

fn pages_held(hub: &TestHub) -> u64 {
    Reader::new(hub.store.path()).ask(|store| store.counts()).unwrap().pages
}

/// Delivers every variant of each page while that page is next, and then the page itself.
fn attack(variants: impl Fn(&SignedPage) -> Vec<SignedPage>) {
    for (held, page) in ledger().iter().enumerate() {
        let mut hub = hub(held);
        for (number, variant) in variants(page).iter().enumerate() {
            match hub.deliver(variant) {
                Err(Refusal::Signature { .. } | Refusal::Malformed(_)) => {}
                other => panic!("page {}, variant {number}: {other:?}", page.seq),
            }
        }
        assert_eq!(pages_held(&hub), held as u64, "nothing of it is held");
        let accepted = hub.deliver(page).unwrap();
        assert!(accepted.first && accepted.rejected == 0, "and the page itself is still taken");
    }
}

fn with_bytes(page: &SignedPage, bytes: Vec<u8>) -> SignedPage {
    SignedPage { bytes, ..page.clone() }
}

fn with_jws(page: &SignedPage, jws: String) -> SignedPage {
    SignedPage { jws, ..page.clone() }
}

#[test]
fn no_flipped_bit_is_taken() {
    attack(|page| {
        let bytes = (0..page.bytes.len() * 8).map(|bit| {
            let mut bytes = page.bytes.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            with_bytes(page, bytes)
        });
        let signatures = (0..page.jws.len() * 8).filter_map(|bit| {
            let mut jws = page.jws.clone().into_bytes();
            jws[bit / 8] ^= 1 << (bit % 8);
            // A header that is no text is refused before the hub sees it.
            String::from_utf8(jws).ok().map(|jws| with_jws(page, jws))
        });
        bytes.chain(signatures).collect()
    });
}

#[test]
fn no_page_that_was_cut_off_is_taken() {
    attack(|page| {
        let bytes = (0..page.bytes.len()).map(|length| with_bytes(page, page.bytes[..length].to_vec()));
        let signatures = (0..page.jws.len()).map(|length| with_jws(page, page.jws[..length].to_owned()));
        bytes.chain(signatures).collect()
    });
}

#[test]
fn each_removed_page_is_asked_for_and_each_repeated_one_changes_nothing() {
    for removed in 0..ledger().len() - 1 {
        let mut hub = hub(removed);
        for page in &ledger()[removed + 1..] {
            match hub.deliver(page) {
                Err(Refusal::Gap { head, .. }) => assert_eq!(head.seq, removed as u64),
                other => panic!("page {} without page {}: {other:?}", page.seq, removed + 1),
            }
        }
        for page in &ledger() {
            assert_eq!(hub.deliver(page).unwrap().first, page.seq > removed as u64);
        }
        assert_eq!(pages_held(&hub), ledger().len() as u64);
    }
}

#[test]
fn each_pair_that_comes_swapped_is_sorted_out_by_asking_again() {
    for first in 0..ledger().len() {
        for second in first + 1..ledger().len() {
            let (mut hub, mut pages) = (hub(0), ledger());
            pages.swap(first, second);
            let refused = pages.iter().filter(|page| matches!(hub.deliver(page), Err(Refusal::Gap { .. }))).count();
            assert!(refused > 0, "pages {first} and {second}");
            for page in &ledger() {
                hub.deliver(page).unwrap();
            }
            assert_eq!(pages_held(&hub), ledger().len() as u64);
        }
    }
}

#[test]
fn no_page_passes_under_the_number_of_another() {
    let pages = ledger();
    for (held, page) in pages.iter().enumerate() {
        for other in pages.iter().filter(|other| other.seq != page.seq) {
            let mut hub = hub(held);
            let moved = SignedPage { bytes: other.bytes.clone(), jws: other.jws.clone(), ..page.clone() };
            let refusal = hub.deliver(&moved).expect_err("it is another page");
            assert!(matches!(refusal, Refusal::Malformed(_) | Refusal::Gap { .. }), "{refusal:?}");
            assert_eq!(pages_held(&hub), held as u64);
        }
    }
}
