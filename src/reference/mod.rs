//! Dated reference data: what an authority can change is looked up here, or said to be missing.
//!
//! **In**: the files of `config/reference/`, built into the program. **Out**: emission factors by year, holidays by
//! date, each with its source and the digest of its file as immutable version. Nothing here chooses a neighbouring
//! year by itself, and nothing here reads a file or a clock. A data file is one entry in [`FILES`].

mod dated;
mod entry;
pub mod fuel;
mod grid;
pub mod gwp;
mod holiday;
pub mod limit;
pub mod tariff;
pub mod threshold;
pub mod toe;
mod written;

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use sha2::Digest as _;

pub use dated::Dated;
pub use entry::{EntryRow, EntryValue, Figure};
pub use fuel::Fuels;
pub use grid::GridFactor;
pub use gwp::Potentials;
pub use holiday::Holiday;
use tariff::Tariffs;
pub use threshold::Thresholds;
pub use toe::ToeFactors;

use crate::model::id::Digest;

/// The data files built into the program: name and text.
pub const FILES: &[(&str, &str)] = &[
    ("fuels.toml", include_str!("../../config/reference/fuels.toml")),
    ("fuels_ipcc_2006.toml", include_str!("../../config/reference/fuels_ipcc_2006.toml")),
    ("fuels_vn_2626.toml", include_str!("../../config/reference/fuels_vn_2626.toml")),
    ("gwp.toml", include_str!("../../config/reference/gwp.toml")),
    ("thresholds.toml", include_str!("../../config/reference/thresholds.toml")),
    ("toe.toml", include_str!("../../config/reference/toe.toml")),
    ("vn_grid_factors.toml", include_str!("../../config/reference/vn_grid_factors.toml")),
    ("vn_holidays.toml", include_str!("../../config/reference/vn_holidays.toml")),
    ("vn_limits.toml", include_str!("../../config/reference/vn_limits.toml")),
    ("vn_tariffs.toml", include_str!("../../config/reference/vn_tariffs.toml")),
];

/// How surely an entry is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Grade {
    /// Read in the announcement, the law, or a copy of it.
    Official,
    /// Read where others cite it, or worked out from it.
    Secondary,
    /// The source could not be found, or the year's notice decides.
    Unconfirmed,
}

impl Grade {
    /// Returns the name used in data files and JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Official => "official",
            Self::Secondary => "secondary",
            Self::Unconfirmed => "unconfirmed",
        }
    }
}

/// All reference data of one program or one configuration.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Reference {
    /// By year.
    grid_factors: BTreeMap<i16, GridFactor>,
    /// By year: what electricity emits that no contract has claimed.
    residual_mixes: BTreeMap<i16, GridFactor>,
    /// What greenhouse gases are worked out from; many share it.
    carbon: Arc<Carbon>,
    /// By name of the set, then by date.
    holidays: BTreeMap<String, BTreeMap<Date, Holiday>>,
    tariffs: Arc<Tariffs>,
    limits: limit::Limits,
}

/// What greenhouse gases are worked out from.
#[derive(Debug, Clone, PartialEq, Default)]
struct Carbon {
    fuels: Fuels,
    potentials: Potentials,
    toe: ToeFactors,
    thresholds: Thresholds,
}

/// A data file that can't be used. Shown to who maintains the data; nothing starts with half of it.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ReferenceError {
    /// It isn't TOML, or an entry has a wrong or missing key.
    #[error("reference file {file}, line {line}: {message}")]
    Form {
        /// Name of the file.
        file: String,
        /// Counted from 1.
        line: usize,
        /// What the parser says.
        message: String,
    },
    /// A factor that can't be one.
    #[error("reference file {file}: factor \"{id}\" is {value} {unit}, expected a positive number of {expected}")]
    Factor {
        /// Name of the file.
        file: String,
        /// Id of the entry.
        id: String,
        /// Its value.
        value: f64,
        /// Its unit.
        unit: String,
        /// The unit that is understood.
        expected: &'static str,
    },
    /// Two factors for one year.
    #[error("reference file {file}: \"{id}\" and \"{other}\" are both for {year}; a year has one factor")]
    Year {
        /// Name of the file.
        file: String,
        /// Id of the later entry.
        id: String,
        /// Id of the earlier entry.
        other: String,
        /// Their year.
        year: i16,
    },
    /// An entry that doesn't fit the others.
    #[error("reference file {file}: \"{id}\" {message}")]
    Entry {
        /// Name of the file.
        file: String,
        /// Id of the entry.
        id: String,
        /// What is wrong.
        message: String,
    },
    /// Two holidays on one date, or a day off for a holiday that the entry doesn't list.
    #[error("reference file {file}: holiday {date}: {message}")]
    Holiday {
        /// Name of the file.
        file: String,
        /// The date.
        date: Date,
        /// What is wrong.
        message: String,
    },
    /// A limit or a coefficient that can't be one.
    #[error("reference file {file}: limit \"{id}\": {message}")]
    Limit {
        /// Name of the file.
        file: String,
        /// Id of the entry.
        id: String,
        /// What is wrong.
        message: String,
    },
}

