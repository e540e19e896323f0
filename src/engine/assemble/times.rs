//! The time model of ISO 22400-2: every millisecond of planned operation time in exactly one element.
//!
//! In: what the calendar plans, the stops that were told, and the states that the machine reported, in any order,
//! overlapping and contradictory. Out: each element's time. Of what speaks of one instant counts, in this order:
//!
//! 1. production and setup that the machine reports: a machine that runs through a break runs;
//! 2. a break in which the machine is planned to stand still: planned down;
//! 3. a told stop, of several the one that began last;
//! 4. any other state that the machine reports, of several the one that began last;
//! 5. nothing: NO_DATA, which is never downtime.

use super::{Scope, Span};
use crate::engine::calendar::Planned;
use crate::model::fact::{Facts, Measure};
use crate::model::state::MachineState;
use crate::model::time::{Timestamp, Window};

/// From, to, and what holds between them.
type StateSpan = (Timestamp, Timestamp, MachineState);

/// What an asset without a state of its own sums from its children.
const TIMES: [Measure; 12] = [
    Measure::Apt,
    Measure::Aust,
    Measure::Adet,
    Measure::Adot,
    Measure::PlannedDown,
    Measure::NoData,
    Measure::FaultTime,
    Measure::Failures,
    Measure::Cmt,
    Measure::Pmt,
    Measure::AllTime,
    Measure::MinorStops,
];

/// Adds the time elements: of the asset's own state, or summed from its children.
pub(super) fn add(scope: &Scope<'_>, facts: &mut Facts) {
    let Some(tag) = scope.asset.state else { return scope.sum_children(&TIMES, facts) };
    let Span { window, planned } = scope.span;
    let Some(planned) = planned.get(scope.asset.calendar) else { return };
    let minute = scope.contribution(tag);
    let stops = scope.stops(window);
    let said = Said {
        planned,
        stops: &stops,
        states: minute.map_or(&[], |minute| &minute.states),
        entered_with: minute.and_then(|minute| minute.entered_with),
    };
    let times = said.times();
    for (measure, ms) in ELEMENTS.into_iter().zip(times.elements) {
        facts.set(measure, i128::from(ms));
    }
    facts.set(Measure::FaultTime, i128::from(times.fault_ms));
    facts.set(Measure::Failures, i128::from(times.failures));
    facts.set(Measure::Cmt, i128::from(times.fault_ms + said.outside_ms(MachineState::CorrectiveMaintenance)));
    facts.set(Measure::Pmt, i128::from(said.all_ms(MachineState::PreventiveMaintenance)));
    facts.set(Measure::AllTime, i128::from(window.length_ms()));
    facts.set(Measure::MinorStops, i128::from(times.minor_stops_ms));
}

/// Returns busy time (AUBT) and production time (APT) of an asset between two instants of the scope's span: of its own
/// state, or of all machines in it. **Unit**: ms.
pub(super) fn busy_between(scope: &Scope<'_>, part: Window) -> (i64, i64) {
    let Some(tag) = scope.asset.state else {
        let of = |child: usize| busy_between(&scope.at(child), part);
        return scope.positions_of_children().map(of).fold((0, 0), |sum, child| (sum.0 + child.0, sum.1 + child.1));
    };
    let Some(planned) = scope.span.planned.get(scope.asset.calendar) else { return (0, 0) };
    let within = |window: &Window| Window { start: window.start.max(part.start), end: window.end.min(part.end) };
    let operation = planned.operation.iter().map(within).filter(|window| window.start < window.end).collect();
    let planned = Planned { operation, ..planned.clone() };
    let stops = scope.stops(part);
    let states = scope.contribution(tag).map_or(&[][..], |minute| &minute.states);
    let [apt, aust, adet, ..] = Said { planned: &planned, stops: &stops, states, entered_with: None }.times().elements;
    (apt + aust + adet, apt)
}

/// The elements that planned operation time consists of.
const ELEMENTS: [Measure; 6] =
    [Measure::Apt, Measure::Aust, Measure::Adet, Measure::Adot, Measure::PlannedDown, Measure::NoData];

/// Everything that is said of an asset's minute.
#[derive(Debug, Clone, Copy)]
struct Said<'a> {
    planned: &'a Planned,
    stops: &'a [StateSpan],
    states: &'a [StateSpan],
    /// The last state that was known when the minute's first sample came.
    entered_with: Option<MachineState>,
}

