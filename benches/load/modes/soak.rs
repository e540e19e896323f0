//! A faulty bus for long: memory and file descriptors must not grow.

use std::time::{Duration, Instant};

use super::faulty::FAULTS;
use crate::destination::Destination;
use crate::devices::Devices;
use crate::gateway::{Gateway, REGISTERS, Setup};
use crate::process::{cpu_s, descriptors, resident_mb};
use crate::report;

/// Within fewer, the first compaction and its buffers would count as growth.
const MINUTES_MIN: u64 = 30;

#[derive(clap::Args)]
pub struct Args {
    #[arg(long, default_value_t = 60)]
    minutes: u64,
    #[arg(long, default_value_t = 100)]
    devices: usize,
    /// Poll period. Unit: ms.
    #[arg(long, default_value_t = 1_000)]
    every_ms: u64,
}

pub fn run(args: &Args) {
    report::print_machine();
    let _devices = Devices::start(args.devices, FAULTS);
    let mut destination = Destination::start();
    let setup = Setup {
        devices: args.devices,
        registers: REGISTERS,
        every_ms: args.every_ms,
        raw_values: true,
        gzip: false,
        destination: Some(destination.url.clone()),
    };
    let mut gateway = Gateway::modbus(&setup);
    let id = gateway.process.id();
    let begun = Instant::now();
    println!(
        "{:>7} {:>9} {:>6} {:>9} {:>10} {:>8} {:>6} {:>6}",
        "minute", "RSS MB", "fds", "CPU-s", "values", "skipped", "lost", "twice"
    );
    let mut seen = Vec::new();
    for minute in 1..=args.minutes {
        std::thread::sleep((Duration::from_secs(60) * u32::try_from(minute).unwrap()).saturating_sub(begun.elapsed()));
        assert!(!gateway.process.has_ended(), "the box has ended\n{}", gateway.log());
        let (health, arrived) = (gateway.health(), destination.arrived());
        let (resident, open) = (resident_mb(id), descriptors(id));
        seen.push((resident, open));
        println!(
            "{minute:>7} {resident:>9.1} {open:>6} {:>9.1} {:>10} {:>8} {:>6} {:>6}",
            cpu_s(id),
            arrived.values,
            health.sum("source.", "skipped"),
            arrived.lost,
            arrived.twice
        );
    }
    // The first third is for caches and buffers to find their size.
    let (early, late) = (&seen[seen.len() / 3..seen.len() * 2 / 3], &seen[seen.len() * 2 / 3..]);
    let most =
        |part: &[(f64, usize)]| part.iter().fold((0.0_f64, 0), |most, seen| (most.0.max(seen.0), most.1.max(seen.1)));
    let ((early_mb, early_open), (late_mb, late_open)) = (most(early), most(late));
    println!("middle third: at most {early_mb:.1} MB, {early_open} fds; last third: {late_mb:.1} MB, {late_open} fds");
    assert!(args.minutes < MINUTES_MIN || late_mb <= early_mb * 1.1 + 1.0, "memory grows");
    assert!(args.minutes < MINUTES_MIN || late_open <= early_open + 2, "file descriptors grow");
}
