//! The HTTP client of the forwarders and what every destination's answer is read for.
//!
//! Time-outs are I/O time. No redirect is followed: a page must not reach an address nobody configured.

use std::io::Write;
use std::path::Path;
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use reqwest::header::{DATE, HeaderMap, RETRY_AFTER};
use toml::Spanned;

use crate::model::id::StreamName;
use crate::model::problem::Problems;
use crate::model::time::Period;
use crate::runtime::tls::{self, Identity, TlsError};
use crate::wire::problem::Problem;

/// Longest wait for one answer where configuration says nothing. **Unit**: ms.
const TIMEOUT_MS_DEFAULT: i64 = 30_000;
/// Longest wait for a connection. A receiver that isn't there shows sooner than one that thinks.
const CONNECT_TIMEOUT_MAX: Duration = Duration::from_secs(10);
/// Most of an answer that is read; receipts and problems are far smaller. **Unit**: bytes.
const ANSWER_BYTES_MAX: usize = 256 * 1024;
/// What the first line of a request or an answer and the empty line after the headers add. **Unit**: bytes.
const LINE_BYTES: usize = "HTTP/1.1 200 OK\r\n\r\n".len();
/// Longest `Retry-After` that is obeyed; a receiver that asks for more is looked at again then.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(3600);

/// Why there is no client.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The trust anchor can't be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The client can't be built.
    #[error("HTTP client can't be built: {0}")]
    Client(#[from] reqwest::Error),
}

/// Builds a client. `ca_file` replaces the public trust anchors, so that only that authority is believed.
pub(super) fn client(timeout: Option<Period>, ca_file: Option<&Path>) -> Result<reqwest::Client, ClientError> {
    client_with(timeout, ca_file, None, None)
}

/// As [`client`], which shows a certificate of its own, and goes through a proxy. The environment's proxies are never
/// used: nothing leaves on a way that nobody configured.
pub(super) fn client_with(
    timeout: Option<Period>,
    ca_file: Option<&Path>,
    identity: Option<Identity<'_>>,
    proxy: Option<reqwest::Proxy>,
) -> Result<reqwest::Client, ClientError> {
    let timeout = timeout_of(timeout);
    let mut builder = reqwest::Client::builder().no_proxy();
    if let Some(proxy) = proxy {
        builder = builder.proxy(proxy);
    }
    Ok(builder
        .tls_backend_preconfigured(tls::client(ca_file, identity)?)
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(timeout.min(CONNECT_TIMEOUT_MAX))
        .read_timeout(timeout)
        .timeout(timeout)
        .user_agent(concat!("parkgate/", env!("CARGO_PKG_VERSION")))
        .build()?)
}

/// Why something wasn't delivered this time. It stays where it is and is sent again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Failure {
    /// In words, for health.
    pub(super) reason: String,
    /// How long the receiver asks to be left alone.
    pub(super) after: Option<Duration>,
    /// Whether trying again helps only once somebody has changed something.
    pub(super) needs_person: bool,
}

impl Failure {
    pub(super) fn new(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), after: None, needs_person: false }
    }

    /// A failure that no waiting mends.
    pub(super) fn for_a_person(reason: impl Into<String>) -> Self {
        Self { needs_person: true, ..Self::new(reason) }
    }
}

/// A whole answer.
#[derive(Debug, Clone)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) after: Option<Duration>,
    pub(super) body: Vec<u8>,
    /// Size of status line, headers and body. **Unit**: bytes.
    pub(super) bytes: u64,
}

/// How InfluxDB words an error.
#[derive(serde::Deserialize)]
struct InfluxError {
    message: String,
}

impl Answer {
    /// Returns the problem the receiver stated, where it did.
    pub(super) fn problem(&self) -> Option<Problem> {
        serde_json::from_slice(&self.body).ok()
    }

    /// Returns the receiver's words, shortened.
    pub(super) fn words(&self) -> String {
        let text = match (self.problem(), serde_json::from_slice::<InfluxError>(&self.body)) {
            (Some(problem), _) if problem.detail.is_empty() => problem.title.into_owned(),
            (Some(problem), _) => problem.detail,
            (None, Ok(error)) => error.message,
            (None, Err(_)) => String::from_utf8_lossy(&self.body).into_owned(),
        };
        text.chars().filter(|c| !c.is_control()).take(300).collect()
    }

