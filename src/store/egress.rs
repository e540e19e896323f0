//! What left the box, how it was answered, and what stayed inside: told by the stored pages, exchanges and log.
//!
//! Command, API and page all read it here. Pages are told by what they say themselves.

use std::collections::BTreeMap;

use rusqlite::{Connection, params};

use super::cursors;
use super::error::StoreError;
use super::exchanges::{self, Exchange};
use super::reader::Reader;
use super::{Cargo, epoch_cursor, pages, position, reached_cursor, records};
use crate::ledger::key::Jwk;
use crate::ledger::page::{Page, SignedPage};
use crate::ledger::verify::read_page;
use crate::ledger::withheld::{Released, Withheld};
use crate::model::id::{Digest, StreamName};
use crate::model::share::SharePolicy;
use crate::model::time::Timestamp;

/// Rows read at a time.
const AT_ONCE: usize = 100;

/// What is asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EgressFilter {
    /// Only to this sink. A sink's second cursor, like `floor.samples`, is the sink's too.
    pub sink: Option<String>,
    /// Only from this instant on: of a page when it was cut, of an exchange when sending began, of a record when its
    /// window began.
    pub since: Option<Timestamp>,
    /// Only before this instant.
    pub until: Option<Timestamp>,
}

impl EgressFilter {
    /// Says whether this is the sink asked for.
    pub fn is_of(&self, sink: &str) -> bool {
        self.sink
            .as_deref()
            .is_none_or(|wanted| sink.strip_prefix(wanted).is_some_and(|rest| rest.is_empty() || rest.starts_with('.')))
    }

    const fn from(&self) -> i64 {
        match self.since {
            Some(since) => since.0,
            None => i64::MIN,
        }
    }

    const fn to(&self) -> i64 {
        match self.until {
            Some(until) => until.0,
            None => i64::MAX,
        }
    }
}

/// In which direction a list goes on, and from which row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// Oldest first, rows after this number; 0 for all.
    After(u64),
    /// Newest first, rows before this number; `u64::MAX` for all.
    Before(u64),
}

impl Place {
    /// Returns the condition and the order over row numbers; the number is parameter 1.
    pub(super) const fn sql(self) -> (&'static str, &'static str) {
        match self {
            Self::After(_) => ("id > ?1", "id"),
            Self::Before(_) => ("id < ?1", "id DESC"),
        }
    }

    pub(super) const fn row(self) -> u64 {
        match self {
            Self::After(row) | Self::Before(row) => row,
        }
    }
}

/// A page that was cut to leave.
#[derive(Debug, Clone, PartialEq)]
pub struct PageLeft {
    /// Its row: where a list goes on.
    pub row: u64,
    /// The stream, which has the name of its sink.
    pub sink: StreamName,
    /// Its epoch.
    pub epoch: u32,
    /// Its number.
    pub seq: u64,
    /// When it was cut; plant time.
    pub created_at: Timestamp,
    /// What it is for: `policy` or `records`.
    pub kind: &'static str,
    /// How many records it holds.
    pub records: usize,
    /// Its size. **Unit**: bytes.
    pub bytes: usize,
    /// SHA-256 of its bytes.
    pub hash: Digest,
    /// Whether the destination said that it holds the page.
    pub acknowledged: bool,
    /// Of a policy page: what may leave.
    pub policy: Option<SharePolicy>,
    /// Of a policy page: the facts that go out with each KPI.
    pub reveals: BTreeMap<String, Vec<String>>,
}

/// What stayed inside of what one stream could have carried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stayed {
    /// The stream, which has the name of its sink.
    pub sink: StreamName,
    /// What its pages don't hold.
    pub withheld: Withheld,
}

impl Reader {
    /// Returns the names of the sinks that have pages or exchanges, ascending.
    ///
    /// # Errors
    /// Those of a read.
    pub fn sinks_left(&self) -> Result<Vec<String>, StoreError> {
        let mut names: Vec<String> = self.heads()?.keys().map(ToString::to_string).collect();
        names.extend(self.with(exchanges::sinks)?.iter().filter_map(|sink| sink.split('.').next().map(str::to_owned)));
        names.sort();
        names.dedup();
        Ok(names)
    }

    /// Returns up to `limit` pages and whether the destination of each acknowledged it.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] where a page of the store is none.
    pub fn pages_left(&self, filter: &EgressFilter, from: Place, limit: usize) -> Result<Vec<PageLeft>, StoreError> {
        let mut through = BTreeMap::new();
        let found = self.with(|connection| pages::listed(connection, filter, from, limit))?;
        let mut left = Vec::with_capacity(found.len());
        for (row, signed) in found {
            if !through.contains_key(&signed.stream) {
                through.insert(signed.stream.clone(), self.acknowledged(&signed.stream)?);
            }
            let reached = through.get(&signed.stream).and_then(|epochs| epochs.get(&signed.epoch)).copied();
            left.push(page_left(row, &signed, signed.seq <= reached.unwrap_or(0))?);
        }
        Ok(left)
    }

    /// Returns up to `limit` exchanges with their rows.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] where a row can't be read.
    pub fn exchanges_left(
        &self,
        filter: &EgressFilter,
        from: Place,
        limit: usize,
    ) -> Result<Vec<(u64, Exchange)>, StoreError> {
        self.with(|connection| exchanges::listed(connection, filter, from, limit))
    }

