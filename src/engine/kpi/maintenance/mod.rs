//! Failures and repair.
//!
//! One file a KPI, one line here and one in the catalogue. A mean over failures divides by their number (FE): with
//! none there is no mean, neither 0 nor infinite. A window ends some of its failures' times early and begins others';
//! over months that evens out, and it lets windows and machines merge exactly.

pub(super) mod corrective_maintenance_ratio;
pub(super) mod mtbf;
pub(super) mod mttf;
pub(super) mod mttr;

use super::{has_states, planned_busy_ms, ratio};
use crate::model::fact::{Facts, Measure};
use crate::model::record::Reason;

/// Milliseconds in an hour.
const HOUR_MS: i128 = 3_600_000;

/// Returns hours per failure, or why there are none.
fn per_failure(facts: &Facts, ms: i128) -> Result<f64, Reason> {
    match facts.get(Measure::Failures).filter(|_| has_states(facts)) {
        None => Err(Reason::NoInput),
        Some(0) if is_unobserved(facts) => Err(Reason::NoData),
        Some(0) => Err(Reason::NoFailure),
        Some(failures) => Ok(ratio(ms, failures * HOUR_MS)),
    }
}

/// Says whether nothing of the planned operation time was observed.
fn is_unobserved(facts: &Facts) -> bool {
    facts.amount(Measure::NoData) > 0 && planned_busy_ms(facts) + facts.amount(Measure::PlannedDown) == 0
}
