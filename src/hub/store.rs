//! `hub.db`: pages as they came, the facts in them, and what the hub knows of gateways and streams.
//!
//! What comes in: what `ingest` decided, inside one transaction. What goes out: rows, on connections of their own.
//! SQLite in WAL mode with `synchronous=FULL`: what a receipt promised survives a power cut. No row that came from a
//! page is ever updated or deleted.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, OptionalExtension, Transaction, TransactionBehavior, params};

use super::keys::HandOver;
use super::read::damaged;
use crate::ledger::key::VerifyingKey;
use crate::ledger::page::{Page, SharedRecord};
use crate::model::id::{Digest, GatewayId, StreamName};
use crate::model::record::{ClockState, Flag, KpiValue};
use crate::model::share::SharePolicy;
use crate::model::time::Timestamp;

/// File name inside the data directory.
pub const FILE: &str = "hub.db";

/// The migrations, in order: entry n leads to schema n + 1. Append only.
const MIGRATIONS: [&str; 3] =
    [include_str!("schema/1.sql"), include_str!("schema/2.sql"), include_str!("schema/3.sql")];

/// How long a connection waits for another one's lock before it gives up.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// What can go wrong with the store.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The directory can't be made.
    #[error("data directory {0} can't be created: {1}")]
    Directory(PathBuf, std::io::Error),
    /// SQLite refused.
    #[error("hub store: {0}")]
    Sqlite(#[from] rusqlite::Error),
    /// The file was written by a later version of the program.
    #[error("hub store {path} has schema {found}, this version knows up to {known}: install the later version again")]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its schema.
        found: i64,
        /// The last schema known here.
        known: i64,
    },
    /// A stored row doesn't read back.
    #[error("hub store: {what} holds {value}, which can't be read back")]
    Damaged {
        /// Table and column.
        what: &'static str,
        /// What stands there.
        value: String,
    },
}

/// The writing side of the store. One per hub.
#[derive(Debug)]
pub struct HubStore {
    connection: Connection,
    path: PathBuf,
}

impl HubStore {
    /// Opens or creates `hub.db` in `directory` and brings it to the latest schema.
    ///
    /// # Errors
    /// [`StoreError`]; the hub refuses to start.
    pub fn open(directory: &Path) -> Result<Self, StoreError> {
        std::fs::create_dir_all(directory).map_err(|error| StoreError::Directory(directory.to_owned(), error))?;
        let path = directory.join(FILE);
        let mut connection = Connection::open(&path)?;
        connection.busy_timeout(BUSY_TIMEOUT)?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        migrate(&mut connection, &path)?;
        Ok(Self { connection, path })
    }

    /// Returns the path of the database file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Begins the one transaction of a page. It holds the write lock from the start, so that nothing it read can
    /// change before it commits; dropped without a commit it leaves no trace.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`]: the store can't be written; nothing was accepted.
    pub fn begin(&mut self) -> Result<Ingest<'_>, StoreError> {
        Ok(Ingest(self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?))
    }

    /// Opens a connection that can only read.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`].
    pub(super) fn open_reader(path: &Path) -> Result<Connection, StoreError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags)?;
        connection.busy_timeout(BUSY_TIMEOUT)?;
        Ok(connection)
    }
}

/// Which chain of pages.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Chain {
    /// The box that makes it.
    pub gateway: GatewayId,
    /// Its name.
    pub stream: StreamName,
    /// Its epoch.
    pub epoch: u32,
}

/// The end of a chain as the hub holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// The last page held without a gap from 1; 0 for none.
    pub seq: u64,
    /// Its hash; zero for none.
    pub hash: Digest,
    /// What contradicted the chain; `None` while nothing did.
    pub fork: Option<String>,
}

impl Head {
    /// The end of a chain of which nothing is held.
    pub const NONE: Self = Self { seq: 0, hash: Digest::ZERO, fork: None };
}

/// The one transaction of a page. Dropped without [`Ingest::commit`] it leaves no trace.
#[derive(Debug)]
pub struct Ingest<'a>(Transaction<'a>);

