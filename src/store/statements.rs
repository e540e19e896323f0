//! Statements: what people and systems said, who said it, and which commit took it.
//!
//! A statement waits here until a commit takes it, so that it can be written down beside a running box or without one.
//! What came by a source is in the commit of its batch. Names stay in this table: the journal gives them to nobody.

use std::collections::BTreeMap;
use std::path::Path;

use rusqlite::{Connection, ErrorCode, OptionalExtension, Row, TransactionBehavior, params};
use unicode_normalization::UnicodeNormalization;

use super::connection::Place;
use super::error::StoreError;
use super::position;
use crate::model::context::{Context, ContextEvent};
use crate::model::declared::Declared;
use crate::model::id::AssetId;
use crate::model::sample::SampleBatch;
use crate::model::statement::{Said, Statement};
use crate::model::time::Timestamp;

/// The schema that has the table.
const SCHEMA: u32 = 3;

/// Declarations that are taken within [`DECLARED_WITHIN_MS`], at most, withdrawn ones too: twenty a day. The engine keeps
/// each of them in its state for as long, so they bound it; the next is refused with the limit named.
const DECLARATIONS_MAX: i64 = 10_000;

/// The time in which [`DECLARATIONS_MAX`] are counted, 18 months. **Unit**: ms.
const DECLARED_WITHIN_MS: i64 = 548 * 86_400_000;

/// A person's word on something, and when it was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Word {
    /// Whose. Stays on the box.
    pub person: String,
    /// When.
    pub at: Timestamp,
}

/// A declaration with everything that was said of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Declaration {
    /// Its number.
    pub id: i64,
    /// What was declared.
    pub declared: Declared,
    /// Who entered it.
    pub entered: Word,
    /// The second person's approval; `None` before it.
    pub approved: Option<Word>,
    /// Who took it back; `None` where nobody did.
    pub withdrawn: Option<Word>,
    /// The approved declaration that stands in its place.
    pub replaced_by: Option<i64>,
}

/// Where a declaration stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Entered; a second person has to approve it before it counts.
    Waiting,
    /// It counts.
    Approved,
    /// Another one stands in its place.
    Replaced,
    /// It was taken back.
    Withdrawn,
}

impl Standing {
    /// Returns the name used in JSON and in lists.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Approved => "approved",
            Self::Replaced => "replaced",
            Self::Withdrawn => "withdrawn",
        }
    }
}

impl Declaration {
    /// Returns where it stands.
    pub const fn standing(&self) -> Standing {
        match self {
            Self { withdrawn: Some(_), .. } => Standing::Withdrawn,
            Self { replaced_by: Some(_), .. } => Standing::Replaced,
            Self { approved: Some(_), .. } => Standing::Approved,
            _ => Standing::Waiting,
        }
    }
}

/// Why something that was said isn't written down.
#[derive(Debug, thiserror::Error)]
pub enum Unsaid {
    /// There is no declaration of that number.
    #[error("there is no declaration {0}")]
    Unknown(i64),
    /// The same was declared before.
    #[error("the same is declared already, as {0}: withdraw or replace that one, or name another document")]
    Same(i64),
    /// Whoever entered it can't approve it.
    #[error("declaration {0} was entered by the same person: a second person has to approve it")]
    SamePerson(i64),
    /// It can't be approved or withdrawn any more.
    #[error("declaration {of} is {standing} already", standing = standing.as_str())]
    Settled {
        /// Which.
        of: i64,
        /// Where it stands.
        standing: Standing,
    },
    /// So many were declared that another one is not taken.
    #[error(
        "{0} declarations were entered within 18 months, and no more are taken: declare a quantity for a month in place of \
         single deliveries"
    )]
    Full(i64),
    /// No name.
    #[error("say who says so: the person's name is empty")]
    Nobody,
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<rusqlite::Error> for Unsaid {
    fn from(error: rusqlite::Error) -> Self {
        Self::Store(error.into())
    }
}

/// What became of an event of production context, with the number of its statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    /// It is written down.
    New(i64),
    /// It was written down before.
    Before(i64),
    /// Another event was written down under its id.
    Otherwise(i64),
}

/// The place where statements are written down and looked up.
#[derive(Debug)]
pub struct Statements {
    pub(super) connection: Connection,
}

impl Statements {
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

    /// Writes down what needs no second person, such as context; `person` is `None` where a machine says it. Returns
    /// its number.
    ///
    /// # Errors
    /// Those of a write; nothing is written down then.
    pub fn say(&mut self, said: &Said, person: Option<&str>, at: Timestamp) -> Result<i64, StoreError> {
        let row = NewRow { said, identity: None, person, at, came: None };
        insert(&self.connection, &row)
    }

