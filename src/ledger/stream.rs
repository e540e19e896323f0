//! Cuts closed records into the pages of one stream.

use std::collections::BTreeMap;

use super::key::GatewayKey;
use super::page::{Head, Page, PageKind, SharedRecord, SignedPage, VERSION, canonical, policy_digest, shared};
use crate::model::fact::Measure;
use crate::model::id::{Digest, GatewayId, StreamName};
use crate::model::record::{KpiId, WindowRecord};
use crate::model::share::SharePolicy;
use crate::model::time::Timestamp;

/// Largest page. **Unit**: bytes. Bounds what one request carries; a record larger than this gets a page of its own.
pub const PAGE_BYTES_MAX: usize = 256 * 1024;

/// Most records of a page.
pub const PAGE_RECORDS_MAX: usize = 500;

/// Returns the measures a KPI is computed from: the catalogue, handed in because this room doesn't know it.
pub type MeasuresOf = fn(&KpiId) -> &'static [Measure];

/// The growing end of one chain of pages.
#[derive(Debug, Clone)]
pub struct Stream {
    gateway: GatewayId,
    name: StreamName,
    epoch: u32,
    policy: SharePolicy,
    policy_digest: Digest,
    measures_of: MeasuresOf,
    head: Option<Head>,
}

impl Stream {
    /// Continues a stream after `head`, the last page the store holds of it. Where `head` is of an earlier epoch, or
    /// there is none, the next page is number 1 of `epoch`.
    pub fn open(
        gateway: GatewayId,
        name: StreamName,
        epoch: u32,
        policy: SharePolicy,
        head: Option<Head>,
        measures_of: MeasuresOf,
    ) -> Self {
        let policy_digest = policy_digest(&policy);
        Self { gateway, name, epoch, policy, policy_digest, measures_of, head }
    }

    /// Returns the last page's place and hash.
    pub const fn head(&self) -> Option<Head> {
        self.head
    }

    /// Returns the stream's name.
    pub const fn name(&self) -> &StreamName {
        &self.name
    }

    /// Returns the pages that carry what the policy lets out of `records`, in order; a policy page comes first where
    /// the epoch begins or the policy differs from the last page's. No page where there is nothing to say.
    pub fn cut(
        &mut self,
        now: Timestamp,
        config: Digest,
        records: &[WindowRecord],
        key: &GatewayKey,
    ) -> Vec<SignedPage> {
        let mut pages = Vec::new();
        if self.head.is_none_or(|head| head.epoch != self.epoch || head.policy != self.policy_digest) {
            pages.push(self.push(self.policy_page(now, config, key), key));
        }
        let mut ordered: Vec<&WindowRecord> = records.iter().collect();
        ordered.sort_by(|a, b| a.sort_key().cmp(&b.sort_key()));
        let shared: Vec<SharedRecord> =
            ordered.into_iter().filter_map(|record| shared(record, &self.policy, self.measures_of)).collect();
        for records in split(shared) {
            pages.push(self.push(Page { records, ..self.next_page(PageKind::Records, now, config) }, key));
        }
        pages
    }

    fn push(&mut self, page: Page, key: &GatewayKey) -> SignedPage {
        let signed = page.sign(key);
        self.head = Some(signed.head());
        signed
    }

    fn policy_page(&self, now: Timestamp, config: Digest, key: &GatewayKey) -> Page {
        Page {
            policy: Some(self.policy.clone()),
            reveals: reveals(&self.policy, self.measures_of),
            key: Some(key.jwk()),
            ..self.next_page(PageKind::Policy, now, config)
        }
    }

    fn next_page(&self, kind: PageKind, created_at: Timestamp, config: Digest) -> Page {
        Page {
            v: VERSION,
            kind,
            gateway: self.gateway.clone(),
            stream: self.name.clone(),
            epoch: self.epoch,
            seq: self.head.filter(|head| head.epoch == self.epoch).map_or(1, |head| head.seq + 1),
            prev: self.head.map_or(Digest::ZERO, |head| head.hash),
            created_at,
            config,
            policy_digest: self.policy_digest,
            policy: None,
            reveals: BTreeMap::new(),
            key: None,
            records: Vec::new(),
        }
    }
}

/// Returns the measures that go out with each KPI of a policy, by name.
pub fn reveals(policy: &SharePolicy, measures_of: MeasuresOf) -> BTreeMap<String, Vec<String>> {
    let names = |kpi: &KpiId| {
        let mut measures = measures_of(kpi).to_vec();
        measures.sort_unstable();
        measures.iter().map(|measure| measure.as_str().to_owned()).collect()
    };
    policy.kpis.iter().map(|kpi| (kpi.to_string(), names(kpi))).collect()
}

/// Splits records, in order, so that no page exceeds [`PAGE_RECORDS_MAX`] or, by its records, [`PAGE_BYTES_MAX`].
fn split(records: Vec<SharedRecord>) -> Vec<Vec<SharedRecord>> {
    /// What a page holds beside its records is below this. **Unit**: bytes.
    const ENVELOPE_BYTES_MAX: usize = 1024;
    let mut pages: Vec<Vec<SharedRecord>> = Vec::new();
    let mut bytes = 0;
    for record in records {
        let size = canonical(&record).len() + 1;
        match pages.last_mut() {
            Some(page) if page.len() < PAGE_RECORDS_MAX && bytes + size <= PAGE_BYTES_MAX - ENVELOPE_BYTES_MAX => {
                page.push(record);
                bytes += size;
            }
            _ => {
                pages.push(vec![record]);
                bytes = size;
            }
        }
    }
    pages
}
