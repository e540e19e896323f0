//! How a device wants to be asked: limits, pauses, retries and connections, from its source's keys and its profile.
//!
//! In: a [`ModbusSource`] and the profiles. Out: what the poll loop obeys, and every problem in it: a value outside
//! its limits, sources of one endpoint that disagree, a point that no request could ever read.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::time::Duration;

use serde_spanned::Spanned;

use super::config::{ModbusSource, Written, check_period, written};
use super::plan::{BITS_MAX, Limits, Span, Stretch, WORDS_MAX, plan};
use super::points::ResolvedPoint;
use super::transport::Transport;
use crate::model::id::SourceName;
use crate::model::problem::Problems;
use crate::model::tag::SourceIndex;
use crate::model::time::Period;
use crate::profile::Library;
use crate::profile::library::Profile;
use crate::profile::limits::Forbidden;

/// Most connections to one endpoint. Gateways serve 4 to 16 clients; some must be left for others.
pub(super) const CONNECTIONS_MAX: u8 = 8;
/// Most repetitions of a request within a poll: each costs the neighbours a pause and an answer.
const RETRIES: RangeInclusive<i64> = 0..=5;
const RETRIES_DEFAULT: u8 = 2;
/// Longest pause after a connect and between requests: longer ones leave no time to read.
const CONNECT_DELAY_MS: RangeInclusive<i64> = 0..=30_000;
const REQUEST_PAUSE_MS: RangeInclusive<i64> = 0..=10_000;

/// How a device wants to be asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manners {
    /// Wait between a new connection and its first request, real time.
    pub connect_delay: Duration,
    /// Shortest wait between an answer and the next request, real time.
    pub request_pause: Duration,
    /// How often a busy device is asked again within a poll.
    pub retries: u8,
}

impl Default for Manners {
    fn default() -> Self {
        Self { connect_delay: Duration::ZERO, request_pause: Duration::ZERO, retries: RETRIES_DEFAULT }
    }
}

fn profile_of<'a>(source: &ModbusSource, profiles: &'a Library) -> Option<&'a Profile> {
    source.profile.as_ref().and_then(|name| profiles.get(name.get_ref()))
}

/// Returns the source's own limits, else the profile's, else those of the protocol. What is forbidden adds up.
pub(super) fn limits(source: &ModbusSource, profiles: &Library) -> Limits {
    let profile = profile_of(source, profiles).map(|profile| &profile.limits);
    let own = |limit: &Option<Spanned<i64>>| limit.as_ref().and_then(|limit| u16::try_from(*limit.get_ref()).ok());
    let declared = profile.into_iter().flat_map(|limits| limits.forbidden.iter().copied());
    Limits {
        words_max: own(&source.max_words).or(profile.map(|limits| limits.max_words)).unwrap_or(WORDS_MAX),
        gap_max: own(&source.max_gap).or(profile.map(|limits| limits.max_gap)).unwrap_or(0),
        one_point_per_request: source
            .one_point_per_request
            .or(profile.map(|limits| limits.one_point_per_request))
            .unwrap_or(false),
        start_at_zero: source.start_at_zero.or(profile.map(|limits| limits.start_at_zero)).unwrap_or(false),
        forbidden: declared.chain(ranges(&source.forbidden)).map(Stretch::of).collect(),
        blocks: ranges(&source.block).map(Stretch::of).collect(),
        ..Limits::default()
    }
}

fn ranges(written: &[Spanned<Written<Forbidden>>]) -> impl Iterator<Item = Forbidden> {
    written.iter().filter_map(|range| range.get_ref().0.as_ref().ok().copied())
}

/// Returns the pauses and retries: the source's own, else the profile's.
pub(super) fn manners(source: &ModbusSource, profiles: &Library) -> Manners {
    let profile = profile_of(source, profiles).map(|profile| &profile.limits);
    let real = |own: Option<&Spanned<Written<Period>>>, profiles: Option<Period>| {
        let ms = written(own).or(profiles).map_or(0, Period::as_ms);
        Duration::from_millis(u64::try_from(ms).unwrap_or(0))
    };
    let retries = source.retries.as_ref().and_then(|retries| u8::try_from(*retries.get_ref()).ok());
    Manners {
        connect_delay: real(source.connect_delay.as_ref(), profile.map(|limits| limits.connect_delay)),
        request_pause: real(source.request_pause.as_ref(), profile.map(|limits| limits.request_pause)),
        retries: retries.unwrap_or(RETRIES_DEFAULT),
    }
}

/// Returns how many connections a source wants for its endpoint; `None` where it doesn't say.
pub(super) fn connections(source: &ModbusSource) -> Option<u8> {
    source.connections.as_ref().and_then(|count| u8::try_from(*count.get_ref()).ok())
}

/// Names every value outside its limits.
pub(super) fn check(source: &ModbusSource, problems: &mut Problems) {
    check_period("connect_delay", source.connect_delay.as_ref(), CONNECT_DELAY_MS, problems);
    check_period("request_pause", source.request_pause.as_ref(), REQUEST_PAUSE_MS, problems);
    check_count("retries", source.retries.as_ref(), RETRIES, problems);
    check_count("connections", source.connections.as_ref(), 1..=i64::from(CONNECTIONS_MAX), problems);
    for (key, ranges) in [("forbidden", &source.forbidden), ("block", &source.block)] {
        for range in ranges {
            if let Err(reason) = &range.get_ref().0 {
                problems.error(
                    range.span(),
                    format!("{key}: {reason}"),
                    "write \"holding 100-131\", both ends included",
                );
            }
        }
    }
    check_blocks(source, problems);
}

