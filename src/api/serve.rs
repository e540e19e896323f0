//! The listener: from a socket to the guarded routes, until the role stops.

use std::future::IntoFuture;
use std::time::Duration;

use axum::Router;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// How long open connections may take to end once the role stops.
const DRAIN: Duration = Duration::from_secs(2);

/// Serves `routes` on `listener` until `token` is cancelled, then lets answers under way end for at most 2 s.
///
/// # Errors
/// Those of the socket; the role starts the task again.
pub async fn serve(listener: TcpListener, routes: Router, token: CancellationToken) -> std::io::Result<()> {
    let stopping = token.clone();
    let server = axum::serve(listener, routes).with_graceful_shutdown(async move { stopping.cancelled().await });
    tokio::select! {
        outcome = server.into_future() => outcome,
        () = async {
            token.cancelled().await;
            tokio::time::sleep(DRAIN).await;
        } => Ok(()),
    }
}
