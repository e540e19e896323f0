//! The authority's side: verified pages in, figures of sites, parks and provinces out.
//!
//! What comes in: signed pages of gateways that the directory knows. What goes out: receipts, and figures computed
//! from merged facts by the functions the boxes use. Nothing here rewrites what was published: a page is stored as it
//! came, a corrected window is a further revision, and a percentage is never averaged.
//!
//! - `config`: what `hub.toml` says of parks, sites and gateways; `directory`: the same, ready to look up
//! - `store`: `hub.db`, written in one transaction a page; `read`: questions to it
//! - `ingest`: from a delivery to a receipt or a refusal
//! - `heard`: what gateways say of themselves
//! - `rollup` (pure): merges facts; `figures`: answers queries; `status`: gateways, sites, parks
//!
//! Methods of [`Hub`] block on the database: asynchronous callers use `spawn_blocking`.

#[cfg(test)]
mod attack;
pub mod config;
pub mod directory;
pub mod figures;
pub mod heard;
pub mod ingest;
pub mod keys;
pub mod read;
pub mod rollup;
pub mod status;
pub mod store;
#[cfg(test)]
pub(crate) mod testing;

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use figures::{Knowledge, QueryError};
use heard::Word;
use ingest::{Accepted, Delivery, Refusal};
use read::{Carrier, Reader};
use status::{GatewayState, ParkState, SiteState};
use store::{HubStore, StoreError};

use crate::model::id::{GatewayId, StreamName};
use crate::model::time::Timestamp;
use crate::model::time::{Grain, Window};
use crate::runtime::clock::Clock;
use crate::runtime::health::{Health, Status};
use crate::wire::figure::{Figure, Query, Scope};

/// Component of the health board that stands for `hub.db`.
const STORE: &str = "store";

/// The hub. Clones share it.
#[derive(Debug, Clone)]
pub struct Hub(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    name: String,
    known: Knowledge,
    writer: Mutex<HubStore>,
    reader: Reader,
    clock: Clock,
    health: Health,
}

impl Hub {
    /// Opens the hub's store in `data_dir` and puts what it finds on the health board.
    ///
    /// # Errors
    /// [`StoreError`]; the hub refuses to start.
    pub fn open(
        name: &str,
        data_dir: &Path,
        known: Knowledge,
        clock: Clock,
        health: Health,
    ) -> Result<Self, StoreError> {
        let store = HubStore::open(data_dir)?;
        let reader = Reader::new(store.path());
        let hub =
            Self(Arc::new(Inner { name: name.to_owned(), known, writer: Mutex::new(store), reader, clock, health }));
        hub.show_held()?;
        Ok(hub)
    }

    /// Accepts a page.
    ///
    /// # Errors
    /// [`Refusal`], which holds the answer to the sender.
    pub fn accept(&self, delivery: &Delivery<'_>) -> Result<Accepted, Refusal> {
        let now = self.0.clock.now();
        let outcome = {
            // A holder that panicked left a transaction that was rolled back, so the store is as it was.
            let mut store = self.0.writer.lock().unwrap_or_else(PoisonError::into_inner);
            ingest::accept(&mut store, &self.0.known.directory, delivery, now)
        };
        self.show(delivery, &outcome);
        outcome
    }

    /// Takes what a gateway says of itself.
    ///
    /// # Errors
    /// [`Refusal`], which holds the answer to the sender.
    pub fn hear(&self, word: &Word<'_>) -> Result<(), Refusal> {
        let now = self.0.clock.now();
        let outcome = {
            let mut store = self.0.writer.lock().unwrap_or_else(PoisonError::into_inner);
            heard::hear(&mut store, &self.0.known.directory, word, now)
        };
        match outcome {
            Ok(is_news) => {
                self.0.health.count(STORE, if is_news { "statuses" } else { "repeated_statuses" }, 1);
                Ok(())
            }
            Err(refusal) => {
                self.show_refusal(&refusal);
                Err(refusal)
            }
        }
    }

