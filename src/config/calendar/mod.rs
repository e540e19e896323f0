//! `[calendar]`, `[[work_calendar]]` and the grains of records: what they say of each other, and the calendars the
//! engine gets.

mod build;
mod describe;
mod holidays;
mod pattern;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use serde_spanned::Spanned;

pub(super) use build::build;
pub(super) use describe::describe;

use super::component::Component;
use super::document::{Document, text_of};
use super::spelling;
use crate::engine::calendar::SITE_CALENDAR;
use crate::engine::config::calendar::{CalendarConfig, WorkCalendarConfig};
use crate::engine::config::{AssetConfig, RecordsConfig};
use crate::model::problem::Problems;
use crate::model::time::Grain;
use crate::reference::Reference;

/// Every `[[work_calendar]]` that could be read.
#[derive(Debug)]
pub(super) struct WorkCalendars {
    pub(super) calendars: Vec<WorkCalendarConfig>,
    /// Whether every one could be read whole.
    is_complete: bool,
}

/// Reads the calendars that assets may name.
pub(super) fn read(document: &Document<'_>, problems: &mut Problems) -> WorkCalendars {
    let mut read = WorkCalendars { calendars: Vec::new(), is_complete: true };
    for entry in document.list("work_calendar", problems) {
        let what = text_of(entry, "name")
            .map_or_else(|| "[[work_calendar]]".to_owned(), |name| format!("work_calendar \"{name}\""));
        let calendar = document.read::<WorkCalendarConfig>(&what, entry, &[], problems);
        read.is_complete &= calendar.is_whole && calendar.value.is_some();
        read.calendars.extend(calendar.value);
    }
    read
}

/// Checks the calendars. Returns whether there are shifts; `None` where that can't be known.
pub(super) fn check(
    section: Option<&Component<CalendarConfig>>,
    work: &WorkCalendars,
    assets: &[AssetConfig],
    reference: &Reference,
    problems: &mut Problems,
) -> Option<bool> {
    check_names(work, assets, problems);
    for calendar in &work.calendars {
        pattern::check(&calendar.work(), problems);
        if calendar.shifts.is_empty() && work.is_complete {
            let message = format!("work_calendar \"{}\" has no shifts", calendar.name.get_ref());
            problems.error(calendar.name.span(), message, EXAMPLE);
        }
    }
    let of_site = check_site(section, reference, problems);
    let has_work_shifts = work.calendars.iter().any(|calendar| !calendar.shifts.is_empty());
    if has_work_shifts { Some(true) } else { of_site.filter(|has| *has || work.is_complete) }
}

/// What to write where shifts are missing.
const EXAMPLE: &str = "add shifts = [{ name = \"day\", from = \"06:00\", to = \"18:00\" }]";

fn check_site(
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
    holidays::check(calendar, reference, problems);
    pattern::check(&calendar.work(), problems);
    if calendar.shifts.is_empty() && section.is_whole {
        let span = calendar.holidays.as_ref().map(Spanned::span);
        problems.warning(
            span.or_else(|| calendar.days_off.first().map(Spanned::span)),
            "[calendar] has no shifts: production is assumed to be planned round the clock, every day",
            EXAMPLE,
        );
    }
    (section.is_whole || !calendar.shifts.is_empty()).then_some(!calendar.shifts.is_empty())
}

/// Reports names given twice, calendars that assets name and nobody declares, and those that no asset names.
fn check_names(work: &WorkCalendars, assets: &[AssetConfig], problems: &mut Problems) {
    let mut names = BTreeSet::new();
    for calendar in &work.calendars {
        let name = calendar.name.get_ref().as_str();
        if name.trim().is_empty() || name == SITE_CALENDAR {
            let message = format!("a work_calendar can't be called \"{name}\"");
            problems.error(calendar.name.span(), message, "write another name, like \"three-shift\"");
        } else if !names.insert(name) {
            let message = format!("there are two work calendars \"{name}\"");
            problems.error(
                calendar.name.span(),
                message,
                "give each its own name; for another pattern later, add change",
            );
        }
        if !assets.iter().any(|asset| asset.calendar.as_ref().is_some_and(|named| named.get_ref() == name)) {
            let message = format!("no asset names work_calendar \"{name}\"");
            problems.warning(calendar.name.span(), message, "name it at an asset: calendar = …");
        }
    }
    let known: Vec<&str> = names.into_iter().collect();
    for (asset, named) in assets.iter().filter_map(|asset| Some((asset, asset.calendar.as_ref()?))) {
        if work.is_complete && !known.contains(&named.get_ref().as_str()) {
            problems.error(
                named.span(),
                format!("calendar \"{}\" of asset \"{}\" is not declared", named.get_ref(), asset.id.get_ref()),
                spelling::propose(named.get_ref(), &known, "\""),
            );
        }
    }
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
