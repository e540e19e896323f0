//! The calendar windows of the present minute: the calendar is asked when one ends, not for each asset and minute.

use super::plant::Plant;
use crate::model::time::{Grain, MINUTE_MS, Timestamp, Window};

/// What a calendar said last about one grain.
#[derive(Debug, Clone, Copy)]
struct Answer {
    /// Holds for every instant in here.
    during: Window,
    window: Option<Window>,
}

/// The last answers, by calendar and grain.
#[derive(Debug, Clone, Default)]
pub(super) struct Clockwork {
    answers: Vec<[Option<Answer>; Grain::ALL.len()]>,
}

impl Clockwork {
    /// Returns the window of a grain that holds an instant, by the calendar of that number; `None` where no shift is
    /// worked.
    pub(super) fn window_of(&mut self, plant: &Plant, calendar: usize, grain: Grain, at: Timestamp) -> Option<Window> {
        if self.answers.len() < plant.calendars.len() {
            self.answers.resize(plant.calendars.len(), [None; Grain::ALL.len()]);
        }
        let calendar = if calendar < plant.calendars.len() { calendar } else { 0 };
        let answer = &mut self.answers[calendar][usize::from(grain.code())];
        if let Some(answer) = answer.filter(|answer| answer.during.contains(at)) {
            return answer.window;
        }
        let window = plant.calendars[calendar].window_of(grain, at);
        let minute = Window { start: at.minute(), end: at.minute() + MINUTE_MS };
        *answer = Some(Answer { during: window.unwrap_or(minute), window });
        window
    }
}
