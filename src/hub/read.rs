//! Reads `hub.db` on connections of its own, so that a question never waits for a page.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use rusqlite::{Connection, Row as SqlRow, params};

use super::rollup::Row;
use super::store::{HubStore, StoreError, from_sql};
use crate::model::fact::Facts;
use crate::model::id::{AssetId, Digest, GatewayId, SiteId, StreamName};
use crate::model::record::Level;
use crate::model::share::SharePolicy;
use crate::model::time::{Grain, Timestamp, Window};
use crate::model::unit::ProductUnit;

/// Connections kept open between questions; more are opened while more ask at once.
const IDLE_MAX: usize = 4;

/// Whose rows are asked for.
#[derive(Debug, Clone, Copy)]
pub enum Subject<'a> {
    /// The whole factory.
    Site,
    /// One asset of it.
    Asset(&'a AssetId),
}

impl<'a> Subject<'a> {
    /// Returns the column that tells the subject's rows, and its value there.
    fn column(self) -> (&'static str, &'a str) {
        match self {
            Self::Site => ("level", Level::Site.as_str()),
            Self::Asset(asset) => ("asset", asset.as_str()),
        }
    }
}

/// What the hub holds of one chain of pages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamRow {
    /// Its gateway.
    pub gateway: GatewayId,
    /// Its name.
    pub stream: StreamName,
    /// Its epoch.
    pub epoch: u32,
    /// The last page held.
    pub head_seq: u64,
    /// Its hash.
    pub head_hash: Digest,
    /// The last share policy.
    pub policy: Option<SharePolicy>,
    /// What contradicted the chain.
    pub fork: Option<String>,
}

/// What the hub holds of a gateway.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GatewayRow {
    /// Its id.
    pub gateway: GatewayId,
    /// Thumbprint of the key that signed what came last.
    pub kid: String,
    /// A key page handed over from the key it is held to.
    pub has_handed_over: bool,
    /// When its first authentic page came.
    pub first_seen: Timestamp,
    /// When its last one came.
    pub last_seen: Timestamp,
}

/// Opens and keeps reading connections.
#[derive(Debug)]
pub struct Reader {
    path: PathBuf,
    idle: Mutex<Vec<Connection>>,
}

impl Reader {
    /// Reads the database at `path`, which a [`HubStore`] has brought to its schema.
    pub fn new(path: &Path) -> Self {
        Self { path: path.to_owned(), idle: Mutex::default() }
    }

    /// Asks on a connection of its own. Everything asked inside sees one state of the database.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn ask<T>(&self, question: impl FnOnce(&Snapshot<'_>) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let kept = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let connection = match kept {
            Some(connection) => connection,
            None => HubStore::open_reader(&self.path)?,
        };
        let transaction = connection.unchecked_transaction()?;
        let answer = question(&Snapshot(&transaction));
        transaction.finish()?;
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < IDLE_MAX {
            idle.push(connection);
        }
        answer
    }
}

/// One state of the database.
#[derive(Debug)]
pub struct Snapshot<'a>(&'a Connection);

