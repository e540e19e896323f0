//! The state a device says it is in: measuring, calibrating or at fault. **Source**: Circular 10/2021/TT-BTNMT, which
//! asks that values of a device that isn't measuring are told apart.

use std::collections::{BTreeMap, BTreeSet};

use super::Arrival;
use super::config::{DeviceMode, DeviceStateKeys};
use crate::model::number::Number;
use crate::model::sample::{Quality, Sample};
use crate::model::state::MachineState;
use crate::model::tag::{TagIndex, TagKind, TagSpec};
use crate::model::time::Timestamp;

/// Changes of state that are remembered of a device that publishes: a value older than all of them is uncertain.
const CHANGES_MAX: usize = 64;

/// The state of one device, and which tags it is about.
#[derive(Debug, Clone)]
pub(super) struct StateRule {
    status: TagIndex,
    kind: TagKind,
    modes: BTreeMap<String, DeviceMode>,
    applies_to: BTreeSet<TagIndex>,
    /// `None` where the status could not be read, or is none of the declared ones.
    seen: BTreeMap<Timestamp, Option<DeviceMode>>,
}

impl StateRule {
    /// Returns one rule for each device that has the status point. `own` are the source's tags, `prefix` what their
    /// names begin with.
    pub(super) fn of(keys: &DeviceStateKeys, prefix: &str, own: &[(TagIndex, &TagSpec)]) -> Vec<Self> {
        let points: Vec<(TagIndex, &TagSpec, &str)> = own
            .iter()
            .filter_map(|(index, tag)| Some((*index, *tag, tag.name.as_str().strip_prefix(prefix)?)))
            .collect();
        let status = points.iter().filter(|(.., point)| keys.names_status(point));
        status
            .map(|(status, tag, point)| {
                let device = point.split_once('.').map(|(device, _)| device);
                let concerned =
                    |(index, _, point): &&(TagIndex, &TagSpec, &str)| index != status && keys.concerns(point, device);
                Self {
                    status: *status,
                    kind: tag.kind,
                    modes: keys.modes(),
                    applies_to: points.iter().filter(concerned).map(|(index, ..)| *index).collect(),
                    seen: BTreeMap::new(),
                }
            })
            .collect()
    }

    /// Takes the states among the samples.
    pub(super) fn learn(&mut self, samples: &[Sample], arrival: Arrival) {
        if arrival == Arrival::Polled {
            self.seen.clear();
        }
        for sample in samples.iter().filter(|sample| sample.tag == self.status) {
            let value = sample.value.filter(|_| sample.quality.is_usable());
            let mode = value.and_then(|value| self.modes.get(&self.text(value)).copied());
            let before = self.seen.range(..=sample.measured_at).next_back().map(|(_, mode)| *mode);
            if before != Some(mode) {
                self.seen.insert(sample.measured_at, mode);
            }
            if self.seen.len() > CHANGES_MAX {
                self.seen.pop_first();
            }
        }
    }

    /// Returns the quality that the device's state gives a sample at best.
    pub(super) fn quality(&self, sample: &Sample, arrival: Arrival) -> Quality {
        if !self.applies_to.contains(&sample.tag) {
            return Quality::Good;
        }
        let mode = match arrival {
            Arrival::Polled => self.seen.last_key_value(),
            Arrival::Published => self.seen.range(..=sample.measured_at).next_back(),
        };
        match mode.and_then(|(_, mode)| *mode) {
            Some(DeviceMode::Measuring) => Quality::Good,
            Some(DeviceMode::Calibrating) => Quality::Calibrating,
            Some(DeviceMode::Fault) => Quality::DeviceFault,
            None => Quality::Uncertain,
        }
    }

    /// Returns a status as the configuration writes it: a whole number, or the name of a machine state.
    #[expect(clippy::cast_possible_truncation, reason = "a status that isn't a whole number matches nothing")]
    fn text(&self, value: Number) -> String {
        let whole = match value {
            Number::Integer(value) => value,
            Number::Float(value) if value.fract() == 0.0 && value.abs() < 1e18 => value as i128,
            Number::Float(value) => return value.to_string(),
        };
        match MachineState::from_code(whole).filter(|_| self.kind == TagKind::State) {
            Some(state) => state.as_str().to_owned(),
            None => whole.to_string(),
        }
    }
}
