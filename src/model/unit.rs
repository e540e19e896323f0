//! Units of tags, the base units of facts, and the units products are counted in.

use serde::{Deserialize, Serialize};

/// The unit of a tag's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Unit {
    /// Active energy, watt-hour.
    #[serde(rename = "Wh")]
    WattHour,
    /// Active energy, kilowatt-hour: base unit.
    #[serde(rename = "kWh")]
    KilowattHour,
    /// Active energy, megawatt-hour.
    #[serde(rename = "MWh")]
    MegawattHour,
    /// Reactive energy, var-hour.
    #[serde(rename = "varh")]
    VarHour,
    /// Reactive energy, kilovar-hour: base unit.
    #[serde(rename = "kvarh")]
    KilovarHour,
    /// Active power, watt.
    #[serde(rename = "W")]
    Watt,
    /// Active power, kilowatt: integrates to the base unit of energy.
    #[serde(rename = "kW")]
    Kilowatt,
    /// Active power, megawatt.
    #[serde(rename = "MW")]
    Megawatt,
    /// Reactive power, var.
    #[serde(rename = "var")]
    Var,
    /// Reactive power, kilovar: integrates to the base unit of reactive energy.
    #[serde(rename = "kvar")]
    Kilovar,
    /// Volume, cubic metre.
    #[serde(rename = "m3")]
    CubicMetre,
    /// Voltage.
    #[serde(rename = "V")]
    Volt,
    /// Current.
    #[serde(rename = "A")]
    Ampere,
    /// Frequency.
    #[serde(rename = "Hz")]
    Hertz,
    /// Temperature, degree Celsius (UCUM `Cel`).
    #[serde(rename = "Cel")]
    Celsius,
    /// A ratio, or a count of products in the asset's own product unit.
    #[serde(rename = "1")]
    One,
    /// Apparent power.
    #[serde(rename = "VA")]
    VoltAmpere,
    /// Flow, cubic metre per hour.
    #[serde(rename = "m3/h")]
    CubicMetrePerHour,
    /// Speed of wind or of a flow.
    #[serde(rename = "m/s")]
    MetrePerSecond,
    /// Pressure.
    #[serde(rename = "kPa")]
    Kilopascal,
    /// Humidity, or a signal's strength.
    #[serde(rename = "%")]
    Percent,
    /// Direction, clockwise from north.
    #[serde(rename = "deg")]
    Degree,
    /// Parts per million of volume (UCUM `[ppm]`).
    #[serde(rename = "ppm")]
    PartsPerMillion,
    /// Concentration in air, microgram per cubic metre.
    #[serde(rename = "ug/m3")]
    MicrogramPerCubicMetre,
    /// Mass, kilogram: the base unit.
    #[serde(rename = "kg")]
    Kilogram,
    /// Mass, tonne.
    #[serde(rename = "t")]
    Tonne,
    /// Volume, litre.
    #[serde(rename = "L")]
    Litre,
    /// Energy, megajoule.
    #[serde(rename = "MJ")]
    Megajoule,
    /// Energy, gigajoule.
    #[serde(rename = "GJ")]
    Gigajoule,
    /// Concentration in gas as it is measured, milligram per cubic metre.
    #[serde(rename = "mg/m3")]
    MilligramPerCubicMetre,
    /// Concentration in dry gas at 25 °C and 101.325 kPa.
    #[serde(rename = "mg/Nm3")]
    MilligramPerNormalCubicMetre,
    /// Flow of dry gas at 25 °C and 101.325 kPa.
    #[serde(rename = "Nm3/h")]
    NormalCubicMetrePerHour,
    /// Concentration in water, milligram per litre.
    #[serde(rename = "mg/L")]
    MilligramPerLitre,
    /// Acidity (UCUM `[pH]`).
    #[serde(rename = "pH")]
    Acidity,
    /// Colour of water on the platinum-cobalt scale.
    #[serde(rename = "Pt-Co")]
    PlatinumCobalt,
    /// Flow, litre per minute.
    #[serde(rename = "L/min")]
    LitrePerMinute,
    /// Flow, litre per second.
    #[serde(rename = "L/s")]
    LitrePerSecond,
    /// Flow of mass, kilogram per hour: integrates to the base unit of mass.
    #[serde(rename = "kg/h")]
    KilogramPerHour,
    /// Flow of mass, tonne per hour.
    #[serde(rename = "t/h")]
    TonnePerHour,
}