/// One data file: whichever kinds of entries it holds.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    /// Name of the set its holidays belong to.
    set: Option<String>,
    #[serde(default)]
    grid_factor: Vec<grid::Entry>,
    #[serde(default)]
    residual_mix: Vec<grid::Entry>,
    #[serde(default)]
    fuel: Vec<fuel::FuelEntry>,
    #[serde(default)]
    calorific_value: Vec<fuel::Calorific>,
    #[serde(default)]
    fuel_factor: Vec<fuel::Factor>,
    #[serde(default)]
    gwp: Vec<gwp::GasEntry>,
    #[serde(default)]
    blend: Vec<gwp::BlendEntry>,
    #[serde(default)]
    toe: Vec<toe::Entry>,
    #[serde(default)]
    threshold: Vec<threshold::Entry>,
    #[serde(default)]
    holiday: Vec<holiday::Entry>,
    #[serde(default)]
    tariff_schedule: Vec<tariff::ScheduleEntry>,
    #[serde(default)]
    tariff_price: Vec<tariff::PriceEntry>,
    #[serde(default)]
    power_factor_target: Vec<tariff::TargetEntry>,
    #[serde(default)]
    limit: Vec<limit::LimitEntry>,
    #[serde(default)]
    limit_coefficient: Vec<limit::CoefficientEntry>,
}

impl Reference {
    /// Returns the data built into the program.
    pub fn builtin() -> Self {
        // Reading thousands of lines for every plant would be the most expensive part of making one.
        static BUILTIN: LazyLock<Reference> =
            LazyLock::new(|| Reference::parse(FILES).expect("a test parses the files that are built in"));
        BUILTIN.clone()
    }

    /// Reads data files: name and text of each.
    ///
    /// # Errors
    /// The first [`ReferenceError`].
    pub fn parse(files: &[(&str, &str)]) -> Result<Self, ReferenceError> {
        let mut reference = Self::default();
        for (name, text) in files {
            let quoted = written::with_quoted_dates(text);
            let file: File = toml::from_str(&quoted).map_err(|error| ReferenceError::Form {
                file: (*name).to_owned(),
                line: error.span().map_or(1, |span| 1 + quoted[..span.start].matches('\n').count()),
                message: error.message().to_owned(),
            })?;
            let version = Digest(sha2::Sha256::digest(text).into());
            for entry in file.grid_factor {
                grid::insert(&mut reference.grid_factors, entry, name, version)?;
            }
            for entry in file.residual_mix {
                grid::insert(&mut reference.residual_mixes, entry, name, version)?;
            }
            let origin = dated::Origin { file: name, version };
            let carbon = Arc::make_mut(&mut reference.carbon);
            file.fuel.into_iter().try_for_each(|entry| carbon.fuels.insert_fuel(entry, origin))?;
            file.calorific_value.into_iter().try_for_each(|entry| carbon.fuels.insert_calorific(entry, origin))?;
            file.fuel_factor.into_iter().try_for_each(|entry| carbon.fuels.insert_factor(entry, origin))?;
            file.gwp.into_iter().try_for_each(|entry| carbon.potentials.insert_gas(entry, origin))?;
            file.blend.into_iter().try_for_each(|entry| carbon.potentials.insert_blend(entry, origin))?;
            file.toe.into_iter().try_for_each(|entry| carbon.toe.insert(entry, origin))?;
            file.threshold.into_iter().try_for_each(|entry| carbon.thresholds.insert(entry, origin))?;
            for entry in file.tariff_schedule {
                Arc::make_mut(&mut reference.tariffs).add_schedule(entry, name, version)?;
            }
            for entry in file.tariff_price {
                Arc::make_mut(&mut reference.tariffs).add_price(entry, name, version)?;
            }
            for entry in file.power_factor_target {
                Arc::make_mut(&mut reference.tariffs).add_target(entry, name, version)?;
            }
            for entry in file.limit {
                reference.limits.insert(entry, name, version)?;
            }
            for entry in file.limit_coefficient {
                reference.limits.insert_coefficient(entry, name, version)?;
            }
            let set = reference.holidays.entry(file.set.unwrap_or_default()).or_default();
            for entry in file.holiday {
                holiday::insert(set, entry, name, version)?;
            }
        }
        reference.holidays.retain(|_, days| !days.is_empty());
        Ok(reference)
    }

