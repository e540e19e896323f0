//! A channel: one parameter of one stack or outfall, the tags that measure it, the limits it is compared with.

use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::limit::{self, DatedLimit};
use crate::engine::kpi::UsedFactors;
use crate::engine::plant::Plant;
use crate::model::fact::Measure;
use crate::model::pollutant::Parameter;
use crate::model::tag::TagIndex;
use crate::model::time::{Timestamp, Window};

/// One `[[channel]]`: an asset of its own, whose figures are about this one parameter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Channel {
    /// What is measured.
    pub parameter: Parameter,
    /// The analyser's value, a gauge.
    pub value: TagIndex,
    /// At which conditions the value is measured.
    pub basis: Basis,
    /// Whether value and oxygen are measured in wet gas.
    pub is_wet: bool,
    /// The analyser's status: 0 measuring, 1 calibrating, anything else a fault. Without it the quality says it.
    pub status: Option<TagIndex>,
    /// Oxygen in the same gas. **Unit** of its tag: percent of volume.
    pub oxygen: Option<TagIndex>,
    /// The oxygen that limits are for. **Unit**: 10⁻⁶ percent of volume. `None`: no correction by oxygen.
    pub reference_oxygen_micro: Option<i64>,
    /// Temperature of the gas. **Unit** of its tag: °C.
    pub temperature: Option<TagIndex>,
    /// Absolute pressure of the gas. **Unit** of its tag: kPa.
    pub pressure: Option<TagIndex>,
    /// Water vapour in the gas. **Unit** of its tag: percent of volume.
    pub moisture: Option<TagIndex>,
    /// The flow that carries the pollutant: a gauge, or a meter of volume.
    pub flow: Option<TagIndex>,
    /// Whether the flow is measured at the conditions of the gas, so that it is brought to normal ones.
    pub flow_is_actual: bool,
    /// What it is compared with, the one that goes first in front.
    pub limits: Vec<DatedLimit>,
}

/// At which conditions the tag of a value is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Basis {
    /// As the figures are: water, or gas at 25 °C and 101.325 kPa.
    Normal,
    /// mg/m³ at the temperature and pressure of the gas.
    Actual,
    /// Parts per million of volume.
    Volume,
}

impl Channel {
    /// Returns every tag that is an input of it.
    pub fn inputs(&self) -> impl Iterator<Item = TagIndex> {
        let others = [self.status, self.oxygen, self.temperature, self.pressure, self.moisture, self.flow];
        std::iter::once(self.value).chain(others.into_iter().flatten())
    }

    /// Returns the limit that holds on a day; `None` where none does.
    pub fn limit_on(&self, date: Date) -> Option<&DatedLimit> {
        self.limits.iter().find(|limit| limit.holds_on(date))
    }
}

/// Returns the day that the last millisecond before an instant lies in.
pub(super) fn day_before(end: Timestamp, zone: &TimeZone) -> Option<Date> {
    let last = jiff::Timestamp::from_millisecond(end.0 - 1).ok()?;
    Some(zone.to_datetime(last).date())
}

/// Notes the limits that a channel was compared with in a window.
pub(in crate::engine) fn note_factors(plant: &Plant, asset: usize, window: Window, used: &mut UsedFactors) {
    let Some(channel) = plant.assets.get(asset).and_then(|asset| asset.channel.as_deref()) else { return };
    let zone = plant.site_calendar().zone();
    let days = day_before(window.start + 1, zone).zip(day_before(window.end, zone));
    let Some((first, last)) = days else { return };
    for limit in limit::between(&channel.limits, first, last) {
        for entry in &limit.entries {
            for measure in [Measure::HoursCompared, Measure::HourLimitSum, Measure::HoursToCheck, Measure::DaysToCheck]
            {
                used.note(measure, entry.clone());
            }
        }
    }
}

#[cfg(test)]
pub(in crate::engine) mod testing {
    use super::{Basis, Channel};
    use crate::model::pollutant::Parameter;
    use crate::model::tag::TagIndex;

    /// Returns a channel that needs no correction and has no limit, its value the first tag.
    pub(in crate::engine) fn channel(parameter: Parameter) -> Channel {
        Channel {
            parameter,
            value: TagIndex(0),
            basis: Basis::Normal,
            is_wet: false,
            status: None,
            oxygen: None,
            reference_oxygen_micro: None,
            temperature: None,
            pressure: None,
            moisture: None,
            flow: None,
            flow_is_actual: false,
            limits: Vec::new(),
        }
    }
}
