//! `PUT /api/v1/gateways/{gateway}/streams/{stream}/{epoch}/pages/{seq}`: how gateways deliver pages. Hub only.

use std::collections::BTreeMap;
use std::io::Read;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use flate2::read::MultiGzDecoder;
use serde::Deserialize;
use utoipa::IntoResponses;
use utoipa::openapi::RefOr;

use super::extract::Segments;
use super::guard::bearer;
use super::problem::{ApiProblem, Outcome};
use super::schema::{self, problems};
use super::{Api, BODY_BYTES_MAX, Backend};
use crate::hub::ingest::Delivery;
use crate::model::id::{GatewayId, StreamName};
use crate::wire::problem::Problem;

/// Header that holds the detached signature (RFC 7515, appendix F).
const SIGNATURE_HEADER: &str = "x-jws-signature";

/// Which page.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Path)]
pub(super) struct PagePath {
    /// The gateway that signed it.
    #[param(value_type = String, example = "tt-0042")]
    gateway: GatewayId,
    /// The stream.
    #[param(value_type = String, example = "hepza")]
    stream: StreamName,
    /// The stream's epoch.
    #[param(minimum = 1)]
    epoch: u32,
    /// The page's number, from 1.
    #[param(minimum = 1)]
    seq: u64,
}

/// The errors of a delivery.
pub(super) struct PageRefusals;

impl IntoResponses for PageRefusals {
    fn responses() -> BTreeMap<String, RefOr<utoipa::openapi::response::Response>> {
        problems(&[
            ("400", "The path or the signature header can't be understood."),
            ("401", "The gateway must send its token, and sent none or another one."),
            ("403", "The gateway isn't known, or the page isn't signed by its key."),
            (
                "409",
                "`urn:parkgate:problem:gap`: pages before this one are missing; `urn:parkgate:problem:fork`: the page contradicts the held chain.",
            ),
            ("413", "The page is larger than the hub takes, compressed or not."),
            ("415", "The body is compressed, and not by gzip."),
            ("422", "It is no page, or another one than the path says."),
            ("500", "The hub failed."),
            ("503", "The hub can't store pages at the moment; come back after Retry-After."),
        ])
    }
}

/// Takes one signed page. The same page again gets the receipt it got first.
///
/// The body is the page's bytes exactly as they were signed, or these compressed with `Content-Encoding: gzip`.
#[utoipa::path(
    put,
    path = "/api/v1/gateways/{gateway}/streams/{stream}/{epoch}/pages/{seq}",
    tag = "pages",
    params(PagePath, ("x-jws-signature" = String, Header, description = "Detached JWS (RFC 7515, appendix F) over the body.")),
    request_body(content = schema::SignedPage, content_type = "application/json"),
    responses(
        (status = 201, body = schema::Receipt, description = "The page came for the first time."),
        (status = 200, body = schema::Receipt, description = "The page was held already."),
        PageRefusals
    )
)]
pub(super) async fn put_page(
    State(api): State<Arc<Api>>,
    Segments(path): Segments<PagePath>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Outcome<Response> {
    let body = body?;
    let jws = signature(&headers)?;
    let token = bearer(&headers).map(str::to_owned);
    let coding = coding(&headers)?;
    let accepted = api
        .read(move |api| {
            let Backend::Hub(hub) = &api.backend else {
                return Err(Problem::not_found("only a hub takes pages").into());
            };
            let bytes = match coding {
                Coding::Plain => body,
                Coding::Gzip => inflated(&body)?,
            };
            let delivery = Delivery {
                gateway: &path.gateway,
                stream: &path.stream,
                epoch: path.epoch,
                seq: path.seq,
                token: token.as_deref(),
                jws: &jws,
                bytes: &bytes,
            };
            hub.accept(&delivery).map_err(|refusal| refusal.problem().into())
        })
        .await?;
    let status = if accepted.first { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, [(CONTENT_TYPE, "application/json")], accepted.receipt).into_response())
}

/// How a body is compressed.
#[derive(Debug, Clone, Copy)]
enum Coding {
    Plain,
    Gzip,
}

fn coding(headers: &HeaderMap) -> Outcome<Coding> {
    let Some(coding) = headers.get(CONTENT_ENCODING) else { return Ok(Coding::Plain) };
    match coding.to_str().unwrap_or_default().trim().to_ascii_lowercase().as_str() {
        "" | "identity" => Ok(Coding::Plain),
        "gzip" => Ok(Coding::Gzip),
        _ => Err(Problem::unsupported_encoding("bodies are read as they are, or compressed with gzip").into()),
    }
}

/// Returns what a compressed body holds. A few kB can hold gigabytes, so no more is unpacked than a plain body may have.
fn inflated(body: &[u8]) -> Outcome<Bytes> {
    let mut plain = Vec::new();
    let limit = BODY_BYTES_MAX as u64 + 1;
    let read = MultiGzDecoder::new(body).take(limit).read_to_end(&mut plain);
    read.map_err(|error| Problem::bad_request(format!("body is no gzip, though Content-Encoding says so: {error}")))?;
    if plain.len() > BODY_BYTES_MAX {
        return Err(Problem::too_large(format!("body holds more than {BODY_BYTES_MAX} bytes once unpacked")).into());
    }
    Ok(plain.into())
}

/// Returns the detached signature that a gateway sends beside a body.
pub(super) fn signature(headers: &HeaderMap) -> Outcome<String> {
    let signature = headers.get(SIGNATURE_HEADER).ok_or_else(|| missing_signature("is missing"))?;
    Ok(signature.to_str().map_err(|_| missing_signature("is not ASCII"))?.to_owned())
}

fn missing_signature(what: &str) -> ApiProblem {
    Problem::bad_request(format!("header {SIGNATURE_HEADER} {what}: it holds the detached signature of the body"))
        .into()
}
