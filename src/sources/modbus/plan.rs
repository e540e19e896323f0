//! Points to requests: as few reads as the device's limits allow.
//!
//! In: where points stand, and what the device can bear. Out: requests with the points each one answers. A value is
//! never cut in two, no request reaches beyond address 65535, and a [`Request`] can say a read and nothing else.

use std::fmt;
use std::ops::Range;

use crate::profile::register::Table;

/// Most registers in one request. **Source**: Modbus application protocol V1.1b3, 6.3 and 6.4.
pub const WORDS_MAX: u16 = 125;
/// Most bits in one request. **Source**: the same, 6.1 and 6.2.
pub const BITS_MAX: u16 = 2000;

/// A read of one table: function code 1, 2, 3 or 4. There is no way to express a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Request {
    table: Table,
    address: u16,
    count: u16,
}

impl Request {
    /// Returns a read of `count` registers or bits from `address` on; `None` where no device could answer it.
    pub fn new(table: Table, address: u16, count: u16) -> Option<Self> {
        let max = if table.is_bits() { BITS_MAX } else { WORDS_MAX };
        let fits = u32::from(address) + u32::from(count) <= 65_536;
        (count > 0 && count <= max && fits).then_some(Self { table, address, count })
    }

    /// Returns the table.
    pub const fn table(self) -> Table {
        self.table
    }

    /// Returns the first address on the wire.
    pub const fn address(self) -> u16 {
        self.address
    }

    /// Returns the number of registers or bits.
    pub const fn count(self) -> u16 {
        self.count
    }
}

impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let last = u32::from(self.address) + u32::from(self.count) - 1;
        write!(f, "{} {} to {last}", self.table, self.address)
    }
}

/// What a device answers to a [`Request`]: as many words or bits as it asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// Of a register table.
    Words(Vec<u16>),
    /// Of a bit table.
    Bits(Vec<bool>),
}

/// Where one point stands: registers, or bits of a bit table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span {
    /// Which table.
    pub table: Table,
    /// First address on the wire.
    pub address: u16,
    /// Number of registers or bits, at least 1.
    pub length: u16,
}

impl Span {
    const fn start(self) -> u32 {
        self.address as u32
    }

    const fn end(self) -> u32 {
        self.address as u32 + self.length as u32
    }

    /// Returns where the span lies within the answer to `request`.
    pub fn within(self, request: Request) -> Range<usize> {
        let first = usize::from(self.address.saturating_sub(request.address));
        first..first + usize::from(self.length)
    }
}

/// What a device can bear.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Most registers in one request.
    pub words_max: u16,
    /// Most unwanted registers (or bits) read along to save a request.
    pub gap_max: u16,
}

/// A request and the points it answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Planned {
    /// What to read.
    pub request: Request,
    /// Indexes into the spans, ascending by address.
    pub points: Vec<usize>,
}

/// Merges spans into requests, ascending by table and address. Each span is answered by exactly one request.
///
/// Spans longer than the limit or beyond address 65535 must have been refused before: they are left out.
pub fn plan(spans: &[Span], limits: Limits) -> Vec<Planned> {
    let mut order: Vec<usize> = (0..spans.len()).collect();
    order.sort_by_key(|&index| (spans[index], index));
    let mut requests: Vec<Planned> = Vec::new();
    for index in order {
        let merged = requests.last_mut().is_some_and(|last| extend(last, index, spans[index], limits));
        if !merged && let Some(request) = cover(&[spans[index]], limits) {
            requests.push(Planned { request, points: vec![index] });
        }
    }
    requests
}

/// Adds a span to the request before it where table, gap and limit allow. Since a request starts as late as its
/// first span allows, extending it greedily leaves the fewest requests.
fn extend(last: &mut Planned, index: usize, span: Span, limits: Limits) -> bool {
    let request = last.request;
    let covered = Span { table: request.table, address: request.address, length: request.count };
    if span.table != covered.table || span.start() > covered.end() + u32::from(limits.gap_max) {
        return false;
    }
    let Some(longer) = cover(&[covered, span], limits) else { return false };
    last.request = longer;
    last.points.push(index);
    true
}

/// Returns the request that spans all of `spans`, which are of one table; `None` beyond the limits.
fn cover(spans: &[Span], limits: Limits) -> Option<Request> {
    let table = spans.first()?.table;
    let start = spans.iter().map(|span| span.start()).min()?;
    let end = spans.iter().map(|span| span.end()).max()?;
    let count = u16::try_from(end - start).ok()?;
    let within = table.is_bits() || count <= limits.words_max;
    within.then(|| Request::new(table, u16::try_from(start).ok()?, count)).flatten()
}

