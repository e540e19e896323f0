//! The health board: what each component is doing, what it counted, and every guarantee that is lost.
//!
//! Components write, `/api/v1/health` and the pages read. A lost guarantee is a state here, never only a log line.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Serialize;

use crate::model::time::Timestamp;

/// How a component is. Order: best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Does what it promises.
    Ok,
    /// Doesn't at the moment, recovers by itself, and no data is lost.
    Degraded,
    /// A guarantee is lost or a person is needed.
    Failed,
}

/// One component's entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Component {
    /// How it is.
    pub status: Status,
    /// What is the matter, naming thing, place and value; empty while all is well.
    pub detail: String,
    /// Since when it has been so, plant time.
    pub since: Timestamp,
    /// What it counted since the start, by name.
    pub counts: BTreeMap<&'static str, u64>,
    /// Which of the counts are values at present, like a backlog, and no sums.
    #[serde(skip)]
    pub gauges: BTreeSet<&'static str>,
    /// What an operator may want to see of it beside, like messages that could not be read; the newest first, bounded
    /// by whoever writes it.
    pub notes: Vec<String>,
}

/// The board. Clones share it. Component names are `source.<name>`, `sink.<name>`, `store`, `engine`, `pipeline`.
#[derive(Debug, Clone, Default)]
pub struct Health(Arc<Mutex<BTreeMap<String, Reporter>>>);

/// One component's own place on the board, for those who write often: no search and no lock that others wait for.
#[derive(Debug, Clone)]
pub struct Reporter(Arc<Mutex<Component>>);

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What is inside stays valid whatever a panicking holder did: every change is one insert or addition.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Reporter {
    /// Sets the component's state; see [`Health::set`].
    pub fn set(&self, status: Status, detail: impl Into<String>, now: Timestamp) -> bool {
        let mut entry = locked(&self.0);
        let changed = entry.status != status;
        // What counted before it said how it is began without an instant.
        if changed || entry.since == Timestamp::default() {
            entry.since = now;
        }
        entry.status = status;
        entry.detail = detail.into();
        changed
    }

    /// Adds to several counts at once; amounts of 0 leave no name behind.
    pub fn add(&self, amounts: &[(&'static str, u64)]) {
        let mut entry = locked(&self.0);
        for (what, amount) in amounts.iter().filter(|(_, amount)| *amount > 0) {
            *entry.counts.entry(what).or_default() += amount;
        }
    }

    /// Sets several counts to absolute values (a backlog, an age).
    pub fn gauges(&self, values: &[(&'static str, u64)]) {
        let mut entry = locked(&self.0);
        for (what, value) in values {
            entry.counts.insert(what, *value);
            entry.gauges.insert(what);
        }
    }

    /// Replaces what an operator may want to see beside.
    pub fn note(&self, notes: Vec<String>) {
        locked(&self.0).notes = notes;
    }
}

impl Health {
    /// Returns a component's own place on the board, which begins as [`Status::Ok`].
    pub fn reporter(&self, component: &str, now: Timestamp) -> Reporter {
        let mut board = locked(&self.0);
        if let Some(reporter) = board.get(component) {
            return reporter.clone();
        }
        let (status, detail) = (Status::Ok, String::new());
        let (counts, gauges) = (BTreeMap::new(), BTreeSet::new());
        let fresh = Component { status, detail, since: now, counts, gauges, notes: Vec::new() };
        let reporter = Reporter(Arc::new(Mutex::new(fresh)));
        board.insert(component.to_owned(), reporter.clone());
        reporter
    }

    /// Sets a component's state. `now` is kept as `since` only where the status changed.
    /// Returns whether it changed, so that the caller logs once.
    pub fn set(&self, component: &str, status: Status, detail: impl Into<String>, now: Timestamp) -> bool {
        self.reporter(component, now).set(status, detail, now)
    }

    /// Adds to one of a component's counts.
    pub fn count(&self, component: &str, what: &'static str, amount: u64) {
        *locked(&self.reporter(component, Timestamp::default()).0).counts.entry(what).or_default() += amount;
    }

    /// Sets one of a component's counts to an absolute value (a backlog, an age).
    pub fn gauge(&self, component: &str, what: &'static str, value: u64) {
        self.reporter(component, Timestamp::default()).gauges(&[(what, value)]);
    }

    /// Returns a copy of the board, by component name.
    pub fn snapshot(&self) -> BTreeMap<String, Component> {
        locked(&self.0).iter().map(|(name, reporter)| (name.clone(), locked(&reporter.0).clone())).collect()
    }

    /// Returns the worst status on the board.
    pub fn worst(&self) -> Status {
        locked(&self.0).values().map(|reporter| locked(&reporter.0).status).max().unwrap_or(Status::Ok)
    }
}

#[cfg(test)]
mod tests {
    use super::{Health, Status, Timestamp};

    #[test]
    fn what_counts_before_it_says_how_it_is_is_so_since_it_said_it() {
        let health = Health::default();
        health.gauge("sink.hepza", "backlog_pages", 3);
        assert!(!health.set("sink.hepza", Status::Ok, "", Timestamp(5)), "it is no news");
        health.set("sink.hepza", Status::Ok, "", Timestamp(9));
        assert_eq!(health.snapshot()["sink.hepza"].since, Timestamp(5));
    }

    #[test]
    fn since_moves_only_when_the_status_changes() {
        let health = Health::default();
        assert!(health.set("store", Status::Failed, "disk full", Timestamp(5)));
        assert!(!health.set("store", Status::Failed, "disk still full", Timestamp(9)));
        let board = health.snapshot();
        assert_eq!((board["store"].since, board["store"].detail.as_str()), (Timestamp(5), "disk still full"));
        assert_eq!(health.worst(), Status::Failed);
    }
}
