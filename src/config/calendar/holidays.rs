//! The site's holidays: a set of the reference data, with what the site adds to it and takes out of it.

use std::collections::BTreeMap;

use jiff::civil::Date;
use serde_spanned::Spanned;

use crate::config::spelling;
use crate::engine::config::calendar::{CalendarConfig, Day, HolidayConfig};
use crate::model::problem::Problems;
use crate::reference::{Holiday, Reference};

/// Reports an unknown set, dates given twice or in vain, and changes without a source.
pub(super) fn check(calendar: &CalendarConfig, reference: &Reference, problems: &mut Problems) {
    let set = calendar.holidays.as_ref();
    let days = set.and_then(|set| reference.holidays(set.get_ref()));
    if let Some(set) = set.filter(|_| days.is_none()) {
        let known: Vec<&str> = reference.holiday_sets().collect();
        let help = spelling::propose(set.get_ref(), &known, "\"");
        problems.error(set.span(), format!("there is no set of holidays \"{}\"", set.get_ref()), help);
    }
    let mut added: BTreeMap<Date, &Spanned<Day>> = BTreeMap::new();
    for holiday in calendar.add_holidays.iter().map(Spanned::get_ref) {
        check_source("add_holidays", holiday, problems);
        let date = &holiday.date;
        if added.insert(date.get_ref().0, date).is_some() {
            problems.error(date.span(), format!("holiday {} is added twice", date.get_ref()), "keep one of the two");
        } else if let Some(other) = days.and_then(|days| days.get(&date.get_ref().0)) {
            let message = format!("{} is a holiday of the set already: \"{}\"", date.get_ref(), other.name_en);
            problems.error(date.span(), message, "remove it here");
        }
    }
    let mut removed = BTreeMap::new();
    for holiday in calendar.remove_holidays.iter().map(Spanned::get_ref) {
        check_source("remove_holidays", holiday, problems);
        let date = &holiday.date;
        if removed.insert(date.get_ref().0, ()).is_some() {
            problems.error(date.span(), format!("holiday {} is removed twice", date.get_ref()), "keep one of the two");
        } else if set.is_none() || days.is_some_and(|days| !days.contains_key(&date.get_ref().0)) {
            let message = format!("{} is removed from the holidays and is none", date.get_ref());
            problems.error(date.span(), message, "correct the date, or remove the entry");
        }
    }
}

fn check_source(list: &str, holiday: &HolidayConfig, problems: &mut Problems) {
    if holiday.source.get_ref().trim().is_empty() {
        let message = format!("{} of {list} has an empty source", holiday.date.get_ref());
        problems.error(
            holiday.source.span(),
            message,
            "write who decided it and where, like \"notice 12 of 2026-01-05\"",
        );
    }
}

/// Returns the site's holidays, with the entry of the set where one is.
pub(super) fn of_site<'a>(calendar: &CalendarConfig, reference: &'a Reference) -> BTreeMap<Date, Option<&'a Holiday>> {
    let set = calendar.holidays.as_ref().and_then(|set| reference.holidays(set.get_ref()));
    let mut days: BTreeMap<Date, Option<&Holiday>> =
        set.into_iter().flatten().map(|(date, holiday)| (*date, Some(holiday))).collect();
    for removed in &calendar.remove_holidays {
        days.remove(&removed.get_ref().date.get_ref().0);
    }
    days.extend(calendar.add_holidays.iter().map(|added| (added.get_ref().date.get_ref().0, None)));
    days
}
