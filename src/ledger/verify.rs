//! Checks one page, and a chain of pages.

use super::jws::{self, JwsFault};
use super::key::VerifyingKey;
use super::page::{Page, PageKind, VERSION, canonical, policy_digest};

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
    check_content(&page).map_err(PageFault::Malformed)?;
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
        (PageKind::Records, ..) if page.seq == 1 => Err("page 1 of an epoch is a policy page".to_owned()),
        (PageKind::Records, None, None) if page.reveals.is_empty() && !page.records.is_empty() => Ok(()),
        (PageKind::Records, ..) => Err("a page of records holds records, and no policy or key".to_owned()),
    }
}
