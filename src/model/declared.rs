//! Declared inputs: quantities that nobody measures and somebody answers for, such as fuel bills, refrigerant top-ups,
//! waste and electricity bills.
//!
//! A declaration counts only once a second person has approved it, and what it adds to a figure is marked declared,
//! never measured. Who entered and who approved it stays in the store of the box.

use serde::{Deserialize, Serialize};

use super::id::AssetId;
use super::time::Window;

/// A quantity that was declared for a period.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Declared {
    /// What it is.
    pub kind: DeclaredKind,
    /// The asset it is declared for.
    pub asset: AssetId,
    /// The time in which it was used, produced or delivered: to it the quantity is allocated, evenly.
    pub period: Window,
    /// How much. **Unit**: 10⁻⁶ of [`Declared::unit`].
    pub quantity_micro: i64,
    /// What the quantity is counted in; one of [`DeclaredKind::units`].
    pub unit: DeclaredUnit,
    /// The paper it rests on, such as an invoice's number. Free text that stays on the box.
    pub document: String,
    /// The declaration in whose place this one stands from its approval on.
    pub replaces: Option<i64>,
}

/// What is declared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeclaredKind {
    /// Burnt fuel, by mass, volume or energy.
    Fuel {
        /// Id of the fuel in the reference data, like `diesel`.
        fuel: String,
        /// Where it was burnt.
        combustion: Combustion,
    },
    /// Refrigerant topped up: what had leaked.
    Refrigerant {
        /// Gas or blend, like `hfc_134a` or `r_410a`.
        gas: String,
    },
    /// Input of a process that emits by itself.
    Process {
        /// What goes in, like `limestone`.
        input: String,
        /// Id of the factor by which it emits.
        factor: String,
    },
    /// Purchased steam or heat.
    Steam {
        /// Id of the supplier's factor.
        factor: String,
    },
    /// Grid electricity that a contract covers, for the market-based method.
    Contract {
        /// What the contract emits. **Unit**: 10⁻⁶ kg CO₂e per kWh, the same as 10⁻⁶ t per MWh.
        factor_micro: i64,
        /// Contract or certificate, like `i_rec` or `dppa`.
        instrument: String,
    },
    /// Waste that left the site.
    Waste {
        /// Where it went.
        stream: WasteStream,
    },
    /// A bill of the electricity supplier. It is compared with the measurement and adds to no figure.
    ElectricityBill(Bill),
}

/// What an electricity bill says beside its total.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Bill {
    /// **Unit**: 10⁻⁶ kWh.
    pub peak_micro_kwh: Option<i64>,
    /// **Unit**: 10⁻⁶ kWh.
    pub normal_micro_kwh: Option<i64>,
    /// **Unit**: 10⁻⁶ kWh.
    pub off_peak_micro_kwh: Option<i64>,
    /// **Unit**: 10⁻⁶ kvarh.
    pub reactive_micro_kvarh: Option<i64>,
    /// What was charged, before VAT. **Unit**: VND.
    pub amount_vnd: Option<i64>,
}

/// Where a fuel is burnt: the factors for CH₄ and N₂O differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Combustion {
    /// In boilers, furnaces, generators.
    Stationary,
    /// In vehicles.
    Mobile,
}

/// Where waste went. Each load is declared once, in the one stream that fits it best.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WasteStream {
    /// Recycled or used again, by whomever.
    Recycled,
    /// Hazardous, handed to a licensed handler.
    Hazardous,
    /// Put into a landfill.
    Landfilled,
    /// Anything else: incinerated, stored, composted.
    Other,
}

/// What a declared quantity is counted in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum DeclaredUnit {
    /// Mass.
    #[serde(rename = "kg")]
    Kilogram,
    /// Mass, 1,000 kg.
    #[serde(rename = "t")]
    Tonne,
    /// Volume.
    #[serde(rename = "L")]
    Litre,
    /// Volume, 1,000 L.
    #[serde(rename = "m3")]
    CubicMetre,
    /// Energy, 3.6 MJ.
    #[serde(rename = "kWh")]
    KilowattHour,
    /// Energy, 3.6 GJ.
    #[serde(rename = "MWh")]
    MegawattHour,
    /// Energy.
    #[serde(rename = "MJ")]
    Megajoule,
    /// Energy.
    #[serde(rename = "GJ")]
    Gigajoule,
}

impl DeclaredUnit {
    /// Every unit.
    pub const ALL: [Self; 8] = [
        Self::Kilogram,
        Self::Tonne,
        Self::Litre,
        Self::CubicMetre,
        Self::KilowattHour,
        Self::MegawattHour,
        Self::Megajoule,
        Self::Gigajoule,
    ];

    /// Returns the UCUM-like name used in JSON, CSV and lists.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Kilogram => "kg",
            Self::Tonne => "t",
            Self::Litre => "L",
            Self::CubicMetre => "m3",
            Self::KilowattHour => "kWh",
            Self::MegawattHour => "MWh",
            Self::Megajoule => "MJ",
            Self::Gigajoule => "GJ",
        }
    }

    /// Returns the unit of a name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|unit| unit.as_str() == name)
    }
}

impl DeclaredKind {
    /// Returns the name used in JSON, CSV and lists.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Fuel { .. } => "fuel",
            Self::Refrigerant { .. } => "refrigerant",
            Self::Process { .. } => "process",
            Self::Steam { .. } => "steam",
            Self::Contract { .. } => "contract",
            Self::Waste { .. } => "waste",
            Self::ElectricityBill(_) => "electricity_bill",
        }
    }

    /// Returns the units in which such a quantity can be declared.
    pub const fn units(&self) -> &'static [DeclaredUnit] {
        use DeclaredUnit::{CubicMetre, Gigajoule, Kilogram, KilowattHour, Litre, Megajoule, MegawattHour, Tonne};
        match self {
            Self::Fuel { .. } | Self::Process { .. } => {
                &[Kilogram, Tonne, Litre, CubicMetre, Megajoule, Gigajoule, KilowattHour, MegawattHour]
            }
            Self::Refrigerant { .. } | Self::Waste { .. } => &[Kilogram, Tonne],
            Self::Steam { .. } => &[Tonne, Gigajoule],
            Self::Contract { .. } | Self::ElectricityBill(_) => &[KilowattHour, MegawattHour],
        }
    }
}
