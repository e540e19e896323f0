//! One destination's stream with what it may let out, and what waits for the factory's word.
//!
//! The share of a new stream is the configuration's: adding a sink is the factory's own act. From then on a share that lets
//! out more than the last policy page states waits until somebody confirms it; meanwhile the stream lets out what both
//! allow. What is withdrawn stays inside from the next page on.

use super::epoch::{self, StreamPolicy};
use super::{Pipeline, PipelineError, measures_of};
use crate::ledger::key::GatewayKey;
use crate::ledger::page::{Head, SignedPage, policy_digest};
use crate::ledger::share::{Beyond, Share};
use crate::ledger::stream::Stream;
use crate::model::id::{Digest, GatewayId, StreamName};
use crate::model::record::WindowRecord;
use crate::model::time::Timestamp;
use crate::store::{AskedShare, Reader, StoreError};

/// A stream on its way out.
#[derive(Debug)]
pub(super) struct Outlet {
    stream: Stream,
    /// Records of an earlier epoch that the destination never took.
    again: Vec<WindowRecord>,
    /// What the configuration asks for.
    asked: Share,
    /// What of it waits for the factory's word; `None` where nothing does.
    waits_for: Option<Beyond>,
    /// The confirmed share whose policy page the next commit cuts.
    taking: Option<i64>,
    /// Whether the newest key signs already.
    is_handed_over: bool,
}

/// The keys of a box: the one it signs with, and the one that takes over by a key page in each stream.
#[derive(Debug)]
pub struct Keys {
    /// The key that signs, or signed until the other took over.
    pub current: GatewayKey,
    /// The key that takes over.
    pub next: Option<GatewayKey>,
}

impl From<GatewayKey> for Keys {
    fn from(current: GatewayKey) -> Self {
        Self { current, next: None }
    }
}

impl Keys {
    /// Returns the key that signs once every stream has its key page.
    pub fn newest(&self) -> &GatewayKey {
        self.next.as_ref().unwrap_or(&self.current)
    }
}

impl Outlet {
    /// Goes on where the store ends.
    ///
    /// # Errors
    /// [`PipelineError::Store`] where the store can't be read or a page of its own is none.
    pub(super) fn open(
        reader: &Reader,
        gateway: GatewayId,
        policy: &StreamPolicy,
        head: Option<Head>,
        keys: &Keys,
    ) -> Result<Self, PipelineError> {
        let continued = head.map(|head| epoch::continued(reader, policy, head)).transpose()?;
        let signer = continued.as_ref().and_then(|continued| continued.signer.clone());
        // A stream without a page has nobody who would have to hear of the change.
        let is_handed_over = continued.is_none() || keys.next.is_none() || signer == Some(keys.newest().kid());
        let (head, again) = continued.map(|continued| (continued.head, continued.again)).unzip();
        let asked = Share::of(&policy.policy, measures_of);
        let mut stream =
            Stream::open(gateway, policy.name.clone(), policy.epoch, policy.policy.clone(), head, measures_of);
        let mut waits_for = None;
        match (head, reader.stated_share(&policy.name)?) {
            (None, _) => {}
            (Some(_), Some(stated)) => {
                let beyond = asked.beyond(&stated);
                if !beyond.is_nothing() {
                    stream.let_out(asked.common(&stated));
                    waits_for = Some(beyond);
                }
                stream.set_stated(stated);
            }
            // The page that stated it is gone with a damaged store: the same policy was agreed, another may be wider.
            (Some(head), None) if head.policy == policy_digest(&policy.policy) => {}
            (Some(_), None) => {
                let nothing = asked.kept_whole();
                waits_for = Some(asked.beyond(&nothing));
                stream.let_out(nothing);
            }
        }
        Ok(Self { stream, again: again.unwrap_or_default(), asked, waits_for, taking: None, is_handed_over })
    }

    /// Returns what it asks for beyond what was agreed, and what of it would newly leave.
    pub(super) fn waiting(&self) -> Option<(&StreamName, &Share, &Beyond)> {
        self.waits_for.as_ref().map(|beyond| (self.stream.name(), &self.asked, beyond))
    }

    /// Lets out what was confirmed, from the next page on.
    fn take(&mut self, confirmed: &[AskedShare]) {
        let is_this = |row: &&AskedShare| row.stream == *self.stream.name() && row.share == self.asked;
        if let Some(row) = confirmed.iter().find(is_this).filter(|_| self.waits_for.is_some()) {
            self.stream.let_out(self.asked.clone());
            (self.waits_for, self.taking) = (None, Some(row.id));
        }
    }

    /// Returns the pages of what it lets out. Where another key takes over, the next page says so; only the policy page
    /// that opens an epoch goes before it.
    pub(super) fn cut(
        &mut self,
        now: Timestamp,
        config: Digest,
        records: &[WindowRecord],
        keys: &Keys,
    ) -> Vec<SignedPage> {
        let mut all = std::mem::take(&mut self.again);
        all.extend_from_slice(records);
        let mut pages = Vec::new();
        if let Some(next) = keys.next.as_ref().filter(|_| !self.is_handed_over) {
            if self.stream.begins_epoch() {
                pages = self.stream.cut(now, config, &[], &keys.current);
            }
            pages.push(self.stream.hand_over(now, config, &keys.current, next));
            self.is_handed_over = true;
        }
        pages.extend(self.stream.cut(now, config, &all, keys.newest()));
        pages
    }

    /// Returns the confirmed share whose policy page was cut last, once.
    pub(super) fn taken(&mut self) -> Option<i64> {
        self.taking.take()
    }
}

impl Pipeline {
    /// Asks for what waits, where that isn't written down yet, and takes what was confirmed.
    pub(super) fn hear_the_factory(&mut self, now: Timestamp) -> Result<(), StoreError> {
        if !self.has_asked {
            let wanted: Vec<_> =
                self.outlets.iter().filter_map(Outlet::waiting).map(|(stream, share, _)| (stream, share)).collect();
            self.store.ask(&wanted, now)?;
            self.has_asked = true;
        }
        if self.outlets.iter().any(|outlet| outlet.waits_for.is_some()) {
            let confirmed = self.store.confirmed_shares()?;
            self.outlets.iter_mut().for_each(|outlet| outlet.take(&confirmed));
        }
        Ok(())
    }

    /// Returns the streams of which a wider share waits for the factory's word, with what would newly leave.
    pub fn waiting_shares(&self) -> Vec<(StreamName, Beyond)> {
        let waiting = self.outlets.iter().filter_map(Outlet::waiting);
        waiting.map(|(stream, _, beyond)| (stream.clone(), beyond.clone())).collect()
    }
}
