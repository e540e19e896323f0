//! From messages to samples of the plant's tags. Pure.
//!
//! In: topics and payloads with their arrival. Out: samples, and what could not become one, by kind and with what
//! an operator needs to find its origin. Everything kept here is bounded.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use jiff::tz::TimeZone;

use super::config::MqttSource;
use super::config::topic::{PayloadFormat, Topic};
use super::payload::topic::{Names, Pattern};
use super::payload::{Entry, Expectation, Format, Refusal, events};
use crate::model::context::ContextEvent;
use crate::model::id::TagName;
use crate::model::sample::{Quality, Sample};
use crate::model::tag::{SourceIndex, TagIndex, TagSpec};
use crate::model::time::Timestamp;

/// Names of unmapped points that are kept for the operator; further ones are counted only.
const UNMAPPED_NAMES_MAX: usize = 16;
/// Bytes of a name or topic that are kept for the operator.
const NAME_BYTES_MAX: usize = 128;
/// Messages with something unreadable that are kept for the operator, the newest.
const REFUSED_MAX: usize = 16;
/// Bytes of an unreadable payload that are kept for the operator.
const REFUSED_BYTES_MAX: usize = 64;
/// Values of one message that are taken; further ones are counted. As many as one commit holds: a message that
/// floods the box with values must not take its memory.
const VALUES_PER_MESSAGE_MAX: usize = 50_000;
/// Topics whose meaning is remembered. A plant has some hundreds; beyond, topics are matched anew.
const REMEMBERED_TOPICS: usize = 4_096;
/// Longer topics are matched anew each time: a client that makes them up must not take the box's memory. **Unit**: bytes.
const REMEMBERED_TOPIC_BYTES_MAX: usize = 512;

/// The topics and points of one source.
#[derive(Debug)]
pub(super) struct Intake {
    topics: Vec<(Pattern, Reader)>,
    points: BTreeMap<String, Target>,
    remembered: Vec<Option<Remembered>>,
    seen: Seen,
}

/// What was read of messages, in their order.
#[derive(Debug, Default, Clone, PartialEq)]
pub(super) struct Gathered {
    pub(super) samples: Vec<Sample>,
    pub(super) context: Vec<ContextEvent>,
}

impl Gathered {
    pub(super) fn is_empty(&self) -> bool {
        self.samples.is_empty() && self.context.is_empty()
    }

    /// Returns how many samples and events there are.
    pub(super) fn len(&self) -> usize {
        self.samples.len() + self.context.len()
    }
}

/// Who reads the messages of a topic: its format decides.
#[derive(Debug)]
enum Reader {
    /// Values under the names that topic and payload give.
    Values(Box<Format>),
    /// Production context, of assets rather than tags; the zone is that of times without offset.
    Context(Option<TimeZone>),
}

impl Reader {
    fn new(topic: &Topic, zone: Option<&TimeZone>) -> Option<Self> {
        match topic.payload_format()? {
            PayloadFormat::Json | PayloadFormat::Csv | PayloadFormat::Plain => {
                Some(Self::Values(Box::new(topic.format(zone)?)))
            }
            PayloadFormat::Context => Some(Self::Context(zone.cloned())),
        }
    }
}

/// A declared point: its tag and what it expects. Shared, because many topics may lead to it.
type Target = Arc<(TagIndex, Expectation)>;

/// What a topic means.
#[derive(Debug)]
struct Remembered {
    topic: String,
    meanings: Arc<[Meaning]>,
}

/// One subscription that a topic matches.
#[derive(Debug)]
struct Meaning {
    /// Position of the subscription.
    reader: usize,
    device: Option<String>,
    point: Option<String>,
    /// The point that the topic alone names.
    target: Option<Target>,
}

/// What an operator should look at.
#[derive(Debug, Default)]
struct Seen {
    unmapped: BTreeSet<String>,
    refused: VecDeque<Refused>,
}