fn check_count(key: &str, count: Option<&Spanned<i64>>, range: RangeInclusive<i64>, problems: &mut Problems) {
    if let Some(count) = count
        && !range.contains(count.get_ref())
    {
        let message = format!("{key} {} is outside {} to {}", count.get_ref(), range.start(), range.end());
        problems.error(count.span(), message, format!("leave {key} out for the default"));
    }
}

/// Names blocks that no request can read, and those that overlap.
fn check_blocks(source: &ModbusSource, problems: &mut Problems) {
    let mut before: Vec<Stretch> = Vec::new();
    for written in &source.block {
        let Ok(range) = written.get_ref().0 else { continue };
        let block = Stretch::of(range);
        let Some(request) = block.request() else {
            let message = format!("block {range} is more than one request can read");
            let help = format!("a request reads at most {WORDS_MAX} registers or {BITS_MAX} bits");
            problems.error(written.span(), message, help);
            continue;
        };
        if before.iter().any(|other| other.is_touched_by(request)) {
            let message = format!("block {range} overlaps another block");
            problems.error(written.span(), message, "write one block for both, or let each end before the next");
        }
        before.push(block);
    }
}

/// Names every point that the plan has no request for: it would stay without a value for ever, in silence.
pub(super) fn check_plan(source: &ModbusSource, profiles: &Library, points: &[ResolvedPoint], problems: &mut Problems) {
    let limits = limits(source, profiles);
    let spans: Vec<Span> = points.iter().map(|point| point.span).collect();
    let mut is_read = vec![false; spans.len()];
    for planned in plan(&spans, &limits) {
        planned.points.iter().for_each(|&point| is_read[point] = true);
    }
    for (point, _) in points.iter().zip(&is_read).filter(|(_, is_read)| !**is_read) {
        let at = source
            .point
            .iter()
            .find(|written| point.name.as_str().ends_with(&suffix(written.get_ref().name.get_ref())));
        let at = at.map_or_else(|| source.name.span(), Spanned::span);
        let (span, limits) = (point.span, &limits);
        let last = u32::from(span.address) + u32::from(span.length) - 1;
        let message = format!(
            "no request can read \"{}\" ({} {} to {last}): {}",
            point.name,
            span.table,
            span.address,
            obstacle(span, limits)
        );
        problems.error(at, message, "change the limit, or leave the point out");
    }
}

fn suffix(point: &str) -> String {
    format!(".{point}")
}

fn obstacle(span: Span, limits: &Limits) -> String {
    let end = u32::from(span.address) + u32::from(span.length);
    let max = if span.table.is_bits() { BITS_MAX } else { limits.words_max };
    let count = if limits.start_at_zero { end } else { u32::from(span.length) };
    if count > u32::from(max) {
        return format!("it takes {count} in one request, and {max} are allowed");
    }
    "it touches a forbidden range".to_owned()
}

/// Names sources of one endpoint that disagree about it: they would be two masters on one line, or fight for a
/// device's only connection.
pub(super) fn check_together(sources: &[(SourceIndex, ModbusSource)], problems: &mut Problems) {
    let mut said: BTreeMap<(String, &'static str), (&SourceName, String)> = BTreeMap::new();
    for (_, source) in sources {
        let Some(transport) = source.transport() else { continue };
        let place = match &transport {
            Transport::Serial { path, .. } => path.display().to_string(),
            Transport::Tcp { .. } | Transport::Tls { .. } | Transport::RtuOverTcp { .. } => transport.to_string(),
        };
        let url = || (source.url.span(), transport.to_string());
        let connections = source.connections.as_ref();
        if transport.is_serial()
            && let Some(connections) = connections
            && *connections.get_ref() > 1
        {
            let message = format!("connections = {} on a serial line", connections.get_ref());
            problems.error(connections.span(), message, "leave it out: a serial line carries one request at a time");
        }
        if transport.is_serial()
            && let Some(keep_open) = source.keep_open.as_ref()
            && !keep_open.get_ref()
        {
            let help = "leave it out: a serial port has no slot that others wait for";
            problems.error(keep_open.span(), "keep_open = false on a serial line", help);
        }
        let claims = [
            ("url", Some(url())),
            ("TLS files", Some((source.url.span(), format!("{:?}", source.security())))),
            ("connections", connections.map(|count| (count.span(), count.get_ref().to_string()))),
            ("keep_open", source.keep_open.as_ref().map(|keep| (keep.span(), keep.get_ref().to_string()))),
        ];
        for (what, claim) in claims {
            let Some((at, value)) = claim else { continue };
            let (first, expected) =
                said.entry((place.clone(), what)).or_insert_with(|| (source.name.get_ref(), value.clone()));
            if *expected != value {
                let name = source.name.get_ref();
                let message = format!("sources \"{first}\" and \"{name}\" share {place}, but their {what} differ");
                problems.error(at, message, "write the same at each source of an endpoint");
            }
        }
    }
}
