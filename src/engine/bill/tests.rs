//! A plant of known consumption, and bills that differ from it for one known cause each.

use proptest::prelude::*;

use super::{Amount, Bands, Cause, Certainty, Comparison, Measured, Other, Verdict, compare};
use crate::model::fact::{Facts, Measure};
use crate::model::time::{MINUTE_MS, Timestamp, Window};

const DAY: i64 = 86_400_000;
const HOUR: i64 = 3_600_000;
/// 30 days.
const PERIOD: Window = Window { start: Timestamp(100 * DAY), end: Timestamp(130 * DAY) };

/// Peak 17:30 to 22:30, off-peak 00:00 to 06:00.
fn new_hours(minute: Timestamp) -> usize {
    match minute.0.rem_euclid(DAY) / MINUTE_MS {
        0..360 => 2,
        1_050..1_350 => 0,
        _ => 1,
    }
}

/// Peak 09:30 to 11:30 and 17:00 to 20:00, off-peak 22:00 to 04:00.
fn old_hours(minute: Timestamp) -> usize {
    match minute.0.rem_euclid(DAY) / MINUTE_MS {
        570..690 | 1_020..1_200 => 0,
        0..240 | 1_320..1_440 => 2,
        _ => 1,
    }
}

/// Consumption of a minute, 10⁻⁶ kWh: more by day than by night, and each day a little more.
fn load(minute: Timestamp) -> i128 {
    let (day, hour) = (minute.0.div_euclid(DAY), minute.0.rem_euclid(DAY) / HOUR);
    let by_day = if (6..22).contains(&hour) { 4_000_000 } else { 1_000_000 };
    by_day + 60_000 * i128::from(day - 100).max(0)
}

fn facts(import: i128) -> Facts {
    let observed = i128::from(MINUTE_MS);
    [(Measure::ElectricityImport, import), (Measure::ElectricityObserved, observed)].into_iter().collect()
}

/// Measures the plant in the period and around it; `of` says what is known of a minute.
fn measure(of: impl Fn(Timestamp) -> Option<Facts>) -> Measured {
    let mut measured = Measured::new(PERIOD, vec!["new".to_owned(), "old".to_owned()]);
    let span = measured.span();
    for at in (span.start.0..span.end.0).step_by(60_000).map(Timestamp) {
        if let Some(facts) = of(at) {
            measured.add(at, &facts, |schedule| Some(if schedule == 0 { new_hours(at) } else { old_hours(at) }));
        }
    }
    measured
}

fn whole() -> Measured {
    measure(|at| Some(facts(load(at))))
}

/// What the supplier's meter shows over a period, in the bands of some hours.
fn billed(period: Window, hours: fn(Timestamp) -> usize, load: impl Fn(Timestamp) -> i128) -> Amount {
    let mut bands: Bands = [0; 3];
    for at in (period.start.0..period.end.0).step_by(60_000).map(Timestamp) {
        bands[hours(at)] += load(at);
    }
    Amount { total: bands.iter().sum(), bands: Some(bands) }
}

fn without_bands(amount: Amount) -> Amount {
    Amount { bands: None, ..amount }
}

fn times(amount: Amount, numerator: i128, denominator: i128) -> Amount {
    let times = |value: i128| value * numerator / denominator;
    Amount { total: times(amount.total), bands: amount.bands.map(|bands| bands.map(times)) }
}

/// Asserts that one cause covers the whole difference.
fn explained(comparison: &Comparison) -> &Cause {
    assert_eq!(comparison.verdict, Verdict::Explained, "{comparison:#?}");
    let first = &comparison.explanations[0];
    assert_eq!(first.certainty, Certainty::Likely);
    &first.cause
}

#[test]
fn a_bill_within_the_accuracy_of_meters_agrees() {
    let same = billed(PERIOD, new_hours, load);
    for (numerator, denominator) in [(1, 1), (1_009, 1_000), (992, 1_000)] {
        let comparison = compare(times(same, numerator, denominator), &whole(), &[]);
        assert_eq!(comparison.verdict, Verdict::Agrees, "{numerator}/{denominator}");
        assert!(comparison.explanations.is_empty());
        assert_eq!(comparison.coverage, 1.0);
    }
}

