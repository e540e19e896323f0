//! From a closed window to the hub's receipt.

use std::time::{Duration, Instant};

use crate::devices::Devices;
use crate::gateway::{Gateway, Setup, platform};
use crate::hub::Hub;
use crate::relay::Relay;
use crate::report;

#[derive(clap::Args)]
pub struct Args {
    /// Devices of 50 values, each an asset whose records are shared.
    #[arg(long, default_value_t = 20)]
    devices: usize,
    /// Pages that are waited for: at least one is cut each plant minute.
    #[arg(long, default_value_t = 200)]
    pages: usize,
    /// Plant seconds in a real one: at 30 a minute closes every other second. Polls are as many times as frequent.
    #[arg(long, default_value_t = 30)]
    speed: u32,
}

/// Registers of a device with 50 values.
pub const REGISTERS: u16 = 51;
/// The first instant of the plant.
const FROM: &str = "2026-10-05T00:00:00+07:00";

pub fn run(args: &Args) {
    report::print_machine();
    let _devices = Devices::start(args.devices, Default::default());
    let hub = Hub::start();
    let relay = Relay::start(hub.address, true);
    let setup = Setup {
        devices: args.devices,
        registers: REGISTERS,
        every_ms: 1_000,
        raw_values: false,
        gzip: false,
        destination: None,
    };
    let speed = args.speed.to_string();
    let gateway = Gateway::modbus_with(&setup, &platform(&relay.url), &["--speed", &speed, "--from", FROM]);
    let clock = PlantClock::read(&gateway, f64::from(args.speed));
    let (limit, begun) = (Duration::from_secs(60 + args.pages as u64 * 120 / u64::from(args.speed)), Instant::now());
    while relay.acknowledged().len() < args.pages {
        assert!(begun.elapsed() < limit, "never: {} pages acknowledged\n{}", args.pages, gateway.log());
        std::thread::sleep(Duration::from_millis(200));
    }
    let (pages, acknowledged) = (gateway.pages(), relay.acknowledged());
    let mut delays: Vec<Duration> = acknowledged
        .iter()
        .filter_map(|one| {
            let (created_at, _) = pages.get(&one.seq)?;
            Some(one.at.saturating_duration_since(clock.instant_of(*created_at)))
        })
        .collect();
    assert!(delays.len() >= args.pages, "a page that was acknowledged is not in the store");
    delays.sort_unstable();
    let bytes = pages.values().map(|(_, bytes)| bytes).sum::<u64>() / pages.len() as u64;
    println!(
        "\n{} pages with the records of {} assets for each minute, {bytes} bytes on average",
        delays.len(),
        args.devices + 1
    );
    let at = |percent: usize| delays[(delays.len() * percent / 100).min(delays.len() - 1)];
    println!(
        "from the turn that closed the window to the hub's receipt: p50 {:.1?}, p99 {:.1?}, longest {:.1?}",
        at(50),
        at(99),
        delays[delays.len() - 1]
    );
}

/// What an instant of the plant is on this process's clock.
struct PlantClock {
    /// A real instant and the plant's at it.
    pair: (Instant, i64),
    speed: f64,
}

impl PlantClock {
    /// Asks the box a few times; the quickest answer is the closest.
    fn read(gateway: &Gateway, speed: f64) -> Self {
        let ask = |_| {
            let before = Instant::now();
            let at = gateway.health().at_ms();
            let took = before.elapsed();
            (took, (before + took / 2, at))
        };
        let (_, pair) = (0..20).map(ask).min_by_key(|(took, _)| *took).unwrap();
        Self { pair, speed }
    }

    fn instant_of(&self, plant_ms: i64) -> Instant {
        let (instant, at) = self.pair;
        let real = Duration::from_secs_f64((plant_ms - at).unsigned_abs() as f64 / 1_000.0 / self.speed);
        if plant_ms >= at { instant + real } else { instant - real }
    }
}