    /// Returns status and words, as exchanges are listed.
    pub(super) fn stated(&self) -> String {
        let words = if self.status < 300 { String::new() } else { self.words() };
        if words.is_empty() { self.status.to_string() } else { format!("{}: {words}", self.status) }
    }

    /// Returns the failure that a status nobody treats otherwise is.
    pub(super) fn failure(&self) -> Failure {
        let meaning = match self.status {
            401 => "refuses the token",
            403 => "refuses this gateway",
            300..=399 => "redirects, which is not followed; configure the address it names",
            400 | 413 | 415 | 422 => "refuses what was sent",
            404 | 405 => "doesn't know the address",
            429 => "asks to be left alone",
            503 => "is not available",
            _ => "answers unexpectedly",
        };
        let words = self.words();
        let colon = if words.is_empty() { "" } else { ": " };
        let reason = format!("receiver {meaning} ({}){colon}{words}", self.status);
        Failure { after: self.after, ..Failure::new(reason) }
    }
}

/// Sends a request and reads the whole answer. A connection that ends before the answer does is a failure, whatever
/// the status was.
pub(super) async fn send(request: reqwest::RequestBuilder) -> Result<Answer, Failure> {
    read(request.send().await).await
}

/// As [`send`], of a request that is built.
pub(super) async fn execute(client: &reqwest::Client, request: reqwest::Request) -> Result<Answer, Failure> {
    read(client.execute(request).await).await
}

/// Returns the size of a request as HTTP/1.1 writes it. **Unit**: bytes.
pub(super) fn request_bytes(request: &reqwest::Request) -> u64 {
    let line = request.method().as_str().len() + request.url().as_str().len() + LINE_BYTES;
    let body = request.body().and_then(reqwest::Body::as_bytes).map_or(0, <[u8]>::len);
    (line + header_bytes(request.headers()) + body) as u64
}

/// Returns the size of headers, each with its separators.
fn header_bytes(headers: &HeaderMap) -> usize {
    headers.iter().map(|(name, value)| name.as_str().len() + value.len() + ": \r\n".len()).sum()
}

async fn read(response: Result<reqwest::Response, reqwest::Error>) -> Result<Answer, Failure> {
    let mut response = response.map_err(|error| unreachable_because(&error))?;
    let status = response.status().as_u16();
    let after = retry_after(response.headers());
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| unreachable_because(&error))? {
        if body.len() + chunk.len() > ANSWER_BYTES_MAX {
            return Err(Failure::new(format!("receiver answers ({status}) with more than {ANSWER_BYTES_MAX} bytes")));
        }
        body.extend_from_slice(&chunk);
    }
    let bytes = (LINE_BYTES + header_bytes(response.headers()) + body.len()) as u64;
    Ok(Answer { status, after, body, bytes })
}

fn unreachable_because(error: &reqwest::Error) -> Failure {
    // The outer error repeats the URL, the innermost one says what happened.
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    Failure::new(if error.is_timeout() {
        "receiver didn't answer in time".to_owned()
    } else if error.is_connect() {
        format!("receiver can't be reached: {cause}")
    } else {
        format!("connection to the receiver failed: {cause}")
    })
}

/// Compresses a body. Level 1: a third more bytes than level 6 at a twentieth of its time.
pub(super) fn gzip(body: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(body.len() / 4), Compression::fast());
    encoder.write_all(body).and_then(|()| encoder.finish()).expect("writing to memory can't fail")
}

/// Returns host and port of an address, for the log of exchanges: no path, no user.
pub(super) fn host_and_port(url: &str) -> String {
    let url = reqwest::Url::parse(url).ok();
    let host = url.as_ref().and_then(|url| Some((url.host_str()?.to_owned(), url.port_or_known_default()?)));
    host.map_or_else(String::new, |(host, port)| format!("{host}:{port}"))
}

