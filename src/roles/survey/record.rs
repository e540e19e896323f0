//! What a survey leaves behind: the section of the configuration, and an entry in the commissioning log.

use std::io::Write;
use std::path::Path;

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use super::super::reach::quoted;
use super::super::single::{PointValue, Value};
use super::display::Readings;
use crate::model::time::{Period, Timestamp};
use crate::sources::modbus::diagnosis::{Finding, Transformer};

/// One `[[source]]` as it is written.
pub(super) struct Section {
    pub(super) name: String,
    pub(super) url: String,
    pub(super) unit: u8,
    pub(super) profile: String,
    pub(super) model_address: Option<u16>,
    pub(super) ct_ratio: Option<f64>,
    pub(super) pt_ratio: Option<f64>,
    pub(super) every: Period,
    pub(super) timeout: Period,
    /// Keys of a TLS connection, as lines.
    pub(super) certificates: Vec<String>,
}

impl Section {
    /// Applies a ratio.
    pub(super) fn set(&mut self, transformer: Transformer, ratio: f64) {
        match transformer {
            Transformer::Current => self.ct_ratio = Some(ratio),
            Transformer::Voltage => self.pt_ratio = Some(ratio),
        }
    }

    /// Writes the section.
    pub(super) fn toml(&self) -> String {
        let mut lines = vec![
            "[[source]]".to_owned(),
            "type = \"modbus\"".to_owned(),
            format!("name = {}", quoted(&self.name)),
            format!("url = {}", quoted(&self.url)),
        ];
        lines.extend(self.certificates.clone());
        lines.push(format!("unit = {}", self.unit));
        lines.push(format!("profile = {}", quoted(&self.profile)));
        lines.extend(self.model_address.map(|address| format!("model_address = {address}")));
        // A ratio is written as TOML writes a float, with a point.
        lines.extend(self.ct_ratio.map(|ratio| format!("ct_ratio = {ratio:?}")));
        lines.extend(self.pt_ratio.map(|ratio| format!("pt_ratio = {ratio:?}")));
        lines.push(format!("every = \"{}ms\"", self.every.as_ms()));
        lines.push(format!("timeout = \"{}ms\"", self.timeout.as_ms()));
        lines.join("\n") + "\n"
    }
}

/// One line of the commissioning log.
pub(super) struct Entry<'a> {
    pub(super) at: Timestamp,
    pub(super) person: Option<String>,
    pub(super) serial: Option<String>,
    pub(super) section: &'a Section,
    pub(super) values: &'a [PointValue],
    pub(super) shown: &'a Readings,
    pub(super) findings: &'a [Finding],
}

impl Entry<'_> {
    /// Returns a comment above the section: when, by whom, and against what it was checked.
    pub(super) fn comment(&self) -> String {
        let person = self.person.as_deref().unwrap_or("nobody named");
        let shown: Vec<String> =
            self.shown.0.iter().map(|reading| format!("{} {}", reading.point, reading.value)).collect();
        let shown =
            if shown.is_empty() { "no display was read".to_owned() } else { format!("display {}", shown.join(", ")) };
        let text = format!("commissioned {} by {person}; {shown}", self.at);
        format!("# {}\n", text.replace(char::is_control, " "))
    }
}

/// A point in the log.
#[derive(Serialize)]
struct LoggedValue<'a> {
    point: &'a str,
    value: Option<Value>,
    unit: &'static str,
    quality: Option<&'static str>,
    reason: Option<&'a str>,
}

/// A finding in the log.
#[derive(Serialize)]
struct LoggedFinding {
    kind: &'static str,
    is_fault: bool,
    text: String,
}

impl Serialize for Entry<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let values: Vec<LoggedValue<'_>> = self
            .values
            .iter()
            .map(|point| LoggedValue {
                point: &point.name,
                value: point.value.as_ref().ok().map(|value| (*value).into()),
                unit: point.unit.as_str(),
                quality: point.quality.map(crate::model::sample::Quality::as_str),
                reason: point.value.as_ref().err().map(String::as_str),
            })
            .collect();
        let findings: Vec<LoggedFinding> = self
            .findings
            .iter()
            .map(|finding| LoggedFinding {
                kind: finding.kind(),
                is_fault: finding.is_fault(),
                text: finding.to_string(),
            })
            .collect();
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("at", &self.at)?;
        map.serialize_entry("person", &self.person)?;
        map.serialize_entry("name", &self.section.name)?;
        map.serialize_entry("url", &self.section.url)?;
        map.serialize_entry("unit", &self.section.unit)?;
        map.serialize_entry("profile", &self.section.profile)?;
        map.serialize_entry("model_address", &self.section.model_address)?;
        map.serialize_entry("serial", &self.serial)?;
        map.serialize_entry("ct_ratio", &self.section.ct_ratio)?;
        map.serialize_entry("pt_ratio", &self.section.pt_ratio)?;
        map.serialize_entry("readings", &values)?;
        map.serialize_entry("display", self.shown)?;
        map.serialize_entry("findings", &findings)?;
        map.serialize_entry("section", &self.section.toml())?;
        map.end()
    }
}

/// Adds an entry to the log, as one line that is on disk when this returns.
///
/// # Errors
/// The file or its directory can't be written.
pub(super) fn append(path: &Path, entry: &Entry<'_>) -> anyhow::Result<()> {
    if let Some(directory) = path.parent().filter(|directory| !directory.as_os_str().is_empty()) {
        std::fs::create_dir_all(directory)?;
    }
    let mut file = std::fs::OpenOptions::new().create(true).append(true).open(path)?;
    file.write_all((serde_json::to_string(entry)? + "\n").as_bytes())?;
    file.sync_all()?;
    Ok(())
}
