//! `[[source]] type = "modbus"`: what it may say, and every problem in it.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::str::FromStr;

use serde::{Deserialize, Deserializer};
use serde_spanned::Spanned;

use crate::model::id::{SourceName, TagName};
use crate::model::problem::Problems;
use crate::model::tag::{SourceIndex, TagSpec};
use crate::model::time::Period;
use crate::profile::Library;
use crate::profile::limits::Forbidden;
use crate::profile::register::{BitField, Sentinel};
use crate::sources::checks::config::{self as checks, CheckKeys, DeviceStateKeys};

use super::address::Address;
use super::behaviour;
use super::plan::{Span, WORDS_MAX};
use super::points::{ResolvedPoint, resolve};
use super::reach;
use super::transport::{Security, Transport};

/// A text with a form of its own, read without stopping at the first fault: what was written is kept, so that
/// every problem of a file can be shown at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written<T>(pub Result<T, String>);

impl<'de, T: FromStr<Err = String>> Deserialize<'de> for Written<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|text| Self(text.parse()))
    }
}

/// One Modbus device.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModbusSource {
    /// `"modbus"`; read by whoever chose this type.
    #[serde(default, rename = "type")]
    pub source_type: Option<String>,
    /// First segment of its tags.
    pub name: Spanned<SourceName>,
    /// `tcp://host:port`, `tls://host:port`, `rtu+tcp://host:port` or `rtu:///dev/…?baud=…`; port 502 where none is
    /// given, 802 for TLS. Sources with one URL share a connection.
    pub url: Spanned<String>,
    /// TLS: authority that signed the device's certificate; the public ones where none is given.
    #[serde(default)]
    pub ca_file: Option<Spanned<PathBuf>>,
    /// TLS: certificate chain that is shown to the device; with `key_file`.
    #[serde(default)]
    pub cert_file: Option<Spanned<PathBuf>>,
    /// TLS: private key of `cert_file`.
    #[serde(default)]
    pub key_file: Option<Spanned<PathBuf>>,
    /// TLS: name the device's certificate carries; the URL's host where none is given.
    #[serde(default)]
    pub server_name: Option<Spanned<String>>,
    /// Unit identifier, 0 to 255; 1 where none is given.
    #[serde(default)]
    pub unit: Option<Spanned<i64>>,
    /// A device profile's name.
    #[serde(default)]
    pub profile: Option<Spanned<String>>,
    /// Wire address of the id register of the profile's SunSpec model; required by, and only for, such a profile.
    #[serde(default)]
    pub model_address: Option<Spanned<i64>>,
    /// What the device's manual calls its first register, 0 or 1; 0 where none is given. It counts for plain and
    /// hexadecimal addresses of `point`; one like "40101" always counts from 1.
    #[serde(default)]
    pub address_base: Option<Spanned<i64>>,
    /// Current transformer ratio: multiplies current, power and energy.
    #[serde(default)]
    pub ct_ratio: Option<Spanned<f64>>,
    /// Voltage transformer ratio: multiplies voltage, power and energy.
    #[serde(default)]
    pub pt_ratio: Option<Spanned<f64>>,
    /// Poll period of plant time; 1 s where none is given.
    #[serde(default)]
    pub every: Option<Spanned<Written<Period>>>,
    /// Longest wait for an answer or a connection, real time; 1 s where none is given.
    #[serde(default)]
    pub timeout: Option<Spanned<Written<Period>>>,
    /// Points beside or instead of the profile's.
    #[serde(default)]
    pub point: Vec<Spanned<Point>>,
    /// Most unwanted registers read along to save a request; the profile's limit, else 0.
    #[serde(default)]
    pub max_gap: Option<Spanned<i64>>,
    /// Most registers in one request; the profile's limit, else 125.
    #[serde(default)]
    pub max_words: Option<Spanned<i64>>,
    /// Addresses that no request may touch, beside the profile's: `"input 100-120"`.
    #[serde(default)]
    pub forbidden: Vec<Spanned<Written<Forbidden>>>,
    /// Addresses that can only be read together, in one request of exactly that size: `"holding 35100-35139"`.
    #[serde(default)]
    pub block: Vec<Spanned<Written<Forbidden>>>,
    /// Whether each request reads one point only; the profile's word, else no.
    #[serde(default)]
    pub one_point_per_request: Option<bool>,
    /// Whether each request begins at address 0 of its table; the profile's word, else no.
    #[serde(default)]
    pub start_at_zero: Option<bool>,
    /// How often a device that says that it is busy is asked again within a poll; 2 where none is given.
    #[serde(default)]
    pub retries: Option<Spanned<i64>>,
    /// Wait between a new connection and its first request, real time; the profile's, else none.
    #[serde(default)]
    pub connect_delay: Option<Spanned<Written<Period>>>,
    /// Shortest wait between an answer and the next request, real time; the profile's, else none.
    #[serde(default)]
    pub request_pause: Option<Spanned<Written<Period>>>,
    /// Connections to the endpoint, shared by its sources; 1 where none is given.
    #[serde(default)]
    pub connections: Option<Spanned<i64>>,
    /// Whether a connection stays open between polls; yes where nothing is said.
    #[serde(default)]
    pub keep_open: Option<Spanned<bool>>,
    /// What the values of points should be like, by point; for points of a profile, or many at once.
    #[serde(default)]
    pub checks: BTreeMap<String, CheckKeys>,
    /// Where a device says whether it is measuring, calibrating or at fault.
    #[serde(default)]
    pub device_state: Option<DeviceStateKeys>,
}