    /// Returns the grid factor published for `year`; `None` where none is.
    pub fn grid_factor(&self, year: i16) -> Option<GridFactor> {
        self.grid_factors.get(&year).cloned()
    }

    /// Returns the grid factor of the latest year before `year` that has one.
    pub fn latest_grid_factor(&self, year: i16) -> Option<GridFactor> {
        self.grid_factors.range(..year).next_back().map(|(_, factor)| factor.clone())
    }

    /// Says whether an entry is one that a figure takes by its year, not one that its facts hold already.
    pub fn is_chosen_by_year(&self, id: &str) -> bool {
        let grid = self.grid_factors.values().chain(self.residual_mixes.values()).any(|entry| entry.factor.id == id);
        grid || self.carbon.toe.is_of_electricity(id)
    }

    /// Returns the residual mix published for `year`; `None` where none is.
    pub fn residual_mix(&self, year: i16) -> Option<GridFactor> {
        self.residual_mixes.get(&year).cloned()
    }

    /// Returns the fuels with their calorific values and emission factors.
    pub fn fuels(&self) -> &Fuels {
        &self.carbon.fuels
    }

    /// Returns the global warming potentials.
    pub fn potentials(&self) -> &Potentials {
        &self.carbon.potentials
    }

    /// Returns the conversions to tonnes of oil equivalent.
    pub fn toe(&self) -> &ToeFactors {
        &self.carbon.toe
    }

    /// Returns the thresholds.
    pub fn thresholds(&self) -> &Thresholds {
        &self.carbon.thresholds
    }

    /// Returns every grid factor, ascending by year.
    pub fn grid_factors(&self) -> impl Iterator<Item = &GridFactor> {
        self.grid_factors.values()
    }

    /// Returns the electricity tariffs.
    pub fn tariffs(&self) -> &Tariffs {
        &self.tariffs
    }

    /// Returns the holidays of a set, by date; `None` for an unknown set.
    pub fn holidays(&self, set: &str) -> Option<&BTreeMap<Date, Holiday>> {
        self.holidays.get(set)
    }

    /// Returns the limits of pollutants.
    pub const fn limits(&self) -> &limit::Limits {
        &self.limits
    }

    /// Returns the names of the sets of holidays, ascending.
    pub fn holiday_sets(&self) -> impl Iterator<Item = &str> {
        self.holidays.keys().map(String::as_str)
    }
}

impl Reference {
    /// Returns every entry of every kind in one shape, kind by kind in the order of this list.
    pub fn entries(&self) -> Vec<EntryRow> {
        let grid = self.grid_factors.values().map(GridFactor::row);
        let holidays = self.holidays.iter().flat_map(|(set, days)| holiday::rows(set, days));
        let mixes = self.residual_mixes.values().map(GridFactor::row);
        let carbon = &self.carbon;
        let fuels = carbon.fuels.rows().chain(carbon.potentials.rows());
        let watched = carbon.toe.rows().chain(carbon.thresholds.rows());
        grid.chain(mixes)
            .chain(holidays)
            .chain(fuels)
            .chain(watched)
            .chain(self.tariffs.rows())
            .chain(self.limits.rows())
            .collect()
    }

    /// Returns the entry that a record names by id and version.
    pub fn entry(&self, id: &str, version: Digest) -> Option<EntryRow> {
        self.entries().into_iter().find(|entry| entry.id == id && entry.version == version)
    }
}

#[cfg(test)]
mod tests {
    use super::{FILES, Grade, Reference, ReferenceError};

    #[test]
    fn the_built_in_files_parse_and_none_is_left_out_of_the_list() {
        Reference::parse(FILES).unwrap();
        let mut on_disk: Vec<String> = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/config/reference"))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        on_disk.sort();
        let listed: Vec<&str> = FILES.iter().map(|(name, _)| *name).collect();
        assert_eq!(on_disk, listed);
    }

