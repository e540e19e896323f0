//! The gateway's Ed25519 key and its public form.
//!
//! **Source**: RFC 8032 (Ed25519), RFC 8037 (JWK of type OKP), RFC 7638 (thumbprint).

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_dalek::{Signature, Signer, SigningKey};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// A public key as JSON: `{"crv":"Ed25519","kty":"OKP","x":…}`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Jwk {
    /// Curve: always `Ed25519`.
    pub crv: String,
    /// Key type: always `OKP`.
    pub kty: String,
    /// The public key, 32 bytes in base64url without padding.
    pub x: String,
}

/// A JWK that holds no Ed25519 public key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidKey {
    /// Another kind of key.
    #[error("key of type \"{0}\" and curve \"{1}\", expected \"OKP\" and \"Ed25519\"")]
    Kind(String, String),
    /// `x` is no point of the curve, or one of the few that any message verifies against.
    #[error("\"{0}\" is not an Ed25519 public key: expected 32 bytes in base64url without padding")]
    Point(String),
}

impl Jwk {
    /// Returns the JWK of `x` as configuration writes it. Whether it is a key shows in [`VerifyingKey::from_jwk`].
    pub fn from_x(x: &str) -> Self {
        Self { crv: "Ed25519".to_owned(), kty: "OKP".to_owned(), x: x.to_owned() }
    }

    /// Returns the thumbprint: the SHA-256 of the required members in lexical order, base64url.
    pub fn thumbprint(&self) -> String {
        // The members hold neither quotes nor backslashes once the key is valid; escape anyway.
        let members = serde_json::json!({ "crv": self.crv, "kty": self.kty, "x": self.x });
        let text = serde_json_canonicalizer::to_vec(&members).expect("three strings always encode");
        URL_SAFE_NO_PAD.encode(Sha256::digest(text))
    }
}

/// The private key that signs a gateway's pages. It never prints.
#[derive(Clone)]
pub struct GatewayKey {
    signing: SigningKey,
    kid: String,
}

impl fmt::Debug for GatewayKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "GatewayKey({})", self.kid)
    }
}

impl GatewayKey {
    /// Returns the key of a 32-byte seed.
    pub fn from_seed(seed: [u8; 32]) -> Self {
        let signing = SigningKey::from_bytes(&seed);
        let kid = jwk_of(&signing.verifying_key()).thumbprint();
        Self { signing, kid }
    }

    /// Returns the key id: the thumbprint of the public key.
    pub fn kid(&self) -> String {
        self.kid.clone()
    }

    /// Returns the public key.
    pub fn jwk(&self) -> Jwk {
        jwk_of(&self.signing.verifying_key())
    }

    /// Returns the public key, ready to verify with.
    pub fn verifying(&self) -> VerifyingKey {
        VerifyingKey { key: self.signing.verifying_key(), kid: self.kid.clone() }
    }

    /// Returns the 64-byte signature of a message.
    pub fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.signing.sign(message).to_bytes()
    }
}

/// A public key to verify with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifyingKey {
    key: ed25519_dalek::VerifyingKey,
    kid: String,
}

impl VerifyingKey {
    /// Reads a public key.
    ///
    /// # Errors
    /// [`InvalidKey`]; the caller trusts nothing signed with it.
    pub fn from_jwk(jwk: &Jwk) -> Result<Self, InvalidKey> {
        if jwk.kty != "OKP" || jwk.crv != "Ed25519" {
            return Err(InvalidKey::Kind(jwk.kty.clone(), jwk.crv.clone()));
        }
        let point = || InvalidKey::Point(jwk.x.clone());
        let bytes: [u8; 32] =
            URL_SAFE_NO_PAD.decode(&jwk.x).ok().and_then(|bytes| bytes.try_into().ok()).ok_or_else(point)?;
        let key = ed25519_dalek::VerifyingKey::from_bytes(&bytes).map_err(|_| point())?;
        if key.is_weak() { Err(point()) } else { Ok(Self { key, kid: jwk.thumbprint() }) }
    }

    /// Returns the key id: the thumbprint.
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// Returns the public key as JSON.
    pub fn jwk(&self) -> Jwk {
        jwk_of(&self.key)
    }

    /// Says whether `signature` is this key's over `message`. Malleable and small-order forms are refused.
    pub fn verifies(&self, message: &[u8], signature: &[u8; 64]) -> bool {
        self.key.verify_strict(message, &Signature::from_bytes(signature)).is_ok()
    }
}

fn jwk_of(key: &ed25519_dalek::VerifyingKey) -> Jwk {
    Jwk::from_x(&URL_SAFE_NO_PAD.encode(key.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::{GatewayKey, Jwk, VerifyingKey};
    use crate::ledger::fixture::key;

    // RFC 8037 appendix A.1 and A.3.
    const X: &str = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
    const THUMBPRINT: &str = "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k";

    #[test]
    fn rfc_8037_public_key_and_thumbprint() {
        assert_eq!(key().jwk().x, X);
        assert_eq!(key().kid(), THUMBPRINT);
        let json = serde_json::to_string(&key().jwk()).unwrap();
        assert_eq!(json, format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{X}"}}"#));
        let read = VerifyingKey::from_jwk(&serde_json::from_str(&json).unwrap()).unwrap();
        assert_eq!(read.kid(), THUMBPRINT);
        assert_eq!(read, key().verifying());
    }

    #[test]
    fn the_private_key_does_not_print() {
        assert_eq!(format!("{:?}", key()), format!("GatewayKey({THUMBPRINT})"));
    }

    #[test]
    fn what_is_no_ed25519_key_is_refused() {
        let other_curve = Jwk { crv: "X25519".to_owned(), ..Jwk::from_x(X) };
        let weak = "AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
        for bad in [other_curve, Jwk::from_x(""), Jwk::from_x(&X[..42]), Jwk::from_x("===="), Jwk::from_x(weak)] {
            assert!(VerifyingKey::from_jwk(&bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_signature_of_another_key_does_not_verify() {
        let other = GatewayKey::from_seed([7; 32]);
        assert!(key().verifying().verifies(b"page", &key().sign(b"page")));
        assert!(!key().verifying().verifies(b"page", &other.sign(b"page")));
    }
}
