//! What KPIs on electricity and other media have in common.

use super::{Outcome, electricity_micro_kwh, ratio};
use crate::engine::medium::Medium;
use crate::model::fact::{Facts, Measure};
use crate::model::record::{Flag, Reason};

/// Returns what went through the boundary in 10⁻⁶ of the medium's unit, or why there is none. Nothing measured is no
/// zero.
pub(crate) fn amount(facts: &Facts, medium: Medium) -> Result<i128, Reason> {
    let measures = medium.measures();
    match facts.get(measures.amount) {
        None => Err(Reason::NoInput),
        Some(0) if facts.amount(measures.observed) == 0 && facts.amount(measures.substituted) == 0 => {
            Err(Reason::NoData)
        }
        Some(amount) => Ok(amount),
    }
}

/// Returns a part of the electricity in 10⁻⁶ kWh, like what came from the grid, or why there is none.
pub(crate) fn electricity_part(facts: &Facts, part: Measure) -> Result<i128, Reason> {
    let is_read = facts.amount(Measure::ElectricityObserved) != 0 || facts.amount(Measure::ElectricitySubstituted) != 0;
    match facts.get(part) {
        None => Err(Reason::NoInput),
        Some(0) if !is_read => Err(Reason::NoData),
        Some(energy) => Ok(energy),
    }
}

/// Returns what the grid delivered, which is what demand is billed by; facts that don't tell it have net electricity.
/// **Unit**: 10⁻⁶ kWh.
pub(crate) fn drawn(facts: &Facts) -> Option<i128> {
    facts.get(Measure::ElectricityImport).or_else(|| facts.get(Measure::Electricity))
}

/// Returns the energy of the largest block in 10⁻⁶ kWh, or why it isn't known.
pub(crate) fn peak(facts: &Facts, block: Measure) -> Result<i128, Reason> {
    let missing = if facts.get(Measure::Electricity).is_some() { Reason::NotMergeable } else { Reason::NoInput };
    match facts.get(block).ok_or(missing)? {
        0 if facts.amount(Measure::ElectricityObserved) == 0 => Err(Reason::NoData),
        energy => Ok(energy),
    }
}

/// Returns the power factor as billed: of what the grid delivered; facts that don't tell that take net electricity.
#[expect(clippy::cast_precision_loss, reason = "the final ratio is the one place where f64 appears")]
pub(crate) fn cos_phi(facts: &Facts) -> Result<f64, Reason> {
    let net = electricity_micro_kwh(facts)?;
    let active = facts.get(Measure::ElectricityImport).unwrap_or(net);
    let reactive = facts.get(Measure::ReactiveEnergy).ok_or(Reason::NoInput)?;
    if reactive == 0 && facts.get(Measure::ReactiveObserved) == Some(0) {
        return Err(Reason::NoData);
    }
    let apparent = (active as f64).hypot(reactive as f64);
    if apparent > 0.0 { Ok(active as f64 / apparent) } else { Err(Reason::NoEnergy) }
}

/// Returns what the boundary counts and no sub-meter explains; flagged where the sub-meters count more.
pub(crate) fn unmetered(facts: &Facts, medium: Medium) -> Outcome {
    let measures = medium.measures();
    let rest = facts.get(measures.submetered).ok_or(Reason::NoInput).and_then(|explained| {
        let own = amount(facts, medium)?;
        let is_read = explained != 0 || facts.amount(measures.submetered_observed) != 0;
        if is_read { Ok(own - explained) } else { Err(Reason::NoData) }
    });
    let flags = if rest.is_ok_and(|rest| rest < 0) { vec![Flag::NegativeRemainder] } else { Vec::new() };
    Outcome { flags, ..Outcome::from(rest.map(|rest| ratio(rest, 1_000_000))) }
}
