//! Raw values as lines of InfluxDB's line protocol. Pure.
//!
//! Measurement `sample`; tags `site`, `source`, the tag name's segments between source and point as `device`, and
//! `quality` where it isn't good; one field for each point, named by the last segment; time = instant of the value.
//! Values that share all of these and arrive one after the other share a line. Every field is a float, so that a
//! point that sends 5 and then 5.5 keeps its type. A sample without a value has no field.

use std::io::Write;

use crate::model::id::SiteId;
use crate::model::number::Number;
use crate::model::sample::Quality;
use crate::model::time::Timestamp;
use crate::store::CommittedSample;

/// Measurement of every line.
pub const MEASUREMENT: &str = "sample";

/// What InfluxDB reserves: a field of this name would cost its line.
const RESERVED: &str = "time";

/// Names of tags by their lasting number, in one piece: a box may have a hundred thousand.
#[derive(Debug, Default)]
pub struct Names {
    text: String,
    /// By number: where the name starts in `text`, and where its point does.
    places: Vec<(u32, u32)>,
}

impl Names {
    /// Returns the highest number with a name, 0 without any.
    pub fn last(&self) -> u32 {
        u32::try_from(self.places.len()).unwrap_or(u32::MAX).saturating_sub(1)
    }

    /// Adds the name of a number above [`Names::last`].
    pub fn add(&mut self, id: u32, name: &str) {
        let start = u32::try_from(self.text.len()).unwrap_or(u32::MAX);
        let point = name.rfind('.').map_or(0, |dot| dot + 1);
        self.places.resize(id as usize, (start, start));
        self.places.push((start, start.saturating_add(u32::try_from(point).unwrap_or(0))));
        self.text.push_str(name);
    }

    /// Returns what stands before the last dot of a name, and what after it; `None` for a number without name.
    fn parts(&self, id: u32) -> Option<(&str, &str)> {
        let (start, point) = *self.places.get(id as usize)?;
        let end = self.places.get(id as usize + 1).map_or(self.text.len(), |next| next.0 as usize);
        let device = self.text.get(start as usize..(point as usize).checked_sub(1)?)?;
        Some((device, self.text.get(point as usize..end).filter(|point| !point.is_empty())?))
    }
}

/// Lines under way.
#[derive(Debug)]
pub struct Lines {
    site: SiteId,
    text: Vec<u8>,
    values: u64,
    /// Of the line that is not finished.
    open: Option<(Timestamp, Quality)>,
    /// Its device, as [`Names`] has it.
    device: String,
}

impl Lines {
    /// Returns no lines yet, written into `buffer`.
    pub fn new(site: SiteId, mut buffer: Vec<u8>) -> Self {
        buffer.clear();
        Self { site, text: buffer, values: 0, open: None, device: String::new() }
    }

    /// Returns how many values they hold.
    pub fn values(&self) -> u64 {
        self.values
    }

    /// Adds a value. Says whether its tag has a name.
    pub fn add(&mut self, names: &Names, sample: &CommittedSample) -> bool {
        let Some((device, point)) = names.parts(sample.tag) else { return false };
        // NaN is no number in line protocol, and one such field would cost its line.
        let Some(value) = sample.value.filter(|value| value.as_f64().is_finite()) else { return true };
        let line = (sample.measured_at, sample.quality);
        if self.open == Some(line) && self.device == device {
            self.text.push(b',');
        } else {
            self.close();
            self.open = Some(line);
            device.clone_into(&mut self.device);
            self.start(sample.quality);
        }
        self.text.extend_from_slice(point.as_bytes());
        if point == RESERVED {
            self.text.push(b'_');
        }
        self.text.push(b'=');
        write_number(&mut self.text, value);
        self.values += 1;
        true
    }

    /// Returns the text, every line with its end.
    pub fn finish(mut self) -> Vec<u8> {
        self.close();
        self.text
    }

    fn start(&mut self, quality: Quality) {
        // Sites, sources and points are made of letters, digits, `_` and `-`: nothing has to be escaped.
        let (source, device) = self.device.split_once('.').unwrap_or((&self.device, ""));
        self.text.extend_from_slice(MEASUREMENT.as_bytes());
        let mut tag = |key: &str, value: &str| {
            for part in [",", key, "=", value] {
                self.text.extend_from_slice(part.as_bytes());
            }
        };
        if !device.is_empty() {
            tag("device", device);
        }
        if quality != Quality::Good {
            tag("quality", quality.as_str());
        }
        tag("site", self.site.as_str());
        tag("source", source);
        self.text.push(b' ');
    }

    fn close(&mut self) {
        if let Some((measured_at, _)) = self.open.take() {
            self.text.push(b' ');
            write_integer(&mut self.text, i128::from(measured_at.0));
            self.text.push(b'\n');
        }
    }
}

