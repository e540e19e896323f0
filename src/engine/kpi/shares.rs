//! What a figure is made of: which part was measured, spread over a gap, declared, and what was left out.
//!
//! Each kind of input is one row of [`INPUTS`]. Coverage says how much of the time was measured; the shares say what the
//! amounts in the figure are. Both are ratios of facts, so the box and the hub give the same ones at any grain.

use std::collections::BTreeSet;

use super::{planned_busy_ms, ratio};
use crate::model::fact::{Facts, Measure};
use crate::model::record::Shares;

/// One kind of input.
struct Input {
    /// What the shares are of; it holds what was substituted and declared, and not what was excluded.
    amount: Measure,
    /// The part of it that was spread over a gap.
    substituted: Option<Measure>,
    /// What was left out, beside it.
    excluded: &'static [Measure],
    /// The part of it that was declared, not measured.
    declared: Declared,
    /// What was really measured, and what should have been: the time, or the count of values.
    observed: Option<(Measure, Measure)>,
}

/// How much of an amount is declared.
enum Declared {
    /// None: it is only ever measured.
    Nothing,
    /// What another measure says.
    Part(Measure),
    /// All of it: nobody measures such a thing.
    Everything,
}

/// A metered input: `amount`, its three companions and its times.
const fn metered(
    amount: Measure,
    substituted: Measure,
    excluded: &'static [Measure],
    observed: (Measure, Measure),
) -> Input {
    Input { amount, substituted: Some(substituted), excluded, declared: Declared::Nothing, observed: Some(observed) }
}

/// What sub-meters explain of a medium.
const fn submetered(amount: Measure, observed: (Measure, Measure)) -> Input {
    Input { amount, substituted: None, excluded: &[], declared: Declared::Nothing, observed: Some(observed) }
}

/// An input that is only ever declared.
const fn declared(amount: Measure) -> Input {
    Input { amount, substituted: None, excluded: &[], declared: Declared::Everything, observed: None }
}

