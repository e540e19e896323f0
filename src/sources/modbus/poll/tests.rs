//! What a unit promises, without a network: a device is a function of requests, and hours of a misbehaving bus take
//! a moment.

use std::time::Duration;

use tokio::time::Instant;

use super::debt::Moment;
use super::share::{Allowance, Reconnects, SILENT_SHARE};
use super::unit::Unit;
use super::{on_step, stagger};
use crate::model::sample::Sample;
use crate::model::time::Timestamp;
use crate::runtime::health::Status;
use crate::sources::modbus::device::Device;
use crate::sources::modbus::link::LinkError;
use crate::sources::modbus::outcome::Fault;
use crate::sources::modbus::plan::{Answer, Request};
use crate::sources::modbus::tests::devices;

/// What a device does with a request.
enum Reply {
    Ok,
    Exception(u8),
    Silence,
}

/// A unit, the device it asks, and a clock of its own.
struct Bus<F> {
    unit: Unit,
    device: F,
    began: Instant,
    now: Duration,
    asked: Vec<Request>,
}

const TIMEOUT: Duration = Duration::from_secs(1);

impl<F: FnMut(Request) -> Reply> Bus<F> {
    fn new(device: Device, answers: F) -> Self {
        let unit = Unit::new(device, Timestamp(0));
        Self { unit, device: answers, began: Instant::now(), now: Duration::ZERO, asked: Vec::new() }
    }

    fn moment(&self) -> Moment {
        let ms = i64::try_from(self.now.as_millis()).unwrap();
        Moment { io: self.began + self.now, plant: Timestamp(ms), plant_ms_per_second: 1000 }
    }

    /// Polls once and returns the samples; the requests are kept in `asked`.
    fn poll(&mut self) -> Vec<Sample> {
        let mut samples = Vec::new();
        self.asked.clear();
        self.unit.begin(self.moment().io);
        while let Some(ask) = self.unit.next(self.moment().io) {
            self.now += ask.pause;
            self.asked.push(ask.request);
            assert!(self.asked.len() < 1000, "the poll never ends");
            let now = self.moment();
            match (self.device)(ask.request) {
                Reply::Ok => {
                    self.unit.sample(&zeros(ask.request), now.plant, &mut samples);
                    self.unit.answered(&now);
                }
                Reply::Exception(code) => self.unit.refused(code, &now),
                Reply::Silence => {
                    self.now += TIMEOUT;
                    self.unit.silent(&Fault::silent(TIMEOUT), true, &self.moment());
                }
            }
        }
        self.unit.finish();
        samples
    }

    /// Polls each second for a time; returns how many requests and samples there were.
    fn poll_for(&mut self, time: Duration) -> (usize, usize) {
        let (until, mut requests, mut samples) = (self.now + time, 0, 0);
        while self.now < until {
            samples += self.poll().len();
            requests += self.asked.len();
            self.now += Duration::from_secs(1);
        }
        (requests, samples)
    }

    fn detail(&mut self) -> (Status, String) {
        self.unit.news().unwrap_or_else(|| panic!("nothing has changed"))
    }
}

fn zeros(request: Request) -> Answer {
    match request.table().is_bits() {
        true => Answer::Bits(vec![false; usize::from(request.count())]),
        false => Answer::Words(vec![0; usize::from(request.count())]),
    }
}

/// Returns a device with a `uint16` point at each address of a table.
fn device(table: &str, addresses: impl IntoIterator<Item = u16>, keys: &str) -> Device {
    let points: Vec<String> = addresses
        .into_iter()
        .map(|at| {
            let kind = if matches!(table, "coil" | "discrete") { "bit" } else { "uint16" };
            format!("{{ name = \"p{at}\", address = {at}, table = \"{table}\", type = \"{kind}\" }}")
        })
        .collect();
    let text = format!("[[source]]\nname = \"d\"\nurl = \"tcp://plc\"\n{keys}\npoint = [{}]\n", points.join(", "));
    devices(&text).remove(0)
}

fn covers(request: Request, address: u16) -> bool {
    u32::from(address).wrapping_sub(u32::from(request.address())) < u32::from(request.count())
}

