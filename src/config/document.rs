//! A file as parsed TOML: its sections, and what isn't TOML in it.

use std::collections::BTreeSet;

use serde::de::DeserializeOwned;
use serde_spanned::Spanned;
use toml::de::{DeTable, DeValue};

use super::component::{self, Component};
use super::render::place;
use super::{secrets, spelling};
use crate::model::problem::Problems;

/// How a message about text that isn't TOML starts.
const NOT_TOML: &str = "this is not TOML";

/// A parsed file.
pub(super) struct Document<'i> {
    text: &'i str,
    root: DeTable<'i>,
    /// Lines that aren't TOML.
    damaged_lines: BTreeSet<usize>,
}

impl<'i> Document<'i> {
    /// Parses a file; reports what isn't TOML, secrets that stand in it, and sections that nothing reads.
    pub(super) fn parse(text: &'i str, sections: &[&'static str], problems: &mut Problems) -> Self {
        let (root, faults) = DeTable::parse_recoverable(text);
        for fault in &faults {
            let help = explain(fault.message());
            problems.error(fault.span(), format!("{NOT_TOML}: {}", fault.message()), help);
        }
        let mut root = root.into_inner();
        secrets::refuse_inline(&mut root, problems);
        for key in root.keys().filter(|key| !sections.contains(&key.get_ref().as_ref())) {
            let help = spelling::propose(key.get_ref(), sections, "`");
            problems.error(key.span(), format!("unknown section `{}`", key.get_ref()), help);
        }
        let line = |fault: &toml::de::Error| place(text, fault.span().map_or(0, |span| span.start)).line;
        Self { text, root, damaged_lines: faults.iter().map(line).collect() }
    }

    /// Says whether part of the file isn't TOML, so that what seems to be missing may only be unreadable.
    pub(super) fn is_damaged(&self) -> bool {
        !self.damaged_lines.is_empty()
    }

    /// Keeps of each line that isn't TOML only what says so: the rest follows from it.
    pub(super) fn drop_follow_ups(&self, problems: &mut Problems) {
        problems.0.retain(|problem| {
            let line = problem.span.as_ref().map(|span| place(self.text, span.start).line);
            line.is_none_or(|line| !self.damaged_lines.contains(&line)) || problem.message.starts_with(NOT_TOML)
        });
    }

    /// Reads a section that has to be there, `[name]`.
    pub(super) fn section<T: DeserializeOwned>(&self, name: &'static str, problems: &mut Problems) -> Component<T> {
        if !self.root.contains_key(name) && !self.is_damaged() {
            problems.error(0..0, format!("there is no section [{name}]"), format!("add [{name}]"));
        }
        self.optional_section(name, problems).unwrap_or(Component { value: None, is_whole: false })
    }

    /// Reads a section that may be left out; `None` where it is.
    pub(super) fn optional_section<T: DeserializeOwned>(
        &self,
        name: &'static str,
        problems: &mut Problems,
    ) -> Option<Component<T>> {
        let value = self.root.get(name)?;
        if let DeValue::Array(items) = value.get_ref() {
            let span = items.first().map_or(value.span(), Spanned::span);
            problems.error(span, format!("`{name}` stands here as a list"), format!("write [{name}], once"));
            return Some(Component { value: None, is_whole: false });
        }
        Some(self.read(&format!("[{name}]"), value, &[], problems))
    }

    /// Returns the tables of a repeated section, `[[name]]`, in the order of the file.
    pub(super) fn list(&self, name: &'static str, problems: &mut Problems) -> Vec<&Spanned<DeValue<'i>>> {
        match self.root.get(name).map(|value| (value, value.get_ref())) {
            None => Vec::new(),
            Some((_, DeValue::Array(items))) => items.iter().collect(),
            Some((value, _)) => {
                problems.error(
                    value.span(),
                    format!("`{name}` stands here only once"),
                    format!("write [[{name}]] with two brackets: there may be several"),
                );
                Vec::new()
            }
        }
    }

    /// Reads a repeated section whose entries are all alike.
    pub(super) fn entries<T: DeserializeOwned>(
        &self,
        name: &'static str,
        problems: &mut Problems,
    ) -> Vec<Component<T>> {
        let items = self.list(name, problems);
        items.into_iter().map(|item| self.read(&describe(name, item), item, &[], problems)).collect()
    }

    /// Reads one component; `extra` are keys that its reader takes out beforehand.
    pub(super) fn read<T: DeserializeOwned>(
        &self,
        what: &str,
        value: &Spanned<DeValue<'_>>,
        extra: &[&'static str],
        problems: &mut Problems,
    ) -> Component<T> {
        component::read(what, value, extra, self.is_damaged(), problems)
    }
}

/// Returns what messages call an entry of a repeated section: by its name or id where it has one.
pub(super) fn describe(section: &str, entry: &Spanned<DeValue<'_>>) -> String {
    match text_of(entry, "name").filter(|_| section != "asset").or_else(|| text_of(entry, "id")) {
        Some(name) => format!("{section} \"{name}\""),
        None => format!("[[{section}]]"),
    }
}

/// Returns the text under a key of a table.
pub(super) fn text_of<'t>(entry: &'t Spanned<DeValue<'_>>, key: &str) -> Option<&'t str> {
    entry.get_ref().as_table()?.get(key)?.get_ref().as_str()
}

fn explain(message: &str) -> &'static str {
    if message.contains("duplicate key") {
        "keep one of the two"
    } else if message.contains("must be quoted") {
        "put the text in double quotes; a key needs a value"
    } else {
        "a line is key = value, and a value is a text in quotes, a number, true or false, a list [ … ] or a table { … }"
    }
}
