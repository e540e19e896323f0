//! What versions of the checkpoint's format look like, frozen: a box that is brought up reads what its old program wrote.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Arc;

use super::{ENERGY, MORNING, SCRAP, STATE, TOTAL, batch, plant, sample};
use crate::engine::{Effects, Engine};
use crate::model::fact::Measure;
use crate::model::id::TagName;
use crate::model::number::Number;
use crate::model::record::ClockState;
use crate::model::sample::Sample;
use crate::model::state::MachineState;
use crate::model::swap::Swap;
use crate::model::time::{MINUTE_MS, Timestamp};

/// What version 2 wrote of [`engine`], in hexadecimal digits.
const VERSION_2: &str = include_str!("checkpoint_2.hex");

/// What version 3 writes of it.
const VERSION_3: &str = include_str!("checkpoint_3.hex");

fn swap(id: i64, tag: &str, minute: i64) -> Swap {
    let (old_final, new_initial) = (Number::Integer(2_000), Number::Float(0.5));
    Swap { id, tag: TagName::new(tag).unwrap(), at: at(minute), old_final, new_initial }
}

fn at(minute: i64) -> Timestamp {
    Timestamp(MORNING + minute * MINUTE_MS)
}

/// An engine of which each part of the state holds something: a meter under its second decoding, a counter with a gap, a
/// reset and a doubtful reading, confirmations, told swaps, samples that wait, and refused ones.
fn engine() -> Engine {
    let mut before = (*plant()).clone();
    before.tags[ENERGY.as_usize()].decoding = "x 80".to_owned();
    let mut engine = Engine::new(Arc::new(before), ClockState::Simulated);
    engine.ingest(&batch(0, vec![sample(ENERGY, 0, 1_000), sample(STATE, 0, MachineState::Producing.code())]));
    engine.advance(at(1));
    let mut engine = Engine::restore(plant(), ClockState::Simulated, &engine.checkpoint()).unwrap();
    engine.tell(&swap(1, "site.energy", 60));
    for (minute, total) in [(1, 7_000), (2, 7_010), (10, 7_050), (11, 3), (12, 9), (13, 4_000)] {
        let samples = [(TOTAL, total), (SCRAP, 7), (STATE, MachineState::Fault.code())];
        let of = |(tag, value)| sample(tag, minute * MINUTE_MS, value);
        engine.ingest(&batch(minute * MINUTE_MS + 250, samples.map(of).to_vec()));
        engine.ingest(&batch(minute * MINUTE_MS + 20_250, Vec::new()));
        engine.advance(at(minute + 1));
    }
    engine.tell(&swap(2, "press-1.state", 13));
    engine.ingest(&batch(14 * MINUTE_MS, vec![sample(STATE, 14 * MINUTE_MS, MachineState::Setup.code())]));
    engine.ingest(&batch(14 * MINUTE_MS + 9_000, Vec::new()));
    engine.ingest(&batch(0, vec![Sample { measured_at: Timestamp(0), ..sample(SCRAP, 0, 7) }]));
    engine
}

fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<u8> = hex.bytes().filter(u8::is_ascii_hexdigit).collect();
    digits.chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

#[test]
fn the_present_version_writes_what_it_always_wrote() {
    let written = engine().checkpoint();
    let hex = written.iter().fold(String::new(), |mut hex, byte| {
        write!(hex, "{byte:02x}").unwrap();
        hex
    });
    assert!(
        written == bytes(VERSION_3),
        "the format has changed: it needs another version, and a fixture of it:\n{hex}"
    );
}

#[test]
fn an_engine_goes_on_from_what_older_versions_wrote() {
    for written in [VERSION_2, VERSION_3] {
        let mut old = Engine::restore(plant(), ClockState::Simulated, &bytes(written)).unwrap();
        let mut same = engine();
        assert_eq!(old.closed_until(), same.closed_until());
        let mut rows = [BTreeMap::new(), BTreeMap::new()];
        let mut records = [0, 0];
        let mut keep = |at: usize, effects: Effects| {
            rows[at].extend(effects.facts.into_iter().map(|mut row| {
                // Version 2 knew nothing of the minutes before, so half an hour has to pass until they slide again.
                if written == VERSION_2 {
                    row.facts.remove(Measure::SlidingPeak);
                }
                ((row.asset, row.minute), row.facts)
            }));
            records[at] += effects.records.len();
        };
        for minute in 14..40 {
            let next = batch(minute * MINUTE_MS, vec![sample(TOTAL, minute * MINUTE_MS, 4_000 + i128::from(minute))]);
            old.ingest(&next);
            same.ingest(&next);
            keep(0, old.advance(at(minute)));
            keep(1, same.advance(at(minute)));
        }
        keep(0, old.finish());
        keep(1, same.finish());
        assert_eq!((&rows[0], records[0]), (&rows[1], records[1]));
    }
}