impl Snapshot<'_> {
    pub(super) const fn connection(&self) -> &Connection {
        self.0
    }

    /// Returns the newest revision of each window of a site or asset that starts in `[from, to)` and is no coarser than
    /// `coarsest`; ascending by start, then by asset and grain. What the boxes reported comes with the rows of `coarsest`
    /// alone.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn rows(
        &self,
        site: &SiteId,
        subject: Subject<'_>,
        coarsest: Grain,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<Row>, StoreError> {
        let (column, value) = subject.column();
        let sql = format!(
            "SELECT asset, grain, start, end, revision, product_unit, facts, iif(grain = ?6, kpis, ''), assumed
             FROM fact
             WHERE site = ?1 AND {column} = ?2 AND grain = ?3 AND start >= ?4 AND start < ?5
             ORDER BY start, asset, revision"
        );
        let mut statement = self.0.prepare(&sql)?;
        let mut rows: Vec<Row> = Vec::new();
        for grain in Grain::ALL.into_iter().filter(|grain| *grain <= coarsest) {
            let key = params![site.as_str(), value, grain.code(), from.0, to.0, coarsest.code()];
            for row in statement.query_and_then(key, read_row)? {
                let row = row?;
                match rows.last_mut() {
                    Some(last) if is_later_revision(last, &row) => *last = row,
                    _ => rows.push(row),
                }
            }
        }
        rows.sort_by(|a, b| (a.window.start, &a.asset, a.grain).cmp(&(b.window.start, &b.asset, b.grain)));
        Ok(rows)
    }

    /// Returns the shifts a site or asset reported that start in `[from, to)`, ascending.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn shifts(
        &self,
        site: &SiteId,
        subject: Subject<'_>,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<Window>, StoreError> {
        let (column, value) = subject.column();
        let sql = format!(
            "SELECT DISTINCT start, end FROM fact
             WHERE site = ?1 AND {column} = ?2 AND grain = ?3 AND start >= ?4 AND start < ?5 ORDER BY start, end"
        );
        let mut statement = self.0.prepare(&sql)?;
        let key = params![site.as_str(), value, Grain::Shift.code(), from.0, to.0];
        let windows = statement
            .query_and_then(key, |row| Ok(Window { start: Timestamp(row.get(0)?), end: Timestamp(row.get(1)?) }))?;
        windows.collect()
    }

    /// Returns the pages that carried what a site or asset reported of windows that start in `[from, to)` and are no
    /// coarser than `coarsest`, every revision counted; ascending by gateway, stream and epoch.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn carriers(
        &self,
        site: &SiteId,
        subject: Subject<'_>,
        coarsest: Grain,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<Carrier>, StoreError> {
        let (column, value) = subject.column();
        let sql = format!(
            "SELECT gateway, stream, epoch, min(seq), max(seq), count(*) FROM fact
             WHERE site = ?1 AND {column} = ?2 AND grain <= ?3 AND start >= ?4 AND start < ?5
             GROUP BY gateway, stream, epoch ORDER BY gateway, stream, epoch"
        );
        let mut statement = self.0.prepare(&sql)?;
        let key = params![site.as_str(), value, coarsest.code(), from.0, to.0];
        let carriers = statement.query_and_then(key, |row| {
            let (gateway, stream): (String, String) = (row.get(0)?, row.get(1)?);
            Ok(Carrier {
                gateway: GatewayId::new(&gateway).map_err(|_| damaged("fact.gateway", &gateway))?,
                stream: StreamName::new(&stream).map_err(|_| damaged("fact.stream", &stream))?,
                epoch: row.get(2)?,
                first_page: from_sql(row.get(3)?),
                last_page: from_sql(row.get(4)?),
                records: from_sql(row.get(5)?),
            })
        })?;
        carriers.collect()
    }

    /// Says whether anything was ever reported of an asset.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn knows_asset(&self, site: &SiteId, asset: &AssetId) -> Result<bool, StoreError> {
        let sql = "SELECT EXISTS (SELECT 1 FROM fact WHERE site = ?1 AND asset = ?2)";
        Ok(self.0.query_row(sql, [site.as_str(), asset.as_str()], |row| row.get(0))?)
    }

    /// Returns the assets a site has reported, ascending.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn assets(&self, site: &SiteId) -> Result<Vec<AssetId>, StoreError> {
        let mut statement = self.0.prepare("SELECT DISTINCT asset FROM fact WHERE site = ?1 ORDER BY asset")?;
        let names = statement.query_and_then([site.as_str()], |row| {
            let name: String = row.get(0)?;
            AssetId::new(&name).map_err(|_| damaged("fact.asset", &name))
        })?;
        names.collect()
    }

    /// Returns every gateway that ever delivered something authentic, ascending.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn gateways(&self) -> Result<Vec<GatewayRow>, StoreError> {
        let sql = "SELECT gateway, kid, first_seen, last_seen,
             EXISTS (SELECT 1 FROM hand_over WHERE hand_over.gateway = gateway.gateway) FROM gateway ORDER BY gateway";
        let mut statement = self.0.prepare(sql)?;
        let rows = statement.query_and_then([], |row| {
            let name: String = row.get(0)?;
            Ok(GatewayRow {
                gateway: GatewayId::new(&name).map_err(|_| damaged("gateway.gateway", &name))?,
                kid: row.get(1)?,
                first_seen: Timestamp(row.get(2)?),
                last_seen: Timestamp(row.get(3)?),
                has_handed_over: row.get(4)?,
            })
        })?;
        rows.collect()
    }

    /// Returns every chain of pages, ascending by gateway, name and epoch.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn streams(&self) -> Result<Vec<StreamRow>, StoreError> {
        let sql = "SELECT gateway, stream, epoch, head_seq, head_hash, policy, fork FROM stream
             ORDER BY gateway, stream, epoch";
        let mut statement = self.0.prepare(sql)?;
        statement.query_and_then([], read_stream)?.collect()
    }

    /// Returns a page's bytes and signature as they came.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn page(
        &self,
        gateway: &GatewayId,
        stream: &StreamName,
        epoch: u32,
        seq: u64,
    ) -> Result<Option<(Vec<u8>, String)>, StoreError> {
        let sql = "SELECT bytes, jws FROM page WHERE gateway = ?1 AND stream = ?2 AND epoch = ?3 AND seq = ?4";
        let seq = i64::try_from(seq).unwrap_or(i64::MAX);
        let mut statement = self.0.prepare(sql)?;
        let mut rows = statement.query(params![gateway.as_str(), stream.as_str(), epoch, seq])?;
        rows.next()?.map(|row| Ok((row.get(0)?, row.get(1)?))).transpose()
    }

    /// Returns how many pages, rows of facts and rejected records are held.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn counts(&self) -> Result<Counts, StoreError> {
        let sql = "SELECT (SELECT count(*) FROM page), (SELECT count(*) FROM fact), (SELECT count(*) FROM rejected)";
        Ok(self.0.query_row(sql, [], |row| {
            Ok(Counts { pages: from_sql(row.get(0)?), facts: from_sql(row.get(1)?), rejected: from_sql(row.get(2)?) })
        })?)
    }
}

