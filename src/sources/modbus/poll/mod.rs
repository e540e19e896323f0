//! The poll loop of one connection: one task, each device at its own period of plant time.
//!
//! In: an [`Endpoint`]. Out: one [`SampleBatch`] per poll of a device. A late poll is skipped and counted, never
//! queued. `unit` decides what a failure means for the device, `share` what it may cost the others, `identity` whether
//! it is the right device at all; here requests are carried and waited for. What was not read has no sample: a
//! failure never becomes a value.

mod debt;
mod identity;
mod share;
mod unit;

#[cfg(test)]
mod tests;

use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use self::debt::Moment;
use self::share::{Allowance, Reconnects};
use self::unit::{Ask, Unit};
use super::device::Endpoint;
use super::link::{Link, LinkError};
use super::outcome::{Fault, Tally};
use super::plan::{Answer, Request};
use crate::model::sample::{Sample, SampleBatch};
use crate::model::time::Timestamp;
use crate::runtime::clock::Clock;
use crate::runtime::health::{Health, Reporter, Status};
use crate::sources::report_checks;

/// Polls of different connections begin within this time after the start. **Unit**: real time.
const STAGGER: Duration = Duration::from_secs(1);

/// Polls begin in steps of this much, so that one waking of the processor serves several connections: 1,000 devices a
/// second are 40 wakings and not 1,000. **Unit**: real time.
const STEP: Duration = Duration::from_millis(25);

/// Polls the devices of one connection until `token` is cancelled or nobody receives samples any more.
///
/// A full `inbox` holds the loop: polls that fall due meanwhile are skipped and counted.
pub async fn run(
    endpoint: Endpoint,
    clock: Clock,
    health: Health,
    inbox: mpsc::Sender<SampleBatch>,
    token: CancellationToken,
) {
    let mut poller = Poller::new(endpoint, clock, &health, inbox);
    // Dropping the loop anywhere is safe: a batch was handed over whole or not at all.
    token.run_until_cancelled(poller.run()).await;
}

struct Poller {
    link: Link,
    /// Longest wait for a connection: that of the most patient device.
    connect_limit: Duration,
    /// Wait between a new connection and its first request: that of the slowest device.
    connect_delay: Duration,
    keep_open: bool,
    reconnects: Reconnects,
    /// Number of the present connection, from 1.
    connection: u64,
    /// Whether the last connection ended because a unit gave no answer: opening the next one is time spent on it.
    owes_connect: bool,
    /// When the last transaction ended.
    last_at: Option<Instant>,
    allowance: Allowance,
    polled: Vec<Polled>,
    place: String,
    clock: Clock,
    /// Where checks are shown, beside the devices' own places.
    health: Health,
    inbox: mpsc::Sender<SampleBatch>,
}

/// A device with what is known of it here.
struct Polled {
    unit: Unit,
    reporter: Reporter,
    /// The connection on which it has proved to be the expected device.
    verified_on: u64,
    round_trip_us_max: u64,
    quarantined: Option<u64>,
}

/// Nobody receives samples any more.
struct InboxClosed;

impl Poller {
    fn new(endpoint: Endpoint, clock: Clock, health: &Health, inbox: mpsc::Sender<SampleBatch>) -> Self {
        let now = clock.now();
        let place = endpoint.to_string();
        let position = endpoint.position;
        let devices = endpoint.devices.into_iter().filter(|device| !device.points.is_empty());
        let polled: Vec<Polled> = devices
            .map(|device| {
                let window = clock.plant_ms(STAGGER).min(device.every_ms);
                let reporter = health.reporter(&format!("source.{}", device.name), now);
                reporter.set(Status::Degraded, format!("not read yet from {place}"), now);
                let start = on_step(now, stagger(position, window), clock.plant_ms(STEP).min(window / 4));
                let unit = Unit::new(device, start);
                Polled { unit, reporter, verified_on: 0, round_trip_us_max: 0, quarantined: None }
            })
            .collect();
        let devices = || polled.iter().map(|polled| &polled.unit.device);
        let mut link = Link::new(endpoint.transport, endpoint.security);
        devices().for_each(|device| link.heed(device.unit, &device.limits));
        Self {
            link,
            connect_limit: devices().map(|device| device.timeout).max().unwrap_or_default(),
            connect_delay: devices().map(|device| device.manners.connect_delay).max().unwrap_or_default(),
            keep_open: endpoint.keep_open,
            reconnects: Reconnects::default(),
            connection: 0,
            owes_connect: false,
            last_at: None,
            allowance: Allowance::new(Instant::now()),
            polled,
            place,
            clock,
            health: health.clone(),
            inbox,
        }
    }

