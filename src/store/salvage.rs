//! Reading what can be read of a damaged table, row by row.
//!
//! A damaged page hides its own rows; what stands before it is read ascending, what stands after it descending, and
//! where more than one page is damaged the room between is halved until it is small or too much was tried. Each row is
//! checked as far as it can be before it is taken: checksums of blobs, hashes of pages, the form of records.

use std::collections::BinaryHeap;

use rusqlite::types::{Value, ValueRef};
use rusqlite::{Connection, Row, Statement, ToSql, params_from_iter};

use super::commit::CHECKPOINT_CODEC;
use super::error::StoreError;
use super::{block, chunk, envelope, span};
use crate::ledger::page;
use crate::model::fact::Facts;
use crate::model::record::WindowRecord;
use crate::model::time::Timestamp;

/// Seeks into one table beyond a damaged page, at most: each costs a few reads.
const SEEKS_MAX: usize = 4_000;

/// What became of one table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Salvaged {
    /// Its name.
    pub table: String,
    /// Rows that were taken over.
    pub recovered: u64,
    /// Rows that could be read and are not what was written.
    pub unsound: u64,
    /// Rows that are gone, as far as it can be told: from an undamaged index, or from numbers without a gap.
    pub lost: Option<u64>,
    /// Nothing in its way was damaged.
    pub is_whole: bool,
}

/// How the rows of a table are found.
struct Shape {
    name: String,
    columns: Vec<String>,
    /// Columns of the primary key of a table without row numbers.
    key: Option<Vec<String>>,
}

/// Copies what can be read of each table of `to`, which is new and empty, from the damaged `from`.
pub(super) fn copy(from: &Connection, to: &Connection) -> Result<Vec<Salvaged>, StoreError> {
    let mut salvaged = Vec::new();
    for shape in shapes(to)? {
        salvaged.push(Copying::new(from, to, &shape)?.run()?);
    }
    Ok(salvaged)
}

fn shapes(connection: &Connection) -> Result<Vec<Shape>, StoreError> {
    let mut statement =
        connection.prepare("SELECT name, sql FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")?;
    let tables = statement.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?)))?;
    let mut shapes = Vec::new();
    for table in tables {
        let (name, sql) = table?;
        let columns = columns(connection, &name)?;
        let key = sql.contains("WITHOUT ROWID").then(|| {
            let mut key: Vec<&(String, i64)> = columns.iter().filter(|(_, place)| *place > 0).collect();
            key.sort_by_key(|(_, place)| *place);
            key.into_iter().map(|(name, _)| name.clone()).collect()
        });
        shapes.push(Shape { name, columns: columns.into_iter().map(|(name, _)| name).collect(), key });
    }
    Ok(shapes)
}

/// Returns the columns of a table with their places in its key, 0 for those that aren't in it.
fn columns(connection: &Connection, table: &str) -> Result<Vec<(String, i64)>, StoreError> {
    let mut statement = connection.prepare("SELECT name, pk FROM pragma_table_info(?1) ORDER BY cid")?;
    let columns = statement.query_map([table], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(columns.collect::<Result<_, _>>()?)
}

struct Copying<'c> {
    from: &'c Connection,
    insert: Statement<'c>,
    /// What is selected, quoted.
    selected: String,
    shape: &'c Shape,
    columns: Vec<String>,
    recovered: u64,
    unsound: u64,
    is_whole: bool,
    seeks: usize,
}

impl<'c> Copying<'c> {
    fn new(from: &'c Connection, to: &'c Connection, shape: &'c Shape) -> Result<Self, StoreError> {
        // An older schema lacks columns, which then get their default; a damaged one may lack them all.
        let known = columns(from, &shape.name);
        let is_whole = known.is_ok();
        let known = known.unwrap_or_default();
        let columns: Vec<String> =
            shape.columns.iter().filter(|name| known.iter().any(|(known, _)| known == *name)).cloned().collect();
        let quoted: Vec<String> = columns.iter().map(|name| format!("\"{name}\"")).collect();
        let selected = quoted.join(", ");
        let places: Vec<String> = (1..=columns.len()).map(|place| format!("?{place}")).collect();
        let sql = match columns.is_empty() {
            true => format!("INSERT OR IGNORE INTO \"{}\" DEFAULT VALUES", shape.name),
            false => format!("INSERT OR IGNORE INTO \"{}\" ({selected}) VALUES ({})", shape.name, places.join(", ")),
        };
        let insert = to.prepare(&sql)?;
        Ok(Self { from, insert, selected, shape, columns, recovered: 0, unsound: 0, is_whole, seeks: 0 })
    }

    fn run(mut self) -> Result<Salvaged, StoreError> {
        if !self.columns.is_empty() {
            match &self.shape.key {
                None => self.by_number()?,
                Some(key) => self.by_key(&key.join("\", \""))?,
            }
        }
        let lost = match self.is_whole && self.unsound == 0 {
            true => Some(0),
            false => self.due().map(|due| due.saturating_sub(self.recovered)),
        };
        let Self { recovered, unsound, is_whole, .. } = self;
        Ok(Salvaged { table: self.shape.name.clone(), recovered, unsound, lost, is_whole })
    }

    /// Returns how many rows there were: SQLite counts in an index where there is one.
    fn due(&self) -> Option<u64> {
        let sql = format!("SELECT count(*) FROM \"{}\"", self.shape.name);
        self.from.query_row(&sql, [], |row| row.get::<_, i64>(0)).ok().map(i64::unsigned_abs)
    }

