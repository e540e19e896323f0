//! Modbus TCP devices in a process of their own: one on each loopback address, frames answered by hand.
//!
//! Registers 0 and 1 are a 32-bit count of the requests that read register 0, without gap, so that every poll can be
//! found at the destination; the others are their address × 7 plus the tenths of a second since the start.

use std::cell::Cell;
use std::net::Ipv4Addr;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::process::{Process, answer};

/// Every device listens here, on an address of its own.
pub const PORT: u16 = 15_020;
/// Devices of one process, at most: each takes two descriptors.
const DEVICES_MAX: usize = 5_000;
/// How late a slow device answers: later than the box waits.
const SLOW: Duration = Duration::from_millis(1_500);

#[derive(clap::Args)]
pub struct Args {
    #[arg(long)]
    first: usize,
    #[arg(long)]
    count: usize,
    /// The device that never answers.
    #[arg(long)]
    dead: Option<usize>,
    /// The device that answers too late.
    #[arg(long)]
    slow: Option<usize>,
    /// The device that answers to what wasn't asked.
    #[arg(long)]
    liar: Option<usize>,
}

/// Returns the address of a device.
pub fn address(device: usize) -> Ipv4Addr {
    let [.., high, low] = u32::try_from(device + 1).unwrap().to_be_bytes();
    Ipv4Addr::new(127, net(), high, low)
}

/// Names the second part of the addresses for the processes of a run.
pub const NET: &str = "PARKGATE_LOAD_NET";

/// Returns the second part of the addresses: another one in each run, so that two may go on at the same time.
pub fn net() -> u8 {
    let told = std::env::var(NET).ok().and_then(|net| net.parse().ok());
    told.unwrap_or_else(|| u8::try_from(1 + std::process::id() % 250).unwrap())
}

/// All devices, in as many processes as they need.
pub struct Devices(Vec<Process>);

/// Which devices misbehave.
#[derive(Clone, Copy, Default)]
pub struct Faults {
    pub dead: Option<usize>,
    pub slow: Option<usize>,
    pub liar: Option<usize>,
}

impl Devices {
    pub fn start(count: usize, faults: Faults) -> Self {
        let mut processes = Vec::new();
        for first in (0..count).step_by(DEVICES_MAX) {
            let mut arguments = vec!["devices".to_owned()];
            let mut add = |key: &str, value: usize| arguments.extend([format!("--{key}"), value.to_string()]);
            add("first", first);
            add("count", DEVICES_MAX.min(count - first));
            for (key, device) in [("dead", faults.dead), ("slow", faults.slow), ("liar", faults.liar)] {
                device.into_iter().for_each(|device| add(key, device));
            }
            let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
            let (process, ready) = Process::role(&arguments);
            assert_eq!(ready, "ready", "the devices");
            processes.push(process);
        }
        Self(processes)
    }

    /// Returns how many requests were answered so far, by all devices.
    pub fn answered(&mut self) -> u64 {
        self.0.iter_mut().map(|process| process.counts()["answered"].as_u64().unwrap()).sum()
    }

    /// Returns how many connections are open.
    pub fn connections(&mut self) -> u64 {
        self.0.iter_mut().map(|process| process.counts()["connections"].as_u64().unwrap()).sum()
    }

    /// Returns CPU time so far. **Unit**: s.
    pub fn cpu_s(&self) -> f64 {
        self.0.iter().map(|process| crate::process::cpu_s(process.id())).sum()
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Manner {
    Good,
    Dead,
    Slow,
    Liar,
}

#[derive(Default)]
struct Counts {
    answered: AtomicU64,
    connections: AtomicU64,
}

pub fn run(args: &Args) {
    let counts = Arc::new(Counts::default());
    let told = Arc::clone(&counts);
    let devices: Vec<(usize, Manner)> = (args.first..args.first + args.count)
        .map(|device| {
            let is = |which: Option<usize>| which == Some(device);
            let manner = match () {
                () if is(args.dead) => Manner::Dead,
                () if is(args.slow) => Manner::Slow,
                () if is(args.liar) => Manner::Liar,
                () => Manner::Good,
            };
            (device, manner)
        })
        .collect();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(tokio::task::LocalSet::new().run_until(serve(devices, told)));
    });
    answer(
        || {
            let of = |count: &AtomicU64| count.load(Ordering::Relaxed);
            json!({ "answered": of(&counts.answered), "connections": of(&counts.connections) })
        },
        |_| {},
    );
}

