//! Retention: what is too old goes, and what no longer fits under the cap.
//!
//! The order when the cap is reached: samples, oldest first; then facts and the log of exchanges, oldest first; then
//! records; pages never. Each step is one bounded transaction between commits, and every removal is counted and dated in
//! the same transaction. Room is used again by what comes next; the file itself never shrinks.
//!
//! What never goes: commits that a restart still reads, the newest span, facts and records of the last
//! [`CORRECTED_DAYS`], pages, statements, configurations.

use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior, params};

use super::cursors::position_of;
use super::error::StoreError;
use super::journal::{self, meta, set_meta};
use super::span::{self, Frame};
use super::{Reader, Store, position};
use crate::model::time::{MINUTE_MS, Timestamp};

/// Name in `meta` of the newest commit whose samples were removed.
pub(super) const REMOVED_THROUGH: &str = "removed_through";
/// Name in `meta` of that commit's plant time: samples that were measured before it may be gone.
const REMOVED_UNTIL: &str = "removed_until";
/// Name in `meta` of why it was removed, for its chunks that are still to go.
const REMOVED_WHY: &str = "removed_why";

/// Chunks that one step removes, at most: some 1.3 MB.
const STEP_CHUNKS: u32 = 256;
/// Records or exchanges that one step removes, at most.
const STEP_ROWS: u32 = 1_000;
/// Minutes of facts that one step removes of each asset, at most.
const STEP_FACTS_MS: i64 = 60 * MINUTE_MS;

/// Facts and records of so many days stay in any case: a month may be corrected for 35 days after its end.
const CORRECTED_DAYS: u32 = 70;

/// Once the cap is reached, so much of it is made free. **Unit**: parts of 100.
const FREED_PERCENT: u64 = 2;

/// How often ages are looked at. **Unit**: ms of plant time.
const AGES_EVERY_MS: i64 = 10 * MINUTE_MS;

const DAY_MS: i64 = 24 * 60 * MINUTE_MS;

/// How long what is kept, and how much.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retention {
    /// What the database may hold. **Unit**: bytes.
    pub cap_bytes: u64,
    /// Days that samples are kept.
    pub raw_days: u32,
    /// Days that facts of minutes are kept.
    pub facts_days: u32,
    /// Days that the log of exchanges is kept; of exchanges that carried samples as long as those.
    pub exchanges_days: u32,
    /// Cursors over the record log: what they haven't had when it is removed is listed as not delivered.
    pub record_sinks: Vec<String>,
}

/// Why something was removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// It was older than its kind is kept.
    Age,
    /// The cap was reached.
    Cap,
}

impl Why {
    /// Returns the name that is stored and shown.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Age => "age",
            Self::Cap => "cap",
        }
    }

    fn parse(text: &str) -> Result<Self, StoreError> {
        [Self::Age, Self::Cap]
            .into_iter()
            .find(|why| why.as_str() == text)
            .ok_or_else(|| StoreError::Damaged(format!("something was removed because of \"{text}\"")))
    }

    const fn code(self) -> u64 {
        match self {
            Self::Age => 1,
            Self::Cap => 2,
        }
    }
}

/// What was removed of one kind on one day for one reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Removal {
    /// `samples`, `facts`, `exchanges` or `records`.
    pub what: String,
    /// Why.
    pub why: Why,
    /// The oldest instant of it.
    pub from: Timestamp,
    /// The newest instant of it.
    pub to: Timestamp,
    /// How many samples, minutes of an asset, exchanges or records.
    pub rows: u64,
    /// Size of their content, as stored. **Unit**: bytes.
    pub bytes: u64,
    /// When the last of it was removed; plant time.
    pub at: Timestamp,
}

/// What one step removes.
struct Removed {
    what: &'static str,
    from: i64,
    to: i64,
    rows: u64,
    bytes: u64,
}

/// What is remembered between steps.
#[derive(Debug, Default)]
pub(super) struct Retaining {
    pub(super) policy: Option<Retention>,
    /// The cap was reached, and not enough is free yet.
    pub(super) is_relieving: bool,
    /// When ages were looked at last, with nothing found.
    ages_seen: Option<Timestamp>,
}

impl Store {
    /// Says how long what is kept, and how much. Without it everything is kept.
    pub fn retain_by(&mut self, policy: Retention) {
        self.retaining.policy = Some(policy);
    }