#[test]
fn exception_2_finds_every_hole_in_one_poll_and_costs_no_other_point() {
    let holes = [7u16, 8, 63];
    let mut bus = Bus::new(device("holding", 0..100, ""), move |request| {
        if holes.iter().any(|&hole| covers(request, hole)) { Reply::Exception(2) } else { Reply::Ok }
    });
    assert_eq!(bus.poll().len(), 97);
    let (status, detail) = bus.detail();
    assert_eq!(status, Status::Failed, "a person is needed");
    assert!(detail.contains("(3 of 100 points): d.p") && detail.contains("exception 2"), "{detail}");
    assert_eq!((bus.poll().len(), bus.asked.len()), (97, 3), "three runs between the holes, one request each");
}

#[test]
fn a_register_that_comes_back_is_read_again_in_one_request_with_the_others() {
    let there = std::cell::Cell::new(false);
    let mut bus = Bus::new(device("holding", 0..10, ""), |request| {
        if !there.get() && covers(request, 4) { Reply::Exception(3) } else { Reply::Ok }
    });
    assert_eq!(bus.poll().len(), 9);
    let (requests, samples) = bus.poll_for(Duration::from_secs(3600));
    assert_eq!(samples, 9 * 3600);
    assert!((2 * 3600 + 4..2 * 3600 + 12).contains(&requests), "probed 4 to 11 times in the first hour: {requests}");
    there.set(true);
    bus.poll_for(Duration::from_secs(3600));
    assert_eq!((bus.poll().len(), bus.asked.len()), (10, 1), "merged again");
    assert_eq!(bus.detail(), (Status::Ok, String::new()));
}

#[test]
fn a_device_with_a_smaller_limit_is_found_out_and_nothing_is_lost() {
    let mut bus =
        Bus::new(
            device("holding", 0..120, ""),
            |request| {
                if request.count() > 40 { Reply::Exception(3) } else { Reply::Ok }
            },
        );
    assert_eq!(bus.poll().len(), 120, "in the very poll of the refusal");
    let (status, detail) = bus.detail();
    assert_eq!(status, Status::Ok, "every point is read");
    assert!(detail.contains("at most 30 registers are read at once, holding 0 to 59 was refused"), "{detail}");
    assert_eq!((bus.poll().len(), bus.asked.len()), (120, 4));
    assert!(bus.asked.iter().all(|request| request.count() <= 40));
}

#[test]
fn two_ranges_that_may_not_be_read_together_are_kept_apart_without_a_smaller_limit() {
    // A seam at 40: registers on both sides are there.
    let mut bus = Bus::new(device("holding", 0..60, ""), |request| {
        if covers(request, 39) && covers(request, 40) { Reply::Exception(2) } else { Reply::Ok }
    });
    assert_eq!(bus.poll().len(), 60);
    assert_eq!((bus.poll().len(), bus.asked.len()), (60, 2), "{:?}", bus.asked);
    let (status, detail) = bus.detail();
    assert_eq!(status, Status::Ok);
    assert!(detail.contains("the border between holding 39 and 40"), "{detail}");
}

#[test]
fn a_hole_among_registers_read_along_only_parts_the_request() {
    let mut bus = Bus::new(device("input", (0..10).chain(14..20), "max_gap = 10"), |request| {
        if covers(request, 12) { Reply::Exception(2) } else { Reply::Ok }
    });
    assert_eq!(bus.poll().len(), 16);
    assert_eq!((bus.poll().len(), bus.asked.len()), (16, 2));
    let (status, detail) = bus.detail();
    assert!(status == Status::Ok && detail.contains("nothing is read across input 10 to 13"), "{detail}");
}

#[test]
fn exception_1_sets_the_table_apart_and_no_other() {
    let text = r#"
[[source]]
name = "d"
url = "tcp://plc"
point = [
  { name = "c1", address = 1, table = "coil" }, { name = "c2", address = 90, table = "coil" },
  { name = "h", address = 1, table = "holding", type = "uint16" },
]"#;
    let mut bus =
        Bus::new(
            devices(text).remove(0),
            |request| {
                if request.table().is_bits() { Reply::Exception(1) } else { Reply::Ok }
            },
        );
    assert_eq!((bus.poll().len(), bus.asked.len()), (1, 2), "the second request for coils isn't even asked");
    assert!(bus.detail().1.contains("the coil table with 2 points is not read"));
    assert_eq!((bus.poll().len(), bus.asked.len()), (1, 1));
}

