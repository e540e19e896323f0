//! Who may read, and what a browser may do with what it is served.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, HOST};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

use super::Api;
use super::problem::ApiProblem;
use crate::wire::problem::Problem;

/// What every answer carries. Scripts and styles come from this server's files, nothing is inline, nothing is framed.
pub(super) const HEADERS: [(HeaderName, HeaderValue); 5] = [
    (
        HeaderName::from_static("content-security-policy"),
        HeaderValue::from_static(
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; \
             connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
        ),
    ),
    (HeaderName::from_static("x-content-type-options"), HeaderValue::from_static("nosniff")),
    (HeaderName::from_static("x-frame-options"), HeaderValue::from_static("DENY")),
    (HeaderName::from_static("referrer-policy"), HeaderValue::from_static("no-referrer")),
    (HeaderName::from_static("cross-origin-resource-policy"), HeaderValue::from_static("same-origin")),
];

/// Lets a request pass that may read. Pages and status of gateways pass always: the hub checks each gateway's own token and
/// signature.
pub(super) async fn admit(State(api): State<Arc<Api>>, request: Request, next: Next) -> Response {
    let is_page = request.method() == Method::PUT && request.uri().path().starts_with("/api/v1/gateways/");
    let refusal = match &api.token {
        _ if is_page => None,
        Some(token) => (!is_authorised(request.headers(), token)).then(|| {
            Problem::unauthorized("send the token as bearer token, or as the password of basic authentication")
        }),
        None => foreign_host(request.headers(), request.uri()).map(|host| {
            Problem::forbidden(format!(
                "host \"{host}\" is not this machine: without a token only localhost and loopback addresses are served"
            ))
        }),
    };
    match refusal {
        Some(problem) => ApiProblem::from(problem).into_response(),
        None => next.run(request).await,
    }
}

/// Returns the bearer token of a request.
pub(super) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

fn is_authorised(headers: &HeaderMap, token: &SecretString) -> bool {
    let sent = bearer(headers).map(|token| token.as_bytes().to_vec()).or_else(|| basic_password(headers));
    is_same(sent.as_deref().unwrap_or_default(), token.expose_secret().as_bytes())
}

/// Returns the password of basic authentication: how a browser sends the token.
fn basic_password(headers: &HeaderMap) -> Option<Vec<u8>> {
    let (scheme, encoded) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = BASE64_STANDARD.decode(encoded.trim()).ok()?;
    let colon = decoded.iter().position(|byte| *byte == b':')?;
    Some(decoded[colon + 1..].to_vec())
}

/// Compares in a time that depends on neither text: both are hashed, and every byte of the digests is compared.
fn is_same(a: &[u8], b: &[u8]) -> bool {
    let (a, b) = (Sha256::digest(a), Sha256::digest(b));
    a.iter().zip(b.iter()).fold(0, |different, (a, b)| different | (a ^ b)) == 0
}

/// Returns the host a request names where it isn't this machine: a web page elsewhere that had its name resolved to
/// a loopback address (DNS rebinding) would read figures that way. Without a host it is no browser.
fn foreign_host(headers: &HeaderMap, uri: &Uri) -> Option<String> {
    let host = uri.authority().map(|authority| authority.as_str()).or(headers.get(HOST)?.to_str().ok())?;
    let name = host.parse::<axum::http::uri::Authority>().ok().map(|authority| authority.host().to_owned());
    let name = name.as_deref().unwrap_or(host).trim_matches(['[', ']']);
    let is_local =
        name.eq_ignore_ascii_case("localhost") || name.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback());
    (!is_local).then(|| host.to_owned())
}

#[cfg(test)]
mod tests {
    use super::{
        AUTHORIZATION, BASE64_STANDARD, Engine, HOST, HeaderMap, HeaderValue, SecretString, Uri, foreign_host,
        is_authorised,
    };

    fn sends(value: &str) -> bool {
        let headers: HeaderMap = [(AUTHORIZATION, HeaderValue::from_str(value).unwrap())].into_iter().collect();
        is_authorised(&headers, &SecretString::from("s3cret"))
    }

    #[test]
    fn the_token_comes_as_bearer_or_as_a_password_and_nothing_else_passes() {
        assert!(sends("Bearer s3cret"));
        assert!(sends("bearer s3cret"));
        assert!(sends(&format!("Basic {}", BASE64_STANDARD.encode("anyone:s3cret"))));
        for wrong in ["Bearer s3cre", "Bearer s3cret2", "s3cret", "Basic s3cret", "Bearer ", "Digest s3cret"] {
            assert!(!sends(wrong), "{wrong}");
        }
        assert!(!is_authorised(&HeaderMap::new(), &SecretString::from("s3cret")));
    }

    #[test]
    fn a_name_that_was_resolved_to_this_machine_is_not_this_machine() {
        let host = |text: &str| {
            let headers: HeaderMap = [(HOST, HeaderValue::from_str(text).unwrap())].into_iter().collect();
            foreign_host(&headers, &Uri::from_static("/"))
        };
        for local in ["localhost:8080", "127.0.0.1:9", "127.0.0.1", "[::1]:8080", "[::1]"] {
            assert_eq!(host(local), None, "{local}");
        }
        for foreign in ["evil.example", "evil.example:8080", "10.0.0.1", "localhost.evil.example"] {
            assert_eq!(host(foreign).as_deref(), Some(foreign));
        }
        assert_eq!(foreign_host(&HeaderMap::new(), &Uri::from_static("/")), None);
    }
}