impl Ingest<'_> {
    /// Makes everything done in it durable.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`]: nothing was accepted.
    pub fn commit(self) -> Result<(), StoreError> {
        Ok(self.0.commit()?)
    }

    pub(super) fn transaction(&self) -> &Transaction<'_> {
        &self.0
    }

    /// Returns the public key a gateway is held to: `x` of its JWK.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn pinned_key(&self, gateway: &GatewayId) -> Result<Option<String>, StoreError> {
        let sql = "SELECT key FROM gateway WHERE gateway = ?1";
        Ok(self.0.prepare(sql)?.query_row([gateway.as_str()], |row| row.get(0)).optional()?)
    }

    /// Returns the key pages that were taken of a gateway, ascending by stream, epoch and number.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn hand_overs(&self, gateway: &GatewayId) -> Result<Vec<HandOver>, StoreError> {
        let sql = "SELECT stream, epoch, seq, old_key, new_key FROM hand_over WHERE gateway = ?1
             ORDER BY stream, epoch, seq";
        let mut statement = self.0.prepare(sql)?;
        let rows = statement.query_and_then([gateway.as_str()], |row| {
            let name: String = row.get(0)?;
            Ok(HandOver {
                stream: StreamName::new(&name).map_err(|_| damaged("hand_over.stream", &name))?,
                epoch: row.get(1)?,
                seq: from_sql(row.get(2)?),
                old_key: row.get(3)?,
                new_key: row.get(4)?,
            })
        })?;
        rows.collect()
    }

    /// Notes that a key page was taken.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn add_hand_over(&self, chain: &Chain, seq: u64, old_key: &str, new_key: &str) -> Result<(), StoreError> {
        let sql =
            "INSERT INTO hand_over (gateway, stream, epoch, seq, old_key, new_key) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
        let (gateway, stream) = (chain.gateway.as_str(), chain.stream.as_str());
        self.0.prepare(sql)?.execute(params![gateway, stream, chain.epoch, to_sql(seq), old_key, new_key])?;
        Ok(())
    }

    /// Notes that a gateway delivered something authentic, the key it is held to, and the key that signed it.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn saw(
        &self,
        gateway: &GatewayId,
        base: &VerifyingKey,
        signer: &VerifyingKey,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let sql = "INSERT INTO gateway (gateway, key, kid, first_seen, last_seen) VALUES (?1, ?2, ?3, ?4, ?4)
             ON CONFLICT (gateway) DO UPDATE SET key = ?2, kid = ?3, last_seen = max(last_seen, ?4)";
        self.0.prepare(sql)?.execute(params![gateway.as_str(), base.jwk().x, signer.kid(), now.0])?;
        Ok(())
    }

    /// Returns the end of a chain.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn head(&self, chain: &Chain) -> Result<Head, StoreError> {
        let sql = "SELECT head_seq, head_hash, fork FROM stream WHERE gateway = ?1 AND stream = ?2 AND epoch = ?3";
        let head = self
            .0
            .prepare(sql)?
            .query_row(params![chain.gateway.as_str(), chain.stream.as_str(), chain.epoch], |row| {
                Ok(Head { seq: from_sql(row.get(0)?), hash: Digest(row.get(1)?), fork: row.get(2)? })
            });
        Ok(head.optional()?.unwrap_or(Head::NONE))
    }

    /// Returns the hash and the receipt of a held page.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn page(&self, chain: &Chain, seq: u64) -> Result<Option<(Digest, Vec<u8>)>, StoreError> {
        let sql = "SELECT hash, receipt FROM page WHERE gateway = ?1 AND stream = ?2 AND epoch = ?3 AND seq = ?4";
        let key = params![chain.gateway.as_str(), chain.stream.as_str(), chain.epoch, to_sql(seq)];
        let page = self.0.prepare(sql)?.query_row(key, |row| Ok((Digest(row.get(0)?), row.get(1)?)));
        Ok(page.optional()?)
    }

    /// Says whether a page of an epoch before `chain`'s, of the same stream, has this hash.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn holds_in_earlier_epoch(&self, chain: &Chain, hash: Digest) -> Result<bool, StoreError> {
        let sql = "SELECT EXISTS (SELECT 1 FROM page WHERE gateway = ?1 AND stream = ?2 AND hash = ?3 AND epoch < ?4)";
        let key = params![chain.gateway.as_str(), chain.stream.as_str(), hash.0, chain.epoch];
        Ok(self.0.prepare(sql)?.query_row(key, |row| row.get(0))?)
    }

    /// Stores a page with its first receipt, and makes it the head of its chain.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn add_page(&self, page: &NewPage<'_>) -> Result<(), StoreError> {
        let NewPage { chain, page: content, hash, .. } = page;
        let (gateway, stream) = (chain.gateway.as_str(), chain.stream.as_str());
        let sql = "INSERT INTO page (gateway, stream, epoch, seq, hash, prev, jws, bytes, receipt, received_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)";
        self.0.prepare(sql)?.execute(params![
            gateway,
            stream,
            chain.epoch,
            to_sql(content.seq),
            hash.0,
            content.prev.0,
            page.jws,
            page.bytes,
            page.receipt,
            page.received_at.0
        ])?;
        let policy = content.policy.as_ref().map(policy_to_sql);
        let sql = "INSERT INTO stream (gateway, stream, epoch, head_seq, head_hash, policy)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)
             ON CONFLICT (gateway, stream, epoch) DO UPDATE
             SET head_seq = ?4, head_hash = ?5, policy = coalesce(?6, policy)";
        self.0.prepare(sql)?.execute(params![gateway, stream, chain.epoch, to_sql(content.seq), hash.0, policy])?;
        Ok(())
    }

    /// Marks a chain as contradicted. The first contradiction stays on record.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn mark_forked(&self, chain: &Chain, detail: &str, now: Timestamp) -> Result<(), StoreError> {
        let sql = "INSERT INTO stream (gateway, stream, epoch, head_seq, head_hash, fork, forked_at)
             VALUES (?1, ?2, ?3, 0, ?4, ?5, ?6)
             ON CONFLICT (gateway, stream, epoch) DO UPDATE
             SET fork = coalesce(fork, ?5), forked_at = coalesce(forked_at, ?6)";
        let (gateway, stream) = (chain.gateway.as_str(), chain.stream.as_str());
        self.0.prepare(sql)?.execute(params![gateway, stream, chain.epoch, [0_u8; 32], detail, now.0])?;
        Ok(())
    }

    /// Stores a record's facts. Where the same window and revision is held already, nothing is changed and the result
    /// says whether it is held with the same facts.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn add_record(&self, chain: &Chain, seq: u64, record: &SharedRecord) -> Result<Added, StoreError> {
        let facts = record.facts.to_bytes();
        let sql =
            "INSERT INTO fact (site, asset, grain, start, revision, end, level, product_unit, facts, kpis, assumed,
               config, clock, inputs_digest, gateway, stream, epoch, seq)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18)
             ON CONFLICT (site, asset, grain, start, revision) DO NOTHING";
        let added = self.0.prepare(sql)?.execute(params![
            record.site.as_str(),
            record.asset.as_str(),
            record.grain.code(),
            record.window.start.0,
            record.revision,
            record.window.end.0,
            record.level.as_str(),
            record.product_unit.as_str(),
            facts,
            kpis_to_sql(&record.kpis),
            record.kpis.iter().any(|kpi| kpi.flags.contains(&Flag::CalendarAssumed)),
            record.config.0,
            clock_to_sql(record.clock),
            record.inputs_digest.0,
            chain.gateway.as_str(),
            chain.stream.as_str(),
            chain.epoch,
            to_sql(seq)
        ])?;
        if added == 1 { Ok(Added::Fresh) } else { self.held_record(record, &facts) }
    }

    fn held_record(&self, record: &SharedRecord, facts: &[u8]) -> Result<Added, StoreError> {
        let sql = "SELECT facts, gateway, stream, epoch, seq FROM fact
             WHERE site = ?1 AND asset = ?2 AND grain = ?3 AND start = ?4 AND revision = ?5";
        let key = params![
            record.site.as_str(),
            record.asset.as_str(),
            record.grain.code(),
            record.window.start.0,
            record.revision
        ];
        Ok(self.0.prepare(sql)?.query_row(key, |row| {
            let page = format!(
                "{}/{}/{}/{}",
                row.get::<_, String>(1)?,
                row.get::<_, String>(2)?,
                row.get::<_, u32>(3)?,
                row.get::<_, i64>(4)?
            );
            Ok(if row.get::<_, Vec<u8>>(0)? == facts { Added::Same } else { Added::Other { page } })
        })?)
    }

    /// Notes a record that can't count.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn add_rejected(&self, chain: &Chain, seq: u64, position: u32, reason: &str) -> Result<(), StoreError> {
        let sql =
            "INSERT INTO rejected (gateway, stream, epoch, seq, position, reason) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
        let (gateway, stream) = (chain.gateway.as_str(), chain.stream.as_str());
        self.0.prepare(sql)?.execute(params![gateway, stream, chain.epoch, to_sql(seq), position, reason])?;
        Ok(())
    }
}

