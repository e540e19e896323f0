//! A steel works whose meter replays measured energy. Pure.
//!
//! In: 15-minute energies of a real plant, and plant time. Out: registers of active and reactive energy that grow as
//! the plant's did, repeated in whole weeks so that week-days keep their pattern, and a rolling mill that makes
//! steel of what the meter shows beyond the base load.

use crate::model::state::MachineState;
use crate::model::time::Timestamp;

/// Length of one row of the data. **Unit**: ms.
const INTERVAL_MS: i64 = 15 * 60_000;
const INTERVALS_PER_DAY: usize = 96;
const INTERVALS_PER_WEEK: usize = 7 * INTERVALS_PER_DAY;
/// The first row begins on a Monday; 1970-01-05 is the first Monday since 1970. **Unit**: ms.
const MONDAY_MS: i64 = 4 * 86_400_000;
/// Energy of an interval below which nothing is rolled: furnaces held warm, light. **Unit**: kWh.
const BASE_KWH: f64 = 5.0;
/// Energy beyond the base load that one tonne takes, of the order of cold rolling. **Unit**: kWh/t. An assumption:
/// the data hold no production.
const KWH_PER_TONNE: f64 = 45.0;
/// Smallest and largest share of scrap in an interval. An assumption, as above.
const SCRAP_SHARE: (f64, f64) = (0.008, 0.030);

/// A row that is none.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("row {row} of the steel data: {reason}")]
pub struct SteelDataError {
    /// Row, counted from 1 after the heading.
    pub row: usize,
    /// What is wrong with it.
    pub reason: String,
}

/// Cumulative amounts at the start of an interval.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Sums {
    kwh: f64,
    kvarh: f64,
    tonnes: f64,
    scrap_tonnes: f64,
}

/// The replay.
#[derive(Debug, Clone)]
pub struct SteelWorks {
    /// Sums at the start of each interval, and at the end of the last.
    sums: Vec<Sums>,
    /// Offset of the plant's civil time. **Unit**: ms.
    offset_ms: i64,
    start: Sums,
}

/// What its devices show.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SteelReading {
    /// Active energy since the start. **Unit**: kWh.
    pub energy_kwh: f64,
    /// Reactive energy since the start. **Unit**: kvarh.
    pub reactive_kvarh: f64,
    /// Mean active power of the interval. **Unit**: kW.
    pub power_kw: f64,
    /// Mean reactive power of the interval. **Unit**: kvar.
    pub reactive_kvar: f64,
    /// What the mill does.
    pub state: MachineState,
    /// Steel rolled since the start. **Unit**: kg.
    pub total_kg: u64,
    /// Of it scrap. **Unit**: kg.
    pub scrap_kg: u64,
}

impl SteelWorks {
    /// Reads rows `date,kWh,kvarh` in the order of the data, whole weeks of them; a rest is left out. `offset_ms`
    /// is the offset of the civil time in which the plant runs, so that its mornings are mornings.
    ///
    /// # Errors
    /// [`SteelDataError`] for a row that is no row, that doesn't follow the one before, or where no week is there.
    pub fn new(csv: &str, offset_ms: i64, start: Timestamp) -> Result<Self, SteelDataError> {
        let rows = parse(csv)?;
        let weeks = rows.len() / INTERVALS_PER_WEEK;
        if weeks == 0 {
            return Err(SteelDataError { row: rows.len(), reason: "less than one week".to_owned() });
        }
        let mut sums = vec![Sums::default()];
        for (position, (kwh, kvarh)) in rows.into_iter().take(weeks * INTERVALS_PER_WEEK).enumerate() {
            let before = sums[position];
            let tonnes = (kwh - BASE_KWH).max(0.0) / KWH_PER_TONNE;
            sums.push(Sums {
                kwh: before.kwh + kwh,
                kvarh: before.kvarh + kvarh,
                tonnes: before.tonnes + tonnes,
                scrap_tonnes: before.scrap_tonnes + tonnes * scrap_share(position),
            });
        }
        let mut works = Self { sums, offset_ms, start: Sums::default() };
        works.start = works.at(start);
        Ok(works)
    }

