//! From messages to samples of the plant's tags. Pure.
//!
//! In: topics and payloads with their arrival. Out: samples, and what could not become one, by kind and with what
//! an operator needs to find its origin. Everything kept here is bounded.

use std::collections::{BTreeMap, BTreeSet};

use super::config::{MqttSource, PayloadFormat, Topic};
use super::payload::{self, Expectation, Format, Path, Pattern};
use crate::model::id::TagName;
use crate::model::sample::{Quality, Sample};
use crate::model::tag::{SourceIndex, TagIndex, TagSpec};
use crate::model::time::Timestamp;

/// Names of unmapped points that are kept for the operator; further ones are counted only.
const UNMAPPED_NAMES_MAX: usize = 16;
/// Bytes of a refused payload that are kept for the operator.
const REFUSED_BYTES_MAX: usize = 64;

/// The topics and points of one source.
#[derive(Debug)]
pub(super) struct Intake {
    topics: Vec<(Pattern, Reader)>,
    points: BTreeMap<String, (TagIndex, Expectation)>,
    unmapped: BTreeSet<String>,
    refused: Option<String>,
}

/// Who reads the messages of a topic: its format decides.
#[derive(Debug)]
enum Reader {
    /// One value under the name that the topic gives.
    Value(Format),
}

impl Reader {
    fn new(topic: &Topic) -> Option<Self> {
        let path = |text: &str| Path::parse(text).ok();
        let payload = topic.payload_format()?;
        match payload {
            PayloadFormat::Json | PayloadFormat::Plain => Some(Self::Value(Format {
                payload,
                value: path(topic.value.as_ref().map_or("$", |value| value.get_ref()))?,
                time: topic.time.as_ref().and_then(|time| path(time.get_ref())),
            })),
        }
    }
}

/// What one message gave.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Taken {
    pub samples: Vec<Sample>,
    /// Names under which what gave no sample is counted.
    pub counted: Vec<&'static str>,
}

impl Intake {
    /// Prepares the topics and points of `config`. `tags` are all tags of the plant, sorted by name; a point that
    /// is none of them is not mapped.
    pub(super) fn new(config: &MqttSource, source: SourceIndex, tags: &[TagSpec]) -> Self {
        let topics = config.topic.iter().filter_map(|topic| {
            let topic = topic.get_ref();
            Some((topic.pattern().ok()?, Reader::new(topic)?))
        });
        let points = config.point.iter().filter_map(|point| {
            let point = point.get_ref();
            let name = TagName::new(&format!("{}.{}", config.name.get_ref(), point.name.get_ref())).ok()?;
            let position = tags.binary_search_by(|tag| tag.name.cmp(&name)).ok()?;
            let index = TagIndex(u32::try_from(position).ok().filter(|_| tags[position].source == source)?);
            let expected = Expectation { states: point.states(), sentinel: point.sentinel.clone() };
            Some((point.name.get_ref().clone(), (index, expected)))
        });
        Self { topics: topics.collect(), points: points.collect(), unmapped: BTreeSet::new(), refused: None }
    }

    /// Reads one message that arrived at `now`. Every subscription it matches may give a sample.
    pub(super) fn read(&mut self, topic: &str, payload: &[u8], retained: bool, now: Timestamp) -> Taken {
        let mut taken = Taken::default();
        let mut matched = false;
        for (pattern, reader) in &self.topics {
            let Reader::Value(format) = reader;
            let Some(name) = pattern.name(topic) else { continue };
            matched = true;
            let Some((tag, expected)) = self.points.get(&name) else {
                taken.counted.push("unmapped");
                if self.unmapped.len() < UNMAPPED_NAMES_MAX {
                    self.unmapped.insert(name);
                }
                continue;
            };
            match payload::read(payload, format, expected) {
                Ok(reading) => {
                    // The broker kept it for an unknown time, so without its own time nobody knows how old it is.
                    let doubtful = retained && reading.measured_at.is_none() && reading.quality == Quality::Good;
                    taken.samples.push(Sample {
                        tag: *tag,
                        measured_at: reading.measured_at.unwrap_or(now),
                        value: reading.value,
                        quality: if doubtful { Quality::Uncertain } else { reading.quality },
                    });
                }
                Err(refusal) => {
                    taken.counted.push(refusal.as_str());
                    let start = &payload[..payload.len().min(REFUSED_BYTES_MAX)];
                    self.refused = Some(format!("{topic}: {refusal}; it starts with \"{}\"", start.escape_ascii()));
                }
            }
        }
        if !matched {
            taken.counted.push("unmatched");
        }
        taken
    }

