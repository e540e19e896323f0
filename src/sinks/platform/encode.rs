//! The request for a page and the meaning of the answer.

use crate::ledger::page::SignedPage;
use crate::model::id::{Digest, GatewayId, StreamName};
use crate::sinks::http::{Answer, Failure};
use crate::wire::problem::{FORK, GAP};
use crate::wire::receipt::{Receipt, Rejected};

/// Header that carries the detached signature.
pub const SIGNATURE_HEADER: &str = "x-jws-signature";

/// Returns the path of a page below the platform's address.
pub fn path(gateway: &GatewayId, stream: &StreamName, epoch: u32, seq: u64) -> String {
    // Ids hold no character that a path would need escaped.
    format!("/api/v1/gateways/{gateway}/streams/{stream}/{epoch}/pages/{seq}")
}

/// What the platform's answer means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It holds the page, and everything through `through`, whose hash is `head`.
    Accepted { through: u64, head: Digest, rejected: Vec<Rejected> },
    /// It misses pages before this one: it holds everything through `through`.
    Behind { through: u64, head: Digest },
    /// It holds another chain. Only a new epoch helps.
    Fork(String),
    /// It will never take this page as it is.
    Refused(String),
    /// It doesn't read compressed bodies.
    Plain,
    /// Not this time.
    Failed(Failure),
}

/// Reads an answer. Only a receipt for this very page counts as acceptance: a proxy's 200 doesn't.
pub(super) fn verdict(page: &SignedPage, is_compressed: bool, answer: &Answer) -> Verdict {
    match answer.status {
        415 if is_compressed => Verdict::Plain,
        200 | 201 => accepted(page, answer),
        409 => conflict(page, answer),
        400 | 413 | 415 | 422 => Verdict::Refused(answer.failure().reason),
        _ => Verdict::Failed(answer.failure()),
    }
}

fn accepted(page: &SignedPage, answer: &Answer) -> Verdict {
    match serde_json::from_slice::<Receipt>(&answer.body) {
        Ok(receipt) if is_for(&receipt, page) => {
            Verdict::Accepted { through: receipt.accepted_through, head: receipt.head_hash, rejected: receipt.rejected }
        }
        Ok(_) => {
            Verdict::Failed(Failure::new(format!("receiver answers page {} with another page's receipt", page.seq)))
        }
        Err(_) => Verdict::Failed(Failure::new(format!("receiver answers {} without a receipt", answer.status))),
    }
}

fn is_for(receipt: &Receipt, page: &SignedPage) -> bool {
    (&receipt.gateway, &receipt.stream, receipt.epoch, receipt.seq, receipt.hash)
        == (&page.gateway, &page.stream, page.epoch, page.seq, page.hash)
}

fn conflict(page: &SignedPage, answer: &Answer) -> Verdict {
    let problem = answer.problem();
    let kind = problem.as_ref().map(|problem| problem.kind.as_ref());
    let head = problem.as_ref().and_then(|problem| Some((problem.accepted_through?, problem.head_hash?)));
    match (kind, head) {
        (Some(FORK), _) => Verdict::Fork(answer.words()),
        // A gap right before the page it asks for would be sent again at once, for ever.
        (Some(GAP), Some((through, head))) if through + 1 < page.seq => Verdict::Behind { through, head },
        _ => Verdict::Failed(answer.failure()),
    }
}

#[cfg(test)]
mod tests {
    use super::{Answer, Digest, GatewayId, SignedPage, StreamName, Verdict, path, verdict};
    use crate::ledger::page::PageKind;
    use crate::model::time::Timestamp;
    use crate::wire::problem::Problem;
    use crate::wire::receipt::Receipt;

    fn page() -> SignedPage {
        SignedPage {
            kind: PageKind::Records,
            gateway: GatewayId::new("tt-0042").unwrap(),
            stream: StreamName::new("hepza").unwrap(),
            epoch: 1,
            seq: 7,
            prev: Digest([1; 32]),
            hash: Digest([2; 32]),
            policy: Digest([3; 32]),
            bytes: vec![],
            jws: String::new(),
        }
    }

    fn receipt() -> Receipt {
        Receipt {
            gateway: page().gateway,
            stream: page().stream,
            epoch: 1,
            seq: 7,
            hash: page().hash,
            accepted_through: 7,
            head_hash: page().hash,
            rejected: vec![],
            received_at: Timestamp(0),
        }
    }

    fn check(status: u16, body: &impl serde::Serialize, expected: impl Fn(&Verdict) -> bool) {
        let answer = Answer { status, after: None, bytes: 0, body: serde_json::to_vec(body).unwrap() };
        let verdict = verdict(&page(), false, &answer);
        assert!(expected(&verdict), "{status}: {verdict:?}");
    }

    #[test]
    fn a_page_has_an_address() {
        let page = page();
        let path = path(&page.gateway, &page.stream, page.epoch, page.seq);
        assert_eq!(path, "/api/v1/gateways/tt-0042/streams/hepza/1/pages/7");
    }

    #[test]
    fn only_a_receipt_for_this_page_is_acceptance() {
        check(201, &receipt(), |verdict| matches!(verdict, Verdict::Accepted { through: 7, .. }));
        check(200, &receipt(), |verdict| matches!(verdict, Verdict::Accepted { through: 7, .. }));
        check(200, &Receipt { seq: 6, ..receipt() }, |verdict| matches!(verdict, Verdict::Failed(_)));
        check(200, &Receipt { hash: Digest::ZERO, ..receipt() }, |verdict| matches!(verdict, Verdict::Failed(_)));
        check(200, &"welcome to the hotel network", |verdict| matches!(verdict, Verdict::Failed(_)));
        check(204, &(), |verdict| matches!(verdict, Verdict::Failed(_)));
    }

    #[test]
    fn conflicts_are_told_apart_by_their_type() {
        let gap = |through| Problem::gap("", through, Digest::ZERO);
        check(409, &gap(3), |verdict| matches!(verdict, Verdict::Behind { through: 3, .. }));
        check(409, &gap(6), |verdict| matches!(verdict, Verdict::Failed(_)));
        check(409, &Problem::fork("two pages 7", 9, Digest::ZERO), |verdict| matches!(verdict, Verdict::Fork(_)));
        check(409, &"busy", |verdict| matches!(verdict, Verdict::Failed(_)));
        check(422, &Problem::malformed("no page"), |verdict| matches!(verdict, Verdict::Refused(_)));
        check(500, &Problem::internal(""), |verdict| matches!(verdict, Verdict::Failed(_)));
    }
}