/// Where a point stands on the wire and how it is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Its tag.
    pub tag: TagName,
    /// The registers or bits that are read for it.
    pub span: Span,
    /// Type, order and what else turns its words into a value.
    pub form: String,
}

/// One point of a device.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Point {
    /// Last segment of its tag.
    pub name: Spanned<String>,
    /// Where it stands.
    pub address: Spanned<Address>,
    /// Which table; part of an address like "40101".
    #[serde(default)]
    pub table: Option<Spanned<String>>,
    /// How its words are read; `bit` in a bit table.
    #[serde(default, rename = "type")]
    pub register_type: Option<Spanned<String>>,
    /// In which order its words arrive; ABCD where none is given.
    #[serde(default)]
    pub order: Option<Spanned<String>>,
    /// value = (raw × scale + offset) × transformer ratio.
    #[serde(default)]
    pub scale: Option<Spanned<f64>>,
    /// See `scale`.
    #[serde(default)]
    pub offset: Option<Spanned<f64>>,
    /// Turns the sign: value = −raw × scale + offset.
    #[serde(default)]
    pub invert: Option<Spanned<bool>>,
    /// Where the exponent of ten stands that scales the value besides `scale`: a point's name or an address.
    #[serde(default)]
    pub scale_factor: Option<Spanned<Address>>,
    /// Which bits of the value are meant, lowest and highest: "4-7".
    #[serde(default)]
    pub bits: Option<Spanned<Written<BitField>>>,
    /// How many registers a text takes.
    #[serde(default)]
    pub length: Option<Spanned<i64>>,
    /// How many characters belong to a text.
    #[serde(default)]
    pub characters: Option<Spanned<i64>>,
    /// Which bit of a register, 0 the least significant.
    #[serde(default)]
    pub bit: Option<Spanned<i64>>,
    /// Marks for "no value".
    #[serde(default)]
    pub sentinel: Vec<Spanned<Sentinel>>,
    /// gauge, counter, interval or state; gauge where none is given, state where `states` is.
    #[serde(default)]
    pub kind: Option<Spanned<String>>,
    /// Unit of the value; "1" where none is given.
    #[serde(default)]
    pub unit: Option<Spanned<String>>,
    /// Raw number, or text, of a state → what the machine does.
    #[serde(default)]
    pub states: BTreeMap<String, Spanned<String>>,
    /// How long a value holds; 2.5 × `every` where none is given.
    #[serde(default)]
    pub hold: Option<Spanned<Written<Period>>>,
    /// Largest growth per second of a counter, in its unit.
    #[serde(default)]
    pub max_per_second: Option<Spanned<f64>>,
    /// Value at which a counter starts again at 0, in its unit; by its width where none is given.
    #[serde(default)]
    pub modulus: Option<Spanned<f64>>,
    /// Length of an `interval`.
    #[serde(default)]
    pub period: Option<Spanned<Written<Period>>>,
    /// Smallest value that can be right; a smaller one is marked.
    #[serde(default)]
    pub min: Option<Spanned<f64>>,
    /// Largest value that can be right; a larger one is marked.
    #[serde(default)]
    pub max: Option<Spanned<f64>>,
    /// Largest change from one value to the next; a larger one is marked.
    #[serde(default)]
    pub max_step: Option<Spanned<f64>>,
    /// Largest change per second; a faster one is marked.
    #[serde(default)]
    pub max_rate: Option<Spanned<f64>>,
    /// How long the value may stand still; then it is marked.
    #[serde(default)]
    pub flat_line: Option<Spanned<Period>>,
    /// Changes up to this are left out of the history once the figures are made.
    #[serde(default)]
    pub deadband: Option<Spanned<f64>>,
    /// How often a sample is kept at least, where changes are left out.
    #[serde(default)]
    pub heartbeat: Option<Spanned<Period>>,
}

