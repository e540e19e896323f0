//! What a working day is made of: shifts with their breaks, days off, and the cycle by which teams take turns.

use std::collections::BTreeSet;

use jiff::civil::{Date, Time, Weekday};

/// One shift of the day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shift {
    /// Its name, as the factory calls it.
    pub name: String,
    /// When it starts, civil time.
    pub from: Time,
    /// When it ends; not after `from` means on the next day.
    pub to: Time,
    /// The days of the week on which it starts, Monday 1 to Sunday 7; empty means every one.
    pub weekdays: BTreeSet<i8>,
    /// Breaks, ascending from the shift's start, without overlap.
    pub breaks: Vec<Break>,
}

impl Shift {
    /// Makes a shift of every day, without a break.
    pub fn new(name: &str, from: Time, to: Time) -> Self {
        Self { name: name.to_owned(), from, to, weekdays: BTreeSet::new(), breaks: Vec::new() }
    }

    /// Says whether it starts on a day of the week.
    pub fn is_on(&self, weekday: Weekday) -> bool {
        self.weekdays.is_empty() || self.weekdays.contains(&weekday.to_monday_one_offset())
    }
}

/// A break in a shift. Whether people are paid and whether the machine stands still are two questions: in a continuous
/// shift the break counts as working time, and the machine may run on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Break {
    /// When it starts, civil time; before the shift's `from` means on the next day.
    pub from: Time,
    /// When it ends.
    pub to: Time,
    /// It counts as working time.
    pub paid: bool,
    /// The machine is planned to stand still: the time is planned down, outside PBT.
    pub machine_planned_down: bool,
}

/// Which shifts are worked on which day of a cycle, and by whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rotation {
    /// A date on which the cycle begins; it goes on in both directions.
    pub from: Date,
    /// By day of the cycle, at least one: the shifts that are worked.
    pub cycle: Vec<Vec<Turn>>,
}

/// One shift of a day of the cycle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Turn {
    /// Position of the shift in the pattern.
    pub shift: usize,
    /// The team that works it.
    pub team: String,
}

impl Rotation {
    /// Returns the turns of a date.
    pub fn turns(&self, date: Date) -> &[Turn] {
        let length = i64::try_from(self.cycle.len()).unwrap_or(i64::MAX);
        let days = (date.duration_since(self.from).as_hours() / 24).rem_euclid(length.max(1));
        usize::try_from(days).ok().and_then(|day| self.cycle.get(day)).map_or(&[], Vec::as_slice)
    }
}

/// Shifts that hold from one date on, until the next pattern does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    /// The first production day on which it holds; `None` from the beginning.
    pub valid_from: Option<Date>,
    /// The shifts of a working day. None: planned round the clock.
    pub shifts: Vec<Shift>,
    /// Days of the week on which no shift starts, Monday 1 to Sunday 7.
    pub days_off: BTreeSet<i8>,
    /// Who works which shift on which day; without it every shift is worked on every working day.
    pub rotation: Option<Rotation>,
}

impl Pattern {
    /// Makes a pattern that holds from the beginning.
    pub fn new(shifts: Vec<Shift>, days_off: impl IntoIterator<Item = Weekday>) -> Self {
        let days_off = days_off.into_iter().map(Weekday::to_monday_one_offset).collect();
        Self { valid_from: None, shifts, days_off, rotation: None }
    }

    /// Returns the shifts that are worked on a date that is neither a holiday nor an added working day.
    pub fn worked(&self, date: Date) -> impl Iterator<Item = &Shift> {
        let is_off = self.days_off.contains(&date.weekday().to_monday_one_offset());
        let turns = self.rotation.as_ref().map(|rotation| rotation.turns(date));
        let shifts = self.shifts.iter().enumerate().filter(move |_| !is_off);
        let shifts = shifts.filter(move |(_, shift)| shift.is_on(date.weekday()));
        let has_turn = move |position| turns.is_none_or(|turns| turns.iter().any(|turn| turn.shift == position));
        shifts.filter(move |(position, _)| has_turn(*position)).map(|(_, shift)| shift)
    }

    /// Returns the team whose turn a shift is on a date; `None` where teams don't rotate or nobody has it.
    pub fn team(&self, date: Date, shift: &str) -> Option<&str> {
        let turns = self.rotation.as_ref()?.turns(date);
        let has = |turn: &&Turn| self.shifts.get(turn.shift).is_some_and(|of_turn| of_turn.name == shift);
        turns.iter().find(has).map(|turn| turn.team.as_str())
    }
}
