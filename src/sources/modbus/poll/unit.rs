//! One device while it is polled: which request comes next, and what each outcome means for the ones after it.
//!
//! In: outcomes of requests, with the instant. Out: the next request of the poll, and the device's state in words.
//! Arithmetic only: nothing here waits or sends, so that hours of a misbehaving bus can be tested at once. A failed
//! request never costs another request of the device its poll, and a refusal is never taken for silence.

use std::time::Duration;

use tokio::time::Instant;

use super::debt::{Debts, Matter, Moment};
use crate::model::number::Number;
use crate::model::sample::{Quality, Sample};
use crate::model::time::Timestamp;
use crate::runtime::backoff::Backoff;
use crate::runtime::health::Status;
use crate::sources::modbus::device::{Device, DevicePoint};
use crate::sources::modbus::outcome::{Fault, Pending, SILENCE, condition};
use crate::sources::modbus::plan::{Answer, Limits, Planned, Request, Span, Stretch, plan_of, split};

/// Wait before a device that says that it is busy is asked again; the second time twice as long, and so on.
const BUSY_PAUSE: Duration = Duration::from_millis(100);
/// Halves of refused requests that are asked in the poll of the refusal; the others wait for the next poll, so that
/// a device full of holes doesn't hold its neighbours up.
const SEARCH_MAX: u8 = 16;
/// Answers that a device owes after a time-out before it counts as reliable again, twice as many as time-outs in a
/// row up to this limit.
const SUSPICION_MAX: u8 = 4;

/// One device and the state of its polling.
#[derive(Debug)]
pub(super) struct Unit {
    pub(super) device: Device,
    pub(super) due: Timestamp,
    spans: Vec<Span>,
    requests: Vec<Pending>,
    debts: Debts,
    searches: Vec<Search>,
    next_search: u32,
    /// Largest counts that were answered: of registers, of bits.
    largest: [u16; 2],
    /// Nothing is asked of the device before this instant, and why; stays until it answers.
    rest: Option<(Instant, Fault)>,
    silence: Backoff,
    /// The plan no longer fits what is known of the device.
    must_plan: bool,
    /// Something refused is answered again: the plan waits for no search.
    is_restored: bool,
    /// Answers that it owes before it may cost its neighbours time again.
    suspicion: u8,
    /// When it was asked last while it was suspected.
    suspected_at: Option<Instant>,
    round: Round,
    has_changed: bool,
}

/// A refused request whose halves are being asked.
#[derive(Debug)]
struct Search {
    id: u32,
    refused: Request,
    code: u8,
    halves: [Request; 2],
    answered: [bool; 2],
}

/// The poll under way.
#[derive(Debug, Default)]
struct Round {
    position: usize,
    has_answered: bool,
    /// Requests without an answer since the last answer.
    in_vain: u8,
    /// Whether a first request that may only have woken the device was repeated.
    is_woken: bool,
    busy: u8,
    pause: Duration,
    searched: u8,
    job: Job,
    has_probed: bool,
    is_over: bool,
}

/// What the request under way is for.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Job {
    #[default]
    Points,
    /// Whether the refusal of that index still stands.
    Probe(usize),
}

/// The next request of a poll.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ask {
    pub(super) request: Request,
    /// Wait before it, because the device is busy.
    pub(super) pause: Duration,
    /// Whether it repeats the request before it.
    pub(super) is_retry: bool,
}

impl Unit {
    pub(super) fn new(device: Device, due: Timestamp) -> Self {
        let spans = device.spans();
        Self {
            requests: device.plan().into_iter().map(Pending::new).collect(),
            spans,
            due,
            debts: Debts::default(),
            searches: Vec::new(),
            next_search: 0,
            largest: [0; 2],
            rest: None,
            silence: Backoff::new(SILENCE.0, SILENCE.1),
            must_plan: false,
            is_restored: false,
            suspicion: 0,
            suspected_at: None,
            round: Round::default(),
            has_changed: true,
            device,
        }
    }

    /// Says whether it was silent lately, so that asking it may cost its neighbours time.
    pub(super) const fn is_suspect(&self) -> bool {
        self.suspicion > 0
    }