    fn moment(&self) -> Moment {
        Moment {
            io: Instant::now(),
            plant: self.clock.now(),
            plant_ms_per_second: self.clock.plant_ms(Duration::from_secs(1)),
        }
    }

    async fn run(&mut self) {
        while let Some(index) = (0..self.polled.len()).min_by_key(|&index| self.polled[index].unit.due) {
            // A clock that was set back must not keep the loop asleep: it looks again within a period.
            let unit = &self.polled[index].unit;
            let wait = unit.due.ms_since(self.clock.now()).clamp(0, unit.device.every_ms);
            if wait > 0 {
                if !self.keep_open {
                    // Nothing is due: the device's connection is free for others.
                    self.link.close();
                }
                self.clock.sleep_until(self.clock.now() + wait).await;
            }
            let skipped = self.polled[index].unit.schedule(self.clock.now());
            if self.poll(index, skipped).await.is_err() {
                return;
            }
        }
    }

    /// Polls one device and hands over what it answered.
    async fn poll(&mut self, index: usize, skipped: u64) -> Result<(), InboxClosed> {
        let mut tally = Tally { polls: 1, skipped, ..Tally::default() };
        let mut samples = Vec::new();
        if self.may_ask(index) {
            samples.reserve_exact(self.polled[index].unit.device.points.len());
            self.polled[index].unit.begin(Instant::now());
            self.read_all(index, &mut tally, &mut samples).await;
            self.polled[index].unit.finish();
        } else {
            tally.rested = 1;
        }
        tally.samples = samples.len() as u64;
        self.report(index, &tally);
        if samples.is_empty() {
            return Ok(());
        }
        let device = &mut self.polled[index].unit.device;
        device.checks.judge(&mut samples);
        report_checks(&mut device.checks, &device.name, &self.health, self.clock.now());
        let batch = SampleBatch {
            source: device.source,
            delivery: device.next_delivery(),
            received_at: self.clock.now(),
            samples,
            context: Vec::new(),
        };
        self.inbox.send(batch).await.map_err(|_| InboxClosed)
    }

    /// Says whether a device may be asked: one that was silent lately only within the share of time that it may cost
    /// others that answer, and one after the other.
    fn may_ask(&mut self, index: usize) -> bool {
        let now = Instant::now();
        let unit = &self.polled[index].unit;
        if unit.is_resting(now) {
            return false;
        }
        if !unit.is_suspect() || !self.has_neighbour(index) {
            return true;
        }
        let waits_longest = self
            .polled
            .iter()
            .map(|polled| &polled.unit)
            .filter(|other| other.is_suspect() && !other.is_resting(now))
            .all(|other| other.suspected_at() >= unit.suspected_at());
        waits_longest && self.allowance.allows(now)
    }

    /// Says whether another device of the connection answers.
    fn has_neighbour(&self, index: usize) -> bool {
        self.polled.iter().enumerate().any(|(other, polled)| other != index && !polled.unit.is_suspect())
    }

    /// Books time that was spent on a device without an answer.
    fn spend(&mut self, index: usize, since: Instant) {
        let now = Instant::now();
        if self.has_neighbour(index) {
            self.allowance.spend(now.saturating_duration_since(since), now);
        }
    }

    /// Carries the requests of a poll, one after the other.
    async fn read_all(&mut self, index: usize, tally: &mut Tally, samples: &mut Vec<Sample>) {
        if let Err(error) = self.verify(index, tally).await {
            let now = self.moment();
            return self.failed(index, &error, &now);
        }
        while let Some(ask) = self.polled[index].unit.next(Instant::now()) {
            let began = Instant::now();
            let outcome = self.read(index, ask, tally).await;
            let now = self.moment();
            match outcome {
                Ok((answer, measured_at)) => {
                    let unit = &mut self.polled[index].unit;
                    unit.sample(&answer, measured_at, samples);
                    unit.answered(&now);
                }
                Err(LinkError::Exception(code)) => {
                    if matches!(code, 5 | 6 | 10 | 11) {
                        self.spend(index, began);
                    }
                    self.polled[index].unit.refused(code, &now);
                }
                Err(error) => {
                    if matches!(error, LinkError::Timeout(_) | LinkError::Lost(_)) {
                        self.spend(index, began);
                    }
                    self.failed(index, &error, &now);
                }
            }
        }
    }