    /// Returns what the devices show at `now`.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "kilograms of a few weeks")]
    pub fn read(&self, now: Timestamp) -> SteelReading {
        let (_, position, _) = self.place(now);
        let (from, to) = (self.sums[position], self.sums[position + 1]);
        let (sums, start) = (self.at(now), self.start);
        let kg = |tonnes: f64| (tonnes.max(0.0) * 1000.0) as u64;
        let per_hour = |amount: f64| amount * 4.0;
        SteelReading {
            energy_kwh: sums.kwh - start.kwh,
            reactive_kvarh: sums.kvarh - start.kvarh,
            power_kw: per_hour(to.kwh - from.kwh),
            reactive_kvar: per_hour(to.kvarh - from.kvarh),
            state: if to.tonnes > from.tonnes { MachineState::Producing } else { MachineState::Idle },
            total_kg: kg(sums.tonnes - start.tonnes),
            scrap_kg: kg(sums.scrap_tonnes - start.scrap_tonnes),
        }
    }

    /// Returns how often the data were through, the position of the interval and the part of it that has passed.
    #[expect(clippy::cast_precision_loss, reason = "an instant within an interval")]
    fn place(&self, now: Timestamp) -> (i64, usize, f64) {
        let since_monday = now.0 + self.offset_ms - MONDAY_MS;
        let count = self.sums.len() - 1;
        let interval = since_monday.div_euclid(INTERVAL_MS);
        let part = since_monday.rem_euclid(INTERVAL_MS) as f64 / INTERVAL_MS as f64;
        let length = i64::try_from(count).unwrap_or(i64::MAX);
        (interval.div_euclid(length), usize::try_from(interval.rem_euclid(length)).unwrap_or(0), part)
    }

    #[expect(clippy::cast_precision_loss, reason = "a small number of rounds")]
    fn at(&self, now: Timestamp) -> Sums {
        let (round, position, part) = self.place(now);
        let (from, to, whole) = (self.sums[position], self.sums[position + 1], self.sums[self.sums.len() - 1]);
        let sum = |of: fn(&Sums) -> f64| round as f64 * of(&whole) + of(&from) + part * (of(&to) - of(&from));
        Sums {
            kwh: sum(|sums| sums.kwh),
            kvarh: sum(|sums| sums.kvarh),
            tonnes: sum(|sums| sums.tonnes),
            scrap_tonnes: sum(|sums| sums.scrap_tonnes),
        }
    }
}

/// Spreads the share over the intervals without a pattern that would repeat within a shift.
#[expect(clippy::cast_precision_loss, reason = "a number below 97")]
fn scrap_share(position: usize) -> f64 {
    let drawn = (position * 61 % 97) as f64 / 96.0;
    SCRAP_SHARE.0 + drawn * (SCRAP_SHARE.1 - SCRAP_SHARE.0)
}

