//! Which message may be acknowledged when. Pure.
//!
//! In: messages as they arrive, the numbers of the deliveries they went into, and commits. Out: packet ids to
//! acknowledge, in the order of arrival (MQTT 5, 4.6). A packet id means something only on the connection it
//! arrived on, so a lost connection takes the right to acknowledge with it. What was taken over is remembered by
//! id and content, so that the same message sent again is acknowledged again but not counted again.

use std::collections::VecDeque;

/// A message with quality of service 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Packet {
    /// Packet id of the broker.
    pub id: u16,
    /// Digest of topic and payload.
    pub content: u64,
    /// Whether the broker marks it as sent again.
    pub again: bool,
}

/// The messages of the present connection that wait for their commit, and what was taken over in this session.
#[derive(Debug, Default)]
pub(super) struct Unacknowledged {
    waiting: VecDeque<(u16, u64)>,
    /// By packet id, the last message taken over under it: its content and its delivery. At most 65,536, of which
    /// a broker uses as many as it has under way, or all of them in turn.
    taken: Vec<Option<(u64, u64)>>,
}

impl Unacknowledged {
    /// Says whether this message was taken over on an earlier connection. Then it waits again for the delivery it
    /// went into, and the caller takes no sample from it.
    pub(super) fn recognise(&mut self, packet: Packet) -> bool {
        match self.taken.get(usize::from(packet.id)) {
            Some(Some((content, delivery))) if packet.again && *content == packet.content => {
                self.waiting.push_back((packet.id, *delivery));
                true
            }
            _ => false,
        }
    }

    /// Remembers a message whose samples go into `delivery`. One without samples waits for what arrived before it.
    pub(super) fn take(&mut self, packet: Packet, delivery: u64) {
        let place = usize::from(packet.id);
        if place >= self.taken.len() {
            self.taken.resize(place + 1, None);
        }
        self.taken[place] = Some((packet.content, delivery));
        self.waiting.push_back((packet.id, delivery));
    }

    /// Returns the next packet id that may be acknowledged after `committed`; [`Self::acknowledged`] confirms.
    pub(super) fn due(&self, committed: u64) -> Option<u16> {
        self.waiting.front().filter(|(_, delivery)| *delivery <= committed).map(|(id, _)| *id)
    }

    /// The message that was due is acknowledged.
    pub(super) fn acknowledged(&mut self) {
        self.waiting.pop_front();
    }

    /// The connection is lost: nothing that arrived on it can be acknowledged any more.
    /// Returns how many messages that concerns.
    pub(super) fn connection_lost(&mut self) -> usize {
        let count = self.waiting.len();
        self.waiting.clear();
        count
    }

    /// The broker has no session of ours: its packet ids start anew, and nothing is sent again.
    pub(super) fn session_lost(&mut self) {
        self.taken.clear();
    }

    /// Returns how many messages wait.
    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }
}

#[cfg(test)]
mod tests {
    use super::{Packet, Unacknowledged};

    const fn packet(id: u16) -> Packet {
        Packet { id, content: id as u64, again: false }
    }

    const fn again(id: u16) -> Packet {
        Packet { again: true, ..packet(id) }
    }

    fn release(messages: &mut Unacknowledged, committed: u64) -> Vec<u16> {
        std::iter::from_fn(|| {
            let id = messages.due(committed)?;
            messages.acknowledged();
            Some(id)
        })
        .collect()
    }

    #[test]
    fn nothing_is_acknowledged_before_its_delivery_is_committed() {
        let mut messages = Unacknowledged::default();
        for (id, delivery) in [(1, 1), (2, 1), (3, 2)] {
            messages.take(packet(id), delivery);
        }
        assert_eq!(release(&mut messages, 0), [0_u16; 0]);
        assert_eq!(release(&mut messages, 1), [1, 2]);
        assert_eq!(release(&mut messages, 2), [3]);
    }

    #[test]
    fn what_was_taken_over_on_a_lost_connection_is_acknowledged_when_it_comes_again_but_not_taken_again() {
        let mut messages = Unacknowledged::default();
        messages.take(packet(1), 1);
        for _ in 0..2 {
            assert_eq!(messages.connection_lost(), 1);
            assert_eq!(messages.due(1), None, "the id belongs to a connection that is gone");
            assert!(messages.recognise(again(1)));
        }
        assert_eq!(messages.due(0), None);
        assert_eq!(release(&mut messages, 1), [1]);
        // Its acknowledgement may have been lost with the next connection.
        messages.connection_lost();
        assert!(messages.recognise(again(1)));
    }

    #[test]
    fn another_message_under_the_same_id_is_taken() {
        for other in [packet(1), Packet { content: 9, ..again(1) }] {
            let mut messages = Unacknowledged::default();
            messages.take(packet(1), 1);
            messages.connection_lost();
            assert!(!messages.recognise(other));
        }
    }

    #[test]
    fn a_broker_that_lost_the_session_sends_nothing_again() {
        let mut messages = Unacknowledged::default();
        messages.take(packet(1), 1);
        messages.connection_lost();
        messages.session_lost();
        assert!(!messages.recognise(again(1)));
    }
}
