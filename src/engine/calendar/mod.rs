//! Civil windows of a site: hours, days, shifts across midnight, months, and planned operation time.
//!
//! In: a time zone, shift patterns, holidays and added working days. Out: half-open windows in UTC. A production day
//! belongs to the day on which its shift starts; a shift is never rebuilt from hours. A date that the moon decides
//! comes in as data, nothing here computes one.

mod pattern;
mod plan;
#[cfg(test)]
mod tests;
mod version;

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::{Date, Time, Weekday};
use jiff::tz::TimeZone;
use jiff::{Span, ZonedDateTime};

pub use pattern::{Break, Pattern, Rotation, Shift, Turn};
pub use plan::Planned;
pub(crate) use plan::Planner;

use crate::model::time::{Grain, MINUTE_MS, Timestamp, Window};

/// The calendar of a site, or of some of its machines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Calendar {
    name: String,
    zone: TimeZone,
    /// At least one, ascending by the date from which they hold.
    patterns: Vec<Pattern>,
    holidays: BTreeSet<Date>,
    /// Dates that are worked whatever day they are, with the names of the shifts; none named means all of them.
    working_days: BTreeMap<Date, Vec<String>>,
    version: version::Version,
}

/// What names the site's own calendar in records.
pub const SITE_CALENDAR: &str = "site";

impl Calendar {
    /// Makes the site's calendar of one pattern. Without shifts every instant is planned operation time, and figures
    /// say so.
    pub fn new(
        zone: TimeZone,
        shifts: Vec<Shift>,
        days_off: impl IntoIterator<Item = Weekday>,
        holidays: impl IntoIterator<Item = Date>,
    ) -> Self {
        Self {
            name: SITE_CALENDAR.to_owned(),
            zone,
            patterns: vec![Pattern::new(shifts, days_off)],
            holidays: holidays.into_iter().collect(),
            working_days: BTreeMap::new(),
            version: version::Version::default(),
        }
    }

    /// A calendar without shifts.
    pub fn round_the_clock(zone: TimeZone) -> Self {
        Self::new(zone, Vec::new(), [], [])
    }

    /// Names it otherwise than the site's.
    #[must_use]
    pub fn named(self, name: &str) -> Self {
        Self { name: name.to_owned(), ..self }
    }

    /// Replaces its patterns: at least one, of which the first holds from the beginning. **Order**: ascending by
    /// `valid_from`.
    #[must_use]
    pub fn with_patterns(self, patterns: Vec<Pattern>) -> Self {
        if patterns.is_empty() { self } else { Self { patterns, version: version::Version::default(), ..self } }
    }

    /// Adds dates that are worked though they are a day off or a holiday, with the names of the shifts; none named
    /// means every shift.
    #[must_use]
    pub fn with_working_days(self, days: BTreeMap<Date, Vec<String>>) -> Self {
        Self { working_days: days, version: version::Version::default(), ..self }
    }

    /// Returns its name: what a record's `calendar` says.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns its patterns, ascending by the date from which they hold.
    pub fn patterns(&self) -> &[Pattern] {
        &self.patterns
    }

    /// Says whether planned operation time is assumed to be all time, because no shift is declared.
    pub fn is_assumed(&self) -> bool {
        self.patterns.iter().all(|pattern| pattern.shifts.is_empty())
    }

    /// Returns the time zone.
    pub fn zone(&self) -> &TimeZone {
        &self.zone
    }

    /// Returns the civil year in which the window starts: the year of the factors it takes.
    pub fn year_of(&self, window: Window) -> i16 {
        self.zoned(window.start).year()
    }

