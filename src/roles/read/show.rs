//! What `parkgate read` prints: one line for each way to read each value.

use std::io::Write;

use anyhow::Context;
use serde::Serialize;

use super::super::reach::print_json;
use super::super::single::Value;
use super::question::Question;
use crate::model::sample::Quality;
use crate::profile::register::{RegisterType, Table, WordOrder, text_of};
use crate::sources::modbus::decode::Decoding;
use crate::sources::modbus::link::LinkError;
use crate::sources::modbus::plan::{Answer, Request};
use crate::sources::modbus::plausible::{self, Judgement, Mark};

/// Readings of one register that are shown of a range.
const BEST: usize = 3;
/// Fewest characters that make a text out of words that may be anything.
const TEXT_MIN: usize = 4;

/// One way to read the words, as `--json` prints it.
#[derive(Debug, Serialize)]
pub(super) struct Reading {
    address: u16,
    table: Table,
    unit: u8,
    #[serde(rename = "type")]
    register_type: Option<RegisterType>,
    order: Option<WordOrder>,
    bit: Option<u8>,
    value: Option<Shown>,
    quality: Option<&'static str>,
    reason: Option<String>,
    /// How plausible the value is; `None` where there is none, or no number.
    plausible: Option<&'static str>,
    could_be: Vec<String>,
    #[serde(skip)]
    judgement: Option<Judgement>,
}

/// A number or a text.
#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Shown {
    Number(Value),
    Text(String),
}

/// Prints an answer.
pub(super) fn print(question: &Question, request: Request, answer: &Answer, json: bool) -> anyhow::Result<()> {
    let step = if question.is_typed { question.readings.first().map_or(1, |way| question.words(way)) } else { 1 };
    let offsets = || (0..request.count()).step_by(usize::from(step.max(1)));
    // Without a range, only the value that begins at the address itself was asked for.
    let offsets: Vec<u16> = if question.count.is_some() { offsets().collect() } else { vec![0] };
    let found: Vec<Vec<Reading>> = offsets.iter().map(|offset| readings(question, *offset, answer)).collect();
    if json {
        return found.into_iter().flatten().try_for_each(|reading| print_json(&reading));
    }
    let lines = lines(question, request, answer, found);
    lines.iter().try_for_each(|line| writeln!(std::io::stdout(), "{line}")).context("standard output")
}

/// The line of a read that failed.
pub(super) fn failed(question: &Question, error: &LinkError) -> Reading {
    let described = match question.readings.as_slice() {
        [only] => described(question, 0, only),
        ways => Reading { register_type: None, order: None, bit: None, ..described(question, 0, &ways[0]) },
    };
    Reading { reason: Some(error.to_string()), ..described }
}

fn lines(question: &Question, request: Request, answer: &Answer, found: Vec<Vec<Reading>>) -> Vec<String> {
    let function = match request.table() {
        Table::Coil => 1,
        Table::Discrete => 2,
        Table::Holding => 3,
        Table::Input => 4,
    };
    let (address, count) = (request.address(), request.count());
    let mut lines = vec![format!(
        "request {:02X} {function:02X} {address:04X} {count:04X}: unit {} at {}, {} from wire address {address} (0x{address:04X}), {count} {}",
        question.unit,
        question.unit,
        question.transport,
        question.table,
        if question.table.is_bits() { "bits" } else { "registers" },
    )];
    if let Answer::Words(words) = answer {
        lines.push(format!("answer  {}", words.iter().map(|word| format!("{word:04X}")).collect::<Vec<_>>().join(" ")));
    }
    for readings in found {
        if question.count.is_some() && !question.is_typed {
            lines.extend(of_range(readings, answer, address));
        } else if question.is_typed {
            let place = question.count.is_some();
            lines.extend(readings.iter().map(|reading| reading.line(place)));
        } else {
            lines.extend(ranked(readings).iter().map(|reading| reading.line(false)));
        }
    }
    lines
}

/// Returns the readings with the most plausible first.
fn ranked(readings: Vec<Reading>) -> Vec<Reading> {
    let judged =
        |reading: Reading| (reading.judgement.clone().unwrap_or(Judgement { score: 0, could_be: Vec::new() }), reading);
    let mut judged: Vec<_> = readings.into_iter().map(judged).collect();
    plausible::rank(&mut judged);
    judged.into_iter().map(|(_, reading)| reading).collect()
}