/// Reads energies and holds the labels to 15-minute steps: a label is the end of its interval, and the last interval
/// of a day is labelled 00:00 of the same day though it ends on the next.
fn parse(csv: &str) -> Result<Vec<(f64, f64)>, SteelDataError> {
    let mut rows = Vec::new();
    let mut before: Option<jiff::civil::DateTime> = None;
    for (index, line) in csv.lines().skip(1).enumerate() {
        let error = |reason: String| SteelDataError { row: index + 1, reason };
        let fields: Vec<&str> = line.split(',').collect();
        let [label, kwh, kvarh] = fields[..] else {
            return Err(error(format!("{} fields, expected 3", fields.len())));
        };
        let label = jiff::civil::DateTime::strptime("%d/%m/%Y %H:%M", label).map_err(|e| error(e.to_string()))?;
        let end = if label.time() == jiff::civil::Time::midnight() {
            label.checked_add(jiff::Span::new().days(1)).map_err(|e| error(e.to_string()))?
        } else {
            label
        };
        let step = before.map(|before| end.duration_since(before).as_secs());
        if step.is_some_and(|seconds| seconds != INTERVAL_MS / 1000) {
            return Err(error(format!("{end} does not follow the row before by 15 minutes")));
        }
        before = Some(end);
        let number = |text: &str| {
            text.parse::<f64>()
                .ok()
                .filter(|value| *value >= 0.0)
                .ok_or_else(|| error(format!("\"{text}\" is no energy")))
        };
        rows.push((number(kwh)?, number(kvarh)?));
    }
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::{MachineState, SteelWorks, Timestamp, parse};

    const DATA: &str = include_str!("../../config/demo/data/steel_2018_01.csv");
    /// Vietnam.
    const OFFSET_MS: i64 = 7 * 3_600_000;
    /// A Monday, 00:00 in Vietnam.
    const MONDAY: &str = "2026-10-05T00:00:00+07:00";

    fn works() -> (SteelWorks, Timestamp) {
        let start = MONDAY.parse().unwrap();
        (SteelWorks::new(DATA, OFFSET_MS, start).unwrap(), start)
    }

    #[test]
    fn january_is_whole_and_its_midnight_labels_belong_to_the_next_day() {
        let rows = parse(DATA).unwrap();
        assert_eq!(rows.len(), 31 * 96);
        let kwh: f64 = rows.iter().map(|(kwh, _)| kwh).sum();
        assert!((kwh - 126_238.29).abs() < 1e-6, "{kwh}");
    }

    #[test]
    fn a_step_that_is_no_quarter_of_an_hour_is_refused() {
        let swapped = DATA.replacen("01/01/2018 00:30", "01/01/2018 00:45", 1);
        assert_eq!(parse(&swapped).unwrap_err().row, 2);
        assert!(SteelWorks::new("date,kwh,kvarh\n", 0, Timestamp(0)).is_err());
    }

    #[test]
    fn the_register_grows_by_the_rows_of_the_data() {
        let (works, monday) = works();
        // Four weeks in the data begin on a Monday too; 5 October 2026 is one of their Mondays.
        let week = |start: Timestamp| {
            let reading = |at: Timestamp| works.read(at).energy_kwh;
            reading(start + 7 * 86_400_000) - reading(start)
        };
        let of_data: Vec<f64> =
            parse(DATA).unwrap().chunks_exact(7 * 96).map(|week| week.iter().map(|(kwh, _)| kwh).sum()).collect();
        let weeks: Vec<f64> = (0..4).map(|n| week(monday + n * 7 * 86_400_000)).collect();
        for kwh in &of_data {
            assert!(weeks.iter().any(|found| (found - kwh).abs() < 1e-6), "{kwh} is not in {weeks:?}");
        }
    }

    #[test]
    fn registers_never_fall_and_steel_comes_only_of_energy_beyond_the_base_load() {
        let (works, start) = works();
        let mut before = works.read(start);
        assert_eq!((before.energy_kwh, before.total_kg), (0.0, 0));
        let mut states = [0, 0];
        for minute in 1..(35 * 1440) {
            let reading = works.read(start + minute * 60_000);
            assert!(reading.energy_kwh >= before.energy_kwh && reading.total_kg >= before.total_kg);
            assert!(reading.scrap_kg >= before.scrap_kg && reading.scrap_kg <= reading.total_kg);
            states[usize::from(reading.state == MachineState::Producing)] += 1;
            before = reading;
        }
        assert!(states[0] > 5_000 && states[1] > 5_000, "{states:?}");
        let per_tonne = before.energy_kwh / (before.total_kg as f64 / 1000.0);
        assert!((45.0..70.0).contains(&per_tonne), "{per_tonne}");
    }
}