    /// Answers a query.
    ///
    /// # Errors
    /// [`QueryError`].
    pub fn figures(&self, query: &Query) -> Result<Vec<Figure>, QueryError> {
        let now = self.0.clock.now();
        self.0.reader.ask(|store| Ok(figures::figures(store, &self.0.known, query, now)))?
    }

    /// Returns the pages that carried what the figures of a scope in a window rest on; ascending by site, gateway, stream
    /// and epoch.
    ///
    /// # Errors
    /// [`QueryError`].
    pub fn carriers(&self, scope: &Scope, grain: Grain, window: Window) -> Result<Vec<Carrier>, QueryError> {
        self.0.reader.ask(|store| Ok(figures::carriers(store, &self.0.known.directory, scope, grain, window)))?
    }

    /// Returns every gateway of the directory, ascending, and whether it is connected.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn gateways(&self) -> Result<Vec<GatewayState>, StoreError> {
        let now = self.0.clock.now();
        self.0.reader.ask(|store| status::gateways(store, &self.0.known.directory, now))
    }

    /// Returns every site of the directory, ascending.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn sites(&self) -> Result<Vec<SiteState>, StoreError> {
        self.0.reader.ask(|store| status::sites(store, &self.0.known.directory))
    }

    /// Returns every park of the directory, ascending.
    pub fn parks(&self) -> Vec<ParkState> {
        status::parks(&self.0.known.directory)
    }

    /// Returns the authority's name.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// Returns what the hub knows beside what it stores.
    pub fn knowledge(&self) -> &Knowledge {
        &self.0.known
    }

    /// Returns the hub's clock.
    pub fn clock(&self) -> &Clock {
        &self.0.clock
    }

    /// Returns the health board.
    pub fn health(&self) -> &Health {
        &self.0.health
    }

    /// Returns the reading side of the store.
    pub fn reader(&self) -> &Reader {
        &self.0.reader
    }

    /// Puts on the board what the store holds: how much, and every stream that has stopped.
    fn show_held(&self) -> Result<(), StoreError> {
        let now = self.0.clock.now();
        let (counts, streams) = self.0.reader.ask(|store| Ok((store.counts()?, store.streams()?)))?;
        self.0.health.set(STORE, Status::Ok, "", now);
        self.0.health.gauge(STORE, "pages", counts.pages);
        self.0.health.gauge(STORE, "fact_rows", counts.facts);
        self.0.health.gauge(STORE, "rejected_records", counts.rejected);
        for stream in status::last_epochs(&streams) {
            if let Some(fork) = &stream.fork {
                let component = stream_component(&stream.gateway, &stream.stream);
                self.0.health.set(&component, Status::Failed, format!("forked: {fork}"), now);
            }
        }
        Ok(())
    }

    /// Takes a stopped stream off the board once the first page of a new epoch came.
    fn settle(&self, delivery: &Delivery<'_>, component: &str, now: Timestamp) {
        let stopped =
            |board: &Health| board.snapshot().get(component).is_some_and(|entry| entry.status == Status::Failed);
        if delivery.seq == 1 && stopped(&self.0.health) {
            let detail = format!("settled by epoch {}", delivery.epoch);
            tracing::info!(%component, "{component} goes on with epoch {}", delivery.epoch);
            self.0.health.set(component, Status::Ok, detail, now);
        }
    }

    /// Puts the outcome of a delivery on the board; logs where a state changed.
    fn show(&self, delivery: &Delivery<'_>, outcome: &Result<Accepted, Refusal>) {
        let (health, now) = (&self.0.health, self.0.clock.now());
        let component = stream_component(delivery.gateway, delivery.stream);
        match outcome {
            Ok(accepted) => {
                if health.set(STORE, Status::Ok, "", now) {
                    tracing::info!("the store takes pages again");
                }
                if accepted.first {
                    self.settle(delivery, &component, now);
                    health.count(STORE, "pages", 1);
                    health.count(STORE, "rejected_records", accepted.rejected as u64);
                } else {
                    health.count(STORE, "repeated_pages", 1);
                }
            }
            Err(Refusal::Fork { detail, .. }) => {
                health.count(&component, "forked_pages", 1);
                if health.set(&component, Status::Failed, format!("forked: {detail}"), now) {
                    tracing::error!(%component, "{component} forked and has stopped: {detail}");
                }
            }
            Err(refusal) => self.show_refusal(refusal),
        }
    }

    /// Counts what was refused. A stranger must not be able to grow the board, so nobody is named.
    fn show_refusal(&self, refusal: &Refusal) {
        let what = match refusal {
            Refusal::Store(error) => {
                if self.0.health.set(STORE, Status::Failed, error.to_string(), self.0.clock.now()) {
                    tracing::error!("the store takes nothing: {error}");
                }
                return;
            }
            Refusal::Fork { .. } => "forked_pages",
            Refusal::Gap { .. } => "gaps",
            Refusal::Token(_) => "refused_token",
            Refusal::UnknownGateway(_) => "refused_gateway",
            Refusal::Signature { .. } => "refused_signature",
            Refusal::Malformed(_) => "refused_malformed",
        };
        self.0.health.count(STORE, what, 1);
    }
}