/// Every kind of input whose share can be told, but machine states.
const INPUTS: &[Input] = &[
    metered(
        Measure::ProducedQuantity,
        Measure::PartsSubstituted,
        &[Measure::PartsExcluded],
        (Measure::PartsObserved, Measure::PartsExpected),
    ),
    metered(
        Measure::Electricity,
        Measure::ElectricitySubstituted,
        &[Measure::ElectricityExcluded],
        (Measure::ElectricityObserved, Measure::ElectricityExpected),
    ),
    metered(
        Measure::ElectricityImport,
        Measure::ElectricitySubstituted,
        &[Measure::ElectricityExcluded],
        (Measure::ElectricityObserved, Measure::ElectricityExpected),
    ),
    metered(
        Measure::ElectricityExport,
        Measure::ElectricitySubstituted,
        &[Measure::ElectricityExcluded],
        (Measure::ElectricityObserved, Measure::ElectricityExpected),
    ),
    metered(
        Measure::ElectricityGeneration,
        Measure::ElectricitySubstituted,
        &[Measure::ElectricityExcluded],
        (Measure::ElectricityObserved, Measure::ElectricityExpected),
    ),
    metered(
        Measure::ElectricityWithBaseline,
        Measure::ElectricitySubstituted,
        &[Measure::ElectricityExcluded],
        (Measure::ElectricityObserved, Measure::ElectricityExpected),
    ),
    Input {
        amount: Measure::ReactiveEnergy,
        substituted: None,
        excluded: &[],
        declared: Declared::Nothing,
        observed: Some((Measure::ReactiveObserved, Measure::ReactiveExpected)),
    },
    metered(
        Measure::Gas,
        Measure::GasSubstituted,
        &[Measure::GasExcluded],
        (Measure::GasObserved, Measure::GasExpected),
    ),
    metered(
        Measure::Water,
        Measure::WaterSubstituted,
        &[Measure::WaterExcluded],
        (Measure::WaterObserved, Measure::WaterExpected),
    ),
    metered(
        Measure::Steam,
        Measure::SteamSubstituted,
        &[Measure::SteamExcluded],
        (Measure::SteamObserved, Measure::SteamExpected),
    ),
    metered(
        Measure::Wastewater,
        Measure::WastewaterSubstituted,
        &[Measure::WastewaterExcluded],
        (Measure::WastewaterObserved, Measure::WastewaterExpected),
    ),
    Input {
        declared: Declared::Part(Measure::FuelEnergyDeclared),
        ..metered(
            Measure::FuelEnergy,
            Measure::FuelEnergySubstituted,
            &[Measure::FuelEnergyExcluded],
            (Measure::FuelObserved, Measure::FuelExpected),
        )
    },
    // What sub-meters explain: only for how long they were read. What they lack is in the remainder.
    submetered(Measure::ElectricitySubmetered, (Measure::ElectricitySubmeteredObserved, Measure::ElectricityExpected)),
    submetered(Measure::GasSubmetered, (Measure::GasSubmeteredObserved, Measure::GasExpected)),
    submetered(Measure::WaterSubmetered, (Measure::WaterSubmeteredObserved, Measure::WaterExpected)),
    submetered(Measure::SteamSubmetered, (Measure::SteamSubmeteredObserved, Measure::SteamExpected)),
    submetered(Measure::WastewaterSubmetered, (Measure::WastewaterSubmeteredObserved, Measure::WastewaterExpected)),
    // Calibration and fault time never enters an average.
    Input {
        amount: Measure::ValidTime,
        substituted: None,
        excluded: &[Measure::CalibrationTime, Measure::ChannelFaultTime],
        declared: Declared::Nothing,
        observed: Some((Measure::ValidTime, Measure::ChannelExpected)),
    },
    // A load needs the flow as well as the concentration.
    Input {
        amount: Measure::LoadTime,
        substituted: None,
        excluded: &[],
        declared: Declared::Nothing,
        observed: Some((Measure::LoadTime, Measure::ChannelExpected)),
    },
    declared(Measure::FugitiveCo2e),
    // What a contract's meter counts is measured; a volume, in the configuration or approved, is not.
    Input {
        amount: Measure::ElectricityContracted,
        substituted: None,
        excluded: &[],
        declared: Declared::Part(Measure::ElectricityContractedDeclared),
        observed: None,
    },
    declared(Measure::Waste),
];

/// Returns measures with what says how their amounts were measured, each once.
fn with_companions(measures: &[Measure]) -> Vec<Measure> {
    let mut all = measures.to_vec();
    for input in INPUTS.iter().filter(|input| measures.contains(&input.amount)) {
        all.extend(input.substituted.iter().chain(input.excluded));
        all.extend(match input.declared {
            Declared::Part(part) => Some(part),
            Declared::Nothing | Declared::Everything => None,
        });
        all.extend(input.observed.iter().flat_map(|(observed, expected)| [*observed, *expected]));
    }
    // Without them nobody could tell that a count has no sum, or a weight is missing: see `super::outcome`.
    all.extend(measures.iter().any(|measure| measure.is_quantity()).then_some(Measure::UnlikeParts));
    all.extend(measures.contains(&Measure::PruPq).then_some(Measure::UnplannedParts));
    each_once(all.into_iter())
}

/// What one KPI's inputs ask of facts: found once, asked of every window.
pub(super) struct Told {
    /// Its measures and what says how they were measured, each once.
    pub(super) revealed: Vec<Measure>,
    inputs: Vec<&'static Input>,
    substituted: Vec<Measure>,
    excluded: Vec<Measure>,
    declared: Vec<Measure>,
    observed: Vec<(Measure, Measure)>,
    /// It rests on machine states.
    has_states: bool,
}

