//! What the figures of a bill and of the measurement speak for.

use super::{
    Amount, Bands, Cause, Certainty, Comparison, Explanation, Measured, OWN, Other, SHIFT_DAYS_MAX, Totals, Verdict,
    minutes,
};
use crate::model::time::MINUTE_MS;

/// Two amounts agree within this: a billing meter of class 0.5 S, a sub-meter of class 1 and their transformers.
/// **Unit**: ‰.
const AGREES_PERMILLE: i128 = 10;

/// A difference for each hour counts as constant within this over the bands. **Unit**: ‰.
const CONSTANT_PERMILLE: i128 = 150;

/// Ratios between neighbouring rated currents of transformers, and what a phase that isn't measured makes of a meter of
/// three. **Source**: rated primary currents of IEC 61869-2 (10, 12.5, 15, 20, 25, 30, 40, 50, 60, 75 and their decimal
/// multiples).
const RATIOS: [(u32, u32); 14] =
    [(6, 5), (5, 4), (4, 3), (3, 2), (8, 5), (5, 3), (2, 1), (5, 2), (3, 1), (4, 1), (5, 1), (6, 1), (8, 1), (10, 1)];

/// Fills in verdict and explanations.
pub(super) fn explain(comparison: &mut Comparison, measured: &Measured, others: &[Other]) {
    let (billed, own) = (comparison.billed, comparison.measured);
    let has_total = agrees(billed.total, own.total, billed.total);
    let has_bands =
        comparison.band_differences.is_none_or(|bands| bands.iter().all(|band| is_small(*band, billed.total)));
    if has_total && has_bands {
        comparison.verdict = Verdict::Agrees;
        return;
    }
    comparison.explanations = if has_total {
        tariff_hours(comparison, measured).into_iter().collect()
    } else {
        let found = [
            reading_date(billed, measured),
            ct_ratio(billed, own, others),
            gap(comparison, measured),
            unmetered_feeder(comparison, measured, others),
        ];
        found.into_iter().flatten().collect()
    };
    // The surest first, and of those the one that leaves least.
    let left = |explanation: &Explanation| (comparison.difference - explanation.covers).abs();
    comparison.explanations.sort_by_key(|explanation| (explanation.certainty, left(explanation)));
    let Some(first) = comparison.explanations.first() else {
        comparison.verdict = Verdict::Unexplained;
        return;
    };
    let is_about_bands = matches!(first.cause, Cause::TariffHours { .. });
    comparison.unexplained = if is_about_bands { comparison.difference } else { comparison.difference - first.covers };
    let is_whole = first.certainty == Certainty::Likely && is_small(comparison.unexplained, billed.total);
    comparison.verdict = if is_whole { Verdict::Explained } else { Verdict::Partly };
}

/// Says whether two amounts agree, by the accuracy of meters that show `whole`.
fn agrees(one: i128, other: i128, whole: i128) -> bool {
    is_small(one - other, whole)
}

fn is_small(difference: i128, whole: i128) -> bool {
    difference.abs() * 1_000 <= whole.abs() * AGREES_PERMILLE
}

/// The total agrees and the bands don't: by which other hours do they?
fn tariff_hours(comparison: &Comparison, measured: &Measured) -> Option<Explanation> {
    let billed = comparison.billed.bands?;
    let fits = |schedule: &usize| {
        measured.own().bands_of(*schedule).is_some_and(|bands| bands_agree(billed, bands, comparison.billed.total))
    };
    let schedule = (1..measured.schedules.len()).find(fits)?;
    let moved: i128 = comparison.band_differences?.iter().filter(|band| **band > 0).sum();
    let cause = Cause::TariffHours { schedule: measured.schedules[schedule].clone() };
    Some(Explanation { cause, certainty: Certainty::Likely, covers: moved })
}

fn bands_agree(billed: Bands, measured: Bands, total: i128) -> bool {
    billed.iter().zip(measured).all(|(billed, measured)| agrees(*billed, measured, total))
}

/// Moves the period by a day or two: does the difference vanish?
fn reading_date(billed: Amount, measured: &Measured) -> Option<Explanation> {
    let whole = minutes(measured.period);
    let own = measured.own();
    let mut days: Vec<i64> = (-SHIFT_DAYS_MAX..=SHIFT_DAYS_MAX).filter(|days| *days != 0).collect();
    days.sort_by_key(|days| days.abs());
    for days in days {
        let totals = &measured.shifted[OWN.checked_add_signed(isize::try_from(days).ok()?)?];
        // Days before the box ran would look like days without consumption.
        if totals.minutes < whole || !agrees(billed.total, totals.import, billed.total) {
            continue;
        }
        let certainty = match billed.bands.zip(totals.bands_of(0)) {
            Some((billed_bands, bands)) if bands_agree(billed_bands, bands, billed.total) => Certainty::Likely,
            Some(_) => continue,
            None => Certainty::Possible,
        };
        return Some(Explanation { cause: Cause::ReadingDate { days }, certainty, covers: totals.import - own.import });
    }
    None
}

