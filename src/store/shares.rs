//! Shares that are wider than what was agreed: what the configuration asked for, who confirmed it for the factory, and
//! which commit cut its policy page. Names stay in this table.

use std::path::Path;

use rusqlite::{Connection, Row, TransactionBehavior, params};

use super::connection::Place;
use super::error::StoreError;
use super::reader::Reader;
use super::statements::Word;
use super::{Store, pages, position};
use crate::ledger::share::Share;
use crate::ledger::verify::read_page;
use crate::model::id::{Digest, StreamName};
use crate::model::time::Timestamp;

/// Schema that has these rows.
const SCHEMA: u32 = 4;

/// Longest name that is kept. **Unit**: characters.
const PERSON_MAX: usize = 200;

/// A share that was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AskedShare {
    /// Its number.
    pub id: i64,
    /// The stream, which has the name of its sink.
    pub stream: StreamName,
    /// What was asked for.
    pub share: Share,
    /// Since when the configuration asked; plant time.
    pub asked_at: Timestamp,
    /// Since when the configuration no longer asks; `None` while it does.
    pub withdrawn_at: Option<Timestamp>,
    /// Who confirmed it for the factory, and when; `None` while it waits.
    pub confirmed: Option<Word>,
    /// The commit that cut its policy page; `None` before.
    pub taken_by: Option<u64>,
}

impl AskedShare {
    /// Says whether it waits for the factory's word.
    pub const fn is_waiting(&self) -> bool {
        self.withdrawn_at.is_none() && self.confirmed.is_none()
    }
}

/// Why nothing was confirmed.
#[derive(Debug, thiserror::Error)]
pub enum Unconfirmed {
    /// Nothing waits there.
    #[error("nothing waits for confirmation in stream {0}")]
    Nothing(StreamName),
    /// Something else waits than what was seen.
    #[error("what waits in stream {stream} is share {waiting}, not {seen}: look at it and confirm again")]
    Other {
        /// The stream.
        stream: StreamName,
        /// Digest of what waits.
        waiting: Digest,
        /// Digest of what was to be confirmed.
        seen: Digest,
    },
    /// Nobody says so.
    #[error("a confirmation names the person who gives it, in 1 to {PERSON_MAX} characters")]
    Nobody,
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<rusqlite::Error> for Unconfirmed {
    fn from(error: rusqlite::Error) -> Self {
        Self::Store(error.into())
    }
}

/// The place where the factory's word is written down, beside a running box or without one.
#[derive(Debug)]
pub struct Confirmations {
    connection: Connection,
}

impl Confirmations {
    /// Opens the database in `dir`.
    ///
    /// # Errors
    /// [`StoreError::Io`] where there is none, [`StoreError::Older`] where this program has not opened it yet.
    pub fn open(dir: &Path) -> Result<Self, StoreError> {
        Self::at(&Place::Directory(dir.to_owned()))
    }

    pub(super) fn at(place: &Place) -> Result<Self, StoreError> {
        let connection = place.open_second_writer()?;
        let found: u32 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
        if found < SCHEMA { Err(StoreError::Older { found, needed: SCHEMA }) } else { Ok(Self { connection }) }
    }

    /// Confirms what waits in a stream, and returns it; the next commit of the box cuts its policy page. `seen` is the
    /// digest of what the person looked at.
    ///
    /// # Errors
    /// [`Unconfirmed`]; nothing is written down then.
    pub fn confirm(
        &mut self,
        stream: &StreamName,
        seen: Option<Digest>,
        person: &str,
        now: Timestamp,
    ) -> Result<AskedShare, Unconfirmed> {
        let person = person.trim();
        if person.is_empty() || person.chars().count() > PERSON_MAX {
            return Err(Unconfirmed::Nobody);
        }
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let waiting = read(&transaction, "stream = ?1 AND withdrawn_at IS NULL AND person IS NULL", [stream.as_str()])?;
        let Some(waiting) = waiting.into_iter().next_back() else { return Err(Unconfirmed::Nothing(stream.clone())) };
        if let Some(seen) = seen.filter(|seen| *seen != waiting.share.digest()) {
            let stream = stream.clone();
            return Err(Unconfirmed::Other { stream, waiting: waiting.share.digest(), seen });
        }
        transaction.execute(
            "UPDATE shares SET person = ?2, confirmed_at = ?3 WHERE id = ?1",
            params![waiting.id, person, now.0],
        )?;
        transaction.commit()?;
        Ok(AskedShare { confirmed: Some(Word { person: person.to_owned(), at: now }), ..waiting })
    }
}

impl Reader {
    /// Opens the place where the factory's word is written down, on a connection of its own.
    ///
    /// # Errors
    /// Those of opening a connection.
    pub fn confirmations(&self) -> Result<Confirmations, StoreError> {
        Confirmations::at(self.place())
    }

