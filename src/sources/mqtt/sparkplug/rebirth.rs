//! When an edge node is asked for its births: once for a gap, and again only if it is heard of but does not answer.

/// Shortest time between two requests to one edge node. **Unit**: ms of I/O time.
const WAIT_MS: u64 = 10_000;
/// Longest: an edge node that never answers is not pressed. **Unit**: ms of I/O time.
const WAIT_MS_MAX: u64 = 600_000;

/// What one edge node was asked.
#[derive(Debug, Default)]
pub(super) struct Rebirth {
    is_wanted: bool,
    /// Whether it was heard of since it was asked: nobody answers for one that is away.
    is_heard: bool,
    /// Until then its births are expected to come by themselves.
    expected_until_ms: u64,
    asked_ms: Option<u64>,
    /// Whether births or a death came since it was asked.
    is_answered: bool,
    /// Requests of which each came soon after the one before.
    requests: u32,
}

impl Rebirth {
    /// Its births are wanted. Returns whether they were not wanted before.
    pub(super) fn want(&mut self) -> bool {
        self.is_heard = true;
        !std::mem::replace(&mut self.is_wanted, true)
    }

    /// Its births are wanted unless they come by themselves until an instant.
    pub(super) fn want_after(&mut self, at_ms: u64) {
        self.want();
        self.expected_until_ms = at_ms;
    }

    /// It was heard of.
    pub(super) fn heard(&mut self) {
        self.is_heard = true;
    }

    /// Its births came, or it died: nothing is wanted any more.
    pub(super) fn satisfied(&mut self) {
        self.is_wanted = false;
        self.expected_until_ms = 0;
        self.is_answered = true;
    }

    /// Returns when it may be asked; `None` where there is no reason to.
    pub(super) fn due_ms(&self) -> Option<u64> {
        let waited = self.asked_ms.map_or(0, |asked| asked.saturating_add(self.wait_ms()));
        (self.is_wanted && self.is_heard).then_some(self.expected_until_ms.max(waited))
    }

    /// It is asked.
    pub(super) fn asked(&mut self, now_ms: u64) {
        // Births that bring the same reason again are no cure: who goes on giving one is asked ever more rarely too.
        let is_quiet = self.asked_ms.is_none_or(|asked| now_ms >= asked.saturating_add(2 * self.wait_ms()));
        if std::mem::take(&mut self.is_answered) && is_quiet {
            self.requests = 0;
        }
        self.is_heard = false;
        self.requests = self.requests.saturating_add(1);
        self.asked_ms = Some(now_ms);
    }

    fn wait_ms(&self) -> u64 {
        (WAIT_MS << self.requests.saturating_sub(1).min(8)).min(WAIT_MS_MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::{Rebirth, WAIT_MS, WAIT_MS_MAX};

    #[test]
    fn who_does_not_answer_is_asked_ever_more_rarely_and_only_while_it_is_heard_of() {
        let mut rebirth = Rebirth::default();
        assert_eq!(rebirth.due_ms(), None);
        assert!(rebirth.want());
        assert!(!rebirth.want());
        let mut now = rebirth.due_ms().unwrap();
        let mut waits = Vec::new();
        for _ in 0..10 {
            rebirth.asked(now);
            assert_eq!(rebirth.due_ms(), None, "it was not heard of since");
            rebirth.heard();
            waits.push(rebirth.due_ms().unwrap() - now);
            now = rebirth.due_ms().unwrap();
        }
        assert_eq!((waits[0], waits[1], waits[9]), (WAIT_MS, 2 * WAIT_MS, WAIT_MS_MAX));
        rebirth.satisfied();
        assert_eq!(rebirth.due_ms(), None);
    }

    #[test]
    fn whose_births_bring_the_same_reason_again_is_asked_ever_more_rarely_until_it_was_quiet() {
        let mut rebirth = Rebirth::default();
        let mut waits = Vec::new();
        let mut now = 0;
        for _ in 0..9 {
            rebirth.want();
            rebirth.asked(now);
            rebirth.satisfied();
            rebirth.want();
            waits.push(rebirth.due_ms().unwrap() - now);
            now = rebirth.due_ms().unwrap();
        }
        assert_eq!((waits[0], waits[1], waits[8]), (WAIT_MS, 2 * WAIT_MS, WAIT_MS_MAX));
        rebirth.asked(now + 2 * WAIT_MS_MAX);
        rebirth.want();
        assert_eq!(rebirth.due_ms(), Some(now + 2 * WAIT_MS_MAX + WAIT_MS));
    }

    #[test]
    fn a_birth_does_not_shorten_the_wait_after_a_request() {
        let mut rebirth = Rebirth::default();
        rebirth.want();
        rebirth.asked(1_000);
        rebirth.satisfied();
        rebirth.want();
        assert_eq!(rebirth.due_ms(), Some(1_000 + WAIT_MS));
    }
}
