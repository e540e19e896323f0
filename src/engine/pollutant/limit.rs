//! Dated limits of one channel, and which of them holds on a day.

use jiff::civil::Date;

use crate::model::record::FactorRef;

/// Where a limit is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LimitSource {
    /// The environmental permit of the site.
    Permit,
    /// The agreement by which a park takes the site's wastewater.
    Agreement,
    /// A class of a national technical regulation.
    Class,
}

impl LimitSource {
    /// Returns the name used in configuration and JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Permit => "permit",
            Self::Agreement => "agreement",
            Self::Class => "class",
        }
    }

    /// Permit and agreement go before a class: both were written for this site.
    const fn rank(self) -> u8 {
        match self {
            Self::Permit | Self::Agreement => 0,
            Self::Class => 1,
        }
    }
}

/// A band that a mean must lie in, and the days on which it does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatedLimit {
    /// The smallest allowed value. **Unit**: 10⁻⁶ of the channel's.
    pub min_micro: Option<i128>,
    /// The largest allowed value. **Unit**: 10⁻⁶ of the channel's.
    pub max_micro: Option<i128>,
    /// The first day.
    pub from: Date,
    /// The last day; `None`: until another one takes its place.
    pub until: Option<Date>,
    /// Where it is written.
    pub source: LimitSource,
    /// The document or the class, in words. It stays on the box.
    pub document: String,
    /// What records name: the entries of the reference data, or the permit's own.
    pub entries: Vec<FactorRef>,
}

impl DatedLimit {
    /// Says whether it holds on a day, by its own dates.
    pub fn holds_on(&self, date: Date) -> bool {
        self.from <= date && self.until.is_none_or(|until| date <= until)
    }

    /// Says whether a mean lies outside it. **Unit**: 10⁻⁶ of the channel's.
    pub fn is_outside(&self, mean_micro: i128) -> bool {
        self.max_micro.is_some_and(|max| mean_micro > max) || self.min_micro.is_some_and(|min| mean_micro < min)
    }
}

/// Sorts limits so that of those that hold on a day the first one counts: permit and agreement before a class, of equal
/// ones the one that began last.
pub fn by_precedence(limits: &mut [DatedLimit]) {
    limits.sort_by_key(|limit| (limit.source.rank(), std::cmp::Reverse(limit.from)));
}

/// Returns the limits that count on any day from `first` to `last`, both included; each once, by its first day there.
pub(super) fn between(limits: &[DatedLimit], first: Date, last: Date) -> Vec<&DatedLimit> {
    let day_after = |until: Date| until.tomorrow().ok();
    let changes = limits.iter().flat_map(|limit| [Some(limit.from), limit.until.and_then(day_after)]);
    let mut days: Vec<Date> = changes.flatten().filter(|day| (first..=last).contains(day)).chain([first]).collect();
    days.sort_unstable();
    let mut found: Vec<&DatedLimit> = Vec::new();
    for limit in days.into_iter().filter_map(|day| limits.iter().find(|limit| limit.holds_on(day))) {
        if !found.iter().any(|known| std::ptr::eq(*known, limit)) {
            found.push(limit);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::{DatedLimit, LimitSource, between, by_precedence};
    use jiff::civil::{Date, date};

    fn limit(source: LimitSource, from: Date, until: Option<Date>, max: i128) -> DatedLimit {
        let document = source.as_str().to_owned();
        DatedLimit { min_micro: None, max_micro: Some(max), from, until, source, document, entries: Vec::new() }
    }

    fn limits() -> Vec<DatedLimit> {
        let mut limits = vec![
            limit(LimitSource::Class, date(2011, 1, 1), None, 1),
            limit(LimitSource::Permit, date(2024, 3, 1), Some(date(2025, 12, 31)), 2),
            limit(LimitSource::Agreement, date(2025, 6, 1), Some(date(2025, 6, 30)), 3),
        ];
        by_precedence(&mut limits);
        limits
    }

    #[test]
    fn permit_and_agreement_go_before_a_class_and_the_later_before_the_earlier() {
        let limits = limits();
        let on = |day: Date| limits.iter().find(|limit| limit.holds_on(day)).and_then(|limit| limit.max_micro);
        for (day, max) in [
            (date(2010, 12, 31), None),
            (date(2024, 2, 29), Some(1)),
            (date(2024, 3, 1), Some(2)),
            (date(2025, 6, 30), Some(3)),
            (date(2025, 7, 1), Some(2)),
            (date(2026, 1, 1), Some(1)),
        ] {
            assert_eq!(on(day), max, "{day}");
        }
    }

    #[test]
    fn a_window_names_each_limit_that_counted_in_it() {
        let limits = limits();
        let of =
            |first, last| between(&limits, first, last).iter().filter_map(|limit| limit.max_micro).collect::<Vec<_>>();
        assert_eq!(of(date(2025, 1, 1), date(2025, 1, 31)), [2]);
        assert_eq!(of(date(2025, 6, 1), date(2025, 7, 31)), [3, 2]);
        assert_eq!(of(date(2025, 12, 1), date(2026, 1, 31)), [2, 1]);
        assert_eq!(of(date(2009, 1, 1), date(2009, 1, 31)), [0; 0]);
    }

    #[test]
    fn a_value_on_the_limit_is_inside_and_a_band_has_two_ends() {
        let band = DatedLimit { min_micro: Some(6), ..limit(LimitSource::Class, date(2011, 1, 1), None, 9) };
        assert_eq!([5, 6, 9, 10].map(|mean| band.is_outside(mean)), [true, false, false, true]);
    }
}