    /// Returns every share that was asked for beyond what was agreed, in the order in which that began.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] where a row can't be read.
    pub fn asked_shares(&self) -> Result<Vec<AskedShare>, StoreError> {
        self.with(|connection| read(connection, "true", []))
    }

    /// Returns what the last policy page of a stream states; `None` where there is no such page.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] where the page is none.
    pub fn stated_share(&self, stream: &StreamName) -> Result<Option<Share>, StoreError> {
        let Some((_, signed)) = self.with(|connection| pages::policy_page(connection, stream))? else {
            return Ok(None);
        };
        let damaged = |fault| StoreError::Damaged(format!("page {}/{} of {stream}: {fault}", signed.epoch, signed.seq));
        Ok(Share::stated(&read_page(&signed.bytes).map_err(damaged)?))
    }
}

impl Store {
    /// Keeps what each stream asks for beyond what was agreed, so that it can be confirmed: new rows wait, and rows that
    /// nobody asks for any longer are withdrawn, whether confirmed or not.
    ///
    /// # Errors
    /// See [`StoreError::decision`]; nothing is changed then.
    pub fn ask(&mut self, wanted: &[(&StreamName, &Share)], now: Timestamp) -> Result<(), StoreError> {
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let open = read(&transaction, "taken_by IS NULL AND withdrawn_at IS NULL", [])?;
        let is_of =
            |row: &AskedShare, (stream, share): &(&StreamName, &Share)| row.stream == **stream && row.share == **share;
        for row in open.iter().filter(|row| !wanted.iter().any(|one| is_of(row, one))) {
            transaction.execute("UPDATE shares SET withdrawn_at = ?2 WHERE id = ?1", params![row.id, now.0])?;
        }
        for one in wanted.iter().filter(|one| !open.iter().any(|row| is_of(row, one))) {
            let text = serde_json::to_string(one.1).map_err(|error| StoreError::Contradiction(error.to_string()))?;
            transaction.execute(
                "INSERT INTO shares (stream, share, asked_at) VALUES (?1, ?2, ?3)",
                params![one.0.as_str(), text, now.0],
            )?;
        }
        Ok(transaction.commit()?)
    }

