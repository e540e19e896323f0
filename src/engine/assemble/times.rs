//! The time model of ISO 22400-2: every millisecond of planned operation time in exactly one element.

use super::{Scope, Span};
use crate::model::fact::{Facts, Measure};

/// The time elements that NO_DATA completes to planned operation time.
const STATE_MEASURES: [Measure; 5] = [Measure::Apt, Measure::Aust, Measure::Adet, Measure::Adot, Measure::PlannedDown];
const TIMES: [Measure; 6] =
    [Measure::Apt, Measure::Aust, Measure::Adet, Measure::Adot, Measure::PlannedDown, Measure::NoData];

/// Adds the time elements: of the asset's own state, or summed from its children.
pub(super) fn add(scope: &Scope<'_>, facts: &mut Facts) {
    let Some(tag) = scope.asset.state else { return scope.sum_children(&TIMES, facts) };
    let Span::Whole { planned, .. } = scope.span else { return };
    let planned = planned.get(scope.asset.calendar).map_or(&[][..], |planned| planned.operation.as_slice());
    STATE_MEASURES.into_iter().for_each(|measure| facts.set(measure, 0));
    let mut known_ms = 0;
    for (start, end, state) in scope.contribution(tag).into_iter().flat_map(|minute| &minute.states) {
        for window in planned {
            let ms = (*end).min(window.end).ms_since((*start).max(window.start)).max(0);
            known_ms += ms;
            facts.add(state.measure(), i128::from(ms));
        }
    }
    let planned_ms: i64 = planned.iter().map(|window| window.length_ms()).sum();
    facts.set(Measure::NoData, i128::from(planned_ms - known_ms));
}
