//! Which answers may still come, and the question that tells whether they do.
//!
//! An answer on a serial line names its unit, its function and its length, but not the request it belongs to. After
//! a time-out the late answer therefore looks like the answer to the same question asked again. This file keeps what
//! is *owed*, and picks a *fence*: a read that no owed answer can be taken for. A unit answers in the order it was
//! asked, so once it has answered a fence, nothing older can follow.
//!
//! Arithmetic on what `link` saw; nothing here waits or sends.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::profile::register::Table;
use crate::sources::modbus::plan::Request;

/// How many questions a device may be behind. What was asked before is forgotten, not what was asked long ago:
/// some gateways hand out a kept answer only when they are asked the next question.
const BEHIND_MAX: usize = 8;
/// A unit that refuses so many fences in a row, and was never heard to be late, is in step: it can't be asked
/// differently.
const REFUSALS: u8 = 3;
/// Read device identification. **Source**: Modbus application protocol V1.1b3, 6.21.
const IDENTIFY: u8 = 0x2B;

/// All that an answer says about its question, beside the unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Shape {
    function: u8,
    /// Its byte count; `None` where the question doesn't set it.
    bytes: Option<u8>,
}

impl Shape {
    /// Returns the shape of the answer to a read.
    pub(super) fn of(request: Request) -> Self {
        let (function, bytes) = match request.table() {
            Table::Coil => (1, request.count().div_ceil(8)),
            Table::Discrete => (2, request.count().div_ceil(8)),
            Table::Holding => (3, request.count() * 2),
            Table::Input => (4, request.count() * 2),
        };
        Self { function, bytes: u8::try_from(bytes).ok() }
    }

    /// Returns the shape of a device identification.
    pub(super) const fn of_identification() -> Self {
        Self { function: IDENTIFY, bytes: None }
    }

    /// Says whether an answer with so many bytes of data has this shape.
    pub(super) fn has_bytes(self, bytes: usize) -> bool {
        self.bytes.is_some_and(|expected| usize::from(expected) == bytes)
    }

    /// Returns the bytes of the longest frame it can have on a line: unit, function, count, data and check.
    pub(super) fn frame_len_max(self) -> usize {
        self.bytes.map_or(256, |bytes| usize::from(bytes) + 5)
    }
}

/// What must be asked before a value is believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fence {
    /// Nothing: the unit is in step.
    InStep,
    /// This read.
    Ask(Request),
    /// Nothing can be asked that isn't owed or forbidden.
    Impossible,
}

/// How an answer relates to what it was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answered {
    /// As asked.
    Data,
    /// An exception, which names the function only.
    Refused,
}

/// What the units behind one connection may still answer.
#[derive(Debug)]
pub(super) struct Owed {
    /// Units whose next answer can only belong to the next question.
    in_step: BTreeSet<u8>,
    behind: BTreeMap<u8, Behind>,
}

/// A unit that may be late.
#[derive(Debug, Default)]
struct Behind {
    shapes: VecDeque<Shape>,
    /// Fences refused in a row.
    refusals: u8,
    /// Whether an answer of it came after its time or to another question.
    was_late: bool,
}

impl Behind {
    fn push(&mut self, shape: Shape) {
        self.shapes.retain(|owed| *owed != shape);
        self.shapes.push_back(shape);
        if self.shapes.len() > BEHIND_MAX {
            self.shapes.pop_front();
        }
    }
}

impl Owed {
    /// Nothing was asked yet, and no unit is known to be in step.
    pub(super) const fn new() -> Self {
        Self { in_step: BTreeSet::new(), behind: BTreeMap::new() }
    }

    /// Nothing is known of any unit: the line was opened, or talked by itself.
    pub(super) fn distrust_all(&mut self) {
        self.in_step.clear();
    }

    /// The question was asked and not answered.
    pub(super) fn unanswered(&mut self, unit: u8, shape: Shape) {
        self.in_step.remove(&unit);
        self.behind.entry(unit).or_default().push(shape);
    }

    /// Something else came in place of the answer.
    pub(super) fn mistaken(&mut self, unit: u8, shape: Shape) {
        self.unanswered(unit, shape);
        if let Some(behind) = self.behind.get_mut(&unit) {
            behind.was_late = true;
        }
    }

    /// An answer of the unit came while nothing was asked.
    pub(super) fn heard_late(&mut self, unit: u8) {
        if let Some(behind) = self.behind.get_mut(&unit) {
            behind.was_late = true;
        }
    }

    /// Says whether so many bytes that begin with `unit` may be answers of that unit.
    pub(super) fn explains(&self, unit: u8, bytes: usize) -> bool {
        let most = |behind: &Behind| behind.shapes.iter().map(|shape| shape.frame_len_max()).sum::<usize>();
        self.behind.get(&unit).is_some_and(|behind| bytes <= most(behind))
    }

