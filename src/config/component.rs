//! Reads one component, and goes on after a fault, so that every fault of it is reported at once.
//!
//! After a fault the offending key or value is taken out, or the missing key is filled in, and the component is
//! read again. Once all faults are known, the tables that lacked a key are taken out too: an entry of a list costs
//! its neighbours nothing, and a component that itself lacks a key has no value. Checks that would rest on a part
//! that was taken out are skipped.

use std::collections::BTreeSet;
use std::ops::Range;

use serde::de::DeserializeOwned;
use serde_spanned::Spanned;
use toml::de::{DeString, DeTable, DeValue};

use super::read::{Fault, Kind, Node};
use super::spelling;
use crate::model::problem::Problems;

/// Faults after which a component is given up; far beyond what a person would read.
const FAULTS_MAX: usize = 500;

/// The place of values that aren't in the file.
const HOLE: Range<usize> = usize::MAX..usize::MAX;

/// Values to fill a missing key with: the first that its type takes.
const FILLINGS: &[&str] = &[
    "\"x\"",
    "\"x.y\"",
    "1",
    "1.5",
    "true",
    "[]",
    "{}",
    "\"1s\"",
    "\"06:00\"",
    "\"127.0.0.1:1\"",
    "\"9900000016\"",
    "\"hour\"",
    "\"electricity\"",
    "\"2026-01-01\"",
    "{ env = \"X\" }",
];

/// What could be read of a component.
#[derive(Debug)]
pub(super) struct Component<T> {
    /// The value; `None` where a key is missing or nothing could be read.
    pub(super) value: Option<T>,
    /// Whether nothing had to be taken out.
    pub(super) is_whole: bool,
}

