//! Declared inputs: quantities that nobody measures and somebody answers for, such as fuel bills, refrigerant top-ups,
//! waste and electricity bills.
//!
//! A declaration counts only once a second person has approved it, and what it adds to a figure is marked declared,
//! never measured. Who entered and who approved it stays in the store of the box.

use std::borrow::Cow;

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

impl WasteStream {
    /// Every stream.
    pub const ALL: [Self; 4] = [Self::Recycled, Self::Hazardous, Self::Landfilled, Self::Other];

    /// Returns the name used in JSON, CSV and lists.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Recycled => "recycled",
            Self::Hazardous => "hazardous",
            Self::Landfilled => "landfilled",
            Self::Other => "other",
        }
    }

    /// Returns the stream of a name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|stream| stream.as_str() == name)
    }
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

impl DeclaredKind {
    /// Returns what this kind has beside the fields of every declaration, by the names of the form.
    pub fn details(&self) -> Vec<(&'static str, Cow<'_, str>)> {
        match self {
            Self::Fuel { fuel, combustion } => {
                vec![("fuel", fuel.as_str().into()), ("combustion", combustion.as_str().into())]
            }
            Self::Refrigerant { gas } => vec![("gas", gas.as_str().into())],
            Self::Process { input, factor } => {
                vec![("input", input.as_str().into()), ("factor", factor.as_str().into())]
            }
            Self::Steam { factor } => vec![("factor", factor.as_str().into())],
            Self::Contract { factor_micro, instrument } => {
                vec![("kg_per_kwh", decimal(*factor_micro).into()), ("instrument", instrument.as_str().into())]
            }
            Self::Waste { stream } => vec![("stream", stream.as_str().into())],
            Self::ElectricityBill(bill) => bill.details(),
        }
    }
}

impl Bill {
    fn details(&self) -> Vec<(&'static str, Cow<'static, str>)> {
        let amounts = [
            ("peak_kwh", self.peak_micro_kwh),
            ("normal_kwh", self.normal_micro_kwh),
            ("off_peak_kwh", self.off_peak_micro_kwh),
            ("reactive_kvarh", self.reactive_micro_kvarh),
        ];
        let amounts = amounts.into_iter().filter_map(|(field, micro)| Some((field, Cow::Owned(decimal(micro?)))));
        let charged = self.amount_vnd.map(|amount| ("amount_vnd", Cow::Owned(amount.to_string())));
        amounts.chain(charged).collect()
    }
}

impl Combustion {
    /// Returns the name used in JSON, CSV and lists.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Stationary => "stationary",
            Self::Mobile => "mobile",
        }
    }
}

/// Returns an amount of 10⁻⁶ as a decimal number, without zeros at its end.
pub fn decimal(micro: i64) -> String {
    let (whole, rest) = (micro / 1_000_000, (micro % 1_000_000).unsigned_abs());
    let sign = if micro < 0 && whole == 0 { "-" } else { "" };
    let text = format!("{sign}{whole}.{rest:06}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::decimal;

    #[test]
    fn an_amount_of_millionths_is_written_without_needless_zeros() {
        for (micro, text) in
            [(0, "0"), (1, "0.000001"), (12_500_000, "12.5"), (1_000_000_000, "1000"), (-500_000, "-0.5")]
        {
            assert_eq!(decimal(micro), text);
        }
    }
}
