//! PURE: what a point's values should be like, and what state their device was in. Marks, never alters.
//!
//! In: the samples of one hand-over. Out: the same samples, some with a worse [`Quality`]. Values outside the declared
//! range, that stand still for too long or change too fast stay usable and are marked; values of a device that is being
//! calibrated or reports a fault are not usable. A mark never replaces a worse one.

pub mod config;
mod state;

use std::collections::BTreeMap;

use self::config::{CheckKeys, DeviceStateKeys};
use self::state::StateRule;
use crate::model::id::{SourceName, TagName};
use crate::model::sample::{Quality, Sample};
use crate::model::tag::{SourceIndex, TagIndex, TagSpec};
use crate::model::time::Timestamp;

/// Tags that are named as marked at present, at most; the rest is counted.
const NAMED_MAX: usize = 8;

/// What the values of one point should be like. **Unit**: the tag's.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Rules {
    /// Smallest value of the range.
    pub min: Option<f64>,
    /// Largest value of the range.
    pub max: Option<f64>,
    /// Largest change from one value to the next.
    pub max_step: Option<f64>,
    /// Largest change per second.
    pub max_rate: Option<f64>,
    /// How long it may stand still. **Unit**: ms.
    pub flat_line_ms: Option<i64>,
}

/// How a source's samples arrive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arrival {
    /// All points of a device at once: a device state that is missing among them is unknown.
    Polled,
    /// Each on its own: the device's last state at a sample's event time counts.
    Published,
}

/// One point under checks.
#[derive(Debug, Clone)]
struct Watched {
    name: TagName,
    rules: Rules,
    /// The last usable value.
    last: Option<(Timestamp, f64)>,
    /// Since when it has had this value.
    unchanged_since: Timestamp,
    /// The mark of its newest sample.
    mark: Option<Quality>,
    /// Samples marked so far.
    marked: u64,
}

/// The checks of one source.
#[derive(Debug, Clone)]
pub struct Checks {
    arrival: Arrival,
    watched: BTreeMap<TagIndex, Watched>,
    states: Vec<StateRule>,
    counts: BTreeMap<&'static str, u64>,
    has_news: bool,
}

/// What health shows of a source's checks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// Samples since the last standing, by mark.
    pub counts: Vec<(&'static str, u64)>,
    /// Tags whose newest value is marked, with the mark and how many of theirs were; empty where none is.
    pub detail: String,
}

impl Checks {
    /// Prepares what a source declares. `tags` are all tags of the plant, sorted by name; points that are none of the
    /// source's are left out, because the configuration check has named them.
    pub fn new(
        name: &SourceName,
        index: SourceIndex,
        declared: &BTreeMap<String, CheckKeys>,
        device_state: Option<&DeviceStateKeys>,
        tags: &[TagSpec],
        arrival: Arrival,
    ) -> Self {
        let prefix = format!("{name}.");
        // They stand together: to look through all tags for each of thousands of sources would take minutes.
        let first = tags.partition_point(|tag| tag.name.as_str() < prefix.as_str());
        let own = (0..).map(TagIndex).zip(tags).skip(first);
        let own = own.take_while(|(_, tag)| tag.name.as_str().starts_with(&prefix));
        let own = own.filter(|(_, tag)| tag.source == index);
        let watched = own.clone().filter_map(|(index, tag)| {
            let rules = declared.get(tag.name.as_str().strip_prefix(&prefix)?)?.rules();
            (rules != Rules::default()).then(|| (index, Watched::new(tag.name.clone(), rules)))
        });
        let own: Vec<(TagIndex, &TagSpec)> = own.clone().collect();
        Self {
            arrival,
            watched: watched.collect(),
            states: device_state.map_or_else(Vec::new, |keys| StateRule::of(keys, &prefix, &own)),
            counts: BTreeMap::new(),
            has_news: false,
        }
    }

    /// Judges the samples of one hand-over, in their order.
    pub fn judge(&mut self, samples: &mut [Sample]) {
        if self.watched.is_empty() && self.states.is_empty() {
            return;
        }
        for rule in &mut self.states {
            rule.learn(samples, self.arrival);
        }
        for sample in samples {
            let before = sample.quality;
            for rule in &self.states {
                sample.quality = sample.quality.worse(rule.quality(sample, self.arrival));
            }
            if let Some(watched) = self.watched.get_mut(&sample.tag) {
                let mark = watched.mark(sample);
                self.has_news |= mark != watched.mark;
                watched.mark = mark;
                watched.marked += u64::from(mark.is_some());
                sample.quality = sample.quality.worse(mark.unwrap_or(Quality::Good));
            }
            if sample.quality != before {
                *self.counts.entry(sample.quality.as_str()).or_default() += 1;
            }
        }
    }

    /// Returns what there is to show since the last call; `None` where nothing was marked and nothing changed.
    pub fn standing(&mut self) -> Option<Standing> {
        let has_news = std::mem::take(&mut self.has_news);
        if self.counts.is_empty() && !has_news {
            return None;
        }
        let marked: Vec<String> = self
            .watched
            .values()
            .filter_map(|watched| {
                let mark = watched.mark?;
                Some(format!("{} {} ({} so far)", watched.name, mark.as_str(), watched.marked))
            })
            .collect();
        let mut detail = marked[..marked.len().min(NAMED_MAX)].join(", ");
        if marked.len() > NAMED_MAX {
            detail += &format!(" and {} more", marked.len() - NAMED_MAX);
        }
        Some(Standing { counts: std::mem::take(&mut self.counts).into_iter().collect(), detail })
    }
}

impl Watched {
    fn new(name: TagName, rules: Rules) -> Self {
        Self { name, rules, last: None, unchanged_since: Timestamp::default(), mark: None, marked: 0 }
    }

    /// Returns the worst mark that a sample earns. One that isn't usable earns none and is compared with nothing; one
    /// that is older than its predecessor is only held against the range.
    #[expect(clippy::cast_precision_loss, reason = "milliseconds between two samples")]
    #[expect(clippy::float_cmp, reason = "a value that stands still is the same to the last bit")]
    fn mark(&mut self, sample: &Sample) -> Option<Quality> {
        let value = sample.value.filter(|_| sample.quality.is_usable())?.as_f64();
        let rules = self.rules;
        let is_outside = rules.min.is_some_and(|min| value < min) || rules.max.is_some_and(|max| value > max);
        let outside = is_outside.then_some(Quality::OutOfRange);
        if self.last.is_some_and(|(at, _)| sample.measured_at <= at) {
            return outside;
        }
        let before = self.last.replace((sample.measured_at, value));
        let Some((at, last)) = before.filter(|(_, last)| *last != value) else {
            if before.is_none() {
                self.unchanged_since = sample.measured_at;
            }
            let unchanged_ms = sample.measured_at.ms_since(self.unchanged_since);
            let is_flat = rules.flat_line_ms.is_some_and(|limit| unchanged_ms >= limit);
            return outside.or(is_flat.then_some(Quality::FlatLine));
        };
        self.unchanged_since = sample.measured_at;
        let (change, seconds) = ((value - last).abs(), sample.measured_at.ms_since(at) as f64 / 1000.0);
        let is_fast = rules.max_step.is_some_and(|limit| change > limit)
            || rules.max_rate.is_some_and(|limit| change > limit * seconds);
        outside.or(is_fast.then_some(Quality::TooFast))
    }
}

#[cfg(test)]
mod tests;
