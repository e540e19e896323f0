//! Values out of CSV lines, by position or by a header. Pure.

use std::borrow::Cow;

use csv::{ByteRecord, ReaderBuilder, Trim};

use super::instant::TimeForm;
use super::{Entry, Refusal, Scalar, Take};

/// How the lines of a topic are laid out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lines {
    /// The columns; `None` where the first line of each message names them.
    pub columns: Option<Vec<Column>>,
    /// Name of the column that holds the event time.
    pub time: String,
    /// Whether a message without that column is refused rather than placed at its arrival.
    pub is_time_due: bool,
    /// What stands between two columns.
    pub delimiter: u8,
}

/// What a column holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Column {
    /// The event time.
    Time,
    /// The device's name.
    Device,
    /// The point's name.
    Point,
    /// The value of the point that the line or the topic names.
    Value,
    /// The value of the point of this name.
    Named(String),
    /// Nothing that is read.
    Skipped,
}

impl Column {
    /// Returns what a column of this name holds. Beside a column `value` no other one holds values.
    pub fn of(name: &str, time: &str, has_value: bool) -> Self {
        match name {
            "" => Self::Skipped,
            _ if name == time => Self::Time,
            "device" => Self::Device,
            "point" => Self::Point,
            "value" => Self::Value,
            _ if has_value => Self::Skipped,
            other => Self::Named(other.to_owned()),
        }
    }

    /// Says whether the column, or its name, says what a value is of.
    pub const fn is_name(&self) -> bool {
        matches!(self, Self::Device | Self::Point | Self::Named(_))
    }

    /// Returns what columns of these names hold.
    pub fn all<'a>(names: impl Iterator<Item = &'a str> + Clone, time: &str) -> Vec<Self> {
        let has_value = names.clone().any(|name| name == "value");
        names.map(|name| Self::of(name, time, has_value)).collect()
    }
}

impl Lines {
    /// Reads every line. One that can't be read costs nobody else.
    pub(super) fn read(&self, payload: &[u8], form: &TimeForm, take: Take<'_>) {
        let mut reader = ReaderBuilder::new()
            .delimiter(self.delimiter)
            .has_headers(false)
            .flexible(true)
            .trim(Trim::All)
            .from_reader(payload.strip_prefix(b"\xef\xbb\xbf").unwrap_or(payload));
        let mut record = ByteRecord::new();
        let mut header = None;
        let mut number = 0_usize;
        // A list of bytes in memory can't fail to be read, and no number of columns is wrong here.
        while reader.read_byte_record(&mut record).unwrap_or(false) {
            number += 1;
            let columns = match (&self.columns, &header) {
                (Some(columns), _) | (None, Some(columns)) => columns,
                (None, None) => {
                    header = Some(self.header(&record));
                    continue;
                }
            };
            self.read_line(columns, &record, number, form, take);
        }
    }

    fn header(&self, record: &ByteRecord) -> Vec<Column> {
        let names: Vec<Cow<'_, str>> = record.iter().map(String::from_utf8_lossy).collect();
        Column::all(names.iter().map(AsRef::as_ref), &self.time)
    }

    fn read_line(&self, columns: &[Column], record: &ByteRecord, number: usize, form: &TimeForm, take: Take<'_>) {
        let cell = |wanted: &Column| {
            let place = columns.iter().position(|column| column == wanted)?;
            Some(record.get(place).and_then(|cell| std::str::from_utf8(cell).ok()))
        };
        let missing = |what: &str| Refusal::Missing(format!("column {what} of line {number}"));
        // A column that is laid out but not filled is missing, one that isn't laid out is nobody's fault.
        let named = |wanted: &Column, what: &str| match cell(wanted) {
            None => Ok(None),
            Some(text) => text.filter(|text| !text.is_empty()).map(Some).ok_or_else(|| missing(what)),
        };
        let shared = || {
            let measured_at = match named(&Column::Time, &self.time)? {
                None if self.is_time_due => return Err(missing(&self.time)),
                None => None,
                Some(text) => Some(
                    form.read(&Scalar::Text(Cow::Borrowed(text)))
                        .ok_or_else(|| Refusal::NotAnInstant(text.to_owned()))?,
                ),
            };
            Ok((named(&Column::Device, "device")?, named(&Column::Point, "point")?, measured_at))
        };
        let (device, point, measured_at) = match shared() {
            Ok(shared) => shared,
            Err(refusal) => return take(Err(refusal)),
        };
        for (place, column) in columns.iter().enumerate() {
            let point = match column {
                Column::Value => point,
                Column::Named(name) => Some(name.as_str()),
                Column::Time | Column::Device | Column::Point | Column::Skipped => continue,
            };
            let Some(text) = record.get(place).and_then(|cell| std::str::from_utf8(cell).ok()) else {
                take(Err(missing(point.unwrap_or("value"))));
                continue;
            };
            let scalar = if text.is_empty() { Scalar::Null } else { Scalar::Text(Cow::Borrowed(text)) };
            let (device, point) = (device.map(Cow::Borrowed), point.map(Cow::Borrowed));
            take(Ok(Entry { device, point, scalar, measured_at }));
        }
    }
}