    /// Returns of each stream what its pages don't hold of the records whose windows began in the time asked for.
    ///
    /// Reads every such record and every page since; **limits** are the caller's to set, by the time asked for.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] where a page or a record can't be read.
    pub fn withheld(&self, filter: &EgressFilter) -> Result<Vec<Stayed>, StoreError> {
        let mut streams: BTreeMap<StreamName, (Released, Withheld)> = BTreeMap::new();
        for (stream, _) in self.heads()?.into_iter().filter(|(stream, _)| filter.is_of(stream.as_str())) {
            streams.insert(stream, <(Released, Withheld)>::default());
        }
        // A record leaves after its window began, so earlier pages can't hold it; later ones can.
        let since = EgressFilter { until: None, ..filter.clone() };
        let mut after = 0;
        loop {
            let found = self.with(|connection| pages::listed(connection, &since, Place::After(after), AT_ONCE))?;
            let Some((last, _)) = found.last() else { break };
            after = *last;
            for (_, signed) in &found {
                if let Some((released, _)) = streams.get_mut(&signed.stream) {
                    released.add(&read(signed)?);
                }
            }
        }
        let mut after = 0;
        loop {
            let found =
                self.with(|connection| records::begun(connection, (filter.from(), filter.to()), after, AT_ONCE))?;
            let Some((last, _)) = found.last() else { break };
            after = *last;
            for (_, record) in &found {
                streams.values_mut().for_each(|(released, withheld)| released.compare(record, withheld));
            }
        }
        Ok(streams.into_iter().map(|(sink, (_, withheld))| Stayed { sink, withheld }).collect())
    }

    /// Returns the policy in force of each stream that has one: the last policy page.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] where a page of the store is none.
    pub fn policies_left(&self, filter: &EgressFilter) -> Result<Vec<PageLeft>, StoreError> {
        let mut left = Vec::new();
        for (stream, _) in self.heads()?.into_iter().filter(|(stream, _)| filter.is_of(stream.as_str())) {
            let Some((row, signed)) = self.with(|connection| pages::policy_page(connection, &stream))? else {
                continue;
            };
            let reached = self.acknowledged(&stream)?.get(&signed.epoch).copied().unwrap_or(0);
            left.push(page_left(row, &signed, signed.seq <= reached)?);
        }
        Ok(left)
    }

    /// Says whether a stream's key was handed over to `key` and the destination acknowledged the page that says so.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] where a page of the store is none.
    pub fn is_handed_over(&self, stream: &StreamName, key: &Jwk) -> Result<bool, StoreError> {
        let Some(signed) = self.with(|connection| pages::key_page(connection, stream))? else {
            // A stream that began after the key was made begins with it.
            let first = self.with(|connection| pages::policy_page(connection, stream))?;
            return Ok(first
                .map(|(_, page)| read(&page))
                .transpose()?
                .is_some_and(|page| page.key.as_ref() == Some(key)));
        };
        let reached = self.acknowledged(stream)?.get(&signed.epoch).copied().unwrap_or(0);
        Ok(read(&signed)?.key.as_ref() == Some(key) && signed.seq <= reached)
    }

    /// Returns through which page each epoch was acknowledged: the present one by its cursor, earlier ones by where
    /// their cursors stood at the end or by the exchanges.
    fn acknowledged(&self, stream: &StreamName) -> Result<BTreeMap<u32, u64>, StoreError> {
        self.with(|connection| {
            let mut through = exchanges::acknowledged(connection, stream.as_str(), Cargo::Pages)?;
            for (epoch, reached) in &mut through {
                let name = reached_cursor(stream.as_str(), u64::from(*epoch));
                *reached = cursors::position_of(connection, &name)?.max(*reached);
            }
            // The cursor follows what the destination holds, backwards too, so it has the last word on its epoch.
            let epoch = cursors::position_of(connection, &epoch_cursor(stream.as_str()))?;
            if let Ok(epoch) = u32::try_from(epoch) {
                through.insert(epoch, cursors::position_of(connection, stream.as_str())?);
            }
            Ok(through)
        })
    }
}

/// The part of a query that a filter makes: parameters 2 to 4 are the sink and the span.
pub(super) fn conditions(sink: &str, at: &str) -> String {
    format!("(?2 IS NULL OR {sink} = ?2 OR substr({sink}, 1, length(?2) + 1) = ?2 || '.') AND {at} >= ?3 AND {at} < ?4")
}

/// Runs a listing of a filter: `sql` has the row number, sink, span and limit as parameters 1 to 5.
pub(super) fn listed<T>(
    connection: &Connection,
    sql: &str,
    filter: &EgressFilter,
    from: Place,
    limit: usize,
    mut read: impl FnMut(&rusqlite::Row<'_>) -> Result<T, StoreError>,
) -> Result<Vec<T>, StoreError> {
    let mut statement = connection.prepare(sql)?;
    let span = (filter.from(), filter.to());
    let limit = position(limit as u64);
    let mut rows = statement.query(params![position(from.row()), filter.sink, span.0, span.1, limit])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(read(row)?);
    }
    Ok(found)
}

fn read(signed: &SignedPage) -> Result<Page, StoreError> {
    read_page(&signed.bytes).map_err(|fault| {
        StoreError::Damaged(format!("page {}/{}/{}: {fault}", signed.stream, signed.epoch, signed.seq))
    })
}

fn page_left(row: u64, signed: &SignedPage, acknowledged: bool) -> Result<PageLeft, StoreError> {
    let page = read(signed)?;
    Ok(PageLeft {
        row,
        sink: page.stream,
        epoch: page.epoch,
        seq: page.seq,
        created_at: page.created_at,
        kind: page.kind.as_str(),
        records: page.records.len(),
        bytes: signed.bytes.len(),
        hash: signed.hash,
        acknowledged,
        policy: page.policy,
        reveals: page.reveals,
    })
}