    #[test]
    fn a_date_may_stand_without_quotes() {
        let text = "[[grid_factor]]\nid = \"g\"\nyear = 2031\nvalue = 0.5\nunit = \"tCO2e/MWh\"\nsource = \"s\"\n\
                    published = 2032-03-01\ngrade = \"official\"\n";
        let reference = Reference::parse(&[("g.toml", text)]).unwrap();
        let factor = reference.grid_factor(2031).unwrap();
        assert_eq!(factor.published, Some(jiff::civil::date(2032, 3, 1)));
        let quoted = text.replace("2032-03-01", "\"2032-03-01\"");
        let other = Reference::parse(&[("g.toml", &quoted)]).unwrap();
        let other = other.grid_factor(2031).unwrap();
        assert_ne!(other.factor.version, factor.factor.version, "the version is that of the text as it was written");
        let error = Reference::parse(&[("g.toml", &text.replace("2032-03-01", "2032-13-01"))]).unwrap_err().to_string();
        assert!(error.contains("g.toml, line 7"), "{error}");
    }

    #[test]
    fn g8_a_year_has_its_own_published_factor_or_none() {
        let reference = Reference::builtin();
        for (year, tonnes_per_1000_mwh) in [(2023, Some(659.2)), (2022, Some(676.6)), (2024, None), (2013, None)] {
            let found = reference.grid_factor(year).map(|factor| (factor.tco2e_per_mwh * 1e6).round() / 1e3);
            assert_eq!(found, tonnes_per_1000_mwh, "{year}");
        }
    }

    #[test]
    fn the_latest_factor_is_older_than_the_year_and_names_its_own() {
        let reference = Reference::builtin();
        let latest = reference.latest_grid_factor(2026).unwrap();
        assert_eq!((latest.factor.id.as_str(), latest.factor.year), ("vn_grid_2023", 2023));
        assert_eq!(latest.grade, Grade::Secondary);
        assert_eq!(reference.latest_grid_factor(2023).unwrap().factor.year, 2022);
        assert_eq!(reference.latest_grid_factor(2014), None);
        assert_eq!(reference.grid_factors().count(), 10);
    }

    #[test]
    fn c1_holidays_and_the_days_they_are_observed_on() {
        let reference = Reference::builtin();
        let days = reference.holidays("vn").unwrap();
        let observed_for = |date: &str| {
            let day = days.get(&date.parse().unwrap());
            day.map(|day| day.observed_for.map(|holiday| holiday.to_string()).unwrap_or_default())
        };
        for (date, found) in [
            ("2026-02-17", Some("")),
            ("2026-04-27", Some("2026-04-26")),
            ("2026-11-24", Some("")),
            ("2025-11-24", None),
            ("2027-02-06", Some("")),
        ] {
            assert_eq!(observed_for(date).as_deref(), found, "{date}");
        }
        assert_eq!(reference.holidays("vnn"), None);
    }

    #[test]
    fn every_holiday_on_a_sunday_has_a_day_off_that_stands_for_it() {
        let reference = Reference::builtin();
        let days = reference.holidays("vn").unwrap();
        for date in days.keys().filter(|date| date.weekday() == jiff::civil::Weekday::Sunday) {
            assert!(days.values().any(|day| day.observed_for == Some(*date)), "{date}");
        }
    }

    #[test]
    fn a_file_that_cannot_be_used_says_what_and_where() {
        let entry = |id: &str, year: i16, value: f64, unit: &str| {
            format!(
                "[[grid_factor]]\nid = \"{id}\"\nyear = {year}\nvalue = {value}\nunit = \"{unit}\"\nsource = \"s\"\ngrade = \"official\"\n"
            )
        };
        let twice = entry("a", 2020, 0.5, "tCO2e/MWh") + &entry("b", 2020, 0.6, "tCO2e/MWh");
        let unit = entry("a", 2020, 500.0, "g/kWh");
        let observed = "set = \"x\"\n[[holiday]]\nname_vi = \"a\"\nname_en = \"a\"\ndates = [\"2026-01-01\"]\nobserved = { \"2026-01-03\" = \"2026-01-02\" }\nsource = \"s\"\ngrade = \"official\"\n";
        for (text, expected) in [
            (twice.as_str(), "\"b\" and \"a\" are both for 2020"),
            (unit.as_str(), "expected a positive number of tCO2e/MWh"),
            ("\n[[grid_factor]]\nidd = 1", "line 3"),
            (observed, "holiday 2026-01-03"),
        ] {
            let error: ReferenceError = Reference::parse(&[("f.toml", text)]).unwrap_err();
            let message = error.to_string();
            assert!(message.contains(expected) && message.contains("f.toml"), "{message}");
        }
    }
}
