//! Points to requests: as few reads as the device's limits allow.
//!
//! In: where points stand, and what the device can bear. Out: requests with the points each one answers. A value is
//! never cut in two, no request reaches beyond address 65535, and a [`Request`] can say a read and nothing else.

use std::cmp::Reverse;
use std::fmt;
use std::ops::Range;

use crate::profile::limits::Forbidden;
use crate::profile::register::Table;

/// Most registers in one request. **Source**: Modbus application protocol V1.1b3, 6.3 and 6.4.
pub const WORDS_MAX: u16 = 125;
/// Most bits in one request. **Source**: the same, 6.1 and 6.2.
pub const BITS_MAX: u16 = 2000;

/// A read of one table: function code 1, 2, 3 or 4. There is no way to express a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
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

/// Addresses of one table, half open. An empty stretch is a seam: the border between two addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stretch {
    /// Which table.
    pub table: Table,
    /// First address.
    pub start: u32,
    /// First address after it, not below `start`; up to 65536.
    pub end: u32,
}

impl Stretch {
    /// Returns the addresses of a range with both ends included.
    pub const fn of(range: Forbidden) -> Self {
        Self { table: range.table, start: range.first as u32, end: range.last as u32 + 1 }
    }

    /// Says whether a request reads one of the addresses, or reaches across the seam.
    pub fn is_touched_by(&self, request: Request) -> bool {
        let (start, end) = (u32::from(request.address), u32::from(request.address) + u32::from(request.count));
        self.table == request.table && start < self.end && self.start < end
    }

    /// Returns the one request that reads all of it; `None` where no device could answer it.
    pub fn request(&self) -> Option<Request> {
        let count = u16::try_from(self.end.checked_sub(self.start)?).ok()?;
        Request::new(self.table, u16::try_from(self.start).ok()?, count)
    }

    const fn holds(&self, span: Span) -> bool {
        self.table as u8 == span.table as u8 && self.start <= span.start() && span.end() <= self.end
    }
}

impl fmt::Display for Stretch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.end - self.start {
            0 => write!(f, "the border between {} {} and {}", self.table, self.start.saturating_sub(1), self.start),
            _ => write!(f, "{} {} to {}", self.table, self.start, self.end - 1),
        }
    }
}

/// What a device can bear, as configured and as learnt from its refusals.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Most registers in one request.
    pub words_max: u16,
    /// Most registers in a request for several points, learnt from refusals.
    pub merged_words_max: u16,
    /// Most bits in a request for several points, learnt from refusals.
    pub merged_bits_max: u16,
    /// Most unwanted registers (or bits) read along to save a request.
    pub gap_max: u16,
    /// Whether a request reads one point only, and those that need no register more.
    pub one_point_per_request: bool,
    /// Whether each request begins at address 0.
    pub start_at_zero: bool,
    /// What no request may touch.
    pub forbidden: Vec<Stretch>,
    /// What is only readable whole: one request each, of exactly that size.
    pub blocks: Vec<Stretch>,
    /// What no request for several points may touch, learnt from refusals.
    pub avoided: Vec<Stretch>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            words_max: WORDS_MAX,
            merged_words_max: WORDS_MAX,
            merged_bits_max: BITS_MAX,
            gap_max: 0,
            one_point_per_request: false,
            start_at_zero: false,
            forbidden: Vec::new(),
            blocks: Vec::new(),
            avoided: Vec::new(),
        }
    }
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
/// A span that no request within the limits can read is left out; the configuration check refuses such points.
pub fn plan(spans: &[Span], limits: &Limits) -> Vec<Planned> {
    plan_of((0..spans.len()).collect(), spans, limits)
}

/// Merges those of `spans` whose indexes are in `points`.
pub fn plan_of(mut points: Vec<usize>, spans: &[Span], limits: &Limits) -> Vec<Planned> {
    // Of points that begin together the longest comes first: the others then need no register more.
    points.sort_by_key(|&index| (spans[index].table, spans[index].address, Reverse(spans[index].length), index));
    let mut requests: Vec<Planned> = Vec::new();
    for block in &limits.blocks {
        let inside: Vec<usize> = points.iter().copied().filter(|&index| block.holds(spans[index])).collect();
        let Some(request) = block.request().filter(|_| !inside.is_empty()) else { continue };
        points.retain(|index| !inside.contains(index));
        requests.push(Planned { request, points: inside });
    }
    let pinned = requests.len();
    for index in points {
        let merged = requests[pinned..].last_mut().is_some_and(|last| extend(last, index, spans[index], limits));
        if !merged && let Some(request) = cover(&[spans[index]], limits) {
            requests.push(Planned { request, points: vec![index] });
        }
    }
    requests.sort_by_key(|planned| (planned.request.table, planned.request.address));
    requests
}

