//! Checks one page.

use super::jws::{self, JwsFault};
use super::key::VerifyingKey;
use super::page::{Page, PageKind, VERSION, canonical, policy_digest};

pub use super::chain::{Audit, ChainSummary, Fault, Finding, KnownHead, Presented, Trust, verify_chain};

/// Why bytes are no authentic page.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PageFault {
    /// The signature isn't the expected key's over these bytes.
    #[error(transparent)]
    Signature(#[from] JwsFault),
    /// The bytes are no page.
    #[error("not a page: {0}")]
    Malformed(String),
}

/// Reads a page without checking its signature: for the key of a first page, and for what has been checked before.
///
/// # Errors
/// [`PageFault::Malformed`].
pub fn read_page(bytes: &[u8]) -> Result<Page, PageFault> {
    let page: Page = serde_json::from_slice(bytes).map_err(|error| PageFault::Malformed(error.to_string()))?;
    check_content(&page).and_then(|()| check_texts(&page)).map_err(PageFault::Malformed)?;
    if canonical(&page) == bytes {
        Ok(page)
    } else {
        Err(PageFault::Malformed("its bytes are not the canonical form of what they say".to_owned()))
    }
}

/// Checks that `jws` is `key`'s signature over `bytes` and that `bytes` are a page.
///
/// # Errors
/// [`PageFault`]; a hub answers a wrong signature with 403 and the rest with 422.
pub fn verify_page(bytes: &[u8], jws: &str, key: &VerifyingKey) -> Result<Page, PageFault> {
    jws::verify(bytes, jws, key)?;
    read_page(bytes)
}

fn check_content(page: &Page) -> Result<(), String> {
    if page.v != VERSION {
        return Err(format!("form version {}, this program reads version {VERSION}", page.v));
    }
    if page.epoch == 0 || page.seq == 0 {
        return Err("epochs and pages are numbered from 1".to_owned());
    }
    match (page.kind, &page.policy, &page.key) {
        (PageKind::Policy, Some(policy), Some(_)) if page.records.is_empty() => {
            let matches = policy_digest(policy) == page.policy_digest;
            if matches { Ok(()) } else { Err("policy_digest is not the digest of its policy".to_owned()) }
        }
        (PageKind::Policy, ..) => Err("a policy page holds a policy and a key, and no records".to_owned()),
        (PageKind::Key, None, Some(_)) if page.seq > 1 && page.reveals.is_empty() && page.records.is_empty() => Ok(()),
        (PageKind::Key, ..) => Err("a key page holds a key alone, and is never page 1 of an epoch".to_owned()),
        (PageKind::Records, ..) if page.seq == 1 => Err("page 1 of an epoch is a policy page".to_owned()),
        (PageKind::Records, None, None) if page.reveals.is_empty() && !page.records.is_empty() => Ok(()),
        (PageKind::Records, ..) => Err("a page of records holds records, and no policy or key".to_owned()),
    }
}

/// KPI and factor ids are the only texts of a record that no type bounds.
fn check_texts(page: &Page) -> Result<(), String> {
    let values = || page.records.iter().flat_map(|record| &record.kpis);
    let ids = values().map(|value| value.kpi.as_str());
    let factors = values().flat_map(|value| &value.factors).map(|factor| factor.id.as_str());
    let reveals = page.reveals.iter().flat_map(|(kpi, measures)| measures.iter().chain([kpi])).map(String::as_str);
    match ids.chain(factors).chain(reveals).find(|text| !is_code(text)) {
        None => Ok(()),
        Some(text) => Err(format!("\"{text}\" stands where an id of 1 to 64 of a-z, 0-9, _ and - must")),
    }
}

fn is_code(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_' || b == b'-')
}

#[cfg(test)]
mod tests {
    use super::{JwsFault, PageFault, read_page, verify_page};
    use crate::ledger::fixture::{key, ledger};
    use crate::ledger::key::GatewayKey;
    use crate::ledger::page::Page;

    fn refused(change: impl Fn(&mut Page)) -> String {
        let mut page = read_page(&ledger()[1].bytes).unwrap();
        change(&mut page);
        let signed = page.sign(&key());
        verify_page(&signed.bytes, &signed.jws, &key().verifying()).unwrap_err().to_string()
    }

    #[test]
    fn an_authentic_page_is_read() {
        let page = &ledger()[1];
        assert_eq!(verify_page(&page.bytes, &page.jws, &key().verifying()).unwrap().records.len(), 2);
    }

    #[test]
    fn another_gateways_signature_is_told_from_a_broken_page() {
        let page = &ledger()[1];
        let other = GatewayKey::from_seed([7; 32]).verifying();
        assert!(matches!(verify_page(&page.bytes, &page.jws, &other), Err(PageFault::Signature(JwsFault::Key { .. }))));
        assert!(matches!(read_page(b"{}"), Err(PageFault::Malformed(_))));
    }

    #[test]
    fn a_signed_page_must_still_be_a_page() {
        assert_eq!(refused(|page| page.v = 2), "not a page: form version 2, this program reads version 1");
        assert_eq!(refused(|page| page.seq = 1), "not a page: page 1 of an epoch is a policy page");
        assert_eq!(
            refused(|page| page.records.clear()),
            "not a page: a page of records holds records, and no policy or key"
        );
        assert_eq!(
            refused(|page| page.records[0].kpis[0].kpi.0 = "call me at 5".into()),
            "not a page: \"call me at 5\" stands where an id of 1 to 64 of a-z, 0-9, _ and - must"
        );
    }

    #[test]
    fn bytes_that_are_not_canonical_are_no_page() {
        let page = &ledger()[1];
        let spaced = [b" ", page.bytes.as_slice()].concat();
        let jws = crate::ledger::jws::sign(&spaced, &key());
        let fault = verify_page(&spaced, &jws, &key().verifying()).unwrap_err();
        assert_eq!(fault.to_string(), "not a page: its bytes are not the canonical form of what they say");
    }
}
