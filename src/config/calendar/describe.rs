//! What a calendar means, in lines that a person checks before a box starts.

use std::collections::BTreeMap;

use jiff::civil::{Date, Time, Weekday};
use serde_spanned::Spanned;

use super::holidays;
use crate::engine::calendar::{Break, Calendar, Pattern, Shift};
use crate::engine::config::calendar::{CalendarConfig, WorkCalendarConfig, WorkingDayConfig};
use crate::reference::{Holiday, Reference};

/// Returns the lines of every calendar: name and users, each shift with its breaks, each kind of day, the cycle of
/// teams, holidays and added days. `users` are the numbers of assets by calendar.
pub(in crate::config) fn describe(
    calendars: &[Calendar],
    users: &[usize],
    site: &CalendarConfig,
    work: &[WorkCalendarConfig],
    reference: &Reference,
) -> Vec<String> {
    let mut lines = Vec::new();
    for (position, calendar) in calendars.iter().enumerate() {
        let of_work = position.checked_sub(1).and_then(|position| work.get(position));
        let users = users.get(position).copied().unwrap_or(0);
        lines.push(format!("calendar {}: of {users} asset{}", calendar.name(), if users == 1 { "" } else { "s" }));
        if calendar.is_assumed() {
            lines.push("  no shifts: every hour of every day is taken as planned, and figures say so".to_owned());
        }
        for pattern in calendar.patterns().iter().filter(|pattern| !pattern.shifts.is_empty()) {
            lines.extend(pattern.valid_from.map(|from| format!("  from {from} on:")));
            lines.extend(pattern_lines(pattern).into_iter().map(|line| format!("  {line}")));
        }
        match of_work {
            None => lines.extend(holiday_lines(&holidays::of_site(site, reference))),
            Some(work) if work.works_on_holidays => lines.push("  shifts start on holidays too".to_owned()),
            Some(_) => lines.push("  the site's holidays: no shift starts".to_owned()),
        }
        let days = of_work.map_or(site.working_days.as_slice(), |work| &work.working_days);
        lines.extend(days.iter().map(|day| working_day_line(day.get_ref())));
    }
    lines
}

fn pattern_lines(pattern: &Pattern) -> Vec<String> {
    let mut lines: Vec<String> = pattern.shifts.iter().map(shift_line).collect();
    let mut kinds: Vec<(Vec<&str>, Vec<&str>)> = Vec::new();
    for weekday in Weekday::Monday.cycle_forward().take(7) {
        let is_off = pattern.days_off.contains(&weekday.to_monday_one_offset());
        let shifts = pattern.shifts.iter().filter(|shift| !is_off && shift.is_on(weekday));
        let names: Vec<&str> = shifts.map(|shift| shift.name.as_str()).collect();
        match kinds.iter_mut().find(|(_, shifts)| *shifts == names) {
            Some((days, _)) => days.push(weekday_name(weekday)),
            None => kinds.push((vec![weekday_name(weekday)], names)),
        }
    }
    for (days, shifts) in kinds {
        let shifts = if shifts.is_empty() { "off".to_owned() } else { shifts.join(", ") };
        lines.push(format!("{}: {shifts}", days.join(", ")));
    }
    if let Some(rotation) = &pattern.rotation {
        for (day, turns) in rotation.cycle.iter().enumerate() {
            let turn = |turn: &crate::engine::calendar::Turn| {
                let shift = pattern.shifts.get(turn.shift).map_or("", |shift| shift.name.as_str());
                format!("{shift} team {}", turn.team)
            };
            let turns: Vec<String> = turns.iter().map(turn).collect();
            let turns = if turns.is_empty() { "off".to_owned() } else { turns.join(", ") };
            let (length, from) = (rotation.cycle.len(), rotation.from);
            lines.push(format!("day {} of {length} from {from}: {turns}", day + 1));
        }
    }
    lines
}

fn shift_line(shift: &Shift) -> String {
    let total = minutes_between(shift.from, shift.to);
    let sum = |wanted: fn(&&Break) -> bool| -> i32 {
        shift.breaks.iter().filter(wanted).map(|rest| minutes_between(rest.from, rest.to)).sum()
    };
    let busy = total - sum(|rest| rest.machine_planned_down);
    let paid = total - sum(|rest| !rest.paid);
    let next_day = if shift.to > shift.from { "" } else { " of the next day" };
    let mut line = format!(
        "shift {} {}–{}{next_day}: machine planned {}, people paid {}",
        shift.name,
        clock(shift.from),
        clock(shift.to),
        hours(busy),
        hours(paid)
    );
    for rest in &shift.breaks {
        let paid = if rest.paid { "paid" } else { "unpaid" };
        let machine = if rest.machine_planned_down { "machine stands still" } else { "machine runs on" };
        line.push_str(&format!("; break {}–{} {paid}, {machine}", clock(rest.from), clock(rest.to)));
    }
    line
}

fn holiday_lines(days: &BTreeMap<Date, Option<&Holiday>>) -> Vec<String> {
    let mut years: BTreeMap<i16, Vec<String>> = BTreeMap::new();
    for (date, holiday) in days {
        let observed = holiday.is_some_and(|holiday| holiday.observed_for.is_some());
        let mark = if observed { " (observed)" } else { "" };
        years.entry(date.year()).or_default().push(format!("{}{mark}", date.strftime("%m-%d")));
    }
    years.into_iter().map(|(year, days)| format!("  holidays {year}: {}", days.join(", "))).collect()
}

fn working_day_line(day: &WorkingDayConfig) -> String {
    let names: Vec<&str> = day.shifts.iter().map(Spanned::get_ref).map(String::as_str).collect();
    let shifts = if names.is_empty() { "all shifts".to_owned() } else { names.join(", ") };
    format!("  worked {}: {shifts} ({})", day.date.get_ref(), day.source.get_ref())
}

fn minutes_between(from: Time, to: Time) -> i32 {
    let minutes = |time: Time| i32::from(time.hour()) * 60 + i32::from(time.minute());
    match (minutes(to) - minutes(from)).rem_euclid(1440) {
        0 => 1440,
        minutes => minutes,
    }
}

fn clock(time: Time) -> String {
    format!("{:02}:{:02}", time.hour(), time.minute())
}

fn hours(minutes: i32) -> String {
    format!("{} h {:02} min", minutes / 60, minutes % 60)
}

const fn weekday_name(weekday: Weekday) -> &'static str {
    match weekday {
        Weekday::Monday => "Monday",
        Weekday::Tuesday => "Tuesday",
        Weekday::Wednesday => "Wednesday",
        Weekday::Thursday => "Thursday",
        Weekday::Friday => "Friday",
        Weekday::Saturday => "Saturday",
        Weekday::Sunday => "Sunday",
    }
}
