//! What the engine reads again: stored samples and facts, as far as the present turn.

use std::collections::BTreeMap;

use crate::engine::History;
use crate::engine::plant::Plant;
use crate::model::fact::Facts;
use crate::model::sample::{Sample, SampleBatch};
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
pub struct Recording(BTreeMap<TagIndex, Vec<Sample>>);

impl Extend<Sample> for Recording {
    fn extend<I: IntoIterator<Item = Sample>>(&mut self, samples: I) {
        for sample in samples {
            let of_tag = self.0.entry(sample.tag).or_default();
            let place = of_tag.partition_point(|earlier| earlier.measured_at <= sample.measured_at);
            of_tag.insert(place, sample);
        }
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

    fn samples(&self, tags: &[TagIndex], span: Window, around: usize) -> Result<Vec<Vec<Sample>>, StoreError> {
        let mut samples = match self.kept {
            Kept::Here(through) => self.own.samples_around(tags, span, around, through)?,
            Kept::Elsewhere(store, through) => store.samples_around(tags, span, around, through)?,
            Kept::Recorded(recording, until) => {
                let of_tag = |tag| recording.0.get(tag).map_or(&[][..], Vec::as_slice);
                let known = |tag| {
                    let samples = of_tag(tag);
                    samples[..samples.partition_point(|sample| sample.measured_at <= until)].to_vec()
                };
                tags.iter().map(known).collect()
            }
        };
        let places: BTreeMap<TagIndex, usize> = tags.iter().copied().zip(0..).collect();
        for sample in self.batches.iter().flat_map(|batch| &batch.samples) {
            if let Some(place) = places.get(&sample.tag) {
                samples[*place].push(*sample);
            }
        }
        samples.iter_mut().for_each(|samples| trim(samples, span, around));
        Ok(samples)
    }

    fn facts(&self, asset: usize, span: Window) -> Result<Vec<(Timestamp, Facts)>, StoreError> {
        let Some(asset) = self.plant.assets.get(asset) else { return Ok(Vec::new()) };
        self.own.facts(&asset.id, span.start, span.end)
    }
}

/// Puts samples in order and leaves those of the span with `around` usable ones before and after it.
fn trim(samples: &mut Vec<Sample>, span: Window, around: usize) {
    samples.sort_by_key(|sample| sample.measured_at);
    let from = samples.partition_point(|sample| sample.measured_at < span.start);
    let to = samples.partition_point(|sample| sample.measured_at < span.end);
    let usable = |(_, sample): &(usize, &Sample)| sample.quality.is_usable();
    let last = samples.iter().enumerate().skip(to).filter(usable).nth(around.saturating_sub(1));
    let last = last.map_or(samples.len(), |(place, _)| place + 1);
    let first = samples.iter().enumerate().take(from).rev().filter(usable).nth(around.saturating_sub(1));
    let first = first.map_or(0, |(place, _)| place);
    samples.truncate(last);
    samples.drain(..first);
}