    /// Says whether bytes begin as one of the answers does that their first byte, the unit, may still give.
    pub(super) fn begins(&self, bytes: &[u8]) -> bool {
        let [unit, function, count, ..] = *bytes else { return false };
        self.behind.get(&unit).is_some_and(|behind| {
            behind.shapes.iter().any(|shape| {
                let is_data = function == shape.function && shape.bytes.is_none_or(|bytes| bytes == count);
                is_data || function == shape.function | 0x80
            })
        })
    }

    /// Returns the read that must be answered before `unit` may be asked for `wanted`. `bears` says what the unit can
    /// be asked for at all.
    pub(super) fn fence(&mut self, unit: u8, wanted: Request, bears: impl Fn(&Request) -> bool) -> Fence {
        if self.in_step.contains(&unit) {
            return Fence::InStep;
        }
        let behind = self.behind.entry(unit).or_default();
        if behind.shapes.is_empty() {
            // Whoever asked before us will have asked for the same.
            behind.push(Shape::of(wanted));
        }
        let shapes = &behind.shapes;
        let wanted_shape = Shape::of(wanted);
        // One that isn't owed, else the one that has been owed longest: a dead unit must be asked for ever.
        let age = |fence: &Request| shapes.iter().position(|owed| *owed == Shape::of(*fence)).map_or(0, |at| at + 1);
        let possible = fences(wanted).into_iter().filter(|fence| bears(fence) && Shape::of(*fence) != wanted_shape);
        possible.min_by_key(age).map_or(Fence::Impossible, Fence::Ask)
    }

    /// A question was answered. Returns whether the unit is in step.
    pub(super) fn answered(&mut self, unit: u8, shape: Shape, answered: Answered) -> bool {
        let Some(behind) = self.behind.get_mut(&unit) else {
            self.in_step.insert(unit);
            return true;
        };
        let is_own = match answered {
            Answered::Data => !behind.shapes.contains(&shape),
            Answered::Refused => behind.shapes.iter().all(|owed| owed.function != shape.function),
        };
        if !is_own {
            behind.refusals += 1;
            behind.push(shape);
        }
        let is_in_step = is_own || (behind.refusals >= REFUSALS && !behind.was_late);
        if is_in_step {
            self.behind.remove(&unit);
            self.in_step.insert(unit);
        }
        is_in_step
    }
}