impl Told {
    /// Returns what is to be asked of facts for a KPI that rests on these measures.
    pub(super) fn of(measures: &[Measure]) -> Self {
        let revealed = with_companions(measures);
        let uses = |measure: &Measure| revealed.contains(measure);
        let declared = |input: &Input| match input.declared {
            Declared::Nothing => None,
            Declared::Part(part) => Some(part),
            Declared::Everything => Some(input.amount),
        };
        // What a channel leaves out is in its coverage: it is no amount.
        let amounts = INPUTS.iter().filter(|input| input.amount != Measure::ValidTime);
        Self {
            inputs: INPUTS.iter().filter(|input| uses(&input.amount)).collect(),
            substituted: each_once(INPUTS.iter().filter_map(|input| input.substituted).filter(uses)),
            excluded: each_once(amounts.flat_map(|input| input.excluded).copied().filter(uses)),
            declared: each_once(INPUTS.iter().filter_map(declared).filter(uses)),
            observed: each_once(
                INPUTS.iter().filter_map(|input| input.observed).filter(|(observed, _)| uses(observed)),
            ),
            has_states: uses(&Measure::NoData),
            revealed,
        }
    }

    /// Says whether any amount that the KPI rests on was in part spread over a gap.
    pub(super) fn is_substituted(&self, facts: &Facts) -> bool {
        any(&self.substituted, facts)
    }

    /// Says whether anything that the KPI rests on was declared.
    pub(super) fn is_declared(&self, facts: &Facts) -> bool {
        any(&self.declared, facts)
    }

    /// Says whether growth was left out of anything that the KPI rests on as impossible.
    pub(super) fn is_excluded(&self, facts: &Facts) -> bool {
        any(&self.excluded, facts)
    }

    /// Returns the smallest of the coverages of the inputs that the KPI rests on.
    pub(super) fn coverage(&self, facts: &Facts) -> Option<f64> {
        let times = self.has_states.then(|| {
            let known = known_ms(facts);
            (known, known + facts.amount(Measure::NoData))
        });
        let inputs =
            self.observed.iter().map(|(observed, expected)| (facts.amount(*observed), facts.amount(*expected)));
        let shares = times.into_iter().chain(inputs).filter(|(_, expected)| *expected > 0);
        shares.map(|(observed, expected)| ratio(observed, expected)).reduce(f64::min)
    }

    /// Returns the shares of the input of which the smallest share was measured, the first such in the order of
    /// [`INPUTS`]; `None` where no input of the KPI has an amount.
    ///
    /// Of net electricity the shares are of everything that was read, in and out: measured, substituted and declared
    /// together are 1. What was excluded is a share of all that was seen, itself included.
    pub(super) fn shares(&self, facts: &Facts) -> Option<Shares> {
        let inputs = self.inputs.iter().filter_map(|input| of_input(input, facts));
        let states = (self.has_states && known_ms(facts) > 0).then_some(Shares::MEASURED);
        let worse = |a: Shares, b: Shares| {
            let is_worse = (b.measured, -b.excluded) < (a.measured, -a.excluded);
            if is_worse { b } else { a }
        };
        inputs.chain(states).reduce(worse)
    }
}

fn any(measures: &[Measure], facts: &Facts) -> bool {
    measures.iter().any(|measure| facts.amount(*measure) != 0)
}

fn each_once<T: Ord + Copy>(all: impl Iterator<Item = T>) -> Vec<T> {
    let mut seen = BTreeSet::new();
    all.filter(|one| seen.insert(*one)).collect()
}

fn of_input(input: &Input, facts: &Facts) -> Option<Shares> {
    let amount = match input.substituted {
        Some(Measure::ElectricitySubstituted) => electricity_read(facts, input.amount),
        _ => facts.amount(input.amount),
    };
    let substituted = input.substituted.map_or(0, |measure| facts.amount(measure));
    let declared = match input.declared {
        Declared::Nothing => 0,
        Declared::Part(measure) => facts.amount(measure),
        Declared::Everything => amount,
    };
    let excluded: i128 = input.excluded.iter().map(|measure| facts.amount(*measure).abs()).sum();
    let measured = (amount - substituted - declared).abs();
    let (substituted, declared) = (substituted.abs(), declared.abs());
    let inside = measured + substituted + declared;
    if inside + excluded == 0 {
        return None;
    }
    let share = |part: i128| if inside == 0 { 0.0 } else { ratio(part, inside) };
    Some(Shares {
        measured: share(measured),
        substituted: share(substituted),
        declared: share(declared),
        excluded: ratio(excluded, inside + excluded),
    })
}

