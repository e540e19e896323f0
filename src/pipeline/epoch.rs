//! How a stream goes on in a new epoch: after the last page that its destination acknowledged.
//!
//! In: the store. Out: what page 1 of the new epoch continues, and the records of the pages in between. They are cut again,
//! under the policy of now: the destination never took those pages, because its chain forked or because the box's store was
//! restored or recovered.

use std::collections::BTreeMap;

use super::PipelineError;
use crate::ledger::jws;
use crate::ledger::page::{Head, PageKind, SignedPage};
use crate::ledger::verify::read_page;
use crate::model::id::{Digest, StreamName};
use crate::model::record::WindowRecord;
use crate::model::share::SharePolicy;
use crate::store::{Reader, StoreError, epoch_cursor, reached_cursor};

/// Pages read at once.
const PAGES_AT_ONCE: usize = 32;

/// One destination's stream, as configured.
#[derive(Debug, Clone)]
pub struct StreamPolicy {
    /// Its name: the sink's.
    pub name: StreamName,
    /// The epoch in which it writes.
    pub epoch: u32,
    /// What may leave.
    pub policy: SharePolicy,
}

/// What a stream goes on from.
pub(super) struct Continued {
    /// The head with the hash that the next page continues.
    pub(super) head: Head,
    /// Id of the key that signs what comes next; `None` where the destination holds no page.
    pub(super) signer: Option<String>,
    /// Records that were cut after it and never acknowledged, each once, in the order of the log's keys.
    pub(super) again: Vec<WindowRecord>,
}

/// Returns what `policy`'s stream goes on from; `head` unchanged where no epoch begins.
///
/// # Errors
/// [`PipelineError::Store`] where the store can't be read or a page of its own is none.
pub(super) fn continued(reader: &Reader, policy: &StreamPolicy, head: Head) -> Result<Continued, PipelineError> {
    if head.epoch >= policy.epoch {
        let last = reader.page(&policy.name, head.epoch, head.seq)?;
        return Ok(Continued { head, signer: last.as_ref().and_then(signer_after), again: Vec::new() });
    }
    let (epoch, through) = acknowledged(reader, policy, head)?;
    let common = match through {
        0 => None,
        seq => reader.page(&policy.name, epoch, seq)?,
    };
    let signer = common.as_ref().and_then(signer_after);
    let head = Head { hash: common.map_or(Digest::ZERO, |page| page.hash), ..head };
    Ok(Continued { head, signer, again: cut_after(reader, policy, (epoch, through), head)? })
}

/// Returns the id of the key that signs the page after this one.
pub(super) fn signer_after(page: &SignedPage) -> Option<String> {
    if page.kind == PageKind::Key {
        return read_page(&page.bytes).ok()?.key.map(|key| key.thumbprint());
    }
    jws::kid(&page.jws).ok()
}

/// Returns the newest page that the destination acknowledged: its epoch and its number, 0 where there is none.
fn acknowledged(reader: &Reader, policy: &StreamPolicy, head: Head) -> Result<(u32, u64), StoreError> {
    let name = policy.name.as_str();
    let of = u32::try_from(reader.cursor(&epoch_cursor(name))?).unwrap_or(u32::MAX);
    // The sink may have begun the new epoch already.
    if of > head.epoch {
        return Ok((head.epoch, reader.cursor(&reached_cursor(name, u64::from(head.epoch)))?));
    }
    Ok((of.max(1), reader.cursor(name)?))
}

/// Returns the records of the pages after `(epoch, seq)`, as the log holds them.
fn cut_after(
    reader: &Reader,
    policy: &StreamPolicy,
    (epoch, seq): (u32, u64),
    head: Head,
) -> Result<Vec<WindowRecord>, PipelineError> {
    let (mut again, mut removed) = (BTreeMap::new(), 0_usize);
    for of in epoch..=head.epoch {
        let mut after = if of == epoch { seq } else { 0 };
        loop {
            let pages = reader.pages_after(&policy.name, of, after, PAGES_AT_ONCE)?;
            let Some(last) = pages.last() else { break };
            after = last.seq;
            for page in &pages {
                let damaged =
                    |fault| StoreError::Damaged(format!("page {of}/{} of {}: {fault}", page.seq, policy.name));
                for shared in read_page(&page.bytes).map_err(damaged)?.records {
                    let (grain, window) = (shared.grain, shared.window);
                    let kept = reader.record_revisions(&shared.asset, grain, window.start, window.end)?;
                    match kept.into_iter().find(|record| record.revision == shared.revision) {
                        Some(record) => {
                            drop(again.insert((window.start, grain, shared.asset, shared.revision), record))
                        }
                        None => removed += 1,
                    }
                }
            }
        }
    }
    if removed > 0 {
        // Their pages stay: `parkgate egress` lists them as not acknowledged.
        tracing::warn!("{removed} records of stream {} are no longer in the log and don't come again", policy.name);
    }
    Ok(again.into_values().collect())
}
