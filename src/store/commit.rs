//! The one transaction: everything a turn of the pipeline decided, or nothing of it.

use rusqlite::{Connection, TransactionBehavior, params};

use super::envelope;
use super::error::StoreError;
use super::{Store, block, clock, facts, pages, position, records, shares, statements, swaps};
use crate::ledger::page::SignedPage;
use crate::model::fact::FactRow;
use crate::model::record::{ClockState, WindowRecord};
use crate::model::sample::SampleBatch;
use crate::model::statement::Statement;
use crate::model::swap::{Swap, SwapOutcome};
use crate::model::time::Timestamp;

/// Codec of a checkpoint's envelope. What is inside is the engine's, with a version of its own.
pub(super) const CHECKPOINT_CODEC: u8 = 1;

/// Batches in one commit, at most: their position is kept in 16 bits. The pipeline's inbox holds far fewer.
pub(super) const BATCHES_MAX: usize = 1 << 16;

/// Everything one turn of the pipeline decided.
#[derive(Debug, Clone, Copy, Default)]
pub struct Commit<'a> {
    /// Plant time of the turn; replay advances the engine to it.
    pub now: Timestamp,
    /// How far the clock could be trusted.
    pub clock: ClockState,
    /// Told swaps that the engine took before the samples.
    pub swaps: &'a [Swap],
    /// What became of told swaps, these or earlier ones.
    pub swap_outcomes: &'a [(i64, SwapOutcome)],
    /// Statements that waited and that the engine took before the samples.
    pub statements: &'a [Statement],
    /// The samples, in arrival order.
    pub batches: &'a [SampleBatch],
    /// Facts of closed minutes. A row that is there already is replaced.
    pub facts: &'a [FactRow],
    /// Facts of minutes that had closed before, computed again: each replaces the stored row.
    pub corrections: &'a [FactRow],
    /// Records for the log, in this order.
    pub records: &'a [WindowRecord],
    /// Pages cut from these records, each continuing its stream.
    pub pages: &'a [SignedPage],
    /// Confirmed shares whose policy pages are among them.
    pub shares: &'a [i64],
    /// The engine's state after this turn, where it is due.
    pub checkpoint: Option<&'a [u8]>,
}

impl Store {
    /// Writes a commit in one transaction and returns its sequence number, from 1 without gaps. When this returns,
    /// the commit has reached the disk and sources may acknowledge.
    ///
    /// # Errors
    /// See [`StoreError::decision`]. The store is unchanged, and the next commit gets the same number.
    pub fn commit(&mut self, commit: &Commit<'_>) -> Result<u64, StoreError> {
        let seq = self.last_seq + 1;
        let samples: usize = commit.batches.iter().map(|batch| batch.samples.len()).sum();
        let samples_total = self.samples_total + samples as u64;
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        transaction.execute(
            "INSERT INTO commits (seq, now, config, samples_total) VALUES (?1, ?2, ?3, ?4)",
            params![position(seq), commit.now.0, self.tags.config(), position(samples_total)],
        )?;
        if self.clock_state != Some(commit.clock) {
            clock::note(&transaction, seq, commit.now, commit.clock)?;
        }
        swaps::note(&transaction, seq, commit.swaps, commit.swap_outcomes)?;
        statements::note(&transaction, seq, commit.statements)?;
        statements::file(&transaction, seq, commit.now, commit.batches)?;
        block::stage(&transaction, &self.tags, seq, commit.batches)?;
        facts::replace(&transaction, commit.facts)?;
        facts::replace(&transaction, commit.corrections)?;
        records::append(&transaction, commit.now, commit.records)?;
        pages::append(&transaction, commit.now, commit.pages)?;
        shares::note(&transaction, seq, commit.shares)?;
        if let Some(state) = commit.checkpoint {
            write_checkpoint(&transaction, seq, state)?;
        }
        transaction.commit()?;
        self.clock_state = Some(commit.clock);
        self.last_seq = seq;
        self.samples_total = samples_total;
        Ok(seq)
    }
}

fn write_checkpoint(connection: &Connection, seq: u64, state: &[u8]) -> Result<(), StoreError> {
    connection.execute(
        "INSERT INTO checkpoint (id, commit_seq, state) VALUES (1, ?1, ?2)
         ON CONFLICT (id) DO UPDATE SET commit_seq = excluded.commit_seq, state = excluded.state",
        params![position(seq), envelope::seal(CHECKPOINT_CODEC, state)],
    )?;
    Ok(())
}
