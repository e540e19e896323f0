//! A destination in a process of its own: takes InfluxDB 2 writes, counts lines and values, and looks for gaps.
//!
//! The field `seq` of a series is expected to hold each number once; what is missing between its smallest and largest
//! was lost on the way, what comes again was sent twice.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

use crate::process::{Process, answer};

/// Longest body that is taken.
const BODY_MAX: usize = 64 << 20;

#[derive(clap::Args)]
pub struct Args {}

/// The destination.
pub struct Destination {
    process: Process,
    pub url: String,
}

/// What arrived.
#[derive(Debug, Clone, Copy, Default)]
pub struct Arrived {
    pub requests: u64,
    pub values: u64,
    pub lost: u64,
    pub twice: u64,
}

impl Destination {
    pub fn start() -> Self {
        let (process, url) = Process::role(&["destination"]);
        Self { process, url }
    }

    pub fn arrived(&mut self) -> Arrived {
        let counts = self.process.counts();
        let of = |name: &str| counts[name].as_u64().unwrap();
        Arrived { requests: of("requests"), values: of("values"), lost: of("lost"), twice: of("twice") }
    }
}

#[derive(Default)]
struct Counts {
    requests: u64,
    lines: u64,
    values: u64,
    series: BTreeMap<Vec<u8>, Seen>,
}

/// The numbers of one series, one bit each.
#[derive(Default)]
struct Seen {
    bits: Vec<u64>,
    first: Option<u64>,
    last: u64,
    count: u64,
    twice: u64,
}

impl Seen {
    fn add(&mut self, number: u64) {
        // A load that could reach this would need its own year.
        if number > 1 << 28 {
            return;
        }
        let (word, bit) = (usize::try_from(number / 64).unwrap(), number % 64);
        if self.bits.len() <= word {
            self.bits.resize(word + 1, 0);
        }
        if self.bits[word] >> bit & 1 == 1 {
            self.twice += 1;
        } else {
            self.bits[word] |= 1 << bit;
            self.count += 1;
        }
        self.first = Some(self.first.map_or(number, |first| first.min(number)));
        self.last = self.last.max(number);
    }

    fn lost(&self) -> u64 {
        self.first.map_or(0, |first| self.last + 1 - first - self.count)
    }
}

impl Counts {
    fn take(&mut self, body: &[u8]) {
        self.requests += 1;
        for line in body.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            let mut parts = line.split(|byte| *byte == b' ');
            let (series, fields) = (parts.next().unwrap(), parts.next().unwrap_or_default());
            self.lines += 1;
            for field in fields.split(|byte| *byte == b',') {
                self.values += 1;
                if let Some(number) = field.strip_prefix(b"seq=") {
                    let number = std::str::from_utf8(number).ok().and_then(|text| text.parse().ok());
                    self.see(series, number.unwrap_or(0));
                }
            }
        }
    }

    fn see(&mut self, series: &[u8], number: u64) {
        if let Some(seen) = self.series.get_mut(series) {
            return seen.add(number);
        }
        self.series.entry(series.to_vec()).or_default().add(number);
    }

    fn report(&self) -> Value {
        let sum = |of: fn(&Seen) -> u64| self.series.values().map(of).sum::<u64>();
        json!({
            "requests": self.requests, "lines": self.lines, "values": self.values, "series": self.series.len(),
            "lost": sum(Seen::lost), "twice": sum(|seen| seen.twice),
        })
    }
}

pub fn run(_: &Args) {
    let counts = Arc::new(Mutex::new(Counts::default()));
    let told = Arc::clone(&counts);
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            println!("http://{}", listener.local_addr().unwrap());
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let counts = Arc::clone(&told);
                tokio::spawn(async move { converse(stream, &counts).await });
            }
        });
    });
    answer(|| counts.lock().unwrap().report(), |_| {});
}

async fn converse(stream: TcpStream, counts: &Mutex<Counts>) -> std::io::Result<()> {
    let mut stream = BufReader::with_capacity(1 << 16, stream);
    let (mut line, mut body) = (Vec::new(), Vec::new());
    loop {
        let (mut length, mut is_gzip) = (0, false);
        loop {
            line.clear();
            if stream.read_until(b'\n', &mut line).await? == 0 {
                return Ok(());
            }
            let header = String::from_utf8_lossy(&line).trim().to_ascii_lowercase();
            if header.is_empty() {
                break;
            }
            if let Some(text) = header.strip_prefix("content-length:") {
                length = text.trim().parse().unwrap_or(0);
            }
            is_gzip |= header == "content-encoding: gzip";
        }
        assert!(length <= BODY_MAX, "a body of {length} bytes");
        body.resize(length, 0);
        stream.read_exact(&mut body).await?;
        if is_gzip {
            let mut plain = Vec::new();
            std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(&body[..]), &mut plain)?;
            counts.lock().unwrap().take(&plain);
        } else {
            counts.lock().unwrap().take(&body);
        }
        stream.get_mut().write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await?;
    }
}
