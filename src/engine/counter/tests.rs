//! What devices do to their counters, and what must come of it.

use proptest::prelude::{Strategy, any, prop, proptest};
use proptest::{prop_assert, prop_assert_eq};

use super::{Counter, Limits, Note, Share, Step, ToldSwap};
use crate::model::swap::SwapOutcome;
use crate::model::time::Timestamp;

const SECOND: i64 = 1_000;
const HOUR: i64 = 3_600_000;

/// Nothing is known of the device but its hold.
const PLAIN: Limits = Limits { hold_ms: HOUR, modulus: None, max_per_second: None };

#[derive(Debug, Default, PartialEq)]
struct Sum {
    counted: i128,
    excluded: i128,
    notes: Vec<Note>,
    swaps: Vec<(i64, SwapOutcome)>,
}

fn add(sum: &mut Sum, steps: Vec<Step>) {
    for step in steps {
        match step {
            Step::Book(booking) if booking.share == Share::Excluded => sum.excluded += booking.amount,
            Step::Book(booking) => sum.counted += booking.amount,
            Step::Noted(note) => sum.notes.push(note),
            Step::Swapped(id, outcome) => sum.swaps.push((id, outcome)),
            Step::Watched(..) => {}
        }
    }
}

fn sum(limits: &Limits, readings: impl IntoIterator<Item = (i64, i128)>) -> Sum {
    let (mut counter, mut all) = (Counter::default(), Sum::default());
    for (at, value) in readings {
        let mut steps = Vec::new();
        counter.read(limits, Timestamp(at), value, &mut steps);
        add(&mut all, steps);
    }
    all
}

/// One reading a second.
fn each_second(limits: &Limits, values: &[i128]) -> Sum {
    sum(limits, (0..).map(|second| second * SECOND).zip(values.iter().copied()))
}

#[test]
fn one_zero_in_a_lifetime_counter_books_no_lifetime() {
    for max_per_second in [None, Some(30)] {
        let limits = Limits { max_per_second, ..PLAIN };
        let glitch = each_second(&limits, &[4_048_280, 4_048_281, 4_048_283, 0, 4_048_283, 4_048_285, 4_048_286]);
        assert_eq!((glitch.counted, glitch.excluded, glitch.notes), (6, 0, vec![Note::Dip]), "{max_per_second:?}");
        let growing = each_second(&limits, &[4_048_280, 4_048_281, 4_048_283, 0, 1, 4_048_285, 4_048_286, 4_048_287]);
        assert_eq!((growing.counted, growing.excluded), (7, 0), "{growing:?}");
    }
}

#[test]
fn a_first_reading_of_zero_books_no_lifetime_either() {
    let dip_first = each_second(&PLAIN, &[0, 4_048_283, 4_048_283, 4_048_284, 4_048_286]);
    assert_eq!((dip_first.counted, dip_first.excluded), (3, 4_048_283));
    let parts = each_second(&PLAIN, &[0, 45, 90, 135]);
    assert_eq!((parts.counted, parts.excluded), (135, 0));
}

#[test]
fn a_small_step_back_is_ignored_and_the_total_stays_monotone() {
    let back = each_second(&PLAIN, &[202_926, 202_927, 202_928, 202_927, 202_927, 202_928, 202_929]);
    assert_eq!((back.counted, back.excluded, back.notes), (3, 0, vec![]));
}

#[test]
fn a_rollover_counts_modulo_the_declared_width() {
    for modulus in [1 << 32, 100_000, 10_000_000] {
        let limits = Limits { modulus: Some(modulus), ..PLAIN };
        let values = [modulus - 40, modulus - 30, modulus - 20, modulus - 10, 5, 12];
        let rolled = each_second(&limits, &values);
        assert_eq!((rolled.counted, rolled.excluded, rolled.notes), (52, 0, vec![Note::Rollover]), "{modulus}");
    }
    // A register that has room left was reset.
    let limits = Limits { modulus: Some(100_000), ..PLAIN };
    let reset = each_second(&limits, &[50_000, 50_010, 50_020, 3, 9, 15]);
    assert_eq!((reset.counted, reset.notes), (32, vec![Note::Reset]));
}

