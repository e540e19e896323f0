//! The profiles that come with the program.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::builtin::BUILTIN;
use super::identity::Identity;
use super::limits::Limits;
use super::register::{BitField, RegisterType, Sentinel, Table, WordOrder};
use crate::model::state::MachineState;
use crate::model::unit::Unit;

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
    /// The text of the standard that defines it.
    Standard,
}

impl Confidence {
    /// Returns the name used in profiles.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::TwoSources => "two_sources",
            Self::OneSource => "one_source",
            Self::SourcesConflict => "sources_conflict",
            Self::Standard => "standard",
        }
    }
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
    /// What must be looked at on the device before a value is relied on: a guess of the map, or a setting it depends
    /// on. The installer is warned.
    #[serde(default)]
    pub cautions: Vec<String>,
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
    #[serde(rename = "example", default)]
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

impl Register {
    /// Returns the first address that is read for the point and the one after the last, its scale factor included.
    pub fn extent(&self) -> (u32, u32) {
        let (address, words) = (u32::from(self.address), u32::from(self.register_type.words()));
        let factor = self.scale_factor.map(u32::from);
        let first = factor.map_or(address, |factor| factor.min(address));
        (first, factor.map_or(0, |factor| factor + 1).max(address + words))
    }
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

/// Profiles by name: those that come with the program, and files of a user's own by their path as written.
#[derive(Debug, Clone, Default)]
pub struct Library {
    profiles: BTreeMap<String, Profile>,
    /// The text of each file of a user's own.
    files: BTreeMap<String, String>,
    /// Why a file can't be used.
    refused: BTreeMap<String, String>,
}

impl Library {
    /// Returns the profiles that come with the program.
    pub fn builtin() -> Self {
        Self::parse(BUILTIN).expect("a test reads every built-in profile")
    }

    /// Reads profiles from (name, TOML text) pairs.
    ///
    /// # Errors
    /// [`ProfileError`] names the first profile that is malformed, contradicts itself or has not its file's name.
    pub fn parse(files: &[(&str, &str)]) -> Result<Self, ProfileError> {
        let mut library = Self::default();
        for (name, text) in files {
            let refused = |reason: String| ProfileError { name: (*name).to_owned(), reason };
            let profile = read(text).map_err(refused)?;
            if profile.name != *name {
                return Err(refused(format!("it calls itself \"{}\"", profile.name)));
            }
            library.profiles.insert(profile.name.clone(), profile);
        }
        Ok(library)
    }

    /// Adds a profile in place of one of its name.
    pub fn add(&mut self, profile: Profile) {
        self.profiles.insert(profile.name.clone(), profile);
    }

    /// Adds a file of the user's own under its path as written: its text, or why it couldn't be read. A file that
    /// can't be used is kept with the reason, which is shown where a source names it.
    pub fn add_file(&mut self, path: &str, text: Result<String, String>) {
        let read = text.and_then(|text| read(&text).map(|profile| (profile, text)));
        match read {
            Ok((profile, text)) => {
                self.profiles.insert(path.to_owned(), profile);
                self.files.insert(path.to_owned(), text);
            }
            Err(reason) => {
                self.refused.insert(path.to_owned(), reason);
            }
        }
    }

    /// Returns the profile of a name or path.
    pub fn get(&self, name: &str) -> Option<&Profile> {
        self.profiles.get(name)
    }

    /// Returns why the file of that path can't be used.
    pub fn refusal(&self, path: &str) -> Option<&str> {
        self.refused.get(path).map(String::as_str)
    }

    /// Returns every profile, by name.
    pub fn iter(&self) -> impl Iterator<Item = &Profile> {
        self.profiles.values()
    }

    /// Returns path and text of the files of the user's own, by path.
    pub fn files(&self) -> impl Iterator<Item = (&str, &str)> {
        self.files.iter().map(|(path, text)| (path.as_str(), text.as_str()))
    }
}

fn read(text: &str) -> Result<Profile, String> {
    let profile: Profile = toml::from_str(text).map_err(|error| error.to_string())?;
    match profile.faults().into_iter().next() {
        Some(fault) => Err(fault),
        None => Ok(profile),
    }
}

#[cfg(test)]
mod tests {
    use super::{BUILTIN, Confidence, Library};

