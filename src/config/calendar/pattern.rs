//! Shifts, breaks, rotations and changes of a pattern: what they say of each other.

use std::collections::{BTreeMap, BTreeSet};

use serde_spanned::Spanned;

use crate::config::spelling;
use crate::engine::config::calendar::{
    BreakConfig, ChangeConfig, OFF, PatternParts, RotationConfig, ShiftConfig, Work, WorkingDayConfig,
};
use crate::model::problem::Problems;

/// Minutes of a day.
const DAY: u32 = 1440;

/// Minutes of a week.
const WEEK: u32 = 7 * DAY;

/// Reports what is wrong with a calendar's patterns and added days.
pub(super) fn check(work: &Work<'_>, problems: &mut Problems) {
    check_pattern(&work.pattern, problems);
    let mut before = work.pattern;
    let mut newest: Option<&ChangeConfig> = None;
    for change in work.change.iter().map(Spanned::get_ref) {
        let (from, pattern) = (&change.valid_from, change.pattern());
        if before.shifts.is_empty() || pattern.shifts.is_empty() {
            let message = format!("the pattern changes on {}, and one of the two has no shifts", from.get_ref());
            problems.error(from.span(), message, "give both their shifts: before the change and from it on");
        }
        if let Some(earlier) = newest.filter(|earlier| earlier.valid_from.get_ref() >= from.get_ref()) {
            let message =
                format!("the change of {} comes after that of {}", from.get_ref(), earlier.valid_from.get_ref());
            problems.error(from.span(), message, "put changes in the order of their dates, each its own");
        }
        check_pattern(&pattern, problems);
        check_handover(&before, change, problems);
        (before, newest) = (pattern, Some(change));
    }
    check_working_days(work, problems);
}

fn check_pattern(pattern: &PatternParts<'_>, problems: &mut Problems) {
    let mut names = BTreeSet::new();
    let mut earlier: Vec<&ShiftConfig> = Vec::new();
    for shift in pattern.shifts.iter().map(Spanned::get_ref) {
        let name = shift.name.get_ref();
        if name.trim().is_empty() {
            problems.error(shift.name.span(), "a shift has an empty name", "write a name, like \"ca-1\"");
        }
        if !names.insert(name) {
            problems.error(shift.name.span(), format!("there are two shifts \"{name}\""), "give each its own name");
        }
        if start(shift) == DAY {
            problems.error(shift.from.span(), "a shift can't start at 24:00", "write 00:00, the start of the next day");
        }
        if let Some(other) = earlier.iter().find(|other| overlap(other, shift)) {
            problems.error(
                shift.from.span(),
                format!("shift {} overlaps shift {}", with_times(shift), with_times(other)),
                "let each shift start where the one before it ends, or later",
            );
        }
        check_breaks(shift, problems);
        earlier.push(shift);
    }
    if let Some(rotation) = pattern.rotation {
        check_rotation(rotation, pattern.shifts, problems);
    }
}

fn with_times(shift: &ShiftConfig) -> String {
    format!("\"{}\" ({}–{})", shift.name.get_ref(), shift.from.get_ref(), shift.to.get_ref())
}

fn start(shift: &ShiftConfig) -> u32 {
    u32::from(shift.from.get_ref().minutes())
}

/// Returns how long a shift is, 1 minute to a day. **Unit**: min.
fn length(shift: &ShiftConfig) -> u32 {
    let to = u32::from(shift.to.get_ref().minutes());
    if to > start(shift) { to - start(shift) } else { to + DAY - start(shift) }
}

/// Returns the minutes of the week at which a shift starts, Monday first.
fn starts(shift: &ShiftConfig) -> impl Iterator<Item = u32> {
    let is_on = |day: &i8| {
        let is_named = |named: &Spanned<crate::engine::config::calendar::Weekday>| {
            named.get_ref().0.to_monday_zero_offset() == *day
        };
        shift.days.is_empty() || shift.days.iter().any(is_named)
    };
    (0..7_i8).filter(is_on).map(|day| u32::from(day.unsigned_abs()) * DAY + start(shift) % DAY)
}

/// Says whether two shifts have a minute of the week in common.
fn overlap(a: &ShiftConfig, b: &ShiftConfig) -> bool {
    let after = |from: u32, to: u32| (to + WEEK - from) % WEEK;
    starts(a).any(|a_start| {
        starts(b).any(|b_start| after(a_start, b_start) < length(a) || after(b_start, a_start) < length(b))
    })
}

/// Reports breaks outside their shift, without length, or in each other.
fn check_breaks(shift: &ShiftConfig, problems: &mut Problems) {
    let after_start = |minutes: u16| (u32::from(minutes) + DAY - start(shift) % DAY) % DAY;
    let mut taken: Vec<(u32, u32)> = Vec::new();
    for rest in shift.breaks.iter().map(Spanned::get_ref) {
        let BreakConfig { from, to, .. } = rest;
        let begin = after_start(from.get_ref().minutes());
        let end = match after_start(to.get_ref().minutes()) {
            // The end of a shift of 24 hours.
            0 => DAY,
            end => end,
        };
        let words = format!("break {}–{} of shift {}", from.get_ref(), to.get_ref(), with_times(shift));
        if begin >= length(shift) || end > length(shift) || begin >= end {
            problems.error(from.span(), format!("{words} lies outside it"), "a break starts and ends in its shift");
        } else if taken.iter().any(|(other_begin, other_end)| begin < *other_end && *other_begin < end) {
            problems.error(from.span(), format!("{words} overlaps another"), "let breaks follow one another");
        }
        taken.push((begin, end));
    }
}