/// Returns the reads that can stand for `wanted` as a fence, likeliest to be answered first: fewer of the same,
/// then another table, then more of the same. More than a device can be behind, so that one is always left.
pub(super) fn fences(wanted: Request) -> Vec<Request> {
    let (table, address, count) = (wanted.table(), wanted.address(), wanted.count());
    // Bits are told apart by whole bytes.
    let (one, step) = if table.is_bits() { (count.div_ceil(8), 8) } else { (count, 1) };
    let same = |units: Option<u16>| units.and_then(|units| Request::new(table, address, units * step));
    let fewer = |less: u16| same(one.checked_sub(less).filter(|units| *units > 0));
    let more = |more: u16| same(Some(one + more));
    let other = |other: Table, count: u16| Request::new(other, address.min(65_000), count).filter(|_| other != table);
    let twin = match table {
        Table::Coil => Table::Discrete,
        Table::Discrete => Table::Coil,
        Table::Holding => Table::Input,
        Table::Input => Table::Holding,
    };
    let first = if one == 1 { more(1) } else { fewer(1) };
    let rest = [fewer(2), fewer(3), fewer(4), more(1), more(2), more(3), more(4)];
    let tables = Table::ALL.iter().flat_map(|&table| [1, 9, 17].map(|count| other(table, count)));
    [first, other(twin, 1)].into_iter().chain(rest).chain(tables).flatten().collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, prop_assert, proptest};

    use super::{Answered, BEHIND_MAX, Fence, Owed, Request, Shape, Table, fences};

    fn holding(address: u16, count: u16) -> Request {
        Request::new(Table::Holding, address, count).unwrap()
    }

    fn fence(owed: &mut Owed, unit: u8, wanted: Request) -> Option<Request> {
        match owed.fence(unit, wanted, |_| true) {
            Fence::Ask(fence) => Some(fence),
            Fence::InStep | Fence::Impossible => None,
        }
    }

    #[test]
    fn a_forbidden_address_is_no_fence() {
        let mut owed = Owed::new();
        assert_eq!(
            owed.fence(1, holding(0, 4), |fence| fence.table() != Table::Holding),
            Fence::Ask(Request::new(Table::Input, 0, 1).unwrap())
        );
        assert_eq!(owed.fence(1, holding(0, 4), |_| false), Fence::Impossible);
        let few = |fence: &Request| fence.table() == Table::Holding && fence.count() < 4;
        let asked = [0; 5].map(|_| match owed.fence(1, holding(0, 4), few) {
            Fence::Ask(fence) => {
                owed.unanswered(1, Shape::of(fence));
                fence.count()
            }
            other => panic!("{other:?}"),
        });
        assert_eq!(asked, [3, 2, 1, 3, 2], "where all are owed, the oldest comes again");
    }

    #[test]
    fn a_unit_is_in_step_once_it_answered_a_fence_of_another_shape() {
        let mut owed = Owed::new();
        let wanted = holding(100, 10);
        let first = fence(&mut owed, 1, wanted).unwrap();
        assert_eq!(first, holding(100, 9), "one register fewer, where there are more than one");
        assert!(owed.answered(1, Shape::of(first), Answered::Data));
        assert_eq!(owed.fence(1, wanted, |_| true), Fence::InStep);
        assert!(fence(&mut owed, 2, wanted).is_some(), "each unit for itself");
        owed.unanswered(1, Shape::of(wanted));
        assert!(fence(&mut owed, 1, wanted).is_some());
        owed.answered(2, Shape::of(first), Answered::Data);
        owed.distrust_all();
        assert!(fence(&mut owed, 2, wanted).is_some());
    }

    #[test]
    fn a_fence_is_never_one_that_is_owed_itself() {
        let mut owed = Owed::new();
        let wanted = holding(0, 1);
        owed.unanswered(7, Shape::of(wanted));
        let mut asked = vec![Shape::of(wanted)];
        for _ in 0..BEHIND_MAX - 1 {
            let next = Shape::of(fence(&mut owed, 7, wanted).unwrap());
            assert!(!asked.contains(&next), "{next:?} after {asked:?}");
            asked.push(next);
            owed.mistaken(7, next);
        }
    }

    #[test]
    fn an_exception_shows_step_only_where_none_of_its_function_is_owed() {
        let mut owed = Owed::new();
        let wanted = holding(0, 2);
        owed.mistaken(1, Shape::of(wanted));
        let fewer = fence(&mut owed, 1, wanted).unwrap();
        assert_eq!(fewer, holding(0, 1));
        assert!(!owed.answered(1, Shape::of(fewer), Answered::Refused), "it may be the late one's");
        let other = fence(&mut owed, 1, wanted).unwrap();
        assert_eq!(other.table(), Table::Input);
        assert!(owed.answered(1, Shape::of(other), Answered::Refused));
    }

    #[test]
    fn a_unit_that_refuses_every_fence_is_in_step_unless_it_was_heard_to_be_late() {
        let refusals = |owed: &mut Owed| {
            (0..3).map(|_| owed.answered(1, Shape::of(holding(0, 1)), Answered::Refused)).collect::<Vec<_>>()
        };
        let mut silent = Owed::new();
        silent.unanswered(1, Shape::of(holding(0, 2)));
        assert_eq!(refusals(&mut silent), [false, false, true]);
        let mut late = Owed::new();
        late.mistaken(1, Shape::of(holding(0, 2)));
        assert_eq!(refusals(&mut late), [false; 3]);
    }

    #[test]
    fn bytes_are_explained_by_what_their_unit_owes_and_by_nothing_else() {
        let mut owed = Owed::new();
        owed.unanswered(3, Shape::of(holding(0, 10)));
        assert!(owed.explains(3, 25));
        assert!(!owed.explains(3, 26));
        assert!(!owed.explains(4, 25));
        assert!(owed.begins(&[3, 3, 20, 0]) && owed.begins(&[3, 0x83, 2, 0]));
        for other in [&[3, 3, 0, 0][..], &[3, 4, 20, 0], &[4, 3, 20, 0], &[3, 3]] {
            assert!(!owed.begins(other), "{other:?}");
        }
    }

    proptest! {
        #[test]
        fn there_are_always_more_fences_than_answers_a_device_can_be_behind(
            table in proptest::sample::select(Table::ALL), address in any::<u16>(), count in 1u16..=2000
        ) {
            let Some(wanted) = Request::new(table, address, count) else { return Ok(()) };
            let mut shapes: Vec<Shape> = fences(wanted).into_iter().map(Shape::of).collect();
            shapes.retain(|shape| *shape != Shape::of(wanted));
            let mut distinct: Vec<Shape> = Vec::new();
            for shape in shapes {
                if !distinct.contains(&shape) {
                    distinct.push(shape);
                }
            }
            prop_assert!(distinct.len() >= BEHIND_MAX, "{} for {wanted}", distinct.len());
        }
    }
}
