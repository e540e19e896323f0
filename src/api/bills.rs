//! An electricity bill beside what the box has measured: reads the minutes, the engine compares.

use crate::engine::bill::{self, Amount, Comparison, Measured, Other};
use crate::engine::plant::Plant;
use crate::engine::tariff::Tariff;
use crate::model::declared::{Declared, DeclaredKind};
use crate::model::time::{MINUTE_MS, Timestamp, Window};
use crate::reference::tariff::Band;
use crate::store::{Declaration, Reader, Standing, StoreError};

/// Minutes of facts read at a time: bounds the memory of a year's bill.
const READ_MS: i64 = 1_440 * MINUTE_MS;

/// Other bills of the same asset that are looked at, the newest first.
const OTHERS_MAX: usize = 3;

/// **Unit**: ms.
const HOUR_MS: i64 = 3_600_000;

/// Compares a declared bill with the measurement; `None` where there is no bill of that number. One that isn't approved
/// yet is compared too: that is how its approver sees whether it can be right.
///
/// # Errors
/// Those of reading the store.
pub(crate) fn compare(plant: &Plant, reader: &Reader, id: i64) -> Result<Option<Comparison>, StoreError> {
    let Some(declaration) = reader.declaration(id)? else { return Ok(None) };
    let Some(billed) = billed(&declaration.declared) else { return Ok(None) };
    let measured = measure(plant, reader, &declaration.declared)?;
    Ok(Some(bill::compare(billed, &measured, &others(plant, reader, &declaration)?)))
}

fn billed(declared: &Declared) -> Option<Amount> {
    let DeclaredKind::ElectricityBill(bill) = &declared.kind else { return None };
    Some(Amount::billed(declared.quantity_micro, declared.unit, bill))
}

/// Returns the approved bills of the same asset for other periods, with what was measured then.
fn others(plant: &Plant, reader: &Reader, of: &Declaration) -> Result<Vec<Other>, StoreError> {
    let mut bills: Vec<Declared> = reader
        .declarations()?
        .into_iter()
        .filter(|other| other.id != of.id && other.standing() == Standing::Approved)
        .map(|other| other.declared)
        .filter(|other| other.asset == of.declared.asset && !overlap(other.period, of.declared.period))
        .collect();
    bills.sort_by_key(|bill| std::cmp::Reverse(bill.period));
    let mut others = Vec::new();
    for (declared, amount) in bills.iter().filter_map(|bill| Some((bill, billed(bill)?))).take(OTHERS_MAX) {
        let measured = measure(plant, reader, declared)?.amount().total;
        // Of a time before the box ran, nothing is known.
        if measured != 0 {
            others.push(Other { billed: amount.total, measured, hours: declared.period.length_ms() / HOUR_MS });
        }
    }
    Ok(others)
}

fn overlap(one: Window, other: Window) -> bool {
    one.start < other.end && other.start < one.end
}

fn measure(plant: &Plant, reader: &Reader, declared: &Declared) -> Result<Measured, StoreError> {
    let hours = Hours::of(plant);
    let mut measured = Measured::new(declared.period, hours.ids());
    let span = measured.span();
    let mut from = span.start;
    while from < span.end {
        let to = span.end.min(from + READ_MS);
        for (minute, facts) in reader.facts(&declared.asset, from, to)? {
            measured.add(minute, &facts, |schedule| hours.band(schedule, minute));
        }
        from = to;
    }
    Ok(measured)
}

/// The hours of tariff bands that are told apart: the site's own first, then every published schedule.
struct Hours {
    schedules: Vec<(String, Tariff)>,
}

impl Hours {
    fn of(plant: &Plant) -> Self {
        let tariffs = plant.reference.tariffs();
        // Hours alone are asked for, so that no voltage is needed.
        let named = |id: Option<&str>| Tariff::new(tariffs, "", id, []);
        let own = plant.tariff.clone().unwrap_or_else(|| named(None));
        let published = tariffs.schedules.iter().map(|schedule| schedule.dated.factor.id.as_str());
        let published = published.map(|id| (id.to_owned(), named(Some(id))));
        Self { schedules: std::iter::once(("site".to_owned(), own)).chain(published).collect() }
    }

    fn ids(&self) -> Vec<String> {
        self.schedules.iter().map(|(id, _)| id.clone()).collect()
    }

    fn band(&self, schedule: usize, minute: Timestamp) -> Option<usize> {
        let rate = self.schedules.get(schedule)?.1.at(minute)?;
        Some(match rate.band {
            Band::Peak => 0,
            Band::Normal => 1,
            Band::OffPeak => 2,
        })
    }
}
