//! The demo's embedded configuration, the addresses that are free on this machine, and where its data lie.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::Context;

use crate::model::time::Timestamp;
use crate::simulator::broker::free_address;

/// The hub's file: name and text.
pub(super) const HUB: (&str, &str) = ("config/demo/hub.toml", include_str!("../../../config/demo/hub.toml"));
/// The boxes' files: name and text.
pub(super) const GATEWAYS: [(&str, &str); 3] = [
    ("config/demo/steel.toml", include_str!("../../../config/demo/steel.toml")),
    ("config/demo/garment.toml", include_str!("../../../config/demo/garment.toml")),
    ("config/demo/electronics.toml", include_str!("../../../config/demo/electronics.toml")),
];

/// Addresses in the files: the hub's pages, the boxes' pages.
const HUB_ADDRESS: &str = "127.0.0.1:8080";
const BOXES: [&str; 3] = ["127.0.0.1:8081", "127.0.0.1:8082", "127.0.0.1:8083"];
/// Simulated Modbus devices of steel works and electronics line.
pub(super) const MODBUS: [&str; 2] = ["127.0.0.1:15021", "127.0.0.1:15023"];
/// The broker's listeners for MQTT 5 and 3.1.1.
pub(super) const MQTT: [&str; 2] = ["127.0.0.1:18883", "127.0.0.1:18884"];

/// The file of the data directory that says since when and how far plant time has run.
const EPOCH_FILE: &str = "plant-time";

/// Real time by which plant time may have passed what was noted. **Unit**: ms.
const UNNOTED_MS: f64 = 10_000.0;

