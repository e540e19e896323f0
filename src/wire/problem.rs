//! Errors over HTTP. **Source**: RFC 9457.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::model::id::Digest;

/// Media type of a problem.
pub const MEDIA_TYPE: &str = "application/problem+json";

/// 409: another page is held under this number, or the page doesn't continue the held chain. The stream stops.
pub const FORK: &str = "urn:parkgate:problem:fork";
/// 409: pages before this one are missing. The sender goes back to `accepted_through`.
pub const GAP: &str = "urn:parkgate:problem:gap";
/// 401: no token, or one the receiver doesn't know.
pub const UNAUTHORIZED: &str = "urn:parkgate:problem:unauthorized";
/// 403: not signed by the gateway's key, or a gateway the receiver doesn't know.
pub const FORBIDDEN: &str = "urn:parkgate:problem:forbidden";
/// 422: not a page.
pub const MALFORMED: &str = "urn:parkgate:problem:malformed";
/// 409: it contradicts what is held.
pub const CONFLICT: &str = "urn:parkgate:problem:conflict";
/// 422: understood, and it can't be so here.
pub const UNPROCESSABLE: &str = "urn:parkgate:problem:unprocessable";
/// 400: a parameter is missing or out of range.
pub const BAD_REQUEST: &str = "urn:parkgate:problem:bad-request";
/// 404: there is no such thing.
pub const NOT_FOUND: &str = "urn:parkgate:problem:not-found";
/// The same was declared, approved or withdrawn before.
pub const ALREADY_SAID: &str = "urn:parkgate:problem:already-said";
/// 405: the resource has no such method.
pub const METHOD_NOT_ALLOWED: &str = "urn:parkgate:problem:method-not-allowed";
/// 413: larger than the receiver takes.
pub const TOO_LARGE: &str = "urn:parkgate:problem:too-large";
/// 415: compressed in a way the receiver doesn't read. The sender sends it as it is.
pub const UNSUPPORTED_ENCODING: &str = "urn:parkgate:problem:unsupported-encoding";
/// 429 or 503: come back after `Retry-After`.
pub const BUSY: &str = "urn:parkgate:problem:busy";
/// 500: the receiver failed.
pub const INTERNAL: &str = "urn:parkgate:problem:internal";

/// One error. `type`, `title` and `status` say what kind it is; `detail` says it of this case, in a sentence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// What kind: one of this file's constants.
    #[serde(rename = "type")]
    pub kind: Cow<'static, str>,
    /// The kind in words.
    pub title: Cow<'static, str>,
    /// The HTTP status.
    pub status: u16,
    /// What is the matter in this case.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub detail: String,
    /// Of a fork or gap: the last page the hub holds without a gap; 0 for none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accepted_through: Option<u64>,
    /// Of a fork or gap: the SHA-256 of that page; all zero for none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub head_hash: Option<Digest>,
}

impl Problem {
    /// Returns a problem of a kind.
    pub fn new(kind: &'static str, status: u16, title: &'static str, detail: impl Into<String>) -> Self {
        Self {
            kind: Cow::Borrowed(kind),
            title: Cow::Borrowed(title),
            status,
            detail: detail.into(),
            accepted_through: None,
            head_hash: None,
        }
    }

    /// Adds what the hub holds.
    #[must_use]
    pub fn with_head(mut self, accepted_through: u64, head_hash: Digest) -> Self {
        self.accepted_through = Some(accepted_through);
        self.head_hash = Some(head_hash);
        self
    }

    /// Returns the 409 for a page that contradicts what is held.
    pub fn fork(detail: impl Into<String>, accepted_through: u64, head_hash: Digest) -> Self {
        Self::new(FORK, 409, "page contradicts the held chain", detail).with_head(accepted_through, head_hash)
    }

    /// Returns the 409 for a page that comes too early.
    pub fn gap(detail: impl Into<String>, accepted_through: u64, head_hash: Digest) -> Self {
        Self::new(GAP, 409, "pages before this one are missing", detail).with_head(accepted_through, head_hash)
    }

    /// Returns the 401.
    pub fn unauthorized(detail: impl Into<String>) -> Self {
        Self::new(UNAUTHORIZED, 401, "no valid token", detail)
    }

    /// Returns the 403.
    pub fn forbidden(detail: impl Into<String>) -> Self {
        Self::new(FORBIDDEN, 403, "not allowed", detail)
    }

    /// Returns the 422.
    pub fn malformed(detail: impl Into<String>) -> Self {
        Self::new(MALFORMED, 422, "not a page", detail)
    }

    /// Returns the 409 of what contradicts what is held.
    pub fn conflict(detail: impl Into<String>) -> Self {
        Self::new(CONFLICT, 409, "contradicts what is held", detail)
    }

    /// Returns the 422 of what can't be so here.
    pub fn unprocessable(detail: impl Into<String>) -> Self {
        Self::new(UNPROCESSABLE, 422, "can't be so here", detail)
    }

    /// Returns the 400.
    pub fn bad_request(detail: impl Into<String>) -> Self {
        Self::new(BAD_REQUEST, 400, "request can't be understood", detail)
    }

    /// Returns the 404.
    pub fn not_found(detail: impl Into<String>) -> Self {
        Self::new(NOT_FOUND, 404, "not found", detail)
    }

    /// Returns the 409 for what was said before.
    pub fn already_said(detail: impl Into<String>) -> Self {
        Self::new(ALREADY_SAID, 409, "said before", detail)
    }

    /// Returns the 413.
    pub fn too_large(detail: impl Into<String>) -> Self {
        Self::new(TOO_LARGE, 413, "larger than is taken", detail)
    }

    /// Returns the 415.
    pub fn unsupported_encoding(detail: impl Into<String>) -> Self {
        Self::new(UNSUPPORTED_ENCODING, 415, "content coding is not read here", detail)
    }

    /// Returns the 503.
    pub fn busy(detail: impl Into<String>) -> Self {
        Self::new(BUSY, 503, "not available at the moment", detail)
    }

    /// Returns the 500.
    pub fn internal(detail: impl Into<String>) -> Self {
        Self::new(INTERNAL, 500, "internal error", detail)
    }
}

#[cfg(test)]
mod tests {
    use super::{Digest, Problem};

    #[test]
    fn json_form_is_frozen() {
        let problem = Problem::gap("page 9 came, page 6 is next", 5, Digest([0xab; 32]));
        let json = concat!(
            r#"{"type":"urn:parkgate:problem:gap","title":"pages before this one are missing","status":409,"#,
            r#""detail":"page 9 came, page 6 is next","accepted_through":5,"#,
            r#""head_hash":"abababababababababababababababababababababababababababababababab"}"#
        );
        assert_eq!(serde_json::to_string(&problem).unwrap(), json);
        assert_eq!(serde_json::from_str::<Problem>(json).unwrap(), problem);
    }

    #[test]
    fn a_problem_without_a_head_or_detail_leaves_them_out() {
        let json = r#"{"type":"urn:parkgate:problem:not-found","title":"not found","status":404}"#;
        assert_eq!(serde_json::to_string(&Problem::not_found("")).unwrap(), json);
    }
}
