//! The profiles that come with the program.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::identity::Identity;
use super::limits::Limits;
use super::register::{BitField, RegisterType, Sentinel, Table, WordOrder};
use crate::model::state::MachineState;
use crate::model::unit::Unit;

/// Every built-in profile, by name. A new device is one file in `config/profiles/` and one line here.
pub const BUILTIN: &[(&str, &str)] = &[
    ("abb_b23", include_str!("../../config/profiles/abb_b23.toml")),
    ("carlo_gavazzi_em340", include_str!("../../config/profiles/carlo_gavazzi_em340.toml")),
    ("eastron_sdm630", include_str!("../../config/profiles/eastron_sdm630.toml")),
    ("lovato_dmg610", include_str!("../../config/profiles/lovato_dmg610.toml")),
    ("schneider_iem3000", include_str!("../../config/profiles/schneider_iem3000.toml")),
    ("siemens_pac2200", include_str!("../../config/profiles/siemens_pac2200.toml")),
];

/// How well a profile is founded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Confidence {
    /// Two independent sources agree.
    TwoSources,
    /// One source only: compare a value with the device's display before relying on it.
    OneSource,
    /// Sources disagree; the profile says where, and the installer is warned.
    SourcesConflict,
}

/// What a register's values are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProfileKind {
    /// A level at an instant.
    Gauge,
    /// A total that grows.
    Counter,
    /// What a machine does.
    State,
}

/// A device type.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// Name in configuration; the file's name.
    pub name: String,
    /// Who makes it.
    pub vendor: String,
    /// Its type, as printed on it.
    pub model: String,
    /// How well the map is founded.
    pub confidence: Confidence,
    /// Where each register was taken from.
    pub sources: Vec<String>,
    /// What is known to be odd about the device.
    #[serde(default)]
    pub quirks: Vec<String>,
    /// Where sources disagree, for the installer to check.
    #[serde(default)]
    pub conflicts: Vec<String>,
    /// What the device can bear.
    #[serde(default)]
    pub limits: Limits,
    /// How it is recognised.
    #[serde(default)]
    pub identity: Identity,
    /// Number of the SunSpec model that the addresses belong to. They then count from the model's id register, which
    /// the source's `model_address` places.
    #[serde(default)]
    pub sunspec_model: Option<u16>,
    /// What the device is rated for, where its map or type name says so.
    #[serde(default)]
    pub rated: Option<Rated>,
    /// Its points, in the order of the file.
    #[serde(rename = "register")]
    pub registers: Vec<Register>,
    /// Words with the value they stand for; a test decodes them.
    #[serde(rename = "example")]
    pub examples: Vec<Example>,
}

/// What a device is built for: no reading can lie beyond it.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rated {
    /// Between a phase and neutral. **Unit**: V.
    pub voltage_v: f64,
    /// Largest per phase. **Unit**: A.
    pub current_a: f64,
    /// Number of phases.
    pub phases: u8,
}

/// One point of a device type.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Register {
    /// Name of the point: the last segment of its tag.
    pub point: String,
    /// Address on the wire, from 0.
    pub address: u16,
    /// Which table.
    pub table: Table,
    /// How its words are read.
    #[serde(rename = "type")]
    pub register_type: RegisterType,
    /// In which order they arrive.
    #[serde(default = "abcd")]
    pub order: WordOrder,
    /// value = raw × scale, in `unit`.
    #[serde(default = "one")]
    pub scale: f64,
    /// Unit of the value.
    pub unit: Unit,
    /// Added after scaling, in `unit`.
    #[serde(default)]
    pub offset: f64,
    /// Address of the int16 register whose power of ten scales the value besides `scale`; in the same table.
    #[serde(default)]
    pub scale_factor: Option<u16>,
    /// The bits that are the value, where not all are.
    #[serde(default)]
    pub bits: Option<BitField>,
    /// What the values are.
    #[serde(default = "gauge")]
    pub kind: ProfileKind,
    /// Raw number → what the machine does, of a state.
    #[serde(default)]
    pub states: BTreeMap<String, MachineState>,
    /// Value at which a counter starts again at 0, in `unit`; by the width of its type where none is given.
    #[serde(default)]
    pub modulus: Option<f64>,
    /// Marks for "no value".
    #[serde(default)]
    pub sentinels: Vec<Sentinel>,
    /// Largest growth per second of a counter that the device can show, in `unit`.
    #[serde(default)]
    pub max_per_second: Option<f64>,
}

