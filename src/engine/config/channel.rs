//! What a configuration says of channels: stacks and outfalls.

use jiff::civil::Date;
use serde::Deserialize;
use serde_spanned::Spanned;

use crate::model::id::{AssetId, TagName};
use crate::model::pollutant::Parameter;

/// One `[[channel]]`: one parameter of one stack or outfall. It is an asset of its own.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChannelConfig {
    /// The key of its figures together with the site; no asset may have the same.
    pub id: Spanned<AssetId>,
    /// The asset it stands in: the station, the boiler house; without one the site.
    pub parent: Option<Spanned<AssetId>>,
    /// Name shown to people; without it the id.
    pub name: Option<String>,
    /// What is measured.
    pub parameter: Spanned<Parameter>,
    /// The analyser's value, a gauge.
    pub value: Spanned<TagName>,
    /// The analyser's status: 0 measuring, 1 calibrating, anything else a fault.
    pub status: Option<Spanned<TagName>>,
    /// Whether value and oxygen are measured in dry or in wet gas.
    pub basis: Option<Spanned<GasBasis>>,
    /// Oxygen in the same gas, a gauge in %.
    pub oxygen: Option<Spanned<TagName>>,
    /// The oxygen that limits are for. **Unit**: percent of volume.
    pub reference_oxygen: Option<Spanned<f64>>,
    /// Temperature of the gas, a gauge in Cel.
    pub temperature: Option<Spanned<TagName>>,
    /// Absolute pressure of the gas, a gauge in kPa.
    pub pressure: Option<Spanned<TagName>>,
    /// Water vapour in the gas, a gauge in %.
    pub moisture: Option<Spanned<TagName>>,
    /// The flow that carries the pollutant away: a gauge in m3/h or Nm3/h, or a meter of volume.
    pub flow: Option<Spanned<TagName>>,
    /// What its means are compared with.
    #[serde(default)]
    pub limit: Vec<Spanned<LimitConfig>>,
}

/// In which gas an analyser measures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GasBasis {
    /// The water was taken out before.
    Dry,
    /// In the stack, or hot.
    Wet,
}

/// One limit: of a permit, of a connection agreement, or of a class of a regulation.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LimitConfig {
    /// The environmental permit it is written in.
    pub permit: Option<Spanned<String>>,
    /// The agreement by which a park takes the site's wastewater.
    pub agreement: Option<Spanned<String>>,
    /// The regulation, like `qcvn_40_2011`.
    pub regulation: Option<Spanned<String>>,
    /// Its class, like `A`.
    pub column: Option<Spanned<String>>,
    /// The smallest allowed mean, in the channel's unit; of a permit or an agreement.
    pub min: Option<Spanned<f64>>,
    /// The largest allowed mean, in the channel's unit; of a permit or an agreement.
    pub max: Option<Spanned<f64>>,
    /// Wastewater of the site. **Unit**: m³/d.
    pub discharge_m3_per_day: Option<Spanned<f64>>,
    /// Flow of the river that takes it. **Unit**: m³/s.
    pub river_m3_per_s: Option<Spanned<f64>>,
    /// Volume of the lake that takes it. **Unit**: m³.
    pub lake_m3: Option<Spanned<f64>>,
    /// Largest flow of the stack. **Unit**: m³/h.
    pub stack_m3_per_h: Option<Spanned<f64>>,
    /// Zone of the site, 1 to 5.
    pub zone: Option<Spanned<f64>>,
    /// Capacity of the boiler. **Unit**: t/h of steam.
    pub boiler_t_per_h: Option<Spanned<f64>>,
    /// The first day; of a class without it the day on which the regulation came into force.
    pub valid_from: Option<Spanned<Date>>,
    /// The last day.
    pub valid_until: Option<Spanned<Date>>,
}

impl LimitConfig {
    /// Returns what is given under the name of a quantity that chooses a coefficient.
    pub fn quantity(&self, name: &str) -> Option<&Spanned<f64>> {
        match name {
            "discharge_m3_per_day" => self.discharge_m3_per_day.as_ref(),
            "river_m3_per_s" => self.river_m3_per_s.as_ref(),
            "lake_m3" => self.lake_m3.as_ref(),
            "stack_m3_per_h" => self.stack_m3_per_h.as_ref(),
            "zone" => self.zone.as_ref(),
            _ => None,
        }
    }
}