impl Point {
    /// Returns what it says of its values.
    fn check_keys(&self) -> CheckKeys {
        CheckKeys {
            min: self.min.clone(),
            max: self.max.clone(),
            max_step: self.max_step.clone(),
            max_rate: self.max_rate.clone(),
            flat_line: self.flat_line.clone(),
            deadband: self.deadband.clone(),
            heartbeat: self.heartbeat.clone(),
        }
    }
}

/// Longest and shortest poll period and time-out that make sense. Shorter ones keep a device from its own work.
const PERIOD_MS: RangeInclusive<i64> = 10..=86_400_000;
const TIMEOUT_MS: RangeInclusive<i64> = 10..=60_000;

impl ModbusSource {
    /// Names every problem of the source itself; [`ModbusSource::tags`] names those of its points.
    pub fn check(&self, problems: &mut Problems) {
        reach::check(self, problems);
        check_period("every", self.every.as_ref(), PERIOD_MS, problems);
        check_period("timeout", self.timeout.as_ref(), TIMEOUT_MS, problems);
        for (key, ratio) in [("ct_ratio", &self.ct_ratio), ("pt_ratio", &self.pt_ratio)] {
            if let Some(ratio) = ratio
                && !(ratio.get_ref().is_finite() && *ratio.get_ref() > 0.0)
            {
                let message = format!("{key} {} is not above 0", ratio.get_ref());
                problems.error(ratio.span(), message, "write primary ÷ secondary, like 40 for a 200/5 A transformer");
            }
        }
        check_limit("max_words", self.max_words.as_ref(), 4..=WORDS_MAX, problems);
        check_limit("max_gap", self.max_gap.as_ref(), 0..=WORDS_MAX, problems);
        if let Some(base) = &self.address_base
            && !matches!(base.get_ref(), 0 | 1)
        {
            let message = format!("address_base {} is neither 0 nor 1", base.get_ref());
            problems.error(base.span(), message, "write what the device's manual calls its first register");
        }
        behaviour::check(self, problems);
        if self.profile.is_none() && self.point.is_empty() {
            let message = format!("source \"{}\" has neither a profile nor a point", self.name.get_ref());
            problems.error(self.name.span(), message, "add profile = \"…\" or point = [{ name = …, address = … }]");
        }
    }

    /// Returns the tags of the profile and of `point`, profile first; names every problem in them.
    pub fn tags(&self, source: SourceIndex, profiles: &Library, problems: &mut Problems) -> Vec<TagSpec> {
        let points = resolve(self, profiles, problems);
        behaviour::check_plan(self, profiles, &points, problems);
        let mut tags: Vec<TagSpec> = points.into_iter().map(|point| point.tag(source)).collect();
        checks::declare(&self.name, &self.checks, &self.declared(), self.device_state.as_ref(), &mut tags, problems);
        tags
    }