#[test]
fn a_zero_near_the_width_is_a_dip_when_the_value_comes_back() {
    let limits = Limits { modulus: Some(100_000), ..PLAIN };
    for max_per_second in [None, Some(30)] {
        let limits = Limits { max_per_second, ..limits };
        let dip = each_second(&limits, &[95_000, 95_010, 95_020, 0, 95_040, 95_050]);
        assert_eq!((dip.counted, dip.excluded), (50, 0), "{dip:?}");
    }
}

#[test]
fn a_meter_that_starts_low_and_stays_low_is_accepted_once_it_grows() {
    let swapped = each_second(&PLAIN, &[500_000, 500_010, 500_020, 300, 300, 300, 310, 320]);
    assert_eq!((swapped.counted, swapped.excluded, swapped.notes), (40, 0, vec![Note::Reset]));
}

#[test]
fn a_daily_counter_that_resets_late_books_nothing_of_yesterday() {
    let late = each_second(&PLAIN, &[8_500, 8_520, 8_530, 8_530, 8_530, 0, 10, 25]);
    assert_eq!((late.counted, late.excluded), (55, 0));
}

#[test]
fn a_lone_wild_rise_is_excluded_with_and_without_a_rated_maximum() {
    for max_per_second in [None, Some(30)] {
        let limits = Limits { max_per_second, ..PLAIN };
        let spike = each_second(&limits, &[100, 110, 120, 65_535, 130, 140]);
        assert_eq!((spike.counted, spike.excluded, spike.notes), (40, 65_415, vec![Note::Spike]), "{limits:?}");
    }
}

#[test]
fn a_rise_that_stays_is_growth_unless_the_rated_maximum_denies_it() {
    let values = [100, 110, 120, 5_000, 5_010, 5_020];
    assert_eq!(each_second(&PLAIN, &values).counted, 4_920);
    let rated = each_second(&Limits { max_per_second: Some(30), ..PLAIN }, &values);
    assert_eq!((rated.counted, rated.excluded, rated.notes), (40, 4_880, vec![Note::Excluded]));
    let standing = each_second(&PLAIN, &[100, 110, 120, 5_000, 5_000, 5_000, 5_000]);
    assert_eq!(standing.counted, 4_900);
}

#[test]
fn a_register_that_stands_still_between_its_updates_is_not_too_fast() {
    let limits = Limits { max_per_second: Some(30), ..PLAIN };
    let values = (0..600).map(|second| (second * SECOND, 1_000 * i128::from(second / 60)));
    assert_eq!(sum(&limits, values).counted, 9_000);
}

#[test]
fn what_a_recording_leaves_open_is_growth_unless_it_is_impossible() {
    for (max_per_second, expected) in [(None, (45, 0)), (Some(30), (0, 45))] {
        let limits = Limits { max_per_second, ..PLAIN };
        let (mut counter, mut steps, mut all) = (Counter::default(), Vec::new(), Sum::default());
        counter.read(&limits, Timestamp(0), 0, &mut steps);
        counter.read(&limits, Timestamp(SECOND), 45, &mut steps);
        counter.finish(&limits, &mut steps);
        add(&mut all, steps);
        assert_eq!((all.counted, all.excluded), expected);
    }
}

const SWAP: ToldSwap = ToldSwap { id: 7, at: Timestamp(10 * SECOND), old_final: 1_040, new_initial: 3 };

/// An old meter until second 8, a new one from second 12; the swap is told before the reading with that number.
fn swapped(limits: &Limits, swap: ToldSwap, told_before: usize, new: [i128; 4]) -> Sum {
    let old = [(0, 1_000), (2, 1_010), (4, 1_015), (6, 1_020), (8, 1_030)];
    let readings: Vec<(i64, i128)> = old.into_iter().chain([12, 14, 16, 18].into_iter().zip(new)).collect();
    let (mut counter, mut steps, mut all) = (Counter::default(), Vec::new(), Sum::default());
    for (number, (second, value)) in readings.into_iter().enumerate() {
        if number == told_before {
            counter.tell(limits, swap, &mut steps);
        }
        counter.read(limits, Timestamp(second * SECOND), value, &mut steps);
    }
    if told_before == 9 {
        counter.tell(limits, swap, &mut steps);
    }
    add(&mut all, steps);
    all
}