    fn by_number(&mut self) -> Result<(), StoreError> {
        let all = (-1, i64::MAX);
        let Some(low) = self.scan(all, "ASC")? else { return Ok(()) };
        self.is_whole = false;
        let high = match self.scan((low, i64::MAX), "DESC")? {
            Some(high) if high < i64::MAX => high,
            // The last page is damaged too: where the rows end is unknown.
            _ => return Ok(()),
        };
        // The widest room first: it is the likeliest to hold something.
        let mut rooms: BinaryHeap<(i64, i64)> = [(high.saturating_sub(low), low)].into();
        while let Some((width, low)) = rooms.pop().filter(|(width, _)| *width > 1 && self.seeks < SEEKS_MAX) {
            let (high, middle) = (low + width, low + width / 2);
            for (from, to) in [(low, middle + 1), (middle, high)] {
                if to - from >= width {
                    continue;
                }
                let Some(first) = self.scan((from, to), "ASC")? else { continue };
                let last = self.scan((first, to), "DESC")?.unwrap_or(first);
                rooms.push((last.saturating_sub(first), first));
            }
        }
        Ok(())
    }

    fn by_key(&mut self, key: &str) -> Result<(), StoreError> {
        let (selected, table) = (&self.selected, &self.shape.name);
        let ascending = format!("SELECT {selected} FROM \"{table}\" ORDER BY \"{key}\"");
        let descending =
            format!("SELECT {selected} FROM \"{table}\" ORDER BY \"{}\" DESC", key.replace("\", \"", "\" DESC, \""));
        let from = self.from;
        if !self.read(from, &ascending, [], |_| ())? {
            self.is_whole = false;
            self.read(from, &descending, [], |_| ())?;
        }
        Ok(())
    }

    /// Takes the rows with numbers between two others, which are excluded. Returns the number before the place where
    /// reading failed, seen in its direction; `None` where it didn't.
    fn scan(&mut self, (low, high): (i64, i64), order: &str) -> Result<Option<i64>, StoreError> {
        self.seeks += 1;
        let sql = format!(
            "SELECT {}, rowid FROM \"{}\" WHERE rowid > ?1 AND rowid < ?2 ORDER BY rowid {order}",
            self.selected, self.shape.name
        );
        let mut last = if order == "ASC" { low } else { high };
        let (from, place) = (self.from, self.columns.len());
        let is_whole = self.read(from, &sql, [low, high], |row| last = row.get(place).unwrap_or(last))?;
        Ok((!is_whole).then_some(last))
    }

    /// Takes what a query returns until it fails; says whether it didn't.
    fn read<const N: usize>(
        &mut self,
        from: &Connection,
        sql: &str,
        parameters: [i64; N],
        mut seen: impl FnMut(&Row<'_>),
    ) -> Result<bool, StoreError> {
        let Ok(mut statement) = from.prepare(sql) else { return Ok(false) };
        let Ok(mut rows) = statement.query(params_from_iter(parameters)) else { return Ok(false) };
        loop {
            match rows.next() {
                Ok(Some(row)) => {
                    seen(row);
                    self.take(row)?;
                }
                Ok(None) => return Ok(true),
                Err(_) => return Ok(false),
            }
        }
    }

    fn take(&mut self, row: &Row<'_>) -> Result<(), StoreError> {
        let values: Result<Vec<Value>, _> = (0..self.columns.len()).map(|place| row.get(place)).collect();
        let Ok(values) = values else {
            self.unsound += 1;
            return Ok(());
        };
        if !is_sound(&self.shape.name, &self.columns, row) {
            self.unsound += 1;
            return Ok(());
        }
        let parameters = values.iter().map(|value| value as &dyn ToSql);
        match self.insert.execute(params_from_iter(parameters)).map_err(StoreError::from) {
            Ok(inserted) => self.recovered += inserted as u64,
            // A value of another type than its column's: not what was written.
            Err(StoreError::Contradiction(_) | StoreError::Sqlite(_)) => self.unsound += 1,
            Err(error) => return Err(error),
        }
        Ok(())
    }
}

/// Says whether what a row holds is what was written, as far as it says so itself.
fn is_sound(table: &str, columns: &[String], row: &Row<'_>) -> bool {
    let place = |name: &str| columns.iter().position(|column| column == name);
    let value = |name: &str| place(name).and_then(|place| row.get_ref(place).ok());
    let blob = |name: &str| match value(name) {
        Some(ValueRef::Blob(bytes)) => Some(bytes),
        _ => None,
    };
    match table {
        "staging" => blob("block").is_some_and(|block| block::decode(block, Timestamp(0)).is_ok()),
        "chunks" => blob("columns").is_some_and(|columns| chunk::decode(columns).is_ok()),
        "spans" => blob("frame").is_some_and(|frame| span::decode(frame).is_ok()),
        "checkpoint" => {
            blob("state").is_some_and(|state| envelope::open(CHECKPOINT_CODEC, state, "checkpoint").is_ok())
        }
        "facts" => blob("facts").is_some_and(|facts| Facts::from_bytes(facts).is_some()),
        "records" => match value("body") {
            Some(ValueRef::Text(body)) => serde_json::from_slice::<WindowRecord>(body).is_ok(),
            _ => false,
        },
        "pages" => match (blob("bytes"), blob("hash")) {
            (Some(bytes), Some(hash)) => page::hash(bytes).0 == hash,
            _ => false,
        },
        _ => true,
    }
}
