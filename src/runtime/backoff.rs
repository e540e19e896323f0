//! Exponential back-off with jitter, as a small pure object.

use std::time::Duration;

/// Delays that double from `first` to `max`, each shortened by up to half at random so that thousands of boxes
/// don't return at once.
#[derive(Debug, Clone)]
pub struct Backoff {
    first: Duration,
    max: Duration,
    next: Duration,
}

impl Backoff {
    /// Starts at `first` and never exceeds `max`.
    pub const fn new(first: Duration, max: Duration) -> Self {
        Self { first, max, next: first }
    }

    /// Returns the next delay. `random` lies in `[0, 1)`.
    pub fn delay(&mut self, random: f64) -> Duration {
        let full = self.next;
        self.next = (full * 2).min(self.max);
        full.mul_f64(1.0 - random.clamp(0.0, 1.0) / 2.0)
    }

    /// Starts again at the first delay, after a success.
    pub const fn reset(&mut self) {
        self.next = self.first;
    }
}

#[cfg(test)]
mod tests {
    use super::{Backoff, Duration};

    #[test]
    fn delays_double_up_to_the_limit_and_start_again_after_success() {
        let mut backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(3));
        assert_eq!([backoff.delay(0.0), backoff.delay(0.0), backoff.delay(0.0)].map(|d| d.as_secs()), [1, 2, 3]);
        backoff.reset();
        assert_eq!(backoff.delay(0.0).as_secs(), 1);
    }

    #[test]
    fn jitter_takes_away_half_at_most() {
        let mut backoff = Backoff::new(Duration::from_secs(2), Duration::from_secs(2));
        assert!(backoff.delay(0.999) >= Duration::from_secs(1));
    }
}
