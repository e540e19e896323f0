//! Records as `parkgate replay` prints them: one KPI of one window a line, with all that it carries.
//!
//! `docs/record.schema.json` describes a line.

use std::collections::BTreeMap;
use std::io::{BufWriter, Write};

use jiff::civil::Date;
use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};

use crate::engine::kpi;
use crate::model::fact::Facts;
use crate::model::id::{AssetId, Digest, SiteId};
use crate::model::record::{ClockState, FactorRef, Flag, Level, Reason, Shares, WindowRecord};
use crate::model::time::{Grain, Timestamp};
use crate::model::unit::ProductUnit;
use crate::reference::{EntryRow, Grade, Reference};
use crate::store::Reader;

/// Records read at once.
const RECORDS: usize = 1_000;

/// One KPI of one window: what a line of output holds.
#[derive(Serialize)]
struct Printed<'r> {
    start: Timestamp,
    end: Timestamp,
    grain: Grain,
    site: &'r SiteId,
    asset: &'r AssetId,
    level: Level,
    kpi: &'r str,
    revision: u32,
    value: Option<f64>,
    unit: &'static str,
    reason: Option<Reason>,
    coverage: Option<f64>,
    shares: Option<Shares>,
    flags: &'r [Flag],
    factors: Vec<Factor<'r>>,
    method: u16,
    product_unit: ProductUnit,
    facts: Exact<'r>,
    config: Digest,
    clock: ClockState,
    calendar: Option<Planned<'r>>,
    production_day: Option<Date>,
    shift: Option<&'r str>,
    inputs_digest: Digest,
}

/// A reference entry with what it rests on itself.
#[derive(Serialize)]
struct Factor<'r> {
    id: &'r str,
    version: Digest,
    year: i16,
    /// `None` where this program doesn't hold that version.
    source: Option<&'r str>,
    grade: Option<Grade>,
}

/// The calendar by which the window was planned.
#[derive(Serialize)]
struct Planned<'r> {
    name: &'r str,
    version: Digest,
}

/// Facts with exact integers, whatever their size.
struct Exact<'r>(&'r Facts);

impl Serialize for Exact<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (measure, value) in self.0.iter() {
            map.serialize_entry(measure.as_str(), &value)?;
        }
        map.end()
    }
}

/// Prints every record, sorted by window start, grain, asset, KPI and revision.
///
/// # Errors
/// The store can't be read or standard output not written.
pub(super) fn print_records(reader: &Reader, reference: &Reference) -> anyhow::Result<()> {
    let mut records: Vec<WindowRecord> = Vec::new();
    let mut after = 0;
    loop {
        let page = reader.records_after(after, RECORDS)?;
        let Some((last, _)) = page.last() else { break };
        after = *last;
        records.extend(page.into_iter().map(|(_, record)| record));
    }
    let entries = reference.entries();
    let sources: BTreeMap<(&str, Digest), &EntryRow> =
        entries.iter().map(|entry| ((entry.id.as_str(), entry.version), entry)).collect();
    let mut lines: Vec<Printed<'_>> = records.iter().flat_map(|record| printed(record, &sources)).collect();
    lines.sort_by(|a, b| {
        (a.start, a.grain, a.asset, a.kpi, a.revision).cmp(&(b.start, b.grain, b.asset, b.kpi, b.revision))
    });
    let mut out = BufWriter::new(std::io::stdout().lock());
    for line in &lines {
        serde_json::to_writer(&mut out, line)?;
        out.write_all(b"\n")?;
    }
    Ok(out.flush()?)
}

fn printed<'r>(record: &'r WindowRecord, sources: &BTreeMap<(&str, Digest), &'r EntryRow>) -> Vec<Printed<'r>> {
    let factor = |factor: &'r FactorRef| {
        let entry = sources.get(&(factor.id.as_str(), factor.version));
        Factor {
            id: &factor.id,
            version: factor.version,
            year: factor.year,
            source: entry.map(|entry| entry.source.as_str()),
            grade: entry.map(|entry| entry.grade),
        }
    };
    let calendar = record.calendar.as_ref();
    let line = |value: &'r crate::model::record::KpiValue| Printed {
        start: record.window.start,
        end: record.window.end,
        grain: record.grain,
        site: &record.site,
        asset: &record.asset,
        level: record.level,
        kpi: value.kpi.as_str(),
        revision: record.revision,
        value: value.value,
        unit: kpi::find(value.kpi.as_str()).map_or("", |definition| definition.unit),
        reason: value.reason,
        coverage: value.coverage,
        shares: value.shares,
        flags: &value.flags,
        factors: value.factors.iter().map(factor).collect(),
        method: value.method,
        product_unit: record.product_unit,
        facts: Exact(&record.facts),
        config: record.config,
        clock: record.clock,
        calendar: calendar.map(|calendar| Planned { name: &calendar.name, version: calendar.version }),
        production_day: calendar.and_then(|calendar| calendar.production_day),
        shift: calendar.and_then(|calendar| calendar.shift.as_deref()),
        inputs_digest: record.inputs_digest,
    };
    record.kpis.iter().map(line).collect()
}
