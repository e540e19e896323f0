//! Greenhouse gases, and energy in tonnes of oil equivalent.
//!
//! One file a KPI, one line here and one in the catalogue. What several of them are made of stands here.

pub(super) mod biogenic_co2;
pub(super) mod carbon_intensity;
pub(super) mod energy_toe;
pub(super) mod energy_toe_content;
pub(super) mod ghg_total;
pub(super) mod scope_1;
pub(super) mod scope_1_fugitive;
pub(super) mod scope_1_mobile;
pub(super) mod scope_1_process;
pub(super) mod scope_1_stationary;
pub(super) mod scope_2;
pub(super) mod scope_2_market;

use super::{GridChoice, KpiContext, Outcome, Rate, electricity_micro_kwh, ratio};
use crate::model::fact::{Facts, Measure};
use crate::model::record::{FactorRef, Flag, Reason};

/// Micrograms in a tonne.
const UG_PER_T: i128 = 1_000_000_000_000;

/// 10⁻⁶ kWh in a MWh.
const MICRO_KWH_PER_MWH: i128 = 1_000_000_000;

/// The categories of scope 1.
const SCOPE_1: [Measure; 4] =
    [Measure::StationaryCo2e, Measure::MobileCo2e, Measure::ProcessCo2e, Measure::FugitiveCo2e];

/// Returns the sum of masses in tonnes, or why there is none: a quantity without a factor is no zero, and neither is
/// what no meter saw.
fn tonnes(facts: &Facts, masses: &[Measure]) -> Result<f64, Reason> {
    let present: Vec<i128> = masses.iter().filter_map(|measure| facts.get(*measure)).collect();
    if present.is_empty() {
        return Err(Reason::NoInput);
    }
    if facts.amount(Measure::FactorMissing) > 0 {
        return Err(Reason::NoPublishedFactor);
    }
    let sum: i128 = present.into_iter().sum();
    if sum == 0 && saw_nothing(facts) {
        return Err(Reason::NoData);
    }
    Ok(ratio(sum, UG_PER_T))
}

/// Returns scope 1 in tonnes, or why there is none, and whether a source that nothing measures has no declaration: what
/// it emits is then missing from the sum.
fn scope_1(facts: &Facts) -> (Result<f64, Reason>, Option<Flag>) {
    let is_missing = facts.amount(Measure::SourcesUndeclared) > 0;
    match tonnes(facts, &SCOPE_1) {
        Err(Reason::NoInput) if is_missing => (Err(Reason::NotDeclared), None),
        sum => (sum, (is_missing && sum.is_ok()).then_some(Flag::SourceNotDeclared)),
    }
}

/// Says whether meters of sources should have counted and none did, and nothing was spread over a gap or declared.
fn saw_nothing(facts: &Facts) -> bool {
    let known = [Measure::FuelObserved, Measure::FuelEnergySubstituted, Measure::FuelEnergyDeclared];
    facts.amount(Measure::FuelExpected) > 0 && known.iter().all(|measure| facts.amount(*measure) == 0)
}

/// Returns what was drawn from the grid in 10⁻⁶ kWh, or why nothing is known of it. Facts of a box that tells only net
/// electricity count with that.
fn grid_electricity(facts: &Facts) -> Result<i128, Reason> {
    let net = electricity_micro_kwh(facts)?;
    Ok(facts.get(Measure::ElectricityImport).unwrap_or(net))
}

/// Returns what purchased steam emits in tonnes; 0 where none is an input.
fn steam(facts: &Facts) -> Result<f64, Reason> {
    match facts.get(Measure::SteamCo2e) {
        Some(_) if facts.amount(Measure::FactorMissing) > 0 => Err(Reason::NoPublishedFactor),
        Some(mass) => Ok(ratio(mass, UG_PER_T)),
        None => Ok(0.0),
    }
}

/// Scope 2, location-based.
struct Located {
    tonnes: f64,
    grid: GridChoice,
}

fn location_based(facts: &Facts, context: &KpiContext) -> Result<Located, Reason> {
    let drawn = grid_electricity(facts)?;
    let steam = steam(facts)?;
    let grid = context.grid.clone()?;
    Ok(Located { tonnes: ratio(drawn, MICRO_KWH_PER_MWH) * grid.tco2e_per_mwh + steam, grid })
}

/// Scope 1 and 2.
struct Total {
    tonnes: f64,
    flags: Vec<Flag>,
    factors: Vec<FactorRef>,
}

/// Returns scope 1 and location-based scope 2; where no direct source is declared, scope 2 alone, which a flag says.
fn total(facts: &Facts, context: &KpiContext) -> Result<Total, Reason> {
    let Located { tonnes: indirect, grid } = location_based(facts, context)?;
    let (direct, missing) = scope_1(facts);
    let (direct, is_declared) = match direct {
        Ok(direct) => (direct, true),
        Err(Reason::NoInput | Reason::NotDeclared) => (0.0, false),
        Err(reason) => return Err(reason),
    };
    let undeclared = (!is_declared).then_some(Flag::Scope1NotDeclared);
    let provisional = grid.provisional.then_some(Flag::Provisional);
    let flags = provisional.into_iter().chain(undeclared).chain(missing).collect();
    Ok(Total { tonnes: direct + indirect, flags, factors: vec![grid.factor] })
}

/// Returns energy in TOE: electricity from the grid by `rate`, and fuels as their facts say.
fn oil_equivalent(facts: &Facts, rate: Option<&Rate>) -> Outcome {
    let fuels = match facts.get(Measure::FuelToe) {
        Some(0) if saw_nothing(facts) => return Outcome::from(Err(Reason::NoData)),
        fuels => fuels,
    };
    let electricity = match (grid_electricity(facts), fuels) {
        (Ok(drawn), _) => Some(drawn),
        (Err(Reason::NoInput), Some(_)) => None,
        (Err(reason), _) => return Outcome::from(Err(reason)),
    };
    let of_fuels = ratio(fuels.unwrap_or(0), 1_000_000_000);
    match (electricity, rate) {
        (None, _) => Outcome::from(Ok(of_fuels)),
        (Some(_), None) => Outcome::from(Err(Reason::NoPublishedFactor)),
        (Some(drawn), Some(rate)) => Outcome {
            value: Ok(of_fuels + ratio(drawn, 1_000_000) * rate.value),
            flags: Vec::new(),
            factors: vec![rate.factor.clone()],
        },
    }
}
