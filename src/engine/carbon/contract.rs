//! Electricity that a contract covers: power purchase agreements and energy attribute certificates.
//!
//! The market-based method counts it by the contract's own factor. **Source**: GHG Protocol Scope 2 Guidance, chapter 6.

use super::amount::{coefficient, times};
use crate::model::fact::{Facts, Measure};
use crate::model::tag::TagIndex;
use crate::model::time::{Timestamp, Window};

/// One `[[contract]]` of an asset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contract {
    /// What measures the covered electricity; `None`: `volume` says it.
    pub quantity: Option<TagIndex>,
    /// What is covered within the validity, evenly. **Unit**: 10⁻⁶ kWh.
    pub volume: i128,
    /// Within which it holds.
    pub validity: Window,
    /// **Unit**: 10⁻¹² of µg CO₂e per 10⁻⁶ kWh.
    factor: i128,
}

impl Contract {
    /// Makes a contract. **Unit** of `kg_per_kwh`: kg CO₂e per kWh, the same as t per MWh.
    pub fn new(quantity: Option<TagIndex>, volume: i128, validity: Window, kg_per_kwh: f64) -> Self {
        Self { quantity, volume, validity, factor: coefficient(kg_per_kwh * 1e3) }
    }

    /// Adds what the contract covers within a window. `metered`: what its meter counted in it.
    pub(in crate::engine) fn add(&self, window: Window, metered: Option<i128>, facts: &mut Facts) {
        let covered = match metered {
            Some(amount) if self.validity.contains(window.start) => amount,
            Some(_) => 0,
            None => self.due_by(window.end) - self.due_by(window.start),
        };
        facts.add(Measure::ElectricityContracted, covered);
        facts.add(Measure::ElectricityContractedDeclared, if metered.is_some() { 0 } else { covered });
        facts.add(Measure::ContractedCo2e, times(covered, self.factor));
    }

    /// Returns what is covered up to an instant, rounded down, so that the windows together have all of it.
    fn due_by(&self, instant: Timestamp) -> i128 {
        let Window { start, end } = self.validity;
        let passed = i128::from(instant.clamp(start, end).ms_since(start));
        (self.volume * passed).div_euclid(i128::from(self.validity.length_ms()).max(1))
    }
}

#[cfg(test)]
mod tests {
    use super::{Contract, Facts, Measure, Timestamp, Window};

    #[test]
    fn a_volume_is_spread_over_its_validity_and_nothing_of_it_is_lost() {
        let validity = Window { start: Timestamp(0), end: Timestamp(7 * 60_000) };
        let contract = Contract::new(None, 1_000_000, validity, 0.1);
        let mut facts = Facts::default();
        for minute in -1..9 {
            let start = Timestamp(minute * 60_000);
            contract.add(Window { start, end: start + 60_000 }, None, &mut facts);
        }
        assert_eq!(facts.amount(Measure::ElectricityContracted), 1_000_000);
        assert_eq!(facts.amount(Measure::ElectricityContractedDeclared), 1_000_000, "nobody measures a volume");
        // 1 kWh × 0.1 kg/kWh, each minute rounded to a microgram.
        assert_eq!(facts.amount(Measure::ContractedCo2e), 100_000_000);
    }

    #[test]
    fn a_metered_contract_covers_what_its_meter_counts_while_it_holds() {
        let validity = Window { start: Timestamp(0), end: Timestamp(60_000) };
        let contract = Contract::new(None, 0, validity, 0.0);
        for (start, covered) in [(0, 5_000), (60_000, 0)] {
            let mut facts = Facts::default();
            let start = Timestamp(start);
            contract.add(Window { start, end: start + 60_000 }, Some(5_000), &mut facts);
            assert_eq!(facts.get(Measure::ElectricityContracted), Some(covered));
            assert_eq!(facts.get(Measure::ElectricityContractedDeclared), Some(0), "a meter counts it");
            assert_eq!(facts.get(Measure::ContractedCo2e), Some(0));
        }
    }
}