    /// Says whether nothing is asked of it yet.
    pub(super) fn is_resting(&self, now: Instant) -> bool {
        self.rest.as_ref().is_some_and(|(until, _)| *until > now)
    }

    /// Returns when it was asked last while suspected: of several the one that waits longest comes first.
    pub(super) const fn suspected_at(&self) -> Option<Instant> {
        self.suspected_at
    }

    /// Sets the next poll. Returns how many are skipped because their whole period has passed.
    pub(super) fn schedule(&mut self, now: Timestamp) -> u64 {
        // A clock that was set back must not silence the device until it is that late again.
        self.due = self.due.min(now);
        let skipped = now.ms_since(self.due) / self.device.every_ms;
        self.due = self.due + (skipped + 1) * self.device.every_ms;
        skipped.unsigned_abs()
    }

    /// Starts a poll.
    pub(super) fn begin(&mut self, now: Instant) {
        self.round = Round { is_over: self.is_resting(now), ..Round::default() };
        if self.suspicion > 0 {
            self.suspected_at = Some(now);
        }
    }

    /// Returns the next request of the poll: those that aren't backing off, then at most one refused one whose time
    /// has come.
    pub(super) fn next(&mut self, now: Instant) -> Option<Ask> {
        let is_retry = self.round.busy > 0 || (self.round.is_woken && !self.round.has_answered);
        let pause = std::mem::take(&mut self.round.pause);
        while !self.round.is_over {
            let Some(pending) = self.requests.get(self.round.position) else { break };
            if !pending.is_waiting(now) {
                self.round.job = Job::Points;
                return Some(Ask { request: pending.planned.request, pause, is_retry });
            }
            self.round.position += 1;
        }
        if self.round.is_over || std::mem::replace(&mut self.round.has_probed, true) {
            return None;
        }
        // Where everything is refused, the device itself is odd: each poll tries, so that it is noticed when it's over.
        let (index, request) = self.debts.due(now, self.requests.is_empty())?;
        self.round.job = Job::Probe(index);
        Some(Ask { request, pause, is_retry: false })
    }

    /// Adds the samples of an answer, at most one a point.
    pub(super) fn sample(&self, answer: &Answer, measured_at: Timestamp, samples: &mut Vec<Sample>) {
        let (Job::Points, Some(pending)) = (self.round.job, self.requests.get(self.round.position)) else { return };
        for &point in &pending.planned.points {
            let point = &self.device.points[point];
            let (value, quality) = value(point, pending.planned.request, answer);
            samples.push(Sample { tag: point.tag, measured_at, value, quality });
        }
    }

    /// Books an answer.
    pub(super) fn answered(&mut self, now: &Moment) {
        self.is_heard();
        self.round.has_answered = true;
        self.suspicion = self.suspicion.saturating_sub(1);
        match self.round.job {
            Job::Probe(index) => {
                // It refused everything before, so it was the device and not its registers.
                if self.requests.is_empty() {
                    self.debts.settle_all()
                } else {
                    self.debts.settle(index)
                }
                (self.must_plan, self.is_restored, self.has_changed) = (true, true, true);
            }
            Job::Points => {
                let pending = &mut self.requests[self.round.position];
                self.has_changed |= pending.succeeded();
                let request = pending.planned.request;
                let largest = &mut self.largest[usize::from(request.table().is_bits())];
                *largest = request.count().max(*largest);
                let half = pending.half.take();
                self.round.position += 1;
                if let Some((search, half)) = half {
                    self.found_whole(search, half, now);
                }
            }
        }
    }

    /// The device is there, whatever it says.
    fn is_heard(&mut self) {
        self.has_changed |= self.rest.take().is_some();
        self.silence.reset();
        self.round.in_vain = 0;
        self.round.busy = 0;
    }

