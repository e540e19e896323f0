//! `[tariff]`: by which hours and prices electricity from the grid is split.

use serde::Deserialize;
use serde_spanned::Spanned;

/// The tariff of the site.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TariffConfig {
    /// The voltage at which the site is supplied, as the reference data write it: `22-110kV`.
    pub voltage: Spanned<String>,
    /// Id of the hours that count at every time. Without it those by which bills are made on the day.
    pub schedule: Option<Spanned<String>>,
    /// The calendar's holidays have the hours of a Sunday.
    #[serde(default)]
    pub holidays_as_sunday: Option<Spanned<bool>>,
}
