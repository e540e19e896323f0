//! Checks pages against each other and says in sentences what is wrong.
//!
//! In: pages in the order someone presents them, the keys to believe, and what is known of a stream's end from
//! elsewhere. Out: findings; none means that every presented page is authentic and in its place. Pages cut off the end
//! show only where the end is known, from a receipt for instance.

use std::collections::BTreeMap;
use std::fmt;

use super::jws;
use super::key::VerifyingKey;
use super::page::{Page, PageKind, hash};
use super::verify::{PageFault, read_page};
use crate::model::id::{Digest, GatewayId, StreamName};
use crate::model::share::SharePolicy;

/// A page as someone presents it.
#[derive(Debug, Clone, Copy)]
pub struct Presented<'a> {
    /// Where it was found, to name in a finding: a file, a line.
    pub place: &'a str,
    /// Its bytes.
    pub bytes: &'a [u8],
    /// Its detached signature.
    pub jws: &'a str,
}

/// Whose signature is believed.
#[derive(Debug, Clone)]
pub enum Trust {
    /// These keys', and those to which key pages that they signed hand over.
    Keys(Vec<VerifyingKey>),
    /// The key that the first policy page of each epoch states. It proves that the pages belong together, not whose
    /// they are; the reader compares the key id with what the factory published. Key pages hand over as above.
    FirstPage,
}

/// The end of a stream as known from elsewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownHead {
    /// The box.
    pub gateway: GatewayId,
    /// Its stream.
    pub stream: StreamName,
    /// The epoch.
    pub epoch: u32,
    /// The page that must be there.
    pub seq: u64,
    /// Its SHA-256.
    pub hash: Digest,
}

/// What kind of thing is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// The bytes are no page.
    Malformed,
    /// The signature isn't the key's over these bytes.
    Signature,
    /// There is no key to believe.
    UnknownKey,
    /// A page says it continues another page than the one before it.
    Chain,
    /// Pages are missing.
    Gap,
    /// A page is there twice.
    Duplicate,
    /// A page stands after one with a higher number.
    Reorder,
    /// Two authentic pages contradict each other.
    Fork,
    /// A page holds what its policy doesn't let out.
    Policy,
}

impl Fault {
    /// Returns what somebody who finds it should do.
    pub const fn advice(self) -> &'static str {
        match self {
            Self::Malformed => "get the page again, byte for byte, from the box (`parkgate egress --page`) or the hub",
            Self::Signature => {
                "don't rely on it: keep it as evidence, get the page again from the box, and compare the two"
            }
            Self::UnknownKey => {
                "don't rely on it before the factory says that the key is its own; then give the key with --key"
            }
            Self::Gap => "get what is missing from the box or the hub and check all of it again",
            Self::Duplicate => "nothing is lost: leave one of the two away",
            Self::Reorder => "nothing is lost: put the pages in the order of their numbers and check again",
            Self::Chain => {
                "one of the two was replaced or made from another history: get both from the box and compare their hashes"
            }
            Self::Fork => {
                "keep both as evidence and ask the factory which one it made; the stream goes on in a new epoch"
            }
            Self::Policy => "tell the factory, which can stop the sink and compare with `parkgate egress`",
        }
    }
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Finding {
    /// What kind of thing.
    pub fault: Fault,
    /// Where: the place of a page, or the name of a chain.
    pub place: String,
    /// What is wrong.
    pub sentence: String,
    /// What the reader should do.
    pub advice: &'static str,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}; {}", self.place, self.sentence, self.advice)
    }
}

/// What was found in one chain.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct ChainSummary {
    /// The box.
    pub gateway: GatewayId,
    /// Its stream.
    pub stream: StreamName,
    /// The epoch.
    pub epoch: u32,
    /// Authentic pages, each number once.
    pub pages: u64,
    /// Records in them.
    pub records: u64,
    /// The last page.
    pub last_seq: u64,
    /// Its SHA-256.
    pub last_hash: Digest,
    /// Id of the key that signed the last page.
    pub kid: String,
}

/// The outcome.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct Audit {
    /// What is wrong: first page by page as presented, then chain by chain.
    pub findings: Vec<Finding>,
    /// The chains that hold at least one authentic page, by gateway, stream and epoch.
    pub chains: Vec<ChainSummary>,
}