/// Reports a cycle that leaves a day undefined, shifts that nobody declares, and two teams in one shift.
fn check_rotation(rotation: &Spanned<RotationConfig>, shifts: &[Spanned<ShiftConfig>], problems: &mut Problems) {
    let teams = &rotation.get_ref().teams;
    let days = teams.values().map(|cycle| cycle.get_ref().len()).max().unwrap_or(0);
    if days == 0 {
        let help = "write one shift a day for each team, like teams = { A = [\"ca-1\", \"off\"] }";
        problems.error(rotation.span(), "a rotation has no team with a day in its cycle", help);
    }
    let mut known: Vec<&str> = shifts.iter().map(|shift| shift.get_ref().name.get_ref().as_str()).collect();
    let mut turns: BTreeMap<(usize, &str), &str> = BTreeMap::new();
    for (team, cycle) in teams {
        let length = cycle.get_ref().len();
        if length < days {
            problems.error(
                cycle.span(),
                format!("the cycle has {days} days, and team \"{team}\" is undefined from day {} on", length + 1),
                "give every team as many days as the longest; a free day is \"off\"",
            );
        }
        for (day, shift) in cycle.get_ref().iter().enumerate().filter(|(_, shift)| shift.get_ref() != OFF) {
            let name = shift.get_ref().as_str();
            if !known.contains(&name) {
                known.push(OFF);
                let message =
                    format!("team \"{team}\" works shift \"{name}\" on day {}, which is not declared", day + 1);
                problems.error(shift.span(), message, spelling::propose(name, &known, "\""));
                known.pop();
            } else if let Some(other) = turns.insert((day, name), team) {
                let message = format!("teams \"{other}\" and \"{team}\" both work shift \"{name}\" on day {}", day + 1);
                problems.error(shift.span(), message, "give one of them another shift, or \"off\"");
            }
        }
    }
    for shift in shifts.iter().map(|shift| &shift.get_ref().name) {
        if shift.get_ref() == OFF {
            problems.error(
                shift.span(),
                "a shift is called \"off\", which is a team's free day",
                "give it another name",
            );
        } else if days > 0 && !turns.keys().any(|(_, name)| name == shift.get_ref()) {
            let message = format!("no team of the rotation ever works shift \"{}\"", shift.get_ref());
            problems.warning(shift.span(), message, "give it to a team, or remove it");
        }
    }
}

/// A night shift of the old pattern may reach into the first day of the new one.
fn check_handover(before: &PatternParts<'_>, change: &ChangeConfig, problems: &mut Problems) {
    let reaches = |shift: &&Spanned<ShiftConfig>| start(shift.get_ref()) + length(shift.get_ref()) > DAY;
    for old in before.shifts.iter().filter(reaches).map(Spanned::get_ref) {
        let until = start(old) + length(old) - DAY;
        if let Some(new) = change.shifts.iter().map(Spanned::get_ref).find(|new| start(new) < until) {
            problems.error(
                change.valid_from.span(),
                format!(
                    "on {} shift {} starts before shift {} of the day before has ended",
                    change.valid_from.get_ref(),
                    with_times(new),
                    with_times(old)
                ),
                "choose a day before which the old pattern's night shift isn't worked, or shorten it",
            );
        }
    }
}

fn check_working_days(work: &Work<'_>, problems: &mut Problems) {
    let mut dates = BTreeSet::new();
    for day in work.working_days.iter().map(Spanned::get_ref) {
        let WorkingDayConfig { date, source, .. } = day;
        if !dates.insert(date.get_ref()) {
            let message = format!("working day {} is given twice", date.get_ref());
            problems.error(date.span(), message, "keep one of the two, with all its shifts");
        }
        if source.get_ref().trim().is_empty() {
            let message = format!("working day {} has an empty source", date.get_ref());
            problems.error(source.span(), message, "write who decided it and where, like \"overtime plan 41\"");
        }
        let changes = work.change.iter().map(Spanned::get_ref);
        let holding = changes.rev().find(|change| change.valid_from.get_ref() <= date.get_ref());
        let pattern = holding.map_or(work.pattern, ChangeConfig::pattern);
        check_worked_shifts(day, pattern.shifts, problems);
    }
}

/// Reports shifts of a working day that the pattern doesn't have, that overlap, and a day on which none would start.
fn check_worked_shifts(day: &WorkingDayConfig, shifts: &[Spanned<ShiftConfig>], problems: &mut Problems) {
    let date = day.date.get_ref();
    let known: Vec<&str> = shifts.iter().map(|shift| shift.get_ref().name.get_ref().as_str()).collect();
    let mut named: Vec<&ShiftConfig> = Vec::new();
    for name in &day.shifts {
        let found = shifts.iter().map(Spanned::get_ref).find(|shift| shift.name.get_ref() == name.get_ref());
        let Some(shift) = found else {
            let message = format!("shift \"{}\" of working day {date} is not declared", name.get_ref());
            problems.error(name.span(), message, spelling::propose(name.get_ref(), &known, "\""));
            continue;
        };
        let meets = |other: &&ShiftConfig| {
            start(other) < start(shift) + length(shift) && start(shift) < start(other) + length(other)
        };
        if let Some(other) = named.iter().copied().find(meets) {
            let message = format!("on {date} shift {} overlaps shift {}", with_times(shift), with_times(other));
            problems.error(name.span(), message, "name shifts that follow one another");
        }
        named.push(shift);
    }
    let weekday = date.0.weekday();
    let starts_then =
        |shift: &ShiftConfig| shift.days.is_empty() || shift.days.iter().any(|day| day.get_ref().0 == weekday);
    if day.shifts.is_empty() && !shifts.is_empty() && !shifts.iter().any(|shift| starts_then(shift.get_ref())) {
        let message = format!("no shift starts on a {weekday:?}, so working day {date} has none");
        problems.error(day.date.span(), message, "name the shifts that are worked: shifts = […]");
    }
}