async fn serve(devices: Vec<(usize, Manner)>, counts: Arc<Counts>) {
    let started = Instant::now();
    for (device, manner) in devices {
        let listener = TcpListener::bind((address(device), PORT)).await.unwrap();
        let counts = Arc::clone(&counts);
        tokio::task::spawn_local(async move {
            let asked = Rc::new(Cell::new(0));
            while let Ok((stream, _)) = listener.accept().await {
                let (asked, counts) = (Rc::clone(&asked), Arc::clone(&counts));
                tokio::task::spawn_local(async move {
                    counts.connections.fetch_add(1, Ordering::Relaxed);
                    let _ = converse(stream, manner, &asked, started, &counts).await;
                    counts.connections.fetch_sub(1, Ordering::Relaxed);
                });
            }
        });
    }
    println!("ready");
    std::future::pending().await
}

async fn converse(
    mut stream: TcpStream,
    manner: Manner,
    asked: &Cell<u32>,
    started: Instant,
    counts: &Counts,
) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let (mut requests, mut held) = ([0; 2_048], 0);
    let mut answers = Vec::with_capacity(512);
    loop {
        let read = stream.read(&mut requests[held..]).await?;
        if read == 0 {
            return Ok(());
        }
        held += read;
        let mut done = 0;
        answers.clear();
        let tick = u16::try_from(started.elapsed().as_millis() / 100 % 65_536).unwrap();
        while let Some(frame) = frame(&requests[done..held]) {
            done += frame.len();
            if manner != Manner::Dead {
                respond(frame, asked, tick, &mut answers);
                counts.answered.fetch_add(1, Ordering::Relaxed);
            }
        }
        requests.copy_within(done..held, 0);
        held -= done;
        match manner {
            Manner::Dead => continue,
            Manner::Slow => tokio::time::sleep(SLOW).await,
            Manner::Liar => lie(asked.get(), &mut answers),
            Manner::Good => {}
        }
        stream.write_all(&answers).await?;
    }
}

/// Returns the first whole frame.
fn frame(bytes: &[u8]) -> Option<&[u8]> {
    let length = usize::from(u16::from_be_bytes([*bytes.get(4)?, *bytes.get(5)?]));
    bytes.get(..6 + length)
}

fn respond(request: &[u8], asked: &Cell<u32>, tick: u16, answers: &mut Vec<u8>) {
    let word = |at: usize| request.get(at..at + 2).map_or(0, |pair| u16::from_be_bytes([pair[0], pair[1]]));
    let (function, address, count) = (request.get(7).copied().unwrap_or(0), word(8), word(10));
    answers.extend_from_slice(&request[..4]);
    let is_valid = matches!(function, 3 | 4) && (1..=125).contains(&count) && address.checked_add(count).is_some();
    if !is_valid {
        answers.extend_from_slice(&[0, 3, request.get(6).copied().unwrap_or(0), function | 0x80, 1]);
        return;
    }
    if address == 0 {
        asked.set(asked.get().wrapping_add(1));
    }
    let [high, low] = [asked.get() >> 16, asked.get() & 0xffff].map(|half| u16::try_from(half).unwrap());
    answers.extend_from_slice(&(3 + 2 * count).to_be_bytes());
    answers.extend_from_slice(&[request[6], function, u8::try_from(2 * count).unwrap()]);
    for register in address..address + count {
        let value = match register {
            0 => high,
            1 => low,
            _ => register.wrapping_mul(7).wrapping_add(tick),
        };
        answers.extend_from_slice(&value.to_be_bytes());
    }
}

/// Spoils an answer, each time in another way: another transaction, another unit, another function, half a frame.
fn lie(turn: u32, answer: &mut Vec<u8>) {
    match turn % 4 {
        0 => answer[1] ^= 0x55,
        1 => answer[6] ^= 0x0f,
        2 => answer[7] ^= 0x01,
        _ => answer.truncate(answer.len() / 2),
    }
}
