//! Pollutants: from what an analyser says to valid values, values to check and loads.
//!
//! In: the levels of a channel's tags within a minute, and the limits of its day. Out: facts. Time of calibration and
//! of faults never enters a mean; what can't be corrected is no value, never an uncorrected one. A value outside a
//! limit is a value to check: whether it is a violation isn't decided here.

pub mod channel;
mod correct;
pub mod limit;
mod stage;

pub use channel::{Basis, Channel};
pub use limit::{DatedLimit, LimitSource};

pub(super) use channel::note_factors;
#[cfg(test)]
pub(super) use channel::testing;
pub(super) use correct::{Carried, Signals, corrected};
pub(super) use stage::{STAGED, stage};