/// What a unit measures, so that a power is never booked as an energy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dimension {
    /// kWh.
    ActiveEnergy,
    /// kvarh.
    ReactiveEnergy,
    /// kW.
    ActivePower,
    /// kvar.
    ReactivePower,
    /// m³.
    Volume,
    /// kg.
    Mass,
    /// m³/h.
    Flow,
    /// kg/h.
    MassFlow,
    /// Pieces, tonnes…: the product unit of the asset.
    Count,
    /// Nothing that facts are made of yet.
    Other,
}

impl Unit {
    /// Every unit.
    pub const ALL: [Self; 39] = [
        Self::WattHour,
        Self::KilowattHour,
        Self::MegawattHour,
        Self::VarHour,
        Self::KilovarHour,
        Self::Watt,
        Self::Kilowatt,
        Self::Megawatt,
        Self::Var,
        Self::Kilovar,
        Self::CubicMetre,
        Self::Volt,
        Self::Ampere,
        Self::Hertz,
        Self::Celsius,
        Self::One,
        Self::VoltAmpere,
        Self::CubicMetrePerHour,
        Self::MetrePerSecond,
        Self::Kilopascal,
        Self::Percent,
        Self::Degree,
        Self::PartsPerMillion,
        Self::MicrogramPerCubicMetre,
        Self::Kilogram,
        Self::Tonne,
        Self::Litre,
        Self::Megajoule,
        Self::Gigajoule,
        Self::MilligramPerCubicMetre,
        Self::MilligramPerNormalCubicMetre,
        Self::NormalCubicMetrePerHour,
        Self::MilligramPerLitre,
        Self::Acidity,
        Self::PlatinumCobalt,
        Self::LitrePerMinute,
        Self::LitrePerSecond,
        Self::KilogramPerHour,
        Self::TonnePerHour,
    ];

    /// Returns the UCUM-like name used in configuration and JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::WattHour => "Wh",
            Self::KilowattHour => "kWh",
            Self::MegawattHour => "MWh",
            Self::VarHour => "varh",
            Self::KilovarHour => "kvarh",
            Self::Watt => "W",
            Self::Kilowatt => "kW",
            Self::Megawatt => "MW",
            Self::Var => "var",
            Self::Kilovar => "kvar",
            Self::CubicMetre => "m3",
            Self::Volt => "V",
            Self::Ampere => "A",
            Self::Hertz => "Hz",
            Self::Celsius => "Cel",
            Self::One => "1",
            Self::VoltAmpere => "VA",
            Self::CubicMetrePerHour => "m3/h",
            Self::MetrePerSecond => "m/s",
            Self::Kilopascal => "kPa",
            Self::Percent => "%",
            Self::Degree => "deg",
            Self::PartsPerMillion => "ppm",
            Self::MicrogramPerCubicMetre => "ug/m3",
            Self::Kilogram => "kg",
            Self::Tonne => "t",
            Self::Litre => "L",
            Self::Megajoule => "MJ",
            Self::Gigajoule => "GJ",
            Self::MilligramPerCubicMetre => "mg/m3",
            Self::MilligramPerNormalCubicMetre => "mg/Nm3",
            Self::NormalCubicMetrePerHour => "Nm3/h",
            Self::MilligramPerLitre => "mg/L",
            Self::Acidity => "pH",
            Self::PlatinumCobalt => "Pt-Co",
            Self::LitrePerMinute => "L/min",
            Self::LitrePerSecond => "L/s",
            Self::KilogramPerHour => "kg/h",
            Self::TonnePerHour => "t/h",
        }
    }

    /// Returns what the unit measures.
    pub const fn dimension(self) -> Dimension {
        match self {
            Self::WattHour | Self::KilowattHour | Self::MegawattHour | Self::Megajoule | Self::Gigajoule => {
                Dimension::ActiveEnergy
            }
            Self::VarHour | Self::KilovarHour => Dimension::ReactiveEnergy,
            Self::Watt | Self::Kilowatt | Self::Megawatt => Dimension::ActivePower,
            Self::Var | Self::Kilovar => Dimension::ReactivePower,
            Self::CubicMetre | Self::Litre => Dimension::Volume,
            Self::Kilogram | Self::Tonne => Dimension::Mass,
            Self::CubicMetrePerHour | Self::LitrePerMinute | Self::LitrePerSecond => Dimension::Flow,
            Self::KilogramPerHour | Self::TonnePerHour => Dimension::MassFlow,
            Self::One => Dimension::Count,
            Self::Volt | Self::Ampere | Self::Hertz | Self::Celsius | Self::VoltAmpere => Dimension::Other,
            Self::MetrePerSecond | Self::Kilopascal | Self::Percent => Dimension::Other,
            Self::Degree | Self::PartsPerMillion | Self::MicrogramPerCubicMetre => Dimension::Other,
            Self::MilligramPerCubicMetre | Self::MilligramPerNormalCubicMetre => Dimension::Other,
            Self::NormalCubicMetrePerHour | Self::MilligramPerLitre => Dimension::Other,
            Self::Acidity | Self::PlatinumCobalt => Dimension::Other,
        }
    }

    /// Says whether a level of it, held over time, is an amount: of a rate as much of its base unit an hour, of a
    /// temperature degree hours.
    pub const fn is_integrated(self) -> bool {
        let is_rate = matches!(
            self.dimension(),
            Dimension::ActivePower | Dimension::ReactivePower | Dimension::Flow | Dimension::MassFlow
        );
        is_rate || matches!(self, Self::Celsius)
    }

    /// Returns the factor from this unit to the base unit of its dimension (kWh, kvarh, kW, kvar, m³, kg, m³/h,
    /// kg/h, 1).
    pub const fn base_factor(self) -> f64 {
        match self {
            Self::WattHour | Self::VarHour | Self::Watt | Self::Var | Self::Litre => 1e-3,
            Self::MegawattHour | Self::Megawatt | Self::Tonne | Self::TonnePerHour => 1e3,
            Self::LitrePerMinute => 0.06,
            Self::LitrePerSecond => 3.6,
            Self::Megajoule => 1.0 / 3.6,
            Self::Gigajoule => 1e3 / 3.6,
            _ => 1.0,
        }
    }
}

