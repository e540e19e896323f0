//! A small ledger under attack: whatever is done to it, an auditor finds it.
//!
//! Exhaustive: every bit of every page and signature, every page, every pair, every place, every length.

use super::chain::{Audit, Fault, KnownHead, Presented, Trust, verify_chain};
use super::fixture::{key, ledger};
use super::page::SignedPage;

/// Audits pages that a receipt says end with the ledger's last one.
fn audit(pages: &[SignedPage]) -> Audit {
    let last = ledger().pop().unwrap();
    let head =
        KnownHead { gateway: last.gateway, stream: last.stream, epoch: last.epoch, seq: last.seq, hash: last.hash };
    let places: Vec<String> = (1..=pages.len()).map(|number| format!("line {number}")).collect();
    let presented: Vec<_> = pages
        .iter()
        .zip(&places)
        .map(|(page, place)| Presented { place, bytes: &page.bytes, jws: &page.jws })
        .collect();
    verify_chain(&presented, &Trust::Keys(vec![key().verifying()]), &[head])
}

fn faults(pages: &[SignedPage]) -> Vec<Fault> {
    audit(pages).findings.into_iter().map(|finding| finding.fault).collect()
}

/// Whether a page by itself counts as authentic.
fn is_believed(bytes: &[u8], jws: &str) -> bool {
    let audit = verify_chain(&[Presented { place: "", bytes, jws }], &Trust::Keys(vec![key().verifying()]), &[]);
    !audit.chains.is_empty()
}

#[test]
fn the_ledger_that_is_attacked_is_whole() {
    assert_eq!(faults(&ledger()), []);
    assert!(ledger().iter().all(|page| is_believed(&page.bytes, &page.jws)));
}

#[test]
fn no_page_survives_the_flip_of_any_bit_of_its_bytes_or_its_signature() {
    for page in ledger() {
        for bit in 0..page.bytes.len() * 8 {
            let mut bytes = page.bytes.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert!(!is_believed(&bytes, &page.jws), "page {}, bit {bit}", page.seq);
        }
        for bit in 0..page.jws.len() * 8 {
            let mut jws = page.jws.clone().into_bytes();
            jws[bit / 8] ^= 1 << (bit % 8);
            // A signature that is no text can't even be presented.
            let Ok(jws) = String::from_utf8(jws) else { continue };
            assert!(!is_believed(&page.bytes, &jws), "signature of page {}, bit {bit}", page.seq);
        }
    }
}

#[test]
fn no_page_survives_being_cut_at_any_length() {
    for page in ledger() {
        for length in 0..page.bytes.len() {
            assert!(!is_believed(&page.bytes[..length], &page.jws), "page {}, {length} bytes", page.seq);
        }
        for length in 0..page.jws.len() {
            assert!(!is_believed(&page.bytes, &page.jws[..length]), "signature of page {}, {length}", page.seq);
        }
    }
}

#[test]
fn each_page_that_is_removed_is_a_gap() {
    for removed in 0..ledger().len() {
        let mut pages = ledger();
        pages.remove(removed);
        let found = audit(&pages).findings;
        // Without its first page the rest is cut after a policy that nobody can read; the gap says so.
        assert_eq!(found.iter().map(|finding| finding.fault).collect::<Vec<_>>(), [Fault::Gap], "page {}", removed + 1);
        assert!(found[0].sentence.starts_with(&format!("page {} is missing", removed + 1)), "{}", found[0].sentence);
    }
}

#[test]
fn each_pair_that_is_swapped_is_out_of_order() {
    for first in 0..ledger().len() {
        for second in first + 1..ledger().len() {
            let mut pages = ledger();
            pages.swap(first, second);
            let found = faults(&pages);
            assert!(
                !found.is_empty() && found.iter().all(|fault| *fault == Fault::Reorder),
                "{first} {second}: {found:?}"
            );
        }
    }
}

#[test]
fn each_page_that_is_repeated_anywhere_is_named() {
    for repeated in 0..ledger().len() {
        for place in 0..=ledger().len() {
            let mut pages = ledger();
            pages.insert(place, ledger()[repeated].clone());
            let found = faults(&pages);
            assert!(found.contains(&Fault::Duplicate), "page {} at {place}: {found:?}", repeated + 1);
        }
    }
}

#[test]
fn each_signature_of_another_page_is_refused() {
    let pages = ledger();
    for page in &pages {
        for other in pages.iter().filter(|other| other.seq != page.seq) {
            assert!(!is_believed(&page.bytes, &other.jws), "page {} under the signature of {}", page.seq, other.seq);
        }
    }
}