/// A message of which something could not be read.
#[derive(Debug)]
struct Refused {
    at: Timestamp,
    topic: String,
    first: Refusal,
    parts: usize,
    start: Vec<u8>,
    bytes: usize,
}

/// How often something happened, by its name on the health board.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Tally(BTreeMap<&'static str, u64>);

impl Tally {
    /// Adds to a count.
    pub(super) fn add(&mut self, what: &'static str, amount: u64) {
        if amount > 0 {
            *self.0.entry(what).or_default() += amount;
        }
    }

    /// Returns what was counted since the last call, by name.
    pub(super) fn take(&mut self) -> BTreeMap<&'static str, u64> {
        std::mem::take(&mut self.0)
    }

    /// Says whether nothing was counted.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Intake {
    /// Prepares the topics and points of `config`. `tags` are all tags of the plant, sorted by name; a point that
    /// is none of them is not mapped.
    pub(super) fn new(config: &MqttSource, source: SourceIndex, tags: &[TagSpec]) -> Self {
        let zone = config.zone();
        let topics = config.topic.iter().filter_map(|topic| {
            let topic = topic.get_ref();
            Some((topic.pattern().ok()?, Reader::new(topic, zone.as_ref())?))
        });
        let points = config.point.iter().filter_map(|point| {
            let point = point.get_ref();
            let name = TagName::new(&format!("{}.{}", config.name.get_ref(), point.name.get_ref())).ok()?;
            let position = tags.binary_search_by(|tag| tag.name.cmp(&name)).ok()?;
            let index = TagIndex(u32::try_from(position).ok().filter(|_| tags[position].source == source)?);
            let expected = Expectation {
                states: point.states(),
                sentinel: point.sentinel.clone(),
                unit: point.unit(),
                scale: point.scale(),
                offset: point.offset(),
            };
            Some((point.called().to_owned(), Arc::new((index, expected))))
        });
        let remembered = std::iter::repeat_with(|| None).take(REMEMBERED_TOPICS).collect();
        Self { topics: topics.collect(), points: points.collect(), remembered, seen: Seen::default() }
    }

    /// Reads one message that arrived at `now`: its samples and events are added to `gathered`, what gave none is counted. Every
    /// subscription it matches may give samples. Returns whether there is something for the operator to look at.
    pub(super) fn read(
        &mut self,
        topic: &str,
        payload: &[u8],
        retained: bool,
        now: Timestamp,
        gathered: &mut Gathered,
        tally: &mut Tally,
    ) -> bool {
        let meanings = self.meanings(topic);
        if meanings.is_empty() {
            tally.add("unmatched", 1);
        }
        let mut is_noted = meanings.is_empty();
        for meaning in meanings.iter() {
            match &self.topics[meaning.reader].1 {
                Reader::Values(format) => {
                    let message = Message { topic, payload, retained, now };
                    let samples = &mut gathered.samples;
                    is_noted |= read_values(&message, format, meaning, &self.points, &mut self.seen, samples, tally);
                }
                Reader::Context(zone) => {
                    let message = Message { topic, payload, retained, now };
                    let context = &mut gathered.context;
                    is_noted |= read_context(&message, zone.as_ref(), &mut self.seen, context, tally);
                }
            }
        }
        is_noted
    }

    /// Returns the subscriptions that a topic matches, and the point that it names.
    fn meanings(&mut self, topic: &str) -> Arc<[Meaning]> {
        let mut hasher = DefaultHasher::new();
        topic.hash(&mut hasher);
        #[expect(clippy::cast_possible_truncation, reason = "below the number of places")]
        let place = (hasher.finish() % REMEMBERED_TOPICS as u64) as usize;
        if let Some(known) = self.remembered[place].as_ref().filter(|known| known.topic == topic) {
            return Arc::clone(&known.meanings);
        }
        let meaning = |(reader, (pattern, _)): (usize, &(Pattern, Reader))| {
            let Names { device, point } = pattern.names(topic)?;
            let target = self.points.get(join(device, point, &mut String::new())).map(Arc::clone);
            Some(Meaning { reader, device: device.map(str::to_owned), point: point.map(str::to_owned), target })
        };
        let meanings: Arc<[Meaning]> = self.topics.iter().enumerate().filter_map(meaning).collect();
        if topic.len() <= REMEMBERED_TOPIC_BYTES_MAX {
            self.remembered[place] = Some(Remembered { topic: topic.to_owned(), meanings: Arc::clone(&meanings) });
        }
        meanings
    }

    /// Returns what an operator should look at, in a sentence: names without a declared point, and the last payload
    /// that could not be read. Empty where there is nothing.
    pub(super) fn summary(&self) -> String {
        let mut notes = Vec::new();
        if !self.seen.unmapped.is_empty() {
            let names: Vec<_> = self.seen.unmapped.iter().map(|name| name.escape_debug().to_string()).collect();
            notes.push(format!("messages without a declared point: {}", names.join(", ")));
        }
        if let Some(refused) = self.seen.refused.back() {
            notes.push(format!("last payload that could not be read: {}", refused.describe()));
        }
        notes.join("; ")
    }

    /// Returns the newest messages of which something could not be read, the newest first.
    pub(super) fn refused(&self) -> Vec<String> {
        let describe = |refused: &Refused| format!("{}: {}", refused.at, refused.describe());
        self.seen.refused.iter().rev().map(describe).collect()
    }

    /// Returns the filters to subscribe to and the quality of service to ask for, each filter once.
    pub(super) fn subscriptions(config: &MqttSource) -> Vec<(String, u8)> {
        // A filter that two topics share is asked for once, with the higher quality of service.
        let mut filters: BTreeMap<String, u8> = BTreeMap::new();
        for topic in &config.topic {
            let topic = topic.get_ref();
            let filter = match topic.is_sparkplug() {
                true => Some(topic.filter.get_ref().clone()),
                false => topic.pattern().ok().map(|pattern| pattern.filter()),
            };
            if let Some(filter) = filter {
                let qos = u8::from(topic.qos() != 0);
                filters.entry(filter).and_modify(|asked| *asked = qos.max(*asked)).or_insert(qos);
            }
        }
        filters.into_iter().collect()
    }
}

