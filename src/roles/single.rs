//! One device as a `[[source]]` describes it, read once and outside of the poll loop.
//!
//! The same planning and decoding as in `parkgate run`: what is shown here is what would be stored.

use std::time::Duration;

use serde::Serialize;

use super::reach::Bus;
use crate::config::Gateway;
use crate::model::number::Number;
use crate::model::problem::{Problems, Severity};
use crate::model::sample::Quality;
use crate::model::tag::{SourceIndex, TagSpec};
use crate::model::unit::Unit;
use crate::profile::Library;
use crate::sources::modbus::config::ModbusSource;
use crate::sources::modbus::device::{Device, DevicePoint};
use crate::sources::modbus::endpoints;
use crate::sources::modbus::link::LinkError;
use crate::sources::modbus::plan::{Answer, Request};
use crate::sources::modbus::transport::{Security, Transport};

/// One device with its tags.
pub(super) struct Single {
    pub(super) transport: Transport,
    pub(super) security: Security,
    pub(super) device: Device,
    /// Name of its profile; empty where it has none.
    pub(super) profile: String,
    /// (`ct_ratio`, `pt_ratio`) as configured.
    pub(super) ratios: (Option<f64>, Option<f64>),
    /// What the profile warns of.
    pub(super) warnings: Vec<String>,
    tags: Vec<TagSpec>,
}

/// What one point answered.
#[derive(Debug, Clone)]
pub(super) struct PointValue {
    /// Its name within the device.
    pub(super) name: String,
    pub(super) unit: Unit,
    /// `None` where the device gave no answer at all.
    pub(super) quality: Option<Quality>,
    /// The value, or why there is none.
    pub(super) value: Result<Number, String>,
}

/// A number without the tag of its kind, as `--json` prints it. Integers are exact.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(untagged)]
pub(super) enum Value {
    Integer(i128),
    Float(f64),
}

impl From<Number> for Value {
    fn from(number: Number) -> Self {
        match number {
            Number::Integer(value) => Self::Integer(value),
            Number::Float(value) => Self::Float(value),
        }
    }
}

impl Single {
    /// Reads the TOML text of one `[[source]]`.
    ///
    /// # Errors
    /// Every problem in it, one a line.
    pub(super) fn of_section(section: &str, profiles: &Library) -> Result<Self, String> {
        #[derive(serde::Deserialize)]
        struct File {
            source: Vec<ModbusSource>,
        }
        let mut file: File = toml::from_str(section).map_err(|error| error.message().to_owned())?;
        if file.source.len() != 1 {
            return Err(format!("{} sources in place of one", file.source.len()));
        }
        Self::of_source(file.source.remove(0), profiles)
    }

    /// Finds a source of a configuration by its name.
    ///
    /// # Errors
    /// There is none of that name; which there are.
    pub(super) fn of_gateway(gateway: &Gateway, name: &str) -> Result<Self, String> {
        let found = gateway.modbus.iter().find(|(_, source)| source.name.get_ref().as_str() == name);
        let Some((_, source)) = found else {
            let known: Vec<&str> = gateway.modbus.iter().map(|(_, source)| source.name.get_ref().as_str()).collect();
            return Err(format!("no Modbus source \"{name}\" in {}: there is {}", gateway.file, known.join(", ")));
        };
        Self::of_source(source.clone(), &gateway.profiles)
    }

    fn of_source(source: ModbusSource, profiles: &Library) -> Result<Self, String> {
        let mut problems = Problems::default();
        source.check(&mut problems);
        let mut tags = source.tags(SourceIndex(0), profiles, &mut problems);
        if problems.has_errors() {
            let errors = problems.0.iter().filter(|problem| problem.severity == Severity::Error);
            return Err(errors
                .map(|problem| format!("{}; {}", problem.message, problem.help))
                .collect::<Vec<_>>()
                .join("\n"));
        }
        tags.sort_by(|a, b| a.name.cmp(&b.name));
        let warnings = problems.0.into_iter().map(|problem| format!("{}; {}", problem.message, problem.help)).collect();
        let ratio = |ratio: &Option<serde_spanned::Spanned<f64>>| ratio.as_ref().map(|ratio| *ratio.get_ref());
        let ratios = (ratio(&source.ct_ratio), ratio(&source.pt_ratio));
        let profile = source.profile.as_ref().map(|name| name.get_ref().clone()).unwrap_or_default();
        let mut found = endpoints(&[(SourceIndex(0), source)], profiles, &tags);
        let mut endpoint = found.pop().ok_or("the source has no transport")?;
        let device = endpoint.devices.pop().ok_or("the source has no device")?;
        Ok(Self { transport: endpoint.transport, security: endpoint.security, device, profile, ratios, warnings, tags })
    }

    /// Returns a connection to the device, with its own time-out and at least `pause` between requests.
    pub(super) fn bus(&self, pause: Duration) -> Bus {
        let mut bus = Bus::new(self.transport.clone(), self.security.clone(), self.device.timeout, pause);
        bus.spare(&self.device);
        bus
    }

    /// Returns a point's name within the device, and its unit.
    pub(super) fn named(&self, point: &DevicePoint) -> (String, Unit) {
        let tag = usize::try_from(point.tag.0).ok().and_then(|index| self.tags.get(index));
        tag.map_or_else(
            || (String::new(), Unit::One),
            |tag| (tag.name.as_str().rsplit('.').next().unwrap_or_default().to_owned(), tag.unit),
        )
    }

    /// Reads every point with as few requests as the poll loop would use. Points of a request that fails have its
    /// reason; the other requests are asked all the same.
    ///
    /// # Errors
    /// There is no connection.
    pub(super) async fn read(&self, bus: &mut Bus) -> Result<Vec<PointValue>, LinkError> {
        bus.open().await?;
        let mut values: Vec<Option<PointValue>> = vec![None; self.device.points.len()];
        for planned in self.device.plan() {
            let answer = bus.read(self.device.unit, planned.request).await;
            if let Err(error @ (LinkError::Connect(_) | LinkError::Foreign(_))) = answer {
                return Err(error);
            }
            for index in planned.points {
                values[index] = Some(self.value(index, planned.request, &answer));
            }
        }
        Ok(values.into_iter().flatten().collect())
    }

    fn value(&self, index: usize, request: Request, answer: &Result<Answer, LinkError>) -> PointValue {
        let point = &self.device.points[index];
        let (name, unit) = self.named(point);
        let (quality, value) = match answer.as_ref().map(|answer| decoded(point, request, answer)) {
            Ok(Ok(value)) => (Some(Quality::Good), Ok(value)),
            Ok(Err((quality, reason))) => (Some(quality), Err(reason)),
            Err(error) => (None, Err(error.to_string())),
        };
        PointValue { name, unit, quality, value }
    }
}

/// Decodes one point out of the answer to a request that holds it.
fn decoded(point: &DevicePoint, request: Request, answer: &Answer) -> Result<Number, (Quality, String)> {
    let place = point.span.within(request);
    let found = match answer {
        Answer::Words(words) => point.decoding.words(words.get(place).unwrap_or_default()),
        Answer::Bits(bits) => match bits.get(place.start) {
            Some(bit) => point.decoding.bit(*bit),
            None => return Err((Quality::NotANumber, "the answer is too short".to_owned())),
        },
    };
    found.map_err(|reason| (reason.quality(), reason.to_string()))
}
