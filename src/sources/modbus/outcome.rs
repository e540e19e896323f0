//! What became of a poll: faults, the requests that back off after one, the counts, and the state they add up to.
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
/// which no other device of the endpoint is read.
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

    pub(super) fn lost(reason: String) -> Self {
        Self { status: Status::Degraded, reason: format!("connection lost: {reason}") }
    }

    /// There is no connection; `reason` says why the last one failed.
    pub(super) fn unreachable(reason: String) -> Self {
        Self { status: Status::Degraded, reason }
    }
}

/// A request of the plan, with the fault it met last.
#[derive(Debug, Clone)]
pub(super) struct Pending {
    /// What to read for which points.
    pub(super) planned: Planned,
    fault: Option<Fault>,
    not_before: Option<Instant>,
    /// Whether it waits because its whole device was silent.
    waits_with_device: bool,
    backoff: Backoff,
}

impl Pending {
    pub(super) fn new(planned: Planned) -> Self {
        Self {
            planned,
            fault: None,
            not_before: None,
            waits_with_device: false,
            backoff: Backoff::new(SILENCE.0, SILENCE.1),
        }
    }

    pub(super) fn after(planned: Planned, fault: Fault) -> Self {
        Self { fault: Some(fault), ..Self::new(planned) }
    }

    /// Says whether the request backs off.
    pub(super) fn is_waiting(&self, now: Instant) -> bool {
        self.not_before.is_some_and(|instant| instant > now)
    }

    /// Returns the place in a poll: what answered last comes first, so that it can't suffer from what didn't.
    pub(super) fn rank(&self) -> (bool, Table, u16) {
        (self.fault.is_some(), self.planned.request.table(), self.planned.request.address())
    }

    pub(super) fn succeeded(&mut self) {
        self.fault = None;
        self.not_before = None;
        self.waits_with_device = false;
        self.backoff.reset();
    }

    /// The device answers again: what waited only because all of it was silent may be asked at once.
    pub(super) fn resume(&mut self) {
        if std::mem::take(&mut self.waits_with_device) {
            self.not_before = None;
        }
    }

    /// Books a fault; the next poll asks again.
    pub(super) fn failed(&mut self, fault: Fault) {
        self.fault = Some(fault);
    }

    /// Books a fault and backs off.
    pub(super) fn wait(&mut self, fault: Fault, now: Instant) {
        self.fault = Some(fault);
        self.not_before = Some(now + self.backoff.delay(fastrand::f64()));
        self.waits_with_device = false;
    }

    /// Books that the whole device is silent and is not asked before `until`.
    pub(super) fn wait_with_device(&mut self, fault: &Fault, until: Instant) {
        self.fault = Some(fault.clone());
        self.not_before = Some(until);
        self.waits_with_device = true;
    }
}

/// What one poll counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Tally {
    pub(super) polls: u64,
    pub(super) skipped: u64,
    pub(super) samples: u64,
    pub(super) connects: u64,
    pub(super) exceptions: u64,
    pub(super) timeouts: u64,
    pub(super) lost: u64,
}

impl Tally {
    /// Counts how a request ended.
    pub(super) const fn count(&mut self, outcome: &Result<Answer, LinkError>) {
        match outcome {
            Err(LinkError::Exception(_)) => self.exceptions += 1,
            Err(LinkError::Timeout(_)) => self.timeouts += 1,
            Err(LinkError::Lost(_)) => self.lost += 1,
            Ok(_) | Err(LinkError::Connect(_) | LinkError::Foreign(_)) => {}
        }
    }

    /// Returns the counts by the name they have on the health board.
    pub(super) const fn counts(&self) -> [(&'static str, u64); 7] {
        [
            ("polls", self.polls),
            ("skipped", self.skipped),
            ("samples", self.samples),
            ("connects", self.connects),
            ("exceptions", self.exceptions),
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
        requests[0].failed(Fault::silent(Duration::from_secs(1)));
        requests[1].failed(Fault::exception(2));
        let expected = "2 of 3 requests fail, input 10 to 11: exception 2 (illegal data address)";
        assert_eq!(condition(&requests), (Status::Failed, expected.to_owned()));
    }

    #[test]
    fn a_request_without_answer_waits_until_it_is_asked_again() {
        let now = Instant::now();
        let mut request = pending(0);
        request.wait(Fault::silent(Duration::from_secs(1)), now);
        assert!(request.is_waiting(now));
        assert!(!request.is_waiting(now + Duration::from_secs(1)));
        request.succeeded();
        assert!(!request.is_waiting(now));
    }
}
