//! Detached signatures: `<header>..<signature>`, the payload being a page's bytes.
//!
//! **Source**: RFC 7515 appendix F (detached content), RFC 8037 (EdDSA).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;

use super::key::{GatewayKey, VerifyingKey};

/// What is wrong with a signature.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JwsFault {
    /// It isn't of the form `<header>..<signature>`.
    #[error("signature is not a detached JWS of the form header..signature")]
    Form,
    /// The header is another one than pages are signed with.
    #[error("signature header is not {{\"alg\":\"EdDSA\",\"kid\":…}}")]
    Header,
    /// It was made with another key, or says so.
    #[error("signed with key {found}, expected {expected}")]
    Key {
        /// The key id it names.
        found: String,
        /// The key id to verify with.
        expected: String,
    },
    /// It isn't the signature of these bytes.
    #[error("signature does not match the page's bytes")]
    Mismatch,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    alg: String,
    kid: String,
}

/// Signs `payload`; returns `<header>..<signature>`.
pub fn sign(payload: &[u8], key: &GatewayKey) -> String {
    // A thumbprint is base64url, so it needs no escaping.
    let header = URL_SAFE_NO_PAD.encode(format!(r#"{{"alg":"EdDSA","kid":"{}"}}"#, key.kid()));
    let signature = key.sign(&signing_input(&header, payload));
    format!("{header}..{}", URL_SAFE_NO_PAD.encode(signature))
}

/// Returns the key id a signature names, without checking it.
///
/// # Errors
/// [`JwsFault::Form`] or [`JwsFault::Header`].
pub fn kid(jws: &str) -> Result<String, JwsFault> {
    parts(jws).map(|(header, ..)| header.kid)
}

/// Checks that `jws` is `key`'s signature over `payload`.
///
/// # Errors
/// [`JwsFault`], whose words say what is wrong.
pub fn verify(payload: &[u8], jws: &str, key: &VerifyingKey) -> Result<(), JwsFault> {
    let (header, encoded, signature) = parts(jws)?;
    if header.kid != key.kid() {
        return Err(JwsFault::Key { found: header.kid, expected: key.kid().to_owned() });
    }
    if key.verifies(&signing_input(encoded, payload), &signature) { Ok(()) } else { Err(JwsFault::Mismatch) }
}

fn parts(jws: &str) -> Result<(Header, &str, [u8; 64]), JwsFault> {
    let (encoded, signature) = jws.split_once("..").ok_or(JwsFault::Form)?;
    let signature =
        URL_SAFE_NO_PAD.decode(signature).ok().and_then(|bytes| bytes.try_into().ok()).ok_or(JwsFault::Form)?;
    let header = URL_SAFE_NO_PAD.decode(encoded).map_err(|_| JwsFault::Form)?;
    let header: Header = serde_json::from_slice(&header).map_err(|_| JwsFault::Header)?;
    if header.alg == "EdDSA" { Ok((header, encoded, signature)) } else { Err(JwsFault::Header) }
}

fn signing_input(header: &str, payload: &[u8]) -> Vec<u8> {
    format!("{header}.{}", URL_SAFE_NO_PAD.encode(payload)).into_bytes()
}

#[cfg(test)]
mod tests {
    use super::{JwsFault, URL_SAFE_NO_PAD, kid, sign, signing_input, verify};
    use crate::ledger::fixture::key;
    use crate::ledger::key::GatewayKey;
    use base64::Engine as _;

    #[test]
    fn rfc_8037_signature() {
        // Appendix A.4: header {"alg":"EdDSA"}, payload "Example of Ed25519 signing".
        let header = "eyJhbGciOiJFZERTQSJ9";
        let input = signing_input(header, b"Example of Ed25519 signing");
        assert_eq!(input, b"eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc");
        assert_eq!(
            URL_SAFE_NO_PAD.encode(key().sign(&input)),
            "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"
        );
    }

    #[test]
    fn the_payload_stays_out_and_the_key_is_named() {
        let jws = sign(b"bytes", &key());
        assert_eq!(kid(&jws), Ok(key().kid()));
        assert_eq!(verify(b"bytes", &jws, &key().verifying()), Ok(()));
        assert_eq!(verify(b"bytez", &jws, &key().verifying()), Err(JwsFault::Mismatch));
        let other = GatewayKey::from_seed([7; 32]).verifying();
        assert!(matches!(verify(b"bytes", &jws, &other), Err(JwsFault::Key { .. })));
    }

    #[test]
    fn another_algorithm_or_form_is_refused() {
        let signature = sign(b"bytes", &key()).split_once("..").unwrap().1.to_owned();
        for header in [r#"{"alg":"none","kid":"x"}"#, r#"{"alg":"EdDSA"}"#, r#"{"alg":"EdDSA","kid":"x","b64":false}"#]
        {
            let jws = format!("{}..{signature}", URL_SAFE_NO_PAD.encode(header));
            assert_eq!(verify(b"bytes", &jws, &key().verifying()), Err(JwsFault::Header), "{header}");
        }
        for form in ["", "a.b.c", "..", "e30..AA"] {
            assert_eq!(verify(b"bytes", form, &key().verifying()), Err(JwsFault::Form), "{form}");
        }
    }
}
