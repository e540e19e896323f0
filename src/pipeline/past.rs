//! What the engine reads again: stored samples and facts, as far as the present turn.

use std::collections::BTreeMap;

use crate::engine::History;
use crate::engine::plant::Plant;
use crate::model::fact::Facts;
use crate::model::sample::{Sample, SampleBatch, TagColumns, TagRun};
use crate::model::tag::TagIndex;
use crate::model::time::{Timestamp, Window};
use crate::store::{Store, StoreError};

/// Where the samples of earlier turns are kept.
#[derive(Debug, Clone, Copy)]
pub enum Kept<'a> {
    /// In the pipeline's own store, up to a commit.
    Here(u64),
    /// In the store of the box whose journal is replayed, up to a commit.
    Elsewhere(&'a Store, u64),
    /// In a recording, up to an instant.
    Recorded(&'a Recording, Timestamp),
}

/// A recording by tag, each in the order of time.
#[derive(Debug, Clone, Default)]
pub struct Recording(BTreeMap<TagIndex, TagColumns>);

impl Recording {
    /// Returns the samples of each tag, by tag.
    pub(super) fn runs(&self) -> impl Iterator<Item = TagRun<'_>> {
        self.0.iter().map(|(tag, columns)| columns.run(*tag))
    }

    /// Adds samples of another one.
    pub fn merge(&mut self, other: &Self) {
        for (tag, columns) in &other.0 {
            let held = self.0.entry(*tag).or_default();
            columns.readings().for_each(|(at, quality, value)| held.insert(at, quality, value));
        }
    }
}

impl FromIterator<Sample> for Recording {
    fn from_iter<I: IntoIterator<Item = Sample>>(samples: I) -> Self {
        let mut recording = Self::default();
        for sample in samples {
            let of_tag = recording.0.entry(sample.tag).or_default();
            of_tag.insert(sample.measured_at, sample.quality, sample.value);
        }
        recording
    }
}

/// Everything that came before, and the batches of this turn.
#[derive(Debug)]
pub(super) struct Past<'a> {
    pub(super) kept: Kept<'a>,
    pub(super) own: &'a Store,
    pub(super) plant: &'a Plant,
    pub(super) batches: &'a [SampleBatch],
}

impl History for Past<'_> {
    type Error = StoreError;

    fn samples(&self, tags: &[TagIndex], span: Window, around: usize) -> Result<Vec<TagColumns>, StoreError> {
        let mut samples = match self.kept {
            Kept::Here(through) => self.own.samples_around(tags, span, around, through)?,
            Kept::Elsewhere(store, through) => store.samples_around(tags, span, around, through)?,
            Kept::Recorded(recording, until) => {
                let known = |tag| {
                    let Some(samples) = recording.0.get(tag) else { return TagColumns::default() };
                    nearest(samples, samples.measured_at().partition_point(|at| *at <= until), span, around)
                };
                tags.iter().map(known).collect()
            }
        };
        let places: BTreeMap<TagIndex, usize> = tags.iter().copied().zip(0..).collect();
        for sample in self.batches.iter().flat_map(|batch| &batch.samples) {
            if let Some(place) = places.get(&sample.tag) {
                samples[*place].push(sample.measured_at, sample.quality, sample.value);
            }
        }
        // What is kept and what arrives now overlap, and the store gives more than is asked for: the same samples must
        // come out wherever they were read from.
        for samples in &mut samples {
            samples.sort();
            *samples = nearest(samples, samples.measured_at().len(), span, around);
        }
        Ok(samples)
    }

    fn facts(&self, asset: usize, span: Window) -> Result<Vec<(Timestamp, Facts)>, StoreError> {
        let Some(asset) = self.plant.assets.get(asset) else { return Ok(Vec::new()) };
        self.own.facts(&asset.id, span.start, span.end)
    }
}

/// Returns those of the first `known` samples, ascending, that lie in a span, with `around` usable ones before and after
/// it.
fn nearest(samples: &TagColumns, known: usize, span: Window, around: usize) -> TagColumns {
    let (instants, qualities) = (&samples.measured_at()[..known], samples.qualities());
    let from = instants.partition_point(|at| *at < span.start);
    let to = instants.partition_point(|at| *at < span.end);
    let usable = |place: &usize| qualities[*place].is_usable();
    let last = (to..known).filter(usable).nth(around.saturating_sub(1)).map_or(known, |place| place + 1);
    let first = (0..from).rev().filter(usable).nth(around.saturating_sub(1)).unwrap_or(0);
    samples.part(first, last)
}