/// The time of each of [`ELEMENTS`], and what of it belongs to failures. **Unit**: ms.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Times {
    elements: [i64; 6],
    fault_ms: i64,
    minor_stops_ms: i64,
    failures: i64,
}

/// What one instant counts as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Verdict {
    element: Measure,
    is_fault: bool,
    is_minor_stop: bool,
}

impl Times {
    fn count(&mut self, verdict: Verdict, ms: i64) {
        // Every verdict is one of the six.
        if let Some(place) = ELEMENTS.iter().position(|element| *element == verdict.element) {
            self.elements[place] += ms;
        }
        self.fault_ms += if verdict.is_fault { ms } else { 0 };
        self.minor_stops_ms += if verdict.is_minor_stop { ms } else { 0 };
    }
}

impl Said<'_> {
    fn times(&self) -> Times {
        let is_plain = self.stops.is_empty()
            && self.planned.down.is_empty()
            && self.states.windows(2).all(|pair| pair[0].1 <= pair[1].0);
        let mut times = if is_plain { self.plain() } else { self.contested() };
        times.failures = self.failures();
        times
    }

    /// Counts what only the machine speaks of, one state after the other: nearly every minute.
    fn plain(&self) -> Times {
        let mut times = Times::default();
        let mut known_ms = 0;
        for (start, end, state) in self.states {
            let ms = overlap_ms(&self.planned.operation, *start, *end);
            times.count(verdict_of(*state), ms);
            known_ms += ms;
        }
        times.count(NO_DATA, self.planned.operation.iter().map(|window| window.length_ms()).sum::<i64>() - known_ms);
        times
    }

    /// Cuts planned operation time wherever anything begins or ends and judges each part.
    fn contested(&self) -> Times {
        let mut times = Times::default();
        let spans = self.stops.iter().chain(self.states).flat_map(|(start, end, _)| [*start, *end]);
        let breaks = self.planned.down.iter().flat_map(|window| [window.start, window.end]);
        let mut cuts: Vec<Timestamp> = spans.chain(breaks).collect();
        cuts.sort_unstable();
        cuts.dedup();
        for window in &self.planned.operation {
            let mut from = window.start;
            let inside = cuts.iter().copied().filter(|cut| *cut > window.start && *cut < window.end);
            for to in inside.chain([window.end]) {
                times.count(self.verdict(from), to.ms_since(from));
                from = to;
            }
        }
        times
    }

    /// Judges an instant of planned operation time.
    fn verdict(&self, at: Timestamp) -> Verdict {
        let state = latest(self.states, at);
        let reports = |wanted| self.states.iter().any(|span| holds(span, at) && span.2 == wanted);
        let running = [MachineState::Producing, MachineState::Setup].into_iter().find(|state| reports(*state));
        let is_break = self.planned.down.iter().any(|window| window.contains(at));
        match (running, latest(self.stops, at)) {
            (Some(running), _) => verdict_of(running),
            (None, _) if is_break => verdict_of(MachineState::PlannedDown),
            (None, Some(told)) => {
                let element = told.measure();
                let is_fault = element == Measure::Adet && state.is_some_and(MachineState::has_failed);
                Verdict { element, is_fault, is_minor_stop: false }
            }
            (None, None) => state.map_or(NO_DATA, verdict_of),
        }
    }

    /// Counts the changes from another state into a failed one, where they are not within a break or a stop that says
    /// otherwise. What is held from the minute before is no change, and neither is a state that comes back after a gap.
    fn failures(&self) -> i64 {
        let mut before = self.entered_with;
        let mut failures = 0;
        let mut count = |(start, _, state): &StateSpan| {
            let has_begun = before.is_some_and(|before| !before.has_failed()) && state.has_failed();
            let is_planned = || self.planned.operation.iter().any(|window| window.contains(*start));
            if has_begun && is_planned() && self.verdict(*start).is_fault {
                failures += 1;
            }
            before = Some(*state);
        };
        if self.states.is_sorted() {
            self.states.iter().for_each(&mut count);
        } else {
            let mut states = self.states.to_vec();
            states.sort_unstable();
            states.iter().for_each(&mut count);
        }
        failures
    }

    /// Returns the time in a state, planned or not.
    fn all_ms(&self, wanted: MachineState) -> i64 {
        self.states.iter().filter(|(.., state)| *state == wanted).map(|(start, end, _)| end.ms_since(*start)).sum()
    }

    /// Returns the time in a state outside planned operation time.
    fn outside_ms(&self, wanted: MachineState) -> i64 {
        let spans = self.states.iter().filter(|(.., state)| *state == wanted);
        spans.map(|(start, end, _)| end.ms_since(*start) - overlap_ms(&self.planned.operation, *start, *end)).sum()
    }
}