type ChainId = (GatewayId, StreamName, u32);

/// An authentic page in its chain.
struct Link<'a> {
    place: &'a str,
    page: Page,
    hash: Digest,
    kid: String,
}

/// Checks every page by itself, then each chain from its first page on.
pub fn verify_chain(pages: &[Presented<'_>], trust: &Trust, known: &[KnownHead]) -> Audit {
    let keys = Keys::of(pages, trust);
    let mut findings = Vec::new();
    let mut chains: BTreeMap<ChainId, BTreeMap<u64, Link<'_>>> = BTreeMap::new();
    let mut latest: BTreeMap<ChainId, u64> = BTreeMap::new();
    for presented in pages {
        match authenticate(presented, &keys) {
            Err((fault, sentence)) => findings.push(finding(fault, presented.place, sentence)),
            Ok(link) => {
                let id = chain_id(&link.page);
                findings.extend(place_in_order(&link, latest.get(&id).copied()));
                let last = latest.entry(id.clone()).or_default();
                *last = link.page.seq.max(*last);
                findings.extend(hold(chains.entry(id).or_default(), link));
            }
        }
    }
    for (id, chain) in &chains {
        findings.extend(walk(id, chain, &chains));
    }
    findings.extend(known.iter().filter_map(|head| check_end(head, &chains)));
    Audit { findings, chains: chains.iter().filter_map(|(id, chain)| summary(id, chain)).collect() }
}

/// The keys that are believed.
struct Keys<'t> {
    trust: &'t Trust,
    /// Where the first page is believed: per chain the key that its first policy page states and is signed with.
    stated: BTreeMap<ChainId, VerifyingKey>,
    /// Per stream the keys to which authentic key pages hand over.
    announced: BTreeMap<(GatewayId, StreamName), Vec<VerifyingKey>>,
}

