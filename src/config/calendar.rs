//! `[calendar]` and the grains of records: what they say of each other, and the calendar the engine gets.

use std::collections::BTreeSet;

use jiff::tz::TimeZone;

use super::component::Component;
use super::spelling;
use crate::engine::calendar::{Calendar, Shift};
use crate::engine::config::RecordsConfig;
use crate::engine::config::calendar::{CalendarConfig, ShiftConfig};
use crate::model::problem::Problems;
use crate::model::time::Grain;
use crate::reference::Reference;

/// Minutes of a day.
const DAY: u16 = 1440;

/// Checks the calendar. Returns whether there are shifts; `None` where that can't be known.
pub(super) fn check(
    section: Option<&Component<CalendarConfig>>,
    reference: &Reference,
    problems: &mut Problems,
) -> Option<bool> {
    let Some(section) = section else {
        problems.warning(
            None,
            "there is no [calendar]: production is assumed to be planned round the clock",
            "add [calendar] with shifts; availability and OEE depend on it",
        );
        return Some(false);
    };
    let calendar = section.value.as_ref()?;
    check_holidays(calendar, reference, problems);
    check_shifts(calendar, problems);
    if calendar.shifts.is_empty() && section.is_whole {
        let span = calendar.holidays.as_ref().map(serde_spanned::Spanned::span);
        problems.warning(
            span.or_else(|| calendar.days_off.first().map(serde_spanned::Spanned::span)),
            "[calendar] has no shifts: production is assumed to be planned round the clock, every day",
            "add shifts = [{ name = \"day\", from = \"06:00\", to = \"18:00\" }]",
        );
    }
    (section.is_whole || !calendar.shifts.is_empty()).then_some(!calendar.shifts.is_empty())
}

fn check_holidays(calendar: &CalendarConfig, reference: &Reference, problems: &mut Problems) {
    let Some(set) = &calendar.holidays else { return };
    if reference.holidays(set.get_ref()).is_none() {
        let known: Vec<&str> = reference.holiday_sets().collect();
        let help = spelling::propose(set.get_ref(), &known, "\"");
        problems.error(set.span(), format!("there is no set of holidays \"{}\"", set.get_ref()), help);
    }
}

fn check_shifts(calendar: &CalendarConfig, problems: &mut Problems) {
    let mut names = BTreeSet::new();
    let mut earlier: Vec<&ShiftConfig> = Vec::new();
    for shift in &calendar.shifts {
        let shift = shift.get_ref();
        let name = shift.name.get_ref();
        if name.trim().is_empty() {
            problems.error(shift.name.span(), "a shift has an empty name", "write a name, like \"ca-1\"");
        }
        if !names.insert(name) {
            problems.error(shift.name.span(), format!("there are two shifts \"{name}\""), "give each its own name");
        }
        if shift.from.get_ref().minutes() == DAY {
            problems.error(shift.from.span(), "a shift can't start at 24:00", "write 00:00, the start of the next day");
        }
        if let Some(other) = earlier.iter().find(|other| overlap(other, shift)) {
            problems.error(
                shift.from.span(),
                format!(
                    "shift \"{name}\" ({}–{}) overlaps shift \"{}\" ({}–{})",
                    shift.from.get_ref(),
                    shift.to.get_ref(),
                    other.name.get_ref(),
                    other.from.get_ref(),
                    other.to.get_ref()
                ),
                "let each shift start where the one before it ends, or later",
            );
        }
        earlier.push(shift);
    }
}

/// Says whether two shifts have a minute of the day in common.
fn overlap(a: &ShiftConfig, b: &ShiftConfig) -> bool {
    let length = |shift: &ShiftConfig| {
        let (from, to) = (shift.from.get_ref().minutes(), shift.to.get_ref().minutes());
        if to > from { to - from } else { to + DAY - from }
    };
    let after =
        |a: &ShiftConfig, b: &ShiftConfig| (b.from.get_ref().minutes() + DAY - a.from.get_ref().minutes()) % DAY;
    after(a, b) < length(a) || after(b, a) < length(b)
}

/// Reports shift records without shifts, and an empty list.
pub(super) fn check_grains(
    section: Option<&Component<RecordsConfig>>,
    has_shifts: Option<bool>,
    problems: &mut Problems,
) {
    let grains = section.and_then(|section| section.value.as_ref()).and_then(|records| records.grains.as_ref());
    for grain in grains.into_iter().flatten() {
        if *grain.get_ref() == Grain::Shift && has_shifts == Some(false) {
            problems.error(
                grain.span(),
                "records of shifts are asked for, and no shift is declared",
                "add shifts to [calendar], or remove \"shift\"",
            );
        }
    }
}

/// Builds the engine's calendar.
pub(super) fn build(config: &CalendarConfig, zone: TimeZone, reference: &Reference) -> Calendar {
    let shifts = config.shifts.iter().map(|shift| {
        let shift = shift.get_ref();
        Shift::new(shift.name.get_ref(), shift.from.get_ref().time(), shift.to.get_ref().time())
    });
    let days_off = config.days_off.iter().map(|day| day.get_ref().0);
    let holidays = config.holidays.as_ref().and_then(|set| reference.holidays(set.get_ref()));
    Calendar::new(zone, shifts.collect(), days_off, holidays.into_iter().flat_map(|days| days.keys().copied()))
}
