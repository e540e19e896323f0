//! What was sent to whom, and how it was answered: the exchange log of all sinks.

use std::collections::BTreeMap;

use rusqlite::{Connection, Row, params};

use super::cursors::{self, Cursors};
use super::egress::{self, EgressFilter, Place};
use super::error::StoreError;
use super::position;
use super::reader::Reader;
use crate::model::id::Digest;
use crate::model::time::Timestamp;

const COLUMNS: &str = "id, sink, at, destination, what, first, last, name, epoch, bytes, hash, outcome, answer";

/// What kind of thing an exchange carried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cargo {
    /// Signed pages; positions are page numbers.
    Pages,
    /// Records of the log; positions are log numbers.
    Records,
    /// Raw samples; positions are commit numbers.
    Samples,
    /// How the box is; without positions.
    Status,
    /// A file; positions are the destination's own.
    File,
}

impl Cargo {
    /// Returns the name that is stored and shown.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pages => "pages",
            Self::Records => "records",
            Self::Samples => "samples",
            Self::Status => "status",
            Self::File => "file",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        [Self::Pages, Self::Records, Self::Samples, Self::Status, Self::File]
            .into_iter()
            .find(|cargo| cargo.as_str() == text)
    }
}

/// How an exchange ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The destination holds what was sent.
    Acknowledged,
    /// The destination won't take it as it is.
    Refused,
    /// Nobody knows: no whole answer, or one that asks to come again. It is sent again.
    Failed,
}

impl Outcome {
    /// Returns the name that is shown.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Acknowledged => "acknowledged",
            Self::Refused => "refused",
            Self::Failed => "failed",
        }
    }

    const fn code(self) -> i64 {
        match self {
            Self::Acknowledged => 1,
            Self::Refused => 2,
            Self::Failed => 3,
        }
    }

    fn from_code(code: i64) -> Option<Self> {
        [Self::Acknowledged, Self::Refused, Self::Failed].into_iter().find(|outcome| outcome.code() == code)
    }
}

/// One exchange of a sink with its destination.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exchange {
    /// The sink's name.
    pub sink: String,
    /// When sending began; plant time.
    pub at: Timestamp,
    /// Host and port; never a path, a user or a secret.
    pub destination: String,
    /// What was carried.
    pub cargo: Cargo,
    /// First position that was sent.
    pub first: u64,
    /// Last position that was sent.
    pub last: u64,
    /// Name of a file; `None` for the rest.
    pub name: Option<String>,
    /// Epoch of pages; `None` for the rest.
    pub epoch: Option<u32>,
    /// Size of the content before compression. **Unit**: bytes.
    pub bytes: u64,
    /// SHA-256 of the content before compression.
    pub hash: Digest,
    /// How it ended.
    pub outcome: Outcome,
    /// The destination's words, or what became of the connection.
    pub answer: String,
}

impl Cursors {
    /// Writes down an exchange and, in the same transaction, moves its sink's cursor to `moved_to` where there is one.
    ///
    /// # Errors
    /// [`StoreError::decision`] says whether to try again; neither of the two is done then.
    pub fn exchanged(&mut self, exchange: &Exchange, moved_to: Option<u64>) -> Result<(), StoreError> {
        let transaction = self.connection.transaction()?;
        insert(&transaction, exchange)?;
        if let Some(to) = moved_to {
            cursors::set(&transaction, &exchange.sink, to)?;
        }
        Ok(transaction.commit()?)
    }
}

impl Reader {
    /// Returns up to `limit` exchanges with a number above `after`, ascending, with their numbers; of one sink or of all.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] where a row can't be read.
    pub fn exchanges(&self, sink: Option<&str>, after: u64, limit: usize) -> Result<Vec<(u64, Exchange)>, StoreError> {
        self.with(|connection| read(connection, sink, after, limit))
    }
}

fn insert(connection: &Connection, exchange: &Exchange) -> Result<(), StoreError> {
    connection.execute(
        "INSERT INTO exchanges (sink, at, destination, what, first, last, name, epoch, bytes, hash, outcome, answer)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
        params![
            exchange.sink,
            exchange.at.0,
            exchange.destination,
            exchange.cargo.as_str(),
            position(exchange.first),
            position(exchange.last),
            exchange.name,
            exchange.epoch,
            position(exchange.bytes),
            exchange.hash.0,
            exchange.outcome.code(),
            exchange.answer,
        ],
    )?;
    Ok(())
}

fn read(
    connection: &Connection,
    sink: Option<&str>,
    after: u64,
    limit: usize,
) -> Result<Vec<(u64, Exchange)>, StoreError> {
    let mut statement = connection.prepare(&format!(
        "SELECT {COLUMNS} FROM exchanges WHERE id > ?2 AND (?1 IS NULL OR sink = ?1) ORDER BY id LIMIT ?3"
    ))?;
    let mut rows = statement.query(params![sink, position(after), position(limit as u64)])?;
    let mut exchanges = Vec::new();
    while let Some(row) = rows.next()? {
        exchanges.push((row.get::<_, i64>(0)?.unsigned_abs(), exchange_of(row)?));
    }
    Ok(exchanges)
}