/// Splits a request that a device refuses into two with half the points each, so that a hole in its addresses costs
/// only the point that stands in it. `None` for a single point.
pub fn split(planned: &Planned, spans: &[Span], limits: Limits) -> Option<[Planned; 2]> {
    let (first, second) = planned.points.split_at(planned.points.len() / 2);
    let half = |points: &[usize]| {
        let covered: Vec<Span> = points.iter().map(|&point| spans[point]).collect();
        Some(Planned { request: cover(&covered, limits)?, points: points.to_vec() })
    };
    Some([half(first)?, half(second)?])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{Strategy, any, prop_assert, prop_assert_eq, proptest};

    use super::{BITS_MAX, Limits, Planned, Request, Span, Table, WORDS_MAX, plan, split};

    const LIMITS: Limits = Limits { words_max: WORDS_MAX, gap_max: 0 };

    const fn holding(address: u16, length: u16) -> Span {
        Span { table: Table::Holding, address, length }
    }

    fn shape(spans: &[Span], limits: Limits) -> Vec<(u16, u16)> {
        plan(spans, limits).iter().map(|planned| (planned.request.address(), planned.request.count())).collect()
    }

    #[test]
    fn neighbours_are_read_together_and_gaps_only_up_to_the_limit() {
        let spans = [holding(8, 2), holding(0, 2), holding(2, 2)];
        assert_eq!(shape(&spans, LIMITS), [(0, 4), (8, 2)]);
        assert_eq!(shape(&spans, Limits { gap_max: 3, ..LIMITS }), [(0, 4), (8, 2)]);
        assert_eq!(shape(&spans, Limits { gap_max: 4, ..LIMITS }), [(0, 10)]);
    }

    #[test]
    fn a_value_at_the_limit_is_not_cut() {
        let spans = [holding(0, 48), holding(48, 4)];
        assert_eq!(shape(&spans, Limits { words_max: 50, gap_max: 0 }), [(0, 48), (48, 4)]);
    }

    #[test]
    fn the_last_address_can_be_read_and_none_beyond() {
        assert_eq!(shape(&[holding(65_534, 2)], LIMITS), [(65_534, 2)]);
        assert_eq!(shape(&[holding(65_535, 2)], LIMITS), []);
        assert_eq!(Request::new(Table::Input, 65_535, 2), None);
        assert_eq!(Request::new(Table::Input, 0, 0), None);
        assert_eq!(Request::new(Table::Input, 0, 126), None);
        assert!(Request::new(Table::Coil, 0, 2000).is_some());
    }

    #[test]
    fn tables_are_never_mixed() {
        let spans = [holding(0, 1), Span { table: Table::Input, address: 1, length: 1 }];
        assert_eq!(plan(&spans, LIMITS).len(), 2);
    }

    #[test]
    fn a_refused_request_is_halved_until_one_point_is_left() {
        let spans = [holding(0, 2), holding(2, 2), holding(4, 2)];
        let whole = plan(&spans, LIMITS).remove(0);
        let [first, second] = split(&whole, &spans, LIMITS).unwrap();
        assert_eq!((first.request.address(), first.request.count(), first.points.clone()), (0, 2, vec![0]));
        assert_eq!((second.request.address(), second.request.count(), second.points.clone()), (2, 4, vec![1, 2]));
        assert_eq!(split(&first, &spans, LIMITS), None);
    }

    fn spans() -> impl Strategy<Value = Vec<Span>> {
        let table = proptest::sample::select(Table::ALL);
        let near = 0u16..400;
        let far = 65_100u16..=65_532;
        let one = (table, proptest::prop_oneof![near, far], proptest::sample::select(vec![1u16, 2, 4])).prop_map(
            |(table, address, words)| Span { table, address, length: if table.is_bits() { 1 } else { words } },
        );
        proptest::collection::vec(one, 1..80)
    }

    /// Fewest requests, found without the planner's greed: for each prefix of the sorted spans, the best last group.
    fn fewest(spans: &[Span], limits: Limits) -> usize {
        let mut sorted = spans.to_vec();
        sorted.sort();
        let mut best = vec![0usize];
        for end in 1..=sorted.len() {
            let fits = |start: &usize| {
                let group = &sorted[*start..end];
                let mut reach = group[0].end();
                group.iter().all(|span| {
                    let joined = span.table == group[0].table && span.start() <= reach + u32::from(limits.gap_max);
                    reach = reach.max(span.end());
                    joined
                }) && reach - group[0].start()
                    <= u32::from(if group[0].table.is_bits() { BITS_MAX } else { limits.words_max })
            };
            best.push((0..end).filter(fits).map(|start| best[start] + 1).min().unwrap());
        }
        best[sorted.len()]
    }

    fn covers(planned: &Planned, span: Span) -> bool {
        let request = planned.request;
        let end = u32::from(request.address()) + u32::from(request.count());
        request.table() == span.table && u32::from(request.address()) <= span.start() && span.end() <= end
    }

    proptest! {
        #[test]
        fn every_point_is_answered_whole_by_one_request(
            spans in spans(), words_max in 4u16..=WORDS_MAX, gap_max in 0u16..20
        ) {
            let requests = plan(&spans, Limits { words_max, gap_max });
            let mut answered: Vec<usize> = requests.iter().flat_map(|planned| planned.points.clone()).collect();
            answered.sort_unstable();
            prop_assert_eq!(answered, (0..spans.len()).collect::<Vec<_>>());
            for planned in &requests {
                let max = if planned.request.table().is_bits() { BITS_MAX } else { words_max };
                prop_assert!(planned.request.count() <= max);
                for &point in &planned.points {
                    prop_assert!(covers(planned, spans[point]));
                    prop_assert!(spans[point].within(planned.request).end <= usize::from(planned.request.count()));
                }
            }
        }

        #[test]
        fn no_plan_needs_fewer_requests(spans in spans(), words_max in 4u16..=WORDS_MAX, gap_max in 0u16..20) {
            let limits = Limits { words_max, gap_max };
            prop_assert_eq!(plan(&spans, limits).len(), fewest(&spans, limits));
        }

        #[test]
        fn no_request_reads_more_unwanted_registers_in_a_row_than_allowed(
            spans in spans(), gap_max in 0u16..20, seed in any::<u16>()
        ) {
            let limits = Limits { words_max: 4 + seed % 122, gap_max };
            for planned in plan(&spans, limits) {
                let mut wanted = vec![false; usize::from(planned.request.count())];
                for &point in &planned.points {
                    wanted[spans[point].within(planned.request)].fill(true);
                }
                let longest = wanted.split(|wanted| *wanted).map(<[bool]>::len).max().unwrap();
                prop_assert!(longest <= usize::from(gap_max));
            }
        }
    }
}
