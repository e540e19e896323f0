//! What was told in the time of a recording, in order: each statement is heard at its own instant, between the samples
//! around it.

use std::collections::VecDeque;
use std::io::Write;
use std::path::Path;

use anyhow::Context;

use crate::engine::context::judge;
use crate::engine::declared::form::{Form, instant};
use crate::engine::plant::Plant;
use crate::model::context::ContextEvent;
use crate::model::context::document::ContextDocument;
use crate::model::statement::{Said, Statement};
use crate::model::time::Timestamp;
use crate::store::Statements;

/// Columns of a recorded declaration beside those of its form: who said what, and when.
const WORDS: [&str; 6] = ["entered_by", "entered_at", "approved_by", "approved_at", "withdrawn_by", "withdrawn_at"];

/// What was told, the earliest first.
#[derive(Debug, Default)]
pub(super) struct Timeline {
    told: VecDeque<(Timestamp, Statement)>,
}

impl Timeline {
    /// Adds what is heard at an instant; of one instant the first comes first.
    pub(super) fn add(&mut self, at: Timestamp, statement: Statement) {
        let place = self.told.partition_point(|(told, _)| *told <= at);
        self.told.insert(place, (at, statement));
    }

    /// Returns the instant of the next statement up to `until`.
    pub(super) fn next_until(&self, until: Timestamp) -> Option<Timestamp> {
        self.told.front().map(|(at, _)| *at).filter(|at| *at <= until)
    }

    /// Takes the statements up to an instant.
    pub(super) fn take_until(&mut self, until: Timestamp) -> Vec<Statement> {
        let count = self.told.partition_point(|(at, _)| *at <= until);
        self.told.drain(..count).map(|(_, statement)| statement).collect()
    }

    /// Returns the instant of the next statement.
    pub(super) fn next(&self) -> Option<Timestamp> {
        self.told.front().map(|(at, _)| *at)
    }
}

/// One line of recorded declarations.
struct Line {
    form: Form,
    entered: (String, Timestamp),
    approved: Option<(String, Timestamp)>,
    withdrawn: Option<(String, Timestamp)>,
}

/// Reads recorded declarations into a timeline, by the rules of a running box: a second person approves, and what is
/// refused there is refused here. `replaces` names the line, the first below the header being 1. Returns how many lines
/// were left out; each is reported on standard error.
///
/// # Errors
/// What keeps the whole file from being read.
pub(super) fn read_declarations(
    path: &Path,
    plant: &Plant,
    statements: &mut Statements,
    timeline: &mut Timeline,
) -> anyhow::Result<u64> {
    let place = || format!("declarations {}", path.display());
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_path(path).with_context(place)?;
    let headers = reader.headers().with_context(place)?.clone();
    let mut rejected = 0;
    let mut reject = |line: usize, reason: &str| -> anyhow::Result<()> {
        rejected += 1;
        writeln!(std::io::stderr(), "{}: declaration {line} left out: {reason}", path.display())?;
        Ok(())
    };
    // In the order in which it was said: an approval may come after a later declaration.
    let mut steps: Vec<(Timestamp, usize, Step)> = Vec::new();
    for (line, record) in (1..).zip(reader.records()) {
        let read = record.map_err(|error| error.to_string()).and_then(|record| read_line(&headers, &record, plant));
        match read {
            Ok(read) => {
                let Line { form, entered, approved, withdrawn } = read;
                steps.push((entered.1, line, Step::Enter(Box::new(form), entered.0)));
                steps.extend(approved.map(|(person, at)| (at, line, Step::Approve(person))));
                steps.extend(withdrawn.map(|(person, at)| (at, line, Step::Withdraw(person))));
            }
            Err(reason) => reject(line, &reason)?,
        }
    }
    steps.sort_by_key(|(at, line, step)| (*at, step.rank(), *line));
    let mut numbers = std::collections::BTreeMap::new();
    for (at, line, step) in steps {
        let said = match step {
            Step::Enter(form, person) => enter(&form, &person, at, plant, statements, &numbers).map(|(id, said)| {
                numbers.insert(line, id);
                (id, said)
            }),
            Step::Approve(person) => {
                settle(&numbers, line, |of| Ok((statements.approve(of, &person, at)?, Said::Approved { of })))
            }
            Step::Withdraw(person) => {
                settle(&numbers, line, |of| Ok((statements.withdraw(of, &person, at)?, Said::Withdrawn { of })))
            }
        };
        match said {
            Ok((id, said)) => timeline.add(at, Statement { id, said }),
            Err(reason) => reject(line, &reason)?,
        }
    }
    Ok(rejected)
}

