//! `topic = [{ … }]` of an MQTT source: a subscription and how its payloads are read.

use std::ops::Range;

use jiff::tz::TimeZone;
use serde::Deserialize;
use toml::Spanned;

use crate::model::problem::Problems;
use crate::sources::mqtt::payload::instant::{TimeForm, Written};
use crate::sources::mqtt::payload::json::Json;
use crate::sources::mqtt::payload::lines::{Column, Lines};
use crate::sources::mqtt::payload::path::{Begin, Path};
use crate::sources::mqtt::payload::topic::{Part, Pattern};
use crate::sources::mqtt::payload::{Format, Shape};

/// One subscription and how its payloads are read.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Topic {
    /// Topic filter; `{device}` and `{point}` stand for one level each, `+` and `#` as usual. With
    /// `$share/<group>/` before it, its messages are shared with the group's other clients.
    pub filter: Spanned<String>,
    /// The device, where the filter has no `{device}`: its name, or in JSON a path to it.
    #[serde(default)]
    pub device: Option<Spanned<String>>,
    /// The point, where the filter has no `{point}`: its name, or in JSON a path to it.
    #[serde(default)]
    pub point: Option<Spanned<String>>,
    /// `json`, `csv`, `plain`, `context` or `sparkplug_b`.
    pub format: Spanned<String>,
    /// JSON: leads to the elements of a list that are read one by one, like `$.readings[*]`.
    #[serde(default)]
    pub each: Option<Spanned<String>>,
    /// JSON: leads to an object whose keys are points and whose values are theirs.
    #[serde(default)]
    pub values: Option<Spanned<String>>,
    /// JSON: leads to the value, like `$.v`, or `@.v` from the element of `each`; default the whole of either.
    #[serde(default)]
    pub value: Option<Spanned<String>>,
    /// JSON: leads to the event time. CSV: its column's name, default `time`. Without one the event time is the
    /// arrival.
    #[serde(default)]
    pub time: Option<Spanned<String>>,
    /// How the event time is written: `s`, `ms`, `us`, `ns`, or a pattern like `%d/%m/%Y %H:%M:%S`; default RFC 3339
    /// or a number whose size tells its unit.
    #[serde(default)]
    pub time_format: Option<Spanned<String>>,
    /// CSV: names of the columns, or `"header"` where the first line of each message names them.
    #[serde(default)]
    pub columns: Option<Spanned<Columns>>,
    /// CSV: what stands between two columns; default a comma.
    #[serde(default)]
    pub delimiter: Option<Spanned<char>>,
    /// CSV and plain: what separates a number's fraction; default a dot.
    #[serde(default)]
    pub decimal: Option<Spanned<char>>,
    /// `0` or `1`; default 1.
    #[serde(default)]
    pub qos: Option<Spanned<i64>>,
}

/// Names of CSV columns.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub enum Columns {
    /// `"header"`.
    Header(String),
    /// In their order; an empty name is a column that isn't read.
    Names(Vec<String>),
}

/// What a payload is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PayloadFormat {
    /// A JSON document.
    Json,
    /// CSV lines.
    Csv,
    /// A number or a state name as text.
    Plain,
    /// Production context: JSON documents about assets, not values of tags.
    Context,
}

/// Name of the time column unless declared.
const TIME_COLUMN: &str = "time";

impl Topic {
    /// Returns the quality of service to ask for.
    pub fn qos(&self) -> i64 {
        self.qos.as_ref().map_or(1, |qos| *qos.get_ref())
    }

    /// Says whether its messages are Sparkplug's: then the source is a Sparkplug host.
    pub(in crate::sources::mqtt) fn is_sparkplug(&self) -> bool {
        self.format.get_ref() == "sparkplug_b"
    }

    /// Says whether its messages tell of assets, not of tags.
    pub(super) fn is_context(&self) -> bool {
        self.payload_format() == Some(PayloadFormat::Context)
    }