/// A message as it arrived.
struct Message<'a> {
    topic: &'a str,
    payload: &'a [u8],
    retained: bool,
    now: Timestamp,
}

/// Reads the values of a message. Returns whether there is something for the operator to look at.
fn read_values(
    message: &Message<'_>,
    format: &Format,
    meaning: &Meaning,
    points: &BTreeMap<String, Target>,
    seen: &mut Seen,
    samples: &mut Vec<Sample>,
    tally: &mut Tally,
) -> bool {
    let mut name = String::new();
    if meaning.target.is_none() && !format.names_points() {
        // Whatever it says, nobody asked for it.
        seen.unmapped(join(meaning.device.as_deref(), meaning.point.as_deref(), &mut name), tally);
        return true;
    }
    let (mut taken, mut refusals) = (0_usize, 0_usize);
    let mut first = None;
    let mut is_noted = false;
    format.read(message.payload, &mut |read| {
        taken += 1;
        if taken > VALUES_PER_MESSAGE_MAX {
            tally.add("over_limit", 1);
            is_noted = true;
            return;
        }
        let entry = match read {
            Ok(entry) => entry,
            Err(refusal) => {
                tally.add(refusal.as_str(), 1);
                refusals += 1;
                first.get_or_insert(refusal);
                return;
            }
        };
        match target(&entry, meaning, points, &mut name) {
            Ok(target) => samples.push(sample(target, &entry, format, message)),
            Err(name) => {
                seen.unmapped(name, tally);
                is_noted = true;
            }
        }
    });
    let Some(first) = first else { return is_noted };
    seen.refused(message, first, refusals);
    true
}