    /// Returns the cap; `None` where everything is kept. **Unit**: bytes.
    pub fn cap_bytes(&self) -> Option<u64> {
        self.retaining.policy.as_ref().map(|policy| policy.cap_bytes)
    }

    /// Removes what is too old and what is beyond the cap, one bounded step a call, in a transaction of its own; says
    /// whether it removed something. Call it between commits, again while it says so. Where `is_clock_trusted` is
    /// false nothing is called too old: a clock that runs ahead must not empty the store.
    ///
    /// # Errors
    /// Nothing was removed; the caller commits on and tries again later.
    pub fn retain(&mut self, now: Timestamp, is_clock_trusted: bool) -> Result<bool, StoreError> {
        let Some(policy) = self.retaining.policy.clone() else { return Ok(false) };
        if self.remove_chunks(now)? {
            return Ok(true);
        }
        let is_due = self.retaining.ages_seen.is_none_or(|seen| now.ms_since(seen).abs() >= AGES_EVERY_MS);
        if is_clock_trusted && is_due {
            if self.remove_aged(now, &policy)? {
                return Ok(true);
            }
            self.retaining.ages_seen = Some(now);
        }
        let used = used_bytes(&self.connection)?;
        let enough = policy.cap_bytes - policy.cap_bytes / 100 * FREED_PERCENT;
        self.retaining.is_relieving = used >= policy.cap_bytes || (self.retaining.is_relieving && used > enough);
        if !self.retaining.is_relieving {
            return Ok(false);
        }
        Ok(self.remove_samples(now, i64::MAX, Why::Cap)?
            || self.remove_older(now)?
            || self.remove_records(now, &policy)?)
    }

    /// Returns the instant before which samples may have been removed; the minimum where none were.
    ///
    /// # Errors
    /// Those of a read.
    pub fn kept_from(&self) -> Result<Timestamp, StoreError> {
        match meta(&self.connection, REMOVED_UNTIL)? {
            0 => Ok(Timestamp(i64::MIN)),
            until => Ok(Timestamp(position(until))),
        }
    }

    fn remove_aged(&mut self, now: Timestamp, policy: &Retention) -> Result<bool, StoreError> {
        let before = |days: u32| now.0 - i64::from(days) * DAY_MS;
        let (raw, facts, exchanges) = (policy.raw_days, policy.facts_days, policy.exchanges_days);
        Ok(self.remove_samples(now, before(raw), Why::Age)?
            || self.remove_facts(now, before(facts), Why::Age)?
            || self.remove_exchanges(now, before(raw.min(exchanges)), "what = 'samples'", Why::Age)?
            || self.remove_exchanges(now, before(exchanges), "TRUE", Why::Age)?)
    }

    /// Facts or exchanges, whichever of them reaches further back.
    fn remove_older(&mut self, now: Timestamp) -> Result<bool, StoreError> {
        let oldest = |sql| self.connection.query_row(sql, [], |row| row.get::<_, Option<i64>>(0)).optional();
        let facts = oldest_minute(&self.connection)?;
        let exchange = oldest("SELECT at FROM exchanges ORDER BY id LIMIT 1")?.flatten();
        let floor = now.0 - i64::from(CORRECTED_DAYS) * DAY_MS;
        let is_facts_first = facts.is_some_and(|facts| exchange.is_none_or(|exchange| facts <= exchange));
        if is_facts_first && self.remove_facts(now, floor, Why::Cap)? {
            return Ok(true);
        }
        Ok(self.remove_exchanges(now, i64::MAX, "TRUE", Why::Cap)? || self.remove_facts(now, floor, Why::Cap)?)
    }

    /// Gives up the oldest span where all of it is before `before`: its commits are gone with this step, their chunks
    /// with the next ones.
    fn remove_samples(&mut self, now: Timestamp, before: i64, why: Why) -> Result<bool, StoreError> {
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let Some((first, last, frames)) = oldest_span(&transaction)? else { return Ok(false) };
        let until = frames.iter().map(|frame| frame.now).max().unwrap_or(i64::MAX);
        if until >= before {
            return Ok(false);
        }
        let cap = self.retaining.policy.as_ref().map_or(0, |policy| policy.cap_bytes);
        for sink in &self.holding_sinks {
            let cursor = position_of(&transaction, sink)?;
            if cursor >= last {
                continue;
            }
            if why == Why::Age {
                // Age waits for whoever hasn't had them; the cap doesn't.
                return Ok(false);
            }
            let lost =
                (first..).zip(&frames).filter(|(seq, _)| *seq > cursor).map(|(_, frame)| samples_of(frame)).sum();
            note_loss(&transaction, sink, "samples of commits", (first.max(cursor + 1), last), lost, cap, now)?;
        }
        transaction.execute("DELETE FROM spans WHERE first_seq = ?1", [position(first)])?;
        set_meta(&transaction, REMOVED_THROUGH, last)?;
        let known = meta(&transaction, REMOVED_UNTIL)?;
        set_meta(&transaction, REMOVED_UNTIL, known.max(until.max(0).unsigned_abs()))?;
        set_meta(&transaction, REMOVED_WHY, why.code())?;
        transaction.commit()?;
        Ok(true)
    }

