//! The poll loop of one endpoint: one task, one connection, each device at its own period of plant time.
//!
//! In: an [`Endpoint`]. Out: one [`SampleBatch`] per poll of a device. A late poll is skipped and counted, never
//! queued. A failed request costs its own points one poll, and a silent device backs off so that it doesn't cost its
//! neighbours theirs. What was not read has no sample: a failure never becomes a value.

use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::device::{Device, DevicePoint, Endpoint};
use super::link::{Link, LinkError};
use super::outcome::{Fault, Pending, SILENCE, Tally, condition};
use super::plan::{Answer, Request, split};
use crate::model::number::Number;
use crate::model::sample::{Quality, Sample, SampleBatch};
use crate::model::time::Timestamp;
use crate::runtime::backoff::Backoff;
use crate::runtime::clock::Clock;
use crate::runtime::health::{Health, Status};

/// First and longest wait before a lost connection is tried again: short enough that a restarted switch costs
/// seconds, long enough that a box with a dead endpoint isn't busy with it.
const RECONNECT: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(15));

/// Polls the devices of one endpoint until `token` is cancelled or nobody receives samples any more.
///
/// A full `inbox` holds the loop: polls that fall due meanwhile are skipped and counted.
pub async fn run(
    endpoint: Endpoint,
    clock: Clock,
    health: Health,
    inbox: mpsc::Sender<SampleBatch>,
    token: CancellationToken,
) {
    let mut poller = Poller::new(endpoint, clock, health, inbox);
    // Dropping the loop anywhere is safe: a batch was handed over whole or not at all.
    token.run_until_cancelled(poller.run()).await;
}

struct Poller {
    link: Link,
    /// Longest wait for a connection: that of the most patient device.
    connect_limit: Duration,
    reconnect: Backoff,
    /// No new connection before this instant, and why.
    pause: Option<(Instant, Fault)>,
    devices: Vec<Polled>,
    place: String,
    clock: Clock,
    health: Health,
    inbox: mpsc::Sender<SampleBatch>,
}

/// A device and the state of its polling.
struct Polled {
    device: Device,
    component: String,
    due: Timestamp,
    requests: Vec<Pending>,
    /// Waits of the whole device while it is silent.
    silence: Backoff,
}

/// Nobody receives samples any more.
struct InboxClosed;

impl Poller {
    fn new(endpoint: Endpoint, clock: Clock, health: Health, inbox: mpsc::Sender<SampleBatch>) -> Self {
        let now = clock.now();
        let place = endpoint.to_string();
        let devices: Vec<Polled> =
            endpoint.devices.into_iter().filter(|d| !d.points.is_empty()).map(|d| Polled::new(d, now)).collect();
        for polled in &devices {
            health.set(&polled.component, Status::Degraded, format!("not read yet from {place}"), now);
        }
        Self {
            link: Link::new(endpoint.transport, endpoint.security),
            connect_limit: devices.iter().map(|polled| polled.device.timeout).max().unwrap_or_default(),
            reconnect: Backoff::new(RECONNECT.0, RECONNECT.1),
            pause: None,
            devices,
            place,
            clock,
            health,
            inbox,
        }
    }

    async fn run(&mut self) {
        while let Some(index) = (0..self.devices.len()).min_by_key(|&index| self.devices[index].due) {
            // A clock that was set back must not keep the loop asleep: it looks again within a period.
            let device = &self.devices[index];
            let wait = device.due.ms_since(self.clock.now()).clamp(0, device.device.every_ms);
            self.clock.sleep_until(self.clock.now() + wait).await;
            let skipped = self.devices[index].begin(self.clock.now());
            if self.poll(index, skipped).await.is_err() {
                return;
            }
        }
    }

    /// Polls one device and hands over what it answered.
    async fn poll(&mut self, index: usize, skipped: u64) -> Result<(), InboxClosed> {
        let mut tally = Tally { polls: 1, skipped, ..Tally::default() };
        let samples = self.read_all(index, &mut tally).await;
        tally.samples = samples.len() as u64;
        self.report(index, &tally);
        if samples.is_empty() {
            return Ok(());
        }
        let device = &self.devices[index].device;
        let batch = SampleBatch {
            source: device.source,
            delivery: device.next_delivery(),
            received_at: self.clock.now(),
            samples,
        };
        self.inbox.send(batch).await.map_err(|_| InboxClosed)
    }