    /// Passes on that a request has no answer.
    fn failed(&mut self, index: usize, error: &LinkError, now: &Moment) {
        let unit = &mut self.polled[index].unit;
        match error {
            LinkError::Timeout(limit) => unit.silent(&Fault::silent(*limit), true, now),
            LinkError::Lost(reason) => unit.silent(&Fault::lost(reason), false, now),
            LinkError::Exception(code) => unit.refused(*code, now),
            LinkError::Connect(reason) => unit.unreachable(&Fault::unreachable(reason.clone())),
            LinkError::Foreign(_) => unit.unreachable(&Fault::severe(error.to_string())),
        }
    }

    /// Asks a device on a new connection whether it is the expected one. One that isn't rests.
    async fn verify(&mut self, index: usize, tally: &mut Tally) -> Result<(), LinkError> {
        let device = &self.polled[index].unit.device;
        if device.identity.is_empty() || (self.link.is_connected() && self.polled[index].verified_on == self.connection)
        {
            return Ok(());
        }
        self.ensure_connected(tally).await?;
        let device = &self.polled[index].unit.device;
        let (unit, pause, limit) = (device.unit, device.manners.request_pause, device.timeout);
        self.keep_apart(pause).await;
        let began = Instant::now();
        let device = &self.polled[index].unit.device;
        let outcome = identity::verify(&mut self.link, unit, &device.identity, pause, limit).await;
        self.last_at = Some(Instant::now());
        tally.requests += 1;
        match outcome {
            Ok(None) => self.polled[index].verified_on = self.connection,
            Ok(Some(difference)) => {
                let fault = Fault::severe(format!("another device answers, nothing is read; {difference}"));
                self.polled[index].unit.rest(&fault, Instant::now());
            }
            Err(error) => {
                tally.count(&Err(error.clone()));
                self.dropped(index, &error);
                self.spend(index, began);
                return Err(error);
            }
        }
        Ok(())
    }

    /// Asks once, on a connection that is opened where need be; a second time only where a connection that had
    /// worked before turned out to be closed. Event time is the middle of the read.
    async fn read(&mut self, index: usize, ask: Ask, tally: &mut Tally) -> Result<(Answer, Timestamp), LinkError> {
        let device = &self.polled[index].unit.device;
        let (unit, limit, pause) = (device.unit, device.timeout, device.manners.request_pause);
        tally.retries += u64::from(ask.is_retry);
        let mut is_second_try = false;
        loop {
            self.ensure_connected(tally).await?;
            self.keep_apart(pause.max(if is_second_try { Duration::ZERO } else { ask.pause })).await;
            tally.requests += 1;
            let prepared = self.prepare(unit, ask.request, limit, pause).await;
            let (asked, began) = (self.clock.now(), Instant::now());
            let outcome = match prepared {
                Ok(()) => self.link.read(unit, ask.request, limit).await,
                Err(error) => Err(error),
            };
            let ended = Instant::now();
            self.last_at = Some(ended);
            let is_gone = matches!(outcome, Err(LinkError::Lost(_))) && !self.link.is_connected();
            if is_gone && self.link.has_answered() && !is_second_try {
                is_second_try = true;
                continue;
            }
            tally.count(&outcome);
            match outcome {
                Ok(answer) => {
                    self.heard(index, is_second_try, tally);
                    tally.round_trip_us = u64::try_from(ended.duration_since(began).as_micros()).unwrap_or(u64::MAX);
                    return Ok((answer, asked + self.clock.now().ms_since(asked) / 2));
                }
                Err(error) => {
                    if matches!(error, LinkError::Exception(_)) {
                        self.heard(index, is_second_try, tally);
                    }
                    self.dropped(index, &error);
                    return Err(error);
                }
            }
        }
    }

    /// Brings the unit in step before the time of the read is taken: waiting for silence is no reading. What it had to
    /// be asked for that counts as a transaction, which the device's pause follows.
    async fn prepare(&mut self, unit: u8, request: Request, limit: Duration, pause: Duration) -> Result<(), LinkError> {
        if self.link.prepare(unit, request, limit).await? {
            self.last_at = Some(Instant::now());
            self.keep_apart(pause).await;
        }
        Ok(())
    }

    /// The connection works. Where it had been closed before the request, the device did that.
    fn heard(&mut self, index: usize, was_closed: bool, tally: &mut Tally) {
        self.reconnects.heard();
        if was_closed {
            tally.closed_by_device += 1;
            // A unit that breaks connections itself says nothing about other clients.
            if !self.polled[index].unit.is_suspect() && self.reconnects.was_closed(Instant::now(), fastrand::f64()) {
                tally.kicked += 1;
            }
        }
    }

