//! Cuts closed records into the pages of one stream.

use std::collections::BTreeMap;

use super::key::GatewayKey;
use super::page::{Head, Page, PageKind, SharedRecord, SignedPage, VERSION, canonical, policy_digest, shared};
use super::share::Share;
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
    share: Share,
    policy_digest: Digest,
    /// Those of the share.
    measures: Vec<Measure>,
    /// What the last policy page states; `None` where that is known by the policy's digest in the head alone.
    stated: Option<Share>,
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
        let share = Share::of(&policy, measures_of);
        let (policy_digest, measures) = (policy_digest(&policy), share.measures());
        Self { gateway, name, epoch, share, policy_digest, measures, stated: None, head }
    }

    /// Says what the last policy page states.
    pub fn set_stated(&mut self, stated: Share) {
        self.stated = Some(stated);
    }

    /// Lets out `share` from the next page on, and nothing else.
    pub fn let_out(&mut self, share: Share) {
        (self.policy_digest, self.measures) = (policy_digest(&share.policy), share.measures());
        self.share = share;
    }

    /// Returns what it lets out.
    pub const fn share(&self) -> &Share {
        &self.share
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
        if self.needs_policy_page() {
            pages.push(self.push(self.policy_page(now, config, key), key));
            self.stated = Some(self.share.clone());
        }
        let mut ordered: Vec<&WindowRecord> = records.iter().collect();
        ordered.sort_by(|a, b| a.sort_key().cmp(&b.sort_key()));
        let shared: Vec<SharedRecord> =
            ordered.into_iter().filter_map(|record| shared(record, &self.share.policy, &self.measures)).collect();
        for records in split(shared) {
            pages.push(self.push(Page { records, ..self.next_page(PageKind::Records, now, config) }, key));
        }
        pages
    }

    /// Says whether the next page opens an epoch.
    pub fn begins_epoch(&self) -> bool {
        self.head.is_none_or(|head| head.epoch != self.epoch)
    }

    /// Returns the page, signed with `from`, by which `to` takes over: it signs every later page.
    pub fn hand_over(&mut self, now: Timestamp, config: Digest, from: &GatewayKey, to: &GatewayKey) -> SignedPage {
        let page = Page { key: Some(to.jwk()), ..self.next_page(PageKind::Key, now, config) };
        // The policy in force goes on, which a change of policy that is due only later states.
        let policy_digest = self.head.map_or(self.policy_digest, |head| head.policy);
        self.push(Page { policy_digest, ..page }, from)
    }

    fn needs_policy_page(&self) -> bool {
        let Some(head) = self.head.filter(|head| head.epoch == self.epoch) else { return true };
        match &self.stated {
            Some(stated) => *stated != self.share,
            None => head.policy != self.policy_digest,
        }
    }

    fn push(&mut self, page: Page, key: &GatewayKey) -> SignedPage {
        let signed = page.sign(key);
        self.head = Some(signed.head());
        signed
    }

    fn policy_page(&self, now: Timestamp, config: Digest, key: &GatewayKey) -> Page {
        Page {
            policy: Some(self.share.policy.clone()),
            reveals: self.share.reveals.clone(),
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

#[cfg(test)]
mod tests {
    use super::{PAGE_BYTES_MAX, PAGE_RECORDS_MAX, Share, Stream};
    use crate::ledger::fixture::{DAY, key, ledger, measures_of, policy, record, stream};
    use crate::ledger::page::PageKind;
    use crate::ledger::verify::read_page;
    use crate::model::fact::Measure;
    use crate::model::id::{AssetId, Digest};
    use crate::model::record::{KpiId, Level, WindowRecord};

    const CONFIG: Digest = Digest([0x11; 32]);

    #[test]
    fn an_epoch_opens_with_its_policy_and_key() {
        let page = read_page(&ledger()[0].bytes).unwrap();
        assert_eq!((page.kind, page.epoch, page.seq, page.prev), (PageKind::Policy, 1, 1, Digest::ZERO));
        assert_eq!((page.policy, page.key), (Some(policy()), Some(key().jwk())));
        assert_eq!(
            serde_json::to_string(&page.reveals).unwrap(),
            concat!(
                r#"{"carbon_intensity":["pq_micro","electricity_micro_kwh"],"#,
                r#""electricity":["electricity_micro_kwh","electricity_substituted_micro_kwh"]}"#
            )
        );
    }

    #[test]
    fn a_stream_continues_where_the_store_left_it() {
        let (mut whole, mut first) = (stream(), stream());
        let at_once: Vec<_> =
            [0, 1].into_iter().flat_map(|day| whole.cut(DAY, CONFIG, &[record(day, 1)], &key())).collect();
        let before = first.cut(DAY, CONFIG, &[record(0, 1)], &key());
        let head = first.head();
        let mut again = Stream::open(first.gateway.clone(), first.name().clone(), 1, policy(), head, measures_of);
        let after = again.cut(DAY, CONFIG, &[record(1, 1)], &key());
        assert_eq!([before, after].concat(), at_once);
    }

    #[test]
    fn a_changed_policy_is_a_page_of_its_own_before_what_it_lets_out() {
        let head = ledger().last().unwrap().head();
        let mut wider = policy();
        wider.kpis = vec![KpiId::of("oee")];
        let gateway = stream().gateway;
        let mut changed = Stream::open(gateway, stream().name, 1, wider, Some(head), measures_of);
        let pages = changed.cut(DAY, CONFIG, &[record(3, 1)], &key());
        let kinds: Vec<_> = pages.iter().map(|page| read_page(&page.bytes).unwrap().kind).collect();
        assert_eq!(kinds, [PageKind::Policy, PageKind::Records]);
        assert_eq!((pages[0].seq, pages[0].prev), (head.seq + 1, head.hash));
        let records = read_page(&pages[1].bytes).unwrap().records;
        assert_eq!(records[0].facts.iter().map(|(measure, _)| measure).collect::<Vec<_>>(), [Measure::Apt]);
    }

    #[test]
    fn what_is_withdrawn_stays_from_the_next_page_on_though_the_policy_reads_the_same() {
        let mut stream = stream();
        stream.cut(DAY, CONFIG, &[record(0, 1)], &key());
        let mut less = stream.share().clone();
        less.reveals.insert("carbon_intensity".to_owned(), vec!["electricity_micro_kwh".to_owned()]);
        stream.let_out(less.clone());
        let pages: Vec<_> = stream
            .cut(DAY, CONFIG, &[record(1, 1)], &key())
            .iter()
            .map(|page| read_page(&page.bytes).unwrap())
            .collect();
        assert_eq!(Share::stated(&pages[0]), Some(less));
        assert_eq!(pages[1].records[0].facts.get(Measure::ProducedQuantity), None);
        assert_eq!(stream.cut(DAY, CONFIG, &[], &key()).len(), 0, "it is stated once");
    }

    #[test]
    fn a_new_epoch_names_the_last_common_page() {
        let common = ledger()[1].head();
        let mut next = Stream::open(stream().gateway, stream().name, 2, policy(), Some(common), measures_of);
        let page = &next.cut(DAY, CONFIG, &[], &key())[0];
        assert_eq!((page.epoch, page.seq, page.prev), (2, 1, common.hash));
    }

    #[test]
    fn nothing_shared_makes_no_page() {
        let mut stream = stream();
        assert_eq!(stream.cut(DAY, CONFIG, &[], &key()).len(), 1, "the policy page");
        let mut line = record(0, 1);
        line.level = Level::Line;
        assert!(stream.cut(DAY, CONFIG, &[line], &key()).is_empty());
        assert!(stream.cut(DAY, CONFIG, &[], &key()).is_empty());
    }

    #[test]
    fn pages_keep_to_their_limits_and_lose_no_record() {
        let many: Vec<WindowRecord> = (0..1203)
            .map(|number| WindowRecord { asset: AssetId::new(&format!("site-{number:04}")).unwrap(), ..record(0, 1) })
            .collect();
        let pages = stream().cut(DAY, CONFIG, &many, &key());
        let read: Vec<_> = pages.iter().skip(1).map(|page| read_page(&page.bytes).unwrap()).collect();
        assert!(pages.iter().all(|page| page.bytes.len() <= PAGE_BYTES_MAX));
        assert!(read.iter().all(|page| page.records.len() <= PAGE_RECORDS_MAX));
        let assets: Vec<_> = read.into_iter().flat_map(|page| page.records).map(|record| record.asset).collect();
        assert_eq!(assets, many.into_iter().map(|record| record.asset).collect::<Vec<_>>());
    }
}
