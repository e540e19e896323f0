//! What a page says, its canonical bytes and its hash.
//!
//! A page is made once. Its bytes are RFC 8785 canonical JSON and are stored and sent as they are; nobody ever has to
//! serialise it again to check it. `docs/pages.md` describes the form for an auditor.

use std::collections::BTreeMap;

use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::jws;
use super::key::{GatewayKey, Jwk};
use crate::model::fact::{Facts, Measure};
use crate::model::id::{AssetId, Digest, GatewayId, SiteId, StreamName};
use crate::model::record::{ClockState, KpiValue, Level, WindowRecord};
use crate::model::share::SharePolicy;
use crate::model::time::{Grain, Timestamp, Window};
use crate::model::unit::ProductUnit;

/// Version of the page form.
pub const VERSION: u16 = 1;

/// What a page is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PageKind {
    /// It opens an epoch or changes what is shared, and holds no records.
    Policy,
    /// It holds records.
    Records,
    /// It names the key that signs every later page of the stream, and holds no records.
    Key,
}

impl PageKind {
    /// Returns the name used in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Policy => "policy",
            Self::Records => "records",
            Self::Key => "key",
        }
    }
}

/// What is signed. Every field is present in each page, `null` or empty where it says nothing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Page {
    /// Version of this form: [`VERSION`].
    pub v: u16,
    /// What the page is for.
    pub kind: PageKind,
    /// The box that made and signed it.
    pub gateway: GatewayId,
    /// The chain it belongs to.
    pub stream: StreamName,
    /// From 1. A new epoch begins where an operator resolved a fork.
    pub epoch: u32,
    /// Place in the epoch, from 1 without gaps.
    pub seq: u64,
    /// SHA-256 of the page before; of page 1 the last common page of the epoch before, all zero where there is none.
    pub prev: Digest,
    /// When it was cut, plant time.
    pub created_at: Timestamp,
    /// Digest of the configuration in force.
    pub config: Digest,
    /// Digest of the share policy it was cut after; the policy itself is in the last policy page.
    pub policy_digest: Digest,
    /// Of a policy page: what may leave.
    pub policy: Option<SharePolicy>,
    /// Of a policy page: the measures that go out with each shared KPI, by KPI, in the order of the measures' codes.
    pub reveals: BTreeMap<String, Vec<String>>,
    /// Of a policy page: the public key that signs it. Of a key page: the one that signs every later page.
    pub key: Option<Jwk>,
    /// The records, in the order of [`WindowRecord::sort_key`].
    pub records: Vec<SharedRecord>,
}

/// One asset's shared KPIs in one closed window. Its type can't hold a tag or free text; lineage to tags stays on the
/// box and is found by `inputs_digest`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SharedRecord {
    /// The factory.
    pub site: SiteId,
    /// What the figures are about.
    pub asset: AssetId,
    /// Its place in the hierarchy.
    pub level: Level,
    /// How long the window is.
    pub grain: Grain,
    /// The window.
    pub window: Window,
    /// 1 for the first closing; a higher one replaces those before.
    pub revision: u32,
    /// What quantities are counted in.
    pub product_unit: ProductUnit,
    /// The measures of the shared KPIs, and no other.
    pub facts: Facts,
    /// The shared KPIs, in catalogue order.
    pub kpis: Vec<KpiValue>,
    /// Digest of the configuration that made it.
    pub config: Digest,
    /// The clock while it was measured.
    pub clock: ClockState,
    /// Digest of the calendar by which it was planned; absent from pages of before calendars were named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calendar: Option<Digest>,
    /// Of a shift: the civil date on which it starts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub production_day: Option<Date>,
    /// Digest over the lineage that stays on the box.
    pub inputs_digest: Digest,
}

/// A finished page: final bytes, their hash and their signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedPage {
    /// What it is for.
    pub kind: PageKind,
    /// The box that made it.
    pub gateway: GatewayId,
    /// The chain it belongs to.
    pub stream: StreamName,
    /// The chain's epoch, from 1.
    pub epoch: u32,
    /// Place in the epoch, from 1.
    pub seq: u64,
    /// SHA-256 of the page before.
    pub prev: Digest,
    /// SHA-256 of `bytes`.
    pub hash: Digest,
    /// Digest of the share policy it was cut after.
    pub policy: Digest,
    /// Canonical JSON: stored and sent as it is.
    pub bytes: Vec<u8>,
    /// Detached JWS over `bytes`.
    pub jws: String,
}

/// The last page of a stream: what the next one continues.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// Its epoch.
    pub epoch: u32,
    /// Its number.
    pub seq: u64,
    /// Its SHA-256.
    pub hash: Digest,
    /// Digest of the share policy it was cut after.
    pub policy: Digest,
}

impl Page {
    /// Returns the canonical bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        canonical(self)
    }

    /// Signs the page, which makes it final.
    pub fn sign(&self, key: &GatewayKey) -> SignedPage {
        let bytes = self.to_bytes();
        SignedPage {
            kind: self.kind,
            gateway: self.gateway.clone(),
            stream: self.stream.clone(),
            epoch: self.epoch,
            seq: self.seq,
            prev: self.prev,
            hash: hash(&bytes),
            policy: self.policy_digest,
            jws: jws::sign(&bytes, key),
            bytes,
        }
    }
}

impl SignedPage {
    /// Returns the head of the stream once this page is its last.
    pub const fn head(&self) -> Head {
        Head { epoch: self.epoch, seq: self.seq, hash: self.hash, policy: self.policy }
    }
}