    /// Books an exception.
    pub(super) fn refused(&mut self, code: u8, now: &Moment) {
        let fault = Fault::exception(code);
        if matches!(code, 10 | 11) {
            // A gateway that can't reach its target says so for each request alike: ask less often.
            self.suspicion = (self.suspicion + 2).min(SUSPICION_MAX);
            return self.rest(&fault, now.io);
        }
        if let Job::Probe(index) = self.round.job {
            self.debts.postpone(index, now);
            self.has_changed = true;
            if self.requests.is_empty() {
                self.rest(&fault, now.io);
            }
            return;
        }
        let busy = std::mem::take(&mut self.round.busy);
        if matches!(code, 1..=3) {
            self.is_heard();
        }
        match code {
            1 => self.refused_table(now),
            2 | 3 => self.isolate(code, &fault, now),
            // Some devices say so of a hole as well: where the rest answers, it is looked for.
            4 if self.round.has_answered && self.can_split() => self.isolate(code, &fault, now),
            5 | 6 if busy < self.device.manners.retries => {
                self.round.busy = busy + 1;
                self.round.pause = BUSY_PAUSE * u32::from(self.round.busy);
            }
            _ => {
                self.wait(&fault, now.io);
                self.round.in_vain += 1;
                if !self.round.has_answered && self.round.in_vain > 1 {
                    self.rest(&fault, now.io);
                }
            }
        }
    }

    /// The request under way backs off; the poll goes on with the next.
    fn wait(&mut self, fault: &Fault, now: Instant) {
        self.has_changed |= self.requests[self.round.position].wait(fault, now);
        self.round.position += 1;
    }

    /// The device doesn't know the function: no request of the table is asked.
    fn refused_table(&mut self, now: &Moment) {
        let request = self.requests[self.round.position].planned.request;
        let table = request.table();
        self.debts.add(Matter::Table(table), request, 1, now);
        let stays = |pending: &Pending| pending.planned.request.table() != table;
        self.round.position = self.requests[..self.round.position].iter().filter(|pending| stays(pending)).count();
        self.requests.retain(stays);
        self.searches.retain(|search| search.refused.table() != table);
        (self.must_plan, self.has_changed) = (true, true);
    }

    fn limits(&self) -> Limits {
        self.debts.narrow(&self.device.limits, &self.device.points)
    }

    fn can_split(&self) -> bool {
        split(&self.requests[self.round.position].planned, &self.spans, &self.device.limits).is_some()
    }

    /// A request for several points met an illegal address or value: it is halved until only what stands in the hole
    /// fails, which is set apart.
    fn isolate(&mut self, code: u8, fault: &Fault, now: &Moment) {
        self.has_changed = true;
        let pending = &self.requests[self.round.position];
        if let Some((search, _)) = pending.half {
            // The fault lies in this half, so the other one says nothing about the whole.
            self.searches.retain(|other| other.id != search);
        }
        let Some(halves) = split(&pending.planned, &self.spans, &self.device.limits) else {
            if code == 4 {
                return self.wait(fault, now.io);
            }
            let Planned { request, points } = self.requests.remove(self.round.position).planned;
            self.debts.add(Matter::Points(points), request, code, now);
            self.must_plan = true;
            return;
        };
        let id = self.next_search;
        self.next_search = id.wrapping_add(1);
        let search = Search {
            id,
            refused: pending.planned.request,
            code,
            halves: [halves[0].request, halves[1].request],
            answered: [false; 2],
        };
        self.searches.push(search);
        let parts = halves.into_iter().zip(0..).map(|(half, which)| Pending::part(half, (id, which), fault.clone()));
        self.requests.splice(self.round.position..=self.round.position, parts);
        self.round.searched += 1;
        if self.round.searched > SEARCH_MAX {
            self.round.position += 2;
        }
    }

