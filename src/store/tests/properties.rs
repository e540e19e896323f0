//! Any sequence of commits, compactions and restarts gives back what was committed.

use std::collections::BTreeMap;

use proptest::prelude::{Just, Strategy, any, prop_assert, prop_assert_eq, prop_oneof, proptest};
use proptest::test_runner::{Config as ProptestConfig, TestCaseError};

use super::super::{Commit, JournalEntry, Reader, Store};
use super::{CONFIG, asset, pages, record, stream_name, tags};
use crate::ledger::page::SignedPage;
use crate::model::fact::{FactRow, Facts, Measure};
use crate::model::id::AssetId;
use crate::model::number::Number;
use crate::model::record::{ClockState, WindowRecord};
use crate::model::sample::{Quality, Sample, SampleBatch};
use crate::model::tag::{SourceIndex, TagIndex};
use crate::model::time::{MINUTE_MS, Timestamp};

/// One step of a life.
#[derive(Debug, Clone)]
enum Step {
    Commit(Turn),
    /// A commit that is refused at its end.
    Fail(Turn),
    Compact,
    Reopen,
}

/// What a commit carries; records and pages are numbered when it is made.
#[derive(Debug, Clone)]
struct Turn {
    now: i64,
    batches: Vec<SampleBatch>,
    facts: Vec<FactRow>,
    corrections: Vec<FactRow>,
    records: usize,
    checkpoint: Option<Vec<u8>>,
}

/// What a store must give back.
#[derive(Debug, Default)]
struct Model {
    journal: Vec<JournalEntry>,
    facts: BTreeMap<(AssetId, Timestamp), Facts>,
    records: Vec<WindowRecord>,
    pages: Vec<SignedPage>,
    checkpoint: Option<(Vec<u8>, u64)>,
}

fn number() -> impl Strategy<Value = Number> {
    prop_oneof![
        any::<f64>().prop_filter_map("finite", Number::finite),
        (-1_000..1_000_i32).prop_map(|tenths| Number::Float(f64::from(tenths) / 10.0)),
        any::<i64>().prop_map(|value| Number::Integer(value.into())),
        any::<u64>().prop_map(|value| Number::Integer(value.into())),
        any::<i128>().prop_map(Number::Integer),
        (0..9_i128).prop_map(|more| Number::Integer((1 << 53) + more)),
    ]
}

fn sample() -> impl Strategy<Value = Sample> {
    let measured_at = prop_oneof![0..100_000_i64, any::<i64>()];
    (0..3_u32, measured_at, proptest::option::weighted(0.9, number()), 0..Quality::ALL.len()).prop_map(
        |(tag, at, value, quality)| Sample {
            tag: TagIndex(tag),
            measured_at: Timestamp(at),
            value,
            quality: Quality::ALL[quality],
        },
    )
}

fn batch() -> impl Strategy<Value = SampleBatch> {
    (any::<u16>(), any::<u64>(), any::<i64>(), proptest::collection::vec(sample(), 0..12)).prop_map(
        |(source, delivery, received_at, samples)| SampleBatch {
            source: SourceIndex(source),
            delivery,
            received_at: Timestamp(received_at),
            samples,
            context: Vec::new(),
        },
    )
}

fn fact_rows() -> impl Strategy<Value = Vec<FactRow>> {
    let measures = proptest::collection::vec((0..Measure::ALL.len(), any::<i64>()), 0..4);
    let row = ("(site|line)", 0..4_i64, measures).prop_map(|(name, minute, measures)| FactRow {
        asset: asset(&name),
        minute: Timestamp(minute * MINUTE_MS),
        facts: measures.into_iter().map(|(measure, value)| (Measure::ALL[measure], value.into())).collect(),
    });
    proptest::collection::vec(row, 0..3)
}

fn turn() -> impl Strategy<Value = Turn> {
    (
        any::<i64>(),
        proptest::collection::vec(batch(), 0..4),
        fact_rows(),
        fact_rows(),
        0..3_usize,
        proptest::option::of(proptest::collection::vec(any::<u8>(), 0..20)),
    )
        .prop_map(|(now, batches, facts, corrections, records, checkpoint)| Turn {
            now,
            batches,
            facts,
            corrections,
            records,
            checkpoint,
        })
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        6 => turn().prop_map(Step::Commit),
        1 => turn().prop_map(Step::Fail),
        2 => Just(Step::Compact),
        1 => Just(Step::Reopen),
    ];
    proptest::collection::vec(step, 1..16)
}

