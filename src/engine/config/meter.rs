//! What a configuration says of boundaries and of meters below them.

use std::fmt;

use serde::{Deserialize, Deserializer};
use serde_spanned::Spanned;

use crate::engine::medium::Medium;
use crate::model::id::{AssetId, MeterId, TagName};

/// A tag, or a meter by its id. A tag has a dot and an id has none.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Input {
    /// A tag.
    Tag(TagName),
    /// A `[[meter]]`.
    Meter(MeterId),
}

impl Input {
    /// Returns the text as written.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Tag(tag) => tag.as_str(),
            Self::Meter(meter) => meter.as_str(),
        }
    }
}

impl fmt::Display for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Input {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let input =
            if text.contains('.') { TagName::new(&text).map(Self::Tag) } else { MeterId::new(&text).map(Self::Meter) };
        input.map_err(serde::de::Error::custom)
    }
}

/// The boundary of an asset: its own consumption is electricity + generation + renewable − export; of each other medium
/// what comes in, of wastewater what leaves.
///
/// Each entry is a tag or the id of a `[[meter]]`. A tag may be a counter, an interval amount or a power or flow.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BoundaryConfig {
    /// Active energy or power drawn from the grid.
    #[serde(default)]
    pub electricity: Vec<Spanned<Input>>,
    /// Active energy or power generated inside from fuels: generator sets, cogeneration.
    #[serde(default)]
    pub generation: Vec<Spanned<Input>>,
    /// Active energy or power generated inside from sun, wind, water or biomass.
    #[serde(default)]
    pub renewable: Vec<Spanned<Input>>,
    /// Active energy or power given back to the grid.
    #[serde(default)]
    pub export: Vec<Spanned<Input>>,
    /// Reactive energy or power drawn from the grid.
    #[serde(default)]
    pub reactive: Vec<Spanned<Input>>,
    /// Volume or flow of fuel gas.
    #[serde(default)]
    pub gas: Vec<Spanned<Input>>,
    /// Volume or flow of water.
    #[serde(default)]
    pub water: Vec<Spanned<Input>>,
    /// Mass or mass flow of steam.
    #[serde(default)]
    pub steam: Vec<Spanned<Input>>,
    /// Energy of the steam less that of the condensate that goes back. **Unit**: kJ/kg.
    pub steam_enthalpy: Option<Spanned<u32>>,
    /// Volume or flow of wastewater that leaves.
    #[serde(default)]
    pub wastewater: Vec<Spanned<Input>>,
    /// Volume or flow of wastewater that is used again.
    #[serde(default)]
    pub wastewater_reused: Vec<Spanned<Input>>,
}

impl BoundaryConfig {
    /// Returns every list with its key, in the order of the documentation.
    pub fn lists(&self) -> [(&'static str, &[Spanned<Input>]); 10] {
        [
            ("electricity", &self.electricity),
            ("generation", &self.generation),
            ("renewable", &self.renewable),
            ("export", &self.export),
            ("reactive", &self.reactive),
            ("gas", &self.gas),
            ("water", &self.water),
            ("steam", &self.steam),
            ("wastewater", &self.wastewater),
            ("wastewater_reused", &self.wastewater_reused),
        ]
    }
}

/// One `[[meter]]`: of its own tags, or worked out from others.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MeterConfig {
    /// What boundaries and other meters name it by.
    pub id: Spanned<MeterId>,
    /// What flows through it.
    pub medium: Spanned<Medium>,
    /// The asset, or the meter, whose figure it explains a part of. Without one it explains nothing by itself and is
    /// there for what names it.
    pub parent: Option<Spanned<Above>>,
    /// Tags or meters that are added.
    #[serde(default)]
    pub plus: Vec<Spanned<Input>>,
    /// Tags or meters that are taken away.
    #[serde(default)]
    pub minus: Vec<Spanned<Input>>,
    /// The meter or tag it is a share of.
    pub of: Option<Spanned<Input>>,
    /// Which share: a number, or `"rest"` for what the other shares of the same leave.
    pub share: Option<Spanned<Share>>,
}

/// What a meter stands below: an asset or a meter, which have the same kind of id.
pub type Above = AssetId;

/// How much of the whole a share is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Share {
    /// Millionths of the whole.
    Millionths(u32),
    /// What the other shares leave.
    Rest,
}

impl<'de> Deserialize<'de> for Share {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "bounded before the cast")]
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Written {
            Number(f64),
            Text(String),
        }
        match Written::deserialize(deserializer)? {
            Written::Number(share) if share > 0.0 && share < 1.0 => Ok(Self::Millionths((share * 1e6).round() as u32)),
            Written::Text(text) if text == "rest" => Ok(Self::Rest),
            Written::Number(share) => Err(format!("{share} is no share: expected a number between 0 and 1, like 0.35")),
            Written::Text(text) => Err(format!("\"{text}\" is no share: expected a number like 0.35, or \"rest\"")),
        }
        .map_err(serde::de::Error::custom)
    }
}
