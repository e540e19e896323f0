//! The media that cross a boundary: which measures each has, and what measures it.

use serde::Deserialize;

use crate::model::fact::Measure;
use crate::model::tag::{TagKind, TagSpec};
use crate::model::unit::Dimension;

/// What flows through a meter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Medium {
    /// Active electric energy.
    Electricity,
    /// Fuel gas.
    Gas,
    /// Water that comes in.
    Water,
    /// Steam that comes in.
    Steam,
    /// Wastewater that leaves.
    Wastewater,
}

/// The measures of one medium.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Measures {
    /// What went through the boundary.
    pub amount: Measure,
    /// The part of it that was spread over a gap.
    pub substituted: Measure,
    /// What was left out as impossible.
    pub excluded: Measure,
    /// Time over which every meter of the boundary was read.
    pub observed: Measure,
    /// Time over which they should have been.
    pub expected: Measure,
    /// The part that sub-meters explain.
    pub submetered: Measure,
    /// Time over which every sub-meter was read.
    pub submetered_observed: Measure,
}

impl Medium {
    /// Every medium.
    pub const ALL: [Self; 5] = [Self::Electricity, Self::Gas, Self::Water, Self::Steam, Self::Wastewater];

    /// Returns the name used in configuration.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Electricity => "electricity",
            Self::Gas => "gas",
            Self::Water => "water",
            Self::Steam => "steam",
            Self::Wastewater => "wastewater",
        }
    }

    /// Returns its measures.
    pub const fn measures(self) -> Measures {
        match self {
            Self::Electricity => Measures {
                amount: Measure::Electricity,
                substituted: Measure::ElectricitySubstituted,
                excluded: Measure::ElectricityExcluded,
                observed: Measure::ElectricityObserved,
                expected: Measure::ElectricityExpected,
                submetered: Measure::ElectricitySubmetered,
                submetered_observed: Measure::ElectricitySubmeteredObserved,
            },
            Self::Gas => Measures {
                amount: Measure::Gas,
                substituted: Measure::GasSubstituted,
                excluded: Measure::GasExcluded,
                observed: Measure::GasObserved,
                expected: Measure::GasExpected,
                submetered: Measure::GasSubmetered,
                submetered_observed: Measure::GasSubmeteredObserved,
            },
            Self::Water => Measures {
                amount: Measure::Water,
                substituted: Measure::WaterSubstituted,
                excluded: Measure::WaterExcluded,
                observed: Measure::WaterObserved,
                expected: Measure::WaterExpected,
                submetered: Measure::WaterSubmetered,
                submetered_observed: Measure::WaterSubmeteredObserved,
            },
            Self::Steam => Measures {
                amount: Measure::Steam,
                substituted: Measure::SteamSubstituted,
                excluded: Measure::SteamExcluded,
                observed: Measure::SteamObserved,
                expected: Measure::SteamExpected,
                submetered: Measure::SteamSubmetered,
                submetered_observed: Measure::SteamSubmeteredObserved,
            },
            Self::Wastewater => Measures {
                amount: Measure::Wastewater,
                substituted: Measure::WastewaterSubstituted,
                excluded: Measure::WastewaterExcluded,
                observed: Measure::WastewaterObserved,
                expected: Measure::WastewaterExpected,
                submetered: Measure::WastewaterSubmetered,
                submetered_observed: Measure::WastewaterSubmeteredObserved,
            },
        }
    }

    /// Returns the dimension of its amounts, and that of the level that is integrated to one.
    pub const fn dimensions(self) -> (Dimension, Dimension) {
        match self {
            Self::Electricity => (Dimension::ActiveEnergy, Dimension::ActivePower),
            Self::Gas | Self::Water | Self::Wastewater => (Dimension::Volume, Dimension::Flow),
            Self::Steam => (Dimension::Mass, Dimension::MassFlow),
        }
    }

    /// Returns what a tag of it is read in: amount and level, for people.
    pub const fn units(self) -> (&'static str, &'static str) {
        match self {
            Self::Electricity => ("kWh", "kW"),
            Self::Gas | Self::Water | Self::Wastewater => ("m3", "m3/h"),
            Self::Steam => ("t", "t/h"),
        }
    }

    /// Says whether amounts of the medium follow from a tag's values.
    pub fn fits(self, tag: &TagSpec) -> bool {
        fits(self.dimensions(), tag)
    }

    /// Returns how many base units of its tags are one unit of its measures: steam is read in kg and told in t.
    pub const fn tag_units(self) -> i128 {
        match self {
            Self::Steam => 1_000,
            _ => 1,
        }
    }
}

/// Says whether amounts follow from a tag's values: it counts them, or is their rate.
pub fn fits((amount, rate): (Dimension, Dimension), tag: &TagSpec) -> bool {
    let dimension = tag.unit.dimension();
    let counts = matches!(tag.kind, TagKind::Counter { .. } | TagKind::Interval { .. });
    (dimension == amount && counts) || (dimension == rate && tag.kind == TagKind::Gauge)
}