#[test]
fn a_wrong_transformer_ratio_shows_in_every_band() {
    let same = billed(PERIOD, new_hours, load);
    for (numerator, denominator) in [(5, 4), (2, 1), (1, 2), (3, 2), (4, 5)] {
        let comparison = compare(times(same, numerator, denominator), &whole(), &[]);
        let expected = Cause::CtRatio {
            numerator: u32::try_from(numerator).unwrap(),
            denominator: u32::try_from(denominator).unwrap(),
        };
        assert_eq!(explained(&comparison), &expected);
        assert_eq!(comparison.unexplained, 0);
    }
}

#[test]
fn without_bands_a_transformer_ratio_is_possible_and_likely_once_other_bills_have_it_too() {
    let double = without_bands(times(billed(PERIOD, new_hours, load), 2, 1));
    let alone = compare(double, &whole(), &[]);
    assert_eq!(alone.verdict, Verdict::Partly);
    assert_eq!(alone.explanations[0].certainty, Certainty::Possible);
    let other = Other { billed: 2_002, measured: 1_000, hours: 720 };
    let cause = Cause::CtRatio { numerator: 2, denominator: 1 };
    assert_eq!(explained(&compare(double, &whole(), &[other])), &cause);
}

#[test]
fn a_ratio_that_is_not_the_same_in_every_band_is_no_transformer_ratio() {
    let same = billed(PERIOD, new_hours, load);
    let [peak, normal, off_peak] = same.bands.unwrap();
    // Twice the total, all of the excess in peak hours.
    let odd = Amount { total: 2 * same.total, bands: Some([peak + same.total, normal, off_peak]) };
    let comparison = compare(odd, &whole(), &[]);
    assert_eq!(comparison.verdict, Verdict::Unexplained, "{comparison:#?}");
    assert_eq!(comparison.unexplained, same.total);
}

#[test]
fn a_reader_who_came_on_another_day_shows_when_the_period_is_moved() {
    for days in [-2, -1, 1, 2] {
        let moved = Window { start: PERIOD.start + days * DAY, end: PERIOD.end + days * DAY };
        let comparison = compare(billed(moved, new_hours, rising), &measure(|at| Some(facts(rising(at)))), &[]);
        assert_eq!(explained(&comparison), &Cause::ReadingDate { days }, "{days}");
    }
}

/// A plant that runs up steeply, so that a day more at one end matters.
fn rising(minute: Timestamp) -> i128 {
    load(minute) + 300_000 * i128::from(minute.0.div_euclid(DAY) - 90)
}

#[test]
fn a_period_is_not_moved_to_days_that_nobody_measured() {
    let moved = Window { start: PERIOD.start - DAY, end: PERIOD.end - DAY };
    let comparison =
        compare(billed(moved, new_hours, rising), &measure(|at| (at >= PERIOD.start).then(|| facts(rising(at)))), &[]);
    let is_moved = |explanation: &super::Explanation| matches!(explanation.cause, Cause::ReadingDate { .. });
    assert!(!comparison.explanations.iter().any(is_moved), "{comparison:#?}");
}

#[test]
fn bands_by_other_hours_show_where_only_the_total_agrees() {
    let comparison = compare(billed(PERIOD, old_hours, load), &whole(), &[]);
    assert_eq!(explained(&comparison), &Cause::TariffHours { schedule: "old".to_owned() });
    assert_eq!(comparison.difference, 0);
    assert!(comparison.explanations[0].covers > 0);
    let [peak, normal, off_peak] = billed(PERIOD, new_hours, load).bands.unwrap();
    let swapped = Amount { total: peak + normal + off_peak, bands: Some([off_peak, peak, normal]) };
    assert_eq!(compare(swapped, &whole(), &[]).verdict, Verdict::Unexplained);
}

#[test]
fn an_unmetered_constant_load_lacks_the_same_power_in_every_band() {
    let comparison = compare(billed(PERIOD, new_hours, |at| load(at) + 500_000), &whole(), &[]);
    let Cause::UnmeteredFeeder { mean_micro_kw, is_constant } = explained(&comparison) else {
        panic!("{comparison:#?}")
    };
    assert_eq!((*mean_micro_kw, *is_constant), (30_000_000, true));
}

#[test]
fn a_constant_share_that_is_no_transformer_ratio_may_be_a_feeder() {
    let comparison = compare(times(billed(PERIOD, new_hours, load), 112, 100), &whole(), &[]);
    assert_eq!(comparison.verdict, Verdict::Partly, "{comparison:#?}");
    assert!(matches!(comparison.explanations[0].cause, Cause::UnmeteredFeeder { is_constant: false, .. }));
}

