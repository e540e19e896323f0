//! Extractors whose rejections are problems.

use axum::extract::{FromRequestParts, Path, Query};

use super::problem::ApiProblem;

/// The query string.
#[derive(Debug, FromRequestParts)]
#[from_request(via(Query), rejection(ApiProblem))]
pub(super) struct Params<T>(pub T);

/// The segments of the path.
#[derive(Debug, FromRequestParts)]
#[from_request(via(Path), rejection(ApiProblem))]
pub(super) struct Segments<T>(pub T);