    /// Returns the window of `grain` that holds `at`; `None` for a shift where none is worked.
    pub fn window_of(&self, grain: Grain, at: Timestamp) -> Option<Window> {
        match grain {
            Grain::Minute => Some(Window { start: at.minute(), end: at.minute() + MINUTE_MS }),
            Grain::FiveMinutes => Some(self.clock_window(at, 5)),
            Grain::QuarterHour => Some(self.clock_window(at, 15)),
            Grain::HalfHour => Some(self.clock_window(at, 30)),
            Grain::Hour => Some(self.clock_window(at, 60)),
            Grain::Shift => self.shifts_around(at).find(|window| window.contains(at)),
            Grain::Day => Some(self.civil_window(self.zoned(at).date(), Span::new().days(1))),
            Grain::Month => Some(self.civil_window(self.zoned(at).date().first_of_month(), Span::new().months(1))),
            Grain::Year => Some(self.civil_window(self.zoned(at).date().first_of_year(), Span::new().years(1))),
        }
    }

    /// Returns the window of `grain` that ends exactly at `end`.
    pub fn window_ending_at(&self, grain: Grain, end: Timestamp) -> Option<Window> {
        self.window_of(grain, end - 1).filter(|window| window.end == end)
    }

    /// Returns every window of `grain` that overlaps `[from, to)`, ascending.
    pub fn windows(&self, grain: Grain, from: Timestamp, to: Timestamp) -> Vec<Window> {
        if grain == Grain::Shift {
            return self.shift_windows(from, to);
        }
        let mut windows = Vec::new();
        let mut at = from;
        while at < to {
            let Some(window) = self.window_of(grain, at).filter(|window| window.end > at) else { break };
            at = window.end;
            windows.push(window);
        }
        windows
    }

    /// Returns the production day of a window: the civil date on which it starts. Of a shift across midnight that is
    /// the date of its first hour.
    pub fn production_day(&self, window: Window) -> Date {
        self.zoned(window.start).date()
    }

    /// Returns the name of the shift that starts at `start`.
    pub fn shift_name(&self, start: Timestamp) -> Option<&str> {
        self.shift_starting_at(start).map(|(_, shift)| shift.name.as_str())
    }

    /// Returns the team whose turn the shift that starts at `start` is; `None` where teams don't rotate.
    pub fn team(&self, start: Timestamp) -> Option<&str> {
        let (date, shift) = self.shift_starting_at(start)?;
        self.pattern_of(date).team(date, &shift.name)
    }

    fn shift_starting_at(&self, start: Timestamp) -> Option<(Date, &Shift)> {
        let date = self.zoned(start).date();
        let starts = |shift: &&Shift| self.instant(date.to_datetime(shift.from)) == Some(start);
        self.worked(date).into_iter().find(starts).map(|shift| (date, shift))
    }

    /// Returns the parts of `[from, to)` that are planned operation time, ascending, without overlap.
    pub fn planned(&self, from: Timestamp, to: Timestamp) -> Vec<Window> {
        self.plan(Window { start: from, end: to }).operation
    }

    /// Returns planned operation time in a span and the breaks in it.
    pub fn plan(&self, span: Window) -> Planned {
        let mut planned = Planned::default();
        if span.start >= span.end {
            return planned;
        }
        if self.is_assumed() {
            planned.operation.push(span);
            return planned;
        }
        let mut shifts: Vec<(Window, Date, &Shift)> = self.shifts_over(span).collect();
        shifts.sort_by_key(|(window, date, _)| (*window, *date));
        for (window, date, shift) in shifts {
            plan::push(&mut planned.operation, window);
            for rest in &shift.breaks {
                let Some(window) = self.break_window(date, shift, rest) else { continue };
                if rest.machine_planned_down {
                    plan::push(&mut planned.down, window);
                }
                if !rest.paid {
                    plan::push(&mut planned.unpaid, window);
                }
            }
        }
        planned.within(span)
    }

    fn shift_windows(&self, from: Timestamp, to: Timestamp) -> Vec<Window> {
        let mut windows: Vec<Window> =
            self.shifts_over(Window { start: from, end: to }).map(|(window, ..)| window).collect();
        windows.sort();
        windows
    }

