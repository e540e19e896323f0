//! Devices at a steady rate.

use std::thread::sleep;
use std::time::Duration;

use crate::bare::Bare;
use crate::destination::Destination;
use crate::devices::{Devices, Faults};
use crate::gateway::{Gateway, REGISTERS, Setup, VALUES};
use crate::process::{cpu_s, machine_busy, machine_time, measure, written_bytes};
use crate::report::{self, Row};

#[derive(clap::Args)]
pub struct Args {
    /// Devices, each with 99 values.
    #[arg(long, default_value_t = 1_000)]
    devices: usize,
    /// Poll period. Unit: ms.
    #[arg(long, default_value_t = 1_000)]
    every_ms: u64,
    /// Before anything is measured. Unit: s.
    #[arg(long, default_value_t = 20)]
    warm: u64,
    /// What is measured. Unit: s.
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// Compress what is sent.
    #[arg(long)]
    gzip: bool,
    /// Only everything on.
    #[arg(long)]
    only: bool,
}

pub fn run(args: &Args) {
    report::print_machine();
    let mut devices = Devices::start(args.devices, Faults::default());
    let mut rows = Vec::new();
    if !args.only {
        rows.push(bare(args));
        rows.push(gateway(args, &mut devices, false));
    }
    rows.push(gateway(args, &mut devices, true));
    let title = format!("{} devices × {VALUES} values every {} ms", args.devices, args.every_ms);
    report::print(&title, "values", &rows);
}

fn bare(args: &Args) -> Row {
    let mut bare = Bare::start(args.devices, REGISTERS, args.every_ms);
    sleep(Duration::from_secs(args.warm.min(5)));
    let before = bare.answered();
    let usage = measure(bare.0.id(), Duration::from_secs(args.seconds.min(20)));
    let polls = bare.answered() - before;
    Row { who: "bare client".to_owned(), usage, units: polls * VALUES, notes: String::new() }
}

fn gateway(args: &Args, devices: &mut Devices, raw_values: bool) -> Row {
    let mut destination = Destination::start();
    let setup = Setup {
        devices: args.devices,
        registers: REGISTERS,
        every_ms: args.every_ms,
        raw_values,
        gzip: args.gzip,
        destination: Some(destination.url.clone()),
    };
    let gateway = Gateway::modbus(&setup);
    let id = gateway.process.id();
    let start_cpu = cpu_s(id);
    sleep(Duration::from_secs(args.warm));
    let (health, arrived) = (gateway.health(), destination.arrived());
    let (asked, machine, written) = (devices.answered(), machine_time(), written_bytes(id));
    let usage = measure(id, Duration::from_secs(args.seconds));
    let (health_after, arrived_after) = (gateway.health(), destination.arrived());
    let asked = devices.answered() - asked;
    let busy = machine_busy(machine, machine_time());
    let samples = health_after.sum("source.", "samples") - health.sum("source.", "samples");
    let skipped = health_after.sum("source.", "skipped");
    let written = (written_bytes(id) - written) / samples.max(1) as f64;
    let notes = format!(
        "{skipped} polls skipped, {asked} answered; at the destination {} values in {} requests, {} lost, {} twice; \
         {:.1} bytes written a value, store {:.0} MB, start {start_cpu:.1} CPU-s, machine {:.0} % busy",
        arrived_after.values - arrived.values,
        arrived_after.requests - arrived.requests,
        arrived_after.lost,
        arrived_after.twice,
        written,
        gateway.stored_mb(),
        busy * 100.0,
    );
    let who = if raw_values { "everything on" } else { "records alone (default)" };
    Row { who: who.to_owned(), usage, units: samples, notes }
}