#[test]
fn a_device_that_refuses_everything_while_it_starts_is_read_whole_right_after() {
    let polls = std::cell::Cell::new(0);
    let mut bus =
        Bus::new(device("holding", 0..50, ""), |_| if polls.get() < 20 { Reply::Exception(2) } else { Reply::Ok });
    while polls.get() < 20 {
        bus.poll();
        assert!(bus.asked.len() <= 40, "a search is bounded: {}", bus.asked.len());
        bus.now += Duration::from_secs(1);
        polls.set(polls.get() + 1);
    }
    let (_, samples) = bus.poll_for(Duration::from_secs(60));
    assert!(samples >= 40 * 50, "{samples} of {} within a minute", 60 * 50);
    assert_eq!((bus.poll().len(), bus.asked.len()), (50, 1));
}

#[test]
fn a_busy_device_is_asked_again_within_the_poll_and_never_read_as_zero() {
    for code in [5, 6] {
        let left = std::cell::Cell::new(2);
        let mut bus = Bus::new(device("holding", [5], ""), |_| {
            let busy = left.get() > 0;
            left.set(left.get() - i32::from(busy));
            if busy { Reply::Exception(code) } else { Reply::Ok }
        });
        assert_eq!((bus.poll().len(), bus.asked.len()), (1, 3));
        assert_eq!(bus.now, Duration::from_millis(300), "100 and 200 ms of pause");
        left.set(i32::MAX);
        assert_eq!((bus.poll().len(), bus.asked.len()), (0, 3), "retries are bounded");
        bus.poll();
        assert_eq!(bus.asked.len(), 0, "and then it backs off");
    }
    let mut bus = Bus::new(device("holding", [5], "retries = 0"), |_| Reply::Exception(6));
    assert_eq!((bus.poll().len(), bus.asked.len()), (0, 1));
}

#[test]
fn an_inverter_at_night_is_asked_seldom_changes_state_once_and_wakes_by_itself() {
    let sleeps = std::cell::Cell::new(false);
    let mut bus = Bus::new(device("holding", (0..10).chain(50..60).chain(200..210), ""), |_| {
        if sleeps.get() { Reply::Exception(4) } else { Reply::Ok }
    });
    bus.poll();
    bus.detail();
    sleeps.set(true);
    let mut states = Vec::new();
    let mut requests = 0;
    for _ in 0..8 * 3600 {
        bus.poll();
        requests += bus.asked.len();
        states.extend(bus.unit.news().filter(|state| states.last() != Some(state)));
        bus.now += Duration::from_secs(1);
    }
    assert_eq!(states.len(), 1, "{states:?}");
    let (status, detail) = states.remove(0);
    assert_eq!(status, Status::Degraded);
    assert!(detail.contains("exception 4 (server device failure)"), "{detail}");
    assert!(requests < 8 * 3600 / 3, "{requests} requests in a night of {} polls", 8 * 3600);
    sleeps.set(false);
    bus.poll_for(Duration::from_secs(16));
    assert_eq!(bus.poll().len(), 30, "dawn");
    assert_eq!(bus.detail(), (Status::Ok, String::new()));
}

#[test]
fn a_gateway_without_its_target_makes_only_the_unit_rest() {
    for code in [10, 11] {
        let mut bus = Bus::new(device("holding", [0, 50, 90], ""), |_| Reply::Exception(code));
        bus.poll();
        assert_eq!(bus.asked.len(), 1, "the other requests would fare no better");
        assert!(bus.unit.is_resting(bus.moment().io) && bus.unit.is_suspect());
        assert_eq!(bus.detail().0, Status::Degraded);
    }
}

#[test]
fn a_sleeping_device_is_asked_a_second_time_at_once() {
    let asleep = std::cell::Cell::new(true);
    let mut bus =
        Bus::new(device("holding", [0, 50], ""), |_| if asleep.replace(false) { Reply::Silence } else { Reply::Ok });
    assert_eq!((bus.poll().len(), bus.asked.len()), (2, 3));
    assert_eq!(bus.asked[0], bus.asked[1]);
}

#[test]
fn a_silent_device_costs_two_timeouts_and_then_backs_off() {
    let mut bus = Bus::new(device("holding", [0, 50, 90, 200, 300], ""), |_| Reply::Silence);
    bus.poll();
    assert_eq!((bus.asked.len(), bus.now), (2, 2 * TIMEOUT));
    assert!(bus.unit.is_resting(bus.moment().io));
    let (requests, _) = bus.poll_for(Duration::from_secs(600));
    assert!(requests < 2 * 600 / 7, "{requests}");
}

