//! `[tariff]`: whether its voltage and hours are in the reference data, and the tariff the engine gets.

use serde_spanned::Spanned;

use super::component::Component;
use super::spelling;
use crate::engine::config::calendar::CalendarConfig;
use crate::engine::config::tariff::TariffConfig;
use crate::engine::tariff::Tariff;
use crate::model::problem::Problems;
use crate::reference::Reference;

/// Reports a voltage or a schedule that the reference data don't have, and holidays of a calendar that has none.
pub(super) fn check(
    section: Option<&Component<TariffConfig>>,
    calendar: Option<&Component<CalendarConfig>>,
    reference: &Reference,
    problems: &mut Problems,
) {
    let Some(tariff) = section.and_then(|section| section.value.as_ref()) else { return };
    let tariffs = reference.tariffs();
    let voltage = &tariff.voltage;
    let known = tariffs.voltages();
    if !known.contains(&voltage.get_ref().as_str()) {
        let message = format!("there are no prices for the voltage \"{}\"", voltage.get_ref());
        problems.error(voltage.span(), message, spelling::propose(voltage.get_ref(), &known, "\""));
    }
    if let Some(schedule) = &tariff.schedule {
        let known: Vec<&str> = tariffs.schedules.iter().map(|schedule| schedule.dated.factor.id.as_str()).collect();
        if !known.contains(&schedule.get_ref().as_str()) {
            let message = format!("there is no tariff schedule \"{}\"", schedule.get_ref());
            problems.error(schedule.span(), message, spelling::propose(schedule.get_ref(), &known, "\""));
        }
    }
    let holidays =
        calendar.and_then(|calendar| calendar.value.as_ref()).and_then(|calendar| calendar.holidays.as_ref());
    if let Some(choice) = tariff.holidays_as_sunday.as_ref().filter(|choice| *choice.get_ref() && holidays.is_none()) {
        problems.warning(
            choice.span(),
            "holidays are to have the hours of a Sunday, and [calendar] has no holidays",
            "write holidays = \"vn\" in [calendar]",
        );
    }
}

/// Builds the engine's tariff.
pub(super) fn build(config: &TariffConfig, calendar: &CalendarConfig, reference: &Reference) -> Tariff {
    let as_sunday = config.holidays_as_sunday.as_ref().is_some_and(|choice| *choice.get_ref());
    let set = calendar.holidays.as_ref().filter(|_| as_sunday);
    let holidays = set.and_then(|set| reference.holidays(set.get_ref()));
    let days = holidays.into_iter().flat_map(|days| days.keys().copied());
    let schedule = config.schedule.as_ref().map(Spanned::get_ref).map(String::as_str);
    Tariff::new(reference.tariffs(), config.voltage.get_ref(), schedule, days)
}