    /// Removes some chunks of which every commit was given up.
    fn remove_chunks(&mut self, now: Timestamp) -> Result<bool, StoreError> {
        let through = meta(&self.connection, REMOVED_THROUGH)?;
        if through == 0 {
            return Ok(false);
        }
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut removed = Removed { what: "samples", from: i64::MAX, to: i64::MIN, rows: 0, bytes: 0 };
        let mut chunks: Vec<i64> = Vec::new();
        let mut statement = transaction.prepare(
            "SELECT id, first_at, last_at, samples - dropped, length(columns) FROM chunks WHERE last_seq <= ?1
             ORDER BY last_seq LIMIT ?2",
        )?;
        let mut rows = statement.query(params![position(through), STEP_CHUNKS])?;
        while let Some(row) = rows.next()? {
            chunks.push(row.get(0)?);
            (removed.from, removed.to) = (removed.from.min(row.get(1)?), removed.to.max(row.get(2)?));
            removed.rows += row.get::<_, i64>(3)?.unsigned_abs();
            removed.bytes += row.get::<_, i64>(4)?.unsigned_abs();
        }
        drop(rows);
        drop(statement);
        if chunks.is_empty() {
            return Ok(false);
        }
        for chunk in chunks {
            transaction.execute("DELETE FROM chunks WHERE id = ?1", [chunk])?;
        }
        let why = if meta(&transaction, REMOVED_WHY)? == Why::Age.code() { Why::Age } else { Why::Cap };
        note(&transaction, &removed, why, now)?;
        transaction.commit()?;
        Ok(true)
    }

    fn remove_facts(&mut self, now: Timestamp, before: i64, why: Why) -> Result<bool, StoreError> {
        let Some(oldest) = oldest_minute(&self.connection)?.filter(|oldest| *oldest < before) else { return Ok(false) };
        let until = before.min(oldest.saturating_add(STEP_FACTS_MS));
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut removed = Removed { what: "facts", from: oldest, to: oldest, rows: 0, bytes: 0 };
        for asset in assets(&transaction)? {
            let mut statement = transaction
                .prepare("DELETE FROM facts WHERE asset = ?1 AND minute < ?2 RETURNING minute, length(facts)")?;
            let mut rows = statement.query(params![asset, until])?;
            while let Some(row) = rows.next()? {
                removed.to = removed.to.max(row.get(0)?);
                removed.rows += 1;
                removed.bytes += row.get::<_, i64>(1)?.unsigned_abs();
            }
        }
        note(&transaction, &removed, why, now)?;
        transaction.commit()?;
        Ok(true)
    }