#[test]
fn a_device_that_dies_within_a_poll_ends_it_after_two_timeouts() {
    let mut bus = Bus::new(device("holding", (0..20).map(|at| at * 10), ""), |request| {
        if request.address() < 50 { Reply::Ok } else { Reply::Silence }
    });
    assert_eq!((bus.poll().len(), bus.asked.len()), (5, 7));
}

#[test]
fn silent_units_spend_at_most_their_share_of_the_time_in_the_long_run() {
    let began = Instant::now();
    let mut allowance = Allowance::new(began);
    let (mut now, mut spent) = (Duration::ZERO, Duration::ZERO);
    let hour = Duration::from_secs(3600);
    while now < hour {
        if allowance.allows(began + now) {
            let waited = Duration::from_millis(700 + spent.as_millis() as u64 % 1900);
            now += waited;
            spent += waited;
            allowance.spend(waited, began + now);
        }
        now += Duration::from_millis(10);
    }
    let share = spent.as_secs_f64() / now.as_secs_f64();
    assert!(share <= SILENT_SHARE + 6.0 / 3600.0, "{share}");
    assert!(share >= SILENT_SHARE * 0.9, "what is allowed is used, or the dead are never asked: {share}");
}

fn broken() -> LinkError {
    LinkError::Connect("broken".to_owned())
}

#[test]
fn one_unit_that_breaks_the_connection_holds_nobody_and_three_hold_it() {
    let now = Instant::now();
    let mut reconnects = Reconnects::default();
    for _ in 0..10 {
        reconnects.lost(4, 20, broken(), now, 0.0);
    }
    assert_eq!(reconnects.refuse(now), None, "the liar is to blame, not the connection");
    reconnects.lost(5, 20, broken(), now, 0.0);
    reconnects.lost(6, 20, broken(), now, 0.0);
    assert_eq!(reconnects.refuse(now), Some(&broken()));
    assert_eq!(reconnects.refuse(now + Duration::from_secs(1)), None);
    reconnects.heard();
    reconnects.lost(7, 1, broken(), now, 0.0);
    assert_eq!(reconnects.refuse(now), Some(&broken()), "of a single unit nobody else can tell");
}

#[test]
fn a_connection_that_somebody_else_takes_is_left_alone_for_a_while() {
    let began = Instant::now();
    let closed_after = |answers: &[u64]| {
        let mut reconnects = Reconnects::default();
        let mut kicked = 0;
        for (second, answers) in (0..).zip(answers) {
            reconnects.opened();
            (1..*answers).for_each(|_| reconnects.heard());
            reconnects.opened();
            reconnects.heard();
            kicked += u32::from(reconnects.was_closed(began + Duration::from_secs(second), 0.0));
        }
        kicked
    };
    assert_eq!(closed_after(&[1; 50]), 0, "closing after each answer is a habit");
    assert_eq!(closed_after(&[4; 50]), 0, "so is closing when idle");
    assert_eq!(closed_after(&[3, 4, 2, 3, 7, 1, 3, 2]), 1);
}

#[test]
fn a_thousand_connections_begin_spread_over_a_second_and_the_first_at_once() {
    assert_eq!(stagger(0, 1000), 0);
    let starts: Vec<i64> = (0..1000).map(|position| stagger(position, 1000)).collect();
    assert!(starts.iter().all(|start| (0..1000).contains(start)));
    let fullest = (0..100).map(|tenth| starts.iter().filter(|start| *start / 10 == tenth).count()).max();
    assert!(fullest <= Some(12), "at most 12 of 1000 in 10 ms: {fullest:?}");
}

#[test]
fn first_polls_share_instants_on_a_grid_of_steps_and_never_lie_before_the_start() {
    let now = Timestamp(1_000_013);
    let starts: Vec<Timestamp> = (0..1000).map(|position| on_step(now, stagger(position, 1000), 25)).collect();
    assert!(starts.iter().all(|start| (now..now + 1000).contains(start)));
    assert!(starts.iter().all(|start| *start == now || start.0 % 25 == 0));
    assert_eq!(starts[0], now);
    let distinct: std::collections::BTreeSet<Timestamp> = starts.into_iter().collect();
    assert!(distinct.len() <= 41, "a waking for each step: {}", distinct.len());
    assert_eq!(on_step(now, 7, 0), now + 7, "no step leaves the offset");
}