#[test]
fn a_told_swap_books_the_old_meters_end_and_the_new_ones_start_whenever_it_is_told() {
    let limits = Limits { hold_ms: 2 * SECOND, max_per_second: Some(30), ..PLAIN };
    for limits in [limits, Limits { max_per_second: None, ..limits }] {
        for told_before in 0..=9 {
            for (new_initial, new) in [(3, [13, 23, 33, 43]), (50_000, [50_010, 50_020, 50_030, 50_040])] {
                let swap = ToldSwap { new_initial, ..SWAP };
                let all = swapped(&limits, swap, told_before, new);
                assert_eq!((all.counted, all.excluded), (80, 0), "{told_before} {new_initial} {limits:?}");
                assert_eq!(all.swaps, [(7, SwapOutcome::Applied)], "{told_before} {new_initial}");
            }
        }
    }
}

#[test]
fn a_persons_clock_may_be_off() {
    for second in [1, 5, 7, 13, 15, 17] {
        for told_before in [0, 3, 5, 7, 9] {
            let swap = ToldSwap { at: Timestamp(second * SECOND), ..SWAP };
            let all = swapped(&Limits { hold_ms: 2 * SECOND, ..PLAIN }, swap, told_before, [13, 23, 33, 43]);
            assert_eq!(
                (all.counted, all.swaps.as_slice()),
                (80, &[(7, SwapOutcome::Applied)][..]),
                "{second} {told_before}"
            );
        }
    }
}

#[test]
fn a_swap_that_the_readings_contradict_changes_nothing_and_says_so() {
    let too_low = ToldSwap { old_final: 900, ..SWAP };
    for told_before in [2, 5, 6, 9] {
        let all = swapped(&PLAIN, too_low, told_before, [13, 23, 33, 43]);
        assert_eq!((all.counted, all.swaps.len()), (60, 1), "{told_before}");
        assert_ne!(all.swaps[0].1, SwapOutcome::Applied, "{told_before}");
    }
    let mut counter = Counter::default();
    let mut steps = Vec::new();
    for hour in 0..10 {
        counter.read(&PLAIN, Timestamp(hour * HOUR), 100, &mut steps);
    }
    steps.clear();
    counter.tell(&PLAIN, ToldSwap { at: Timestamp(HOUR), old_final: 200, ..SWAP }, &mut steps);
    assert_eq!(steps, [Step::Swapped(7, SwapOutcome::NoBreak)]);
}

#[test]
fn a_full_register_applies_no_waiting_swap_at_an_older_gap() {
    let limits = Limits { hold_ms: 5 * 60 * SECOND, modulus: Some(1_000), ..PLAIN };
    // The new meter happens to start where the old one stood over the gap.
    let swap = ToldSwap { at: Timestamp(HOUR), old_final: 960, new_initial: 950, ..SWAP };
    let (mut counter, mut all) = (Counter::default(), Sum::default());
    for (minute, value) in [(0, 950), (40, 950), (41, 20), (42, 21)] {
        let mut steps = Vec::new();
        counter.read(&limits, Timestamp(minute * 60 * SECOND), value, &mut steps);
        if minute == 0 {
            counter.tell(&limits, swap, &mut steps);
        }
        add(&mut all, steps);
    }
    assert_eq!((all.counted, all.notes, all.swaps), (71, vec![Note::Rollover], vec![]));
}