    /// Half of a refused request was answered. Where both were, no register is to blame but what lies between them,
    /// or the size of the whole.
    fn found_whole(&mut self, search: u32, half: usize, now: &Moment) {
        let Some(position) = self.searches.iter().position(|other| other.id == search) else { return };
        self.searches[position].answered[half] = true;
        if self.searches[position].answered != [true; 2] {
            return;
        }
        let Search { refused, code, halves, .. } = self.searches.swap_remove(position);
        let largest_half = halves[0].count().max(halves[1].count());
        let of_bits = refused.table().is_bits();
        let end = u32::from(halves[0].address()) + u32::from(halves[0].count());
        let start = u32::from(halves[1].address());
        let matter = if largest_half >= refused.count() {
            return;
        } else if start > end || self.largest[usize::from(of_bits)] >= refused.count() {
            Matter::Apart(Stretch { table: refused.table(), start: end.min(start), end: start })
        } else {
            Matter::Size { of_bits, max: largest_half }
        };
        self.debts.add(matter, refused, code, now);
        (self.must_plan, self.has_changed) = (true, true);
    }

    /// Books a request without an answer. A second one in a poll that had no answer yet means that the whole device
    /// is silent: the rest isn't asked, for each request would cost its time-out again. The first one is repeated at
    /// once, for it may only have woken the device.
    pub(super) fn silent(&mut self, fault: &Fault, may_sleep: bool, now: &Moment) {
        self.suspicion = (self.suspicion + 2).min(SUSPICION_MAX);
        self.round.in_vain += 1;
        if let Job::Probe(index) = self.round.job {
            self.debts.postpone(index, now);
            self.has_changed = true;
            return;
        }
        if may_sleep && !self.round.has_answered && !self.round.is_woken {
            self.round.is_woken = true;
            return;
        }
        self.wait(fault, now.io);
        if self.round.in_vain < 2 {
            return;
        }
        if self.round.has_answered {
            self.round.is_over = true;
        } else {
            self.rest(fault, now.io);
        }
    }

    /// Ends the poll; nothing is asked of the device for a while.
    pub(super) fn rest(&mut self, fault: &Fault, now: Instant) {
        let until = now + self.silence.delay(fastrand::f64());
        self.has_changed |= self.rest.as_ref().is_none_or(|(_, known)| known != fault);
        self.rest = Some((until, fault.clone()));
        // When it is asked again, it is asked for everything.
        self.requests.iter_mut().for_each(Pending::resume);
        self.round.is_over = true;
    }

    /// Books that there is no connection: the poll ends, and the next one asks again.
    pub(super) fn unreachable(&mut self, fault: &Fault) {
        for pending in &mut self.requests {
            self.has_changed |= pending.failed(fault);
        }
        self.round.is_over = true;
    }

    /// Ends a poll: plans anew what was learnt, once no search is under way.
    pub(super) fn finish(&mut self) {
        if self.must_plan && (self.searches.is_empty() || self.is_restored) {
            (self.must_plan, self.is_restored) = (false, false);
            self.searches.clear();
            let askable = self.debts.askable(&self.device.points);
            let planned = plan_of(askable, &self.spans, &self.limits());
            let mut before = std::mem::take(&mut self.requests);
            self.requests = planned
                .into_iter()
                .map(|planned| match before.iter().position(|pending| pending.planned == planned) {
                    Some(position) => before.swap_remove(position),
                    None => Pending::new(planned),
                })
                .collect();
            self.has_changed = true;
        }
        if self.has_changed {
            self.requests.sort_by_key(Pending::rank);
        }
    }

    /// Returns the number of points that aren't asked.
    pub(super) fn quarantined(&self) -> u64 {
        if self.debts.is_empty() { 0 } else { self.debts.quarantined(&self.device.points) as u64 }
    }

    /// Returns the state in words, where it may have changed since it was asked for last.
    pub(super) fn news(&mut self) -> Option<(Status, String)> {
        std::mem::take(&mut self.has_changed).then(|| self.condition())
    }

    fn condition(&self) -> (Status, String) {
        let (mut status, mut detail) = match &self.rest {
            Some((_, fault)) => (fault.status, fault.reason.clone()),
            None => condition(&self.requests),
        };
        if !self.debts.is_empty() {
            if self.debts.costs_points() {
                status = Status::Failed;
            }
            let (lost, all) = (self.quarantined(), self.device.points.len());
            let debts = self.debts.describe(&self.device.points);
            let separator = if detail.is_empty() { "" } else { "; " };
            detail = format!("{detail}{separator}the device refuses ({lost} of {all} points): {debts}");
        }
        (status, detail)
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