/// Adds a span to the request before it where table, gap and limits allow. Since a request starts as late as its
/// first span allows, extending it greedily leaves the fewest requests.
fn extend(last: &mut Planned, index: usize, span: Span, limits: &Limits) -> bool {
    let request = last.request;
    let covered = Span { table: request.table, address: request.address, length: request.count };
    let is_near = limits.start_at_zero || span.start() <= covered.end() + u32::from(limits.gap_max);
    if span.table != covered.table || !is_near {
        return false;
    }
    let Some(longer) = cover(&[covered, span], limits) else { return false };
    // What needs no register more is read along whatever the limits say.
    if longer != request {
        let forbids = |stretch: &Stretch| stretch.is_touched_by(longer);
        let learnt = if span.table.is_bits() { limits.merged_bits_max } else { limits.merged_words_max };
        if limits.one_point_per_request
            || longer.count > learnt
            || limits.avoided.iter().chain(&limits.blocks).any(forbids)
        {
            return false;
        }
    }
    last.request = longer;
    last.points.push(index);
    true
}

/// Returns the request that spans all of `spans`, which are of one table; `None` beyond the limits.
fn cover(spans: &[Span], limits: &Limits) -> Option<Request> {
    let table = spans.first()?.table;
    let first = spans.iter().map(|span| span.start()).min()?;
    let start = if limits.start_at_zero { 0 } else { first };
    let end = spans.iter().map(|span| span.end()).max()?;
    let count = u16::try_from(end - start).ok()?;
    let max = if table.is_bits() { BITS_MAX } else { limits.words_max };
    let request = Request::new(table, u16::try_from(start).ok()?, count).filter(|_| count <= max)?;
    (!limits.forbidden.iter().any(|stretch| stretch.is_touched_by(request))).then_some(request)
}