    /// Writes down an event of production context and returns its number. One with an id that its asset was told before
    /// isn't written again: the number is that of the first, and whether both are the same event.
    ///
    /// # Errors
    /// Those of a write; nothing is written down then.
    pub fn tell(&mut self, event: &ContextEvent, person: Option<&str>, at: Timestamp) -> Result<Told, StoreError> {
        let said = Said::Context(event.clone());
        // A withdrawal is another statement about the same event.
        let kind = if event.what == Context::Withdrawn { "withdrawn" } else { "told" };
        let identity = event.id.as_ref().map(|id| format!("context {kind} {} {id}", event.asset));
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        if let Some(identity) = &identity {
            let held = "SELECT id, said FROM statements WHERE identity = ?1";
            if let Some(held) = transaction.query_row(held, [identity], |row| Ok(read(row))).optional()? {
                let held = held?;
                return Ok(if held.said == said { Told::Before(held.id) } else { Told::Otherwise(held.id) });
            }
        }
        let row = NewRow { said: &said, identity: identity.as_deref(), person, at, came: None };
        let id = insert(&transaction, &row)?;
        transaction.commit()?;
        Ok(Told::New(id))
    }

    /// Writes down a declaration and returns its number. It waits for a second person's approval.
    ///
    /// # Errors
    /// [`Unsaid::Same`] where the same is declared already and stands, [`Unsaid::Full`] beyond 10,000 within 18 months;
    /// nothing is written down then.
    pub fn declare(&mut self, declared: &Declared, person: &str, at: Timestamp) -> Result<i64, Unsaid> {
        let person = named(person)?;
        let said = Said::Declared(declared.clone());
        let identity = text(&said)?;
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        if let Some(old) = declared.replaces {
            let standing = find(&transaction, old)?.ok_or(Unsaid::Unknown(old))?.standing();
            if matches!(standing, Standing::Withdrawn | Standing::Replaced) {
                return Err(Unsaid::Settled { of: old, standing });
            }
        }
        let same = "SELECT id FROM statements WHERE identity = ?1";
        if let Some(id) = transaction.query_row(same, [&identity], |row| row.get(0)).optional()? {
            return Err(Unsaid::Same(id));
        }
        let recent = "SELECT count(*) FROM statements WHERE kind = 'declared' AND told_at > ?1";
        let held: i64 = transaction.query_row(recent, [at.0.saturating_sub(DECLARED_WITHIN_MS)], |row| row.get(0))?;
        if held >= DECLARATIONS_MAX {
            return Err(Unsaid::Full(held));
        }
        let row = NewRow { said: &said, identity: Some(&identity), person: Some(person), at, came: None };
        let id = insert(&transaction, &row)?;
        transaction.commit()?;
        Ok(id)
    }

    /// Writes down that a second person approves a declaration.
    ///
    /// # Errors
    /// [`Unsaid::SamePerson`] where the name is that of whoever entered it, upper and lower case, spaces and the way its letters were typed aside;
    /// [`Unsaid::Settled`] where it was approved, replaced or withdrawn before.
    pub fn approve(&mut self, of: i64, person: &str, at: Timestamp) -> Result<i64, Unsaid> {
        let person = named(person)?;
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let declaration = find(&transaction, of)?.ok_or(Unsaid::Unknown(of))?;
        if declaration.standing() != Standing::Waiting {
            return Err(Unsaid::Settled { of, standing: declaration.standing() });
        }
        if is_same_person(&declaration.entered.person, person) {
            return Err(Unsaid::SamePerson(of));
        }
        if let Some(old) = declaration.declared.replaces {
            let standing = find(&transaction, old)?.ok_or(Unsaid::Unknown(old))?.standing();
            if matches!(standing, Standing::Withdrawn | Standing::Replaced) {
                return Err(Unsaid::Settled { of: old, standing });
            }
            forget_identity(&transaction, old)?;
        }
        let said = Said::Approved { of };
        let id = insert(&transaction, &NewRow { said: &said, identity: None, person: Some(person), at, came: None })?;
        transaction.commit()?;
        Ok(id)
    }

    /// Writes down that a declaration is taken back, approved or not.
    ///
    /// # Errors
    /// [`Unsaid::Settled`] where it was withdrawn or replaced before.
    pub fn withdraw(&mut self, of: i64, person: &str, at: Timestamp) -> Result<i64, Unsaid> {
        let person = named(person)?;
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let standing = find(&transaction, of)?.ok_or(Unsaid::Unknown(of))?.standing();
        if matches!(standing, Standing::Withdrawn | Standing::Replaced) {
            return Err(Unsaid::Settled { of, standing });
        }
        forget_identity(&transaction, of)?;
        let said = Said::Withdrawn { of };
        let id = insert(&transaction, &NewRow { said: &said, identity: None, person: Some(person), at, came: None })?;
        transaction.commit()?;
        Ok(id)
    }

