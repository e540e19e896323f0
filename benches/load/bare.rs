//! The floor: a client that sends the same frames at the same rate and looks at nothing but their length.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, MissedTickBehavior};

use crate::devices::{PORT, address};
use crate::process::{Process, answer};

#[derive(clap::Args)]
pub struct Args {
    #[arg(long)]
    devices: usize,
    #[arg(long)]
    registers: u16,
    #[arg(long)]
    every_ms: u64,
}

/// The client.
pub struct Bare(pub Process);

impl Bare {
    pub fn start(devices: usize, registers: u16, every_ms: u64) -> Self {
        let [devices, registers, every_ms] = [devices.to_string(), registers.to_string(), every_ms.to_string()];
        let arguments = ["bare", "--devices", &devices, "--registers", &registers, "--every-ms", &every_ms];
        let (process, ready) = Process::role(&arguments);
        assert_eq!(ready, "ready", "the bare client");
        Self(process)
    }

    pub fn answered(&mut self) -> u64 {
        self.0.counts()["answered"].as_u64().unwrap()
    }
}

pub fn run(args: &Args) {
    let answered = Arc::new(AtomicU64::new(0));
    let told = Arc::clone(&answered);
    let (devices, registers, every) = (args.devices, args.registers, Duration::from_millis(args.every_ms));
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            println!("ready");
            for device in 0..devices {
                let answered = Arc::clone(&told);
                tokio::spawn(async move { poll(device, registers, every, &answered).await.unwrap() });
            }
            std::future::pending::<()>().await;
        });
    });
    answer(|| json!({ "answered": answered.load(Ordering::Relaxed) }), |_| {});
}

async fn poll(device: usize, registers: u16, every: Duration, answered: &AtomicU64) -> std::io::Result<()> {
    let mut stream = TcpStream::connect(SocketAddr::from((address(device), PORT))).await?;
    stream.set_nodelay(true)?;
    let [high, low] = registers.to_be_bytes();
    let mut request = [0, 0, 0, 0, 0, 6, 1, 3, 0, 0, high, low];
    let mut response = vec![0; 9 + 2 * usize::from(registers)];
    // Spread over the period, as devices of a plant are.
    let start = Instant::now() + every.mul_f64(fastrand::f64());
    let mut ticks = tokio::time::interval_at(start, every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    for transaction in 0_u16.. {
        ticks.tick().await;
        request[..2].copy_from_slice(&(transaction % u16::MAX).to_be_bytes());
        stream.write_all(&request).await?;
        stream.read_exact(&mut response).await?;
        answered.fetch_add(1, Ordering::Relaxed);
    }
    Ok(())
}