impl<'t> Keys<'t> {
    fn of(pages: &[Presented<'_>], trust: &'t Trust) -> Self {
        let read: Vec<(&Presented<'_>, Page, VerifyingKey)> = pages
            .iter()
            .filter_map(|presented| {
                let page = read_page(presented.bytes).ok()?;
                let key = VerifyingKey::from_jwk(page.key.as_ref()?).ok()?;
                Some((presented, page, key))
            })
            .collect();
        let mut first: BTreeMap<ChainId, (u64, VerifyingKey)> = BTreeMap::new();
        for (presented, page, key) in read.iter().filter(|(_, page, _)| page.kind == PageKind::Policy) {
            let id = chain_id(page);
            let is_first = first.get(&id).is_none_or(|(seq, _)| page.seq < *seq);
            if is_first && jws::verify(presented.bytes, presented.jws, key).is_ok() {
                first.insert(id, (page.seq, key.clone()));
            }
        }
        let stated = first.into_iter().map(|(id, (_, key))| (id, key)).collect();
        let mut keys = Self { trust, stated, announced: BTreeMap::new() };
        // A key that was handed over to may hand over itself, in whatever order the pages are presented.
        loop {
            let believed = read.iter().filter(|(presented, page, _)| {
                page.kind == PageKind::Key
                    && jws::kid(presented.jws)
                        .ok()
                        .and_then(|kid| keys.find(page, &kid))
                        .is_some_and(|key| jws::verify(presented.bytes, presented.jws, key).is_ok())
            });
            let news: Vec<_> = believed
                .filter(|(_, page, key)| keys.find(page, key.kid()).is_none())
                .map(|(_, page, key)| ((page.gateway.clone(), page.stream.clone()), key.clone()))
                .collect();
            if news.is_empty() {
                return keys;
            }
            for (stream, key) in news {
                keys.announced.entry(stream).or_default().push(key);
            }
        }
    }

    /// Returns the key of this id, where a page of this stream may be signed with it.
    fn find(&self, page: &Page, kid: &str) -> Option<&VerifyingKey> {
        let given = match self.trust {
            Trust::Keys(keys) => keys.iter().find(|key| key.kid() == kid),
            Trust::FirstPage => self.stated.get(&chain_id(page)).filter(|key| key.kid() == kid),
        };
        let announced = || self.announced.get(&(page.gateway.clone(), page.stream.clone()));
        given.or_else(|| announced()?.iter().find(|key| key.kid() == kid))
    }
}

fn authenticate<'a>(presented: &Presented<'a>, keys: &Keys<'_>) -> Result<Link<'a>, (Fault, String)> {
    let page = read_page(presented.bytes).map_err(|fault| (Fault::Malformed, fault.to_string()))?;
    let kid = jws::kid(presented.jws).map_err(|fault| (Fault::Signature, fault.to_string()))?;
    let Some(key) = keys.find(&page, &kid) else {
        let sentence = match keys.trust {
            Trust::Keys(_) => {
                format!(
                    "page {} is signed with key {kid}, which is none of the given ones and was not handed over to",
                    page.seq
                )
            }
            Trust::FirstPage => {
                format!("page {} is signed with key {kid}, which no policy page of its epoch states", page.seq)
            }
        };
        return Err((Fault::UnknownKey, sentence));
    };
    jws::verify(presented.bytes, presented.jws, key)
        .map_err(|fault| (Fault::Signature, PageFault::from(fault).to_string()))?;
    let stated = page.key.as_ref().filter(|_| page.kind == PageKind::Policy);
    if let Some(other) = stated.filter(|jwk| **jwk != key.jwk()) {
        let sentence = format!("page {} states key {} but is signed with {kid}", page.seq, other.thumbprint());
        return Err((Fault::UnknownKey, sentence));
    }
    Ok(Link { place: presented.place, hash: hash(presented.bytes), page, kid })
}

fn place_in_order(link: &Link<'_>, latest: Option<u64>) -> Option<Finding> {
    let latest = latest.filter(|latest| link.page.seq < *latest)?;
    Some(finding(Fault::Reorder, link.place, format!("page {} stands after page {latest}", link.page.seq)))
}

fn hold<'a>(chain: &mut BTreeMap<u64, Link<'a>>, link: Link<'a>) -> Option<Finding> {
    let seq = link.page.seq;
    let Some(held) = chain.get(&seq) else {
        chain.insert(seq, link);
        return None;
    };
    Some(if held.hash == link.hash {
        finding(Fault::Duplicate, link.place, format!("page {seq} is a repetition of {}", held.place))
    } else {
        finding(Fault::Fork, link.place, format!("page {seq} is authentic and contradicts {}", held.place))
    })
}

/// Follows one chain by number: gaps, predecessors, policies.
fn walk(
    id: &ChainId,
    chain: &BTreeMap<u64, Link<'_>>,
    chains: &BTreeMap<ChainId, BTreeMap<u64, Link<'_>>>,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut before: Option<&Link<'_>> = None;
    let mut policy: Option<(Digest, &SharePolicy)> = None;
    // The key that must sign the next page, and the page that says so.
    let mut signer: Option<(String, u64)> = None;
    for (seq, link) in chain {
        let expected = before.map_or(1, |before| before.page.seq + 1);
        if *seq > expected {
            findings.push(finding(Fault::Gap, &chain_name(id), missing(expected, seq - 1)));
            // Which key signs what follows may stand on a page that is missing.
            signer = None;
        } else if let Some(before) = before.filter(|before| before.hash != link.page.prev) {
            let sentence =
                format!("page {seq} does not continue {}, but a page with hash {}", before.place, link.page.prev);
            findings.push(finding(Fault::Chain, link.place, sentence));
        } else if before.is_none() {
            findings.extend(check_first(id, link, chains));
        }
        if let Some((kid, since)) = signer.as_ref().filter(|(kid, _)| *kid != link.kid) {
            let sentence = format!("page {seq} is signed with key {}, but page {since} leaves that to {kid}", link.kid);
            findings.push(finding(Fault::UnknownKey, link.place, sentence));
        }
        signer = match &link.page.key {
            Some(next) if link.page.kind == PageKind::Key => Some((next.thumbprint(), *seq)),
            _ => signer.or_else(|| Some((link.kid.clone(), *seq))),
        };
        match &link.page.policy {
            Some(stated) => policy = Some((link.page.policy_digest, stated)),
            None => findings.extend(check_policy(link, policy)),
        }
        before = Some(link);
    }
    findings
}

/// Page 1 continues nothing, or a page of an earlier epoch.
fn check_first(
    (gateway, stream, epoch): &ChainId,
    link: &Link<'_>,
    chains: &BTreeMap<ChainId, BTreeMap<u64, Link<'_>>>,
) -> Option<Finding> {
    let prev = link.page.prev;
    let mut earlier =
        chains.range(..(gateway.clone(), stream.clone(), *epoch)).filter(|((g, s, _), _)| g == gateway && s == stream);
    let is_known = earlier.clone().any(|(_, chain)| chain.values().any(|page| page.hash == prev));
    // Pages of an earlier epoch may lie elsewhere; then there is nothing to compare with.
    if is_known || prev == Digest::ZERO || (*epoch > 1 && earlier.next().is_none()) {
        return None;
    }
    let sentence =
        format!("page 1 of epoch {epoch} continues a page with hash {prev}, which is none of an earlier epoch");
    Some(finding(Fault::Chain, link.place, sentence))
}

/// What a page of records holds is what its policy lets out.
fn check_policy(link: &Link<'_>, policy: Option<(Digest, &SharePolicy)>) -> Option<Finding> {
    let seq = link.page.seq;
    // Without the policy page there is a gap, which is its own finding.
    let (digest, policy) = policy?;
    if digest != link.page.policy_digest {
        let sentence = format!("page {seq} was cut after a policy that no page before it states");
        return Some(finding(Fault::Policy, link.place, sentence));
    }
    let (index, what) = link.page.records.iter().enumerate().find_map(|(index, record)| {
        let kpi = record.kpis.iter().find(|value| !policy.kpis.contains(&value.kpi));
        let what = if record.grain != policy.grain {
            format!("grain {}", record.grain)
        } else if record.level > policy.level {
            format!("level {}", record.level.as_str())
        } else {
            format!("KPI {}", kpi?.kpi)
        };
        Some((index, what))
    })?;
    Some(finding(Fault::Policy, link.place, format!("page {seq}, record {index}: {what} is not shared by its policy")))
}

fn check_end(head: &KnownHead, chains: &BTreeMap<ChainId, BTreeMap<u64, Link<'_>>>) -> Option<Finding> {
    let id = (head.gateway.clone(), head.stream.clone(), head.epoch);
    let chain = chains.get(&id);
    match chain.and_then(|chain| chain.get(&head.seq)) {
        Some(link) if link.hash == head.hash => None,
        Some(link) => {
            let sentence =
                format!("page {} is authentic but not the one known from elsewhere ({})", head.seq, head.hash);
            Some(finding(Fault::Fork, link.place, sentence))
        }
        None => {
            let last = chain.and_then(|chain| chain.keys().next_back().copied()).unwrap_or(0);
            // A page missing in the middle is a gap already.
            (head.seq > last).then(|| finding(Fault::Gap, &chain_name(&id), missing(last + 1, head.seq)))
        }
    }
}

fn summary((gateway, stream, epoch): &ChainId, chain: &BTreeMap<u64, Link<'_>>) -> Option<ChainSummary> {
    let (last_seq, last) = chain.last_key_value()?;
    Some(ChainSummary {
        gateway: gateway.clone(),
        stream: stream.clone(),
        epoch: *epoch,
        pages: chain.len() as u64,
        records: chain.values().map(|link| link.page.records.len() as u64).sum(),
        last_seq: *last_seq,
        last_hash: last.hash,
        kid: last.kid.clone(),
    })
}

fn chain_id(page: &Page) -> ChainId {
    (page.gateway.clone(), page.stream.clone(), page.epoch)
}

fn chain_name((gateway, stream, epoch): &ChainId) -> String {
    format!("{gateway}/{stream}, epoch {epoch}")
}

fn missing(first: u64, last: u64) -> String {
    if first == last { format!("page {first} is missing") } else { format!("pages {first} to {last} are missing") }
}

fn finding(fault: Fault, place: &str, sentence: String) -> Finding {
    Finding { fault, place: place.to_owned(), sentence, advice: fault.advice() }
}

#[cfg(test)]
mod tests {
    use super::{Fault, KnownHead, Presented, Trust, verify_chain};
    use crate::ledger::fixture::{DAY, key, ledger, measures_of, policy, record};
    use crate::ledger::key::GatewayKey;
    use crate::ledger::page::{Head, SignedPage};
    use crate::ledger::stream::Stream;
    use crate::ledger::verify::read_page;
    use crate::model::id::Digest;
    use crate::model::record::KpiId;

