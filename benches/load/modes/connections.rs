//! Many connections, each read seldom.

use std::time::Duration;

use crate::devices::{Devices, Faults};
use crate::gateway::{Gateway, Setup};
use crate::process::{descriptors, descriptors_max, measure};
use crate::report::{self, Row};

/// What each device is asked for: it is connections that are to be many here, not tags.
const REGISTERS: u16 = 10;

#[derive(clap::Args)]
pub struct Args {
    #[arg(long, default_value_t = 10_000)]
    devices: usize,
    /// Poll period. Unit: ms.
    #[arg(long, default_value_t = 30_000)]
    every_ms: u64,
    /// What is measured. Unit: s.
    #[arg(long, default_value_t = 60)]
    seconds: u64,
}

pub fn run(args: &Args) {
    report::print_machine();
    let need = args.devices + 200;
    assert!(descriptors_max() >= need, "raise the limit of open files to {need}: ulimit -n {need}");
    let mut devices = Devices::start(args.devices, Faults::default());
    let setup = Setup {
        devices: args.devices,
        registers: REGISTERS,
        every_ms: args.every_ms,
        raw_values: false,
        gzip: false,
        destination: None,
    };
    let gateway = Gateway::modbus(&setup);
    gateway.wait_for("every device read", Duration::from_secs(180), |health| health.well("source.") == args.devices);
    let before = gateway.health();
    let usage = measure(gateway.process.id(), Duration::from_secs(args.seconds));
    let after = gateway.health();
    let notes = format!(
        "{} connections, {} file descriptors, {} connects and {} skipped polls within the window",
        devices.connections(),
        descriptors(gateway.process.id()),
        after.sum("source.", "connects") - before.sum("source.", "connects"),
        after.sum("source.", "skipped") - before.sum("source.", "skipped"),
    );
    let units = after.sum("source.", "samples") - before.sum("source.", "samples");
    let title = format!("{} devices × {} values every {} ms", args.devices, REGISTERS - 1, args.every_ms);
    report::print(&title, "values", &[Row { who: "the box".to_owned(), usage, units, notes }]);
}