/// Splits a request that a device refuses into two with about half the points each, so that a hole in its addresses
/// costs only the point that stands in it. `None` where nothing can be split: a single place, or a block that is
/// only readable whole.
pub fn split(planned: &Planned, spans: &[Span], limits: &Limits) -> Option<[Planned; 2]> {
    if limits.blocks.iter().any(|block| block.request() == Some(planned.request)) {
        return None;
    }
    let points = &planned.points;
    let middle = points.len() / 2;
    let differs = |at: &usize| spans[points[*at - 1]] != spans[points[*at]];
    let at = (1..points.len()).filter(differs).min_by_key(|at| at.abs_diff(middle))?;
    let half = |points: &[usize]| {
        let covered: Vec<Span> = points.iter().map(|&point| spans[point]).collect();
        Some(Planned { request: cover(&covered, limits)?, points: points.to_vec() })
    };
    Some([half(&points[..at])?, half(&points[at..])?])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{Strategy, any, prop_assert, prop_assert_eq, proptest};

    use super::{BITS_MAX, Limits, Planned, Request, Span, Stretch, Table, WORDS_MAX, plan, split};

    fn limits(words_max: u16, gap_max: u16) -> Limits {
        Limits { words_max, gap_max, ..Limits::default() }
    }

    const fn holding(address: u16, length: u16) -> Span {
        Span { table: Table::Holding, address, length }
    }

    fn shape(spans: &[Span], limits: &Limits) -> Vec<(u16, u16)> {
        plan(spans, limits).iter().map(|planned| (planned.request.address(), planned.request.count())).collect()
    }

    #[test]
    fn neighbours_are_read_together_and_gaps_only_up_to_the_limit() {
        let spans = [holding(8, 2), holding(0, 2), holding(2, 2)];
        assert_eq!(shape(&spans, &limits(WORDS_MAX, 0)), [(0, 4), (8, 2)]);
        assert_eq!(shape(&spans, &limits(WORDS_MAX, 3)), [(0, 4), (8, 2)]);
        assert_eq!(shape(&spans, &limits(WORDS_MAX, 4)), [(0, 10)]);
    }

    #[test]
    fn a_value_at_the_limit_is_not_cut() {
        let spans = [holding(0, 48), holding(48, 4)];
        assert_eq!(shape(&spans, &limits(50, 0)), [(0, 48), (48, 4)]);
    }

    #[test]
    fn the_last_address_can_be_read_and_none_beyond() {
        assert_eq!(shape(&[holding(65_534, 2)], &limits(WORDS_MAX, 0)), [(65_534, 2)]);
        assert_eq!(shape(&[holding(65_535, 2)], &limits(WORDS_MAX, 0)), []);
        assert_eq!(Request::new(Table::Input, 65_535, 2), None);
        assert_eq!(Request::new(Table::Input, 0, 0), None);
        assert_eq!(Request::new(Table::Input, 0, 126), None);
        assert!(Request::new(Table::Coil, 0, 2000).is_some());
    }

    #[test]
    fn tables_are_never_mixed() {
        let spans = [holding(0, 1), Span { table: Table::Input, address: 1, length: 1 }];
        assert_eq!(plan(&spans, &Limits::default()).len(), 2);
    }

    #[test]
    fn a_refused_request_is_halved_until_one_point_is_left() {
        let spans = [holding(0, 2), holding(2, 2), holding(4, 2)];
        let whole = plan(&spans, &Limits::default()).remove(0);
        let [first, second] = split(&whole, &spans, &Limits::default()).unwrap();
        assert_eq!((first.request.address(), first.request.count(), first.points.clone()), (0, 2, vec![0]));
        assert_eq!((second.request.address(), second.request.count(), second.points.clone()), (2, 4, vec![1, 2]));
        assert_eq!(split(&first, &spans, &Limits::default()), None);
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
    fn fewest(spans: &[Span], limits: &Limits) -> usize {
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

    #[test]
    fn what_is_forbidden_is_never_read_not_even_in_a_gap() {
        let spans = [holding(0, 2), holding(4, 2), holding(8, 1)];
        let stretch = |start, end| Stretch { table: Table::Holding, start, end };
        let limits = Limits { forbidden: vec![stretch(2, 3), stretch(8, 9)], ..limits(WORDS_MAX, 10) };
        assert_eq!(shape(&spans, &limits), [(0, 2), (4, 2)], "a point in it is left to the configuration check");
    }

    #[test]
    fn a_block_is_read_whole_and_nothing_else_with_it() {
        let spans = [holding(9, 1), holding(12, 2), holding(17, 1), holding(20, 1)];
        let block = Stretch { table: Table::Holding, start: 10, end: 20 };
        let limits = Limits { blocks: vec![block], ..limits(WORDS_MAX, 10) };
        assert_eq!(shape(&spans, &limits), [(9, 1), (10, 10), (20, 1)]);
        let whole = plan(&spans, &limits).remove(1);
        assert_eq!((whole.points.clone(), split(&whole, &spans, &limits)), (vec![1, 2], None));
    }

    #[test]
    fn one_point_per_request_still_reads_bits_of_one_register_together() {
        let spans = [holding(0, 1), holding(1, 1), holding(1, 1)];
        let limits = Limits { one_point_per_request: true, ..limits(WORDS_MAX, 10) };
        assert_eq!(shape(&spans, &limits), [(0, 1), (1, 1)]);
    }

    #[test]
    fn requests_begin_at_zero_where_the_device_wants_it() {
        let coil = |address| Span { table: Table::Coil, address, length: 1 };
        let limits = Limits { start_at_zero: true, ..Limits::default() };
        assert_eq!(shape(&[coil(12), coil(1900), coil(3)], &limits), [(0, 1901)]);
        assert_eq!(shape(&[coil(2000)], &limits), [], "beyond one request");
    }

    #[test]
    fn a_read_at_the_top_of_the_address_space_ends_there() {
        let spans: Vec<Span> = (0..11).map(|at| holding(65_525 + at, 1)).collect();
        assert_eq!(shape(&spans, &limits(WORDS_MAX, 5)), [(65_525, 11)]);
    }

    /// Fewest requests of all: every way to group the spans is tried.
    fn fewest_of_all(spans: &[Span], limits: &Limits) -> usize {
        let all = 1usize << spans.len();
        let group = |mask: usize| -> Vec<Span> {
            (0..spans.len()).filter(|index| mask >> index & 1 == 1).map(|index| spans[index]).collect()
        };
        let is_allowed: Vec<bool> = (0..all).map(|mask| mask > 0 && one_request(&group(mask), limits)).collect();
        let mut best = vec![0usize; all];
        for mask in 1..all {
            let mut part = mask;
            best[mask] = usize::MAX;
            while part > 0 {
                if is_allowed[part] && best[mask ^ part] != usize::MAX {
                    best[mask] = best[mask].min(best[mask ^ part] + 1);
                }
                part = (part - 1) & mask;
            }
        }
        best[all - 1]
    }

    /// Says, without the planner, whether one request may read these spans.
    fn one_request(spans: &[Span], limits: &Limits) -> bool {
        let (table, start) = (spans[0].table, spans.iter().map(|span| span.start()).min().unwrap());
        let end = spans.iter().map(|span| span.end()).max().unwrap();
        let wanted = |at: u32| spans.iter().any(|span| (span.start()..span.end()).contains(&at));
        let gaps: Vec<bool> = (start..end).map(wanted).collect();
        let longest = gaps.split(|wanted| *wanted).map(<[bool]>::len).max().unwrap_or(0);
        let is_one_place = spans.iter().any(|span| span.start() == start && span.end() == end);
        let crosses = |stretch: &Stretch| stretch.table == table && start < stretch.end && stretch.start < end;
        spans.iter().all(|span| span.table == table)
            && end - start <= u32::from(if table.is_bits() { BITS_MAX } else { limits.words_max })
            && longest <= usize::from(limits.gap_max)
            && !limits.forbidden.iter().any(crosses)
            && (is_one_place || !limits.avoided.iter().any(crosses))
            && (is_one_place || !limits.one_point_per_request)
    }

    fn few_spans() -> impl Strategy<Value = Vec<Span>> {
        let table = proptest::sample::select(vec![Table::Holding, Table::Coil]);
        let one = (table, 0u16..40, proptest::sample::select(vec![1u16, 2])).prop_map(|(table, address, words)| Span {
            table,
            address,
            length: if table.is_bits() { 1 } else { words },
        });
        proptest::collection::vec(one, 1..9)
    }

    fn stretches() -> impl Strategy<Value = Vec<Stretch>> {
        let one = (0u32..42, 0u32..4).prop_map(|(start, length)| Stretch {
            table: Table::Holding,
            start,
            end: start + length,
        });
        proptest::collection::vec(one, 0..4)
    }

    proptest! {
        #[test]
        fn no_grouping_at_all_needs_fewer_requests(
            spans in few_spans(), forbidden in stretches(), words_max in 4u16..20, gap_max in 0u16..8,
            one_point_per_request in any::<bool>(),
        ) {
            let limits = Limits { forbidden, one_point_per_request, ..limits(words_max, gap_max) };
            let spans: Vec<Span> = spans.into_iter().filter(|span| one_request(&[*span], &limits)).collect();
            if !spans.is_empty() {
                prop_assert_eq!(plan(&spans, &limits).len(), fewest_of_all(&spans, &limits));
            }
        }

        #[test]
        fn no_request_touches_what_is_forbidden_and_every_readable_point_is_read_once(
            spans in spans(), forbidden in stretches(), avoided in stretches(), start_at_zero in any::<bool>(),
            gap_max in 0u16..20, learnt in 1u16..60,
        ) {
            let limits = Limits {
                forbidden, avoided, start_at_zero, merged_words_max: learnt, ..limits(WORDS_MAX, gap_max)
            };
            let requests = plan(&spans, &limits);
            let mut answered: Vec<usize> = requests.iter().flat_map(|planned| planned.points.clone()).collect();
            answered.sort_unstable();
            let alone = |index: &usize| !plan(&[spans[*index]], &limits).is_empty();
            prop_assert_eq!(answered, (0..spans.len()).filter(alone).collect::<Vec<_>>());
            for planned in &requests {
                let touches = |stretch: &Stretch| stretch.is_touched_by(planned.request);
                prop_assert!(!limits.forbidden.iter().any(touches));
                prop_assert!(!start_at_zero || planned.request.address() == 0);
                prop_assert!(planned.points.iter().all(|&point| covers(planned, spans[point])));
                let is_merged = planned.points.iter().any(|&point| spans[point] != spans[planned.points[0]]);
                let is_small = planned.request.table().is_bits() || planned.request.count() <= learnt;
                let holds_one = planned.points.iter().any(|&p| plan(&[spans[p]], &limits)[0].request == planned.request);
                prop_assert!(!is_merged || is_small || holds_one, "{planned:?}");
            }
        }
    }

    proptest! {
        #[test]
        fn every_point_is_answered_whole_by_one_request(
            spans in spans(), words_max in 4u16..=WORDS_MAX, gap_max in 0u16..20
        ) {
            let requests = plan(&spans, &limits(words_max, gap_max));
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
            let limits = limits(words_max, gap_max);
            prop_assert_eq!(plan(&spans, &limits).len(), fewest(&spans, &limits));
        }

        #[test]
        fn no_request_reads_more_unwanted_registers_in_a_row_than_allowed(
            spans in spans(), gap_max in 0u16..20, seed in any::<u16>()
        ) {
            for planned in plan(&spans, &limits(4 + seed % 122, gap_max)) {
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