/// A page that is to be stored.
#[derive(Debug)]
pub struct NewPage<'a> {
    /// Its chain.
    pub chain: &'a Chain,
    /// What it says.
    pub page: &'a Page,
    /// SHA-256 of `bytes`.
    pub hash: Digest,
    /// Its signature as it came.
    pub jws: &'a str,
    /// Its bytes as they came.
    pub bytes: &'a [u8],
    /// The receipt it gets now and whenever it comes again.
    pub receipt: &'a [u8],
    /// When it came, by the hub's clock.
    pub received_at: Timestamp,
}

/// What became of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Added {
    /// It is stored.
    Fresh,
    /// The same facts were held for this window and revision.
    Same,
    /// Other facts were.
    Other {
        /// The page they came with: `gateway/stream/epoch/seq`.
        page: String,
    },
}

fn migrate(connection: &mut Connection, path: &Path) -> Result<(), StoreError> {
    let found: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    let known = i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX);
    if found > known {
        return Err(StoreError::Newer { path: path.to_owned(), found, known });
    }
    let done = usize::try_from(found).unwrap_or(0);
    for (number, sql) in (1_i64..).zip(MIGRATIONS).skip(done) {
        let transaction = connection.transaction()?;
        transaction.execute_batch(sql)?;
        transaction.pragma_update(None, "user_version", number)?;
        transaction.commit()?;
    }
    Ok(())
}