    /// Books a connection that is gone after a request. It counts against the unit first: only where several in a
    /// row meet it, or there is just one, the connection itself waits.
    fn dropped(&mut self, index: usize, error: &LinkError) {
        let random = fastrand::f64();
        match error {
            LinkError::Lost(_) => {
                let unit = self.polled[index].unit.device.unit;
                let reason = LinkError::Connect(error.to_string());
                self.reconnects.lost(unit, self.polled.len(), reason, Instant::now(), random);
                self.owes_connect = true;
            }
            LinkError::Timeout(_) => self.owes_connect = true,
            LinkError::Foreign(_) => self.reconnects.hold(error.clone(), Instant::now(), random),
            LinkError::Connect(_) | LinkError::Exception(_) => {}
        }
    }

    /// Waits until `pause` has passed since the last transaction.
    async fn keep_apart(&mut self, pause: Duration) {
        if let Some(last) = self.last_at.filter(|_| !pause.is_zero()) {
            tokio::time::sleep_until(last + pause).await;
        }
    }

    async fn ensure_connected(&mut self, tally: &mut Tally) -> Result<(), LinkError> {
        if self.link.is_connected() {
            return Ok(());
        }
        let began = Instant::now();
        if let Some(error) = self.reconnects.refuse(began) {
            return Err(error.clone());
        }
        tally.connects += 1;
        if let Err(error) = self.link.connect(self.connect_limit).await {
            self.reconnects.hold(error.clone(), Instant::now(), fastrand::f64());
            return Err(error);
        }
        self.connection += 1;
        self.reconnects.opened();
        if !self.connect_delay.is_zero() {
            tokio::time::sleep(self.connect_delay).await;
        }
        if std::mem::take(&mut self.owes_connect) {
            let now = Instant::now();
            self.allowance.spend(now.saturating_duration_since(began), now);
        }
        Ok(())
    }

    /// Writes counts and, where it may have changed, the state to the board; logs where the state changed.
    fn report(&mut self, index: usize, tally: &Tally) {
        let now = self.clock.now();
        let polled = &mut self.polled[index];
        polled.reporter.add(&tally.counts());
        if tally.round_trip_us > 0 {
            polled.round_trip_us_max = polled.round_trip_us_max.max(tally.round_trip_us);
            polled.reporter.gauges(&[
                ("round_trip_us_last", tally.round_trip_us),
                ("round_trip_us_max", polled.round_trip_us_max),
            ]);
        }
        let Some((status, detail)) = polled.unit.news() else { return };
        let quarantined = polled.unit.quarantined();
        if polled.quarantined.replace(quarantined) != Some(quarantined) {
            polled.reporter.gauges(&[("quarantined_points", quarantined)]);
        }
        let name = &polled.unit.device.name;
        let place = format!("unit {} at {}", polled.unit.device.unit, self.place);
        let shown = if detail.is_empty() { String::new() } else { format!("{place}: {detail}") };
        if !polled.reporter.set(status, shown, now) {
            return;
        }
        match status {
            Status::Ok => tracing::info!(source = %name, "modbus source {name} is read from {place}"),
            Status::Degraded => tracing::warn!(source = %name, "modbus source {name}, {place}: {detail}"),
            Status::Failed => tracing::error!(source = %name, "modbus source {name}, {place}: {detail}"),
        }
    }
}

/// Returns the last instant at or before `now + offset_ms` that is a multiple of `step_ms`, but not one before `now`.
fn on_step(now: Timestamp, offset_ms: i64, step_ms: i64) -> Timestamp {
    let start = now + offset_ms;
    Timestamp(start.0 - start.0.rem_euclid(step_ms.max(1))).max(now)
}

/// Returns when a connection's first poll begins: spread evenly over `window` whatever the number of connections,
/// the first at once. **Unit**: ms of plant time.
fn stagger(position: usize, window: i64) -> i64 {
    /// 2^32 divided by the golden ratio: multiples of it, modulo 2^32, never crowd.
    const GOLDEN: u64 = 2_654_435_769;
    let fraction = (position as u64).wrapping_mul(GOLDEN) & 0xFFFF_FFFF;
    let offset = (u128::from(fraction) * u128::from(window.max(0).unsigned_abs())) >> 32;
    i64::try_from(offset).unwrap_or(0)
}