    fn remove_exchanges(&mut self, now: Timestamp, before: i64, of: &str, why: Why) -> Result<bool, StoreError> {
        // The newest one stays, so that no number is given twice.
        let sql = format!(
            "DELETE FROM exchanges WHERE id IN (SELECT id FROM exchanges WHERE {of} AND at < ?1
                 AND id < (SELECT max(id) FROM exchanges) ORDER BY at LIMIT ?2)
             RETURNING at, length(answer) + length(destination) + length(sink) + 80"
        );
        self.remove_rows(now, "exchanges", &sql, before, why)
    }

    fn remove_records(&mut self, now: Timestamp, policy: &Retention) -> Result<bool, StoreError> {
        let before = now.0 - i64::from(CORRECTED_DAYS) * DAY_MS;
        let range: (Option<i64>, Option<i64>, i64) = self.connection.query_row(
            "SELECT min(log_seq), max(log_seq), count(*) FROM (SELECT log_seq FROM records WHERE \"end\" < ?1
                 AND log_seq < (SELECT max(log_seq) FROM records)
                 AND log_seq < (SELECT min(log_seq) FROM records) + 10000 ORDER BY log_seq LIMIT ?2)",
            params![before, STEP_ROWS],
            |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
        )?;
        let (Some(first), Some(last), _) = range else { return Ok(false) };
        let (first, last) = (first.unsigned_abs(), last.unsigned_abs());
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        for sink in &policy.record_sinks {
            let cursor = position_of(&transaction, sink)?;
            let lost: i64 = transaction.query_row(
                "SELECT count(*) FROM (SELECT log_seq FROM records WHERE \"end\" < ?1 AND log_seq <= ?2) WHERE log_seq > ?3",
                params![before, position(last), position(cursor)],
                |row| row.get(0),
            )?;
            if lost > 0 {
                let range = (first.max(cursor + 1), last);
                note_loss(&transaction, sink, "records", range, lost.unsigned_abs(), policy.cap_bytes, now)?;
            }
        }
        let mut removed = Removed { what: "records", from: i64::MAX, to: i64::MIN, rows: 0, bytes: 0 };
        let mut statement = transaction.prepare(
            "DELETE FROM records WHERE \"end\" < ?1 AND log_seq <= ?2 RETURNING start, \"end\", length(body) + 120",
        )?;
        let mut rows = statement.query(params![before, position(last)])?;
        while let Some(row) = rows.next()? {
            (removed.from, removed.to) = (removed.from.min(row.get(0)?), removed.to.max(row.get(1)?));
            removed.rows += 1;
            removed.bytes += row.get::<_, i64>(2)?.unsigned_abs();
        }
        drop(rows);
        drop(statement);
        note(&transaction, &removed, Why::Cap, now)?;
        transaction.commit()?;
        Ok(true)
    }

    fn remove_rows(
        &mut self,
        now: Timestamp,
        what: &'static str,
        sql: &str,
        before: i64,
        why: Why,
    ) -> Result<bool, StoreError> {
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut removed = Removed { what, from: i64::MAX, to: i64::MIN, rows: 0, bytes: 0 };
        let mut statement = transaction.prepare(sql)?;
        let mut rows = statement.query(params![before, STEP_ROWS])?;
        while let Some(row) = rows.next()? {
            let at: i64 = row.get(0)?;
            (removed.from, removed.to) = (removed.from.min(at), removed.to.max(at));
            removed.rows += 1;
            removed.bytes += row.get::<_, i64>(1)?.unsigned_abs();
        }
        drop(rows);
        drop(statement);
        if removed.rows == 0 {
            return Ok(false);
        }
        note(&transaction, &removed, why, now)?;
        transaction.commit()?;
        Ok(true)
    }
}

impl Reader {
    /// Returns what was removed, the newest day first, at most `limit` entries.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] where a row can't be read.
    pub fn removals(&self, limit: usize) -> Result<Vec<Removal>, StoreError> {
        self.with(|connection| {
            let mut statement = connection.prepare(
                "SELECT what, why, from_at, to_at, rows, bytes, at FROM removals ORDER BY day DESC, at DESC, what LIMIT ?1",
            )?;
            let mut rows = statement.query([position(limit as u64)])?;
            let mut removals = Vec::new();
            while let Some(row) = rows.next()? {
                removals.push(Removal {
                    what: row.get(0)?,
                    why: Why::parse(&row.get::<_, String>(1)?)?,
                    from: Timestamp(row.get(2)?),
                    to: Timestamp(row.get(3)?),
                    rows: row.get::<_, i64>(4)?.unsigned_abs(),
                    bytes: row.get::<_, i64>(5)?.unsigned_abs(),
                    at: Timestamp(row.get(6)?),
                });
            }
            Ok(removals)
        })
    }

    /// Returns how many of a kind were ever removed: of `samples`, `facts`, `exchanges` or `records`.
    ///
    /// # Errors
    /// Those of a read.
    pub fn removed(&self, what: &str) -> Result<u64, StoreError> {
        self.with(|connection| {
            let rows: Option<i64> =
                connection.query_row("SELECT sum(rows) FROM removals WHERE what = ?1", [what], |row| row.get(0))?;
            Ok(rows.unwrap_or(0).unsigned_abs())
        })
    }

    /// Returns what the database holds, without room that is free in it. **Unit**: bytes.
    ///
    /// # Errors
    /// Those of a read.
    pub fn used_bytes(&self) -> Result<u64, StoreError> {
        self.with(used_bytes)
    }
}

