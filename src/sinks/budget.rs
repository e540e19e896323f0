//! How much a destination may cost on a metered line, and how fast an outage is caught up with.
//!
//! In: the limits of the configuration, what was spent, I/O time. Out: whether the next request has to wait, and for
//! what. Nothing is dropped for a budget: what waits is delivered later, in its order.

use std::time::Duration;

use jiff::civil::Date;
use serde::Deserialize;
use tokio::time::Instant;
use toml::Spanned;

use crate::model::id::StreamName;
use crate::model::problem::Problems;

/// Bytes of a megabyte, as contracts count them.
const MB: u64 = 1_000_000;

/// `data_budget = { mb_per_day = 20, mb_per_month = 400 }`: what may be spent on the wire, by civil days of the site.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BudgetConfig {
    /// For a day; unlimited where not given. **Unit**: 10⁶ bytes.
    pub mb_per_day: Option<Spanned<u64>>,
    /// For a calendar month; unlimited where not given. **Unit**: 10⁶ bytes.
    pub mb_per_month: Option<Spanned<u64>>,
}

/// What was spent of a budget. **Unit**: bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Spent {
    pub(super) on_day: u64,
    pub(super) in_month: u64,
}

impl BudgetConfig {
    /// Says which part of the budget is used up, and on which day there is a new one; `None` where some is left.
    pub(super) fn used_up(&self, spent: Spent, today: Date) -> Option<(String, Date)> {
        let is_reached = |limit: &Option<Spanned<u64>>, spent: u64| {
            limit.as_ref().map(|limit| *limit.get_ref()).filter(|limit| spent >= limit.saturating_mul(MB))
        };
        if let Some(limit) = is_reached(&self.mb_per_month, spent.in_month) {
            let next = today.last_of_month().tomorrow().unwrap_or(today);
            return Some((format!("{limit} MB for the month"), next));
        }
        let limit = is_reached(&self.mb_per_day, spent.on_day)?;
        Some((format!("{limit} MB for the day"), today.tomorrow().unwrap_or(today)))
    }

    /// Refuses a budget that lets nothing out, or limits nothing.
    pub(super) fn check(&self, sink: &StreamName, at: std::ops::Range<usize>, problems: &mut Problems) {
        let limits = [&self.mb_per_day, &self.mb_per_month];
        if limits.iter().all(|limit| limit.is_none()) {
            let message = format!("sink \"{sink}\": the data budget limits nothing");
            problems.error(at, message, "write mb_per_day, mb_per_month or both, or remove data_budget");
        }
        for limit in limits.into_iter().flatten().filter(|limit| *limit.get_ref() == 0) {
            problems.error(limit.span(), format!("sink \"{sink}\": a data budget of 0 MB"), "choose 1 or more");
        }
    }
}

/// Keeps requests a span apart, so that the end of an outage doesn't fill the line.
#[derive(Debug)]
pub(super) struct Pace {
    interval: Option<Duration>,
    next: Option<Instant>,
}

impl Pace {
    /// So many requests in a minute; `None` for as many as go.
    pub(super) fn new(per_minute: Option<u32>) -> Self {
        let interval = per_minute.filter(|count| *count > 0).map(|count| Duration::from_secs(60) / count);
        Self { interval, next: None }
    }

    /// Returns how long the next request waits, and counts on its being sent then.
    pub(super) fn take_turn(&mut self, now: Instant) -> Duration {
        let Some(interval) = self.interval else { return Duration::ZERO };
        let at = self.next.map_or(now, |next| next.max(now));
        self.next = Some(at + interval);
        at - now
    }
}

/// Refuses a pace of nothing.
pub(super) fn check_pace(sink: &StreamName, per_minute: Option<&Spanned<u32>>, problems: &mut Problems) {
    if let Some(pace) = per_minute.filter(|pace| !(1..=60_000).contains(pace.get_ref())) {
        let message = format!("sink \"{sink}\": {} requests per minute", pace.get_ref());
        problems.error(pace.span(), message, "choose 1 to 60000, or remove the key");
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::{BudgetConfig, Duration, Instant, MB, Pace, Spent};

    #[test]
    fn the_month_counts_before_the_day_and_says_when_there_is_more() {
        let budget: BudgetConfig = toml::from_str("mb_per_day = 2\nmb_per_month = 20").unwrap();
        let check = |on_day, in_month, expected: Option<(&str, i8, i8)>| {
            let said = budget.used_up(Spent { on_day, in_month }, date(2026, 10, 5));
            let expected = expected.map(|(words, month, day)| (words.to_owned(), date(2026, month, day)));
            assert_eq!(said, expected, "{on_day} {in_month}");
        };
        check(2 * MB - 1, 20 * MB - 1, None);
        check(2 * MB, 2 * MB, Some(("2 MB for the day", 10, 6)));
        check(2 * MB, 20 * MB, Some(("20 MB for the month", 11, 1)));
    }

    #[test]
    fn a_request_after_a_rest_goes_at_once_and_those_behind_it_keep_their_distance() {
        let (mut pace, begun) = (Pace::new(Some(60)), Instant::now());
        let after = |ms| begun + Duration::from_millis(ms);
        assert_eq!(pace.take_turn(begun), Duration::ZERO);
        assert_eq!(pace.take_turn(after(100)), Duration::from_millis(900));
        assert_eq!(pace.take_turn(after(1_000)), Duration::from_secs(1));
        assert_eq!(pace.take_turn(after(9_000)), Duration::ZERO);
        assert_eq!(Pace::new(None).take_turn(begun), Duration::ZERO);
    }
}