/// Returns the best readings of one register of a range; its word alone where none is plausible.
fn of_range(readings: Vec<Reading>, answer: &Answer, first: u16) -> Vec<String> {
    let Some(address) = readings.first().map(|reading| reading.address) else { return Vec::new() };
    let word = match answer {
        Answer::Words(words) => words.get(usize::from(address.saturating_sub(first))).copied().unwrap_or(0),
        Answer::Bits(_) => 0,
    };
    let is_worth = |reading: &Reading| {
        matches!(reading.value, Some(Shown::Text(_)))
            || reading.judgement.as_ref().is_some_and(|judgement| judgement.mark() > Mark::Unlikely)
    };
    let best: Vec<String> =
        ranked(readings).into_iter().filter(is_worth).take(BEST).map(|reading| reading.line(false)).collect();
    let place = format!("{address:>5} (0x{address:04X}) {word:04X}");
    if best.is_empty() {
        return vec![place];
    }
    let blank = " ".repeat(place.len());
    best.into_iter()
        .enumerate()
        .map(|(rank, line)| format!("{}  {line}", if rank == 0 { &place } else { &blank }))
        .collect()
}

/// Reads the value at `offset` of the answer in every way that it has enough words for.
fn readings(question: &Question, offset: u16, answer: &Answer) -> Vec<Reading> {
    question.readings.iter().filter_map(|way| reading(question, offset, way, answer)).collect()
}

fn reading(question: &Question, offset: u16, way: &Decoding, answer: &Answer) -> Option<Reading> {
    let described = described(question, offset, way);
    let from = usize::from(offset);
    let decoded = match answer {
        Answer::Bits(bits) => way.bit(*bits.get(from)?),
        Answer::Words(words) if way.register_type == RegisterType::Text => {
            return text(question, way, words.get(from..)?, described);
        }
        Answer::Words(words) => way.words(words.get(from..from + usize::from(question.words(way)))?),
    };
    let value = match decoded {
        Ok(value) => value,
        Err(reason) => {
            let (quality, reason) = (Some(reason.quality().as_str()), Some(reason.to_string()));
            return Some(Reading { quality, reason, ..described });
        }
    };
    let is_number = matches!(answer, Answer::Words(_)) && way.register_type != RegisterType::Bit;
    let judgement = is_number.then(|| plausible::judge(way.register_type, way.order, &value, question.is_scaled));
    Some(Reading {
        value: Some(Shown::Number(value.into())),
        quality: Some(Quality::Good.as_str()),
        plausible: judgement.as_ref().map(|judgement| judgement.mark().as_str()),
        could_be: judgement.as_ref().map(|judgement| judgement.could_be.clone()).unwrap_or_default(),
        judgement,
        ..described
    })
}

/// Reads a text: the one that was asked for, or whatever the words spell.
fn text(question: &Question, way: &Decoding, words: &[u16], described: Reading) -> Option<Reading> {
    let words = if question.is_typed { words.get(..usize::from(question.words(way)))? } else { words };
    let found = text_of(words, way.order.bytes_swapped(), usize::MAX);
    if !question.is_typed && found.as_ref().is_none_or(|text| text.len() < TEXT_MIN) {
        return None;
    }
    Some(match found {
        Some(text) => Reading { value: Some(Shown::Text(text)), quality: Some(Quality::Good.as_str()), ..described },
        None => {
            let reason = Some("no text of printable characters".to_owned());
            Reading { quality: Some(Quality::NotANumber.as_str()), reason, ..described }
        }
    })
}

fn described(question: &Question, offset: u16, way: &Decoding) -> Reading {
    let is_register = !question.table.is_bits();
    let is_bit = way.register_type == RegisterType::Bit;
    Reading {
        address: question.address.saturating_add(offset),
        table: question.table,
        unit: question.unit,
        register_type: Some(way.register_type),
        order: is_register.then_some(way.order),
        bit: (is_register && is_bit).then_some(way.bit),
        value: None,
        quality: None,
        reason: None,
        plausible: None,
        could_be: Vec::new(),
        judgement: None,
    }
}

impl Reading {
    fn line(&self, with_address: bool) -> String {
        let kind = match (self.register_type, self.bit) {
            (Some(kind), Some(bit)) => format!("{kind} {bit}"),
            (kind, _) => kind.map_or_else(String::new, |kind| kind.to_string()),
        };
        let value = match (&self.value, &self.reason) {
            (Some(Shown::Text(text)), _) => format!("\"{text}\""),
            (Some(Shown::Number(Value::Integer(value))), _) => value.to_string(),
            (Some(Shown::Number(Value::Float(value))), _) if *value != 0.0 && !(1e-6..1e16).contains(&value.abs()) => {
                format!("{value:e}")
            }
            (Some(Shown::Number(Value::Float(value))), _) => value.to_string(),
            (None, reason) => format!("no value: {}", reason.as_deref().unwrap_or_default()),
        };
        let mark = self.judgement.as_ref().map(Judgement::mark).filter(|mark| *mark > Mark::Unlikely);
        let mark = mark.map_or_else(String::new, |mark| {
            let guesses =
                if self.could_be.is_empty() { String::new() } else { format!(": {}", self.could_be.join(" or ")) };
            format!("  {}{guesses}", mark.as_str())
        });
        let place = if with_address { format!("{:>5} ", self.address) } else { String::new() };
        format!("{place}{kind:<9} {:<8} {value}{mark}", self.order.map_or("", WordOrder::as_str))
    }
}
