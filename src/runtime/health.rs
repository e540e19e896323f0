//! The health board: what each component is doing, what it counted, and every guarantee that is lost.
//!
//! Components write, `/api/v1/health` and the pages read. A lost guarantee is a state here, never only a log line.

use std::collections::BTreeMap;
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
}

/// The board. Clones share it. Component names are `source.<name>`, `sink.<name>`, `store`, `engine`, `pipeline`.
#[derive(Debug, Clone, Default)]
pub struct Health(Arc<Mutex<BTreeMap<String, Component>>>);

impl Health {
    fn board(&self) -> MutexGuard<'_, BTreeMap<String, Component>> {
        // The map stays valid whatever a panicking holder did: every change is one insert or addition.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sets a component's state. `now` is kept as `since` only where the status changed.
    /// Returns whether it changed, so that the caller logs once.
    pub fn set(&self, component: &str, status: Status, detail: impl Into<String>, now: Timestamp) -> bool {
        let mut board = self.board();
        let entry = Self::entry(&mut board, component, now);
        let changed = entry.status != status;
        if changed {
            entry.since = now;
        }
        entry.status = status;
        entry.detail = detail.into();
        changed
    }

    /// Adds to one of a component's counts.
    pub fn count(&self, component: &str, what: &'static str, amount: u64) {
        let mut board = self.board();
        *Self::entry(&mut board, component, Timestamp::default()).counts.entry(what).or_default() += amount;
    }

    /// Sets one of a component's counts to an absolute value (a backlog, an age).
    pub fn gauge(&self, component: &str, what: &'static str, value: u64) {
        let mut board = self.board();
        Self::entry(&mut board, component, Timestamp::default()).counts.insert(what, value);
    }

    /// Returns a copy of the board, by component name.
    pub fn snapshot(&self) -> BTreeMap<String, Component> {
        self.board().clone()
    }

    /// Returns the worst status on the board.
    pub fn worst(&self) -> Status {
        self.board().values().map(|component| component.status).max().unwrap_or(Status::Ok)
    }

    fn entry<'a>(board: &'a mut BTreeMap<String, Component>, name: &str, now: Timestamp) -> &'a mut Component {
        if !board.contains_key(name) {
            let fresh = Component { status: Status::Ok, detail: String::new(), since: now, counts: BTreeMap::new() };
            board.insert(name.to_owned(), fresh);
        }
        board.get_mut(name).expect("inserted above")
    }
}

#[cfg(test)]
mod tests {
    use super::{Health, Status, Timestamp};

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
