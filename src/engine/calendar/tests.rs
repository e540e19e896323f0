//! Windows and planned operation time of calendars.

use jiff::civil::{date, time};

use super::{
    Break, Calendar, Grain, MINUTE_MS, Pattern, Planned, Planner, Rotation, Shift, TimeZone, Timestamp, Turn, Weekday,
    Window,
};

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

/// Two shifts of 12 hours, worked by three teams in a cycle of five days from Monday 5 October 2026.
fn rotating() -> Calendar {
    let shifts = vec![
        Shift::new("D", time(7, 0, 0, 0), time(19, 0, 0, 0)),
        Shift::new("N", time(19, 0, 0, 0), time(7, 0, 0, 0)),
    ];
    let turn = |shift, team: &str| Turn { shift, team: team.to_owned() };
    let cycle = vec![
        vec![turn(0, "A"), turn(1, "B")],
        vec![turn(0, "A"), turn(1, "B")],
        vec![turn(0, "C")],
        vec![turn(1, "A")],
        Vec::new(),
    ];
    let rotation = Some(Rotation { from: date(2026, 10, 5), cycle });
    let zone = TimeZone::get("Asia/Ho_Chi_Minh").unwrap();
    Calendar::round_the_clock(zone).with_patterns(vec![Pattern { rotation, ..Pattern::new(shifts, []) }])
}

fn names<'a>(shifts: &[&'a Shift]) -> Vec<&'a str> {
    shifts.iter().map(|shift| shift.name.as_str()).collect()
}

#[test]
fn teams_take_turns_by_the_cycle_before_and_after_its_anchor() {
    let calendar = rotating();
    for (day, shifts) in
        [(5, &["D", "N"][..]), (7, &["D"]), (8, &["N"]), (9, &[]), (10, &["D", "N"]), (4, &[]), (3, &["N"])]
    {
        assert_eq!(names(&calendar.worked(date(2026, 10, day))), shifts, "{day}");
    }
    assert_eq!(calendar.team(at("2026-10-06T19:00:00+07:00")), Some("B"));
    assert_eq!(calendar.team(at("2026-10-07T07:00:00+07:00")), Some("C"));
    assert_eq!(calendar.team(at("2026-10-07T19:00:00+07:00")), None);
    assert_eq!(three_shifts().team(at("2026-10-06T06:00:00+07:00")), None);
}

#[test]
fn a_shift_across_midnight_belongs_to_the_production_day_of_its_start() {
    let calendar = three_shifts();
    let night = calendar.window_of(Grain::Shift, at("2026-11-01T02:00:00+07:00")).unwrap();
    assert_eq!(calendar.production_day(night), date(2026, 10, 31));
}

#[test]
fn a_changed_pattern_holds_from_its_date_on_and_a_night_before_runs_to_its_end() {
    let long = vec![Shift::new("N", time(19, 0, 0, 0), time(7, 0, 0, 0))];
    let short = vec![Shift::new("day", time(8, 0, 0, 0), time(16, 0, 0, 0))];
    let later = Pattern { valid_from: Some(date(2026, 7, 1)), ..Pattern::new(short, [Weekday::Sunday]) };
    let zone = TimeZone::get("Asia/Ho_Chi_Minh").unwrap();
    let calendar = Calendar::round_the_clock(zone).with_patterns(vec![Pattern::new(long, []), later]);
    let windows = calendar.windows(Grain::Shift, at("2026-06-30T12:00:00+07:00"), at("2026-07-02T00:00:00+07:00"));
    let ends: Vec<_> = windows.iter().map(|window| window.end).collect();
    assert_eq!(ends, [at("2026-07-01T07:00:00+07:00"), at("2026-07-01T16:00:00+07:00")]);
    assert!(!calendar.is_assumed());
}

#[test]
fn an_added_working_day_is_worked_on_a_day_off_and_on_a_holiday() {
    let days = [(date(2026, 10, 11), vec!["ca-1".to_owned()]), (date(2026, 9, 2), Vec::new())];
    let calendar = three_shifts().with_working_days(days.into_iter().collect());
    assert_eq!(names(&calendar.worked(date(2026, 10, 11))), ["ca-1"]);
    assert_eq!(names(&calendar.worked(date(2026, 9, 2))), ["ca-1", "ca-2", "ca-3"]);
    assert_eq!(names(&calendar.worked(date(2026, 10, 18))), [""; 0]);
}

#[test]
fn a_break_stops_the_machine_or_the_pay_or_both_or_neither() {
    let rest = |hour, paid, machine_planned_down| Break {
        from: time(hour, 0, 0, 0),
        to: time(hour, 30, 0, 0),
        paid,
        machine_planned_down,
    };
    let breaks = vec![rest(23, true, true), rest(0, false, false), rest(2, true, false), rest(4, false, true)];
    let night = Shift { breaks, ..Shift::new("N", time(22, 0, 0, 0), time(6, 0, 0, 0)) };
    let calendar = Calendar::new(TimeZone::UTC, vec![night], [], []);
    let planned = calendar.plan(Window { start: at("2026-10-05T00:00:00Z"), end: at("2026-10-06T12:00:00Z") });
    let starts = |windows: &[Window]| windows.iter().map(|window| window.start.to_string()).collect::<Vec<_>>();
    // The night that began the day before reaches in.
    assert_eq!(planned.operation.iter().map(|window| window.length_ms() / 3_600_000).sum::<i64>(), 6 + 8);
    let stops = ["2026-10-05T04:00:00.000Z", "2026-10-05T23:00:00.000Z", "2026-10-06T04:00:00.000Z"];
    assert_eq!(starts(&planned.down), stops);
    assert_eq!(planned.unpaid.len(), 4);
}

#[test]
fn the_planner_says_of_every_minute_what_the_calendar_says() {
    let calendars = [three_shifts(), rotating(), Calendar::round_the_clock(TimeZone::UTC)];
    let mut planner = Planner::default();
    let mut start = at("2026-10-03T23:50:00Z");
    // On, back, across a day and far away, as corrections of closed minutes ask.
    for (step, length) in [(1, 1), (7, 1), (1_439, 1), (-3_000, 1), (400_000, 1), (0, 4_000), (-1, 3)] {
        for _ in 0..50 {
            start = start + step * MINUTE_MS;
            let span = Window { start, end: start + length * MINUTE_MS };
            let direct: Vec<Planned> = calendars.iter().map(|calendar| calendar.plan(span)).collect();
            assert_eq!(planner.plan(&calendars, span), direct, "{start}");
        }
    }
}
