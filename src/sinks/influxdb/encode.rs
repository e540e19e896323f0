//! Records as lines of InfluxDB's line protocol.
//!
//! Measurement `kpi`; tags `site`, `asset`, `grain`, `kpi`; time = start of the window. A later revision has the same
//! tags and time and so replaces the point. Line protocol can't take a field back, so `reason` is always written:
//! where it isn't empty there is no value, whatever an earlier revision left in `value`.

use influxdb2::models::{DataPoint, WriteDataPoint};

use crate::model::record::{KpiValue, WindowRecord};

/// Measurement of every point.
pub const MEASUREMENT: &str = "kpi";

/// Returns a record's lines, one for each KPI, in the record's order. Timestamps are milliseconds.
pub fn lines(record: &WindowRecord) -> Vec<u8> {
    let mut text = Vec::new();
    for value in &record.kpis {
        point(record, value).write_data_point_to(&mut text).expect("writing to memory can't fail");
    }
    text
}

/// Returns what a record is called where it is kept as undeliverable.
pub fn name(record: &WindowRecord) -> String {
    let WindowRecord { site, asset, grain, window, revision, .. } = record;
    format!("{site}/{asset} {grain} {} revision {revision}", window.start)
}

fn point(record: &WindowRecord, value: &KpiValue) -> DataPoint {
    let flags: Vec<String> = value
        .flags
        .iter()
        .map(|flag| {
            serde_json::to_value(flag).ok().and_then(|flag| flag.as_str().map(str::to_owned)).unwrap_or_default()
        })
        .collect();
    let mut point = DataPoint::builder(MEASUREMENT)
        .tag("site", record.site.as_str())
        .tag("asset", record.asset.as_str())
        .tag("grain", record.grain.as_str())
        .tag("kpi", value.kpi.as_str())
        .field("reason", value.reason.map_or("", crate::model::record::Reason::as_str))
        .field("revision", i64::from(record.revision))
        .field("method", i64::from(value.method))
        .field("flags", flags.join(" "))
        .timestamp(record.window.start.0);
    // NaN is no number in line protocol, and one such line costs the whole batch.
    if let Some(number) = value.value.filter(|number| number.is_finite()) {
        point = point.field("value", number);
    }
    if let Some(coverage) = value.coverage.filter(|coverage| coverage.is_finite()) {
        point = point.field("coverage", coverage);
    }
    if let Some(shares) = value.shares {
        point = point
            .field("share_measured", shares.measured)
            .field("share_substituted", shares.substituted)
            .field("share_declared", shares.declared)
            .field("share_excluded", shares.excluded);
    }
    point.build().expect("it has fields")
}

#[cfg(test)]
mod tests {
    use super::{lines, name};
    use crate::model::record::Shares;
    use crate::sinks::influxdb::tests::record;

    #[test]
    fn lines_are_frozen() {
        assert_eq!(
            String::from_utf8(lines(&record(1))).unwrap(),
            concat!(
                "kpi,asset=site,grain=day,kpi=electricity,site=tt-main coverage=0.5,flags=\"substituted window_open\",",
                "method=1i,reason=\"\",revision=1i,value=126238.29 1791133200000\n",
                "kpi,asset=site,grain=day,kpi=oee,site=tt-main flags=\"\",method=2i,",
                "reason=\"no_busy_time\",revision=1i 1791133200000\n"
            )
        );
    }

    #[test]
    fn shares_are_fields_of_their_own_where_there_are_some() {
        let mut shared = record(1);
        shared.kpis[0].shares = Some(Shares { measured: 0.75, substituted: 0.25, ..Shares::MEASURED });
        let text = String::from_utf8(lines(&shared)).unwrap();
        let fields = "share_declared=0,share_excluded=0,share_measured=0.75,share_substituted=0.25";
        assert_eq!(text.matches(fields).count(), 1, "{text}");
    }

    #[test]
    fn a_number_that_is_none_is_left_out() {
        let mut broken = record(1);
        broken.kpis[0].value = Some(f64::NAN);
        broken.kpis[0].coverage = Some(f64::INFINITY);
        let text = String::from_utf8(lines(&broken)).unwrap();
        assert!(!text.contains("value=") && !text.contains("coverage=") && !text.contains("NaN"), "{text}");
    }

    #[test]
    fn a_record_has_a_name() {
        assert_eq!(name(&record(3)), "tt-main/site day 2026-10-04T17:00:00.000Z revision 3");
    }
}