/// Splits text of several lines into two of whole lines, and a line of several fields into two lines; `None` for a
/// line with one field.
pub fn halve(text: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
    let middle = text.len() / 2;
    let ends = |range: &[u8]| range.iter().position(|byte| *byte == b'\n');
    let after = ends(&text[middle..]).map(|at| middle + at + 1).filter(|at| *at < text.len());
    let before = || text[..middle].iter().rposition(|byte| *byte == b'\n').map(|at| at + 1);
    if let Some(at) = after.or_else(before) {
        return Some((text[..at].to_vec(), text[at..].to_vec()));
    }
    let mut parts = text.split(|byte| *byte == b' ');
    let (series, fields, time) = (parts.next()?, parts.next()?, parts.next()?);
    let commas = || fields.iter().enumerate().filter(|(_, byte)| **byte == b',').map(|(at, _)| at);
    let comma = commas().nth(commas().count() / 2)?;
    let line = |fields: &[u8]| [series, fields, time].join(&b' ');
    Some((line(&fields[..comma]), line(&fields[comma + 1..])))
}

/// Returns what a line is called where it is kept as undeliverable.
pub fn name(line: &[u8]) -> String {
    String::from_utf8_lossy(line).trim_end().to_owned()
}

fn write_number(text: &mut Vec<u8>, value: Number) {
    match value {
        Number::Integer(value) => write_integer(text, value),
        // The shortest digits that read back as the same number.
        Number::Float(value) => serde_json::to_writer(text, &value).expect("writing to memory can't fail"),
    }
}

fn write_integer(text: &mut Vec<u8>, value: i128) {
    let Ok(mut left) = u64::try_from(value.unsigned_abs()) else {
        return write!(text, "{value}").expect("writing to memory can't fail");
    };
    if value < 0 {
        text.push(b'-');
    }
    let mut digits = [0; 20];
    let mut start = digits.len();
    loop {
        start -= 1;
        digits[start] = b'0' + (left % 10).to_le_bytes()[0];
        left /= 10;
        if left == 0 {
            break;
        }
    }
    text.extend_from_slice(&digits[start..]);
}

#[cfg(test)]
mod tests {
    use super::{CommittedSample, Lines, Names, Number, Quality, SiteId, Timestamp, halve, name, write_integer};

    fn names() -> Names {
        let mut names = Names::default();
        for (id, name) in [(1, "meter.power"), (2, "meter.energy"), (5, "floor.press-1.total"), (6, "floor.a.b.time")] {
            names.add(id, name);
        }
        names
    }

    fn sample(tag: u32, at: i64, value: Option<Number>) -> CommittedSample {
        CommittedSample { tag, measured_at: Timestamp(at), value, quality: Quality::Good }
    }

    fn text(samples: &[CommittedSample]) -> String {
        let names = names();
        let mut lines = Lines::new(SiteId::new("tt-main").unwrap(), b"left over".to_vec());
        assert!(samples.iter().all(|sample| lines.add(&names, sample)));
        assert_eq!(lines.values(), samples.iter().filter(|sample| sample.value.is_some()).count() as u64);
        String::from_utf8(lines.finish()).unwrap()
    }

    #[test]
    fn values_of_one_device_and_instant_share_a_line() {
        let float = |value| Some(Number::Float(value));
        let doubted = CommittedSample { quality: Quality::Uncertain, ..sample(1, 7, float(0.1)) };
        let samples = [
            sample(1, 5, float(-0.5)),
            sample(2, 5, Some(Number::Integer(9_007_199_254_740_993))),
            sample(1, 6, None),
            sample(1, 6, float(1e300)),
            doubted,
            sample(5, 7, Some(Number::Integer(-3))),
            sample(6, 7, float(2.0)),
        ];
        assert_eq!(
            text(&samples),
            concat!(
                "sample,site=tt-main,source=meter power=-0.5,energy=9007199254740993 5\n",
                "sample,site=tt-main,source=meter power=1e+300 6\n",
                "sample,quality=uncertain,site=tt-main,source=meter power=0.1 7\n",
                "sample,device=press-1,site=tt-main,source=floor total=-3 7\n",
                "sample,device=a.b,site=tt-main,source=floor time_=2.0 7\n",
            )
        );
    }

    #[test]
    fn samples_without_value_leave_no_line() {
        assert_eq!(text(&[sample(1, 5, None)]), "");
    }

    #[test]
    fn a_number_without_name_is_told() {
        let mut lines = Lines::new(SiteId::new("tt-main").unwrap(), Vec::new());
        for tag in [0, 3, 4, 7, u32::MAX] {
            assert!(!lines.add(&names(), &sample(tag, 0, None)), "{tag}");
        }
        assert_eq!(names().last(), 6);
    }

    #[test]
    fn halves_hold_everything_once_down_to_one_field() {
        let whole = b"sample,s=m a=1,b=2,c=3 5\nsample,s=m a=4 6\nsample,s=m a=7,b=8 9\n".to_vec();
        let mut left = vec![whole];
        let mut single = Vec::new();
        while let Some(text) = left.pop() {
            match halve(&text) {
                Some((first, second)) => left.extend([second, first]),
                None => single.push(name(&text)),
            }
        }
        let due = ["a=1 5", "b=2 5", "c=3 5", "a=4 6", "a=7 9", "b=8 9"].map(|field| format!("sample,s=m {field}"));
        assert_eq!(single, due);
    }

    #[test]
    fn integers_are_written_exactly() {
        for value in [0, 9, -10, i128::from(u64::MAX), i128::from(i64::MIN), i128::MIN] {
            let mut text = Vec::new();
            write_integer(&mut text, value);
            assert_eq!(String::from_utf8(text).unwrap(), value.to_string());
        }
    }
}