    /// Reads every request that isn't backing off, first those that answered last time.
    async fn read_all(&mut self, index: usize, tally: &mut Tally) -> Vec<Sample> {
        let mut samples = Vec::new();
        let mut has_answered = false;
        self.devices[index].requests.sort_by_key(Pending::rank);
        let mut position = 0;
        while position < self.devices[index].requests.len() {
            let pending = &self.devices[index].requests[position];
            if pending.is_waiting(Instant::now()) {
                position += 1;
                continue;
            }
            let request = pending.planned.request;
            let outcome = self.read(index, request, tally).await;
            let polled = &mut self.devices[index];
            has_answered |= matches!(outcome, Ok(_) | Err(LinkError::Exception(_)));
            match outcome {
                Ok((answer, measured_at)) => {
                    polled.answered(position);
                    polled.sample(position, &answer, measured_at, &mut samples);
                }
                Err(LinkError::Connect(reason)) => {
                    polled.unreachable(&Fault::unreachable(reason));
                    return samples;
                }
                Err(foreign @ LinkError::Foreign(_)) => {
                    polled.unreachable(&Fault::unreachable(foreign.to_string()));
                    return samples;
                }
                Err(LinkError::Exception(code)) => position += polled.refused(position, code),
                Err(LinkError::Timeout(limit)) => polled.silent(position, has_answered, &Fault::silent(limit)),
                Err(LinkError::Lost(reason)) => polled.requests[position].failed(Fault::lost(reason)),
            }
            position += 1;
        }
        samples
    }

    /// Asks once, on a connection that is opened where need be; a second time only where a connection that had
    /// worked before turned out to be closed. Event time is the middle of the read.
    async fn read(
        &mut self,
        index: usize,
        request: Request,
        tally: &mut Tally,
    ) -> Result<(Answer, Timestamp), LinkError> {
        let (unit, limit) = (self.devices[index].device.unit, self.devices[index].device.timeout);
        let mut is_second_try = false;
        loop {
            self.ensure_connected(tally).await?;
            let asked = self.clock.now();
            let outcome = self.link.read(unit, request, limit).await;
            let middle = asked + self.clock.now().ms_since(asked) / 2;
            tally.count(&outcome);
            match outcome {
                Ok(answer) => {
                    self.reconnect.reset();
                    return Ok((answer, middle));
                }
                Err(LinkError::Lost(_)) if self.link.has_answered() && !is_second_try => is_second_try = true,
                Err(error) => {
                    match &error {
                        LinkError::Exception(_) => self.reconnect.reset(),
                        LinkError::Lost(reason) => self.hold_off(Fault::lost(reason.clone())),
                        LinkError::Foreign(_) => self.hold_off(Fault::unreachable(error.to_string())),
                        LinkError::Timeout(_) | LinkError::Connect(_) => {}
                    }
                    return Err(error);
                }
            }
        }
    }

    async fn ensure_connected(&mut self, tally: &mut Tally) -> Result<(), LinkError> {
        if self.link.is_connected() {
            return Ok(());
        }
        if let Some((until, fault)) = &self.pause
            && *until > Instant::now()
        {
            return Err(LinkError::Connect(fault.reason.clone()));
        }
        self.pause = None;
        tally.connects += 1;
        let outcome = self.link.connect(self.connect_limit).await;
        match &outcome {
            Err(LinkError::Connect(reason)) => self.hold_off(Fault::unreachable(reason.clone())),
            Err(error) => self.hold_off(Fault::unreachable(error.to_string())),
            Ok(()) => {}
        }
        outcome
    }

    /// Opens no connection for a while.
    fn hold_off(&mut self, fault: Fault) {
        self.pause = Some((Instant::now() + self.reconnect.delay(fastrand::f64()), fault));
    }