fn stream_component(gateway: &GatewayId, stream: &StreamName) -> String {
    format!("stream.{gateway}/{stream}")
}

#[cfg(test)]
mod tests {
    use super::testing::{TestBox, at, delivery, directory, knowledge};
    use super::{Clock, Health, Hub, Refusal, Status};
    use crate::ledger::page::SignedPage;
    use crate::model::time::Grain;

    fn open(directory: &std::path::Path, clock: &Clock) -> Hub {
        let known = knowledge(self::directory(&directory.join("token")));
        Hub::open("HEPZA", directory, known, clock.clone(), Health::default()).unwrap()
    }

    fn deliver(hub: &Hub, page: &SignedPage) -> Result<super::Accepted, Refusal> {
        hub.accept(&delivery(page, None))
    }

    #[test]
    fn a_fork_is_a_failed_state_that_outlives_a_restart() {
        let directory = tempfile::tempdir().unwrap();
        let clock = Clock::manual(at("2026-10-05T00:00:00Z"));
        let hub = open(directory.path(), &clock);
        let mut steel = TestBox::new("steel", 1);
        deliver(&hub, &steel.policy_page()).unwrap();
        let mut twin = steel.clone();
        deliver(&hub, &steel.page(vec![steel.energy(0, 5)])).unwrap();
        assert_eq!(hub.health().worst(), Status::Ok);
        assert!(matches!(deliver(&hub, &twin.page(vec![twin.energy(0, 6)])), Err(Refusal::Fork { .. })));
        for hub in [&hub, &open(directory.path(), &clock)] {
            let board = hub.health().snapshot();
            let stream = &board["stream.steel/authority"];
            assert_eq!(stream.status, Status::Failed);
            assert!(stream.detail.starts_with("forked: page 2 came with hash"), "{}", stream.detail);
            assert!(hub.gateways().unwrap()[2].streams[0].forked.is_some());
        }
        let mut resolved = TestBox { epoch: 2, seq: 0, ..steel };
        deliver(&hub, &resolved.policy_page()).unwrap();
        assert_eq!(hub.health().snapshot()["stream.steel/authority"].status, Status::Ok, "a new epoch settles it");
        assert_eq!(open(directory.path(), &clock).health().worst(), Status::Ok);
    }

