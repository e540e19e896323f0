//! What a share lets out: the facts that each shared KPI carries with it, and what follows from them.

use crate::engine::kpi;
use crate::model::fact::Measure;
use crate::model::record::KpiId;
use crate::sinks::platform::config::PlatformSink;

/// What sharing one KPI reveals.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revealed {
    /// The KPI.
    pub kpi: KpiId,
    /// The facts that travel with it.
    pub measures: Vec<Measure>,
    /// The same in words, and what can be computed from them; each once, in the order of the measures.
    pub words: Vec<&'static str>,
}

/// Returns what a sink's share reveals, KPI by KPI. A KPI that isn't in the catalogue reveals nothing.
pub fn reveals(sink: &PlatformSink) -> Vec<Revealed> {
    let policy = sink.share.policy();
    policy
        .kpis
        .into_iter()
        .filter_map(|id| kpi::find(id.as_str()))
        .map(|definition| Revealed {
            kpi: definition.id.clone(),
            measures: definition.measures.to_vec(),
            words: in_words(definition.measures),
        })
        .collect()
}

fn in_words(measures: &[Measure]) -> Vec<&'static str> {
    let mut words: Vec<&'static str> = Vec::new();
    for word in measures.iter().map(|measure| name(*measure)) {
        if !words.contains(&word) {
            words.push(word);
        }
    }
    let has = |measure| measures.contains(&measure);
    let planned = [(Measure::PruPq, Measure::ProducedQuantity), (Measure::PruGq, Measure::GoodQuantity)];
    if planned.into_iter().any(|(product, quantity)| has(product) && has(quantity)) {
        words.push("planned run time per unit");
    }
    words
}

/// Returns a measure in words. Those that only say how well another was measured go by one name.
const fn name(measure: Measure) -> &'static str {
    match measure {
        Measure::Apt => "production time",
        Measure::Aust => "setup time",
        Measure::Adet => "delay time",
        Measure::Adot => "down time",
        Measure::PlannedDown => "planned down time",
        Measure::NoData | Measure::PartsObserved | Measure::PartsExpected => "coverage",
        Measure::ElectricityObserved | Measure::ElectricityExpected => "coverage",
        Measure::ReactiveObserved | Measure::ReactiveExpected => "coverage",
        Measure::ProducedQuantity => "produced quantity",
        Measure::GoodQuantity => "good quantity",
        Measure::ScrapQuantity => "scrap quantity",
        Measure::ReworkQuantity => "rework quantity",
        Measure::PruPq => "planned run time of the produced quantity",
        Measure::PruGq => "planned run time of the good quantity",
        Measure::Electricity => "electricity",
        Measure::ElectricitySubstituted => "estimated part of the electricity",
        Measure::ElectricityExcluded => "excluded part of the electricity",
        Measure::ReactiveEnergy => "reactive energy",
        Measure::HalfHourPeak => "half-hour peak",
    }
}

#[cfg(test)]
mod tests {
    use super::in_words;
    use crate::engine::kpi;

    #[test]
    fn carbon_intensity_reveals_produced_quantity() {
        assert!(in_words(kpi::find("carbon_intensity").unwrap().measures).contains(&"produced quantity"));
        assert!(!in_words(kpi::find("scope_2").unwrap().measures).contains(&"produced quantity"));
    }

    #[test]
    fn a_quantity_and_its_planned_time_reveal_the_time_per_unit() {
        for kpi in kpi::CATALOGUE {
            let words = in_words(kpi.measures);
            let both =
                words.contains(&"produced quantity") && words.contains(&"planned run time of the produced quantity");
            assert!(!both || words.contains(&"planned run time per unit"), "{}", kpi.id);
        }
    }
}
