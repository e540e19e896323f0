//! An emission source: what emits, by which factors.

use crate::model::id::EmissionId;
use crate::model::tag::TagIndex;

/// One `[[emission]]`: a source of greenhouse gases at an asset. It counts there and in everything the asset stands in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Emission {
    /// Its id; declared inputs name it.
    pub id: EmissionId,
    /// What measures it: volume, mass or energy. `None`: it is declared only.
    pub quantity: Option<TagIndex>,
}