/// Reads a table or a value as `T`; reports every fault. `what` names it in messages, like `[gateway]`; `extra` are
/// keys that its reader takes out beforehand, for proposals. In a damaged file missing keys are not reported.
pub(super) fn read<T: DeserializeOwned>(
    what: &str,
    value: &Spanned<DeValue<'_>>,
    extra: &[&'static str],
    is_damaged: bool,
    problems: &mut Problems,
) -> Component<T> {
    let mut tree = value.clone();
    let mut taken: Vec<(Range<usize>, String)> = Vec::new();
    let mut filling = Filling::default();
    let mut is_whole = true;
    for _ in 0..FAULTS_MAX {
        let fault = match T::deserialize(Node(&tree)) {
            Ok(value) if filling.tables.is_empty() => return Component { value: Some(value), is_whole },
            // The tables that lack a key go whole; what is left of the component is read without them.
            Ok(_) => {
                is_whole = false;
                let tables = std::mem::take(&mut filling.tables);
                if tables.iter().all(|table| take_out(&mut tree, &(table.0..table.1), false, &mut taken)) {
                    continue;
                }
                break;
            }
            Err(fault) => fault,
        };
        let Some(span) = fault.span.clone() else { break };
        let progress = if span == HOLE {
            filling.retry(&mut tree, &fault)
        } else if let Kind::MissingKey(key) = fault.kind {
            let was_taken = taken.iter().any(|(table, taken)| *table == span && taken == key);
            if !was_taken && !is_damaged {
                report(what, &fault, extra, problems);
            }
            filling.fill(&mut tree, &span, key)
        } else {
            report(what, &fault, extra, problems);
            is_whole = false;
            let at_key = matches!(fault.kind, Kind::UnknownWord { .. });
            take_out(&mut tree, &span, at_key, &mut taken)
        };
        if !progress {
            break;
        }
    }
    Component { value: None, is_whole: false }
}

/// The missing keys that were filled in so far.
#[derive(Default)]
struct Filling {
    /// The tables that lacked them.
    tables: BTreeSet<(usize, usize)>,
    /// Table and key filled last, and how many of [`FILLINGS`] were tried there.
    last: Option<(Range<usize>, &'static str, usize)>,
}

impl Filling {
    fn fill(&mut self, tree: &mut Spanned<DeValue<'_>>, table: &Range<usize>, key: &'static str) -> bool {
        if *table != HOLE {
            self.tables.insert((table.start, table.end));
        }
        self.last = Some((table.clone(), key, 0));
        put(tree, table, key, FILLINGS[0])
    }

    /// The type refused the last filling, or asks for a key inside it: tries what it asks for, or the next.
    fn retry(&mut self, tree: &mut Spanned<DeValue<'_>>, fault: &Fault) -> bool {
        let Some((table, key, tried)) = &mut self.last else { return false };
        match fault.kind {
            Kind::UnknownWord { known: [first, ..], .. } => {
                put_value(tree, table, key, DeValue::String((*first).into()))
            }
            Kind::MissingKey(inner) => self.fill(tree, &HOLE, inner),
            _ => {
                *tried += 1;
                FILLINGS.get(*tried).is_some_and(|filling| put(tree, table, key, filling))
            }
        }
    }
}

fn put(tree: &mut Spanned<DeValue<'_>>, table: &Range<usize>, key: &'static str, filling: &'static str) -> bool {
    DeValue::parse(filling).is_ok_and(|value| put_value(tree, table, key, value.into_inner()))
}

/// Puts a value that isn't in the file under a key of the table at a place; `false` where there is no such table.
fn put_value(
    node: &mut Spanned<DeValue<'_>>,
    table: &Range<usize>,
    key: &'static str,
    filling: DeValue<'static>,
) -> bool {
    let is_here = node.span() == *table;
    match node.get_mut() {
        DeValue::Table(entries) if is_here => {
            entries.remove(key);
            entries.insert(Spanned::new(HOLE, DeString::Borrowed(key)), Spanned::new(HOLE, filling));
            true
        }
        DeValue::Table(entries) => entries.iter_mut().any(|(_, value)| put_value(value, table, key, filling.clone())),
        DeValue::Array(items) => items.iter_mut().any(|value| put_value(value, table, key, filling.clone())),
        _ => false,
    }
}

/// What became of the search for a faulty value.
enum Taken {
    No,
    Here,
    /// It is to be taken out of its parent whole.
    WithParent,
}

/// Takes the value at a place, or the entry whose key stands there, out of the tree; remembers keys that go.
///
/// `with_parent`: where the place is a key, the table that holds it goes, because the key was its whole meaning.
fn take_out(
    node: &mut Spanned<DeValue<'_>>,
    place: &Range<usize>,
    with_parent: bool,
    gone: &mut Vec<(Range<usize>, String)>,
) -> bool {
    !matches!(take_below(node, place, with_parent, gone), Taken::No | Taken::WithParent)
}

fn take_below(
    node: &mut Spanned<DeValue<'_>>,
    place: &Range<usize>,
    with_parent: bool,
    gone: &mut Vec<(Range<usize>, String)>,
) -> Taken {
    let table = node.span();
    match node.get_mut() {
        DeValue::Table(entries) => take_from_table(entries, &table, place, with_parent, gone),
        DeValue::Array(items) => {
            for (position, item) in items.iter_mut().enumerate() {
                let is_it = item.span() == *place;
                let taken = if is_it { Taken::WithParent } else { take_below(item, place, with_parent, gone) };
                match taken {
                    Taken::No => {}
                    Taken::Here => return Taken::Here,
                    Taken::WithParent => {
                        let rest = items.iter().enumerate().filter(|(at, _)| *at != position);
                        *items = rest.map(|(_, item)| item.clone()).collect();
                        return Taken::Here;
                    }
                }
            }
            Taken::No
        }
        _ => Taken::No,
    }
}

fn take_from_table(
    entries: &mut DeTable<'_>,
    table: &Range<usize>,
    place: &Range<usize>,
    with_parent: bool,
    gone: &mut Vec<(Range<usize>, String)>,
) -> Taken {
    let mut out = None;
    for (key, value) in entries.iter_mut() {
        let taken = if key.span() == *place {
            if with_parent {
                return Taken::WithParent;
            }
            Taken::WithParent
        } else if value.span() == *place {
            Taken::WithParent
        } else {
            take_below(value, place, with_parent, gone)
        };
        match taken {
            Taken::No => {}
            Taken::Here => return Taken::Here,
            Taken::WithParent => {
                out = Some(key.get_ref().to_string());
                break;
            }
        }
    }
    let Some(key) = out else { return Taken::No };
    entries.remove(key.as_str());
    gone.push((table.clone(), key));
    Taken::Here
}

/// Turns a fault into a problem with a proposal.
fn report(what: &str, fault: &Fault, extra: &[&'static str], problems: &mut Problems) {
    let of = fault.key.as_ref().map_or_else(|| what.to_owned(), |key| format!("`{key}` of {what}"));
    let (message, help) = match &fault.kind {
        Kind::UnknownKey { found, known } => {
            let known: Vec<&str> = known.iter().chain(extra).copied().collect();
            (format!("unknown key `{found}` in {of}"), spelling::propose(found, &known, "`"))
        }
        Kind::MissingKey(key) => (format!("{of} has no `{key}`"), format!("add {key} = …{}", example(key))),
        Kind::WrongType { found, expected } => {
            (format!("{of} is {found}, expected {expected}"), format!("write {expected}"))
        }
        Kind::UnknownWord { found, known } => {
            (format!("{of} is \"{found}\", which is not known"), spelling::propose(found, known, "\""))
        }
        Kind::Refused(words) => {
            let (message, help) = split_expectation(words);
            (format!("{of}: {message}"), help.unwrap_or_else(|| fallback_help(fault.key.as_deref())))
        }
    };
    problems.error(fault.span.clone(), message, help);
}

/// Splits what a type says of a value it refuses into what is wrong and what to write.
///
/// Refusals read `"value" is not …: what is expected`, or `… , expected …`.
fn split_expectation(words: &str) -> (String, Option<String>) {
    if let Some((wrong, expected)) = words.rsplit_once(": expected ").or_else(|| words.rsplit_once(", expected ")) {
        return (wrong.to_owned(), Some(format!("write {expected}")));
    }
    // The value in quotes may hold a colon itself.
    let after_value = words.starts_with('"').then(|| words[1..].find("\" ")).flatten().map_or(0, |end| end + 2);
    match words[after_value..].split_once(": ") {
        Some((wrong, rule)) => (format!("{}{wrong}", &words[..after_value]), Some(format!("write {rule}"))),
        None => (words.to_owned(), None),
    }
}

/// What to write under a key, where the type doesn't say.
fn example(key: &str) -> &'static str {
    EXAMPLES.iter().find(|(name, _)| *name == key).map_or("", |(_, example)| example)
}

/// Keys whose form isn't plain from their name.
const EXAMPLES: &[(&str, &str)] = &[
    ("id", ", like \"press-1\""),
    ("name", ", like \"press-1\""),
    ("enterprise", ", the registration number, like \"9900000016\""),
    ("timezone", ", like \"Asia/Ho_Chi_Minh\""),
    ("data_dir", ", like \"/var/lib/parkgate\""),
    ("url", ", like \"tcp://192.168.10.20:502\""),
    ("topic", ", like [{ filter = \"floor/{device}/{point}\", format = \"json\" }]"),
    ("share", ", like { kpis = [\"electricity\"], level = \"site\", grain = \"day\" }"),
    ("kpis", ", like [\"electricity\"]"),
    ("address", ", like \"40101\""),
    ("filter", ", like \"floor/{device}/{point}\""),
    ("format", ": \"json\" or \"plain\""),
    ("from", ", like \"06:00\""),
    ("to", ", like \"14:00\""),
    ("date", ", like \"2026-10-11\""),
    ("valid_from", ", like \"2026-07-01\""),
    ("paid", ": true where the break counts as working time, else false"),
    ("machine_planned_down", ": true where the machine is planned to stand still, else false"),
];

fn fallback_help(key: Option<&str>) -> String {
    let named = key.filter(|key| !example(key).is_empty());
    named.map_or_else(|| "correct the value".to_owned(), |key| format!("write {key} = …{}", example(key)))
}