    /// Returns what a payload is; `None` where the name is unknown or Sparkplug's.
    pub fn payload_format(&self) -> Option<PayloadFormat> {
        match self.format.get_ref().as_str() {
            "json" => Some(PayloadFormat::Json),
            "csv" => Some(PayloadFormat::Csv),
            "plain" => Some(PayloadFormat::Plain),
            "context" => Some(PayloadFormat::Context),
            _ => None,
        }
    }

    /// Returns the compiled filter.
    ///
    /// # Errors
    /// What is wrong with the filter, for the configuration check.
    pub fn pattern(&self) -> Result<Pattern, String> {
        if self.is_context() {
            // Its documents name their assets.
            return Pattern::new(self.filter.get_ref(), Part::Payload, Part::Payload);
        }
        let part = |given: &Option<Spanned<String>>, from_payload: bool| match given {
            Some(path) if Path::is_meant_by(path.get_ref()) => Part::Payload,
            Some(fixed) => Part::Fixed(fixed.get_ref().clone()),
            None if from_payload => Part::Payload,
            None => Part::Unnamed,
        };
        let is_level = |level: &str| self.filter.get_ref().split('/').any(|part| part == level);
        let laid_out = |is_meant: fn(&Column) -> bool| self.laid_out().is_some_and(|it| it.iter().any(is_meant));
        let header = self.has_header();
        let device = laid_out(|column| *column == Column::Device) || (header && !is_level("{device}"));
        let point = self.values.is_some()
            || laid_out(|column| matches!(column, Column::Point | Column::Named(_)))
            || (header && !is_level("{point}"));
        Pattern::new(self.filter.get_ref(), part(&self.device, device), part(&self.point, point))
    }

    /// Returns how payloads are read; `None` where something is wrong with it. `zone` is that of texts without offset.
    pub fn format(&self, zone: Option<&TimeZone>) -> Option<Format> {
        let path = |path: &Option<Spanned<String>>| match path {
            Some(text) => Path::parse(text.get_ref()).ok().map(Some),
            None => Some(None),
        };
        let name = |name: &Option<Spanned<String>>| match name {
            Some(text) if !Path::is_meant_by(text.get_ref()) => Some(None),
            other => path(other),
        };
        let shape = match self.payload_format()? {
            PayloadFormat::Plain => Shape::Plain,
            PayloadFormat::Context => return None,
            PayloadFormat::Json => Shape::Json(Box::new(Json {
                each: path(&self.each)?,
                values: path(&self.values)?,
                value: Path::parse(self.value_path()).ok()?,
                time: path(&self.time)?,
                device: name(&self.device)?,
                point: name(&self.point)?,
            })),
            PayloadFormat::Csv => Shape::Lines(Lines {
                columns: if self.has_header() { None } else { Some(self.laid_out()?) },
                time: self.time_column().to_owned(),
                is_time_due: self.time.is_some(),
                delimiter: u8::try_from(self.delimiter.as_ref().map_or(',', |it| *it.get_ref())).ok()?,
            }),
        };
        let written = match &self.time_format {
            Some(text) => Written::parse(text.get_ref()).ok()?,
            None => Written::Any,
        };
        let decimal = self.decimal.as_ref().map_or('.', |it| *it.get_ref());
        Some(Format { shape, time: TimeForm { written, zone: zone.cloned() }, decimal })
    }

    fn value_path(&self) -> &str {
        self.value.as_ref().map_or(if self.each.is_some() { "@" } else { "$" }, |value| value.get_ref())
    }

    fn time_column(&self) -> &str {
        self.time.as_ref().map_or(TIME_COLUMN, |time| time.get_ref())
    }

    fn has_header(&self) -> bool {
        self.columns.as_ref().is_some_and(|columns| matches!(columns.get_ref(), Columns::Header(_)))
    }

    /// Returns the declared columns; `None` where a header names them, or nobody does.
    fn laid_out(&self) -> Option<Vec<Column>> {
        match self.columns.as_ref()?.get_ref() {
            Columns::Header(_) => None,
            Columns::Names(names) => Some(Column::all(names.iter().map(String::as_str), self.time_column())),
        }
    }