    #[test]
    fn every_builtin_profile_is_well_formed_and_founded() {
        let library = Library::parse(BUILTIN).unwrap();
        assert_eq!(library.iter().count(), BUILTIN.len());
        let names: Vec<&str> = BUILTIN.iter().map(|(name, _)| *name).collect();
        assert!(names.is_sorted(), "a list that is sorted is easily read");
        for profile in library.iter() {
            let name = &profile.name;
            let sources = match profile.confidence {
                Confidence::OneSource => 1..=1,
                Confidence::TwoSources | Confidence::SourcesConflict => 2..=usize::MAX,
                Confidence::Standard => 1..=usize::MAX,
            };
            assert!(sources.contains(&profile.sources.len()), "{name}: {:?}", profile.confidence);
            assert_eq!(
                profile.conflicts.is_empty(),
                profile.confidence != Confidence::SourcesConflict,
                "{name}: a conflict is said, or there is none"
            );
            for register in &profile.registers {
                let worked = |e: &super::Example| e.point == register.point && e.value.is_some();
                assert!(profile.examples.iter().any(worked), "{name}: {} has no worked words", register.point);
            }
        }
    }

    #[test]
    fn every_file_of_the_folder_is_in_the_list() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("config/profiles");
        let mut files: Vec<String> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned())
            .collect();
        files.sort();
        assert_eq!(files, BUILTIN.iter().map(|(name, _)| (*name).to_owned()).collect::<Vec<_>>());
    }

    #[test]
    fn a_profile_that_contradicts_itself_is_refused() {
        let of = |register: &str, rest: &str| {
            let text = format!(
                "name = \"x\"\nvendor = \"\"\nmodel = \"\"\nconfidence = \"one_source\"\nsources = [\"a\"]\n{rest}
                register = [{{ point = \"p\", table = \"holding\", unit = \"1\", {register} }}]\nexample = []"
            );
            Library::parse(&[("x", &text)]).err().map(|error| error.to_string()).unwrap_or_default()
        };
        assert_eq!(of("address = 0, type = \"uint16\"", ""), "");
        let table = [
            ("address = 65535, type = \"uint32\"", "", "ends beyond"),
            ("address = 0, type = \"uint16\", scale = 0.0", "", "scale"),
            ("address = 0, type = \"uint32\", order = \"EFGHABCD\"", "", "can't arrive in the order"),
            ("address = 0, type = \"string\"", "", "a text is no number"),
            ("address = 0, type = \"uint16\", bits = \"8-16\"", "", "bits 8-16"),
            ("address = 0, type = \"uint16\", bits = \"8-9\", scale_factor = 1", "", "bits 8-9"),
            ("address = 0, type = \"int16\", scale_factor = 50", "limits = { max_words = 50 }", "51 registers"),
            ("address = 0, type = \"uint16\", kind = \"state\"", "", "states"),
            ("address = 0, type = \"uint16\", states = { a = \"idle\" }, kind = \"state\"", "", "states"),
            ("address = 30, type = \"uint32\"", "limits = { forbidden = [\"holding 31-48\"] }", "holding 31-48"),
            ("address = 0, type = \"uint16\"", "limits = { max_words = 126 }", "max_words"),
            ("address = 0, type = \"uint16\", max_per_second = 0.0", "", "max_per_second"),
            ("address = 0, type = \"uint16\"", "rated = { voltage_v = 230, current_a = 0.0, phases = 3 }", "rated"),
            (
                "address = 0, type = \"uint16\"",
                "identity = { register = [{ table = \"input\", address = 1, text = \"A\" }] }",
                "identity",
            ),
        ];
        for (register, rest, message) in table {
            let found = of(register, rest);
            assert!(found.contains(message), "{register} {rest}: {found}");
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
