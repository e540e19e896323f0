//! Brings the messages of one edge node into the order of their numbers.
//!
//! In: numbers 0 to 255 as they arrive, shared by all messages of an edge node. Out: which message is next, which waits
//! for one before it, and after the reorder time what has to be taken in spite of a gap. No message is dropped here
//! but the same one again, and another one under a number whose message waits already.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

/// Messages of one edge node that wait for one before them. At the limit the gap is taken as it is.
const HELD_MAX: usize = 64;
/// Their size. **Unit**: bytes.
const HELD_BYTES_MAX: usize = 1 << 20;
/// Numbers from here on, counted from the expected one, are behind it.
const HALF_ROUND: u8 = 128;

/// What becomes of a message that arrives.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Arrival<T> {
    /// It is the next one.
    Next(T),
    /// It waits: something before it is missing.
    Held,
    /// It was missing when a gap was given up.
    Late(T),
    /// It is the last message once more, or one that waits already.
    Again,
    /// Another message waits under this number; this one is dropped.
    Taken,
}

#[derive(Debug)]
struct Held<T> {
    message: T,
    /// A digest of it.
    content: u64,
    bytes: usize,
    at_ms: u64,
}

/// The numbering of one edge node.
#[derive(Debug)]
pub(super) struct Sequence<T> {
    expected: u8,
    /// Number and content of the last message in order.
    last: Option<(u8, u64)>,
    held: BTreeMap<u8, Held<T>>,
    /// Numbers that were missing when a gap was given up.
    missing: BTreeSet<u8>,
}

impl<T> Default for Sequence<T> {
    fn default() -> Self {
        Self { expected: 0, last: None, held: BTreeMap::new(), missing: BTreeSet::new() }
    }
}

impl<T> Sequence<T> {
    /// A birth numbered `seq` starts anew. Returns how many messages were held: they are dropped, because nobody can tell
    /// whether their aliases are those of the births before it or after it.
    pub(super) fn restart(&mut self, seq: u8) -> usize {
        let held = self.held.len();
        *self = Self { expected: seq.wrapping_add(1), ..Self::default() };
        held
    }

    /// Takes a message numbered `seq` whose `content` is a digest, `bytes` long, at an instant of I/O time.
    pub(super) fn accept(&mut self, seq: u8, content: u64, bytes: usize, message: T, now_ms: u64) -> Arrival<T> {
        if seq == self.expected {
            self.pass(seq, content);
            return Arrival::Next(message);
        }
        if self.last == Some((seq, content)) {
            return Arrival::Again;
        }
        if self.missing.remove(&seq) {
            return Arrival::Late(message);
        }
        match self.held.entry(seq) {
            Entry::Occupied(held) if held.get().content == content => Arrival::Again,
            Entry::Occupied(_) => Arrival::Taken,
            Entry::Vacant(free) => {
                free.insert(Held { message, content, bytes, at_ms: now_ms });
                Arrival::Held
            }
        }
    }

    /// Says whether a number is the one that comes next.
    pub(super) fn is_next(&self, seq: u8) -> bool {
        seq == self.expected
    }

    /// Returns the next message where it is held.
    pub(super) fn next_held(&mut self) -> Option<T> {
        let held = self.held.remove(&self.expected)?;
        self.pass(self.expected, held.content);
        Some(held.message)
    }

    /// Returns when the wait for what is missing ends, by I/O time; `None` where nothing is missing.
    pub(super) fn due_ms(&self, reorder_ms: u64) -> Option<u64> {
        let is_full =
            self.held.len() >= HELD_MAX || self.held.values().map(|held| held.bytes).sum::<usize>() > HELD_BYTES_MAX;
        let first = self.held.values().map(|held| held.at_ms).min()?;
        Some(if is_full { first } else { first.saturating_add(reorder_ms) })
    }

    /// Ends the wait: returns all that is held, in order, and goes on after it.
    pub(super) fn give_up(&mut self) -> Vec<T> {
        let expected = self.expected;
        let held = std::mem::take(&mut self.held);
        // A number behind what is expected is a repeated one, not half a round of missing messages: the numbering stays.
        let spans = held.keys().map(|seq| seq.wrapping_sub(expected));
        if let Some(span) = spans.filter(|span| *span < HALF_ROUND).max() {
            let between = (0..span).map(|offset| expected.wrapping_add(offset));
            self.missing = between.filter(|seq| !held.contains_key(seq)).collect();
            self.expected = expected.wrapping_add(span).wrapping_add(1);
            self.last = None;
        }
        ascending(held, expected)
    }