const fn abcd() -> WordOrder {
    WordOrder::Abcd
}

const fn one() -> f64 {
    1.0
}

const fn gauge() -> ProfileKind {
    ProfileKind::Gauge
}

impl Rated {
    /// Returns the largest growth per second of an energy counter. **Unit**: kWh or kvarh.
    ///
    /// **Limits**: a reading a little above the ratings is still the device's own, so a fifth is added.
    pub fn energy_per_second(self) -> f64 {
        self.voltage_v * self.current_a * f64::from(self.phases) * 1.2 / 3.6e6
    }
}

/// Words as they travel, and what they mean.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Example {
    /// Which point.
    pub point: String,
    /// Registers in the order of their addresses; with a scale factor all from the one to the other.
    pub words: Vec<u16>,
    /// The value they stand for, for a state its raw number; none where they mean "no value".
    pub value: Option<f64>,
    /// Where the words come from: a manual's page, a recording, or `constructed` from the register's description.
    pub origin: String,
}

/// A built-in profile that can't be read: a fault of the program.
#[derive(Debug, thiserror::Error)]
#[error("profile {name}: {reason}")]
pub struct ProfileError {
    name: String,
    reason: String,
}

/// Profiles by name.
#[derive(Debug, Clone, Default)]
pub struct Library(BTreeMap<String, Profile>);

impl Library {
    /// Returns the profiles that come with the program.
    pub fn builtin() -> Self {
        Self::parse(BUILTIN).expect("a test reads every built-in profile")
    }

    /// Reads profiles from (name, TOML text) pairs.
    ///
    /// # Errors
    /// [`ProfileError`] names the first profile that is malformed or whose name is not its file's.
    pub fn parse(files: &[(&str, &str)]) -> Result<Self, ProfileError> {
        let mut profiles = BTreeMap::new();
        for (name, text) in files {
            let refused = |reason: String| ProfileError { name: (*name).to_owned(), reason };
            let profile: Profile = toml::from_str(text).map_err(|error| refused(error.to_string()))?;
            if profile.name != *name {
                return Err(refused(format!("it calls itself \"{}\"", profile.name)));
            }
            profiles.insert(profile.name.clone(), profile);
        }
        Ok(Self(profiles))
    }

    /// Returns the profile of a name.
    pub fn get(&self, name: &str) -> Option<&Profile> {
        self.0.get(name)
    }

    /// Returns every profile, by name.
    pub fn iter(&self) -> impl Iterator<Item = &Profile> {
        self.0.values()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{BUILTIN, Confidence, Library};

    #[test]
    fn every_builtin_profile_is_well_formed_and_founded() {
        let library = Library::parse(BUILTIN).unwrap();
        assert_eq!(library.iter().count(), BUILTIN.len());
        for profile in library.iter() {
            let name = &profile.name;
            let points: BTreeSet<&str> = profile.registers.iter().map(|register| register.point.as_str()).collect();
            assert_eq!(points.len(), profile.registers.len(), "{name}: a point stands twice");
            assert!(!profile.sources.is_empty(), "{name}: no source");
            assert_eq!(profile.sources.len() > 1, profile.confidence != Confidence::OneSource, "{name}: confidence");
            assert_eq!(
                profile.conflicts.is_empty(),
                profile.confidence != Confidence::SourcesConflict,
                "{name}: a conflict is said, or there is none"
            );
            assert!((4..=125).contains(&profile.limits.max_words), "{name}: max_words");
            for register in &profile.registers {
                let end = u32::from(register.address) + u32::from(register.register_type.words());
                assert!(end <= 65_536 && register.scale.is_finite() && register.scale != 0.0, "{name}: {register:?}");
                assert!(
                    profile.examples.iter().any(|e| e.point == register.point && e.value.is_some()),
                    "{name}: {} has no worked words",
                    register.point
                );
            }
            let known = |example: &super::Example| points.contains(example.point.as_str());
            assert!(profile.examples.iter().all(known), "{name}: an example of no point");
        }
    }

    #[test]
    fn a_profile_under_a_wrong_name_or_with_an_unknown_key_is_refused() {
        let (_, text) = BUILTIN[0];
        assert!(Library::parse(&[("other", text)]).unwrap_err().to_string().contains("it calls itself"));
        let misspelt = text.replacen("scale =", "scal =", 1);
        assert!(Library::parse(&[(BUILTIN[0].0, &misspelt)]).unwrap_err().to_string().contains("scal"));
    }
}
