//! One figure as a table shows it.

use super::format;
use super::language::Language;
use super::words;
use crate::engine::kpi;
use crate::model::record::{Flag, Reason};
use crate::model::time::Grain;
use crate::wire::figure::{Figure, Scope};

/// A figure, ready to be shown.
#[derive(Debug, Clone)]
pub(super) struct Cell {
    /// Name of the KPI.
    pub(super) name: &'static str,
    /// The value as it is read; empty where there is none.
    pub(super) value: String,
    /// Its unit.
    pub(super) unit: String,
    /// The asset has inputs for it, and the window is long enough.
    pub(super) exists: bool,
    /// Why there is no value; `None` where there is one.
    pub(super) note: Option<&'static str>,
    /// Closed or provisional.
    pub(super) status: &'static str,
    /// The class of the status.
    pub(super) class: &'static str,
    /// Coverage in whole percent.
    pub(super) coverage: Option<u8>,
    /// The page that says where the figure comes from.
    pub(super) href: String,
}

impl Cell {
    /// Returns a figure as it is shown.
    pub(super) fn of(figure: &Figure, scope: &Scope, grain: Grain, language: Language) -> Self {
        let of = &figure.value;
        let definition = kpi::find(of.kpi.as_str());
        let unit = definition.map_or("", |definition| definition.unit);
        let (value, unit) = of
            .value
            .map(|value| format::value(of.kpi.as_str(), unit, value, figure.product_unit, language))
            .unwrap_or_default();
        let t = language.texts();
        let is_final = figure.closed && !of.flags.contains(&Flag::Provisional);
        Self {
            name: definition.map_or("", |definition| language.kpi(definition)),
            value,
            unit,
            exists: !matches!(of.reason, Some(Reason::NoInput | Reason::BelowFinestGrain)),
            note: of.reason.map(|reason| words::reason(reason, language)),
            status: if is_final { t.closed } else { t.provisional },
            class: if is_final { "good" } else { "quiet" },
            coverage: of.coverage.map(format::percent),
            href: format!(
                "/source?scope={scope}&kpi={}&grain={grain}&at={}&lang={}",
                of.kpi,
                figure.window.start,
                language.code()
            ),
        }
    }
}

/// A number with its name.
#[derive(Debug, Clone)]
pub(super) struct Tile {
    /// What it counts.
    pub(super) name: String,
    /// The number as it is read.
    pub(super) value: String,
}

impl Tile {
    /// Returns a count.
    pub(super) fn new(name: &str, value: impl ToString, language: Language) -> Self {
        Self { name: name.to_owned(), value: format::integer(value, language) }
    }
}