    fn trust() -> Trust {
        Trust::Keys(vec![key().verifying()])
    }

    fn check(pages: &[SignedPage], trust: &Trust, expected: &[(Fault, &str)]) {
        let places: Vec<String> = (1..=pages.len()).map(|number| format!("line {number}")).collect();
        let presented: Vec<_> = pages
            .iter()
            .zip(&places)
            .map(|(page, place)| Presented { place, bytes: &page.bytes, jws: &page.jws })
            .collect();
        let found: Vec<_> = verify_chain(&presented, trust, &[])
            .findings
            .into_iter()
            .map(|finding| {
                assert!(finding.to_string().ends_with(&format!("; {}", finding.advice)) && finding.advice.len() > 20);
                (finding.fault, format!("{}: {}", finding.place, finding.sentence))
            })
            .collect();
        let expected: Vec<_> = expected.iter().map(|(fault, text)| (*fault, (*text).to_owned())).collect();
        assert_eq!(found, expected);
    }

    fn pick(numbers: &[usize]) -> Vec<SignedPage> {
        numbers.iter().map(|number| ledger()[number - 1].clone()).collect()
    }

    #[test]
    fn a_whole_ledger_has_no_finding_and_is_summed_up() {
        check(&ledger(), &trust(), &[]);
        check(&ledger(), &Trust::FirstPage, &[]);
        let pages = ledger();
        let presented: Vec<_> =
            pages.iter().map(|page| Presented { place: "", bytes: &page.bytes, jws: &page.jws }).collect();
        let chains = verify_chain(&presented, &trust(), &[]).chains;
        assert_eq!((chains[0].pages, chains[0].records, chains[0].last_seq), (3, 3, 3));
        assert_eq!((chains[0].last_hash, chains[0].kid.clone()), (pages[2].hash, key().kid()));
    }

