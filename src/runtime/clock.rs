//! Plant time: the one place that reads the operating system's wall clock.
//!
//! Plant time drives polls and event time and can be scaled. Time-outs, keep-alives, back-off and the commit
//! interval are I/O time: they use `tokio::time` directly and are never scaled.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tokio::sync::watch;

use crate::model::record::ClockState;
use crate::model::time::Timestamp;

/// The clock of plant time. Clones share it.
#[derive(Debug, Clone)]
pub struct Clock(Arc<Kind>);

#[derive(Debug)]
enum Kind {
    System { state: AtomicU8 },
    Scaled { origin: Timestamp, started: Instant, speed: f64 },
    Manual(watch::Sender<Timestamp>),
}

impl Clock {
    /// The operating system's wall clock; whether it is synchronised is unknown until [`Clock::set_state`].
    pub fn system() -> Self {
        Self(Arc::new(Kind::System { state: AtomicU8::new(ClockState::Unknown.code()) }))
    }

    /// A clock that starts at `origin` and runs `speed` times as fast as real time.
    #[expect(
        clippy::disallowed_methods,
        reason = "real time that a scaled clock is derived from; read here and nowhere else"
    )]
    pub fn scaled(origin: Timestamp, speed: f64) -> Self {
        Self(Arc::new(Kind::Scaled { origin, started: Instant::now(), speed }))
    }

    /// A clock that stands still until [`Clock::set`].
    pub fn manual(now: Timestamp) -> Self {
        Self(Arc::new(Kind::Manual(watch::Sender::new(now))))
    }

    /// Returns the present instant of plant time.
    #[expect(clippy::cast_possible_truncation, reason = "milliseconds of any real instant fit i64")]
    #[expect(clippy::disallowed_methods, reason = "this is the one place that reads the wall clock")]
    pub fn now(&self) -> Timestamp {
        match &*self.0 {
            Kind::System { .. } => match SystemTime::now().duration_since(UNIX_EPOCH) {
                Ok(since) => Timestamp(since.as_millis() as i64),
                Err(before) => Timestamp(-(before.duration().as_millis() as i64)),
            },
            Kind::Scaled { origin, started, speed } => {
                *origin + (started.elapsed().as_secs_f64() * 1000.0 * speed) as i64
            }
            Kind::Manual(now) => *now.borrow(),
        }
    }

    /// Moves a manual clock; wakes everyone who waits for the instant. Other clocks ignore it.
    pub fn set(&self, now: Timestamp) {
        if let Kind::Manual(sender) = &*self.0 {
            sender.send_replace(now);
        }
    }

    /// Says how far plant time can be trusted.
    pub fn state(&self) -> ClockState {
        match &*self.0 {
            Kind::System { state } => ClockState::from_code(state.load(Ordering::Relaxed)).unwrap_or_default(),
            Kind::Scaled { .. } | Kind::Manual(_) => ClockState::Simulated,
        }
    }

    /// Tells the operating system's clock what is known of its synchronisation. Other clocks ignore it.
    pub fn set_state(&self, known: ClockState) {
        if let Kind::System { state } = &*self.0 {
            state.store(known.code(), Ordering::Relaxed);
        }
    }

    /// Returns the real time that `ms` of plant time take.
    #[expect(clippy::cast_precision_loss, reason = "durations are far below 2^53 ms")]
    pub fn real(&self, ms: i64) -> Duration {
        Duration::from_secs_f64((ms.max(0) as f64 / 1000.0 / self.speed()).min(86_400.0 * 365.0))
    }

    /// Returns the plant time that passes in a real duration. **Unit**: ms.
    #[expect(clippy::cast_possible_truncation, reason = "durations here are seconds")]
    pub fn plant_ms(&self, real: Duration) -> i64 {
        (real.as_secs_f64() * 1000.0 * self.speed()) as i64
    }

    fn speed(&self) -> f64 {
        match &*self.0 {
            Kind::Scaled { speed, .. } => *speed,
            Kind::System { .. } | Kind::Manual(_) => 1.0,
        }
    }

    /// Waits until plant time has reached `instant`.
    pub async fn sleep_until(&self, instant: Timestamp) {
        if let Kind::Manual(sender) = &*self.0 {
            // The sender lives in self, so waiting can't fail.
            let _ = sender.subscribe().wait_for(|now| *now >= instant).await;
            return;
        }
        // A wall clock may be set back while we sleep, so look again at least every minute.
        loop {
            let left = instant.ms_since(self.now());
            if left <= 0 {
                return;
            }
            tokio::time::sleep(self.real(left).clamp(Duration::from_millis(1), Duration::from_secs(60))).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Clock, ClockState, Duration, Timestamp};

    #[tokio::test]
    async fn a_manual_clock_wakes_those_who_wait_for_its_instant() {
        let clock = Clock::manual(Timestamp(0));
        let waiting = tokio::spawn({
            let clock = clock.clone();
            async move { clock.sleep_until(Timestamp(10)).await }
        });
        clock.set(Timestamp(10));
        waiting.await.unwrap();
        assert_eq!(clock.now(), Timestamp(10));
    }

    #[test]
    fn only_the_systems_clock_learns_of_its_synchronisation() {
        for (clock, expected) in
            [(Clock::system(), ClockState::Synchronised), (Clock::manual(Timestamp(0)), ClockState::Simulated)]
        {
            clock.set_state(ClockState::Synchronised);
            assert_eq!(clock.clone().state(), expected);
        }
    }

    #[test]
    fn a_scaled_clock_shortens_real_time() {
        let clock = Clock::scaled(Timestamp(0), 60.0);
        assert_eq!(clock.real(60_000).as_millis(), 1000);
        assert_eq!(clock.plant_ms(Duration::from_millis(500)), 30_000);
    }
}
