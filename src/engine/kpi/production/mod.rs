//! Time and output of equipment.
//!
//! One file a KPI, one line here and one in the catalogue.

pub(super) mod allocation_efficiency;
pub(super) mod allocation_ratio;
pub(super) mod availability;
pub(super) mod availability_classic;
pub(super) mod effectiveness;
pub(super) mod equipment_load_ratio;
pub(super) mod nee;
pub(super) mod oee;
pub(super) mod oee_classic;
pub(super) mod performance_classic;
pub(super) mod plan_attainment;
pub(super) mod produced_quantity;
pub(super) mod production_process_ratio;
pub(super) mod setup_ratio;
pub(super) mod technical_efficiency;
pub(super) mod teep;
pub(super) mod throughput_rate;
pub(super) mod utilization_efficiency;
pub(super) mod worker_efficiency;

use super::{has_states, planned_busy_ms, ratio};
use crate::model::fact::{Facts, Measure};
use crate::model::record::{Flag, Reason};

/// Returns the actual unit busy time AUBT = APT + AUST + ADET. **Unit**: ms.
fn unit_busy_ms(facts: &Facts) -> i128 {
    [Measure::Apt, Measure::Aust, Measure::Adet].into_iter().map(|measure| facts.amount(measure)).sum()
}

/// Returns the run time of the classic OEE: production and the minor stops in it. **Unit**: ms.
fn run_ms(facts: &Facts) -> i128 {
    facts.amount(Measure::Apt) + facts.amount(Measure::MinorStops)
}

/// Returns a time element beside a time of which it is a part, or why there is no such ratio.
fn share_of(facts: &Facts, part: Measure, whole_ms: i128) -> Result<f64, Reason> {
    match whole_ms {
        _ if !has_states(facts) => Err(Reason::NoInput),
        0 if planned_busy_ms(facts) == 0 && facts.amount(Measure::NoData) > 0 => Err(Reason::NoData),
        0 => Err(Reason::NoOperatingTime),
        whole => Ok(ratio(facts.amount(part), whole)),
    }
}

/// Returns PRU × GQ, or why there is none. **Unit**: ns.
fn planned_good_ns(facts: &Facts) -> Result<i128, Reason> {
    match (facts.get(Measure::PruPq), facts.get(Measure::PruGq)) {
        (Some(0), _) if facts.amount(Measure::PartsObserved) == 0 && facts.get(Measure::PartsExpected).is_some() => {
            Err(Reason::NoData)
        }
        (Some(0), _) => Err(Reason::NoProduction),
        (Some(_), Some(good)) => Ok(good),
        (None, _) if facts.get(Measure::ProducedQuantity).is_some() => Err(Reason::NoPlannedRunTime),
        _ => Err(Reason::NoInput),
    }
}

/// Returns the flag of an effectiveness above 100 %: what rests on it is as doubtful, and published all the same.
fn generous(facts: &Facts) -> Vec<Flag> {
    let (planned_ns, production_ms) = (facts.amount(Measure::PruPq), facts.amount(Measure::Apt));
    let is_above = production_ms > 0 && planned_ns > production_ms * 1_000_000;
    if is_above { vec![Flag::EffectivenessAbove100] } else { Vec::new() }
}
