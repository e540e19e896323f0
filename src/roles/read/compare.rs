//! Every point of a device read merged into few requests and one by one: what differs is a device that can't be read
//! as planned, and has to be told so (`max_words`, `max_gap`, `one_point_per_request`).
//!
//! Values move while they are read. A point is accused only when the merged answer lies outside of what single reads
//! before and after it gave, and does so again.

use std::collections::BTreeMap;
use std::fmt;
use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use serde_json::json;

use super::super::reach::{Bus, print_json};
use super::super::single::Single;
use crate::sources::modbus::link::LinkError;
use crate::sources::modbus::plan::{Answer, Planned, Request};

/// How often a point is read again before it is accused.
const ROUNDS: usize = 3;
/// Wait between an answer and the next request: the plant's own master comes first.
const PAUSE: Duration = Duration::from_millis(20);
/// Share of the value by which a merged answer may lie outside of two single ones that moved.
const DRIFT: f64 = 0.1;

/// What one read of one point gave: its words (a bit as one), or why there is none.
type Got = Result<Vec<u16>, String>;

/// What comparing one point came to.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Verdict {
    /// Both ways give the same.
    Same,
    /// The value moved between the reads; nothing speaks against it.
    Moved,
    /// The merged answer holds another value.
    Differs,
    /// Only a request of its own is answered.
    OnlySingle(String),
    /// Only a merged request is answered.
    OnlyMerged(String),
    /// Neither is answered.
    Neither(String),
}

impl Verdict {
    const fn is_fault(&self) -> bool {
        matches!(self, Self::Differs | Self::OnlySingle(_) | Self::OnlyMerged(_))
    }

    const fn name(&self) -> &'static str {
        match self {
            Self::Same => "same",
            Self::Moved => "moved",
            Self::Differs => "differs",
            Self::OnlySingle(_) => "only_single",
            Self::OnlyMerged(_) => "only_merged",
            Self::Neither(_) => "neither",
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Same => f.write_str("the same"),
            Self::Moved => f.write_str("moved between the reads"),
            Self::Differs => f.write_str("the merged answer holds another value"),
            Self::OnlySingle(reason) => write!(f, "answered only to a request of its own; merged: {reason}"),
            Self::OnlyMerged(reason) => write!(f, "answered only within a merged request; alone: {reason}"),
            Self::Neither(reason) => write!(f, "not answered: {reason}"),
        }
    }
}

/// One point while it is compared.
struct Compared {
    index: usize,
    single: Got,
    merged: Got,
    verdict: Verdict,
}

