//! From the configuration to the engine's calendars.

use std::collections::BTreeMap;

use jiff::civil::{Date, Time};
use jiff::tz::TimeZone;
use serde_spanned::Spanned;

use super::holidays;
use crate::engine::calendar::{Break, Calendar, Pattern, Rotation, Shift, Turn};
use crate::engine::config::calendar::{
    BreakConfig, CalendarConfig, PatternParts, RotationConfig, ShiftConfig, Work, WorkCalendarConfig,
};
use crate::reference::Reference;

/// Builds the engine's calendars: the site's first, then those that assets name, in the order of the file.
pub(in crate::config) fn build(
    site: &CalendarConfig,
    work: &[WorkCalendarConfig],
    zone: &TimeZone,
    reference: &Reference,
) -> Vec<Calendar> {
    let holidays: Vec<Date> = holidays::of_site(site, reference).into_keys().collect();
    let of_work = work.iter().map(|calendar| {
        let days = if calendar.works_on_holidays { &[] } else { holidays.as_slice() };
        one(&calendar.work(), days, zone)
    });
    std::iter::once(one(&site.work(), &holidays, zone)).chain(of_work).collect()
}

fn one(work: &Work<'_>, holidays: &[Date], zone: &TimeZone) -> Calendar {
    let changes = work.change.iter().map(Spanned::get_ref);
    let changes = changes.map(|change| pattern(change.pattern(), Some(change.valid_from.get_ref().0)));
    let patterns = std::iter::once(pattern(work.pattern, None)).chain(changes).collect();
    let days = work.working_days.iter().map(Spanned::get_ref);
    let names = |shifts: &[Spanned<String>]| shifts.iter().map(|name| name.get_ref().clone()).collect();
    let days: BTreeMap<Date, Vec<String>> = days.map(|day| (day.date.get_ref().0, names(&day.shifts))).collect();
    Calendar::new(zone.clone(), Vec::new(), [], holidays.iter().copied())
        .named(work.name)
        .with_patterns(patterns)
        .with_working_days(days)
}

fn pattern(parts: PatternParts<'_>, valid_from: Option<Date>) -> Pattern {
    let shifts: Vec<Shift> = parts.shifts.iter().map(|config| shift(config.get_ref())).collect();
    let rotation = parts.rotation.map(|config| rotation(config.get_ref(), &shifts));
    let days_off = parts.days_off.iter().map(|day| day.get_ref().0);
    Pattern { valid_from, rotation, ..Pattern::new(shifts, days_off) }
}

fn shift(config: &ShiftConfig) -> Shift {
    let from = config.from.get_ref().time();
    let mut breaks: Vec<Break> = config.breaks.iter().map(|rest| rest_of(rest.get_ref())).collect();
    breaks.sort_by_key(|rest| minutes_after(rest.from, from));
    Shift {
        weekdays: config.days.iter().map(|day| day.get_ref().0.to_monday_one_offset()).collect(),
        breaks,
        ..Shift::new(config.name.get_ref(), from, config.to.get_ref().time())
    }
}

fn rest_of(config: &BreakConfig) -> Break {
    let BreakConfig { from, to, paid, machine_planned_down } = config;
    Break {
        from: from.get_ref().time(),
        to: to.get_ref().time(),
        paid: *paid,
        machine_planned_down: *machine_planned_down,
    }
}

/// Returns the minutes from one wall-clock time to another, over midnight where the other is earlier.
fn minutes_after(time: Time, start: Time) -> i32 {
    let minutes = |time: Time| i32::from(time.hour()) * 60 + i32::from(time.minute());
    (minutes(time) - minutes(start)).rem_euclid(1440)
}

/// Loading has checked that every team has every day, and each shift one team a day.
fn rotation(config: &RotationConfig, shifts: &[Shift]) -> Rotation {
    let days = config.teams.values().map(|cycle| cycle.get_ref().len()).max().unwrap_or(0);
    let mut cycle = vec![Vec::new(); days];
    for (team, shifts_of_team) in &config.teams {
        for (day, name) in cycle.iter_mut().zip(shifts_of_team.get_ref()) {
            if let Some(shift) = shifts.iter().position(|shift| shift.name == *name.get_ref()) {
                day.push(Turn { shift, team: team.clone() });
            }
        }
    }
    for day in &mut cycle {
        day.sort_by_key(|turn| turn.shift);
    }
    Rotation { from: config.from.get_ref().0, cycle }
}