#[test]
fn a_swap_bridges_a_change_of_the_decoding() {
    for is_told_first in [true, false] {
        let (mut counter, mut steps, mut all) = (Counter::default(), Vec::new(), Sum::default());
        counter.read(&PLAIN, Timestamp(0), 1_000, &mut steps);
        if is_told_first {
            counter.tell(&PLAIN, SWAP, &mut steps);
        }
        counter = counter.successor();
        counter.read(&PLAIN, Timestamp(12 * SECOND), 13, &mut steps);
        if !is_told_first {
            counter.tell(&PLAIN, SWAP, &mut steps);
        }
        counter.finish(&PLAIN, &mut steps);
        add(&mut all, steps);
        assert_eq!((all.counted, all.swaps), (50, vec![(7, SwapOutcome::Applied)]), "{is_told_first}");
    }
    let mut changed = Counter::default();
    let mut steps = Vec::new();
    changed.read(&PLAIN, Timestamp(0), 1_000, &mut steps);
    changed = changed.successor();
    changed.read(&PLAIN, Timestamp(SECOND), 40_000, &mut steps);
    assert!(!steps.iter().any(|step| matches!(step, Step::Book(_))), "a corrected ratio books no jump");
}

/// A true line: its readings and how far it grows.
fn line() -> impl Strategy<Value = Vec<(i64, i128)>> {
    let step = (1_i64..5_000, 0_i128..40);
    (1_000_000_i128..2_000_000, prop::collection::vec(step, 6..40)).prop_map(|(start, steps)| {
        let mut reading = (0, start);
        let mut readings = vec![reading];
        for (ms, growth) in steps {
            // At most 30 a second.
            reading = (reading.0 + ms, reading.1 + growth.min(i128::from(ms) * 30 / 1_000));
            readings.push(reading);
        }
        readings
    })
}

proptest! {
    #[test]
    fn a_dip_of_any_length_books_what_the_line_grew(
        mut line in line(), from in 2_usize..5, length in 1_usize..30, low in 0_i128..900_000, rated in any::<bool>(),
    ) {
        let limits = Limits { max_per_second: rated.then_some(30), ..PLAIN };
        let until = (from + length).min(line.len() - 1);
        let grown = line[line.len() - 1].1 - line[0].1;
        line[from..until].iter_mut().for_each(|reading| reading.1 = low);
        let mut counter = Counter::default();
        let mut steps = Vec::new();
        line.iter().for_each(|(at, value)| counter.read(&limits, Timestamp(*at), *value, &mut steps));
        counter.finish(&limits, &mut steps);
        let mut all = Sum::default();
        add(&mut all, steps);
        prop_assert_eq!(all.counted, grown);
        prop_assert_eq!(all.excluded, 0);
    }

    #[test]
    fn nothing_is_booked_beyond_the_rated_maximum_over_the_elapsed_time_and_nothing_below_zero(
        readings in prop::collection::vec((1_i64..5_000, 0_i128..300), 2..60),
        modulus in prop::option::of(250_i128..300),
        max in 1_i128..50,
    ) {
        let limits = Limits { max_per_second: Some(max), modulus, hold_ms: 2_000 };
        let mut at = 0;
        let readings: Vec<(i64, i128)> = readings.into_iter().map(|(ms, value)| { at += ms; (at, value) }).collect();
        let all = sum(&limits, readings.iter().copied());
        let elapsed = i128::from(at - readings[0].0);
        prop_assert!(all.counted >= 0 && all.excluded >= 0);
        prop_assert!(all.counted * 1_000 <= max * elapsed, "{} in {elapsed} ms at most {max} a second", all.counted);
    }

    #[test]
    fn whatever_a_counter_shows_no_booking_is_negative(
        readings in prop::collection::vec((1_i64..5_000, any::<i32>()), 2..60),
        modulus in prop::option::of(1_i128..4_000_000_000),
    ) {
        let limits = Limits { modulus, ..PLAIN };
        let (mut counter, mut steps, mut at) = (Counter::default(), Vec::new(), 0);
        for (ms, value) in readings {
            at += ms;
            counter.read(&limits, Timestamp(at), i128::from(value), &mut steps);
        }
        counter.finish(&limits, &mut steps);
        for step in steps {
            if let Step::Book(booking) = step {
                prop_assert!(booking.amount > 0, "{booking:?}");
            }
        }
    }
}
