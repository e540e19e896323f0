//! The roles a `parkgate` process can play: one file each, and the only room that may import all others.
//!
//! A role reads its configuration, wires the rooms together, and reports to a person how it ended. It computes nothing
//! itself: what a figure depends on lives in the rooms, so that every role gets the same one.

pub mod backup;
pub mod baseline;
pub mod check;
pub mod context;
pub mod declare;
pub mod demo;
pub mod egress;
pub mod files;
pub mod hub;
pub mod import;
pub mod key;
pub mod kpi;
mod load;
pub mod meter;
mod reach;
pub mod read;
pub mod recover;
pub mod reference;
pub mod replay;
pub mod run;
pub mod scan;
mod section;
mod single;
pub mod survey;
mod told;
pub mod verify;

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Context;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::api::{self, Api};
use crate::dashboard;
use crate::runtime::tasks::{Policy, Stage, Tasks};

/// Runs a role on a runtime with a thread for each processor.
fn block_on<T>(role: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(role)
}

/// Runs a role whose input and output are many small waits on one thread, beside those that block: a second thread would be
/// woken for each poll only to find it taken, which costs more than the poll.
fn block_on_one<T>(role: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?.block_on(role)
}

/// Waits for SIGINT, SIGTERM or a role that can't go on; says whether it was the latter.
async fn until_stopped(stopped: &CancellationToken) -> bool {
    let terminated = async {
        match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
            Ok(mut signal) => signal.recv().await,
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => false,
        _ = terminated => false,
        () = stopped.cancelled() => true,
    }
}

/// Serves API and pages on `listen`, and returns the address that was bound.
async fn start_http(api: &Arc<Api>, listen: SocketAddr, tasks: &mut Tasks) -> anyhow::Result<SocketAddr> {
    let listener = TcpListener::bind(listen).await.with_context(|| format!("{listen} can't be listened on"))?;
    let address = listener.local_addr()?;
    let listener = listener.into_std()?;
    let routes = dashboard::application(api);
    tasks.supervise("http", Stage::Http, Policy::Restart, move |token| {
        let (listener, routes) = (listener.try_clone(), routes.clone());
        async move { Ok(api::serve::serve(TcpListener::from_std(listener?)?, routes, token).await?) }
    });
    Ok(address)
}
