//! The version of a calendar: a digest of everything it says, which records name.

use std::fmt::Write;
use std::sync::OnceLock;

use sha2::{Digest as _, Sha256};

use super::{Calendar, Pattern};
use crate::model::id::Digest;

/// A digest that is computed when it is first asked for. It follows from the calendar, so it plays no part in whether
/// two are equal.
#[derive(Debug, Clone, Default)]
pub(super) struct Version(OnceLock<Digest>);

impl PartialEq for Version {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Version {}

impl Calendar {
    /// Returns the SHA-256 over zone, patterns, holidays and added working days: another calendar has another one, and
    /// the same calendar under another name the same one.
    pub fn version(&self) -> Digest {
        *self.version.0.get_or_init(|| Digest(Sha256::digest(self.text()).into()))
    }

    /// Returns all that the calendar says, a line each; names are last in theirs.
    fn text(&self) -> String {
        let mut text = format!("zone {}\n", self.zone.iana_name().unwrap_or("fixed"));
        // Writing to a string can't fail.
        for pattern in &self.patterns {
            let _ = write_pattern(&mut text, pattern);
        }
        for date in &self.holidays {
            let _ = writeln!(text, "holiday {date}");
        }
        for (date, shifts) in &self.working_days {
            let _ = writeln!(text, "working day {date} {shifts:?}");
        }
        text
    }
}

fn write_pattern(text: &mut String, pattern: &Pattern) -> std::fmt::Result {
    let from = pattern.valid_from.map_or_else(|| "ever".to_owned(), |date| date.to_string());
    writeln!(text, "pattern from {from}, off {:?}", pattern.days_off)?;
    for shift in &pattern.shifts {
        writeln!(text, "shift {} to {} on {:?} {:?}", shift.from, shift.to, shift.weekdays, shift.name)?;
        for rest in &shift.breaks {
            let (paid, down) = (rest.paid, rest.machine_planned_down);
            writeln!(text, "break {} to {}, paid {paid}, machine down {down}", rest.from, rest.to)?;
        }
    }
    if let Some(rotation) = &pattern.rotation {
        writeln!(text, "cycle from {}", rotation.from)?;
        for turns in &rotation.cycle {
            let turns: Vec<(usize, &str)> = turns.iter().map(|turn| (turn.shift, turn.team.as_str())).collect();
            writeln!(text, "turns {turns:?}")?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use jiff::civil::{Weekday, date, time};
    use jiff::tz::TimeZone;

    use super::super::{Break, Calendar, Pattern, Rotation, Shift, Turn};

    fn zone() -> TimeZone {
        TimeZone::get("Asia/Ho_Chi_Minh").unwrap()
    }

    fn shift() -> Shift {
        Shift::new("ca-1", time(6, 0, 0, 0), time(14, 0, 0, 0))
    }

    fn calendar() -> Calendar {
        Calendar::new(zone(), vec![shift()], [Weekday::Sunday], [date(2026, 9, 2)])
    }

    #[test]
    fn a_calendar_that_says_the_same_has_the_same_version_whatever_its_name() {
        assert_eq!(calendar().version(), calendar().version());
        assert_eq!(calendar().version(), calendar().named("paint-shop").version());
    }

    #[test]
    fn whatever_a_calendar_says_is_in_its_version() {
        let rest = Break { from: time(10, 0, 0, 0), to: time(10, 30, 0, 0), paid: true, machine_planned_down: false };
        let with_break = Shift { breaks: vec![rest], ..shift() };
        let unpaid = Shift { breaks: vec![Break { paid: false, ..rest }], ..shift() };
        let of_shift = |shift: Shift| Calendar::new(zone(), vec![shift], [Weekday::Sunday], [date(2026, 9, 2)]);
        let rotation = |team: &str| Pattern {
            rotation: Some(Rotation {
                from: date(2026, 1, 1),
                cycle: vec![vec![Turn { shift: 0, team: team.to_owned() }]],
            }),
            ..Pattern::new(vec![shift()], [Weekday::Sunday])
        };
        let different = [
            calendar(),
            of_shift(with_break),
            of_shift(unpaid),
            of_shift(Shift { to: time(15, 0, 0, 0), ..shift() }),
            of_shift(Shift { name: "ca-2".to_owned(), ..shift() }),
            of_shift(Shift { weekdays: [1].into(), ..shift() }),
            Calendar::new(zone(), vec![shift()], [], [date(2026, 9, 2)]),
            Calendar::new(zone(), vec![shift()], [Weekday::Sunday], []),
            Calendar::new(TimeZone::get("Asia/Seoul").unwrap(), vec![shift()], [Weekday::Sunday], [date(2026, 9, 2)]),
            calendar().with_patterns(vec![rotation("a")]),
            calendar().with_patterns(vec![rotation("b")]),
            calendar().with_working_days([(date(2026, 3, 1), vec![])].into()),
        ];
        let versions: std::collections::BTreeSet<_> = different.iter().map(Calendar::version).collect();
        assert_eq!(versions.len(), different.len());
    }
}