impl Model {
    fn apply(&mut self, store: &mut Store, turn: Turn, fail: bool) -> Result<(), TestCaseError> {
        let logged = self.records.len();
        let mut records: Vec<WindowRecord> =
            (logged..logged + turn.records).map(|hour| record("site", i64::try_from(hour).unwrap(), 1)).collect();
        let cut = pages(self.pages.last().map(SignedPage::head), 1, &records);
        if fail {
            records.extend(records.first().cloned().or_else(|| self.records.first().cloned()));
        }
        let commit = Commit {
            swaps: &[],
            statements: &[],
            swap_outcomes: &[],
            clock: ClockState::Unknown,
            now: Timestamp(turn.now),
            batches: &turn.batches,
            facts: &turn.facts,
            corrections: &turn.corrections,
            records: &records,
            pages: &cut,
            shares: &[],
            checkpoint: turn.checkpoint.as_deref(),
        };
        if fail && !records.is_empty() {
            prop_assert!(store.commit(&commit).is_err());
            return Ok(());
        }
        let seq = store.commit(&commit).unwrap();
        let now = Timestamp(turn.now);
        self.journal.push(JournalEntry {
            seq,
            now,
            clock: ClockState::Unknown,
            config: CONFIG,
            swaps: vec![],
            statements: vec![],
            batches: turn.batches,
            unmapped: 0,
            thinned: 0,
        });
        for row in turn.facts.into_iter().chain(turn.corrections) {
            self.facts.insert((row.asset, row.minute), row.facts);
        }
        self.records.extend(records);
        self.pages.extend(cut);
        self.checkpoint = turn.checkpoint.map(|state| (state, seq)).or(self.checkpoint.take());
        Ok(())
    }

    fn compare(&self, store: &Store, reader: &Reader) -> Result<(), TestCaseError> {
        prop_assert_eq!(&store.journal(1, usize::MAX).unwrap(), &self.journal);
        for name in ["site", "line"] {
            let stored = reader.facts(&asset(name), Timestamp(i64::MIN), Timestamp(i64::MAX)).unwrap();
            let due = self.facts.iter().filter(|((of, _), _)| of == &asset(name));
            prop_assert_eq!(stored, due.map(|((_, minute), facts)| (*minute, facts.clone())).collect::<Vec<_>>());
        }
        let records: Vec<WindowRecord> =
            reader.records_after(0, usize::MAX).unwrap().into_iter().map(|(_, record)| record).collect();
        prop_assert_eq!(&records, &self.records);
        prop_assert_eq!(&reader.pages_after(&stream_name(), 1, 0, usize::MAX).unwrap(), &self.pages);
        let resume = store.resume().unwrap();
        prop_assert_eq!(resume.checkpoint, self.checkpoint.clone().map(|(state, _)| state));
        prop_assert_eq!(resume.after, self.checkpoint.as_ref().map_or(0, |(_, seq)| *seq));
        let samples: usize =
            self.journal.iter().flat_map(|entry| &entry.batches).map(|batch| batch.samples.len()).sum();
        let counts = reader.counts().unwrap();
        prop_assert_eq!(
            (counts.samples, counts.records, counts.pages),
            (samples as u64, self.records.len() as u64, self.pages.len() as u64)
        );
        Ok(())
    }
}

proptest! {
    // Each case lives through up to 15 steps and signs real pages.
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn any_sequence_of_commits_failures_compactions_and_restarts_gives_back_what_was_committed(steps in steps()) {
        let mut store = super::in_memory();
        // Keeps the database alive while no store has it open.
        let reader = store.reader();
        reader.counts().unwrap();
        let mut model = Model::default();
        for step in steps {
            match step {
                Step::Commit(turn) => {
                    model.apply(&mut store, turn, false)?;
                    continue;
                }
                Step::Fail(turn) => model.apply(&mut store, turn, true)?,
                Step::Compact => {
                    store.compact().unwrap();
                }
                Step::Reopen => {
                    let place = store.place.clone();
                    drop(store);
                    store = Store::open_at(place, None, &tags(), CONFIG, "[gateway]").unwrap();
                }
            }
            model.compare(&store, &reader)?;
        }
        model.compare(&store, &reader)?;
    }
}