    /// Returns the shifts that overlap a span, with the days on which they start.
    fn shifts_over(&self, span: Window) -> impl Iterator<Item = (Window, Date, &Shift)> {
        let first = self.zoned(span.start).date();
        let first = first.yesterday().unwrap_or(first);
        let last = self.zoned(span.end).date();
        let dates =
            std::iter::successors(Some(first), |date| date.tomorrow().ok()).take_while(move |date| *date <= last);
        let shifts = dates.flat_map(|date| self.worked(date).into_iter().map(move |shift| (date, shift)));
        let windows = shifts.filter_map(|(date, shift)| Some((self.shift_window(date, shift)?, date, shift)));
        windows.filter(move |(window, ..)| window.start < span.end && window.end > span.start)
    }

    fn shifts_around(&self, at: Timestamp) -> impl Iterator<Item = Window> {
        self.shifts_over(Window { start: at, end: at + 1 }).map(|(window, ..)| window)
    }

    /// Returns the pattern that holds on a date.
    fn pattern_of(&self, date: Date) -> &Pattern {
        let after = self.patterns.partition_point(|pattern| pattern.valid_from.is_none_or(|from| from <= date));
        &self.patterns[after.saturating_sub(1)]
    }

    /// Returns the shifts that start on a date: those of an added working day, none on a holiday, else the pattern's.
    pub fn worked(&self, date: Date) -> Vec<&Shift> {
        let pattern = self.pattern_of(date);
        match self.working_days.get(&date) {
            Some(named) if named.is_empty() => {
                pattern.shifts.iter().filter(|shift| shift.is_on(date.weekday())).collect()
            }
            Some(named) => pattern.shifts.iter().filter(|shift| named.contains(&shift.name)).collect(),
            None if self.holidays.contains(&date) => Vec::new(),
            None => pattern.worked(date).collect(),
        }
    }

    fn shift_window(&self, date: Date, shift: &Shift) -> Option<Window> {
        let end_date = if shift.to > shift.from { date } else { date.tomorrow().ok()? };
        let (start, end) = (self.instant(date.to_datetime(shift.from))?, self.instant(end_date.to_datetime(shift.to))?);
        Some(Window { start, end })
    }

    fn break_window(&self, date: Date, shift: &Shift, rest: &Break) -> Option<Window> {
        let day_of = |time: Time, is_next: bool| {
            let date = if is_next { date.tomorrow().ok()? } else { date };
            self.instant(date.to_datetime(time))
        };
        let starts_next = rest.from < shift.from;
        let start = day_of(rest.from, starts_next)?;
        Some(Window { start, end: day_of(rest.to, starts_next || rest.to <= rest.from)? })
    }

    fn clock_window(&self, at: Timestamp, minutes: i64) -> Window {
        let offset_ms = i64::from(self.zoned(at).offset().seconds()) * 1000;
        let length = minutes * MINUTE_MS;
        let local = at + offset_ms;
        let start = local - local.0.rem_euclid(length) - offset_ms;
        Window { start, end: start + length }
    }

    fn civil_window(&self, first: Date, length: Span) -> Window {
        let start = self.instant(first.to_datetime(Time::midnight()));
        let end = first.checked_add(length).ok().and_then(|next| self.instant(next.to_datetime(Time::midnight())));
        match (start, end) {
            (Some(start), Some(end)) => Window { start, end },
            // Beyond the years a calendar knows; no measurement lies there.
            _ => Window { start: Timestamp(i64::MIN), end: Timestamp(i64::MAX) },
        }
    }

    fn instant(&self, civil: jiff::civil::DateTime) -> Option<Timestamp> {
        self.zone.to_timestamp(civil).ok().map(|instant| Timestamp(instant.as_millisecond()))
    }

    fn zoned(&self, at: Timestamp) -> ZonedDateTime {
        let instant = jiff::Timestamp::from_millisecond(at.0).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
        instant.to_zoned_datetime(self.zone.clone())
    }
}