const NO_DATA: Verdict = Verdict { element: Measure::NoData, is_fault: false, is_minor_stop: false };

fn verdict_of(state: MachineState) -> Verdict {
    Verdict { element: state.measure(), is_fault: state.has_failed(), is_minor_stop: state == MachineState::Stopped }
}

fn holds((start, end, _): &StateSpan, at: Timestamp) -> bool {
    *start <= at && at < *end
}

/// Returns the state that holds at an instant, of several the one that began last.
fn latest(spans: &[StateSpan], at: Timestamp) -> Option<MachineState> {
    spans.iter().filter(|span| holds(span, at)).max().map(|(.., state)| *state)
}

fn overlap_ms(windows: &[Window], start: Timestamp, end: Timestamp) -> i64 {
    windows.iter().map(|window| end.min(window.end).ms_since(start.max(window.start)).max(0)).sum()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{Strategy, any, prop_assert_eq, proptest};

    use super::{MachineState, Measure, Planned, Said, StateSpan, Times, Timestamp, Window};
    use crate::model::time::MINUTE_MS;

    const MINUTE: Window = Window { start: Timestamp(0), end: Timestamp(MINUTE_MS) };

    fn window(from: i64, to: i64) -> Window {
        Window { start: Timestamp(from), end: Timestamp(to) }
    }

    fn span(from: i64, to: i64, state: MachineState) -> StateSpan {
        (Timestamp(from), Timestamp(to), state)
    }

    fn whole() -> Planned {
        Planned { operation: vec![MINUTE], ..Planned::default() }
    }

    fn times(planned: &Planned, stops: &[StateSpan], states: &[StateSpan], before: Option<MachineState>) -> Times {
        Said { planned, stops, states, entered_with: before }.times()
    }

    fn element(times: &Times, measure: Measure) -> i64 {
        super::ELEMENTS.iter().zip(times.elements).find(|(element, _)| **element == measure).unwrap().1
    }

    #[test]
    fn production_in_a_break_is_production_and_the_rest_of_the_break_is_planned_down() {
        let planned = Planned { down: vec![window(10_000, 40_000)], ..whole() };
        let states = [span(0, 20_000, MachineState::Producing), span(20_000, 50_000, MachineState::Stopped)];
        let times = times(&planned, &[], &states, None);
        assert_eq!(times.elements, [20_000, 0, 10_000, 0, 20_000, 10_000]);
        assert_eq!(times.minor_stops_ms, 10_000);
    }

    #[test]
    fn a_break_without_data_is_planned_down_because_the_calendar_knows_it() {
        let planned = Planned { down: vec![MINUTE], ..whole() };
        assert_eq!(times(&planned, &[], &[], None).elements, [0, 0, 0, 0, MINUTE_MS, 0]);
    }

    #[test]
    fn a_told_stop_is_more_than_the_state_and_less_than_observed_production() {
        let stops = [span(0, 60_000, MachineState::Down)];
        let states = [span(0, 30_000, MachineState::Stopped), span(30_000, 60_000, MachineState::Producing)];
        let times = times(&whole(), &stops, &states, None);
        assert_eq!(times.elements, [30_000, 0, 0, 30_000, 0, 0]);
        assert_eq!(times.minor_stops_ms, 0);
    }

    #[test]
    fn a_fault_remains_one_under_a_told_delay_and_none_under_a_told_planned_stop() {
        let states = [span(0, 60_000, MachineState::Fault)];
        let told = |state| times(&whole(), &[span(0, 60_000, state)], &states, Some(MachineState::Producing));
        let (delay, planned) = (told(MachineState::Stopped), told(MachineState::PlannedDown));
        assert_eq!((delay.fault_ms, delay.failures), (60_000, 1));
        assert_eq!((planned.fault_ms, planned.failures), (0, 0));
        assert_eq!(element(&planned, Measure::PlannedDown), 60_000);
    }

    #[test]
    fn a_failure_is_a_change_into_a_fault_and_its_repair_is_no_second_one() {
        let states = [
            span(0, 10_000, MachineState::Producing),
            span(10_000, 20_000, MachineState::Fault),
            span(20_000, 30_000, MachineState::CorrectiveMaintenance),
            span(30_000, 40_000, MachineState::Producing),
            span(40_000, 60_000, MachineState::Fault),
        ];
        let found = times(&whole(), &[], &states, Some(MachineState::Producing));
        assert_eq!((found.failures, found.fault_ms), (2, 40_000));
        // Held from the minute before, or back after a gap: the same failure.
        let held = [span(0, 60_000, MachineState::Fault)];
        assert_eq!(times(&whole(), &[], &held, None).failures, 0);
        assert_eq!(times(&whole(), &[], &held, Some(MachineState::Fault)).failures, 0);
    }

    #[test]
    fn outside_planned_operation_time_nothing_counts_but_maintenance() {
        let nothing = Planned::default();
        let states = [
            span(0, 20_000, MachineState::Fault),
            span(20_000, 45_000, MachineState::CorrectiveMaintenance),
            span(45_000, 60_000, MachineState::PreventiveMaintenance),
        ];
        let said = Said { planned: &nothing, stops: &[], states: &states, entered_with: Some(MachineState::Producing) };
        assert_eq!(said.times(), Times::default());
        assert_eq!(said.outside_ms(MachineState::CorrectiveMaintenance), 25_000);
        assert_eq!(said.all_ms(MachineState::PreventiveMaintenance), 15_000);
    }

    fn any_spans() -> impl Strategy<Value = Vec<StateSpan>> {
        let any_span = (0..60_000_i64, 0..60_000_i64, 0..MachineState::ALL.len());
        let ordered = any_span.prop_map(|(a, b, state)| span(a.min(b), a.max(b), MachineState::ALL[state]));
        proptest::collection::vec(ordered, 0..8)
    }

    /// Windows within the minute as a calendar gives them: ascending, without overlap.
    fn any_windows() -> impl Strategy<Value = Vec<Window>> {
        proptest::collection::btree_set(0..60_000_i64, 0..6).prop_map(|cuts| {
            let cuts: Vec<i64> = cuts.into_iter().collect();
            cuts.chunks_exact(2).map(|pair| window(pair[0], pair[1])).collect()
        })
    }

    proptest! {
        #[test]
        fn every_millisecond_of_planned_operation_time_is_in_exactly_one_element(
            operation in any_windows(),
            breaks in any_windows(),
            stops in any_spans(),
            states in any_spans(),
            before in proptest::option::of(0..MachineState::ALL.len()),
            seed in any::<u64>(),
        ) {
            let planned_ms: i64 = operation.iter().map(|window| window.length_ms()).sum();
            let planned = Planned { operation, down: breaks, unpaid: Vec::new() };
            let before = before.map(|state| MachineState::ALL[state]);
            let found = times(&planned, &stops, &states, before);
            prop_assert_eq!(found.elements.iter().sum::<i64>(), planned_ms);
            proptest::prop_assert!(found.fault_ms + found.minor_stops_ms <= element(&found, Measure::Adet));
            // In any other order the same.
            let mut rotated = states.clone();
            let by = usize::try_from(seed % 8).unwrap() % rotated.len().max(1);
            rotated.rotate_left(by);
            let mut turned = stops.clone();
            turned.reverse();
            prop_assert_eq!(times(&planned, &turned, &rotated, before), found);
        }

        /// The short way of a minute that only the machine speaks of gives what cutting it gives.
        #[test]
        fn a_minute_without_breaks_and_stops_counts_the_same_either_way(
            operation in any_windows(),
            mut states in any_spans(),
        ) {
            states.sort_unstable();
            let mut until = Timestamp(0);
            for (start, end, _) in &mut states {
                *start = until.max(*start);
                *end = (*end).max(*start);
                until = *end;
            }
            let planned = Planned { operation, ..Planned::default() };
            let said = Said { planned: &planned, stops: &[], states: &states, entered_with: None };
            prop_assert_eq!(said.plain(), said.contested());
        }
    }
}
