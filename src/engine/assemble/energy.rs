//! Energy and other media through the meters of an asset's boundary.

use super::{Scope, Span};
use crate::model::fact::{Facts, Measure};
use crate::model::tag::TagIndex;

const ELECTRICITY: [Measure; 8] = [
    Measure::Electricity,
    Measure::ElectricitySubstituted,
    Measure::ElectricityExcluded,
    Measure::ReactiveEnergy,
    Measure::ElectricityObserved,
    Measure::ElectricityExpected,
    Measure::ReactiveObserved,
    Measure::ReactiveExpected,
];

/// Adds net and reactive electricity: of the asset's own boundary meters, or its children's where it says so.
pub(super) fn add(scope: &Scope<'_>, facts: &mut Facts) {
    let boundary = &scope.asset.boundary;
    if !boundary.has_electricity() {
        if scope.asset.sum_children.electricity {
            scope.sum_children(&ELECTRICITY, facts);
        }
        return;
    }
    let signed = boundary
        .electricity
        .iter()
        .chain(&boundary.generation)
        .map(|tag| (1, *tag))
        .chain(boundary.export.iter().map(|tag| (-1, *tag)));
    facts.set(Measure::Electricity, 0);
    facts.set(Measure::ElectricitySubstituted, 0);
    facts.set(Measure::ElectricityExcluded, 0);
    for (sign, minute) in signed.clone().filter_map(|(sign, tag)| Some((sign, scope.contribution(tag)?))) {
        facts.add(Measure::Electricity, sign * minute.amount);
        facts.add(Measure::ElectricitySubstituted, sign * minute.substituted);
        facts.add(Measure::ElectricityExcluded, sign * minute.excluded);
    }
    if !boundary.reactive.is_empty() {
        facts.set(Measure::ReactiveEnergy, boundary.reactive.iter().map(|tag| scope.amount(*tag)).sum());
    }
    if let Span::Whole { window, .. } = scope.span {
        let expected_ms = i128::from(window.length_ms());
        let meters: Vec<TagIndex> = signed.map(|(_, tag)| tag).collect();
        facts.set(Measure::ElectricityExpected, expected_ms);
        facts.set(Measure::ElectricityObserved, i128::from(scope.observed_ms(&meters)));
        if !boundary.reactive.is_empty() {
            facts.set(Measure::ReactiveExpected, expected_ms);
            facts.set(Measure::ReactiveObserved, i128::from(scope.observed_ms(&boundary.reactive)));
        }
    }
}