/// Reads recorded production context into a timeline. Returns how many lines were left out; each is reported on standard
/// error.
///
/// # Errors
/// What keeps the whole file from being read.
pub(super) fn read_context(path: &Path, plant: &Plant, timeline: &mut Timeline) -> anyhow::Result<u64> {
    let mut rejected = 0;
    let lines = context_lines(path, plant, &["told_at"])?;
    for (id, (line, event)) in (1..).zip(lines) {
        match event {
            Ok((event, told_at)) => {
                let at = told_at.unwrap_or(event.at);
                timeline.add(at, Statement { id, said: Said::Context(event) });
            }
            Err(reason) => {
                rejected += 1;
                writeln!(std::io::stderr(), "{}:{line}: left out: {reason}", path.display())?;
            }
        }
    }
    Ok(rejected)
}

/// An event, and when it was told, where the file says so.
pub(super) type ToldEvent = (ContextEvent, Option<Timestamp>);

/// Reads the lines of a file of production context, each with its number: events that the plant can take, or why not.
/// Columns beside those of an event are refused unless they are in `beside`, which may name `told_at`.
///
/// # Errors
/// What keeps the whole file from being read.
pub(super) fn context_lines(
    path: &Path,
    plant: &Plant,
    beside: &[&str],
) -> anyhow::Result<Vec<(u64, Result<ToldEvent, String>)>> {
    let place = || format!("context {}", path.display());
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_path(path).with_context(place)?;
    let headers = reader.headers().with_context(place)?.clone();
    let read = |record: &csv::StringRecord| -> Result<ToldEvent, String> {
        let zone = plant.site_calendar().zone();
        let time = |text: &str| instant(text, zone).ok_or_else(|| format!("\"{text}\" is not an instant"));
        let column = |name: &str| headers.iter().position(|header| header == name).and_then(|place| record.get(place));
        let told_at = column("told_at").filter(|text| beside.contains(&"told_at") && !text.is_empty());
        let fields = headers.iter().zip(record).filter(|(header, text)| !beside.contains(header) && !text.is_empty());
        let object: serde_json::Map<String, serde_json::Value> =
            fields.map(|(header, text)| (header.to_owned(), text.into())).collect();
        let document: ContextDocument = serde_json::from_value(object.into()).map_err(|error| error.to_string())?;
        let event = document.read(&time)?;
        judge(plant, &event).map_err(|refusal| refusal.to_string())?;
        Ok((event, told_at.map(time).transpose()?))
    };
    let line = |(number, record): (u64, csv::Result<csv::StringRecord>)| {
        (number, record.map_err(|error| error.to_string()).and_then(|record| read(&record)))
    };
    Ok((2..).zip(reader.records()).map(line).collect())
}

/// What is said of one line.
enum Step {
    Enter(Box<Form>, String),
    Approve(String),
    Withdraw(String),
}

impl Step {
    const fn rank(&self) -> u8 {
        match self {
            Self::Enter(..) => 0,
            Self::Approve(_) => 1,
            Self::Withdraw(_) => 2,
        }
    }
}

fn enter(
    form: &Form,
    person: &str,
    at: Timestamp,
    plant: &Plant,
    statements: &mut Statements,
    numbers: &std::collections::BTreeMap<usize, i64>,
) -> Result<(i64, Said), String> {
    let mut declared = form.read(plant, at).map_err(|problems| problems.to_string())?;
    if let Some(line) = declared.replaces {
        let old = usize::try_from(line).ok().and_then(|line| numbers.get(&line));
        declared.replaces = Some(*old.ok_or_else(|| format!("replaces {line}, which was not declared before"))?);
    }
    let id = statements.declare(&declared, person, at).map_err(|error| error.to_string())?;
    Ok((id, Said::Declared(declared)))
}