fn kpis_to_sql(kpis: &[KpiValue]) -> String {
    serde_json::to_string(kpis).expect("KPI values hold strings, integers and finite numbers only")
}

fn policy_to_sql(policy: &SharePolicy) -> String {
    serde_json::to_string(policy).expect("a share policy holds strings only")
}

const fn clock_to_sql(clock: ClockState) -> &'static str {
    match clock {
        ClockState::Synchronised => "synchronised",
        ClockState::Unsynchronised => "unsynchronised",
        ClockState::Unknown => "unknown",
        ClockState::Simulated => "simulated",
    }
}

/// SQLite counts to 2⁶³−1; `ingest` refuses pages beyond 2⁵³−1.
fn to_sql(seq: u64) -> i64 {
    i64::try_from(seq).unwrap_or(i64::MAX)
}

pub(super) fn from_sql(seq: i64) -> u64 {
    u64::try_from(seq).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use sha2::{Digest as _, Sha256};

    use super::{Connection, Digest, FILE, HubStore, MIGRATIONS, StoreError};

    #[test]
    fn schema_1_is_frozen() {
        let digest = Digest(Sha256::digest(MIGRATIONS[0]).into());
        assert_eq!(digest.to_string(), "6f8ab8b76ac6ce9ff01bd4438109807aec8476e0d7e6ff5cc68c32661046f5bd");
    }

    #[test]
    fn a_store_of_schema_1_is_brought_to_the_latest_with_what_it_holds() {
        let directory = tempfile::tempdir().unwrap();
        let raw = Connection::open(directory.path().join(FILE)).unwrap();
        raw.execute_batch(MIGRATIONS[0]).unwrap();
        raw.execute_batch("INSERT INTO gateway VALUES ('steel', 'x', 'kid', 1, 2); PRAGMA user_version = 1").unwrap();
        drop(raw);
        let store = HubStore::open(directory.path()).unwrap();
        let count = |sql: &str| store.connection.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap();
        assert_eq!(count("SELECT count(*) FROM gateway"), 1);
        assert_eq!(count("SELECT count(*) FROM status"), 0);
        assert_eq!(count("PRAGMA user_version"), i64::try_from(MIGRATIONS.len()).unwrap());
    }

    #[test]
    fn a_store_of_a_later_version_is_refused_and_left_as_it_is() {
        let directory = tempfile::tempdir().unwrap();
        drop(HubStore::open(directory.path()).unwrap());
        let raw = Connection::open(directory.path().join(FILE)).unwrap();
        raw.pragma_update(None, "user_version", 99).unwrap();
        assert!(matches!(HubStore::open(directory.path()), Err(StoreError::Newer { found: 99, .. })));
    }

    #[test]
    fn what_a_receipt_promised_survives_a_power_cut() {
        let directory = tempfile::tempdir().unwrap();
        let store = HubStore::open(directory.path()).unwrap();
        let pragma = |name: &str| store.connection.query_row(&format!("PRAGMA {name}"), [], |row| row.get::<_, i64>(0));
        assert_eq!(pragma("synchronous"), Ok(2), "FULL");
        let mode: String = store.connection.query_row("PRAGMA journal_mode", [], |row| row.get(0)).unwrap();
        assert_eq!(mode, "wal");
    }
}
