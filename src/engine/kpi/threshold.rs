//! The watch on a threshold: how far a year's figure has come, and where it would end.
//!
//! In: one figure a month. Out: the sum of the months, and a projection. A projection is not a measurement: it assumes
//! that the time without data, past and to come, is like the time that was measured.

use crate::model::record::{FactorRef, Flag, KpiValue, Reason};
use crate::model::time::{Timestamp, Window};

/// What a projection is worked out by; part of every answer.
pub const METHOD: &str = "linear_by_measured_time";

/// Shortest measured time from which a year is projected, 28 days: less says more of a holiday than of a year.
/// **Unit**: ms.
pub const MEASURED_MS_MIN: i64 = 28 * 86_400_000;

/// How far a figure has come.
#[derive(Debug, Clone, PartialEq)]
pub struct Progress {
    /// The sum of the months that have a value, or why no month has one. **Unit**: that of the KPI.
    pub to_date: Result<f64, Reason>,
    /// What the year would come to; `None` where too little was measured.
    pub projection: Option<f64>,
    /// Measured time: of each month that has a value its elapsed part × its coverage. **Unit**: ms.
    pub measured_ms: i64,
    /// Months that have begun and have no value, with the reason.
    pub missing: Vec<(Window, Reason)>,
    /// What a reader must know, ascending.
    pub flags: Vec<Flag>,
    /// The reference entries that the months rest on, ascending.
    pub factors: Vec<FactorRef>,
}

/// Adds up the months of a year, each with its figure, and projects the year. `now`: until when anything can be measured.
///
/// projection = to date × length of the year ÷ measured time.
pub fn progress(months: &[(Window, KpiValue)], year: Window, now: Timestamp) -> Progress {
    let mut progress = Progress {
        to_date: Err(Reason::NoData),
        projection: None,
        measured_ms: 0,
        missing: Vec::new(),
        flags: Vec::new(),
        factors: Vec::new(),
    };
    for (window, figure) in months.iter().filter(|(window, _)| window.start >= year.start && window.start < now) {
        match (figure.value, figure.reason) {
            (Some(value), _) => {
                let sum = progress.to_date.unwrap_or(0.0);
                progress.to_date = Ok(sum + value);
                progress.measured_ms += measured_ms(window.end.min(now).ms_since(window.start), figure.coverage);
                progress.flags.extend(&figure.flags);
                progress.factors.extend(figure.factors.iter().cloned());
            }
            (None, reason) => progress.missing.push((*window, reason.unwrap_or(Reason::NoData))),
        }
    }
    if let (Err(_), Some((_, reason))) = (&progress.to_date, progress.missing.last()) {
        progress.to_date = Err(*reason);
    }
    progress.flags.sort_unstable();
    progress.flags.dedup();
    progress.factors.sort();
    progress.factors.dedup();
    if let Ok(sum) = progress.to_date
        && progress.measured_ms >= MEASURED_MS_MIN
    {
        progress.projection = Some(sum * as_f64(year.length_ms()) / as_f64(progress.measured_ms));
    }
    progress
}

/// Returns elapsed × coverage; a figure without a coverage rests on declarations, which cover their period.
#[expect(clippy::cast_possible_truncation, reason = "a share of a month")]
fn measured_ms(elapsed_ms: i64, coverage: Option<f64>) -> i64 {
    (as_f64(elapsed_ms) * coverage.unwrap_or(1.0)).round() as i64
}

#[expect(clippy::cast_precision_loss, reason = "times of a year are far below 2^53 ms")]
const fn as_f64(ms: i64) -> f64 {
    ms as f64
}

#[cfg(test)]
mod tests {
    use super::{KpiValue, Progress, Reason, Timestamp, Window, progress};
    use crate::model::record::KpiId;

    const DAY: i64 = 86_400_000;
    const YEAR: Window = Window { start: Timestamp(0), end: Timestamp(365 * DAY) };

    fn figure(value: Option<f64>, coverage: f64) -> KpiValue {
        let reason = value.is_none().then_some(Reason::NoPublishedFactor);
        KpiValue {
            kpi: KpiId::of("ghg_total"),
            method: 1,
            value,
            reason,
            coverage: Some(coverage),
            shares: None,
            flags: Vec::new(),
            factors: Vec::new(),
        }
    }

    /// Months of 30 days, each with its value and coverage.
    fn watch(months: &[(Option<f64>, f64)], now_day: i64) -> Progress {
        let window = |month: i64| Window { start: Timestamp(month * 30 * DAY), end: Timestamp((month + 1) * 30 * DAY) };
        let months: Vec<(Window, KpiValue)> =
            (0..).zip(months).map(|(month, (value, coverage))| (window(month), figure(*value, *coverage))).collect();
        progress(&months, YEAR, Timestamp(now_day * DAY))
    }

    #[test]
    fn a_year_is_projected_by_the_time_that_was_measured() {
        let seen = watch(&[(Some(300.0), 1.0), (Some(150.0), 0.5)], 60);
        assert_eq!((seen.to_date, seen.measured_ms), (Ok(450.0), 45 * DAY));
        assert_eq!(seen.projection, Some(450.0 * 365.0 / 45.0));
    }

    #[test]
    fn an_open_month_counts_with_what_has_passed_of_it() {
        let seen = watch(&[(Some(300.0), 1.0), (Some(100.0), 1.0), (None, 0.0)], 40);
        assert_eq!((seen.measured_ms, seen.projection), (40 * DAY, Some(400.0 * 365.0 / 40.0)));
        assert!(seen.missing.is_empty(), "a month that has not begun is not missing");
    }

    #[test]
    fn two_weeks_project_no_year() {
        assert_eq!(watch(&[(Some(300.0), 1.0)], 14).projection, None);
    }

    #[test]
    fn a_month_without_a_value_is_named_and_adds_nothing() {
        let seen = watch(&[(Some(300.0), 1.0), (None, 0.0)], 60);
        assert_eq!((seen.to_date, seen.missing.len()), (Ok(300.0), 1));
        let seen = watch(&[(None, 0.0)], 30);
        assert_eq!((seen.to_date, seen.projection), (Err(Reason::NoPublishedFactor), None));
    }
}
