//! How fast a box catches up once every destination is back.

use std::time::{Duration, Instant};

use super::delivery::REGISTERS;
use crate::destination::Destination;
use crate::devices::Devices;
use crate::gateway::{Gateway, Setup, platform, samples};
use crate::hub::Hub;
use crate::relay::Relay;
use crate::report;

#[derive(clap::Args)]
pub struct Args {
    /// Devices of 50 values, polled once a second.
    #[arg(long, default_value_t = 20)]
    devices: usize,
    /// How long hub and history are away. Unit: min.
    #[arg(long, default_value_t = 10)]
    minutes: u64,
}

/// How long a destination that is back may stay unnoticed: the longest pause between two attempts, and some more.
const NOTICED: Duration = Duration::from_secs(90);

pub fn run(args: &Args) {
    report::print_machine();
    let _devices = Devices::start(args.devices, Default::default());
    let hub = Hub::start();
    let mut destination = Destination::start();
    let history = destination.url.trim_start_matches("http://").parse().unwrap();
    let (to_hub, to_history) = (Relay::start(hub.address, false), Relay::start(history, false));
    let setup = Setup {
        devices: args.devices,
        registers: REGISTERS,
        every_ms: 1_000,
        raw_values: false,
        gzip: false,
        destination: None,
    };
    let sinks = platform(&to_hub.url) + &samples(&to_history.url);
    let gateway = Gateway::modbus_with(&setup, &sinks, &[]);
    let begun = Instant::now();
    std::thread::sleep(Duration::from_secs(args.minutes * 60));
    let (away, held) = (begun.elapsed(), gateway.health().count("pipeline", "samples"));
    let pages = gateway.pages().len();
    assert_eq!(destination.arrived().values, 0, "the history was not away");
    to_hub.open();
    to_history.open();

    let opened = Instant::now();
    let (mut first, mut before) = (None, 0);
    let last = loop {
        let values = destination.arrived().values;
        if values > 0 && first.is_none() {
            (first, before) = (Some(Instant::now()), values);
        }
        if values >= held {
            break Instant::now();
        }
        assert!(opened.elapsed() < NOTICED + away, "never: {held} values\n{}", gateway.log());
        std::thread::sleep(Duration::from_millis(5));
    };
    let first = first.unwrap();
    let took = last.duration_since(first).as_secs_f64().max(0.001);
    let share = (held - before) as f64 / held as f64;
    println!("\n{} tags a second, every destination away for {:.0} s", args.devices * 50, away.as_secs_f64());
    println!(
        "raw values: {held} waited; {:.0} values/s, {:.0} × real time (noticed after {:.1} s)",
        (held - before) as f64 / took,
        away.as_secs_f64() * share / took,
        first.duration_since(opened).as_secs_f64()
    );
    gateway.wait_for("the pages at the hub", NOTICED, |_| to_hub.acknowledged().len() >= pages);
    let receipts = to_hub.acknowledged();
    let took = receipts[pages - 1].at.duration_since(receipts[0].at).as_secs_f64().max(0.001);
    println!(
        "pages: {pages} waited, with the records of {} assets for each minute; {:.0} pages/s, {:.0} × real time",
        args.devices + 1,
        (pages - 1) as f64 / took,
        away.as_secs_f64() * (pages - 1) as f64 / pages as f64 / took
    );
    let arrived = destination.arrived();
    println!("at the destination: {} lost, {} twice", arrived.lost, arrived.twice);
    assert_eq!((arrived.lost, arrived.twice), (0, 0), "lost or doubled");
}