/// Billed is to measured as two rated currents are, in every band and in every bill.
fn ct_ratio(billed: Amount, measured: Amount, others: &[Other]) -> Option<Explanation> {
    let both_ways = RATIOS.iter().flat_map(|(a, b)| [(*a, *b), (*b, *a)]);
    let is = |billed: i128, measured: i128, (numerator, denominator): (u32, u32)| {
        agrees(billed * i128::from(denominator), measured * i128::from(numerator), billed * i128::from(denominator))
    };
    let (numerator, denominator) = both_ways.into_iter().find(|ratio| is(billed.total, measured.total, *ratio))?;
    let ratio = (numerator, denominator);
    let bands = billed.bands.zip(measured.bands);
    let in_bands = bands.map(|(billed, measured)| (0..3).all(|band| is(billed[band], measured[band], ratio)));
    let in_others = (!others.is_empty()).then(|| others.iter().all(|other| is(other.billed, other.measured, ratio)));
    let certainty = match (in_bands, in_others) {
        (Some(false), _) => return None,
        (Some(true), _) | (None, Some(true)) => Certainty::Likely,
        (None, None | Some(false)) => Certainty::Possible,
    };
    let cause = Cause::CtRatio { numerator, denominator };
    Some(Explanation { cause, certainty, covers: billed.total - measured.total })
}

/// The measurement lacks what passed while nothing was read, as far as it wasn't spread over the gap.
fn gap(comparison: &Comparison, measured: &Measured) -> Option<Explanation> {
    let own = measured.own();
    let missing_ms = (i128::from(measured.period.length_ms()) - own.observed_ms).max(0);
    let seen = own.import - own.substituted;
    // At the mean power of the time that was measured.
    let passed = if own.observed_ms > 0 { seen * missing_ms / own.observed_ms } else { 0 };
    let lacking = (passed - own.substituted).max(0) + own.excluded;
    if comparison.difference <= 0 || lacking <= 0 || is_small(lacking, comparison.billed.total) {
        return None;
    }
    let covers = lacking.min(comparison.difference);
    // A gap that is as large as the difference, give or take what the mean power can be wrong by.
    let certainty = if within(lacking, comparison.difference, 3 * CONSTANT_PERMILLE) {
        Certainty::Likely
    } else {
        Certainty::Possible
    };
    let covers = if certainty == Certainty::Likely { comparison.difference } else { covers };
    let missing_minutes = i64::try_from(missing_ms / i128::from(MINUTE_MS)).unwrap_or(i64::MAX);
    let cause = Cause::Gap { missing_minutes, substituted: own.substituted, excluded: own.excluded };
    Some(Explanation { cause, certainty, covers })
}

/// More is billed than measured, by the same power in each band, or by the same share in each bill.
fn unmetered_feeder(comparison: &Comparison, measured: &Measured, others: &[Other]) -> Option<Explanation> {
    let (difference, billed, own) = (comparison.difference, comparison.billed, comparison.measured);
    let period_minutes = i128::from(minutes(measured.period)).max(1);
    let has_gap =
        measured.own().observed_ms * 1_000 < i128::from(measured.period.length_ms()) * (1_000 - AGREES_PERMILLE);
    if difference <= 0 || has_gap {
        return None;
    }
    let mean_micro_kw = difference * 60 / period_minutes;
    let found = |is_constant, certainty| {
        Some(Explanation {
            cause: Cause::UnmeteredFeeder { mean_micro_kw, is_constant },
            certainty,
            covers: difference,
        })
    };
    if let Some(bands) = comparison.band_differences {
        if is_constant_power(&bands, measured.own(), mean_micro_kw) {
            return found(true, Certainty::Likely);
        }
        let same_share = billed.bands.zip(own.bands).is_some_and(|(billed_bands, bands)| {
            (0..3).all(|band| {
                agrees(billed_bands[band] * own.total, bands[band] * billed.total, billed.total * own.total)
            })
        });
        return if same_share { found(false, Certainty::Possible) } else { None };
    }
    let same_power = |other: &Other| {
        within(
            (other.billed - other.measured) * period_minutes,
            difference * i128::from(other.hours) * 60,
            CONSTANT_PERMILLE,
        )
    };
    let same_share = |other: &Other| {
        within((other.billed - other.measured) * billed.total, difference * other.billed, CONSTANT_PERMILLE)
    };
    match others {
        [] => None,
        others if others.iter().all(same_power) => found(true, Certainty::Likely),
        others if others.iter().all(same_share) => found(false, Certainty::Possible),
        _ => None,
    }
}

/// Says whether each band lacks the same power. A band without hours says nothing.
fn is_constant_power(differences: &Bands, own: &Totals, mean_micro_kw: i128) -> bool {
    let Some(hours) = own.band_minutes.first() else { return false };
    differences
        .iter()
        .zip(hours)
        .filter(|(_, minutes)| **minutes > 0)
        .all(|(difference, minutes)| within(difference * 60, mean_micro_kw * i128::from(*minutes), CONSTANT_PERMILLE))
}

fn within(one: i128, other: i128, permille: i128) -> bool {
    (one - other).abs() * 1_000 <= one.abs().max(other.abs()) * permille
}
