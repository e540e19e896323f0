//! What the pages of one stream hold of the record log, and what stayed inside.
//!
//! It goes by what the pages say, never by what a policy promises: a figure that left by mistake would be missing from
//! what was withheld.

use std::collections::{BTreeMap, BTreeSet};

use super::page::Page;
use crate::model::fact::Measure;
use crate::model::id::AssetId;
use crate::model::record::{KpiId, WindowRecord};
use crate::model::time::{Grain, Timestamp};

/// One revision of one window of one asset.
type Key = (AssetId, Grain, Timestamp, u32);

/// Every record that pages hold, with the KPIs and measures that went with it.
#[derive(Debug, Clone, Default)]
pub struct Released(BTreeMap<Key, (BTreeSet<KpiId>, BTreeSet<Measure>)>);

/// What a stream's pages don't hold of the records that were compared.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct Withheld {
    /// Records of which a page holds something.
    pub released_records: u64,
    /// Records of which no page holds anything, by level, then grain.
    pub records: BTreeMap<&'static str, BTreeMap<&'static str, u64>>,
    /// KPI values that no page holds, by KPI.
    pub kpis: BTreeMap<String, u64>,
    /// Facts that no page holds, by measure.
    pub facts: BTreeMap<&'static str, u64>,
}

impl Released {
    /// Adds what a page holds.
    pub fn add(&mut self, page: &Page) {
        for record in &page.records {
            let key = (record.asset.clone(), record.grain, record.window.start, record.revision);
            let (kpis, facts) = self.0.entry(key).or_default();
            kpis.extend(record.kpis.iter().map(|value| value.kpi.clone()));
            facts.extend(record.facts.iter().map(|(measure, _)| measure));
        }
    }

    /// Adds to `withheld` what no page holds of a record of the log.
    pub fn compare(&self, record: &WindowRecord, withheld: &mut Withheld) {
        let key = (record.asset.clone(), record.grain, record.window.start, record.revision);
        let released = self.0.get(&key);
        if released.is_some() {
            withheld.released_records += 1;
        } else {
            let grains = withheld.records.entry(record.level.as_str()).or_default();
            *grains.entry(record.grain.as_str()).or_default() += 1;
        }
        let is_kept = |kpi: &KpiId| released.is_none_or(|(kpis, _)| !kpis.contains(kpi));
        for value in record.kpis.iter().filter(|value| is_kept(&value.kpi)) {
            *withheld.kpis.entry(value.kpi.to_string()).or_default() += 1;
        }
        let is_kept = |measure: &Measure| released.is_none_or(|(_, facts)| !facts.contains(measure));
        for measure in record.facts.iter().map(|(measure, _)| measure).filter(is_kept) {
            *withheld.facts.entry(measure.as_str()).or_default() += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Released, Withheld};
    use crate::ledger::fixture::{ledger, record};
    use crate::ledger::verify::read_page;
    use crate::model::record::Level;
    use crate::model::time::Grain;

    fn released() -> Released {
        let mut released = Released::default();
        for page in ledger() {
            released.add(&read_page(&page.bytes).unwrap());
        }
        released
    }

    #[test]
    fn of_a_record_that_left_the_unshared_kpi_and_fact_stayed() {
        let mut withheld = Withheld::default();
        released().compare(&record(0, 1), &mut withheld);
        assert_eq!((withheld.released_records, withheld.records.len()), (1, 0));
        assert_eq!(withheld.kpis, [("oee".to_owned(), 1)].into());
        assert_eq!(withheld.facts, [("apt_ms", 1)].into());
    }

    #[test]
    fn another_level_grain_revision_or_day_stayed_whole() {
        let mut withheld = Withheld::default();
        let mut line = record(0, 1);
        line.level = Level::Line;
        line.asset = crate::model::id::AssetId::new("line-1").unwrap();
        let mut hour = record(0, 1);
        hour.grain = Grain::Hour;
        for inside in [line, hour, record(0, 2), record(7, 1)] {
            released().compare(&inside, &mut withheld);
        }
        assert_eq!(withheld.released_records, 0);
        assert_eq!(
            serde_json::to_string(&withheld.records).unwrap(),
            r#"{"line":{"day":1},"site":{"day":2,"hour":1}}"#
        );
        assert_eq!(withheld.kpis.values().collect::<Vec<_>>(), [&4, &4, &4], "every KPI of every record");
    }
}