/// Returns the SHA-256 of a page's bytes.
pub fn hash(bytes: &[u8]) -> Digest {
    Digest(Sha256::digest(bytes).into())
}

/// Returns the digest of a share policy: SHA-256 of its canonical JSON.
pub fn policy_digest(policy: &SharePolicy) -> Digest {
    hash(&canonical(policy))
}

/// Returns what `policy` lets out of a record, with these measures; `None` where that is nothing.
///
/// The measures are those of every shared KPI, not only of those in this record: one that has no value at so fine a grain
/// has one where the receiver merges its facts over a longer window.
pub fn shared(record: &WindowRecord, policy: &SharePolicy, measures: &[Measure]) -> Option<SharedRecord> {
    // Levels are ordered widest first.
    if record.grain != policy.grain || record.level > policy.level {
        return None;
    }
    let kpis: Vec<KpiValue> = record.kpis.iter().filter(|value| policy.kpis.contains(&value.kpi)).cloned().collect();
    if kpis.is_empty() {
        return None;
    }
    Some(SharedRecord {
        site: record.site.clone(),
        asset: record.asset.clone(),
        level: record.level,
        grain: record.grain,
        window: record.window,
        revision: record.revision,
        product_unit: record.product_unit,
        facts: record.facts.only(measures),
        kpis,
        config: record.config,
        clock: record.clock,
        calendar: record.calendar.as_ref().map(|calendar| calendar.version),
        production_day: record.calendar.as_ref().and_then(|calendar| calendar.production_day),
        inputs_digest: record.inputs_digest,
    })
}

/// Returns the RFC 8785 form.
pub(super) fn canonical<T: Serialize>(value: &T) -> Vec<u8> {
    serde_json_canonicalizer::to_vec(value).expect("pages hold strings, integers and finite numbers only")
}

#[cfg(test)]
mod tests {
    use super::{Level, hash, policy_digest, shared};
    use crate::ledger::fixture::{ledger, measures_of, policy, record};
    use crate::ledger::share::Share;
    use crate::ledger::verify::read_page;
    use crate::model::fact::Measure;
    use crate::model::time::Grain;

    const POLICY_BYTES: &[u8] = include_bytes!("fixture/hepza-1-1.json");
    const POLICY_JWS: &str = include_str!("fixture/hepza-1-1.jws");
    const RECORD_BYTES: &[u8] = include_bytes!("fixture/hepza-1-2.json");
    const RECORD_JWS: &str = include_str!("fixture/hepza-1-2.jws");

    #[test]
    fn bytes_hash_and_signature_of_a_policy_page_are_frozen() {
        let page = &ledger()[0];
        assert_eq!(String::from_utf8_lossy(&page.bytes), String::from_utf8_lossy(POLICY_BYTES));
        assert_eq!(page.jws, POLICY_JWS);
        assert_eq!(page.hash.to_string(), "cf0a4b166a176ae7c01e5580212805cb1b80e3161890a56a1744f571fd243dcb");
        assert_eq!(page.policy.to_string(), "0358dc404dc40a08233eae4ae3ffbad04d4b3b45e52bbeb8b7d281254248cefc");
    }

    #[test]
    fn bytes_hash_and_signature_of_a_page_of_records_are_frozen() {
        let page = &ledger()[1];
        assert_eq!(String::from_utf8_lossy(&page.bytes), String::from_utf8_lossy(RECORD_BYTES));
        assert_eq!(page.jws, RECORD_JWS);
        assert_eq!(page.hash.to_string(), "c49174bae19d23d2aaca967e5e2b789638a7e2a44e37abaddd51491873200fae");
        assert_eq!(page.prev, hash(POLICY_BYTES));
    }

    #[test]
    fn a_page_read_back_says_the_same() {
        for signed in ledger() {
            let page = read_page(&signed.bytes).unwrap();
            assert_eq!(page.to_bytes(), signed.bytes);
            assert_eq!(page.policy_digest, policy_digest(&policy()));
        }
    }

    fn measures() -> Vec<Measure> {
        Share::of(&policy(), measures_of).measures()
    }

    #[test]
    fn only_the_shared_kpis_and_their_facts_go_out() {
        let shared = shared(&record(0, 1), &policy(), &measures()).unwrap();
        let kpis: Vec<&str> = shared.kpis.iter().map(|value| value.kpi.as_str()).collect();
        assert_eq!(kpis, ["electricity", "carbon_intensity"]);
        assert_eq!(shared.facts.get(Measure::Apt), None);
        assert_eq!(shared.facts.get(Measure::Electricity), Some(126_238_290_000));
        assert_eq!(shared.facts.get(Measure::ProducedQuantity), Some(9_007_199_254_740_993));
    }

    #[test]
    fn a_finer_level_another_grain_and_an_unshared_kpi_stay_inside() {
        let mut line = record(0, 1);
        line.level = Level::Line;
        let mut hour = record(0, 1);
        hour.grain = Grain::Hour;
        let mut oee = record(0, 1);
        oee.kpis.truncate(1);
        for inside in [line, hour, oee] {
            assert_eq!(shared(&inside, &policy(), &measures()), None);
        }
        let mut wide = policy();
        wide.level = Level::Unit;
        assert!(shared(&record(0, 1), &wide, &measures()).is_some(), "wider levels go out too");
    }
}