#[test]
fn without_bands_other_bills_tell_a_feeder_and_alone_nothing_does() {
    let more = without_bands(billed(PERIOD, new_hours, |at| load(at) + 500_000));
    assert_eq!(compare(more, &whole(), &[]).verdict, Verdict::Unexplained);
    // 30 kW more over 31 days of another consumption.
    let other = Other { billed: 100_000_000_000 + 31 * 24 * 30_000_000, measured: 100_000_000_000, hours: 31 * 24 };
    let comparison = compare(more, &whole(), &[other]);
    assert!(matches!(explained(&comparison), Cause::UnmeteredFeeder { is_constant: true, .. }));
}

#[test]
fn days_without_readings_explain_what_is_missing() {
    // Three days in the middle of which the box knows nothing.
    let known = |at: Timestamp| !(110 * DAY..113 * DAY).contains(&at.0);
    let measured = measure(|at| known(at).then(|| facts(load(at))));
    let comparison = compare(billed(PERIOD, new_hours, load), &measured, &[]);
    assert_eq!(explained(&comparison), &Cause::Gap { missing_minutes: 3 * 1_440, substituted: 0, excluded: 0 });
    assert!((comparison.coverage - 0.9).abs() < 1e-9);
}

#[test]
fn a_gap_over_which_the_growth_was_spread_explains_nothing_because_nothing_is_missing() {
    let measured = measure(|at| {
        let mut facts = facts(load(at));
        if (110 * DAY..113 * DAY).contains(&at.0) {
            facts.set(Measure::ElectricityObserved, 0);
            facts.set(Measure::ElectricitySubstituted, load(at));
        }
        Some(facts)
    });
    assert_eq!(compare(billed(PERIOD, new_hours, load), &measured, &[]).verdict, Verdict::Agrees);
    let more = compare(times(billed(PERIOD, new_hours, load), 117, 100), &measured, &[]);
    assert!(!more.explanations.iter().any(|one| matches!(one.cause, Cause::Gap { .. })), "{more:#?}");
}

#[test]
fn growth_that_was_left_out_as_impossible_is_missing() {
    let measured = measure(|at| {
        let mut facts = facts(load(at));
        if at == Timestamp(115 * DAY) {
            facts.set(Measure::ElectricityExcluded, 9_000_000_000);
        }
        Some(facts)
    });
    let bill = without_bands(billed(PERIOD, new_hours, load));
    let comparison = compare(Amount { total: bill.total + 9_000_000_000, ..bill }, &measured, &[]);
    assert_eq!(explained(&comparison), &Cause::Gap { missing_minutes: 0, substituted: 0, excluded: 9_000_000_000 });
}

#[test]
fn a_period_in_which_nothing_was_measured_says_so() {
    let comparison = compare(billed(PERIOD, new_hours, load), &measure(|_| None), &[]);
    assert_eq!((comparison.verdict, comparison.coverage), (Verdict::NotMeasured, 0.0));
    assert!(comparison.explanations.is_empty());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]
    #[test]
    fn whatever_is_billed_the_figures_add_up_and_nothing_is_claimed_of_a_bill_that_agrees(
        bands in proptest::array::uniform3(0_i128..1_000_000_000_000),
        measured in 0_i128..3_000_000,
        others in proptest::collection::vec((0_i128..1_000_000, 0_i128..1_000_000, 1_i64..9_000), 0..3),
    ) {
        let period = Window { start: PERIOD.start, end: PERIOD.start + 2 * DAY };
        let mut sums = Measured::new(period, vec!["new".to_owned()]);
        for hour in -48..96 {
            let at = period.start + hour * HOUR;
            sums.add(at, &facts(measured), |_| Some(new_hours(at)));
        }
        let others: Vec<Other> =
            others.into_iter().map(|(billed, measured, hours)| Other { billed, measured, hours }).collect();
        let billed = Amount { total: bands.iter().sum(), bands: Some(bands) };
        let comparison = compare(billed, &sums, &others);
        prop_assert_eq!(comparison.difference, billed.total - comparison.measured.total);
        let by_band: i128 = comparison.band_differences.unwrap_or_default().iter().sum();
        prop_assert_eq!(by_band, comparison.difference);
        match comparison.verdict {
            Verdict::Agrees | Verdict::Unexplained | Verdict::NotMeasured => {
                prop_assert!(comparison.explanations.is_empty());
            }
            Verdict::Explained => prop_assert_eq!(comparison.explanations[0].certainty, Certainty::Likely),
            Verdict::Partly => prop_assert!(!comparison.explanations.is_empty()),
        }
        prop_assert!((0.0..=1.0).contains(&comparison.coverage));
    }
}
