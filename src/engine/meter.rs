//! Meters as the engine reads them: a tag, or a sum, a difference or a share of others.
//!
//! A share is a cut of the whole: shares that follow one another take `[from, to)` of it, so that they sum to the whole
//! to the last digit, whatever the rounding.

use std::sync::Arc;

use crate::model::id::MeterId;
use crate::model::tag::TagIndex;

/// Parts that a whole is cut into: a share is told to a millionth.
pub const WHOLE: u32 = 1_000_000;

/// Where an amount is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reading {
    /// A tag.
    Tag(TagIndex),
    /// A meter, which may be a virtual one.
    Meter(Arc<Meter>),
}

/// A named meter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Meter {
    /// Its id.
    pub id: MeterId,
    /// What its amounts are made of.
    pub form: Form,
}

/// What a meter's amounts are made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Form {
    /// Everything added, less everything taken away.
    Sum {
        /// What is added.
        plus: Vec<Reading>,
        /// What is taken away.
        minus: Vec<Reading>,
    },
    /// A part of another meter.
    Share {
        /// The whole.
        of: Reading,
        /// Where the part begins. **Unit**: millionths of the whole.
        from: u32,
        /// Where it ends.
        to: u32,
    },
}

impl From<TagIndex> for Reading {
    fn from(tag: TagIndex) -> Self {
        Self::Tag(tag)
    }
}

impl Reading {
    /// Returns every tag it rests on; one that it rests on twice comes twice.
    pub fn tags(&self) -> Vec<TagIndex> {
        match self {
            Self::Tag(tag) => vec![*tag],
            Self::Meter(meter) => match &meter.form {
                Form::Sum { plus, minus } => plus.iter().chain(minus).flat_map(Self::tags).collect(),
                Form::Share { of, .. } => of.tags(),
            },
        }
    }

    /// Returns every tag it rests on with the part of it, `[from, to)` in millionths of it: shares of one whole have
    /// different parts.
    pub fn cuts(&self) -> Vec<(TagIndex, u64, u64)> {
        let whole = u64::from(WHOLE);
        match self {
            Self::Tag(tag) => vec![(*tag, 0, whole)],
            Self::Meter(meter) => match &meter.form {
                Form::Sum { plus, minus } => plus.iter().chain(minus).flat_map(Self::cuts).collect(),
                Form::Share { of, from, to } => {
                    let part = |(tag, start, end): (TagIndex, u64, u64)| {
                        let at = |share: u32| start + (end - start) * u64::from(share) / whole;
                        (tag, at(*from), at(*to))
                    };
                    of.cuts().into_iter().map(part).collect()
                }
            },
        }
    }

    /// Returns the id of the meter it names.
    pub fn meter(&self) -> Option<&MeterId> {
        match self {
            Self::Tag(_) => None,
            Self::Meter(meter) => Some(&meter.id),
        }
    }
}

/// What explains an asset's figure of a medium from below.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Submeters {
    /// Meters below it that are no asset's.
    pub meters: Vec<Reading>,
    /// Positions of its children that have a figure of their own, or that something below them explains in part.
    pub assets: Vec<usize>,
}

impl Submeters {
    /// Says whether nothing explains the figure.
    pub const fn is_empty(&self) -> bool {
        self.meters.is_empty() && self.assets.is_empty()
    }
}
