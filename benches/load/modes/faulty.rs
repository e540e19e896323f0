//! Among good devices one that is dead, one that is slow, and one that lies.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::destination::Destination;
use crate::devices::{Devices, Faults};
use crate::gateway::{Gateway, Health, REGISTERS, Setup};
use crate::report;

#[derive(clap::Args)]
pub struct Args {
    #[arg(long, default_value_t = 100)]
    devices: usize,
    /// What is measured. Unit: s.
    #[arg(long, default_value_t = 60)]
    seconds: u64,
}

/// The three that misbehave.
pub const FAULTS: Faults = Faults { dead: Some(10), slow: Some(20), liar: Some(30) };

pub fn run(args: &Args) {
    report::print_machine();
    let _devices = Devices::start(args.devices, FAULTS);
    let mut destination = Destination::start();
    let setup = Setup {
        devices: args.devices,
        registers: REGISTERS,
        every_ms: 1_000,
        raw_values: true,
        gzip: false,
        destination: Some(destination.url.clone()),
    };
    let gateway = Gateway::modbus(&setup);
    gateway.wait_for("the good devices read", Duration::from_secs(60), |health| {
        health.well("source.") >= args.devices - 3
    });
    let (before, begun) = (polls(&gateway.health(), args.devices), Instant::now());
    std::thread::sleep(Duration::from_secs(args.seconds));
    let (health, elapsed) = (gateway.health(), begun.elapsed().as_secs_f64());
    let after = polls(&health, args.devices);
    let done = |device: usize| after[&device] - before[&device];
    let bad = [FAULTS.dead, FAULTS.slow, FAULTS.liar].map(Option::unwrap);
    let good = || (0..args.devices).filter(|device| !bad.contains(device));
    let fewest = good().map(done).min().unwrap();
    let skipped: u64 = good().map(|device| health.count(&name(device), "skipped")).sum();
    let arrived = destination.arrived();
    println!("\n{} devices at one poll a second for {elapsed:.1} s", args.devices);
    println!("{} good devices: at least {fewest} polls each, {skipped} skipped", good().count());
    for (what, device) in ["dead", "slow", "liar"].into_iter().zip(bad) {
        println!("{what}: {} polls with values; {}", done(device), health.state(&name(device)));
    }
    println!("at the destination: {} values, {} lost, {} twice", arrived.values, arrived.lost, arrived.twice);
    let due = elapsed.floor() - 1.0;
    assert!(fewest as f64 >= due && skipped == 0, "a good device lost polls to a bad one");
    assert_eq!(done(bad[2]), 0, "a lie became a value");
}

fn name(device: usize) -> String {
    format!("source.d{device:05}")
}

/// Returns how many polls of each device brought values.
fn polls(health: &Health, devices: usize) -> BTreeMap<usize, u64> {
    (0..devices).map(|device| (device, health.count(&name(device), "samples") / crate::gateway::VALUES)).collect()
}
