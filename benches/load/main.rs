//! What a whole box costs and bears: `cargo bench --bench load -- <mode>` prints the figures of one run.
//!
//! The real binary runs with a generated configuration in a directory of its own, between devices, a broker and a
//! destination that are processes of their own, so that their work isn't counted as the box's. CPU time and memory
//! are the operating system's figures of that one process. Everything listens on loopback. `docs/performance.md`
//! tells what was measured and how to repeat it.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    clippy::cast_precision_loss,
    missing_docs,
    unreachable_pub,
    reason = "a benchmark reports and may stop"
)]

mod bare;
mod broker;
mod destination;
mod devices;
mod gateway;
mod hub;
mod modes;
mod process;
mod publisher;
mod relay;
mod report;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "load", about = "Load on one box, measured from outside")]
struct Arguments {
    #[command(subcommand)]
    mode: Option<Mode>,
    /// What `cargo bench` adds.
    #[arg(long, hide = true, global = true)]
    bench: bool,
}

#[derive(Subcommand)]
enum Mode {
    /// Devices at a steady rate: a bare client, records alone, and everything on, in one run.
    Modbus(modes::modbus::Args),
    /// Many connections, each read seldom.
    Connections(modes::connections::Args),
    /// Among good devices one that is dead, one that is slow, and one that lies.
    Faulty(modes::faulty::Args),
    /// More values each second until polls are skipped.
    Ceiling(modes::ceiling::Args),
    /// A broker at its own rate: a subscriber that only counts, and the box.
    Mqtt(modes::mqtt::Args),
    /// From a closed window to the receipt of a hub on this machine.
    Delivery(modes::delivery::Args),
    /// How fast a box catches up after an outage of every destination.
    Catchup(modes::catchup::Args),
    /// A faulty bus for long: memory and file descriptors.
    Soak(modes::soak::Args),
    /// The devices themselves; started by the modes.
    #[command(hide = true)]
    Devices(devices::Args),
    /// The destination itself; started by the modes.
    #[command(hide = true)]
    Destination(destination::Args),
    /// The bare client itself; started by the modes.
    #[command(hide = true)]
    Bare(bare::Args),
    /// A publisher itself; started by the modes.
    #[command(hide = true)]
    Publisher(publisher::Args),
    /// The subscriber that only counts; started by the modes.
    #[command(hide = true)]
    Subscriber(publisher::SubscriberArgs),
}

fn main() {
    match Arguments::parse().mode {
        Some(Mode::Modbus(args)) => modes::modbus::run(&args),
        Some(Mode::Connections(args)) => modes::connections::run(&args),
        Some(Mode::Faulty(args)) => modes::faulty::run(&args),
        Some(Mode::Ceiling(args)) => modes::ceiling::run(&args),
        Some(Mode::Mqtt(args)) => modes::mqtt::run(&args),
        Some(Mode::Delivery(args)) => modes::delivery::run(&args),
        Some(Mode::Catchup(args)) => modes::catchup::run(&args),
        Some(Mode::Soak(args)) => modes::soak::run(&args),
        Some(Mode::Devices(args)) => devices::run(&args),
        Some(Mode::Destination(args)) => destination::run(&args),
        Some(Mode::Bare(args)) => bare::run(&args),
        Some(Mode::Publisher(args)) => publisher::run(&args),
        Some(Mode::Subscriber(args)) => publisher::run_subscriber(&args),
        // What `cargo bench` alone starts: nothing that takes minutes.
        None => println!("load: choose a mode, as in `cargo bench --bench load -- modbus`; see --help"),
    }
}
