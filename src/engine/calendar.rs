//! Civil windows of a site: hours, days, shifts across midnight, months, and planned operation time.
//!
//! In: a time zone, shifts, days off and holidays. Out: half-open windows in UTC. A production day belongs to the
//! day on which its shift starts; a shift is never rebuilt from hours.

use std::collections::BTreeSet;

use jiff::civil::{Date, Time, Weekday};
use jiff::tz::TimeZone;
use jiff::{Span, ZonedDateTime};

use crate::model::time::{Grain, MINUTE_MS, Timestamp, Window};

/// One shift of the day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shift {
    /// Its name, as the factory calls it.
    pub name: String,
    /// When it starts, civil time.
    pub from: Time,
    /// When it ends; not after `from` means on the next day.
    pub to: Time,
}

/// The calendar of a site.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Calendar {
    zone: TimeZone,
    shifts: Vec<Shift>,
    days_off: BTreeSet<i8>,
    holidays: BTreeSet<Date>,
}

impl Calendar {
    /// Makes a calendar. Without shifts every instant is planned operation time, and figures say so.
    pub fn new(
        zone: TimeZone,
        shifts: Vec<Shift>,
        days_off: impl IntoIterator<Item = Weekday>,
        holidays: impl IntoIterator<Item = Date>,
    ) -> Self {
        Self {
            zone,
            shifts,
            days_off: days_off.into_iter().map(Weekday::to_monday_one_offset).collect(),
            holidays: holidays.into_iter().collect(),
        }
    }

    /// A calendar without shifts.
    pub fn round_the_clock(zone: TimeZone) -> Self {
        Self::new(zone, Vec::new(), [], [])
    }

    /// Says whether planned operation time is assumed to be all time, because no shift is declared.
    pub fn is_assumed(&self) -> bool {
        self.shifts.is_empty()
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

    /// Returns the name of the shift that starts at `start`.
    pub fn shift_name(&self, start: Timestamp) -> Option<&str> {
        let time = self.zoned(start).time();
        self.shifts.iter().find(|shift| shift.from == time).map(|shift| shift.name.as_str())
    }

    /// Returns the parts of `[from, to)` that are planned operation time, ascending, without overlap.
    pub fn planned(&self, from: Timestamp, to: Timestamp) -> Vec<Window> {
        if from >= to {
            return Vec::new();
        }
        if self.is_assumed() {
            return vec![Window { start: from, end: to }];
        }
        let mut planned: Vec<Window> = Vec::new();
        for shift in self.shift_windows(from, to) {
            let clipped = Window { start: shift.start.max(from), end: shift.end.min(to) };
            match planned.last_mut() {
                Some(last) if clipped.start <= last.end => last.end = last.end.max(clipped.end),
                _ => planned.push(clipped),
            }
        }
        planned
    }

    fn shift_windows(&self, from: Timestamp, to: Timestamp) -> Vec<Window> {
        let mut windows = Vec::new();
        let Ok(mut date) = self.zoned(from).date().yesterday() else { return windows };
        let last = self.zoned(to).date();
        while date <= last {
            windows.extend(self.shifts_of(date).filter(|window| window.start < to && window.end > from));
            match date.tomorrow() {
                Ok(next) => date = next,
                Err(_) => break,
            }
        }
        windows.sort();
        windows
    }

    fn shifts_around(&self, at: Timestamp) -> impl Iterator<Item = Window> + '_ {
        let date = self.zoned(at).date();
        date.yesterday().into_iter().chain([date]).flat_map(|date| self.shifts_of(date))
    }

    /// Returns the shifts that start on `date`; none on a day off or a holiday.
    fn shifts_of(&self, date: Date) -> impl Iterator<Item = Window> + '_ {
        let worked = !self.holidays.contains(&date) && !self.days_off.contains(&date.weekday().to_monday_one_offset());
        self.shifts.iter().filter(move |_| worked).filter_map(move |shift| {
            let end_date = if shift.to > shift.from { date } else { date.tomorrow().ok()? };
            Some(Window {
                start: self.instant(date.to_datetime(shift.from))?,
                end: self.instant(end_date.to_datetime(shift.to))?,
            })
        })
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

#[cfg(test)]
mod tests {
    use jiff::civil::{date, time};

    use super::{Calendar, Grain, Shift, TimeZone, Timestamp, Weekday};

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn three_shifts() -> Calendar {
        let shift = |name: &str, from, to| Shift { name: name.to_owned(), from, to };
        Calendar::new(
            TimeZone::get("Asia/Ho_Chi_Minh").unwrap(),
            vec![
                shift("ca-1", time(6, 0, 0, 0), time(14, 0, 0, 0)),
                shift("ca-2", time(14, 0, 0, 0), time(22, 0, 0, 0)),
                shift("ca-3", time(22, 0, 0, 0), time(6, 0, 0, 0)),
            ],
            [Weekday::Sunday],
            [date(2026, 9, 2)],
        )
    }

    #[test]
    fn windows_are_civil_and_half_open() {
        let calendar = three_shifts();
        for (grain, start, end) in [
            (Grain::QuarterHour, "2026-10-05T17:00:00Z", "2026-10-05T17:15:00Z"),
            (Grain::Hour, "2026-10-05T17:00:00Z", "2026-10-05T18:00:00Z"),
            (Grain::Day, "2026-10-05T17:00:00Z", "2026-10-06T17:00:00Z"),
            (Grain::Month, "2026-09-30T17:00:00Z", "2026-10-31T17:00:00Z"),
            (Grain::Year, "2025-12-31T17:00:00Z", "2026-12-31T17:00:00Z"),
        ] {
            let window = calendar.window_of(grain, at("2026-10-05T17:00:00Z")).unwrap();
            assert_eq!((window.start, window.end), (at(start), at(end)), "{grain}");
        }
    }

    #[test]
    fn the_night_shift_belongs_to_the_day_it_starts() {
        let calendar = three_shifts();
        let night = calendar.window_of(Grain::Shift, at("2026-10-06T02:00:00+07:00")).unwrap();
        assert_eq!((night.start, night.end), (at("2026-10-05T22:00:00+07:00"), at("2026-10-06T06:00:00+07:00")));
        assert_eq!(calendar.shift_name(night.start), Some("ca-3"));
    }

    #[test]
    fn a_holiday_and_a_day_off_have_no_shift_but_the_night_before_runs_to_its_end() {
        let calendar = three_shifts();
        assert!(calendar.window_of(Grain::Shift, at("2026-09-02T10:00:00+07:00")).is_none());
        assert!(calendar.window_of(Grain::Shift, at("2026-09-02T05:00:00+07:00")).is_some());
        let planned = calendar.planned(at("2026-09-01T20:00:00+07:00"), at("2026-09-03T07:00:00+07:00"));
        assert_eq!(planned.len(), 2);
        assert_eq!(planned[0].end, at("2026-09-02T06:00:00+07:00"));
        assert_eq!(planned[1].start, at("2026-09-03T06:00:00+07:00"));
    }

    #[test]
    fn without_shifts_all_time_is_planned_and_said_to_be_assumed() {
        let calendar = Calendar::round_the_clock(TimeZone::UTC);
        assert!(calendar.is_assumed());
        assert_eq!(calendar.planned(Timestamp(5), Timestamp(9)).len(), 1);
    }
}