    #[test]
    fn a_gateway_is_not_connected_once_two_of_its_windows_brought_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let clock = Clock::manual(at("2026-10-05T00:00:00Z"));
        let hub = open(directory.path(), &clock);
        let steel = |hub: &Hub| hub.gateways().unwrap().remove(2);
        let before = steel(&hub);
        assert_eq!((before.connected, before.last_seen, before.key_thumbprint), (false, None, None));
        let mut gateway = TestBox::new("steel", 1);
        deliver(&hub, &gateway.policy_page()).unwrap();
        assert_eq!(steel(&hub).key_thumbprint, Some(gateway.key().kid()));
        clock.set(at("2026-10-05T00:20:00Z"));
        assert!(steel(&hub).connected);
        clock.set(at("2026-10-05T00:20:01Z"));
        let silent = steel(&hub);
        assert_eq!((silent.connected, silent.last_seen), (false, Some(at("2026-10-05T00:00:00Z"))));
    }

    #[test]
    fn a_gateway_that_tells_how_it_is_is_not_connected_once_its_word_no_longer_holds() {
        let directory = tempfile::tempdir().unwrap();
        let clock = Clock::manual(at("2026-10-05T00:00:00Z"));
        let hub = open(directory.path(), &clock);
        let steel = |hub: &Hub| hub.gateways().unwrap().remove(2);
        // Its pages come once a day, so that without a word of its own it would count as connected for two.
        let mut gateway = TestBox { grain: Grain::Day, ..TestBox::new("steel", 1) };
        deliver(&hub, &gateway.policy_page()).unwrap();
        let status = super::heard::tests::status("steel", "2026-10-05T00:00:00Z");
        let bytes = serde_json::to_vec(&status).unwrap();
        let jws = crate::ledger::jws::sign(&bytes, &gateway.key());
        let id = crate::model::id::GatewayId::new("steel").unwrap();
        hub.hear(&super::Word { gateway: &id, token: None, jws: &jws, bytes: &bytes }).unwrap();
        assert_eq!(steel(&hub).status.unwrap().status, status);
        clock.set(at("2026-10-05T00:25:00Z"));
        assert!(steel(&hub).connected);
        clock.set(at("2026-10-05T00:25:01Z"));
        let silent = steel(&hub);
        assert_eq!((silent.connected, silent.last_seen), (false, Some(at("2026-10-05T00:00:00Z"))));
        // It sends no word any more, but pages: then these count again.
        clock.set(at("2026-10-06T00:00:00Z"));
        deliver(&hub, &gateway.page(vec![gateway.energy(0, 5)])).unwrap();
        clock.set(at("2026-10-07T00:00:00Z"));
        assert!(steel(&hub).connected);
    }

    #[test]
    fn what_is_refused_is_counted_without_naming_strangers() {
        let directory = tempfile::tempdir().unwrap();
        let hub = open(directory.path(), &Clock::manual(at("2026-10-05T00:00:00Z")));
        for name in ["nobody", "no-one"] {
            assert!(deliver(&hub, &TestBox::new(name, 1).policy_page()).is_err());
        }
        assert!(deliver(&hub, &TestBox::new("electronics", 1).policy_page()).is_err());
        let board = hub.health().snapshot();
        assert_eq!(board.keys().collect::<Vec<_>>(), ["store"]);
        assert_eq!((board["store"].counts["refused_gateway"], board["store"].counts["refused_token"]), (2, 1));
    }

    #[test]
    fn parks_and_sites_are_those_of_the_directory_with_the_assets_that_were_reported() {
        let directory = tempfile::tempdir().unwrap();
        let hub = open(directory.path(), &Clock::manual(at("2026-10-05T00:00:00Z")));
        let mut steel = TestBox::new("steel", 1);
        deliver(&hub, &steel.policy_page()).unwrap();
        deliver(&hub, &steel.page(vec![steel.energy(0, 5)])).unwrap();
        let parks = hub.parks();
        assert_eq!(parks.iter().map(|park| park.park.as_str()).collect::<Vec<_>>(), ["tan-tao", "tan-thuan"]);
        assert_eq!(parks[1].sites.iter().map(|site| site.as_str()).collect::<Vec<_>>(), ["garment", "steel"]);
        let sites = hub.sites().unwrap();
        assert_eq!(sites.iter().map(|site| site.assets.len()).collect::<Vec<_>>(), [0, 0, 1]);
    }
}
