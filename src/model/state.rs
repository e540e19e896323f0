//! Machine states and the ISO 22400-2 time element each one counts into.

use serde::{Deserialize, Serialize};

use super::fact::Measure;

/// What a machine does, as configured in a tag's `states` table.
///
/// **Source**: time model of ISO 22400-2. A fault, its repair, or a stop while an order runs is a delay (ADET); a machine
/// that has nothing to run is down though available (ADOT); preventive maintenance is planned down time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MachineState {
    /// Adds value: APT.
    Producing,
    /// Is being set up: AUST.
    Setup,
    /// Malfunction while an order runs: ADET.
    Fault,
    /// Minor or unplanned stop while an order runs: ADET.
    Stopped,
    /// Available, no order: ADOT.
    Idle,
    /// Not running though available: ADOT.
    Down,
    /// Planned to stand still: planned down time, outside PBT.
    PlannedDown,
    /// Is being repaired after a failure, waiting for people and parts included: ADET, as the fault itself.
    CorrectiveMaintenance,
    /// Is being maintained as planned: planned down time, outside PBT.
    PreventiveMaintenance,
}

impl MachineState {
    /// Every state; the position is its code.
    pub const ALL: [Self; 9] = [
        Self::Producing,
        Self::Setup,
        Self::Fault,
        Self::Stopped,
        Self::Idle,
        Self::Down,
        Self::PlannedDown,
        Self::CorrectiveMaintenance,
        Self::PreventiveMaintenance,
    ];

    /// Returns the integer a sample carries.
    pub const fn code(self) -> i128 {
        self as i128
    }

    /// Returns the state of a sample's integer.
    pub fn from_code(code: i128) -> Option<Self> {
        usize::try_from(code).ok().and_then(|position| Self::ALL.get(position)).copied()
    }

    /// Returns the name used in configuration.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Producing => "producing",
            Self::Setup => "setup",
            Self::Fault => "fault",
            Self::Stopped => "stopped",
            Self::Idle => "idle",
            Self::Down => "down",
            Self::PlannedDown => "planned_down",
            Self::CorrectiveMaintenance => "corrective_maintenance",
            Self::PreventiveMaintenance => "preventive_maintenance",
        }
    }

    /// Returns the state of a name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == name)
    }

    /// Returns the time element this state counts into.
    pub const fn measure(self) -> Measure {
        match self {
            Self::Producing => Measure::Apt,
            Self::Setup => Measure::Aust,
            Self::Fault | Self::Stopped | Self::CorrectiveMaintenance => Measure::Adet,
            Self::Idle | Self::Down => Measure::Adot,
            Self::PlannedDown | Self::PreventiveMaintenance => Measure::PlannedDown,
        }
    }

    /// Says whether the machine has failed and isn't restored yet.
    pub const fn has_failed(self) -> bool {
        matches!(self, Self::Fault | Self::CorrectiveMaintenance)
    }
}