/// Returns how long the receiver asks to wait: seconds, or a date against its own `Date`, so no clock is compared.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let after = text(RETRY_AFTER)?;
    let seconds = after.trim().parse().ok().or_else(|| {
        let date = |text| jiff::fmt::rfc2822::parse(text).ok().map(|zoned| zoned.timestamp().as_second());
        u64::try_from(date(after)? - date(text(DATE)?)?).ok()
    })?;
    Some(Duration::from_secs(seconds).min(RETRY_AFTER_MAX))
}

/// Refuses an address that is no http or https URL.
pub(super) fn check_url(sink: &StreamName, url: &Spanned<String>, problems: &mut Problems) {
    let valid = reqwest::Url::parse(url.get_ref()).is_ok_and(|parsed| {
        matches!(parsed.scheme(), "http" | "https") && parsed.has_host() && parsed.query().is_none()
    });
    if !valid {
        problems.error(
            url.span(),
            format!("sink \"{sink}\": \"{}\" is not an http or https URL", url.get_ref()),
            "write it like https://hub.example.gov.vn",
        );
    }
}

/// Refuses a timeout outside 100 ms to 10 min.
/// Returns the longest wait that is configured.
pub(super) fn timeout_of(configured: Option<Period>) -> Duration {
    Duration::from_millis(configured.map_or(TIMEOUT_MS_DEFAULT, Period::as_ms).unsigned_abs())
}

pub(super) fn check_timeout(sink: &StreamName, timeout: Option<&Spanned<Period>>, problems: &mut Problems) {
    if let Some(timeout) = timeout.filter(|timeout| !(100..=600_000).contains(&timeout.get_ref().as_ms())) {
        problems.error(
            timeout.span(),
            format!("sink \"{sink}\": timeout of {} ms", timeout.get_ref().as_ms()),
            "choose 100ms to 10min",
        );
    }
}

#[cfg(test)]
mod tests {
    use super::{Answer, DATE, Duration, HeaderMap, RETRY_AFTER, StreamName, retry_after};
    use crate::model::problem::Problems;

    #[test]
    fn retry_after_is_seconds_or_a_date_against_the_receivers_own() {
        let check = |after: &str, date: Option<&str>, expected: Option<u64>| {
            let mut headers = HeaderMap::new();
            headers.insert(RETRY_AFTER, after.parse().unwrap());
            if let Some(date) = date {
                headers.insert(DATE, date.parse().unwrap());
            }
            assert_eq!(retry_after(&headers), expected.map(Duration::from_secs), "{after}");
        };
        let now = Some("Mon, 05 Oct 2026 07:00:00 GMT");
        check("7", None, Some(7));
        check("Mon, 05 Oct 2026 07:01:30 GMT", now, Some(90));
        check("Mon, 05 Oct 2026 07:01:30 GMT", None, None);
        check("Mon, 05 Oct 2026 06:59:00 GMT", now, None);
        check("soon", now, None);
        check("86400", None, Some(3600));
    }

    #[test]
    fn a_failure_says_what_the_status_means_in_the_receivers_words() {
        let answer = Answer {
            status: 401,
            after: None,
            bytes: 0,
            body: b"{\"type\":\"x\",\"title\":\"no\",\"status\":401}".to_vec(),
        };
        assert_eq!(answer.failure().reason, "receiver refuses the token (401): no");
        let answer = Answer {
            status: 404,
            after: None,
            bytes: 0,
            body: b"{\"code\":\"not found\",\"message\":\"no bucket\"}".to_vec(),
        };
        assert_eq!(answer.failure().reason, "receiver doesn't know the address (404): no bucket");
        let answer = Answer { status: 502, after: None, bytes: 0, body: b"bad\ngateway".to_vec() };
        assert_eq!(answer.failure().reason, "receiver answers unexpectedly (502): badgateway");
    }

    #[test]
    fn an_address_without_a_host_or_of_another_protocol_is_refused() {
        let name = StreamName::new("hepza").unwrap();
        for (url, valid) in [
            ("https://hub.example.gov.vn", true),
            ("http://127.0.0.1:8080/base/", true),
            ("ftp://hub", false),
            ("hub.example.gov.vn", false),
            ("https://hub?x=1", false),
        ] {
            let mut problems = Problems::default();
            super::check_url(&name, &toml::Spanned::new(0..1, url.to_owned()), &mut problems);
            assert_eq!(!problems.has_errors(), valid, "{url}");
        }
    }
}