    #[test]
    fn every_flipped_bit_is_found() {
        // A policy page believed by what it states itself, and a page of records against a given key.
        for (page, trust) in [(&ledger()[0], Trust::FirstPage), (&ledger()[2], trust())] {
            for bit in 0..(page.bytes.len() + page.jws.len()) * 8 {
                let mut both = [page.bytes.as_slice(), page.jws.as_bytes()].concat();
                both[bit / 8] ^= 1 << (bit % 8);
                let (bytes, jws) = both.split_at(page.bytes.len());
                // A signature that is no text can't even be presented.
                let Ok(jws) = std::str::from_utf8(jws) else { continue };
                let audit = verify_chain(&[Presented { place: "", bytes, jws }], &trust, &[]);
                assert!(audit.chains.is_empty(), "page {}, bit {bit}", page.seq);
                assert_eq!(audit.findings.len(), 1, "page {}, bit {bit}", page.seq);
            }
        }
    }

    #[test]
    fn a_removed_page_is_a_gap() {
        check(&pick(&[1, 3]), &trust(), &[(Fault::Gap, "tt-0042/hepza, epoch 1: page 2 is missing")]);
        check(&pick(&[3]), &trust(), &[(Fault::Gap, "tt-0042/hepza, epoch 1: pages 1 to 2 are missing")]);
    }

    #[test]
    fn a_cut_off_end_shows_against_a_receipt() {
        let pages = ledger();
        let presented = [Presented { place: "line 1", bytes: &pages[0].bytes, jws: &pages[0].jws }];
        let head = |seq, hash| KnownHead {
            gateway: pages[0].gateway.clone(),
            stream: pages[0].stream.clone(),
            epoch: 1,
            seq,
            hash,
        };
        let found = |known: KnownHead| verify_chain(&presented, &trust(), &[known]).findings;
        assert_eq!(found(head(1, pages[0].hash)), []);
        assert_eq!(
            found(head(3, pages[2].hash))[0].to_string(),
            "tt-0042/hepza, epoch 1: pages 2 to 3 are missing; get what is missing from the box or the hub and check all of \
             it again"
        );
        assert_eq!(found(head(1, pages[2].hash))[0].fault, Fault::Fork);
    }

