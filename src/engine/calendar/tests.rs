//! Windows and planned operation time of calendars.

use jiff::civil::{date, time};

use super::{Calendar, Grain, Shift, TimeZone, Timestamp, Weekday};

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn three_shifts() -> Calendar {
    Calendar::new(
        TimeZone::get("Asia/Ho_Chi_Minh").unwrap(),
        vec![
            Shift::new("ca-1", time(6, 0, 0, 0), time(14, 0, 0, 0)),
            Shift::new("ca-2", time(14, 0, 0, 0), time(22, 0, 0, 0)),
            Shift::new("ca-3", time(22, 0, 0, 0), time(6, 0, 0, 0)),
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
