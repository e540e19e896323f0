//! More values each second until polls are skipped: what the box can take beside the devices on this machine.

use std::time::Duration;

use crate::destination::Destination;
use crate::devices::{Devices, Faults};
use crate::gateway::{Gateway, REGISTERS, Setup};
use crate::process::{machine_busy, machine_time, measure};
use crate::report::{self, Row};

#[derive(clap::Args)]
pub struct Args {
    #[arg(long, default_value_t = 1_000)]
    devices: usize,
    /// Poll periods to try, each shorter. Unit: ms.
    #[arg(long, value_delimiter = ',', default_values_t = [500, 250, 200, 150, 125, 100, 80, 66, 50, 40])]
    every_ms: Vec<u64>,
    /// At each step. Unit: s.
    #[arg(long, default_value_t = 20)]
    seconds: u64,
    /// Send every raw value to a destination too; else it is only stored.
    #[arg(long)]
    raw_values: bool,
}

pub fn run(args: &Args) {
    report::print_machine();
    let devices = Devices::start(args.devices, Faults::default());
    let mut rows = Vec::new();
    for every_ms in &args.every_ms {
        let destination = args.raw_values.then(Destination::start);
        let setup = Setup {
            devices: args.devices,
            registers: REGISTERS,
            every_ms: *every_ms,
            raw_values: args.raw_values,
            gzip: false,
            destination: destination.as_ref().map(|destination| destination.url.clone()),
        };
        let gateway = Gateway::modbus(&setup);
        std::thread::sleep(Duration::from_secs(10));
        let (before, machine, simulated) = (gateway.health(), machine_time(), devices.cpu_s());
        let usage = measure(gateway.process.id(), Duration::from_secs(args.seconds));
        let after = gateway.health();
        let within = |count: &str| after.sum("source.", count) - before.sum("source.", count);
        let (polls, skipped) = (within("polls"), within("skipped"));
        let share = skipped as f64 / (polls + skipped).max(1) as f64;
        let notes = format!(
            "{:.2} % of polls skipped; devices {:.2} cores, machine {:.0} % busy",
            share * 100.0,
            (devices.cpu_s() - simulated) / usage.seconds,
            machine_busy(machine, machine_time()) * 100.0
        );
        rows.push(Row { who: format!("every {every_ms} ms"), usage, units: within("samples"), notes });
        if share > 0.01 {
            break;
        }
    }
    report::print(&format!("{} devices × 99 values, the devices on the same cores", args.devices), "values", &rows);
}