    #[test]
    fn a_truncated_page_is_no_page() {
        let mut pages = ledger();
        pages[2].bytes.truncate(100);
        check(
            &pages,
            &trust(),
            &[(Fault::Malformed, "line 3: not a page: EOF while parsing a string at line 1 column 100")],
        );
    }

    #[test]
    fn swapped_and_repeated_pages_are_named() {
        check(&pick(&[1, 3, 2]), &trust(), &[(Fault::Reorder, "line 3: page 2 stands after page 3")]);
        check(&pick(&[1, 2, 2, 3]), &trust(), &[(Fault::Duplicate, "line 3: page 2 is a repetition of line 2")]);
    }

    #[test]
    fn swapped_bodies_keep_their_own_signature_from_matching() {
        let mut pages = ledger();
        let jws = [1, 2].map(|index: usize| pages[index].jws.clone());
        [pages[2].jws, pages[1].jws] = jws;
        let mismatch = "signature does not match the page's bytes";
        check(
            &pages,
            &trust(),
            &[(Fault::Signature, &format!("line 2: {mismatch}")), (Fault::Signature, &format!("line 3: {mismatch}"))],
        );
    }

    #[test]
    fn two_authentic_pages_of_one_number_are_a_fork() {
        let mut other = Stream::open(
            ledger()[0].gateway.clone(),
            ledger()[0].stream.clone(),
            1,
            policy(),
            Some(ledger()[0].head()),
            measures_of,
        );
        let mut pages = pick(&[1, 2]);
        pages.extend(other.cut(DAY, Digest::ZERO, &[record(0, 2)], &key()));
        check(&pages, &trust(), &[(Fault::Fork, "line 3: page 2 is authentic and contradicts line 2")]);
        let after = &pages[2];
        let sentence = format!("line 3: page 3 does not continue line 2, but a page with hash {}", ledger()[1].hash);
        check(&[pages[0].clone(), after.clone(), ledger()[2].clone()], &trust(), &[(Fault::Chain, &sentence)]);
    }

    #[test]
    fn a_key_nobody_gave_is_not_believed() {
        let other = GatewayKey::from_seed([7; 32]);
        let sentence = format!(
            "line 1: page 1 is signed with key {}, which is none of the given ones and was not handed over to",
            key().kid()
        );
        check(&pick(&[1]), &Trust::Keys(vec![other.verifying()]), &[(Fault::UnknownKey, &sentence)]);
        // Page 2 made by another key after an authentic page 1.
        let mut forged = pick(&[1, 2]);
        forged[1] = read_page(&forged[1].bytes).unwrap().sign(&other);
        let sentence =
            format!("line 2: page 2 is signed with key {}, which no policy page of its epoch states", other.kid());
        check(&forged, &Trust::FirstPage, &[(Fault::UnknownKey, &sentence)]);
    }

    /// The ledger's pages, a key page by which another key takes over, and a page that the other key signs.
    fn handed_over() -> (Vec<SignedPage>, Stream, GatewayKey) {
        let (mut stream, mut pages) = (ledger_stream(), ledger());
        let other = GatewayKey::from_seed([7; 32]);
        pages.push(stream.hand_over(DAY, Digest::ZERO, &key(), &other));
        pages.extend(stream.cut(DAY, Digest::ZERO, &[record(3, 1)], &other));
        (pages, stream, other)
    }

    fn ledger_stream() -> Stream {
        let last = ledger().pop().unwrap();
        Stream::open(last.gateway.clone(), last.stream.clone(), 1, policy(), Some(last.head()), measures_of)
    }

