//! Samples tag by tag, column by column: the figures are those of the same samples row by row.

use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::prelude::{ProptestConfig, Strategy, any, prop, proptest};
use proptest::prop_assert_eq;

use super::{ENERGY, LATENESS_MS, Lab, MORNING, STATE, batch, plant, tag};
use crate::engine::plant::{Asset, Boundary, Plant};
use crate::model::number::Number;
use crate::model::sample::{Quality, Sample, SampleBatch, TagColumns};
use crate::model::tag::{TagIndex, TagKind};
use crate::model::time::{MINUTE_MS, Timestamp};
use crate::model::unit::Unit;

/// A power, a flow, an interval meter, and a tag that nothing takes, beside the four of the plant.
const TAGS: u32 = 8;

fn all_kinds() -> Arc<Plant> {
    let mut plant = (*plant()).clone();
    plant.tags.extend([
        tag("site.power", TagKind::Gauge, Unit::Kilowatt, 2 * MINUTE_MS),
        tag("site.gas", TagKind::Interval { period_ms: MINUTE_MS }, Unit::CubicMetre, 5 * MINUTE_MS),
        tag("site.flow", TagKind::Gauge, Unit::CubicMetrePerHour, 2 * MINUTE_MS),
        tag("site.voltage", TagKind::Gauge, Unit::Volt, MINUTE_MS),
    ]);
    let boundary = Boundary {
        electricity: vec![ENERGY.into()],
        renewable: vec![TagIndex(4).into()],
        gas: vec![TagIndex(5).into()],
        water: vec![TagIndex(6).into()],
        ..Boundary::default()
    };
    plant.assets[0] = Asset { boundary, ..plant.assets[0].clone() };
    Arc::new(plant)
}

/// Of a sample to come: tag, step of its clock, how far back from it, quality, noise.
type Drawn = (u32, i64, i64, u8, u16);

/// Batches with the instants at which they arrive, ascending: most in the order of time, some of it not, some twice, some
/// far too early or late.
fn deliveries() -> impl Strategy<Value = Vec<(i64, Vec<Sample>)>> {
    let disorder = proptest::prop_oneof![6 => 0..1_i64, 2 => 0..LATENESS_MS, 1 => -15 * MINUTE_MS..20 * MINUTE_MS];
    let one = (0..TAGS, 1..9_000_i64, disorder, 0..40_u8, any::<u16>());
    prop::collection::vec((0..4 * MINUTE_MS, prop::collection::vec(one, 0..60)), 1..12).prop_map(|drawn| {
        let (mut arrived, mut clocks) = (0, [0; TAGS as usize]);
        let mut deliver = |(pause, drawn): (i64, Vec<Drawn>)| {
            arrived += pause;
            let samples = drawn.into_iter().map(|(of, step, back, quality, noise)| {
                let clock = &mut clocks[of as usize];
                *clock = (*clock + step).max(arrived - 3 * MINUTE_MS).min(arrived);
                sample(TagIndex(of), *clock - back, quality, noise)
            });
            (arrived, samples.collect())
        };
        drawn.into_iter().map(&mut deliver).collect()
    })
}

fn sample(tag: TagIndex, at: i64, quality: u8, noise: u16) -> Sample {
    let value = match (tag, tag.0) {
        (STATE, _) => Some(Number::Integer(i128::from(noise % 9))),
        // Counters grow at their pace, now and then one falls.
        (_, 0..4) if noise < 1_000 => Some(Number::Integer(i128::from(noise))),
        (_, 0..4) => Some(Number::Integer(1_000_000 + i128::from(at / 100))),
        _ => Some(Number::Float(f64::from(noise) / 7.0)),
    };
    let (quality, value) = match quality {
        0 => (Quality::DeclaredBad, value),
        1 => (Quality::NotANumber, None),
        2 => (Quality::Uncertain, value),
        _ => (Quality::Good, value),
    };
    Sample { tag, measured_at: Timestamp(MORNING + at), value, quality }
}

/// Takes a batch tag by tag, each in the order of its arrival.
fn ingest_columns(lab: &mut Lab, batch: &SampleBatch) {
    lab.kept.samples.extend(&batch.samples);
    let mut columns: BTreeMap<TagIndex, TagColumns> = BTreeMap::new();
    for Sample { tag, measured_at, value, quality } in &batch.samples {
        columns.entry(*tag).or_default().push(*measured_at, *quality, *value);
    }
    columns.iter().for_each(|(tag, columns)| lab.engine.ingest_run(columns.run(*tag), batch.received_at));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn columns_give_the_very_effects_and_checkpoints_that_rows_give(
        deliveries in deliveries(), restart_each in 0_usize..5
    ) {
        let (mut rows, mut columns) = (Lab::new(all_kinds()), Lab::new(all_kinds()));
        for (count, (arrived, samples)) in deliveries.into_iter().enumerate() {
            let batch = batch(arrived, samples);
            // A batch without samples would be a confirmation.
            if !batch.samples.is_empty() {
                rows.ingest(&batch);
                ingest_columns(&mut columns, &batch);
            }
            prop_assert_eq!(rows.engine.checkpoint(), columns.engine.checkpoint());
            let of_rows = rows.advance(batch.received_at);
            prop_assert_eq!(of_rows, columns.advance(batch.received_at));
            if restart_each > 0 && count % restart_each == 0 {
                rows.restart();
                columns.restart();
            }
        }
        prop_assert_eq!(rows.finish(), columns.finish());
        prop_assert_eq!(rows.engine.checkpoint(), columns.engine.checkpoint());
    }
}
