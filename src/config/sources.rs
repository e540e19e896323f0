//! `[[source]]`: chooses the component by `type`, and collects the tags of all.

use std::collections::BTreeMap;

use serde_spanned::Spanned;
use toml::de::DeValue;

use super::document::{Document, describe, text_of};
use super::spelling;
use super::tags::Tags;
use crate::model::id::SourceName;
use crate::model::problem::{Problems, Severity};
use crate::model::tag::SourceIndex;
use crate::profile::Library;
use crate::sources::modbus::config::ModbusSource;
use crate::sources::mqtt::config::MqttSource;

/// The types of sources. A new one is a word here and an arm in [`read`].
const TYPES: &[&str] = &["modbus", "mqtt"];

/// Every source that could be read.
#[derive(Debug, Default)]
pub(super) struct Sources {
    pub(super) modbus: Vec<(SourceIndex, ModbusSource)>,
    pub(super) mqtt: Vec<(SourceIndex, MqttSource)>,
    pub(super) tags: Tags,
}

/// Reads and checks every source.
pub(super) fn read(document: &Document<'_>, profiles: &Library, problems: &mut Problems) -> Sources {
    let mut sources = Sources::default();
    let entries = document.list("source", problems);
    for (position, entry) in entries.iter().enumerate() {
        let Ok(index) = u16::try_from(position).map(SourceIndex) else {
            problems.error(entry.span(), "more than 65536 sources", "split the factory over several boxes");
            break;
        };
        sources.read_one(document, index, entry, profiles, problems);
    }
    if entries.is_empty() && !document.is_damaged() {
        problems.warning(None, "there is no source, so nothing is measured", "add [[source]]");
    }
    check_names(&entries, problems);
    ModbusSource::check_together(&sources.modbus, problems);
    sources
}

impl Sources {
    fn read_one(
        &mut self,
        document: &Document<'_>,
        index: SourceIndex,
        entry: &Spanned<DeValue<'_>>,
        profiles: &Library,
        problems: &mut Problems,
    ) {
        let what = describe("source", entry);
        let name = text_of(entry, "name").filter(|name| SourceName::new(name).is_ok());
        let errors_before = count_errors(problems);
        match take_type(&what, entry, TYPES, problems) {
            Some((kind, rest)) if kind == "modbus" => {
                let read = document.read::<ModbusSource>(&what, &rest, &["type"], problems);
                if let Some(source) = read.value.filter(|_| !document.is_damaged()) {
                    source.check(problems);
                    self.tags.add(source.tags(index, profiles, problems));
                    self.modbus.push((index, source));
                }
            }
            Some((_, rest)) => {
                let read = document.read::<MqttSource>(&what, &rest, &["type"], problems);
                if let Some(source) = read.value.filter(|_| !document.is_damaged()) {
                    source.check(problems);
                    self.tags.add(source.tags(index, problems));
                    self.mqtt.push((index, source));
                }
            }
            None => {}
        }
        // With an error in it some of its points may be missing here.
        if count_errors(problems) > errors_before {
            self.tags.doubt(name);
        }
    }
}

fn count_errors(problems: &Problems) -> usize {
    problems.0.iter().filter(|problem| problem.severity == Severity::Error).count()
}

/// Takes `type` out of an entry; reports a missing or unknown one.
pub(super) fn take_type<'i>(
    what: &str,
    entry: &Spanned<DeValue<'i>>,
    types: &[&str],
    problems: &mut Problems,
) -> Option<(String, Spanned<DeValue<'i>>)> {
    let mut rest = entry.clone();
    let DeValue::Table(table) = rest.get_mut() else {
        problems.error(entry.span(), format!("{what} is not a table"), "write its keys below [[…]]");
        return None;
    };
    let listed = types.iter().map(|name| format!("\"{name}\"")).collect::<Vec<_>>().join(" or ");
    let Some(kind) = table.remove("type") else {
        problems.error(entry.span(), format!("{what} has no `type`"), format!("add type = {listed}"));
        return None;
    };
    match kind.get_ref().as_str() {
        Some(text) if types.contains(&text) => Some((text.to_owned(), rest)),
        Some(text) => {
            let help = spelling::propose(text, types, "\"");
            problems.error(kind.span(), format!("`type` of {what} is \"{text}\", which is not known"), help);
            None
        }
        None => {
            problems.error(kind.span(), format!("`type` of {what} is not a text"), format!("write {listed}"));
            None
        }
    }
}

/// Reports names that several entries bear.
pub(super) fn check_names(entries: &[&Spanned<DeValue<'_>>], problems: &mut Problems) {
    let mut first = BTreeMap::new();
    for entry in entries {
        let named = entry.get_ref().as_table().and_then(|table| table.get("name"));
        let Some((name, value)) = named.and_then(|value| Some((value.get_ref().as_str()?, value))) else { continue };
        if first.insert(name, ()).is_some() {
            problems.error(value.span(), format!("the name \"{name}\" is given twice"), "give each its own name");
        }
    }
}