    /// Returns up to `limit` events of production context whose number is above `after`, ascending.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] where a row can't be read.
    pub fn contexts(&self, after: i64, limit: usize) -> Result<Vec<(i64, ContextEvent)>, StoreError> {
        contexts(&self.connection, after, None, limit)
    }

    /// Returns every declaration, by number.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] where a row can't be read.
    pub fn declarations(&self) -> Result<Vec<Declaration>, StoreError> {
        declarations(&self.connection, None)
    }

    /// Returns one declaration; `None` where there is none of that number.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] where it can't be read.
    pub fn declaration(&self, id: i64) -> Result<Option<Declaration>, StoreError> {
        find(&self.connection, id)
    }
}

/// Returns a name without the spaces around it.
fn named(person: &str) -> Result<&str, Unsaid> {
    let person = person.trim();
    if person.is_empty() { Err(Unsaid::Nobody) } else { Ok(person) }
}

/// Says whether two names are one, upper and lower case and everything but letters and digits aside. A letter with its
/// marks is one however it was typed: composed, or followed by them.
fn is_same_person(one: &str, other: &str) -> bool {
    let letters = |name: &str| -> String {
        name.nfkc().filter(|letter| letter.is_alphanumeric()).flat_map(char::to_lowercase).collect()
    };
    letters(one) == letters(other)
}

/// Returns the statements that no commit has taken, in the order they were written down.
pub(super) fn waiting(connection: &Connection) -> Result<Vec<Statement>, StoreError> {
    let mut statement = connection.prepare("SELECT id, said FROM statements WHERE taken_by IS NULL ORDER BY id")?;
    let mut rows = statement.query([])?;
    let mut statements = Vec::new();
    while let Some(row) = rows.next()? {
        statements.push(read(row)?);
    }
    Ok(statements)
}

/// What one commit took.
#[derive(Debug, Default)]
pub(super) struct Taken {
    /// What had waited, in the order it was heard.
    pub(super) waited: Vec<Statement>,
    /// What batches brought, by their position in the commit, in that order.
    pub(super) brought: BTreeMap<usize, Vec<ContextEvent>>,
}

/// Returns what the commits of `first..=last` took, by commit.
pub(super) fn taken(connection: &Connection, first: u64, last: u64) -> Result<BTreeMap<u64, Taken>, StoreError> {
    let mut statement = connection
        .prepare("SELECT id, said, taken_by, batch FROM statements WHERE taken_by BETWEEN ?1 AND ?2 ORDER BY id")?;
    let mut rows = statement.query([position(first), position(last)])?;
    let mut commits: BTreeMap<u64, Taken> = BTreeMap::new();
    while let Some(row) = rows.next()? {
        let taken = commits.entry(row.get::<_, i64>(2)?.unsigned_abs()).or_default();
        let batch: Option<u32> = row.get(3)?;
        match (batch, read(row)?) {
            (Some(batch), Statement { said: Said::Context(event), .. }) => {
                taken.brought.entry(batch as usize).or_default().push(event);
            }
            (_, statement) => taken.waited.push(statement),
        }
    }
    Ok(commits)
}

/// Notes which commit took which statements.
pub(super) fn note(connection: &Connection, seq: u64, taken: &[Statement]) -> Result<(), StoreError> {
    for statement in taken {
        connection
            .execute("UPDATE statements SET taken_by = ?2 WHERE id = ?1", params![statement.id, position(seq)])?;
    }
    Ok(())
}

/// Writes down what the batches of a commit tell, as taken by it.
pub(super) fn file(
    connection: &Connection,
    seq: u64,
    now: Timestamp,
    batches: &[SampleBatch],
) -> Result<(), StoreError> {
    for (place, batch) in (0..).zip(batches) {
        for event in &batch.context {
            let said = Said::Context(event.clone());
            insert(
                connection,
                &NewRow { said: &said, identity: None, person: None, at: now, came: Some((seq, place)) },
            )?;
        }
    }
    Ok(())
}

/// Returns up to `limit` events of production context whose number is above `after`, ascending; of one asset or of all.
pub(super) fn contexts(
    connection: &Connection,
    after: i64,
    asset: Option<&AssetId>,
    limit: usize,
) -> Result<Vec<(i64, ContextEvent)>, StoreError> {
    let mut statement = connection.prepare(
        "SELECT id, said FROM statements WHERE kind = 'context' AND id > ?1
         AND (?2 IS NULL OR said ->> '$.context.asset' = ?2) ORDER BY id LIMIT ?3",
    )?;
    let mut rows = statement.query(params![after, asset.map(AssetId::as_str), position(limit as u64)])?;
    let mut events = Vec::new();
    while let Some(row) = rows.next()? {
        if let Statement { id, said: Said::Context(event) } = read(row)? {
            events.push((id, event));
        }
    }
    Ok(events)
}