/// Returns exchanges of all sinks by the order in which they ended, with their rows.
pub(super) fn listed(
    connection: &Connection,
    filter: &EgressFilter,
    from: Place,
    limit: usize,
) -> Result<Vec<(u64, Exchange)>, StoreError> {
    let (beyond, order) = from.sql();
    let conditions = egress::conditions("sink", "at");
    let sql = format!("SELECT {COLUMNS} FROM exchanges WHERE {beyond} AND {conditions} ORDER BY {order} LIMIT ?5");
    egress::listed(connection, &sql, filter, from, limit, |row| {
        Ok((row.get::<_, i64>(0)?.unsigned_abs(), exchange_of(row)?))
    })
}

/// Returns the sinks that have exchanges, and their second cursors.
pub(super) fn sinks(connection: &Connection) -> Result<Vec<String>, StoreError> {
    let mut statement = connection.prepare("SELECT DISTINCT sink FROM exchanges")?;
    let rows = statement.query_map([], |row| row.get(0))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Returns by epoch the last position that a sink's destination acknowledged.
pub(super) fn acknowledged(
    connection: &Connection,
    sink: &str,
    cargo: Cargo,
) -> Result<BTreeMap<u32, u64>, StoreError> {
    let mut statement = connection.prepare(
        "SELECT epoch, max(last) FROM exchanges
         WHERE sink = ?1 AND what = ?2 AND outcome = ?3 AND epoch IS NOT NULL GROUP BY epoch",
    )?;
    let rows = statement.query_map(params![sink, cargo.as_str(), Outcome::Acknowledged.code()], |row| {
        Ok((row.get(0)?, row.get::<_, i64>(1)?.unsigned_abs()))
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn exchange_of(row: &Row<'_>) -> Result<Exchange, StoreError> {
    let number = |column| row.get::<_, i64>(column).map(i64::unsigned_abs);
    let (what, code): (String, i64) = (row.get(4)?, row.get(11)?);
    let damaged = || StoreError::Damaged(format!("an exchange carries \"{what}\" and ended with {code}"));
    Ok(Exchange {
        sink: row.get(1)?,
        at: Timestamp(row.get(2)?),
        destination: row.get(3)?,
        cargo: Cargo::parse(&what).ok_or_else(damaged)?,
        first: number(5)?,
        last: number(6)?,
        name: row.get(7)?,
        epoch: row.get(8)?,
        bytes: number(9)?,
        hash: Digest(row.get(10)?),
        outcome: Outcome::from_code(code).ok_or_else(damaged)?,
        answer: row.get(12)?,
    })
}

#[cfg(test)]
mod tests {
    use super::{Cargo, Exchange, Outcome};
    use crate::model::id::Digest;
    use crate::model::time::Timestamp;
    use crate::store::{Commit, Store};

    fn exchange(sink: &str, first: u64, outcome: Outcome) -> Exchange {
        Exchange {
            sink: sink.to_owned(),
            at: Timestamp(1_000),
            destination: "hub.example.gov.vn:443".to_owned(),
            cargo: Cargo::Pages,
            first,
            last: first + 2,
            name: None,
            epoch: Some(1),
            bytes: 1_234,
            hash: Digest([3; 32]),
            outcome,
            answer: "201".to_owned(),
        }
    }

    #[test]
    fn exchanges_are_listed_in_their_order_of_one_sink_or_of_all() {
        let mut store = Store::open_in_memory(&[], Digest::ZERO, "").unwrap();
        store.commit(&Commit::default()).unwrap();
        let mut cursors = store.cursors().unwrap();
        let all = [
            exchange("hepza", 1, Outcome::Failed),
            exchange("floor", 7, Outcome::Refused),
            exchange("hepza", 1, Outcome::Acknowledged),
        ];
        for each in &all {
            cursors.exchanged(each, None).unwrap();
        }
        let reader = store.reader();
        let listed = |sink, after| -> Vec<Exchange> {
            reader.exchanges(sink, after, 10).unwrap().into_iter().map(|(_, exchange)| exchange).collect()
        };
        assert_eq!(listed(None, 0), all);
        assert_eq!(listed(Some("hepza"), 0), [all[0].clone(), all[2].clone()]);
        assert_eq!(listed(None, 2), [all[2].clone()]);
    }

    #[test]
    fn a_cursor_moves_with_the_exchange_that_moved_it() {
        let store = Store::open_in_memory(&[], Digest::ZERO, "").unwrap();
        let mut cursors = store.cursors().unwrap();
        cursors.exchanged(&exchange("hepza", 4, Outcome::Failed), None).unwrap();
        assert_eq!(cursors.get("hepza").unwrap(), 0);
        cursors.exchanged(&exchange("hepza", 4, Outcome::Acknowledged), Some(6)).unwrap();
        assert_eq!(cursors.get("hepza").unwrap(), 6);
    }
}