fn used_bytes(connection: &Connection) -> Result<u64, StoreError> {
    let bytes: i64 = connection.query_row(
        "SELECT (page_count - freelist_count) * page_size
         FROM pragma_page_count(), pragma_freelist_count(), pragma_page_size()",
        [],
        |row| row.get(0),
    )?;
    Ok(bytes.unsigned_abs())
}

/// Returns the oldest span and its frames, unless it is the newest too or a restart reads it.
fn oldest_span(connection: &Connection) -> Result<Option<(u64, u64, Vec<Frame>)>, StoreError> {
    let restart = journal::checkpoint_seq(connection)?;
    let found: Option<(i64, i64, Vec<u8>)> = connection
        .query_row(
            "SELECT first_seq, last_seq, frame FROM spans WHERE first_seq = (SELECT min(first_seq) FROM spans)
             AND first_seq < (SELECT max(first_seq) FROM spans) AND last_seq <= ?1",
            [position(restart)],
            |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
        )
        .optional()?;
    found.map(|(first, last, frame)| Ok((first.unsigned_abs(), last.unsigned_abs(), span::decode(&frame)?))).transpose()
}

fn samples_of(frame: &Frame) -> u64 {
    frame.batches.iter().map(|batch| u64::from(batch.samples)).sum()
}

/// Returns the assets that have facts, by the index: no row of any of them is read but the first.
fn assets(connection: &Connection) -> Result<Vec<String>, StoreError> {
    let mut assets: Vec<String> = Vec::new();
    let mut statement = connection.prepare("SELECT min(asset) FROM facts WHERE asset > ?1")?;
    loop {
        let after = assets.last().map_or("", String::as_str);
        let next: Option<String> = statement.query_row([after], |row| row.get(0))?;
        match next {
            Some(asset) => assets.push(asset),
            None => return Ok(assets),
        }
    }
}

fn oldest_minute(connection: &Connection) -> Result<Option<i64>, StoreError> {
    let mut oldest: Option<i64> = None;
    let mut statement = connection.prepare("SELECT min(minute) FROM facts WHERE asset = ?1")?;
    for asset in assets(connection)? {
        let minute: Option<i64> = statement.query_row([asset], |row| row.get(0))?;
        oldest = oldest.into_iter().chain(minute).min();
    }
    Ok(oldest)
}

/// Counts and dates a removal.
fn note(transaction: &Transaction<'_>, removed: &Removed, why: Why, now: Timestamp) -> Result<(), StoreError> {
    transaction.execute(
        "INSERT INTO removals (day, what, why, from_at, to_at, rows, bytes, at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
         ON CONFLICT (day, what, why) DO UPDATE SET from_at = min(from_at, excluded.from_at),
             to_at = max(to_at, excluded.to_at), rows = rows + excluded.rows, bytes = bytes + excluded.bytes,
             at = excluded.at",
        params![
            now.0.div_euclid(DAY_MS),
            removed.what,
            why.as_str(),
            removed.from,
            removed.to,
            position(removed.rows),
            position(removed.bytes),
            now.0,
        ],
    )?;
    Ok(())
}

/// Lists what a sink will never get as not delivered; one entry a day, which grows.
fn note_loss(
    transaction: &Transaction<'_>,
    sink: &str,
    what: &str,
    (first, last): (u64, u64),
    lost: u64,
    cap: u64,
    now: Timestamp,
) -> Result<(), StoreError> {
    let reason = format!("removed before it was sent: the store had reached its cap of {cap} bytes");
    let open: Option<(i64, i64, i64)> = transaction
        .query_row(
            "DELETE FROM undeliverable WHERE sink = ?1 AND reason = ?2 AND at > ?3 AND instr(what, ?4) > 0
             RETURNING position, CAST(what AS INTEGER), at",
            params![sink, reason, now.0 - DAY_MS, what],
            |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
        )
        .optional()?;
    let (first, before, since) =
        open.map_or((first, 0, now.0), |(first, before, since)| (first.unsigned_abs(), before.unsigned_abs(), since));
    transaction.execute(
        "INSERT INTO undeliverable (sink, position, what, reason, at) VALUES (?1, ?2, ?3, ?4, ?5)",
        params![sink, position(first), format!("{} {what} {first} to {last}", before + lost), reason, since],
    )?;
    Ok(())
}
