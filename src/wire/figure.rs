//! What the KPI API is asked and what it answers, on the box and in the hub alike.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::model::fact::Facts;
use crate::model::id::{AssetId, ParkId, ProvinceId, SiteId};
use crate::model::record::{KpiId, KpiValue};
use crate::model::time::{Grain, Timestamp, Window};
use crate::model::unit::ProductUnit;

/// What a figure is about: `site:<id>`, `asset:<site>/<asset>`, `park:<id>` or `province:<id>`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// One factory.
    Site(SiteId),
    /// One asset of a factory.
    Asset(SiteId, AssetId),
    /// All factories of a park.
    Park(ParkId),
    /// All parks of a province.
    Province(ProvinceId),
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Site(site) => write!(f, "site:{site}"),
            Self::Asset(site, asset) => write!(f, "asset:{site}/{asset}"),
            Self::Park(park) => write!(f, "park:{park}"),
            Self::Province(province) => write!(f, "province:{province}"),
        }
    }
}

/// A text that names no scope.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is not a scope: expected site:<id>, asset:<site>/<asset>, park:<id> or province:<id>")]
pub struct InvalidScope(pub String);

impl FromStr for Scope {
    type Err = InvalidScope;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parsed = match text.split_once(':') {
            Some(("site", id)) => SiteId::new(id).ok().map(Self::Site),
            Some(("asset", id)) => id
                .split_once('/')
                .and_then(|(site, asset)| Some(Self::Asset(SiteId::new(site).ok()?, AssetId::new(asset).ok()?))),
            Some(("park", id)) => ParkId::new(id).ok().map(Self::Park),
            Some(("province", id)) => ProvinceId::new(id).ok().map(Self::Province),
            _ => None,
        };
        parsed.ok_or_else(|| InvalidScope(text.to_owned()))
    }
}

impl Serialize for Scope {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Scope {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// Which figures are asked for: one for each KPI and each window of the grain that overlaps `[from, to)`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query {
    /// About what.
    pub scope: Scope,
    /// Which KPIs, in the order asked for; empty: every KPI of the catalogue.
    pub kpis: Vec<KpiId>,
    /// How long the windows are.
    pub grain: Grain,
    /// First instant asked for.
    pub from: Timestamp,
    /// First instant not asked for.
    pub to: Timestamp,
}

/// One KPI of one scope in one window.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Figure {
    /// The window.
    pub window: Window,
    /// The KPI with its value, coverage, flags and factors, or the reason why there is no value.
    pub value: KpiValue,
    /// Revision of the record it rests on; `None` where it was computed on read or rests on several records.
    pub revision: Option<u32>,
    /// Whether every window it rests on is closed. An open one will still change.
    pub closed: bool,
    /// The merged facts it was computed from, as far as the reader may see them.
    pub facts: Facts,
    /// What quantities are counted in; `None` where unlike units met and quantities were dropped.
    pub product_unit: Option<ProductUnit>,
    /// Factories whose facts are in it.
    pub sites_reporting: u32,
    /// Factories that should be in it.
    pub sites_expected: u32,
    /// In the hub, where the figure rests on one record: what the factory's box said. The hub computes `value` from the
    /// same facts with its own reference data, so the two differ where the factor does. Absent elsewhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reported: Option<KpiValue>,
}

#[cfg(test)]
mod tests {
    use super::{Facts, Figure, KpiId, KpiValue, ProductUnit, Scope, Timestamp, Window};
    use crate::model::fact::Measure;
    use crate::model::record::Flag;

    #[test]
    fn scopes_survive_their_text_form() {
        for text in ["site:tt-main", "asset:tt-main/press-1", "park:tan-thuan", "province:ho-chi-minh"] {
            assert_eq!(text.parse::<Scope>().unwrap().to_string(), text);
        }
        for bad in ["", "site", "site:", "site:A", "asset:tt-main", "asset:tt-main/", "machine:x", "site:a/b"] {
            assert!(bad.parse::<Scope>().is_err(), "{bad}");
        }
    }

    #[test]
    fn json_form_is_frozen() {
        let figure = Figure {
            window: Window { start: Timestamp(1_790_000_000_000), end: Timestamp(1_790_000_300_000) },
            value: KpiValue {
                kpi: KpiId::of("electricity"),
                method: 1,
                value: Some(12.5),
                reason: None,
                coverage: Some(1.0),
                shares: None,
                flags: vec![Flag::Substituted],
                factors: vec![],
            },
            revision: None,
            closed: true,
            facts: [(Measure::Electricity, 12_500_000)].into_iter().collect::<Facts>(),
            product_unit: Some(ProductUnit::Piece),
            sites_reporting: 2,
            sites_expected: 3,
            reported: None,
        };
        let json = concat!(
            r#"{"window":{"start":"2026-09-21T14:13:20.000Z","end":"2026-09-21T14:18:20.000Z"},"#,
            r#""value":{"kpi":"electricity","method":1,"value":12.5,"reason":null,"coverage":1.0,"#,
            r#""flags":["substituted"],"factors":[]},"revision":null,"closed":true,"#,
            r#""facts":{"electricity_micro_kwh":12500000},"product_unit":"piece","#,
            r#""sites_reporting":2,"sites_expected":3}"#
        );
        assert_eq!(serde_json::to_string(&figure).unwrap(), json);
        assert_eq!(serde_json::from_str::<Figure>(json).unwrap(), figure);
    }
}
