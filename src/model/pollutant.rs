//! What stacks and outfalls are monitored for.

use serde::{Deserialize, Serialize};

use super::unit::ProductUnit;

macro_rules! parameters {
    ($($(#[$doc:meta])* $name:ident = $id:literal, $symbol:literal, $unit:ident, $molar:expr;)*) => {
        /// One monitored parameter.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum Parameter {
            $($(#[$doc])* #[serde(rename = $id)] $name,)*
        }

        impl Parameter {
            /// Every parameter.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// Returns the name used in configuration, JSON and data files.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $id,)* }
            }

            /// Returns the symbol under which it is transmitted. **Source**: Circular 10/2021/TT-BTNMT, Appendix 15;
            /// where that names none, the usual one.
            pub const fn symbol(self) -> &'static str {
                match self { $(Self::$name => $symbol,)* }
            }

            /// Returns the unit that its means and limits are in.
            pub const fn unit(self) -> ProductUnit {
                match self { $(Self::$name => ProductUnit::$unit,)* }
            }

            /// Returns the molar mass by which a share of volume becomes a mass; `None` where it is no one gas.
            /// **Unit**: mg/mol, so that it is a whole number.
            pub const fn molar_mass_mg(self) -> Option<i64> {
                match self { $(Self::$name => $molar,)* }
            }
        }
    };
}

parameters! {
    /// Flow of wastewater or of stack gas.
    Flow = "flow", "Flow", CubicMetrePerHour, None;
    /// Temperature.
    Temperature = "temperature", "Temp", Celsius, None;
    /// Colour.
    Colour = "colour", "Color", PlatinumCobalt, None;
    /// Acidity.
    Ph = "ph", "pH", Acidity, None;
    /// Total suspended solids.
    Tss = "tss", "TSS", MilligramPerLitre, None;
    /// Chemical oxygen demand.
    Cod = "cod", "COD", MilligramPerLitre, None;
    /// Biochemical oxygen demand over five days.
    Bod5 = "bod5", "BOD5", MilligramPerLitre, None;
    /// Total organic carbon.
    Toc = "toc", "TOC", MilligramPerLitre, None;
    /// Ammonium, as nitrogen.
    Ammonium = "nh4", "NH4", MilligramPerLitre, None;
    /// Total nitrogen.
    TotalNitrogen = "tn", "TN", MilligramPerLitre, None;
    /// Total phosphorus.
    TotalPhosphorus = "tp", "TP", MilligramPerLitre, None;
    /// Residual chlorine.
    Chlorine = "cl", "Cl", MilligramPerLitre, None;
    /// Total dust.
    Dust = "pm", "PM", MilligramPerNormalCubicMetre, None;
    /// Sulphur dioxide.
    SulphurDioxide = "so2", "SO2", MilligramPerNormalCubicMetre, Some(64_064);
    /// Oxides of nitrogen, as nitrogen dioxide.
    NitrogenOxides = "nox", "NOx", MilligramPerNormalCubicMetre, Some(46_006);
    /// Nitrogen monoxide.
    NitrogenMonoxide = "no", "NO", MilligramPerNormalCubicMetre, Some(30_006);
    /// Nitrogen dioxide.
    NitrogenDioxide = "no2", "NO2", MilligramPerNormalCubicMetre, Some(46_006);
    /// Carbon monoxide.
    CarbonMonoxide = "co", "CO", MilligramPerNormalCubicMetre, Some(28_010);
    /// Hydrogen sulphide.
    HydrogenSulphide = "h2s", "H2S", MilligramPerNormalCubicMetre, Some(34_081);
    /// Ammonia.
    Ammonia = "nh3", "NH3", MilligramPerNormalCubicMetre, Some(17_031);
    /// Hydrogen chloride.
    HydrogenChloride = "hcl", "HCl", MilligramPerNormalCubicMetre, Some(36_461);
    /// Hydrogen fluoride.
    HydrogenFluoride = "hf", "HF", MilligramPerNormalCubicMetre, Some(20_006);
    /// Mercury vapour.
    Mercury = "hg", "VHg", MilligramPerNormalCubicMetre, Some(200_592);
    /// Oxygen.
    Oxygen = "o2", "O2", Percent, None;
    /// Pressure.
    Pressure = "pressure", "P", Kilopascal, None;
}

impl Parameter {
    /// Returns the parameter of a name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|parameter| parameter.as_str() == name)
    }

    /// Says whether it is a concentration that a flow carries away: only then is there a load.
    pub const fn is_carried(self) -> bool {
        matches!(self.unit(), ProductUnit::MilligramPerLitre | ProductUnit::MilligramPerNormalCubicMetre)
    }
}

/// Whether a station's devices measured, at the end of a cycle. Order: from best to worst.
///
/// **Source**: Circular 10/2021/TT-BTNMT: `00` measuring, `01` calibrating, `02` device error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum DeviceStatus {
    /// Measuring.
    #[serde(rename = "00")]
    Measuring,
    /// Being calibrated.
    #[serde(rename = "01")]
    Calibrating,
    /// At fault, or silent.
    #[serde(rename = "02")]
    Fault,
}

impl DeviceStatus {
    /// Returns the code that is transmitted.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Measuring => "00",
            Self::Calibrating => "01",
            Self::Fault => "02",
        }
    }

    /// Returns the status of a cycle: the worst that was present; where nothing was, a fault.
    pub fn of_cycle(present: impl IntoIterator<Item = Self>) -> Self {
        present.into_iter().max().unwrap_or(Self::Fault)
    }
}

#[cfg(test)]
mod tests {
    use super::{DeviceStatus, Parameter};

    #[test]
    fn f2_the_worst_status_present_counts_and_none_at_all_is_a_fault() {
        use DeviceStatus::{Calibrating, Fault, Measuring};
        let cycle = |present: &[DeviceStatus]| DeviceStatus::of_cycle(present.iter().copied()).code();
        assert_eq!(cycle(&[Measuring, Measuring, Calibrating]), "01");
        assert_eq!(cycle(&[Measuring, Fault, Calibrating]), "02");
        assert_eq!(cycle(&[]), "02");
        assert_eq!(cycle(&[Measuring]), "00");
    }

    #[test]
    fn every_parameter_is_found_by_its_name_and_only_gases_have_a_molar_mass() {
        for parameter in Parameter::ALL {
            assert_eq!(Parameter::from_name(parameter.as_str()), Some(*parameter));
            assert!(parameter.molar_mass_mg().is_none() || parameter.is_carried(), "{}", parameter.as_str());
        }
    }
}