/// Which pages of one stream carried the records a figure rests on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Carrier {
    /// Who signed them.
    pub gateway: GatewayId,
    /// On which stream.
    pub stream: StreamName,
    /// In which epoch.
    pub epoch: u32,
    /// The first of them.
    pub first_page: u64,
    /// The last of them.
    pub last_page: u64,
    /// How many records they carried.
    pub records: u64,
}

/// How much is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counts {
    /// Pages.
    pub pages: u64,
    /// Rows of facts, every revision counted.
    pub facts: u64,
    /// Rejected records.
    pub rejected: u64,
}

fn is_later_revision(last: &Row, row: &Row) -> bool {
    (&last.asset, last.grain, last.window.start) == (&row.asset, row.grain, row.window.start)
}

fn read_row(row: &SqlRow<'_>) -> Result<Row, StoreError> {
    let asset: String = row.get(0)?;
    let grain: u8 = row.get(1)?;
    let unit: String = row.get(5)?;
    let facts: Vec<u8> = row.get(6)?;
    Ok(Row {
        asset: AssetId::new(&asset).map_err(|_| damaged("fact.asset", &asset))?,
        grain: Grain::from_code(grain).ok_or_else(|| damaged("fact.grain", grain))?,
        window: Window { start: Timestamp(row.get(2)?), end: Timestamp(row.get(3)?) },
        revision: row.get(4)?,
        product_unit: product_unit(&unit).ok_or_else(|| damaged("fact.product_unit", &unit))?,
        facts: Facts::from_bytes(&facts).ok_or_else(|| damaged("fact.facts", format!("{} bytes", facts.len())))?,
        kpis: row.get(7)?,
        calendar_assumed: row.get(8)?,
    })
}

fn read_stream(row: &SqlRow<'_>) -> Result<StreamRow, StoreError> {
    let (gateway, stream): (String, String) = (row.get(0)?, row.get(1)?);
    let policy: Option<String> = row.get(5)?;
    let policy =
        policy.map(|text| serde_json::from_str(&text).map_err(|_| damaged("stream.policy", text))).transpose()?;
    Ok(StreamRow {
        gateway: GatewayId::new(&gateway).map_err(|_| damaged("stream.gateway", &gateway))?,
        stream: StreamName::new(&stream).map_err(|_| damaged("stream.stream", &stream))?,
        epoch: row.get(2)?,
        head_seq: from_sql(row.get(3)?),
        head_hash: Digest(row.get(4)?),
        policy,
        fork: row.get(6)?,
    })
}

fn product_unit(name: &str) -> Option<ProductUnit> {
    serde_json::from_value(serde_json::Value::from(name)).ok()
}

pub(super) fn damaged(what: &'static str, value: impl ToString) -> StoreError {
    StoreError::Damaged { what, value: value.to_string() }
}
