//! What a configuration says of assets, calendars, records and factors. One file a section, the assets here.
//!
//! **In**: the tables `[[asset]]`, `[calendar]`, `[records]` and `[factors]`. **Out**: typed values that know their
//! place in the file. Whether a named tag, parent or holiday set exists is for `config` to say: it sees them all.

pub mod baseline;
pub mod calendar;
pub mod channel;
pub mod context;
pub mod emission;
pub mod meter;
pub mod tariff;

use jiff::civil::Date;
use serde::Deserialize;
use serde_spanned::Spanned;

use meter::BoundaryConfig;

use super::kpi::grid::MissingFactor;
use super::medium::Medium;
use crate::model::context::ContextKind;
use crate::model::id::{AssetId, TagName};
use crate::model::record::Level;
use crate::model::time::{Grain, Period};
use crate::model::unit::ProductUnit;
use crate::reference::gwp::GwpSet;

/// One `[[asset]]`: what KPIs are about, and which tags measure it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AssetConfig {
    /// Flat and immutable; the key of its figures together with the site.
    pub id: Spanned<AssetId>,
    /// The asset it stands in; without one it stands in the site.
    pub parent: Option<Spanned<AssetId>>,
    /// Place in the hierarchy; without it the place in the tree decides.
    pub level: Option<Spanned<Level>>,
    /// Name shown to people; without it the id.
    pub name: Option<String>,
    /// The `[[work_calendar]]` of it and of what stands in it; without one that of its parent, in the end the site's.
    pub calendar: Option<Spanned<String>>,
    /// State tag of the machine.
    pub state: Option<Spanned<TagName>>,
    /// Counter of produced parts, good or not.
    pub total: Option<Spanned<TagName>>,
    /// Counter of good parts.
    pub good: Option<Spanned<TagName>>,
    /// Counter of scrapped parts.
    pub scrap: Option<Spanned<TagName>>,
    /// Counter of reworked parts.
    pub rework: Option<Spanned<TagName>>,
    /// Planned run time per unit (PRU). **Source**: ISO 22400-2.
    pub planned_run_time_per_unit: Option<Spanned<Period>>,
    /// What its parts are counted in.
    #[serde(default)]
    pub product_unit: ProductUnit,
    /// What it is told of its production.
    #[serde(default)]
    pub takes_context: Vec<Spanned<ContextKind>>,
    /// Counter of what enters the first operation of its chain. **Source**: ISO 22400-2, fall-off ratio.
    pub first_operation: Option<Spanned<TagName>>,
    /// Rated output in the product unit. **Source**: ISO 22400-2, EPC.
    pub capacity_per_hour: Option<Spanned<f64>>,
    /// The machine below it at which its parts are counted.
    pub exit: Option<Spanned<AssetId>>,
    /// The meters through which its energy comes in and goes out.
    pub boundary: Option<BoundaryConfig>,
    /// What it sums from its children where it has no input of its own. Off unless named here.
    #[serde(default)]
    pub sum_children: Vec<Spanned<Summed>>,
}

/// What an asset may sum from its children.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Summed {
    /// Electricity and reactive energy.
    Electricity,
    /// Fuel gas.
    Gas,
    /// Water.
    Water,
    /// Steam.
    Steam,
    /// Wastewater.
    Wastewater,
    /// Produced, good, scrapped and reworked parts.
    Parts,
}

impl Summed {
    /// Returns the medium; `None` for parts.
    pub const fn medium(self) -> Option<Medium> {
        match self {
            Self::Electricity => Some(Medium::Electricity),
            Self::Gas => Some(Medium::Gas),
            Self::Water => Some(Medium::Water),
            Self::Steam => Some(Medium::Steam),
            Self::Wastewater => Some(Medium::Wastewater),
            Self::Parts => None,
        }
    }
}

/// `[records]`: the windows that are closed and logged.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecordsConfig {
    /// Without it hour, shift, day and month. The grain of each share is added.
    pub grains: Option<Vec<Spanned<Grain>>>,
}

/// `[factors]`: which factor counts where the year's own isn't published.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FactorsConfig {
    /// The grid's emission factor.
    #[serde(default)]
    pub grid_factor: FactorChoice,
    /// Declared factors of processes and steam that have ended.
    #[serde(default)]
    pub emission_factor: FactorChoice,
    /// The set of global warming potentials of every reporting year.
    #[serde(default)]
    pub gwp: GwpSet,
    /// Other sets from a later reporting year on.
    #[serde(default)]
    pub gwp_changes: Vec<GwpChange>,
    /// Data files beside those that come with the program, such as a factor that was published since. Their paths count
    /// from the folder of the configuration.
    #[serde(default)]
    pub files: Vec<Spanned<String>>,
}

/// Another set of warming potentials from a day on.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GwpChange {
    /// The set.
    pub set: GwpSet,
    /// The first day of a reporting year.
    pub valid_from: Spanned<Date>,
}

/// How one factor is chosen.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FactorChoice {
    /// What counts where no factor is published for the year.
    #[serde(default)]
    pub missing: MissingFactor,
}