fn settle(
    numbers: &std::collections::BTreeMap<usize, i64>,
    line: usize,
    say: impl FnOnce(i64) -> Result<(i64, Said), crate::store::Unsaid>,
) -> Result<(i64, Said), String> {
    let of = numbers.get(&line).ok_or("it was not declared before")?;
    say(*of).map_err(|error| error.to_string())
}

fn read_line(headers: &csv::StringRecord, record: &csv::StringRecord, plant: &Plant) -> Result<Line, String> {
    let zone = plant.site_calendar().zone();
    let column = |name: &str| {
        let place = headers.iter().position(|header| header == name)?;
        record.get(place).filter(|text| !text.is_empty())
    };
    let word = |person: &str, at: &str| -> Result<Option<(String, Timestamp)>, String> {
        match (column(person), column(at)) {
            (Some(person), Some(text)) => {
                let at = instant(text, zone).ok_or_else(|| format!("{at} \"{text}\" is not an instant"))?;
                Ok(Some((person.to_owned(), at)))
            }
            (None, None) => Ok(None),
            _ => Err(format!("{person} and {at} go together")),
        }
    };
    Ok(Line {
        form: read_form(headers, record, &WORDS)?,
        entered: word("entered_by", "entered_at")?.ok_or("entered_by and entered_at are empty")?,
        approved: word("approved_by", "approved_at")?,
        withdrawn: word("withdrawn_by", "withdrawn_at")?,
    })
}

/// Reads the columns of a form; others than `beside` are refused.
///
/// # Errors
/// What is wrong with the line.
pub(super) fn read_form(
    headers: &csv::StringRecord,
    record: &csv::StringRecord,
    beside: &[&str],
) -> Result<Form, String> {
    let fields = headers.iter().zip(record).filter(|(header, _)| !beside.contains(header));
    let object: serde_json::Map<String, serde_json::Value> =
        fields.map(|(header, text)| (header.to_owned(), text.into())).collect();
    serde_json::from_value(object.into()).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::{Timeline, Timestamp, read_declarations};
    use crate::engine::tests::plant;
    use crate::model::statement::Said;
    use crate::store::Store;

    #[test]
    fn recorded_declarations_follow_the_rules_of_a_running_box() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("declared.csv");
        let header = "kind,period,quantity,unit,document,stream,entered_by,entered_at,approved_by,approved_at,replaces";
        let lines = [
            "waste,2026-09,10,t,B-1,recycled,An,2026-10-01T09:00,Binh,2026-10-02T09:00,",
            "waste,2026-09,20,t,B-2,other,An,2026-10-01T10:00, a N ,2026-10-02T10:00,",
            "waste,2026-09,30,t,B-3,other,An,2026-10-03T09:00,Binh,2026-10-03T10:00,1",
            "waste,2026-09,40,t,B-4,moon,An,2026-10-03T09:00,,,",
        ];
        std::fs::write(&path, [&[header], &lines[..]].concat().join("\n")).unwrap();
        let plant = plant();
        let store = Store::open_in_memory(&plant.tags, plant.config, "").unwrap();
        let mut timeline = Timeline::default();
        let rejected = read_declarations(&path, &plant, &mut store.statements().unwrap(), &mut timeline).unwrap();
        assert_eq!(rejected, 2, "the same person's approval and an unknown stream");
        let told = timeline.take_until(Timestamp(i64::MAX));
        let kinds: Vec<&str> = told.iter().map(|statement| statement.said.as_str()).collect();
        assert_eq!(kinds, ["declared", "declared", "approved", "declared", "approved"]);
        let Said::Declared(third) = &told[3].said else { panic!("{told:?}") };
        assert_eq!(third.replaces, Some(told[0].id));
    }
}