/// Returns every declaration, or the one of a number.
pub(super) fn declarations(connection: &Connection, id: Option<i64>) -> Result<Vec<Declaration>, StoreError> {
    let mut statement = connection.prepare(
        "SELECT s.id, s.said, s.person, s.told_at, a.person, a.told_at, w.person, w.told_at,
                (SELECT max(n.id) FROM statements n JOIN statements na ON na.of = n.id AND na.kind = 'approved'
                 WHERE n.replaces = s.id)
         FROM statements s
         LEFT JOIN statements a ON a.of = s.id AND a.kind = 'approved'
         LEFT JOIN statements w ON w.of = s.id AND w.kind = 'withdrawn'
         WHERE s.kind = 'declared' AND (?1 IS NULL OR s.id = ?1) ORDER BY s.id",
    )?;
    let mut rows = statement.query([id])?;
    let mut declarations = Vec::new();
    while let Some(row) = rows.next()? {
        declarations.push(declaration(row)?);
    }
    Ok(declarations)
}

fn find(connection: &Connection, id: i64) -> Result<Option<Declaration>, StoreError> {
    Ok(declarations(connection, Some(id))?.pop())
}

fn declaration(row: &Row<'_>) -> Result<Declaration, StoreError> {
    let Statement { id, said } = read(row)?;
    let Said::Declared(declared) = said else {
        return Err(StoreError::Damaged(format!("statement {id} is not the declaration it is filed as")));
    };
    let word = |person: usize, at: usize| -> Result<Option<Word>, StoreError> {
        let at: Option<i64> = row.get(at)?;
        let person: Option<String> = row.get(person)?;
        Ok(at.map(|at| Word { person: person.unwrap_or_default(), at: Timestamp(at) }))
    };
    let entered = word(2, 3)?.ok_or_else(|| StoreError::Damaged(format!("statement {id} has no time")))?;
    Ok(Declaration { id, declared, entered, approved: word(4, 5)?, withdrawn: word(6, 7)?, replaced_by: row.get(8)? })
}

/// A row before it has a number.
struct NewRow<'a> {
    said: &'a Said,
    identity: Option<&'a str>,
    person: Option<&'a str>,
    at: Timestamp,
    /// Commit and batch that brought it; `None` where it waits.
    came: Option<(u64, u32)>,
}

fn insert(connection: &Connection, row: &NewRow<'_>) -> Result<i64, StoreError> {
    let (of, replaces) = match row.said {
        Said::Context(_) => (None, None),
        Said::Declared(declared) => (None, declared.replaces),
        Said::Approved { of } | Said::Withdrawn { of } => (Some(*of), None),
    };
    let mut statement = connection.prepare(
        "INSERT INTO statements (kind, of, replaces, identity, said, person, told_at, taken_by, batch)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) RETURNING id",
    )?;
    let (kind, said) = (row.said.as_str(), text(row.said)?);
    let (taken_by, batch) = row.came.map(|(seq, batch)| (position(seq), batch)).unzip();
    let values = params![kind, of, replaces, row.identity, said, row.person, row.at.0, taken_by, batch];
    match statement.query_row(values, |row| row.get(0)) {
        Err(rusqlite::Error::SqliteFailure(error, _)) if error.code == ErrorCode::ConstraintViolation => {
            Err(StoreError::Contradiction(format!("a statement of kind {kind} names a declaration that isn't there")))
        }
        inserted => Ok(inserted?),
    }
}

/// What is withdrawn or replaced may be declared again.
fn forget_identity(connection: &Connection, id: i64) -> Result<(), StoreError> {
    connection.execute("UPDATE statements SET identity = NULL WHERE id = ?1", [id])?;
    Ok(())
}

fn text(said: &Said) -> Result<String, StoreError> {
    serde_json::to_string(said)
        .map_err(|error| StoreError::Contradiction(format!("a statement can't be written: {error}")))
}

fn read(row: &Row<'_>) -> Result<Statement, StoreError> {
    let id: i64 = row.get(0)?;
    let said = serde_json::from_str(row.get_ref(1)?.as_str().map_err(rusqlite::Error::from)?)
        .map_err(|error| StoreError::Damaged(format!("statement {id}: {error}")))?;
    Ok(Statement { id, said })
}