/// Compares every point of a device. Exit code 0 where nothing differs.
///
/// # Errors
/// There is no connection.
pub(super) async fn run(single: &Single, json: bool) -> anyhow::Result<ExitCode> {
    let mut bus = single.bus(PAUSE);
    bus.open().await.with_context(|| single.transport.to_string())?;
    let plan = single.device.plan();
    let mut compared = Vec::new();
    for planned in &plan {
        compared.extend(request(single, &mut bus, planned).await.with_context(|| single.transport.to_string())?);
    }
    compared.sort_by_key(|point| point.index);
    print(single, plan.len(), &compared, json)?;
    let is_compared = compared.iter().any(|point| matches!(point.verdict, Verdict::Same | Verdict::Moved));
    let is_faulty = compared.iter().any(|point| point.verdict.is_fault());
    Ok(if is_compared && !is_faulty { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Compares the points of one planned request, and those that differ again.
async fn request(single: &Single, bus: &mut Bus, planned: &Planned) -> Result<Vec<Compared>, LinkError> {
    let mut open = planned.points.clone();
    let mut done: BTreeMap<usize, Compared> = BTreeMap::new();
    for _ in 0..ROUNDS {
        let mut before = Vec::new();
        for index in &open {
            before.push(alone(single, bus, *index).await?);
        }
        let merged = answered(bus.read(single.device.unit, planned.request).await)?;
        for (index, first) in std::mem::take(&mut open).into_iter().zip(before) {
            let merged =
                merged.as_ref().map_err(Clone::clone).and_then(|answer| cut(single, index, planned.request, answer));
            let second = if first == merged { first.clone() } else { alone(single, bus, index).await? };
            let value = |got: &Got| value(single, index, got);
            let verdict = judge(&first, &merged, &second, value);
            if verdict == Verdict::Moved || verdict.is_fault() {
                open.push(index);
            }
            done.insert(index, Compared { index, single: second, merged, verdict });
        }
        if open.is_empty() {
            break;
        }
    }
    Ok(done.into_values().collect())
}

/// Judges three reads of one point: alone, merged, alone.
fn judge(first: &Got, merged: &Got, second: &Got, value: impl Fn(&Got) -> Option<f64>) -> Verdict {
    if merged.is_ok() && (merged == first || merged == second) {
        return Verdict::Same;
    }
    match (first, merged, second) {
        (Err(alone), Ok(_), Err(_)) => Verdict::OnlyMerged(alone.clone()),
        (Err(alone), Err(_), Err(_)) => Verdict::Neither(alone.clone()),
        (_, Err(together), _) => Verdict::OnlySingle(together.clone()),
        (Ok(_), Ok(_), Ok(_)) if first != second => match (value(first), value(merged), value(second)) {
            (Some(first), Some(merged), Some(second)) => {
                let slack = DRIFT * first.abs().max(second.abs());
                let within = merged >= first.min(second) - slack && merged <= first.max(second) + slack;
                if within { Verdict::Moved } else { Verdict::Differs }
            }
            // It came to have a value, or lost it, while it was read.
            _ => Verdict::Moved,
        },
        (Ok(_), Ok(_), Ok(_)) => Verdict::Differs,
        // One of two reads of its own failed: the next round tells.
        (_, Ok(_), _) => Verdict::Moved,
    }
}

async fn alone(single: &Single, bus: &mut Bus, index: usize) -> Result<Got, LinkError> {
    let span = single.device.points[index].span;
    let Some(request) = Request::new(span.table, span.address, span.length) else {
        return Ok(Err("no request of its own can hold it".to_owned()));
    };
    let answer = answered(bus.read(single.device.unit, request).await)?;
    Ok(answer.and_then(|answer| cut(single, index, request, &answer)))
}

/// Keeps what concerns a point as its outcome; what concerns the connection ends the comparison.
fn answered(outcome: Result<Answer, LinkError>) -> Result<Result<Answer, String>, LinkError> {
    match outcome {
        Ok(answer) => Ok(Ok(answer)),
        Err(error @ (LinkError::Connect(_) | LinkError::Foreign(_))) => Err(error),
        Err(error) => Ok(Err(error.to_string())),
    }
}

/// Cuts a point's words out of an answer.
fn cut(single: &Single, index: usize, request: Request, answer: &Answer) -> Got {
    let place = single.device.points[index].span.within(request);
    let words = match answer {
        Answer::Words(words) => words.get(place).map(<[u16]>::to_vec),
        Answer::Bits(bits) => bits.get(place).map(|bits| bits.iter().copied().map(u16::from).collect()),
    };
    words.ok_or_else(|| "the answer is too short".to_owned())
}

fn value(single: &Single, index: usize, got: &Got) -> Option<f64> {
    let point = &single.device.points[index];
    let words = got.as_ref().ok()?;
    let value =
        if point.span.table.is_bits() { point.decoding.bit(*words.first()? != 0) } else { point.decoding.words(words) };
    value.ok().map(|value| value.as_f64())
}

fn print(single: &Single, requests: usize, compared: &[Compared], json: bool) -> anyhow::Result<()> {
    for point in compared {
        let span = single.device.points[point.index].span;
        let (name, unit) = single.named(&single.device.points[point.index]);
        let values = (value(single, point.index, &point.merged), value(single, point.index, &point.single));
        if json {
            print_json(&json!({
                "point": name, "unit": unit.as_str(), "table": span.table, "address": span.address,
                "merged": values.0, "single": values.1, "verdict": point.verdict.name(),
                "reason": (point.verdict != Verdict::Same).then(|| point.verdict.to_string()),
            }))?;
        } else {
            let shown = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |value| value.to_string());
            let (merged, alone, verdict) = (shown(values.0), shown(values.1), &point.verdict);
            let place = format!("{} {}", span.table, span.address);
            writeln!(
                std::io::stdout(),
                "{name:<28} {place:<14} merged {merged}, alone {alone} {}: {verdict}",
                unit.as_str()
            )
            .context("standard output")?;
        }
    }
    if !json {
        let count = |wanted: fn(&Verdict) -> bool| compared.iter().filter(|point| wanted(&point.verdict)).count();
        let (faults, moved) = (count(Verdict::is_fault), count(|verdict| *verdict == Verdict::Moved));
        let neither = count(|verdict| matches!(verdict, Verdict::Neither(_)));
        writeln!(
            std::io::stdout(),
            "{} points, {requests} merged requests: {faults} differ, {moved} moved, {neither} not answered",
            compared.len()
        )
        .context("standard output")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{Got, Verdict, judge};

    fn word(value: u16) -> Got {
        Ok(vec![value])
    }

    fn refused() -> Got {
        Err("exception 2".to_owned())
    }

    #[test]
    fn a_value_that_moves_is_not_accused_and_one_that_jumps_is() {
        let table = [
            (word(100), word(100), word(100), Verdict::Same),
            (word(100), word(101), word(101), Verdict::Same),
            (word(100), word(101), word(102), Verdict::Moved),
            (word(100), word(98), word(102), Verdict::Moved),
            (word(100), word(7000), word(102), Verdict::Differs),
            (word(100), word(7000), word(100), Verdict::Differs),
            (word(100), refused(), word(100), Verdict::OnlySingle("exception 2".to_owned())),
            (refused(), word(100), refused(), Verdict::OnlyMerged("exception 2".to_owned())),
            (refused(), refused(), refused(), Verdict::Neither("exception 2".to_owned())),
            (refused(), word(100), word(90), Verdict::Moved),
        ];
        for (first, merged, second, expected) in table {
            let value = |got: &Got| got.as_ref().ok().map(|words| f64::from(words[0]));
            assert_eq!(judge(&first, &merged, &second, value), expected, "{first:?} {merged:?} {second:?}");
        }
    }
}
