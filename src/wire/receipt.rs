//! The hub's receipt for a page.

use serde::{Deserialize, Serialize};

use crate::model::id::{Digest, GatewayId, StreamName};
use crate::model::time::Timestamp;

/// What the hub holds after it accepted a page. The same page sent again gets the receipt it got first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// Whose stream.
    pub gateway: GatewayId,
    /// Which stream.
    pub stream: StreamName,
    /// Its epoch.
    pub epoch: u32,
    /// The page this receipt is for.
    pub seq: u64,
    /// Its SHA-256.
    pub hash: Digest,
    /// The last page the hub holds of this stream and epoch, without a gap from 1. The sender's cursor follows it.
    pub accepted_through: u64,
    /// SHA-256 of that page.
    pub head_hash: Digest,
    /// Records of an authentic page that the hub keeps but can't use, ascending by index.
    pub rejected: Vec<Rejected>,
    /// When the page came first, by the hub's clock.
    pub received_at: Timestamp,
}

/// A record the hub can't use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rejected {
    /// Position in the page's `records`, from 0.
    pub index: u32,
    /// Why, in words.
    pub reason: String,
}

#[cfg(test)]
mod tests {
    use super::{Digest, GatewayId, Receipt, Rejected, StreamName, Timestamp};

    #[test]
    fn json_form_is_frozen() {
        let receipt = Receipt {
            gateway: GatewayId::new("tt-0042").unwrap(),
            stream: StreamName::new("hepza").unwrap(),
            epoch: 1,
            seq: 7,
            hash: Digest([0x11; 32]),
            accepted_through: 9,
            head_hash: Digest([0x22; 32]),
            rejected: vec![Rejected { index: 3, reason: "unknown site".to_owned() }],
            received_at: Timestamp(1_790_000_000_123),
        };
        let json = concat!(
            r#"{"gateway":"tt-0042","stream":"hepza","epoch":1,"seq":7,"#,
            r#""hash":"1111111111111111111111111111111111111111111111111111111111111111","accepted_through":9,"#,
            r#""head_hash":"2222222222222222222222222222222222222222222222222222222222222222","#,
            r#""rejected":[{"index":3,"reason":"unknown site"}],"received_at":"2026-09-21T14:13:20.123Z"}"#
        );
        assert_eq!(serde_json::to_string(&receipt).unwrap(), json);
        assert_eq!(serde_json::from_str::<Receipt>(json).unwrap(), receipt);
    }
}