    /// Writes counts and state to the board; logs where the state changed.
    fn report(&self, index: usize, tally: &Tally) {
        let polled = &self.devices[index];
        for (what, amount) in tally.counts().into_iter().filter(|(_, amount)| *amount > 0) {
            self.health.count(&polled.component, what, amount);
        }
        let (status, detail) = condition(&polled.requests);
        let name = &polled.device.name;
        let place = format!("unit {} at {}", polled.device.unit, self.place);
        let shown = if detail.is_empty() { String::new() } else { format!("{place}: {detail}") };
        if !self.health.set(&polled.component, status, shown, self.clock.now()) {
            return;
        }
        match status {
            Status::Ok => tracing::info!(source = %name, "modbus source {name} is read from {place}"),
            Status::Degraded => tracing::warn!(source = %name, "modbus source {name}, {place}: {detail}"),
            Status::Failed => tracing::error!(source = %name, "modbus source {name}, {place}: {detail}"),
        }
    }
}

impl Polled {
    fn new(device: Device, now: Timestamp) -> Self {
        Self {
            component: format!("source.{}", device.name),
            requests: device.plan().into_iter().map(Pending::new).collect(),
            due: now,
            silence: Backoff::new(SILENCE.0, SILENCE.1),
            device,
        }
    }

    /// Starts the poll that is due and sets the next one. Returns how many are skipped because their whole period
    /// has passed.
    fn begin(&mut self, now: Timestamp) -> u64 {
        // A clock that was set back must not silence the device until it is that late again.
        self.due = self.due.min(now);
        let skipped = now.ms_since(self.due) / self.device.every_ms;
        self.due = self.due + (skipped + 1) * self.device.every_ms;
        skipped.unsigned_abs()
    }

    fn sample(&self, position: usize, answer: &Answer, measured_at: Timestamp, samples: &mut Vec<Sample>) {
        let planned = &self.requests[position].planned;
        for &point in &planned.points {
            let point = &self.device.points[point];
            let (value, quality) = value(point, planned.request, answer);
            samples.push(Sample { tag: point.tag, measured_at, value, quality });
        }
    }

    fn answered(&mut self, position: usize) {
        self.requests[position].succeeded();
        self.resume();
    }

    fn resume(&mut self) {
        self.silence.reset();
        self.requests.iter_mut().for_each(Pending::resume);
    }

    /// Books an exception. A request for several points that meets an illegal address is halved for the next poll,
    /// until only the point that stands in the hole fails. Returns how many requests more there are.
    fn refused(&mut self, position: usize, code: u8) -> usize {
        let fault = Fault::exception(code);
        if matches!(code, 2 | 3)
            && let Some(halves) = split(&self.requests[position].planned, &self.device.spans(), &self.device.limits)
        {
            self.requests.splice(position..=position, halves.map(|half| Pending::after(half, fault.clone())));
            return 1;
        }
        match code {
            // A gateway that can't reach its target says so for each request alike: ask less often.
            10 | 11 => self.all_silent(&fault),
            _ => {
                self.requests[position].failed(fault);
                self.resume();
            }
        }
        0
    }

    /// Books a time-out. A second one in a poll that had no answer yet means that the whole device is silent: the
    /// rest isn't asked, for each request would cost its time-out again.
    fn silent(&mut self, position: usize, has_answered: bool, fault: &Fault) {
        self.requests[position].wait(fault.clone(), Instant::now());
        let asked_in_vain = self.requests[..=position].iter().filter(|p| p.is_waiting(Instant::now())).count();
        if !has_answered && asked_in_vain > 1 {
            self.all_silent(fault);
        }
    }

    fn all_silent(&mut self, fault: &Fault) {
        let until = Instant::now() + self.silence.delay(fastrand::f64());
        self.requests.iter_mut().for_each(|pending| pending.wait_with_device(fault, until));
    }

    fn unreachable(&mut self, fault: &Fault) {
        for pending in &mut self.requests {
            pending.failed(fault.clone());
        }
    }
}

fn value(point: &DevicePoint, request: Request, answer: &Answer) -> (Option<Number>, Quality) {
    let place = point.span.within(request);
    let decoded = match answer {
        Answer::Words(words) => point.decoding.words(words.get(place).unwrap_or_default()),
        Answer::Bits(bits) => point.decoding.bit(bits.get(place.start).copied().unwrap_or_default()),
    };
    match decoded {
        Ok(value) => (Some(value), Quality::Good),
        Err(reason) => (None, reason.quality()),
    }
}
