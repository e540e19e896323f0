//! Style, script and icon: files of `dashboards/assets`, part of the binary.

use axum::Router;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::routing::get;

/// Path, media type and content.
pub(super) const FILES: [(&str, &str, &str); 3] = [
    ("/assets/style.css", "text/css; charset=utf-8", include_str!("../../dashboards/assets/style.css")),
    ("/assets/live.js", "text/javascript; charset=utf-8", include_str!("../../dashboards/assets/live.js")),
    ("/assets/icon.svg", "image/svg+xml", include_str!("../../dashboards/assets/icon.svg")),
];

/// Returns the routes of the files. They are kept for five minutes: long enough to spare a slow line, short enough
/// that an update of the program shows.
pub(super) fn router() -> Router {
    FILES.into_iter().fold(Router::new(), |router, (path, kind, content)| {
        router
            .route(path, get(move || async move { ([(CONTENT_TYPE, kind), (CACHE_CONTROL, "max-age=300")], content) }))
    })
}