/// What an asset's parts are counted in, and what the values of a channel are in. Unlike units never merge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Default)]
pub enum ProductUnit {
    /// Pieces.
    #[default]
    #[serde(rename = "piece")]
    Piece,
    /// Kilograms.
    #[serde(rename = "kg")]
    Kilogram,
    /// Tonnes.
    #[serde(rename = "t")]
    Tonne,
    /// Metres.
    #[serde(rename = "m")]
    Metre,
    /// Square metres.
    #[serde(rename = "m2")]
    SquareMetre,
    /// Cubic metres.
    #[serde(rename = "m3")]
    CubicMetre,
    /// Litres.
    #[serde(rename = "L")]
    Litre,
    /// Of a stack: milligrams per cubic metre of dry gas at 25 °C and 101.325 kPa.
    #[serde(rename = "mg/Nm3")]
    MilligramPerNormalCubicMetre,
    /// Of an outfall: milligrams per litre.
    #[serde(rename = "mg/L")]
    MilligramPerLitre,
    /// Acidity.
    #[serde(rename = "pH")]
    Acidity,
    /// Colour on the platinum-cobalt scale.
    #[serde(rename = "Pt-Co")]
    PlatinumCobalt,
    /// Degrees Celsius.
    #[serde(rename = "Cel")]
    Celsius,
    /// Percent of volume.
    #[serde(rename = "%")]
    Percent,
    /// Kilopascals.
    #[serde(rename = "kPa")]
    Kilopascal,
    /// Cubic metres per hour.
    #[serde(rename = "m3/h")]
    CubicMetrePerHour,
    /// Cubic metres per hour of dry gas at 25 °C and 101.325 kPa.
    #[serde(rename = "Nm3/h")]
    NormalCubicMetrePerHour,
}

impl ProductUnit {
    /// Returns the name used in configuration and JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Piece => "piece",
            Self::Kilogram => "kg",
            Self::Tonne => "t",
            Self::Metre => "m",
            Self::SquareMetre => "m2",
            Self::CubicMetre => "m3",
            Self::Litre => "L",
            Self::MilligramPerNormalCubicMetre => "mg/Nm3",
            Self::MilligramPerLitre => "mg/L",
            Self::Acidity => "pH",
            Self::PlatinumCobalt => "Pt-Co",
            Self::Celsius => "Cel",
            Self::Percent => "%",
            Self::Kilopascal => "kPa",
            Self::CubicMetrePerHour => "m3/h",
            Self::NormalCubicMetrePerHour => "Nm3/h",
        }
    }

    /// Says whether parts can be counted in it; the others are the units of channels.
    pub const fn counts_parts(self) -> bool {
        matches!(
            self,
            Self::Piece
                | Self::Kilogram
                | Self::Tonne
                | Self::Metre
                | Self::SquareMetre
                | Self::CubicMetre
                | Self::Litre
        )
    }
}
