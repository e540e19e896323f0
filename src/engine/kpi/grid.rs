//! Which grid emission factor a window takes.

use serde::{Deserialize, Serialize};

use super::GridChoice;
use crate::model::record::Reason;
use crate::reference::Reference;

/// What happens when a factor is missing for a year.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MissingFactor {
    /// No value, with the reason.
    #[default]
    Null,
    /// The latest earlier factor; the record says provisional and names the factor's year.
    Latest,
}

/// Chooses the factor published for `year`; where there is none, `missing` decides.
///
/// # Errors
/// [`Reason::NoPublishedFactor`] where no factor may be taken. An older value is never taken in silence: the choice
/// says provisional and names its year.
pub fn choose(reference: &Reference, year: i16, missing: MissingFactor) -> Result<GridChoice, Reason> {
    let exact = reference.grid_factor(year).map(|factor| (factor, false));
    let latest = || match missing {
        MissingFactor::Null => None,
        MissingFactor::Latest => reference.latest_grid_factor(year).map(|factor| (factor, true)),
    };
    let (factor, provisional) = exact.or_else(latest).ok_or(Reason::NoPublishedFactor)?;
    Ok(GridChoice { tco2e_per_mwh: factor.tco2e_per_mwh, factor: factor.factor, provisional })
}