    /// Says whether a message here could carry a point of this name.
    pub(super) fn feeds(&self, name: &str) -> bool {
        !self.is_context() && self.pattern().is_ok_and(|pattern| pattern.can_name(name))
    }

    /// Says whether its values bring an event time.
    pub(super) fn is_timed(&self) -> bool {
        match self.payload_format() {
            Some(PayloadFormat::Csv) if !self.has_header() => {
                self.laid_out().is_some_and(|columns| columns.contains(&Column::Time))
            }
            Some(PayloadFormat::Json | PayloadFormat::Csv) => self.time.is_some(),
            Some(PayloadFormat::Plain | PayloadFormat::Context) | None => false,
        }
    }

    /// Returns where values stand in its payloads, as text that is only ever compared.
    pub(super) fn meaning(&self) -> String {
        let mut text = format!("{} {}", self.format.get_ref(), self.value_path());
        for (key, part) in [("each", &self.each), ("values", &self.values)] {
            if let Some(path) = part {
                text.push_str(&format!(" {key} {}", path.get_ref()));
            }
        }
        if let Some(columns) = &self.columns {
            text.push_str(&format!(" columns {:?}", columns.get_ref()));
        }
        text
    }

    pub(super) fn check(&self, problems: &mut Problems) {
        if let Some(message) = self.pattern().err().filter(|_| !self.is_sparkplug()) {
            problems.error(self.filter.span(), message, "write a filter like floor/{device}/{point}");
        }
        if ![0, 1].contains(&self.qos()) {
            problems.error(
                self.qos.as_ref().map(Spanned::span),
                format!("quality of service {} is not supported", self.qos()),
                "write 0 or 1: with 1 a message is acknowledged after it is stored",
            );
        }
        if self.is_sparkplug() {
            // Its keys are checked together with those of the source.
            return;
        }
        let Some(format) = self.payload_format() else {
            let message = format!("\"{}\" is not a payload format", self.format.get_ref());
            problems.error(self.format.span(), message, "write json, csv, plain, context or sparkplug_b");
            return;
        };
        self.check_keys(format, problems);
        match format {
            PayloadFormat::Json => self.check_json(problems),
            PayloadFormat::Csv => self.check_csv(problems),
            PayloadFormat::Plain | PayloadFormat::Context => {}
        }
        if let Some(form) = &self.time_format {
            match Written::parse(form.get_ref()) {
                Err(message) => problems.error(form.span(), message, "write s, ms, us, ns or a pattern with %"),
                Ok(_) if !self.is_timed() => problems.error(
                    form.span(),
                    "time_format means nothing without an event time",
                    "say where it stands: time = \"$.ts\"",
                ),
                Ok(_) => {}
            }
        }
        if let Some(decimal) = self.decimal.as_ref().filter(|decimal| !['.', ','].contains(decimal.get_ref())) {
            problems.error(decimal.span(), "only a dot or a comma separates a fraction", "write \".\" or \",\"");
        }
    }

    /// Names the keys that mean nothing for this format.
    fn check_keys(&self, format: PayloadFormat, problems: &mut Problems) {
        let span = |key: &Option<Spanned<String>>| key.as_ref().map(Spanned::span);
        let path = |key: &Option<Spanned<String>>| {
            key.as_ref().filter(|text| Path::is_meant_by(text.get_ref())).map(Spanned::span)
        };
        let (json, csv) = (format == PayloadFormat::Json, format == PayloadFormat::Csv);
        let values = format != PayloadFormat::Context;
        let fixed = |key: &Option<Spanned<String>>| span(key).filter(|_| path(key).is_none());
        let name = self.format.get_ref();
        for (key, given, means_something) in [
            ("each", span(&self.each), json),
            ("values", span(&self.values), json),
            ("value", span(&self.value), json),
            ("time", span(&self.time), json || csv),
            ("a path to the device", path(&self.device), json),
            ("a path to the point", path(&self.point), json),
            ("columns", self.columns.as_ref().map(Spanned::span), csv),
            ("delimiter", self.delimiter.as_ref().map(Spanned::span), csv),
            ("decimal", self.decimal.as_ref().map(Spanned::span), !json && values),
            ("device", fixed(&self.device), values),
            ("point", fixed(&self.point), values),
        ] {
            if given.is_some() && !means_something {
                let message = format!("{key} means nothing in a {name} payload");
                problems.error(given, message, "remove it, or write another format");
            }
        }
    }