/// Reads the events of a message. One that can't be read costs the others nothing. Returns whether there is something for
/// the operator to look at.
fn read_context(
    message: &Message<'_>,
    zone: Option<&TimeZone>,
    seen: &mut Seen,
    context: &mut Vec<ContextEvent>,
    tally: &mut Tally,
) -> bool {
    let mut first = None;
    let mut refusals = 0;
    for event in events::read(message.payload, zone) {
        match event {
            Ok(event) => {
                context.push(event);
                tally.add("context_events", 1);
            }
            Err(refusal) => {
                tally.add(refusal.as_str(), 1);
                refusals += 1;
                first.get_or_insert(refusal);
            }
        }
    }
    let Some(first) = first else { return false };
    seen.refused(message, first, refusals);
    true
}

/// Returns the point that topic and payload name together, or the name that no point has.
fn target<'a>(
    entry: &Entry<'_>,
    meaning: &'a Meaning,
    points: &'a BTreeMap<String, Target>,
    name: &'a mut String,
) -> Result<&'a Target, &'a str> {
    if entry.device.is_none()
        && entry.point.is_none()
        && let Some(target) = &meaning.target
    {
        return Ok(target);
    }
    let device = entry.device.as_deref().or(meaning.device.as_deref());
    let name = join(device, entry.point.as_deref().or(meaning.point.as_deref()), name);
    points.get(name).ok_or(name)
}

fn sample(target: &Target, entry: &Entry<'_>, format: &Format, message: &Message<'_>) -> Sample {
    let (tag, expected) = &**target;
    let (value, quality) = expected.judge(&entry.scalar, format.decimal);
    // The broker kept it for an unknown time, so without its own time nobody knows how old it is.
    let is_doubtful = message.retained && entry.measured_at.is_none() && quality == Quality::Good;
    Sample {
        tag: *tag,
        measured_at: entry.measured_at.unwrap_or(message.now),
        value,
        quality: if is_doubtful { Quality::Uncertain } else { quality },
    }
}

/// Joins the halves of a name that are there.
fn join<'a>(device: Option<&str>, point: Option<&str>, name: &'a mut String) -> &'a str {
    name.clear();
    for half in [device, point].into_iter().flatten() {
        if !name.is_empty() {
            name.push('.');
        }
        name.push_str(half);
    }
    // An empty level is a name too: the dot tells it from a missing one.
    if device == Some("") && point.is_some() {
        name.insert(0, '.');
    }
    name
}

/// Returns as much of a text as is kept.
fn start_of(text: &str) -> &str {
    &text[..text.floor_char_boundary(NAME_BYTES_MAX)]
}

impl Seen {
    fn refused(&mut self, message: &Message<'_>, first: Refusal, parts: usize) {
        if self.refused.len() == REFUSED_MAX {
            self.refused.pop_front();
        }
        let payload = message.payload;
        self.refused.push_back(Refused {
            at: message.now,
            topic: start_of(message.topic).to_owned(),
            first,
            parts,
            start: payload[..payload.len().min(REFUSED_BYTES_MAX)].to_vec(),
            bytes: payload.len(),
        });
    }

    fn unmapped(&mut self, name: &str, tally: &mut Tally) {
        tally.add("unmapped", 1);
        if self.unmapped.len() < UNMAPPED_NAMES_MAX && !self.unmapped.contains(start_of(name)) {
            self.unmapped.insert(start_of(name).to_owned());
        }
    }
}

impl Refused {
    fn describe(&self) -> String {
        let Self { topic, first, parts, start, bytes, .. } = self;
        let more = if *parts > 1 { format!(", and {} more like it", parts - 1) } else { String::new() };
        format!("{}: {first}{more}; {bytes} bytes begin with \"{}\"", topic.escape_debug(), start.escape_ascii())
    }
}

#[cfg(test)]
mod tests;
