//! The stacks and outfalls of a box: means, values to check and loads, beside the limit that holds today.

use jiff::civil::Date;

use super::cell::Cell;
use super::format;
use super::language::Language;
use super::words;
use crate::engine::plant::Asset;
use crate::engine::pollutant::{Channel, LimitSource};
use crate::model::record::KpiId;
use crate::model::time::Grain;

/// What is shown of each channel: KPI and grain.
pub(super) const SHOWN: [(&str, Grain); 5] = [
    ("pollutant_mean", Grain::Hour),
    ("pollutant_mean", Grain::Day),
    ("pollutant_limit_ratio", Grain::Day),
    ("pollutant_hours_to_check", Grain::Day),
    ("pollutant_load", Grain::Day),
];

/// One channel, ready to be shown.
#[derive(Debug)]
pub(super) struct ChannelRow {
    pub(super) name: String,
    pub(super) parameter: &'static str,
    /// The limit that holds today; empty where none does.
    pub(super) limit: String,
    /// In the order of [`SHOWN`].
    pub(super) cells: Vec<Cell>,
}

impl ChannelRow {
    /// Returns a channel as it is shown.
    pub(super) fn of(
        asset: &Asset,
        channel: &Channel,
        today: Option<Date>,
        cells: Vec<Cell>,
        language: Language,
    ) -> Self {
        Self {
            name: asset.name.clone().unwrap_or_else(|| asset.id.to_string()),
            parameter: channel.parameter.symbol(),
            limit: today.map(|today| limit_words(asset, channel, today, language)).unwrap_or_default(),
            cells,
        }
    }
}

/// Returns the KPIs that [`SHOWN`] asks of one grain.
pub(super) fn kpis_of(grain: Grain) -> Vec<KpiId> {
    SHOWN.iter().filter(|(_, of)| *of == grain).map(|(kpi, _)| KpiId::of(kpi)).collect()
}

fn limit_words(asset: &Asset, channel: &Channel, today: Date, language: Language) -> String {
    let Some(limit) = channel.limit_on(today) else { return String::new() };
    let bound = |micro: i128| format::significant(decimal(micro), language);
    let band = match (limit.min_micro, limit.max_micro) {
        (Some(min), Some(max)) => format!("{}–{}", bound(min), bound(max)),
        (None, Some(max)) => format!("≤ {}", bound(max)),
        (Some(min), None) => format!("≥ {}", bound(min)),
        (None, None) => return String::new(),
    };
    let source = match limit.source {
        LimitSource::Permit => language.pick("giấy phép", "permit"),
        LimitSource::Agreement => language.pick("thỏa thuận đấu nối", "connection agreement"),
        LimitSource::Class => language.pick("quy chuẩn", "regulation"),
    };
    format!("{band} {} · {source} {}", words::product(asset.product_unit, language), limit.document)
}

#[expect(clippy::cast_precision_loss, reason = "a limit that is shown")]
fn decimal(micro: i128) -> f64 {
    micro as f64 / 1e6
}
