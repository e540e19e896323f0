//! How devices and their neighbours are treated on real connections: shares, pauses, slots and identity.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::fake::{Fake, Reply};
use super::{Bench, LIMIT, ONE, echo, fast, prepare};
use crate::model::problem::Problems;
use crate::model::tag::SourceIndex;
use crate::runtime::clock::Clock;
use crate::runtime::health::Status;

fn unit(unit: u8, keys: &str) -> String {
    format!(
        "[[source]]\nname = \"u{unit}\"\nurl = \"tcp://ADDRESS\"\nunit = {unit}\n{keys}\n\
         point = [{{ name = \"a\", address = 7, table = \"holding\", type = \"uint16\" }}]\n"
    )
}

#[tokio::test]
async fn one_dead_one_slow_and_one_lying_unit_among_20_cost_the_other_17_no_poll() {
    let device = Fake::start(|asked| match asked.unit {
        1 => Reply::Silence,
        2 => Reply::WordsAfter(Duration::from_millis(80), vec![2]),
        3 => Reply::WordsOfAnother(vec![3]),
        _ => echo(asked),
    })
    .await;
    let text: String = (1..=20).map(|number| unit(number, "every = \"1s\"\ntimeout = \"100ms\"")).collect();
    let mut bench = Bench::start(&text, device.address, Clock::system(), 256);
    let mut seen = [0u32; 21];
    while seen[20] < 6 {
        let batch = bench.batch().await;
        seen[usize::from(batch.source.0) + 1] += 1;
    }
    for number in 4..=20 {
        let component = format!("source.u{number}");
        let (polls, samples) = (bench.count(&component, "polls"), bench.count(&component, "samples"));
        assert_eq!((bench.count(&component, "skipped"), polls), (0, samples), "{component}");
        assert!(polls >= 5, "{component}: {polls}");
    }
    assert_eq!((seen[1], seen[3]), (0, 0), "no value of the dead one, none of the liar");
    assert!(seen[2] >= 5, "a slow answer is an answer");
    assert!(bench.count("source.u1", "timeouts") >= 2 && bench.count("source.u3", "connections_lost") >= 1);
    assert_ne!(bench.until("source.u3", Status::Degraded).await, "");
    bench.stop().await;
}

#[tokio::test]
async fn units_0_and_255_are_asked_like_any_other() {
    let device = Fake::start(echo).await;
    let text = unit(0, "") + &unit(255, "");
    let mut bench = Bench::start(&text, device.address, fast(), 16);
    assert_eq!(bench.batch_of(0).await.len(), 1);
    assert_eq!(bench.batch_of(1).await.len(), 1);
    assert!([0, 255].iter().all(|unit| device.asked().iter().any(|asked| asked.unit == *unit)));
    bench.stop().await;
}

#[tokio::test]
async fn a_device_gets_its_pauses_after_the_connect_and_between_requests() {
    let device = Fake::start(echo).await;
    let text = r#"
[[source]]
name = "meter"
url = "tcp://ADDRESS"
timeout = "5s"
connect_delay = "150ms"
request_pause = "60ms"
point = [
  { name = "a", address = 3, table = "holding", type = "uint16" },
  { name = "b", address = 30, table = "holding", type = "uint16" },
  { name = "c", address = 60, table = "holding", type = "uint16" },
]
"#;
    let mut bench = Bench::start(text, device.address, fast(), 16);
    bench.batch().await;
    bench.batch().await;
    let (accepted, asked) = device.times();
    assert!(asked[0] - accepted[0] >= Duration::from_millis(145), "{:?}", asked[0] - accepted[0]);
    for pair in asked.windows(2) {
        assert!(pair[1] - pair[0] >= Duration::from_millis(58), "{:?}", pair[1] - pair[0]);
    }
    bench.stop().await;
}