    /// Returns the shares that were confirmed and whose policy page no commit has cut. Cheap to call for each commit.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] where a row can't be read.
    pub fn confirmed_shares(&self) -> Result<Vec<AskedShare>, StoreError> {
        read(&self.connection, "taken_by IS NULL AND withdrawn_at IS NULL AND person IS NOT NULL", [])
    }
}

/// Notes which commit cut the policy pages of confirmed shares.
pub(super) fn note(connection: &Connection, seq: u64, taken: &[i64]) -> Result<(), StoreError> {
    for id in taken {
        connection.execute("UPDATE shares SET taken_by = ?2 WHERE id = ?1", params![id, position(seq)])?;
    }
    Ok(())
}

fn read(
    connection: &Connection,
    condition: &str,
    parameters: impl rusqlite::Params,
) -> Result<Vec<AskedShare>, StoreError> {
    let mut statement = connection.prepare(&format!(
        "SELECT id, stream, share, asked_at, withdrawn_at, person, confirmed_at, taken_by FROM shares
         WHERE {condition} ORDER BY id"
    ))?;
    let mut rows = statement.query(parameters)?;
    let mut shares = Vec::new();
    while let Some(row) = rows.next()? {
        shares.push(asked(row)?);
    }
    Ok(shares)
}

fn asked(row: &Row<'_>) -> Result<AskedShare, StoreError> {
    let (id, stream, share): (i64, String, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
    let damaged = |error: String| StoreError::Damaged(format!("share {id}: {error}"));
    let (person, at): (Option<String>, Option<i64>) = (row.get(5)?, row.get(6)?);
    Ok(AskedShare {
        id,
        stream: StreamName::new(&stream).map_err(|error| damaged(error.to_string()))?,
        share: serde_json::from_str(&share).map_err(|error| damaged(error.to_string()))?,
        asked_at: Timestamp(row.get(3)?),
        withdrawn_at: row.get::<_, Option<i64>>(4)?.map(Timestamp),
        confirmed: person.zip(at).map(|(person, at)| Word { person, at: Timestamp(at) }),
        taken_by: row.get::<_, Option<i64>>(7)?.map(i64::unsigned_abs),
    })
}

#[cfg(test)]
mod tests {
    use super::{AskedShare, Share, StreamName, Timestamp, Unconfirmed};
    use crate::ledger::fixture::{measures_of, policy};
    use crate::model::id::Digest;
    use crate::model::record::Level;
    use crate::store::{Commit, Store};

    fn store() -> Store {
        Store::open_in_memory(&[], Digest::ZERO, "").unwrap()
    }

    fn name() -> StreamName {
        StreamName::new("hepza").unwrap()
    }

    fn wide(level: Level) -> Share {
        let mut policy = policy();
        policy.level = level;
        Share::of(&policy, measures_of)
    }

    fn open(store: &Store) -> Vec<AskedShare> {
        store.reader().asked_shares().unwrap().into_iter().filter(AskedShare::is_waiting).collect()
    }

    #[test]
    fn what_is_asked_for_waits_once_however_often_it_is_asked_for() {
        let mut store = store();
        for at in [1, 2] {
            store.ask(&[(&name(), &wide(Level::Line))], Timestamp(at)).unwrap();
        }
        let waiting = open(&store);
        assert_eq!((waiting.len(), waiting[0].asked_at, &waiting[0].share), (1, Timestamp(1), &wide(Level::Line)));
        assert_eq!(store.confirmed_shares().unwrap(), []);
    }

    #[test]
    fn a_confirmed_share_is_handed_out_until_a_commit_took_it() {
        let mut store = store();
        store.ask(&[(&name(), &wide(Level::Line))], Timestamp(1)).unwrap();
        let mut confirmations = store.reader().confirmations().unwrap();
        let confirmed =
            confirmations.confirm(&name(), Some(wide(Level::Line).digest()), " Lê An ", Timestamp(2)).unwrap();
        let word = confirmed.confirmed.clone().unwrap();
        assert_eq!((word.person.as_str(), word.at), ("Lê An", Timestamp(2)));
        store.ask(&[(&name(), &wide(Level::Line))], Timestamp(3)).unwrap();
        assert_eq!(store.confirmed_shares().unwrap(), std::slice::from_ref(&confirmed));
        let again = confirmations.confirm(&name(), None, "Lê An", Timestamp(4));
        assert!(matches!(again, Err(Unconfirmed::Nothing(_))), "{again:?}");
        let seq = store.commit(&Commit { shares: &[confirmed.id], ..Commit::default() }).unwrap();
        assert_eq!(store.confirmed_shares().unwrap(), []);
        assert_eq!(store.reader().asked_shares().unwrap()[0].taken_by, Some(seq));
    }

    #[test]
    fn what_nobody_asks_for_any_longer_cannot_be_confirmed_and_a_confirmation_of_it_counts_no_more() {
        let mut store = store();
        store.ask(&[(&name(), &wide(Level::Line))], Timestamp(1)).unwrap();
        let mut confirmations = store.reader().confirmations().unwrap();
        confirmations.confirm(&name(), None, "An", Timestamp(2)).unwrap();
        store.ask(&[(&name(), &wide(Level::Unit))], Timestamp(3)).unwrap();
        assert_eq!(store.confirmed_shares().unwrap(), [], "another share was asked for meanwhile");
        let seen = wide(Level::Line).digest();
        let other = confirmations.confirm(&name(), Some(seen), "An", Timestamp(4)).unwrap_err().to_string();
        assert!(other.starts_with("what waits in stream hepza is share "), "{other}");
        store.ask(&[], Timestamp(5)).unwrap();
        assert!(matches!(confirmations.confirm(&name(), None, "An", Timestamp(6)), Err(Unconfirmed::Nothing(_))));
        assert!(open(&store).is_empty());
    }

    #[test]
    fn a_confirmation_without_a_name_is_none() {
        let mut store = store();
        store.ask(&[(&name(), &wide(Level::Line))], Timestamp(1)).unwrap();
        let mut confirmations = store.reader().confirmations().unwrap();
        for nobody in ["", "  ", &"x".repeat(201)] {
            assert!(matches!(confirmations.confirm(&name(), None, nobody, Timestamp(2)), Err(Unconfirmed::Nobody)));
        }
        assert_eq!(open(&store).len(), 1);
    }
}