/// Addresses that are free here, by the address in the files.
pub(super) struct Addresses(BTreeMap<&'static str, SocketAddr>);

impl Addresses {
    /// Takes each address of the files where it is free, else another port of loopback. A `port` that a person asked
    /// for is taken or refused.
    pub(super) fn find(port: Option<u16>) -> anyhow::Result<Self> {
        let mut addresses = BTreeMap::new();
        for text in BOXES.into_iter().chain(MODBUS).chain(MQTT) {
            let wanted: SocketAddr = text.parse()?;
            addresses.insert(text, if is_free(wanted) { wanted } else { free_address()? });
        }
        let mut hub: SocketAddr = HUB_ADDRESS.parse()?;
        if let Some(port) = port {
            hub.set_port(port);
            anyhow::ensure!(is_free(hub), "port {port} is taken on this machine; choose another with --port");
        } else if !is_free(hub) {
            hub = free_address()?;
        }
        addresses.insert(HUB_ADDRESS, hub);
        Ok(Self(addresses))
    }

    /// Returns the address used instead of one of the files.
    pub(super) fn of(&self, text: &'static str) -> SocketAddr {
        self.0[text]
    }

    /// Returns the text of a file with the addresses used here. Each place is replaced once, whatever is put there.
    pub(super) fn put_into(&self, text: &str) -> String {
        let mut rest = text;
        let mut placed = String::with_capacity(text.len());
        while let Some((at, from, to)) = self.first_in(rest) {
            placed.push_str(&rest[..at]);
            placed.push_str(&to.to_string());
            rest = &rest[at + from.len()..];
        }
        placed + rest
    }

    fn first_in(&self, text: &str) -> Option<(usize, &'static str, SocketAddr)> {
        let found = self.0.iter().filter_map(|(from, to)| text.find(from).map(|at| (at, *from, *to)));
        // Of two that begin at one place the longer one is meant.
        found.min_by_key(|(at, from, _)| (*at, usize::MAX - from.len()))
    }

    /// Returns the addresses used for these, for people.
    pub(super) fn list(&self, texts: &[&'static str]) -> String {
        texts.iter().map(|text| self.of(text).to_string()).collect::<Vec<_>>().join(", ")
    }
}

fn is_free(address: SocketAddr) -> bool {
    std::net::TcpListener::bind(address).is_ok()
}

/// How plant time runs: the simulated histories begin at `began`, this run at `now`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Epoch {
    pub(super) began: Timestamp,
    pub(super) now: Timestamp,
}

/// Where stores and keys lie.
pub(super) struct DataDir {
    path: PathBuf,
    /// Removed at the end.
    is_temporary: bool,
}

impl DataDir {
    /// Makes the directory.
    pub(super) fn open(asked: Option<&Path>) -> anyhow::Result<Self> {
        let (path, is_temporary) = match asked {
            Some(path) => (path.to_owned(), false),
            None => (std::env::temp_dir().join(format!("parkgate-demo-{}", std::process::id())), true),
        };
        std::fs::create_dir_all(&path).with_context(|| format!("data directory {}", path.display()))?;
        Ok(Self { path, is_temporary })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Returns how plant time runs on. Scaled time runs ahead of the wall clock, and what is stored must not lie in
    /// the future, so a kept directory goes on after where it stopped. It is noted every few seconds of real time; ten cover a kill.
    #[expect(clippy::cast_possible_truncation, reason = "seconds of plant time, in ms")]
    pub(super) fn epoch(&self, wall: Timestamp, speed: f64) -> anyhow::Result<Epoch> {
        let path = self.path.join(EPOCH_FILE);
        if !path.exists() {
            return Ok(Epoch { began: wall, now: wall });
        }
        let place = || format!("{} does not say how far plant time has run", path.display());
        let text = std::fs::read_to_string(&path).with_context(place)?;
        let (began, last) = text.trim().split_once(' ').with_context(place)?;
        let last: Timestamp = last.parse().with_context(place)?;
        Ok(Epoch { began: began.parse().with_context(place)?, now: wall.max(last + (UNNOTED_MS * speed) as i64) })
    }

    /// Notes how far plant time has run.
    pub(super) fn keep_epoch(&self, epoch: &Epoch, now: Timestamp) -> anyhow::Result<()> {
        let path = self.path.join(EPOCH_FILE);
        std::fs::write(&path, format!("{} {now}\n", epoch.began)).with_context(|| path.display().to_string())
    }

    /// Removes a temporary directory; says in words what became of the data.
    pub(super) fn close(self) -> anyhow::Result<String> {
        if self.is_temporary {
            std::fs::remove_dir_all(&self.path).with_context(|| format!("removing {}", self.path.display()))?;
            return Ok("the temporary data are removed".to_owned());
        }
        Ok(format!("the data are kept in {}", self.path.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::{Addresses, BTreeMap, DataDir, Epoch, HUB_ADDRESS, Timestamp};

    #[test]
    fn an_address_is_replaced_wherever_it_stands_and_only_once() {
        let addresses = Addresses(BTreeMap::from([
            ("127.0.0.1:8080", "127.0.0.1:8081".parse().unwrap()),
            ("127.0.0.1:8081", "127.0.0.1:9000".parse().unwrap()),
        ]));
        let text = "a = \"127.0.0.1:8080\"\nb = \"http://127.0.0.1:8081/\"\nc = \"127.0.0.1:8080\"";
        let expected = "a = \"127.0.0.1:8081\"\nb = \"http://127.0.0.1:9000/\"\nc = \"127.0.0.1:8081\"";
        assert_eq!(addresses.put_into(text), expected);
    }

    #[test]
    fn a_taken_port_that_was_asked_for_is_refused_and_another_is_found_otherwise() {
        let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        assert!(Addresses::find(Some(taken.local_addr().unwrap().port())).is_err());
        assert!(Addresses::find(None).unwrap().of(HUB_ADDRESS).ip().is_loopback());
    }

    #[test]
    fn kept_plant_time_never_runs_backwards() {
        let directory = tempfile::tempdir().unwrap();
        let data = DataDir::open(Some(directory.path())).unwrap();
        let first = data.epoch(Timestamp(1_000), 60.0).unwrap();
        assert_eq!(first, Epoch { began: Timestamp(1_000), now: Timestamp(1_000) });
        data.keep_epoch(&first, Timestamp(5_000_000)).unwrap();
        let second = data.epoch(Timestamp(2_000), 60.0).unwrap();
        assert_eq!(second, Epoch { began: Timestamp(1_000), now: Timestamp(5_600_000) });
        let later = data.epoch(Timestamp(9_000_000), 60.0).unwrap();
        assert_eq!(later.now, Timestamp(9_000_000));
    }

    #[test]
    fn only_a_temporary_directory_is_removed() {
        let temporary = DataDir::open(None).unwrap();
        let path = temporary.path().to_owned();
        temporary.close().unwrap();
        assert!(!path.exists());
        let kept = tempfile::tempdir().unwrap();
        DataDir::open(Some(kept.path())).unwrap().close().unwrap();
        assert!(kept.path().exists());
    }
}
