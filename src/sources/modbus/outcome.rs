//! What became of a poll: faults, the requests that back off after one, and the counts.
//!
//! Arithmetic on what `poll` saw; nothing here waits or sends.

use std::time::Duration;

use tokio::time::Instant;

use super::link::{LinkError, exception_name};
use super::plan::{Answer, Planned};
use crate::profile::register::Table;
use crate::runtime::backoff::Backoff;
use crate::runtime::health::Status;

/// First and longest wait after a request, or a whole device, gave no answer. Asking costs a whole time-out, in
/// which no other device of the connection is read.
pub(super) const SILENCE: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(15));

/// Why a request has no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fault {
    /// Whether it passes by itself or needs a person.
    pub(super) status: Status,
    /// What happened.
    pub(super) reason: String,
}

impl Fault {
    /// The device refuses. That a register or function doesn't exist won't change by itself.
    pub(super) fn exception(code: u8) -> Self {
        let status = if matches!(code, 1..=3) { Status::Failed } else { Status::Degraded };
        Self { status, reason: format!("exception {code} ({})", exception_name(code)) }
    }

    pub(super) fn silent(limit: Duration) -> Self {
        Self { status: Status::Degraded, reason: format!("no answer within {limit:?}") }
    }

    pub(super) fn lost(reason: &str) -> Self {
        Self { status: Status::Degraded, reason: format!("connection lost: {reason}") }
    }

    /// There is no connection; `reason` says why the last one failed.
    pub(super) const fn unreachable(reason: String) -> Self {
        Self { status: Status::Degraded, reason }
    }

    /// A person is needed.
    pub(super) const fn severe(reason: String) -> Self {
        Self { status: Status::Failed, reason }
    }
}

/// A request of the plan, with the fault it met last.
#[derive(Debug, Clone)]
pub(super) struct Pending {
    /// What to read for which points.
    pub(super) planned: Planned,
    /// Which half of which split request it is.
    pub(super) half: Option<(u32, usize)>,
    fault: Option<Fault>,
    not_before: Option<Instant>,
    backoff: Backoff,
}

impl Pending {
    pub(super) fn new(planned: Planned) -> Self {
        let backoff = Backoff::new(SILENCE.0, SILENCE.1);
        Self { planned, half: None, fault: None, not_before: None, backoff }
    }

    /// Returns a part of a request that met a fault.
    pub(super) fn part(planned: Planned, half: (u32, usize), fault: Fault) -> Self {
        Self { half: Some(half), fault: Some(fault), ..Self::new(planned) }
    }

    /// Says whether the request backs off.
    pub(super) fn is_waiting(&self, now: Instant) -> bool {
        self.not_before.is_some_and(|instant| instant > now)
    }

    /// Returns the place in a poll: what answered last comes first, so that it can't suffer from what didn't.
    pub(super) fn rank(&self) -> (bool, Table, u16) {
        (self.fault.is_some(), self.planned.request.table(), self.planned.request.address())
    }

    /// Books an answer. Returns whether that is a change.
    pub(super) fn succeeded(&mut self) -> bool {
        self.not_before = None;
        self.backoff.reset();
        self.fault.take().is_some()
    }

    /// The device as a whole backs off in place of the request.
    pub(super) const fn resume(&mut self) {
        self.not_before = None;
    }

    /// Books a fault; the next poll asks again. Returns whether that is a change.
    pub(super) fn failed(&mut self, fault: &Fault) -> bool {
        let is_new = self.fault.as_ref() != Some(fault);
        if is_new {
            self.fault = Some(fault.clone());
        }
        is_new
    }

    /// Books a fault and backs off. Returns whether the fault is a change.
    pub(super) fn wait(&mut self, fault: &Fault, now: Instant) -> bool {
        self.not_before = Some(now + self.backoff.delay(fastrand::f64()));
        self.failed(fault)
    }
}

/// Exception codes with a count of their own; others are counted as `exception_other`.
const CODES: usize = 12;

