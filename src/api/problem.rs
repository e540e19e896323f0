//! Errors over HTTP: whatever goes wrong, the body is an RFC 9457 problem.

use std::any::Any;

use axum::extract::rejection::{BytesRejection, PathRejection, QueryRejection};
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};

use crate::wire::problem::{self, Problem};

/// When a client may come back after a 429 or 503. **Unit**: s.
const RETRY_AFTER_S: u64 = 2;

/// A problem as a response. Boxed: it is the rare case of every result.
#[derive(Debug)]
pub struct ApiProblem(pub Box<Problem>);

/// What a handler returns.
pub type Outcome<T> = Result<T, ApiProblem>;

impl From<Problem> for ApiProblem {
    fn from(problem: Problem) -> Self {
        Self(Box::new(problem))
    }
}

impl From<QueryRejection> for ApiProblem {
    fn from(rejection: QueryRejection) -> Self {
        Problem::bad_request(rejection.body_text()).into()
    }
}

impl From<PathRejection> for ApiProblem {
    fn from(rejection: PathRejection) -> Self {
        of_status(rejection.status(), rejection.body_text()).into()
    }
}

impl From<BytesRejection> for ApiProblem {
    fn from(rejection: BytesRejection) -> Self {
        of_status(rejection.status(), rejection.body_text()).into()
    }
}

impl IntoResponse for ApiProblem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.0.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let body = serde_json::to_vec(&self.0).expect("a problem holds strings and integers only");
        let mut response = (status, [(CONTENT_TYPE, problem::MEDIA_TYPE)], body).into_response();
        let headers = response.headers_mut();
        match status {
            StatusCode::UNAUTHORIZED => {
                // A browser asks for a password only where Basic is offered; the token is that password.
                headers.append(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"parkgate\""));
                headers
                    .append(WWW_AUTHENTICATE, HeaderValue::from_static("Basic realm=\"parkgate\", charset=\"UTF-8\""));
            }
            StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
                headers.insert(RETRY_AFTER, HeaderValue::from(RETRY_AFTER_S));
            }
            _ => {}
        }
        response
    }
}

/// Gives an error that a layer or the router answered without our knowledge the form of a problem.
pub(super) async fn as_problem(response: Response) -> Response {
    let status = response.status();
    let is_error = status.is_client_error() || status.is_server_error();
    // Handlers answer in JSON, be it a problem or the health report of a failed box; the router and layers don't.
    let is_ours = response
        .headers()
        .get(CONTENT_TYPE)
        .is_some_and(|kind| kind == problem::MEDIA_TYPE || kind == "application/json");
    if !is_error || is_ours {
        return response;
    }
    let (parts, _) = response.into_parts();
    let mut answer = ApiProblem::from(of_status(status, "")).into_response();
    for (name, value) in &parts.headers {
        if name != CONTENT_TYPE && name != CONTENT_LENGTH {
            answer.headers_mut().insert(name.clone(), value.clone());
        }
    }
    answer
}

/// Answers a request that came while too many are under way, or that a layer failed on.
pub(super) async fn overloaded(_: axum::BoxError) -> ApiProblem {
    Problem::busy("too many requests are under way").into()
}

/// Answers a request whose handler panicked. The panic itself is in the log, not in the answer.
#[expect(clippy::needless_pass_by_value, reason = "the layer hands the panic over")]
pub(super) fn panicked(panic: Box<dyn Any + Send + 'static>) -> Response {
    let words = panic.downcast_ref::<String>().map(String::as_str).or(panic.downcast_ref::<&str>().copied());
    tracing::error!("a request handler panicked: {}", words.unwrap_or("no message"));
    ApiProblem::from(Problem::internal("the request handler failed; the log says more")).into_response()
}

/// Returns the problem of a bare status.
fn of_status(status: StatusCode, detail: impl Into<String>) -> Problem {
    let (kind, title) = match status {
        StatusCode::UNAUTHORIZED => (problem::UNAUTHORIZED, "no valid token"),
        StatusCode::FORBIDDEN => (problem::FORBIDDEN, "not allowed"),
        StatusCode::NOT_FOUND => (problem::NOT_FOUND, "not found"),
        StatusCode::METHOD_NOT_ALLOWED => (problem::METHOD_NOT_ALLOWED, "method not allowed"),
        StatusCode::PAYLOAD_TOO_LARGE => (problem::TOO_LARGE, "larger than is taken"),
        StatusCode::UNPROCESSABLE_ENTITY => (problem::MALFORMED, "not a page"),
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
            (problem::BUSY, "not available at the moment")
        }
        status if status.is_client_error() => (problem::BAD_REQUEST, "request can't be understood"),
        _ => (problem::INTERNAL, "internal error"),
    };
    Problem::new(kind, status.as_u16(), title, detail)
}