    /// Returns what is said of the values of each point, with the point itself or in `checks`.
    pub fn declared(&self) -> BTreeMap<String, CheckKeys> {
        let points = self.point.iter().map(Spanned::get_ref);
        checks::merge(&self.checks, points.map(|point| (point.name.get_ref().clone(), point.check_keys())))
    }

    /// Returns where each point stands, in the order of [`ModbusSource::tags`]: what `parkgate check` shows.
    pub fn places(&self, profiles: &Library) -> Vec<Place> {
        resolve(self, profiles, &mut Problems::default()).into_iter().map(ResolvedPoint::place).collect()
    }

    /// Returns what the first register is called in plain addresses, 0 or 1.
    pub fn address_base(&self) -> u8 {
        u8::from(self.address_base.as_ref().is_some_and(|base| *base.get_ref() == 1))
    }

    /// Returns how the device is reached; `None` where the URL is malformed, which `check` has named.
    pub fn transport(&self) -> Option<Transport> {
        Transport::parse(self.url.get_ref()).ok()
    }

    /// Returns whom the connection trusts, and as whom it presents itself.
    pub fn security(&self) -> Security {
        let path = |key: &Option<Spanned<PathBuf>>| key.as_ref().map(|path| path.get_ref().clone());
        Security {
            ca_file: path(&self.ca_file),
            cert_file: path(&self.cert_file),
            key_file: path(&self.key_file),
            server_name: self.server_name.as_ref().map(|name| name.get_ref().clone()),
        }
    }

    /// Names every problem between sources: those that share an endpoint must agree about its connections.
    pub fn check_together(sources: &[(SourceIndex, Self)], problems: &mut Problems) {
        behaviour::check_together(sources, problems);
    }

    /// Returns the unit identifier; 1 where none, or an impossible one, is given.
    pub fn unit_id(&self) -> u8 {
        self.unit.as_ref().and_then(|unit| u8::try_from(*unit.get_ref()).ok()).unwrap_or(1)
    }

    /// Returns the poll period. **Unit**: milliseconds of plant time.
    pub fn every_ms(&self) -> i64 {
        written(self.every.as_ref()).map_or(1000, |every| every.as_ms().max(*PERIOD_MS.start()))
    }

    /// Returns the longest wait for an answer. **Unit**: milliseconds of real time.
    pub fn timeout_ms(&self) -> u64 {
        let ms = written(self.timeout.as_ref()).map_or(1000, Period::as_ms);
        u64::try_from(ms).unwrap_or(1000).max(1)
    }
}

/// Returns a length of time that was written and could be read.
pub(super) fn written(period: Option<&Spanned<Written<Period>>>) -> Option<Period> {
    period.and_then(|period| period.get_ref().0.clone().ok())
}

pub(super) fn check_period(
    key: &str,
    period: Option<&Spanned<Written<Period>>>,
    limits: RangeInclusive<i64>,
    problems: &mut Problems,
) {
    let Some(period) = period else { return };
    match &period.get_ref().0 {
        Err(reason) => problems.error(period.span(), format!("{key}: {reason}"), format!("write {key} = \"1s\"")),
        Ok(length) if !limits.contains(&length.as_ms()) => {
            let message =
                format!("{key} of {} ms is outside {} to {} ms", length.as_ms(), limits.start(), limits.end());
            problems.error(period.span(), message, format!("write {key} = \"1s\""));
        }
        Ok(_) => {}
    }
}

fn check_limit(key: &str, limit: Option<&Spanned<i64>>, range: RangeInclusive<u16>, problems: &mut Problems) {
    if let Some(limit) = limit
        && !u16::try_from(*limit.get_ref()).is_ok_and(|value| range.contains(&value))
    {
        let message = format!("{key} {} is outside {} to {}", limit.get_ref(), range.start(), range.end());
        problems.error(limit.span(), message, format!("leave {key} out for the profile's own limit"));
    }
}
