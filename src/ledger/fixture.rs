//! A small ledger for the tests of this room: a policy page and two pages of records, from the key of RFC 8037.

use super::key::GatewayKey;
use super::page::SignedPage;
use super::stream::Stream;
use crate::model::fact::{Facts, Measure};
use crate::model::id::{AssetId, Digest, GatewayId, SiteId, StreamName};
use crate::model::record::{ClockState, FactorRef, Flag, KpiId, KpiValue, Level, Reason, WindowRecord};
use crate::model::share::SharePolicy;
use crate::model::time::{Grain, Timestamp, Window};
use crate::model::unit::ProductUnit;

/// Midnight of 5 October 2026 in Vietnam.
pub(crate) const DAY: Timestamp = Timestamp(1_791_133_200_000);
/// Length of a day. **Unit**: ms.
pub(crate) const DAY_MS: i64 = 86_400_000;

/// The private key of RFC 8037 appendix A.1.
pub(crate) fn key() -> GatewayKey {
    GatewayKey::from_seed([
        0x9d, 0x61, 0xb1, 0x9d, 0xef, 0xfd, 0x5a, 0x60, 0xba, 0x84, 0x4a, 0xf4, 0x92, 0xec, 0x2c, 0xc4, 0x44, 0x49,
        0xc5, 0x69, 0x7b, 0x32, 0x69, 0x19, 0x70, 0x3b, 0xac, 0x03, 0x1c, 0xae, 0x7f, 0x60,
    ])
}

pub(crate) fn policy() -> SharePolicy {
    SharePolicy {
        kpis: vec![KpiId::of("carbon_intensity"), KpiId::of("electricity")],
        level: Level::Site,
        grain: Grain::Day,
    }
}

/// Electricity reveals two measures, carbon intensity one more, everything else the production time.
pub(crate) fn measures_of(kpi: &KpiId) -> &'static [Measure] {
    match kpi.as_str() {
        "electricity" => &[Measure::Electricity, Measure::ElectricitySubstituted],
        "carbon_intensity" => &[Measure::Electricity, Measure::ProducedQuantity],
        _ => &[Measure::Apt],
    }
}

pub(crate) fn stream() -> Stream {
    let gateway = GatewayId::new("tt-0042").unwrap();
    Stream::open(gateway, StreamName::new("hepza").unwrap(), 1, policy(), None, measures_of)
}

/// The day's record of the site: three KPIs, of which the policy shares two.
pub(crate) fn record(day: i64, revision: u32) -> WindowRecord {
    let value = |kpi, value, reason, flags| KpiValue {
        kpi: KpiId::of(kpi),
        method: 1,
        value,
        reason,
        coverage: Some(0.9895833333333334),
        shares: None,
        flags,
        factors: vec![],
    };
    let factor = FactorRef { id: "vn_grid_2023".to_owned(), version: Digest([0x33; 32]), year: 2023 };
    WindowRecord {
        site: SiteId::new("tt-main").unwrap(),
        asset: AssetId::new("site").unwrap(),
        level: Level::Site,
        grain: Grain::Day,
        window: Window { start: DAY + day * DAY_MS, end: DAY + (day + 1) * DAY_MS },
        revision,
        facts: [
            (Measure::Apt, 28_800_000),
            (Measure::Electricity, 126_238_290_000),
            (Measure::ElectricitySubstituted, 0),
            (Measure::ProducedQuantity, 9_007_199_254_740_993),
        ]
        .into_iter()
        .collect::<Facts>(),
        product_unit: ProductUnit::Tonne,
        kpis: vec![
            value("oee", Some(0.75), None, vec![]),
            value("electricity", Some(126_238.29), None, vec![Flag::Substituted]),
            KpiValue { factors: vec![factor], ..value("carbon_intensity", None, Some(Reason::NoProduction), vec![]) },
        ],
        config: Digest([0x11; 32]),
        clock: ClockState::Synchronised,
        calendar: None,
        inputs_digest: Digest([0x22; 32]),
    }
}

/// Policy page, two days, a third day: pages 1 to 3.
pub(crate) fn ledger() -> Vec<SignedPage> {
    let mut stream = stream();
    let config = Digest([0x11; 32]);
    let mut pages = stream.cut(DAY + 2 * DAY_MS, config, &[record(1, 1), record(0, 1)], &key());
    pages.extend(stream.cut(DAY + 3 * DAY_MS, config, &[record(2, 1)], &key()));
    pages
}
