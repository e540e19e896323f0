//! Supervised tasks and the staged shutdown.
//!
//! Every task has a name, a stage and a policy. Shutdown cancels stage after stage (sources, pipeline, forwarders,
//! HTTP) and names whoever is late.

use std::future::Future;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::backoff::Backoff;

/// Order in which tasks are stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// What brings samples in.
    Sources,
    /// The one loop.
    Pipeline,
    /// What carries records out.
    Forwarders,
    /// The API and the pages.
    Http,
}

impl Stage {
    const ALL: [Self; 4] = [Self::Sources, Self::Pipeline, Self::Forwarders, Self::Http];
}

/// What happens when a task ends in an error or a panic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Policy {
    /// It is started again, after a back-off of 1 to 60 s.
    Restart,
    /// The process shuts down: without this task no promise holds.
    Stop,
}

/// The tasks of one role.
#[derive(Debug)]
pub struct Tasks {
    stages: [CancellationToken; 4],
    /// Cancelled when a task with [`Policy::Stop`] ends by itself.
    stop: CancellationToken,
    running: Vec<(Stage, String, JoinHandle<()>)>,
}

impl Default for Tasks {
    fn default() -> Self {
        Self { stages: Default::default(), stop: CancellationToken::new(), running: Vec::new() }
    }
}

impl Tasks {
    /// Starts `task` and keeps it running as `policy` says. `task` is called with the stage's token, which it must
    /// obey, and is called again for each restart.
    #[expect(clippy::disallowed_methods, reason = "this is the one place that spawns")]
    pub fn supervise<F, R>(&mut self, name: &str, stage: Stage, policy: Policy, mut task: F)
    where
        F: FnMut(CancellationToken) -> R + Send + 'static,
        R: Future<Output = anyhow::Result<()>> + Send + 'static,
    {
        let token = self.stages[stage as usize].clone();
        let stop = self.stop.clone();
        let label = name.to_owned();
        let handle = tokio::spawn(async move {
            let mut backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(60));
            loop {
                let failure = match tokio::spawn(task(token.clone())).await {
                    Ok(Ok(())) if policy == Policy::Restart || token.is_cancelled() => return,
                    Ok(Ok(())) => "it ended by itself".to_owned(),
                    Ok(Err(error)) => format!("{error:#}"),
                    Err(panic) => format!("{panic}"),
                };
                if token.is_cancelled() {
                    tracing::warn!(task = label, "task {label} failed while stopping: {failure}");
                    return;
                }
                if policy == Policy::Stop {
                    tracing::error!(task = label, "task {label} failed, shutting down: {failure}");
                    stop.cancel();
                    return;
                }
                let delay = backoff.delay(fastrand::f64());
                tracing::error!(task = label, "task {label} failed, restarting in {delay:.1?}: {failure}");
                tokio::select! {
                    () = tokio::time::sleep(delay) => {}
                    () = token.cancelled() => return,
                }
            }
        });
        self.running.push((stage, name.to_owned(), handle));
    }

    /// Returns the token that is cancelled when a task with [`Policy::Stop`] ended by itself.
    pub fn stopped(&self) -> CancellationToken {
        self.stop.clone()
    }

    /// Stops stage after stage, giving each `deadline`. Returns the names of the tasks that were late and were
    /// aborted; empty when all went well.
    pub async fn shutdown(mut self, deadline: Duration) -> Vec<String> {
        let mut late = Vec::new();
        for stage in Stage::ALL {
            self.stages[stage as usize].cancel();
            let until = tokio::time::Instant::now() + deadline;
            for (_, name, handle) in self.running.iter_mut().filter(|(of, ..)| *of == stage) {
                if tokio::time::timeout_at(until, &mut *handle).await.is_err() {
                    tracing::error!(task = name, "task {name} did not stop within {deadline:?}");
                    handle.abort();
                    late.push(name.clone());
                }
            }
        }
        late
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::{Duration, Policy, Stage, Tasks};

    #[tokio::test]
    async fn stages_stop_in_order_and_the_late_are_named() {
        let order = Arc::new(Mutex::new(Vec::new()));
        let mut tasks = Tasks::default();
        for (name, stage) in [("http", Stage::Http), ("source", Stage::Sources), ("loop", Stage::Pipeline)] {
            let order = Arc::clone(&order);
            tasks.supervise(name, stage, Policy::Stop, move |token| {
                let order = Arc::clone(&order);
                async move {
                    token.cancelled().await;
                    order.lock().unwrap().push(name);
                    Ok(())
                }
            });
        }
        tasks.supervise("stuck", Stage::Forwarders, Policy::Restart, |_| std::future::pending());
        assert_eq!(tasks.shutdown(Duration::from_millis(50)).await, ["stuck"]);
        assert_eq!(*order.lock().unwrap(), ["source", "loop", "http"]);
    }

    #[tokio::test]
    async fn a_task_that_nothing_can_do_without_stops_the_role() {
        let mut tasks = Tasks::default();
        tasks.supervise("pipeline", Stage::Pipeline, Policy::Stop, |_| async { anyhow::bail!("disk gone") });
        tasks.stopped().cancelled().await;
        assert!(tasks.shutdown(Duration::from_secs(1)).await.is_empty());
    }
}