    fn check_json(&self, problems: &mut Problems) {
        let read = |given: &Option<Spanned<String>>| given.as_ref().map(|it| (it.span(), Path::parse(it.get_ref())));
        let names = [&self.device, &self.point].map(|name| {
            name.as_ref()
                .filter(|text| Path::is_meant_by(text.get_ref()))
                .map(|it| (it.span(), Path::parse(it.get_ref())))
        });
        let [device, point] = names;
        let paths = [read(&self.each), read(&self.values), read(&self.value), read(&self.time), device, point];
        for (place, (span, path)) in paths.into_iter().enumerate().filter_map(|(at, path)| Some((at, path?))) {
            match path {
                Err(message) => problems.error(span, message, "write a path like $.a.b[0]"),
                Ok(path) => self.check_path(&path, place == 0, span, problems),
            }
        }
        if let (Some(value), Some(_)) = (&self.value, &self.values) {
            let message = "value means nothing beside values, which gives every point its own";
            problems.error(value.span(), message, "remove value");
        }
    }

    fn check_path(&self, path: &Path, is_each: bool, span: Range<usize>, problems: &mut Problems) {
        if is_each && (!path.is_many() || path.begins() == Begin::Element) {
            let message = format!("\"{}\" doesn't lead to the elements of a list", path.as_str());
            problems.error(span, message, "write each = \"$.readings[*]\"");
        } else if !is_each && path.is_many() {
            let message = format!("\"{}\" leads to several places, and one value is due", path.as_str());
            problems.error(span, message, "write each = \"$.readings[*]\" and paths from the element, like @.v");
        } else if !is_each && path.begins() == Begin::Element && self.each.is_none() {
            let message = format!("\"{}\" begins at an element, and there is no each", path.as_str());
            problems.error(span, message, "write a path that begins with $, or add each");
        }
    }

    fn check_csv(&self, problems: &mut Problems) {
        let help = "write columns = [\"time\", \"point\", \"value\"] or columns = \"header\"";
        let Some(columns) = &self.columns else {
            return problems.error(self.format.span(), "a csv payload needs columns", help);
        };
        match columns.get_ref() {
            Columns::Header(word) if word != "header" => {
                problems.error(columns.span(), format!("\"{word}\" is no list of columns"), help);
            }
            Columns::Header(_) => {}
            Columns::Names(names) => {
                let laid_out = Column::all(names.iter().map(String::as_str), self.time_column());
                if !laid_out.iter().any(|column| matches!(column, Column::Value | Column::Named(_))) {
                    problems.error(columns.span(), "none of the columns holds a value", help);
                }
                let unread = laid_out.iter().zip(names).find(|(it, name)| **it == Column::Skipped && !name.is_empty());
                if let Some((_, name)) = unread {
                    let message = format!("column \"{name}\" holds no value beside the column value");
                    problems.error(columns.span(), message, "write \"\" for a column that isn't read");
                }
                if let Some(time) = self.time.as_ref().filter(|_| !laid_out.contains(&Column::Time)) {
                    let message = format!("no column is called \"{}\"", time.get_ref());
                    problems.error(time.span(), message, "name the column that holds the event time");
                }
            }
        }
        if let Some(delimiter) = self.delimiter.as_ref().filter(|it| !it.get_ref().is_ascii()) {
            problems.error(delimiter.span(), "a delimiter is one ASCII character", "write \";\" or \"\\t\"");
        }
    }
}