#[tokio::test]
async fn a_connection_that_may_not_stay_open_is_closed_after_each_round_of_polls() {
    let device = Fake::start(echo).await;
    let text = unit(1, "keep_open = false\nevery = \"12s\"") + &unit(2, "every = \"12s\"");
    let mut bench = Bench::start(&text, device.address, fast(), 16);
    for _ in 0..6 {
        bench.batch().await;
    }
    let began = Instant::now();
    while device.open() > 0 {
        assert!(began.elapsed() < LIMIT, "the slot is never free");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let (accepted, asked) = device.times();
    assert!((3..=asked.len() / 2 + 1).contains(&accepted.len()), "{} for {}", accepted.len(), asked.len());
    assert_eq!(bench.count("source.u1", "closed_by_device"), 0);
    assert_eq!(bench.until("source.u1", Status::Ok).await, "");
    bench.stop().await;
}

#[tokio::test]
async fn an_idle_close_is_counted_and_is_no_fault() {
    let device = Fake::start(|asked| Reply::WordsAndClose(vec![asked.address])).await;
    let mut bench = Bench::start(ONE, device.address, fast(), 256);
    for _ in 0..30 {
        bench.batch().await;
    }
    assert!(bench.count("source.meter", "closed_by_device") >= 29);
    assert_eq!((bench.count("source.meter", "connections_lost"), bench.count("source.meter", "kicked")), (0, 0));
    bench.stop().await;
}

const SUNSPEC: &str = r#"
[[source]]
name = "inverter"
url = "tcp://ADDRESS"
profile = "sunspec_103"
model_address = 40069
timeout = "5s"
"#;

#[tokio::test]
async fn a_device_that_answers_as_another_one_is_not_read() {
    let device = Fake::start(echo).await;
    let mut bench = Bench::start(SUNSPEC, device.address, fast(), 16);
    let detail = bench.until("source.inverter", Status::Failed).await;
    let expected = "another device answers, nothing is read; holding 40069 to 40069: expected 0x0067, found 0x9C85";
    assert!(detail.contains(expected), "{detail}");
    assert!(device.asked().iter().all(|asked| (asked.address, asked.count) == (40069, 1)), "{:?}", device.asked());
    assert!(bench.batches.try_recv().is_err());
    bench.stop().await;
}

#[tokio::test]
async fn the_expected_device_is_asked_who_it_is_once_a_connection() {
    let device = Fake::start(|asked| {
        let id = u16::from(asked.address == 40069) * 0x67;
        Reply::Words((0..asked.count).map(|at| if at == 0 { id } else { 0 }).collect())
    })
    .await;
    let mut bench = Bench::start(SUNSPEC, device.address, fast(), 16);
    for _ in 0..3 {
        bench.batch().await;
    }
    let checks = device.asked().iter().filter(|asked| (asked.address, asked.count) == (40069, 1)).count();
    assert_eq!(checks, 1);
    bench.stop().await;
}

#[test]
fn units_are_spread_over_the_connections_of_their_endpoint() {
    let text = unit(1, "connections = 3") + &(2..=7).map(|number| unit(number, "")).collect::<String>();
    // The same unit twice: it must not be asked on two connections at once.
    let text = text + &unit(1, "").replace("\"u1\"", "\"again\"");
    let (_, endpoints) = prepare(&text, SocketAddr::from(([127, 0, 0, 1], 1502)));
    let shape: Vec<Vec<&str>> =
        endpoints.iter().map(|endpoint| endpoint.devices.iter().map(|d| d.name.as_str()).collect()).collect();
    assert_eq!(shape, [vec!["u1", "u6", "again"], vec!["u2", "u4", "u7"], vec!["u3", "u5"]]);
    assert_eq!(endpoints[1].to_string(), "127.0.0.1:1502 (connection 2 of 3)");
    assert_eq!(endpoints.iter().map(|endpoint| endpoint.position).collect::<Vec<_>>(), [0, 1, 2]);
}

/// Returns every problem that the check names in `[[source]]` tables.
fn problems(text: &str) -> Vec<String> {
    let file: super::File = toml::from_str(text).unwrap();
    let sources: Vec<_> = (0..).map(SourceIndex).zip(file.source).collect();
    let mut problems = Problems::default();
    for (index, source) in &sources {
        source.check(&mut problems);
        source.tags(*index, &crate::profile::Library::builtin(), &mut problems);
    }
    super::ModbusSource::check_together(&sources, &mut problems);
    problems.0.into_iter().map(|problem| problem.message).collect()
}

fn check(keys: &str, expected: &[&str]) {
    let found = problems(&unit(1, keys).replace("ADDRESS", "plc"));
    assert_eq!(found, expected, "{keys}");
}

#[test]
fn keys_outside_their_limits_are_named() {
    check("retries = 9", &["retries 9 is outside 0 to 5"]);
    check("connections = 0", &["connections 0 is outside 1 to 8"]);
    check("connect_delay = \"2min\"", &["connect_delay of 120000 ms is outside 0 to 30000 ms"]);
    check("request_pause = \"11s\"", &["request_pause of 11000 ms is outside 0 to 10000 ms"]);
    check("block = [\"holding 0-199\"]", &["block holding 0-199 is more than one request can read"]);
    check("block = [\"holding 1-9\", \"holding 9-12\"]", &["block holding 9-12 overlaps another block"]);
    check("request_pause = \"0ms\"\nblock = [\"holding 0-9\"]\nretries = 0", &[]);
    let wrong = "forbidden: \"12-14\" is no range of addresses: write \"input 100-120\" or \"holding 31\"";
    check("forbidden = [\"12-14\"]", &[wrong]);
}

#[test]
fn a_point_that_no_request_can_read_is_refused() {
    let refused = "no request can read \"u1.a\" (holding 7 to 7): it touches a forbidden range";
    check("forbidden = [\"holding 0-9\"]", &[refused]);
    check("forbidden = [\"holding 3-5\"]\nstart_at_zero = true", &[refused]);
    check("forbidden = [\"input 0-9\"]", &[]);
    let text = unit(1, "start_at_zero = true").replace("ADDRESS", "plc").replace("address = 7", "address = 200");
    let expected =
        "no request can read \"u1.a\" (holding 200 to 200): it takes 201 in one request, and 125 are allowed";
    assert_eq!(problems(&text), [expected]);
}

#[test]
fn sources_of_one_endpoint_must_agree_about_its_connections() {
    let two = |first: &str, second: &str| problems(&(unit(1, first) + &unit(2, second)).replace("ADDRESS", "plc"));
    assert_eq!(two("connections = 2", ""), [""; 0], "one speaks for all");
    assert_eq!(two("keep_open = false", "keep_open = false"), [""; 0]);
    let differ = |what: &str| [format!("sources \"u1\" and \"u2\" share plc:502, but their {what} differ")];
    assert_eq!(two("connections = 2", "connections = 3"), differ("connections"));
    assert_eq!(two("keep_open = true", "keep_open = false"), differ("keep_open"));
    let line = |number: u8, speed: u32| {
        let url = format!("rtu:///dev/ttyS0?baud={speed}");
        unit(number, "").replace("tcp://ADDRESS", &url)
    };
    assert_eq!(problems(&(line(1, 9600) + &line(2, 9600))), [""; 0]);
    let found = problems(&(line(1, 9600) + &line(2, 19200)));
    assert_eq!(found, ["sources \"u1\" and \"u2\" share /dev/ttyS0, but their url differ"]);
    let serial = line(1, 9600).replace("unit = 1", "unit = 1\nconnections = 2");
    assert_eq!(problems(&serial), ["connections = 2 on a serial line"]);
}
