//! `[[emission]]` and `[[contract]]`: sources of greenhouse gases, and contracts that cover electricity.

use jiff::civil::Date;
use serde::Deserialize;
use serde_spanned::Spanned;

use crate::engine::carbon::emission::Category;
use crate::model::id::{AssetId, EmissionId, TagName};
use crate::reference::fuel::{Gas, List, Sector};

/// One `[[emission]]`: what emits.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EmissionConfig {
    /// Its id; declared inputs of processes and steam name it.
    pub id: Spanned<EmissionId>,
    /// The asset it stands at; without one the site.
    pub asset: Option<Spanned<AssetId>>,
    /// What kind of emission it makes; without it `stationary` for a fuel and `fugitive` for a refrigerant.
    pub category: Option<Category>,
    /// The fuel, like `natural_gas`; of steam the one that the supplier burns.
    pub fuel: Option<Spanned<String>>,
    /// The column of the lists of factors; without it `road` for a mobile source, else `manufacturing`.
    pub sector: Option<Sector>,
    /// Only this list of factors.
    pub list: Option<List>,
    /// What measures it: a tag of volume, mass or energy. Without one it is declared only.
    pub quantity: Option<Spanned<TagName>>,
    /// The site's density of the fuel.
    pub density: Option<Spanned<SourcedConfig>>,
    /// The site's net calorific value; without it the list's.
    pub calorific_value: Option<Spanned<SourcedConfig>>,
    /// Gas or blend that leaks, like `r_410a`.
    pub refrigerant: Option<Spanned<String>>,
    /// How purchased steam is raised.
    pub steam: Option<Spanned<SteamConfig>>,
    /// Approved factors of the facility, and declared ones of processes and steam.
    #[serde(default)]
    pub factor: Vec<Spanned<FactorConfig>>,
}

/// A value with where it comes from.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SourcedConfig {
    /// Its value.
    pub value: f64,
    /// Its unit.
    pub unit: Spanned<String>,
    /// Where it comes from: a supplier's certificate, a laboratory's report.
    pub source: String,
}

/// How purchased steam is raised. **Source**: Circular 38/2023/TT-BCT, Appendix II.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SteamConfig {
    /// **Unit**: kJ/kg.
    pub enthalpy_kj_per_kg: f64,
    /// Of the supplier's boiler, 0 to 1.
    pub efficiency: f64,
    /// Where both come from.
    pub source: String,
}

/// A factor of the facility's own.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FactorConfig {
    /// The gas of a fuel's factor; processes and steam have none.
    pub gas: Option<Gas>,
    /// Its value.
    pub value: f64,
    /// Its unit.
    pub unit: Spanned<String>,
    /// The document that it stands in.
    pub document: String,
    /// Who approved it: the authority and its letter. A fuel's factor needs one.
    pub approval: Option<String>,
    /// The first day on which it counts.
    pub valid_from: Date,
    /// The last day on which it counts; without one until another takes its place.
    pub valid_to: Option<Date>,
}

/// One `[[contract]]`: electricity from the grid that a contract or certificates cover.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ContractConfig {
    /// Its id, for messages.
    pub id: Spanned<String>,
    /// The asset whose electricity it covers; without one the site.
    pub asset: Option<Spanned<AssetId>>,
    /// What measures the covered electricity.
    pub quantity: Option<Spanned<TagName>>,
    /// What is covered within the validity. **Unit**: MWh.
    pub volume_mwh: Option<Spanned<f64>>,
    /// What it emits. **Unit**: tCO₂e/MWh; 0 for certificates of renewable electricity.
    pub factor_t_per_mwh: Spanned<f64>,
    /// Contract or certificate, with its number.
    pub document: String,
    /// The first day on which it holds.
    pub valid_from: Date,
    /// The last day on which it holds.
    pub valid_to: Spanned<Date>,
}