    fn pass(&mut self, seq: u8, content: u64) {
        self.expected = seq.wrapping_add(1);
        self.last = Some((seq, content));
        self.missing.remove(&seq);
    }
}

/// Returns messages in the order of their numbers: those behind `expected` before those after it.
fn ascending<T>(held: BTreeMap<u8, Held<T>>, expected: u8) -> Vec<T> {
    let mut held: Vec<_> = held.into_iter().collect();
    held.sort_by_key(|(seq, _)| seq.wrapping_sub(expected).wrapping_add(HALF_ROUND));
    held.into_iter().map(|(_, held)| held.message).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{Just, Strategy, proptest};
    use proptest::prop_assert_eq;

    use super::{Arrival, HELD_MAX, Sequence};

    fn offer(sequence: &mut Sequence<u8>, seq: u8) -> Vec<u8> {
        let mut out = match sequence.accept(seq, u64::from(seq), 1, seq, 0) {
            Arrival::Next(message) | Arrival::Late(message) => vec![message],
            Arrival::Held | Arrival::Again | Arrival::Taken => Vec::new(),
        };
        out.extend(std::iter::from_fn(|| sequence.next_held()));
        out
    }

    #[test]
    fn the_number_after_255_is_0() {
        let mut sequence = Sequence::default();
        sequence.restart(253);
        assert_eq!([254, 255, 0, 1].map(|seq| offer(&mut sequence, seq).len()), [1; 4]);
    }

    #[test]
    fn the_same_message_again_is_dropped_and_another_of_its_number_is_not() {
        let mut sequence = Sequence::<u8>::default();
        assert_eq!(sequence.accept(0, 7, 1, 0, 0), Arrival::Next(0));
        assert_eq!(sequence.accept(0, 7, 1, 0, 0), Arrival::Again);
        assert_eq!(sequence.accept(0, 8, 1, 0, 0), Arrival::Held);
        assert_eq!(sequence.give_up(), [0]);
    }

    #[test]
    fn what_was_missing_may_still_come_after_the_gap_was_given_up() {
        let mut sequence = Sequence::default();
        offer(&mut sequence, 0);
        offer(&mut sequence, 3);
        assert_eq!(sequence.give_up(), [3]);
        assert_eq!(offer(&mut sequence, 2), [2]);
        assert_eq!(offer(&mut sequence, 4), [4]);
    }

    #[test]
    fn a_number_far_behind_leaves_the_numbering_where_it_is() {
        let mut sequence = Sequence::default();
        sequence.restart(9);
        assert!(offer(&mut sequence, 7).is_empty());
        assert_eq!(sequence.give_up(), [7]);
        assert_eq!(offer(&mut sequence, 10), [10]);
        assert_eq!((offer(&mut sequence, 12), offer(&mut sequence, 8)), (vec![], vec![]));
        assert_eq!(sequence.give_up(), [8, 12]);
        assert_eq!((offer(&mut sequence, 13), offer(&mut sequence, 11)), (vec![13], vec![11]));
    }

    #[test]
    fn a_full_buffer_ends_the_wait_at_once() {
        let mut sequence = Sequence::default();
        for seq in 1..=HELD_MAX {
            assert_eq!(sequence.accept(seq as u8, 0, 1, seq, 5), Arrival::Held);
        }
        assert_eq!(sequence.due_ms(2_000), Some(5));
        assert_eq!(sequence.give_up().len(), HELD_MAX);
        assert_eq!(sequence.due_ms(2_000), None);
    }

    proptest! {
        #[test]
        fn any_order_within_the_buffer_comes_out_in_the_order_of_the_numbers(
            order in Just((0..60_u8).collect::<Vec<_>>()).prop_shuffle(), start: u8
        ) {
            let mut sequence = Sequence::default();
            sequence.restart(start.wrapping_sub(1));
            let out: Vec<u8> = order.iter().flat_map(|offset| offer(&mut sequence, start.wrapping_add(*offset))).collect();
            prop_assert_eq!(out, (0..60).map(|offset| start.wrapping_add(offset)).collect::<Vec<u8>>());
            prop_assert_eq!(sequence.due_ms(0), None);
        }
    }
}
