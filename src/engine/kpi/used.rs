//! The reference entries that facts already rest on.
//!
//! Most KPIs turn facts into a figure by a factor of the window's year. Some facts hold their factor already: a mass of
//! gas is made of a quantity of fuel, minute by minute, by the factor of that day. A record names those entries too.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::fact::Measure;
use crate::model::record::FactorRef;

/// The measures that hold a factor, by which a box made them from quantities.
pub const HOLD_FACTORS: &[Measure] = &[
    Measure::FuelToe,
    Measure::StationaryCo2e,
    Measure::MobileCo2e,
    Measure::ProcessCo2e,
    Measure::FugitiveCo2e,
    Measure::SteamCo2e,
    Measure::Co2Biogenic,
    Measure::ElectricityCost,
];

/// Reference entries by the measure they made.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct UsedFactors {
    entries: BTreeMap<Measure, BTreeSet<FactorRef>>,
    provisional: BTreeSet<Measure>,
}

impl UsedFactors {
    /// Returns none at all.
    pub const fn new() -> Self {
        Self { entries: BTreeMap::new(), provisional: BTreeSet::new() }
    }

    /// Notes that facts of a measure rest on an entry.
    pub fn note(&mut self, measure: Measure, entry: FactorRef) {
        self.entries.entry(measure).or_default().insert(entry);
    }

    /// Notes that facts of a measure rest on an entry of another year, taken by explicit choice.
    pub fn note_provisional(&mut self, measure: Measure) {
        self.provisional.insert(measure);
    }

    /// Adds the entries of the measures, so that `factors` is ascending and each is in it once. Returns whether one of
    /// the measures is provisional.
    pub fn collect<'a>(&self, measures: impl IntoIterator<Item = &'a Measure>, factors: &mut Vec<FactorRef>) -> bool {
        let mut is_provisional = false;
        if self.entries.is_empty() && self.provisional.is_empty() && factors.len() < 2 {
            return false;
        }
        for measure in measures {
            factors.extend(self.entries.get(measure).into_iter().flatten().cloned());
            is_provisional |= self.provisional.contains(measure);
        }
        factors.sort();
        factors.dedup();
        is_provisional
    }
}