/// Returns the electricity that was read in all: what is substituted is told of imports, generation and exports
/// together. Facts that don't tell them apart have the amount itself. **Unit**: 10⁻⁶ kWh.
fn electricity_read(facts: &Facts, amount: Measure) -> i128 {
    match facts.get(Measure::ElectricityImport) {
        Some(import) => {
            import + facts.amount(Measure::ElectricityGeneration) + facts.amount(Measure::ElectricityExport)
        }
        None => facts.amount(amount).abs(),
    }
}

/// Returns the planned operation time of which a state is known. **Unit**: ms.
fn known_ms(facts: &Facts) -> i128 {
    planned_busy_ms(facts) + facts.amount(Measure::PlannedDown)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{day, e7};
    use super::{INPUTS, Measure};
    use crate::engine::kpi::CATALOGUE;
    use crate::model::record::{Flag, Shares};

    const KWH: i128 = 1_000_000;

    fn electricity(amount: i128, substituted: i128, excluded: i128) -> Option<Shares> {
        let facts = [
            (Measure::Electricity, amount * KWH),
            (Measure::ElectricitySubstituted, substituted * KWH),
            (Measure::ElectricityExcluded, excluded * KWH),
            (Measure::ElectricityObserved, 1),
            (Measure::ElectricityExpected, 1),
        ];
        day("electricity", &facts).shares
    }

    #[test]
    fn shares_are_parts_of_the_amount_and_what_was_left_out_is_beside_it() {
        let shares =
            |measured, substituted, excluded| Some(Shares { measured, substituted, excluded, ..Shares::MEASURED });
        assert_eq!(electricity(100, 0, 0), Some(Shares::MEASURED));
        assert_eq!(electricity(100, 25, 0), shares(0.75, 0.25, 0.0));
        assert_eq!(electricity(75, 0, 25), shares(1.0, 0.0, 0.25));
        assert_eq!(electricity(0, 0, 25), shares(0.0, 0.0, 1.0));
        assert_eq!(electricity(0, 0, 0), None, "nothing has no parts");
    }

    #[test]
    fn a_net_amount_of_parts_with_different_signs_has_shares_of_their_magnitudes() {
        // 30 kWh drawn and measured, 20 kWh given back over a gap: net 10.
        let facts = [
            (Measure::Electricity, 10 * KWH),
            (Measure::ElectricityImport, 30 * KWH),
            (Measure::ElectricityExport, 20 * KWH),
            (Measure::ElectricitySubstituted, 20 * KWH),
            (Measure::ElectricityObserved, 1),
        ];
        let shares = day("electricity", &facts).shares.unwrap();
        assert_eq!((shares.measured, shares.substituted), (0.6, 0.4));
    }

    #[test]
    fn the_input_of_which_the_least_was_measured_speaks_for_the_kpi() {
        let mut facts = e7();
        assert_eq!(day("oee", &facts).shares, Some(Shares::MEASURED));
        facts.push((Measure::PartsSubstituted, 95_000_000));
        let value = day("oee", &facts);
        let shares = value.shares.unwrap();
        assert_eq!((shares.measured, shares.substituted), (0.75, 0.25));
        assert!(value.flags.contains(&Flag::Substituted));
        assert_eq!(day("availability", &facts).shares, Some(Shares::MEASURED), "no parts are in it");
    }

    #[test]
    fn a_kpi_reveals_how_its_inputs_were_measured_and_nothing_twice() {
        for definition in CATALOGUE {
            let revealed = definition.reveals();
            assert!(definition.measures.iter().all(|measure| revealed.contains(measure)), "{}", definition.id);
            let distinct: std::collections::BTreeSet<_> = revealed.iter().collect();
            assert_eq!(distinct.len(), revealed.len(), "{}", definition.id);
            for input in INPUTS.iter().filter(|input| revealed.contains(&input.amount)) {
                assert!(input.substituted.iter().all(|measure| revealed.contains(measure)), "{}", definition.id);
            }
        }
    }
}
