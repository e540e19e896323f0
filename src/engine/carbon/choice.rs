//! Which emission factor counts: the facility's approved one, then the national list, then the IPCC default.
//!
//! **Source**: Circular 38/2023/TT-BCT, Article 18. Each gas is chosen by itself: what a list lacks, the next one has.

use jiff::civil::Date;

use crate::engine::kpi::grid::MissingFactor;
use crate::model::record::FactorRef;
use crate::reference::fuel::{Gas, List, Sector};
use crate::reference::{Fuels, Grade};

/// A value of the facility's own: an approved emission factor, a density, a calorific value.
#[derive(Debug, Clone, PartialEq)]
pub struct Own {
    /// **Unit**: that of its kind.
    pub value: f64,
    /// The first day on which it counts.
    pub valid_from: Date,
    /// The last day on which it counts; `None`: until another takes its place.
    pub valid_to: Option<Date>,
    /// What a figure names: no document and no equipment, which stay in the configuration of this version.
    pub factor: FactorRef,
}

/// A factor that was chosen for a day.
#[derive(Debug, Clone, PartialEq)]
pub struct Chosen {
    /// **Unit**: that of its kind.
    pub value: f64,
    /// What a figure names.
    pub factor: FactorRef,
    /// How surely it is known; `None` for a value of the facility's own, which its document vouches for.
    pub grade: Option<Grade>,
    /// It had ended before that day and was taken by explicit choice.
    pub provisional: bool,
}

/// Chooses among values of the facility's own: the one that began last and still counts; where `missing` says so, the
/// last one that has ended.
pub(super) fn own<'a>(values: impl Iterator<Item = &'a Own>, day: Date, missing: MissingFactor) -> Option<Chosen> {
    let begun = values.filter(|own| own.valid_from <= day);
    let counts = |own: &&Own| own.valid_to.is_none_or(|last| day <= last);
    // A value that counts beats every one that has ended.
    let last = begun.max_by_key(|own| (counts(own), own.valid_from))?;
    let provisional = !counts(&last);
    (!provisional || missing == MissingFactor::Latest).then(|| Chosen {
        value: last.value,
        factor: last.factor.clone(),
        grade: None,
        provisional,
    })
}

/// Chooses the factor of a gas. `list`: only this one, where a source says so. **Unit**: kg/TJ.
pub(super) fn fuel_factor(
    fuels: &Fuels,
    approved: &[(Gas, Own)],
    fuel: &str,
    (sector, gas, list): (Sector, Gas, Option<List>),
    day: Date,
) -> Option<Chosen> {
    let approved = approved.iter().filter(|(of, _)| *of == gas).map(|(_, own)| own);
    let listed = || {
        let lists = List::BY_PRIORITY.into_iter().filter(|known| list.is_none_or(|only| only == *known));
        let dated = lists.into_iter().find_map(|list| fuels.factor(fuel, sector, gas, list, day))?;
        Some(Chosen { value: dated.value, factor: dated.factor.clone(), grade: Some(dated.grade), provisional: false })
    };
    own(approved, day, MissingFactor::Null).or_else(listed)
}
