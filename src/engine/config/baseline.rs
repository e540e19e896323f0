//! `[[baseline]]`: what an asset's electricity is compared with.

use jiff::civil::Date;
use serde::Deserialize;
use serde_spanned::Spanned;

use crate::model::id::{AssetId, TagName};
use crate::model::time::Grain;

/// One baseline: E = constant + produced · PQ + Σ coefficient · driver.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BaselineConfig {
    /// The asset whose electricity is compared.
    pub asset: Spanned<AssetId>,
    /// First day on which it counts, until the next baseline of the asset does.
    pub valid_from: Spanned<Date>,
    /// b₀. **Unit**: kWh for each `per`.
    pub constant: Spanned<f64>,
    /// The time b₀ is for: `day` or `month`.
    pub per: Spanned<Grain>,
    /// b of the produced quantity. **Unit**: kWh for each unit.
    pub produced: Option<Spanned<f64>>,
    /// Other drivers.
    #[serde(default)]
    pub driver: Vec<DriverConfig>,
}

/// One driver that a tag measures.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DriverConfig {
    /// The tag: an amount, or a temperature where degree days are asked for.
    pub tag: Spanned<TagName>,
    /// **Unit**: kWh for each unit of the tag in its base unit, or for each degree day.
    pub coefficient: Spanned<f64>,
    /// Temperature below which a degree day counts (heating). **Unit**: °C.
    pub below: Option<Spanned<f64>>,
    /// Temperature above which a degree day counts (cooling). **Unit**: °C.
    pub above: Option<Spanned<f64>>,
}