    #[test]
    fn a_key_page_hands_over_to_another_key_whatever_is_believed() {
        let (pages, mut stream, other) = handed_over();
        check(&pages, &trust(), &[]);
        check(&pages, &Trust::FirstPage, &[]);
        // And that one to a third, which the reader meets before the page that names it.
        let third = GatewayKey::from_seed([9; 32]);
        let mut more = pages.clone();
        more.push(stream.hand_over(DAY, Digest::ZERO, &other, &third));
        more.extend(stream.cut(DAY, Digest::ZERO, &[record(4, 1)], &third));
        check(&more, &trust(), &[]);
        let found = verify_chain(
            &more
                .iter()
                .rev()
                .map(|page| Presented { place: "", bytes: &page.bytes, jws: &page.jws })
                .collect::<Vec<_>>(),
            &trust(),
            &[],
        );
        assert!(found.findings.iter().all(|finding| finding.fault == Fault::Reorder), "{:?}", found.findings);
        // Without the key page nothing says whose the pages after it are.
        let without = [&pages[..3], &pages[4..]].concat();
        let sentence = format!(
            "line 4: page 5 is signed with key {}, which is none of the given ones and was not handed over to",
            other.kid()
        );
        check(&without, &trust(), &[(Fault::UnknownKey, &sentence)]);
    }

    #[test]
    fn a_key_that_handed_over_signs_nothing_more() {
        let (mut pages, _, other) = handed_over();
        pages[4] = read_page(&pages[4].bytes).unwrap().sign(&key());
        let sentence =
            format!("line 5: page 5 is signed with key {}, but page 4 leaves that to {}", key().kid(), other.kid());
        check(&pages, &trust(), &[(Fault::UnknownKey, &sentence)]);
    }

    #[test]
    fn a_key_page_that_a_stranger_signed_hands_over_nothing() {
        let (mut pages, _, other) = handed_over();
        pages[3] = read_page(&pages[3].bytes).unwrap().sign(&other);
        pages[4] = {
            let mut page = read_page(&pages[4].bytes).unwrap();
            page.prev = pages[3].hash;
            page.sign(&other)
        };
        let audit = verify_chain(
            &pages.iter().map(|page| Presented { place: "", bytes: &page.bytes, jws: &page.jws }).collect::<Vec<_>>(),
            &trust(),
            &[],
        );
        assert_eq!(audit.findings.iter().map(|one| one.fault).collect::<Vec<_>>(), [Fault::UnknownKey; 2]);
        assert_eq!(audit.chains[0].last_seq, 3);
    }

    #[test]
    fn no_flipped_bit_of_a_key_page_is_believed() {
        let page = &handed_over().0[3];
        for bit in 0..page.bytes.len() * 8 {
            let mut bytes = page.bytes.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            let audit = verify_chain(&[Presented { place: "", bytes: &bytes, jws: &page.jws }], &trust(), &[]);
            assert!(audit.chains.is_empty(), "bit {bit}");
        }
    }

    #[test]
    fn what_the_policy_does_not_let_out_is_named() {
        let mut pages = pick(&[1, 2]);
        let mut page = read_page(&pages[1].bytes).unwrap();
        page.records[1].kpis[0].kpi = KpiId::of("oee");
        pages[1] = page.sign(&key());
        check(&pages, &trust(), &[(Fault::Policy, "line 2: page 2, record 1: KPI oee is not shared by its policy")]);
    }

    #[test]
    fn a_new_epoch_continues_a_page_of_the_one_before() {
        let common = ledger()[1].head();
        let open = |head| {
            Stream::open(ledger()[0].gateway.clone(), ledger()[0].stream.clone(), 2, policy(), head, measures_of)
        };
        let mut pages = ledger();
        pages.extend(open(Some(common)).cut(DAY, Digest::ZERO, &[], &key()));
        check(&pages, &trust(), &[]);
        // Nothing was acknowledged before.
        pages[3] = open(None).cut(DAY, Digest::ZERO, &[], &key())[0].clone();
        check(&pages, &trust(), &[]);
        let stranger = Head { hash: Digest([7; 32]), ..common };
        pages[3] = open(Some(stranger)).cut(DAY, Digest::ZERO, &[], &key())[0].clone();
        let sentence = format!(
            "line 4: page 1 of epoch 2 continues a page with hash {}, which is none of an earlier epoch",
            stranger.hash
        );
        check(&pages, &trust(), &[(Fault::Chain, &sentence)]);
    }
}