    /// Returns what an operator should look at: names without a declared point, and the last payload that could
    /// not be read. Empty where there is nothing.
    pub(super) fn notes(&self) -> String {
        let mut notes = Vec::new();
        if !self.unmapped.is_empty() {
            let names = self.unmapped.iter().map(|name| name.escape_debug().to_string()).collect::<Vec<_>>().join(", ");
            notes.push(format!("messages without a declared point: {names}"));
        }
        if let Some(refused) = &self.refused {
            notes.push(format!("last payload that could not be read: {refused}"));
        }
        notes.join("; ")
    }

    /// Returns the filters to subscribe to and the quality of service to ask for, each filter once.
    pub(super) fn subscriptions(config: &MqttSource) -> Vec<(String, u8)> {
        // A filter that two topics share is asked for once, with the higher quality of service.
        let mut filters: BTreeMap<String, u8> = BTreeMap::new();
        for topic in &config.topic {
            if let Ok(pattern) = topic.get_ref().pattern() {
                let qos = u8::from(topic.get_ref().qos() != 0);
                filters.entry(pattern.filter()).and_modify(|asked| *asked = qos.max(*asked)).or_insert(qos);
            }
        }
        filters.into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::{Intake, MqttSource, Quality, SourceIndex, TagIndex, TagSpec, Timestamp};
    use crate::model::number::Number;
    use crate::model::problem::Problems;

    const FLOOR: &str = r#"
        name = "floor"
        url = "mqtt://127.0.0.1:1883"
        topic = [
          { filter = "floor/{device}/{point}", format = "json", value = "$.v", time = "$.ts" },
          { filter = "plain/{device}/{point}", format = "plain", qos = 0 },
          { filter = "plain/+/{point}", device = "all", format = "plain" },
        ]
        point = [{ name = "press-1.total", kind = "counter" }, { name = "all.total" }]
    "#;

    fn intake() -> Intake {
        let config: MqttSource = toml::from_str(FLOOR).unwrap();
        let mut tags: Vec<TagSpec> = config.tags(SourceIndex(2), &mut Problems::default());
        tags.sort_by(|a, b| a.name.cmp(&b.name));
        Intake::new(&config, SourceIndex(2), &tags)
    }

    #[test]
    fn event_time_comes_from_the_payload_and_else_from_arrival() {
        let mut intake = intake();
        let timed = intake.read("floor/press-1/total", br#"{"v":5,"ts":1790000000}"#, false, Timestamp(7));
        assert_eq!(timed.samples[0].measured_at, Timestamp(1_790_000_000_000));
        let untimed = intake.read("plain/press-1/total", b"5", false, Timestamp(7));
        assert_eq!(untimed.samples[0].measured_at, Timestamp(7));
        assert_eq!(intake.notes(), "");
    }

    #[test]
    fn every_matching_topic_gives_its_sample() {
        let taken = intake().read("plain/press-1/total", b"5", false, Timestamp(7));
        assert_eq!(taken.samples.iter().map(|sample| sample.tag).collect::<Vec<_>>(), [TagIndex(1), TagIndex(0)]);
        assert!(taken.samples.iter().all(|sample| sample.value == Some(Number::Integer(5))));
    }

    #[test]
    fn what_gives_no_sample_is_counted_and_named() {
        let mut intake = intake();
        assert_eq!(intake.read("floor/press-9/total", b"1", false, Timestamp(0)).counted, ["unmapped"]);
        assert_eq!(intake.read("floor/press-1/total", b"\x00{", false, Timestamp(0)).counted, ["refused_not_json"]);
        assert_eq!(intake.read("other", b"1", false, Timestamp(0)).counted, ["unmatched"]);
        let notes = intake.notes();
        assert!(notes.contains("press-9.total") && notes.contains(r"\x00{"), "{notes}");
    }

    #[test]
    fn a_retained_value_without_its_own_time_is_doubtful() {
        let mut intake = intake();
        let untimed = intake.read("plain/press-1/total", b"5", true, Timestamp(7));
        assert_eq!(untimed.samples[0].quality, Quality::Uncertain);
        let timed = intake.read("floor/press-1/total", br#"{"v":5,"ts":1790000000}"#, true, Timestamp(7));
        assert_eq!(timed.samples[0].quality, Quality::Good);
    }

    #[test]
    fn names_kept_for_the_operator_are_bounded() {
        let mut intake = intake();
        for device in 0..1000 {
            intake.read(&format!("floor/{device}/total"), b"1", false, Timestamp(0));
        }
        assert!(intake.notes().len() < 300);
    }

    #[test]
    fn a_filter_of_two_topics_is_subscribed_once() {
        let config: MqttSource = toml::from_str(FLOOR).unwrap();
        assert_eq!(Intake::subscriptions(&config), [("floor/+/+".to_owned(), 1), ("plain/+/+".to_owned(), 1)]);
    }
}
