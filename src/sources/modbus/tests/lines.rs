//! The poll loop on lines, where an answer doesn't say which request it belongs to.

use std::net::SocketAddr;
use std::time::Duration;

use super::{Bench, fast, good};
use crate::model::number::Number;
use crate::model::sample::SampleBatch;
use crate::runtime::health::Status;
use crate::sources::modbus::link::tests::device::{Act, Asked, Device, Framing};
use crate::sources::modbus::link::tests::serial;

const TIMEOUT: Duration = Duration::from_millis(100);

/// Two units on one line. Each is read by two requests whose answers look the same.
fn two_units(url: &str) -> String {
    let source = |name: &str, unit: u8, points: [u16; 2]| {
        let point = |at: u16| format!("{{ name = \"p{at}\", address = {at}, table = \"holding\", type = \"uint16\" }}");
        let points = points.map(point).join(", ");
        format!(
            "[[source]]\nname = \"{name}\"\nurl = \"{url}\"\nunit = {unit}\ntimeout = \"{TIMEOUT:?}\"\npoint = [{points}]\n"
        )
    };
    source("late", 1, [10, 500]) + &source("good", 2, [20, 600])
}

/// Answers all but one read, of address 10 at the third time: that one after its time.
fn late_once() -> impl FnMut(Asked) -> Vec<Act> + Send + 'static {
    let mut reads = 0;
    move |asked| {
        let is_counted = (asked.unit, asked.address, asked.count) == (1, 10, 1);
        reads += u32::from(is_counted);
        let wait = if is_counted && reads == 3 { TIMEOUT * 3 / 2 } else { Duration::ZERO };
        vec![Act::Wait(wait), Act::Send(asked.answer())]
    }
}

/// Each register holds its own address, and each point is named after it.
fn each_value_is_its_own(bench: &Bench, batch: &SampleBatch) {
    for (name, value) in bench.named(batch) {
        let (_, address) = name.split_once(".p").unwrap();
        assert_eq!(value, good(Number::Integer(address.parse().unwrap())), "{name}");
    }
}

async fn one_time_out_costs_no_value(text: &str, address: SocketAddr) {
    let mut bench = Bench::start(text, address, fast(), 256);
    let mut batches = [0; 2];
    while batches[0] < 10 || bench.count("source.late", "timeouts") == 0 {
        let batch = bench.batch().await;
        each_value_is_its_own(&bench, &batch);
        assert_eq!(batch.samples.len(), 2, "a poll whose first request timed out asks again");
        batches[usize::from(batch.source.0)] += 1;
    }
    assert!(batches[1] >= 5, "{batches:?}");
    assert_eq!(bench.until("source.late", Status::Ok).await, "");
    let late = ["timeouts", "connects", "connections_lost"].map(|what| bench.count("source.late", what));
    assert_eq!(late, [1, 1, 0], "one time-out, and the line stays open");
    assert_eq!(bench.count("source.good", "timeouts"), 0);
    bench.stop().await;
}

#[tokio::test]
async fn a_time_out_through_a_serial_server_costs_no_value_and_none_is_mistaken() {
    let device = Device::start(Framing::Rtu, late_once()).await;
    one_time_out_costs_no_value(&two_units("rtu+tcp://ADDRESS"), device.address).await;
}

#[tokio::test]
async fn a_time_out_on_a_serial_port_costs_no_value_and_none_is_mistaken() {
    let (path, _asked, _stop) = serial::device(late_once());
    let text = two_units(&format!("rtu://{}?baud=115200", path.display()));
    one_time_out_costs_no_value(&text, SocketAddr::from(([127, 0, 0, 1], 0))).await;
}