/// What one poll counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Tally {
    pub(super) polls: u64,
    pub(super) skipped: u64,
    /// Polls without a request, because the device is silent and backs off.
    pub(super) rested: u64,
    pub(super) samples: u64,
    pub(super) requests: u64,
    /// Requests repeated within the poll.
    pub(super) retries: u64,
    pub(super) connects: u64,
    /// Connections that the other side had closed and that were opened again without a fault.
    pub(super) closed_by_device: u64,
    /// Times that the connection was left to another client that seems to want it.
    pub(super) kicked: u64,
    pub(super) exceptions: u64,
    pub(super) codes: [u64; CODES],
    pub(super) timeouts: u64,
    pub(super) lost: u64,
    /// Time between the last request and its answer. **Unit**: µs; 0 where none was answered.
    pub(super) round_trip_us: u64,
}

impl Tally {
    /// Counts how a request ended.
    pub(super) fn count(&mut self, outcome: &Result<Answer, LinkError>) {
        match outcome {
            Err(LinkError::Exception(code)) => {
                self.exceptions += 1;
                let code = usize::from(*code);
                self.codes[if code < CODES { code } else { 0 }] += 1;
            }
            Err(LinkError::Timeout(_)) => self.timeouts += 1,
            Err(LinkError::Lost(_)) => self.lost += 1,
            Ok(_) | Err(LinkError::Connect(_) | LinkError::Foreign(_)) => {}
        }
    }

    /// Returns the counts by the name they have on the health board.
    pub(super) const fn counts(&self) -> [(&'static str, u64); 24] {
        let codes = &self.codes;
        [
            ("polls", self.polls),
            ("skipped", self.skipped),
            ("rested", self.rested),
            ("samples", self.samples),
            ("requests", self.requests),
            ("retries", self.retries),
            ("connects", self.connects),
            ("closed_by_device", self.closed_by_device),
            ("kicked", self.kicked),
            ("exceptions", self.exceptions),
            ("exception_1", codes[1]),
            ("exception_2", codes[2]),
            ("exception_3", codes[3]),
            ("exception_4", codes[4]),
            ("exception_5", codes[5]),
            ("exception_6", codes[6]),
            ("exception_7", codes[7]),
            ("exception_8", codes[8]),
            ("exception_9", codes[9]),
            ("exception_10", codes[10]),
            ("exception_11", codes[11]),
            ("exception_other", codes[0]),
            ("timeouts", self.timeouts),
            ("connections_lost", self.lost),
        ]
    }
}

/// Returns the state that the requests of a device add up to, with the worst fault named.
pub(super) fn condition(requests: &[Pending]) -> (Status, String) {
    let faults: Vec<(&Pending, &Fault)> =
        requests.iter().filter_map(|pending| pending.fault.as_ref().map(|fault| (pending, fault))).collect();
    let Some((pending, worst)) = faults.iter().rev().max_by_key(|(_, fault)| fault.status) else {
        return (Status::Ok, String::new());
    };
    let detail = if faults.len() == requests.len() && faults.iter().all(|(_, fault)| fault == worst) {
        worst.reason.clone()
    } else {
        let (failing, all) = (faults.len(), requests.len());
        format!("{failing} of {all} requests fail, {}: {}", pending.planned.request, worst.reason)
    };
    (worst.status, detail)
}

#[cfg(test)]
mod tests {
    use super::{Duration, Fault, Instant, Pending, Planned, Status, Table, condition};
    use crate::sources::modbus::plan::Request;

    fn pending(address: u16) -> Pending {
        let request = Request::new(Table::Input, address, 2).unwrap();
        Pending::new(Planned { request, points: vec![0] })
    }

    #[test]
    fn the_state_names_the_worst_fault_and_its_registers() {
        let mut requests = [pending(0), pending(10), pending(20)];
        assert_eq!(condition(&requests), (Status::Ok, String::new()));
        requests[0].failed(&Fault::silent(Duration::from_secs(1)));
        requests[1].failed(&Fault::exception(2));
        let expected = "2 of 3 requests fail, input 10 to 11: exception 2 (illegal data address)";
        assert_eq!(condition(&requests), (Status::Failed, expected.to_owned()));
    }

    #[test]
    fn a_request_without_answer_waits_until_it_is_asked_again() {
        let now = Instant::now();
        let mut request = pending(0);
        let fault = Fault::silent(Duration::from_secs(1));
        assert!(request.wait(&fault, now));
        assert!(!request.failed(&fault), "the same fault again is no news");
        assert!(request.is_waiting(now));
        assert!(!request.is_waiting(now + Duration::from_secs(1)));
        assert!(request.succeeded());
        assert!(!request.is_waiting(now) && !request.succeeded());
    }
}
